"""Checking our own derivations: every step and every equation, by something that is not the deriver."""

from __future__ import annotations

import math
from dataclasses import replace

from derive.derivation import Check, Derivation, Equation, Step
from derive.expr import Node, Var, variables
from derive.generalise import General, generalised
from derive.jacobian import as_network
from derive.model import Definition, Network, free_variables
from derive.shapes import axes
from derive.verify.alpha import alike
from derive.verify.derivative import proves
from derive.verify.judge import BACKWARD, GOOD, POINTS, agrees
from derive.verify.literal import judge_as_written, readings, with_sizes
from derive.verify.setting import Partial, Setting

FEW_ENTRIES = 10_000  # of all arrays of a model that is run at its own sizes
SECOND = ("jacobian", "hessian", "product", "directional")


def setting_for(network: Network, derivation: Derivation, more: dict[Var, Var] | None = None) -> Setting:
    """Return the setting in which claims about a derived model are judged; `more` names further cotangents."""
    own = {e.name: e.of for e in derivation.equations if e.of is not None and e.role in ("cotangent", "gradient")}
    seeds = {seed: of for seed, of in (more or {}).items() if seed in derivation.seeds}
    return Setting(network, derivation, {**own, **(more or {}), **seeds}, derivation.loss)


def checked(network: Network, derivation: Derivation, seeds: dict[Var, Var] | None = None) -> Derivation:
    """Return the derivation with the outcome of a check on each step and on each cotangent's equation.

    An equation is compared with the tangents of the model itself; a step's two sides with each other. Where sizes
    are numbers, symbols stand for them; what then fails is looked at again at the sizes themselves.
    """
    general = generalised(network)
    if general is None:
        return _checked_as_it_is(network, derivation, seeds)
    done = _checked_in_general(general, derivation, seeds or {})
    if all_checked(done) or not _is_small(network):
        return done
    again = _checked_as_it_is(network, derivation, seeds)
    return replace(done, equations=tuple(map(_better, done.equations, again.equations)))


def _checked_as_it_is(network: Network, derivation: Derivation, seeds: dict[Var, Var] | None) -> Derivation:
    setting = setting_for(network, derivation, seeds)
    second = second_order(derivation, setting)
    return replace(derivation, equations=tuple(
        _checked(equation, second if equation.role in SECOND else setting) for equation in derivation.equations
    ))  # fmt: skip


def _checked_in_general(general: General, derivation: Derivation, seeds: dict[Var, Var]) -> Derivation:
    """Check a record of a model with numbers for sizes, with symbols in their place.

    A number of the record may be a size or a constant: what holds for either reading holds.
    """
    constant = general.lifted(derivation, general.lift)
    sized = general.lifted(derivation, lambda node: with_sizes(general.lift(node), general))
    named = {general.name(seed): general.name(of) for seed, of in seeds.items()}
    setting = replace(setting_for(general.network, sized, named), general=general)
    second = second_order(sized, setting)
    done = (_checked(e, second if e.role in SECOND else setting) for e in constant.equations)
    return replace(derivation, equations=tuple(map(_with_outcomes, derivation.equations, done)))


def _with_outcomes(equation: Equation, done: Equation) -> Equation:
    steps = (replace(step, check=other.check) for step, other in zip(equation.steps, done.steps, strict=True))
    return replace(equation, check=done.check, steps=tuple(steps))


def _better(one: Equation, other: Equation) -> Equation:
    """Return an equation with the more telling of two outcomes: the first where it is good."""

    def choose(mine: Check | None, its: Check | None) -> Check | None:
        decided = its is not None and its.outcome != "undecided"
        return its if decided and (mine is None or mine.outcome not in GOOD) else mine

    steps = (replace(a, check=choose(a.check, b.check)) for a, b in zip(one.steps, other.steps, strict=True))
    return replace(one, check=choose(one.check, other.check), steps=tuple(steps))


def _is_small(network: Network) -> bool:
    """Tell whether a model can be run at its own sizes, with tangents along every entry."""
    names = {*free_variables(network), *(item.name for item in network.definitions)}
    lengths = [[int(n) if n.is_Integer else 2 for n in axes(name.shape)] for name in names]
    return sum(map(math.prod, lengths)) <= FEW_ENTRIES


