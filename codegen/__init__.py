"""Compiled functions from derivations: `compile` trains, `compile_function` predicts. No compiler is needed to import."""

from __future__ import annotations

from codegen.errors import CodegenError
from codegen.train import Trainer, compile

__all__ = ["CodegenError", "Trainer", "compile"]
