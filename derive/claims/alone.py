"""Claims that need no model: they say themselves what they differentiate, or are of functions of one number."""

from __future__ import annotations

from dataclasses import replace

from derive.cases.case import Case
from derive.claims.bench import Bench
from derive.claims.in_model import Page, judge_claim
from derive.claims.own_model import LAST, Own, Quantities, bench_of, laid_out, mention
from derive.errors import DeriveError
from derive.meaning.applied import substitute
from derive.meaning.facts import Definition, Facts
from derive.meaning.kinds import UNNAMED, numbers
from derive.meaning.naming import in_one_font, with_one_sign
from derive.meaning.outline import Equation, Outline, derivatives_in, names_in, walk
from derive.meaning.terms import Function
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.shapes import axes
from derive.verify.judge import FALSE, Verdict

LAYOUT = {
    "numerator": "numerator layout: the gradient of a number has the shape of the transposed variable",
    "denominator": "the gradient of a number has the shape of the variable",
}
MOST_PRIMES = 2  # of a function that its formula is differentiated for
MOST_AXES = 2  # of a derivative that is written as a matrix


def judge_alone(claim: Equation, found: Outline, facts: Facts, layout: str) -> Verdict | None:
    """Judge a claim of a page that says itself what it differentiates: d/dx (x^T A x); None for any other.

    Which letters are vectors and matrices is what they usually are, or what the page says.
    """
    left = with_one_sign(claim.left)
    claim = replace(claim, left=left, right=in_one_font(left, claim.right))
    of = left.of if isinstance(left, ast.Derivative) else None
    if isinstance(left, ast.Call) or (isinstance(of, ast.Call) and all(isinstance(arg, ast.Name) for arg in of.args)):
        others = set(names_in(claim.right)) - set(names_in(left))
        return None if others else _judge_function(Case(found, facts, (claim,)), claim)
    if not isinstance(left, ast.Derivative) or isinstance(left.of, ast.Name | ast.Derivative):
        return None
    found = replace(found, declared={**numbers([claim.left, claim.right]), **found.declared})
    own = Quantities(Facts(functions=facts.functions), []).own(claim)
    case = Case(found, facts, (claim,), layout=layout)
    verdict = _judge_own(own, case, claim)
    if verdict.verdict in FALSE and found.declared:  # what is said of a letter may be said of another formula
        free = _judge_own(own, replace(case, found=replace(found, declared={})), claim)
        verdict = free if free.verdict not in FALSE else verdict
    return replace(verdict, assumptions=(*verdict.assumptions, LAYOUT[layout]))


def _judge_function(case: Case, claim: Equation) -> Verdict | None:
    """Judge a claim about a function of one number; unread where its formula is not."""
    try:
        return judge_slope(case, claim)
    except DeriveError as error:
        return Verdict("unread", str(error))


def _judge_own(own: Own, case: Case, claim: Equation) -> Verdict:
    def judged(written: Equation) -> Equation:
        return laid_out(Quantities(Facts(functions=case.facts.functions), []).own(written).claim, bench)

    try:
        bench = bench_of(own, case)
        wrt = derivatives_in(own.claim.left)[0].wrt
        of, by = (bench.names.get(key) for key in (UNNAMED, "" if wrt is None else render(wrt)))
        if of is not None and by is not None and len(axes(of.shape)) + len(axes(by.shape)) > MOST_AXES:
            return Verdict("unread", f"the derivative of a matrix by ${by.latex}$ has more than two axes")
        return judge_claim(laid_out(own.claim, bench), bench, Page(claim, judged))
    except DeriveError as error:
        return Verdict("unread", str(error))


def bench_alone(claim: Equation, found: Outline, facts: Facts) -> tuple[Equation, Bench]:
    """Return a claim that needs no model with its bench, to see in it what else is said of the claim's letters."""
    claim = replace(claim, left=with_one_sign(claim.left))
    scalars = numbers([claim.left, claim.right])
    of = claim.left.of if isinstance(claim.left, ast.Derivative) else claim.left
    if isinstance(of, ast.Call):  # of functions of one number
        scalars |= {render(name): () for arg in of.args for name in names_in(arg)}
    case = Case(replace(found, declared={**scalars, **found.declared}), facts, (claim,))
    own = Quantities(Facts(functions=facts.functions), []).own(claim)
    return own.claim, bench_of(own, case)


# ---------------------------------------------------------------- functions of one number
def judge_slope(case: Case, claim: Equation) -> Verdict | None:
    """Judge a claim about the derivative of a function of one number, which it is of each entry; None for any other."""
    left = claim.left
    if isinstance(left, ast.Derivative) and isinstance(left.of, ast.Call) and left.of.args == (left.wrt,):
        left = replace(left.of, function=replace(left.of.function, primes=left.of.function.primes + 1))
    if not (isinstance(left, ast.Call) and left.function.primes and len(left.args) == 1):
        return None
    name, (arg,) = render(replace(left.function, primes=0)), left.args
    function = case.facts.functions_at(LAST, [name])[name]
    if not isinstance(arg, ast.Name) or not (function.op or _is_of_numbers(function, case)):
        return None
    found = replace(case.found, declared={**case.found.declared, render(arg): ()})
    claim = replace(claim, left=left)
    own = Own(claim, [mention(replace(claim, left=arg))], mentions=True)
    if not function.op and left.function.primes <= MOST_PRIMES:
        own = _of_formula(claim, function, left.function.primes, arg)
    return judge_claim(own.claim, bench_of(own, replace(case, found=found)))


def _of_formula(claim: Equation, function: Function, primes: int, arg: ast.Name) -> Own:
    """Return a claim about f' as one about the derivative of the formula of f."""
    assert function.body is not None
    of: ast.Node = ast.Name(UNNAMED)
    body = substitute(function.body, {function.parameters[0]: arg})
    definition = Definition(UNNAMED, Equation(of, body, render(body), claim.place), LAST)
    for _ in range(primes):
        of = ast.Derivative(of, arg)
    return Own(replace(claim, left=of), [definition])


def _is_of_numbers(function: Function, case: Case) -> bool:
    """Tell whether a function's formula is one of numbers: nothing in it speaks of several entries."""
    if function.body is None or len(function.parameters) != 1:
        return False
    names = {render(name) for name in names_in(function.body)} - set(function.parameters)
    several = any(isinstance(part, ast.Transpose | ast.Big | ast.Norm | ast.Entry) for part in walk(function.body))
    return not several and all(case.found.declared.get(name) == () for name in names)
