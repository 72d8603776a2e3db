"""A model made ready for judging: its record, and everything that a claim about it may name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

from derive.backprop import derive_gradients
from derive.derivation import Derivation
from derive.errors import DeriveError
from derive.expr import Apply, Node, Var, variables
from derive.expr import walk as walk_nodes
from derive.generalise import General, generalised
from derive.jacobian import as_network, derive_hessian, derive_jacobian
from derive.meaning.facts import Facts, called_functions
from derive.meaning.infer import ReadModel, compact, cotangent_aliases
from derive.meaning.kinds import Reading, Written, fit
from derive.meaning.models import Sketch
from derive.meaning.outline import Equation, walk
from derive.meaning.shaping import Sizes, build, kind_of
from derive.meaning.terms import Function, Meaning, cotangent_key, is_running, mixed_key, second_key
from derive.model import Network, free_variables, restricted
from derive.read import syntax as ast
from derive.read.latex import read_formula
from derive.read.spelling import render
from derive.shapes import Shape
from derive.verify.mixed import mixed_partial
from derive.verify.setting import Partial, Setting
from derive.verify.steps import second_order, setting_for

ANY_LOSS = "any differentiable loss downstream"


@dataclass(frozen=True, slots=True)
class Bench:
    """A model made ready for judging: its record and everything that a claim may name."""

    model: ReadModel
    facts: Facts
    setting: Setting
    names: Mapping[str, Var]
    jacobians: bool = False  # whether ∂y/∂x of a vector y is read, with the axes of y first
    general: General | None = None  # where sizes given as numbers are symbols
    layout: str = ""  # in which a claim is known to be made

    def written_as(self, node: Node) -> Node:
        """Return an expression with the sizes as they are written."""
        return node if self.general is None else self.general.back(node)

    def as_written(self) -> Bench:
        """Return the bench with the sizes as they are written, to read claims in."""
        if self.general is None:
            return self
        names = {key: cast(Var, self.general.back(var)) for key, var in self.names.items()}
        own = self.model.reading.sizes
        numbers = self.general.numbers
        sizes = Sizes(
            {one: other.xreplace(numbers) for one, other in own.parents.items()},
            {key: tuple(length.xreplace(numbers) for length in shape) for key, shape in own.shapes.items()},
            own.unknown,
        )
        model = replace(self.model, reading=replace(self.model.reading, sizes=sizes))
        return replace(self, model=model, names=names, general=None)


def make_bench(model: ReadModel, facts: Facts) -> Bench:
    """Derive a model by all its free variables and collect what claims about it may name."""
    general = generalised(model.network)
    if general is None:
        return _bench(model, facts)
    bench = _bench(_generalised(model, general), facts)
    return generally(bench, general)


def generally(bench: Bench, general: General) -> Bench:
    """Return the bench of a general model, with what its symbols stand for."""
    return replace(bench, setting=replace(bench.setting, general=general), general=general)


def _generalised(model: ReadModel, general: General) -> ReadModel:
    """Return a model as read with symbols for its sizes."""
    own = model.reading.sizes
    sizes = Sizes(
        {one: general.length(other) for one, other in own.parents.items()},
        {key: general.shape(shape) for key, shape in own.shapes.items()},
        own.unknown,
    )
    return replace(
        model, network=general.network, reading=replace(model.reading, sizes=sizes),
        names={key: general.name(name) for key, name in model.names.items()},
        cotangents={alias: general.name(name) for alias, name in model.cotangents.items()},
    )  # fmt: skip


def _bench(model: ReadModel, facts: Facts) -> Bench:
    network = model.network
    wanted = tuple(name for name in free_variables(network) if name.domain != "index")  # no derivative by these
    derivation = derive_gradients(network, wanted=wanted)
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


def with_cotangents(bench: Bench, meaning: Mapping[str, str]) -> Bench:
    """Return a bench in which further names stand for the cotangents of values, by their LaTeX."""
    values = {item.name.latex: item.name for item in bench.setting.network.definitions}
    named = {key: values[latex] for key, latex in meaning.items()}
    more = {Var(compact(key), value.shape): value for key, value in named.items()}
    setting = replace(bench.setting, cotangents={**bench.setting.cotangents, **more}, memory={})
    return replace(bench, setting=setting, names={**bench.names, **dict(zip(named, more, strict=True))})


def bench_for(network: Network, given: Iterable[Var] = (), steps: tuple[str, str] = ("", "")) -> Bench:
    """Return the bench of a model that comes from Python: kinds and sizes are those of its variables.

    Args:
        network: The model.
        given: Further variables that a claim may name, such as a direction.
        steps: The letter of a recurrence's steps and the last one.
    """
    found = {v.latex: v for item in network.definitions for v in (*variables(item.value), item.name)}
    found |= {v.latex: v for v in given}
    names = {canonical(latex): var for latex, var in found.items()}
    kinds = {key: kind_of(var.shape) for key, var in names.items()}
    symbols = {str(s) for var in found.values() for length in var.shape for s in length.free_symbols}
    functions = {name: Function(op) for item in network.definitions for op, name in _printed_functions(item.value)}
    reading = Reading(
        Meaning(kinds, functions, frozenset(symbols - {*found}), steps=steps, exact=True),
        Sizes(shapes={k: v.shape for k, v in names.items()}),
        (),
    )
    loss = network.loss.latex if network.loss is not None else "L"
    facts = Facts()
    aliases = {alias: names[key] for alias, key in cotangent_aliases(kinds, loss, facts).items()}
    sketch = Sketch(network.title, 0, (network.title,), (), None, 0)
    bench = make_bench(ReadModel(sketch, network, reading, names, frozenset(), aliases), facts)
    return replace(bench, jacobians=True)


def bench_of_record(network: Network, derivation: Derivation) -> Bench:
    """Return the bench of a model from Python, with what its record names beside it: directions, second order.

    The record is of the model with symbols for its sizes where it is of second order.
    """
    bench = bench_for(network, (*derivation.seeds, *derivation.data))
    setting = second_order(derivation, bench.setting)
    names = {render(tree): name for name in setting.partials if (tree := parsed(name.latex)) is not None}
    return replace(bench, setting=setting, names={**names, **bench.names})


def _printed_functions(value: Node) -> Iterator[tuple[str, str]]:
    """Yield the functions in an expression with the names that a sheet prints for them."""
    for part in walk_nodes(value):
        if isinstance(part, Apply) and part.op.prime and part.op.body is None:
            yield "", str(part.params[1])  # any function, also where its name is usual for one
        elif isinstance(part, Apply) and part.op.prime:
            usual_name = str(part.op.latex).split("{p}")[0].replace("{{", "{").replace("}}", "}")
            yield part.op.name, str((*part.params, "", "")[1]) or usual_name


def sides(claim: Equation, bench: Bench) -> tuple[Node, Node]:
    """Return both sides as expressions in the bench's names.

    Raises:
        ShapeError: a side has no type, or the sides have different ones.
        UnreadError: a symbol or a construction is not understood.
    """
    if bench.general is not None:
        sides(claim, bench.as_written())  # it must fit as written; what it then says is read with symbols for sizes
    meaning, sizes = _meaning(claim, bench)
    (left, right), sizes = fit(Written(claim.left, claim.right), meaning, sizes)
    return build(left, sizes, bench.names), build(right, sizes, bench.names)


def right_side(claim: Equation, bench: Bench) -> Node:
    """Return the right side of a claim, whatever the shape of the left."""
    meaning, sizes = _meaning(claim, bench)
    (right, _), sizes = fit(Written(claim.right, claim.right), meaning, sizes)
    return build(right, sizes, bench.names)


def _meaning(claim: Equation, bench: Bench) -> tuple[Meaning, Sizes]:
    """Return what the names of a claim mean, and their sizes."""
    reading = bench.model.reading
    called = called_functions(claim.left) + called_functions(claim.right)
    functions = {**bench.facts.functions_at(bench.model.sketch.order, called), **reading.meaning.functions}
    kinds = {**{key: kind_of(var.shape) for key, var in bench.names.items()}, **reading.meaning.kinds}
    sizes = reading.sizes.copy()
    sizes.shapes.update({key: var.shape for key, var in bench.names.items()})
    return replace(reading.meaning, kinds=kinds, functions=functions), sizes


def with_partials(claim: Equation, bench: Bench) -> tuple[Setting, dict[str, Var]]:
    """Add names for the derivatives that a claim speaks of beside those of the loss: ∂z/∂w, Jacobians, Hessians."""
    names, partials = dict(bench.names), dict(bench.setting.partials)
    for part in (p for side in (claim.left, claim.right) for p in walk(side)):
        if not (isinstance(part, ast.Derivative) and isinstance(part.wrt, ast.Name)):
            continue
        part = replace(part, of=_bare(part.of, names), wrt=_bare(part.wrt, names))
        assert isinstance(part.wrt, ast.Name)
        found = _partial(part, part.wrt, names, bench)
        if found is not None:
            key, partial, shape = found
            name = Var(compact(key), shape)
            names[key], partials[name] = name, partial
    return replace(bench.setting, partials=partials), names


def _bare(node: ast.Node, names: Mapping[str, Var]) -> ast.Node:
    """Return a name without its indices, where it is not known with them."""
    if not isinstance(node, ast.Name) or render(node) in names:
        return node
    return replace(node, subs=tuple(sub for sub in node.subs if not (is_running(sub) or isinstance(sub, ast.Number))))


def _partial(
    part: ast.Derivative, wrt: ast.Name, names: Mapping[str, Var], bench: Bench
) -> tuple[str, Partial, Shape] | None:
    """Return the key of a derivative, what it stands for, and its shape; None where it is no such derivative."""
    twice = isinstance(part.of, ast.Derivative) and part.of.wrt is not None and _bare(part.of.wrt, names) == wrt
    if isinstance(part.of, ast.Derivative) and not twice:
        return _mixed(part.of, wrt, names, bench)
    inner = part.of.of if isinstance(part.of, ast.Derivative) and twice else part.of
    by = names.get(render(wrt))
    of = names.get(render(inner)) if isinstance(inner, ast.Name) else None
    if of is None or by is None or (of.shape and (twice or not bench.jacobians)):
        return None
    key = second_key(of.latex, by.latex) if twice else cotangent_key(render(inner), render(wrt))
    if key in names:
        return None
    network = restricted(replace(bench.setting.network, loss=of), of)
    free = network.value(by) is None
    if twice or of.shape:
        if not free:  # by a name: what lies above it does not count
            kept = tuple(item for item in network.definitions if item.name != by)
            network = restricted(replace(network, definitions=kept), of)
        if by not in free_variables(network):
            return None
        derived = derive_hessian(network, by) if twice else derive_jacobian(network, of, by)
        last, whole = derived.equations[-1], as_network(derived)
        return key, Partial(whole, whole.definitions[-1].name, by, last.value), last.name.shape
    derived = derive_gradients(network, wanted=(by,)) if free else derive_gradients(network)
    value = next((e.value for e in derived.equations if e.of == by and e.role in ("cotangent", "gradient")), None)
    return None if value is None else (key, Partial(network, of, by, value), by.shape)


def _mixed(
    inner: ast.Derivative, wrt: ast.Name, names: Mapping[str, Var], bench: Bench
) -> tuple[str, Partial, Shape] | None:
    r"""Return the same of a second derivative by two numbers, or by vectors, \partial x \partial y^T."""
    lies = isinstance(inner.wrt, ast.Transpose)
    second = inner.wrt.arg if isinstance(inner.wrt, ast.Transpose) else inner.wrt
    if not (isinstance(inner.of, ast.Name) and isinstance(second, ast.Name) and inner.wrt is not None):
        return None
    of, by, then = (names.get(render(name)) for name in (inner.of, wrt, second))
    key = mixed_key(*map(render, (inner.of, inner.wrt, wrt)))
    if of is None or by is None or then is None or of.shape or key in names or lies != bool(by.shape):
        return None
    found = mixed_partial(restricted(replace(bench.setting.network, loss=of), of), by, then)
    return None if found is None else (key, found, (*by.shape, *then.shape))


def parsed(latex: str, functions: Collection[str] = ()) -> ast.Node | None:
    """Return a formula's tree, the names of functions given, or None where it is not read."""
    try:
        return read_formula(latex, functions)
    except DeriveError:
        return None


def canonical(latex: str) -> str:
    """Return a name's LaTeX as formulas spell it; as it is where it is not read."""
    tree = parsed(latex)
    return latex if tree is None else render(tree)
