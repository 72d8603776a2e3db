"""Rows of the table as compiled code: losses and gradients in NumPy and C against fifty digits, or a clear refusal."""

from __future__ import annotations

import random
import re
import subprocess
from dataclasses import replace
from functools import cache, reduce
from operator import add
from pathlib import Path

import numpy as np
import pytest
from numbers_helpers import floats
from test_backprop import LOSS, compute, network
from test_codegen import STRICT, compilers, needs_compiler

from codegen import build
from codegen.errors import UnsupportedOpError
from codegen.function import Function
from codegen.lower import lower
from codegen.passes.pipeline import optimise
from codegen.sizes import resolve_sizes
from codegen.text import read_program, show
from derive.backprop import derive_gradients
from derive.derivation import Derivation, Equation
from derive.expr import Apply, Const, Node, Var, matrix, scalar, variables, vector
from derive.expr import walk as walk_nodes
from derive.model import Network, free_variables
from derive.op import TABLE
from derive.ops.activation import elu, gelu, leaky_relu, relu, sigmoid, silu, softplus, tanh
from derive.ops.elementwise import absolute, cos, exp, expm1, log, log1p, sign, sin, sqrt
from derive.ops.linalg import det, inverse, norm, trace
from derive.ops.reduction import largest, logsumexp, mean, softmax, total
from derive.ops.series import series
from derive.ops.tensor import diag, einsum, eye, gather, one_hot, selection
from derive.ops.window import concatenate, conv1d, conv2d, max_pool, mean_pool, part
from derive.verify.evaluate import REAL, Point, draw
from derive.verify.numbers import Number, RetryError

W, X, C, K = matrix("W", "m", "n"), vector("x", "n"), Var("c", (), "positive"), Var("k", ("m",), "positive")
A, B, U = matrix("A", "n", "n"), matrix("B", "n", "p"), Var("U", ("n", "p", "q"))
S, Q, CUBE = vector("s", 11), vector("q", 3), Var("V", ("n", "n", "p"))
INDEX = vector("i", "m", "index")
IMAGE, KERNELS = Var("P", (2, 5, 6)), Var("K", (3, 2, 3, 2))
HALF = Const(0.5)
SIZES = {"m": 4, "n": 3, "p": 2, "q": 5}
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}  # some dozen roundings, relative to the largest number


def ended(*values: Node) -> Network:
    """A model whose loss is the sum of the squares of some values, so that no entry weighs as another does."""
    return lossy(reduce(add, [total(value**2) if value.shape else value**2 for value in values]))


def lossy(loss: Node) -> Network:
    """A model with a loss, in which all is trained but the data x."""
    model = network("row", (LOSS, loss))
    given = {X, INDEX}
    return replace(model, parameters=tuple(name for name in free_variables(model) if name not in given))


