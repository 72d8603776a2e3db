"""Products in NumPy: a contraction as one product of matrices, or one for each index that all three values have.

Several labels that are summed, or that only one operand has, are taken together as one axis of a matrix.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from codegen.places import length_of
from codegen.program import BATCH, Contract, Ref, Size, extents
from codegen.targets.numpy_moves import Moves, aligned
from codegen.targets.spell import ATOM, POWER, PRODUCT, Text

Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Product:
    """`left @ right`, or `*`: the operands as text, and the labels that each axis of the result stands for."""

    left: str
    right: str
    axes: Groups
    sign: str = "@"

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the result, in order."""
        return tuple(label for group in self.axes for label in group)


@dataclass(slots=True)
class Products(Moves):
    """Spells contractions."""

    def product(self, statement: Contract) -> Text:
        """Return `A @ B`, with operands and result as matrices; `A * B` where nothing is summed, else an einsum."""
        made = self.matrices(statement)
        if made is None:
            return self.einsum(statement), ATOM
        text, binds = f"{made.left} {made.sign} {made.right}", PRODUCT
        if not _single(made.axes):
            text, binds = f"({text}).reshape({self.lengths_of(statement, [(k,) for k in made.labels])})", ATOM
        return aligned(text, binds, made.labels, statement.out.labels)

    def matrices(self, statement: Contract) -> Product | None:
        """Return a contraction as a product of matrices, axes in the result's order where that is possible."""
        a, b = _turned(statement)
        out = statement.out.labels
        each = tuple(k for k in out if k in a.labels and k in b.labels)
        rows, columns = (tuple(k for k in out if k in ref.labels and k not in each) for ref in (a, b))
        summed = tuple(dict.fromkeys(k for k in a.labels if k not in out))
        if set(summed) != set(b.labels) - set(out) or (each and summed and not rows and not columns):
            return None
        if not summed:
            left, right = (self.bracketed(self.leaf(ref, out, statement)) for ref in (a, b))
            return Product(left, right, tuple((label,) for label in out), "*")
        apart = tuple((label,) for label in each)
        first, last = ((group,) if group or each else () for group in (rows, columns))
        left = self.matrix(a, (*apart, *first, summed), statement)
        return Product(left, self.matrix(b, (*apart, summed, *last), statement), (*apart, *first, *last))

    def matrix(self, ref: Ref, groups: Groups, statement: Contract) -> str:
        """Return an operand of a product, each group of labels as one axis."""
        text = self.bracketed(self.leaf(ref, tuple(label for group in groups for label in group), statement))
        return text if _single(groups) else f"{text}.reshape({self.lengths_of(statement, groups)})"

    def bracketed(self, text: Text) -> str:
        """Return an operand, in brackets where it needs them."""
        return text[0] if text[1] >= POWER else f"({text[0]})"

    def lengths_of(self, statement: Contract, groups: Sequence[tuple[str, ...]]) -> str:
        """Return the lengths of axes, each of several labels taken together, as arguments."""
        sizes = extents(self.program, statement)
        return ", ".join(self.length([sizes[label] for label in group]) for group in groups)

    def length(self, sizes: Sequence[Size]) -> str:
        """Return a product of sizes as text."""
        number = math.prod(length_of(self.program, size) or 1 for size in sizes)
        words = [BATCH for size in sizes if size == BATCH]
        return " * ".join([*words, *([str(number)] if number != 1 or not words else [])])

    def einsum(self, statement: Contract) -> str:
        """Return a contraction that is no matrix product."""
        refs = [Ref(ref.name, tuple(dict.fromkeys(ref.labels))) for ref in (statement.a, statement.b)]
        letters = dict(zip({k: 0 for ref in refs for k in ref.labels}, "abcdefghijklmnopqrstuvwxyz", strict=False))
        a, b, out = ("".join(letters[k] for k in ref.labels) for ref in (*refs, statement.out))
        left, right = (
            self.leaf(whole, ref.labels, statement)[0]
            for whole, ref in zip((statement.a, statement.b), refs, strict=True)
        )
        return f'np.einsum("{a},{b}->{out}", {left}, {right})'


def _turned(statement: Contract) -> tuple[Ref, Ref]:
    """Return the operands in the order of the result's axes; a vector stands where the matrix is not transposed."""
    a, b, out = statement.a, statement.b, statement.out.labels
    free = [k for k in out if k not in a.labels or k not in b.labels]
    vector = not any(k in a.labels for k in free)
    turn = free and free[0] in b.labels and (not vector or b.labels[-1] not in out)
    return (b, a) if turn else (a, b)


def _single(groups: Groups) -> bool:
    return all(len(group) == 1 for group in groups)
