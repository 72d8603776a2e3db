"""C statements: each statement of a program as a loop nest or as a call of the matrix product."""

from __future__ import annotations

from dataclasses import dataclass

from codegen.program import (
    ARGMAX,
    BATCH,
    Contract,
    Leaf,
    Map,
    Position,
    Reduce,
    Ref,
    Scatter,
    Statement,
    Whole,
    extents,
    reads,
    walk,
)
from codegen.targets.c_linalg import whole
from codegen.targets.c_products import contract
from codegen.targets.c_words import Lines, Words, indent, loop
from codegen.targets.spell import ATOM, POWER, Text, spell


@dataclass(slots=True)
class Loops(Words):
    """Spells statements in C."""

    def statement(self, statement: Statement) -> Lines:
        """Return a statement as lines of C."""
        if isinstance(statement, Contract):
            return contract(self, statement)
        if isinstance(statement, Whole):
            return whole(self, statement)
        if isinstance(statement, Scatter):
            return self.scatter(statement)
        return self.map(statement) if isinstance(statement, Map) else self.reduce(statement)

    def map(self, statement: Map) -> Lines:
        """Return an entry-by-entry statement: one loop where all operands lie alike, else a nest."""
        labels = statement.out.labels
        plain = not any(isinstance(part, Position) for part in walk(statement.body))
        alike = (isinstance(part, Ref) and part.labels in ((), labels) for part in reads(statement))
        if len(labels) > 1 and plain and all(alike):
            return self.flat(statement)
        index, sizes = self.loop_names(statement), extents(self.program, statement)
        line = f"{self.place(statement.out, index)} = {self.body(statement.body, index, sizes)};"
        return self.nest(statement, statement.out.labels, [line])

    def flat(self, statement: Map) -> Lines:
        """Return one loop over all entries of operands that lie alike."""
        taken = self.program.values
        variable = "i" if "i" not in taken else "i_"

        def leaf(part: Leaf) -> Text:
            if not isinstance(part, Ref):
                return f"({self.real}){BATCH}", POWER
            name = self.alias.get(part.name, part.name)
            return (f"{name}[{variable}]" if part.labels else self.place(part, {})), ATOM

        text = spell(statement.body, leaf, self.number, self.template)[0]
        count = self.count(taken[statement.out.name].sizes)
        return [*loop(variable, count, [f"{leaf(statement.out)[0]} = {text};"])]

    def reduce(self, statement: Reduce) -> Lines:
        """Return a reduction: row by row into the result where that runs along memory, else into a local sum."""
        kind = statement.kind
        if kind == ARGMAX:
            return self.place_of_largest(statement)
        widest = max((ref.labels for ref in reads(statement)), key=len)
        if statement.out.labels and widest and widest[-1] in statement.out.labels:
            return self.reduce_rows(statement, kind)
        return self.reduce_local(statement, kind)

    def reduce_rows(self, statement: Reduce, kind: str) -> Lines:
        """Return a reduction that runs over the result once for every summed index."""
        index, sizes = self.loop_names(statement), extents(self.program, statement)
        start = index | dict.fromkeys(statement.over, "0")
        out = self.place(statement.out, index)
        first = "0" if kind == "sum" else self.body(statement.body, start, sizes)
        update = self.combine(kind, out, self.body(statement.body, index, sizes))
        return [
            *self.nest(statement, statement.out.labels, [f"{out} = {first};"]),
            *self.nest(statement, (*statement.over, *statement.out.labels), [update]),
        ]

    def reduce_local(self, statement: Reduce, kind: str) -> Lines:
        """Return a reduction into a local variable for every entry of the result."""
        index, sizes = self.loop_names(statement), extents(self.program, statement)
        start = index | dict.fromkeys(statement.over, "0")
        first = "0" if kind == "sum" else self.body(statement.body, start, sizes)
        local = kind if kind not in self.program.values else f"{kind}_"
        update = self.combine(kind, local, self.body(statement.body, index, sizes))
        inner = self.nest(statement, statement.over, [update])
        whole = [f"{self.real} {local} = {first};", *inner, f"{self.place(statement.out, index)} = {local};"]
        looped = self.nest(statement, statement.out.labels, whole)
        return looped if looped != whole else ["{", *indent(whole), "}"]

    def combine(self, kind: str, place: str, entry: str) -> str:
        """Return the line that takes one more entry into a sum or a maximum."""
        if kind == "sum":
            return f"{place} += {entry};"
        self.used.add("larger")
        return f"{place} = {self.helper}larger({place}, {entry});"

    def place_of_largest(self, statement: Reduce) -> Lines:
        """Return the search for the first of the largest entries, counted along `over`."""
        index, sizes = self.loop_names(statement), extents(self.program, statement)
        entry, largest, place, count = (self.unused(word) for word in ("entry", "largest", "place", "count"))
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
        variable, count = self.unused("i"), self.count(self.program.values[statement.out.name].sizes)
        place, within = self.picked(statement.out, index, sizes)
        line = f"{place} += {self.body(statement.body, index, sizes)};"
        lines = [f"if ({' && '.join(within)}) {{", *indent([line]), "}"] if within else [line]
        inner = dict.fromkeys(label for part in (statement.out, *reads(statement)) for label in part.labels)
        return [*loop(variable, count, [f"{name}[{variable}] = 0;"]), *self.nest(statement, tuple(inner), lines)]

    def unused(self, word: str) -> str:
        """Return a name for a local variable that no value has."""
        while word in self.program.values or word == BATCH:
            word += "_"
        return word
