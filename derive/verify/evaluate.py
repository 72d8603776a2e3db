"""The value of an expression at a point, in exact residues or in reals, straight from the rows' definitions.

No derivative rule is used here: derivatives are tangents of the function itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any, TypeAlias

import numpy as np
import sympy

from derive.expr import Apply, Const, Node, Var
from derive.model import Network, free_variables
from derive.shapes import ROW, Shape, axes
from derive.verify.numbers import Functions, Number, Real, RealFunctions, Residue, RetryError

Array: TypeAlias = Any  # an object array of numbers, zero-dimensional for a scalar
TRIES = 60
SIZES = (3, 2, 5, 4, 7, 6, 8, 9, 11, 10)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of number: how to make one, its functions, how to draw one."""

    of: Callable[[Any], Number]
    functions: Any
    draw: Callable[[random.Random, str], Number]


def _draw_residue(rng: random.Random, domain: str) -> Residue:
    if domain == "binary":
        return Residue.of(rng.randrange(2))
    value = rng.randrange(2, 1 << 60)
    if domain in ("positive", "unit"):  # squares, so that their roots exist
        return Residue(value * value, value * value)
    return Residue(value, value)


def _draw_real(rng: random.Random, domain: str) -> Real:
    """Draw a short decimal, so that a counterexample can be read."""
    if domain == "binary":
        return Real.of(rng.randrange(2))
    if domain in ("positive", "unit"):
        return Real(rng.randrange(1, 10)) / 10 if domain == "unit" else Real(rng.randrange(1, 25)) / 10
    return Real(rng.choice([k for k in range(-15, 16) if k])) / 10


EXACT = Kind(Residue.of, Functions, _draw_residue)
REAL = Kind(Real.of, RealFunctions, _draw_real)


@dataclass(frozen=True, slots=True)
class Point:
    """Values for sizes and variables."""

    kind: Kind
    sizes: Mapping[sympy.Expr, int]
    values: dict[Var, Array]


def choose_sizes(shapes: Iterable[Shape], turn: int = 0) -> dict[sympy.Expr, int]:
    """Give every size symbol a number of its own, none of them 1; `turn` rotates the numbers."""
    symbols = dict.fromkeys(s for shape in shapes for length in shape for s in length.free_symbols if s != ROW)
    numbers = SIZES[turn % 3 :] + tuple(range(12, 12 + len(symbols)))
    return dict(zip(symbols, numbers, strict=False))


def extents(shape: Shape, sizes: Mapping[sympy.Expr, int]) -> tuple[int, ...]:
    """Return the lengths of a shape's axes as numbers."""
    return tuple(int(length.subs(sizes)) for length in axes(shape))


def draw(var: Var, point: Point, rng: random.Random) -> Array:
    """Draw a variable's value within its domain."""
    shape = extents(var.shape, point.sizes)
    array = np.empty(shape, object)
    for place in np.ndindex(*shape):
        array[place] = point.kind.draw(rng, var.domain)
    if var.domain == "onehot" and shape:
        return _one_hot(array, point.kind, rng)
    if var.domain == "simplex" and shape:
        return _on_simplex(array, point.kind)
    return array


def _one_hot(array: Array, kind: Kind, rng: random.Random) -> Array:
    """One entry of each column is 1, the others 0."""
    for rest in np.ndindex(*array.shape[1:]):
        chosen = rng.randrange(array.shape[0])
        for k in range(array.shape[0]):
            array[(k, *rest)] = kind.of(int(k == chosen))
    return array


def _on_simplex(array: Array, kind: Kind) -> Array:
    """The entries of each column sum to 1, all positive where that has a meaning."""
    if kind is REAL:
        array = np.vectorize(lambda x: x * x, otypes=[object])(array)
        return array / array.sum(axis=0)
    array[-1] = 1 - array[:-1].sum(axis=0)
    return array


def evaluate(node: Node, point: Point) -> Array:
    """Return the value of an expression; the axes are those of its shape without a row's first.

    Raises:
        RetryError: the point meets a pole.
        KeyError: a variable has no value.
    """
    if isinstance(node, Var):
        return point.values[node]
    if isinstance(node, Const):
        return _boxed(point.kind.of(_rational(node.value, point.sizes)))
    assert isinstance(node, Apply)
    op = node.op
    if op.spec is not None:
        spec = op.spec(tuple(operand.shape for operand in node.operands), *node.params)
        return _contract(spec, [evaluate(operand, point) for operand in node.operands], point, op.reduce)
    if op.define is not None:
        return evaluate(op.define(*node.operands, *node.params), point)
    if not node.operands:
        return np.full(extents(node.shape, point.sizes), point.kind.of(1), object)
    return _entrywise(node, point)


