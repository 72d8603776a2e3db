"""Matrices and case distinctions: rows, cells, conditions."""

from __future__ import annotations

from collections.abc import Sequence

from derive.read import vocabulary as words
from derive.read.nesting import Bracket, Item, fail, is_bracket, split, text
from derive.read.scripts import Reader
from derive.read.syntax import Cases, Dots, Matrix, Node
from derive.read.tokens import Token


def read_table(item: Bracket, reader: Reader) -> Node:
    """Read the rows of an environment.

    Raises:
        UnreadError: Rows of unequal length, a case without its condition, a matrix in curly braces.
    """
    rows = [split(row, {"&"})[0] for row in split(item.items, {r"\\"})[0] if _trimmed(row)]
    if not rows:
        fail(f"an empty {item.kind}", item.start)
    conditional = all(len(row) == 2 and _is_condition(row[1]) for row in rows)
    if item.kind == "cases" or (item.kind == "Bmatrix" and conditional):
        return Cases(tuple(_case(_parted(row), item.start, reader) for row in rows))
    if item.kind == "Bmatrix":
        fail("a matrix in curly braces", item.start)
    return _matrix([[_trimmed(cell) or _points(cell) for cell in row] for row in rows], item.start, reader)


def _matrix(rows: Sequence[Sequence[Sequence[Item]]], start: int, reader: Reader) -> Matrix:
    r"""Read cells; among dots an empty cell goes on with them, and a row `\vdots` with all of its columns."""
    width = max(len(row) for row in rows)
    dotted = any(_are_dots(cell) for row in rows for cell in row)
    rows = [[row[0]] * width if len(row) == 1 and _are_dots(row[0]) else row for row in rows]
    if len({len(row) for row in rows}) > 1:
        fail("a matrix whose rows differ in length", start)

    def read(cell: Sequence[Item]) -> Node:
        return Dots() if _are_dots(cell) or (dotted and not cell) else reader.expression(cell, start)

    return Matrix(tuple(tuple(read(cell) for cell in row) for row in rows))


def _are_dots(cell: Sequence[Item]) -> bool:
    return bool(cell) and all(text(item) in (".", r"\ldots") for item in cell)


def _points(cell: Sequence[Item]) -> Sequence[Item]:
    """Keep a cell that is one full stop: a part of dots that are drawn by hand."""
    return [item for item in cell if text(item) == "."]


def _is_condition(cell: Sequence[Item]) -> bool:
    return bool(split(cell, words.RELATIONS)[1]) or _otherwise(_trimmed(cell))


def _otherwise(items: Sequence[Item]) -> bool:
    first = items[0] if items else None
    spelled = first.text.lower().removeprefix("if ") if isinstance(first, Token) else ""
    return len(items) == 1 and spelled in words.OTHERWISE


def _parted(row: Sequence[Sequence[Item]]) -> Sequence[Sequence[Item]]:
    r"""Part `1 \text{if } x > 0`, a case without its &, before the word."""
    if len(row) != 1:
        return row
    at = next((at for at, item in enumerate(row[0]) if isinstance(item, Token) and _is_conditional(item)), None)
    return row if at is None else (row[0][:at], row[0][at:])


def _is_conditional(token: Token) -> bool:
    return token.kind == "prose" and token.text.lower().split(" ")[0] in ("if", "for", "when", *words.OTHERWISE)


def _case(row: Sequence[Sequence[Item]], start: int, reader: Reader) -> tuple[Node, Node | None]:
    if len(row) != 2:
        fail("a case that has not a value, & and a condition", start)
    value, condition = (_trimmed(cell) for cell in row)
    return reader.expression(value, start), _condition(condition, start, reader)


def _condition(items: Sequence[Item], start: int, reader: Reader) -> Node | None:
    while len(items) == 1 and is_bracket(items[0], "{"):
        items = items[0].items  # type: ignore[union-attr]  # is_bracket has just said so
    if _otherwise(items):
        return None
    first = items[0] if items else None
    spelled = first.text.lower() if isinstance(first, Token) else ""
    if isinstance(first, Token) and first.kind == "prose" and spelled in ("if", "for", "when"):
        items = items[1:]
    elif isinstance(first, Token) and first.run == "if" and text(items[1]) == "f":
        items = items[2:]
    return reader.relation(items, start)


def _trimmed(cell: Sequence[Item]) -> Sequence[Item]:
    """Drop gaps, and the commas and stops that close a cell."""
    kept = [item for item in cell if not (isinstance(item, Token) and item.kind == "gap")]
    while kept and text(kept[-1]) in (",", ".", ";"):
        kept.pop()
    return kept
