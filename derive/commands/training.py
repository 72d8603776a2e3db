"""The command that trains. What it imports needs no SymPy: a page that was trained before starts at once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

import codegen
from codegen.data import parse_bindings
from codegen.files import load_data
from codegen.split import Split, row_count, split_samples
from derive.command import check_target, section_option, size_option, sizes_of, source_argument, training_options
from derive.errors import DeriveError
from derive.files import check_writable
from derive.progress import TrainingView, metric_text, result_table

log = logging.getLogger("derive")


@click.command()
@source_argument
@training_options
@size_option
@section_option
def train(
    source: str, data_file: Path, bindings: Sequence[str], target: str, section: str | None, **options: Any
) -> None:
    """Train on real data; a page that describes one sample is trained in mini-batches.

    A fifth of the samples is held out, or what the file calls NAME_test. Ctrl-C keeps what was learned.

    \b
    derive train notes.md --data digits.npz --epochs 40 --save params.npz
    derive train notes.md --section 3.4 --data data.csv --bind x=images
    derive train notes.md --data d.npz --schedule cosine --patience 5
    derive train notes.md --data d.npz --checkpoint c.npz --resume c.npz
    """
    check_target(target, ("c", "numpy"))
    for name in ("epochs", *(["patience"] if options["patience"] is not None else [])):
        codegen.whole_number(name, options[name], least=1)
    for path in (options["save"], options["checkpoint"]):
        if path is not None:
            check_writable(path)
    arrays, bound = load_data(data_file), parse_bindings(bindings)
    same = ("batch", "dtype", "optimizer", "lr", "profile", "seed", "threads", "weight_decay")
    settings = {name: options[name] for name in same}
    trainer = codegen.compile(
        source, target=target, sizes=sizes_of(options["sizes"]), lr_schedule=options["schedule"], section=section,
        **settings,
    )  # fmt: skip
    if trainer.card.chosen:
        log.info("model: %s", trainer.card.chosen)
    trainer.fitted({name: a for name, a in arrays.items() if not name.endswith("_test")}, bound)
    split = split_samples(arrays, _validation(options["validation"]), options["seed"])
    _check_patience(options["patience"], split)
    samples: dict[str, Any] = dict(split.train)
    trainer.bind(bindings=bound, **samples)
    for note in trainer.notes:
        log.info(note.replace("with sizes=", "with --size"))
    history = _fit(trainer, split, options)
    _report(trainer, history, split, options)
    if options["save"] is not None:
        codegen.save_params(options["save"], trainer, {"source": source, "metric": history.metric})
        log.info("wrote %s", options["save"])


def _validation(text: str | None) -> float | dict[str, Any] | None:
    """Read --validation: a share of the samples, or a file of its own."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return load_data(Path(str(text)))


def _check_patience(patience: int | None, split: Split) -> None:
    if patience is not None and split.validation is None:
        raise DeriveError("patience: there are no validation samples to judge by; leave out --validation 0")
    if patience is not None and split.given:
        raise DeriveError(
            "patience: the data name only a test, NAME_test, which must not choose the parameters; add --validation 0.2"
        )


def _fit(trainer: codegen.Trainer, split: Split, options: dict[str, Any]) -> codegen.History:
    """Train, and show how it goes."""
    quiet = not log.isEnabledFor(logging.INFO)
    held_out, epochs = split.validation, options["epochs"]
    view = TrainingView(epochs, trainer.rows, trainer.batches, held_out is not None, log.info, quiet)
    with view:
        return codegen.fit(
            trainer, None, held_out, epochs, metric=options["metric"], patience=options["patience"],
            checkpoint=options["checkpoint"], resume=options["resume"],
            on_steps=lambda: view.steps(trainer.steps - trainer.started), on_epoch=view.epoch,
        )  # fmt: skip


def _report(trainer: codegen.Trainer, history: codegen.History, split: Split, options: dict[str, Any]) -> None:
    """Print how good the parameters are that the training ended with."""
    if history.interrupted:
        again = f"; to go on: --resume {options['checkpoint']}" if options["checkpoint"] is not None else ""
        log.warning("stopped by Ctrl-C after %d epochs%s", len(history.epochs), again)
    if not history.epochs:
        return
    shown = history.epochs[-1]
    early = f", the last {history.without_progress()} no better: stopped early"
    rows = [("epochs", f"{len(history.epochs)}{early if history.stopped_early else ''}")]
    if options["patience"] is not None and history.best is not None:
        shown = history.epochs[history.best - 1]
        rows.append(("parameters", f"those of epoch {history.best}, the best"))
    rows.append(("loss", f"{shown.loss:.6g}"))
    judge = (split.train, "training") if split.validation is None else (split.validation, "held-out")
    for samples, kind in (judge, (split.test, "test")):
        for metric in ("RMSE", "R2") if history.metric == "RMSE" else (history.metric,):
            value = codegen.evaluate(trainer, samples, metric)[1] if samples and metric else None
            if samples and value is not None:
                rows.append((f"{metric} on {row_count(samples)} {kind} samples", metric_text(metric, value)))
    if options["threads"] > 1:
        rows.append(("threads", f"{trainer.threads}, the fastest of 1 and {options['threads']}"))
    rows.append(("seconds", f"{sum(epoch.seconds for epoch in history.epochs):.2f}"))
    result_table(rows)
