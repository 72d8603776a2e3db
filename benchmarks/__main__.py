"""Speed beside peers, measured in one run.

python -m benchmarks [--workloads W3,W4] [--quick] [--json FILE] [--plot FILE] [--table FILE]
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from benchmarks.contestants import ROSTERS
from benchmarks.crew import processors
from benchmarks.machine import facts, own_versions
from benchmarks.peak import Peak
from benchmarks.report import Sheet, save
from benchmarks.sections import SECTIONS, Plan, every_peer
from benchmarks.workloads import WORKLOADS, Workload, chosen
from codegen import CodegenError

ROUNDS, QUICK_ROUNDS, SECONDS = 9, 3, 0.03
File = click.Path(dir_okay=False, path_type=Path)


def pick_workloads(_: click.Context, __: click.Parameter, words: str | None) -> list[Workload]:
    """Return the workloads that an option names."""
    try:
        return list(chosen(words))
    except KeyError as error:
        raise click.BadParameter(f"met {error.args[0]}; expected some of {', '.join(WORKLOADS)}") from None


def pick_sections(_: click.Context, __: click.Parameter, words: str) -> list[str]:
    """Return the sections that an option names."""
    names = list(SECTIONS) if words == "all" else [word.strip() for word in words.split(",")]
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        raise click.BadParameter(f"met {unknown[0]}; expected all, or some of {', '.join(SECTIONS)}")
    return names


def pick_peers(_: click.Context, __: click.Parameter, words: str) -> frozenset[str] | None:
    """Return the packages that an option names; None means all."""
    known = {entry.package for roster in ROSTERS.values() for entry in roster.values() if entry.package}
    if words in ("all", "none"):
        return None if words == "all" else frozenset()
    names = frozenset(word.strip() for word in words.split(","))
    if names - known:
        raise click.BadParameter(f"met {min(names - known)}; expected all, none, or some of {', '.join(sorted(known))}")
    return names


def find_python(_: click.Context, __: click.Parameter, command: str) -> str:
    """Return the path of the peers' interpreter."""
    path = shutil.which(command)
    if path is None:
        raise click.BadParameter(f"met {command}; expected the path of a Python interpreter")
    return str(Path(path).absolute())  # not resolved: a link is what tells an environment


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--workloads", callback=pick_workloads, help="Comma-separated names or beginnings of names; all if none.")
@click.option("--sections", default="steps", show_default=True, callback=pick_sections,
              help=f"`all`, or some of {', '.join(SECTIONS)}.")  # fmt: skip
@click.option("--peers", default="all", show_default=True, callback=pick_peers,
              help="`all`, `none`, or packages: numpy,jax,torch,…")  # fmt: skip
@click.option("--python", "peer_python", default=sys.executable, callback=find_python,
              help="The interpreter that has the peers.")  # fmt: skip
@click.option("--clock", type=click.Choice(["wall", "cpu"]), default="wall", show_default=True,
              help="What is timed; on a busy machine `cpu` leaves out the time of other processes.")  # fmt: skip
@click.option("--quick", is_flag=True, help=f"{QUICK_ROUNDS} rounds in place of {ROUNDS}.")
@click.option("--verbose", "-v", is_flag=True, help="A table of all peers too.")
@click.option("--json", "json_path", type=File, help="Write all figures here too.")
@click.option("--table", "table_path", type=File, help="Write the tables here too; Markdown if it ends in .md.")
@click.option("--plot", "plot_path", type=File, help="Draw the ratios here: .png or .svg; needs matplotlib.")
def main(
    workloads: list[Workload], sections: list[str], peers: frozenset[str] | None, peer_python: str, clock: str,
    quick: bool, verbose: bool, json_path: Path | None, table_path: Path | None, plot_path: Path | None,
) -> None:  # fmt: skip
    """Measure training steps beside peers. Example: python -m benchmarks --workloads W3,W4 --quick

    Exits with 1 where ours was not compiled or failed the gate.
    """
    console, progress = Console(), Console(stderr=True, highlight=False)
    plan = Plan(
        workloads, QUICK_ROUNDS if quick else ROUNDS, SECONDS, peers, peer_python, sys.executable, clock,
        lambda text: progress.print(text, markup=False, style="dim", soft_wrap=True),
    )  # fmt: skip
    try:
        peak = Peak(processors()[-1])
    except CodegenError as error:
        raise click.ClickException(str(error)) from error
    whole: dict[str, Any] = {"machine": facts(), "versions": own_versions(), "rounds": plan.rounds, "clock": clock}
    sheets: list[Sheet] = []
    failed = False
    for name in sections:
        section = SECTIONS[name](plan, peak)
        whole |= section.figures
        whole["versions"] |= section.versions
        failed |= section.failed
        shown = [section.sheet, *(every_peer(section.figures) if verbose and name == "steps" else [])]
        for sheet in shown:
            sheet.show(console)
        sheets += shown
    whole["machine"]["fma_peak_gflops"] = peak.gflops or peak.measure()
    if json_path is not None:
        json_path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if table_path is not None:
        save(sheets, table_path)
    if plot_path is not None and "workloads" in whole:
        _plot(whole, plot_path, progress)
    sys.exit(1 if failed else 0)


def _plot(whole: dict[str, Any], path: Path, progress: Console) -> None:
    """Draw the ratios, or say why not."""
    try:
        plot = importlib.import_module("benchmarks.plot")
    except ModuleNotFoundError as error:
        progress.print(f"{error.name}: not installed; no picture was drawn", markup=False)
        return
    plot.draw(whole["workloads"], whole["geomean"], path)


if __name__ == "__main__":
    main()
