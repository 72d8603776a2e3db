"""Normal forms with the arithmetic that bodies use."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from derive.verify.atoms import OutsideError
from derive.verify.field import Field
from derive.verify.polynomial import Polynomial, constant


class Value:
    """A polynomial with the arithmetic that bodies use."""

    __slots__ = ("field", "poly")

    def __init__(self, poly: Polynomial, own: Field) -> None:
        self.poly, self.field = poly, own

    def _lift(self, other: Value | int) -> Polynomial:
        return other.poly if isinstance(other, Value) else constant(other)

    def __add__(self, other: Value | int) -> Value:
        return Value(self.poly + self._lift(other), self.field)

    __radd__ = __add__

    def __neg__(self) -> Value:
        return Value(-self.poly, self.field)

    def __sub__(self, other: Value | int) -> Value:
        return Value(self.poly - self._lift(other), self.field)

    def __rsub__(self, other: int) -> Value:
        return Value(constant(other) - self.poly, self.field)

    def __mul__(self, other: Value | int) -> Value:
        return Value(self.field.reduce(self.poly * self._lift(other)), self.field)

    __rmul__ = __mul__

    def __truediv__(self, other: Value | int) -> Value:
        return Value(self.field.reduce(self.poly * self.field.inverse(self._lift(other))), self.field)

    def __rtruediv__(self, other: int) -> Value:
        return Value(self.field.inverse(self.poly).scaled(Fraction(other)), self.field)

    def __pow__(self, other: Value | int) -> Value:
        exponent = other.poly.number() if isinstance(other, Value) else Fraction(other)
        if exponent is None:
            raise OutsideError("an exponent that is no number")
        if exponent.denominator == 2:
            return Value(self.field.power(self.field.sqrt(self.poly), exponent.numerator), self.field)
        if exponent.denominator != 1 or abs(exponent) > 12:
            raise OutsideError(f"the exponent {exponent}")
        return Value(self.field.power(self.poly, int(exponent)), self.field)


class Functions:
    """The field's functions on values, as bodies call them."""

    def __init__(self, own: Field) -> None:
        self._field = own

    @staticmethod
    def power(base: Value, exponent: Value) -> Value:
        """A power with a number as its exponent."""
        return base**exponent

    def __getattr__(self, name: str) -> Callable[[Value], Value]:
        function = getattr(self._field, name)
        return lambda x: Value(function(x.poly if isinstance(x, Value) else x), self._field)
