"""A claim and the model that it brings along: quantities written as functions, or written out where differentiated."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from derive.cases.backward import is_delta
from derive.cases.case import Case
from derive.claims.bench import Bench, make_bench
from derive.errors import ModelError, ShapeError, UnreadError
from derive.meaning.facts import Definition, Facts, define, key_without_indices, used_in
from derive.meaning.indexed import free_letters
from derive.meaning.infer import ReadModel, build_model
from derive.meaning.kinds import UNNAMED, UNNAMED_BESIDE, is_loss_name
from derive.meaning.models import Sketch, called_by_name
from derive.meaning.outline import Equation, derivatives_in, names_in, walk, with_sides
from derive.meaning.terms import INDEX_LETTERS, is_running, usual
from derive.op import TABLE
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.shapes import axes

ANY_NAME = r"\mathcal{L}"  # of a loss downstream that a claim does not speak of
MENTIONED = r"\mathit{m}"  # what no page calls a function, so that a claim may call one by any name
LAST = 10**6  # the order of what stands after all equations of a model


@dataclass(frozen=True, slots=True)
class Own:
    """A claim, and the definitions that it speaks of; `mentions`: they only mention its symbols."""

    claim: Equation
    definitions: list[Definition]
    mentions: bool = False


class Quantities:
    """Reads `J(w, b)` as the quantity J where a claim differentiates it, and what is written out as one, too."""

    def __init__(self, facts: Facts, definitions: Sequence[Definition]) -> None:
        self.functions = {name: (order, f) for order, name, f, _ in facts.functions if f.body is not None}
        self.definitions = list(definitions)
        self.cotangents = {name: derivative for _, name, derivative in facts.cotangents}

    def own(self, claim: Equation) -> Own:
        """Return a claim about quantities alone, with the definitions of those."""
        claim = with_sides(with_sides(claim, self._unprimed), self._by_argument)
        derivatives = derivatives_in(claim.left) + derivatives_in(claim.right)
        used = {key_without_indices(name) for name in names_in(claim.left) + names_in(claim.right)}
        derivatives += [derivative for name, derivative in self.cotangents.items() if name in used]
        called = {render(p.of.function) for p in derivatives if isinstance(p.of, ast.Call) and _of_names(p.of)}
        called = {name for name in called if name in self.functions or not _is_usual(name)}
        named = {render(p.of) for p in derivatives if isinstance(p.of, ast.Name)}
        wanted = called | (named & self.functions.keys())
        definitions = list(self.definitions)
        for name in sorted(wanted & self.functions.keys() - {item.key for item in definitions}):
            order, function = self.functions[name]
            assert function.body is not None
            definitions.append(Definition(name, Equation(ast.Name(name), function.body, name, claim.place), order))
        claim = self._in(claim, wanted)
        definitions = [replace(item, equation=self._in(item.equation, wanted)) for item in definitions]
        left = claim.left
        if isinstance(left, ast.Derivative) and not isinstance(left.of, ast.Name | ast.Derivative):
            letters = sorted(free_letters(left.of) & INDEX_LETTERS)  # the formula of an entry
            unnamed = ast.Name(UNNAMED, subs=tuple(map(ast.Name, letters)))
            equation = Equation(unnamed, left.of, render(left.of), claim.place)
            claim = replace(claim, left=replace(left, of=unnamed))
            definitions = [*definitions, Definition(UNNAMED, equation, LAST)]
        if definitions:
            more = _formulas_in(claim.right)
            spelled: dict[ast.Node, ast.Node] = {part: replace(part, of=name) for part, name in more}
            claim = replace(claim, right=ast.with_parts(claim.right, spelled))
            definitions += [define(name, part.of, claim.place, LAST + 1) for part, name in more]
        return Own(claim, definitions or [mention(claim)], not definitions)

    def _unprimed(self, node: ast.Node) -> ast.Node:
        """Return a formula with C'(w) as the derivative of C by w, where C is a quantity that is defined."""
        if isinstance(node, ast.Call) and node.function.primes == 1 and len(node.args) == 1:
            name = ast.unprimed(node)
            if any(item.key == render(name) for item in self.definitions) and isinstance(node.args[0], ast.Name):
                return ast.Derivative(name, node.args[0])
        return ast.map_children(node, self._unprimed)

    def _by_argument(self, node: ast.Node) -> ast.Node:
        r"""Return a formula with \nabla f(x) as the gradient by x, the one argument of f."""
        if isinstance(node, ast.Derivative) and node.wrt is None and isinstance(node.of, ast.Call):
            own = self.functions.get(render(node.of.function))
            if own is not None and tuple(map(render, node.of.args)) == own[1].parameters and len(node.of.args) == 1:
                return replace(node, wrt=node.of.args[0])
        return ast.map_children(node, self._by_argument)

    def _in(self, equation: Equation, wanted: set[str]) -> Equation:
        return with_sides(equation, lambda side: self._named(side, wanted))

    def _named(self, node: ast.Node, wanted: set[str]) -> ast.Node:
        """Return a formula with J(w, b) as J, where the arguments are its own."""
        if isinstance(node, ast.Call) and render(node.function) in wanted and _of_names(node):
            own = self.functions.get(render(node.function))
            if own is None or tuple(map(render, node.args)) == own[1].parameters:
                return node.function
        return ast.map_children(node, lambda part: self._named(part, wanted))


