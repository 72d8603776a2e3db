r"""Zeros and ones that are no array: \([i = o + \sum_k c_k j_k]\) and [j = index[i]] as factors of a product.

Under a sum such a factor replaces a label by a computed index; where nothing sums over it, it says where the product
stands in its result. Only what neither can use up becomes a body that compares positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

from codegen.errors import UnsupportedOpError
from codegen.labels import rename_labels
from codegen.places import reach_of
from codegen.program import (
    ARGMAX,
    Affine,
    Body,
    Call,
    Index,
    Lookup,
    Map,
    Number,
    Pick,
    Position,
    Reduce,
    Ref,
    Samples,
    Size,
    index_labels,
    labels_of,
)
from codegen.scope import Scope
from codegen.sizes import as_number
from derive.expr import Apply
from derive.ops import table

ONE = Number(Fraction(1))


@dataclass(frozen=True, slots=True)
class Delta:
    """1 where the label is at the index, else 0."""

    label: str
    index: Affine | Lookup


Factor = Body | Delta


def selected(state: Scope, node: Apply, labels: tuple[str, ...]) -> Factor:
    """Return a selection as a factor; axes of a single sample, which have no label, stand at 0.

    Raises:
        UnsupportedOpError: its numbers depend on the number of samples.
    """
    lengths, (offset, *steps) = (node.params[0], *node.params[2::2]), (node.params[1], *node.params[3::2])
    numbers = [as_number(value, state.numbers) for value in (offset, *steps)]
    rest = iter(labels)
    own, *others = (next(rest) if state.axes((length,)) else "" for length in lengths)
    if any(number is None for number in numbers):
        raise UnsupportedOpError(
            f"({state.eq}): a place of {node.op.name} depends on the number of samples, {node.params}; no target has "
            "that: give the sizes numbers"
        )
    first, *strides = (int(number or 0) for number in numbers)
    terms: dict[str, int] = {}
    for step, label in zip(strides, others, strict=True):
        terms[label] = terms.get(label, 0) + step
    index = Affine(first, tuple((step, label) for label, step in terms.items() if step and label))
    if own:
        return Delta(own, index)
    return compare(number_of(index), Number(Fraction(0)))


def compare(a: Body, b: Body) -> Body:
    """Return 1 where two whole numbers are equal, else 0."""
    distance = Call("abs", (Call(table.SUB, (a, b)),))
    return Call("relu", (Call(table.SUB, (ONE, distance)),))


def number_of(index: Index) -> Body:
    """Return an index as a number."""
    if isinstance(index, Lookup):
        return index.ref
    if isinstance(index, str):
        return Position(index)
    parts: list[Body] = [Number(Fraction(index.offset))] if index.offset or not index.terms else []
    for step, label in index.terms:
        place: Body = Position(label)
        parts.append(place if step == 1 else Call(table.MUL, (Number(Fraction(step)), place)))
    return reduce(lambda a, b: Call(table.ADD, (a, b)), parts)


def dense(delta: Delta) -> Body:
    """Return a delta as a body that compares positions."""
    return compare(Position(delta.label), number_of(delta.index))


def is_same(state: Scope, label: str, index: Index) -> str:
    """Return the label that an index is, running as far as the given one; "" where it is more than that."""
    if isinstance(index, Affine) and index.offset == 0 and len(index.terms) == 1:
        (step, other), size = index.terms[0], state.labels[label]
        if step == 1 and state.length(state.labels[other]) == state.length(size):
            return other
    return ""


def is_inside(state: Scope, label: str, index: Index) -> bool:
    """Tell whether an index never lies outside of what a label runs along."""
    if is_same(state, label, index):
        return True
    length = state.length(state.labels[label])
    met = reach_of(index, {k: state.length(size) for k, size in state.labels.items()})
    return met is not None and length is not None and met[0] >= 0 and met[1] < length


def place(state: Scope, body: Body, label: str, index: Affine | Lookup) -> Body:
    """Return a body at an index along a label: 0 where the index lies outside, the body being a factor."""
    if label not in labels_of(body):
        return body
    other = is_same(state, label, index)
    if other:
        return rename_labels(body, lambda word: other if word == label else word)
    if not isinstance(body, Ref | Pick):
        body = materialise(state, body)
    own = body.labels if isinstance(body, Ref) else body.index
    moved = [_moved(state, at, label, index) for at in own]
    if any(found is None for found in moved):
        return place(state, materialise(state, body), label, index)
    indices = tuple(simple(state, body, k, at) for k, at in enumerate(moved) if at is not None)
    labels = tuple(at for at in indices if isinstance(at, str))
    return Ref(body.name, labels) if len(labels) == len(indices) else Pick(body.name, indices)


def simple(state: Scope, access: Ref | Pick, axis: int, index: Index) -> Index:
    """Return an index as the label that it is, where it is one that runs all along the axis."""
    if isinstance(index, Affine) and index.offset == 0 and [step for step, _ in index.terms] == [1]:
        label = index.terms[0][1]
        if state.length(state.labels[label]) == state.length(state.values[access.name].sizes[axis]):
            return label
    return index


def _moved(state: Scope, own: Index, label: str, index: Affine | Lookup) -> Index | None:
    """Return an index of a pick at an index along a label; None where no index says so.

    Where the label stands alone, it is the axis that tells what lies outside; within a sum nothing would.
    """
    if label not in index_labels(own):
        return own
    if isinstance(own, str):
        return index
    if isinstance(own, Lookup) or isinstance(index, Lookup) or not is_inside(state, label, index):
        return None
    return composed(own, label, index)


def composed(own: Affine, label: str, index: Affine) -> Affine:
    """Return an index with another put in for a label."""
    terms: dict[str, int] = {}
    offset = own.offset
    for step, word in own.terms:
        inner = ((1, word),) if word != label else index.terms
        offset += 0 if word != label else step * index.offset
        for more, name in inner:
            terms[name] = terms.get(name, 0) + step * more
    return Affine(offset, tuple((step, name) for name, step in terms.items() if step))


# ---------------------------------------------------------------- statements in between
def materialise(state: Scope, body: Body, more: tuple[str, ...] = (), order: tuple[str, ...] = ()) -> Ref:
    """Return a reference to the value of a body, computed by a statement of its own.

    Args:
        state: Where the statement goes.
        body: What is computed.
        more: Labels along which it is repeated where it lacks them.
        order: The labels as they are to lie in memory; a good order where left out.
    """
    present = labels_of(body) | set(more)
    usual = _pick_order(state, body) if isinstance(body, Pick) else []
    out = state.temp(dict.fromkeys(order or (*usual, *(label for label in state.labels if label in present))))
    state.statements.append(Map(out, body, state.eq))
    return out


def _pick_order(state: Scope, pick: Pick) -> list[str]:
    """Return the labels of windows: samples, where the window lies, the axes beside it, where within the window.

    Whoever picks the same windows then has them in the same order, and rows of it are what a kernel is laid over.
    """
    computed = [index for index in pick.index if not isinstance(index, str)]
    samples = [label for label in pick.labels if state.labels[label] == "batch"]
    outer = [label for index in computed for label in index_labels(index)[: 1 if isinstance(index, Affine) else None]]
    beside = [index for index in pick.index if isinstance(index, str)]
    inner = [label for index in computed if isinstance(index, Affine) for label in index_labels(index)[1:]]
    return list(dict.fromkeys((*samples, *outer, *beside, *inner)))


def sized(state: Scope, body: Body) -> set[str]:
    """Return the labels of which a body says how far they run: those that stand alone along an axis."""
    found: set[str] = set()
    for part in _accesses(body):
        found |= set(part.labels) if isinstance(part, Ref) else {k for k in part.index if isinstance(k, str)}
    return found


def _accesses(body: Body) -> list[Ref | Pick]:
    if isinstance(body, Call):
        return [access for arg in body.args for access in _accesses(arg)]
    if isinstance(body, Pick):
        return [body, *body.lookups]
    return [body] if isinstance(body, Ref) else []


def peaked(state: Scope, body: Body, over: tuple[str, ...]) -> Factor:
    """Return the factor that is 1 at the first of a body's largest entries along labels, else 0."""
    if not over:
        return ONE
    if not set(over) <= sized(state, body):
        body = materialise(state, body, over)
    kept = [label for label in state.labels if label in labels_of(body) and label not in over]
    found = state.temp(kept)
    state.statements.append(Reduce(found, ARGMAX, over, body, state.eq))
    if len(over) == 1:
        return Delta(over[0], Lookup(found))
    position: Body = Position(over[0])
    for label in over[1:]:
        grown = Call(table.MUL, (position, count(state, state.labels[label])))
        position = Call(table.ADD, (grown, Position(label)))
    return compare(position, found)


def count(state: Scope, size: Size) -> Body:
    """Return a size as a number in a formula."""
    number = state.length(size)
    return Samples() if number is None else Number(Fraction(number))
