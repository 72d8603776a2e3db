r"""What stands before an equation and only says what is sought: \min_w J(w) = … says what J is."""

from __future__ import annotations

import re

_GROUP = r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
_GAP = r"(?:\s|~|\\[,;:! ]|\\q?quad(?![a-zA-Z]))*"
_WORD = rf"(?:arg{_GAP})?(?:min|max)(?:imi[sz]e)?"
_SOUGHT = (
    rf"(?:\\arg{_GAP}\\(?:min|max)|\\arg(?:min|max)|\\(?:min|max)"
    rf"|\\(?:operatorname\*?|text|textrm|mathrm)\s*\{{\s*{_WORD}\s*\}})(?![a-zA-Z])"
)
_BELOW = rf"(?:\\limits)?\s*_\s*(?:{_GROUP}|([a-zA-Z]|\\[a-zA-Z]+))"
_AIM = re.compile(rf"(?:\\underset\s*{_GROUP}\s*\{{\s*{_SOUGHT}\s*\}}|{_SOUGHT}{_BELOW}){_GAP}")
_START = re.compile(r"(?:\s|&|\\begin\{[a-z]+\*?\})*")
_NAMED = re.compile(r"[\s&]*(\\?[a-zA-Z]+(?:\{\\?[a-zA-Z]+\})?(?:_(?:\w|\{\w+\}))?\s*(?:\([^()=]*\))?)[\s&]*(=|,)")
_FONTS = {r"\in", r"\mathbb", r"\mathbf", r"\boldsymbol", r"\bm", r"\mathcal", r"\mathrm", r"\text", "R"}
_GIVEN = re.compile(rf"{_GAP}\\(?:text|textrm|mathrm|operatorname)\s*\{{\s*(?:s\.\s*t\.|such that|subject to)")
_OTHERS = re.compile(r"\\?[a-zA-Z]+\s*[_^]\s*\{?\s*(?:0|\*|\\ast|\\star|opt)")  # x_0, w^*: not what is sought
_ROW = re.compile(r"\\\\")


def without_aims(source: str) -> str:
    r"""Return a formula in which blanks stand for what only says that a minimum is sought, or a maximum.

    It stays where what is sought is not what the equation speaks of: \min_x f(x) = 3 is a value.

    >>> without_aims(r"\min_w J = \|w\|^2"), without_aims(r"\min_w J = 3")
    ('       J = \\|w\\|^2', '\\min_w J = 3')
    """
    if _AIM.search(source) is None:
        return source
    start, found = 0, source
    for end in [*(row.start() for row in _ROW.finditer(source)), len(source)]:
        found = found[:start] + _row(source[start:end]) + found[end:]
        start = end + 2
    return found


def _row(row: str) -> str:
    first = _START.match(row)
    aim = _AIM.match(row, first.end()) if first is not None else None
    if aim is None or _AIM.search(row, aim.end()) or re.search(r"arg|\\min|\\max", row[aim.end() :]):
        return row
    named = _NAMED.match(row, aim.end())
    if named is None:
        return row
    if named[2] == ",":  # what is sought, and then what it is
        return _blank(row, aim.start(), named.end()) if "=" in row[named.end() :] else row
    letters = _letters(" ".join(filter(None, aim.groups()))) - _FONTS
    said, own = _letters(_OTHERS.sub(" ", row[named.end() :])), _letters(re.split(r"[_(]", named[1])[0]) - _FONTS
    if not letters & said or own & said:
        return row
    given = _GIVEN.search(row, aim.end())
    row = _blank(row, aim.start(), aim.end())
    end = row.find(r"\end", aim.end())
    return row if given is None else _blank(row, given.start(), end if end > given.end() else len(row))


def _letters(text: str) -> set[str]:
    return set(re.findall(r"\\?[a-zA-Z]+", text))


def _blank(row: str, start: int, end: int) -> str:
    return row[:start] + " " * (end - start) + row[end:]
