"""Weight decay: which parameters it takes hold of. The rule itself is one of `optimizers`."""

from __future__ import annotations

from collections.abc import Iterator

from codegen.program import Body, Call, Contract, Pick, Program, Ref, Whole, reads
from derive.ops import table


def only_added(program: Program) -> set[str]:
    """Return the parameters that the forward pass only adds, such as biases; decay would only shift what they add to.

    Args:
        program: As lowered, before any pass.
    """
    found = {value.name for value in program.of_role("parameter")}
    losses = [k for k, s in enumerate(program.statements) if program.values[s.out.name].role == "loss"]
    for statement in program.statements[: losses[-1] + 1 if losses else None]:
        if isinstance(statement, Contract | Whole):
            found -= {access.name for access in reads(statement)}
        else:
            found -= set(_not_added(statement.body, False))
    return found


def _not_added(body: Body, added: bool) -> Iterator[str]:
    """Yield the names that stand elsewhere than as a term of a sum."""
    if isinstance(body, Ref | Pick):
        if not added:
            yield body.name
    elif isinstance(body, Call):
        inside = body.op in (table.ADD, table.SUB) or (added and body.op == table.NEG)
        for arg in body.args:
            yield from _not_added(arg, inside)
