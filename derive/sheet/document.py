"""A sheet as blocks: headings, prose, numbered formulas, steps, tables; no mathematics, no output format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Mark: TypeAlias = Literal["", "ok", "bad", "open"]
MARK_SIGNS: Final[dict[Mark, str]] = {"": "", "ok": "✓", "bad": "✗", "open": "?"}
MARK_WORDS: Final[dict[Mark, str]] = {"": "", "ok": "checked", "bad": "wrong", "open": "not decided"}


@dataclass(frozen=True, slots=True)
class Text:
    """Plain prose."""

    text: str


@dataclass(frozen=True, slots=True)
class Math:
    """A formula within a line."""

    latex: str


@dataclass(frozen=True, slots=True)
class Strong:
    """Prose that stands out."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """A name or a line of a program."""

    text: str


Span: TypeAlias = Text | Math | Strong | Code
Spans: TypeAlias = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 1 is a section, below the title."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Prose with formulas in it."""

    spans: Spans


@dataclass(frozen=True, slots=True)
class Equation:
    """A displayed formula; `note` says its shape or why it holds, `anchor` lets others point to it."""

    number: str | None
    latex: str
    note: Spans = ()
    mark: Mark = ""
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class StepRow:
    """One line of a derivation; the relation sign begins the right side, or `=` is set."""

    latex_left: str
    latex_right: str
    because: Spans = ()
    mark: Mark = ""


@dataclass(frozen=True, slots=True)
class Steps:
    """Lines of a derivation, aligned at their relation signs."""

    rows: tuple[StepRow, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of inline cells."""

    header: tuple[Spans, ...]
    rows: tuple[tuple[Spans, ...], ...]


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list without order."""

    items: tuple[Spans, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the page."""


Block: TypeAlias = Heading | Paragraph | Equation | Steps | Table | Bullets | Rule


@dataclass(frozen=True, slots=True)
class Document:
    """A whole sheet.

    >>> Document("Gradients", (Equation("1", "y = W x"),)).blocks[0].number
    '1'
    """

    title: str
    blocks: tuple[Block, ...]
    footer: Spans = ()


_RELATION = re.compile(
    r"[=<>]|\\(le|leq|ge|geq|ne|neq|approx|equiv|leftarrow|to|rightarrow|in|propto|sim|Rightarrow|Leftrightarrow|iff"
    r"|implies|coloneqq|triangleq|lt|gt)(?![A-Za-z])"
)


def right_side(row: StepRow) -> str:
    r"""The right side of a step with the relation sign that joins it to the left.

    >>> right_side(StepRow("a", "b")), right_side(StepRow("a", r"\le b"))
    ('= b', '\\le b')
    """
    side = row.latex_right.strip()
    return side if _RELATION.match(side) or not side else f"= {side}"
