"""What a page is made of, and the builder that the scanners of `scanners.py` fill; no markup is known here."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from derive.markup.traced import Traced, latex_unescaped


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; `level` counts from 1."""

    level: int
    text: str
    line: int

    def moved(self, lines: int) -> Heading:
        """Give the block so many lines further down."""
        return replace(self, line=self.line + lines)


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula without its delimiters, macros expanded; line and column count from 1, in the file.

    `steps` says where its characters stand in the file, where they are not simply those of the file from there on:
    from which character on, at which line and column, and whether it is one place (a macro) or goes on.
    """

    latex: str
    line: int
    column: int
    display: bool
    steps: tuple[tuple[int, int, int, bool], ...] = field(default=(), compare=False, repr=False)

    def moved(self, lines: int) -> Formula:
        """Give the block so many lines further down."""
        steps = tuple((at, line + lines, column, runs) for at, line, column, runs in self.steps)
        return replace(self, line=self.line + lines, steps=steps)

    def place(self, column: int) -> tuple[int, int]:
        """Give line and column in the file of a character of the formula, counted from 1.

        >>> Formula("a\\n= b", 3, 5, True).place(3)
        (4, 1)
        """
        at = column - 1
        index = bisect.bisect_right(self.steps, at, key=lambda step: step[0]) - 1
        begin, line, first, runs = self.steps[index] if index >= 0 else (0, self.line, self.column, True)
        if not runs:
            return line, first
        before = self.latex[begin:at]
        if "\n" in before:
            return line + before.count("\n"), len(before) - before.rfind("\n")
        return line, first + len(before)


@dataclass(frozen=True, slots=True)
class Prose:
    """The words between two formulas, or between a formula and a heading; line and column of the first."""

    text: str
    line: int
    column: int = 1

    def moved(self, lines: int) -> Prose:
        """Give the block so many lines further down."""
        return replace(self, line=self.line + lines)


@dataclass(frozen=True, slots=True)
class Broken:
    """A formula that is opened and never closed: what stands there, where, and what is missing."""

    text: str
    line: int
    column: int
    reason: str

    def moved(self, lines: int) -> Broken:
        """Give the block so many lines further down."""
        return replace(self, line=self.line + lines)


Block: TypeAlias = Heading | Formula | Prose | Broken
_BESIDE = 200  # characters beside a formula in which something else on its line is looked for
MOST_BROKEN = 2_000  # characters of a broken formula that are kept


@dataclass(frozen=True, slots=True)
class Page:
    """A page in reading order."""

    blocks: tuple[Block, ...]
    cells: tuple[int, ...] = ()  # of a notebook: the line at which each cell begins

    def spot(self, line: int) -> tuple[int, int]:
        """Give the cell of a notebook and the line in it, both from 1; of any other page, 0 and the line itself.

        >>> Page((), (1, 4)).spot(5)
        (2, 2)
        """
        cell = bisect.bisect_right(self.cells, line)
        return (cell, line - self.cells[cell - 1] + 1) if cell else (0, line)

    def formulas(self) -> tuple[Formula, ...]:
        """Give the formulas alone, in order."""
        return tuple(block for block in self.blocks if isinstance(block, Formula))


def _paragraphs(formula: Traced) -> Iterator[Traced]:
    """Cut a formula at its empty lines, where each part is whole: two equations, and no product."""
    parts, at = [], 0
    for match in re.finditer(r"\n[ \t\r]*\n", formula.text):
        parts.append(formula[at : match.start()].strip())
        at = match.end()
    parts.append(formula[at:].strip())
    whole = all(part.text.count("{") == part.text.count("}") and _is_whole(part.text) for part in parts)
    yield from (part for part in (parts if whole else [formula.strip()]) if part.text)


def _is_whole(latex: str) -> bool:
    return len(re.findall(r"\\begin\b", latex)) == len(re.findall(r"\\end\b", latex))


class Builder:
    """Collects blocks from left to right; what nobody claims is prose.

    The look-ups for a closing delimiter remember their last answer, so that a page full of openings without
    a closing is still read in linear time.
    """

    def __init__(
        self, text: str, plain: Callable[[str], str], latex: Callable[[Traced], Traced], ends: str = r"\n(?=#{1,6} )"
    ) -> None:
        self.text = text
        self.plain = plain
        self.latex = latex
        self.blocks: list[Block] = []
        self.done = 0
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self._breaks = [match.start() for match in re.finditer(rf"\n[ \t\r]*\n|{ends}", text)]
        self._places: dict[str, list[int]] = {}
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

    def count(self, pattern: str, start: int, end: int) -> int:
        """Count the matches of a pattern between two places, looked for once in the whole text."""
        if pattern not in self._places:
            self._places[pattern] = [match.start() for match in re.finditer(pattern, self.text)]
        places = self._places[pattern]
        return bisect.bisect_left(places, end) - bisect.bisect_left(places, start)

    def skip(self, start: int, end: int) -> None:
        """Leave a piece of the text out."""
        self._flush(start)
        self.done = max(end, self.done)

    def heading(self, level: int, text: str, start: int, end: int) -> None:
        """Add a heading that takes the text from start to end."""
        self.skip(start, end)
        if words := " ".join(self.plain(text).split()):
            self.blocks.append(Heading(level, words, self.line(start)))

    def formula(
        self, outer: tuple[int, int], inner: tuple[int, int], display: bool, doubled: bool = False
    ) -> None:
        """Add a formula, given where it stands with and without its delimiters; `doubled`: so is each backslash."""
        self.skip(*outer)
        traced = Traced.of(self.text, *inner)
        self.add(latex_unescaped(traced) if doubled else traced, display)

    def add(self, piece: Traced, display: bool) -> None:
        """Add a formula that may have been put together from several pieces."""
        for formula in _paragraphs(self.latex(piece)):
            line, column = self.position(formula.places[0])
            self.blocks.append(Formula(formula.text, line, column, display, tuple(formula.steps(self.position))))

    def broken(self, start: int, end: int, reason: str) -> None:
        """Note a formula that is opened and never closed."""
        self.skip(start, end)
        line, column = self.position(start)
        self.blocks.append(Broken(self.text[start:end].strip()[:MOST_BROKEN], line, column, reason))

    def position(self, at: int) -> tuple[int, int]:
        """Give line and column of a place in the text."""
        line = self.line(at)
        return line, at - self._lines[line - 1] + 1

    def alone(self, start: int, end: int) -> bool:
        """Say whether nothing but punctuation stands beside a piece on its lines."""
        before = self.text[max(self._lines[self.line(start) - 1], start - _BESIDE) : start]
        index = self.line(max(start, end - 1))
        stop = min(self._lines[index] if index < len(self._lines) else len(self.text), end + _BESIDE)
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
