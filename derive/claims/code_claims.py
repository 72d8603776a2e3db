"""Claims in the notation of backward passes in code: dW is the derivative of the cost by W, dZ that of the losses.

With m samples, courses average in the parameters alone: dW = (1/m) dZ Aᵀ. Then dZ is the derivative of the sum of the
samples' losses, and dW that of their mean. Which convention is meant a page's formulas say together; a claim alone is
judged under this one, and one that holds only under another is false where the notation is that of these courses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sympy

from derive.cases.case import Case
from derive.cases.code_style import (
    LOGISTIC,
    ONE,
    above,
    as_mathematics,
    averages,
    changes_in,
    counted,
    cross_entropy,
    further_layers,
    is_code,
    is_parameter,
    one_letter,
    output_of,
)
from derive.claims.logistic import SAMPLE, Judged, losses_of, with_prediction
from derive.claims.own_model import ANY_NAME, LAST, Own, bench_of
from derive.errors import DeriveError, UnreadError
from derive.meaning.facts import Definition, define, key_without_indices
from derive.meaning.naming import plain
from derive.meaning.outline import Equation, names_in, walk
from derive.meaning.shaping import as_declared
from derive.meaning.terms import is_running
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.shapes import axes
from derive.verify.judge import FALSE, GOOD, Verdict

MEAN, SAME = "mean", "same"


@dataclass(frozen=True, slots=True)
class Setup:
    """A case with all that it needs, the loss that it ends in, what that averages over, and how many samples are."""

    case: Case
    loss: ast.Name
    is_mean: bool
    samples: ast.Node | None
    words: tuple[str, ...]


def judge_code(case: Case, claim: Equation, judged: Judged) -> Verdict:
    """Judge dV = …, the derivative of the cost or of the losses by V.

    Raises:
        UnreadError: what is differentiated, or of which samples, is not said.
    """
    assert isinstance(claim.left, ast.Differential)
    definitions = one_letter(case.facts.definitions)
    said = list(further_layers(definitions, claim))
    definitions += [item for item, _ in said]
    if is_code(claim, definitions) is not True:
        raise UnreadError(f"whether ${render(claim.left)}$ is a differential or a derivative of the cost is not said")
    case = replace(case, facts=replace(case.facts, definitions=definitions), loose=())
    setup = _set_up(case, claim, [why for _, why in said])
    told = _convention(case, claim)
    course = _is_course(case, claim)
    if setup.loss.base != ANY_NAME and not course:
        told = SAME  # of the loss that is written
    first = _judge_as(told, setup, claim, judged)
    less = _through_the_right(setup, claim) if first.verdict in FALSE else None
    if less is not None and _judge_as(told, less, claim, judged).verdict in GOOD:
        return Verdict("unread", "whether the loss depends on the values that it does not name is not said")
    if first.verdict not in FALSE or setup.samples is None:
        return first
    if not course and _judge_as(SAME if told == MEAN else MEAN, setup, claim, judged).verdict in GOOD:
        return Verdict("unread", "whether these are derivatives of the samples' mean loss or of the sum is not said")
    star = _starred(claim)
    if star != claim and _judge_as(told, setup, star, judged).verdict in GOOD:
        return Verdict("unread", "whether * is the product of matrices or of their entries is not said")
    return first


def _through_the_right(setup: Setup, claim: Equation) -> Setup | None:
    """Return what leads to the values on a claim's right side alone; None where all of the model does."""
    ends = {key_without_indices(part) for part in changes_in(claim.right) if isinstance(part, ast.Name)}
    items = setup.case.facts.definitions
    reached = ends.union(*(above(key, items) for key in ends))
    kept = [item for item in items if item.key in reached]
    if not ends or len(kept) == len(items) or setup.loss.base != ANY_NAME:
        return None
    return replace(setup, case=replace(setup.case, facts=replace(setup.case.facts, definitions=kept)))


def _starred(claim: Equation) -> Equation:
    """Return a claim with * as the product of matrices."""

    def change(node: ast.Node) -> ast.Node:
        node = ast.map_children(node, change)
        return replace(node, sign="@") if isinstance(node, ast.Product) and node.sign == "*" else node

    return replace(claim, right=change(claim.right))


def _is_course(case: Case, claim: Equation) -> bool:
    """Tell whether layers are marked [l] or samples (i): courses that do so average over the samples.

    Where no shapes are told, as on a page, another formula must do so as well.
    """
    names = [name for side in (claim.left, claim.right) for name in names_in(side)]
    marked = any(name.style == "[]" for name in names) or SAMPLE in {sub for name in names for sub in name.subs}
    return marked and (bool(case.found.domains) or any(averages(item.right) for item in _learnt(case, claim)))


def _beside(case: Case, claim: Equation) -> list[Equation]:
    """Return the other formulas that begin with a d."""
    found = [item for _, item in case.facts.claims if isinstance(item.left, ast.Differential)]
    return [item for item in found if item != claim]


def _learnt(case: Case, claim: Equation) -> list[Equation]:
    """Return those of them that are about parameters, and lead to derivatives by values."""
    definitions = case.facts.definitions
    return [item for item in _beside(case, claim) if changes_in(item.right)
            and isinstance(of := changes_in(item.left)[0], ast.Name) and is_parameter(of, definitions)]  # fmt: skip


