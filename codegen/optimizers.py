r"""Optimisers: the update of a record, rewritten as equations, so that every target prints them like all others.

`sgd` is the record's own update. A rule may keep states, tensors in the parameter's shape that start at zero,
and use rates, scalars given at every step: the learning rate, and Adam's two corrections of the start.

Weight decay is decoupled from the gradient (Loshchilov and Hutter 2019): a step starts from `w - α λ w` in place of
`w`, with the learning rate of that step, and neither the gradient nor a state sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sympy import Rational

from codegen.errors import CodegenError
from derive.backprop import LEARNING_RATE
from derive.derivation import Derivation, Equation
from derive.expr import Const, Node, Var
from derive.ops.elementwise import sqrt

MOMENTUM = Rational(9, 10)
DECAY_1, DECAY_2, EPSILON = Rational(9, 10), Rational(999, 1000), 1e-8  # Kingma and Ba 2015
CORRECTION_1, CORRECTION_2 = Var(r"\mathrm{correction}_m"), Var(r"\mathrm{correction}_v")

Array = npt.NDArray[np.float64]
Rates = Callable[[Array, Array], dict[str, Array]]


@dataclass(frozen=True, slots=True)
class Optimizer:
    """A rule: the equations of one parameter's update, and the rates at the steps numbered from 1.

    `updates` takes a parameter, its gradient, and what a step starts from: the parameter, or what decay leaves of it.
    `rates` takes the learning rate of each step. `constant` says that the others are the same at every step.
    """

    updates: Callable[[Var, Var, Node], Iterator[tuple[Var, Node]]]
    rates: Rates
    constant: bool = True


def _plain(lr: Array, steps: Array) -> dict[str, Array]:
    return {LEARNING_RATE.latex: lr}


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


def _adam_rates(lr: Array, steps: Array) -> dict[str, Array]:
    corrections = {
        CORRECTION_1.latex: 1 / (1 - float(DECAY_1) ** steps),
        CORRECTION_2.latex: 1 / (1 - float(DECAY_2) ** steps),
    }
    return _plain(lr, steps) | corrections


OPTIMIZERS = {
    "sgd": Optimizer(_sgd, _plain),
    "momentum": Optimizer(_momentum, _plain),
    "adam": Optimizer(_adam, _adam_rates, constant=False),
}


def find_optimizer(name: str) -> Optimizer:
    """Return an optimiser.

    Raises:
        CodegenError: there is none of this name.
    """
    if name not in OPTIMIZERS:
        raise CodegenError(f"optimizer: met {name}; expected one of {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[name]


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
    rule = find_optimizer(name)
    gradients = {e.of: e.name for e in derivation.equations if e.role == "gradient"}
    equations: list[Equation] = []
    for equation in derivation.equations:
        w = equation.of
        if equation.role != "update" or w is None or w not in gradients:
            equations.append(equation)
            continue
        start = w - LEARNING_RATE * (Const(weight_decay) * w) if weight_decay and w in decayed else w
        pairs = rule.updates(w, gradients[w], start)
        equations += [Equation(equation.id, out, value, "update", w) for out, value in pairs]
    return replace(derivation, equations=tuple(equations))
