r"""Jacobians, Hessians and products with them, read off from the reverse sweep.

For an arbitrary cotangent v of y the sweep gives \(\bar x = J^\top v\), which is linear in v: what stands at v is J.
The Hessian is the Jacobian of the gradient; nobody derives by another method, so that there is one set of rules.
Layout: the axes of y, then those of x.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

from derive.backprop import derive_gradients
from derive.derivation import Derivation, Equation, Step
from derive.errors import ModelError
from derive.expr import Const, Node, Var, substitute, variables
from derive.linear import by_indices, fused, read_off
from derive.model import Definition, Network, free_variables, restricted
from derive.ops.reduction import total
from derive.shapes import axes
from derive.simplify import Known, simplify
from derive.tidy import tidy

READ_OFF = "read off the matrix"
BY_INDEX = "read off by indices: no matrix form exists"
SCHWARZ = "the second derivatives are continuous, so that the Hessian is symmetric"


def derive_jacobian(network: Network, of: Var, by: Var, name: str = "", role: str = "jacobian") -> Derivation:
    r"""Derive \(\partial y/\partial x\) of a name by a free variable.

    Args:
        network: Defines `of`.
        of: What is differentiated, of any shape.
        by: The free variable.
        name: What the result is called; ∂y/∂x if empty.
        role: The role of the result's equation.
    Returns:
        The equations of the sweep for an arbitrary cotangent, then the Jacobian: axes of y, then those of x.
    Raises:
        ModelError: y does not depend on x.
    Source: Giles 2008, section 2.
    """
    swept, cotangent, handed = _swept(network, of, by)
    shape = (*axes(of.shape), *axes(by.shape))
    target = Var(name or rf"\frac{{\partial {of.latex}}}{{\partial {by.latex}}}", shape)
    known = Known({item.name: item.value for item in network.definitions})
    steps: list[Step] = []
    value = read_off(handed, cotangent) if len(of.shape) == len(by.shape) == 1 else None
    if not of.shape:
        value = tidy(substitute(handed, {cotangent: Const(1)}))
        steps.append(Step(READ_OFF, target, value, r"\bar x = J^T v \text{ for all } v", "giles2008"))
    elif value is not None:
        steps.append(Step("cotangent for an arbitrary $v$", target.T @ cotangent, handed))
        steps.append(Step(READ_OFF, target, value, r"\bar x = J^T v \text{ for all } v", "giles2008"))
    else:
        value = fused(by_indices(handed, cotangent))
        steps.append(Step(BY_INDEX, target, value, r"\bar x_b = \textstyle\sum_a J_{ab} v_a", "giles2008"))
    steps += simplify(steps[-1].after, known)
    result = Equation("", target, steps[-1].after, role, by, tuple(steps))
    return _numbered(replace(swept, equations=(*swept.equations, result)))


def derive_hessian(network: Network, by: Var) -> Derivation:
    r"""Derive \(\nabla^2 f\) of the network's loss by a free variable: the Jacobian of its gradient.

    Raises:
        ModelError: there is no loss, or it does not depend on the variable.
    """
    first, whole, gradient = _gradient(network, by)
    name = rf"\nabla_{{{by.latex}}}^2 {_loss(network).latex}"
    found = derive_jacobian(whole, gradient, by, name, "hessian")
    return _extended(first, found.equations[-1], *found.seeds)


def derive_hessian_product(network: Network, by: Var, direction: str = "v") -> Derivation:
    r"""Derive \(\nabla^2 f\,v\) for a direction v of the variable's shape, without the matrix itself.

    The product is the gradient of \(g^\top v\), at the cost of a gradient.
    Source: Pearlmutter 1994.
    """
    first, whole, gradient = _gradient(network, by)
    _, v, handed = _swept(whole, gradient, by, direction)
    name = Var(rf"\nabla_{{{by.latex}}}^2 {_loss(network).latex}\,{v.latex}", by.shape)
    step = Step("gradient of $g^T v$", name, handed, r"\nabla (g^T v) = (\nabla^2 f)\,v", "pearlmutter1994", (SCHWARZ,))
    return _extended(first, Equation("", name, handed, "product", by, (step,)), v)


def derive_directional(network: Network, by: Var, direction: str = "v") -> Derivation:
    r"""Derive the derivative of the loss in a direction v of the variable's shape: \(\langle \nabla f, v\rangle\)."""
    first, _, gradient = _gradient(network, by)
    v = Var(_free_word(network, direction), by.shape)
    value = tidy(gradient.T @ v if len(by.shape) == 1 else total(gradient * v) if by.shape else gradient * v)
    name = Var(rf"\dot{{{_loss(network).latex}}}")
    step = Step("derivative in a direction", name, value, r"df = \langle \nabla f, dx\rangle", "petersen2012")
    return _extended(first, Equation("", name, value, "directional", by, (step,)), v)


