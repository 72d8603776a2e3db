"""What derive compiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import codegen
from benchmarks.hand import GATE_STEPS
from benchmarks.models import build
from benchmarks.workloads import LR, Array, Arrays, Workload


class _Training:
    """A trainer bound to the data; its loop over steps is compiled."""

    target = "c"
    more: dict[str, Any] = {}  # noqa: RUF012  # settings of `codegen.compile` that a subclass adds

    def __init__(self, workload: Workload, start: Arrays, data: Arrays) -> None:
        self.start = {name: array.astype(np.float32) for name, array in start.items()}
        derivation = build(workload).gradients()
        self.trainer = codegen.compile(
            derivation, target=self.target, batch=workload.batch, dtype="float32", lr=LR, sizes=workload.sizes,
            **self.more,
        )  # fmt: skip
        arrays: dict[str, Any] = dict(data)
        self.trainer.bind(**arrays)
        self.reset()

    def reset(self) -> None:
        for name, array in self.start.items():
            self.trainer.params[name][...] = array

    def run(self, steps: int) -> None:
        self.trainer.run(steps)

    def outcome(self) -> dict[str, Array]:
        self.reset()
        loss = self.trainer.run(GATE_STEPS)
        return {"loss": np.asarray(loss), **{name: np.array(self.trainer.params[name]) for name in self.start}}


class TrainingC(_Training):
    """Compiled C."""


class TrainingNumPy(_Training):
    """Generated NumPy."""

    target = "numpy"


class CallPerStep(_Training):
    """Compiled C, called from Python for every step."""

    def run(self, steps: int) -> None:
        run = self.trainer.run
        for _ in range(steps):
            run(1)


class BoundStep(_Training):
    """Compiled C, bound once and called from Python for every step."""

    def run(self, steps: int) -> None:
        step = self.trainer.bind_step()
        for _ in range(steps):
            step()


class TrainingTwoThreads(_Training):
    """Compiled C on two threads."""

    more = {"threads": 2}  # noqa: RUF012


class Predicting:
    """A compiled function called on one sample at a time."""

    def __init__(self, workload: Workload, start: Arrays, data: Arrays) -> None:
        params = {name: array.astype(np.float32) for name, array in start.items()}
        self.samples = list(data["x"][:4].astype(np.float32))
        function = codegen.compile_function(build(workload).gradients(), params=params, sizes=workload.sizes)
        self.calls = self.prepare(function)

    def prepare(self, function: Any) -> list[Callable[[], Any]]:
        """Return a call for each sample."""
        return [lambda x=x: function(x) for x in self.samples]  # type: ignore[misc]

    def reset(self) -> None:
        """Nothing changes."""

    def run(self, steps: int) -> None:
        a, b, c, d = self.calls
        for _ in range(steps // 4):
            a()
            b()
            c()
            d()

    def outcome(self) -> dict[str, Array]:
        return {"y": np.stack([np.asarray(call()) for call in self.calls])}


class PredictingBound(Predicting):
    """The same with arrays bound beforehand."""

    def prepare(self, function: Any) -> list[Callable[[], Any]]:
        """Bind every sample; each call writes its own output."""
        return [function.bind(x) for x in self.samples]

    def outcome(self) -> dict[str, Array]:
        for call in self.calls:
            call()
        return {"y": np.concatenate([call.outputs[0] for call in self.calls])}  # type: ignore[attr-defined]
