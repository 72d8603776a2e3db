"""Memory: rows padded to whole vectors, what lies in the caller's scratch, and which values share a place.

A padded row may be read and written up to its end: what stands behind the last entry is never part of a result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from codegen.plan.fuse import Group
from codegen.program import BATCH, Program, Value, Whole, reads


@dataclass(frozen=True, slots=True)
class Extent:
    """How many numbers a value takes: `number` times the batch, to a power, times the batch rounded up, to another."""

    number: int
    batch: int = 0
    wide: int = 0

    def count(self, batch: int, lanes: int) -> int:
        """Return the number for a batch.

        >>> Extent(3, 1, 0).count(5, 16), Extent(2, 0, 1).count(5, 16)
        (15, 32)
        """
        return self.number * int(batch**self.batch) * int(rounded(batch, lanes) ** self.wide)


def rounded(count: int, lanes: int) -> int:
    """Return a count rounded up to whole vectors.

    >>> rounded(17, 16)
    32
    """
    return -(-count // lanes) * lanes


@dataclass(frozen=True, slots=True)
class Scratch:
    """The caller's memory, as numbers of the file's type."""

    extents: tuple[Extent, ...]
    lanes: int

    def count(self, batch: int) -> int:
        """Return how many numbers a batch needs."""
        return sum(extent.count(batch, self.lanes) for extent in self.extents)

    def text(self) -> str:
        """Return the amount as an expression of C in the argument of a macro."""
        sums: dict[tuple[int, int], int] = {}
        for extent in self.extents:
            sums[extent.batch, extent.wide] = sums.get((extent.batch, extent.wide), 0) + extent.number
        wide = f"((size_t)({BATCH}) + {self.lanes - 1}) / {self.lanes} * {self.lanes}"
        terms = [
            f"(size_t){number}" + f" * (size_t)({BATCH})" * powers[0] + f" * ({wide})" * powers[1]
            for powers, number in sorted(sums.items())
        ]
        return " + ".join(terms) or "(size_t)0"


def extent_of(program: Program, value: Value, padded: bool, lanes: int) -> Extent:
    """Return how many numbers a value takes, its last axis rounded up if it is padded."""
    number, batch, wide = 1, 0, 0
    for k, size in enumerate(value.sizes):
        last = padded and k == len(value.sizes) - 1
        if size == BATCH:
            batch, wide = (batch, wide + 1) if last else (batch + 1, wide)
        else:
            entries = program.sizes[size] if isinstance(size, str) else size
            number *= rounded(entries, lanes) if last else entries
    return Extent(number, batch, wide)


@dataclass(frozen=True, slots=True)
class Places:
    """Where values lie in scratch: one after the other, in `order`; `alias` puts a value into another one's place."""

    order: tuple[tuple[str, Extent], ...]
    alias: Mapping[str, str]

    def scratch(self, lanes: int) -> Scratch:
        """Return how much that is."""
        return Scratch(tuple(extent for _, extent in self.order), lanes)


def place_values(
    program: Program, groups: Sequence[Group], inside: Iterable[str], padded: frozenset[str], lanes: int
) -> Places:
    """Give each value that lives in scratch a place; one that is no longer read hands its own on.

    Args:
        program: Whose values they are.
        groups: In order of computation.
        inside: The names of those that live in scratch.
        padded: Those whose rows are rounded up to whole vectors.
        lanes: Numbers in a vector.
    """
    names = set(inside)
    last = {ref.name: k for k, group in enumerate(groups) for s in group.statements for ref in reads(s)}
    free: dict[Extent, list[str]] = {}
    order: dict[str, Extent] = {}
    alias: dict[str, str] = {}
    for k, group in enumerate(groups):
        for statement in group.statements:
            name = statement.out.name
            if name not in names or name in order or name in alias or name in group.local:
                continue
            extent = extent_of(program, program.values[name], name in padded, lanes)
            if free.get(extent):
                alias[name] = free[extent].pop()
            else:
                order[name] = extent
        for name in dict.fromkeys(ref.name for s in group.statements for ref in reads(s)):
            if last[name] == k and name in names and name not in group.local and (name in order or name in alias):
                extent = extent_of(program, program.values[name], name in padded, lanes)
                free.setdefault(extent, []).append(alias.get(name, name))
    return Places(tuple(order.items()), alias)


def workspace(program: Program, statement: Whole) -> Value:
    """Return the value in scratch that an operation on a whole matrix works in."""
    name = f"{statement.out.name}_work"
    while name in program.values:
        name += "_"
    size = program.values[statement.args[0].name].sizes[-1]
    return Value(name, "", (2, size, size), "temp")  # no less than n (n + 1)
