"""Backward functions written by hand: each is judged as it deserves, and the error in it is named."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from backward_functions import CASES, GROUPS, Case, Group, linear
from click.testing import CliRunner, Result

from derive import DeriveError, Model, Recurrence, matrix, tanh, total, vector
from derive.api import Derivation
from derive.cli import main

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "examples" / "cat_detection.md"
STEP = 1e-6  # of central differences: their error is about 1e-9 of values near 1
GRADIENTS: dict[str, Derivation] = {}


def gradients(group: str) -> Derivation:
    if group not in GRADIENTS:
        GRADIENTS[group] = GROUPS[group].model().gradients()
    return GRADIENTS[group]


def names(case: Case) -> str:
    return case.function.__name__


# ---------------------------------------------------------------- verdicts
@pytest.mark.parametrize("case", CASES, ids=names)
def test_a_function_gets_the_verdict_and_the_diagnosis_that_it_deserves(case: Case) -> None:
    judged = gradients(case.group).judge_code(case.function)
    found = {
        item.word: (verdict.verdict, verdict.diagnosis.kind if verdict.diagnosis else "")
        for item in judged
        if (verdict := item.claim.verdict).verdict != "verified"
    }
    assert found == case.wrong


def drawn(group: Group) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    values: dict[str, Any] = {name: rng.normal(size=shape) for name, shape in group.shapes.items()}
    if group.onehot:
        values[group.onehot] = np.eye(len(values[group.onehot]))[1]
    if group.above:
        values[group.above] = rng.normal(size=np.shape(group.forward(**values)))
    return values


def differences(group: Group, values: dict[str, Any], name: str) -> Any:
    """Central differences of the forward function: no rule of ours."""
    inputs = {word: value for word, value in values.items() if word != group.above}
    above = values.get(group.above, 1.0)
    found = np.zeros_like(inputs[name])
    for place in np.ndindex(found.shape):
        sides = []
        for sign in (1, -1):
            moved = inputs[name].copy()
            moved[place] += sign * STEP
            sides.append(np.sum(group.forward(**{**inputs, name: moved}) * above))
        found[place] = (sides[0] - sides[1]) / (2 * STEP)
    return found


CLOSED = [c for c in CASES if set(c.function.__code__.co_varnames[: c.function.__code__.co_argcount]) <= {
    *GROUPS[c.group].shapes, GROUPS[c.group].above}]  # fmt: skip  # those that ask for no cached value


@pytest.mark.parametrize("case", CLOSED, ids=names)
def test_central_differences_agree_on_who_is_right(case: Case) -> None:
    group = GROUPS[case.group]
    values = drawn(group)
    words = case.function.__code__.co_varnames[: case.function.__code__.co_argcount]
    with np.errstate(invalid="ignore"):
        result = case.function(**{word: values[word].copy() for word in words})
    if isinstance(result, tuple):
        result = dict(zip(("dX", "dW", "db"), result, strict=True))
    for word, array in result.items():
        name = word if word in group.shapes else word[1:]
        if name not in group.shapes or (word in case.wrong and case.wrong[word][1] == "axis of one entry"):
            continue
        right = differences(group, values, name)
        agrees = np.shape(array) == right.shape and np.allclose(array, right, rtol=1e-4, atol=1e-5)
        assert agrees == (word not in case.wrong), word


# ---------------------------------------------------------------- how a function is read
def test_samples_may_be_columns_or_rows_and_the_mean_or_the_sum_is_said() -> None:
    derivation = Model.read(PAGE).gradients()

    def sigma(z: Any) -> Any:
        return 1 / (1 + np.exp(-z))

    def columns(X, Y, W1, b1, W2, b2):
        A1 = sigma(W1 @ X + b1)
        D2 = (sigma(W2 @ A1 + b2) - Y) / X.shape[1]
        D1 = W2.T @ D2 * A1 * (1 - A1)
        return D1 @ X.T, D1.sum(1, keepdims=True), D2 @ A1.T, D2.sum(1, keepdims=True)

    def rows(X, Y, W1, b1, W2, b2):
        A1 = sigma(X @ W1.T + b1)
        D2 = sigma(A1 @ W2.T + b2) - Y
        D1 = D2 @ W2 * A1 * (1 - A1)
        return D1.T @ X, D1.sum(0), D2.T @ A1, D2.sum(0)

    def half(X, Y, W1, b1, W2, b2):
        D1, d1, D2, d2 = columns(X, Y, W1, b1, W2, b2)
        return D1, d1, D2 * X.shape[1], d2

    said = derivation.assert_matches(columns)["dW1"].assumptions
    assert "the loss of a batch is the mean of its samples' losses" in said
    said = derivation.assert_matches(rows)["dW1"].assumptions
    assert "the loss of a batch is the sum of its samples' losses" in said
    assert "samples are the rows of arrays in code" in said
    with pytest.raises(AssertionError, match="the factor 1/N is missing"):
        derivation.assert_matches(half)
    with pytest.raises(AssertionError):
        derivation.assert_matches(rows, samples="one")


def test_a_biased_gradient_keeps_the_shape_of_the_bias() -> None:
    def standing(X, W, b, dY):
        return {"db": dY.sum(0).reshape(-1, 1)} if b.ndim == 1 else {"db": dY.sum(0)}

    (item,) = gradients("linear").judge_code(standing)
    assert item.claim.verdict.verdict == "ill-typed"


def test_words_may_be_mapped_and_values_packed() -> None:
    def backward(dout, cache):
        inputs, weights = cache
        return {"inputs": dout @ weights.T, "weights": inputs.T @ dout}

    derivation = gradients("linear")
    mapping = {"cache": ("X", "W"), "inputs": "X", "weights": "W"}
    assert set(derivation.assert_matches(backward, names=mapping)) == {"inputs", "weights"}
    with pytest.raises(DeriveError, match="takes cache, which is no name of the model; there are X, W, b"):
        derivation.assert_matches(backward)
    with pytest.raises(DeriveError, match="said to be Q"):
        derivation.assert_matches(backward, names={"cache": "Q"})


def test_arrays_in_order_need_to_be_told_apart() -> None:
    derivation = gradients("linear")
    with pytest.raises(DeriveError, match=r"returns 3 arrays; the model's parameters are W, b.*wrt="):
        derivation.assert_matches(lambda X, W, dY: (dY @ W.T, X.T @ dY, dY.sum(0)))
    derivation.assert_matches(lambda X, W, dY: (dY @ W.T, X.T @ dY, dY.sum(0)), wrt=("X", "W", "b"))
    derivation.assert_matches(lambda *given: given[0] @ given[1].T, args=("grad_output", "W"), wrt="X")
    with pytest.raises(DeriveError, match="'dQ', which is no name of the model"):
        derivation.assert_matches(lambda X, dY: {"dQ": X})


def test_what_raises_is_not_refuted_and_yet_fails() -> None:
    def backward(X, W, dY):
        return {"dX": dY @ W}

    (item,) = gradients("linear").judge_code(backward)
    assert item.claim.verdict.verdict == "undecided"
    assert "raised ValueError: matmul" in item.claim.verdict.reason and "(backward, line" in item.claim.verdict.reason
    with pytest.raises(AssertionError, match="raised ValueError"):
        gradients("linear").assert_matches(backward)


def test_what_draws_random_numbers_or_keeps_a_state_is_undecided() -> None:
    rng, sums = np.random.default_rng(0), []

    def dropped(X, dY):
        return {"dW": X.T @ (dY * (rng.random(dY.shape) > 0.5))}

    def accumulated(X, dY):
        sums.append(1)
        return {"dW": X.T @ dY * len(sums)}

    for function in (dropped, accumulated):
        (item,) = gradients("linear").judge_code(function)
        assert item.claim.verdict.verdict == "undecided" and "two calls" in item.claim.verdict.reason


def test_a_number_in_place_of_a_size_shows_at_other_sizes() -> None:
    (item,) = gradients("regression").judge_code(
        lambda x, a, y: {"dW": np.outer(2 * (a - y) * a * (1 - a) / 3, x)}
    )
    verdict = item.claim.verdict
    assert verdict.verdict == "refuted" and verdict.diagnosis is not None and verdict.diagnosis.kind == "factor"


def test_a_small_term_too_much_is_neither_right_nor_wrong() -> None:
    def guarded(x, y, p):
        return {"dp": -y / (p + 1e-8)}

    derivation = gradients("classifier")
    (item,) = derivation.judge_code(guarded)
    assert item.claim.verdict.verdict == "undecided" and "small term" in item.claim.verdict.reason
    derivation.assert_matches(guarded, tolerance=1e-6)


def test_a_loss_beside_the_gradients_is_judged_too() -> None:
    def backward(W, x, y):
        r = W @ x - y
        return float(r @ r), {"dW": 2 * np.outer(r, x)}

    model = Model("Squares")
    model.define("L", total((matrix("W", "h", "n") @ vector("x", "n") - vector("y", "h")) ** 2))
    assert len(model.gradients().assert_matches(backward)) == 2
    with pytest.raises(AssertionError, match="L, returned as the first of the two"):
        model.gradients().assert_matches(lambda W, x, y: (1.0, backward(W, x, y)[1]))


def test_the_counterexample_can_be_recomputed_with_numpy() -> None:
    case = next(c for c in CASES if names(c) == "linear_averaged")
    item = next(i for i in gradients("linear").judge_code(case.function) if i.word == "dW")
    example = item.claim.verdict.counterexample
    assert example is not None
    values = {latex: np.array(value) for latex, value in example.symbols.items()}
    above = values[r"\frac{\partial L}{\partial Y}"]
    np.testing.assert_allclose(values["X"].T @ above, example.derived)
    np.testing.assert_allclose(values["X"].T @ above / len(values["X"]), example.claimed)
    assert "linear_averaged(X=np.array(" in item.call


def test_a_recurrence_and_a_hessian_are_refused_in_words() -> None:
    net = Recurrence("Net", letter="t", last="T")
    before = net.carry("h_{t-1}", "h_t", ("n",))
    net.define("h_t", tanh(matrix("W", "n", "n") @ before))
    net.conclude("L", total(net.final("h_T") ** 2))
    with pytest.raises(DeriveError, match="fixed number of steps"):
        net.gradients().assert_matches(lambda W: W)
    with pytest.raises(DeriveError, match="gradients"):
        GROUPS["regression"].model().hessian("x").assert_matches(lambda W: W)
    with pytest.raises(DeriveError, match="no backward function"):
        gradients("linear").assert_matches(3)


# ---------------------------------------------------------------- the command, the fixture
def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


LAYER = """
import numpy as np
def sigma(z):
    return 1 / (1 + np.exp(-z))
