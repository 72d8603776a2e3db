r"""Values at a point: \frac{dl(y)}{dy}|_{y = W x}, and dl(y)/dy where l is applied to one formula alone.

A letter that only says where a derivative is taken is replaced by what stands there; one that the model defines
so needs no bar. Every other bar stays, and is not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from derive.meaning.naming import names_of
from derive.meaning.outline import Equation, sides_in, walk, with_sides
from derive.read import syntax as ast
from derive.read.spelling import render


def without_bars(
    model: Sequence[Equation], claims: Sequence[Equation], told: Iterable[ast.Node]
) -> tuple[list[Equation], list[str]]:
    """Return claims with values taken where their bars say, and what was assumed.

    Args:
        model: The equations that are stated.
        claims: What is claimed.
        told: Names of which something is told.
    """
    defined = {equation.left: equation.right for equation in model}
    free = {*told, *defined, *names_of(sides_in(model))}
    claims = [with_sides(claim, partial(_at_points, defined=defined)) for claim in claims]
    why: list[str] = []
    return [_of_the_applied(claim, model, free, why) for claim in claims], why


def _at_points(node: ast.Node, defined: Mapping[ast.Node, ast.Node]) -> ast.Node:
    node = ast.map_children(node, partial(_at_points, defined=defined))
    if not (isinstance(node, ast.Evaluated) and isinstance(node.where, ast.Relation) and node.where.signs == ("=",)):
        return node
    name, value = node.where.links
    if defined.get(name) == value:
        return node.arg
    slopes = [part for part in walk(node.arg) if _is_slope_at(part, name)]
    if not isinstance(name, ast.Name) or name in defined or name in names_of([value]) or not slopes:
        return node
    return ast.with_parts(node.arg, {name: value})


def _is_slope_at(node: ast.Node, name: ast.Node) -> bool:
    """Tell whether a formula is the derivative of a function of a name by that name."""
    return isinstance(node, ast.Derivative) and isinstance(node.of, ast.Call) and node.of.args == (node.wrt,) == (name,)


def _of_the_applied(claim: Equation, model: Iterable[Equation], free: set[ast.Node], why: list[str]) -> Equation:
    """Return a claim in which dl(y)/dy is taken at the one formula that l is applied to, where y is nothing else."""
    sides = [claim.left, claim.right, *sides_in(model)]
    calls = dict.fromkeys(part for side in sides for part in walk(side) if isinstance(part, ast.Call))
    parts = [part for part in walk(claim.right) if isinstance(part, ast.Derivative) and part.wrt is not None]
    slopes = [part for part in parts if part.wrt is not None and _is_slope_at(part, part.wrt)]
    for part in dict.fromkeys(slopes):
        assert isinstance(part.of, ast.Call) and part.wrt is not None
        at = {call.args for call in calls if call.function == part.of.function} - {part.of.args}
        used = [name for side in (claim.left, claim.right) for name in names_of([side]) if name == part.wrt]
        if len(at) != 1 or part.wrt in free or len(used) != 2 * slopes.count(part):
            continue
        ((value, *others),) = at
        if not others and not isinstance(value, ast.Name):
            why.append(f"${render(part.wrt)}$ is ${render(value)}$, what ${render(part.of.function)}$ is applied to")
            at_point: dict[ast.Node, ast.Node] = {part.wrt: value}
            claim = with_sides(claim, partial(ast.with_parts, parts=at_point))
    return claim
