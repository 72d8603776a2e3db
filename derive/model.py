"""A model: named equations in the order of computation. No derivatives here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter

from derive.errors import ModelError
from derive.expr import Node, Var, variables
from derive.notation import DATA_LETTERS, bare_letter


@dataclass(frozen=True, slots=True)
class Definition:
    """`name = value`, and the line of the page that says so (0 where there is none)."""

    name: Var
    value: Node
    line: int = 0


@dataclass(frozen=True, slots=True)
class Network:
    """Named equations, each after those that it uses.

    Attributes:
        title: What it is called.
        definitions: The equations.
        loss: The name that is minimised; None where any loss downstream will do.
        parameters: Free variables that are trained; None: those whose letters are not usual for data.
        cotangents: Names for the cotangents of some variables, where the page has its own.
        assumptions: What is taken for granted, in words.
        samples: The size of the sample axis where the columns are samples.
    """

    title: str
    definitions: tuple[Definition, ...]
    loss: Var | None = None
    parameters: tuple[Var, ...] | None = None
    cotangents: dict[Var, str] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    samples: object | None = None

    def value(self, name: Var) -> Node | None:
        """Return the right side that defines a name, or None."""
        return next((item.value for item in self.definitions if item.name == name), None)


def free_variables(network: Network) -> tuple[Var, ...]:
    """Return the variables that no equation defines, in the order of first use."""
    defined = {item.name for item in network.definitions}
    used = (name for item in network.definitions for name in variables(item.value))
    return tuple(dict.fromkeys(name for name in used if name not in defined))


def trained(network: Network) -> tuple[Var, ...]:
    """Return the parameters: as declared, or every free variable whose letter is not usual for data."""
    free = free_variables(network)
    if network.parameters is not None:
        return tuple(name for name in free if name in network.parameters)
    return tuple(name for name in free if not is_data(name))


def is_data(name: Var) -> bool:
    r"""Tell whether a free variable is given rather than trained, by its letter or its domain.

    >>> is_data(Var(r"\mathbf{x}", ("n",))), is_data(Var("W", ("h", "n")))
    (True, False)
    """
    letter = bare_letter(name.latex)
    if letter.isdigit():  # a vector of ones
        return True
    previous = "-1" in name.latex and letter in "ah"  # a^{[l-1]}: what the layer below hands over
    return name.domain != "real" or letter.lower() in DATA_LETTERS or letter == "a" or previous


def ordered(definitions: Iterable[Definition]) -> tuple[Definition, ...]:
    """Return definitions so that each stands after those that it uses, else as they came.

    Raises:
        ModelError: a name is defined twice, or depends on itself.
    """
    by_name: dict[Var, Definition] = {}
    spelled: set[str] = set()
    for item in definitions:
        if item.name.latex in spelled:
            raise ModelError(f"{item.name.latex} is defined twice; keep one of the two equations or rename one")
        spelled.add(item.name.latex)
        by_name[item.name] = item
    uses = {name: [part for part in variables(item.value) if part in by_name] for name, item in by_name.items()}
    try:
        order = list(TopologicalSorter(uses).static_order())
    except CycleError as error:
        cycle = " -> ".join(name.latex for name in error.args[1])
        raise ModelError(f"{cycle}: a name depends on itself; write one of its equations with another name") from None
    place = {name: k for k, name in enumerate(by_name)}
    if all(place[part] < place[name] for name, parts in uses.items() for part in parts):
        order = list(by_name)
    return tuple(by_name[name] for name in order)


def upstream(network: Network, names: Iterable[Var]) -> set[Var]:
    """Return the names, and every name that is computed from one of them."""
    reached = set(names)
    for item in network.definitions:
        if any(name in reached for name in variables(item.value)):
            reached.add(item.name)
    return reached


def outputs(network: Network) -> tuple[Var, ...]:
    """Return the defined names that no equation uses."""
    used = {name for item in network.definitions for name in variables(item.value)}
    return tuple(item.name for item in network.definitions if item.name not in used)


def restricted(network: Network, target: Var) -> Network:
    """Return the network with only the equations that a name needs."""
    needed = {target}
    for item in reversed(network.definitions):
        if item.name in needed:
            needed.update(variables(item.value))
    return replace(network, definitions=tuple(item for item in network.definitions if item.name in needed))
