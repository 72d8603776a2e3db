"""Claims about a model whose sizes are numbers, judged where symbols stand for the sizes.

What holds for all sizes holds for those of the model, however a number of the claim is read: as a constant, or as
the size that it is equal to. What differs at small sizes may yet hold at those of the model, where a number in it
happens to fit: this is computed at the sizes themselves, once all derivatives that it takes have been checked.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import sympy

from derive.expr import Const, Node, Var, rebuild, variables, walk
from derive.model import free_variables
from derive.verify.evaluate import EXACT, Point, evaluate, extents, points
from derive.verify.judge import Verdict, agrees, judge
from derive.verify.numbers import CostError, Number, RetryError, afford
from derive.verify.setting import Setting

MOST_ENTRIES = 1 << 21  # of all arrays of a model, where a claim is compared at the model's own sizes
GOOD = ("proved", "verified")
SMALLER = ", which is of smaller sizes than the model"
BEYOND = "the sides differ at smaller sizes, and those of the model are too large to compute with"


def judge_as_written(left: Node, right: Node, setting: Setting) -> Verdict:
    """Judge `left = right` for a model as written; see `judge`."""
    verdict = judge(left, right, setting)
    if not setting.numbers or verdict.verdict in GOOD or verdict.verdict == "ill-typed":
        return verdict
    for sides in readings(left, right, setting.numbers):
        other = judge(*sides, setting)
        if other.verdict in GOOD:
            return other
        verdict = other if other.verdict == "refuted" else verdict
    if verdict.verdict != "refuted":
        return verdict
    differs = _differs_as_written(left, right, setting)
    if differs is False:
        return Verdict("verified", "equal in exact arithmetic at the sizes of the model", verdict.assumptions)
    if differs is None and _has_numbers(left, right):
        return Verdict("undecided", BEYOND, verdict.assumptions)
    return replace(verdict, reason=verdict.reason + SMALLER)


def agrees_as_written(left: Node, right: Node, setting: Setting) -> bool:
    """Tell whether two sides agree, at small sizes, under one reading of the numbers in them; see `agrees`."""
    sides = itertools.chain([(left, right)], readings(left, right, setting.numbers))
    return any(agrees(*pair, setting) for pair in sides)


# ---------------------------------------------------------------- numbers that are sizes
def readings(left: Node, right: Node, numbers: Mapping[sympy.Symbol, sympy.Integer]) -> Iterator[tuple[Node, Node]]:
    """Yield the sides with the sizes of a model in place of the numbers that are equal to them."""
    changed = (with_sizes(left, numbers), with_sizes(right, numbers))
    if changed != (left, right):
        yield changed


def with_sizes(node: Node, numbers: Mapping[sympy.Symbol, sympy.Integer]) -> Node:
    """Return an expression with sizes in place of the numbers that are equal to them, or to products of two."""
    sizes = {number: symbol for symbol, number in numbers.items()}
    products = itertools.combinations_with_replacement(numbers.items(), 2)
    sizes = {**{a * b: one * other for (one, a), (other, b) in products}, **sizes}

    def whole(value: sympy.Integer) -> sympy.Expr:
        return sizes.get(abs(value), abs(value)) * sympy.sign(value)

    def change(part: Node) -> Node | None:
        if not isinstance(part, Const) or not part.value.is_Rational:
            return None
        return Const(whole(sympy.Integer(part.value.p)) / whole(sympy.Integer(part.value.q)))

    return rebuild(node, change)


def _has_numbers(*sides: Node) -> bool:
    numbers = (part.value for side in sides for part in walk(side) if isinstance(part, Const))
    return any(value not in (0, 1, -1) for value in numbers)


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
