"""Formulas of a recurrence, written out: a name for each step, sums over steps term by term, no letters of steps.

Trees become trees; nothing is known of shapes. So what is left out is left out where the tree alone allows it: a
factor that is no factor (W^0, ∂h/∂h), a term that is none (an empty sum, ∂h_1/∂h_2).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from derive.cases.steps import ABOVE, Series, Steps, count_of, letters_of, series_of, split, told_apart
from derive.errors import UnreadError
from derive.meaning.facts import key_without_indices
from derive.meaning.indexed import indices_of
from derive.meaning.naming import names_of
from derive.meaning.outline import walk
from derive.meaning.terms import HADAMARD
from derive.read import syntax as ast
from derive.read.spelling import render

UNIT = ast.Implied("no factor")
ZERO = ast.Implied("no term")
LAST = "last"  # what the last step is called where letters are numbers
START = r"\text{start}"
MOST_TERMS = 400  # written out in one formula

Env = Mapping[str, int]


class MissingError(UnreadError):
    """A formula names a step that the model does not have."""

    def __init__(self, name: ast.Name, series: Series) -> None:
        super().__init__(f"${render(name)}$ is beyond the steps of the model")
        self.name, self.series = name, series

    def is_numbered(self) -> bool:
        """Tell whether it calls the step by a number: there may be more steps."""
        return all(count_of(index, {}) is not None for series, index in series_of(self.name) if series == self.series)


@dataclass(frozen=True, slots=True)
class Reading:
    r"""What a page leaves open.

    Attributes:
        rising: Whether the factors of \prod stand in rising order, as Jacobians in denominator layout do.
        zero: Whether what is given before the first step is zero.
        powers: Whether W^T is a power, T being the last step.
        direct: Whether ∂h_k/∂W on the right side of a claim holds the states before step k fixed.
    """

    rising: bool = False
    zero: bool = False
    powers: bool = False
    direct: bool = False


@dataclass(slots=True)
class Writer:
    """Writes formulas out.

    Attributes:
        steps: What stands once for each step.
        reading: How they are read.
        known: The names of the written-out model; None while that is written.
        above: For each name that the model defines, all that it depends on.
        notes: What was assumed.
    """

    steps: Steps
    reading: Reading
    known: Collection[str] | None = None
    above: Mapping[str, Collection[str]] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    _left: int = MOST_TERMS

    def side(self, node: ast.Node, at: Env) -> ast.Node:
        """Return a formula written out, or UNIT or ZERO.

        Raises:
            UnreadError: what it says at these steps is not understood.
        """
        self._left = MOST_TERMS
        written = self._at(node, at)
        if any(isinstance(part, ast.Implied) for part in walk(written) if part is not written):
            raise UnreadError(f"${render(node)}$: a power of 0 or an empty sum stands where it is not read")
        return written

    def _at(self, node: ast.Node, at: Env) -> ast.Node:
        match node:
            case ast.Name():
                return self._name(node, at)
            case ast.Big():
                return self._big(node, at)
            case ast.Sum():
                return self._sum(node.sign, self._at(node.left, at), self._at(node.right, at))
            case ast.Neg():
                inner = self._at(node.arg, at)
                return ZERO if inner is ZERO else ast.Neg(inner)
            case ast.Product():
                return _product(node.sign, self._at(node.left, at), self._at(node.right, at))
            case ast.Quotient():
                top = self._at(node.top, at)
                return ZERO if top is ZERO else ast.Quotient(top, self._at(node.bottom, at))
            case ast.Transpose(ast.Name()) if self.reading.powers and "T" in at:
                return self._power(ast.Power(node.arg, ast.Name("T")), at)
            case ast.Transpose():
                inner = self._at(node.arg, at)
                return inner if inner in (UNIT, ZERO) else ast.Transpose(inner)
            case ast.Power():
                return self._power(node, at)
            case ast.Derivative():
                return self._derivative(node, at)
            case ast.Call():
                return self._call(node, at)
        return ast.map_children(node, lambda part: self._at(part, at))

    def _name(self, name: ast.Name, at: Env) -> ast.Node:
        found = split(name, self.steps.stepped)
        if found is None:
            if name == ast.Name(name.base) and name.base in at:
                return ast.Number(str(at[name.base]))
            if any(letters_of(sub) & at.keys() and render(sub) not in self.steps.words for sub in name.subs):
                raise UnreadError(f"${render(name)}$: whether it has a step is not clear")
            return told_apart(name, self.steps.words)
        series, index = found
        count = count_of(index, at)
        if count is None:
            raise UnreadError(f"${render(name)}$: its step is not read")
        written = at_step(name, series, count, self.steps)
        if self.known is not None and key_without_indices(written) not in self.known:
            raise MissingError(name, series)
        return ZERO if self.reading.zero and series in self.steps.defined and count < self.steps.first else written

    def _sum(self, sign: str, left: ast.Node, right: ast.Node) -> ast.Node:
        if right is ZERO:
            return left
        if left is ZERO:
            return right if sign == "+" else ast.Neg(right)
        return ast.Sum(sign, left, right)

    def _big(self, node: ast.Big, at: Env) -> ast.Node:
        own = indices_of(node)
        letter = render(own[0]) if len(own) == 1 else ""
        if not letter or not self._counts_steps(node.body, letter):
            limits = [limit for limit in (node.lower, node.upper) if limit is not None]
            if any(letters_of(limit) & at.keys() for limit in limits):
                raise UnreadError(f"${render(node)}$: whether it is a sum over steps is not clear")
            inside = {key: count for key, count in at.items() if key not in map(render, own)}
            return replace(node, body=self._at(node.body, inside))
        bounds = self._bounds(node, at)
        if node.kind == "prod" and not self.reading.rising:
            bounds = bounds[::-1]
        whole: ast.Node = ZERO if node.kind == "sum" else UNIT
        for count in bounds:
            self._left -= 1
            if self._left < 0:
                raise UnreadError("too many terms to write them out")
            term = self._term(node, {**at, letter: count}, count)
            whole = self._sum("+", whole, term) if node.kind == "sum" else _product("", whole, term)
        return whole

    def _bounds(self, node: ast.Big, at: Env) -> range:
        if node.lower is None and node.upper is None:
            lower: int | None = self.steps.first
            upper = at.get(LAST)
        else:
            lower, upper = (None if end is None else count_of(end, at) for end in (node.lower, node.upper))
        if lower is None or upper is None:
            raise UnreadError(f"${render(node)}$: over which steps it runs is not read")
        return range(lower, upper + 1)

    def _counts_steps(self, body: ast.Node, letter: str) -> bool:
        """Tell whether a letter counts steps: as a step of names, or in an exponent."""
        for part in walk(body):
            found = split(part, self.steps.stepped) if isinstance(part, ast.Name) else None
            if found is not None and letter in letters_of(found[1]):
                return True
            if isinstance(part, ast.Power) and letter in letters_of(part.exponent):
                return True
        return False

    def _term(self, node: ast.Big, at: Env, count: int) -> ast.Node:
        """Return a term; one at the step before the first, where the data begin later, is none."""
        try:
            return self._at(node.body, at)
        except MissingError as missing:
            before = node.kind == "sum" and count == self.steps.first - 1
            if not before or missing.series in self.steps.defined:
                raise
            self.notes[f"${render(missing.name)}$ is not given: the sum begins at step {self.steps.first}"] = None
            return ZERO

    def _power(self, node: ast.Power, at: Env) -> ast.Node:
        base = self._at(node.base, at)
        count = count_of(node.exponent, at) if letters_of(node.exponent) & at.keys() else None
        if count is None:
            return replace(node, base=base, exponent=self._at(node.exponent, at)) if base is not ZERO else ZERO
        if count < 0:
            raise UnreadError(f"${render(node)}$: an exponent below 0")
        if isinstance(base, ast.Number) or node.entrywise:
            return replace(node, base=base, exponent=ast.Number(str(count)))
        whole: ast.Node = UNIT
        for _ in range(count):
            whole = _product("", whole, base)
        return whole

    def _derivative(self, node: ast.Derivative, at: Env) -> ast.Node:
        of = self._at(node.of, at)
        wrt = None if node.wrt is None else self._at(node.wrt, at)
        if of is ZERO:
            return ZERO
        if isinstance(of, ast.Name) and isinstance(wrt, ast.Name):
            if of == wrt:
                return UNIT
            if of.style and not self._depends(of, wrt):
                return ZERO
            if self.reading.direct and of.style and not wrt.style and not isinstance(wrt.sup, ast.Number):
                wrt = copy_at(wrt, of)
        return replace(node, of=of, wrt=wrt)

    def _depends(self, of: ast.Name, wrt: ast.Name) -> bool:
        """Tell whether one name depends on another, as far as that can be told."""
        one, other = key_without_indices(of), key_without_indices(wrt)
        known = self.known or ()
        if one in self.above and wrt.style and other in known:
            return other in self.above[one]
        return one in self.above or one not in known

    def _call(self, node: ast.Call, at: Env) -> ast.Node:
        function = node.function
        if any(letters_of(sub) & at.keys() for sub in function.subs):
            raise UnreadError(f"${render(function)}$: a function of each step is not read")
        return replace(node, args=tuple(self._at(arg, at) for arg in node.args))


def _product(sign: str, left: ast.Node, right: ast.Node) -> ast.Node:
    if ZERO in (left, right):
        return ZERO
    if UNIT in (left, right) and sign not in HADAMARD:  # what is no factor of a product is one of ⊙
        return right if left is UNIT else left
    return ast.Product(sign, left, right)


def at_step(name: ast.Name, series: Series, count: int, steps: Steps) -> ast.Name:
    """Return a name's name at a step: h^{(3)}.

    Raises:
        UnreadError: it has another mark above.
    """
    if series.at != ABOVE and name.sup is not None:
        raise UnreadError(f"${render(name)}$: a mark above beside a step is not read")
    subs = tuple(sub for k, sub in enumerate(name.subs) if k != series.at)
    return state_at(series, count, steps, subs)


def state_at(series: Series, count: int, steps: Steps, subs: tuple[ast.Node, ...] = ()) -> ast.Name:
    """Return the name at a step of a series."""
    mark: ast.Node = ast.Number(str(abs(count)))
    mark = mark if count >= 0 else ast.Neg(mark)
    return ast.Name(steps.stepped[series], mark, "()", subs or series.others, series.primes)


def copy_at(name: ast.Name, state: ast.Name) -> ast.Name:
    """Return the name of a parameter as the equation of one state uses it."""
    assert isinstance(state.sup, ast.Number)
    word = "".join(filter(str.isalnum, render(replace(state, sup=None, style=""))))
    return replace(name, subs=(*name.subs, ast.Name(rf"\text{{{word}{state.sup.text}}}")))


def before_first(name: ast.Name) -> ast.Name:
    """Return the name of what a state before the first step is given as."""
    return replace(name, sup=None, style="", subs=(*name.subs, ast.Name(START)))


def is_start(latex: str) -> bool:
    """Tell whether a name is one of these."""
    return START in latex


def names_used(nodes: Iterable[ast.Node]) -> dict[str, ast.Name]:
    """Return the names in some formulas by their spelling without indices of entries."""
    return {key_without_indices(name): name for name in names_of(nodes)}


def dependencies(model: Iterable[tuple[ast.Node, ast.Node]]) -> dict[str, set[str]]:
    """Return for each name that a model defines all that it depends on."""
    direct: dict[str, set[str]] = {}
    for left, right in model:
        if isinstance(left, ast.Name):
            direct.setdefault(key_without_indices(left), set()).update(names_used([right]))
    found: dict[str, set[str]] = {}
    for name in direct:
        reached, todo = set(), list(direct[name])
        while todo:
            if (one := todo.pop()) not in reached:
                reached.add(one)
                todo += direct.get(one, ())
        found[name] = reached
    return found
