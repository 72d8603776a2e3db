"""Where training starts, as data: how each parameter is drawn. Which rule a parameter has, `init` tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.program import Program, Value


@dataclass(frozen=True, slots=True)
class Start:
    """Normal with a standard deviation of `spread`; where that is 0, all entries are `value`."""

    spread: float
    value: float = 0.0


def draw_parameters(program: Program, starts: Mapping[str, Start], seed: int) -> dict[str, npt.NDArray[Any]]:
    """Draw every parameter; each from numbers of its own."""
    parameters = program.of_role("parameter")
    return {
        value.name: _draw(program, value, starts[value.name], np.random.default_rng([seed, k]))
        for k, value in enumerate(parameters)
    }


def initial_states(program: Program) -> dict[str, npt.NDArray[Any]]:
    """Return the optimiser's states, all zero."""
    return {value.name: np.zeros(_shape(program, value), program.dtype) for value in program.of_role("state")}


def _shape(program: Program, value: Value) -> tuple[int, ...]:
    return tuple(program.sizes[size] if isinstance(size, str) else size for size in value.sizes)


def _draw(program: Program, value: Value, start: Start, rng: np.random.Generator) -> npt.NDArray[Any]:
    shape = _shape(program, value)
    if start.spread:
        return np.asarray(rng.normal(0.0, start.spread, shape), program.dtype)
    return np.full(shape, start.value, program.dtype)
