"""Tests that every row of the table gets, unasked: a row added to derive/ops/ is tested by the next run."""

from __future__ import annotations

import inspect
import itertools
import random
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy
from numbers_helpers import floats, inner, reals, the_one

from codegen.targets import spell
from derive.backprop import pull_back
from derive.errors import DeriveError, ShapeError
from derive.expr import Apply, Const, Node, Var, variables, walk
from derive.op import TABLE, Op
from derive.ops import table
from derive.ops.elementwise import scalar_field
from derive.ops.tensor import eye, selection
from derive.ops.window import count_windows
from derive.printer import to_latex
from derive.shapes import ROW, Shape, match_signature, show_shape, size
from derive.verify.evaluate import REAL, Point, choose_sizes, evaluate, extents
from derive.verify.numbers import Number

assert table.TABLE is TABLE
ROWS = list(TABLE.values())
SOURCES = Path(__file__).parents[1] / "derive" / "SOURCES.md"
FORMAL = {"series"}  # its operand's names differ from step to step: there is no value of it at a point
KEYS = {
    "petersen2012", "giles2008", "goodfellow2016", "dlmf", "dugas2001", "blanchard2021", "hendrycks2016", "laue2018",
}  # fmt: skip
M, N, P = size("m"), size("n"), size("p")
RANKS: tuple[Shape, ...] = ((), (N,), (ROW, N), (M, N))
CUBE: Shape = (M, N, P)
NAMES = {0: "abc", 1: "xyz", 2: "ABC", 3: "UVW"}
EINSUMS = (  # a product, an outer product, diagonals, an index in one operand alone, three operands, three axes
    "ij,jk->ik", "i,j->ij", "ii->i", "ii->", "ij,ii->j", "ij,k->k", "ij,jk,k->i", "i,i,i->", "ijk,k->ij", "ijk->kij",
    "ijk,ijk->j", "iij->ji", ",i->i", "ij->",
)  # fmt: skip

every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
with_slope = pytest.mark.parametrize("row", [row for row in ROWS if row.slope], ids=lambda row: row.name)
with_body = pytest.mark.parametrize("row", [row for row in ROWS if row.body], ids=lambda row: row.name)
with_kink = pytest.mark.parametrize("row", [row for row in ROWS if row.kink and row.body], ids=lambda row: row.name)


# ---------------------------------------------------------------- a row applied to all that it takes
def arity(row: Op) -> int:
    """How many operands an elementwise row takes: those of its body, without the field."""
    return len(inspect.signature(row.body).parameters) - 1 if row.body else 1


def is_literal(row: Op, place: int) -> bool:
    """Tell whether an operand must be a number: there is a rule for the others, and none for it."""
    return row.body is not None and place >= len(row.vjp)


def takes_axis(row: Op) -> bool:
    """Tell whether a row goes along an axis where one is given."""
    return "axis" in inspect.signature(row.shape).parameters


def inverts(row: Op) -> bool:
    """Tell whether a row divides by pivots, so that its operand must be far from singular."""
    return row.name in (table.INVERSE, "det")


def picks(row: Op) -> bool:
    """Tell whether a row's operand is an index: whole numbers."""
    return row.name == "one_hot"


def operand(shape: Shape, place: int) -> Var:
    rank = sum(length != ROW for length in shape)
    name = NAMES[rank][place]
    return Var(name if len(shape) == rank else f"{name}^{{r}}", shape)


def applications(row: Op) -> list[Apply]:
    """The row applied to operands of every shape that it takes."""
    if row.signatures:
        return list(contractions(row))
    if row.name == table.EINSUM:
        return list(map(einsum_of, EINSUMS))
    if row.name == table.SELECTION:
        return list(selections())
    if takes_axis(row):
        return list(reductions(row))
    if row.define is not None:
        return [Apply(row.name, operand(shape, 0)) for shape in (*RANKS[1:], CUBE)]
    if picks(row):
        return [Apply(row.name, operand((M,), 0), N)]
    if row.name in FORMAL:
        return [Apply(row.name, operand(shape, 0), "t", "T") for shape in RANKS]
    if row.body is not None or row.prime:
        return list(elementwise(row))
    return [Apply(row.name, M, N), Apply(row.name, N)]


