"""C statements: each statement of a program as a loop nest or as a call of the matrix product."""

from __future__ import annotations

from dataclasses import dataclass

from codegen.program import Map, Reduce, Ref, Statement, extents, reads
from codegen.targets.c_words import Lines, Words, indent
from derive.op import find


@dataclass(slots=True)
class Loops(Words):
    """Spells statements in C."""

    def statement(self, statement: Statement) -> Lines:
        """Return a reduction, or a copy with axes turned round."""
        if isinstance(statement, Reduce):
            return self.reduce(statement)
        assert isinstance(statement, Map) and isinstance(statement.body, Ref)
        return self.turn(statement, statement.body)

    def turn(self, statement: Map, source: Ref) -> Lines:
        """Return a copy of a value with its axes in another order."""
        index, sizes = self.loop_names(statement), extents(self.program, statement)
        row, column = source.labels[-1], statement.out.labels[-1]
        if row == column:
            line = f"{self.place(statement.out, index)} = {self.place(source, index)};"
            return self.nest(statement, statement.out.labels, [line])
        self.used.add("turn")
        start = {**index, row: "0", column: "0"}
        arguments = [
            self.size(sizes[column]), self.size(sizes[row]), f"&{self.place(source, start)}",
            self.stride(source, column), f"&{self.place(statement.out, start)}", self.stride(statement.out, row),
        ]  # fmt: skip
        others = [label for label in statement.out.labels if label not in (row, column)]
        return self.nest(statement, others, [f"{self.helper}turn({', '.join(arguments)});"])

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
        inner = self.nest(statement, statement.over, [self.combine(kind, local, self.body(statement.body, index))])
        whole = [f"{self.real} {local} = {first};", *inner, f"{self.place(statement.out, index)} = {local};"]
        looped = self.nest(statement, statement.out.labels, whole)
        return looped if looped != whole else ["{", *indent(whole), "}"]

    def combine(self, kind: str, place: str, entry: str) -> str:
        """Return the line that takes one more entry into a sum or a maximum."""
        if kind == "sum":
            return f"{place} += {entry};"
        self.used.add("larger")
        return f"{place} = {self.helper}larger({place}, {entry});"
