r"""Claims with a d: dW for the derivative of the cost by W, as code writes it, or true differentials.

A true differential leads to what its value is computed from, and holds for any change of that; what code writes leads
from a parameter or a value to what is computed from it. Where neither can be told, a claim is left unread.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from derive.cases.case import Case
from derive.cases.code_style import changes_in, is_code
from derive.cases.unsaid import nameless
from derive.claims.code_claims import judge_code
from derive.claims.logistic import Judged, judge_logistic
from derive.claims.own_model import LAST, Own, bench_of
from derive.errors import UnreadError
from derive.meaning.facts import Definition, Facts, define, key_without_indices
from derive.meaning.kinds import UNNAMED
from derive.meaning.naming import plain
from derive.meaning.outline import Equation, names_in
from derive.meaning.shaping import as_declared, kind_of
from derive.notation import bare_letter, split_name
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.verify.judge import GOOD, Verdict

PROBE, PAIRED = r"\|\dot{X}\|", r"\Lambda"  # names of what is added to a model
CONSTANTS = frozenset("ABCDGHKLMNPQRSTabcdghkpqrst")  # letters that a formula's constants have
VARIABLES = frozenset("XYZWUVxyzwuv")
WEIGHTS, DATA = frozenset(["W", "w", "b", r"\theta", r"\beta"]), frozenset("XYTxyt")


def judge_change(case: Case, claim: Equation, judged: Judged) -> Verdict | None:
    """Judge a claim with differentials by rewriting it as one about derivatives; None for any other claim.

    Args:
        case: The claim's case.
        claim: The claim.
        judged: Judges a claim about derivatives.
    """
    left = claim.left
    if not isinstance(left, ast.Differential):
        return judge_logistic(case, claim, judged)
    if "d" in _known(case) and not changes_in(claim.right):  # before names on both sides, d is no factor
        return None
    sense = is_code(claim, case.facts.definitions)
    if sense is False or (sense is None and _of_formula(case, left)):
        return _judge_true(case, claim, left, judged)
    return judge_code(case, claim, judged)


def changes_beside(claim: Equation, facts: Facts) -> list[Equation]:
    """Return a page's other claims that begin with a d: what they average over tells the page's convention."""
    led = [other for _, other in facts.claims if isinstance(other.left, ast.Differential)]
    return [other for other in led if other != claim] if isinstance(claim.left, ast.Differential) else []


def needs_no_model(claim: Equation) -> bool:
    """Tell whether a claim says itself of what it is the differential: d(X Y) = …."""
    return isinstance(claim.left, ast.Differential) and not isinstance(claim.left.arg, ast.Name)


def like_layers(claim: Equation, stated: Iterable[str]) -> set[str]:
    """Return the keys of what is stated for other layers of the names in a claim that begins with a d."""
    if not isinstance(claim.left, ast.Differential):
        return set()
    names = [*names_in(claim.left), *names_in(claim.right)]
    letters = {split_name(render(name))[0] for name in names if isinstance(name.sup, ast.Number)}
    return {key for key in stated if split_name(key)[0] in letters and split_name(key)[1]}


def _known(case: Case) -> set[str]:
    defined = {item.key for item in case.facts.definitions}
    return defined | {*case.found.declared} | {render(n) for item in case.facts.definitions
                                               for n in names_in(item.equation.right)}  # fmt: skip


def _of_formula(case: Case, left: ast.Differential) -> bool:
    """Tell whether a name without a definition stands beside the one formula without a name."""
    return isinstance(left.arg, ast.Name) and nameless(case.loose) is not None and render(left.arg) not in _known(case)


# ---------------------------------------------------------------- true differentials
def _judge_true(case: Case, claim: Equation, left: ast.Differential, judged: Judged) -> Verdict:
    r"""Judge dF = R: the derivative of ⟨Λ, F⟩ in the direction of all changes, for any Λ, is ⟨Λ, R⟩."""
    shown = dict.fromkeys(changes_in(claim.right))
    told = [name for name in dict.fromkeys(names_in(left)) if render(ast.Differential(name)) in case.found.declared]
    changed = list(dict.fromkeys([*shown, *told]))
    names = [part for part in changed if isinstance(part, ast.Name)]
    if not names or len(names) < len(changed):
        raise UnreadError(f"${render(claim.right)}$: the differential of a formula among factors is not read")
    keys = {render(name) for name in names}
    if any(part.primes or key_without_indices(part) != render(part) for part in names):
        raise UnreadError("the differential of an entry is not read")
    given = [item for item in case.facts.definitions if item.key not in keys]
    of = _formula(case, left.arg, given)
    right = _with_directions(claim.right)
    probe: ast.Node = ast.Number("0")
    for name in names:
        probe = ast.Sum("+", probe, ast.Power(ast.Norm(ast.Sum("+", name, direction(name))), ast.Number("2")))
    added = [define(ast.Name(UNNAMED), of, claim.place, LAST), define(ast.Name(PROBE), probe, claim.place, LAST + 1)]
    bench = bench_of(Own(replace(claim, left=ast.Name(UNNAMED), right=right), [*given, *added]), case)
    kind = kind_of(bench.names[UNNAMED].shape)
    if kind not in ("scalar", "vector", "matrix"):
        raise UnreadError(f"the differential of a {kind} is not read")
    found = replace(case.found, declared=dict(case.found.declared), domains=dict(case.found.domains))
    for name in names:
        shape = bench.names[render(name)].shape
        found.declared.setdefault(render(direction(name)), as_declared(shape))
        if render(name) in found.declared:
            found.domains[render(direction(name))] = _of_direction(found.domains.get(render(name), "real"))
    if found.domains and kind != "scalar":
        found.declared.setdefault(PAIRED, tuple(map(str, bench.names[UNNAMED].shape)))
        found.domains.setdefault(PAIRED, "real")
    total: ast.Node | None = None
    for name in names:
        slope = ast.Derivative(ast.Name(UNNAMED), name)
        part = _paired(slope, direction(name), kind_of(bench.names[render(name)].shape))
        total = part if total is None else ast.Sum("+", total, part)
    assert total is not None
    number = define(ast.Name(UNNAMED), _paired(ast.Name(PAIRED), of, kind), claim.place, LAST)
    facts = replace(case.facts, definitions=[*given, replace(added[1], order=0), number])
    rate = total

    def paired(written: Equation) -> Equation:
        return replace(written, left=rate, right=_paired(ast.Name(PAIRED), written.right, kind))

    spelled = case.spelled
    case = replace(case, spelled=lambda node: _with_directions(spelled(node)), rewritten=paired)
    verdict = judged(replace(case, facts=facts, found=found, layout="", loose=()), replace(claim, right=right))
    words = [f"${render(direction(name))}$ is $d{render(name)}$, any change of ${render(name)}$" for name in names]
    if kind != "scalar":
        words.append(rf"both sides are compared through their product with any ${PAIRED}$")
    constant = _constants(of, given, names)
    if constant and verdict.verdict in GOOD and not told and not _is_settled(constant, names):
        return Verdict("unread", f"whether ${constant[0]}$ is constant is not said; if it is, the claim holds")
    words += [f"${', '.join(constant)}$ {'is' if len(constant) == 1 else 'are'} constant"] if constant else []
    kept = tuple(why for why in verdict.assumptions if "downstream" not in why)
    return replace(verdict, assumptions=(*kept, *words))


def _formula(case: Case, of: ast.Node, given: list[Definition]) -> ast.Node:
    """Return what is differentiated: of a name, what it is."""
    if not isinstance(of, ast.Name):
        return of
    value = next((item.equation.right for item in given if item.key == key_without_indices(of)), None)
    if value is None and _of_formula(case, ast.Differential(of)):
        value = nameless(case.loose)
    if value is None:
        raise UnreadError(f"nothing says what ${render(of)}$ is")
    return value


def direction(name: ast.Name) -> ast.Name:
    r"""Return the name of a change: \dot{X} of dX."""
    return replace(name, base=rf"\dot{{{name.base}}}")


def _with_directions(node: ast.Node) -> ast.Node:
    if isinstance(node, ast.Differential) and isinstance(node.arg, ast.Name):
        return direction(node.arg)
    return ast.map_children(node, _with_directions)


def _of_direction(domain: str) -> str:
    return "symmetric" if domain in ("spd", "symmetric") else "real"


def _paired(one: ast.Node, other: ast.Node, kind: str) -> ast.Node:
    """Return the sum of all products of entries."""
    if kind == "scalar":
        return other if one == ast.Name(PAIRED) else ast.Product("", one, other)
    product = ast.Product("", ast.Transpose(one), other)
    return product if kind == "vector" else ast.Call(ast.Name("tr"), (product,))


def _constants(of: ast.Node, given: list[Definition], names: list[ast.Name]) -> list[str]:
    """Return what a formula is computed from besides what changes."""
    defined = {item.key: item for item in given}
    found: dict[str, None] = {}
    waiting = names_in(of)
    seen: set[str] = set()
    while waiting:
        key = key_without_indices(waiting.pop(0))
        if key in defined and key not in seen:
            waiting += names_in(defined[key].equation.right)
        elif key not in seen and key not in {render(name) for name in names} and key != "I":
            found[key] = None
        seen.add(key)
    return list(found)


def _is_settled(constant: list[str], names: list[ast.Name]) -> bool:
    """Tell whether letters say what is constant: A beside X, not Y beside X nor B beside A."""
    letters, others = {bare_letter(plain(name.base)) for name in names}, {bare_letter(key) for key in constant}
    return (letters <= VARIABLES and others <= CONSTANTS) or (letters <= WEIGHTS and others <= CONSTANTS | DATA)
