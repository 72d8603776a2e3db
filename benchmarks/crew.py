"""The parent's side: starts a process for each contestant, asks them in turn, and keeps what they answer."""

from __future__ import annotations

import json
import os
import select
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks import gate
from benchmarks.contestants import ROSTERS, Entry
from benchmarks.workloads import Arrays, Workload

ROOT = Path(__file__).parents[1]
LOADING, TIMING = 900.0, 120.0  # seconds after which a contestant counts as hung
WHOLE, AGAIN = 0.97, 4  # a round that had less of its processor was disturbed, and is taken again, so often at most
POOLS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS", "TORCHINDUCTOR_COMPILE_THREADS",
)  # fmt: skip


def environment(threads: int = 1) -> dict[str, str]:
    """Return the environment of a contestant: every pool of threads has the given size."""
    flags = "" if threads > 1 else "--xla_cpu_multi_thread_eigen=false"
    paths = [str(ROOT), *filter(None, (os.environ.get("PYTHONPATH"),))]
    return {
        **os.environ, **dict.fromkeys(POOLS, str(threads)), "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu",
        "PYTHONWARNINGS": "ignore", "PYTHONPATH": os.pathsep.join(paths),
    }  # fmt: skip


def processors() -> list[int]:
    """Return the processors that may be used."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


@dataclass(slots=True)
class Result:
    """What became of a contestant on a workload: its rounds, or why there are none."""

    rounds: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    loss_error: float | None = None
    param_error: float | None = None
    error: str | None = None
    not_offered: str | None = None
    absent: str | None = None

    @property
    def us(self) -> float | None:
        """Microseconds a step, the median of the rounds; None without any."""
        return statistics.median(self.rounds) if self.rounds else None

    @property
    def share(self) -> float | None:
        """The share of its processor that it had, the median of the rounds; None without any."""
        return statistics.median(self.shares) if self.shares else None

    @property
    def passed(self) -> bool:
        """Tell whether the gate was passed."""
        return (
            self.loss_error is not None
            and self.param_error is not None
            and gate.passes(self.loss_error, self.param_error)
        )

    @property
    def failure(self) -> str | None:
        """Return why this contestant is not ranked; None where it is, or where it does not take part."""
        if self.error is not None or self.loss_error is None or self.passed:
            return self.error
        return f"fails the gate: loss off by {self.loss_error:.1e}, a parameter by {self.param_error:.1e}"


class Process:
    """A contestant's process."""

    def __init__(self, command: list[str], threads: int) -> None:
        self.log = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the process
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment(threads), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log
        )

    def ask(self, message: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Send a message; return the answer, or an `error` where the process died or hangs."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            return {"error": f"the process died: {self.last_words()}", "dead": True}
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], seconds)
            part = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            if not part:
                reason = "the process died" if ready else f"no answer in {seconds:.0f} s"
                return {"error": f"{reason}: {self.last_words()}", "dead": True}
            line += part
        return dict(json.loads(line))

    def last_words(self) -> str:
        """Return the last line that the process wrote."""
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def end(self) -> None:
        """Stop the process."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.log):
            try:
                stream.close()
            except OSError:  # a message that the dead process never read
                continue


class Crew:
    """The contestants of a roster; a process is started when it is first needed and serves all workloads."""

    def __init__(
        self, roster: str, wanted: Callable[[str, Entry], bool], peer_python: str, own_python: str, clock: str
    ) -> None:
        self.roster, self.clock = roster, clock
        self.entries = {name: entry for name, entry in ROSTERS[roster].items() if wanted(name, entry)}
        self.pythons = {True: own_python, False: peer_python}
        self.processes: dict[str, Process] = {}
        self.absent: dict[str, str] = {}
        self.versions: dict[str, str] = {}

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self.processes.values():
            process.end()

    def ask(self, name: str, limit: float, **message: Any) -> dict[str, Any]:
        """Ask a contestant; a dead one is started again at the next question."""
        if name not in self.processes:
            entry, cpus = self.entries[name], processors()
            pinned = cpus[-1:] if entry.threads == 1 else cpus[-entry.threads :]
            python = self.pythons[not entry.package]
            command = [python, "-m", "benchmarks.worker", self.roster, name, ",".join(map(str, pinned))]
            self.processes[name] = Process(command, entry.threads)
        answer = self.processes[name].ask(message, limit)
        if answer.pop("dead", False):
            self.processes.pop(name).end()
        return answer

    def measure(
        self, workload: Workload, start: Arrays, data: Arrays, reference: Arrays, rounds: int, seconds: float
    ) -> dict[str, Result]:
        """Load every contestant, let them pass the gate, and time those that did, one after the other in each round."""
        results: dict[str, Result] = {}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "workload.npz"
            gate.write(path, start, data, reference)
            for name in self.entries:
                results[name] = self.load(name, workload, path)
        running = [name for name, result in results.items() if result.passed]
        for name in running:
            results[name].error = self.ask(name, TIMING, do="pace", seconds=seconds).get("error")
        for _ in range(rounds):
            for name in running:
                if results[name].error is None:
                    self.round(name, results[name])
        return results

    def round(self, name: str, result: Result) -> None:
        """Time a round of a contestant; of one that others disturbed again and again, the least disturbed counts."""
        tries: list[tuple[float, float]] = []
        while len(tries) <= AGAIN and max(tries, default=(0.0,))[0] < WHOLE:
            answer = self.ask(name, TIMING, do="round")
            if "error" in answer:
                result.error = answer["error"]
                result.rounds.clear()
                return
            tries.append((answer["cpu"] / answer["wall"], answer[self.clock]))
        share, us = max(tries)
        result.rounds.append(us)
        result.shares.append(share)

    def load(self, name: str, workload: Workload, path: Path) -> Result:
        """Let a contestant make the workload; what is not installed is not asked again."""
        if name in self.absent:
            return Result(absent=self.absent[name])
        answer = self.ask(name, LOADING, do="load", workload=workload.name, path=str(path))
        self.versions |= answer.pop("versions", {})
        result = Result(**answer)
        if result.absent is not None:
            self.absent[name] = result.absent
        return result
