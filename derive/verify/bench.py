"""A model made ready for judging: its record, and everything that a claim about it may name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from derive.backprop import derive_gradients
from derive.errors import DeriveError
from derive.expr import Apply, Node, Var, variables
from derive.expr import walk as walk_nodes
from derive.model import Network, free_variables, restricted
from derive.read import syntax as ast
from derive.read.facts import Facts
from derive.read.infer import ReadModel, called_functions, compact, cotangent_aliases
from derive.read.kinds import Reading, Written, fit
from derive.read.latex import read_formula
from derive.read.models import Sketch
from derive.read.outline import Equation, walk
from derive.read.shaping import Sizes, build
from derive.read.spelling import render
from derive.read.terms import Function, Meaning, cotangent_key
from derive.verify.judge import Setting
from derive.verify.steps import setting_for

ANY_LOSS = "any differentiable loss downstream"
KIND_OF_RANK = {0: "scalar", 1: "vector", 2: "matrix"}


@dataclass(frozen=True, slots=True)
class Bench:
    """A model made ready for judging: its record and everything that a claim may name."""

    model: ReadModel
    facts: Facts
    setting: Setting
    names: Mapping[str, Var]


def make_bench(model: ReadModel, facts: Facts) -> Bench:
    """Derive a model by all its free variables and collect what claims about it may name."""
    network = model.network
    derivation = derive_gradients(network, wanted=free_variables(network))
    if network.loss is None:
        derivation = replace(derivation, assumptions=(*derivation.assumptions, f"$L$ is {ANY_LOSS}"))
    more = {Var(compact(alias), var.shape): var for alias, var in model.cotangents.items()}
    names = {**model.names, **{v.latex: v for item in network.definitions for v in (item.name,)}}
    loss = network.loss.latex if network.loss is not None else "L"
    for item in network.definitions:
        more.setdefault(Var(cotangent_key(loss, item.name.latex), item.name.shape), item.name)
    names.update({alias: Var(compact(alias), var.shape) for alias, var in model.cotangents.items()})
    names.update({alias.latex: alias for alias in more})
    names.update({e.name.latex: e.name for e in derivation.equations if e.role in ("cotangent", "gradient")})
    return Bench(model, facts, setting_for(network, derivation, more), names)


def bench_for(network: Network) -> Bench:
    """Return the bench of a model that comes from Python: kinds and sizes are those of its variables."""
    found = {v.latex: v for item in network.definitions for v in (*variables(item.value), item.name)}
    names = {render(tree) if (tree := parsed(latex)) is not None else latex: var for latex, var in found.items()}
    kinds = {key: KIND_OF_RANK[len(var.shape)] for key, var in names.items()}
    symbols = {str(s) for var in found.values() for length in var.shape for s in length.free_symbols}
    functions = {name: Function(op) for item in network.definitions for op, name in _printed_functions(item.value)}
    reading = Reading(
        Meaning(kinds, functions, frozenset(symbols - {*found})),
        Sizes(shapes={k: v.shape for k, v in names.items()}),
        (),
    )
    loss = network.loss.latex if network.loss is not None else "L"
    facts = Facts()
    aliases = {alias: names[key] for alias, key in cotangent_aliases(kinds, loss, facts).items()}
    sketch = Sketch(network.title, 0, (network.title,), (), None, 0)
    return make_bench(ReadModel(sketch, network, reading, names, frozenset(), aliases), facts)


def _printed_functions(value: Node) -> Iterator[tuple[str, str]]:
    """Yield the functions in an expression with the names that a sheet prints for them."""
    for part in walk_nodes(value):
        if isinstance(part, Apply) and part.op.prime and part.op.body is not None:
            usual_name = str(part.op.latex).split("{p}")[0].replace("{{", "{").replace("}}", "}")
            yield part.op.name, str((*part.params, "", "")[1]) or usual_name


def sides(claim: Equation, bench: Bench) -> tuple[Node, Node]:
    """Return both sides as expressions in the bench's names.

    Raises:
        ShapeError: a side has no type, or the sides have different ones.
        UnreadError: a symbol or a construction is not understood.
    """
    reading = bench.model.reading
    called = called_functions(claim.left) + called_functions(claim.right)
    functions = {**bench.facts.functions_at(bench.model.sketch.order, called), **reading.meaning.functions}
    kinds = {**{key: KIND_OF_RANK[len(var.shape)] for key, var in bench.names.items()}, **reading.meaning.kinds}
    sizes = reading.sizes.copy()
    sizes.shapes.update({key: var.shape for key, var in bench.names.items()})
    meaning = replace(reading.meaning, kinds=kinds, functions=functions)
    (left, right), sizes = fit(Written(claim.left, claim.right), meaning, sizes)
    return build(left, sizes, bench.names), build(right, sizes, bench.names)


def with_partials(claim: Equation, bench: Bench) -> tuple[Setting, dict[str, Var]]:
    """Add names for derivatives of scalars other than the loss that a claim speaks of, such as ∂z/∂w."""
    names, partials = dict(bench.names), dict(bench.setting.partials)
    for part in (p for side in (claim.left, claim.right) for p in walk(side)):
        if not (isinstance(part, ast.Derivative) and isinstance(part.of, ast.Name) and isinstance(part.wrt, ast.Name)):
            continue
        key = cotangent_key(render(part.of), render(part.wrt))
        of, by = names.get(render(part.of)), names.get(render(part.wrt))
        if key in names or of is None or by is None or of.shape:
            continue
        network = restricted(replace(bench.setting.network, loss=of), of)
        derived = derive_gradients(network, wanted=(by,)) if network.value(by) is None else derive_gradients(network)
        value = next((e.value for e in derived.equations if e.of == by and e.role in ("cotangent", "gradient")), None)
        if value is not None:
            name = Var(compact(key), by.shape)
            names[key], partials[name] = name, (of, by, value)
    return replace(bench.setting, partials=partials), names


def parsed(latex: str) -> ast.Node | None:
    """Return a formula's tree, or None where it is not read."""
    try:
        return read_formula(latex)
    except DeriveError:
        return None
