"""Binding: arrays of data matched with a record's symbols, in the model's type, one row a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.data import bind_arrays
from codegen.errors import CodegenError
from codegen.record import constant_data, has_samples, known_shape, page_spelling
from codegen.sizes import Sizes
from derive.derivation import Derivation
from derive.expr import Apply, Var, variables, walk
from derive.ops import table
from derive.shapes import ROW

Array = npt.NDArray[Any]
WHOLE = ("onehot", "simplex")  # domains whose entries sum to 1


@dataclass(frozen=True, slots=True)
class Binder:
    """Knows how a page spells its symbols, and how the program does.

    Attributes:
        source: The record as the user gave it.
        record: The same over a mini-batch.
        names: Names in code.
        dtype: The model's type.
    """

    source: Derivation
    record: Derivation
    names: Mapping[Var, str]
    dtype: str

    def fit(
        self,
        arrays: Mapping[str, Array],
        bindings: Mapping[str, str] | None,
        sizes: Sizes | None,
        only: Sequence[Var] | None = None,
    ) -> tuple[dict[str, Array], tuple[str, ...]]:
        """Return arrays by their names in code, in the model's type, and what was done to make them fit.

        Args:
            arrays: One row a sample, by symbol or by name in code.
            bindings: Symbol to array name, where names differ.
            sizes: Sizes that are known already.
            only: The symbols wanted; all data if None.
        Raises:
            DeriveError: a symbol has no array, a shape does not fit, or an index is too large for the model's type.
        """
        wanted = self.record.data if only is None else only
        rows = {self.spelled(v): v for v in wanted if has_samples(self.record, v)}
        shapes = {name: known_shape(self.record, v, sizes) for name, v in rows.items()}
        bound = bind_arrays(shapes, self.respelled(rows, arrays), bindings)
        fitted = {v: bound.arrays[name] for name, v in rows.items()}
        fitted |= {v: constant_data(self.record, v, arrays) for v in wanted if v not in fitted}
        for v in indices(self.record).intersection(fitted):
            _check_exact(self.spelled(v), fitted[v], self.dtype)
        result = {self.names[v]: self.cast(array) for v, array in fitted.items()}
        for v in rows.values():
            if v.domain in WHOLE:
                _check_whole(self.spelled(v), result[self.names[v]])
        return result, bound.notes

    def respelled(self, rows: Mapping[str, Var], arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Return the arrays, those that are called as in code under the symbol's own name."""
        code = {self.names[v]: name for name, v in rows.items() if name not in arrays}
        return {code.get(word, word): array for word, array in arrays.items()}

    def spelled(self, name: Var) -> str:
        """Return a name of the record as the user's own page spells it: x for X."""
        return page_spelling(self.source, self.record, name)

    def cast(self, array: Array) -> Array:
        """Return an array in the model's type, contiguous."""
        return np.ascontiguousarray(array, self.dtype).reshape(np.shape(array))

    def sheet_shape(self, name: Var, array: Array) -> tuple[int, ...]:
        """Return the shape of bound data with its axes as on the sheet."""
        if not has_samples(self.record, name):
            return array.shape
        kept = [length for length in name.shape if length != ROW]
        rest = iter(array.shape[1:])
        return tuple(len(array) if length == self.record.samples else next(rest) for length in kept)


def indices(record: Derivation) -> set[Var]:
    """Return the names that rows are looked up by."""
    nodes = (node for equation in record.equations for node in walk(equation.value))
    hot = (node for node in nodes if isinstance(node, Apply) and node.op.name == table.ONE_HOT)
    return {v for node in hot for v in variables(node)}


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
