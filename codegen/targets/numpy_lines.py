"""NumPy lines: each statement as lines of expressions on whole arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    Program,
    Reduce,
    Ref,
    Samples,
    Scatter,
    Size,
    Statement,
    Whole,
    extents,
    labels_of,
    reads,
    walk,
)
from codegen.targets.numpy_moves import Slices, positions, row_lookup, size_text, sliced
from codegen.targets.spell import ATOM, POWER, PRODUCT, SIGN, Text, spell
from derive.op import Op, find


@dataclass(slots=True)
class Lines:
    """Spells the statements of one function; a value used once, in its own equation, is written in place.

    `before` collects the lines that must stand before the statement that is being spelled.
    """

    program: Program
    once: dict[str, Statement] = field(default_factory=dict)
    before: list[str] = field(default_factory=list)
    sizes: dict[str, Size] = field(default_factory=dict)
    made: int = 0

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
        return f"np.broadcast_to({text}, {self.shape([sizes[label] for label in order])})", ATOM

    def shape(self, sizes: list[Size]) -> str:
        """Return a shape as a tuple."""
        texts = [size_text(self.program, size) for size in sizes]
        return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"

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

    # ------------------------------------------------------------ moving entries
    def fresh(self, word: str) -> str:
        """Return a name for a local variable that no value has."""
        self.made += 1
        name = f"{word}_{self.made}"
        while name in self.program.values:
            name += "_"
        return name

    def loop_names(self, labels: Mapping[str, Size]) -> dict[str, str]:
        """Return a variable for each label that no value is called by."""
        return {label: label if label not in self.program.values else f"{label}_" for label in labels}

    def picked(self, pick: Pick, order: tuple[str, ...], statement: Statement, name: str) -> str:
        """Return the entries of a pick with the axes in order; fills `name` where that takes several lines."""
        sizes = extents(self.program, statement)
        loops = self.loop_names(sizes)
        slices = sliced(self.program, pick, sizes, loops)
        if slices is not None:
            return self.windows(pick, slices, order, sizes, loops, name)
        simple = row_lookup(self.program, pick)
        if simple is not None:
            index, plain = simple
            held, _ = self.leaf(index, index.labels, statement)
            return aligned(f"rows({pick.name}, {held})", ATOM, (*index.labels, *plain), order)[0]
        return f"pick({', '.join([pick.name, *self.arrays(pick, order, statement)])})"

    def arrays(self, pick: Pick, order: tuple[str, ...], statement: Statement) -> list[str]:
        """Return the indices of a pick as arrays over the labels in order."""
        lengths = {k: size_text(self.program, size) for k, size in extents(self.program, statement).items()}
        held = {ref: self.leaf(ref, order, statement)[0] for ref in pick.lookups}
        return [positions(index, order, lengths, held) for index in pick.index]

    def windows(
        self,
        pick: Pick,
        slices: Slices,
        order: tuple[str, ...],
        sizes: Mapping[str, Size],
        loops: Mapping[str, str],
        name: str,
    ) -> str:
        """Return windows of a value; fills `name` slice by slice where an index has several labels."""
        source = self.bordered(pick.name, slices)
        part = source if set(slices.parts) == {":"} else f"{source}[{', '.join(slices.parts)}]"
        if not slices.looped:
            return aligned(part, ATOM, slices.labels, order)[0]
        name = name or self.fresh("windows")
        looped = dict(slices.looped)
        shape = self.shape([sizes[label] for label in order])
        self.before.append(f"{name} = np.empty({shape}, {pick.name}.dtype)")
        target = f"{name}[{', '.join(loops[label] if label in looped else ':' for label in order)}]"
        value = aligned(part, ATOM, slices.labels, tuple(label for label in order if label not in looped))[0]
        self.before += self.nested(slices, loops, f"{target} = {value}")
        return name

    def nested(self, slices: Slices, loops: Mapping[str, str], line: str) -> list[str]:
        """Return a line inside the loops over the labels that no slice runs along."""
        lines = [f"{'    ' * k}for {loops[n]} in range({count}):" for k, (n, count) in enumerate(slices.looped)]
        return [*lines, f"{'    ' * len(lines)}{line}"]

    def bordered(self, name: str, slices: Slices) -> str:
        """Return a value inside its border of zeros, which takes two lines; itself if there is none."""
        if not any(sum(border) for border in slices.borders):
            return name
        wide = self.fresh("wide")
        lengths = self.lengths(name, slices)
        self.before.append(f"{wide} = np.zeros(({', '.join(lengths)},), {name}.dtype)")
        self.before.append(f"{wide}[{self.middle(name, slices)}] = {name}")
        return wide

    def lengths(self, name: str, slices: Slices) -> list[str]:
        """Return the lengths of a value's axes with their borders."""
        sizes = self.program.values[name].sizes
        texts = [size_text(self.program, size) for size in sizes]
        return [str(int(n) + sum(b)) if sum(b) else n for n, b in zip(texts, slices.borders, strict=True)]

    def middle(self, name: str, slices: Slices) -> str:
        """Return the slices inside the border."""
        texts = [size_text(self.program, size) for size in self.program.values[name].sizes]
        inner = [f"{b[0]}:{b[0] + int(n)}" if sum(b) else ":" for n, b in zip(texts, slices.borders, strict=True)]
        return ", ".join(inner)

    def scattered(self, statement: Scatter) -> Text:
        """Return the name of zeros to which entries were added."""
        sizes, name = extents(self.program, statement), statement.out.name
        loops = self.loop_names(sizes)
        slices = sliced(self.program, statement.out, sizes, loops)
        if slices is not None:
            return self.summed_windows(statement, slices, loops), ATOM
        simple = row_lookup(self.program, statement.out)
        extra = tuple(label for label in sizes if label not in statement.out.labels)
        if simple is not None and not extra:
            index, plain = simple
            values = self.repeated(statement, (*index.labels, *plain))
            count = size_text(self.program, self.program.values[name].sizes[0])
            held, _ = self.leaf(index, index.labels, statement)
            return f"add_rows({values}, {held}, {count})", ATOM
        order = (*statement.out.labels, *extra)
        shape = self.shape(list(self.program.values[name].sizes))
        arrays = self.arrays(statement.out, order, statement)
        return f"scatter({', '.join([self.repeated(statement, order), shape, *arrays])})", ATOM

    def repeated(self, statement: Scatter, order: tuple[str, ...]) -> str:
        """Return what is added, an array with the axes in order."""
        text, _ = self.spelled(statement.body, order, statement)
        if set(order) <= labels_of(statement.body):
            return text
        sizes = extents(self.program, statement)
        shape = self.shape([sizes[label] for label in order])
        typed = any(isinstance(part, Ref | Pick) for part in walk(statement.body))
        return f"np.broadcast_to({text if typed else f'np.{self.program.dtype}({text})'}, {shape})"

    def summed_windows(self, statement: Scatter, slices: Slices, loops: Mapping[str, str]) -> str:
        """Return the name of a value to which windows were added, slice by slice."""
        name, looped = statement.out.name, dict(slices.looped)
        sizes = extents(self.program, statement)
        extra = tuple(label for label in sizes if label not in statement.out.labels)
        order = (*slices.labels, *looped, *extra)
        text = self.repeated(statement, order) if looped or extra else self.spelled(statement.body, order, statement)[0]
        if extra:
            text = f"np.sum({text}, axis={tuple(range(-len(extra), 0))})"
        wide = name if not any(sum(border) for border in slices.borders) else self.fresh("wide")
        if looped:
            values = self.fresh("values")
            self.before.append(f"{values} = {text}")
            inner = [":"] * len(slices.labels) + [loops[label] for label in looped]
            text = f"{values}[{', '.join(inner)}]"
        self.before.append(f"{wide} = np.zeros(({', '.join(self.lengths(name, slices))},), np.{self.program.dtype})")
        self.before += self.nested(slices, loops, f"{wide}[{', '.join(slices.parts)}] += {text}")
        return name if wide == name else f"{wide}[{self.middle(name, slices)}]"


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
