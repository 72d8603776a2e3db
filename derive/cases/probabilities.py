r"""Probabilities as quantities: P(w_o \mid w_c) is the entry o of a vector, of which a model gives the formula.

A letter that is no index otherwise, the o of the word that is met, is an index like any other: what holds of every
entry holds of that one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeGuard

from derive.errors import UnreadError
from derive.meaning.indexed import free_letters, is_letter
from derive.meaning.naming import spare_letters
from derive.meaning.outline import Equation, derivatives_in, sides_in, walk, with_sides
from derive.meaning.terms import INDEX_LETTERS, Function, usual
from derive.ops import table
from derive.read import syntax as ast
from derive.read.spelling import render

LETTERS = frozenset(["P", "p", r"\Pr", r"\mathbb{P}", r"\hat{P}", r"\hat{p}"])
Change = Callable[[ast.Node], ast.Node]


def as_quantities(
    model: Sequence[Equation], claims: Sequence[Equation]
) -> tuple[list[Equation], list[Equation], Change]:  # fmt: skip
    """Return a model and claims with conditional probabilities as entries of vectors, where the model defines any.

    What writes a formula so is returned as well.

    Raises:
        UnreadError: a claim is of the loss of one entry by what belongs to another, which may be the same.
    """
    heads = [head for equation in model if (head := _head(equation.left)) is not None]
    if not heads:
        return list(model), list(claims), lambda node: node
    sides = sides_in((*model, *claims))
    change = _renamed(sides, [entry.subs[0] for head in heads if (entry := _entry(head)) is not None])

    stated = [_defining(with_sides(equation, change)) for equation in model]
    claimed = [with_sides(equation, change) for equation in claims]
    met = {render(sub) for equation in stated if is_probability(equation.left) for sub in equation.left.subs}
    losses = {equation.left: letters for equation in stated if isinstance(equation.left, ast.Name)
              and not equation.left.subs and (letters := free_letters(equation.right) & met)}  # fmt: skip

    def of_entries(node: ast.Node) -> ast.Node:
        node = ast.map_children(node, of_entries)
        if isinstance(node, ast.Name) and node in losses:
            return replace(node, subs=tuple(map(ast.Name, sorted(losses[node]))))
        return node

    bound = {render(part.index) for equation in stated for part in walk(equation.right)
             if isinstance(part, ast.Big) and part.index is not None}  # fmt: skip
    for claim in claimed if losses else ():
        by = next((part.wrt for part in derivatives_in(claim.left)), None)
        other = free_letters(by) & bound - met if by is not None else set()
        if other and not free_letters(claim.right) & met:
            raise UnreadError(f"${render(claim.left)}$: whether ${min(other)}$ is the entry of the loss is not said")
    stated, claimed = ([with_sides(one, of_entries) for one in some] for some in (stated, claimed))
    return stated, claimed, lambda node: of_entries(change(node))


def _head(left: ast.Node) -> ast.Call | None:
    r"""Return the probability that an equation defines, also by its logarithm."""
    if _is_logarithm(left):
        left = left.args[0]
    return left if isinstance(left, ast.Call) and _entry(left) is not None else None


def probability_key(node: ast.Node) -> str:
    """Return what tells a conditional probability, or its logarithm, from others, whichever entry it is; else ""."""
    head = _head(node)
    entry = None if head is None else _entry(head)
    return "" if entry is None else entry.base


def _is_logarithm(node: ast.Node) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and len(node.args) == 1 and usual(render(node.function)) == Function(table.LOG)


def _entry(node: ast.Node) -> ast.Name | None:
    """Return the entry that a conditional probability is; None for anything else."""
    if not (isinstance(node, ast.Call) and node.function.base in LETTERS and len(node.args) == 1):
        return None
    (given,) = node.args
    if not isinstance(given, ast.Given) or given.sign != r"\mid" or len(given.left) != 1:
        return None
    (what,) = given.left
    if isinstance(what, ast.Relation) and what.signs == ("=",) and is_letter(what.links[1]):
        of, letter = render(what.links[0]), what.links[1]
    elif isinstance(what, ast.Name) and len(what.subs) == 1 and is_letter(what.subs[0]):
        of, letter = render(replace(what, subs=())), what.subs[0]
    elif is_letter(what):
        of, letter = "", what
    else:
        return None
    words = f"{render(node.function)} {of} given {' '.join(map(render, given.right))}"
    return ast.Name(rf"\text{{{re.sub(r'[^A-Za-z0-9 ]', '', words)}}}", subs=(letter,))


def _renamed(sides: Iterable[ast.Node], met: Iterable[ast.Node]) -> Change:
    """Return what writes probabilities as entries, sums over one set as sums, letters that are met as indices."""
    sides = list(sides)
    used = {part.base for side in sides for part in walk(side) if isinstance(part, ast.Name)}
    spare = spare_letters(used)
    strange = sorted({render(letter) for letter in met} - INDEX_LETTERS)
    letters: dict[ast.Node, ast.Node] = {ast.Name(old): ast.Name(new) for old, new in zip(strange, spare, strict=False)}
    sets = {over.links[1] for side in sides for part in walk(side)
            if isinstance(part, ast.Big) and (over := _over(part)) is not None}  # fmt: skip

    def change(node: ast.Node) -> ast.Node:
        node = _entry(node) or ast.map_children(node, change)
        if isinstance(node, ast.Name) and node.subs:
            return replace(node, subs=tuple(letters.get(sub, sub) for sub in node.subs))
        over = _over(node) if isinstance(node, ast.Big) and len(sets) == 1 else None
        if over is not None and isinstance(node, ast.Big):
            return replace(node, index=over.links[0])
        return node

    return change


def _over(node: ast.Big) -> ast.Relation | None:
    r"""Return the condition of a sum over a set, i \in \mathcal{V}."""
    index = node.index
    return index if isinstance(index, ast.Relation) and index.signs == (r"\in",) and is_letter(index.links[0]) else None


def is_probability(node: ast.Node) -> TypeGuard[ast.Name]:
    """Tell whether a name is that of a conditional probability."""
    return isinstance(node, ast.Name) and node.base.startswith(r"\text{") and " given " in node.base


def _defining(equation: Equation) -> Equation:
    """Return log p = f as p = exp(f)."""
    left, right = equation.left, equation.right
    if _is_logarithm(left) and is_probability(left.args[0]):
        return replace(equation, left=left.args[0], right=ast.Call(ast.Name("exp"), (right,)))
    return equation
