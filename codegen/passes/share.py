"""Sharing: an elementary function of the same values, wherever it occurs again, is computed once and kept.

Softmax takes exp(z - m) for its sum and again for its quotient; the second time it is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from codegen.labels import Key, labels_in_order, numbered
from codegen.passes.apart import set_apart
from codegen.program import (
    BATCH,
    Body,
    Call,
    Contract,
    Program,
    Ref,
    Size,
    Statement,
    Value,
    Whole,
    extents,
    labels_of,
)


def share(program: Program) -> Program:
    """Return the program with every costly call that occurs in several statements in a statement of its own."""
    sharing = _Sharing(program, _shared(program), dict(program.values))
    for statement in program.statements:
        sharing.statements.append(sharing.rewritten(statement))
    return replace(program, values=sharing.values, statements=tuple(sharing.statements))


def _shared(program: Program) -> set[Key]:
    """Return the calls that several statements make, the largest ones: what only occurs within such a call is not."""
    several = _repeated(program, set())
    return several & _repeated(program, several)


def _repeated(program: Program, whole: set[Key]) -> set[Key]:
    """Return the calls that occur in several statements; within one of `whole` only the first time it is met."""
    counts: Counter[Key] = Counter()
    met: set[Key] = set()
    for statement in program.statements:
        if not isinstance(statement, Contract | Whole):
            counts.update(set(_costly(statement.body, extents(program, statement), whole, met)))
    return {key for key, count in counts.items() if count > 1}


def _costly(body: Body, sizes: dict[str, Size], whole: set[Key], met: set[Key]) -> Iterator[Key]:
    """Yield the costly calls in a body, outermost first."""
    if not isinstance(body, Call):
        return
    if _is_smooth(body):
        key = numbered(body, sizes)
        yield key
        if key in met:
            return
        if key in whole:
            met.add(key)
    for arg in body.args:
        yield from _costly(arg, sizes, whole, met)


def _is_smooth(body: Body) -> bool:
    """Tell whether a body is an elementary function of a tensor that takes long: those with a kink do not."""
    return isinstance(body, Call) and body.row.slope is not None and not body.row.kink and bool(labels_of(body))


@dataclass(slots=True)
class _Sharing:
    program: Program
    shared: set[Key]
    values: dict[str, Value]
    statements: list[Statement] = field(default_factory=list)
    kept: dict[Key, tuple[str, tuple[int, ...]]] = field(default_factory=dict)

    def rewritten(self, statement: Statement) -> Statement:
        """Return a statement that reads what is shared; computes that first where it is met first."""
        if isinstance(statement, Contract | Whole):
            return statement
        return replace(statement, body=self.body(statement.body, statement, extents(self.program, statement)))

    def body(self, body: Body, statement: Statement, sizes: dict[str, Size]) -> Body:
        if not isinstance(body, Call):
            return body
        key = numbered(body, sizes) if _is_smooth(body) else None
        if key not in self.shared or key is None:
            return Call(body.op, tuple(self.body(arg, statement, sizes) for arg in body.args))
        labels = labels_in_order(body)
        if key not in self.kept:
            order = tuple(sorted(range(len(labels)), key=lambda k: sizes[labels[k]] != BATCH))
            inner = Call(body.op, tuple(self.body(arg, statement, sizes) for arg in body.args))
            apart = set_apart(self.values, statement, inner, (labels[k] for k in order), sizes)
            self.statements.append(apart)
            self.kept[key] = apart.out.name, order
        name, order = self.kept[key]
        return Ref(name, tuple(labels[k] for k in order))
