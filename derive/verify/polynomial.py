"""Sums of products with indices: the arithmetic of the normal form.

A factor is an atom with indices and an integer exponent: an entry of a named tensor, a size, a function of a
polynomial, a polynomial in a denominator, or a relation between indices (1 where it holds). A bound index (summed
over) is one that a term holds and that is not free; two terms that differ only in the names of bound indices are
the same term. At some heads indices may change places: both of a symmetric matrix (its head begins with `~`), and
those with the same coefficient in a relation.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

import sympy

LIMIT = 4000  # terms; beyond it the normal form gives up and exact evaluation decides
MAX_ORDERINGS = 5040


class TooLargeError(Exception):
    """A normal form has grown past the limit."""


class Index(NamedTuple):
    """An index and the size that it runs over; negative numbers are free, others bound."""

    number: int
    size: sympy.Expr


ROOTED = "#√"  # how the square root of a size begins
SYMMETRIC, RELATION = "~", "@"  # how heads begin whose indices may change places


class Atom(NamedTuple):
    """A head, which names a tensor or a function, and the indices at its slots."""

    head: str
    indices: tuple[Index, ...]


Term: TypeAlias = tuple[tuple[Atom, int], ...]
ONE: Term = ()
_counter = itertools.count(1_000_000)


def fresh(size: sympy.Expr) -> Index:
    """Return a bound index that nothing else uses; an axis of one entry needs none of its own."""
    return Index(-1, size) if size == 1 else Index(next(_counter), size)


def is_bound(index: Index) -> bool:
    """Tell whether an index is summed over."""
    return index.number >= 0


@dataclass(frozen=True, slots=True)
class Polynomial:
    """A sum of terms with rational coefficients."""

    terms: Mapping[Term, Fraction]

    def __add__(self, other: Polynomial | int) -> Polynomial:
        other = constant(other) if isinstance(other, int) else other
        terms = dict(self.terms)
        for term, number in other.terms.items():
            terms[term] = terms.get(term, Fraction(0)) + number
        return _limited({term: number for term, number in terms.items() if number})

    __radd__ = __add__

    def __neg__(self) -> Polynomial:
        return self.scaled(Fraction(-1))

    def __sub__(self, other: Polynomial | int) -> Polynomial:
        return self + -(constant(other) if isinstance(other, int) else other)

    def __rsub__(self, other: int) -> Polynomial:
        return constant(other) - self

    def scaled(self, number: Fraction) -> Polynomial:
        """Return the polynomial times a number."""
        return Polynomial({term: own * number for term, own in self.terms.items()}) if number else Polynomial({})

    def __mul__(self, other: Polynomial | int) -> Polynomial:
        if isinstance(other, int):
            return self.scaled(Fraction(other))
        if len(self.terms) * len(other.terms) > 4 * LIMIT:
            raise TooLargeError
        terms: dict[Term, Fraction] = {}
        for (left, a), (right, b) in itertools.product(self.terms.items(), other.terms.items()):
            term = merge(left, rename_bound(right))
            terms[term] = terms.get(term, Fraction(0)) + a * b
        return _limited({term: number for term, number in terms.items() if number})

    __rmul__ = __mul__

    def single(self) -> tuple[Term, Fraction] | None:
        """Return the only term and its number, or None."""
        return next(iter(self.terms.items())) if len(self.terms) == 1 else None

    def number(self) -> Fraction | None:
        """Return the value of a plain number, or None."""
        return Fraction(0) if not self.terms else self.terms.get(ONE) if len(self.terms) == 1 else None


def _limited(terms: Mapping[Term, Fraction]) -> Polynomial:
    if len(terms) > LIMIT:
        raise TooLargeError
    return Polynomial(terms)


def constant(number: int | Fraction) -> Polynomial:
    """Return a number as a polynomial."""
    return Polynomial({ONE: Fraction(number)} if number else {})


def atom(head: str, indices: Iterable[Index] = (), exponent: int = 1) -> Polynomial:
    """Return one factor as a polynomial."""
    return Polynomial({canonical(((Atom(head, tuple(indices)), exponent),)): Fraction(1)})


def merge(left: Term, right: Term) -> Term:
    """Return the product of two terms whose bound indices differ, exponents added, in canonical form."""
    exponents: dict[Atom, int] = dict(left)
    for factor, exponent in right:
        exponents[factor] = exponents.get(factor, 0) + exponent
    return canonical(tuple((factor, exponent) for factor, exponent in exponents.items() if exponent))


def indices_of(term: Term) -> set[Index]:
    """Return all indices in a term."""
    return {index for factor, _ in term for index in factor.indices}


def bound_of(term: Term) -> set[Index]:
    """Return the indices that a term sums over."""
    return {index for index in indices_of(term) if is_bound(index)}


def replace_indices(term: Term, names: Mapping[Index, Index]) -> Term:
    """Return the term with indices renamed (not yet canonical)."""
    return tuple((Atom(f.head, tuple(names.get(i, i) for i in f.indices)), e) for f, e in term)


@lru_cache(maxsize=4096)
def _slots(head: str, count: int) -> tuple[int, ...]:
    """Return for each slot of a head the first with which it may change places."""
    if head.startswith(SYMMETRIC):
        return (0,) * count
    if head.startswith(RELATION):
        coefficients = head.split("|")[1].split(",")
        return tuple(coefficients.index(c) for c in coefficients)
    return tuple(range(count))


def _settled(term: Term) -> Term:
    """Return the term with exchangeable indices in order (not sorted)."""
    if not any(f.head[:1] in (SYMMETRIC, RELATION) for f, _ in term):
        return term
    exponents: dict[Atom, int] = {}
    for factor, exponent in term:
        slots = _slots(factor.head, len(factor.indices))
        order = sorted(range(len(slots)), key=lambda k: (slots[k], _order_of(factor.indices[k])))
        settled = Atom(factor.head, tuple(factor.indices[k] for k in order))
        exponents[settled] = exponents.get(settled, 0) + exponent
    return tuple((factor, exponent) for factor, exponent in exponents.items() if exponent)


def rename_bound(term: Term) -> Term:
    """Return the term with fresh bound indices."""
    bound = bound_of(term)
    return replace_indices(term, {index: fresh(index.size) for index in bound}) if bound else term


def canonical(term: Term) -> Term:
    """Return the term with bound indices numbered canonically and factors sorted.

    Colours are refined by the places at which an index stands; ties are broken by trying every order of the
    tied indices. Past `MAX_ORDERINGS` orders the first is taken: equal terms may then differ, never the reverse.
    """
    bound = sorted(bound_of(term), key=_order_of)
    if not bound:
        return tuple(sorted(_settled(term), key=_factor_key))
    colour = _refine(term, bound)
    groups = [
        list(group) for _, group in itertools.groupby(sorted(bound, key=lambda i: colour[i]), lambda i: colour[i])
    ]
    orders = itertools.product(*(itertools.permutations(group) for group in groups))
    best: Term | None = None
    for order in itertools.islice(orders, MAX_ORDERINGS):
        flat = itertools.chain.from_iterable(order)
        names = {index: Index(k, index.size) for k, index in enumerate(flat)}
        candidate = tuple(sorted(_settled(replace_indices(term, names)), key=_factor_key))
        if best is None or _term_key(candidate) < _term_key(best):
            best = candidate
    return best if best is not None else term


def _refine(term: Term, bound: list[Index]) -> dict[Index, str]:
    colour = {index: _text(index.size) for index in bound}
    for _ in range(min(3, len(bound))):
        places: dict[Index, list[str]] = {index: [] for index in bound}
        for factor, exponent in term:
            slots = _slots(factor.head, len(factor.indices))
            pairs = [(slot, colour.get(i, f"={i.number}"), i) for slot, i in zip(slots, factor.indices, strict=True)]
            for slot, index in zip(slots, factor.indices, strict=True):
                if index in places:
                    shown = sorted((at, text, i == index) for at, text, i in pairs)
                    places[index].append(f"{factor.head}^{exponent}@{slot}:{shown}")
        colour = {index: digest(f"{colour[index]}|{sorted(at)}") for index, at in places.items()}
    return colour


def _order_of(index: Index) -> tuple[int, str]:
    return (index.number, _text(index.size))


@lru_cache(maxsize=4096)
def _text(size: sympy.Expr) -> str:
    return str(size)


def _factor_key(pair: tuple[Atom, int]) -> tuple[str, int, tuple[tuple[int, str], ...]]:
    return (pair[0].head, pair[1], tuple(map(_order_of, pair[0].indices)))


def _term_key(term: Term) -> tuple[tuple[str, int, tuple[tuple[int, str], ...]], ...]:
    return tuple(map(_factor_key, term))


def digest(text: str) -> str:
    """Return a short name for a long text; equal names mean equal texts."""
    return blake2b(text.encode(), digest_size=16).hexdigest()


def key(polynomial: Polynomial) -> str:
    """Return a text that two polynomials share exactly if they are equal."""
    return repr(sorted((_term_key(term), str(number)) for term, number in polynomial.terms.items()))


def sum_over(polynomial: Polynomial, index: Index) -> Polynomial:
    """Return the sum over a free index: a term that does not hold it counts once per value."""
    if index.size == 1:
        return polynomial
    result = Polynomial({})
    for term, number in polynomial.terms.items():
        if index in indices_of(term):
            summed = canonical(replace_indices(rename_bound(term), {index: fresh(index.size)}))
            result = result + Polynomial({summed: number})
        else:
            result = result + Polynomial({term: number}) * size_polynomial(index.size)
    return result


def size_polynomial(size: sympy.Expr) -> Polynomial:
    """Return a size, or a rational function of sizes, as a polynomial in atoms `#n`."""
    top, bottom = sympy.fraction(sympy.together(size))
    result = _from_sympy(sympy.expand(top))
    if bottom != 1:
        below = _from_sympy(sympy.expand(bottom)).single()
        if below is None:
            raise TooLargeError
        inverse = tuple((factor, -exponent) for factor, exponent in below[0])
        result = result * Polynomial({inverse: 1 / below[1]})
    return result


def _from_sympy(expr: sympy.Expr) -> Polynomial:
    if expr.is_Rational:
        return constant(Fraction(int(expr.p), int(expr.q)))
    if expr.is_Symbol:
        return atom(f"#{expr.name}")
    if expr.is_Add:
        return sum((_from_sympy(part) for part in expr.args), constant(0))
    if expr.is_Mul:
        result = constant(1)
        for part in expr.args:
            result = result * _from_sympy(part)
        return result
    if expr.is_Pow and expr.base.is_Symbol and expr.exp.is_Integer:
        return atom(f"#{expr.base.name}", (), int(expr.exp))
    if expr.is_Pow and (2 * expr.exp).is_Integer and (expr.base.is_Symbol or expr.base.is_Integer):
        return _of_root(atom(f"{ROOTED}{expr.base}"), int(2 * expr.exp))
    return atom(f"#{expr}")


def _of_root(root: Polynomial, times: int) -> Polynomial:
    ((term, number),) = root.terms.items()
    return Polynomial({tuple((factor, exponent * times) for factor, exponent in term): number})


def square_of_root(head: str) -> Polynomial:
    """Return the size whose square root a head stands for."""
    word = head.removeprefix(ROOTED)
    return constant(int(word)) if word.isdigit() else atom(f"#{word}")


def map_terms(polynomial: Polynomial, change: Callable[[Term], Polynomial | None]) -> Polynomial:
    """Return the polynomial with each term replaced by what `change` makes of it (None: as it is)."""
    terms: dict[Term, Fraction] = {}
    for term, number in polynomial.terms.items():
        changed = change(term)
        for new, factor in ((term, Fraction(1)),) if changed is None else changed.terms.items():
            terms[new] = terms.get(new, Fraction(0)) + factor * number
        if len(terms) > 4 * LIMIT:
            raise TooLargeError
    return _limited({term: number for term, number in terms.items() if number})
