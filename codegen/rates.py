"""Rates: what compiled code is given for every step, from the learning rate, the schedule and the optimiser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.optimizers import Optimizer
from codegen.schedules import Plan

Array = npt.NDArray[Any]
BLOCK = 4096  # rates are computed for steps 0 to 4095, 4096 to 8191 and so on, however many are then asked for:
# so their last bits cannot depend on where a training was interrupted


@dataclass(slots=True)
class Rates:
    """The rates of a training, by their names on the sheet in the order of the program."""

    rule: Optimizer
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
