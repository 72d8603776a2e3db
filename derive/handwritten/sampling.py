"""Points at which a function is called: pairwise different sizes, moderate floats, the model's derivatives there.

The derivatives are those of the model's equations in fifty digits, by tangents: no rule of the sweep is used. A point
at which they jump, or depend on their inputs so strongly that floats are of no use, is drawn again.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from derive.expr import Var
from derive.handwritten.words import sizes_in
from derive.model import free_variables, trained
from derive.shapes import axes
from derive.verify.evaluate import REAL, SIZES, Point, cotangents_at, draw, extents, run, size_choices
from derive.verify.judge import end_weights
from derive.verify.literal import given_sizes
from derive.verify.numbers import MP, CostError, Number, RetryError, entrywise
from derive.verify.setting import Setting

CHOICES = 3  # points of general sizes
DRAWS = 20  # before a choice of sizes is given up
STEP = 2.0**-20  # of the perturbation that tells how much the derivatives depend on the inputs
STEEP = 256.0  # times their own size: the most that derivatives may change for a change of the inputs
MOST_ENTRIES = 900  # of all arrays together, at sizes that the model gives as numbers
FIXED = ("onehot", "binary", "sign", "index", "simplex", "symmetric", "spd", "diagonal")
ABOVE = (3, -2, 5, -3)  # quarters of which the cotangent of the loss is one, so that leaving it out shows


@dataclass(frozen=True, slots=True)
class Sample:
    """A point with the values of all names, the cotangents there, and how strongly each depends on the inputs."""

    sizes: Mapping[sympy.Expr, int]
    values: Mapping[Var, Number]
    cotangents: Mapping[Var, Number]
    spread: Mapping[Var, float]
    above: float  # the cotangent of the loss; 1 where the function does not ask for it
    one: sympy.Symbol | None  # the size that is 1 here, where one is

    def expected(self, name: Var) -> Any:
        """Return the derivative by a name as floats; zeros where nothing depends on it."""
        found = self.cotangents.get(name)
        return np.zeros(extents(name.shape, self.sizes)) if found is None else floats(found)


def floats(number: Number) -> Any:
    """Return the values as an array of floats."""
    return np.asarray(number.values, float)


def sizes_of(sample: Sample) -> str:
    """Return the sizes of a point in words: `h = 3, n = 2`."""
    return ", ".join(f"{size} = {number}" for size, number in sorted(sample.sizes.items(), key=lambda p: str(p[0])))


def samples(setting: Setting, above: bool, fixed: Mapping[str, int] | None = None) -> list[Sample]:
    """Return points of several choices of sizes, and with one sample where there is a batch.

    Args:
        setting: The model.
        above: Whether the loss gets a cotangent other than 1.
        fixed: Sizes that are not chosen, by name.
    """
    found = []
    for turn, (sizes, one) in enumerate(_choices(setting, fixed or {})):
        sample = _sample(setting, sizes, one, ABOVE[turn % len(ABOVE)] / 4 if above else 1.0, turn)
        if sample is not None:
            found.append(sample)
    return found


def reduced(setting: Setting, fixed: Mapping[str, int] | None = None) -> bool:
    """Tell whether sizes that the model gives as numbers are too large to be computed with."""
    return bool(setting.numbers) and not _own_sizes(setting, fixed or {})


def _choices(setting: Setting, fixed: Mapping[str, int]) -> Iterator[tuple[dict[sympy.Expr, int], sympy.Symbol | None]]:
    names = _names(setting)
    symbols = sorted(sizes_in(setting, names), key=str)
    given = {symbol: fixed[str(symbol)] for symbol in symbols if str(symbol) in fixed}
    given |= _own_sizes(setting, fixed)
    for chosen in size_choices(setting.network, names, CHOICES):
        yield {**_apart(chosen, given, setting), **given}, None
    ones = [symbol for symbol in _batch_sizes(setting) if symbol not in given]
    for symbol in ones:
        yield {**_apart(size_choices(setting.network, names, 1)[0], given, setting), **given, symbol: 1}, symbol


def _own_sizes(setting: Setting, fixed: Mapping[str, int]) -> dict[sympy.Expr, int]:
    """Return the sizes that the model gives as numbers, or none where the arrays would be too large."""
    given = {s: n for s, n in given_sizes(setting).items() if str(s) not in fixed}
    others = {s: SIZES[0] for s in sizes_in(setting, _names(setting)) if s not in given}
    count = sum(math.prod(extents(name.shape, {**others, **given})) for name in _names(setting))
    return given if count <= MOST_ENTRIES else {}


def _names(setting: Setting) -> list[Var]:
    defined = [item.name for item in setting.network.definitions]
    return [*free_variables(setting.network), *setting.derivation.seeds, *defined]


def _apart(
    chosen: Mapping[sympy.Expr, int], given: Mapping[sympy.Expr, int], setting: Setting
) -> dict[sympy.Expr, int]:
    """Return sizes none of which is by chance that of an axis whose length is a number."""
    lengths = [length for name in _names(setting) for length in axes(name.shape)]
    literal = {int(length) for length in lengths if length.is_Integer} | set(given.values())
    if not all(length.is_Symbol or length.is_Integer for length in lengths):
        return dict(chosen)
    numbers = (n for n in (*SIZES, 12, 13, 14) if n not in literal and n not in chosen.values())
    return {s: next(numbers) if n in literal and s not in given else n for s, n in chosen.items()}


def _batch_sizes(setting: Setting) -> list[sympy.Symbol]:
    """Return the sizes that count samples: of data, not of parameters; of models without any, the first axes."""
    network = setting.network
    parameters = trained(network)
    data = [name for name in free_variables(network) if name not in parameters]
    if not parameters:
        first = [axes(name.shape)[0] for name in data if len(axes(name.shape)) > 1]
        return list(dict.fromkeys(length for length in first if length.is_Symbol))
    own = sizes_in(setting, parameters)
    lengths = [length for name in data for length in axes(name.shape) if length.is_Symbol]
    return list(dict.fromkeys(length for length in lengths if length not in own))


def _sample(
    setting: Setting, sizes: Mapping[sympy.Expr, int], one: sympy.Symbol | None, above: float, turn: int
) -> Sample | None:
    for attempt in range(DRAWS if one is None else 3):
        rng = random.Random(f"{turn}:{attempt}")
        try:
            point = _point(setting, sizes, lambda name, point, rng=rng: _rounded(draw(name, point, rng)))  # type: ignore[misc]
            cotangents = _cotangents(setting, point, above)
            spread = _spread(setting, point, cotangents, above, rng)
        except (RetryError, CostError, ZeroDivisionError):
            continue
        if spread is not None:
            return Sample(sizes, point.values, cotangents, spread, above, one)
    return None


def _point(setting: Setting, sizes: Mapping[sympy.Expr, int], value: Callable[[Var, Point], Number]) -> Point:
    point = Point(REAL, sizes, {}, {})
    for name in (*free_variables(setting.network), *setting.derivation.seeds):
        point.values[name] = value(name, point)
    run(setting.network, point)
    return point


def _rounded(number: Number) -> Number:
    """Return values that floats hold exactly, so that the function computes with the same numbers."""
    return number.each(lambda values: entrywise(lambda entry: MP.convert(float(entry)), values))


def _cotangents(setting: Setting, point: Point, above: float) -> dict[Var, Number]:
    ends = end_weights(setting, point)
    if setting.end is not None:
        ends = {setting.end: point.values[setting.end] * 0 + Fraction(above) if above != 1 else None}
    return cotangents_at(setting.network, point, ends, setting.structured)


def _spread(
    setting: Setting, point: Point, cotangents: Mapping[Var, Number], above: float, rng: random.Random
) -> dict[Var, float] | None:
    """Return how much each derivative changes per relative change of the inputs; None at a kink."""
    direction = {name: [rng.choice((-1, 1)) for _ in range(math.prod(v.shape))] for name, v in point.values.items()}
    found = dict.fromkeys(cotangents, 0.0)
    for sign in (1, -1):

        def moved(name: Var, _: Point, sign: int = sign) -> Number:
            value = point.values[name]
            if name.domain.partition(" ")[0] in FIXED:
                return value
            factors = np.array([1 + sign * u * STEP for u in direction[name]]).reshape(value.shape)
            return value.each(lambda x: x * factors)

        near = _cotangents(setting, _point(setting, point.sizes, moved), above)
        for name in cotangents:
            change = np.max(np.abs(floats(near[name]) - floats(cotangents[name])), initial=0.0)
            found[name] = max(found[name], float(change) / STEP)
    whole = max((float(np.max(np.abs(floats(v)), initial=0.0)) for v in cotangents.values()), default=0.0)
    return None if max(found.values(), default=0.0) > STEEP * whole else found
