"""Claims that need no model: they say themselves what they differentiate, or are of functions of one number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from derive.cases.case import Case
from derive.claims.bench import Bench
from derive.claims.formulas import judge_formula, judge_slope, judge_slopes
from derive.claims.in_model import Page, judge_claim
from derive.claims.own_model import Own, Quantities, bench_of, laid_out
from derive.errors import DeriveError
from derive.expr import Var
from derive.meaning.facts import Facts, is_value
from derive.meaning.kinds import UNNAMED, numbers
from derive.meaning.naming import in_one_font, with_one_sign
from derive.meaning.outline import Equation, Outline, derivatives_in, names_in
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.shapes import axes
from derive.verify.judge import FALSE, GOOD, Diagnosis, Verdict

LAYOUT = {
    "numerator": "numerator layout: the gradient of a number has the shape of the transposed variable",
    "denominator": "the gradient of a number has the shape of the variable",
}
MOST_AXES = 2  # of a derivative that is written as a matrix


def judge_alone(claim: Equation, found: Outline, facts: Facts, layout: str) -> Verdict | None:
    """Judge a claim of a page that says itself what it differentiates: d/dx (x^T A x); None for any other.

    Which letters are vectors and matrices is what they usually are, or what the page says.
    """
    left = with_one_sign(claim.left)
    claim = replace(claim, left=left, right=in_one_font(left, claim.right))
    of = left.of if isinstance(left, ast.Derivative) else None
    for judge in (judge_slopes, judge_formula):
        verdict = _judged_by(judge, Case(found, facts, (claim,), layout=layout), claim)
        if verdict is not None:
            return verdict
    if isinstance(left, ast.Call) and left.function.primes and all(map(is_value, left.args)):
        return Verdict("unread", "the value of a derivative at a point is not read; say what the derivative is")
    if isinstance(left, ast.Call) or (isinstance(of, ast.Call) and all(isinstance(arg, ast.Name) for arg in of.args)):
        others = set(names_in(claim.right)) - set(names_in(left))
        return None if others else _judged_by(judge_slope, Case(found, facts, (claim,)), claim)
    if not isinstance(left, ast.Derivative) or isinstance(left.of, ast.Name | ast.Derivative):
        return None
    found = replace(found, declared={**numbers([claim.left, claim.right]), **found.declared})
    case = Case(found, facts, (claim,), layout=layout)
    own = _own(claim, case)
    verdict = _judge_own(own, case, claim)
    if verdict.verdict in FALSE and found.declared:  # what is said of a letter may be said of another formula
        free = _judge_own(own, replace(case, found=replace(found, declared={})), claim)
        verdict = free if free.verdict not in FALSE else verdict
    return replace(verdict, assumptions=(*verdict.assumptions, LAYOUT[layout]))


def _own(claim: Equation, case: Case) -> Own:
    """Return a claim with the formula that it differentiates as a definition of its own."""
    return Quantities(Facts(functions=case.facts.functions), []).own(claim)


def _judged_by(judge: Callable[[Case, Equation], Verdict | None], case: Case, claim: Equation) -> Verdict | None:
    """Judge a claim about a function; unread where its formula is not."""
    try:
        return judge(case, claim)
    except DeriveError as error:
        return Verdict("unread", str(error))


def _judge_own(own: Own, case: Case, claim: Equation) -> Verdict:
    def judged(written: Equation) -> Equation:
        return laid_out(_own(written, case).claim, bench)

    try:
        bench = bench_of(own, case)
        wrt = derivatives_in(own.claim.left)[0].wrt
        of, by = (bench.names.get(key) for key in (UNNAMED, "" if wrt is None else render(wrt)))
        if of is not None and by is not None and len(axes(of.shape)) + len(axes(by.shape)) > MOST_AXES:
            return _of_many_axes(own, case, claim, by) if len(axes(by.shape)) == MOST_AXES else _unread_axes(by)
        return judge_claim(laid_out(own.claim, bench), bench, Page(claim, judged))
    except DeriveError as error:
        return Verdict("unread", str(error))


# ---------------------------------------------------------------- derivatives of matrices by matrices
def _unread_axes(by: Var) -> Verdict:
    return Verdict("unread", f"the derivative of a matrix by ${by.latex}$ has more than two axes")


def _of_many_axes(own: Own, case: Case, claim: Equation, by: Var) -> Verdict:
    """Judge a claim that writes what has more than two axes as a matrix: false where no usual sense makes it hold.

    The letter may stand for a vector, and a constant factor for what the chain rule multiplies by.
    """
    none = _unread_axes(by)
    wrt = derivatives_in(own.claim.left)[0].wrt
    assert wrt is not None
    lone = replace(case, found=replace(case.found, declared={**case.found.declared, render(wrt): (r"\nu_1",)}))
    verdicts = [_judge_own(own, replace(lone, layout=layout), claim) for layout in LAYOUT]
    refuted = [verdict for verdict in verdicts if verdict.verdict == "refuted"]
    if refuted and all(verdict.verdict in FALSE for verdict in verdicts):
        told = f"${by.latex}$ is a vector; if it is a matrix, {none.reason}, and the right side two"
        return replace(refuted[0], assumptions=(*refuted[0].assumptions, told))
    traced = _traced(claim)
    if wrt in names_in(claim.right) and _is_matrix_beside(claim, wrt, case):
        held = _judge_own(_own(traced, case), case, traced)
        if held.verdict in GOOD:
            corrected = f"{render(traced.left)} = {render(traced.right)}"
            mended = Diagnosis("missing trace", "it holds of the trace of the matrix", corrected)
            return Verdict("ill-typed", f"{none.reason}, and the right side two", diagnosis=mended)
    return none


def _traced(claim: Equation) -> Equation:
    """Return a claim with the trace of what it differentiates."""
    assert isinstance(claim.left, ast.Derivative)
    return replace(claim, left=replace(claim.left, of=ast.Call(ast.Name(r"\operatorname{tr}"), (claim.left.of,))))


def _is_matrix_beside(claim: Equation, wrt: ast.Node, case: Case) -> bool:
    """Tell whether another claim of the section holds with a letter, by which it differentiates, as a matrix."""
    for _, other in case.facts.claims:
        left = with_one_sign(other.left)
        beside = other is not claim and other.place.section == claim.place.section
        if beside and isinstance(left, ast.Derivative) and left.wrt == wrt and not isinstance(left.of, ast.Name):
            own = _own(replace(other, left=left), case)
            try:
                bench = bench_of(own, case)
                by = bench.names.get(render(wrt))
                of = bench.names.get(UNNAMED)
                sizes = [] if by is None or of is None else [len(axes(var.shape)) for var in (of, by)]
                if sizes == [0, 2] and judge_claim(laid_out(own.claim, bench), bench).verdict in GOOD:
                    return True
            except DeriveError:
                continue
    return False


def bench_alone(claim: Equation, found: Outline, facts: Facts) -> tuple[Equation, Bench]:
    """Return a claim that needs no model with its bench, to see in it what else is said of the claim's letters."""
    claim = replace(claim, left=with_one_sign(claim.left))
    scalars = numbers([claim.left, claim.right])
    of = claim.left.of if isinstance(claim.left, ast.Derivative) else claim.left
    if isinstance(of, ast.Call):  # of functions of one number
        scalars |= {render(name): () for arg in of.args for name in names_in(arg)}
    case = Case(replace(found, declared={**scalars, **found.declared}), facts, (claim,))
    own = _own(claim, case)
    return own.claim, bench_of(own, case)
