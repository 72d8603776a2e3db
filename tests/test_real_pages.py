"""Excerpts of public notes whose claims are labelled: none is judged wrongly, and many are judged rightly."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest

from derive.claims.in_model import JudgedClaim
from derive.errors import DeriveError
from derive.meaning.facts import Facts
from derive.meaning.outline import pairs
from derive.read import syntax as ast
from derive.read.latex import Statement, defined_functions, read_parts
from derive.read.spelling import render
from derive.workbook import Workbook

CORPUS = Path(__file__).parents[2] / "shared" / "corpus" / "docs"
GOOD, FALSE = ("proved", "verified"), ("refuted", "ill-typed")
NEAR = 10  # lines between a label and the claim


def spelled(latex: str, functions: Collection[str] = ()) -> set[tuple[str, str]]:
    """Both sides of the equations in a formula, as reports spell them; `functions` are those of its page."""
    found: set[tuple[str, str]] = set()
    try:
        for part in read_parts(latex, {*functions, *defined_functions(latex)}):
            if isinstance(part, Statement) and isinstance(part.node, ast.Relation):
                found |= {(render(left), render(right)) for left, right in pairs(part.node)}
    except DeriveError:
        pass  # a label that is not read is not found
    return found


def found_on(label: dict[str, Any], claims: Sequence[JudgedClaim], facts: Facts) -> list[str]:
    """The verdicts on a label's claim: near its line, else on the page, else as two links of one chain."""
    text = f"{label['lhs']} = {label['rhs']}"
    sides = spelled(text) | spelled(text, {name for _, name, _, _ in facts.functions})
    short = {render(derivative): name for _, name, derivative in facts.cotangents}  # a name for what it is
    sides |= {(short[left], right) for left, right in sides if left in short}
    same = [claim for claim in claims if (claim.lhs, claim.rhs) in sides]
    near = [claim for claim in same if abs(claim.place.line - label["line"]) <= NEAR] or same
    if near:
        return [claim.verdict.verdict for claim in near]
    chains: dict[tuple[int, str], dict[str, str]] = {}
    for claim in claims:
        chains.setdefault((claim.place.line, claim.lhs), {})[claim.rhs] = claim.verdict.verdict
    linked = [(chain[left], chain[right]) for chain in chains.values() for left, right in sides
              if left in chain and right in chain]  # fmt: skip
    return [words[1] for words in linked if words[0] in GOOD or words[1] in FALSE]


def test_no_labelled_claim_of_a_page_is_judged_wrongly() -> None:
    if not CORPUS.exists():
        pytest.skip("the corpus of real pages is not beside this checkout")
    counts: Counter[str] = Counter()
    for labels in sorted(CORPUS.glob("*.json")):
        told = json.loads(labels.read_text(encoding="utf-8"))
        book = Workbook(labels.with_name(told["doc"]))
        claims = list(book.judged())
        for label in told["expected"]:
            found = found_on(label, claims, book.facts)
            counts[check(label["truth"], found, (told["doc"], label["line"]))] += 1
    assert counts["right"] >= 115 and counts["missing"] <= 10, counts


def check(truth: bool, found: Sequence[str], place: tuple[str, int]) -> str:
    words = {*found}
    assert not words & {*(FALSE if truth else GOOD)}, (place, found)
    return "right" if words & {*(GOOD if truth else FALSE)} else "open" if found else "missing"