def contractions(row: Op) -> Iterator[Apply]:
    letters = {"m": M, "n": N, "k": P, "p": P, ".": ROW}
    for signature in row.signatures:
        operands = signature.split("->")[0].split(",")
        yield Apply(row.name, *(operand(tuple(letters[k] for k in word), at) for at, word in enumerate(operands)))


def reductions(row: Op) -> Iterator[Apply]:
    for shape in (*RANKS[1:], CUBE):
        yield Apply(row.name, operand(shape, 0))
    for shape in (RANKS[3], CUBE):
        for axis in range(len(shape)):
            yield Apply(row.name, operand(shape, 0), axis)


def einsum_of(spec: str) -> Apply:
    """An einsum of variables, one size for each letter."""
    sizes = dict(zip("ijk", (M, N, P), strict=True))
    words = spec.split("->")[0].split(",")
    return Apply(table.EINSUM, *(operand(tuple(sizes[k] for k in word), at) for at, word in enumerate(words)), spec)


def selections() -> Iterator[Apply]:
    """The identity, a shift, and windows with stride, zeros before and after, and gaps."""
    yield as_apply(eye(N))
    yield as_apply(selection(N, (M,), 1))
    for stride, padding, gap in ((1, 0, 1), (2, 0, 1), (1, 1, 1), (2, 1, 1), (1, 0, 2), (2, 2, 3)):
        count = count_windows(size(9), size(3), stride, padding, gap)
        yield as_apply(selection(size(9), (count, size(3)), -padding, (stride, gap)))


def as_apply(node: Node) -> Apply:
    assert isinstance(node, Apply)
    return node


def elementwise(row: Op) -> Iterator[Apply]:
    """Equal shapes, and a scalar or a number beside every other one."""
    label = () if row.body is not None else (0, "f")
    for shape in RANKS:
        count = arity(row)
        mixed = {shape, ()} if count > 1 else {shape}
        for choice in itertools.product(sorted(mixed, key=len), repeat=count):
            if shape in choice and not is_literal(row, count - 1):
                yield Apply(row.name, *(operand(part, k) for k, part in enumerate(choice)), *label)
        for number in literals(row):
            yield Apply(row.name, operand(shape, 0), Const(number))


def literals(row: Op) -> tuple[sympy.Expr, ...]:
    """Numbers to stand as the last operand: exponents, whose rule knows them; bounds and slopes, which are positive."""
    if arity(row) == 1:
        return ()
    half = sympy.Rational(1, 2)
    if row.name == table.POW:
        return (2, 3, 1, 0, -1, -2, half)
    return (1, half) if is_literal(row, 1) or row.kink else ()


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
def to_sympy(node: Node, at: dict[Var, sympy.Expr]) -> sympy.Expr:
    """A scalar expression as SymPy, through the bodies alone."""
    if isinstance(node, Const):
        return node.value
    if isinstance(node, Var):
        return at[node]
    assert isinstance(node, Apply) and node.op.body is not None and not node.params
    return node.op.body(scalar_field(), *(to_sympy(part, at) for part in node.operands))


def slope_of(row: Op, x: sympy.Expr) -> sympy.Expr:
    variable = Var("x")
    assert row.slope is not None
    return to_sympy(row.slope(variable, Apply(row.name, variable)), {variable: x})


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


def kinks(row: Op) -> tuple[str, list[str]]:
    """The subgradient that an entrywise row states, "1 at d and at -d", and the places; both may name operands."""
    stated, places = row.kink.split(" at ", 1)
    return stated, places.split(" and at ")


