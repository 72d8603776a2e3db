"""Tests that every row of the table gets, unasked: a row added to derive/ops/ is tested by the next run."""

from __future__ import annotations

import inspect
import itertools
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy

from codegen.targets import spell
from derive.backprop import pull_back
from derive.errors import DeriveError, ShapeError
from derive.expr import Apply, Const, Node, Var, variables, walk
from derive.op import TABLE, Op
from derive.ops import table
from derive.ops.elementwise import scalar_field
from derive.printer import to_latex
from derive.shapes import ROW, Shape, match_signature, show_shape, size
from derive.verify.evaluate import REAL, Array, Point, choose_sizes, evaluate
from derive.verify.numbers import Real

assert table.TABLE is TABLE
ROWS = list(TABLE.values())
SOURCES = Path(__file__).parents[1] / "derive" / "SOURCES.md"
KEYS = {"petersen2012", "giles2008", "goodfellow2016", "dlmf", "dugas2001", "blanchard2021"}
M, N, P = size("m"), size("n"), size("p")
RANKS: tuple[Shape, ...] = ((), (N,), (ROW, N), (M, N))
NAMES = {0: "ab", 1: "xy", 2: "AB"}

every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
with_slope = pytest.mark.parametrize("row", [row for row in ROWS if row.slope], ids=lambda row: row.name)
with_body = pytest.mark.parametrize("row", [row for row in ROWS if row.body], ids=lambda row: row.name)
with_kink = pytest.mark.parametrize("row", [row for row in ROWS if row.kink and row.slope], ids=lambda row: row.name)


# ---------------------------------------------------------------- a row applied to all that it takes
def arity(row: Op) -> int:
    """How many operands an elementwise row takes: those of its body, without the field."""
    return len(inspect.signature(row.body).parameters) - 1 if row.body else 1


def is_literal(row: Op, place: int) -> bool:
    """Tell whether an operand must be a number: there is a rule for the others, and none for it."""
    return row.body is not None and place >= len(row.vjp)


def operand(shape: Shape, place: int) -> Var:
    rank = sum(length != ROW for length in shape)
    name = NAMES[rank][place]
    return Var(name if len(shape) == rank else f"{name}^{{r}}", shape)


def applications(row: Op) -> list[Apply]:
    """The row applied to operands of every shape that it takes."""
    if row.signatures:
        return list(contractions(row))
    if row.reduce or row.define is not None:
        return list(reductions(row))
    if row.body is not None or row.prime:
        return list(elementwise(row))
    return [Apply(row.name, M, N), Apply(row.name, N)]


def contractions(row: Op) -> Iterator[Apply]:
    letters = {"m": M, "n": N, "p": P, ".": ROW}
    for signature in row.signatures:
        operands = signature.split("->")[0].split(",")
        yield Apply(row.name, *(operand(tuple(letters[k] for k in word), at) for at, word in enumerate(operands)))


def reductions(row: Op) -> Iterator[Apply]:
    for shape in RANKS[1:]:
        yield Apply(row.name, operand(shape, 0))
    for axis in (0, 1):
        yield Apply(row.name, operand(RANKS[3], 0), axis)


def elementwise(row: Op) -> Iterator[Apply]:
    """Equal shapes, and a scalar beside every other one."""
    for shape in RANKS:
        count = arity(row)
        mixed = {shape, ()} if count > 1 else {shape}
        for choice in itertools.product(sorted(mixed, key=len), repeat=count):
            if shape in choice:
                yield from literal_or_variable(row, choice)


def literal_or_variable(row: Op, choice: tuple[Shape, ...]) -> Iterator[Apply]:
    if any(shape and is_literal(row, place) for place, shape in enumerate(choice)):
        return
    numbers = (2, 3, -1, -2, sympy.Rational(1, 2)) if is_literal(row, len(choice) - 1) else (None,)
    label = () if row.body is not None else (0, "f")
    for number in numbers:
        operands = [operand(shape, k) for k, shape in enumerate(choice)]
        last = [] if number is None else [Const(number)]
        yield Apply(row.name, *operands[: len(operands) - len(last)], *last, *label)


