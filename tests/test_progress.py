"""How a training is shown: what stands on a terminal of 80 columns, and in a log."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator

import pytest
from rich.console import Console
from rich.text import Text

from codegen.history import Epoch
from derive import progress
from derive.progress import TrainingView


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clock by which every look takes a quarter of a second."""
    ticks = itertools.count(0.0, 0.25)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(ticks))
    yield


def shown(terminal: bool, epochs: int, hidden: bool = False) -> tuple[str, list[str]]:
    """Show a training of 100,000 samples in 50 steps an epoch; return what stood on the terminal and in the log."""
    screen, lines = io.StringIO(), []
    console = Console(file=screen, force_terminal=terminal, width=80, legacy_windows=False)
    with TrainingView(epochs, 100_000, 50, True, lines.append, hidden, console) as view:
        view.steps(0)
        for number in range(1, epochs + 1):
            for steps in (25, 50):
                view.steps((number - 1) * 50 + steps)
            view.epoch(Epoch(number, 0.0123456, 0.98765, 0.5, 0.1, "accuracy"))
            if view.bar is not None:
                view.bar.refresh()
    return screen.getvalue(), lines


def test_the_bar_fits_80_columns_and_says_all() -> None:
    screen, lines = shown(True, 1000)
    assert lines == []
    last = [line for line in screen.replace("\r", "\n").splitlines() if "1000/1000" in line][-1]
    text = Text.from_ansi(last).plain
    assert "loss 0.01235, accuracy 98.77 %" in text and "samples/s" in text
    assert len(text.rstrip()) <= 80 and "…" not in text


def test_without_a_terminal_there_is_a_line_now_and_then() -> None:
    screen, lines = shown(False, 40)
    assert screen == ""
    numbers = [int(line.split()[1]) for line in lines]
    assert {1, 40} <= set(numbers) and 5 <= len(lines) <= 20
    assert lines[-1].startswith("epoch 40 of 40: loss 0.01235, accuracy 98.77 % held out, ")
    assert lines[-1].endswith("k samples/s")


@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_shows_nothing(terminal: bool) -> None:
    assert shown(terminal, 20, hidden=True) == ("", [])


def test_a_long_epoch_says_how_far_it_is() -> None:
    lines: list[str] = []
    console = Console(file=io.StringIO(), force_terminal=False)
    with TrainingView(3, 1000, 1000, False, lines.append, False, console) as view:
        for steps in range(1200, 1500):
            view.steps(steps)
    assert lines.pop(0) == "going on from 1.2 epochs of 3"
    assert lines and all(line.startswith("epoch 2 of 3: ") and "% done, " in line for line in lines)
    assert len(lines) <= 300 * 0.5 / progress.PAUSE + 2
