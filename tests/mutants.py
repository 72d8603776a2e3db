"""Wrong answers made from right ones: by the edits that a diagnosis searches, and by others that it does not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from derive.claims.bench import Bench
from derive.claims.in_model import vocabulary
from derive.diagnose.edits import edits
from derive.diagnose.rewriting import rewrites
from derive.meaning.outline import names_in
from derive.read import syntax as ast

OTHER_FUNCTIONS = ("tanh", r"\sigma", "exp", "log")


def by_edits(left: ast.Node, right: ast.Node, bench: Bench, rng: random.Random, count: int) -> list[ast.Node]:
    """A sample of what one edit of a diagnosis makes of a right side."""
    found = [edit.node for edit in edits(right, vocabulary(left, right, bench))]
    return sample(found, right, rng, count)


def by_slips(right: ast.Node, rng: random.Random, count: int) -> list[ast.Node]:
    """A sample of slips that no edit of a diagnosis undoes as such."""
    return sample([node for slip in SLIPS for node in slip(right)], right, rng, count)


def sample(found: list[ast.Node], right: ast.Node, rng: random.Random, count: int) -> list[ast.Node]:
    distinct = [node for node in dict.fromkeys(found) if node != right]
    return rng.sample(distinct, min(count, len(distinct)))


def _exchanged(right: ast.Node) -> Iterator[ast.Node]:
    """Two names change places throughout."""
    names = list(dict.fromkeys(name for name in names_in(right) if name.base.isalpha() and not name.subs))
    for k, one in enumerate(names):
        for other in names[k + 1 :]:
            yield _renamed(right, {one: other, other: one})


def _renamed(node: ast.Node, names: dict[ast.Name, ast.Name]) -> ast.Node:
    if isinstance(node, ast.Name):
        return names.get(node, node)
    return ast.map_children(node, lambda part: _renamed(part, names))


def _doubled_terms(right: ast.Node) -> Iterator[ast.Node]:
    """One term of a sum counts twice."""

    def change(part: ast.Node) -> Iterator[tuple[ast.Node, str]]:
        if isinstance(part, ast.Sum):
            yield replace(part, left=ast.Product("", ast.Number("2"), part.left)), ""
            yield replace(part, right=ast.Product("", ast.Number("3"), part.right)), ""

    yield from (node for node, _ in rewrites(right, change))


def _repeated_factors(right: ast.Node) -> Iterator[ast.Node]:
    """A factor of a Hadamard product is there twice."""

    def change(part: ast.Node) -> Iterator[tuple[ast.Node, str]]:
        if isinstance(part, ast.Product) and part.sign == r"\circ":
            yield ast.Product(r"\circ", part, part.right), ""

    yield from (node for node, _ in rewrites(right, change))


def _squared(right: ast.Node) -> Iterator[ast.Node]:
    """A call is squared, entry by entry."""

    def change(part: ast.Node) -> Iterator[tuple[ast.Node, str]]:
        if isinstance(part, ast.Call):
            yield ast.Power(part, ast.Number("2"), entrywise=True), ""

    yield from (node for node, _ in rewrites(right, change))


def _other_function(right: ast.Node) -> Iterator[ast.Node]:
    """A function takes another's place."""

    def change(part: ast.Node) -> Iterator[tuple[ast.Node, str]]:
        if isinstance(part, ast.Call) and not part.function.subs and len(part.args) == 1:
            for word in OTHER_FUNCTIONS:
                if word != part.function.base and not isinstance(part.args[0], ast.Relation):
                    yield replace(part, function=ast.Name(word, primes=part.function.primes)), ""

    yield from (node for node, _ in rewrites(right, change))


def _shifted_by_one(right: ast.Node) -> Iterator[ast.Node]:
    """A number is added that does not belong there."""

    def change(part: ast.Node) -> Iterator[tuple[ast.Node, str]]:
        if isinstance(part, ast.Call) and len(part.args) == 1 and not isinstance(part.args[0], ast.Relation):
            yield ast.Sum("+", part, ast.Number("1")), ""

    yield from (node for node, _ in rewrites(right, change))


def _root_lost(right: ast.Node) -> Iterator[ast.Node]:
    """A root or a norm's power is forgotten."""

    def change(part: ast.Node) -> Iterator[tuple[ast.Node, str]]:
        if isinstance(part, ast.Call) and part.function.base == "sqrt":
            yield part.args[0], ""
        if isinstance(part, ast.Power) and isinstance(part.base, ast.Norm | ast.Name):
            yield part.base, ""

    yield from (node for node, _ in rewrites(right, change))


SLIPS = (
    _exchanged, _doubled_terms, _repeated_factors, _squared, _other_function, _shifted_by_one, _root_lost,
)  # fmt: skip
