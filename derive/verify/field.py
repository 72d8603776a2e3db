"""The field of the normal form: functions of polynomials as atoms, relations between indices, inverses of matrices.

Exp turns sums into products, and a logarithm of positive factors is the sum of their logarithms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import sympy

from derive.notation import runs
from derive.verify.algebra import Algebra
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
    SAME,
    SIN,
    STEP,
    OutsideError,
    headed,
    kind_of,
)  # fmt: skip
from derive.verify.polynomial import (
    RELATION,
    ROOTED,
    Atom,
    Index,
    Polynomial,
    Term,
    atom,
    bound_of,
    constant,
    fresh,
    indices_of,
    is_bound,
    size_polynomial,
    sum_over,
)  # fmt: skip


def _is_log(term: Term) -> bool:
    """Tell whether a term is one logarithm, of one entry: e to its power is the argument."""
    return len(term) == 1 and term[0][1] == 1 and kind_of(term[0][0].head) == LOG and not bound_of(term)


@dataclass(slots=True)
class Field(Algebra):
    """The functions of bodies and of rows' entries, on normal forms."""

    running: dict[str, Index] = field(default_factory=dict)

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
        lead = whole.terms[min(whole.terms, key=headed)] if whole.terms else Fraction(1)
        own = self.of_matrix(INVERSE, lambda i, j: entry(i, j).scaled(1 / lead), at[0].size)
        names = {-90: at[0], -91: at[1]}
        return atom(own.head, [names[index.number] for index in own.indices]).scaled(1 / lead)

    def determinant(self, entry: Callable[[Index, Index], Polynomial], size: sympy.Expr) -> Polynomial:
        """Return the determinant of a matrix."""
        unit = Index(-90, size), Index(-91, size)
        if entry(*unit).terms == self.delta(*unit).terms:
            return constant(1)
        return atom(self.of_matrix(DET, entry, size).head)

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
        lead = x.terms[min(x.terms, key=headed)]
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
