"""A record with the stable forms of its equations, and what was rewritten, each as a step with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from derive.derivation import Derivation, Equation, Step
from derive.expr import Apply, Node, Var, substitute, variables, walk
from derive.stable.backward import stable_backward
from derive.stable.rules import REWRITES

FORWARD = ("definition", "loss")
SHIFT = ("shift by the largest entry", r"e^{z_i} / e^{z_j} = e^{z_i - m} / e^{z_j - m},\ m = \max z")
DERIVATIVE = ("gradient of the stable form", r"f = g \Rightarrow \nabla f = \nabla g")


@dataclass(frozen=True, slots=True)
class Form:
    """A stable form in use: in the equation numbered so, the step's `after` is computed in place of its `before`.

    `name` is what the equation defines, where all of its right side is replaced.
    """

    equation: str
    step: Step
    name: Var | None = None


@dataclass(frozen=True, slots=True)
class Stable:
    """The equations that code computes, and the forms that tell them from the record's."""

    equations: tuple[Equation, ...]
    forms: tuple[Form, ...]

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """The names of the rewrites in each equation, by its number."""
        found: dict[str, dict[str, None]] = {}
        for form in self.forms:
            found.setdefault(form.equation, {})[form.step.rule] = None
        return {number: tuple(names) for number, names in found.items()}


@dataclass(slots=True)
class _Settling:
    """The state of one pass over the equations: values behind names, and the steps of the equation at hand."""

    values: dict[Var, Node] = field(default_factory=dict)
    steps: dict[Step, None] = field(default_factory=dict)

    def look(self, node: Node) -> Node:
        """Return the value behind a name, as it was rewritten; other nodes as they are."""
        return self.values.get(node, node) if isinstance(node, Var) else node

    def settle(self, node: Node) -> Node:
        """Return a node in its stable form, operands first; names are looked through."""
        if isinstance(node, Apply):
            operands = tuple(map(self.settle, node.operands))
            node = node if operands == node.operands else Apply(node.args[0], *operands, *node.params)
        for rewrite in REWRITES:
            found = rewrite.form(node, self.look)
            if found is not None:
                self.steps[Step(rewrite.name, node, found, rewrite.because)] = None
                return self.settle(found)
        return node

    def shifts(self, value: Node) -> None:
        """Note the operations that are themselves computed in a stable form, but for those that a rewrite names."""
        named = {step.after for step in self.steps}
        for part in walk(value):
            if isinstance(part, Apply) and part.op.stable is not None and part not in named and part.op.define:
                before, after = (f(*part.operands, *map(int, part.params)) for f in (part.op.define, part.op.stable))
                self.steps[Step(SHIFT[0], before, after, SHIFT[1])] = None


def stabilise(derivation: Derivation) -> Stable:
    """Return what code computes for a record: every right side in its stable form.

    A gradient that would divide by what rounding makes 0 or infinite is replaced by the derivative of the stable
    forms. Forms are told of equations that the loss, a gradient or an update needs.
    """
    state = _Settling()
    settled = tuple(_settled(state, equation) for equation in derivation.equations)
    forms = [Form(e.id, step) for e, steps in settled if e.role in FORWARD for step in steps]
    looked = _looked_through(forms, derivation)
    equations = tuple(equation for equation, _ in settled)
    if forms:
        equations = stable_backward(derivation, equations, looked, state.look)
    for old, new, (equation, steps) in zip(derivation.equations, equations, settled, strict=True):
        if new != equation:
            forms.append(Form(old.id, Step(DERIVATIVE[0], old.value, new.value, DERIVATIVE[1]), old.name))
        elif old.role not in FORWARD:
            forms += [Form(old.id, step) for step in steps]
    needed = _needed(derivation, equations)
    return Stable(equations, tuple(form for form in forms if form.equation in needed))


def _settled(state: _Settling, equation: Equation) -> tuple[Equation, tuple[Step, ...]]:
    state.steps = {}
    value = state.settle(equation.value)
    state.shifts(value)
    if equation.role != "update":
        state.values[equation.name] = value
    return replace(equation, value=value), tuple(state.steps)


def _looked_through(forms: list[Form], derivation: Derivation) -> frozenset[Var]:
    """Return the names whose values took their place somewhere: what hangs on them has changed."""
    defined = {e.name for e in derivation.equations}
    gone = (set(variables(form.step.before)) - set(variables(form.step.after)) for form in forms)
    return frozenset(name for names in gone for name in names if name in defined)


def _needed(derivation: Derivation, equations: tuple[Equation, ...]) -> set[str]:
    """Return the numbers of the equations that the results need; all, where there are no results."""
    ends = ("loss", "gradient", "update")
    if not any(equation.role in ends for equation in equations):
        return {equation.id for equation in equations}
    names: set[Var] = set()
    found: set[str] = set()
    for equation in reversed(equations):
        if equation.role in ends or equation.name in names:
            found.add(equation.id)
            names.update(variables(equation.value))
    return found


def closed(node: Node, values: Mapping[Var, Node], kept: Callable[[Var], bool]) -> Node:
    """Return a node with names replaced by their values until only those remain that are kept, or have no value."""
    while True:
        names = {name: values[name] for name in variables(node) if name in values and not kept(name)}
        if not names:
            return node
        node = substitute(node, names)
