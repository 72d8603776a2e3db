"""The claims of a page: each judged in the model that its section speaks of, or by itself."""

from __future__ import annotations

import itertools
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from derive.bounded import Steps, Stop
from derive.cases.case import Models
from derive.claims.alone import judge_alone
from derive.claims.around import UNKNOWN, judge_around
from derive.claims.bench import Bench, make_bench
from derive.claims.chain import ANY_FUNCTIONS, generic_chain
from derive.claims.conditional import BOUND, for_all_indices
from derive.claims.in_model import JudgedClaim, judge_claim
from derive.claims.other_senses import mark_or_power, said_of_one_value, sense_on_page, stated_anew
from derive.claims.own_layers import judge_in_own_layers
from derive.claims.usual_affine import judge_in_affine
from derive.claims.usual_layers import judge_in_layers
from derive.claims.usual_losses import judge_with_loss
from derive.claims.worked import chain_of, in_chain, judge_step, judge_step_alone, start_of
from derive.errors import DeriveError
from derive.meaning.facts import Facts
from derive.meaning.infer import build_model
from derive.meaning.kinds import collapsed
from derive.meaning.models import Sketch, claim_sketch
from derive.meaning.outline import Equation, Outline, Place, derivatives_in
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.verify.judge import FALSE, GOOD, OPEN, Verdict
from derive.verify.limits import undecided

LAYOUTS = ("denominator", "numerator")  # the usual one first


def judge_page(found: Outline, facts: Facts, sketches: Sequence[Sketch], steps: Steps) -> Iterator[JudgedClaim]:
    """Judge every claim of a page, in order, each a step of its own, and report what was not read."""
    alone = {id(claim): _in_each_layout(claim, found, facts, steps, key) for key, (_, claim) in enumerate(facts.claims)}
    layout = _page_layout(alone.values())
    prose = " ".join([*found.prose.values(), *(word for words in found.headings.values() for word in words)])
    both = all(re.search(word, prose, re.IGNORECASE) for word in LAYOUTS)
    own = {key: _in_layout(verdicts, layout, both) for key, verdicts in alone.items() if verdicts}
    judged = _in_own_layers([*_judged(found, facts, sketches, own, layout, steps)], found, facts, steps)
    results = _in_usual_layers(judged, found, facts, layout, steps)
    results += [JudgedClaim(u.latex, u.place, "", "", Verdict("unread", u.reason), "", 0.0) for u in facts.unread]
    yield from sorted(results, key=lambda claim: (claim.place.line, claim.place.column))


def _in_own_layers(judged: list[JudgedClaim], found: Outline, facts: Facts, steps: Steps) -> list[JudgedClaim]:
    """Return the claims, those about layers with a letter below judged in these: it is no index of an entry."""
    claims = [claim for _, claim in facts.claims]
    verdicts = steps.take("below", lambda: judge_in_own_layers(claims, found), lambda stop: {})

    def replaced(place: int, one: JudgedClaim) -> JudgedClaim:
        verdict, own = verdicts.get(place), one.verdict.verdict
        stays = verdict is None or own in GOOD or (own in OPEN and verdict.verdict in OPEN)
        return one if stays or verdict is None else replace(one, verdict=verdict, title="")

    return [replaced(place, one) for place, one in enumerate(judged)]


def _in_usual_layers(
    judged: list[JudgedClaim], found: Outline, facts: Facts, layout: str, steps: Steps
) -> list[JudgedClaim]:  # fmt: skip
    """Return the claims, what was left open judged in the usual network, or layer, if it speaks of its names."""
    pairs = zip(judged, facts.claims, strict=True)
    left = [(place, claim) for place, (one, (_, claim)) in enumerate(pairs) if one.verdict.verdict in OPEN]
    claims = [claim for _, claim in left]
    holding = steps.take("layers", lambda: judge_in_layers(claims, found), lambda stop: {})
    holding = {**steps.take("affine", lambda: judge_in_affine(claims, found), lambda stop: {}), **holding}
    holding = {**steps.take("loss", lambda: judge_with_loss(claims, found, facts, layout), lambda stop: {}), **holding}
    verdicts = {left[place][0]: verdict for place, verdict in holding.items()}
    return [replace(one, verdict=verdicts.get(place, one.verdict)) for place, one in enumerate(judged)]


