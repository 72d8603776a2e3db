"""A page read and judged in one go, all of it within limits: what `derive check` reports."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

from derive.bounded import Limits, Steps, Stop, bounded
from derive.claims.in_model import JudgedClaim
from derive.meaning.outline import Place
from derive.verify.judge import Verdict
from derive.workbook import Workbook

READING = 60.0  # seconds for a whole page


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in a source: its claims, the symbols of its models, what its macros were taken to mean."""

    claims: tuple[JudgedClaim, ...]
    symbols: tuple[dict[str, object], ...]
    assumed: tuple[str, ...]


def check_source(
    path: str | os.PathLike[str], section: str | None = None, limits: Limits | None = None,
    shown: Callable[[int, int], None] = lambda done, total: None,
) -> Checked:  # fmt: skip
    """Read a source and judge its claims; see `Workbook` for what it may be.

    A page that takes too long to be read is one claim, `unread`. `shown` is told how many claims are judged, of how
    many, as each begins.

    Raises:
        DeriveError: The source cannot be read, or says nothing but one name twice in a section.
    """
    found: dict[str, list[Any]] = {"claim": [], "symbol": [], "assumed": [], "count": []}

    def begins(key: Hashable) -> None:
        if isinstance(key, tuple) and key[0] == "claim" and found["count"]:
            shown(key[1], found["count"][0])

    for kind, item in bounded(lambda steps: _checked(path, section, steps), limits, begins):
        found[kind].append(item)
    return Checked(*(tuple(found[kind]) for kind in ("claim", "symbol", "assumed")))


def _checked(path: str | os.PathLike[str], section: str | None, steps: Steps) -> Iterator[tuple[str, object]]:
    book = steps.take("read", lambda: _read(path, section), _unread, kept=False, seconds=READING)
    if isinstance(book, JudgedClaim):
        yield "claim", book
        return
    yield "count", len(book.facts.claims) if book.is_page else 0
    for claim in book.judged_by(steps):
        yield "claim", claim
    for symbol in steps.take("symbols", book.symbols, lambda stop: []):
        yield "symbol", symbol
    for text in book.assumed:
        yield "assumed", text


def _read(path: str | os.PathLike[str], section: str | None) -> Workbook | JudgedClaim:
    book = Workbook(path, section)
    if book.is_page and len(book.conflicts) == len(book.facts.claims):  # nothing else could be judged
        book.refuse_conflicts()
    return book


def _unread(stop: Stop) -> Workbook | JudgedClaim:
    verdict = Verdict("unread", f"reading the page {stop.reason}; split it")
    return JudgedClaim("", Place((), 0, "", 1, 1), "", "", verdict, "", stop.seconds)
