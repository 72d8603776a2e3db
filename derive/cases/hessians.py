r"""Second derivatives in their spellings: \frac{\partial^2 f}{\partial x \partial x^T} and \nabla^2 f(x)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from derive.meaning.outline import Equation, with_sides
from derive.read import syntax as ast

HESSIAN = r"$\nabla^2$ is the matrix of second derivatives"


def with_hessians(model: Iterable[Equation], claims: Sequence[Equation]) -> tuple[list[Equation], list[str]]:
    """Return claims in which a second derivative is by one variable twice, and what was assumed."""
    calls = [equation.left for equation in model if isinstance(equation.left, ast.Call)]
    functions = {call.function: call.args for call in calls}
    notes: dict[str, None] = {}

    def change(node: ast.Node) -> ast.Node:
        node = ast.map_children(node, change)
        inner = node.of if isinstance(node, ast.Derivative) else None
        if not isinstance(node, ast.Derivative) or not isinstance(inner, ast.Derivative):
            return node
        if node.wrt is not None and inner.wrt is not None:
            first, second = _upright(inner.wrt), _upright(node.wrt)
            return replace(node, of=replace(inner, wrt=first), wrt=second) if first == second else node
        of = inner.of
        args = of.args if isinstance(of, ast.Call) else functions.get(of, ()) if isinstance(of, ast.Name) else ()
        if node.wrt is not None or inner.wrt is not None or len(args) != 1 or not isinstance(args[0], ast.Name):
            return node
        notes[HESSIAN] = None
        return ast.Derivative(ast.Derivative(of, args[0]), args[0])

    return [with_sides(claim, change) for claim in claims], list(notes)


def _upright(node: ast.Node) -> ast.Node:
    return node.arg if isinstance(node, ast.Transpose) else node
