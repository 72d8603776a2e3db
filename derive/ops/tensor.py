r"""Sums of products with indices of any number of axes, and the tensors of zeros and ones that move entries.

`einsum` is closed under its own derivative: the cotangent of an operand is the einsum of all the others with the
output's cotangent. Windows, slices, concatenation and padding are einsums with a `selection`
\([i = o + \sum_k c_k j_k]\), so that convolution and pooling need no rules of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy

from derive.errors import DeriveError, ShapeError
from derive.expr import Apply, Node, ones
from derive.op import Op, register
from derive.shapes import ROW, Shape, Size, axes, show_shape, size

MOST_OPERANDS = 8


def einsum(spec: str, *operands: Node) -> Node:
    """The sum of products in Einstein's notation, as NumPy writes it; a row counts as one axis.

    >>> from derive.expr import matrix
    >>> einsum("ij,ij->i", matrix("A", "m", "n"), matrix("B", "m", "n")).shape
    (m,)
    """
    return Apply("einsum", *operands, spec)


def eye(n: int | str | Size) -> Node:
    """The identity matrix of n rows."""
    return selection(size(n), (size(n),))


def selection(count: Size, counts: Sequence[Size], offset: Any = 0, steps: Sequence[Any] = ()) -> Node:
    r"""The tensor \([i = o + \sum_k c_k j_k]\) of zeros and ones; indices count from 0.

    Args:
        count: The size of i.
        counts: The sizes of the j.
        offset: The number o.
        steps: The numbers c, all 1 where left out.
    """
    pairs = zip(counts, tuple(steps) or (1,) * len(counts), strict=True)
    return Apply("selection", *(size(value) for value in (count, offset, *(x for pair in pairs for x in pair))))


# ---------------------------------------------------------------- einsum
def _einsum_shape(shapes: tuple[Shape, ...], spec: Any) -> Shape:
    words, right = _words(spec)
    if len(words) != len(shapes):
        raise ShapeError(f"einsum: {spec} is for {len(words)} operands; here are {len(shapes)}")
    sizes: dict[str, Size] = {}
    for word, shape in zip(words, shapes, strict=True):
        if len(word) != len(axes(shape)):
            raise ShapeError(f"einsum: the operand {show_shape(shape)} does not have the axes {word} of {spec}")
        for letter, length in zip(word, axes(shape), strict=True):
            if sizes.setdefault(letter, length) != length:
                raise ShapeError(f"einsum: {letter} of {spec} is {sizes[letter]} and {length}")
    if len(set(right)) < len(right) or not set(right) <= set(sizes):
        raise ShapeError(f"einsum: the output of {spec} must name axes of the operands, each once")
    return tuple(sizes[letter] for letter in right)


def _words(spec: Any) -> tuple[list[str], str]:
    left, right = str(spec).split("->")
    return left.split(","), right


def _spec(shapes: tuple[Shape, ...], spec: Any) -> str:
    return str(spec)


def _einsum_rule(place: int) -> Callable[..., Node]:
    """The rule for one operand: put the output's cotangent in its stead, and sum towards its axes."""

    def rule(y_bar: Node, y: Node, *rest: Any) -> Node:
        operands, spec = list(rest[:-1]), rest[-1]
        words, right = _words(spec)
        own, others = words[place], [word for k, word in enumerate(words) if k != place]
        factors = [operand for k, operand in enumerate(operands) if k != place]
        sizes = dict(zip(own, axes(operands[place].shape), strict=True))
        fresh = iter(letter for letter in "zyxwvutsrqponmlkjihgfedcba" if letter not in "".join(words))
        target = ""
        for letter in own:
            if letter in target:  # a diagonal: its entries stand where both indices agree
                other = next(fresh)
                factors.append(eye(sizes[letter]))
                others.append(letter + other)
                target += other
            else:
                target += letter
        missing = "".join(letter for letter in dict.fromkeys(own) if letter not in right + "".join(others))
        if missing:  # summed in this operand alone: its cotangent is the same all along
            factors.append(ones(*(sizes[letter] for letter in missing)))
            others.append(missing)
        result = einsum(f"{','.join([right, *others])}->{target}", y_bar, *factors)
        return result.T if operands[place].shape[:1] == (ROW,) else result

    return rule


def _index_form(shapes: tuple[Shape, ...]) -> str:
    return r"\text{{einsum}}(" + ", ".join(f"{{{k}}}" for k in range(len(shapes))) + ")"


register(Op(
    "einsum", _einsum_shape,
    r"y_a = \textstyle\sum_b A_{ab} x_b \;\Rightarrow\; \bar x_b = \textstyle\sum_a A_{ab}\,\bar y_a",
    "laue2018", _index_form, tuple(_einsum_rule(k) for k in range(MOST_OPERANDS)), spec=_spec, binds=2,
))  # fmt: skip


# ---------------------------------------------------------------- selections
def _selection_shape(shapes: tuple[Shape, ...], count: Size, offset: Any, *pairs: Any) -> Shape:
    if shapes or len(pairs) % 2:
        raise ShapeError("selection takes sizes and steps alone, no operands")
    return (count, *pairs[::2])


def _selection_value(functions: Any, count: int, offset: int, *pairs: int) -> Any:
    counts, steps = pairs[::2], pairs[1::2]
    places = offset + sum(c * j for c, j in zip(steps, np.indices(counts), strict=True))
    return functions.of((np.arange(count).reshape(-1, *(1 for _ in counts)) == places).astype(np.int64))


