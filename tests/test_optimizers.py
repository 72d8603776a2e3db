"""Updates and schedules against the same formulas written a second time, by hand, in double precision."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from oracles import CASES, Arrays, Case, draw_data, oracle

import codegen
from codegen import build
from codegen.errors import CodegenError
from codegen.rates import BLOCK
from codegen.schedules import SCHEDULES, resolve_schedule
from derive.backprop import derive_gradients
from derive.derivation import Derivation
from derive.expr import matrix, scalar, vector
from derive.model import Definition, Network
from derive.ops.reduction import total

HAS_COMPILER = any(build.shutil.which(name) for name in ("gcc", "clang"))
BY_NAME = {case.name: case for case in CASES}
SIZES = {"n": 3, "h": 4, "m": 5, "k": 3}
ROWS, BATCH, LR = 23, 8, 0.05
RECORDS: dict[str, Derivation] = {}


def record(name: str) -> Derivation:
    if name not in RECORDS:
        RECORDS[name] = derive_gradients(BY_NAME[name].network)
    return RECORDS[name]


# ---- updates -------------------------------------------------------------------------------------------------------


class Sgd:
    def direction(self, gradient: Any) -> Any:
        return gradient


class Momentum:
    velocity: Any = 0.0

    def direction(self, gradient: Any) -> Any:
        self.velocity = 0.9 * self.velocity + gradient
        return self.velocity


class Adam:
    first: Any = 0.0
    second: Any = 0.0
    step = 0

    def direction(self, gradient: Any) -> Any:
        self.step += 1
        self.first = 0.9 * self.first + (1 - 0.9) * gradient
        self.second = 0.999 * self.second + (1 - 0.999) * gradient**2
        mean, spread = self.first / (1 - 0.9**self.step), self.second / (1 - 0.999**self.step)
        return mean / (np.sqrt(spread) + 1e-8)


BY_HAND: dict[str, type[Sgd] | type[Momentum] | type[Adam]] = {"sgd": Sgd, "momentum": Momentum, "adam": Adam}


def trained_by_hand(
    case: Case, start: Arrays, x: Any, y: Any, optimizer: str, rates: list[float], decay: float
) -> Arrays:
    """Steps with gradients of autograd; decay takes `rate * decay` off weights, and never off biases."""
    params = {name: np.array(value, np.float64) for name, value in start.items()}
    rules = {name: BY_HAND[optimizer]() for name in params}
    for step, rate in enumerate(rates):
        rows = slice(step % 3 * BATCH, step % 3 * BATCH + BATCH)
        _, gradients = oracle(case, params, x[rows], y[rows])
        for name in params:
            shrunk = params[name] * (1 - rate * decay) if name[0] in "wW" else params[name]
            params[name] = shrunk - rate * rules[name].direction(gradients[name])
    return params


RUNS = [*product(["cat", "log"], BY_HAND, [0.0, 0.3], ["numpy"]), *product(["cat"], BY_HAND, [0.3], ["c"])]


@pytest.mark.parametrize(("name", "optimizer", "decay", "target"), RUNS)
def test_ten_steps_are_those_of_the_formula(name: str, optimizer: str, decay: float, target: str) -> None:
    if target == "c" and not HAS_COMPILER:
        pytest.skip("no C compiler")
    case = BY_NAME[name]
    x, y = draw_data(case, SIZES, ROWS, np.random.default_rng(1))
    hidden = {"h": 4} if name == "cat" else None
    trainer = codegen.compile(
        record(name), target, BATCH, "float64", optimizer, LR, hidden, lr_schedule="linear:steps=12", weight_decay=decay
    ).bind(x=x, y=y)
    start = {key: array.copy() for key, array in trainer.params.items()}
    for key, array in trainer.params.items():
        array[...] = start[key] = start[key] + 0.1  # biases start at zero; off it, decay would show on them
    trainer.run(10)
    expected = trained_by_hand(case, start, x, y, optimizer, [LR * (1 - s / 12) for s in range(10)], decay)
    for key, array in trainer.params.items():
        np.testing.assert_allclose(array, expected[key], rtol=1e-9, atol=1e-11, err_msg=key)


@pytest.mark.parametrize("name", list(BY_NAME))
def test_what_is_only_added_is_exempt_from_decay_and_it_is_said(name: str) -> None:
    x, y = draw_data(BY_NAME[name], SIZES, ROWS, np.random.default_rng(1))
    trainer = codegen.compile(record(name), "numpy", weight_decay=0.01).bind(x=x, y=y)
    weights = [key for key in trainer.params if key[0] in "wW"]
    biases = [key for key in trainer.params if key[0] == "b"]
    (note,) = (note for note in trainer.notes if note.startswith("weight decay"))
    assert note == f"weight decay 0.01 on {', '.join(weights)}; not on {', '.join(biases)}, only added"
    assert not any("decay" in n for n in codegen.compile(record(name), "numpy").bind(x=x, y=y).notes)


def test_what_is_added_and_also_multiplied_decays() -> None:
    x, y, b, c = vector("x", "n"), vector("y", "n"), vector("b", "n"), vector("c", "n")
    z, loss = vector("z", "n"), scalar("L")
    twice = Definition(loss, total((z - y) ** 2) + total(b * b))
    network = Network("tied", (Definition(z, matrix("W", "n", "n") @ x + b - c), twice), loss)
    trainer = codegen.compile(derive_gradients(network), "numpy", weight_decay=0.5).bind(x=np.eye(2), y=np.eye(2) / 3)
    assert trainer.notes == ("weight decay 0.5 on W, b; not on c, only added",)


@pytest.mark.parametrize("target", ["c", "numpy"])
def test_decay_stands_in_the_source_under_the_number_of_the_update(target: str) -> None:
    plain, decayed = (
        codegen.training_source(record("cat"), target, optimizer="adam", weight_decay=decay) for decay in (0.0, 0.125)
    )
    assert "Weight decay 0.125 on W1, W2; not on b1, b2, only added." in decayed
    changed = [line for line in set(decayed.splitlines()) - set(plain.splitlines()) if "Weight decay" not in line]
    assert sum("1 / 8" in line or "0.125" in line for line in changed) == 2, "one line for each of W1 and W2"


# ---- schedules -----------------------------------------------------------------------------------------------------

# Text -> the factor at a step of 60 steps, 10 an epoch.
FORMULAS: dict[str, Callable[[int], float]] = {
    "constant": lambda s: 1.0,
    "step:every=7,factor=0.5": lambda s: 0.5 ** (s // 7),
    "step": lambda s: [1, 0.1, 0.01][s // 20],
    "step:every=2epochs": lambda s: 0.1 ** (s // 20),
    "exponential:every=1 epoch,factor=0.9": lambda s: 0.9 ** (s / 10),
    "exponential": lambda s: 10 ** (-s / 20),
    "linear": lambda s: 1 - s / 60,
    "linear:end=0.25,steps=40": lambda s: max(0.25, 1 - 0.75 * s / 40),
    "cosine": lambda s: 0.5 + 0.5 * math.cos(math.pi * s / 60),
    "cosine:steps=3epochs,end=0.2": lambda s: 0.2 + 0.8 * math.cos(math.pi * min(s, 30) / 60) ** 2,
    "constant:warmup=4": lambda s: min(1.0, (s + 1) / 4),
    "cosine:warmup=1epochs": lambda s: (s + 1) / 10 if s < 10 else 0.5 + 0.5 * math.cos(math.pi * (s - 10) / 50),
    "step:warmup=5,every=20": lambda s: (s + 1) / 5 if s < 5 else 0.1 ** ((s - 5) // 20),
    "linear:warmup=.5 epochs": lambda s: (s + 1) / 5 if s < 5 else 1 - (s - 5) / 55,
}


@pytest.mark.parametrize("text", list(FORMULAS))
def test_a_schedule_is_its_formula(text: str) -> None:
    plan = resolve_schedule(text, batches=10, total=60)
    factors = plan.factors(np.arange(60.0))
    np.testing.assert_allclose(factors, [FORMULAS[text](s) for s in range(60)], rtol=1e-12, atol=1e-15)
    assert resolve_schedule(str(plan)) == plan, "as text it says all of itself"


def test_every_schedule_has_its_formula() -> None:
    assert {text.partition(":")[0] for text in FORMULAS} == set(SCHEDULES)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wobble", "met wobble; expected one of constant, step"),
        ("", "met nothing"),
        ("cosine:every=3", "met every=3; cosine takes warmup, steps, end"),
        ("constant:end=1", "constant takes warmup"),
        ("step:every=1,every=2", "every stands twice"),
        ("step:every=2.5", "every is 2.5; expected a whole number of steps"),
        ("step:every=-1", "every is -1"),
        ("step:every=0", "every is 0"),
        ("step:every", "every is empty"),
        ("step:factor=0", "factor is 0; expected a number above 0 to 1"),
        ("step:factor=1.5", "factor is 1.5"),
        ("cosine:end=nan", "end is nan"),
        ("cosine:warmup=ten", "warmup is ten"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_refused_when_compiling(text: str, words: str) -> None:
    with pytest.raises(CodegenError, match="lr_schedule: ") as caught:
        codegen.compile(record("cat"), lr_schedule=text)
    assert words in str(caught.value)


def test_a_schedule_without_a_length_or_within_its_warm_up_is_refused() -> None:
    x, y = draw_data(BY_NAME["cat"], SIZES, ROWS, np.random.default_rng(1))
    trainer = codegen.compile(record("cat"), "numpy", batch=8, lr_schedule="cosine:warmup=6").bind(x=x, y=y)
    with pytest.raises(CodegenError, match=r"write cosine:steps=1000, or train with codegen.fit"):
        trainer.run(1)
    with pytest.raises(CodegenError, match="warms up for 6 steps of 6"):
        codegen.fit(trainer, epochs=2)
    with pytest.raises(CodegenError, match="in epochs"):
        resolve_schedule("linear:warmup=1epochs", None, 100)


def test_rates_are_the_same_bits_however_many_are_asked_for_at_once() -> None:
    x, y = draw_data(BY_NAME["cat"], SIZES, ROWS, np.random.default_rng(1))
    plan = resolve_schedule("cosine:warmup=100,steps=9000")
    trainer = codegen.compile(record("cat"), "numpy", optimizer="adam").bind(x=x, y=y)
    table = trainer.compiled.rates

    def asked(pieces: list[int]) -> Iterator[Any]:
        for first, last in pairwise(pieces):
            yield np.array(table.at(0.1, plan, 0, first, last - first))

    whole = np.concatenate(list(asked([0, BLOCK, 2 * BLOCK])), axis=1)
    cuts = sorted({0, BLOCK, 2 * BLOCK, *np.random.default_rng(0).integers(1, 2 * BLOCK, 50).tolist()})
    assert whole.shape == (3, 2 * BLOCK)
    assert np.concatenate(list(asked(cuts)), axis=1).tobytes() == whole.tobytes()
    assert table.room(plan, 5000) == 2 * BLOCK - 5000


def test_a_second_training_starts_the_schedule_again() -> None:
    x, y = draw_data(BY_NAME["cat"], SIZES, 24, np.random.default_rng(1))
    trainer = codegen.compile(record("cat"), "numpy", batch=8, lr_schedule="linear").bind(x=x, y=y)
    for started in (0, 6):
        codegen.fit(trainer, epochs=2)
        assert (trainer.started, trainer.steps, str(trainer.plan)) == (started, started + 6, "linear:steps=6,end=0.0")
