"""The value of an expression at a point, in exact residues or in reals, straight from the rows' definitions.

No derivative rule is used here: the derivative of each equation is that of its own tangents, and the equations'
derivatives are chained.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache, reduce
from operator import mul
from typing import Any

import numpy as np
import sympy

from derive.errors import UnreadError
from derive.expr import Apply, Const, Node, Var, variables, walk
from derive.model import Network, free_variables
from derive.op import Op
from derive.ops.tensor import largest
from derive.shapes import Shape, axes
from derive.verify.functions import Reals, Residues, any_number
from derive.verify.numbers import CostError, Number, RetryError, afford, einsum, joined, number

TRIES = 200
SIZES = (3, 2, 5, 4, 7, 6, 8, 9, 11, 10)
ARRANGEMENTS = 400  # of numbers on the size symbols, of which those with small lengths that differ are taken
LETTERS = "abcdefghijklm"
MOST_PARTS = 64  # into which the tangents of one equation by one name are divided
MOST_TANGENTS = 1 << 25  # entries of the tangents of one equation by one name, or of a Jacobian
MANY = 10_000  # entries that NumPy draws sooner than Python


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of number: its functions, how to draw an array of them, whether it is exact."""

    functions: Any
    draw: Callable[[random.Random, str, tuple[int, ...]], Number]
    exact: bool


def _draw_residues(rng: random.Random, domain: str, shape: tuple[int, ...]) -> Number:
    count = int(np.prod(shape))
    if domain in ("binary", "sign", "index"):
        return number(_drawn([_draw_whole(rng, domain) for _ in range(count)], shape), exact=True)
    values = number(_drawn(_draw_whole_numbers(rng, count), shape), exact=True)
    return values * values if domain in ("positive", "unit", "simplex") else values  # of a square there is a root


def _draw_reals(rng: random.Random, domain: str, shape: tuple[int, ...]) -> Number:
    """Draw short decimals, so that a counterexample can be read."""
    count = int(np.prod(shape))
    if domain in ("binary", "sign", "index"):
        return number(_drawn([_draw_whole(rng, domain) for _ in range(count)], shape), exact=False)
    if domain in ("positive", "unit", "simplex"):
        top = 10 if domain == "unit" else 25
        return number(_drawn([rng.randrange(1, top) for _ in range(count)], shape), exact=False) / 10
    tenths = [k for k in range(-15, 16) if k]
    return number(_drawn([rng.choice(tenths) for _ in range(count)], shape), exact=False) / 10


def _draw_whole_numbers(rng: random.Random, count: int) -> Any:
    if count <= MANY:
        return [rng.randrange(2, 1 << 29) for _ in range(count)]
    return np.random.default_rng(rng.getrandbits(64)).integers(2, 1 << 29, count)


def _draw_whole(rng: random.Random, domain: str) -> int:
    return rng.choice((-1, 1)) if domain == "sign" else rng.randrange(2)


def _drawn(values: Any, shape: tuple[int, ...]) -> Any:
    return np.array(values, np.int64).reshape(shape)


EXACT = Kind(Residues, _draw_residues, True)
REAL = Kind(Reals, _draw_reals, False)


@dataclass(frozen=True, slots=True)
class Point:
    """Values for sizes and variables; what was computed here already is remembered."""

    kind: Kind
    sizes: Mapping[sympy.Expr, int]
    values: dict[Var, Number]
    cotangents: dict[Any, dict[Var, Number]] = field(default_factory=dict)
    memory: dict[Node, Number] = field(default_factory=dict)


def choose_sizes(
    shapes: Iterable[Shape], turn: int = 0, more: Iterable[sympy.Symbol] = ()
) -> dict[sympy.Expr, int]:
    """Give every size symbol a number of its own, none of them 1; `turn` rotates the numbers.

    Where sizes occur in expressions (n - q + 1), these are positive, and where possible differ from all others;
    `more` are symbols that occur in no shape.
    """
    lengths = dict.fromkeys(length for shape in shapes for length in axes(shape) if not length.is_Integer)
    symbols = list(dict.fromkeys(s for length in lengths for s in sorted(length.free_symbols, key=str)))
    symbols += [symbol for symbol in dict.fromkeys(more) if symbol not in symbols]
    numbers = [*SIZES[turn % 3 :], *SIZES[: turn % 3]]
    plain = {symbol: numbers[k % len(numbers)] for k, symbol in enumerate(symbols)}
    if all(length.is_Symbol for length in lengths):
        return plain
    ranked = _arranged(tuple(lengths), tuple(symbols))
    return ranked[turn % len(ranked)] if ranked else plain


