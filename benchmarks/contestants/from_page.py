"""What derive compiles from a page; nothing here imports SymPy, so that a start with full caches need not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import codegen
from benchmarks.workloads import LR, Arrays, Workload


def trainer(page: Path, workload: Workload, start: Arrays, data: Arrays, target: str = "c") -> codegen.Trainer:
    """Return a trainer of a page that begins as all contestants do."""
    made = codegen.compile(page, target, workload.batch, lr=LR, sizes=workload.sizes)
    arrays: dict[str, Any] = dict(data)
    made.bind(**arrays)
    for name, array in start.items():
        made.params[name][...] = array
    return made
