"""C statements: each statement of a program as a loop nest or as a call of the matrix product."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from codegen.program import (
    BATCH,
    Body,
    Contract,
    Map,
    Number,
    Program,
    Reduce,
    Ref,
    Samples,
    Size,
    Statement,
    extents,
    reads,
)
from codegen.targets.spell import ATOM, POWER, SIGN, Text, helpers_in, spell
from derive.op import Op, find

Lines = list[str]
Factor = tuple[Ref, list[str]]  # an operand of a product, and its label that is not summed


@dataclass(slots=True)
class Loops:
    """Spells statements in C.

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

    # ---- words ---------------------------------------------------------------------------------------------

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
            text = text.replace(f"{word}(", f"{self.helper}{word}(")
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

    def body(self, body: Body, index: Mapping[str, str]) -> str:
        """Return a body at the given indices."""

        def leaf(part: Ref | Samples) -> Text:
            if isinstance(part, Samples):
                return f"({self.real}){BATCH}", POWER
            return self.place(part, index), ATOM

        return spell(body, leaf, self.number, self.template)[0]

    # ---- statements ----------------------------------------------------------------------------------------

    def statement(self, statement: Statement) -> Lines:
        """Return a statement as lines of C."""
        if isinstance(statement, Contract):
            return self.contract(statement)
        return self.map(statement) if isinstance(statement, Map) else self.reduce(statement)

    def map(self, statement: Map) -> Lines:
        """Return an entry-by-entry statement: one loop where all operands lie alike, else a nest."""
        refs = [ref for ref in (statement.out, *reads(statement)) if ref.labels]
        if len(statement.out.labels) > 1 and all(ref.labels == statement.out.labels for ref in refs):
            return self.flat(statement)
        index = self.loop_names(statement)
        line = f"{self.place(statement.out, index)} = {self.body(statement.body, index)};"
        return self.nest(statement, statement.out.labels, [line])

    def flat(self, statement: Map) -> Lines:
        """Return one loop over all entries of operands that lie alike."""
        refs = [statement.out, *reads(statement)]
        names = {ref: Ref(ref.name, ref.labels[:1]) for ref in refs}
        taken = self.program.values
        variable = "i" if "i" not in taken else "i_"

        def leaf(part: Ref | Samples) -> Text:
            if isinstance(part, Samples):
                return f"({self.real}){BATCH}", POWER
            name = self.alias.get(part.name, part.name)
            return (f"{name}[{variable}]" if names[part].labels else self.place(part, {})), ATOM

        text = spell(statement.body, leaf, self.number, self.template)[0]
        count = self.count(taken[statement.out.name].sizes)
        return [*_loop(variable, count, [f"{leaf(statement.out)[0]} = {text};"])]

    def count(self, sizes: Sequence[Size]) -> str:
        """Return how many entries a tensor has, as C."""
        words = [f"(ptrdiff_t){BATCH}" if size == BATCH else self.size(size) for size in sizes if size != 1]
        return " * ".join(words) or "1"

    def nest(self, statement: Statement, labels: Sequence[str], lines: Lines) -> Lines:
        """Return lines inside loops over the labels, the first outermost."""
        sizes, index = extents(self.program, statement), self.loop_names(statement)
        for label in reversed([label for label in labels if sizes[label] != 1]):
            lines = _loop(index[label], self.size(sizes[label]), lines)
        return lines

    def reduce(self, statement: Reduce) -> Lines:
        """Return a reduction: row by row into the result where that runs along memory, else into a local sum."""
        kind = find(statement.op).reduce
        widest = max((ref.labels for ref in reads(statement)), key=len)
        if statement.out.labels and widest and widest[-1] in statement.out.labels:
            return self.reduce_rows(statement, kind)
        return self.reduce_local(statement, kind)

    def reduce_rows(self, statement: Reduce, kind: str) -> Lines:
        """Return a reduction that runs over the result once for every summed index."""
        index = self.loop_names(statement)
        start = index | dict.fromkeys(statement.over, "0")
        out = self.place(statement.out, index)
        first = "0" if kind == "sum" else self.body(statement.body, start)
        update = self.combine(kind, out, self.body(statement.body, index))
        return [
            *self.nest(statement, statement.out.labels, [f"{out} = {first};"]),
            *self.nest(statement, (*statement.over, *statement.out.labels), [update]),
        ]

    def reduce_local(self, statement: Reduce, kind: str) -> Lines:
        """Return a reduction into a local variable for every entry of the result."""
        index = self.loop_names(statement)
        start = index | dict.fromkeys(statement.over, "0")
        first = "0" if kind == "sum" else self.body(statement.body, start)
        local = kind if kind not in self.program.values else f"{kind}_"
        inner = self.nest(
            statement, statement.over, [self.combine(kind, local, self.body(statement.body, index))]
        )
        whole = [f"{self.real} {local} = {first};", *inner, f"{self.place(statement.out, index)} = {local};"]
        looped = self.nest(statement, statement.out.labels, whole)
        return looped if looped != whole else ["{", *_indent(whole), "}"]

    def combine(self, kind: str, place: str, entry: str) -> str:
        """Return the line that takes one more entry into a sum or a maximum."""
        if kind == "sum":
            return f"{place} += {entry};"
        self.used.add("larger")
        return f"{place} = {self.helper}larger({place}, {entry});"

    # ---- products ------------------------------------------------------------------------------------------

    def contract(self, statement: Contract) -> Lines:
        """Return a call of the matrix product, or a loop nest where the axes allow none."""
        summed = [label for label in statement.a.labels if label not in statement.out.labels]
        a, b = statement.a, statement.b
        rows = [label for label in a.labels if label not in summed]
        columns = [label for label in b.labels if label not in summed]
        if len(summed) != 1 or len(rows) > 1 or len(columns) > 1 or set(rows) & set(columns):
            return self.contract_nest(statement, summed)
        if self.single:
            return self.contract_single(statement, summed)
        if statement.out.labels != (*rows, *columns):
            a, b, rows, columns = b, a, columns, rows
        sizes = extents(self.program, statement)
        if self.thin(columns, sizes) and not self.thin(rows, sizes):  # a column: compute it as a row
            a, b, rows, columns = b, a, columns, rows
        return self.matmul(statement, (a, rows), (b, columns), summed[0])

    def matmul(self, statement: Contract, left: Factor, right: Factor, summed: str) -> Lines:
        """Return a call of the matrix product of two factors, each with its free label."""
        self.used.add("matmul")
        sizes = extents(self.program, statement)
        counts = [self.size(sizes[labels[0]]) if labels else "1" for labels in (left[1], right[1], [summed])]
        a, (a_row, a_column) = self.strided(*left, summed, sizes)
        b, (b_column, b_row) = self.strided(*right, summed, sizes)
        out = self.alias.get(statement.out.name, statement.out.name)
        out = f"&{out}" if not statement.out.labels and out not in self.pointers else out
        strides = (a, a_row, a_column, b, b_row, b_column, out)
        return [f"{self.helper}matmul({', '.join([*counts, *strides])});"]

    def contract_single(self, statement: Contract, summed: Sequence[str]) -> Lines:
        """Return a product with a vector: a dot product for each row, or rows added up."""
        index = self.loop_names(statement)
        (label,) = summed
        factors = (statement.a, statement.b)
        if all(ref.labels[-1] == label for ref in factors):
            self.used.add("dot")
            count = self.size(extents(self.program, statement)[label])
            a, b = (self.place(ref, index | {label: "0"}) for ref in factors)
            call = f"{self.helper}dot({count}, &{a}, &{b})"
            return self.nest(
                statement, statement.out.labels, [f"{self.place(statement.out, index)} = {call};"]
            )
        product = f"{self.place(statement.a, index)} * {self.place(statement.b, index)}"
        out = self.place(statement.out, index)
        clear = self.nest(statement, statement.out.labels, [f"{out} = 0;"])
        return [*clear, *self.nest(statement, (label, *statement.out.labels), [f"{out} += {product};"])]

    def thin(self, labels: list[str], sizes: Mapping[str, Size]) -> bool:
        """Tell whether an axis is missing or has one entry."""
        size = sizes[labels[0]] if labels else 1
        return size == 1 or (isinstance(size, str) and self.program.sizes.get(size) == 1)

    def strided(
        self, ref: Ref, free: list[str], summed: str, sizes: Mapping[str, Size]
    ) -> tuple[str, tuple[str, str]]:
        """Return an operand, and its strides along its free and its summed label."""
        name = self.alias.get(ref.name, ref.name)
        if not free:
            return name, ("0", "1")
        along = self.size(sizes[ref.labels[1]])
        return name, (along, "1") if ref.labels == (free[0], summed) else ("1", along)

    def contract_nest(self, statement: Contract, summed: Sequence[str]) -> Lines:
        """Return a contraction as plain loops."""
        index = self.loop_names(statement)
        local = "sum" if "sum" not in self.program.values else "sum_"
        factors = f"{self.place(statement.a, index)} * {self.place(statement.b, index)}"
        inner = self.nest(statement, summed, [f"{local} += {factors};"])
        whole = [f"{self.real} {local} = 0;", *inner, f"{self.place(statement.out, index)} = {local};"]
        looped = self.nest(statement, statement.out.labels, whole)
        return looped if looped != whole else ["{", *_indent(whole), "}"]


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


def _loop(variable: str, count: str, lines: Lines) -> Lines:
    return [f"for (ptrdiff_t {variable} = 0; {variable} < {count}; ++{variable}) {{", *_indent(lines), "}"]


def _index(outer: str, size: str, inner: str) -> str:
    """Return the index of an entry from that of its row: `(outer) * size + inner`."""
    if outer == "0" or size == "1":
        return inner if outer == "0" else outer
    outer = f"({outer})" if "+" in outer else outer
    return f"{outer} * {size}" if inner == "0" else f"{outer} * {size} + {inner}"


def _indent(lines: Lines) -> Lines:
    return [f"    {line}" for line in lines]
