r"""Predictions defined without the index of samples that their loss sums over: ŷ = w^T x + b, 1/N Σ_i (y_i - ŷ_i)².

A number that a formula gives for one sample has no entries, so that ŷ_i can only be that of sample i: the definition is
read as ŷ_i = w^T x_i + b. Where the page uses ŷ without an index as well, nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from derive.expr import Var
from derive.meaning.facts import Definition, Facts, key_without_indices
from derive.meaning.models import Sketch
from derive.meaning.outline import Equation, Outline, derivatives_in, names_in, sides_in, walk, with_sides
from derive.meaning.terms import is_running
from derive.model import is_data
from derive.notation import bare_letter
from derive.read import syntax as ast
from derive.read.spelling import render


def with_samples(facts: Facts, found: Outline) -> Facts:
    """Return the facts with such definitions said of sample i; what was taken for granted is noted in the outline."""
    sides = sides_in([*(item.equation for item in facts.definitions), *(claim for _, claim in facts.claims)])
    changed = [_of_sample(item, sides, facts, found) for item in facts.definitions]
    if all(new is old for new, old in zip(changed, facts.definitions, strict=True)):
        return facts
    return replace(facts, definitions=changed)


def of_samples(sketch: Sketch, found: Outline) -> tuple[Sketch, Outline] | None:
    """Return a model whose equations do not fit, read with one index for its samples; None where there is none.

    What stands with the index of a sum is of a sample: x^{(i)} is x_i, and what is said of x is said of each of them.
    """
    sides = sides_in(item.equation for item in sketch.all())
    parts = [part for side in sides for part in walk(side)]
    sums = [part.index for part in parts if isinstance(part, ast.Big) and part.index is not None]
    index = next((one for one in sums if is_running(one)), None)
    marked = {name for side in sides for name in names_in(side) if name.sup == index and not name.subs}
    below = {name for side in sides for name in names_in(side) if name.subs == (index,)}
    if index is None or not (marked or below):
        return None
    named: dict[ast.Node, ast.Node] = {name: replace(name, sup=None, style="", subs=(index,)) for name in marked}
    plain = {render(replace(name, sup=None, style="", subs=())) for name in marked | below} | set(map(render, marked))

    def changed(item: Definition) -> Definition:
        equation = with_sides(item.equation, lambda side: ast.with_parts(side, named))
        key = key_without_indices(equation.left) if isinstance(equation.left, ast.Name) else item.key
        return replace(item, equation=equation, key=key)

    definitions, loss = tuple(map(changed, sketch.definitions)), None if sketch.loss is None else changed(sketch.loss)
    assumptions = (*sketch.assumptions, f"${render(index)}$ counts the samples")
    declared = {name: sizes for name, sizes in found.declared.items() if name not in plain}
    read = replace(sketch, definitions=definitions, loss=loss, assumptions=assumptions)
    return read, replace(found, declared=declared)


def _of_sample(item: Definition, sides: list[ast.Node], facts: Facts, found: Outline) -> Definition:
    left, right = item.equation.left, item.equation.right
    if not isinstance(left, ast.Name) or left.subs or not any(isinstance(part, ast.Transpose) for part in walk(right)):
        return item
    others = [side for side in sides if side is not left]
    index = next(_indices(left, others), None)
    if index is None or any(left in names_in(side) for side in others):
        return item
    names = {name for name in names_in(right) if not name.subs}
    told = {name for name in names if is_data(Var(render(name)))}
    counted = {replace(name, subs=()) for side in sides for name in names_in(side) if name.subs == (index,)}
    if not told or names & counted - told or any(render(name) in found.declared for name in (left, *told)):
        return item  # a parameter with the index has entries
    if any(_may_be_matrix(name, found) for name in names):  # then the prediction has entries
        return item
    if any(_stands_free(left, side) for side in sides_in(other.equation for other in facts.definitions)):
        return item
    named: dict[ast.Node, ast.Node] = {name: replace(name, subs=(index,)) for name in (left, *told)}
    equation = replace(item.equation, left=named[left], right=ast.with_parts(right, named))
    said = f"{render(equation.left)} = {render(equation.right)}"
    found.assumed[f"${said}$ for each sample, whose index the sum over ${render(named[left])}$ has"] = None
    return replace(item, equation=equation)


def of_unclear_index(claim: Equation, facts: Facts) -> str:
    """Return a number that a formula gives, w^T x, and that has an index in a sum that a claim speaks of; or ""."""
    named = {key_without_indices(name) for side in (claim.left, claim.right) for name in names_in(side)}
    named |= {render(part.of) for part in derivatives_in(claim.left) if isinstance(part.of, ast.Name)}
    here = [item for item in facts.definitions if item.section == claim.place.section]
    said = [claim.left, claim.right, *(item.equation.right for item in here if item.key in named)]
    numbers: set[str] = set()
    for item in here:
        left, right = item.equation.left, item.equation.right
        names = names_in(right)
        inner = any(isinstance(part, ast.Transpose) for part in walk(right)) or any(render(n) in numbers for n in names)
        if not isinstance(left, ast.Name) or left.subs or not inner:
            continue
        if any(bare_letter(render(name)).isupper() for name in names):
            continue
        numbers.add(render(left))
        if any(_indices(left, said)):
            return render(left)
    return ""


def _indices(name: ast.Name, sides: list[ast.Node]) -> Iterator[ast.Node]:
    """Yield the indices of sums in which a name stands with the index."""
    for side in sides:
        for part in walk(side):
            index = part.index if isinstance(part, ast.Big) else None
            if index is not None and is_running(index) and replace(name, subs=(index,)) in walk(part):
                yield index


def _stands_free(name: ast.Name, node: ast.Node) -> bool:
    """Tell whether a name stands with an index outside a sum over that index: e^{z_i} / Σ_j e^{z_j} is of entries."""
    if isinstance(node, ast.Big) and node.index is not None:
        return _stands_free(name, ast.with_parts(node.body, {replace(name, subs=(node.index,)): ast.Number("0")}))
    if isinstance(node, ast.Name) and len(node.subs) == 1 and is_running(node.subs[0]):
        return replace(node, subs=()) == name
    return any(_stands_free(name, part) for part in ast.children(node))


def _may_be_matrix(name: ast.Name, found: Outline) -> bool:
    return bare_letter(render(name)).isupper() or len(found.declared.get(render(name), ())) > 1
