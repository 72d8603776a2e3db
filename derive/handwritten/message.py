"""What is wrong with a function, as an assertion says it: one block for each gradient that it returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from derive.handwritten.judge import JudgedGradient
from derive.meaning.infer import compact
from derive.sheet.text import in_unicode, to_unicode
from derive.verify.judge import GOOD

MOST_CHARACTERS = 600  # of the call that shows an error


def explanation(judged: Sequence[JudgedGradient]) -> str:
    """Return the message of a failed assertion."""
    bad = sum(item.claim.verdict.verdict not in GOOD for item in judged)
    first = f"{judged[0].claim.title}: {bad} of {len(judged)} do not hold"
    given = dict.fromkeys(text for item in judged for text in item.claim.verdict.assumptions)
    calls = dict.fromkeys(item.call for item in judged if 0 < len(item.call) <= MOST_CHARACTERS)
    lines = [first, *(line for item in judged for line in _block(item))]
    lines += [f"  given: {in_unicode(text)}" for text in given]
    return "\n".join([*lines, *(f"  to see it: {call}" for call in calls)])


def _block(item: JudgedGradient) -> Iterator[str]:
    verdict, claim = item.claim.verdict, item.claim
    good = verdict.verdict in GOOD
    name = to_unicode(compact(claim.latex))
    yield f"{'✓' if good else '✗'} {name}, returned as {item.word}: {verdict.verdict}"
    if good:
        return
    yield f"    {in_unicode(verdict.reason)}"
    if verdict.diagnosis is not None:
        yield f"    {verdict.diagnosis.kind}: {in_unicode(verdict.diagnosis.text)}"
    if claim.rhs and claim.rhs != claim.latex:
        yield f"    derived: {name} = {to_unicode(compact(claim.rhs))}"
        yield f"    in LaTeX: {compact(claim.latex)} = {compact(claim.rhs)}"
    if verdict.counterexample is not None:
        after, before = ("after", "before") if claim.rhs == claim.latex else ("returned", "expected")
        yield f"    {after} {_numbers(verdict.counterexample.claimed)}"
        yield f"    {before} {_numbers(verdict.counterexample.derived)}"


def _numbers(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_numbers, value[:6]))}{', …' if len(value) > 6 else ''}]"
    return f"{value:.6g}"
