"""The program: typed straight-line statements over tensors whose axes carry labels. Data, and how it prints.

Three kinds of statement suffice. Transposes have vanished into labels: `Z1[b,h] = sum n: X[b,n] * W1[h,n]` is
the product whichever way its operands lie. Lowering from equations stands in `lower`, changes in `passes/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from derive.op import Op, find

Size: TypeAlias = int | str
"""A number, the name of a size that the program fixes, or `BATCH`."""

BATCH = "batch"
"""The one size that is known only when the program runs: the number of samples."""


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor as it lies in memory, C order: one row a sample where there are samples.

    `role` is `data`, `parameter`, `state` (of an optimiser), `rate` (a scalar given at each step), `temp`,
    `definition`, `loss`, `cotangent` or `gradient`; `sheet` the axes' order there: `(1, 0)` if it lies transposed.
    """

    name: str
    latex: str
    sizes: tuple[Size, ...]
    role: str
    sheet: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Ref:
    """A value, and the label of each of its axes."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Number:
    """A constant: exact where it is a fraction."""

    value: Fraction | float


@dataclass(frozen=True, slots=True)
class Samples:
    """The batch size, as a number in a formula."""


@dataclass(frozen=True, slots=True)
class Call:
    """An operation, by the name of its row, entry by entry."""

    op: str
    args: tuple[Body, ...]

    @property
    def row(self) -> Op:
        """The operation's row."""
        return find(self.op)


Body: TypeAlias = Ref | Number | Samples | Call


@dataclass(frozen=True, slots=True)
class Contract:
    """`out = Σ a b` over the labels that `out` lacks."""

    out: Ref
    a: Ref
    b: Ref
    eq: str


@dataclass(frozen=True, slots=True)
class Map:
    """`out = body`, entry by entry; what lacks a label is repeated along it."""

    out: Ref
    body: Body
    eq: str


@dataclass(frozen=True, slots=True)
class Reduce:
    """`out = Σ body` or `max body` (by the row `op`) over the labels `over`."""

    out: Ref
    op: str
    over: tuple[str, ...]
    body: Body
    eq: str


Statement: TypeAlias = Contract | Map | Reduce


@dataclass(frozen=True, slots=True)
class Program:
    """Statements in order of computation, then the updates of what is trained, in place.

    Attributes:
        title: What the model is called.
        dtype: `float32` or `float64`.
        values: Every value by its name in code, in order of appearance.
        statements: Each name is computed once, before it is used.
        updates: Statements that overwrite parameters and states.
        formulas: Number of an equation to its LaTeX, `left = right`.
        sizes: The sizes that are fixed, by name.
        outputs: Names that must be computed: the loss and the gradients, or what was asked for.
        gradients: Each parameter's name to its gradient's.
    """

    title: str
    dtype: str
    values: Mapping[str, Value]
    statements: tuple[Statement, ...]
    updates: tuple[Statement, ...]
    formulas: Mapping[str, str]
    sizes: Mapping[str, int]
    outputs: tuple[str, ...]
    gradients: Mapping[str, str]

    def __str__(self) -> str:
        return show(self)

    def of_role(self, *roles: str) -> tuple[Value, ...]:
        """Return the values of the given roles, in order of appearance."""
        return tuple(value for value in self.values.values() if value.role in roles)


def walk(body: Body) -> Iterator[Body]:
    """Yield a body and all in it, outermost first."""
    yield body
    if isinstance(body, Call):
        for arg in body.args:
            yield from walk(arg)


def body_refs(body: Body) -> list[Ref]:
    """Return the references in a body, each once, in order."""
    return list(dict.fromkeys(part for part in walk(body) if isinstance(part, Ref)))


def reads(statement: Statement) -> list[Ref]:
    """Return what a statement reads."""
    return [statement.a, statement.b] if isinstance(statement, Contract) else body_refs(statement.body)


def labels_of(body: Body) -> set[str]:
    """Return the labels that occur in a body.

    >>> sorted(labels_of(Call("add", (Ref("A", ("i", "j")), Ref("b", ("j",))))))
    ['i', 'j']
    """
    return {label for ref in body_refs(body) for label in ref.labels}


def change_refs(body: Body, change: Callable[[Ref], Body]) -> Body:
    """Return a body with every reference replaced."""
    if isinstance(body, Ref):
        return change(body)
    return Call(body.op, tuple(change_refs(arg, change) for arg in body.args)) if isinstance(body, Call) else body


def change_statement(statement: Statement, change: Callable[[Ref], Ref]) -> Statement:
    """Return a statement with every reference replaced, its result included."""
    if isinstance(statement, Contract):
        return Contract(change(statement.out), change(statement.a), change(statement.b), statement.eq)
    body = change_refs(statement.body, change)
    if isinstance(statement, Map):
        return Map(change(statement.out), body, statement.eq)
    return Reduce(change(statement.out), statement.op, statement.over, body, statement.eq)


def extents(program: Program, statement: Statement) -> dict[str, Size]:
    """Return the size along which each label of a statement runs."""
    return {
        label: length
        for ref in (statement.out, *reads(statement))
        for label, length in zip(ref.labels, program.values[ref.name].sizes, strict=True)
    }


def show(program: Program) -> str:
    """Write a program as text, for people and for tests."""
    lines = [f"# {program.title} ({program.dtype}) -> {', '.join(program.outputs)}"]
    lines += [f"# {name} = {length}" for name, length in program.sizes.items()]
    given = program.of_role("data", "parameter", "state", "rate")
    lines += [f"{value.role} {value.name}[{', '.join(map(str, value.sizes))}]" for value in given]
    for statement in (*program.statements, *program.updates):
        lines.append(f"{show_statement(statement)}  # ({statement.eq}) {program.values[statement.out.name].latex}")
    return "\n".join(lines) + "\n"


def show_statement(statement: Statement) -> str:
    """Write one statement: `Z1[b,h] = sum n: X[b,n] * W1[h,n]`."""
    left = f"{show_body(statement.out)} = "
    if isinstance(statement, Contract):
        over = [label for label in statement.a.labels if label not in statement.out.labels]
        return f"{left}contract {','.join(over)}: {show_body(statement.a)} {show_body(statement.b)}"
    if isinstance(statement, Map):
        return left + show_body(statement.body)
    return f"{left}{statement.op} {','.join(statement.over)}: {show_body(statement.body)}"


def show_body(body: Body) -> str:
    """Write a body with its operations as calls."""
    if isinstance(body, Ref):
        return f"{body.name}[{','.join(body.labels)}]" if body.labels else body.name
    if isinstance(body, Call):
        return f"{body.op}({', '.join(map(show_body, body.args))})"
    return BATCH if isinstance(body, Samples) else str(body.value)
