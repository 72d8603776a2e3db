"""Checking our own derivations: every step and every equation, by something that is not the deriver."""

from __future__ import annotations

from dataclasses import replace

from derive.derivation import Check, Derivation, Equation, Step
from derive.expr import Const, Node, Var, variables
from derive.jacobian import as_network
from derive.model import Definition, Network
from derive.verify.derivative import proves
from derive.verify.judge import BACKWARD, POINTS, Partial, Setting, agrees, judge

GOOD = ("proved", "verified")
SECOND = ("jacobian", "hessian", "directional")


def setting_for(network: Network, derivation: Derivation, more: dict[Var, Var] | None = None) -> Setting:
    """Return the setting in which claims about a derived model are judged; `more` names further cotangents."""
    own = {e.name: e.of for e in derivation.equations if e.of is not None and e.role in ("cotangent", "gradient")}
    seeds = {seed: of for seed, of in (more or {}).items() if seed in derivation.seeds}
    return Setting(network, derivation, {**own, **(more or {}), **seeds}, derivation.loss)


def checked(network: Network, derivation: Derivation, seeds: dict[Var, Var] | None = None) -> Derivation:
    """Return the derivation with the outcome of a check on each step and on each cotangent's equation.

    An equation is compared with the tangents of the model itself; a step's two sides with each other.
    """
    setting = setting_for(network, derivation, seeds)
    second = _second_order(derivation, setting)
    return replace(derivation, equations=tuple(
        _checked(equation, second if equation.role in SECOND else setting) for equation in derivation.equations
    ))  # fmt: skip


def _second_order(derivation: Derivation, setting: Setting) -> Setting:
    """Return the setting in which the last equation, a Jacobian of the equations before it, is checked."""
    last = derivation.equations[-1]
    if last.role not in SECOND or last.of is None:
        return setting
    whole = as_network(derivation)
    of = derivation.loss if last.role == "directional" and not last.name.shape else whole.definitions[-1].name
    assert of is not None
    direction = derivation.data[-1] if last.role == "directional" else None
    partials = {last.name: Partial(whole, of, last.of, last.value, direction)}
    return replace(setting, partials=partials, memory={})


def _checked(equation: Equation, setting: Setting) -> Equation:
    if equation.role not in BACKWARD:
        return equation
    own = _against_the_model(equation.name, equation.value, setting)
    steps = tuple(replace(step, check=_check(step, equation, own, setting)) for step in equation.steps)
    return replace(equation, steps=steps, check=own)


def _against_the_model(name: Var, value: Node, setting: Setting) -> Check:
    """Compare a derived equation with the tangents of the model: no rule of the sweep takes part."""
    if not agrees(name, value, setting):
        return Check("undecided", "the model's tangents differ, or no point could be evaluated")
    if _proved(name, value, setting):
        return Check("proved", "equal to the derivative of the model's normal forms, for all sizes")
    return Check("verified", f"equal to the model's tangents in exact arithmetic at {POINTS} points of different sizes")


def _proved(name: Var, value: Node, setting: Setting) -> bool:
    """Differentiate the normal forms of the equations that use a name, and compare."""
    of = setting.cotangents.get(name)
    if of is None:
        return False
    backward = [e for e in setting.derivation.equations if e.role in ("cotangent", "gradient") and e.of is not None]
    names: dict[Var, Node] = {
        own: alias for alias, own in setting.cotangents.items() if alias in setting.derivation.seeds
    }
    names.update({e.of: e.name for e in backward if e.of is not None})
    if setting.end is not None:
        names[setting.end] = Const(1)
    users = [item for item in setting.network.definitions if of in variables(item.value)]
    if any(item.name not in names for item in users):
        return False
    cotangents = {e.name: e.value for e in backward if e.of in [item.name for item in users]}
    forward = {item.name: item.value for item in users}
    nearby = {**cotangents, **_nearby(users, setting)}
    return any(
        proves(setting.network, of, value, names, inline, expand)
        for inline, expand in (({}, False), (cotangents, False), ({**cotangents, **forward}, False), (nearby, False),
                               ({}, True), (nearby, True))
    )  # fmt: skip


def _nearby(users: list[Definition], setting: Setting) -> dict[Var, Node]:
    """Return the values of the names that the users of a name mention."""
    mentioned = {part for item in users for part in variables(item.value)} | {item.name for item in users}
    return {item.name: item.value for item in setting.network.definitions if item.name in mentioned}


def _check(step: Step, equation: Equation, own: Check, setting: Setting) -> Check:
    """Check a rewriting step by normal form; the chain-rule step against the model."""
    if step.before == equation.name:
        return own if step.after == equation.value else _against_the_model(equation.name, step.after, setting)
    verdict = judge(step.before, step.after, setting)
    return Check(verdict.verdict, verdict.reason)


def all_checked(derivation: Derivation) -> bool:
    """Tell whether every step and every backward equation passed its check."""
    backward = [e for e in derivation.equations if e.role in BACKWARD]
    checks = [check for e in backward for check in (e.check, *(step.check for step in e.steps))]
    return all(check is not None and check.outcome in GOOD for check in checks)
