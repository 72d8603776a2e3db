"""The C target's kernels: tiles of matrix products in registers, dot products, matrices turned round.

A tile is one function of its own for each shape that a file uses, its loops unrolled so that every sum has a
register. With vector types the compiler has no choice; without, arrays of the same length stand in their place.

Where whole vectors end is counted before the loops: of a loop that begins where another one stopped, gcc believes
that it runs on past every array, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from codegen.plan.machine import BYTES, Machine
from codegen.plan.tiles import Tile
from codegen.targets.c_math import real

CHAINS = 4  # sums that run side by side, so that none waits for the one before

DOT = """
/* The dot product of two contiguous vectors: CHAINS sums of lanes, so that none waits for the one before. */
static inline REAL @dot(ptrdiff_t k, const REAL *a, const REAL *b)
{
    REAL lanes[CHAINS][LANES] = {{0}};
    const ptrdiff_t chained = k - k % (CHAINS * LANES), whole = k - k % LANES;
    REAL sum = 0;
    for (ptrdiff_t l = 0; l < chained; l += CHAINS * LANES) {
        for (int u = 0; u < CHAINS; ++u) {
            for (int w = 0; w < LANES; ++w) {
                lanes[u][w] += a[l + u * LANES + w] * b[l + u * LANES + w];
            }
        }
    }
    for (ptrdiff_t l = chained; l < whole; l += LANES) {
        for (int w = 0; w < LANES; ++w) {
            lanes[0][w] += a[l + w] * b[l + w];
        }
    }
    for (ptrdiff_t l = whole; l < k; ++l) {
        sum += a[l] * b[l];
    }
    for (int w = 0; w < LANES; ++w) {
        sum += TOTAL;
    }
    return sum;
}
"""
VECTOR_DOT = """
/* The dot product of two contiguous vectors: CHAINS vectors of sums, so that none waits for the one before. */
static inline REAL @dot(ptrdiff_t k, const REAL *a, const REAL *b)
{
    @vector s[CHAINS] = {{0}};
    const ptrdiff_t chained = k - k % (CHAINS * LANES), whole = k - k % LANES;
    REAL sum = 0;
    for (ptrdiff_t l = 0; l < chained; l += CHAINS * LANES) {
        UNROLL
        for (int u = 0; u < CHAINS; ++u) {
            s[u] += *(const @vector *)(a + l + u * LANES) * *(const @vector *)(b + l + u * LANES);
        }
    }
    for (ptrdiff_t l = chained; l < whole; l += LANES) {
        s[0] += *(const @vector *)(a + l) * *(const @vector *)(b + l);
    }
    for (ptrdiff_t l = whole; l < k; ++l) {
        sum += a[l] * b[l];
    }
    s[0] = TOTAL;
HALVES
    return sum + s[0][0];
}
"""

TOTAL = """
/* The sum of n numbers, as CHAINS sums of lanes. */
static inline REAL @total(ptrdiff_t n, const REAL *x)
{
    REAL lanes[CHAINS][LANES] = {{0}};
    const ptrdiff_t chained = n - n % (CHAINS * LANES), whole = n - n % LANES;
    REAL sum = 0;
    for (ptrdiff_t l = 0; l < chained; l += CHAINS * LANES) {
        for (int u = 0; u < CHAINS; ++u) {
            for (int w = 0; w < LANES; ++w) {
                lanes[u][w] += x[l + u * LANES + w];
            }
        }
    }
    for (ptrdiff_t l = chained; l < whole; l += LANES) {
        for (int w = 0; w < LANES; ++w) {
            lanes[0][w] += x[l + w];
        }
    }
    for (ptrdiff_t l = whole; l < n; ++l) {
        sum += x[l];
    }
    for (int w = 0; w < LANES; ++w) {
        sum += ALL;
    }
    return sum;
}
"""
VECTOR_TOTAL = """
/* The sum of n numbers, as CHAINS vectors of sums. */
static inline REAL @total(ptrdiff_t n, const REAL *x)
{
    @vector s[CHAINS] = {{0}};
    const ptrdiff_t chained = n - n % (CHAINS * LANES), whole = n - n % LANES;
    REAL sum = 0;
    for (ptrdiff_t l = 0; l < chained; l += CHAINS * LANES) {
        UNROLL
        for (int u = 0; u < CHAINS; ++u) {
            s[u] += *(const @vector *)(x + l + u * LANES);
        }
    }
    for (ptrdiff_t l = chained; l < whole; l += LANES) {
        s[0] += *(const @vector *)(x + l);
    }
    for (ptrdiff_t l = whole; l < n; ++l) {
        sum += x[l];
    }
    s[0] = ALL;
HALVES
    return sum + s[0][0];
}
"""
COLUMNS = """
/* Add up the rows of a matrix; `width` is a multiple of a vector. */
static void @add_rows(ptrdiff_t rows, ptrdiff_t width, const REAL *x, ptrdiff_t x_row, REAL *y)
{
    const ptrdiff_t chained = rows - rows % CHAINS;
    for (ptrdiff_t w = 0; w < width; w += LANES) {
        REAL s[CHAINS][LANES] = {{0}};
        for (ptrdiff_t r = 0; r < chained; r += CHAINS) {
            for (int u = 0; u < CHAINS; ++u) {
                for (int l = 0; l < LANES; ++l) {
                    s[u][l] += x[(r + u) * x_row + w + l];
                }
            }
        }
        for (ptrdiff_t r = chained; r < rows; ++r) {
            for (int l = 0; l < LANES; ++l) {
                s[0][l] += x[r * x_row + w + l];
            }
        }
        for (int l = 0; l < LANES; ++l) {
            y[w + l] = ALL_L;
        }
    }
}
"""
VECTOR_COLUMNS = """
/* Add up the rows of a matrix; `width` is a multiple of a vector. */
static void @add_rows(ptrdiff_t rows, ptrdiff_t width, const REAL *x, ptrdiff_t x_row, REAL *y)
{
    const ptrdiff_t chained = rows - rows % CHAINS;
    for (ptrdiff_t w = 0; w < width; w += LANES) {
        @vector s[CHAINS] = {{0}};
        for (ptrdiff_t r = 0; r < chained; r += CHAINS) {
            UNROLL
            for (int u = 0; u < CHAINS; ++u) {
                s[u] += *(const @vector *)(x + (r + u) * x_row + w);
            }
        }
        for (ptrdiff_t r = chained; r < rows; ++r) {
            s[0] += *(const @vector *)(x + r * x_row + w);
        }
        *(@vector *)(y + w) = ALL;
    }
}
"""

TURN = """
/* Turn a matrix round: to[j * to_row + i] = from[i * from_row + j], in blocks that stay in the nearest cache. */
static void @turn(ptrdiff_t rows, ptrdiff_t columns, const REAL *from, ptrdiff_t from_row, REAL *to, ptrdiff_t to_row)
{
    for (ptrdiff_t i = 0; i < rows; i += LANES) {
        const ptrdiff_t most = rows - i < LANES ? rows - i : LANES;
        ptrdiff_t j = 0;BLOCKS
        for (; j < columns; ++j) {
            for (ptrdiff_t r = 0; r < most; ++r) {
                to[j * to_row + i + r] = from[(i + r) * from_row + j];
            }
        }
    }
}
"""
BLOCKS = """
        for (; most == LANES && j + LANES <= columns; j += LANES) {
            @turn_block(from + i * from_row + j, from_row, to + j * to_row + i, to_row);
        }"""

TURN_BLOCK = """
/* A square block as wide as a vector: interleave its rows from both halves until each column is a row. */
static void @turn_block(const REAL *from, ptrdiff_t from_row, REAL *to, ptrdiff_t to_row)
{
    @vector a[LANES], b[LANES];
    UNROLL
    for (int r = 0; r < LANES; ++r) {
        a[r] = *(const @vector *)(from + r * from_row);
    }STAGES
    UNROLL
    for (int r = 0; r < LANES; ++r) {
        *(@vector *)(to + r * to_row) = RESULT[r];
    }
}
"""
STAGE = """
    UNROLL
    for (int r = 0; r < HALF; ++r) {
        TO[2 * r] = __builtin_shufflevector(FROM[r], FROM[r + HALF], LOW);
        TO[2 * r + 1] = __builtin_shufflevector(FROM[r], FROM[r + HALF], HIGH);
    }"""

CHAINED = (("dot", DOT, VECTOR_DOT), ("total", TOTAL, VECTOR_TOTAL), ("add_rows", COLUMNS, VECTOR_COLUMNS))

VECTOR = """
/* One register of numbers, at any address. */
typedef REAL @vector __attribute__((vector_size(WIDTH), aligned(SIZE), may_alias));
"""

TILE = """
/* ROWS rows of VECTORS vectors of sums over k; entry (r, l) of a is a[r * a_row + l * a_step]. */
static void @NAME(ptrdiff_t k, const REAL *a, ptrdiff_t a_row, ptrdiff_t a_step,
    const REAL *b, ptrdiff_t b_step, REAL *c, ptrdiff_t c_row)
{WHOLE
    @vector s[SUMS][VECTORS];
    UNROLL
    for (int r = 0; r < SUMS; ++r) {
        UNROLL
        for (int v = 0; v < VECTORS; ++v) {
            s[r][v] = (@vector){0};
        }
    }
    for (ptrdiff_t l = 0; l < CHAINED; l += CHAINS) {
        UNROLL
        for (int u = 0; u < CHAINS; ++u) {
            @vector x[VECTORS];
            UNROLL
            for (int v = 0; v < VECTORS; ++v) {
                x[v] = *(const @vector *)(b + (l + u) * b_step + v * LANES);
            }
            UNROLL
            for (int r = 0; r < ROWS; ++r) {
                const REAL y = a[r * a_row + (l + u) * a_step];
                UNROLL
                for (int v = 0; v < VECTORS; ++v) {
                    s[u * ROWS + r][v] += y * x[v];
                }
            }
        }
    }REST
    UNROLL
    for (int r = 0; r < ROWS; ++r) {
        UNROLL
        for (int v = 0; v < VECTORS; ++v) {
            *(@vector *)(c + r * c_row + v * LANES) = TOTAL;
        }
    }
}
"""
WHOLE = """
    const ptrdiff_t chained = k - k % CHAINS;"""
REST = """
    for (ptrdiff_t l = chained; l < k; ++l) {
        UNROLL
        for (int v = 0; v < VECTORS; ++v) {
            UNROLL
            for (int r = 0; r < ROWS; ++r) {
                s[r][v] += a[r * a_row + l * a_step] * *(const @vector *)(b + l * b_step + v * LANES);
            }
        }
    }"""

ALONE = """
/* An entry by itself: where gcc 12 gathers entries into vectors, it loads past the end of an array, and loses time. */
static inline REAL @alone(const REAL *entry)
{
#if defined(__GNUC__) && !defined(__clang__)
    __asm__("" : "+r"(entry));
#endif
    return *entry;
}
"""
PLAIN_TILE = """
/* ROWS rows of COLUMNS sums over k; entry (r, l) of a is a[r * a_row + l * a_step]. */
static void @NAME(ptrdiff_t k, const REAL *a, ptrdiff_t a_row, ptrdiff_t a_step,
    const REAL *b, ptrdiff_t b_step, REAL *c, ptrdiff_t c_row)
{
    REAL s[ROWS][COLUMNS] = {{0}};
    for (ptrdiff_t l = 0; l < k; ++l) {
        for (int r = 0; r < ROWS; ++r) {
            const REAL y = @alone(a + r * a_row + l * a_step);
            for (int w = 0; w < COLUMNS; ++w) {
                s[r][w] += y * b[l * b_step + w];
            }
        }
    }
    for (int r = 0; r < ROWS; ++r) {
        for (int w = 0; w < COLUMNS; ++w) {
            c[r * c_row + w] = s[r][w];
        }
    }
}
"""


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
