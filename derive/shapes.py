"""Shapes: tuples of symbolic sizes, and the signatures that say which shapes an operation takes.

A scalar has the shape `()`, a vector `(n,)`, a matrix `(m, n)`. A transposed vector is a row, `(ROW, n)`: it
has one index like the vector, and lies the other way. A scalar and a 1×1 matrix are different things.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import sympy

from derive.errors import ShapeError

Size: TypeAlias = sympy.Expr
Shape: TypeAlias = tuple[Size, ...]

ROW = sympy.Symbol("ROW")  # the first axis of a row: no index runs along it


def size(value: int | str | sympy.Expr) -> Size:
    """Return a size: a number as it is, a word as a positive integer symbol.

    >>> size("h"), size(3)
    (h, 3)
    """
    if isinstance(value, str):
        return sympy.Symbol(value, integer=True, positive=True)
    return sympy.Integer(value) if isinstance(value, int) else value


def axes(shape: Shape) -> Shape:
    """Return the sizes along which an index runs: all but a row's first.

    >>> axes((ROW, size("n")))
    (n,)
    """
    return tuple(length for length in shape if length != ROW)


def letters_for(shape: Shape) -> str:
    """Return one index letter per axis of a shape."""
    return "ijklpqrs"[: len(axes(shape))]


def show_shape(shape: Shape) -> str:
    """Write a shape for an error message: `scalar`, `(n,)`, `(h, n)`, `row (n,)`."""
    if not shape:
        return "a scalar"
    if shape[0] == ROW:
        return f"a row ({shape[1]})"
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def match_signature(signature: str, shapes: Sequence[Shape]) -> Shape | None:
    """Return the result's shape if the operands fit a gufunc signature, else None; `.` stands for a row's axis.

    >>> m, n = size("m"), size("n")
    >>> match_signature("mn,n->m", [(m, n), (n,)])
    (m,)
    """
    left, right = signature.split("->")
    sizes: dict[str, Size] = {".": ROW}
    operands = left.split(",")
    if len(operands) != len(shapes):
        return None
    for letters, shape in zip(operands, shapes, strict=True):
        if len(letters) != len(shape):
            return None
        for letter, length in zip(letters, shape, strict=True):
            if (letter != "." and length == ROW) or sizes.setdefault(letter, length) != length:
                return None
    return tuple(sizes[letter] for letter in right)


def find_signature(name: str, signatures: Sequence[str], shapes: Sequence[Shape]) -> tuple[str, Shape]:
    """Return the first signature that fits, and the result's shape.

    Raises:
        ShapeError: none fits; the message shows the operands' shapes and the signatures.
    """
    for signature in signatures:
        shape = match_signature(signature, shapes)
        if shape is not None:
            return signature, shape
    met = " and ".join(map(show_shape, shapes))
    raise ShapeError(f"{name}: the operands are {met}; expected {' or '.join(signatures)}")


def broadcast(name: str, shapes: Sequence[Shape]) -> Shape:
    """Return the shape of an elementwise operation: equal shapes, or scalars beside them.

    Raises:
        ShapeError: two operands that are no scalars differ.
    """
    tensors = [shape for shape in shapes if shape]
    for shape in tensors[1:]:
        if shape != tensors[0]:
            met = " and ".join(map(show_shape, shapes))
            raise ShapeError(f"{name}: the operands are {met}; they must have the same shape, or one be a scalar")
    return tensors[0] if tensors else ()
