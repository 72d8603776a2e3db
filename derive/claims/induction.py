"""The check of a recurrence: by induction over its steps, and on instances with few of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from derive.claims.bench import Bench, bench_for, generally, sides
from derive.claims.in_model import vocabulary
from derive.derivation import Check, Derivation, Equation, Step
from derive.diagnose.search import diagnose
from derive.errors import DeriveError, ShapeError
from derive.expr import Node, Var, variables
from derive.generalise import generalised_recurrence
from derive.meaning.outline import Equation as Claim
from derive.model import free_variables
from derive.notation import marks
from derive.read import syntax as ast
from derive.recurrence import Recurrence
from derive.verify.judge import GOOD, Verdict, agrees, shapes_agree
from derive.verify.literal import judge_as_written
from derive.verify.normal_form import same
from derive.verify.setting import Setting
from derive.verify.steps import checked

INSTANCES = (1, 2, 3, 4)  # numbers of steps at which every equation is compared with the network's own tangents
BACKWARD = ("cotangent", "gradient")


def checked_recurrence(recurrence: Recurrence, derivation: Derivation) -> Derivation:
    """Return the derivation of a recurrence with the outcome of a check on each step and equation.

    The induction's step is the sweep through one body for an arbitrary cotangent from above; its beginning is the
    last step. Every equation is also compared with the tangents of networks of one to four steps, at every step.
    """
    settings = {last: _setting(recurrence, derivation, last) for last in INSTANCES}
    network = recurrence.step_network()
    wanted = tuple(e.of for e in derivation.equations if e.role == "gradient" and e.of is not None)
    wanted += tuple(before for before, _ in recurrence.carried)
    step = checked(network, recurrence.step_record())
    local = {e.of: e.check for e in step.equations if e.check is not None}
    at_last, above = recurrence.inserted(step)
    moved = {recurrence.at_last(name): value for name, value in at_last.items()}
    arriving = {**above, **{name: value for name, value in moved.items() if isinstance(name, Var)}}
    values = {e.name: e.value for e in step.equations if e.role == "cotangent"}
    proof = Induction(recurrence, settings, local, arriving, values)
    return replace(derivation, equations=tuple(
        _checked(e, proof) if e.role in BACKWARD else e for e in derivation.equations
    ))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Induction:
    """What the check of each equation needs.

    Attributes:
        recurrence: The body and what follows it.
        settings: Networks of few steps.
        local: The checks of the sweep through one step, by the name that a cotangent belongs to.
        arriving: What stands for each arrival, by the checked sweep: at the last step, and at a general one.
        values: The derived value of each cotangent of one step.
    """

    recurrence: Recurrence
    settings: dict[int, Setting]
    local: dict[Var | None, Check]
    arriving: dict[Var, Node]
    values: dict[Var, Node]


def _setting(
    recurrence: Recurrence, derivation: Derivation, last: int, aliases: Mapping[Var, Var] | None = None
) -> Setting:
    """Return the network of some steps, and what each name of a cotangent stands for at each of them."""
    network = recurrence.unrolled(last)
    named = {e.name: e.of for e in derivation.equations if e.role in BACKWARD and e.of is not None}
    there = {*free_variables(network), *(item.name for item in network.definitions)}
    cotangents: dict[Var, Var] = {}
    for name, of in {**(aliases or {}), **named}.items():
        for step in range(1, last + 1):
            here, belongs = (recurrence.at_steps(part, step, last) for part in (name, of))
            assert isinstance(here, Var) and isinstance(belongs, Var)
            if belongs in there:
                cotangents[here] = belongs
    return Setting(network, replace(derivation, equations=(), seeds=()), cotangents, network.loss)


def _checked(equation: Equation, proof: Induction) -> Equation:
    steps = tuple(replace(step, check=_check_step(step, equation, proof)) for step in equation.steps)
    good = all(step.check is not None and step.check.outcome in GOOD for step in steps)
    if not good or not _holds(equation.name, equation.value, proof):
        return replace(equation, steps=steps, check=Check("undecided", "a network of few steps differs"))
    proved = _outcome(equation, proof) == "proved" and all(s.check is not None and s.check.outcome == "proved"
                                                           for s in steps)  # fmt: skip
    method = "by induction: one step for an arbitrary cotangent from above, beginning at the last"
    few = ", ".join(map(str, INSTANCES))
    check = Check("proved" if proved else "verified", f"{method}; exact for networks of {few} steps")
    return replace(equation, steps=steps, check=check)


def _outcome(equation: Equation, proof: Induction) -> str:
    own = proof.local.get(_general(equation, proof.recurrence))
    return own.outcome if own is not None else "undecided"


def _general(equation: Equation, recurrence: Recurrence) -> Var | None:
    """Return what a cotangent belongs to, at a general step."""
    if equation.of is None:
        return None
    found = [item.name for item in recurrence.body if recurrence.at_last(item.name) == equation.of]
    return found[0] if found else equation.of


def _check_step(step: Step, equation: Equation, proof: Induction) -> Check:
    """Check a step: the sweep by its own check in one step, what is inserted and simplified by normal forms."""
    if step.before != equation.name:
        written_out = {**proof.arriving, **proof.values}
        if any(same(step.before, step.after, inline) for inline in (proof.arriving, written_out)):
            return Check("proved", "the normal forms agree, with what the step above hands down")
        return Check("undecided", "the normal forms differ")
    own = proof.local.get(_general(equation, proof.recurrence))
    if set(proof.arriving) & set(variables(step.after)):
        return own or Check("undecided", "the sweep through one step has no such cotangent")
    if not _holds(equation.name, step.after, proof):
        return Check("undecided", "a network of few steps differs")
    if own is not None and own.outcome in GOOD:
        return own
    return Check("verified", f"equal to the tangents of networks of {', '.join(map(str, INSTANCES))} steps")


def _holds(name: Var, value: Node, proof: Induction) -> bool:
    """Compare an equation with the tangents of networks of few steps, at every step at which it is meant."""
    compared = 0
    for last, setting in proof.settings.items():
        for step in range(1, last + 1):
            if step == last and _looks_up(value, proof.recurrence):
                continue
            left, right = (proof.recurrence.at_steps(side, step, last) for side in (name, value))
            if not agrees(left, right, setting):
                return False
            compared += 1
    return compared > 0


def _looks_up(value: Node, recurrence: Recurrence) -> bool:
    """Tell whether an equation needs the step above: it holds below the last step."""
    above = f"{recurrence.letter}+1"
    return any(mark.replace(" ", "") == above for name in variables(value) for mark in marks(name.latex))


# ---------------------------------------------------------------- claims
def judge_recurrence(claim: Claim, recurrence: Recurrence, derivation: Derivation) -> Verdict:
    """Judge an equation about a general step, the last one, or the sum over all.

    What agrees with the derived recursion by normal form is proved; everything is compared with networks of few
    steps, and refuted by a point of one of them.
    """
    found = generalised_recurrence(recurrence)
    if found is not None:
        recurrence, derivation = found[0], found[0].derive()
    bench = _reading_bench(recurrence, derivation)
    general = None if found is None else found[1]
    bench = bench if general is None else generally(bench, general)
    aliases = bench.setting.cotangents
    settings = {
        last: replace(_setting(recurrence, derivation, last, aliases), general=general) for last in INSTANCES[1:]
    }
    verdict = _judged(claim, bench, recurrence, derivation, settings)
    if verdict.verdict not in ("refuted", "ill-typed"):
        return verdict

    def holds(right: ast.Node) -> bool:
        edited = _judged(replace(claim, right=right), bench, recurrence, derivation, settings)
        return edited.verdict in GOOD

    words = vocabulary(claim.left, claim.right, bench, recurrence.ending().definitions)
    return replace(verdict, diagnosis=diagnose(claim.left, claim.right, words, holds))


def _reading_bench(recurrence: Recurrence, derivation: Derivation) -> Bench:
    """Return a bench that knows the names of a general step, of the one above, and of the last."""
    backward = [e.name for e in derivation.equations if e.role in BACKWARD]
    above = [recurrence.at_above(name) for name in backward]
    ending = recurrence.ending()
    given = [*backward, *above, *free_variables(ending), *(item.name for item in ending.definitions)]
    names = [name for name in given if isinstance(name, Var)]
    return bench_for(recurrence.window(), names, (recurrence.letter, recurrence.last))


def _judged(
    claim: Claim, bench: Bench, recurrence: Recurrence, derivation: Derivation, settings: dict[int, Setting]
) -> Verdict:
    try:
        left, right = sides(claim, bench)
    except ShapeError as error:
        return Verdict("ill-typed", str(error), derivation.assumptions)
    except DeriveError as error:
        return Verdict("unread", str(error))
    if not shapes_agree(left, right):
        return Verdict("ill-typed", "the sides have different shapes", derivation.assumptions)
    compared = 0
    for last, setting in settings.items():
        for step in range(1, last + 1):
            if step == last and (_looks_up(left, recurrence) or _looks_up(right, recurrence)):
                continue
            one, other = (recurrence.at_steps(side, step, last) for side in (left, right))
            strange = {*variables(one), *variables(other)} - setting.known - setting.free
            if strange:
                names = ", ".join(sorted(f"${name.latex}$" for name in strange))
                return Verdict("unread", f"at step {step} of {last}, {names} stands for nothing")
            verdict = judge_as_written(one, other, setting)
            if verdict.verdict not in GOOD:
                return replace(verdict, reason=f"{verdict.reason}; at step {step} of {last}")
            compared += 1
    if not compared:
        return Verdict("undecided", "no network of few steps has this equation", derivation.assumptions)
    if _proved(left, right, recurrence, derivation):
        return Verdict("proved", "the normal forms agree with the recursion, which holds by induction",
                       derivation.assumptions)  # fmt: skip
    return Verdict("verified", f"exact for networks of {', '.join(map(str, settings))} steps", derivation.assumptions)


def _proved(left: Node, right: Node, recurrence: Recurrence, derivation: Derivation) -> bool:
    """Tell whether the sides agree by normal form, with the left side, cotangents or names written out once."""
    backward = {e.name: e.value for e in derivation.equations if e.role in BACKWARD}
    own = {left: backward[left]} if isinstance(left, Var) and left in backward else {}
    forward = {item.name: item.value for item in (*recurrence.body, *recurrence.head)}
    kept = {**own, **{name: value for name, value in backward.items() if name not in variables(right)}}
    return any(same(left, right, inline) for inline in ({}, own, kept, {**kept, **forward}))
