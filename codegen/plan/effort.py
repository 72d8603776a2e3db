"""What it takes to compute a body inside a loop, in cycles a vector: for decisions on single values.

Finer than the costs by which orders of axes are searched: functions with a kink are cheap, a division is not, and
what lacks the loop's label stays in a register.
"""

from __future__ import annotations

from functools import cache

from codegen.plan.cost import FUNCTION, LOAD, OPERATION
from codegen.program import Body, Call, Number, Position, labels_of, walk
from derive.op import find
from derive.ops import table

DIVISION = 8.0
EASY_POWERS = (2, 3)


def effort(body: Body, along: str) -> float:
    """Return the cycles for a vector of a body in a loop over a label, loads included; what occurs twice is done once.

    >>> from codegen.program import Ref
    >>> effort(Call("sub", (Ref("A", ("i", "j")), Call("neg", (Ref("m", ("i",)),)))), "j")
    1.0
    """
    parts = [part for part in dict.fromkeys(walk(body)) if along in labels_of(part)]
    return sum(_price(part) if isinstance(part, Call) else LOAD for part in parts if not isinstance(part, Position))


def _price(call: Call) -> float:
    if call.op == table.DIV:
        return DIVISION
    exponent = call.args[-1]
    if call.op == table.POW and isinstance(exponent, Number) and exponent.value in EASY_POWERS:
        return OPERATION
    return OPERATION + FUNCTION * _functions(call.op)


@cache
def _functions(name: str) -> int:
    """Return how many elementary functions the entries of an operation take, by its row."""
    row, met = find(name), _Met()
    if row.body is not None:
        row.body(met, *[0.5] * row.arity)
    return met.count


class _Met:
    """A field of numbers, as the bodies of rows are written on, that counts the functions it is asked for."""

    def __init__(self) -> None:
        self.count = 0

    def _function(self, *numbers: float) -> float:
        self.count += 1
        return 0.5

    exp = log = sqrt = sin = cos = power = normal_cdf = _function

    @staticmethod
    def step(x: float) -> float:
        return 1.0

    @staticmethod
    def constant(value: object) -> float:
        return 0.5
