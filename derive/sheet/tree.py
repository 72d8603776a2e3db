"""The layout tree of a formula: what stands where, and nothing of what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from derive.sheet.symbols import Role, Variant


@dataclass(frozen=True, slots=True)
class Symbol:
    """One sign, number, word or run of text; `role` decides the space around it."""

    text: str
    role: Role
    variant: Variant = ""


@dataclass(frozen=True, slots=True)
class Function:
    """An upright name that applies to what follows; `limits` sets its scripts below and above."""

    name: str
    limits: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Parts side by side."""

    items: tuple[Layout, ...]


@dataclass(frozen=True, slots=True)
class Scripts:
    """A base with what stands lower and higher, at its side or (`limits`) under and over it."""

    base: Layout
    sub: Layout | None
    sup: Layout | None
    limits: bool = False


@dataclass(frozen=True, slots=True)
class Fraction:
    """A numerator over a denominator; without a line it is a binomial's inside."""

    numerator: Layout
    denominator: Layout
    style: Literal["", "display", "text"] = ""
    line: bool = True


@dataclass(frozen=True, slots=True)
class Root:
    """A root, square unless a degree is given."""

    body: Layout
    degree: Layout | None = None


@dataclass(frozen=True, slots=True)
class Accent:
    """A mark (hat, bar, tilde, overline, ...) on a body."""

    body: Layout
    mark: str


@dataclass(frozen=True, slots=True)
class Brace:
    """A horizontal brace over or under a body; its label comes as `Scripts` around it."""

    body: Layout
    over: bool


@dataclass(frozen=True, slots=True)
class Fenced:
    """A body between delimiters, either of which may be empty."""

    opening: str
    body: Layout
    closing: str
    stretchy: bool


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells in rows: cases, a matrix, or lines aligned at their marks."""

    kind: Literal["cases", "matrix", "aligned"]
    rows: tuple[tuple[Layout, ...], ...]
    opening: str = ""
    closing: str = ""


@dataclass(frozen=True, slots=True)
class Space:
    """An explicit space, in em."""

    width: float


Layout: TypeAlias = (
    Symbol | Function | Row | Scripts | Fraction | Root | Accent | Brace | Fenced | Grid | Space
)
EMPTY = Row(())


def items_of(layout: Layout) -> tuple[Layout, ...]:
    """The parts of a row, or the one part that is not a row."""
    return layout.items if isinstance(layout, Row) else (layout,)


def row_of(*items: Layout) -> Layout:
    """The shortest layout that shows these parts."""
    return items[0] if len(items) == 1 else Row(items)


def role_of(layout: Layout) -> Role:
    """The role that decides spacing; a scripted sign keeps the role of its base."""
    match layout:
        case Symbol(role=role):
            return role
        case Function():
            return "function"
        case Scripts(base=base):
            return role_of(base)
    return "ordinary"
