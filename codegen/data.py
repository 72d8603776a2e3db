r"""Data and symbols: match arrays with a page's symbols, by name and by shape.

Only names and shapes live here. What a symbol means, how long a batch is and how a metric is computed live in
`binding`, `train` and `metrics`; reading files in `files`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.files import MAX_BYTES, shown
from derive.errors import DeriveError

Array = npt.NDArray[Any]
Shape = tuple[int | None, ...]

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
        arrays: Name to array, as `files.load_data` gives them.
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
        met = f"the array {shown(found)} already stands for another symbol"
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
            raise DeriveError(f"{shown(name)} is one number; one row a sample was expected. Bind another.")
        if len(array) == 0:
            raise DeriveError(f"{shown(name)} has no rows; at least one sample was expected. Bind another.")
        first = first or name
        if len(array) != len(arrays[first]):
            raise DeriveError(
                f"{shown(first)} has {len(arrays[first])} rows but {shown(name)} has {len(array)}; "
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
            f"{symbol}: a row of {shown(name)} has shape {array.shape[1:]} but ({expected}) was expected. "
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
            f"{symbol}: {shown(name)} holds whole numbers {low} to {high}; class labels {classes} were "
            "expected. Number the classes from 0, or bind another array."
        )
    one_hot = np.zeros((len(labels), size), np.float32)
    one_hot[np.arange(len(labels)), labels.astype(np.intp)] = 1
    return one_hot, f"class labels {low} to {high} became one-hot vectors of length {size}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(shown(name) for name in names) or "none"