@with_kink
def test_the_subgradient_at_the_kink_is_the_one_that_the_row_states(row: Op) -> None:
    """The rule itself is evaluated at the kink, where it is worth what the function's formula leaves open."""
    assert row.body is not None
    names = list(inspect.signature(row.body).parameters)[1:]  # the first is the field
    symbols = {name: sympy.Symbol(name, positive=True) for name in names}
    operands = [Var(name) for name in names]
    written = row.slope or (lambda x, y, *rest: row.vjp[0](Const(1), y, x, *rest))
    rule = written(operands[0], Apply(row.name, *operands), *operands[1:])
    stated, places = kinks(row)
    for place in places:
        at = {**symbols, names[0]: sympy.sympify(place, locals=symbols)}
        found = to_sympy(rule, {Var(name): value for name, value in at.items()})
        assert sympy.simplify(found - sympy.sympify(stated, locals=symbols)) == 0, place


@with_kink
def test_no_draw_reaches_a_kink(row: Op) -> None:
    low, high = row.draw
    for place in kinks(row)[1]:
        if re.fullmatch(r"-?\d+", place):
            assert not low <= int(place) <= high


def test_kinks_of_both_forms_are_among_those_tested() -> None:
    stated = {row.name: kinks(row) for row in ROWS if row.kink and row.body}
    assert stated["relu"] == ("0", ["0"])
    assert stated["leaky_relu"] == ("c", ["0"])
    assert stated["clip"] == ("1", ["d", "-d"])


@pytest.mark.parametrize("row", [row for row in ROWS if "first of several" in row.kink], ids=lambda row: row.name)
def test_the_first_of_several_largest_entries_takes_the_whole_derivative(row: Op) -> None:
    x = Var("x", (N,))
    point = Point(REAL, {N: 4}, {x: reals(np.array([1, 3, 3, 2]))}, {})
    value = Apply(row.name, x)
    if not value.shape:
        ((_, value, _),) = pull_back(value, Const(1), {x})
    assert floats(evaluate(value, point)).tolist() == [0, 1, 0, 0]


# ---------------------------------------------------------------- rules
def draw_within(row: Op, shape: Shape, sizes: Mapping[sympy.Expr, int], rng: random.Random) -> Any:
    lengths = extents(shape, sizes)
    low, high = row.draw
    return np.reshape([round(rng.uniform(low, high), 3) for _ in np.ndindex(*lengths)], lengths)


def draw_operand(row: Op, node: Apply, name: Var, sizes: Mapping[sympy.Expr, int], rng: random.Random) -> Any:
    """Decimals within the row's draw, the first operand on both sides of a kink at 0."""
    if picks(row):
        return np.reshape([rng.randrange(sizes[N]) for _ in range(sizes[M])], sizes[M])
    drawn = draw_within(row, name.shape, sizes, rng)
    if row.kink and name == node.operands[0]:
        drawn = drawn * np.reshape([rng.choice((-1, 1)) for _ in np.ndindex(*drawn.shape)], drawn.shape)
    if inverts(row):  # each entry of the diagonal is larger than the others of its row together
        drawn = drawn + 2 * len(drawn) * np.eye(len(drawn))
    return drawn


def at_random(row: Op, node: Apply, seed: int) -> Point:
    """A point of fifty digits within the row's draw; all sizes differ and none is 1."""
    rng = random.Random(f"{row.name}:{seed}")
    sizes = choose_sizes([node.shape, *(part.shape for part in node.operands), (M, N)], seed)
    drawn = {name: draw_operand(row, node, name, sizes, rng) for name in variables(node)}
    return Point(REAL, sizes, {name: reals(array) for name, array in drawn.items()}, {})


def moved(point: Point, name: Var, by: Number, step: Number) -> Point:
    return Point(point.kind, point.sizes, {**point.values, name: point.values[name] + by * step}, {})


DIFFERENTIABLE = [(row, node) for row, node in APPLIED if row.vjp]


