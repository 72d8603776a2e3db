"""What targets share: spelling a body as infix text with as few brackets as its operations' rows allow."""

from __future__ import annotations

import re
from collections.abc import Callable

from codegen.errors import UnsupportedOpError
from codegen.program import Body, Call, Leaf, Number
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


def helpers_in(texts: list[str]) -> set[str]:
    """Return the plain function names that are called in templates.

    >>> sorted(helpers_in(["softplus({0})", "np.exp({0})", "{0} * {1}"]))
    ['softplus']
    """
    return {word for text in texts for word in re.findall(r"(?<![\w.])([A-Za-z_]\w*)\(", text)}
