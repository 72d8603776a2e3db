r"""Named rewrites of what overflows or loses all digits into what does not; each has an identity as its reason.

A saturated network has \(\hat y = 1\) in float32, and \(\log(1 - \hat y)\) is −∞; in terms of z it is −softplus(z),
which is finite. Rewrites look through names: \(\log \hat y\) where \(\hat y = \sigma(z)\).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from derive.expr import Apply, Const, Node, Var, times_primed, variables
from derive.op import Op
from derive.ops import table
from derive.ops.activation import sigmoid, softplus, tanh
from derive.ops.elementwise import exp, expm1, log, log1p
from derive.ops.reduction import logsumexp, softmax, spread, total
from derive.tidy import is_op, tidy

_X = Var("x", ("n",))
ONE_HOT = {0: "onehot", 1: "onehot last"}  # a variable's domain, by the axis along which one entry is 1


def _row(node: Node) -> Op:
    """Return the row behind a constructor."""
    assert isinstance(node, Apply)
    return node.op


_EXP, _LOG, _SIGMOID, _SUM = _row(exp(_X)), _row(log(_X)), _row(sigmoid(_X)), _row(total(_X))
_SOFTMAX, _EXPM1, _TANH = _row(softmax(_X)), _row(expm1(_X)), _row(tanh(_X))

Look = Callable[[Node], Node]  # the value behind a name, other nodes as they are


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A stable form: `form` returns the new node where it applies; `because` is the identity, in LaTeX."""

    name: str
    form: Callable[[Node, Look], Node | None]
    because: str


def _applied(node: Node | None, row: Op) -> Node | None:
    """Return the operand of a function of one operand, if the node is that function, not primed."""
    primed = isinstance(node, Apply) and times_primed(node)
    return node.operands[0] if isinstance(node, Apply) and node.op is row and not primed else None


def _inside_log(node: Node, look: Look) -> Node | None:
    """Return what a logarithm is of, the value rather than its name."""
    inner = _applied(node, _LOG)
    return None if inner is None else look(inner)


def _one_minus(node: Node | None) -> Node | None:
    return node.operands[1] if node is not None and is_op(node, table.SUB) and node.operands[0] == Const(1) else None


def _one_plus(node: Node | None) -> Node | None:
    if node is None or not is_op(node, table.ADD) or Const(1) not in node.operands:
        return None
    return node.operands[1] if node.operands[0] == Const(1) else node.operands[0]


def _behind(node: Node | None, look: Look, row: Op) -> Node | None:
    return None if node is None else _applied(look(node), row)


def _log_sigmoid(node: Node, look: Look) -> Node | None:
    z = _applied(_inside_log(node, look), _SIGMOID)
    return tidy(-softplus(tidy(-z))) if z is not None else None


def _log_one_minus_sigmoid(node: Node, look: Look) -> Node | None:
    z = _behind(_one_minus(_inside_log(node, look)), look, _SIGMOID)
    return -softplus(z) if z is not None else None


def _log_softmax(node: Node, look: Look) -> Node | None:
    output = _inside_log(node, look)
    return _logarithm_of(output) if output is not None and _applied(output, _SOFTMAX) is not None else None


def _logarithm_of(output: Node) -> Node:
    """Return the logarithm of a softmax."""
    assert isinstance(output, Apply)
    z, axis = output.operands[0], tuple(map(int, output.params))
    return z - spread(logsumexp(z, *axis), z, *axis)


def _log_chosen(node: Node, look: Look) -> Node | None:
    """Rewrite the logarithm of the entry of softmax that a one-hot vector chooses."""
    inner = _inside_log(node, look)
    if inner is None or not isinstance(inner, Apply):
        return None
    for chosen, weights, axis in _choices(inner):
        output = look(chosen)
        along = axis if len(chosen.shape) == 2 else None
        shared = () if along is None else (along,)
        if _applied(output, _SOFTMAX) is None or not isinstance(output, Apply) or output.params != shared:
            continue
        if isinstance(weights, Var) and weights.domain == ONE_HOT[axis]:
            return total(weights * _logarithm_of(output), *shared)
    return None


