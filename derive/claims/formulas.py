"""Claims about functions that formulas give: what they are, at a point too, and what their derivatives are."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from derive.cases.case import Case
from derive.claims.in_model import Page, judge_claim
from derive.claims.own_model import LAST, Own, bench_of, mention
from derive.meaning.applied import substitute
from derive.meaning.facts import Definition, is_at_a_point
from derive.meaning.kinds import UNNAMED, small_numbers
from derive.meaning.outline import Equation, names_in, walk, with_sides
from derive.meaning.terms import Function
from derive.ops import table
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.verify.judge import FALSE, Verdict

TRAINED = "k"  # a letter of parameters, for models that have none
MOST_PRIMES = 2  # of a function that its formula is differentiated for
EXTREMES = (r"\max", r"\min", "max", "min")  # of fractions, a fraction
CONDITIONAL = re.compile(
    r"\b(?:if|whether|suppos\w*|assum\w*|let|wants?|needs?|should|must|data|targets?|given|gives?|solv\w+|with|when|where"
    r"|while|over|not|is|instead|approximat\w*|about|nearly|orders?|mod\w*|degrees|integer|would|could|say|says|conditions?)\b",
    re.IGNORECASE,
)  # words beside a value that is no claim about the formula above


def judge_slope(case: Case, claim: Equation) -> Verdict | None:
    """Judge a claim about the derivative of a function of one number, which it is of each entry; None for any other."""
    left = _primed(claim.left)
    if not (isinstance(left, ast.Call) and left.function.primes and len(left.args) == 1):
        return None
    (arg,) = left.args
    function = _called(left, case)
    if not isinstance(arg, ast.Name) or not function.op:
        return None
    if (several := _said_anew(left, case)) is not None:
        return several
    found = replace(case.found, declared={**case.found.declared, render(arg): ()})
    claim = replace(claim, left=left)
    own = Own(claim, [mention(replace(claim, left=arg))], mentions=True)
    return judge_claim(own.claim, bench_of(own, replace(case, found=found)))


def judge_formula(case: Case, claim: Equation) -> Verdict | None:
    """Judge what else a function given by a formula is: d(-2) = 5, f(x) = W V x for f(x) = W (V x); None for others.

    Of numbers, at a point; or of names that the page defines nowhere, so that the formula is all that there is to say.
    """
    left = claim.left
    if not isinstance(left, ast.Call) or left.function.primes:
        return None
    function = _called(left, case)
    if not (function.op if function.body is None else len(left.args) == len(function.parameters)):
        return None
    value: ast.Node = left
    if function.body is not None:
        value = substitute(function.body, dict(zip(function.parameters, left.args, strict=True)))
    claim = replace(claim, left=value)
    names = {render(part) for side in (value, claim.right) for part in names_in(side)}
    if is_at_a_point(left):
        if not (function.op or _is_of_numbers(function, case)):
            return None
        mentioned = mention(replace(claim, left=ast.Name(TRAINED)))
    elif names & {item.key for item in case.facts.definitions} or any(isinstance(p, ast.Call) for p in walk(value)):
        return None
    else:
        mentioned = mention(claim)
    if (several := _said_anew(left, case)) is not None:
        return several
    of = ast.Name(UNNAMED)
    formula = Definition(UNNAMED, Equation(of, value, render(value), claim.place), LAST)
    own = Own(replace(claim, left=of), [formula, mentioned], mentions=True)
    page = Page(replace(claim, left=left), lambda written: replace(written, left=of))
    verdict = judge_claim(own.claim, bench_of(own, case), page)
    if verdict.verdict in FALSE and is_at_a_point(left) and not _is_said_plainly(left, claim, function, case):
        return Verdict("unread", "it may be a condition, rounded, or said of another function")
    return verdict


def _is_said_plainly(call: ast.Call, claim: Equation, function: Function, case: Case) -> bool:
    """Tell whether a value is claimed of the formula above: in its section, in no words of conditions, and exactly."""
    line = [e.place for e in case.found.equations if e.place.line == claim.place.line]
    name, around = render(call.function), " ".join(f"{place.before} {place.after}" for place in (claim.place, *line))
    here = any(known == name and at.section == claim.place.section for _, known, _, at in case.facts.functions)
    return here and _is_exact(function) and not CONDITIONAL.search(around)


def _is_exact(function: Function) -> bool:
    """Tell whether a function's values at whole numbers are fractions, which nobody has to round."""
    if function.body is None:
        return function.op in table.PIECEWISE
    calls = (part for part in walk(function.body) if isinstance(part, ast.Call))
    return all(render(part.function) in EXTREMES for part in calls)


