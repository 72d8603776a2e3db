r"""A layout as Typst math, and text as Typst markup: nothing a user wrote can become Typst code.

Letters and signs stand for themselves, ASCII punctuation is escaped, and words are string literals.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from derive.sheet.layout import parse_math
from derive.sheet.symbols import CHARACTERS, clean_text, styled
from derive.sheet.tree import (
    EMPTY,
    Accent,
    Brace,
    Fenced,
    Fraction,
    Function,
    Grid,
    Layout,
    Root,
    Row,
    Scripts,
    Space,
    Symbol,
)

_MARKS: Final = {
    "hat": "hat", "bar": "macron", "tilde": "tilde", "dot": "dot", "ddot": "dot.double", "vec": "arrow",
    "check": "caron", "breve": "breve", "acute": "acute", "grave": "grave", "ring": "circle",
    "overline": "overline", "underline": "underline",
}  # fmt: skip


def to_typst_math(latex: str) -> str:
    r"""Print a formula as the inside of a Typst equation.

    >>> to_typst_math(r"\hat{y}^2 \# x")
    'attach(hat(y, size: #0%), t: 2) \\# x'
    """
    return show(parse_math(latex))


def escape_markup(text: str) -> str:
    r"""Write prose as Typst markup that shows exactly this text.

    >>> escape_markup('#import "x"')
    '\\#import \\"x\\"'
    """
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", clean_text(text))


def literal(text: str) -> str:
    r"""Write text as a Typst string.

    >>> print(literal('a"b'))
    "a\"b"
    """
    return '"' + clean_text(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def show(layout: Layout) -> str:
    """One layout as Typst math."""
    match layout:
        case Symbol():
            return _symbol(layout)
        case Function(name, limits):
            return f"op({literal(name)}, limits: #{'true' if limits else 'false'})"
        case Row(items):
            return _joined(map(show, items)) or '""'
        case Scripts():
            return _scripts(layout)
        case Fraction():
            return _fraction(layout)
        case Root(body, None):
            return f"sqrt({show(body)})"
        case Root(body, degree) if degree is not None:
            return f"root({show(degree)}, {show(body)})"
        case Accent(body, mark):
            return _accent(body, mark)
        case Brace(body, over):
            return f"{'overbrace' if over else 'underbrace'}({show(body)})"
        case Fenced(opening, body, closing, stretchy):
            inside = _joined((_sign(opening), show(body), _sign(closing)))
            return f"lr({inside})" if stretchy else inside
        case Grid():
            return _grid(layout)
        case Space(width):
            return f"#h({width:.4g}em)"
    raise AssertionError(layout)


def _accent(body: Layout, mark: str) -> str:
    short = isinstance(body, Symbol) and mark not in {"overline", "underline"}
    return f"{_MARKS[mark]}({show(body)}{', size: #0%' if short else ''})"  # TeX's \\hat does not grow with W


def _joined(parts: Iterable[str]) -> str:
    """Set parts side by side; a space next to a string would be printed, so none is written there."""
    line = ""
    for part in filter(None, parts):
        line += part if not line or line.endswith('"') or part.startswith('"') else f" {part}"
    return line


def _sign(char: str) -> str:
    return "\\" + char if char.isascii() and char else char


def _symbol(symbol: Symbol) -> str:
    text = styled(symbol.text, symbol.variant)
    if symbol.role == "text":
        return literal(text)
    if symbol.role == "number":  # a styled digit would be set as text, with spaces around it
        return f"bold({symbol.text})" if symbol.variant.startswith("bold") else symbol.text
    if len(text) != 1 or symbol.variant == "roman":
        return literal(text)
    if text.isascii() and text.isalnum():
        return text
    if text in "|‖":
        return f'class("normal", {_sign(text)})'  # a lone bar opens or closes: no space on either side
    if text.isascii():
        return _sign(text)
    known = text in CHARACTERS or unicodedata.category(text) in {"Sm", "Ll", "Lu"}
    return text if known else literal(text)


def _scripts(scripts: Scripts) -> str:
    match scripts.base:
        case Brace(body, over):
            label = scripts.sup if over else scripts.sub
            return f"{'overbrace' if over else 'underbrace'}({show(body)}, {show(label or EMPTY)})"
        case Fenced(
            opening, body, closing, False
        ):  # on the closing sign, as TeX sets it: (W^[2])^T stays level
            last = _scripts(Scripts(Symbol(closing, "close"), scripts.sub, scripts.sup))
            return f"{_sign(opening)} {show(body)} {last}"
    base = show(scripts.base)
    if scripts.limits:
        movable = isinstance(scripts.base, Function) or (
            isinstance(scripts.base, Symbol) and scripts.base.role == "big"
        )
        base = f"limits({base}, inline: #{'false' if movable else 'true'})"
    low = "" if scripts.sub is None else f", b: {show(scripts.sub)}"
    high = "" if scripts.sup is None else f", t: {show(scripts.sup)}"
    return f"attach({base}{high}{low})"


def _fraction(fraction: Fraction) -> str:
    name = "frac" if fraction.line else "binom"
    shown = f"{name}({show(fraction.numerator)}, {show(fraction.denominator)})"
    return {"display": f"display({shown})", "text": f"inline({shown})"}.get(fraction.style, shown)


def _grid(grid: Grid) -> str:
    if grid.kind == "cases" and grid.opening:
        return f"cases({', '.join(' & quad '.join(map(show, row)) for row in grid.rows)})"
    if grid.kind == "aligned":
        rows = "; ".join(", ".join(_pairs(row)) for row in grid.rows)
        return f"mat(delim: #none, row-gap: #0.7em, {rows})"
    inside = f"mat(delim: #none, {'; '.join(', '.join(map(show, row)) for row in grid.rows)})"
    delimited = f"{_sign(grid.opening)} {inside} {_sign(grid.closing)}"
    return f"lr({delimited})" if grid.opening or grid.closing else inside


def _pairs(row: tuple[Layout, ...]) -> list[str]:
    """Each two cells of aligned lines meet at an alignment point."""
    shown = [f"display({show(cell)})" for cell in row]
    return [" & ".join(shown[i : i + 2]) for i in range(0, len(shown), 2)]