@pytest.mark.parametrize(("row", "node"), DIFFERENTIABLE, ids=shown)
def test_the_rule_is_the_transpose_of_the_central_difference(row: Op, node: Apply) -> None:
    """⟨ȳ, J ẋ⟩ = ⟨vjp(ȳ), ẋ⟩ for random ȳ and ẋ, one operand at a time.

    The step is 1e-15 at fifty digits: its square times a third derivative, and what cancels, stay below 1e-24.
    """
    step = reals(1) / 10**15
    for seed in (0, 1):
        point = at_random(row, node, seed)
        rng = random.Random(seed)
        y_bar = Var(r"\bar{y}", node.shape)
        point.values[y_bar] = reals(draw_within(TABLE[table.ADD], node.shape, point.sizes, rng))
        for name in variables(node):
            x_dot = reals(draw_within(TABLE[table.ADD], name.shape, point.sizes, rng))
            ends = [evaluate(node, moved(point, name, x_dot, sign * step)) for sign in (1, -1)]
            left = the_one(inner(point.values[y_bar], (ends[0] - ends[1]) / (2 * step)))
            handed = list(pull_back(node, y_bar, {name}))
            assert handed, f"nothing is handed to {name.latex}"
            assert all(value.shape == name.shape for _, value, _ in handed), "a cotangent has its variable's shape"
            right = sum(the_one(inner(evaluate(value, point), x_dot)) for _, value, _ in handed)
            assert abs(left - right) < 1e-20 * (1 + abs(left)), name.latex


@pytest.mark.parametrize("row", [row for row in ROWS if row.prime and row.slope], ids=lambda row: row.name)
def test_a_primed_function_is_its_slope(row: Op) -> None:
    x = Var("x", (N,))
    point = at_random(row, Apply(row.name, x), 0)
    assert row.slope is not None
    written = evaluate(row.slope(x, Apply(row.name, x)), point)
    assert evaluate(Apply(row.name, x, 1), point).same(written)


@pytest.mark.parametrize(("row", "node"), [pair for pair in APPLIED if pair[0].name not in FORMAL], ids=shown)
def test_every_application_has_a_value_of_its_shape(row: Op, node: Apply) -> None:
    point = at_random(row, node, 2)
    value = evaluate(node, point)
    assert value.shape == extents(node.shape, point.sizes)


@pytest.mark.parametrize("row", [row for row in ROWS if row.stable], ids=lambda row: row.name)
def test_the_stable_form_has_the_same_value(row: Op) -> None:
    for node in applications(row):
        point = at_random(row, node, 3)
        assert row.stable is not None
        stable = row.stable(*node.operands, *node.params)
        assert stable.shape == node.shape
        assert evaluate(node, point).same(evaluate(stable, point)), shown(node)


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


@pytest.mark.parametrize(("row", "node"), [pair for pair in APPLIED if pair[0].numpy], ids=shown)
def test_the_numpy_template_computes_the_body(row: Op, node: Apply) -> None:
    if row.signatures and any(len(part.shape) == 1 or ROW in part.shape for part in (node, *node.operands)):
        pytest.skip("rows and vectors are lowered to einsums; the template is that of matrices")
    point = at_random(row, node, 4)
    names = numpy_names()
    parts = []
    for k, part in enumerate(node.operands):
        names[f"v{k}"] = standing(floats(evaluate(part, point)), part.shape)
        parts.append(f"v{k}")
    axis = f", axis={int(node.params[0])}" if row.reduce and node.params else ""
    shape = tuple(1 if length == ROW else int(length.subs(point.sizes)) for length in node.shape)
    found = eval(row.numpy.format(*parts, axis=axis, shape=shape), names)
    # float64: a dozen roundings of 2^-53 at numbers of a few units
    expected = floats(evaluate(node, point))
    assert np.size(found) == np.size(expected)
    np.testing.assert_allclose(np.ravel(found), np.ravel(expected), rtol=4e-15, atol=4e-15)


ACTIVATIONS = [row for row in ROWS if row.body and row.numpy and (row.prime or (arity(row) == 2 and literals(row)))]
BOUNDED = [row for row in ACTIVATIONS if row.name != table.POW]


@pytest.mark.parametrize("row", BOUNDED, ids=lambda row: row.name)
@pytest.mark.parametrize("at", [-800.0, -40.0, 40.0, 800.0])
def test_an_activation_does_not_overflow_far_from_zero(row: Op, at: float) -> None:
    names = {**numpy_names(), "v0": np.asarray(at), "v1": np.asarray(0.5)}
    with np.errstate(all="raise", under="ignore"):
        found = float(eval(row.numpy.format("v0", "v1"), names))
    x = Var("x")
    second = [Const(0.5)] * (arity(row) - 1)
    expected = floats(evaluate(Apply(row.name, x, *second), Point(REAL, {}, {x: reals(at)}, {})))
    assert found == pytest.approx(expected, rel=4e-15, abs=1e-300)  # float64, a dozen roundings


