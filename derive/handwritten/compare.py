"""What a function returned beside what it should: shape, kind of number, and values, as exactly as floats can tell.

The tolerance is a multiple of the rounding of the type in which the function computes, times the size of the gradient
or, where it is larger, times how much the gradient changes for a relative change of the inputs: what no code in floats
can do better. What differs by more than that, and yet by little, is neither right nor wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

ROUNDINGS = {"float64": 2.0**13, "float32": 2.0**9}  # roundings that a gradient may have gone through
COARSE = 2.0**4  # of half precision, of which no more can be asked
CLOSE = {"float64": 2e-6, "float32": 2e-3}  # relative differences up to which nothing is called wrong
HALF = 5e-2


@dataclass(frozen=True, slots=True)
class Met:
    """An array that was returned: its values as floats (None where it is no array of numbers) and its type."""

    values: Any
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a comparison found: `equal`, `close`, `differs` or `shape`; in words; which precision; which entries."""

    word: str
    text: str = ""
    precision: str = "float64"
    error: float = 0.0


def as_met(value: Any) -> Met:
    """Return what a function returned as an array of floats; tensors of other libraries are fetched."""
    dtype = ""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        dtype = str(value.dtype).removeprefix("torch.")
        value = value.float() if dtype == "bfloat16" else value
    try:
        array = np.asarray(value)
        dtype = dtype or str(array.dtype)
        values = np.array(array, float) if array.dtype.kind in "fiubO" or dtype == "bfloat16" else None
    except (TypeError, ValueError):
        return Met(None, dtype or type(value).__name__, ())
    return Met(values, dtype, array.shape)


def compare(met: Met, expected: Any, spread: float, whole: float, tolerance: float | None = None) -> Finding:
    """Compare an array with the derived one.

    Args:
        met: What was returned.
        expected: The derived values, laid out as in the code.
        spread: How much they change per relative change of the inputs.
        whole: The size of the model's derivatives, by which a gradient that vanishes is judged.
        tolerance: A relative tolerance that takes the place of ours.
    """
    if met.values is None:
        return Finding("shape", f"it is {'of type ' if met.dtype else ''}{met.dtype}, not an array of real numbers")
    if met.shape != expected.shape and not (met.values.size == expected.size == 1 and not expected.shape):
        return Finding("shape", f"its shape is {_shape(met.shape)}, the derived one {_shape(expected.shape)}")
    values = met.values.reshape(expected.shape)
    if not np.all(np.isfinite(values)):
        bad = tuple(int(k) for k in np.argwhere(~np.isfinite(values))[0])
        return Finding("differs", f"{_entry(bad)} is {values[bad]}, derived {expected[bad]:.6g}", error=np.inf)
    error = float(np.max(np.abs(values - expected), initial=0.0))
    size = float(np.max(np.abs(expected), initial=0.0))
    scale = max(size, spread) if size > 1e-30 else whole
    if tolerance is not None:
        return Finding("equal") if error <= tolerance * scale else _differs(values, expected, error / scale)
    precision = precision_of(met)
    if error <= allowed(precision) * scale:
        return Finding("equal", precision=precision)
    single = np.array_equal(values, values.astype(np.float32))
    if precision == "float64" and single and error <= allowed("float32") * scale:
        return Finding("equal", precision="float32")
    if error <= CLOSE.get(precision, HALF) * max(size, 0.0 if size > 1e-30 else whole):
        text = (
            f"it agrees to a relative {error / (size or whole):.1e} only: more than {precision} rounds, too little to "
            "call it wrong. Part of it may be computed in lower precision, or a small term be added or missing"
        )
        return Finding("close", text, precision, error / (size or whole))
    return _differs(values, expected, error / scale, precision)


def _differs(values: Any, expected: Any, error: float, precision: str = "float64") -> Finding:
    off = np.abs(values - expected) > 1e-3 * np.max(np.abs(values - expected))
    count = f"; {int(np.sum(off))} of {off.size} entries differ" if off.size > 1 else ""
    worst = tuple(int(k) for k in np.unravel_index(np.argmax(np.abs(values - expected)), np.shape(values)))
    text = f"{_entry(worst)} is {values[worst]:.6g}, derived {expected[worst]:.6g}{count}"
    return Finding("differs", text, precision, error)


def precision_of(met: Met) -> str:
    """Return the type in which a function computed, by what it returned; integers are float64 that were cut off."""
    return met.dtype if met.dtype in ("float32", "float16", "bfloat16") else "float64"


def allowed(precision: str) -> float:
    """Return the relative difference that rounding explains."""
    if precision in ROUNDINGS:
        return ROUNDINGS[precision] * float(np.finfo(precision).eps)
    return COARSE * (2.0**-10 if precision == "float16" else 2.0**-7) / 4


def _entry(place: tuple[int, ...]) -> str:
    return f"entry [{', '.join(map(str, place))}]" if place else "it"


def _shape(shape: tuple[int, ...]) -> str:
    return str(tuple(int(n) for n in shape)) if shape else "that of a number, ()"
