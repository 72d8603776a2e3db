r"""Functions with parameters below their names: h_\theta(x^{(i)}), and quantities written as functions of these.

A function whose formula holds more than its argument is written out where it is applied: then what it depends on
besides is seen. Of h_\theta that nothing defines, in a squared error, the model of linear regression is assumed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from derive.cases.unsaid import nameless
from derive.meaning.applied import substitute
from derive.meaning.facts import Facts, key_without_indices
from derive.meaning.indexed import indices_of
from derive.meaning.outline import Equation, names_in, walk, with_sides
from derive.meaning.terms import DEPTH, Function, is_running
from derive.read import syntax as ast
from derive.read.spelling import render

Shapes = Mapping[str, tuple[str, ...]]
HYPOTHESIS = "h"
PARAMETERS = frozenset(["W", "w", "b", r"\theta", r"\Theta", r"\beta"])


# ---------------------------------------------------------------- quantities
def by_the_quantity(claim: Equation, loose: Sequence[ast.Node], defined: Collection[str]) -> Equation:
    r"""Return a claim about J(\theta_0, \theta_1) as one about J, where a formula without a name can only be J."""

    def change(node: ast.Node) -> ast.Node:
        node = ast.map_children(node, change)
        if not (isinstance(node, ast.Derivative) and isinstance(node.of, ast.Call)):
            return node
        of = node.of
        known = render(of.function) in defined or not all(isinstance(arg, ast.Name) for arg in of.args)
        return node if known else replace(node, of=of.function)

    return claim if nameless(loose) is None else replace(claim, left=change(claim.left))


def by_the_parameter(facts: Facts, claim: Equation, told: Collection[str]) -> tuple[Equation, str]:
    """Return a claim about C' as one about the derivative of C by its only parameter, and why; "" for any other."""
    left = claim.left
    if not (isinstance(left, ast.Name) and left.primes == 1 and not left.subs):
        return claim, ""
    of = replace(left, primes=0)
    defined = {item.key: item.equation.right for item in facts.definitions}
    if key_without_indices(of) not in defined or key_without_indices(left) in {*defined, *told}:
        return claim, ""
    names = {name for right in defined.values() for name in names_in(right)} - {of}
    free = [name for name in names if name.base in PARAMETERS and key_without_indices(name) not in defined]
    if len({key_without_indices(name) for name in free}) != 1:
        return claim, ""
    by = replace(free[0], subs=tuple(sub for sub in free[0].subs if not is_running(sub)))
    why = f"${render(left)}$ is the derivative by the only parameter, ${render(by)}$"
    return replace(claim, left=ast.Derivative(of, by)), why


# ---------------------------------------------------------------- functions
def with_telling_links(equations: Sequence[Equation]) -> list[Equation]:
    """Return equations without links of c(x) = A = B in which x does not stand, where they name what nothing defines.

    The link that x stands in says what the function is.
    """
    defined = {equation.left for equation in equations}
    found: list[Equation] = []
    for at, equation in enumerate(equations):
        left = equation.left
        rest = [other for other in equations[at + 1 :] if (other.left, other.place) == (left, equation.place)]
        if isinstance(left, ast.Call) and rest and left.args and not _tells(equation, left):
            open_ = set(names_in(equation.right)) - defined
            if open_ - {name for other in rest for name in names_in(other.right)} and _tells(rest[0], left):
                continue
        found.append(equation)
    return found


def _tells(equation: Equation, call: ast.Call) -> bool:
    """Tell whether all that a function is applied to stands in what an equation says of it."""
    return {*call.args} <= {*names_in(equation.right)}


def inlined(
    facts: Facts, loose: Sequence[ast.Node], claim: Equation
) -> tuple[Facts, tuple[ast.Node, ...], Equation]:
    """Return facts, loose formulas and a claim with functions written out that depend on more than their argument."""
    sides = [side for equation in _equations(facts, claim) for side in (equation.left, equation.right)]
    primed = {part.function.base for side in sides for part in walk(side)
              if isinstance(part, ast.Call) and part.function.primes}  # fmt: skip
    open_ = {name: function for _, name, function, _ in facts.functions if _has_parameters(function)}
    open_ = {name: function for name, function in open_.items() if name not in primed}
    if not open_:
        return facts, tuple(loose), claim

    def change(node: ast.Node, depth: int = 0) -> ast.Node:
        if isinstance(node, ast.Derivative):  # what is differentiated is a quantity
            of = ast.map_children(node.of, lambda part: change(part, depth)) if isinstance(node.of, ast.Call) else None
            return replace(node, of=of or change(node.of, depth))
        node = ast.map_children(node, lambda part: change(part, depth))
        if not isinstance(node, ast.Call) or depth > DEPTH:
            return node
        body = _body(node, open_.get(render(node.function)))
        return node if body is None else change(body, depth + 1)

    definitions = [replace(item, equation=with_sides(item.equation, change)) for item in facts.definitions]
    functions = [(order, name, function if function.body is None else replace(function, body=change(function.body)), at)
                 for order, name, function, at in facts.functions]  # fmt: skip
    facts = replace(facts, definitions=definitions, functions=functions)
    return facts, tuple(map(change, loose)), with_sides(claim, change)


