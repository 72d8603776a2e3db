"""Signs of a claim that are also used in another sense: what is false as it was read may be right as it is meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from derive.cases.backward import is_delta
from derive.claims.bench import Bench, right_side
from derive.errors import DeriveError
from derive.meaning.facts import GREEK_DELTA, Facts, key_without_indices
from derive.meaning.kinds import is_loss_name
from derive.meaning.naming import plain
from derive.meaning.outline import Equation, derivatives_in, names_in, walk
from derive.meaning.terms import is_running
from derive.notation import bare_letter
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.read.vocabulary import ONES
from derive.shapes import axes
from derive.verify.judge import FALSE, Verdict

ZERO, ONE = ast.Number("0"), ast.Number("1")
SYMMETRIC = re.compile(r"symmetric|covariance|positive[- ](?:semi)?definite|diagonal matri", re.IGNORECASE)
CONSTANTS = (ONE, ast.Name("I"), ast.Name(r"\mathbf{I}"))
COUNTS = frozenset("mnMN")  # letters of sizes


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
    if claim.right == ZERO:
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


# ---------------------------------------------------------------- pages
def sense_on_page(claim: Equation, verdict: Verdict, facts: Facts, prose: Iterable[str]) -> str:
    """Say in which other sense a page may mean what is false as it was read; "" where there is none.

    `prose` are the words of its sections.
    """
    shapes = _senses_of_shapes(claim, verdict, facts) if verdict.verdict == "ill-typed" else ()
    return next((text for found in (_senses(claim, verdict, facts, prose), shapes) for text in found), "")


def _senses(claim: Equation, verdict: Verdict, facts: Facts, prose: Iterable[str]) -> Iterator[str]:
    transposed = verdict.diagnosis is not None and re.search("symmetric|transpose", verdict.diagnosis.kind) is not None
    if transposed and any(map(_may_be_matrix, names_in(claim.right))) and any(map(SYMMETRIC.search, prose)):
        yield "it holds for symmetric matrices, and the page speaks of some"
    if stack := _stack_of_capital(claim, facts):
        yield f"whether ${stack}$ is a row or a column of its matrix is not said"
    for name, value in verdict.counterexample.symbols.items() if verdict.counterexample is not None else ():
        if name in COUNTS and isinstance(value, float):
            yield f"whether ${name}$ is the number of terms of a sum is not said"
    backward = bool(derivatives_in(claim.left) or derivatives_in(claim.right))
    if claim.right == ZERO or (claim.right in CONSTANTS and not backward):
        yield f"that it is ${render(claim.right)}$ may be a condition, and no claim"
    of_point = any(isinstance(part, ast.Call) for part in walk(claim.left)) or not backward
    if verdict.verdict == "refuted" and of_point and not names_in(claim.right):
        yield "it may be the value at a point"
    function = render(claim.left.function) if isinstance(claim.left, ast.Call) else ""
    lines = (at.line for _, name, _, at in facts.functions if name == function)
    if not backward and any(line > claim.stands.line for line in lines):
        yield "the page defines the function anew further below"
    key = key_without_indices(claim.left) if isinstance(claim.left, ast.Name) else ""
    line = next((item.equation.place.line for item in facts.definitions if item.key == key), claim.place.line)
    if line != claim.place.line:
        yield f"line {line} defines ${key}$; here it may be called anew"


def _senses_of_shapes(claim: Equation, verdict: Verdict, facts: Facts) -> Iterator[str]:
    names = [*names_in(claim.left), *names_in(claim.right)]
    if any(name.base in ONES for name in names):
        yield "whether 1 is the number, the vector or the matrix of ones is not said"
    parts = [*walk(claim.left), *walk(claim.right)]
    primed = any(isinstance(part, ast.Call) and part.function.primes for part in parts)
    backward = primed or any(isinstance(part, ast.Derivative) for part in parts)
    deltas = {GREEK_DELTA, r"\Delta", *(name for _, name, _ in facts.cotangents)}
    if not backward and not any({name.base, render(name)} & deltas for name in names):
        yield f"the shapes of its letters may be others here: {verdict.reason}"


def _stack_of_capital(claim: Equation, facts: Facts) -> str:
    """Return a vector with one running index that stands for a row or a column of the matrix named by its capital."""
    defined = [side for item in facts.definitions if item.section == claim.place.section
               for side in (item.equation.left, item.equation.right)]  # fmt: skip
    names = names_in(claim.left) + names_in(claim.right)
    capitals = {bare_letter(name.base) for name in names if not (name.subs or is_loss_name(render(name)))}
    for name in (name for side in (claim.left, claim.right, *defined) for name in names_in(side)):
        letter = bare_letter(name.base)
        if letter.islower() and letter.upper() in capitals and len(name.subs) == 1 and is_running(name.subs[0]):
            return render(name)
    return ""


def _may_be_matrix(name: ast.Name) -> bool:
    """Tell whether a name has a capital letter, also a Greek one: that of a matrix."""
    return plain(name.base).lstrip("\\")[:1].isupper()