def _convention(case: Case, claim: Equation) -> str:
    """Return what the formulas beside a claim say together: whether parameters alone are averaged."""
    learnt = _learnt(case, claim)
    starts = [item for item in _beside(case, claim) if not changes_in(item.right) and item not in learnt]
    if any(averages(item.right) for item in (*learnt, claim)):
        return MEAN
    return SAME if len(learnt) > 1 or any(averages(item.right) for item in starts) else MEAN


def _count_letter(case: Case, claim: Equation) -> str:
    """Return the letter of the number of samples: of a claim, or of others where capitals stand for all samples."""
    own = counted(claim.right)
    capitals = all(plain(name.base).isupper() for name in changes_in(claim.right) if isinstance(name, ast.Name))
    others = [letter for item in _learnt(case, claim) if (letter := counted(item.right))] if capitals else []
    return own or next(iter(others), "")


# ---------------------------------------------------------------- the model
def _set_up(case: Case, claim: Equation, words: Sequence[str]) -> Setup:
    """Return the case with the loss that its names lead to, written out, supplied, or any that is downstream."""
    losses = losses_of(case)
    facts = case.facts
    averaged = [key for key, formula in losses.items() if averages(formula)]
    chosen = averaged[0] if len(averaged) == 1 else next(iter(losses)) if len(losses) == 1 else ""
    if len(losses) > 1 and not chosen:
        raise UnreadError("of which loss the derivatives are is not said")
    if chosen:
        found = with_prediction(case, claim, chosen, losses[chosen])
        if found is not None:
            definitions, more = found
            loss = definitions[-1]
            is_mean = averages(loss.equation.right)
            samples = _samples_of_sum(loss.equation.right) if is_mean else None
            case = replace(case, facts=replace(facts, definitions=definitions))
            assert isinstance(loss.equation.left, ast.Name)
            return Setup(case, loss.equation.left, is_mean, samples, (*words, *more))
    loss_name = ast.Name(ANY_NAME)
    case, samples, more = _counted(case, claim)
    supplied = _supplied_end(case, claim, loss_name) if not changes_in(claim.right) else None
    if supplied is not None:
        case, why = supplied
        more = [*more, *why]
    elif not changes_in(claim.right):
        raise UnreadError(f"${render(claim.left)}$: nothing says of what it is the derivative")
    return Setup(case, loss_name, False, samples, (*words, *more))


def _samples_of_sum(formula: ast.Node) -> ast.Node | None:
    sums = [part for part in walk(formula) if isinstance(part, ast.Big) and part.upper is not None]
    letter = counted(formula)
    return ast.Name(letter) if letter else sums[0].upper if sums else None


# ---------------------------------------------------------------- arrays with a sample a column, or a row
def _counted(case: Case, claim: Equation) -> tuple[Case, ast.Node | None, list[str]]:
    """Return how many samples an array of values holds: None for one sample."""
    definitions = case.facts.definitions
    own = Own(replace(claim, left=ONE, right=ONE), list(definitions))
    for item in definitions:
        place = _sample_axis(item.equation.right, definitions)
        if place is None:
            continue
        axis, data = place
        letter = _count_letter(case, claim)
        key = key_without_indices(data)
        if letter and not case.found.declared and key not in {d.key for d in definitions}:
            shapes = _usual_shapes(definitions, axis, key, letter)
            domains = dict.fromkeys(shapes, "real") if len(shapes) > 1 else {}
            case = replace(case, found=replace(case.found, declared=shapes, domains=domains))
        bench = bench_of(own, case)
        shape_ = bench.names[item.key].shape
        lengths = axes(shape_)
        rank = len(shape_)
        if rank < 2 or (rank > len(lengths) and not lengths):
            return case, None, []
        length = lengths[axis] if len(lengths) > 1 else lengths[0]
        if length == sympy.Integer(1):
            return case, None, []
        count = ast.Number(str(length)) if length.is_Integer else ast.Name(str(length))
        return case, count, [f"${key}$ has ${render(count)}$ samples in its {'columns' if axis else 'rows'}"]
    return case, None, []


def _usual_shapes(definitions: Sequence[Definition], axis: int, data: str, samples: str) -> dict[str, tuple[str, ...]]:
    """Return the shapes of data and of what layers learn, where none is told: matrices W, and b for all samples."""
    shapes: dict[str, tuple[str, ...]] = {data: ("n_x", samples) if axis else (samples, "n_x")}
    before = "n_x"
    for count, item in enumerate(definitions, 1):
        right = item.equation.right
        names = [side for part in walk(right) if isinstance(part, ast.Product) for side in (part.left, part.right)]
        learnt = [name for name in names if isinstance(name, ast.Name) and is_parameter(name, definitions)]
        if _sample_axis(right, definitions) is None or len(learnt) != 1 or not plain(learnt[0].base).isupper():
            continue
        own = f"n_{count}"
        shapes[render(learnt[0])] = (own, before) if axis else (before, own)
        sides = [side for part in walk(right) if isinstance(part, ast.Sum) for side in (part.left, part.right)]
        added = [side for side in sides if isinstance(side, ast.Name) and is_parameter(side, definitions)]
        shapes.update({render(side): (own,) for side in added})
        before = own
    return shapes


