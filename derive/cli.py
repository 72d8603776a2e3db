"""The command `derive`: the roof, the one module of this package that may import codegen."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

import codegen
from codegen.data import parse_bindings
from codegen.files import load_data
from codegen.split import Split, row_count, split_samples
from derive.command import Commands, section_option, size_option, source_argument, training_options
from derive.derivation import Derivation
from derive.errors import DeriveError
from derive.files import check_writable, write_whole
from derive.progress import TrainingView, metric_text, result_table
from derive.report import exit_code, to_json, to_lines
from derive.sheet.plain import to_text
from derive.sheet.write import SUFFIXES, save_document
from derive.version import VERSION
from derive.workbook import Section, Workbook

LATER = ("jax", "onnx", "wasm")
log = logging.getLogger("derive")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="derive")
@click.option("-q", "--quiet", is_flag=True, help="Print results and errors only.")
@click.option("-v", "--verbose", is_flag=True, help="Say more: reasons, assumptions, what was chosen.")
def main(quiet: bool, verbose: bool) -> None:
    """Gradients as a sheet in which every step is checked, and as compiled code.

    A SOURCE is a page (Markdown, LaTeX, reStructuredText, HTML, text) with mathematics, read as it is, or a
    Python file that defines one derive.Model.

    \b
    derive sheet notes.md -o notes.html
    derive check notes.md
    derive train notes.md --data digits.npz --save digits-params.npz
    derive export notes.md --params digits-params.npz --target c -o digits.c
    """
    level = logging.ERROR if quiet else logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr, force=True)
    log.setLevel(level)


def _verbose() -> bool:
    return log.isEnabledFor(logging.DEBUG)


@main.command()
@source_argument
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help=f"Where; the ending chooses: {' '.join(SUFFIXES)}."
)
@click.option(
    "--stable", is_flag=True, help="Show what code computes in place of what overflows, with the errors of both."
)
@section_option
def sheet(source: str, output: Path | None, stable: bool, section: str | None) -> None:
    """Write the derivation sheet; as text on the terminal without -o.

    \b
    derive sheet notes.md -o notes.html
    derive sheet notes.md --stable
    derive sheet notes.md --section "Logistic Regression" -o logistic.pdf
    """
    if output is not None:
        _check_suffix(output)
        check_writable(output)
    document = Workbook(source, section).document(codegen.stable_forms if stable else None)
    if output is None:
        click.echo(to_text(document), nl=False)
    else:
        save_document(document, output)
        log.info("wrote %s", output)


def _check_suffix(output: Path) -> None:
    if output.suffix.lower() not in SUFFIXES:
        raise DeriveError(f"{output}: a sheet has one of the endings {', '.join(SUFFIXES)}; choose one of them")


@main.command()
@source_argument
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@section_option
@click.pass_context
def check(ctx: click.Context, source: str, as_json: bool, section: str | None) -> None:
    """Judge every formula that the page claims.

    Exit code 0: every claim holds. 1: one is refuted or ill-typed. 3: one is undecided or unread.

    \b
    derive check notes.md
    derive check notes.md --json > report.json
    """
    book = Workbook(source, section)
    if book.is_page:
        book.refuse_conflicts()
    claims = list(book.judged())
    if as_json:
        click.echo(json.dumps(to_json(source, book.symbols(), claims), indent=1, ensure_ascii=False))
    else:
        click.echo("\n".join(to_lines(source, claims, _verbose())))
    ctx.exit(exit_code(claims))


@main.command("compile")
@source_argument
@click.option("--target", default="c", show_default=True, help="numpy or c.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where; standard output without it.")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True)
@click.option("--optimizer", type=click.Choice(["sgd", "momentum", "adam"]), default="sgd", show_default=True)
@click.option("--weight-decay", type=float, default=0.0, show_default=True, help="Decoupled; biases are exempt.")
@size_option
@section_option
def compile_(source: str, target: str, output: Path | None, section: str | None, **options: Any) -> None:
    """Write the training function (loss, gradients, update) as source that a person can read.

    Each line carries the number of its equation on the sheet.

    \b
    derive compile notes.md --target c --size n=64 --size h=32 -o train.c
    """
    _check_target(target, ("numpy", "c"))
    if output is not None:
        check_writable(output)
    _, derivation = _chosen(source, section)
    name = output.stem if output is not None else "model"
    settings = {word: options[word] for word in ("dtype", "optimizer", "weight_decay")}
    text = codegen.training_source(derivation, target, _sizes(options["sizes"]), name=name, **settings)
    _emit(output, text)


def _check_target(target: str, known: Sequence[str]) -> None:
    if target in LATER and target not in known:
        raise DeriveError(f"the target {target} is not there yet; use one of {', '.join(known)}")
    if target not in known:
        raise DeriveError(f"there is no target {target}; use one of {', '.join(known)}")


def _sizes(pairs: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        if not name or not number.isdigit() or int(number) < 1:
            raise DeriveError(f"--size {pair}: expected NAME=N with a whole number, such as --size h=32")
        found[name] = int(number)
    return found


def _chosen(source: str, section: str | None) -> tuple[Section, Derivation]:
    """Return the last model that can be trained, and its record; say which of several it is."""
    book = Workbook(source, section)
    chosen = book.trainable()
    if len(book.sections) > 1:
        log.info("model: %s", chosen.title)
    return chosen, chosen.derive(check=False)


def _emit(output: Path | None, text: str) -> None:
    if output is None:
        click.echo(text, nl=False)
    else:
        write_whole(output, text.encode())
        log.info("wrote %s", output)


@main.command()
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
    _check_target(target, ("c", "numpy"))
    for name in ("epochs", *(["patience"] if options["patience"] is not None else [])):
        codegen.whole_number(name, options[name], least=1)
    for path in (options["save"], options["checkpoint"]):
        if path is not None:
            check_writable(path)
    arrays, bound = load_data(data_file), parse_bindings(bindings)
    _, derivation = _chosen(source, section)
    settings = {name: options[name] for name in ("batch", "dtype", "optimizer", "lr", "seed", "weight_decay")}
    trainer = codegen.compile(
        derivation, target=target, sizes=_sizes(options["sizes"]), lr_schedule=options["schedule"], **settings
    )
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
            trainer, None, held_out, epochs, patience=options["patience"], checkpoint=options["checkpoint"],
            resume=options["resume"], on_steps=lambda: view.steps(trainer.steps - trainer.started), on_epoch=view.epoch,
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
    rows.append(("seconds", f"{sum(epoch.seconds for epoch in history.epochs):.2f}"))
    result_table(rows)


@main.command()
@source_argument
@click.option(
    "--params", "params_file", required=True, type=click.Path(path_type=Path), help="What `derive train --save` wrote."
)
@click.option("--target", default="c", show_default=True, help="c, header or numpy.")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Where; its stem is the prefix of all names."
)
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True)
@section_option
def export(source: str, params_file: Path, target: str, output: Path, dtype: str, section: str | None) -> None:
    """Write the trained function, its parameters baked in, with its own self-test.

    \b
    derive export notes.md --params params.npz --target c -o digits.c
    cc -std=c99 -O2 -DDIGITS_SELF_TEST digits.c -o digits-test && ./digits-test
    """
    _check_target(target, ("numpy", "c", "header"))
    check_writable(output)
    saved = codegen.load_params(params_file)
    _, derivation = _chosen(source, section)
    sizes = {name: int(number) for name, number in saved.meta.get("sizes", {}).items()}
    files = codegen.export_function(derivation, saved.params, target=target, name=output.stem, dtype=dtype, sizes=sizes)
    for name, text in files.items():
        path = output if len(files) == 1 or Path(name).suffix == ".c" else output.with_suffix(Path(name).suffix)
        write_whole(path, text.encode())
        log.info("wrote %s", path)


@main.command()
def serve() -> None:
    """The same in a browser, on loopback (not there yet)."""
    raise DeriveError("`derive serve` is not there yet; use `derive sheet SOURCE -o sheet.html` and open the file")
