"""Mini-batches of samples that are matrices: one sample's program done for each, against autograd's mean over them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from test_architectures import ARCHITECTURES, Architecture, values_for, wanted_of
from test_codegen_models import TOLERANCE, compilers, differ, results
from training_helpers import Array, both

import codegen
from codegen import build
from codegen.function import Function
from codegen.program import BATCH, Program
from codegen.record import rows_of
from codegen.sizes import resolve_sizes
from codegen.text import read_program, show
from derive.backprop import derive_gradients
from derive.derivation import Derivation
from derive.expr import matrix, scalar, vector
from derive.model import Definition, Network
from derive.ops.activation import tanh
from derive.ops.elementwise import log
from derive.ops.reduction import softmax, total
from derive.workbook import Workbook

SAMPLES = 5
CASES = [case for case in ARCHITECTURES if case.network.samples is None and len(wanted_of(case.network)) > 1]


@pytest.fixture(autouse=True)
def quick_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "PORTABLE", ("-std=c99", "-O1"))  # what is tested here are values, not speed


def test_models_of_every_kind_are_here() -> None:
    assert len(CASES) >= 15


@cache
def batch_of(name: str) -> tuple[Derivation, dict[str, Any], dict[str, Any], float, dict[str, Any]]:
    """A record of one sample, parameters, rows of data, and by autograd the mean loss and the mean gradients."""
    case = next(case for case in CASES if case.name == name)
    trained = wanted_of(case.network)[1:]  # the first is what each sample has for itself
    derivation = derive_gradients(case.network, trained)
    params = {v.latex: values_for(case.network)[v.latex] for v in trained}
    draws = [{k: v for k, v in values_for(case.network, seed).items() if k not in params} for seed in range(SAMPLES)]
    rows = {k: np.stack([draw[k] for draw in draws]) for k in draws[0]}
    each = [grad(lambda moved, draw=draw: case.loss({**draw, **moved}))(params) for draw in draws]
    loss = float(np.mean([case.loss({**draw, **params}) for draw in draws]))
    return derivation, params, rows, loss, {k: np.mean([one[k] for one in each], axis=0) for k in params}


def program_of(name: str, dtype: str) -> Program:
    derivation, params, rows, _, _ = batch_of(name)
    given = {**params, **{k: v[0] for k, v in rows.items()}}
    shapes = {v: np.shape(given[v.latex]) for v in (*derivation.data, *derivation.parameters)}
    return rows_of(derivation, resolve_sizes(derivation, shapes=shapes), dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_loss_and_gradients_are_the_means_over_samples(case: Architecture, dtype: str) -> None:
    derivation, params, rows, loss, gradients = batch_of(case.name)
    program = program_of(case.name, dtype)
    assert read_program(show(program)) == program
    arrays = {v.name: np.array(params[v.latex], dtype) for v in program.of_role("parameter")}
    for target in ["numpy", "c"] if compilers() and dtype == "float32" else ["numpy"]:
        found = results(Function(program, arrays, target, {}), rows)
        assert derivation.loss is not None and differ(found[derivation.loss.latex], loss) <= TOLERANCE[dtype]
        for equation in derivation.equations:
            if equation.role == "gradient" and equation.of is not None:
                wanted = gradients[equation.of.latex]
                assert found[equation.name.latex].shape == np.shape(wanted)
                assert differ(found[equation.name.latex], wanted) <= TOLERANCE[dtype], (target, equation.name.latex)


# ---------------------------------------------------------------- a head of attention, trained
def head() -> Network:
    """Classes of sequences: attention over the tokens, and a decayed weight."""
    x, y = matrix("X", "t", "n"), vector("y", "c", "onehot")
    query, key, out = matrix("W_q", "n", "d"), matrix("W_k", "n", "d"), matrix("W_o", "c", "n")
    a, s, p, loss = matrix("A", "t", "t"), vector("s", "n"), vector("p", "c"), scalar("L")
    definitions = (
        Definition(a, softmax(x @ query @ (x @ key).T, 1)),
        Definition(s, tanh(total(a @ x, 0).T)),
        Definition(p, softmax(out @ s)),
        Definition(loss, -total(y * log(p)) + 0.125 * total(out * out)),
    )
    return Network("head", definitions, loss, (query, key, out))


def head_loss(params: dict[str, Any], x: Array, y: Array) -> Any:
    """The same for autograd, the mean over rows."""
    scores = anp.einsum("btn,nd,bsd->bts", x, params["W_q"], anp.einsum("bsn,nd->bsd", x, params["W_k"]))
    weights = anp.exp(scores - anp.max(scores, axis=2, keepdims=True))
    weights = weights / anp.sum(weights, axis=2, keepdims=True)
    z = anp.dot(anp.tanh(anp.sum(anp.einsum("bts,bsn->btn", weights, x), axis=1)), params["W_o"].T)
    logs = z - anp.log(anp.sum(anp.exp(z), axis=1, keepdims=True))
    return -anp.mean(anp.sum(y * logs, axis=1)) + 0.125 * anp.sum(params["W_o"] ** 2)


@both
def test_training_takes_the_steps_that_autograd_would(target: str) -> None:
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(11, 5, 4)), rng.integers(0, 3, 11)
    trainer = codegen.compile(derive_gradients(head()), target, batch=4, dtype="float64", lr=0.1, sizes={"d": 2})
    trainer.bind(X=x, y=labels)
    expected = {name: array.copy() for name, array in trainer.params.items()}
    y, slopes = np.eye(3)[labels], grad(head_loss)
    for step in range(6):  # two epochs; the last mini-batch of each has three samples
        rows = slice(step % 3 * 4, step % 3 * 4 + 4)
        gradients = slopes(expected, x[rows], y[rows])
        expected = {name: array - 0.1 * gradients[name] for name, array in expected.items()}
    trainer.run(6)
    for name, array in expected.items():
        np.testing.assert_allclose(trainer.params[name], array, rtol=0, atol=1e-12)
    assert trainer.loss_and_gradients()[0] == pytest.approx(head_loss(expected, x, y), rel=1e-12)


@both
def test_what_is_trained_predicts_rows_and_one(target: str) -> None:
    rng = np.random.default_rng(1)
    x, labels = rng.normal(size=(40, 5, 4)), rng.integers(0, 3, 40)
    derivation = derive_gradients(head())
    trainer = codegen.compile(derivation, target, batch=8, lr=0.1, sizes={"d": 2}).bind(X=x, y=labels)
    codegen.fit(trainer, epochs=3)
    rows = trainer.predict(x)
    assert rows.shape == (40, 3)
    np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-5)
    function = codegen.compile_function(derivation, target=target, params=trainer.params, sizes={"t": 5})
    np.testing.assert_allclose(function(x), rows, rtol=1e-5)
    np.testing.assert_allclose(function(x[7]), rows[7], rtol=1e-5)


def test_no_gradient_of_a_single_sample_is_stored() -> None:
    program = rows_of(derive_gradients(head()), resolve_sizes(derive_gradients(head())), "float32")
    shapes = {v.sizes for v in program.of_role("parameter")}
    stored = [v.name for v in program.values.values() if v.sizes[:1] == (BATCH,) and v.sizes[1:] in shapes]
    computed = {statement.out.name for statement in program.statements}
    assert not computed.intersection(stored), stored


def test_the_source_says_what_is_averaged() -> None:
    source = codegen.training_source(derive_gradients(head()), "numpy", sizes={"n": 4, "c": 3, "t": 5, "d": 2})
    assert "loss and gradients are means over the samples" in source


# ---------------------------------------------------------------- from a page
PAGE = r"""# Attention pooling

