"""A claim of a page, judged with the definitions around it: those that it needs, the nearest of each name."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from derive.cases.backward import is_backward, is_delta
from derive.cases.case import Case, Models, make_case
from derive.cases.claims_file import Entry
from derive.cases.probabilities import probability_key
from derive.claims.at_steps import judge_at_steps
from derive.claims.changes import changes_beside, like_layers, needs_no_model
from derive.claims.entries import judge_in_case, judge_read
from derive.claims.own_model import LAST
from derive.diagnose.edits import undone_derivative
from derive.errors import DeriveError
from derive.meaning.facts import Facts, called_functions, is_value, key_without_indices
from derive.meaning.kinds import numbers
from derive.meaning.outline import Equation, Outline, derivatives_in, names_in, sides_in, walk
from derive.meaning.terms import is_running
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.verify.judge import FALSE, GOOD, Diagnosis, Verdict

USUAL = "denominator"  # in the shapes of variables; how the Jacobians of vectors lie then is not told
LOOSE = "matrix product for Hadamard product"  # signs are left out where the page means it,
TURNED = ("multiplies a vector by a vector", "is a row, the right side a vector", "is a vector, the right side a row")
# and how the factors of a chain rule lie is often not meant
UNKNOWN = Verdict("unread", "no definition around it says what it speaks of")


@dataclass(frozen=True, slots=True)
class Context:
    """What a claim is judged in beside a model: the page's layout, the models read so far, other claims it rests on."""

    layout: str
    models: Models
    beside: Sequence[Equation]


def judge_around(order: int, claim: Equation, found: Outline, facts: Facts, layout: str, models: Models) -> Verdict:
    """Judge a claim with the definitions of its section, then those of the sections above, then all of the page.

    What the letters are is seldom told, and may be told of another place. So a claim is false only where the nearest
    definitions that suffice say so, a small edit makes it hold, and it holds with no others.
    """
    why = UNKNOWN
    context = Context(layout, models, [*changes_beside(claim, facts), *_named_here(claim, facts)])
    for model, is_clear in _scopes(order, claim, found, facts):
        mend = is_clear and why.verdict not in FALSE
        for verdict, is_plain in _readings(claim, replace(found, equations=model, domains={}), context, mend):
            if verdict.verdict in GOOD:
                return replace(verdict, assumptions=(*verdict.assumptions, *_from_elsewhere(claim, model)))
            if verdict.verdict == "refuted" and _lacks_derivative(claim, model):
                why, mend = replace(verdict, diagnosis=_with_derivative(claim)), False
            elif mend and verdict.verdict in FALSE and _is_certain(verdict, claim, is_plain):
                why, mend = verdict, False
            elif why is UNKNOWN:
                doubt = "; whether the definitions around it are meant is not clear" if verdict.verdict in FALSE else ""
                why = Verdict("unread", f"{verdict.reason}{doubt}")
    return why


def case_around(order: int, claim: Equation, found: Outline, facts: Facts, verdict: str) -> Case | None:
    """Return a claim with the nearest definitions around it with which it gets a verdict; None where none do."""
    for model, _ in _scopes(order, claim, found, facts):
        for read in _told(claim, replace(found, equations=model, domains={})) if model else ():
            try:
                case = _case(claim, read, layout="")
                if judge_in_case(case, case.claims[0], mend=False).verdict == verdict:
                    return case
            except DeriveError:
                continue
    return None


def _from_elsewhere(claim: Equation, model: Sequence[Equation]) -> list[str]:
    """Say which definitions a claim was judged with that other sections of the page make."""
    others = [item for item in model if item.place.section != claim.place.section]
    listed = ", ".join(f"${render(item.left)}$ in line {item.place.line}" for item in others)
    return [f"as other sections define it: {listed}"] if others else []


def _is_certain(verdict: Verdict, claim: Equation, is_plain: bool) -> bool:
    """Tell whether a claim is false in any sense that the page can mean; `is_plain`: what its letters are is clear."""
    if verdict.diagnosis is None or verdict.verdict == "refuted":
        return verdict.verdict == "refuted" and (is_plain or verdict.diagnosis is not None)
    products = (part for part in walk(claim.right) if isinstance(part, ast.Product))
    signs = LOOSE in verdict.diagnosis.kind or any(words in verdict.reason for words in TURNED)
    return not signs and not any(map(derivatives_in, products))


def _lacks_derivative(claim: Equation, model: Sequence[Equation]) -> bool:
    """Tell whether a claim's right side is what a definition says of what is differentiated: ∂E/∂w = E."""
    if not isinstance(claim.left, ast.Derivative):
        return False
    stated = {_without_limits(item.right) for item in model if render(item.left) == render(claim.left.of)}
    return _without_limits(claim.right) in stated


