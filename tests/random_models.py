"""Models drawn at random for training, each written twice: as a network of one sample, and by hand for autograd."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import autograd.numpy as anp
import numpy as np
from test_architectures import exact_gelu, gelu_by_tanh

from derive.derivation import Derivation
from derive.expr import Const, Node, Var, matrix, scalar, vector
from derive.model import Definition, Network
from derive.ops import activation as av
from derive.ops import elementwise as el
from derive.ops.loss import huber
from derive.ops.reduction import largest, mean, softmax, total

Values = dict[str, Any]
Pair = tuple[Callable[[Node], Node], Callable[[Any], Any]]

LENGTHS = (1, 1, 2, 3, 5, 7, 8, 9, 11, 13, 16, 17, 19, 31, 32, 33, 48, 61, 64, 89, 97)
BATCHES = (1, 2, 3, 5, 8, 13, 16, 17, 31, 32, 33, 64, 97)


def logistic(x: Any) -> Any:
    return 0.5 * (1 + anp.tanh(0.5 * x))


ACTIVATIONS: tuple[Pair, ...] = (
    (av.sigmoid, logistic),
    (av.tanh, anp.tanh),
    (av.relu, lambda x: x * (x > 0)),
    (av.softplus, lambda x: anp.logaddexp(0, x)),
    (av.silu, lambda x: x * logistic(x)),
    (av.gelu, exact_gelu),
    (lambda x: av.gelu(x, form="tanh"), gelu_by_tanh),
    (lambda x: av.elu(x), lambda x: anp.where(x > 0, x, anp.exp(anp.minimum(x, 0)) - 1)),
    (lambda x: av.leaky_relu(x, 0.2), lambda x: anp.where(x > 0, x, 0.2 * x)),
    (el.sin, anp.sin),
)


def cross(y: Any, z: Any) -> Any:
    top = anp.max(z, axis=1, keepdims=True)
    return -anp.sum(y * (z - top - anp.log(anp.sum(anp.exp(z - top), axis=1, keepdims=True))))


def rounded_corner(r: Any) -> Any:
    return anp.sum(anp.where(anp.abs(r) > 0.5, 0.5 * (anp.abs(r) - 0.25), r**2 / 2))


HEADS: dict[str, Callable[[Any, Any], Any]] = {
    "cross-entropy": cross,
    "binary": lambda y, z: anp.sum(y * anp.logaddexp(0, -z) + (1 - y) * anp.logaddexp(0, z)),
    "squares": lambda y, z: anp.sum((z - y) ** 2),
    "huber": lambda y, z: rounded_corner(z - y),
    "largest": lambda y, z: anp.sum((z - y) ** 2) / 2 + anp.sum(anp.max(z * z, axis=1)),
}
"""The loss of all rows by hand; `loss_of` is the same for one sample."""


@dataclass(slots=True)
class Model:
    """A network while it is drawn: its equations, and the same steps on arrays with one row a sample."""

    rng: random.Random
    sizes: dict[str, int] = field(default_factory=dict)
    definitions: list[Definition] = field(default_factory=list)
    steps: list[Callable[[Values, Any], Any]] = field(default_factory=list)
    head: str = ""

    def define(self, latex: str, value: Node) -> Var:
        var = Var(latex, value.shape)
        self.definitions.append(Definition(var, value))
        return var

    @property
    def network(self) -> Network:
        return Network("drawn", tuple(self.definitions), scalar("L"))

    def loss(self, params: Values, x: Any, y: Any) -> Any:
        """The mean loss over the rows, by hand."""
        start, a = x, x
        for step in self.steps:
            a = step({**params, "x": start}, a)
        return HEADS[self.head](y, a) / len(x)

    def draw(self, rows: int, seed: int) -> tuple[Any, Any]:
        """Inputs and targets, one row a sample."""
        rng, k = np.random.default_rng(seed), self.sizes["k"]
        x = rng.normal(size=(rows, self.sizes["n"]))
        if self.head == "cross-entropy":
            return x, np.eye(k)[rng.integers(0, k, rows)]
        y = rng.integers(0, 2, (rows, k)).astype(float) if self.head == "binary" else rng.normal(size=(rows, k))
        return x, y


def drawn_model(seed: int) -> Model:
    """A perceptron of one to three layers: any widths and activations, with norms, gates and ways around a layer."""
    model = Model(random.Random(seed))
    depth = model.rng.randint(1, 3)
    names = ["n", *(f"h_{{{k}}}" for k in range(1, depth)), "k"]
    model.sizes = {name: model.rng.choice(LENGTHS) for name in names}
    a: Node = vector("x", "n")
    for k, (before, after) in enumerate(pairwise(names), 1):
        z = affine(model, a, before, after, k)
        a = z if k == depth else hidden(model, z, after, k)
    model.head = model.rng.choice(list(HEADS))
    model.define("L", loss_of(model, a))
    return model


def affine(model: Model, a: Node, before: str, after: str, k: int) -> Node:
    name, bias = f"W_{{{k}}}", f"b_{{{k}}}"
    if model.rng.random() < 0.3:
        model.steps.append(lambda v, a: a @ v[name])
        return model.define(f"z_{{{k}}}", matrix(name, before, after).T @ a)
    model.steps.append(lambda v, a: a @ v[name].T + v[bias])
    return model.define(f"z_{{{k}}}", matrix(name, after, before) @ a + vector(bias, after))


def hidden(model: Model, z: Node, size: str, k: int) -> Node:
    gain, around, gate = f"g_{{{k}}}", f"V_{{{k}}}", f"U_{{{k}}}"
    if model.rng.random() < 0.4:
        centred = model.define(f"c_{{{k}}}", z - mean(z))
        spread = model.define(f"s_{{{k}}}", el.sqrt(mean(centred**2) + Const(1) / 10))
        z = model.define(f"N_{{{k}}}", vector(gain, size) * centred / spread)
        model.steps.append(lambda v, a: v[gain] * normal(a))
    symbolic, numeric = model.rng.choice(ACTIVATIONS)
    a: Node = model.define(f"a_{{{k}}}", symbolic(z))
    model.steps.append(lambda v, a: numeric(a))
    if model.rng.random() < 0.3:
        a = model.define(f"r_{{{k}}}", a + av.tanh(matrix(around, size, size) @ a))
        model.steps.append(lambda v, a: a + anp.tanh(a @ v[around].T))
    if model.rng.random() < 0.3:
        a = model.define(f"q_{{{k}}}", a * av.sigmoid(matrix(gate, size, "n") @ vector("x", "n")))
        model.steps.append(lambda v, a: a * logistic(v["x"] @ v[gate].T))
    return a


def normal(z: Any) -> Any:
    centred = z - anp.mean(z, axis=1, keepdims=True)
    return centred / anp.sqrt(anp.mean(centred**2, axis=1, keepdims=True) + 0.1)


def loss_of(model: Model, z: Node) -> Node:
    domain = {"cross-entropy": "onehot", "binary": "binary"}.get(model.head, "real")
    y = vector("y", "k", domain)
    if model.head == "cross-entropy":
        return -total(y * el.log(model.define(r"\hat{y}", softmax(z))))
    if model.head == "binary":
        p = model.define(r"\hat{y}", av.sigmoid(z))
        return -total(y * el.log(p) + (1 - y) * el.log(1 - p))
    if model.head == "huber":
        return huber(z - y, 0.5)
    squares = total((z - y) ** 2)
    return squares if model.head == "squares" else squares / 2 + largest(z * z)


def start_of(record: Derivation, shapes: dict[str, tuple[int, ...]], seed: int) -> Values:
    """Parameters by their LaTeX, none of them zero."""
    rng = np.random.default_rng(seed)
    return {
        var.latex: rng.normal(size=shapes[var.latex]) / np.sqrt(shapes[var.latex][-1] if shapes[var.latex] else 1)
        for var in record.parameters
    }
