"""NumPy lines: each statement as lines of expressions on whole arrays."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from codegen.passes.single import reduced_order
from codegen.program import (
    ARGMAX,
    BATCH,
    Body,
    Contract,
    Leaf,
    Map,
    Number,
    Pick,
    Position,
    Reduce,
    Ref,
    Samples,
    Scatter,
    Statement,
    Value,
    Whole,
    extents,
    labels_of,
    reads,
)
from codegen.targets.numpy_moves import aligned
from codegen.targets.numpy_products import Products
from codegen.targets.numpy_slices import size_text
from codegen.targets.spell import ATOM, PRODUCT, SIGN, Text, spell
from derive.op import Op, find


@dataclass(slots=True)
class Lines(Products):
    """Spells the statements of one function; a value used once, in its own equation, is written in place."""

    def statement(self, statement: Statement, place: str = "") -> list[str]:
        """Return the lines that compute a statement into its name, or into a place such as `W1[...]`."""
        self.before = []
        name = statement.out.name
        body = statement.body if isinstance(statement, Map) else None
        if isinstance(body, Pick) and not place and set(body.labels) == set(statement.out.labels):
            text = self.picked(body, statement.out.labels, statement, name)
        else:
            text = self.inner(statement)[0]
        if self.may_be_view(statement) and text != name:
            text = f"np.array({text})"  # its own memory
        lines = [] if text == name else [f"{place or name} = {text}"]
        return [*self.before, *lines]

    def may_be_view(self, statement: Statement) -> bool:
        """Tell whether a result must be copied: it may be a view of what changes in place before it is used."""
        given_out = statement.out.name in self.program.outputs
        return given_out and isinstance(statement, Map) and isinstance(statement.body, Ref | Pick)

    def template(self, row: Op) -> str:
        """Return how an operation is written."""
        return row.numpy

    def number(self, number: Number) -> Text:
        """Return a constant."""
        value = number.value
        if isinstance(value, Fraction) and value.denominator & (value.denominator - 1):
            text, binds = f"{value.numerator} / {value.denominator}", PRODUCT
        else:
            text, binds = repr(int(value) if value == int(value) else float(value)), ATOM
        return text, SIGN if value < 0 else binds

    def leaf(self, part: Leaf, order: tuple[str, ...], statement: Statement) -> Text:
        """Return a value, its axes brought into the given order."""
        if isinstance(part, Samples):
            return BATCH, ATOM
        if isinstance(part, Position):
            length = size_text(self.program, extents(self.program, statement)[part.label])
            return aligned(f"np.arange({length}, dtype=np.{self.program.dtype})", ATOM, (part.label,), order)
        if isinstance(part, Pick):
            labels = tuple(label for label in order if label in part.labels)
            return aligned(self.picked(part, labels, statement, ""), ATOM, labels, order)
        source = self.once.get(part.name)
        text, binds = self.inner(source) if source is not None else (part.name, ATOM)
        return aligned(text, binds, part.labels, order)

    def inner(self, statement: Statement) -> Text:
        """Return the right side of a statement, its axes in the order of its result."""
        if isinstance(statement, Contract):
            return self.product(statement)
        if isinstance(statement, Map):
            return self.entrywise(statement)
        if isinstance(statement, Whole):
            args = (self.leaf(arg, arg.labels, statement)[0] for arg in statement.args)
            return statement.row.numpy.format(*args), ATOM
        return self.scattered(statement) if isinstance(statement, Scatter) else self.reduction(statement)

    def spelled(self, body: Body, order: tuple[str, ...], statement: Statement) -> Text:
        """Return a body, its axes in the given order; axes of labels that it lacks are left out or have length 1."""
        return spell(body, lambda part: self.leaf(part, order, statement), self.number, self.template)

    def entrywise(self, statement: Map) -> Text:
        """Return a body; repeated along labels that it lacks."""
        order = statement.out.labels
        text, binds = self.spelled(statement.body, order, statement)
        if set(order) <= labels_of(statement.body):
            return text, binds
        sizes = extents(self.program, statement)
        text = text if reads(statement) else f"np.{self.program.dtype}({text})"
        return f"np.broadcast_to({text}, {self.shape([sizes[label] for label in order])})", ATOM

    def reduction(self, statement: Reduce, template: str = "") -> Text:
        """Return a sum, a maximum or the place of one along axes; by the row's template unless one is given."""
        order = reduced_order(self.program, statement)
        if statement.op == ARGMAX:
            return self.place_of_largest(statement, order)
        text, _ = self.spelled(statement.body, order, statement)
        places = [order.index(label) for label in statement.over]
        axis = "" if not statement.out.labels else f", axis={places[0] if len(places) == 1 else tuple(places)}"
        return (template or find(statement.op).numpy).format(text, axis=axis), ATOM

    def place_of_largest(self, statement: Reduce, order: tuple[str, ...]) -> Text:
        """Return the place of the first of the largest entries, counted along `over`, as a number."""
        if len(statement.over) > 1:
            order = (*statement.out.labels, *statement.over)
        text, binds = self.spelled(statement.body, order, statement)
        atom = text if binds >= ATOM else f"({text})"
        if not statement.out.labels:
            found = f"np.argmax({text})"
        elif len(statement.over) > 1:
            sizes = [extents(self.program, statement)[label] for label in statement.out.labels]
            found = f"{atom}.reshape({', '.join(size_text(self.program, n) for n in sizes)}, -1).argmax(axis=-1)"
        else:
            found = f"np.argmax({text}, axis={order.index(statement.over[0])})"
        return f"{found}.astype(np.{self.program.dtype})", ATOM


def commented(printer: Lines, statement: Statement, title: str) -> list[str]:
    """Return the lines of a statement; behind the first the number of its equation, and what that computes."""
    first, *rest = printer.statement(statement)
    program = printer.program
    remark = program.remark(statement.eq) if title and program.values[statement.out.name].role != "temp" else ""
    comment = f"({statement.eq}) {plain(title)}{remark}".rstrip()
    return [f"    {first}  # {comment}", *(f"    {line}" for line in rest)]


def plain(text: str) -> str:
    """Return text that may stand in a comment or a docstring."""
    return text.replace('"""', "'''").replace("\n", " ").rstrip("\\")


def unpack(source: str, values: tuple[Value, ...]) -> list[str]:
    """Return the lines that take values out of a dictionary."""
    return [f'    {value.name} = {source}["{value.name}"]' for value in values]
