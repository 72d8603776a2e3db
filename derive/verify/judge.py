"""The verdict on a claimed equation, in the order types, normal form, exact residues, a real counterexample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from derive.expr import Apply, Node, Var, as_node, ones_like, variables, walk
from derive.model import outputs
from derive.ops import table
from derive.ops.tensor import eye
from derive.shapes import axes, show_shape
from derive.verify.alpha import alike
from derive.verify.evaluate import EXACT, REAL, Kind, Point, cotangents_at, evaluate, jacobian_at, places, points
from derive.verify.functions import own_shift
from derive.verify.normal_form import same
from derive.verify.numbers import CostError, Number, RetryError, einsum
from derive.verify.setting import Partial, Setting

GOOD, FALSE, OPEN = ("proved", "verified"), ("refuted", "ill-typed"), ("undecided", "unread")  # words of a verdict
POINTS = 3  # exact points; each alone errs with a probability of about a claim's degree over 2e9
MANY_POINTS = 24  # where gates can stand in many ways, and where roots leave few: one in four numbers has a root
REAL_POINTS = 6
NO_POINT = "no point could be found at which both sides have a value"
SHUT = "at every point that was tried both sides are 0, since a function that cuts off is off there"
GATES = ("relu", "step")
FEW_GATES = 4  # of numbers: all ways in which they can stand are met at the points
MANY_GATES = "functions that cut off can stand in more ways than were tried"
TOO_LARGE = "the sizes are numbers too large to compute with; nothing was compared"
BACKWARD = ("cotangent", "gradient", "jacobian", "hessian", "product", "directional")


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A real point at which the two sides differ: values by LaTeX name, and both sides."""

    symbols: dict[str, Any]
    claimed: Any
    derived: Any


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong with a claim: the kind of error, a sentence, and the smallest edit that makes it hold."""

    kind: str
    text: str
    corrected: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What holds of a claim; `verdict` is one of the six words of the contract."""

    verdict: str
    reason: str
    assumptions: tuple[str, ...] = ()
    counterexample: Counterexample | None = None
    diagnosis: Diagnosis | None = None

    def __bool__(self) -> bool:
        raise TypeError(f"a verdict is no boolean; this one is {self.verdict!r}: compare verdict.verdict")


def judge(left: Node, right: Node, setting: Setting) -> Verdict:
    """Judge `left = right`; what the left side stands for is taken from the model itself.

    Args:
        left, right: Expressions in the names of the model and of cotangents.
        setting: The model and its record.
    """
    try:
        return _judge(left, right, setting)
    except CostError:
        return Verdict("undecided", TOO_LARGE, setting.derivation.assumptions)


def _judge(left: Node, right: Node, setting: Setting) -> Verdict:
    assumptions = setting.derivation.assumptions
    if not shapes_agree(left, right):
        shapes = (show_shape(setting.as_written(side.shape)) for side in (left, right))
        return Verdict("ill-typed", "the left side is {}, the right side {}".format(*shapes))
    left, right = map(setting.in_primary_names, (left, right))
    differs = _differs(left, right, setting)
    example = find_counterexample(left, right, setting) if differs else None
    clear = example is not None if differs else differs is False
    proof = prove(left, right, setting) if setting.proving or not clear else ""
    if differs is None and not (proof and _differs(left, right, setting, REAL) is False):
        return Verdict("undecided", NO_POINT, assumptions)
    if not differs:
        if proof:
            return Verdict("proved", proof, assumptions)
        if _is_shut(left, right, setting):
            return Verdict("undecided", SHUT, assumptions)
        gates = _gates(left, right, setting)
        if len(gates) > FEW_GATES:
            return Verdict("undecided", MANY_GATES, assumptions)
        if gates and _differs(left, right, setting, REAL):
            return Verdict("undecided", "the sides agree in exact arithmetic, yet not at a real point", assumptions)
        return Verdict(
            "verified", f"equal in exact arithmetic at {POINTS} random points of different sizes", assumptions
        )
    if (
        example is None and proof and _differs(left, right, setting, REAL) is False
    ):  # residues see no identity of logarithms; the normal form and real points do
        return Verdict("proved", proof, assumptions)
    if example is None or proof:
        return Verdict("undecided", "the sides differ in exact arithmetic, yet no real point shows it", assumptions)
    convention = _other_convention(left, right, setting)
    if convention:
        return Verdict("verified", "equal in exact arithmetic, under another convention", (*assumptions, convention))
    reason = f"the sides differ at the point shown{_stand_ins(left, right, setting)}"
    return Verdict("refuted", reason, assumptions, example)


