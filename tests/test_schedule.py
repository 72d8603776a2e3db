"""Schedules: layouts, fusion, tiles and memory, on every machine that code is written for, against the NumPy target."""

from __future__ import annotations

import random

import numpy as np
import pytest
from test_codegen import differ, needs_compiler

import codegen
from codegen import build, generate
from codegen.errors import CodegenError
from codegen.plan.fuse import fuse
from codegen.plan.layout import lay_out
from codegen.plan.machine import AVX2, AVX512, NARROW, PORTABLE, Machine, machine_of
from codegen.plan.schedule import schedule
from codegen.plan.squeeze import squeeze
from codegen.plan.tiles import choose
from codegen.program import Program, Reduce, reads
from codegen.record import batch_form, lowered
from codegen.sizes import resolve_sizes
from derive.backprop import derive_gradients
from derive.derivation import Derivation
from derive.expr import Node, matrix, scalar, vector
from derive.model import Definition, Network
from derive.ops.activation import sigmoid, tanh
from derive.ops.elementwise import log
from derive.ops.reduction import largest, mean, softmax, total

MACHINES = [AVX512, AVX2, NARROW, PORTABLE]
machines = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)


def perceptron(seed: int) -> Derivation:
    """A network with an entry of everything that a layout decides on: products both ways, reductions, gates."""
    rng = random.Random(seed)
    x, y = vector("x", "n"), vector("y", "k")
    w, b, u, v = matrix("W", "h", "n"), vector("b", "h"), matrix("U", "h", "k"), matrix("V", "h", "h")
    definitions: list[Definition] = []

    def define(name: str, value: Node, *sizes: str) -> Node:
        var = vector(name, *sizes) if sizes else scalar(name)
        definitions.append(Definition(var, value))
        return var

    hidden = define("a", rng.choice([sigmoid, tanh])(w @ x + b), "h")
    if rng.random() < 0.7:
        turned = v.T if rng.random() < 0.5 else v
        hidden = define("c", hidden * tanh(turned @ hidden) + (hidden if rng.random() < 0.5 else b), "h")
    if rng.random() < 0.5:
        hidden = define("e", hidden - mean(hidden), "h")
    out = define("z", u.T @ hidden, "k")
    kind = rng.randrange(3)
    if kind == 0:
        probable = define(r"\hat{y}", softmax(out), "k")
        define("L", -total(y * log(probable)))
    elif kind == 1:
        define("L", total((out - y) ** 2) / 2)
    else:
        define("L", total((out - y) ** 2) + largest(hidden * hidden))
    loss = definitions[-1].name
    return derive_gradients(Network(f"net{seed}", tuple(definitions), loss))


def sizes_of(seed: int) -> tuple[dict[str, int], int, int]:
    """Sizes between 1 and 97, a batch, and a number of samples that need not be a multiple of it."""
    rng = random.Random(1000 + seed)
    pick = lambda: rng.choice([1, 2, 3, 7, 8, 10, 15, 16, 17, 31, 33, 48, 64, 97])  # noqa: E731
    batch = rng.choice([1, 2, 5, 16, 19, 32, 33])
    return {"n": pick(), "h": pick(), "k": pick()}, batch, batch * rng.randint(1, 3) + rng.choice([0, 1, 4])


@needs_compiler
@machines
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_every_machine_computes_what_numpy_does(
    seed: int, machine: Machine, optimizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "local_machine", lambda exact: machine)
    sizes, batch, rows = sizes_of(seed)
    rng = np.random.default_rng(seed)
    data = {"x": rng.normal(size=(rows, sizes["n"])), "y": np.abs(rng.normal(size=(rows, sizes["k"])))}
    made = [
        codegen.compile(
            perceptron(seed), target=target, dtype="float64", batch=batch, sizes={"h": sizes["h"]}, seed=seed,
            optimizer=optimizer,
        ).bind(**data)
        for target in ("numpy", "c")
    ]  # fmt: skip
    for trainer in made:
        start = np.random.default_rng(seed + 1)
        for array in trainer.params.values():
            array[...] = start.normal(size=array.shape) / np.sqrt(array.shape[-1] if array.ndim else 1)
    (loss, gradients), (found, others) = (trainer.loss_and_gradients() for trainer in made)
    assert differ(found, loss) < 1e-12
    assert max(differ(others[name], value) for name, value in gradients.items()) < 1e-12
    assert differ(*(trainer.run(7) for trainer in made)) < 1e-10
    for name, value in made[0].params.items():
        assert differ(made[1].params[name], value) < 1e-9, name
    for name, value in made[0].state.items():
        assert differ(made[1].state[name], value) < 1e-9, name


def programs() -> list[tuple[Program, int]]:
    found = []
    for seed in range(8):
        record = batch_form(perceptron(seed))
        sizes, batch, _ = sizes_of(seed)
        found.append((lowered(record, resolve_sizes(record, sizes), "float32", "adam"), batch))
    return found