def _formulas_in(node: ast.Node) -> list[tuple[ast.Derivative, ast.Name]]:
    """Return the derivatives of formulas in a formula, each with a name for what it is the derivative of.

    There are three names; what is beyond them stays as it is, and is unread.
    """
    parts = dict.fromkeys(part for part in derivatives_in(node) if _is_of_formula(part))
    found = []
    for part, base in zip(parts, UNNAMED_BESIDE, strict=False):
        letters = sorted(free_letters(part.of) & INDEX_LETTERS)
        found.append((part, ast.Name(base, subs=tuple(map(ast.Name, letters)))))
    return found


def _is_of_formula(part: ast.Derivative) -> bool:
    inner = [one for one in walk(part.of) if isinstance(one, ast.Derivative | ast.Implied | ast.Dots)]
    named = isinstance(part.of, ast.Name) or (isinstance(part.of, ast.Call) and not _is_usual(render(part.of.function)))
    return part.wrt is not None and not inner and not named


def _is_usual(name: str) -> bool:
    """Tell whether a name is that of a function of numbers wherever nothing else is said: log, tanh."""
    function = usual(name)
    return function is not None and TABLE[function.op].body is not None


def _of_names(call: ast.Call) -> bool:
    return all(isinstance(arg, ast.Name) for arg in call.args)


def mention(claim: Equation) -> Definition:
    """Return a definition that mentions all symbols of a claim about no model: the sum of their squares."""
    names = dict.fromkeys(names_in(claim.left) + names_in(claim.right))
    total: ast.Node = ast.Number("0")
    for name in names:
        total = ast.Sum("+", total, ast.Power(ast.Norm(name), ast.Number("2")))
    return Definition(MENTIONED, Equation(ast.Name(MENTIONED), total, "", claim.place), 0)


# ---------------------------------------------------------------- the model
def sketch_of(own: Own, facts: Facts) -> Sketch:
    """Return all definitions as one model, what is differentiated being its loss, also by a name of its cotangent."""
    ordered = _ordered(called_by_name(own.definitions))
    sides = (own.claim.left, own.claim.right)
    named = {key_without_indices(name) for side in sides for name in names_in(side)}
    derivatives = [part for side in sides for part in derivatives_in(side)]
    derivatives += [derivative for _, name, derivative in facts.cotangents if name in named]
    of = next((part.of for part in derivatives), None)
    while isinstance(of, ast.Derivative):
        of = of.of
    wanted = render(of) if isinstance(of, ast.Name) else ""
    whole = key_without_indices(of) if isinstance(of, ast.Name) else ""
    if whole in {item.key for item in ordered} - {wanted}:
        wanted = ""  # an entry of a value: no loss is called so
    if of is None and any(map(is_delta, (name for side in sides for name in names_in(side)))):
        wanted = _only_loss(ordered)
    loss = next((item for item in ordered if item.key == wanted), None)
    others = [item for item in _final_losses(ordered) if item.key != whole and loss is None]
    forward = tuple(item for item in ordered if item is not loss and item not in others)  # no loss leads to another
    return Sketch("", 0, (), forward, loss, LAST, downstream=wanted or ANY_NAME)


def _only_loss(definitions: Sequence[Definition]) -> str:
    """Return the one loss that a model ends in, of which its errors δ are the derivatives; "" where there is none."""
    losses = _final_losses(definitions)
    return losses[0].key if len(losses) == 1 else ""


