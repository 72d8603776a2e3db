r"""Optimisers: the update of a record, rewritten as equations, so that every target prints them like all others.

`sgd` is the record's own update. A rule may keep states, tensors in the parameter's shape that start at zero,
and use rates, scalars given at every step: the learning rate, and Adam's two corrections of the start (`rates`).

Weight decay is decoupled from the gradient (Loshchilov and Hutter 2019): a step starts from `w - α λ w` in place of
`w`, with the learning rate of that step, and neither the gradient nor a state sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import TypeAlias

from sympy import Rational

from codegen import rates
from derive.backprop import LEARNING_RATE
from derive.derivation import Derivation, Equation
from derive.expr import Const, Node, Var
from derive.ops.elementwise import sqrt

MOMENTUM, EPSILON = Rational(9, 10), 1e-8
DECAY_1, DECAY_2 = Rational(rates.DECAY_1), Rational(rates.DECAY_2)
CORRECTION_1, CORRECTION_2 = Var(rates.CORRECTION_1), Var(rates.CORRECTION_2)

Updates: TypeAlias = Callable[[Var, Var, Node], Iterator[tuple[Var, Node]]]
"""The equations of one parameter's update, from the parameter, its gradient, and what a step starts from: the
parameter, or what decay leaves of it."""


def _sgd(w: Var, g: Var, start: Node) -> Iterator[tuple[Var, Node]]:
    yield w, start - LEARNING_RATE * g


def _momentum(w: Var, g: Var, start: Node) -> Iterator[tuple[Var, Node]]:
    m = Var(rf"m_{{{w.latex}}}", w.shape)
    yield m, Const(MOMENTUM) * m + g
    yield w, start - LEARNING_RATE * m


def _adam(w: Var, g: Var, start: Node) -> Iterator[tuple[Var, Node]]:
    m, v = Var(rf"m_{{{w.latex}}}", w.shape), Var(rf"v_{{{w.latex}}}", w.shape)
    yield m, Const(DECAY_1) * m + Const(1 - DECAY_1) * g
    yield v, Const(DECAY_2) * v + Const(1 - DECAY_2) * (g * g)
    yield w, start - LEARNING_RATE * (CORRECTION_1 * m) / (sqrt(CORRECTION_2 * v) + EPSILON)


OPTIMIZERS: dict[str, Updates] = {"sgd": _sgd, "momentum": _momentum, "adam": _adam}


def with_optimizer(
    derivation: Derivation, name: str, weight_decay: float = 0.0, decayed: Collection[Var] = ()
) -> Derivation:
    """Return the record with every update as the optimiser does it, under the update's number.

    Args:
        derivation: Over a mini-batch.
        name: Of the optimiser.
        weight_decay: The share of a decayed parameter, times the learning rate, that a step takes off.
        decayed: The parameters that decay.
    """
    rates.find_rule(name)  # refuses what there is not
    gradients = {e.of: e.name for e in derivation.equations if e.role == "gradient"}
    equations: list[Equation] = []
    for equation in derivation.equations:
        w = equation.of
        if equation.role != "update" or w is None or w not in gradients:
            equations.append(equation)
            continue
        start = w - LEARNING_RATE * (Const(weight_decay) * w) if weight_decay and w in decayed else w
        pairs = OPTIMIZERS[name](w, gradients[w], start)
        equations += [Equation(equation.id, out, value, "update", w) for out, value in pairs]
    return replace(derivation, equations=tuple(equations))
