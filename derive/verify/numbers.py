"""Two kinds of numbers with tangents, as arrays: exact residues, and reals of fifty digits.

A residue is a pair in F_p × F_q with p = 2q + 1 and e^u = g^(u mod q), so that e^(a+b) = e^a e^b holds exactly.
Other functions without such a law are consistent pseudo-random values. Nothing here is rounded, so two
expressions that differ are told apart, and no tolerance is needed. Identities of log and of |x| are invisible
to residues: a real point decides before anything is called wrong.

Tangents give derivatives (forward mode) in many directions at once, independently of the rules of the sweep.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, reduce
from typing import Any, TypeAlias

import mpmath
import numpy as np
import sympy

# The last q below 2^30 with q and p = 2q + 1 prime, so that products fit in 64 bits, and with roots modulo p of all
# primes up to 13, so that roots of sizes exist.
Q = 1073727419
P = 2 * Q + 1
GENERATOR = 1234567891**2 % P  # a square, hence of order q modulo p; no small number, so that e equals none
DIGITS = 50
MP = mpmath.MPContext()  # a context of our own: the precision of others stays as it is
MP.dps = DIGITS
FEW = 32  # entries that Python raises to a power sooner than NumPy
DIRECTIONS = "Z"  # the letter of the tangents' first axis in an einsum

Values: TypeAlias = Any  # an array of integers modulo a prime, or of objects with fifty digits
NoTangents: TypeAlias = None


class RetryError(Exception):
    """A random point met a pole or a root that does not exist; draw another."""


class CostError(Exception):
    """An array of the sizes at hand would take too much memory, or its tangents too much time."""


def afford(entries: int, most: int = 1 << 23, exact: bool = True) -> None:
    """Refuse arrays of more than 8 million residues, which are 64 MiB, or of a sixteenth as many reals."""
    if entries > (most if exact else most >> 4):
        raise CostError


# ---------------------------------------------------------------- arithmetic modulo a prime
def modular_power(base: Values, exponent: Values | int, modulus: int) -> Values:
    """Return base to the exponent modulo a prime, entry by entry."""
    if np.size(base) <= FEW and np.size(exponent) <= FEW:
        bases, exponents = np.broadcast_arrays(base, exponent)
        powers = map(pow, bases.ravel().tolist(), exponents.ravel().tolist(), itertools.repeat(modulus))
        return np.array(list(powers), np.int64).reshape(bases.shape)
    result, square = np.ones_like(base), base
    if isinstance(exponent, int):
        for bit in bin(exponent)[:1:-1]:
            result = result * square % modulus if bit == "1" else result
            square = square * square % modulus
        return result
    bits = np.broadcast_to(np.asarray(exponent, np.int64), base.shape) if base.shape else np.asarray(exponent, np.int64)
    while np.any(bits):
        result = np.where(bits & 1, result * square % modulus, result)
        square = square * square % modulus
        bits = bits >> 1
    return result


def modular_inverse(value: Values, modulus: int) -> Values:
    """Return 1/x entry by entry, modulo a prime or (modulus 0) of reals; a zero asks for another point."""
    if not modulus:
        if any(entry == 0 for entry in value.ravel()):
            raise RetryError
        return entrywise(lambda x: 1 / x, value)
    if not np.all(value):
        raise RetryError
    return modular_power(value, modulus - 2, modulus)


def entrywise(function: Callable[[Any], Any], values: Values) -> Values:
    """Return a function of every entry, as objects."""
    result = np.empty(values.shape, object)
    for place in np.ndindex(*values.shape):
        result[place] = function(values[place])
    return result


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """An array modulo a prime (or of reals: modulus 0), with its tangents along a first axis, or without any."""

    x: Values
    dx: Values | NoTangents
    modulus: int

    def kept(self, value: Values, tangents: Values | NoTangents) -> Part:
        """Return an array in the same arithmetic."""
        value = np.asarray(value, self.x.dtype)  # NumPy unpacks arrays without axes
        if not self.modulus:
            return Part(value, tangents, 0)
        return Part(value % self.modulus, None if tangents is None else tangents % self.modulus, self.modulus)

    def times(self, factor: Values) -> Values | NoTangents:
        """Return the tangents times an array of the value's shape, or of one that it broadcasts to."""
        if self.dx is None:
            return None
        tangents = _aligned(self.dx, np.ndim(factor))
        return tangents * factor % self.modulus if self.modulus else tangents * factor

    def mapped(self, value: Values, slope: Values) -> Part:
        """Return a function of the array from its value and its slope."""
        return self.kept(value, self.times(slope))


def _aligned(tangents: Values, rank: int) -> Values:
    """Give the tangents of a scalar the axes of the tensor beside it."""
    missing = rank + 1 - tangents.ndim
    return tangents.reshape(tangents.shape[:1] + (1,) * missing + tangents.shape[1:]) if missing > 0 else tangents


