r"""Variables with a structure, symmetric or diagonal: their gradients lie in the same space.

For symmetric X the gradient is the symmetric G with \(df = \langle G, dX\rangle\) for all symmetric dX, which is
the symmetric part of the gradient by independent entries; for diagonal X it is its diagonal.
Source: Srinivasan and Panda 2023 (what is the gradient of a scalar function of a symmetric matrix).
"""

from __future__ import annotations

from derive.expr import Apply, Const, Node, Var, rebuild
from derive.ops import table
from derive.ops.tensor import diag
from derive.tidy import is_eye, is_op, split_number, tidy

SYMMETRIC = ("symmetric", "spd", "diagonal")  # spd: symmetric and positive definite


def projected(gradient: Node, of: Var) -> tuple[Node, str, str] | None:
    """Return a gradient in the space of a structured variable, why, and what is taken for granted; else None."""
    if len(of.shape) != 2 or of.domain not in SYMMETRIC:
        return None
    plain = without_transposes(gradient)
    name = of.latex
    if of.domain == "diagonal":
        return diag(diag(plain)), r"G \mapsto \operatorname{diag}(\operatorname{diag}(G))", f"${name}$ is diagonal"
    said = f"${name}$ is symmetric, and so is its gradient: $df = \\langle G, dX\\rangle$ for all symmetric $dX$"
    if is_symmetric(plain):
        return plain, r"G = G^T", said
    whole = tidy((plain + plain.T) / Const(2))
    return whole, r"G \mapsto \frac{1}{2} (G + G^T)", said


def without_transposes(node: Node) -> Node:
    """Drop the transposes of symmetric parts."""

    def change(part: Node) -> Node | None:
        if is_op(part, table.TRANSPOSE):
            inner = without_transposes(part.operands[0])
            return inner if is_symmetric(inner) else Apply(part.args[0], inner)
        return None

    return tidy(rebuild(node, change))


def is_symmetric(node: Node) -> bool:
    """Tell whether a matrix is symmetric by how it is written; False says nothing."""
    if len(node.shape) != 2 or node.shape[0] != node.shape[1]:
        return False
    if isinstance(node, Var):
        return node.domain in SYMMETRIC
    if is_eye(node):
        return True
    if not isinstance(node, Apply):
        return False
    _, core = split_number(node)
    if core != node:
        return is_symmetric(core)
    name, operands = node.op.name, node.operands
    if name in (table.ADD, table.SUB, table.MUL, table.DIV, table.NEG):
        return all(not operand.shape or is_symmetric(operand) for operand in operands)
    if name == table.INVERSE or (name == table.TRANSPOSE and operands[0].shape == node.shape):
        return is_symmetric(operands[0])
    if name == table.DIAG:
        return len(operands[0].shape) == 1
    if name == table.MATMUL:
        chain = _factors(node)
        return all(_mirror(a, b) for a, b in zip(chain, reversed(chain), strict=True))
    return False


def _mirror(one: Node, other: Node) -> bool:
    """Tell whether one factor is the transpose of the other."""
    return tidy(one.T) == other or (one == other and is_symmetric(one))


def _factors(node: Node) -> list[Node]:
    if is_op(node, table.MATMUL):
        return [*_factors(node.operands[0]), *_factors(node.operands[1])]
    return [node]
