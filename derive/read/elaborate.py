r"""From what is written to operations: a formula's tree becomes a term once the kinds of its names are known.

Which product is meant follows from the kinds. Formulas in indices stand in `indexed.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import sympy

from derive.errors import ShapeError, UnreadError
from derive.op import TABLE
from derive.ops import table
from derive.read import syntax as ast
from derive.read.indexed import bare_sum, comprehended, undefined
from derive.read.spelling import render
from derive.read.terms import (
    DEPTH,
    ENTRY_KIND,
    HADAMARD,
    ROWS,
    STACK_KINDS,
    Function,
    Meaning,
    Term,
    cotangent_key,
    entrywise,
    key_of,
    multiply,
    new_size,
    second_key,
    transpose,
    usual,
    with_constant,
)
from derive.read.vocabulary import INDICATORS, ONES
from derive.shapes import ROW

MOST_BASE, MOST_POWER = 10**6, 64  # of numbers whose power is computed


def elaborate(node: ast.Node, meaning: Meaning) -> Term:
    """Return the term of a formula without relation.

    Raises:
        ShapeError: the kinds do not fit, such as a product of two column vectors.
        UnreadError: a part has no meaning here; the message names it.
    """
    handler = _HANDLERS.get(type(node))
    if handler is None:
        raise UnreadError(f"${render(node)}$ is not understood here")
    return handler(node, meaning)


def _number(node: ast.Number, meaning: Meaning) -> Term:
    try:
        value = Fraction(node.text)
    except ValueError:
        raise UnreadError(f"{node.text} is no number that can be used here") from None
    return Term("#", leaf=sympy.Rational(value.numerator, value.denominator))


def _name(node: ast.Name, meaning: Meaning) -> Term:
    key, index = _key(node, meaning)
    if key in meaning.sizes and not index:
        return Term("#", leaf=sympy.Symbol(key, integer=True, positive=True))
    if key not in meaning.kinds:
        return _usual_name(node, meaning)
    kind = meaning.kinds[key]
    if not index:
        return Term("", kind=kind, leaf=key)
    if kind not in ENTRY_KIND:
        raise ShapeError(f"${render(node)}$: {key} is a {kind} and has no entries")
    return Term("", kind=ENTRY_KIND[kind], leaf=key, stacked=index)


def _key(node: ast.Name, meaning: Meaning) -> tuple[str, str]:
    """Return a name's key and the index that it is an entry along; a name of its own, such as z_i, has none."""
    full = render(node)
    runs = any(render(sub) in meaning.indices for sub in node.subs)
    if full in meaning.kinds and not (runs and render(replace(node, subs=())) in meaning.kinds):
        return full, ""
    return key_of(node, meaning.indices)


def _usual_name(node: ast.Name, meaning: Meaning) -> Term:
    """Read what needs no definition: the identity matrix and the vector of ones."""
    if node == ast.Name("I"):
        size = new_size()
        return Term(table.SELECTION, kind="matrix", params=(size, sympy.Integer(0), size, sympy.Integer(1)))
    if node.base in ONES and node == ast.Name(node.base):
        return Term(table.ONES, kind="vector", params=(new_size(),))
    raise undefined(node, meaning)


def _negative(node: ast.Neg, meaning: Meaning) -> Term:
    return entrywise("neg", elaborate(node.arg, meaning))


def _sum(node: ast.Sum, meaning: Meaning) -> Term:
    left, right = elaborate(node.left, meaning), elaborate(node.right, meaning)
    if left.kind != right.kind and not any(term.op == "#" for term in (left, right)):
        raise ShapeError(f"${render(node)}$ adds a {left.kind} and a {right.kind}")
    return entrywise("add" if node.sign == "+" else "sub", left, right)


