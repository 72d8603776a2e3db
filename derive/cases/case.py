"""A case: claims, the equations that they speak of, and what is told of the names, with one name for each thing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from derive.cases.downstream import linear_in_arguments
from derive.cases.general_layer import with_layer_above
from derive.cases.parametric import by_the_quantity
from derive.cases.probabilities import as_quantities
from derive.meaning.facts import Facts, key_without_indices, sort_equations
from derive.meaning.kinds import LOSSES
from derive.meaning.layers import at_layers
from derive.meaning.naming import (
    apart_by_letters,
    as_names,
    names_of,
    same_letters,
    sample_letters,
    squares,
    with_layer_marks,
    with_letters_of_arguments,
    with_number_marks,
    with_one_activation,
    with_one_sign,
    with_running_limit,
    with_samples_below,
    with_summed_letter,
    with_usual_indices,
)
from derive.meaning.outline import Equation, Outline, names_in, walk, with_sides
from derive.meaning.terms import Function, usual
from derive.ops import table
from derive.read import syntax as ast
from derive.read.spelling import render

LOGARITHM = Function(table.LOG)


@dataclass(frozen=True, slots=True)
class Symbol:
    """What is told of a name: its shape (None: nothing) and domain. Several names with commas between share them."""

    trees: tuple[ast.Node, ...]
    shape: tuple[str, ...] | None
    domain: str


Models = dict[Hashable, Any]  # models as read, and errors in their place, by what they were read from


@dataclass(frozen=True, slots=True)
class Case:
    """Claims, read: what their model states, what is known of its names, and the equations that are claimed.

    `loose` are the formulas of the model that are no equations; `thorough` tells whether proofs are looked for, and
    edits that mend what does not hold; `models` are those that other claims were judged in. `spelled` gave each thing
    its one name, in formulas that were `written` so.
    """

    found: Outline
    facts: Facts
    claims: tuple[Equation, ...]
    loose: tuple[ast.Node, ...] = ()
    layout: str = ""
    thorough: bool = True
    models: Models = field(default_factory=dict)
    written: tuple[ast.Node, ...] = ()
    spelled: Callable[[ast.Node], ast.Node] = lambda node: node


def make_case(
    model: Outline, claims: Sequence[Equation], loose: Sequence[ast.Node] = (), symbols: Sequence[Symbol] = (),
    functions: Collection[str] = (), layout: str = "",
) -> Case:  # fmt: skip
    """Return a case in which each thing has one name.

    Args:
        model: The equations, and what is declared beside them.
        claims: What is claimed.
        loose: Formulas of the model that are no equations.
        symbols: What is told of names.
        functions: Names that are functions.
        layout: In which the claims are made, where it is told.
    """
    stated, claims = map(with_summed_letter, model.equations), list(map(with_summed_letter, claims))
    equations, claims = as_quantities(list(stated), claims)
    model = replace(model, equations=equations)
    claims = [by_the_quantity(claim, loose, functions) for claim in claims]
    sides = [side for equation in (*model.equations, *claims) for side in (equation.left, equation.right)]
    left = [equation.left for equation in model.equations]
    spelled = _spelling(sides + list(loose), left, [tree for symbol in symbols for tree in symbol.trees], functions)

    def read(equation: Equation) -> Equation:
        return with_sides(equation, spelled)

    found = replace(model, declared=dict(model.declared), domains=dict(model.domains))
    for symbol in symbols:
        for name, shape in _told(symbol, spelled):
            found.declared[key_without_indices(name)] = shape
            found.domains[key_without_indices(name)] = symbol.domain
        for tree in symbol.trees:
            if isinstance(tree, ast.Differential) and symbol.shape is not None:
                found.declared[render(spelled(tree))] = symbol.shape
    read_claims = tuple(map(read, claims))
    found.equations = at_layers([*map(read, model.equations)], [spelled(side) for side in sides])
    found.equations = with_layer_above(found.equations, read_claims)
    written = (*(side for claim in claims for side in (claim.left, claim.right)), *sides)
    return Case(
        found, sort_equations(found), read_claims, tuple(map(spelled, loose)), layout, written=written, spelled=spelled
    )  # fmt: skip


def _told(symbol: Symbol, spelled: Callable[[ast.Node], ast.Node]) -> Iterator[tuple[ast.Name, tuple[str, ...]]]:
    """Yield the names that a symbol stands for, with their shapes: `x, y` of shape [2] are two numbers."""
    if symbol.shape is not None:
        several = len(symbol.trees) > 1 and symbol.shape[:1] == (str(len(symbol.trees)),)
        each = symbol.shape[1:] if several else symbol.shape
        yield from ((name, each) for tree in symbol.trees if isinstance(name := spelled(tree), ast.Name))


def _spelling(
    nodes: Sequence[ast.Node], left: Sequence[ast.Node], symbols: Sequence[ast.Node], functions: Collection[str]
) -> Callable[[ast.Node], ast.Node]:
    """Return what writes all formulas of a case with one name for each thing."""
    changes: list[Callable[[ast.Node], ast.Node]] = [with_layer_marks, with_one_sign, with_running_limit]

    def spelled(node: ast.Node) -> ast.Node:
        for change in changes:
            node = change(node)
        return node

    known = [*symbols, *left] if symbols else [*left, *(name for name in names_of(nodes) if not name.subs)]

    def names() -> list[ast.Name]:
        return [name for node in known if isinstance(name := spelled(node), ast.Name)]

    changes.append(with_number_marks(map(spelled, (*left, *symbols))))
    changes.append(with_one_activation(map(spelled, nodes)))
    changes.append(with_letters_of_arguments(list(map(spelled, nodes))))
    changes.append(with_usual_indices(map(spelled, (*nodes, *symbols)), list(map(spelled, symbols))))
    changes.append(with_samples_below(sample_letters(map(spelled, (*nodes, *symbols)))))
    told_of = [tree for tree in map(spelled, symbols) if not isinstance(tree, ast.Differential)]  # dX goes with X
    changes.append(as_names([*told_of, *squares(map(spelled, left)), *_by(list(map(spelled, nodes)))]))
    changes.append(same_letters(names()))
    told = {key_without_indices(name) for name in names()}
    losses = (LOSSES | {"l"}) - functions_of(left)
    changes.append(linear_in_arguments(losses, {*functions, "max", "min", r"\max", r"\min"}, told))
    changes.append(apart_by_letters(names(), (name for node in nodes for name in names_in(spelled(node)))))
    return spelled


def _by(nodes: Sequence[ast.Node]) -> set[ast.Node]:
    r"""Return what is differentiated by and is the logarithm of what occurs nowhere else: \log\sigma is then a name."""
    parts = [part for node in nodes for part in walk(node)]
    by = {part.wrt for part in parts if isinstance(part, ast.Derivative) and isinstance(part.wrt, ast.Call)}
    logarithms = {call for call in by if usual(render(call.function)) == LOGARITHM and len(call.args) == 1}
    spelled: dict[ast.Node, ast.Node] = {call: ast.Number("0") for call in logarithms}
    left = {name for node in nodes for name in names_in(ast.with_parts(node, spelled))}
    return {call for call in logarithms if isinstance(call.args[0], ast.Name) and call.args[0] not in left}


def functions_of(left: Iterable[ast.Node]) -> set[str]:
    """Return the names of functions that equations with these left sides define."""
    return {render(call.function) for call in left if isinstance(call, ast.Call)}
