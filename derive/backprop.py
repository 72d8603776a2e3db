"""The reverse sweep: from named equations to the cotangent of every name, one chain-rule step at a time.

Names are never inlined except where a textbook does it: the cotangent of an activation into the δ below it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from derive.derivation import Derivation, Equation, Step
from derive.errors import MissingRuleError, ModelError
from derive.expr import Apply, Const, Node, Var, substitute, variables, walk
from derive.model import Definition, Network, free_variables, outputs, restricted, trained, upstream
from derive.notation import delta_name, derivative_name
from derive.op import Op
from derive.ops import table
from derive.ops.reduction import total
from derive.printer import to_latex
from derive.simplify import Known, simplify
from derive.structure import projected
from derive.tidy import constant, is_eye, is_op, split_number, tidy

LEARNING_RATE = Var(r"\alpha")


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one equation hands to the cotangent of a name that it uses."""

    value: Node
    through: Definition
    passed: tuple[tuple[Op, int], ...]


@dataclass
class _Sweep:
    """The state of one sweep: contributions so far, and the cotangents found."""

    network: Network
    wanted: set[Var]
    names: dict[Var, Var]
    activations: dict[Var, Definition]
    found: dict[Var, Node] = field(default_factory=dict)
    contributions: dict[Var, list[Contribution]] = field(default_factory=dict)

    @cached_property
    def known(self) -> Known:
        """What the simplification of any equation may use."""
        return Known({item.name: item.value for item in self.network.definitions})


def derive_gradients(
    network: Network, wanted: tuple[Var, ...] | None = None, prefix: str = "", first: int = 1
) -> Derivation:
    r"""Derive the cotangent of every name between the parameters and the loss.

    Args:
        network: Ends in a scalar loss; without one, the cotangents of its outputs are given names of their own.
        wanted: Free variables to differentiate by; the parameters if None.
        prefix: Put before each equation's number.
        first: Number of the first equation.
    Returns:
        Forward equations, cotangents from the loss backward, one gradient per wanted variable (in the shape of
        the variable), and the gradient-descent updates.
    Raises:
        ModelError: the loss is no scalar, or depends on no parameter.
        MissingRuleError: an operation has no derivative rule.
    Source: Goodfellow, Bengio and Courville 2016, section 6.5.
    """
    network = network if network.loss is None else restricted(network, network.loss)
    leaves = trained(network) if wanted is None else wanted
    if network.loss is not None and network.loss.shape:
        raise ModelError(f"the loss {network.loss.latex} is no scalar; sum it or take its mean")
    reach = upstream(network, leaves)
    ends = (network.loss,) if network.loss is not None else tuple(v for v in outputs(network) if v in reach)
    if not leaves or not any(end in reach for end in ends):
        given = ", ".join(name.latex for name in leaves) or "any parameter"
        end = ", ".join(name.latex for name in outputs(network)) if network.loss is None else network.loss.latex
        raise ModelError(f"{network.title}: nothing to differentiate by; {end or 'nothing'} does not depend on {given}")
    sweep = _Sweep(network, reach, cotangent_names(network, reach), activations(network))
    seeds = _seed(sweep, ends)
    backward = [equation for item in reversed(network.definitions) for equation in _descend(sweep, item)]
    gradients = [_equation(sweep, leaf, "gradient") for leaf in leaves if leaf in sweep.contributions]
    updates = _updates(gradients) if len(network.definitions) > 1 else []  # a loss alone has nothing to train
    equations = [*_forward(network), *backward, *gradients, *updates]
    return Derivation(
        network.title,
        tuple(replace(equation, id=f"{prefix}{k}") for k, equation in enumerate(equations, first)),
        network.loss,
        tuple(leaves),
        tuple(name for name in free_variables(network) if name not in leaves),
        seeds,
        _assumptions(network, equations, reach),
        network.samples,
    )


def cotangent_names(network: Network, reach: set[Var]) -> dict[Var, Var]:
    """Return the variable that stands for each name's cotangent: δ for what goes into an activation, else ∂L/∂v."""
    loss = network.loss.latex if network.loss is not None else "L"
    names: dict[Var, Var] = {}
    applied = activations(network)
    defined = {item.name for item in network.definitions}
    taken: set[str] = set(network.cotangents.values())
    for name in [*(item.name for item in network.definitions), *free_variables(network)]:
        if name not in reach:
            continue
        delta = delta_name(name.latex, network.samples is not None)
        latex = network.cotangents.get(name) or derivative_name(loss, name.latex)
        if name not in network.cotangents and name in applied and name in defined and delta not in taken:
            latex = delta
        taken.add(latex)
        names[name] = Var(latex, name.shape)
    return names


def _assumptions(network: Network, equations: list[Equation], reach: set[Var]) -> tuple[str, ...]:
    taken = [a for e in equations for step in e.steps for a in step.assumptions]
    return tuple(dict.fromkeys([*network.assumptions, *taken, *conventions(network, reach)]))


BY_INDEX = "where no matrix form exists, entries are shown; indices count from 0, and entries outside of a tensor are 0"


def conventions(network: Network, reach: set[Var]) -> Iterator[str]:
    """Say which subgradient is taken at the kinks of what is differentiated, and how indices are meant."""
    seen: set[str] = set()
    for item in network.definitions:
        for node in walk(item.value) if item.name in reach else ():
            if not isinstance(node, Apply) or node.op.name in seen:
                continue
            seen.add(node.op.name)
            if node.op.kink and reach.intersection(variables(node)):
                yield f"at a kink of ${to_latex(node)}$ a subgradient is taken: {node.op.kink}"
            if is_op(node, table.SELECTION) and not is_eye(node):
                yield BY_INDEX


