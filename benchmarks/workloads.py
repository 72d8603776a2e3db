"""What is measured: workloads as data. How they are computed stands in `models`, `hand` and `forward`, by family."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Arrays = dict[str, Array]
BATCHES = 4  # fixed mini-batches, in rotation
LR = 0.01
SEED = 17  # keeps pre-activations off relu's kink, where a rounding error flips a whole entry of a gradient


@dataclass(frozen=True, slots=True)
class Workload:
    """A training step: forward, loss, backward and SGD update in float32.

    Attributes:
        name: As the command line and the tables have it.
        title: What it is, in words.
        family: The function of this name in `models`, `hand` and `forward` computes it.
        batch: Samples in a mini-batch.
        shapes: Of the parameters, by their names in the generated code.
        data: Shapes of one sample's arrays; the last one is the target.
        target: `classes` (one-hot rows), `binary` or `real`.
        flops: In the matrix products of one step, 2mnk each.
        sizes: Numbers for the model's symbolic sizes that no data fix.
        options: What else the family needs.
    """

    name: str
    title: str
    family: str
    batch: int
    shapes: Mapping[str, tuple[int, ...]]
    data: Mapping[str, tuple[int, ...]]
    target: str
    flops: int
    sizes: Mapping[str, int]
    options: Mapping[str, Any]

    def draw(self) -> tuple[Arrays, Arrays]:
        """Return parameters to start from and data of all mini-batches, in float64 but representable in float32."""
        rng = np.random.default_rng([zlib.crc32(self.name.encode()), SEED])
        rows = BATCHES * self.batch
        start = {name: _start(rng, name, shape) for name, shape in self.shapes.items()}
        *inputs, target = self.data.items()
        data = {name: rng.normal(size=(rows, *shape)) for name, shape in inputs}
        data[target[0]] = _targets(rng, self.target, (rows, *target[1]))
        return _rounded(start), _rounded(data)

    def batches(self, data: Mapping[str, Array]) -> list[Arrays]:
        """Return the mini-batches, each contiguous."""
        parts = (slice(k * self.batch, (k + 1) * self.batch) for k in range(BATCHES))
        return [{name: np.ascontiguousarray(array[part]) for name, array in data.items()} for part in parts]


def _rounded(arrays: Arrays) -> Arrays:
    return {name: array.astype(np.float32).astype(np.float64) for name, array in arrays.items()}


def _start(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> Array:
    """Weights keep the size of signals; offsets are small, but not zero: an update must show in a relative error."""
    if len(shape) == 1:
        return rng.normal(1.0 if name == "gamma" else 0.0, 0.1, shape)
    fan_in = math.prod(shape[1:])
    return rng.normal(0.0, 1 / math.sqrt(fan_in), shape)


def _targets(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> Array:
    if kind == "classes":
        return np.eye(shape[1])[rng.integers(0, shape[1], shape[0])]
    if kind == "binary":
        return rng.integers(0, 2, shape).astype(float)
    return rng.normal(size=shape)


# ---------------------------------------------------------------- families
def mlp(name: str, widths: tuple[int, ...], act: str, head: str, batch: int) -> Workload:
    """A multi-layer perceptron; the head is `ce` (softmax), `bce` (sigmoid) or `mse`."""
    layers = list(enumerate(pairwise(widths), 1))
    shapes: dict[str, tuple[int, ...]] = {}
    for k, (n_in, n_out) in layers:
        shapes |= {f"W{k}": (n_out, n_in), f"b{k}": (n_out,)}
    products = sum(n_in * n_out * (2 if k == 1 else 3) for k, (n_in, n_out) in layers)
    alike = len(set(widths)) == 1
    inner = {"n": widths[0]} if alike else {f"h_{k}": width for k, width in enumerate(widths[1:-1], 1)}
    depth = f"{len(layers)} layers of {widths[0]}" if alike else "-".join(map(str, widths))
    return Workload(
        name, f"{depth} {act}, {head}, batch {batch}", "mlp", batch, shapes,
        {"x": widths[:1], "y": widths[-1:]}, {"ce": "classes", "bce": "binary", "mse": "real"}[head],
        2 * batch * products, inner, {"widths": widths, "act": act, "head": head},
    )  # fmt: skip


def layer_norm(name: str, n_in: int, n_hid: int, classes: int, batch: int) -> Workload:
    """A perceptron whose hidden layer is normalised before its relu."""
    shapes = {
        "W1": (n_hid, n_in), "b1": (n_hid,), "gamma": (n_hid,), "beta": (n_hid,), "W2": (classes, n_hid),
        "b2": (classes,),
    }  # fmt: skip
    return Workload(
        name, f"{n_in}-{n_hid}-{classes} layer norm, relu, ce, batch {batch}", "layer_norm", batch, shapes,
        {"x": (n_in,), "y": (classes,)}, "classes", 2 * batch * (2 * n_in * n_hid + 3 * n_hid * classes),
        {"h": n_hid}, {},
    )  # fmt: skip


def lstm(name: str, n_in: int, n_hid: int, classes: int, steps: int, batch: int) -> Workload:
    """A long short-term memory over a few steps from a zero state, and a softmax on its last state."""
    shapes: dict[str, tuple[int, ...]] = {}
    for gate in "ifog":
        shapes |= {f"W_{gate}": (n_hid, n_in), f"U_{gate}": (n_hid, n_hid), f"b_{gate}": (n_hid,)}
    shapes |= {"W": (classes, n_hid), "b": (classes,)}
    inputs = 2 * (4 * steps - 1) * n_in * n_hid  # the first step forgets nothing
    states = 3 * 4 * (steps - 1) * n_hid * n_hid
    return Workload(
        name, f"LSTM {n_in}-{n_hid}, {steps} steps, ce, batch {batch}", "lstm", batch, shapes,
        {**{f"x_{t}": (n_in,) for t in range(1, steps + 1)}, "y": (classes,)}, "classes",
        2 * batch * (inputs + states + 3 * n_hid * classes), {"h": n_hid}, {"steps": steps},
    )  # fmt: skip


def attention(name: str, tokens: int, width: int, inner: int, batch: int) -> Workload:
    """A head of attention with its projections and the sum with its input."""
    shapes = {**{f"W_{w}": (width, inner) for w in "QKV"}, "W_O": (inner, width)}
    projections = (3 * 2 + 3) * tokens * width * inner
    return Workload(
        name, f"attention, {tokens} tokens of {width}, mse, batch {batch}", "attention", batch, shapes,
        {"X": (tokens, width), "Y": (tokens, width)}, "real",
        2 * batch * (projections + 2 * 3 * tokens * tokens * inner), {"q": inner}, {},
    )  # fmt: skip


def convolution(
    name: str, channels: int, space: tuple[int, ...], kernels: int, window: int, act: str, classes: int, batch: int
) -> Workload:
    """A convolution, an activation and a softmax on all that is left, in one dimension or two."""
    left = tuple(n - window + 1 for n in space)
    shapes = {
        "K": (kernels, channels, *(window for _ in space)), "c": (kernels,),
        "W": (classes, kernels, *left), "b": (classes,),
    }  # fmt: skip
    places = math.prod(left)
    slid = 2 * places * kernels * channels * window ** len(space)
    picture = "x".join(map(str, (channels, *space)))
    return Workload(
        name, f"{len(space)}-D convolution of {picture}, {act}, ce, batch {batch}", "convolution", batch, shapes,
        {"X": (channels, *space), "y": (classes,)}, "classes",
        2 * batch * (slid + 3 * places * kernels * classes), {"o": kernels}, {"act": act, "window": window},
    )  # fmt: skip


MAIN = (
    mlp("W1b1", (2, 16, 1), "tanh", "bce", 1),
    mlp("W1b32", (2, 16, 1), "tanh", "bce", 32),
    mlp("W2", (4096, 64, 1), "sigmoid", "bce", 32),
    mlp("W3", (64, 32, 10), "relu", "ce", 32),
    mlp("W4", (784, 128, 10), "relu", "ce", 64),
    mlp("W5", (784, 512, 512, 10), "relu", "ce", 128),
    mlp("W6", (64,) * 17, "tanh", "mse", 32),
)
"""The workloads of the geometric mean."""

OTHERS = (
    mlp("odd", (37, 53, 29, 7), "relu", "ce", 19),
    mlp("narrow", (9,) * 25, "tanh", "mse", 7),
    layer_norm("layernorm", 48, 64, 10, 32),
    lstm("lstm", 24, 32, 10, 4, 16),
    attention("attention", 16, 32, 32, 8),
    convolution("conv1d", 3, (32,), 8, 5, "tanh", 10, 16),
    convolution("conv2d", 3, (12, 12), 6, 3, "relu", 10, 16),
)
"""Other sizes, depths and operations: nothing may be tuned to the first seven."""

WORKLOADS = {workload.name: workload for workload in (*MAIN, *OTHERS)}


def chosen(words: str | None) -> Iterator[Workload]:
    """Yield the workloads of a comma-separated list; a word means all whose names start with it, none means all.

    Raises:
        KeyError: nothing is called so.
    """
    if words is None:
        yield from WORKLOADS.values()
        return
    found: dict[str, Workload] = {}
    for word in filter(None, (part.strip() for part in words.split(","))):
        exact = [word] if word in WORKLOADS else [name for name in WORKLOADS if name.startswith(word)]
        if not exact:
            raise KeyError(word)
        found |= {name: WORKLOADS[name] for name in exact}
    yield from found.values()
