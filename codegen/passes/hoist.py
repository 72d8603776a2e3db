"""Hoisting: a function that does not depend on the inner index gets a statement of its own.

`Z[b,k] - log(S[b])` takes one logarithm a sample, not one a class.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from codegen.passes.apart import set_apart
from codegen.program import (
    BATCH,
    Body,
    Call,
    Contract,
    Program,
    Statement,
    Value,
    Whole,
    extents,
    labels_of,
    walk,
)


@dataclass(slots=True)
class _State:
    program: Program
    values: dict[str, Value]
    statements: list[Statement]


def hoist(program: Program) -> Program:
    """Return the program with invariant function calls moved in front of the statement that they stand in."""
    state = _State(program, dict(program.values), [])
    for statement in program.statements:
        if isinstance(statement, Contract | Whole):
            state.statements.append(statement)
            continue
        body = _hoist_from(state, statement, statement.body)
        state.statements.append(replace(statement, body=body))
    return replace(program, values=state.values, statements=tuple(state.statements))


def _hoist_from(state: _State, statement: Statement, body: Body) -> Body:
    if not isinstance(body, Call):
        return body
    if not labels_of(body) < set(extents(state.program, statement)) or not _is_costly(body):
        return Call(body.op, tuple(_hoist_from(state, statement, arg) for arg in body.args))
    sizes = extents(state.program, statement)
    labels = sorted(labels_of(body), key=lambda label: (sizes[label] != BATCH, label))
    apart = set_apart(state.values, statement, body, labels, sizes)
    state.statements.append(apart)
    return apart.out


def _is_costly(body: Body) -> bool:
    return any(isinstance(part, Call) and part.row.slope is not None for part in walk(body))