def _in_each_layout(claim: Equation, found: Outline, facts: Facts, steps: Steps, key: int) -> dict[str, Verdict]:
    """Return the verdicts on a claim that needs no model, by the layout it may be made in; none for any other."""

    def work() -> dict[str, Verdict]:
        said = for_all_indices(claim)
        verdicts = {layout: judge_alone(said, found, facts, layout) for layout in LAYOUTS if said is not None}
        return {layout: verdict for layout, verdict in verdicts.items() if verdict is not None}

    return steps.take(("alone", key), work, lambda stop: dict.fromkeys(LAYOUTS, undecided(stop)))


def _in_layout(verdicts: Mapping[str, Verdict], layout: str, both: bool) -> Verdict:
    """Return the verdict in the page's layout; in the one in which it holds, where the page speaks of both."""
    holds = [verdict for verdict in verdicts.values() if verdict.verdict in GOOD]
    return holds[0] if both and holds and verdicts[layout].verdict in FALSE else verdicts[layout]


def _page_layout(claims: Iterable[Mapping[str, Verdict]]) -> str:
    """Return the layout in which more of the page's claims hold: shapes of variables, unless those of transposes do."""
    count = dict.fromkeys(LAYOUTS, 0)
    for verdicts in claims:
        holds = [layout for layout, verdict in verdicts.items() if verdict.verdict in GOOD]
        if len(holds) == 1:
            count[holds[0]] += 1
    return max(LAYOUTS, key=lambda layout: count[layout])


def _judged(
    found: Outline, facts: Facts, sketches: Sequence[Sketch], own: Mapping[int, Verdict], layout: str, steps: Steps
) -> Iterator[JudgedClaim]:  # fmt: skip
    numbered = enumerate(facts.claims)
    for section, group in itertools.groupby(numbered, lambda item: item[1][1].place.section):
        claims = list(group)
        make = partial(_bench, section, [claim for _, claim in claims], found, facts, sketches)
        bench = steps.take(("bench", section), make, partial(undecided, of="deriving its model"), kept=False)
        links: defaultdict[int, list[tuple[Equation, Verdict]]] = defaultdict(list)
        models: Models = {}
        for number, (order, claim) in claims:
            above = links[start_of(order, found.equations)]
            page = _Page(found, facts, sketches, layout, bench, models)
            work = partial(_judge_timed, order, claim, own.get(id(claim)), page, above)
            given_up = partial(_given_up, claim, chain_of(order, found.equations))
            judged = steps.take(("claim", number), work, given_up)
            above.append((claim, judged.verdict))
            yield judged


def _given_up(claim: Equation, chain: Place | None, stop: Stop) -> JudgedClaim:
    """Return a claim that is left open, since it takes too much."""
    left, right = claim.shown
    return JudgedClaim(claim.latex, claim.stands, left, right, undecided(stop), "", stop.seconds, chain=chain)


@dataclass(frozen=True, slots=True)
class _Page:
    """A page, the layout that its claims are made in, and what one section's claims are judged with."""

    found: Outline
    facts: Facts
    sketches: Sequence[Sketch]
    layout: str
    bench: Bench | Verdict
    models: Models


def _judge_timed(
    order: int, claim: Equation, alone: Verdict | None, page: _Page, above: Sequence[tuple[Equation, Verdict]]
) -> JudgedClaim:  # fmt: skip
    started = time.perf_counter()
    said = for_all_indices(claim)
    verdict, title = _judge_said(order, said, alone, page) if said is not None else (BOUND, "")
    if claim.only is not None and said is not claim:
        verdict = replace(verdict, assumptions=(*verdict.assumptions, f"said for ${render(claim.only)}$ alone"))
    if verdict.verdict in FALSE:
        other = sense_on_page(claim, verdict, page.facts, page.found.prose.values())
        other = other or said_of_one_value(claim, page.found)
        verdict = Verdict("unread", other) if other else verdict
    verdict = in_chain(claim, verdict, above, partial(_judge_step, claim, alone is not None, page))
    return JudgedClaim(
        claim.latex, claim.stands, *claim.shown, verdict, title,
        time.perf_counter() - started, chain=chain_of(order, page.found.equations),
    )  # fmt: skip