WRITTEN_OUT = {"gelu"}  # compiled as its body says, with the normal distribution's function


@with_body
def test_an_entrywise_row_can_be_computed_in_numpy_and_in_c(row: Op) -> None:
    assert bool(row.numpy) == bool(row.c) == (row.name not in WRITTEN_OUT)


# ---------------------------------------------------------------- typography
def test_the_line_of_each_row_is_as_reviewed(golden: Callable[[str, str], None]) -> None:
    lines = []
    for row in sorted(ROWS, key=lambda row: row.name):
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
    if row.define is not None and not row.signatures and not takes_axis(row):
        yield (Var("a"),)
    if picks(row):
        yield from [(Var("a"),), (tall,), (row_vector,), (x, other)]


REFUSED = [(row, operands) for row in ROWS for operands in refusals(row)]


@pytest.mark.parametrize(("row", "operands"), REFUSED, ids=lambda value: value.name if isinstance(value, Op) else "")
def test_shapes_that_do_not_go_together_are_refused_with_both_of_them(row: Op, operands: tuple[Node, ...]) -> None:
    with pytest.raises(ShapeError) as caught:
        Apply(row.name, *operands, *applications(row)[0].params)
    message = str(caught.value)
    assert row.name in message
    for part in operands:
        assert show_shape(part.shape) in message


def test_both_kinds_of_rows_are_among_those_refused() -> None:
    assert {"add", "mul", "matmul", "transpose", "inverse", "norm2", "one_hot"} <= {row.name for row, _ in REFUSED}


@pytest.mark.parametrize(
    ("spec", "shapes", "told"),
    [
        ("ij,jk->ik", ((M, N), (P, N)), "j of ij,jk->ik is n and p"),
        ("ii->", ((M, N),), "i of ii-> is m and n"),
        ("ij->i", ((N,),), r"the operand (n,) does not have the axes ij"),
        ("ij->j", ((ROW, N),), r"the operand a row (n) does not have the axes ij"),
        ("i->i", ((),), r"the operand a scalar does not have the axes i"),
        ("i,i->", ((N,),), "is for 2 operands; here are 1"),
        ("i->ij", ((N,),), "the output of i->ij must name axes"),
        ("i->ii", ((N,),), "the output of i->ii must name axes"),
    ],
)
def test_an_einsum_says_which_operand_or_letter_does_not_fit(spec: str, shapes: tuple[Shape, ...], told: str) -> None:
    with pytest.raises(ShapeError, match=f"einsum: .*{re.escape(told)}"):
        Apply(table.EINSUM, *(operand(shape, k) for k, shape in enumerate(shapes)), spec)


def test_sizes_and_steps_of_a_selection_come_in_pairs_and_without_operands() -> None:
    for args in ((Var("x", (N,)), N, 0, N, 1), (N, 0, M)):
        with pytest.raises(ShapeError, match="selection takes sizes and steps"):
            Apply(table.SELECTION, *args)


along_an_axis = pytest.mark.parametrize("row", [row for row in ROWS if takes_axis(row)], ids=lambda row: row.name)


@along_an_axis
def test_a_reduction_along_an_axis_of_no_matrix_is_a_shape_error(row: Op) -> None:
    for shape in RANKS[:3]:
        with pytest.raises(ShapeError, match=re.escape(show_shape(shape))):
            Apply(row.name, Var("x", shape), 0)


@along_an_axis
def test_an_axis_that_a_tensor_has_not_is_refused(row: Op) -> None:
    for shape in (RANKS[3], CUBE):
        for axis in (len(shape), -1):
            with pytest.raises(ValueError, match=f"no axis {axis}"):
                Apply(row.name, operand(shape, 0), axis)


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
