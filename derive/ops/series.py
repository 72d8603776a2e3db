r"""Sums over the steps of a recurrence: \(\sum_{t=1}^{T}\) of what has the letter t in its names."""

from __future__ import annotations

from typing import Any

from derive.errors import ShapeError
from derive.expr import Apply, Node
from derive.op import Op, register
from derive.shapes import Shape, Size


def series(term: Node, letter: str, last: str | Size) -> Node:
    """The sum of a term over a letter from 1 to `last`; names with the letter in their marks differ from step to step.

    >>> from derive.expr import vector
    >>> series(vector("h_t", "n"), "t", "T").shape
    (n,)
    """
    return Apply("series", term, letter, str(last))


def _shape(shapes: tuple[Shape, ...], letter: Any, last: Any) -> Shape:
    if len(shapes) != 1:
        raise ShapeError(f"series takes one term; here are {len(shapes)}")
    return shapes[0]


def _entry(field: Any, at: Any, term: Any, letter: Any, last: Any) -> Any:
    return field.series(str(letter), str(last), lambda: term(*at))


register(Op(
    "series", _shape, r"d \textstyle\sum_t x_t = \sum_t dx_t", "goodfellow2016",
    r"\sum_{{{a[0]}=1}}^{{{a[1]}}} {0}", entry=_entry, binds=2, needs=(2,),
))  # fmt: skip
