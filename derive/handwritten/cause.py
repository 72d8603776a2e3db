"""Why a returned gradient is wrong: the usual slips of code, told by the numbers; then small edits of the formula."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from derive.expr import Var
from derive.handwritten.formula import edited, held_constant
from derive.handwritten.run import Called, Reading
from derive.handwritten.sampling import floats, sizes_of
from derive.handwritten.words import Meaning
from derive.printer import to_latex
from derive.verify.judge import Diagnosis

NUMBERS = (sympy.Integer(2), sympy.Rational(1, 2), sympy.Integer(1), sympy.Integer(4), sympy.Rational(1, 4))
PRECISE = 1e-7  # relative agreement that no chance explains
SINGLE = 2e-4  # the same of what float32 computes
MOST = 80  # points times names that are compared


@dataclass(frozen=True, slots=True)
class Case:
    """A wrong gradient: by what, what was returned and what is right at every point, in the layout of the model.

    `met` is as it was returned where its number of entries is not that of the gradient.
    """

    by: Var
    reading: Reading
    calls: Sequence[Called]
    met: Sequence[Any]
    right: Sequence[Any]
    near: float

    def matches(self, candidates: Iterable[Any]) -> bool:
        """Tell whether what was returned is something else at every point, axes of one entry aside.

        The candidates are asked for one by one: most are refused at the first.
        """
        pairs = zip(self.met, candidates, strict=False)
        return all(c is not None and self.close(m, c) for m, c in pairs) and any(np.any(m) for m in self.met)

    def close(self, one: Any, other: Any) -> bool:
        """Tell whether two arrays are the same."""
        if np.squeeze(one).shape != np.squeeze(other).shape:
            return False
        scale = np.max(np.abs(other), initial=0.0) or 1.0
        return bool(np.max(np.abs(np.squeeze(one) - np.squeeze(other)), initial=0.0) <= self.near * scale)

    def others(self, free: bool = False) -> Iterator[tuple[Var, list[Any]]]:
        """Yield the derivatives by the other names, or by the free ones alone, at every point."""
        for name in self.reading.words.variables[:MOST]:
            if name != self.by and not (free and name not in self.reading.bench.setting.free):
                yield name, [c.sample.expected(name) * self.reading.factor(c.sample) for c in self.calls]

    def code(self, name: Var) -> str:
        """Return a name as in code."""
        return self.reading.words.code[name.latex]


def cause(by: Var, reading: Reading, calls: Sequence[Called], until: float) -> Diagnosis | None:
    """Return what is wrong with a returned gradient, with the derived formula; None where nothing usual explains it.

    `until` is the time at which the search ends.
    """
    case = _case(by, reading, calls)
    if case is None:
        return None
    corrected = _formula(case)
    if all(np.shape(m) == np.shape(r) and case.close(m, r) for m, r in zip(case.met, case.right, strict=True)):
        return Diagnosis("axis of one entry", "an axis of one entry is lost, as by squeeze()", corrected)
    for find in (_not_finite, _cut_off, _not_summed, _exchanged, _factor, _transposed, _held, _another, _summed):
        found = find(case)
        if found is not None:
            return Diagnosis(*found, corrected)
    return edited(case.by, case.reading, case.calls, case.matches, until)


def cause_of_mutation(word: str, latex: str) -> Diagnosis:
    """Return what is wrong where an input is written to."""
    text = f"{word} is changed in place: operations such as `{word} -= …` write to the caller's array"
    return Diagnosis("mutated input", text, latex)


def _case(by: Var, reading: Reading, calls: Sequence[Called]) -> Case | None:
    meaning = Meaning("cotangent", by)
    kept = [call for call in calls if (met := call.found.get(meaning)) is not None and met.values is not None]
    kept = [call for call in kept if call.sample.one is None] or kept
    if not kept:
        return None
    arrays = [call.found[meaning].values for call in kept]
    right = [call.sample.expected(by) * reading.factor(call.sample) for call in kept]
    shaped: list[Any] = []
    for array, own in zip(arrays, right, strict=True):
        fits = reading.layout.arranged(by, own).shape == array.shape
        shaped.append(reading.layout.restored(by, array, own.shape) if fits else array)
    coarse = any(call.found[meaning].dtype not in ("float64", "int64") for call in kept)
    return Case(by, reading, kept, shaped, right, SINGLE if coarse else PRECISE)


def _formula(case: Case) -> str:
    equation = next((e for e in case.reading.bench.setting.backward if e.of == case.by), None)
    end = case.reading.bench.setting.end
    name = rf"\frac{{\partial {end.latex if end is not None else 'L'}}}{{\partial {case.by.latex}}}"
    return name if equation is None else f"{name} = {to_latex(case.reading.bench.written_as(equation.value))}"


Found = tuple[str, str] | None


def _not_finite(case: Case) -> Found:
    if all(np.all(np.isfinite(m)) for m in case.met):
        return None
    return "not a number", "it is no finite number at moderate inputs: a division by 0, or exp or log out of range"


def _cut_off(case: Case) -> Found:
    dtypes = {call.found[Meaning("cotangent", case.by)].dtype for call in case.calls}
    if not all(dtype.startswith(("int", "uint")) for dtype in dtypes):
        return None
    return "wrong type", f"it is of type {', '.join(sorted(dtypes))}: fractions are cut off; use an array of floats"


def _exchanged(case: Case, free: bool = True) -> Found:
    for name, values in case.others(free):
        if case.matches(values):
            return "names exchanged", f"what is returned for ${case.by.latex}$ is the gradient by ${name.latex}$"
    return None


def _held(case: Case) -> Found:
    return held_constant(case.by, case.reading, case.calls, case.matches)


def _another(case: Case) -> Found:
    if (found := _exchanged(case, free=False)) is not None:
        return found
    for name in case.reading.words.variables:
        if case.matches([floats(call.sample.values[name]) for call in case.calls]):
            return "value for gradient", f"what is returned is the value of ${name.latex}$ itself"
    if all(not np.any(m) for m in case.met):
        return "dependence dropped", "it is 0 everywhere: no dependence on the variable is left"
    return None


# ---------------------------------------------------------------- a factor
def _factor(case: Case) -> Found:
    ratios = []
    for met, right in zip(case.met, case.right, strict=True):
        if np.shape(met) != np.shape(right) or not np.any(right):
            return None
        place = np.unravel_index(np.argmax(np.abs(right)), np.shape(right))
        ratio = met[place] / right[place]
        if not ratio or not np.isfinite(ratio) or not case.close(met, ratio * right):
            return None
        ratios.append(float(ratio))
    if all(abs(ratio + 1) < PRECISE * 10 for ratio in ratios):
        return "sign", "it has the opposite sign"
    factor = next((f for f in _factors(case) if _is(f, ratios, case)), None)
    if factor is not None:
        return _in_words(factor)
    above = [call.sample.above for call in case.calls]
    if all(abs(ratio * a - 1) < 1e-3 for ratio, a in zip(ratios, above, strict=True)):
        return "missing cotangent", "the cotangent of the output, which comes from above, is not multiplied in"
    shown = ", ".join(f"{ratio:.6g}" for ratio in ratios)
    return "factor", f"it is a multiple of the right gradient: {shown} times it, at {_sizes(case)}"


def _factors(case: Case) -> Iterator[sympy.Expr]:
    symbols = sorted({s for call in case.calls for s in call.sample.sizes}, key=str)
    powers: list[sympy.Expr] = [sympy.Integer(1), *symbols, *(1 / s for s in symbols)]
    powers += [a**i * b**j for a, b in itertools.combinations(symbols, 2) for i in (1, -1) for j in (1, -1)]
    powers += [s**k for s in symbols for k in (2, -2)]
    roots = [sympy.sqrt(s) for s in symbols]
    powers += [*roots, *(1 / root for root in roots)]
    for power, number, sign in itertools.product(powers, NUMBERS, (1, -1)):
        yield sign * number * power
    for s in symbols:  # an unbiased variance against a biased one
        yield from (s / (s - 1), (s - 1) / s)


def _is(factor: sympy.Expr, ratios: Sequence[float], case: Case) -> bool:
    values = []
    for call in case.calls:
        value = complex(factor.subs(dict(call.sample.sizes)))
        values.append(value.real if np.isfinite(value.real) else 0.0)
    return all(abs(v - r) <= 10 * case.near * abs(r) for v, r in zip(values, ratios, strict=True))


def _in_words(factor: sympy.Expr) -> tuple[str, str]:
    """Return the kind and a sentence: code that returns m times the gradient lacks 1/m."""
    kind = "sign, factor" if factor.could_extract_minus_sign() else "factor"
    lacking = str(1 / factor).replace(" ", "")
    return kind, f"the factor {lacking} is missing: it is ${sympy.latex(factor)}$ times the right gradient"


def _sizes(case: Case) -> str:
    return "; ".join(sizes_of(call.sample) for call in case.calls)


# ---------------------------------------------------------------- axes
def _transposed(case: Case) -> Found:
    if all(np.ndim(r) == 2 for r in case.right) and case.matches([r.T for r in case.right]):
        return "missing transpose", "it is the transpose of the right gradient"
    for axes in itertools.permutations(range(np.ndim(case.right[0]))):
        if np.ndim(case.right[0]) > 2 and case.matches([np.transpose(r, axes) for r in case.right]):
            return "missing transpose", f"its axes stand in the order {axes} of those of the right gradient"
    if _scaled_transpose(case):
        return "missing transpose, factor", "it is a multiple of the transpose of the right gradient"
    return None


def _scaled_transpose(case: Case) -> bool:
    if not all(np.ndim(r) == 2 and np.shape(m) == r.T.shape for m, r in zip(case.met, case.right, strict=True)):
        return False
    scaled = [r.T * (np.sum(m * r.T) / (np.sum(r * r) or 1)) for m, r in zip(case.met, case.right, strict=True)]
    return case.matches(scaled)


def _not_summed(case: Case) -> Found:
    """Find a sum that is missing: what was returned has one axis more."""
    if any(np.ndim(m) <= np.ndim(r) for m, r in zip(case.met, case.right, strict=True)):
        return None
    for axis, (word, change) in itertools.product(
        range(np.ndim(case.met[0])), (("sum", np.sum), ("mean", np.mean))
    ):
        if all(case.close(change(m, axis), r) for m, r in zip(case.met, case.right, strict=True)):
            return "missing sum", f"the {word} over axis {axis}{_along(case, axis)} is missing"
    return None


def _summed(case: Case) -> Found:
    """Find a sum that runs along another axis, or that should not be there."""
    for axis in range(np.ndim(case.right[0])):
        if case.matches([r.sum(axis) for r in case.right]):
            return "extra sum", f"it is summed over axis {axis}, of which the gradient has every entry"
        if case.matches([r.mean(axis) for r in case.right]):
            return "extra sum", f"it is averaged over axis {axis}, of which the gradient has every entry"
    for values in _summable(case):
        found = _wrong_axis(case, values)
        if found is not None:
            return found
    return None


def _along(case: Case, axis: int) -> str:
    """Name the size that an axis of what was returned has at every point."""
    sizes = [call.sample.sizes for call in case.calls]
    lengths = [np.shape(m)[axis] for m in case.met]
    named = [str(s) for s in sizes[0] if all(own[s] == n for own, n in zip(sizes, lengths, strict=True))]
    return f" ({named[0]})" if named else ""


def _summable(case: Case) -> Iterator[list[Any]]:
    """Yield what may be summed to give the gradient: the cotangents, and their products with values."""
    cotangents = [values for _, values in case.others()]
    yield from cotangents
    values = [[floats(call.sample.values[name]) for call in case.calls] for name in case.reading.words.variables]
    for one, other in itertools.islice(itertools.product(cotangents, values), MOST * 8):
        if np.ndim(one[0]) > 1 and all(np.shape(a) == np.shape(b) for a, b in zip(one, other, strict=True)):
            yield [a * b for a, b in zip(one, other, strict=True)]


def _wrong_axis(case: Case, values: Sequence[Any]) -> Found:
    rank = np.ndim(values[0])
    for right, wrong in itertools.permutations([(k,) for k in range(rank)] + [tuple(range(rank))], 2):
        sums = [v.sum(right) for v in values]
        if rank < 2 or not all(case.close(s, r) for s, r in zip(sums, case.right, strict=True)):
            continue
        if case.matches([v.sum(wrong) for v in values]):
            text = f"it is summed over axis {_axes(wrong)}; the gradient is the sum over axis {_axes(right)}"
            return "sum over wrong axis", text
    return None


def _axes(axes: tuple[int, ...]) -> str:
    return " and ".join(map(str, axes))