def _judge_said(order: int, claim: Equation, alone: Verdict | None, page: _Page) -> tuple[Verdict, str]:
    """Return the verdict on a claim about all indices, and the title of the model that it was judged in."""
    verdict, title = (alone, "") if alone is not None else _judge_one(claim, page)
    if verdict.verdict in FALSE and alone is None and (elsewhere := _defined_beside(claim, page)):
        verdict, title = Verdict("unread", f"the page defines ${elsewhere}$, and the model here does not"), ""
    if verdict.verdict in FALSE and alone is None and (anew := stated_anew(claim, page.found)):
        verdict, title = Verdict("unread", f"the section says in several ways what ${anew}$ is"), ""
    if verdict.verdict in FALSE and (mark := mark_or_power(claim, verdict, page.facts)):
        verdict, title = Verdict("unread", f"whether ${mark}$ above a name is a layer or a power is not said"), ""
    if verdict.verdict in OPEN and not _is_given_up(page.bench):
        around = judge_around(order, claim, page.found, page.facts, page.layout, page.models)
        told = around.verdict not in OPEN or (around is not UNKNOWN and not title and alone is None)
        verdict, title = (around, "") if told else (verdict, title)
    return verdict, title


def _defined_beside(claim: Equation, page: _Page) -> str:
    """Return what a claim differentiates if it stands for anything in its section's model, though the page defines it.

    "" where there is no such thing.
    """
    defined = {item.key for item in page.facts.definitions} | {name for _, name, _, _ in page.facts.functions}
    own = page.bench.setting.network.definitions if isinstance(page.bench, Bench) else ()
    of = [render(part.of) for part in derivatives_in(claim.left) if isinstance(part.of, ast.Name)]
    return next((name for name in of if name in defined - {item.name.latex for item in own}), "")


def _is_given_up(bench: Bench | Verdict) -> bool:
    """Tell whether a section's model took too much: then its claims are not tried with other parts of it."""
    return not isinstance(bench, Bench) and bench.verdict == "undecided"


def _judge_one(claim: Equation, page: _Page) -> tuple[Verdict, str]:
    generic = generic_chain(claim, page.sketches, claim.place.section)
    if generic is not None:
        return generic, ANY_FUNCTIONS
    if not isinstance(page.bench, Bench):
        return page.bench, ""
    return judge_claim(claim, page.bench), page.bench.model.sketch.title


def _judge_step(claim: Equation, is_alone: bool, page: _Page, before: Equation) -> Verdict:
    """Judge whether a link of a chain is equal to the one before."""
    if is_alone:
        return judge_step_alone(claim, before, page.found, page.facts)
    generic = generic_chain(replace(claim, left=before.right), page.sketches, claim.place.section)
    return generic if generic is not None else judge_step(claim, before, page.bench)


def _bench(
    section: int, claims: Sequence[tuple[int, Equation]], found: Outline, facts: Facts, sketches: Sequence[Sketch]
) -> Bench | Verdict:
    """Return the bench for a section's claims, or the verdict on all of them where it cannot be made."""
    sketch = claim_sketch(section, claims, sketches, found, facts)
    if sketch is None:
        return Verdict("unread", "no model on the page defines what it speaks of")
    try:
        model = build_model(sketch, facts, found)
        ones = {key: () for key, var in model.names.items() if var.shape == (1,) and key not in found.declared}
        lengths = {length for var in model.names.values() for length in var.shape}
        if ones and lengths == {1}:  # the only size that fits is 1: all are numbers
            model = build_model(sketch, facts, replace(found, declared={**found.declared, **ones}))
        number = collapsed(model.reading.meaning.kinds, found.declared)
        if number:
            return Verdict("unread", f"${number}$ fits only as a number; say its sizes")
        return make_bench(model, facts)
    except DeriveError as error:
        return Verdict("unread", str(error))
