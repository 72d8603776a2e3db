"""The workloads by hand in NumPy, forward and backward: the reference in float64, and a contestant in float32.

Nothing here knows derive: what is compared with it was derived on paper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.workloads import BATCHES, LR, Array, Arrays, Workload

Step = Callable[[Workload, Arrays, Arrays], tuple[float, Arrays]]
GATE_STEPS = 20
EPSILON = 1e-5


def logistic(z: Array) -> Array:
    """1 / (1 + e^-z) without overflow."""
    result: Array = 0.5 * (np.tanh(0.5 * z) + 1)
    return result


def activate(name: str, z: Array) -> Array:
    """Apply an activation."""
    if name == "sigmoid":
        return logistic(z)
    a: Array = np.maximum(z, 0) if name == "relu" else np.tanh(z)
    return a


def through(name: str, a_bar: Array, a: Array) -> Array:
    """Return the pre-activation's gradient, by the activation's output."""
    slopes: dict[str, Callable[[], Array]] = {
        "relu": lambda: a > 0, "tanh": lambda: 1 - a * a, "sigmoid": lambda: a * (1 - a),
    }  # fmt: skip
    z_bar: Array = a_bar * slopes[name]()
    return z_bar


def softmax(z: Array) -> Array:
    """Softmax along the last axis."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    result: Array = e / e.sum(axis=-1, keepdims=True)
    return result


def head(kind: str, z: Array, y: Array) -> tuple[float, Array]:
    """Return the mean loss of a batch and its gradient by the last pre-activation."""
    batch = len(z)
    if kind == "ce":
        low = z - z.max(axis=1, keepdims=True)
        loss = np.mean(np.log(np.exp(low).sum(axis=1)) - (low * y).sum(axis=1))
        return float(loss), (softmax(z) - y) / batch
    if kind == "bce":
        return float(np.mean((np.logaddexp(0, z) - y * z).sum(axis=1))), (logistic(z) - y) / batch
    difference = z - y
    return float(np.mean(difference**2)), difference * (2 / difference.size)


def mlp(workload: Workload, p: Arrays, d: Arrays) -> tuple[float, Arrays]:
    """Perceptron."""
    act, last = workload.options["act"], len(workload.options["widths"]) - 1
    values = [d["x"]]
    for k in range(1, last + 1):
        z = values[-1] @ p[f"W{k}"].T + p[f"b{k}"]
        values.append(activate(act, z) if k < last else z)
    loss, delta = head(workload.options["head"], values[-1], d["y"])
    gradients: Arrays = {}
    for k in range(last, 0, -1):
        gradients[f"W{k}"], gradients[f"b{k}"] = delta.T @ values[k - 1], delta.sum(axis=0)
        if k > 1:
            delta = through(act, delta @ p[f"W{k}"], values[k - 1])
    return loss, gradients


def layer_norm(workload: Workload, p: Arrays, d: Arrays) -> tuple[float, Arrays]:
    """Perceptron with a normalised hidden layer."""
    z = d["x"] @ p["W1"].T + p["b1"]
    centred = z - z.mean(axis=1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=1, keepdims=True) + EPSILON)
    normal = centred / deviation
    a = np.maximum(p["gamma"] * normal + p["beta"], 0)
    loss, delta = head("ce", a @ p["W2"].T + p["b2"], d["y"])
    scaled = through("relu", delta @ p["W2"], a)
    inner = scaled * p["gamma"]
    mean, lean = inner.mean(axis=1, keepdims=True), (inner * normal).mean(axis=1, keepdims=True)
    delta_1 = (inner - mean - normal * lean) / deviation
    return loss, {
        "W2": delta.T @ a, "b2": delta.sum(axis=0), "gamma": (scaled * normal).sum(axis=0),
        "beta": scaled.sum(axis=0), "W1": delta_1.T @ d["x"], "b1": delta_1.sum(axis=0),
    }  # fmt: skip


def lstm(workload: Workload, p: Arrays, d: Arrays) -> tuple[float, Arrays]:
    """Back-propagation through the steps of an LSTM."""
    steps = workload.options["steps"]
    trace: list[Arrays] = []
    zero = np.zeros((len(d["y"]), len(p["b_i"])), p["b_i"].dtype)
    h, c = zero, zero
    for t in range(1, steps + 1):
        now: Arrays = {"h": h, "c": c}
        for letter in "iog" if t == 1 else "ifog":
            z = d[f"x_{t}"] @ p[f"W_{letter}"].T + p[f"b_{letter}"]
            z = z if t == 1 else z + h @ p[f"U_{letter}"].T
            now[letter] = np.tanh(z) if letter == "g" else logistic(z)
        c = now["i"] * now["g"] if t == 1 else now["f"] * c + now["i"] * now["g"]
        now["tanh"] = np.tanh(c)
        h = now["o"] * now["tanh"]
        trace.append(now)
    loss, delta = head("ce", h @ p["W"].T + p["b"], d["y"])
    gradients = {"W": delta.T @ h, "b": delta.sum(axis=0)}
    gradients |= {name: np.zeros_like(p[name]) for name in p if name not in gradients}
    h_bar, c_bar = delta @ p["W"], zero
    for t in range(steps, 0, -1):
        now = trace[t - 1]
        c_bar = c_bar + h_bar * now["o"] * (1 - now["tanh"] ** 2)
        bars = {"o": h_bar * now["tanh"], "i": c_bar * now["g"], "g": c_bar * now["i"]}
        if t > 1:
            bars["f"] = c_bar * now["c"]
        h_bar = zero
        for letter, bar in bars.items():
            pre = through("tanh" if letter == "g" else "sigmoid", bar, now[letter])
            gradients[f"W_{letter}"] += pre.T @ d[f"x_{t}"]
            gradients[f"b_{letter}"] += pre.sum(axis=0)
            if t > 1:
                gradients[f"U_{letter}"] += pre.T @ now["h"]
                h_bar = h_bar + pre @ p[f"U_{letter}"]
        if t > 1:
            c_bar = c_bar * now["f"]
    return loss, gradients


