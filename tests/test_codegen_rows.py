"""Rows of the table as compiled code: losses and gradients in NumPy and C against fifty digits, or a clear refusal."""

from __future__ import annotations

import random
import re
import subprocess
from dataclasses import replace
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import pytest
from numbers_helpers import floats
from test_backprop import LOSS, compute, network
from test_codegen import STRICT, compilers, needs_compiler

from codegen.errors import UnsupportedOpError
from codegen.function import Function
from codegen.lower import lower
from codegen.passes.pipeline import optimise
from codegen.sizes import resolve_sizes
from derive.backprop import derive_gradients
from derive.derivation import Derivation
from derive.expr import Apply, Const, Node, Var, matrix, scalar, vector
from derive.model import Network, free_variables
from derive.ops.activation import elu, gelu, leaky_relu, silu
from derive.ops.elementwise import absolute, sign
from derive.ops.linalg import det, inverse, norm, trace
from derive.ops.reduction import largest, mean, softmax, total
from derive.ops.tensor import diag, einsum, gather
from derive.ops.window import conv1d
from derive.verify.evaluate import REAL, Point, draw
from derive.verify.numbers import Number, RetryError

W, X, C, K = matrix("W", "m", "n"), vector("x", "n"), Var("c", (), "positive"), Var("k", ("m",), "positive")
A, B, U = matrix("A", "n", "n"), matrix("B", "n", "p"), Var("U", ("n", "p", "q"))
HALF = Const(0.5)
SIZES = {"m": 4, "n": 3, "p": 2, "q": 5}
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}  # some dozen roundings, relative to the largest number


def ended(*values: Node) -> Network:
    """A model whose loss is the sum of the squares of some values, so that no entry weighs as another does."""
    return lossy(reduce(add, [total(value**2) if value.shape else value**2 for value in values]))


def lossy(loss: Node) -> Network:
    """A model with a loss, in which all is trained but the data x."""
    model = network("row", (LOSS, loss))
    return replace(model, parameters=tuple(name for name in free_variables(model) if name != X))


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
    "operands that are products": ended(W @ (X * vector("v", "n")), (X * vector("v", "n")).T @ W.T),
    "operands that are sums": ended(leaky_relu(W @ X + K, C - K) / silu(W @ X - K)),
}
TENSORS = {
    "product": ended(einsum("ij,jk->ik", W, B)),
    "outer product": ended(einsum("i,j->ij", X, K)),
    "index in one operand": ended(einsum("ij,k->k", W, X)),
    "three operands": ended(einsum("ij,jk,j->ik", W, B, X)),
    "three axes": ended(einsum("ijk,ij->k", U, B), einsum("ijk->kij", U)),
    "along each axis": ended(*(mean(U, axis) for axis in range(3)), *(softmax(U, axis) for axis in range(3))),
    "norms": ended(norm(W @ X, 1), norm(W @ X), norm(B, 1), norm(B)),
}
DIAGONALS = {
    "diagonal": ended(einsum("ii->i", A)),
    "diagonal of a product": ended(einsum("ii->i", B @ B.T)),
    "diagonal beside a matrix": ended(einsum("ij,ii->j", B, A)),
    "diagonal in a sum": ended(einsum("ii,j->j", A + A.T, K)),
    "trace": ended(trace(A), trace(A @ A)),
    "diagonal as a vector": ended(diag(A)),
}
MODELS = {**ENTRYWISE, **TENSORS, **DIAGONALS}
models = pytest.mark.parametrize("name", MODELS)
targets = pytest.mark.parametrize("target", ["numpy", pytest.param("c", marks=needs_compiler)])
dtypes = pytest.mark.parametrize("dtype", TOLERANCE)


def record_of(name: str) -> Derivation:
    """The record of a model; the loss alone where gradients need the identity matrix, for which there is no code."""
    derivation = derive_gradients(MODELS[name])
    if name not in DIAGONALS:
        return derivation
    return replace(derivation, equations=tuple(e for e in derivation.equations if e.role == "loss"))


def point_for(derivation: Derivation) -> tuple[Point, dict[Var, Number]]:
    """Short decimals for what is given, away from kinks, and all that follows from them."""
    given = [*derivation.data, *derivation.parameters]
    sizes = {symbol: SIZES[str(symbol)] for name in given for length in name.shape for symbol in length.free_symbols}
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
    program = optimise(lower(derivation, resolve_sizes(derivation, sizes), dtype))
    values = {name.latex: np.asarray(floats(value), dtype) for name, value in point.values.items()}
    return Function(program, {v.name: values[v.latex] for v in program.of_role("parameter")}, target, {})


@models
@targets
@dtypes
def test_compiled_rows_have_the_values_of_fifty_digits(name: str, target: str, dtype: str) -> None:
    derivation = record_of(name)
    point, expected = point_for(derivation)
    made = compiled(derivation, point, target, dtype)
    with np.errstate(all="raise", under="ignore"):
        results = made(*(floats(point.values[v]) for v in derivation.data))
    found = dict(zip(made.program.outputs, results if isinstance(results, tuple) else (results,), strict=True))
    by_name = {made.program.values[word].latex: array for word, array in found.items()}
    wanted = [e for e in derivation.equations if e.role in ("loss", "gradient")]
    assert set(by_name) == {e.name.latex for e in wanted}
    for equation in wanted:
        exact = np.asarray(floats(expected[equation.name]))
        error = np.max(np.abs(by_name[equation.name.latex] - exact)) / max(1.0, float(np.max(np.abs(exact))))
        assert error <= TOLERANCE[dtype], equation.name.latex


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
WITHOUT_CODE = {
    "normal_cdf": Apply("normal_cdf", W @ X),
    "gelu": gelu(W @ X),
    "inverse": inverse(A),
    "det": det(A),
    "one_hot": gather(B, vector("i", "m")),
    "selection": conv1d(X, vector("k", 2)),
    "peak": largest(W @ X),
    "function": Apply("function", W @ X, 0, "f"),
}


@pytest.mark.parametrize("target", ["numpy", "c"])
@pytest.mark.parametrize("name", WITHOUT_CODE)
def test_a_row_without_code_is_named_with_its_equation_and_what_to_do(name: str, target: str) -> None:
    z = Var("z", WITHOUT_CODE[name].shape)
    loss = total(z**2) if z.shape else z**2
    model = network("row", (z, WITHOUT_CODE[name]), (LOSS, loss))
    index = [v for v in free_variables(model) if v.latex == "i"]
    parameters = tuple(v for v in free_variables(model) if v != X and v not in index)
    derivation = derive_gradients(replace(model, parameters=parameters))
    with pytest.raises(UnsupportedOpError) as caught:
        lower(derivation, resolve_sizes(derivation, {}), "float32")
    message = str(caught.value)
    assert re.match(rf"\(\d\) .*: there is no code for {name}'?, neither as NumPy nor as C; write the model", message)
    assert "row in derive/ops/" in message and "\n" not in message
