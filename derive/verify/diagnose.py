"""What is wrong with a claim: the smallest edit of its right side that makes it hold."""

from __future__ import annotations

from collections.abc import Callable

from derive.read import syntax as ast
from derive.read.outline import walk
from derive.read.spelling import render
from derive.verify.edits import edits
from derive.verify.judge import Diagnosis
from derive.verify.rewriting import Vocabulary

BUDGET = 1500  # edits tried


def diagnose(left: ast.Node, right: ast.Node, words: Vocabulary, holds: Callable[[ast.Node], bool]) -> Diagnosis | None:
    """Return the first edit after which the claim holds, or None.

    Args:
        left, right: The claim.
        words: Names that an edit may use.
        holds: Tells whether the claim holds with another right side; it must not raise.
    """
    tried: set[ast.Node] = {right}
    for edit in edits(right, words):
        if edit.node in tried or left in walk(edit.node):  # δ = δ holds and says nothing
            continue
        if len(tried) > BUDGET:
            return None
        tried.add(edit.node)
        if holds(edit.node):
            return Diagnosis(edit.kind, edit.text, f"{render(left)} = {render(edit.node)}")
    return None
