"""The ring of normal forms with denominators, and the relations between its atoms.

A square root's square and a step's square reduce, a one-hot vector's entries sum to one, a delta merges indices, a
matrix and its inverse cancel, and a sum in a denominator is an atom that is multiplied out to compare.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice, permutations, product

import sympy

from derive.verify.atoms import (
    BELOW,
    INVERSE,
    PEAK,
    ROOT,
    SAME,
    STEP,
    OutsideError,
    collected,
    joined,
    kind_of,
    product_of,
)  # fmt: skip
from derive.verify.polynomial import (
    RELATION,
    ROOTED,
    SYMMETRIC,
    Atom,
    Index,
    Polynomial,
    Term,
    atom,
    bound_of,
    canonical,
    constant,
    digest,
    indices_of,
    is_bound,
    key,
    map_terms,
    rename_bound,
    replace_indices,
    size_polynomial,
    square_of_root,
)  # fmt: skip

MAX_ORDERS = 120  # of a function's indices; with more than five, equal functions may be told apart
ROUNDS = 12  # rounds of clearing denominators before giving up


def _orders(slots: set[Index]) -> Iterator[tuple[Index, ...]]:
    """Yield the orders in which a function's indices can stand; only the first few of many."""
    return islice(permutations(sorted(slots, key=lambda index: -index.number)), MAX_ORDERS)