APPLIED = [(row, node) for row in ROWS for node in applications(row)]


def shown(value: object) -> str:
    if isinstance(value, Apply):
        operands = ", ".join(show_shape(part.shape) if isinstance(part, Var) else str(part) for part in value.operands)
        return f"{operands}; {value.params}" if value.params else operands
    return value.name if isinstance(value, Op) else str(value)


every_application = pytest.mark.parametrize(("row", "node"), APPLIED, ids=shown)


def test_every_row_has_an_application_that_is_tested() -> None:
    assert {row.name for row, _ in APPLIED} == set(TABLE)


# ---------------------------------------------------------------- slopes
def to_sympy(node: Node, x: sympy.Expr) -> sympy.Expr:
    """A scalar expression of one variable as SymPy, through the bodies alone."""
    if isinstance(node, Const):
        return node.value
    if isinstance(node, Var):
        return x
    assert isinstance(node, Apply) and node.op.body is not None and not node.params
    return node.op.body(scalar_field(), *(to_sympy(part, x) for part in node.operands))


def slope_of(row: Op, x: sympy.Expr) -> sympy.Expr:
    variable = Var("x")
    assert row.slope is not None
    return to_sympy(row.slope(variable, Apply(row.name, variable)), x)


@with_slope
def test_the_slope_is_sympys_own_derivative(row: Op) -> None:
    x = sympy.Symbol("x", real=True)
    assert row.body is not None
    expected = sympy.diff(row.body(scalar_field(), x), x)
    if not row.kink:
        assert sympy.simplify((expected - slope_of(row, x)).rewrite(sympy.exp)) == 0
    low = row.draw[0]
    exact = [sympy.Rational(1, 3), sympy.Rational(7, 5), sympy.Integer(2), -sympy.Rational(3, 4), sympy.Integer(-2)]
    for at in exact:
        if at > 0 or low < 0 or row.kink:  # left of a kink the formula holds as well; left of a pole it does not
            assert sympy.simplify((expected - slope_of(row, x)).subs(x, at)) == 0, at


@with_kink
def test_the_subgradient_at_the_kink_is_the_one_that_the_row_states(row: Op) -> None:
    stated, at = row.kink.split(" at ")
    assert slope_of(row, sympy.Integer(int(at))) == int(stated)


@with_kink
def test_no_draw_reaches_a_kink(row: Op) -> None:
    low, high = row.draw
    assert not low <= int(row.kink.split(" at ")[1]) <= high


# ---------------------------------------------------------------- rules
def draw_within(row: Op, shape: Shape, sizes: dict[sympy.Expr, int], rng: random.Random) -> Array:
    lengths = [int(length.subs(sizes)) for length in shape if length != ROW]
    array = np.empty(lengths, object)
    for place in np.ndindex(*lengths):
        low, high = row.draw
        array[place] = Real(round(rng.uniform(low, high), 3))
    return array


def at_random(row: Op, node: Apply, seed: int) -> Point:
    """A point of fifty digits within the row's draw; all sizes differ and none is 1."""
    rng = random.Random(f"{row.name}:{seed}")
    sizes = choose_sizes([node.shape, *(part.shape for part in node.operands), (M, N)], seed)
    return Point(REAL, sizes, {name: draw_within(row, name.shape, sizes, rng) for name in variables(node)})


def inner(left: Array, right: Array) -> Real:
    return sum((a * b for a, b in zip(np.ravel(left), np.ravel(right), strict=True)), Real(0))


def moved(point: Point, name: Var, by: Array, step: Real) -> Point:
    there = np.asarray(point.values[name] + by * step, object)  # NumPy unpacks a sum without axes
    return Point(point.kind, point.sizes, {**point.values, name: there})


DIFFERENTIABLE = [(row, node) for row, node in APPLIED if row.vjp]


