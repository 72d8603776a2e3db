r"""Stable forms: rewrite what overflows or loses all digits into what does not; each rewrite has a name and a reason.

A saturated network has \(\hat y = 1\) in float32, and \(\log(1 - \hat y)\) is −∞; in terms of z it is −softplus(z),
which is finite. Rewrites look through names: \(\log \hat y\) where \(\hat y = \sigma(z)\).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from derive.derivation import Equation
from derive.expr import Apply, Const, Node, Var, rebuild, times_primed
from derive.op import Op
from derive.ops import table
from derive.ops.activation import sigmoid, softplus, tanh
from derive.ops.elementwise import exp, log
from derive.ops.reduction import softmax, spread, total
from derive.tidy import is_op, tidy

_X = Var("x", ("n",))


def _row(node: Node) -> Op:
    """Return the row behind a constructor."""
    assert isinstance(node, Apply)
    return node.op


_EXP, _LOG, _SIGMOID, _SUM = _row(exp(_X)), _row(log(_X)), _row(sigmoid(_X)), _row(total(_X))
_SOFTMAX = _row(softmax(_X))

Look = Callable[[Node], Node]  # the value behind a name, other nodes as they are


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A stable form: `form` returns the new node where it applies; `because` is the identity, in LaTeX."""

    name: str
    form: Callable[[Node, Look], Node | None]
    because: str


def _applied(node: Node, row: Op) -> Node | None:
    """Return the operand of a function of one operand, if the node is that function, not primed."""
    primed = isinstance(node, Apply) and times_primed(node)
    return node.operands[0] if isinstance(node, Apply) and node.op is row and not primed else None


def _one_minus(node: Node) -> Node | None:
    if is_op(node, table.SUB) and isinstance(node, Apply) and node.operands[0] == Const(1):
        return node.operands[1]
    return None


def _one_plus(node: Node) -> Node | None:
    if not (is_op(node, table.ADD) and isinstance(node, Apply) and Const(1) in node.operands):
        return None
    return node.operands[1] if node.operands[0] == Const(1) else node.operands[0]


def _log_sigmoid(node: Node, look: Look) -> Node | None:
    inner = _applied(node, _LOG)
    z = _applied(look(inner), _SIGMOID) if inner is not None else None
    return tidy(-softplus(tidy(-z))) if z is not None else None


def _log_one_minus_sigmoid(node: Node, look: Look) -> Node | None:
    inner = _applied(node, _LOG)
    other = _one_minus(look(inner)) if inner is not None else None
    z = _applied(look(other), _SIGMOID) if other is not None else None
    return -softplus(z) if z is not None else None


def _log_softmax(node: Node, look: Look) -> Node | None:
    inner = _applied(node, _LOG)
    output = look(inner) if inner is not None else None
    z = _applied(output, _SOFTMAX) if output is not None else None
    if z is None or not isinstance(output, Apply):
        return None
    axis = tuple(map(int, output.params))
    return z - spread(Apply("logsumexp", z, *axis), z, *axis)


def _log_sum_exp(node: Node, look: Look) -> Node | None:
    inner = _applied(node, _LOG)
    summed = look(inner) if inner is not None else None
    terms = _applied(summed, _SUM) if summed is not None else None
    z = _applied(look(terms), _EXP) if terms is not None else None
    return Apply("logsumexp", z, *summed.params) if z is not None and isinstance(summed, Apply) else None


def _log_exp(node: Node, look: Look) -> Node | None:
    inner = _applied(node, _LOG)
    return _applied(look(inner), _EXP) if inner is not None else None


def _log_one_plus_exp(node: Node, look: Look) -> Node | None:
    inner = _applied(node, _LOG)
    other = _one_plus(look(inner)) if inner is not None else None
    z = _applied(look(other), _EXP) if other is not None else None
    return softplus(z) if z is not None else None


def _quotient(node: Node) -> tuple[Node, Node] | None:
    return (node.operands[0], node.operands[1]) if is_op(node, table.DIV) and isinstance(node, Apply) else None


def _written_sigmoid(node: Node, look: Look) -> Node | None:
    parts = _quotient(node)
    other = _one_plus(look(parts[1])) if parts else None
    z = _applied(look(other), _EXP) if other is not None else None
    if parts is None or z is None:
        return None
    if parts[0] == Const(1):
        return sigmoid(tidy(-z))
    return sigmoid(z) if _applied(look(parts[0]), _EXP) == z else None


def _written_softmax(node: Node, look: Look) -> Node | None:
    parts = _quotient(node)
    z = _applied(look(parts[0]), _EXP) if parts else None
    if parts is None or z is None or not z.shape:
        return None
    for axis in ((), (0,), (1,)):
        if axis and len(z.shape) != 2:
            continue
        names = {spread(total(e, *axis), e, *axis) for e in (parts[0], exp(z))}
        if look(parts[1]) in names:
            return Apply("softmax", z, *axis)
    return None


def _written_tanh(node: Node, look: Look) -> Node | None:
    parts = _quotient(node)
    if parts is None or not isinstance(parts[0], Apply) or not isinstance(parts[1], Apply):
        return None
    z = _applied(parts[0].operands[0], _EXP) if is_op(parts[0], table.SUB) else None
    if z is None or not is_op(parts[1], table.ADD) or parts[0].operands != parts[1].operands:
        return None
    return tanh(z) if _applied(parts[0].operands[1], _EXP) == tidy(-z) else None


REWRITES: tuple[Rewrite, ...] = (
    Rewrite("logarithm of the sigmoid", _log_sigmoid, r"\log \sigma(z) = -\mathrm{softplus}(-z)"),
    Rewrite("logarithm of the other side", _log_one_minus_sigmoid, r"\log(1 - \sigma(z)) = -\mathrm{softplus}(z)"),
    Rewrite("logarithm of softmax", _log_softmax, r"\log \mathrm{softmax}(z) = z - \log \textstyle\sum e^z"),
    Rewrite("log-sum-exp", _log_sum_exp, r"\log \textstyle\sum e^z = m + \log \sum e^{z - m},\ m = \max z"),
    Rewrite("softplus", _log_one_plus_exp, r"\log(1 + e^z) = \max(z, 0) + \log(1 + e^{-|z|})"),
    Rewrite("logarithm of the exponential", _log_exp, r"\log e^z = z"),
    Rewrite("sigmoid written out", _written_sigmoid, r"1 / (1 + e^{-z}) = \sigma(z)"),
    Rewrite("softmax written out", _written_softmax, r"e^z / \textstyle\sum e^z = \mathrm{softmax}(z)"),
    Rewrite("tanh written out", _written_tanh, r"(e^z - e^{-z}) / (e^z + e^{-z}) = \tanh z"),
)


def stabilise(equations: tuple[Equation, ...]) -> tuple[tuple[Equation, ...], tuple[str, ...]]:
    """Return the equations with stable right sides, and the names of the rewrites that were used."""
    values: dict[Var, Node] = {}
    used: dict[str, None] = {}
    changed = []
    for equation in equations:
        value = rebuild(equation.value, lambda part: _rewrite(part, values, used))
        if equation.role != "update":
            values[equation.name] = value
        changed.append(replace(equation, value=value))
    return tuple(changed), tuple(used)


def _rewrite(node: Node, values: Mapping[Var, Node], used: dict[str, None]) -> Node | None:
    def look(part: Node) -> Node:
        return values.get(part, part) if isinstance(part, Var) else part

    for rewrite in REWRITES:
        found = rewrite.form(node, look)
        if found is not None:
            used[rewrite.name] = None
            return rebuild(found, lambda part: _rewrite(part, values, used))
    return None
