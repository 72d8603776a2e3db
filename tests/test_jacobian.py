"""Jacobians, Hessians and products with them: against HIPS autograd, checked step by step, printed and read back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
import sympy
from autograd import hessian, jacobian
from test_architectures import values_for
from test_random_graphs import TOLERANCE, Values, interpret

from derive.api import Derivation, Model
from derive.errors import DeriveError, ModelError
from derive.expr import Const, Node, Var, matrix, ones, scalar, vector
from derive.jacobian import derive_hessian, derive_jacobian
from derive.model import free_variables
from derive.ops.activation import relu, sigmoid, tanh
from derive.ops.elementwise import exp, log, sqrt, unknown
from derive.ops.linalg import det, inverse, norm
from derive.ops.reduction import logsumexp, mean, softmax, total
from derive.ops.tensor import diag
from derive.ops.window import conv1d
from derive.printer import equation_latex
from derive.verify.steps import all_checked, checked

HALF = Const(sympy.Rational(1, 2))
Run = Callable[[Values], Any]

x, y, c = vector("x", "n"), vector("y", "n"), vector("c", "n")
b, u = vector("b", "m"), vector("u", "n")
A, B, C, S = matrix("A", "m", "n"), matrix("B", "p", "m"), matrix("C", "n", "p"), matrix("S", "n", "n")
X, w = matrix("X", "n", "d"), vector("w", "d")
s, lam = scalar("s"), scalar(r"\lambda")
eps = scalar(r"\epsilon", "positive")


@dataclass(frozen=True, slots=True)
class Case:
    """A model, what is differentiated by what, and the same written a second time for autograd."""

    name: str
    build: Callable[[Model], object]
    of: str
    by: str
    run: Run

    @property
    def model(self) -> Model:
        model = Model(self.name)
        self.build(model)
        return model


def soft(z: Any) -> Any:
    return anp.exp(z) / anp.sum(anp.exp(z))


def soft_rows(z: Any) -> Any:
    return anp.exp(z) / anp.sum(anp.exp(z), axis=1, keepdims=True)


def squash(z: Any) -> Any:
    return 1 / (1 + anp.exp(-z))


def phi(z: Any) -> Any:
    """The sine that stands for an arbitrary function called g."""
    return anp.sin(z + ord("g"))


def one(name: str, value: Node) -> Callable[[Model], object]:
    return lambda model: model.define(name, value)


# ---------------------------------------------------------------- vectors by vectors: matrices
def two_layers(model: Model) -> None:
    z = model.define("z", A @ x + b)
    h = model.define("h", sigmoid(z))
    model.define("p", softmax(B @ h))


def numeric_layers(v: Values) -> Any:
    return soft(v["B"] @ squash(v["A"] @ v["x"] + v["b"]))


def layer_norm(model: Model) -> None:
    mu = model.define(r"\mu", mean(x))
    d = model.define("d", x - mu)
    r = model.define("r", sqrt(mean(d**2) + eps))
    model.define("y", vector("g", "n") * (d / r))


def numeric_norm(v: Values) -> Any:
    d = v["x"] - anp.mean(v["x"])
    return v["g"] * d / anp.sqrt(anp.mean(d**2) + v[r"\epsilon"])


def unit_vector(model: Model) -> None:
    r = model.define("r", norm(x))
    model.define("y", x / r)


VECTORS = [
    Case("softmax", one("p", softmax(x)), "p", "x", lambda v: soft(v["x"])),
    Case("sigmoid", one("a", sigmoid(x)), "a", "x", lambda v: squash(v["x"])),
    Case("linear", one("y", A @ x), "y", "x", lambda v: v["A"] @ v["x"]),
    Case("affine by its bias", one("y", A @ x + b), "y", "b", lambda v: v["A"] @ v["x"] + v["b"]),
    Case("one layer", one("a", tanh(A @ x + b)), "a", "x", lambda v: anp.tanh(v["A"] @ v["x"] + v["b"])),
    Case("any activation", one("a", unknown("g", A @ x)), "a", "x", lambda v: phi(v["A"] @ v["x"])),
    Case("ReLU", one("a", relu(A @ x)), "a", "x", lambda v: anp.maximum(v["A"] @ v["x"], 0)),
    Case("two layers by the input", two_layers, "p", "x", numeric_layers),
    Case("two layers by the bias", two_layers, "p", "b", numeric_layers),
    Case("an inner layer", two_layers, "h", "x", lambda v: squash(v["A"] @ v["x"] + v["b"])),
    Case("square", one("y", x**2), "y", "x", lambda v: v["x"] ** 2),
    Case("multiple", one("y", 3 * x), "y", "x", lambda v: 3 * v["x"]),
    Case("through a scalar", one("y", x * (x.T @ x)), "y", "x", lambda v: v["x"] * (v["x"] @ v["x"])),
    Case("through a function of a scalar", one("y", b * sigmoid(c.T @ x)), "y", "x",
         lambda v: v["b"] * squash(v["c"] @ v["x"])),
    Case("outer product and vector", one("y", b @ (c.T @ x)), "y", "x", lambda v: v["b"] * (v["c"] @ v["x"])),
    Case("unit vector", unit_vector, "y", "x", lambda v: v["x"] / anp.sqrt(v["x"] @ v["x"])),
    Case("centred", one("y", x - mean(x)), "y", "x", lambda v: v["x"] - anp.mean(v["x"])),
    Case("layer norm", layer_norm, "y", "x", numeric_norm),
    Case("layer norm by its gain", layer_norm, "y", "g", numeric_norm),
    Case("log-softmax", one("y", log(softmax(x))), "y", "x", lambda v: anp.log(soft(v["x"]))),
    Case("minus log-sum-exp", one("y", x - logsumexp(x)), "y", "x",
         lambda v: v["x"] - anp.log(anp.sum(anp.exp(v["x"])))),
    Case("quotient", one("y", x / (1 + exp(x))), "y", "x", lambda v: v["x"] / (1 + anp.exp(v["x"]))),
    Case("product of two", one("y", (A @ x) * (A @ x)), "y", "x", lambda v: (v["A"] @ v["x"]) ** 2),
    Case("diagonal matrix and vector", one("y", diag(x) @ u), "y", "x", lambda v: v["x"] * v["u"]),
    Case("convolution by the signal", one("y", conv1d(x, vector("k", "q"))), "y", "x",
         lambda v: anp.array([v["k"] @ v["x"][t : t + 2] for t in range(4)])),
    Case("convolution by the kernel", one("y", conv1d(x, vector("k", "q"))), "y", "k",
         lambda v: anp.array([v["k"] @ v["x"][t : t + 2] for t in range(4)])),
]  # fmt: skip

# ---------------------------------------------------------------- anything by anything: tensors
TENSORS = [
    Case("a linear map by its matrix", one("y", A @ x), "y", "A", lambda v: v["A"] @ v["x"]),
    Case("two layers by a weight", two_layers, "p", "A", numeric_layers),
    Case("two layers by the last weight", two_layers, "p", "B", numeric_layers),
    Case("matrix product by the left", one("Y", A @ C), "Y", "A", lambda v: v["A"] @ v["C"]),
    Case("matrix product by the right", one("Y", A @ C), "Y", "C", lambda v: v["A"] @ v["C"]),
    Case("sigmoid of a matrix", one("Y", sigmoid(A)), "Y", "A", lambda v: squash(v["A"])),
    Case("transpose", one("Y", A.T), "Y", "A", lambda v: v["A"].T),
    Case("inverse", one("Y", inverse(S)), "Y", "S", lambda v: anp.linalg.inv(v["S"])),
    Case("softmax of each row", one("P", softmax(A, 1)), "P", "A", lambda v: soft_rows(v["A"])),
    Case("softmax of each column", one("P", softmax(A, 0)), "P", "A", lambda v: soft_rows(v["A"].T).T),
    Case("mean of each row", one("r", mean(A, 1)), "r", "A", lambda v: anp.mean(v["A"], axis=1)),
    Case("outer product", one("Y", x @ x.T), "Y", "x", lambda v: anp.outer(v["x"], v["x"])),
    Case("diagonal matrix", one("Y", diag(x)), "Y", "x", lambda v: anp.diag(v["x"])),
    Case("a scalar of a vector", one("f", x.T @ x), "f", "x", lambda v: v["x"] @ v["x"]),
    Case("a scalar of a matrix", one("f", norm(A) ** 2), "f", "A", lambda v: anp.sum(v["A"] ** 2)),
    Case("a vector of a scalar", one("y", sigmoid(s * x)), "y", "s", lambda v: squash(v["s"] * v["x"])),
    Case("a matrix of a scalar", one("Y", exp(s * A)), "Y", "s", lambda v: anp.exp(v["s"] * v["A"])),
    Case("a scalar of a scalar", one("f", exp(s**2)), "f", "s", lambda v: anp.exp(v["s"] ** 2)),
]

# Rows: the Jacobian has the axes of the entries, (p, n) for a row of p entries.
ROWS = [
    Case("a row times a matrix", one("r", x.T @ C), "r", "x", lambda v: v["x"] @ v["C"]),
    Case("a function of a row", one("r", sigmoid(x.T @ C)), "r", "x", lambda v: squash(v["x"] @ v["C"])),
    Case("a transposed vector", one("r", x.T), "r", "x", lambda v: v["x"]),
    Case("means of the columns", one("r", mean(A, 0)), "r", "A", lambda v: anp.mean(v["A"], axis=0)),
    Case("a row within a vector", one("y", (x.T @ C).T), "y", "x", lambda v: v["x"] @ v["C"]),
    Case("a function of a row, standing again", one("y", sigmoid(x.T @ C).T), "y", "x",
         lambda v: squash(v["x"] @ v["C"])),
]  # fmt: skip


# ---------------------------------------------------------------- Hessians
def ridge(model: Model) -> None:
    r = model.define("r", X @ w - y)
    model.define("f", HALF * norm(r) ** 2 + lam / 2 * norm(w) ** 2)


def logistic(model: Model) -> None:
    z = model.define("z", X @ w)
    p = model.define("p", sigmoid(z))
    t = vector("y", "n", "binary")
    model.define("f", -(t.T @ log(p)) - (1 - t).T @ log(1 - p))


def numeric_logistic(v: Values) -> Any:
    z = v["X"] @ v["w"]
    return anp.sum(anp.log(1 + anp.exp(z)) - v["y"] * z)


def logistic_by_exponentials(model: Model) -> None:
    z = model.define("z", X @ w)
    model.define("f", total(log(1 + exp(z)) - vector("y", "n", "binary") * z))


def classes(model: Model) -> None:
    p = model.define("p", softmax(vector("z", "p")))
    model.define("f", -(vector("y", "p", "onehot").T @ log(p)))


def classifier(model: Model) -> None:
    z = model.define("z", matrix("W", "p", "n") @ x)
    p = model.define("p", softmax(z))
    model.define("f", -(vector("y", "p", "onehot").T @ log(p)))


def numeric_classifier(v: Values) -> Any:
    return -anp.sum(v["y"] * anp.log(soft(v["W"] @ v["x"])))


def several_outputs(model: Model) -> None:
    R = model.define("R", X @ matrix("W", "d", "p") - matrix("Y", "n", "p"))
    model.define("f", HALF * norm(R) ** 2)


def hidden_layer(model: Model) -> None:
    z = model.define("z", matrix("W", "h", "n") @ x)
    a = model.define("a", unknown("g", z))
    model.define("f", vector("v", "h").T @ a)


HESSIANS = [
    Case("quadratic form", one("f", x.T @ S @ x), "f", "x", lambda v: v["x"] @ v["S"] @ v["x"]),
    Case("ridge", ridge, "f", "w",
         lambda v: (anp.sum((v["X"] @ v["w"] - v["y"]) ** 2) + v[r"\lambda"] * anp.sum(v["w"] ** 2)) / 2),
    Case("logistic", logistic, "f", "w", numeric_logistic),
    Case("logistic by exponentials", logistic_by_exponentials, "f", "w", numeric_logistic),
    Case("softmax and cross-entropy", classes, "f", "z", lambda v: -anp.sum(v["y"] * anp.log(soft(v["z"])))),
    Case("classifier by its input", classifier, "f", "x", numeric_classifier),
    Case("classifier by its weights", classifier, "f", "W", numeric_classifier),
    Case("log-sum-exp", one("f", logsumexp(x)), "f", "x", lambda v: anp.log(anp.sum(anp.exp(v["x"])))),
    Case("log-sum-exp of a linear map", one("f", log(total(exp(A @ x)))), "f", "x",
         lambda v: anp.log(anp.sum(anp.exp(v["A"] @ v["x"])))),
    Case("least squares by a matrix", several_outputs, "f", "W",
         lambda v: anp.sum((v["X"] @ v["W"] - v["Y"]) ** 2) / 2),
    Case("mean of squares", one("f", mean((A @ x - b) ** 2)), "f", "x",
         lambda v: anp.mean((v["A"] @ v["x"] - v["b"]) ** 2)),
    Case("norm", one("f", norm(x)), "f", "x", lambda v: anp.sqrt(v["x"] @ v["x"])),
    Case("cubes", one("f", total(x**3)), "f", "x", lambda v: anp.sum(v["x"] ** 3)),
    Case("not convex", one("f", total(x * exp(-(x**2)))), "f", "x",
         lambda v: anp.sum(v["x"] * anp.exp(-(v["x"] ** 2)))),
    Case("hidden layer by its input", hidden_layer, "f", "x", lambda v: v["v"] @ phi(v["W"] @ v["x"])),
    Case("hidden layer by its weights", hidden_layer, "f", "W", lambda v: v["v"] @ phi(v["W"] @ v["x"])),
    Case("log-determinant", one("f", log(det(S))), "f", "S", lambda v: anp.linalg.slogdet(v["S"])[1]),
    Case("a scalar", one("f", exp(s**2)), "f", "s", lambda v: anp.exp(v["s"] ** 2)),
]  # fmt: skip


def given(case: Case, seed: int = 3) -> Values:
    """Values for all free variables; square matrices far from singular ones, with a positive determinant."""
    values = values_for(case.model.network(), seed)
    if "S" in values:
        values["S"] = values["S"] @ values["S"].T / 5 + np.triu(values["S"]) / 5 + 2 * np.eye(5)
    return values


def computed(derivation: Derivation, values: Values) -> Any:
    """The value of the last equation, all before it computed in their order."""
    known = dict(values)
    for equation in derivation.equations:
        known[equation.name.latex] = interpret(equation.value, known)
    return known[derivation.equations[-1].name.latex]


def close(found: Any, expected: Any) -> None:
    """Compare entry by entry; a row's first axis and axes of no entries count for nothing."""
    expected = np.asarray(expected, float)
    assert np.size(found) == expected.size
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(np.reshape(found, expected.shape), expected, rtol=TOLERANCE, atol=TOLERANCE * scale)


