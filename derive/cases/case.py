"""A case: claims, the equations that they speak of, and what is told of the names, with one name for each thing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
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
    with_marks_of_variables,
    with_number_marks,
    with_one_activation,
    with_one_sign,
    with_plain_identity,
    with_running_limit,
    with_samples_below,
    with_summed_letter,
    with_usual_indices,
)
from derive.meaning.outline import Equation, Outline, derivatives_in, names_in, sides_in, walk, with_sides
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
    its one name, in formulas that were `written` so; `rewritten` brings a claim with differentials into one about
    derivatives; `notes` are what was assumed in reading them, `doubts` what was assumed and may be otherwise.
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
    rewritten: Callable[[Equation], Equation] = lambda claim: claim
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Draft:
    """Equations, claims and what is told of names, on their way to one name for each thing, and what was assumed."""

    equations: tuple[Equation, ...]
    claims: tuple[Equation, ...]
    symbols: tuple[Symbol, ...]
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    def told(self) -> list[ast.Node]:
        """Return the names of which something is told."""
        return [tree for symbol in self.symbols for tree in symbol.trees]

    def sides(self) -> list[ast.Node]:
        """Return all formulas."""
        return sides_in((*self.equations, *self.claims))

    def spelled(self, change: Callable[[ast.Node], ast.Node]) -> _Draft:
        """Return the same with each formula, and each name of which something is told, changed."""
        equations, claims = (
            tuple(with_sides(one, change) for one in some) for some in (self.equations, self.claims)
        )
        symbols = tuple(symbol.with_trees(change) for symbol in self.symbols)
        return replace(self, equations=equations, claims=claims, symbols=symbols)

    def stating(self, formulas: Mapping[ast.Name, ast.Node]) -> _Draft:
        """Return the same with names defined that no equation states."""
        more = (Equation(name, value, render(value), self.claims[0].place) for name, value in formulas.items())
        return replace(self, equations=(*self.equations, *more))

    def claiming(self, claims: Iterable[Equation], notes: Iterable[str] = ()) -> _Draft:
        """Return the same with other claims, and with what was assumed for them."""
        return replace(self, claims=tuple(claims), notes=(*self.notes, *notes))


def make_case(
    model: Outline, claims: Sequence[Equation], loose: Sequence[ast.Node] = (), symbols: Sequence[Symbol] = (),
    functions: Collection[str] = (), layout: str = "", scalar: Collection[str] = (),
) -> Case:  # fmt: skip
    """Return a case in which each thing has one name.

    Args:
        model: The equations, and what is declared beside them.
        claims: What is claimed.
        loose: Formulas of the model that are no equations.
        symbols: What is told of names.
        functions: Names that are functions.
        layout: In which the claims are made, where it is told.
        scalar: Names that are functions of any arguments whose values are numbers.
    """
    stated = with_telling_links(list(map(with_summed_letter, model.equations)))
    draft = _with_means(_Draft(tuple(stated), tuple(map(with_summed_letter, claims)), tuple(symbols)))
    written = (*sides_in(draft.claims), *draft.sides())
    stated, claims, quantified = as_quantities(draft.equations, draft.claims)
    draft = replace(draft, equations=tuple(stated), claims=tuple(claims))
    named = _arguments(draft)
    by_name = partial(ast.with_parts, parts=named)
    draft = draft.spelled(by_name).stating({name: formula for formula, name in named.items()})
    draft = draft.claiming(draft.claims, (f"${render(name)}$ is ${render(value)}$" for value, name in named.items()))
    draft = draft.claiming(*without_bars(draft.equations, draft.claims, draft.told()))
    draft = draft.claiming(*with_hessians(draft.equations, draft.claims))
    draft = draft.claiming(by_the_quantity(claim, loose, functions) for claim in draft.claims)
    draft = _as_stated(draft)
    sizes = {length for symbol in draft.symbols for length in symbol.shape or ()}
    left = [equation.left for equation in draft.equations]
    spelled = _spelling([*draft.sides(), *loose], left, draft.told(), functions, sizes, layout == "numerator", scalar)
    own = draft.spelled(spelled)
    found = replace(model, declared=dict(model.declared), domains=dict(model.domains))
    for symbol in own.symbols:
        _tell(symbol, found)
    found.equations = with_layer_above(at_layers(own.equations, own.sides()), own.claims)
    return Case(
        found, sort_equations(found), own.claims, tuple(map(spelled, loose)), layout, written=written,
        spelled=lambda node: spelled(by_name(quantified(node))), notes=(*draft.notes, *_marked(draft, own)),
        doubts=draft.doubts,
    )  # fmt: skip


def _marked(draft: _Draft, own: _Draft) -> list[str]:
    r"""Say which variables got the mark of a layer: a is a^L in \nabla_a C."""
    sides = zip(sides_in(draft.claims), sides_in(own.claims), strict=True)
    parts = [(derivatives_in(one), derivatives_in(other)) for one, other in sides]
    kept = [pair for pair in parts if len(pair[0]) == len(pair[1])]  # else some became slopes, and none is paired
    by = [(before.wrt, after.wrt) for pair in kept for before, after in zip(*pair, strict=True)]
    names = [pair for pair in by if all(isinstance(name, ast.Name) for name in pair)]
    new = {one: other for one, other in names if one != other and not _has_mark(one) and _has_mark(other)}
    return [f"${render(one)}$ is ${render(other)}$" for one, other in new.items() if one and other]


def _has_mark(name: ast.Node | None) -> bool:
    return isinstance(name, ast.Name) and name.sup is not None and not name.subs


def _with_means(draft: _Draft) -> _Draft:
    """Return a draft with the means defined that it names, and does not define."""
    defined = [one.left for one in draft.equations]
    told = [(tree, symbol.shape) for symbol in draft.symbols for tree in symbol.trees]
    means = means_in(draft.sides(), defined, told) if draft.claims else {}
    notes = (f"${render(name)}$ is the mean of all ${render(stack)}$" for name, (stack, _) in means.items())
    stacked = draft.spelled(with_stacks(stack for stack, _ in means.values()))
    return stacked.stating({name: mean for name, (_, mean) in means.items()}).claiming(stacked.claims, notes)


def _arguments(draft: _Draft) -> Mapping[ast.Node, ast.Name]:
    """Return names for formulas that are differentiated by, where the model has these."""
    named = named_arguments(draft.sides(), draft.told())
    stated = {part for one in draft.equations for part in walk(one.right)}
    return {formula: name for formula, name in named.items() if draft.claims and formula in stated}


def _as_stated(draft: _Draft) -> _Draft:
    """Return a draft in the names that are stated, with what was assumed that may be otherwise."""
    asked, told = sides_in(draft.claims), draft.told()
    left = [equation.left for equation in draft.equations]
    used = () if told else (name for equation in draft.equations for name in names_in(equation.right))
    sure, perhaps = meant(asked, sides_in(draft.equations), [*told, *left, *used])
    spoken = spoken_of(asked, draft.equations)
    doubts = (f"${render(name)}$ is ${render(other)}$" for name, other in perhaps.items() if name in spoken)
    both = partial(spelled_with, names={**sure, **perhaps})
    return replace(
        draft, equations=tuple(with_sides(one, both) for one in draft.equations),
        claims=tuple(with_sides(one, both) for one in draft.claims), doubts=tuple(doubts),
        notes=(*draft.notes, *(f"${render(name)}$ is ${render(other)}$" for name, other in sure.items())),
    )  # fmt: skip


def _tell(symbol: Symbol, found: Outline) -> None:
    """Declare the names that a symbol stands for: `x, y` of shape [2] are two numbers."""
    if symbol.shape is None:
        return
    several = len(symbol.trees) > 1 and symbol.shape[:1] == (str(len(symbol.trees)),)
    for tree in symbol.trees:
        if isinstance(tree, ast.Name):
            found.declared[key_without_indices(tree)] = symbol.shape[1:] if several else symbol.shape
            found.domains[key_without_indices(tree)] = symbol.domain
        if isinstance(tree, ast.Differential):
            found.declared[render(tree)] = symbol.shape


def _spelling(
    nodes: Sequence[ast.Node], left: Sequence[ast.Node], symbols: Sequence[ast.Node], functions: Collection[str],
    sizes: Collection[str], lying: bool, scalar: Collection[str],
) -> Callable[[ast.Node], ast.Node]:
    """Return what writes all formulas of a case with one name for each thing."""
    known = [*symbols, *left] if symbols else [*left, *(name for name in names_of(nodes) if not name.subs)]
    own = _Spelled(list(nodes), list(left), list(symbols), list(dict.fromkeys(known)))
    own.change(with_layer_marks, with_one_sign, with_running_limit, with_plain_identity((*left, *symbols), sizes))
    own.change(with_number_marks((*own.left, *own.symbols)))
    own.change(with_marks_of_variables(own.nodes))
    own.change(with_one_activation(own.nodes))
    own.change(with_letters_of_arguments(own.nodes))
    own.change(with_usual_indices((*own.nodes, *own.symbols), own.symbols))
    own.change(with_samples_below(sample_letters((*own.nodes, *own.symbols))))
    told_of = [tree for tree in own.symbols if not isinstance(tree, ast.Differential)]  # dX goes with X
    own.change(as_names([*told_of, *squares(own.left), *_by(own.nodes)]))
    own.change(same_letters(own.names()))
    told = {key_without_indices(name) for name in own.names()}
    losses = (LOSSES | {"l", *scalar}) - defined_by(left)
    known_functions = {*functions, "max", "min", r"\max", r"\min"}
    own.change(linear_in_arguments(losses, known_functions, told, own.nodes, lying))
    own.change(apart_by_letters(own.names(), (name for node in own.nodes for name in names_in(node))))
    return own.spelled


@dataclass(slots=True)
class _Spelled:
    """The formulas of a case, as far as each thing in them has one name, and what was changed on the way.

    `known` are the names that are stated, or of which something is told.
    """

    nodes: list[ast.Node]
    left: list[ast.Node]
    symbols: list[ast.Node]
    known: list[ast.Node]
    changes: list[Callable[[ast.Node], ast.Node]] = field(default_factory=list)

    def change(self, *changes: Callable[[ast.Node], ast.Node]) -> None:
        """Change all formulas."""
        for change in changes:
            self.changes.append(change)
            for nodes in (self.nodes, self.left, self.symbols, self.known):
                nodes[:] = map(change, nodes)

    def names(self) -> list[ast.Name]:
        """Return what is known, where it is a name."""
        return [name for name in self.known if isinstance(name, ast.Name)]

    def spelled(self, node: ast.Node) -> ast.Node:
        """Return any formula with all changes."""
        for change in self.changes:
            node = change(node)
        return node


def _by(nodes: Sequence[ast.Node]) -> set[ast.Node]:
    r"""Return what is differentiated by and is the logarithm of what occurs nowhere else: \log\sigma is then a name."""
    parts = [part for node in nodes for part in walk(node)]
    by = {part.wrt for part in parts if isinstance(part, ast.Derivative) and isinstance(part.wrt, ast.Call)}
    logarithms = {call for call in by if usual(render(call.function)) == LOGARITHM and len(call.args) == 1}
    spelled: dict[ast.Node, ast.Node] = {call: ast.Number("0") for call in logarithms}
    left = {name for node in nodes for name in names_in(ast.with_parts(node, spelled))}
    return {call for call in logarithms if isinstance(call.args[0], ast.Name) and call.args[0] not in left}


def defined_by(left: Iterable[ast.Node]) -> set[str]:
    """Return the names of functions that equations with these left sides define."""
    return {render(call.function) for call in left if isinstance(call, ast.Call)}
