"""Models as users write them, compiled: recurrent cells, attention, convolutions, embeddings, norms and losses."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import numpy as np
import pytest
from autograd import grad
from forty import TASKS, Task
from numbers_helpers import floats, reals
from test_architectures import ARCHITECTURES, Architecture, values_for, wanted_of
from test_backprop import compute
from test_codegen import compilers, needs_compiler
from test_random_graphs import SIZES, by_equations, network_of, random_graph

from codegen import build
from codegen.function import Function
from codegen.lower import lower
from codegen.passes.pipeline import optimise
from codegen.program import BATCH, Contract, Pick, Scatter, reads
from codegen.sizes import resolve_sizes, size_symbols
from codegen.targets.numpy import emit_numpy
from codegen.text import read_program, show
from derive.backprop import derive_gradients
from derive.derivation import Derivation
from derive.expr import Apply, Node, Var, matrix, scalar, vector
from derive.model import Definition, Network
from derive.ops.activation import relu
from derive.ops.elementwise import log
from derive.ops.reduction import softmax, total
from derive.ops.tensor import einsum, gather, selection
from derive.ops.window import count_windows, part
from derive.shapes import size
from derive.verify.evaluate import REAL, points
from derive.verify.functions import Reals

TOLERANCE = {"float32": 2e-5, "float64": 1e-11}
targets = pytest.mark.parametrize("target", ["numpy", pytest.param("c", marks=needs_compiler)])


@pytest.fixture(autouse=True)
def quick_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "PORTABLE", ("-std=c99", "-O1"))  # what is tested here are values, not speed


def compiled(derivation: Derivation, values: dict[str, Any], target: str, dtype: str) -> Function:
    """The loss and all gradients as a function of the data, the parameters put in."""
    given = {v: np.shape(values[v.latex]) for v in (*derivation.data, *derivation.parameters)}
    shapes = {v: shape[1:] if v.shape[:1] == (derivation.samples,) else shape for v, shape in given.items()}
    sizes = resolve_sizes(derivation, shapes=shapes if derivation.samples is None else None)
    lowered = lower(derivation, sizes, dtype)
    program = optimise(lowered)
    assert read_program(show(lowered)) == lowered and read_program(show(program)) == program
    params = {v.name: np.array(values[v.latex], dtype) for v in program.of_role("parameter")}
    return Function(program, params, target, {})


def results(made: Function, values: dict[str, Any]) -> dict[str, Any]:
    """The loss and the gradients, by what they are called on the sheet."""
    found = made(*(values[v.latex] for v in made.inputs))
    pairs = zip(made.program.outputs, found if isinstance(found, tuple) else (found,), strict=True)
    return {made.program.values[name].latex: array for name, array in pairs}


def differ(found: Any, wanted: Any) -> float:
    return float(np.max(np.abs(found - wanted), initial=0.0) / max(1.0, float(np.max(np.abs(wanted), initial=0.0))))


@cache
def record_of(name: str) -> tuple[Derivation, dict[str, Any], Any, dict[str, Any]]:
    """A record, values, and by autograd the loss and the gradient by each name."""
    case = next(case for case in ARCHITECTURES if case.name == name)
    wanted, values = wanted_of(case.network), values_for(case.network)
    moving = {var.latex: values[var.latex] for var in wanted}
    expected = grad(lambda moved: case.loss({**values, **moved}))(moving)
    return derive_gradients(case.network, wanted), values, case.loss(values), dict(expected)


@pytest.mark.parametrize("dtype", TOLERANCE)
@targets
@pytest.mark.parametrize("case", ARCHITECTURES, ids=lambda case: case.name)
def test_compiled_gradients_are_autograds(case: Architecture, target: str, dtype: str) -> None:
    derivation, values, loss, expected = record_of(case.name)
    found = results(compiled(derivation, values, target, dtype), values)
    assert derivation.loss is not None and differ(found[derivation.loss.latex], loss) <= TOLERANCE[dtype]
    for equation in derivation.equations:
        if equation.role == "gradient" and equation.of is not None:
            gradient = found[equation.name.latex]
            assert gradient.shape == expected[equation.of.latex].shape
            assert differ(gradient, expected[equation.of.latex]) <= TOLERANCE[dtype], equation.name.latex


# ---------------------------------------------------------------- random graphs
@pytest.mark.parametrize("seed", range(40))
def test_a_random_graph_compiles_to_its_equations(seed: int) -> None:
    rng = random.Random(seed)
    graph = random_graph(lambda choices: rng.choice(list(choices)), seed)
    derivation = derive_gradients(network_of(graph), tuple(graph.wanted))
    expected, _ = by_equations(derivation, graph.values)
    numbers = {str(symbol): n for symbol, n in SIZES.items() if symbol in size_symbols(derivation)}
    program = optimise(lower(derivation, resolve_sizes(derivation, numbers), "float64"))
    assert read_program(show(program)) == program
    given = program.of_role("data", "parameter")
    lengths = {v.latex: [program.sizes.get(str(n), n) for n in v.sizes] for v in given}
    values = {name: np.reshape(value, lengths[name]) for name, value in graph.values.items() if name in lengths}
    for target in ["numpy", "c"] if seed < 10 and compilers() else ["numpy"]:
        params = {v.name: np.array(values[v.latex]) for v in program.of_role("parameter")}
        found = results(Function(program, params, target, {}), values)
        for equation in derivation.equations:
            if equation.role == "gradient" and equation.of is not None:
                gradient = found[equation.name.latex]
                assert differ(gradient, np.reshape(expected[equation.of.latex], gradient.shape)) <= 1e-9


# ---------------------------------------------------------------- forty models
UNKNOWN = {27}  # its activation is an undefined function
SCALAR = [task for task in TASKS if task.network.loss is not None and task.number not in UNKNOWN]


@pytest.mark.parametrize("task", SCALAR, ids=lambda task: task.title)
def test_each_of_the_forty_that_ends_in_a_number_compiles(task: Task) -> None:
    derivation = derive_gradients(task.network, (task.variable,))
    for point in points(REAL, task.network, (), 2):
        expected = compute(derivation, point)
        values = {v.latex: floats(point.values[v]) for v in (*derivation.data, *derivation.parameters)}
        for target in ["numpy", "c"] if compilers() else ["numpy"]:
            found = results(compiled(derivation, values, target, "float64"), values)
            for equation in derivation.equations:
                if equation.role in ("loss", "gradient"):
                    wanted = floats(expected[equation.name])
                    assert differ(found[equation.name.latex], wanted) <= 1e-9, (target, equation.name.latex)
        break


# ---------------------------------------------------------------- a network of images, for a batch
def places(n: int, q: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Node:
    count = count_windows(size(n), size(q), stride, padding, dilation)
    return selection(size(n), (count, size(q)), -padding, (stride, dilation))


def convolved(x: Node, k: Node, stride: int, padding: int, dilation: int = 1) -> Node:
    down, across = (places(int(x.shape[a]), int(k.shape[a]), stride, padding, dilation) for a in (2, 3))
    return einsum("ncab,aui,bvj,ocij->nouv", x, down, across, k)


def image_network() -> Network:
    """Two convolutions with a pool between them, and classes, for N images of odd sizes."""
    many = size("N")
    x, y = Var("X", (many, 2, 9, 7)), matrix("Y", many, 3)
    kernels = Var("K", (4, 2, 3, 3)), Var("Q", (5, 4, 2, 2))
    definitions: list[Definition] = []

    def name(latex: str, value: Node) -> Var:
        definitions.append(Definition(Var(latex, value.shape), value))
        return definitions[-1].name

    z = name("Z", convolved(x, kernels[0], 1, 1))
    a = name("A", relu(z + einsum("o,nouv->nouv", vector("b", 4), z * 0 + 1)))
    patches = einsum("ncab,aui,bvj->ncuvij", a, places(9, 3, 2), places(7, 3, 2))
    p = name("P", Apply("max", Apply("max", patches, 5), 4))
    c = name("C", convolved(p, kernels[1], 2, 1))
    s = name("S", einsum("nouv,ouvk->nk", relu(c), Var("W", (*c.shape[1:], 3))))
    name("L", -total(y * log(softmax(s, 1))) / many)
    weights = (*kernels, vector("b", 4), Var("W", (*c.shape[1:], 3)))
    return Network("images", tuple(definitions), Var("L"), weights, samples=many)


def image_values(batch: int) -> dict[str, Any]:
    rng = np.random.default_rng(batch)
    shapes = {"X": (batch, 2, 9, 7), "K": (4, 2, 3, 3), "Q": (5, 4, 2, 2), "b": (4,), "W": (5, 3, 2, 3)}
    values: dict[str, Any] = {name: rng.normal(size=shape) / 2 for name, shape in shapes.items()}
    return values | {"Y": np.eye(3)[rng.integers(0, 3, batch)]}


@targets
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_network_of_images_has_the_gradients_of_its_quotients(target: str, dtype: str) -> None:
    derivation = derive_gradients(image_network())
    for batch in (1, 2, 5):
        values = image_values(batch)
        made = compiled(derivation, values, target, dtype)
        found = results(made, values)
        exact = compiled(derivation, values, "numpy", "float64")
        for equation in derivation.equations:
            if equation.role != "gradient" or equation.of is None:
                continue
            direction = np.random.default_rng(1).normal(size=values[equation.of.latex].shape)
            ends = []
            for sign in (1, -1):
                code = next(v.name for v in exact.program.of_role("parameter") if v.latex == equation.of.latex)
                exact.params[code][...] = values[equation.of.latex] + sign * 1e-6 * direction
                ends.append(float(results(exact, values)["L"]))
                exact.params[code][...] = values[equation.of.latex]
            slope = (ends[0] - ends[1]) / 2e-6
            # the step's square and the rounding of the loss by the step: both near 1e-9
            assert np.sum(found[equation.name.latex] * direction) == pytest.approx(
                slope, rel=1e-4 if dtype == "float32" else 1e-7, abs=1e-4 if dtype == "float32" else 1e-8
            )


def test_a_convolution_of_a_batch_is_one_product_forward_and_one_for_each_gradient() -> None:
    derivation = derive_gradients(image_network())
    program = optimise(lower(derivation, resolve_sizes(derivation, {}), "float32"))
    products = [s for s in program.statements if isinstance(s, Contract) and {"K", "Q"} & {s.a.name, s.b.name}]
    assert len(products) == 3, "Z, C, and the cotangent of the second convolution's windows"
    by_kernel = {s.out.name: s for s in program.statements if isinstance(s, Contract)}
    assert {"dL_dK", "dL_dQ"} <= by_kernel.keys()
    for product in [*products, by_kernel["dL_dK"], by_kernel["dL_dQ"]]:
        sizes = [program.values[ref.name].sizes for ref in (product.a, product.b)]
        assert any(shape[0] == BATCH for shape in sizes), "the samples are rows of the product"
    windows = [s for s in program.statements for access in reads(s) if isinstance(access, Pick)]
    assert len(windows) == 3, "the windows of each layer are made once, for both directions"
    assert sum(isinstance(s, Scatter) for s in program.statements) <= 3


# ---------------------------------------------------------------- an embedding with rows that do not exist
@targets
def test_an_index_outside_gives_a_row_of_zeros_and_no_gradient(target: str) -> None:
    rows, index, loss = matrix("E", 5, 3), vector("i", 6, "index"), scalar("L")
    x = Var("X", (6, 3))
    network = Network(
        "rows", (Definition(x, gather(rows, index)), Definition(loss, total((x - 1) ** 2))), loss, (rows,)
    )  # fmt: skip
    values = {"E": np.arange(15.0).reshape(5, 3), "i": np.array([4, 0, 4, -1, 5, 2.0])}
    found = results(compiled(derive_gradients(network), values, target, "float64"), values)
    picked = np.vstack([values["E"][4], values["E"][0], values["E"][4], np.zeros((2, 3)), values["E"][2]])
    assert found["L"] == np.sum((picked - 1) ** 2)
    expected = np.zeros((5, 3))
    for row in (4, 0, 4, 2):
        expected[row] += 2 * (values["E"][row] - 1)
    np.testing.assert_array_equal(next(v for k, v in found.items() if k != "L"), expected)


# ---------------------------------------------------------------- the normal distribution, in NumPy
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_the_normal_distribution_is_right_to_four_units_of_the_last_place(dtype: str) -> None:
    w = vector("w", 600)
    loss = scalar("L")
    network = Network("cdf", (Definition(loss, total(Apply("normal_cdf", w))),), loss, (w,))
    made = compiled(derive_gradients(network), {"w": np.zeros(600)}, "numpy", dtype)
    names: dict[str, Any] = {}
    exec(made.source, names)
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-37, -5, 200), rng.uniform(-5, 5, 300), rng.uniform(-1e-3, 1e-3, 100)])
    x = np.concatenate([x, rng.uniform(-1.6, -0.5, 600)])  # where a + 3 rounds most
    x = np.where(x < -12, x / 4, x).astype(dtype) if dtype == "float32" else x
    with np.errstate(all="raise", under="ignore"):
        found = names["normal_cdf"](x)
    exact = Reals.normal_cdf(reals(x.astype(float))).values
    for value, wanted in zip(found, exact, strict=True):
        assert abs(float(value) - float(wanted)) <= 4 * np.spacing(np.asarray(float(wanted), dtype))
    ends = names["normal_cdf"](np.array([-np.inf, np.inf, 0, np.nan], dtype))
    np.testing.assert_array_equal(ends, np.array([0, 1, 0.5, np.nan], dtype))


# ---------------------------------------------------------------- memory
def test_a_gradient_that_is_another_parameter_is_taken_before_that_one_moves() -> None:
    v, w, u = vector("v", 3), vector("w", 3), vector("u", 2)
    first, loss = scalar("f"), scalar("L")
    definitions = (Definition(first, total(v * w)), Definition(loss, first + total(part(w, 1, 2) * u)))
    network = Network("pair", definitions, loss, (v, w, u))
    derivation = derive_gradients(network)
    program = optimise(lower(derivation, resolve_sizes(derivation, {}), "float64"))
    names: dict[str, Any] = {}
    exec(emit_numpy(program), names)
    before = {name: np.arange(float(n)) + k for k, (name, n) in enumerate({"v": 3, "w": 3, "u": 2}.items())}
    after = {name: array.copy() for name, array in before.items()}
    names["step"](after, {}, 0.5)
    np.testing.assert_array_equal(after["v"], before["v"] - 0.5 * before["w"])
    np.testing.assert_array_equal(after["u"], before["u"] - 0.5 * before["w"][1:])
    np.testing.assert_array_equal(after["w"], before["w"] - 0.5 * (before["v"] + np.append(0, before["u"])))
