r"""LaTeX to a layout tree: tolerant, linear, and nothing that was written is lost.

What is not known is shown under its own name. Meaning is not read here; that is `derive.read`.
"""

from __future__ import annotations

from derive.sheet.commands import COMMANDS
from derive.sheet.reader import Reader
from derive.sheet.tree import Layout


def parse_math(latex: str) -> Layout:
    r"""Lay out a formula; any string is accepted, and an unknown command is shown by its name.

    >>> parse_math(r"\hat{y}")
    Accent(body=Symbol(text='y', role='identifier', variant=''), mark='hat')
    """
    return Reader(latex, COMMANDS).formula()


def tex_source(latex: str) -> str | None:
    r"""The formula as LaTeX with amsmath, amssymb and xcolor sets it, or None where LaTeX would refuse it.

    Only known commands pass, so a formula quoted from a page cannot read a file or define anything.

    >>> tex_source(r"a &= b"), tex_source(r"\input{/etc/passwd}"), tex_source("{a")
    ('\\begin{aligned} a &= b \\end{aligned}', None, None)
    """
    line = " ".join(latex.split())
    for source in (line, rf"\begin{{aligned}} {line} \end{{aligned}}"):
        if _is_plain(source):
            return source
    return None


def is_known(latex: str) -> bool:
    r"""Tell whether a formula holds nothing but what is laid out as LaTeX would set it.

    >>> is_known(r"\frac{a}{b}"), is_known(r"\foo{a}")
    (True, False)
    """
    for source in (latex, rf"\begin{{aligned}} {latex} \end{{aligned}}"):
        reader = Reader(source, COMMANDS)
        reader.formula()
        if reader.plain:
            return True
    return False


def _is_plain(latex: str) -> bool:
    reader = Reader(latex, COMMANDS)
    reader.formula()
    return reader.plain and latex.isascii() and latex.isprintable() and not set(latex) & set('~%#$`"@')