def _final_losses(definitions: Sequence[Definition]) -> list[Definition]:
    """Return the losses that nothing is computed from."""
    used = used_in(definitions)
    return [item for item in definitions if is_loss_name(item.key) and item.key not in used]


def _ordered(definitions: Sequence[Definition]) -> list[Definition]:
    """Return definitions in an order in which each comes after those that it uses."""
    found: dict[str, Definition] = {}
    by_key = {item.key: item for item in definitions}
    active: set[str] = set()

    def visit(item: Definition) -> None:
        if item.key in active:
            return
        active.add(item.key)
        for name in names_in(item.equation.right):
            if key_without_indices(name) in by_key:
                visit(by_key[key_without_indices(name)])
        found[item.key] = item

    for item in definitions:
        visit(item)
    return list(found.values())


def bench_of(own: Own, case: Case) -> Bench:
    """Return the bench of a claim's model, made once for all claims about it; see `_made`."""
    key = ("bench", case.layout, _all_of(sketch_of(own, case.facts), case), tuple(item.key for item in own.definitions))
    if key not in case.models:
        case.models[key] = _made(own, case)
    return cast(Bench, case.models[key])


def _made(own: Own, case: Case) -> Bench:
    """Return the bench of an entry's model; what is differentiated is its loss where it is a number.

    Whether it is one, the names in it tell: that it is differentiated says nothing of it. Where the equations do not
    fit together, values whose shapes are told stand for themselves: what they are computed from is left out.
    """
    try:
        return _bench_of(own, case)
    except (ShapeError, UnreadError):
        below = [item for item in own.definitions if item.key not in case.found.declared]
        if len(below) == len(own.definitions) or not below:
            raise
        return _bench_of(replace(own, definitions=below), case)


def _bench_of(own: Own, case: Case) -> Bench:
    sketch = sketch_of(own, case.facts)
    open_end = replace(sketch, loss=None, definitions=sketch.all(), downstream=ANY_NAME)
    model = _model_of(sketch if sketch.loss is None else open_end, case)
    if sketch.loss is not None and not model.names[sketch.loss.key].shape:
        model = _model_of(sketch, case)
    return replace(make_bench(model, case.facts), jacobians=True, layout=case.layout)


def _all_of(sketch: Sketch, case: Case) -> Hashable:
    """Return all that a model is read from."""
    equations = tuple((item.key, item.equation.left, item.equation.right) for item in sketch.all())
    functions = tuple((name, function) for _, name, function, _ in case.facts.functions)
    cotangents = tuple((name, derivative) for _, name, derivative in case.facts.cotangents)
    told = (tuple(sorted(case.found.declared.items())), tuple(sorted(case.found.domains.items())), case.found.stretched)
    return equations, sketch.loss is None, sketch.downstream, functions, cotangents, told


def _model_of(sketch: Sketch, case: Case) -> ReadModel:
    """Return the model of a sketch; the same one for all claims that are judged in it."""
    key = _all_of(sketch, case)
    if key not in case.models:
        try:
            case.models[key] = build_model(sketch, case.facts, case.found)
        except (ModelError, ShapeError, UnreadError) as error:
            case.models[key] = error
    found = case.models[key]
    if isinstance(found, ReadModel):
        return found
    raise type(found)(str(found))


def _rank(node: ast.Node, bench: Bench) -> int | None:
    """Return the number of axes of a value, or of the part of it that an index picks; None for what is no name."""
    var = bench.names.get(key_without_indices(node)) if isinstance(node, ast.Name) else None
    if var is None or not isinstance(node, ast.Name):
        return None
    return 0 if render(node) == var.latex and not var.shape else len(axes(var.shape)) - sum(map(is_running, node.subs))


def laid_out(claim: Equation, bench: Bench) -> Equation:
    """Return a claim with derivatives of scalars in the shapes of variables, if it is made in numerator layout."""

    def turned(node: ast.Node) -> ast.Node:
        if isinstance(node, ast.Derivative) and isinstance(node.of, ast.Derivative):
            return node  # a matrix of second derivatives is what it is in all layouts
        if isinstance(node, ast.Derivative):
            several = _rank(node.of, bench) or (node.wrt is not None and _rank(node.wrt, bench) == 0)
            return node if several else ast.Transpose(node)
        return ast.map_children(node, turned)

    return with_sides(claim, turned) if bench.layout == "numerator" else claim
