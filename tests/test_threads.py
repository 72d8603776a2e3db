"""Steps that several threads take together: the same bits as one alone, and never chosen where one is faster."""

from __future__ import annotations

import multiprocessing
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_models import drawn_model
from test_codegen import needs_compiler
from test_machines import STRICT
from test_samples import CASES, SAMPLES, batch_of

import codegen
from codegen import build, team
from codegen.build import offers_openmp
from codegen.engines import CEngine
from codegen.errors import CodegenError, NonFiniteError
from codegen.plan import divide
from codegen.sizes import resolve_sizes
from codegen.team import AGAIN, TRIED, Pace, Team
from derive.backprop import derive_gradients

needs_openmp = pytest.mark.skipif(not offers_openmp(), reason="the C compiler has no OpenMP")


@pytest.fixture
def everything_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads divide every loop that they may, however little it saves."""
    monkeypatch.setattr(divide, "MEETING", -1.0)


def drawn(seed: int, threads: int, **settings: Any) -> codegen.Trainer:
    """A drawn model of odd sizes, its data bound."""
    model = drawn_model(seed)
    x, y = model.draw(41, seed)
    hidden = {name: length for name, length in model.sizes.items() if name.startswith("h")}
    return codegen.compile(
        derive_gradients(model.network), sizes=hidden, batch=17, lr=0.01, threads=threads, **settings
    ).bind(x=x, y=y)


def of(trainer: codegen.Trainer, several: bool) -> codegen.Trainer:
    """The same trainer, its steps taken by one thread or by several."""
    made = trainer.compiled.engine
    assert isinstance(made, Team)
    trainer.bound = trainer.compiled.__class__(
        trainer.compiled.recipe, trainer.compiled.header, made.several if several else made.one, trainer.compiled.rates
    )
    return trainer


def bits(trainer: codegen.Trainer) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in {**trainer.params, **trainer.state}.items()}


# ---------------------------------------------------------------- the same bits
@needs_openmp
@pytest.mark.parametrize("seed", range(10))
def test_several_threads_leave_the_bits_of_one(seed: int, everything_divided: None) -> None:
    settings = {
        "dtype": ("float32", "float64")[seed % 2], "optimizer": ("sgd", "adam", "momentum")[seed % 3],
        "profile": ("fast", "exact")[seed // 2 % 2],
    }  # fmt: skip
    one, several = (of(drawn(seed, 3, **settings), several) for several in (False, True))
    assert "#pragma omp for" in several.code and "#pragma omp" not in one.code
    assert one.run(20) == several.run(20)  # 41 samples by 17: the last mini-batch is smaller
    assert bits(one) == bits(several)


@needs_openmp
@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_so_they_do_for_samples_of_every_kind(
    name: str, everything_divided: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "PORTABLE", ("-std=c99", "-O1"))  # what is tested here are values, not speed
    derivation, params, rows, _, _ = batch_of(name)
    given = {**params, **{latex: array[0] for latex, array in rows.items()}}
    shapes = {v: np.shape(given[v.latex]) for v in (*derivation.data, *derivation.parameters)}
    sizes, trainers = resolve_sizes(derivation, shapes=shapes).named(), []
    for several in (False, True):
        trainer = codegen.compile(derivation, batch=SAMPLES, lr=0.01, sizes=sizes, threads=3)
        trainer.bind(**{symbol.name: rows[symbol.latex] for symbol in trainer.card.symbols})
        trainers.append(of(trainer, several))
    assert len({trainer.run(3) for trainer in trainers}) == 1
    assert bits(trainers[0]) == bits(trainers[1])


@needs_openmp
def test_a_bound_step_of_a_team_goes_on_as_its_run_would() -> None:
    bound, run_ = (drawn(3, 2, optimizer="adam") for _ in range(2))
    step = bound.bind_step()
    for _ in range(2 * TRIED):
        step()
    run_.run(2 * TRIED)
    assert bits(bound) == bits(run_) and bound.steps == run_.steps


@needs_openmp
def test_a_loss_that_is_not_finite_stops_every_thread(everything_divided: None) -> None:
    trainer = of(drawn(4, 2), several=True)
    trainer.run(3)
    before = bits(trainer)
    trainer.data[next(iter(trainer.data))][...] = np.inf
    with pytest.raises(NonFiniteError):
        trainer.run(5)
    assert bits(trainer) == before


# ---------------------------------------------------------------- the text
@needs_openmp
def test_the_code_of_a_team_has_no_warning_with_and_without_openmp(everything_divided: None, tmp_path: Path) -> None:
    text = tmp_path / "team.c"
    text.write_text(drawn(5, 2, optimizer="adam").code)
    for flags in (("-fopenmp",), ("-Wno-unknown-pragmas",)):
        command = ["gcc", "-std=c99", "-O2", *STRICT, *flags, "-c", str(text), "-o", str(tmp_path / "team.o")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and not done.stderr, done.stderr


@needs_compiler
def test_a_compiler_without_openmp_trains_with_one_thread(
    everything_divided: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team, "offers_openmp", lambda: False)
    trainer = drawn(6, 2)
    assert isinstance(trainer.compiled.engine, CEngine) and "#pragma omp" not in trainer.code
    trainer.run(3)


@needs_compiler
def test_a_small_model_has_no_code_for_a_team() -> None:
    trainer = drawn(7, 8)
    assert trainer.compiled.recipe.code.team == "" and isinstance(trainer.compiled.engine, CEngine)


# ---------------------------------------------------------------- which is faster
def paced(one: float, several: float, turns: int) -> list[int]:
    """The ways that were taken where a step takes so many seconds by one thread, and by several."""
    pace, ways = Pace(), []
    for _ in range(turns):
        ways.append(pace.way())
        pace.note(ways[-1], 10, 10 * (one, several)[ways[-1]])
    return ways


def test_both_ways_are_tried_and_the_faster_goes_on() -> None:
    for one, several in ((1e-3, 2e-3), (2e-3, 1e-3)):
        ways = paced(one, several, 3 * AGAIN)
        assert set(ways[:TRIED]) == {0, 1}
        slower = int(one < several)
        assert ways[TRIED:].count(slower) <= 3


def test_a_machine_that_becomes_busy_is_noticed() -> None:
    pace = Pace()
    for turn in range(4 * AGAIN):
        way = pace.way()
        pace.note(way, 1, 1e-3 if way == 0 else 0.6e-3 if turn < AGAIN // 2 else 5e-3)
    assert pace.faster == 0


def test_a_turn_is_some_milliseconds_long() -> None:
    pace = Pace()
    assert pace.steps(0) == pace.steps(1) == 1
    pace.note(0, 1, 1e-4)
    assert 10 <= pace.steps(0) <= 100  # while both are tried
    pace.turns = TRIED + 1
    pace.note(1, 1, 1e-2)
    assert 30 <= pace.steps(0) <= 300 and pace.steps(1) == 1  # the slower one, tried again


def test_a_way_that_is_far_slower_is_not_tried_to_the_end() -> None:
    assert sum(paced(1e-4, 1e-2, TRIED)) == 2


def test_several_that_gain_little_are_left_alone() -> None:
    assert set(paced(1e-3, 0.95e-3, AGAIN - 1)[TRIED:]) == {0}


def _steps_of_a_child(trainer: codegen.Trainer, results: Any) -> None:
    trainer.run(40)
    results.put(bits(trainer))


@needs_openmp
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_process_forked_off_goes_on_alone(everything_divided: None) -> None:
    trainer = drawn(8, 2)
    trainer.run(2 * TRIED)  # the team has met
    forked = multiprocessing.get_context("fork")
    results = forked.Queue()
    child = forked.Process(target=_steps_of_a_child, args=(trainer, results))
    child.start()
    found = results.get(timeout=60)
    child.join(60)
    trainer.run(40)
    assert found == bits(trainer)


# ---------------------------------------------------------------- settings
@needs_openmp
@pytest.mark.parametrize(
    ("said", "kept"), [({}, build.SPINS), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "")]
)
def test_threads_wait_politely_unless_told_otherwise(said: dict[str, str], kept: str) -> None:
    own = {key: value for key, value in os.environ.items() if key not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    code = "import os; from codegen.build import offers_openmp as f; f(); print(os.environ.get('GOMP_SPINCOUNT', ''))"
    done = subprocess.run([sys.executable, "-c", code], env=own | said, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == kept


@pytest.mark.parametrize("threads", [0, -1, 1.5, "two"])
def test_a_number_of_threads_that_is_none_is_refused(threads: Any) -> None:
    with pytest.raises(CodegenError, match=re.escape(f"threads: met {threads}")):
        codegen.compile(derive_gradients(drawn_model(1).network), threads=threads)