ENTRYWISE = {
    "sign": ended(W @ X * sign(W @ X)),
    "abs": ended(absolute(W @ X)),
    "silu": ended(silu(W @ X)),
    "normal density": ended(Apply("normal_density", W @ X)),
    "gelu by tanh": ended(gelu(W @ X, "tanh")),
    "leaky relu": ended(leaky_relu(W @ X)),
    "leaky relu, one slope trained": ended(leaky_relu(W @ X, C)),
    "leaky relu, a slope an entry": ended(leaky_relu(W @ X, K)),
    "elu": ended(elu(W @ X)),
    "elu, bound trained": ended(elu(W @ X, C)),
    "clip": ended(Apply("clip", W @ X, HALF)),
    "huber": ended(Apply("huber", W @ X, HALF)),
    "exponents trained": lossy(total(K ** vector("r", "m"))),
    "one exponent trained": lossy(total(K**C)),
    "near zero": ended(log1p(K), expm1(W @ X)),
    "waves and powers": ended(sin(W @ X) * cos(W @ X), sqrt(K), exp(W @ X), log(K), K / (K + C)),
    "activations": ended(sigmoid(W @ X), tanh(W @ X), relu(W @ X), softplus(W @ X)),
    "normal distribution": ended(Apply("normal_cdf", W @ X)),
    "gelu": ended(gelu(W @ X)),
    "operands that are products": ended(W @ (X * vector("v", "n")), (X * vector("v", "n")).T @ W.T),
    "operands that are sums": ended(leaky_relu(W @ X + K, C - K) / silu(W @ X - K)),
}
TENSORS = {
    "product": ended(einsum("ij,jk->ik", W, B)),
    "outer product": ended(einsum("i,j->ij", X, K)),
    "index in one operand": ended(einsum("ij,k->k", W, X)),
    "three operands": ended(einsum("ij,jk,j->ik", W, B, X)),
    "chains": ended(einsum("ij,jk,lk,l->i", W, B, vector("r", "q") @ vector("t", "p").T, vector("u", "q"))),
    "three axes": ended(einsum("ijk,ij->k", U, B), einsum("ijk->kij", U)),
    "along each axis": ended(*(mean(U, axis) for axis in range(3)), *(softmax(U, axis) for axis in range(3))),
    "sums of exponentials": ended(logsumexp(W @ X), logsumexp(B, 0), total(U, 1)),
    "norms": ended(norm(W @ X, 1), norm(W @ X), norm(B, 1), norm(B)),
}
DIAGONALS = {
    "diagonal": ended(einsum("ii->i", A)),
    "diagonal of a product": ended(einsum("ii->i", B @ B.T)),
    "diagonal beside a matrix": ended(einsum("ij,ii->j", B, A)),
    "diagonal in a sum": ended(einsum("ii,j->j", A + A.T, K)),
    "diagonal of three axes": ended(einsum("iij->ji", CUBE), einsum("iij,j->i", CUBE, vector("t", "p"))),
    "trace": ended(trace(A), trace(A @ A)),
    "diagonal as a vector": ended(diag(A)),
    "diagonal of a vector": ended(diag(A @ X), diag(A @ X) @ B, diag(diag(A))),
    "identity": ended(A + C * eye("n"), total(A * eye("n")), A @ eye("n") - B @ B.T, trace(C * eye("n") / 2)),
}
MOVES = {
    "convolutions": ended(
        conv1d(S, Q), conv1d(S, Q, stride=2, padding=1), conv1d(S, Q, stride=3, padding=2, dilation=2),
        conv1d(S, Q, dilation=3, padding=1),
    ),
    "convolutions of symbolic sizes": ended(
        conv1d(vector("s", "q"), vector("k", "p")), conv1d(vector("s", "q"), vector("k", "p"), stride=2, padding=1)
    ),
    "convolution of channels": ended(conv1d(matrix("P", "p", 7), Var("K", ("m", "p", 3)), stride=2, padding=1)),
    "convolution of images": ended(conv2d(IMAGE, KERNELS, stride=2, padding=1), conv2d(IMAGE, KERNELS, dilation=2)),
    "pools": ended(max_pool(S, 3), max_pool(S, 2, stride=1), mean_pool(S, 3, stride=2, padding=1)),
    "pools of images": ended(max_pool(IMAGE, 2), mean_pool(IMAGE, 3, stride=1), max_pool(IMAGE, 3, stride=1)),
    "slices": ended(part(S, 2, 5), part(S @ Q.T, 1, 2, 1), part(S @ Q.T, 4, 3, 0)),
    "concatenations": ended(
        concatenate([S, Q, A @ X]), concatenate([A, W], 0), concatenate([A, B], 1), part(concatenate([S, Q]), 9, 4)
    ),
    "a part of a product put elsewhere": ended(
        selection("n", (2,)) @ (matrix("G", 2, "n") @ X), selection(2, ("n",)) @ (A @ X), part(A.T @ A, 0, 1)
    ),
    "selections": ended(
        selection(7, (3, 2), -1, (2, 3)) * Var("G", (7, 3, 2)), selection(4, (6,), 5, (-1,)) @ vector("g", 6),
        selection(4, (6,), 5, (-1,)).T @ vector("h", 4),
    ),
    "embedding": ended(gather(matrix("R", 2, "p"), INDEX), one_hot(INDEX, 3) * matrix("O", "m", 3)),
    "largest": ended(largest(W @ X), largest(B), largest(W, 0), largest(U, 1), norm(W @ X, "inf"), norm(B, "inf")),
    "places of the largest": ended(Apply("peak", W, 1) * W, Apply("peak", B) * B, W.T @ Apply("peak", K)),
    "inverses": ended(inverse(A + 4 * eye("n")) @ X, det(A + 2 * eye("n")), inverse(A.T + 4 * eye("n"))),
}  # fmt: skip
MODELS = {**ENTRYWISE, **TENSORS, **DIAGONALS, **MOVES}
FORMAL = {"series", "function"}  # a symbolic number of terms, an unknown function: there is nothing to compute
SIZE_SETS = (
    {"m": 1, "n": 1, "p": 1, "q": 1}, {"m": 17, "n": 2, "p": 1, "q": 3}, {"m": 2, "n": 7, "p": 3, "q": 17},
)  # fmt: skip
models = pytest.mark.parametrize("name", MODELS)
targets = pytest.mark.parametrize("target", ["numpy", pytest.param("c", marks=needs_compiler)])
dtypes = pytest.mark.parametrize("dtype", TOLERANCE)