def moved(case: Case, values: Values) -> Callable[[Any], Any]:
    return lambda at: case.run({**values, case.by: at})


@cache
def derived(what: str, case: Case) -> Derivation:
    if what == "jacobian":
        return case.model.jacobian(case.of, case.by)
    made: Derivation = getattr(case.model, what)(case.by)
    return made


JACOBIANS = [*VECTORS, *TENSORS, *ROWS]
SECOND = ("hessian", "hessian_product", "directional")
ALL = [("jacobian", case) for case in JACOBIANS] + [(what, case) for case in HESSIANS for what in SECOND]
each = pytest.mark.parametrize(("what", "case"), ALL, ids=lambda value: value if isinstance(value, str) else value.name)
each_jacobian = pytest.mark.parametrize("case", JACOBIANS, ids=lambda case: case.name)
each_hessian = pytest.mark.parametrize("case", HESSIANS, ids=lambda case: case.name)


# ---------------------------------------------------------------- the numbers
@each_jacobian
def test_a_jacobian_is_autograds(case: Case) -> None:
    derivation = derived("jacobian", case)
    values = given(case)
    close(computed(derivation, values), jacobian(moved(case, values))(values[case.by]))


@each_hessian
def test_a_hessian_is_autograds(case: Case) -> None:
    values = given(case)
    close(computed(derived("hessian", case), values), hessian(moved(case, values))(values[case.by]))


