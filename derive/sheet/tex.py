r"""A document as LaTeX that pdflatex compiles: an article with amsmath, every word of prose escaped."""

from __future__ import annotations

import re
from typing import Final

from derive.sheet.document import (
    Block,
    Bullets,
    Code,
    Document,
    Equation,
    Heading,
    Mark,
    Math,
    Paragraph,
    Rule,
    Span,
    Spans,
    StepRow,
    Steps,
    Strong,
    Table,
    Text,
    right_side,
)
from derive.sheet.layout import tex_source
from derive.sheet.symbols import SYMBOLS, clean_text

_PREAMBLE: Final = r"""\documentclass[11pt,fleqn]{article}
\usepackage[margin=25mm]{geometry}
\usepackage{amsmath,amssymb,xcolor}
\providecommand{\lt}{<} \providecommand{\gt}{>} \providecommand{\omicron}{o} \providecommand{\coloneqq}{:=}
\providecommand{\eqqcolon}{=:} \providecommand{\degree}{^\circ} \providecommand{\lparen}{(}
\providecommand{\rparen}{)} \providecommand{\slash}{/}
\DeclareMathOperator*{\argmax}{arg\,max} \DeclareMathOperator*{\argmin}{arg\,min}
\definecolor{soft}{HTML}{667085} \definecolor{ok}{HTML}{1A7F4B} \definecolor{bad}{HTML}{C0362C}
\setlength{\mathindent}{1.5em} \setlength{\parindent}{0pt} \setlength{\parskip}{0.6em} \allowdisplaybreaks
\renewcommand{\labelitemi}{$\bullet$}
"""
_ESCAPES: Final = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "`": r"\textasciigrave{}", "'": "{'}",
    "-": "{-}", "–": "--", "—": "---", "…": r"\dots{}", "‘": "`", "’": "'", "“": "``", "”": "''",
    "\u00a0": "~",
    "−": r"\ensuremath{-}", '"': "{\\char34}", "✓": r"\ensuremath{\checkmark}", "✗": r"\ensuremath{\times}",
    **{char: f"\\{char}" for char in "{}$&#_%"},
}  # fmt: skip
_NAMES: Final = {
    char: name for name, (char, _) in reversed(SYMBOLS.items()) if not char.isascii() and name.isalpha()
}
_MARKS: Final[dict[Mark, str]] = {
    "": "", "ok": r"\textcolor{ok}{\checkmark}", "bad": r"\textcolor{bad}{\boldsymbol{\times}}",
    "open": r"\textcolor{soft}{\text{?}}",
}  # fmt: skip


def to_tex(document: Document) -> str:
    r"""Write a document as a complete LaTeX article.

    >>> r"\tag{1}" in to_tex(Document("t", (Equation("1", "x^2"),)))
    True
    """
    title = rf"{{\LARGE\bfseries {escape_tex(document.title)}\par}}\bigskip"
    footer = [rf"\bigskip{{\small\color{{soft}} {_spans(document.footer)}\par}}"] if document.footer else []
    body = "\n\n".join([title, *map(_block, document.blocks), *footer])
    return f"{_PREAMBLE}\\begin{{document}}\n{body}\n\\end{{document}}\n"


def escape_tex(text: str) -> str:
    r"""Write prose as LaTeX that shows exactly this text.

    >>> escape_tex(r"50% of \input{x}")
    '50\\% of \\textbackslash{}input\\{x\\}'
    """
    return "".join(map(_escaped, clean_text(text)))


def _escaped(char: str) -> str:
    if (written := _ESCAPES.get(char)) is not None:
        return written
    if char in _NAMES:
        return rf"\ensuremath{{\{_NAMES[char]}}}"
    if char.isascii() or ("À" <= char <= "ÿ" and char not in "ÐÞðþ×÷"):
        return char
    return f"[U+{ord(char):04X}]"  # the fonts of a plain LaTeX lack it


def math_tex(latex: str) -> str:
    """A formula as it stands, or, where LaTeX would refuse it, its source in typewriter."""
    source = tex_source(latex)
    return rf"\text{{\ttfamily {escape_tex(latex)}}}" if source is None else source


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return rf"\{'sub' * (min(max(level, 1), 3) - 1)}section*{{{escape_tex(text)}}}"
        case Paragraph(spans):
            return _spans(spans)
        case Equation():
            return _equation(block)
        case Steps(rows):
            lines = " \\\\\n".join(map(_step, rows))
            return f"\\begin{{alignat*}}{{2}}\n{lines}\n\\end{{alignat*}}"
        case Table(header, rows):
            return _table(header, rows)
        case Bullets(items):
            lines = "\n".join(rf"\item {{}}{_spans(item)}" for item in items)
            return f"\\begin{{itemize}}\n{lines}\n\\end{{itemize}}" if items else ""
        case Rule():
            return r"\noindent\rule{\linewidth}{0.4pt}"


def _spans(spans: Spans) -> str:
    return "".join(map(_span, spans))


def _span(span: Span) -> str:
    match span:
        case Text(text):
            return escape_tex(text)
        case Math(latex):
            return f"${math_tex(latex)}$"
        case Strong(text):
            return rf"\textbf{{{escape_tex(text)}}}"
        case Code(text):
            return rf"\texttt{{{escape_tex(text)}}}"


def _equation(equation: Equation) -> str:
    mark = rf" \quad {_MARKS[equation.mark]}" if equation.mark else ""
    tag = rf" \tag{{{escape_tex(equation.number)}}}" if equation.number is not None else ""
    note = rf"{{\leftskip=1.5em\small\color{{soft}} {_spans(equation.note)}\par}}" if equation.note else ""
    return f"\\begin{{equation*}}\n{_display(equation.latex)}{mark}{tag}\n\\end{{equation*}}\n{note}".rstrip()


def _display(latex: str) -> str:
    """A formula on its own; what LaTeX would refuse may fill several lines."""
    source = tex_source(latex)
    quoted = rf"\parbox{{0.8\linewidth}}{{\raggedright\ttfamily {escape_tex(latex)}}}"
    return quoted if source is None else source


def _step(row: StepRow) -> str:
    left = math_tex(row.latex_left) if row.latex_left.strip() else ""
    why = rf"\text{{\small\color{{soft}} {_spans(row.because)}}}" if row.because else ""
    mark = rf" \; {_MARKS[row.mark]}" if row.mark else ""
    aside = rf" &\qquad& {why}{mark}" if why or mark else ""
    return f"{left} & {math_tex(right_side(row))}{aside}"


def _table(header: tuple[Spans, ...], rows: tuple[tuple[Spans, ...], ...]) -> str:
    columns = max([1, len(header), *map(len, rows)])
    head = " & ".join(rf"\textbf{{{_spans(cell)}}}" for cell in header)
    lines = [rf"{head} \\ \hline"] if header else []
    lines += [rf"{' & '.join(map(_spans, row))} \\" for row in rows]
    shown = re.sub(r"^(?=\[)", "{}", "\n".join(lines), flags=re.MULTILINE)  # a [ after \\ would be a length
    return f"\\begin{{tabular}}{{{'l' * columns}}}\n{shown}\n\\end{{tabular}}"