@pytest.fixture(autouse=True)
def quick_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "PORTABLE", ("-std=c99", "-O1"))  # what is tested here are values, not speed


@cache
def record_of(name: str) -> Derivation:
    return derive_gradients(MODELS[name])


def point_for(derivation: Derivation, numbers: dict[str, int] = SIZES) -> tuple[Point, dict[Var, Number]]:
    """Short decimals for what is given, away from kinks, and all that follows from them."""
    given = [*derivation.data, *derivation.parameters]
    sizes = {symbol: numbers[str(symbol)] for name in given for length in name.shape for symbol in length.free_symbols}
    for attempt in range(40):
        rng = random.Random(attempt)
        point = Point(REAL, sizes, {}, {})
        point.values.update({name: draw(name, point, rng) for name in given})
        try:
            return point, compute(derivation, point)
        except RetryError:
            continue
    raise AssertionError("no point away from kinks and poles")


def compiled(derivation: Derivation, point: Point, target: str, dtype: str) -> Function:
    sizes = {str(symbol): number for symbol, number in point.sizes.items()}
    lowered = lower(derivation, resolve_sizes(derivation, sizes), dtype)
    program = optimise(lowered)
    assert read_program(show(lowered)) == lowered and read_program(show(program)) == program
    values = {name.latex: np.asarray(floats(value), dtype) for name, value in point.values.items()}
    return Function(program, {v.name: values[v.latex] for v in program.of_role("parameter")}, target, {})


def agree(made: Function, derivation: Derivation, point: Point, expected: dict[Var, Number], dtype: str) -> None:
    """Check the loss and every gradient."""
    with np.errstate(all="raise", under="ignore"):
        results = made(**{v.name: floats(point.values[_by_latex(derivation, v.latex)]) for v in made.inputs})
    found = dict(zip(made.program.outputs, results if isinstance(results, tuple) else (results,), strict=True))
    by_name = {made.program.values[word].latex: array for word, array in found.items()}
    wanted = [e for e in derivation.equations if e.role in ("loss", "gradient")]
    assert set(by_name) == {e.name.latex for e in wanted}
    for equation in wanted:
        exact = np.asarray(floats(expected[equation.name]))
        assert by_name[equation.name.latex].dtype == dtype, equation.name.latex
        error = np.max(np.abs(by_name[equation.name.latex] - exact)) / max(1.0, float(np.max(np.abs(exact))))
        assert error <= TOLERANCE[dtype], equation.name.latex


def _by_latex(derivation: Derivation, latex: str) -> Var:
    return next(v for v in derivation.data if v.latex == latex)


def test_every_row_of_the_table_is_compiled_in_a_model() -> None:
    values = [e.value for name in MODELS for e in record_of(name).equations]
    met = {part.op.name for value in values for part in walk_nodes(value) if isinstance(part, Apply)}
    assert met == set(TABLE) - FORMAL


@models
@targets
@dtypes
def test_compiled_rows_have_the_values_of_fifty_digits(name: str, target: str, dtype: str) -> None:
    derivation = record_of(name)
    point, expected = point_for(derivation)
    agree(compiled(derivation, point, target, dtype), derivation, point, expected, dtype)


