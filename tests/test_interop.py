"""SymPy in and out: what goes in means the same here, and what comes back means the same there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy

from derive import Model, from_sympy, to_sympy
from derive.errors import DeriveError
from derive.expr import Node, Var, matrix, ones, scalar, variables, vector
from derive.ops.activation import relu, sigmoid, tanh
from derive.ops.elementwise import exp, log, sin, unknown
from derive.ops.linalg import det, inverse, trace
from derive.ops.reduction import softmax, total
from derive.ops.tensor import diag, einsum, eye
from derive.ops.window import conv1d
from derive.printer import to_latex
from derive.verify.evaluate import REAL, Point, choose_sizes, evaluate
from derive.verify.normal_form import same
from derive.verify.numbers import number

n, d, q = sympy.symbols("n d q", integer=True, positive=True)
X, A = sympy.MatrixSymbol("X", n, d), sympy.MatrixSymbol("A", n, n)
w, y = sympy.MatrixSymbol("w", d, 1), sympy.MatrixSymbol("y", n, 1)
x = sympy.Symbol("x")
i, j, t = sympy.symbols("i j t", integer=True)
a, b, g, k = (sympy.IndexedBase(letter) for letter in "abgk")
data, weights, square = matrix("X", "n", "d"), vector("w", "d"), matrix("A", "n", "n")
targets = vector("y", "n")

IN: list[tuple[Any, Node]] = [
    (X * w - y, data @ weights - targets),
    (2 * X, 2 * data),
    (w.T * X.T * A * X * w, weights.T @ data.T @ square @ data @ weights),
    (y * y.T, targets @ targets.T),
    (sympy.Trace(A * A.T), trace(square @ square.T)),
    (sympy.log(sympy.Determinant(A)), log(det(square))),
    (A.I * y, inverse(square) @ targets),
    (A.T.I, inverse(square.T)),
    (A**3, square @ square @ square),
    (A**-2, inverse(square) @ inverse(square)),
    (sympy.hadamard_product(X, X), data * data),
    (X.applyfunc(sympy.tanh), tanh(data)),
    (X.applyfunc(sympy.Lambda(x, 1 / (1 + sympy.exp(-x)))), sigmoid(data)),
    (X.applyfunc(sympy.Lambda(x, sympy.Max(0, x))), relu(data)),
    (sympy.Identity(n) + A, eye("n") + square),
    (sympy.OneMatrix(1, n) * y, ones(n).T @ targets),
    (sympy.DiagMatrix(y) * X, diag(targets) @ data),
    (sympy.sin(x) ** 2 / (x + 1), sin(scalar("x")) ** 2 / (scalar("x") + 1)),
    (sympy.Function("f")(x), unknown("f", scalar("x"))),
    (sympy.Sum(a[i] * b[i], (i, 0, n - 1)), vector("a", "n").T @ vector("b", "n")),
    (sympy.Sum(a[i] * b[i], (i, 1, n)), vector("a", "n").T @ vector("b", "n")),
    (sympy.Sum(X[i, j] * w[j, 0] * y[i, 0], (i, 0, n - 1), (j, 0, d - 1)), targets.T @ data @ weights),
    (sympy.log(sympy.Sum(sympy.exp(a[i]), (i, 1, n))), log(total(exp(vector("a", "n"))))),
    (sympy.Sum((a[i] - b[i]) ** 2, (i, 1, n)) / n, total((vector("a", "n") - vector("b", "n")) ** 2) / n),
    (sympy.Sum(a[i] + b[j], (i, 0, n - 1), (j, 0, d - 1)), d * total(vector("a", "n")) + n * total(vector("b", "d"))),
    (sympy.Sum(A[i, i], (i, 0, n - 1)), trace(square)),
]  # fmt: skip


@pytest.mark.parametrize(("theirs", "ours"), IN, ids=lambda value: str(value)[:60])
def test_an_expression_of_sympy_means_the_same_here(theirs: Any, ours: Node) -> None:
    found = from_sympy(theirs)
    assert found.shape == ours.shape
    assert same(found, ours, expand=True), to_latex(found)


def test_a_sum_over_shifted_indices_is_a_convolution() -> None:
    signal = sympy.IndexedBase("x", shape=(n,))
    theirs = sympy.Sum(g[t] * sympy.Sum(signal[t + j] * k[j], (j, 0, q - 1)), (t, 0, n - q))
    ours = Var("g", (n - q + 1,)).T @ conv1d(vector("x", "n"), vector("k", "q"))
    assert same(from_sympy(theirs), ours)


OUT = [
    data @ weights - targets, square.T @ square, inverse(square).T @ targets, det(square) * trace(square),
    data * data, data / data, tanh(data), weights.T @ weights, 2 * weights, sigmoid(weights) + 1, diag(targets) @ data,
    total(data), eye("n") @ square, softmax(weights), scalar("a") * scalar("b") ** 2, exp(scalar("a")),
    unknown("f", scalar("a")),
]  # fmt: skip


@pytest.mark.parametrize("node", OUT, ids=to_latex)
def test_what_goes_out_has_the_same_value_in_sympy(node: Node) -> None:
    """Both at a point with explicit matrices; SymPy computes with floats."""
    sizes = choose_sizes([node.shape, *(v.shape for v in variables(node))])
    rng = np.random.default_rng(1)
    values = {v: rng.uniform(0.5, 2.0, [int(s.subs(sizes)) for s in v.shape]).round(3) for v in variables(node)}
    thousands = {v: np.asarray(np.round(value * 1000), np.int64) for v, value in values.items()}
    point = Point(REAL, sizes, {v: number(whole, exact=False) / 1000 for v, whole in thousands.items()})
    expected = evaluate(node, point).values.astype(float)
    theirs = to_sympy(node)
    stand = {_symbol(v): sympy.Matrix(np.atleast_2d(value.T).T) if v.shape else sympy.Float(float(value))
             for v, value in values.items()}  # fmt: skip
    explicit = theirs.subs(sizes).subs({key.subs(sizes): value for key, value in stand.items()}).doit()
    if node.shape:
        explicit = explicit.as_explicit()
    found = np.array(explicit.evalf() if not node.shape else explicit.tolist(), dtype=object)
    if any(getattr(entry, "free_symbols", ()) or entry.has(sympy.Function("f")) for entry in found.ravel()):
        assert "f" in str(theirs)  # an arbitrary function stays one
        return
    # float64 in SymPy's own order of operations
    np.testing.assert_allclose(np.ravel(found).astype(float), np.ravel(expected), rtol=1e-12)


def _symbol(var: Var) -> Any:
    return to_sympy(var)


def test_what_sympy_cannot_hold_is_refused_by_name() -> None:
    with pytest.raises(DeriveError, match="peak"):
        to_sympy(from_gradient_of_a_maximum())
    with pytest.raises(DeriveError, match="two axes"):
        to_sympy(tanh(Var("X", ("c", "p", "q"))))
    with pytest.raises(DeriveError, match="gamma"):
        from_sympy(sympy.gamma(x))
    with pytest.raises(DeriveError, match="whole"):
        from_sympy(A ** sympy.Rational(1, 2))
    with pytest.raises(DeriveError, match="give a a shape"):
        from_sympy(sympy.Sum(a[i] * sympy.Sum(b[j], (i, 0, n - 1)), (j, 0, n - 1)))


def from_gradient_of_a_maximum() -> Node:
    from derive.expr import Apply  # noqa: PLC0415

    return Apply("peak", vector("x", "n"))


# ---------------------------------------------------------------- models
def test_least_squares_in_sympy_has_its_gradient_and_hessian_in_sympy() -> None:
    model = Model("Least squares")
    model.define("f", (X * w - y).T * (X * w - y))
    model.train(w)
    gradient = model.gradients().to_sympy("w")
    assert same(from_sympy(gradient), 2 * (data.T @ (data @ weights - targets)))
    assert model.hessian("w").to_sympy() == 2 * X.T * X


def test_scalar_neurons_share_what_they_have_in_common() -> None:
    x1, x2, w1, w2, v, target, hidden, loss = sympy.symbols("x_1 x_2 w_1 w_2 v y h L")
    inner = w1 * x1 + w2 * x2
    model = Model.from_sympy([(hidden, sympy.tanh(inner)), (loss, (v * hidden - target) ** 2 + inner**2)], [w1, w2, v])
    names = [item.name.latex for item in model.network().definitions]
    assert names == ["v_1", "h", "L"], "the pre-activation is computed once"
    record = model.gradients()
    values = dict(zip((x1, x2, w1, w2, v, target), (0.3, -0.7, 0.9, 0.4, 1.1, 0.2), strict=True))
    whole = (v * sympy.tanh(inner) - target) ** 2 + inner**2
    for by in (w1, w2, v):
        expected = float(sympy.diff(whole, by).subs(values))
        found = record.to_sympy(by.name)
        for equation in reversed([e for e in record.equations if e.role in ("cotangent", "definition", "loss")]):
            found = found.subs(sympy.Symbol(equation.name.latex), to_sympy(equation.value))
        found = found.doit().subs(values)
        assert float(found) == pytest.approx(expected, rel=1e-12)  # float64


def test_einsum_and_index_forms_stay_ours() -> None:
    with pytest.raises(DeriveError, match="einsum"):
        to_sympy(einsum("ij,jk,kl->il", square, square, square))
