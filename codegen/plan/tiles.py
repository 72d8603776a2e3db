"""Tiles of a matrix product: how many rows and vectors of sums stay in registers, by a model of the processor.

A step of the sum costs two multiplications of vectors a cycle, two loads a cycle (a vector of the row, a number
of each row to spread), and four cycles before a register may be added to again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from codegen.plan.machine import Machine

LATENCY, PER_CYCLE = 4, 2  # of a fused multiplication and addition
OVERHEAD = 16.0  # cycles of a call: sums cleared and stored, pointers
MOST_ROWS, MOST_VECTORS = 24, 7


@dataclass(frozen=True, slots=True)
class Tile:
    """Rows and vectors of sums, and into how many chains each sum is split."""

    rows: int
    vectors: int
    chains: int


@dataclass(frozen=True, slots=True)
class Tiling:
    """The tiles that cover m rows by n vectors: `tile`, and one with a row less where m is no multiple.

    `cycles` is what the model says the product costs.
    """

    tile: Tile
    rest: Tile | None
    cycles: float


@lru_cache(maxsize=4096)
def choose(m: int, n: int, k: int, machine: Machine) -> Tiling:
    """Return the best tiles for m rows, n vectors and sums of k products.

    >>> from codegen.plan.machine import AVX512
    >>> choose(64, 8, 784, AVX512).tile
    Tile(rows=13, vectors=2, chains=1)
    """
    options = [_tiling(rows, vectors, m, n, k, machine) for rows, vectors in _shapes(m, n, machine)]
    return min(options, key=lambda option: (option.cycles, -option.tile.rows))


def _shapes(m: int, n: int, machine: Machine) -> list[tuple[int, int]]:
    found = []
    for vectors in range(1, MOST_VECTORS + 1):
        for count in range(1, m + 1):
            rows = -(-m // count)
            fits = rows * vectors + vectors + 1 <= machine.registers
            if n % vectors == 0 and rows <= MOST_ROWS and fits:
                found.append((rows, vectors))
            if rows == 1:
                break
    return found or [(1, 1)]


def _tiling(rows: int, vectors: int, m: int, n: int, k: int, machine: Machine) -> Tiling:
    count = -(-m // rows)
    fewer = count * rows - m  # tiles that have a row less
    tile = Tile(rows, vectors, _chains(rows, vectors, k, machine))
    rest = Tile(rows - 1, vectors, _chains(rows - 1, vectors, k, machine)) if fewer else None
    cycles = (count - fewer) * _cycles(tile, k) + (fewer * _cycles(rest, k) if rest else 0.0)
    return Tiling(tile, rest, cycles * (n // vectors))


def _chains(rows: int, vectors: int, k: int, machine: Machine) -> int:
    sums = rows * vectors
    chains = 1
    while 2 * chains * sums <= LATENCY * PER_CYCLE and 2 * chains * sums + vectors + 1 <= machine.registers:
        chains *= 2
    return chains if k >= 2 * chains else 1


def _cycles(tile: Tile, k: int) -> float:
    sums = tile.rows * tile.vectors
    step = max(sums / PER_CYCLE, (tile.rows + tile.vectors) / 2, LATENCY / tile.chains)
    return k * step + OVERHEAD + sums / 2
