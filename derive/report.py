"""The verdicts of a page: as lines for people, as JSON for programs."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from derive.claims.alone import LAYOUT
from derive.claims.in_model import JudgedClaim
from derive.meaning.infer import compact
from derive.sheet.document import MARK_SIGNS
from derive.sheet.reasons import MARKS
from derive.sheet.text import in_unicode, to_unicode
from derive.verify.judge import FALSE, GOOD, OPEN

VERDICTS = (*GOOD, *FALSE, *OPEN)
SHAPE = "a gradient has the shape of its variable"
CONVENTION = f"vectors are columns; {SHAPE}; a formula for one sample speaks of one sample"


def summary(claims: Sequence[JudgedClaim]) -> dict[str, int]:
    """Count the verdicts."""
    return {word: sum(claim.verdict.verdict == word for claim in claims) for word in VERDICTS}


def exit_code(claims: Sequence[JudgedClaim]) -> int:
    """Return 1 where a claim is false, 3 where one is open, else 0."""
    words = [claim.verdict.verdict for claim in claims]
    return 1 if any(w in FALSE for w in words) else 3 if any(w in OPEN for w in words) else 0


def convention(claims: Sequence[JudgedClaim], assumed: Sequence[str] = ()) -> str:
    """Return the conventions that claims were judged under, and what the page's macros were taken to mean."""
    turned = any(LAYOUT["numerator"] in claim.verdict.assumptions for claim in claims)
    own = CONVENTION.replace(SHAPE, LAYOUT["numerator"]) if turned else CONVENTION
    return "; ".join([own, *assumed])


def chains(claims: Iterable[JudgedClaim]) -> list[list[JudgedClaim]]:
    """Return the worked derivations among claims: those of one chain, where there are several."""
    found: defaultdict[tuple[int, int], list[JudgedClaim]] = defaultdict(list)
    for claim in claims:
        if claim.chain is not None:
            found[claim.chain.line, claim.chain.column].append(claim)
    return [links for links in found.values() if len(links) > 1]


def false_in(claims: Iterable[JudgedClaim]) -> list[JudgedClaim]:
    """Return the claims that do not hold."""
    return [claim for claim in claims if claim.verdict.verdict in FALSE]


def first_wrong(claims: Sequence[JudgedClaim]) -> dict[int, str]:
    """Say of each worked derivation that goes wrong where it does, by the `id` of its last claim."""
    return {id(chain[-1]): words for chain in chains(claims) if (words := _chain_words(chain, claims))}


def _chain_words(chain: Sequence[JudgedClaim], claims: Iterable[JudgedClaim]) -> str:
    """Say which line of a worked derivation is the first wrong one; "" where none is.

    Args:
        chain: The claims of the derivation, in order.
        claims: All claims of the page: what was not read stands there alone.
    """
    if not (false := false_in(chain)):
        return ""
    wrong = false[0]
    alone = sum(claim.place.line == wrong.place.line for claim in chain) == 1
    words = f"first wrong line: {wrong.place.line}" + ("" if alone else f", column {wrong.place.column}")
    above = [c for c in claims if c.verdict.verdict in OPEN and _place(chain[0]) <= _place(c) < _place(wrong)]
    words += "".join(f"; line {claim.place.line} is {claim.verdict.verdict}" for claim in above)
    again = next((c for c in chain if c.verdict.verdict in GOOD and _place(c) > _place(wrong)), None)
    return words + (f"; line {again.place.line} holds again, by a second error" if again else "")


def _place(claim: JudgedClaim) -> tuple[int, int]:
    return claim.place.line, claim.place.column


def to_json(
    source: str, symbols: Sequence[dict[str, object]], claims: Sequence[JudgedClaim], assumed: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the report as the contract has it."""
    return {
        "source": source, "convention": convention(claims, assumed), "symbols": list(symbols),
        "claims": [claim_json(claim) for claim in claims], "summary": summary(claims),
    }  # fmt: skip


def claim_json(claim: JudgedClaim) -> dict[str, Any]:
    """Return one claim as the contract has it."""
    verdict = claim.verdict
    example, diagnosis = verdict.counterexample, verdict.diagnosis
    return {
        "id": claim.id, "line": claim.place.line, "column": claim.place.column, "latex": claim.latex,
        "lhs": claim.lhs, "rhs": claim.rhs, "verdict": verdict.verdict, "assumptions": list(verdict.assumptions),
        "reason": verdict.reason, "seconds": round(claim.seconds, 4),
        "counterexample": None if example is None else
        {"symbols": example.symbols, "claimed": example.claimed, "derived": example.derived},
        "diagnosis": None if diagnosis is None else
        {"kind": diagnosis.kind, "text": diagnosis.text, "corrected": compact(diagnosis.corrected)},
    }  # fmt: skip


def to_lines(
    source: str, claims: Sequence[JudgedClaim], verbose: bool = False, assumed: Sequence[str] = ()
) -> list[str]:
    """Return the report for a terminal of 80 columns."""
    lines = [f"{source}: {convention(claims)}"] if claims else [f"{source}: no claim was found"]
    lines += [f"  assumed: {text}" for text in assumed]
    section, width = "", len(str(len(claims)))
    said = first_wrong(claims)
    for number, claim in enumerate(claims, 1):
        if claim.title and claim.title != section:
            section = claim.title
            lines += ["", section]
        first, *more = _claim_lines(claim, verbose)
        lines += [f"  {number:>{width}}{first}", *(" " * width + line for line in more)]
        if id(claim) in said:
            lines.append(f"{' ' * width}      {said[id(claim)]}")
    counts = ", ".join(f"{count} {word}" for word, count in summary(claims).items() if count)
    return [wrapped for line in [*lines, "", counts or "0 claims"] for wrapped in _wrap(line)]


def _sides(claim: JudgedClaim) -> str:
    """Return both sides of a claim in LaTeX, on one line; its source where it was not understood."""
    return " ".join((f"{claim.lhs} = {claim.rhs}" if claim.lhs and claim.rhs else claim.latex).split())


def _claim_lines(claim: JudgedClaim, verbose: bool) -> list[str]:
    verdict = claim.verdict
    sign = MARK_SIGNS[MARKS[verdict.verdict]]
    lines = [f" {sign} {verdict.verdict:<9} line {claim.place.line:<4} {to_unicode(_sides(claim))}"]
    if verdict.verdict not in GOOD or verbose:
        lines.append(f"      {in_unicode(verdict.reason)}")
    if verdict.diagnosis is not None:
        lines.append(f"      {verdict.diagnosis.kind}: {in_unicode(verdict.diagnosis.text)}")
        lines.append(f"      holds: {to_unicode(compact(verdict.diagnosis.corrected))}")
    if verdict.counterexample is not None:
        lines.append(f"      claimed {_short(verdict.counterexample.claimed)}")
        lines.append(f"      derived {_short(verdict.counterexample.derived)}")
    if verbose:
        lines += [f"      given: {in_unicode(text)}" for text in verdict.assumptions]
    return lines


def _short(value: Any) -> str:
    if isinstance(value, list):
        inner = ", ".join(_short(item) for item in value[:4])
        return f"[{inner}{', …' if len(value) > 4 else ''}]"
    return f"{value:.6g}"


def _wrap(line: str) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.wrap(line, 80, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) or [""]