def _with_derivative(claim: Equation) -> Diagnosis:
    """Return the diagnosis of a claim whose right side is still to be differentiated."""
    (edit,) = undone_derivative(claim.left, claim.right)
    return Diagnosis(edit.kind, edit.text, f"{render(claim.left)} = {render(edit.node)}")


def _without_limits(node: ast.Node) -> ast.Node:
    """Return a formula with its sums over what they run over anyway."""
    node = ast.map_children(node, _without_limits)
    return replace(node, lower=None, upper=None) if isinstance(node, ast.Big) else node


def _readings(claim: Equation, model: Outline, context: Context, mend: bool) -> Iterator[tuple[Verdict, bool]]:
    """Yield the verdicts on a claim in a model: over its steps, or with the shapes that are told, or with others.

    Each comes with whether it is clear what the letters are: as good as it is where they are written out step by
    step, or where nothing hints at anything but numbers.
    """
    at_steps = judge_at_steps(_entry(claim, model), lambda step: judge_read(step, thorough=False)[2])
    if at_steps is not None:
        yield at_steps, True
        return
    is_plain = bool(_numbers(claim, model))
    for read in _told(claim, model):
        verdict = _judged(claim, read, context, mend)
        mend = mend and verdict.verdict not in FALSE
        yield verdict, is_plain
        if verdict.verdict not in GOOD and "adds a" in verdict.reason:
            rows = {key: tuple(size for size in shape if size != "1") for key, shape in read.declared.items()}
            for sizes in (read.declared, rows):  # a row beside each row of a matrix is a vector like these
                stretched = _judged(claim, replace(read, declared=sizes, stretched=True), context, mend=False)
                if stretched.verdict in GOOD:
                    yield stretched, False


def _told(claim: Equation, model: Outline) -> Iterator[Outline]:
    """Yield a model with the shapes that the page tells, and without them: they may be told of other letters."""
    for declared in (model.declared, {}) if model.declared else ({},):
        yield replace(model, declared={**_numbers(claim, model), **declared})


def _numbers(claim: Equation, model: Outline) -> dict[str, tuple[str, ...]]:
    return numbers(sides_in((*model.equations, claim)))


def _entry(claim: Equation, model: Outline) -> Entry:
    """Return a claim with its model as it would stand in a claims file."""
    written = tuple(f"{render(item.left)} = {render(item.right)}" for item in model.equations)
    return Entry(None, claim.place.line, written, f"{render(claim.left)} = {render(claim.right)}", {}, "")


def _judged(claim: Equation, model: Outline, context: Context, mend: bool) -> Verdict:
    try:
        layout = "" if context.layout == USUAL else context.layout
        case = replace(_case(claim, model, layout), models=context.models)
        case.facts.claims.extend((LAST, other) for other in context.beside)
        return judge_in_case(case, case.claims[0], mend)
    except DeriveError as error:
        return Verdict("unread", str(error))


def _case(claim: Equation, model: Outline, layout: str) -> Case:
    functions = {render(item.left.function) for item in model.equations if isinstance(item.left, ast.Call)}
    return make_case(model, [claim], functions=functions, layout=layout)


def _scopes(order: int, claim: Equation, found: Outline, facts: Facts) -> Iterator[tuple[list[Equation], bool]]:
    """Yield the equations that define what a claim needs, from wider and wider parts of the page.

    Each comes with whether it is clear that these are meant: they stand in the claim's section, or there are no others.
    """
    backward = {id(equation) for _, equation in facts.claims if not _is_forward(equation)}
    stated = [(at, item) for at, item in enumerate(found.equations)
              if id(item) not in backward and item is not claim and not _is_of_itself(item)
              and not _is_said_before(at, found.equations)]  # fmt: skip
    said = [pair for pair in _written_under(found.equations) if _is_plain(pair[1].right)]
    events = _random(found.equations)
    stated = [pair for pair in stated if _is_plain(pair[1].right) and pair[1].left not in events]
    own = {render(item.left): item for _, item in said if item.place == claim.place}
    apart = _apart(stated)
    known = {_key(item.left, apart) for _, item in stated}
    stated += [pair for pair in said if _key(pair[1].left, apart) not in known]
    section, headings = claim.place.section, claim.place.headings
    parts = (
        [pair for pair in stated if pair[1].place.section == section],
        [pair for pair in stated if pair[1].place.headings[: len(headings) - 1] == headings[:-1] and pair[0] < order],
        stated,
    )
    seen: list[list[Equation]] = []
    counts = Counter(_key(item.left, apart) for _, item in stated)
    for part, choose in itertools.product(parts, (_nearest, _first)):
        model = _needed(claim, {**choose(part, order, apart), **own}, apart)
        if (model or needs_no_model(claim) or _says_itself(claim)) and model not in seen:
            near = part is parts[0] and choose is _nearest
            seen.append(model)
            yield model, near or all(counts[_key(item.left, apart)] == 1 for item in model)