def attention(workload: Workload, p: Arrays, d: Arrays) -> tuple[float, Arrays]:
    """A head of attention."""
    x = d["X"]
    rows = x.reshape(-1, x.shape[2])
    query, keys, values = (x @ p[f"W_{w}"] for w in "QKV")
    scale = 1 / float(np.sqrt(query.shape[2]))
    weights = softmax(query @ keys.transpose(0, 2, 1) * scale)
    mixed = weights @ values
    difference = x + mixed @ p["W_O"] - d["Y"]
    out_bar = difference * (2 / difference.size)
    mixed_bar = out_bar @ p["W_O"].T
    weights_bar = mixed_bar @ values.transpose(0, 2, 1)
    scores_bar = weights * (weights_bar - (weights_bar * weights).sum(axis=2, keepdims=True)) * scale
    bars = {
        "Q": scores_bar @ keys, "K": scores_bar.transpose(0, 2, 1) @ query,
        "V": weights.transpose(0, 2, 1) @ mixed_bar,
    }  # fmt: skip
    gradients = {f"W_{w}": rows.T @ bar.reshape(-1, bar.shape[2]) for w, bar in bars.items()}
    gradients["W_O"] = mixed.reshape(-1, mixed.shape[2]).T @ out_bar.reshape(-1, out_bar.shape[2])
    return float(np.mean(difference**2)), gradients


def convolution(workload: Workload, p: Arrays, d: Arrays) -> tuple[float, Arrays]:
    """A convolution as one product: each window is a row."""
    x, kernel, act = d["X"], p["K"], workload.options["act"]
    batch, kernels, space = len(x), len(kernel), tuple(range(2, x.ndim))
    seen = sliding_window_view(x, kernel.shape[2:], axis=space)  # batch, channels, places, windows
    places = seen.shape[2 : 2 + len(space)]
    patches = np.moveaxis(seen, 1, 1 + len(space)).reshape(batch * int(np.prod(places)), -1)
    a = activate(act, patches @ kernel.reshape(kernels, -1).T + p["c"]).reshape(batch, -1, kernels)
    flat = a.transpose(0, 2, 1).reshape(batch, -1)
    weights = p["W"].reshape(len(p["W"]), -1)
    loss, delta = head("ce", flat @ weights.T + p["b"], d["y"])
    a_bar = (delta @ weights).reshape(batch, kernels, -1).transpose(0, 2, 1)
    pre = through(act, a_bar, a).reshape(-1, kernels)
    return loss, {
        "W": (delta.T @ flat).reshape(p["W"].shape), "b": delta.sum(axis=0),
        "K": (pre.T @ patches).reshape(kernel.shape), "c": pre.sum(axis=0),
    }  # fmt: skip


FAMILIES: Mapping[str, Step] = {
    "mlp": mlp, "layer_norm": layer_norm, "lstm": lstm, "attention": attention, "convolution": convolution,
}  # fmt: skip


class Training:
    """A training by hand, in the type of its arrays."""

    def __init__(self, workload: Workload, start: Arrays, data: Arrays) -> None:
        self.workload, self.step = workload, FAMILIES[workload.family]
        self.params = {name: array.copy() for name, array in start.items()}
        self.batches = workload.batches(data)
        self.steps = 0

    def run(self, steps: int) -> float:
        """Take steps; return the last loss."""
        loss = float("nan")
        for _ in range(steps):
            loss, gradients = self.step(self.workload, self.params, self.batches[self.steps % BATCHES])
            for name, gradient in gradients.items():
                self.params[name] -= np.asarray(LR, gradient.dtype) * gradient
            self.steps += 1
        return loss


def reference(workload: Workload, start: Arrays, data: Arrays) -> dict[str, Any]:
    """Return the loss and the parameters after the gate's steps, in float64."""
    training = Training(workload, start, data)
    loss = training.run(GATE_STEPS)
    return {"loss": np.asarray(loss), **training.params}


def predict(workload: Workload, p: Arrays, x: Array) -> Array:
    """Return a perceptron's class probabilities."""
    last = len(workload.options["widths"]) - 1
    for k in range(1, last):
        x = activate(workload.options["act"], x @ p[f"W{k}"].T + p[f"b{k}"])
    return softmax(x @ p[f"W{last}"].T + p[f"b{last}"])
