"""The verdict on a claim about a recurrence: that on models of 2, 3 and 4 steps, at each step that it speaks of."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

from derive.cases.claims_file import Entry
from derive.cases.instances import COUNTS, Unrolled
from derive.cases.recurrences import unroll
from derive.cases.unrolled import Reading
from derive.diagnose.edits import edits
from derive.diagnose.rewriting import Vocabulary
from derive.diagnose.search import Search, first_that_holds
from derive.diagnose.step_edits import step_edits
from derive.diagnose.structural import signs, transposes
from derive.errors import DeriveError, UnreadError
from derive.meaning.outline import names_in, walk
from derive.read import syntax as ast
from derive.verify.judge import FALSE, GOOD, OPEN, Diagnosis, Verdict

FIRST = "what is given before the first step is zero"
RISING = r"the factors of $\prod$ stand in rising order"
POWER = "a letter with $T$ above is a power, $T$ being the last step"
DIRECT = "derivatives of states by parameters on the right side hold the earlier states fixed"
READINGS = (
    (Reading(rising=True), RISING),
    (Reading(direct=True), DIRECT),
    (Reading(rising=True, direct=True), f"{RISING}; {DIRECT}"),
    (Reading(powers=True), POWER),
    (Reading(zero=True), FIRST),
)

Judge = Callable[[Entry], Verdict]


def judge_at_steps(entry: Entry, judge: Judge) -> Verdict | None:
    """Judge a claim about a recurrence; None where the model is none, or where the claim is about one step alone.

    Args:
        entry: The claim with its model.
        judge: What judges an entry whose model is no recurrence.
    """
    try:
        unrolled = unroll(entry)
        if unrolled is None or unrolled.is_of_one_step():
            return None
    except (UnreadError, RecursionError):
        return None  # what stops the reader is said where the claim is judged as it stands
    verdict = _judge(unrolled, Reading(), judge)
    if verdict.verdict not in FALSE:
        return verdict
    otherwise = _otherwise_read(unrolled, judge)
    return replace(verdict, diagnosis=_diagnosis(unrolled, judge)) if otherwise is None else otherwise


def _diagnosis(unrolled: Unrolled, judge: Judge) -> Diagnosis | None:
    """Return the small edit of a claim about a recurrence with which it holds at the steps written out, or None."""
    if len(unrolled.claims) != 1:
        return None
    ((left, right),) = unrolled.claims

    def holds(edited: ast.Node) -> bool:
        changed = replace(unrolled, claims=((left, edited),))
        try:
            first = next(changed.at(COUNTS[0], Reading()), None)  # most edits fail here
            if first is not None and judge(first.entry).verdict not in GOOD:
                return False
            return _judge(changed, Reading(), judge).verdict in GOOD
        except (DeriveError, NotImplementedError, RecursionError, TypeError, ValueError):  # most edits mean nothing
            return False

    usual = [edit for make in (signs, transposes) for edit in make(right)]
    steps = step_edits(right, unrolled.last_letters(), unrolled.steps.first)
    tries = itertools.chain(usual, steps, edits(right, _vocabulary(unrolled)))
    return first_that_holds(left, right, tries, holds, Search())


def _vocabulary(unrolled: Unrolled) -> Vocabulary:
    """Return what an edit may bring in: the names of a recurrence, and the derivatives of its functions."""
    sides = [side for sides in (*unrolled.equations, *unrolled.claims) for side in sides]
    names = [name for side in sides for name in names_in(side)]
    right = [side for _, side in unrolled.equations]
    calls = [part for side in right for part in walk(side) if isinstance(part, ast.Call) and len(part.args) == 1]
    slopes = [replace(call, function=replace(call.function, primes=1)) for call in calls]
    return Vocabulary([*dict.fromkeys(names)], [*dict.fromkeys(slopes)], ())


def _otherwise_read(unrolled: Unrolled, judge: Judge) -> Verdict | None:
    """Return the verdict under another reading of what the page leaves open, where the claim holds under it."""
    for reading, words in READINGS:
        found = _judge(unrolled, reading, judge) if _applies(reading, unrolled) else None
        if found is None or found.verdict not in GOOD:
            continue
        if reading.zero and not unrolled.starts_at_zero:
            return Verdict("undecided", f"it holds if {words}, which the page does not say", found.assumptions)
        return replace(found, assumptions=(*found.assumptions, words))
    return None


def _applies(reading: Reading, unrolled: Unrolled) -> bool:
    """Tell whether a claim has what may be read in another way."""
    return (
        (unrolled.has_products() or not reading.rising)
        and (unrolled.has_powers() or not reading.powers)
        and (bool(unrolled.direct()) or not reading.direct)
    )


def _judge(unrolled: Unrolled, reading: Reading, judge: Judge) -> Verdict:
    """Return the verdict on a claim read in one way: a refutation at any step counts."""
    found: list[tuple[int, Verdict]] = []
    for last in COUNTS:
        try:
            for instance in unrolled.at(last, reading):
                verdict = judge(instance.entry)
                where = f"for {last} steps" + (f", at {instance.words}" if instance.words else "")
                notes = tuple(dict.fromkeys((*verdict.assumptions, *instance.notes)))
                verdict = replace(verdict, reason=f"{verdict.reason}; {where}", assumptions=notes)
                if verdict.verdict == "refuted":
                    return verdict
                found.append((last, verdict))
        except UnreadError as error:
            found.append((last, Verdict("unread", f"{error}; written out for {last} steps")))
    return _together(found)


def _together(found: list[tuple[int, Verdict]]) -> Verdict:
    """Return one verdict on a claim from those at its steps, none of which refutes it."""
    verdicts = [verdict for _, verdict in found]
    if not verdicts:
        return Verdict("unread", "the claim speaks of no step of its recurrence")
    if (left_open := next((verdict for verdict in verdicts if verdict.verdict in OPEN), None)) is not None:
        return left_open
    if all(verdict.verdict in GOOD for verdict in verdicts):
        notes = dict.fromkeys(note for verdict in verdicts for note in verdict.assumptions)
        counts = " and ".join(", ".join(map(str, sorted({last for last, _ in found}))).rsplit(", ", 1))
        return Verdict("verified", f"it holds for {counts} steps, written out; not a proof for all", tuple(notes))
    if all(verdict.verdict == "ill-typed" for verdict in verdicts):
        return verdicts[-1]
    return Verdict("undecided", "the two sides have the same shape at some of the steps only")
