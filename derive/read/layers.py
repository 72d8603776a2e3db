"""Equations of a general layer, written for the layers that are spoken of: z^{(l+1)} = W^{(l)} a^{(l)} at l = 3."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from derive.read import syntax as ast
from derive.read.naming import LAYERS, names_of
from derive.read.outline import Equation, names_in
from derive.read.spelling import render

GENERAL = LAYERS - {"L"} | {"k"}


def at_layers(equations: Sequence[Equation], nodes: Iterable[ast.Node]) -> list[Equation]:
    """Return equations, and beside those of a general layer the same of every other layer that some trees name."""
    nodes = list(nodes)
    marks = {name.sup for name in names_of(nodes) if name.style in ("[]", "()") and name.sup is not None}
    wanted = [mark for mark in sorted(marks, key=render) if _is_certain(mark)]
    known = {render(equation.left) for equation in equations}
    found = list(equations)
    for equation in equations:
        letter = _letter(equation)
        for mark in wanted if letter else ():
            left, right = (moved(side, letter, mark) for side in (equation.left, equation.right))
            inside = [name for name in names_in(left) if name.sup in wanted]
            if inside and render(left) not in known:
                known.add(render(left))
                found.append(replace(equation, left=left, right=right))
    return found


def _is_certain(mark: ast.Node) -> bool:
    return isinstance(mark, ast.Number) or mark == ast.Name("L")


def _letter(equation: Equation) -> str:
    """Return the letter of the general layer that an equation is of; "" where it is of none."""
    for name in names_in(equation.left) + names_in(equation.right):
        mark = name.sup.left if isinstance(name.sup, ast.Sum) else name.sup
        if isinstance(mark, ast.Name) and mark.base in GENERAL and name.style in ("[]", "()"):
            return mark.base
    return ""


def moved(node: ast.Node, letter: str, to: ast.Node) -> ast.Node:
    """Return a tree with every layer l + k as the layer to + k: a letter, a number, or both."""
    node = ast.map_children(node, lambda part: moved(part, letter, to))
    if not isinstance(node, ast.Name) or node.style not in ("[]", "()"):
        return node
    if node.sup == ast.Name(letter):
        return replace(node, sup=to)
    if isinstance(node.sup, ast.Sum) and node.sup.left == ast.Name(letter) and isinstance(node.sup.right, ast.Number):
        base, start = (to.left, _count(to)) if isinstance(to, ast.Sum) else (to, 0)
        return replace(node, sup=_mark(base, start + _count(node.sup)))
    return node


def _count(step: ast.Sum) -> int:
    """Return the k of l + k."""
    assert isinstance(step.right, ast.Number)
    return int(step.right.text) * (1 if step.sign == "+" else -1)


def _mark(base: ast.Node, count: int) -> ast.Node:
    if isinstance(base, ast.Number):
        return ast.Number(str(int(base.text) + count))
    return ast.Sum("+" if count > 0 else "-", base, ast.Number(str(abs(count)))) if count else base
