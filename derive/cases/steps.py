"""The steps of a recurrence: which letter counts them, and which names stand once for each step.

Which is a step is told by the equations: a name at step t - 1 on the right side where a name at step t is defined.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from derive.meaning.indexed import indices_of, is_letter
from derive.meaning.naming import LAYERS, names_of, plain
from derive.meaning.outline import walk
from derive.meaning.terms import is_running
from derive.read import syntax as ast
from derive.read.spelling import render

ABOVE = -1  # where a step stands that is written above its name: h^{(t)}


@dataclass(frozen=True, slots=True)
class Series:
    """Names of which one stands for each step.

    Attributes:
        letter: Their letter, without its font.
        at: Which of their subscripts is the step; `ABOVE` if the mark above is.
        others: What else stands below and above, without running indices.
        primes: How often they are primed.
    """

    letter: str
    at: int
    others: tuple[ast.Node, ...]
    primes: int


def count_of(index: ast.Node, at: Mapping[str, int]) -> int | None:
    """Return the number that an index is where some letters are numbers; None where it is none."""
    if isinstance(index, ast.Number):
        return int(index.text) if index.text.isdigit() else None
    if isinstance(index, ast.Name):
        return at.get(render(index))
    if isinstance(index, ast.Neg):
        inner = count_of(index.arg, at)
        return None if inner is None else -inner
    if isinstance(index, ast.Sum):
        left, right = count_of(index.left, at), count_of(index.right, at)
        if left is None or right is None:
            return None
        return left + right if index.sign == "+" else left - right
    return None


def letters_of(index: ast.Node) -> frozenset[str]:
    """Return the letters in an index: two in T - i; a lone T is one, too."""
    if isinstance(index, ast.Sum | ast.Neg):
        return frozenset(letter for part in ast.children(index) for letter in letters_of(part))
    return frozenset([render(index)]) if is_letter(index) or index == ast.Name(r"\tau") else frozenset()


def series_of(name: ast.Name) -> Iterator[tuple[Series, ast.Node]]:
    """Yield each series that a name could be of, with what would be its step."""
    above = () if name.sup is None else (name.sup,)
    for at, sub in enumerate(name.subs):
        others = tuple(s for k, s in enumerate(name.subs) if k != at and not is_running(s))
        yield Series(plain(name.base), at, (*others, *above), name.primes), sub
    if name.sup is not None and name.style:
        others = tuple(s for s in name.subs if not is_running(s))
        yield Series(plain(name.base), ABOVE, others, name.primes), name.sup


def split(name: ast.Name, stepped: Collection[Series]) -> tuple[Series, ast.Node] | None:
    """Return of which series a name is, and its step; None where it has none."""
    return next(((series, index) for series, index in series_of(name) if series in stepped), None)


@dataclass(frozen=True, slots=True)
class Steps:
    """What stands once for each step, and the letters of steps.

    Attributes:
        stepped: The names that stand once for each step, with the letter as first met.
        defined: Those among them that equations define.
        last: The letters of the last step.
        first: The first step; what comes before it is given.
        words: Letters below names that only tell them apart: the i of an input gate's W_i.
    """

    stepped: Mapping[Series, str]
    defined: frozenset[Series]
    last: frozenset[str]
    first: int
    words: frozenset[str]


def steps_of(equations: Iterable[tuple[ast.Node, ast.Node]]) -> Steps | None:
    """Return what is said of steps by the equations of a model; None where it has no recurrence."""
    equations = list(equations)
    defined = {series for left, _ in equations if isinstance(left, ast.Name) for series, _ in series_of(left)}
    stepped: dict[Series, str] = {}
    for left, right in equations:
        if letter := _recurrent(left, right, defined):
            _note([left, right], letter, stepped)
    if not stepped:
        return None
    scopes = [scope for equation in equations for scope in _scopes(equation)]
    while True:  # what stands beside such names with the same letter has steps, too
        known = len(stepped)
        for nodes, letter in scopes:
            if any(letter in letters_of(index) for series, index in _indexed(nodes) if series in stepped):
                _note(nodes, letter, stepped)
        if len(stepped) == known:
            break
    last, lowest = _ends(equations, stepped)
    return Steps(stepped, frozenset(defined & stepped.keys()), last, min([1, *lowest]), _words(equations, stepped))


def _indexed(nodes: Iterable[ast.Node]) -> Iterator[tuple[Series, ast.Node]]:
    return (pair for name in names_of(nodes) for pair in series_of(name))


def _recurrent(left: ast.Node, right: ast.Node, defined: Collection[Series]) -> str:
    """Return the letter of the steps by which an equation leads from one to another; "" where it does not."""
    if not isinstance(left, ast.Name):
        return ""
    for series, index in series_of(left):
        for letter in letters_of(index):
            if series.at == ABOVE and letter in LAYERS | {"k"}:
                continue  # a general layer, which is read elsewhere
            own = count_of(index, {letter: 0})
            others = [count_of(other, {letter: 0}) for found, other in _indexed([right])
                      if found in defined and found.at == series.at and letter in letters_of(other)]  # fmt: skip
            if own is not None and any(other not in (None, own) for other in others):
                return letter
    return ""


def _note(nodes: Iterable[ast.Node], letter: str, stepped: dict[Series, str]) -> None:
    for name in names_of(nodes):
        for series, index in series_of(name):
            if letter in letters_of(index):
                stepped.setdefault(series, name.base)


def _scopes(equation: tuple[ast.Node, ast.Node]) -> Iterator[tuple[list[ast.Node], str]]:
    """Yield the parts of an equation in which a letter means the same, with the letter."""
    left, right = equation
    if isinstance(left, ast.Name):
        for _, index in series_of(left):
            yield from (([left, right], letter) for letter in letters_of(index))
    for part in (*walk(left), *walk(right)):
        if isinstance(part, ast.Big):
            yield from (([part.body], render(index)) for index in indices_of(part))


def free_letters(node: ast.Node, stepped: Collection[Series]) -> frozenset[str]:
    """Return the letters of steps that a formula uses and does not bind."""
    if isinstance(node, ast.Name):
        found = split(node, stepped)
        return frozenset() if found is None else letters_of(found[1])
    if isinstance(node, ast.Big):
        inside = free_letters(node.body, stepped)
        own = frozenset(map(render, indices_of(node)))
        limits = [letters_of(limit) for limit in (node.lower, node.upper) if limit is not None and own & inside]
        return (inside - own).union(*limits)
    return frozenset(letter for part in ast.children(node) for letter in free_letters(part, stepped))


def _ends(
    equations: Iterable[tuple[ast.Node, ast.Node]], stepped: Mapping[Series, str]
) -> tuple[frozenset[str], list[int]]:
    """Return the letters of the last step, and the first steps of the sums in a model."""
    last: set[str] = set()
    lowest: list[int] = []
    for left, right in equations:
        last |= free_letters(right, stepped) - free_letters(left, stepped)
        sums = [part for part in walk(right) if isinstance(part, ast.Big)]
        overs = [part for part in sums if free_letters(part.body, stepped) & set(map(render, indices_of(part)))]
        lowest += [count for part in overs if part.lower and (count := count_of(part.lower, {})) is not None]
    return frozenset(last), lowest


def _words(equations: Iterable[tuple[ast.Node, ast.Node]], stepped: Mapping[Series, str]) -> frozenset[str]:
    """Return running letters below names without steps that nothing counts: they tell W_i from W_f."""
    found: set[str] = set()
    counted: set[str] = set()
    for left, right in equations:
        counted |= {render(index) for part in walk(right) if isinstance(part, ast.Big) for index in indices_of(part)}
        counted |= {render(sub) for name in names_of([left]) for sub in name.subs}
        names = [name for name in names_of([right]) if split(name, stepped) is None]
        found |= {render(sub) for name in names for sub in name.subs if is_running(sub)}
    return frozenset(found - counted)


def told_apart(name: ast.Name, words: Collection[str]) -> ast.Name:
    """Return a name whose letters below that count nothing are words."""
    subs = tuple(ast.Name(rf"\text{{{render(sub)}}}") if render(sub) in words else sub for sub in name.subs)
    return replace(name, subs=subs)
