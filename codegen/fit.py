"""The loop over epochs: shuffling, a metric on held-out samples, checkpoints, and a clean stop on Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.errors import CodegenError, NonFiniteError
from codegen.params import load_params, restore, save_params
from codegen.prediction import targets
from codegen.train import Trainer

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch: its number from 1, the mean loss over its samples, the metric after it, and the time it took."""

    number: int
    loss: float
    metric: float | None
    seconds: float


@dataclass(slots=True)
class History:
    """What a training did.

    Attributes:
        metric: `accuracy` or `RMSE`, or empty where there is none.
        epochs: One record an epoch.
        interrupted: Whether Ctrl-C ended it; what was learned is kept.
        best: Number of the epoch with the best metric (the lowest loss where there is no metric).
        best_params: The parameters after that epoch; those at the end are `Trainer.params`.
    """

    metric: str = ""
    epochs: list[Epoch] = field(default_factory=list)
    interrupted: bool = False
    best: int | None = None
    best_params: dict[str, Array] = field(default_factory=dict)


def metric_for(target: Array, domain: str) -> str:
    """Return the metric that fits a target: accuracy for classes, else the root of the mean squared error.

    >>> metric_for(np.array([[0.0], [1.0]]), "binary"), metric_for(np.array([0.5]), "real")
    ('accuracy', 'RMSE')
    """
    classes = domain in ("binary", "onehot", "simplex", "sign")
    one_hot = target.ndim == 2 and target.shape[1] > 1 and bool(((target == 0) | (target == 1)).all())
    return "accuracy" if classes or (one_hot and bool((target.sum(axis=1) == 1).all())) else "RMSE"


def measure(metric: str, prediction: Array, target: Array) -> float:
    """Return accuracy (a share of 1) or RMSE.

    A single output is a probability, cut at 1/2, unless some lie outside [0, 1]: then a score, cut at 0.
    """
    if metric == "RMSE":
        return float(np.sqrt(np.mean(np.square(prediction.astype(np.float64) - target))))
    if target.ndim == 2 and target.shape[1] > 1:
        return float(np.mean(prediction.argmax(axis=1) == target.argmax(axis=1)))
    score = prediction.min() < 0 or prediction.max() > 1
    middle = (float(target.min()) + float(target.max())) / 2 if target.min() < 0 else 0.5
    return float(np.mean((prediction > (0.0 if score else 0.5)) == (target > middle)))


def evaluate(trainer: Trainer, arrays: Mapping[str, Any], metric: str | None = None) -> tuple[str, float | None]:
    """Return the metric's name and its value on samples; an empty name where predictions cannot be compared."""
    compared = targets(trainer.record)
    if trainer.compiled.predicted is None or len(compared) != 1:
        return "", None
    named = {name: np.asarray(array) for name, array in arrays.items()}
    data, _ = trainer.fitted(named, trainer.bindings)
    prediction = trainer.compiled.engine.predict(data, trainer.params)
    target = data[trainer.names[compared[0]]]
    if prediction.shape != target.shape:
        return "", None
    name = metric or metric_for(target, compared[0].domain)
    return name, measure(name, prediction, target)


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
    bindings: Mapping[str, str] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_steps: Callable[[], None] | None = None,
    checkpoint: str | Path | None = None,
    resume: str | Path | None = None,
) -> History:
    """Train for epochs, the samples in a new order in each.

    Args:
        trainer: What is trained.
        data: Arrays to bind first; None if they are bound.
        held_out: Arrays for the metric; the training data if None.
        epochs: How many there shall be in all, those before a `resume` counted.
        batch: Samples in a mini-batch, instead of the trainer's; so `lr` and `seed`.
        metric: `accuracy` or `RMSE`; what fits the target if None.
        bindings: Symbol to array name, where names differ.
        on_epoch: Called after each epoch.
        on_steps: Called between calls of compiled code.
        checkpoint: Where parameters and state are written after every epoch.
        resume: A checkpoint to go on from; the bits are those of a training that was not stopped.
    Raises:
        NonFiniteError: the loss is no finite number; names epoch, mini-batch and equation.
        CodegenError: a setting or a file cannot be used.
    """
    changes = {"batch": batch, "lr": lr, "seed": seed}
    _change_settings(trainer, {k: v for k, v in changes.items() if v is not None})
    if data is not None:
        trainer.bind(bindings=bindings, **data)
    history = _resumed(trainer, resume) if resume is not None else History()
    samples = held_out if held_out is not None else data
    try:
        for number in range(len(history.epochs) + 1, epochs + 1):
            record = _one_epoch(trainer, number, samples, history, metric, on_steps)
            history.epochs.append(record)
            _keep_best(trainer, history, record)
            if checkpoint is not None:
                past = {"history": [asdict(epoch) for epoch in history.epochs], "metric": history.metric}
                save_params(checkpoint, trainer, past, history.best_params)
            if on_epoch is not None:
                on_epoch(record)
    except KeyboardInterrupt:
        history.interrupted = True
    return history


def _change_settings(trainer: Trainer, changes: Mapping[str, Any]) -> None:
    if "seed" in changes and trainer.bound is not None and changes["seed"] != trainer.settings.seed:
        raise CodegenError("fit: seed also draws the first parameters; give it to compile instead")
    trainer.settings = replace(trainer.settings, **changes)


def _one_epoch(
    trainer: Trainer, number: int, samples: Mapping[str, Any] | None, history: History, metric: str | None,
    on_steps: Callable[[], None] | None,
) -> Epoch:  # fmt: skip
    started = time.perf_counter()
    try:
        loss = trainer.epoch(trainer.order(number), on_steps)
    except NonFiniteError as error:
        raise NonFiniteError(f"epoch {number}: {error}") from None
    seconds = time.perf_counter() - started
    name, value = evaluate(trainer, samples, metric) if samples is not None else ("", None)
    history.metric = name or history.metric
    return Epoch(number, loss, value, seconds)


def _keep_best(trainer: Trainer, history: History, record: Epoch) -> None:
    rank = _rank(history.metric, record)
    if history.best is None or rank > _rank(history.metric, history.epochs[history.best - 1]):
        history.best = record.number
        history.best_params = {name: array.copy() for name, array in trainer.params.items()}


def _rank(metric: str, record: Epoch) -> float:
    if record.metric is None:
        return -record.loss
    return record.metric if metric == "accuracy" else -record.metric


def _resumed(trainer: Trainer, path: str | Path) -> History:
    """Put a checkpoint into the trainer; return the history that it has."""
    saved = load_params(path)
    settings = trainer.settings
    for key in ("dtype", "optimizer", "seed", "batch"):
        if key in saved.meta and saved.meta[key] != getattr(settings, key):
            raise CodegenError(
                f"{path}: its {key} is {saved.meta[key]}, this training's is {getattr(settings, key)}; use the same"
            )
    restore(trainer, saved)
    try:
        epochs = [Epoch(**record) for record in saved.meta.get("history", [])]
    except TypeError as error:
        raise CodegenError(f"{path}: its history cannot be read; expected a file from --checkpoint") from error
    history = History(str(saved.meta.get("metric", "")), epochs, best_params=dict(saved.best))
    if epochs:
        history.best = max(epochs, key=lambda epoch: (_rank(history.metric, epoch), -epoch.number)).number
    return history
