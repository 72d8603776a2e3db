r"""Tokens to a tree of brackets, and the cuts that respect it; which brackets mean what is not known here.

Building is iterative and linear, and the depth is bounded here once, so that the recursive readers above
need no stack of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias

from derive.errors import UnreadError
from derive.read.tokens import Token

MAX_NESTING = 50
_CLOSING = {
    "(": ")", "[": "]", "{": "}", r"\{": r"\}", "|": "|", r"\|": r"\|", r"\lvert": r"\rvert",
    r"\lVert": r"\rVert", r"\leftvert": r"\rightvert", r"\leftVert": r"\rightVert",
}  # fmt: skip
_CLOSERS = frozenset(_CLOSING.values())
_SAME = {r"\leftvert": "|", r"\lvert": "|", r"\leftVert": r"\|", r"\lVert": r"\|"}


@dataclass(frozen=True, slots=True)
class Bracket:
    r"""What stands between two brackets; `kind` is `(`, `[`, `{`, `\{`, `|`, `\|` or a name, `pmatrix`."""

    kind: str
    items: tuple[Item, ...]
    start: int
    end: int


Item: TypeAlias = Token | Bracket


def fail(message: str, start: int) -> NoReturn:
    """Raise UnreadError for the place `start` (from 0), which the message then names from 1."""
    raise UnreadError(f"{message} at column {start + 1}", start + 1)


def text(item: Item | None) -> str:
    """Give a token's text; for a bracket, for words that are no name and for nothing, the empty string."""
    return item.text if isinstance(item, Token) and item.kind != "prose" else ""


def is_bracket(item: Item | None, *kinds: str) -> bool:
    """Say whether the item is a bracket of one of these kinds."""
    return isinstance(item, Bracket) and item.kind in kinds


@dataclass(slots=True)
class Cursor:
    """A place in a row of items, moved forward by whoever reads."""

    items: Sequence[Item]
    at: int = 0

    @property
    def item(self) -> Item | None:
        """The item under the cursor, None at the end."""
        return self.items[self.at] if self.at < len(self.items) else None

    @property
    def text(self) -> str:
        """The text of the token under the cursor."""
        return text(self.item)

    @property
    def start(self) -> int:
        """Where the item under the cursor stands in the source; at the end, where the last one ended."""
        if self.item is not None:
            return self.item.start
        return self.items[-1].end if self.items else 0

    def take(self) -> Item:
        """Give the item under the cursor and move on."""
        item = self.item
        if item is None:
            fail("the formula ends where something must follow", self.start)
        self.at += 1
        return item


@dataclass(slots=True)
class _Open:
    opening: str
    start: int
    items: list[Item] = field(default_factory=list)


def nest(tokens: Iterable[Token]) -> list[Item]:
    """Pair the brackets.

    Raises:
        UnreadError: A bracket without its partner, or more than 50 of them inside one another.
    """
    stack = [_Open("", 0)]
    for token in tokens:
        if _closes(token, stack[-1].opening):
            done = stack.pop()
            stack[-1].items.append(_bracket(done, token.end))
        elif token.kind == "sign" and (token.text in _CLOSING or token.text.startswith("begin ")):
            if len(stack) > MAX_NESTING:
                fail(f"brackets nested more than {MAX_NESTING} deep", token.start)
            stack.append(_Open(token.text, token.start))
        elif token.kind == "sign" and (token.text in _CLOSERS or token.text.startswith("end ")):
            if len(stack) > 1:
                fail(f"{stack[-1].opening} is never closed", stack[-1].start)
            fail(f"{token.text} closes nothing that is open", token.start)
        else:
            stack[-1].items.append(token)
    if len(stack) > 1:
        fail(f"{stack[-1].opening} is never closed", stack[-1].start)
    return stack[0].items


def _closes(token: Token, opening: str) -> bool:
    if token.kind != "sign" or not opening:
        return False
    if opening.startswith("begin "):
        return token.text == "end " + opening.removeprefix("begin ")
    return token.text == _CLOSING[opening]


def _bracket(done: _Open, end: int) -> Bracket:
    kind = _SAME.get(done.opening, done.opening.removeprefix("begin "))
    items = done.items
    if not done.opening.startswith("begin "):  # rows and alignment mean something in a matrix alone
        items = [item for item in items if text(item) not in (r"\\", "&") and not _is_gap(item)]
    if kind == "{" and len(items) == 1 and is_bracket(items[0], "{"):
        return items[0]  # type: ignore[return-value]  # is_bracket has just said so
    return Bracket(kind, tuple(items), done.start, end)


def _is_gap(item: Item) -> bool:
    return isinstance(item, Token) and item.kind == "gap"


def split(items: Sequence[Item], separators: Collection[str]) -> tuple[list[list[Item]], list[Token]]:
    """Cut a row at the separators that stand in it, not inside its brackets.

    Returns:
        The pieces, one more than separators, and the separators.
    """
    pieces: list[list[Item]] = [[]]
    found: list[Token] = []
    for item in items:
        if isinstance(item, Token) and item.kind in ("sign", "gap") and item.text in separators:
            pieces.append([])
            found.append(item)
        else:
            pieces[-1].append(item)
    return pieces, found
