"""The program: typed straight-line statements over tensors whose axes carry labels. Data alone.

Five kinds of statement suffice. Transposes have vanished into labels: `Z1[b,h] = sum n: X[b,n] * W1[h,n]` is
the product whichever way its operands lie. What moves entries, windows, slices and embeddings, is an index that is
computed: `P[t,j] = X[2*t+j]`, and transposed `X_bar[2*t+j] += P_bar[t,j]`. Lowering from equations stands in
`lower`, changes in `passes/`, the text of a program in `text`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeAlias

from derive.op import Op, find

Size: TypeAlias = int | str
"""A number, the name of a size that the program fixes, or `BATCH`."""

BATCH = "batch"
"""The one size that is known only when the program runs: the number of samples."""

ARGMAX = "argmax"
"""The reduction that gives a place rather than an entry; a statement's, no row has it."""


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
class Affine:
    """The index `offset + Σ coefficient · label`; indices count from 0."""

    offset: int
    terms: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """The index that a value holds: a whole number, kept as a number of the program's type."""

    ref: Ref


Index: TypeAlias = str | Affine | Lookup
"""Where along an axis: at a label that runs along all of it, or at a place that is computed."""


@dataclass(frozen=True, slots=True)
class Pick:
    """The entry of a value at computed indices, one an axis; 0 where an index lies outside."""

    name: str
    index: tuple[Index, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that occur in the indices, each once, in order."""
        return tuple(dict.fromkeys(label for index in self.index for label in index_labels(index)))

    @property
    def lookups(self) -> tuple[Ref, ...]:
        """What the indices read."""
        return tuple(index.ref for index in self.index if isinstance(index, Lookup))


@dataclass(frozen=True, slots=True)
class Position:
    """A label's own index, as a number."""

    label: str


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


Body: TypeAlias = Ref | Pick | Position | Number | Samples | Call
Access: TypeAlias = Ref | Pick
Leaf: TypeAlias = Ref | Pick | Position | Samples  # what a target spells in its own way


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
    """`out = Σ body` or `max body` over the labels `over`, by the row `op`.

    With the op `ARGMAX` it is the place of the first of the largest entries, counted along `over` with the last
    label fastest.
    """

    out: Ref
    op: str
    over: tuple[str, ...]
    body: Body
    eq: str

    @property
    def kind(self) -> str:
        """What is done: `sum`, `max` or `ARGMAX`."""
        return self.op if self.op == ARGMAX else find(self.op).reduce


@dataclass(frozen=True, slots=True)
class Scatter:
    """`out = 0`, then `out[index] += body` over all labels; what lies outside is dropped. The transpose of a Pick."""

    out: Pick
    body: Body
    eq: str


@dataclass(frozen=True, slots=True)
class Whole:
    """`out = op(args)` on whole arrays, by the row `op`; labels that stand in `out` and `args` lead: one a sample."""

    out: Ref
    op: str
    args: tuple[Ref, ...]
    eq: str

    @property
    def row(self) -> Op:
        """The operation's row."""
        return find(self.op)

    @property
    def each(self) -> tuple[str, ...]:
        """The leading labels, for each index of which the operation is done once."""
        return tuple(label for label in self.out.labels if label in self.args[0].labels)


Statement: TypeAlias = Contract | Map | Reduce | Scatter | Whole


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
        stable: Number of an equation to the names of the rewrites by which it is computed in a stable form.
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
    stable: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def remark(self, eq: str) -> str:
        """Return what a comment says of an equation that is computed in a stable form, in brackets; else nothing."""
        return f" [{'; '.join(self.stable[eq])}]" if eq in self.stable else ""

    def of_role(self, *roles: str) -> tuple[Value, ...]:
        """Return the values of the given roles, in order of appearance."""
        return tuple(value for value in self.values.values() if value.role in roles)


def index_labels(index: Index) -> tuple[str, ...]:
    """Return the labels in an index."""
    if isinstance(index, Affine):
        return tuple(label for _, label in index.terms)
    return index.ref.labels if isinstance(index, Lookup) else (index,)


def walk(body: Body) -> Iterator[Body]:
    """Yield a body and all in it, outermost first; what a computed index reads comes behind its pick."""
    yield body
    if isinstance(body, Call):
        for arg in body.args:
            yield from walk(arg)
    elif isinstance(body, Pick):
        yield from body.lookups


def bodies(statement: Statement) -> tuple[Body, ...]:
    """Return the right side of a statement as bodies, and what the indices of its left side read."""
    if isinstance(statement, Contract):
        return (statement.a, statement.b)
    if isinstance(statement, Whole):
        return statement.args
    lookups = statement.out.lookups if isinstance(statement, Scatter) else ()
    return (*lookups, statement.body)


def body_reads(body: Body) -> list[Access]:
    """Return the references and picks in a body, each once, in order."""
    return list(dict.fromkeys(part for part in walk(body) if isinstance(part, Ref | Pick)))


def reads(statement: Statement) -> list[Access]:
    """Return what a statement reads, each once, in order."""
    return list(dict.fromkeys(access for body in bodies(statement) for access in body_reads(body)))


def labels_of(body: Body) -> set[str]:
    """Return the labels that occur in a body.

    >>> sorted(labels_of(Call("add", (Ref("A", ("i", "j")), Pick("b", (Affine(1, ((2, "j"), (1, "k"))),))))))
    ['i', 'j', 'k']
    """
    positions = {part.label for part in walk(body) if isinstance(part, Position)}
    return positions | {label for access in body_reads(body) for label in access.labels}


def change_refs(body: Body, change: Callable[[Ref], Body]) -> Body:
    """Return a body with every reference replaced; of a pick only the name changes, and what its indices read.

    A pick's value is handed over as a reference without labels, and must come back as a reference; labels that come
    back with it are indices more, in front.
    """
    if isinstance(body, Ref):
        return change(body)
    if isinstance(body, Pick):
        return _change_pick(body, lambda ref: _as_ref(change(ref)))
    return Call(body.op, tuple(change_refs(arg, change) for arg in body.args)) if isinstance(body, Call) else body


def _as_ref(body: Body) -> Ref:
    if not isinstance(body, Ref):
        raise TypeError("what is picked from, and what an index reads, must stay a value")
    return body


def _change_pick(pick: Pick, change: Callable[[Ref], Ref]) -> Pick:
    index = tuple(Lookup(change(place.ref)) if isinstance(place, Lookup) else place for place in pick.index)
    ref = change(Ref(pick.name, ()))
    return Pick(ref.name, (*ref.labels, *index))


def change_statement(statement: Statement, change: Callable[[Ref], Ref]) -> Statement:
    """Return a statement with every reference replaced, its result included (see `change_refs`)."""
    if isinstance(statement, Contract):
        return Contract(change(statement.out), change(statement.a), change(statement.b), statement.eq)
    if isinstance(statement, Whole):
        return replace(statement, out=change(statement.out), args=tuple(map(change, statement.args)))
    body = change_refs(statement.body, change)
    if isinstance(statement, Scatter):
        return Scatter(_change_pick(statement.out, change), body, statement.eq)
    if isinstance(statement, Map):
        return Map(change(statement.out), body, statement.eq)
    return Reduce(change(statement.out), statement.op, statement.over, body, statement.eq)


def extents(program: Program, statement: Statement) -> dict[str, Size]:
    """Return the size along which each label of a statement runs: that of an axis where the label stands alone."""
    return {
        label: length
        for access in (statement.out, *reads(statement))
        for label, length in zip(
            access.labels if isinstance(access, Ref) else access.index, program.values[access.name].sizes, strict=True
        )
        if isinstance(label, str)
    }
