r"""Products that sum over shared indices, and rearrangements: one einsum each.

The signature is the shape rule and, with the rows' axes dropped, the einsum. The product's two rules hold for
every shape that it takes: \(\bar A = \bar Y B^\top\), \(\bar B = A^\top \bar Y\).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from derive.expr import Node, product
from derive.op import Op, register, spell_einsum
from derive.shapes import Shape, find_signature


def contraction(name: str, signatures: tuple[str, ...], latex: str, vjp: Any, because: Any, **more: Any) -> Op:
    """Make the row of a contraction from the signatures that it takes."""

    def shape(shapes: tuple[Shape, ...], *params: Any) -> Shape:
        return find_signature(name, signatures, shapes)[1]

    def spec(shapes: tuple[Shape, ...]) -> str:
        return spell_einsum(find_signature(name, signatures, shapes)[0])

    return register(Op(name, shape, because, "giles2008", latex, vjp, spec, signatures=signatures, **more))


def _sympy_product(size: tuple[Any, ...], a: Any, b: Any) -> Any:
    """The product; a scalar is the only entry of a 1×1 matrix."""
    return a * b if size else (a * b)[0, 0]


def _right(rule: Callable[[Node, Node, Node], Node]) -> Callable[[Node, Node, Node, Node], Node]:
    return lambda y_bar, y, a, b: rule(y_bar, a, b)


contraction(
    "matmul",
    ("mn,np->mp", "mn,n->m", ".n,n->", ".n,np->.p", "m,.p->mp"),
    "{0} {1}",
    (_right(lambda y_bar, a, b: product(y_bar, b.T)), _right(lambda y_bar, a, b: product(a.T, y_bar))),
    (r"\langle \bar Y, dA\,B\rangle = \langle \bar Y B^T, dA\rangle",
     r"\langle \bar Y, A\,dB\rangle = \langle A^T \bar Y, dB\rangle"),
    binds=4, needs=(4, 5), numpy="{0} @ {1}", sympy=_sympy_product,
)  # fmt: skip
contraction(
    "transpose", ("mn->nm", "m->.m", ".m->m"), "{0}^T", (lambda y_bar, y, a: y_bar.T,),
    r"\langle \bar Y, dA^T\rangle = \langle \bar Y^T, dA\rangle", binds=5, needs=(6,), numpy="{0}.T",
    sympy=lambda size, a: a.T,
)  # fmt: skip
