"""Texts of the C target's kernels: tiles, dot products, sums, matrices turned round; `c_kernels` fills them in.

Where whole vectors end is counted before the loops: of a loop that begins where another one stopped, gcc believes
that it runs on past every array, and says so.
"""

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
