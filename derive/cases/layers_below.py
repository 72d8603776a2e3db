r"""Layers whose letter stands below: z_l = W_l a_{l-1} is read as z^{(l)} = W^{(l)} a^{(l-1)}.

That a letter counts layers, and no steps of time, is told by its weights: each layer has its own W_l.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from derive.cases.case import Case
from derive.meaning.layers import GENERAL, shifted, split_mark
from derive.meaning.naming import names_of
from derive.meaning.outline import names_in
from derive.meaning.samples import WEIGHTS
from derive.read import syntax as ast

COUNTED = GENERAL | {"i", "j", "n"}
LAYER = ast.Name("l")  # what the letter of a general layer is called
LAST = ast.Name("L")


def layer_below(equations: Iterable[tuple[ast.Node, ast.Node]]) -> str:
    """Return the letter below names that counts the layers of a model; "" where none does."""
    equations = list(equations)
    defined = {_unmarked(left) for left, _ in equations if isinstance(left, ast.Name)}
    for left, right in equations:
        for letter in _letters(left):
            names = names_in(right)
            own = [name for name in names if ast.Name(letter) in name.subs and _unmarked(name) not in defined]
            marks = {_marks(name, letter) for name in names if _unmarked(name) in defined}
            if any(name.base in WEIGHTS | {"w"} and len(name.subs) == 1 for name in own) and -1 in marks:
                return letter
    return ""


def _letters(left: ast.Node) -> list[str]:
    if not isinstance(left, ast.Name) or len(left.subs) != 1 or left.sup is not None:
        return []
    (sub,) = left.subs
    return [sub.base] if isinstance(sub, ast.Name) and sub.base in COUNTED else []


def _unmarked(name: ast.Name) -> ast.Name:
    return replace(name, subs=())


def _marks(name: ast.Name, letter: str) -> int | None:
    """Return how far above the layer of a letter a name stands; None for one of no such layer."""
    if len(name.subs) != 1 or name.sup is not None:
        return None
    base, count = split_mark(name.subs[0])
    return count if base == ast.Name(letter) else None


def with_layers_above(nodes: Iterable[ast.Node], letter: str) -> Callable[[ast.Node], ast.Node]:
    """Return what writes the letter of a layer above the names that have one; nothing is changed without a letter."""
    if not letter:
        return lambda node: node
    counted = {name.base for node in nodes for name in names_of([node]) if _marks(name, letter) is not None}

    def change(node: ast.Node) -> ast.Node:
        node = ast.map_children(node, change)
        if not isinstance(node, ast.Name) or node.base not in counted or len(node.subs) != 1 or node.sup is not None:
            return node
        (sub,) = node.subs
        mark = replace(sub, left=LAYER) if isinstance(sub, ast.Sum) and sub.left == ast.Name(letter) else sub
        mark = LAYER if sub == ast.Name(letter) else mark
        known = mark in (LAYER, LAST) or isinstance(mark, ast.Number)
        known = known or (isinstance(mark, ast.Sum) and mark.left in (LAYER, LAST))
        return replace(node, subs=(), sup=mark, style="()") if known else node

    return change


def respelled_below(
    case: Case, letter: str, change: Callable[[ast.Node], ast.Node], written: Sequence[ast.Node]
) -> Case:  # fmt: skip
    """Return a case whose layers were written above, which is mended in names with the letter below.

    Args:
        case: The case.
        letter: The letter of its layers; "" where none counts them.
        change: What wrote the letter above.
        written: The formulas of the case as they are written.
    """
    if not letter:
        return case
    spelled = case.spelled
    every = (*written, *layers_beside(list(written), letter))
    return replace(case, written=every, spelled=lambda node: spelled(change(node)))


def layers_beside(nodes: Iterable[ast.Node], letter: str) -> Iterator[ast.Name]:
    """Yield the names of the layers above and below those that formulas name, as they would be written."""
    for name in (name for node in nodes for name in names_of([node]) if _marks(name, letter) == 0):
        yield from (replace(name, subs=(shifted(ast.Name(letter), step),)) for step in (1, -1))