@pytest.mark.parametrize("sizes", SIZE_SETS, ids=lambda sizes: "-".join(map(str, sizes.values())))
@models
def test_compiled_rows_have_these_values_at_other_sizes(name: str, sizes: dict[str, int]) -> None:
    derivation = record_of(name)
    point, expected = point_for(derivation, sizes)
    moving = name in MOVES and point.sizes and compilers()
    for target in ("numpy", "c") if moving else ("numpy",):
        agree(compiled(derivation, point, target, "float64"), derivation, point, expected, "float64")


@needs_compiler
@models
@dtypes
def test_compiled_rows_give_no_warning(name: str, dtype: str, tmp_path: Path) -> None:
    derivation = record_of(name)
    path = tmp_path / "a.c"
    path.write_text(compiled(derivation, point_for(derivation)[0], "c", dtype).source)
    for compiler in compilers():
        done = subprocess.run(
            [compiler, *STRICT, "-O2", "-c", path, "-o", tmp_path / "a.o"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@targets
@dtypes
@pytest.mark.parametrize("at", [-800.0, -40.0, 0.0, 40.0, 800.0])
@pytest.mark.parametrize("row", ["sign", "silu", "normal_density", "gelu_tanh", "leaky_relu", "elu", "clip", "huber"])
def test_compiled_activations_do_not_overflow_far_from_zero(row: str, at: float, dtype: str, target: str) -> None:
    w = scalar("w")
    second = [HALF] * (row in ("leaky_relu", "elu", "clip", "huber"))
    model = replace(network("row", (LOSS, Apply(row, w, *second))), parameters=(w,))
    derivation = derive_gradients(model)
    point = Point(REAL, {}, {w: REAL.functions.of(int(at))}, {})
    with np.errstate(all="raise", under="ignore"):
        loss, slope = compiled(derivation, point, target, dtype)()
    assert np.isfinite(loss) and np.isfinite(slope)
    if at:
        found = compute(derivation, point)
        for value, equation in ((loss, derivation.equations[0]), (slope, derivation.equations[1])):
            # some roundings of float32, of which the rule of elu makes one where it adds 1 to e^x - 1
            assert float(value) == pytest.approx(floats(found[equation.name]), rel=4e-7, abs=1e-15), equation.id


def test_a_name_of_the_page_does_not_hide_a_function_of_ours() -> None:
    w, name = vector("w", "n"), scalar(r"\mathrm{elu}")
    model = replace(network("row", (LOSS, total(elu(w) * name))), parameters=(w, name))
    derivation = derive_gradients(model)
    point = Point(REAL, {w.shape[0]: 3}, {}, {})
    point.values.update({v: draw(v, point, random.Random(0)) for v in (w, name)})
    assert len(compiled(derivation, point, "numpy", "float64")()) == 3


# ---------------------------------------------------------------- what has no code
@pytest.mark.parametrize("name", sorted(FORMAL))
def test_a_row_without_code_is_named_with_its_equation_and_what_to_do(name: str) -> None:
    value = Apply("function", W @ X, 0, "f") if name == "function" else series(vector("h_t", "m"), "t", "T")
    z = Var("z", value.shape)
    derivation = Derivation("row", (Equation("1", z, value, "definition"),), None, tuple(variables(value)), ())
    with pytest.raises(UnsupportedOpError) as caught:
        lower(derivation, resolve_sizes(derivation, {}), "float32")
    message = str(caught.value)
    assert re.match(rf"\(\d\) .*: there is no code for {name}'?: no target has it; write the model", message)
    assert "row in derive/ops/" in message and "\n" not in message


@targets
def test_a_row_with_code_for_one_target_alone_is_refused_by_the_other(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    derivation = record_of("activations")
    other = {"numpy": "c", "c": "numpy"}[target]
    monkeypatch.setitem(TABLE, "tanh", replace(TABLE["tanh"], **{other: ""}))
    point, expected = point_for(derivation)
    agree(compiled(derivation, point, target, "float64"), derivation, point, expected, "float64")
    with pytest.raises(UnsupportedOpError, match=rf"\(\d\) .*{other} has no code for tanh; the target {target} has it"):
        compiled(derivation, point, other, "float64")
