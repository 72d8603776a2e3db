r"""The usual network of layers, for pages that speak of z^l, a^l, w^l and δ^l and never say what these are.

There are two habits: w^l leads to the layer l, or from it. A page has the one under which more of its claims hold,
two at least. A claim may hold so; it is never called false for what the page does not say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from derive.cases.backward import is_delta
from derive.cases.case import Symbol
from derive.claims.entries import judge_beside
from derive.meaning.layers import GENERAL, shifted
from derive.meaning.naming import names_of, plain, with_layer_marks
from derive.meaning.outline import Equation, Outline, derivatives_in, pairs, sides_in, walk
from derive.read import syntax as ast
from derive.read.latex import read_statements
from derive.read.spelling import render
from derive.verify.judge import GOOD, Verdict

HABITS = (
    "<z>^{(<l>)} = <w>^{(<l>)} <a>^{(<l>-1)} + <b>^{(<l>)}",
    "<z>^{(<l>+1)} = <w>^{(<l>)} <a>^{(<l>)} + <b>^{(<l>)}",
)
ACTIVATION = "<a>^{(<l>)} = <f>(<z>^{(<l>)})"
CROSSED = r"\delta^{(<l>)} = \frac{\partial <c>}{\partial <z>^{(<l>)}}"
LETTERS = {"z": ("z", "Z"), "a": ("a", "A"), "w": ("w", "W", r"\Theta", r"\theta"), "b": ("b", "B")}
ENOUGH = 2  # claims that a habit must explain


@dataclass(frozen=True, slots=True)
class Layers:
    """The letters of a page's network: of each kind of value, of the general layer, the activation and the cost."""

    letters: dict[str, str]
    layer: str
    function: str
    cost: str

    def equations(self, habit: str, like: Equation) -> list[Equation]:
        """Return the network's equations under one habit."""
        words = {**self.letters, "l": self.layer, "f": self.function, "c": self.cost}
        found: list[Equation] = []
        for latex in (_filled(form, words) for form in (habit, ACTIVATION, CROSSED)):
            for statement in read_statements(latex, {self.function}):
                assert isinstance(statement.node, ast.Relation)
                found += [replace(like, left=left, right=right, latex=latex) for left, right in pairs(statement.node)]
        return found

    def symbols(self, habit: str, claim: Equation) -> list[Symbol]:
        """Return the shapes of all values of the layers that a claim names, and of those beside them."""
        sides = [with_layer_marks(side) for side in (claim.left, claim.right)]
        marks = {render(name.sup): name.sup for name in names_of(sides) if name.sup is not None}
        near = {render(mark): mark for one in (*marks.values(), ast.Name(self.layer)) for mark in _beside(one)}
        sizes = {key: f"n_{place}" for place, key in enumerate(sorted(near))}
        found: list[Symbol] = []
        for key, mark in near.items():
            below = render(_beside(mark)[0]) if habit == HABITS[0] else key
            above = key if habit == HABITS[0] else render(_beside(mark)[-1])
            shapes = {"z": (key,), "a": (key,), "b": (above,), "w": (above, below)}
            for kind, letter in self.letters.items():
                if all(at in sizes for at in shapes[kind]):
                    name = ast.Name(letter, sup=mark, style="()")
                    found.append(Symbol((name,), tuple(sizes[at] for at in shapes[kind]), "real"))
        return found


def _beside(mark: ast.Node) -> tuple[ast.Node, ast.Node, ast.Node]:
    """Return a layer's mark with those of the layers below and above it."""
    return shifted(mark, -1), mark, shifted(mark, 1)


def _filled(form: str, words: Mapping[str, str]) -> str:
    return re.sub(r"<(\w)>", lambda match: words[match[1]], form)


def layers_of(claims: Sequence[Equation]) -> Layers | None:
    """Return the letters of the network that claims speak of; None where they speak of no layers."""
    sides = list(map(with_layer_marks, sides_in(claims)))
    marked = [name for name in names_of(sides) if name.sup is not None]
    marks = [name.sup.left if isinstance(name.sup, ast.Sum) else name.sup for name in marked]
    general = [mark.base for mark in marks if isinstance(mark, ast.Name) and mark.base in GENERAL]
    if not general or not any(map(is_delta, marked)):
        return None
    bases = {name.base for name in marked}
    letters = {
        kind: next((base for base in sorted(bases) if plain(base) in known), known[0])
        for kind, known in LETTERS.items()
    }
    parts = [part for side in sides for part in walk(side)]
    functions = [part.function for part in parts if isinstance(part, ast.Call) and part.function.primes]
    of = [part.of.function if isinstance(part.of, ast.Call) else part.of for side in sides
          for part in derivatives_in(side)]  # fmt: skip
    cost = next((render(name) for name in of if isinstance(name, ast.Name) and name.sup is None), "C")
    function = render(replace(functions[0], primes=0)) if functions else r"\sigma"
    return Layers(letters, general[0], function, cost)


def judge_in_layers(claims: Sequence[Equation], found: Outline) -> dict[int, Verdict]:
    """Return the verdicts on claims that hold in the usual network, by their places in the sequence."""
    layers = layers_of(claims)
    if layers is None:
        return {}
    tables = [dict(_holding(claims, found, layers, habit)) for habit in HABITS]
    best = max(tables, key=len)
    clear = len(best) >= ENOUGH and sum(len(table) == len(best) for table in tables) == 1
    return best if clear else {}


def _holding(claims: Sequence[Equation], found: Outline, layers: Layers, habit: str) -> Iterator[tuple[int, Verdict]]:
    """Yield the claims about layers that hold under a habit, by their places."""
    for place, claim in enumerate(claims):
        if not any(name.sup is not None for name in names_of(map(with_layer_marks, (claim.left, claim.right)))):
            continue
        equations = layers.equations(habit, claim)
        model = replace(found, equations=equations, declared={}, domains={})
        verdict = judge_beside(claim, model, layers.symbols(habit, claim))
        if verdict.verdict in GOOD:
            said = tuple(f"${equation.latex}$, as usual" for equation in equations)
            yield place, replace(verdict, assumptions=(*verdict.assumptions, *said))
