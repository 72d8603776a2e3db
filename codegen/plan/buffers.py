"""Which buffers a schedule uses: how large, how long, which share a place; what is saved, and what computed again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from codegen.plan.memory import workspace
from codegen.plan.schedule import Schedule
from codegen.program import BATCH, Program, Size, Whole, reads

WIDTH = 80
FORWARD = ("definition", "loss")  # roles of what the forward pass computes
LONGEST = 18  # of a name that is shown whole


@dataclass(frozen=True, slots=True)
class Buffer:
    """A value in scratch.

    Attributes:
        name: What it is called in C.
        shape: Its lengths as it lies, without what rows are padded by.
        bytes: What it takes, padding included.
        first, last: The numbers of the first and the last equation that use it.
        loops: The first and the last loop that use it, counted from 1.
        slot: The place in which it lies, counted from 1; what has the same one shares it.
        saved: Whether the forward pass leaves it for the backward pass.
    """

    name: str
    shape: tuple[int, ...]
    bytes: int
    first: str
    last: str
    loops: tuple[int, int]
    slot: int
    saved: bool


@dataclass(frozen=True, slots=True)
class MemoryTable:
    """The buffers of a training step, in order of first use; printed, it is a table.

    Attributes:
        buffers: What lies in scratch.
        registers: Values that live within one loop, and need no memory.
        shared: Bytes of scratch, places shared.
        apart: What they would be if every buffer had a place of its own.
        packed: Bytes for parameters as the products want them, beside these.
        again: Values that are computed where they are read, once or several times.
        spared: Bytes of scratch that it would take more to store them.
    """

    buffers: tuple[Buffer, ...]
    registers: tuple[str, ...]
    shared: int
    apart: int
    packed: int = 0
    again: tuple[str, ...] = ()
    spared: int = 0

    def __str__(self) -> str:
        head = ("buffer", "shape", "bytes", "first", "last", "slot", "saved")
        rows = [head, *map(_cells, self.buffers)]
        wide = [max(len(row[k]) for row in rows) for k in range(len(head))]
        lines = ["  ".join(_aligned(row, wide)).rstrip() for row in rows] if self.buffers else []
        kept = sum(buffer.bytes for buffer in self.buffers if buffer.saved)
        lines += ["", f"scratch: {self.shared} bytes; {self.apart} if no place were shared"]
        lines += [f"saved for the backward pass: {kept} bytes" + ("" if self.again else "; nothing is computed twice")]
        lines += _wrapped(f"computed where they are read, to spare {self.spared} bytes: ", self.again)
        lines += [f"parameters as the products want them: {self.packed} bytes"] if self.packed else []
        return "\n".join([*lines, *_wrapped("in registers alone: ", self.registers)]).lstrip("\n")


def _cells(buffer: Buffer) -> tuple[str, ...]:
    name = buffer.name if len(buffer.name) <= LONGEST else f"{buffer.name[: LONGEST - 1]}…"
    shape = " × ".join(map(str, buffer.shape))
    ends = (f"({buffer.first})", f"({buffer.last})")
    return name, shape, str(buffer.bytes), *ends, str(buffer.slot), "yes" if buffer.saved else ""


def _aligned(row: Sequence[str], wide: Sequence[int]) -> Iterator[str]:
    """Yield cells, those of numbers to the right."""
    for k, (cell, width) in enumerate(zip(row, wide, strict=True)):
        yield cell.rjust(width) if k in (2, 5) else cell.ljust(width)


def _wrapped(title: str, names: Sequence[str]) -> list[str]:
    """Return names behind a title, on lines that are not too long."""
    lines, current = [], title
    for k, name in enumerate(names):
        word = name if k == len(names) - 1 else f"{name}, "
        if len(current) + len(word.rstrip()) > WIDTH and current.strip():
            lines.append(current.rstrip())
            current = "    "
        current += word
    return [*lines, current] if names else []


def memory_table(plan: Schedule, batch: int, packed: int = 0) -> MemoryTable:
    """Return the buffers of a schedule for a number of samples.

    Args:
        plan: Of a training step.
        batch: How many samples it is called with.
        packed: Bytes that lie beside them.
    """
    program, places = plan.program, plan.places
    size = np.dtype(program.dtype).itemsize
    amounts = {name: extent.count(batch, plan.lanes) * size for name, extent in places.order}
    slots = {name: k for k, name in enumerate(amounts, 1)}
    work = {workspace(program, s).name: s for s in program.statements if isinstance(s, Whole)}
    saved = _saved(program, {value.eq for value in plan.again if program.values[value.name].role in FORWARD})
    found = []
    for name in [*amounts, *places.alias]:
        uses = list(_uses(plan, work[name].out.name if name in work else name, written=name in work))
        place = places.alias.get(name, name)
        sizes = program.values[name].sizes if name in program.values else workspace(program, work[name]).sizes
        shape = tuple(_length(program, length, batch) for length in sizes)
        ends = (uses[0], uses[-1])
        found.append(
            Buffer(name, shape, amounts[place], ends[0][1], ends[1][1], (ends[0][0], ends[1][0]), slots[place],
                   name in saved)
        )  # fmt: skip
    found.sort(key=lambda buffer: (buffer.loops, buffer.slot))
    apart = sum(buffer.bytes for buffer in found)
    local = dict.fromkeys(s.out.name for group in plan.groups for s in group.statements if s.out.name in group.local)
    again, shared = dict.fromkeys(value.name for value in plan.again), sum(amounts.values())
    spared = plan.stored.scratch(plan.lanes).count(batch) * size - shared
    return MemoryTable(tuple(found), tuple(local), shared, apart, packed, tuple(again), spared)


def _uses(plan: Schedule, name: str, written: bool = False) -> Iterator[tuple[int, str]]:
    """Yield the loops that use a value, with the equations that do; only those that write it, if so asked."""
    for k, group in enumerate(plan.groups, 1):
        for statement in group.statements:
            if statement.out.name == name or (not written and name in {ref.name for ref in reads(statement)}):
                yield k, statement.eq


def _saved(program: Program, again: set[str]) -> set[str]:
    """Return what an equation of the forward pass computes, and one of another pass reads.

    Of those of the forward pass that are computed `again` no statement may be left.
    """
    every = (*program.statements, *program.updates)
    forward = again | {s.eq for s in every if program.values[s.out.name].role in FORWARD}
    made = {s.out.name for s in every if s.eq in forward}
    return made & {ref.name for s in every if s.eq not in forward for ref in reads(s)}


def _length(program: Program, size: Size, batch: int) -> int:
    return batch if size == BATCH else program.sizes[size] if isinstance(size, str) else size
