"""C groups: one loop for all statements of a group, or the tiles of a product with what follows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from codegen.plan.cost import Costs
from codegen.plan.fuse import Group, turns_round
from codegen.program import Contract, Map, Position, Ref, Statement, bodies, extents, reads, walk
from codegen.targets.c_loops import Loops
from codegen.targets.c_product import product
from codegen.targets.c_words import Lines, loop


def group_lines(loops: Loops, group: Group, costs: Costs) -> Lines:
    """Return a group in C."""
    if isinstance(group.head, Contract):
        return product(loops, group, costs, entry_lines)
    if isinstance(group.head, Map) and not turns_round(group.head):
        return map_lines(loops, group)
    return loops.statement(group.head)


def map_lines(loops: Loops, group: Group) -> Lines:
    """Return one loop, or a nest of them, for statements that run over the same entries."""
    labels = group.head.out.labels
    index = _index(loops, group.statements)
    if not labels:
        return entry_lines(loops, group.statements, group.local, index)
    refs = [ref for s in group.statements for ref in (s.out, *reads(s)) if ref.name not in group.local]
    plain = not any(isinstance(part, Position) for s in group.statements for body in bodies(s) for part in walk(body))
    flat = plain and all(
        isinstance(ref, Ref) and ref.labels in ((), labels) and (not ref.labels or ref.name in loops.padded)
        for ref in refs
    )
    if flat and len(labels) > 1:
        variable = index[labels[-1]]
        first = next(ref for ref in refs if ref.labels)
        lengths = [
            f"(ptrdiff_t){word}" if k == 0 and word == "batch" else word
            for k, word in enumerate(loops.lengths(first.name))
        ]
        index |= dict.fromkeys(labels, "0") | {labels[-1]: variable}
        body = entry_lines(loops, group.statements, group.local, index)
        return [loops.independent(), *loop(variable, " * ".join(lengths), body)]
    body = entry_lines(loops, group.statements, group.local, index)
    sizes = extents(loops.program, group.head)
    count = loops.span(refs, labels[-1]) if plain else loops.size(sizes[labels[-1]])
    lines = [loops.independent(), *loop(index[labels[-1]], count, body)]
    for label in reversed(labels[:-1]):
        lines = loop(index[label], loops.size(sizes[label]), lines)
    return lines


def _index(loops: Loops, statements: Sequence[Statement]) -> dict[str, str]:
    return {label: name for s in statements for label, name in loops.loop_names(s).items()}


def entry_lines(
    loops: Loops, statements: Sequence[Statement], local: frozenset[str], index: Mapping[str, str]
) -> Lines:
    """Return what happens to one entry: values that are read again are kept in local variables."""
    lines: Lines = []
    before = dict(loops.at_hand)
    for k, statement in enumerate(statements):
        assert isinstance(statement, Map)
        text = loops.body(statement.body, index, extents(loops.program, statement))
        name = statement.out.name
        again = any(ref.name == name for s in statements[k + 1 :] for ref in reads(s))
        if name in local or again:
            word = loops.local_name(name)
            lines.append(f"const {loops.real} {word} = {text};")
            text = word
        if name not in local:
            loops.at_hand.pop(name, None)
            lines.append(f"{loops.place(statement.out, index)} = {text};")
        if name in local or again:
            loops.at_hand[name] = word
    loops.at_hand.clear()
    loops.at_hand.update(before)
    return lines