@each_hessian
def test_a_product_with_the_hessian_is_the_product_with_autograds_hessian(case: Case) -> None:
    derivation = derived("hessian_product", case)
    values = given(case)
    at = values[case.by]
    direction = np.random.default_rng(8).normal(size=np.shape(at))
    whole = hessian(moved(case, values))(at)
    expected = np.tensordot(whole, direction, axes=np.ndim(at))
    close(computed(derivation, {**values, derivation.data[-1].latex: direction}), expected)


@each_hessian
def test_a_derivative_in_a_direction_is_autograds(case: Case) -> None:
    derivation = derived("directional", case)
    values = given(case)
    at = values[case.by]
    direction = np.random.default_rng(9).normal(size=np.shape(at))
    expected = np.sum(jacobian(moved(case, values))(at) * direction)
    close(computed(derivation, {**values, derivation.data[-1].latex: direction}), expected)


@each
def test_every_step_and_equation_passes_its_check(what: str, case: Case) -> None:
    derivation = derived(what, case)
    assert all_checked(derivation)
    assert derivation.equations[-1].check is not None
    assert [e.id for e in derivation.equations] == [str(k) for k in range(1, len(derivation.equations) + 1)]


@each_jacobian
def test_the_axes_of_a_jacobian_are_those_of_both_variables(case: Case) -> None:
    network = case.model.network()
    of = next(item.name for item in network.definitions if item.name.latex == case.of)
    by = next(name for name in free_variables(network) if name.latex == case.by)
    last = derived("jacobian", case).equations[-1]
    assert last.role == "jacobian" and last.of == by
    kept = [length for length in (*of.shape, *by.shape) if str(length) != "ROW"]
    assert [length for length in last.name.shape if str(length) != "ROW"] == kept


