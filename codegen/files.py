r"""Files of data: read `.npz` and `.csv` into arrays by name.

Data files are untrusted input: nothing in them is unpickled or allocated unseen.
"""

from __future__ import annotations

import csv
import math
import re
import struct
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from derive.errors import DeriveError

Array = npt.NDArray[Any]

MAX_BYTES = 2 * 1024**3
"""The most that one data file may unpack to; everything is held in memory."""

_COLUMN = re.compile(r"(?P<stem>.*[^\d_\[\]])(?:_?(?P<plain>\d+)|\[(?P<bracketed>\d+)\])")


def load_data(path: Path) -> dict[str, Array]:
    r"""Read every array of a `.npz` or `.csv` file; in a CSV, `x1,x2,…` are the columns of one array `x`.

    Raises:
        DeriveError: The file cannot be used; the message says what was met, expected, and what to do.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "toy.csv").write_text("x1,x2,y\n0.5,1,0\n2.5,3,1\n")
    ...     {name: array.tolist() for name, array in load_data(Path(folder) / "toy.csv").items()}
    {'x': [[0.5, 1.0], [2.5, 3.0]], 'y': [0, 1]}
    """
    readers = {".npz": _read_npz, ".csv": _read_csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DeriveError(f"{path}: the ending is {path.suffix!r}; .npz or .csv was expected. Convert it.")
    try:
        size = path.stat().st_size
        if size == 0:
            raise DeriveError(f"{path}: the file is empty; arrays were expected. Write it again.")
        _refuse_large(path, size)
        arrays = reader(path)
    except OSError as error:
        raise DeriveError(f"{path}: cannot be read ({_reason(error)}). Check the path of the data file.") from error
    for name, array in arrays.items():
        _check_values(path, name, array)
    return arrays


def _refuse_large(path: Path, size: int) -> None:
    if size > MAX_BYTES:
        raise DeriveError(
            f"{path}: holds {size / 1024**3:.1f} GiB; at most {MAX_BYTES // 1024**3} GiB fit. Split the file."
        )


def _check_values(path: Path, name: str, array: Array) -> None:
    if array.ndim and len(array) == 0:
        raise DeriveError(f"{path}: {shown(name)} has zero rows; one a sample was expected. Add samples.")
    if array.dtype.kind == "f" and not (finite := np.isfinite(array)).all():
        row = np.argwhere(~finite)[0][0] if array.ndim else 0
        raise DeriveError(
            f"{path}: {shown(name)} holds NaN or infinity at row index {row}; finite numbers were expected. "
            "Drop or fill that row."
        )


# ---- npz ---------------------------------------------------------------------------------------------------


def _read_npz(path: Path) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(".npy")]
            _refuse_large(path, sum(m.file_size for m in members))
            arrays = {m.filename.removesuffix(".npy"): _read_member(path, archive, m) for m in members}
    except _DAMAGE as error:
        raise DeriveError(f"{path}: not a zip archive, as .npz files are. Use numpy.savez.") from error
    if not arrays:
        raise DeriveError(f"{path}: holds no arrays; at least one was expected. Write it with numpy.savez.")
    return arrays


def _read_member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    name = shown(member.filename.removesuffix(".npy"))
    try:
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"compression {member.compress_type}")
        with archive.open(member) as stream:
            dtype, bytes_claimed = _npy_header(stream)
        if dtype.kind not in "biuf":
            raise DeriveError(
                f"{path}: {name} holds {_KINDS.get(dtype.kind, str(dtype))}; real numbers were expected. "
                "Encode it as numbers (classes as 0, 1, …) or leave it out."
            )
        # NumPy allocates what the header claims before it reads: a lie there must not reach it.
        if bytes_claimed > member.file_size:
            raise ValueError("the header claims more than the member holds")
        with archive.open(member) as stream:
            return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
    except _DAMAGE as error:
        raise DeriveError(f"{path}: {name} is damaged ({_reason(error)}). Write it again with numpy.savez.") from error


# What zipfile and NumPy raise on bytes that nobody wrote on purpose.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError, ValueError, TypeError, EOFError,
    NotImplementedError, RuntimeError, OverflowError, MemoryError,
)  # fmt: skip
_KINDS = {"O": "Python objects", "U": "text", "S": "text", "V": "records", "c": "complex numbers"}


