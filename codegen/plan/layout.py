"""The order of axes in memory: the last of a value's axes is the one along which vectors are loaded.

What is given from outside lies as it does; for the rest the order that costs least is searched, first for whole
groups of values that are computed from each other entry by entry, then for each alone. Where a product wants an
operand the other way round, a copy of it is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from codegen.plan.cost import Costs, Orders, refs_of
from codegen.plan.machine import Machine
from codegen.program import (
    Contract,
    Map,
    Pick,
    Program,
    Reduce,
    Ref,
    Statement,
    Whole,
    change_refs,
    change_statement,
    reads,
)

ROUNDS = 4  # of trying every value once more


@dataclass(frozen=True, slots=True)
class Laid:
    """A program whose values' axes are in the order of memory, and what was moved to get there.

    `moved` gives for each value that is given from outside, or given out, the axes of the old order in the new one.
    """

    program: Program
    moved: Mapping[str, tuple[int, ...]]


def lay_out(program: Program, machine: Machine, batch: int, fixed: frozenset[str]) -> Laid:
    """Choose the order of every value's axes.

    Args:
        program: Without axes of one entry.
        machine: Where it will run.
        batch: How many samples to expect; only costs depend on it.
        fixed: Values whose order is given.
    """
    costs = Costs(program, machine, batch, fixed)
    orders = _search(program, costs, fixed)
    moved = {name: order for name, order in orders.items() if order != tuple(range(len(order)))}
    return Laid(_rewritten(program, costs, orders), moved)


def _search(program: Program, costs: Costs, fixed: frozenset[str]) -> Orders:
    orders: dict[str, tuple[int, ...]] = {name: tuple(range(len(v.sizes))) for name, v in program.values.items()}
    still = fixed | _computed(program)
    free = [name for name, v in program.values.items() if len(v.sizes) > 1 and name not in still]
    touching: dict[str, list[Statement]] = {name: [] for name in program.values}
    for statement in (*program.statements, *program.updates):
        for name in {ref.name for ref in (statement.out, *reads(statement))}:
            touching[name].append(statement)
    moves = [*_groups(program, set(free)), *([name] for name in free)]
    for _ in range(ROUNDS):
        changed = False
        for group in moves:
            around = list({id(s): s for name in group for s in touching[name]}.values())
            best, kept = sum(costs.of(s, orders) for s in around), None
            old = {name: orders[name] for name in group}
            for turn in range(max(len(program.values[name].sizes) for name in group)):
                for name in group:
                    orders[name] = _inner(len(program.values[name].sizes), turn)
                total = sum(costs.of(s, orders) for s in around)
                if total < best * 0.999:
                    best, kept = total, {name: orders[name] for name in group}
            orders.update(kept or old)
            changed = changed or kept is not None
        if not changed:
            break
    return orders


def _computed(program: Program) -> set[str]:
    """Return the values that are met at computed indices or as whole arrays: they lie as they do."""
    found: set[str] = set()
    for statement in (*program.statements, *program.updates):
        found |= {access.name for access in (statement.out, *reads(statement)) if isinstance(access, Pick)}
        if isinstance(statement, Whole):
            found |= {ref.name for ref in (statement.out, *statement.args)}
    return found


def _inner(rank: int, last: int) -> tuple[int, ...]:
    """Return the order with an axis last, the others as they are.

    >>> _inner(3, 0)
    (1, 2, 0)
    """
    return (*(k for k in range(rank) if k != last % rank), last % rank)


def _groups(program: Program, free: set[str]) -> list[list[str]]:
    """Return values that are computed from each other entry by entry, so that their axes correspond by position."""
    parent = {name: name for name in free}

    def find(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for statement in (*program.statements, *program.updates):
        if isinstance(statement, Map):
            alike = [r.name for r in (statement.out, *refs_of(statement)) if r.labels == statement.out.labels]
            alike = [name for name in alike if name in free]
            for name in alike[1:]:
                parent[find(name)] = find(alike[0])
    groups: dict[str, list[str]] = {}
    for name in program.values:
        if name in free:
            groups.setdefault(find(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _rewritten(program: Program, costs: Costs, orders: Orders) -> Program:
    """Return the program with axes in order, and copies where a product needs an operand otherwise."""
    values = {
        name: replace(value, sizes=tuple(value.sizes[k] for k in orders[name]))
        for name, value in program.values.items()
    }
    turned: dict[tuple[str, tuple[int, ...]], str] = {}
    first: list[Statement] = []  # copies of data: what follows may share loops across them
    statements: list[Statement] = []

    def permute(ref: Ref) -> Ref:
        return Ref(ref.name, tuple(ref.labels[k] for k in orders[ref.name]) if ref.labels else ())

    def other_way(ref: Ref, last: str, eq: str) -> Ref:
        """Return a copy of a value with the given label last."""
        place = ref.labels.index(last)
        order = (*(k for k in range(len(ref.labels)) if k != place), place)
        labels = tuple(ref.labels[k] for k in order)
        if (ref.name, order) not in turned:
            name = _fresh(f"{ref.name}_t", values)
            sizes = tuple(values[ref.name].sizes[k] for k in order)
            values[name] = replace(values[ref.name], name=name, sizes=sizes, role="temp")
            turned[ref.name, order] = name
            (first if program.values[ref.name].role == "data" else statements).append(Map(Ref(name, labels), ref, eq))
        return Ref(turned[ref.name, order], labels)

    def aligned(statement: Statement, last: str) -> Statement:
        """Return an entry-by-entry statement whose operands all lie along its innermost loop, in whole vectors."""
        if not isinstance(statement, Map | Reduce) or isinstance(statement.body, Ref) or not last:
            return statement
        copies = {
            ref: other_way(ref, last, statement.eq)
            for ref in refs_of(statement)
            if last in ref.labels and len(set(ref.labels)) == len(ref.labels)
            and (ref.labels[-1] != last or not costs.whole(ref.name, values[ref.name].sizes[-1]))
        }  # fmt: skip
        return replace(statement, body=change_refs(statement.body, lambda ref: copies.get(ref, ref)))

    for statement in program.statements:
        fresh = change_statement(statement, permute)
        if not isinstance(fresh, Contract) or not isinstance(statement, Contract):
            along = costs.along(statement, orders) if isinstance(statement, Reduce) else fresh.out.labels[-1:]
            statements.append(aligned(fresh, "".join(along)))
            continue
        strategy = costs.strategy(statement, orders)
        a = other_way(fresh.a, strategy.a, fresh.eq) if strategy.a else fresh.a
        b = other_way(fresh.b, strategy.b, fresh.eq) if strategy.b else fresh.b
        if not strategy.out:
            statements.append(replace(fresh, a=a, b=b))
            continue
        place = fresh.out.labels.index(strategy.out)
        order = (*(k for k in range(len(fresh.out.labels)) if k != place), place)
        name = _fresh(f"{fresh.out.name}_t", values)
        sizes = tuple(values[fresh.out.name].sizes[k] for k in order)
        values[name] = replace(values[fresh.out.name], name=name, sizes=sizes, role="temp")
        out = Ref(name, tuple(fresh.out.labels[k] for k in order))
        statements += [Contract(out, a, b, fresh.eq), Map(fresh.out, out, fresh.eq)]
    fresh_updates = [change_statement(statement, permute) for statement in program.updates]
    updates = tuple(aligned(update, "".join(update.out.labels[-1:])) for update in fresh_updates)
    return replace(program, values=values, statements=(*first, *statements), updates=updates)


def _fresh(wish: str, values: Mapping[str, object]) -> str:
    return next(name for name in (f"{wish}{k or ''}" for k in range(10**6)) if name not in values)