def _product(node: ast.Product, meaning: Meaning) -> Term:
    left, right = elaborate(node.left, meaning), elaborate(node.right, meaning)
    if node.sign == r"\oslash":
        return _divided(left, right, node)
    if "scalar" in (left.kind, right.kind):
        return entrywise("mul", left, right)
    if node.sign in HADAMARD or (node.sign == "*" and left.kind == right.kind == "vector"):
        if left.kind != right.kind:
            raise ShapeError(f"${render(node)}$ is an entrywise product of a {left.kind} and a {right.kind}")
        return entrywise("mul", left, right)
    if left.kind == right.kind == "vector":
        if meaning.dot == "entrywise" or (meaning.dot == "hadamard" and node.sign):
            return entrywise("mul", left, right)
        if node.sign:
            return multiply(transpose(left), right, node)
    return multiply(left, right, node)


def _transpose(node: ast.Transpose, meaning: Meaning) -> Term:
    return transpose(elaborate(node.arg, meaning))


def _quotient(node: ast.Quotient, meaning: Meaning) -> Term:
    return _divided(elaborate(node.top, meaning), elaborate(node.bottom, meaning), node)


def _divided(top: Term, bottom: Term, node: ast.Node) -> Term:
    if bottom.op == "#" and bottom.leaf == 0:
        raise UnreadError(f"${render(node)}$ divides by zero")
    if top.op == "#" and bottom.op == "#":
        return Term("#", leaf=top.leaf / bottom.leaf)  # type: ignore[operator]
    if bottom.kind not in ("scalar", top.kind) and top.kind != "scalar":
        raise ShapeError(f"${render(node)}$ divides a {top.kind} by a {bottom.kind}")
    return entrywise("div", top, bottom)


def _power(node: ast.Power, meaning: Meaning) -> Term:
    exponent = elaborate(node.exponent, meaning)
    if isinstance(node.base, ast.Norm) and node.base.p in ("", "2", "F") and exponent.leaf == 2:
        return _squared_norm(elaborate(node.base.arg, meaning), node)
    base = elaborate(node.base, meaning)
    if exponent.op == table.NEG and exponent.args[0].op == "#":
        exponent = Term("#", leaf=-exponent.args[0].leaf)  # type: ignore[operator]
    if exponent.kind != "scalar" or exponent.stacked:
        raise UnreadError(f"the power ${render(node)}$ is not understood here")
    if base.kind == "matrix" and not node.entrywise and not base.stacked:
        return _matrix_power(base, exponent, node)
    if exponent.op != "#" and base.kind == "row":
        raise UnreadError(f"the power ${render(node)}$ is not understood here")
    if base.op == "#" and exponent.op == "#":
        return Term("#", leaf=_number_power(base.leaf, exponent.leaf, node))
    if exponent.leaf == sympy.Rational(1, 2):
        return entrywise("sqrt", base)
    return entrywise("pow", base, exponent)


def _number_power(base: Any, exponent: Any, node: ast.Node) -> sympy.Expr:
    """Return a power of numbers; huge ones would never be done, and 0 has no inverse."""
    large = base.is_number and not (abs(base) <= MOST_BASE and base.is_Rational and base.q <= MOST_BASE)
    if not exponent.is_Rational or abs(exponent) > MOST_POWER or large or (base == 0 and exponent <= 0):
        raise UnreadError(f"the power ${render(node)}$ is not computed")
    return base**exponent


def _matrix_power(base: Term, exponent: Term, node: ast.Node) -> Term:
    """Read X^{-1} as the inverse; whether X^2 is X X or of every entry, pages leave open."""
    if exponent.leaf == -1:
        return Term(table.INVERSE, (base,), "matrix")
    raise UnreadError(
        f"the power ${render(node)}$ of a matrix may be a product or of every entry; write X X, or ^{{\\circ k}}"
    )


def _squared_norm(arg: Term, node: ast.Node) -> Term:
    if arg.stacked:
        raise UnreadError(f"${render(node)}$: the norm of an entry is not read here")
    square = entrywise("pow", arg, Term("#", leaf=sympy.Integer(2)))
    return Term("sum", (square,)) if arg.kind != "scalar" else square


_NORMS = {"1": "norm1", r"\infty": "norminf"}


