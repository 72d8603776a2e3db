"""What is computed where it is read instead of stored: decisions, memory, and that no bit changes by them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from random_models import drawn_model
from test_codegen import needs_compiler

import codegen
from codegen import build
from codegen.passes import pipeline
from codegen.passes.signs import read_signs
from codegen.passes.verify import verify
from codegen.plan import schedule as scheduling
from codegen.plan.buffers import WIDTH
from codegen.plan.cost import Costs
from codegen.plan.effort import effort
from codegen.plan.machine import AVX512, PORTABLE
from codegen.plan.recompute import Decided, Placed, recompute
from codegen.plan.schedule import Schedule, schedule
from codegen.program import Call, Number, Program, Ref
from codegen.record import batch_form, lowered
from codegen.sizes import resolve_sizes
from codegen.text import read_program, show, show_statement
from derive import Model, gelu, matrix, mean, sigmoid, total, vector
from derive.backprop import derive_gradients

BATCH = 32
HEAD = """program decisions
dtype float32
outputs L
size n = 16
size h = 64
data X[batch,n]  # X
parameter W[n,h]  # W
parameter V[h,h]  # V
parameter g[h]  # g
rate lr[]  # lr
definition Z[batch,h]  # Z
temp m[batch]  # m
temp s[batch]  # s
definition D[batch,h]  # D
definition E[batch,h]  # E
definition P[batch,h]  # P
definition Q[batch,h]  # Q
gradient q[h]  # q
loss L[]  # L
(1) Z
(2) D
(3) E
(4) L
computed
Z[b,h] = contract n: X[b,n] W[n,h]  # (1)
m[b] = max h: Z[b,h]  # (1)
"""
SQUARES = "s[b] = sum h: pow(D[b,h], 2)  # (3)"
DIFFERENCE = "D[b,h] = sub(Z[b,h], m[b])  # (2)"
PRODUCT = ("E[b,h] = mul(Z[b,h], s[b])  # (3)", "P[b,k] = contract h: E[b,h] V[h,k]  # (3)")
ONCE = "L = sum b,h: mul(P[b,h], Z[b,h])  # (4)"
TWICE = "L = sum b,h: mul(P[b,h], mul(Z[b,h], D[b,h]))  # (4)"


def planned(*lines: str, updates: str = "") -> Schedule:
    """The schedule of statements behind a product and a maximum of each of its rows."""
    program = verify(read_program(HEAD + "\n".join(lines) + f"\nupdated\n{updates}"))
    return schedule(program, AVX512, BATCH, frozenset(v.name for v in program.of_role("data")))


def computed(plan: Schedule) -> str:
    """The statements of a schedule."""
    return "\n".join(map(show_statement, plan.program.statements))


def test_a_difference_is_taken_where_it_is_read() -> None:
    plan = planned(DIFFERENCE, SQUARES, *PRODUCT, TWICE)
    assert [(a.name, a.eq, a.within) for a in plan.again] == [("D", "2", ("s", "L"))]
    assert "s[b] = sum h: pow(sub(Z[b,h], m[b]), 2)" in computed(plan) and "D[" not in computed(plan)
    taken, before = plan.scratch.count(BATCH), plan.stored.scratch(plan.lanes).count(BATCH)
    assert taken <= before - BATCH * 63
    assert read_program(show(verify(plan.program))) == plan.program


@pytest.mark.parametrize(
    "lines",
    [
        ("D[b,h] = exp(sub(Z[b,h], m[b]))  # (2)", SQUARES, *PRODUCT, TWICE),
        ("D[b,h] = div(Z[b,h], m[b])  # (2)", SQUARES, *PRODUCT, TWICE),
        (DIFFERENCE, "s[b] = max h: D[b,h]  # (3)", *PRODUCT, TWICE),
        (DIFFERENCE, SQUARES, *PRODUCT, "L = sum b,h: mul(P[b,h], D[b,0+h])  # (4)"),
        (DIFFERENCE, SQUARES, "E[b,h] = Z[b,h]  # (3)", "P[b,k] = contract h: D[b,h] V[h,k]  # (3)", TWICE),
    ],
    ids=["a function", "a quotient", "a plain maximum", "entries by number", "an operand"],
)
def test_what_takes_long_or_is_read_otherwise_than_entry_by_entry_is_stored(lines: tuple[str, ...]) -> None:
    plan = planned(*lines)
    assert "D" not in {a.name for a in plan.again}
    assert "D[" in computed(plan)


def test_a_function_that_only_one_other_loop_reads_is_computed_there() -> None:
    plan = planned("D[b,h] = exp(sub(Z[b,h], m[b]))  # (2)", "s[b] = sum h: pow(Z[b,h], 2)  # (3)", *PRODUCT, TWICE)
    assert [(a.name, a.within) for a in plan.again] == [("D", ("L",))]
    assert computed(plan).count("exp(") == 1 and "D[" not in computed(plan)


def test_a_parameter_is_not_read_later_than_its_update_would_wait_anyway() -> None:
    product, gradient = "D[b,h] = mul(Z[b,h], g[h])  # (2)", "q[h] = sum b: Z[b,h]  # (4)"
    update = "g[h] = sub(g[h], mul(lr, q[h]))  # (4)\n"
    assert planned(product, SQUARES, *PRODUCT, TWICE, gradient, updates=update).again == ()
    late = "L = sum b,h: mul(mul(P[b,h], g[h]), mul(Z[b,h], D[b,h]))  # (4)"
    (again,) = planned(product, SQUARES, *PRODUCT, late, gradient, updates=update).again
    assert again.name == "D"


def test_what_is_in_registers_alone_is_written_out_too() -> None:
    made = ("Q[b,h] = sub(Z[b,h], m[b])  # (2)", "D[b,h] = mul(Q[b,h], 3)  # (2)")
    plan = planned(*made, "s[b] = sum h: pow(Z[b,h], 2)  # (3)", *PRODUCT, TWICE)
    assert "mul(Z[b,h], mul(sub(Z[b,h], m[b]), 3))" in computed(plan)
    assert "D[" not in computed(plan) and "Q[" not in computed(plan)
    assert [(a.name, a.within) for a in plan.again] == [("D", ("L",)), ("Q", ("L",))]


def test_effort_counts_what_happens_inside_the_loop() -> None:
    row, all_rows = Ref("Z", ("b", "h")), Ref("m", ("b",))
    assert effort(Call("exp", (row,)), "h") > 10 > effort(Call("div", (row, all_rows)), "h") > 5
    assert effort(Call("mul", (row, Call("exp", (all_rows,)))), "h") == effort(Call("mul", (row, Number(2))), "h")
    assert effort(Call("pow", (row, Number(2))), "h") == 1.0 < effort(Call("pow", (row, Number(0.5))), "h")
    assert effort(Call("relu", (row,)), "h") == 1.0 < 10 < effort(Call("elu", (row, Number(1))), "h")
    assert effort(Call("mul", (row, row)), "h") == effort(Call("neg", (row,)), "h")


# ---------------------------------------------------------------- models
def gated() -> Model:
    """A layer whose activation and gate are read again by the backward pass, its product with both by a product."""
    model, x, y = Model("gated"), vector("x", "n"), vector("y", "k")
    z = model.define("Z", matrix("W", "h", "n") @ x + vector("b", "h"))
    a = model.define("A", gelu(z))
    q = model.define("Q", a * sigmoid(matrix("U", "h", "n") @ x))
    model.define("L", total((matrix("V", "k", "h") @ q - y) ** 2))
    return model


def normed() -> Model:
    """Squared differences from the mean of a layer."""
    model, x, y = Model("normed"), vector("x", "n"), vector("y", "h")
    z = model.define("Z", matrix("W", "h", "n") @ x)
    c = model.define("C", z - mean(z))
    model.define("L", total((c**2 - y) ** 2))
    return model


@needs_compiler
@pytest.mark.parametrize("build_model", [gated, normed])
def test_the_table_says_what_is_computed_where_it_is_read_and_what_that_spares(
    build_model: Callable[[], Model],
) -> None:
    trainer = codegen.compile(build_model().gradients("L"), batch=48, sizes={"h": 80} if build_model is gated else {})
    rng, width = np.random.default_rng(0), 3 if build_model is gated else 80
    trainer.bind(x=rng.normal(size=(48, 7)), y=rng.normal(size=(48, width)))
    table = codegen.memory_table(trainer)
    name = {"gated": "A", "normed": "C"}[build_model.__name__]
    assert name in table.again and table.spared >= 48 * 79 * 4
    assert name not in {buffer.name for buffer in table.buffers}
    text = str(table)
    assert f"computed where they are read, to spare {table.spared} bytes: " in text
    assert "nothing is computed twice" not in text and max(map(len, text.splitlines())) <= WIDTH
    assert re.search(r"/\* \(\d+\) .*\[\(\d+\) computed here\] \*/", trainer.code)
    assert np.isfinite(trainer.run(3))


def test_a_perceptron_has_nothing_to_compute_twice() -> None:
    model, x, y = Model("plain"), vector("x", "n"), vector("y", "k")
    a = model.define("A", sigmoid(matrix("W", "h", "n") @ x))
    model.define("L", total((matrix("V", "k", "h") @ a - y) ** 2))
    record = batch_form(model.gradients("L"))
    program = lowered(record, resolve_sizes(record, {"n": 5, "h": 40, "k": 3}), "float32")
    assert schedule(program, PORTABLE, BATCH, frozenset(v.name for v in program.of_role("data"))).again == ()


def stored(program: Program, costs: Costs, kept: frozenset[str], place: Callable[[Program], Placed]) -> Decided[Any]:
    """The decision to store everything."""
    placed = place(program)
    return Decided(program, placed, (), placed)


@needs_compiler
@pytest.mark.parametrize("seed", [6, 11, 19, 29, 34, 37])
@pytest.mark.parametrize("target", ["c", "numpy"])
def test_neither_pass_changes_a_bit_and_none_takes_memory(
    seed: int, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "PORTABLE", ("-std=c99", "-O1"))
    without = trained(seed, target, monkeypatch, stored, tuple(p for p in pipeline.PASSES if p is not read_signs))
    made = trained(seed, target, monkeypatch, recompute, pipeline.PASSES)
    assert without.losses == made.losses
    for name, array in without.params.items():
        np.testing.assert_array_equal(array.view("u4"), made.params[name].view("u4"))
    assert made.bytes <= without.bytes


class Trained:
    """What a few steps of Adam make of a drawn model, and the bytes of scratch that they take."""

    def __init__(self, seed: int, target: str) -> None:
        model = drawn_model(seed)
        batch = random.Random(seed).choice((5, 16, 33))
        hidden = {name: length for name, length in model.sizes.items() if name.startswith("h")}
        record = derive_gradients(model.network)
        trainer = codegen.compile(
            record, target, batch, sizes=hidden, lr=0.05, optimizer="adam", profile="exact" if target == "c" else "fast"
        )
        x, y = model.draw(batch + 3, seed)
        trainer.bind(x=x, y=y)
        rng = np.random.default_rng(seed)
        for array in trainer.params.values():
            array[...] = rng.normal(size=array.shape) / 3
        self.losses = [trainer.run(1) for _ in range(4)]
        self.params = {name: np.array(array) for name, array in trainer.params.items()}
        self.bytes = codegen.memory_table(trainer).shared if target == "c" else 0


def trained(
    seed: int, target: str, monkeypatch: pytest.MonkeyPatch, decide: Callable[..., Any], passes: tuple[Any, ...]
) -> Trained:
    """The same with passes of choice."""
    monkeypatch.setattr(scheduling, "recompute", decide)
    monkeypatch.setattr(pipeline, "PASSES", passes)
    return Trained(seed, target)
