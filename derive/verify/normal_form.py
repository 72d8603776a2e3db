r"""Normal forms: two expressions with the same one are equal for all sizes.

An expression becomes a polynomial in entries of named tensors and in functions of polynomials. Elementwise
functions live in a differential field: their derivatives are replaced by their slopes (σ' = σ - σ²), exp turns
sums into products, a one-hot vector's entries sum to one. To compare, denominators without bound indices are
multiplied out; then both sides are polynomials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from derive.expr import Apply, Const, Node, Var
from derive.op import Op
from derive.shapes import axes
from derive.verify.polynomial import (
    Index, Polynomial, Term, TooLargeError, atom, bound_of, canonical, constant, digest, fresh, indices_of, is_bound,
    key, map_terms, rename_bound, replace_indices, size_polynomial, sum_over,
)  # fmt: skip

ROUNDS = 12  # rounds of clearing denominators before giving up


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
        slots = sorted({i for term in x.terms for i in indices_of(term) if not is_bound(i)}, key=lambda i: -i.number)
        slots = [i for i in slots if i.size != 1]
        names = {index: Index(-100 - k, index.size) for k, index in enumerate(slots)}
        argument = Polynomial({canonical(replace_indices(t, names)): n for t, n in x.terms.items()})
        head = f"{name}:{digest(key(argument))}"
        self.arguments[head] = (argument, tuple(names.values()))
        return atom(head, slots)

    def argument(self, head: str, indices: tuple[Index, ...]) -> Polynomial:
        """Return what an atom was applied to, at the given indices."""
        argument, slots = self.arguments[head]
        names = dict(zip(slots, indices, strict=True))
        return Polynomial({canonical(replace_indices(rename_bound(t), names)): n for t, n in argument.terms.items()})

    def exp(self, x: Polynomial) -> Polynomial:
        """Return e^x with one factor per term of x, so that e^(a+b) = e^a e^b."""
        result = constant(1)
        for term, number in x.terms.items():
            if term and term[0][0].head.startswith("log:") and len(term) == 1 and number.denominator == 1:
                inner = self.argument(term[0][0].head, term[0][0].indices)
                result = result * self.power(inner, int(number)) if term[0][1] == 1 else result * self._exp_atom(term, number)
            else:
                result = result * self._exp_atom(term, number)
        return result

    def _exp_atom(self, term: Term, number: Fraction) -> Polynomial:
        base = self.apply("exp", Polynomial({term: Fraction(1, number.denominator)})).single()
        assert base is not None
        return atom(base[0][0][0].head, base[0][0][0].indices, number.numerator)

    def log(self, x: Polynomial) -> Polynomial:
        """Return log x; of a product of positive factors, the sum of their logs."""
        single = x.single()
        if single is None or single[1] <= 0 or not all(self._positive(factor.head) for factor, _ in single[0]):
            return constant(0) if x.number() == 1 else self.apply("log", x)
        if any(is_bound(index) for index in indices_of(single[0])):
            return self.apply("log", x)
        result = constant(0) if single[1] == 1 else self.apply("log", constant(single[1]))
        for factor, exponent in single[0]:
            if factor.head.startswith("exp:"):
                part = self.argument(factor.head, factor.indices)
            elif factor.head.startswith("poly:"):
                part = self.apply("log", self.argument(factor.head, factor.indices))
            else:
                part = self.apply("log", atom(factor.head, factor.indices))
            result = result + part.scaled(Fraction(exponent))
        return result

    def _positive(self, head: str) -> bool:
        if head.startswith("poly:"):
            terms = self.arguments[head][0].terms
            return all(n > 0 and all(self._positive(f.head) for f, _ in term) for term, n in terms.items())
        name = head.split(":")[0]
        return name in ("exp", "sqrt") or head.startswith("#") or self.domains.get(head) in ("positive", "unit")

    def sqrt(self, x: Polynomial) -> Polynomial:
        """Return the square root as an atom; its square is reduced."""
        return self.apply("sqrt", x)

    def sin(self, x: Polynomial) -> Polynomial:
        """Return the sine as an atom."""
        return self.apply("sin", x)

    def cos(self, x: Polynomial) -> Polynomial:
        """Return the cosine as an atom."""
        return self.apply("cos", x)

    def step(self, x: Polynomial) -> Polynomial:
        """Return [x > 0] as an atom; it is its own square."""
        return self.apply("step", x)

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
        below = self.apply("poly", monic).single()
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
            if exponent > 1 and (name == "step" or domain in ("binary", "onehot")):
                return Polynomial({canonical(((factor, 1), *rest)): Fraction(1)})
            if exponent >= 2 and name == "sqrt":
                inner = self.argument(factor.head, factor.indices)
                return Polynomial({canonical(((factor, exponent - 2), *rest) if exponent > 2 else rest): Fraction(1)}) * inner
            if exponent >= 1 and name == "poly":
                inner = self.argument(factor.head, factor.indices)
                left = ((factor, exponent - 1), *rest) if exponent > 1 else rest
                return self._distribute(left, inner)
            if exponent == 1 and domain in ("onehot", "simplex") and self._sums_to_one(factor.indices, rest):
                return Polynomial({canonical(rest): Fraction(1)})
        return None

    @staticmethod
    def _sums_to_one(indices: tuple[Index, ...], rest: Term) -> bool:
        """Tell whether the entries' index (the first) is bound and stands nowhere else."""
        return bool(indices) and is_bound(indices[0]) and indices[0] not in indices_of(rest) and indices[0] not in indices[1:]

    @staticmethod
    def _distribute(rest: Term, inner: Polynomial) -> Polynomial:
        """Multiply a term that may hold bound indices by a polynomial that shares them."""
        result = Polynomial({})
        for term, number in inner.terms.items():
            own = bound_of(term) - indices_of(rest)
            names = {index: fresh(index.size) for index in own}
            exponents = dict(rest)
            for factor, exponent in replace_indices(term, names):
                exponents[factor] = exponents.get(factor, 0) + exponent
            merged = canonical(tuple((f, e) for f, e in exponents.items() if e))
            result = result + Polynomial({merged: number})
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
    def _denominators(x: Polynomial) -> dict:  # type: ignore[type-arg]
        lowest: dict = {}  # type: ignore[type-arg]
        for term in x.terms:
            for factor, exponent in term:
                if exponent < 0 and not any(map(is_bound, factor.indices)):
                    lowest[factor] = min(lowest.get(factor, 0), exponent)
        return lowest


