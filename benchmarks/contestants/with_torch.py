"""PyTorch: eager with its fused SGD, and the whole step by torch.compile."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from benchmarks import forward
from benchmarks.hand import GATE_STEPS
from benchmarks.workloads import BATCHES, LR, Array, Arrays, Workload

torch.set_num_threads(1)


class Operations:
    """The operations of torch.nn.functional; weights are stored (out, in), class targets as numbers."""

    def linear(self, x: Any, weights: Any, offset: Any) -> Any:
        return functional.linear(x, weights, offset)

    def matmul(self, a: Any, b: Any) -> Any:
        return a @ b

    def activate(self, name: str, z: Any) -> Any:
        return getattr(torch, name)(z)

    def head(self, kind: str, z: Any, y: Any) -> Any:
        if kind == "ce":
            return functional.cross_entropy(z, y)
        if kind == "bce":
            return functional.binary_cross_entropy_with_logits(z, y)
        return functional.mse_loss(z, y)

    def layer_norm(self, z: Any, gain: Any, shift: Any) -> Any:
        return functional.layer_norm(z, gain.shape, gain, shift, 1e-5)

    def attention(self, query: Any, keys: Any, values: Any) -> Any:
        return functional.scaled_dot_product_attention(query, keys, values)

    def convolve(self, x: Any, kernels: Any, offset: Any) -> Any:
        slide = functional.conv1d if x.ndim == 3 else functional.conv2d
        return slide(x, kernels, offset)

    def dense(self, x: Any, weights: Any, offset: Any) -> Any:
        return functional.linear(x.flatten(1), weights.flatten(1), offset)


class _Training:
    grad = True

    def __init__(self, workload: Workload, start: Arrays, data: Arrays) -> None:
        torch._dynamo.reset()
        single = {name: torch.from_numpy(array.astype(np.float32)) for name, array in start.items()}
        self.start = single
        self.params = {name: tensor.clone().requires_grad_(self.grad) for name, tensor in single.items()}
        self.batches = []
        for batch in workload.batches(data):
            tensors = {name: torch.from_numpy(array.astype(np.float32)) for name, array in batch.items()}
            if workload.target == "classes":
                tensors["y"] = tensors["y"].argmax(1)
            self.batches.append(tensors)
        self.value = partial(forward.loss, Operations(), workload)
        self.loss: Any = None
        self.prepare()

    def prepare(self) -> None:
        """Compile."""

    def reset(self) -> None:
        with torch.no_grad():
            for name, tensor in self.start.items():
                self.params[name].copy_(tensor)

    def step(self, batch: Any) -> Any:
        raise NotImplementedError

    def run(self, steps: int) -> None:
        step, batches = self.step, self.batches
        for k in range(steps):
            self.loss = step(batches[k % BATCHES])

    def outcome(self) -> dict[str, Array]:
        self.reset()
        self.run(GATE_STEPS)
        params = {name: tensor.detach().numpy().copy() for name, tensor in self.params.items()}
        return {"loss": self.loss.detach().numpy(), **params}


class Eager(_Training):
    """Backward by autograd, then the fused optimiser."""

    def prepare(self) -> None:
        """Make the optimiser."""
        self.optimizer = torch.optim.SGD(list(self.params.values()), lr=LR, fused=True)

    def step(self, batch: Any) -> Any:
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.value(self.params, batch)
        loss.backward()
        self.optimizer.step()
        return loss


class Compiled(_Training):
    """Forward, backward and update in one compiled graph, with C++ around its kernels."""

    grad = False

    def prepare(self) -> None:
        """Compile the step."""
        value = torch.func.grad_and_value(self.value)

        def step(params: Any, batch: Any) -> Any:
            gradients, loss = value(params, batch)
            for name, tensor in params.items():
                tensor.sub_(gradients[name], alpha=LR)
            return loss

        self.call = torch.compile(step, fullgraph=True, options={"cpp_wrapper": True})

    def step(self, batch: Any) -> Any:
        return self.call(self.params, batch)

    def run(self, steps: int) -> None:
        with torch.no_grad():
            super().run(steps)
