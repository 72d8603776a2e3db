"""Signs of a claim that are also used in another sense: what is false as it was read may be right as it is meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from derive.cases.backward import is_delta
from derive.cases.code_style import averages
from derive.claims.bench import Bench, right_side
from derive.errors import DeriveError
from derive.meaning.facts import GREEK_DELTA, Facts, called_functions, is_at_a_point, is_value, key_without_indices
from derive.meaning.kinds import is_loss_name
from derive.meaning.naming import LAYERS, plain
from derive.meaning.outline import Equation, Outline, derivatives_in, names_in, walk
from derive.meaning.per_sample import of_unclear_index
from derive.meaning.terms import is_running, usual
from derive.notation import bare_letter
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.read.vocabulary import ONES
from derive.shapes import axes
from derive.verify.judge import FALSE, Verdict

ZERO, ONE = ast.Number("0"), ast.Number("1")
SYMMETRIC = re.compile(r"symmetric|covariance|positive[- ](?:semi)?definite|diagonal matri", re.IGNORECASE)
LOGISTIC = re.compile(r"logistic|sigmoid", re.IGNORECASE)
ORDER = re.compile(r"[+-]\s*(?:\\mathcal\s*\{?\s*)?[Oo]\}?\s*(?:\\left\s*)?\(")  # + O(h^2): what is left out
CONSTANTS = (ONE, ast.Name("I"), ast.Name(r"\mathbf{I}"))
COUNTS = frozenset("mnMN")  # letters of sizes


def other_sense(claim: Equation, verdict: Verdict, bench: Bench) -> str:
    """Say in which other sense a claim may be meant than in that in which it was judged; "" where there is none."""
    parts = [*walk(claim.left), *walk(claim.right)]
    if ast.Transpose(ONE) in walk(claim.left):
        return "what the transpose of 1 is, is not said"
    if verdict.verdict not in FALSE:
        return ""
    products = [part for part in parts if isinstance(part, ast.Product)]
    powers = [part for part in parts if isinstance(part, ast.Power) and isinstance(part.exponent, ast.Number)]
    if any(part.sign == r"\otimes" for part in products):
        return r"$\otimes$ may be the product of entries, the outer or the Kronecker product"
    if any(is_delta(part.base) for part in powers):
        return r"whether a number above $\delta$ is a layer or a power is not said"
    if ast.Transpose(ONE) in parts or any(part.right == ONE and part.sign in ("", r"\cdot") for part in products):
        return "whether 1 is the number or the vector of ones is not said"
    if claim.right == ZERO:
        return "whether 0 is the number or the array of zeros is not said"
    if verdict.verdict == "ill-typed" and _is_second(claim.left) and _is_number(claim, bench):
        return "whether the matrix of second derivatives or its trace is meant is not said"
    stack = _stack(claim, bench) if verdict.verdict == "ill-typed" else ""
    return f"whether ${stack}$ is a row or a column is not said" if stack else ""


def _stack(claim: Equation, bench: Bench) -> str:
    """Return a name of a claim that is a row or a column of a matrix, z_i of Z; "" where there is none."""
    for name in names_in(claim.right):
        var = bench.names.get(key_without_indices(name))
        if var is not None and len(name.subs) == 1 and is_running(name.subs[0]) and len(axes(var.shape)) == 2:
            return render(name)
    return ""


def _is_second(left: ast.Node) -> bool:
    return isinstance(left, ast.Derivative) and isinstance(left.of, ast.Derivative)


def _is_number(claim: Equation, bench: Bench) -> bool:
    """Tell whether the right side of a claim is a number, as far as it can be told."""
    try:
        return not right_side(claim, bench).shape
    except DeriveError:
        return False


# ---------------------------------------------------------------- pages
def sense_on_page(claim: Equation, verdict: Verdict, facts: Facts, prose: Iterable[str]) -> str:
    """Say in which other sense a page may mean what is false as it was read; "" where there is none.

    `prose` are the words of its sections.
    """
    shapes = _senses_of_shapes(claim, verdict, facts) if verdict.verdict == "ill-typed" else ()
    return next((text for found in (_senses(claim, verdict, facts, prose), shapes) for text in found), "")


def _is_of_several(part: ast.Node) -> bool:
    """Tell whether a part is the derivative of a function of several arguments: of f(x, y)."""
    return isinstance(part, ast.Derivative) and isinstance(part.of, ast.Call) and len(part.of.args) > 1


def _senses(claim: Equation, verdict: Verdict, facts: Facts, prose: Iterable[str]) -> Iterator[str]:
    transposed = verdict.diagnosis is not None and re.search("symmetric|transpose", verdict.diagnosis.kind) is not None
    if transposed and any(map(_may_be_matrix, names_in(claim.right))) and any(map(SYMMETRIC.search, prose)):
        yield "it holds for symmetric matrices, and the page speaks of some"
    if stack := _stack_of_capital(claim, facts):
        yield f"whether ${stack}$ is a row or a column of its matrix is not said"
    for name, value in verdict.counterexample.symbols.items() if verdict.counterexample is not None else ():
        if name in COUNTS and isinstance(value, float):
            yield f"whether ${name}$ is the number of terms of a sum is not said"
    if is_at_a_point(claim.left) and is_value(claim.right):
        return  # d(-2) = 5 says what it says
    stood = [name for _, name, _, _ in facts.functions if rf"with ${name}(x) = x + x^2" in verdict.reason]
    if stood:
        yield f"the page says what ${stood[0]}$ is, and it was taken for any function"
    parts = [part for side in (claim.left, claim.right) for part in walk(side)]
    if ORDER.search(claim.latex):
        yield "up to what order it holds is not read"
    if verdict.verdict == "ill-typed" and any(map(_is_of_several, parts)):
        yield "whether the arguments of its function are numbers is not said"
    if name := of_unclear_index(claim, facts):
        yield f"whether the index of ${name}$ counts samples or entries is not said"
    backward = bool(derivatives_in(claim.left) or derivatives_in(claim.right))
    if claim.right == ZERO or (claim.right in CONSTANTS and not backward):
        yield f"that it is ${render(claim.right)}$ may be a condition, and no claim"
    written_out = isinstance(claim.left, ast.Derivative) and not isinstance(claim.left.of, ast.Name | ast.Call)
    if verdict.verdict == "refuted" and not written_out and not names_in(claim.right):
        yield "it may be the value at a point"
    if not names_in(claim.left):
        yield f"that it is ${render(claim.left)}$ may be what is to be solved, and no claim"
    factor = verdict.diagnosis is not None and verdict.diagnosis.kind in ("factor", "extra factor")
    told = {key for _, key, _ in facts.cotangents}
    untold = [name for name in names_in(claim.right) if is_delta(name) and render(name) not in told]
    if factor and untold and averages(claim.right):
        yield "whether its δ are of the samples' mean loss or of their sum is not said"
    if function := _unsaid_function(claim, facts):
        yield f"nothing says what the function ${function}$ is"
    guessed = any(r"$\sigma$ is the logistic" in text for text in verdict.assumptions)
    if guessed and _sums_over_calls(claim.right) and not any(map(LOGISTIC.search, prose)):
        yield r"whether $\sigma$ is the logistic sigmoid or a softmax is not said"
    function = render(claim.left.function) if isinstance(claim.left, ast.Call) else ""
    lines = (at.line for _, name, _, at in facts.functions if name == function)
    if not backward and any(line > claim.stands.line for line in lines):
        yield "the page defines the function anew further below"
    key = key_without_indices(claim.left) if isinstance(claim.left, ast.Name) else ""
    line = next((item.equation.place.line for item in facts.definitions if item.key == key), claim.place.line)
    if line != claim.place.line:
        yield f"line {line} defines ${key}$; here it may be called anew"


def _senses_of_shapes(claim: Equation, verdict: Verdict, facts: Facts) -> Iterator[str]:
    names = [*names_in(claim.left), *names_in(claim.right)]
    if any(name.base in ONES for name in names):
        yield "whether 1 is the number, the vector or the matrix of ones is not said"
    parts = [*walk(claim.left), *walk(claim.right)]
    if lettered := next((render(name) for name in names if any(map(_is_letter, name.subs))), ""):
        yield f"whether ${lettered}$ is an entry is not said"
    primed = any(isinstance(part, ast.Call) and part.function.primes for part in parts)
    backward = primed or any(isinstance(part, ast.Derivative) for part in parts)
    stated = [name for item in facts.definitions for name in names_in(item.equation.right)]
    if "multiplies a vector by a vector" in verdict.reason and not any(map(_may_be_array, [*names, *stated])):
        yield "whether its letters are numbers or vectors is not said"
    deltas = {GREEK_DELTA, r"\Delta", *(name for _, name, _ in facts.cotangents)}
    if not backward and not any({name.base, render(name)} & deltas for name in names):
        yield f"the shapes of its letters may be others here: {verdict.reason}"


def _may_be_array(name: ast.Name) -> bool:
    """Tell whether a name looks like an array: a capital that is no loss, or a letter in bold."""
    return (_may_be_matrix(name) and not is_loss_name(render(name))) or plain(name.base) != name.base


def _unsaid_function(claim: Equation, facts: Facts) -> str:
    """Return a function of a claim's right side that is named nowhere else, and so is anything but any function."""
    said = {name for _, name, _, _ in facts.functions}
    sides = [claim.left, *(side for item in facts.definitions for side in (item.equation.left, item.equation.right))]
    sides += [side for _, other in facts.claims if other is not claim for side in (other.left, other.right)]
    said |= {name for side in sides for name in called_functions(side)}
    letters = {bare_letter(name) for name in said}  # f_k beside f_j is that of another layer
    called = dict.fromkeys(called_functions(claim.right))
    return next((name for name in called if bare_letter(name) not in letters and usual(name) is None), "")


