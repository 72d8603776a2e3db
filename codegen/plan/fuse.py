"""Fusion: statements that run over the same entries share one loop; a value needed only there needs no memory.

A product may head such a group: what follows it entry by entry, such as the update of a weight by its gradient,
happens to each tile while it is at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from codegen.labels import relabel
from codegen.program import Contract, Map, Pick, Program, Ref, Statement, extents, reads


@dataclass(frozen=True, slots=True)
class Group:
    """Statements of one loop: a head, then what follows entry by entry, all with the head's labels.

    `local` names values that no other group reads: they live in registers.
    """

    head: Statement
    tail: tuple[Map, ...] = ()
    local: frozenset[str] = frozenset()

    @property
    def statements(self) -> tuple[Statement, ...]:
        """All statements, in order."""
        return (self.head, *self.tail)


def fuse(program: Program, kept: Iterable[str]) -> list[Group]:
    """Return the program's statements, updates included, in groups in an order that keeps their meaning.

    Args:
        program: Laid out.
        kept: Values that must be in memory at the end: outputs, parameters, states.
    """
    statements, updates = delayed(program), set(map(id, program.updates))
    losses = {value.name for value in program.of_role("loss")}
    open_groups: list[list[Statement]] = []
    home: dict[str, int] = {}  # which group wrote a value last
    touched: dict[str, int] = {}  # the last group that reads or writes it
    for statement in statements:
        place = _place(program, statement, open_groups, home, touched)
        early = max((home[name] for name in losses if name in home), default=-1)
        if place is None or (id(statement) in updates and place <= early):  # nothing changes before the loss is known
            open_groups.append([statement])
            place = len(open_groups) - 1
        else:
            open_groups[place].append(_relabelled(statement, open_groups[place][0].out.labels))
        home[statement.out.name] = place
        for name in {statement.out.name, *_names(statement)}:
            touched[name] = max(place, touched.get(name, -1))
    return _closed(open_groups, frozenset(kept))


def delayed(program: Program) -> list[Statement]:
    """Return statements and updates in one list: an update comes right after its gradient where nothing reads the
    old value any more, and takes the product that it belongs to along where something does.
    """
    statements = list(program.statements)
    names = {id(s): _names(s) for s in (*program.statements, *program.updates)}
    for update in program.updates:
        earliest = 0
        for k, statement in enumerate(statements):
            written = statement.out.name in names[id(update)]
            if written or update.out.name in names[id(statement)] or statement.out.name == update.out.name:
                earliest = k + 1
        statements.insert(earliest, update)
    for k in range(len(statements) - 1, -1, -1):  # a gradient that only updates need moves down to them
        statement = statements[k]
        if not isinstance(statement, Contract):
            continue
        users = [j for j in range(k + 1, len(statements)) if statement.out.name in names[id(statements[j])]]
        if not users or users[0] == k + 1:
            continue
        blocked = {ref.name for ref in reads(statement)}
        between = statements[k + 1 : users[0]]
        if all(other.out.name not in blocked for other in between) and _is_updated(program, statement):
            statements[k : users[0]] = [*between, statement]
    return statements


def _names(statement: Statement) -> set[str]:
    return {ref.name for ref in reads(statement)}


def _is_updated(program: Program, statement: Contract) -> bool:
    return program.values[statement.out.name].role == "gradient"


def _place(
    program: Program,
    statement: Statement,
    groups: Sequence[Sequence[Statement]],
    home: Mapping[str, int],
    touched: Mapping[str, int],
) -> int | None:
    """Return the group that a statement can join: it runs over the same entries and reads nothing later than it."""
    if not isinstance(statement, Map) or not statement.out.labels:
        return None
    needs = {ref.name: home[ref.name] for ref in reads(statement) if ref.name in home}
    if not needs:
        return None
    place = max(needs.values())
    group = groups[place]
    head = group[0]
    if _sizes(program, head) != _sizes(program, statement) or not isinstance(head, Contract | Map):
        return None
    if isinstance(head, Map) and turns_round(head):
        return None
    for ref in reads(statement):  # what the group itself makes must be read at the same entry
        if needs.get(ref.name) == place and (isinstance(ref, Pick) or ref.labels != statement.out.labels):
            return None
    conflict = touched.get(statement.out.name, -1) > place
    inside = any(statement.out.name in _names(s) and not _same_entry(s, statement.out.name) for s in group)
    return None if conflict or inside or turns_round(statement) else place


def _same_entry(statement: Statement, name: str) -> bool:
    return isinstance(statement, Map) and all(
        isinstance(ref, Ref) and ref.labels == statement.out.labels for ref in reads(statement) if ref.name == name
    )


def turns_round(statement: Map) -> bool:
    """Tell whether a statement only turns axes round; it has a loop of its own. A number spread out does not."""
    return isinstance(statement.body, Ref) and statement.body.labels not in ((), statement.out.labels)


def _sizes(program: Program, statement: Statement) -> tuple[object, ...]:
    sizes = extents(program, statement)
    return tuple(sizes[label] for label in statement.out.labels)


def _relabelled(statement: Statement, labels: tuple[str, ...]) -> Statement:
    names = dict(zip(statement.out.labels, labels, strict=True))
    return relabel(statement, lambda label: names[label])


def _closed(groups: Sequence[Sequence[Statement]], kept: frozenset[str]) -> list[Group]:
    readers: dict[str, set[int]] = {}
    for k, group in enumerate(groups):
        for name in (name for s in group for name in _names(s)):
            readers.setdefault(name, set()).add(k)
    closed = []
    for k, group in enumerate(groups):
        head, *tail = group
        local = {s.out.name for s in group if readers.get(s.out.name, set()) <= {k}} - kept
        closed.append(Group(head, tuple(s for s in tail if isinstance(s, Map)), frozenset(local)))
    return closed
