"""The section on floating point: what code computes in place of what the sheet derives, why, and how exact both are."""

from __future__ import annotations

import math
from collections.abc import Sequence

from derive.printer import to_latex
from derive.sheet import document as doc
from derive.sheet.reasons import because, mark
from derive.stable.forms import StableForm

TITLE = "In floating point"


def in_floating_point(forms: Sequence[StableForm], level: int) -> list[doc.Block]:
    """Return the section: each form with its reason and its check, then the errors of both sides."""
    if not forms:
        return [doc.Heading(level, TITLE), doc.Paragraph((doc.Text("Code computes every equation as it stands."),))]
    said = (
        "Code computes the right sides below, which are equal and neither overflow nor lose their digits. The largest "
        "error was measured between "
    )
    reach = f"{forms[0].reach:g}"
    points = (doc.Math(f"-{reach}"), doc.Text(" and "), doc.Math(reach))
    rest = ", relative to the exact value or to the largest number that it is computed from: as derived → as computed."
    return [
        doc.Heading(level, TITLE),
        doc.Paragraph((doc.Text(said), *points, doc.Text(rest))),
        *map(_shown, forms),
        doc.Table(_header(forms[0]), tuple(_errors(form) for form in forms)),
    ]


def _shown(form: StableForm) -> doc.Block:
    """Show a form; where it takes the place of a whole right side, beside the name that this defines."""
    step = form.step
    left = step.before if form.name is None else form.name
    why = (doc.Text(f"in ({form.equation}), "), *because(step))
    return doc.Equation(None, f"{to_latex(left)} = {to_latex(step.after)}", why, mark(step.check))


def _header(form: StableForm) -> tuple[doc.Spans, ...]:
    return tuple((doc.Text(word),) for word in ("Eq.", "Stable form", *(a.dtype for a in form.accuracies)))


def _errors(form: StableForm) -> tuple[doc.Spans, ...]:
    errors = ((_error(a.before), doc.Text(" → "), _error(a.after)) for a in form.accuracies)
    return (doc.Text(f"({form.equation})"),), (doc.Text(form.step.rule),), *errors


def _error(error: float) -> doc.Span:
    """Return an error as it is shown.

    >>> _error(1.7e-7), _error(float("inf")), _error(float("nan"))
    (Math(latex='2 \\\\cdot 10^{-7}'), Math(latex='\\\\infty'), Text(text='NaN'))
    """
    if math.isnan(error):
        return doc.Text("NaN")
    if math.isinf(error):
        return doc.Math(r"\infty")
    digit, _, power = f"{error:.0e}".partition("e")
    return doc.Math(rf"{digit} \cdot 10^{{{int(power)}}}" if error else "0")
