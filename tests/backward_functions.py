"""Backward functions written by hand, right and wrong in the usual ways, with the models that they belong to.

`forward` of a group is the same model in NumPy, so that central differences tell which functions are right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from derive import Model, conv1d, log, matrix, mean, ones, relu, sigmoid, softmax, sqrt, tanh, total, vector
from derive.expr import Const, Node
from derive.shapes import size

EPS = 1e-5


@dataclass(frozen=True)
class Group:
    """A model, its forward function, the cotangent's name if it has no loss, sizes to draw, and what is one-hot."""

    model: Callable[[], Model]
    forward: Callable[..., Any]
    shapes: dict[str, tuple[int, ...]]
    above: str = ""
    onehot: str = ""


@dataclass(frozen=True)
class Case:
    """A function with the verdict and the kind of diagnosis that are expected for each word that is wrong."""

    group: str
    function: Callable[..., Any]
    wrong: dict[str, tuple[str, str]]


GROUPS: dict[str, Group] = {}
CASES: list[Case] = []


def case(group: str, **wrong: tuple[str, str]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        CASES.append(Case(group, function, wrong))
        return function

    return add


def down(row: Node, count: str) -> Node:
    """A vector as every row of a matrix."""
    return ones(size(count)) @ row.T


# ---------------------------------------------------------------- linear layer, samples in rows
def linear() -> Model:
    model = Model("Linear layer")
    model.define("Y", matrix("X", "N", "n") @ matrix("W", "n", "k") + down(vector("b", "k"), "N"))
    return model


GROUPS["linear"] = Group(linear, lambda X, W, b: X @ W + b, {"X": (4, 3), "W": (3, 2), "b": (2,)}, "dY")


@case("linear")
def linear_right(X, W, b, dY):
    return {"dX": dY @ W.T, "dW": X.T @ dY, "db": dY.sum(axis=0)}


@case("linear")
def linear_in_order(X, W, dY):
    dX, dW, db = dY @ W.T, X.T @ dY, dY.sum(0)
    return dX, dW, db


@case("linear", dW=("ill-typed", "missing transpose"))
def linear_transposed(X, W, b, dY):
    return {"dX": dY @ W.T, "dW": dY.T @ X, "db": dY.sum(axis=0)}


@case("linear", db=("ill-typed", "sum over wrong axis"))
def linear_bias_over_wrong_axis(X, W, b, dY):
    return {"dX": dY @ W.T, "dW": X.T @ dY, "db": dY.sum(axis=1)}


@case("linear", db=("ill-typed", "missing sum"))
def linear_bias_without_sum(X, W, b, dY):
    return {"dX": dY @ W.T, "dW": X.T @ dY, "db": dY}


@case("linear", dW=("refuted", "factor"), db=("refuted", "factor"))
def linear_averaged(X, W, b, dY):
    return {"dX": dY @ W.T, "dW": X.T @ dY / len(X), "db": dY.mean(axis=0)}


@case("linear", X=("refuted", "mutated input"))
def linear_in_place(X, W, dY):
    result = {"dX": dY @ W.T, "dW": X.T @ dY}
    X *= 0.5
    return result


@case("linear")
def linear_float32(X, W, b, dY):
    X, W, dY = (np.asarray(a, np.float32) for a in (X, W, dY))
    return {"dX": dY @ W.T, "dW": X.T @ dY, "db": dY.sum(axis=0)}


@case("linear", dW=("refuted", "wrong type"))
def linear_as_integers(X, W, b, dY):
    return {"dX": dY @ W.T, "dW": (X.T @ dY).astype(int)}


@case("linear", dW=("refuted", "not a number"))
def linear_nan(X, W, b, dY):
    return {"dX": dY @ W.T, "dW": np.log(X.T @ dY) + X.T @ dY}


@case("linear", dX=("ill-typed", "names exchanged"), dW=("ill-typed", "names exchanged"))
def linear_swapped(X, W, b, dY):
    return {"dW": dY @ W.T, "dX": X.T @ dY}


@case("linear", db=("ill-typed", "axis of one entry"))
def linear_squeezes_one_sample(X, W, b, dY):
    return {"dW": X.T @ dY, "db": dY.squeeze().sum(axis=0)}


# ---------------------------------------------------------------- a square weight
def square() -> Model:
    model = Model("Recurrent weight")
    model.define("Y", matrix("X", "N", "n") @ matrix("W", "n", "n"))
    return model


GROUPS["square"] = Group(square, lambda X, W: X @ W, {"X": (4, 3), "W": (3, 3)}, "dY")


@case("square")
def square_right(X, W, dY):
    return {"X": dY @ W.T, "W": X.T @ dY}


@case("square", X=("refuted", "missing transpose"), W=("refuted", "missing transpose"))
def square_transposes_lost(X, W, dY):
    return {"X": dY @ W, "W": dY.T @ X}


# ---------------------------------------------------------------- softmax with cross-entropy, one sample
def classifier() -> Model:
    model = Model("Classifier")
    z = model.define("z", matrix("W", "k", "n") @ vector("x", "n") + vector("b", "k"))
    p = model.define("p", softmax(z))
    model.define("L", -total(vector("y", "k") * log(p)))
    return model


def _softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


GROUPS["classifier"] = Group(
    classifier, lambda W, x, b, y: -np.sum(y * np.log(_softmax(W @ x + b))),
    {"W": (4, 3), "x": (3,), "b": (4,), "y": (4,)}, onehot="y",
)  # fmt: skip


@case("classifier")
def classifier_right(W, x, b, y):
    delta = _softmax(W @ x + b) - y
    return {"dW": np.outer(delta, x), "db": delta, "dz": delta, "dx": W.T @ delta}


@case("classifier")
def classifier_from_cache(x, y, p):
    return {"dW": np.outer(p - y, x), "db": p - y}


@case("classifier", dW=("refuted", "sign"), db=("refuted", "sign"))
def classifier_sign(x, y, p):
    return {"dW": np.outer(y - p, x), "db": y - p}


@case("classifier", dz=("refuted", "extra factor"))
def classifier_diagonal_only(y, p):
    return {"dz": -y / p * p * (1 - p)}


# ---------------------------------------------------------------- mean squared error over a layer
def regression() -> Model:
    model = Model("Regression")
    z = model.define("z", matrix("W", "h", "n") @ vector("x", "n"))
    a = model.define("a", sigmoid(z))
    model.define("L", mean((a - vector("y", "h")) ** 2))
    return model


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


GROUPS["regression"] = Group(
    regression, lambda W, x, y: np.mean((_sigmoid(W @ x) - y) ** 2), {"W": (4, 3), "x": (3,), "y": (4,)}
)


@case("regression")
def regression_right(W, x, y):
    a = _sigmoid(W @ x)
    dz = 2 * (a - y) * a * (1 - a) / a.size
    return {"dW": np.outer(dz, x), "dx": W.T @ dz}


@case("regression", dW=("refuted", "factor"))
def regression_sum_for_mean(W, x, y):
    a = _sigmoid(W @ x)
    return {"dW": np.outer(2 * (a - y) * a * (1 - a), x)}


@case("regression", dW=("refuted", "factor"))
def regression_without_the_2(W, x, y):
    a = _sigmoid(W @ x)
    return {"dW": np.outer((a - y) * a * (1 - a) / a.size, x)}


@case("regression", dW=("refuted", "missing derivative"))
def regression_without_slope(W, x, y):
    return {"dW": np.outer(2 * (_sigmoid(W @ x) - y) / y.size, x)}


@case("regression", dW=("refuted", "derivative taken at the wrong place"))
def regression_slope_at_the_activation(W, x, y):
    a = _sigmoid(W @ x)
    s = _sigmoid(a)
    return {"dW": np.outer(2 * (a - y) * s * (1 - s) / a.size, x)}


# ---------------------------------------------------------------- ReLU
def rectifier() -> Model:
    model = Model("Rectifier")
    z = model.define("z", matrix("W", "h", "n") @ vector("x", "n") + vector("b", "h"))
    model.define("a", relu(z))
    return model


GROUPS["rectifier"] = Group(
    rectifier, lambda W, x, b: np.maximum(W @ x + b, 0), {"W": (4, 3), "x": (3,), "b": (4,)}, "da"
)


@case("rectifier")
def rectifier_right(W, x, z, da):
    dz = da * (z >= 0)
    return {"dW": np.outer(dz, x), "db": dz, "dx": W.T @ dz}


@case("rectifier", dx=("refuted", "missing derivative"))
def rectifier_without_mask(W, da):
    return {"dx": W.T @ da}


# ---------------------------------------------------------------- normalisation
def normalised(axis: int) -> Model:
    model = Model("Normalisation")
    X, down_, across = matrix("X", "N", "D"), ones(size("N")), ones(size("D"))

    def spread(v: Node) -> Node:
        return v @ across.T if axis == 1 else down_ @ v.T

    mu = model.define(r"\mu", mean(X, axis) if axis == 1 else mean(X.T, 1))
    C = model.define("C", X - spread(mu))
    squares = C**2 if axis == 1 else (C**2).T
    s = model.define("s", sqrt(mean(squares, 1) + Const(1) / 100000))
    hat = model.define(r"\hat{X}", C / spread(s))
    model.define("Y", hat * down(vector(r"\gamma", "D"), "N") + down(vector(r"\beta", "D"), "N"))
    model.train(vector(r"\gamma", "D"), vector(r"\beta", "D"))
    return model


def _normalised(X, axis):
    c = X - X.mean(axis, keepdims=True)
    s = np.sqrt((c**2).mean(axis, keepdims=True) + EPS)
    return c / s, s


def _forward(axis):
    return lambda X, gamma, beta: _normalised(X, axis)[0] * gamma + beta


SHAPES = {"X": (5, 4), "gamma": (4,), "beta": (4,)}
GROUPS["batch norm"] = Group(lambda: normalised(0), _forward(0), SHAPES, "dY")
GROUPS["layer norm"] = Group(lambda: normalised(1), _forward(1), SHAPES, "dY")


@case("batch norm")
def batch_norm_right(dY, X, gamma):
    hat, s = _normalised(X, 0)
    dhat = dY * gamma
    dX = (dhat - dhat.mean(0) - hat * (dhat * hat).mean(0)) / s
    return {"dX": dX, "dgamma": (dY * hat).sum(0), "dbeta": dY.sum(0)}


@case("batch norm", dX=("refuted", "dependence dropped"))
def batch_norm_statistics_held(dY, X, gamma):
    hat, s = _normalised(X, 0)
    return {"dX": dY * gamma / s, "dgamma": (dY * hat).sum(0)}


@case("batch norm", dX=("refuted", "dependence dropped"))
def batch_norm_without_mean_term(dY, X, gamma):
    hat, s = _normalised(X, 0)
    dhat = dY * gamma
    return {"dX": (dhat - hat * (dhat * hat).mean(0)) / s}


@case("layer norm")
def layer_norm_right(dY, X, gamma):
    hat, s = _normalised(X, 1)
    dhat = dY * gamma
    return {"dX": (dhat - dhat.mean(1, keepdims=True) - hat * (dhat * hat).mean(1, keepdims=True)) / s}


@case("layer norm", dX=("refuted", "dependence dropped"))
def layer_norm_variance_held(dY, X, gamma):
    _, s = _normalised(X, 1)
    dhat = dY * gamma
    return {"dX": (dhat - dhat.mean(1, keepdims=True)) / s}


@case("layer norm", dgamma=("refuted", "names exchanged"))
def layer_norm_gamma_without_hat(dY, X):
    return {"dgamma": dY.sum(0)}


# ---------------------------------------------------------------- attention
def attention() -> Model:
    model = Model("Attention")
    s = model.define("S", matrix("Q", "n", "d") @ matrix("K", "m", "d").T / Const(2))
    p = model.define("P", softmax(s, 1))
    model.define("O", p @ matrix("V", "m", "v"))
    return model


GROUPS["attention"] = Group(
    attention, lambda Q, K, V: _softmax(Q @ K.T / 2) @ V, {"Q": (3, 4), "K": (5, 4), "V": (5, 2)}, "dO"
)


@case("attention")
def attention_right(Q, K, V, P, dO):
    dP = dO @ V.T
    dS = P * (dP - (dP * P).sum(1, keepdims=True))
    return {"dQ": dS @ K / 2, "dK": dS.T @ Q / 2, "dV": P.T @ dO}


@case("attention", dQ=("refuted", "missing factor"), dK=("refuted", "missing factor"))  # 1 1ᵀ: the sum of a row
def attention_diagonal_only(Q, K, V, P, dO):
    dS = P * (1 - P) * (dO @ V.T)
    return {"dQ": dS @ K / 2, "dK": dS.T @ Q / 2, "dV": P.T @ dO}


@case("attention", dQ=("refuted", "factor"))
def attention_without_scale(Q, K, V, P, dO):
    dP = dO @ V.T
    return {"dQ": (P * (dP - (dP * P).sum(1, keepdims=True))) @ K}


# ---------------------------------------------------------------- convolution
def convolution() -> Model:
    model = Model("Convolution")
    model.define("y", conv1d(vector("u", "n"), vector("k", "q")))
    return model


GROUPS["convolution"] = Group(
    convolution, lambda u, k: np.correlate(u, k, "valid"), {"u": (7,), "k": (3,)}, "dy"
)


@case("convolution")
def convolution_right(u, k, dy):
    return {"du": np.convolve(dy, k), "dk": np.correlate(u, dy, "valid")}


@case("convolution", du=("refuted", ""))
def convolution_not_flipped(u, k, dy):
    return {"du": np.correlate(dy, k, "full"), "dk": np.correlate(u, dy, "valid")}


# ---------------------------------------------------------------- a cell with gates
def cell() -> Model:
    model = Model("LSTM cell")
    x, h = vector("x", "n"), vector("h", "m")
    gates = {}
    for letter in "fiog":
        z = matrix(f"W_{letter}", "m", "n") @ x + matrix(f"U_{letter}", "m", "m") @ h + vector(f"b_{letter}", "m")
        gates[letter] = model.define(letter, (tanh if letter == "g" else sigmoid)(z))
    c = model.define("c'", gates["f"] * vector("c", "m") + gates["i"] * gates["g"])
    model.define("h'", gates["o"] * tanh(c))
    return model


def _cell(x, h, c, **p):
    z = {k: p[f"W_{k}"] @ x + p[f"U_{k}"] @ h + p[f"b_{k}"] for k in "fiog"}
    f, i, o, g = _sigmoid(z["f"]), _sigmoid(z["i"]), _sigmoid(z["o"]), np.tanh(z["g"])
    return o * np.tanh(f * c + i * g)


GROUPS["cell"] = Group(
    cell, _cell,
    {"x": (3,), "h": (4,), "c": (4,)}
    | {f"W_{k}": (4, 3) for k in "fiog"} | {f"U_{k}": (4, 4) for k in "fiog"} | {f"b_{k}": (4,) for k in "fiog"},
    "dh_prime",
)  # fmt: skip


def _cell_backward(x, h, c, f, i, o, g, c_prime, dh_prime, slope):
    dc = dh_prime * o * slope(c_prime)
    df, di, dg = dc * c * f * (1 - f), dc * g * i * (1 - i), dc * i * (1 - g**2)
    return {"dc": dc * f, "dW_f": np.outer(df, x), "dU_i": np.outer(di, h), "db_g": dg}


@case("cell")
def cell_right(x, h, c, f, i, o, g, c_prime, dh_prime):
    return _cell_backward(x, h, c, f, i, o, g, c_prime, dh_prime, lambda v: 1 - np.tanh(v) ** 2)


@case("cell", dc=("refuted", ""), dW_f=("refuted", ""), dU_i=("refuted", ""), db_g=("refuted", ""))
def cell_slope_of_the_state(x, h, c, f, i, o, g, c_prime, dh_prime):
    return _cell_backward(x, h, c, f, i, o, g, c_prime, dh_prime, lambda v: 1 - v**2)


# ---------------------------------------------------------------- a residual path
def residual() -> Model:
    model = Model("Residual block")
    x = vector("x", "n")
    r = model.define("r", tanh(matrix("W", "n", "n") @ x))
    model.define("y", x + r)
    return model


GROUPS["residual"] = Group(residual, lambda W, x: x + np.tanh(W @ x), {"W": (4, 4), "x": (4,)}, "dy")


@case("residual")
def residual_right(W, x, r, dy):
    return {"dx": dy + W.T @ (dy * (1 - r**2))}


@case("residual", dx=("refuted", "missing term"))
def residual_path_forgotten(W, x, r, dy):
    return {"dx": W.T @ (dy * (1 - r**2))}


@case("residual", dx=("refuted", "dependence dropped"))
def residual_block_forgotten(dy):
    return {"dx": dy}