@pytest.mark.parametrize(("row", "node"), DIFFERENTIABLE, ids=shown)
def test_the_rule_is_the_transpose_of_the_central_difference(row: Op, node: Apply) -> None:
    """⟨ȳ, J ẋ⟩ = ⟨vjp(ȳ), ẋ⟩ for random ȳ and ẋ, one operand at a time.

    The step is 1e-15 at fifty digits: its square times a third derivative, and what cancels, stay below 1e-24.
    """
    step = Real(1) / 10**15
    for seed in (0, 1):
        point = at_random(row, node, seed)
        rng = random.Random(seed)
        y_bar = Var(r"\bar{y}", node.shape)
        point.values[y_bar] = draw_within(TABLE[table.ADD], node.shape, dict(point.sizes), rng)
        for name in variables(node):
            x_dot = draw_within(TABLE[table.ADD], name.shape, dict(point.sizes), rng)
            ends = [evaluate(node, moved(point, name, x_dot, sign * step)) for sign in (1, -1)]
            left = inner(point.values[y_bar], (ends[0] - ends[1]) / (2 * step))
            handed = list(pull_back(node, y_bar, {name}))
            assert handed, f"nothing is handed to {name.latex}"
            assert all(value.shape == name.shape for _, value, _ in handed), "a cotangent has its variable's shape"
            right = sum((inner(evaluate(value, point), x_dot) for _, value, _ in handed), Real(0))
            assert abs(left.x - right.x) < 1e-20 * (1 + abs(left.x)), name.latex


@pytest.mark.parametrize("row", [row for row in ROWS if row.prime and row.slope], ids=lambda row: row.name)
def test_a_primed_function_is_its_slope(row: Op) -> None:
    x = Var("x", (N,))
    point = at_random(row, Apply(row.name, x), 0)
    assert row.slope is not None
    written = evaluate(row.slope(x, Apply(row.name, x)), point)
    assert all(a.same(b) for a, b in zip(evaluate(Apply(row.name, x, 1), point), written, strict=True))


@every_application
def test_every_application_has_a_value_of_its_shape(row: Op, node: Apply) -> None:
    point = at_random(row, node, 2)
    value = np.asarray(evaluate(node, point), object)
    assert value.shape == tuple(int(length.subs(point.sizes)) for length in node.shape if length != ROW)


@pytest.mark.parametrize("row", [row for row in ROWS if row.stable], ids=lambda row: row.name)
def test_the_stable_form_has_the_same_value(row: Op) -> None:
    for node in applications(row):
        point = at_random(row, node, 3)
        assert row.stable is not None
        stable = row.stable(*node.operands, *node.params)
        assert stable.shape == node.shape
        pairs = zip(np.ravel(evaluate(node, point)), np.ravel(evaluate(stable, point)), strict=True)
        assert all(a.same(b) for a, b in pairs), shown(node)


# ---------------------------------------------------------------- templates
def numpy_names() -> dict[str, Any]:
    """What the NumPy target's modules hold: NumPy and the functions that NumPy lacks."""
    names: dict[str, Any] = {"np": np}
    for source in numpy_helpers().values():
        exec(source, names)
    return names


def numpy_helpers() -> dict[str, str]:
    holder = next(m for m in numpy_modules() if hasattr(m, "HELPERS"))
    return dict(holder.HELPERS)


def numpy_modules() -> list[Any]:
    folder = Path(spell.__file__).parent
    names = [f"codegen.targets.{path.stem}" for path in sorted(folder.glob("numpy*.py"))]
    return [__import__(name, fromlist=["HELPERS"]) for name in names]


def standing(array: Any, shape: Shape) -> Any:
    """A row as NumPy keeps it, with its first axis."""
    return array[None, :] if shape[:1] == (ROW,) else array


def plain(array: Array) -> Any:
    return np.vectorize(lambda number: float(number.x), otypes=[float])(np.asarray(array, object))


