r"""Layers and time steps of which there are symbolically many: one body, derived once for every step.

The body turns what the step before carried over into what the next one takes. For an arbitrary cotangent of what it
hands on, the sweep through the body gives the cotangent of what it was given; shifted by one step, that is the
recursion. By induction from the last step down it holds at every step.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add

import sympy

from derive.backprop import derive_gradients
from derive.derivation import Derivation, Equation, Step
from derive.errors import ModelError
from derive.expr import Apply, Const, Node, Var, ones_like, rebuild, substitute, variables
from derive.model import Definition, Network, free_variables, is_data
from derive.notation import derivative_name, moved, runs, split_name
from derive.ops import table
from derive.ops.reduction import total
from derive.ops.series import series
from derive.shapes import Shape, show_shape
from derive.simplify import Known, simplify
from derive.tidy import is_op, tidy


def at_step(node: Node, letter: str, step: str) -> Node:
    """Return an expression with a letter at another step: in names, in sizes, and in sums over all steps."""

    def shape_at(shape: Shape) -> Shape:
        symbols = {s for length in shape if isinstance(length, sympy.Expr) for s in length.free_symbols}
        changed = {s: sympy.Symbol(moved(s.name, letter, step), integer=True, positive=True) for s in symbols}
        return tuple(length.xreplace(changed) if isinstance(length, sympy.Expr) else length for length in shape)

    def change(part: Node) -> Node | None:
        if isinstance(part, Var):
            return Var(moved(part.latex, letter, step), shape_at(part.shape), part.domain)
        if isinstance(part, Const):
            return Const(*shape_at((part.value,)))
        if isinstance(part, Apply) and not part.operands:
            return Apply(part.args[0], *shape_at(part.params))
        if is_op(part, table.SERIES) and str(part.params[1]) == letter and step.isdigit():
            (term,) = part.operands
            return reduce(add, (at_step(term, str(part.params[0]), str(k)) for k in range(1, int(step) + 1)))
        return None

    return rebuild(node, change)


@dataclass(slots=True)
class Recurrence:
    r"""A body that is repeated, and what follows the last step.

    Args:
        title: What the model is called.
        letter: The letter of a step, as in `z^{[l]}` or `h_t`.
        last: The last step; the first is 1.

    >>> from derive.expr import matrix, vector
    >>> from derive.ops.activation import tanh
    >>> net = Recurrence("Recurrent net", "t", "T")
    >>> before = net.carry("h_{t-1}", "h_t", ("n",))
    >>> z = net.define("z_t", matrix("W", "n", "n") @ before + matrix("U", "n", "d") @ vector("x_t", "d"))
    >>> h = net.define("h_t", tanh(z))
    >>> loss = net.conclude("L", total((net.final("h_T") - vector("y", "n")) ** 2))
    """

    title: str
    letter: str
    last: str
    body: list[Definition] = field(default_factory=list)
    head: list[Definition] = field(default_factory=list)
    carried: list[tuple[Var, str]] = field(default_factory=list)
    step_loss: Var | None = None

    def carry(self, before: str, after: str, shape: object) -> Var:
        """Say what a step takes over from the one before, and what it is called when the step hands it on."""
        name = self._at(Var(before, shape), self.letter)
        assert isinstance(name, Var)
        if not runs(name.latex, self.letter):
            raise ModelError(f"{before}: what a step takes over has the letter {self.letter} in its marks")
        self.carried.append((name, moved(after, self.letter, self.letter)))
        return name

    def define(self, name: str, value: Node) -> Var:
        """Add an equation of the body."""
        item = self._item_at(Definition(Var(name, value.shape), value), self.letter)
        known = {name for part in self.body for name in (part.name, *variables(part.value))}
        if item.name in known or item.name.latex in {part.name.latex for part in self.body}:
            raise ModelError(f"{name} is defined twice, or used before its equation; give each name one, in order")
        self.body.append(item)
        return item.name

    def each(self, name: str, value: Node) -> Var:
        """Add a scalar of the body that the loss sums over all steps."""
        if value.shape or self.step_loss is not None:
            raise ModelError(f"{name}: the loss of a step is one scalar")
        self.step_loss = self.define(name, value)
        return self.step_loss

    def final(self, name: str) -> Var:
        """Return what the last step hands on, by its name there."""
        for _, after in self.carried:
            if moved(after, self.letter, self.last) == name:
                return Var(name, self._at(self._handed_on(after), self.last).shape)
        known = ", ".join(moved(after, self.letter, self.last) for _, after in self.carried)
        raise ModelError(f"{self.title}: the last step hands on no {name}; it hands on {known or 'nothing'}")

    def conclude(self, name: str, value: Node) -> Var:
        """Add an equation that follows the last step; the last scalar is the loss."""
        variable = Var(name, value.shape)
        self.head.append(Definition(variable, value))
        return variable

    # ------------------------------------------------------------ steps
    def _handed_on(self, after: str) -> Var:
        found = next((item.name for item in self.body if item.name.latex == after), None)
        if found is None:
            raise ModelError(f"{self.title}: no equation of the body defines {after}, which it hands on")
        before = next(name for name, handed in self.carried if handed == after)
        below = self._at(found, f"{self.letter}-1")
        if below.shape != before.shape:
            met = f"{show_shape(before.shape)} and hands on {show_shape(below.shape)}"
            raise ModelError(f"{self.title}: a step takes over {met} as {before.latex}; make {after} the same shape")
        return found

    def _at(self, node: Node, step: str) -> Node:
        """Return an expression at another step."""
        return at_step(node, self.letter, step)

    def _item_at(self, item: Definition, step: str) -> Definition:
        name = self._at(item.name, step)
        assert isinstance(name, Var)
        return Definition(name, self._at(item.value, step))

    @property
    def loss(self) -> Var:
        """The loss; raises ModelError where there is none."""
        scalars = [item.name for item in self.head if not item.name.shape]
        if self.step_loss is not None:
            return Var("L")
        if not scalars:
            raise ModelError(f"{self.title}: there is no loss; conclude with a scalar, or add one for each step")
        return scalars[-1]

    def unrolled(self, steps: int) -> Network:
        """Return the network with a number of steps in place of the letter."""
        definitions = [self._item_at(item, str(k)) for k in range(1, steps + 1) for item in self.body]
        definitions += [
            Definition(item.name, at_step(item.value, self.last, str(steps))) for item in self.head
        ]
        if self.step_loss is not None:
            losses = [self._at(self.step_loss, str(k)) for k in range(1, steps + 1)]
            value = reduce(add, losses)
            scalars = [item.name for item in self.head if not item.name.shape]
            definitions.append(Definition(Var("L"), value if not scalars else value + scalars[-1]))
        return Network(self.title, tuple(definitions), definitions[-1].name)

    def at_above(self, node: Node) -> Node:
        """Return an expression of a general step at the step above."""
        return self._at(node, f"{self.letter}+1")

    def at_last(self, node: Node) -> Node:
        """Return an expression of a general step at the last one."""
        return self._at(node, self.last)

    def at_steps(self, node: Node, step: int, last: int) -> Node:
        """Return an expression of a general step in the names of the network with `last` steps."""
        return at_step(at_step(node, self.last, str(last)), self.letter, str(step))

    # ------------------------------------------------------------ derivation
    def window(self) -> Network:
        """Return a general step and the one above it, with arbitrary cotangents of what that one hands on."""
        next_step = f"{self.letter}+1"
        own = [self._item_at(item, self.letter) for item in self.body]
        above = [self._item_at(item, next_step) for item in self.step_network().definitions]
        *rest, last = above
        value = last.value if self.step_loss is None else self.step_loss + last.value
        return Network(self.title, (*own, *rest, Definition(self.loss, value)), self.loss)

    def ending(self) -> Network:
        """Return the last step and what follows it."""
        own = [self._item_at(item, self.last) for item in self.body]
        loss = [Definition(self.loss, self._at(self.step_loss, self.last))] if self.step_loss is not None else []
        return Network(self.title, (*own, *self.head, *loss), self.loss)

    def arrivals(self) -> dict[str, Var]:
        """Return names for what the step above hands down to each name that is carried over."""
        names = (self._handed_on(after) for _, after in self.carried)
        return {name.latex: Var(_barred(name.latex), name.shape) for name in names}

    def derive(self) -> Derivation:
        """Derive the recursion, its beginning at the last step, and the gradient of each parameter.

        Returns:
            The body and what follows it; cotangents at the last step; the recursion for the steps below; gradients
            of parameters of each step, and of shared ones the sum over all steps.
        Raises:
            ModelError: there is no loss, or the body does not define what it hands on.
        """
        arrivals = self.arrivals()
        step = self.step_record()
        last, above = self.inserted(step)
        first = self.head_equations()
        forward = [*self.body, *self.head, *self._summed()]
        equations = [Equation("", i.name, i.value, "loss" if i.name == self.loss else "definition") for i in forward]
        equations += first
        own = [e for e in step.equations if e.role == "cotangent"]
        known = Known({item.name: item.value for item in (*self.body, *self.head)})
        arriving = _reached(own, set(arrivals.values()))
        equations += [e for e in own if e not in arriving]
        mentioned = [e for e in arriving if set(variables(e.value)) & set(arrivals.values())]
        equations += [self._inserted(e, last, self.last, known) for e in mentioned]
        equations += [self._inserted(e, above, "", known) for e in arriving]
        outside = self.head_gradients()
        gradients = [e for e in step.equations if e.role == "gradient" and self._is_parameter(e.of)]
        equations += [self._gradient(e, outside.pop(e.of, None)) for e in gradients]
        equations += [e for e in self.head_record() if e.role == "gradient" and e.of in outside]
        numbered = tuple(replace(e, id=str(k)) for k, e in enumerate(equations, 1))
        free = free_variables(Network("", (*self.body, *self.head), None))
        carried = {before for before, _ in self.carried}
        carried |= {self._at(self._handed_on(after), self.last) for _, after in self.carried}
        parameters = tuple(name for name in free if name not in carried and self._is_parameter(name))
        data = tuple(name for name in free if name not in parameters and name not in carried)
        return Derivation(self.title, numbered, self.loss, parameters, data, (), self._assumptions())

    def _summed(self) -> list[Definition]:
        """Return the loss as the sum of the steps' own, where they have one."""
        if self.step_loss is None:
            return []
        value = series(self.step_loss, self.letter, self.last)
        scalars = [item.name for item in self.head if not item.name.shape]
        return [Definition(Var("L"), value + scalars[-1] if scalars else value)]

    def _assumptions(self) -> tuple[str, ...]:
        letter, last = self.letter, self.last
        return (rf"${letter} = 1, \ldots, {last}$; what a step hands on is used by the next step alone",)

    def _is_parameter(self, name: Var | None) -> bool:
        if name is None or any(name == before for before, _ in self.carried):
            return False
        return not is_data(name)

    def step_network(self) -> Network:
        """Return one step with arbitrary cotangents of what it hands on: the loss is what they weight, and its own."""
        value: Node | None = self.step_loss
        for after, arrival in self.arrivals().items():
            product = arrival * self._handed_on(after)
            weighted = total(product) if product.shape else product
            value = weighted if value is None else value + weighted
        if value is None:
            raise ModelError(f"{self.title}: the body hands nothing on; say what with carry")
        return Network(self.title, (*self.body, Definition(self.loss, value)), self.loss)

    def step_record(self) -> Derivation:
        """Return the sweep through one step; in what it hands down, an arrival goes by the name that it is all of."""
        step = derive_gradients(self.step_network(), self._wanted())
        arrivals = {*self.arrivals().values()}
        whole = {e.value: e.name for e in step.equations if e.role == "cotangent" and e.value in arrivals}

        def named(node: Node) -> Node:
            return substitute(node, {name: own for name, own in whole.items() if isinstance(name, Var)})

        def change(e: Equation) -> Equation:
            if e.role != "gradient":  # cotangents within the step have what arrives written out
                return e
            steps = tuple(replace(s, before=named(s.before), after=named(s.after)) for s in e.steps)
            return replace(e, value=named(e.value), steps=steps)

        return replace(step, equations=tuple(map(change, step.equations)))

    def _wanted(self) -> tuple[Var, ...]:
        names = free_variables(self.step_network())
        given = self.arrivals().values()
        return tuple(n for n in names if n not in given and (self._is_parameter(n) or self._is_carried(n)))

    def _is_carried(self, name: Var) -> bool:
        return any(name == before for before, _ in self.carried)

    def _value(self, step: Derivation, before: Var) -> Node:
        """Return what a step hands down to what it was given."""
        found = next((e.value for e in step.equations if e.of == before and e.role == "gradient"), None)
        if found is None:
            raise ModelError(f"{self.title}: no step uses {before.latex}; there is nothing to recur")
        return found

    def inserted(self, step: Derivation) -> tuple[dict[Var, Node], dict[Var, Node]]:
        """Return what arrives at the last step, and at a general one, from the sweep through one step."""
        arrivals, beginning = self.arrivals(), self._beginning()
        next_step = f"{self.letter}+1"
        above = {arrivals[after]: self._at(self._value(step, before), next_step) for before, after in self.carried}
        return {arrivals[after]: beginning[after] for after in arrivals}, above

    def head_network(self) -> Network | None:
        """Return what follows the last step, if it leads to a scalar."""
        scalars = [item.name for item in self.head if not item.name.shape]
        return Network(self.title, tuple(self.head), scalars[-1]) if scalars else None

    def head_record(self) -> list[Equation]:
        """Return the backward equations of what follows the last step: by what it hands on, and by parameters."""
        head = self.head_network()
        if head is None:
            return []
        finals = self._finals()
        used = tuple(v for v in free_variables(head) if v in finals or self._is_parameter(v))
        return list(derive_gradients(head, used).equations) if used else []

    def head_equations(self) -> list[Equation]:
        """Return the cotangents of the names that follow the last step."""
        return [e for e in self.head_record() if e.role == "cotangent"]

    def head_gradients(self) -> dict[Var | None, Node]:
        """Return the gradients of what follows the last step by its own parameters, such as those of a penalty."""
        finals = self._finals()
        return {e.of: e.value for e in self.head_record() if e.role == "gradient" and e.of not in finals}

    def _finals(self) -> list[Var]:
        names = (self._at(self._handed_on(after), self.last) for _, after in self.carried)
        return [name for name in names if isinstance(name, Var)]

    def _beginning(self) -> dict[str, Node]:
        """Return the cotangents of what the last step hands on, from what follows it."""
        finals = dict(zip((after for _, after in self.carried), self._finals(), strict=True))
        gradients = {e.of: e.value for e in self.head_record() if e.role == "gradient"}
        return {after: gradients.get(v, _zero(v)) for after, v in finals.items()}

    def _inserted(self, equation: Equation, arriving: dict[Var, Node], at: str, known: Known) -> Equation:
        """Return a cotangent's equation with what arrives from the step above, at the last step or at a general one."""
        name, value = equation.name, equation.value
        if at:
            name, value = self._at(name, at), self._at(value, at)
            arriving = {self._at(arrival, at): node for arrival, node in arriving.items()}
        assert isinstance(name, Var) and equation.of is not None
        of = self._at(equation.of, at) if at else equation.of
        assert isinstance(of, Var)
        inserted = tidy(substitute(value, arriving))
        first, final = f"{self.letter} = {self.last}", rf"{self.letter} = {self.last} - 1, \ldots, 1"
        changes = bool(set(variables(value)) & set(arriving))
        where = f"at ${first}$" if at else f"for ${final}$" if changes else ""
        steps = [Step(f"chain rule through the step {where}".strip(), name, value, *_reason(equation))]
        if inserted != value:
            rule = "insert what follows the last step" if at else "insert what the step above hands down"
            steps.append(Step(rule, value, inserted))
            steps += simplify(inserted, known)
        return Equation("", name, steps[-1].after, "cotangent", of, tuple(steps))

    def _gradient(self, equation: Equation, outside: Node | None) -> Equation:
        """Return a parameter's gradient; of one that all steps share, the sum over the steps and what follows them."""
        assert equation.of is not None
        if runs(equation.of.latex, self.letter):
            return equation
        value = series(equation.value, self.letter, self.last)
        value = value if outside is None else tidy(outside + value)
        name = Var(derivative_name(self.loss.latex, equation.of.latex), equation.of.shape)
        why = r"dL = \textstyle\sum_t \langle \bar W_t, dW\rangle"
        step = Step("sum over the steps that share it", name, value, why)
        return Equation("", name, value, "gradient", equation.of, (step,))


def _reached(equations: list[Equation], names: set[Var]) -> list[Equation]:
    """Return the equations that use one of the names, directly or through another equation."""
    found: list[Equation] = []
    for e in equations:
        if set(variables(e.value)) & names:
            found.append(e)
            names = names | {e.name}
    return found


def _barred(latex: str) -> str:
    base, scripts = split_name(latex)
    return rf"\bar{{{base}}}{scripts}"


def _zero(name: Var) -> Node:
    return Const(0) * ones_like(name)


def _reason(equation: Equation) -> tuple[str, str]:
    return (equation.steps[0].because, equation.steps[0].source) if equation.steps else ("", "")
