r"""Normal forms: two expressions with the same one are equal for all sizes.

An expression becomes a polynomial in entries of named tensors and in functions of polynomials. Elementwise
functions live in a differential field: their derivatives are replaced by their slopes (σ' = σ - σ²). To compare,
denominators without bound indices are multiplied out; then both sides are polynomials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field

from derive.expr import Apply, Const, Node, Var, times_primed
from derive.op import TABLE, Op
from derive.shapes import Shape, axes
from derive.verify.atoms import OutsideError
from derive.verify.field import Field
from derive.verify.polynomial import (
    SYMMETRIC,
    Index,
    Polynomial,
    TooLargeError,
    atom,
    constant,
    fresh,
    size_polynomial,
    sum_over,
)  # fmt: skip
from derive.verify.values import Functions, Value


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of an operand, by its indices, and the sizes of these."""

    read: Callable[..., Polynomial]
    sizes: Shape

    def __call__(self, *at: Index) -> Polynomial:
        """Return an entry."""
        return self.read(*at)


def head_of(var: Var) -> str:
    """Return the head of a variable's entries; variables of one name in different domains are different."""
    head = f"v:{var.latex}" if var.domain == "real" else f"v:{var.latex}|{var.domain}"
    return f"{SYMMETRIC}{head}" if var.domain in ("symmetric", "spd") and len(var.shape) == 2 else head


@dataclass(slots=True)
class Normaliser:
    """Turns expressions into polynomials; `inline` gives the names that are replaced by their values."""

    field: Field
    inline: Mapping[Var, Node]
    known: dict[Var, Polynomial] = dataclass_field(default_factory=dict)

    def read(self, node: Node, at: tuple[Index, ...]) -> Polynomial:
        """Return the entry of an expression at the given indices, one per axis."""
        if isinstance(node, Const):
            return size_polynomial(node.value)
        if isinstance(node, Var):
            if node in self.known:
                return self.known[node]
            if node in self.inline:
                return self.read(self.inline[node], at)
            return self._variable(node, at)
        assert isinstance(node, Apply)
        return self.field.reduce(self._apply(node, node.op, at))

    def at_argument(self, name: str, argument: Polynomial, slope: bool = False) -> Polynomial:
        """Return a function of one variable, or its slope, at an argument that is a polynomial already."""
        x = Var(r"\cdot")
        node: Node = Apply(name, x)
        row_slope = TABLE[name].slope
        if slope and row_slope is not None:
            node = row_slope(x, node)
        inside = Normaliser(self.field, self.inline, {x: argument})
        return inside.read(node, ())

    def _variable(self, node: Var, at: tuple[Index, ...]) -> Polynomial:
        head = head_of(node)
        self.field.domains[head] = node.domain
        step = self.field.step_of(node.latex) if self.field.running else ()
        if step and head.startswith(SYMMETRIC):
            raise OutsideError("a symmetric matrix under a sum over steps")
        if node.domain == "diagonal" and len(at) == 2:
            return self.field.delta(*at) * atom(head, (*step, at[0]))
        return atom(head, (*step, *at))

    def _apply(self, node: Apply, op: Op, at: tuple[Index, ...]) -> Polynomial:
        if op.entry is not None:
            entry: Polynomial = op.entry(self.field, at, *map(self._reader, node.operands), *node.params)
            return entry
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

    def _reader(self, operand: Node) -> Entries:
        return Entries(lambda *at: self.read(operand, at), axes(operand.shape))

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
        names: dict[str, Index] = dict(zip(right, at, strict=True))
        factors = []
        for letters, operand in zip(left.split(","), node.operands, strict=True):
            for letter, length in zip(letters, axes(operand.shape), strict=True):
                if letter not in names:  # a free number of its own, until it is summed over
                    names[letter] = Index(-fresh(length).number if length != 1 else -1, length)
            factors.append(self.read(operand, tuple(names[letter] for letter in letters)))
        summed = [index for letter, index in names.items() if letter not in right]
        if reduction == "max":  # the sum of what stands where the largest is
            factors.append(self.field.peak(factors[0], frozenset(index for index in summed if index.size != 1)))
        result = constant(1)
        for factor in factors:
            result = self.field.reduce(result * factor)
        for index in summed:
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
