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
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_backprop import BACKWARD, WITH_LOSS, Example, floats, point_of, quotients

from derive.backprop import derive_gradients
from derive.derivation import Equation
from derive.errors import DeriveError
from derive.expr import Apply, Const, Node, Var, matrix, rebuild, scalar, variables, vector, walk
from derive.model import Definition, Network
from derive.op import TABLE
from derive.ops import table
from derive.ops.elementwise import exp, log, relu, sqrt, unknown
from derive.ops.reduction import softmax, total
from derive.shapes import ROW
from derive.verify.evaluate import EXACT, REAL, derivative_at, evaluate, points, run
from derive.verify.judge import Setting, agrees, evaluate_side, judge
from derive.verify.numbers import DIGITS, MP, Functions, P, Q, Real, RealFunctions, Residue, RetryError, own_shift
from derive.verify.steps import setting_for

FIELDS = ("a", "b", "da", "db")
SHIFT = own_shift("f")


def parts(x: Residue, names: tuple[str, ...] = FIELDS) -> tuple[int, ...]:
    return tuple(getattr(x, name) for name in names)


components = st.integers(0, 2**70)
residues = st.builds(Residue, components, components, components, components)
smooth = settings(max_examples=60, deadline=None)


# ---------------------------------------------------------------- residues
def test_the_moduli_are_primes_as_the_exponential_needs() -> None:
    assert P == 2 * Q + 1
    for number in (P, Q):  # Miller-Rabin, with bases that decide below 3.3e24
        odd, twos = number - 1, 0
        while odd % 2 == 0:
            odd, twos = odd // 2, twos + 1
        for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41):
            x = pow(base, odd, number)
            powers = [pow(x, 2**k, number) for k in range(twos)]
            assert x == 1 or number - 1 in powers


@smooth
@given(residues, residues, residues)
def test_residues_with_tangents_are_a_commutative_ring(x: Residue, y: Residue, z: Residue) -> None:
    for left, right in [
        (x + y, y + x), (x * y, y * x), ((x + y) + z, x + (y + z)), ((x * y) * z, x * (y * z)),
        (x * (y + z), x * y + x * z), (x - x, Residue(0, 0)), (x + 0, x), (x * 1, x), (0 - (0 - x), x),
        (x - y, -(y - x)), (1 - x, -(x - 1)),
    ]:  # fmt: skip
        assert parts(left) == parts(right)


@smooth
@given(residues, residues)
def test_division_undoes_multiplication_with_tangents(x: Residue, y: Residue) -> None:
    assume(y.a and y.b and x.a and x.b)
    assert parts(x / y * y) == parts(x)
    assert parts(1 / (1 / y)) == parts(y)
    assert parts(x**-2) == parts(1 / (x * x))
    assert parts(x**3) == parts(x * x * x)
    assert parts(x**0) == (1, 1, 0, 0)


@smooth
@given(residues, residues)
def test_the_exponential_turns_sums_into_products_with_tangents(x: Residue, y: Residue) -> None:
    left, right = Functions.exp(x + y), Functions.exp(x) * Functions.exp(y)
    assert (left.a, left.da) == (right.a, right.da)
    assert Functions.exp(x - x).a == 1
    assert (Functions.exp(-x) * Functions.exp(x)).a == 1


@smooth
@given(residues, residues, st.sampled_from(["exp", "log", "sin", "cos"]))
def test_a_function_of_a_product_moves_by_the_chain_rule(x: Residue, y: Residue, name: str) -> None:
    assume(x.a and x.b and y.a and y.b)
    function = getattr(Functions, name)
    inner = x * y
    slope = function(inner.with_tangent()).da
    assert function(inner).da == slope * inner.da % P


@smooth
@given(residues)
def test_sine_and_cosine_are_each_others_derivatives(x: Residue) -> None:
    assert Functions.sin(x).da == Functions.cos(x).a * x.da % P
    assert Functions.cos(x).da == -Functions.sin(x).a * x.da % P


