"""What targets share: spelling a body as infix text with as few brackets as its operations' rows allow."""

from __future__ import annotations

import re
from collections.abc import Callable

from codegen.errors import UnsupportedOpError
from codegen.program import Body, Call, Leaf, Number, Program, Whole, bodies, walk
from derive.op import Op

SUM, SIGN, PRODUCT, POWER, ATOM = 0, 1, 4, 5, 6  # how tightly text binds, as in `Op.binds`
Text = tuple[str, int]  # what is written, and how tightly it binds


def spell(
    body: Body,
    leaf: Callable[[Leaf], Text],
    number: Callable[[Number], Text],
    template: Callable[[Op], str],
) -> Text:
    """Return a body as text; `leaf`, `number` and `template` are the target's own."""
    if isinstance(body, Number):
        return number(body)
    if not isinstance(body, Call):
        return leaf(body)
    row, text = body.row, template(body.row)
    if not text:
        raise UnsupportedOpError(f"{row.name} has no code for this target; give its row in derive/ops/ a template")
    parts = [spell(arg, leaf, number, template) for arg in body.args]
    if text.endswith(")"):
        return text.format(*(part for part, _ in parts)), ATOM
    needs = [max(need, row.binds if k else 0) for k, need in enumerate(row.needs)]
    return text.format(
        *(part if binds >= need else f"({part})" for (part, binds), need in zip(parts, needs, strict=True))
    ), row.binds


def require_templates(program: Program, target: str, template: Callable[[Op], str]) -> None:
    """Check that a target can write all operations of a program.

    Raises:
        UnsupportedOpError: it cannot; the message names the operation, its equation and the targets that can.
    """
    for statement in (*program.statements, *program.updates):
        calls = [part.row for body in bodies(statement) for part in walk(body) if isinstance(part, Call)]
        for row in [*calls, *([statement.row] if isinstance(statement, Whole) else [])]:
            if not template(row):
                raise UnsupportedOpError(
                    f"({statement.eq}) {program.values[statement.out.name].latex}: the target {target} has no code for "
                    f"{row.name}; {targets_of(row)}; write the model with other operations"
                )


def targets_of(row: Op) -> str:
    """Say which targets can write an operation.

    >>> from derive.ops.table import TABLE
    >>> targets_of(TABLE["tanh"]), targets_of(TABLE["series"])
    ('the targets numpy and c have it', 'no target has it')
    """
    names = [name for name, text in (("numpy", row.numpy), ("c", row.c)) if text]
    if len(names) < 2:
        return f"the target {names[0]} has it" if names else "no target has it"
    return f"the targets {' and '.join(names)} have it"


def helpers_in(texts: list[str]) -> set[str]:
    """Return the plain function names that are called in templates.

    >>> sorted(helpers_in(["softplus({0})", "np.exp({0})", "{0} * {1}"]))
    ['softplus']
    """
    return {word for text in texts for word in re.findall(r"(?<![\w.])([A-Za-z_]\w*)\(", text)}
