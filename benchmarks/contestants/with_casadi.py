"""CasADi, for small perceptrons: its own loop over steps, compiled. It computes in float64."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import casadi
import numpy as np

from benchmarks.contestants import NotOfferedError
from benchmarks.hand import GATE_STEPS
from benchmarks.workloads import BATCHES, LR, Array, Arrays, Workload

LARGEST = 20_000  # flops of a step: beyond, writing out every entry takes minutes
CHUNK = 400  # steps in one call


class Loop:
    """A step of scalar operations, accumulated over many steps, as C compiled by CasADi."""

    def __init__(self, workload: Workload, start: Arrays, data: Arrays) -> None:
        if workload.family != "mlp" or workload.flops > LARGEST:
            raise NotOfferedError("small perceptrons only")
        self.start, self.shapes = start, workload.shapes
        p = {name: casadi.SX.sym(name, *shape) for name, shape in workload.shapes.items()}
        x, y = (casadi.SX.sym(name, *shape, workload.batch) for name, shape in workload.data.items())
        loss = self.loss(workload, p, x, y)
        v = casadi.veccat(*p.values())
        step = casadi.Function("step", [v, casadi.veccat(x, y)], [v - LR * casadi.gradient(loss, v), loss])
        self.folder = tempfile.TemporaryDirectory()  # of sources and libraries, which lie where one works otherwise
        jit = {"flags": ["-O3", "-march=native"], "directory": f"{self.folder.name}{os.sep}"}
        options = {"jit": True, "compiler": "shell", "jit_options": jit}
        self.calls = {n: step.mapaccum(f"steps_{n}", n, 1, options) for n in (BATCHES, CHUNK)}
        columns = [np.concatenate([a.ravel() for a in batch.values()]) for batch in workload.batches(data)]
        self.data = {n: casadi.DM(np.stack([columns[k % BATCHES] for k in range(n)], axis=1)) for n in self.calls}
        self.reset()

    def loss(self, workload: Workload, p: Any, x: Any, y: Any) -> Any:
        """Return the loss of a batch whose samples stand in columns."""
        act = {"tanh": casadi.tanh, "relu": lambda z: casadi.fmax(z, 0), "sigmoid": lambda z: 1 / (1 + casadi.exp(-z))}
        a, last = x, len(workload.options["widths"]) - 1
        for k in range(1, last + 1):
            a = casadi.mtimes(p[f"W{k}"], a) + casadi.repmat(p[f"b{k}"], 1, workload.batch)
            a = act[workload.options["act"]](a) if k < last else a
        if workload.options["head"] == "bce":
            losses = casadi.fmax(a, 0) - a * y + casadi.log1p(casadi.exp(-casadi.fabs(a)))
        elif workload.options["head"] == "mse":
            losses = (a - y) ** 2 / a.shape[0]
        else:
            raise NotOfferedError("no softmax")
        return casadi.sum1(casadi.sum2(losses)) / workload.batch

    def reset(self) -> None:
        self.v = casadi.DM(np.concatenate([self.start[name].ravel("F") for name in self.shapes]))
        self.value = float("nan")

    def run(self, steps: int) -> None:
        for n in (CHUNK, BATCHES):
            for _ in range(steps // n):
                values, losses = self.calls[n](self.v, self.data[n])
                self.v = values[:, -1]
                self.value = float(losses[-1])
            steps %= n

    def outcome(self) -> dict[str, Array]:
        self.reset()
        self.run(GATE_STEPS)
        flat, found, at = np.asarray(self.v).ravel(), {"loss": np.asarray(self.value)}, 0
        for name, shape in self.shapes.items():
            count = int(np.prod(shape))
            found[name] = flat[at : at + count].reshape(shape, order="F")
            at += count
        return found
