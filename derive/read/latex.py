r"""A formula in LaTeX, read into statements: rows, lists and chains of relations.

Only the outermost level stands here; what is between two relation signs is read by `factors.py`. Nothing is
guessed: what is not understood raises `UnreadError` with the column in the source.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from derive.errors import UnreadError
from derive.read import vocabulary as words
from derive.read.calculus import is_composition
from derive.read.factors import FactorReader
from derive.read.names import plain_name
from derive.read.nesting import Bracket, Cursor, Item, fail, is_bracket, nest, split, text
from derive.read.scripts import read_scripts
from derive.read.syntax import Node
from derive.read.tokens import Token, scan

MAX_DEPTH = 200
_CONTINUES = words.RELATIONS | words.OPERATORS
_STOPS = (",", ";", ".", r"\\", "&")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a formula: its tree, where it begins (from 1) and how it is written."""

    node: Node
    column: int
    latex: str


def read_statements(source: str, functions: Collection[str] = frozenset()) -> list[Statement]:
    r"""Read all statements of a formula, in order.

    Args:
        source: LaTeX without its dollar signs.
        functions: Spellings that the page uses as functions, such as `f` or `\xi`.
    Raises:
        UnreadError: A part that is not understood or has two readings; the column counts from 1.

    >>> [statement.latex for statement in read_statements(r"a = 1; \; b &= 2 \\ c &= a b")]
    ['a = 1', 'b &= 2', 'c &= a b']
    """
    try:
        return _statements(source, frozenset(functions))
    except RecursionError:
        raise UnreadError("the formula is nested too deeply; split it", 1) from None


def read_formula(source: str, functions: Collection[str] = frozenset()) -> Node:
    r"""Read a formula that is one statement.

    Raises:
        UnreadError: It is not understood, or it holds no statement or several.

    >>> read_formula(r"\tfrac{a}{2}") == read_formula(r"\frac a2")
    True
    """
    statements = read_statements(source, functions)
    if len(statements) != 1:
        raise UnreadError(f"{len(statements)} statements where one is expected", 1)
    return statements[0].node


def defined_functions(source: str) -> set[str]:
    r"""Find the names that a formula shows to be functions.

    These are `f(x, y) = …`, `f(x)` alone on its own, and `g'_k(z)` anywhere. The arguments must be plain
    names, but behind a prime. A formula that cannot be scanned shows nothing.

    >>> defined_functions(r"y = f(x) = x + 1")
    {'f'}
    """
    try:
        items = nest(scan(source))
        pieces = _pieces(items)
    except UnreadError:
        return set()
    links = [link for piece in pieces for link in split(piece, ("=", ":=", r"\equiv", r"\triangleq"))[0][:-1]]
    if len(pieces) == 1 and not split(pieces[0], words.RELATIONS)[1]:
        links = pieces
    return {name for link in links if (name := _defined(link))} | _primed(items)


def _primed(items: Sequence[Item]) -> set[str]:
    """Collect the letters that are primed and applied: `g` of `g'_k(z)`."""
    found: set[str] = set()
    stack = [items]
    while stack:
        row = stack.pop()
        stack += [item.items for item in row if isinstance(item, Bracket)]
        for at, item in enumerate(row):
            if not (isinstance(item, Token) and item.kind == "name" and item.text not in words.FUNCTION_WORDS):
                continue
            cursor = Cursor(row, at + 1)
            try:
                scripts = read_scripts(cursor, FactorReader(frozenset()))
            except UnreadError:
                continue
            if scripts.primes and is_bracket(cursor.item, "("):
                found.add(item.text)
    return found


def _defined(link: Sequence[Item]) -> str | None:
    link = [item for item in link if text(item) != "&"]
    if len(link) < 2 or not is_bracket(link[-1], "("):
        return None
    assert isinstance(link[-1], Bracket)
    reader = FactorReader(frozenset())
    try:
        listed = all(plain_name(piece, reader) for piece in split(link[-1].items, {","})[0])
        name = plain_name(link[:-1], reader)
    except UnreadError:
        return None
    if not listed:
        return None
    runs = {item.run if isinstance(item, Token) else "" for item in link[:-1]}
    if len(link) > 2 and len(runs) == 1 and runs != {""}:
        return runs.pop()
    return name.base if name else None


def _statements(source: str, functions: frozenset[str]) -> list[Statement]:
    found = []
    for piece in _pieces(nest(scan(source, functions))):
        items = _without(piece, "&")
        start = piece[0].start
        node = FactorReader(functions).relation(items, start)
        _check_depth(node, start)
        if is_composition(node, functions):
            fail(r"a composition of functions", start)
        found.append(Statement(node, start + 1, source[start : items[-1].end]))
    if not found:
        raise UnreadError("the formula is empty", 1)
    return found


