"""Dropping what only clutters: factors of one, double signs, double transposes, sums of plain numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import mul
from typing import TypeGuard

import sympy

from derive.expr import Apply, Const, Node, ones_like
from derive.op import TABLE
from derive.ops import table


def tidy(node: Node) -> Node:
    """Drop factors of one, double signs and double transposes, add up plain numbers.

    >>> from derive.expr import scalar
    >>> tidy(-(-(1 * scalar("x")))) == scalar("x")
    True
    """
    if not isinstance(node, Apply):
        return node
    operands = tuple(tidy(operand) for operand in node.operands)
    fresh = node if operands == node.operands else Apply(node.args[0], *operands, *node.params)
    rule = _TIDY.get(fresh.op.name)
    return (rule(fresh) if rule else None) or fresh


def is_op(node: Node, name: str) -> TypeGuard[Apply]:
    """Tell whether a node applies the operation."""
    return isinstance(node, Apply) and node.op is TABLE[name]


def is_eye(node: Node) -> bool:
    """Tell whether a node is an identity matrix."""
    return is_op(node, table.SELECTION) and len(node.shape) == 2 and node.params[1:] == (0, node.shape[0], 1)


def constant(node: Node) -> Const | None:
    """Return the number that fills a constant tensor (`2·1`, `1 1ᵀ / N`), or None."""
    if isinstance(node, Const) or not isinstance(node, Apply):
        return node if isinstance(node, Const) else None
    if node.op.name == table.ONES:
        return Const(1)
    if node.op.name not in (table.NEG, table.MUL, table.DIV, table.TRANSPOSE, table.MATMUL):
        return None
    numbers = [constant(operand) for operand in node.operands]
    if any(number is None for number in numbers):
        return None
    values = [number.value for number in numbers if number is not None]
    if node.op.name == table.MATMUL:
        outer = len(node.operands[0].shape) == 1
        return Const(values[0] * values[1]) if outer else None
    if node.op.name == table.DIV:
        return Const(values[0] / values[1])
    sign = -1 if node.op.name == table.NEG else 1
    return Const(sign * reduce(mul, values))


def is_zero(node: Node) -> bool:
    """Tell whether a node is zero, or a tensor of zeros, as written."""
    number = constant(node)
    return number is not None and bool(number.value == 0)


def split_number(node: Node) -> tuple[Const, Node]:
    """Return a node as a number times the rest; the number is 1 where there is none in front.

    >>> from derive.expr import scalar
    >>> split_number(-(2 * scalar("x")))[0].value
    -2
    """
    if is_op(node, table.NEG):
        number, rest = split_number(node.operands[0])
        return Const(-number.value), rest
    if is_op(node, table.MUL) and isinstance(node.operands[0], Const):
        number, rest = split_number(node.operands[1])
        return Const(number.value * node.operands[0].value), rest
    if is_op(node, table.DIV) and isinstance(node.operands[1], Const):
        number, rest = split_number(node.operands[0])
        return Const(number.value / node.operands[1].value), rest
    return Const(1), node


def _is_number(node: Node, value: int) -> bool:
    return isinstance(node, Const) and node.value == value


def _tidy_product(node: Apply) -> Node | None:
    left, right = node.operands
    if (is_zero(left) or is_zero(right)) and not (isinstance(left, Const) and constant(right) == Const(1)):
        return Const(0) * ones_like(node)
    for one, other in ((left, right), (right, left)):
        if one.shape and one.shape == other.shape and (number := constant(one)) is not None:
            return tidy(number * other)
        if _is_number(one, 1):
            return other
        if _is_number(one, -1):
            return tidy(-other)
    if isinstance(left, Const) and not isinstance(right, Const) and left.value.could_extract_minus_sign():
        return tidy(-(Const(-left.value) * right))
    if is_op(left, table.NEG):
        return tidy(-(left.operands[0] * right))
    if is_op(right, table.NEG):
        return tidy(-(left * right.operands[0]))
    if isinstance(left, Const) and isinstance(right, Const):
        return Const(left.value * right.value)
    if isinstance(right, Const):
        return tidy(right * left)
    if isinstance(left, Const) and is_op(right, table.MUL) and isinstance(right.operands[0], Const):
        return tidy(Const(left.value * right.operands[0].value) * right.operands[1])
    if is_op(left, table.MUL) and isinstance(left.operands[0], Const):
        return tidy(left.operands[0] * (left.operands[1] * right))
    if not isinstance(left, Const) and is_op(right, table.MUL) and isinstance(right.operands[0], Const):
        return tidy(right.operands[0] * (left * right.operands[1]))  # a number stands first
    if left.shape and not right.shape and not is_op(right, table.SUM):  # a sum stands last, without brackets
        return tidy(right * left)
    if is_op(right, table.DIV) and _is_number(right.operands[0], 1):
        return tidy(left / right.operands[1])
    return None


def _tidy_matmul(node: Apply) -> Node | None:
    left, right = node.operands
    if is_eye(left) and len(right.shape) <= 2 and right.shape[0] == left.shape[0]:
        return right
    if is_eye(right):
        return left
    scale, factors = Const(1), []
    for operand in (left, right):
        number, rest = split_number(operand)
        scale = Const(scale.value * number.value)
        factors.append(rest)
    if scale.value != 1:
        return _scaled(scale, tidy(factors[0] @ factors[1]))
    for place, operand in enumerate((left, right)):  # a scalar beside a product stands before or below all of it
        if is_op(operand, table.DIV) and operand.operands[0].shape and not operand.operands[1].shape:
            top, bottom = operand.operands
            return tidy((top @ right if place == 0 else left @ top) / bottom)
    return None


def _scaled(number: Const, node: Node) -> Node:
    """Return a number times a node; -1 as a sign, 1/n as a denominator."""
    if number.value.could_extract_minus_sign():
        return tidy(-_scaled(Const(-number.value), node))
    top, bottom = sympy.fraction(number.value)
    scaled = node if top == 1 else Const(top) * node
    return scaled if bottom == 1 else scaled / Const(bottom)


def _tidy_negation(node: Apply) -> Node | None:
    (inner,) = node.operands
    if isinstance(inner, Const):
        return Const(-inner.value)
    return inner.operands[0] if is_op(inner, table.NEG) else None


def _tidy_sum(node: Apply) -> Node | None:
    left, right = node.operands
    if isinstance(left, Const) and isinstance(right, Const):
        return Const(left.value + right.value)
    for one, other in ((left, right), (right, left)):
        if is_zero(one) and other.shape == node.shape:
            return other
    return left - right.operands[0] if is_op(right, table.NEG) else None


def _tidy_difference(node: Apply) -> Node | None:
    left, right = node.operands
    if isinstance(left, Const) and isinstance(right, Const):
        return Const(left.value - right.value)
    return left + right.operands[0] if is_op(right, table.NEG) else None


def _tidy_quotient(node: Apply) -> Node | None:
    top, bottom = node.operands
    if _is_number(bottom, 1):
        return top
    if isinstance(top, Const) and isinstance(bottom, Const):
        return Const(top.value / bottom.value)
    return tidy(-(top.operands[0] / bottom)) if is_op(top, table.NEG) else None


def _tidy_transpose(node: Apply) -> Node | None:
    (inner,) = node.operands
    if is_eye(inner):
        return inner
    if is_op(inner, table.TRANSPOSE):
        return inner.operands[0]
    if is_op(inner, table.MATMUL) and any(is_op(factor, table.TRANSPOSE) for factor in inner.operands):
        left, right = inner.operands
        return tidy(right.T @ left.T)
    if is_op(inner, table.MUL) and not inner.operands[0].shape and is_op(inner.operands[1], table.TRANSPOSE):
        return inner.operands[0] * inner.operands[1].operands[0]
    return None


def _tidy_power(node: Apply) -> Node | None:
    base, exponent = node.operands
    return base if _is_number(exponent, 1) else None


_TIDY: dict[str, Callable[[Apply], Node | None]] = {
    table.MUL: _tidy_product, table.MATMUL: _tidy_matmul, table.NEG: _tidy_negation, table.ADD: _tidy_sum,
    table.SUB: _tidy_difference, table.DIV: _tidy_quotient, table.TRANSPOSE: _tidy_transpose, table.POW: _tidy_power,
}  # fmt: skip
