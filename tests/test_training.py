"""Training: it learns, it can be stopped and resumed, and it says where a loss stopped being a number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import CASES, Case, logistic, mlp

import codegen
from codegen import build
from codegen.errors import CodegenError, NonFiniteError
from codegen.metrics import measure, metric_for
from codegen.params import load_params, save_params
from derive.backprop import derive_gradients
from derive.derivation import Derivation
from derive.errors import DeriveError
from derive.expr import scalar, vector
from derive.model import Definition, Network
from derive.ops.activation import sigmoid, tanh
from derive.ops.elementwise import exp
from derive.ops.reduction import total

Array = np.ndarray[Any, Any]

HAS_COMPILER = any(build.shutil.which(name) for name in ("gcc", "clang"))
TARGETS = ["numpy", pytest.param("c", marks=pytest.mark.skipif(not HAS_COMPILER, reason="no C compiler"))]
both = pytest.mark.parametrize("target", TARGETS)
RECORDS: dict[str, Derivation] = {}


def record(name: str) -> Derivation:
    """The record of one sample: mini-batches are the trainer's own doing."""
    networks = {case.name: case.network for case in CASES}
    return RECORDS.setdefault(name, derive_gradients(networks[name])) if name not in RECORDS else RECORDS[name]


def disc(rows: int, seed: int = 0) -> tuple[Array, Array]:
    """Points of the plane, and whether they lie in a disc: no line parts them."""
    x = np.random.default_rng(seed).normal(size=(rows, 2))
    return x, ((x**2).sum(axis=1) < 1.4).astype(np.int64)