def _is_shut(left: Node, right: Node, setting: Setting) -> bool:
    """Tell whether a claim was only seen where all of it is 0, since a function such as ReLU is off there."""
    nodes = (left, right, *(item.value for item in setting.network.definitions))
    gated = any(isinstance(part, Apply) and part.op.name in GATES for node in nodes for part in walk(node))
    return gated and right != as_node(0) and agrees(left, as_node(0) * ones_like(left), setting)


def _other_convention(left: Node, right: Node, setting: Setting) -> str:
    """Say under which other convention for a symmetric variable a claim about its gradient holds, or ""."""
    of = setting.cotangents.get(left) if isinstance(left, Var) else None
    if of is None or len(of.shape) != 2 or of.domain not in ("symmetric", "spd"):
        return ""
    if agrees(as_node(2) * left - left * eye(of.shape[0]), right, setting):
        return f"each entry of ${of.latex}$ above the diagonal is the one below it: $G + G^T - G \\circ I$"
    if agrees(left, right, replace(setting, structured=False, memory={})):
        return f"the entries of ${of.latex}$ are differentiated as if they were independent"
    return ""


def _stand_ins(left: Node, right: Node, setting: Setting) -> str:
    """Say what arbitrary functions were at a real point, so that it can be recomputed."""
    nodes = (left, right, *(item.value for item in setting.network.definitions))
    parts = (part for node in nodes for part in walk(node) if isinstance(part, Apply))
    labels = dict.fromkeys(str(part.params[1]) for part in parts if part.op.prime and part.op.body is None)
    return "".join(f", with ${label}(x) = x + x^2 / 2 + \\sin(x + {own_shift(label)})$" for label in labels)


def shapes_agree(left: Node, right: Node) -> bool:
    """Tell whether two sides can be equal; axes of one entry, and a row's first, count for nothing."""
    kept = [[length for length in axes(side.shape) if length != 1] for side in (left, right)]
    if kept[0] != kept[1]:
        return False
    lying = [side.shape for side in (left, right) if len(side.shape) == 2 and len(kept[0]) == 1]
    standing = [side.shape for side in (left, right) if len(side.shape) == 1 and len(kept[0]) == 1]
    return not (standing and any(shape[0] not in kept[0] for shape in lying))


# ---------------------------------------------------------------- proof
def prove(left: Node, right: Node, setting: Setting) -> str:
    """Return how the normal forms agree, or "" if no inlining of names makes them agree."""
    near = _near(left, right, setting)
    key = ("equal", alike(left, right, *(node for pair in near.items() for node in pair)))
    if key in setting.proofs:
        return setting.proofs[key]
    if same(left, right) or same(left, right, near):
        setting.proofs[key] = "the normal forms agree"
        return setting.proofs[key]
    backward = {e.name: e.value for e in setting.derivation.equations if e.role in BACKWARD}
    backward.update({name: partial.value for name, partial in setting.partials.items()})
    forward = {e.name: e.value for e in setting.derivation.equations if e.role in ("definition", "loss")}
    for inline, how in _inlinings(left, right, backward, forward):
        if same(left, right, inline):
            return how
    everything = {**backward, **forward}
    return "the normal forms agree, with σ and tanh through exp" if same(left, right, everything, expand=True) else ""


