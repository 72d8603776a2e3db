r"""Jacobians, Hessians and products with them, read off from the reverse sweep.

For an arbitrary cotangent v of y the sweep gives \(\bar x = J^\top v\), which is linear in v: what stands at v is J.
The Hessian is the Jacobian of the gradient; nobody derives by another method, so that there is one set of rules.
Layout: the axes of y, then those of x.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

from derive.backprop import derive_gradients
from derive.derivation import Derivation, Equation, Step
from derive.errors import ModelError
from derive.expr import Apply, Const, Node, Var, ones, product, substitute, variables
from derive.model import Definition, Network, free_variables, restricted
from derive.ops import table
from derive.ops.reduction import total
from derive.ops.tensor import diag, einsum, eye
from derive.shapes import Size, axes
from derive.simplify import Known, simplify
from derive.tidy import constant, is_eye, is_op, tidy

READ_OFF = "read off the matrix"
BY_INDEX = "read off by indices: no matrix form exists"
ONE = Const(1)
SCHWARZ = "the second derivatives are continuous, so that the Hessian is symmetric"


def derive_jacobian(network: Network, of: Var, by: Var, name: str = "", role: str = "jacobian") -> Derivation:
    r"""Derive \(\partial y/\partial x\) of a name by a free variable.

    Args:
        network: Defines `of`.
        of: What is differentiated, of any shape.
        by: The free variable.
        name: What the result is called; ∂y/∂x if empty.
        role: The role of the result's equation.
    Returns:
        The equations of the sweep for an arbitrary cotangent, then the Jacobian: axes of y, then those of x.
    Raises:
        ModelError: y does not depend on x.
    Source: Giles 2008, section 2.
    """
    swept, cotangent, handed = _swept(network, of, by)
    target = Var(name or rf"\frac{{\partial {of.latex}}}{{\partial {by.latex}}}", (*of.shape, *by.shape))
    known = Known({item.name: item.value for item in network.definitions})
    steps: list[Step] = []
    if len(of.shape) == len(by.shape) == 1:
        steps.append(Step("cotangent for an arbitrary $v$", target.T @ cotangent, handed))
        value = _read_off(handed, cotangent)
        steps.append(Step(READ_OFF, target, value, r"\bar x = J^T v \text{ for all } v", "giles2008"))
    else:
        value = fused(_by_indices(handed, cotangent))
        steps.append(Step(BY_INDEX, target, value, r"\bar x_b = \textstyle\sum_a J_{ab} v_a", "giles2008"))
    steps += simplify(steps[-1].after, known)
    result = Equation("", target, steps[-1].after, role, by, tuple(steps))
    return _numbered(replace(swept, equations=(*swept.equations, result)))


def derive_hessian(network: Network, by: Var) -> Derivation:
    r"""Derive \(\nabla^2 f\) of the network's loss by a free variable: the Jacobian of its gradient.

    Raises:
        ModelError: there is no loss, or it does not depend on the variable.
    """
    first, whole, gradient = _gradient(network, by)
    name = rf"\nabla_{{{by.latex}}}^2 {_loss(network).latex}"
    found = derive_jacobian(whole, gradient, by, name, "hessian")
    return _extended(first, found.equations[-1], *found.seeds)


def derive_hessian_product(network: Network, by: Var, direction: str = "v") -> Derivation:
    r"""Derive \(\nabla^2 f\,v\) for a direction v of the variable's shape, without the matrix itself.

    The product is the gradient of \(g^\top v\), at the cost of a gradient.
    Source: Pearlmutter 1994.
    """
    first, whole, gradient = _gradient(network, by)
    _, v, handed = _swept(whole, gradient, by, direction)
    name = Var(rf"\nabla_{{{by.latex}}}^2 {_loss(network).latex}\,{v.latex}", by.shape)
    step = Step("gradient of $g^T v$", name, handed, r"\nabla (g^T v) = (\nabla^2 f)\,v", "pearlmutter1994", (SCHWARZ,))
    return _extended(first, Equation("", name, handed, "directional", by, (step,)), v)


def derive_directional(network: Network, by: Var, direction: str = "v") -> Derivation:
    r"""Derive the derivative of the loss in a direction v of the variable's shape: \(\langle \nabla f, v\rangle\)."""
    first, _, gradient = _gradient(network, by)
    v = Var(_free_word(network, direction), by.shape)
    value = tidy(gradient.T @ v if len(by.shape) == 1 else total(gradient * v) if by.shape else gradient * v)
    name = Var(rf"\mathrm{{D}}_{{{v.latex}}} {_loss(network).latex}")
    step = Step("derivative in a direction", name, value, r"df = \langle \nabla f, dx\rangle", "petersen2012")
    return _extended(first, Equation("", name, value, "directional", by, (step,)), v)


def _extended(first: Derivation, last: Equation, *given: Var) -> Derivation:
    """Return a gradient's record with one more equation instead of its updates."""
    equations = (*(e for e in first.equations if e.role != "update"), last)
    assumptions = (*first.assumptions, *(a for step in last.steps for a in step.assumptions))
    data = (*first.data, *given)
    return _numbered(replace(first, equations=equations, assumptions=tuple(dict.fromkeys(assumptions)), data=data))


