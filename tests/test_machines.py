"""The code that training runs, on every machine it is written for: no warning, no access outside, right numbers."""

from __future__ import annotations

import itertools
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from autograd import value_and_grad
from machine_helpers import COMPILERS, FLAGS, LOCAL, MACHINES, ROOM, SANITIZED, Driven, compiles, runs
from random_models import BATCHES, Model, drawn_model, start_of
from test_architectures import ARCHITECTURES
from test_codegen import differ, needs_compiler
from test_optimizers import BY_HAND
from test_schedule import perceptron

import codegen
from codegen.build import find_compiler, native_flags
from codegen.lower import lower
from codegen.passes.pipeline import optimise
from codegen.plan.machine import Machine
from codegen.record import batch_form, lowered
from codegen.sizes import resolve_sizes, size_symbols
from codegen.targets.c import emit_c
from derive.backprop import derive_gradients
from derive.derivation import Derivation
from derive.expr import matrix, scalar, vector
from derive.model import Definition, Network
from derive.ops.reduction import total
from derive.ops.window import concatenate

STRICT = (
    "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wdouble-promotion", "-Wshadow", "-Wstrict-prototypes",
    "-Wcast-qual", "-Wpointer-arith", "-Wundef", "-Wvla", "-Werror",
)  # fmt: skip
machines = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
TYPES = ("float32", "float64")


def require(able: bool, machine: Machine, what: str) -> None:
    if not able:
        pytest.skip(f"{machine.name}: cannot be {what} here; it is not tested on this processor")


# ---------------------------------------------------------------- no warning
def architecture(name: str) -> Derivation:
    return derive_gradients(next(case.network for case in ARCHITECTURES if case.name == name))


RECORDS = {
    "softmax after a norm": lambda: batch_form(perceptron(2)), "gates": lambda: batch_form(perceptron(5)),
    "recurrent cell": lambda: architecture("GRU cell"), "attention": lambda: architecture("multi-head attention"),
    "embedding": lambda: architecture("embedding, linear layer, softmax and cross-entropy"),
    "drawn": lambda: batch_form(derive_gradients(drawn_model(3).network)),
}  # fmt: skip
LENGTHS = ((97, 31, 7, 13, 5, 2, 3), (1,), (24, 33, 48, 17, 64), (3, 89, 16, 1, 9, 11))


def sources(machine: Machine, dtype: str) -> str:
    """Two models of odd sizes in one file, others for each machine and type."""
    text, turn = "", 2 * MACHINES.index(machine) + 3 * TYPES.index(dtype)
    for k, name in enumerate(itertools.islice(itertools.cycle(RECORDS), turn, turn + 2)):
        record = RECORDS[name]()
        lengths = itertools.cycle(LENGTHS[(turn + k) % len(LENGTHS)])
        sizes = {str(symbol): length for symbol, length in zip(size_symbols(record), lengths, strict=False)}
        optimizer, batch = (("sgd", 33), ("adam", 1), ("momentum", 48))[(turn + k) % 3]
        program = lowered(record, resolve_sizes(record, sizes), dtype, optimizer)
        text += emit_c(program, f"m{k}", machine=machine, batch=batch)
    return text


