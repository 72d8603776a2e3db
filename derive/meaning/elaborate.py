r"""From what is written to operations: a formula becomes a part of an array once the kinds of its names are known.

Which product is meant follows from the kinds. What stands in the place of an index is read in `indexed.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import sympy

from derive.errors import ShapeError, UnreadError
from derive.meaning.applied import applied
from derive.meaning.indexed import (
    at_places,
    extents_of,
    free_letters,
    indices_of,
    is_kronecker,
    is_letter,
    numbered,
    place_of,
    relation_of_indices,
)
from derive.meaning.parts import (
    Part,
    entrywise,
    is_number,
    multiply,
    number,
    ordered,
    stretched,
    total,
    transpose,
    whole,
)
from derive.meaning.piecewise import without_cases
from derive.meaning.terms import (
    HADAMARD,
    Meaning,
    Term,
    cotangent_key,
    mixed_key,
    new_size,
    second_key,
)
from derive.ops import table
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.read.vocabulary import ONES

MOST_BASE, MOST_POWER = 10**6, 64  # of numbers whose power is computed


def elaborate(node: ast.Node, meaning: Meaning) -> Part:
    """Return what a formula without relation says, as a part of an array.

    Raises:
        ShapeError: the kinds do not fit, such as a product of two column vectors.
        UnreadError: something in it has no meaning here; the message names it.
    """
    handler = _HANDLERS.get(type(node))
    if handler is None:
        raise UnreadError(f"${render(node)}$ is not understood here")
    return handler(node, meaning)


def by_entries(node: ast.Node, letters: tuple[str, ...], meaning: Meaning) -> Term:
    """Return the array of which a formula is the entry at the given indices."""
    part = elaborate(node, replace(meaning, indices=meaning.indices | set(letters)))
    if part.kind != "scalar":
        raise UnreadError(f"${render(node)}$ is a {part.kind} among entries; give it indices")
    return ordered(part, letters, node)


def _number(node: ast.Number, meaning: Meaning) -> Part:
    try:
        value = Fraction(node.text)
    except ValueError:
        raise UnreadError(f"{node.text} is no number that can be used here") from None
    return number(sympy.Rational(value.numerator, value.denominator))


# ---------------------------------------------------------------- names
def _name(node: ast.Name, meaning: Meaning) -> Part:
    if render(node) in meaning.sizes:
        return number(sympy.Symbol(render(node), integer=True, positive=True))
    if is_kronecker(node, meaning):
        return relation_of_indices(ast.Call(ast.Name("1"), (ast.Relation(node.subs, ("=",)),)), meaning)
    found = _known(node, meaning)
    if found is None:
        return _usual_name(node, meaning)
    key, places = found
    return at_places(whole(Term("", kind=meaning.kinds[key], leaf=key)), places, node)


def _known(node: ast.Name, meaning: Meaning) -> tuple[str, list[dict[str, sympy.Expr]]] | None:
    """Return the name of an array, and the places of its entries that are meant; None for a name not known.

    A name of its own, such as z_i beside z, comes before an entry of another.
    """
    full, bare = render(node), render(replace(node, subs=()))
    places = [place_of(sub, meaning) for sub in node.subs]
    runs = any(place is not None for place in places)
    if full in meaning.kinds and not (runs and bare in meaning.kinds):
        return full, []
    for found in (places, [place or numbered(sub) for sub, place in zip(node.subs, places, strict=True)]):
        kept = tuple(sub for sub, place in zip(node.subs, found, strict=True) if place is None)
        key = render(replace(node, subs=kept))
        if key in meaning.kinds:
            return key, [place for place in found if place is not None]
    return None


def _usual_name(node: ast.Name, meaning: Meaning) -> Part:
    """Read what needs no definition: the identity matrix and the vector of ones."""
    if node == ast.Name("I"):
        size = new_size()
        return whole(Term(table.SELECTION, kind="matrix", params=(size, sympy.Integer(0), size, sympy.Integer(1))))
    if node.base in ONES and node == ast.Name(node.base, subs=node.subs[:1]):
        length = [sympy.Symbol(render(sub), integer=True, positive=True) for sub in node.subs]
        if all(render(sub) in meaning.sizes for sub in node.subs):
            return whole(Term(table.ONES, kind="vector", params=(*length, *([] if length else [new_size()]))))
    raise undefined(node, meaning)


def undefined(node: ast.Name, meaning: Meaning) -> UnreadError:
    """Return the error of a name without meaning; an array with an index that nothing binds is told as such."""
    free = [render(sub) for sub in node.subs if is_letter(sub) and render(sub) not in meaning.indices]
    if free and render(replace(node, subs=())) in meaning.kinds:
        return UnreadError(f"${render(node)}$: the index {free[0]} is neither summed over nor an index of the result")
    return UnreadError(f"the symbol ${render(node)}$ is not defined here")


# ---------------------------------------------------------------- arithmetic
def _negative(node: ast.Neg, meaning: Meaning) -> Part:
    return entrywise(table.NEG, elaborate(node.arg, meaning))


def _sum(node: ast.Sum, meaning: Meaning) -> Part:
    left, right = elaborate(node.left, meaning), elaborate(node.right, meaning)
    left, right = _beside(left, right, meaning)
    loose = meaning.stretch and "scalar" in (left.kind, right.kind)
    if left.kind != right.kind and not loose and not any(map(is_number, (left, right))):
        if left.letters or right.letters:
            lone = left if right.letters else right
            raise UnreadError(f"${render(node)}$: a whole {lone.kind} among entries; give it indices")
        raise ShapeError(f"${render(node)}$ adds a {left.kind} and a {right.kind}")
    return entrywise(table.ADD if node.sign == "+" else table.SUB, left, right)


def _beside(left: Part, right: Part, meaning: Meaning) -> tuple[Part, Part]:
    """Return parts that go together entry by entry: a vector beside a matrix is stretched, where that is meant."""
    if meaning.stretch and not left.letters and not right.letters:
        if left.kind == "matrix" and right.kind in ("vector", "row"):
            return left, stretched(right, meaning.stretch)
        if right.kind == "matrix" and left.kind in ("vector", "row"):
            return stretched(left, meaning.stretch), right
    return left, right


def _product(node: ast.Product, meaning: Meaning) -> Part:
    left, right = elaborate(node.left, meaning), elaborate(node.right, meaning)
    if node.sign == r"\oslash":
        return _divided(left, right, node)
    if "scalar" in (left.kind, right.kind):
        return entrywise(table.MUL, left, right)
    if node.sign in HADAMARD or (node.sign == "*" and left.kind == right.kind == "vector"):
        left, right = _beside(left, right, meaning)
        if left.kind != right.kind:
            raise ShapeError(f"${render(node)}$ is an entrywise product of a {left.kind} and a {right.kind}")
        return entrywise(table.MUL, left, right)
    if left.kind == right.kind == "vector":
        if meaning.dot == "entrywise" or (meaning.dot == "hadamard" and node.sign):
            return entrywise(table.MUL, left, right)
        if node.sign:
            return multiply(transpose(left), right, node)
    return multiply(left, right, node)


def _differential(node: ast.Differential, meaning: Meaning) -> Part:
    """Read d G as a product where all names are known, d among them; as a differential it has no meaning here."""
    if meaning.exact and ("d" in meaning.sizes or "d" in meaning.kinds):
        return _product(ast.Product("", ast.Name("d"), node.arg), meaning)
    raise UnreadError(f"${render(node)}$ is not understood here")


def _transpose(node: ast.Transpose, meaning: Meaning) -> Part:
    arg = elaborate(node.arg, meaning)
    if arg.letters and arg.kind == "scalar":
        raise ShapeError(f"${render(node)}$ transposes a number")  # then w_j is a vector, and w a matrix
    return transpose(arg)


def _quotient(node: ast.Quotient, meaning: Meaning) -> Part:
    return _divided(elaborate(node.top, meaning), elaborate(node.bottom, meaning), node)


def _divided(top: Part, bottom: Part, node: ast.Node) -> Part:
    if bottom == number(0):
        raise UnreadError(f"${render(node)}$ divides by zero")
    if is_number(top) and is_number(bottom):
        return number(top.term.leaf / bottom.term.leaf)  # type: ignore[operator]
    if bottom.kind not in ("scalar", top.kind) and top.kind != "scalar":
        raise ShapeError(f"${render(node)}$ divides a {top.kind} by a {bottom.kind}")
    return entrywise(table.DIV, top, bottom)


def _power(node: ast.Power, meaning: Meaning) -> Part:
    exponent = elaborate(node.exponent, meaning)
    if isinstance(node.base, ast.Norm) and node.base.p in ("", "2", "F") and exponent == number(2):
        return _squared_norm(elaborate(node.base.arg, meaning))
    base = elaborate(node.base, meaning)
    if exponent.term.op == table.NEG and exponent.term.args[0].op == "#":
        exponent = number(-exponent.term.args[0].leaf)  # type: ignore[operator]
    if exponent.kind != "scalar" or exponent.letters:
        raise UnreadError(f"the power ${render(node)}$ is not understood here")
    if base.kind == "matrix" and not node.entrywise:
        return _matrix_power(base, exponent, node)
    if not is_number(exponent) and base.kind == "row":
        raise UnreadError(f"the power ${render(node)}$ is not understood here")
    if is_number(base) and is_number(exponent):
        return number(_number_power(base.term.leaf, exponent.term.leaf, node))
    if exponent == number(sympy.Rational(1, 2)):
        return entrywise(table.SQRT, base)
    return entrywise(table.POW, base, exponent)


def _number_power(base: Any, exponent: Any, node: ast.Node) -> sympy.Expr:
    """Return a power of numbers; huge ones would never be done, and 0 has no inverse."""
    large = base.is_number and not (abs(base) <= MOST_BASE and base.is_Rational and base.q <= MOST_BASE)
    if not exponent.is_Rational or abs(exponent) > MOST_POWER or large or (base == 0 and exponent <= 0):
        raise UnreadError(f"the power ${render(node)}$ is not computed")
    return base**exponent


def _matrix_power(base: Part, exponent: Part, node: ast.Node) -> Part:
    """Read X^{-1} as the inverse; whether X^2 is X X or of every entry, pages leave open."""
    if exponent == number(-1) and not base.letters:
        return whole(Term(table.INVERSE, (base.term,), "matrix"))
    raise UnreadError(
        f"the power ${render(node)}$ of a matrix may be a product or of every entry; write X X, or ^{{\\circ k}}"
    )


def _squared_norm(arg: Part) -> Part:
    square = entrywise(table.POW, arg, number(2))
    if arg.kind == "scalar":
        return square
    if not arg.letters:
        return Part(Term(table.SUM, (square.term,)))
    inside = square.axes[len(square.letters) :]
    return total(replace(square, letters=square.axes, kind="scalar"), inside)


_NORMS = {"1": "norm1", r"\infty": "norminf"}


def _norm(node: ast.Norm, meaning: Meaning) -> Part:
    arg = elaborate(node.arg, meaning)
    if node.p in _NORMS and not arg.letters and arg.kind == "vector":
        return Part(Term(_NORMS[node.p], (arg.term,)))
    if node.p not in ("", "2", "F") or (node.p == "2" and arg.kind == "matrix"):
        raise UnreadError(f"the norm ${render(node)}$ is not read; of a vector 1, 2 and \\infty are, of a matrix F")
    return entrywise(table.SQRT, _squared_norm(arg))


def _absolute(node: ast.Abs, meaning: Meaning) -> Part:
    """Read |x| entry by entry; of a matrix it is the determinant."""
    arg = elaborate(node.arg, meaning)
    if arg.kind == "matrix" and not arg.letters:
        return whole(Term(table.DET, (arg.term,)))
    return entrywise("abs", arg)


# ---------------------------------------------------------------- sums and entries
def _big(node: ast.Big, meaning: Meaning) -> Part:
    if meaning.steps[0] and node.index == ast.Name(meaning.steps[0]) and node.kind == "sum":
        return _over_steps(node, meaning)
    indices = indices_of(node)
    if node.kind != "sum" or not indices or not all(map(is_letter, indices)):
        raise UnreadError(f"${render(node)}$ is not read; only sums over indices are")
    letters = tuple(map(render, indices))
    extents = extents_of(node, letters, meaning)
    body = elaborate(node.body, replace(meaning, indices=meaning.indices | set(letters)))
    if not set(letters) <= set(body.letters):
        raise UnreadError(f"${render(node)}$ sums over an index that stands nowhere in it")
    return total(body, letters, extents)


def _over_steps(node: ast.Big, meaning: Meaning) -> Part:
    """Read a sum over all steps of a recurrence."""
    if node.lower != ast.Number("1") or node.upper != ast.Name(meaning.steps[1]):
        raise UnreadError(f"${render(node)}$: a sum over steps runs from 1 to {meaning.steps[1]}")
    body = elaborate(node.body, meaning)
    return replace(body, term=Term(table.SERIES, (body.term,), body.term.kind, params=meaning.steps))


def _entry(node: ast.Entry, meaning: Meaning) -> Part:
    """Read (formula in i)_i as an array, and (W x)_i with a running i as an entry."""
    letters = tuple(render(sub) for sub in node.subs)
    if all(map(is_letter, node.subs)) and set(letters) & free_letters(node.arg):
        return whole(by_entries(node.arg, letters, meaning))
    places = [place_of(sub, meaning) for sub in node.subs]
    if any(place is None for place in places):
        raise UnreadError(f"${render(node)}$: an index is not understood")
    return at_places(elaborate(node.arg, meaning), [place for place in places if place is not None], node)


def _derivative(node: ast.Derivative, meaning: Meaning) -> Part:
    inner = node.of.wrt if isinstance(node.of, ast.Derivative) else None
    inner = inner.arg if isinstance(inner, ast.Transpose) else inner
    if isinstance(node.of, ast.Derivative) and isinstance(inner, ast.Name) and isinstance(node.wrt, ast.Name):
        return _second_derivative(node, node.of, node.wrt, meaning)
    if not isinstance(node.of, ast.Name) or not isinstance(node.wrt, ast.Name):
        raise UnreadError(f"the derivative ${render(node)}$ is not understood here")
    key, places = cotangent_key(render(node.of), render(node.wrt)), []
    if key not in meaning.kinds:
        of, rows = _stripped(node.of, meaning)
        by, columns = _stripped(node.wrt, meaning)
        key, places = cotangent_key(of, by), [*rows, *columns]
    if key not in meaning.kinds:
        met = f"${render(node)}$: the model here does not lead"
        raise UnreadError(f"{met} from ${render(node.wrt)}$ to ${render(node.of)}$")
    return at_places(whole(Term("", kind=meaning.kinds[key], leaf=key)), places, node)


def _stripped(name: ast.Name, meaning: Meaning) -> tuple[str, list[dict[str, sympy.Expr]]]:
    """Return a name without its indices, and these."""
    found = [place_of(sub, meaning) or numbered(sub) for sub in name.subs]
    kept = tuple(sub for sub, place in zip(name.subs, found, strict=True) if place is None)
    return render(replace(name, subs=kept)), [place for place in found if place is not None]


def _second_derivative(node: ast.Node, inner: ast.Derivative, by: ast.Name, meaning: Meaning) -> Part:
    of, first = render(inner.of), render(inner.wrt) if inner.wrt is not None else ""
    key = second_key(of, render(by)) if inner.wrt == by else mixed_key(of, first, render(by))
    if key not in meaning.kinds and isinstance(inner.wrt, ast.Name):
        (one, rows), (other, columns) = _stripped(inner.wrt, meaning), _stripped(by, meaning)
        if one == other and (whole_key := second_key(of, one)) in meaning.kinds:
            return at_places(whole(Term("", kind=meaning.kinds[whole_key], leaf=whole_key)), [*rows, *columns], node)
    if key not in meaning.kinds:
        raise UnreadError(f"${render(node)}$: the model here has no such second derivative")
    return whole(Term("", kind=meaning.kinds[key], leaf=key))


_HANDLERS: dict[type, Callable[[Any, Meaning], Part]] = {
    ast.Number: _number, ast.Name: _name, ast.Neg: _negative, ast.Sum: _sum, ast.Product: _product,
    ast.Transpose: _transpose, ast.Quotient: _quotient, ast.Power: _power, ast.Norm: _norm, ast.Abs: _absolute,
    ast.Call: lambda node, meaning: applied(node, meaning, elaborate), ast.Big: _big, ast.Entry: _entry,
    ast.Derivative: _derivative, ast.Differential: _differential,
    ast.Cases: lambda node, meaning: elaborate(without_cases(node), meaning),
}  # fmt: skip
