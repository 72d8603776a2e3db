"""Checking our own derivations: every step and every equation, by something that is not the deriver."""

from __future__ import annotations

from dataclasses import replace

from derive.derivation import Check, Derivation, Equation, Step
from derive.expr import Node, Var
from derive.model import Network
from derive.verify.judge import POINTS, Setting, agrees, judge

GOOD = ("proved", "verified")


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
    return replace(derivation, equations=tuple(_checked(equation, setting) for equation in derivation.equations))


def _checked(equation: Equation, setting: Setting) -> Equation:
    if equation.role not in ("cotangent", "gradient"):
        return equation
    own = _against_the_model(equation.name, equation.value, setting)
    steps = tuple(replace(step, check=_check(step, equation, own, setting)) for step in equation.steps)
    return replace(equation, steps=steps, check=own)


def _against_the_model(name: Var, value: Node, setting: Setting) -> Check:
    """Compare a derived equation with the tangents of the model: no rule of the sweep takes part."""
    if agrees(name, value, setting):
        return Check(
            "verified", f"equal to the model's tangents in exact arithmetic at {POINTS} points of different sizes"
        )
    return Check("undecided", "the model's tangents differ, or no point could be evaluated")


def _check(step: Step, equation: Equation, own: Check, setting: Setting) -> Check:
    """Check a rewriting step by normal form; the chain-rule step against the model."""
    if step.before == equation.name:
        return own if step.after == equation.value else _against_the_model(equation.name, step.after, setting)
    verdict = judge(step.before, step.after, setting)
    return Check(verdict.verdict, verdict.reason)


def all_checked(derivation: Derivation) -> bool:
    """Tell whether every step and every backward equation passed its check."""
    backward = [e for e in derivation.equations if e.role in ("cotangent", "gradient")]
    checks = [check for e in backward for check in (e.check, *(step.check for step in e.steps))]
    return all(check is not None and check.outcome in GOOD for check in checks)
