"""Value numbering: an intermediate value that was computed before is not computed again.

Softmax and the loss after it both need the maximum and the sum of exponentials of the same logits.
"""

from __future__ import annotations

from dataclasses import replace

from codegen.program import Program, Reduce, Ref, Statement, change_statement, reads


def number_values(program: Program) -> Program:
    """Return the program with every repeated intermediate value replaced by its first computation."""
    known: dict[Statement, Ref] = {}
    alias: dict[str, str] = {}
    kept: list[Statement] = []
    for statement in program.statements:
        fresh = change_statement(statement, lambda ref: Ref(alias.get(ref.name, ref.name), ref.labels))
        key = canonical(fresh)
        first = known.get(key)
        if first is not None and program.values[fresh.out.name].role == "temp":
            alias[fresh.out.name] = first.name
        else:
            known.setdefault(key, fresh.out)
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

    def change(ref: Ref) -> Ref:
        labels = tuple(numbers.setdefault(label, str(len(numbers))) for label in ref.labels)
        return Ref("" if ref == statement.out else ref.name, labels)

    assert all(ref != statement.out for ref in reads(statement)), "a statement reads its own result"
    renamed = replace(change_statement(statement, change), eq="")
    if isinstance(renamed, Reduce):
        return replace(renamed, over=tuple(sorted(numbers[label] for label in renamed.over)))
    return renamed