def _said_anew(call: ast.Call, case: Case) -> Verdict | None:
    """Return that it is not clear which function is meant, where the page says in several ways what it is."""
    name = render(ast.unprimed(call))
    formulas = {repr(formula) for _, known, formula, _ in case.facts.functions if known == name}
    if len(formulas) < 2 and not case.facts.is_obscure(name):
        return None
    return Verdict("unread", f"the page says in several ways what ${name}$ is")


def _called(call: ast.Call, case: Case) -> Function:
    """Return the meaning of the function that is called, or whose derivative is."""
    name = render(ast.unprimed(call))
    return case.facts.functions_at(LAST, [name])[name]


def judge_slopes(case: Case, claim: Equation) -> Verdict | None:
    """Judge a claim in which the derivative of a function stands that a formula of one number gives; None for others.

    As one about the derivative of the formula: x - α d'(x) = (1 - 2 α) x for d(x) = x^2.
    """
    functions = {name for _, name, _, _ in case.facts.functions}
    claim = with_sides(claim, lambda side: _primed(side, functions))
    parts = [part for side in (claim.left, claim.right) for part in walk(side)]
    calls = [part for part in parts if isinstance(part, ast.Call) and part.function.primes]
    called = {(ast.unprimed(call), call.args) for call in calls}
    if len(called) != 1 or any(call.function.primes > MOST_PRIMES for call in calls):
        return None
    ((_, args),) = called
    function = _called(calls[0], case)
    if len(args) != 1 or not isinstance(args[0], ast.Name) or not _is_of_numbers(function, case):
        return None
    assert function.body is not None
    body = substitute(function.body, {function.parameters[0]: args[0]})
    names = {render(name) for side in (body, claim.left, claim.right) for name in names_in(side)}
    if len(function.parameters) != 1 or names & (functions | {item.key for item in case.facts.definitions}):
        return None
    scalars = small_numbers((claim.left, claim.right, body))
    others = scalars.keys() - {render(args[0])}  # the argument may be an array, of which it is said entry by entry
    arrays = any(case.found.declared.get(name, ()) != () for name in others) or any(map(_is_diagonal, parts))
    if not scalars or arrays:
        return None
    if (several := _said_anew(calls[0], case)) is not None:
        return several
    definition = Definition(UNNAMED, Equation(ast.Name(UNNAMED), body, render(body), claim.place), LAST)

    def written(said: Equation) -> Equation:
        return with_sides(said, lambda side: ast.with_parts(side, {call: _derivative(call) for call in calls}))

    found = replace(case.found, declared={**case.found.declared, **scalars})
    own = Own(written(claim), [definition, mention(written(claim))], mentions=True)
    return judge_claim(own.claim, bench_of(own, replace(case, found=found)), Page(claim, written))


def _is_diagonal(part: ast.Node) -> bool:
    """Tell whether a part of a formula makes a matrix of a vector."""
    return isinstance(part, ast.Call) and part.function.base.strip("\\").removeprefix("text{").startswith("diag")


def _primed(node: ast.Node, functions: Collection[str] = ()) -> ast.Node:
    """Return a formula with f'(x) for each derivative of f(x) by x, and of f where that is one of some functions."""
    node = ast.map_children(node, lambda part: _primed(part, functions))
    if not isinstance(node, ast.Derivative) or node.wrt is None:
        return node
    if isinstance(node.of, ast.Name) and render(node.of) in functions:
        return ast.Call(replace(node.of, primes=1), (node.wrt,))
    if isinstance(node.of, ast.Call) and node.of.args == (node.wrt,):
        return replace(node.of, function=replace(node.of.function, primes=node.of.function.primes + 1))
    return node


def _derivative(call: ast.Call) -> ast.Node:
    """Return f'(x) as the derivative of what f(x) is."""
    of: ast.Node = ast.Name(UNNAMED)
    for _ in range(call.function.primes):
        of = ast.Derivative(of, call.args[0])
    return of


def _is_of_numbers(function: Function, case: Case) -> bool:
    """Tell whether a function's formula is one of numbers: nothing in it speaks of several entries."""
    if function.body is None:
        return False
    names = {render(name) for name in names_in(function.body)} - set(function.parameters)
    several = any(isinstance(part, ast.Transpose | ast.Big | ast.Norm | ast.Entry) for part in walk(function.body))
    return not several and all(case.found.declared.get(name) == () for name in names)
