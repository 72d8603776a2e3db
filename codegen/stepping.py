"""A bound step of training: arrays found once, counters that compiled code advances, rates in a table."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from codegen.bound import Bound, bound
from codegen.rates import BLOCK

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]


class Clock:
    """How many steps were taken, and which mini-batch comes next; compiled code may advance both."""

    def __init__(self) -> None:
        self.longs = (ctypes.c_long * 2)(0, 0)


class Call:
    """What a bound step is told by numbers: the steps in a call, the batch, the samples, where its rates begin.

    The last number is 1 where every step has rates of its own, the first of them those of the step `base`; else 0.
    """

    def __init__(self, steps: int, batch: int, rows: int, changing: bool) -> None:
        self.longs = (ctypes.c_long * 5)(steps, batch, rows, 0, int(changing))


@dataclass(slots=True)
class Task:
    """All that a bound step works on.

    Attributes:
        groups: Data, parameters and states, each by name.
        clock: The trainer's counters.
        call: What the call is told.
        dtype: The program's type.
        rates: One array a rate, in the order of the program; of every step in a call, or of many steps to come.
        losses: One entry a step of a call.
    """

    groups: tuple[Arrays, Arrays, Arrays]
    clock: Clock
    call: Call
    dtype: str
    rates: list[Array] = field(default_factory=list)
    losses: Array = field(default_factory=lambda: np.zeros(0))


class Stepper(Protocol):
    """What a bound step needs of an engine."""

    def bind(self, task: Task) -> tuple[Callable[[], None], Sequence[Any]]:
        """Return a call that takes steps, and what must live as long as it does."""


def bound_step(engine: Stepper, task: Task, ask: Callable[[int, int], list[Array]]) -> Bound:
    """Return a call that takes steps.

    Args:
        engine: Of the target.
        task: What it works on; rates and losses are made here.
        ask: Gives the rates of at least one step, and at most so many, from a step on.
    """
    clock, call = task.clock.longs, task.call.longs
    steps, changing = call[0], call[4]
    room = steps + BLOCK if changing else steps
    call[3] = clock[0]
    task.rates, task.losses = _filled(ask, clock[0], room), np.full(steps, np.nan, task.dtype)
    take, kept = engine.bind(task)

    def refilled() -> None:
        first, base = clock[0], call[3]
        if not base <= first <= base + BLOCK:
            for table, fresh in zip(task.rates, _filled(ask, first, room), strict=True):
                table[...] = fresh
            call[3] = first
        take()

    return bound(refilled if changing else take, task.rates, (task.losses,), (task, *kept))


def _filled(ask: Callable[[int, int], list[Array]], first: int, count: int) -> list[Array]:
    """Return the rates of steps, as many as are wanted, each kind in an array of its own."""
    parts: list[list[Array]] = []
    have = 0
    while have < count:
        parts.append([np.array(rate[: count - have]) for rate in ask(first + have, count - have)])
        have += len(parts[-1][0])
    return [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]


def step_in_python(train: Callable[..., Array], task: Task) -> Callable[[], None]:
    """Return a call that does what the bound step in C does, for an engine that has none."""
    clock, losses = task.clock.longs, task.losses

    def take() -> None:
        steps, batch, _, base, changing = task.call.longs
        row = (clock[0] - base) * changing
        taken = train(*task.groups, [rate[row : row + steps] for rate in task.rates], batch, clock[1], steps)
        losses[: len(taken)], losses[len(taken) :] = taken, np.nan
        clock[0] += len(taken)
        clock[1] += len(taken)

    return take
