r"""Parts of a formula: an array, the indices along its first axes, and the kind of an entry at these indices.

`w_j` beside a matrix W is the part (W, j, vector): its term is the whole array, so that a formula in indices, a
formula in matrices, and what mixes both become the same operations on whole arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sympy

from derive.errors import ShapeError, UnreadError
from derive.meaning.terms import KIND_OF_RANK, RANK, Term, new_size
from derive.ops import table
from derive.read import syntax as ast
from derive.read.spelling import render

PRODUCTS = {
    ("matrix", "matrix"): "matrix", ("matrix", "vector"): "vector", ("row", "matrix"): "row",
    ("row", "vector"): "scalar", ("vector", "row"): "matrix",
}  # fmt: skip
LEFT = {"matrix": ("<", "-"), "row": ("-",), "vector": ("<",)}  # axes of a left factor; both have the one summed, -
RIGHT = {"matrix": ("-", ">"), "vector": ("-",), "row": (">",)}
INSIDE = {kind: tuple(f"#{k}" for k in range(rank)) for kind, rank in RANK.items()}  # axes of an entry, by kind
TURNED = {"scalar": "scalar", "vector": "row", "row": "vector", "matrix": "matrix"}

Axes = tuple[str, ...]
Factor = tuple[Term, Axes]
Extents = tuple[tuple[str, sympy.Expr], ...]  # indices whose size is written


@dataclass(frozen=True, slots=True)
class Part:
    """An array, seen as entries: `letters` along its first axes, `kind` of what stands at one place."""

    term: Term
    letters: Axes = ()
    kind: str = "scalar"

    @property
    def axes(self) -> Axes:
        """A name for each axis: the letters, then those of an entry."""
        return (*self.letters, *INSIDE[self.kind])


def whole(term: Term) -> Part:
    """Return an array seen as one."""
    return Part(term, (), term.kind)


def number(value: sympy.Expr | int) -> Part:
    """Return a constant."""
    return Part(Term("#", leaf=sympy.Integer(value) if isinstance(value, int) else value))


def is_number(part: Part) -> bool:
    """Tell whether a part is a constant."""
    return part.term.op == "#"


def ones(rank: int) -> Term:
    """Return ones, of sizes still to be found."""
    return Term(table.ONES, kind=KIND_OF_RANK[rank], params=tuple(new_size() for _ in range(rank)))


def _part(term: Term, letters: Axes, kind: str) -> Part:
    """Return a part; a row that stands alone is a vector turned."""
    if kind == "row" and not letters and term.kind == "vector":
        term = Term(table.TRANSPOSE, (term,), "row")
    return Part(term, letters, kind)


# ---------------------------------------------------------------- sums of products
def einsum(factors: Sequence[Factor], result: Axes, extents: Extents = ()) -> Term:
    """Return a sum of products over all axes that are not in the result."""
    if len(factors) == 1:
        ((term, axes),) = factors
        if axes == result:
            return term
        if term.op == table.EINSUM and not extents:  # a sum of a product is one einsum
            words, out = _spelled(term)
            outside = dict(zip(out, axes, strict=True))
            inner = [tuple(outside.get(letter, f"~{letter}") for letter in word) for word in words]
            return einsum(list(zip(term.args, inner, strict=True)), result)
    plain = None if extents else _product(factors, result)
    if plain is not None:
        return plain
    names: dict[str, str] = {}
    for axis in (axis for _, axes in factors for axis in axes):
        names.setdefault(axis, chr(ord("a") + len(names)))
    words = ["".join(names[axis] for axis in axes) for _, axes in factors]
    spec = f"{','.join(words)}->{''.join(names[axis] for axis in result)}"
    sizes = tuple((names[axis], size) for axis, size in extents)
    return Term(table.EINSUM, tuple(term for term, _ in factors), KIND_OF_RANK[len(result)], sizes, (spec,))


def _spelled(term: Term) -> tuple[list[str], str]:
    """Return the letters of an einsum: of each factor, and of the result."""
    left, right = str(term.params[0]).split("->")
    return left.split(","), right


def _product(factors: Sequence[Factor], result: Axes) -> Term | None:
    """Return the matrix product that a sum of products of two factors is; None where it is none."""
    if len(factors) != 2 or any(len(set(axes)) < len(axes) or len(axes) > 2 for _, axes in factors):
        return None
    (a, left), (b, right) = factors
    shared = set(left) & set(right)
    if len(shared) != 1 or shared & set(result) or len(left) + len(right) - 2 != len(result) or not result:
        return None
    (summed,) = shared
    if result[:1] != tuple(axis for axis in left if axis != summed)[:1]:
        (a, left), (b, right) = (b, right), (a, left)
    kept = (*(k for k in left if k != summed), *(k for k in right if k != summed))
    if kept != result or any(term.kind == "row" for term in (a, b)):
        return None
    if len(left) == 1:  # a vector from the left: of its row comes a row
        turned = b if right[0] != summed else Term(table.TRANSPOSE, (b,), "matrix")
        return Term(table.MATMUL, (turned, a), "vector")
    one = a if left[1] == summed else Term(table.TRANSPOSE, (a,), "matrix")
    other = b if right[0] == summed else Term(table.TRANSPOSE, (b,), "matrix")
    return Term(table.MATMUL, (one, other), KIND_OF_RANK[len(result)])


def total(part: Part, letters: Axes, extents: Extents = ()) -> Part:
    """Return the sum over indices."""
    kept = tuple(letter for letter in part.letters if letter not in letters)
    if not kept and part.kind == "scalar" and len(letters) == 1 and part.term.op != table.EINSUM:
        return Part(Term(table.SUM, (part.term,), extent=extents[0][1] if extents else None))
    result = (*kept, *INSIDE[part.kind])
    return _part(einsum([(part.term, part.axes)], result, extents), kept, part.kind)


# ---------------------------------------------------------------- entry by entry
def entrywise(op: str, *parts: Part, params: tuple[object, ...] = ()) -> Part:
    """Return an operation that acts entry by entry; numbers and scalars may stand beside anything.

    Raises:
        ShapeError: two parts are of different kinds, and neither is a scalar.
    """
    kinds = dict.fromkeys(part.kind for part in parts if part.kind != "scalar")
    if len(kinds) > 1:
        raise ShapeError(f"{op}: {' and '.join(part.kind for part in parts)} do not go together entry by entry")
    kind = next(iter(kinds), "scalar")
    letters = tuple(dict.fromkeys(letter for part in parts for letter in part.letters))
    if op == table.MUL and (product := _scaled(parts, letters, kind)) is not None:
        return product
    if op == table.DIV and parts[0].axes and parts[1].letters not in ((), parts[0].letters):
        return entrywise(table.MUL, parts[0], entrywise(table.DIV, number(1), parts[1]))
    terms = [part.term if not part.axes else spread(part, letters, kind if letters else part.kind) for part in parts]
    return Part(Term(op, tuple(terms), _kind(letters, kind), None, params), letters, kind)


def _kind(letters: Axes, kind: str) -> str:
    return KIND_OF_RANK[len(letters) + RANK[kind]] if letters else kind


def _scaled(parts: Sequence[Part], letters: Axes, kind: str) -> Part | None:
    """Return a product of parts that do not lie alike as an einsum; None where entry by entry will do."""
    left, right = parts
    if not left.axes or not right.axes or left.axes == right.axes:
        return None
    if not letters and "scalar" in (left.kind, right.kind):
        return None
    result = (*letters, *INSIDE[kind])
    return _part(einsum([(part.term, part.axes) for part in parts], result), letters, kind)


def spread(part: Part, letters: Axes, kind: str) -> Term:
    """Return the array of a part along all of some letters, in their order, and along the axes of a kind."""
    result = (*letters, *INSIDE[kind])
    missing = tuple(axis for axis in result if axis not in part.axes)
    factors: list[Factor] = [(part.term, part.axes)]
    if missing:
        factors.append((ones(len(missing)), missing))
    return einsum(factors, result)


# ---------------------------------------------------------------- matrices
def multiply(left: Part, right: Part, node: ast.Node) -> Part:
    """Return the matrix product of the entries; raises ShapeError where they have none."""
    kind = PRODUCTS.get((left.kind, right.kind))
    if kind is None and any(part.kind in KIND_OF_RANK[3:] for part in (left, right)):
        raise UnreadError(f"${render(node)}$ multiplies a tensor of more than two axes; write it with indices")
    if kind is None:
        raise ShapeError(f"${render(node)}$ multiplies a {left.kind} by a {right.kind}")
    if not left.letters and not right.letters:
        return Part(Term(table.MATMUL, (left.term, right.term), kind), (), kind)
    letters = tuple(dict.fromkeys([*left.letters, *right.letters]))
    one, other = (*left.letters, *LEFT[left.kind]), (*right.letters, *RIGHT[right.kind])
    inside = [axis for axis in (*LEFT[left.kind], *RIGHT[right.kind]) if axis != "-"]
    return _part(einsum([(left.term, one), (right.term, other)], (*letters, *inside)), letters, kind)


def stretched(part: Part, along: str) -> Part:
    """Return a vector or a row as the matrix that has it as each of its columns, or as each of its rows."""
    column = part if part.kind == "vector" else transpose(part)
    if along == "columns" and part.kind == "vector":
        factors = (column.term, Term(table.TRANSPOSE, (ones(1),), "row"))
    else:
        factors = (ones(1), Term(table.TRANSPOSE, (column.term,), "row"))
    return Part(Term(table.MATMUL, factors, "matrix"), (), "matrix")


def transpose(part: Part) -> Part:
    """Return the transpose of every entry; a stack of vectors becomes one of rows, the same array."""
    turned = TURNED.get(part.kind)
    if turned is None:
        raise UnreadError(f"a {part.kind} has no transpose; write it with indices")
    if part.kind == "scalar" or (part.letters and part.kind != "matrix"):
        return replace(part, kind=turned)
    if not part.letters:
        return Part(Term(table.TRANSPOSE, (part.term,), turned), (), turned)
    *letters, row, column = part.axes
    return Part(einsum([(part.term, part.axes)], (*letters, column, row)), part.letters, turned)


def taken(part: Part, letters: Axes, node: ast.Node) -> Part:
    """Return the entries of a part at further indices: x_i of a vector, the row w_i of a matrix as a vector, w_{ij}."""
    if not letters:
        return part
    rank = RANK[part.kind] - len(letters)
    if rank < 0:
        raise UnreadError(f"${render(node)}$ has {len(letters)} indices, and is a {part.kind}")
    term = part.term
    if part.kind == "row" and not part.letters:  # its entries are those of the vector
        term = term.args[0] if term.op == table.TRANSPOSE else Term(table.TRANSPOSE, (term,), "vector")
    every = (*part.letters, *letters)
    distinct = tuple(dict.fromkeys(every))
    kind = KIND_OF_RANK[rank]
    if distinct != every:  # x_{ii}: a diagonal
        term = einsum([(term, (*every, *INSIDE[kind]))], (*distinct, *INSIDE[kind]))
    return Part(term, distinct, kind)


def ordered(part: Part, letters: Axes, node: ast.Node) -> Term:
    """Return the array of a part with its letters in an order, spread along those that it lacks."""
    lost = [letter for letter in part.letters if letter not in letters]
    if lost:
        raise UnreadError(f"${render(node)}$: the index {', '.join(sorted(lost))} is not summed over")
    return spread(part, letters, part.kind) if letters else part.term
