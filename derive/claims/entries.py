"""The entries of a claims file, judged: each is a model of its own with one claim, the shapes of its symbols told.

Where an entry leaves open what its claim speaks of, the claim may be proved, but is never said to be false.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from derive.bounded import Steps, Stop, bounded
from derive.cases.backward import in_full, told_backward
from derive.cases.case import Case, Models, Symbol, make_case
from derive.cases.claims_file import LYING, Entry, has_layers_below, read_entry, sides_of
from derive.cases.general_layer import with_layers
from derive.cases.parametric import by_the_parameter, inlined, with_hypothesis
from derive.cases.unsaid import unsaid
from derive.cases.written_out import in_entries
from derive.claims.at_steps import judge_at_steps
from derive.claims.bench import Bench, canonical, parsed
from derive.claims.changes import judge_change
from derive.claims.deltas import judge_each_meaning, open_deltas
from derive.claims.formulas import judge_slope, judge_slopes
from derive.claims.in_model import JudgedClaim, Page, diagnosed, judge_once
from derive.claims.left_open import left_open, unknown
from derive.claims.lost_index import judge_lost_index
from derive.claims.other_senses import other_sense
from derive.claims.own_model import Own, Quantities, bench_of, laid_out
from derive.diagnose.respelled import respelling
from derive.diagnose.search import Search
from derive.errors import DeriveError, ShapeError
from derive.meaning.facts import used_in
from derive.meaning.kinds import collapsed
from derive.meaning.outline import Equation, Outline, Place
from derive.meaning.piecewise import BORDER, has_cases
from derive.printer import to_latex
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.verify.judge import FALSE, GOOD, OPEN, Verdict
from derive.verify.limits import undecided

LINEAR = re.compile(r"linear", re.IGNORECASE)  # what a page says of its hypothesis
WORST = ("ill-typed", "refuted", "unread", "undecided", "verified", "proved")
PRODUCTS = "products of vectors without a sign are entrywise"


def judge_entries(entries: Iterable[Entry]) -> Iterator[JudgedClaim]:
    """Judge the entries of a claims file, in order, each within limits; see `judge_read` for chains."""
    return bounded(lambda steps: (_taken(steps, key, entry) for key, entry in enumerate(entries)))


def _taken(steps: Steps, key: int, entry: Entry) -> JudgedClaim:
    def too_much(stop: Stop) -> JudgedClaim:
        return _claim(entry, *sides_of(entry), undecided(stop), stop.seconds)

    def judged() -> JudgedClaim:
        started = time.perf_counter()
        found = judge_entry(entry)
        return _claim(entry, *found, time.perf_counter() - started)

    return steps.take(key, judged, too_much)


def _claim(entry: Entry, left: str, right: str, verdict: Verdict, seconds: float) -> JudgedClaim:
    return JudgedClaim(entry.claim, Place((), 0, "", entry.line, 1), left, right, verdict, "", seconds, entry.id)


def judge_entry(entry: Entry) -> tuple[str, str, Verdict]:
    """Return both sides of a claim with the verdict; a recurrence is written out for a few numbers of steps."""
    layered = _judge_layers(entry)
    if layered is not None:
        return layered
    models: Models = {}
    at_steps = judge_at_steps(entry, lambda step: judge_read(step, thorough=False, models=models)[2])
    return judge_read(entry) if at_steps is None else (*sides_of(entry), at_steps)


def _judge_layers(entry: Entry) -> tuple[str, str, Verdict] | None:
    """Return the verdict on a claim about layers with letters below; None for any other, and where it stays open."""
    try:
        if not has_layers_below(entry):
            return None
    except (DeriveError, RecursionError):
        return None
    found = judge_read(entry)
    return None if found[2].verdict in OPEN else found


def judge_read(entry: Entry, thorough: bool = True, models: Models | None = None) -> tuple[str, str, Verdict]:
    """Judge an entry; of a chain of equations its first false link counts, or the worst.

    What stands below a false link may only follow from it.
    """
    found = _judge_read(entry, thorough, models, lying=True)
    if LYING not in found[2].assumptions or found[2].verdict in GOOD:
        return found
    standing = _judge_read(entry, thorough, models, lying=False)
    return standing if standing[2].verdict in GOOD or found[2].verdict in FALSE else found


def _judge_read(entry: Entry, thorough: bool, models: Models | None, lying: bool) -> tuple[str, str, Verdict]:
    try:
        case = read_entry(entry, lying)
        case = replace(case, thorough=thorough, models={} if models is None else models)
        judged = ((claim, judge_in_case(case, claim)) for claim in case.claims)
        found = [(render(claim.left), render(claim.right), verdict) for claim, verdict in judged]
        return next((one for one in found if one[2].verdict in FALSE), _worst(found))
    except DeriveError as error:
        return *sides_of(entry), Verdict("unread", str(error))
    except RecursionError:
        return *sides_of(entry), Verdict("unread", "the formula is nested too deeply")


def _worst(found: Iterable[tuple[str, str, Verdict]]) -> tuple[str, str, Verdict]:
    return min(found, key=lambda judged: WORST.index(judged[2].verdict))


def judge_beside(claim: Equation, model: Outline, symbols: Sequence[Symbol] = ()) -> Verdict:
    """Judge a claim with the equations of a model alone; no error is looked for.

    Args:
        claim: The claim.
        model: The equations, and what is declared beside them.
        symbols: What is told of names.
    """
    try:
        case = make_case(model, [claim], symbols=symbols)
        return judge_in_case(case, case.claims[0], mend=False)
    except DeriveError as error:
        return Verdict("unread", str(error))


def judge_in_case(case: Case, claim: Equation, mend: bool = True) -> Verdict:
    """Judge a claim, entry by entry where it writes them out; the worst verdict counts.

    `mend`: look for a small edit that makes a false claim hold.
    """
    try:
        parts = in_entries(claim)
    except ShapeError as error:
        return Verdict("ill-typed", str(error))
    search = Search() if mend and case.thorough else None
    verdicts = ((render(part.left), render(part.right), _judge(case, part, search)) for part in parts)
    left, right, verdict = _worst(verdicts)
    if case.doubts and verdict.verdict in FALSE:
        return Verdict("unread", f"{'; '.join(case.doubts)}? Then {verdict.reason}")
    verdict = replace(verdict, assumptions=(*verdict.assumptions, *case.notes, *case.doubts))
    bodies = [function.body for _, _, function, _ in case.facts.functions if function.body is not None]
    if has_cases(claim.right, *bodies, *(item.equation.right for item in case.facts.definitions)):
        verdict = replace(verdict, assumptions=(*verdict.assumptions, BORDER))
    return verdict if len(parts) == 1 else replace(verdict, reason=f"${left} = {right}$: {verdict.reason}")


def _judge(case: Case, claim: Equation, search: Search | None) -> Verdict:
    verdict = judge_slopes(case, claim)
    verdict = judge_slope(case, claim) if verdict is None else verdict
    if verdict is None:
        verdict = judge_change(case, claim, partial(_judge_model, search=search))
    if verdict is not None:
        return verdict
    facts, why = with_hypothesis(case.facts, case.loose, case.found.declared, claim)
    facts, loose, claim = inlined(facts, case.loose, claim)
    facts, claim, layers = with_layers(facts, claim, case.found.declared)
    claim, primed = by_the_parameter(facts, claim, case.found.declared)
    verdict = _judge_model(replace(case, facts=facts, loose=loose), claim, search)
    told = bool(case.found.domains) or any(map(LINEAR.search, case.found.prose.values()))
    if why and verdict.verdict in FALSE and (verdict.diagnosis is None or not told):
        return Verdict("unread", f"{why}? Then {verdict.reason}")
    if primed and verdict.verdict in FALSE:
        return Verdict("unread", f"{primed}? Then {verdict.reason}")
    return replace(verdict, assumptions=(*verdict.assumptions, *(text for text in (why, primed) if text), *layers))


def _judge_model(case: Case, stands: Equation, search: Search | None) -> Verdict:
    claim = case.rewritten(stands)
    numbers = {key for key, domain in case.found.domains.items() if domain == "positive"}  # the \delta of a threshold
    told = told_backward(case.facts.definitions, [equation for _, equation in case.facts.claims], numbers)
    told.pop(render(claim.left), None)
    facts = replace(case.facts, definitions=[item for item in case.facts.definitions if item.key not in told])
    said = list(unsaid(facts, claim, case.loose, case.found.declared))
    more = [item for item, _ in said]
    told |= told_backward(more, [], numbers)
    quantities = Quantities(facts, [*facts.definitions, *(item for item in more if item.key not in told)])
    own = quantities.own(claim)
    bench = bench_of(own, case)
    backward = {key: told[key] for key in told.keys() - bench.names.keys()}
    own = replace(own, claim=in_full(own.claim, backward))

    def judged(written: Equation) -> Equation:
        return laid_out(in_full(quantities.own(case.rewritten(written)).claim, backward), bench)

    unnamed = {item.key: item.equation.right for item, _ in said} | _nameless(own, bench)
    page = None if search is None else Page(stands, judged, unnamed, search, respelling(case.written, case.spelled))
    deltas = open_deltas(own.claim, bench)
    judge = partial(_judge_in, own, page)
    verdict = judge_each_meaning(deltas, case, bench, judge) if deltas else judge(case, bench)
    return replace(verdict, assumptions=(*verdict.assumptions, *(why for _, why in said)))


def _nameless(own: Own, bench: Bench) -> dict[str, ast.Node]:
    """Return the formulas in a model that have names in its bench alone: W x in f(W x)."""
    stated = {item.key for item in own.definitions} | used_in(own.definitions)
    nameless = [item for item in bench.setting.network.definitions if canonical(item.name.latex) not in stated]
    trees = {canonical(item.name.latex): parsed(to_latex(bench.written_as(item.value))) for item in nameless}
    return {key: tree for key, tree in trees.items() if tree is not None}


def _judge_in(own: Own, page: Page | None, case: Case, bench: Bench) -> Verdict:
    number = "" if case.found.domains else collapsed(bench.model.reading.meaning.kinds, case.found.declared)
    why = f"${number}$ fits only as a number; say its sizes" if number else unknown(own, case, bench)
    if why:
        return Verdict("unread", why)
    claim = laid_out(own.claim, bench)
    bench = replace(bench, setting=replace(bench.setting, proving=case.thorough))
    verdict = judge_once(claim, bench)
    written = (own.claim, render) if page is None else (page.claim, page.spelling.latex)
    lost = judge_lost_index(own, lambda summed: judge_once(laid_out(summed, bench), bench), written)
    verdict = verdict if lost is None else lost
    reason = left_open(own, case, bench) if verdict.verdict in FALSE else ""
    if reason:
        return Verdict("unread", f"{reason}; taken to be anything, {verdict.reason}")
    other = "" if lost is not None else other_sense(own.claim, verdict, bench)
    if other:
        return Verdict("unread", other)
    if bench.model.reading.meaning.entrywise:
        verdict = replace(verdict, assumptions=(*verdict.assumptions, PRODUCTS))
    return verdict if page is None or lost is not None else diagnosed(verdict, claim, bench, page)
