"""From one sample to a mini-batch: what is computed for the batch is the mean of what is computed for each sample."""

from __future__ import annotations

import numpy as np
import pytest
from numbers_helpers import floats
from test_backprop import BACKWARD, LOSS, WITH_LOSS, compute, network, point_of

from derive import Model
from derive.backprop import derive_gradients
from derive.batch import batched, lifted_shape
from derive.errors import ModelError
from derive.expr import Apply, Const, Node, Var, matrix, scalar, vector
from derive.model import Network, free_variables, trained
from derive.notation import batch_name, code_name
from derive.ops.activation import sigmoid, tanh
from derive.ops.elementwise import exp, log, sqrt
from derive.ops.reduction import mean, softmax, total
from derive.printer import equation_latex
from derive.shapes import ROW, size
from derive.verify.evaluate import REAL, Point, run
from derive.verify.numbers import Number
from derive.verify.steps import GOOD, checked
from derive.workbook import derive_network

W, X, Y, Z = matrix("W", "k", "n"), vector("x", "n"), vector("y", "k"), vector("z", "k")
B, Q = vector("b", "k"), Var("q", (ROW, "k"))


def affine(*more: tuple[Var, Node]) -> Network:
    return network("affine", (Z, W @ X + B), *more)


MODELS: dict[str, Network] = {example.name: example.network for example in WITH_LOSS} | {
    "mean squared": affine((LOSS, mean((Z - Y) ** 2))),
    "inner product of two values": affine((LOSS, (Z - Y).T @ (Z - Y))),
    "scalar beside a vector": affine((scalar("s"), total(Z)), (LOSS, total((scalar("s") * Z - Y) ** 2))),
    "parameter beside the data": affine((LOSS, total(scalar("c") * (Z - Y) ** 2) + scalar("c") ** 2)),
    "data in a row": network("row", (Q, (W @ X).T), (LOSS, total((Q - Y.T) ** 2))),
    "log-sum-exp": affine((LOSS, Apply("logsumexp", Z) - Y.T @ Z)),
    "written out": affine((vector("e", "k"), exp(Z)), (LOSS, log(total(vector("e", "k"))) - total(Y * Z))),
    "softmax of a softmax": affine((vector("p", "k"), softmax(Z)), (LOSS, total((softmax(vector("p", "k")) - Y) ** 2))),
    "entrywise roots": affine((vector("r", "k"), sqrt(Z**2 + 1)), (LOSS, total((vector("r", "k") - Y) ** 2))),
    "mean of a vector as a value": affine((scalar("m"), mean(Z)), (LOSS, total((Z - scalar("m") - Y) ** 2))),
    "a parameter alone": affine((vector("t", "k"), tanh(B)), (LOSS, total((Z * vector("t", "k") - Y) ** 2))),
}
models = pytest.mark.parametrize("name", MODELS)


def column(array: Number, sample: Var, i: int) -> Number:
    """One sample of the batch's values: a column, an entry of a row, or a row of a matrix of rows."""
    return array.at(i) if not sample.shape or sample.shape[0] == ROW else array.at(slice(None), i)


def sample_points(model: Network, whole: Network, point: Point) -> list[Point]:
    """The batch's point cut into one point a sample, at which the model of one sample has run."""
    by_name = {name.latex: name for name in free_variables(whole)}
    count = point.sizes[whole.samples]
    parameters = set(trained(model))
    made = []
    for i in range(count):
        values = {}
        for name in free_variables(model):
            if name in parameters:
                values[name] = point.values[name]
            else:
                values[name] = column(point.values[by_name[batch_name(name.latex)]], name, i)
        own = Point(REAL, point.sizes, values, {})
        run(model, own)
        made.append(own)
    return made


@models
def test_the_batchs_loss_and_gradients_are_the_means_of_the_samples(name: str) -> None:
    model = MODELS[name]
    whole = batched(model)
    point = point_of(whole, 3)
    values = compute(derive_gradients(whole), point)
    one = derive_gradients(model)
    alone = [compute(one, own) for own in sample_points(model, whole, point)]
    assert len(alone) > 1 and model.loss is not None and whole.loss is not None
    mean_loss = sum(floats(own[model.loss]) for own in alone) / len(alone)
    assert floats(values[whole.loss]) == pytest.approx(mean_loss, rel=1e-13)  # float64: one rounding a sample
    gradients = {e.of: e.name for e in derive_gradients(whole).equations if e.role == "gradient"}
    for item in one.equations:
        if item.role == "gradient":
            assert item.of is not None
            expected = sum(np.asarray(floats(own[item.name])) for own in alone) / len(alone)
            found = floats(values[gradients[item.of]])
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14, err_msg=item.of.latex)


