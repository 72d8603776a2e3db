"""A claim of a page, judged with the definitions around it: those that it needs, the nearest of each name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from derive.errors import DeriveError
from derive.read import syntax as ast
from derive.read.backward import is_backward, is_delta
from derive.read.case import make_case
from derive.read.claims_file import Entry
from derive.read.facts import Facts, is_value, key_without_indices
from derive.read.infer import called_functions
from derive.read.kinds import numbers
from derive.read.outline import Equation, Outline, names_in, walk
from derive.read.spelling import render
from derive.verify.at_steps import judge_at_steps
from derive.verify.cases import judge_in_case, judge_read
from derive.verify.judge import FALSE, GOOD, Verdict
from derive.verify.own_model import derivatives_in

USUAL = "denominator"  # in the shapes of variables; how the Jacobians of vectors lie then is not told
LOOSE = "matrix product for Hadamard product"  # signs are left out where the page means it,
SIDE_BY_SIDE = "multiplies a vector by a vector"  # where it means numbers, or entries; and how the factors of a
# chain rule lie is often not meant
UNKNOWN = Verdict("unread", "no definition around it says what it speaks of")


def judge_around(order: int, claim: Equation, found: Outline, facts: Facts, layout: str) -> Verdict:
    """Judge a claim with the definitions of its section, then those of the sections above, then all of the page.

    What the letters are is seldom told, and may be told of another place. So a claim is false only where the nearest
    definitions say so, a small edit makes it hold, and it holds with no others.
    """
    first: Verdict | None = None
    for model in _scopes(order, claim, found, facts):
        for verdict in _readings(claim, replace(found, equations=model, domains={}), layout, mend=first is None):
            if verdict.verdict in GOOD:
                return verdict
            first = verdict if first is None else first
    if first is None or first.verdict not in FALSE or first.diagnosis is None:
        return UNKNOWN if first is None else Verdict("unread", first.reason)
    products = (part for part in walk(claim.right) if isinstance(part, ast.Product))
    loose = any(map(derivatives_in, products)) or LOOSE in first.diagnosis.kind or SIDE_BY_SIDE in first.reason
    return UNKNOWN if loose and first.verdict == "ill-typed" else first


def _readings(claim: Equation, model: Outline, layout: str, mend: bool) -> Iterator[Verdict]:
    """Yield the verdicts on a claim in a model: over its steps, or with the shapes that are told, or with others."""
    at_steps = judge_at_steps(_entry(claim, model), lambda step: judge_read(step, thorough=False)[2])
    if at_steps is not None:
        yield at_steps
        return
    for declared in (model.declared, {}) if model.declared else ({},):
        verdict = _judged(claim, replace(model, declared=declared), layout, mend)
        mend = False
        yield verdict
        if verdict.verdict not in GOOD and "adds a" in verdict.reason:
            yield _judged(claim, replace(model, declared=declared, stretched=True), layout, mend)


def _entry(claim: Equation, model: Outline) -> Entry:
    """Return a claim with its model as it would stand in a claims file."""
    written = tuple(f"{render(item.left)} = {render(item.right)}" for item in model.equations)
    return Entry(None, claim.place.line, written, f"{render(claim.left)} = {render(claim.right)}", {}, "")


def _judged(claim: Equation, model: Outline, layout: str, mend: bool) -> Verdict:
    sides = [side for equation in (*model.equations, claim) for side in (equation.left, equation.right)]
    model = replace(model, declared={**numbers(sides), **model.declared})
    try:
        functions = {render(item.left.function) for item in model.equations if isinstance(item.left, ast.Call)}
        case = make_case(model, [claim], functions=functions, layout="" if layout == USUAL else layout)
        return judge_in_case(case, case.claims[0], mend)
    except DeriveError as error:
        return Verdict("unread", str(error))


def _scopes(order: int, claim: Equation, found: Outline, facts: Facts) -> Iterator[list[Equation]]:
    """Yield the equations that define what a claim needs, from wider and wider parts of the page."""
    backward = {id(equation) for _, equation in facts.claims if not _is_forward(equation)}
    stated = [(at, item) for at, item in enumerate(found.equations)
              if id(item) not in backward and item is not claim and not _is_of_itself(item)]  # fmt: skip
    said = [pair for pair in _written_under(found.equations) if _is_plain(pair[1].right)]
    stated = [pair for pair in stated if _is_plain(pair[1].right)]
    own = {_key(item.left): item for _, item in said if item.place == claim.place}
    known = {_key(item.left) for _, item in stated}
    stated += [pair for pair in said if _key(pair[1].left) not in known]
    section, headings = claim.place.section, claim.place.headings
    parts = (
        [pair for pair in stated if pair[1].place.section == section],
        [pair for pair in stated if pair[1].place.headings[: len(headings) - 1] == headings[:-1] and pair[0] < order],
        stated,
    )
    seen: list[list[Equation]] = []
    for part in parts:
        for choose in (_nearest, _first):
            model = _needed(claim, {**choose(part, order), **own})
            if model and model not in seen:
                seen.append(model)
                yield model


def _is_forward(equation: Equation) -> bool:
    """Tell whether an equation says anew what a name or a function is: z = x W after z = W x."""
    named = isinstance(equation.left, ast.Name | ast.Call) and not is_delta(equation.left)
    return named and not is_backward(equation.left) and not is_backward(equation.right)


def _is_plain(node: ast.Node) -> bool:
    """Tell whether a formula is one that is computed with; what is listed, (x_1, …, x_n), only shows what a name is."""
    return not is_value(node) and not any(isinstance(part, ast.Dots | ast.Matrix | ast.Group) for part in walk(node))


def _is_of_itself(equation: Equation) -> bool:
    """Tell whether a function is said by itself: the loss of all samples by that of one."""
    left = equation.left
    return isinstance(left, ast.Call) and render(left.function) in called_functions(equation.right)


def _written_under(equations: Sequence[Equation]) -> Iterator[tuple[int, Equation]]:
    """Yield what a chain of equations says by the way: of ∂ξ/∂y = ∂(t log y)/∂y, that ξ is t log y."""
    for at, item in enumerate(equations):
        left, right = item.left, item.right
        if isinstance(left, ast.Derivative) and isinstance(left.of, ast.Name) and isinstance(right, ast.Derivative):
            written = right.of
            if right.wrt == left.wrt and written is not None and not isinstance(written, ast.Name | ast.Derivative):
                yield at, replace(item, left=left.of, right=written)


def _nearest(stated: Sequence[tuple[int, Equation]], order: int) -> dict[str, Equation]:
    """Return one equation for each name: the last one above a claim, else the first below it; of a chain the first."""
    found: dict[str, Equation] = {}
    below = [pair for pair in stated if pair[0] > order]
    for _, equation in (*reversed(below), *(pair for pair in stated if pair[0] < order)):
        known = found.get(_key(equation.left))
        if known is None or known.latex != equation.latex or known.place.line != equation.place.line:
            found[_key(equation.left)] = equation
    return found


def _first(stated: Sequence[tuple[int, Equation]], order: int) -> dict[str, Equation]:
    """Return the first equation for each name: what is said anew later may be of something else."""
    return {_key(equation.left): equation for _, equation in reversed(stated)}


def _key(left: ast.Node) -> str:
    if isinstance(left, ast.Call):
        return render(left.function)
    return key_without_indices(left) if isinstance(left, ast.Name) else render(left)


def _needed(claim: Equation, stated: dict[str, Equation]) -> list[Equation]:
    """Return the equations that a claim's names lead to, and where it differentiates what is not told, on from them."""
    wanted = _names(claim.left) | _names(claim.right)
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
    called = set(called_functions(node))
    powers = {render(part) for part in walk(node) if isinstance(part, ast.Power) and isinstance(part.base, ast.Name)}
    return {key_without_indices(name) for name in names_in(node)} | called | powers
