"""Equations of a general layer, written for the layers that are spoken of: z^{(l+1)} = W^{(l)} a^{(l)} at l = 3."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from derive.meaning.naming import LAYERS, MARKED, names_of
from derive.meaning.outline import Equation, names_in, with_sides
from derive.read import syntax as ast
from derive.read.spelling import render

GENERAL = LAYERS - {"L"} | {"k"}


def at_layers(equations: Sequence[Equation], nodes: Iterable[ast.Node]) -> list[Equation]:
    """Return equations, and beside those of a general layer the same of every other layer that some trees name."""
    nodes = list(nodes)
    marks = {name.sup for name in names_of(nodes) if name.style in MARKED and name.sup is not None}
    wanted = [mark for mark in sorted(marks, key=render) if _is_certain(mark)]
    known = {render(equation.left) for equation in equations}
    found = list(equations)
    for equation in equations:
        letter = _letter(equation)
        for mark in wanted if letter else ():
            there = with_sides(equation, partial(moved, letter=letter, to=mark))
            left = render(there.left)
            if left not in known and any(name.sup in wanted for name in names_in(there.left)):
                known.add(left)
                found.append(there)
    return found


def _is_certain(mark: ast.Node) -> bool:
    return isinstance(mark, ast.Number) or mark == ast.Name("L")


def _letter(equation: Equation) -> str:
    """Return the letter of the general layer that an equation is of; "" where it is of none."""
    for name in names_in(equation.left) + names_in(equation.right):
        mark = name.sup.left if isinstance(name.sup, ast.Sum) else name.sup
        if isinstance(mark, ast.Name) and mark.base in GENERAL and name.style in MARKED:
            return mark.base
    return ""


def moved(node: ast.Node, letter: str, to: ast.Node) -> ast.Node:
    """Return a tree with every layer l + k as the layer to + k: a letter, a number, or both."""
    node = ast.map_children(node, lambda part: moved(part, letter, to))
    if not isinstance(node, ast.Name) or node.style not in MARKED:
        return node
    if node.sup == ast.Name(letter):
        return replace(node, sup=to)
    if isinstance(node.sup, ast.Sum) and node.sup.left == ast.Name(letter) and isinstance(node.sup.right, ast.Number):
        return replace(node, sup=shifted(to, split_mark(node.sup)[1]))
    return node


def shifted(mark: ast.Node, count: int) -> ast.Node:
    """Return the mark of the layer that is `count` above another: l + 1 of l, l of l - 1, 4 of 3.

    >>> render(shifted(ast.Sum("-", ast.Name("l"), ast.Number("1")), 2))
    'l + 1'
    """
    letter, own = split_mark(mark)
    total = own + count
    if isinstance(letter, ast.Number):
        return ast.Number(str(int(letter.text) + total))
    return ast.Sum("+" if total > 0 else "-", letter, ast.Number(str(abs(total)))) if total else letter


def split_mark(mark: ast.Node) -> tuple[ast.Node, int]:
    """Return the l and the k of l + k, the mark of a layer."""
    if isinstance(mark, ast.Sum) and isinstance(mark.right, ast.Number):
        return mark.left, int(mark.right.text) * (1 if mark.sign == "+" else -1)
    return mark, 0
