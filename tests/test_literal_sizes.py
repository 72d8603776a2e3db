"""Models with numbers for sizes: derived and checked as for all sizes, at a cost that no size changes."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest
import sympy

from derive import Model, Recurrence, matrix, relu, softmax, sqrt, tanh, total, vector
from derive.backprop import derive_gradients
from derive.derivation import Derivation, Equation
from derive.expr import Const, Node, Var
from derive.generalise import LARGEST_KEPT, generalised
from derive.model import Network
from derive.ops.elementwise import log
from derive.ops.reduction import mean
from derive.ops.tensor import einsum, gather
from derive.ops.window import concatenate, conv1d, conv2d, max_pool, mean_pool, part
from derive.printer import to_latex
from derive.verify.steps import all_checked, checked

MEGABYTE = 1 << 20
Build = Callable[[Model, dict[str, int | str]], None]


def mlp(m: Model, s: dict[str, int | str]) -> None:
    x, y = vector("x", s["n"]), vector("y", s["k"])
    z1 = m.define("Z^{[1]}", matrix("W^{[1]}", s["h"], s["n"]) @ x + vector("b^{[1]}", s["h"]))
    a1 = m.define("A^{[1]}", relu(z1))
    z2 = m.define("Z^{[2]}", matrix("W^{[2]}", s["k"], s["h"]) @ a1 + vector("b^{[2]}", s["k"]))
    p = m.define(r"\hat{y}", softmax(z2))
    m.define("L", -total(y * log(p)))


def mean_square(m: Model, s: dict[str, int | str]) -> None:
    z = m.define("z", matrix("W", s["h"], s["n"]) @ vector("x", s["n"]))
    m.define("L", mean((z - vector("y", s["h"])) ** 2))


def layer_norm(m: Model, s: dict[str, int | str]) -> None:
    x = vector("x", s["n"])
    centre = m.define(r"\mu", mean(x))
    spread = m.define("v", mean((x - centre) ** 2))
    h = m.define("h", (x - centre) / sqrt(spread))
    y = m.define("y", vector("g", s["n"]) * h + vector("b", s["n"]))
    m.define("L", total(y**2))


def attention(m: Model, s: dict[str, int | str]) -> None:
    x = matrix("X", s["n"], s["h"])
    q, k, v = (m.define(f"{n}", x @ matrix(f"W_{n}", s["h"], s["h"])) for n in "QKV")
    scores = m.define("S", q @ k.T / 8)
    weights = m.define("A", softmax(scores, 1))
    out = m.define("O", weights @ v)
    m.define("L", mean(out**2))


def embedding(m: Model, s: dict[str, int | str]) -> None:
    h = m.define("h", gather(matrix("E", s["n"], s["h"]), vector("i", s["k"], "index")))
    m.define("L", mean(h**2))


TWINS: dict[str, tuple[Build, dict[str, int]]] = {
    "a classifier": (mlp, {"n": 784, "h": 128, "k": 10}),
    "a mean of squares": (mean_square, {"n": 784, "h": 100}),
    "a norm": (layer_norm, {"n": 512}),
    "attention": (attention, {"n": 50, "h": 64}),
    "an embedding": (embedding, {"n": 2000, "h": 256, "k": 12}),
}


def conv_1d(m: Model) -> None:
    z = m.define("z", conv1d(vector("x", 1000), vector("k", 7)))
    m.define("L", total((relu(z) - vector("y", 994)) ** 2))


def strided(m: Model) -> None:
    z = m.define("z", conv1d(matrix("x", 8, 100), Var("k", (16, 8, 7)), stride=2, padding=3))
    m.define("L", total((relu(z) - matrix("y", 16, 50)) ** 2))


def conv_2d(m: Model) -> None:
    z = m.define("z", conv2d(Var("x", (3, 32, 32)), Var("k", (8, 3, 3, 3)), padding=1))
    p = m.define("p", max_pool(relu(z), 2))
    q = m.define("q", conv2d(p, Var("K", (16, 8, 3, 3)), stride=2, padding=1))
    m.define("L", mean(q**2))


def pooled(m: Model) -> None:
    z = m.define("z", conv2d(Var("x", (1, 28, 28)), Var("k", (6, 1, 5, 5))))
    s = m.define("s", mean_pool(relu(z), 2))
    u = m.define("u", einsum("cij,ocij->o", s, Var("W", (120, 6, 12, 12))))
    m.define("L", total((u - vector("y", 120)) ** 2))


def patches(m: Model) -> None:
    z = m.define("z", conv2d(Var("x", (3, 224, 224)), Var("k", (768, 3, 16, 16)), stride=16))
    m.define("L", mean(z**2))


def joined(m: Model) -> None:
    x = vector("x", 20)
    h = m.define("h", concatenate([matrix("U", 300, 20) @ x, matrix("V", 500, 20) @ x, matrix("W", 200, 20) @ x]))
    m.define("L", total(vector("w", 1000) * h * h))


def sliced(m: Model) -> None:
    h = m.define("h", part(vector("p", 784), 100, 50))
    m.define("L", total(h**2))


TIED = {
    "a convolution": conv_1d, "a strided convolution": strided, "convolutions of images": conv_2d,
    "pooling": pooled, "patches": patches, "a concatenation": joined, "a slice": sliced,
}  # fmt: skip


def model(build: Callable[..., None], *sizes: dict[str, int] | dict[str, str]) -> Model:
    made = Model("net")
    build(made, *sizes)
    return made


def twins(name: str) -> tuple[Derivation, Derivation, dict[sympy.Symbol, int]]:
    build, sizes = TWINS[name]
    written, symbolic = model(build, sizes), model(build, {key: key for key in sizes})
    values = {sympy.Symbol(key, integer=True, positive=True): value for key, value in sizes.items()}
    return written.gradients(), symbolic.gradients(), values


def lines(derivation: Derivation, values: dict[sympy.Symbol, int] | None = None) -> list[str]:
    nodes = [(e.name, e.value, *(n for step in e.steps for n in (step.before, step.after)))
             for e in derivation.equations]  # fmt: skip
    put = {symbol: sympy.Integer(number) for symbol, number in (values or {}).items()}
    own = [to_latex(node.xreplace(put) if put else node) for group in nodes for node in group]
    return own + (lines(derivation.batch, values) if derivation.batch is not None else [])


def nodes_of(derivation: Derivation) -> list[Node]:
    found = [n for e in derivation.equations for n in (e.name, e.value)]
    found += [n for e in derivation.equations for step in e.steps for n in (step.before, step.after)]
    found += [*derivation.parameters, *derivation.data, *derivation.seeds]
    return found + (nodes_of(derivation.batch) if derivation.batch is not None else [])


# ---------------------------------------------------------------- the same derivation
@pytest.mark.parametrize("name", TWINS)
def test_numbers_give_the_derivation_that_symbols_give(name: str) -> None:
    written, symbolic, values = twins(name)
    assert lines(written) == lines(symbolic, values)
    assert (written.batch is None) == (symbolic.batch is None)


@pytest.mark.parametrize("name", TWINS)
def test_outcomes_are_those_of_symbols(name: str) -> None:
    written, symbolic, _ = twins(name)
    outcomes = [[(e.check, [s.check for s in e.steps]) for e in d.equations] for d in (written, symbolic)]
    assert all_checked(written)
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("name", TIED)
def test_sizes_that_depend_on_each_other_are_checked(name: str) -> None:
    made = model(TIED[name])
    assert all_checked(made.gradients())
    assert generalised(made.network()) is not None


@pytest.mark.parametrize("name", [*TWINS, *TIED])
def test_no_symbol_is_left_in_the_record(name: str) -> None:
    made = model(*TWINS[name]) if name in TWINS else model(TIED[name])
    left = {str(symbol) for node in nodes_of(made.gradients()) for symbol in node.free_symbols}
    assert left <= {"N", "ROW"}


@pytest.mark.parametrize("name", TIED)
def test_sizes_that_are_tied_reach_as_far_in_symbols_as_in_numbers(name: str) -> None:
    network = model(TIED[name]).network()
    general = generalised(network)
    assert general is not None
    restored = [general.back(item.value) for item in general.network.definitions]
    assert restored == [item.value for item in network.definitions]
    assert all(general.back(Const(size)) == Const(number) for number, size in general.sizes.items())


def test_small_sizes_and_those_of_a_symbols_name_stay() -> None:
    made = Model("small")
    made.define("L", total(matrix("W", LARGEST_KEPT, 2) @ vector("x", 2)))
    assert generalised(made.network()) is None
    odd = Model("odd")
    odd.define("L", total(matrix("W", 7, "7") @ vector("x", "7")) + total(vector("c", 9)))
    general = generalised(odd.network())
    assert general is not None and set(general.sizes) == {9}


def test_a_number_that_is_no_size_stays_a_constant() -> None:
    made = Model("constant")
    z = made.define("z", matrix("W", 784, 20) @ vector("x", 20))
    made.define("L", total(z**2) / 784)
    done = made.gradients()
    assert all_checked(done)
    assert done.check(r"\frac{\partial L}{\partial z} = \frac{2}{784} z").verdict == "proved"
    assert done.check(r"\frac{\partial L}{\partial z} = \frac{2}{20} z").verdict == "refuted"


# ---------------------------------------------------------------- cost
def peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def deep(*sizes: int) -> Model:
    made = Model("deep")
    a, y = vector("x", sizes[0]), vector("y", sizes[-1])
    for k, (n, h) in enumerate(itertools.pairwise(sizes), 1):
        z = made.define(f"Z^{{[{k}]}}", matrix(f"W^{{[{k}]}}", h, n) @ a + vector(f"b^{{[{k}]}}", h))
        a = made.define(f"A^{{[{k}]}}", relu(z)) if k < len(sizes) - 1 else z
    made.define("L", -total(y * log(made.define(r"\hat{y}", softmax(a)))))
    return made


@pytest.mark.parametrize("sizes", [(784, 128, 10), (784, 512, 512, 10), (100_000, 50_000, 1000)])
def test_memory_does_not_grow_with_the_sizes(sizes: tuple[int, ...]) -> None:
    assert peak(lambda: deep(*sizes).gradients()) < 50 * MEGABYTE


def test_judging_claims_takes_little_memory() -> None:
    done = deep(784, 128, 10).gradients()
    claims = (r"\frac{\partial L}{\partial W^{[1]}} = \delta^{[1]} x^T",
              r"\frac{\partial L}{\partial W^{[1]}} = -\delta^{[1]} x^T")  # fmt: skip
    verdicts: list[str] = []
    assert peak(lambda: verdicts.extend(done.check(claim).verdict for claim in claims)) < 150 * MEGABYTE
    assert verdicts == ["proved", "refuted"]


def test_sizes_that_stay_large_are_not_called_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("derive.verify.steps.generalised", lambda network: None)
    network = deep(784, 128, 10).network()
    done: list[Derivation] = []
    assert peak(lambda: done.append(checked(network, derive_gradients(network)))) < 300 * MEGABYTE
    checks = {e.of.latex: e.check for e in done[0].equations if e.role == "gradient" and e.of is not None}
    first = checks["W^{[1]}"]
    assert first is not None and first.outcome == "undecided"


# ---------------------------------------------------------------- what is wrong stays wrong
def corrupted(derivation: Derivation, place: int) -> Derivation:
    equations = list(derivation.equations)
    own: Equation = equations[place]
    wrong = own.value * Const(2)
    steps = (*own.steps[:-1], replace(own.steps[-1], after=wrong))
    equations[place] = replace(own, value=wrong, steps=steps)
    return replace(derivation, equations=tuple(equations))


def networks() -> dict[str, Network]:
    found = {name: model(*pair).network() for name, pair in TWINS.items()}
    return {**found, **{name: model(TIED[name]).network() for name in ("a convolution", "a concatenation", "a slice")}}


@pytest.mark.parametrize("name", networks())
def test_a_record_of_numbers_is_checked_as_it_is_and_a_wrong_one_is_not(name: str) -> None:
    network = networks()[name]
    record = derive_gradients(network)
    assert all_checked(checked(network, record))
    places = [k for k, e in enumerate(record.equations) if e.role in ("cotangent", "gradient")]
    for place in (places[0], places[-1]):
        assert not all_checked(checked(network, corrupted(record, place)))


def longest(values: object) -> int:
    if not isinstance(values, list):
        return 1
    return max([len(values), *map(longest, values)])


WRONG = {
    "a classifier": (r"\frac{\partial L}{\partial Z^{[2]}} = y - \hat{y}",
                     r"\frac{\partial L}{\partial b^{[1]}} = \delta^{[1]} \circ A^{[1]}"),
    "a mean of squares": (r"\frac{\partial L}{\partial W} = 2 (z - y) x^T",
                          r"\frac{\partial L}{\partial W} = \frac{2}{784} (z - y) x^T",
                          r"\frac{\partial L}{\partial W} = \frac{1}{51} (z - y) x^T"),
    "a norm": (r"\frac{\partial L}{\partial b} = y", r"\frac{\partial L}{\partial h} = 2 y"),
    "attention": (r"\frac{\partial L}{\partial V} = A \frac{\partial L}{\partial O}",
                  r"\frac{\partial L}{\partial Q} = \frac{\partial L}{\partial S} K"),
    "an embedding": (r"\frac{\partial L}{\partial h} = \frac{2}{256} h",),
}  # fmt: skip
RIGHT = {
    "a classifier": (r"\frac{\partial L}{\partial Z^{[2]}} = \hat{y} - y",
                     r"\frac{\partial L}{\partial W^{[1]}} = \delta^{[1]} x^T"),
    "a mean of squares": (r"\frac{\partial L}{\partial W} = \frac{2}{100} (z - y) x^T",
                          r"\frac{\partial L}{\partial W} = \frac{1}{50} (z - y) x^T",
                          r"\frac{\partial L}{\partial x} = W^T \frac{\partial L}{\partial z}"),
    "a norm": (r"\frac{\partial L}{\partial b} = 2 y", r"\frac{\partial L}{\partial h} = 2 g \circ y"),
    "attention": (r"\frac{\partial L}{\partial V} = A^T \frac{\partial L}{\partial O}",
                  r"\frac{\partial L}{\partial O} = \frac{2}{3200} O",
                  r"\frac{\partial L}{\partial Q} = \frac{1}{8} \frac{\partial L}{\partial S} K"),
    "an embedding": (r"\frac{\partial L}{\partial h} = \frac{2}{3072} h",
                     r"\frac{\partial L}{\partial h} = \frac{1}{1536} h"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "claim"), [(name, claim) for name, claims in RIGHT.items() for claim in claims])
def test_a_right_claim_is_proved(name: str, claim: str) -> None:
    assert model(*TWINS[name]).gradients().check(claim).verdict == "proved"


@pytest.mark.parametrize(("name", "claim"), [(name, claim) for name, claims in WRONG.items() for claim in claims])
def test_a_wrong_claim_is_refuted_by_small_arrays(name: str, claim: str) -> None:
    verdict = model(*TWINS[name]).gradients().check(claim)
    assert verdict.verdict == "refuted", verdict.reason
    assert verdict.counterexample is not None
    assert max(map(longest, verdict.counterexample.symbols.values())) <= 20


def test_a_claim_that_holds_at_these_sizes_alone_is_not_refuted() -> None:
    made = Model("half")
    z = made.define("z", matrix("U", 20, 10) @ vector("x", 10))
    made.define("L", mean(z**2) * total(vector("c", 10) * 0 + 1))  # 10/20 of the squares
    done = made.gradients()
    assert done.check(r"\frac{\partial L}{\partial z} = z").verdict in ("proved", "verified")
    assert done.check(r"\frac{\partial L}{\partial z} = 2 z").verdict == "refuted"


# ---------------------------------------------------------------- equal and different sizes
def square(rows: int, columns: int) -> Model:
    made = Model("square")
    z = made.define("z", matrix("W", rows, columns) @ vector("x", columns))
    made.define("L", total((z - vector("y", rows)) ** 2))
    return made


def test_equal_sizes_hide_no_missing_transpose() -> None:
    done = square(64, 64).gradients()
    assert all_checked(done)
    right = r"\frac{\partial L}{\partial x} = W^T \frac{\partial L}{\partial z}"
    assert done.check(right).verdict == "proved"
    assert done.check(right.replace("^T", "")).verdict == "refuted"
    assert done.check(r"z = W^T x").verdict == "refuted"


def test_what_fits_equal_sizes_alone_is_ill_typed_where_they_differ() -> None:
    verdict = square(64, 32).gradients().check(r"\frac{\partial L}{\partial x} = W \frac{\partial L}{\partial z}")
    assert verdict.verdict == "ill-typed"
    assert "64" in verdict.reason and "32" in verdict.reason


def test_a_message_shows_sizes_as_they_are_written() -> None:
    made = model(conv_1d)
    verdict = made.gradients().check(r"\frac{\partial L}{\partial x} = \frac{\partial L}{\partial z}")
    assert verdict.verdict == "ill-typed"
    assert "1000" in verdict.reason and "994" in verdict.reason and "+" not in verdict.reason


# ---------------------------------------------------------------- second order, recurrences
def test_second_derivatives_of_large_variables_are_checked_and_judged() -> None:
    made = Model("form")
    x, a = vector("x", 3000), matrix("A", 3000, 3000)
    made.define("f", x.T @ a @ x)
    for done in (made.hessian("x", "f"), made.hessian_product("x", loss="f"), made.directional("x", loss="f")):
        assert all_checked(done)
    done = made.hessian("x", "f")
    assert done.equations[-1].name.shape == (3000, 3000)
    assert done.check(r"\nabla_x^2 f = A + A^T").verdict == "proved"
    assert done.check(r"\nabla_x^2 f = A").verdict == "refuted"


def test_a_large_jacobian_is_checked_and_judged() -> None:
    made = Model("layer")
    made.define("y", tanh(matrix("W", 200, 300) @ vector("x", 300)))
    done = made.jacobian("y", "x")
    assert all_checked(done) and done.equations[-1].name.shape == (200, 300)
    assert done.check(r"\frac{\partial y}{\partial x} = \text{diag}(1 - y \circ y) W").verdict == "proved"
    assert done.check(r"\frac{\partial y}{\partial x} = W").verdict == "refuted"


def test_a_recurrence_of_large_steps_is_checked_and_judged() -> None:
    net = Recurrence("Recurrent net", "t", "T")
    before = net.carry("h_{t-1}", "h_t", (256,))
    z = net.define("z_t", matrix("W", 256, 256) @ before + matrix("U", 256, 100) @ vector("x_t", 100))
    net.define("h_t", tanh(z))
    net.conclude("L", total((net.final("h_T") - vector("y", 256)) ** 2))
    done = net.gradients()
    assert all_checked(done)
    assert {e.of.latex: e.name.shape for e in done.equations if e.of is not None}["U"] == (256, 100)
    assert not {str(s) for node in nodes_of(done) for s in node.free_symbols} - {"ROW"}
    right = r"\frac{\partial L}{\partial h_{t-1}} = W^T \delta_t"
    verdicts = [done.check(claim).verdict for claim in (right, right.replace("^T", ""))]
    assert verdicts[0] in ("proved", "verified") and verdicts[1] == "refuted"
