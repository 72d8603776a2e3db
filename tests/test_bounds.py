"""What takes too long or too much memory is given up, whatever it runs, and all else is judged; no process is left."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest

from derive import Model, vector
from derive.bounded import Limits, Steps, Stop, bounded
from derive.cases.claims_file import load_entries
from derive.checking import check_source
from derive.claims import entries as judging
from derive.claims.bench import Bench, make_bench
from derive.errors import DeriveError, UnreadError
from derive.meaning.facts import Facts
from derive.meaning.infer import ReadModel
from derive.report import to_lines
from derive.workbook import Workbook

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has every bound: see derive.bounded")
SOON = Limits(seconds=0.2, megabytes=256)
TOO_LONG, TOO_MUCH = "takes more than 0.2 s", "needs more than 0.25 GB of memory"


def reason(stop: Stop) -> str:
    return stop.reason


def one(work: Callable[[], object], limits: Limits = SOON) -> object:
    (found,) = bounded(lambda steps: [steps.take("", work, reason)], limits)
    return found


def deep(n: int) -> int:
    return n and 1 + deep(n - 1)


def endless() -> NoReturn:
    while True:
        pass


ADVERSE = {
    "a loop": (endless, TOO_LONG),
    "a power in C": (lambda: 7**7**11, TOO_LONG),
    "a table": (lambda: bytes(1 << 30), TOO_MUCH),
    "a list that grows": (lambda: [0] * (1 << 27), TOO_MUCH),
    "a recursion": (lambda: deep(10**6), "is nested too deeply"),
    "a crash": (lambda: os._exit(9), "ends the process that does it, with status 9"),
}


@pytest.mark.parametrize(("work", "why"), ADVERSE.values(), ids=ADVERSE)
def test_a_step_that_takes_too_much_is_given_up_for_its_reason(work: Callable[[], object], why: str) -> None:
    begin = time.process_time()
    assert one(work) == why
    assert time.process_time() - begin < 0.2  # the parent only waits


def test_the_steps_around_one_that_is_given_up_are_done_once_and_in_order(tmp_path: Path) -> None:
    def work(steps: Steps) -> Iterator[object]:
        steps.take("not sent", lambda: object(), reason, kept=False)
        for number in range(6):
            yield steps.take(number, lambda number=number: endless() if number % 3 == 1 else noted(number), reason)

    def noted(number: int) -> int:
        with (tmp_path / "done").open("a") as file:
            file.write(f"{number} ")
        return number

    assert list(bounded(work, SOON)) == [0, TOO_LONG, 2, 3, TOO_LONG, 5]
    assert (tmp_path / "done").read_text() == "0 2 3 5 "


def test_an_error_is_raised_where_it_is_asked_for() -> None:
    def refuse() -> None:
        raise UnreadError("no equation", 3)

    with pytest.raises(UnreadError, match="no equation") as caught:
        one(refuse)
    assert caught.value.column == 3


def test_what_hangs_between_steps_is_no_endless_loop() -> None:
    with pytest.raises(DeriveError, match="between two claims takes more than"):
        list(bounded(lambda steps: [endless()], SOON))


def test_a_consumer_that_takes_its_time_costs_no_step_its_verdict() -> None:
    found = []
    for item in bounded(
        lambda steps: (steps.take(k, lambda: "x" * 100_000, reason) for k in range(3)), Limits(0.1, 256)
    ):
        time.sleep(1.2)  # more than the clock on the wall allows a step
        found.append(len(item))
    assert found == [100_000] * 3


def children() -> set[str]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            found |= {path.parent.name} if f"PPid:\t{os.getpid()}\n" in path.read_text() else set()
    return found


def test_no_handler_or_timer_of_the_caller_is_touched_and_no_process_is_left() -> None:
    before = children()
    handlers = [signal.getsignal(number) for number in (signal.SIGPROF, signal.SIGALRM, signal.SIGIO, signal.SIGINT)]
    items = bounded(lambda steps: (steps.take(k, int, reason) for k in range(10**6)), SOON)
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    assert one(endless) == TOO_LONG
    after = [signal.getsignal(number) for number in (signal.SIGPROF, signal.SIGALRM, signal.SIGIO, signal.SIGINT)]
    assert after == handlers and signal.getitimer(signal.ITIMER_PROF) == (0, 0)
    assert children() == before


def test_threads_are_bounded_side_by_side() -> None:
    found: list[object] = []
    threads = [threading.Thread(target=lambda k=k: found.append(one(endless if k % 2 else int))) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, found)) == ["0"] * 3 + [TOO_LONG] * 3


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_child_outlives_its_parent(how: signal.Signals, tmp_path: Path) -> None:
    told = tmp_path / "child"
    script = f"""
