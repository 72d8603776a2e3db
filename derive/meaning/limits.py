r"""Limits: what \lim_{q \to 0} of a formula is, where its definition or its continuity tells it.

The limit of a quotient of differences is a derivative, by the definition of the derivative; that of a formula which is
continuous for all values is the formula with the value put in. Every other limit stays, and is not read.
"""

from __future__ import annotations

from dataclasses import replace

from derive.errors import UnreadError
from derive.read import syntax as ast
from derive.read.spelling import render

ZERO = ast.Number("0")


def without_limits(node: ast.Node) -> ast.Node:
    """Return a formula with what each of its limits is in its place.

    Raises:
        UnreadError: neither a definition nor continuity tells what a limit is.
    """
    node = ast.map_children(node, without_limits)
    if not isinstance(node, ast.Limit):
        return node
    value = _slope(node)
    if value is None and _is_continuous(node.body, node.name):
        value = ast.with_parts(node.body, {node.name: node.at})
    if value is None:
        raise UnreadError(
            f"${render(node)}$: of limits, those of (f(x + q) - f(x)) / q are read, and those of sums and products"
        )
    return value


def _slope(limit: ast.Limit) -> ast.Node | None:
    """Return the derivative that a limit defines: f'(x) for (f(x + q) - f(x)) / q; None for any other limit."""
    quotient, step = limit.body, limit.name
    if limit.at != ZERO or not isinstance(quotient, ast.Quotient) or quotient.bottom != step:
        return None
    difference = quotient.top
    if not isinstance(difference, ast.Sum) or difference.sign != "-":
        return None
    there, here = difference.left, difference.right
    if not (isinstance(there, ast.Call) and isinstance(here, ast.Call) and there.function == here.function):
        return None
    if len(there.args) != len(here.args) or _holds(here, step):
        return None
    moved = [k for k, (one, other) in enumerate(zip(there.args, here.args, strict=True)) if one != other]
    if len(moved) != 1 or not _is_moved(there.args[moved[0]], here.args[moved[0]], step):
        return None
    if len(here.args) == 1:
        return replace(here, function=replace(here.function, primes=here.function.primes + 1))
    by = here.args[moved[0]]
    alone = isinstance(by, ast.Name) and not here.function.primes and here.args.count(by) == 1
    return ast.Derivative(here, by) if alone else None


def _is_moved(there: ast.Node, here: ast.Node, step: ast.Node) -> bool:
    return there in (ast.Sum("+", here, step), ast.Sum("+", step, here))


def _holds(node: ast.Node, name: ast.Node) -> bool:
    return node == name or any(_holds(part, name) for part in ast.children(node))


def _is_continuous(node: ast.Node, name: ast.Node) -> bool:
    """Tell whether a formula is made of sums, products and whole powers, as far as a name stands in it."""
    if node == name or not _holds(node, name):
        return True
    if isinstance(node, ast.Quotient):
        return not _holds(node.bottom, name) and _is_continuous(node.top, name)
    if isinstance(node, ast.Power):
        whole = isinstance(node.exponent, ast.Number) and node.exponent.text.isdigit()
        return whole and _is_continuous(node.base, name)
    if isinstance(node, ast.Sum | ast.Product):
        return _is_continuous(node.left, name) and _is_continuous(node.right, name)
    return isinstance(node, ast.Neg) and _is_continuous(node.arg, name)
