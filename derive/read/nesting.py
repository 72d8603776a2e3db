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
from derive.read.vocabulary import RELATIONS

MAX_NESTING = 50
_CLOSING = {
    r"\left.": r"\right.", "(": ")", "[": "]", "{": "}", r"\{": r"\}", "|": "|", r"\|": r"\|", r"\lvert": r"\rvert",
    r"\lVert": r"\rVert", r"\leftvert": r"\rightvert", r"\leftVert": r"\rightVert",
}  # fmt: skip
_CLOSERS = frozenset(_CLOSING.values())
_SAME = {r"\leftvert": "|", r"\lvert": "|", r"\leftVert": r"\|", r"\lVert": r"\|"}


@dataclass(frozen=True, slots=True)
class Bracket:
    r"""What stands between two brackets; `kind` is `(`, `[`, `{`, `\{`, `|`, `\|` or a name, `pmatrix`.

    Among the items may stand three signs that are made here: `\mid` and `\|` for a bar that stands alone between
    brackets, as in `P(a | b)`, and `\at` for the bar of an evaluation, `f |_{x = 0}`.
    """

    kind: str
    items: tuple[Item, ...]
    start: int
    end: int


Item: TypeAlias = Token | Bracket


def fail(message: str, start: int) -> NoReturn:
    """Raise UnreadError for the place `start` (from 0), which the message then names from 1."""
    raise UnreadError(f"{message} at column {start + 1}", start + 1)


def text(item: Item | None) -> str:
    """Give a token's text; for a bracket, for words that are no name, what is unread, nothing: the empty string."""
    return item.text if isinstance(item, Token) and item.kind not in ("prose", "unread") else ""


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
    return _Nest(list(tokens)).items()


class _Nest:
    """One pass over the tokens; the stack holds the brackets that are open."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.stack = [_Open("", 0)]

    def items(self) -> list[Item]:
        for at, token in enumerate(self.tokens):
            follows = self.tokens[at + 1].text if at + 1 < len(self.tokens) else ""
            self.take(token, follows)
        while len(self.stack) > 1 and self.stack[-1].opening == _LEFT:
            self.dissolve()
        if len(self.stack) > 1:
            fail(f"{self.stack[-1].opening} is never closed", self.stack[-1].start)
        return _with_over(self.stack[0].items, top=True)

    def take(self, token: Token, follows: str) -> None:
        if token.kind != "sign":
            self.stack[-1].items.append(token)
        elif token.text == r"\right.":
            if self.stack[-1].opening == _LEFT:
                self.dissolve()
        elif _closes(token, self.stack[-1].opening):
            self.close(token)
        elif token.text in _BARS and follows == "_":
            self.evaluate(token)
        elif token.text in _CLOSING or token.text.startswith("begin "):
            if len(self.stack) > MAX_NESTING:
                fail(f"brackets nested more than {MAX_NESTING} deep", token.start)
            self.stack.append(_Open(token.text, token.start))
        elif token.text in _CLOSERS or token.text.startswith("end "):
            self.close_over(token)
        else:
            self.stack[-1].items.append(token)

    def close(self, token: Token) -> None:
        done = self.stack.pop()
        self.stack[-1].items.append(_bracket(done, token.end))

    def close_over(self, token: Token) -> None:
        """Close a bracket in which bars stand alone: they are signs and no brackets."""
        while self.stack[-1].opening in _LONE and any(_closes(token, open_.opening) for open_ in self.stack):
            self.dissolve()
        if _closes(token, self.stack[-1].opening):
            self.close(token)
        elif len(self.stack) > 1 and self.stack[-1].opening != _LEFT:
            fail(f"{self.stack[-1].opening} is never closed", self.stack[-1].start)
        else:
            fail(f"{token.text} closes nothing that is open", token.start)

    def dissolve(self) -> None:
        """Put the items of an open bracket into the one around it, its opening as a sign before them."""
        done = self.stack.pop()
        sign = _LONE[done.opening]
        bar = [Token("sign", sign, done.start, done.start + 1)] if sign else []
        self.stack[-1].items += [*bar, *done.items]

    def evaluate(self, token: Token) -> None:
        r"""Note the bar of an evaluation; `\left.` says where what it evaluates begins."""
        if self.stack[-1].opening == _LEFT:
            done = self.stack.pop()
            self.stack[-1].items.append(Bracket("(", tuple(_kept("(", done.items)), done.start, token.start))
        self.stack[-1].items.append(Token("sign", r"\at", token.start, token.end))


_LEFT = r"\left."
_BARS = frozenset(("|", r"\rvert", r"\rightvert"))
_LONE = {"|": r"\mid", r"\|": r"\|", _LEFT: ""}  # what an opening is when nothing closes it


def _closes(token: Token, opening: str) -> bool:
    if token.kind != "sign" or not opening:
        return False
    if opening.startswith("begin "):
        return token.text == "end " + opening.removeprefix("begin ")
    return token.text == _CLOSING.get(opening)


def _bracket(done: _Open, end: int) -> Bracket:
    kind = _SAME.get(done.opening, done.opening.removeprefix("begin "))
    items = done.items
    if not done.opening.startswith("begin "):
        items = _kept(kind, items)
    if kind == "{" and len(items) == 1 and is_bracket(items[0], "{"):
        return items[0]  # type: ignore[return-value]  # is_bracket has just said so
    return Bracket(kind, tuple(items), done.start, end)


def _kept(kind: str, items: list[Item]) -> list[Item]:
    """Drop rows, alignment and gaps where they mean nothing: gaps part the columns of `[a \\quad b]`."""
    stated = kind == "{" and any(text(item) in RELATIONS for item in items)  # a = b \\\\ c = d in braces
    dropped = {"&"} if stated else {r"\\", "&"}
    items = [item for item in items if text(item) not in dropped and (kind == "[" or stated or not _is_gap(item))]
    return _with_over(items) if kind == "{" else items


def _with_over(items: list[Item], top: bool = False) -> list[Item]:
    r"""Turn `a \over b` into the items of `\frac{a}{b}`; with relations or rows beside it, its reach is unclear."""
    at = next((at for at, item in enumerate(items) if text(item) == r"\over"), None)
    if at is None or (top and any(text(item) in RELATIONS or text(item) in (r"\\", "&") for item in items)):
        return items
    upper, lower = items[:at], items[at + 1 :]
    if not upper or not lower or any(text(item) == r"\over" for item in lower):
        fail(r"\over without its two sides", items[at].start)
    start, middle, end = upper[0].start, items[at].start, lower[-1].end
    sign = Token("sign", r"\frac", start, start)
    return [sign, Bracket("{", tuple(upper), start, middle), Bracket("{", tuple(lower), middle, end)]


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
