"""Words of C: names, numbers, entries of arrays, loops; what statements are made of."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from codegen.places import stays_inside
from codegen.program import (
    BATCH,
    Body,
    Index,
    Leaf,
    Lookup,
    Number,
    Pick,
    Position,
    Program,
    Ref,
    Samples,
    Size,
    Statement,
    extents,
)
from codegen.targets.spell import ATOM, POWER, SIGN, Text, helpers_in, spell
from derive.op import Op

Lines = list[str]


@dataclass(slots=True)
class Words:
    """Spells names, numbers, entries and loops in C.

    Attributes:
        program: What is spelled.
        prefix: Put before every name of the file.
        pointers: Scalars that are reached through a pointer; other scalars are local variables.
        alias: Values that lie in another value's memory.
        used: Names of the functions that were called, `dot` and `matmul` among them.
        single: Whether one sample is computed, which needs no tiles.
    """

    program: Program
    prefix: str
    pointers: frozenset[str]
    alias: Mapping[str, str]
    used: set[str]
    single: bool = False

    @property
    def real(self) -> str:
        """The C type."""
        return "float" if self.program.dtype == "float32" else "double"

    @property
    def helper(self) -> str:
        """What stands before the names of the file's own mathematics."""
        return f"{self.prefix}fn_"

    def size(self, size: Size) -> str:
        """Return a size as C: a number, a constant of the file, or the batch size."""
        return f"{self.prefix}{size}" if size in self.program.sizes else str(size)

    def number(self, number: Number) -> Text:
        """Return a literal of the file's type."""
        text = literal(number.value, self.program.dtype)
        return text, SIGN if number.value < 0 else ATOM

    def template(self, row: Op) -> str:
        """Return how an operation is written, its functions with the file's prefix."""
        text = row.c
        for word in helpers_in([text]):
            self.used.add(word)
            text = re.sub(rf"\b{word}\(", f"{self.helper}{word}(", text)
        return text

    def loop_names(self, statement: Statement) -> dict[str, str]:
        """Return a loop variable for each label that no value is called by."""
        taken = {*self.program.values, BATCH, "lr", "scratch"}
        sizes = extents(self.program, statement)
        names = {label: label if label not in taken else f"i_{label}" for label in sizes}
        return {label: "0" if sizes[label] == 1 else name for label, name in names.items()}

    def place(self, ref: Ref, index: Mapping[str, str]) -> str:
        """Return an entry of a value: `Z1[b * cat_h + h]`, or a scalar."""
        name = self.alias.get(ref.name, ref.name)
        if not ref.labels:
            return f"*{name}" if name in self.pointers else name
        sizes = self.program.values[ref.name].sizes
        text = "0"
        for label, size in zip(ref.labels, sizes, strict=True):
            text = _index(text, self.size(size), index[label])
        return f"{name}[{text}]"

    def body(self, body: Body, index: Mapping[str, str], sizes: Mapping[str, Size]) -> str:
        """Return a body at the given indices, of labels that run along the given sizes."""

        def leaf(part: Leaf) -> Text:
            if isinstance(part, Samples):
                return f"({self.real}){BATCH}", POWER
            if isinstance(part, Position):
                return f"({self.real}){index[part.label]}", POWER
            if isinstance(part, Pick):
                place, within = self.picked(part, index, sizes)
                return (f"({' && '.join(within)} ? {place} : 0)" if within else place), ATOM
            return self.place(part, index), ATOM

        return spell(body, leaf, self.number, self.template)[0]

    def picked(self, pick: Pick, index: Mapping[str, str], sizes: Mapping[str, Size]) -> tuple[str, list[str]]:
        """Return an entry at computed indices, and what must hold for it to lie inside."""
        name, within, text = self.alias.get(pick.name, pick.name), [], "0"
        for place, axis in zip(pick.index, self.program.values[pick.name].sizes, strict=True):
            at, met = self.index(place, index)
            if not stays_inside(self.program, place, axis, sizes):
                top = f"({self.real}){self.size(axis)}" if isinstance(place, Lookup) else self.size(axis)
                within += [f"{met} >= 0", f"{met} < {top}"]
            text = _index(text, self.size(axis), at)
        return f"{name}[{text}]", within

    def index(self, place: Index, index: Mapping[str, str]) -> tuple[str, str]:
        """Return an index, and what is compared with the length of its axis."""
        if isinstance(place, str):
            return index[place], index[place]
        if isinstance(place, Lookup):
            held = self.place(place.ref, index)
            return f"(ptrdiff_t){held}", held
        text = str(place.offset) if place.offset else ""
        for coefficient, label in place.terms:
            sign = ("+" if text else "") if coefficient > 0 else "-"
            times = "" if abs(coefficient) == 1 else f"{abs(coefficient)} * "
            text += f" {sign} {times}{index[label]}" if text else f"{sign}{times}{index[label]}"
        return (f"({text or '0'})" if " " in text else text or "0"), text or "0"

    def count(self, sizes: Sequence[Size]) -> str:
        """Return how many entries a tensor has, as C."""
        words = [f"(ptrdiff_t){BATCH}" if size == BATCH else self.size(size) for size in sizes if size != 1]
        return " * ".join(words) or "1"

    def nest(self, statement: Statement, labels: Sequence[str], lines: Lines) -> Lines:
        """Return lines inside loops over the labels, the first outermost."""
        sizes, index = extents(self.program, statement), self.loop_names(statement)
        for label in reversed([label for label in labels if sizes[label] != 1]):
            lines = loop(index[label], self.size(sizes[label]), lines)
        return lines


def literal(value: Fraction | float, dtype: str) -> str:
    """Return a number as a literal of C: the shortest that reads back as the same number.

    >>> literal(Fraction(1, 3), "float32"), literal(2.0, "float64")
    ('0.33333334f', '2.0')
    """
    rounded = np.float32(float(value)) if dtype == "float32" else np.float64(float(value))
    if not math.isfinite(rounded):
        raise OverflowError(f"{value} is no {dtype}")
    text = str(rounded)
    return f"{text}f" if dtype == "float32" else text


def loop(variable: str, count: str, lines: Lines) -> Lines:
    """Return lines inside a loop."""
    return [f"for (ptrdiff_t {variable} = 0; {variable} < {count}; ++{variable}) {{", *indent(lines), "}"]


def _index(outer: str, size: str, inner: str) -> str:
    """Return the index of an entry from that of its row: `(outer) * size + inner`."""
    if outer == "0" or size == "1":
        return inner if outer == "0" else outer
    outer = f"({outer})" if "+" in outer else outer
    return f"{outer} * {size}" if inner == "0" else f"{outer} * {size} + {inner}"


def indent(lines: Lines) -> Lines:
    """Return lines one step further in."""
    return [f"    {line}" for line in lines]