def second_order(derivation: Derivation, setting: Setting) -> Setting:
    """Return the setting in which the last equation, a Jacobian of the equations before it, is checked."""
    last = derivation.equations[-1]
    if last.role not in SECOND or last.of is None:
        return setting
    whole = as_network(derivation)
    of = derivation.loss if last.role == "directional" else whole.definitions[-1].name
    assert of is not None
    direction = derivation.data[-1] if last.role in ("product", "directional") else None
    partials = {last.name: Partial(whole, of, last.of, last.value, direction)}
    return replace(setting, partials=partials, memory={})


def _checked(equation: Equation, setting: Setting) -> Equation:
    if equation.role not in BACKWARD:
        return equation
    own = _against_the_model(equation.name, equation.value, setting)
    free = equation.steps[0].before if equation.steps else equation.name
    if isinstance(free, Var) and free != equation.name and equation.of is not None:
        return _checked_in_space(equation, equation.of, free, own, setting)
    steps = tuple(replace(step, check=_check(step, equation, own, setting)) for step in equation.steps)
    return replace(equation, steps=steps, check=own)


def _checked_in_space(equation: Equation, of: Var, free: Var, own: Check, setting: Setting) -> Equation:
    """Check a gradient by a structured variable: first that by independent entries, then its part in the space."""
    loose = replace(setting, structured=False, cotangents={**setting.cotangents, free: of}, memory={}, proofs={})
    *inner, last = equation.steps
    unstructured = replace(equation, name=free, value=inner[-1].after, steps=tuple(inner))
    return replace(equation, steps=(*_checked(unstructured, loose).steps, replace(last, check=own)), check=own)


def _against_the_model(name: Var, value: Node, setting: Setting) -> Check:
    """Compare a derived equation with the tangents of the model: no rule of the sweep takes part."""
    sides = [(name, value), *readings(name, value, setting)]
    written = next((right for left, right in sides if agrees(left, right, setting)), None)
    if written is None:
        return Check("undecided", "the model's tangents differ, or no point could be evaluated")
    if _proved(name, written, setting):
        return Check("proved", "equal to the derivative of the model's normal forms, for all sizes")
    return Check("verified", f"equal to the model's tangents in exact arithmetic at {POINTS} points of different sizes")


def _proved(name: Var, value: Node, setting: Setting) -> bool:
    """Differentiate the normal forms of the equations that use a name, and compare."""
    of = setting.cotangents.get(name)
    if of is None:
        return False
    names = setting.names
    users = setting.users(of)
    if any(item.name not in names for item in users):
        return False
    cotangents = {name: setting.derived[name] for item in users if (name := names[item.name]) in setting.derived}
    forward = {item.name: item.value for item in users}
    around = _nearby(users, setting)
    written = [node for pair in (*forward.items(), *cotangents.items(), *around.items()) for node in pair]
    key = ("derivative", alike(of, value, *written, *(names[item.name] for item in users)))
    if key not in setting.proofs:
        proved = _by_normal_forms(setting, of, value, names, cotangents, forward, around)
        setting.proofs[key] = "proved" if proved else ""
    return bool(setting.proofs[key])


def _by_normal_forms(
    setting: Setting, of: Var, value: Node, names: dict[Var, Node],
    cotangents: dict[Var, Node], forward: dict[Var, Node], around: dict[Var, Node],
) -> bool:  # fmt: skip
    network = replace(setting.network, definitions=tuple(setting.users(of)))
    nearby = {**cotangents, **around}
    return any(
        proves(network, of, value, names, inline, expand)
        for inline, expand in (({}, False), (cotangents, False), ({**cotangents, **forward}, False), (nearby, False),
                               ({}, True), (nearby, True))
    )  # fmt: skip


def _nearby(users: list[Definition], setting: Setting) -> dict[Var, Node]:
    """Return the values of the names that the users of a name mention."""
    mentioned = dict.fromkeys(part for item in users for part in (*variables(item.value), item.name))
    found = ((name, setting.defined(name)) for name in mentioned)
    return {name: value for name, value in found if value is not None}


def _check(step: Step, equation: Equation, own: Check, setting: Setting) -> Check:
    """Check a rewriting step by normal form; the chain-rule step against the model."""
    if step.before == equation.name:
        return own if step.after == equation.value else _against_the_model(equation.name, step.after, setting)
    verdict = judge_as_written(step.before, step.after, setting)
    return Check(verdict.verdict, verdict.reason)


def all_checked(derivation: Derivation) -> bool:
    """Tell whether every step and every backward equation passed its check."""
    backward = [e for e in derivation.equations if e.role in BACKWARD]
    checks = [check for e in backward for check in (e.check, *(step.check for step in e.steps))]
    return all(check is not None and check.outcome in GOOD for check in checks)
