"""Exact evaluation: residues obey the laws that proofs by them rest on, and no wrong gradient is accepted."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numbers_helpers import floats, inner, reals, run_moved, summed, the_one
from test_backprop import BACKWARD, LOSS, WITH_LOSS, Example, network, point_of, quotients

from derive.backprop import derive_gradients
from derive.derivation import Equation
from derive.errors import DeriveError
from derive.expr import Apply, Const, Node, Var, matrix, rebuild, scalar, variables, vector, walk
from derive.model import Definition, Network
from derive.op import TABLE
from derive.ops import table
from derive.ops.activation import relu, tanh
from derive.ops.elementwise import exp, log, sqrt, unknown
from derive.ops.reduction import softmax, total
from derive.shapes import ROW
from derive.verify.evaluate import EXACT, REAL, Kind, Point, cotangents_at, evaluate, points, run
from derive.verify.functions import Reals, Residues, any_number
from derive.verify.judge import agrees, evaluate_side, judge
from derive.verify.numbers import DIGITS, MP, Number, P, Part, Q, RetryError, einsum, number
from derive.verify.setting import Setting
from derive.verify.steps import setting_for

WAYS = 2  # directions in which the residues drawn here move
SHAPES = ((), (3,), (2, 3))
Shape = tuple[int, ...]
smooth = settings(max_examples=60, deadline=None)


# ---------------------------------------------------------------- arrays of residues
@st.composite
def residues(draw: st.DrawFn, shape: Shape, low: int = 0) -> Number:
    """An array with tangents or without; values and tangents of the two parts have nothing to do with each other."""
    moving = draw(st.booleans())
    parts = []
    for modulus in (P, Q):
        value = draw(arrays(np.int64, shape, elements=st.integers(low, modulus - 1)))
        tangents = draw(arrays(np.int64, (WAYS, *shape), elements=st.integers(0, modulus - 1))) if moving else None
        parts.append(Part(value, tangents, modulus))
    return Number(tuple(parts))


def families(count: int, low: int = 0, shapes: tuple[Shape, ...] = SHAPES) -> st.SearchStrategy[tuple[Number, ...]]:
    """Some arrays of one shape; `low=1` for those that are divided by."""
    return st.sampled_from(shapes).flatmap(lambda shape: st.tuples(*(residues(shape, low) for _ in range(count))))


def modulo_p(x: Number) -> tuple[Any, Any]:
    """Values and tangents modulo p: all that can be compared where the laws hold in exponents alone."""
    return x.values.tolist(), x.tangents(WAYS).values.tolist()


def whole(x: Number) -> list[tuple[Any, Any, Any]]:
    """All that an array of residues is: values and tangents, modulo p and modulo q."""
    moved = x.tangents(WAYS)
    return [(p.modulus, p.x.tolist(), d.x.tolist()) for p, d in zip(x.parts, moved.parts, strict=True)]


def shown(x: Number, values: Callable[[Part], Any], tangents: Callable[[Part], Any]) -> list[tuple[Any, Any, Any]]:
    """What `whole` should give, from each part of another array."""
    return [(p.modulus, np.asarray(values(p)).tolist(), np.asarray(tangents(p)).tolist()) for p in x.parts]


def zeros(shape: Shape) -> Number:
    return number(np.zeros(shape, np.int64), exact=True)


def tangents_of(p: Part) -> Any:
    return np.zeros((WAYS, *p.x.shape), np.int64) if p.dx is None else p.dx


def ints(array: Any) -> Any:
    """Python integers, which do not overflow."""
    return np.asarray(array).astype(object)


def test_the_moduli_are_primes_as_the_exponential_needs() -> None:
    assert P == 2 * Q + 1
    for modulus in (P, Q):  # Miller-Rabin, with bases that decide below 3.3e24
        odd, twos = modulus - 1, 0
        while odd % 2 == 0:
            odd, twos = odd // 2, twos + 1
        for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41):
            x = pow(base, odd, modulus)
            powers = [pow(x, 2**k, modulus) for k in range(twos)]
            assert x == 1 or modulus - 1 in powers


@smooth
@given(families(3))
def test_residues_with_tangents_are_a_commutative_ring(family: tuple[Number, ...]) -> None:
    x, y, z = family
    for left, right in [
        (x + y, y + x), (x * y, y * x), ((x + y) + z, x + (y + z)), ((x * y) * z, x * (y * z)),
        (x * (y + z), x * y + x * z), (x - x, zeros(x.shape)), (x + 0, x), (x * 1, x), (0 - (0 - x), x),
        (x - y, -(y - x)), (1 - x, -(x - 1)), (x * 0, zeros(x.shape)),
    ]:  # fmt: skip
        assert whole(left) == whole(right)


@smooth
@given(families(2))
def test_sums_and_products_are_those_of_python_integers(family: tuple[Number, ...]) -> None:
    x, y = family
    pairs = list(zip(x.parts, y.parts, strict=True))
    for found, value, tangents in [
        (x + y, lambda a, b: a + b, lambda a, b, da, db: da + db),
        (x * y, lambda a, b: a * b, lambda a, b, da, db: da * b + a * db),
    ]:
        for part, moved, (one, other) in zip(found.parts, found.tangents(WAYS).parts, pairs, strict=True):
            a, b, da, db = map(ints, (one.x, other.x, tangents_of(one), tangents_of(other)))
            assert part.x.tolist() == np.asarray(value(a, b) % part.modulus).tolist()
            assert moved.x.tolist() == (tangents(a, b, da, db) % part.modulus).tolist()


@smooth
@given(families(2, low=1))
def test_division_undoes_multiplication_with_tangents(family: tuple[Number, ...]) -> None:
    x, y = family
    assert whole(x / y * y) == whole(x)
    assert whole(1 / (1 / y)) == whole(y)
    assert whole(x**-2) == whole(1 / (x * x))
    assert whole(x**3) == whole(x * x * x)
    assert whole(x**0) == whole(zeros(x.shape) + 1)


@smooth
@given(families(2))
def test_the_exponential_turns_sums_into_products_with_tangents(family: tuple[Number, ...]) -> None:
    x, y = family
    assert modulo_p(Residues.exp(x + y)) == modulo_p(Residues.exp(x) * Residues.exp(y))
    one = np.ones(x.shape, np.int64).tolist()
    assert Residues.exp(x - x).values.tolist() == one
    assert (Residues.exp(-x) * Residues.exp(x)).values.tolist() == one


@smooth
@given(families(2, low=1), st.sampled_from(["exp", "log", "sin", "cos", "normal_cdf"]))
def test_a_function_of_a_product_moves_by_the_chain_rule(family: tuple[Number, ...], name: str) -> None:
    x, y = family
    function = getattr(Residues, name)
    at = x * y
    slope = function(at.along(zeros(at.shape) + 1)).tangents(1).at(0)
    found = function(at).tangents(WAYS)
    assert whole(found) == whole(slope * at.tangents(WAYS))


@smooth
@given(families(1))
def test_sine_and_cosine_are_each_others_derivatives(family: tuple[Number]) -> None:
    (x,) = family
    still, speed = x.without_tangents(), x.tangents(WAYS)
    assert whole(Residues.sin(x).tangents(WAYS)) == whole(Residues.cos(still) * speed)
    assert whole(Residues.cos(x).tangents(WAYS)) == whole(-Residues.sin(still) * speed)


@smooth
@given(families(1, low=1))
def test_a_root_squares_to_its_argument_or_there_is_none(family: tuple[Number]) -> None:
    (x,) = family
    square = x * x
    root = Residues.sqrt(square)
    assert modulo_p(root * root) == modulo_p(square)
    assert modulo_p(Residues.power(square, Fraction(3, 2))) == modulo_p(square * root)
    assert modulo_p(Residues.power(square, Fraction(-1, 2))) == modulo_p(1 / root)
    missing = [entry for entry in x.values.ravel().tolist() if pow(entry, (P - 1) // 2, P) == P - 1]
    try:
        root = Residues.sqrt(x)
    except RetryError:
        assert missing
        return
    assert not missing
    assert modulo_p(root * root) == modulo_p(x)
    assert modulo_p(Residues.power(x, Fraction(3, 2))) == modulo_p(x * root)


@smooth
@given(families(1, low=1))
def test_the_step_is_idempotent_and_opposite_for_the_opposite(family: tuple[Number]) -> None:
    (x,) = family
    one, other = Residues.step(x), Residues.step(-x)
    assert set(one.values.ravel().tolist()) <= {0, 1}
    assert whole(one + other) == whole(zeros(x.shape) + 1), "modulo p and modulo q alike, and without tangents"
    assert whole(one * one) == whole(one)


@smooth
@given(families(1))
def test_unknown_functions_of_different_names_differ_and_each_derives_into_its_prime(family: tuple[Number]) -> None:
    (x,) = family
    one, other = Residues.unknown("f", 0, x), Residues.unknown("g", 0, x)
    assert np.all(one.values != other.values)
    primes = Residues.unknown("f", 1, x.without_tangents())
    assert whole(one.tangents(WAYS)) == whole(primes * x.tangents(WAYS))


def test_unknown_functions_of_different_names_differ_at_real_points_as_well() -> None:
    x = reals(3) / 10
    assert not Reals.unknown("f", 0, x).same(Reals.unknown("g", 0, x))


@given(st.fractions(max_denominator=10**6))
def test_a_fraction_is_itself(value: Fraction) -> None:
    for part, modulus in zip(number(value, exact=True).parts, (P, Q), strict=True):
        assert part.x.shape == () and part.dx is None
        assert int(part.x) * value.denominator % modulus == value.numerator % modulus
    found = the_one(number(value, exact=False))
    assert abs(found * value.denominator - value.numerator) <= (1 + abs(value.numerator)) * MP.mpf(10) ** (2 - DIGITS)


@pytest.mark.parametrize("kind", [EXACT, REAL], ids=["exact", "real"])
def test_the_square_of_a_constant_is_its_square(kind: Kind) -> None:
    pi = sympy.pi
    for value in [*map(sympy.sqrt, range(1, 17)), sympy.sqrt(sympy.Rational(3, 7)), 1 / sympy.sqrt(2 * pi),
                  sympy.sqrt(2 / pi), sympy.sqrt(pi), pi / 3, 1 + sympy.sqrt(2)]:  # fmt: skip
        square = any_number(value, kind.exact) * any_number(value, kind.exact)
        assert square.same(any_number(sympy.expand(value**2), kind.exact)), value


@given(arrays(np.int64, (2, 3), elements=st.integers(-(2**62), 2**62)))
def test_an_array_of_integers_is_itself(values: Any) -> None:
    assert [p.x.tolist() for p in number(values, exact=True).parts] == [(ints(values) % m).tolist() for m in (P, Q)]
    assert [[int(x) for x in row] for row in number(values, exact=False).values] == values.tolist()


def test_poles_ask_for_another_point() -> None:
    for zero in (number(0, exact=True), number(np.array([[1, 2], [0, 3]]), exact=True)):
        for pole in (
            lambda zero=zero: 1 / zero, lambda zero=zero: zero**-1, lambda zero=zero: Residues.log(zero),
            lambda zero=zero: Residues.step(zero), lambda zero=zero: Residues.power(zero, Fraction(-1, 2)),
        ):  # fmt: skip
            with pytest.raises(RetryError):
                pole()
    with pytest.raises(RetryError):
        number(Fraction(1, P), exact=True)
    with pytest.raises(RetryError):
        number(Fraction(1, Q), exact=True)
    for zero, negative in (
        (reals(0), reals(-1)),
        (reals(np.array([1, 0, 2])), reals(np.array([1, -1, 2]))),
    ):
        for real_pole in (
            lambda zero=zero: 1 / zero, lambda zero=zero: zero**-1, lambda zero=zero: Reals.log(zero),
            lambda negative=negative: Reals.power(negative, Fraction(1, 2)),
            lambda negative=negative: Reals.sqrt(negative),
            lambda negative=negative: Reals.log(negative), lambda zero=zero: Reals.step(zero),
        ):  # fmt: skip
            with pytest.raises(RetryError):
                real_pole()


@smooth
@given(families(1))
def test_numbers_that_differ_in_one_entry_or_in_shape_are_not_the_same(family: tuple[Number]) -> None:
    (x,) = family
    place = (0,) * len(x.shape)
    unit = np.zeros(x.shape, np.int64)
    unit[place] = 1
    assert x.same(x + 0) and not x.same(x + number(unit, exact=True))
    assert not x.same(x.at(None)), "an axis more"
    real = reals(unit)
    assert real.same(real + reals(unit) / 10**30) and not real.same(real + reals(unit) / 10**20)
    assert not real.same(real.at(None))


# ---------------------------------------------------------------- axes and directions
LENGTHS = {"i": 2, "j": 3, "k": 4, "l": 2}
SPECS = (
    "i->i", "ij->ji", "ij->j", "ij->", "ii->", "ii->i", "i,i->", "i,j->ij", "i,j->", ",ij->ij", "ij,j->i", "i,ij->j",
    "ij,jk->ik", "ij,kj->ik", "ij,ij->", "ij,kj->ki", "ii,i->i", "ij,jk,kl->il", "i,ij,j->", "ijk,k,j->i",
    "kj,lj,i->kil",
)  # fmt: skip


def of_words(left: str) -> st.SearchStrategy[tuple[Number, ...]]:
    return st.tuples(*(residues(tuple(LENGTHS[letter] for letter in word)) for word in left.split(",")))


@pytest.mark.parametrize("spec", SPECS)
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_an_einsum_is_that_of_python_integers_and_its_tangents_obey_the_product_rule(spec: str, data: Any) -> None:
    numbers = data.draw(of_words(spec.split("->")[0]))
    found = einsum(spec, list(numbers))
    moved = found.tangents(WAYS)
    columns = zip(*(n.parts for n in numbers), strict=True)
    for part, tangents, column in zip(found.parts, moved.parts, columns, strict=True):
        values = [ints(p.x) for p in column]
        assert part.x.tolist() == np.asarray(np.einsum(spec, *values) % part.modulus).tolist()
        for way in range(WAYS):
            by_rule = sum(
                np.einsum(spec, *values[:k], ints(tangents_of(p)[way]), *values[k + 1 :]) for k, p in enumerate(column)
            )
            assert tangents.x[way].tolist() == np.asarray(by_rule % part.modulus).tolist()


@pytest.mark.parametrize("spec", SPECS)
def test_no_sum_of_products_of_the_largest_residues_overflows(spec: str) -> None:
    """-1 is the largest residue: products of it fill 62 bits, and a sum of a few would need more than 64."""
    words = spec.split("->")[0].split(",")
    minus = [-np.ones([6] * len(word), np.int64) for word in words]
    found = einsum(spec, [number(x, exact=True).along(number(x, exact=True)) for x in minus])
    expected = np.asarray(np.einsum(spec, *minus))
    assert whole(found.without_tangents()) == whole(number(expected, exact=True))
    assert found.tangents(1).at(0).same(number(expected * len(words), exact=True))


@pytest.mark.parametrize("spec", SPECS)
def test_an_einsum_of_reals_is_that_of_their_short_decimals(spec: str) -> None:
    rng = np.random.default_rng(0)
    words = spec.split("->")[0].split(",")
    tenths = [np.asarray(rng.integers(-15, 16, [LENGTHS[letter] for letter in word])) for word in words]
    moving = [reals(values).along(reals(np.asarray(values**2))) / 10 for values in tenths]
    found, scale = einsum(spec, moving), 10 ** len(words)
    assert (found * scale).same(reals(np.asarray(np.einsum(spec, *tenths))))
    by_rule = sum(np.einsum(spec, *tenths[:k], values**2, *tenths[k + 1 :]) for k, values in enumerate(tenths))
    assert (found.tangents(1).at(0) * scale).same(reals(np.asarray(by_rule)))


@smooth
@given(families(1))
def test_a_moving_array_has_the_identity_as_tangents(family: tuple[Number]) -> None:
    (x,) = family
    count = int(np.prod(x.shape))
    identity = np.eye(count, dtype=np.int64).reshape(count, *x.shape)
    moving = x.moving()
    assert [p.x.tolist() for p in moving.parts] == [p.x.tolist() for p in x.parts]
    assert [p.x.tolist() for p in moving.tangents(count).parts] == [identity.tolist()] * 2
    by_square = (moving * moving).tangents(count)
    assert by_square.same(number(identity, exact=True) * (2 * x.without_tangents()))
    real = reals(np.arange(1, count + 1).reshape(x.shape)) / 7
    assert real.moving().same(real) and real.moving().tangents(count).same(reals(identity))
    assert Reals.exp(real.moving()).tangents(count).same(reals(identity) * Reals.exp(real))


@smooth
@given(families(2))
def test_an_array_moves_along_the_direction_given(family: tuple[Number, ...]) -> None:
    x, direction = family
    moving = x.along(direction)
    assert moving.same(x)
    assert [p.x.tolist() for p in moving.tangents(1).at(0).parts] == [p.x.tolist() for p in direction.parts]
    assert all(p.dx is None for p in moving.without_tangents().parts)


BESIDE: dict[str, Callable[[Any, Any], Number]] = {
    "sum": lambda x, y: x + y,
    "difference": lambda x, y: x - y,
    "product": lambda x, y: x * y,
    "quotient": lambda x, y: x / y,
    "product of functions": lambda x, y: Residues.exp(x) * Residues.sin(y),
}


def spread(x: Number, shape: Shape) -> Number:
    """The same numbers, repeated by hand to a larger shape."""
    room = (1,) * (len(shape) - len(x.shape))
    return Number(tuple(
        Part(
            np.broadcast_to(p.x.reshape(room + p.x.shape), shape).copy(),
            None if p.dx is None else np.broadcast_to(p.dx.reshape(WAYS, *room, *p.x.shape), (WAYS, *shape)).copy(),
            p.modulus,
        )
        for p in x.parts
    ))  # fmt: skip


@pytest.mark.parametrize("name", BESIDE)
@pytest.mark.parametrize("small", [(), (3,), (1, 3), (2, 1)], ids=str)
@settings(max_examples=20, deadline=None)
@given(st.data())
def test_a_smaller_array_beside_a_tensor_is_repeated_with_its_tangents(name: str, small: Shape, data: Any) -> None:
    one, tensor = data.draw(residues(small, 1)), data.draw(residues((2, 3), 1))
    combine = BESIDE[name]
    assert whole(combine(one, tensor)) == whole(combine(spread(one, (2, 3)), tensor))
    assert whole(combine(tensor, one)) == whole(combine(tensor, spread(one, (2, 3))))


@pytest.mark.parametrize(
    "place", [(0,), (-1,), (1, 2), (slice(None), 1), (slice(None), slice(0, 2)), (None,), (..., 0), ()], ids=str
)
@settings(max_examples=10, deadline=None)
@given(residues((2, 3)))
def test_a_part_of_an_array_has_that_part_of_its_tangents(place: tuple[Any, ...], x: Number) -> None:
    by_hand = shown(x, lambda p: p.x[place], lambda p: np.stack([way[place] for way in tangents_of(p)]))
    assert whole(x.at(*place)) == by_hand


# ---------------------------------------------------------------- reals
CASES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "exp": (Reals.exp, mpmath.exp),
    "log": (Reals.log, mpmath.log),
    "sqrt": (Reals.sqrt, mpmath.sqrt),
    "sin": (Reals.sin, mpmath.sin),
    "cos": (Reals.cos, mpmath.cos),
    "normal_cdf": (Reals.normal_cdf, mpmath.ncdf),
    "a quotient": (lambda x: (1 + x) / (x * x + 3), lambda x: (1 + x) / (x * x + 3)),
    "powers": (lambda x: x**3 - x**-2 + 2 - x, lambda x: x**3 - x**-2 + 2 - x),
    "a root as a power": (lambda x: Reals.power(x, Fraction(3, 2)), lambda x: x ** mpmath.mpf(1.5)),
    "a composition": (lambda x: Reals.exp(Reals.sin(x * x)), lambda x: mpmath.exp(mpmath.sin(x * x))),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("at", ["0.3", "1.7", "2.9"])
def test_a_real_and_its_tangent_are_mpmaths(name: str, at: str) -> None:
    ours, theirs = CASES[name]
    with mpmath.workdps(2 * DIGITS):  # a difference quotient keeps half of the digits
        value, slope = theirs(mpmath.mpf(at)), mpmath.diff(theirs, mpmath.mpf(at))
    for shape in ((), (2,)):
        x = reals(at) + reals(np.zeros(shape, np.int64))
        found = ours(x.along(x * 0 + 1))
        assert found.shape == shape
        for entry, moved in zip(found.values.ravel(), found.tangents(1).values.ravel(), strict=True):
            assert abs(entry - value) <= abs(value) * MP.mpf(10) ** (3 - DIGITS)
            assert abs(moved - slope) <= (1 + abs(slope)) * MP.mpf(10) ** (3 - DIGITS)


@pytest.mark.parametrize("order", [0, 1, 2, 3, 4])
def test_the_stand_in_for_an_unknown_function_derives_into_its_own_primes(order: int) -> None:
    """By central differences with a step of 1e-15: the error is its square, and what cancels of fifty digits."""
    x, step = reals("0.7"), reals(1) / 10**15
    ends = [Reals.unknown("f", order, x + sign * step) for sign in (1, -1)]
    slope = the_one((ends[0] - ends[1]) / (2 * step))
    moved = Reals.unknown("f", order, x.along(reals(1))).tangents(1).at(0)
    assert abs(the_one(moved) - slope) < 1e-28
    assert abs(the_one(Reals.unknown("f", order + 1, x)) - slope) < 1e-28


def test_our_digits_are_our_own() -> None:
    before = mpmath.mp.dps
    Reals.exp(reals("0.1"))
    assert mpmath.mp.dps == before and MP.dps == DIGITS


# ---------------------------------------------------------------- networks
@pytest.mark.parametrize("example", WITH_LOSS, ids=lambda example: example.name)
def test_a_tangent_of_the_model_is_a_central_difference(example: Example) -> None:
    point = point_of(example.network, 9)
    loss = example.network.loss
    assert loss is not None
    found = cotangents_at(example.network, point, {loss: None})
    for name in [*(item.name for item in example.network.definitions[:-1])][:2]:
        expected = quotients(example.network, name, point, lambda trial: trial.values[loss])
        np.testing.assert_allclose(floats(found[name]), expected, rtol=1e-13, atol=1e-13)  # compared as float64


@pytest.mark.parametrize("example", WITH_LOSS, ids=lambda example: example.name)
def test_chained_cotangents_are_the_tangents_of_the_whole_model(example: Example) -> None:
    """One name moves, and all below it with it: forward mode without a chain, in residues and in reals."""
    loss = example.network.loss
    assert loss is not None
    for kind in (EXACT, REAL):
        point = next(points(kind, example.network, (), 1))
        found = cotangents_at(example.network, point, {loss: None})
        assert set(found) == set(point.values), "every name and every free variable"
        for name, base in dict(point.values).items():
            if name != loss:
                moved = run_moved(example.network, point, {name: base.moving()}).values[loss]
                forward = moved.tangents(int(np.prod(base.shape)))
                assert found[name].shape == base.shape
                assert found[name].each(np.ravel).same(forward.each(np.ravel)), name.latex


def deep(depth: int) -> Network:
    """Layers that share a matrix and a scale, each handed on past the next one."""
    weights, scale, last = matrix("W", "n", "n"), scalar("s"), vector("x", "n")
    steps: list[tuple[Var, Node]] = []
    for k in range(1, depth + 1):
        z, a = vector(f"z^{{[{k}]}}", "n"), vector(f"a^{{[{k}]}}", "n")
        steps += [(z, weights @ last + scale * last), (a, tanh(z) + last / k if k % 2 else Apply("sin", z))]
        last = a
    return network("deep", *steps, (LOSS, total((last - vector("y", "n")) ** 2) + scale**2 * total(last)))


def test_chained_cotangents_are_central_differences_however_deep_the_chain() -> None:
    model = deep(12)
    point = point_of(model, 2)
    found = cotangents_at(model, point, {LOSS: None})
    for name in (matrix("W", "n", "n"), scalar("s"), vector("x", "n"), vector("z^{[2]}", "n"), vector("a^{[7]}", "n")):
        expected = quotients(model, name, point, lambda trial: trial.values[LOSS])
        np.testing.assert_allclose(floats(found[name]), expected, rtol=1e-13, atol=1e-13, err_msg=name.latex)


def test_cotangents_of_several_ends_are_weighted_and_added() -> None:
    model = deep(4)
    point = point_of(model, 3)
    inside, last = vector("a^{[2]}", "n"), vector("a^{[4]}", "n")
    weights = {inside: point.values[vector("x", "n")], last: point.values[vector("y", "n")]}

    def end(trial: Point) -> Number:
        values = [inner(trial.values[name], weight) for name, weight in weights.items()]
        return values[0] + values[1] + trial.values[LOSS]

    found = cotangents_at(model, point, {**weights, LOSS: None})
    for name in (matrix("W", "n", "n"), scalar("s"), vector("z^{[1]}", "n"), vector("z^{[3]}", "n"), inside):
        expected = quotients(model, name, point, end)
        np.testing.assert_allclose(floats(found[name]), expected, rtol=1e-13, atol=1e-13, err_msg=name.latex)


PRIMED = [row.name for row in TABLE.values() if row.prime and row.slope is not None and row.body is not None]


@pytest.mark.parametrize("name", PRIMED)
def test_a_derivative_of_a_primed_function_is_its_own_central_difference(name: str) -> None:
    """Of order 1 and of order 2, where the function stands alone and where what it is applied to moves."""
    x, step = vector("x", "n"), reals(1) / 10**15
    at = reals(np.array([3, 7, 11])) / 10

    def value(order: int, here: Number) -> Number:
        node = Apply(name, x, order) if order else Apply(name, x)
        return evaluate(node, Point(REAL, {x.shape[0]: 3}, {x: here}, {}))

    for order in (0, 1):
        ends = [value(order, at + sign * step) for sign in (1, -1)]
        expected = floats((ends[0] - ends[1]) / (2 * step))
        above, moved = value(order + 1, at), value(order, at.along(at * 0 + 1)).tangents(1).at(0)
        for found in (above, moved):
            np.testing.assert_allclose(floats(found), expected, rtol=1e-13, atol=1e-13)  # compared as float64


def test_the_draw_of_each_domain_lies_in_it() -> None:
    names = {d: vector(d, "n", d) for d in ("real", "positive", "unit", "binary", "onehot", "simplex")}
    z = vector("z", "n")
    model = Network("", (Definition(z, sum(list(names.values())[1:], names["real"])),))
    for kind in (EXACT, REAL):
        for point in points(kind, model, (), 3):
            values = {domain: point.values[name].values.tolist() for domain, name in names.items()}
            assert sorted(values["onehot"]) == [0] * (len(values["onehot"]) - 1) + [1]
            assert set(values["binary"]) <= {0, 1}
            assert summed(point.values[names["simplex"]]).same(number(1, kind.exact))
            if kind is REAL:
                assert all(0 < x < 1 for x in values["unit"])
                assert all(x > 0 for x in (*values["positive"], *values["simplex"]))
    sizes = [set(point.sizes.values()) for point in points(EXACT, model, (), 3)]
    assert len(set(map(frozenset, sizes))) > 1, "the sizes rotate"


def test_roots_of_many_entries_find_an_exact_point() -> None:
    """Half of the residues have a root: a vector of five needs thirty-two tries on average, a matrix far more."""
    wide = matrix("V", "m", "n", "positive")
    model = Network("", (Definition(scalar("L"), total(sqrt(wide))),), scalar("L"))
    assert list(points(EXACT, model, (), 3))


# ---------------------------------------------------------------- mutants
def mutants(value: Node, pool: list[Var]) -> Iterator[tuple[str, Node]]:
    """Every right side of the same shape that is one small slip away."""
    for part in dict.fromkeys(walk(value)):
        for slip, other in slips(part, pool):
            if other.shape == part.shape and other != part:
                try:
                    mutant = rebuild(value, lambda p, part=part, other=other: other if p == part else None)
                except DeriveError:
                    continue
                if mutant.shape == value.shape:
                    yield slip, mutant


def slips(part: Node, pool: list[Var]) -> Iterator[tuple[str, Node]]:
    if isinstance(part, Const):
        yield "number", Const(part.value + 1)
        return
    yield "sign", -part
    yield "factor", 2 * part
    if isinstance(part, Var):
        yield from (("name", other) for other in pool if other.shape == part.shape)
        return
    assert isinstance(part, Apply)
    yield from (("dropped", operand) for operand in part.operands if operand.shape == part.shape)
    if part.op.prime:
        yield "prime", Apply(part.args[0], *part.operands, 1 - int((*part.params, 0)[0]), *part.params[1:])
    if part.op.name == table.ADD:
        yield "sign between", Apply(table.SUB, *part.operands)
    if part.op.name == table.SUB:
        yield "sign between", Apply(table.ADD, *part.operands)
        yield "order", Apply(table.SUB, *part.operands[::-1])
    if part.op.name == table.DIV:
        yield "product for quotient", Apply(table.MUL, *part.operands)
    if part.op.name == table.MUL:
        yield "sum for product", Apply(table.ADD, *part.operands)
    if part.op.name == table.MATMUL and ROW not in part.shape:
        try:
            yield "order of a product", part.operands[1] @ part.operands[0]
        except DeriveError:
            return


def judged(example: Example) -> tuple[Setting, list[Equation]]:
    derivation = derive_gradients(example.network)
    wanted = [item for item in derivation.equations if item.role in BACKWARD]
    return setting_for(example.network, derivation), wanted


def differ_at_a_real_point(left: Node, right: Node, setting: Setting) -> bool:
    for point in points(REAL, setting.network, (), 2, seed=11):
        try:
            sides = [evaluate_side(side, setting, point).each(np.ravel) for side in (left, right)]
        except RetryError:
            continue
        assert sides[0].shape == sides[1].shape
        if not sides[0].same(sides[1]):
            return True
    return False


COUNTED: dict[str, int] = {}


@pytest.mark.parametrize("example", WITH_LOSS, ids=lambda example: example.name)
def test_no_mutant_of_a_right_gradient_is_accepted(example: Example) -> None:
    setting, equations = judged(example)
    pool = [name for item in equations for name in [item.name]] + [d.name for d in example.network.definitions]
    rng = random.Random(example.name)
    accepted, count = [], 0
    for item in equations:
        made = {mutant: slip for slip, mutant in mutants(item.value, [*pool, *variables(item.value)])}
        chosen = rng.sample(sorted(made, key=str), min(len(made), 12))
        assert agrees(item.name, item.value, setting)
        for mutant in chosen:
            if agrees(item.name, mutant, setting):
                if differ_at_a_real_point(item.name, mutant, setting):
                    accepted.append((made[mutant], str(mutant)))
            else:
                count += 1
    COUNTED[example.name] = count
    assert not accepted


def test_at_least_two_hundred_mutants_were_told_apart() -> None:
    if len(COUNTED) < len(WITH_LOSS):
        pytest.skip("the mutants of every model are counted when all of this file runs")
    assert sum(COUNTED.values()) >= 200


@pytest.mark.parametrize("name", ["neuron", "logistic", "softmax one-hot", "hidden bce"])
def test_a_refuted_mutant_comes_with_a_point_at_which_the_sides_differ(name: str) -> None:
    example = next(example for example in WITH_LOSS if example.name == name)
    setting, equations = judged(example)
    for item in equations:
        verdict = judge(item.name, -item.value, setting)
        assert verdict.verdict == "refuted" and verdict.counterexample is not None
        example_ = verdict.counterexample
        np.testing.assert_allclose(example_.claimed, -np.asarray(example_.derived), rtol=1e-13)  # printed as float64
        assert set(example_.symbols) >= {v.latex for v in variables(item.value)}


# ---------------------------------------------------------------- verdicts
def plain_setting(*definitions: tuple[Var, Node]) -> Setting:
    model = Network("m", tuple(Definition(*d) for d in definitions), definitions[-1][0])
    return setting_for(model, derive_gradients(model))


Z, R, W = vector("z", "n"), vector("r", "n", "positive"), vector("w", "n")
SETTING = plain_setting((Z, W * vector("x", "n")), (scalar("L"), total(Z * R)))

PROVED: dict[str, tuple[Node, Node]] = {
    "log softmax, of which residues see nothing": (log(softmax(Z)), Z - Apply("logsumexp", Z)),
    "log e^z": (log(exp(Z)), Z),
    "a root of every entry": (sqrt(R) * sqrt(R), R),
}
HOLDS_IN_REALS: dict[str, tuple[Node, Node]] = {
    "ReLU(2z) = 2 ReLU(z)": (relu(2 * Z), 2 * relu(Z)),
    "sin² + cos² = 1": (Apply("sin", Z) ** 2 + Apply("cos", Z) ** 2, Apply("ones", *Z.shape)),
}


@pytest.mark.parametrize("name", PROVED)
def test_what_the_normal_form_proves_is_called_proved(name: str) -> None:
    verdict = judge(*PROVED[name], SETTING)
    assert verdict.verdict == "proved", verdict.reason


@pytest.mark.parametrize("name", HOLDS_IN_REALS)
def test_what_residues_alone_deny_is_never_refuted(name: str) -> None:
    assert judge(*HOLDS_IN_REALS[name], SETTING).verdict in ("proved", "verified", "undecided")


REFUTED: dict[str, tuple[Node, Node]] = {
    "e^Σlog r against Σr": (exp(total(log(R))), total(R)),
    "Σ z√r√r against Σz Σr": ((Z * sqrt(R)).T @ sqrt(R), total(Z) * total(R)),
    "Σ z/r against Σz/Σr": (total(Z / R), total(Z) / total(R)),
    "f against g": (unknown("f", Z), unknown("g", Z)),
    "a sum against its square": (total(Z), total(Z) ** 2),
}


@pytest.mark.parametrize("name", REFUTED)
def test_what_is_wrong_at_real_points_is_refuted(name: str) -> None:
    verdict = judge(*REFUTED[name], SETTING)
    assert verdict.verdict == "refuted", verdict.reason


def test_sides_of_different_shapes_are_ill_typed() -> None:
    verdict = judge(Z, total(Z), SETTING)
    assert verdict.verdict == "ill-typed" and "(n,)" in verdict.reason and "scalar" in verdict.reason


def test_a_verdict_is_no_boolean() -> None:
    with pytest.raises(TypeError, match="a verdict is no boolean"):
        bool(judge(Z, Z, SETTING))


def test_a_moved_name_is_moved_and_all_below_it_recomputed() -> None:
    point = next(points(REAL, SETTING.network, (), 1))
    before = dict(point.values)
    moved = before[Z] + 1
    expected = inner(moved, before[R])
    there = run_moved(SETTING.network, point, {Z: moved})
    assert there.values[Z] is moved and there.values[scalar("L")].same(expected)
    (loss,) = (item.value for item in SETTING.network.definitions if item.name == scalar("L"))
    assert evaluate(loss, point, {Z: moved}).same(expected), "a value known takes the place of the point's own"
    assert point.values == before, "which stay as they are"
    run(SETTING.network, point)
    assert point.values[Z].same(before[Z]) and not before[scalar("L")].same(expected)
    assert point.values[scalar("L")].same(before[scalar("L")])


def test_an_integer_axis_of_sizes_is_summed() -> None:
    point = next(points(REAL, SETTING.network, (), 1))
    count = Const(Z.shape[0])
    assert evaluate(count, point).same(reals(len(point.values[Z].values)))
    found = floats(evaluate(total(Z) / count, point))
    assert math.isclose(found, float(np.mean(floats(point.values[Z]))), rel_tol=1e-15)  # float64, a few roundings


def test_every_row_evaluates_in_both_kinds() -> None:
    x = vector("x", "n", "positive")
    model = Network("", (Definition(scalar("L"), total(x)),), scalar("L"))
    for kind in (EXACT, REAL):
        point = next(points(kind, model, (), 1))
        for row in TABLE.values():
            if row.body is not None and row.slope is not None:
                try:
                    assert evaluate(Apply(row.name, x), point).shape == point.values[x].shape
                except RetryError:
                    assert row.name == "sqrt", "only a root may be missing at a drawn point"


def test_a_setting_knows_the_records_own_name_of_a_cotangent() -> None:
    alias = Var(r"\bar{z}", Z.shape)
    setting = replace(SETTING, cotangents={**SETTING.cotangents, alias: Z})
    assert setting.primary(alias).latex == r"\frac{\partial L}{\partial z}"
