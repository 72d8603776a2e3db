"""Products of several factors, summed over labels: deltas used up by indices, the rest two by two.

Of the pairs that are left the one with the smallest result comes first, so that each step is a `Contract` where two
factors share a summed label, and entry by entry where they do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import combinations

from codegen.deltas import (
    ONE,
    Delta,
    Factor,
    compare,
    composed,
    count,
    dense,
    is_inside,
    materialise,
    number_of,
    place,
    sized,
)
from codegen.program import Affine, Body, Call, Contract, Index, Pick, Reduce, Ref, Scatter, index_labels, labels_of
from codegen.scope import Scope
from derive.ops import table

GUESS = 64  # how many samples there are, where orders of products are compared


def contract(state: Scope, factors: Sequence[Factor], summed: Sequence[str], free: Sequence[str]) -> Body:
    """Return the sum over labels of a product.

    Args:
        state: Where statements go that must come before.
        factors: Bodies, and deltas between labels.
        summed: The labels that are summed; one that no factor has counts how often the rest is added.
        free: The labels of the result.
    """
    deltas = [factor for factor in factors if isinstance(factor, Delta)]
    bodies = [factor for factor in factors if not isinstance(factor, Delta)]
    if not deltas:
        return _in_pairs(state, bodies, summed)
    parts = [part for body in bodies for part in factors_of(body)]
    left, open_labels = list(summed), list[Delta]()
    while deltas:
        delta = deltas.pop(0)
        if not _used_up(state, delta, parts, deltas, open_labels, left):
            open_labels.append(delta)
    if open_labels:
        return _scattered(state, parts, open_labels, left, free)
    return _in_pairs(state, parts, left)


def factors_of(body: Body) -> list[Body]:
    """Return the factors of a product, without those of one."""
    if isinstance(body, Call) and body.op == table.MUL:
        return [part for arg in body.args for part in factors_of(arg)]
    return [body] if body != ONE else []


def _used_up(
    state: Scope, delta: Delta, parts: list[Body], later: list[Delta], earlier: list[Delta], summed: list[str]
) -> bool:
    """Take a delta into the other factors, in place, where a sum runs over one of its labels; else return False."""
    label, index = delta.label, delta.index
    if label in index_labels(index):
        if index != Affine(0, ((1, label),)):
            parts.append(dense(delta))
        return True
    if label in summed:
        _sum_over(state, delta, parts, [later, earlier], summed)
        return True
    if not isinstance(index, Affine) or len(index.terms) != 1:
        return False
    (step, other), others = index.terms[0], [*later, *earlier]
    met = any(other in sized(state, part) for part in parts)
    if abs(step) != 1 or other not in summed or not met or any(other in _labels(more) for more in others):
        return False
    back = Affine(-step * index.offset, ((step, label),))
    parts[:] = [place(state, part, other, back) for part in parts]
    summed.remove(other)
    return True


def _labels(delta: Delta) -> tuple[str, ...]:
    return (delta.label, *index_labels(delta.index))


def _sum_over(state: Scope, delta: Delta, parts: list[Body], groups: list[list[Delta]], summed: list[str]) -> None:
    """Put the index of a delta in for its label, which is summed."""
    label, index = delta.label, delta.index
    inside = is_inside(state, label, index)
    met = any(label in labels_of(part) for part in parts)
    linked = [more for group in groups for more in group if label in _labels(more)]
    if (not met and not inside) or any(not _can_move(more, label, index, inside) for more in linked):
        parts.append(dense(delta))
        return
    parts[:] = [place(state, part, label, index) for part in parts]
    for group in groups:
        group[:] = [_moved(more, label, index) for more in group]
    summed.remove(label)


def _can_move(delta: Delta, label: str, index: Index, inside: bool) -> bool:
    """Tell whether an index can stand for a label in another delta."""
    if label not in _labels(delta):
        return True
    return inside and label != delta.label and isinstance(index, Affine) and isinstance(delta.index, Affine)


def _moved(delta: Delta, label: str, index: Index) -> Delta:
    if label not in _labels(delta):
        return delta
    assert isinstance(delta.index, Affine) and isinstance(index, Affine)
    return Delta(delta.label, composed(delta.index, label, index))


def _scattered(state: Scope, parts: list[Body], deltas: list[Delta], summed: list[str], free: Sequence[str]) -> Body:
    """Return a product that stands at computed places of its result: zeros elsewhere."""
    index: dict[str, Index] = {label: label for label in dict.fromkeys(free)}
    for delta in deltas:
        taken = index.get(delta.label, "")
        crossed = any(word in index and index[word] != word for word in index_labels(delta.index))
        if taken == delta.label and not crossed and not _is_within(delta.label, index):
            index[delta.label] = delta.index
        elif not isinstance(taken, str) and not crossed:  # the same label twice: the places must agree
            parts.append(compare(number_of(taken), number_of(delta.index)))
        else:
            parts.append(dense(delta))
    for label, at in index.items():
        if not isinstance(at, str):
            parts = [place(state, part, label, at) for part in parts]
    placed = {label for at in index.values() for label in index_labels(at)}
    body = _in_pairs(state, parts, [label for label in summed if label not in placed])
    out = state.temp(index)
    moved = {label for at in index.values() if not isinstance(at, str) for label in index_labels(at)}
    alone = {at for at in index.values() if isinstance(at, str)}
    if not moved <= alone | sized(state, body):
        body = materialise(state, body, tuple(moved))
    state.statements.append(Scatter(Pick(out.name, tuple(index[label] for label in out.labels)), body, state.eq))
    return out


def _is_within(label: str, index: dict[str, Index]) -> bool:
    """Tell whether a label occurs in an index other than its own."""
    return any(label in index_labels(at) for word, at in index.items() if word != label)


# ---------------------------------------------------------------- two by two
def _in_pairs(state: Scope, bodies: Sequence[Body], summed: Sequence[str]) -> Body:
    """Return the sum over labels of a product of bodies."""
    if not summed:
        return multiply(*bodies)
    scales = [body for body in bodies if not labels_of(body)]
    parts = [body for body in bodies if labels_of(body)]
    scales += [count(state, state.labels[k]) for k in summed if not any(k in labels_of(part) for part in parts)]
    left = [label for label in summed if any(label in labels_of(part) for part in parts)]
    parts = [_sum_alone(state, k, parts, left) for k in range(len(parts))]
    while len(parts) > 1:
        first, second = min(combinations(range(len(parts)), 2), key=lambda pair: _cost(state, pair, parts, left))
        joined = _joined(state, parts[first], parts[second], _ended(first, second, parts, left))
        parts = [joined if k == first else part for k, part in enumerate(parts) if k != second]
    return multiply(*scales, *parts)


def _sum_alone(state: Scope, k: int, parts: Sequence[Body], summed: Sequence[str]) -> Body:
    """Return a factor summed over the labels that it alone has."""
    others = {label for j, part in enumerate(parts) if j != k for label in labels_of(part)}
    return add_up(state, table.SUM, parts[k], tuple(n for n in summed if n in labels_of(parts[k]) and n not in others))


def _ended(first: int, second: int, parts: Sequence[Body], summed: Sequence[str]) -> list[str]:
    """Return the summed labels that no other factor has."""
    both = labels_of(parts[first]) | labels_of(parts[second])
    others = {label for k, part in enumerate(parts) if k not in (first, second) for label in labels_of(part)}
    return [label for label in summed if label in both and label not in others]


def _cost(state: Scope, pair: tuple[int, int], parts: Sequence[Body], summed: Sequence[str]) -> tuple[int, bool]:
    """Return how large the product of a pair is, and whether it sums over nothing."""
    ended = _ended(*pair, parts, summed)
    entries = 1
    for label in (labels_of(parts[pair[0]]) | labels_of(parts[pair[1]])) - set(ended):
        entries *= state.length(state.labels[label]) or GUESS
    return entries, not ended


def _joined(state: Scope, first: Body, second: Body, ended: Sequence[str]) -> Body:
    """Return the product of two factors, summed over labels that both have."""
    if not ended:
        return multiply(first, second)
    (factor_a, a), (factor_b, b) = (_as_ref(state, body) for body in (first, second))
    alone = [label for label in ended if label not in a.labels or label not in b.labels]
    assert not alone, "a label that one factor alone has was summed before"
    out = state.temp(dict.fromkeys(label for label in (*a.labels, *b.labels) if label not in ended))
    state.statements.append(Contract(out, a, b, state.eq))
    return multiply(factor_a, factor_b, out)


def _as_ref(state: Scope, body: Body) -> tuple[Body, Ref]:
    """Return a number in front and a reference; a body that is neither, or a diagonal, gets its own statement."""
    if isinstance(body, Ref) and len(set(body.labels)) == len(body.labels):
        return ONE, body
    if isinstance(body, Call) and body.op == table.MUL and not labels_of(body.args[0]):
        factor, ref = _as_ref(state, body.args[1])
        return multiply(body.args[0], factor), ref
    return ONE, materialise(state, body)


def multiply(*bodies: Body) -> Body:
    """Return a product, without factors of one.

    >>> multiply(ONE, Ref("x", ("i",)), ONE)
    Ref(name='x', labels=('i',))
    """
    factors = [body for body in bodies if body != ONE]
    return reduce(lambda a, b: Call(table.MUL, (a, b)), factors) if factors else ONE


def add_up(state: Scope, op: str, body: Body, summed: Iterable[str]) -> Body:
    """Return the reduction of a body over labels; a label that it lacks multiplies a sum by its size."""
    present, summed = labels_of(body), tuple(summed)
    over = tuple(label for label in summed if label in present)
    counts = [count(state, state.labels[k]) for k in summed if k not in present] if op == table.SUM else []
    if not over:
        return multiply(*counts, body)
    if not set(over) <= sized(state, body):
        body = materialise(state, body)
    out = state.temp(label for label in state.labels if label in present and label not in over)
    state.statements.append(Reduce(out, op, over, body, state.eq))
    return multiply(*counts, out)