@each_hessian
def test_a_hessian_is_symmetric(case: Case) -> None:
    values = given(case)
    whole = computed(derived("hessian", case), values)
    count = int(np.size(values[case.by]))
    square = np.reshape(whole, (count, count))
    np.testing.assert_allclose(square, square.T, rtol=TOLERANCE, atol=TOLERANCE)


# ---------------------------------------------------------------- corrupted results
def corrupted(derivation: Derivation, place: int, value: Node) -> Derivation:
    """The record with another value in one equation, at the end of its steps too."""
    e = derivation.equations[place]
    steps = (*e.steps[:-1], replace(e.steps[-1], after=value))
    equations = list(derivation.equations)
    equations[place] = replace(e, value=value, steps=steps)
    return replace(derivation, equations=tuple(equations))


@pytest.mark.parametrize("case", [VECTORS[0], VECTORS[4], TENSORS[0], TENSORS[8]], ids=lambda case: case.name)
def test_a_wrong_jacobian_does_not_pass(case: Case) -> None:
    network = case.model.network()
    of = next(item.name for item in network.definitions if item.name.latex == case.of)
    by = next(name for name in free_variables(network) if name.latex == case.by)
    derivation = derive_jacobian(network, of, by)
    value = derivation.equations[-1].value
    assert all_checked(checked(network, derivation))
    for wrong in (-value, 2 * value, value + value * value):
        assert not all_checked(checked(network, corrupted(derivation, -1, wrong)))
        kept = replace(derivation.equations[-1], value=wrong)
        only_value = replace(derivation, equations=(*derivation.equations[:-1], kept))
        assert not all_checked(checked(network, only_value))


