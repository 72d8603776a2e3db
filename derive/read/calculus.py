r"""Derivatives, however written: `\frac{\partial L}{\partial w}`, `\frac{d}{dx} f`, `\nabla_w L`, `dL/dw`.

How far an operator reaches is not written on a page. One rule holds here: over the juxtaposed product that
follows, if the variable stands in it behind the first factor; else over a first factor that is a name or a
call; `J(\theta)` right behind it is a call. Where a written product sign follows `\frac{d}{dx} f`, both
readings are common, and none is taken.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from derive.errors import UnreadError
from derive.read.nesting import Bracket, Cursor, Item, fail, is_bracket, split, text
from derive.read.scripts import Reader, argument
from derive.read.syntax import Call, Derivative, Implied, Name, Node, Product, Quotient, Transpose
from derive.read.tokens import Token
from derive.read.vocabulary import OPERATORS, PRODUCT_SIGNS, STYLES

_SIGNS = {r"\partial": r"\partial", "d": "d", r"\text{d}": "d"}
_SCRIPT = ("_", "^", "'")
_BARE = 3  # how many items a lone `\nabla_W` has
_FEW = 6  # items of a name in braces: more are no name, and nothing is read twice for long
_ENDS = OPERATORS | {r"\at"}


def read_fraction(top: Sequence[Item], bottom: Sequence[Item], cursor: Cursor, reader: Reader) -> Node | None:
    r"""Read `\frac{top}{bottom}` as a derivative; None when it is a plain quotient.

    Raises:
        UnreadError: The fraction looks like a derivative but is none that can be read.
    """
    if text(top[0]) == r"\partial" and (over := _divided(top, bottom, cursor, reader)) is not None:
        return over
    sign = _SIGNS.get(text(bottom[0]))
    if sign is None or _SIGNS.get(text(top[0])) != sign:
        return None
    if len(bottom) == 1 or text(bottom[1]) in _SCRIPT:  # d alone, or d_k: a name
        return None
    order, of = _order(top)
    if of is None:
        return None
    variables = _variables(bottom, order, reader)
    if of:
        if split(of, {"+", "-"})[1]:
            fail("a derivative of a sum without brackets", of[0].start)
        node = applied(of, reader) or reader.expression(of, top[0].start)
    else:
        node = operand(cursor, variables[0], reader)
        if cursor.text in PRODUCT_SIGNS:
            fail(f"a derivative that may or may not reach beyond {cursor.text}", cursor.start)
    for variable in variables[::-1]:
        node = Derivative(node, variable, sign)
    return node


def _divided(top: Sequence[Item], bottom: Sequence[Item], cursor: Cursor, reader: Reader) -> Node | None:
    r"""Read `\frac{\partial f}{2 \cdot \partial x}` as the derivative over 2; None where no factor stands before."""
    at = next((at for at, item in enumerate(bottom) if text(item) == r"\partial"), 0)
    if not at or len(top) == 1 or text(top[1]) in _SCRIPT or split(bottom, {"+", "-", "/"})[1]:
        return None
    before = bottom[: at - 1] if text(bottom[at - 1]) in PRODUCT_SIGNS else bottom[:at]
    node = read_fraction(top, bottom[at:], cursor, reader)
    return Quotient(node, reader.expression(before, bottom[0].start)) if node is not None else None


def applied(items: Sequence[Item], reader: Reader) -> Node | None:
    r"""Read `L(W x)` as a call where it is all that is differentiated, perhaps in brackets: `d(L(W x))`."""
    while len(items) == 1 and isinstance(items[0], Bracket) and items[0].kind == "(" and len(items[0].items) > 1:
        items = items[0].items
    first = items[0]
    named = isinstance(first, Token) and (first.kind == "name" or first.text in STYLES)
    if not (named or (isinstance(first, Bracket) and _is_small(first))) or not is_bracket(items[-1], "("):
        return None
    cursor = Cursor(items)
    name = reader.factor(cursor)
    if cursor.at == len(items):
        return name
    if not isinstance(name, Name) or cursor.at + 1 != len(items) or not is_bracket(cursor.item, "("):
        return None
    return _call(name, cursor, reader)


def _is_small(item: Item) -> bool:
    r"""Say whether braces hold no more than a name with its scripts, `{{h}_{\theta}}`."""
    if not isinstance(item, Bracket):
        return True
    return item.kind == "{" and len(item.items) <= _FEW and all(_is_small(inner) for inner in item.items)


def _call(name: Name, cursor: Cursor, reader: Reader) -> Call:
    item = cursor.take()
    assert isinstance(item, Bracket)
    return Call(name, reader.arguments(item))


def _get(items: Sequence[Item], at: int) -> Item | None:
    return items[at] if at < len(items) else None


def _order(top: Sequence[Item]) -> tuple[int, Sequence[Item] | None]:
    r"""Split `\partial^2 f` into 2 and f; no items when the d is a name, as in `d_k`."""
    if text(_get(top, 1)) == "^":
        cursor = Cursor(top, 2)
        power = argument(cursor)
        if len(power) != 1 or text(power[0]) != "2":
            fail("a derivative of an order other than 1 or 2", top[0].start)
        return 2, top[cursor.at :]
    if text(_get(top, 1)) in _SCRIPT:
        return 1, None
    return 1, top[1:]


def _variables(bottom: Sequence[Item], order: int, reader: Reader) -> list[Node]:
    if order == 1:
        return [single(bottom[1:], reader)]
    pieces = [piece for piece in split_differentials(bottom) if piece]
    if len(pieces) == 2:
        return [single(piece, reader) for piece in pieces]
    if len(pieces) == 1 and len(pieces[0]) > 2:
        *variable, caret, power = pieces[0]
        if text(caret) == "^" and [text(item) for item in argument(Cursor([power]))] == ["2"]:
            return [single(variable, reader)] * 2
    return fail("a second derivative without its two variables", bottom[0].start)


def split_differentials(items: Sequence[Item]) -> list[list[Item]]:
    r"""Cut `\partial x \partial y` before each sign of differentiation."""
    pieces: list[list[Item]] = [[]]
    for item in items:
        if text(item) == text(items[0]):
            pieces.append([])
        else:
            pieces[-1].append(item)
    return pieces


def single(items: Sequence[Item], reader: Reader) -> Node:
    """Read a variable of differentiation: one factor and nothing behind it."""
    cursor = Cursor(items)
    node = reader.factor(cursor)
    if cursor.item is not None:
        fail("a derivative with respect to more than one factor", cursor.start)
    return node


def operand(cursor: Cursor, wrt: Node | None, reader: Reader) -> Node:
    """Read what a differential operator acts on; the module docstring has the rule."""
    if cursor.item is None or cursor.text in OPERATORS:
        fail("a derivative of nothing", cursor.start)
    begin = cursor.at
    first = reader.factor(cursor)
    if isinstance(first, Name) and is_bracket(cursor.item, "("):
        start = cursor.start
        first = _call(first, cursor, reader)
        if not all(isinstance(arg, Name) for arg in first.args):
            fail(f"{first.function.base}( behind a derivative may be a function or a product", start)
    end = cursor.at
    while end < len(cursor.items) and text(cursor.items[end]) not in _ENDS:
        end += 1
    if end == cursor.at:
        return first
    rest = reader.expression(cursor.items[cursor.at : end], cursor.start)
    if isinstance(first, Name | Call) and not mentions(rest, wrt):
        return first
    if wrt is None:
        fail("a gradient that may or may not reach over the whole product", cursor.start)
    whole = reader.expression(cursor.items[begin:end], cursor.start)
    cursor.at = end
    return whole


def mentions(node: Node, name: Node | None) -> bool:
    """Say whether a symbol occurs in a tree."""
    while isinstance(name, Transpose):
        name = name.arg
    return name is not None and any(part == name for part in walk(node))


def walk(node: Node) -> Iterator[Node]:
    """Go through a tree, the root first, without recursion."""
    stack: list[object] = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, tuple):
            stack.extend(part)
        elif dataclasses.is_dataclass(part) and not isinstance(part, type):
            yield part  # type: ignore[misc]  # a dataclass inside a Node is a Node
            stack.extend(getattr(part, field.name) for field in dataclasses.fields(part))


def read_nabla(cursor: Cursor, reader: Reader) -> Node:
    r"""Read `\nabla_w L`, `\nabla L` or `\nabla_w^2 L`, the cursor on the sign."""
    cursor.take()
    twice = _squared(cursor)
    wrt = _subscript(cursor, reader) if cursor.text == "_" else None
    twice = twice or _squared(cursor)
    if wrt is not None and not twice and len(cursor.items) == cursor.at and cursor.at <= _BARE:
        return Derivative(Implied("function"), wrt, r"\nabla")
    node = Derivative(operand(cursor, wrt, reader), wrt, r"\nabla")
    return Derivative(node, wrt, r"\nabla") if twice else node


def _squared(cursor: Cursor) -> bool:
    """Take a square behind a nabla; any other power is refused."""
    if cursor.text != "^":
        return False
    start = cursor.take().start
    if [text(item) for item in argument(cursor)] != ["2"]:
        fail(r"a power of \nabla other than 2", start)
    return True


def read_partial(cursor: Cursor, reader: Reader) -> Node:
    r"""Read `\partial_x f` or `\partial L / \partial w`, the cursor on the sign."""
    sign = cursor.take()
    if cursor.text == "_":
        wrt = _subscript(cursor, reader)
        return Derivative(operand(cursor, wrt, reader), wrt)
    cursor.at -= 1
    return read_slash(cursor, reader) or fail(r"\partial outside of a derivative", sign.start)


def _subscript(cursor: Cursor, reader: Reader) -> Node:
    start = cursor.take().start
    return reader.expression(argument(cursor), start)


def read_slash(cursor: Cursor, reader: Reader) -> Node | None:
    r"""Read `dL/dw` or `\partial L/\partial w`; None, the cursor unmoved, when it is something else."""
    sign = cursor.text
    if not any(text(item) == "/" for item in cursor.items[cursor.at + 2 : cursor.at + 12]):
        return None
    ahead = Cursor(cursor.items, cursor.at + 1)
    try:
        of = reader.factor(ahead)
        if ahead.text != "/" or text(_get(ahead.items, ahead.at + 1)) != sign:
            return None
        ahead.at += 2
        wrt = reader.factor(ahead)
    except UnreadError:
        return None
    if sign != r"\partial" and not (isinstance(of, Name) and isinstance(wrt, Name)):
        return None
    cursor.at = ahead.at
    return Derivative(of, wrt, _SIGNS[sign])


def read_braced_slash(cursor: Cursor, reader: Reader) -> Node | None:
    r"""Read `{\partial L}/{\partial w}`; None, the cursor unmoved, when it is something else."""
    top, slash, bottom = (_get(cursor.items, cursor.at + step) for step in range(3))
    if text(slash) != "/" or not isinstance(top, Bracket) or not isinstance(bottom, Bracket) or bottom.kind != "{":
        return None
    if not top.items or not bottom.items or text(top.items[0]) not in _SIGNS:
        return None
    ahead = Cursor(cursor.items, cursor.at + 3)
    node = read_fraction(top.items, bottom.items, ahead, reader) if len(top.items) > 1 else None
    if node is not None:
        cursor.at = ahead.at
    return node


def is_composition(node: Node, functions: frozenset[str]) -> bool:
    r"""Say whether a tree holds `f \circ g`, which is no product of the two."""
    return any(
        isinstance(part, Product)
        and part.sign == r"\circ"
        and any(isinstance(side, Name) and side.base in functions for side in (part.left, part.right))
        for part in walk(node)
    )
