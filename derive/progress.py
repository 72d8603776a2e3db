"""How long work is shown: a bar on a terminal, else a line now and then; and the table at the end of a training.

Nothing here trains or judges; numbers come in, text goes to stderr.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

import rich.box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

LINES = 10  # over a whole training, where there is no terminal
PAUSE = 30.0  # seconds without a line, at most


def metric_text(name: str, value: float) -> str:
    """Return a metric as it is shown.

    >>> metric_text("accuracy", 0.9753), metric_text("RMSE", 0.0123456)
    ('97.53 %', '0.01235')
    """
    return f"{100 * value:.2f} %" if name == "accuracy" else f"{value:.4g}"


def rate_text(number: float) -> str:
    """Return samples per second, short.

    >>> rate_text(940.2), rate_text(12345.0), rate_text(2.5e6), rate_text(999_999.0)
    ('940 samples/s', '12.3k samples/s', '2.5M samples/s', '1000k samples/s')
    """
    size, letter = next(((size, letter) for size, letter in ((1e6, "M"), (1e3, "k")) if number >= size), (1, ""))
    short = number / size
    return f"{short:.0f}{letter} samples/s" if short >= 100 else f"{short:.3g}{letter} samples/s"


class Finished(Protocol):
    """An epoch that is over, as `codegen.fit` reports it."""

    @property
    def number(self) -> int:
        """From 1."""

    @property
    def loss(self) -> float:
        """The mean over its samples."""

    @property
    def metric(self) -> float | None:
        """After it; None where there is none."""

    @property
    def metric_name(self) -> str:
        """`accuracy`, `RMSE` or `R2`."""

    @property
    def seconds(self) -> float:
        """How long its steps took."""


@dataclass(slots=True)
class TrainingView:
    """Shows a training while it runs.

    Attributes:
        epochs: How many there shall be.
        rows: Samples in an epoch.
        batches: Steps in an epoch.
        held_out: Whether the metric is one of held-out samples.
        say: Writes a line.
        hidden: Whether nothing is to be shown.
    """

    epochs: int
    rows: int
    batches: int
    held_out: bool
    say: Callable[[str], None]
    hidden: bool = False
    console: Console = field(default_factory=lambda: Console(stderr=True))
    bar: Progress | None = None
    task: TaskID | None = None
    first: tuple[float, int] | None = None
    told: float = field(default_factory=lambda: time.monotonic())

    def __enter__(self) -> Self:
        if not self.hidden and self.console.is_terminal:
            columns = (
                TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"), BarColumn(8),
                TextColumn("{task.fields[result]}"), TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
            )  # fmt: skip
            self.bar = Progress(*columns, console=self.console)
            total = self.epochs * self.batches
            self.task = self.bar.add_task("", total=total, epoch=0, epochs=self.epochs, result="", rate="")
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def rate(self, steps: int) -> str:
        """Return samples per second since the first call, all things counted, as a text; empty at first."""
        now = time.monotonic()
        if self.first is None:
            self.first = now, steps
            if steps and self.bar is None and not self.hidden:
                self.tell(f"going on from {steps / self.batches:.4g} epochs of {self.epochs}")
        started, before = self.first
        taken = (steps - before) * self.rows / self.batches
        return rate_text(taken / (now - started)) if taken and now > started else ""

    def steps(self, steps: int) -> None:
        """Show that so many steps of the training were taken."""
        rate, number = self.rate(steps), max(1, -(-steps // self.batches))
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, completed=steps, epoch=number, rate=rate)
        elif not self.hidden and time.monotonic() - self.told > PAUSE:
            share = steps / self.batches - (number - 1)
            self.tell(f"epoch {number} of {self.epochs}: {share:.0%} done, {rate}")

    def epoch(self, epoch: Finished) -> None:
        """Show a finished epoch."""
        result = f"loss {epoch.loss:.4g}"
        if epoch.metric is not None:
            result += f", {epoch.metric_name} {metric_text(epoch.metric_name, epoch.metric)}"
        steps = epoch.number * self.batches
        rate = self.rate(steps)
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, completed=steps, epoch=epoch.number, result=result, rate=rate)
        elif not self.hidden and self.worth_a_line(epoch.number):
            where = " held out" if self.held_out and epoch.metric is not None else ""
            self.tell(f"epoch {epoch.number} of {self.epochs}: {result}{where}, {rate}")

    def worth_a_line(self, number: int) -> bool:
        """Tell whether an epoch is shown where there is no terminal: about one in ten, and none too late."""
        tenth = -(-self.epochs // LINES)
        return number in (1, self.epochs) or number % tenth == 0 or time.monotonic() - self.told > PAUSE

    def tell(self, text: str) -> None:
        """Write a line, and remember when."""
        self.told = time.monotonic()
        self.say(text)


@contextmanager
def claims_shown(
    say: Callable[[str], None], hidden: bool = False, console: Console | None = None
) -> Iterator[Callable[[int, int], None]]:  # fmt: skip
    """Give what shows how many claims of a source are judged, of how many: a bar that goes when all are."""
    console = console or Console(stderr=True)
    if not hidden and console.is_terminal:
        words = TextColumn("claim {task.completed:.0f} of {task.total:.0f}")
        with Progress(words, BarColumn(30), TimeRemainingColumn(), console=console, transient=True) as bar:
            task = bar.add_task("", total=0, visible=False)
            yield lambda done, total: bar.update(task, completed=done + 1, total=total, visible=True)
        return
    told = [time.monotonic()]

    def line(done: int, total: int) -> None:
        if not hidden and time.monotonic() - told[0] > PAUSE:
            told[0] = time.monotonic()
            say(f"claim {done + 1} of {total}")

    yield line


def result_table(rows: list[tuple[str, str]]) -> None:
    """Print the results of a training on stdout."""
    table = Table(box=rich.box.SIMPLE, show_header=False, pad_edge=False)
    for name, value in rows:
        table.add_row(name, value)
    Console(width=80).print(table)
