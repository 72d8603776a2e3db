"""The C target's matrix product: plain C that compilers vectorise, in tiles that stay in registers.

One general kernel takes the strides of its factors, so all layouts share it. It is isolated here so that faster
kernels can take its place.
"""

from __future__ import annotations

from codegen.targets.c_math import real

DOT = """
enum { @WIDTH = LANES }; /* sums that run side by side, as many as vector registers hold */

/* The dot product of two contiguous vectors, in lanes so that it vectorises without reordering anything else. */
static REAL @dot(ptrdiff_t k, const REAL *a, const REAL *b)
{
    REAL lanes[@WIDTH] = {0};
    REAL sum = 0;
    ptrdiff_t l = 0;
    for (; l + @WIDTH <= k; l += @WIDTH) {
        for (int w = 0; w < @WIDTH; ++w) {
            lanes[w] += a[l + w] * b[l + w];
        }
    }
    for (; l < k; ++l) {
        sum += a[l] * b[l];
    }
    for (int w = 0; w < @WIDTH; ++w) {
        sum += lanes[w];
    }
    return sum;
}
"""

MATMUL = """
enum { @ROWS = 4, @DEPTH = 128 }; /* rows of a tile of the product, and how much of the sum is packed */

/* Copy a block of b, at most DEPTH x WIDTH, padded with zeros to the full width; reads run along memory. */
static void @pack(ptrdiff_t k, ptrdiff_t width, const REAL *b, ptrdiff_t b_row, ptrdiff_t b_col, REAL *panel)
{
    for (ptrdiff_t w = 0; w < @WIDTH; ++w) {
        for (ptrdiff_t l = 0; l < k; ++l) {
            panel[l * @WIDTH + w] = w < width ? b[l * b_row + w * b_col] : 0;
        }
    }
}

/* Write a tile of sums into c, or add it to what an earlier block of the sum left there. */
static void @store(int rows, ptrdiff_t width, const REAL *sums, REAL *c, ptrdiff_t c_row, int first)
{
    for (int r = 0; r < rows; ++r) {
        for (ptrdiff_t w = 0; w < width; ++w) {
            c[r * c_row + w] = (first ? 0 : c[r * c_row + w]) + sums[r * @WIDTH + w];
        }
    }
}

/* Four rows of sums side by side; each has an array of its own, which compilers keep in registers. */
static void @tile4(ptrdiff_t k, const REAL *restrict a, ptrdiff_t a_row, ptrdiff_t a_col,
    const REAL *restrict b, ptrdiff_t b_row, REAL *restrict sums)
{
    REAL s0[@WIDTH] = {0}, s1[@WIDTH] = {0}, s2[@WIDTH] = {0}, s3[@WIDTH] = {0};
    for (ptrdiff_t l = 0; l < k; ++l) {
        const REAL *restrict row = b + l * b_row;
        const REAL x0 = a[l * a_col];
        const REAL x1 = a[a_row + l * a_col];
        const REAL x2 = a[2 * a_row + l * a_col];
        const REAL x3 = a[3 * a_row + l * a_col];
        for (int w = 0; w < @WIDTH; ++w) {
            s0[w] += x0 * row[w];
            s1[w] += x1 * row[w];
            s2[w] += x2 * row[w];
            s3[w] += x3 * row[w];
        }
    }
    for (int w = 0; w < @WIDTH; ++w) {
        sums[w] = s0[w];
        sums[@WIDTH + w] = s1[w];
        sums[2 * @WIDTH + w] = s2[w];
        sums[3 * @WIDTH + w] = s3[w];
    }
}

static void @tile1(ptrdiff_t k, const REAL *restrict a, ptrdiff_t a_col, const REAL *restrict b, ptrdiff_t b_row,
    REAL *restrict sums)
{
    REAL acc[@WIDTH] = {0};
    for (ptrdiff_t l = 0; l < k; ++l) {
        const REAL x = a[l * a_col];
        for (int w = 0; w < @WIDTH; ++w) {
            acc[w] += x * b[l * b_row + w];
        }
    }
    for (int w = 0; w < @WIDTH; ++w) {
        sums[w] = acc[w];
    }
}

/* c[m x p] = a[m x k] b[k x p]; entry (i, l) of a is a[i * a_row + l * a_col], and so for b; c is contiguous. */
static void @matmul(ptrdiff_t m, ptrdiff_t p, ptrdiff_t k, const REAL *a, ptrdiff_t a_row, ptrdiff_t a_col,
    const REAL *b, ptrdiff_t b_row, ptrdiff_t b_col, REAL *c)
{
    REAL panel[@DEPTH * @WIDTH];
    REAL sums[@ROWS * @WIDTH];
    if (a_col == 1 && b_row == 1 && (m < @ROWS || p < @ROWS)) { /* too thin for tiles: dot products */
        for (ptrdiff_t i = 0; i < m; ++i) {
            for (ptrdiff_t j = 0; j < p; ++j) {
                c[i * p + j] = @dot(k, a + i * a_row, b + j * b_col);
            }
        }
        return;
    }
    for (ptrdiff_t j = 0; j < p; j += @WIDTH) {
        const ptrdiff_t width = p - j < @WIDTH ? p - j : @WIDTH;
        for (ptrdiff_t l = 0; l < k; l += @DEPTH) {
            const ptrdiff_t depth = k - l < @DEPTH ? k - l : @DEPTH;
            const REAL *block = b + l * b_row + j * b_col;
            ptrdiff_t step = b_row;
            ptrdiff_t i = 0;
            if (b_col != 1 || width < @WIDTH) {
                @pack(depth, width, block, b_row, b_col, panel);
                block = panel;
                step = @WIDTH;
            }
            for (; i + @ROWS <= m; i += @ROWS) {
                @tile4(depth, a + i * a_row + l * a_col, a_row, a_col, block, step, sums);
                @store(@ROWS, width, sums, c + i * p + j, p, l == 0);
            }
            for (; i < m; ++i) {
                @tile1(depth, a + i * a_row + l * a_col, a_col, block, step, sums);
                @store(1, width, sums, c + i * p + j, p, l == 0);
            }
        }
    }
}
"""


def emit_kernels(used: set[str], prefix: str, dtype: str) -> str:
    """Return the C of the products that are used: `dot`, `matmul`."""
    text = DOT if used & {"dot", "matmul"} else ""
    text = text.replace("LANES", "16" if dtype == "float32" else "8")  # one vector of 64 bytes, or two of 32
    return real(text + (MATMUL if "matmul" in used else ""), prefix, dtype)
