"""Stopping and going on: Ctrl-C, early stopping, checkpoints that survive a kill, losses that are no numbers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_helpers import TARGETS, both, clouds, disc, record

import codegen
from codegen.errors import CodegenError, NonFiniteError
from codegen.history import Epoch, History
from codegen.params import load_params, save_params
from derive.backprop import derive_gradients
from derive.derivation import Derivation
from derive.errors import DeriveError
from derive.expr import scalar, vector
from derive.model import Definition, Network
from derive.ops.elementwise import exp, sqrt

HERE = Path(__file__).parent


def bits(trainer: codegen.Trainer) -> dict[str, bytes]:
    """Parameters and the optimiser's state."""
    return {name: array.tobytes() for name, array in {**trainer.params, **trainer.state}.items()}


# ---- stopping and going on -------------------------------------------------------------------------------------


@both
def test_ctrl_c_stops_cleanly_and_keeps_what_was_learned(target: str) -> None:
    def interrupt(epoch: codegen.Epoch) -> None:
        if epoch.number == 3:
            raise KeyboardInterrupt

    x, y = disc(100)
    trainer = codegen.compile(record("cat"), target, batch=16)
    history = codegen.fit(trainer, {"x": x, "y": y}, epochs=50, on_epoch=interrupt)
    assert history.interrupted and len(history.epochs) == 3
    again = codegen.compile(record("cat"), target, batch=16)
    codegen.fit(again, {"x": x, "y": y}, epochs=3)
    assert all((again.params[name] == trainer.params[name]).all() for name in trainer.params)


@both
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_a_resumed_training_gives_the_same_bits(target: str, optimizer: str, tmp_path: Path) -> None:
    x, y = disc(100)
    data = {"x": x, "y": y}

    def made() -> codegen.Trainer:
        return codegen.compile(record("cat"), target, batch=16, optimizer=optimizer, seed=5)

    whole, half, rest = made(), made(), made()
    complete = codegen.fit(whole, data, epochs=6)
    codegen.fit(half, data, epochs=3, checkpoint=tmp_path / "point.npz")
    resumed = codegen.fit(rest, data, epochs=6, resume=tmp_path / "point.npz")
    assert all(whole.params[name].tobytes() == rest.params[name].tobytes() for name in whole.params)
    assert [epoch.loss for epoch in complete.epochs] == [epoch.loss for epoch in resumed.epochs]
    assert complete.best == resumed.best
    assert all((complete.best_params[n] == resumed.best_params[n]).all() for n in whole.params)


def test_a_press_of_ctrl_c_waits_for_the_step_and_the_checkpoint_has_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = disc(400)
    path = tmp_path / "point.npz"
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has it ignored

    def made() -> codegen.Trainer:
        return codegen.compile(record("cat"), "numpy", batch=2, optimizer="adam")

    stopped, rest, whole = made(), made(), made()
    stopped.bind(x=x, y=y)
    engine, calls = stopped.compiled.engine, iter(range(100))

    def pressed(*arguments: Any) -> Any:
        if next(calls) == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return take(*arguments)

    take = engine.train
    monkeypatch.setattr(engine, "train", pressed)
    history = codegen.fit(stopped, {"x": x, "y": y}, epochs=2, checkpoint=path, checkpoint_seconds=1e9)
    assert history.interrupted and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert 0 < stopped.steps == len(history.losses) < 200
    assert next(calls) == 2, "the step in progress was the last"
    codegen.fit(rest, {"x": x, "y": y}, epochs=2, resume=path)
    codegen.fit(whole, {"x": x, "y": y}, epochs=2)
    assert bits(rest) == bits(whole)


