"""NumPy lines: each statement as lines of expressions on whole arrays."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

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
    Whole,
    extents,
    labels_of,
    reads,
)
from codegen.targets.numpy_moves import Moves, aligned
from codegen.targets.numpy_slices import size_text
from codegen.targets.spell import ATOM, POWER, PRODUCT, SIGN, Text, spell
from derive.op import Op, find


@dataclass(slots=True)
class Lines(Moves):
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
        if isinstance(body, Ref | Pick) and name in self.program.outputs and text != name:
            text = f"np.array({text})"  # its own memory: what it is read from may change in place
        lines = [] if text == name else [f"{place or name} = {text}"]
        return [*self.before, *lines]

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

    def reduction(self, statement: Reduce) -> Text:
        """Return a sum, a maximum or the place of one along axes."""
        widest = max((ref.labels for ref in reads(statement)), key=len, default=())
        order = (
            widest
            if len(set(widest)) == len(widest) == len(extents(self.program, statement))
            else (*statement.out.labels, *statement.over)
        )
        if [label for label in order if label in statement.out.labels] != list(statement.out.labels):
            order = (*statement.out.labels, *statement.over)
        if statement.op == ARGMAX:
            return self.place_of_largest(statement, order)
        text, _ = self.spelled(statement.body, order, statement)
        places = [order.index(label) for label in statement.over]
        axis = "" if not statement.out.labels else f", axis={places[0] if len(places) == 1 else tuple(places)}"
        return find(statement.op).numpy.format(text, axis=axis), ATOM

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

    # ------------------------------------------------------------ products
    def product(self, statement: Contract) -> Text:
        """Return `A @ B` where the axes allow it, else a tensordot, a stack of products or an einsum."""
        a, b, out = statement.a, statement.b, statement.out.labels
        if (len(a.labels) == 2 and len(b.labels) == 1) or (out[:1] == b.labels[:1] and len(b.labels) > 1):
            a, b = (a, b) if len(b.labels) == 1 else (b, a)
        summed = [label for label in a.labels if label not in out]
        free = [
            *(label for label in a.labels if label in out),
            *(label for label in b.labels if label in out),
        ]
        if len(summed) != 1 or free != list(out) or max(len(a.labels), len(b.labels)) > 2:
            return self.several_axes(statement, summed)
        if len(a.labels) == 1 and len(b.labels) == 2 and b.labels[1] == summed[0]:
            a, b = b, a
        left, _ = self.factor(a, (*(label for label in a.labels if label != summed[0]), summed[0]), statement)
        right, _ = self.factor(b, (summed[0], *(label for label in b.labels if label != summed[0])), statement)
        return f"{left} @ {right}", PRODUCT

    def factor(self, ref: Ref, order: tuple[str, ...], statement: Statement) -> Text:
        """Return an operand of a product, in brackets where it needs them."""
        text, binds = self.leaf(ref, order, statement)
        return (text, binds) if binds >= POWER else (f"({text})", ATOM)

    def several_axes(self, statement: Contract, summed: list[str]) -> Text:
        """Return a product over several labels: one matrix product, or one for each index that all three have."""
        a, b, out = statement.a, statement.b, statement.out
        each = tuple(label for label in out.labels if label in a.labels and label in b.labels)
        rows = tuple(label for label in a.labels if label in out.labels and label not in each)
        columns = tuple(label for label in b.labels if label in out.labels and label not in each)
        if not each and summed:
            axes = [[ref.labels.index(label) for label in summed] for ref in (a, b)]
            left, right = (self.leaf(ref, ref.labels, statement)[0] for ref in (a, b))
            text = f"np.tensordot({left}, {right}, ({axes[0]}, {axes[1]}))"
            return aligned(text, ATOM, (*rows, *columns), out.labels)
        if each and len(rows) == len(columns) == len(summed) == 1:
            left, _ = self.factor(a, (*each, *rows, *summed), statement)
            right, _ = self.factor(b, (*each, *summed, *columns), statement)
            return aligned(f"{left} @ {right}", PRODUCT, (*each, *rows, *columns), out.labels)
        return self.einsum(statement)

    def einsum(self, statement: Contract) -> Text:
        """Return a contraction that is no matrix product."""
        letters: dict[str, str] = {}
        for ref in (statement.a, statement.b):
            for label in ref.labels:
                letters.setdefault(label, "abcdefghijklmnopqrstuvwxyz"[len(letters)])
        a, b, out = ("".join(letters[k] for k in r.labels) for r in (statement.a, statement.b, statement.out))
        left, right = (self.leaf(ref, ref.labels, statement)[0] for ref in (statement.a, statement.b))
        return f'np.einsum("{a},{b}->{out}", {left}, {right})', ATOM