@lru_cache(maxsize=256)
def _arranged(
    lengths: tuple[sympy.Expr, ...], symbols: tuple[sympy.Symbol, ...]
) -> list[dict[sympy.Expr, int]]:
    """Return up to three choices of numbers for symbols: lengths are positive, different where possible, and small."""
    rng = random.Random(0)
    numbers = [SIZES[k % 8] for k in range(max(len(symbols), 8))]
    found = []
    for _ in range(ARRANGEMENTS):
        sizes = dict(zip(symbols, rng.sample(numbers, len(symbols)), strict=True))
        values = [length_at(length, sizes) for length in lengths]
        if min(values) >= 1:
            found.append(((min(values) == 1, -len(set(values)), sum(values)), sizes))
    found.sort(key=lambda pair: pair[0])
    different = {tuple(sizes.values()): sizes for _, sizes in found}
    return [*different.values()][:3]


def extents(shape: Shape, sizes: Mapping[sympy.Expr, int]) -> tuple[int, ...]:
    """Return the lengths of a shape's axes as numbers."""
    return tuple(length_at(length, sizes) for length in axes(shape))


def length_at(length: sympy.Expr, sizes: Mapping[sympy.Expr, int]) -> int:
    """Return a size as a number; one that is neither whole nor positive is no size."""
    if length in sizes:
        return sizes[length]
    value = _value_at(length, sizes)
    return int(value) if value.denominator == 1 else 0


def _value_at(expr: sympy.Expr, sizes: Mapping[sympy.Expr, int]) -> Fraction:
    """Return a polynomial in sizes, with floors, as a number; far quicker than substitution."""
    if expr.is_Rational:
        return Fraction(int(expr.p), int(expr.q))
    if expr in sizes:
        return Fraction(sizes[expr])
    parts = [_value_at(part, sizes) for part in expr.args]
    if expr.is_Add:
        return sum(parts, Fraction(0))
    if expr.is_Mul:
        return reduce(mul, parts)
    if expr.is_Pow and parts[1].denominator == 1 and (parts[0] or parts[1] >= 0):
        return parts[0] ** int(parts[1])
    if isinstance(expr, sympy.floor):
        return Fraction(math.floor(parts[0]))
    raise NotImplementedError(f"the size {expr} is not evaluated")


def draw(var: Var, point: Point, rng: random.Random) -> Number:
    """Draw a variable's value within its domain."""
    shape = extents(var.shape, point.sizes)
    afford(math.prod(shape), exact=point.kind.exact)
    kind, _, along = var.domain.partition(" ")
    axis = len(shape) - 1 if along else 0
    if kind == "onehot" and shape:
        return number(_one_hot(shape, axis, rng), point.kind.exact)
    values = point.kind.draw(rng, kind, shape)
    if kind == "simplex" and shape:
        return _on_simplex(values, axis)
    if kind == "symmetric":
        return values + values.each(np.transpose)
    if kind == "spd":
        return einsum("ij,kj->ik", [values, values]) + values.each(lambda x: np.eye(len(x), dtype=np.int64) + x * 0)
    if kind == "diagonal":
        return values.each(lambda x: x * np.eye(len(x), dtype=np.int64))
    return values


def _one_hot(shape: tuple[int, ...], axis: int, rng: random.Random) -> Any:
    """One entry along the axis is 1, the others 0."""
    rest = shape[:axis] + shape[axis + 1 :]
    chosen = np.array([rng.randrange(shape[axis]) for _ in range(int(np.prod(rest)))], np.int64).reshape(rest)
    return np.moveaxis(np.eye(shape[axis], dtype=np.int64)[chosen], -1, axis)


def _on_simplex(values: Number, axis: int) -> Number:
    """The entries along the axis sum to 1, all positive where that has a meaning."""
    word = LETTERS[: len(values.shape)]
    total = einsum(f"{word}->{word.replace(word[axis], '')}", [values])
    return einsum(f"{word},{word.replace(word[axis], '')}->{word}", [values, 1 / total])


