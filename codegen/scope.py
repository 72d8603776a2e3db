"""The scope of one lowering: names in code, labels of axes, sizes, and the statements so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy

from codegen.errors import CodegenError, UnboundSizeError
from codegen.program import BATCH, Ref, Size, Statement, Value
from codegen.sizes import Sizes, as_number
from derive.expr import Node, Var
from derive.shapes import ROW, Shape

_LETTERS = "ijklmpqrsuvwxyz"


@dataclass(slots=True)
class Scope:
    """The state of one lowering: names, values and statements so far.

    `samples` is the size of the sample axis; `single` says that it is one, and its axis left out. `eq` and `latex`
    are the number and the name of the equation being lowered.
    """

    sizes: Sizes
    samples: Any
    single: bool
    names: dict[Var, str]
    outputs: dict[Node, Var]
    values: dict[str, Value] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    eq: str = ""
    latex: str = ""
    labels: dict[str, Size] = field(default_factory=dict)
    temps: int = 0
    lengths: dict[str, int] = field(default_factory=dict)  # the named sizes, once they are needed

    @property
    def numbers(self) -> Mapping[sympy.Symbol, int]:
        """The numbers of the sizes."""
        return self.sizes.numbers

    def axes(self, shape: Shape) -> Shape:
        """Return the sizes along which an index runs."""
        return tuple(length for length in shape if length != ROW and not (self.single and length == self.samples))

    def size(self, length: sympy.Expr) -> Size:
        """Return a size as the program keeps it: by name where it has one.

        Raises:
            UnboundSizeError: nothing fixes it.
            CodegenError: it leaves no entry, such as windows that are longer than what they slide over.
        """
        if length == self.samples:
            return BATCH
        number = as_number(length, self.numbers)
        if number is None:
            raise UnboundSizeError(
                f"({self.eq}): the size {length} has no number; bind data that has it, or give sizes={{'{length}': …}}"
            )
        if number < 1:
            symbols = sorted(length.free_symbols, key=str)
            known = ", ".join(f"{symbol} = {self.numbers[symbol]}" for symbol in symbols) or "any sizes"
            raise CodegenError(f"an axis has {length} = {number} entries with {known}; expected at least 1")
        return self.sizes.names()[length] if length.is_Symbol else number

    def length(self, size: Size) -> int | None:
        """Return a size as a number; None for the number of samples."""
        if isinstance(size, int) or size == BATCH:
            return size if isinstance(size, int) else None
        if not self.lengths:
            self.lengths.update(self.sizes.named())
        return self.lengths[size]

    def label(self, length: sympy.Expr) -> str:
        """Return a fresh label for an axis: the batch is b, a size called h is h, else the next letter."""
        return self.label_of(self.size(length))

    def label_of(self, size: Size) -> str:
        """Return a fresh label for an axis whose size the program knows."""
        wish = "b" if size == BATCH else str(size).lower()
        letters = [wish] if len(wish) == 1 and wish.isalpha() and (wish != "b" or size == BATCH) else []
        spare = (f"{letter}{k or ''}" for k in range(99) for letter in (letters if not k else []) + list(_LETTERS))
        label = next(word for word in spare if word not in self.labels)
        self.labels[label] = size
        return label

    def stored(self, labels: Iterable[str]) -> tuple[str, ...]:
        """Return labels in the order of memory: the batch first."""
        return tuple(sorted(labels, key=lambda label: self.labels[label] != BATCH))

    def temp(self, labels: Iterable[str]) -> Ref:
        """Return a reference to a new intermediate value."""
        order = self.stored(labels)
        taken = set(self.names.values()) | self.values.keys()
        while True:
            self.temps += 1
            if f"t{self.temps}" not in taken:
                break
        name = f"t{self.temps}"
        self.values[name] = Value(name, self.latex, tuple(self.labels[label] for label in order), "temp")
        return Ref(name, order)

    def refer(self, name: Var, labels: Sequence[str]) -> Ref:
        """Return a reference to a name, its labels permuted as it lies in memory."""
        code = self.names[name]
        return Ref(code, tuple(labels[k] for k in self.values[code].sheet))
