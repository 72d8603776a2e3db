"""The schedule: a program as groups of statements with their memory, ready to be written down in C."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codegen.passes.verify import verify
from codegen.plan.cost import Costs
from codegen.plan.fuse import Group, fuse
from codegen.plan.layout import lay_out
from codegen.plan.machine import Machine
from codegen.plan.memory import Places, Scratch, extent_of, place_values, workspace
from codegen.plan.recompute import Again, recompute
from codegen.plan.squeeze import squeeze
from codegen.program import Contract, Program, Whole

SMALL = 1 << 14  # products of two numbers; of 2000 it is 1.15 times faster to inline, of 160 000 1.1 times slower
EXPECTED = 32
"""How many samples a batch is expected to have where nothing says; only speed depends on it."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a function computes, and how.

    Attributes:
        program: Axes in the order of memory, none of one entry.
        groups: Its statements, updates included.
        places: The values in scratch.
        padded: Values whose rows are rounded up to whole vectors.
        moved: For values that come from outside in another order: their old axes in the new order.
        machine: Where it runs.
        batch: How many samples are expected.
        again: What is computed again where it is read.
        stored: The places if all of that were stored instead.
    """

    program: Program
    groups: tuple[Group, ...]
    places: Places
    padded: frozenset[str]
    moved: Mapping[str, tuple[int, ...]]
    machine: Machine
    batch: int
    again: tuple[Again, ...]
    stored: Places

    @property
    def lanes(self) -> int:
        """Numbers in a vector."""
        return self.machine.lanes(self.program.dtype)

    @property
    def scratch(self) -> Scratch:
        """How much memory the function needs."""
        return self.places.scratch(self.lanes)

    @property
    def small(self) -> bool:
        """Tell whether calls of kernels would cost more than what these compute."""
        costs = Costs(self.program, self.machine, self.batch)
        products = [s for s in (*self.program.statements, *self.program.updates) if isinstance(s, Contract)]
        return sum(math.prod(costs.lengths(s).values()) for s in products) <= SMALL


def schedule(
    program: Program, machine: Machine, batch: int = EXPECTED, fixed: frozenset[str] = frozenset()
) -> Schedule:
    """Return the schedule of a program.

    Args:
        program: Optimised.
        machine: Where it will run.
        batch: How many samples to expect.
        fixed: Values that lie in the caller's memory, unpadded and in the order that the program has them.
    """
    laid = lay_out(squeeze(program), machine, batch, fixed)
    lanes = machine.lanes(program.dtype)
    kept = frozenset({*program.outputs, *fixed, *(v.name for v in program.of_role("parameter", "state"))})

    def place(arranged: Program) -> Placed:
        return _placed(arranged, kept, fixed, lanes)

    costs = Costs(laid.program, machine, batch, fixed)
    decided = recompute(verify(laid.program), costs, kept, place)
    placed, stored = decided.placed, decided.stored.places
    return Schedule(
        verify(decided.program), tuple(placed.groups), placed.places, placed.padded, laid.moved, machine, batch,
        decided.again, stored,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Placed:
    """A program in loops, the values whose rows are padded, and where they lie in scratch."""

    groups: Sequence[Group]
    padded: frozenset[str]
    places: Places
    lanes: int

    def amount(self, batch: int) -> int:
        """Return how many numbers lie in scratch."""
        return self.places.scratch(self.lanes).count(batch)


def _placed(program: Program, kept: frozenset[str], fixed: frozenset[str], lanes: int) -> Placed:
    """Return the loops of a program that is laid out, and the places of its values."""
    given = {v.name for v in program.of_role("parameter", "state")}
    groups = fuse(program, kept)
    local = {name for group in groups for name in group.local}
    inside = [
        s.out.name for group in groups for s in group.statements
        if s.out.name not in fixed and s.out.name not in given and s.out.name not in local
        and program.values[s.out.name].sizes
    ]  # fmt: skip
    whole = {ref.name for s in program.statements if isinstance(s, Whole) for ref in (s.out, *s.args)}
    padded = frozenset(name for name, v in program.values.items() if v.sizes and name not in fixed | whole)
    places = place_values(program, groups, inside, padded, lanes)
    work = [workspace(program, s) for s in program.statements if isinstance(s, Whole)]
    extents = [(value.name, extent_of(program, value, False, lanes)) for value in work]
    return Placed(groups, padded, Places((*places.order, *extents), places.alias), lanes)
