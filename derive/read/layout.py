r"""What a row of items shows before anything in it is read: empty braces, columns, a full stop as a product."""

from __future__ import annotations

from collections.abc import Sequence

from derive.read import vocabulary as words
from derive.read.nesting import Bracket, Cursor, Item, split, text

SCRIPTS = ("_", "^", "'")


def holds(item: Bracket) -> bool:
    """Say whether a relation stands in the bracket: 1{y = k} is one where it holds."""
    return bool(split(item.items, words.RELATIONS)[1])


def flat(items: Sequence[Item]) -> list[Item]:
    """Open the braces around the last of some items: a script behind them is seen on what they end with."""
    row = list(items)
    while row and isinstance(row[-1], Bracket) and row[-1].kind == "{" and text(row[-2:][0]) not in ("_", "^"):
        row[-1:] = row[-1].items
    return row


def is_nothing(cursor: Cursor) -> bool:
    """Say whether empty braces stand here, which TeX sees and nobody else; raised, they would carry a script."""
    item = cursor.item
    after = text(cursor.items[cursor.at + 1]) if cursor.at + 1 < len(cursor.items) else ""
    return isinstance(item, Bracket) and item.kind == "{" and not item.items and after not in SCRIPTS


def operator(cursor: Cursor, waiting: int) -> str:
    """Give the operator under the cursor; a full stop right between two factors is a product."""
    if cursor.text in words.OPERATORS:
        return cursor.text
    behind = cursor.items[cursor.at + 1] if cursor.at + 1 < len(cursor.items) else None
    if cursor.text != "." or waiting or behind is None or behind.start != cursor.start + 1:
        return ""
    factor = behind.kind == "(" if isinstance(behind, Bracket) else behind.kind == "name"
    return r"\cdot" if factor else ""


def columns(item: Bracket) -> list[list[Item]]:
    r"""Cut `[a \quad b]` into its columns; none where nothing parts them."""
    cells = [cell for cell in split(item.items, {r"\quad"})[0] if cell]
    return cells if len(cells) > 1 and not split(item.items, {","})[1] else []
