r"""The usual loss of a prediction, for pages that say what the prediction is, σ(z) or softmax(z), and never the loss.

It is the cross-entropy, where two claims of a page at least hold with it. A claim may hold so; it is never called false
for what the page does not say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from derive.cases.unsaid import TARGETS
from derive.claims.around import judge_around
from derive.claims.entries import judge_beside
from derive.claims.own_model import LAST
from derive.meaning.facts import Facts, key_without_indices
from derive.meaning.kinds import is_loss_name
from derive.meaning.naming import plain
from derive.meaning.outline import Equation, Outline, derivatives_in, names_in, sides_in, walk
from derive.meaning.terms import Function, usual
from derive.ops import table
from derive.read import syntax as ast
from derive.read.latex import read_formula
from derive.read.spelling import render
from derive.verify.judge import GOOD, Verdict

FORMS = {
    table.SIGMOID: r"-(<y> \log <p> + (1 - <y>) \log (1 - <p>))",
    table.SOFTMAX: r"-\sum_k <y>_k \log <p>_k",
}
# words of another loss
OTHER = re.compile(r"squared?\b|\bMSE\b|quadratic|hinge|absolute error|\bL[12]\b", re.IGNORECASE)
ENOUGH = 2  # claims that must hold with it
DEFAULT = ast.Name("L")  # what a cost without a name is called


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss that a page speaks of: its name, the prediction with its function, the target."""

    name: ast.Name
    prediction: ast.Name
    function: str
    target: ast.Name
    called: bool  # whether it is written with its arguments, L(a, y)

    def equation(self, like: Equation) -> Equation:
        """Return what the loss is, as it would stand beside a claim."""
        words = FORMS[self.function].replace("<p>", render(self.prediction)).replace("<y>", render(self.target))
        left = ast.Call(self.name, (self.prediction, self.target)) if self.called else self.name
        return Equation(left, read_formula(words), f"{render(left)} = {words}", like.place)


def loss_of(claims: Sequence[Equation], found: Outline) -> Loss | None:
    """Return the loss that claims speak of, and that nothing on the page defines; None where that is not clear."""
    defined = {render(item.left.function) if isinstance(item.left, ast.Call) else render(item.left)
               for item in found.equations}  # fmt: skip
    predictions = dict(_predictions(found))
    sides = sides_in((*found.equations, *claims))
    parts = [part for side in sides for part in walk(side)]
    losses = {of for part in parts if isinstance(part, ast.Derivative)
              if isinstance(of := part.of.function if isinstance(part.of, ast.Call) else part.of, ast.Name)
              and is_loss_name(render(of))}  # fmt: skip
    open_ = {name for name in losses if render(name) not in defined}
    used = {ast.Name(name.base) for side in sides for name in names_in(side)}
    targets = {name for name in used if plain(name.base) in TARGETS and key_without_indices(name) not in defined}
    if any(map(OTHER.search, found.prose.values())) or len(predictions) != 1 or len(targets) != 1:
        return None
    if len(open_) > 1 or (losses and not open_):
        return None
    ((prediction, function),), (target,) = predictions.items(), targets
    name = open_.pop() if open_ else DEFAULT
    called = any(isinstance(part, ast.Call) and part.function == name and len(part.args) == 2 for part in parts)
    return Loss(name, prediction, function, target, called)


def _predictions(found: Outline) -> Iterator[tuple[ast.Name, str]]:
    """Yield the names that are said to be σ or the softmax of something, by letters without indices."""
    for item in found.equations:
        left, right = item.left, item.right
        if isinstance(left, ast.Name) and isinstance(right, ast.Call) and len(right.args) == 1:
            meaning = usual(render(right.function))
            if meaning is not None and meaning == Function(meaning.op) and meaning.op in FORMS:
                yield ast.Name(left.base), meaning.op


def judge_with_loss(claims: Sequence[Equation], found: Outline, facts: Facts, layout: str) -> Mapping[int, Verdict]:
    """Return the verdicts on claims that hold with the usual loss of the page's prediction, by their places."""
    loss = loss_of(claims, found)
    if loss is None:
        return {}
    holding = dict(_holding(claims, loss, found, facts, layout))
    different = {claims[place].right for place in holding}
    return holding if len(different) >= ENOUGH else {}


def _holding(
    claims: Sequence[Equation], loss: Loss, found: Outline, facts: Facts, layout: str
) -> Iterator[tuple[int, Verdict]]:  # fmt: skip
    """Yield the claims that hold with a loss beside what the page says, or alone, by their places."""
    for place, claim in enumerate(claims):
        if not (derivatives_in(claim.left) or isinstance(claim.left, ast.Differential)):
            continue
        said = loss.equation(claim)
        beside = replace(found, equations=[*found.equations, said])
        verdict = judge_around(LAST, claim, beside, facts, layout, {})
        if verdict.verdict not in GOOD:
            alone = [replace(said, left=loss.name)]  # its prediction is then that of logistic regression
            verdict = judge_beside(claim, replace(found, equations=alone, declared={}, domains={}))
        if verdict.verdict in GOOD:
            yield place, replace(verdict, assumptions=(*verdict.assumptions, f"${said.latex}$, as usual"))
