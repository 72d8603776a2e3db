"""What the factors of normal forms are called, and how terms are put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from derive.verify.polynomial import (
    SYMMETRIC,
    Atom,
    Index,
    Polynomial,
    Term,
    bound_of,
    canonical,
    indices_of,
    is_bound,
    rename_bound,
    replace_indices,
    size_polynomial,
)

EXP, LOG, ROOT, STEP, BELOW = "exp", "log", "sqrt", "step", "poly"  # heads of atoms; BELOW: a sum in a denominator
CDF, PEAK, INVERSE, DET, SIN, COS = "Phi", "peak", "inverse", "det", "sin", "cos"
SAME = "@0|=,="  # the Kronecker delta


class OutsideError(Exception):
    """An expression has a part that the normal form does not reach; exact evaluation decides it."""


def kind_of(head: str) -> str:
    """Return the name of the function whose value an atom is: `exp` of `exp:1f…`."""
    return head.removeprefix(SYMMETRIC).split(":")[0]


def product_of(factors: Iterable[tuple[Atom, int]]) -> Term:
    """Return factors as a term, exponents of equal ones added (not yet canonical)."""
    exponents: dict[Atom, int] = {}
    for factor, exponent in factors:
        exponents[factor] = exponents.get(factor, 0) + exponent
    return tuple((factor, exponent) for factor, exponent in exponents.items() if exponent)


def joined(rest: Term, x: Polynomial, names: Mapping[Index, Index]) -> Polynomial:
    """Return a term times a polynomial whose slots stand for indices of the term, which both share."""
    result = Polynomial({})
    for term, number in x.terms.items():
        merged = product_of((*rest, *replace_indices(rename_bound(term), names)))
        part = Polynomial({canonical(merged): number})
        for index in ({*bound_of(rest), *filter(is_bound, names.values())}) - indices_of(merged):
            part = part * size_polynomial(index.size)  # summed over, and cancelled
        result = result + part
    return result


def collected(terms: Iterable[tuple[Term, Fraction]]) -> Polynomial:
    """Return terms as a polynomial, equal ones added."""
    result: dict[Term, Fraction] = {}
    for term, number in terms:
        settled = canonical(product_of(term))
        result[settled] = result.get(settled, Fraction(0)) + number
    return Polynomial({term: number for term, number in result.items() if number})


def headed(term: Term) -> tuple[list[tuple[str, int]], str]:
    """Order terms by their heads first, so that the first does not depend on the names of indices."""
    return [(factor.head, exponent) for factor, exponent in term], repr(term)
