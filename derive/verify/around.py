"""A claim of a page, judged with the definitions around it: those that it needs, the nearest of each name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from derive.errors import DeriveError
from derive.read import syntax as ast
from derive.read.backward import is_backward, is_delta
from derive.read.case import make_case
from derive.read.facts import Facts, key_without_indices
from derive.read.kinds import numbers
from derive.read.outline import Equation, Outline, names_in, walk
from derive.read.spelling import render
from derive.verify.cases import judge_in_case
from derive.verify.changes import changes_beside, like_layers, needs_no_model
from derive.verify.judge import FALSE, GOOD, Verdict
from derive.verify.own_model import LAST, derivatives_in

USUAL = "denominator"  # in the shapes of variables; how the Jacobians of vectors lie then is not told
UNKNOWN = Verdict("unread", "no definition around it says what it speaks of")


def judge_around(order: int, claim: Equation, found: Outline, facts: Facts, layout: str) -> Verdict:
    """Judge a claim with the definitions of its section, then those of the sections above, then all of the page.

    What the letters are is seldom told, and may be told of another place. So a claim is false only where the nearest
    definitions say so, a small edit makes it hold, and it holds with no others.
    """
    first: Verdict | None = None
    for model in _scopes(order, claim, found, facts):
        for declared in ({**found.declared}, {}) if found.declared else ({},):
            outline = replace(found, equations=model, declared=declared, domains={})
            verdict = _judged(claim, outline, layout, first is None, changes_beside(claim, facts))
            if verdict.verdict in GOOD:
                return verdict
            first = verdict if first is None else first
    if first is None or first.verdict not in FALSE or first.diagnosis is None:
        return UNKNOWN if first is None else Verdict("unread", first.reason)
    loose = first.verdict == "ill-typed" and any(derivatives_in(part) for part in walk(claim.right) if isinstance(part, ast.Product))
    return UNKNOWN if loose else first  # how the factors of a chain rule lie is often not meant


def _judged(claim: Equation, model: Outline, layout: str, mend: bool, beside: Sequence[Equation]) -> Verdict:
    sides = [side for equation in (*model.equations, claim) for side in (equation.left, equation.right)]
    model = replace(model, declared={**numbers(sides), **model.declared})
    try:
        case = make_case(model, [claim], layout="" if layout == USUAL else layout)
        case.facts.claims.extend((LAST, other) for other in beside)
        return judge_in_case(case, case.claims[0], mend)
    except DeriveError as error:
        return Verdict("unread", str(error))


def _scopes(order: int, claim: Equation, found: Outline, facts: Facts) -> Iterator[list[Equation]]:
    """Yield the equations that define what a claim needs, from wider and wider parts of the page."""
    backward = {id(equation) for _, equation in facts.claims if not _is_forward(equation)}
    stated = [(at, item) for at, item in enumerate(found.equations)
              if id(item) not in backward and item is not claim and _is_plain(item.right)]  # fmt: skip
    section, headings = claim.place.section, claim.place.headings
    parts = (
        [pair for pair in stated if pair[1].place.section == section],
        [pair for pair in stated if pair[1].place.headings[: len(headings) - 1] == headings[:-1] and pair[0] < order],
        stated,
    )
    seen: list[list[Equation]] = []
    for part in parts:
        model = _needed(claim, _nearest(part, order))
        if (model or needs_no_model(claim)) and model not in seen:
            seen.append(model)
            yield model


def _is_forward(equation: Equation) -> bool:
    """Tell whether an equation says anew what a name is: z = x W after z = W x."""
    return isinstance(equation.left, ast.Name) and not is_delta(equation.left) and not is_backward(equation.right)


def _is_plain(node: ast.Node) -> bool:
    """Tell whether a formula is one that is computed with; what is listed, (x_1, …, x_n), only shows what a name is."""
    return not any(isinstance(part, ast.Dots | ast.Matrix | ast.Group) for part in walk(node))


def _nearest(stated: Sequence[tuple[int, Equation]], order: int) -> dict[str, Equation]:
    """Return one equation for each name: the last one above a claim, else the first below it; of a chain the first."""
    found: dict[str, Equation] = {}
    below = [pair for pair in stated if pair[0] > order]
    for _, equation in (*reversed(below), *(pair for pair in stated if pair[0] < order)):
        known = found.get(_key(equation.left))
        if known is None or known.latex != equation.latex or known.place.line != equation.place.line:
            found[_key(equation.left)] = equation
    return found


def _key(left: ast.Node) -> str:
    if isinstance(left, ast.Call):
        return render(left.function)
    return key_without_indices(left) if isinstance(left, ast.Name) else render(left)


def _needed(claim: Equation, stated: dict[str, Equation]) -> list[Equation]:
    """Return the equations that a claim's names lead to, and where it differentiates what is not told, on from them."""
    wanted = _names(claim.left) | _names(claim.right) | like_layers(claim, stated)
    ends = {render(part.of) for side in (claim.left, claim.right) for part in derivatives_in(side)}
    onward = not ends or bool(ends - stated.keys())
    chosen: dict[str, Equation] = {}

    def meets(key: str, item: Equation) -> bool:
        return key in wanted or (onward and not is_backward(item.right) and bool(_names(item.right) & wanted))

    while more := {key: item for key, item in stated.items() if key not in chosen and meets(key, item)}:
        chosen.update(more)
        for item in more.values():
            wanted |= _names(item.right) | _names(item.left)
    return [item for item in stated.values() if _key(item.left) in chosen]


def _names(node: ast.Node) -> set[str]:
    called = {render(replace(part.function, primes=0)) for part in walk(node) if isinstance(part, ast.Call)}
    return {key_without_indices(name) for name in names_in(node)} | called
