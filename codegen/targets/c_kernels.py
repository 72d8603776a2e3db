"""The C target's kernels: tiles of matrix products in registers, dot products, matrices turned round.

A tile is one function of its own for each shape that a file uses, its loops unrolled so that every sum has a
register. With vector types the compiler has no choice; without, arrays of the same length stand in their place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from codegen.plan.machine import BYTES, Machine
from codegen.plan.tiles import Tile
from codegen.targets.c_kernel_texts import (
    ALONE,
    BLOCKS,
    CHAINED,
    PLAIN_TILE,
    REST,
    STAGE,
    TILE,
    TURN,
    TURN_BLOCK,
    VECTOR,
    WHOLE,
)
from codegen.targets.c_math import real

CHAINS = 4  # sums that run side by side, so that none waits for the one before


def tile_name(tile: Tile) -> str:
    """Return what the kernel of a tile is called.

    >>> tile_name(Tile(13, 2, 1)), tile_name(Tile(1, 2, 4))
    ('tile13x2', 'tile1x2x4')
    """
    return f"tile{tile.rows}x{tile.vectors}" + (f"x{tile.chains}" if tile.chains > 1 else "")


def emit_kernels(used: set[str], prefix: str, dtype: str, machine: Machine) -> str:
    """Return the C of the kernels that are used."""
    lanes = machine.lanes(dtype)
    tiles = [tuple(map(int, re.findall(r"\d+", name))) for name in sorted(used) if re.fullmatch(r"tile[\dx]+", name)]
    text = ""
    if machine.vectors and (tiles or used & {"turn", *(name for name, _, _ in CHAINED)}):
        text += VECTOR.replace("WIDTH", str(machine.width)).replace("SIZE", str(BYTES[dtype]))
    text += ALONE if (tiles or "alone" in used) and not machine.vectors else ""
    for name, plain, vectors in CHAINED:
        text += _chained(plain, vectors, machine, lanes) if name in used else ""
    if "turn" in used:
        text += _turn_block(lanes) if machine.vectors else ""
        text += TURN.replace("BLOCKS", BLOCKS if machine.vectors else "")
    text += "".join(_tile(Tile(*shape, *([1] if len(shape) == 2 else [])), machine, lanes) for shape in tiles)
    return real(text.replace("LANES", str(lanes)), prefix, dtype)


def _chained(plain: str, vectors: str, machine: Machine, lanes: int) -> str:
    """Return a kernel whose sums run in several chains."""
    text = vectors if machine.vectors else plain
    for word, form in (("TOTAL", "lanes[{}][w]"), ("ALL_L", "s[{}][l]"), ("ALL", "lanes[{}][w]")):
        sums = [("s[{}]" if machine.vectors else form).format(u) for u in range(CHAINS)]
        text = re.sub(rf"\b{word}\b", f"({sums[0]} + {sums[1]}) + ({sums[2]} + {sums[3]})", text)
    text = text.replace("HALVES\n", "".join(_halves(lanes)))
    return re.sub(r" *UNROLL", "#pragma GCC unroll 32", re.sub(r"\bCHAINS\b", str(CHAINS), text))


def _halves(lanes: int) -> Iterator[str]:
    """Yield the lines that add up a vector: its upper half to its lower one, until one lane is left."""
    half = lanes // 2
    while half:
        upper = ", ".join(str(half + k % half) for k in range(lanes))
        yield f"    s[0] += __builtin_shufflevector(s[0], s[0], {upper});\n"
        half //= 2


def _turn_block(lanes: int) -> str:
    """Return the kernel that turns one square block: log2(lanes) rounds of interleaving."""
    half, rounds = lanes // 2, lanes.bit_length() - 1
    low = ", ".join(f"{k}, {lanes + k}" for k in range(half))
    high = ", ".join(f"{half + k}, {lanes + half + k}" for k in range(half))
    stages = ""
    for k in range(rounds):
        stage = STAGE.replace("FROM", "ab"[k % 2]).replace("TO", "ba"[k % 2])
        stages += stage.replace("LOW", low).replace("HIGH", high).replace("HALF", str(half))
    text = TURN_BLOCK.replace("STAGES", stages).replace("RESULT", "ab"[rounds % 2])
    return re.sub(r" *UNROLL", "#pragma GCC unroll 32", text)


def _tile(tile: Tile, machine: Machine, lanes: int) -> str:
    text = PLAIN_TILE
    if machine.vectors:
        text = TILE.replace("WHOLE", WHOLE if tile.chains > 1 else "").replace("REST", REST if tile.chains > 1 else "")
        text = text.replace("CHAINED", "chained" if tile.chains > 1 else "k")
    total = " + ".join(f"s[{'r' if u == 0 else f'{u * tile.rows} + r'}][v]" for u in range(tile.chains))
    words = {
        "NAME": tile_name(tile), "SUMS": tile.rows * tile.chains, "ROWS": tile.rows, "VECTORS": tile.vectors,
        "CHAINS": tile.chains, "COLUMNS": tile.vectors * lanes, "TOTAL": total,
        "UNROLL": "#pragma GCC unroll 32",
    }  # fmt: skip
    for word, meaning in words.items():
        text = re.sub(rf"\b{word}\b", str(meaning), text) if word != "NAME" else text.replace("@NAME", f"@{meaning}")
    return re.sub(r"^ +#pragma", "#pragma", text, flags=re.M)