def activations(network: Network) -> dict[Var, Definition]:
    """Return the equations that only apply a function to a name (`a = σ(z)`), by that name."""
    found: dict[Var, Definition] = {}
    for item in network.definitions:
        name = _activated(item.value)
        if name is not None:
            found.setdefault(name, item)
    return found


def _activated(value: Node) -> Var | None:
    """Return the name to which an expression applies a function, entry by entry or to the whole; else None."""
    if not isinstance(value, Apply) or not (value.op.prime or value.op.define is not None):
        return None
    name, *constants = value.operands
    alone = isinstance(name, Var) and all(isinstance(part, Const) for part in constants)
    return name if isinstance(name, Var) and alone and value.shape == name.shape else None


def _seed(sweep: _Sweep, ends: tuple[Var, ...]) -> tuple[Var, ...]:
    if sweep.network.loss is not None:
        sweep.found[sweep.network.loss] = Const(1)
        return ()
    return tuple(sweep.names[end] for end in ends)


def _forward(network: Network) -> list[Equation]:
    roles = {True: "loss", False: "definition"}
    return [Equation("", item.name, item.value, roles[item.name == network.loss]) for item in network.definitions]


def _descend(sweep: _Sweep, item: Definition) -> Iterator[Equation]:
    """Finish the cotangent of a name, then hand it on to the names in its equation."""
    if item.name not in sweep.wanted:
        return
    if item.name in sweep.contributions:
        equation = _equation(sweep, item.name, "cotangent")
        sweep.found[item.name] = equation.value
        yield equation
    found = sweep.found.get(item.name)
    cotangent = found if found is not None and _is_plain(found) else sweep.names[item.name]
    for name, value, passed in pull_back(item.value, cotangent, sweep.wanted, item.name):
        sweep.contributions.setdefault(name, []).append(Contribution(tidy(value), item, passed))


def _is_plain(value: Node) -> bool:
    """Tell whether a cotangent is handed on as it is: a number, or a number times a name."""
    return constant(value) is not None or isinstance(split_number(value)[1], Var)


def pull_back(
    node: Node, cotangent: Node, wanted: set[Var], output: Node | None = None, passed: tuple[tuple[Op, int], ...] = ()
) -> Iterator[tuple[Var, Node, tuple[tuple[Op, int], ...]]]:
    """Yield each variable in a node, what the node's cotangent hands to it, and the operations and operands passed."""
    if isinstance(node, Var):
        if node in wanted:
            yield node, cotangent, passed
        return
    if not isinstance(node, Apply) or not wanted.intersection(variables(node)):
        return
    for k, operand in enumerate(node.operands):
        if not wanted.intersection(variables(operand)):
            continue
        if k >= len(node.op.vjp):
            raise MissingRuleError(
                f"{node.op.name} has no derivative for its operand {k + 1}; add it to its row in derive/ops/"
            )
        handed = node.op.vjp[k](cotangent, output or node, *node.operands, *node.params)
        yield from pull_back(operand, _unbroadcast(handed, operand), wanted, None, (*passed, (node.op, k)))


def _unbroadcast(handed: Node, operand: Node) -> Node:
    """Sum what a scalar beside a tensor was handed: the one place where broadcasting is undone."""
    return total(handed) if handed.shape and not operand.shape else handed


def _equation(sweep: _Sweep, name: Var, role: str) -> Equation:
    """Sum up the contributions to a name's cotangent, with steps: chain rule, insertion, simplification."""
    parts = sweep.contributions[name]
    value = parts[0].value
    for part in parts[1:]:
        value = tidy(value + part.value)
    target = sweep.names[name]
    steps = [_chain_step(target, value, parts)]
    steps += _insertion(sweep, name, value)
    steps += simplify(steps[-1].after, sweep.known)
    structured = projected(steps[-1].after, name)
    if structured is not None:  # the steps so far are of the gradient by independent entries
        after, because, assumption = structured
        free = Var(rf"\bar{{{name.latex}}}", name.shape)
        steps[0] = replace(steps[0], before=free)
        steps.append(Step("stay in the space of the variable", target, after, because, "srinivasan2023", (assumption,)))
    return Equation("", target, steps[-1].after, role, name, tuple(steps))


def _chain_step(target: Var, value: Node, parts: list[Contribution]) -> Step:
    through = ", ".join(dict.fromkeys(f"${part.through.name.latex}$" for part in parts))
    passed = dict.fromkeys(pair for part in parts for pair in part.passed if not _rearranges(pair[0]))
    reasons = [(op.reason(k), op.source) for op, k in passed]
    telling = [pair for pair in reasons if pair[0]][-1:] or [("", "")]
    return Step(f"chain rule through {through}", target, value, *telling[0])


def _rearranges(op: Op) -> bool:
    """Tell whether an operation only moves entries, such as a transpose: it explains nothing."""
    return op.spec is not None and len(op.vjp) == 1 and not op.reduce


def _insertion(sweep: _Sweep, name: Var, value: Node) -> list[Step]:
    """Insert the cotangent of an activation into the δ of what goes into it."""
    item = sweep.activations.get(name)
    if item is None or item.name not in sweep.found or len(sweep.contributions[name]) != 1:
        return []
    cotangent = sweep.names[item.name]
    inserted = tidy(substitute(value, {cotangent: sweep.found[item.name]}))
    return [Step(f"insert ${cotangent.latex}$", value, inserted)] if inserted != value else []


def _updates(gradients: list[Equation]) -> list[Equation]:
    return [
        Equation("", item.of, item.of - LEARNING_RATE * item.name, "update", item.of)
        for item in gradients
        if item.of is not None
    ]
