"""Compiled functions from derivations: `compile` trains, `compile_function` predicts, `export_function` ships.

Importing needs no compiler; one is looked for when something is compiled for the target `c`. Names are imported once
they are asked for: a training whose recipe is in the cache needs neither SymPy nor the generator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from derive.lazy import homes_of, on_demand

if TYPE_CHECKING:
    from codegen.accuracy import stable_forms
    from codegen.compiling import compile
    from codegen.epochs import fit
    from codegen.errors import CodegenError
    from codegen.export import export_function
    from codegen.function import Function, compile_function
    from codegen.history import Epoch, History
    from codegen.memory import memory_table
    from codegen.metrics import evaluate
    from codegen.params import Saved, load_params, restore, save_params
    from codegen.settings import whole_number
    from codegen.source import training_source
    from codegen.train import Trainer

__all__ = [
    "CodegenError", "Epoch", "Function", "History", "Saved", "Trainer", "compile", "compile_function", "evaluate",
    "export_function", "fit", "load_params", "memory_table", "restore", "save_params", "stable_forms",
    "training_source", "whole_number",
]  # fmt: skip


HOMES = homes_of({
    "codegen.accuracy": "stable_forms",
    "codegen.errors": "CodegenError",
    "codegen.export": "export_function",
    "codegen.epochs": "fit",
    "codegen.function": "Function compile_function",
    "codegen.history": "Epoch History",
    "codegen.memory": "memory_table",
    "codegen.metrics": "evaluate",
    "codegen.params": "Saved load_params restore save_params",
    "codegen.settings": "whole_number",
    "codegen.source": "training_source",
    "codegen.compiling": "compile",
    "codegen.train": "Trainer",
})  # fmt: skip
__getattr__ = on_demand(__name__, HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
