"""Claims files: one claim a line as JSON, with the equations that it speaks of and the shapes of their symbols."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from derive.cases.case import Case, Symbol, defined_by, make_case
from derive.cases.layers_below import layer_below, respelled_below, with_layers_above
from derive.cases.probabilities import LETTERS
from derive.cases.slices import names_rows, sliced, with_slices
from derive.errors import DeriveError, UnreadError
from derive.markup.blocks import Formula
from derive.markup.page import load_text
from derive.meaning.kinds import is_loss_name
from derive.meaning.outline import Equation, Outline, Place, pairs, sides_in, take, with_sides
from derive.meaning.terms import Function
from derive.notation import bare_letter
from derive.read import syntax as ast
from derive.read.latex import defined_functions, letters_always_applied, read_formula, read_statements

LYING, STANDING = "rows of matrices lie", "rows of matrices stand, as all vectors do"
ANY_LOSS = frozenset(["l", r"\ell"])  # letters of functions of which nothing needs to be said
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


def _losses(entry: Entry, functions: set[str], left: Iterable[ast.Node]) -> set[str]:
    """Return the functions that are told to be scalar, and the letters that can only be so: nothing is said of them.

    `left` are the left sides of all equations: what is defined there has a meaning.
    """
    scalar = {latex for latex, told in entry.symbols.items() if told.get("function") and told.get("maps") == "scalar"}
    return (functions & (ANY_LOSS - entry.symbols.keys() | scalar)) - defined_by(left)


def has_layers_below(entry: Entry) -> bool:
    """Tell whether letters below names count the layers of an entry's model.

    Raises:
        UnreadError: a formula is not understood.
    """
    functions = functions_of(entry)
    nodes = [statement.node for latex in entry.model for statement in read_statements(latex, functions)]
    return layer_below(sides for node in nodes if isinstance(node, ast.Relation) for sides in pairs(node)) != ""


def sides_of(entry: Entry) -> tuple[str, str]:
    """Return both sides of a claim as they are written."""
    left, _, right = entry.claim.partition("=")
    return left.strip(), right.strip()


def functions_of(entry: Entry) -> set[str]:
    """Return the names in an entry that are functions: those that it defines, and those that are told to be."""
    formulas = (*entry.model, entry.claim)
    functions = {name for latex in formulas for name in defined_functions(latex)}
    if entry.symbols:  # where shapes are told, a letter that is no array and stands before brackets alone is applied
        applied = {letter for letter in letters_always_applied(entry.model) if not is_loss_name(letter)}
        applied -= {bare_letter(latex) for latex in entry.symbols} | LETTERS
        functions |= (applied & letters_always_applied(formulas)) | (ANY_LOSS & letters_always_applied(entry.model))
    return functions | {latex for latex, told in entry.symbols.items() if told.get("function")}


def read_entry(entry: Entry, lying: bool = True) -> Case:
    """Read an entry's formulas.

    Args:
        entry: The entry.
        lying: Whether the rows that its claims name are rows, not columns.

    Raises:
        UnreadError: one of them is not understood.
    """
    functions = functions_of(entry)
    place = Place((), 0, "", entry.line, 1)
    model = [statement for latex in entry.model for statement in read_statements(latex, functions)]
    found = Outline(headings={0: ()})
    for statement in model:
        take(statement, Formula(statement.latex, entry.line, 1, True), place, found)
    claims: list[Equation] = []
    for statement in read_statements(entry.claim, functions):
        if not isinstance(statement.node, ast.Relation):
            raise UnreadError("the claim is no equation", statement.column)
        claims += [Equation(left, right, entry.claim, place) for left, right in pairs(statement.node)]
    loose: list[ast.Node] = [statement.node for statement in model if not isinstance(statement.node, ast.Relation)]
    symbols = [_symbol(latex, told, functions) for latex, told in entry.symbols.items()]
    written = sides_in((*claims, *found.equations))
    rows = names_rows(sides_in(claims))
    notes = (LYING if lying else STANDING,) if rows else ()
    found = replace(found, equations=[with_sides(equation, with_slices) for equation in found.equations])
    claims = [sliced(claim, lying) for claim in claims]
    letter = layer_below((equation.left, equation.right) for equation in found.equations)
    change = with_layers_above(written, letter)
    found = replace(found, equations=[with_sides(equation, change) for equation in found.equations])
    claims = [with_sides(claim, change) for claim in claims]
    loose = [change(node) for node in loose]
    symbols = [told.with_trees(change) for told in symbols]
    losses = _losses(entry, functions, (equation.left for equation in (*found.equations, *claims)))
    case = make_case(found, claims, loose, symbols, functions - losses, entry.layout, losses)
    case = respelled_below(case, letter, change, written)
    case = replace(case, notes=(*case.notes, *notes))
    known = losses | {name for _, name, _, _ in case.facts.functions}
    told = (latex for latex, told in entry.symbols.items() if told.get("function") and latex not in known)
    case.facts.functions.extend((0, latex, Function(), place) for latex in told)
    return case


def _symbol(latex: str, told: Mapping[str, Any], functions: set[str]) -> Symbol:
    """Return what an entry tells of a symbol; of several with commas between, where it is none itself."""
    whole = _tree(latex, functions)
    parts = [latex] if whole is not None else latex.split(",")
    trees = tuple(tree for part in parts if (tree := _tree(part, functions)) is not None)
    shape = told.get("shape")
    given = tuple(map(str, shape)) if isinstance(shape, list) and not told.get("function") else None
    return Symbol(trees, given, str(told.get("domain") or ""))


def _tree(latex: str, functions: set[str]) -> ast.Node | None:
    try:
        return read_formula(latex, functions)
    except UnreadError:
        return None
