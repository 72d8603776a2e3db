"""Held-out rows: which samples train, which say how well, and which are kept for the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from derive.errors import DeriveError

Array = npt.NDArray[Any]

FIFTH = 0.2
_HELD_OUT = "_test"


@dataclass(frozen=True, slots=True)
class Split:
    """Samples to train on, samples that judge every epoch, and a test that is looked at once, at the end.

    `given` says that the data file itself named the samples that judge, as `x_test`.
    """

    train: dict[str, Array]
    validation: dict[str, Array] | None
    test: dict[str, Array] | None = None
    given: bool = False


def split_samples(arrays: Mapping[str, Array], validation: float | Mapping[str, Array] | None, seed: int) -> Split:
    """Part samples for training; each row is in one part alone.

    Args:
        arrays: Name to array; `x_test` is a test for `x`.
        validation: The share of the rows that judges every epoch, 0 for none; or arrays of another file. None: what
            the file names as test, or else a fifth.
        seed: Of the random choice.
    Raises:
        DeriveError: the share leaves nothing to train on, or nothing to judge with.
    """
    own = any(name + _HELD_OUT in arrays for name in arrays)
    train, test = split_held_out(arrays, FIFTH, seed) if own else (dict(arrays), None)
    if validation is None:
        if own:
            return Split(train, test, None, given=True)
        return Split(*split_held_out(arrays, FIFTH, seed))
    if isinstance(validation, Mapping):
        return Split(train, dict(validation), test)
    if validation == 0:
        return Split(train, None, test)
    _check_share(row_count(train), validation)
    return Split(*_split_at_random(train, validation, seed), test)


def _check_share(rows: int, share: float) -> None:
    if not 0 < share < 1:
        raise DeriveError(f"validation: met {share:g}; expected a share of the samples, 0 or more and below 1")
    count = round(rows * share)
    if not 0 < count < rows:
        raise DeriveError(
            f"validation: {share:g} of {rows} samples leaves none to {'train on' if count else 'validate with'}; "
            + (f"expected a share of 1 to {rows - 1} samples" if rows > 1 else "expected two samples or more")
        )


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
    rows = row_count(arrays)
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


def row_count(arrays: Mapping[str, Array]) -> int:
    """Return the number of rows that most arrays have."""
    lengths = Counter(len(array) for array in arrays.values() if array.ndim)
    return max(lengths, key=lambda length: (lengths[length], length), default=0)
