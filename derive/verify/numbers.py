"""Two kinds of numbers with a tangent: exact residues, and reals of fifty digits.

A residue is a pair in F_p × F_q with p = 2q + 1 and e^u = g^(u mod q), so that e^(a+b) = e^a e^b holds exactly.
Other functions without such a law are consistent pseudo-random values. Nothing here is rounded, so two
expressions that differ are told apart, and no tolerance is needed. Identities of log and of |x| are invisible
to residues: a real point decides before anything is called wrong.

A tangent gives the derivative (forward mode), independently of the rules of the reverse sweep.
"""

from __future__ import annotations

from fractions import Fraction
from hashlib import blake2b
from typing import Any, TypeAlias

import mpmath

Q = 2305843009213697249  # the first q above 2^61 with q and 2q + 1 prime
P = 2 * Q + 1
GENERATOR = 4  # a square, hence of order q modulo p
DIGITS = 50
MP = mpmath.MPContext()  # a context of our own: the precision of others stays as it is
MP.dps = DIGITS


class RetryError(Exception):
    """A random point met a pole or a root that does not exist; draw another."""


def _hash(tag: str, value: int, modulus: int) -> int:
    return int.from_bytes(blake2b(f"{tag}:{value}".encode(), digest_size=24).digest(), "big") % modulus


def _inverse(value: int, modulus: int) -> int:
    if value % modulus == 0:
        raise RetryError
    return pow(value, -1, modulus)


class Residue:
    """An exact number with a tangent: value and tangent modulo p and modulo q."""

    __slots__ = ("a", "b", "da", "db")

    def __init__(self, a: int, b: int, da: int = 0, db: int = 0) -> None:
        self.a, self.b, self.da, self.db = a % P, b % Q, da % P, db % Q

    @classmethod
    def of(cls, value: Any) -> Residue:
        """Return an integer or a fraction as a residue."""
        if isinstance(value, Residue):
            return value
        exact = Fraction(value)
        top, bottom = exact.numerator, exact.denominator
        return cls(top * _inverse(bottom, P), top * _inverse(bottom, Q))

    def with_tangent(self, tangent: int = 1) -> Residue:
        """Return the same value moving at the given speed."""
        return Residue(self.a, self.b, tangent, tangent)

    def tangent(self) -> Residue:
        """Return the tangent as a number."""
        return Residue(self.da, self.db)

    def same(self, other: Residue) -> bool:
        """Tell whether the values agree; modulo p alone, as the second component only serves exponents."""
        return self.a == other.a

    def __add__(self, other: Any) -> Residue:
        o = Residue.of(other)
        return Residue(self.a + o.a, self.b + o.b, self.da + o.da, self.db + o.db)

    __radd__ = __add__

    def __neg__(self) -> Residue:
        return Residue(-self.a, -self.b, -self.da, -self.db)

    def __sub__(self, other: Any) -> Residue:
        return self + -Residue.of(other)

    def __rsub__(self, other: Any) -> Residue:
        return Residue.of(other) - self

    def __mul__(self, other: Any) -> Residue:
        o = Residue.of(other)
        return Residue(self.a * o.a, self.b * o.b, self.da * o.a + self.a * o.da, self.db * o.b + self.b * o.db)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Residue:
        o = Residue.of(other)
        i, j = _inverse(o.a, P), _inverse(o.b, Q)
        return self * Residue(i, j, -o.da * i * i, -o.db * j * j)

    def __rtruediv__(self, other: Any) -> Residue:
        return Residue.of(other) / self

    def __pow__(self, exponent: Any) -> Residue:
        power = _exponent(exponent)
        if power.denominator == 2:
            return Functions.sqrt(self) ** power.numerator
        if power.denominator != 1:
            raise RetryError
        result = Residue(1, 1)
        for _ in range(abs(power.numerator)):
            result = result * self
        return result if power >= 0 else 1 / result


def _exponent(exponent: Any) -> Fraction:
    if isinstance(exponent, Residue):
        for bottom in (1, 2):
            top = exponent.a * bottom % P
            top = top - P if top > P // 2 else top
            if abs(top) < 1000:
                return Fraction(top, bottom)
        raise RetryError
    if isinstance(exponent, Real):
        return Fraction(float(exponent.x)).limit_denominator(1000)
    return Fraction(exponent)


