"""The entries of a claims file, judged: each is a model of its own with one claim, the shapes of its symbols told.

Where an entry leaves open what its claim speaks of, the claim may be proved, but is never said to be false.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from derive.bounded import Steps, Stop, bounded
from derive.errors import DeriveError
from derive.model import upstream
from derive.notation import bare_letter
from derive.read import syntax as ast
from derive.read.claims_file import Case, Entry, read_entry
from derive.read.downstream import function_of, is_slope
from derive.read.facts import key_without_indices
from derive.read.kinds import SCALARS
from derive.read.outline import Equation, Place, names_in
from derive.read.spelling import render
from derive.verify.alone import judge_slope
from derive.verify.bench import Bench, canonical
from derive.verify.claims import JudgedClaim, judge_claim
from derive.verify.judge import FALSE, Verdict
from derive.verify.limits import undecided
from derive.verify.own_model import Own, Quantities, bench_of, derivatives_in, laid_out

WORST = ("ill-typed", "refuted", "unread", "undecided", "verified", "proved")
PARAMETERS = frozenset(["W", "w", "b", r"\theta", r"\Theta"])  # free wherever nothing else is said


def judge_entries(entries: Iterable[Entry]) -> Iterator[JudgedClaim]:
    """Judge the entries of a claims file, in order, each within limits; of a chain the worst link counts."""
    return bounded(lambda steps: (_taken(steps, key, entry) for key, entry in enumerate(entries)))


def _taken(steps: Steps, key: int, entry: Entry) -> JudgedClaim:
    def too_much(stop: Stop) -> JudgedClaim:
        return _claim(entry, *_sides(entry), undecided(stop), stop.seconds)

    def judged() -> JudgedClaim:
        started = time.perf_counter()
        found = _judge_entry(entry)
        return _claim(entry, *found, time.perf_counter() - started)

    return steps.take(key, judged, too_much)


def _claim(entry: Entry, left: str, right: str, verdict: Verdict, seconds: float) -> JudgedClaim:
    return JudgedClaim(entry.claim, Place((), 0, "", entry.line, 1), left, right, verdict, "", seconds, entry.id)


def _sides(entry: Entry) -> tuple[str, str]:
    left, _, right = entry.claim.partition("=")
    return left.strip(), right.strip()


def _judge_entry(entry: Entry) -> tuple[str, str, Verdict]:
    try:
        case = read_entry(entry)
        found = [(render(claim.left), render(claim.right), _judge(case, claim)) for claim in case.claims]
        return min(found, key=lambda judged: WORST.index(judged[2].verdict))
    except DeriveError as error:
        return *_sides(entry), Verdict("unread", str(error))
    except RecursionError:
        return *_sides(entry), Verdict("unread", "the formula is nested too deeply")


def _judge(case: Case, claim: Equation) -> Verdict:
    slope = judge_slope(case, claim)
    if slope is not None:
        return slope
    own = Quantities(case.facts, case.facts.definitions).own(claim)
    bench = bench_of(own, case)
    unknown = _unknown(own, case, bench)
    if unknown:
        return Verdict("unread", unknown)
    verdict = judge_claim(laid_out(own.claim, bench), bench)
    reason = _left_open(own, case, bench) if verdict.verdict in FALSE else ""
    return Verdict("unread", f"{reason}; taken to be anything, {verdict.reason}") if reason else verdict


# ---------------------------------------------------------------- what an entry leaves open
def _unknown(own: Own, case: Case, bench: Bench) -> str:
    """Say what a claim names that the entry says nothing of, or that has no path in its model; else ""."""
    known = {*case.found.declared, *(item.key for item in own.definitions), *bench.model.cotangents}
    for name in names_in(own.claim.left) + names_in(own.claim.right):
        told = {render(name), key_without_indices(name)} & known
        if not told and render(name) in bench.names and not own.mentions:
            return f"nothing is said of ${render(name)}$"
    network = bench.setting.network
    defined = {item.name.latex for item in network.definitions}
    for part in derivatives_in(own.claim.left):
        if isinstance(part.of, ast.Name) and isinstance(part.wrt, ast.Name):
            of, by = (bench.names.get(key_without_indices(name)) for name in (part.of, part.wrt))
            if of is not None and by is not None and of.latex in defined and of not in upstream(network, (by,)):
                return f"${render(part)}$: the model does not lead from ${render(part.wrt)}$ to ${render(part.of)}$"
    return ""


def _left_open(own: Own, case: Case, bench: Bench) -> str:
    """Say what would have to be known before a claim could be called false; "" where nothing is missing."""
    defined = {item.key for item in own.definitions}
    spoken = {render(part.of) for part in derivatives_in(own.claim.right)}
    for part in derivatives_in(own.claim.left):
        if render(part.of) not in defined | spoken:
            return f"${render(part.of)}$ is not defined here"
    names = {render(name) for name in names_in(own.claim.right)}
    slopes = [name.latex for name in bench.setting.free if is_slope(name.latex)]
    if slopes and not spoken and not names & {*bench.model.cotangents, *slopes}:
        return f"{function_of(slopes[0])} is any function, and the claim does not speak of its derivative"
    known = {*case.found.declared, *defined}
    network = bench.setting.network
    left = own.claim.left
    by = [bench.names.get(key_without_indices(part.wrt)) for part in derivatives_in(left)
          if isinstance(part.wrt, ast.Name)]  # fmt: skip
    by += [bench.model.cotangents.get(key_without_indices(name)) for name in names_in(left)]
    for name in sorted(bench.setting.free, key=str):
        above = any(variable is not None and variable in upstream(network, (name,)) for variable in by)
        letter = bare_letter(name.latex)
        usual = letter in PARAMETERS or (letter in SCALARS and letter.startswith("\\") and not name.shape)
        if not above and not usual and not is_slope(name.latex) and not {name.latex, canonical(name.latex)} & known:
            return f"nothing is said of ${name.latex}$"
    return ""
