"""The entries of a claims file, judged: each is a model of its own with one claim, the shapes of its symbols told.

Where an entry leaves open what its claim speaks of, the claim may be proved, but is never said to be false.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from derive.bounded import Steps, Stop, bounded
from derive.cases.backward import in_full, told_backward
from derive.cases.case import Case, Models
from derive.cases.claims_file import Entry, read_entry
from derive.cases.downstream import function_of, is_slope
from derive.cases.general_layer import with_layers
from derive.cases.parametric import by_the_parameter, inlined, with_hypothesis
from derive.cases.unrolled import is_start
from derive.cases.unsaid import unsaid
from derive.cases.written_out import in_entries
from derive.claims.alone import judge_slope
from derive.claims.at_steps import judge_at_steps
from derive.claims.bench import Bench, canonical, parsed
from derive.claims.changes import judge_change
from derive.claims.deltas import judge_each_meaning, open_deltas
from derive.claims.in_model import JudgedClaim, Page, diagnosed, judge_once
from derive.claims.other_senses import other_sense
from derive.claims.own_model import Own, Quantities, bench_of, laid_out
from derive.diagnose.respelled import respelling
from derive.diagnose.search import Search
from derive.errors import DeriveError, ShapeError
from derive.expr import Var, variables
from derive.meaning.facts import key_without_indices, used_in
from derive.meaning.kinds import SCALARS, collapsed
from derive.meaning.outline import Equation, Place, derivatives_in, names_in, walk
from derive.meaning.piecewise import BORDER, has_cases
from derive.model import restricted, upstream
from derive.notation import bare_letter, split_name
from derive.printer import to_latex
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.verify.judge import FALSE, Verdict
from derive.verify.limits import undecided

LINEAR = re.compile(r"linear", re.IGNORECASE)  # what a page says of its hypothesis
WORST = ("ill-typed", "refuted", "unread", "undecided", "verified", "proved")
PRODUCTS = "products of vectors without a sign are entrywise"
PARAMETERS = frozenset(["W", "w", "b", r"\theta", r"\Theta"])  # free wherever nothing else is said


def judge_entries(entries: Iterable[Entry]) -> Iterator[JudgedClaim]:
    """Judge the entries of a claims file, in order, each within limits; see `judge_read` for chains."""
    return bounded(lambda steps: (_taken(steps, key, entry) for key, entry in enumerate(entries)))


def _taken(steps: Steps, key: int, entry: Entry) -> JudgedClaim:
    def too_much(stop: Stop) -> JudgedClaim:
        return _claim(entry, *_sides(entry), undecided(stop), stop.seconds)

    def judged() -> JudgedClaim:
        started = time.perf_counter()
        found = judge_entry(entry)
        return _claim(entry, *found, time.perf_counter() - started)

    return steps.take(key, judged, too_much)


def _claim(entry: Entry, left: str, right: str, verdict: Verdict, seconds: float) -> JudgedClaim:
    return JudgedClaim(entry.claim, Place((), 0, "", entry.line, 1), left, right, verdict, "", seconds, entry.id)


def _sides(entry: Entry) -> tuple[str, str]:
    left, _, right = entry.claim.partition("=")
    return left.strip(), right.strip()


def judge_entry(entry: Entry) -> tuple[str, str, Verdict]:
    """Return both sides of a claim with the verdict; a recurrence is written out for a few numbers of steps."""
    models: Models = {}
    at_steps = judge_at_steps(entry, lambda step: judge_read(step, thorough=False, models=models)[2])
    return judge_read(entry) if at_steps is None else (*_sides(entry), at_steps)


def judge_read(entry: Entry, thorough: bool = True, models: Models | None = None) -> tuple[str, str, Verdict]:
    """Judge an entry; of a chain of equations its first false link counts, or the worst.

    What stands below a false link may only follow from it.
    """
    try:
        case = replace(read_entry(entry), thorough=thorough, models={} if models is None else models)
        judged = ((claim, judge_in_case(case, claim)) for claim in case.claims)
        found = [(render(claim.left), render(claim.right), verdict) for claim, verdict in judged]
        return next((one for one in found if one[2].verdict in FALSE), _worst(found))
    except DeriveError as error:
        return *_sides(entry), Verdict("unread", str(error))
    except RecursionError:
        return *_sides(entry), Verdict("unread", "the formula is nested too deeply")


def _worst(found: Iterable[tuple[str, str, Verdict]]) -> tuple[str, str, Verdict]:
    return min(found, key=lambda judged: WORST.index(judged[2].verdict))


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
    bodies = [function.body for _, _, function, _ in case.facts.functions if function.body is not None]
    if has_cases(claim.right, *bodies, *(item.equation.right for item in case.facts.definitions)):
        verdict = replace(verdict, assumptions=(*verdict.assumptions, BORDER))
    return verdict if len(parts) == 1 else replace(verdict, reason=f"${left} = {right}$: {verdict.reason}")


def _judge(case: Case, claim: Equation, search: Search | None) -> Verdict:
    verdict = judge_slope(case, claim)
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


def _judge_model(case: Case, claim: Equation, search: Search | None) -> Verdict:
    numbers = {key for key, domain in case.found.domains.items() if domain == "positive"}  # the \delta of a threshold
    told = told_backward(case.facts.definitions, [equation for _, equation in case.facts.claims], numbers)
    told.pop(render(claim.left), None)
    facts = replace(case.facts, definitions=[item for item in case.facts.definitions if item.key not in told])
    said = list(unsaid(facts, claim, case.loose, case.found.declared))
    quantities = Quantities(facts, [*facts.definitions, *(item for item, _ in said)])
    own = quantities.own(claim)
    bench = bench_of(own, case)
    backward = {key: told[key] for key in told.keys() - bench.names.keys()}
    own = replace(own, claim=in_full(own.claim, backward))

    def judged(written: Equation) -> Equation:
        return laid_out(in_full(quantities.own(written).claim, backward), bench)

    unnamed = {item.key: item.equation.right for item, _ in said} | _nameless(own, bench)
    page = None if search is None else Page(claim, judged, unnamed, search, respelling(case.written, case.spelled))
    deltas = open_deltas(own.claim, bench)
    if deltas:
        verdict = judge_each_meaning(deltas, bench, lambda bench: _judge_in(own, case, bench, page))
    else:
        verdict = _judge_in(own, case, bench, page)
    return replace(verdict, assumptions=(*verdict.assumptions, *(why for _, why in said)))


def _nameless(own: Own, bench: Bench) -> dict[str, ast.Node]:
    """Return the formulas in a model that have names in its bench alone: W x in f(W x)."""
    stated = {item.key for item in own.definitions} | used_in(own.definitions)
    nameless = [item for item in bench.setting.network.definitions if canonical(item.name.latex) not in stated]
    trees = {canonical(item.name.latex): parsed(to_latex(bench.written_as(item.value))) for item in nameless}
    return {key: tree for key, tree in trees.items() if tree is not None}


def _judge_in(own: Own, case: Case, bench: Bench, page: Page | None) -> Verdict:
    number = "" if case.found.domains else collapsed(bench.model.reading.meaning.kinds, case.found.declared)
    unknown = f"${number}$ fits only as a number; say its sizes" if number else _unknown(own, case, bench)
    if unknown:
        return Verdict("unread", unknown)
    claim = laid_out(own.claim, bench)
    bench = replace(bench, setting=replace(bench.setting, proving=case.thorough))
    verdict = judge_once(claim, bench)
    reason = _left_open(own, case, bench) if verdict.verdict in FALSE else ""
    if reason:
        return Verdict("unread", f"{reason}; taken to be anything, {verdict.reason}")
    other = other_sense(own.claim, verdict, bench)
    if other:
        return Verdict("unread", other)
    if bench.model.reading.meaning.entrywise:
        verdict = replace(verdict, assumptions=(*verdict.assumptions, PRODUCTS))
    return verdict if page is None else diagnosed(verdict, claim, bench, page)


# ---------------------------------------------------------------- what an entry leaves open
def _unknown(own: Own, case: Case, bench: Bench) -> str:
    """Say what a claim names that the entry says nothing of, or that has no path in its model; else ""."""
    known = _known(own, case) | used_in(own.definitions)
    known |= {item.name.latex for item in bench.setting.network.definitions}
    known |= {key for key, name in bench.names.items() if name in bench.setting.cotangents}
    for name in names_in(own.claim.left) + names_in(own.claim.right):
        told = {render(name), key_without_indices(name)} & known
        if not told and not is_slope(render(name)) and render(name) in bench.names and not own.mentions:
            return f"nothing is said of ${render(name)}$"
    network = bench.setting.network
    defined = {item.name.latex for item in network.definitions}
    for part in derivatives_in(own.claim.left):
        if isinstance(part.of, ast.Name) and isinstance(part.wrt, ast.Name):
            of, by = (bench.names.get(key_without_indices(name)) for name in (part.of, part.wrt))
            if of is not None and by is not None and of.latex in defined and of not in upstream(network, (by,)):
                return f"${render(part)}$: the model does not lead from ${render(part.wrt)}$ to ${render(part.of)}$"
    return ""


def _known(own: Own, case: Case) -> set[str]:
    """Return the keys of the names of which something is said: where shapes are told, those that are told."""
    defined = {item.key for item in own.definitions}
    return {*case.found.declared, *defined, *(() if case.found.domains else used_in(own.definitions))}


def _spoken_of(own: Own, case: Case, bench: Bench) -> set[str]:
    """Return what the derivatives and cotangents on a claim's right side are those of."""
    named = any(key_without_indices(name) in bench.model.cotangents for name in names_in(own.claim.right))
    downstream = {render(derivative.of) for _, _, derivative in case.facts.cotangents} if named else set()
    return downstream | {render(part.of) for part in derivatives_in(own.claim.right)}


