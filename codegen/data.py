r"""Training data: read `.npz` and `.csv`, match arrays with a page's symbols, hold rows back for the test.

Only files, names and shapes live here. What a symbol means, how long a batch is and how a metric is computed
live in `codegen.train`. Data files are untrusted input: nothing in them is unpickled or allocated unseen.
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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from derive.errors import DeriveError

Array = npt.NDArray[Any]
Shape = tuple[int | None, ...]

MAX_BYTES = 2 * 1024**3
"""The most that one data file may unpack to; everything is held in memory."""

_HELD_OUT = "_test"
_COLUMN = re.compile(r"(?P<stem>.*[^\d_\[\]])(?:_?(?P<plain>\d+)|\[(?P<bracketed>\d+)\])")
_SUPERSCRIPT = re.compile(r"\^\s*(\{(?:[^{}]|\{[^{}]*\})*\}|\\?\w)")
_DECORATION = re.compile(
    r"\\(?:(?:wide)?hat|(?:wide)?tilde|bar|overline|underline|vec|dot|ddot|bm|boldsymbol|pmb|mathbb|mathbf|mathcal"
    r"|mathfrak|mathit|mathrm|mathsf|mathtt|operatorname|text|textbf|textit|textrm)(?![A-Za-z])"
)


@dataclass(frozen=True, slots=True)
class Bound:
    """One array a symbol, all with the same number of rows, and what was done to make them fit."""

    arrays: dict[str, Array]
    notes: tuple[str, ...] = ()


# ---- files -------------------------------------------------------------------------------------------------


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
        raise DeriveError(f"{path}: {_shown(name)} has zero rows; one a sample was expected. Add samples.")
    if array.dtype.kind == "f" and not (finite := np.isfinite(array)).all():
        row = np.argwhere(~finite)[0][0] if array.ndim else 0
        raise DeriveError(
            f"{path}: {_shown(name)} holds NaN or infinity at row index {row}; finite numbers were expected. "
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
    name = _shown(member.filename.removesuffix(".npy"))
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
            met = f"the name {_shown(name)} {count} times" if name else f"no name (column {number})"
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
        f"{path}: row {number}, column {_shown(name)}: met {met}; a number was expected. "
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


# ---- symbols -----------------------------------------------------------------------------------------------


def parse_bindings(pairs: Sequence[str]) -> dict[str, str]:
    r"""Read `symbol=array` pairs, as `--bind` takes them.

    >>> parse_bindings(["x=images", r"\hat{y}=labels"])
    {'x': 'images', '\\hat{y}': 'labels'}
    """
    bindings: dict[str, str] = {}
    for pair in pairs:
        symbol, equals, name = (part.strip() for part in pair.rpartition("="))
        if not (symbol and equals and name):
            raise DeriveError(f"--bind {pair!r}: symbol=array was expected, such as x=images.")
        if symbol in bindings:
            raise DeriveError(f"--bind: {symbol} is bound to {bindings[symbol]} and to {name}. Keep one.")
        bindings[symbol] = name
    return bindings


def bind_arrays(
    symbols: Mapping[str, Shape], arrays: Mapping[str, Array], bindings: Mapping[str, str] | None = None
) -> Bound:
    r"""Give every symbol its array, as floats, one row a sample; arrays that no symbol wants are left alone.

    Names meet through `bindings`, then exactly, then by plain spelling: `\mathbf{x}` and `X^{(i)}` meet `x`.
    Class labels 0, 1, … bound to a vector become one-hot. To bind held-out rows to the same lengths, pass the
    shapes that the training rows got: `{symbol: array.shape[1:]}`.

    Args:
        symbols: LaTeX name to per-sample shape; `()` is a scalar, None a length that the data decide.
        arrays: Name to array, as `load_data` gives them.
        bindings: Symbol to array name, as `parse_bindings` gives them.
    Raises:
        DeriveError: A symbol without array, a binding to nothing, shapes or row counts that disagree.

    >>> bound = bind_arrays({r"\mathbf{x}": (2,), "y": (None,)}, {"X": np.eye(2), "y": np.array([0, 1])})
    >>> bound.arrays["y"].tolist(), bound.notes
    ([[1.0, 0.0], [0.0, 1.0]], ('y: class labels 0 to 1 became one-hot vectors of length 2',))
    """
    names = _match_names(symbols, arrays, bindings or {})
    _check_rows({name: arrays[name] for name in names.values()})
    fitted, notes = {}, []
    for symbol, shape in symbols.items():
        fitted[symbol], note = _fit(symbol, shape, names[symbol], arrays[names[symbol]])
        notes += [f"{symbol}: {note}"] if note else []
    return Bound(fitted, tuple(notes))


def _match_names(
    symbols: Mapping[str, Shape], arrays: Mapping[str, Array], bindings: Mapping[str, str]
) -> dict[str, str]:
    names: dict[str, str] = {}
    for wanted, name in bindings.items():
        symbol = _find(wanted, symbols)
        if symbol is None:
            raise DeriveError(f"--bind {wanted}={name}: no such input. Inputs: {_listed(symbols)}.")
        if name not in arrays:
            raise DeriveError(f"--bind {wanted}={name}: no such array. Arrays: {_listed(arrays)}.")
        names[symbol] = name
    # Exact names first: \hat{y} must not take the array that y is called by.
    for symbol in sorted(symbols, key=lambda symbol: symbol not in arrays):
        if symbol not in names:
            names[symbol] = _find_unbound(symbol, names, arrays)
    return names


def _find_unbound(symbol: str, names: Mapping[str, str], arrays: Mapping[str, Array]) -> str:
    found = _find(symbol, arrays)
    met = f"no array of the data is called {symbol}"
    if found is not None and found != symbol and found in names.values():
        met = f"the array {_shown(found)} already stands for another symbol"
        found = None
    if found is None:
        raise DeriveError(f"{met}. Arrays: {_listed(arrays)}. Say which one it is: --bind '{symbol}=ARRAY'.")
    return found


def _find(wanted: str, names: Iterable[str]) -> str | None:
    """The one name that is spelled alike, by ever looser spellings; None where none or several are."""
    names = list(names)
    for spell in (str, _plain, lambda name: _plain(name).lower()):
        alike = [name for name in names if spell(name) == spell(wanted)]
        if alike:
            return alike[0] if len(alike) == 1 else None
    return None


def _plain(name: str) -> str:
    r"""The letters and digits of a name: `\hat{y}` is y, `X^{(i)}` is X, `x_{1}` is x1, `\theta` is theta."""
    return re.sub(r"[\W_]", "", _DECORATION.sub("", _SUPERSCRIPT.sub("", name)))


def _check_rows(arrays: Mapping[str, Array]) -> None:
    first: str | None = None
    for name, array in arrays.items():
        if array.ndim == 0:
            raise DeriveError(f"{_shown(name)} is one number; one row a sample was expected. Bind another.")
        first = first or name
        if len(array) != len(arrays[first]):
            raise DeriveError(
                f"{_shown(first)} has {len(arrays[first])} rows but {_shown(name)} has {len(array)}; "
                "both need one row a sample. Give them the same rows."
            )


# ---- shapes ------------------------------------------------------------------------------------------------


def _fit(symbol: str, shape: Shape, name: str, array: Array) -> tuple[Array, str]:
    """The array as floats in the symbol's shape, and a note where that took more than a change of type."""
    if len(shape) == 1 and array.ndim == 1:
        if array.dtype.kind in "iub" and shape != (1,):
            return _one_hot(symbol, shape[0], name, array)
        fitted, note = array[:, None], "numbers became vectors of length 1"
    elif shape == () and array.shape[1:] == (1,):
        fitted, note = array[:, 0], "vectors of length 1 became numbers"
    elif len(shape) == 1 and array.ndim > 2:
        fitted = array.reshape(len(array), -1)
        note = f"samples of shape {array.shape[1:]} became vectors of length {fitted.shape[1]}"
    else:
        fitted, note = array, ""
    met = fitted.shape[1:]
    if len(met) != len(shape) or any(want not in (None, have) for want, have in zip(shape, met, strict=True)):
        expected = ", ".join("any" if size is None else str(size) for size in shape)
        raise DeriveError(
            f"{symbol}: a row of {_shown(name)} has shape {array.shape[1:]} but ({expected}) was expected. "
            "Bind another array, or give the data that shape."
        )
    # float32 where it holds every value of the integer type: images of bytes stay small.
    return fitted.astype(np.result_type(fitted.dtype, np.float32), copy=False), note


