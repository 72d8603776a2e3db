"""The field of the normal form: functions of polynomials as atoms, and the relations between atoms.

Exp turns sums into products, a square root's square and a step's square reduce, a one-hot vector's entries sum to
one, and a sum in a denominator is an atom that is multiplied out to compare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice, permutations, product

import sympy

from derive.notation import runs
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
    fresh,
    indices_of,
    is_bound,
    key,
    map_terms,
    rename_bound,
    replace_indices,
    size_polynomial,
    square_of_root,
    sum_over,
)  # fmt: skip

EXP, LOG, ROOT, STEP, BELOW = "exp", "log", "sqrt", "step", "poly"  # heads of atoms; BELOW: a sum in a denominator
CDF, PEAK, INVERSE, DET, SIN, COS = "Phi", "peak", "inverse", "det", "sin", "cos"
SAME = "@0|=,="  # the Kronecker delta
MAX_ORDERS = 120  # of a function's indices; with more than five, equal functions may be told apart
ROUNDS = 12  # rounds of clearing denominators before giving up


def _orders(slots: set[Index]) -> Iterator[tuple[Index, ...]]:
    """Yield the orders in which a function's indices can stand; only the first few of many."""
    return islice(permutations(sorted(slots, key=lambda index: -index.number)), MAX_ORDERS)


def _product(factors: Iterable[tuple[Atom, int]]) -> Term:
    """Return factors as a term, exponents of equal ones added (not yet canonical)."""
    exponents: dict[Atom, int] = {}
    for factor, exponent in factors:
        exponents[factor] = exponents.get(factor, 0) + exponent
    return tuple((factor, exponent) for factor, exponent in exponents.items() if exponent)


def joined(rest: Term, x: Polynomial, names: Mapping[Index, Index]) -> Polynomial:
    """Return a term times a polynomial whose slots stand for indices of the term, which both share."""
    result = Polynomial({})
    for term, number in x.terms.items():
        merged = _product((*rest, *replace_indices(rename_bound(term), names)))
        part = Polynomial({canonical(merged): number})
        for index in ({*bound_of(rest), *filter(is_bound, names.values())}) - indices_of(merged):
            part = part * size_polynomial(index.size)  # summed over, and cancelled
        result = result + part
    return result


def _collected(terms: Iterable[tuple[Term, Fraction]]) -> Polynomial:
    """Return terms as a polynomial, equal ones added."""
    result: dict[Term, Fraction] = {}
    for term, number in terms:
        settled = canonical(_product(term))
        result[settled] = result.get(settled, Fraction(0)) + number
    return Polynomial({term: number for term, number in result.items() if number})


def _headed(term: Term) -> tuple[list[tuple[str, int]], str]:
    """Order terms by their heads first, so that the first does not depend on the names of indices."""
    return [(factor.head, exponent) for factor, exponent in term], repr(term)


def _is_log(term: Term) -> bool:
    """Tell whether a term is one logarithm, of one entry: e to its power is the argument."""
    return len(term) == 1 and term[0][1] == 1 and kind_of(term[0][0].head) == LOG and not bound_of(term)


def kind_of(head: str) -> str:
    """Return the name of the function whose value an atom is: `exp` of `exp:1f…`."""
    return head.removeprefix(SYMMETRIC).split(":")[0]


class OutsideError(Exception):
    """An expression has a part that the normal form does not reach; exact evaluation decides it."""


