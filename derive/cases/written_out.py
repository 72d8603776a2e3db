r"""Claims about vectors whose entries are written out: \nabla f(x, y) = [a, b] says two things."""

from __future__ import annotations

from dataclasses import replace

from derive.errors import ShapeError
from derive.meaning.outline import Equation, walk
from derive.read import syntax as ast
from derive.read.spelling import render

HESSIANS = frozenset(["H", r"\mathbf{H}", r"\mathcal{H}", r"\boldsymbol{H}", r"\text{H}", r"\text{Hess}"])


def in_entries(claim: Equation) -> list[Equation]:
    r"""Return a claim about written-out entries as one claim for each; any other as it is.

    Raises:
        ShapeError: the sides have different numbers of entries.
    """
    left = _gradient(claim.left) or _hessian(claim.left, claim.right) or _entries(claim.left)
    right = _entries(claim.right)
    if left is None or right is None:
        return [claim]
    if len(left) != len(right):
        raise ShapeError(f"${render(claim.left)}$ has {len(left)} entries, the right side {len(right)}")
    return [replace(claim, left=one, right=other) for one, other in zip(left, right, strict=True)]


def _gradient(node: ast.Node) -> list[ast.Node] | None:
    """Return the partial derivatives that the gradient of a function of several numbers is made of, or f'(a, b) is."""
    if isinstance(node, ast.Call) and node.function.primes == 1:
        node = ast.Derivative(replace(node, function=ast.unprimed(node)), None, r"\nabla")
    if not (isinstance(node, ast.Derivative) and node.wrt is None and isinstance(node.of, ast.Call)):
        return None
    of, sign = node.of, r"\partial"
    several = len(of.args) > 1 and all(isinstance(arg, ast.Name) for arg in of.args)
    return [ast.Derivative(of, arg, sign) for arg in of.args if isinstance(arg, ast.Name)] if several else None


def _hessian(node: ast.Node, right: ast.Node) -> list[ast.Node] | None:
    r"""Return the second derivatives, row by row, that \nabla^2 f(x, y), H f(x, y) and H_f(x, y) are made of."""
    of: ast.Node | None = None
    if isinstance(node, ast.Derivative) and node.wrt is None and isinstance(node.of, ast.Derivative):
        of = node.of.of if node.of.wrt is None else None
    elif isinstance(node, ast.Product) and render(node.left) in HESSIANS:
        of = node.right
    elif isinstance(node, ast.Call) and len(node.function.subs) == 1 and node.function.base in HESSIANS:
        (name,) = node.function.subs
        of = ast.Call(name, node.args) if isinstance(name, ast.Name) else None
    if not isinstance(of, ast.Call) or not all(isinstance(arg, ast.Name) for arg in of.args):
        return None
    rows = next((part.rows for part in walk(right) if isinstance(part, ast.Matrix)), ())
    if [len(row) for row in rows] != [len(of.args)] * len(of.args):
        return None
    sign = r"\partial"
    return [ast.Derivative(ast.Derivative(of, b, sign), a, sign) for a in of.args for b in of.args]


def _entries(node: ast.Node) -> list[ast.Node] | None:
    """Return the entries of a written-out array, a number before it or below it multiplied in."""
    if isinstance(node, ast.Matrix):
        return [entry for row in node.rows for entry in row]
    if isinstance(node, ast.Group):
        return list(node.items)
    if isinstance(node, ast.Transpose):
        return _entries(node.arg)
    if isinstance(node, ast.Neg) and (inner := _entries(node.arg)) is not None:
        return [ast.Neg(entry) for entry in inner]
    if isinstance(node, ast.Quotient) and (inner := _entries(node.top)) is not None:
        return [replace(node, top=entry) for entry in inner]
    if isinstance(node, ast.Product):
        left, right = _entries(node.left), _entries(node.right)
        if left is None and right is not None:
            return [replace(node, right=entry) for entry in right]
        if right is None and left is not None:
            return [replace(node, left=entry) for entry in left]
    return None
