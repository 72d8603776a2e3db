"""NumPy lines: the right side of each statement as an expression on whole arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from codegen.program import (
    BATCH,
    Contract,
    Leaf,
    Map,
    Number,
    Program,
    Reduce,
    Ref,
    Samples,
    Size,
    Statement,
    body_reads,
    extents,
    reads,
)
from codegen.targets.spell import ATOM, POWER, PRODUCT, SIGN, Text, spell
from derive.op import Op, find


@dataclass(slots=True)
class Lines:
    """Spells the statements of one function; a value used once, in its own equation, is written in place."""

    program: Program
    once: dict[str, Statement] = field(default_factory=dict)

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

    def leaf(self, part: Leaf, order: tuple[str, ...]) -> Text:
        """Return a value, its axes brought into the given order."""
        if isinstance(part, Samples):
            return BATCH, ATOM
        source = self.once.get(part.name)
        text, binds = self.inner(source) if source is not None else (part.name, ATOM)
        return aligned(text, binds, part.labels, order)

    def inner(self, statement: Statement) -> Text:
        """Return the right side of a statement, its axes in the order of its result."""
        if isinstance(statement, Contract):
            return self.product(statement)
        if isinstance(statement, Map):
            return self.entrywise(statement)
        return self.reduction(statement)

    def entrywise(self, statement: Map) -> Text:
        """Return a body; repeated along labels that it lacks."""
        order = statement.out.labels
        text, binds = spell(statement.body, lambda part: self.leaf(part, order), self.number, self.template)
        present = {label for ref in body_reads(statement.body) for label in ref.labels}
        if set(order) <= present:
            return text, binds
        sizes = dict(zip(order, self.program.values[statement.out.name].sizes, strict=True))
        return f"np.broadcast_to({text}, {self.shape([sizes[label] for label in order])})", ATOM

    def shape(self, sizes: list[Size]) -> str:
        """Return a shape as a tuple."""
        texts = [str(self.program.sizes.get(size, size)) if isinstance(size, str) else str(size) for size in sizes]
        return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"

    def reduction(self, statement: Reduce) -> Text:
        """Return a sum or a maximum along axes."""
        widest = max((ref.labels for ref in reads(statement)), key=len)
        order = (
            widest
            if len(set(widest)) == len(widest) == len(extents(self.program, statement))
            else (*statement.out.labels, *statement.over)
        )
        if [label for label in order if label in statement.out.labels] != list(statement.out.labels):
            order = (*statement.out.labels, *statement.over)
        text, _ = spell(statement.body, lambda part: self.leaf(part, order), self.number, self.template)
        places = [order.index(label) for label in statement.over]
        axis = "" if not statement.out.labels else f", axis={places[0] if len(places) == 1 else tuple(places)}"
        return find(statement.op).numpy.format(text, axis=axis), ATOM

    def product(self, statement: Contract) -> Text:
        """Return `A @ B` where the axes allow it, else an einsum."""
        a, b, out = statement.a, statement.b, statement.out.labels
        if (len(a.labels) == 2 and len(b.labels) == 1) or (out[:1] == b.labels[:1] and len(b.labels) > 1):
            a, b = (a, b) if len(b.labels) == 1 else (b, a)
        summed = [label for label in a.labels if label not in out]
        free = [
            *(label for label in a.labels if label in out),
            *(label for label in b.labels if label in out),
        ]
        if len(summed) != 1 or free != list(out) or max(len(a.labels), len(b.labels)) > 2:
            return self.einsum(statement)
        if len(a.labels) == 1 and len(b.labels) == 2 and b.labels[1] == summed[0]:
            a, b = b, a
        left, _ = self.factor(a, (*(label for label in a.labels if label != summed[0]), summed[0]))
        right, _ = self.factor(b, (summed[0], *(label for label in b.labels if label != summed[0])))
        return f"{left} @ {right}", PRODUCT

    def factor(self, ref: Ref, order: tuple[str, ...]) -> Text:
        """Return an operand of a product, in brackets where it needs them."""
        text, binds = self.leaf(ref, order)
        return (text, binds) if binds >= POWER else (f"({text})", ATOM)

    def einsum(self, statement: Contract) -> Text:
        """Return a contraction that is no matrix product."""
        letters: dict[str, str] = {}
        for ref in (statement.a, statement.b):
            for label in ref.labels:
                letters.setdefault(label, "abcdefghijklmnopqrstuvwxyz"[len(letters)])
        a, b, out = ("".join(letters[k] for k in r.labels) for r in (statement.a, statement.b, statement.out))
        left, right = (self.leaf(ref, ref.labels)[0] for ref in (statement.a, statement.b))
        return f'np.einsum("{a},{b}->{out}", {left}, {right})', ATOM


def aligned(text: str, binds: int, labels: tuple[str, ...], order: tuple[str, ...]) -> Text:
    """Return an array's text with its axes brought into an order that may hold more labels.

    >>> aligned("m", ATOM, ("b",), ("b", "k"))
    ('m[:, None]', 6)
    >>> aligned("A", ATOM, ("i", "i"), ("i",))
    ('np.einsum("aa->a", A)', 6)
    """
    if len(set(labels)) < len(labels):  # a diagonal
        single = tuple(dict.fromkeys(labels))
        letters = dict(zip(single, "abcdefghijklmnopqrstuvwxyz", strict=False))
        spec = f"{''.join(letters[k] for k in labels)}->{''.join(letters[k] for k in single)}"
        return aligned(f'np.einsum("{spec}", {text})', ATOM, single, order)
    wanted = tuple(label for label in order if label in labels)
    atom = text if binds >= ATOM else f"({text})"
    if wanted != labels:
        text = atom = (
            f"{atom}.T" if len(labels) == 2 else f"{atom}.transpose({', '.join(str(labels.index(k)) for k in wanted)})"
        )
        binds = ATOM
    tail = order[order.index(wanted[0]) :] if wanted else ()
    if any(label not in labels for label in tail):
        return f"{atom}[{', '.join(':' if label in labels else 'None' for label in tail)}]", ATOM
    return text, binds
