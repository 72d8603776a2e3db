"""Claims files: one claim a line as JSON, with the equations that it speaks of and the shapes of their symbols."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from derive.errors import DeriveError, UnreadError
from derive.read import syntax as ast
from derive.read.blocks import Formula
from derive.read.downstream import linear_in_arguments
from derive.read.facts import Facts, key_without_indices, sort_equations
from derive.read.kinds import LOSSES
from derive.read.latex import defined_functions, read_formula, read_statements
from derive.read.layers import at_layers
from derive.read.naming import (
    apart_by_letters,
    as_names,
    same_letters,
    sample_letters,
    squares,
    with_layer_marks,
    with_one_sign,
    with_running_limit,
    with_samples_below,
    with_usual_indices,
)
from derive.read.outline import Equation, Outline, Place, pairs, take
from derive.read.page import load_text
from derive.read.spelling import render
from derive.read.terms import Function

LAYOUTS = ("gradient", "numerator", "denominator", "hessian", "directional", "value")
DOMAINS = (
    "real", "positive", "unit", "binary", "sign", "simplex", "onehot", "spd", "symmetric", "index",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a claims file, as written: nothing in it is read yet."""

    id: str | None
    line: int
    model: tuple[str, ...]
    claim: str
    symbols: Mapping[str, Mapping[str, Any]]
    layout: str


@dataclass(frozen=True, slots=True)
class Case:
    """An entry, read: what its model states, what is known of its symbols, and the equations that it claims.

    `loose` are the formulas of the model that are no equations.
    """

    entry: Entry
    found: Outline
    facts: Facts
    claims: tuple[Equation, ...]
    loose: tuple[ast.Node, ...] = ()


def load_entries(path: str | os.PathLike[str]) -> list[Entry]:
    """Return the entries of a claims file.

    Raises:
        DeriveError: it cannot be read, or a line is no claim; the message says what was met and expected.
    """
    return list(_entries(load_text(path), os.fspath(path)))


def _entries(text: str, source: str) -> Iterator[Entry]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield _entry(json.loads(line), number)
            except (ValueError, RecursionError) as error:
                raise DeriveError(f"{source}:{number}: {error}") from None


def _entry(found: Any, line: int) -> Entry:
    """Return an entry from what JSON gave.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(found, dict) or not isinstance(found.get("claim"), str):
        raise ValueError('expected an object with a "claim", such as {"model": ["y = W x"], "claim": "…"}')
    name, model, symbols, layout = (found.get(key) for key in ("id", "model", "symbols", "layout"))
    if not isinstance(model, list | None) or not all(isinstance(text, str) for text in model or ()):
        raise ValueError(f"model: met {model!r:.80}; expected a list of equations in LaTeX")
    if not isinstance(symbols, dict | None) or not all(isinstance(told, dict) for told in (symbols or {}).values()):
        raise ValueError(f'symbols: met {symbols!r:.80}; expected what is known of names, {{"W": {{"shape": ["m"]}}}}')
    if layout not in (None, *LAYOUTS):
        raise ValueError(f"layout: met {layout!r:.80}; expected one of {', '.join(LAYOUTS)}")
    name = None if name is None else str(name)
    return Entry(name, line, tuple(model or ()), found["claim"], symbols or {}, layout or "")


def read_entry(entry: Entry) -> Case:
    """Read an entry's formulas.

    Raises:
        UnreadError: one of them is not understood.
    """
    functions = {name for latex in (*entry.model, entry.claim) for name in defined_functions(latex)}
    functions |= {latex for latex, told in entry.symbols.items() if told.get("function")}
    place = Place((), 0, "", entry.line, 1)
    model = [(latex, statement) for latex in entry.model for statement in read_statements(latex, functions)]
    claimed = read_statements(entry.claim, functions)
    spelled = _spelling(entry, [s.node for s in (*(s for _, s in model), *claimed)], functions)
    found = Outline(headings={0: ()})
    for latex, statement in model:
        take(replace(statement, node=spelled(statement.node)), Formula(latex, entry.line, 1, True), place, found)
    for latex, told in entry.symbols.items():
        if told.get("function") or not isinstance(told.get("shape"), list):
            continue
        for name, shape in _told(list(map(spelled, _trees(latex, functions))), tuple(map(str, told["shape"]))):
            key = key_without_indices(name)
            found.declared[key] = shape
            found.domains[key] = str(told.get("domain") or "real")
    found.equations = at_layers(found.equations, [spelled(s.node) for s in (*(s for _, s in model), *claimed)])
    facts = sort_equations(found)
    for latex, told in entry.symbols.items():
        if told.get("function") and not any(name == latex for _, name, _, _ in facts.functions):
            facts.functions.append((0, latex, Function(), place))
    claims: list[Equation] = []
    for statement in claimed:
        node = spelled(statement.node)
        if not isinstance(node, ast.Relation):
            raise UnreadError("the claim is no equation", statement.column)
        claims += [Equation(left, right, entry.claim, place) for left, right in pairs(node)]
    loose = tuple(spelled(statement.node) for _, statement in model if not isinstance(statement.node, ast.Relation))
    return Case(entry, found, facts, tuple(claims), loose)


def _told(names: list[ast.Node], shape: tuple[str, ...]) -> Iterator[tuple[ast.Name, tuple[str, ...]]]:
    """Yield the names that a symbol of an entry stands for, with their shapes: `x, y` of shape [2] are two numbers."""
    each = shape[1:] if len(names) > 1 and shape[:1] == (str(len(names)),) else shape
    yield from ((name, each) for name in names if isinstance(name, ast.Name))


def _trees(latex: str, functions: set[str]) -> list[ast.Node]:
    """Return the trees of a symbol; of several with commas between, where it is none itself."""
    whole = _tree(latex, functions)
    parts = [latex] if whole is not None else latex.split(",")
    return [tree for part in parts if (tree := _tree(part, functions)) is not None]


def _tree(latex: str, functions: set[str]) -> ast.Node | None:
    try:
        return read_formula(latex, functions)
    except UnreadError:
        return None


def _spelling(entry: Entry, nodes: list[ast.Node], functions: set[str]) -> Callable[[ast.Node], ast.Node]:
    """Return what writes all formulas of an entry with one name for each thing."""
    symbols = [tree for latex in entry.symbols for tree in _trees(latex, functions)]
    left = [link for node in nodes if isinstance(node, ast.Relation) for link in node.links[:1]]
    changes: list[Callable[[ast.Node], ast.Node]] = [with_layer_marks, with_one_sign, with_running_limit]

    def spelled(node: ast.Node) -> ast.Node:
        for change in changes:
            node = change(node)
        return node

    def names() -> list[ast.Name]:
        return [name for node in (*symbols, *left) if isinstance(name := spelled(node), ast.Name)]

    changes.append(with_usual_indices(map(spelled, (*nodes, *symbols)), list(map(spelled, symbols))))
    changes.append(with_samples_below(sample_letters(map(spelled, (*nodes, *symbols)))))
    changes.append(as_names([*map(spelled, symbols), *squares(map(spelled, left))]))
    changes.append(same_letters(names()))
    told = {key_without_indices(name) for name in names()}
    losses = (LOSSES | {"l"}) - functions_of(nodes)
    changes.append(linear_in_arguments(losses, functions | {"max", "min"}, told))
    changes.append(apart_by_letters(names()))
    return spelled


def functions_of(nodes: Iterable[ast.Node]) -> set[str]:
    """Return the names of functions that equations define."""
    left = (node.links[0] for node in nodes if isinstance(node, ast.Relation))
    return {render(call.function) for call in left if isinstance(call, ast.Call)}
