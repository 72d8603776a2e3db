"""Writing files: a file appears whole, or not at all, also where the process or the machine stops half-way."""

from __future__ import annotations

import contextlib
import glob
import os
import tempfile
from pathlib import Path

from derive.errors import DeriveError

_SUFFIX = ".part"


def write_whole(target: Path, data: bytes) -> Path:
    """Write a file through a temporary one in the same folder; an existing file keeps its mode.

    Raises:
        DeriveError: it cannot be written; then nothing is left behind.
    """
    try:
        _replace(target, data)
    except OSError as error:
        raise DeriveError(
            f"{target} cannot be written ({error.strerror or error}); "
            "name a folder that exists and that you may write to"
        ) from error
    return target


def check_writable(target: Path) -> None:
    """Refuse a place that cannot be written, before long work is done for it.

    Raises:
        DeriveError: the folder is missing or closed, or the name is a folder's.
    """
    folder = target.parent
    if target.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise DeriveError(f"{target} cannot be written; name a file in a folder that exists and that you may write to")


def _replace(target: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=_prefix(target), suffix=_SUFFIX)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
        part.replace(target)
        _sync_folder(target.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def clear_parts(target: Path) -> None:
    """Remove what writers of this file left behind that were killed half-way."""
    for part in target.parent.glob(f"{glob.escape(_prefix(target))}{'?' * 8}{_SUFFIX}"):
        part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder last; not every system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _prefix(target: Path) -> str:
    return f".{target.name[:40]}."


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
