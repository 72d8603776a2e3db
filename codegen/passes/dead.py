"""Dead code: drop what no output needs, such as a cotangent that was inlined into the one below it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from codegen.program import Program, Statement, Value, reads


def eliminate(program: Program, outputs: Iterable[str] | None = None, kept: Iterable[str] = ()) -> Program:
    """Return the program with only what the outputs (the program's own, if None) need; updates stay if it has any.

    What is `kept` stays though it is no output. Values that are given (parameters, data, states, rates) stay where a
    statement reads them.
    """
    wanted = tuple(program.outputs if outputs is None else outputs)
    updates = program.updates if outputs is None else ()
    needed = {*wanted, *kept} | {ref.name for statement in updates for ref in (statement.out, *reads(statement))}
    found: list[Statement] = []
    for statement in reversed(program.statements):
        if statement.out.name in needed:
            needed.update(ref.name for ref in reads(statement))
            found.append(statement)
    values = {name: value for name, value in program.values.items() if name in needed}
    return replace(program, statements=tuple(reversed(found)), updates=updates, values=values, outputs=wanted)


def produced(program: Program) -> tuple[Value, ...]:
    """Return the values that the statements compute, in order."""
    return tuple(program.values[statement.out.name] for statement in program.statements)
