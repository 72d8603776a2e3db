"""What a loss says of its targets: 0 or 1, or one-hot, and along which axis of a matrix the classes lie."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np

from derive.expr import Apply, Const, Node, Var, substitute, variables, walk
from derive.model import Network, free_variables, is_data
from derive.ops import table
from derive.shapes import Shape, axes
from derive.verify.evaluate import EXACT, evaluate, points
from derive.verify.numbers import CostError, Number, RetryError, einsum, number

ONE_HOT = ("onehot", "simplex")
UNTOLD = "?"
UNTOLD_AXIS = "along which axis it is one-hot is not said:"  # how an assumption about a matrix begins
COLUMNS, ROWS = "", " last"  # samples in columns: the classes lie along the first axis; in rows, along the last


def target_domains(network: Network, told: Collection[Var] = ()) -> dict[Var, Var]:
    """Return targets with what the loss says of them, but for those of which it is `told`.

    Beside 1 - y in a loss with a logarithm, y is 0 or 1; in a sum of y log p over the classes it is one-hot.
    """
    loss = network.value(network.loss) if network.loss is not None else None
    parts = [part for part in walk(loss) if isinstance(part, Apply) and part.operands] if loss is not None else []
    subtracted = {part.operands[1] for part in parts if part.op.name == table.SUB and part.operands[0] == Const(1)}
    binary = subtracted if any(map(_is_log, parts)) else set()
    logged = {v for part in parts if part.op.name == table.LOG for v in variables(part)}
    weights = {
        factor
        for part in parts
        if part.op.name == table.MUL and part.shape and any(_is_log(operand) for operand in part.operands)
        for factor in part.operands
    }
    targets = [v for v in free_variables(network) if v not in logged and is_data(v) and v not in told]
    domains = {v: "binary" if v in binary else "onehot" for v in targets if v in binary or v in weights}
    domains |= {v: v.domain for v in free_variables(network) if v.domain in ONE_HOT and len(axes(v.shape)) > 1}
    matrices = {v for v, domain in domains.items() if domain in ONE_HOT and len(axes(v.shape)) > 1}
    along = _classes(network, matrices)
    return {v: Var(v.latex, v.shape, "real" if along.get(v) == UNTOLD else domain + along.get(v, ""))
            for v, domain in domains.items()}  # fmt: skip


def _classes(network: Network, targets: Collection[Var]) -> dict[Var, str]:
    """Return along which axis of one-hot matrices the classes lie: that along which probabilities sum to 1.

    A logarithm of a sum over the classes has the axis of the samples alone. Where a model has neither, a softmax that
    it takes of matrices tells how its samples lie.
    """
    parts = [part for item in network.definitions for part in walk(item.value) if isinstance(part, Apply)]
    logged = list(dict.fromkeys(part.operands[0] for part in parts if part.op.name == table.LOG)) if targets else []
    ways = {ROWS if part.params == (1,) else COLUMNS for part in parts if part.op.name == table.SOFTMAX}
    usual = ways.pop() if len(ways) == 1 else UNTOLD
    return {target: next(_told_by(target, logged, network), usual) for target in targets}


def _told_by(target: Var, logged: Collection[Node], network: Network) -> Iterator[str]:
    lengths = axes(target.shape)
    if len(lengths) != 2:
        return
    for of in logged:
        if axes(of.shape) == lengths and (along := _sums_to_one(of, network)) is not None:
            yield along
    for of in logged:
        if lengths[0] != lengths[1] and len(axes(of.shape)) == 1 and _sums_over(of, lengths, network):
            yield ROWS if axes(of.shape) == lengths[:1] else COLUMNS


def _sums_over(node: Node, lengths: Shape, network: Network) -> bool:
    """Tell whether a vector is a sum along an axis of a matrix of a target's shape, as in a log-sum-exp."""
    value = network.value(node) if isinstance(node, Var) else node
    if not isinstance(value, Apply) or value.op.name not in (table.SUM, table.EINSUM):
        return False
    return any(axes(operand.shape) == lengths for operand in value.operands)


def _sums_to_one(node: Node, network: Network) -> str | None:
    """Tell along which axis a matrix's entries sum to 1, at a point; None if along neither."""
    try:
        values = [evaluate(node, point) for point in points(EXACT, network, (), 1)]
    except (CostError, RetryError, NotImplementedError):  # too large, at a pole, or of an unknown function: untold
        return None
    ways = (("ij->i", ROWS), ("ij->j", COLUMNS))
    return next((way for value in values for spec, way in ways if _are_one(einsum(spec, [value]))), None)


def _are_one(sums: Number) -> bool:
    return sums.same(number(np.ones(sums.shape, np.int64), exact=True))


def _is_log(node: Node) -> bool:
    return isinstance(node, Apply) and node.op.name == table.LOG


def with_target_domains(network: Network, told: Collection[Var] = ()) -> tuple[Network, dict[Var, Var]]:
    """Return the network with what its loss says of its targets, and the variables that this replaced."""
    domains = target_domains(network, told)
    swapped = tuple(replace(d, value=substitute(d.value, domains)) for d in network.definitions)
    words = {"onehot": "is one-hot: the entries of a sample sum to 1", "binary": "is 0 or 1",
             "simplex": "sums to 1 for each sample"}  # fmt: skip
    notes = tuple(f"${v.latex}$ {words[v.domain.split()[0]]}" for v in domains.values() if v.domain != "real")
    notes += tuple(f"{UNTOLD_AXIS} ${v.latex}$" for old, v in domains.items() if v.domain == "real" != old.domain)
    return replace(network, definitions=swapped, assumptions=(*network.assumptions, *notes)), domains
