"""Expressions as they are written: variables, numbers, and operations on them.

Nodes are `sympy.Basic`, so `xreplace`, traversal and pickling work. They keep the order and the form in which
they were written: building one checks the shapes and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, cast

import sympy
from sympy.core.symbol import Str

from derive.op import Op, find
from derive.shapes import Shape, Size, size

Numeric: TypeAlias = int | float | sympy.Expr


class Node(sympy.Basic):  # type: ignore[misc]  # SymPy ships no types
    """An expression with a shape; `+ - * / ** @ .T` build further ones (`*` is the Hadamard product)."""

    shape: Shape

    def __add__(self, other: Node | Numeric) -> Node:
        return Apply("add", self, as_node(other))

    def __radd__(self, other: Numeric) -> Node:
        return Apply("add", as_node(other), self)

    def __sub__(self, other: Node | Numeric) -> Node:
        return Apply("sub", self, as_node(other))

    def __rsub__(self, other: Numeric) -> Node:
        return Apply("sub", as_node(other), self)

    def __mul__(self, other: Node | Numeric) -> Node:
        return Apply("mul", self, as_node(other))

    def __rmul__(self, other: Numeric) -> Node:
        return Apply("mul", as_node(other), self)

    def __truediv__(self, other: Node | Numeric) -> Node:
        return Apply("div", self, as_node(other))

    def __rtruediv__(self, other: Numeric) -> Node:
        return Apply("div", as_node(other), self)

    def __pow__(self, other: Node | Numeric) -> Node:
        return Apply("pow", self, as_node(other))

    def __neg__(self) -> Node:
        return Apply("neg", self)

    def __matmul__(self, other: Node) -> Node:
        return product(self, other)

    @property
    def T(self) -> Node:  # noqa: N802  # NumPy's name
        """The transpose; of a vector, a row."""
        return Apply("transpose", self)


class Var(Node):
    r"""A named tensor.

    Args:
        latex: Its name as printed, `W^{[1]}`.
        shape: Its sizes, `()` for a scalar.
        domain: `real`, or what else is known of its values: `positive`, `unit`, `binary`, `onehot`, `simplex`.
    """

    def __new__(cls, latex: str | Str, shape: Any = (), domain: str | Str = "real") -> Var:
        """Make a variable; sizes may be words."""
        sizes = sympy.Tuple(*map(size, shape))
        node = cast(Var, sympy.Basic.__new__(cls, as_word(latex), sizes, as_word(domain)))
        node.shape = tuple(sizes)
        return node

    @property
    def latex(self) -> str:
        """The name as printed."""
        return cast(str, self.args[0].name)

    @property
    def domain(self) -> str:
        """What is known of the values."""
        return cast(str, self.args[2].name)


class Const(Node):
    """A number, exact; sizes may occur in it (`1/N`)."""

    def __new__(cls, value: Numeric) -> Const:
        """Make a number; a float becomes the fraction that it prints as."""
        exact = sympy.nsimplify(value, rational=True) if isinstance(value, float) else sympy.Integer(0) + value
        node = cast(Const, sympy.Basic.__new__(cls, exact))
        node.shape = ()
        return node

    @property
    def value(self) -> sympy.Expr:
        """The number."""
        return self.args[0]


class Apply(Node):
    """An operation of the table, by name, on operands; whatever is no Node is a parameter (an axis, a size)."""

    def __new__(cls, name: str | Str, *args: Any) -> Apply:
        """Apply an operation; raises ShapeError where its row refuses the operands' shapes."""
        operands = tuple(arg for arg in args if isinstance(arg, Node))
        params = tuple(arg for arg in args if not isinstance(arg, Node))
        word = as_word(name)
        node = cast(Apply, sympy.Basic.__new__(cls, word, *operands, *map(as_param, params)))
        node.shape = find(word.name).shape(tuple(operand.shape for operand in operands), *node.params)
        return node

    @property
    def op(self) -> Op:
        """The row of the operation."""
        return find(self.args[0].name)

    @property
    def operands(self) -> tuple[Node, ...]:
        """What it is applied to."""
        return tuple(arg for arg in self.args[1:] if isinstance(arg, Node))

    @property
    def params(self) -> tuple[Any, ...]:
        """What else belongs to it."""
        return tuple(arg for arg in self.args[1:] if not isinstance(arg, Node))