def _norm(node: ast.Norm, meaning: Meaning) -> Term:
    arg = elaborate(node.arg, meaning)
    if node.p in _NORMS and not arg.stacked and arg.kind == "vector":
        return Term(_NORMS[node.p], (arg,))
    if node.p not in ("", "2", "F") or (node.p == "2" and arg.kind == "matrix"):
        raise UnreadError(f"the norm ${render(node)}$ is not read; of a vector 1, 2 and \\infty are, of a matrix F")
    return entrywise("sqrt", _squared_norm(arg, node))


def _absolute(node: ast.Abs, meaning: Meaning) -> Term:
    return entrywise("abs", elaborate(node.arg, meaning))


def _call(node: ast.Call, meaning: Meaning) -> Term:
    name = render(replace(node.function, primes=0))
    if isinstance(node.args[0], ast.Relation):
        return _indicator(node, elaborate(node.args[0].links[0], meaning), meaning)
    if name in meaning.kinds:
        raise UnreadError(f"${name}$ is a quantity here, and is written as a function in ${render(node)}$")
    function = meaning.functions.get(name)
    if name in _SUMS_ALONG and function in (None, Function()) and len(node.args) == 1:
        arg = elaborate(node.args[0], meaning)
        return Term(table.SUM, (arg,), _kind_of(table.SUM, arg, _SUMS_ALONG[name]), params=(_SUMS_ALONG[name],))
    if function is None or (function == Function() and node.function.subs):
        known = _with_constant(node, meaning)
        if known is not None:
            return known
    if function is None:
        raise UnreadError(f"the function {name} is not known here")
    if function.body is not None and not node.function.primes and meaning.depth < DEPTH:
        try:
            return elaborate(_with_arguments(function, node), replace(meaning, depth=meaning.depth + 1))
        except UnreadError:  # its formula goes beyond what is read: then it is any function of its argument
            if len(node.args) != 1:
                raise
    if len(node.args) == 2 and isinstance(node.args[0], ast.Number) and node.args[0].text == "0" and name == "max":
        return entrywise("relu", elaborate(node.args[1], meaning))
    if len(node.args) != 1:
        raise UnreadError(f"${render(node)}$: a function of {len(node.args)} arguments is not read here")
    return _apply(function, name, node, elaborate(node.args[0], meaning))


def _indicator(node: ast.Call, left: Term, meaning: Meaning) -> Term:
    """Read [z > 0], entry by entry."""
    relation = node.args[0]
    assert isinstance(relation, ast.Relation)
    if node.function.base not in INDICATORS or len(relation.signs) != 1 or relation.signs[0] not in ("<", ">"):
        raise UnreadError(f"${render(node)}$ is not understood here; of indicators, [a > b] is")
    right = elaborate(relation.links[1], meaning)
    zero = right.op == "#" and right.leaf == 0
    inside = left if zero else entrywise(table.SUB, left, right)
    return entrywise("step", inside if relation.signs[0] == ">" else entrywise(table.NEG, inside))


def _with_constant(node: ast.Call, meaning: Meaning) -> Term | None:
    """Read a function with what else it depends on below its name: softmax_row(Z), LeakyReLU_c(z)."""
    bare = render(replace(node.function, subs=(), primes=0))
    function = meaning.functions.get(bare) or usual(bare) or with_constant(bare)
    if function is None or not function.op or len(node.function.subs) != 1 or len(node.args) != 1:
        return None
    (sub,), row = node.function.subs, TABLE[function.op]
    axis = _AXES.get(render(sub))
    if row.body is None and axis is not None and not node.function.primes:
        arg = elaborate(node.args[0], meaning)
        return Term(function.op, (arg,), _kind_of(function.op, arg, axis), params=(axis,))
    if row.arity != 2 or node.function.primes:
        return None
    return entrywise(function.op, elaborate(node.args[0], meaning), elaborate(sub, meaning))


_SUMS_ALONG = {r"\text{rowsum}": 1, r"\text{colsum}": 0}
_AXES = {"row": 1, "col": 0, r"\text{row}": 1, r"\text{col}": 0, r"\text{rows}": 1, r"\text{columns}": 0}


