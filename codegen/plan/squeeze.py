"""Axes of one entry vanish: memory is the same without them, and loops over them would only be in the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from codegen.program import (
    ARGMAX,
    Affine,
    Body,
    Call,
    Contract,
    Index,
    Lookup,
    Map,
    Number,
    Pick,
    Position,
    Program,
    Reduce,
    Ref,
    Scatter,
    Statement,
    Whole,
    bodies,
    extents,
    labels_of,
    reads,
    walk,
)
from derive.ops import table

Thin = Mapping[str, tuple[int, ...]]


def squeeze(program: Program) -> Program:
    """Return the program without axes of one entry; axes at computed indices, and of whole matrices, stay."""
    thin = _thin(program)
    values = {
        name: replace(value, sizes=tuple(size for k, size in enumerate(value.sizes) if k not in thin[name]), sheet=())
        for name, value in program.values.items()
    }
    statements = tuple(_squeezed(program, s, thin) for s in program.statements)
    updates = tuple(_squeezed(program, s, thin) for s in program.updates)
    return replace(program, values=values, statements=statements, updates=updates)


def _thin(program: Program) -> Thin:
    """Return for each value its axes that vanish."""
    kept: dict[str, set[int]] = {name: set() for name in program.values}
    for statement in (*program.statements, *program.updates):
        if isinstance(statement, Whole):
            for ref in (statement.out, *statement.args):
                kept[ref.name].update(range(len(ref.labels)))
        picks = [part for body in bodies(statement) for part in walk(body) if isinstance(part, Pick)]
        for pick in (*picks, *([statement.out] if isinstance(statement, Scatter) else [])):
            kept[pick.name].update(k for k, index in enumerate(pick.index) if not isinstance(index, str))
    while any(_follow(program, statement, kept) for statement in (*program.statements, *program.updates)):
        pass  # what was kept may be a result that has to be followed in its turn
    return {
        name: tuple(k for k, size in enumerate(value.sizes) if _is_one(program, size) and k not in kept[name])
        for name, value in program.values.items()
    }


def _follow(program: Program, statement: Statement, kept: Mapping[str, set[int]]) -> bool:
    """Keep an axis of what a sum or a product reads where the same axis of its result stays; tell whether one was.

    Every label of a sum's result stands in what is summed.
    """
    if not isinstance(statement, Contract | Reduce):
        return False
    found = False
    for k, label in enumerate(statement.out.labels):
        if k not in kept[statement.out.name] or not _is_one(program, program.values[statement.out.name].sizes[k]):
            continue
        places = [
            (access.name, j) for access in reads(statement)
            for j, at in enumerate(access.labels if isinstance(access, Ref) else access.index) if at == label
        ]  # fmt: skip
        if places and not any(j in kept[name] for name, j in places):
            name, j = places[0]
            kept[name].add(j)
            found = True
    return found


def _is_one(program: Program, size: object) -> bool:
    return size == 1 or program.sizes.get(str(size)) == 1


def _squeezed(program: Program, statement: Statement, thin: Thin) -> Statement:
    single = {label for label, size in extents(program, statement).items() if _is_one(program, size)}

    def ref(old: Ref) -> Ref:
        return Ref(old.name, tuple(label for k, label in enumerate(old.labels) if k not in thin[old.name]))

    def index(old: Index) -> Index:
        if isinstance(old, Affine):
            return Affine(old.offset, tuple((c, label) for c, label in old.terms if label not in single))
        if isinstance(old, Lookup):
            return Lookup(ref(old.ref))
        return Affine(0, ()) if old in single and old not in out_labels else old

    def pick(old: Pick) -> Pick:
        return Pick(old.name, tuple(index(at) for k, at in enumerate(old.index) if k not in thin[old.name]))

    def entry(old: Ref) -> Ref | Pick:
        """An axis of one entry that stays is met at its only place."""
        kept = ref(old)
        alone = any(label in single and label not in out_labels for label in kept.labels)
        return (
            Pick(old.name, tuple(Affine(0, ()) if label in single else label for label in kept.labels))
            if alone
            else kept
        )

    def body(old: Body) -> Body:
        if isinstance(old, Call):
            return Call(old.op, tuple(body(arg) for arg in old.args))
        if isinstance(old, Position):
            return Number(0) if old.label in single and old.label not in out_labels else old
        return entry(old) if isinstance(old, Ref) else pick(old) if isinstance(old, Pick) else old

    out_labels = () if isinstance(statement, Scatter) else ref(statement.out).labels
    if isinstance(statement, Contract):
        out, a, b = ref(statement.out), entry(statement.a), entry(statement.b)
        summed = tuple(label for label in dict.fromkeys((*a.labels, *b.labels)) if label not in out.labels)
        if isinstance(a, Ref) and isinstance(b, Ref) and summed:
            return Contract(out, a, b, statement.eq)
        product = Call(table.MUL, (a, b))
        return Reduce(out, table.SUM, summed, product, statement.eq) if summed else Map(out, product, statement.eq)
    if isinstance(statement, Whole):
        return statement
    if isinstance(statement, Scatter):
        return Scatter(pick(statement.out), body(statement.body), statement.eq)
    if isinstance(statement, Map):
        return Map(ref(statement.out), body(statement.body), statement.eq)
    inner = body(statement.body)
    over = tuple(label for label in statement.over if label in labels_of(inner) and label not in single)
    if over or statement.op == ARGMAX:
        return Reduce(ref(statement.out), statement.op, over, inner, statement.eq)
    return Map(ref(statement.out), inner, statement.eq)
