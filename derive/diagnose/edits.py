"""The small edits of a formula that a diagnosis tries, the most usual errors first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from derive.diagnose.entry_edits import axes, complements, exchanged_indices, missing_entries, missing_sums, sums
from derive.diagnose.rewriting import Edit, Vocabulary
from derive.diagnose.slips import (
    dropped,
    exchanged,
    factors,
    functions,
    indices,
    missing_names,
    missing_terms,
    numbers,
    other_names,
    powers,
    scaled_parts,
    scales,
)  # fmt: skip
from derive.diagnose.structural import (
    inverses,
    layers,
    orders,
    primes,
    products,
    signs,
    slope_places,
    softmaxes,
    symmetric_only,
    transposes,
    turned_products,
)  # fmt: skip
from derive.read import syntax as ast


def edits(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Yield edits, the most usual errors first; pairs of structural edits last."""
    yield from axes(node)
    structural = [edit for make in (signs, transposes, products, orders) for edit in make(node)]
    yield from structural
    yield from slope_places(node, words)
    yield from layers(node, words)
    yield from exchanged_indices(node)
    yield from turned_products(node)
    yield from symmetric_only(node)
    yield from primes(node)
    yield from inverses(node)
    yield from softmaxes(node, words)
    yield from sums(node)
    yield from missing_sums(node)
    yield from scales(node, words)
    yield from factors(node, words)
    yield from dropped(node)
    yield from numbers(node, words)
    yield from powers(node, words)
    yield from missing_entries(node, words)
    yield from complements(node)
    yield from functions(node, words)
    yield from missing_terms(node, words)
    yield from scaled_parts(node, words)
    yield from indices(node)
    yield from missing_names(node, words)
    yield from other_names(node, words)
    yield from exchanged(node)
    for first in signs(node):
        for second in powers(first.node, words):
            yield Edit(second.node, f"{first.kind}, {second.kind}", f"{first.text}; {second.text}")
    for first in structural:
        for make in (transposes, products, orders, signs):
            for second in make(first.node):
                if second.node != node:
                    kind = first.kind if first.kind == second.kind else f"{first.kind}, {second.kind}"
                    yield Edit(second.node, kind, f"{first.text}; {second.text}")


def undone_derivative(left: ast.Node, right: ast.Node) -> Iterator[Edit]:
    """Differentiate a right side that is what the left one differentiates."""
    if isinstance(left, ast.Derivative):
        yield Edit(replace(left, of=right), "derivative missing", "the right side is not differentiated yet")
