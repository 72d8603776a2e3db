"""Excerpts of public notes whose claims are labelled: none is judged wrongly, and many are judged rightly."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from derive.claims.in_model import JudgedClaim
from derive.errors import DeriveError
from derive.meaning.outline import pairs
from derive.read import syntax as ast
from derive.read.latex import Statement, defined_functions, read_parts
from derive.read.spelling import render
from derive.workbook import Workbook

CORPUS = Path(__file__).parents[2] / "shared" / "corpus" / "docs"
GOOD, FALSE = ("proved", "verified"), ("refuted", "ill-typed")
NEAR = 10  # lines between a label and the claim


def spelled(latex: str) -> set[tuple[str, str]]:
    """Both sides of the equations in a formula, as reports spell them."""
    found: set[tuple[str, str]] = set()
    try:
        for part in read_parts(latex, set(defined_functions(latex))):
            if isinstance(part, Statement) and isinstance(part.node, ast.Relation):
                found |= {(render(left), render(right)) for left, right in pairs(part.node)}
    except DeriveError:
        pass  # a label that is not read is not found
    return found


def test_no_labelled_claim_of_a_page_is_judged_wrongly() -> None:
    if not CORPUS.exists():
        pytest.skip("the corpus of real pages is not beside this checkout")
    counts: Counter[str] = Counter()
    for labels in sorted(CORPUS.glob("*.json")):
        told = json.loads(labels.read_text(encoding="utf-8"))
        claims = list(Workbook(labels.with_name(told["doc"])).judged())
        for label in told["expected"]:
            sides = spelled(f"{label['lhs']} = {label['rhs']}")
            near = [claim for claim in claims if abs(claim.place.line - label["line"]) <= NEAR]
            found = [claim for claim in near if (claim.lhs, claim.rhs) in sides]
            counts[check(label["truth"], found, told["doc"])] += 1
    assert counts["right"] >= 109, counts


def check(truth: bool, found: list[JudgedClaim], page: str) -> str:
    words = {claim.verdict.verdict for claim in found}
    assert not words & {*(FALSE if truth else GOOD)}, (page, found)
    return "right" if words & {*(GOOD if truth else FALSE)} else "open" if found else "missing"