def _sum(left: Values | NoTangents, right: Values | NoTangents, rank: int, shape: tuple[int, ...]) -> Values:
    known = [_aligned(t, rank) for t in (left, right) if t is not None]
    if not known:
        return None
    whole = known[0] + known[1] if len(known) == 2 else known[0]
    return np.broadcast_to(whole, (whole.shape[0], *shape))


def _add(a: Part, b: Part) -> Part:
    value = np.asarray(a.x + b.x, a.x.dtype)
    return a.kept(value, _sum(a.dx, b.dx, value.ndim, value.shape))


def _multiply(a: Part, b: Part) -> Part:
    value = np.asarray(a.x * b.x, a.x.dtype)
    return a.kept(value, _sum(a.times(b.x), b.times(a.x), value.ndim, value.shape))


def _reciprocal(a: Part) -> Part:
    value = modular_inverse(a.x, a.modulus)
    square = value * value % a.modulus if a.modulus else value * value
    return a.mapped(value, -square)


@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """An array of numbers with tangents; its parts are two residues, or one real."""

    parts: tuple[Part, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return tuple(self.parts[0].x.shape)

    @property
    def values(self) -> Values:
        """The values themselves; of residues, those modulo p."""
        return self.parts[0].x

    def each(self, change: Callable[[Values], Values]) -> Number:
        """Return the values rearranged, without tangents."""
        return Number(tuple(Part(np.asarray(change(p.x), p.x.dtype), None, p.modulus) for p in self.parts))

    def without_tangents(self) -> Number:
        """Return the values alone."""
        return self.each(lambda x: x)

    def moving(self, start: int = 0, stop: int | None = None) -> Number:
        """Return the same values, moving along each entry in turn, or along some: one direction for each."""
        count = math.prod(self.shape)
        stop = count if stop is None else stop
        afford((stop - start) * count)
        unit = np.eye(stop - start, count, start, dtype=np.int64).reshape(stop - start, *self.shape)
        directions = number(unit, bool(self.parts[0].modulus))
        return Number(tuple(Part(p.x, d.x, p.modulus) for p, d in zip(self.parts, directions.parts, strict=True)))

    def along(self, direction: Number) -> Number:
        """Return the same values, moving in one direction."""
        pairs = zip(self.parts, direction.parts, strict=True)
        return Number(tuple(Part(p.x, d.x[None], p.modulus) for p, d in pairs))

    def tangents(self, directions: int) -> Number:
        """Return the tangents as numbers, the directions along the first axis."""
        return Number(tuple(
            Part(np.zeros((directions, *p.x.shape), np.int64) * p.x if p.dx is None else p.dx, None, p.modulus)
            for p in self.parts
        ))  # fmt: skip

    def same(self, other: Number) -> bool:
        """Tell whether all values agree: modulo p, or to far more digits than rounding can cost."""
        (one, two), exact = (self.values, other.values), bool(self.parts[0].modulus)
        if np.shape(one) != np.shape(two):
            return False
        if exact:
            return bool(np.array_equal(one, two))
        tolerance = MP.mpf(10) ** (-DIGITS // 2)
        pairs = zip(one.ravel(), two.ravel(), strict=True)
        return all(abs(a - b) <= (1 + abs(a) + abs(b)) * tolerance for a, b in pairs)

    def at(self, *place: Any) -> Number:
        """Return a part of the array, as NumPy indexes it."""
        return Number(tuple(
            Part(np.asarray(p.x[place], p.x.dtype), None if p.dx is None else p.dx[(slice(None), *place)], p.modulus)
            for p in self.parts
        ))  # fmt: skip

    def _beside(self, other: Any) -> Number:
        return other if isinstance(other, Number) else number(other, bool(self.parts[0].modulus))

    def _with(self, other: Any, combine: Callable[[Part, Part], Part]) -> Number:
        return Number(tuple(map(combine, self.parts, self._beside(other).parts)))

    def __add__(self, other: Any) -> Number:
        return self._with(other, _add)

    __radd__ = __add__

    def __neg__(self) -> Number:
        return Number(tuple(p.kept(-p.x, None if p.dx is None else -p.dx) for p in self.parts))

    def __sub__(self, other: Any) -> Number:
        return self + -self._beside(other)

    def __rsub__(self, other: Any) -> Number:
        return self._beside(other) + -self

    def __mul__(self, other: Any) -> Number:
        return self._with(other, _multiply)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Number:
        return self * Number(tuple(map(_reciprocal, self._beside(other).parts)))

    def __rtruediv__(self, other: Any) -> Number:
        return self._beside(other) / self

    def __pow__(self, exponent: int) -> Number:
        result, square, left = self * 0 + 1, self, abs(exponent)
        while left:
            result = result * square if left % 2 else result
            left //= 2
            square = square * square if left else square
        return result if exponent >= 0 else 1 / result


def number(value: int | Fraction | sympy.Rational | Values, exact: bool) -> Number:
    """Return an integer, a fraction or an array of integers as numbers."""
    if isinstance(value, np.ndarray):
        if exact:
            return Number(tuple(Part(value.astype(np.int64) % m, None, m) for m in (P, Q)))
        return Number((Part(entrywise(MP.convert, value), None, 0),))
    ratio = Fraction(int(value.p), int(value.q)) if isinstance(value, sympy.Rational) else Fraction(value)
    top, bottom = ratio.numerator, ratio.denominator
    if exact:
        if bottom % P == 0 or bottom % Q == 0:
            raise RetryError
        return Number(tuple(Part(np.asarray(top * pow(bottom, -1, m) % m, np.int64), None, m) for m in (P, Q)))
    box = np.empty((), object)
    box[()] = MP.mpf(top) / bottom
    return Number((Part(box, None, 0),))


def joined(numbers: list[Number]) -> Number:
    """Return arrays without tangents as one, along their first axis."""
    if len(numbers) == 1:
        return numbers[0]
    columns = zip(*(n.parts for n in numbers), strict=True)
    return Number(tuple(Part(np.concatenate([p.x for p in column]), None, column[0].modulus) for column in columns))


def einsum(spec: str, numbers: list[Number]) -> Number:
    """Return the sum of products; tangents by the product rule."""
    return Number(tuple(_einsum(spec, column) for column in zip(*(n.parts for n in numbers), strict=True)))


def _einsum(spec: str, parts: tuple[Part, ...]) -> Part:
    left, right = spec.split("->")
    words = left.split(",")
    values = [p.x for p in parts]
    tangents = [
        contract(
            [*words[:k], DIRECTIONS + words[k], *words[k + 1 :]], DIRECTIONS + right,
            [*values[:k], p.dx, *values[k + 1 :]], p.modulus,
        )
        for k, p in enumerate(parts) if p.dx is not None
    ]  # fmt: skip
    whole = reduce(lambda a, b: a + b, tangents) if tangents else None
    return parts[0].kept(contract(words, right, values, parts[0].modulus), whole)


def contract(words: list[str], right: str, arrays: list[Values], modulus: int) -> Values:
    """Return an einsum modulo a prime, one operand after the other, summing as soon as an index is done with."""
    dtype = arrays[0].dtype
    whole = np.asarray(1, dtype)
    moves, order = _plan(tuple(words), right)
    for k, single, at, beside, gone in moves:
        array = np.einsum(f"{words[k]}->{single}", arrays[k]) if single != words[k] else arrays[k]
        left, beyond = _spread(whole, *at), _spread(array, *beside)
        afford(math.prod(map(max, np.shape(left), np.shape(beyond))), exact=bool(modulus))
        product = left * beyond
        product = product % modulus if modulus else product
        whole = np.asarray(product.sum(axis=gone) if gone else product, dtype)
        whole = whole % modulus if modulus and gone else whole
    return whole.transpose(order)


_Place: TypeAlias = tuple[tuple[int, ...], tuple[slice | None, ...]]  # the order of an array's axes, and new ones
_Move: TypeAlias = tuple[int, str, _Place, _Place, tuple[int, ...]]


@lru_cache(maxsize=4096)
def _plan(words: tuple[str, ...], right: str) -> tuple[list[_Move], list[int]]:
    """Return for each operand how it and the product so far lie over their common letters, and what is summed.

    After the first comes what brings the fewest new letters.
    """
    moves, letters, waiting = [], "", list(range(len(words)))
    while waiting:
        k = min(waiting, key=lambda place: len({*words[place]} - {*letters})) if letters else waiting[0]
        waiting.remove(k)
        single = "".join(dict.fromkeys(words[k]))
        union = letters + "".join(letter for letter in single if letter not in letters)
        later = set("".join(words[place] for place in waiting)) | set(right)
        gone = tuple(axis for axis, letter in enumerate(union) if letter not in later)
        moves.append((k, single, _place(letters, union), _place(single, union), gone))
        letters = "".join(letter for letter in union if letter in later)
    return moves, [letters.index(letter) for letter in right]


def _place(letters: str, union: str) -> _Place:
    order = sorted(range(len(letters)), key=lambda k: union.index(letters[k]))
    return tuple(order), tuple(slice(None) if letter in letters else None for letter in union)


def _spread(array: Values, order: tuple[int, ...], index: tuple[slice | None, ...]) -> Values:
    """Return an array with one axis for each letter of the union, in its order."""
    return array.transpose(order)[index]
