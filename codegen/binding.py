"""Binding: arrays of data matched with a model's symbols, in the model's type, one row a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.data import bind_arrays
from codegen.errors import CodegenError
from codegen.recipe import Symbol

Array = npt.NDArray[Any]
WHOLE = ("onehot", "simplex")  # domains whose entries sum to 1


@dataclass(frozen=True, slots=True)
class Binder:
    """Knows the symbols of a model, as its page spells them and as the program does.

    Attributes:
        symbols: Its data.
        dtype: The model's type.
    """

    symbols: tuple[Symbol, ...]
    dtype: str

    def fit(
        self,
        arrays: Mapping[str, Array],
        bindings: Mapping[str, str] | None,
        only: Sequence[Symbol] | None = None,
    ) -> tuple[dict[str, Array], tuple[str, ...]]:
        """Return arrays by their names in code, in the model's type, and what was done to make them fit.

        Args:
            arrays: One row a sample, by symbol or by name in code.
            bindings: Symbol to array name, where names differ.
            only: The symbols wanted; all data if None.
        Raises:
            DeriveError: a symbol has no array, a shape does not fit, or an index is too large for the model's type.
        """
        wanted = self.symbols if only is None else only
        rows = {symbol.spelled: symbol for symbol in wanted if symbol.sampled}
        shapes = {name: symbol.shape for name, symbol in rows.items()}
        bound = bind_arrays(shapes, respelled(rows, arrays), bindings)
        result = {}
        for symbol in wanted:
            array = bound.arrays[symbol.spelled] if symbol.sampled else constant_data(symbol, arrays)
            if symbol.places:
                _check_exact(symbol.spelled, array, self.dtype)
            result[symbol.name] = self.cast(array)
            if symbol.sampled and symbol.domain in WHOLE:
                _check_whole(symbol.spelled, result[symbol.name])
        return result, bound.notes

    def cast(self, array: Array) -> Array:
        """Return an array in the model's type, contiguous."""
        return np.ascontiguousarray(array, self.dtype).reshape(np.shape(array))


def respelled(rows: Mapping[str, Symbol], arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays, those that are called as in code under the symbol's own name."""
    code = {symbol.name: spelled for spelled, symbol in rows.items() if spelled not in arrays}
    return {code.get(word, word): array for word, array in arrays.items()}


def constant_data(symbol: Symbol, arrays: Mapping[str, Array]) -> Array:
    """Return the array of a symbol that has no entry a sample, such as a given strength of decay.

    Raises:
        CodegenError: there is none.
    """
    found = next((arrays[key] for key in (symbol.latex, symbol.name) if key in arrays), None)
    if found is None:
        raise CodegenError(
            f"no array of the data is called {symbol.latex}; give {symbol.name}=, one value for all samples"
        )
    return np.asarray(found)


def _check_exact(name: str, array: Array, dtype: str) -> None:
    """Refuse indices that the model's type would round to a neighbour: another row, and nobody would notice."""
    limit = 2 ** (np.finfo(dtype).nmant + 1)
    largest = float(np.max(np.abs(array), initial=0))
    if largest > limit:
        wider = "train in float64" if dtype == "float32" else "number the rows from 0"
        raise CodegenError(
            f"{name}: the index {largest:.0f} is met; {dtype} holds whole numbers exactly up to {limit} alone. "
            f"Look up in fewer rows, or {wider}"
        )


def _check_whole(name: str, array: Array) -> None:
    """Refuse targets that break what the gradient was derived with: that a sample's entries sum to 1."""
    off = np.abs(array.sum(axis=-1) - 1) > 1e-3
    if off.any():
        row = int(np.argmax(off))
        raise CodegenError(
            f"{name}: the entries at row index {row} sum to {array[row].sum():g}; the gradient was derived with sum 1. "
            "Give class labels, one-hot rows or probabilities"
        )
