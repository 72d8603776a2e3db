"""The process of one contestant: a message a line on standard input, an answer a line on standard output.

    python -m benchmarks.worker ROSTER CONTESTANT CPU[,CPU]

`load` makes a workload and passes the gate, `pace` finds how many steps fill a round, `round` times one.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from benchmarks import gate
from benchmarks.contestants import ROSTERS, Contestant, Entry, NotOfferedError
from benchmarks.workloads import BATCHES, WORKLOADS

LONGEST = 1 << 22  # steps of a round


class Worker:
    """A contestant and how many of its steps fill a round."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.contestant: Contestant | None = None
        self.steps = BATCHES

    def load(self, workload: str, path: str) -> dict[str, Any]:
        """Make the contestant for a workload; return its errors at the gate."""
        self.contestant = None  # the last workload's memory goes first
        kind = getattr(importlib.import_module(f"benchmarks.contestants.{self.entry.module}"), self.entry.kind)
        start, data, reference = gate.read(Path(path))
        made: Contestant = kind(WORKLOADS[workload], start, data)
        loss, parameter = gate.errors(made.outcome(), reference)
        self.contestant = made
        return {"loss_error": loss, "param_error": parameter, "versions": self.versions()}

    def versions(self) -> dict[str, str]:
        """Return the version of the contestant's package."""
        package = self.entry.package
        return {package: str(getattr(sys.modules[package], "__version__", "?"))} if package in sys.modules else {}

    def pace(self, seconds: float) -> dict[str, Any]:
        """Find how many steps take so long."""
        steps = BATCHES
        while True:
            self.timed(steps)  # compiles, where a number of steps is compiled
            _, took = self.timed(steps)
            took = max(took, 1e-6)
            if took * 16 >= seconds or steps >= LONGEST:
                break
            steps *= 16
        wanted = min(LONGEST, max(BATCHES, round(steps * seconds / took)))
        self.steps = max(BATCHES, wanted // BATCHES * BATCHES)
        self.timed(self.steps)
        return {"steps": self.steps}

    def round(self) -> dict[str, Any]:
        """Time a round; return microseconds a step, by the clock and by the time that this process had a processor."""
        wall, cpu = self.timed(self.steps)
        return {"wall": wall / self.steps * 1e6, "cpu": cpu / self.steps * 1e6}

    def timed(self, steps: int) -> tuple[float, float]:
        """Return the seconds that steps take from the start, and those that this process had a processor."""
        assert self.contestant is not None
        self.contestant.reset()
        wall, cpu = time.perf_counter(), time.process_time()
        self.contestant.run(steps)
        return time.perf_counter() - wall, time.process_time() - cpu

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """Do what a message asks for; errors are answers too."""
        try:
            return dict(getattr(self, message.pop("do"))(**message))
        except NotOfferedError as error:
            return {"not_offered": str(error)}
        except ModuleNotFoundError as error:
            if error.name is not None and error.name.split(".")[0] in (self.entry.package, "onnx"):
                return {"absent": error.name.split(".")[0]}
            return {"error": f"{type(error).__name__}: {error}"}
        except Exception as error:  # whatever a contestant raises is its result
            traceback.print_exc()
            lines = str(error).splitlines() or [""]
            return {"error": f"{type(error).__name__}: {lines[0]}"}


def main() -> None:
    """Serve until standard input ends."""
    roster, name, cpus = sys.argv[1:]
    with contextlib.suppress(AttributeError, OSError):  # where processes cannot be pinned
        os.sched_setaffinity(0, {int(cpu) for cpu in cpus.split(",")})
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not be taken for an answer
    worker = Worker(ROSTERS[roster][name])
    for line in sys.stdin:
        answers.write(json.dumps(worker.answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
