"""What a claim is judged in: the model, its record, what names stand for, and what is known already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sympy

from derive.derivation import Derivation, Equation
from derive.expr import Const, Node, Var, substitute, variables
from derive.generalise import General
from derive.model import Definition, Network, free_variables
from derive.shapes import Shape
from derive.verify.evaluate import Point


@dataclass(frozen=True, slots=True)
class Partial:
    """The derivative of a name by another, of any shapes: what computes it, the derived value, and a direction.

    With a direction, the name stands for the derivative times the direction.
    """

    network: Network
    of: Var
    by: Var
    value: Node
    direction: Var | None = None


@dataclass(frozen=True)
class Setting:
    """What a claim is judged in.

    Attributes:
        network: The model; the functions themselves, from which exact evaluation starts.
        derivation: Its record, with an equation for every cotangent that a claim may speak of.
        cotangents: Which variable's cotangent a name stands for (`δ`, `∂L/∂Z` and what else the page writes).
        end: The name that the cotangents differentiate; None: the outputs, weighted by the record's seeds.
        partials: What further names of derivatives stand for: of other scalars, Jacobians, Hessians.
        held: Names taken to be constants where cotangents are evaluated: to find out what a claim forgot.
        structured: Whether gradients by symmetric and diagonal variables stay in their space.
        general: Where symbols took the place of sizes that are numbers: what they stand for.
        proving: Whether what is equal at exact points is to be proved, too.
        memory: Points already computed, so that all steps and claims share them.
        proofs: Proofs already found, by what they prove up to names.
    """

    network: Network
    derivation: Derivation
    cotangents: Mapping[Var, Var]
    end: Var | None = None
    partials: Mapping[Var, Partial] = field(default_factory=dict)
    held: frozenset[Var] = frozenset()
    structured: bool = True
    general: General | None = None
    proving: bool = True
    memory: dict[Any, list[Point]] = field(default_factory=dict)
    proofs: dict[Any, str] = field(default_factory=dict)

    @cached_property
    def backward(self) -> tuple[Equation, ...]:
        """The record's cotangents and gradients."""
        return tuple(e for e in self.derivation.equations if e.role in ("cotangent", "gradient") and e.of is not None)

    @cached_property
    def derived(self) -> dict[Node, Node]:
        """The derived value of each cotangent's name."""
        return {e.name: e.value for e in self.backward}

    @cached_property
    def names(self) -> dict[Var, Node]:
        """What stands for the cotangent of each name; 1 for the loss."""
        found: dict[Var, Node] = {of: seed for seed, of in self.cotangents.items() if seed in self.derivation.seeds}
        found.update({e.of: e.name for e in self.backward if e.of is not None})
        return found if self.end is None else {**found, self.end: Const(1)}

    @cached_property
    def known(self) -> frozenset[Var]:
        """All names whose values follow from the free variables."""
        return frozenset([*self._values, *self.cotangents, *self.partials])

    @cached_property
    def free(self) -> frozenset[Var]:
        """The free variables of the model."""
        return frozenset(free_variables(self.network))

    @cached_property
    def sizes(self) -> frozenset[sympy.Symbol]:
        """The sizes that the shapes of the model are made of."""
        names = {name for item in self.network.definitions for name in (item.name, *variables(item.value))}
        return frozenset(symbol for name in names for length in name.shape for symbol in length.free_symbols)

    @cached_property
    def _own_names(self) -> dict[Var | None, Var]:
        return {e.of: e.name for e in reversed(self.backward)}

    @cached_property
    def _users(self) -> dict[Var, list[Definition]]:
        found: dict[Var, list[Definition]] = {}
        for item in self.network.definitions:
            for name in variables(item.value):
                found.setdefault(name, []).append(item)
        return found

    @cached_property
    def _values(self) -> dict[Var, Node]:
        return {item.name: item.value for item in self.network.definitions}

    @property
    def numbers(self) -> Mapping[sympy.Symbol, sympy.Integer]:
        """The sizes of the model as written, by the symbols that stand for them."""
        return {} if self.general is None else self.general.numbers

    def as_written(self, shape: Shape) -> Shape:
        """Return a shape with the numbers of the model as written."""
        return tuple(length.xreplace(self.numbers) for length in shape)

    def users(self, name: Var) -> list[Definition]:
        """Return the equations that use a name."""
        return self._users.get(name, [])

    def defined(self, name: Var) -> Node | None:
        """Return the value of a name, or None where no equation defines it."""
        return self._values.get(name)

    def primary(self, name: Var) -> Var:
        """Return the name that the record uses for the same cotangent."""
        of = self.cotangents.get(name)
        return self._own_names.get(of, name) if of is not None else name

    def in_primary_names(self, node: Node) -> Node:
        """Return an expression in the record's own names of cotangents."""
        return substitute(node, {name: self.primary(name) for name in variables(node) if name in self.cotangents})
