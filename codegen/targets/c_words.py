"""Words of C: names, numbers, entries of arrays, loops; what statements are made of."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from codegen.places import stays_inside
from codegen.program import (
    BATCH,
    Access,
    Body,
    Call,
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
from derive.ops import table

Lines = list[str]


@dataclass(frozen=True, slots=True)
class _Product:
    """A small whole power, to be written as a function that multiplies."""

    function: str
    base: Body


POWERS = {2: "square", 3: "cube"}


def _with_products(body: Body) -> Any:
    """Return a body with small whole powers as products: there is nothing for a compiler to find out."""
    if not isinstance(body, Call):
        return body
    exponent = body.args[-1]
    if body.op == table.POW and isinstance(exponent, Number) and exponent.value in POWERS:
        return _Product(POWERS[int(exponent.value)], body.args[0])
    return Call(body.op, tuple(_with_products(arg) for arg in body.args))


@dataclass(slots=True)
class Words:
    """Spells names, numbers, entries and loops in C.

    Attributes:
        program: What is spelled.
        prefix: Put before every name of the file.
        pointers: Scalars that are reached through a pointer; other scalars are local variables.
        alias: Values that lie in another value's memory.
        used: Names of the functions that were called, those of products among them.
        padded: Values whose rows are rounded up to whole vectors.
        lanes: Numbers in a vector.
        alone: Whether entries that may not exist are loaded one by one, whatever compiler and flags make of them.
        at_hand: Values that the loop being written has in a local variable, and what that is called.
    """

    program: Program
    prefix: str
    pointers: frozenset[str]
    alias: Mapping[str, str]
    used: set[str]
    padded: frozenset[str] = frozenset()
    lanes: int = 1
    alone: bool = False
    at_hand: dict[str, str] = field(default_factory=dict)

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

    def rounded(self, size: Size) -> str:
        """Return a size rounded up to whole vectors."""
        if size == BATCH:
            return "wide"
        number = self.program.sizes[size] if isinstance(size, str) else size
        whole = -(-number // self.lanes) * self.lanes
        return self.size(size) if whole == number else str(whole)

    def lengths(self, name: str) -> list[str]:
        """Return how long a value's axes are in memory."""
        sizes = self.program.values[name].sizes
        return [
            self.rounded(size) if name in self.padded and k == len(sizes) - 1 else self.size(size)
            for k, size in enumerate(sizes)
        ]

    def stride(self, ref: Ref, label: str) -> str:
        """Return how far entries lie apart along a label; 0 along one that a value lacks."""
        if label not in ref.labels:
            return "0"
        behind = [
            f"(ptrdiff_t){word}" if word == BATCH else word
            for word in self.lengths(ref.name)[ref.labels.index(label) + 1 :]
        ]
        return " * ".join(behind) or "1"

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
        taken = {*self.program.values, BATCH, "r", "w", "e"}
        labels = extents(self.program, statement)
        return {label: label if label not in taken else self.word(f"i_{label}") for label in labels}

    def place(self, ref: Ref, index: Mapping[str, str]) -> str:
        """Return an entry of a value: `Z1[b * cat_h + h]`, or a scalar."""
        if ref.name in self.at_hand:
            return self.at_hand[ref.name]
        name = self.alias.get(ref.name, ref.name)
        if not ref.labels:
            return f"*{name}" if ref.name in self.pointers else name
        text = "0"
        for label, length in zip(ref.labels, self.lengths(ref.name), strict=True):
            text = _index(text, length, index[label])
        return f"{name}[{text}]"

    def span(self, accesses: Sequence[Access], label: str) -> str:
        """Return how far a loop over a label runs: to the padded end where every row has one."""
        with_label = [access for access in accesses if label in access.labels]
        padded = all(
            isinstance(ref, Ref) and ref.labels.index(label) == len(ref.labels) - 1 and ref.name in self.padded
            for ref in with_label
        )
        ref = next(access for access in with_label if isinstance(access, Ref))
        size = self.program.values[ref.name].sizes[ref.labels.index(label)]
        return self.rounded(size) if padded else self.size(size)

    def word(self, wish: str) -> str:
        """Return a name for a local variable that no value has."""
        while wish in self.program.values or wish in self.program.sizes:
            wish += "_"
        return wish

    def local_name(self, name: str) -> str:
        """Return what a local variable with an entry of a value is called."""
        return self.word(f"{name}_")

    def independent(self) -> str:
        """Return what tells a compiler that the rounds of the next loop do not depend on each other."""
        self.used.add("INDEPENDENT")
        return f"{self.prefix.upper()}INDEPENDENT"

    def aligned(self) -> str:
        """Return what puts an array on the boundary of a vector."""
        self.used.add("ALIGNED")
        return f"{self.prefix.upper()}ALIGNED "

    def body(self, body: Body, index: Mapping[str, str], sizes: Mapping[str, Size]) -> str:
        """Return a body at the given indices, of labels that run along the given sizes."""

        def leaf(part: Leaf | _Product) -> Text:
            if isinstance(part, _Product):
                self.used.add(part.function)
                return f"{self.helper}{part.function}({self.body(part.base, index, sizes)})", ATOM
            if isinstance(part, Samples):
                return f"({self.real}){BATCH}", POWER
            if isinstance(part, Position):
                return f"({self.real}){_bracketed(index[part.label])}", POWER
            if isinstance(part, Pick):
                place, within = self.picked(part, index, sizes)
                if within and self.alone:
                    self.used.add("alone")
                    place = f"{self.helper}alone(&{place})"
                return (f"({' && '.join(within)} ? {place} : 0)" if within else place), ATOM
            return self.place(part, index), ATOM

        return spell(_with_products(body), leaf, self.number, self.template)[0]

    def picked(self, pick: Pick, index: Mapping[str, str], sizes: Mapping[str, Size]) -> tuple[str, list[str]]:
        """Return an entry at computed indices, and what must hold for it to lie inside."""
        name, within, text = self.alias.get(pick.name, pick.name), [], "0"
        sizes_of, lengths = self.program.values[pick.name].sizes, self.lengths(pick.name)
        for place, axis, length in zip(pick.index, sizes_of, lengths, strict=True):
            at, met = self.index(place, index)
            if not stays_inside(self.program, place, axis, sizes):
                top = f"({self.real}){self.size(axis)}" if isinstance(place, Lookup) else self.size(axis)
                within += [f"{met} >= 0", f"{met} < {top}"]
            text = _index(text, length, at)
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
            word = _bracketed(index[label])
            text += f" {sign} {times}{word}" if text else f"{sign}{times}{word}"
        return (f"({text or '0'})" if " " in text else text or "0"), text or "0"

    def count(self, sizes: Sequence[Size]) -> str:
        """Return how many entries a tensor has, as C."""
        words = [f"(ptrdiff_t){BATCH}" if size == BATCH else self.size(size) for size in sizes if size != 1]
        return " * ".join(words) or "1"

    def nest(self, statement: Statement, labels: Sequence[str], lines: Lines) -> Lines:
        """Return lines inside loops over the labels, the first outermost."""
        sizes, index = extents(self.program, statement), self.loop_names(statement)
        for label in reversed(labels):
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


def choices(variable: str, cases: Sequence[tuple[int, Lines]]) -> Lines:
    """Return the lines of the case that a variable has the value of; the last case needs no test.

    >>> choices("rows", [(3, ["a();"]), (1, ["b();"])])
    ['if (rows == 3) {', '    a();', '} else {', '    b();', '}']
    """
    if len(cases) == 1:
        return cases[0][1]
    lines: Lines = []
    for k, (value, inner) in enumerate(cases):
        test = f"if ({variable} == {value}) {{" if k < len(cases) - 1 else "{"
        lines += [test if k == 0 else f"}} else {test}", *indent(inner)]
    return [*lines, "}"]


def _bracketed(text: str) -> str:
    return f"({text})" if " " in text else text


def _index(outer: str, size: str, inner: str) -> str:
    """Return the index of an entry from that of its row: `(outer) * size + inner`."""
    if outer == "0" or size == "1":
        return inner if outer == "0" else outer
    outer = f"({outer})" if "+" in outer else outer
    return f"{outer} * {size}" if inner == "0" else f"{outer} * {size} + {inner}"


def indent(lines: Lines) -> Lines:
    """Return lines one step further in."""
    return [f"    {line}" for line in lines]