def _npy_header(stream: IO[bytes]) -> tuple[np.dtype[Any], int]:
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:  # version 3 exists for the names of record fields alone
        raise ValueError(f"npy version {version}")
    shape, _, dtype = readers[version](stream)
    return dtype, math.prod(shape) * dtype.itemsize


# ---- csv ---------------------------------------------------------------------------------------------------


def _read_csv(path: Path) -> dict[str, Array]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream, strict=True)
            header = _read_header(path, next(rows, []))
            table = list(_numeric_rows(path, header, rows))
    except (csv.Error, UnicodeDecodeError) as error:
        raise DeriveError(f"{path}: not CSV in UTF-8 ({_reason(error)}). Save it as CSV, UTF-8.") from error
    if not table:
        raise DeriveError(f"{path}: zero rows after the header; one row a sample was expected. Add samples.")
    values = np.array(table)
    columns = _group_columns(path, header)
    return {name: _as_integers(values[:, chosen]) for name, chosen in columns.items()}


def _read_header(path: Path, row: Sequence[str]) -> list[str]:
    header = [cell.strip() for cell in row]
    if not header or all(_is_number(cell) for cell in header):
        raise DeriveError(f"{path}: row 1 names no columns; a header such as x1,x2,y was expected. Add one.")
    for number, (name, count) in enumerate(Counter(header).items(), start=1):
        if not name or count > 1:
            met = f"the name {shown(name)} {count} times" if name else f"no name (column {number})"
            raise DeriveError(f"{path}: row 1 has {met}; each column needs a name of its own. Rename it.")
    return header


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _numeric_rows(path: Path, header: Sequence[str], rows: Iterable[list[str]]) -> Iterator[Array]:
    for number, row in enumerate(rows, start=2):
        if not row:  # a blank line, as many editors leave at the end
            continue
        if len(row) != len(header):
            raise DeriveError(
                f"{path}: row {number} has {len(row)} cells; the header has {len(header)}. Repair that row."
            )
        try:
            if "_" in ",".join(row):  # Python reads 1_000 as a number; no CSV writer means that
                raise ValueError
            yield np.array(row, dtype=np.float64)
        except ValueError as error:
            raise _bad_cell(path, number, header, row) from error


def _bad_cell(path: Path, number: int, header: Sequence[str], row: Sequence[str]) -> DeriveError:
    name, cell = next((n, c) for n, c in zip(header, row, strict=True) if not _is_number(c))
    met = f"{cell[:40]!r}" if cell.strip() else "an empty cell"
    return DeriveError(
        f"{path}: row {number}, column {shown(name)}: met {met}; a number was expected. "
        "Encode text as numbers (classes as 0, 1, …)."
    )


def _group_columns(path: Path, header: Sequence[str]) -> dict[str, int | list[int]]:
    families: dict[str, list[tuple[int, int]]] = {}
    for position, name in enumerate(header):
        if match := _COLUMN.fullmatch(name):
            number = int(match["plain"] or match["bracketed"])
            families.setdefault(match["stem"], []).append((number, position))
    named: dict[int, tuple[str, int | list[int]]] = {at: (name, at) for at, name in enumerate(header)}
    for stem, members in families.items():
        numbers, positions = zip(*sorted(members), strict=True)
        if len(members) == 1 or numbers != tuple(range(numbers[0], numbers[0] + len(numbers))):
            continue
        if stem in header:
            raise DeriveError(f"{path}: met both {stem} and {stem}{numbers[0]}, …; rename one.")
        named |= {at: (stem, list(positions)) for at in positions}
    return dict(named.values())


def _as_integers(values: Array) -> Array:
    """Whole numbers become integers, so that class labels are known as such; float64 holds them exactly."""
    whole = np.abs(values).max() < 2**53 and (values == np.rint(values)).all()
    return values.astype(np.int64) if whole else values


# ---- words -------------------------------------------------------------------------------------------------


def shown(name: str) -> str:
    """Return a name fit for one line of a message."""
    return name if name.isprintable() else repr(name)


def _reason(error: BaseException) -> str:
    """Another library's words as part of one line of ours."""
    return (str(getattr(error, "strerror", None) or error).splitlines() or [type(error).__name__])[0]
