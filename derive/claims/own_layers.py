r"""Layers whose letter stands below on a page: x_i = f_i(W_i x_{i-1}), E = ‖x_L - t‖², and claims about δ_i and δ_L.

What δ_i is, such pages seldom say: it is the derivative by what f_i is applied to. A page means this where two of its
claims hold so; where it says what δ_i is, one is enough. Then others may be false, where a small edit mends them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial

from derive.cases.backward import is_backward, is_delta
from derive.cases.case import make_case
from derive.cases.layers_below import LAYER, layer_below, respelled_below, with_layers_above
from derive.claims.entries import judge_in_case
from derive.errors import DeriveError
from derive.meaning.kinds import is_loss_name
from derive.meaning.layers import moved, split_mark
from derive.meaning.naming import MARKED, names_of
from derive.meaning.outline import Equation, Outline, derivatives_in, sides_in, with_sides
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.verify.judge import GOOD, OPEN, Verdict

INPUT = ast.Number("0")  # the layer of what is put in
ENOUGH = 2  # claims that hold with what δ is taken to be


@dataclass(frozen=True, slots=True)
class OwnLayers:
    """The layers of a section: their letter, the equations of a general one, of others, of the loss, and what δ is."""

    letter: str
    general: tuple[Equation, ...]
    others: tuple[Equation, ...]
    loss: Equation | None
    deltas: tuple[Equation, ...]
    assumed: tuple[str, ...]

    def equations(self) -> list[Equation]:
        """Return all equations."""
        return [*self.general, *self.others, *self.deltas, *([] if self.loss is None else [self.loss])]


def judge_in_own_layers(claims: Sequence[Equation], found: Outline) -> dict[int, Verdict]:
    """Return the verdicts on claims about layers with a letter below, by their places in the sequence."""
    sections: defaultdict[int, list[int]] = defaultdict(list)
    for place, claim in enumerate(claims):
        sections[claim.place.section].append(place)
    verdicts: dict[int, Verdict] = {}
    for section, places in sections.items():
        layers = layers_of([item for item in found.equations if item.place.section == section])
        if layers is not None:
            about = {place: claims[place] for place in places if _is_about(claims[place], layers)}
            verdicts.update(_judged(about, layers, found))
    return verdicts


def layers_of(equations: Sequence[Equation]) -> OwnLayers | None:
    """Return the layers that the equations of a section define; None where no letter below counts any."""
    forward = [item for item in equations if not (is_delta(item.left) or is_backward(item.right))]
    letter = layer_below((item.left, item.right) for item in forward)
    general = {item.left: item for item in forward if _is_general(item.left, letter)}
    if not letter or not general:
        return None
    loss = next((item for item in reversed(forward) if isinstance(item.left, ast.Name) and is_loss_name(item.left.base)
                 and not item.left.subs), None)  # fmt: skip
    of = [part.of for side in sides_in(equations) for part in derivatives_in(side) if isinstance(part.of, ast.Name)]
    name = loss.left if loss is not None else next((name for name in of if is_loss_name(name.base)), None)
    stated = [item for item in equations if is_delta(item.left) and _is_general(item.left, letter)]
    told = [item for item in stated if isinstance(item.right, ast.Derivative) and item.right.of == name]
    bases = {left.base for left in general if isinstance(left, ast.Name)}
    others = tuple(item for item in forward if isinstance(item.left, ast.Name) and item.left.base in bases
                   and item.left not in general and len(item.left.subs) == 1)  # fmt: skip
    layers = OwnLayers(letter, tuple(general.values()), others, loss, tuple(told[:1]), ())
    if told or not stated or name is None:
        return layers
    applied = [item.right.args[0] for item in general.values() if isinstance(item.right, ast.Call)]
    if len(applied) != 1:
        return None
    delta = replace(stated[0], right=ast.Derivative(name, applied[0]))
    said = f"${render(delta.left)}$ is ${render(delta.right)}$"
    return replace(layers, deltas=(delta,), assumed=(said,))


def _is_general(left: ast.Node, letter: str) -> bool:
    return isinstance(left, ast.Name) and left.subs == (ast.Name(letter),) and left.sup is None


def _is_about(claim: Equation, layers: OwnLayers) -> bool:
    """Tell whether a claim is one about derivatives or δ of these layers."""
    known = {name.base for item in (*layers.general, *layers.deltas) for name in names_of([item.left]) if name.subs}
    backward = is_delta(claim.left) or isinstance(claim.left, ast.Derivative)
    names = names_of([claim.left, claim.right])
    return backward and claim not in layers.deltas and any(name.base in known and name.subs for name in names)


def _judged(claims: dict[int, Equation], layers: OwnLayers, found: Outline) -> dict[int, Verdict]:
    """Return the verdicts on claims; none is called false where too few hold, or where no small edit mends it."""
    verdicts = {place: _judge(claim, layers, found) for place, claim in claims.items()}
    clear = sum(verdict.verdict in GOOD for verdict in verdicts.values()) >= (ENOUGH if layers.assumed else 1)
    alike = {claims[place].left for place, verdict in verdicts.items() if verdict.verdict in GOOD}
    return {place: _sure(claims[place], verdict, clear, layers, alike) for place, verdict in verdicts.items()}


def _sure(claim: Equation, verdict: Verdict, clear: bool, layers: OwnLayers, alike: Collection[ast.Node]) -> Verdict:
    """Return a verdict, open where the layers are not sure.

    The last layer, and the first, may be others than the general one: what is said of them is false only where
    something else that is said of the same holds.
    """
    general = {split_mark(sub)[0] for name in names_of([claim.left]) for sub in name.subs} == {ast.Name(layers.letter)}
    mended = verdict.diagnosis is not None and (general or claim.left in alike)
    if verdict.verdict in OPEN or (clear and (verdict.verdict in GOOD or mended)):
        return replace(verdict, assumptions=(*verdict.assumptions, *layers.assumed))
    return Verdict("unread", f"${layers.letter}$ counts layers; whether these are meant is not clear")


def _judge(claim: Equation, layers: OwnLayers, found: Outline) -> Verdict:
    """Judge a claim with the equations of the layers that it speaks of."""
    written = sides_in((claim, *layers.equations()))
    change = with_layers_above(written, layers.letter)
    above = with_sides(claim, change)
    spelled = replace(
        layers, general=tuple(with_sides(item, change) for item in (*layers.general, *layers.deltas)),
        others=tuple(with_sides(item, change) for item in layers.others),
        loss=None if layers.loss is None else with_sides(layers.loss, change),
    )  # fmt: skip
    model = replace(found, equations=_at(above, spelled), declared={}, domains={})
    try:
        case = respelled_below(make_case(model, [above]), layers.letter, change, written)
        return judge_in_case(case, case.claims[0])
    except DeriveError as error:
        return Verdict("unread", str(error))


def _at(claim: Equation, layers: OwnLayers) -> list[Equation]:
    """Return the equations of a general layer as a claim needs them, or those of the layers that it names.

    From a general layer nothing leads to the last one: then the loss is any. So it is where the last is not named.
    """
    marks = _marks(claim)
    if any(split_mark(mark)[0] == LAYER for mark in marks):
        return list(layers.general)
    named = {render(at.left): at for mark in sorted(marks - {INPUT}, key=render) for item in layers.general
             for at in [with_sides(item, partial(moved, letter=LAYER.base, to=mark))]}  # fmt: skip
    own = {render(item.left): item for item in layers.others if _marks(item) & marks}
    loss = [layers.loss] if layers.loss is not None and _marks(layers.loss) <= marks else []
    return [*{**named, **own}.values(), *loss]


def _marks(equation: Equation) -> set[ast.Node]:
    names = names_of([equation.left, equation.right])
    return {name.sup for name in names if name.sup is not None and name.style in MARKED}
