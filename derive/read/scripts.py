r"""Subscripts, superscripts and primes: `_{jk}`, `^{[l-1]}`, `^{[2]T}`, `^{(i)}`, `^*`, `'`, and powers.

What is a mark, a transpose or a power is decided here, by its spelling alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from derive.read.nesting import Bracket, Cursor, Item, fail, split, text
from derive.read.skeleton import Skeleton
from derive.read.syntax import Group, Name, Node, Product
from derive.read.tokens import Token
from derive.read.vocabulary import OPERATORS, RELATIONS, STYLES, TRANSPOSES

_SIGN_MARKS = {"*": "*", r"\ast": "*", r"\star": "*", "+": "+", "-": "-"}
_ALL = (":", r"\cdot")  # a whole row or column: W_{i,:}
_INDEX_WORDS = frozenset(("min", "hid", "in"))


class Reader(Protocol):
    """The reader of expressions, as the readers of their parts see it."""

    functions: frozenset[str]
    quantities: frozenset[str]

    def expression(self, items: Sequence[Item], start: int) -> Node:
        """Read arithmetic."""

    def relation(self, items: Sequence[Item], start: int) -> Node:
        """Read arithmetic or a chain of relations."""

    def arguments(self, item: Bracket) -> tuple[Node, ...]:
        """Read the list between two brackets."""

    def factor(self, cursor: Cursor) -> Node:
        """Read one factor and leave the cursor behind it."""

    def scripted(self, node: Node, cursor: Cursor, skeleton: Skeleton) -> str:
        """Put the scripts that follow on what is no name."""

    def apply(self, node: Node, scripts: Scripts, skeleton: Skeleton) -> str:
        """Put scripts on what is no name."""

    def raised(self, node: Node, scripts: Scripts, skeleton: Skeleton) -> str:
        """Put a power on a node."""


@dataclass(slots=True)
class Scripts:
    """What stood around one symbol; `exponent` is what is left for a power, as it was written."""

    start: int
    subs: tuple[Node, ...] = ()
    mark: Node | None = None
    style: str = ""
    primes: int = 0
    transposed: bool = False
    exponent: Sequence[Item] = ()
    turned: bool = False  # a transpose behind the exponent: `W^{l\top}`


def argument(cursor: Cursor) -> Sequence[Item]:
    """Take an argument as TeX does: a group in braces, or one token."""
    item = cursor.take()
    if isinstance(item, Bracket):
        if item.kind != "{":
            fail("an argument without braces", item.start)
        return item.items or fail("empty braces", item.start)
    if text(item) in STYLES or (item.run[:1] == "\\" and len(item.run) > 1):
        fail("an argument without braces", item.start)
    if item.kind == "number" and len(item.text) > 1 and item.text[0] != "\\":
        fail(f"{item.text!r} needs braces around it", item.start)
    return [item]


def read_scripts(cursor: Cursor, reader: Reader) -> Scripts:
    """Read all scripts that follow.

    Raises:
        UnreadError: Two subscripts or two superscripts on one symbol, or one that cannot be read.
    """
    found = Scripts(cursor.start)
    seen: set[str] = set()
    while (sign := cursor.text) in ("_", "^", "'"):
        if sign in seen:
            fail(f"a second {sign} on one symbol", cursor.start)
        start = cursor.take().start
        if sign == "'":
            found.primes += 1
            continue
        seen.add(sign)
        inner = argument(cursor)
        if sign == "_":
            found.subs = _subs(inner, start, reader)
        else:
            _superscript(found, inner, reader)
    return found


def _subs(items: Sequence[Item], start: int, reader: Reader) -> tuple[Node, ...]:
    if word := bare_word(items):
        return (word,)
    if len(items) == 1 and isinstance(items[0], Bracket) and split(items[0].items, RELATIONS)[1]:
        items = items[0].items  # 1_{\{y = k\}}: the brackets say nothing
    subs: list[Node] = []
    for piece in (part for listed in split(items, {","})[0] for part in _apart(listed)):
        if len(piece) == 1 and text(piece[0]) in _ALL:
            subs.append(Name(text(piece[0])))
            continue
        node: Node = bare_word(piece) or reader.relation(piece, start)
        subs += list(node.items) if isinstance(node, Group) else factors(node)
    return tuple(subs)


def _apart(piece: Sequence[Item]) -> Iterator[Sequence[Item]]:
    r"""Yield the indices of `i\cdot` and `\cdot j`, a row and a column, one by one."""
    ends = [text(piece[at]) == r"\cdot" for at in (0, -1)] if len(piece) > 1 else [False, False]
    if ends == [True, False]:
        yield piece[:1]
        yield piece[1:]
    elif ends == [False, True]:
        yield piece[:-1]
        yield piece[-1:]
    else:
        yield piece


def factors(node: Node) -> list[Node]:
    """List the factors of a juxtaposed product: the indices of `jk`."""
    found: list[Node] = []
    while isinstance(node, Product) and not node.sign:
        found += factors(node.right)[::-1]
        node = node.left
    return [node, *found[::-1]]


def bare_word(items: Sequence[Item]) -> Name | None:
    """Read `old`, `rec`, `max` in a script as one word: three letters or more with a vowel other than i."""
    tokens = [item for item in items if isinstance(item, Token) and item.kind == "name" and item.run]
    if not tokens or len(tokens) < len(items) or len({token.run for token in tokens}) > 1:
        return None
    run = "".join(token.text for token in tokens)
    known = run in _INDEX_WORDS or (len(run) >= 3 and any(letter in "aeou" for letter in run))
    return Name(run) if run.isalpha() and known else None


def _superscript(found: Scripts, items: Sequence[Item], reader: Reader) -> None:
    rest = list(items)
    while rest and text(rest[-1]) == "'":
        rest.pop()
    primes = len(items) - len(rest)
    marks: list[Bracket] = []
    while rest and isinstance(rest[0], Bracket) and rest[0].kind in ("[", "("):
        marks.append(rest[0])
        rest.pop(0)
    if not rest or is_transpose(rest):
        found.primes += primes
        found.transposed = bool(rest)
        _mark(found, marks, reader)
    elif len(items) == 1 and text(items[0]) in _SIGN_MARKS:
        found.mark = Name(_SIGN_MARKS[text(items[0])])
    elif marks and len(rest) == 1 and getattr(rest[0], "kind", "") == "number":  # x^{(i)2}: the mark, then a power
        _mark(found, marks, reader)
        found.exponent = rest
    elif marks and all(mark.kind == "[" for mark in marks):
        fail("what follows the mark of a layer in a superscript", rest[0].start)
    elif _ends_transposed(items):
        found.exponent, found.turned = items[:-1], True
    elif word := _word(items):
        found.mark = word
    else:
        found.exponent = items


def _ends_transposed(items: Sequence[Item]) -> bool:
    r"""Say whether a transpose ends a superscript: `{l\top}`, `{lT}`; `{nT}` may be a power."""
    if len(items) < 2 or text(items[-1]) not in TRANSPOSES or text(items[-2]) in OPERATORS:
        return False
    return text(items[-1]) != "T" or text(items[0]) in ("l", "L", r"\ell")


def _mark(found: Scripts, marks: Sequence[Bracket], reader: Reader) -> None:
    if not marks:
        return
    contents = tuple(reader.expression(mark.items, mark.start) for mark in marks)
    found.style = "".join("[]" if mark.kind == "[" else "()" for mark in marks)
    found.mark = contents[0] if len(contents) == 1 else Group(contents)


def is_transpose(items: Sequence[Item]) -> bool:
    r"""Say whether a superscript is T, `\top` or another spelling of it."""
    return len(items) == 1 and text(items[0]) in TRANSPOSES


def _word(items: Sequence[Item]) -> Name | None:
    if len(items) == 1 and text(items[0]).startswith(r"\text{") and len(text(items[0])) > len(r"\text{x}"):
        return Name(text(items[0]))
    return bare_word(items)