def evaluate(node: Node, point: Point, known: Mapping[Var, Number] | None = None) -> Number:
    """Return the value of an expression; the axes are those of its shape without a row's first.

    Args:
        node: The expression.
        point: Values of sizes and variables.
        known: Values that take the place of the point's own.
    Raises:
        RetryError: the point meets a pole.
        KeyError: a variable has no value.
        UnreadError: it uses a size that is not the model's.
    """
    if isinstance(node, Var):
        return known[node] if known is not None and node in known else point.values[node]
    if isinstance(node, Const):
        constant = node.value if node.value.is_Number else node.value.subs(point.sizes)
        if constant.free_symbols:
            unknown = ", ".join(sorted(f"${symbol}$" for symbol in constant.free_symbols))
            raise UnreadError(f"{unknown} is no size of the model here")
        return any_number(constant, point.kind.exact)
    assert isinstance(node, Apply)
    op, functions = node.op, point.kind.functions
    if op.define is not None and op.spec is None:
        return evaluate(op.define(*node.operands, *node.params), point, known)
    if known is None and node in point.memory:
        return point.memory[node]
    operands = [evaluate(operand, point, known) for operand in node.operands]
    if op.value is not None or not node.operands:
        afford(math.prod(extents(node.shape, point.sizes)))
    if op.value is not None:
        value: Number = op.value(functions, *operands, *(_plain_size(param, point.sizes) for param in node.params))
        return value
    if op.spec is not None:
        spec = op.spec(tuple(operand.shape for operand in node.operands), *node.params)
        return _largest(spec, operands[0]) if op.reduce == "max" else einsum(spec, operands)
    if not node.operands:
        return number(np.ones(extents(node.shape, point.sizes), np.int64), point.kind.exact)
    result = _full(_entrywise(node, functions, operands), extents(node.shape, point.sizes))
    if known is None and op.prime:  # a function of a name is met in many equations
        point.memory[node] = result
    return result


def _plain_size(param: Any, sizes: Mapping[sympy.Expr, int]) -> Any:
    return length_at(param, sizes) if isinstance(param, sympy.Expr) else str(param)


def _largest(spec: str, x: Number) -> Number:
    """Return the maximum along axes, as the sum of what stands where it is."""
    left, right = spec.split("->")
    dropped = tuple(k for k, letter in enumerate(left) if letter not in right)
    mask = largest(x.values, dropped)
    return einsum(f"{left},{left}->{right}", [x, x.each(lambda values: mask + values * 0)])




def _full(value: Number, shape: tuple[int, ...]) -> Number:
    return value if value.shape == shape else value + number(np.zeros(shape, np.int64), bool(value.parts[0].modulus))


def _entrywise(node: Apply, functions: Any, operands: list[Number]) -> Number:
    op = node.op
    order = int(node.params[0]) if node.params else 0
    body, x = op.body, operands[0]
    if body is None and not op.prime:
        raise NotImplementedError(f"{op.name} has no value at a point")
    if body is None:
        arbitrary: Number = functions.unknown(str(node.params[1]), order, x)
        return arbitrary
    if order == 0:
        result = body(functions, *operands)
        return result if isinstance(result, Number) else number(result, functions is Residues)
    if order == 1 and all(part.dx is None for part in x.parts):
        return _tangent(lambda moving: body(functions, moving), x)
    return _by_slope(node, op, order, x)


def _tangent(function: Callable[[Number], Number], x: Number) -> Number:
    """Return the derivative of an entrywise function by its tangent."""
    ones = x.each(lambda values: values * 0 + 1)
    return function(x.along(ones)).tangents(1).at(0)


def _by_slope(node: Apply, op: Op, order: int, x: Number) -> Number:
    """Return a derivative of a function that moves, or its second derivative: from the slope."""
    if op.slope is None or order > 2:
        raise NotImplementedError(f"{op.name}: derivatives past the second are not evaluated")
    inner = Var("x", ())
    slope = op.slope(inner, Apply(op.name, inner))
    kind = EXACT if x.parts[0].modulus else REAL

    def value(at: Number) -> Number:
        return evaluate(slope, Point(kind, {}, {inner: at}, {}))

    if order == 1:
        return value(x)
    if any(part.dx is not None for part in x.parts):
        raise NotImplementedError(f"{op.name}: derivatives past the second are not evaluated")
    return _tangent(value, x)


# ---------------------------------------------------------------- a network at a point
def run(network: Network, point: Point) -> None:
    """Compute the value of every name, in place."""
    for item in network.definitions:
        point.values[item.name] = evaluate(item.value, point)


def cotangents_at(
    network: Network, point: Point, ends: Mapping[Var, Number | None], structured: bool = True,
    skipped: frozenset[Var] = frozenset(),
) -> dict[Var, Number]:  # fmt: skip
    """Return the derivative of the ends by every name and free variable, where the network has run.

    Args:
        network: What computes the ends.
        point: Values of all names.
        ends: The names differentiated, each with the cotangent that weights it (None for a scalar).
        structured: Whether cotangents of symmetric and diagonal variables stay in their space.
        skipped: Free variables by which nothing is differentiated.
    Each equation's Jacobian is that of its tangents; the cotangents are chained from the ends backwards.
    """
    one = number(1, point.kind.exact)
    found = {end: one if weights is None else weights for end, weights in ends.items()}
    for item in reversed(network.definitions):
        if item.name not in found:
            continue
        for name in variables(item.value):
            if name in skipped:
                continue
            handed = _handed(item.value, name, found[item.name], point)
            found[name] = found[name] + handed if name in found else handed
    return {name: _projected(name, value) for name, value in found.items()} if structured else found


