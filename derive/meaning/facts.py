"""What each equation of a page is: a definition of a name, a function or a cotangent, or a claim."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from derive.errors import DeriveError
from derive.meaning.functions import SIGMA, read_definition
from derive.meaning.outline import Equation, Outline, Place, Unread, names_in, walk
from derive.meaning.terms import Function, is_running, usual
from derive.op import TABLE
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.read.vocabulary import FUNCTION_LETTERS

_ELEMENTWISE = frozenset(["", *(name for name, row in TABLE.items() if row.body is not None)])
GREEK_DELTA = r"\delta"


@dataclass(frozen=True, slots=True)
class Definition:
    """A name's equation on the page; `order` counts the page's equations."""

    key: str
    equation: Equation
    order: int

    @property
    def section(self) -> int:
        """The section that it stands in."""
        return self.equation.place.section


OBSCURE = Function("", ("?",), ast.Dots())  # what a page defines, and is not read


@dataclass(slots=True)
class Facts:
    """The page's equations, sorted: what defines a name, a function, a cotangent, and what claims."""

    definitions: list[Definition] = field(default_factory=list)
    functions: list[tuple[int, str, Function, Place]] = field(default_factory=list)
    cotangents: list[tuple[int, str, ast.Derivative]] = field(default_factory=list)
    claims: list[tuple[int, Equation]] = field(default_factory=list)
    activations: list[tuple[int, int, ast.Call]] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    def functions_at(self, order: int, names: Iterable[str]) -> dict[str, Function]:
        """Return the meaning of functions at a point of the page.

        Defined above: that. Defined only below: any function. Nowhere: the usual meaning, else any function.
        Defined by a formula that was not read: a function with a body that is none, which stands for any function
        and refutes nothing.
        """
        meanings = {name: OBSCURE if self.is_obscure(name) else usual(name) or Function() for name in names}
        below = [name for at, name, function, _ in self.functions if at > order and function.op in _ELEMENTWISE]
        meanings.update({name: Function() for name in below})
        meanings.update({name: function for at, name, function, _ in self.functions if at <= order})
        return meanings

    def is_obscure(self, name: str) -> bool:
        """Tell whether a formula that was not read begins as the definition of a function; words mean the usual."""
        if usual(name) is not None and name not in FUNCTION_LETTERS:
            return False
        begin = re.compile(rf"\s*{re.escape(name)}\s*(?:\\left\s*)?\([^()=]*\)\s*(?:_\w|_\{{\w+\}})?\s*[:&]*=")
        return any(begin.match(unread.latex) for unread in self.unread)

    def assumes_sigmoid(self, names: Iterable[str]) -> bool:
        """Tell whether σ is used although the page never says what it is."""
        return SIGMA in names and not any(name == SIGMA for _, name, _, _ in self.functions)


def sort_equations(found: Outline) -> Facts:
    """Tell definitions from claims, in the order of the page."""
    facts = Facts(unread=list(found.unread))
    for order, equation in enumerate(found.equations):
        _sort(order, equation, facts)
    return facts


def _sort(order: int, equation: Equation, facts: Facts) -> None:
    left, right = equation.left, equation.right
    if is_value(right) and not _is_claim_side(left) and not _says_value(left, right, facts):
        return
    if isinstance(left, ast.Call) and not left.function.primes:
        _sort_call(order, equation, left, facts)
    elif isinstance(left, ast.Name) and isinstance(right, ast.Derivative) and _names_a_cotangent(left, right, facts):
        facts.cotangents.append((order, render(left), right))
    elif _is_claim_side(left) or _base(left) in (GREEK_DELTA, r"\Delta"):
        facts.claims.append((order, equation))
    elif isinstance(left, ast.Name):
        _sort_name(order, equation, left, facts)
    elif not _is_power_of_new(left, facts):
        facts.claims.append((order, equation))


def _base(left: ast.Node) -> str:
    """Return the letter of a name, also of one with a bare mark, δ^l, which reads as a power; "" for other sides."""
    name = left.base if isinstance(left, ast.Power) else left
    return name.base if isinstance(name, ast.Name) else ""


def _is_power_of_new(left: ast.Node, facts: Facts) -> bool:
    """Tell whether a left side such as σ² only names a quantity that nothing defines otherwise."""
    if not (isinstance(left, ast.Power) and isinstance(left.base, ast.Name)):
        return False
    return not any(item.key == key_without_indices(left.base) for item in facts.definitions)


