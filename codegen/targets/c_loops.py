"""C statements: each statement of a program as a loop nest or as a call of the matrix product."""

from __future__ import annotations

from dataclasses import dataclass

from codegen.program import BATCH, Contract, Map, Reduce, Ref, Samples, Statement, reads
from codegen.targets.c_products import contract
from codegen.targets.c_words import Lines, Words, indent, loop
from codegen.targets.spell import ATOM, POWER, Text, spell
from derive.op import find


@dataclass(slots=True)
class Loops(Words):
    """Spells statements in C."""

    def statement(self, statement: Statement) -> Lines:
        """Return a statement as lines of C."""
        if isinstance(statement, Contract):
            return contract(self, statement)
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
        return [*loop(variable, count, [f"{leaf(statement.out)[0]} = {text};"])]

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
