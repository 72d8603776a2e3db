"""The workloads' losses for libraries that differentiate by themselves, over the few operations that each provides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from benchmarks.workloads import Workload

Values = Mapping[str, Any]


class Operations(Protocol):
    """What a peer provides, in its own arrays; samples stand in rows."""

    def linear(self, x: Any, weights: Any, offset: Any) -> Any:
        """Apply weights, stored as this peer likes them, to rows; without an offset if None."""

    def matmul(self, a: Any, b: Any) -> Any:
        """Multiply matrices as they are, for each sample."""

    def activate(self, name: str, z: Any) -> Any:
        """Apply `tanh`, `relu` or `sigmoid`."""

    def head(self, kind: str, z: Any, y: Any) -> Any:
        """Return the mean loss of the batch: `ce`, `bce` or `mse`, by the last pre-activation."""

    def layer_norm(self, z: Any, gain: Any, shift: Any) -> Any:
        """Normalise rows, scale and shift."""

    def attention(self, query: Any, keys: Any, values: Any) -> Any:
        """Return softmax(Q Kᵀ / √q) V of each sample."""

    def convolve(self, x: Any, kernels: Any, offset: Any) -> Any:
        """Convolve channels with kernels, in one dimension or two."""

    def dense(self, x: Any, weights: Any, offset: Any) -> Any:
        """Apply weights (k, …) to all entries of each sample (…)."""


def mlp(f: Operations, workload: Workload, p: Values, d: Values) -> Any:
    """Perceptron."""
    a, last = d["x"], len(workload.options["widths"]) - 1
    for k in range(1, last + 1):
        a = f.linear(a, p[f"W{k}"], p[f"b{k}"])
        a = f.activate(workload.options["act"], a) if k < last else a
    return f.head(workload.options["head"], a, d["y"])


def layer_norm(f: Operations, workload: Workload, p: Values, d: Values) -> Any:
    """Perceptron with a normalised hidden layer."""
    z = f.layer_norm(f.linear(d["x"], p["W1"], p["b1"]), p["gamma"], p["beta"])
    return f.head("ce", f.linear(f.activate("relu", z), p["W2"], p["b2"]), d["y"])


def lstm(f: Operations, workload: Workload, p: Values, d: Values) -> Any:
    """Steps of an LSTM, and a softmax on the last state."""
    h = c = None
    for t in range(1, workload.options["steps"] + 1):
        gates = {}
        for letter in "iog" if h is None else "ifog":
            z = f.linear(d[f"x_{t}"], p[f"W_{letter}"], p[f"b_{letter}"])
            z = z if h is None else z + f.linear(h, p[f"U_{letter}"], None)
            gates[letter] = f.activate("tanh" if letter == "g" else "sigmoid", z)
        c = gates["i"] * gates["g"] if c is None else gates["f"] * c + gates["i"] * gates["g"]
        h = gates["o"] * f.activate("tanh", c)
    return f.head("ce", f.linear(h, p["W"], p["b"]), d["y"])


def attention(f: Operations, workload: Workload, p: Values, d: Values) -> Any:
    """A head of attention."""
    query, keys, values = (f.matmul(d["X"], p[f"W_{w}"]) for w in "QKV")
    out = d["X"] + f.matmul(f.attention(query, keys, values), p["W_O"])
    return f.head("mse", out, d["Y"])


def convolution(f: Operations, workload: Workload, p: Values, d: Values) -> Any:
    """A convolution and a softmax on what it leaves."""
    a = f.activate(workload.options["act"], f.convolve(d["X"], p["K"], p["c"]))
    return f.head("ce", f.dense(a, p["W"], p["b"]), d["y"])


FAMILIES: Mapping[str, Callable[[Operations, Workload, Values, Values], Any]] = {
    "mlp": mlp, "layer_norm": layer_norm, "lstm": lstm, "attention": attention, "convolution": convolution,
}  # fmt: skip


def loss(f: Operations, workload: Workload, params: Values, data: Values) -> Any:
    """Return the loss of a mini-batch."""
    return FAMILIES[workload.family](f, workload, params, data)


def turned(workload: Workload) -> frozenset[str]:
    """Return the weights (out, in) that `linear` applies, for peers that store (in, out)."""
    if workload.family == "attention":
        return frozenset()
    return frozenset(name for name, shape in workload.shapes.items() if len(shape) == 2)