@pytest.mark.parametrize(("row", "node"), [pair for pair in APPLIED if pair[0].numpy], ids=shown)
def test_the_numpy_template_computes_the_body(row: Op, node: Apply) -> None:
    if row.signatures and any(len(part.shape) == 1 or ROW in part.shape for part in (node, *node.operands)):
        pytest.skip("rows and vectors are lowered to einsums; the template is that of matrices")
    point = at_random(row, node, 4)
    names = numpy_names()
    parts = []
    for k, part in enumerate(node.operands):
        names[f"v{k}"] = standing(plain(evaluate(part, point)), part.shape)
        parts.append(f"v{k}")
    axis = f", axis={int(node.params[0])}" if row.reduce and node.params else ""
    shape = tuple(1 if length == ROW else int(length.subs(point.sizes)) for length in node.shape)
    found = eval(row.numpy.format(*parts, axis=axis, shape=shape), names)
    # float64: a dozen roundings of 2^-53 at numbers of a few units
    expected = plain(evaluate(node, point))
    assert np.size(found) == np.size(expected)
    np.testing.assert_allclose(np.ravel(found), np.ravel(expected), rtol=4e-15, atol=4e-15)


BOUNDED = [row for row in ROWS if row.body and arity(row) == 1 and row.prime]


@pytest.mark.parametrize("row", BOUNDED, ids=lambda row: row.name)
@pytest.mark.parametrize("at", [-800.0, -40.0, 40.0, 800.0])
def test_an_activation_does_not_overflow_far_from_zero(row: Op, at: float) -> None:
    names = {**numpy_names(), "v0": np.asarray(at)}
    with np.errstate(all="raise", under="ignore"):
        found = float(eval(row.numpy.format("v0"), names))
    x = Var("x")
    expected = evaluate(Apply(row.name, x), Point(REAL, {}, {x: np.asarray(Real(at), object)}))[()]
    assert found == pytest.approx(float(expected.x), rel=4e-15, abs=1e-300)  # float64, a dozen roundings


@with_body
def test_an_entrywise_row_can_be_computed_in_numpy_and_in_c(row: Op) -> None:
    assert row.numpy and row.c


# ---------------------------------------------------------------- typography
def test_the_line_of_each_row_is_as_reviewed(golden: Callable[[str, str], None]) -> None:
    lines = []
    for row in ROWS:
        first = [node for node in applications(row) if not (node.params and row.reduce + str(row.define or ""))]
        for text in dict.fromkeys(to_latex(node) for node in first):
            lines.append(f"{row.name:10} {text}")
        if row.prime:
            primed = Apply(row.name, Var("x", (N,)), 1, *(() if row.body is not None else ("f",)))
            lines.append(f"{row.name + chr(39):10} {to_latex(primed)}")
        reasons = (row.because,) if isinstance(row.because, str) else row.because
        lines += [f"{'':10} because {reason}  [{row.source}]" for reason in reasons if reason]
    golden("ops.txt", "\n".join(lines) + "\n")


@every_application
def test_every_application_prints(row: Op, node: Apply) -> None:
    text = to_latex(node)
    for name in variables(node):
        letter = name.latex[0]
        assert letter in text, f"{text} does not show {letter}"
    assert text.count("{") == text.count("}") and text.count("(") == text.count(")")


def test_no_two_operations_on_the_same_operands_print_alike() -> None:
    printed: dict[str, str] = {}
    alike = set()
    for row, node in APPLIED:
        if node.operands and (row.prime or not node.params):
            other = printed.setdefault(to_latex(node), row.name)
            alike |= {(other, row.name, to_latex(node))} if other != row.name else set()
    assert not alike


def test_a_mean_along_an_axis_does_not_print_as_the_sum() -> None:
    mean_row = next(row for row in ROWS if row.define is not None and "{n}" in str(row.latex))
    wide = Var("A", (M, N))
    assert to_latex(Apply(mean_row.name, wide, 0)) != to_latex(Apply(table.SUM, wide, 0))