SLOW = {"relu 3", "tanh 3", "hidden ce"}  # seconds each; their samples' steps are checked in test_backprop.py


@pytest.mark.parametrize("name", [name for name in MODELS if name not in SLOW])
def test_every_step_of_every_batch_is_checked(name: str) -> None:
    whole = batched(MODELS[name])
    derivation = checked(whole, derive_gradients(whole))
    for item in derivation.equations:
        if item.role in BACKWARD:
            assert item.name.shape == item.value.shape, "a cotangent has its variable's shape"
            checks = {step.rule: step.check.outcome if step.check else "" for step in item.steps}
            assert item.check is not None
            assert item.check.outcome in GOOD, equation_latex(item.name, item.value)
            assert set(checks.values()) <= set(GOOD), checks


@models
def test_a_model_that_is_derived_gets_its_batch_or_none_and_never_an_error(name: str) -> None:
    assert derive_network(MODELS[name], check=False).batch is not None


def test_a_model_from_python_with_a_mean_squared_loss_is_derived() -> None:
    model = Model("regression")
    z = model.define("z", W @ X + B)
    model.define("L", mean((z - Y) ** 2))
    assert model.gradients().batch is not None


# ---------------------------------------------------------------- text
def lines(name: str) -> list[str]:
    derivation = derive_gradients(batched(MODELS[name]))
    return [equation_latex(e.name, e.value) for e in derivation.equations if e.role != "update"]


def test_logistic_regression_reads_as_in_the_textbook() -> None:
    assert lines("logistic") == [
        r"Z = w^T X + b \mathbf{1}^T",
        r"\hat{Y} = \sigma(Z)",
        r"L = -(Y \circ \log(\hat{Y}) + (1 - Y) \circ \log(1 - \hat{Y}))",
        r"J = \frac{1}{N} \sum_{i=1}^{N} L_{i}",
        r"\frac{\partial J}{\partial L} = \frac{\mathbf{1}^T}{N}",
        r"\frac{\partial J}{\partial \hat{Y}} = "
        r"-\frac{1}{N} Y \oslash \hat{Y} + \frac{1}{N} (1 - Y) \oslash (1 - \hat{Y})",
        r"\Delta = \frac{1}{N} (\hat{Y} - Y)",
        r"\frac{\partial J}{\partial w} = X \Delta^T",
        r"\frac{\partial J}{\partial b} = \sum_{j=1}^{N} \Delta_{j}",
    ]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("hidden bce", r"\Delta^{[2]} = \frac{1}{N} (\hat{Y} - Y)"),
        ("hidden bce", r"\Delta^{[1]} = (W^{[2]})^T \Delta^{[2]} \circ \sigma'(Z^{[1]})"),
        ("hidden bce", r"\frac{\partial J}{\partial W^{[2]}} = \Delta^{[2]} (A^{[1]})^T"),
        ("hidden bce", r"\frac{\partial J}{\partial W^{[1]}} = \Delta^{[1]} X^T"),
        ("hidden bce", r"\frac{\partial J}{\partial b^{[1]}} = \Delta^{[1]} \mathbf{1}"),
        ("softmax one-hot", r"\Delta = \frac{1}{N} (\hat{Y} - Y)"),
    ],
)
def test_a_batchs_equation_reads_as_in_the_textbook(name: str, line: str) -> None:
    assert line in lines(name)


# ---------------------------------------------------------------- names and shapes
def test_a_value_of_each_sample_gets_a_column_and_a_capital() -> None:
    whole = batched(MODELS["hidden bce"])
    n, count = size("n"), whole.samples
    names = {name.latex: name.shape for name in (*(d.name for d in whole.definitions), *free_variables(whole))}
    assert names["X"] == (n, count)
    assert names["Z^{[1]}"] == names["A^{[1]}"] == (size("h"), count)
    assert names[r"\hat{Y}"] == names["Y"]
    assert names["L"] == (ROW, count), "the samples' losses, one a column"
    assert names["J"] == ()
    assert {"W^{[1]}", "b^{[1]}"} <= set(names), "parameters stay as they are"