def _rational(value: sympy.Expr, sizes: Mapping[sympy.Expr, int]) -> Fraction:
    number = sympy.Rational(value.subs(sizes))
    return Fraction(int(number.p), int(number.q))


def _boxed(number: Number) -> Array:
    box = np.empty((), object)
    box[()] = number
    return box


def _contract(spec: str, arrays: list[Array], point: Point, reduction: str) -> Array:
    if reduction == "max":
        left, right = spec.split("->")
        dropped = tuple(k for k, letter in enumerate(left) if letter not in right)
        flat = np.moveaxis(arrays[0], dropped, tuple(range(len(dropped))))
        flat = flat.reshape((-1, *flat.shape[len(dropped) :]))
        return reduce(np.vectorize(point.kind.functions.larger, otypes=[object]), flat)
    result = np.einsum(spec, *arrays)
    return result if isinstance(result, np.ndarray) else _boxed(result)


def _entrywise(node: Apply, point: Point) -> Array:
    operands = [evaluate(operand, point) for operand in node.operands]
    scalar_function = _scalar_function(node, point.kind)
    shape = extents(node.shape, point.sizes)
    result = np.empty(shape, object)
    for place in np.ndindex(*shape):
        result[place] = scalar_function(*(operand[place] if operand.shape else operand[()] for operand in operands))
    return result


def _scalar_function(node: Apply, kind: Kind) -> Callable[..., Number]:
    op = node.op
    order = int(node.params[0]) if node.params else 0
    if op.body is None:
        label = str(node.params[1])
        return lambda x: kind.functions.unknown(label, order, x)
    body = op.body
    if order == 0:
        return lambda *xs: body(kind.functions, *xs)
    if order > 1:
        raise NotImplementedError(f"{op.name}: derivatives past the first")
    return lambda x: body(kind.functions, kind.of(1) * x.with_tangent()).tangent()


# ---------------------------------------------------------------- a network at a point
def run(network: Network, point: Point, replaced: Mapping[Var, Array] | None = None) -> None:
    """Compute the value of every name, in place; `replaced` names keep the given value."""
    for item in network.definitions:
        if replaced is None or item.name not in replaced:
            point.values[item.name] = evaluate(item.value, point)
        else:
            point.values[item.name] = replaced[item.name]


def derivative_at(network: Network, by: Var, point: Point, ends: Mapping[Var, Array | None]) -> Array:
    """Return the derivative of the ends by a name, at a point where the network has run, by tangents.

    Args:
        network: What computes the ends.
        by: A free variable or a name; as a name it is moved, and what lies below it recomputed.
        point: Values of all names.
        ends: The names differentiated, each with the cotangent that weights it (None for a scalar).
    """
    base = point.values[by]
    result = np.empty(base.shape, object)
    for place in np.ndindex(*base.shape):
        moved = base.copy()
        moved[place] = moved[place].with_tangent()
        trial = Point(point.kind, point.sizes, {**point.values, by: moved})
        run(network, trial, {by: moved})
        parts = [trial.values[end] if weights is None else trial.values[end] * weights for end, weights in ends.items()]
        result[place] = sum(
            (entry for part in parts for entry in np.asarray(part, object).ravel()), point.kind.of(0)
        ).tangent()
    return result


def points(kind: Kind, network: Network, more: Iterable[Var], count: int, seed: int = 0) -> Iterator[Point]:
    """Yield points at which the network has run, of rotating sizes; `more` variables are drawn too.

    A point that meets a pole, or a root that does not exist, is drawn again, up to `TRIES` times for each.
    """
    free = dict.fromkeys([*free_variables(network), *more])
    shapes = [name.shape for name in (*free, *(item.name for item in network.definitions))]
    made = 0
    for attempt in range(TRIES * count):
        rng = random.Random(f"{seed}:{attempt}")
        point = Point(kind, choose_sizes(shapes, made), {})
        point.values.update({name: draw(name, point, rng) for name in free})
        try:
            run(network, point)
        except RetryError:
            continue
        made += 1
        yield point
        if made == count:
            return
