"""What a statement costs, in cycles, when values lie in given orders: a model of vectors, not of caches."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from codegen.plan.machine import Machine
from codegen.plan.tiles import Tiling, choose
from codegen.program import (
    BATCH,
    Body,
    Call,
    Contract,
    Map,
    Program,
    Reduce,
    Ref,
    Size,
    Statement,
    extents,
    reads,
    walk,
)

Orders = Mapping[str, tuple[int, ...]]
"""For each value its axes in the order of memory, the last one contiguous."""

TURN, TURN_START = 0.4, 20.0  # cycles to copy an entry the other way round, and to begin with that
PADDED = 3.0  # cycles to copy a row that ends amid a vector
ACROSS = 12.0  # cycles to add up the lanes of a vector
FUNCTION = 10.0  # cycles of an elementary function on a vector
OPERATION, LOAD, STORE = 0.5, 0.5, 1.0


@dataclass(frozen=True, slots=True)
class Strategy:
    """How a product is computed, and which label must come last in each operand and in the result, if it does not.

    `kind` is `tile` (vectors along `along`, an axis of one operand and the result), `dot` (vectors along the summed
    axis), `lanes` (vectors along an axis of both operands and the result) or `plain`.
    """

    kind: str
    along: str
    cycles: float
    a: str = ""
    b: str = ""
    out: str = ""


@dataclass(frozen=True, slots=True)
class Tiled:
    """How tiles cover a product: rows of `numbers` by vectors of `vectors`; sums over `depth` within a tile, over
    `summed` around it; one set of tiles for every entry along `others`.
    """

    vectors: Ref
    numbers: Ref
    row: str
    depth: str
    summed: tuple[str, ...]
    others: tuple[str, ...]
    tiling: Tiling


@dataclass(slots=True)
class Costs:
    """The costs of a program's statements on a machine."""

    program: Program
    machine: Machine
    batch: int
    unpadded: frozenset[str] = frozenset()
    lanes: int = field(init=False)
    sharers: Counter[str] = field(init=False)

    def __post_init__(self) -> None:
        self.lanes = self.machine.lanes(self.program.dtype)
        data = {value.name for value in self.program.of_role("data")}
        entrywise = [s for s in self.program.statements if isinstance(s, Map | Reduce)]
        self.sharers = Counter(ref.name for s in entrywise for ref in refs_of(s) if ref.name in data)

    @property
    def as_they_lie(self) -> Orders:
        """The orders of a program whose axes lie as it has them."""
        return {name: tuple(range(len(value.sizes))) for name, value in self.program.values.items()}

    def count(self, size: Size) -> int:
        """Return a size as a number."""
        return self.batch if size == BATCH else self.program.sizes[size] if isinstance(size, str) else size

    def lengths(self, statement: Statement) -> dict[str, int]:
        """Return the number of entries along each label."""
        return {label: self.count(size) for label, size in extents(self.program, statement).items()}

    def last(self, ref: Ref, orders: Orders) -> str:
        """Return the label of the contiguous axis; empty for a scalar."""
        return ref.labels[orders[ref.name][-1]] if ref.labels else ""

    def loadable(self, ref: Ref, orders: Orders) -> bool:
        """Tell whether whole vectors can be loaded up to the end of every row."""
        return not ref.labels or self.whole(ref.name, self.program.values[ref.name].sizes[orders[ref.name][-1]])

    def whole(self, name: str, size: Size) -> bool:
        """Tell whether a value's rows of a size end with a whole vector."""
        return name not in self.unpadded or (size != BATCH and self.count(size) % self.lanes == 0)

    def of(self, statement: Statement, orders: Orders) -> float:
        """Return the cycles of a statement."""
        if isinstance(statement, Contract):
            return self.strategy(statement, orders).cycles
        if isinstance(statement, Map):
            return self._map(statement, orders)
        if isinstance(statement, Reduce):
            return self._reduced(statement, self.along(statement, orders), orders)
        return 0.0  # others lie as they do

    # ------------------------------------------------------------ products
    def strategy(self, product: Contract, orders: Orders) -> Strategy:
        """Return the cheapest way to compute a product."""
        return min(self._strategies(product, orders), key=lambda option: option.cycles)

    def _strategies(self, product: Contract, orders: Orders) -> list[Strategy]:
        lengths = self.lengths(product)
        out, summed = product.out.labels, [k for k in product.a.labels if k not in product.out.labels]
        work = math.prod(lengths.values())
        turns = {ref.name: TURN * math.prod(lengths[k] for k in ref.labels) + TURN_START for ref in
                 (product.a, product.b, product.out)}  # fmt: skip
        lasts = [self.last(ref, orders) for ref in (product.a, product.b, product.out)]
        loadable = [self.loadable(ref, orders) for ref in (product.a, product.b)] + [True]

        def needing(kind: str, along: str, cycles: float, a: str, b: str, result: str) -> Strategy:
            wanted = [
                w if w and (w != last or (kind == "tile" and not whole)) else ""
                for w, last, whole in zip((a, b, result), lasts, loadable, strict=True)
            ]
            refs = (product.a, product.b, product.out)
            turning = sum(turns[ref.name] for ref, w in zip(refs, wanted, strict=True) if w)
            return Strategy(kind, along, cycles + turning, *wanted)

        found = [needing("plain", "", 2.0 * work, "", "", "")]
        for label in out:
            in_a, in_b = label in product.a.labels, label in product.b.labels
            if in_a and in_b:
                vectors = -(-lengths[label] // self.lanes)
                found.append(needing("lanes", label, work / lengths[label] * vectors * 1.5, label, label, label))
                continue
            tiles = self.tiled(product, label)
            outer = work // (lengths[label] * lengths.get(tiles.row, 1) * lengths[tiles.depth])
            cycles = outer * tiles.tiling.cycles
            found.append(needing("tile", label, cycles, label if in_a else "", label if in_b else "", label))
        for label in summed:
            steps = work / lengths[label]
            cycles = steps * (-(-lengths[label] // self.lanes) * 1.0 + ACROSS)
            found.append(needing("dot", label, cycles, label, label, ""))
        return found

    def tiled(self, product: Contract, along: str) -> Tiled:
        """Return the tiles of a product whose vectors run along a label."""
        lengths, out = self.lengths(product), product.out.labels
        vectors, numbers = (product.a, product.b) if along in product.a.labels else (product.b, product.a)
        rows = [k for k in numbers.labels if k in out and k not in vectors.labels]
        row = max(rows, key=lambda label: lengths[label]) if rows else ""
        depth, *summed = sorted((k for k in product.a.labels if k not in out), key=lambda label: -lengths[label])
        tiling = choose(lengths.get(row, 1), -(-lengths[along] // self.lanes), lengths[depth], self.machine)
        others = tuple(k for k in out if k not in (row, along))
        return Tiled(vectors, numbers, row, depth, tuple(summed), others, tiling)

    # ------------------------------------------------------------ entry by entry
    def _map(self, statement: Map, orders: Orders) -> float:
        last = self.last(statement.out, orders)
        lengths = self.lengths(statement)
        entries = math.prod(lengths.values())
        if not last:
            return 2.0 + _work(statement.body) * 4
        if isinstance(statement.body, Ref) and len(lengths) > 1 and self.last(statement.body, orders) != last:
            return entries * TURN + TURN_START
        steps = entries / lengths[last] * -(-lengths[last] // self.lanes)
        return steps * (_work(statement.body) + STORE) + self._copied(statement, last, lengths, orders)

    def _copied(self, statement: Statement, last: str, lengths: Mapping[str, int], orders: Orders) -> float:
        """Return the cycles of the copies that a loop over a label needs: of what lies along another, or ends amid a
        vector. All who read data share a copy.
        """
        cycles = 0.0
        for ref in refs_of(statement):
            if last not in ref.labels or len(ref.labels) < 2:
                continue
            entries = math.prod(lengths[k] for k in set(ref.labels))
            if self.last(ref, orders) != last:
                cycles += (entries * TURN + TURN_START) / self.sharers.get(ref.name, 1)
            elif not self.loadable(ref, orders):
                cycles += entries / lengths[last] * PADDED / self.sharers.get(ref.name, 1)
        return cycles

    def along(self, statement: Reduce, orders: Orders) -> str:
        """Return the label along which a reduction is cheapest: the last one of a value that has the most axes."""
        refs = refs_of(statement)
        most = max((len(ref.labels) for ref in refs), default=0)
        lasts = dict.fromkeys(self.last(ref, orders) for ref in refs if len(ref.labels) == most)
        return min(lasts, key=lambda last: self._reduced(statement, last, orders), default="")

    def _reduced(self, statement: Reduce, last: str, orders: Orders) -> float:
        """Return the cycles of a reduction whose innermost loop is over a label."""
        lengths = self.lengths(statement)
        entries = math.prod(lengths.values())
        results = entries // math.prod(lengths[k] for k in statement.over)
        vectors = -(-lengths[last] // self.lanes) if last else 1
        steps = entries / lengths[last] * vectors if last else entries
        turned = self._copied(statement, last, lengths, orders)
        if last in statement.over:
            scalar = lengths[last] < 2 * self.lanes
            return turned + (entries * 2.0 if scalar else steps * (_work(statement.body) + 1) + results * ACROSS)
        return turned + steps * (_work(statement.body) + 2)


def refs_of(statement: Statement) -> list[Ref]:
    """Return the values that a statement reads at plain labels."""
    return [access for access in reads(statement) if isinstance(access, Ref)]


def _work(body: Body) -> float:
    calls = [part for part in walk(body) if isinstance(part, Call)]
    loads = sum(isinstance(part, Ref) for part in walk(body))
    return loads * LOAD + sum(FUNCTION if call.row.slope is not None else OPERATION for call in calls)
