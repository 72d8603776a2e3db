r"""Optimisers: the update of a record, rewritten as equations, so that every target prints them like all others.

`sgd` is the record's own update. A rule may keep states, tensors in the parameter's shape that start at zero,
and use rates, scalars given at every step: the learning rate, and Adam's two corrections of the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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

Rates = Callable[[float, npt.NDArray[np.float64]], dict[str, npt.NDArray[np.float64]]]


@dataclass(frozen=True, slots=True)
class Optimizer:
    """A rule: the equations of one parameter's update, and the rates at the steps numbered from 1.

    `constant` says that the rates are the same at every step.
    """

    updates: Callable[[Var, Var], Iterator[tuple[Var, Node]]]
    rates: Rates
    constant: bool = True


def _plain(lr: float, steps: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
    return {LEARNING_RATE.latex: np.full(len(steps), lr)}


def _sgd(w: Var, g: Var) -> Iterator[tuple[Var, Node]]:
    yield w, w - LEARNING_RATE * g


def _momentum(w: Var, g: Var) -> Iterator[tuple[Var, Node]]:
    m = Var(rf"m_{{{w.latex}}}", w.shape)
    yield m, Const(MOMENTUM) * m + g
    yield w, w - LEARNING_RATE * m


def _adam(w: Var, g: Var) -> Iterator[tuple[Var, Node]]:
    m, v = Var(rf"m_{{{w.latex}}}", w.shape), Var(rf"v_{{{w.latex}}}", w.shape)
    yield m, Const(DECAY_1) * m + Const(1 - DECAY_1) * g
    yield v, Const(DECAY_2) * v + Const(1 - DECAY_2) * (g * g)
    yield w, w - LEARNING_RATE * (CORRECTION_1 * m) / (sqrt(CORRECTION_2 * v) + EPSILON)


def _adam_rates(lr: float, steps: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
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


def with_optimizer(derivation: Derivation, name: str) -> Derivation:
    """Return the record with every update as the optimiser does it, under the update's number."""
    rule = find_optimizer(name)
    gradients = {e.of: e.name for e in derivation.equations if e.role == "gradient"}
    equations: list[Equation] = []
    for equation in derivation.equations:
        if equation.role != "update" or equation.of is None or equation.of not in gradients:
            equations.append(equation)
            continue
        pairs = rule.updates(equation.of, gradients[equation.of])
        equations += [Equation(equation.id, out, value, "update", equation.of) for out, value in pairs]
    return replace(derivation, equations=tuple(equations))