def backward(x, y, W1, b1, W2, b2):
    a1 = sigma(W1 @ x + b1)
    d2 = sigma(W2 @ a1 + b2) - y
    d1 = W2.T @ d2 * a1 * (1 - a1)
    return {"dW1": np.outer(d1, x), "db1": d1, "dW2": np.outer(d2, a1), "db2": d2}
def wrong(x, y, W1, b1, W2, b2):
    return {**backward(x, y, W1, b1, W2, b2), "dW2": np.outer(sigma(W1 @ x + b1), y)}
def crashes(x):
    return {"dW1": 1 / 0}
def strange(q):
    return q
"""


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    path = tmp_path / "layer.py"
    path.write_text(LAYER, encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "code"), [("backward", 0), ("wrong", 1), ("crashes", 3)])
def test_the_command_judges_code(layer: Path, name: str, code: int) -> None:
    result = run("check", PAGE, "--code", f"{layer}:{name}", "--json")
    assert result.exit_code == code, result.output
    claims = json.loads(result.stdout)["claims"]
    text = run("check", PAGE, "--code", f"{layer}:{name}")
    assert text.exit_code == code
    if name != "crashes":
        assert r"\frac{\partial L}{\partial W^{[1]}}" in [claim["latex"] for claim in claims]
        assert "∂L/∂W^[1]" in text.stdout
    else:
        assert "ZeroDivisionError" in claims[0]["reason"] and "ZeroDivisionError" in text.stdout


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("none.py:f", "none.py is no file"),
        ("LAYER:nothing", "defines no nothing; there are sigma, backward"),
        ("LAYER", "name the function"),
        ("LAYER:strange", "takes q, which is no name of the model"),
    ],
)
def test_code_that_cannot_be_judged_is_one_line(layer: Path, code: str, expected: str) -> None:
    result = run("check", PAGE, "--code", code.replace("LAYER", str(layer)))
    assert result.exit_code == 2 and len(result.stderr.strip().splitlines()) == 1
    assert expected in result.stderr
    assert "--code" in run("check", PAGE, "--wrt", "x").stderr


TEST = """
import numpy as np
from layer import backward, wrong
def test_right(assert_gradients):
    assert_gradients("page.md", backward)
