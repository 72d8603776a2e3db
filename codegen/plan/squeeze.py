"""Axes of one entry vanish: memory is the same without them, and loops over them would only be in the way."""

from __future__ import annotations

from dataclasses import replace

from codegen.program import Call, Contract, Map, Program, Reduce, Ref, Statement, change_statement, labels_of
from derive.ops import table


def squeeze(program: Program) -> Program:
    """Return the program without axes of one entry."""
    thin = {
        name: tuple(k for k, size in enumerate(value.sizes) if size == 1 or program.sizes.get(str(size)) == 1)
        for name, value in program.values.items()
    }

    def change(ref: Ref) -> Ref:
        return Ref(ref.name, tuple(label for k, label in enumerate(ref.labels) if k not in thin[ref.name]))

    values = {
        name: replace(value, sizes=tuple(size for k, size in enumerate(value.sizes) if k not in thin[name]), sheet=())
        for name, value in program.values.items()
    }
    statements = tuple(_simpler(change_statement(s, change)) for s in program.statements)
    updates = tuple(_simpler(change_statement(s, change)) for s in program.updates)
    return replace(program, values=values, statements=statements, updates=updates)


def _simpler(statement: Statement) -> Statement:
    """Return a product without a sum, or a reduction over nothing, as an entry-by-entry statement."""
    if isinstance(statement, Contract):
        kept = {*statement.a.labels, *statement.b.labels} <= set(statement.out.labels)
        return Map(statement.out, Call(table.MUL, (statement.a, statement.b)), statement.eq) if kept else statement
    if isinstance(statement, Reduce):
        over = tuple(label for label in statement.over if label in labels_of(statement.body))
        return replace(statement, over=over) if over else Map(statement.out, statement.body, statement.eq)
    return statement
