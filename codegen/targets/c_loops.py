"""C statements: each statement of a program as a loop nest or as a call of the matrix product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codegen.program import ARGMAX, BATCH, Map, Reduce, Ref, Scatter, Statement, Whole, extents, reads
from codegen.targets.c_linalg import whole
from codegen.targets.c_words import Lines, Words, indent, loop


def _refs(statement: Statement) -> list[Ref]:
    return [access for access in reads(statement) if isinstance(access, Ref)]


@dataclass(slots=True)
class Loops(Words):
    """Spells statements in C."""

    def statement(self, statement: Statement) -> Lines:
        """Return a reduction, or a copy with axes turned round."""
        if isinstance(statement, Reduce):
            return self.reduce(statement)
        if isinstance(statement, Scatter):
            return self.scatter(statement)
        if isinstance(statement, Whole):
            return whole(self, statement)
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
        """Return a reduction: row by row into the result where that runs along memory, else into a local value."""
        kind = statement.kind
        if kind == ARGMAX:
            return self.place_of_largest(statement)
        widest = max((ref.labels for ref in _refs(statement)), key=len, default=())
        if kind == "sum" and isinstance(statement.body, Ref) and (lines := self.sum_of(statement, statement.body)):
            return lines
        if statement.out.labels and widest and widest[-1] in statement.out.labels:
            return self.reduce_rows(statement, kind)
        return self.reduce_local(statement, kind)

    def sum_of(self, statement: Reduce, summed: Ref) -> Lines:
        """Return the sum of a value's rows, or of each of its rows, by a kernel; nothing where none fits."""
        index, sizes = self.loop_names(statement), extents(self.program, statement)
        if len(statement.over) != 1 or len(set(summed.labels)) < len(summed.labels):  # a diagonal is no row
            return []
        (label,), last = statement.over, summed.labels[-1]
        start = f"&{self.place(summed, {**index, label: '0', **({last: '0'} if last != label else {})})}"
        if last == label:
            self.used.add("total")
            call = f"{self.helper}total({self.size(sizes[label])}, {start})"
            return self.nest(statement, statement.out.labels, [f"{self.place(statement.out, index)} = {call};"])
        rows = {summed.name, statement.out.name} <= self.padded and statement.out.labels[-1:] == (last,)
        if not rows:
            return []
        self.used.add("add_rows")
        out = f"&{self.place(statement.out, {**index, last: '0'})}"
        arguments = [self.size(sizes[label]), self.rounded(sizes[last]), start, self.stride(summed, label), out]
        return self.nest(statement, statement.out.labels[:-1], [f"{self.helper}add_rows({', '.join(arguments)});"])

    def reduce_rows(self, statement: Reduce, kind: str) -> Lines:
        """Return a reduction that runs over the result once for every summed index."""
        index, out = self.loop_names(statement), statement.out.labels
        sizes = extents(self.program, statement)
        first = "0" if kind == "sum" else self.body(statement.body, index | dict.fromkeys(statement.over, "0"), sizes)
        place, entry = self.place(statement.out, index), self.body(statement.body, index, sizes)
        count = self.span((statement.out, *reads(statement)), out[-1])
        clear, update = (
            [self.independent(), *loop(index[out[-1]], count, [line])]
            for line in (f"{place} = {first};", self.combine(kind, place, entry))
        )
        for label in reversed(statement.over):
            update = loop(index[label], self.size(sizes[label]), update)
        return self.nest(statement, out[:-1], [*clear, *update])

    def reduce_local(self, statement: Reduce, kind: str) -> Lines:
        """Return a reduction into a local variable for every entry of the result; long ones in lanes."""
        index, sizes = self.loop_names(statement), extents(self.program, statement)
        start = index | dict.fromkeys(statement.over, "0")
        first = "0" if kind == "sum" else self.body(statement.body, start, sizes)
        local = self.word(kind)
        *outer, last = self.in_memory_order(statement)
        number = sizes[last] if not isinstance(sizes[last], str) else self.program.sizes.get(str(sizes[last]), 0)
        if number == 0 or int(number) >= 2 * self.lanes:
            inner = self.reduce_lanes(statement, kind, local, outer, last)
        else:
            entry = self.body(statement.body, index, sizes)
            inner = self.nest(statement, (*outer, last), [self.combine(kind, local, entry)])
        whole = [f"{self.real} {local} = {first};", *inner, f"{self.place(statement.out, index)} = {local};"]
        looped = self.nest(statement, statement.out.labels, whole)
        return looped if looped != whole else ["{", *indent(whole), "}"]

    def in_memory_order(self, statement: Reduce) -> list[str]:
        """Return the labels that are summed over, the one along memory last."""
        widest = max((ref.labels for ref in _refs(statement)), key=len, default=())
        return sorted(statement.over, key=lambda label: widest.index(label) if label in widest else -1)

    def reduce_lanes(self, statement: Reduce, kind: str, local: str, outer: Sequence[str], last: str) -> Lines:
        """Return a reduction along memory whose partial results lie side by side, as many as fill a vector."""
        index, sizes = self.loop_names(statement), extents(self.program, statement)
        size = self.size(sizes[last])
        step, lanes, lane = index[last], self.lanes, self.word("w")
        beside = {**index, last: f"{step} + {lane}"}
        first, whole = "0" if kind == "sum" else local, self.word("whole")
        begin = [
            f"{self.real} lanes[{lanes}];",
            *loop(lane, str(lanes), [f"lanes[{lane}] = {first};"]),
            f"const ptrdiff_t {whole} = {size} - {size} % {lanes};",
        ]
        inner = [
            f"for (ptrdiff_t {step} = 0; {step} < {whole}; {step} += {lanes}) {{",
            *indent(
                loop(lane, str(lanes), [self.combine(kind, f"lanes[{lane}]", self.body(statement.body, beside, sizes))])
            ),
            "}",
            f"for (ptrdiff_t {step} = {whole}; {step} < {size}; ++{step}) {{",
            *indent([self.combine(kind, local, self.body(statement.body, index, sizes))]),
            "}",
        ]
        end = loop(lane, str(lanes), [self.combine(kind, local, f"lanes[{lane}]")])
        return [*begin, *self.nest(statement, outer, inner), *end]

    def combine(self, kind: str, place: str, entry: str) -> str:
        """Return the line that takes one more entry into a sum or a maximum."""
        if kind == "sum":
            return f"{place} += {entry};"
        self.used.add("larger")
        return f"{place} = {self.helper}larger({place}, {entry});"

    def place_of_largest(self, statement: Reduce) -> Lines:
        """Return the search for the first of the largest entries, counted along `over`."""
        index, sizes = self.loop_names(statement), extents(self.program, statement)
        entry, largest, place, count = (self.word(word) for word in ("entry", "largest", "place", "count"))
        body = self.body(statement.body, index, sizes)
        look = [
            f"const {self.real} {entry} = {body};",
            f"if ({count} == 0 || {entry} > {largest}) {{",
            *indent([f"{largest} = {entry};", f"{place} = {count};"]),
            "}",
            f"++{count};",
        ]
        whole = [
            f"{self.real} {largest} = 0;",
            f"ptrdiff_t {place} = 0, {count} = 0;",
            *self.nest(statement, statement.over, look),
            f"{self.place(statement.out, index)} = ({self.real}){place};",
        ]
        looped = self.nest(statement, statement.out.labels, whole)
        return looped if looped != whole else ["{", *indent(whole), "}"]

    def scatter(self, statement: Scatter) -> Lines:
        """Return a loop that clears the result, and a nest that adds every entry at its place."""
        index, sizes = self.loop_names(statement), extents(self.program, statement)
        name = self.alias.get(statement.out.name, statement.out.name)
        variable = self.word("i")
        count = " * ".join(f"(ptrdiff_t){word}" if word == BATCH else word for word in self.lengths(statement.out.name))
        place, within = self.picked(statement.out, index, sizes)
        line = f"{place} += {self.body(statement.body, index, sizes)};"
        lines = [f"if ({' && '.join(within)}) {{", *indent([line]), "}"] if within else [line]
        inner = dict.fromkeys(label for part in (statement.out, *reads(statement)) for label in part.labels)
        return [*loop(variable, count or "1", [f"{name}[{variable}] = 0;"]), *self.nest(statement, tuple(inner), lines)]
