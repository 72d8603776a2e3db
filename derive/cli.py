"""The command `derive`: the roof. Its commands are in `commands/`, each imported when it is called."""

from __future__ import annotations

import logging
import sys

import click

from derive.command import Commands
from derive.version import VERSION

COMMANDS = {
    "check": ("derive.commands.pages:check", "Judge every formula that the page claims."),
    "compile": ("derive.commands.code:compile_", "Write the training function as source that a person can read."),
    "export": ("derive.commands.code:export", "Write the trained function as one file, with its self-test."),
    "serve": ("derive.commands.pages:serve", "The same in a browser, on loopback (not there yet)."),
    "sheet": ("derive.commands.pages:sheet", "Write the derivation sheet; as text on the terminal without -o."),
    "train": ("derive.commands.training:train", "Train on real data with compiled code."),
}
"""Where each command is, and what `derive --help` says of it."""

log = logging.getLogger("derive")


@click.group(cls=Commands, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
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