# ---------------------------------------------------------------- shapes
def refusals(row: Op) -> Iterator[tuple[Node, ...]]:
    """Operands whose shapes do not go together."""
    tall, wide, x, other = Var("A", (M, N)), Var("B", (N, M)), Var("x", (N,)), Var("y", (M,))
    row_vector = Var("r", (ROW, N))
    if row.body is not None and arity(row) == 2 and not is_literal(row, 1):
        yield from [(x, other), (tall, wide), (x, tall), (x, row_vector), (tall, Var("C", (M, P)))]
    if row.signatures:
        pool = [Var("a"), x, other, row_vector, tall, wide]
        count = row.signatures[0].split("->")[0].count(",") + 1
        for operands in itertools.product(pool, repeat=count):
            shapes = [part.shape for part in operands]
            if all(match_signature(signature, shapes) is None for signature in row.signatures):
                yield operands


REFUSED = [(row, operands) for row in ROWS for operands in refusals(row)]


@pytest.mark.parametrize(("row", "operands"), REFUSED, ids=lambda value: value.name if isinstance(value, Op) else "")
def test_shapes_that_do_not_go_together_are_refused_with_both_of_them(row: Op, operands: tuple[Node, ...]) -> None:
    with pytest.raises(ShapeError) as caught:
        Apply(row.name, *operands)
    message = str(caught.value)
    assert row.name in message
    for part in operands:
        assert show_shape(part.shape) in message


def test_both_kinds_of_rows_are_among_those_refused() -> None:
    assert {"add", "mul", "matmul", "transpose"} <= {row.name for row, _ in REFUSED}


@pytest.mark.parametrize("row", [row for row in ROWS if row.reduce or row.define], ids=lambda row: row.name)
def test_a_reduction_along_an_axis_of_no_matrix_is_a_shape_error(row: Op) -> None:
    for shape in RANKS[:3]:
        with pytest.raises(ShapeError, match=re.escape(show_shape(shape))):
            Apply(row.name, Var("x", shape), 0)


@pytest.mark.parametrize("row", [row for row in ROWS if row.reduce or row.define], ids=lambda row: row.name)
def test_an_axis_that_a_matrix_has_not_is_refused(row: Op) -> None:
    for axis in (2, -1):
        with pytest.raises(ValueError):
            Apply(row.name, Var("A", (M, N)), axis)


@every_row
def test_a_wrong_number_of_operands_is_refused(row: Op) -> None:
    node = applications(row)[0]
    x = Var("x", (N,))
    more = (*node.operands, x) if node.operands and node.operands[0].shape else (*node.operands, Var("b"))
    for operands in (node.operands[:-1], more):
        if not node.operands and not operands:
            continue
        with pytest.raises((DeriveError, TypeError, ValueError)):
            Apply(row.name, *operands, *node.params)


# ---------------------------------------------------------------- reasons
@every_row
def test_every_rule_says_why_or_goes_without_saying(row: Op) -> None:
    for place, rule in enumerate(row.vjp or (None,)):
        reason = row.because if isinstance(row.because, str) else row.because[place]
        if reason:
            continue
        assert rule is not None, "a row without a rule says why there is none"
        y_bar, operands = Var(r"\bar{y}"), (Var("a"), Var("b"))
        handed = rule(y_bar, Var("y"), *operands[: arity(row)])
        assert all(not isinstance(part, Var) or part == y_bar for part in walk(handed)), "only ±ȳ needs no reason"


@every_row
def test_every_row_has_a_known_source(row: Op) -> None:
    assert row.source in KEYS
    assert SOURCES.is_file(), "SOURCES.md is missing"
    assert re.search(rf"\b{row.source}\b", SOURCES.read_text(encoding="utf-8")), f"SOURCES.md has no {row.source}"


@every_row
def test_every_reason_is_latex_with_closed_braces(row: Op) -> None:
    reasons = (row.because,) if isinstance(row.because, str) else row.because
    assert all(reason.count("{") == reason.count("}") for reason in reasons)
    assert len(reasons) in (1, len(row.vjp))
