"""Models and data that the tests of training share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from oracles import CASES

from codegen import build
from derive.backprop import derive_gradients
from derive.derivation import Derivation

Array = np.ndarray[Any, Any]

HAS_COMPILER = any(build.shutil.which(name) for name in ("gcc", "clang"))
TARGETS = ["numpy", pytest.param("c", marks=pytest.mark.skipif(not HAS_COMPILER, reason="no C compiler"))]
both = pytest.mark.parametrize("target", TARGETS)
RECORDS: dict[str, Derivation] = {}


def record(name: str) -> Derivation:
    """The record of one sample: mini-batches are the trainer's own doing."""
    networks = {case.name: case.network for case in CASES}
    return RECORDS.setdefault(name, derive_gradients(networks[name])) if name not in RECORDS else RECORDS[name]


def disc(rows: int, seed: int = 0) -> tuple[Array, Array]:
    """Points of the plane, and whether they lie in a disc: no line parts them."""
    x = np.random.default_rng(seed).normal(size=(rows, 2))
    return x, ((x**2).sum(axis=1) < 1.4).astype(np.int64)


def clouds(rows: int, seed: int = 0) -> tuple[Array, Array]:
    """Three clouds of points, and their numbers."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, rows)
    return rng.normal(size=(rows, 2)) * 0.4 + np.array([[0, 2], [2, 0], [-2, -1]])[labels], labels
