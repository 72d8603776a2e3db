"""The verdict on a function written by hand: each gradient that it returns, against the derived one.

A function that raises is not refuted but undecided: nothing was compared. A function may lay out its arrays in several
ways and compute one sample or many; of the readings under which its parameters have a meaning, the first under which
all that it returns is right counts, and its conventions are printed. Where there is none, the plainest is reported.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from derive.claims.in_model import JudgedClaim
from derive.errors import DeriveError
from derive.expr import Apply, Const, walk
from derive.handwritten.cause import cause, cause_of_mutation
from derive.handwritten.compare import Finding, compare
from derive.handwritten.program import Program, program
from derive.handwritten.readings import SAMPLES, Options, readings
from derive.handwritten.run import Called, Reading, called, with_notes
from derive.handwritten.sampling import Sample, floats, reduced, samples, sizes_of
from derive.handwritten.words import Meaning
from derive.meaning.outline import Place
from derive.model import Network, trained
from derive.printer import to_latex
from derive.verify.judge import GOOD, Counterexample, Verdict

ORDER = ("refuted", "ill-typed", "undecided", "verified")
SECONDS = 4.0  # spent on what small edits of formulas may explain
PLAIN = (0, 1, -1, 2)  # constants that are no sizes


@dataclass(frozen=True, slots=True)
class JudgedGradient:
    """A gradient that a function returns, judged; the call that shows it, as Python."""

    claim: JudgedClaim
    word: str
    call: str = ""


def judge_function(network: Network, function: Any, options: Options) -> list[JudgedGradient]:
    """Judge a function written by hand against the derivatives of a model.

    Raises:
        DeriveError: the function's parameters, or what it returns, have no meaning in the model.
    """
    if options.samples not in (None, *SAMPLES):
        raise DeriveError(f"samples: met {options.samples}; expected {', '.join(SAMPLES)}")
    own = program(function, options.args)
    best: tuple[Any, list[JudgedGradient], Reading, list[Called]] | None = None
    known: dict[Any, list[Sample]] = {}
    for reading in readings(network, own, options):
        started = time.perf_counter()
        if reduced(reading.bench.setting, options.sizes):
            reading = with_notes(reading, ["sizes that the model gives as numbers are too large, and taken smaller"])
        calls, failed = _calls(own, reading, options, known)
        found = _judged(own, reading, calls, failed, options, started)
        rank = _rank(found, calls)
        if best is None or rank < best[0]:
            best = (rank, found, reading, calls)
        if rank[:2] == (0, 0):
            break
    assert best is not None
    _, found, reading, calls = best
    until = time.monotonic() + SECONDS
    return [_explained(item, reading, calls, until) for item in found]


def _rank(found: Sequence[JudgedGradient], calls: Sequence[Called]) -> tuple[int, int, int]:
    """Return how far a reading is from what the function means: crashes, then shapes, then values."""
    words = [item.claim.verdict.verdict for item in found]
    bad = sum(word not in GOOD for word in words)
    return (bad and 1 + sum(bool(call.error) for call in calls), words.count("ill-typed"), bad)


# ---------------------------------------------------------------- calls
def _calls(
    own: Program, reading: Reading, options: Options, known: dict[Any, list[Sample]]
) -> tuple[list[Called], str]:
    """Call the function at every point; the second is what keeps it from being judged, if anything does."""
    above = own.differentiates or any(m.kind == "cotangent" and m.of == reading.bench.setting.end
                                      for m in reading.meanings.values())  # fmt: skip
    key = (reading.bench.setting.network.samples, above)
    if key not in known:
        known[key] = samples(reading.bench.setting, above and reading.bench.setting.end is not None, options.sizes)
    points = known[key]
    if not points:
        return [], "no point could be found at which the model has moderate values and derivatives"
    return [called(own, reading, point, options.wrt) for point in points], ""


def _judged(
    own: Program, reading: Reading, calls: Sequence[Called], failed: str, options: Options, started: float
) -> list[JudgedGradient]:
    """Return a verdict on everything that was returned, and on inputs that were written to."""
    errors = [call for call in calls if call.error]
    good = [call for call in calls if not call.error]
    if failed or not good:
        reason = failed or f"{own.label} raised {errors[0].error}"
        verdict = Verdict("undecided", reason, _assumptions(reading, ()))
        claim = _claim(own, own.label, "", verdict, started)
        return [JudgedGradient(claim, own.label, _call(own, reading, errors[0]) if errors else "")]
    reading = with_notes(reading, [*good[0].notes, *_left_out(good[0], reading)])
    found = []
    for meaning, word in good[0].words.items():
        verdict, shown = _verdict(meaning, word, good, reading, options)
        if verdict.verdict == "verified" and errors:
            verdict = replace(verdict, verdict="undecided", reason=f"{_where(errors[0])} it raised {errors[0].error}")
            shown = errors[0]
        latex, formula = _names(meaning, reading)
        claim = _claim(own, latex, formula, verdict, started)
        found.append(JudgedGradient(claim, word, "" if shown is None else _call(own, reading, shown)))
    return [*found, *_written_to(own, reading, good, started)]


def _claim(own: Program, latex: str, formula: str, verdict: Verdict, started: float) -> JudgedClaim:
    place = Place((own.label,), 0, "", own.line, 1)
    return JudgedClaim(latex, place, latex, formula, verdict, own.label, time.perf_counter() - started)


def _names(meaning: Meaning, reading: Reading) -> tuple[str, str]:
    """Return what was returned as LaTeX, and the derived formula for it."""
    if meaning.kind == "value":
        return str(meaning.of.latex), ""
    setting = reading.bench.setting
    end = setting.end.latex if setting.end is not None else "L"
    equation = next((e for e in setting.backward if e.of == meaning.of), None)
    name = rf"\frac{{\partial {end}}}{{\partial {meaning.of.latex}}}"
    return name, "" if equation is None else to_latex(reading.bench.written_as(equation.value))


def _assumptions(reading: Reading, more: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*reading.bench.setting.derivation.assumptions, *reading.notes, *more]))


def _left_out(call: Called, reading: Reading) -> list[str]:
    """Say by which parameters nothing was returned."""
    names = [p for p in trained(reading.bench.setting.network) if Meaning("cotangent", p) not in call.found]
    listed = ", ".join(reading.words.code[name.latex] for name in names)
    return [f"no gradient by {listed} was returned, and none judged"] if names else []


def _verdict(
    meaning: Meaning, word: str, calls: Sequence[Called], reading: Reading, options: Options
) -> tuple[Verdict, Called | None]:
    """Return the verdict on one thing returned, over all points, and the call that shows what is wrong."""
    found = [(call, _found(meaning, call, reading, options)) for call in calls]
    bad = {kind: [(c, f) for c, f in found if f.word == kind] for kind in ("differs", "shape", "close")}
    assumptions = _assumptions(reading, ())
    restless = next((call for call in calls if call.differs), None)
    if restless is not None:
        reason = "two calls with the same inputs gave different results: it draws random numbers or keeps a state"
        return Verdict("undecided", reason, assumptions), restless
    for kind, judged in (("differs", "refuted"), ("shape", "ill-typed"), ("close", "undecided")):
        if not bad[kind]:
            continue
        call, finding = min(bad[kind], key=lambda pair: (pair[0].sample.one is not None, _entries(pair[0])))
        only = f"{finding.text} {_where(call)}"
        if all(c.sample.one is not None for c, _ in bad[kind]):
            only += "; it holds where no size is 1"
        if kind != "close" and reduced(reading.bench.setting, options.sizes) and _has_numbers(reading):
            judged = "undecided"
            only += "; at the model's own sizes, which were too large to compute with, it may hold"
        example = _example(meaning, call, reading) if judged == "refuted" else None
        return Verdict(judged, only, assumptions, example), call
    singles = {f.precision for _, f in found} - {"float64"}
    precise = f", to the precision of {singles.pop()}, in which it computes" if singles else ""
    ones = sorted({str(c.sample.one) for c in calls if c.sample.one is not None})
    batch = f", with {' and '.join(ones)} = 1 too" if ones else ""
    what = "values" if meaning.kind == "value" else "derivatives"
    reason = f"equal to the {what} of the model at {len(calls)} random points of different sizes{batch}{precise}"
    return Verdict("verified", reason, assumptions), None


def _found(meaning: Meaning, call: Called, reading: Reading, options: Options) -> Finding:
    met = call.found.get(meaning)
    sample = call.sample
    if met is None:
        return Finding("shape", "it is not returned")
    if meaning.kind == "value":
        value = floats(sample.values[meaning.of]) * reading.factor(sample)
        size = float(np.max(np.abs(value), initial=1.0))
        return compare(met, reading.layout.arranged(meaning.of, value), 8 * size, size, options.tolerance)
    whole = max(float(np.max(np.abs(floats(v)), initial=0.0)) for v in sample.cotangents.values())
    factor = reading.factor(sample)
    spread = sample.spread.get(meaning.of, 0.0) * factor
    return compare(met, reading.expected(meaning.of, sample), spread, whole * factor, options.tolerance)


def _entries(call: Called) -> int:
    return sum(value.size for value in map(floats, call.sample.values.values()))


def _where(call: Called) -> str:
    return f"at {sizes_of(call.sample) or 'the point shown'}"


def _has_numbers(reading: Reading) -> bool:
    """Tell whether constants in the model may be its sizes."""
    nodes = (part for item in reading.bench.setting.network.definitions for part in walk(item.value))
    return any(isinstance(part, Const) and part.value not in PLAIN for part in nodes if not isinstance(part, Apply))


def _example(meaning: Meaning, call: Called, reading: Reading) -> Counterexample:
    """Return the point with both values, by the names of the model."""
    values = {name.latex: floats(value).tolist() for name, value in call.sample.values.items()}
    if call.sample.above != 1 and reading.bench.setting.end is not None:
        values[rf"\bar{{{reading.bench.setting.end.latex}}}"] = call.sample.above
    met = call.found[meaning]
    if meaning.kind == "value":
        own = floats(call.sample.values[meaning.of])
    else:
        own = reading.expected(meaning.of, call.sample)
    claimed = np.asarray(met.values)
    return Counterexample(values, claimed.tolist(), np.asarray(own).tolist())


def _written_to(own: Program, reading: Reading, calls: Sequence[Called], started: float) -> list[JudgedGradient]:
    """Return a verdict for each input that the function wrote to: its caller's array changed."""
    found: dict[str, JudgedGradient] = {}
    for call in calls:
        for word, (before, after) in (call.changed or {}).items():
            meaning = reading.meanings[word]
            latex = meaning.of.latex if meaning.kind == "value" else word
            reason = f"{own.label} writes to its argument {word}: the caller's array is changed. Work on a copy"
            plain = isinstance(before, np.ndarray)
            example = Counterexample({latex: before.tolist()}, after.tolist(), before.tolist()) if plain else None
            verdict = Verdict("refuted", reason, _assumptions(reading, ()), example, cause_of_mutation(word, latex))
            item = JudgedGradient(_claim(own, latex, latex, verdict, started), word, _call(own, reading, call))
            found.setdefault(word, item)
    return list(found.values())


