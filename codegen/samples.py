"""Over the samples of a mini-batch: a program of one sample, done for each; its loss and gradients become means.

A sample that is a sequence or an image gives the whole batch no matrix form. Labelled axes need none: whatever depends
on the data gets one axis more. A mean is taken as early as it may be: of a sum term by term, and of a product that
nothing else reads by summing over the samples in that product, so that no sample's own gradient is ever stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from codegen.labels import relabel
from codegen.products import contract, factors_of, multiply
from codegen.program import (
    BATCH,
    Body,
    Call,
    Contract,
    Map,
    Number,
    Pick,
    Program,
    Reduce,
    Ref,
    Samples,
    Scatter,
    Size,
    Statement,
    Value,
    Whole,
    change_statement,
    extents,
    labels_of,
    reads,
)
from codegen.scope import Scope
from codegen.sizes import Sizes
from derive.ops import table

SAMPLE = "b"
"""The label of the samples: no other axis is called so."""

SHARE = Call(table.DIV, (Number(Fraction(1)), Samples()))
LINEAR = (table.ADD, table.SUB, table.NEG)


def over_samples(program: Program, sizes: Sizes) -> Program:
    """Return a program of one sample as that of a mini-batch.

    Args:
        program: As lowered, before any pass; all its data are a sample's.
        sizes: The numbers of its sizes.
    """
    each = _depending(program)
    averaged = {v.name for v in program.of_role("loss", "gradient") if v.name in each}
    own = {name: f"{name}_each" if name in averaged else name for name in each}
    spread = [_spread(statement, own) for statement in program.statements]
    means = _Means.start(replace(program, values=dict(_values(program, own)), statements=tuple(spread)), sizes)
    statements: list[Statement] = []
    for before, statement in zip(program.statements, spread, strict=True):
        statements += [statement, *(means.of_each(before.out.name, statement) if before.out.name in averaged else [])]
    return replace(program, values=means.state.values, statements=tuple(statements))


def _depending(program: Program) -> set[str]:
    """Return the names of all that depends on a sample."""
    found = {value.name for value in program.of_role("data")}
    for statement in program.statements:
        if any(access.name in found for access in reads(statement)):
            found.add(statement.out.name)
    return found


def _values(program: Program, own: Mapping[str, str]) -> Iterator[tuple[str, Value]]:
    """Yield the values, and those of every sample where they depend on it; a mean keeps the name that it had."""
    for name, value in program.values.items():
        each = own.get(name)
        if each is not None:
            sizes: tuple[Size, ...] = (BATCH, *value.sizes)
            yield each, replace(value, name=each, sizes=sizes, role=value.role if each == name else "temp")
        if each != name:
            yield name, value


def _spread(statement: Statement, own: Mapping[str, str]) -> Statement:
    """Return a statement for every sample: what depends on the sample has its axis in front."""
    return change_statement(
        statement, lambda ref: Ref(own[ref.name], (SAMPLE, *ref.labels)) if ref.name in own else ref
    )


@dataclass(slots=True)
class _Means:
    """Means over samples of what the statements of a program compute; `uses` counts who reads a name."""

    program: Program
    state: Scope
    computed: Mapping[str, Statement]
    uses: Mapping[str, int]

    @classmethod
    def start(cls, program: Program, sizes: Sizes) -> _Means:
        uses = Counter(access.name for statement in program.statements for access in reads(statement))
        state = Scope(sizes, None, False, {}, {}, dict(program.values))
        return cls(program, state, {s.out.name: s for s in program.statements}, uses)

    def of_each(self, name: str, statement: Statement) -> list[Statement]:
        """Return statements that compute the mean of a statement's result, under a name."""
        state = self.state
        state.eq, state.latex, state.statements = statement.eq, state.values[name].latex, []
        state.labels = {SAMPLE: BATCH}
        labels = tuple(map(state.label_of, state.values[name].sizes))
        own = Ref(statement.out.name, (SAMPLE, *labels))
        mean = self.total([own], (), own.labels) if self.uses[own.name] else self.inlined(own, statement)
        return [*state.statements, Map(Ref(name, labels), mean, statement.eq)]

    def mean(self, body: Body) -> Body:
        """Return the mean of a body over samples."""
        if SAMPLE not in labels_of(body):
            return body
        if isinstance(body, Ref) and self.uses[body.name] == 1:
            return self.inlined(body, self.computed.get(body.name))
        if isinstance(body, Call) and body.op in LINEAR:
            return Call(body.op, tuple(map(self.mean, body.args)))
        if isinstance(body, Call) and body.op == table.DIV and SAMPLE not in labels_of(body.args[1]):
            return Call(body.op, (self.mean(body.args[0]), body.args[1]))
        factors = factors_of(body)
        constant = [factor for factor in factors if SAMPLE not in labels_of(factor)]
        varying = [factor for factor in factors if factor not in constant]
        if constant:
            return multiply(*constant, self.mean(multiply(*varying)))
        return self.total(varying, (), labels_of(body))

    def inlined(self, ref: Ref, statement: Statement | None) -> Body:
        """Return the mean of a value that nothing else reads, out of what it is computed from."""
        if isinstance(statement, Scatter):
            out = self.state.temp(label for label in ref.labels if label != SAMPLE)
            into = Pick(out.name, statement.out.index[1:])
            self.state.statements.append(Scatter(into, statement.body, statement.eq))
            return multiply(out, SHARE)
        fresh = None if statement is None or isinstance(statement, Whole) else self.renamed(statement, ref)
        if isinstance(fresh, Map):
            return self.mean(fresh.body)
        if isinstance(fresh, Contract):
            summed = [label for label in fresh.a.labels if label not in ref.labels]
            return self.total([fresh.a, fresh.b], summed, ref.labels)
        if isinstance(fresh, Reduce) and fresh.kind == table.SUM:
            return self.total(factors_of(fresh.body), fresh.over, ref.labels)
        return self.total([ref], (), ref.labels)

    def renamed(self, statement: Statement, ref: Ref) -> Statement:
        """Return a statement with the labels of a reference to its result, and else labels of its own."""
        labels = dict(zip(statement.out.labels, ref.labels, strict=True))
        for label, size in extents(self.program, statement).items():
            labels[label] = labels.get(label) or self.state.label_of(size)
        return relabel(statement, labels.__getitem__)

    def total(self, factors: Sequence[Body], summed: Sequence[str], every: Iterable[str]) -> Body:
        """Return a product, summed over labels and averaged over samples."""
        free = [label for label in every if label != SAMPLE and label not in summed]
        return multiply(contract(self.state, factors, (*summed, SAMPLE), free), SHARE)