def _check_depth(node: Node, start: int) -> None:
    """Refuse a tree that later, recursive code could not walk; a sum of 300 terms is 300 deep."""
    level: list[object] = [node]
    for _ in range(MAX_DEPTH):
        level = [child for part in level for child in _children(part)]
        if not level:
            return
    fail(f"a formula nested more than {MAX_DEPTH} deep", start)


def _children(part: object) -> list[object]:
    if isinstance(part, tuple):
        return list(part)
    return [getattr(part, slot) for slot in getattr(part, "__slots__", ()) if not isinstance(getattr(part, slot), str)]


# -------------------------------------------------------------------- rows, lists, continuation


def _pieces(items: Sequence[Item]) -> list[list[Item]]:
    """Cut a formula into its statements, each a row of items."""
    while len(items) == 1 and is_bracket(items[0], "{"):
        items = items[0].items  # type: ignore[union-attr]  # is_bracket has just said so
    rows = _rows(items)
    if len({any(text(item) in words.RELATIONS for item in row) for row in rows}) > 1:
        fail("rows of which only some state a relation", items[0].start)
    lines = [line for row in rows for line in _lines(row)]
    return [piece for line in lines for piece in _listed(line)]


def _rows(items: Sequence[Item]) -> list[list[Item]]:
    """Cut at `\\\\`, and join a row that goes on with the one before."""
    rows: list[list[Item]] = []
    for row in split(items, {r"\\"})[0]:
        row = _trim(row)
        if not row:
            continue
        if rows and _goes_on(rows[-1], row):
            rows[-1] += row
        else:
            rows.append(row)
    return rows


def _goes_on(before: Sequence[Item], row: Sequence[Item]) -> bool:
    r"""Decide whether a row continues: `&= c` and `+ c` do, `-c` after `&` or where it relates nothing."""
    bare = _without(row, "&", r"\quad")
    if not bare:
        return False
    if text(before[-1]) in _CONTINUES:
        return True
    first = text(bare[0])
    if first == "-":
        related = any(text(item) in words.RELATIONS for item in bare)
        return text(row[0]) == "&" or (not related and any(text(item) in words.RELATIONS for item in before))
    return first in _CONTINUES


def _lines(row: Sequence[Item]) -> list[list[Item]]:
    r"""Cut a row at `;`, and at `\quad` and `&` where each side states a relation of its own."""
    lines: list[list[Item]] = []
    for piece in split(row, {";"})[0]:
        for line in _cut_where_related(piece, "&", columns=2):
            lines += _cut_where_related(line, r"\quad", columns=1)
    return [trimmed for line in lines if (trimmed := _trim(line))]


def _cut_where_related(row: Sequence[Item], separator: str, columns: int) -> list[list[Item]]:
    cells = split(row, {separator})[0]
    lines = [_joined(cells[at : at + columns]) for at in range(0, len(cells), columns)]
    lines = [line for line in lines if _trim(line)]
    if len(lines) > 1 and all(_relates(line) for line in lines):
        return lines
    return [list(row)] if separator == "&" else [_without(row, separator)]


def _relates(line: Sequence[Item]) -> bool:
    """Say whether a line has a relation with something on both sides."""
    pieces, signs = split(_without(line, "&"), words.RELATIONS)
    return bool(signs) and all(_trim(piece) for piece in pieces)


def _joined(cells: Sequence[Sequence[Item]]) -> list[Item]:
    return [item for cell in cells for item in cell]


def _listed(line: Sequence[Item]) -> list[list[Item]]:
    r"""Cut at commas: `Z, a` and `a = 1, b = 2` are statements, `x, y \in S` says one thing of each."""
    pieces = [_trim(piece) for piece in split(line, {","})[0]]
    if len(pieces) == 1:
        return [list(line)]
    if any(not piece for piece in pieces):
        fail("a comma with nothing beside it", line[0].start)
    related = [any(text(item) in words.RELATIONS for item in piece) for piece in pieces]
    if any(related) and not all(related):
        return _distributed(pieces, related)
    return pieces


def _distributed(pieces: list[list[Item]], related: list[bool]) -> list[list[Item]]:
    ends = next((at for at, item in enumerate(pieces[-1]) if text(item) == r"\in"), None)
    if any(related[:-1]) or ends is None:
        fail("a list of which only a part states a relation", pieces[0][0].start)
    return [*(piece + pieces[-1][ends:] for piece in pieces[:-1]), pieces[-1]]


def _trim(row: Sequence[Item]) -> list[Item]:
    """Drop gaps at both ends and the punctuation that closes a row."""
    kept = list(row)
    while kept and (text(kept[-1]) in _STOPS or _is_gap(kept[-1])):
        kept.pop()
    while kept and _is_gap(kept[0]):
        kept.pop(0)
    return kept


def _is_gap(item: Item) -> bool:
    return text(item) == r"\quad"


def _without(row: Sequence[Item], *dropped: str) -> list[Item]:
    return [item for item in row if text(item) not in dropped]
