r"""Sums, means and maxima over all entries or along an axis, softmax and log-sum-exp, and tensors of ones.

Along axis 0 of a matrix a reduction leaves a row (one number a column), along axis 1 a vector.
"""

from __future__ import annotations

from typing import Any

import sympy

from derive.errors import ShapeError
from derive.expr import Apply, Const, Node, ones, ones_like, product
from derive.op import Op, register
from derive.ops.tensor import einsum
from derive.shapes import ROW, Shape, axes, letters_for, show_shape


def reduced(shapes: tuple[Shape, ...], axis: Any = None) -> Shape:
    """Return the shape after a reduction over everything (`axis` None) or along an axis of a matrix."""
    if len(shapes) != 1:
        raise ShapeError(f"a reduction takes one operand; here are {len(shapes)}")
    if axis is None:
        return ()
    (shape,) = shapes
    if len(shape) < 2 or shape[0] == ROW:
        raise ShapeError(f"a reduction along axis {axis} needs a matrix; this is {show_shape(shape)}")
    if axis not in range(len(shape)):
        raise ValueError(f"a tensor of {len(shape)} axes has no axis {axis}; they count from 0")
    kept = tuple(length for k, length in enumerate(shape) if k != axis)
    return (ROW, *kept) if len(shape) == 2 and axis == 0 else kept


def spread(reduction: Node, x: Node, axis: Any = None) -> Node:
    """Repeat what a reduction of x left, so that it has the shape of x again (a scalar stays one)."""
    if axis is None:
        return reduction
    if len(x.shape) == 2:
        rows, columns = x.shape
        return product(ones(rows), reduction) if axis == 0 else product(reduction, ones(columns).T)
    letters = letters_for(x.shape)
    along = letters[int(axis)]
    return einsum(f"{letters.replace(along, '')},{along}->{letters}", reduction, ones(x.shape[int(axis)]))


def _spec(shapes: tuple[Shape, ...], axis: Any = None) -> str:
    letters = letters_for(shapes[0])
    return f"{letters}->" + ("" if axis is None else letters.replace(letters[int(axis)], ""))


def _count(x: Node, axis: Any) -> sympy.Expr:
    return sympy.Mul(*axes(x.shape)) if axis is None else x.shape[int(axis)]


def total(x: Node, axis: int | None = None) -> Node:
    """The sum of all entries, or along an axis."""
    return Apply("sum", x) if axis is None else Apply("sum", x, axis)


def mean(x: Node, axis: int | None = None) -> Node:
    """The mean of all entries, or along an axis."""
    return Apply("mean", x) if axis is None else Apply("mean", x, axis)


def logsumexp(x: Node, axis: int | None = None) -> Node:
    """log Σ e^x over all entries, or along an axis."""
    return Apply("logsumexp", x) if axis is None else Apply("logsumexp", x, axis)


def largest(x: Node, axis: int | None = None) -> Node:
    """The largest entry, or the largest along an axis."""
    return Apply("max", x) if axis is None else Apply("max", x, axis)


def softmax(x: Node, axis: int | None = None) -> Node:
    r"""\(e^{x_i} / \sum_k e^{x_k}\); along an axis of a matrix."""
    return Apply("softmax", x) if axis is None else Apply("softmax", x, axis)


def _exponentials(x: Node, *axis: Any) -> Node:
    e = Apply("exp", x)
    return e / spread(Apply("sum", e, *axis), e, *axis)


def _shifted(x: Node, *axis: Any) -> Node:
    return _exponentials(x - spread(Apply("max", x, *axis), x, *axis), *axis)


def _same(shapes: tuple[Shape, ...], axis: Any = None) -> Shape:
    reduced(shapes, axis)
    return shapes[0]


def _sympy_sum(size: tuple[Any, ...], x: Any, axis: Any = None) -> Any:
    """The sum as a product with ones from both sides, or from one."""
    if not hasattr(x, "shape"):
        return x
    rows, columns = x.shape
    left, right = sympy.OneMatrix(1, rows), sympy.OneMatrix(columns, 1)
    if axis is None:
        return (left * x * right)[0, 0]
    return left * x if axis == 0 else x * right


register(Op(
    "sum", reduced, r"\langle \bar y, \textstyle\sum dx\rangle = \langle \bar y\,\mathbf{1}, dx\rangle", "giles2008",
    r"\sum {0}", (lambda y_bar, y, x, *axis: spread(y_bar, x, *axis) if axis else y_bar * ones_like(x),),
    spec=_spec, reduce="sum", binds=2, needs=(2,),
    numpy="np.sum({0}{axis})", sympy=_sympy_sum,
))  # fmt: skip
def _mean_rule(y_bar: Node, y: Node, x: Node, *axis: Any) -> Node:
    if axis:
        return Const(1 / _count(x, *axis)) * spread(y_bar, x, *axis)
    return y_bar * (ones_like(x) / Const(_count(x, None)))


register(Op(
    "mean", reduced, r"\text{the sum's rule, times one over the number of entries}", "giles2008",
    r"\frac{{1}}{{{n}}} \sum {0}", (_mean_rule,),
    define=lambda x, axis=None: Const(1 / _count(x, axis)) * Apply("sum", x, *([] if axis is None else [axis])),
    binds=2, needs=(2,),
))  # fmt: skip
register(Op(
    "max", reduced, r"\text{the derivative sits at the largest entry}", "goodfellow2016",
    r"\max({0})", (lambda y_bar, y, x, *axis: spread(y_bar, x, *axis) * Apply("peak", x, *axis),),
    spec=_spec, reduce="max", kink="at the first of several largest entries", numpy="np.max({0}{axis})",
))  # fmt: skip


def _softmax_rule(y_bar: Node, y: Node, x: Node, *axis: Any) -> Node:
    return y * (y_bar - spread(Apply("sum", y * y_bar, *axis), x, *axis))


register(Op(
    "softmax", _same,
    r"\frac{\partial s_i}{\partial z_j} = s_i ([i = j] - s_j)", "goodfellow2016",
    r"\text{{softmax}}({0})", (_softmax_rule,), define=_exponentials, stable=_shifted,
))  # fmt: skip


def _log_sum_exp(x: Node, *axis: Any) -> Node:
    return Apply("log", Apply("sum", Apply("exp", x), *axis))


def _shifted_log_sum_exp(x: Node, *axis: Any) -> Node:
    top = Apply("max", x, *axis)
    return top + _log_sum_exp(x - spread(top, x, *axis), *axis)


def _log_sum_exp_rule(y_bar: Node, y: Node, x: Node, *axis: Any) -> Node:
    return spread(y_bar, x, *axis) * Apply("softmax", x, *axis)


register(Op(
    "logsumexp", reduced, r"\nabla \log \textstyle\sum e^{x} = \text{softmax}(x)", "blanchard2021",
    r"\text{{logsumexp}}({0})", (_log_sum_exp_rule,), define=_log_sum_exp, stable=_shifted_log_sum_exp,
))  # fmt: skip
def _given(shapes: tuple[Shape, ...], *sizes: Any) -> Shape:
    if shapes:
        raise ShapeError("ones takes sizes alone, no operands")
    return tuple(sizes)


register(Op(
    "ones", _given, r"\text{a constant}", "petersen2012", r"\mathbf{{1}}",
    sympy=lambda size, *sizes: sympy.OneMatrix(*size), sized=True,
    numpy="np.ones({shape})",
))  # fmt: skip
