"""The command `derive`: the roof, the one module of this package that may import codegen."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import rich.box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import codegen
from codegen.data import parse_bindings
from codegen.files import load_data
from codegen.split import split_held_out
from derive.derivation import Derivation
from derive.errors import DeriveError
from derive.files import check_writable, write_whole
from derive.report import exit_code, in_unicode, to_json, to_lines
from derive.sheet.plain import to_text
from derive.sheet.write import SUFFIXES, save_document
from derive.version import VERSION
from derive.workbook import Section, Workbook

LATER = ("jax", "onnx", "wasm")
HELD_OUT = 0.2
log = logging.getLogger("derive")

section_option = click.option(
    "--section", metavar="HEADING", help="Words of the heading that picks one model of a page."
)
source_argument = click.argument("source", metavar="SOURCE")


def size_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --size, for sizes that the data do not fix."""
    help_text = "A size that the data do not fix, such as h=32; may be given several times."
    return click.option("--size", "sizes", multiple=True, metavar="NAME=N", help=help_text)(command)


class Commands(click.Group):
    """The group of commands: an error of ours is one line on stderr and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; errors that a user can mend leave no traceback."""
        try:
            return super().invoke(ctx)
        except DeriveError as error:
            click.echo(f"derive: {in_unicode(' '.join(str(error).split()))}", err=True)
            ctx.exit(2)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="derive")
@click.option("-q", "--quiet", is_flag=True, help="Print results and errors only.")
@click.option("-v", "--verbose", is_flag=True, help="Say more: reasons, assumptions, what was chosen.")
def main(quiet: bool, verbose: bool) -> None:
    r"""Gradients as a sheet in which every step is checked, and as compiled code.

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
@section_option
def sheet(source: str, output: Path | None, section: str | None) -> None:
    r"""Write the derivation sheet; as text on the terminal without -o.

    \b
    derive sheet notes.md -o notes.html
    derive sheet notes.md --section "Logistic Regression" -o logistic.pdf
    """
    if output is not None:
        _check_suffix(output)
        check_writable(output)
    document = Workbook(source, section).document()
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
    r"""Judge every formula that the page claims.

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
@size_option
@section_option
def compile_(
    source: str, target: str, output: Path | None, dtype: str, optimizer: str, sizes: Sequence[str], section: str | None
) -> None:
    r"""Write the training function (loss, gradients, update) as source that a person can read.

    Each line carries the number of its equation on the sheet.

    \b
    derive compile notes.md --target c --size n=64 --size h=32 -o train.c
    """
    _check_target(target, ("numpy", "c"))
    if output is not None:
        check_writable(output)
    _, derivation = _chosen(source, section)
    name = output.stem if output is not None else "model"
    text = codegen.training_source(derivation, target, _sizes(sizes), dtype, name, optimizer)
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
@click.option(
    "--data", "data_file", required=True, type=click.Path(path_type=Path), help="Arrays: .npz or .csv, a row a sample."
)
@click.option(
    "--bind", "bindings", multiple=True, metavar="SYMBOL=ARRAY", help="Which array is which symbol, such as x=images."
)
@click.option("--target", default="c", show_default=True, help="c or numpy.")
@click.option("--epochs", type=click.IntRange(1), default=30, show_default=True)
@click.option("--batch", type=click.IntRange(1), default=32, show_default=True)
@click.option("--lr", type=click.FloatRange(0, min_open=True), default=0.1, show_default=True)
@click.option("--optimizer", type=click.Choice(["sgd", "momentum", "adam"]), default="sgd", show_default=True)
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--save", type=click.Path(path_type=Path), help="Where the parameters go, .npz.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Written after every epoch.")
@click.option("--resume", type=click.Path(path_type=Path), help="A checkpoint to go on from.")
@size_option
@section_option
def train(
    source: str, data_file: Path, bindings: Sequence[str], target: str, section: str | None, **options: Any
) -> None:
    r"""Train on real data; a page that describes one sample is trained in mini-batches.

    A fifth of the samples is held out, or what the file calls NAME_test. Ctrl-C keeps what was learned.

    \b
    derive train notes.md --data digits.npz --epochs 40 --save params.npz
    derive train notes.md --section 3.4 --data data.csv --bind x=images --bind y=labels
    """
    _check_target(target, ("c", "numpy"))
    for path in (options["save"], options["checkpoint"]):
        if path is not None:
            check_writable(path)
    arrays = load_data(data_file)
    _, derivation = _chosen(source, section)
    settings = {name: options[name] for name in ("batch", "dtype", "optimizer", "lr", "seed")}
    trainer = codegen.compile(derivation, target=target, sizes=_sizes(options["sizes"]), **settings)
    trainer.fitted({name: a for name, a in arrays.items() if not name.endswith("_test")}, parse_bindings(bindings))
    fit_on, held_out = split_held_out(arrays, HELD_OUT, options["seed"])
    samples: dict[str, Any] = dict(fit_on)
    trainer.bind(bindings=parse_bindings(bindings), **samples)
    for note in trainer.notes:
        log.info(note.replace("with sizes=", "with --size"))
    history = _fit(trainer, held_out, parse_bindings(bindings), options)
    _report(trainer, history, len(next(iter(held_out.values()))))
    if options["save"] is not None:
        codegen.save_params(options["save"], trainer, {"source": source, "metric": history.metric})
        log.info("wrote %s", options["save"])


def _fit(
    trainer: codegen.Trainer, held_out: dict[str, Any], bindings: dict[str, str], options: dict[str, Any]
) -> codegen.History:
    """Train with a progress bar that shows loss and metric."""
    console = Console(stderr=True)
    columns = (
        TextColumn("epoch"), MofNCompleteColumn(), BarColumn(24), TextColumn("loss {task.fields[loss]}"),
        TextColumn("{task.fields[metric]}"), TimeRemainingColumn(),
    )  # fmt: skip
    hidden = not log.isEnabledFor(logging.INFO) or not console.is_terminal
    with Progress(*columns, console=console, disable=hidden) as progress:
        task = progress.add_task("", total=options["epochs"], loss="-", metric="")

        def show(epoch: codegen.Epoch) -> None:
            metric = "" if epoch.metric is None else f"held out {epoch.metric:.4g}"
            progress.update(task, completed=epoch.number, loss=f"{epoch.loss:.4g}", metric=metric)
            if not console.is_terminal and epoch.number % max(1, options["epochs"] // 10) == 0:
                log.info("epoch %d of %d: loss %.4g %s", epoch.number, options["epochs"], epoch.loss, metric)

        return codegen.fit(
            trainer, None, held_out, options["epochs"], bindings=bindings, on_epoch=show,
            checkpoint=options["checkpoint"], resume=options["resume"],
        )  # fmt: skip


def _report(trainer: codegen.Trainer, history: codegen.History, count: int) -> None:
    if history.interrupted:
        log.warning("stopped by Ctrl-C after %d epochs; what was learned is kept", len(history.epochs))
    if not history.epochs:
        return
    last = history.epochs[-1]
    table = Table(box=rich.box.SIMPLE, show_header=False, pad_edge=False)
    table.add_row("epochs", str(len(history.epochs)))
    table.add_row("loss", f"{last.loss:.6g}")
    if last.metric is not None:
        value = f"{100 * last.metric:.2f} %" if history.metric == "accuracy" else f"{last.metric:.6g}"
        table.add_row(f"{history.metric} on {count} held-out samples", value)
    table.add_row("seconds", f"{sum(epoch.seconds for epoch in history.epochs):.2f}")
    Console(width=80).print(table)


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
    r"""Write the trained function, its parameters baked in, with its own self-test.

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