def test_parameters_are_the_same_and_data_is_data() -> None:
    for model in MODELS.values():
        whole = batched(model)
        assert set(trained(whole)) == set(trained(model))
        assert whole.loss is not None and whole.loss.shape == ()


def test_the_number_of_samples_is_not_taken_for_a_size_of_the_model() -> None:
    weights = matrix("W", "k", "N")
    model = network("m", (Z, weights @ vector("x", "N")), (LOSS, total((Z - Y) ** 2)))
    assert batched(model).samples != size("N")
    assert batched(MODELS["logistic"], "m").samples == size("m")


def test_the_loss_of_the_batch_gets_a_name_that_is_free() -> None:
    j = scalar("J")
    model = network("m", (Z, W @ X), (j, total((Z - Y) ** 2)))
    whole = batched(model)
    assert whole.loss is not None and whole.loss.latex != "J"


def test_a_capital_that_is_taken_is_not_taken_twice() -> None:
    w = vector("w", "k")
    model = network("m", (w, W @ X), (LOSS, total((w - Y) ** 2)))
    whole = batched(model)
    names = [name.latex for name in (*(d.name for d in whole.definitions), *free_variables(whole))]
    assert len(names) == len(set(names)), names
    assert len({code_name(name) for name in names}) >= len(names) - 1


def test_two_values_whose_capitals_agree_stay_apart() -> None:
    upper, lower = Var("Z", (size("k"),)), Z
    model = network("m", (lower, W @ X), (upper, sigmoid(lower)), (LOSS, total((upper - Y) ** 2)))
    whole = batched(model)
    names = [d.name.latex for d in whole.definitions]
    assert len(names) == len(set(names)), names


# ---------------------------------------------------------------- refusals
def test_a_matrix_of_every_sample_is_refused_by_name() -> None:
    outer = matrix("M", "k", "k")
    model = network("m", (Z, W @ X), (outer, Z @ Z.T), (LOSS, total(outer**2)))
    with pytest.raises(ModelError, match=r"gives a matrix for every sample|M: a sample's value is \(k, k\)"):
        batched(model)
    assert derive_network(model, check=False).batch is None


def test_data_that_is_a_matrix_is_refused_by_name() -> None:
    data = matrix("X", "n", "p")
    model = network("m", (matrix("H", "k", "p"), W @ data), (LOSS, total(matrix("H", "k", "p") ** 2)))
    with pytest.raises(ModelError, match=r"[XH]: a sample's value is"):
        batched(model)


def test_a_model_without_a_loss_is_refused() -> None:
    with pytest.raises(ModelError, match="no loss to average"):
        batched(Network("m", affine((LOSS, total(Z))).definitions, None))


def test_lifted_shapes_are_columns_rows_and_rows_of_rows() -> None:
    n, count = size("n"), size("N")
    assert lifted_shape(scalar("a"), count) == (ROW, count)
    assert lifted_shape(vector("x", "n"), count) == (n, count)
    assert lifted_shape(Var("r", (ROW, n)), count) == (count, n)
    with pytest.raises(ModelError, match=r"A: a sample's value is \(n, m\)"):
        lifted_shape(matrix("A", "n", "m"), count)


def test_a_regulariser_is_not_divided_by_the_number_of_samples() -> None:
    penalty = total(W**2)
    model = network("ridge", (Z, W @ X), (scalar("E"), total((Z - Y) ** 2)), (LOSS, scalar("E") + Const(3) * penalty))
    whole = batched(model)
    point = point_of(whole, 1)
    zero = {name: point.values[name] * 0 for name in point.values}
    at = Point(REAL, point.sizes, {**zero, W: point.values[W]}, {})
    run(whole, at)
    assert whole.loss is not None
    expected = 3 * float(np.sum(floats(point.values[W]) ** 2))
    assert floats(at.values[whole.loss]) == pytest.approx(expected, rel=1e-13)
