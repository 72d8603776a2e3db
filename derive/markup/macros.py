r"""The macros of a page, `\newcommand`, `\def`, `\DeclareMathOperator`: found once, expanded everywhere.

Pages are untrusted: expansion has a budget, and what is left unexpanded is later refused as unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from derive.markup.traced import Traced

_MAX_STEPS = 500
_MAX_DEFINITIONS = 2_000
_MAX_LENGTH = 20_000
_MAX_GROWTH = 1_000_000
_DEFINITION = re.compile(
    r"\\(?:re|provide)?newcommand\*?\s*(?:\{\s*\\([A-Za-z]+)\s*\}|\\([A-Za-z]+))\s*(?:\[\s*(\d)\s*\])?\s*(\[[^\[\]{}]*\])?\s*\{"
    r"|\\def\s*\\([A-Za-z]+)\s*((?:#\d)*)\s*\{"
    r"|\\DeclareMathOperator\*?\s*\{?\s*\\([A-Za-z]+)\s*\}?\s*\{"
)


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro: how many arguments it takes and what it stands for."""

    arguments: int
    body: str
    default: str | None = None


@dataclass(slots=True)
class Macros:
    """All macros of a page, and how many characters they may still add to it."""

    known: Mapping[str, Macro]
    budget: int = _MAX_GROWTH
    _call: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        names = "|".join(sorted(self.known, key=len, reverse=True))
        self._call = re.compile(rf"\\({names or '(?!)'})(?![A-Za-z])")

    def expand(self, formula: Traced) -> Traced:
        r"""Expand all macros, as far as the budget goes; definitions inside the formula are taken out.

        >>> macros = Macros({"pd": Macro(2, r"\frac{\partial #1}{\partial #2}")})
        >>> macros.expand(Traced.of(r"\pd{L}w", 0, 7)).text
        '\\frac{\\partial L}{\\partial w}'
        """
        if len(formula.text) > _MAX_LENGTH:  # it will be refused for its length
            return formula
        formula = _without_definitions(formula)
        if self._call.search(formula.text) is None:
            return formula
        latex, places, at = formula.text, list(formula.places), 0
        for _ in range(_MAX_STEPS):
            call = self._call.search(latex, at)
            if call is None or self.budget <= 0 or len(latex) > _MAX_LENGTH:
                break
            body, end = _applied(self.known[call[1]], latex, call.end())
            if end == call.end() and latex[end : end + 1].isalpha() and body[-1:].isalpha():
                body += " "
            at = call.start()
            latex = latex[:at] + body + latex[end:]
            places[at:end] = [places[at]] * len(body)
            self.budget -= max(0, len(body) - (end - at))
        return Traced(latex, tuple(places))


def find_macros(text: str) -> Macros:
    """Collect the definitions of a page; of two with one name the last holds."""
    known = {}
    for match in islice(_DEFINITION.finditer(text), _MAX_DEFINITIONS):
        body, _ = _group(text, match.end() - 1)
        if body is None:
            continue
        if match[7]:
            known[match[7]] = Macro(0, rf"\operatorname{{{body}}}")
        elif match[5]:
            known[match[5]] = Macro(len(match[6]) // 2, body)
        else:
            default = match[4][1:-1] if match[4] else None
            known[match[1] or match[2]] = Macro(int(match[3] or 0), body, default)
    return Macros(known)


def _without_definitions(formula: Traced) -> Traced:
    at = 0
    while match := _DEFINITION.search(formula.text, at):
        body, end = _group(formula.text, match.end() - 1)
        if body is None:
            return formula[: match.start()]
        formula, at = formula.put(match.start(), end, ""), match.start()
    return formula


def _applied(macro: Macro, latex: str, at: int) -> tuple[str, int]:
    """Put the arguments in, and give the place behind them."""
    arguments: list[str] = []
    if macro.default is not None:
        option = re.compile(r"\s*\[([^\[\]]*)\]").match(latex, at)
        arguments.append(option[1] if option else macro.default)
        at = option.end() if option else at
    while len(arguments) < macro.arguments:
        argument, at = _argument(latex, at)
        arguments.append(argument)
    return re.sub(r"#(\d)", lambda match: _get(arguments, int(match[1]) - 1), macro.body), at


def _get(arguments: list[str], index: int) -> str:
    return arguments[index] if 0 <= index < len(arguments) else ""


def _argument(latex: str, at: int) -> tuple[str, int]:
    while at < len(latex) and latex[at].isspace():
        at += 1
    if latex[at : at + 1] == "{":
        body, end = _group(latex, at)
        return (body, end) if body is not None else ("", len(latex))
    token = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL).match(latex, at)
    return (token[0], token.end()) if token else ("", at)


def _group(text: str, at: int) -> tuple[str | None, int]:
    """Give what the braces at a place hold, None when they do not close within 2,000 characters."""
    depth = 0
    for match in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, at, at + 2_000):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return text[at + 1 : match.start()], match.end()
    return None, at
