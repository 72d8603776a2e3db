r"""Reading the matrix, or the tensor, off an expression that is linear in a variable.

What equals \(J^\top v\) for every v is J: the rules are those of matrix calculus, such as
\((A u)_J = u_J A^\top\) and \((a \circ u)_J = u_J\,\mathrm{diag}(a)\).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

from derive.errors import ModelError
from derive.expr import Apply, Const, Node, Var, ones, product, variables
from derive.ops import table
from derive.ops.tensor import diag, einsum, eye
from derive.shapes import Size, axes
from derive.tidy import constant, is_eye, is_op, tidy

ONE = Const(1)


@dataclass(frozen=True, slots=True)
class _Matrix:
    """A term of J: the identity (both None), a diagonal, an outer product c rᵀ, or any matrix; times a scalar."""

    scale: Node = ONE
    diagonal: Node | None = None
    column: Node | None = None
    row: Node | None = None
    other: Node | None = None

    def node(self, length: Size) -> Node:
        """Return the term as an expression."""
        if self.other is not None:
            inner = self.other
        elif self.column is not None and self.row is not None:
            inner = product(self.column, self.row.T)
        else:
            inner = eye(length) if self.diagonal is None else diag(self.diagonal)
        return tidy(self.scale * inner)

    def times_diagonal(self, a: Node) -> _Matrix:
        """Return the term times diag(a)."""
        if self.other is not None:
            return replace(self, other=self.other @ diag(a))
        if self.row is not None:
            return replace(self, row=tidy(self.row * a))
        return replace(self, diagonal=a if self.diagonal is None else tidy(self.diagonal * a))

    def times_matrix(self, b: Node) -> _Matrix:
        """Return the term times a matrix."""
        if self.other is not None:
            return replace(self, other=tidy(self.other @ b))
        if self.row is not None:
            return replace(self, row=tidy(b.T @ self.row))
        return replace(self, other=b if self.diagonal is None else tidy(diag(self.diagonal) @ b), diagonal=None)

    def times_vector(self, a: Node) -> Node:
        """Return the term times a vector: a column."""
        if self.other is not None:
            return tidy(self.scale * (self.other @ a))
        if self.row is not None and self.column is not None:
            return tidy(self.scale * (self.column * tidy(self.row.T @ a)))
        return tidy(self.scale * (a if self.diagonal is None else self.diagonal * a))


class NoMatrixFormError(Exception):
    """What is linear in v has no form as a matrix times v here."""


def read_off(handed: Node, v: Var) -> Node | None:
    """Return the matrix J of a vector that equals Jᵀv, or None where J has no matrix form here."""
    try:
        terms = [term.node(v.shape[0]) for term in _terms(handed, v)]
    except NoMatrixFormError:
        return None
    return tidy(reduce(add, terms))


def _terms(node: Node, v: Var) -> list[_Matrix]:
    """Return the terms of J for a vector (or row) that is linear in v."""
    if node == v:
        return [_Matrix()]
    assert isinstance(node, Apply)
    name, linear = node.op.name, [k for k, operand in enumerate(node.operands) if v in variables(operand)]
    if name in (table.ADD, table.SUB):
        signs = (1, 1 if name == table.ADD else -1)
        return [
            replace(term, scale=tidy(Const(signs[k]) * term.scale))
            for k in linear for term in _standing(node.operands[k], v, node)
        ]  # fmt: skip
    if name == table.NEG:
        return [replace(term, scale=tidy(-term.scale)) for term in _terms(node.operands[0], v)]
    if name == table.TRANSPOSE:
        return _terms(node.operands[0], v)
    if len(linear) != 1 or (name == table.DIV and linear != [0]):
        raise NoMatrixFormError
    (place,) = linear
    inner, other = node.operands[place], node.operands[1 - place] if len(node.operands) == 2 else None
    if name in (table.MUL, table.DIV) and other is not None:
        factor = other if name == table.MUL else tidy(Const(1) / other)
        if not inner.shape and other.shape:
            return [_Matrix(column=column, row=_vector(factor)) for column in _columns(inner, v)]
        if not other.shape:
            return [replace(term, scale=tidy(term.scale * factor)) for term in _terms(inner, v)]
        return [term.times_diagonal(_vector(factor)) for term in _terms(inner, v)]
    if name == table.MATMUL and other is not None:
        matrix = other.T if place == 1 else other
        return [term.times_matrix(tidy(matrix)) for term in _terms(inner, v)]
    if node.op.define is not None:
        return _terms(node.op.define(*node.operands, *node.params), v)
    raise NoMatrixFormError


def _standing(operand: Node, v: Var, whole: Apply) -> list[_Matrix]:
    """Return the terms of an operand; a scalar beside a vector counts for each entry."""
    if operand.shape or not whole.shape:
        return _terms(operand, v)
    return [_Matrix(column=column, row=ones(whole.shape[-1])) for column in _columns(operand, v)]


def _vector(node: Node) -> Node:
    """Return a row as a vector."""
    return tidy(node.T) if len(node.shape) == 2 else node


def _columns(node: Node, v: Var) -> Iterator[Node]:
    """Yield the columns c, of which the sum gives the scalar cᵀv."""
    assert isinstance(node, Apply)
    name, linear = node.op.name, [k for k, operand in enumerate(node.operands) if v in variables(operand)]
    if name in (table.ADD, table.SUB):
        for k in linear:
            yield from (column if name == table.ADD or k == 0 else tidy(-column)
                        for column in _columns(node.operands[k], v))  # fmt: skip
    elif name == table.NEG:
        yield from (tidy(-column) for column in _columns(node.operands[0], v))
    elif name == table.TRANSPOSE:
        yield from _columns(node.operands[0], v)
    elif name == table.SUM:
        length = node.operands[0].shape[-1]
        yield from (term.times_vector(ones(length)) for term in _terms(node.operands[0], v))
    elif name == table.MATMUL:
        (place,) = linear
        yield from (term.times_vector(_vector(node.operands[1 - place])) for term in _terms(node.operands[place], v))
    elif name in (table.MUL, table.DIV) and len(linear) == 1:
        other = node.operands[1 - linear[0]]
        factor = other if name == table.MUL else tidy(Const(1) / other)
        yield from (tidy(factor * column) for column in _columns(node.operands[linear[0]], v))
    elif node.op.define is not None:
        yield from _columns(node.op.define(*node.operands, *node.params), v)
    else:
        raise NoMatrixFormError


# ---------------------------------------------------------------- a tensor from J^T v
def by_indices(node: Node, v: Var) -> Node:
    """Return the tensor of what is linear in v: the axes of v, then those of the node."""
    rank = len(axes(v.shape))
    lead = "ABCDEFGH"[:rank]
    if node == v:
        own = "abcdefgh"[:rank]
        pairs = ",".join(map("".join, zip(lead, own, strict=True)))
        return einsum(f"{pairs}->{lead}{own}", *map(eye, axes(v.shape))) if rank else Const(1)
    assert isinstance(node, Apply)
    linear = [v in variables(operand) for operand in node.operands]
    parts = [by_indices(o, v) if moves else o for o, moves in zip(node.operands, linear, strict=True)]
    if node.op.spec is not None:
        words, right = node.op.spec(tuple(o.shape for o in node.operands), *node.params).split("->")
        marked = [lead + word if moves else word for word, moves in zip(words.split(","), linear, strict=True)]
        return einsum(f"{','.join(marked)}->{lead}{right}", *parts)
    if node.op.define is not None:
        return by_indices(node.op.define(*node.operands, *node.params), v)
    own = "abcdefgh"[: len(axes(node.shape))]
    marks = [(lead if moves else "") + (own if o.shape else "") for o, moves in zip(node.operands, linear, strict=True)]
    if node.op.name == table.MUL:
        return einsum(f"{','.join(marks)}->{lead}{own}", *parts)
    if node.op.name == table.DIV and linear == [True, False]:
        return einsum(f"{','.join(marks)}->{lead}{own}", parts[0], Const(1) / parts[1])
    if node.op.name in (table.ADD, table.SUB, table.NEG):
        whole = (*axes(v.shape), *axes(node.shape))
        parts = [p if p.shape == whole else _repeated(p, lead, node) for p in parts]
        return Apply(node.op.name, *parts)
    raise ModelError(f"{node.op.name}: what the sweep handed down is not linear in {v.latex}")


def _repeated(part: Node, lead: str, node: Node) -> Node:
    own = "abcdefgh"[: len(axes(node.shape))]
    return einsum(f"{lead},{own}->{lead}{own}", part, ones(*axes(node.shape)))


def fused(node: Node) -> Node:
    """Write einsums of einsums as one, and use up identity matrices under a sum."""
    if not isinstance(node, Apply):
        return node
    node = Apply(node.args[0], *map(fused, node.operands), *node.params)
    if not is_op(node, table.EINSUM):
        return node
    fresh = iter("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    words, right = _split(node)
    names = {letter: next(fresh) for letter in dict.fromkeys("".join([right, *words]))}
    factors: list[tuple[str, Node]] = []
    for word, operand in zip(words, node.operands, strict=True):
        outer = "".join(names[letter] for letter in word)
        if is_op(operand, table.EINSUM):
            inner_words, inner_right = _split(operand)
            own = dict(zip(inner_right, outer, strict=True))
            own |= {letter: next(fresh) for letter in dict.fromkeys("".join(inner_words)) if letter not in own}
            renamed = ("".join(own[letter] for letter in inner_word) for inner_word in inner_words)
            factors += zip(renamed, operand.operands, strict=True)
        else:
            factors.append((outer, operand))
    return _without_eyes(factors, "".join(names[letter] for letter in right))


def _split(node: Apply) -> tuple[list[str], str]:
    left, right = str(node.params[0]).split("->")
    return left.split(","), right


def _without_eyes(factors: list[tuple[str, Node]], right: str) -> Node:
    for k, (word, operand) in enumerate(factors):
        if is_eye(operand) and word[0] != word[1]:
            lost = next((letter for letter in word if letter not in right), "")
            kept = word.replace(lost, "")
            others = factors[:k] + factors[k + 1 :]
            if lost and any(kept in other or lost in other for other, _ in others):
                return _without_eyes([(other.replace(lost, kept), o) for other, o in others], right)
    kept_factors = [pair for pair in factors if constant(pair[1]) != Const(1) or pair[0]]
    (words, operands) = zip(*(kept_factors or factors), strict=True)
    return einsum(f"{','.join(words)}->{right}", *operands)
