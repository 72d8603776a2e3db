r"""From one sample to a mini-batch: every value that depends on the data gets one column a sample.

A vector becomes a matrix of columns, a scalar a row, a row vector a matrix of rows; parameters stay as they are.
The loss of the batch is the mean of the samples' losses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from derive.errors import ModelError
from derive.expr import Apply, Node, Var, ones, product, variables
from derive.model import Definition, Network, free_variables, restricted, trained, upstream
from derive.notation import batch_name, delta_name
from derive.ops.reduction import mean, total
from derive.shapes import ROW, Shape, Size, show_shape, size


def batched(network: Network, samples: str = "N") -> Network:
    r"""Return the model over a mini-batch, one sample a column.

    Args:
        network: A model of one sample, ending in a scalar loss.
        samples: Name of the number of samples; primed if the model has a size of this name.
    Raises:
        ModelError: there is no loss, or a value of one sample is a matrix.
    """
    if network.loss is None:
        raise ModelError(f"{network.title}: there is no loss to average over a batch; add one, such as L = ...")
    network = restricted(network, network.loss)
    count = _fresh_size(network, samples)
    data = [name for name in free_variables(network) if name not in trained(network)]
    per_sample = upstream(network, data)
    columns = _column_names(network, per_sample, count)
    definitions = [_lift_definition(item, columns, count) for item in network.definitions]
    loss = _fresh_name(network, ("J", r"\bar{L}", r"\mathcal{J}"))
    assert network.loss is not None
    definitions.append(Definition(loss, mean(columns.get(network.loss, network.loss))))
    cotangents = {
        columns[v]: delta_name(v.latex, batch=True)
        for v, name in network.cotangents.items()
        if v in columns and name.startswith(r"\delta")
    }
    return replace(
        network, definitions=tuple(definitions), loss=loss, samples=count, cotangents=cotangents,
        parameters=trained(network),
    )  # fmt: skip


def _fresh_size(network: Network, name: str) -> Size:
    taken = {str(symbol) for item in network.definitions for symbol in item.value.free_symbols | item.name.free_symbols}
    return size(next(word for word in (name, "N_b", "batch", f"{name}'") if word not in taken))


def _fresh_name(network: Network, candidates: Iterable[str]) -> Var:
    taken = {name.latex for name in _all_names(network)}
    return Var(next(word for word in candidates if word not in taken))


def _all_names(network: Network) -> list[Var]:
    return [*(item.name for item in network.definitions), *free_variables(network)]


def _column_names(network: Network, per_sample: set[Var], count: Size) -> dict[Var, Var]:
    names = _all_names(network)
    taken = {name.latex for name in names if name not in per_sample}
    columns: dict[Var, Var] = {}
    for name in names:
        if name not in per_sample:
            continue
        latex = name.latex if name == network.loss else batch_name(name.latex)
        latex = latex if latex not in taken else rf"\mathbf{{{latex}}}"
        taken.add(latex)
        columns[name] = Var(latex, lifted_shape(name, count), name.domain)
    return columns


def lifted_shape(name: Var, count: Size) -> Shape:
    """Return the shape of all samples' values: columns for a vector, a row for a scalar, rows for a row."""
    shape = name.shape
    if not shape:
        return (ROW, count)
    if len(shape) == 1:
        return (shape[0], count)
    if shape[0] == ROW:
        return (count, shape[1])
    raise ModelError(
        f"{name.latex}: a sample's value is {show_shape(shape)}; mini-batches need vectors or scalars. "
        "Write the model for the whole batch, with the samples as columns"
    )


def _lift_definition(item: Definition, columns: dict[Var, Var], count: Size) -> Definition:
    return replace(item, name=columns.get(item.name, item.name), value=_lift(item.value, columns, count))


def _lift(node: Node, columns: dict[Var, Var], count: Size) -> Node:
    if isinstance(node, Var):
        return columns.get(node, node)
    if not isinstance(node, Apply):
        return node
    depends = [any(name in columns for name in variables(operand)) for operand in node.operands]
    if not any(depends):
        return node
    lifted = [_lift(operand, columns, count) for operand in node.operands]
    if node.op.body is not None or node.op.prime:
        return _lift_elementwise(node, lifted, depends, count)
    if len(lifted) == 2:
        return _lift_product(node, lifted, depends)
    if node.op.reduce or node.op.define is not None:
        return _lift_reduction(node, lifted[0])
    return Apply(node.args[0], *lifted, *node.params)


def _lift_elementwise(node: Apply, lifted: list[Node], depends: list[bool], count: Size) -> Node:
    """Repeat what does not depend on the sample along the columns: b becomes b 1ᵀ."""
    spread = []
    for operand, new, batched_ in zip(node.operands, lifted, depends, strict=True):
        if not batched_ and operand.shape:
            new = product(new, ones(count).T) if operand.shape[0] != ROW else product(ones(count), new)
        elif batched_ and not operand.shape and node.shape:
            new = product(ones(node.shape[0]), new) if node.shape[0] != ROW else product(new.T, ones(node.shape[1]).T)
        spread.append(new)
    return Apply(node.args[0], *spread, *node.params)


def _lift_product(node: Apply, lifted: list[Node], depends: list[bool]) -> Node:
    (left, right), (new_left, new_right) = node.operands, lifted
    row_left = left.shape[0] == ROW
    if all(depends):
        if row_left and len(right.shape) == 1:
            return total(new_left.T * new_right, 0)
    elif depends[1] and len(right.shape) == 1:
        return product(new_left, new_right)
    elif depends[0] and row_left:
        result = product(new_left, new_right)
        return result.T if len(result.shape) == 1 else result
    raise ModelError(
        f"a product of {show_shape(left.shape)} and {show_shape(right.shape)} gives a matrix for every sample; "
        "write the model for the whole batch, with the samples as columns"
    )


def _lift_reduction(node: Apply, new: Node) -> Node:
    operand = node.operands[0]
    if not operand.shape:
        return Apply(node.args[0], new, *node.params)
    axis = 1 if operand.shape[0] == ROW else 0
    result = Apply(node.args[0], new, axis)
    return result.T if axis == 1 and len(result.shape) == 1 else result
