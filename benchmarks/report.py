"""Figures as tables: on a terminal, in a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

NONE = "–"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table with a title, the first column of words, the others of numbers, and notes below it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    words: Sequence[int] = (0,)

    def show(self, console: Console) -> None:
        """Print it."""
        console.print(self.title, style="bold", markup=False, highlight=False)
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for k, column in enumerate(self.columns):
            table.add_column(column, justify="left" if k in self.words else "right", no_wrap=k not in self.words)
        for row in self.rows:
            table.add_row(*map(escape, row))
        console.print(table)
        for note in self.notes:
            console.print(f"  {note}", style="dim", markup=False, highlight=False)

    def markdown(self) -> str:
        """Return it as Markdown."""
        rule = [":--" if k in self.words else "--:" for k in range(len(self.columns))]
        lines = ["| " + " | ".join(row) + " |" for row in (self.columns, rule, *self.rows)]
        notes = [f"- {note}" for note in self.notes]
        return "\n".join([f"## {self.title}", "", *lines, "", *notes, *([""] if notes else [])])


def save(sheets: Sequence[Sheet], path: Path) -> None:
    """Write tables to a file: Markdown by its ending, else as on a terminal of 80 columns."""
    if path.suffix == ".md":
        path.write_text("\n".join(sheet.markdown() for sheet in sheets), encoding="utf-8")
        return
    with path.open("w", encoding="utf-8") as stream:
        console = Console(file=stream, width=80)
        for sheet in sheets:
            sheet.show(console)


def figures(value: float | None) -> str:
    """Return a number with three figures.

    >>> figures(0.0693), figures(5.437), figures(162.4), figures(3072.1), figures(None)
    ('0.0693', '5.44', '162', '3072', '–')
    """
    if value is None:
        return NONE
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3g}"


def share(value: float | None) -> str:
    """Return a fraction in per cent."""
    return NONE if value is None else f"{100 * value:.0f} %" if value >= 0.1 else f"{100 * value:.1f} %"