@dataclass(slots=True)
class Algebra:
    """Sums of products with functions as atoms; `arguments` remembers what each was applied to."""

    expand: bool = False
    domains: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, tuple[Polynomial, tuple[Index, ...]]] = field(default_factory=dict)
    relations: dict[str, tuple[sympy.Expr, tuple[sympy.Expr, ...]]] = field(default_factory=dict)

    def apply(self, name: str, x: Polynomial, marked: frozenset[Index] = frozenset()) -> Polynomial:
        """Return a function of a polynomial as an atom whose slots are the free indices; `marked` ones stand out."""
        slots = {i for term in x.terms for i in indices_of(term) if not is_bound(i) and i.size != 1}
        found = sorted((self._with_slots(x, order, marked) for order in _orders(slots)), key=lambda found: found[0])
        text, argument, order = found[0]
        turned = len(slots) == 2 and found[1][0] == text and not marked
        head = f"{SYMMETRIC if turned else ''}{name}:{digest(text)}"
        self.arguments[head] = (argument, tuple(Index(-100 - k, index.size) for k, index in enumerate(order)))
        return atom(head, order)

    @staticmethod
    def _with_slots(
        x: Polynomial, order: tuple[Index, ...], marked: frozenset[Index]
    ) -> tuple[str, Polynomial, tuple[Index, ...]]:
        """Return a function's argument with its free indices numbered in some order, and its key."""
        names = {index: Index(-100 - k, index.size) for k, index in enumerate(order)}
        argument = collected((replace_indices(t, names), n) for t, n in x.terms.items())
        places = [k for k, index in enumerate(order) if index in marked]
        return f"{key(argument)}{places or ''}", argument, order

    def argument(self, head: str, indices: tuple[Index, ...]) -> Polynomial:
        """Return what an atom was applied to, at the given indices."""
        argument, slots = self.arguments[head]
        names = dict(zip(slots, indices, strict=True))
        return collected((replace_indices(rename_bound(t), names), n) for t, n in argument.terms.items())

    def power(self, x: Polynomial, exponent: int) -> Polynomial:
        """Return an integer power; a sum in a denominator becomes an atom of its own."""
        if exponent >= 0:
            result = constant(1)
            for _ in range(exponent):
                result = self.reduce(result * x)
            return result
        return self.power(self.inverse(x), -exponent)

    def inverse(self, x: Polynomial) -> Polynomial:
        """Return 1/x: exponents turn round in a product, a sum becomes the atom `poly` to the power -1."""
        if not x.terms:
            raise OutsideError("division by zero")
        if any(f.head.startswith(RELATION) for term in x.terms for f, _ in term):
            raise OutsideError("division by entries of which some are zero")
        single = x.single()
        if single is not None and not any(map(is_bound, indices_of(single[0]))):
            return Polynomial({canonical(tuple((f, -e) for f, e in single[0])): 1 / single[1]})
        shared = self._shared(x)
        lead = min(x.terms, key=repr)
        monic = (x * Polynomial({shared: Fraction(1)})).scaled(1 / x.terms[lead])
        below = self.apply(BELOW, monic).single()
        assert below is not None
        ((factor, _),) = below[0]
        return atom(factor.head, factor.indices, -1) * Polynomial({shared: 1 / x.terms[lead]})

    def _shared(self, x: Polynomial) -> Term:
        """Return the factors (free of bound indices) that make every exponent of a sum nonnegative and minimal."""
        factors = {f for term in x.terms for f, _ in term if not any(map(is_bound, f.indices))}
        lowest = {f: min(dict(term).get(f, 0) for term in x.terms) for f in factors}
        return canonical(tuple((f, -e) for f, e in lowest.items() if e))

    def reduce(self, x: Polynomial) -> Polynomial:
        """Apply the relations between atoms until none applies."""
        for _ in range(ROUNDS):
            reduced = map_terms(x, self._relation)
            if reduced == x:
                return x
            x = reduced
        return x

    def _relation(self, term: Term) -> Polynomial | None:
        for k, (factor, exponent) in enumerate(term):
            rest = term[:k] + term[k + 1 :]
            name = kind_of(factor.head)
            kind, _, along = self.domains.get(factor.head, "").partition(" ")
            if factor.head == SAME:
                changed = self._merged(factor.indices, rest, exponent)
                if changed is not None:
                    return changed
                continue
            if exponent > 1 and (name in (STEP, PEAK) or kind in ("binary", "onehot") or factor.head in self.relations):
                return Polynomial({canonical(((factor, 1), *rest)): Fraction(1)})
            if exponent > 1 and kind == "sign":
                signs = ((factor, exponent - 2), *rest) if exponent > 2 else rest
                return Polynomial({canonical(signs): Fraction(1)})
            if exponent not in (0, 1) and factor.head.startswith(ROOTED):
                whole, odd = divmod(exponent, 2)
                others = Polynomial({canonical(((factor, 1), *rest) if odd else rest): Fraction(1)})
                return others * self.power(square_of_root(factor.head), whole)
            if exponent >= 2 and name == ROOT:
                return self._written_out(factor, ((factor, exponent - 2), *rest) if exponent > 2 else rest)
            if exponent <= -2 and name == ROOT:  # 1/√S² = 1/S
                argument, slots = self.arguments[factor.head]
                kept = ((factor, exponent + 2), *rest) if exponent < -2 else rest
                return joined(kept, self.inverse(argument), dict(zip(slots, factor.indices, strict=True)))
            if exponent >= 1 and name == BELOW:
                return self._written_out(factor, ((factor, exponent - 1), *rest) if exponent > 1 else rest)
            if exponent < 0 and name == BELOW and (led := self._without_lead(factor, exponent, rest)) is not None:
                return led
            if exponent == 1 and kind in ("onehot", "simplex") and self._alone(factor, -1 if along else 0, rest):
                return self._without(factor, factor.indices[-1 if along else 0], rest)
            if exponent == 1 and factor.head in self.relations and (covered := self._covered(factor, rest)) is not None:
                return self._without(factor, covered, rest)
            if exponent == 1 and name == INVERSE and (cancelled := self._cancelled(factor, rest)) is not None:
                return cancelled
        return None

    @staticmethod
    def _merged(pair: tuple[Index, ...], rest: Term, exponent: int) -> Polynomial | None:
        """Use a Kronecker delta: a bound index takes the other's name, of two free ones the first stands for both."""
        i, j = pair
        if i == j:
            return Polynomial({canonical(rest): Fraction(1)})
        lost, kept = (i, j) if is_bound(i) else (j, i)
        if is_bound(lost):
            merged = product_of(replace_indices(rest, {lost: kept}))
            counted = is_bound(kept) and kept not in indices_of(merged)
            result = Polynomial({canonical(merged): Fraction(1)})
            return result * size_polynomial(kept.size) if counted else result
        kept, lost = (i, j) if i.number > j.number else (j, i)
        merged = product_of(replace_indices(rest, {lost: kept}))
        whole = canonical(product_of(((Atom(SAME, (kept, lost)), 1), *((f, e) for f, e in merged if f.head != SAME),
                                    *((f, e) for f, e in rest if f.head == SAME))))  # fmt: skip
        before = canonical(((Atom(SAME, (kept, lost)), exponent), *rest))
        return Polynomial({whole: Fraction(1)}) if whole != before else None

    @staticmethod
    def _alone(factor: Atom, slot: int, rest: Term) -> bool:
        """Tell whether the index at a slot is bound and stands nowhere else."""
        if not factor.indices:
            return False
        index = factor.indices[slot]
        return is_bound(index) and factor.indices.count(index) == 1 and index not in indices_of(rest)

    @staticmethod
    def _without(factor: Atom, summed: Index, rest: Term) -> Polynomial:
        """Return a term without a factor that sums to 1 along an index; its other bound indices still count."""
        result = Polynomial({canonical(rest): Fraction(1)})
        for index in {*filter(is_bound, factor.indices)} - {summed} - indices_of(rest):
            result = result * size_polynomial(index.size)
        return result

    def _covered(self, factor: Atom, rest: Term) -> Index | None:
        """Return a bound index that stands nowhere else and that a relation determines whatever the others are."""
        offset, coefficients = self.relations[factor.head]
        for slot, (coefficient, index) in enumerate(zip(coefficients, factor.indices, strict=True)):
            if coefficient in (1, -1) and self._alone(factor, slot, rest):
                others = [(-c * coefficient, i.size) for c, i in zip(coefficients, factor.indices, strict=True)]
                others.pop(slot)
                lowest = -offset * coefficient + sum(c * (n - 1) for c, n in others if c.is_negative)
                highest = -offset * coefficient + sum(c * (n - 1) for c, n in others if c.is_positive)
                room = sympy.expand(index.size - 1 - highest)
                if sympy.expand(lowest).is_nonnegative and room.is_nonnegative:
                    return index
        return None

    def _without_lead(self, factor: Atom, exponent: int, rest: Term) -> Polynomial | None:
        """Under a sum, where a denominator S = M + R is not multiplied out: M / S = 1 - R / S."""
        if not any(map(is_bound, factor.indices)):
            return None
        argument, slots = self.arguments[factor.head]
        names = dict(zip(slots, factor.indices, strict=True))
        leads = [term for term, number in argument.terms.items() if number == 1 and term and not bound_of(term)]
        if not leads:
            return None
        lead = max(leads, key=repr)
        present = dict(rest)
        monomial = replace_indices(lead, names)
        if any(e < 0 or present.get(f, 0) < e for f, e in monomial):
            return None
        kept = product_of((*rest, *((f, -e) for f, e in monomial)))
        result = Polynomial({canonical(product_of((*kept, (factor, exponent + 1)))): Fraction(1)})
        for term, number in argument.terms.items():
            if term != lead:
                others = replace_indices(rename_bound(term), names)
                merged = canonical(product_of((*kept, *others, (factor, exponent))))
                result = result - Polynomial({merged: number})
        return result

    def _cancelled(self, factor: Atom, rest: Term) -> Polynomial | None:
        """Use M M^{-1} = I = M^{-1} M, where M is one named matrix and the index between them stands nowhere else."""
        argument, slots = self.arguments[factor.head]
        single = argument.single()
        if single is None or single[1] != 1 or len(single[0]) != 1 or single[0][0][1] != 1:
            return None
        ((inner, _),) = single[0]
        if len(inner.indices) != 2:
            return None
        for k, (other, exponent) in enumerate(rest):
            if other.head != inner.head or exponent != 1:
                continue
            without = rest[:k] + rest[k + 1 :]
            pair = other.indices if inner.indices == slots else other.indices[::-1]
            pairs = {pair, pair[::-1]} if other.head.startswith(SYMMETRIC) else {pair}
            turns = {factor.indices, factor.indices[::-1]} if factor.head.startswith(SYMMETRIC) else {factor.indices}
            for own, matrix, place in product(sorted(turns), sorted(pairs), (0, 1)):
                between, ends = own[place], (matrix[place], own[1 - place])
                shared = is_bound(between) and matrix[1 - place] == between and between not in ends
                if shared and between not in indices_of(without):
                    return Polynomial({canonical(product_of((*without, (Atom(SAME, ends), 1)))): Fraction(1)})
        return None

    def _written_out(self, factor: Atom, rest: Term) -> Polynomial:
        """Replace an atom by what it was applied to; indices that the term sums over stay shared with the rest."""
        argument, slots = self.arguments[factor.head]
        return joined(rest, argument, dict(zip(slots, factor.indices, strict=True)))

    def is_zero(self, x: Polynomial) -> bool:
        """Decide whether a polynomial vanishes, after multiplying out its denominators."""
        for _ in range(ROUNDS):
            x = self.reduce(x)
            if not x.terms:
                return True
            below = self._denominators(x)
            if not below:
                return False
            x = x * Polynomial({canonical(tuple((f, -e) for f, e in below.items())): Fraction(1)})
        return False

    @staticmethod
    def _denominators(x: Polynomial) -> dict[Atom, int]:
        lowest: dict[Atom, int] = {}
        for term in x.terms:
            for factor, exponent in term:
                if exponent < 0 and not any(map(is_bound, factor.indices)):
                    lowest[factor] = min(lowest.get(factor, 0), exponent)
        return lowest
