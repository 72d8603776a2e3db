"""A verdict within limits of time and memory: what takes more is undecided."""

from __future__ import annotations

from collections.abc import Callable

from derive.bounded import Stop, bounded
from derive.verify.judge import Verdict


def undecided(stop: Stop, of: str = "judging it") -> Verdict:
    """Return the verdict on what was given up."""
    return Verdict("undecided", f"{of} {stop.reason}")


def within_limits(judge: Callable[[], Verdict]) -> Verdict:
    """Return the verdict of one judgement, made within limits: see `derive.bounded`."""
    (verdict,) = bounded(lambda steps: [steps.take("judge", judge, undecided)])
    return verdict
