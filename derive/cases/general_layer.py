r"""A general layer, where a reader knows the rest: the loss of \nabla_W, the a of the last layer, a^l = \sigma(z^l)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial

from derive.cases.backward import is_delta
from derive.meaning.facts import Definition, Facts, key_without_indices
from derive.meaning.layers import GENERAL, moved, shifted
from derive.meaning.naming import MARKED, names_of
from derive.meaning.outline import Equation, walk, with_sides
from derive.read import syntax as ast
from derive.read.spelling import render


def with_layers(facts: Facts, claim: Equation, told: Collection[str]) -> tuple[Facts, Equation, tuple[str, ...]]:
    """Return facts and a claim with what goes without saying where layers have marks, and what was assumed.

    Args:
        facts: What the model states.
        claim: The claim.
        told: Keys of the names of which something is told.
    """
    why: list[str] = []
    claim = _of_the_loss(facts, claim, why)
    claim = _with_own_mark(facts, claim, told, why)
    facts = _with_values(facts, claim, told, why)
    facts = _of_any_depth(facts, claim, why)
    return _with_activation(facts, claim, told, why), claim, tuple(why)


def _of_the_loss(facts: Facts, claim: Equation, why: list[str]) -> Equation:
    r"""Return a claim in which \nabla_W is of what the model differentiates elsewhere."""
    losses = {derivative.of for _, _, derivative in facts.cotangents}
    if not any(isinstance(part, ast.Implied) for part in walk(claim.left)) or len(losses) != 1:
        return claim
    (loss,) = losses
    why.append(rf"$\nabla$ without a function is of ${render(loss)}$")
    return replace(claim, left=_changed(claim.left, lambda node: loss if isinstance(node, ast.Implied) else node))


def _with_own_mark(facts: Facts, claim: Equation, told: Collection[str], why: list[str]) -> Equation:
    r"""Return a claim about δ^L in which \partial C / \partial a is by a^L, where a has a mark everywhere else."""
    left = claim.left
    if not (isinstance(left, ast.Name) and left.style in MARKED and left.sup is not None):
        return claim
    defined = {item.key for item in facts.definitions}

    def change(node: ast.Node) -> ast.Node:
        if not isinstance(node, ast.Derivative):
            return node
        by = node.wrt
        if not isinstance(by, ast.Name) or by.sup is not None or key_without_indices(by) in {*told, *defined}:
            return node
        marked = replace(by, sup=left.sup, style=left.style)
        if key_without_indices(marked) not in {*told, *defined}:
            return node
        why.append(f"${render(by)}$ is ${render(marked)}$")
        return replace(node, wrt=marked)

    return replace(claim, right=_changed(claim.right, change))


def _with_activation(facts: Facts, claim: Equation, told: Collection[str], why: list[str]) -> Facts:
    r"""Return facts with a^l = \sigma(z^l) where z^l uses a^{l-1}, nothing says what a is, and the claim \sigma'."""
    primed = [part for part in walk(claim.right) if isinstance(part, ast.Call) and part.function.primes == 1]
    functions = {ast.unprimed(call) for call in primed}
    steps = [item for item in facts.definitions if _is_step(item)]
    if len(functions) != 1 or len(steps) != 1:
        return facts
    (function,), (step,) = functions, steps
    z = step.equation.left
    assert isinstance(z, ast.Name)
    below = list(_below(z, step.equation.right))
    bases = {name.base for name in below}
    known = {tree.base for item in facts.definitions if isinstance(tree := item.equation.left, ast.Name)}
    if len(bases) != 1 or bases & (known | {z.base}) or not all(_is_of(call, z) for call in primed):
        return facts
    a = replace(below[0], sup=z.sup, subs=())
    if key_without_indices(below[0]) in told or key_without_indices(a) in told:
        return facts
    equation = Equation(a, ast.Call(function, (replace(z, subs=()),)), "", claim.place)
    why.append(f"${render(a)}$ is ${render(equation.right)}$")
    order = max(item.order for item in facts.definitions)
    return replace(facts, definitions=[*facts.definitions, Definition(key_without_indices(a), equation, order)])


def _with_values(facts: Facts, claim: Equation, told: Collection[str], why: list[str]) -> Facts:
    """Return facts with a_j = g_j(z_j) beside a_k = g_k(z_k), where letters tell layers apart and g_j(z_j) is used."""
    known = {item.key for item in facts.definitions} | {*told}
    calls = {part for item in facts.definitions for part in walk(item.equation.right) if isinstance(part, ast.Call)}
    found: dict[str, Definition] = {}
    for name in names_of([claim.right]):
        key = key_without_indices(name)
        if key in known or len(name.subs) != 1 or name.style != "()":
            continue
        for item in facts.definitions:
            left = item.equation.left
            if isinstance(left, ast.Name) and left.base == name.base and len(left.subs) == 1 and left.style == "()":
                value = _with_letter(item.equation.right, left.subs[0], name.subs[0])
                if value in calls:
                    order = max(item.order for item in facts.definitions)
                    found[key] = Definition(key, Equation(name, value, "", claim.place), order)
    why += [f"${item.equation.left.base}_{render(item.equation.left.subs[0])}$ is ${render(item.equation.right)}$"
            for item in found.values() if isinstance(item.equation.left, ast.Name)]  # fmt: skip
    return replace(facts, definitions=[*facts.definitions, *found.values()])


