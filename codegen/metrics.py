"""Metrics: how good predictions are, one row a metric, and which fits a target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.errors import CodegenError
from codegen.program import BATCH
from codegen.train import Trainer

Array = npt.NDArray[Any]
CHUNK = 4096  # samples in one call: what a prediction needs in memory grows with their number


@dataclass(frozen=True, slots=True)
class Metric:
    """A number from predictions and targets, and whether more of it is better."""

    of: Callable[[Array, Array], float]
    more_is_better: bool


def _accuracy(prediction: Array, target: Array) -> float:
    """The share of samples that are right.

    A single output is a probability, cut at 1/2, unless some lie outside [0, 1]: then a score, cut at 0.
    """
    if target.ndim == 2 and target.shape[1] > 1:
        return float(np.mean(prediction.argmax(axis=1) == target.argmax(axis=1)))
    score = prediction.min() < 0 or prediction.max() > 1
    middle = (float(target.min()) + float(target.max())) / 2 if target.min() < 0 else 0.5
    return float(np.mean((prediction > (0.0 if score else 0.5)) == (target > middle)))


def _squares(prediction: Array, target: Array) -> Array:
    return np.asarray(np.square(prediction.astype(np.float64) - target))


def _rmse(prediction: Array, target: Array) -> float:
    """The root of the mean squared error, in the target's unit."""
    return float(np.sqrt(np.mean(_squares(prediction, target))))


def _r2(prediction: Array, target: Array) -> float:
    """The share of the target's variance that is explained; no number where the target is constant."""
    spread = np.sum(np.square(target.astype(np.float64) - target.mean(axis=0, dtype=np.float64)))
    return float(1 - np.sum(_squares(prediction, target)) / spread) if spread > 0 else float("nan")


METRICS = {"accuracy": Metric(_accuracy, True), "RMSE": Metric(_rmse, False), "R2": Metric(_r2, True)}


def find_metric(name: str) -> Metric:
    """Return a metric.

    Raises:
        CodegenError: there is none of this name.
    """
    if name not in METRICS:
        raise CodegenError(f"metric: met {name}; expected one of {', '.join(METRICS)}")
    return METRICS[name]


def metric_for(target: Array, domain: str) -> str:
    """Return the metric that fits a target: accuracy for classes, else the root of the mean squared error.

    >>> metric_for(np.array([[0.0], [1.0]]), "binary"), metric_for(np.array([0.5]), "real")
    ('accuracy', 'RMSE')
    """
    classes = domain in ("binary", "onehot", "simplex", "sign")
    one_hot = target.ndim == 2 and target.shape[1] > 1 and bool(((target == 0) | (target == 1)).all())
    return "accuracy" if classes or (one_hot and bool((target.sum(axis=1) == 1).all())) else "RMSE"


def measure(metric: str, prediction: Array, target: Array) -> float:
    """Return accuracy (a share of 1), RMSE or R2."""
    return find_metric(metric).of(prediction, target)


def rank(metric: str, value: float | None, loss: float) -> tuple[float, float]:
    """Return what is the larger, the better: the metric, then, among equals or without one, a lower loss."""
    lower = -loss if np.isfinite(loss) else -np.inf
    if value is None:
        return 0.0, lower
    signed = value if find_metric(metric).more_is_better else -value
    return signed if np.isfinite(signed) else -np.inf, lower


def evaluate(trainer: Trainer, arrays: Mapping[str, Any], metric: str | None = None) -> tuple[str, float | None]:
    """Return the metric's name and its value on samples; an empty name where predictions cannot be compared."""
    named = {name: np.asarray(array) for name, array in arrays.items()}
    return evaluate_fitted(trainer, trainer.fitted(named, trainer.bindings)[0], metric)


def evaluate_fitted(trainer: Trainer, data: Mapping[str, Array], metric: str | None) -> tuple[str, float | None]:
    """Return the same for data under their names in code, as `Trainer.fitted` gives them."""
    compared = trainer.targets
    if not trainer.card.predicted or len(compared) != 1:
        return "", None
    with np.errstate(all="ignore"):  # what is not finite shows in the metric
        pieces = [trainer.compiled.engine.predict(piece, trainer.params) for piece, _ in _pieces(trainer, data)]
    prediction, target = np.concatenate(pieces), data[compared[0].name]
    if prediction.shape != target.shape:
        return "", None
    name = metric or metric_for(target, compared[0].domain)
    return name, measure(name, prediction, target)


def mean_loss(trainer: Trainer, data: Mapping[str, Array]) -> float:
    """Return the mean loss over samples, with the parameters as they are."""
    engine = trainer.compiled.engine
    with np.errstate(all="ignore"):
        losses = [(engine.gradients(piece, trainer.params)[0], rows) for piece, rows in _pieces(trainer, data)]
    return float(np.average([loss for loss, _ in losses], weights=[rows for _, rows in losses]))


def _pieces(trainer: Trainer, data: Mapping[str, Array]) -> Iterator[tuple[dict[str, Array], int]]:
    """Yield samples in pieces that fit into memory, and how many each holds."""
    with_rows = {value.name for value in trainer.compiled.header.of_role("data") if BATCH in value.sizes}
    rows = len(data[next(iter(with_rows))])
    for start in range(0, rows, CHUNK):
        part = {name: a[start : start + CHUNK] if name in with_rows else a for name, a in data.items()}
        yield part, min(CHUNK, rows - start)
