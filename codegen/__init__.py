"""Compiled functions from derivations: `compile` trains, `compile_function` predicts, `export_function` ships.

Importing needs no compiler; one is looked for when something is compiled for the target `c`.
"""

from __future__ import annotations

from codegen.accuracy import stable_forms
from codegen.errors import CodegenError
from codegen.export import export_function
from codegen.fit import fit
from codegen.function import Function, compile_function
from codegen.history import Epoch, History
from codegen.memory import memory_table
from codegen.metrics import evaluate
from codegen.params import Saved, load_params, restore, save_params
from codegen.settings import whole_number
from codegen.source import training_source
from codegen.train import Trainer, compile

__all__ = [
    "CodegenError", "Epoch", "Function", "History", "Saved", "Trainer", "compile", "compile_function", "evaluate",
    "export_function", "fit", "load_params", "memory_table", "restore", "save_params", "stable_forms",
    "training_source", "whole_number",
]  # fmt: skip
