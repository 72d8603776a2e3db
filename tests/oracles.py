"""Independent gradients: the test models written a second time, by hand, for HIPS autograd."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import autograd.numpy as anp
import numpy as np
import numpy.typing as npt
from autograd import value_and_grad

import derive.ops.table  # noqa: F401  # fills the table of operations
from derive.expr import Node, Var, matrix, scalar, vector
from derive.model import Definition, Network
from derive.ops.activation import relu, sigmoid, tanh
from derive.ops.elementwise import log
from derive.ops.reduction import softmax, total

Array = npt.NDArray[Any]
Arrays = dict[str, Array]
Loss = Callable[[Arrays, Array, Array], Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A model of one sample, and its mean loss over a batch with one row a sample, written by hand."""

    name: str
    network: Network
    loss: Loss
    sizes: tuple[str, ...]
    target: str


def mlp(widths: list[str | int], act: Callable[[Node], Node], head: str) -> Network:
    """A multi-layer perceptron of one sample: `head` is `ce`, `bce` or `mse`."""
    a: Node = vector("x", widths[0])
    definitions: list[Definition] = []
    z = vector("x", widths[0])
    for k, (n_in, n_out) in enumerate(pairwise(widths), 1):
        z = vector(f"Z^{{[{k}]}}", n_out)
        weights, bias = matrix(f"W^{{[{k}]}}", n_out, n_in), vector(f"b^{{[{k}]}}", n_out)
        definitions.append(Definition(z, weights @ a + bias))
        if k < len(widths) - 1:
            a = vector(f"a^{{[{k}]}}", n_out)
            assert isinstance(a, Var)
            definitions.append(Definition(a, act(z)))
    y_hat, loss = vector(r"\hat{y}", widths[-1]), scalar("L")
    if head == "ce":
        y = vector("y", widths[-1], "onehot")
        definitions += [Definition(y_hat, softmax(z)), Definition(loss, -total(y * log(y_hat)))]
    elif head == "bce":
        y = vector("y", widths[-1], "binary")
        crossed = y * log(y_hat) + (1 - y) * log(1 - y_hat)
        definitions += [Definition(y_hat, sigmoid(z)), Definition(loss, -total(crossed))]
    else:
        definitions.append(Definition(loss, total((z - vector("y", widths[-1])) ** 2)))
    return Network(f"mlp {head} {len(widths)}", tuple(definitions), loss)


def logistic() -> Network:
    """Logistic regression of one sample, with scalars."""
    z, y_hat, y, loss = scalar("z"), scalar(r"\hat{y}"), scalar("y", "binary"), scalar("L")
    return Network(
        "logistic",
        (
            Definition(z, vector("w", "n").T @ vector("x", "n") + scalar("b")),
            Definition(y_hat, sigmoid(z)),
            Definition(loss, -(y * log(y_hat) + (1 - y) * log(1 - y_hat))),
        ),
        loss,
    )


def _softplus(z: Array) -> Any:
    return anp.logaddexp(0.0, z)


def _bce(z: Array, y: Array) -> Any:
    return y * _softplus(-z) + (1 - y) * _softplus(z)


def _ce(z: Array, y: Array) -> Any:
    top = anp.max(z, axis=1, keepdims=True)
    log_sum = top + anp.log(anp.sum(anp.exp(z - top), axis=1, keepdims=True))
    return -anp.sum(y * (z - log_sum), axis=1)


def _layers(p: Arrays, x: Array, act: Callable[[Array], Array], depth: int) -> Array:
    for k in range(1, depth + 1):
        x = x @ p[f"W{k}"].T + p[f"b{k}"]
        x = act(x) if k < depth else x
    return x


def _logistic_function(z: Array) -> Any:
    return 0.5 * (anp.tanh(0.5 * z) + 1)


def _rectify(z: Array) -> Any:
    return z * (z > 0)


def loss_cat(p: Arrays, x: Array, y: Array) -> Any:
    return anp.mean(anp.sum(_bce(_layers(p, x, _logistic_function, 2), y), axis=1))


def loss_soft(p: Arrays, x: Array, y: Array) -> Any:
    return anp.mean(_ce(_layers(p, x, anp.tanh, 1), y))


def loss_log(p: Arrays, x: Array, y: Array) -> Any:
    return anp.mean(_bce(x @ p["w"] + p["b"], y))


def loss_relu(p: Arrays, x: Array, y: Array) -> Any:
    return anp.mean(_ce(_layers(p, x, _rectify, 3), y))


def loss_tanh(p: Arrays, x: Array, y: Array) -> Any:
    return anp.mean(anp.sum((_layers(p, x, anp.tanh, 3) - y) ** 2, axis=1))


CASES = (
    Case("cat", mlp(["n", "h", 1], sigmoid, "bce"), loss_cat, ("n", "h"), "binary"),
    Case("soft", mlp(["n", "k"], tanh, "ce"), loss_soft, ("n", "k"), "onehot"),
    Case("log", logistic(), loss_log, ("n",), "binary scalar"),
    Case("relu", mlp(["n", "h", "m", "k"], relu, "ce"), loss_relu, ("n", "h", "m", "k"), "onehot"),
    Case("tanh", mlp(["n", "h", "m", "k"], tanh, "mse"), loss_tanh, ("n", "h", "m", "k"), "real"),
)


def draw_data(case: Case, sizes: dict[str, int], rows: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw inputs and targets, one row a sample."""
    x = rng.normal(size=(rows, sizes["n"]))
    if case.target == "binary scalar":
        return x, rng.integers(0, 2, rows).astype(float)
    if case.target == "binary":
        return x, rng.integers(0, 2, (rows, 1)).astype(float)
    if case.target == "onehot":
        return x, np.eye(sizes["k"])[rng.integers(0, sizes["k"], rows)]
    return x, rng.normal(size=(rows, sizes["k"]))


def oracle(case: Case, params: Arrays, x: Array, y: Array) -> tuple[float, Arrays]:
    """The loss and its gradients by autograd, in float64."""
    exact = {name: np.asarray(value, np.float64) for name, value in params.items()}
    loss, gradients = value_and_grad(case.loss)(exact, x, y)
    return float(loss), {name: np.asarray(value) for name, value in gradients.items()}