def _choices(node: Apply) -> Iterator[tuple[Node, Node, int]]:
    """Yield both readings of a sum of products, yᵀp or Σ y ∘ p: what is chosen from, by what, along which axis."""
    pair: tuple[Node, ...] = ()
    if is_op(node, table.MATMUL) and is_op(node.operands[0], table.TRANSPOSE) and not node.shape:
        pair = (node.operands[0].operands[0], node.operands[1])
    elif is_op(node, table.SUM) and is_op(node.operands[0], table.MUL):
        pair = node.operands[0].operands
    axis = int(node.params[0]) if is_op(node, table.SUM) and node.params else 0
    for one, other in (pair, pair[::-1]) if pair else ():
        yield one, tidy(other), axis


def _log_sum_exp(node: Node, look: Look) -> Node | None:
    summed = _inside_log(node, look)
    z = _behind(_applied(summed, _SUM), look, _EXP)
    return logsumexp(z, *map(int, summed.params)) if z is not None and isinstance(summed, Apply) else None


def _log_quotient(node: Node, look: Look) -> Node | None:
    parts = _quotient(_inside_log(node, look))
    z = _behind(parts[0], look, _EXP) if parts else None
    return z - log(parts[1]) if parts and z is not None and z.shape == parts[1].shape else None


def _log_exp(node: Node, look: Look) -> Node | None:
    return _applied(_inside_log(node, look), _EXP)


def _log_one_plus_exp(node: Node, look: Look) -> Node | None:
    z = _behind(_one_plus(_inside_log(node, look)), look, _EXP)
    return softplus(z) if z is not None else None


def _log_one_plus(node: Node, look: Look) -> Node | None:
    inner = _inside_log(node, look)
    x, negative = _one_plus(inner), _one_minus(inner)
    if x is None and negative is not None:
        x = tidy(-negative)
    return log1p(x) if x is not None and x.shape == node.shape and variables(x) else None


def _exp_minus_one(node: Node, look: Look) -> Node | None:
    if not is_op(node, table.SUB) or Const(1) not in node.operands:
        return None
    first, second = node.operands
    z = _behind(first if second == Const(1) else second, look, _EXP)
    if z is None or z.shape != node.shape:
        return None
    return expm1(z) if second == Const(1) else -expm1(z)


def _quotient(node: Node | None) -> tuple[Node, Node] | None:
    return (node.operands[0], node.operands[1]) if node is not None and is_op(node, table.DIV) else None


def _written_sigmoid(node: Node, look: Look) -> Node | None:
    parts = _quotient(node)
    z = _behind(_one_plus(look(parts[1])), look, _EXP) if parts else None
    if parts is None or z is None:
        return None
    if parts[0] == Const(1):
        return sigmoid(tidy(-z))
    return sigmoid(z) if _behind(parts[0], look, _EXP) == z else None


def _written_softmax(node: Node, look: Look) -> Node | None:
    parts = _quotient(node)
    z = _behind(parts[0], look, _EXP) if parts else None
    if parts is None or z is None or not z.shape:
        return None
    named = [name for name in variables(parts[1]) if look(name) != name]
    for axis in ((), (0,), (1,)) if _is_matrix(z) else ((),):
        sums = [total(e, *axis) for e in (parts[0], exp(z))]
        sums += [name for name in named if look(name) in sums]
        if look(parts[1]) in [*sums, *(spread(found, z, *axis) for found in sums)]:
            return softmax(z, *axis)
    return None


def _is_matrix(node: Node) -> bool:
    """Tell a matrix from a row."""
    return len(node.shape) == 2 and len(node.T.shape) == 2


def _written_tanh(node: Node, look: Look) -> Node | None:
    parts = _quotient(node)
    if parts is None or not isinstance(parts[0], Apply) or not isinstance(parts[1], Apply):
        return None
    z = _applied(parts[0].operands[0], _EXP) if is_op(parts[0], table.SUB) else None
    if z is None or not is_op(parts[1], table.ADD) or parts[0].operands != parts[1].operands:
        return None
    return tanh(z) if _applied(parts[0].operands[1], _EXP) == tidy(-z) else None


