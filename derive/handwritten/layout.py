"""How arrays lie in the user's code: vectors with one axis, as columns or as rows; samples as columns or as rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from derive.expr import Var
from derive.model import Network, trained
from derive.shapes import ROW, axes

FLAT, COLUMN, ROWWISE = "flat", "column", "row"


@dataclass(frozen=True, slots=True)
class Layout:
    """A way to lay out the arrays of a model.

    Attributes:
        vectors: `flat`, `column` or `row`: with one axis, as (n, 1), as (1, n).
        only: The names whose vectors lie so, the others being flat; None for all.
        samples: The size whose axis comes first in code though it comes last in the model; None where none does.
    """

    vectors: str = FLAT
    only: frozenset[Var] | None = None
    samples: Any = None

    def arranged(self, name: Var, array: Any) -> Any:
        """Return a value of the model as it lies in the code."""
        own = axes(name.shape)
        if len(own) == 2 and self.samples is not None and own[1] == self.samples:
            return np.ascontiguousarray(np.transpose(array))
        if len(own) == 1 and self.vectors != FLAT and (self.only is None or name in self.only):
            lying = self.vectors == ROWWISE or name.shape[0] == ROW
            return np.reshape(array, (1, -1) if lying else (-1, 1))
        return array

    def restored(self, name: Var, array: Any, shape: tuple[int, ...]) -> Any:
        """Return an array of the code as it lies in the model, or None where its shape is another."""
        own = axes(name.shape)
        if len(own) == 2 and self.samples is not None and own[1] == self.samples:
            array = np.transpose(array)
        return np.reshape(array, shape) if np.size(array) == int(np.prod(shape)) else None

    def described(self) -> tuple[str, ...]:
        """Return what is unlike the page, in words."""
        which = "vectors are" if self.only is None else "parameters that are vectors are"
        shape = {FLAT: "", COLUMN: f"{which} passed as columns (n, 1)", ROWWISE: f"{which} passed as rows (1, n)"}
        rows = "samples are the rows of arrays in code" if self.samples is not None else ""
        return tuple(text for text in (shape[self.vectors], rows) if text)


def layouts(network: Network, rows: bool) -> Iterator[Layout]:
    """Yield the layouts that code may use, the plainest first."""
    samples = network.samples if rows else None
    parameters = frozenset(trained(network))
    yield Layout(samples=samples)
    for vectors in (COLUMN, ROWWISE):
        yield Layout(vectors, None, samples)
        if parameters:
            yield Layout(vectors, parameters, samples)
