"""What is known of a stable form: where it is used, the step that leads to it, how exact both of its sides are."""

from __future__ import annotations

from dataclasses import dataclass

from derive.derivation import Step
from derive.expr import Var


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The largest error of both sides of a step in a type, at the same points; infinite or no number as it comes.

    An error counts relative to the exact value, or to the largest number that it is computed from if that is larger.
    """

    dtype: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class StableForm:
    """A stable form in use.

    Attributes:
        equation: The number of the equation that is computed so.
        step: By `rule`, `before` as the sheet has it equals `after` as code computes it; with the outcome of its check.
        accuracies: Measured, for each type.
        reach: How far from 0 the points lay.
        name: What the equation defines, where all of its right side is replaced.
    """

    equation: str
    step: Step
    accuracies: tuple[Accuracy, ...]
    reach: float
    name: Var | None = None