@machines
def test_no_value_overwrites_one_that_is_still_read(machine: Machine) -> None:
    """Walk through each schedule with a tag on every place: what is read must be what was written last."""
    for program, batch in programs():
        plan = schedule(program, machine, batch, frozenset(v.name for v in program.of_role("data")))
        held: dict[str, str] = {}
        for group in plan.groups:
            own = {statement.out.name for statement in group.statements}  # read where they are made, from registers
            for statement in group.statements:
                for ref in reads(statement):
                    if ref.name in own:
                        continue
                    place = plan.places.alias.get(ref.name, ref.name)
                    if ref.name in {name for name, _ in plan.places.order} | set(plan.places.alias):
                        assert held[place] == ref.name, f"{ref.name} was overwritten by {held[place]}"
            for statement in group.statements:
                if statement.out.name not in group.local:
                    held[plan.places.alias.get(statement.out.name, statement.out.name)] = statement.out.name


@machines
def test_a_group_runs_over_one_set_of_entries_and_reads_only_what_is_there(machine: Machine) -> None:
    for program, batch in programs():
        laid = lay_out(squeeze(program), machine, batch, frozenset(v.name for v in program.of_role("data"))).program
        given = {v.name for v in laid.of_role("data", "parameter", "state", "rate")}
        known = set(given)
        groups = fuse(laid, {*laid.outputs, *given})
        written = [s.out.name for group in groups for s in group.statements]
        assert sorted(written) == sorted(s.out.name for s in (*laid.statements, *laid.updates))
        old = {name for name in given if name in {s.out.name for s in laid.updates}}
        for group in groups:
            assert not group.tail or not isinstance(group.head, Reduce)
            for statement in group.statements:
                assert {ref.name for ref in reads(statement)} <= known
                if statement.out.name not in given:
                    known.add(statement.out.name)
                old.discard(statement.out.name)
            for statement in group.tail:
                assert statement.out.labels == group.head.out.labels
        assert not old


@pytest.mark.parametrize(
    ("m", "n", "k"), [(1, 1, 1), (5, 2, 3), (64, 8, 784), (97, 7, 31), (13, 11, 97), (512, 32, 128)]
)
@machines
def test_tiles_cover_every_row_once_and_fit_the_registers(m: int, n: int, k: int, machine: Machine) -> None:
    tiling = choose(m, n, k, machine)
    sums = tiling.tile.rows * tiling.tile.vectors * tiling.tile.chains
    assert sums + tiling.tile.vectors <= machine.registers
    assert n % tiling.tile.vectors == 0
    rest = m
    while rest:
        rows = tiling.tile.rows if rest % tiling.tile.rows == 0 else tiling.rest.rows if tiling.rest else 0
        assert rows, "some rows are left over"
        rest -= rows


def test_processors_are_told_apart_by_their_features() -> None:
    assert machine_of("fpu sse2 avx avx2 fma avx512f") is AVX512
    assert machine_of("fpu sse2 avx avx2 fma") is AVX2
    assert machine_of("fpu sse2 avx") is NARROW


BUILDS = {
    "gcc, narrow": ("gcc", "-O1"), "gcc, native": ("gcc", "-O3", "-march=native", "-mprefer-vector-width=512"),
    "clang, narrow": ("clang", "-O1"), "clang, native": ("clang", "-O3", "-march=native"),
}  # fmt: skip


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", [0, 2, 4])
def test_the_exact_profile_has_the_same_bits_from_every_compiler(
    seed: int, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, batch, rows = sizes_of(seed)
    rng = np.random.default_rng(seed)
    data = {"x": rng.normal(size=(rows, sizes["n"])), "y": np.abs(rng.normal(size=(rows, sizes["k"])))}
    found = {}
    for build_name, (command, *flags) in BUILDS.items():
        if not build.shutil.which(command):
            continue
        monkeypatch.setattr(build, "find_compiler", lambda command=command: build.Compiler((command,), command))
        monkeypatch.setattr(build, "native_flags", lambda *_, flags=flags: (*flags, "-ffp-contract=off"))
        trainer = codegen.compile(
            perceptron(seed), target="c", dtype=dtype, batch=batch, sizes={"h": sizes["h"]}, optimizer="adam",
            profile="exact",
        ).bind(**data)  # fmt: skip
        trainer.run(9)
        found[build_name] = b"".join(array.tobytes() for array in trainer.params.values())
    assert len(found) > 1
    assert len(set(found.values())) == 1, [name for name, bits in found.items() if bits != found["gcc, native"]]


@needs_compiler
@pytest.mark.parametrize("target", ["numpy", "c"])
def test_a_loss_that_is_not_finite_changes_nothing_though_the_gradient_was_known_before(target: str) -> None:
    """The gradient shares a loop with what the loss is made of; the update must wait for the loss all the same."""
    w, v, x, u = vector("w", "n"), vector("v", "n"), vector("x", "n"), vector("u", "n")
    definitions = (Definition(u, tanh(w)), Definition(scalar("L"), total(u**2) + total(v * x)))
    trainer = codegen.compile(derive_gradients(Network("pull", definitions, scalar("L"), (w, v))), target, batch=2)
    trainer.bind(x=np.full((2, 3), np.inf))
    for array in trainer.params.values():
        array[...] = 0.5
    before = {name: array.copy() for name, array in trainer.params.items()}
    with pytest.raises(CodegenError):
        trainer.run(1)
    for name, array in before.items():
        np.testing.assert_array_equal(trainer.params[name], array)