def clouds(rows: int, seed: int = 0) -> tuple[Array, Array]:
    """Three clouds of points, and their numbers."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, rows)
    return rng.normal(size=(rows, 2)) * 0.4 + np.array([[0, 2], [2, 0], [-2, -1]])[labels], labels


@both
def test_a_page_about_one_sample_is_trained_in_mini_batches(target: str) -> None:
    x, y = disc(600)
    trainer = codegen.compile(record("cat"), target, batch=32, optimizer="adam", lr=0.05, sizes={"h": 16})
    history = codegen.fit(trainer, {"x": x, "y": y}, dict(zip("xy", disc(200, 1), strict=True)), epochs=60)
    assert history.metric == "accuracy"
    assert history.epochs[-1].metric is not None and history.epochs[-1].metric > 0.93
    assert history.epochs[-1].loss < 0.5 * history.epochs[0].loss
    assert set(trainer.params) == {"W1", "b1", "W2", "b2"}


@both
def test_class_labels_become_one_hot_and_are_learned(target: str) -> None:
    x, y = clouds(400)
    trainer = codegen.compile(record("soft"), target, batch=64, lr=0.5)
    history = codegen.fit(trainer, {"x": x, "y": y}, dict(zip("xy", clouds(100, 1), strict=True)), epochs=10)
    assert any("one-hot" in note for note in trainer.notes)
    assert history.epochs[-1].metric is not None and history.epochs[-1].metric > 0.97
    assert trainer.predict(x).argmax(axis=1).tolist() == pytest.approx(y.tolist(), abs=2)


@both
def test_a_number_is_learned_with_its_rmse(target: str) -> None:
    x = np.random.default_rng(0).uniform(-2, 2, (500, 1))
    trainer = codegen.compile(record("tanh"), target, batch=50, optimizer="momentum", lr=0.02, sizes={"h": 12, "m": 8})
    history = codegen.fit(trainer, {"x": x, "y": np.sin(2 * x)}, epochs=80)
    assert history.metric == "RMSE"
    assert history.epochs[-1].metric is not None and history.epochs[-1].metric < 0.1


@both
def test_scalars_and_vectors_are_parameters_too(target: str) -> None:
    x = np.random.default_rng(0).normal(size=(300, 4))
    trainer = codegen.compile(record("log"), target, batch=30, lr=0.5).bind(x=x, y=(x[:, 0] > 0.5).astype(int))
    first = trainer.run(1)
    assert trainer.run(2000) < first
    assert trainer.params["w"].shape == (4,) and trainer.params["b"].shape == ()
    assert np.abs(trainer.params["w"]).argmax() == 0


@both
def test_mini_batches_come_in_order_with_a_short_one_at_the_end(target: str) -> None:
    x, y = disc(70)
    long = codegen.compile(record("cat"), target, batch=32, dtype="float64").bind(x=x, y=y)
    short = codegen.compile(record("cat"), target, batch=32, dtype="float64").bind(x=x, y=y)
    expected = [short.run(1) for _ in range(7)]
    assert short.steps == 7 and short.position == 7
    assert long.run(7) == expected[-1]
    assert all((long.params[name] == short.params[name]).all() for name in long.params)
    tail = codegen.compile(record("cat"), target, batch=32, dtype="float64").bind(x=x[64:], y=y[64:])
    for name, array in tail.params.items():
        array[...] = long.params[name]
    long.run(1)  # step 8 is the second mini-batch
    long_params = {name: array.copy() for name, array in long.params.items()}
    for name, array in tail.params.items():
        array[...] = long_params[name]
    assert long.run(1) == pytest.approx(tail.run(1), rel=1e-12), "the third mini-batch has six samples"


@both
def test_shuffling_depends_on_the_seed_alone(target: str) -> None:
    x, y = disc(100)
    results = []
    for seed in (0, 0, 1):
        trainer = codegen.compile(record("cat"), target, batch=16, seed=seed).bind(x=x, y=y, shuffle=True)
        results.append((trainer.run(20), trainer.params["W1"].tobytes()))
    assert results[0] == results[1] != results[2]


@both
def test_parameters_are_live(target: str) -> None:
    x, y = disc(64)
    trainer = codegen.compile(record("cat"), target).bind(x=x, y=y)
    for array in trainer.params.values():
        array[...] = 0
    loss, gradients = trainer.loss_and_gradients()
    assert loss == pytest.approx(np.log(2), rel=1e-6)
    assert np.allclose(gradients["b2"], np.mean(0.5 - y), atol=1e-6)


@both
def test_the_loss_over_given_data_uses_the_same_names(target: str) -> None:
    x, y = disc(64)
    trainer = codegen.compile(record("cat"), target).bind(x=x, y=y)
    assert trainer.loss_and_gradients(x=x, y=y)[0] == trainer.loss_and_gradients()[0]
    assert trainer.loss_and_gradients(X=x, Y=y)[0] == trainer.loss_and_gradients()[0], "as in the generated code"


def test_where_nothing_fixes_a_size_it_is_said() -> None:
    x, y = disc(8)
    trainer = codegen.compile(record("cat"), "numpy").bind(x=x, y=y)
    assert trainer.params["W1"].shape == (16, 2)
    assert any(note.startswith("h = 16") for note in trainer.notes)


def test_a_start_keeps_signals_in_size() -> None:
    deep = derive_gradients(mlp(["n", *["h"] * 12, 1], tanh, "mse"))
    trainer = codegen.compile(deep, "numpy", sizes={"h": 64}).bind(x=np.ones((4, 32)), y=np.zeros((4, 1)))
    spread = {name: array.std() for name, array in trainer.params.items() if array.ndim == 2}
    assert spread["W5"] == pytest.approx(1 / 8, rel=0.1), "one over the root of the fan-in"
    kinked = codegen.compile(record("relu"), "numpy", sizes={"h": 64, "m": 64})
    kinked.bind(x=np.ones((4, 32)), y=np.zeros(4, int))
    assert kinked.params["W2"].std() == pytest.approx(np.sqrt(2) / 8, rel=0.1), "twice the variance before a kink"
    assert not trainer.params["b5"].any()


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


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    x, y = disc(40)
    path = tmp_path / "point.npz"
    codegen.fit(codegen.compile(record("cat"), "numpy", seed=1), {"x": x, "y": y}, epochs=1, checkpoint=path)
    with pytest.raises(CodegenError, match="seed is 1"):
        codegen.fit(codegen.compile(record("cat"), "numpy"), {"x": x, "y": y}, epochs=2, resume=path)
    other = codegen.compile(record("cat"), "numpy", seed=1, sizes={"h": 3})
    with pytest.raises(CodegenError, match="shape"):
        codegen.fit(other, {"x": x, "y": y}, epochs=2, resume=path)
    with pytest.raises(CodegenError, match="W1"):
        codegen.fit(codegen.compile(record("log"), "numpy", seed=1), {"x": x, "y": y}, epochs=2, resume=path)


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


# ---- what is compared ----------------------------------------------------------------------------------------------


def test_the_metric_fits_the_target() -> None:
    assert metric_for(np.eye(3), "real") == "accuracy"
    assert metric_for(np.array([[0.5], [1.0]]), "real") == "RMSE"
    assert measure("accuracy", np.array([0.2, 0.7]), np.array([0.0, 1.0])) == 1.0
    assert measure("accuracy", np.array([-2.0, 0.4]), np.array([0.0, 1.0])) == 1.0, "scores are cut at zero"
    assert measure("accuracy", np.array([-2.0, 0.4]), np.array([-1.0, 1.0])) == 1.0
    assert measure("RMSE", np.array([1.0, 3.0]), np.array([0.0, 3.0])) == pytest.approx(np.sqrt(0.5))


def test_without_a_name_for_the_prediction_there_is_no_metric() -> None:
    x, y, w, loss = vector("x", "n"), scalar("y"), vector("w", "n"), scalar("L")
    network = Network("bare", (Definition(loss, (w.T @ x - y) ** 2 + 0 * total(w * w)),), loss)
    trainer = codegen.compile(derive_gradients(network), "numpy", lr=0.1)
    data = {"x": np.eye(4), "y": np.arange(4.0)}
    history = codegen.fit(trainer, data, epochs=60)
    assert history.metric == "" and history.epochs[-1].metric is None
    assert history.epochs[-1].loss < history.epochs[0].loss
    with pytest.raises(CodegenError, match="give the prediction a name"):
        trainer.predict(np.eye(4))


# ---- misuse --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"target": "fortran"}, "fortran"),
        ({"dtype": "float16"}, "float16"),
        ({"optimizer": "lion"}, "lion"),
        ({"batch": 0}, "0"),
    ],
)
def test_an_unknown_setting_is_named_with_what_there_is(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(CodegenError, match=word) as caught:
        codegen.compile(record("cat"), **settings)
    assert "expected" in str(caught.value)


def test_targets_that_break_an_assumption_of_the_gradient_are_refused() -> None:
    with pytest.raises(CodegenError, match="row index 1 sum to 2"):
        codegen.compile(record("soft"), "numpy").bind(x=np.eye(2), y=np.array([[0.5, 0.5], [1.0, 1.0]]))


def test_running_without_data_says_what_to_call() -> None:
    with pytest.raises(CodegenError, match="bind"):
        codegen.compile(record("cat"), "numpy").run(1)


def test_a_model_without_a_loss_cannot_be_trained() -> None:
    x, a = vector("x", "n"), vector("a", "n")
    derivation = derive_gradients(Network("no loss", (Definition(a, sigmoid(vector("w", "n") * x)),)))
    with pytest.raises(CodegenError, match="no loss"):
        codegen.compile(derivation)


def test_every_case_has_an_oracle() -> None:
    assert all(isinstance(case, Case) and callable(case.loss) for case in CASES)
    assert logistic().loss is not None
