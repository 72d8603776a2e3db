"""JAX: a jitted call for every step, and a scan over all steps in one call."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks import forward
from benchmarks.hand import GATE_STEPS
from benchmarks.workloads import BATCHES, LR, Array, Arrays, Workload

AXES = {3: ("NCH", "OIH", "NCH"), 4: ("NCHW", "OIHW", "NCHW")}


class Operations:
    """The operations in jax.numpy; weights are stored (in, out)."""

    def linear(self, x: Any, weights: Any, offset: Any) -> Any:
        return x @ weights if offset is None else x @ weights + offset

    def matmul(self, a: Any, b: Any) -> Any:
        return a @ b

    def activate(self, name: str, z: Any) -> Any:
        return {"tanh": jnp.tanh, "relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}[name](z)

    def head(self, kind: str, z: Any, y: Any) -> Any:
        if kind == "ce":
            return -jnp.mean(jnp.sum(y * jax.nn.log_softmax(z), axis=1))
        if kind == "bce":
            return jnp.mean(jnp.sum(jax.nn.softplus(z) - y * z, axis=1))
        return jnp.mean((z - y) ** 2)

    def layer_norm(self, z: Any, gain: Any, shift: Any) -> Any:
        centred = z - jnp.mean(z, axis=1, keepdims=True)
        return gain * centred * lax.rsqrt(jnp.mean(centred**2, axis=1, keepdims=True) + 1e-5) + shift

    def attention(self, query: Any, keys: Any, values: Any) -> Any:
        scores = jnp.einsum("bnq,bmq->bnm", query, keys) / np.sqrt(query.shape[2]).astype(np.float32)
        return jax.nn.softmax(scores) @ values

    def convolve(self, x: Any, kernels: Any, offset: Any) -> Any:
        space = (1,) * (x.ndim - 2)
        slid = lax.conv_general_dilated(x, kernels, space, "VALID", dimension_numbers=AXES[x.ndim])
        return slid + offset.reshape(1, -1, *space)

    def dense(self, x: Any, weights: Any, offset: Any) -> Any:
        return x.reshape(len(x), -1) @ weights.reshape(len(weights), -1).T + offset


class _Training:
    def __init__(self, workload: Workload, start: Arrays, data: Arrays) -> None:
        self.turned = forward.turned(workload)
        self.start = {
            name: np.ascontiguousarray(array.T if name in self.turned else array, np.float32)
            for name, array in start.items()
        }
        self.batches = [
            {name: jnp.asarray(array, jnp.float32) for name, array in batch.items()} for batch in workload.batches(data)
        ]
        loss = partial(forward.loss, Operations(), workload)

        def step(params: Any, batch: Any) -> Any:
            value, gradients = jax.value_and_grad(loss)(params, batch)
            return jax.tree.map(lambda p, g: p - LR * g, params, gradients), value

        self.step = step
        self.call: Any = None
        self.prepare()
        self.reset()

    def prepare(self) -> None:
        """Make what a call needs."""

    def reset(self) -> None:
        self.params = {name: jnp.array(array) for name, array in self.start.items()}
        jax.block_until_ready(self.params)
        self.loss: Any = None

    def run(self, steps: int) -> None:
        raise NotImplementedError

    def outcome(self) -> dict[str, Array]:
        self.reset()
        self.run(GATE_STEPS)
        params = {name: np.asarray(array) for name, array in self.params.items()}
        return {"loss": np.asarray(self.loss), **{n: a.T if n in self.turned else a for n, a in params.items()}}


class Jit(_Training):
    """A jitted call for every step, with the parameters' buffers given away."""

    def prepare(self) -> None:
        """Wrap the step."""
        self.call = jax.jit(self.step, donate_argnums=0)

    def run(self, steps: int) -> None:
        params, call, batches = self.params, self.call, self.batches
        for k in range(steps):
            params, self.loss = call(params, batches[k % BATCHES])
        self.params = params
        jax.block_until_ready((params, self.loss))


class Scan(_Training):
    """All steps in one call: `lax.scan` over the numbers of the mini-batches."""

    length = 1  # steps in one turn of the loop

    def prepare(self) -> None:
        """Stack the mini-batches."""
        self.held: Any = {name: jnp.stack([batch[name] for batch in self.batches]) for name in self.batches[0]}

        def turn(data: Any, params: Any, k: Any) -> Any:
            return self.step(params, {name: array[k] for name, array in data.items()})

        def loop(params: Any, data: Any, turns: int) -> Any:
            return lax.scan(partial(turn, data), params, jnp.arange(turns) % BATCHES)

        self.call = jax.jit(loop, donate_argnums=0, static_argnums=2)

    def run(self, steps: int) -> None:
        self.params, losses = self.call(self.params, self.held, steps // self.length)
        self.loss = losses[-1]
        jax.block_until_ready((self.params, self.loss))


class Epochs(Scan):
    """The same over epochs, the steps of one written out: faster for small models, slower for deep ones."""

    length = BATCHES

    def prepare(self) -> None:
        """Wrap the loop."""
        self.held = self.batches

        def turn(batches: Any, params: Any, _: None) -> Any:
            loss = None
            for batch in batches:
                params, loss = self.step(params, batch)
            return params, loss

        def loop(params: Any, batches: Any, turns: int) -> Any:
            return lax.scan(partial(turn, batches), params, length=turns)

        self.call = jax.jit(loop, donate_argnums=0, static_argnums=2)
