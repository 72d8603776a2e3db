"""Parameters in files: `.npz` without pickle, written whole or not at all, with a JSON text that says what they are."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.errors import CodegenError
from codegen.train import Trainer

Array = npt.NDArray[Any]
META, STATE = "meta", "optimizer."
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
)


@dataclass(frozen=True, slots=True)
class Saved:
    """What a file of parameters holds: arrays by name, the optimiser's, and what was said of them."""

    params: dict[str, Array]
    state: dict[str, Array]
    meta: dict[str, Any]


def describe(trainer: Trainer) -> dict[str, Any]:
    """Return what a file of parameters says of them."""
    program, settings = trainer.program, trainer.settings
    return {
        "format": FORMAT,
        "title": program.title,
        "sizes": dict(program.sizes),
        "symbols": {v.name: v.latex for v in (*program.of_role("data"), *program.of_role("parameter"))},
        "classes": trainer.classes,
        "dtype": settings.dtype,
        "optimizer": settings.optimizer,
        "lr": settings.lr,
        "batch": settings.batch,
        "seed": settings.seed,
        "steps": trainer.steps,
        "versions": {"derive": version(), "numpy": np.__version__, "python": platform.python_version()},
    }


def version() -> str:
    """Return the version of this package, or `unknown` in a checkout that is not installed."""
    try:
        return importlib.metadata.version("derive")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def save_params(path: str | Path, trainer: Trainer, meta: Mapping[str, Any] | None = None) -> None:
    """Write the parameters, the optimiser's state and a description; an existing file is replaced in one step.

    Args:
        path: Where; `.npz` is usual.
        trainer: After `bind`.
        meta: More to say, fit for JSON, such as the history of the training.
    """
    text = json.dumps({**describe(trainer), **(meta or {})})
    state = {f"{STATE}{name}": array for name, array in trainer.state.items()}
    write_npz(Path(path), {**trainer.params, **state, META: np.array(text)})


def write_npz(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays to a file that appears only when it is complete.

    Raises:
        CodegenError: the folder cannot be written.
    """
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise CodegenError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
    try:
        with os.fdopen(handle, "wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        raise CodegenError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def load_params(path: str | Path) -> Saved:
    """Read a file of parameters; nothing in it is unpickled.

    Raises:
        CodegenError: it is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        meta = json.loads(str(arrays.pop(META))) if META in arrays else {}
    except _DAMAGE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CodegenError(
            f"{path}: no file of parameters ({reason}); expected .npz from `derive train --save`"
        ) from error
    if not isinstance(meta, dict) or any(array.dtype.kind != "f" for array in arrays.values()):
        raise CodegenError(
            f"{path}: no file of parameters; expected arrays of floats from `derive train --save`"
        )
    params = {name: array for name, array in arrays.items() if not name.startswith(STATE)}
    state = {name.removeprefix(STATE): array for name, array in arrays.items() if name.startswith(STATE)}
    return Saved(params, state, meta)


def restore(trainer: Trainer, saved: Saved) -> None:
    """Put saved parameters, optimiser state and step count into a trainer whose data are bound.

    Raises:
        CodegenError: names or shapes are another model's.
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
                raise CodegenError(
                    f"{name}: the file has shape {theirs[name].shape}; the model has {array.shape}"
                )
            array[...] = theirs[name]
    trainer.steps = int(saved.meta.get("steps", 0))
