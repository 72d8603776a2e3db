"""Odd sizes, and axes of one entry: what works for five must work for one, on every machine code is written for."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from autograd import grad
from autograd import numpy as anp
from machine_helpers import MACHINES
from test_architectures import ARCHITECTURES, Architecture, soft, values_for, wanted_of
from test_codegen import differ, needs_compiler
from test_codegen_models import results
from test_random_graphs import SIZES, by_autograd, network_of, random_graph

from codegen import build, function
from codegen.errors import CodegenError
from codegen.function import Function
from codegen.lower import lower
from codegen.passes.pipeline import optimise
from codegen.plan.machine import Machine
from codegen.sizes import resolve_sizes, size_symbols
from codegen.targets.c import emit_c
from derive.backprop import derive_gradients
from derive.derivation import Derivation
from derive.expr import Node, matrix, scalar, vector
from derive.model import Definition, Network
from derive.ops.activation import tanh
from derive.ops.elementwise import sqrt
from derive.ops.linalg import inverse
from derive.ops.reduction import largest, mean, softmax, total
from derive.ops.tensor import eye
from derive.ops.window import concatenate, conv1d

Values = dict[str, Any]
machines = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)


@pytest.fixture(autouse=True)
def quick_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "PORTABLE", ("-std=c99", "-O1"))  # what is tested here are values, not speed


def program_of(derivation: Derivation, sizes: dict[Any, int]) -> Any:
    numbers = {str(symbol): sizes[symbol] for symbol in size_symbols(derivation)}
    return optimise(lower(derivation, resolve_sizes(derivation, numbers), "float64"))


def agree(derivation: Derivation, sizes: dict[Any, int], values: Values, expected: Values, tolerance: float) -> None:
    """Compiled for the machine that is set, and as NumPy, the gradients are the expected ones."""
    program = program_of(derivation, sizes)
    lengths = {v.latex: [program.sizes.get(str(n), n) for n in v.sizes] for v in program.of_role("data", "parameter")}
    given = {name: np.reshape(value, lengths[name]) for name, value in values.items() if name in lengths}
    params = {v.name: np.array(given[v.latex], np.float64) for v in program.of_role("parameter")}
    for target in ("numpy", "c"):
        found = results(Function(program, params, target, {}), given)
        for equation in derivation.equations:
            if equation.role == "gradient" and equation.of is not None:
                gradient = found[equation.name.latex]
                wanted = np.reshape(expected[equation.of.latex], gradient.shape)
                assert differ(gradient, wanted) <= tolerance, (target, equation.name.latex)


# ---------------------------------------------------------------- random graphs
@needs_compiler
@machines
@pytest.mark.parametrize("seed", [18, 231, 5002])
def test_a_random_graph_of_odd_sizes_has_autograds_gradients(
    seed: int, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(function, "local_machine", lambda: machine)
    rng = random.Random(seed + len(machine.name))
    for symbol in SIZES:
        monkeypatch.setitem(SIZES, symbol, rng.choice([2, 3, 5, 7, 9, 13, 16, 17, 23, 31, 33]))
    graph = random_graph(lambda choices: rng.choice(list(choices)), seed, 8)
    derivation = derive_gradients(network_of(graph), tuple(graph.wanted))
    # some thousand operations, through matrices whose condition is below a hundred
    agree(derivation, SIZES, graph.values, by_autograd(graph), 1e-9)


# ---------------------------------------------------------------- axes of one entry
X, W, V, L = vector("x", "n"), matrix("W", "p", "n"), vector("v", "p"), scalar("L")
Z, Q = vector("z", "p"), matrix("Q", "n", "p")


def chosen(z: Node) -> Network:
    return Network("chosen", (Definition(Z, z), Definition(L, largest(Z * Z) + total(Z))), L, (W,))


def joined() -> Network:
    both = concatenate([Q, matrix("X", "n", "m") @ matrix("U", "m", "p")], axis=1)
    definitions = (Definition(Q, matrix("X", "n", "m") @ matrix("T", "m", "p")), Definition(L, total(both**2)))
    return Network("joined", definitions, L, (matrix("T", "m", "p"), matrix("U", "m", "p")))


def inverted(p: Any) -> Network:
    """With `p` a name, or a number."""
    w, z, v, s, k = matrix("W", p, "n"), vector("z", p), vector("v", p), matrix("S", p, p), matrix("K", p, p)
    definitions = (Definition(z, w @ X), Definition(s, tanh(z @ z.T + k) + 3 * eye(p)))
    return Network("inverted", (*definitions, Definition(L, total(inverse(s) @ v))), L, (w, v, k))


def spread() -> Network:
    square, u = scalar("r"), vector("u", "p")
    definitions = (Definition(square, total(X**2)), Definition(u, sqrt(square) * V), Definition(L, mean(u)))
    return Network("spread", definitions, L, (X, V))


def slid() -> Network:
    return Network("slid", (Definition(L, total(conv1d(X, V) ** 2)),), L, (X, V))


def weighted() -> Network:
    p = vector("p", "p")
    return Network("weighted", (Definition(p, softmax(W @ X)), Definition(L, total(p * V) + largest(p))), L, (W, V))


def dominated(v: Values) -> Any:
    z = v["W"] @ v["x"]
    return anp.tanh(z[:, None] * z[None, :] + v["K"]) + 3 * anp.eye(len(z))


BY_HAND: dict[str, tuple[Network, Callable[[Values], Any]]] = {
    "the largest of a product": (
        chosen(W @ X), lambda v: anp.max((v["W"] @ v["x"]) ** 2) + anp.sum(v["W"] @ v["x"]),
    ),
    "products side by side": (joined(), lambda v: anp.sum((v["X"] @ v["T"]) ** 2) + anp.sum((v["X"] @ v["U"]) ** 2)),
    "an inverse": (inverted("p"), lambda v: anp.sum(anp.linalg.inv(dominated(v)) @ v["v"])),
    "an inverse of one entry": (inverted(1), lambda v: anp.sum(anp.linalg.inv(dominated(v)) @ v["v"])),
    "a number spread over a gradient": (spread(), lambda v: anp.sqrt(anp.sum(v["x"] ** 2)) * anp.mean(v["v"])),
    "windows": (
        slid(), lambda v: sum(anp.sum(v["v"] * v["x"][t : t + len(v["v"])]) ** 2
                              for t in range(len(v["x"]) - len(v["v"]) + 1)),
    ),
    "a softmax": (
        weighted(), lambda v: anp.sum(soft(v["W"] @ v["x"], 0) * v["v"]) + anp.max(soft(v["W"] @ v["x"], 0)),
    ),
}  # fmt: skip


@needs_compiler
@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize("lengths", [{"n": 1, "p": 1, "m": 1}, {"n": 5, "p": 1, "m": 3}, {"n": 18, "p": 11, "m": 1}])
def test_axes_of_one_entry_have_autograds_gradients(
    name: str, lengths: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = MACHINES[(len(name) + lengths["n"]) % len(MACHINES)]
    monkeypatch.setattr(function, "local_machine", lambda: machine)
    network, loss = BY_HAND[name]
    derivation = derive_gradients(network)
    sizes = {symbol: lengths[str(symbol)] for symbol in size_symbols(derivation)}
    for symbol in SIZES:
        monkeypatch.setitem(SIZES, symbol, lengths.get(str(symbol), SIZES[symbol]))
    values = values_for(network)
    moving = {var.latex: values[var.latex] for var in derivation.parameters}
    expected = dict(grad(lambda moved: loss({**values, **moved}))(moving))
    agree(derivation, sizes, values, expected, 1e-11)


@pytest.mark.parametrize("case", [case for case in ARCHITECTURES if case.name != "images of symbolic sizes"],
                         ids=lambda case: case.name)  # fmt: skip  # its kernels have two rows
def test_every_model_has_code_for_sizes_of_one(case: Architecture) -> None:
    derivation = derive_gradients(case.network, wanted_of(case.network))
    machine = MACHINES[len(case.name) % len(MACHINES)]
    emit_c(program_of(derivation, dict.fromkeys(size_symbols(derivation), 1)), machine=machine)


def test_windows_longer_than_what_they_slide_over_are_refused() -> None:
    derivation = derive_gradients(slid())
    with pytest.raises(CodegenError, match=r"an axis has n - p \+ 1 = -3 entries with n = 3, p = 7"):
        program_of(derivation, {symbol: {"n": 3, "p": 7}[str(symbol)] for symbol in size_symbols(derivation)})
