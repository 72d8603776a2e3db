"""The verdict on a claim about a recurrence: that on models of 2, 3 and 4 steps, at each step that it speaks of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from derive.errors import UnreadError
from derive.read.claims_file import Entry
from derive.read.instances import COUNTS, Unrolled
from derive.read.recurrences import unroll
from derive.read.unrolled import Reading
from derive.verify.judge import FALSE, GOOD, Verdict

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
    return verdict if otherwise is None else otherwise


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
    for verdict in verdicts:
        if verdict.verdict in ("unread", "undecided"):
            return verdict
    if all(verdict.verdict in GOOD for verdict in verdicts):
        notes = dict.fromkeys(note for verdict in verdicts for note in verdict.assumptions)
        counts = " and ".join(", ".join(map(str, sorted({last for last, _ in found}))).rsplit(", ", 1))
        return Verdict("verified", f"it holds for {counts} steps, written out; not a proof for all", tuple(notes))
    if all(verdict.verdict == "ill-typed" for verdict in verdicts):
        return verdicts[-1]
    return Verdict("undecided", "the two sides have the same shape at some of the steps only")
