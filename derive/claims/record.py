"""The part of a model's record that a claim speaks of: what leads to its left side, each step checked again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from derive.backprop import derive_gradients
from derive.claims.bench import Bench, sides, with_partials
from derive.derivation import Derivation
from derive.errors import DeriveError
from derive.expr import Node, Var, variables
from derive.jacobian import derive_jacobian
from derive.meaning.outline import Equation
from derive.meaning.terms import second_key
from derive.model import free_variables, restricted, trained
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.verify.setting import Partial, Setting
from derive.verify.steps import checked

FORWARD = ("definition", "loss")


def record_for(claim: Equation, bench: Bench) -> tuple[Derivation, Var | None]:
    """Return the equations that lead to what a claim's left side names, and the name of the last one.

    The name is None where the left side is no single name, or no equation of the model ends in it.

    Raises:
        DeriveError: no equation of the model leads to it.
    """
    setting, names = with_partials(claim, bench)
    spoken = list(dict.fromkeys(_spoken(claim.left, names)))
    other = next((name for name in spoken if name in setting.partials), None)
    if other is not None:
        partial = setting.partials[other]
        derivation = _of_partial(partial, other.latex)
        network, ends = partial.network, [derivation.equations[-1].name]
        seeds: dict[Var, Var] = {}
    else:
        network, derivation = setting.network, setting.derivation
        ends = [setting.primary(name) for name in spoken]
        seeds = {seed: setting.cotangents[seed] for seed in derivation.seeds if seed in setting.cotangents}
        derivation = _leading_to([*ends, *_right_names(claim, replace(bench, names=names), setting)], derivation)
    if not derivation.equations:
        raise DeriveError(f"{render(claim.left)}: no equation leads to it")
    kept = trained(network)
    given = tuple(name for name in (*derivation.parameters, *derivation.data) if name not in kept)
    done = checked(network, replace(derivation, parameters=kept, data=given), seeds)
    done = done if bench.general is None else bench.general.restore(done)
    defined = {equation.name.latex: equation.name for equation in done.equations}
    alone = len(ends) == 1 and isinstance(claim.left, ast.Name | ast.Derivative)
    return done, defined.get(ends[0].latex) if alone else None


def _spoken(node: ast.Node, names: Mapping[str, Var]) -> Iterable[Var]:
    """Yield the largest parts of a side that are names of the model."""
    key = _key(node, names)
    if key in names:
        yield names[key]
    else:
        for part in ast.children(node):
            yield from _spoken(part, names)


def _key(node: ast.Node, names: Mapping[str, Var]) -> str:
    """Return under which spelling a part would be a name; a second derivative has one of its own."""
    if isinstance(node, ast.Derivative) and isinstance(node.of, ast.Derivative) and node.of.wrt == node.wrt:
        of, by = (names.get(render(part)) for part in (node.of.of, node.wrt) if part is not None)
        return render(node) if of is None or by is None else second_key(of.latex, by.latex)
    return render(node)


def _right_names(claim: Equation, bench: Bench, setting: Setting) -> list[Var]:
    """Return the names of a right side; none where it is not understood."""
    try:
        _, right = sides(claim, bench)
    except DeriveError:
        return []
    return [name for name in variables(right) if setting.defined(name) is not None]


def _of_partial(partial: Partial, name: str) -> Derivation:
    """Return the record of a derivative that is not one of the loss."""
    network = restricted(replace(partial.network, loss=partial.of), partial.of)
    if partial.by not in free_variables(network):  # what lies above it does not count
        kept = tuple(item for item in network.definitions if item.name != partial.by)
        network = restricted(replace(network, definitions=kept), partial.of)
    if partial.of.shape:
        return derive_jacobian(network, partial.of, partial.by, name)
    derivation = derive_gradients(network, wanted=(partial.by,))
    return replace(derivation, equations=tuple(e for e in derivation.equations if e.role != "update"))


def _leading_to(ends: Iterable[Var], derivation: Derivation) -> Derivation:
    """Return a record with the equations alone that some names rest on, by their values or by their steps."""
    by_name = {e.name: e for e in derivation.equations if e.role != "update"}
    forward = [e.name for e in derivation.equations if e.role in FORWARD]
    waiting, found = list(ends), set[Var]()
    while waiting:
        name = waiting.pop()
        if name in found or name not in by_name:
            continue
        found.add(name)
        equation = by_name[name]
        parts: list[Node] = [equation.value, *(side for step in equation.steps for side in (step.before, step.after))]
        waiting += [var for part in parts for var in variables(part)]
        if equation.role not in FORWARD:  # it was swept from the end
            waiting += forward if derivation.loss is None else [derivation.loss]
    kept = tuple(e for e in derivation.equations if e.name in found and e.role != "update")
    return replace(derivation, equations=kept)