def _selection_entry(field: Any, at: Any, count: Size, offset: Any, *pairs: Any) -> Any:
    i, *others = at
    return field.relation(sympy.expand(offset), [(sympy.Integer(-1), i), *zip(pairs[1::2], others, strict=True)])


def _beyond(count: Size, offset: Any, *pairs: Any) -> Size:
    """Return how many entries lie beyond the last that is taken."""
    return count - 1 - offset - sum(step * (n - 1) for n, step in zip(pairs[::2], pairs[1::2], strict=True))


def _sympy_identity(size: tuple[Any, ...], count: Size, offset: Any, *pairs: Any) -> Any:
    if (offset, *pairs) != (0, count, 1):
        raise DeriveError("a selection that is no identity matrix has no form in SymPy")
    return sympy.Identity(count)


register(Op(
    "selection", _selection_shape, r"\text{a constant}", "petersen2012", "I",
    value=_selection_value, entry=_selection_entry, sympy=_sympy_identity, sized=True, beyond=_beyond,
))  # fmt: skip


# ---------------------------------------------------------------- diagonals
def diag(x: Node) -> Node:
    """The diagonal matrix of a vector, or the diagonal of a square matrix as a vector."""
    return Apply("diag", x)


def _diag_shape(shapes: tuple[Shape, ...]) -> Shape:
    (shape,) = shapes
    if len(shape) == 1:
        return (*shape, *shape)
    if len(shape) == 2 and shape[0] == shape[1]:
        return shape[:1]
    raise ShapeError(f"diag: the operand is {show_shape(shape)}; expected n->nn or nn->n")


def _as_einsum(x: Node) -> Node:
    return einsum("i,ij->ij", x, eye(x.shape[0])) if len(x.shape) == 1 else einsum("ii->i", x)


def _sympy_diagonal(size: tuple[Any, ...], x: Any) -> Any:
    return sympy.DiagMatrix(x) if size[0] == size[1] else sympy.DiagonalOf(x)


register(Op(
    "diag", _diag_shape, r"\langle \bar Y, \mathrm{diag}(dx)\rangle = \langle \mathrm{diag}(\bar Y), dx\rangle",
    "petersen2012", r"\operatorname{{diag}}({0})", (lambda y_bar, y, x: diag(y_bar),), define=_as_einsum,
    signatures=("n->nn", "nn->n"), sympy=_sympy_diagonal,
))  # fmt: skip


# ---------------------------------------------------------------- picking
def one_hot(index: Node, n: int | str | Size) -> Node:
    """The matrix whose row i is 1 at `index[i]`, else 0; the index is a vector of whole numbers from 0."""
    return Apply("one_hot", index, size(n))


def gather(rows: Node, index: Node) -> Node:
    """The rows of a matrix that an index vector names, such as the embeddings of tokens."""
    return one_hot(index, rows.shape[0]) @ rows


def _one_hot_shape(shapes: tuple[Shape, ...], n: Size) -> Shape:
    if len(shapes) != 1 or len(shapes[0]) != 1:
        raise ShapeError(f"one_hot: the operands are {' and '.join(map(show_shape, shapes))}; expected n->nk")
    return (shapes[0][0], n)


def _one_hot_value(functions: Any, index: Any, n: int) -> Any:
    return functions.of(np.eye(n, dtype=np.int64)[index.values.astype(np.int64) % n])


def _one_hot_entry(field: Any, at: Any, index: Any, n: Size) -> Any:
    return field.pick(index(at[0]), at[1])


register(Op(
    "one_hot", _one_hot_shape, r"\text{a constant: an index has no derivative}", "goodfellow2016",
    r"\operatorname{{onehot}}({0})", value=_one_hot_value, entry=_one_hot_entry, sized=True,
))  # fmt: skip


def _peak_shape(shapes: tuple[Shape, ...], axis: Any = None) -> Shape:
    if len(shapes) != 1:
        raise ShapeError(f"peak takes one operand; here are {len(shapes)}")
    (shape,) = shapes
    if axis is not None and (len(shape) < 2 or shape[0] == ROW):
        raise ShapeError(f"peak along axis {axis} needs a matrix; this is {show_shape(shape)}")
    if axis is not None and axis not in range(len(shape)):
        raise ValueError(f"a tensor of {len(shape)} axes has no axis {axis}; they count from 0")
    return shape


def _peak_value(functions: Any, x: Any, axis: int | None = None) -> Any:
    dropped = tuple(range(len(x.shape))) if axis is None else (axis,)
    mask = largest(x.values, dropped)
    return x.each(lambda values: mask + values * 0)


def largest(values: Any, dropped: tuple[int, ...]) -> Any:
    """Return 1 at the first largest entry along axes and 0 elsewhere."""
    kept = [k for k in range(values.ndim) if k not in dropped]
    turned = values.transpose([*kept, *dropped])
    flat = turned.reshape((*turned.shape[: len(kept)], -1))
    mask = np.eye(flat.shape[-1], dtype=np.int64)[np.argmax(flat, axis=-1)]
    return mask.reshape(turned.shape).transpose(np.argsort([*kept, *dropped]))


def _peak_entry(field: Any, at: Any, x: Any, axis: Any = None) -> Any:
    return field.peak(x(*at), frozenset(at) if axis is None else frozenset([at[int(axis)]]))


register(Op(
    "peak", _peak_shape, r"[x = \max x]' = 0", "goodfellow2016", r"[{0} = \max]",
    (lambda y_bar, y, x, axis=None: y_bar * (x * 0),), value=_peak_value, entry=_peak_entry,
    kink="at the first of several largest entries",
))  # fmt: skip