@dataclass(slots=True)
class Field:
    """The polynomials as a field with functions; `arguments` remembers what each function atom was applied to."""

    expand: bool = False
    domains: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, tuple[Polynomial, tuple[Index, ...]]] = field(default_factory=dict)
    running: dict[str, Index] = field(default_factory=dict)
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
        argument = _collected((replace_indices(t, names), n) for t, n in x.terms.items())
        places = [k for k, index in enumerate(order) if index in marked]
        return f"{key(argument)}{places or ''}", argument, order

    def series(self, letter: str, last: str, read: Callable[[], Polynomial]) -> Polynomial:
        """Return the sum over a letter: names that change with it have one more index while the term is read."""
        own = Index(-fresh(sympy.Symbol(last, integer=True, positive=True)).number,
                    sympy.Symbol(last, integer=True, positive=True))  # fmt: skip
        before = dict(self.running)
        self.running[letter] = own
        summed = sum_over(read(), own)
        self.running.clear()
        self.running.update(before)
        return summed

    def step_of(self, latex: str) -> tuple[Index, ...]:
        """Return the indices of the sums over steps with which a name changes."""
        return tuple(index for letter, index in self.running.items() if runs(latex, letter))

    def delta(self, i: Index, j: Index) -> Polynomial:
        """Return the Kronecker delta of two indices."""
        return constant(1) if i == j or i.size == 1 else atom(SAME, sorted((i, j)))

    def relation(self, offset: sympy.Expr, parts: Sequence[tuple[sympy.Expr, Index]]) -> Polynomial:
        """Return [offset + Σ c i = 0] for indices that count from 0: 1 where it holds, else 0."""
        merged: dict[Index, sympy.Expr] = {}
        for coefficient, index in parts:
            if index.size != 1:
                merged[index] = merged.get(index, sympy.Integer(0)) + coefficient
        merged = {index: c for index, c in merged.items() if c != 0}
        if not merged:
            if not offset.is_number:
                raise OutsideError("a relation between sizes")
            return constant(1 if offset == 0 else 0)
        options = [
            (sign * offset, sorted(((sign * c, i) for i, c in merged.items()), key=lambda pair: str(pair[0])))
            for sign in (1, -1)
        ]
        start, order = min(options, key=lambda option: ([str(c) for c, _ in option[1]], str(option[0])))
        (one, i), *rest = order
        if len(rest) == 1 and start == 0 and one == -rest[0][0] and i.size == rest[0][1].size:
            return self.delta(i, rest[0][1])
        head = f"{RELATION}{start}|{','.join(str(c) for c, _ in order)}"
        self.relations[head] = (start, tuple(c for c, _ in order))
        return atom(head, [index for _, index in order])

    def peak(self, x: Polynomial, along: frozenset[Index]) -> Polynomial:
        """Return 1 at the largest entry along indices, 0 elsewhere."""
        if not along <= {i for term in x.terms for i in indices_of(term)}:
            raise OutsideError("the largest of equal entries")
        return self.apply(PEAK, x, along)

    def of_matrix(self, name: str, entry: Callable[[Index, Index], Polynomial], size: sympy.Expr) -> Atom:
        """Return the atom of a matrix's inverse or determinant; both are the same for the transpose, turned round."""
        i, j = Index(-90, size), Index(-91, size)
        argument = entry(i, j)
        found = self.apply(name, argument).single()
        assert found is not None
        ((own, _),) = found[0]
        if set(own.indices) != {i, j} and size != 1:
            raise OutsideError(f"{name} of a matrix that does not depend on both of its indices")
        return own

    def inverse_matrix(self, entry: Callable[[Index, Index], Polynomial], at: tuple[Index, Index]) -> Polynomial:
        """Return an entry of the inverse of a matrix; that of a multiple is the multiple's inverse."""
        whole = entry(Index(-90, at[0].size), Index(-91, at[0].size))
        if whole.terms == self.delta(Index(-90, at[0].size), Index(-91, at[0].size)).terms:
            return self.delta(*at)
        lead = whole.terms[min(whole.terms, key=_headed)] if whole.terms else Fraction(1)
        own = self.of_matrix(INVERSE, lambda i, j: entry(i, j).scaled(1 / lead), at[0].size)
        names = {-90: at[0], -91: at[1]}
        return atom(own.head, [names[index.number] for index in own.indices]).scaled(1 / lead)

    def determinant(self, entry: Callable[[Index, Index], Polynomial], size: sympy.Expr) -> Polynomial:
        """Return the determinant of a matrix."""
        unit = Index(-90, size), Index(-91, size)
        if entry(*unit).terms == self.delta(*unit).terms:
            return constant(1)
        return atom(self.of_matrix(DET, entry, size).head)

    def argument(self, head: str, indices: tuple[Index, ...]) -> Polynomial:
        """Return what an atom was applied to, at the given indices."""
        argument, slots = self.arguments[head]
        names = dict(zip(slots, indices, strict=True))
        return _collected((replace_indices(rename_bound(t), names), n) for t, n in argument.terms.items())

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
            if kind_of(factor.head) == EXP:
                part = self.argument(factor.head, factor.indices)
            elif kind_of(factor.head) == BELOW:
                part = self.apply(LOG, self.argument(factor.head, factor.indices))
            else:
                part = self.apply(LOG, atom(factor.head, factor.indices))
            result = result + part.scaled(Fraction(exponent))
        return result

    def _positive(self, head: str) -> bool:
        if kind_of(head) == BELOW:
            terms = self.arguments[head][0].terms
            return all(n > 0 and all(self._positive(f.head) for f, _ in term) for term, n in terms.items())
        name = kind_of(head)
        return name in (EXP, ROOT) or head.startswith("#") or self.domains.get(head) in ("positive", "unit")

    def sqrt(self, x: Polynomial) -> Polynomial:
        """Return the square root as an atom; its square is reduced."""
        single = x.single()
        if single is not None and single[1] == 1 and all(f.head.startswith("#") for f, _ in single[0]):
            sizes = [sympy.Symbol(f.head[1:], integer=True, positive=True) ** e for f, e in single[0]]
            if not any(f.head.startswith(ROOTED) or not f.head[1:].isidentifier() for f, _ in single[0]):
                return size_polynomial(sympy.sqrt(sympy.Mul(*sizes)))
        return self.apply(ROOT, x)

    def normal_cdf(self, x: Polynomial) -> Polynomial:
        """Return Φ(x) as an atom."""
        return self.apply(CDF, x)

    @staticmethod
    def constant(value: sympy.Expr) -> Polynomial:
        """Return a number, such as 1/√(2π)."""
        return size_polynomial(value)

    def sin(self, x: Polynomial) -> Polynomial:
        """Return the sine as an atom."""
        return self.apply(SIN, x)

    def cos(self, x: Polynomial) -> Polynomial:
        """Return the cosine as an atom."""
        return self.apply(COS, x)

    def step(self, x: Polynomial) -> Polynomial:
        """Return [x > 0] as an atom, its own square; the sign of x is turned so that [-x > 0] = 1 - [x > 0]."""
        if not x.terms:
            return constant(0)
        lead = x.terms[min(x.terms, key=_headed)]
        found = self.apply(STEP, x.scaled(1 / lead))
        return found if lead > 0 else constant(1) - found

    def pick(self, index: Polynomial, at: Index) -> Polynomial:
        """Return [index = at] for an index that a named vector gives."""
        single = index.single()
        if single is None or len(single[0]) != 1:
            raise OutsideError("an index that is no entry of a named vector")
        ((own, _),) = single[0]
        head = f"pick:{own.head}"
        self.domains[head] = "onehot last"
        return atom(head, (*own.indices, at))

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
            merged = _product(replace_indices(rest, {lost: kept}))
            counted = is_bound(kept) and kept not in indices_of(merged)
            result = Polynomial({canonical(merged): Fraction(1)})
            return result * size_polynomial(kept.size) if counted else result
        kept, lost = (i, j) if i.number > j.number else (j, i)
        merged = _product(replace_indices(rest, {lost: kept}))
        whole = canonical(_product(((Atom(SAME, (kept, lost)), 1), *((f, e) for f, e in merged if f.head != SAME),
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
        kept = _product((*rest, *((f, -e) for f, e in monomial)))
        result = Polynomial({canonical(_product((*kept, (factor, exponent + 1)))): Fraction(1)})
        for term, number in argument.terms.items():
            if term != lead:
                others = replace_indices(rename_bound(term), names)
                merged = canonical(_product((*kept, *others, (factor, exponent))))
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
                    return Polynomial({canonical(_product((*without, (Atom(SAME, ends), 1)))): Fraction(1)})
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
