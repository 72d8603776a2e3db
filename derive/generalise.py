"""Sizes given as numbers, replaced by symbols: what holds for all sizes is derived and checked once, whatever they are.

A model of 784 inputs is derived as one of n inputs; 784 is put back into the finished record. Where sizes depend on
each other (a convolution of 28 entries leaves 26), the larger is written in terms of the smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import sympy

from derive.backprop import conventions
from derive.derivation import Derivation, Equation, Step
from derive.errors import DeriveError
from derive.expr import Apply, Node, Var, variables, walk
from derive.model import Definition, Network, upstream
from derive.recurrence import Recurrence
from derive.shapes import Shape, Size

# Kernels of 3, strides of 2 and axes of 1 are part of what a model says, and small enough to compute with.
LARGEST_KEPT = 3


@dataclass(frozen=True, slots=True)
class General:
    """A model in which symbols stand for large sizes.

    Attributes:
        network: The model.
        numbers: What each symbol stands for; a symbol is called by its number.
        sizes: What stands for each number: a symbol, or an expression in symbols.
    """

    network: Network
    numbers: Mapping[sympy.Symbol, sympy.Integer]
    sizes: Mapping[sympy.Integer, Size]
    memory: dict[Node, Node] = field(default_factory=dict)

    def length(self, length: Size) -> Size:
        """Return what stands for a size."""
        return _replaced(length, self.sizes)

    def shape(self, shape: Shape) -> Shape:
        """Return a shape with symbols for its numbers."""
        return tuple(map(self.length, shape))

    def lift(self, node: Node) -> Node:
        """Return an expression with symbols for the sizes in it; its constants stay numbers."""
        return _lifted(node, self.sizes, self.memory)

    def name(self, name: Var) -> Var:
        """Return a name with symbols for its sizes."""
        return cast(Var, self.lift(name))

    def back(self, node: Node) -> Node:
        """Return an expression with the numbers put back."""
        return cast(Node, node.xreplace(self.numbers))

    def lifted(self, derivation: Derivation, change: Callable[[Node], Node]) -> Derivation:
        """Return a record of the model as one of the general model; `change` lifts its expressions."""
        record = _Changed(change).record(derivation)
        samples = derivation.samples
        return replace(record, samples=self.length(samples) if isinstance(samples, sympy.Expr) else samples)

    def restore(self, derivation: Derivation, network: Network | None = None) -> Derivation:
        """Return a record of the general model as one of the model itself: `network`, where conventions name it."""
        own, ours = self._conventions(derivation, None), self._conventions(derivation, network)
        done = _Changed(self.back, dict(zip(own, ours, strict=True))).record(derivation)
        samples = derivation.samples
        return replace(done, samples=samples.xreplace(self.numbers) if isinstance(samples, sympy.Basic) else samples)

    def _conventions(self, derivation: Derivation, network: Network | None) -> list[str]:
        """Return the conventions that a record names, as the general model's or as another's."""
        names = tuple(name if network is None else cast(Var, self.back(name)) for name in derivation.parameters)
        whole = network or self.network
        return list(conventions(whole, upstream(whole, names)))


@dataclass(slots=True)
class _Changed:
    """Changes the sizes in a record; `said` is what is said in place of an assumption."""

    change: Callable[[Node], Node]
    said: Mapping[str, str] = field(default_factory=dict)
    known: dict[Node, Node] = field(default_factory=dict)

    def node(self, node: Node) -> Node:
        if node not in self.known:
            self.known[node] = self.change(node)
        return self.known[node]

    def names(self, names: Iterable[Var]) -> tuple[Var, ...]:
        return tuple(cast(Var, self.node(name)) for name in names)

    def record(self, derivation: Derivation) -> Derivation:
        return replace(
            derivation,
            equations=tuple(map(self.equation, derivation.equations)),
            loss=None if derivation.loss is None else self.names([derivation.loss])[0],
            parameters=self.names(derivation.parameters),
            data=self.names(derivation.data),
            seeds=self.names(derivation.seeds),
            assumptions=tuple(self.said.get(text, text) for text in derivation.assumptions),
            batch=None if derivation.batch is None else self.record(derivation.batch),
        )

    def equation(self, equation: Equation) -> Equation:
        name, *of = self.names([equation.name, *([equation.of] if equation.of is not None else [])])
        steps = tuple(map(self.step, equation.steps))
        return replace(equation, name=name, value=self.node(equation.value), of=of[0] if of else None, steps=steps)

    def step(self, step: Step) -> Step:
        return replace(step, before=self.node(step.before), after=self.node(step.after))


# ---------------------------------------------------------------- from numbers to symbols
def generalised(network: Network) -> General | None:
    """Return the model with symbols for its sizes above 3; None where there are none, or none can be replaced.

    Every occurrence of a number as a size becomes the same symbol, so that what had to agree still does; a number
    that is a constant stays. Sizes that depend on each other in other ways than those of windows stay numbers.
    """
    kept: set[sympy.Integer] = {number for number in _lengths(network.definitions) if str(number) in _words(network)}
    while True:
        sizes = _solved(network, kept)
        if not sizes:
            return None
        memory: dict[Node, Node] = {}
        wrong = next((item for item in network.definitions if not _fits(item, sizes, memory)), None)
        if wrong is None:
            return _general(network, sizes, memory)
        kept.update(_lengths([wrong]))


def generalised_recurrence(recurrence: Recurrence) -> tuple[Recurrence, General] | None:
    """Return a recurrence with symbols for its sizes above 3, and what they stand for; None where there are none."""
    general = generalised(Network(recurrence.title, (*recurrence.body, *recurrence.head)))
    if general is None:
        return None
    definitions, count = general.network.definitions, len(recurrence.body)
    carried = [(general.name(before), after) for before, after in recurrence.carried]
    body, head = list(definitions[:count]), list(definitions[count:])
    return Recurrence(
        recurrence.title, recurrence.letter, recurrence.last, body, head, carried, recurrence.step_loss
    ), general


def _general(network: Network, sizes: Mapping[sympy.Integer, Size], memory: dict[Node, Node]) -> General:
    symbols = {symbol for size in sizes.values() for symbol in size.free_symbols}
    numbers = {symbol: sympy.Integer(int(symbol.name)) for symbol in sorted(symbols, key=str)}

    def name(var: Var) -> Var:
        return cast(Var, _lifted(var, sizes, memory))

    def item(definition: Definition) -> Definition:
        return replace(definition, name=name(definition.name), value=_lifted(definition.value, sizes, memory))

    samples = network.samples
    lifted = replace(
        network,
        definitions=tuple(map(item, network.definitions)),
        loss=None if network.loss is None else name(network.loss),
        parameters=None if network.parameters is None else tuple(map(name, network.parameters)),
        cotangents={name(var): latex for var, latex in network.cotangents.items()},
        samples=_replaced(samples, sizes) if isinstance(samples, sympy.Expr) else samples,
    )
    return General(lifted, numbers, sizes, memory)


def _lengths(definitions: Iterable[Definition]) -> set[sympy.Integer]:
    """Return the numbers above the bound that are sizes, or say where windows begin and how far apart they are."""
    parts = [part for item in definitions for part in (item.name, *walk(item.value))]
    found = {length for part in parts for length in part.shape if length.is_Integer}
    found |= {abs(param) for part in parts for param in _sized(part) if param.is_Integer}
    return {number for number in found if number > LARGEST_KEPT}


def _sized(node: Node) -> tuple[Size, ...]:
    """Return the parameters of an operation that are sizes."""
    return node.params if isinstance(node, Apply) and node.op.sized else ()


def _words(network: Network) -> set[str]:
    names = [name for item in network.definitions for name in (item.name, *variables(item.value))]
    return {str(symbol) for name in names for length in name.shape for symbol in length.free_symbols}


def _symbol(number: sympy.Integer) -> sympy.Symbol:
    """Return the symbol for a number; it is called by the number, so that it reads the same anywhere."""
    return sympy.Symbol(str(number), integer=True, positive=True)


def _replaced(length: Size, sizes: Mapping[sympy.Integer, Size]) -> Size:
    if not length.is_Integer:
        return length
    return -sizes[-length] if -length in sizes else sizes.get(length, length)


def _lifted(node: Node, sizes: Mapping[sympy.Integer, Size], memory: dict[Node, Node]) -> Node:
    if node in memory:
        return memory[node]
    lifted = node
    if isinstance(node, Var):
        lifted = Var(node.latex, tuple(_replaced(length, sizes) for length in node.shape), node.domain)
    elif isinstance(node, Apply):
        operands = (_lifted(operand, sizes, memory) for operand in node.operands)
        params = (_replaced(param, sizes) if node.op.sized else param for param in node.params)
        lifted = Apply(node.args[0], *operands, *params)
    memory[node] = lifted
    return lifted


def _fits(item: Definition, sizes: Mapping[sympy.Integer, Size], memory: dict[Node, Node]) -> bool:
    """Tell whether a definition has a shape for all sizes, and that of its name."""
    try:
        return _lifted(item.value, sizes, memory).shape == _lifted(item.name, sizes, memory).shape
    except DeriveError:
        return False


# ---------------------------------------------------------------- sizes that depend on each other
def _solved(network: Network, kept: set[sympy.Integer]) -> dict[sympy.Integer, Size]:
    """Return what stands for each number, so that windows reach as far as they do; `kept` grows where none does."""
    while True:
        numbers = _lengths(network.definitions) - kept
        sizes: dict[sympy.Integer, Size] = {number: _symbol(number) for number in numbers}
        wrong = next((found for tie in _ties(network) if (found := _tied(tie, sizes, kept)) is not None), None)
        if wrong is None:
            return {number: size for number, size in sizes.items() if size != number}
        kept.update(wrong)


@dataclass(frozen=True, slots=True)
class _Tie:
    """A window, a slice or a place in a concatenation, and how many entries lie beyond it."""

    params: tuple[Size, ...]
    beyond_of: Callable[..., Size]
    beyond: sympy.Integer


def _ties(network: Network) -> Iterator[_Tie]:
    """Yield what ties sizes of a model together."""
    seen: set[tuple[Size, ...]] = set()
    for item in network.definitions:
        for part in walk(item.value):
            if isinstance(part, Apply) and part.op.beyond is not None and part.params not in seen:
                seen.add(part.params)
                beyond = part.op.beyond(*part.params)
                if beyond.is_Integer:
                    yield _Tie(part.params, part.op.beyond, beyond)


def _tied(tie: _Tie, sizes: dict[sympy.Integer, Size], kept: set[sympy.Integer]) -> set[sympy.Integer] | None:
    """Solve a tie for its largest size, in place; return a number that must stay one where that is not possible."""
    numbers = (abs(number) for number in (*tie.params, tie.beyond) if number.is_Integer)
    everything = {number for number in numbers if number > LARGEST_KEPT} - kept
    for number in everything - set(sizes):
        sizes[number] = _symbol(number)
    difference = sympy.expand(tie.beyond_of(*(_replaced(p, sizes) for p in tie.params)) - _replaced(tie.beyond, sizes))
    if difference == 0:
        return None
    smallest = {min(everything)}
    own = [symbol for symbol in difference.free_symbols if symbol.name.isdigit()]
    for symbol in sorted(own, key=lambda s: -int(s.name)):
        factor, rest = difference.coeff(symbol, 1), difference.coeff(symbol, 0)
        if factor not in (1, -1) or sympy.expand(factor * symbol + rest - difference) != 0:
            continue
        value = sympy.expand(-factor * rest)
        if _positive(value):
            sizes.update({n: sympy.expand(size.xreplace({symbol: value})) for n, size in sizes.items()})
            return None if all(map(_positive, sizes.values())) else smallest
    return smallest


def _positive(size: Size) -> bool:
    """Tell whether a size is positive, and grows, with symbols from 2 upwards."""
    more = sympy.expand(size.xreplace({symbol: symbol + 2 for symbol in size.free_symbols}))
    return all(term.as_coeff_Mul()[0] > 0 for term in sympy.Add.make_args(more)) and more != 0
