"""The rules of a program, checked after each pass: single assignment, order, shapes, numbers of equations."""

from __future__ import annotations

from codegen.errors import BrokenProgramError
from codegen.program import Contract, Map, Program, Reduce, Statement, labels_of, reads, show_statement

GIVEN = ("data", "parameter", "state", "rate")


def verify(program: Program) -> Program:
    """Return the program if it keeps its rules.

    Raises:
        BrokenProgramError: it does not; the message shows the statement and the rule.
    """
    known = {value.name for value in program.of_role(*GIVEN)}
    for statement in program.statements:
        _require(statement.out.name not in known, statement, "a name is computed twice")
        _check(program, statement, known)
        known.add(statement.out.name)
    for statement in program.updates:
        _check(program, statement, known)
        known.add(statement.out.name)
    missing = [name for name in program.outputs if name not in known]
    if missing:
        raise BrokenProgramError(f"{program.title}: nothing computes {', '.join(missing)}")
    return program


def _check(program: Program, statement: Statement, known: set[str]) -> None:
    for ref in reads(statement):
        _require(ref.name in known, statement, f"{ref.name} is used before it is computed")
    _require(statement.eq in program.formulas, statement, "it belongs to no equation")
    _check_labels(program, statement)
    _check_coverage(statement)


def _check_labels(program: Program, statement: Statement) -> None:
    sizes: dict[str, int] = {}
    for ref in (statement.out, *reads(statement)):
        axes = program.values[ref.name].sizes
        _require(len(axes) == len(ref.labels), statement, f"{ref.name} has {len(axes)} axes")
        for label, axis in zip(ref.labels, axes, strict=True):
            length = axis if isinstance(axis, int) else program.sizes.get(axis, -1)
            met = sizes.setdefault(label, length)
            _require(met == length, statement, f"{label} runs along {met} and {length}")
    _require(
        len(set(statement.out.labels)) == len(statement.out.labels),
        statement,
        "a label of its result repeats",
    )


def _check_coverage(statement: Statement) -> None:
    out = set(statement.out.labels)
    if isinstance(statement, Map):
        _require(labels_of(statement.body) <= out, statement, "a label is neither summed nor in the result")
    elif isinstance(statement, Reduce):
        _require(labels_of(statement.body) == out | set(statement.over), statement, "labels do not add up")
    elif isinstance(statement, Contract):
        both = set(statement.a.labels) & set(statement.b.labels)
        every = set(statement.a.labels) | set(statement.b.labels)
        _require(out <= every and every - out <= both, statement, "a summed label is not in both factors")


def _require(holds: bool, statement: Statement, rule: str) -> None:
    if not holds:
        raise BrokenProgramError(f"({statement.eq}) {show_statement(statement)}: {rule}")
