"""How each parameter starts, by the part that it plays in the program; it is drawn in `start`."""

from __future__ import annotations

import math
from collections.abc import Mapping

from codegen.program import Call, Contract, Map, Program, Ref, Statement, Value, bodies, extents, walk
from codegen.start import Start
from derive.ops import table


def starts(program: Program) -> dict[str, Start]:
    """Return how every parameter starts.

    A factor of a product is normal with variance 1/fan-in, doubled before a function with a kink (He et al. 2015):
    that keeps the size of signals from layer to layer. What scales entry by entry starts at one, what is added at
    zero.
    """
    return {value.name: _start(program, value) for value in program.of_role("parameter")}


def _start(program: Program, value: Value) -> Start:
    product = next(
        (s for s in _forward(program) if isinstance(s, Contract) and value.name in (s.a.name, s.b.name)), None
    )
    if product is not None:
        gain = 2.0 if _before_kink(program, product.out.name) else 1.0
        return Start(math.sqrt(gain / _fan_in(program, product)))
    return Start(0.0, 1.0 if any(_scales(s, value.name) for s in _forward(program)) else 0.0)


def _forward(program: Program) -> list[Statement]:
    roles: Mapping[str, str] = {name: value.role for name, value in program.values.items()}
    last = [k for k, s in enumerate(program.statements) if roles[s.out.name] == "loss"]
    return list(program.statements[: last[-1] + 1 if last else None])


def _fan_in(program: Program, product: Contract) -> int:
    sizes = extents(program, product)
    summed = {label for label in product.a.labels if label not in product.out.labels}
    numbers = [sizes[label] for label in summed]
    return math.prod(program.sizes.get(n, 1) if isinstance(n, str) else n for n in numbers)


def _before_kink(program: Program, name: str, depth: int = 3) -> bool:
    """Tell whether a function with a kink is applied to a value, or to what a few entry-by-entry steps make of it."""
    for statement in _forward(program):
        if not isinstance(statement, Map) or depth == 0:
            continue
        for part in walk(statement.body):
            if isinstance(part, Call) and part.row.kink and any(_is(arg, name) for arg in part.args):
                return True
        plain = all(not isinstance(p, Call) or p.row.slope is None for p in walk(statement.body))
        if plain and any(_is(p, name) for p in walk(statement.body)):
            return _before_kink(program, statement.out.name, depth - 1)
    return False


def _is(body: object, name: str) -> bool:
    return isinstance(body, Ref) and body.name == name


def _scales(statement: Statement, name: str) -> bool:
    if isinstance(statement, Contract):
        return False
    products = (p for body in bodies(statement) for p in walk(body) if isinstance(p, Call) and p.op == table.MUL)
    return any(_is(arg, name) for product in products for arg in product.args)
