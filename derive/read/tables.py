"""Matrices and case distinctions: rows, cells, conditions."""

from __future__ import annotations

from collections.abc import Sequence

from derive.read import vocabulary as words
from derive.read.nesting import Bracket, Item, fail, split, text
from derive.read.scripts import Reader
from derive.read.syntax import Cases, Matrix, Node
from derive.read.tokens import Token


def read_table(item: Bracket, reader: Reader) -> Node:
    """Read the rows of an environment.

    Raises:
        UnreadError: Rows of unequal length, a case without its condition, a matrix in curly braces.
    """
    rows = [split(row, {"&"})[0] for row in split(item.items, {r"\\"})[0] if _trimmed(row)]
    if not rows:
        fail(f"an empty {item.kind}", item.start)
    conditional = all(len(row) == 2 and split(row[1], words.RELATIONS)[1] for row in rows)
    if item.kind == "cases" or (item.kind == "Bmatrix" and conditional):
        return Cases(tuple(_case(row, item.start, reader) for row in rows))
    if item.kind == "Bmatrix":
        fail("a matrix in curly braces", item.start)
    if len({len(row) for row in rows}) > 1:
        fail("a matrix whose rows differ in length", item.start)
    return Matrix(tuple(tuple(reader.expression(_trimmed(cell), item.start) for cell in row) for row in rows))


def _case(row: Sequence[Sequence[Item]], start: int, reader: Reader) -> tuple[Node, Node | None]:
    if len(row) != 2:
        fail("a case that has not a value, & and a condition", start)
    value, condition = (_trimmed(cell) for cell in row)
    return reader.expression(value, start), _condition(condition, start, reader)


def _condition(items: Sequence[Item], start: int, reader: Reader) -> Node | None:
    first = items[0] if items else None
    spelled = first.text.lower() if isinstance(first, Token) else ""
    if len(items) == 1 and spelled in words.OTHERWISE:
        return None
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
