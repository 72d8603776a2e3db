"""Rates: what compiled code is given for every step, from the learning rate, the schedule and the optimiser.

The optimisers' equations stand in `optimizers`; here are the numbers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.errors import CodegenError
from codegen.schedules import Plan

Array = npt.NDArray[Any]
BLOCK = 4096  # rates are computed for steps 0 to 4095, 4096 to 8191 and so on, however many are then asked for:
# so their last bits cannot depend on where a training was interrupted


RATE = r"\alpha"
"""The learning rate as the updates spell it; in code it is `lr`."""

CORRECTION_1, CORRECTION_2 = r"\mathrm{correction}_m", r"\mathrm{correction}_v"
DECAY_1, DECAY_2 = Fraction(9, 10), Fraction(999, 1000)  # Kingma and Ba 2015


@dataclass(frozen=True, slots=True)
class Rule:
    """The rates of an optimiser at steps numbered from 1, from the learning rate of each.

    `constant` says that those beside the learning rate are the same at every step.
    """

    rates: Callable[[Array, Array], Mapping[str, Array]]
    constant: bool = True


def _plain(lr: Array, steps: Array) -> dict[str, Array]:
    return {RATE: lr}


def _adam(lr: Array, steps: Array) -> dict[str, Array]:
    pairs = ((CORRECTION_1, DECAY_1), (CORRECTION_2, DECAY_2))
    return _plain(lr, steps) | {name: 1 / (1 - float(decay) ** steps) for name, decay in pairs}


RULES = {"sgd": Rule(_plain), "momentum": Rule(_plain), "adam": Rule(_adam, constant=False)}


def find_rule(name: str) -> Rule:
    """Return the rule of an optimiser.

    Raises:
        CodegenError: there is none of this name.
    """
    if name not in RULES:
        raise CodegenError(f"optimizer: met {name}; expected one of {', '.join(RULES)}")
    return RULES[name]


@dataclass(slots=True)
class Rates:
    """The rates of a training, by their names on the sheet in the order of the program."""

    rule: Rule
    names: Sequence[str]
    dtype: str
    kept: tuple[tuple[float, Plan, int, int], int] | None = None
    arrays: list[Array] = field(default_factory=list)

    def fixed(self, plan: Plan) -> bool:
        """Tell whether every step has the same rates."""
        return self.rule.constant and plan == Plan()

    def room(self, plan: Plan, step: int) -> int:
        """Return how many steps can be asked for at once."""
        return 1 << 16 if self.fixed(plan) else BLOCK - step % BLOCK

    def at(self, lr: float, plan: Plan, started: int, step: int, steps: int) -> list[Array]:
        """Return the rates of steps, one array each.

        Args:
            lr: Learning rate.
            plan: What it is multiplied with.
            started: The step at which the plan begins; the optimiser counts from 0.
            step: The first step, counted from 0.
            steps: How many, at most `room`.
        """
        if self.fixed(plan):
            if self.kept is None or self.kept[0][0] != lr or self.kept[1] < steps:
                self.compute(lr, plan, 0, 0, steps)
            return self.arrays
        first = step // BLOCK * BLOCK
        if self.kept is None or self.kept[0] != (lr, plan, started, first):
            self.compute(lr, plan, started, first, BLOCK)
        return [array[step - first : step - first + steps] for array in self.arrays]

    def compute(self, lr: float, plan: Plan, started: int, first: int, count: int) -> None:
        """Keep the rates of the steps from `first`."""
        steps = np.arange(first, first + count, dtype=np.float64)
        rates = self.rule.rates(lr * plan.factors(np.maximum(steps - started, 0)), steps + 1)
        self.arrays = [np.ascontiguousarray(rates[name], self.dtype) for name in self.names]
        self.kept = (lr, plan, started, first), count
