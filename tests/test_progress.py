"""How long work is shown: what stands on a terminal of 80 columns, and in a log."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from codegen.history import Epoch
from derive import progress
from derive.checking import check_source
from derive.progress import TrainingView, claims_shown


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


def judging(terminal: bool, hidden: bool = False) -> tuple[str, list[str]]:
    """Show that 300 claims are judged; return what stood on the terminal and in the log."""
    screen, lines = io.StringIO(), []
    console = Console(file=screen, force_terminal=terminal, width=80, legacy_windows=False)
    with claims_shown(lines.append, hidden, console) as shown:
        for done in range(300):
            shown(done, 300)
    return screen.getvalue(), lines


def test_the_claims_of_a_page_are_counted_on_a_terminal_and_the_bar_goes() -> None:
    screen, lines = judging(True)
    assert lines == [] and "claim 300 of 300" in Text.from_ansi(screen).plain
    assert screen.endswith("\x1b[2K")  # the line is empty again


def test_a_log_says_now_and_then_how_many_claims_are_judged() -> None:
    screen, lines = judging(False)
    assert screen == "" and 1 <= len(lines) <= 5
    assert all(line.startswith("claim ") and line.endswith(" of 300") for line in lines)


@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_judges_without_a_word(terminal: bool) -> None:
    assert judging(terminal, hidden=True) == ("", [])


def test_a_page_tells_how_many_of_its_claims_are_judged(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        r"$y = W x$, $L = \frac{1}{2} \|y\|^2$, $\frac{\partial L}{\partial x} = W^T y$, $\nabla_W L = y x^T$"
    )
    told: list[tuple[int, int]] = []
    judged = check_source(page, shown=lambda *now: told.append(now)).claims
    assert [claim.verdict.verdict for claim in judged] == ["proved", "proved"]
    assert told == [(0, 2), (1, 2)]
