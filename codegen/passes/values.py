"""Value numbering: an intermediate value that was computed before is not computed again.

Softmax and the loss after it both need the maximum and the sum of exponentials of the same logits.
"""

from __future__ import annotations

from dataclasses import replace

from codegen.labels import relabel
from codegen.program import ARGMAX, Program, Reduce, Ref, Size, Statement, change_statement, reads


def number_values(program: Program) -> Program:
    """Return the program with every repeated intermediate value replaced by its first computation."""
    known: dict[tuple[Statement, tuple[Size, ...]], str] = {}
    alias: dict[str, str] = {}
    kept: list[Statement] = []
    for statement in program.statements:
        fresh = change_statement(statement, lambda ref: Ref(alias.get(ref.name, ref.name), ref.labels))
        key = canonical(fresh), program.values[fresh.out.name].sizes  # a body may lack labels of its result
        first = known.get(key)
        if first is not None and program.values[fresh.out.name].role == "temp":
            alias[fresh.out.name] = first
        else:
            known.setdefault(key, fresh.out.name)
            kept.append(fresh)
    updates = tuple(
        change_statement(statement, lambda ref: Ref(alias.get(ref.name, ref.name), ref.labels))
        for statement in program.updates
    )
    values = {name: value for name, value in program.values.items() if name not in alias}
    return replace(program, statements=tuple(kept), updates=updates, values=values)


def canonical(statement: Statement) -> Statement:
    """Return the statement without its own name and number, its labels numbered in order of appearance."""
    numbers: dict[str, str] = {}
    assert all(access.name != statement.out.name for access in reads(statement)), "a statement reads its own result"
    named = relabel(statement, lambda label: numbers.setdefault(label, str(len(numbers))))
    own = statement.out.name
    renamed = change_statement(named, lambda ref: Ref("" if ref.name == own else ref.name, ref.labels))
    renamed = replace(renamed, eq="")
    if isinstance(renamed, Reduce) and renamed.op != ARGMAX:
        return replace(renamed, over=tuple(sorted(renamed.over)))
    return renamed
