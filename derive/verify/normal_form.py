r"""Normal forms: two expressions with the same one are equal for all sizes.

An expression becomes a polynomial in entries of named tensors and in functions of polynomials. Elementwise
functions live in a differential field: their derivatives are replaced by their slopes (σ' = σ - σ²). To compare,
denominators without bound indices are multiplied out; then both sides are polynomials.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from derive.expr import Apply, Const, Node, Var, times_primed
from derive.op import Op
from derive.shapes import axes
from derive.verify.field import Field, Functions, OutsideError, Value
from derive.verify.polynomial import (
    Index,
    Polynomial,
    TooLargeError,
    atom,
    constant,
    fresh,
    size_polynomial,
    sum_over,
)  # fmt: skip


@dataclass(slots=True)
class Normaliser:
    """Turns expressions into polynomials; `inline` gives the names that are replaced by their values."""

    field: Field
    inline: Mapping[Var, Node]

    def read(self, node: Node, at: tuple[Index, ...]) -> Polynomial:
        """Return the entry of an expression at the given indices, one per axis."""
        if isinstance(node, Const):
            return size_polynomial(node.value)
        if isinstance(node, Var):
            if node in self.inline:
                return self.read(self.inline[node], at)
            head = f"v:{node.latex}"
            self.field.domains[head] = node.domain
            return atom(head, at)
        assert isinstance(node, Apply)
        return self.field.reduce(self._apply(node, node.op, at))

    def _apply(self, node: Apply, op: Op, at: tuple[Index, ...]) -> Polynomial:
        if op.spec is not None:
            return self._contract(node, op.spec(tuple(o.shape for o in node.operands), *node.params), at, op.reduce)
        if op.define is not None:
            return self.read(op.define(*node.operands, *node.params), at)
        if op.prime:
            return self._function(node, op, at)
        if op.body is not None:
            return self._body(node, op, at)
        if not node.operands:
            return constant(1)
        raise OutsideError(op.name)

    def _entries(self, node: Apply, at: tuple[Index, ...]) -> list[Polynomial]:
        return [self.read(operand, at if axes(operand.shape) else ()) for operand in node.operands]

    def _body(self, node: Apply, op: Op, at: tuple[Index, ...]) -> Polynomial:
        assert op.body is not None
        values = [Value(entry, self.field) for entry in self._entries(node, at)]
        result = op.body(Functions(self.field), *values)
        return result.poly if isinstance(result, Value) else constant(result)

    def _function(self, node: Apply, op: Op, at: tuple[Index, ...]) -> Polynomial:
        order, label = times_primed(node), (*node.params, "", "")[1]
        (x,) = node.operands
        if order == 1 and op.slope is not None:
            return self.read(op.slope(x, Apply(op.name, x)), at)
        if order == 0 and self.field.expand and op.body is not None:
            return self._body(node, op, at)
        mark = f"{op.name}{label if op.body is None else ''}'{order}"
        return self.field.apply(mark, self._entries(node, at)[0])

    def _contract(self, node: Apply, spec: str, at: tuple[Index, ...], reduction: str) -> Polynomial:
        left, right = spec.split("->")
        if reduction not in ("", "sum"):
            raise OutsideError(node.op.name)
        names: dict[str, Index] = dict(zip(right, at, strict=True))
        factors = []
        for letters, operand in zip(left.split(","), node.operands, strict=True):
            for letter, length in zip(letters, axes(operand.shape), strict=True):
                if letter not in names:  # a free number of its own, until it is summed over
                    names[letter] = Index(-fresh(length).number if length != 1 else -1, length)
            factors.append(self.read(operand, tuple(names[letter] for letter in letters)))
        result = constant(1)
        for factor in factors:
            result = result * factor
        for letter, index in names.items():
            if letter not in right:
                result = self.field.reduce(sum_over(result, index))
        return result


def same(left: Node, right: Node, inline: Mapping[Var, Node] | None = None, expand: bool = False) -> bool:
    """Tell whether two expressions have the same normal form; False proves nothing.

    Args:
        left, right: Expressions of shapes that agree but for axes of one entry.
        inline: Names to replace by their values.
        expand: Write σ and tanh through exp as well.
    """
    own = Field(expand=expand)
    normaliser = Normaliser(own, inline or {})
    lengths = [length for length in axes(left.shape) if length != 1]
    if lengths != [length for length in axes(right.shape) if length != 1]:
        return False
    try:
        return own.is_zero(normaliser.read(left, _aligned(left)) - normaliser.read(right, _aligned(right)))
    except (OutsideError, TooLargeError, RecursionError):
        return False


def _aligned(node: Node) -> tuple[Index, ...]:
    """Return free indices numbered along the axes of more than one entry."""
    numbers = iter(range(2, 99))
    return tuple(Index(-1, length) if length == 1 else Index(-next(numbers), length) for length in axes(node.shape))
