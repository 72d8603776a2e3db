"""Claims about a model whose sizes are numbers, judged where symbols stand for the sizes.

What holds for all sizes holds for those of the model, however a number of the claim is read: as a constant, or as
the size that it is equal to. What differs at small sizes may yet hold at those of the model, where a number in it
happens to fit: this is computed at the sizes themselves, once all derivatives that it takes have been checked.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import sympy

from derive.expr import Const, Node, Var, rebuild, variables, walk
from derive.generalise import General
from derive.model import free_variables
from derive.verify.evaluate import EXACT, Point, evaluate, extents, points
from derive.verify.judge import GOOD, Verdict, agrees, judge
from derive.verify.numbers import CostError, Number, RetryError, afford
from derive.verify.setting import Setting

MOST_ENTRIES = 1 << 21  # of all arrays of a model, where a claim is compared at the model's own sizes
SMALL = 5  # numerator and denominator together, of a number that is none of the sizes: up to 4, 1/4, 3/2
LARGE = 100  # a size at which no polynomial with small coefficients vanishes
SMALLER = ", where sizes are smaller than in the model"
BEYOND = "the sides differ at smaller sizes, and those of the model are too large to compute with"


def judge_as_written(left: Node, right: Node, setting: Setting) -> Verdict:
    """Judge `left = right` for a model as written; see `judge`."""
    verdict = judge(left, right, setting)
    general = setting.general
    if general is None or verdict.verdict in GOOD or verdict.verdict == "ill-typed":
        return verdict
    for sides in readings(left, right, setting):
        other = judge(*sides, setting)
        if other.verdict in GOOD:
            return other
        verdict = other if other.verdict == "refuted" else verdict
    if verdict.verdict != "refuted":
        return verdict
    differs = _differs_as_written(left, right, setting)
    if differs is False:
        return Verdict("verified", "equal in exact arithmetic at the sizes of the model", verdict.assumptions)
    if differs is None and not _beyond_doubt(left, right, general):
        return Verdict("undecided", BEYOND, verdict.assumptions)
    return replace(verdict, reason=verdict.reason + SMALLER)


def agrees_as_written(left: Node, right: Node, setting: Setting) -> bool:
    """Tell whether two sides agree, at small sizes, under one reading of the numbers in them; see `agrees`."""
    sides = itertools.chain([(left, right)], readings(left, right, setting))
    return any(agrees(*pair, setting) for pair in sides)


# ---------------------------------------------------------------- numbers that are sizes
def readings(left: Node, right: Node, setting: Setting) -> Iterator[tuple[Node, Node]]:
    """Yield the sides with the sizes of a model in place of the numbers that are made of them."""
    if setting.general is None:
        return
    changed = (with_sizes(left, setting.general), with_sizes(right, setting.general))
    if changed != (left, right):
        yield changed


def with_sizes(node: Node, general: General) -> Node:
    """Return an expression with sizes in its numbers: 1/392 is 2/784 where 784 is a size.

    A number becomes a smaller one times a size, times the product or the quotient of two, or over one or two.
    """

    def change(part: Node) -> Node | None:
        if not isinstance(part, Const) or not part.value.is_Rational or _weight(part.value) <= SMALL:
            return None
        found = ((part.value / number, size) for number, size in _scales(general))
        rest, size = min(((part.value, sympy.Integer(1)), *found), key=lambda pair: _weight(pair[0]))
        return Const(rest * size)

    return rebuild(node, change)


def _scales(general: General) -> Iterator[tuple[sympy.Rational, sympy.Expr]]:
    """Yield the sizes of a model, their inverses, and products of two of these."""
    sizes = [*general.sizes.items()]
    single = [*sizes, *((1 / number, 1 / size) for number, size in sizes)]
    yield from single
    yield from ((a * b, one * other) for (a, one), (b, other) in itertools.combinations_with_replacement(single, 2))


def _weight(number: sympy.Rational) -> int:
    return abs(int(number.p)) + int(number.q)


def _beyond_doubt(left: Node, right: Node, general: General) -> bool:
    """Tell whether sides that differ at small sizes differ at those of the model, too.

    They could agree only where numbers in them cancel what depends on sizes: not if there are none, and no size is
    the product of others, and not at one large size, at which no polynomial with small coefficients vanishes.
    """
    if any(a * b in general.sizes for a, b in itertools.combinations_with_replacement(general.sizes, 2)):
        return False
    parts = [part for side in (left, right) for part in walk(with_sizes(side, general))]
    numbers = [part.value for part in parts if isinstance(part, Const)]
    rests = {part.as_coeff_Mul()[0] for number in numbers for part in sympy.Add.make_args(number)}
    if rests <= {0, 1, -1}:
        return True
    lone = len(general.numbers) == 1 and min(general.numbers.values()) >= LARGE
    return lone and all(_weight(number) <= SMALL for number in rests)


# ---------------------------------------------------------------- at the sizes of the model
def _differs_as_written(left: Node, right: Node, setting: Setting) -> bool | None:
    """Tell whether the sides differ at the sizes of the model; None where this cannot be computed."""
    left, right = map(setting.in_primary_names, (left, right))
    try:
        point = _Values(setting, _point(left, right, setting))
        one, other = (point.value(side).each(np.ravel) for side in (left, right))
        return not one.same(other)
    except (RetryError, CostError, KeyError, NotImplementedError):
        return None


def _point(left: Node, right: Node, setting: Setting) -> Point:
    named = [name for side in (left, right) for name in variables(side) if name not in setting.known]
    place = ("as written", *named)
    if place not in setting.memory:
        directions = (partial.direction for partial in setting.partials.values() if partial.direction is not None)
        more = [name for name in (*setting.derivation.seeds, *directions, *named) if name not in setting.free]
        _afford_all([*free_variables(setting.network), *setting.known, *more], setting)
        setting.memory[place] = list(points(EXACT, setting.network, more, 1, given=given_sizes(setting)))
    if not setting.memory[place]:
        raise RetryError
    return setting.memory[place][0]


def given_sizes(setting: Setting) -> dict[sympy.Expr, int]:
    """Return the sizes of the model as written."""
    return {symbol: int(number) for symbol, number in setting.numbers.items()}


def _afford_all(names: Iterable[Var], setting: Setting) -> None:
    given = given_sizes(setting)
    unknown = {s: 2 for name in names for length in name.shape for s in length.free_symbols if s not in given}
    afford(sum(math.prod(extents(name.shape, {**unknown, **given})) for name in names), MOST_ENTRIES)


@dataclass(frozen=True, slots=True)
class _Values:
    """Values at the sizes of a model; those of derivatives by the derived equations, each checked before."""

    setting: Setting
    point: Point

    def value(self, node: Node) -> Number:
        """Return the value of an expression."""
        for name in variables(node):
            if name not in self.point.values:
                self.point.values[name] = self.value(self._derived(name))
        return evaluate(node, self.point)

    def _derived(self, name: Var) -> Node:
        partial = self.setting.partials.get(name)
        value = partial.value if partial is not None else self.setting.derived[name]
        if not agrees(name, value, self.setting):
            raise CostError
        return value