@pytest.mark.parametrize("target", TARGETS)
def test_a_training_killed_at_any_moment_goes_on_to_the_same_bits(target: str, tmp_path: Path) -> None:
    words = [sys.executable, str(HERE / "killed_training.py"), target, str(tmp_path), str(time.time_ns() % 10**6)]
    env = {**os.environ, "PYTHONPATH": f"{HERE.parent}{os.pathsep}{HERE}", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["same"], words
    assert report["kills"] >= 4, "in the midst of writing; and at random moments, if the training lasts that long"
    assert report["left"] == ["out", "point.npz"], "what a killed writer left is cleared away"


OTHERS = {
    "seed": ({"seed": 2}, {}, "its seed is 1, this training's is 2; use the same"),
    "lr": ({"lr": 0.5}, {}, "its lr is 0.01, this training's is 0.5"),
    "optimizer": ({"optimizer": "adam"}, {}, "its optimizer is sgd, this training's is adam"),
    "batch": ({"batch": 8}, {}, "its batch is 64"),
    "decay": ({"weight_decay": 0.1}, {}, "its weight_decay is 0.0"),
    "schedule": ({"lr_schedule": "step:every=3"}, {}, "its lr_schedule is constant, this training's is step:every=3"),
    "sizes": ({"sizes": {"h": 3}}, {}, "the file has shape (16, 2); the model has (3, 2)"),
    "data": ({}, {"data": {"x": disc(40, 1)[0], "y": disc(40)[1]}}, "its samples are others"),
    "validation": ({}, {"held_out": dict(zip("xy", disc(9), strict=True))}, "its held-out samples are others"),
    "metric": ({}, {"metric": "RMSE"}, "its metric is accuracy, this training's is RMSE"),
}


@pytest.fixture(scope="module")
def point(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("point") / "point.npz"
    data = dict(zip("xy", disc(40), strict=True))
    codegen.fit(codegen.compile(record("cat"), "numpy", seed=1), data, epochs=1, checkpoint=path)
    return path


@pytest.mark.parametrize("other", list(OTHERS))
def test_a_checkpoint_of_another_training_is_refused_in_one_line(other: str, point: Path) -> None:
    settings, given, words = OTHERS[other]
    trainer = codegen.compile(record("cat"), "numpy", **{"seed": 1, **settings})
    data = dict(zip("xy", disc(40), strict=True))
    trainer.bind(**given.get("data", data))
    before = bits(trainer)
    with pytest.raises(CodegenError) as caught:
        codegen.fit(trainer, epochs=2, resume=point, **{k: v for k, v in given.items() if k != "data"})
    assert words in str(caught.value) and "point.npz" in str(caught.value) and "\n" not in str(caught.value)
    if other != "metric":
        assert bits(trainer) == before, "nothing was changed"


def test_a_checkpoint_of_another_model_is_refused(point: Path) -> None:
    data = dict(zip("xy", disc(40), strict=True))
    with pytest.raises(CodegenError, match=r"parameters \['W1', 'W2', 'b1', 'b2'\]; the model has \['b', 'w'\]"):
        codegen.fit(codegen.compile(record("log"), "numpy", seed=1), data, epochs=2, resume=point)
    cat = record("cat")
    shifted = [Definition(e.name, e.value) for e in cat.equations if e.role in ("definition", "loss")]
    shifted[0] = Definition(shifted[0].name, 2 * shifted[0].value)
    assert cat.loss is not None
    other = derive_gradients(Network("twice", tuple(shifted), cat.loss))
    with pytest.raises(CodegenError, match=r"its equation \(\d+\) is .*, this model's is .*; use the same model"):
        codegen.fit(codegen.compile(other, "numpy", seed=1), data, epochs=2, resume=point)


def test_numbers_of_numpy_are_as_good_as_python_s(point: Path, tmp_path: Path) -> None:
    data = dict(zip("xy", disc(40), strict=True))
    settings = {"seed": np.int64(1), "batch": np.int32(64), "lr": np.float64(0.01), "weight_decay": np.float32(0)}
    trainer = codegen.compile(record("cat"), "numpy", **settings)
    codegen.fit(trainer, data, epochs=2, resume=point, checkpoint=tmp_path / "next.npz")
    assert load_params(tmp_path / "next.npz").meta["training"]["batch"] == 64


def test_parameters_alone_are_no_checkpoint(tmp_path: Path) -> None:
    x, y = disc(40)
    trainer = codegen.compile(record("cat"), "numpy").bind(x=x, y=y)
    save_params(tmp_path / "p.npz", trainer)
    with pytest.raises(CodegenError, match=r"p.npz: it is no checkpoint; expected a file that --checkpoint wrote"):
        codegen.fit(trainer, epochs=2, resume=tmp_path / "p.npz")
    with pytest.raises(CodegenError, match=r"none.npz.*No such file"):
        codegen.fit(trainer, epochs=2, resume=tmp_path / "none.npz")


def test_more_epochs_can_be_asked_for_but_not_with_a_schedule_that_ends_with_them(tmp_path: Path) -> None:
    data = dict(zip("xy", disc(128), strict=True))
    path = tmp_path / "point.npz"

    def fitted(schedule: str, epochs: int, **files: Any) -> dict[str, bytes]:
        trainer = codegen.compile(record("cat"), "numpy", lr_schedule=schedule)
        codegen.fit(trainer, data, epochs=epochs, **files)
        return bits(trainer)

    fitted("cosine:steps=8", 2, checkpoint=path)
    assert fitted("cosine:steps=8", 5, resume=path) == fitted("cosine:steps=8", 5)
    fitted("cosine", 2, checkpoint=path)
    with pytest.raises(
        CodegenError, match=r"its lr_schedule is cosine:steps=4,end=0\.0, this training's is cosine:steps=10"
    ):
        fitted("cosine", 5, resume=path)


def test_saved_parameters_say_what_they_are_and_hold_no_pickle(tmp_path: Path) -> None:
    x, y = clouds(40)
    trainer = codegen.compile(record("soft"), "numpy", seed=7).bind(x=x, y=y)
    save_params(tmp_path / "p.npz", trainer, {"source": "notes.md"})
    saved = load_params(tmp_path / "p.npz")
    assert saved.meta["seed"] == 7 and saved.meta["source"] == "notes.md" and saved.meta["classes"] == 3
    assert saved.meta["symbols"]["W1"] == "W^{[1]}" and saved.meta["sizes"] == {"n": 2, "k": 3}
    assert all((saved.params[name] == array).all() for name, array in trainer.params.items())
    with np.load(tmp_path / "p.npz", allow_pickle=False) as archive:
        assert all(archive[name].dtype.kind in "fU" for name in archive.files)
    assert [path.name for path in tmp_path.iterdir()] == ["p.npz"], "nothing half-written stays"


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off", b"\x93NUMPY\x01\x00"])
def test_a_file_that_holds_no_parameters_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    path.write_bytes(content)
    with pytest.raises(CodegenError) as caught:
        load_params(path)
    assert "\n" not in str(caught.value) and "p.npz" in str(caught.value)


def test_a_folder_that_is_missing_is_named_when_saving(tmp_path: Path) -> None:
    x, y = disc(8)
    trainer = codegen.compile(record("cat"), "numpy").bind(x=x, y=y)
    with pytest.raises(DeriveError, match="missing"):
        save_params(tmp_path / "missing" / "p.npz", trainer)


# ---- early stopping ------------------------------------------------------------------------------------------------


def overfitting(target: str, **changes: Any) -> tuple[codegen.Trainer, dict[str, Any], dict[str, Any]]:
    """A network that learns its few samples, labels drawn by lot, by heart: on others it soon gets worse."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 4)), rng.integers(0, 2, 200)
    trainer = codegen.compile(
        record("cat"), target, **{"batch": 16, "optimizer": "adam", "lr": 0.05, "sizes": {"h": 32}, **changes}
    )
    return trainer, {"x": x[:100], "y": y[:100]}, {"x": x[100:], "y": y[100:]}


@both
def test_patience_stops_and_restores_the_best_epoch(target: str) -> None:
    trainer, data, held_out = overfitting(target)
    states: list[dict[str, bytes]] = []

    def keep(epoch: Epoch) -> None:
        states.append({name: array.tobytes() for name, array in trainer.params.items()})

    history = codegen.fit(trainer, data, held_out, epochs=200, patience=4, on_epoch=keep)
    assert history.stopped_early and not history.interrupted
    assert history.best is not None and len(history.epochs) == history.best + 4 < 200
    ranks = [(epoch.metric, -(epoch.held_out_loss or 0.0)) for epoch in history.epochs]
    assert ranks.index(max(ranks)) == history.best - 1, "the best accuracy; among equals the lowest loss"
    assert {name: array.tobytes() for name, array in trainer.params.items()} == states[history.best - 1]
    assert states[-1] != states[history.best - 1]
    assert codegen.evaluate(trainer, held_out) == ("accuracy", history.epochs[history.best - 1].metric)


def test_without_patience_the_last_parameters_stay() -> None:
    trainer, data, held_out = overfitting("numpy")
    history = codegen.fit(trainer, data, held_out, epochs=30)
    assert not history.stopped_early and len(history.epochs) == 30 and history.best not in (None, 30)
    assert codegen.evaluate(trainer, held_out)[1] == history.epochs[-1].metric


def test_a_training_that_stopped_early_goes_on_only_with_more_patience(tmp_path: Path) -> None:
    path = tmp_path / "point.npz"
    one, data, held_out = overfitting("numpy")
    first = codegen.fit(one, data, held_out, epochs=200, patience=2, checkpoint=path)
    same, _, _ = overfitting("numpy")
    again = codegen.fit(same, data, held_out, epochs=200, patience=2, resume=path)
    assert again.stopped_early and len(again.epochs) == len(first.epochs)
    assert {n: a.tobytes() for n, a in same.params.items()} == {n: a.tobytes() for n, a in one.params.items()}
    more, whole = overfitting("numpy")[0], overfitting("numpy")[0]
    later = codegen.fit(more, data, held_out, epochs=200, patience=6, resume=path)
    expected = codegen.fit(whole, data, held_out, epochs=200, patience=6)
    assert bits(more) == bits(whole) and len(later.epochs) == len(expected.epochs) > len(first.epochs)


def test_held_out_samples_are_not_trained_on_and_their_loss_is_the_mean() -> None:
    trainer, data, held_out = overfitting("numpy", dtype="float64")
    history = codegen.fit(trainer, data, held_out, epochs=2)
    assert trainer.rows == 100
    assert history.epochs[-1].held_out_loss == pytest.approx(trainer.loss_and_gradients(**held_out)[0], rel=1e-12)


def test_a_metric_that_is_no_number_is_never_the_best() -> None:
    history = History("R2")
    for number, metric in enumerate((float("nan"), 0.1, float("nan"), 0.3, 0.2), 1):
        history.add(Epoch(number, 1.0, metric, 0.0), {"w": np.array(number)})
    assert history.best == 4 and history.best_params["w"] == 4 and history.without_progress() == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"epochs": 0}, "epochs: met 0; expected a whole number, at least 1"),
        ({"patience": 3}, "patience: there are no held-out samples"),
        ({"patience": 0, "held_out": {}}, "patience: met 0"),
        ({"patience": 1.5, "held_out": {}}, "patience: met 1.5"),
        ({"metric": "F1"}, "metric: met F1; expected one of accuracy, RMSE, R2"),
        ({"lr": -1.0}, "lr: met -1.0"),
        ({"batch": 0}, "batch: met 0"),
        ({"checkpoint_seconds": -1.0}, "checkpoint_seconds: met -1.0"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(given: dict[str, Any], words: str) -> None:
    trainer, data, _ = overfitting("numpy")
    with pytest.raises(CodegenError) as caught:
        codegen.fit(trainer, data, **given)
    assert words in str(caught.value)


# ---- losses that are no numbers ------------------------------------------------------------------------------------


def exploding() -> Derivation:
    x, y, w = vector("x", "n"), scalar("y"), vector("w", "n")
    z, e, loss = scalar("z"), scalar("e"), scalar("L")
    network = Network(
        "exploding", (Definition(z, w.T @ x), Definition(e, exp(z)), Definition(loss, (e - y) ** 2)), loss
    )
    return derive_gradients(network)


@both
def test_a_loss_that_is_no_number_names_epoch_batch_and_equation(target: str) -> None:
    x = np.ones((40, 3))
    x[25] = 1e4  # in the fourth mini-batch of eight
    trainer = codegen.compile(exploding(), target, batch=8, lr=1e-6, seed=1).bind(x=x, y=np.ones(40))
    trainer.params["w"][...] = 1
    with pytest.raises(NonFiniteError, match=r"mini-batch 4 of 5; equation \(2\), E, is the first"):
        trainer.run(10)
    assert trainer.steps == 3 and np.isfinite(trainer.params["w"]).all(), "the step was not taken"
    with pytest.raises(NonFiniteError, match=r"^epoch 1: "):
        codegen.fit(trainer, epochs=1)


@both
def test_infinite_data_are_called_infinite(target: str) -> None:
    trainer = codegen.compile(exploding(), target, batch=8).bind(x=np.full((8, 3), np.inf), y=np.ones(8))
    with pytest.raises(NonFiniteError, match="the data X holds"):
        trainer.run(1)


@both
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_a_step_whose_loss_is_no_number_changes_nothing(target: str, optimizer: str) -> None:
    x = np.random.default_rng(0).normal(size=(40, 3)) * 0.1
    x[25] = 1e4  # in the fourth mini-batch
    trainer = codegen.compile(exploding(), target, 8, optimizer=optimizer, lr=1e-6, weight_decay=0.5)
    trainer.bind(x=x, y=np.ones(40))
    trainer.params["w"][...] = 1
    trainer.run(3)
    before, steps = bits(trainer), trainer.steps
    assert optimizer == "sgd" or any(array.any() for array in trainer.state.values())
    with pytest.raises(NonFiniteError, match=r"mini-batch 4 of 5; equation \(2\), E, is the first"):
        trainer.run(1)
    assert (bits(trainer), trainer.steps, trainer.position) == (before, steps, 3)


@both
def test_an_update_that_breaks_a_parameter_at_a_finite_loss_is_named_and_not_written(
    target: str, tmp_path: Path
) -> None:
    x, y, w = vector("x", "n"), scalar("y"), vector("w", "n")
    z, loss = scalar("z"), scalar("L")
    network = Network("rooted", (Definition(z, w.T @ x), Definition(loss, sqrt((z - y) ** 2))), loss)
    trainer = codegen.compile(derive_gradients(network), target, batch=4, lr=0.1)
    data = {"x": np.ones((4, 2)), "y": np.full(4, 2.0)}
    trainer.bind(**data)
    trainer.params["w"][...] = 1  # the root of zero: its slope is 0/0
    with pytest.raises(NonFiniteError, match=r"epoch 1: the loss is finite, but the update of w gave values"):
        codegen.fit(trainer, epochs=1, checkpoint=tmp_path / "point.npz", checkpoint_seconds=0)
    assert np.isfinite(load_params(tmp_path / "point.npz").params["w"]).all()
