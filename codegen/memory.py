"""What memory the compiled training step of a model uses."""

from __future__ import annotations

import numpy as np

from codegen.engines import CEngine
from codegen.errors import CodegenError
from codegen.plan import buffers
from codegen.plan.buffers import MemoryTable
from codegen.targets.c import Run
from codegen.train import Trainer


def memory_table(trainer: Trainer) -> MemoryTable:
    """Return the buffers of a trainer's step in C, for a whole mini-batch; printed, it is a table.

    Raises:
        CodegenError: no data are bound yet, or the target is NumPy, which takes its memory itself.
    """
    engine = trainer.compiled.engine
    if not isinstance(engine, CEngine):
        raise CodegenError(f"target: met {trainer.settings.target}; expected c: NumPy takes its memory itself")
    run = Run(engine.program, engine.name, engine.machine, engine.batch)
    size = np.dtype(engine.program.dtype).itemsize
    packed = sum(run.extent(value).count(engine.batch, run.plan.lanes) for value in run.packed) * size
    return buffers.memory_table(run.plan, engine.batch, packed)