class _Value:
    """A polynomial with the arithmetic that bodies use."""

    __slots__ = ("field", "poly")

    def __init__(self, poly: Polynomial, own: Field) -> None:
        self.poly, self.field = poly, own

    def _lift(self, other: _Value | int) -> Polynomial:
        return other.poly if isinstance(other, _Value) else constant(other)

    def __add__(self, other: _Value | int) -> _Value:
        return _Value(self.poly + self._lift(other), self.field)

    __radd__ = __add__

    def __neg__(self) -> _Value:
        return _Value(-self.poly, self.field)

    def __sub__(self, other: _Value | int) -> _Value:
        return _Value(self.poly - self._lift(other), self.field)

    def __rsub__(self, other: int) -> _Value:
        return _Value(constant(other) - self.poly, self.field)

    def __mul__(self, other: _Value | int) -> _Value:
        return _Value(self.field.reduce(self.poly * self._lift(other)), self.field)

    __rmul__ = __mul__

    def __truediv__(self, other: _Value | int) -> _Value:
        return _Value(self.field.reduce(self.poly * self.field.inverse(self._lift(other))), self.field)

    def __rtruediv__(self, other: int) -> _Value:
        return _Value(self.field.inverse(self.poly).scaled(Fraction(other)), self.field)

    def __pow__(self, other: _Value | int) -> _Value:
        exponent = other.poly.number() if isinstance(other, _Value) else Fraction(other)
        if exponent is None:
            raise OutsideError("an exponent that is no number")
        if exponent.denominator == 2:
            return _Value(self.field.power(self.field.sqrt(self.poly), exponent.numerator), self.field)
        if exponent.denominator != 1 or abs(exponent) > 12:
            raise OutsideError(f"the exponent {exponent}")
        return _Value(self.field.power(self.poly, int(exponent)), self.field)


class _Functions:
    """The field's functions on values, as bodies call them."""

    def __init__(self, own: Field) -> None:
        self._field = own

    def __getattr__(self, name: str) -> Callable[[_Value], _Value]:
        function = getattr(self._field, name)
        return lambda x: _Value(function(x.poly), self._field)


