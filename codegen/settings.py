"""How a model is to be trained: the settings, each checked before anything is compiled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codegen.errors import CodegenError
from codegen.rates import find_rule
from codegen.schedules import parse_schedule

DTYPES = ("float32", "float64")
PROFILES = ("fast", "exact")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a trainer was compiled.

    Raises:
        CodegenError: a setting is out of its range; the message says what was met, and what was expected.
    """

    target: str = "c"
    batch: int = 64
    dtype: str = "float32"
    optimizer: str = "sgd"
    lr: float = 0.01
    sizes: Mapping[str, int] | None = None
    seed: int = 0
    lr_schedule: str = "constant"
    weight_decay: float = 0.0
    profile: str = "fast"
    threads: int = 1

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise CodegenError(f"dtype: met {self.dtype}; expected {' or '.join(DTYPES)}")
        if self.profile not in PROFILES:
            raise CodegenError(f"profile: met {self.profile}; expected {' or '.join(PROFILES)}")
        whole_number("batch", self.batch, least=1)
        whole_number("seed", self.seed, least=0)
        whole_number("threads", self.threads, least=1)
        if not _is_number(self.lr) or self.lr <= 0:
            raise CodegenError(f"lr: met {self.lr}; expected a number above 0, such as 0.01")
        if not _is_number(self.weight_decay) or self.weight_decay < 0:
            raise CodegenError(f"weight_decay: met {self.weight_decay}; expected 0 or more, such as 0.01")
        find_rule(self.optimizer)
        parse_schedule(self.lr_schedule)
        for name, kind in (("batch", int), ("seed", int), ("threads", int), ("lr", float), ("weight_decay", float)):
            object.__setattr__(self, name, kind(getattr(self, name)))  # NumPy's numbers become Python's, for files


def whole_number(name: str, met: Any, least: int) -> None:
    """Refuse what is no whole number, or too small a one.

    Raises:
        CodegenError: the message names the setting.
    """
    try:
        fits = int(met) == met and met >= least
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise CodegenError(f"{name}: met {met}; expected a whole number, at least {least}")


def _is_number(met: Any) -> bool:
    try:
        return math.isfinite(met)
    except TypeError:
        return False
