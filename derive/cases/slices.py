r"""Whole rows and columns: W_{i,:}, W_{i\cdot} and W_{:,j}, of which pages leave open whether a row lies or stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from derive.meaning.naming import names_of, spare_letters
from derive.meaning.outline import Equation, with_sides
from derive.meaning.terms import is_running
from derive.read import syntax as ast
from derive.read.spelling import render

ALL = (ast.Name(":"), ast.Name(r"\cdot"))  # what stands in the place of the index that is left open


def names_rows(nodes: Iterable[ast.Node]) -> bool:
    """Tell whether formulas name whole rows."""
    return any((found := _slice(name)) is not None and not found[2] for name in names_of(nodes))


def sliced(claim: Equation, lying: bool) -> Equation:
    """Return a claim without whole rows and columns; one about a column as one about its entries."""
    left = claim.left
    found = _slice(left.wrt) if isinstance(left, ast.Derivative) and isinstance(left.wrt, ast.Name) else None
    if isinstance(left, ast.Derivative) and found is not None and found[2]:
        whole, index, _ = found
        used = {render(name) for side in (claim.left, claim.right) for name in names_of([side])}
        letter = ast.Name(next(spare_letters(used)))
        right = ast.Entry(with_slices(claim.right, lying), (letter,))
        return replace(claim, left=replace(left, wrt=replace(whole, subs=(*whole.subs, letter, index))), right=right)
    return with_sides(claim, partial(with_slices, lying=lying))


def with_slices(node: ast.Node, lying: bool = True) -> ast.Node:
    """Return a formula with rows and columns as those of what is named without indices.

    Args:
        node: The formula.
        lying: Whether rows are rows; else they are columns, as all vectors are.
    """
    if isinstance(node, ast.Derivative) and isinstance(node.wrt, ast.Name) and (found := _slice(node.wrt)) is not None:
        whole, index, is_column = found
        of = with_slices(node.of, lying)
        return _part(replace(node, of=of, wrt=whole if is_column else _entry(whole, index)), index, is_column, lying)
    if isinstance(node, ast.Name) and (found := _slice(node)) is not None:
        whole, index, is_column = found
        return _part(whole if is_column else _entry(whole, index), index, is_column, lying)
    return ast.map_children(node, lambda part: with_slices(part, lying))


def _part(node: ast.Node, index: ast.Node, is_column: bool, lying: bool) -> ast.Node:
    if is_column:
        return ast.Entry(ast.Transpose(node), (index,))
    return ast.Transpose(node) if lying else node


def _entry(whole: ast.Name, index: ast.Node) -> ast.Name:
    return replace(whole, subs=(*whole.subs, index))


def _slice(name: ast.Name) -> tuple[ast.Name, ast.Node, bool] | None:
    """Return of what a name is a row or column, at which index, and whether it is a column; None for any other."""
    *words, first, second = (None, None, *name.subs)
    column, row = first in ALL, second in ALL
    index = second if column else first
    if column == row or not isinstance(index, ast.Name | ast.Number) or any(word in ALL for word in words):
        return None
    if isinstance(index, ast.Name) and not is_running(index):
        return None
    return replace(name, subs=name.subs[:-2]), index, column
