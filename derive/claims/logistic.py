"""Logistic regression and its cost, where a claim is about it and only the loss of one sample is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from derive.cases.case import Case
from derive.cases.code_style import LOGISTIC, ONE, averages, changes_in, is_binary_entropy
from derive.cases.unsaid import PRE_ACTIVATIONS
from derive.claims.own_model import LAST
from derive.meaning.applied import substitute
from derive.meaning.facts import Definition, define, key_without_indices, used_in
from derive.meaning.kinds import is_loss_name
from derive.meaning.naming import plain
from derive.meaning.outline import Equation, derivatives_in, names_in, walk
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.verify.judge import Verdict

Judged: TypeAlias = Callable[[Case, Equation], Verdict]
SAMPLE = ast.Name("i")


def judge_logistic(case: Case, claim: Equation, judged: Judged) -> Verdict | None:
    """Judge dL/dz of a cross-entropy whose prediction nothing defines: that of logistic regression."""
    left = claim.left
    if not isinstance(left, ast.Derivative) or not isinstance(left.of, ast.Name | ast.Call):
        return None
    if not isinstance(left.wrt, ast.Name):
        return None
    key = render(left.of.function if isinstance(left.of, ast.Call) else left.of)
    formula = losses_of(case).get(key)
    known = {item.key for item in case.facts.definitions} | used_in(case.facts.definitions)
    if formula is None or left.wrt in names_in(formula) or key_without_indices(left.wrt) in known:
        return None
    found = with_prediction(case, claim, key, formula)
    if found is None or not found[1]:
        return None
    definitions, words = found
    others = [item for item in case.facts.functions if item[1] != key]
    facts = replace(case.facts, definitions=definitions, functions=others)
    verdict = judged(replace(case, facts=facts), replace(claim, left=replace(left, of=ast.Name(key))))
    return replace(verdict, assumptions=(*verdict.assumptions, *words))


def losses_of(case: Case) -> dict[str, ast.Node]:
    """Return the formulas of losses by their names, functions of their arguments written out."""
    found = {item.key: item.equation.right for item in case.facts.definitions if is_loss_name(item.key)}
    for _, name, function, _ in case.facts.functions:
        if is_loss_name(name) and function.body is not None:
            found.setdefault(name, function.body)
    return {key: _written_out(formula, case) for key, formula in found.items()}


def _written_out(node: ast.Node, case: Case) -> ast.Node:
    """Return a formula with the functions that are losses replaced by what they are."""
    node = ast.map_children(node, lambda part: _written_out(part, case))
    if isinstance(node, ast.Call):
        for _, name, function, _ in case.facts.functions:
            body, fits = function.body, len(function.parameters) == len(node.args)
            if name == render(node.function) and is_loss_name(name) and fits and body is not None:
                return substitute(body, dict(zip(function.parameters, node.args, strict=True)))
    return node


def with_prediction(
    case: Case, claim: Equation, key: str, formula: ast.Node
) -> tuple[list[Definition], list[str]] | None:  # fmt: skip
    """Return the definitions with a loss of a prediction that nothing defines: that of logistic regression."""
    definitions = [item for item in case.facts.definitions if not is_loss_name(item.key)]
    name = ast.Name(key)
    defined = {item.key for item in definitions}
    open_ = [part for part in names_in(formula) if key_without_indices(part) not in defined]
    predicted = next((part for part in open_ if is_binary_entropy(formula, part)), None)
    words: list[str] = []
    if predicted is not None:
        over = _over_samples(claim)
        if over and not averages(formula):  # a sample's loss beside a sum over the samples
            predicted = replace(predicted, subs=(SAMPLE,))
            mine = {part.base: replace(part, subs=(SAMPLE,)) for part in open_}
            body = substitute(formula, mine)
            count = over if isinstance(over, ast.Name) else ast.Name("m")
            summed = ast.Big("sum", SAMPLE, ONE, count, body)
            name, formula = ast.Name("J"), ast.Product("", ast.Quotient(ONE, count), summed)
            words.append(f"the cost is the mean of the losses over ${render(count)}$ samples")
        linear = _linear(case, claim, predicted)
        if linear is None:
            return None
        definitions.append(define(predicted, linear, claim.place, len(definitions)))
        words.append(f"${render(predicted)} = {render(linear)}$")
    return [*definitions, define(name, formula, claim.place, LAST)], words


def _over_samples(claim: Equation) -> ast.Node | None:
    """Return up to where a claim sums over samples."""
    sums = [part for part in walk(claim.right) if isinstance(part, ast.Big) and part.index == SAMPLE]
    return sums[0].upper or ast.Name("m") if sums else None


def _linear(case: Case, claim: Equation, predicted: ast.Name) -> ast.Node | None:
    """Return σ(z), or σ(wᵀ x + b) where a claim is about w or b; None where the names for that are not there."""
    names = [name for side in (claim.left, claim.right) for name in names_in(side)]
    one = next(iter([*(part.wrt for part in derivatives_in(claim.left)), *changes_in(claim.left)]), None)
    if not isinstance(one, ast.Name):
        return None
    if plain(one.base) in PRE_ACTIVATIONS and plain(one.base) != plain(predicted.base):
        argument: ast.Node = replace(one, subs=predicted.subs)
        return ast.Call(ast.Name(LOGISTIC), (argument,))
    if plain(one.base) not in ("w", "W", "b", r"\theta"):
        return None
    told = {*case.found.declared, *(name.base for name in names)}
    weights = one.base if plain(one.base) != "b" else next((w for w in ("w", "W", r"\mathbf{w}") if w in told), "w")
    data = next((x for x in ("x", r"\mathbf{x}", "X") if x in told), "x")
    inner: ast.Node = ast.Product("", ast.Transpose(ast.Name(weights)), ast.Name(data, subs=predicted.subs))
    if "b" in told or weights != r"\theta":
        inner = ast.Sum("+", inner, ast.Name("b"))
    return ast.Call(ast.Name(LOGISTIC), (inner,))
