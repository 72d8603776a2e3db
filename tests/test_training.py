"""Training: it learns, it can be stopped and resumed, and it says where a loss stopped being a number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from oracles import CASES, Case, logistic, mlp
from training_helpers import both, clouds, disc, record

import codegen
from codegen import metrics
from codegen.errors import CodegenError
from codegen.metrics import mean_loss, measure, metric_for
from derive.backprop import derive_gradients
from derive.expr import matrix, scalar, vector
from derive.model import Definition, Network
from derive.ops.activation import sigmoid, tanh
from derive.ops.reduction import total
from derive.ops.tensor import gather
from derive.shapes import size

Array = np.ndarray[Any, Any]


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


# ---- what is compared ----------------------------------------------------------------------------------------------


def test_the_metric_fits_the_target() -> None:
    assert metric_for(np.eye(3), "real") == "accuracy"
    assert metric_for(np.array([[0.5], [1.0]]), "real") == "RMSE"
    assert measure("accuracy", np.array([0.2, 0.7]), np.array([0.0, 1.0])) == 1.0
    assert measure("accuracy", np.array([-2.0, 0.4]), np.array([0.0, 1.0])) == 1.0, "scores are cut at zero"
    assert measure("accuracy", np.array([-2.0, 0.4]), np.array([-1.0, 1.0])) == 1.0
    assert measure("RMSE", np.array([1.0, 3.0]), np.array([0.0, 3.0])) == pytest.approx(np.sqrt(0.5))
    assert measure("R2", np.array([1.0, 2.0, 6.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(1 - 9 / 2)
    columns = np.array([[0.0, 10.0], [2.0, 30.0]])
    assert measure("R2", columns + np.array([0, 5]), columns) == pytest.approx(1 - 50 / 202), "each about its mean"
    assert np.isnan(measure("R2", np.array([1.0]), np.array([1.0]))), "a constant target has no variance to explain"


def test_a_metric_over_many_samples_is_that_over_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = disc(50)
    trainer = codegen.compile(record("cat"), "numpy", dtype="float64", batch=8).bind(x=x, y=y)
    whole = codegen.evaluate(trainer, {"x": x, "y": y}), mean_loss(trainer, trainer.data)
    monkeypatch.setattr(metrics, "CHUNK", 7)
    assert codegen.evaluate(trainer, {"x": x, "y": y}) == whole[0]
    assert mean_loss(trainer, trainer.data) == pytest.approx(whole[1], rel=1e-12)


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
        ({"batch": 2.5}, "2.5"),
        ({"lr": 0.0}, "0.0"),
        ({"lr": -0.1}, "-0.1"),
        ({"lr": float("inf")}, "inf"),
        ({"lr": "fast"}, "fast"),
        ({"seed": -1}, "-1"),
        ({"weight_decay": -0.5}, "-0.5"),
        ({"weight_decay": float("nan")}, "nan"),
        ({"lr_schedule": "wobble"}, "wobble"),
    ],
)
def test_an_unknown_setting_is_named_with_what_there_is(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(CodegenError, match=word) as caught:
        codegen.compile(record("cat"), **settings)
    assert "expected" in str(caught.value)


def test_targets_that_break_an_assumption_of_the_gradient_are_refused() -> None:
    with pytest.raises(CodegenError, match="row index 1 sum to 2"):
        codegen.compile(record("soft"), "numpy").bind(x=np.eye(2), y=np.array([[0.5, 0.5], [1.0, 1.0]]))


@pytest.mark.parametrize(("dtype", "limit"), [("float32", 2**24), ("float64", 2**53)])
def test_an_index_that_the_type_would_round_is_refused(dtype: str, limit: int) -> None:
    rows, index, x, loss = matrix("E", 5, 3), vector("i", "N", "index"), matrix("X", 3, "N"), scalar("L")
    definitions = (Definition(x, gather(rows, index).T), Definition(loss, total((x - 1) ** 2)))
    network = Network("embedding", definitions, loss, (rows,), samples=size("N"))
    compiled = codegen.compile(derive_gradients(network), "numpy", dtype=dtype)
    compiled.bind(i=np.array([0, 4, limit]))  # outside, but exact
    with pytest.raises(CodegenError, match=rf"i: the index {2 * limit} is met; {dtype} holds .* {limit} alone"):
        compiled.bind(i=np.array([0, 4, 2 * limit]))


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
