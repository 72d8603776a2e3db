r"""Claims that are made for equal or for different indices alone, as claims about all indices."""

from __future__ import annotations

from dataclasses import replace

from derive.meaning.outline import Equation, walk
from derive.read import syntax as ast
from derive.verify.judge import Verdict

BOUND = Verdict("unread", "an index of its condition is that of a sum, too")
INDICATORS = frozenset([r"\delta", r"\mathbb{1}", r"\mathbf{1}", "1", r"\mathbb{I}", "I"])


def for_all_indices(claim: Equation) -> Equation | None:
    r"""Return a claim that speaks of all indices and says what another says under its condition.

    For i = j, one letter stands for both. For i \neq j, where i = j the right side is what the left side is.

    >>> from derive.meaning.outline import Place
    >>> from derive.read.latex import read_formula
    >>> y, only = read_formula("y_j"), read_formula("i = j")
    >>> for_all_indices(Equation(y, y, "", Place((), 0, "", 1, 1), only=only)).left == read_formula("y_i")
    True

    Returns:
        The claim as it is where it has no condition, or tells the cases apart itself; None where an index of the
        condition is also that of a sum.
    """
    if claim.only is None or any(map(_tells_apart, (*walk(claim.left), *walk(claim.right)))):
        return claim
    (kept, other), (sign,) = claim.only.links, claim.only.signs
    if sign != "=":
        apart = ast.Cases(((claim.right, claim.only), (claim.left, None)))
        return replace(claim, right=apart, only=None)
    bound = [part.index for side in (claim.left, claim.right) for part in walk(side) if isinstance(part, ast.Big)]
    if kept in bound or other in bound:
        parts = {*walk(claim.left)}
        return None if {kept, other} <= parts else replace(claim, only=None)  # an index of a sum alone is any
    left, right = (ast.with_parts(side, {other: kept}) for side in (claim.left, claim.right))
    return replace(claim, left=left, right=right, only=None)


def _tells_apart(part: ast.Node) -> bool:
    r"""Tell whether a part of a formula says itself what holds for equal indices: \delta_{ij}, cases."""
    if isinstance(part, ast.Cases):
        return True
    return isinstance(part, ast.Name) and part.base in INDICATORS and len(part.subs) == 2
