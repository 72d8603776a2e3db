"""What is written out before it is lowered: composites, derivatives f'(z), operations without templates, numbers."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from typing import cast

import sympy

from codegen.errors import UnboundSizeError, UnsupportedOpError
from codegen.program import Body, Call, Number, Samples
from codegen.scope import Scope
from derive.expr import Apply, Const, Node, times_primed, unprimed
from derive.op import Op
from derive.ops import elementwise, table


class _Written:
    """The field on which an operation without a template is written out: the functions, on nodes."""

    exp, log, sqrt, constant = elementwise.exp, elementwise.log, elementwise.sqrt, Const

    @staticmethod
    def sin(x: Node) -> Node:
        return Apply("sin", x)

    @staticmethod
    def cos(x: Node) -> Node:
        return Apply("cos", x)

    @staticmethod
    def step(x: Node) -> Node:
        return Apply("step", x)

    @staticmethod
    def normal_cdf(x: Node) -> Node:
        return Apply("normal_cdf", x)


def write_out(state: Scope, node: Apply, row: Op) -> Node | None:
    """Return a composite, a derivative f'(z) or an operation without templates in simpler ones; else None.

    Raises:
        UnsupportedOpError: nothing says how to compute it.
    """
    if row.slope is not None and times_primed(node) == 1:
        whole = unprimed(node)
        return cast(Node, row.slope(node.operands[0], state.outputs.get(whole, whole)))
    form = row.stable or row.define
    if form is not None:
        return cast(Node, form(*node.operands, *map(int, node.params)))
    if (row.numpy or row.c) and not times_primed(node):
        return None
    if row.body is not None and not times_primed(node):
        return cast(Node, row.body(_Written, *node.operands))
    raise no_code(state, node)


def no_code(state: Scope, node: Apply) -> UnsupportedOpError:
    """Return the error that says that no target has an operation."""
    return UnsupportedOpError(
        f"({state.eq}) {state.latex}: there is no code for {node.op.name}"
        f"{chr(39) * times_primed(node)}: no target has it; write the model with other operations, or give its row in "
        f"derive/ops/ the templates numpy and c"
    )


def lower_number(state: Scope, value: sympy.Expr) -> Body:
    """Return an exact number; the number of samples in it stays open."""
    value = value.subs(dict(state.numbers))
    if state.single:
        value = value.subs({state.samples: 1})
    if value.is_Rational:
        return Number(Fraction(int(value.p), int(value.q)))
    if value == state.samples:
        return Samples()
    if value.is_Mul or value.is_Add:
        row = table.MUL if value.is_Mul else table.ADD
        top, bottom = value.as_numer_denom()
        if bottom != 1:
            return Call(table.DIV, (lower_number(state, top), lower_number(state, bottom)))
        return reduce(lambda a, b: Call(row, (a, b)), [lower_number(state, arg) for arg in value.args])
    if value.is_Pow and value.free_symbols:
        top, bottom = value.as_numer_denom()
        if bottom != 1:
            return Call(table.DIV, (lower_number(state, top), lower_number(state, bottom)))
        return Call(table.POW, (lower_number(state, value.base), lower_number(state, value.exp)))
    if value.free_symbols:
        raise UnboundSizeError(f"({state.eq}): the number {value} has a size in it that nothing fixes")
    return Number(float(value))
