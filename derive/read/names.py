r"""Names and calls: where a name ends, and whether the bracket behind it holds arguments or a factor.

`\log y`, `\sigma'(z)`, `f(x)` for a declared `f`. Where both readings are possible, neither is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from derive.errors import UnreadError
from derive.read import vocabulary as words
from derive.read.nesting import Bracket, Cursor, Item, fail, is_bracket, split, text
from derive.read.scripts import Reader, Scripts, argument, bare_word, read_scripts
from derive.read.skeleton import Skeleton
from derive.read.syntax import Call, Entry, Name, Node, Number, Power, Product, Sum, Transpose
from derive.read.tokens import Token

_MAX_ACCENTS = 5


def read_base(cursor: Cursor, reader: Reader, accents: int = 0) -> Node:
    r"""Read a letter, or a letter under an accent or in a font: `W`, `\hat{y}`, `\mathbf{\hat x}`."""
    token = cursor.take()
    if text(token) not in words.STYLES:
        return Name(text(token))
    if accents > _MAX_ACCENTS:
        fail("accents over accents", token.start)
    inner: Node
    if text(cursor.item) in words.STYLES:
        inner = read_base(cursor, reader, accents + 1)
    else:
        items = argument(cursor)
        inner = bare_word(items) or reader.expression(items, token.start)
    return _in_style(inner, text(token), token.start)


def _in_style(inner: Node, style: str, start: int) -> Node:
    r"""Put a font or an accent on a symbol; a font holds for each letter of a product, `\mathbf{A x}`."""
    if isinstance(inner, Entry) and isinstance(inner.arg, Number):
        inner = Name(inner.arg.text, subs=inner.subs)
    if isinstance(inner, Number):
        inner = Name(inner.text)
    if isinstance(inner, Product) and not inner.sign and style not in words.ACCENTS:
        return Product("", _in_style(inner.left, style, start), _in_style(inner.right, style, start))
    if not isinstance(inner, Name) or inner.base in words.FUNCTION_WORDS:
        fail(f"{style} over more than one symbol", start)
    if style not in words.ACCENTS and inner.base.startswith(rf"{style}{{"):
        return inner
    return Name(f"{style}{{{inner.base}}}", inner.sup, inner.style, inner.subs, inner.primes)


def read_named(name: Name, cursor: Cursor, skeleton: Skeleton, reader: Reader) -> str:
    """Read the scripts of a name, and its arguments where it is a function; write both into the skeleton."""
    last = cursor.items[cursor.at - 1]
    name, scripts = _merge(_bracket_mark(name, cursor, reader), read_scripts(cursor, reader))
    if name.base in words.EULER and name == Name(name.base):
        return skeleton.place(_euler(name, scripts, reader))
    if _is_called(name, last, cursor, reader):
        return _call(name, scripts, cursor, skeleton, reader)
    if name.base in words.FUNCTION_WORDS and starts_factor(cursor.item):
        return skeleton.place(_prefixed(name, scripts, cursor, reader))
    if name == Name(r"\pi"):
        return reader.apply(Number(r"\pi"), scripts, skeleton)
    return reader.raised(Transpose(name) if scripts.transposed else name, scripts, skeleton)


def _bracket_mark(name: Name, cursor: Cursor, reader: Reader) -> Name:
    r"""Read `g[1]'(z)`, where the mark of a layer slipped out of the superscript: nothing else is primed there."""
    item, prime = cursor.item, Cursor(cursor.items, cursor.at + 1)
    if name != Name(name.base) or not isinstance(item, Bracket) or item.kind != "[" or len(item.items) != 1:
        return name
    if not (isinstance(item.items[0], Token) and item.items[0].kind in ("number", "name")):
        return name
    if prime.text not in ("'", "^") or not read_scripts(prime, reader).primes or not is_bracket(prime.item, "("):
        return name
    cursor.take()
    return Name(name.base, reader.expression(item.items, item.start), "[]")


def starts_factor(item: Item | None) -> bool:
    """Say whether an item begins a factor."""
    if isinstance(item, Token):
        return item.kind in ("name", "number") or item.text in words.LEADING
    return item is not None


def _merge(name: Name, scripts: Scripts) -> tuple[Name, Scripts]:
    """Add scripts to those that a name has; one that is there already cannot be written twice."""
    if (name.subs and scripts.subs) or (name.sup is not None and scripts.mark is not None):
        fail("a second script on one symbol", scripts.start)
    mark, style = (scripts.mark, scripts.style) if scripts.mark is not None else (name.sup, name.style)
    merged = Name(name.base, mark, style, name.subs or scripts.subs, name.primes + scripts.primes)
    return merged, replace(scripts, subs=(), mark=None, style="", primes=0)


def _euler(name: Name, scripts: Scripts, reader: Reader) -> Node:
    if scripts.exponent:
        return Call(Name("exp"), (reader.expression(scripts.exponent, scripts.start),))
    return Transpose(name) if scripts.transposed else name


def _is_called(name: Name, last: Item, cursor: Cursor, reader: Reader) -> bool:
    """Decide whether the bracket that follows a name holds its arguments.

    Raises:
        UnreadError: A run of letters, or a declared function before a square bracket: it may be either.
    """
    item = cursor.item
    if not isinstance(item, Bracket) or item.kind not in ("(", "[", r"\{"):
        return False
    if name.base in words.ONES and not split(item.items, words.RELATIONS)[1]:
        return False
    if name.base in words.FUNCTION_WORDS | words.BRACKET_OPERATORS:
        return True
    if _is_rest(item, name, reader):
        return False
    declared = bool(name.primes) or name.base in reader.functions
    inside = words.RELATIONS | {r"\mid", r"\|"} if item.kind == "(" else (r"\mid", r"\|")
    spelled = last.run if isinstance(last, Token) and last.end == item.start else ""
    alone = len(spelled) < 2 or spelled == name.base
    if alone and item.kind != r"\{" and split(item.items, inside)[1]:  # P(a | b), P(a = 1): no product has a bar in it
        return True
    if item.kind != "(":
        if declared:
            fail(f"{name.base} before {item.kind} may be a call or a product", item.start)
        return False
    listed = bool(split(item.items, {","})[1])
    if listed and not declared and len(spelled) > 1 and spelled.isalpha() and spelled != name.base:
        fail(f"{spelled} before ( may be one function or a product", item.start)
    if declared or listed or name.base in words.FUNCTION_LETTERS or _is_text(name.base):
        return True
    run = last.run if isinstance(last, Token) and last.end == item.start else ""
    if _is_word(name.base) or (len(run) > 1 and run.isalpha()):
        fail(f"{run or name.base} before ( may be a function or a product", item.start)
    return False


def _is_rest(item: Bracket, name: Name, reader: Reader) -> bool:
    """Say whether a bracket holds what a name lacks to one, as in `y (1 - y)`: nobody calls a function so."""
    if name.primes or len(item.items) < 3 or [text(one) for one in item.items[:2]] != ["1", "-"]:
        return False
    if any(is_bracket(one, "(") for one in item.items[2:]):  # no name; and each bracket would be read twice
        return False
    try:
        return reader.expression(item.items[2:], item.start) == name
    except UnreadError:
        return False


def _call(name: Name, scripts: Scripts, cursor: Cursor, skeleton: Skeleton, reader: Reader) -> str:
    item = cursor.take()
    assert isinstance(item, Bracket)
    node = _function_power(Call(name, reader.arguments(item)), scripts, reader)
    return reader.scripted(node, cursor, skeleton)


def _function_power(call: Call, scripts: Scripts, reader: Reader) -> Node:
    r"""Read `\sin^2 x` as a square; `f^2(x)` and `\sin^{-1} x` have two readings, `f^T(x)` none."""
    if scripts.transposed:
        fail(f"a transpose of the function {call.function.base}", scripts.start)
    if not scripts.exponent:
        return call
    power = reader.expression(scripts.exponent, scripts.start)
    name = call.function
    if _is_layer(power) and name.base not in words.FUNCTION_WORDS and name.sup is None:
        return Call(Name(name.base, power, "", name.subs, name.primes), call.args)
    if call.function.base not in words.FUNCTION_WORDS or not isinstance(power, Number):
        fail(f"{call.function.base} with a power that may be an inverse or an iterate", scripts.start)
    return Power(call, power, entrywise=True)


def _is_layer(power: Node) -> bool:
    r"""Say whether a superscript is the letter of a layer, `l`, `L` or `\ell`, perhaps plus or minus a number."""
    if isinstance(power, Sum) and isinstance(power.right, Number):
        power = power.left
    return isinstance(power, Name) and power in (Name("l"), Name("L"), Name(r"\ell"))


def _prefixed(name: Name, scripts: Scripts, cursor: Cursor, reader: Reader) -> Node:
    r"""Read `\log y` and `\sin 2x`; `\log x y` has two readings."""
    braces = is_bracket(cursor.item, "{")
    arg = reader.factor(cursor)
    while isinstance(arg, Number) and starts_factor(cursor.item):
        arg = Product("", arg, reader.factor(cursor))
    if not braces and starts_factor(cursor.item) and cursor.text not in words.FUNCTION_WORDS:
        fail(f"{name.base} of one factor or of several", cursor.start)
    return _function_power(Call(name, (arg,)), scripts, reader)


def _is_text(base: str) -> bool:
    return base.startswith(r"\text{") and len(base) > len(r"\text{x}")


def _is_word(base: str) -> bool:
    return base[0] != "\\" and sum(letter.isalpha() for letter in base) > 1


def plain_name(items: Sequence[Item], reader: Reader) -> Name | None:
    """Read a row of items as one name with its scripts; None when it is anything else."""
    first = items[0] if items else None
    if not (is_bracket(first, "{") or text(first) in words.STYLES or getattr(first, "kind", "") == "name"):
        return None
    node = reader.expression(items, 0)
    return node if isinstance(node, Name) else None
