"""Cold and warm starts: fresh processes that end with their first step.

python -m benchmarks.startup CONTESTANT FILE WORKLOAD
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import gate, pages
from benchmarks.contestants import OURS, TRAINING
from benchmarks.crew import ROOT, environment
from benchmarks.workloads import WORKLOADS, Workload

STARTED = ("python and numpy", OURS, "jax jit", "torch eager", "pytensor numba")
LONGEST = 600


def resident() -> float:
    """Return the most memory that this process held, in MB; of this program alone, not of what started it."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def first_steps(
    workload: Workload, peers: frozenset[str] | None, peer_python: str, own_python: str, repeats: int
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Start each contestant with empty caches, then again with full ones; return seconds and MB, and remarks."""
    found: dict[str, dict[str, Any]] = {}
    remarks: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workload.npz"
        start, data = workload.draw()
        gate.write(path, start, data, {})
        path.with_suffix(".md").write_text(pages.mlp(workload), encoding="utf-8")
        for name in STARTED:
            package = TRAINING[name].package if name in TRAINING else ""
            if package and peers is not None and package not in peers:
                continue
            python = peer_python if package else own_python
            command = [python, "-m", "benchmarks.startup", name, str(path), workload.name]
            with tempfile.TemporaryDirectory() as cache:
                runs = [_run(command, Path(cache)) for _ in range(1 + repeats)]
            reason = next((run["error"] for run in runs if "error" in run), None)
            if reason is not None:
                remarks.append(f"{name}: {reason}")
            cold, *warm = runs
            found[name] = {
                "cold_s": None if reason else cold["s"], "cold_mb": None if reason else cold["mb"],
                "warm_s": None if reason else statistics.median(run["s"] for run in warm),
                "warm_mb": None if reason else statistics.median(run["mb"] for run in warm),
            }  # fmt: skip
    return found, remarks


def _run(command: list[str], cache: Path) -> dict[str, Any]:
    """Run a process whose caches lie in a folder; its time ends with its answer."""
    folders = {
        "XDG_CACHE_HOME": str(cache), "NUMBA_CACHE_DIR": str(cache / "numba"),
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "torch"), "PYTENSOR_FLAGS": f"base_compiledir={cache / 'pytensor'}",
        "PYTHONDONTWRITEBYTECODE": "",  # a checkout may have bytecode, as what was installed has
    }  # fmt: skip
    started = time.perf_counter()
    with subprocess.Popen(
        command, cwd=ROOT, env={**environment(), **folders}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        took = time.perf_counter() - started
        _, words = process.communicate(timeout=LONGEST)
    if process.returncode != 0 or not line:
        return {"error": (words.strip().splitlines() or ["it said nothing"])[-1]}
    return {"s": took, **json.loads(line)}


def main() -> None:
    """Take the first step of a contestant, and say how much memory that took."""
    name, path, workload = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if name in TRAINING:
        start, data, _ = gate.read(Path(path))
        given = (WORKLOADS[workload], start, data)
        if name == OURS:  # from a page: models in Python are derived in every process
            from_page = importlib.import_module("benchmarks.contestants.from_page")
            from_page.trainer(Path(path).with_suffix(".md"), *given).run(4)
        else:
            entry = TRAINING[name]
            getattr(importlib.import_module(f"benchmarks.contestants.{entry.module}"), entry.kind)(*given).run(4)
    answers.write(json.dumps({"mb": resident()}) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