def times_primed(node: Apply) -> int:
    r"""Return how often a function is primed: 1 for σ'(z); what it is called on the page does not count.

    >>> from derive.ops import table
    >>> times_primed(Apply("sigmoid", Var("z"), 1, r"\sigma"))
    1
    """
    return int(node.params[0]) if node.op.prime and node.params else 0


def unprimed(node: Apply) -> Apply:
    """Return the function itself for its derivative: σ(z) for σ'(z), called as on the page."""
    label = node.params[1:]
    return Apply(node.args[0], *node.operands, *((0, *label) if label else ()))


def as_word(value: str | Str) -> Str:
    """Return a name as SymPy keeps it."""
    return Str(value) if isinstance(value, str) else value


def as_param(value: Any) -> sympy.Basic:
    """Return a parameter as SymPy keeps it: a word as Str, a number as Integer."""
    return Str(value) if isinstance(value, str) else sympy.Integer(value) if isinstance(value, int) else value


def as_node(value: Node | Numeric) -> Node:
    """Return a Node as it is, a number as a Const."""
    return value if isinstance(value, Node) else Const(value)


def product(left: Node, right: Node) -> Node:
    """The matrix product, or a scalar multiple where one side is a scalar."""
    return Apply("matmul" if left.shape and right.shape else "mul", left, right)


def ones(*sizes: Size) -> Node:
    """The tensor of ones of the given sizes."""
    return Apply("ones", *sizes)


def ones_like(node: Node) -> Node:
    """Ones in a node's shape; the number 1 for a scalar."""
    if not node.shape:
        return Const(1)
    if len(node.shape) == 2 and node.shape == node.T.T.shape and len(node.T.shape) == 1:
        return ones(node.shape[1]).T
    return ones(*node.shape)


def variables(node: Node) -> list[Var]:
    """Return the variables in a node, each once, in the order of first occurrence."""
    known = node.__dict__.get("_variables")
    if known is None:
        known = tuple(dict.fromkeys(leaf for leaf in walk(node) if isinstance(leaf, Var)))
        node.__dict__["_variables"] = known
    return list(known)


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all nodes in it, outermost first, left to right."""
    yield node
    if isinstance(node, Apply):
        for operand in node.operands:
            yield from walk(operand)


def rebuild(node: Node, change: Callable[[Node], Node | None]) -> Node:
    """Return the node with `change` applied from the top: a result replaces the node, None descends."""
    changed = change(node)
    if changed is not None:
        return changed
    if not isinstance(node, Apply):
        return node
    operands = tuple(rebuild(operand, change) for operand in node.operands)
    return node if operands == node.operands else Apply(node.args[0], *operands, *node.params)


def substitute(node: Node, values: Mapping[Var, Node]) -> Node:
    """Return the node with variables replaced, all at once."""
    return rebuild(node, lambda part: values.get(part) if isinstance(part, Var) else None)


def scalar(latex: str, domain: str = "real") -> Var:
    """A scalar variable."""
    return Var(latex, (), domain)


def vector(latex: str, n: int | str | Size, domain: str = "real") -> Var:
    """A column vector of n entries."""
    return Var(latex, (n,), domain)


def matrix(latex: str, rows: int | str | Size, columns: int | str | Size, domain: str = "real") -> Var:
    """A matrix.

    >>> (matrix("W", "h", "n") @ vector("x", "n")).shape
    (h,)
    """
    return Var(latex, (rows, columns), domain)
