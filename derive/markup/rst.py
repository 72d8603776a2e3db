r"""reStructuredText: directives, roles, and the cells of grid tables."""

from __future__ import annotations

import re
from itertools import pairwise

from derive.markup.blocks import Builder
from derive.markup.delimiters import DELIMITERS, Taker, between, scan, skip
from derive.markup.scanners import underlined
from derive.markup.traced import Traced

_MOST_ROWS = 500


def _indented_end(builder: Builder, at: int, indent: int) -> int:
    """Give where the block ends that is indented deeper than `indent`."""
    dedent = builder.find(rf"^ {{0,{indent}}}[^ \n\r]", at)
    return dedent.start() if dedent else len(builder.text)


def _directive(builder: Builder, match: re.Match[str]) -> int:
    end = _indented_end(builder, match.end(), len(match["indent"]))
    if match["directive"] != "math":
        builder.skip(match.start(), end)
        return end
    start = match.end()
    while option := re.compile(r"\s*:\w+:[^\n]*").match(builder.text, start, end):
        start = option.end()
    builder.formula((match.start(), end), (start, end), True)
    return end


def rst(builder: Builder) -> None:
    """Scan reStructuredText."""
    openings: dict[str, Taker] = {
        r"^[ \t]*\+-[-+=]*\+[ \t]*$": _grids(),
        r"^(?P<indent> *)\.\. (?P<directive>math|code|code-block|sourcecode|raw|plot|doctest)::": _directive,
        r"^(?P<over>[^\s.:$`][^\n]{0,200})\n(?P<rule>={3,}|-{3,}|~{3,}|\^{3,}|\*{3,})[ \t\r]*$": underlined,
        r":math:`": between("`", False, paragraph=True),
        r"``": skip("``"),
        **DELIMITERS,
    }
    scan(builder, openings)


def _grids() -> Taker:
    """Give a taker of grid tables that looks at each table once, at its first border."""
    seen = 0

    def take(builder: Builder, match: re.Match[str]) -> int:
        nonlocal seen
        if match.start() < seen:
            return match.end()
        seen, end = _grid(builder, match)
        return end

    return take


def _grid(builder: Builder, match: re.Match[str]) -> tuple[int, int]:
    r"""Take the formulas of a grid table: what stands below `.. math::` in a cell, line by line.

    Returns:
        Where the table ends, and where the scan goes on.
    """
    text = builder.text
    lines: list[tuple[int, str]] = []
    start = text.rfind("\n", 0, match.start()) + 1
    while start < len(text) and len(lines) < _MOST_ROWS:
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if not text[start:end].lstrip().startswith(("+", "|")):
            break
        lines.append((start, text[start:end]))
        start = end + 1
    edges = [at for at, sign in enumerate(lines[0][1]) if sign == "+"]
    cell: dict[int, list[tuple[int, int]]] = {}
    formulas: list[tuple[int, list[tuple[int, int]]]] = []
    for begin, line in lines:
        if line.lstrip().startswith("+"):
            cell = {}
            continue
        for left, right in pairwise(edges):
            inner = line[left + 1 : right]
            first = begin + left + 1
            if inner.strip().startswith(".. math::"):
                at = first + inner.index("::") + 2
                cell[left] = [(at, first + len(inner))]
                formulas.append((at, cell[left]))
            elif left in cell and inner.strip():
                cell[left].append((first, first + len(inner)))
            elif left in cell and any(text[a:b].strip() for a, b in cell[left]):
                del cell[left]
    end = lines[-1][0] + len(lines[-1][1])
    if not formulas:
        return end, match.end()  # the scan goes on inside the cells
    builder.skip(match.start(), match.start())
    for _, pieces in sorted(formulas):
        whole = Traced("", ())
        for a, b in pieces:
            whole += Traced.of(text, a, b).strip() + Traced("\n", (b,))
        builder.add(whole, True)
    builder.skip(match.start(), end)
    return end, end