def _near(left: Node, right: Node, setting: Setting) -> dict[Var, Node]:
    """Return the derived values of the cotangents that only one of the sides mentions."""
    names = {name for side in (left, right) for name in variables(side)}
    kept = set(variables(left)) & set(variables(right))
    return {e.name: e.value for e in setting.backward if e.name in names - kept}


def _inlinings(
    left: Node, right: Node, backward: Mapping[Var, Node], forward: Mapping[Var, Node]
) -> Iterator[tuple[dict[Var, Node], str]]:
    own = {left: backward[left]} if isinstance(left, Var) and left in backward else {}
    yield own, "the normal forms agree with the derived equation"
    kept = set(variables(right))
    yield {**own, **{name: v for name, v in backward.items() if name not in kept}}, "the normal forms agree"
    yield dict(backward), "the normal forms agree, cotangents written out"
    inlined = dict(backward)
    for name in reversed(list(forward)):
        inlined[name] = forward[name]
        yield dict(inlined), f"the normal forms agree, names down to {name.latex} written out"


# ---------------------------------------------------------------- evaluation
def evaluate_side(node: Node, setting: Setting, point: Point) -> Number:
    """Return a side's value; cotangents are tangents of the model, chained from the end backwards."""
    for name in variables(node):
        if name in point.values:
            continue
        if name in setting.partials:
            point.values[name] = _partial(setting.partials[name], point)
        else:
            point.values[name] = _derivative_at(setting, point, setting.cotangents[name], end_weights(setting, point))
    return evaluate(node, point)


def _partial(partial: Partial, point: Point) -> Number:
    """Return a derivative by tangents all the way, or its product with a direction."""
    inside = replace(point, values=dict(point.values), memory={})
    for item in partial.network.definitions:
        if item.name not in inside.values:
            inside.values[item.name] = evaluate(item.value, inside)
    whole = jacobian_at(partial.network, inside, partial.of, partial.by)
    if partial.direction is None:
        return whole
    letters = "abcdefgh"[: len(whole.shape)]
    inner = letters[len(letters) - len(point.values[partial.by].shape) :]
    return einsum(f"{letters},{inner}->{letters.removesuffix(inner)}", [whole, point.values[partial.direction]])


def _derivative_at(setting: Setting, point: Point, by: Var, ends: Mapping[Var, Number | None]) -> Number:
    """Return the derivative of the ends by a name; all of a point are found in one pass."""
    place = tuple(ends)
    if ("too large", place) in point.cotangents:
        raise CostError
    if place not in point.cotangents:
        kept = tuple(item for item in setting.network.definitions if item.name not in setting.held)
        network = replace(setting.network, definitions=kept)
        given = setting.free.difference(setting.cotangents.values())
        point.cotangents["too large", place] = {}  # unless what follows ends
        point.cotangents[place] = cotangents_at(network, point, ends, setting.structured, given)
        del point.cotangents["too large", place]
    found = point.cotangents[place].get(by)
    return point.values[by].each(lambda x: x * 0) if found is None else found


def end_weights(setting: Setting, point: Point) -> dict[Var, Number | None]:
    """Return what is differentiated: the loss, or the outputs weighted by given cotangents."""
    if setting.end is not None:
        return {setting.end: None}
    by_name = {of: name for name, of in setting.cotangents.items() if name in setting.derivation.seeds}
    return {out: point.values[by_name[out]] for out in outputs(setting.network) if out in by_name}


