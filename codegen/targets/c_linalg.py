"""C of operations on whole matrices: determinant and inverse, by one factorisation with partial pivoting.

A pivot of zero is divided by like any other: a singular matrix has the determinant 0 and an inverse of infinities
and NaN. Work belongs to the caller: `n * (n + 1)` numbers.
"""

from __future__ import annotations

from collections.abc import Iterable

from codegen.errors import UnsupportedOpError
from codegen.plan.memory import workspace
from codegen.program import BATCH, Size, Whole
from codegen.targets.c_math import real
from codegen.targets.c_words import Lines, Words
from codegen.targets.spell import helpers_in

FACTOR = """
/* Copy a into work and factor it, rows swapped so that each pivot is the largest below it: L with ones on its
 * diagonal below, U above; behind them the number of the row that came to each place. Return the determinant. */
static REAL @factor(ptrdiff_t n, const REAL *a, REAL *work)
{
    REAL *const order = work + n * n;
    REAL product = 1;
    for (ptrdiff_t i = 0; i < n * n; ++i) {
        work[i] = a[i];
    }
    for (ptrdiff_t i = 0; i < n; ++i) {
        order[i] = (REAL)i;
    }
    for (ptrdiff_t k = 0; k < n; ++k) {
        ptrdiff_t best = k;
        REAL largest = 0;
        for (ptrdiff_t i = k; i < n; ++i) {
            const REAL entry = work[i * n + k] < 0 ? -work[i * n + k] : work[i * n + k];
            if (entry > largest) {
                largest = entry;
                best = i;
            }
        }
        if (best != k) {
            for (ptrdiff_t j = 0; j < n; ++j) {
                const REAL entry = work[k * n + j];
                work[k * n + j] = work[best * n + j];
                work[best * n + j] = entry;
            }
            const REAL row = order[k];
            order[k] = order[best];
            order[best] = row;
            product = -product;
        }
        const REAL pivot = work[k * n + k];
        product *= pivot;
        for (ptrdiff_t i = pivot == 0 ? n : k + 1; i < n; ++i) {
            const REAL factor = work[i * n + k] / pivot;
            work[i * n + k] = factor;
            for (ptrdiff_t j = k + 1; j < n; ++j) {
                work[i * n + j] -= factor * work[k * n + j];
            }
        }
    }
    return product;
}
"""
"""A column without a pivot has zeros alone and is left as it is: there is nothing to take off the rows below."""

FUNCTIONS = {
    "det": """
/* The determinant of the n x n matrix a. */
static void @det(ptrdiff_t n, const REAL *a, REAL *out, REAL *work)
{
    *out = @factor(n, a, work);
}
""",
    "inverse": """
/* The inverse of the n x n matrix a, row by row of the right sides: L and U are solved with the swapped identity. */
static void @inverse(ptrdiff_t n, const REAL *a, REAL *out, REAL *work)
{
    const REAL *const order = work + n * n;
    @factor(n, a, work);
    for (ptrdiff_t i = 0; i < n; ++i) {
        for (ptrdiff_t j = 0; j < n; ++j) {
            out[i * n + j] = order[i] == (REAL)j ? 1 : 0;
        }
        for (ptrdiff_t k = 0; k < i; ++k) {
            for (ptrdiff_t j = 0; j < n; ++j) {
                out[i * n + j] -= work[i * n + k] * out[k * n + j];
            }
        }
    }
    for (ptrdiff_t i = n - 1; i >= 0; --i) {
        for (ptrdiff_t k = i + 1; k < n; ++k) {
            for (ptrdiff_t j = 0; j < n; ++j) {
                out[i * n + j] -= work[i * n + k] * out[k * n + j];
            }
        }
        for (ptrdiff_t j = 0; j < n; ++j) {
            out[i * n + j] /= work[i * n + i];
        }
    }
}
""",
}


def emit_linalg(used: Iterable[str], prefix: str, dtype: str) -> str:
    """Return the functions of the given names, and the factorisation before them."""
    words = [word for word in FUNCTIONS if word in set(used)]
    return real("".join([FACTOR, *(FUNCTIONS[word] for word in words)]) if words else "", prefix, dtype)


def whole(words: Words, statement: Whole) -> Lines:
    """Return the call for every index of the leading labels.

    Raises:
        UnsupportedOpError: there is no function for the operation.
    """
    called = helpers_in([statement.row.c]) & FUNCTIONS.keys()
    if len(called) != 1 or len(statement.args) != 1:
        raise UnsupportedOpError(f"({statement.eq}): there is no C for {statement.op}; use --target numpy")
    (function,), (matrix,) = called, statement.args
    words.used.add(function)
    size = words.program.values[matrix.name].sizes[-1]
    index = words.loop_names(statement)
    index |= {label: "0" for ref in (statement.out, matrix) for label in ref.labels if label not in statement.each}
    places = ", ".join(_address(words.place(ref, index)) for ref in (matrix, statement.out))
    work = workspace(words.program, statement).name
    call = f"{words.helper}{function}({_count(words, size)}, {places}, {work});"
    return words.nest(statement, statement.each, [call])


def _address(place: str) -> str:
    return place[1:] if place.startswith("*") else f"&{place}"


def _count(words: Words, size: Size) -> str:
    return f"(ptrdiff_t){BATCH}" if size == BATCH else words.size(size)