def _one_hot(symbol: str, length: int | None, name: str, labels: Array) -> tuple[Array, str]:
    low, high = int(labels.min()), int(labels.max())
    size = high + 1 if length is None else length
    # A wide range of "labels" is a column of numbers, not classes; the square of it would fill the memory.
    if low < 0 or high >= size or size * len(labels) * 4 > MAX_BYTES:
        classes = "0, 1, …" if length is None else f"0 to {size - 1}"
        raise DeriveError(
            f"{symbol}: {_shown(name)} holds whole numbers {low} to {high}; class labels {classes} were "
            "expected. Number the classes from 0, or bind another array."
        )
    one_hot = np.zeros((len(labels), size), np.float32)
    one_hot[np.arange(len(labels)), labels.astype(np.intp)] = 1
    return one_hot, f"class labels {low} to {high} became one-hot vectors of length {size}"


# ---- held-out rows -----------------------------------------------------------------------------------------


def split_held_out(
    arrays: Mapping[str, Array], fraction: float, seed: int
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Part training from held-out rows: `x_test` is the held-out `x`; without such, a random part.

    Args:
        arrays: Name to array. At random, those with as many rows as most arrays have are split row by row
            together, and the others stand in both halves.
        fraction: Of the rows, how many to hold out, strictly between 0 and 1; unused where `x_test` exists.
        seed: Of the random choice.
    Raises:
        ValueError: The fraction is not strictly between 0 and 1.

    >>> train, held_out = split_held_out({"x": np.arange(10), "y": np.arange(10)}, 0.2, seed=0)
    >>> len(train["x"]), len(held_out["x"]), bool((held_out["x"] == held_out["y"]).all())
    (8, 2, True)
    """
    paired = [name for name in arrays if name + _HELD_OUT in arrays]
    if paired:
        given = {name + _HELD_OUT for name in paired}
        train = {name: array for name, array in arrays.items() if name not in given}
        return train, {name: arrays[name + _HELD_OUT] for name in paired}
    if not 0 < fraction < 1:
        raise ValueError(f"fraction is {fraction}; strictly between 0 and 1 was expected. 0.2 is usual.")
    return _split_at_random(arrays, fraction, seed)


def _split_at_random(
    arrays: Mapping[str, Array], fraction: float, seed: int
) -> tuple[dict[str, Array], dict[str, Array]]:
    lengths = Counter(len(array) for array in arrays.values() if array.ndim)
    rows = max(lengths, key=lambda length: (lengths[length], length), default=0)
    if rows < 2:
        raise DeriveError(f"{rows} rows cannot be parted into training and held-out; at least 2 can.")
    order = np.random.default_rng(seed).permutation(rows)
    count = min(max(round(rows * fraction), 1), rows - 1)
    # Sorted: what is trained in order stays in the file's order.
    halves = np.sort(order[count:]), np.sort(order[:count])
    split = {name for name, array in arrays.items() if array.ndim and len(array) == rows}
    train, held_out = (
        {name: array[chosen] if name in split else array for name, array in arrays.items()} for chosen in halves
    )
    return train, held_out


# ---- words -------------------------------------------------------------------------------------------------


def _shown(name: str) -> str:
    return name if name.isprintable() else repr(name)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(_shown(name) for name in names) or "none"


def _reason(error: BaseException) -> str:
    """Another library's words as part of one line of ours."""
    return (str(getattr(error, "strerror", None) or error).splitlines() or [type(error).__name__])[0]
