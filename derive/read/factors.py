r"""One expression: each factor is read here and becomes a placeholder, the arithmetic goes to the grammar.

Brackets, fractions, sums, norms. Names and calls stand in `names.py`, derivatives in `calculus.py`, what
several statements in one formula mean in `latex.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from derive.errors import UnreadError
from derive.read import vocabulary as words
from derive.read.assumed import WITH_ARGUMENTS
from derive.read.calculus import read_braced_slash, read_fraction, read_nabla, read_partial, read_slash
from derive.read.code import POSTFIX, keyword, read_code, read_postfix
from derive.read.differentials import read_differential, read_evaluation
from derive.read.layout import columns, flat, holds, is_nothing, operator
from derive.read.names import read_base, read_named
from derive.read.nesting import Bracket, Cursor, Item, fail, split, text
from derive.read.operators import macro_arguments, read_big, read_decorated, read_limit, read_root
from derive.read.scripts import Scripts, argument, read_scripts
from derive.read.skeleton import Skeleton
from derive.read.syntax import (
    Abs,
    Big,
    Call,
    Dots,
    Entry,
    Given,
    Group,
    Limit,
    Matrix,
    Name,
    Neg,
    Node,
    Norm,
    Number,
    Power,
    Product,
    Quotient,
    Relation,
    Sum,
    Transpose,
)
from derive.read.tables import read_table
from derive.read.tokens import Token

MAX_RECURSION = 60
MAX_TERMS = 200
MAX_STEPS = 4_000  # a factor is looked at twice where what follows decides how it is read
_INLINE = 6  # brackets that the grammar sees inside one another: each costs a dozen of its stack frames
_SCRIPTS = ("_", "^", "'")
_BARS = (r"\mid", r"\|")
_FOLLOWING = POSTFIX | {r"\at"}
INDICATOR = Name(r"\mathbb{1}")
ENTRYWISE = (r"\circ", r"\odot")  # a power of every entry: X^{\circ 2}


class FactorReader:
    """Reads expressions, knowing which spellings are functions and which letters are quantities."""

    def __init__(self, functions: frozenset[str], quantities: frozenset[str] = frozenset()) -> None:
        self.functions = functions
        self.quantities = quantities
        self._depth = self._steps = 0
        self._commands: dict[str, Callable[[Cursor], Node]] = {
            r"\nabla": lambda cursor: read_nabla(cursor, self),
            r"\partial": lambda cursor: read_partial(cursor, self),
            r"\sqrt": lambda cursor: read_root(cursor, self),
            r"\sum": lambda cursor: read_big(cursor, self),
            r"\prod": lambda cursor: read_big(cursor, self),
            r"\lim": lambda cursor: read_limit(cursor, self),
            r"\boxed": lambda cursor: read_decorated(cursor, self),
            r"\underbrace": lambda cursor: read_decorated(cursor, self),
            r"\overbrace": lambda cursor: read_decorated(cursor, self),
            r"\ldots": self._dots,
        }

    def relation(self, items: Sequence[Item], start: int) -> Node:
        """Read an expression or a chain of relations."""
        pieces, signs = split(items, words.RELATIONS)
        starts = [start, *(sign.end for sign in signs)]
        links = tuple(self._link(piece, at, bool(signs)) for piece, at in zip(pieces, starts, strict=True))
        return Relation(links, tuple(sign.text for sign in signs)) if signs else links[0]

    def _link(self, items: Sequence[Item], start: int, related: bool) -> Node:
        r"""Read one side of a relation; words that are all of it, `\text{first layer} = x_1`, are a name."""
        item = items[0] if len(items) == 1 and related else None
        if isinstance(item, Token) and item.kind == "prose" and len(item.text) > 1 and item.text.isascii():
            words_of = item.text.replace("-", " ").split()
            if all(word.isalnum() for word in words_of) and not words.STOP_WORDS & {word.lower() for word in words_of}:
                return Name(rf"\text{{{item.text}}}")
        return self.expression(items, start)

    def expression(self, items: Sequence[Item], start: int) -> Node:
        """Read arithmetic."""
        with self._deeper(start):
            skeleton = Skeleton()
            return skeleton.parse(self._compose(items, skeleton, start), start)

    def arguments(self, item: Bracket) -> tuple[Node, ...]:
        """Read the list between two brackets, or the two lists around a bar."""
        sides, bars = split(item.items, _BARS)
        if len(bars) > 1:
            fail("a second bar between two brackets", bars[1].start)
        if bars:
            left, right = (tuple(self._listed(side, item.start)) for side in sides)
            return (Given(left, right, bars[0].text),)
        return tuple(self._listed(item.items, item.start))

    def _listed(self, items: Sequence[Item], start: int) -> Iterator[Node]:
        pieces = split(items, {","})[0]
        for piece in pieces:
            node = self.relation(piece, start)
            yield keyword(node) or node if len(pieces) > 1 else node

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
        if scripts.turned:
            return skeleton.place(Transpose(Power(node, self.expression(exponent, scripts.start))))
        return f"{skeleton.place(node)}^{{{self._inner(exponent, skeleton, scripts.start)}}}"

    @contextmanager
    def _deeper(self, start: int) -> Iterator[None]:
        """Bound the recursion: a formula can nest without brackets, as in a row of roots."""
        if self._depth >= MAX_RECURSION:
            fail(f"a formula nested more than {MAX_RECURSION} deep", start)
        self._depth, self._steps = self._depth + 1, self._steps + 1
        if self._steps > MAX_STEPS:
            fail("a formula with too many parts", start)
        try:
            yield
        finally:
            self._depth -= 1

    def _compose(self, items: Sequence[Item], skeleton: Skeleton, start: int) -> str:
        """Write a row of items into the skeleton, and see to it that every operator has its operands."""
        cursor, parts = Cursor(items), list[str]()
        followed = any(text(item) in _FOLLOWING for item in items)
        term: list[Node] = []
        waiting = 1  # operators since the last operand, one at the beginning: a sign may follow
        while cursor.item is not None:
            if is_nothing(cursor):
                cursor.take()
                continue
            sign = operator(cursor, waiting)
            if not sign:
                parts.append(self._followed(cursor, skeleton, term) if followed else self._piece(cursor, skeleton))
                waiting = 0
                continue
            waiting += 1
            if waiting > 2 or (waiting == 2 and sign not in "+-"):
                fail(f"{sign} without an operand before it", cursor.start)
            if sign in "+-":
                term = []
            cursor.take()
            parts.append(skeleton.sign(sign))
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

    def _followed(self, cursor: Cursor, skeleton: Skeleton, term: list[Node]) -> str:
        r"""Write a factor with what may stand behind it, `|_{x = 0}` and `.T`; `term` holds the factors before it."""
        node = self.factor(cursor)
        while cursor.text in _FOLLOWING:
            evaluation = cursor.text == r"\at"
            node = read_evaluation(node, cursor, self, term) if evaluation else read_postfix(node, cursor, self)
        term.append(node)
        return skeleton.place(node)

    def _piece(self, cursor: Cursor, skeleton: Skeleton) -> str:
        """Write one factor into the skeleton."""
        item = cursor.item
        if isinstance(item, Bracket):
            return self._bracket(cursor, item, skeleton)
        if item is not None and item.kind == "unread":
            raise UnreadError(item.text, item.start + 1)
        if item is None or item.kind in ("prose", "gap"):
            fail(f"the words {item.text!r}" if item else "an operand is missing", cursor.start)
        if item.text in ("d", r"\text{d}") and (slash := read_slash(cursor, self)):
            return self.scripted(slash, cursor, skeleton)
        if (change := read_differential(cursor, self)) is not None:
            return self.scripted(change, cursor, skeleton)
        if item.text.startswith("np."):
            return self.scripted(read_code(cursor, self), cursor, skeleton)
        if item.text in WITH_ARGUMENTS:
            return self._assumed(item.text, cursor, skeleton)
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
        if isinstance(node, Product):  # a font over several letters; a script belongs to the last, next to which it is
            return f"{skeleton.place(node.left)} {self._named(node.right, cursor, skeleton)}"
        return self.scripted(node, cursor, skeleton)

    def _number(self, cursor: Cursor, skeleton: Skeleton) -> str:
        token = cursor.take()
        if isinstance(cursor.item, Token) and cursor.item.kind == "number":
            fail(f"two numbers side by side, {text(token)} and {cursor.text}", cursor.start)
        item = cursor.item
        if text(token) == "1" and isinstance(item, Bracket) and item.kind == r"\{" and holds(item):
            cursor.take()
            return self.scripted(Call(INDICATOR, (self.relation(item.items, item.start),)), cursor, skeleton)
        return self.scripted(Number(text(token)), cursor, skeleton)

    # ---------------------------------------------------------------- brackets

    def _bracket(self, cursor: Cursor, item: Bracket, skeleton: Skeleton) -> str:
        if item.kind == "{" and (slash := read_braced_slash(cursor, self)):
            return self.scripted(slash, cursor, skeleton)
        cursor.take()
        if item.kind == "{":
            return self._braces(item, cursor, skeleton)
        if item.kind in ("(", "[", r"\{"):
            return self._group(cursor, item, skeleton)
        if item.kind == "|":
            return self.scripted(Abs(self.expression(item.items, item.start)), cursor, skeleton)
        if item.kind == r"\|":
            return self._norm(cursor, item, skeleton)
        return self.scripted(read_table(item, self), cursor, skeleton)

    def _braces(self, item: Bracket, cursor: Cursor, skeleton: Skeleton) -> str:
        r"""Read braces, which nobody sees: `{W^{[2]}}^T` is a name with its marks, `{\sum_i (x_i)}^2` a sum of squares.

        Raises:
            UnreadError: A script on a sum or a product that only braces hold together: `{a b}^2` looks like a b².
        """
        node = self.expression(item.items, item.start)
        several = len(item.items) > 1 and isinstance(node, Big | Limit | Product | Sum | Neg)
        if cursor.text not in _SCRIPTS or not several:
            return self._named(node, cursor, skeleton)
        if not isinstance(node, Big | Limit):
            fail("a script on what only braces hold together", cursor.start)
        start = cursor.at
        while cursor.text in _SCRIPTS:
            if text(cursor.take()) != "'":
                argument(cursor)
        scripts = cursor.items[start : cursor.at]
        return skeleton.place(self.expression([*flat(item.items), *scripts], item.start))

    def _group(self, cursor: Cursor, item: Bracket, skeleton: Skeleton) -> str:
        """Read `(a + b)`; the grammar sees the brackets unless scripts or a list need the node."""
        if item.kind == "[" and split(item.items, words.RELATIONS)[1]:  # [z > 0] is 1 where it holds
            return self.scripted(Call(INDICATOR, (self.relation(item.items, item.start),)), cursor, skeleton)
        if item.kind == "[" and (cells := columns(item)):
            row = tuple(self.expression(cell, item.start) for cell in cells)
            return self.scripted(Matrix((row,)), cursor, skeleton)
        if split(item.items, {","})[1]:
            return self.scripted(Group(self.arguments(item)), cursor, skeleton)
        if cursor.text in _SCRIPTS:
            return self.scripted(self.expression(item.items, item.start), cursor, skeleton)
        return f"({self._inner(item.items, skeleton, item.start)})"

    def _norm(self, cursor: Cursor, item: Bracket, skeleton: Skeleton) -> str:
        return self._normed(self.expression(item.items, item.start), cursor, skeleton)

    def _normed(self, arg: Node, cursor: Cursor, skeleton: Skeleton) -> str:
        scripts = read_scripts(cursor, self)
        index = [_norm_index(sub) for sub in scripts.subs]
        if len(index) > 1 or None in index:
            fail("the index of a norm", scripts.start)
        scripts.subs = ()
        return self.apply(Norm(arg, index[0] or "" if index else ""), scripts, skeleton)

    # ---------------------------------------------------------------- commands with arguments

    def _dots(self, cursor: Cursor) -> Node:
        cursor.take()
        return Dots()

    def _assumed(self, command: str, cursor: Cursor, skeleton: Skeleton) -> str:
        """Read a macro of papers that the page uses and does not define."""
        start = cursor.start
        if "frac" in WITH_ARGUMENTS[command]:
            _, top, bottom = macro_arguments(cursor)
            return self._quotient(top, bottom, start, cursor, skeleton)
        cursor.take()
        arg = self.expression(argument(cursor), start)
        if command == r"\abs":
            return self.scripted(Abs(arg), cursor, skeleton)
        return self._normed(arg, cursor, skeleton)

    def _fraction(self, cursor: Cursor, skeleton: Skeleton) -> str:
        start = cursor.take().start
        top = argument(cursor)
        return self._quotient(top, argument(cursor), start, cursor, skeleton)

    def _quotient(
        self, top: Sequence[Item], bottom: Sequence[Item], start: int, cursor: Cursor, skeleton: Skeleton
    ) -> str:
        derivative = read_fraction(top, bottom, cursor, self)
        if derivative is not None:
            return self.scripted(derivative, cursor, skeleton)
        if cursor.text in _SCRIPTS:
            node = Quotient(self.expression(top, start), self.expression(bottom, start))
            return self.scripted(node, cursor, skeleton)
        return rf"\frac{{{self._inner(top, skeleton, start)}}}{{{self._inner(bottom, skeleton, start)}}}"


def _norm_index(sub: Node) -> str | None:
    if isinstance(sub, Number):
        return sub.text
    if isinstance(sub, Name) and sub == Name(sub.base):
        return sub.base.removeprefix(r"\text{").removesuffix("}") if sub.base[:5] == r"\text" else sub.base
    return None
