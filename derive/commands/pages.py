"""The commands about a source itself: its sheet, and the verdicts on what it claims."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

import codegen
from derive.cases.claims_file import Entry, load_entries
from derive.checking import Checked, check_source
from derive.claims.entries import judge_entries
from derive.claims.in_model import JudgedClaim
from derive.command import code_options, section_option, source_argument
from derive.commands.handwritten import conventions, judge_file
from derive.errors import DeriveError
from derive.explain import explain
from derive.files import check_writable
from derive.progress import claims_shown
from derive.report import claim_json, exit_code, to_json, to_lines
from derive.report_page import save_report
from derive.sheet.plain import to_text
from derive.sheet.write import SUFFIXES, save_document
from derive.workbook import Workbook

T = TypeVar("T")
log = logging.getLogger("derive")


@click.command()
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


@click.command()
@source_argument
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--explain", "number", type=int, metavar="N", help="Print the derivation that decides on the N-th claim.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the page with its verdicts too: .html.")
@section_option
@code_options
@click.pass_context
def check(
    ctx: click.Context, /, source: str, as_json: bool, number: int | None, output: Path | None, section: str | None,
    code: str | None, **how: Any,
) -> None:  # fmt: skip
    """Judge every formula that the page claims, or with --code a backward function.

    Exit code 0: every claim holds. 1: one is refuted or ill-typed. 3: one is undecided or unread.
    A claim that takes more than 10 s or 2 GB is undecided; a page gets 60 s to be read.

    \b
    derive check notes.md
    derive check notes.md --json > report.json
    derive check notes.md --explain 3
    derive check notes.md -o report.html
    derive check notes.md --code layer.py:backward
    derive check claims.jsonl > verdicts.jsonl
    """
    if output is not None:
        _check_report(output, source)
    if number is not None and (as_json or output is not None or code is not None):
        raise DeriveError("--explain prints one claim of the source as text; leave out --json, -o and --code")
    if code is not None:
        judged = Checked(tuple(judge_file(source, section, code, **how)), (), ())
        if output is not None:
            save_report(output, source, judged.claims)
        _report(ctx, source, judged, as_json, conventions(judged.claims))
    if any(how.values()):
        raise DeriveError("--wrt, --name, --samples and --size say how a function is read; add --code FILE:NAME")
    quiet = not log.isEnabledFor(logging.INFO)
    if source.endswith(".jsonl"):
        entries = load_entries(source)
        if number is None:
            _answer(ctx, source, entries, output, quiet)
        else:
            entry = _numbered(entries, number, source)
            _explain(ctx, next(judge_entries([entry])), number, entry)
    with claims_shown(log.info, quiet) as shown:
        found = check_source(source, section, shown=shown)
    if number is not None:
        _explain(ctx, _numbered(found.claims, number, source), number, Workbook(source, section))
    if output is not None:
        save_report(output, source, found.claims, found.assumed, Workbook(source, section))
    _report(ctx, source, found, as_json)


def _check_report(output: Path, source: str) -> None:
    if output.exists() and Path(source).exists() and output.samefile(source):
        raise DeriveError(f"{output} is the page itself; give the report another name")
    if output.suffix.lower() != ".html":
        raise DeriveError(f"{output}: the report of a check is one file that ends in .html; choose that ending")
    check_writable(output)


def _numbered(items: Sequence[T], number: int, source: str) -> T:
    """Return the N-th of the claims of a source."""
    if not 1 <= number <= len(items):
        hint = f"give a number from 1 to {len(items)}" if items else "there is nothing to explain"
        raise DeriveError(f"--explain {number}: {source} has {len(items)} claim{'s' * (len(items) != 1)}; {hint}")
    return items[number - 1]


def _explain(ctx: click.Context, claim: JudgedClaim, number: int, source: Workbook | Entry) -> None:
    """Print the derivation that decides on a claim, and end with the exit code of its verdict."""
    click.echo(to_text(explain(claim, number, source)), nl=False)
    ctx.exit(exit_code([claim]))


def _report(ctx: click.Context, source: str, found: Checked, as_json: bool, given: Sequence[str] = ()) -> None:
    """Print the verdicts and what is taken as given, and end with the exit code that they give."""
    if as_json:
        report = to_json(source, found.symbols, found.claims, found.assumed)
        click.echo(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        verbose = log.isEnabledFor(logging.DEBUG)
        click.echo("\n".join([*to_lines(source, found.claims, verbose, found.assumed), *given]))
    ctx.exit(exit_code(found.claims))


def _answer(ctx: click.Context, source: str, entries: Sequence[Entry], output: Path | None, quiet: bool) -> None:
    """Print one object a line for the entries of a claims file, each as soon as it is judged."""
    done: list[JudgedClaim] = []
    with claims_shown(log.info, quiet or sys.stdout.isatty()) as shown:
        for claim in judge_entries(entries):
            shown(len(done), len(entries))
            click.echo(json.dumps(claim_json(claim), ensure_ascii=False))
            done.append(claim)
    if output is not None:
        save_report(output, source, done)
    ctx.exit(exit_code(done))


@click.command()
def serve() -> None:
    """The same in a browser, on loopback (not there yet)."""
    raise DeriveError("`derive serve` is not there yet; use `derive sheet SOURCE -o sheet.html` and open the file")