@dataclass(slots=True)
class Normaliser:
    """Turns expressions into polynomials; `inline` gives the names that are replaced by their values."""

    field: Field
    inline: Mapping[Var, Node] = field(default_factory=dict)

    def read(self, node: Node, at: tuple[Index, ...]) -> Polynomial:
        """Return the entry of an expression at the given indices, one per axis."""
        if isinstance(node, Const):
            return size_polynomial(node.value)
        if isinstance(node, Var):
            if node in self.inline:
                return self.read(self.inline[node], at)
            head = f"v:{node.latex}"
            self.field.domains[head] = node.domain
            return atom(head, at)
        assert isinstance(node, Apply)
        return self.field.reduce(self._apply(node, node.op, at))

    def _apply(self, node: Apply, op: Op, at: tuple[Index, ...]) -> Polynomial:
        if op.spec is not None:
            return self._contract(node, op.spec(tuple(o.shape for o in node.operands), *node.params), at, op.reduce)
        if op.define is not None:
            return self.read(op.define(*node.operands, *node.params), at)
        if op.prime:
            return self._function(node, op, at)
        if op.body is not None:
            return self._body(node, op, at)
        if not node.operands:
            return constant(1)
        raise OutsideError(op.name)

    def _entries(self, node: Apply, at: tuple[Index, ...]) -> list[Polynomial]:
        return [self.read(operand, at if axes(operand.shape) else ()) for operand in node.operands]

    def _body(self, node: Apply, op: Op, at: tuple[Index, ...]) -> Polynomial:
        assert op.body is not None
        values = [_Value(entry, self.field) for entry in self._entries(node, at)]
        result = op.body(_Functions(self.field), *values)
        return result.poly if isinstance(result, _Value) else constant(result)

    def _function(self, node: Apply, op: Op, at: tuple[Index, ...]) -> Polynomial:
        order, label = int((*node.params, 0)[0]), (*node.params, "", "")[1]
        (x,) = node.operands
        if order == 1 and op.slope is not None:
            return self.read(op.slope(x, Apply(op.name, x)), at)
        if order == 0 and self.field.expand and op.body is not None:
            return self._body(node, op, at)
        mark = f"{op.name}{label if op.body is None else ''}'{order}"
        return self.field.apply(mark, self._entries(node, at)[0])

    def _contract(self, node: Apply, spec: str, at: tuple[Index, ...], reduction: str) -> Polynomial:
        left, right = spec.split("->")
        if reduction not in ("", "sum"):
            raise OutsideError(node.op.name)
        names: dict[str, Index] = dict(zip(right, at, strict=True))
        factors = []
        for letters, operand in zip(left.split(","), node.operands, strict=True):
            for letter, length in zip(letters, axes(operand.shape), strict=True):
                if letter not in names:  # a free number of its own, until it is summed over
                    names[letter] = Index(-fresh(length).number if length != 1 else -1, length)
            factors.append(self.read(operand, tuple(names[letter] for letter in letters)))
        result = constant(1)
        for factor in factors:
            result = result * factor
        for letter, index in names.items():
            if letter not in right:
                result = self.field.reduce(sum_over(result, index))
        return result


def free_indices(node: Node) -> tuple[Index, ...]:
    """Return one free index per axis of an expression; all axes of one entry share one index."""
    return tuple(Index(-2 - k, length) if length != 1 else Index(-1, length) for k, length in enumerate(axes(node.shape)))


def same(left: Node, right: Node, inline: Mapping[Var, Node] | None = None, expand: bool = False) -> bool:
    """Tell whether two expressions have the same normal form; False proves nothing.

    Args:
        left, right: Expressions of shapes that agree but for axes of one entry.
        inline: Names to replace by their values.
        expand: Write σ and tanh through exp as well.
    """
    own = Field(expand=expand)
    normaliser = Normaliser(own, inline or {})
    lengths = [length for length in axes(left.shape) if length != 1]
    if lengths != [length for length in axes(right.shape) if length != 1]:
        return False
    try:
        return own.is_zero(normaliser.read(left, _aligned(left)) - normaliser.read(right, _aligned(right)))
    except (OutsideError, TooLargeError, RecursionError):
        return False


def _aligned(node: Node) -> tuple[Index, ...]:
    """Return free indices numbered along the axes of more than one entry."""
    numbers = iter(range(2, 99))
    return tuple(Index(-1, length) if length == 1 else Index(-next(numbers), length) for length in axes(node.shape))
