"""What the commands share: options, how their values are read, commands on demand, errors as one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from derive.errors import DeriveError
from derive.lazy import load

LATER = ("jax", "onnx", "wasm")  # targets that come later

section_option = click.option(
    "--section", metavar="HEADING", help="Words of the heading that picks one model of a page."
)
source_argument = click.argument("source", metavar="SOURCE")


def size_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --size, for sizes that the data do not fix."""
    help_text = "A size that the data do not fix, such as h=32; may be given several times."
    return click.option("--size", "sizes", multiple=True, metavar="NAME=N", help=help_text)(command)


CODE = (
    click.option("--code", metavar="FILE:NAME", help="Judge this backward function, such as layer.py:backward."),
    click.option("--wrt", metavar="NAMES", help="By what its gradients are, in order, such as x,W,b."),
    click.option(
        "--name",
        "names",
        multiple=True,
        metavar="WORD=NAME",
        help="What a word of the code is in the model: w=W1, cache=x,W,b.",
    ),
    click.option(
        "--samples", type=click.Choice(["one", "columns", "rows"]), help="What it computes with.  [default: what fits]"
    ),
)


def code_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --code and what says how the function is read."""
    for option in reversed(CODE):
        command = option(command)
    return size_option(command)


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
    click.option(
        "--metric",
        type=click.Choice(["accuracy", "RMSE", "R2"]),
        help="How good predictions are is judged by it.  [default: what fits the target]",
    ),
    click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True),
    click.option(
        "--profile",
        type=click.Choice(["fast", "exact"]),
        default="fast",
        show_default=True,
        help="exact: the same bits from every compiler and processor, slower.",
    ),
    click.option(
        "--threads", type=int, default=1, show_default=True, help="Most that take a step together; bits stay the same."
    ),
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


def check_target(target: str, known: Sequence[str]) -> None:
    """Refuse a target that there is not, or not yet."""
    if target in LATER and target not in known:
        raise DeriveError(f"the target {target} is not there yet; use one of {', '.join(known)}")
    if target not in known:
        raise DeriveError(f"there is no target {target}; use one of {', '.join(known)}")


def sizes_of(pairs: Sequence[str]) -> dict[str, int]:
    """Read the values of --size."""
    found: dict[str, int] = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        if not name or not number.isdigit() or int(number) < 1:
            raise DeriveError(f"--size {pair}: expected NAME=N with a whole number, such as --size h=32")
        found[name] = int(number)
    return found


class Commands(click.Group):
    """The group of commands, from a table; an error of ours is one line on stderr and exit code 2."""

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str]], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; its file is imported now."""
        if cmd_name not in self.table:
            return None
        command: click.Command = load(*self.table[cmd_name][0].split(":"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands; none of them is imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in self.table.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; errors that a user can mend leave no traceback."""
        try:
            return super().invoke(ctx)
        except DeriveError as error:
            in_unicode = load("derive.sheet.text", "in_unicode")  # an error is the only need for it
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
