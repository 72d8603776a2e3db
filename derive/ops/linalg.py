"""Traces, inverses, determinants and norms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy

from derive.errors import ShapeError
from derive.expr import Apply, Node
from derive.op import Op, register
from derive.ops.reduction import total
from derive.ops.tensor import einsum, eye
from derive.shapes import Shape, axes, show_shape


def trace(x: Node) -> Node:
    """The sum of a square matrix's diagonal."""
    return Apply("trace", x)


def inverse(x: Node) -> Node:
    """The inverse of a square matrix."""
    return Apply("inverse", x)


def det(x: Node) -> Node:
    """The determinant of a square matrix."""
    return Apply("det", x)


def norm(x: Node, p: int | str = 2) -> Node:
    """The norm with p = 1, 2 or "inf" of all entries; of a matrix with p = 2, Frobenius' norm."""
    rows = {"1": "norm1", "2": "norm2", "inf": "norminf"}
    if str(p) not in rows:
        raise ValueError(f"a norm with p = {p} has no row; use 1, 2 or 'inf'")
    return Apply(rows[str(p)], x)


def _square(name: str, result: Callable[[Shape], Shape]) -> Callable[..., Shape]:
    def shape(shapes: tuple[Shape, ...]) -> Shape:
        if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][0] != shapes[0][1]:
            met = " and ".join(map(show_shape, shapes))
            raise ShapeError(f"{name}: the operands are {met}; expected one square matrix, nn")
        return result(shapes[0])

    return shape


register(Op(
    "trace", _square("trace", lambda shape: ()), r"d\,\mathrm{tr}(X) = \langle I, dX\rangle", "petersen2012",
    r"\operatorname{{tr}}({0})", (lambda y_bar, y, x: y_bar * eye(x.shape[0]),),
    define=lambda x: einsum("ii->", x), signatures=("nn->",), sympy=lambda size, x: sympy.Trace(x),
))  # fmt: skip


def _eliminate(functions: Any, x: Any) -> tuple[Any, Any]:
    """Return the determinant and the inverse by elimination; a pivot of zero asks for another point."""
    n = x.shape[0]
    unit = np.eye(n, dtype=np.int64)
    left, right, determinant = x, functions.of(unit), functions.of(1)
    for k in range(n):
        pivot = left.at(k, k)
        determinant = determinant * pivot
        row_left, row_right = left.at(k) / pivot, right.at(k) / pivot
        column = left.at(slice(None), k) - functions.of(unit[k])  # what is taken off each row: of row k, all but one
        left = left - _outer(column, row_left)
        right = right - _outer(column, row_right)
    return determinant, right


def _outer(column: Any, row: Any) -> Any:
    n = column.shape[0]
    return column.at(slice(None), None) * row.at(None, slice(0, n))


register(Op(
    "inverse", _square("inverse", lambda shape: shape), r"dX^{-1} = -X^{-1}\,dX\,X^{-1}", "giles2008",
    "{0}^{{-1}}", (lambda y_bar, y, x: -(y.T @ y_bar @ y.T),), binds=5, needs=(6,),
    value=lambda functions, x: _eliminate(functions, x)[1],
    entry=lambda field, at, x: field.inverse_matrix(x, at), signatures=("nn->nn",),
    numpy="inverse({0})", c="inverse({0})", sympy=lambda size, x: x.I,
))  # fmt: skip
register(Op(
    "det", _square("det", lambda shape: ()), r"d\det X = \det(X)\,\mathrm{tr}(X^{-1}\,dX)", "giles2008",
    r"\det({0})", (lambda y_bar, y, x: y_bar * y * inverse(x).T,),
    value=lambda functions, x: _eliminate(functions, x)[0], signatures=("nn->",),
    numpy="np.linalg.det({0})", c="det({0})",
    entry=lambda field, at, x: field.determinant(x, x.sizes[0]), draw=(0.5, 2.0),
    sympy=lambda size, x: sympy.Determinant(x),
))  # fmt: skip


def _entries(name: str) -> Callable[..., Shape]:
    def shape(shapes: tuple[Shape, ...]) -> Shape:
        if len(shapes) != 1 or not shapes[0]:
            raise ShapeError(f"{name} takes one vector or matrix; here are {' and '.join(map(show_shape, shapes))}")
        return ()

    return shape


def _of_entries(p: str) -> Callable[[tuple[Shape, ...]], str]:
    """The norm of all entries; of a matrix it is not the operator norm, and is written so."""
    return lambda shapes: (r"\|\operatorname{{vec}}({0})\|_" if len(axes(shapes[0])) > 1 else r"\|{0}\|_") + p


def _euclidean(shapes: tuple[Shape, ...]) -> str:
    return r"\|{0}\|_F" if len(axes(shapes[0])) > 1 else r"\|{0}\|_2"


def _largest_rule(y_bar: Node, y: Node, x: Node) -> Node:
    size = Apply("abs", x)
    return y_bar * (Apply("peak", size) * Apply("sign", x))


register(Op(
    "norm1", _entries("norm1"), r"d\|x\|_1 = \langle \mathrm{sign}(x), dx\rangle", "petersen2012", _of_entries("1"),
    (lambda y_bar, y, x: y_bar * Apply("sign", x),), define=lambda x: total(Apply("abs", x)),
    kink="sign(0) = 0 at 0", draw=(0.1, 2.0),
))  # fmt: skip
register(Op(
    "norm2", _entries("norm2"), r"d\|x\|_2 = \langle x, dx\rangle / \|x\|_2", "petersen2012", _euclidean,
    (lambda y_bar, y, x: y_bar * (x / y),), define=lambda x: Apply("sqrt", total(x**2)),
    kink="none; at 0 it stays undefined", draw=(0.1, 2.0),
))  # fmt: skip
register(Op(
    "norminf", _entries("norminf"), r"\text{the derivative sits at the entry of largest size}", "petersen2012",
    _of_entries(r"\infty"), (_largest_rule,), define=lambda x: Apply("max", Apply("abs", x)),
    kink="at the first of several largest entries", draw=(0.1, 2.0),
))  # fmt: skip
