"""What a training did: one record an epoch, which was the best, and why it ended. The loop itself is in `epochs`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from codegen.metrics import rank

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch.

    Attributes:
        number: From 1.
        loss: The mean over its samples, each with the parameters of its own step.
        metric: After it, on held-out samples, or on those trained on if none are held out.
        seconds: How long its steps took.
        held_out_loss: After it, on held-out samples; None if there are none.
        metric_name: `accuracy`, `RMSE` or `R2`; empty if there is none.
    """

    number: int
    loss: float
    metric: float | None
    seconds: float
    held_out_loss: float | None = None
    metric_name: str = ""


@dataclass(slots=True)
class History:
    """What a training did.

    Attributes:
        metric: `accuracy`, `RMSE` or `R2`, or empty where there is none.
        epochs: One record an epoch.
        interrupted: Whether Ctrl-C ended it; what was learned is kept.
        best: Number of the epoch with the best metric; among equals, and where there is no metric, the lowest loss.
        best_params: The parameters after that epoch; with patience these are also `Trainer.params` at the end.
        stopped_early: Whether it ended because no epoch was better for as many as `patience`.
        losses: Of the mini-batches of an epoch that was not finished.
    """

    metric: str = ""
    epochs: list[Epoch] = field(default_factory=list)
    interrupted: bool = False
    best: int | None = None
    best_params: dict[str, Array] = field(default_factory=dict)
    stopped_early: bool = False
    losses: list[float] = field(default_factory=list)

    def add(self, epoch: Epoch, params: dict[str, Array]) -> None:
        """Add a finished epoch, and keep its parameters if it is the best so far."""
        self.epochs.append(epoch)
        self.losses = []
        if self.best is None or self.rank(epoch) > self.rank(self.epochs[self.best - 1]):
            self.best = epoch.number
            self.best_params = {name: array.copy() for name, array in params.items()}

    def rank(self, epoch: Epoch) -> tuple[float, float]:
        """Return what is the larger, the better the epoch was."""
        return rank(self.metric, epoch.metric, epoch.loss if epoch.held_out_loss is None else epoch.held_out_loss)

    def without_progress(self) -> int:
        """Return how many epochs came after the best one."""
        return len(self.epochs) - (self.best or 0)
