"""Values of the backward pass that a model states: g_j = γ_j ∂L/∂y_j. A claim that uses them says them in full."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from derive.meaning.facts import GREEK_DELTA, Definition, key_without_indices
from derive.meaning.indexed import indices_of, is_letter
from derive.meaning.naming import plain
from derive.meaning.outline import Equation, derivatives_in, names_in, walk
from derive.read import syntax as ast
from derive.read.spelling import render

DEPTH = 4  # of values written out inside each other


def is_backward(node: ast.Node, numbers: Collection[str] = ()) -> bool:
    """Tell whether a formula speaks of derivatives or of δ: then it states no value of the forward pass.

    `numbers` are the keys of names that are told to be no δ of a backward pass.
    """
    names = [name for name in names_in(node) if key_without_indices(name) not in numbers]
    return bool(derivatives_in(node)) or any(map(is_delta, names))


def is_delta(name: ast.Node) -> bool:
    """Tell whether a name is a δ."""
    return isinstance(name, ast.Name) and plain(name.base) == GREEK_DELTA


def told_backward(
    definitions: Iterable[Definition], stated: Iterable[Equation], numbers: Collection[str] = ()
) -> dict[str, Equation]:
    """Return the equations that say what a value of the backward pass is, by its key."""
    found = {item.key: item.equation for item in definitions if is_backward(item.equation.right, numbers)}
    for equation in stated:
        if is_delta(equation.left):
            assert isinstance(equation.left, ast.Name)
            found.setdefault(key_without_indices(equation.left), equation)
    return found


def in_full(claim: Equation, told: Mapping[str, Equation]) -> Equation:
    """Return a claim with values of the backward pass written out, entry by entry where they are told so."""
    return replace(claim, right=_in_full(claim.right, told))


def _in_full(node: ast.Node, told: Mapping[str, Equation], depth: int = 0) -> ast.Node:
    if isinstance(node, ast.Name):
        equation = told.get(key_without_indices(node))
        written = None if equation is None or depth == DEPTH else _at(equation, node)
        return node if written is None else _in_full(written, told, depth + 1)
    return ast.map_children(node, lambda part: _in_full(part, told, depth))


def _at(equation: Equation, name: ast.Name) -> ast.Node | None:
    """Return what an equation says of a name, the letters of its own left side replaced; None if that is unclear."""
    left = equation.left
    assert isinstance(left, ast.Name)
    if left.subs == name.subs:
        return equation.right
    bound = {render(i) for part in walk(equation.right) if isinstance(part, ast.Big) for i in indices_of(part)}
    letters = {render(old): new for old, new in zip(left.subs, name.subs, strict=False) if old != new}
    clear = len(left.subs) == len(name.subs) and all(map(is_letter, (*left.subs, *name.subs)))
    if not clear or bound & {render(sub) for sub in (*left.subs, *name.subs)}:
        return None
    return _with_letters(equation.right, letters)


def _with_letters(node: ast.Node, letters: dict[str, ast.Node]) -> ast.Node:
    """Return a formula with letters replaced, those in subscripts as well."""
    node = ast.map_children(node, lambda part: _with_letters(part, letters))
    if isinstance(node, ast.Name) and node.subs:
        return replace(node, subs=tuple(letters.get(render(sub), sub) for sub in node.subs))
    return letters.get(render(node), node) if isinstance(node, ast.Name) else node
