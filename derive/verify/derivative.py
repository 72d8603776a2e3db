r"""Differentiation of normal forms: a proof of each backward equation for all sizes.

The cotangent of a name is the sum over the equations that use it: of the cotangent of what each defines, times its
derivative by the name. Here the derivative is taken of the equation's normal form, entry by entry; no rule of the
sweep takes part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from derive.expr import Node, Var, variables
from derive.model import Network
from derive.op import TABLE
from derive.shapes import axes
from derive.verify.atoms import (
    BELOW,
    CDF,
    COS,
    DET,
    EXP,
    INVERSE,
    LOG,
    PEAK,
    ROOT,
    SIN,
    STEP,
    OutsideError,
    joined,
    kind_of,
)  # fmt: skip
from derive.verify.field import Field
from derive.verify.normal_form import Normaliser, head_of
from derive.verify.polynomial import (
    SYMMETRIC,
    Atom,
    Index,
    Polynomial,
    TooLargeError,
    atom,
    constant,
    fresh,
    sum_over,
)  # fmt: skip

CONSTANT = (STEP, PEAK, "pick")


@dataclass(slots=True)
class Differentiator:
    """Takes derivatives by the entries of one variable."""

    normaliser: Normaliser
    head: str
    at: tuple[Index, ...]

    @property
    def field(self) -> Field:
        """The field of the normal forms."""
        return self.normaliser.field

    def of(self, x: Polynomial) -> Polynomial:
        """Return the derivative of a polynomial by the entry at the free indices."""
        result = Polynomial({})
        for term, number in x.terms.items():
            for k, (factor, exponent) in enumerate(term):
                inner = self._of_factor(factor)
                if inner is None:
                    continue
                lowered = ((factor, exponent - 1),) if exponent != 1 else ()
                rest = (*term[:k], *lowered, *term[k + 1 :])
                result = result + self.field.reduce(joined(rest, inner[0], inner[1])).scaled(number * exponent)
        return self.field.reduce(result)

    def _of_factor(self, factor: Atom) -> tuple[Polynomial, dict[Index, Index]] | None:
        """Return the derivative of a factor in its own slots, and which indices stand at these; None for zero."""
        if factor.head == self.head:
            slots = tuple(Index(-200 - k, index.size) for k, index in enumerate(factor.indices))
            return self._matches(slots), dict(zip(slots, factor.indices, strict=True))
        name = kind_of(factor.head)
        if factor.head not in self.field.arguments or name in CONSTANT:
            return None
        argument, slots = self.field.arguments[factor.head]
        inner = self.of(argument)
        if not inner.terms:
            return None
        names = dict(zip(slots, factor.indices, strict=True)) if factor.indices else {}
        return self._chained(name, argument, slots, inner), names

    def _matches(self, slots: tuple[Index, ...]) -> Polynomial:
        """Return 1 where the slots are the indices of the entry; of a structured matrix, as it may move."""
        delta = self.field.delta
        if self.head.startswith(SYMMETRIC):
            (i, j), (a, b) = slots, self.at
            return (delta(i, a) * delta(j, b) + delta(i, b) * delta(j, a)).scaled(Fraction(1, 2))
        if self.head.endswith("|diagonal"):
            return delta(slots[0], self.at[0]) * delta(*self.at)
        result = constant(1)
        for slot, index in zip(slots, self.at, strict=True):
            result = result * delta(slot, index)
        return result

    def _chained(
        self, name: str, argument: Polynomial, slots: tuple[Index, ...], inner: Polynomial
    ) -> Polynomial:
        """Return the derivative of a function of an argument whose derivative is known."""
        own = self.field
        if name in (INVERSE, DET):
            return self._of_matrix(name, argument, slots, inner)
        if name == BELOW:
            return inner
        if name == EXP:
            return own.reduce(own.exp(argument) * inner)
        if name == LOG:
            return own.reduce(own.inverse(argument) * inner)
        if name == ROOT:
            return own.reduce(own.power(own.sqrt(argument), -1) * inner).scaled(Fraction(1, 2))
        if name == CDF:
            return own.reduce(self.normaliser.at_argument("normal_density", argument) * inner)
        if name in (SIN, COS):
            turned = own.cos(argument) if name == SIN else -own.sin(argument)
            return own.reduce(turned * inner)
        return own.reduce(self._slope(name, argument) * inner)

    def _slope(self, name: str, argument: Polynomial) -> Polynomial:
        """Return the derivative of a function with a row (`tanh'0`) or of an arbitrary one (`functionf'0`)."""
        base, _, order = name.rpartition("'")
        if base in TABLE and TABLE[base].slope is not None and order == "0":
            return self.normaliser.at_argument(base, argument, slope=True)
        if base not in TABLE and order.isdigit():
            return self.field.apply(f"{base}'{int(order) + 1}", argument)
        raise OutsideError(f"the derivative of {name}")

    def _of_matrix(
        self, name: str, argument: Polynomial, slots: tuple[Index, ...], inner: Polynomial
    ) -> Polynomial:
        """dM⁻¹ = -M⁻¹ dM M⁻¹ and d det M = det M tr(M⁻¹ dM), at slots (i, j) of M⁻¹."""
        i, j = slots
        size = i.size
        k, m = fresh_free(size), fresh_free(size)
        moved = {i: k, j: m}
        between = joined((), inner, moved)
        head = self.field.of_matrix(INVERSE, lambda a, b: joined((), argument, {i: a, j: b}), size)
        if set(head.indices) and head.indices[0].number == -91:
            raise OutsideError("an inverse of a transposed matrix")

        def entry(a: Index, b: Index) -> Polynomial:
            return atom(head.head, (a, b))

        if name == INVERSE:
            product = self.field.reduce(entry(i, k) * between)
            product = self.field.reduce(product * entry(m, j)).scaled(Fraction(-1))
        else:
            own = self.field.of_matrix(DET, lambda a, b: joined((), argument, {i: a, j: b}), size)
            product = self.field.reduce(entry(m, k) * between * atom(own.head))
        for index in (k, m):
            product = self.field.reduce(sum_over(product, index))
        return product


def fresh_free(size: object) -> Index:
    """Return a free index of its own."""
    bound = fresh(size)
    return bound if bound.number < 0 else Index(-bound.number, bound.size)


def cotangent_form(
    network: Network, of: Var, names: Mapping[Var, Node], normaliser: Normaliser, at: tuple[Index, ...]
) -> Polynomial:
    """Return the normal form of a name's cotangent at indices, by differentiating the equations that use it.

    Args:
        network: The model.
        of: The name.
        names: What stands for the cotangent of each name that is computed from it.
        normaliser: Reads the equations; their names stay atoms.
        at: Free indices, one for each axis of the name.
    Raises:
        OutsideError, TooLargeError: the derivative is beyond normal forms.
    """
    result = Polynomial({})
    differentiator = Differentiator(normaliser, head_of(of), at)
    for item in network.definitions:
        if item.name not in names or of not in variables(item.value):
            continue
        own = tuple(fresh_free(length) for length in axes(item.name.shape))
        local = differentiator.of(normaliser.read(item.value, own))
        weighted = normaliser.field.reduce(normaliser.read(names[item.name], own) * local)
        for index in own:
            weighted = normaliser.field.reduce(sum_over(weighted, index))
        result = result + weighted
    return result


def proves(
    network: Network, of: Var, value: Node, names: Mapping[Var, Node], inline: Mapping[Var, Node], expand: bool = False
) -> bool:
    """Tell whether a derived cotangent equals the derivative of the model's equations, for all sizes.

    Args:
        network: The model.
        of: The name whose cotangent was derived.
        value: The derived right side.
        names: What stands for the cotangent of each name.
        inline: Names to write out, first those of cotangents.
        expand: Write σ and tanh through exp as well.
    """
    normaliser = Normaliser(Field(expand=expand), inline)
    at = tuple(Index(-1, length) if length == 1 else fresh_free(length) for length in axes(of.shape))
    try:
        found = cotangent_form(network, of, names, normaliser, at)
        return normaliser.field.is_zero(found - normaliser.read(value, at))
    except (OutsideError, TooLargeError, RecursionError):
        return False