def _apply(function: Function, name: str, node: ast.Call, arg: Term) -> Term:
    primes = node.function.primes
    if not function.op or function.body is not None:
        return entrywise("function", arg, params=(primes, name))
    row = TABLE[function.op]
    if row.body is None:
        return _whole(function.op, node, arg)
    own_name = name != function.op and row.prime
    params = (primes, name) if own_name else (primes,) if primes else ()
    if function.op == table.SQRT and arg.op == "#":
        return Term("#", leaf=sympy.sqrt(arg.leaf))
    return entrywise(function.op, arg, params=params)


_SAMPLE = {"vector": (sympy.Integer(2),), "row": (ROW, sympy.Integer(2)), "matrix": (sympy.Integer(2),) * 2}


def _kind_of(op: str, arg: Term, *params: object) -> str:
    """Return the kind of a function of a whole array; raises ShapeError where it takes no such array."""
    sample = _SAMPLE.get(arg.kind)
    if sample is None:
        raise ShapeError(f"{op} of a {arg.kind}")
    shape = TABLE[op].shape((sample,), *params)
    return "row" if shape[:1] == (ROW,) else ("scalar", "vector", "matrix")[len(shape)]


def _whole(op: str, node: ast.Call, arg: Term) -> Term:
    """Apply a function of all entries: softmax to a vector or to a stack of scalars, tr and det to a matrix."""
    if arg.stacked and not node.function.primes and arg.kind == "scalar":
        if _kind_of(op, replace(arg, kind="vector")) == "scalar":
            return Term(op, (replace(arg, stacked="", kind="vector"),), "scalar")
        return Term(op, (arg,), arg.kind, stacked=arg.stacked)
    if node.function.primes or arg.stacked or (arg.kind == "matrix" and TABLE[op].define and not TABLE[op].signatures):
        raise ShapeError(f"${render(node)}$ needs a vector; this is a {arg.kind}")
    return Term(op, (arg,), _kind_of(op, arg))


def _with_arguments(function: Function, node: ast.Call) -> ast.Node:
    if len(function.parameters) != len(node.args):
        raise UnreadError(
            f"${render(node)}$ has {len(node.args)} arguments; its definition has {len(function.parameters)}"
        )
    assert function.body is not None
    return substitute(function.body, dict(zip(function.parameters, node.args, strict=True)))


def substitute(node: ast.Node, values: Mapping[str, ast.Node]) -> ast.Node:
    """Return a formula's tree with names replaced."""
    if isinstance(node, ast.Name):
        return values.get(render(node), node)
    return ast.map_children(node, lambda part: substitute(part, values))


class _Whole:
    """What formulas in indices need of those without."""

    def __call__(self, node: ast.Node, meaning: Meaning) -> Term:
        return elaborate(node, meaning)

    @staticmethod
    def apply(node: ast.Call, term: Term, meaning: Meaning) -> Term:
        """Return a function of one argument, entry by entry."""
        if isinstance(node.args[0], ast.Relation):
            return _indicator(node, term, meaning)
        name = render(replace(node.function, primes=0))
        function = meaning.functions.get(name)
        if function is None or (function.op and TABLE[function.op].body is None):
            raise UnreadError(f"the function {name} is not read among entries")
        return _apply(function, name, node, term)


WHOLE = _Whole()


def _big(node: ast.Big, meaning: Meaning) -> Term:
    if meaning.steps[0] and node.index == ast.Name(meaning.steps[0]) and node.kind == "sum":
        return _over_steps(node, meaning)
    try:
        return _sum_of_stack(node, meaning)
    except UnreadError:
        try:
            return bare_sum(node, meaning, WHOLE)
        except (UnreadError, ShapeError):
            pass
        raise


def _over_steps(node: ast.Big, meaning: Meaning) -> Term:
    """Read a sum over all steps of a recurrence."""
    if node.lower != ast.Number("1") or node.upper != ast.Name(meaning.steps[1]):
        raise UnreadError(f"${render(node)}$: a sum over steps runs from 1 to {meaning.steps[1]}")
    body = elaborate(node.body, meaning)
    return Term(table.SERIES, (body,), body.kind, params=meaning.steps)


