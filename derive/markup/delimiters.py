r"""Where mathematics begins and ends in any markup: `$`, `$$`, `\(`, `\[`, environments; and what is never closed.

A sign that opens and has no partner must not turn the rest of the page inside out. A formula ends at the latest where
its paragraph does; if it has not been closed by then, it is noted as broken, and the page goes on behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from derive.markup.blocks import Builder

# A taker gets the builder and the opening, and gives the place where the scan goes on.
Taker: TypeAlias = Callable[[Builder, re.Match[str]], int]

MATH = (
    r"(?:equation|align|alignat|xalignat|gather|eqnarray|multline|split|displaymath|math|flalign|dmath|aligned|gathered)"
)
MOST_LINES = 60  # of a formula with empty lines in it
_DOLLARS = r"(?<!\\)\$\$"
_WORDS = re.compile(r"(?<![\\A-Za-z{])[A-Za-z]{2,}(?:,? +[A-Za-z]{2,}){2,}")
_PAIR = re.compile(r"(?<![\\A-Za-z{])[A-Za-z]{2,},? +[A-Za-z]{2,}")
_QUIET = re.compile(r"\\(?:text|mbox|hbox|mathrm|operatorname|textrm|tag|label)\w*\*?\s*\{[^{}]*\}")


def scan(builder: Builder, openings: Mapping[str, Taker], start: int = 0) -> None:
    """Go through the text once; at each opening, its taker decides."""
    groups = "|".join(f"(?P<taker{index}>{pattern})" for index, pattern in enumerate(openings))
    opening = re.compile(groups, re.MULTILINE)
    takers = {f"taker{index}": taker for index, taker in enumerate(openings.values())}
    at = start
    while match := opening.search(builder.text, at):
        at = max(takers[str(match.lastgroup)](builder, match), match.start() + 1)


def is_mathematics(text: str) -> bool:
    r"""Say whether a text may be one formula: no three words in a row, but in `\text{…}`, and no heading.

    >>> is_mathematics(r"a = b \\ \text{for all of these}"), is_mathematics("a = b, and so we have")
    (True, False)
    """
    bare = _QUIET.sub(" ", text)
    return not _WORDS.search(bare) and not re.search(r"^#{1,6} |\\(?:sub)*section\b", bare, re.MULTILINE)


def _states(text: str) -> bool:
    """Say whether a text has anything of a formula, so that its loss is worth a word."""
    return bool(re.search(r"\\[A-Za-z]{2,}|=|[_^]", text))


def between(closing: str, display: bool | None, paragraph: bool = False, doubled: bool = False) -> Taker:
    """Take a formula up to a closing; `display` None means: when it stands alone on its lines."""

    def take(builder: Builder, match: re.Match[str]) -> int:
        close = builder.find(closing, match.end())
        if close is None or (paragraph and close.start() > builder.paragraph_end(match.end())):
            return match.end()
        alone = builder.alone(match.start(), close.end()) if display is None else display
        builder.formula((match.start(), close.end()), (match.end(), close.start()), alone, doubled)
        return close.end()

    return take


def displayed(opening: str, closing: str, doubled: bool = False) -> Taker:
    r"""Take a displayed formula, `$$ … $$` or `\[ … \]`; one that is never closed is noted as broken."""

    def take(builder: Builder, match: re.Match[str]) -> int:
        text, start = builder.text, match.end()
        end = builder.paragraph_end(start)
        close = builder.find(closing, start)
        again = builder.find(opening, start) if opening != closing else None
        if close and again and again.start() < close.start():
            close = None
        if close and not _pairs(builder, match, close, closing, end):
            close = None
        if close:
            alone = opening != closing or builder.alone(match.start(), close.end())
            builder.formula((match.start(), close.end()), (start, close.start()), alone, doubled)
            return close.end()
        stop = min([end, *(found.start() for found in (builder.find(opening, start),) if found)])
        if _states(text[start:stop]):
            builder.broken(match.start(), stop, f"{match[0]} is opened and never closed")
            return stop
        return start

    return take


def _pairs(builder: Builder, match: re.Match[str], close: re.Match[str], closing: str, end: int) -> bool:
    """Say whether an opening and the next closing belong together."""
    inner = builder.text[match.end() : close.start()]
    if close.start() > end:  # an empty line in between: some pages have it
        loose = is_mathematics(inner) and not _PAIR.search(_QUIET.sub(" ", inner))
        return loose and inner.count("\n") <= MOST_LINES and bool(inner.strip())
    if closing != _DOLLARS or is_mathematics(inner):
        return True
    return builder.count(_DOLLARS, match.start(), end) % 2 == 0


def dollar(builder: Builder, match: re.Match[str]) -> int:
    """Take `$x$`; `$5 and $6` is money: a space stands before the second sign."""
    close = builder.find(r"(?<!\\)\$", match.end())
    if close is None or close.start() > builder.paragraph_end(match.end()):
        return match.end()
    inner = builder.text[match.end() : close.start()]
    after = builder.text[close.end() : close.end() + 1]
    loose = not inner or inner[0].isspace() or inner[-1].isspace()
    if after.isdigit() or (loose and not _is_loose_formula(inner)):
        return match.end()
    builder.formula((match.start(), close.end()), (match.end(), close.start()), False)
    return close.end()


def _is_loose_formula(inner: str) -> bool:
    """Say whether `$ a = \\sigma(b) $`, with spaces inside, is a formula nonetheless: one line, and no words."""
    bare = _QUIET.sub(" ", inner)
    return "\n" not in inner and not _PAIR.search(bare) and re.search(r"\\[A-Za-z]|[=^_]", inner) is not None


def environment(builder: Builder, match: re.Match[str]) -> int:
    r"""Take `\begin{align} … \end{align}`, which stays in the formula: its rows and its & have a meaning."""
    name = re.escape(re.sub(r"^\\begin\s*\{|\}$", "", match[0]))
    close = builder.find(rf"\\end\s*\{{{name}\}}", match.end())
    again = builder.find(rf"\\begin\s*\{{{name}\}}", match.end())
    if close is None or (again is not None and again.start() < close.start()):
        stop = builder.paragraph_end(match.end())
        builder.broken(match.start(), stop, f"{match[0]} is opened and never closed")
        return stop
    builder.formula((match.start(), close.end()), (match.start(), close.end()), True)
    return close.end()


def skip(closing: str | None, to_end: bool = False) -> Taker:
    """Leave out all up to a closing; with none, the opening alone or the rest of the page."""

    def take(builder: Builder, match: re.Match[str]) -> int:
        close = builder.find(closing, match.end()) if closing else match
        end = close.end() if close else len(builder.text) if to_end else match.end()
        if close or to_end:
            builder.skip(match.start(), end)
        return end

    return take


def pass_over(_builder: Builder, match: re.Match[str]) -> int:
    """Leave a match in the prose."""
    return match.end()


# In this order: what is escaped is no opening.
DELIMITERS: dict[str, Taker] = {
    rf"\\begin\s*\{{{MATH}\*?\}}": environment,
    r"\\\\\[(?!\d*(?:pt|em|ex))": displayed(r"\\\\\[", r"\\\\\]", doubled=True),
    r"\\\\\(": between(r"\\\\\)", False, paragraph=True, doubled=True),
    r"(?<!\\)\\\[": displayed(r"(?<!\\)\\\[", r"\\\]"),
    r"(?<!\\)\\\(": between(r"\\\)", False, paragraph=True),
    r"\\\$": pass_over,
    r"\$\$": displayed(_DOLLARS, _DOLLARS),
    r"\$": dollar,
}