def _says_itself(claim: Equation) -> bool:
    """Tell whether a claim writes out what it differentiates, or what a function of any kind is applied to there."""
    of = claim.left.of if isinstance(claim.left, ast.Derivative) else None
    if isinstance(of, ast.Call):
        return any(not isinstance(arg, ast.Name) for arg in of.args)
    return of is not None and not isinstance(of, ast.Name)


def _named_here(claim: Equation, facts: Facts) -> list[Equation]:
    """Return the equations that say what a claim's δ are, where nothing says of what they are the derivatives."""
    told = {name for _, name, _ in facts.cotangents}
    wanted = {key_without_indices(name) for name in names_in(claim.right) if is_delta(name)} - told
    stated = {_key(item.left, ()): item for _, item in reversed(facts.claims) if is_delta(item.left)}
    return [item for key, item in stated.items() if key in wanted and item is not claim]


def _is_forward(equation: Equation) -> bool:
    """Tell whether an equation says anew what a name or a function is: z = x W after z = W x."""
    named = isinstance(equation.left, ast.Name | ast.Call) and not is_delta(equation.left)
    return named and not is_backward(equation.left) and not is_backward(equation.right)


def _is_plain(node: ast.Node) -> bool:
    """Tell whether a formula is one that is computed with.

    What is listed, (x_1, …, x_n), only shows what a name is, and so does what is told of any entry, (x_{ij})_{m × n}.
    """
    if isinstance(node, ast.Entry) and any(isinstance(sub, ast.Product) for sub in node.subs):
        return False
    return not is_value(node) and not any(isinstance(part, ast.Dots | ast.Matrix | ast.Group) for part in walk(node))


def _is_said_before(at: int, equations: Sequence[Equation]) -> bool:
    """Tell whether an equation is a further link of a chain that says at its beginning what its left side is."""
    start = at
    while equations[start].own is not None and equations[start - 1].left == equations[at].left:
        start -= 1
    first = equations[start]
    says = _is_plain(first.right) and not is_backward(first.right) and not _is_of_itself(first)
    return says and start < at


def _random(equations: Sequence[Equation]) -> set[ast.Node]:
    """Return the names that stand for chance: where P(t = 1) is written, t = c is an event and defines nothing.

    So it is where t_j is used, and c nowhere else: a class c of which the entry of t is 1.
    """
    sides = sides_in(equations)
    calls = [part for side in sides for part in walk(side) if isinstance(part, ast.Call)]
    said = [part for call in calls for arg in call.args for part in walk(arg) if isinstance(part, ast.Relation)]
    used = Counter(name for side in sides for name in names_in(side))
    entries = {replace(name, subs=()) for name in used if name.subs and all(map(is_running, name.subs))}
    classes = {item.left for item in equations
               if item.left in entries and isinstance(item.right, ast.Name) and used[item.right] == 1}  # fmt: skip
    return {part.links[0] for part in said if part.signs == ("=",)} | classes


def _is_of_itself(equation: Equation) -> bool:
    """Tell whether a function is said by itself: the loss of all samples by that of one."""
    left = equation.left
    if not isinstance(left, ast.Call) or probability_key(left):
        return False
    return render(left.function) in called_functions(equation.right)


def _written_under(equations: Sequence[Equation]) -> Iterator[tuple[int, Equation]]:
    """Yield what a chain of equations says by the way: of ∂ξ/∂y = -∑ ∂(t log y)/∂y, that ξ is -∑ t log y."""
    for at, item in enumerate(equations):
        left = item.left
        if isinstance(left, ast.Derivative) and isinstance(left.of, ast.Name | ast.Call) and left.wrt is not None:
            written = _differentiated(item.right, left.wrt)
            if written is not None and not isinstance(written, ast.Name | ast.Derivative):
                yield at, replace(item, left=left.of, right=written)