def _sum_of_stack(node: ast.Big, meaning: Meaning) -> Term:
    if node.kind != "sum" or not isinstance(node.index, ast.Name):
        raise UnreadError(f"${render(node)}$ is not read; only sums with an index are")
    index = render(node.index)
    body = elaborate(node.body, replace(meaning, indices=meaning.indices | {index}))
    if body.op == ROWS and body.stacked == index:
        _extent(node, meaning)
        number, vector = (replace(arg, stacked="", kind=kind) for arg, kind in zip(body.args, STACK_KINDS, strict=True))
        return multiply(transpose(vector), number, node)
    if body.stacked != index or body.kind != "scalar":
        raise UnreadError(f"${render(node)}$: the sum over {index} is not understood here")
    return Term("sum", (replace(body, stacked="", kind="vector"),), extent=_extent(node, meaning))


def _extent(node: ast.Big, meaning: Meaning) -> sympy.Expr | None:
    """Return how many entries a sum runs over, where its limits say it; anything but all of them is not read."""
    lower, upper = node.lower, node.upper
    if lower == ast.Number("0") and isinstance(upper, ast.Sum) and (upper.sign, upper.right) == ("-", ast.Number("1")):
        lower, upper = ast.Number("1"), upper.left
    if lower not in (None, ast.Number("1")):
        raise UnreadError(f"${render(node)}$: a sum that does not begin at the first entry is not read")
    if isinstance(upper, ast.Number) and upper.text.isdigit():
        return sympy.Integer(upper.text)
    if upper is None:
        return None
    if not isinstance(upper, ast.Name):
        raise UnreadError(f"${render(node)}$: its upper limit is no size of the model")
    known = meaning.exact or render(upper) in meaning.sizes
    return sympy.Symbol(render(upper), integer=True, positive=True) if known else None


def _entry(node: ast.Entry, meaning: Meaning) -> Term:
    """Read (formula in i)_i as an array, and (W x)_i with a running i as an entry of a stack."""
    found = comprehended(node, meaning, WHOLE)
    if found is not None:
        return found
    running = [render(sub) for sub in node.subs]
    term = elaborate(node.arg, meaning)
    if len(running) == 1 and running[0] in meaning.indices and term.kind in ENTRY_KIND and not term.stacked:
        return replace(term, kind=ENTRY_KIND[term.kind], stacked=running[0])
    raise UnreadError(f"${render(node)}$ is not understood here")


def _derivative(node: ast.Derivative, meaning: Meaning) -> Term:
    if isinstance(node.of, ast.Derivative) and node.of.wrt == node.wrt and isinstance(node.wrt, ast.Name):
        return _second_derivative(node, node.of, node.wrt, meaning)
    if not isinstance(node.of, ast.Name) or not isinstance(node.wrt, ast.Name):
        raise UnreadError(f"the derivative ${render(node)}$ is not understood here")
    key = cotangent_key(render(node.of), render(node.wrt))
    by, index = _key(node.wrt, meaning)
    if key not in meaning.kinds and index:
        key = cotangent_key(render(node.of), by)
    if key not in meaning.kinds:
        met = f"${render(node)}$: the model here does not lead"
        raise UnreadError(f"{met} from ${render(node.wrt)}$ to ${render(node.of)}$")
    kind = meaning.kinds[key]
    return Term("", kind=ENTRY_KIND.get(kind, kind) if index else kind, leaf=key, stacked=index)


def _second_derivative(node: ast.Node, inner: ast.Derivative, by: ast.Name, meaning: Meaning) -> Term:
    key = second_key(render(inner.of), render(by))
    if key not in meaning.kinds:
        raise UnreadError(f"${render(node)}$: the model here has no such second derivative")
    return Term("", kind=meaning.kinds[key], leaf=key)


_HANDLERS: dict[type, Callable[[Any, Meaning], Term]] = {
    ast.Number: _number, ast.Name: _name, ast.Neg: _negative, ast.Sum: _sum, ast.Product: _product,
    ast.Transpose: _transpose, ast.Quotient: _quotient, ast.Power: _power, ast.Norm: _norm, ast.Abs: _absolute,
    ast.Call: _call, ast.Big: _big, ast.Derivative: _derivative, ast.Entry: _entry,
}  # fmt: skip
