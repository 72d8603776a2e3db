"""How the samples of a model lie in its matrices: in rows, X W, or in columns, W X."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from derive.meaning.indexed import free_letters
from derive.meaning.outline import walk
from derive.meaning.terms import Function, usual
from derive.notation import bare_letter
from derive.ops import table
from derive.read import syntax as ast
from derive.read.spelling import render

WEIGHTS = frozenset(["W", "U", "V", r"\Theta"])
SOFTMAX = Function(table.SOFTMAX)
EACH = "softmax is that of each"  # how an assumption about a matrix begins


def samples_in(sides: Iterable[tuple[ast.Node, ast.Node]]) -> str:
    """Return how samples lie in a model's matrices, by both sides of its equations; "" where these do not agree.

    What softmax gives weighs what stands behind it by rows, P V, and what stands before it by columns, V P.
    """
    sides = list(sides)
    weighed = {left for left, right in sides if is_softmax(right)}
    told = {way for _, right in sides for way in (samples_of(right), *_weighing(right, weighed)) if way}
    return told.pop() if len(told) == 1 else ""


def samples_of(node: ast.Node) -> str:
    """Return how samples lie where weights stand behind what they are applied to, or before it."""
    products = [part for part in walk(node) if isinstance(part, ast.Product)]
    weights = [(_is_weight(part.left), _is_weight(part.right)) for part in products]
    behind, before = (False, True) in weights, (True, False) in weights
    return "" if behind == before else "rows" if behind else "columns"


def is_softmax(node: ast.Node) -> bool:
    """Tell whether a formula is the softmax of something whole, of which no axis is said."""
    if not isinstance(node, ast.Call) or node.function.subs or usual(render(node.function)) != SOFTMAX:
        return False
    return not any(map(free_letters, node.args))


def _weighing(node: ast.Node, weighed: set[ast.Node]) -> Iterator[str]:
    for part in walk(node):
        if isinstance(part, ast.Product) and part.sign in ("", r"\cdot", "@"):
            for side, way in ((part.left, "rows"), (part.right, "columns")):
                if side in weighed or is_softmax(side):
                    yield way


def _is_weight(node: ast.Node) -> bool:
    return isinstance(node, ast.Name) and bare_letter(node.base) in WEIGHTS
