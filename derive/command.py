"""What the commands share: options, and errors as one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from derive.errors import DeriveError
from derive.report import in_unicode

section_option = click.option(
    "--section", metavar="HEADING", help="Words of the heading that picks one model of a page."
)
source_argument = click.argument("source", metavar="SOURCE")


def size_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --size, for sizes that the data do not fix."""
    help_text = "A size that the data do not fix, such as h=32; may be given several times."
    return click.option("--size", "sizes", multiple=True, metavar="NAME=N", help=help_text)(command)


TRAINING = (
    click.option(
        "--data",
        "data_file",
        required=True,
        type=click.Path(path_type=Path),
        help="Arrays: .npz or .csv, a row a sample.",
    ),
    click.option(
        "--bind",
        "bindings",
        multiple=True,
        metavar="SYMBOL=ARRAY",
        help="Which array is which symbol, such as x=images.",
    ),
    click.option("--target", default="c", show_default=True, help="c or numpy."),
    click.option("--epochs", type=int, default=30, show_default=True),
    click.option("--batch", type=int, default=32, show_default=True),
    click.option("--lr", type=float, default=0.1, show_default=True, help="Learning rate."),
    click.option(
        "--schedule",
        default="constant",
        show_default=True,
        metavar="NAME[:KEY=N,…]",
        help="How the learning rate changes: constant, step, exponential, linear or cosine, such as cosine:warmup=100 "
        "(steps) or step:every=10epochs,factor=0.5.",
    ),
    click.option("--optimizer", type=click.Choice(["sgd", "momentum", "adam"]), default="sgd", show_default=True),
    click.option("--weight-decay", type=float, default=0.0, show_default=True, help="Decoupled; biases are exempt."),
    click.option(
        "--validation",
        metavar="SHARE|FILE",
        help="What judges every epoch and is not trained on: a share of the samples (0 for none) or another file. "
        "[default: arrays NAME_test, else 0.2]",
    ),
    click.option(
        "--patience",
        type=int,
        metavar="N",
        help="Stop after N epochs that were no better on the validation samples, and keep the best epoch's parameters.",
    ),
    click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True),
    click.option("--seed", type=int, default=0, show_default=True),
    click.option("--save", type=click.Path(path_type=Path), help="Where the parameters go, .npz."),
    click.option(
        "--checkpoint", type=click.Path(path_type=Path), help="Written about every second, whole or not at all."
    ),
    click.option("--resume", type=click.Path(path_type=Path), help="A checkpoint to go on from, to the same bits."),
)


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a training, in the order of `TRAINING`."""
    for option in reversed(TRAINING):
        command = option(command)
    return command


class Commands(click.Group):
    """The group of commands: an error of ours is one line on stderr and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; errors that a user can mend leave no traceback."""
        try:
            return super().invoke(ctx)
        except DeriveError as error:
            click.echo(f"derive: {in_unicode(_in_flags(' '.join(str(error).split())))}", err=True)
            ctx.exit(2)
        except click.UsageError as error:
            page = "derive" if error.ctx is None or error.ctx.parent is None else f"derive {error.ctx.info_name}"
            text = " ".join(error.format_message().split()).rstrip(".")
            click.echo(f"derive: {text}; see `{page} --help`", err=True)
            ctx.exit(2)


def _in_flags(text: str) -> str:
    """Return a message that begins with a setting's name with the name of its option."""
    name, colon, rest = text.partition(":")
    flags = {"lr_schedule": "--schedule", "sizes": "--size"} | {
        word: f"--{word.replace('_', '-')}"
        for word in ("batch", "dtype", "epochs", "lr", "optimizer", "patience", "seed", "validation", "weight_decay")
    }
    return flags.get(name, name) + colon + rest.replace("lr_schedule", "--schedule")
