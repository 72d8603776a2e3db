"""Sizes by unification: terms become expressions once every axis has a size."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy

from derive.errors import ShapeError, UnreadError
from derive.expr import Apply, Const, Node, Var
from derive.meaning.terms import KIND_OF_RANK, RANK, UNKNOWN, Term
from derive.op import TABLE
from derive.ops import table
from derive.shapes import ROW, Shape, axes


def declared_shape(words: Iterable[str]) -> Shape:
    """Return the shape that a page or a claims file writes: of a column `n × 1` that of a vector, of `1 × n` a row.

    One entry is a number.


    Raises:
        UnreadError: a size is no whole number, no letter, and no product of these.

    >>> declared_shape(["h", "1"]), declared_shape(["1", "2*m"]), declared_shape(["1", "1"])
    ((h,), (ROW, 2*m), ())
    """
    shape = tuple(map(_length, words))
    if shape == (1,):
        return ()
    if len(shape) != 2 or 1 not in shape:
        return shape
    rows, columns = shape
    return () if rows == columns else (rows,) if columns == 1 else (ROW, columns)


def as_declared(shape: Shape) -> tuple[str, ...]:
    """Return how a claims file writes a shape: that of a row as `1 × n`.

    >>> as_declared((ROW, sympy.Symbol("n")))
    ('1', 'n')
    """
    lying = ("1",) if len(axes(shape)) < len(shape) else ()
    return (*lying, *map(str, axes(shape)))


def _length(word: str) -> sympy.Expr:
    plain = re.sub(r"\\text\{(\w+)\}", r"\1", word)  # D_{\text{in}} is called D_{in}
    plain = re.sub(r"(?<=\w) ([+-]) (?=\w)", r"\1", plain)
    factors = [factor.strip() for factor in plain.split("*")]
    if not all(re.fullmatch(r"[0-9]{1,9}|\\?[^\W\d]\w*(?:[_^]\{?[\w()\[\]+-]+\}?)*", factor) for factor in factors):
        raise UnreadError(f"the size {word!r:.40} is not read; write a letter or a number")
    sizes = (
        sympy.Integer(int(factor)) if factor.isdigit() else sympy.Symbol(factor, integer=True, positive=True)
        for factor in factors
    )
    return sympy.Mul(*sizes)


def kind_of(shape: Shape) -> str:
    """Return the kind of an array: scalar, vector, row, matrix, or a tensor of more axes."""
    return "row" if shape[:1] == (ROW,) else KIND_OF_RANK[len(shape)]


@dataclass(slots=True)
class Sizes:
    """Which axes have the same length: a union-find over size symbols; given names and numbers win."""

    parents: dict[sympy.Expr, sympy.Expr] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    unknown: set[sympy.Expr] = field(default_factory=set)

    def copy(self) -> Sizes:
        """Return an independent copy, to try something on."""
        return Sizes(dict(self.parents), dict(self.shapes), set(self.unknown))

    def find(self, length: sympy.Expr) -> sympy.Expr:
        """Return the representative of a length."""
        while length in self.parents:
            length = self.parents[length]
        return length

    def unify(self, left: sympy.Expr, right: sympy.Expr, what: str) -> None:
        """Make two lengths equal.

        Raises:
            ShapeError: they are two given sizes that differ.
        """
        left, right = self.find(left), self.find(right)
        if left == right:
            return
        if left in self.unknown:
            self.parents[left] = right
        elif right in self.unknown:
            self.parents[right] = left
        else:
            raise ShapeError(f"{what}: the sizes {left} and {right} do not agree")

    def unify_shapes(self, left: Shape, right: Shape, what: str) -> None:
        """Make two shapes equal, axis by axis."""
        if len(left) != len(right):
            raise ShapeError(f"{what}: {len(left)} axes against {len(right)}")
        for one, other in zip(left, right, strict=True):
            self.unify(one, other, what)

    def fresh(self) -> sympy.Expr:
        """Return a new unknown size."""
        symbol = sympy.Symbol(f"?{len(self.unknown)}", integer=True, positive=True)
        self.unknown.add(symbol)
        return symbol

    def shape(self, key: str, kind: str) -> Shape:
        """Return the shape of a name, with unknown sizes when it is first met."""
        if key not in self.shapes:
            lying = (ROW,) if kind == "row" else ()
            self.shapes[key] = (*lying, *(self.fresh() for _ in range(RANK[kind])))
        return self.shapes[key]

    def resolved_in(self, value: Any) -> Any:
        """Return a number with every size in it replaced by its representative."""
        return value.xreplace({symbol: self.find(symbol) for symbol in value.free_symbols}) if self.parents else value

    def resolved(self, shape: Shape) -> Shape:
        """Return a shape with every length replaced by its representative."""
        return tuple(self.find(length) for length in shape)


def measure(term: Term, sizes: Sizes) -> Shape:
    """Return the shape of a term's array, making sizes equal where the operations need it.

    Raises:
        ShapeError: sizes that must agree do not.
    """
    if term.op == "#":
        return ()
    if term.op == "":
        return sizes.shape(str(term.leaf), term.kind)
    sizes.unknown.update(p for p in term.params if isinstance(p, sympy.Symbol) and p.name.startswith(UNKNOWN))
    shapes = [measure(arg, sizes) for arg in term.args]
    row = TABLE[term.op]
    if row.signatures:
        return _by_signature(term, shapes, sizes)
    if term.op == table.EINSUM:
        return _by_letters(term, shapes, sizes)
    if term.extent is not None:
        try:
            sizes.unify(shapes[0][0], term.extent, "the sum's upper limit")
        except ShapeError as error:
            raise UnreadError(f"{error}: a sum over a part of the entries is not read") from None
    if row.body is not None or row.prime:
        tensors = [shape for shape in shapes if shape]
        for shape in tensors[1:]:
            sizes.unify_shapes(tensors[0], shape, term.op)
        return tensors[0] if tensors else ()
    return row.shape(tuple(map(sizes.resolved, shapes)), *term.params)


def _by_letters(term: Term, shapes: list[Shape], sizes: Sizes) -> Shape:
    """Unify the axes of an einsum that share a letter; the term's leaf says the size of some."""
    left, right = str(term.params[0]).split("->")
    bound: dict[str, sympy.Expr] = dict(term.leaf or ())  # type: ignore[call-overload]
    for word, shape in zip(left.split(","), shapes, strict=True):
        for letter, length in zip(word, axes(shape), strict=True):
            if letter in bound:
                sizes.unify(bound[letter], length, f"the sizes along one index of {term.params[0]}")
            bound.setdefault(letter, length)
    return tuple(bound[letter] for letter in right)