def _points(left: Node, right: Node, setting: Setting, kind: Kind, count: int) -> list[Point]:
    """Return points at which the model has run, shared between all judgements in a setting."""
    known = setting.known
    given = [partial.direction for partial in setting.partials.values() if partial.direction is not None]
    named = [name for side in (left, right) for name in variables(side) if name not in known]
    names = dict.fromkeys([*given, *named])
    extra = tuple(name for name in (*setting.derivation.seeds, *names) if name not in setting.free)
    beside = tuple(dict.fromkeys(size for side in (left, right) for size in places(side) if size not in setting.sizes))
    place = (kind is EXACT, count, extra, beside)
    if ("too large", place) in setting.memory:
        raise CostError
    if place not in setting.memory:
        setting.memory["too large", place] = []  # unless what follows ends
        setting.memory[place] = list(points(kind, setting.network, extra, count, beside=beside))
        del setting.memory["too large", place]
    return setting.memory[place]


def _differs(left: Node, right: Node, setting: Setting, kind: Kind = EXACT) -> bool | None:
    """Tell whether the sides differ at a point; None if too few points could be evaluated."""
    exact = kind is EXACT
    enough, seen = MANY_POINTS if exact and _gates(left, right, setting) else POINTS, 0
    for point in _tried(left, right, setting, kind):
        try:
            sides = [evaluate_side(side, setting, point) for side in (left, right)]
        except RetryError:
            continue
        if not _agree(*sides):
            return True
        seen += 1
        if seen == enough:
            break
    return False if seen >= (POINTS if exact else 1) else None


def _tried(left: Node, right: Node, setting: Setting, kind: Kind) -> Iterator[Point]:
    """Yield the points to compare at; of exact ones many, for those who need more than the first few."""
    yield from _points(left, right, setting, kind, POINTS)
    if kind is EXACT:
        yield from _points(left, right, setting, kind, MANY_POINTS)[POINTS:]


def _gates(left: Node, right: Node, setting: Setting) -> set[Node]:
    """Return the functions with a kink, such as ReLU, of numbers in the model and in a claim, each once.

    Those of arrays are left out: a point has many of their entries, some open and some not.
    """
    sides = (left, right, *(item.value for item in setting.network.definitions))
    return set().union(*map(_with_kink, sides))


@lru_cache(maxsize=1024)
def _with_kink(node: Node) -> frozenset[Node]:
    return frozenset(p for p in walk(node) if isinstance(p, Apply) and p.op.kink and not p.shape)


def _agree(left: Number, right: Number) -> bool:
    """Tell whether two values agree; axes of one entry count for nothing."""
    return left.each(np.ravel).same(right.each(np.ravel))


def find_counterexample(left: Node, right: Node, setting: Setting) -> Counterexample | None:
    """Return a real point at which the sides differ, with short decimals for what is free."""
    for point in _points(left, right, setting, REAL, REAL_POINTS):
        try:
            derived, claimed = (evaluate_side(side, setting, point) for side in (left, right))
        except RetryError:
            continue
        if not _agree(derived, claimed):
            names = dict.fromkeys([*point.values, *variables(left), *variables(right)])
            shown = {name.latex: _plain(point.values[name]) for name in names if name in point.values}
            return Counterexample(shown, _plain(claimed), _plain(derived))
    return None


def _plain(array: Number) -> Any:
    return array.values.astype(float).tolist()


def agrees(left: Node, right: Node, setting: Setting) -> bool:
    """Tell whether two sides agree at points of the model itself; nothing derived is used.

    The points are exact; where roots leave none, or logarithms hide that sides agree, they are reals, compared to
    25 digits. Sizes too large to compute with tell nothing: False.
    """
    one, other = map(setting.in_primary_names, (left, right))
    if not shapes_agree(one, other):
        return False
    try:
        differs = _differs(one, other, setting)
        if differs is None or (differs and _has_logarithms(setting)):  # residues see no identity of logarithms
            differs = _differs(one, other, setting, REAL)
        return differs is False
    except CostError:
        return False


def _has_logarithms(setting: Setting) -> bool:
    """Tell whether a model takes a logarithm."""
    nodes = (part for item in setting.network.definitions for part in walk(item.value))
    return any(isinstance(part, Apply) and part.op.name == table.LOG for part in nodes)
