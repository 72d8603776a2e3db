"""The NumPy step that writes into given memory: its results, its memory, and what it leaves to BLAS."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from oracles import CASES, Case
from program_helpers import run_program
from test_codegen import trainer
from test_programs import PROGRAMS, drawn

import codegen
from codegen.build import run_python
from codegen.engines import NumpyEngine
from codegen.function import Function
from codegen.passes.pipeline import optimise
from codegen.program import Call, Map, Program, Reduce, Ref, Value
from codegen.targets.numpy import emit_numpy
from codegen.text import read_program
from derive.backprop import derive_gradients
from derive.expr import matrix, scalar, vector
from derive.model import Definition, Network
from derive.ops.activation import relu
from derive.ops.reduction import total

SIZES = {"n": 7, "h": 5, "m": 4, "k": 3}
EPSILON = {"float32": 1e-6, "float64": 1e-14}
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
dtypes = pytest.mark.parametrize("dtype", EPSILON)


def made(case: Case, rows: int, dtype: str, batch: int, **more: Any) -> codegen.Trainer:
    return trainer(case, {n: SIZES[n] for n in case.sizes}, rows, "numpy", dtype, batch=batch, **more)


def work_of(made: codegen.Trainer) -> dict[int, tuple[Any, ...]]:
    engine = made.compiled.engine
    assert isinstance(engine, NumpyEngine)
    return engine.work


# ---------------------------------------------------------------- results
@cases
@dtypes
def test_a_step_in_given_memory_is_the_readable_form_and_an_update(case: Case, dtype: str) -> None:
    stepping = made(case, 8, dtype, 8, lr=0.1)
    for _ in range(3):
        loss, gradients = stepping.loss_and_gradients()
        expected = {k: w - np.asarray(0.1, dtype) * gradients[k] for k, w in stepping.params.items()}
        assert stepping.run(1) == pytest.approx(loss, rel=EPSILON[dtype])
        for name, array in stepping.params.items():
            assert array.dtype == dtype and array.shape == expected[name].shape
            np.testing.assert_allclose(array, expected[name], rtol=EPSILON[dtype], atol=EPSILON[dtype])


@cases
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_nothing_that_an_earlier_step_left_in_memory_is_read(case: Case, optimizer: str) -> None:
    clean, dirty = (made(case, 11, "float32", 4, optimizer=optimizer, weight_decay=0.01) for _ in range(2))
    for _ in range(7):  # the third mini-batch has three samples
        assert dirty.run(1) == clean.run(1)
        for array in (array for memory in work_of(dirty).values() for array in memory):
            array[...] = np.nan
    assert sorted(work_of(dirty)) == [3, 4]
    for name, array in clean.params.items():
        np.testing.assert_array_equal(dirty.params[name], array)


def test_a_rate_in_double_leaves_single_parameters_single() -> None:
    stepping = made(CASES[0], 4, "float32", 4)
    step = run_python(stepping.code, "model")["step"]
    work: dict[int, Any] = {}
    loss = step(stepping.params, stepping.data, np.float64(0.1), work)
    arrays = [*stepping.params.values(), *work[4]]
    assert np.asarray(loss).dtype == "float32" and all(array.dtype == "float32" for array in arrays)


def test_parameters_of_one_number_are_trained() -> None:
    x, y, w, c, loss = scalar("x"), scalar("y"), scalar("w"), scalar("c"), scalar("L")
    network = Network("line", (Definition(loss, (w * x + c - y) ** 2),), loss, (w, c))
    line = codegen.compile(derive_gradients(network), "numpy", lr=0.5, batch=3, dtype="float64")
    line.bind(x=np.array([0.0, 1, -1]), y=np.array([1.0, 3, -1]))
    line.run(200)
    assert (float(line.params["w"]), float(line.params["c"])) == pytest.approx((2, 1), abs=1e-9)


# ---------------------------------------------------------------- memory
def test_steps_after_the_first_allocate_no_arrays() -> None:
    network = codegen.compile(derive_gradients(_relu_network()), "numpy", batch=256, sizes={"h": 128})
    rng = np.random.default_rng(0)
    network.bind(x=rng.normal(size=(512, 64)), y=rng.normal(size=(512, 32)))
    step, data = run_python(network.code, "model")["step"], {k: v[:256] for k, v in network.data.items()}
    work: dict[int, Any] = {}
    peaks = []
    for _ in range(3):
        tracemalloc.start()
        step(network.params, data, np.float32(1e-3), work)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    own = {id(array): array.nbytes for array in work[256]}
    assert peaks[0] > sum(own.values()) > 500_000
    assert max(peaks[1:]) < 0.02 * peaks[0]


def test_values_that_are_not_needed_at_once_share_memory_and_every_step_uses_the_same() -> None:
    deep = made(next(case for case in CASES if "m" in case.sizes), 12, "float32", 4)
    deep.run(1)
    (memory,) = work_of(deep).values()
    assert len({array.ctypes.data for array in memory}) < len(memory)
    deep.run(5)
    assert work_of(deep)[4] is memory


def _relu_network() -> Network:
    x, y, w, v = vector("x", "n"), vector("y", "k"), matrix("W", "h", "n"), matrix("V", "k", "h")
    z, a, loss = vector("z", "h"), vector("a", "h"), scalar("L")
    definitions = (
        Definition(z, w @ x),
        Definition(a, relu(z)),
        Definition(loss, total((v @ a - y) ** 2)),
    )
    return Network("ramp", definitions, loss)


# ---------------------------------------------------------------- statements, one by one
def trained(program: Program) -> Program:
    """The program with a parameter that each step adds the values of `y` to."""
    y = program.values["y"]
    labels = tuple(f"l{k}" for k in range(len(y.sizes)))
    values = {**program.values, "y": replace(y, role="definition")}
    values |= {"kept": Value("kept", "kept", y.sizes, "parameter"), "J": Value("J", "J", (), "loss")}
    added = Map(Ref("kept", labels), Call("add", (Ref("kept", labels), Ref("y", labels))), "1")
    known = Reduce(Ref("J", ()), "sum", labels, Ref("y", labels), "1")
    return replace(
        program, values=values, statements=(*program.statements, known), updates=(added,), outputs=("J",),
    )  # fmt: skip


def stepped(program: Program, values: dict[str, Any]) -> tuple[Any, str]:
    """What a second step adds, in memory that the first one used, and the source."""
    source = emit_numpy(program)
    lengths = [program.sizes.get(str(n), n) for n in program.values["kept"].sizes]
    params, work = {"kept": np.zeros([int(n) for n in lengths], program.dtype)}, {}
    step = run_python(source, "model")["step"]
    data = {name: np.asarray(array, program.dtype) for name, array in values.items()}
    step(params, data, work)
    params["kept"][...] = 0
    step(params, data, work)
    return params["kept"], source


@pytest.mark.parametrize("name", PROGRAMS)
@dtypes
def test_statements_mean_the_same_in_given_memory(name: str, dtype: str) -> None:
    program = optimise(replace(trained(PROGRAMS[name]), dtype=dtype))
    values = drawn(program)
    expected = run_program(PROGRAMS[name], values)["y"]
    found, _ = stepped(program, values)
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    assert found.dtype == dtype
    np.testing.assert_allclose(
        found, expected, rtol=tolerance, atol=tolerance * max(1, float(np.max(np.abs(expected))))
    )


CONTRACTIONS = {
    "ik,kj->ij": "@", "ki,kj->ij": "@", "ki,jk->ij": "@", "ik,jk->ji": "@", "ik,k->i": "@", "k,ki->i": "@",
    "k,ik->i": "@", "bik,bkj->bij": "@", "bik,bjk->bji": "@", "bik,kj->bij": "@", "kj,bki->jbi": "@",
    "bik,bk->bi": "@", "bk,bki->bi": "@", "ikl,klj->ij": "@", "ikl,lkj->ij": "@", "ibk,bkjm->bijm": "@",
    "bkl,bikl->bi": "@", "aibk,bkaj->abij": "@", "ik,jk->ij": "@", "i,j->ij": "*", "i,j->ji": "*", "bi,bj->bij": "*",
    "ij,j->ij": "*", "bk,bk->b": "einsum", "ik,j->ij": "einsum", "ii,i->i": "*", "iki,kj->ij": "@", "kki,k->i": "@",
}  # fmt: skip


@pytest.mark.parametrize("spec", CONTRACTIONS)
def test_a_product_of_matrices_is_one_however_its_axes_lie(spec: str) -> None:
    lengths = dict(zip("abijklm", (2, 3, 4, 5, 6, 7, 8), strict=True))
    left, right, out = spec.replace("->", ",").split(",")
    axes = [",".join(str(lengths[k]) for k in word) for word in (left, right, out)]
    labels = [",".join(word) for word in (left, right, out)]
    summed = ",".join(sorted({*left, *right} - set(out)))
    program = read_program(
        f"program product\ndtype float64\noutputs y\ndata A[{axes[0]}]  # A\ndata B[{axes[1]}]  # B\n"
        f"loss y[{axes[2]}]  # y\n(1) y\ncomputed\n"
        f"y[{labels[2]}] = contract {summed}: A[{labels[0]}] B[{labels[1]}]  # (1)\nupdated\n"
    )
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=[lengths[k] for k in word]) for word in (left, right))
    expected = np.einsum(spec, a, b)
    plain = Function(program, {}, "numpy", {})
    found, source = stepped(trained(program), {"A": a, "B": b})
    for result in (plain(A=a, B=b), found):
        np.testing.assert_allclose(result, expected, rtol=1e-13, atol=1e-13)
    sign = CONTRACTIONS[spec]
    step = source[source.index("def step") :]
    assert f" {sign} " in plain.source if sign != "einsum" else "np.einsum" in plain.source
    assert {"@": "np.matmul(", "*": "np.multiply(", "einsum": "np.einsum("}[sign] in step
    diagonal = any(len(set(word)) < len(word) for word in (left, right))
    assert "einsum" not in plain.source + source or sign == "einsum" or diagonal
