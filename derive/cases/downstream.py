r"""Functions of which nothing is said: l(o, y) stands for any loss.

To first order any differentiable function is linear in what it is applied to, with any slopes. So l(o, y) becomes
the sum of the entries of o, each times a slope of its own, and of what is left of the value; what is proved of all
slopes holds of all losses. Of second derivatives nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import TypeGuard

from derive.errors import UnreadError
from derive.meaning.facts import key_without_indices
from derive.meaning.kinds import LOSSES
from derive.meaning.naming import plain
from derive.meaning.outline import names_in, walk
from derive.meaning.terms import INDEX_LETTERS
from derive.read import syntax as ast
from derive.read.spelling import render

CROSS_ENTROPIES = frozenset(["CE", "CrossEntropy", "crossentropy", "cross_entropy"])
NAMED = frozenset(["BCE", "MSE", "MAE", "NLL", "KL", "H", "D", "P", "p", "cov", "corr", "sim"])  # each has a meaning
CAPITALS = LOSSES - {r"\ell"}  # names of values as well: J(W) in one place, J in another


def slope_name(function: str, argument: int, indices: tuple[ast.Node, ...], point: int = 0) -> ast.Name:
    """Return the name of the slopes of a function by one of its arguments; `point` counts what it is applied to."""
    place = f"{argument}" + "'" * point
    return ast.Name(rf"\partial_{{{place}}} {function}", subs=indices)


def is_slope(latex: str) -> bool:
    """Tell whether a name is one of these."""
    return latex.startswith(r"\partial_{")


def function_of(latex: str) -> str:
    """Return of which function a name is a slope, for a sentence."""
    return f"${latex.partition('}')[2].strip()}$"


def linear_in_arguments(
    losses: Collection[str], known: Collection[str], told: Collection[str],
    formulas: Iterable[ast.Node], lying: bool = False,
) -> Callable[[ast.Node], ast.Node]:
    """Return what writes functions of several arguments, and those with the names given, as sums with any slopes.

    Args:
        losses: Names of functions that are scalar, of however many arguments. Where one that names no value as well
            is applied to one thing alone, its bare name and its primes are of that: ∂g/∂z and g'(z) of g(z).
        known: Names that are functions of some meaning.
        told: Keys of the names of which something is said; other arguments are constants.
        formulas: All that are to be written so: what a function is applied to in them tells its slopes apart.
        lying: Whether derivatives are written in numerator layout: those of a number by a vector are rows.
    """
    calls: dict[str, dict[tuple[ast.Node, ...], ast.Call]] = {}
    for part in (part for formula in formulas for part in walk(formula)):
        if isinstance(part, ast.Call):
            plainly = replace(part, function=ast.unprimed(part))
            calls.setdefault(render(plainly.function), {}).setdefault(_at(part), plainly)
    bare = {name: next(iter(found.values())) for name, found in calls.items()
            if name in losses and name not in CAPITALS and len(found) == 1}  # fmt: skip

    def point(call: ast.Call) -> int:
        return [*calls.get(render(call.function), {_at(call): call})].index(_at(call))

    def slopes(call: ast.Call, place: int) -> ast.Name:
        arg = call.args[place]
        running = {sub for n in names_in(arg) for sub in n.subs if render(sub) in INDEX_LETTERS}
        found = slope_name(render(call.function), place + 1, tuple(sorted(running, key=render)), point(call))
        if isinstance(arg, ast.Name) and arg.style == "()":  # other slopes at each step
            found = replace(found, sup=arg.sup, style=arg.style)
        return found

    def laid(found: ast.Name) -> ast.Node:
        return ast.Transpose(found) if lying and not found.subs else found

    def is_any(node: ast.Node) -> TypeGuard[ast.Call]:
        """Tell whether a call is one of a function of which nothing is said."""
        if not isinstance(node, ast.Call) or any(isinstance(arg, ast.Relation | ast.Keyword) for arg in node.args):
            return False
        name, letter = render(ast.unprimed(node)), plain(node.function.base)
        if letter in NAMED or name in known or (letter in CROSS_ENTROPIES and len(node.args) == 2):
            return False
        return len(node.args) > 1 or name in losses

    def is_constant(arg: ast.Node) -> bool:
        return isinstance(arg, ast.Name) and key_without_indices(arg) not in told

    def own_slopes(node: ast.Derivative) -> ast.Node | None:
        """Return the slopes that a derivative of such a function by its own argument is: all of them, or one."""
        by = None if isinstance(node.wrt, ast.Implied) else node.wrt
        of = bare.get(render(node.of), node.of) if isinstance(node.of, ast.Name) and by is not None else node.of
        if not is_any(of) or of.function.primes:
            return None
        if by is None:
            return laid(slopes(of, 0)) if len(of.args) == 1 and not is_constant(of.args[0]) else None
        if sum(by in {*walk(arg)} for arg in of.args) > 1:
            raise UnreadError(f"${render(node)}$: by which of its arguments is not said")
        for place, arg in enumerate(of.args):
            if arg == by and not is_constant(arg):
                return laid(slopes(of, place))
            if _is_entry(by, arg) and not is_constant(arg):
                assert isinstance(by, ast.Name) and isinstance(arg, ast.Name)
                found = slopes(of, place)
                return replace(found, subs=(*found.subs, *by.subs[len(arg.subs) :]))
        return None

    def change(node: ast.Node) -> ast.Node:
        if isinstance(node, ast.Derivative):
            if (own := own_slopes(node)) is not None:
                return own
            if any(isinstance(part, ast.Derivative) and own_slopes(part) is not None for part in walk(node.of)):
                raise UnreadError(f"${render(node)}$: of second derivatives of any function nothing is known")
        if is_any(node) and node.function.primes == 1 and len(node.args) == 1 and render(ast.unprimed(node)) in bare:
            return laid(slopes(replace(node, function=ast.unprimed(node)), 0))
        written, node = node, ast.map_children(node, change)
        if not isinstance(node, ast.Call) or node.function.primes:
            return node
        if plain(node.function.base) in CROSS_ENTROPIES and len(node.args) == 2:
            target, prediction = node.args
            return ast.Neg(_total(ast.Product(r"\odot", target, ast.Call(ast.Name(r"\log"), (prediction,)))))
        if not is_any(written):
            return node
        terms = [_total(ast.Product(r"\odot", slopes(written, place), arg))
                 for place, arg in enumerate(node.args) if not is_constant(arg)]  # fmt: skip
        if not terms:
            return node
        total = _total(slope_name(render(written.function), 0, (), point(written)))  # what is left of the value
        for term in terms:
            total = ast.Sum("+", total, term)
        return total

    return change


def _is_entry(node: ast.Node, of: ast.Node) -> bool:
    """Tell whether a name is an entry of another: y_i of y."""
    if not (isinstance(node, ast.Name) and isinstance(of, ast.Name)) or len(node.subs) <= len(of.subs):
        return False
    return replace(node, subs=of.subs) == of and node.subs[: len(of.subs)] == of.subs


def _at(call: ast.Call) -> tuple[ast.Node, ...]:
    """Return what a function is applied to: a sample or a step like any other, but not a formula of these."""

    def change(node: ast.Node) -> ast.Node:
        if not isinstance(node, ast.Name):
            return ast.map_children(node, change)
        return replace(node, subs=tuple(sub for sub in node.subs if render(sub) not in INDEX_LETTERS))

    args = map(change, call.args)
    return tuple(replace(a, sup=None, style="") if isinstance(a, ast.Name) and a.style == "()" else a for a in args)


def _total(node: ast.Node) -> ast.Node:
    return ast.Call(ast.Name("sum"), (node,))
