"""Save or recompute: what is cheaply computed where it is read needs no memory in between (rematerialisation).

A value that is computed entry by entry and read in other loops is written out at its readers where that costs no more
than to store it and load it again; beyond that, memory is bought for a share of the step's time that nobody measures.
The same expression of the same numbers gives the same bits. Operands of products and what elementary functions give
stay in memory: vectors are loaded from there, and ten cycles a vector are more than any load.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Generic, Protocol, TypeVar

from codegen.labels import rename_labels
from codegen.places import stays_inside
from codegen.plan.cost import STORE, Costs, Orders
from codegen.plan.effort import effort
from codegen.plan.fuse import Group
from codegen.program import (
    Access,
    Body,
    Map,
    Pick,
    Program,
    Reduce,
    Ref,
    Statement,
    body_reads,
    change_refs,
    extents,
    reads,
)

Entrywise = TypeVar("Entrywise", bound=Map | Reduce)

SHARE = 0.001
"""Of the step's cycles, what may be spent on memory."""


class Placed(Protocol):
    """A program in loops, and the memory that they take."""

    @property
    def groups(self) -> Sequence[Group]:
        """The loops."""

    def amount(self, batch: int) -> int:
        """Return how many numbers lie in scratch."""


AnyPlaced = TypeVar("AnyPlaced", bound=Placed)


@dataclass(frozen=True, slots=True)
class Again:
    """A value that is computed where it is read: its equation, and the values in whose statements it is."""

    name: str
    eq: str
    within: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Trial:
    """A program that keeps a value less, what is computed again in it, and how many cycles more it takes."""

    program: Program
    again: tuple[Again, ...]
    cycles: float


@dataclass(frozen=True, slots=True)
class Decided(Generic[AnyPlaced]):
    """What was decided: the program and its loops, what is computed again in it, and the loops if nothing were."""

    program: Program
    placed: AnyPlaced
    again: tuple[Again, ...]
    stored: AnyPlaced


def recompute(
    program: Program, costs: Costs, kept: frozenset[str], place: Callable[[Program], AnyPlaced]
) -> Decided[AnyPlaced]:
    """Decide which values are computed again where they are read.

    Args:
        program: Laid out.
        costs: Of its statements.
        kept: Values that must be in memory at the end.
        place: Finds the loops of a program, and their memory.
    """
    orders = costs.as_they_lie
    budget = SHARE * sum(costs.of(s, orders) for s in (*program.statements, *program.updates))
    stored = placed = place(program)
    loops, found, before = _Loops(program, costs, orders, placed.groups, kept), list[Again](), -1
    while before < len(found):  # what lies in a place that something else needs can go once that has gone
        before = len(found)
        for name in [s.out.name for s in loops.program.statements if isinstance(s, Map) and s.out.name not in kept]:
            trial = loops.without(name) if name in loops.order else None
            if trial is None or trial.cycles > budget:
                continue
            fresh = place(trial.program)
            spared = placed.amount(costs.batch) - fresh.amount(costs.batch)
            if spared > 0 or (spared == 0 and trial.cycles < 0):
                placed, budget = fresh, budget - max(trial.cycles, 0.0)
                loops = _Loops(trial.program, costs, orders, placed.groups, kept)
                found = [*(_with(old, trial.again) for old in found), *trial.again]
    return Decided(loops.program, placed, tuple(found), stored)