def test_wrong(assert_gradients):
    assert_gradients("page.md", wrong)
"""


def test_the_fixture_judges_in_one_line(layer: Path) -> None:
    folder = layer.parent
    (folder / "page.md").write_bytes(PAGE.read_bytes())
    (folder / "test_layer.py").write_text(TEST, encoding="utf-8")
    words = ["-q", "-p", "derive.pytest_plugin", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    path = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import pytest; sys.exit(pytest.main({words!r}))"
    done = subprocess.run([sys.executable, "-c", path], cwd=folder, capture_output=True, text=True, check=False)
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "wrong: 1 of 4 do not hold" in done.stdout


def test_the_plugin_loads_nothing_heavy() -> None:
    code = "import sys, derive.pytest_plugin; print([m for m in ('sympy', 'numpy', 'click') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------- other libraries
def library(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed; its functions are not judged here")


def test_a_torch_function_is_judged_through_its_own_backward() -> None:
    library("torch")
    torch = importlib.import_module("torch")

    class Right(torch.autograd.Function):
        @staticmethod
        def forward(ctx, X, W, b):
            ctx.save_for_backward(X, W)
            return X @ W + b

        @staticmethod
        def backward(ctx, above):
            X, W = ctx.saved_tensors
            return above @ W.T, X.T @ above, above.sum(0)

    class Averages(Right):
        @staticmethod
        def backward(ctx, above):
            X, W = ctx.saved_tensors
            return above @ W.T, X.T @ above / len(X), above.sum(0)

    class Doubles(Right):
        @staticmethod
        def forward(ctx, X, W, b):
            return 2 * Right.forward(ctx, X, W, b)

    derivation = linear().gradients()
    assert set(derivation.assert_matches(Right)) == {"forward", "X", "W", "b"}
    for function, word in ((Averages, "W"), (Doubles, "forward")):
        wrong = [i.word for i in derivation.judge_code(function) if i.claim.verdict.verdict == "refuted"]
        assert wrong == [word]


def test_a_jax_function_with_its_own_vjp_is_judged() -> None:
    library("jax")
    jax = importlib.import_module("jax")

    def made(back: Any) -> Any:
        function = jax.custom_vjp(lambda X, W, b: X @ W + b)
        function.defvjp(lambda X, W, b: (X @ W + b, (X, W)), back)
        return function

    right = made(lambda kept, above: (above @ kept[1].T, kept[0].T @ above, above.sum(0)))
    wrong = made(lambda kept, above: (above @ kept[1].T, -kept[0].T @ above, above.sum(0)))
    derivation = linear().gradients()
    derivation.assert_matches(right)
    derivation.assert_matches(jax.jit(right))
    found = {i.word: i.claim.verdict for i in derivation.judge_code(wrong)}
    assert found["W"].verdict == "refuted" and found["W"].diagnosis.kind == "sign"
    assert found["X"].verdict == "verified"
