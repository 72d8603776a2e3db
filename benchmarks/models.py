"""The workloads as models of derive, written as its users write them: one sample, symbolic sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.workloads import Workload
from derive import (
    Model,
    Var,
    binary_cross_entropy,
    conv1d,
    conv2d,
    cross_entropy,
    einsum,
    matrix,
    mean,
    ones,
    relu,
    sigmoid,
    softmax,
    sqrt,
    tanh,
    vector,
)
from derive.expr import Node, as_node

ACTIVATIONS: Mapping[str, Callable[[Node], Node]] = {"tanh": tanh, "relu": relu, "sigmoid": sigmoid}


def mlp(workload: Workload) -> Model:
    """z = W a + b and a = act(z), layer by layer."""
    model, widths = Model(f"Workload {workload.name}"), workload.options["widths"]
    act, head, last = ACTIVATIONS[workload.options["act"]], workload.options["head"], len(widths) - 1
    names: list[Any] = ["n", *(f"h_{k}" for k in range(1, last)), 1 if widths[-1] == 1 else "k"]
    if len(set(widths)) == 1:
        names = ["n"] * len(widths)
    a: Node = vector("x", names[0])
    for k in range(1, last + 1):
        weights, offset = matrix(f"W^{{[{k}]}}", names[k], names[k - 1]), vector(f"b^{{[{k}]}}", names[k])
        z = model.define(f"z^{{[{k}]}}", weights @ a + offset)
        a = model.define(f"a^{{[{k}]}}", act(z)) if k < last else z
    _conclude(model, a, names[-1], head)
    return model


def _conclude(model: Model, z: Node, size: Any, head: str) -> None:
    """Add the prediction and the loss of one sample."""
    if head == "mse":
        model.define("L", mean((z - vector("y", size)) ** 2))
    elif head == "ce":
        p = model.define(r"\hat{y}", softmax(z))
        model.define("L", cross_entropy(vector("y", size, "onehot"), p))
    else:
        p = model.define(r"\hat{y}", sigmoid(z))
        model.define("L", binary_cross_entropy(vector("y", size, "binary"), p))


def layer_norm(workload: Workload) -> Model:
    """One hidden layer, its values normalised over the layer."""
    model = Model(f"Workload {workload.name}")
    z = model.define("z^{[1]}", matrix("W^{[1]}", "h", "n") @ vector("x", "n") + vector("b^{[1]}", "h"))
    centred = model.define("u", z - model.define(r"\mu", mean(z)))
    deviation = model.define("s", sqrt(mean(centred**2) + as_node(1) / 100000))
    normal = model.define("v", centred / deviation)
    a = model.define("a^{[1]}", relu(vector(r"\gamma", "h") * normal + vector(r"\beta", "h")))
    z = model.define("z^{[2]}", matrix("W^{[2]}", "k", "h") @ a + vector("b^{[2]}", "k"))
    _conclude(model, z, "k", "ce")
    return model


def lstm(workload: Workload) -> Model:
    """The steps written out, from a zero state."""
    model = Model(f"Workload {workload.name}")
    h: Node | None = None
    c: Node | None = None
    for t in range(1, workload.options["steps"] + 1):
        x = vector(f"x_{t}", "d")

        def gate(letter: str, act: Callable[[Node], Node], t: int = t, x: Node = x, h: Node | None = h) -> Node:
            z = matrix(f"W_{letter}", "h", "d") @ x
            z = z if h is None else z + matrix(f"U_{letter}", "h", "h") @ h
            return model.define(f"{letter}_{t}", act(z + vector(f"b_{letter}", "h")))

        write = gate("i", sigmoid) * gate("g", tanh)
        c = model.define(f"c_{t}", write if c is None else gate("f", sigmoid) * c + write)
        h = model.define(f"h_{t}", gate("o", sigmoid) * tanh(c))
    assert h is not None
    _conclude(model, model.define("z", matrix("W", "k", "h") @ h + vector("b", "k")), "k", "ce")
    return model


def attention(workload: Workload) -> Model:
    """softmax(Q Kᵀ / √q) V, projected and added to the input."""
    model, x = Model(f"Workload {workload.name}"), matrix("X", "n", "d")
    query, keys, values = (model.define(w, x @ matrix(f"W_{w}", "d", "q")) for w in "QKV")
    scores = model.define("S", (query @ keys.T) / sqrt(as_node(query.shape[1])))
    mixed = model.define("O", model.define("P", softmax(scores, 1)) @ values)
    out = model.define("R", x + mixed @ matrix("W_O", "q", "d"))
    model.define("L", mean((out - matrix("Y", "n", "d")) ** 2))
    return model


def convolution(workload: Workload) -> Model:
    """A convolution, an activation, and a linear map of all entries."""
    model, (_, *space) = Model(f"Workload {workload.name}"), workload.data["X"]
    letters = "tu"[: len(space)]
    slide = conv1d if len(space) == 1 else conv2d
    kernel = Var("K", ("o", "c", *(workload.options["window"] for _ in space)))
    slid = slide(Var("X", ("c", *"pq"[: len(space)])), kernel)
    offset = einsum(f"o,{','.join(letters)}->o{letters}", vector("c", "o"), *(ones(n) for n in slid.shape[1:]))
    a = model.define("A", ACTIVATIONS[workload.options["act"]](model.define("Z", slid + offset)))
    weights = Var("W", ("k", *a.shape))
    z = model.define("z", einsum(f"ko{letters},o{letters}->k", weights, a) + vector("b", "k"))
    _conclude(model, z, "k", "ce")
    return model


FAMILIES: Mapping[str, Callable[[Workload], Model]] = {
    "mlp": mlp, "layer_norm": layer_norm, "lstm": lstm, "attention": attention, "convolution": convolution,
}  # fmt: skip


def build(workload: Workload) -> Model:
    """Return the model of a workload."""
    return FAMILIES[workload.family](workload)