def _by_signature(term: Term, shapes: list[Shape], sizes: Sizes) -> Shape:
    for signature in TABLE[term.op].signatures:
        left, right = signature.split("->")
        letters = left.split(",")
        if [_pattern(word) for word in letters] == [_lie(shape) for shape in shapes]:
            bound: dict[str, sympy.Expr] = {".": ROW}
            for word, shape in zip(letters, shapes, strict=True):
                for letter, length in zip(word, shape, strict=True):
                    if letter in bound:
                        what = "a product's inner sizes" if len(letters) > 1 else f"{term.op} takes a square matrix"
                        sizes.unify(bound[letter], length, what)
                    bound[letter] = length
            return tuple(bound[letter] for letter in right)
    raise ShapeError(f"{term.op} does not take {' and '.join(arg.kind for arg in term.args)}")


def _pattern(word: str) -> tuple[bool, int]:
    return (word.startswith("."), len(word))


def _lie(shape: Shape) -> tuple[bool, int]:
    return (bool(shape) and shape[0] == ROW, len(shape))


def build(term: Term, sizes: Sizes, names: Mapping[str, Var]) -> Node:
    """Return a term as an expression; every name has its variable already."""
    if term.op == "#":
        return Const(sizes.resolved_in(term.leaf))
    if term.op == "":
        return names[str(term.leaf)]
    params = (sizes.find(p) if isinstance(p, sympy.Expr) else p for p in term.params)
    return Apply(term.op, *(build(arg, sizes, names) for arg in term.args), *params)


def name_sizes(sizes: Sizes, order: Iterable[str], taken: Iterable[str], preferred: Mapping[str, str]) -> None:
    """Give every unknown size a readable name, in the order of the names that have it.

    `preferred` maps a name's key to the letter for its first axis; otherwise letters come in turn.
    """
    used = set(taken)
    spare = (letter for letter in itertools.chain("nmhkpqrsdu", (f"n{k}" for k in itertools.count(1))))
    for key in order:
        for axis, length in enumerate(sizes.shapes.get(key, ())):
            root = sizes.find(length)
            if root not in sizes.unknown:
                continue
            letter = preferred.get(f"{key}@{axis}", "")
            while not letter or letter in used:
                letter = next(spare)
            used.add(letter)
            sizes.parents[root] = sympy.Symbol(letter, integer=True, positive=True)
