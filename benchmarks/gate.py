"""The gate: who computes something else is not timed. The files that carry starts, data and references to processes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.workloads import Array, Arrays

LOSS, PARAMETER = 1e-4, 1e-3  # relative to the loss, and to a parameter's largest entry
START, DATA, REFERENCE = "start.", "data.", "reference."


def errors(outcome: Mapping[str, Array], reference: Mapping[str, Array]) -> tuple[float, float]:
    """Return the loss's relative error and the largest error of an array relative to its largest entry."""
    loss, others = 0.0, [0.0]
    for name, expected in reference.items():
        met = np.asarray(outcome[name], np.float64)
        if met.shape != expected.shape:
            raise ValueError(f"{name}: met shape {met.shape}; expected {expected.shape}")
        error = float(np.abs(met - expected).max() / np.abs(expected).max())
        if name == "loss":
            loss = error
        else:
            others.append(error)
    return loss, float(np.max(others))  # NumPy's maximum keeps what is no number


def passes(loss: float, parameter: float) -> bool:
    """Tell whether both errors are within the gate."""
    return loss <= LOSS and parameter <= PARAMETER


def write(path: Path, start: Arrays, data: Arrays, reference: Mapping[str, Array]) -> None:
    """Write what a contestant's process needs."""
    named = {START: start, DATA: data, REFERENCE: reference}
    arrays = {f"{prefix}{name}": array for prefix, group in named.items() for name, array in group.items()}
    np.savez(path, allow_pickle=False, **arrays)


def read(path: Path) -> tuple[Arrays, Arrays, Arrays]:
    """Return start, data and reference from a file."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}

    def group(prefix: str) -> Arrays:
        return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}

    return group(START), group(DATA), group(REFERENCE)
