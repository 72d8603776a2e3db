"""Arrays of numbers as tests need them: summed, compared with float64, and a model run from a name that is moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from derive.expr import Var
from derive.model import Network
from derive.verify.evaluate import LETTERS, Point, evaluate
from derive.verify.numbers import Number, einsum, number


def reals(values: Any) -> Number:
    """Decimals in words, fractions or numbers as reals: a single one, or an array of float64."""
    return number(values, exact=False)


def the_one(array: Number) -> Any:
    """The only entry of an array without axes."""
    assert array.shape == ()
    return array.values[()]


def summed(array: Number) -> Number:
    """The sum of all entries."""
    word = LETTERS[: len(array.shape)]
    return einsum(f"{word}->", [array])


def inner(left: Number, right: Number) -> Number:
    """The inner product of two arrays of one shape."""
    assert left.shape == right.shape
    return summed(left * right)


def floats(array: Number) -> Any:
    """Reals as float64."""
    plain = array.values.astype(float)
    return plain if plain.shape else float(plain)


def unit(array: Number, place: tuple[int, ...]) -> Number:
    """An array of the same shape that is 1 at one place and 0 elsewhere."""
    values = np.zeros(array.shape, np.int64)
    values[place] = 1
    return number(values, bool(array.parts[0].modulus))


def run_moved(network: Network, point: Point, moved: Mapping[Var, Number]) -> Point:
    """The point with names moved and all below them recomputed; the point given stays as it is."""
    there = Point(point.kind, point.sizes, {**point.values, **moved}, {})
    for item in network.definitions:
        if item.name not in moved:
            there.values[item.name] = evaluate(item.value, there)
    return there
