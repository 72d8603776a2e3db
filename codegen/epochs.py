"""The loop over epochs: shuffling, a metric on held-out samples, early stopping, checkpoints, a stop on Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.checkpoint import Checkpoints, identify, resumed
from codegen.errors import CodegenError, NonFiniteError
from codegen.history import Epoch, History
from codegen.interrupt import patient_interrupt
from codegen.metrics import evaluate_fitted, find_metric, mean_loss
from codegen.settings import whole_number
from codegen.train import Trainer

Array = npt.NDArray[Any]


def fit(
    trainer: Trainer,
    data: Mapping[str, Any] | None = None,
    held_out: Mapping[str, Any] | None = None,
    epochs: int = 10,
    *,
    batch: int | None = None,
    lr: float | None = None,
    seed: int | None = None,
    metric: str | None = None,
    patience: int | None = None,
    bindings: Mapping[str, str] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_steps: Callable[[], None] | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = 1.0,
    resume: str | Path | None = None,
) -> History:
    """Train for epochs, the samples in a new order in each.

    Args:
        trainer: What is trained.
        data: Arrays to bind first; None if they are bound.
        held_out: Arrays for the metric, never trained on; the training data if None.
        epochs: How many there shall be in all, those before a `resume` counted.
        batch: Samples in a mini-batch, instead of the trainer's; so `lr` and `seed`.
        metric: `accuracy`, `RMSE` or `R2`; what fits the target if None.
        patience: Stop once so many epochs in a row were no better than the best before them, judged on `held_out`;
            however the training ends, the parameters are then those of the best epoch.
        bindings: Symbol to array name, where names differ.
        on_epoch: Called after each epoch.
        on_steps: Called before the first step, then between calls of compiled code, about ten times a second.
        checkpoint: Where all that is needed to go on is written: between steps and at the end.
        checkpoint_seconds: The least time between two writes.
        resume: A checkpoint to go on from; the bits are those of a training that was not stopped.
    Raises:
        NonFiniteError: the loss is no finite number; names epoch, mini-batch and equation.
        CodegenError: a setting or a file cannot be used, or the checkpoint is of another training.
    """
    _check(epochs, patience, held_out, metric, checkpoint_seconds)
    changes = {"batch": batch, "lr": lr, "seed": seed}
    _change_settings(trainer, {k: v for k, v in changes.items() if v is not None})
    if data is not None:
        trainer.bind(bindings=bindings, **data)
    _ = trainer.compiled  # without data there is nothing to train
    trainer.started, trainer.planned = trainer.steps, epochs * trainer.batches
    samples = None
    if held_out is not None:
        samples, _ = trainer.fitted({name: np.asarray(a) for name, a in held_out.items()}, trainer.bindings)
    history, checkpoints = History(), None
    if checkpoint is not None or resume is not None:
        identity = identify(trainer, samples)
        history = resumed(trainer, resume, identity) if resume is not None else history
        if checkpoint is not None:
            checkpoints = Checkpoints(Path(checkpoint), trainer, identity, checkpoint_seconds)
    if metric is not None and history.metric not in ("", metric):
        raise CodegenError(f"{resume}: its metric is {history.metric}, this training's is {metric}; use the same")
    loop = _Loop(trainer, history, samples, metric, checkpoints, on_steps)
    loop.run(epochs, patience, on_epoch)
    if patience is not None and history.best is not None:
        for name, array in trainer.params.items():
            array[...] = history.best_params[name]
    return history


def _check(
    epochs: int, patience: int | None, held_out: Mapping[str, Any] | None, metric: str | None, seconds: float
) -> None:
    whole_number("epochs", epochs, least=1)
    if patience is not None:
        whole_number("patience", patience, least=1)
        if held_out is None:
            raise CodegenError("patience: there are no held-out samples to judge by; hold some out, or leave it out")
    if metric is not None:
        find_metric(metric)
    if not seconds >= 0:
        raise CodegenError(f"checkpoint_seconds: met {seconds}; expected 0 or more")


def _change_settings(trainer: Trainer, changes: Mapping[str, Any]) -> None:
    if "seed" in changes and trainer.bound is not None and changes["seed"] != trainer.settings.seed:
        raise CodegenError("fit: seed also draws the first parameters; give it to compile instead")
    trainer.settings = replace(trainer.settings, **changes)


@dataclass(slots=True)
class _Loop:
    """One training under way; `between` says that parameters, states and counters belong to one step."""

    trainer: Trainer
    history: History
    held_out: Mapping[str, Array] | None
    metric: str | None
    checkpoints: Checkpoints | None
    on_steps: Callable[[], None] | None
    between: bool = True

    def run(self, epochs: int, patience: int | None, on_epoch: Callable[[Epoch], None] | None) -> None:
        """Train until the epochs are over, patience ends, or Ctrl-C is pressed."""
        history = self.history
        with patient_interrupt() as check:
            try:
                self.pause(*self.told())
                while len(history.epochs) < epochs:
                    history.stopped_early = patience is not None and history.without_progress() >= patience
                    if history.stopped_early:
                        break
                    record = self.epoch(len(history.epochs) + 1, check)
                    self.pause(*([partial(on_epoch, record)] if on_epoch is not None else []))
            except KeyboardInterrupt:
                history.interrupted = True
        if self.checkpoints is not None and self.between:
            self.checkpoints.write(history)

    def epoch(self, number: int, check: Callable[[], None]) -> Epoch:
        """Train for one epoch, or for what is left of it, and judge it."""

        def pause() -> None:
            self.pause(check, *self.told())
            self.between = False

        started = time.perf_counter()
        self.between = False
        try:
            loss = self.trainer.epoch(self.trainer.order(number), pause, self.history.losses)
        except NonFiniteError as error:
            raise NonFiniteError(f"epoch {number}: {error}") from None
        self.refuse_broken()
        return self.judged(number, loss, time.perf_counter() - started)

    def judged(self, number: int, loss: float, seconds: float) -> Epoch:
        """Add a finished epoch to the history, with its metric."""
        trainer, history, held_out = self.trainer, self.history, self.held_out
        samples = trainer.data if held_out is None else held_out
        name, value = evaluate_fitted(trainer, samples, self.metric)
        history.metric = name or history.metric
        held_out_loss = None if held_out is None else mean_loss(trainer, held_out)
        record = Epoch(number, loss, value, seconds, held_out_loss, name)
        history.add(record, trainer.params)
        return record

    def told(self) -> list[Callable[[], None]]:
        """Return what the caller wants to be called between steps."""
        return [] if self.on_steps is None else [self.on_steps]

    def pause(self, *actions: Callable[[], None]) -> None:
        """Write a checkpoint if it is time, and do what Ctrl-C may interrupt."""
        self.between = True
        if self.checkpoints is not None and self.checkpoints.due():
            self.refuse_broken()
            self.checkpoints.write(self.history)
        for action in actions:
            action()

    def refuse_broken(self) -> None:
        """Refuse parameters that an update broke although the loss before it was finite."""
        for name, array in self.trainer.params.items():
            if not np.isfinite(array).all():
                raise NonFiniteError(
                    f"epoch {len(self.history.epochs) + 1}: the loss is finite, but the update of "
                    f"{self.trainer.compiled.header.values[name].latex} gave values that are not; "
                    f"lower lr (now {self.trainer.settings.lr:g}) or scale the data"
                )
