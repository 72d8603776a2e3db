"""A page read and judged in one go, all of it within limits: what `derive check` reports."""

from __future__ import annotations

import os
from collections.abc import Iterator
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


def check_source(path: str | os.PathLike[str], section: str | None = None, limits: Limits | None = None) -> Checked:
    """Read a source and judge its claims; see `Workbook` for what it may be.

    A page that takes too long to be read is one claim, `unread`.

    Raises:
        DeriveError: The source cannot be read, or says nothing but one name twice in a section.
    """
    found: dict[str, list[Any]] = {"claim": [], "symbol": [], "assumed": []}
    for kind, item in bounded(lambda steps: _checked(path, section, steps), limits):
        found[kind].append(item)
    return Checked(*map(tuple, found.values()))


def _checked(path: str | os.PathLike[str], section: str | None, steps: Steps) -> Iterator[tuple[str, object]]:
    book = steps.take("read", lambda: _read(path, section), _unread, kept=False, seconds=READING)
    if isinstance(book, JudgedClaim):
        yield "claim", book
        return
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
