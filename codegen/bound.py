"""Calls without arguments on arrays that stay where they are: what `Function.bind` and `Trainer.bind_step` return."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]


class Bound(partial[None]):
    """A call without arguments on arrays that stay where they are.

    Attributes:
        inputs: The arrays that it reads: of a function, one row a sample; of a step of training, the rates.
        outputs: The arrays that it writes.
        kept: What must live as long as the call does.
    """

    inputs: Sequence[Array]
    outputs: Sequence[Array]
    kept: Sequence[Any]


def bound(call: Callable[[], None], inputs: Sequence[Array], outputs: Sequence[Array], kept: Sequence[Any]) -> Bound:
    """Return a call with its arrays."""
    made = Bound(call)
    made.inputs, made.outputs, made.kept = inputs, outputs, kept
    return made