def test_a_transposed_jacobian_of_a_square_map_does_not_pass() -> None:
    model = Model("Square")
    model.define("y", tanh(S @ x))
    network = model.network()
    derivation = derive_jacobian(network, network.definitions[-1].name, x)
    assert not all_checked(checked(network, corrupted(derivation, -1, derivation.equations[-1].value.T)))


@pytest.mark.parametrize("case", [HESSIANS[0], HESSIANS[1], HESSIANS[4]], ids=lambda case: case.name)
def test_a_hessian_of_a_wrong_gradient_does_not_pass(case: Case) -> None:
    network = case.model.network()
    by = next(name for name in free_variables(network) if name.latex == case.by)
    derivation = derive_hessian(network, by)
    assert all_checked(checked(network, derivation))
    gradient = next(k for k, e in enumerate(derivation.equations) if e.role == "gradient")
    doubled = corrupted(derivation, gradient, 2 * derivation.equations[gradient].value)
    both = corrupted(doubled, len(doubled.equations) - 1, 2 * derivation.equations[-1].value)
    for wrong in (doubled, both, corrupted(derivation, -1, 2 * derivation.equations[-1].value)):
        assert not all_checked(checked(network, wrong))


# ---------------------------------------------------------------- what is printed
PRINTED = {
    "softmax": r"\frac{\partial p}{\partial x} = \operatorname{diag}(p) - p p^T",
    "sigmoid": r"\frac{\partial a}{\partial x} = \operatorname{diag}(\sigma'(x))",
    "linear": r"\frac{\partial y}{\partial x} = A",
    "affine by its bias": r"\frac{\partial y}{\partial b} = I",
    "square": r"\frac{\partial y}{\partial x} = 2 \operatorname{diag}(x)",
    "multiple": r"\frac{\partial y}{\partial x} = 3 I",
    "through a scalar": r"\frac{\partial y}{\partial x} = x^T x I + 2 x x^T",
    "outer product and vector": r"\frac{\partial y}{\partial x} = b c^T",
    "log-softmax": r"\frac{\partial y}{\partial x} = I - \mathbf{1} \text{softmax}(x)^T",
    "product of two": r"\frac{\partial y}{\partial x} = 2 \operatorname{diag}(A x) A",
    "a linear map by its matrix": r"\frac{\partial y}{\partial A} = \left([i = j] x_{k}\right)_{i,j,k}",
    "sigmoid of a matrix":
        r"\frac{\partial Y}{\partial A} = \left([i = k] [j = l] \sigma'(A_{kl})\right)_{i,j,k,l}",
    "inverse": r"\frac{\partial Y}{\partial S} = -\left(Y_{ik} Y_{lj}\right)_{i,j,k,l}",
}  # fmt: skip
PRINTED_SECOND = {
    ("hessian", "quadratic form"): r"\nabla_{x}^2 f = S + S^T",
    ("hessian", "ridge"): r"\nabla_{w}^2 f = \lambda I + X^T X",
    ("hessian", "logistic"): r"\nabla_{w}^2 f = X^T \operatorname{diag}(\sigma'(z)) X",
    ("hessian", "softmax and cross-entropy"): r"\nabla_{z}^2 f = \operatorname{diag}(p) - p p^T",
    ("hessian", "least squares by a matrix"):
        r"\nabla_{W}^2 f = \left(\sum_{t} [j = l] X_{tk} X_{ti}\right)_{i,j,k,l}",
    ("hessian", "mean of squares"): r"\nabla_{x}^2 f = \frac{2}{m} A^T A",
    ("hessian_product", "ridge"): r"\nabla_{w}^2 f\,v = \lambda v + X^T X v",
    ("hessian_product", "least squares by a matrix"): r"\nabla_{W}^2 f\,v = X^T X v",
    ("directional", "ridge"): r"\dot{f} = \left(\frac{\partial f}{\partial w}\right)^T v",
    ("directional", "least squares by a matrix"):
        r"\dot{f} = \sum_{j,i} \frac{\partial f}{\partial W_{ji}} v_{ji}",
}  # fmt: skip