def is_value(node: ast.Node) -> bool:
    """Tell whether a side is a plain number: "let x = 0" sets a value and claims nothing."""
    return isinstance(node, ast.Number) or (isinstance(node, ast.Neg) and isinstance(node.arg, ast.Number))


def is_at_a_point(node: ast.Node) -> bool:
    """Tell whether a side is a function at a point: d(-2)."""
    return isinstance(node, ast.Call) and not node.function.primes and all(map(is_value, node.args))


def _says_value(left: ast.Node, right: ast.Node, facts: Facts) -> bool:
    """Tell whether an equation says what a function, given by a formula above, is at a point: d(-2) = 5.

    Whole numbers alone: others may be rounded, and a rounded value is no claim that two sides are equal.
    """
    numbers = [part for side in (left, right) for part in walk(side) if isinstance(part, ast.Number)]
    if not is_at_a_point(left) or not all(number.text.isdigit() for number in numbers):
        return False
    assert isinstance(left, ast.Call)
    return any(known == render(left.function) and _gives_numbers(f) for _, known, f, _ in facts.functions)


def _gives_numbers(function: Function) -> bool:
    """Tell whether all that a function's formula speaks of is known: its arguments, and usual functions."""
    if function.body is None:
        return bool(function.op)
    free = {render(name) for name in names_in(function.body)} - set(function.parameters)
    return not free and all(usual(name) is not None for name in called_functions(function.body))


def _is_claim_side(node: ast.Node) -> bool:
    return any(
        isinstance(part, ast.Derivative) or (isinstance(part, ast.Call) and part.function.primes) for part in walk(node)
    )


def _names_a_cotangent(left: ast.Name, right: ast.Derivative, facts: Facts) -> bool:
    return isinstance(right.wrt, ast.Name) and not any(d.key == render(left) for d in facts.definitions)


def _sort_call(order: int, equation: Equation, left: ast.Call, facts: Facts) -> None:
    """A call on the left defines a function; the further links of its chain claim."""
    name = render(left.function)
    plain = all(isinstance(arg, ast.Name) for arg in left.args)
    if plain and name in called_functions(equation.right):
        return  # of the function of other arguments: the next link of the chain says what it is
    further = equation.own is not None
    again = any(known == name and (further or place == equation.place) for _, known, _, place in facts.functions)
    if not plain or again:
        facts.claims.append((order, equation))
        return
    facts.activations.append((order, equation.place.section, left))
    try:
        meaning = read_definition(left, equation.right, facts.functions_at(order, called_functions(equation.right)))
    except DeriveError as error:
        facts.unread.append(Unread(equation.latex, str(error), equation.place))
        return
    facts.functions.append((order, name, meaning, equation.place))


def called_functions(node: ast.Node) -> list[str]:
    """Return the names of the functions that a tree calls, without primes."""
    return [render(ast.unprimed(part)) for part in walk(node) if isinstance(part, ast.Call)]


def _sort_name(order: int, equation: Equation, left: ast.Name, facts: Facts) -> None:
    """A name's first equation in a scope defines it; the same again says nothing; another one claims."""
    key = key_without_indices(left)
    earlier = [item for item in facts.definitions if item.key == key and item.section == equation.place.section]
    if any(item.equation.right == equation.right for item in earlier):
        return
    here = [item for item in earlier if item.equation.place.label == equation.place.label]
    if here and _declares(equation.right, facts):
        return
    if here:
        facts.claims.append((order, equation))
    else:
        facts.definitions.append(Definition(key, equation, order))


def _declares(node: ast.Node, facts: Facts) -> bool:
    """Tell whether a side only says that something is a function of something: y = f(a, b) with an unknown f."""
    if not isinstance(node, ast.Call) or not all(isinstance(arg, ast.Name) for arg in node.args):
        return False
    name = render(ast.unprimed(node))
    return usual(name) is None and not any(known == name and f.op for _, known, f, _ in facts.functions)


def used_in(definitions: Iterable[Definition]) -> set[str]:
    """Return the keys of the names on the right sides of definitions."""
    return {key_without_indices(name) for item in definitions for name in names_in(item.equation.right)}


def define(name: ast.Name, formula: ast.Node, place: Place, order: int) -> Definition:
    """Return a name's definition that no page states."""
    return Definition(key_without_indices(name), Equation(name, formula, render(name), place), order)


def key_without_indices(name: ast.Name) -> str:
    """Return a name's spelling without running indices."""
    kept = tuple(s for s in name.subs if not is_running(s))
    return render(replace(name, subs=kept))
