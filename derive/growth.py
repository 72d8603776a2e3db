"""How much an expression grows when it is multiplied out: SymPy does it whatever comes of it."""

from __future__ import annotations

import math

import sympy

MOST = 1000  # terms that may be multiplied out; sheets that people read have dozens


def terms_of(expr: sympy.Expr) -> int:
    """Return how many terms an expression has at most when it is multiplied out; any number past `MOST` is too many.

    >>> a, b = sympy.symbols("a b")
    >>> terms_of((a + b) ** 2 * (a + 1) + b), terms_of((a + b) ** 10**9) > MOST
    (7, True)
    """
    if expr.is_Add:
        return sum(map(terms_of, expr.args))
    if expr.is_Mul:
        return math.prod(map(terms_of, expr.args))
    if expr.is_Pow and expr.exp.is_Integer:
        count, power = min(terms_of(expr.base), MOST), abs(int(expr.exp))
        return math.comb(count + power - 1, count - 1)
    return 1
