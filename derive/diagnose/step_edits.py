"""Edits of formulas about recurrences: another step, another limit of a sum, a sum over the steps that is missing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from derive.cases.steps import letters_of
from derive.diagnose.rewriting import Change, Edit, rewrites
from derive.meaning.outline import walk
from derive.read import syntax as ast
from derive.read.spelling import render

ONE = ast.Number("1")
Put = Callable[[ast.Node], ast.Node]


def step_edits(node: ast.Node, last: Collection[str], first: int) -> Iterator[Edit]:
    """Yield edits of the steps in a formula.

    Args:
        node: The formula.
        last: The letters of the last step.
        first: The first step.
    """
    for change in (_shifted, _limits):
        for new, text in rewrites(node, change):
            yield Edit(new, "step", text)
    yield from _missing_sum(node, last, first)
    for new, text in rewrites(node, _reflected):
        yield Edit(new, "step", text)


def _shifted(part: ast.Node) -> Change:
    """Yield a part with one of its steps one earlier or later."""
    for step, put, where in _steps(part):
        for other in _beside(step):
            yield put(other), f"the step ${render(step)}$ of ${render(where)}$ must be ${render(other)}$"


def _steps(part: ast.Node) -> Iterator[tuple[ast.Node, Put, ast.Node]]:
    """Yield the steps in a name, in a derivative's names and in an exponent, with what puts another there."""
    if isinstance(part, ast.Name):
        for k, sub in enumerate(part.subs):
            if letters_of(sub):
                yield sub, _with_sub(part, k), part
        if part.sup is not None and part.style and letters_of(part.sup):
            yield part.sup, lambda new: replace(part, sup=new), part
    if isinstance(part, ast.Derivative):
        for step, put, where in _steps(part.of):
            yield step, _with_of(part, put), where
        if part.wrt is not None:
            for step, put, where in _steps(part.wrt):
                yield step, _with_wrt(part, put), where
    if isinstance(part, ast.Power) and letters_of(part.exponent):
        yield part.exponent, lambda new: replace(part, exponent=new), part


def _with_sub(name: ast.Name, place: int) -> Put:
    return lambda new: replace(name, subs=(*name.subs[:place], new, *name.subs[place + 1 :]))


def _with_of(derivative: ast.Derivative, put: Put) -> Put:
    return lambda new: replace(derivative, of=put(new))


def _with_wrt(derivative: ast.Derivative, put: Put) -> Put:
    return lambda new: replace(derivative, wrt=put(new))


def _beside(step: ast.Node) -> Iterator[ast.Node]:
    """Yield the steps before and after one, spelled simply; none is below 0."""
    if isinstance(step, ast.Number) and step.text.isdigit():
        yield from (ast.Number(str(count)) for count in (int(step.text) - 1, int(step.text) + 1) if count >= 0)
        return
    if isinstance(step, ast.Sum) and step.right == ONE:
        yield step.left
        return
    for sign in "-+":
        yield ast.Sum(sign, step, ONE)


def _limits(part: ast.Node) -> Change:
    """Yield a sum or product that begins or ends one step earlier or later."""
    if isinstance(part, ast.Big) and part.lower is not None:
        for other in _beside(part.lower):
            text = f"the sum must begin at ${render(other)}$, not at ${render(part.lower)}$"
            yield replace(part, lower=other), text
    if isinstance(part, ast.Big) and part.upper is not None:
        for other in _beside(part.upper):
            text = f"the sum must end at ${render(other)}$, not at ${render(part.upper)}$"
            yield replace(part, upper=other), text


def _reflected(part: ast.Node) -> Change:
    """Yield a sum in which one step counts from the other end: T + t - i for i from t to T."""
    if isinstance(part, ast.Big) and part.index is not None and part.lower is not None and part.upper is not None:
        index, other = part.index, ast.Sum("-", ast.Sum("+", part.upper, part.lower), part.index)

        def turn(inner: ast.Node) -> Change:
            for step, put, where in _steps(inner):
                if step == index:
                    yield put(other), f"the step ${render(step)}$ of ${render(where)}$ must be ${render(other)}$"

        for body, text in rewrites(part.body, turn):
            yield replace(part, body=body), text


def _missing_sum(node: ast.Node, last: Collection[str], first: int) -> Iterator[Edit]:
    """Yield the sum over all steps of what is written for the last one."""
    used = {letter for part in walk(node) for step, _, _ in _steps(part) for letter in letters_of(step)}
    running = next((letter for letter in "tkjs" if letter not in used), None)
    for letter in sorted(used & {*last}):
        if running is not None:
            index = ast.Name(running)
            body = ast.with_parts(node, {ast.Name(letter): index})
            new = ast.Big("sum", index, ast.Number(str(first)), ast.Name(letter), body)
            yield Edit(new, "missing sum", f"the sum over the steps is missing: ${render(node)}$ is its last term")
