"""Labels of axes, renamed: the same statement in other letters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from codegen.program import (
    Affine,
    Body,
    Call,
    Contract,
    Index,
    Lookup,
    Map,
    Pick,
    Position,
    Reduce,
    Ref,
    Scatter,
    Size,
    Statement,
    Whole,
    walk,
)

Key = tuple[Body, tuple[Size, ...]]
"""A body with its labels numbered, and how far each runs."""


def labels_in_order(body: Body) -> list[str]:
    """Return the labels of a body in order of appearance."""
    found: dict[str, None] = {}
    for part in walk(body):
        if isinstance(part, Ref | Pick):
            found |= dict.fromkeys(part.labels)
        elif isinstance(part, Position):
            found[part.label] = None
    return list(found)


def numbered(body: Body, sizes: Mapping[str, Size]) -> Key:
    """Return a body with its labels numbered in order of appearance, and how far each runs: alike for the same values.

    >>> numbered(Call("exp", (Ref("A", ("i", "j")),)), {"i": 2, "j": "n"})
    (Call(op='exp', args=(Ref(name='A', labels=('0', '1')),)), (2, 'n'))
    """
    labels = labels_in_order(body)
    numbers = {label: str(k) for k, label in enumerate(labels)}
    return rename_labels(body, numbers.__getitem__), tuple(sizes[label] for label in labels)


def rename_index(index: Index, change: Callable[[str], str]) -> Index:
    """Return an index with its labels replaced."""
    if isinstance(index, Affine):
        return Affine(index.offset, tuple((coefficient, change(label)) for coefficient, label in index.terms))
    return Lookup(_relabelled(index.ref, change)) if isinstance(index, Lookup) else change(index)


def _relabelled(ref: Ref, change: Callable[[str], str]) -> Ref:
    return Ref(ref.name, tuple(map(change, ref.labels)))


def rename_labels(body: Body, change: Callable[[str], str]) -> Body:
    """Return a body with its labels replaced."""
    if isinstance(body, Ref):
        return _relabelled(body, change)
    if isinstance(body, Pick):
        return Pick(body.name, tuple(rename_index(index, change) for index in body.index))
    if isinstance(body, Position):
        return Position(change(body.label))
    return Call(body.op, tuple(rename_labels(arg, change) for arg in body.args)) if isinstance(body, Call) else body


def relabel(statement: Statement, change: Callable[[str], str]) -> Statement:
    """Return a statement with its labels replaced: those of the result first, then those of the rest in order."""
    if isinstance(statement, Scatter):
        index = tuple(rename_index(index, change) for index in statement.out.index)
        return Scatter(Pick(statement.out.name, index), rename_labels(statement.body, change), statement.eq)
    out = _relabelled(statement.out, change)
    if isinstance(statement, Contract):
        return Contract(out, _relabelled(statement.a, change), _relabelled(statement.b, change), statement.eq)
    if isinstance(statement, Whole):
        return replace(statement, out=out, args=tuple(_relabelled(arg, change) for arg in statement.args))
    body = rename_labels(statement.body, change)
    if isinstance(statement, Map):
        return Map(out, body, statement.eq)
    return Reduce(out, statement.op, tuple(map(change, statement.over)), body, statement.eq)