def _projected(name: Var, value: Number) -> Number:
    """Return a cotangent in the space of a structured variable: its symmetric part, or its diagonal."""
    if len(name.shape) != 2 or name.domain not in ("symmetric", "spd", "diagonal"):
        return value
    if name.domain == "diagonal":
        return value.each(lambda x: x * np.eye(len(x), dtype=np.int64))
    return (value + value.each(np.transpose)) / 2


def _handed(value: Node, name: Var, cotangent: Number, point: Point) -> Number:
    """Return the cotangent of a name by one equation: for each entry, the tangent weighted by the cotangent."""
    base, word = point.values[name], LETTERS[1 : 1 + len(cotangent.shape)]
    count = math.prod(base.shape)
    afford(count * (count + math.prod(cotangent.shape)), MOST_TANGENTS)

    def along(start: int, stop: int) -> list[Number]:
        """Return the entries in a range; in two parts where the tangents would take too much memory."""
        try:
            result = evaluate(value, point, {name: base.moving(start, stop)})
            return [einsum(f"a{word},{word}->a", [result.tangents(stop - start), cotangent])]
        except CostError:
            if (stop - start) * MOST_PARTS <= count or stop - start == 1:
                raise
        middle = (start + stop) // 2
        return along(start, middle) + along(middle, stop)

    return joined(along(0, count)).each(lambda x: x.reshape(base.shape))


def jacobian_at(network: Network, point: Point, of: Var, by: Var) -> Number:
    """Return the derivative of a name by a variable or another name where the network has run, by tangents all the way.

    Returns: An array with the axes of `of`, then those of `by`.
    """
    base = point.values[by]
    afford(math.prod(base.shape) * math.prod(point.values[of].shape), MOST_TANGENTS)
    known = {by: base.moving()}
    for item in network.definitions:
        if item.name != by and any(name in known for name in variables(item.value)):
            known[item.name] = evaluate(item.value, point, known)
    count = math.prod(base.shape)
    result = known.get(of, point.values[of]).tangents(count)
    return result.each(lambda x: np.moveaxis(x, 0, -1).reshape((*x.shape[1:], *base.shape)))


def _inner_shapes(node: Node) -> Iterator[Shape]:
    """Yield the shapes within an expression whose sizes are expressions, such as n - q + 1."""
    for part in walk(node):
        if any(not (length.is_Symbol or length.is_Integer) for length in part.shape):
            yield part.shape


def places(node: Node) -> Iterator[sympy.Symbol]:
    """Yield the symbols that say where windows begin and how far apart they are, and those of sizes as numbers."""
    for part in walk(node):
        if isinstance(part, Const):
            yield from sorted(part.value.free_symbols, key=str)
        if isinstance(part, Apply) and part.op.sized:
            yield from (symbol for param in part.params for symbol in sorted(param.free_symbols, key=str))


def size_choices(
    network: Network, free: Iterable[Var], count: int, beside: Iterable[sympy.Symbol] = ()
) -> list[dict[sympy.Expr, int]]:
    """Return several choices of sizes at which a network, with its free variables, can be computed.

    `beside` are further sizes, which stand in no shape.
    """
    shapes = [name.shape for name in (*free, *(item.name for item in network.definitions))]
    shapes += [shape for item in network.definitions for shape in _inner_shapes(item.value)]
    more = [symbol for item in network.definitions for symbol in places(item.value)]
    return [choose_sizes(shapes, turn, (*more, *beside)) for turn in range(count)]


def points(
    kind: Kind, network: Network, more: Iterable[Var], count: int, seed: int = 0,
    given: Mapping[sympy.Expr, int] | None = None, beside: Iterable[sympy.Symbol] = (),
) -> Iterator[Point]:  # fmt: skip
    """Yield points at which the network has run, of rotating sizes; `more` variables are drawn too.

    `given` are sizes that are not chosen; `beside` are sizes that stand in no shape.
    A point that meets a pole, or a root that does not exist, is drawn again, up to `TRIES` times for each.
    """
    free = dict.fromkeys([*free_variables(network), *more])
    made = 0
    sizes = [{**chosen, **(given or {})} for chosen in size_choices(network, free, count, beside)]
    for attempt in range(TRIES * count):
        rng = random.Random(f"{seed}:{attempt}")
        point = Point(kind, sizes[made], {}, {})
        point.values.update({name: draw(name, point, rng) for name in free})
        try:
            run(network, point)
        except RetryError:
            continue
        made += 1
        yield point
        if made == count:
            return
