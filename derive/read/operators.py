r"""Commands with a body: `\sum_{i=1}^N x_i`, `\sqrt[3]{x}`, `\underbrace{x}_{n}`, macros of papers."""

from __future__ import annotations

from collections.abc import Sequence

from derive.read import vocabulary as words
from derive.read.nesting import Bracket, Cursor, Item, fail, is_bracket, split, text
from derive.read.scripts import Reader, argument, factors
from derive.read.syntax import Big, Call, Group, Limit, Name, Node, Number, Power, Quotient
from derive.read.tokens import Token


def read_root(cursor: Cursor, reader: Reader) -> Node:
    r"""Read `\sqrt{x}` and `\sqrt[3]{x}`."""
    start = cursor.take().start
    degree = cursor.take() if is_bracket(cursor.item, "[") else None
    arg = reader.expression(argument(cursor), start)
    if isinstance(degree, Bracket):
        return Power(arg, Quotient(Number("1"), reader.expression(degree.items, start)))
    return Call(Name("sqrt"), (arg,))


def read_decorated(cursor: Cursor, reader: Reader) -> Node:
    r"""Read `\boxed{x}` and `\underbrace{x}_{note}` as x."""
    command = cursor.take()
    node = reader.expression(argument(cursor), command.start)
    skip_note(cursor, text(command))
    return node


def skip_note(cursor: Cursor, command: str) -> None:
    """Pass over the words below or above a brace."""
    note = {r"\underbrace": "_", r"\overbrace": "^"}.get(command, "")
    if note and cursor.text == note:
        cursor.take()
        argument(cursor)


def read_big(cursor: Cursor, reader: Reader) -> Node:
    r"""Read `\sum_{i=1}^{N}` and its body: all that follows up to the next + or -."""
    command = cursor.take()
    written: dict[str, Sequence[Item]] = {}
    while cursor.text in ("_", "^") and cursor.text not in written:
        sign = text(cursor.take())
        written[sign] = argument(cursor)
    index, lower = _bounds(written["_"], reader) if "_" in written else (None, None)
    upper = reader.expression(written["^"], command.start) if "^" in written else None
    return Big(words.BIG[text(command)], index, lower, upper, _body(cursor, reader, command.end))


def read_limit(cursor: Cursor, reader: Reader) -> Node:
    r"""Read `\lim_{q \to 0}` and its body: all that follows up to the next + or -."""
    command = cursor.take()
    if cursor.text != "_":
        fail(r"\lim without a name that goes somewhere, as in \lim_{q \to 0},", command.start)
    cursor.take()
    below = argument(cursor)
    pieces, signs = split(below, {r"\to"})
    if len(signs) != 1:
        fail(r"what goes where is not said below \lim", below[0].start if below else command.start)
    name, at = (reader.expression(piece, command.start) for piece in pieces)
    return Limit(name, at, _body(cursor, reader, command.end))


def _body(cursor: Cursor, reader: Reader, after: int) -> Node:
    """Read what a sign such as that of a sum applies to: all that follows up to the next + or -."""
    end = min(cursor.at + 1, len(cursor.items))
    while end < len(cursor.items) and text(cursor.items[end]) not in ("+", "-"):
        end += 1
    body = reader.expression(cursor.items[cursor.at : end], after)
    cursor.at = end
    return body


def _bounds(items: Sequence[Item], reader: Reader) -> tuple[Node, Node | None]:
    """Read what stands below a sum: `i=1`, `i`, `i,j`, `ij`, `i \\neq j`."""
    start = items[0].start
    pieces, signs = split(items, {"="})
    if len(signs) == 1:
        return reader.expression(pieces[0], start), reader.expression(pieces[1], start)
    listed = [reader.relation(piece, start) for piece in split(items, {","})[0]]
    letters = listed if len(listed) > 1 else factors(listed[0])
    return Group(tuple(letters)) if len(letters) > 1 else letters[0], None


def macro_arguments(cursor: Cursor) -> tuple[str, Sequence[Item], Sequence[Item]]:
    r"""Take `\pd{f}{x}`: the sign of differentiation and what stands above and below; above may be empty.

    Raises:
        UnreadError: An argument in square brackets, which is an order for some and something else for others.
    """
    command = cursor.take()
    assert isinstance(command, Token)
    if is_bracket(cursor.item, "["):
        fail(f"{command.text} with an argument in square brackets", cursor.start)
    sign = r"\partial" if r"\partial" in command.assumed else "d"
    mark = Token("sign" if sign != "d" else "name", sign, command.start, command.end, command.run)
    top: Sequence[Item] = ()
    if isinstance(cursor.item, Bracket) and cursor.item.kind == "{" and not cursor.item.items:
        cursor.take()
    else:
        top = argument(cursor)
    return sign, [mark, *top], [mark, *argument(cursor)]
