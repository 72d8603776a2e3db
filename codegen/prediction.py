r"""What a model predicts: the targets among its data, and the name that is compared with them."""

from __future__ import annotations

from derive.derivation import Derivation, Equation
from derive.expr import Var, variables
from derive.notation import bare_letter

TARGET_LETTERS = ("y", "t")
TARGET_DOMAINS = ("binary", "onehot", "simplex", "sign", "index")


def targets(derivation: Derivation) -> tuple[Var, ...]:
    """Return the data that predictions are compared with: by letter or domain, else the last that is used."""
    named = [v for v in derivation.data if v.domain in TARGET_DOMAINS or bare_letter(v.latex).lower() in TARGET_LETTERS]
    if named and len(named) < len(derivation.data):
        return tuple(named)
    forward = forward_equations(derivation)
    first = {v: next((k for k, e in enumerate(forward) if v in variables(e.value)), 0) for v in derivation.data}
    last = max(first.values(), default=0)
    return tuple(v for v in derivation.data if first[v] == last and last > 0)


def forward_equations(derivation: Derivation) -> list[Equation]:
    """Return the equations of the forward pass."""
    return [e for e in derivation.equations if e.role in ("definition", "loss")]


def depends_on(derivation: Derivation, names: tuple[Var, ...]) -> set[Var]:
    """Return the names, and the names of the forward pass that are computed from them."""
    reached = set(names)
    for equation in forward_equations(derivation):
        if reached.intersection(variables(equation.value)):
            reached.add(equation.name)
    return reached


def predicted(derivation: Derivation) -> Var | None:
    r"""Return the name that is compared with the targets, \hat{y}; None where the model names none."""
    compared = targets(derivation)
    after = depends_on(derivation, compared)
    trained = depends_on(derivation, derivation.parameters) - set(derivation.parameters)
    for equation in forward_equations(derivation):
        used = variables(equation.value)
        if not set(used) & set(compared):
            continue
        candidates = [name for name in used if name in trained and name not in after]
        if candidates:
            return candidates[-1]
    return None