@needs_compiler
@machines
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_code_for_a_machine_compiles_without_a_warning(
    compiler: str, dtype: str, machine: Machine, tmp_path: Path
) -> None:
    require(compiles(machine), machine, "compiled for")
    (tmp_path / "a.c").write_text(sources(machine, dtype))
    more = ("-c", "-o", tmp_path / "a.o") if compiler == "gcc" else ("-fsyntax-only",)  # where clang warns, it is done
    command = [compiler, *LOCAL, *STRICT, *FLAGS[machine.name], *more, tmp_path / "a.c"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr


# ---------------------------------------------------------------- no access outside, and right numbers
def driven(seed: int, machine: Machine, dtype: str, optimizer: str) -> tuple[Model, Driven]:
    """A drawn model with its data bound, mini-batches that need not divide the samples, and parameters off zero."""
    model = drawn_model(seed)
    batch = model.rng.choice(BATCHES)
    x, y = model.draw(batch * model.rng.randint(1, 2) + model.rng.choice([0, 1, batch // 2]), seed)
    record = derive_gradients(model.network)
    hidden = {name: length for name, length in model.sizes.items() if name.startswith("h")}
    trainer = codegen.compile(record, "numpy", batch, dtype, optimizer, 0.01, hidden).bind(x=x, y=y)
    latex = {v.name: v.latex for v in trainer.program.of_role("parameter")}
    start = start_of(record, {latex[name]: array.shape for name, array in trainer.params.items()}, seed)
    for name, array in trainer.params.items():
        array[...] = start[latex[name]]
    return model, Driven(trainer, machine)


def by_hand(model: Model, made: Driven) -> dict[str, Any]:
    """The same by autograd and the formulas of the optimisers, in double precision."""
    trainer, batch = made.trainer, made.trainer.settings.batch
    latex = {v.name: v.latex for v in trainer.program.of_role("parameter")}
    x, y = (np.asarray(array, np.float64) for array in trainer.data.values())
    params = {name: np.array(array, np.float64) for name, array in trainer.params.items()}

    def slopes(rows: slice) -> tuple[Any, dict[str, Any]]:
        given = {latex[name]: array for name, array in params.items()}
        loss, found = value_and_grad(model.loss)(given, x[rows], y[rows])
        return loss, {name: found[latex[name]] for name in params}

    loss, gradients = slopes(slice(None))
    wanted = {"loss": loss} | {f"d {name}": gradient for name, gradient in gradients.items()}
    rules, losses = {name: BY_HAND[trainer.settings.optimizer]() for name in params}, []
    for step in range(made.steps):
        start = step % trainer.batches * batch
        loss, gradients = slopes(slice(start, start + batch))
        losses.append(loss)
        for name, rule in rules.items():
            params[name] = params[name] - trainer.settings.lr * rule.direction(gradients[name])
    return wanted | params | {"losses": np.array(losses)}


# Sums of at most some ten thousand products: that many roundings at worst. What is left of a difference grows with
# steps, and Adam divides it by a root that starts near zero, where a gradient is nothing but rounding.
TOLERANCE = {"float32": (2e-4, 5e-3), "float64": (1e-11, 1e-8)}


def compare(found: dict[str, Any], wanted: dict[str, Any], dtype: str) -> None:
    for name, value in wanted.items():
        straight = name == "loss" or name.startswith("d ")
        assert differ(found[name], value) <= TOLERANCE[dtype][0 if straight else 1], name


DRAWS = [(machine, seed) for k, machine in enumerate(MACHINES) for seed in (10 * k, 10 * k + 1, 10 * k + 2)]
draws = pytest.mark.parametrize(("machine", "seed"), DRAWS, ids=[f"{machine.name}, {seed}" for machine, seed in DRAWS])


@needs_compiler
@draws
def test_drawn_models_train_as_by_hand_and_touch_nothing_behind_their_arrays(
    machine: Machine, seed: int, tmp_path: Path
) -> None:
    """As it is run: every array ends where a page begins that nobody may touch, so wide loads are caught as well."""
    require(runs(machine), machine, "run")
    optimizer, dtype = list(BY_HAND)[seed % 3], "float32" if seed % 10 == 1 else "float64"
    model, made = driven(seed, machine, dtype, optimizer)
    compare(made.run(tmp_path, COMPILERS[0], *LOCAL, "-DFENCED"), by_hand(model, made), dtype)


@needs_compiler
@machines
def test_drawn_models_run_clean_under_the_sanitizers(machine: Machine, tmp_path: Path) -> None:
    """Arrays begin off the boundary of every vector and end with their last number; scratch is NaN at the start."""
    require(runs(machine), machine, "run")
    seed = 100 + MACHINES.index(machine)
    model, made = driven(seed, machine, "float32", "adam")
    compare(made.run(tmp_path, COMPILERS[seed % len(COMPILERS)], *SANITIZED), by_hand(model, made), "float32")


def small_product(m: int, n: int) -> Derivation:
    z, loss = matrix("Z", m, n), scalar("L")
    definitions = (Definition(z, matrix("A", m, m) @ matrix("B", m, n)), Definition(loss, total(z * z)))
    return derive_gradients(Network("product", definitions, loss))


def small_join(m: int, n: int) -> Derivation:
    z, loss = vector("z", m + n), scalar("L")
    joined = concatenate([vector("a", m), vector("b", n)])
    return derive_gradients(Network("join", (Definition(z, joined), Definition(loss, total(z * z * z))), loss))


SMALL = [(small_product, m, n) for m, n in ((2, 16), (4, 16), (2, 8))]
SMALL += [(small_join, m, n) for m, n in ((2, 1), (1, 2), (3, 5), (7, 12))]


@needs_compiler
@machines
@pytest.mark.parametrize("dtype", TYPES)
def test_nothing_is_read_behind_small_arrays_whose_lengths_the_compiler_knows(
    dtype: str, machine: Machine, tmp_path: Path
) -> None:
    """Where gcc knows all lengths it gathers numbers of several rounds into one load, and must not load too many."""
    require(runs(machine), machine, "run")
    real, text, calls = "float" if dtype == "float32" else "double", "", ""
    for k, (make, m, n) in enumerate(SMALL):
        record = make(m, n)
        program = optimise(lower(record, resolve_sizes(record), dtype))
        text += emit_c(program, f"p{k}", machine=machine)
        values = [*program.of_role("data", "parameter"), *(program.values[name] for name in program.outputs)]
        counts = [
            *(str(prod(int(program.sizes.get(str(n), n)) for n in value.sizes)) for value in values),
            f"P{k}_SCRATCH(1)",
        ]
        calls += f"    p{k}_loss_and_gradients(1, {', '.join(f'room(sizeof(REAL) * {c})' for c in counts)});\n"
    main = f"int main(void)\n{{\n{calls}    return 0;\n}}\n"
    (tmp_path / "a.c").write_text("#define _GNU_SOURCE\n#define FENCED\n" + (ROOM + text + main).replace("REAL", real))
    for flags in (FLAGS[machine.name], native_flags(find_compiler())):
        command = [COMPILERS[0], *LOCAL, *flags, tmp_path / "a.c", "-o", tmp_path / "a"]
        subprocess.run(list(map(str, command)), check=True)
        assert subprocess.run([tmp_path / "a"], check=False).returncode == 0, f"read behind an array with {flags}"


# ---------------------------------------------------------------- side by side
@needs_compiler
def test_threads_that_train_at_the_same_time_do_not_disturb_each_other() -> None:
    """One library, and for each thread arrays and scratch of its own: the same bits as one after the other."""
    rng = np.random.default_rng(0)

    @cache
    def made(seed: int) -> codegen.Trainer:
        x, y = rng.normal(size=(83, 33)), np.abs(rng.normal(size=(83, 17)))
        return codegen.compile(perceptron(2), batch=19, sizes={"h": 31}, seed=seed, optimizer="adam").bind(x=x, y=y)

    def trained(seed: int) -> bytes:
        trainer = made(seed)
        trainer.params = {name: array.copy() for name, array in starts[seed].items()}
        for array in trainer.state.values():
            array[...] = 0
        trainer.steps = trainer.position = 0
        trainer.run(300)
        return b"".join(array.tobytes() for array in trainer.params.values())

    seeds = range(4)
    starts = {seed: {name: array.copy() for name, array in made(seed).params.items()} for seed in seeds}
    alone = [trained(seed) for seed in seeds]
    with ThreadPoolExecutor(len(seeds)) as pool:
        assert list(pool.map(trained, seeds)) == alone
    assert len(set(alone)) == len(seeds)
