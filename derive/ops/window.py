"""Windows, convolution, pooling, slices, concatenation and dropout, as compositions of rows.

Convolution is what networks call so: \\(y_t = \\sum_j x_{st+dj-p}\\,k_j\\) with stride s, dilation d and p zeros before
and after. Entries outside of the input are zero.
"""

from __future__ import annotations

from functools import reduce
from operator import add

import sympy

from derive.errors import ShapeError
from derive.expr import Apply, Node, Numeric, as_node
from derive.ops.tensor import einsum, selection
from derive.shapes import Size, show_shape, size


def count_windows(n: Size, q: Size, stride: int = 1, padding: int = 0, dilation: int = 1) -> Size:
    """Return how many windows of q entries fit into n with padding: ⌊(n + 2p - d(q - 1) - 1)/s⌋ + 1."""
    span = n + 2 * padding - dilation * (q - 1) - 1
    return sympy.floor(span / stride) + 1 if stride != 1 else span + 1


def _places(n: Size, q: Size, stride: int, padding: int, dilation: int) -> Node:
    count = count_windows(n, q, stride, padding, dilation)
    return selection(n, (count, q), -padding, (stride, dilation))


def windows(
    x: Node, q: int | str | Size, *, stride: int | None = None, padding: int = 0, dilation: int = 1
) -> Node:
    """The windows of q entries of a vector as the rows of a matrix; without a stride they do not overlap."""
    if len(x.shape) != 1:
        raise ShapeError(f"windows: the operand is {show_shape(x.shape)}; expected a vector")
    length = size(q)
    step = stride if stride is not None else int(length)
    return einsum("s,stj->tj", x, _places(x.shape[0], length, step, padding, dilation))


def conv1d(x: Node, k: Node, *, stride: int = 1, padding: int = 0, dilation: int = 1) -> Node:
    """The convolution of a vector (n,) with a kernel (q,), or of channels (c, n) with kernels (o, c, q)."""
    if len(x.shape) == 1:
        return einsum("s,stj,j->t", x, _places(x.shape[0], k.shape[0], stride, padding, dilation), k)
    return einsum("cs,stj,ocj->ot", x, _places(x.shape[1], k.shape[2], stride, padding, dilation), k)


def conv2d(x: Node, k: Node, *, stride: int = 1, padding: int = 0, dilation: int = 1) -> Node:
    """The convolution of channels (c, p, q) with kernels (o, c, r, s)."""
    down = _places(x.shape[1], k.shape[2], stride, padding, dilation)
    across = _places(x.shape[2], k.shape[3], stride, padding, dilation)
    return einsum("cab,aui,bvj,ocij->ouv", x, down, across, k)


def max_pool(x: Node, q: int, *, stride: int | None = None, padding: int = 0) -> Node:
    """The largest entry of each window of a vector, or of each square window of each channel (c, p, q)."""
    if len(x.shape) == 1:
        return Apply("max", windows(x, q, stride=stride, padding=padding), 1)
    return Apply("max", Apply("max", _patches(x, q, stride or q, padding), 4), 3)


def mean_pool(x: Node, q: int, *, stride: int | None = None, padding: int = 0) -> Node:
    """The mean of each window of a vector, or of each square window of each channel (c, p, q)."""
    if len(x.shape) == 1:
        return Apply("mean", windows(x, q, stride=stride, padding=padding), 1)
    return Apply("mean", Apply("mean", _patches(x, q, stride or q, padding), 4), 3)


def _patches(x: Node, q: int, stride: int, padding: int) -> Node:
    down = _places(x.shape[1], size(q), stride, padding, 1)
    across = _places(x.shape[2], size(q), stride, padding, 1)
    return einsum("cab,aui,bvj->cuvij", x, down, across)


def part(x: Node, start: int | Size, count: int | str | Size, axis: int = 0) -> Node:
    """The entries `start … start + count - 1` along an axis of a vector or matrix."""
    place = selection(x.shape[axis], (size(count),), start)
    if len(x.shape) == 1:
        return einsum("s,st->t", x, place)
    return place.T @ x if axis == 0 else x @ place


def concatenate(parts: list[Node], axis: int = 0) -> Node:
    """Vectors one below the other, or matrices along an axis."""
    whole = sum((x.shape[axis] for x in parts), sympy.Integer(0))
    placed, start = [], sympy.Integer(0)
    for x in parts:
        place = selection(whole, (x.shape[axis],), start)
        placed.append(place @ x if axis == 0 else x @ place.T)
        start = start + x.shape[axis]
    return reduce(add, placed)


def dropout(x: Node, mask: Node, keep: Node | Numeric) -> Node:
    """x where the mask is 1, divided by the share that is kept."""
    return mask * x / as_node(keep)
