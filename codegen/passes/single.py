"""Single operations: no body holds a call within a call, so that each result can be given memory of its own.

A program changed so has the repeated parts of its bodies as whole statements, which `values` then computes once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from codegen.passes.apart import set_apart
from codegen.program import Body, Call, Map, Program, Reduce, Statement, Value, extents, labels_of, reads


def single_operations(program: Program) -> Program:
    """Return the program with every call inside a body in a statement of its own; updates stay as they are.

    Numbers need no memory: what has no axes stays where it is.
    """
    split = _Split(program, dict(program.values))
    statements = tuple(part for statement in program.statements for part in split.parts(statement))
    return replace(program, values=split.values, statements=statements)


def reduced_order(program: Program, statement: Reduce) -> tuple[str, ...]:
    """Return the axes of what is reduced: as the widest value has them, unless the result's would be out of order."""
    plain = (*statement.out.labels, *statement.over)
    widest = max((ref.labels for ref in reads(statement)), key=len, default=())
    if not len(set(widest)) == len(widest) == len(extents(program, statement)):
        return plain
    kept = tuple(label for label in widest if label in statement.out.labels)
    return widest if kept == statement.out.labels else plain


@dataclass(slots=True)
class _Split:
    program: Program
    values: dict[str, Value]
    before: list[Map] = field(default_factory=list)

    def parts(self, statement: Statement) -> list[Statement]:
        """Return the statements that a statement becomes."""
        self.before = []
        if isinstance(statement, Reduce):
            order = reduced_order(self.program, statement)
            statement = replace(statement, body=self.named(statement.body, order, statement))
        elif isinstance(statement, Map) and isinstance(statement.body, Call) and statement.out.labels:
            order = statement.out.labels
            args = tuple(self.named(arg, order, statement) for arg in statement.body.args)
            statement = replace(statement, body=Call(statement.body.op, args))
        return [*self.before, statement]

    def named(self, body: Body, order: tuple[str, ...], statement: Statement) -> Body:
        """Return a call's name, after statements that compute it; anything else as it is."""
        labels = tuple(label for label in order if label in labels_of(body))
        if not isinstance(body, Call) or not labels:
            return body
        body = Call(body.op, tuple(self.named(arg, labels, statement) for arg in body.args))
        self.before.append(set_apart(self.values, statement, body, labels, extents(self.program, statement)))
        return self.before[-1].out