def _with_letter(node: ast.Node, old: ast.Node, new: ast.Node) -> ast.Node:
    """Return a formula of the layer with one letter as that of the layer with another."""

    def change(part: ast.Node) -> ast.Node:
        if not isinstance(part, ast.Name):
            return part
        mark = new if part.sup == old and part.style == "()" else part.sup
        return replace(part, sup=mark, subs=tuple(new if sub == old else sub for sub in part.subs))

    return _changed(node, change)


def _of_any_depth(facts: Facts, claim: Equation, why: list[str]) -> Facts:
    r"""Return facts without the loss of the last layer, where a claim is about a layer l of which only J is said.

    From a general layer to a numbered one nothing leads: then J is any loss of what follows.
    """
    left = claim.left
    if not (isinstance(left, ast.Derivative) and isinstance(left.wrt, ast.Name) and left.wrt.style in MARKED):
        return facts
    of = left.of.function if isinstance(left.of, ast.Call) else left.of
    loss = next((item for item in facts.definitions if item.key == render(of)), None)
    if loss is None or not isinstance(left.wrt.sup, ast.Name) or left.wrt.sup == ast.Name("L"):
        return facts
    marks = {name.sup for name in names_of([loss.equation.right]) if name.style in MARKED and name.sup is not None}
    if not marks or not all(isinstance(mark, ast.Number) for mark in marks):
        return facts
    kept = [item for item in facts.definitions if item is not loss and not _is_at(item.equation.left, marks)]
    stated = [(order, equation) for order, equation in facts.claims if not _is_at(equation.left, marks)]
    letter = render(left.wrt.sup)
    why.append(f"layer ${letter}$ is any layer, and ${render(of)}$ any loss of what follows it")
    values = [item.equation.left for item in kept if isinstance(item.equation.left, ast.Name)]
    deltas = {replace(name, subs=()) for name in names_of([claim.right]) if is_delta(name)}
    told = [(0, render(delta), ast.Derivative(of, value)) for delta in sorted(deltas, key=render) for value in values
            if value.base.lower() == "z" and value.sup == delta.sup]  # fmt: skip
    return replace(facts, definitions=kept, claims=stated, cotangents=[*facts.cotangents, *told])


def _is_at(left: ast.Node, marks: Collection[ast.Node]) -> bool:
    return isinstance(left, ast.Name) and left.sup in marks


def _is_step(item: Definition) -> bool:
    """Tell whether an equation leads from a layer to the next: z^l of something at l - 1."""
    left = item.equation.left
    return isinstance(left, ast.Name) and any(True for _ in _below(left, item.equation.right))


def _below(z: ast.Name, right: ast.Node) -> Iterator[ast.Name]:
    """Yield the names of the layer below."""
    if z.style not in MARKED or not isinstance(z.sup, ast.Name):
        return
    lower = shifted(z.sup, -1)
    yield from (name for name in names_of([right]) if name.style in MARKED and name.sup == lower)


def _is_of(call: ast.Call, z: ast.Name) -> bool:
    (arg,) = call.args[:1]
    return isinstance(arg, ast.Name) and arg.base == z.base and arg.style in MARKED


def _changed(node: ast.Node, change: Callable[[ast.Node], ast.Node]) -> ast.Node:
    return change(ast.map_children(node, lambda part: _changed(part, change)))


# ---------------------------------------------------------------- the layer above
def with_layer_above(equations: Sequence[Equation], claims: Sequence[Equation]) -> list[Equation]:
    """Return equations, and those of the layer above where a claim names what only stands there: W^{(k+1)}."""
    known = {replace(name, subs=()) for one in equations for name in names_of([one.left, one.right])}
    lefts = {render(equation.left) for equation in equations}
    asked = {replace(name, subs=()) for claim in claims for name in names_of([claim.right])}
    found = list(equations)
    for equation in equations:
        letter = _letter(equation)
        if not letter:
            continue
        above = with_sides(equation, partial(moved, letter=letter, to=shifted(ast.Name(letter), 1)))
        new = {replace(name, subs=()) for name in names_of([above.right])} - known
        if new & asked and render(above.left) not in lefts:
            found.append(above)
    return found


def _letter(equation: Equation) -> str:
    """Return the letter of the layer that an equation begins at: k of z^{(k+1)} = W^{(k)} z^{(k)}."""
    marks = {name.sup for name in names_of([equation.right]) if name.style in MARKED}
    letters = {mark.base for mark in marks if isinstance(mark, ast.Name) and mark.base in GENERAL}
    return letters.pop() if len(letters) == 1 else ""
