r"""From a `Derivation` to a `Program`: every equation as statements over labelled axes.

A node is lowered towards given labels, one per axis: a transpose only permutes them, ones vanish, products that
share no summed label are entry by entry, and only a sum, a maximum or a product over an axis needs a statement
of its own. Batch first: whatever has one entry a sample lies in memory with one row a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import sympy

from codegen.deltas import ONE, Delta, Factor, compare, materialise, peaked, selected
from codegen.names import model_names
from codegen.products import add_up, contract
from codegen.program import (
    BATCH,
    Body,
    Call,
    Lookup,
    Map,
    Number,
    Pick,
    Position,
    Program,
    Ref,
    Scatter,
    Statement,
    Value,
    Whole,
)
from codegen.scope import Scope
from codegen.sizes import Sizes
from codegen.written import lower_number, no_code, write_out
from derive.derivation import Derivation, Equation
from derive.expr import Apply, Const, Node, Var
from derive.ops import table
from derive.printer import equation_latex
from derive.shapes import ROW
from derive.stable.rewrite import Stable, stabilise


def lower(
    derivation: Derivation,
    sizes: Sizes,
    dtype: str = "float32",
    outputs: Sequence[Var] = (),
    single: bool = False,
    as_written: bool = False,
) -> Program:
    """Lower a record to a program.

    Args:
        derivation: Equations of a mini-batch, or of one sample.
        sizes: Numbers for the sizes; the number of samples stays open.
        dtype: `float32` or `float64`.
        outputs: What must be computed; the loss and all gradients if empty.
        single: Compute one sample with the equations of a batch.
        as_written: Rewrite nothing into a stable form.
    Raises:
        UnboundSizeError: a size has no number.
        UnsupportedOpError: an operation has nothing to compute it with.
    """
    stable = Stable(derivation.equations, ()) if as_written else stabilise(derivation)
    equations = stable.equations
    state = _start(derivation, sizes, single)
    _declare(state, derivation, equations)
    statements = [s for e in equations if e.role != "update" for s in lower_equation(state, e)]
    updates = [s for e in equations if e.role == "update" for s in lower_equation(state, e)]
    wanted = [state.names[name] for name in outputs] or _default_outputs(state)
    return Program(
        derivation.title, dtype, state.values, tuple(statements), tuple(updates),
        {e.id: equation_latex(e.name, e.value) for e in derivation.equations}, sizes.named(), tuple(wanted),
        {state.names[e.of]: state.names[e.name] for e in equations if e.role == "gradient" and e.of is not None},
        stable.names,
    )  # fmt: skip


def _default_outputs(state: Scope) -> list[str]:
    return [value.name for value in state.values.values() if value.role in ("loss", "gradient")]


def _start(derivation: Derivation, sizes: Sizes, single: bool) -> Scope:
    known = {e.value: e.name for e in derivation.equations if isinstance(e.value, Apply) and e.role == "definition"}
    return Scope(sizes, derivation.samples, single, model_names(derivation), known)


def _declare(state: Scope, derivation: Derivation, equations: tuple[Equation, ...]) -> None:
    """Enter what is given, then what is computed."""
    computed = {e.name: e.role for e in equations if e.role != "update"}
    updated = {e.name for e in equations if e.role == "update"}
    roles = dict.fromkeys(derivation.data, "data") | dict.fromkeys(derivation.parameters, "parameter")
    roles |= {name: "state" for name in updated if name not in roles} | computed
    for name in state.names:
        role = roles.get(name, "rate")
        sizes = [state.size(length) for length in state.axes(name.shape)]
        order = tuple(sorted(range(len(sizes)), key=lambda k: sizes[k] != BATCH))
        state.values[state.names[name]] = Value(
            state.names[name], name.latex, tuple(sizes[k] for k in order), role, order
        )


def lower_equation(state: Scope, equation: Equation) -> list[Statement]:
    """Return the statements of one equation, the last of which computes its name."""
    state.eq, state.latex, state.labels, state.statements = equation.id, equation.name.latex, {}, []
    labels = tuple(state.label(length) for length in state.axes(equation.name.shape))
    body = lower_node(state, equation.value, labels)
    out = state.refer(equation.name, labels)
    last = state.statements[-1] if state.statements else None
    if isinstance(body, Ref) and last is not None and last.out.name == body.name and _fits(last, body, out):
        del state.values[body.name]
        return [*state.statements[:-1], _rename(last, body, out)]
    return [*state.statements, Map(out, body, equation.id)]


def _fits(last: Statement, body: Ref, out: Ref) -> bool:
    """Tell whether a statement may compute the name itself, its axes in another order where labels can say so."""
    if isinstance(last, Whole):
        return body.labels == out.labels
    permuted = len(body.labels) == len(out.labels) and set(body.labels) == set(out.labels)
    return permuted and (isinstance(last, Scatter) or last.out == body)


def _rename(statement: Statement, body: Ref, out: Ref) -> Statement:
    if isinstance(statement, Scatter):
        index = dict(zip(body.labels, statement.out.index, strict=True))
        return replace(statement, out=Pick(out.name, tuple(index[label] for label in out.labels)))
    return replace(statement, out=out)


def lower_node(state: Scope, node: Node, labels: tuple[str, ...]) -> Body:
    """Return a node as a body over the given labels, one per axis of the node; emits what must come before."""
    if isinstance(node, Var):
        return state.refer(node, labels)
    if isinstance(node, Const):
        return lower_number(state, node.value)
    assert isinstance(node, Apply)
    row = node.op
    if row.name == table.ONES:
        return ONE
    if _moves(node):
        return contract(state, lower_factors(state, node, labels), (), labels)
    if row.spec is not None and not row.reduce:
        factors, summed = _product(state, node, labels)
        return contract(state, factors, summed, labels)
    if row.reduce:
        return _reduction(state, node, labels)
    if row.value is not None and row.body is None:
        return _whole(state, node, labels)
    written = write_out(state, node, row)
    if written is not None:
        return lower_node(state, written, labels)
    args = tuple(lower_node(state, operand, labels if operand.shape else ()) for operand in node.operands)
    return Call(row.name, args)


def _moves(node: Node) -> bool:
    """Tell whether a node is zeros and ones that move entries, or a product with such a factor."""
    if not isinstance(node, Apply):
        return False
    if node.op.name in (table.SELECTION, table.ONE_HOT, table.PEAK):
        return True
    if node.op.name in (table.MUL, table.NEG, table.TRANSPOSE):
        return any(map(_moves, node.operands))
    return node.op.name == table.DIV and _moves(node.operands[0])


def lower_factors(state: Scope, node: Node, labels: tuple[str, ...]) -> list[Factor]:
    """Return a node as factors of which the product is meant: zeros and ones that move entries stay apart."""
    if not isinstance(node, Apply) or not _moves(node):
        return [lower_node(state, node, labels)]
    first = node.operands[0] if node.operands else node
    if node.op.name == table.SELECTION:
        return [selected(state, node, labels)]
    if node.op.name == table.ONE_HOT:
        index = lower_node(state, first, labels[: len(state.axes(first.shape))])
        return [_looked_up(state, node, index, labels)]
    if node.op.name == table.PEAK:
        axis = int(node.params[0]) if node.params else None
        over = [label for k, label in _with_axes(state, first, labels) if axis is None or k == axis]
        return [peaked(state, lower_node(state, first, labels), tuple(dict.fromkeys(over)))]
    if node.op.name == table.TRANSPOSE:
        factors, _ = _product(state, node, labels)
        return factors
    if node.op.name == table.DIV:
        below = lower_node(state, node.operands[1], labels if node.operands[1].shape else ())
        return [*lower_factors(state, first, labels if first.shape else ()), Call(table.DIV, (ONE, below))]
    parts = [lower_factors(state, operand, labels if operand.shape else ()) for operand in node.operands]
    if node.op.name == table.NEG:
        return [Number(Fraction(-1)), *parts[0]]
    return [*parts[0], *parts[1]]


def _with_axes(state: Scope, node: Node, labels: tuple[str, ...]) -> list[tuple[int, str]]:
    """Return the axes of a node along which an index runs, each with its label."""
    kept = [k for k, length in enumerate(node.shape) if state.axes((length,))]
    return list(zip(kept, labels, strict=True))


def _looked_up(state: Scope, node: Apply, index: Body, labels: tuple[str, ...]) -> Factor:
    """Return a one-hot row as a factor."""
    along = labels[-1:] if state.axes(node.shape[1:]) else ()
    if not along:
        return compare(index, Number(Fraction(0)))
    if not isinstance(index, Ref):
        index = materialise(state, index)
    return Delta(along[0], Lookup(index)) if along[0] not in index.labels else compare(Position(along[0]), index)


def _product(state: Scope, node: Apply, labels: tuple[str, ...]) -> tuple[list[Factor], tuple[str, ...]]:
    """Return the factors of a contraction, operands towards the labels of its einsum, and the labels summed."""
    assert node.op.spec is not None
    left, right = node.op.spec(tuple(operand.shape for operand in node.operands), *node.params).split("->")
    lengths = _lengths(left.split(","), node.operands)
    kept = [letter for letter in right if state.axes((lengths[letter],))]
    bound = dict(zip(kept, labels, strict=True))
    summed = {k: state.label(v) for k, v in lengths.items() if k not in right and state.axes((v,))}
    bound |= summed
    factors = [
        factor
        for letters, operand in zip(left.split(","), node.operands, strict=True)
        for factor in lower_factors(state, operand, tuple(bound[letter] for letter in letters if letter in bound))
    ]
    return factors, tuple(summed.values())


def _lengths(letters: list[str], operands: tuple[Node, ...]) -> dict[str, sympy.Expr]:
    """Return the size of each letter of an einsum."""
    shapes = [tuple(length for length in operand.shape if length != ROW) for operand in operands]
    return {k: v for word, shape in zip(letters, shapes, strict=True) for k, v in zip(word, shape, strict=True)}


def _reduction(state: Scope, node: Apply, labels: tuple[str, ...]) -> Body:
    """Lower a reduction along an axis, or over all."""
    (operand,) = node.operands
    axis = int(node.params[0]) if node.params else None
    kept = iter(labels)
    inner, summed = [], []
    for k, length in enumerate(operand.shape):
        if not state.axes((length,)):
            continue
        if axis is None or k == axis:
            summed.append(state.label(length))
        inner.append(summed[-1] if axis is None or k == axis else next(kept))
    if node.op.name == table.SUM and _moves(operand):
        return contract(state, lower_factors(state, operand, tuple(inner)), summed, labels)
    return add_up(state, node.op.name, lower_node(state, operand, tuple(inner)), tuple(summed))


def _whole(state: Scope, node: Apply, labels: tuple[str, ...]) -> Body:
    """Lower an operation on whole arrays: its operands lie as they are, its result in a value of its own."""
    if not (node.op.numpy or node.op.c):
        raise no_code(state, node)
    args = []
    for operand in node.operands:
        inner = tuple(state.label(length) for length in state.axes(operand.shape))
        if len(inner) < 2:
            raise no_code(state, node)
        body = lower_node(state, operand, inner)
        lies = isinstance(body, Ref) and body.labels == inner
        args.append(body if lies and isinstance(body, Ref) else materialise(state, body, order=inner))
    own = tuple(state.label(length) for length in state.axes(node.shape))
    out = state.temp(own)
    state.statements.append(Whole(out, node.op.name, tuple(args), state.eq))
    return Ref(out.name, tuple(labels[own.index(label)] for label in out.labels))
