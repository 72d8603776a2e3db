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
            DeriveError: a symbol has no array, or a shape does not fit.
        """
        wanted = self.symbols if only is None else only
        rows = {symbol.spelled: symbol for symbol in wanted if symbol.sampled}
        shapes = {name: symbol.shape for name, symbol in rows.items()}
        bound = bind_arrays(shapes, respelled(rows, arrays), bindings)
        result = {rows[name].name: self.cast(array) for name, array in bound.arrays.items()}
        for symbol in wanted:
            if not symbol.sampled:
                result[symbol.name] = self.cast(constant_data(symbol, arrays))
            elif symbol.domain in WHOLE:
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


def _check_whole(name: str, array: Array) -> None:
    """Refuse targets that break what the gradient was derived with: that a sample's entries sum to 1."""
    off = np.abs(array.sum(axis=-1) - 1) > 1e-3
    if off.any():
        row = int(np.argmax(off))
        raise CodegenError(
            f"{name}: the entries at row index {row} sum to {array[row].sum():g}; the gradient was derived with sum 1. "
            "Give class labels, one-hot rows or probabilities"
        )