def last_line(derivation: Derivation) -> str:
    last = derivation.equations[-1]
    return equation_latex(last.name, last.value)


@pytest.mark.parametrize("name", PRINTED)
def test_a_jacobian_is_printed_as_a_textbook_has_it(name: str) -> None:
    case = next(case for case in JACOBIANS if case.name == name)
    assert last_line(derived("jacobian", case)) == PRINTED[name]


@pytest.mark.parametrize(("what", "name"), PRINTED_SECOND)
def test_a_second_derivative_is_printed_as_a_textbook_has_it(what: str, name: str) -> None:
    case = next(case for case in HESSIANS if case.name == name)
    assert last_line(derived(what, case)) == PRINTED_SECOND[what, name]


def read_back(what: str, case: Case) -> None:
    derivation = derived(what, case)
    verdict = derivation.check(last_line(derivation))
    assert verdict.verdict == "proved", verdict


MATRICES = [("jacobian", case) for case in JACOBIANS] + [("hessian", case) for case in HESSIANS]


@pytest.mark.parametrize(("what", "case"), MATRICES, ids=lambda value: value if isinstance(value, str) else value.name)
def test_a_printed_jacobian_or_hessian_is_read_back_and_holds(what: str, case: Case) -> None:
    read_back(what, case)


@pytest.mark.parametrize("name", ["ridge", "classifier by its input", "a scalar"])
def test_a_printed_product_with_a_hessian_is_read_back_and_holds(name: str) -> None:
    read_back("hessian_product", next(case for case in HESSIANS if case.name == name))