def _extended(first: Derivation, last: Equation, *given: Var) -> Derivation:
    """Return a gradient's record with one more equation instead of its updates."""
    equations = (*(e for e in first.equations if e.role != "update"), last)
    assumptions = (*first.assumptions, *(a for step in last.steps for a in step.assumptions))
    data = (*first.data, *given)
    return _numbered(replace(first, equations=equations, assumptions=tuple(dict.fromkeys(assumptions)), data=data))


def _loss(network: Network) -> Var:
    if network.loss is None:
        raise ModelError(f"{network.title}: there is no scalar to differentiate twice; add a loss, such as L = ...")
    return network.loss


def _gradient(network: Network, by: Var) -> tuple[Derivation, Network, Var]:
    """Return the gradient's record, the network with its backward equations added, and the gradient's name."""
    _loss(network)
    first = derive_gradients(network, (by,))
    whole = as_network(first)
    return first, whole, whole.definitions[-1].name


def as_network(derivation: Derivation) -> Network:
    """Return everything that a record computes, forward and backward, as one network without a loss."""
    roles = ("definition", "loss", "cotangent", "gradient")
    definitions = tuple(Definition(e.name, e.value) for e in derivation.equations if e.role in roles)
    return Network(derivation.title, definitions, None, None, {}, derivation.assumptions, derivation.samples)


def _free_word(network: Network, word: str) -> str:
    taken = {name.latex for item in network.definitions for name in (item.name, *variables(item.value))}
    numbered = (f"{word}_{{{k}}}" for k in itertools.count(1))
    return next(w for w in itertools.chain((word, "u", "w"), numbered) if w not in taken)


def _swept(network: Network, of: Var, by: Var, word: str = "v") -> tuple[Derivation, Var, Node]:
    """Return the sweep for an arbitrary cotangent of a name, that cotangent, and what it hands to the variable."""
    if by not in free_variables(network):
        raise ModelError(f"{network.title} has no free variable {by.latex}; differentiate by what no equation defines")
    cotangent = Var(_free_word(network, word), of.shape)
    whole = replace(restricted(network, of), loss=None, cotangents={of: cotangent.latex})
    swept = derive_gradients(whole, (by,))
    values = {e.name: e.value for e in swept.equations if e.role in ("cotangent", "gradient")}
    forward = tuple(e for e in swept.equations if e.role in ("definition", "loss"))
    handed = next(e.value for e in swept.equations if e.of == by)
    while inner := [name for name in variables(handed) if name in values and name != cotangent]:
        handed = tidy(substitute(handed, {name: values[name] for name in inner}))
    simpler = simplify(handed, Known({item.name: item.value for item in network.definitions}))
    handed = simpler[-1].after if simpler else handed
    return replace(swept, equations=forward, parameters=(by,), seeds=(cotangent,)), cotangent, handed


def _numbered(derivation: Derivation) -> Derivation:
    equations = tuple(replace(equation, id=str(k)) for k, equation in enumerate(derivation.equations, 1))
    return replace(derivation, equations=equations)
