r"""One expression: each factor is read here and becomes a placeholder, the arithmetic goes to the grammar.

Brackets, fractions, sums, norms. Names and calls stand in `names.py`, derivatives in `calculus.py`, what
several statements in one formula mean in `latex.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from derive.read import vocabulary as words
from derive.read.calculus import read_fraction, read_nabla, read_partial, read_slash
from derive.read.names import read_base, read_named
from derive.read.nesting import Bracket, Cursor, Item, fail, is_bracket, split, text
from derive.read.scripts import Scripts, argument, factors, read_scripts
from derive.read.skeleton import Skeleton
from derive.read.syntax import (
    Abs,
    Big,
    Call,
    Entry,
    Group,
    Name,
    Neg,
    Node,
    Norm,
    Number,
    Power,
    Quotient,
    Relation,
    Transpose,
)
from derive.read.tables import read_table
from derive.read.tokens import Token

MAX_RECURSION = 60
MAX_TERMS = 200
_INLINE = 6  # brackets that the grammar sees inside one another: each costs a dozen of its stack frames
_SCRIPTS = ("_", "^", "'")
INDICATOR = Name(r"\mathbb{1}")
ENTRYWISE = (r"\circ", r"\odot")  # a power of every entry: X^{\circ 2}


class FactorReader:
    """Reads expressions, knowing which spellings are functions."""

    def __init__(self, functions: frozenset[str]) -> None:
        self.functions = functions
        self._depth = 0
        self._commands: dict[str, Callable[[Cursor], Node]] = {
            r"\nabla": lambda cursor: read_nabla(cursor, self),
            r"\partial": lambda cursor: read_partial(cursor, self),
            r"\sqrt": self._root,
            r"\sum": self._big,
            r"\prod": self._big,
            r"\boxed": self._decorated,
            r"\underbrace": self._decorated,
            r"\overbrace": self._decorated,
        }

    def relation(self, items: Sequence[Item], start: int) -> Node:
        """Read an expression or a chain of relations."""
        pieces, signs = split(items, words.RELATIONS)
        starts = [start, *(sign.end for sign in signs)]
        links = tuple(self.expression(piece, at) for piece, at in zip(pieces, starts, strict=True))
        return Relation(links, tuple(sign.text for sign in signs)) if signs else links[0]

    def expression(self, items: Sequence[Item], start: int) -> Node:
        """Read arithmetic."""
        with self._deeper(start):
            skeleton = Skeleton()
            return skeleton.parse(self._compose(items, skeleton, start), start)

    def arguments(self, item: Bracket) -> tuple[Node, ...]:
        """Read the list between two brackets."""
        return tuple(self.relation(piece, item.start) for piece in split(item.items, {","})[0])

    def factor(self, cursor: Cursor) -> Node:
        """Read one factor with its scripts."""
        with self._deeper(cursor.start):
            skeleton, start = Skeleton(), cursor.start
            return skeleton.parse(self._piece(cursor, skeleton), start)

    def scripted(self, node: Node, cursor: Cursor, skeleton: Skeleton) -> str:
        """Put the scripts that follow on what is no name."""
        return self.apply(node, read_scripts(cursor, self), skeleton)

    def apply(self, node: Node, scripts: Scripts, skeleton: Skeleton) -> str:
        """Put scripts on what is no name: an index, a transpose, a power."""
        if isinstance(node, Number) and scripts.mark is not None and scripts.style == "()":
            node, scripts.mark = Power(node, scripts.mark), None  # 10^{(n)}: a number bears no mark
        if scripts.mark is not None or scripts.primes:
            fail("a mark on what is no name", scripts.start)
        if scripts.subs:
            node = Entry(node, scripts.subs)
        return self.raised(Transpose(node) if scripts.transposed else node, scripts, skeleton)

    def raised(self, node: Node, scripts: Scripts, skeleton: Skeleton) -> str:
        r"""Put a power on a node; `^{-T}` is the inverse transposed."""
        exponent = scripts.exponent
        if not exponent:
            return skeleton.place(node)
        if text(exponent[0]) in ENTRYWISE:
            return skeleton.place(Power(node, self.expression(exponent[1:], scripts.start), entrywise=True))
        if len(exponent) == 2 and text(exponent[0]) == "-" and text(exponent[1]) in words.TRANSPOSES:
            return skeleton.place(Transpose(Power(node, Neg(Number("1")))))
        return f"{skeleton.place(node)}^{{{self._inner(exponent, skeleton, scripts.start)}}}"

    @contextmanager
    def _deeper(self, start: int) -> Iterator[None]:
        """Bound the recursion: a formula can nest without brackets, as in a row of roots."""
        if self._depth >= MAX_RECURSION:
            fail(f"a formula nested more than {MAX_RECURSION} deep", start)
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def _compose(self, items: Sequence[Item], skeleton: Skeleton, start: int) -> str:
        """Write a row of items into the skeleton, and see to it that every operator has its operands."""
        cursor, parts = Cursor(items), list[str]()
        waiting = 1  # operators since the last operand, one at the beginning: a sign may follow
        while cursor.item is not None:
            if cursor.text not in words.OPERATORS:
                parts.append(self._piece(cursor, skeleton))
                waiting = 0
                continue
            waiting += 1
            if waiting > 2 or (waiting == 2 and cursor.text not in "+-"):
                fail(f"{cursor.text} without an operand before it", cursor.start)
            parts.append(skeleton.sign(text(cursor.take())))
        if waiting:
            fail("an operand is missing", cursor.start or start)
        if len(parts) > MAX_TERMS:
            fail(f"more than {MAX_TERMS} operands in one expression", items[0].start)
        return "".join(parts)

    def _inner(self, items: Sequence[Item], skeleton: Skeleton, start: int) -> str:
        """Write a nested row, for the grammar to see through its brackets as long as they are few."""
        if skeleton.depth >= _INLINE:
            return skeleton.place(self.expression(items, start))
        with self._deeper(start):
            skeleton.depth += 1
            composed = self._compose(items, skeleton, start)
            skeleton.depth -= 1
            return composed

    def _piece(self, cursor: Cursor, skeleton: Skeleton) -> str:
        """Write one factor into the skeleton."""
        item = cursor.item
        if isinstance(item, Bracket):
            return self._bracket(cursor, item, skeleton)
        if item is None or item.kind in ("prose", "gap"):
            fail(f"the words {item.text!r}" if item else "an operand is missing", cursor.start)
        if item.text in ("d", r"\text{d}") and (slash := read_slash(cursor, self)):
            return self.scripted(slash, cursor, skeleton)
        if item.kind == "number":
            return self._number(cursor, skeleton)
        if item.kind == "name" or item.text in words.STYLES:
            return self._named(read_base(cursor, self), cursor, skeleton)
        if item.text == r"\frac":
            return self._fraction(cursor, skeleton)
        if item.text not in self._commands:
            fail(f"{item.text} is not expected", item.start)
        return self.scripted(self._commands[item.text](cursor), cursor, skeleton)

    def _named(self, node: Node, cursor: Cursor, skeleton: Skeleton) -> str:
        if isinstance(node, Name):
            return read_named(node, cursor, skeleton, self)
        return self.scripted(node, cursor, skeleton)

    def _number(self, cursor: Cursor, skeleton: Skeleton) -> str:
        token = cursor.take()
        if isinstance(cursor.item, Token) and cursor.item.kind == "number":
            fail(f"two numbers side by side, {text(token)} and {cursor.text}", cursor.start)
        return self.scripted(Number(text(token)), cursor, skeleton)

    # ---------------------------------------------------------------- brackets

    def _bracket(self, cursor: Cursor, item: Bracket, skeleton: Skeleton) -> str:
        cursor.take()
        if item.kind == "{":  # braces are not seen: {W^{[2]}}^T is a name with its marks
            return self._named(self.expression(item.items, item.start), cursor, skeleton)
        if item.kind in ("(", "[", r"\{"):
            return self._group(cursor, item, skeleton)
        if item.kind == "|":
            return self.scripted(Abs(self.expression(item.items, item.start)), cursor, skeleton)
        if item.kind == r"\|":
            return self._norm(cursor, item, skeleton)
        return self.scripted(read_table(item, self), cursor, skeleton)

    def _group(self, cursor: Cursor, item: Bracket, skeleton: Skeleton) -> str:
        """Read `(a + b)`; the grammar sees the brackets unless scripts or a list need the node."""
        if item.kind == "[" and split(item.items, words.RELATIONS)[1]:  # [z > 0] is 1 where it holds
            return self.scripted(Call(INDICATOR, (self.relation(item.items, item.start),)), cursor, skeleton)
        if split(item.items, {","})[1]:
            return self.scripted(Group(self.arguments(item)), cursor, skeleton)
        if cursor.text in _SCRIPTS:
            return self.scripted(self.expression(item.items, item.start), cursor, skeleton)
        return f"({self._inner(item.items, skeleton, item.start)})"

    def _norm(self, cursor: Cursor, item: Bracket, skeleton: Skeleton) -> str:
        arg = self.expression(item.items, item.start)
        scripts = read_scripts(cursor, self)
        index = [_norm_index(sub) for sub in scripts.subs]
        if len(index) > 1 or None in index:
            fail("the index of a norm", scripts.start)
        scripts.subs = ()
        return self.apply(Norm(arg, index[0] or "" if index else ""), scripts, skeleton)

    # ---------------------------------------------------------------- commands with arguments

    def _fraction(self, cursor: Cursor, skeleton: Skeleton) -> str:
        start = cursor.take().start
        top, bottom = argument(cursor), argument(cursor)
        derivative = read_fraction(top, bottom, cursor, self)
        if derivative is not None:
            return self.scripted(derivative, cursor, skeleton)
        if cursor.text in _SCRIPTS:
            node = Quotient(self.expression(top, start), self.expression(bottom, start))
            return self.scripted(node, cursor, skeleton)
        return rf"\frac{{{self._inner(top, skeleton, start)}}}{{{self._inner(bottom, skeleton, start)}}}"

    def _root(self, cursor: Cursor) -> Node:
        start = cursor.take().start
        degree = cursor.take() if is_bracket(cursor.item, "[") else None
        arg = self.expression(argument(cursor), start)
        if isinstance(degree, Bracket):
            return Power(arg, Quotient(Number("1"), self.expression(degree.items, start)))
        return Call(Name("sqrt"), (arg,))

    def _decorated(self, cursor: Cursor) -> Node:
        r"""Read `\boxed{x}` and `\underbrace{x}_{note}` as x."""
        command = cursor.take()
        node = self.expression(argument(cursor), command.start)
        note = {r"\underbrace": "_", r"\overbrace": "^"}.get(text(command), "")
        if note and cursor.text == note:
            cursor.take()
            argument(cursor)
        return node

    def _big(self, cursor: Cursor) -> Node:
        r"""Read `\sum_{i=1}^{N}` and its body: all that follows up to the next + or -."""
        command = cursor.take()
        written: dict[str, Sequence[Item]] = {}
        while cursor.text in ("_", "^") and cursor.text not in written:
            sign = text(cursor.take())
            written[sign] = argument(cursor)
        index, lower = self._bounds(written["_"]) if "_" in written else (None, None)
        upper = self.expression(written["^"], command.start) if "^" in written else None
        end = min(cursor.at + 1, len(cursor.items))
        while end < len(cursor.items) and text(cursor.items[end]) not in ("+", "-"):
            end += 1
        body = self.expression(cursor.items[cursor.at : end], command.end)
        cursor.at = end
        return Big(words.BIG[text(command)], index, lower, upper, body)

    def _bounds(self, items: Sequence[Item]) -> tuple[Node, Node | None]:
        """Read what stands below a sum: `i=1`, `i`, `i,j`, `ij`, `i \\neq j`."""
        start = items[0].start
        pieces, signs = split(items, {"="})
        if len(signs) == 1:
            return self.expression(pieces[0], start), self.expression(pieces[1], start)
        listed = [self.relation(piece, start) for piece in split(items, {","})[0]]
        letters = listed if len(listed) > 1 else factors(listed[0])
        return Group(tuple(letters)) if len(letters) > 1 else letters[0], None


def _norm_index(sub: Node) -> str | None:
    if isinstance(sub, Number):
        return sub.text
    if isinstance(sub, Name) and sub == Name(sub.base):
        return sub.base.removeprefix(r"\text{").removesuffix("}") if sub.base[:5] == r"\text" else sub.base
    return None
