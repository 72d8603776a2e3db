r"""A formula's items, cut into clauses: rows, lists, words between statements, conditions behind them.

What a clause says is read in `latex.py`. Words are few and known: `and`, `hence` and `where` part statements, `if`
and `for all` begin a condition, `from eq. (3)` is a comment up to the end of its row. Other words stay, and are refused
when the clause is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from derive.read import vocabulary as words
from derive.read.nesting import Bracket, Cursor, Item, fail, is_bracket, split, text
from derive.read.operators import skip_note
from derive.read.tokens import Token

_CONTINUES = words.RELATIONS | words.OPERATORS
_STOPS = (",", ";", ".", r"\\", "&")
_FRAMES = (r"\boxed", r"\underbrace", r"\overbrace")


@dataclass(slots=True)
class Clause:
    """The items of one statement, and the condition under which it is said: how it begins, and what follows."""

    items: list[Item]
    word: str = ""
    condition: list[Item] = field(default_factory=list)
    fresh: bool = False  # words stand before it: it does not go on with the clause before


def clauses(items: Sequence[Item]) -> list[Clause]:
    """Cut a formula into its clauses.

    Raises:
        UnreadError: Rows that do not fit together, or two conditions on one statement.
    """
    while len(items) == 1 and is_bracket(items[0], "{"):
        items = items[0].items  # type: ignore[union-attr]  # is_bracket has just said so
    rows = [clause for row in split(_opened(items), {r"\\"})[0] for clause in _worded(_trim(row))]
    rows = _two_columns(rows) or _joined_rows(rows)
    if len({_relates_any(row.items) for row in rows if not is_dots(row.items)}) > 1:
        fail("rows of which only some state a relation", items[0].start)
    found = []
    for row in rows:
        for line in _lines(row.items):
            found += [Clause(piece, row.word, row.condition) for piece in listed(line) if not is_dots(piece)]
    return found


def trimmed(row: Sequence[Item], *dropped: str) -> list[Item]:
    """Give a row without the signs that part its columns."""
    return [item for item in row if text(item) not in dropped]


def is_dots(row: Sequence[Item]) -> bool:
    """Say whether nothing but dots stands in a row."""
    return bool(row) and all(text(item) == r"\ldots" or text(item) in _STOPS for item in row)


def _relates_any(row: Sequence[Item]) -> bool:
    return any(text(item) in words.RELATIONS for item in row)


def _opened(items: Sequence[Item]) -> list[Item]:
    r"""Take off the frames around whole statements: `\boxed{a = b}`, a system in one curly brace."""
    found: list[Item] = []
    cursor = Cursor(items)
    while cursor.item is not None:
        framed = cursor.text in _FRAMES
        inner = cursor.items[cursor.at + 1] if framed and cursor.at + 1 < len(items) else cursor.item
        if isinstance(inner, Bracket) and _is_frame(inner, framed):
            command = cursor.text
            cursor.at += 2 if framed else 1
            skip_note(cursor, command)
            found += _opened(inner.items)
        else:
            found.append(cursor.take())
    return found


def _is_frame(item: Bracket, framed: bool) -> bool:
    if item.kind == "cases":
        rows = [row for row in split(item.items, {r"\\"})[0] if row]
        return all(_relates_any(split(row, {"&"})[0][0]) or _begins_related(row) for row in rows)
    return item.kind == "{" and framed and _relates_any(item.items)


def _begins_related(row: Sequence[Item]) -> bool:
    cells = split(row, {"&"})[0]
    return len(cells) > 1 and bool(cells[1]) and text(cells[1][0]) in words.RELATIONS


# -------------------------------------------------------------------- words


def _worded(row: list[Item]) -> Iterator[Clause]:
    """Cut a row at its words, from left to right."""
    fresh = False
    while row:
        at = next((at for at, item in enumerate(row) if _kind(item) or _is_remark(row, at)), None)
        if at is None:
            yield Clause(row, fresh=fresh)
            return
        word, kind, before, row = row[at], _kind(row[at]) or "comment", _trim(row[:at]), _trim(row[at + 1 :])
        assert isinstance(word, Token)
        if kind == "condition" and not before:
            yield _condition_first(word, row)
            return
        if kind == "condition":
            end = next((at for at, item in enumerate(row) if _kind(item)), len(row))
            yield Clause(before, word.text, _trim(row[:end]), fresh=fresh)
            row = row[end:]
        elif before:
            yield Clause(before, fresh=fresh)
        if kind == "comment":
            return
        fresh = kind == "connective"


def _condition_first(word: Token, behind: list[Item]) -> Clause:
    r"""Read `\text{if } i = j: a = b`: a colon, a comma or a gap ends the condition."""
    for sign in (":", ",", r"\quad", "&"):
        pieces, found = split(behind, {sign})
        if len(found) == 1 and _trim(pieces[0]) and _trim(pieces[1]):
            return Clause(_trim(pieces[1]), word.text, _trim(pieces[0]), fresh=True)
    if word.text.lower() in words.CONSTRAINTS and _trim(behind):
        return Clause(_trim(behind), word.text, fresh=True)  # a condition that stands alone
    return fail(f"the condition {word.text!r} without an end", word.start)


def _is_remark(row: Sequence[Item], at: int) -> bool:
    r"""Say whether words beside a statement, `a = b \quad \text{chain rule}`, only comment on it."""
    item = row[at]
    if not isinstance(item, Token) or item.kind != "prose" or at == 0 or text(row[at - 1]) not in (r"\quad", "&"):
        return False
    said = [word.strip("(),.:;") for word in item.text.lower().split()]
    behind = all(text(item) in (*_STOPS, r"\quad") for item in row[at + 1 :])
    several = len(said) > 1 or (item.text.startswith("(") and said[0] in words.REMARKS)
    return behind and several and not words.QUALIFIERS & set(said) and not any(not word for word in said)


def _kind(item: Item) -> str:
    """Tell what words do between statements; nothing for other items."""
    if not isinstance(item, Token) or item.kind != "prose":
        return ""
    spelled = item.text.lower().strip(" ,.:;(")
    first = spelled.split(" ")[0].strip(",.:;")
    if first in words.COMMENTS:
        return "comment"
    if first in words.CONDITIONS or spelled in words.CONDITION_PHRASES:
        return "condition"
    return "connective" if all(word.strip(",.:;") in words.CONNECTIVES for word in spelled.split()) else ""


# -------------------------------------------------------------------- rows, lists, continuation


def _two_columns(rows: Sequence[Clause]) -> list[Clause]:
    r"""Pair the rows of two columns, `a \\ b \\ = c \\ d`, where one relation stands between them; none of others."""
    relates = [at for at, row in enumerate(rows) if _relates_any(row.items)]
    if len(relates) != 1 or len(rows) != 2 * relates[0] or len(rows) == 2 or any(row.word for row in rows):
        return []
    sign, first = rows[relates[0]].items[0], rows[relates[0]].items[1:]
    if text(sign) not in words.RELATIONS or _relates_any(first):
        return []
    before, behind = [row.items for row in rows[: relates[0]]], [first, *(row.items for row in rows[relates[0] + 1 :])]
    sides = [*before, *behind]
    ends = [text(item) for side in sides for item in (*side[:1], *side[-1:])]
    if not all(sides) or any(end in words.OPERATORS for end in ends):  # a row that goes on with the one before
        return []
    return [Clause([*left, sign, *right]) for left, right in zip(before, behind, strict=True)]


def _joined_rows(rows: Sequence[Clause]) -> list[Clause]:
    """Join a row that goes on with the one before."""
    found: list[Clause] = []
    for row in rows:
        if not found or row.fresh or not _goes_on(found[-1].items, row.items):
            found.append(row)
            continue
        last = found[-1]
        if last.word and row.word:
            fail("two conditions on one statement", row.items[0].start)
        found[-1] = Clause(
            last.items + row.items, last.word or row.word, last.condition or row.condition, fresh=last.fresh
        )
    return found


def _goes_on(before: Sequence[Item], row: Sequence[Item]) -> bool:
    r"""Decide whether a row continues: `&= c` and `+ c` do, `-c` after `&` or where it relates nothing."""
    bare = trimmed(row, "&", r"\quad")
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
    r"""Cut a row at `;` and `\Rightarrow`, and at `\quad` and `&` where each side states a relation of its own."""
    lines: list[list[Item]] = []
    for piece in split(row, {";", *words.ARROWS})[0]:
        while len(piece := _trim(piece)) == 1 and is_bracket(piece[0], "{"):
            piece = list(piece[0].items)  # type: ignore[union-attr]  # is_bracket has just said so
        for line in _cut_where_related(piece, "&", columns=2):
            lines += _cut_where_related(line, r"\quad", columns=1)
    return [kept for line in lines if (kept := _trim(line))]


def _cut_where_related(row: Sequence[Item], separator: str, columns: int) -> list[list[Item]]:
    cells = split(row, {separator})[0]
    lines = [_joined(cells[at : at + columns]) for at in range(0, len(cells), columns)]
    lines = [line for line in lines if _trim(line)]
    if len(lines) > 1 and all(_relates(line) for line in lines):
        return lines
    return [list(row)] if separator == "&" else [trimmed(row, separator)]


def _relates(line: Sequence[Item]) -> bool:
    """Say whether a line has a relation with something on both sides."""
    pieces, signs = split(trimmed(line, "&"), words.RELATIONS)
    return bool(signs) and all(_trim(piece) for piece in pieces)


def _joined(cells: Sequence[Sequence[Item]]) -> list[Item]:
    return [item for cell in cells for item in cell]


def listed(line: Sequence[Item]) -> list[list[Item]]:
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
    if related == [True] + [False] * (len(pieces) - 1) and any(is_dots(piece) for piece in pieces):
        return [_ranged(pieces)]
    ends = next((at for at, item in enumerate(pieces[-1]) if text(item) == r"\in"), None)
    if any(related[:-1]) or ends is None:
        fail("a list of which only a part states a relation", pieces[0][0].start)
    return [*(piece if is_dots(piece) else piece + pieces[-1][ends:] for piece in pieces[:-1]), pieces[-1]]


def _ranged(pieces: list[list[Item]]) -> list[Item]:
    r"""Read `i = 1, \ldots, n` as i and one list."""
    first = pieces[0]
    at = max(at for at, item in enumerate(first) if text(item) in words.RELATIONS) + 1
    comma = Token("sign", ",", first[-1].end, first[-1].end)
    rest = [item for piece in [first[at:], *pieces[1:]] for item in (comma, *piece)][1:]
    if not first[at:]:
        fail("a list that begins with nothing", first[-1].start)
    return [*first[:at], Bracket("(", tuple(rest), rest[0].start, rest[-1].end)]


def _trim(row: Sequence[Item]) -> list[Item]:
    """Drop gaps at both ends and the punctuation that closes a row."""
    kept = list(row)
    while kept and (text(kept[-1]) in _STOPS or text(kept[-1]) == r"\quad"):
        kept.pop()
    while kept and text(kept[0]) == r"\quad":
        kept.pop(0)
    return kept
