"""A document as plain Unicode text for a terminal or a mail; long formulas break before a sign.

The other text formats stand beside: `to_tex`, `to_markdown` and `to_notebook` are re-exported from here.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from typing import Final

from derive.sheet.document import (
    MARK_SIGNS,
    Block,
    Bullets,
    Document,
    Equation,
    Heading,
    Math,
    Paragraph,
    Rule,
    Span,
    Spans,
    StepRow,
    Steps,
    Table,
    Text,
    right_side,
)
from derive.sheet.markdown import to_markdown, to_notebook
from derive.sheet.symbols import clean_text
from derive.sheet.tex import to_tex
from derive.sheet.text import to_unicode

__all__ = ["to_markdown", "to_notebook", "to_tex", "to_text"]

_INDENT: Final = "    "
_REASON: Final = 24  # a narrower column of reasons reads worse than reasons below
_BREAK = re.compile(r" (?=[=<>≤≥≠≈≡←→∈+\-−∘⊙] )|(?<=,) ")


def to_text(document: Document, width: int = 80) -> str:
    """Write a document as text no wider than `width`, unless a formula has no place to break.

    >>> print(to_text(Document("Sheet", (Equation("1", "y = W x"),)), width=30))
    Sheet
    =====
    <BLANKLINE>
        y = Wx                 (1)
    <BLANKLINE>
    """
    title = textwrap.wrap(clean_text(document.title), width) or [""]
    head = "\n".join([*title, "=" * max(map(width_of, title))])
    footer = ["-" * width, _fill(document.footer, width)] if document.footer else []
    return "\n\n".join([head, *(_block(block, width) for block in document.blocks), *footer]) + "\n"


def width_of(text: str) -> int:
    """The columns that text takes; a hat takes none."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return wide + sum(not unicodedata.combining(char) for char in text)


def wrap_formula(formula: str, width: int, hang: int = 4) -> list[str]:
    """Break a line of mathematics before relation and plus signs, outermost ones first.

    >>> wrap_formula("L = (a + b) + c", 12, hang=2)
    ['L = (a + b)', '  + c']
    """
    if width_of(formula) <= width:
        return [formula]
    places = [found.start() for found in _BREAK.finditer(formula)]
    outer = [at for at in places if _depth(formula[:at]) == 0]
    spaces = [at for at, char in enumerate(formula) if char == " "]
    for choice in (outer, places, spaces):
        fitting = [at for at in choice if 0 < width_of(formula[:at]) <= width]
        if fitting:
            at = fitting[-1]
            rest = wrap_formula(formula[at + 1 :], max(width - hang, 1), 0)
            return [formula[:at], *(" " * hang + line for line in rest)]
    at = spaces[0] if spaces else len(formula)
    rest = wrap_formula(formula[at + 1 :], max(width - hang, 1), 0) if formula[at + 1 :] else []
    return [formula[:at], *(" " * hang + line for line in rest)]


def _depth(text: str) -> int:
    return sum(char in "([{⟨" for char in text) - sum(char in ")]}⟩" for char in text)


def _block(block: Block, width: int) -> str:
    match block:
        case Heading(level, text):
            lines = textwrap.wrap(clean_text(text), width) or [""]
            return "\n".join([*lines, "-" * max(map(width_of, lines))]) if level <= 1 else "\n".join(lines)
        case Paragraph(spans):
            return _fill(spans, width)
        case Equation():
            return _equation(block, width)
        case Steps(rows):
            return _steps(rows, width)
        case Table(header, rows):
            return _table(header, rows, width)
        case Bullets(items):
            return "\n".join(_fill(item, width, "- ", "  ") for item in items)
        case Rule():
            return "-" * width


def _spans(spans: Spans) -> str:
    return "".join(map(_span, spans)).strip()


def _span(span: Span) -> str:
    return to_unicode(span.latex) if isinstance(span, Math) else clean_text(span.text)


def _fill(spans: Spans, width: int, first: str = "", later: str | None = None) -> str:
    indent = first if later is None else later
    return textwrap.fill(_spans(spans), max(width, 20), initial_indent=first, subsequent_indent=indent)


def _equation(equation: Equation, width: int) -> str:
    number = f"({clean_text(equation.number)})" if equation.number is not None else ""
    tag = " ".join(filter(None, (MARK_SIGNS[equation.mark], number)))
    aside = 0 < width_of(tag) <= width // 4
    room = width - len(_INDENT) - (width_of(tag) + 2 if aside else 0)
    lines = [_INDENT + line for line in wrap_formula(to_unicode(equation.latex), max(room, 20))]
    if tag and not aside:
        lines.append(_fill((Text(tag),), width, _INDENT))
    elif tag:
        lines[0] += " " * max(2, width - width_of(lines[0]) - width_of(tag)) + tag
    if equation.note:
        lines.append(_fill(equation.note, width, _INDENT + "  "))
    return "\n".join(lines)


def _steps(rows: tuple[StepRow, ...], width: int) -> str:
    sides = [(to_unicode(row.latex_left), to_unicode(right_side(row))) for row in rows]
    whys = [" ".join(filter(None, (_spans(row.because), MARK_SIGNS[row.mark]))) for row in rows]
    left = max((width_of(side[0]) for side in sides), default=0)
    right = max((width_of(side[1]) for side in sides), default=0)
    room = width - len(_INDENT) - left - right - 3
    lines: list[str] = []
    for (before, after), why in zip(sides, whys, strict=True):
        start = _INDENT + " " * (left - width_of(before)) + before + " " * bool(left)
        if room >= _REASON:
            first, *more = textwrap.wrap(why, room) or [""]
            lines.append((start + after + " " * (right - width_of(after) + 2) + first).rstrip())
            lines += [" " * (width_of(start) + right + 2) + line for line in more]
        else:
            lines += _long_step(start, after, why, width)
    return "\n".join(lines)


def _long_step(start: str, after: str, why: str, width: int) -> list[str]:
    hang = width_of(start)
    if hang > width // 2:  # the left side alone fills the line
        head = [_INDENT + line for line in wrap_formula(start.strip(), max(width - len(_INDENT), 20))]
        hang, start = len(_INDENT) + 2, " " * (len(_INDENT) + 2)
    else:
        head = []
    lines = wrap_formula(after, max(width - hang, 20))
    lines = [(start if i == 0 else " " * hang) + line for i, line in enumerate(lines)]
    reason = textwrap.wrap(why, max(width - hang - 4, 20))
    return head + lines + [" " * (hang + 4) + line for line in reason]


def _table(header: tuple[Spans, ...], rows: tuple[tuple[Spans, ...], ...], width: int) -> str:
    columns = max([1, len(header), *map(len, rows)])
    lines = [[*map(_spans, row), *[""] * (columns - len(row))] for row in (header, *rows)]
    widths = [max(width_of(line[i]) for line in lines) for i in range(columns)]
    if sum(widths) + 2 * (columns - 1) > width:
        return "\n\n".join("\n".join(_named(lines[0], line, width)) for line in lines[1:])
    rule = ["-" * wide for wide in widths]
    shown = [lines[0], rule, *lines[1:]] if header else lines[1:]
    return "\n".join("  ".join(map(_padded, line, widths)).rstrip() for line in shown)


def _named(header: list[str], line: list[str], width: int) -> list[str]:
    """A row of a table that is too wide, as one line a cell."""
    cells = (f"{name}: {cell}" if name else cell for name, cell in zip(header, line, strict=True))
    return [part for cell in cells for part in wrap_formula(cell, width)]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - width_of(text))
