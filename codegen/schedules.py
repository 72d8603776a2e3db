"""Schedules: the factor on the learning rate at each step, one row a schedule.

Compiled code is given a rate for every step, so a schedule changes no program. A schedule is written as a text,
`cosine:warmup=100`: a name, then numbers. Lengths are in steps, or in epochs: `step:every=10epochs,factor=0.5`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.errors import CodegenError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Plan:
    """A schedule in numbers of steps.

    Attributes:
        name: Which row.
        warmup: Steps over which the rate first rises, in equal parts, to the learning rate.
        span: Steps from there to the end of the schedule; 0 where it has no end.
        every: Steps in which the rate falls by `factor`; 0 where the schedule has none.
        end: The factor at the end of the schedule, and after it.
    """

    name: str = "constant"
    warmup: int = 0
    span: int = 0
    every: int = 0
    factor: float = 1.0
    end: float = 0.0

    def factors(self, steps: Array) -> Array:
        """Return the factors on the learning rate at steps, numbered from 0.

        >>> resolve_schedule("linear:warmup=2,steps=4").factors(np.arange(5.0)).tolist()
        [0.5, 1.0, 1.0, 0.5, 0.0]
        """
        rest = SCHEDULES[self.name].factor(np.maximum(steps - self.warmup, 0), self)
        return np.where(steps < self.warmup, (steps + 1) / max(self.warmup, 1), rest)

    def __str__(self) -> str:
        """The schedule as a text that gives the same plan."""
        takes = SCHEDULES[self.name].takes
        numbers: dict[str, float | None] = {
            "warmup": self.warmup or None,
            "steps": self.warmup + self.span,
            "every": self.every,
        }
        numbers |= {"factor": self.factor, "end": self.end}
        shown = [f"{k}={v!r}" for k, v in numbers.items() if v is not None and (k in takes or k == "warmup")]
        return f"{self.name}:{','.join(shown)}" if shown else self.name


@dataclass(frozen=True, slots=True)
class Row:
    """A schedule: the factor at steps counted from the end of the warm-up, and the numbers that it takes."""

    factor: Callable[[Array, Plan], Array]
    takes: tuple[str, ...] = ()


def _part(steps: Array, plan: Plan) -> Array:
    """Return how much of the schedule is over, from 0 to 1."""
    return np.minimum(steps / plan.span, 1.0)


SCHEDULES = {
    "constant": Row(lambda steps, plan: np.ones_like(steps)),
    "step": Row(lambda steps, plan: plan.factor ** np.floor(steps / plan.every), ("every", "factor")),
    "exponential": Row(lambda steps, plan: plan.factor ** (steps / plan.every), ("every", "factor")),
    "linear": Row(lambda steps, plan: 1 - (1 - plan.end) * _part(steps, plan), ("steps", "end")),
    "cosine": Row(
        lambda steps, plan: plan.end + (1 - plan.end) * (1 + np.cos(np.pi * _part(steps, plan))) / 2, ("steps", "end")
    ),
}
FACTOR = 0.1  # of step and exponential: with a third of the training as `every`, a thousandth is left at the end

_LENGTH = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(steps?|epochs?)?")


@dataclass(frozen=True, slots=True)
class Spec:
    """A schedule as written: lengths as (number, whether in epochs), and other numbers."""

    name: str
    lengths: dict[str, tuple[float, bool]] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)


def parse_schedule(text: str) -> Spec:
    """Read a schedule as it is written.

    Raises:
        CodegenError: no such schedule, or a number that it does not take or that is out of range.

    >>> parse_schedule("cosine:warmup=2 epochs,end=0.1")
    Spec(name='cosine', lengths={'warmup': (2.0, True)}, numbers={'end': 0.1})
    """
    name, _, rest = str(text).partition(":")
    name = name.strip()
    if name not in SCHEDULES:
        raise CodegenError(f"lr_schedule: met {name or 'nothing'}; expected one of {', '.join(SCHEDULES)}")
    takes = ("warmup", *SCHEDULES[name].takes)
    spec = Spec(name)
    for pair in (part for part in rest.split(",") if part.strip()):
        key, _, value = (word.strip() for word in pair.partition("="))
        if key not in takes:
            raise CodegenError(
                f"lr_schedule: met {pair.strip()}; {name} takes {', '.join(takes)}, as {name}:warmup=100"
            )
        if key in spec.lengths or key in spec.numbers:
            raise CodegenError(f"lr_schedule: {key} stands twice in {text}; keep one")
        if key in ("factor", "end"):
            spec.numbers[key] = _share(key, value)
        else:
            spec.lengths[key] = _length(key, value)
    return spec


def _share(key: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1 or (key == "factor" and number == 0):
        low = "above 0" if key == "factor" else "from 0"
        raise CodegenError(f"lr_schedule: {key} is {value or 'empty'}; expected a number {low} to 1")
    return number


def _length(key: str, value: str) -> tuple[float, bool]:
    match = _LENGTH.fullmatch(value)
    number = float(match[1]) if match else 0.0
    epochs = bool(match and match[2] and match[2].startswith("epoch"))
    if number <= 0 or not (epochs or number.is_integer()):
        raise CodegenError(
            f"lr_schedule: {key} is {value or 'empty'}; expected a whole number of steps, or epochs: {key}=2epochs"
        )
    return number, epochs


@lru_cache(maxsize=64)  # asked at every call of compiled code
def resolve_schedule(text: str, batches: int | None = None, total: int | None = None) -> Plan:
    """Return a schedule in steps.

    Args:
        text: As `parse_schedule` reads it.
        batches: Steps in an epoch.
        total: Steps in the whole training, where that is known: what ends, ends there unless the text says `steps`.
    Raises:
        CodegenError: the schedule cannot be read, needs a length that nothing gives, or warms up to its end.
    """
    spec = parse_schedule(text)

    def steps(key: str) -> int | None:
        if key not in spec.lengths:
            return None
        number, epochs = spec.lengths[key]
        if epochs and batches is None:
            raise CodegenError(f"lr_schedule: {key} is in epochs, of which nothing gives the length; write steps")
        return max(round(number * (batches or 1)) if epochs else int(number), 1)

    takes = SCHEDULES[spec.name].takes
    warmup, length, every = steps("warmup") or 0, steps("steps") or total, steps("every")
    if length is not None and warmup >= length:
        raise CodegenError(f"lr_schedule: it warms up for {warmup} steps of {length}; expected fewer than all of them")
    missing = "every" if "every" in takes and every is None else "steps" if "steps" in takes else ""
    if missing and length is None:
        raise CodegenError(
            f"lr_schedule: {spec.name} needs a length, since nothing says how long the training is; "
            f"write {spec.name}:{missing}=1000, or train with codegen.fit"
        )
    span = (length or 0) - warmup if missing else 0
    plan: dict[str, Any] = {"warmup": warmup}
    if "every" in takes:
        plan |= {"every": every or -(-span // 3), "factor": spec.numbers.get("factor", FACTOR)}
    else:
        plan |= {"span": span, "end": spec.numbers.get("end", 0.0)}
    return Plan(spec.name, **plan)
