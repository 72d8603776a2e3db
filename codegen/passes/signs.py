"""Signs from outputs: where ReLU(z) is read later anyway, [z > 0] is read off it, and z need not be kept for that.

As the slopes of tanh and of the logistic function are written in the output, so is here that of a function with a
kink at 0: `step(relu(z))` is `step(z)`, bit by bit, whatever z is. Rows say which functions keep the sign (see `Op`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from codegen.labels import Key, labels_in_order, numbered
from codegen.program import (
    Body,
    Call,
    Contract,
    Map,
    Number,
    Program,
    Ref,
    Size,
    Statement,
    Whole,
    extents,
    reads,
)
from derive.ops import table


def read_signs(program: Program) -> Program:
    """Return the program with every sign read off the output of a function that keeps it, where that spares something.

    It does where the output is read then or later by something else too, and the input is not.
    """
    signs = _Signs(program, _outputs(program))
    statements = tuple(signs.changed(statement, k) for k, statement in enumerate(program.statements))
    return replace(program, statements=statements)


@dataclass(frozen=True, slots=True)
class _Output:
    """A value that has the sign of a body, its labels numbered as those of the body, and the statement it is from."""

    ref: Ref
    made: int


def _outputs(program: Program) -> dict[Key, _Output]:
    """Return the values of the functions that keep the sign, by the body that this is the sign of."""
    found: dict[Key, _Output] = {}
    for k, statement in enumerate(program.statements):
        body = statement.body if isinstance(statement, Map) else None
        if isinstance(body, Call) and body.row.keeps_sign and all(map(_is_above_0, body.args[1:])):
            source, labels = body.args[0], labels_in_order(body.args[0])
            if set(labels) == set(statement.out.labels):
                ref = Ref(statement.out.name, tuple(str(labels.index(label)) for label in statement.out.labels))
                found.setdefault(numbered(source, extents(program, statement)), _Output(ref, k))
    return found


def _is_above_0(body: Body) -> bool:
    """Tell whether a constant is above 0, and not so close that a narrow type has 0 for it."""
    return isinstance(body, Number) and bool(np.float32(float(body.value)) > 0)


@dataclass(slots=True)
class _Signs:
    program: Program
    outputs: Mapping[Key, _Output]
    last: dict[str, int] = field(default_factory=dict)  # statement that reads a value last, not counting such signs

    def __post_init__(self) -> None:
        for k, statement in enumerate((*self.program.statements, *self.program.updates)):
            rest = self.changed(statement, k, drop=True)
            self.last.update(dict.fromkeys((access.name for access in reads(rest)), k))

    def changed(self, statement: Statement, k: int, drop: bool = False) -> Statement:
        """Return the k-th statement, its signs read off outputs; without those that could be, if they are to drop."""
        if isinstance(statement, Contract | Whole):
            return statement
        return replace(statement, body=self._body(statement.body, extents(self.program, statement), k, drop))

    def _body(self, body: Body, sizes: Mapping[str, Size], k: int, drop: bool) -> Body:
        if not isinstance(body, Call):
            return body
        output = self.outputs.get(numbered(body.args[0], sizes)) if body.op == table.STEP else None
        if output is None or output.made >= k or not (drop or self._spares(body.args[0], output, k)):
            return Call(body.op, tuple(self._body(arg, sizes, k, drop) for arg in body.args))
        labels = labels_in_order(body.args[0])
        ref = Ref(output.ref.name, tuple(labels[int(label)] for label in output.ref.labels))
        return Number(0) if drop else Call(body.op, (ref,))

    def _spares(self, source: Body, output: _Output, k: int) -> bool:
        """Tell whether the k-th statement had better read a sign off the output."""
        needed = isinstance(source, Ref) and self.last.get(source.name, -1) >= k
        return self.last.get(output.ref.name, -1) >= k and not needed