def _call(own: Program, reading: Reading, call: Called) -> str:
    """Return the call as Python that can be pasted."""
    parts = [f"{word}={_python(value)}" for word, value in call.inputs.items()]
    if own.differentiates:
        parts += [f"d{reading.words.code[end.latex]}={_python(reading.value(Meaning('cotangent', end), call.sample))}"
                  for end in reading.words.ends]  # fmt: skip
    return f"{own.label}({', '.join(parts)})"


def _python(value: Any) -> str:
    if isinstance(value, np.ndarray):
        text = repr([float(f"{x:.6g}") for x in value.ravel()]) if value.ndim == 1 else repr(_short(value.tolist()))
        return f"np.array({text})" if value.ndim else f"{float(value):.6g}"
    return repr(tuple(value)) if isinstance(value, tuple) else repr(value)


def _short(value: Any) -> Any:
    return [_short(part) for part in value] if isinstance(value, list) else float(f"{value:.6g}")


def _explained(item: JudgedGradient, reading: Reading, calls: Sequence[Called], until: float) -> JudgedGradient:
    """Return a judgement with what is wrong, where a usual slip explains it."""
    verdict = item.claim.verdict
    if verdict.verdict not in ("refuted", "ill-typed") or verdict.diagnosis is not None:
        return item
    good = [call for call in calls if not call.error]
    meaning = next((m for m, word in good[0].words.items() if word == item.word), None)
    if meaning is None or meaning.kind != "cotangent":
        return item
    found = cause(meaning.of, reading, good, until)
    return replace(item, claim=replace(item.claim, verdict=replace(verdict, diagnosis=found)))
