"""The field of the normal form: functions of polynomials as atoms, and the relations between atoms.

Exp turns sums into products, a square root's square and a step's square reduce, a one-hot vector's entries sum to
one, and a sum in a denominator is an atom that is multiplied out to compare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice, permutations

from derive.verify.polynomial import (
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
)  # fmt: skip

EXP, LOG, ROOT, STEP, BELOW = "exp", "log", "sqrt", "step", "poly"  # heads of atoms; BELOW: a sum in a denominator
MAX_ORDERS = 120  # of a function's indices; with more than five, equal functions may be told apart
ROUNDS = 12  # rounds of clearing denominators before giving up


def _orders(slots: set[Index]) -> Iterator[tuple[Index, ...]]:
    """Yield the orders in which a function's indices can stand; only the first few of many."""
    return islice(permutations(sorted(slots, key=lambda index: -index.number)), MAX_ORDERS)


def _is_log(term: Term) -> bool:
    """Tell whether a term is one logarithm, of one entry: e to its power is the argument."""
    return len(term) == 1 and term[0][1] == 1 and term[0][0].head.startswith(f"{LOG}:") and not bound_of(term)


class OutsideError(Exception):
    """An expression has a part that the normal form does not reach; exact evaluation decides it."""


@dataclass(slots=True)
class Field:
    """The polynomials as a field with functions; `arguments` remembers what each function atom was applied to."""

    expand: bool = False
    domains: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, tuple[Polynomial, tuple[Index, ...]]] = field(default_factory=dict)

    def apply(self, name: str, x: Polynomial) -> Polynomial:
        """Return a function of a polynomial as an atom whose slots are the free indices."""
        slots = {i for term in x.terms for i in indices_of(term) if not is_bound(i) and i.size != 1}
        text, argument, order = min(
            (self._with_slots(x, order) for order in _orders(slots)), key=lambda found: found[0]
        )
        head = f"{name}:{digest(text)}"
        self.arguments[head] = (argument, tuple(Index(-100 - k, index.size) for k, index in enumerate(order)))
        return atom(head, order)

    @staticmethod
    def _with_slots(x: Polynomial, order: tuple[Index, ...]) -> tuple[str, Polynomial, tuple[Index, ...]]:
        """Return a function's argument with its free indices numbered in some order, and its key."""
        names = {index: Index(-100 - k, index.size) for k, index in enumerate(order)}
        argument = Polynomial({canonical(replace_indices(t, names)): n for t, n in x.terms.items()})
        return key(argument), argument, order

    def argument(self, head: str, indices: tuple[Index, ...]) -> Polynomial:
        """Return what an atom was applied to, at the given indices."""
        argument, slots = self.arguments[head]
        names = dict(zip(slots, indices, strict=True))
        return Polynomial({canonical(replace_indices(rename_bound(t), names)): n for t, n in argument.terms.items()})

    def exp(self, x: Polynomial) -> Polynomial:
        """Return e^x with one factor per term of x, so that e^(a+b) = e^a e^b."""
        result = constant(1)
        for term, number in x.terms.items():
            if _is_log(term) and number.denominator == 1:
                inner = self.argument(term[0][0].head, term[0][0].indices)
                result = result * self.power(inner, int(number))
            else:
                result = result * self._exp_atom(term, number)
        return result

    def _exp_atom(self, term: Term, number: Fraction) -> Polynomial:
        base = self.apply(EXP, Polynomial({term: Fraction(1, number.denominator)})).single()
        assert base is not None
        return atom(base[0][0][0].head, base[0][0][0].indices, number.numerator)

    def log(self, x: Polynomial) -> Polynomial:
        """Return log x; of a product of positive factors, the sum of their logs."""
        single = x.single()
        if single is None or single[1] <= 0 or not all(self._positive(factor.head) for factor, _ in single[0]):
            return constant(0) if x.number() == 1 else self.apply(LOG, x)
        if any(is_bound(index) for index in indices_of(single[0])):
            return self.apply(LOG, x)
        result = constant(0) if single[1] == 1 else self.apply(LOG, constant(single[1]))
        for factor, exponent in single[0]:
            if factor.head.startswith(f"{EXP}:"):
                part = self.argument(factor.head, factor.indices)
            elif factor.head.startswith(f"{BELOW}:"):
                part = self.apply(LOG, self.argument(factor.head, factor.indices))
            else:
                part = self.apply(LOG, atom(factor.head, factor.indices))
            result = result + part.scaled(Fraction(exponent))
        return result

    def _positive(self, head: str) -> bool:
        if head.startswith(f"{BELOW}:"):
            terms = self.arguments[head][0].terms
            return all(n > 0 and all(self._positive(f.head) for f, _ in term) for term, n in terms.items())
        name = head.split(":")[0]
        return name in (EXP, ROOT) or head.startswith("#") or self.domains.get(head) in ("positive", "unit")

    def sqrt(self, x: Polynomial) -> Polynomial:
        """Return the square root as an atom; its square is reduced."""
        return self.apply(ROOT, x)

    def sin(self, x: Polynomial) -> Polynomial:
        """Return the sine as an atom."""
        return self.apply("sin", x)

    def cos(self, x: Polynomial) -> Polynomial:
        """Return the cosine as an atom."""
        return self.apply("cos", x)

    def step(self, x: Polynomial) -> Polynomial:
        """Return [x > 0] as an atom; it is its own square."""
        return self.apply(STEP, x)

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

    # ------------------------------------------------------------ relations
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
            name = factor.head.split(":")[0]
            domain = self.domains.get(factor.head, "")
            if exponent > 1 and (name == STEP or domain in ("binary", "onehot")):
                return Polynomial({canonical(((factor, 1), *rest)): Fraction(1)})
            if exponent >= 2 and name == ROOT:
                return self._written_out(factor, ((factor, exponent - 2), *rest) if exponent > 2 else rest)
            if exponent >= 1 and name == BELOW:
                return self._written_out(factor, ((factor, exponent - 1), *rest) if exponent > 1 else rest)
            if exponent == 1 and domain in ("onehot", "simplex") and self._sums_to_one(factor.indices, rest):
                return Polynomial({canonical(rest): Fraction(1)})
        return None

    @staticmethod
    def _sums_to_one(indices: tuple[Index, ...], rest: Term) -> bool:
        """Tell whether the entries' index (the first) is bound and stands nowhere else."""
        return (
            bool(indices)
            and is_bound(indices[0])
            and indices[0] not in indices_of(rest)
            and indices[0] not in indices[1:]
        )

    def _written_out(self, factor: Atom, rest: Term) -> Polynomial:
        """Replace an atom by what it was applied to; indices that the term sums over stay shared with the rest."""
        argument, slots = self.arguments[factor.head]
        names = dict(zip(slots, factor.indices, strict=True))
        result = Polynomial({})
        for term, number in argument.terms.items():
            exponents = dict(rest)
            for inner, exponent in replace_indices(rename_bound(term), names):
                exponents[inner] = exponents.get(inner, 0) + exponent
            merged = tuple((f, e) for f, e in exponents.items() if e)
            part = Polynomial({canonical(merged): number})
            for index in bound_of(((factor, 1), *rest)) - indices_of(merged):  # summed over, and cancelled
                part = part * size_polynomial(index.size)
            result = result + part
        return result

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

    def __getattr__(self, name: str) -> Callable[[Value], Value]:
        function = getattr(self._field, name)
        return lambda x: Value(function(x.poly), self._field)
