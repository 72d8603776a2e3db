"""The reader of LaTeX's grammar: tokens, rows, groups, scripts, fences; the commands are `commands.py`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final, TypeAlias

from derive.sheet import symbols
from derive.sheet.symbols import Variant
from derive.sheet.tree import (
    EMPTY,
    Brace,
    Fenced,
    Fraction,
    Function,
    Grid,
    Layout,
    Scripts,
    Space,
    Symbol,
    items_of,
    role_of,
    row_of,
)  # fmt: skip

MAX_DEPTH: Final = 48  # a reader gives up long before; Python's own stack would at about 100 levels

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[0-9]+(?:\.[0-9]+)?|\s+|.", re.DOTALL)
_HARD: Final = frozenset({"}", "&", r"\\", r"\cr", r"\right", r"\end"})  # these end any row
_CELLS: Final = frozenset({"&", r"\\", r"\cr"})
_LENGTH = re.compile(r"\[-?[\d.]+[a-z]{2}\]")
OPENERS: Final = {
    "(": "(", "[": "[", r"\{": "{", r"\langle": "⟨", r"\lfloor": "⌊", r"\lceil": "⌈", r"\lbrace": "{",
}  # fmt: skip
CLOSERS: Final = {
    ")": ")", "]": "]", r"\}": "}", r"\rangle": "⟩", r"\rfloor": "⌋", r"\rceil": "⌉", r"\rbrace": "}",
}  # fmt: skip
DELIMITERS: Final = OPENERS | CLOSERS | {
    ".": "", "|": "|", r"\|": "‖", r"\vert": "|", r"\Vert": "‖", r"\lvert": "|", r"\rvert": "|",
    r"\lVert": "‖", r"\rVert": "‖", "<": "⟨", ">": "⟩", "/": "/", r"\backslash": "\\",
    r"\uparrow": "↑", r"\downarrow": "↓",
}  # fmt: skip
SIZES: Final = frozenset(
    f"\\{size}{side}" for size in ("big", "Big", "bigg", "Bigg") for side in ["", *"lrm"]
)


def tokens_of(latex: str) -> list[str]:
    """Split a formula; a size before a closing delimiter goes, as the opening one sets the size."""
    tokens = _TOKEN.findall(symbols.clean_text(latex))
    pairs = pairwise([*tokens, ""])
    return [
        token for token, after in pairs if token not in SIZES or after in OPENERS or after not in DELIMITERS
    ]


class Reader:
    """One pass over the tokens; `plain` turns false at whatever LaTeX itself would refuse."""

    def __init__(self, latex: str, commands: Mapping[str, Handler]) -> None:
        self.commands = commands
        self.tokens = tokens_of(latex)
        self.at = 0
        self.depth = 0
        self.variant: Variant = ""
        self.plain = True

    def peek(self) -> str:
        """The next token that is not space, or nothing at the end."""
        while self.at < len(self.tokens) and self.tokens[self.at].isspace():
            self.at += 1
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        """Consume the next token."""
        token = self.peek()
        self.at += bool(token)
        return token

    def took(self, token: str) -> bool:
        """Consume the next token if it is this one."""
        found = self.peek() == token
        self.at += found
        return found

    def expect(self, token: str) -> None:
        """Consume this token; its absence is a fault of the source."""
        self.plain &= self.took(token)

    def raw(self, closing: str = "}") -> str:
        """The source text up to the closing brace or bracket, for names and prose."""
        depth, start = 0, self.at
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token == closing and depth == 0:
                self.at += 1
                return "".join(self.tokens[start : self.at - 1])
            depth += (token == "{") - (token == "}")
            self.at += 1
        self.plain = False
        return "".join(self.tokens[start:])

    def raw_argument(self) -> str:
        """The source text of the next argument."""
        return self.raw() if self.took("{") else self.take()

    def formula(self) -> Layout:
        """The whole of the source."""
        rows = self.cells(frozenset())
        self.plain &= len(rows) == len(rows[0]) == 1
        return rows[0][0] if len(rows) == len(rows[0]) == 1 else Grid("aligned", rows)

    def cells(self, stops: frozenset[str]) -> tuple[tuple[Layout, ...], ...]:
        """Cells between `&`, rows between double backslashes, up to a stop."""
        rows: list[list[Layout]] = [[]]
        while True:
            rows[-1].append(self.row(stops | _CELLS))
            token = self.peek()
            if token not in _CELLS:
                break
            self.take()
            if token != "&":
                self.row_spacing()
                rows.append([])
        if len(rows) > 1 and rows[-1] == [EMPTY]:
            rows.pop()
        return tuple(map(tuple, rows))

    def row_spacing(self) -> None:
        """The `*` and `[2pt]` that may follow a double backslash."""
        self.took("*")
        if self.peek() == "[" and _LENGTH.match("".join(self.tokens[self.at : self.at + 7])):
            self.take()
            self.raw("]")

    def row(self, stops: frozenset[str] = _HARD) -> Layout:
        """Parts side by side, up to a stop, which stays."""
        items: list[Layout] = []
        above: Layout | None = None
        while (token := self.peek()) and token not in stops:
            if token in (r"\over", r"\atop", r"\choose") and above is None:
                self.take()
                above, items = settled(items), []
            elif (item := self.scripted()) is not None:
                items.extend(items_of(item))
        below = settled(items)
        return below if above is None else Fraction(above, below)

    def scripted(self) -> Layout | None:
        """A part with its scripts and primes."""
        base = EMPTY if self.peek() in {"^", "_", "'", "’"} else self.atom()
        if base is None:
            return None
        limits, sub, sup, primed = has_limits(base), None, None, False
        while (token := self.peek()) and token in {"^", "_", "'", "’", r"\limits", r"\nolimits"}:
            self.take()
            if token in {r"\limits", r"\nolimits"}:
                limits = token == r"\limits"
                self.plain &= role_of(base) in {"big", "function"}
            elif token == "_":
                self.plain &= sub is None
                sub = _joined(sub, self.argument())
            else:
                self.plain &= sup is None or primed
                primed = token in "'’"
                sup = _joined(sup, Symbol("′", "ordinary") if primed else self.argument())
        return base if sub is None and sup is None else Scripts(base, sub, sup, limits)

    def argument(self) -> Layout:
        """What a command or a script applies to: a group or a single sign."""
        token = self.peek()
        if token == "{":
            return self.atom() or EMPTY
        if not token or token in _HARD or token in "^_":
            self.plain = False
            return EMPTY
        if token[0].isdigit() and len(token) > 1:  # TeX takes one digit: \frac12, x^23
            self.tokens[self.at] = token[1:]
            return self.number(token[0])
        if token in OPENERS or token in CLOSERS:
            return self.sign(self.take())
        self.plain &= token[0] != "\\" or token[1:] in symbols.SYMBOLS or token[1:] in symbols.VARIANTS
        return self.atom() or EMPTY

    def atom(self) -> Layout | None:
        """The next part; None where the source shows nothing. Consumes at least one token."""
        if self.depth >= MAX_DEPTH:
            self.plain = False
            token = self.take()
            return None if token in {"{", "}"} else Symbol(token, "text")
        self.depth += 1
        try:
            return self.shallow_atom()
        finally:
            self.depth -= 1

    def shallow_atom(self) -> Layout | None:
        """The next part, whatever the depth."""
        token = self.take()
        if token == "{":
            return self.group()
        if token in OPENERS:
            return self.fence(token)
        if token[0] == "\\" and len(token) > 1:
            return self.command(token)
        if token in {"}", "&"}:
            self.plain = False
            return None if token == "}" else Space(1.0)
        return self.number(token) if token[0].isdigit() and token.isascii() else self.sign(token)

    def number(self, token: str) -> Symbol:
        """Digits, in the current alphabet."""
        return Symbol(token, "number", self.variant)

    def sign(self, token: str) -> Symbol:
        """One character or a command that stands for one."""
        name = token[1:] if len(token) > 1 and token[0] == "\\" else token
        known = symbols.CHARACTERS if name == token else symbols.SYMBOLS
        char, role = known.get(name, (name, "ordinary"))
        if role == "ordinary" and unicodedata.category(char)[0] == "L" and char not in "ℓℏℜℑℵ":
            role = "identifier"
        return Symbol(char, role, self.variant if role in {"identifier", "number", "ordinary"} else "")

    def group(self) -> Layout:
        """The inside of braces, whose opening is consumed."""
        variant = self.variant
        body = self.row()
        self.variant = variant  # {\bf x} ends here
        self.expect("}")
        if isinstance(body, Symbol) and body.role in {"binary", "relation", "punctuation"}:
            return Symbol(body.text, "ordinary")  # TeX's own way to take the space away: 1{,}000
        return body

    def fence(self, token: str, stretchy: bool = False) -> Layout:
        """What stands between delimiters; an opening one without its partner stands alone."""
        body = self.row(_HARD | CLOSERS.keys())
        if self.peek() in CLOSERS:
            return Fenced(OPENERS[token], body, CLOSERS[self.take()], stretchy)
        return row_of(Symbol(OPENERS[token], "open"), *items_of(body))

    def command(self, token: str) -> Layout | None:
        """What a command makes of what follows; an unknown one shows its name."""
        if handler := self.commands.get(token[1:]):
            return handler(self, token[1:])
        if token[1:] in symbols.SYMBOLS:
            return self.sign(token)
        self.plain = False
        return Symbol(token[1:], "identifier", "roman")


def has_limits(base: Layout) -> bool:
    """Whether scripts stand above and below this base, not at its side."""
    match base:
        case Symbol(text=text, role="big"):
            return text not in symbols.SIDE_LIMITS
        case Function(limits=limits):
            return limits
    return isinstance(base, Brace)


def _joined(first: Layout | None, second: Layout) -> Layout:
    return second if first is None else row_of(*items_of(first), *items_of(second))


def settled(items: list[Layout]) -> Layout:
    """One row from its parts: upright letters join into words, and signs find out whether they are unary."""
    done: list[Layout] = []
    for item in items:
        before = done[-1] if done else None
        if isinstance(item, Symbol) and isinstance(before, Symbol) and _joins(before, item):
            done[-1] = Symbol(before.text + item.text, before.role, before.variant)
        else:
            done.append(item)
    return row_of(*(unary(item, done[i - 1] if i else None) for i, item in enumerate(done)))


def _joins(before: Symbol, item: Symbol) -> bool:
    same = before.variant == item.variant and before.role == item.role == "identifier"
    return same and item.variant in {"roman", "sans", "mono"}


def unary(item: Layout, before: Layout | None) -> Layout:
    """A binary sign with nothing to its left is a prefix: TeX's rule."""
    if not isinstance(item, Symbol) or item.role != "binary":
        return item
    if before is None or role_of(before) in {"binary", "relation", "open", "punctuation", "big", "function"}:
        return Symbol(item.text, "ordinary")
    return item


Handler: TypeAlias = Callable[[Reader, str], Layout | None]
