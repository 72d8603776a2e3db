"""Who takes part: each contestant by name, the module that holds it, and the package that it needs.

A contestant's module is imported in its own process alone; one that is not installed is told by its import.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from benchmarks.workloads import Array, Arrays, Workload


class NotOfferedError(Exception):
    """A contestant has no form of a workload; no failure."""


class Contestant(Protocol):
    """What can be timed: made of a workload, of where to start, and of data, all in float64."""

    def __init__(self, workload: Workload, start: Arrays, data: Arrays) -> None: ...

    def outcome(self) -> dict[str, Array]:
        """Return what the gate compares, from a fresh start: `loss` and parameters, or predictions."""

    def reset(self) -> None:
        """Go back to the start, so that all rounds do the same work."""

    def run(self, steps: int) -> None:
        """Do the work, to its end: nothing may still be under way on return. Steps come in whole epochs."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A contestant: module and class, the package that it needs (none for what is ours), its threads."""

    module: str
    kind: str
    package: str = ""
    threads: int = 1


OURS, OURS_NUMPY = "ours", "ours numpy"
TRAINING = {
    OURS: Entry("ours", "TrainingC"),
    OURS_NUMPY: Entry("ours", "TrainingNumPy"),
    "numpy": Entry("by_hand", "ByHand", "numpy"),
    "jax jit": Entry("with_jax", "Jit", "jax"),
    "jax scan": Entry("with_jax", "Scan", "jax"),
    "jax epochs": Entry("with_jax", "Epochs", "jax"),
    "torch eager": Entry("with_torch", "Eager", "torch"),
    "torch.compile": Entry("with_torch", "Compiled", "torch"),
    "pytensor c": Entry("with_pytensor", "ByC", "pytensor"),
    "pytensor numba": Entry("with_pytensor", "ByNumba", "pytensor"),
    "casadi": Entry("with_casadi", "Loop", "casadi"),
}
CALLS = {
    OURS: TRAINING[OURS],
    "ours, bound step": Entry("ours", "BoundStep"),
    "ours, run(1)": Entry("ours", "CallPerStep"),
    "jax jit": TRAINING["jax jit"],
}
INFERENCE = {
    OURS: Entry("ours", "Predicting"),
    "ours, bound": Entry("ours", "PredictingBound"),
    "onnxruntime": Entry("with_onnxruntime", "Session", "onnxruntime"),
    "numpy": Entry("by_hand", "PredictingByHand", "numpy"),
}
THREADS = {OURS: TRAINING[OURS], "ours, 2 threads": Entry("ours", "TrainingTwoThreads", threads=2)}
ROSTERS = {"training": TRAINING, "calls": CALLS, "inference": INFERENCE, "threads": THREADS}
