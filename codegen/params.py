"""Parameters in files: `.npz` without pickle, written whole or not at all, with a JSON text that says what they are."""

from __future__ import annotations

import io
import json
import platform
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.errors import CodegenError
from codegen.program import BATCH
from codegen.train import Trainer
from derive.files import write_whole
from derive.version import VERSION

Array = npt.NDArray[Any]
META, STATE, BEST, EPOCH = "meta", "optimizer.", "best.", "epoch."
FORMAT = 1
_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    MemoryError,
    RuntimeError,
)


@dataclass(frozen=True, slots=True)
class Saved:
    """What a file of parameters holds: arrays by name, and what was said of them.

    A checkpoint also has the optimiser's states, the best parameters so far, and what an unfinished epoch knows.
    """

    params: dict[str, Array]
    state: dict[str, Array]
    meta: dict[str, Any]
    best: dict[str, Array] = field(default_factory=dict)
    epoch: dict[str, Array] = field(default_factory=dict)


def describe(trainer: Trainer) -> dict[str, Any]:
    """Return what a file of parameters says of them."""
    program, settings = trainer.compiled.header, trainer.settings
    return {
        "format": FORMAT,
        "title": program.title,
        "sizes": dict(program.sizes),
        "symbols": {v.name: v.latex for v in (*program.of_role("data"), *program.of_role("parameter"))},
        "classes": class_count(trainer),
        "dtype": settings.dtype,
        "optimizer": settings.optimizer,
        "lr": settings.lr,
        "batch": settings.batch,
        "seed": settings.seed,
        "lr_schedule": settings.lr_schedule,
        "weight_decay": settings.weight_decay,
        "steps": trainer.steps,
        "versions": {"derive": VERSION, "numpy": np.__version__, "python": platform.python_version()},
    }


def class_count(trainer: Trainer) -> int | None:
    """Return the number of classes, where the target is a vector of several."""
    header = trainer.compiled.header
    for symbol in trainer.targets[:1]:
        sizes = header.values[symbol.name].sizes
        numbers = [int(header.sizes.get(str(size), size)) for size in sizes if size != BATCH]
        return numbers[0] if numbers and numbers[0] > 1 else None
    return None


def save_params(
    path: str | Path,
    trainer: Trainer,
    meta: Mapping[str, Any] | None = None,
    best: Mapping[str, Array] | None = None,
    epoch: Mapping[str, Array] | None = None,
) -> None:
    """Write the parameters, the optimiser's state and a description; an existing file is replaced in one step.

    Args:
        path: Where; `.npz` is usual.
        trainer: After `bind`.
        meta: More to say, fit for JSON, such as the history of the training.
        best: The best parameters so far, for a checkpoint.
        epoch: What an unfinished epoch knows, for a checkpoint.
    Raises:
        DeriveError: the file cannot be written.
    """
    text = json.dumps({**describe(trainer), **(meta or {})})
    arrays = dict(trainer.params)
    for prefix, more in ((STATE, trainer.state), (BEST, best or {}), (EPOCH, epoch or {})):
        arrays |= {f"{prefix}{name}": array for name, array in more.items()}
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **{**arrays, META: np.array(text)})
    write_whole(Path(path), stream.getvalue())


def load_params(path: str | Path) -> Saved:
    """Read a file of parameters; nothing in it is unpickled.

    Raises:
        CodegenError: it is no such file.
    """
    try:
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        meta = json.loads(str(arrays.pop(META))) if META in arrays else {}
    except _DAMAGE as error:
        reason = (str(getattr(error, "strerror", None) or error).splitlines() or [type(error).__name__])[0]
        raise CodegenError(
            f"{path}: no file of parameters ({reason}); expected .npz from `derive train --save`"
        ) from error
    if not isinstance(meta, dict) or any(array.dtype.kind != "f" for array in arrays.values()):
        raise CodegenError(f"{path}: no file of parameters; expected arrays of floats from `derive train --save`")
    if meta.get("format", FORMAT) != FORMAT:
        raise CodegenError(f"{path}: its format is {meta['format']}, expected {FORMAT}; use the derive that wrote it")
    params = {name: array for name, array in arrays.items() if not name.startswith((STATE, BEST, EPOCH))}
    return Saved(params, _under(STATE, arrays), meta, _under(BEST, arrays), _under(EPOCH, arrays))


def _under(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def restore(trainer: Trainer, saved: Saved) -> None:
    """Put saved parameters, optimiser state and step count into a trainer whose data are bound.

    Raises:
        CodegenError: names or shapes are another model's; then nothing was changed.
    """
    refuse_another_model(trainer, saved)
    for name, array in trainer.params.items():
        array[...] = saved.params[name]
    for name, array in trainer.state.items() if saved.state else ():
        array[...] = saved.state[name]
    trainer.steps = int(saved.meta.get("steps", 0))


def refuse_another_model(trainer: Trainer, saved: Saved) -> None:
    """Compare the names and shapes of a file's parameters and states with a trainer's.

    Raises:
        CodegenError: they differ.
    """
    for kind, mine, theirs in (
        ("parameter", trainer.params, saved.params),
        ("state", trainer.state, saved.state),
    ):
        if kind == "state" and not theirs:
            continue
        if mine.keys() != theirs.keys():
            raise CodegenError(f"the file has the {kind}s {sorted(theirs)}; the model has {sorted(mine)}")
        for name, array in mine.items():
            if array.shape != theirs[name].shape:
                raise CodegenError(f"{name}: the file has shape {theirs[name].shape}; the model has {array.shape}")
