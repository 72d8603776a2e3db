"""Recurrences in the entries of a claims file: found by their equations, ready to be written out for a few steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from derive.cases.claims_file import Entry, functions_of
from derive.cases.instances import Sides, Unrolled
from derive.cases.steps import Steps, count_of, split, steps_of
from derive.errors import UnreadError
from derive.meaning.naming import plain
from derive.meaning.outline import EQUALS, pairs, walk
from derive.read import syntax as ast
from derive.read.latex import read_formula, read_statements
from derive.read.spelling import render


def unroll(entry: Entry) -> Unrolled | None:
    """Return an entry whose model is a recurrence, ready to be written out for some steps; None for any other.

    Raises:
        UnreadError: a formula is not understood.
    """
    functions = functions_of(entry)
    equations = [sides for latex in entry.model for sides in _equations(latex, functions)]
    definitions = [(left, right) for left, right in equations if _defines(left, right)]
    steps = steps_of(definitions)
    if steps is None:
        return None
    given = [sides for sides in definitions if _is_start(sides, steps)]
    rest = tuple(sides for sides in definitions if sides not in given)
    for _, right in rest:
        for part in walk(right):
            if isinstance(part, ast.Call) and len(part.args) > 1 and _looks_back(part, steps):
                raise UnreadError(f"${render(part)}$: what function of the step before it is, is not said")
    claims = tuple(_equations(entry.claim, functions))
    entry = replace(entry, symbols=_one_by_one(entry.symbols, functions))
    return Unrolled(entry, frozenset(functions), rest, claims, steps, bool(given)) if claims else None


def _one_by_one(symbols: Mapping[str, Mapping[str, Any]], functions: set[str]) -> dict[str, Mapping[str, Any]]:
    """Return what is told of each symbol that has a shape, also of several with commas between.

    Raises:
        UnreadError: a shape or a symbol is not understood.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for latex, told in symbols.items():
        shape = told.get("shape")
        if not told.get("function") and not isinstance(shape, list):
            continue
        for part in latex.split(",") if isinstance(read_formula(f"({latex})", functions), ast.Group) else [latex]:
            found[part.strip()] = {**told, "shape": list(map(str, shape or ()))}
    return found


def _equations(latex: str, functions: set[str]) -> list[Sides]:
    nodes = [statement.node for statement in read_statements(latex, functions)]
    nodes = [node.body if isinstance(node, ast.Where) else node for node in nodes]
    chains = [node for node in nodes if isinstance(node, ast.Relation) and all(sign in EQUALS for sign in node.signs)]
    return [sides for chain in chains for sides in pairs(chain)]


def _defines(left: ast.Node, right: ast.Node) -> bool:
    """Tell whether an equation defines a name or a function, as `sort_equations` has it: other equations claim."""
    if isinstance(left, ast.Name) and left.base in (r"\delta", r"\Delta"):
        return isinstance(right, ast.Derivative)
    return isinstance(left, ast.Name | ast.Call)


def _is_start(sides: Sides, steps: Steps) -> bool:
    """Tell whether an equation says that what is given before the first step is zero."""
    left, right = sides
    found = split(left, steps.stepped) if isinstance(left, ast.Name) else None
    count = count_of(found[1], {}) if found is not None else None
    return count is not None and count < steps.first and plain(render(right)) == "0"


def _looks_back(node: ast.Call, steps: Steps) -> bool:
    indices = [found[1] for part in walk(node) if isinstance(part, ast.Name) and (found := split(part, steps.stepped))]
    return any(isinstance(index, ast.Sum) for index in indices)
