r"""Functions of which nothing is said: l(o, y) stands for any loss.

To first order any differentiable function is linear in what it is applied to, with any slopes. So l(o, y) becomes
the sum of the entries of o, each times a slope of its own, and what is proved of all slopes holds of all losses.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from derive.meaning.facts import key_without_indices
from derive.meaning.naming import plain
from derive.meaning.outline import names_in, walk
from derive.meaning.terms import INDEX_LETTERS
from derive.read import syntax as ast
from derive.read.spelling import render

CROSS_ENTROPIES = frozenset(["CE", "CrossEntropy", "crossentropy", "cross_entropy"])
NAMED = frozenset(["BCE", "MSE", "MAE", "NLL", "KL", "H", "D", "P", "p", "cov", "corr", "sim"])  # each has a meaning


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
        losses: Names of functions that are scalar, of however many arguments.
        known: Names that are functions of some meaning.
        told: Keys of the names of which something is said; other arguments are constants.
        formulas: All that are to be written so: what a function is applied to in them tells its slopes apart.
        lying: Whether derivatives are written in numerator layout: those of a number by a vector are rows.
    """

    points: dict[str, list[tuple[ast.Node, ...]]] = {}
    for part in (part for formula in formulas for part in walk(formula)):
        if isinstance(part, ast.Call) and _at(part) not in (found := points.setdefault(render(part.function), [])):
            found.append(_at(part))

    def change(node: ast.Node) -> ast.Node:
        found = points.get(render(node.function), ()) if isinstance(node, ast.Call) else ()
        point = found.index(_at(node)) if isinstance(node, ast.Call) and _at(node) in found else 0
        node = ast.map_children(node, change)
        if isinstance(node, ast.Derivative) and (slopes := _slopes(node)) is not None:
            return ast.Transpose(slopes) if lying and not (isinstance(slopes, ast.Name) and slopes.subs) else slopes
        if not isinstance(node, ast.Call) or node.function.primes:
            return node
        if any(isinstance(arg, ast.Relation | ast.Keyword) for arg in node.args):
            return node
        name = render(node.function)
        if plain(node.function.base) in CROSS_ENTROPIES and len(node.args) == 2:
            target, prediction = node.args
            return ast.Neg(_total(ast.Product(r"\odot", target, ast.Call(ast.Name(r"\log"), (prediction,)))))
        if plain(node.function.base) in NAMED:
            return node
        if name in known or (len(node.args) < 2 and name not in losses):
            return node
        terms: list[ast.Node] = []
        for place, arg in enumerate(node.args, 1):
            if isinstance(arg, ast.Name) and key_without_indices(arg) not in told:
                continue
            running = {sub for n in names_in(arg) for sub in n.subs if render(sub) in INDEX_LETTERS}
            slopes = slope_name(name, place, tuple(sorted(running, key=render)), point)
            if isinstance(arg, ast.Name) and arg.style == "()":  # other slopes at each step
                slopes = replace(slopes, sup=arg.sup, style=arg.style)
            terms.append(_total(ast.Product(r"\odot", slopes, arg)))
        total = terms[0] if terms else node
        for term in terms[1:]:
            total = ast.Sum("+", total, term)
        return total

    return change


def _at(call: ast.Call) -> tuple[ast.Node, ...]:
    """Return what a function is applied to: a sample or a step like any other."""

    def change(node: ast.Node) -> ast.Node:
        if not isinstance(node, ast.Name):
            return ast.map_children(node, change)
        subs = tuple(sub for sub in node.subs if render(sub) not in INDEX_LETTERS)
        return replace(node, subs=subs, sup=None, style="") if node.style == "()" else replace(node, subs=subs)

    return tuple(map(change, call.args))


def _total(node: ast.Node) -> ast.Node:
    return ast.Call(ast.Name("sum"), (node,))


def _slopes(node: ast.Derivative) -> ast.Node | None:
    """Return the slopes that a derivative of such a function by its own argument is."""
    if not (isinstance(node.of, ast.Call) and node.of.function == ast.Name("sum") and len(node.of.args) == 1):
        return None
    (inside,) = node.of.args
    if isinstance(inside, ast.Product) and inside.sign == r"\odot" and inside.right == node.wrt:
        return inside.left
    return None