@pytest.mark.parametrize("name", ["ridge", "least squares by a matrix"])
def test_a_printed_derivative_in_a_direction_is_read_back_and_holds(name: str) -> None:
    read_back("directional", next(case for case in HESSIANS if case.name == name))


def test_a_product_of_numbers_does_not_end_in_a_number() -> None:
    """`y 2 s` and `P_{kj} 1` are read as slips."""
    for name in ("a scalar of a scalar", "softmax of each row", "mean of each row"):
        case = next(case for case in TENSORS if case.name == name)
        assert not re.search(r"[a-z}] \d", last_line(derived("jacobian", case))), name


def test_the_sheet_of_a_hessian_shows_its_steps_with_their_checks() -> None:
    case = next(case for case in HESSIANS if case.name == "ridge")
    sheet = " ".join(str(derived("hessian", case)).split())
    for line in (
        "∂f/∂r = r ✓", "∂f/∂w = λw + Xᵀ r ✓", "(∇_w² f)ᵀ v = λv + Xᵀ Xv cotangent for an arbitrary v ✓",
        "∇_w² f = λI + Xᵀ X read off the matrix: x̄ = Jᵀ v for all v ✓", "∇_w² f = λI + Xᵀ X ✓ (5)",
        "∇_w² f ∈ ℝ^(d×d)",
    ):  # fmt: skip
        assert line in sheet, line
    assert not re.search("undecided|refuted|✗", sheet)


def test_the_sheet_of_a_jacobian_says_that_any_cotangent_will_do() -> None:
    sheet = " ".join(str(derived("jacobian", VECTORS[0])).split())
    assert "Given from above, whatever the loss L is: v." in sheet
    assert "∂p/∂x = diag(p) - p pᵀ ✓ (2)" in sheet


def test_a_product_with_the_hessian_says_that_it_takes_the_hessian_to_be_symmetric() -> None:
    derivation = derived("hessian_product", HESSIANS[1])
    assert any("symmetric" in line for line in derivation.assumptions)
    assert "symmetric" in str(derivation)


