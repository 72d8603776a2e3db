"""The functions of bodies on numbers: on exact residues, and on reals of fifty digits.

Of residues only exp, roots and powers keep their laws; the others are consistent pseudo-random values with the right
tangents.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from hashlib import blake2b
from operator import add, mul
from typing import Any

import numpy as np
import sympy

from derive.verify.numbers import (
    DIGITS,
    GENERATOR,
    MP,
    Number,
    P,
    Part,
    Q,
    RetryError,
    Values,
    entrywise,
    modular_inverse,
    modular_power,
    number,
)

DENOMINATORS = (1, 720720, 10**6)  # multiples of those of the fractions that formulas have
NUMERATOR = 2**26  # beyond it stands what was drawn


def _hash(tag: str, values: Values, modulus: int) -> Values:
    """Return pseudo-random residues, the same for the same tag and value (the finaliser of MurmurHash3)."""
    seed = int.from_bytes(blake2b(tag.encode(), digest_size=8).digest(), "big")
    with np.errstate(over="ignore"):
        z = np.asarray(values, np.int64).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(seed)
        for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
            z = (z ^ (z >> np.uint64(33))) * np.uint64(factor)
        z = z ^ (z >> np.uint64(33))
    return (z % np.uint64(modulus)).astype(np.int64)


class Residues:
    """The functions of bodies on residues."""

    @staticmethod
    def of(value: Any) -> Number:
        """Return an integer, a fraction, a constant or an array of integers as residues."""
        return any_number(value, exact=True)

    @staticmethod
    def power(x: Number, exponent: Any) -> Number:
        """A power: whole and half ones by products and roots, others by exp and log."""
        return _general_power(Residues, x, exponent)

    @staticmethod
    def exp(x: Number) -> Number:
        """e^x: a power of the generator modulo p, a pseudo-random value modulo q."""
        a, b = x.parts
        e = modular_power(np.full_like(b.x, GENERATOR), b.x, P)
        f = _hash("exp", b.x, Q)
        return Number((a.mapped(e, e), b.mapped(f, f)))

    @staticmethod
    def log(x: Number) -> Number:
        """log x as a pseudo-random value with the right tangent."""
        return Number(tuple(p.mapped(_hash("log", p.x, p.modulus), modular_inverse(p.x, p.modulus)) for p in x.parts))

    @staticmethod
    def sqrt(x: Number) -> Number:
        """A square root modulo p, where there is one."""
        a, b = x.parts
        if not np.all(a.x) or not np.all(modular_power(a.x, Q, P) == 1):
            raise RetryError
        root, other = modular_power(a.x, (P + 1) // 4, P), _hash("sqrt", b.x, Q)
        slopes = modular_inverse(2 * root % P, P), modular_inverse(2 * other % Q, Q)
        return Number((a.mapped(root, slopes[0]), b.mapped(other, slopes[1])))

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
        """[x > 0]: of a fraction its own sign, else a consistent pseudo-random one; that of -x is the opposite."""
        a, b = x.parts
        if not np.all(a.x):
            raise RetryError
        lower = np.minimum(a.x, P - a.x)
        value = (_hash("sign", lower, 2) == 1) == (a.x == lower)
        for denominator in DENOMINATORS:
            one, other = (_centred(part.x * denominator % part.modulus, part.modulus) for part in (a, b))
            value = np.where((one == other) & (np.abs(one) < NUMERATOR), one > 0, value)
        value = value.astype(np.int64)
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


def _centred(x: Values, modulus: int) -> Values:
    """Return the residues nearest to 0: a small whole number modulo both primes is that number."""
    return np.where(x > modulus // 2, x - modulus, x)


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
    return Number((part.mapped(entrywise(function, part.x), entrywise(slope, part.x)),))


class Reals:
    """The functions of bodies on reals."""

    @staticmethod
    def of(value: Any) -> Number:
        """Return an integer, a fraction, a constant or an array of integers as reals."""
        return any_number(value, exact=False)

    @staticmethod
    def power(x: Number, exponent: Any) -> Number:
        """A power: whole and half ones by products and roots, others by exp and log."""
        return _general_power(Reals, x, exponent)

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
        return Number((Part(entrywise(lambda v: MP.mpf(int(v > 0)), x.values), None, 0),))

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


def any_number(value: Any, exact: bool) -> Number:
    """Return an integer, a fraction, another constant of SymPy, or an array of integers as numbers."""
    if isinstance(value, sympy.Expr) and not value.is_Rational:
        return Residues.constant(value) if exact else Reals.constant(value)
    return number(value, exact)


def _general_power(own: Any, x: Number, exponent: Any) -> Number:
    short = _exponent(exponent)
    if short is None or short.denominator not in (1, 2):
        raised: Number = own.exp(own.of(short) * own.log(x) if short is not None else exponent * own.log(x))
        return raised
    base: Number = x if short.denominator == 1 else own.sqrt(x)
    return base**short.numerator


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
