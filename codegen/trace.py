"""Tracing: every named value of a program on given data, computed by the NumPy target, to find where one goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.build import run_python
from codegen.program import Program
from codegen.targets.numpy import emit_trace

Arrays = Mapping[str, npt.NDArray[Any]]


def trace(program: Program, data: Arrays, params: Arrays) -> dict[str, npt.NDArray[Any]]:
    """Return every named value, in order of computation."""
    every = replace(program, outputs=tuple(s.out.name for s in program.statements))
    function = run_python(emit_trace(every), "trace")["trace"]
    with np.errstate(all="ignore"):
        return {name: np.asarray(value) for name, value in function(params, data).items()}


def first_not_finite(program: Program, data: Arrays, params: Arrays) -> str:
    """Say which value is the first that is not finite: an input, or an equation's left side with its number."""
    for name, array in {**data, **params}.items():
        if not np.isfinite(array).all():
            return f"the {program.values[name].role} {program.values[name].latex} holds values that are not finite"
    numbers = {s.out.name: s.eq for s in program.statements}
    for name, array in trace(program, data, params).items():
        if not np.isfinite(array).all():
            return f"equation ({numbers[name]}), {program.values[name].latex}, is the first whose value is not finite"
    return "evaluated again in another order of summation, every value is finite"
