"""What memory the compiled training step of a model uses."""

from __future__ import annotations

import numpy as np

from codegen.build import local_machine
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
    if trainer.settings.target != "c":
        raise CodegenError(f"target: met {trainer.settings.target}; expected c: NumPy takes its memory itself")
    recipe = trainer.compiled.recipe
    program, code = recipe.program(), recipe.code
    run = Run(program, code.name, local_machine(code.exact), code.batch)
    size = np.dtype(program.dtype).itemsize
    packed = sum(run.extent(value).count(code.batch, run.plan.lanes) for value in run.packed) * size
    return buffers.memory_table(run.plan, code.batch, packed)