# ---------------------------------------------------------------- claims
CLAIMS = {
    "softmax": {
        r"\frac{\partial p}{\partial x} = \operatorname{diag}(p) - p p^T": "proved",
        r"\frac{\partial p}{\partial x} = \left(p_i ([i = j] - p_j)\right)_{ij}": "proved",
        r"\frac{\partial p}{\partial x} = \operatorname{diag}(p) + p p^T": "refuted",
        r"\frac{\partial p}{\partial x} = \operatorname{diag}(p) - p^T p": "ill-typed",
    },
    "one layer": {
        r"\frac{\partial a}{\partial x} = \operatorname{diag}(1 - a^2) A": "proved",
        r"\frac{\partial a}{\partial x} = A \operatorname{diag}(1 - a^2)": "ill-typed",
        r"\frac{\partial a}{\partial x} = \operatorname{diag}(a) A": "refuted",
    },
    "ridge": {
        r"\nabla_w^2 f = X^T X + \lambda I": "proved",
        r"\nabla^2_w f = \lambda I + X^T X": "proved",
        r"\frac{\partial^2 f}{\partial w^2} = X^T X + \lambda I": "proved",
        r"\nabla_w^2 f = 2 X^T X + \lambda I": "refuted",
        r"\nabla_w^2 f = X^T X": "refuted",
        r"\nabla_w^2 f = X X^T + \lambda I": "ill-typed",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_about_matrices_of_derivatives_are_judged(name: str) -> None:
    case = next(case for case in [*JACOBIANS, *HESSIANS] if case.name == name)
    derivation = derived("hessian" if case in HESSIANS else "jacobian", case)
    found = {latex: derivation.check(latex).verdict for latex in CLAIMS[name]}
    assert found == CLAIMS[name]


# ---------------------------------------------------------------- what cannot be done
def ridge_model() -> Model:
    model = Model("Ridge")
    ridge(model)
    return model


def says(model: Callable[[], object], *words: str) -> str:
    with pytest.raises(ModelError) as caught:
        model()
    for word in words:
        assert word in str(caught.value), str(caught.value)
    return str(caught.value)


def test_differentiating_by_a_defined_name_says_what_may_be_differentiated_by() -> None:
    for ask in (lambda: ridge_model().jacobian("f", "r"), lambda: ridge_model().hessian("r")):
        says(ask, "r", "X, w, y", "free variable")


def test_an_unknown_name_is_answered_with_the_names_there_are() -> None:
    says(lambda: ridge_model().jacobian("q", "w"), "defines no q", "r, f")
    says(lambda: ridge_model().jacobian("r", "q"), "q", "X, w, y")
    says(lambda: ridge_model().hessian("w", loss="g"), "defines no g", "r, f")
    says(lambda: ridge_model().hessian_product("v"), "v", "X, w, y")


def test_an_error_about_a_free_variable_is_a_sentence() -> None:
    text = says(lambda: ridge_model().hessian("r"))
    assert "has the free variable no" not in text


def test_a_model_without_a_scalar_has_no_second_derivatives() -> None:
    model = Model("Linear")
    model.define("y", A @ x)
    for ask in (model.hessian, model.hessian_product, model.directional):
        says(lambda ask=ask: ask("x"), "add a loss")  # type: ignore[misc]


def test_a_loss_that_is_a_vector_is_refused() -> None:
    model = Model("Linear")
    model.define("y", A @ x)
    says(lambda: model.hessian("x", loss="y"), "y", "no scalar", "sum it or take its mean")


def test_what_does_not_depend_on_a_variable_is_answered_with_both_names() -> None:
    says(lambda: ridge_model().jacobian("r", r"\lambda"), r"\lambda", " r")


@pytest.mark.parametrize("what", ["hessian", "hessian_product"])
def test_the_second_derivative_of_a_linear_function_is_zero_or_the_message_names_both(what: str) -> None:
    model = Model("Line")
    model.define("f", c.T @ x)
    try:
        derivation = getattr(model, what)("x")
    except DeriveError as error:
        assert "f" in str(error).removeprefix("Line") and " x" in str(error), str(error)
    else:
        assert all_checked(derivation)
        assert not np.any(computed(derivation, {"c": np.ones(5), "x": np.ones(5), "v": np.ones(5)}))


def test_an_empty_model_says_that_there_are_no_names() -> None:
    says(lambda: Model("Empty").hessian("w"), "none")


def test_the_name_of_a_direction_is_free_whatever_names_the_model_has() -> None:
    taken = [vector(word, "n") for word in ("v", "u", "w", r"\dot{x}", "v_0")]
    model = Model("Many names")
    value: Node = x.T @ S @ x
    for name in taken:
        value = value + name.T @ x
    model.define("f", value)
    for what in SECOND:
        derivation = getattr(model, what)("x")
        assert all_checked(derivation)
        assert len({name.latex for name in derivation.data}) == len(derivation.data)


def test_a_direction_may_be_given_a_name() -> None:
    derivation = ridge_model().hessian_product("w", direction="p")
    assert last_line(derivation) == r"\nabla_{w}^2 f\,p = \lambda p + X^T X p"
    assert derivation.data[-1] == vector("p", "d")


def test_variables_may_be_given_as_names_or_as_expressions() -> None:
    model = ridge_model()
    assert last_line(model.hessian(w)) == last_line(model.hessian("w"))
    assert last_line(model.jacobian(Var("r", ("n",)), w)) == last_line(model.jacobian("r", "w"))


def test_ones_of_a_given_size_have_no_derivative_of_their_own() -> None:
    model = Model("Shifted")
    model.define("y", x + ones(x.shape[0]) * s)
    assert last_line(model.jacobian("y", "x")) == r"\frac{\partial y}{\partial x} = I"
    assert np.all(computed(model.jacobian("y", "s"), {"x": np.ones(5), "s": 2.0}) == 1)
