r"""Gradients that do not divide by what rounding makes 0 or infinite.

The record's \(\frac{\partial L}{\partial \hat y} = -y / \hat y\) times \(\hat y (1 - \hat y)\) is right, and no number
where \(\hat y\) has become 0. The stable form of the loss is the same function, and so is its derivative, in which
that quotient never arises. An equation of the record keeps its name and number; only its right side is replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from derive.backprop import derive_gradients
from derive.derivation import Derivation, Equation
from derive.expr import Apply, Const, Node, Var, substitute, variables, walk
from derive.model import Definition, Network
from derive.ops import table
from derive.stable.rules import Look, may_vanish
from derive.tidy import is_op

BACKWARD = ("cotangent", "gradient")


def stable_backward(
    derivation: Derivation, equations: tuple[Equation, ...], looked: frozenset[Var], look: Look
) -> tuple[Equation, ...]:
    """Return equations in which no gradient needs an unsafe quotient, as far as the stable forms have none.

    Args:
        derivation: The record.
        equations: Its equations, right sides in their stable forms.
        looked: Names that these forms look through: their cotangents are others in the rewritten model.
        look: Gives the value behind a name.
    """
    bad = _unsafe(equations, look)
    concerned = any(e.name in bad for e in equations if e.role == "gradient")
    if derivation.loss is None or not concerned or _recurs(equations):
        return equations
    others = _derivatives(derivation, equations, looked)
    bad = set()
    found = []
    for equation in equations:
        unsafe = equation.role in BACKWARD and _needs_unsafe(equation.value, bad, look)
        other = others.get(equation.of) if equation.of is not None and equation.of not in looked else None
        if unsafe and other is not None and not _needs_unsafe(other, bad, look):
            equation = replace(equation, value=other)
        elif unsafe:
            bad.add(equation.name)
        found.append(equation)
    return tuple(found)


def _recurs(equations: tuple[Equation, ...]) -> bool:
    """Tell whether the equations are those of one step of many, whose derivative is a sum over all."""
    return any(is_op(part, table.SERIES) for equation in equations for part in walk(equation.value))


def _unsafe(equations: tuple[Equation, ...], look: Look) -> set[Var]:
    """Return the names of gradients and cotangents that need an unsafe quotient, their own or another one's."""
    bad: set[Var] = set()
    for equation in equations:
        if equation.role in BACKWARD and _needs_unsafe(equation.value, bad, look):
            bad.add(equation.name)
    return bad


def _needs_unsafe(value: Node, bad: set[Var], look: Look) -> bool:
    parts = (part for part in walk(value) if isinstance(part, Apply))
    return not bad.isdisjoint(variables(value)) or any(_divides(part, look) for part in parts)


def _divides(node: Apply, look: Look) -> bool:
    if is_op(node, table.DIV):
        return may_vanish(node.operands[1], look)
    negative = is_op(node, table.POW) and isinstance(node.operands[1], Const) and node.operands[1].value.is_negative
    return bool(negative) and may_vanish(node.operands[0], look)


def _derivatives(derivation: Derivation, equations: tuple[Equation, ...], looked: frozenset[Var]) -> Mapping[Var, Node]:
    """Return the derivative of the rewritten model by each name, in the record's names for the others."""
    forward = tuple(Definition(e.name, e.value) for e in equations if e.role in ("definition", "loss"))
    network = Network(derivation.title, forward, derivation.loss, derivation.parameters, samples=derivation.samples)
    names = {e.of: e.name for e in equations if e.role in BACKWARD and e.of is not None and e.of not in looked}
    found: dict[Var, Node] = {}
    spelled: dict[Var, Node] = {}  # a derivative of the rewritten model, as the record can say it
    for equation in derive_gradients(network, derivation.parameters).equations:
        if equation.role in BACKWARD and equation.of is not None:
            found[equation.of] = substitute(equation.value, spelled)
            spelled[equation.name] = names.get(equation.of, found[equation.of])
    return found
