"""Worked derivations: a chain over several lines, of which the first wrong line is what its writer has to know.

Every link is judged as a statement about the chain's left side. Of a link that is false below a false one it is found
out here whether it follows from it: then the error was made above.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from derive.claims.alone import bench_alone
from derive.claims.bench import Bench
from derive.claims.conditional import BOUND, for_all_indices
from derive.claims.in_model import judge_once
from derive.errors import DeriveError
from derive.meaning.facts import Facts
from derive.meaning.outline import Equation, Outline, Place
from derive.verify.judge import FALSE, GOOD, Verdict

FOLLOWS = "it follows from the {} before, which is wrong"
WRONG_AGAIN = "it does not follow from the {} before either: another error"
UNCERTAIN = "the {} before is wrong, too, and whether this one follows from it was not found out"
MADE_GOOD = "it holds, but not by the {} before, which is wrong: a second error makes up for the first"


def start_of(order: int, equations: Sequence[Equation]) -> int:
    """Return which equation begins the chain of another."""
    while equations[order].own is not None:
        order -= 1
    return order


def chain_of(order: int, equations: Sequence[Equation]) -> Place | None:
    """Return where the chain of an equation begins; None for an equation that stands alone."""
    goes_on = order + 1 < len(equations) and equations[order + 1].own is not None
    return equations[start_of(order, equations)].place if goes_on or equations[order].own is not None else None


def in_chain(
    claim: Equation, verdict: Verdict, above: Sequence[tuple[Equation, Verdict]], step: Callable[[Equation], Verdict]
) -> Verdict:
    """Return the verdict on a link of a chain, with what the links above make of it.

    Args:
        claim: The link.
        verdict: The verdict on it as a statement about the chain's left side; its word stays.
        above: The links above that claim something, in order, with their verdicts.
        step: Judges whether the link is equal to another.
    """
    wrong = next((link for link, judged in above if judged.verdict in FALSE), None)
    if wrong is None or verdict.verdict not in (*GOOD, *FALSE):
        return verdict
    last, judged = above[-1]
    word = "line" if last.stands.line != claim.stands.line else "link"
    first = f"the first wrong {_spot(wrong.stands, claim.stands)}"
    if judged.verdict not in FALSE:
        return replace(verdict, reason=f"{verdict.reason}; {first}") if verdict.verdict in FALSE else verdict
    if verdict.verdict in GOOD:
        return replace(verdict, reason=f"{verdict.reason}; {MADE_GOOD.format(word)}; {first}")
    followed = step(last).verdict
    why = FOLLOWS if followed in GOOD else WRONG_AGAIN if followed == "refuted" else UNCERTAIN
    diagnosis = None if followed in GOOD else verdict.diagnosis  # the slip was made above, and is named there
    return replace(verdict, reason=f"{verdict.reason}; {why.format(word)}; {first}", diagnosis=diagnosis)


def _spot(wrong: Place, at: Place) -> str:
    """Say which line is wrong, and which column where the link that asks stands on the same line."""
    return f"line is {wrong.line}" if wrong.line != at.line else f"link is at line {wrong.line}, column {wrong.column}"


def judge_step(claim: Equation, before: Equation, bench: Bench | Verdict) -> Verdict:
    """Judge whether a link of a chain is equal to the one before, in the model that its claim was judged in."""
    if not isinstance(bench, Bench):
        return bench
    step = for_all_indices(replace(claim, left=before.right))
    return BOUND if step is None else judge_once(step, bench)


def judge_step_alone(claim: Equation, before: Equation, found: Outline, facts: Facts) -> Verdict:
    """Judge whether a link is equal to the one before, in a chain that needs no model."""
    try:
        return judge_step(claim, before, bench_alone(claim, found, facts)[1])
    except DeriveError as error:
        return Verdict("unread", str(error))