import os, pathlib, signal
from derive.bounded import Limits, bounded
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has it ignored
def hang():
    pathlib.Path({str(told)!r}).write_text(str(os.getpid()) + ".")
    return 7**7**11  # in C, where no thread and no handler of Python's gets a turn
list(bounded(lambda steps: [steps.take("", hang, str)], Limits(50, 2048)))
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    until(lambda: told.exists() and told.read_text().endswith("."))
    child = int(told.read_text().rstrip("."))
    parent.send_signal(how)
    try:
        assert parent.wait(10) != 0
    finally:
        parent.kill()
        parent.wait()
    until(lambda: not running(child))


def running(process: int) -> bool:
    try:
        return b") Z" not in Path(f"/proc/{process}/stat").read_bytes()
    except OSError:
        return False


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


# ---------------------------------------------------------------- claims that hang
DOUBLED = "\n\n".join(f"$$y_{{{k + 1}}} = y_{{{k}}} + y_{{{k}}}^2$$" for k in range(1, 20))
LAYER = r"""
# A layer

Let $W \in \mathbb{R}^{h \times n}$ and $x \in \mathbb{R}^n$.

$$z = W x$$

$$L = z^T z$$

$$\frac{\partial L}{\partial W} = 2 z x^T$$

$$\frac{\partial L}{\partial W} = z x^T$$
"""
PAGE = rf"""# Squares of squares

Let $t \in \mathbb{{R}}$.

$$y_1 = t + t^2$$

{DOUBLED}

$$L = y_{{20}}$$

$$\frac{{\partial L}}{{\partial t}} = 2^{{40}} t$$
{LAYER}"""


FOUR, SCALARS = "(a + b + c + d)", r"Let $a, b, c, d \in \mathbb{R}$."
HARD = {
    "a power of a sum": (
        rf"{SCALARS} $$y = {FOUR}^{{40}}$$ $$\frac{{\partial y}}{{\partial a}} = 40 {FOUR}^{{20}} {FOUR}^{{19}}$$",
        "verified",
    ),
    "a wrong power": (
        rf"{SCALARS} $$y = {FOUR}^{{40}}$$ $$\frac{{\partial y}}{{\partial a}} = 40 {FOUR}^{{20}} {FOUR}^{{18}}$$",
        "refuted",
    ),
    "powers of powers": (
        rf"{SCALARS} $$y = (((a+b+c)^9+b)^9+c)^9$$ "
        r"$$\frac{\partial y}{\partial a} = 729 (((a+b+c)^9+b)^9+c)^8 ((a+b+c)^9+b)^8 (a+b+c)^8$$",
        "verified",
    ),
    "a huge power": (
        r"Let $x \in \mathbb{R}$. $$y = x^{99999999}$$ $$\frac{\partial y}{\partial x} = 99999999 x^{99999998}$$",
        "undecided",
    ),
    "a tower": (r"Let $x \in \mathbb{R}$. $$y = 9^{9^9} x$$ $$\frac{\partial y}{\partial x} = 9^{9^9}$$", "unread"),
    "a macro that doubles": (
        "".join(rf"\def\{a}{{\{b}\{b}}}" for a, b in itertools.pairwise("abcdefghijklmnopqrstuvwxyz")) + r" $$x = \a$$",
        "unread",
    ),
    "deep braces": ("$$y = " + "{" * 10_000 + "x" + "}" * 10_000 + "$$", "unread"),
    "braces that do not close": ("$$y = " + "{" * 10_000 + "$$ $$a = )$$", "unread"),
}


