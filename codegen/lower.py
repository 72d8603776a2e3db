r"""From a `Derivation` to a `Program`: every equation as statements over labelled axes.

A node is lowered towards given labels, one per axis: a transpose only permutes them, ones vanish, products that
share no summed label are entry by entry, and only a sum, a maximum or a product over an axis needs a statement
of its own. Batch first: whatever has one entry a sample lies in memory with one row a sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import reduce

import sympy

from codegen.names import model_names
from codegen.passes.stable import stabilise
from codegen.program import (
    BATCH,
    Body,
    Call,
    Contract,
    Map,
    Number,
    Program,
    Reduce,
    Ref,
    Samples,
    Statement,
    Value,
    labels_of,
)
from codegen.scope import Scope
from codegen.sizes import Sizes
from codegen.written import lower_number, write_out
from derive.derivation import Derivation, Equation
from derive.expr import Apply, Const, Node, Var
from derive.ops import table
from derive.printer import equation_latex
from derive.shapes import ROW

ONE = Number(Fraction(1))


def lower(
    derivation: Derivation,
    sizes: Sizes,
    dtype: str = "float32",
    outputs: Sequence[Var] = (),
    single: bool = False,
) -> Program:
    """Lower a record to a program.

    Args:
        derivation: Equations of a mini-batch, or of one sample.
        sizes: Numbers for the sizes; the number of samples stays open.
        dtype: `float32` or `float64`.
        outputs: What must be computed; the loss and all gradients if empty.
        single: Compute one sample with the equations of a batch.
    Raises:
        UnboundSizeError: a size has no number.
        UnsupportedOpError: an operation has nothing to compute it with.
    """
    equations, _ = stabilise(derivation.equations)
    state = _start(derivation, sizes, single)
    _declare(state, derivation, equations)
    statements = [s for e in equations if e.role != "update" for s in lower_equation(state, e)]
    updates = [s for e in equations if e.role == "update" for s in lower_equation(state, e)]
    wanted = [state.names[name] for name in outputs] or _default_outputs(state)
    return Program(
        derivation.title, dtype, state.values, tuple(statements), tuple(updates),
        {e.id: equation_latex(e.name, e.value) for e in derivation.equations}, sizes.named(), tuple(wanted),
        {state.names[e.of]: state.names[e.name] for e in equations if e.role == "gradient" and e.of is not None},
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
    state.equation, state.labels, state.statements = equation, {}, []
    labels = tuple(state.label(length) for length in state.axes(equation.name.shape))
    body = lower_node(state, equation.value, labels)
    out = state.refer(equation.name, labels)
    last = state.statements[-1] if state.statements else None
    if isinstance(body, Ref) and last is not None and last.out == body and body.labels == out.labels:
        del state.values[body.name]
        return [*state.statements[:-1], _rename(last, out)]
    return [*state.statements, Map(out, body, equation.id)]


def _rename(statement: Statement, out: Ref) -> Statement:
    if isinstance(statement, Contract):
        return Contract(out, statement.a, statement.b, statement.eq)
    if isinstance(statement, Reduce):
        return Reduce(out, statement.op, statement.over, statement.body, statement.eq)
    return Map(out, statement.body, statement.eq)


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
    if row.spec is not None and not row.reduce:
        return _product(state, node, labels)
    if row.reduce:
        return _reduction(state, node, labels)
    written = write_out(state, node, row)
    if written is not None:
        return lower_node(state, written, labels)
    args = tuple(lower_node(state, operand, labels if operand.shape else ()) for operand in node.operands)
    return Call(row.name, args)


def _product(state: Scope, node: Apply, labels: tuple[str, ...]) -> Body:
    """Lower a contraction: operands towards the labels of its einsum."""
    assert node.op.spec is not None
    left, right = node.op.spec(tuple(operand.shape for operand in node.operands), *node.params).split("->")
    lengths = _lengths(left.split(","), node.operands)
    kept = [letter for letter in right if state.axes((lengths[letter],))]
    bound = dict(zip(kept, labels, strict=True))
    summed = {k: state.label(v) for k, v in lengths.items() if k not in right and state.axes((v,))}
    bound |= summed
    bodies = [
        lower_node(state, operand, tuple(bound[letter] for letter in letters if letter in bound))
        for letters, operand in zip(left.split(","), node.operands, strict=True)
    ]
    return contract(state, bodies, tuple(summed.values()))


def _lengths(letters: list[str], operands: tuple[Node, ...]) -> dict[str, sympy.Expr]:
    """Return the size of each letter of an einsum."""
    shapes = [tuple(length for length in operand.shape if length != ROW) for operand in operands]
    return {k: v for word, shape in zip(letters, shapes, strict=True) for k, v in zip(word, shape, strict=True)}


def contract(state: Scope, bodies: list[Body], summed: tuple[str, ...]) -> Body:
    """Return the sum over labels of a product of bodies."""
    shared = [label for label in summed if all(label in labels_of(body) for body in bodies)]
    if len(bodies) != 2 or not summed or shared != list(summed):
        return add_up(state, table.SUM, multiply(*bodies), summed)
    (factor_a, a), (factor_b, b) = (_materialise(state, body) for body in bodies)
    out = state.temp(dict.fromkeys(label for label in (*a.labels, *b.labels) if label not in summed))
    state.statements.append(Contract(out, a, b, state.eq))
    return multiply(factor_a, factor_b, out)


def _materialise(state: Scope, body: Body) -> tuple[Body, Ref]:
    """Return a number in front and a reference; a body that is neither, or a diagonal, gets its own statement."""
    if isinstance(body, Ref) and len(set(body.labels)) == len(body.labels):
        return ONE, body
    if isinstance(body, Call) and body.op == table.MUL and not labels_of(body.args[0]):
        factor, ref = _materialise(state, body.args[1])
        return multiply(body.args[0], factor), ref
    out = state.temp(_in_order(state, labels_of(body)))
    state.statements.append(Map(out, body, state.eq))
    return ONE, out


def _in_order(state: Scope, labels: Iterable[str]) -> list[str]:
    kept = set(labels)
    return [label for label in state.labels if label in kept]


def multiply(*bodies: Body) -> Body:
    """Return a product, without factors of one.

    >>> multiply(ONE, Ref("x", ("i",)), ONE)
    Ref(name='x', labels=('i',))
    """
    factors = [body for body in bodies if body != ONE]
    return reduce(lambda a, b: Call(table.MUL, (a, b)), factors) if factors else ONE


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
    return add_up(state, node.op.name, lower_node(state, operand, tuple(inner)), tuple(summed))


def add_up(state: Scope, op: str, body: Body, summed: tuple[str, ...]) -> Body:
    """Return the reduction of a body over labels; a label that it lacks multiplies a sum by its size."""
    present = labels_of(body)
    over = tuple(label for label in summed if label in present)
    counts = [_count(state, label) for label in summed if label not in present] if op == table.SUM else []
    if not over:
        return multiply(*counts, body)
    out = state.temp(_in_order(state, present - set(over)))
    state.statements.append(Reduce(out, op, over, body, state.eq))
    return multiply(*counts, out)


def _count(state: Scope, label: str) -> Body:
    size = state.labels[label]
    if size == BATCH:
        return Samples()
    return Number(Fraction(size if isinstance(size, int) else state.sizes.named()[size]))
