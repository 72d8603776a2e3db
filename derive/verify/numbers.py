"""Two kinds of numbers with tangents, as arrays: exact residues, and reals of fifty digits.

A residue is a pair in F_p × F_q with p = 2q + 1 and e^u = g^(u mod q), so that e^(a+b) = e^a e^b holds exactly.
Other functions without such a law are consistent pseudo-random values. Nothing here is rounded, so two
expressions that differ are told apart, and no tolerance is needed. Identities of log and of |x| are invisible
to residues: a real point decides before anything is called wrong.

Tangents give derivatives (forward mode) in many directions at once, independently of the rules of the sweep.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from hashlib import blake2b
from operator import add, mul
from typing import Any, TypeAlias

import mpmath
import numpy as np
import sympy

# The last q below 2^30 with q and p = 2q + 1 prime, so that products fit in 64 bits, and with roots modulo p of all
# primes up to 13, so that roots of sizes exist.
Q = 1073727419
P = 2 * Q + 1
GENERATOR = 4  # a square, hence of order q modulo p
DIGITS = 50
MP = mpmath.MPContext()  # a context of our own: the precision of others stays as it is
MP.dps = DIGITS
DIRECTIONS = "Z"  # the letter of the tangents' first axis in an einsum

Values: TypeAlias = Any  # an array of integers modulo a prime, or of objects with fifty digits
NoTangents: TypeAlias = None


class RetryError(Exception):
    """A random point met a pole or a root that does not exist; draw another."""


# ---------------------------------------------------------------- arithmetic modulo a prime
def _power(base: Values, exponent: Values | int, modulus: int) -> Values:
    """Return base to the exponent modulo a prime, entry by entry."""
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


def _inverse(value: Values, modulus: int) -> Values:
    if not modulus:
        if any(entry == 0 for entry in value.ravel()):
            raise RetryError
        return _entrywise(lambda x: 1 / x, value)
    if not np.all(value):
        raise RetryError
    return _power(value, modulus - 2, modulus)


def _hash(tag: str, values: Values, modulus: int) -> Values:
    """Return pseudo-random residues, the same for the same tag and value (the finaliser of MurmurHash3)."""
    seed = int.from_bytes(blake2b(tag.encode(), digest_size=8).digest(), "big")
    with np.errstate(over="ignore"):
        z = np.asarray(values, np.int64).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(seed)
        for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
            z = (z ^ (z >> np.uint64(33))) * np.uint64(factor)
        z = z ^ (z >> np.uint64(33))
    return (z % np.uint64(modulus)).astype(np.int64)


def _entrywise(function: Callable[[Any], Any], values: Values) -> Values:
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
    value = _inverse(a.x, a.modulus)
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

    def moving(self) -> Number:
        """Return the same values, moving along each entry in turn: one direction for each."""
        count = int(np.prod(self.shape))
        unit = number(np.eye(count, dtype=np.int64).reshape(count, *self.shape), bool(self.parts[0].modulus))
        return Number(tuple(Part(p.x, d.x, p.modulus) for p, d in zip(self.parts, unit.parts, strict=True)))

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

    def __pow__(self, exponent: Any) -> Number:
        own: Any = Residues if self.parts[0].modulus else Reals
        power = _exponent(exponent)
        if power is None or power.denominator not in (1, 2):
            general: Number = own.exp(self._beside(exponent if power is None else power) * own.log(self))
            return general
        base: Number = self if power.denominator == 1 else own.sqrt(self)
        result = reduce(lambda a, b: a * b, [base] * abs(power.numerator), self * 0 + 1)
        return result if power >= 0 else 1 / result


def number(value: Any, exact: bool) -> Number:
    """Return an integer, a fraction or an array of them as numbers; other constants as `constant` does."""
    if isinstance(value, sympy.Expr) and not value.is_Rational:
        return Residues.constant(value) if exact else Reals.constant(value)
    if isinstance(value, np.ndarray):
        if exact:
            return Number(tuple(Part(value.astype(np.int64) % m, None, m) for m in (P, Q)))
        return Number((Part(_entrywise(MP.convert, value), None, 0),))
    ratio = Fraction(int(value.p), int(value.q)) if isinstance(value, sympy.Rational) else Fraction(value)
    top, bottom = ratio.numerator, ratio.denominator
    if exact:
        if bottom % P == 0 or bottom % Q == 0:
            raise RetryError
        return Number(tuple(Part(np.asarray(top * pow(bottom, -1, m) % m, np.int64), None, m) for m in (P, Q)))
    box = np.empty((), object)
    box[()] = MP.mpf(top) / bottom
    return Number((Part(box, None, 0),))


def _exponent(exponent: Any) -> Fraction | None:
    """Return an exponent that is one short fraction without tangent, or None."""
    if isinstance(exponent, sympy.Expr) and not exponent.is_Rational:
        return None
    if not isinstance(exponent, Number):
        return Fraction(exponent)
    part = exponent.parts[0]
    if part.x.shape or part.dx is not None:
        return None
    if not part.modulus:
        short = Fraction(float(part.x[()])).limit_denominator(1000)
        return short if MP.mpf(short.numerator) / short.denominator == part.x[()] else None
    for bottom in (1, 2, 3, 4):
        top = int(part.x) * bottom % P
        top = top - P if top > P // 2 else top
        if abs(top) < 50:
            return Fraction(top, bottom)
    return None


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
    letters, whole = "", np.asarray(1, arrays[0].dtype)
    for k, (word, array) in enumerate(zip(words, arrays, strict=True)):
        single = "".join(dict.fromkeys(word))
        array = np.einsum(f"{word}->{single}", array) if single != word else array
        union = letters + "".join(letter for letter in single if letter not in letters)
        later = set("".join(words[k + 1 :])) | set(right)
        product = _spread(whole, letters, union) * _spread(array, single, union)
        product = product % modulus if modulus else product
        gone = tuple(axis for axis, letter in enumerate(union) if letter not in later)
        whole = np.asarray(product.sum(axis=gone) if gone else product, arrays[0].dtype)
        whole = whole % modulus if modulus else whole
        letters = "".join(letter for letter in union if letter in later)
    return whole.transpose([letters.index(letter) for letter in right])


def _spread(array: Values, letters: str, union: str) -> Values:
    """Return an array with one axis for each letter of the union, in its order."""
    order = sorted(range(len(letters)), key=lambda k: union.index(letters[k]))
    lengths = dict(zip(letters, array.shape, strict=True))
    return array.transpose(order).reshape([lengths.get(letter, 1) for letter in union])


# ---------------------------------------------------------------- functions
class Residues:
    """The functions of bodies on residues."""

    @staticmethod
    def of(value: Any) -> Number:
        """Return an integer, a fraction, a constant or an array of integers as residues."""
        return number(value, exact=True)

    @staticmethod
    def exp(x: Number) -> Number:
        """e^x: a power of the generator modulo p, a pseudo-random value modulo q."""
        a, b = x.parts
        e = _power(np.full_like(b.x, GENERATOR), b.x, P)
        f = _hash("exp", b.x, Q)
        return Number((a.mapped(e, e), b.mapped(f, f)))

    @staticmethod
    def log(x: Number) -> Number:
        """log x as a pseudo-random value with the right tangent."""
        return Number(tuple(p.mapped(_hash("log", p.x, p.modulus), _inverse(p.x, p.modulus)) for p in x.parts))

    @staticmethod
    def sqrt(x: Number) -> Number:
        """A square root modulo p, where there is one."""
        a, b = x.parts
        if not np.all(a.x) or not np.all(_power(a.x, Q, P) == 1):
            raise RetryError
        root, other = _power(a.x, (P + 1) // 4, P), _hash("sqrt", b.x, Q)
        return Number((a.mapped(root, _inverse(2 * root % P, P)), b.mapped(other, _inverse(2 * other % Q, Q))))

    @staticmethod
    def sin(x: Number) -> Number:
        """sin x as a pseudo-random value."""
        return _paired("sin", "cos", 1, x)

    @staticmethod
    def cos(x: Number) -> Number:
        """cos x as a pseudo-random value."""
        return _paired("cos", "sin", -1, x)

    @staticmethod
    def normal_cdf(x: Number) -> Number:
        """Φ(x) as a pseudo-random value whose derivative is the density e^{-x²/2} / √(2π)."""
        density = _density(Residues, x.without_tangents())
        pairs = zip(x.parts, density.parts, strict=True)
        return Number(tuple(p.mapped(_hash("Phi", p.x, p.modulus), d.x) for p, d in pairs))

    @staticmethod
    def step(x: Number) -> Number:
        """[x > 0], with a consistent pseudo-random sign: that of -x is the opposite."""
        a, _ = x.parts
        if not np.all(a.x):
            raise RetryError
        lower = np.minimum(a.x, P - a.x)
        value = ((_hash("sign", lower, 2) == 1) == (a.x == lower)).astype(np.int64)
        return Number((Part(value, None, P), Part(value, None, Q)))

    @staticmethod
    def unknown(name: str, order: int, x: Number) -> Number:
        """An arbitrary function, or its derivative of some order."""
        here, above = f"{name}'{order}", f"{name}'{order + 1}"
        return Number(tuple(p.mapped(_hash(here, p.x, p.modulus), _hash(above, p.x, p.modulus)) for p in x.parts))

    @staticmethod
    def constant(value: sympy.Expr) -> Number:
        """A number that is no fraction: roots of small primes are roots, π and the like values of their own."""
        if value.is_Rational:
            return number(value, exact=True)
        if value.is_Add or value.is_Mul:
            whole: Number = reduce(add if value.is_Add else mul, map(Residues.constant, value.args))
            return whole
        if value.is_Pow and (2 * value.exp).is_Integer and value.base.is_Integer and value.base > 0:
            primes = sympy.factorint(value.base)
            times = int(2 * value.exp)
            root: Number = reduce(mul, (_root(int(prime)) ** (times * power) for prime, power in primes.items()))
            return root
        if value.is_Pow and (2 * value.exp).is_Integer:
            return _pseudo(f"root of {value.base}") ** int(2 * value.exp)
        return _pseudo(f"root of {value}") ** 2


def _root(prime: int) -> Number:
    """Return a root of a prime; where it has none modulo p, a value of its own."""
    own = number(prime, exact=True)
    return Residues.sqrt(own) if pow(prime, Q, P) == 1 else _pseudo(f"root of {prime}")


def _pseudo(tag: str) -> Number:
    zero = np.asarray(0, np.int64)
    return Number(tuple(Part(np.asarray(_hash(tag, zero, m)), None, m) for m in (P, Q)))


def _paired(name: str, other: str, sign: int, x: Number) -> Number:
    slopes = (sign * _hash(other, p.x, p.modulus) for p in x.parts)
    return Number(tuple(p.mapped(_hash(name, p.x, p.modulus), s) for p, s in zip(x.parts, slopes, strict=True)))


def _density(own: Any, x: Number) -> Number:
    density: Number = own.constant(1 / sympy.sqrt(2 * sympy.pi)) * own.exp(-(x * x) / 2)
    return density


def own_shift(name: str) -> float:
    """Return what tells the stand-ins of two arbitrary functions apart."""
    return 1 + int(_hash(name, np.asarray(0, np.int64), 1000)) / 1000


def _real(x: Number, function: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Number:
    (part,) = x.parts
    return Number((part.mapped(_entrywise(function, part.x), _entrywise(slope, part.x)),))


class Reals:
    """The functions of bodies on reals."""

    @staticmethod
    def of(value: Any) -> Number:
        """Return an integer, a fraction, a constant or an array of integers as reals."""
        return number(value, exact=False)

    @staticmethod
    def exp(x: Number) -> Number:
        """e^x."""
        return _real(x, MP.exp, MP.exp)

    @staticmethod
    def log(x: Number) -> Number:
        """Natural logarithm of a positive number."""
        _all_positive(x)
        return _real(x, MP.log, lambda v: 1 / v)

    @staticmethod
    def sqrt(x: Number) -> Number:
        """Square root of a positive number."""
        _all_positive(x)
        return _real(x, MP.sqrt, lambda v: 1 / (2 * MP.sqrt(v)))

    @staticmethod
    def sin(x: Number) -> Number:
        """Sine."""
        return _real(x, MP.sin, MP.cos)

    @staticmethod
    def cos(x: Number) -> Number:
        """Cosine."""
        return _real(x, MP.cos, lambda v: -MP.sin(v))

    @staticmethod
    def normal_cdf(x: Number) -> Number:
        """The distribution function of the standard normal."""
        return _real(x, MP.ncdf, MP.npdf)

    @staticmethod
    def step(x: Number) -> Number:
        """[x > 0]; a point at the kink is drawn again."""
        if any(entry == 0 for entry in x.values.ravel()):
            raise RetryError
        return Number((Part(_entrywise(lambda v: MP.mpf(int(v > 0)), x.values), None, 0),))

    @staticmethod
    def unknown(name: str, order: int, x: Number) -> Number:
        """A stand-in for an arbitrary function: x + x²/2 + sin(x + s), s its own, with its derivatives."""
        shift = own_shift(name)

        def derivative(k: int) -> Callable[[Any], Any]:
            waves = (MP.sin, MP.cos, lambda v: -MP.sin(v), lambda v: -MP.cos(v))
            rest = (lambda v: v + v**2 / 2, lambda v: 1 + v, lambda v: MP.mpf(1))
            return lambda v: waves[k % 4](v + shift) + (rest[k](v) if k < 3 else 0)

        return _real(x, derivative(order), derivative(order + 1))

    @staticmethod
    def constant(value: sympy.Expr) -> Number:
        """A number that is no fraction, such as π."""
        box = np.empty((), object)
        box[()] = MP.mpf(str(sympy.N(value, DIGITS + 10)))
        return Number((Part(box, None, 0),))


def _all_positive(x: Number) -> None:
    if any(entry <= 0 for entry in x.values.ravel()):
        raise RetryError
