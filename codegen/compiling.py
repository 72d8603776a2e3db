"""The way in: `compile` makes a trainer of a derivation, or of a page."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from codegen.engines import ENGINES
from codegen.errors import CodegenError
from codegen.later import prepare
from codegen.settings import Settings
from codegen.store import Stored
from codegen.train import Trainer

if TYPE_CHECKING:
    from derive.derivation import Derivation


def compile(  # codegen.compile, as the README has it
    source: Derivation | str | os.PathLike[str],
    target: str = "c",
    batch: int = 64,
    dtype: str = "float32",
    optimizer: str = "sgd",
    lr: float = 0.01,
    sizes: Mapping[str, int] | None = None,
    seed: int = 0,
    lr_schedule: str = "constant",
    weight_decay: float = 0.0,
    profile: str = "fast",
    section: str | None = None,
    threads: int = 1,
) -> Trainer:
    """Prepare the training of a model; it is compiled once `bind` knows the data's sizes.

    Args:
        source: A derivation, of one sample or of a mini-batch; or the path of a page, of which the last model that can
            be trained is taken. What a page needs is kept: as long as page, settings and data's sizes stay as they
            are, later processes start without deriving it. A Python file that defines a model is derived every time.
        target: `c` or `numpy`.
        batch: Samples in a mini-batch; the last of an epoch may be smaller.
        dtype: `float32` or `float64`.
        optimizer: `sgd`, `momentum` or `adam`.
        lr: Learning rate.
        sizes: Sizes that the data do not fix, `{"h": 32}`; others become 16 and are noted in `Trainer.notes`.
        seed: Of the parameters' start, and of shuffling.
        lr_schedule: `constant`, `step`, `exponential`, `linear` or `cosine`, with numbers as in
            `cosine:warmup=100,end=0.1`; lengths are in steps, or in epochs as in `step:every=10epochs,factor=0.5`.
        weight_decay: Decoupled from the gradient: a step takes the learning rate times this share off every
            parameter that is not only added, as biases are.
        profile: `fast`, or `exact` for the same bits on every machine.
        section: Words of the heading that picks one model of a page.
        threads: How many may take a step together in C; bits do not depend on it. The first steps are taken by one
            and by all in turn, and the faster goes on: on a busy machine, or for a small model, that is one.
    Raises:
        CodegenError: a setting is unknown or out of range, or the model has no form for mini-batches.
        DeriveError: the page cannot be read, or has no model that can be trained.
    """
    if target not in ENGINES:
        raise CodegenError(f"target: met {target}; expected one of {', '.join(ENGINES)}")
    settings = Settings(target, batch, dtype, optimizer, lr, sizes, seed, lr_schedule, weight_decay, profile, threads)
    if isinstance(source, str | os.PathLike):
        return Trainer(Stored(source, section, settings), settings)
    if section is not None:
        raise CodegenError(f"section: met {section!r} beside a derivation; it picks a model of a page")
    return Trainer(prepare(source, settings), settings)
