"""A case: claims, the equations that they speak of, and what is told of the names, with one name for each thing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from derive.cases.arguments import named_arguments
from derive.cases.downstream import linear_in_arguments
from derive.cases.evaluated import without_bars
from derive.cases.general_layer import with_layer_above
from derive.cases.hessians import with_hessians
from derive.cases.means import means_in, with_stacks
from derive.cases.other_names import meant, spelled_with, spoken_of
from derive.cases.parametric import by_the_quantity, with_telling_links
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
    with_plain_identity,
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

    def with_trees(self, change: Callable[[ast.Node], ast.Node]) -> Symbol:
        """Return the same told of other names."""
        return replace(self, trees=tuple(map(change, self.trees)))


Models = dict[Hashable, Any]  # models as read, and errors in their place, by what they were read from


@dataclass(frozen=True, slots=True)
class Case:
    """Claims, read: what their model states, what is known of its names, and the equations that are claimed.

    `loose` are the formulas of the model that are no equations; `thorough` tells whether proofs are looked for, and
    edits that mend what does not hold; `models` are those that other claims were judged in. `spelled` gave each thing
    its one name, in formulas that were `written` so; `notes` are what was assumed in reading them, `doubts` what
    was assumed and may be otherwise.
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
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


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
    model = replace(model, equations=list(map(with_summed_letter, model.equations)))
    claims = list(map(with_summed_letter, claims))
    means = _means(model.equations, claims, symbols)
    stacked = with_stacks(stack for stack, _ in means.values())
    equations = [with_sides(one, stacked) for one in with_telling_links(model.equations)]
    equations += [Equation(name, mean, render(mean), claims[0].place) for name, (_, mean) in means.items()]
    symbols = [symbol.with_trees(stacked) for symbol in symbols]
    equations, claims = as_quantities(equations, [with_sides(claim, stacked) for claim in claims])
    written = [side for one in (*claims, *equations, *claims) for side in (one.left, one.right)]
    named = _arguments(equations, claims, symbols)
    by_name = partial(ast.with_parts, parts=named)
    equations, claims = ([with_sides(one, by_name) for one in some] for some in (equations, claims))
    symbols = [symbol.with_trees(by_name) for symbol in symbols]
    equations += [Equation(name, formula, render(formula), claims[0].place) for formula, name in named.items()]
    model = replace(model, equations=equations)
    claims, notes = without_bars(equations, claims, [tree for symbol in symbols for tree in symbol.trees])
    claims, more = with_hessians(equations, claims)
    claims, notes = [by_the_quantity(claim, loose, functions) for claim in claims], [*notes, *more]
    notes += [f"${render(name)}$ is ${render(formula)}$" for formula, name in named.items()]
    notes += [f"${render(name)}$ is the mean of all ${render(stack)}$" for name, (stack, _) in means.items()]
    trees = [tree for symbol in symbols for tree in symbol.trees]
    model, claims, doubts = _as_stated(model, claims, trees, notes)
    sides = [side for equation in (*model.equations, *claims) for side in (equation.left, equation.right)]
    left = [equation.left for equation in model.equations]
    sizes = {length for symbol in symbols for length in symbol.shape or ()}
    spelled = _spelling(sides + list(loose), left, trees, functions, sizes, layout == "numerator")

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
    return Case(
        found, sort_equations(found), read_claims, tuple(map(spelled, loose)), layout, written=tuple(written),
        spelled=lambda node: spelled(by_name(node)), notes=tuple(notes), doubts=tuple(doubts),
    )  # fmt: skip


def _means(
    equations: Sequence[Equation], claims: Sequence[Equation], symbols: Sequence[Symbol]
) -> Mapping[ast.Name, tuple[ast.Name, ast.Node]]:
    """Return the means that a case names and does not define."""
    sides = [side for one in (*equations, *claims) for side in (one.left, one.right)]
    told = [(tree, symbol.shape) for symbol in symbols for tree in symbol.trees]
    return means_in(sides, [one.left for one in equations], told) if claims else {}


def _arguments(
    equations: Sequence[Equation], claims: Sequence[Equation], symbols: Sequence[Symbol]
) -> Mapping[ast.Node, ast.Node]:
    """Return names for formulas that are differentiated by, where the model has these."""
    sides = [side for one in (*equations, *claims) for side in (one.left, one.right)]
    named = named_arguments(sides, [tree for symbol in symbols for tree in symbol.trees])
    stated = {part for one in equations for part in walk(one.right)}
    return {formula: name for formula, name in named.items() if claims and formula in stated}


def _as_stated(
    model: Outline, claims: Sequence[Equation], told: Sequence[ast.Node], notes: list[str]
) -> tuple[Outline, list[Equation], list[str]]:
    """Return equations and claims in the names that are stated, and what was assumed that may be otherwise."""
    asked, formulas = (
        [side for one in some for side in (one.left, one.right)] for some in (claims, model.equations)
    )
    left = [equation.left for equation in model.equations]
    used = () if told else (name for equation in model.equations for name in names_in(equation.right))
    sure, perhaps = meant(asked, formulas, [*told, *left, *used])
    notes += [f"${render(name)}$ is ${render(other)}$" for name, other in sure.items()]
    both = partial(spelled_with, names={**sure, **perhaps})
    spoken = spoken_of(asked, model.equations)
    doubts = [f"${render(name)}$ is ${render(other)}$" for name, other in perhaps.items() if name in spoken]
    model = replace(model, equations=[with_sides(equation, both) for equation in model.equations])
    return model, [with_sides(claim, both) for claim in claims], doubts


def _told(symbol: Symbol, spelled: Callable[[ast.Node], ast.Node]) -> Iterator[tuple[ast.Name, tuple[str, ...]]]:
    """Yield the names that a symbol stands for, with their shapes: `x, y` of shape [2] are two numbers."""
    if symbol.shape is not None:
        several = len(symbol.trees) > 1 and symbol.shape[:1] == (str(len(symbol.trees)),)
        each = symbol.shape[1:] if several else symbol.shape
        yield from ((name, each) for tree in symbol.trees if isinstance(name := spelled(tree), ast.Name))


def _spelling(
    nodes: Sequence[ast.Node], left: Sequence[ast.Node], symbols: Sequence[ast.Node], functions: Collection[str],
    sizes: Collection[str], lying: bool,
) -> Callable[[ast.Node], ast.Node]:
    """Return what writes all formulas of a case with one name for each thing."""
    changes: list[Callable[[ast.Node], ast.Node]] = [with_layer_marks, with_one_sign, with_running_limit]
    changes.append(with_plain_identity((*left, *symbols), sizes))

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
    known_functions = {*functions, "max", "min", r"\max", r"\min"}
    changes.append(linear_in_arguments(losses, known_functions, told, list(map(spelled, nodes)), lying))
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