def _sample_axis(node: ast.Node, definitions: Sequence[Definition]) -> tuple[int, ast.Name] | None:
    """Return along which axis samples lie, and the data: W x has them in columns, X W in rows."""
    for part in walk(node):
        if isinstance(part, ast.Product) and part.sign in ("", r"\cdot", "@"):
            left, right = (_bare(side) for side in (part.left, part.right))
            if left is not None and right is not None:
                if is_parameter(left, definitions) and not is_parameter(right, definitions):
                    return 1, right
                if is_parameter(right, definitions) and not is_parameter(left, definitions):
                    return 0, left
    return None


def _bare(node: ast.Node) -> ast.Name | None:
    node = node.arg if isinstance(node, ast.Transpose) else node
    return node if isinstance(node, ast.Name) else None


def _supplied_end(case: Case, claim: Equation, loss: ast.Name) -> tuple[Case, list[str]] | None:
    """Return the case with a sigmoid and the cross-entropy at its end, where a claim speaks of A - Y."""
    found = output_of(claim, case.facts.definitions)
    if found is None:
        return None
    predicted, target, before = found
    if case.found.domains.get(render(target), "real") not in ("real", "binary", "unit"):
        return None
    formula = ast.Call(ast.Name(LOGISTIC), (before,))
    definitions = [item for item in case.facts.definitions if item.key != key_without_indices(predicted)]
    definitions.append(define(predicted, formula, claim.place, LAST - 1))
    own = Own(replace(claim, left=ast.Sum("-", predicted, target), right=ONE), definitions)
    shape = bench_of(own, case).names[key_without_indices(predicted)].shape
    if case.found.domains and key_without_indices(target) not in case.found.declared:
        told = {key_without_indices(target): as_declared(shape)}
        case = replace(case, found=replace(case.found, declared={**case.found.declared, **told}))
    indices = (ast.Name("i"), ast.Name("j"))[: len(axes(shape))]
    body = cross_entropy(replace(predicted, subs=(*predicted.subs, *indices)), replace(target, subs=indices))
    for index in reversed(indices):
        body = ast.Big("sum", index, None, None, body)
    definitions.append(define(loss, ast.Neg(body), claim.place, LAST))
    words = [f"${render(predicted)} = {render(formula)}$", "the loss is the binary cross-entropy"]
    return replace(case, facts=replace(case.facts, definitions=definitions)), words


# ---------------------------------------------------------------- the claim
def _judge_as(convention: str, setup: Setup, claim: Equation, judged: Judged) -> Verdict:
    """Judge a claim under a convention; what it assumes is printed."""
    try:
        case, whole = _rewritten(convention, setup, claim)
        verdict = judged(case, whole)
    except DeriveError as error:
        return Verdict("unread", str(error))
    loss, m = render(setup.loss), setup.samples
    words = f"$dV$ is the derivative of ${loss}$ by $V$"
    if m is not None and convention == MEAN:
        words = f"$dW$, $db$ are derivatives of the cost, the mean over ${render(m)}$ samples; " \
                "those of values, such as $dZ$, of the sum of the samples' losses"  # fmt: skip
    return replace(verdict, assumptions=(*verdict.assumptions, words, *setup.words))


def _rewritten(convention: str, setup: Setup, claim: Equation) -> tuple[Case, Equation]:
    """Return a claim in which changes on the right are names, in a case that makes it one about derivatives."""
    definitions = setup.case.facts.definitions
    facts = replace(setup.case.facts, cotangents=list(setup.case.facts.cotangents))
    m = setup.samples if convention == MEAN else None

    def scaled(name: ast.Name, node: ast.Node) -> ast.Node:
        learnt = is_parameter(name, definitions)
        if m is None or learnt == setup.is_mean:
            return node
        return ast.Product("", ast.Quotient(ONE, m) if learnt else m, node)

    def change(node: ast.Node) -> ast.Node:
        if isinstance(node, ast.Differential) and isinstance(node.arg, ast.Name):
            alias = replace(node.arg, base=f"d{node.arg.base}")
            bare = replace(node.arg, subs=tuple(s for s in node.arg.subs if not is_running(s)))
            key = key_without_indices(alias)
            if not any(known == key for _, known, _ in facts.cotangents):
                facts.cotangents.append((0, key, ast.Derivative(setup.loss, bare)))
            return scaled(node.arg, alias)
        return ast.map_children(node, change)

    assert isinstance(claim.left, ast.Differential) and isinstance(claim.left.arg, ast.Name)
    left = scaled(claim.left.arg, ast.Derivative(setup.loss, claim.left.arg))
    spelled = setup.case.spelled
    case = replace(
        setup.case, facts=facts, spelled=lambda node: change(spelled(node)),
        rewritten=lambda written: replace(written, left=left, right=as_mathematics(written.right)),
    )  # fmt: skip
    return case, replace(claim, right=change(claim.right))
