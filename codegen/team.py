"""Training by a team of threads: an engine that has a way for one and a way for several, and goes on with the faster.

Both give the same bits, so nothing is lost by trying: steps are taken by turns of some milliseconds, and the slower way
has a turn now and then in case the machine has become less busy.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np

from codegen.build import offers_openmp
from codegen.engines import ENGINES, Array, Arrays, CEngine, Engine
from codegen.program import Program
from codegen.recipe import Code
from codegen.stepping import Task

TRIED = 6  # turns by which both ways have been tried, each three times
KNOWN, CLEAR = 3, 2.0  # the turn after which both were measured well, and how much slower needs no more turns
AGAIN = 200  # the slower way has one turn in so many
TURN, TRIAL = 0.005, 0.002  # seconds that a turn should take, and one that only tries
GAIN = 0.9  # of the time of one thread: what several must do with, for they are disturbed more easily
FADING = 2.0  # by which a time may count as longer after one turn: one is enough where a machine becomes busy


def start_engine(target: str, program: Program, code: Code, threads: int) -> Engine:
    """Return the engine of a target: a team's where there is code for one and the compiler has OpenMP."""
    if code.team and offers_openmp():
        return Team(program, code, threads)
    return ENGINES[target](program, code)


@dataclass(slots=True)
class Pace:
    """Which of two ways of taking the same steps is the faster.

    `seconds` are those of a step, by the way; nothing else is kept of the turns taken.
    """

    seconds: list[float] = field(default_factory=lambda: [float("inf"), float("inf")])
    turns: int = 0
    process: int = field(default_factory=os.getpid)

    @property
    def faster(self) -> int:
        """The faster way so far."""
        return int(self.seconds[1] < GAIN * self.seconds[0])

    def way(self) -> int:
        """Return the way of the next turn; of the first one alone in a process forked off, to which no thread came."""
        if os.getpid() != self.process:
            return 0
        self.turns += 1
        known = self.turns > KNOWN and max(self.seconds) > CLEAR * min(self.seconds)
        if self.turns <= TRIED and not known:
            return self.turns % 2
        return self.faster ^ (self.turns % AGAIN == 0)

    def steps(self, way: int) -> int:
        """Return how many steps make a turn of a way; a way that is only tried has a short one, however slow it is."""
        turn = TURN if self.turns > TRIED and way == self.faster else TRIAL
        return 1 if self.seconds[way] == float("inf") else max(1, int(turn / self.seconds[way]))

    def note(self, way: int, steps: int, spent: float) -> None:
        """Take note of what steps took, in seconds."""
        self.seconds[way] = min(spent / max(steps, 1), FADING * self.seconds[way])


class Team:
    """Two engines of one program: `one` thread, and `several`."""

    def __init__(self, program: Program, code: Code, threads: int) -> None:
        shared = replace(code, parts={**code.parts, "train": code.team})
        with ThreadPoolExecutor(1) as pool:  # two compilers side by side
            several = pool.submit(CEngine, program, shared, openmp=True)
            self.one = CEngine(program, code)
            self.several = several.result()
        self.source, self.pace, self.most = shared.source, Pace(), threads

    @property
    def threads(self) -> int:
        """How many take the steps that are fastest so far."""
        return self.most if self.pace.faster else 1

    def gradients(self, data: Arrays, params: Arrays) -> tuple[float, dict[str, Array]]:
        """Return the loss and the gradient by each parameter."""
        return self.one.gradients(data, params)

    def predict(self, data: Arrays, params: Arrays) -> Array:
        """Return the prediction, one row a sample."""
        return self.one.predict(data, params)

    def train(
        self,
        data: Arrays,
        params: Arrays,
        state: Arrays,
        rates: Sequence[Array],
        batch: int,
        first: int,
        steps: int,
    ) -> Array:
        """Take steps; see `Engine`."""
        pace, parts, done = self.pace, list[Array](), 0
        while done < steps:
            way = pace.way()
            wanted = min(pace.steps(way), steps - done)
            begun = perf_counter()
            part = [rate[done : done + wanted] for rate in rates]
            taken = (self.one, self.several)[way].train(data, params, state, part, batch, first + done, wanted)
            pace.note(way, len(taken), perf_counter() - begun)
            parts.append(taken)
            done += len(taken)
            if len(taken) < wanted:  # the loss is no longer finite
                break
        return np.concatenate(parts)

    def bind(self, task: Task) -> tuple[Callable[[], None], Sequence[Any]]:
        """Return a call that takes steps; see `Stepper`."""
        pace, steps = self.pace, task.call.longs[0]
        (one, kept), (several, more) = self.one.bind(task), self.several.bind(task)
        ways = (one, several)

        def take() -> None:
            way = pace.way()
            begun = perf_counter()
            ways[way]()
            pace.note(way, steps, perf_counter() - begun)

        return take, (*kept, *more)
