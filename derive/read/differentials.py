r"""Differentials, `dW`, `\mathrm{d}x`, `d(A X)`, and the bar of an evaluation, `f(x) |_{x = 0}`.

How far a `d` reaches is not written: over the factor that follows. Where the next factor has the same letter, as in
`dW W^T`, pages mean either, and neither is taken; so with a power, `dx^2`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from derive.read.calculus import applied, mentions
from derive.read.nesting import Bracket, Cursor, Item, fail, is_bracket, split, text
from derive.read.scripts import Reader, argument
from derive.read.syntax import Differential, Evaluated, Group, Name, Node, Number, Power, Relation, Transpose
from derive.read.tokens import Token
from derive.read.vocabulary import STYLES, UPRIGHT_D

_BOLD = (r"\mathbf{d}", r"\boldsymbol{d}", r"\bm{d}")
_LISTS = (",", r"\mid", r"\|")  # between brackets: the arguments of a function d
_BRACKETS = ("(", "[", "{", "|", r"\|")


def read_differential(cursor: Cursor, reader: Reader) -> Node | None:
    """Read a differential; None, the cursor unmoved, when what stands here is none.

    Raises:
        UnreadError: It may be something else as well: a product with a quantity d, the differential of more.
    """
    token, after = cursor.item, _get(cursor.items, cursor.at + 1)
    if not isinstance(token, Token) or token.kind != "name" or not _starts(token, after, reader):
        return None
    start = cursor.take().start
    if token.text == "d" and "d" in reader.quantities:
        fail("d may be a differential or a factor", start)
    bracketed = is_bracket(after, "(", "[")
    raised = bracketed and text(_get(cursor.items, cursor.at + 1)) == "^"
    whole = applied(after.items, reader) if isinstance(after, Bracket) and bracketed and not raised else None
    if whole is not None:
        cursor.take()
        return Differential(whole)
    node = reader.factor(cursor)
    turned = isinstance(node, Transpose) and (raised or not bracketed)
    arg = node.arg if turned and isinstance(node, Transpose) else node
    power = isinstance(arg, Power) and (raised or isinstance(arg.exponent, Number))
    if power and (raised or not bracketed):
        fail("a power of a differential or the differential of a power", start)
    if not bracketed and _goes_on(cursor, arg, reader):
        fail("a differential of one factor or of several", start)
    return Transpose(Differential(arg)) if turned else Differential(arg)


def _starts(token: Token, after: Item | None, reader: Reader) -> bool:
    if token.text in reader.functions or (
        token.text in _BOLD and (not token.run or token.run != getattr(after, "run", None))
    ):
        return False
    if token.text not in ("d", UPRIGHT_D, *_BOLD):
        return False
    if isinstance(after, Bracket):
        return after.kind in _BRACKETS and bool(after.items) and not split(after.items, _LISTS)[1]
    return isinstance(after, Token) and (after.kind == "name" or after.text in STYLES)


def _goes_on(cursor: Cursor, arg: Node, reader: Reader) -> bool:
    """Say whether the next factor is the same name again, perhaps transposed: it may belong to the differential."""
    item = cursor.item
    named = isinstance(item, Token) and (item.kind == "name" or item.text in STYLES)
    if not isinstance(arg, Name) or not (named or is_bracket(item, "{")):
        return False
    node = reader.factor(Cursor(cursor.items, cursor.at))
    while isinstance(node, Transpose | Power):
        node = node.arg if isinstance(node, Transpose) else node.base
    return node == arg


def _get(items: Sequence[Item], at: int) -> Item | None:
    return items[at] if at < len(items) else None


def read_evaluation(node: Node, cursor: Cursor, reader: Reader, before: Iterable[Node]) -> Node:
    """Read `|_{x = 0}` behind a factor, the cursor on the bar; `before` are the factors of the same term.

    Raises:
        UnreadError: A factor before has the variable too: whether the bar reaches over it, is not written.
    """
    bar = cursor.take()
    cursor.take()
    pieces = [reader.relation(piece, bar.start) for piece in split(argument(cursor), {","})[0]]
    if cursor.text == "^":
        fail("a bar with a bound above it", cursor.start)
    for piece in pieces:
        variable = piece.links[0] if isinstance(piece, Relation) else None
        if any(mentions(other, variable) for other in before if not isinstance(other, Evaluated)):
            fail("an evaluation that may or may not reach over the whole product", bar.start)
    return Evaluated(node, pieces[0] if len(pieces) == 1 else Group(tuple(pieces)))
