"""Losses as compositions of rows: nothing here has a rule of its own."""

from __future__ import annotations

from derive.expr import Apply, Node, Numeric, as_node
from derive.ops.activation import relu
from derive.ops.elementwise import log
from derive.ops.reduction import total


def hinge(y: Node, score: Node) -> Node:
    """The hinge loss Σ max(0, 1 - y s) for labels y of -1 and 1."""
    margins = relu(as_node(1) - y * score)
    return total(margins) if margins.shape else margins


def huber(residual: Node, d: Node | Numeric = 1) -> Node:
    """Huber's loss, summed: r²/2 up to |r| = d, and linear beyond."""
    losses = Apply("huber", residual, as_node(d))
    return total(losses) if losses.shape else losses


def cross_entropy(y: Node, p: Node) -> Node:
    """-Σ y log p."""
    return -total(y * log(p))


def binary_cross_entropy(y: Node, p: Node) -> Node:
    """-Σ [y log p + (1 - y) log(1 - p)]."""
    one = as_node(1)
    losses = y * log(p) + (one - y) * log(one - p)
    return -(total(losses) if losses.shape else losses)


def focal(y: Node, p: Node, gamma: Node | Numeric = 2) -> Node:
    """The focal loss -Σ y (1 - p)^γ log p."""
    return -total(y * ((as_node(1) - p) ** as_node(gamma) * log(p)))


def smoothed(y: Node, epsilon: Node | Numeric) -> Node:
    """Labels smoothed over the k classes of the last axis: (1 - ε) y + ε/k."""
    share = as_node(epsilon)
    return (as_node(1) - share) * y + share / as_node(y.shape[-1])