def _written_short_tanh(node: Node, look: Look) -> Node | None:
    parts = _quotient(node)
    u = _behind(_one_plus(parts[1]), look, _EXP) if parts else None
    top = parts[0] if parts else node
    negative = is_op(top, table.NEG)
    if u is None or _applied(top.operands[0] if is_op(top, table.NEG) else top, _EXPM1) != u:
        return None
    half = tidy(u / 2)
    return tanh(tidy(-half) if negative else half)


REWRITES: tuple[Rewrite, ...] = (
    Rewrite("logarithm of the sigmoid", _log_sigmoid, r"\log \sigma(z) = -\mathrm{softplus}(-z)"),
    Rewrite("logarithm of the other side", _log_one_minus_sigmoid, r"\log(1 - \sigma(z)) = -\mathrm{softplus}(z)"),
    Rewrite("logarithm of softmax", _log_softmax, r"\log \mathrm{softmax}(z) = z - \log \textstyle\sum e^z"),
    Rewrite("logarithm of a chosen entry", _log_chosen, r"\log \textstyle\sum y p = \sum y \log p,\ y\ \text{one-hot}"),
    Rewrite("log-sum-exp", _log_sum_exp, r"\log \textstyle\sum e^z = m + \log \sum e^{z - m},\ m = \max z"),
    Rewrite("softplus", _log_one_plus_exp, r"\log(1 + e^z) = \max(z, 0) + \log(1 + e^{-|z|})"),
    Rewrite("logarithm of an exponential", _log_exp, r"\log e^z = z"),
    Rewrite("logarithm of a quotient", _log_quotient, r"\log (e^z / s) = z - \log s"),
    Rewrite("logarithm near one", _log_one_plus, r"\log(1 + x) = \mathrm{log1p}(x)"),
    Rewrite("exponential less one", _exp_minus_one, r"e^x - 1 = \mathrm{expm1}(x)"),
    Rewrite("sigmoid written out", _written_sigmoid, r"1 / (1 + e^{-z}) = \sigma(z)"),
    Rewrite("softmax written out", _written_softmax, r"e^z / \textstyle\sum e^z = \mathrm{softmax}(z)"),
    Rewrite("tanh written out", _written_tanh, r"(e^z - e^{-z}) / (e^z + e^{-z}) = \tanh z"),
    Rewrite("tanh with one exponential", _written_short_tanh, r"(e^u - 1) / (e^u + 1) = \tanh(u / 2)"),
)


def may_vanish(node: Node, look: Look) -> bool:
    """Tell whether a positive number may become 0 or infinite by rounding: what must not be divided by."""
    node = look(node)
    if not isinstance(node, Apply):
        return False
    if node.op in (_SIGMOID, _SOFTMAX, _EXP):
        return True
    rest = [operand for operand in node.operands if operand != Const(1)]
    if is_op(node, table.ADD):
        return any(_sums_exponentials(operand, look) for operand in rest)
    if is_op(node, table.SUB):
        return len(rest) == 1 and node.operands[0] == Const(1) and _saturates(rest[0], look)
    if is_op(node, table.MATMUL) or is_op(node, table.MUL) or node.op is _SUM:
        return any(may_vanish(operand, look) for operand in rest)
    if is_op(node, table.POW) or is_op(node, table.NEG) or is_op(node, table.TRANSPOSE) or is_op(node, table.DIV):
        return may_vanish(node.operands[0], look)
    return False


def _sums_exponentials(node: Node, look: Look) -> bool:
    node = look(node)
    return isinstance(node, Apply) and (
        node.op is _EXP or (node.op is _SUM and _sums_exponentials(node.operands[0], look))
    )


def _saturates(node: Node, look: Look) -> bool:
    node = look(node)
    if is_op(node, table.POW):
        return _saturates(node.operands[0], look)
    return isinstance(node, Apply) and node.op in (_SIGMOID, _SOFTMAX, _TANH, _EXP)
