"""The rules of a program, checked after each pass: single assignment, order, shapes, numbers of equations."""

from __future__ import annotations

from codegen.errors import BrokenProgramError
from codegen.program import (
    ARGMAX,
    Access,
    Affine,
    Contract,
    Lookup,
    Map,
    Program,
    Reduce,
    Ref,
    Scatter,
    Size,
    Statement,
    Whole,
    bodies,
    labels_of,
    reads,
)
from codegen.text import show_statement

GIVEN = ("data", "parameter", "state", "rate")


def verify(program: Program) -> Program:
    """Return the program if it keeps its rules.

    Raises:
        BrokenProgramError: it does not; the message shows the statement and the rule.
    """
    known = {value.name for value in program.of_role(*GIVEN)}
    places = {value.name for value in program.of_role("data")}  # what may hold whole numbers, to look up with
    for statement in program.statements:
        _require(statement.out.name not in known, statement, "a name is computed twice")
        _check(program, statement, known, places)
        known.add(statement.out.name)
        if _gives_places(statement, places):
            places.add(statement.out.name)
    for statement in program.updates:
        _check(program, statement, known, places)
        known.add(statement.out.name)
    missing = [name for name in program.outputs if name not in known]
    if missing:
        raise BrokenProgramError(f"{program.title}: nothing computes {', '.join(missing)}")
    return program


def _gives_places(statement: Statement, places: set[str]) -> bool:
    """Tell whether a result holds places: those of largest entries, or what is computed from places alone."""
    if isinstance(statement, Reduce) and statement.op == ARGMAX:
        return True
    return isinstance(statement, Map) and places.issuperset(access.name for access in reads(statement))


def _check(program: Program, statement: Statement, known: set[str], places: set[str]) -> None:
    for access in reads(statement):
        _require(access.name in known, statement, f"{access.name} is used before it is computed")
    _require(statement.eq in program.formulas, statement, "it belongs to no equation")
    _check_labels(program, statement)
    _check_coverage(statement)
    for access in (statement.out, *reads(statement)):
        for index in () if isinstance(access, Ref) else access.index:
            fits = not isinstance(index, Lookup) or index.ref.name in places
            _require(fits, statement, "an index is looked up in what is neither data nor a place")


def _check_labels(program: Program, statement: Statement) -> None:
    """Check the number of axes, and that a label runs along one length and has one at all."""
    sizes: dict[str, int] = {}
    every: dict[str, None] = {}
    for access in (statement.out, *reads(statement)):
        axes, index = program.values[access.name].sizes, _indices(access)
        _require(len(axes) == len(index), statement, f"{access.name} has {len(axes)} axes")
        for place, axis in zip(index, axes, strict=True):
            if isinstance(place, str):
                length = _length(program, axis)
                met = sizes.setdefault(place, length)
                _require(met == length, statement, f"{place} runs along {met} and {length}")
            elif isinstance(place, Affine):
                labels = [label for _, label in place.terms]
                _require(len(set(labels)) == len(labels), statement, "a label of an index repeats")
        every |= dict.fromkeys(access.labels)
    for body in bodies(statement):
        every |= dict.fromkeys(sorted(labels_of(body)))
    for label in every:
        _require(label in sizes, statement, f"nothing says how far {label} runs")
    if isinstance(statement.out, Ref):
        single = len(set(statement.out.labels)) == len(statement.out.labels)
        _require(single, statement, "a label of its result repeats")


def _indices(access: Access) -> tuple[object, ...]:
    return access.labels if isinstance(access, Ref) else access.index


def _length(program: Program, size: Size) -> int:
    return size if isinstance(size, int) else program.sizes.get(size, -1)


def _check_coverage(statement: Statement) -> None:
    out = set(statement.out.labels)
    if isinstance(statement, Map):
        _require(labels_of(statement.body) <= out, statement, "a label is neither summed nor in the result")
    elif isinstance(statement, Reduce):
        single = not out & set(statement.over) and len(set(statement.over)) == len(statement.over)
        fits = single and labels_of(statement.body) == out | set(statement.over)
        _require(fits, statement, "labels do not add up")
    elif isinstance(statement, Contract):
        both = set(statement.a.labels) & set(statement.b.labels)
        every = set(statement.a.labels) | set(statement.b.labels)
        _require(out <= every and every - out <= both, statement, "a summed label is not in both factors")
    elif isinstance(statement, Scatter):
        _require(statement.out.name not in {access.name for access in reads(statement)}, statement, "it reads itself")
    else:
        _check_whole(statement)


def _check_whole(statement: Whole) -> None:
    """Check that the labels which the result shares with the arguments lead in all of them."""
    each = statement.each
    for ref in (statement.out, *statement.args):
        alike = ref.labels[: len(each)] == each
        _require(alike and len(set(ref.labels)) == len(ref.labels), statement, "its leading labels differ")
    inner = {label for ref in statement.args for label in ref.labels[len(each) :]}
    _require(not inner & set(statement.out.labels), statement, "a label of an argument's matrix is in the result")


def _require(holds: bool, statement: Statement, rule: str) -> None:
    if not holds:
        raise BrokenProgramError(f"({statement.eq}) {show_statement(statement)}: {rule}")
