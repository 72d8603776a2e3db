"""One reading of a function: which model it computes and how its arrays lie; what calls of it gave at each point."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from derive.claims.bench import Bench
from derive.errors import DeriveError
from derive.expr import Var
from derive.handwritten.compare import Met, as_met
from derive.handwritten.layout import Layout
from derive.handwritten.program import Program, Returned
from derive.handwritten.sampling import Sample, floats
from derive.handwritten.words import Meaning, Words
from derive.model import trained


@dataclass(frozen=True, slots=True)
class Reading:
    """What a function is taken to compute: a model, a layout of its arrays, a convention for the loss of a batch.

    Attributes:
        bench: The model.
        words: What words of the code stand for.
        layout: How arrays lie.
        meanings: What the function's parameters stand for.
        summed: The size by which the model's mean over samples is a sum in code; None where it is a mean.
        notes: What is assumed, in words.
    """

    bench: Bench
    words: Words
    layout: Layout
    meanings: Mapping[str, Meaning]
    summed: Any = None
    notes: tuple[str, ...] = ()

    def factor(self, sample: Sample) -> float:
        """Return what the derivatives of the model are multiplied by."""
        return 1.0 if self.summed is None else float(sample.sizes[self.summed])

    def expected(self, name: Var, sample: Sample) -> Any:
        """Return the derived gradient as it lies in the code."""
        return self.layout.arranged(name, sample.expected(name) * self.factor(sample))

    def value(self, meaning: Meaning, sample: Sample) -> Any:
        """Return what is passed for a word."""
        if meaning.kind == "size":
            return int(sample.sizes[meaning.of])
        if meaning.kind == "tuple":
            return tuple(self.value(part, sample) for part in meaning.of)
        if meaning.kind == "dict":
            return {key: self.value(part, sample) for key, part in meaning.of}
        if meaning.kind == "cotangent":
            own = sample.expected(meaning.of)
            factor = 1.0 if meaning.of in self.words.ends else self.factor(sample)
            array = self.layout.arranged(meaning.of, own * factor)
        else:
            array = self.layout.arranged(meaning.of, floats(sample.values[meaning.of]))
        if meaning.of.domain.partition(" ")[0] == "index" and meaning.kind == "value":
            array = array.astype(np.int64)
        return np.array(array)


@dataclass(frozen=True, slots=True)
class Called:
    """What calls at one point gave: arrays by what they stand for; or the error; or what is wrong with the calls."""

    sample: Sample
    inputs: Mapping[str, Any]
    found: Mapping[Meaning, Met]
    words: Mapping[Meaning, str]
    error: str = ""
    changed: Mapping[str, tuple[Any, Any]] | None = None  # inputs written to: before and after
    differs: bool = False  # two calls gave different results
    notes: tuple[str, ...] = ()


def called(program: Program, reading: Reading, sample: Sample, wrt: Sequence[str] | None) -> Called:
    """Call a function twice at a point.

    Raises:
        DeriveError: what it returned cannot be told to be the gradient of anything.
    """
    inputs = {word: reading.value(meaning, sample) for word, meaning in reading.meanings.items()}
    given = copy.deepcopy(inputs)
    above = _above(reading, sample) if program.differentiates else []
    try:
        first = _fetched(program.call(given, copy.deepcopy(above)))
        second = _fetched(program.call(copy.deepcopy(inputs), copy.deepcopy(above)))
    except Exception as error:  # the user's code may raise anything
        return Called(sample, inputs, {}, {}, error=_last_line(error))
    found, words, notes = _sorted(first, program, reading, wrt)
    again, _, _ = _sorted(second, program, reading, wrt)
    changed = {word: (inputs[word], given[word]) for word in inputs if not _same(inputs[word], given[word])}
    differs = any(not _alike(found[key], again[key]) for key in found if key in again)
    return Called(sample, inputs, found, words, changed=changed, differs=differs, notes=notes)


def _above(reading: Reading, sample: Sample) -> list[Any]:
    """Return the cotangents of the outputs of a forward function."""
    return [np.array(reading.value(Meaning("cotangent", end), sample)) for end in reading.words.ends]


def _fetched(returned: Returned) -> Returned:
    """Return a copy of what was returned: the function may write to it when it is called again."""

    def fetch(value: Any) -> Any:
        if isinstance(value, Met) or value is None:
            return value
        if hasattr(value, "_asdict"):
            value = value._asdict()
        if isinstance(value, Mapping):
            return {key: fetch(part) for key, part in value.items()}
        if isinstance(value, tuple | list):
            return tuple(map(fetch, value))
        return as_met(value)

    return Returned(fetch(returned.gradients), tuple(map(fetch, returned.forward)))


def _last_line(error: Exception) -> str:
    """Return the error as the last line of a traceback has it, and where in the user's code it arose."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].name}, line {frames[-1].lineno})" if len(frames) > 1 else ""
    return " ".join(traceback.format_exception_only(error)[-1].split()) + where


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple):
        return all(map(_same, one, other))
    if isinstance(one, dict):
        return all(_same(part, other[key]) for key, part in one.items())
    return np.shape(one) == np.shape(other) and bool(np.array_equal(one, other))


