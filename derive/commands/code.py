"""The commands that write code: the training function, and the trained one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click

import codegen
from derive.command import check_target, section_option, size_option, sizes_of, source_argument
from derive.derivation import Derivation
from derive.files import check_writable, write_whole
from derive.workbook import Workbook

log = logging.getLogger("derive")


@click.command("compile")
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
    check_target(target, ("numpy", "c"))
    if output is not None:
        check_writable(output)
    derivation = _chosen(source, section)
    name = output.stem if output is not None else "model"
    settings = {word: options[word] for word in ("dtype", "optimizer", "weight_decay")}
    text = codegen.training_source(derivation, target, sizes_of(options["sizes"]), name=name, **settings)
    _emit(output, text)


def _chosen(source: str, section: str | None) -> Derivation:
    """Return the record of the last model that can be trained; say which of several it is."""
    book = Workbook(source, section)
    chosen = book.trainable()
    if len(book.sections) > 1:
        log.info("model: %s", chosen.title)
    return chosen.derive(check=False)


def _emit(output: Path | None, text: str) -> None:
    if output is None:
        click.echo(text, nl=False)
    else:
        write_whole(output, text.encode())
        log.info("wrote %s", output)


@click.command()
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
    check_target(target, ("numpy", "c", "header"))
    check_writable(output)
    saved = codegen.load_params(params_file)
    derivation = _chosen(source, section)
    sizes = {name: int(number) for name, number in saved.meta.get("sizes", {}).items()}
    files = codegen.export_function(derivation, saved.params, target=target, name=output.stem, dtype=dtype, sizes=sizes)
    for name, text in files.items():
        path = output if len(files) == 1 or Path(name).suffix == ".c" else output.with_suffix(Path(name).suffix)
        write_whole(path, text.encode())
        log.info("wrote %s", path)
