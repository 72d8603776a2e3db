"""Edits of formulas about entries: indices exchanged, sums over an index, entries that are missing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from derive.diagnose.rewriting import Change, Edit, Vocabulary, rewrites
from derive.meaning.outline import walk
from derive.meaning.terms import is_running
from derive.read import syntax as ast
from derive.read.spelling import render

MOST_LETTERS = 4  # of a formula whose indices are exchanged


def letters_of(node: ast.Node) -> list[ast.Node]:
    """Return the running indices in a formula."""
    parts = [part for part in walk(node) if isinstance(part, ast.Name | ast.Entry)]
    return sorted({sub for part in parts for sub in part.subs if is_running(sub)}, key=render)


def exchanged_indices(node: ast.Node) -> Iterator[Edit]:
    """Let two indices change places: throughout, and in each product."""
    letters = letters_of(node)[:MOST_LETTERS]

    def change(part: ast.Node) -> Change:
        if part is not node and not isinstance(part, ast.Product):
            return
        for one, other in itertools.combinations(letters, 2):
            new = with_indices(part, {one: other, other: one})
            if new != part:
                yield new, f"the indices ${render(one)}$ and ${render(other)}$ are exchanged in ${render(part)}$"

    for new, text in rewrites(node, change):
        yield Edit(new, "index", text)


def with_indices(node: ast.Node, indices: Mapping[ast.Node, ast.Node]) -> ast.Node:
    """Return a formula with other indices."""
    if not isinstance(node, ast.Name):
        node = ast.map_children(node, lambda part: with_indices(part, indices))
    if isinstance(node, ast.Name | ast.Entry):
        return replace(node, subs=tuple(indices.get(sub, sub) for sub in node.subs))
    return node


def sums(node: ast.Node) -> Iterator[Edit]:
    """Leave out a sum; one that is missing leaves an index without meaning, and the claim unread."""

    def drop(part: ast.Node) -> Change:
        if isinstance(part, ast.Big) and part.kind == "sum":
            yield part.body, f"the sum over ${'an index' if part.index is None else render(part.index)}$ must go"

    for new, text in rewrites(node, drop):
        yield Edit(new, "extra sum", text)


def axes(node: ast.Node) -> Iterator[Edit]:
    """Sum along the other axis."""

    def turn(part: ast.Node) -> Change:
        if isinstance(part, ast.Keyword) and part.name == "axis" and part.value in (ast.Number("0"), ast.Number("1")):
            value = ast.Number("1" if part.value == ast.Number("0") else "0")
            yield replace(part, value=value), f"the sum is to be taken along axis {value.text}"

    for new, text in rewrites(node, turn):
        yield Edit(new, "axis of a sum", text)


def missing_sums(node: ast.Node) -> Iterator[Edit]:
    """Sum a matrix along its columns or its rows."""
    one = ast.Name(r"\mathbf{1}")
    if not letters_of(node):
        for whole, which in ((ast.Transpose(node), "rows"), (node, "columns")):
            text = f"the sum over the {which} of ${render(node)}$ is missing"
            yield Edit(ast.Product("", whole, one), "missing sum", text)


def missing_entries(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Multiply by an entry of a name, or by a derivative at one."""
    letters = letters_of(node)
    slopes = [
        replace(call, args=(replace(at, subs=(*at.subs, letter)),))
        for call in words.slopes
        if len(call.args) == 1 and isinstance(at := call.args[0], ast.Name) and not any(map(is_running, at.subs))
        for letter in dict.fromkeys([*words.free, *letters])
    ]

    def change(part: ast.Node, factors: Sequence[ast.Node]) -> Change:
        if part is node or isinstance(part, ast.Big):
            for factor in factors:
                text = f"the factor ${render(factor)}$ is missing"
                if isinstance(part, ast.Big):
                    yield replace(part, body=ast.Product("", part.body, factor)), text
                else:
                    yield ast.Product("", part, factor), text

    missing: tuple[tuple[str, Sequence[ast.Node]], ...] = (
        ("missing derivative", slopes), ("missing factor", words.entries),
    )  # fmt: skip
    for kind, factors in missing if letters else ():
        for new, text in rewrites(node, partial(change, factors=factors)):
            yield Edit(new, kind, text)


def complements(node: ast.Node) -> Iterator[Edit]:
    """Multiply a name by what it lacks to one: y (1 - y)."""

    def change(part: ast.Node) -> Change:
        if isinstance(part, ast.Name | ast.Call):
            rest = ast.Sum("-", ast.Number("1"), part)
            for sign in ("", r"\circ"):
                yield ast.Product(sign, part, rest), f"${render(part)}$ lacks the factor ${render(rest)}$"

    for new, text in rewrites(node, change):
        yield Edit(new, "missing factor", text)
