"""A piece of a page that remembers where each of its characters stood, while comments, tags and macros change it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Traced:
    """A text, and the place in the page of each character; what replaces a piece stands where that piece began."""

    text: str
    places: tuple[int, ...] | range

    @staticmethod
    def of(page: str, start: int, end: int) -> Traced:
        """Take a piece of a page as it stands there."""
        return Traced(page[start:end], range(start, end))

    def __getitem__(self, part: slice) -> Traced:
        return Traced(self.text[part], self.places[part])

    def __add__(self, other: Traced) -> Traced:
        if not self.text:
            return other
        if not other.text:
            return self
        return Traced(self.text + other.text, (*self.places, *other.places))

    def strip(self) -> Traced:
        """Drop white space at both ends."""
        begin = len(self.text) - len(self.text.lstrip())
        return self[begin : max(begin, len(self.text.rstrip()))]

    def put(self, start: int, end: int, new: str) -> Traced:
        """Put a text in the place of a piece."""
        if self.text[start:end] == new:
            return self
        at = self.places[start] if start < len(self.places) else (self.places[-1] + 1 if len(self.places) else 0)
        places = (*self.places[:start], *[at] * len(new), *self.places[end:])
        return Traced(self.text[:start] + new + self.text[end:], places)

    def sub(self, pattern: str, new: str | Callable[[re.Match[str]], str]) -> Traced:
        """Replace all matches of a pattern, as `re.sub` does with a text that holds no groups."""
        parts, places, done = [], list[int](), 0
        for match in re.finditer(pattern, self.text):
            text = new if isinstance(new, str) else new(match)
            parts += [self.text[done : match.start()], text]
            places += [*self.places[done : match.start()], *[self.places[match.start()]] * len(text)]
            done = match.end()
        if not done:
            return self
        return Traced("".join([*parts, self.text[done:]]), (*places, *self.places[done:]))

    def steps(self, position: Callable[[int], tuple[int, int]]) -> Iterator[tuple[int, int, int, bool]]:
        """Yield from which character on the text runs as in the page or stands still; nothing where all of it runs."""
        if isinstance(self.places, range):
            return
        at = 0
        while at < len(self.places):
            still = at + 1 < len(self.places) and self.places[at + 1] == self.places[at]
            end = at + 1
            while end < len(self.places) and self.places[end] == self.places[end - 1] + (0 if still else 1):
                end += 1
            line, column = position(self.places[at])
            yield at, line, column, not still
            at = end


def latex_unescaped(formula: Traced) -> Traced:
    r"""Undo what Markdown would undo, where each backslash is written twice: `\\\\` ends a row, `\\{` is a brace."""
    if not re.search(r"\\\\\\\\|\\\\[{}|,;!_]", formula.text):
        return formula
    return formula.sub(r"\\[!-/:-@\[-`{-~]", lambda match: match[0][1])
