"""NumPy by hand in float32."""

from __future__ import annotations

import numpy as np

from benchmarks.hand import GATE_STEPS, Training, predict
from benchmarks.workloads import Array, Arrays, Workload


def single(arrays: Arrays) -> Arrays:
    """Return arrays in float32."""
    return {name: array.astype(np.float32) for name, array in arrays.items()}


class ByHand:
    """A training step written by hand."""

    def __init__(self, workload: Workload, start: Arrays, data: Arrays) -> None:
        self.start = single(start)
        self.training = Training(workload, self.start, single(data))

    def reset(self) -> None:
        for name, array in self.start.items():
            self.training.params[name][...] = array
        self.training.steps = 0

    def run(self, steps: int) -> None:
        self.training.run(steps)

    def outcome(self) -> dict[str, Array]:
        self.reset()
        loss = self.training.run(GATE_STEPS)
        return {"loss": np.asarray(loss), **{name: array.copy() for name, array in self.training.params.items()}}


class PredictingByHand:
    """The forward pass of one sample at a time."""

    def __init__(self, workload: Workload, start: Arrays, data: Arrays) -> None:
        self.workload, self.params = workload, single(start)
        self.samples = [np.ascontiguousarray(row[None]) for row in data["x"][:4].astype(np.float32)]

    def reset(self) -> None:
        """Nothing changes."""

    def run(self, steps: int) -> None:
        for k in range(steps):
            predict(self.workload, self.params, self.samples[k % 4])

    def outcome(self) -> dict[str, Array]:
        return {"y": np.concatenate([predict(self.workload, self.params, x) for x in self.samples])}
