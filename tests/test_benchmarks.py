"""The benchmarks compute what they say; nothing here looks at a time."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner

import codegen
from benchmarks import gate, hand, models, pages, report, sections, workloads
from benchmarks.__main__ import main
from benchmarks.contestants import OURS, OURS_NUMPY, from_page
from benchmarks.crew import Result
from benchmarks.workloads import LR, WORKLOADS, Array, Arrays, Workload
from codegen import build
from derive.backprop import derive_gradients

ROOT = Path(__file__).parents[1]
HAS_COMPILER = any(build.shutil.which(name) for name in ("gcc", "clang"))
SMALL = [workload for workload in WORKLOADS.values() if workload.flops < 10**7]  # of all families

each = pytest.mark.parametrize("workload", WORKLOADS.values(), ids=lambda w: w.name)
small = pytest.mark.parametrize("workload", SMALL, ids=lambda w: w.name)


@small
def test_the_gradients_by_hand_are_those_of_differences(workload: Workload) -> None:
    start, data = workload.draw()
    batch = workload.batches(data)[0]
    step = hand.FAMILIES[workload.family]
    rng = np.random.default_rng(0)
    direction = {name: rng.normal(size=array.shape) for name, array in start.items()}
    e = 1e-6

    def loss(h: float) -> float:
        return step(workload, {name: start[name] + h * direction[name] for name in start}, batch)[0]

    gradients = step(workload, start, batch)[1]
    slope = sum(float((gradients[name] * direction[name]).sum()) for name in start)
    # Rounding is about 1e-16/e; so small a step seldom takes a relu across its kink.
    assert slope == pytest.approx((loss(e) - loss(-e)) / (2 * e), rel=1e-6)


@each
def test_every_model_derives(workload: Workload) -> None:
    network = models.build(workload).network()
    record = derive_gradients(network)
    assert len(record.parameters) == len(workload.shapes)


@small
def test_training_in_numpy_passes_the_gate(workload: Workload) -> None:
    start, data = workload.draw()
    derivation = models.build(workload).gradients()
    trainer = codegen.compile(derivation, "numpy", workload.batch, lr=LR, sizes=workload.sizes).bind(**data)
    assert {name: array.shape for name, array in trainer.params.items()} == dict(workload.shapes)
    for name, array in start.items():
        trainer.params[name][...] = array
    loss = trainer.run(hand.GATE_STEPS)
    outcome: dict[str, Array] = {"loss": np.asarray(loss), **trainer.params}
    assert gate.passes(*gate.errors(outcome, hand.reference(workload, start, data)))


def test_the_page_of_a_workload_passes_the_gate(tmp_path: Path) -> None:
    workload = WORKLOADS["W3"]
    start, data = workload.draw()
    page = tmp_path / "page.md"
    page.write_text(pages.mlp(workload), encoding="utf-8")
    trainer = from_page.trainer(page, workload, start, data, "numpy")
    assert not trainer.notes, "every size is known, and targets are rows already"
    loss = trainer.run(hand.GATE_STEPS)
    outcome: dict[str, Array] = {"loss": np.asarray(loss), **trainer.params}
    assert gate.passes(*gate.errors(outcome, hand.reference(workload, start, data)))


def test_the_gate_stops_what_is_wrong() -> None:
    expected: Arrays = {"loss": np.asarray(2.0), "W": np.array([1.0, -4.0])}
    assert gate.passes(*gate.errors({"loss": np.asarray(2.0001), "W": np.array([1.003, -4.0])}, expected))
    assert not gate.passes(*gate.errors({"loss": np.asarray(2.001), "W": expected["W"]}, expected))
    assert not gate.passes(*gate.errors({"loss": expected["loss"], "W": np.array([1.0, -4.01])}, expected))
    assert not gate.passes(*gate.errors({"loss": expected["loss"], "W": np.array([np.nan, -4.0])}, expected))


def test_who_fails_the_gate_is_shown_and_not_ranked() -> None:
    good = {"loss_error": 1e-7, "param_error": 1e-6}
    results = {
        OURS: Result(rounds=[2.0, 3.0, 1.0], **good),
        OURS_NUMPY: Result(rounds=[9.0], **good),
        "steady": Result(rounds=[6.0, 5.0, 50.0], **good),
        "hasty": Result(loss_error=0.5, param_error=0.5),
        "missing": Result(absent="missing"),
    }
    row = sections.training_figures(WORKLOADS["W3"], results)
    assert row["ours_us"] == 2.0 and row["fastest_peer"] == "steady" and row["ratio"] == 3.0
    assert row["peers_us"] == {"steady": 6.0} and set(row["failing"]) == {"hasty"}


def test_what_is_not_compiled_says_so() -> None:
    results = {OURS: Result(error="ModelError: no form"), "steady": Result(rounds=[6.0], loss_error=0, param_error=0)}
    row = sections.training_figures(WORKLOADS["conv1d"], results)
    assert row["error"] == "not compiled: ModelError: no form" and row["ratio"] is None
    whole = {"workloads": {"conv1d": row}, "geomean": None, "geomean_of": [], "absent": ["jax"]}
    sheet = sections.training_sheet(whole, 200.0)
    assert list(sheet.notes) == ["jax: not installed", "conv1d: not compiled: ModelError: no form"]


def test_a_word_names_workloads_by_their_beginning() -> None:
    assert [w.name for w in workloads.chosen("W1,W4")] == ["W1b1", "W1b32", "W4"]
    with pytest.raises(KeyError):
        list(workloads.chosen("W9"))


@pytest.mark.parametrize("module", [report, sections], ids=lambda module: module.__name__)
def test_the_examples_in_docstrings_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.skipif(not HAS_COMPILER, reason="no C compiler")
def test_a_run_writes_the_figures_that_scripts_rely_on(tmp_path: Path) -> None:
    path, table = tmp_path / "figures.json", tmp_path / "table.md"
    command = [sys.executable, "-m", "benchmarks", "--workloads", "W1b1", "--quick", "--peers", "none"]
    done = subprocess.run(
        [*command, "--json", str(path), "--table", str(table)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(path.read_text(encoding="utf-8"))
    assert figures["machine"]["fma_peak_gflops"] > 1 and figures["versions"]["numpy"] == np.__version__
    row = figures["workloads"]["W1b1"]
    assert row["ours_us"] > 0 and row["fma_fraction"] > 0
    assert row["peers_us"] == {} and row["fastest_peer"] is None and row["ratio"] is None
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert table.read_text(encoding="utf-8").startswith("## A training step")


def test_a_wrong_option_is_one_line_and_exit_code_two() -> None:
    done = CliRunner().invoke(main, ["--workloads", "W9"])
    assert done.exit_code == 2 and "met W9; expected some of W1b1" in done.output
