"""Signs of a claim that are also used in another sense: what is false as it was read may be right as it is meant."""

from __future__ import annotations

from derive.cases.backward import is_delta
from derive.claims.bench import Bench, right_side
from derive.errors import DeriveError
from derive.meaning.facts import key_without_indices
from derive.meaning.outline import Equation, names_in, walk
from derive.meaning.terms import is_running
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.shapes import axes
from derive.verify.judge import FALSE, Verdict

ONE = ast.Number("1")


def other_sense(claim: Equation, verdict: Verdict, bench: Bench) -> str:
    """Say in which other sense a claim may be meant than in that in which it was judged; "" where there is none."""
    parts = [*walk(claim.left), *walk(claim.right)]
    if ast.Transpose(ONE) in walk(claim.left):
        return "what the transpose of 1 is, is not said"
    if verdict.verdict not in FALSE:
        return ""
    products = [part for part in parts if isinstance(part, ast.Product)]
    powers = [part for part in parts if isinstance(part, ast.Power) and isinstance(part.exponent, ast.Number)]
    if any(part.sign == r"\otimes" for part in products):
        return r"$\otimes$ may be the product of entries, the outer or the Kronecker product"
    if any(is_delta(part.base) for part in powers):
        return r"whether a number above $\delta$ is a layer or a power is not said"
    if ast.Transpose(ONE) in parts or any(part.right == ONE and part.sign in ("", r"\cdot") for part in products):
        return "whether 1 is the number or the vector of ones is not said"
    if claim.right == ast.Number("0"):
        return "whether 0 is the number or the array of zeros is not said"
    if verdict.verdict == "ill-typed" and _is_second(claim.left) and _is_number(claim, bench):
        return "whether the matrix of second derivatives or its trace is meant is not said"
    stack = _stack(claim, bench) if verdict.verdict == "ill-typed" else ""
    return f"whether ${stack}$ is a row or a column is not said" if stack else ""


def _stack(claim: Equation, bench: Bench) -> str:
    """Return a name of a claim that is a row or a column of a matrix, z_i of Z; "" where there is none."""
    for name in names_in(claim.right):
        var = bench.names.get(key_without_indices(name))
        if var is not None and len(name.subs) == 1 and is_running(name.subs[0]) and len(axes(var.shape)) == 2:
            return render(name)
    return ""


def _is_second(left: ast.Node) -> bool:
    return isinstance(left, ast.Derivative) and isinstance(left.of, ast.Derivative)


def _is_number(claim: Equation, bench: Bench) -> bool:
    """Tell whether the right side of a claim is a number, as far as it can be told."""
    try:
        return not right_side(claim, bench).shape
    except DeriveError:
        return False