@pytest.mark.parametrize(("text", "verdict"), HARD.values(), ids=HARD)
def test_a_formula_that_asks_for_much_has_its_verdict_soon(text: str, verdict: str, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(text)
    claims = check_source(path).claims
    assert claims[-1].verdict.verdict == verdict, claims[-1].verdict
    assert "takes more" not in claims[-1].verdict.reason


def test_a_claim_that_hangs_is_undecided_and_the_others_have_their_verdicts(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    found = check_source(path, limits=Limits(2, 256))
    assert [claim.verdict.verdict for claim in found.claims] == ["undecided", "proved", "refuted"]
    assert "takes more than 2 s" in found.claims[0].verdict.reason
    assert "takes more than 2 s" in "\n".join(to_lines("page.md", found.claims))
    assert found.symbols


def test_a_section_whose_model_hangs_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(model: ReadModel, facts: Facts) -> Bench:
        return make_bench(model, facts) if "layer" in model.sketch.title else endless()

    monkeypatch.setattr("derive.claims.pages.make_bench", make)
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    first, *others = check_source(path, limits=Limits(1, 256)).claims
    assert first.verdict.reason == "deriving its model takes more than 1 s"
    assert [claim.verdict.verdict for claim in others] == ["proved", "refuted"]


def test_a_page_that_is_not_read_in_time_is_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("derive.checking.READING", 0.3)
    monkeypatch.setattr("derive.workbook.outline", lambda page: endless())
    path = tmp_path / "page.md"
    path.write_text(LAYER)
    (claim,) = check_source(path).claims
    assert claim.verdict.verdict == "unread"
    assert claim.verdict.reason == "reading the page takes more than 0.3 s; split it"


def test_an_entry_of_a_claims_file_that_hangs_is_undecided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("derive.bounded.LIMITS", Limits(1, 256))
    entries = [
        {"id": "a", "model": ["y = w^T x"], "claim": r"\frac{\partial y}{\partial x} = w",
         "symbols": {"w": {"shape": ["n"]}, "x": {"shape": ["n"]}}},
        {"id": "b", "model": ["y = t + 1"], "claim": r"\frac{\partial y}{\partial t} = 1",
         "symbols": {"t": {"shape": []}}},
    ]  # fmt: skip
    path = tmp_path / "claims.jsonl"
    path.write_text("\n".join(map(json.dumps, entries)))
    judge = judging.judge_entry
    monkeypatch.setattr(judging, "judge_entry", lambda entry: judge(entry) if entry.id == "a" else endless())
    found = list(judging.judge_entries(load_entries(path)))
    assert [(claim.id, claim.verdict.verdict) for claim in found] == [("a", "proved"), ("b", "undecided")]
    assert found[1].verdict.reason == "judging it takes more than 1 s" and found[1].seconds > 0.9


def test_a_claim_about_a_model_from_python_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model("Squares")
    x = vector("x", "n")
    model.define("L", x.T @ x)
    record = model.gradients("L")
    assert record.check(r"\frac{\partial L}{\partial x} = 2 x").verdict == "proved"
    monkeypatch.setattr("derive.bounded.LIMITS", Limits(0.3, 256))
    monkeypatch.setattr("derive.api.judge_claim", lambda *_: endless())
    verdict = record.check(r"\frac{\partial L}{\partial x} = 2 x")
    assert (verdict.verdict, verdict.reason) == ("undecided", "judging it takes more than 0.3 s")


def test_the_verdicts_of_a_page_are_those_of_the_process_itself(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(LAYER)
    book = Workbook(path)
    apart, here = list(book.judged()), list(book.judged_by(Steps()))
    assert [(c.place, c.lhs, c.rhs, c.verdict) for c in apart] == [(c.place, c.lhs, c.rhs, c.verdict) for c in here]