def _differentiated(node: ast.Node, by: ast.Node) -> ast.Node | None:
    """Return what a formula is the derivative of by a name; sums, signs and numbers stand before the derivatives."""
    if isinstance(node, ast.Derivative):
        return node.of if node.wrt == by else None
    if isinstance(node, ast.Neg):
        inner = _differentiated(node.arg, by)
        return None if inner is None else ast.Neg(inner)
    if isinstance(node, ast.Big) and node.kind == "sum":
        inner = _differentiated(node.body, by)
        return None if inner is None else replace(node, body=inner)
    if isinstance(node, ast.Product) and not names_in(node.left):
        inner = _differentiated(node.right, by)
        return None if inner is None else replace(node, right=inner)
    if isinstance(node, ast.Sum):
        left, right = _differentiated(node.left, by), _differentiated(node.right, by)
        return None if left is None or right is None else replace(node, left=left, right=right)
    return None


def _nearest(stated: Sequence[tuple[int, Equation]], order: int, apart: Collection[str]) -> dict[str, Equation]:
    """Return one equation for each name: the last one above a claim, else the first below it; of a chain the first."""
    found: dict[str, Equation] = {}
    below = [pair for pair in stated if pair[0] > order]
    for _, equation in (*reversed(below), *(pair for pair in stated if pair[0] < order)):
        known = found.get(_key(equation.left, apart))
        if known is None or known.latex != equation.latex or known.place.line != equation.place.line:
            found[_key(equation.left, apart)] = equation
    return found


def _first(stated: Sequence[tuple[int, Equation]], order: int, apart: Collection[str]) -> dict[str, Equation]:
    """Return the first equation for each name: what is said anew later may be of something else."""
    return {_key(equation.left, apart): equation for _, equation in reversed(stated)}


def _key(left: ast.Node, apart: Collection[str]) -> str:
    """Return what an equation's left side names; with its letters, z_k, where these tell it from z_j."""
    if isinstance(left, ast.Call):
        return probability_key(left) or render(left.function)
    if not isinstance(left, ast.Name):
        return render(left)
    key = key_without_indices(left)
    return render(left) if key in apart else key


def _apart(stated: Sequence[tuple[int, Equation]]) -> set[str]:
    """Return the names whose letters tell arrays apart, if z_k = b_k + \\sum_j w_{jk} g(z_j) says that some do."""
    lefts = [item.left for _, item in stated if isinstance(item.left, ast.Name) and item.left.subs]
    found: dict[str, set[str]] = {}
    for name in lefts:
        found.setdefault(key_without_indices(name), set()).add(render(name))
    inside = [(item.left, name) for _, item in stated if item.left in lefts for name in names_in(item.right)]
    several = any(
        key_without_indices(left) == key_without_indices(name) and left.subs != name.subs and _are_letters(name)
        for left, name in inside if isinstance(left, ast.Name)
    )  # fmt: skip
    return {key for key, names in found.items() if len(names) > 1} if several else set()


def _are_letters(name: ast.Name) -> bool:
    return bool(name.subs) and all(map(is_running, name.subs))


def _needed(claim: Equation, stated: dict[str, Equation], apart: Collection[str]) -> list[Equation]:
    """Return the equations that a claim's names lead to, and where these do not meet, those that lead on from them."""
    derivatives = [part for side in (claim.left, claim.right) for part in derivatives_in(side)]
    ends = {render(part.of) for part in derivatives}
    by = {_key(part.wrt, apart) for part in derivatives if isinstance(part.wrt, ast.Name)}
    chosen: dict[str, Equation] = {}
    for onward in (False, True) if ends and ends <= stated.keys() else (True,):
        chosen = _closure(claim, stated, apart, onward)
        if by <= {key for item in chosen.values() for key in _names(item.right, apart)}:
            break
    return sorted(chosen.values(), key=lambda item: (item.place.line, item.place.column))


def _closure(
    claim: Equation, stated: dict[str, Equation], apart: Collection[str], onward: bool
) -> dict[str, Equation]:  # fmt: skip
    """Return the equations of all names that a claim needs; `onward`: also those that use these."""
    wanted = _names(claim.left, apart) | _names(claim.right, apart) | like_layers(claim, stated)
    chosen: dict[str, Equation] = {}

    def meets(key: str, item: Equation) -> bool:
        return key in wanted or (onward and not is_backward(item.right) and bool(_names(item.right, apart) & wanted))

    while more := {key: item for key, item in stated.items() if key not in chosen and meets(key, item)}:
        chosen.update(more)
        for item in more.values():
            wanted |= _names(item.right, apart) | _names(item.left, apart)
    return chosen


def _names(node: ast.Node, apart: Collection[str]) -> set[str]:
    called = {*called_functions(node), *filter(None, map(probability_key, walk(node)))}
    powers = {render(part) for part in walk(node) if isinstance(part, ast.Power) and isinstance(part.base, ast.Name)}
    return {_key(name, apart) for name in names_in(node)} | called | powers
