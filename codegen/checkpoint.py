"""Checkpoints: all that a training needs to go on to the same bits, in one file that is replaced in one step.

Parameters, the optimiser's state, steps taken, the losses of an unfinished epoch, the history and the best
parameters are stored. The order of samples is not: it follows from the seed and the epoch's number. A checkpoint
says which training it is of, and is refused by any other.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.errors import CodegenError
from codegen.history import Epoch, History
from codegen.params import Saved, load_params, refuse_another_model, restore, save_params
from codegen.train import Trainer
from derive.files import clear_parts

Array = npt.NDArray[Any]
SHARE = 20  # a write may take one part in so many of the time between two of them
SETTINGS = ("dtype", "optimizer", "lr", "weight_decay", "batch", "seed")


@dataclass(slots=True)
class Checkpoints:
    """Writes checkpoints of one training, at most one in so many seconds.

    Attributes:
        path: Where.
        trainer: Whose.
        identity: Which training it is, from `identify`.
        seconds: The least time between two writes; longer where writing is slow.
    """

    path: Path
    trainer: Trainer
    identity: Mapping[str, Any]
    seconds: float
    next: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        clear_parts(self.path)

    def due(self) -> bool:
        """Tell whether it is time to write again."""
        return time.monotonic() >= self.next

    def write(self, history: History) -> None:
        """Write the training as it stands between two steps.

        Raises:
            DeriveError: the file cannot be written; the one before is still there.
        """
        started = time.monotonic()
        past = {
            "history": [asdict(epoch) for epoch in history.epochs],
            "metric": history.metric,
            "best_epoch": history.best,
            "started": self.trainer.started,
            "training": self.identity,
        }
        losses = {"losses": np.array(history.losses, np.float64)}
        save_params(self.path, self.trainer, past, history.best_params, losses)
        now = time.monotonic()
        self.next = now + max(self.seconds, SHARE * (now - started))


def identify(trainer: Trainer, held_out: Mapping[str, Array] | None) -> dict[str, Any]:
    """Return what makes a training the one it is: model, settings, schedule, and the data's digests."""
    settings = {key: getattr(trainer.settings, key) for key in SETTINGS}
    return {
        "equations": dict(trainer.compiled.recipe.equations),
        **settings,
        "lr_schedule": str(trainer.plan),
        "samples": _digest(trainer.data),
        "held-out samples": _digest(held_out or {}),
    }


def _digest(arrays: Mapping[str, Array]) -> str:
    result = hashlib.blake2b(digest_size=16)
    for name, array in sorted(arrays.items()):
        result.update(f"{name} {array.dtype} {array.shape} ".encode())
        result.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return result.hexdigest()


def resumed(trainer: Trainer, path: str | Path, identity: Mapping[str, Any]) -> History:
    """Put a checkpoint into a trainer whose data are bound; return the history that it has.

    Raises:
        CodegenError: it is no checkpoint, or one of another training; then nothing was changed.
    """
    saved = load_params(path)
    theirs = saved.meta.get("training")
    if not isinstance(theirs, dict) or "losses" not in saved.epoch:
        raise CodegenError(f"{path}: it is no checkpoint; expected a file that --checkpoint wrote")
    try:
        for key in SETTINGS:
            _refuse_other(key, theirs.get(key), identity[key])
        refuse_another_model(trainer, saved)
        _refuse_other_equations(theirs.get("equations"), identity["equations"])
        _refuse_other("lr_schedule", theirs.get("lr_schedule"), identity["lr_schedule"])
        for key in ("samples", "held-out samples"):
            if theirs.get(key) != identity[key]:
                raise CodegenError(f"its {key} are others than this training's; use the same data and validation")
    except CodegenError as error:
        raise CodegenError(f"{path} is of another training: {error}") from None
    history = _history(path, saved)
    restore(trainer, saved)
    trainer.started = int(saved.meta["started"])
    return history


def _refuse_other(key: str, theirs: Any, mine: Any) -> None:
    if theirs != mine:
        raise CodegenError(f"its {key} is {theirs}, this training's is {mine}; use the same")


def _refuse_other_equations(theirs: Any, mine: Mapping[str, str]) -> None:
    theirs = theirs if isinstance(theirs, dict) else {}
    for number in dict.fromkeys([*mine, *theirs]):
        if theirs.get(number) != mine.get(number):
            met, expected = (table.get(number, "absent") for table in (theirs, mine))
            raise CodegenError(f"its equation ({number}) is {met}, this model's is {expected}; use the same model")


def _history(path: str | Path, saved: Saved) -> History:
    meta = saved.meta
    try:
        epochs = [Epoch(**record) for record in meta["history"]]
        if not isinstance(meta["started"], int) or not isinstance(meta["steps"], int):
            raise TypeError
        if meta["best_epoch"] is not None and not 0 < meta["best_epoch"] <= len(epochs):
            raise ValueError
        losses = [float(loss) for loss in saved.epoch["losses"]]
        return History(str(meta["metric"]), epochs, False, meta["best_epoch"], dict(saved.best), False, losses)
    except (TypeError, ValueError, KeyError) as error:
        raise CodegenError(f"{path}: its history cannot be read; expected a file from --checkpoint") from error