@dataclass(slots=True)
class _Loops:
    """A program in loops, of which single values shall not be kept."""

    program: Program
    costs: Costs
    orders: Orders
    groups: Sequence[Group]
    kept: frozenset[str]
    order: dict[str, int] = field(init=False)
    readers: dict[str, list[Statement]] = field(init=False)
    home: dict[str, Group] = field(init=False)

    def __post_init__(self) -> None:
        self.order = {s.out.name: k for k, s in enumerate(self.program.statements)}
        self.home = {s.out.name: group for group in self.groups for s in group.statements}
        self.readers = {name: [] for name in self.program.values}
        for statement in (*self.program.statements, *self.program.updates):
            for name in dict.fromkeys(access.name for access in reads(statement)):
                self.readers[name].append(statement)

    def without(self, name: str) -> _Trial | None:
        """Return the program that computes a value again wherever another loop reads it; None where that cannot be."""
        maker = self._maker(name)
        if maker is None or name in self.home[name].local:
            return None
        inner, readers = self._held(maker), self._others(name)
        if inner is None or not readers:
            return None
        maker = reduce(_inlined, inner, maker)
        if not self._from_memory(maker) or not self._read_as_late(maker, readers[-1][0]):
            return None
        changed, unread = dict[str, Statement](), self._unread(name)
        once = STORE + (effort(maker.body, maker.out.labels[-1]) if name in unread else 0.0)
        cycles = -once * self._rounds(maker, maker.out.labels[-1])
        for reader, along in readers:
            fresh = changed[reader.out.name] = _inlined(reader, maker)
            cycles += (effort(fresh.body, along) - effort(reader.body, along)) * self._rounds(reader, along)
        statements = tuple(changed.get(s.out.name, s) for s in self.program.statements if s.out.name not in unread)
        again = tuple(Again(value.out.name, value.eq, tuple(changed)) for value in (maker, *inner))
        return _Trial(replace(self.program, statements=statements), again, cycles)

    def _others(self, name: str) -> list[tuple[Map | Reduce, str]]:
        """Return the statements of other loops that read a value, each with the label of its innermost loop.

        None at all unless all of them run over the value's entries as they lie; updates read old parameters too late.
        """
        inside = {s.out.name for s in self.home[name].statements}
        readers = [s for s in self.readers[name] if s.out.name not in inside]
        found = [(s, self._along(s, name)) for s in readers if isinstance(s, Map | Reduce) and s.out.name in self.order]
        return found if len(found) == len(readers) and all(along for _, along in found) else []

    def _unread(self, name: str) -> set[str]:
        """Return what nothing reads any more of a value's loop, itself included, once no other loop reads it."""
        home, unread = self.home[name], set[str]()
        for other in (s.out.name for s in reversed(home.statements)):
            inside = {s.out.name for s in home.statements} - unread
            if (other == name or other in home.local) and not any(s.out.name in inside for s in self.readers[other]):
                unread.add(other)
        return unread

    def _maker(self, name: str) -> Map | None:
        """Return the statement that computes a value entry by entry; copies of a value are made to be loaded."""
        maker = self.program.statements[self.order[name]]
        fits = isinstance(maker, Map) and maker.out.labels and not isinstance(maker.body, Ref | Pick)
        return maker if fits and isinstance(maker, Map) else None

    def _held(self, maker: Map) -> list[Map] | None:
        """Return what a value is computed from in registers, the last first; None if that is not all entry by entry."""
        local, found = self.home[maker.out.name].local, list[Map]()
        while held := next((access for access in body_reads(maker.body) if access.name in local), None):
            source = self._maker(held.name)
            if source is None or held.labels != maker.out.labels:
                return None
            maker = _inlined(maker, source)
            found.append(source)
        return found

    def _from_memory(self, maker: Map) -> bool:
        """Tell whether all that a value is computed from lies as it does."""
        return all(self._beside(access, maker) for access in body_reads(maker.body))

    def _beside(self, access: Access, maker: Map) -> bool:
        """Tell whether whole vectors of a value lie as those of the result do."""
        labels, sizes = maker.out.labels, extents(self.program, maker)
        if isinstance(access, Pick):
            axes = self.program.values[access.name].sizes
            inside = all(stays_inside(self.program, k, size, sizes) for k, size in zip(access.index, axes, strict=True))
            return inside and access.index[-1] == labels[-1]
        ordered = [label for label in labels if label in access.labels]
        turned = labels[-1] in access.labels and not self.costs.loadable(access, self.orders)
        return list(access.labels) == ordered and not turned

    def _read_as_late(self, maker: Map, reader: Statement) -> bool:
        """Tell whether what is trained, and read again, is read as late anyway: its update must not wait."""
        trained = {value.name for value in self.program.of_role("parameter", "state")}
        read = [access.name for access in body_reads(maker.body) if access.name in trained]
        last = [max(self.order.get(s.out.name, -1) for s in self.readers[name]) for name in read]
        return all(k >= self.order[reader.out.name] for k in last)

    def _along(self, reader: Map | Reduce, name: str) -> str:
        """Return the label of the innermost loop, if a statement runs over the value's entries as they lie; else ""."""
        refs, every = [access for access in reads(reader) if access.name == name], extents(self.program, reader)
        inner = reader.out.labels[-1:] if isinstance(reader, Map) else (self.costs.along(reader, self.orders),)
        fits = all(isinstance(r, Ref) and r.labels[-1:] == inner and sorted(r.labels) == sorted(every) for r in refs)
        return inner[0] if fits and not isinstance(reader.body, Ref) else ""  # sums of what lies there have a kernel

    def _rounds(self, statement: Map | Reduce, along: str) -> float:
        """Return how often the innermost loop goes round: once a vector, but short sums take one entry at a time."""
        lengths, lanes = self.costs.lengths(statement), self.costs.lanes
        entries, last = math.prod(lengths.values()), lengths[along]
        single = along not in statement.out.labels and last < 2 * lanes
        return entries if single else entries / last * -(-last // lanes)


def _inlined(reader: Entrywise, maker: Map) -> Entrywise:
    """Return a statement with a value written out in it."""

    def change(ref: Ref) -> Body:
        if ref.name != maker.out.name:
            return ref
        return rename_labels(maker.body, dict(zip(maker.out.labels, ref.labels, strict=True)).__getitem__)

    return replace(reader, body=change_refs(reader.body, change))


def _with(old: Again, new: Sequence[Again]) -> Again:
    """Return what is computed again within other values too, where one that it is in is written out there."""
    return replace(
        old, within=tuple(dict.fromkeys([*old.within, *(k for n in new if n.name in old.within for k in n.within)]))
    )