def _sums_over_calls(node: ast.Node) -> bool:
    r"""Tell whether a sum runs over the entries that a function is applied to, as with a softmax: \sum_j σ(u_{kj})."""
    sums = [part for part in walk(node) if isinstance(part, ast.Big)]
    calls = [(part.index, call) for part in sums for call in walk(part.body) if isinstance(call, ast.Call)]
    return any(index in name.subs[1:] for index, call in calls for arg in call.args for name in names_in(arg))


def _is_letter(sub: ast.Node) -> bool:
    """Tell whether a subscript is a single small letter, as indices are, and not a usual index."""
    return isinstance(sub, ast.Name) and len(sub.base) == 1 and sub.base.islower() and not is_running(sub)


def _stack_of_capital(claim: Equation, facts: Facts) -> str:
    """Return a vector with one running index that stands for a row or a column of the matrix named by its capital."""
    defined = [side for item in facts.definitions if item.section == claim.place.section
               for side in (item.equation.left, item.equation.right)]  # fmt: skip
    names = names_in(claim.left) + names_in(claim.right)
    capitals = {bare_letter(name.base) for name in names if not (name.subs or is_loss_name(render(name)))}
    for name in (name for side in (claim.left, claim.right, *defined) for name in names_in(side)):
        letter = bare_letter(name.base)
        if letter.islower() and letter.upper() in capitals and len(name.subs) == 1 and is_running(name.subs[0]):
            return render(name)
    return ""