class Functions:
    """The functions of bodies on residues."""

    @staticmethod
    def exp(x: Residue) -> Residue:
        """e^x: a power of the generator modulo p, a pseudo-random value modulo q."""
        e, f = pow(GENERATOR, x.b, P), _hash("exp", x.b, Q)
        return Residue(e, f, e * x.da, f * x.db)

    @staticmethod
    def log(x: Residue) -> Residue:
        """log x as a pseudo-random value with the right tangent."""
        return Residue(_hash("log", x.a, P), _hash("log", x.a, Q), x.da * _inverse(x.a, P), x.db * _inverse(x.b, Q))

    @staticmethod
    def sqrt(x: Residue) -> Residue:
        """A square root modulo p, where there is one."""
        if x.a and pow(x.a, Q, P) != 1:
            raise RetryError
        root, other = pow(x.a, (P + 1) // 4, P), _hash("sqrt", x.b, Q)
        return Residue(root, other, x.da * _inverse(2 * root, P), x.db * _inverse(2 * other, Q))

    @staticmethod
    def sin(x: Residue) -> Residue:
        """sin x as a pseudo-random value."""
        return Residue(_hash("sin", x.a, P), _hash("sin", x.b, Q), _hash("cos", x.a, P) * x.da, 0)

    @staticmethod
    def cos(x: Residue) -> Residue:
        """cos x as a pseudo-random value."""
        return Residue(_hash("cos", x.a, P), _hash("cos", x.b, Q), -_hash("sin", x.a, P) * x.da, 0)

    @staticmethod
    def step(x: Residue) -> Residue:
        """[x > 0], with a consistent pseudo-random sign: that of -x is the opposite."""
        if x.a == 0:
            raise RetryError
        lower = min(x.a, P - x.a)
        value = int((_hash("sign", lower, 2) == 1) == (x.a == lower))
        return Residue(value, value)

    @staticmethod
    def unknown(name: str, order: int, x: Residue) -> Residue:
        """An arbitrary function, or its derivative of some order."""
        slope_p, slope_q = _hash(f"{name}'{order + 1}", x.a, P), _hash(f"{name}'{order + 1}", x.a, Q)
        tag = f"{name}'{order}"
        return Residue(_hash(tag, x.a, P), _hash(tag, x.a, Q), slope_p * x.da, slope_q * x.db)

    @staticmethod
    def larger(x: Residue, y: Residue) -> Residue:
        """The larger of two in a fixed order of the residues."""
        return x if x.a >= y.a else y


class Real:
    """A real number of fifty digits with a tangent."""

    __slots__ = ("dx", "x")

    def __init__(self, x: Any, dx: Any = 0) -> None:
        self.x, self.dx = MP.mpf(x), MP.mpf(dx)

    @classmethod
    def of(cls, value: Any) -> Real:
        """Return a number as a Real."""
        if isinstance(value, Real):
            return value
        exact = Fraction(value)
        return cls(MP.mpf(exact.numerator) / exact.denominator)

    def with_tangent(self, tangent: int = 1) -> Real:
        """Return the same value moving at the given speed."""
        return Real(self.x, tangent)

    def tangent(self) -> Real:
        """Return the tangent as a number."""
        return Real(self.dx)

    def same(self, other: Real) -> bool:
        """Tell whether two values agree to far more digits than rounding can cost."""
        scale = 1 + abs(self.x) + abs(other.x)
        return bool(abs(self.x - other.x) <= scale * MP.mpf(10) ** (-DIGITS // 2))

    def __add__(self, other: Any) -> Real:
        o = Real.of(other)
        return Real(self.x + o.x, self.dx + o.dx)

    __radd__ = __add__

    def __neg__(self) -> Real:
        return Real(-self.x, -self.dx)

    def __sub__(self, other: Any) -> Real:
        return self + -Real.of(other)

    def __rsub__(self, other: Any) -> Real:
        return Real.of(other) - self

    def __mul__(self, other: Any) -> Real:
        o = Real.of(other)
        return Real(self.x * o.x, self.dx * o.x + self.x * o.dx)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Real:
        o = Real.of(other)
        if o.x == 0:
            raise RetryError
        return Real(self.x / o.x, (self.dx * o.x - self.x * o.dx) / o.x**2)

    def __rtruediv__(self, other: Any) -> Real:
        return Real.of(other) / self

    def __pow__(self, exponent: Any) -> Real:
        power = _exponent(exponent)
        if (power.denominator != 1 and self.x <= 0) or (power < 0 and self.x == 0):
            raise RetryError
        n = MP.mpf(power.numerator) / power.denominator
        slope = n * self.x ** (n - 1) if self.x != 0 or power >= 1 else MP.mpf(0)
        return Real(self.x**n, slope * self.dx)


def own_shift(name: str) -> float:
    """Return what tells the stand-ins of two arbitrary functions apart."""
    return 1 + _hash(name, 0, 1000) / 1000


class RealFunctions:
    """The functions of bodies on reals."""

    @staticmethod
    def exp(x: Real) -> Real:
        """e^x."""
        e = MP.exp(x.x)
        return Real(e, e * x.dx)

    @staticmethod
    def log(x: Real) -> Real:
        """Natural logarithm of a positive number."""
        if x.x <= 0:
            raise RetryError
        return Real(MP.log(x.x), x.dx / x.x)

    @staticmethod
    def sqrt(x: Real) -> Real:
        """Square root of a positive number."""
        if x.x <= 0:
            raise RetryError
        root = MP.sqrt(x.x)
        return Real(root, x.dx / (2 * root))

    @staticmethod
    def sin(x: Real) -> Real:
        """Sine."""
        return Real(MP.sin(x.x), MP.cos(x.x) * x.dx)

    @staticmethod
    def cos(x: Real) -> Real:
        """Cosine."""
        return Real(MP.cos(x.x), -MP.sin(x.x) * x.dx)

    @staticmethod
    def step(x: Real) -> Real:
        """[x > 0]; a point at the kink is drawn again."""
        if x.x == 0:
            raise RetryError
        return Real(int(x.x > 0))

    @staticmethod
    def unknown(name: str, order: int, x: Real) -> Real:
        """A stand-in for an arbitrary function: x + x²/2 + sin(x + s), s its own, with its derivatives."""
        shift = own_shift(name)
        sine, cosine = MP.sin(x.x + shift), MP.cos(x.x + shift)
        values = [x.x + x.x**2 / 2 + sine, 1 + x.x + cosine, 1 - sine, -cosine]
        if order > 2:
            raise RetryError
        return Real(values[order], values[order + 1] * x.dx)

    @staticmethod
    def larger(x: Real, y: Real) -> Real:
        """The larger of two."""
        return x if x.x >= y.x else y


Number: TypeAlias = Residue | Real
