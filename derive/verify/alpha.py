"""Expressions up to the names of variables and sizes: what is proved of one holds for all that are alike."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import sympy

from derive.expr import Apply, Const, Node, Var
from derive.shapes import ROW


@dataclass(slots=True)
class Names:
    """Numbers for names and sizes, in the order in which they are met."""

    numbers: dict[Any, int] = field(default_factory=dict)

    def of(self, thing: Any) -> int:
        """Return the number of a name or a size symbol."""
        return self.numbers.setdefault(thing, len(self.numbers))

    def size(self, length: Any) -> Hashable:
        """Return a size with its symbols numbered; an expression as it is, with its symbols' numbers."""
        if not isinstance(length, sympy.Expr) or length == ROW or not length.free_symbols:
            return str(length)
        if length.is_Symbol:
            return self.of(length)
        symbols = sorted(length.free_symbols, key=str)
        return (str(length), tuple((str(symbol), self.of(symbol)) for symbol in symbols))

    def shape(self, node: Node) -> Hashable:
        """Return a shape with its sizes numbered."""
        return tuple(map(self.size, node.shape))

    def node(self, node: Node) -> Hashable:
        """Return an expression with its names numbered."""
        if isinstance(node, Var):
            return (self.of(node), node.domain, self.shape(node))
        if isinstance(node, Const):
            return ("#", self.size(node.value))
        assert isinstance(node, Apply)
        return (str(node.args[0]), *map(self.node, node.operands), *map(self.size, node.params))


def alike(*nodes: Node) -> Hashable:
    """Return a key that expressions share if they differ only in the names of variables and sizes.

    >>> from derive.expr import vector
    >>> alike(vector("x", "n") + vector("y", "n")) == alike(vector("a", "m") + vector("b", "m"))
    True
    """
    names = Names()
    return tuple(map(names.node, nodes))