def _may_be_matrix(name: ast.Name) -> bool:
    """Tell whether a name has a capital letter, also a Greek one: that of a matrix."""
    return plain(name.base).lstrip("\\")[:1].isupper()


def said_of_one_value(claim: Equation, found: Outline) -> str:
    """Say for which value a claim is meant, where the words around it set one of its letters: if $y = 1$, then …."""
    if derivatives_in(claim.left) or derivatives_in(claim.right):
        return ""
    stated = (side for item in found.equations if item.left == claim.left for side in (item.left, item.right))
    names = {name for side in (claim.left, claim.right, *stated) for name in names_in(side)}
    beside = (item for item in found.equations if item.place.line == claim.place.line)
    value = next((item for item in beside if item.left in names and isinstance(item.right, ast.Number)), None)
    return "" if value is None else f"it may be said for ${render(value.left)} = {render(value.right)}$ alone"


def stated_anew(claim: Equation, found: Outline) -> str:
    """Return a name of a claim that its section states in several ways, one after the other: z = x + y, then z = x y.

    "" where there is none. What goes on as a chain of equations states nothing anew.
    """
    stated: dict[ast.Node, set[str]] = {}
    begun = (item for item in found.equations if item.place.section == claim.place.section and item.own is None)
    for item in begun:
        says = isinstance(item.left, ast.Name) and not derivatives_in(item.right) and bool(names_in(item.right))
        if says and item is not claim:
            stated.setdefault(item.left, set()).add(render(item.right))
    names = [*names_in(claim.left), *names_in(claim.right)]
    return next((render(name) for name in names if len(stated.get(name, ())) > 1), "")


def mark_or_power(claim: Equation, verdict: Verdict, facts: Facts) -> str:
    """Return the letter of layers that a counterexample has as a number, which raises what stands below it."""
    symbols = verdict.counterexample.symbols if verdict.counterexample is not None else {}
    sides = [claim.left, claim.right, *(item.equation.right for item in facts.definitions)]
    powers = [part for side in sides for part in walk(side) if isinstance(part, ast.Power)]
    raised = {render(part.exponent) for part in powers if isinstance(part.base, ast.Name)}
    return next((name for name in symbols if name in LAYERS & raised and isinstance(symbols[name], float)), "")
