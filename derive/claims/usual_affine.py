r"""The usual affine layer, for pages that give its backward pass and never say what y is: ∂L/∂W, and ∂L/∂x beside it.

There are four ways to write it. A page has the one under which both its claims about the weights and its claims about
the data hold. A claim may hold so; it is never called false for what the page does not say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from derive.claims.entries import judge_beside
from derive.meaning.facts import key_without_indices
from derive.meaning.naming import plain
from derive.meaning.outline import Equation, Outline, derivatives_in
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.verify.judge import GOOD, Verdict

WEIGHTS, SHIFTS, DATA = frozenset(["W", "w", r"\Theta"]), frozenset("bc"), frozenset("xXhHaAuUvV")


@dataclass(frozen=True, slots=True)
class Layer:
    """The names of a layer: what comes out, weights, data, the shift if there is one."""

    out: ast.Name
    weights: ast.Name
    data: ast.Name
    shift: ast.Name | None

    def forms(self) -> Iterator[ast.Node]:
        """Yield the ways to compute what comes out: W x + b, x W + b, and with the weights transposed."""
        turned = ast.Transpose(self.weights)
        pairs = ((self.weights, self.data), (self.data, self.weights), (turned, self.data), (self.data, turned))
        for left, right in pairs:
            product = ast.Product("", left, right)
            yield product if self.shift is None else ast.Sum("+", product, self.shift)


def judge_in_affine(claims: Sequence[Equation], found: Outline) -> dict[int, Verdict]:
    """Return the verdicts on claims that hold in a usual affine layer, by their places in the sequence."""
    defined = {key_without_indices(item.left) for item in found.equations if isinstance(item.left, ast.Name)}
    groups: defaultdict[tuple[int, ast.Node, ast.Node], list[int]] = defaultdict(list)
    for place, claim in enumerate(claims):
        pair = _passes(claim)
        if pair is not None and key_without_indices(pair[1]) not in defined:
            groups[claim.place.section, *pair].append(place)
    verdicts: dict[int, Verdict] = {}
    for (_, _, out), places in groups.items():
        layer = _layer(out, [_by(claims[place]) for place in places])
        if layer is not None:
            verdicts.update(_best(layer, {place: claims[place] for place in places}, found))
    return verdicts


def _by(claim: Equation) -> ast.Node | None:
    """Return what a claim differentiates by."""
    return claim.left.wrt if isinstance(claim.left, ast.Derivative) else None


def _passes(claim: Equation) -> tuple[ast.Name, ast.Name] | None:
    """Return the loss of a claim and the value whose derivative is all that its right side knows of it."""
    left, inner = claim.left, set(derivatives_in(claim.right))
    if not isinstance(left, ast.Derivative) or not isinstance(left.of, ast.Name) or len(inner) != 1:
        return None
    (passed,) = inner
    plain_names = isinstance(passed.wrt, ast.Name) and isinstance(left.wrt, ast.Name) and passed.of == left.of
    if not plain_names or not isinstance(passed.wrt, ast.Name) or left.of in (left.wrt, passed.wrt):
        return None
    return None if passed.wrt == left.wrt else (left.of, passed.wrt)


def _layer(out: ast.Node, by: Iterable[ast.Node | None]) -> Layer | None:
    """Return the layer that what is differentiated by are the names of; None where one is missing or met twice."""
    names = {name for name in by if isinstance(name, ast.Name) and not name.subs}
    kinds = [[name for name in names if plain(name.base) in letters] for letters in (WEIGHTS, DATA, SHIFTS)]
    weights, data, shifts = kinds
    if len(weights) != 1 or len(data) != 1 or len(shifts) > 1 or not isinstance(out, ast.Name):
        return None
    return Layer(out, weights[0], data[0], shifts[0] if shifts else None)


def _best(layer: Layer, claims: dict[int, Equation], found: Outline) -> dict[int, Verdict]:
    """Return the claims that hold in the first form in which those about the weights and about the data do."""
    for form in layer.forms():
        like = next(iter(claims.values()))
        said = f"{render(layer.out)} = {render(form)}"
        equation = Equation(layer.out, form, said, like.place)
        holding = dict(_holding(claims, replace(found, equations=[equation], declared={}, domains={})))
        by = {_by(claims[place]) for place in holding}
        if {layer.weights, layer.data} <= by:
            return {place: replace(verdict, assumptions=(*verdict.assumptions, f"${said}$, as usual"))
                    for place, verdict in holding.items()}  # fmt: skip
    return {}


def _holding(claims: dict[int, Equation], model: Outline) -> Iterator[tuple[int, Verdict]]:
    for place, claim in claims.items():
        for stretched in (False, True):
            verdict = judge_beside(claim, replace(model, stretched=stretched))
            if verdict.verdict in GOOD:
                yield place, verdict
                break

