"""PyTensor: shared variables with updates, by its C linker and by Numba."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt

from benchmarks import forward
from benchmarks.contestants import NotOfferedError
from benchmarks.hand import GATE_STEPS
from benchmarks.workloads import BATCHES, LR, Array, Arrays, Workload

pytensor.config.floatX = "float32"


class Operations:
    """The operations of pytensor.tensor; weights are stored (in, out)."""

    def linear(self, x: Any, weights: Any, offset: Any) -> Any:
        return pt.dot(x, weights) if offset is None else pt.dot(x, weights) + offset

    def matmul(self, a: Any, b: Any) -> Any:
        return pt.matmul(a, b)

    def activate(self, name: str, z: Any) -> Any:
        return pt.maximum(z, np.float32(0)) if name == "relu" else getattr(pt, name)(z)

    def head(self, kind: str, z: Any, y: Any) -> Any:
        if kind == "ce":
            return -pt.mean(pt.sum(y * pt.special.log_softmax(z, axis=1), axis=1))
        if kind == "bce":
            return pt.mean(pt.sum(pt.softplus(z) - y * z, axis=1))
        return pt.mean((z - y) ** 2)

    def layer_norm(self, z: Any, gain: Any, shift: Any) -> Any:
        centred = z - pt.mean(z, axis=1, keepdims=True)
        return gain * centred / pt.sqrt(pt.mean(centred**2, axis=1, keepdims=True) + np.float32(1e-5)) + shift

    def attention(self, query: Any, keys: Any, values: Any) -> Any:
        scores = pt.matmul(query, keys.transpose(0, 2, 1)) / np.sqrt(query.type.shape[2]).astype(np.float32)
        return pt.matmul(pt.special.softmax(scores, axis=2), values)

    def convolve(self, x: Any, kernels: Any, offset: Any) -> Any:
        raise NotOfferedError("no convolution of channels with its gradient")

    def dense(self, x: Any, weights: Any, offset: Any) -> Any:
        return pt.dot(x.reshape((x.type.shape[0], -1)), weights.reshape((weights.type.shape[0], -1)).T) + offset


class _Training:
    mode = ""

    def __init__(self, workload: Workload, start: Arrays, data: Arrays) -> None:
        self.turned = forward.turned(workload)
        self.start = {
            name: np.ascontiguousarray(array.T if name in self.turned else array, np.float32)
            for name, array in start.items()
        }
        self.params = {n: pytensor.shared(a.copy(), name=n, shape=a.shape) for n, a in self.start.items()}
        shapes = {name: (workload.batch, *shape) for name, shape in workload.data.items()}
        inputs = {name: pt.tensor(name, shape=shape, dtype="float32") for name, shape in shapes.items()}
        loss = forward.loss(Operations(), workload, self.params, inputs)
        gradients = pt.grad(loss, list(self.params.values()))
        updates = [(p, p - np.float32(LR) * g) for p, g in zip(self.params.values(), gradients, strict=True)]
        self.call = pytensor.function(list(inputs.values()), loss, updates=updates, mode=self.mode)
        self.call.trust_input = True
        self.batches = [[b[name].astype(np.float32) for name in inputs] for b in workload.batches(data)]
        self.loss: Any = None

    def reset(self) -> None:
        for name, array in self.start.items():
            self.params[name].set_value(array)

    def run(self, steps: int) -> None:
        call, batches = self.call, self.batches
        for k in range(steps):
            self.loss = call(*batches[k % BATCHES])

    def outcome(self) -> dict[str, Array]:
        self.reset()
        self.run(GATE_STEPS)
        params = {name: np.array(shared.get_value()) for name, shared in self.params.items()}
        return {"loss": np.asarray(self.loss), **{n: a.T if n in self.turned else a for n, a in params.items()}}


class ByC(_Training):
    """The C virtual machine."""

    mode = "CVM"


class ByNumba(_Training):
    """Numba."""

    mode = "NUMBA"