def _loss(network: Network) -> Var:
    if network.loss is None:
        raise ModelError(f"{network.title}: there is no scalar to differentiate twice; add a loss, such as L = ...")
    return network.loss


def _gradient(network: Network, by: Var) -> tuple[Derivation, Network, Var]:
    """Return the gradient's record, the network with its backward equations added, and the gradient's name."""
    _loss(network)
    first = derive_gradients(network, (by,))
    whole = as_network(first)
    return first, whole, whole.definitions[-1].name


def as_network(derivation: Derivation) -> Network:
    """Return everything that a record computes, forward and backward, as one network without a loss."""
    roles = ("definition", "loss", "cotangent", "gradient")
    definitions = tuple(Definition(e.name, e.value) for e in derivation.equations if e.role in roles)
    return Network(derivation.title, definitions, None, None, {}, derivation.assumptions, derivation.samples)


def _free_word(network: Network, word: str) -> str:
    taken = {name.latex for item in network.definitions for name in (item.name, *variables(item.value))}
    return next(w for w in (word, "u", "w", r"\dot{x}", rf"{word}_0") if w not in taken)


def _swept(network: Network, of: Var, by: Var, word: str = "v") -> tuple[Derivation, Var, Node]:
    """Return the sweep for an arbitrary cotangent of a name, that cotangent, and what it hands to the variable."""
    if by not in free_variables(network):
        raise ModelError(f"{network.title} has no free variable {by.latex}; differentiate by what no equation defines")
    cotangent = Var(_free_word(network, word), of.shape)
    whole = replace(restricted(network, of), loss=None, cotangents={of: cotangent.latex})
    swept = derive_gradients(whole, (by,))
    values = {e.name: e.value for e in swept.equations if e.role in ("cotangent", "gradient")}
    forward = tuple(e for e in swept.equations if e.role in ("definition", "loss"))
    handed = next(e.value for e in swept.equations if e.of == by)
    while inner := [name for name in variables(handed) if name in values and name != cotangent]:
        handed = tidy(substitute(handed, {name: values[name] for name in inner}))
    simpler = simplify(handed, Known({item.name: item.value for item in network.definitions}))
    handed = simpler[-1].after if simpler else handed
    return replace(swept, equations=forward, parameters=(by,), seeds=(cotangent,)), cotangent, handed


def _numbered(derivation: Derivation) -> Derivation:
    equations = tuple(replace(equation, id=str(k)) for k, equation in enumerate(derivation.equations, 1))
    return replace(derivation, equations=equations)


# ---------------------------------------------------------------- a matrix from J^T v
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


def _read_off(handed: Node, v: Var) -> Node:
    terms = [term.node(v.shape[0]) for term in _terms(handed, v)]
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
        raise ModelError(f"{node.op.name}: what the sweep handed down is not linear in {v.latex}")
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
    raise ModelError(f"the Jacobian through {name} has no matrix form here; ask for it by indices")


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
        raise ModelError(f"the Jacobian through {name} has no matrix form here; ask for it by indices")


# ---------------------------------------------------------------- a tensor from J^T v
def _by_indices(node: Node, v: Var) -> Node:
    """Return the tensor of what is linear in v: the axes of v, then those of the node."""
    rank = len(v.shape)
    lead = "ABCDEFGH"[:rank]
    if node == v:
        own = "abcdefgh"[:rank]
        pairs = ",".join(map("".join, zip(lead, own, strict=True)))
        return einsum(f"{pairs}->{lead}{own}", *map(eye, v.shape)) if rank else Const(1)
    assert isinstance(node, Apply)
    linear = [v in variables(operand) for operand in node.operands]
    parts = [_by_indices(o, v) if moves else o for o, moves in zip(node.operands, linear, strict=True)]
    if node.op.spec is not None:
        words, right = node.op.spec(tuple(o.shape for o in node.operands), *node.params).split("->")
        marked = [lead + word if moves else word for word, moves in zip(words.split(","), linear, strict=True)]
        return einsum(f"{','.join(marked)}->{lead}{right}", *parts)
    if node.op.define is not None:
        return _by_indices(node.op.define(*node.operands, *node.params), v)
    own = "abcdefgh"[: len(axes(node.shape))]
    marks = [(lead if moves else "") + (own if o.shape else "") for o, moves in zip(node.operands, linear, strict=True)]
    if node.op.name == table.MUL:
        return einsum(f"{','.join(marks)}->{lead}{own}", *parts)
    if node.op.name == table.DIV and linear == [True, False]:
        return einsum(f"{','.join(marks)}->{lead}{own}", parts[0], Const(1) / parts[1])
    if node.op.name in (table.ADD, table.SUB, table.NEG):
        whole = (*v.shape, *node.shape)
        parts = [p if p.shape == whole else _repeated(p, lead, node) for p in parts]
        return Apply(node.op.name, *parts)
    raise ModelError(f"{node.op.name}: what the sweep handed down is not linear in {v.latex}")


def _repeated(part: Node, lead: str, node: Node) -> Node:
    own = "abcdefgh"[: len(node.shape)]
    return einsum(f"{lead},{own}->{lead}{own}", part, ones(*node.shape))


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
