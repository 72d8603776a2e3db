"""Setting apart: a part of a statement gets a name and a statement of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from codegen.program import Body, Map, Ref, Size, Statement, Value


def set_apart(
    values: dict[str, Value], statement: Statement, body: Body, labels: Iterable[str], sizes: Mapping[str, Size]
) -> Map:
    """Return a statement that computes a body under a new name, for the equation of the statement it was part of.

    Args:
        values: Of the program; the new one is entered.
        statement: Where the body stood.
        body: What is computed.
        labels: The axes of the result, in the order of memory.
        sizes: The length along which each label runs.
    """
    order = tuple(labels)
    name = next(f"t{k}" for k in range(1, 10**6) if f"t{k}" not in values)
    values[name] = Value(name, values[statement.out.name].latex, tuple(sizes[label] for label in order), "temp")
    return Map(Ref(name, order), body, statement.eq)