@smooth
@given(residues)
def test_a_root_squares_to_its_argument_or_there_is_none(x: Residue) -> None:
    assume(x.a and x.b)
    try:
        root = Functions.sqrt(x)
    except RetryError:
        assert pow(x.a, (P - 1) // 2, P) == P - 1
        return
    assert (root * root).a == x.a and (root * root).da == x.da
    assert (x ** Fraction(3, 2)).a == (x * root).a


@smooth
@given(residues)
def test_the_step_is_idempotent_and_opposite_for_the_opposite(x: Residue) -> None:
    assume(x.a)
    one, other = Functions.step(x), Functions.step(-x)
    assert one.a in (0, 1) and one.a + other.a == 1
    assert (one * one).same(one) and one.da == 0


@smooth
@given(residues)
def test_unknown_functions_of_different_names_differ_and_each_derives_into_its_prime(x: Residue) -> None:
    one, other = Functions.unknown("f", 0, x), Functions.unknown("g", 0, x)
    assert not one.same(other)
    assert one.da == Functions.unknown("f", 1, x).a * x.da % P


def test_unknown_functions_of_different_names_differ_at_real_points_as_well() -> None:
    x = Real(3) / 10
    assert not RealFunctions.unknown("f", 0, x).same(RealFunctions.unknown("g", 0, x))


@given(st.fractions(max_denominator=10**6))
def test_a_fraction_is_itself(value: Fraction) -> None:
    found = Residue.of(value)
    assert found.a * value.denominator % P == value.numerator % P
    assert found.b * value.denominator % Q == value.numerator % Q


def test_poles_ask_for_another_point() -> None:
    zero = Residue(0, 0)
    for pole in (lambda: 1 / zero, lambda: zero**-1, lambda: Functions.log(zero), lambda: Functions.step(zero)):
        with pytest.raises(RetryError):
            pole()
    for real_pole in (
        lambda: 1 / Real(0), lambda: Real(0) ** -1, lambda: RealFunctions.log(Real(0)),
        lambda: Real(-1) ** Fraction(1, 2), lambda: RealFunctions.sqrt(Real(-1)), lambda: RealFunctions.step(Real(0)),
    ):  # fmt: skip
        with pytest.raises(RetryError):
            real_pole()


# ---------------------------------------------------------------- reals
CASES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "exp": (RealFunctions.exp, mpmath.exp),
    "log": (RealFunctions.log, mpmath.log),
    "sqrt": (RealFunctions.sqrt, mpmath.sqrt),
    "sin": (RealFunctions.sin, mpmath.sin),
    "cos": (RealFunctions.cos, mpmath.cos),
    "a quotient": (lambda x: (1 + x) / (x * x + 3), lambda x: (1 + x) / (x * x + 3)),
    "powers": (lambda x: x**3 - x**-2 + 2 - x, lambda x: x**3 - x**-2 + 2 - x),
    "a root as a power": (lambda x: x ** Fraction(3, 2), lambda x: x ** mpmath.mpf(1.5)),
    "a composition": (lambda x: RealFunctions.exp(RealFunctions.sin(x * x)), lambda x: mpmath.exp(mpmath.sin(x * x))),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("at", ["0.3", "1.7", "2.9"])
def test_a_real_and_its_tangent_are_mpmaths(name: str, at: str) -> None:
    ours, theirs = CASES[name]
    with mpmath.workdps(2 * DIGITS):  # a difference quotient keeps half of the digits
        value, slope = theirs(mpmath.mpf(at)), mpmath.diff(theirs, mpmath.mpf(at))
    found = ours(Real(at, 1))
    assert abs(found.x - value) <= abs(value) * MP.mpf(10) ** (3 - DIGITS)
    assert abs(found.dx - slope) <= (1 + abs(slope)) * MP.mpf(10) ** (3 - DIGITS)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_the_stand_in_for_an_unknown_function_derives_into_its_own_primes(order: int) -> None:
    """By central differences with a step of 1e-15: the error is its square, and what cancels of fifty digits."""
    x, step = Real("0.7", 1), Real(1) / 10**15
    ends = [RealFunctions.unknown("f", order, x + sign * step) for sign in (1, -1)]
    slope = ((ends[0] - ends[1]) / (2 * step)).x
    assert abs(RealFunctions.unknown("f", order, x).dx - slope) < 1e-28
    if order < 2:
        assert abs(RealFunctions.unknown("f", order + 1, x).x - slope) < 1e-28


def test_our_digits_are_our_own() -> None:
    before = mpmath.mp.dps
    RealFunctions.exp(Real("0.1"))
    assert mpmath.mp.dps == before and MP.dps == DIGITS


# ---------------------------------------------------------------- networks
@pytest.mark.parametrize("example", WITH_LOSS, ids=lambda example: example.name)
def test_a_tangent_of_the_model_is_a_central_difference(example: Example) -> None:
    point = point_of(example.network, 9)
    loss = example.network.loss
    assert loss is not None
    for name in [*(item.name for item in example.network.definitions[:-1])][:2]:
        found = derivative_at(example.network, name, point, {loss: None})
        expected = quotients(example.network, name, point, lambda trial: trial.values[loss][()])
        np.testing.assert_allclose(floats(found), expected, rtol=1e-13, atol=1e-13)  # compared as float64


def test_the_draw_of_each_domain_lies_in_it() -> None:
    names = {d: vector(d, "n", d) for d in ("real", "positive", "unit", "binary", "onehot", "simplex")}
    z = vector("z", "n")
    model = Network("", (Definition(z, sum(list(names.values())[1:], names["real"])),))
    for kind in (EXACT, REAL):
        for point in points(kind, model, (), 3):
            assert sum(v.a if kind is EXACT else int(v.x) for v in point.values[names["onehot"]]) == 1
            assert sum(point.values[names["simplex"]], kind.of(0)).same(kind.of(1))
            if kind is REAL:
                assert all(0 < v.x < 1 for v in point.values[names["unit"]])
                assert all(v.x > 0 for v in (*point.values[names["positive"]], *point.values[names["simplex"]]))
                assert all(v.x in (0, 1) for v in point.values[names["binary"]])
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
            sides = [np.ravel(evaluate_side(side, setting, point)) for side in (left, right)]
        except RetryError:
            continue
        if any(not a.same(b) for a, b in zip(*sides, strict=True)):
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
    moved = before[Z] + Real(1)
    run(SETTING.network, point, {Z: moved})
    assert all(a.same(b) for a, b in zip(point.values[Z], moved, strict=True))
    expected = sum((a * b for a, b in zip(moved, before[R], strict=True)), Real(0))
    assert point.values[scalar("L")][()].same(expected)


def test_an_integer_axis_of_sizes_is_summed() -> None:
    point = next(points(REAL, SETTING.network, (), 1))
    count = Const(Z.shape[0])
    assert evaluate(count, point)[()].same(Real(len(point.values[Z])))
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
                    assert np.shape(evaluate(Apply(row.name, x), point)) == np.shape(point.values[x])
                except RetryError:
                    assert row.name == "sqrt", "only a root may be missing at a drawn point"


def test_a_setting_knows_the_records_own_name_of_a_cotangent() -> None:
    alias = Var(r"\bar{z}", Z.shape)
    setting = replace(SETTING, cotangents={**SETTING.cotangents, alias: Z})
    assert setting.primary(alias).latex == r"\frac{\partial L}{\partial z}"