def _connected(own: Own, bench: Bench) -> set[Var]:
    """Return the names that a claim's names have to do with: no equation leads from these to any other."""
    network = bench.setting.network
    of = [bench.names.get(render(part.of)) for part in derivatives_in(own.claim.left)]
    if len(of) == 1 and of[0] is not None and network.value(of[0]) is not None:
        network = restricted(network, of[0])
    groups = [{item.name, *variables(item.value)} for item in network.definitions]
    written = (*walk(own.claim.left), *walk(own.claim.right))
    reached = {name for part in written if isinstance(part, ast.Name)
               and (name := bench.names.get(key_without_indices(part))) is not None}  # fmt: skip
    reached |= {bench.setting.cotangents[name] for name in reached if name in bench.setting.cotangents}
    while more := [group for group in groups if group & reached and not group <= reached]:
        reached.update(*more)
    return reached


def _layerless(key: str) -> str:
    """Return a name without the mark of its layer: what is said of W^{(k)} is said of the layer above."""
    base, scripts = split_name(key)
    return base if scripts.startswith("^{(") else key


def _left_open(own: Own, case: Case, bench: Bench) -> str:
    """Say what would have to be known before a claim could be called false; "" where nothing is missing."""
    defined = {item.key for item in own.definitions}
    spoken = _spoken_of(own, case, bench)
    for part in derivatives_in(own.claim.left):
        of = part.of.of if isinstance(part.of, ast.Derivative) else part.of
        keys = {render(of), *([key_without_indices(of)] if isinstance(of, ast.Name) else [])}
        if not keys & (defined | spoken):
            return f"${render(part.of)}$ is not defined here"
    names = {render(name) for name in names_in(own.claim.right)}
    near = _connected(own, bench)
    slopes = [name.latex for name in near if is_slope(name.latex)]
    if slopes and not spoken and not names & {*bench.model.cotangents, *slopes}:
        return f"{function_of(slopes[0])} is any function, and the claim does not speak of its derivative"
    known = _known(own, case)
    known |= {bench.names[key].latex for key in known & bench.names.keys()}
    network = bench.setting.network
    left = own.claim.left
    by = [bench.names.get(key_without_indices(part.wrt)) for part in derivatives_in(left)
          if isinstance(part.wrt, ast.Name)]  # fmt: skip
    by += [bench.model.cotangents.get(key_without_indices(name)) for name in names_in(left)]
    for name in sorted(bench.setting.free & near, key=str):
        above = any(variable is not None and variable in upstream(network, (name,)) for variable in by)
        letter = bare_letter(name.latex)
        spelled = {canonical(name.latex), *(key for key, var in bench.names.items() if var == name)}
        usual = letter in PARAMETERS or (letter in SCALARS and letter.startswith("\\") and not name.shape)
        layered = _layerless(name.latex) in map(_layerless, {*case.found.declared, *defined})
        usual = usual or is_start(name.latex) or layered
        if not above and not usual and not is_slope(name.latex) and not {name.latex, *spelled} & known:
            return f"nothing is said of ${name.latex}$"
    return ""