A sample is a sequence of tokens, $X \in \mathbb{R}^{t \times n}$, with a label $y \in \{0, 1\}$.

$$s = X w$$
$$a = \operatorname{softmax}(s)$$
$$z = v^T X^T a + b$$
$$\hat{y} = \sigma(z)$$
$$L = -(y \log \hat{y} + (1 - y) \log(1 - \hat{y}))$$

with $w \in \mathbb{R}^{n}$ and $v \in \mathbb{R}^{n}$.
"""
VECTORS = r"""
## A neuron

$$z = w^T x + b$$
$$\hat{y} = \sigma(z)$$
$$L = -(y \log \hat{y} + (1 - y) \log(1 - \hat{y}))$$

with $x \in \mathbb{R}^{n}$, $y \in \{0, 1\}$.
"""


def test_a_page_about_sequences_is_trained(tmp_path: Path) -> None:
    page = tmp_path / "pool.md"
    page.write_text(PAGE, encoding="utf-8")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6, 4))
    y = (x[np.arange(200), x[:, :, 0].argmax(axis=1), 1] > 0).astype(np.int64)
    trainer = codegen.compile(page, "numpy", batch=20, lr=0.05, optimizer="adam").bind(X=x, y=y)
    history = codegen.fit(trainer, epochs=60)
    assert history.epochs[-1].metric is not None and history.epochs[-1].metric > 0.9
    assert trainer.predict(x).shape == (200,)


def test_a_model_of_vectors_comes_first_where_a_page_has_both(tmp_path: Path) -> None:
    page = tmp_path / "both.md"
    page.write_text(VECTORS.replace("## ", "# ", 1) + PAGE.replace("# ", "## ", 1), encoding="utf-8")
    assert Workbook(page).trainable().title == "A neuron"
