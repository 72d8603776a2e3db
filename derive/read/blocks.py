"""What a page is made of, and the builder that the scanners of `markup.py` fill; no markup is known here."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; `level` counts from 1."""

    level: int
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula without its delimiters, macros expanded; line and column count from 1, in the file."""

    latex: str
    line: int
    column: int
    display: bool


@dataclass(frozen=True, slots=True)
class Prose:
    """The words between two formulas, or between a formula and a heading; line and column of the first."""

    text: str
    line: int
    column: int = 1


Block: TypeAlias = Heading | Formula | Prose


@dataclass(frozen=True, slots=True)
class Page:
    """A page in reading order."""

    blocks: tuple[Block, ...]

    def formulas(self) -> tuple[Formula, ...]:
        """Give the formulas alone, in order."""
        return tuple(block for block in self.blocks if isinstance(block, Formula))


class Builder:
    """Collects blocks from left to right; what nobody claims is prose.

    The look-ups for a closing delimiter remember their last answer, so that a page full of openings without
    a closing is still read in linear time.
    """

    def __init__(self, text: str, plain: Callable[[str], str], latex: Callable[[str], str]) -> None:
        self.text = text
        self.plain = plain
        self.latex = latex
        self.blocks: list[Block] = []
        self.done = 0
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self._breaks = [match.start() for match in re.finditer(r"\n[ \t\r]*\n", text)]
        self._next: dict[str, tuple[int, re.Match[str] | None]] = {}

    def line(self, at: int) -> int:
        """Give the line of a place in the text."""
        return bisect.bisect_right(self._lines, at)

    def paragraph_end(self, at: int) -> int:
        """Give where the paragraph around a place ends."""
        index = bisect.bisect_left(self._breaks, at)
        return self._breaks[index] if index < len(self._breaks) else len(self.text)

    def find(self, pattern: str, at: int) -> re.Match[str] | None:
        """Find the next match of a pattern, which must not depend on what stands before it."""
        asked, known = self._next.get(pattern, (-1, None))
        if 0 <= asked <= at and (known is None or known.start() >= at):
            return known
        known = re.compile(pattern, re.MULTILINE).search(self.text, at)
        self._next[pattern] = (at, known)
        return known

    def skip(self, start: int, end: int) -> None:
        """Leave a piece of the text out."""
        self._flush(start)
        self.done = max(end, self.done)

    def heading(self, level: int, text: str, start: int, end: int) -> None:
        """Add a heading that takes the text from start to end."""
        self.skip(start, end)
        if words := " ".join(self.plain(text).split()):
            self.blocks.append(Heading(level, words, self.line(start)))

    def formula(self, outer: tuple[int, int], inner: tuple[int, int], display: bool) -> None:
        """Add a formula, given where it stands with and without its delimiters."""
        self.skip(*outer)
        start, end = inner
        while start < end and self.text[start].isspace():
            start += 1
        latex = self.latex(self.text[start:end]).strip()
        if latex:
            line = self.line(start)
            self.blocks.append(Formula(latex, line, start - self._lines[line - 1] + 1, display))

    def alone(self, start: int, end: int) -> bool:
        """Say whether nothing but punctuation stands beside a piece on its lines."""
        before = self.text[self._lines[self.line(start) - 1] : start]
        index = self.line(max(start, end - 1))
        stop = self._lines[index] if index < len(self._lines) else len(self.text)
        return not before.strip(" \t-*>") and not self.text[end:stop].strip(" \t\r\n.,;:\\")

    def page(self) -> Page:
        """Close the page."""
        self._flush(len(self.text))
        return Page(tuple(self.blocks))

    def _flush(self, end: int) -> None:
        if end > self.done:
            piece = self.text[self.done : end]
            begin = self.done + len(piece) - len(piece.lstrip())
            if words := self.plain(piece).strip():
                line = self.line(begin)
                self.blocks.append(Prose(words, line, begin - self._lines[line - 1] + 1))
            self.done = end