def _equations(facts: Facts, claim: Equation) -> Iterable[Equation]:
    return (*(item.equation for item in facts.definitions), claim)


def _has_parameters(function: Function) -> bool:
    if function.body is None or len(function.parameters) != 1:
        return False
    return bool({render(name) for name in names_in(function.body)} - set(function.parameters))


def _body(call: ast.Call, function: Function | None) -> ast.Node | None:
    """Return what a call says; None where entries of the argument are named, or an index would be taken twice."""
    if function is None or function.body is None or len(call.args) != 1 or call.function.primes:
        return None
    (parameter,), (arg,) = function.parameters, call.args
    names = [name for name in names_in(function.body) if render(name) != parameter]
    entries = any(render(replace(name, subs=())) == parameter for name in names)
    bound = {render(i) for part in walk(function.body) if isinstance(part, ast.Big) for i in indices_of(part)}
    used = {render(sub) for name in names_in(arg) for sub in name.subs}
    return None if entries or bound & used else substitute(function.body, {parameter: arg})


# ---------------------------------------------------------------- the model of linear regression
def with_hypothesis(
    facts: Facts, loose: Sequence[ast.Node], shapes: Shapes, claim: Equation
) -> tuple[Facts, str]:  # fmt: skip
    r"""Return facts with h_\theta(x) = \theta^T x, or \theta_0 + \theta_1 x, and why; "" where h is told or unusual.

    Args:
        facts: What the model states.
        loose: Formulas without a name.
        shapes: What is told of the sizes of names.
        claim: The claim; where no sizes are told, its letters tell of which model it is.
    """
    formulas = [*(item.equation.right for item in facts.definitions), *loose]
    formulas += [function.body for _, _, function, _ in facts.functions if function.body is not None]
    squared = [part for formula in formulas for part in walk(formula) if _is_square(part)]
    calls = {part for formula in formulas for part in walk(formula) if _is_hypothesis(part)}
    inside = {part for square in squared for part in walk(square) if _is_hypothesis(part)}
    known = {name for _, name, function, _ in facts.functions if function != Function()}
    names = {render(call.function) for call in calls if isinstance(call, ast.Call)}
    if len(names) != 1 or names & known or calls != inside:
        return facts, ""
    call = next(iter(calls))
    assert isinstance(call, ast.Call)
    (parameter,), (arg,) = call.function.subs, call.args
    body = _linear(parameter, arg, shapes)
    if body is None and render(parameter) not in shapes and isinstance(parameter, ast.Name):
        body = _named(parameter, arg, claim)
    if body is None:
        return facts, ""
    (name,) = names
    function = (0, name, Function("", ("x",), body), claim.place)
    kept = [known for known in facts.functions if known[1] != name]
    return replace(facts, functions=[function, *kept]), f"${name}(x)$ is ${render(body)}$, that of linear regression"


def _linear(parameter: ast.Node, arg: ast.Node, shapes: Shapes) -> ast.Node | None:
    """Return the linear model of what the parameter and the argument are told to be."""
    if not isinstance(parameter, ast.Name) or not isinstance(arg, ast.Name):
        return None
    running = sum(map(is_running, arg.subs))
    rank = len(shapes.get(key_without_indices(arg), ())) - running
    x = ast.Name("x")
    if len(shapes.get(render(parameter), ())) == 1 and rank == 1:
        return ast.Product("", ast.Transpose(parameter), x)
    ends = [replace(parameter, subs=(*parameter.subs, ast.Number(text))) for text in "01"]
    if all(shapes.get(render(end)) == () for end in ends) and rank == 0:
        return ast.Sum("+", ends[0], ast.Product("", ends[1], x))
    return None


def _named(parameter: ast.Name, arg: ast.Node, claim: Equation) -> ast.Node | None:
    r"""Return the linear model that a claim's own letters tell: \theta_0 or \theta_1 alone, or \theta_j beside x_j."""
    names = [*names_in(claim.left), *names_in(claim.right)]
    marks = {name.subs for name in names if name.subs and replace(name, subs=()) == parameter}
    if not isinstance(arg, ast.Name) or not marks:
        return None
    ends = [replace(parameter, subs=(ast.Number(text),)) for text in "01"]
    features = {sub for name in names if name.base == arg.base for sub in name.subs} - {*arg.subs}
    x = ast.Name("x")
    if marks <= {end.subs for end in ends} and not features:
        return ast.Sum("+", ends[0], ast.Product("", ends[1], x))
    along = len(marks) == 1 and all(len(mark) == 1 and is_running(mark[0]) and mark[0] in features for mark in marks)
    return ast.Product("", ast.Transpose(parameter), x) if along else None


def _is_square(node: ast.Node) -> bool:
    return isinstance(node, ast.Power) and node.exponent == ast.Number("2")


def _is_hypothesis(node: ast.Node) -> bool:
    if not isinstance(node, ast.Call) or len(node.args) != 1:
        return False
    return node.function.base == HYPOTHESIS and len(node.function.subs) == 1 and not node.function.primes
