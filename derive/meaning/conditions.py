r"""Conditions on two indices, i = j and i \neq j: in a formula, or in the words before the formulas that need them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from derive.meaning.terms import is_running
from derive.read import syntax as ast

SIGNS = {"=": r"\neq", r"\neq": "="}  # of a condition, and of its opposite
_WORDS = r"if|when|whenever|for|where|case|assum\w+|suppose|consider"
_SAYS = re.compile(rf"(?:\b(?:{_WORDS})\W*(?:that\W*)?|\bcase\W*\w?\W*)$", re.IGNORECASE)
_JOINED = re.compile(r"[\s,;]*(?:if|when|whenever|for|where)\W*$")  # small letters: the sentence goes on
_GOES_ON = re.compile(r"\s*(?:$|[.;)]|,?\s*(?:and|while|whereas|but|otherwise)\b)")
_OTHERWISE = re.compile(r"\b(?:otherwise|else)\b", re.IGNORECASE)
_ENDS = re.compile(r"\b(?:combin\w+|together|in general|summari\w+|kronecker|in both|altogether)\b", re.IGNORECASE)


def condition_on_indices(node: ast.Node | None) -> ast.Relation | None:
    r"""Return a formula if it only says whether two indices are equal: i = j, i \neq j."""
    if not isinstance(node, ast.Relation) or len(node.links) != 2 or node.signs[0] not in SIGNS:
        return None
    return node if all(map(is_running, node.links)) and node.links[0] != node.links[1] else None


def split_condition(node: ast.Relation) -> tuple[ast.Relation, ast.Relation | None]:
    r"""Return a relation without the condition in brackets at its end, and this: a_i = b_j \quad (i \neq j)."""
    last = node.links[-1]
    rest, condition = _without_brackets(last)
    return (node, None) if condition is None else (replace(node, links=(*node.links[:-1], rest)), condition)


def _without_brackets(node: ast.Node) -> tuple[ast.Node, ast.Relation | None]:
    if isinstance(node, ast.Call) and len(node.args) == 1:
        condition = condition_on_indices(node.args[0])
        return (node, None) if condition is None else (node.function, condition)
    if isinstance(node, ast.Product):
        condition = condition_on_indices(node.right)
        if condition is not None:
            return node.left, condition
        rest, condition = _without_brackets(node.right)
        return replace(node, right=rest), condition
    if isinstance(node, ast.Sum):
        rest, condition = _without_brackets(node.right)
        return replace(node, right=rest), condition
    if isinstance(node, ast.Neg):
        rest, condition = _without_brackets(node.arg)
        return ast.Neg(rest), condition
    return node, None


@dataclass(slots=True)
class Spoken:
    """The condition that the words of a section have come to: "If $i = j$, …  Otherwise, …"."""

    condition: ast.Relation | None = None
    section: int = -1

    def hears(self, words: str, section: int) -> None:
        """Take in the words before a formula: they may say the opposite of what was said, or end it."""
        if section != self.section or _ENDS.search(words):
            self.condition, self.section = None, section
        elif self.condition is not None and _OTHERWISE.search(words):
            self.condition = replace(self.condition, signs=(SIGNS[self.condition.signs[0]],))

    def takes(self, condition: ast.Relation, before: str, after: str) -> bool:
        """Keep a condition that stands alone in the text for what follows; tell whether it is said of no other formula.

        "$a = b$ if $i = j$ and …" is said of what precedes, "If $i = j$, …" and "Case $i = j$: …" of what follows.
        """
        if not _SAYS.search(before.rstrip()):
            return True
        joined = _JOINED.match(before) is not None
        self.condition = None if joined else condition
        return not joined or _GOES_ON.match(after) is None