def _alike(one: Met, other: Met) -> bool:
    """Tell whether two calls gave the same, but for the order in which threads add."""
    if one.values is None or other.values is None or one.shape != other.shape:
        return one.shape == other.shape and one.dtype == other.dtype
    close = 1e-4 if one.dtype not in ("float64", "int64") else 1e-9
    return bool(np.allclose(one.values, other.values, close, close, equal_nan=True))


# ---------------------------------------------------------------- what is returned
def _sorted(
    returned: Returned, program: Program, reading: Reading, wrt: Sequence[str] | None
) -> tuple[dict[Meaning, Met], dict[Meaning, str], tuple[str, ...]]:
    """Return the arrays by what they stand for, the word of each, and what was assumed about them."""
    gradients = returned.gradients
    found: dict[Meaning, Met] = {}
    words: dict[Meaning, str] = {}
    notes: tuple[str, ...] = ()
    pair = isinstance(gradients, tuple) and len(gradients) == 2 and isinstance(gradients[1], dict)
    if pair and reading.bench.setting.end is not None:
        found[Meaning("value", reading.words.ends[0])] = gradients[0]
        words[Meaning("value", reading.words.ends[0])] = "the first of the two that are returned"
        gradients = gradients[1]
    if program.differentiates:
        for end, value in zip(reading.words.ends, returned.forward, strict=False):
            found[Meaning("value", end)] = value
            words[Meaning("value", end)] = "forward"
        pairs = [
            (word, Meaning("cotangent", meaning.of), value)
            for word, value in gradients.items()
            if (meaning := reading.meanings.get(word)) is not None and meaning.kind == "value"
            if wrt is None or _means_one_of(meaning.of, wrt, reading)
            if value is not None or meaning.of in trained(reading.bench.setting.network) or wrt is not None
        ]
    elif isinstance(gradients, dict):
        pairs = [(word, _meant(word, program, reading), value) for word, value in gradients.items()]
        if wrt is not None:
            pairs = [pair for pair in pairs if _means_one_of(pair[1].of, wrt, reading)]
    else:
        several = gradients if isinstance(gradients, tuple) else (gradients,)
        pairs, notes = _in_order(several, program, reading, wrt)
    for word, meaning, value in pairs:
        if isinstance(value, dict | tuple):
            raise DeriveError(f"{program.label} returns no array for {word}, but several in one; return them by name")
        found[meaning] = as_met(None) if value is None else value
        words[meaning] = str(word)
    if not found:
        raise DeriveError(f"{program.label} returns no gradient; expected a dict of names and arrays, or arrays")
    return found, words, notes


def _meant(word: Any, program: Program, reading: Reading) -> Meaning:
    meaning = reading.words.output(str(word))
    if meaning is None:
        raise DeriveError(
            f"{program.label} returns {word!r}, which is no name of the model; {reading.words.described()}. Say what "
            f"it is: names={{{str(word)!r}: …}}"
        )
    return meaning


def _means_one_of(name: Var, wrt: Sequence[str], reading: Reading) -> bool:
    return any(meaning is not None and meaning.of == name for meaning in map(reading.words.output, wrt))


def _in_order(
    values: Sequence[Any], program: Program, reading: Reading, wrt: Sequence[str] | None
) -> tuple[list[tuple[str, Meaning, Any]], tuple[str, ...]]:
    """Return arrays that come in order with what they stand for: as told, as named on return, or the parameters."""
    output: Callable[[str], Meaning | None] = reading.words.output
    code = reading.words.code
    if wrt is not None:
        if len(wrt) != len(values):
            raise DeriveError(f"{program.label} returns {len(values)} arrays, wrt names {len(wrt)}: {', '.join(wrt)}")
        return [(word, _meant(word, program, reading), value) for word, value in zip(wrt, values, strict=True)], ()
    if len(program.words) == len(values) and all(map(output, program.words)):
        meanings = [_meant(word, program, reading) for word in program.words]
        if len(set(meanings)) == len(values):
            note = f"{', '.join(program.words)}: what is returned, as its return statement names it"
            return list(zip(program.words, meanings, values, strict=True)), (note,)
    parameters = trained(reading.bench.setting.network)
    if len(parameters) == len(values):
        note = f"what is returned is by {', '.join(code[name.latex] for name in parameters)}, in this order"
        triples = [
            (f"d{code[name.latex]}", Meaning("cotangent", name), value)
            for name, value in zip(parameters, values, strict=True)
        ]
        return triples, (note,) if len(values) > 1 else ()
    met = f"{len(values)} arrays" if len(values) > 1 else "an array"
    listed = ", ".join(code[name.latex] for name in parameters) or "none"
    raise DeriveError(
        f"{program.label} returns {met}; the model's parameters are {listed}. Say by what the gradients are, in order: "
        "wrt=('x', 'W'), or return a dict of names and arrays"
    )


def with_notes(reading: Reading, notes: Sequence[str]) -> Reading:
    """Return a reading with what else is assumed."""
    return replace(reading, notes=tuple(dict.fromkeys([*reading.notes, *notes])))
