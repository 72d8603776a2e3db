"""Programs run entry by entry, by the meaning of each statement: what the targets are compared with."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from codegen.program import (
    ARGMAX,
    BATCH,
    Affine,
    Body,
    Call,
    Contract,
    Index,
    Map,
    Number,
    Pick,
    Position,
    Program,
    Reduce,
    Ref,
    Samples,
    Scatter,
    Statement,
    Whole,
    extents,
)
from codegen.targets.numpy_helpers import HELPERS

Arrays = Mapping[str, Any]
At = Mapping[str, int]


def run_program(program: Program, given: Arrays, batch: int = 1) -> dict[str, Any]:
    """The value of every name, in float64."""
    values = {name: np.asarray(array, np.float64) for name, array in given.items()}
    for statement in program.statements:
        shape = [_length(program, size, batch) for size in program.values[statement.out.name].sizes]
        values[statement.out.name] = _value(program, statement, values, shape, batch)
    return values


def _length(program: Program, size: Any, batch: int) -> int:
    return batch if size == BATCH else int(program.sizes.get(size, size))


def _value(program: Program, statement: Statement, values: Arrays, shape: list[int], batch: int) -> Any:
    lengths = {label: _length(program, size, batch) for label, size in extents(program, statement).items()}
    if isinstance(statement, Whole):
        assert not statement.each
        matrix = values[statement.args[0].name]
        return np.asarray(np.linalg.det(matrix) if not shape else np.linalg.inv(matrix))
    if isinstance(statement, Scatter):
        result = np.zeros(shape)
        for at in _points(lengths, tuple(lengths)):
            place = tuple(_index(index, at, values) for index in statement.out.index)
            if all(0 <= k < n for k, n in zip(place, shape, strict=True)):
                result[place] += _entry(statement.body, at, values, batch)
        return result
    result = np.empty(shape)
    over = tuple(label for label in lengths if label not in statement.out.labels)
    over = statement.over if isinstance(statement, Reduce) else over
    for at in _points(lengths, statement.out.labels):
        terms = [_term(statement, {**at, **inner}, values, batch) for inner in _points(lengths, over)]
        kind = statement.kind if isinstance(statement, Reduce) else "sum"
        found = {"sum": np.sum, "max": np.max, ARGMAX: np.argmax}[kind](terms)
        result[tuple(at[label] for label in statement.out.labels)] = found
    return result


def _points(lengths: Mapping[str, int], labels: tuple[str, ...]) -> list[dict[str, int]]:
    places = itertools.product(*(range(lengths[label]) for label in labels))
    return [dict(zip(labels, place, strict=True)) for place in places]


def _term(statement: Map | Reduce | Contract, at: At, values: Arrays, batch: int) -> Any:
    if isinstance(statement, Contract):
        return _entry(statement.a, at, values, batch) * _entry(statement.b, at, values, batch)
    return _entry(statement.body, at, values, batch)


def _index(index: Index, at: At, values: Arrays) -> int:
    if isinstance(index, str):
        return at[index]
    if isinstance(index, Affine):
        return index.offset + sum(step * at[label] for step, label in index.terms)
    return int(_entry(index.ref, at, values, 0))


def _entry(body: Body, at: At, values: Arrays, batch: int) -> Any:
    if isinstance(body, Ref):
        return values[body.name][tuple(at[label] for label in body.labels)]
    if isinstance(body, Pick):
        place = tuple(_index(index, at, values) for index in body.index)
        inside = all(0 <= k < n for k, n in zip(place, values[body.name].shape, strict=True))
        return values[body.name][place] if inside else 0.0
    if isinstance(body, Position):
        return float(at[body.label])
    if isinstance(body, Samples):
        return float(batch)
    if isinstance(body, Number):
        return float(body.value)
    assert isinstance(body, Call)
    names = {f"v{k}": _entry(arg, at, values, batch) for k, arg in enumerate(body.args)}
    return eval(body.row.numpy.format(*names), {**_functions(), **names})


def _functions(made: dict[str, Any] = {}) -> dict[str, Any]:  # noqa: B006  # filled once
    if not made:
        made["np"] = np
        for source in HELPERS.values():
            exec(source, made)
    return made
