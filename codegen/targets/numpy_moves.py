"""NumPy lines that move entries: windows and their transpose by slices, rows by numbers, the rest by index arrays."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from codegen.program import Body, Leaf, Lookup, Pick, Program, Ref, Scatter, Size, Statement, extents, labels_of, walk
from codegen.targets.numpy_slices import Slices, positions, row_lookup, size_text, sliced
from codegen.targets.spell import ATOM, Text


@dataclass(slots=True)
class Moves:
    """Spells picks and scatters; `before` collects the lines that must stand before the statement being spelled."""

    program: Program
    once: dict[str, Statement] = field(default_factory=dict)
    before: list[str] = field(default_factory=list)
    made: int = 0

    @abstractmethod
    def leaf(self, part: Leaf, order: tuple[str, ...], statement: Statement) -> Text:
        """Return a value, its axes brought into the given order."""

    @abstractmethod
    def spelled(self, body: Body, order: tuple[str, ...], statement: Statement) -> Text:
        """Return a body, its axes in the given order; axes of labels that it lacks are left out or have length 1."""

    def shape(self, sizes: Sequence[Size]) -> str:
        """Return a shape as a tuple."""
        return as_tuple([size_text(self.program, size) for size in sizes])

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
        self.before.append(f"{wide} = np.zeros({as_tuple(lengths)}, {name}.dtype)")
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
        if not extra and _hits_once(statement.out):
            return self.chosen(statement), ATOM
        order = (*statement.out.labels, *extra)
        shape = self.shape(list(self.program.values[name].sizes))
        arrays = self.arrays(statement.out, order, statement)
        return f"scatter({', '.join([self.repeated(statement, order), shape, *arrays])})", ATOM

    def chosen(self, statement: Scatter) -> str:
        """Return zeros with an entry at one looked up place along an axis, for each index of the other axes."""
        axis = next(k for k, index in enumerate(statement.out.index) if isinstance(index, Lookup))
        order = tuple(index if isinstance(index, str) else "" for index in statement.out.index)  # "": the axis itself
        size = size_text(self.program, self.program.values[statement.out.name].sizes[axis])
        (held,) = statement.out.lookups
        place, _ = self.leaf(held, order, statement)
        numbers, _ = aligned(f"np.arange({size})", ATOM, ("",), order)
        text, _ = self.spelled(statement.body, order, statement)
        chosen = f"np.where({numbers} == {place}, {text}, np.{self.program.dtype}(0))"
        present = labels_of(statement.body) | set(held.labels) | {""}
        shape = self.shape(self.program.values[statement.out.name].sizes)
        return chosen if set(order) <= present else f"np.broadcast_to({chosen}, {shape})"

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
        self.before.append(f"{wide} = np.zeros({as_tuple(self.lengths(name, slices))}, np.{self.program.dtype})")
        self.before += self.nested(slices, loops, f"{wide}[{', '.join(slices.parts)}] += {text}")
        return name if wide == name else f"{wide}[{self.middle(name, slices)}]"


def _hits_once(pick: Pick) -> bool:
    """Tell whether the entries of a pick are distinct: one index looked up by labels that stand alone beside it."""
    plain = [index for index in pick.index if isinstance(index, str)]
    alike = len(set(plain)) == len(plain) == len(pick.index) - 1
    return alike and all(set(ref.labels) <= set(plain) for ref in pick.lookups) and len(pick.lookups) == 1


def as_tuple(texts: Sequence[str]) -> str:
    """Return texts as a tuple.

    >>> as_tuple(["3"]), as_tuple(["3", "4"])
    ('(3,)', '(3, 4)')
    """
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"


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
