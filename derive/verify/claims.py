"""The claims of a page: each brought into its model's names, and judged there."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from derive.backprop import derive_gradients
from derive.errors import DeriveError, ShapeError
from derive.expr import Apply, Node, Var, variables
from derive.expr import walk as walk_nodes
from derive.model import Network, free_variables, restricted
from derive.model import Definition as Named
from derive.ops.elementwise import unknown
from derive.read import syntax as ast
from derive.printer import to_latex
from derive.read.infer import ReadModel, build_model, called_functions, compact, cotangent_aliases
from derive.read.kinds import Reading, Written, fit
from derive.read.latex import read_formula
from derive.read.models import Facts, Sketch, claim_sketch
from derive.read.outline import Equation, Outline, Place, walk
from derive.read.shaping import Sizes, build
from derive.read.spelling import render
from derive.read.terms import Function, Meaning, cotangent_key
from derive.verify.diagnose import Vocabulary, diagnose
from derive.verify.judge import Setting, Verdict, agrees, judge
from derive.verify.steps import setting_for

ANY_LOSS = "any differentiable loss downstream"


@dataclass(frozen=True, slots=True)
class JudgedClaim:
    """A claim with its verdict: where it stands, both sides as LaTeX, the section's title, the time it took."""

    latex: str
    place: Place
    lhs: str
    rhs: str
    verdict: Verdict
    title: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Bench:
    """A model made ready for judging: its record and everything that a claim may name."""

    model: ReadModel
    facts: Facts
    setting: Setting
    names: Mapping[str, Var]


def judge_page(found: Outline, facts: Facts, sketches: Sequence[Sketch]) -> Iterator[JudgedClaim]:
    """Judge every claim of a page, in order, and report what was not read."""
    results = [*_judged(found, facts, sketches)]
    results += [
        JudgedClaim(u.latex, u.place, "", "", Verdict("unread", u.reason), "", 0.0) for u in facts.unread
    ]
    yield from sorted(results, key=lambda claim: (claim.place.line, claim.place.column))


def _judged(found: Outline, facts: Facts, sketches: Sequence[Sketch]) -> Iterator[JudgedClaim]:
    for section, group in itertools.groupby(facts.claims, lambda item: item[1].place.section):
        claims = list(group)
        bench = _bench(section, claims, found, facts, sketches)
        for _, claim in claims:
            started = time.perf_counter()
            verdict, title = _judge_one(claim, section, sketches, bench)
            yield JudgedClaim(
                claim.latex, claim.place, render(claim.left), render(claim.right), verdict, title,
                time.perf_counter() - started,
            )  # fmt: skip


def _judge_one(claim: Equation, section: int, sketches: Sequence[Sketch], bench: Bench | DeriveError | None) -> tuple[Verdict, str]:
    generic = generic_chain(claim, sketches, section)
    if generic is not None:
        return generic, "any functions"
    if not isinstance(bench, Bench):
        reason = str(bench) if bench is not None else "no model on the page defines what it speaks of"
        return Verdict("unread", reason), ""
    return judge_claim(claim, bench), bench.model.sketch.title


def _bench(
    section: int, claims: Sequence[tuple[int, Equation]], found: Outline, facts: Facts, sketches: Sequence[Sketch]
) -> Bench | DeriveError | None:
    """Return the bench for a section's claims, the error that keeps it from being made, or None without a model."""
    sketch = claim_sketch(section, claims, sketches, found, facts)
    try:
        return None if sketch is None else make_bench(build_model(sketch, facts, found, [c for _, c in claims]), facts)
    except DeriveError as error:
        return error


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
    return Bench(model, facts, setting_for(network, derivation, more), names)


def bench_for(network: Network) -> Bench:
    """Return the bench of a model that comes from Python: kinds and sizes are those of its variables."""
    found = {v.latex: v for item in network.definitions for v in (*variables(item.value), item.name)}
    names = {render(parsed) if (parsed := _parsed(latex)) is not None else latex: var for latex, var in found.items()}
    kinds = {key: KIND_OF_RANK[len(var.shape)] for key, var in names.items()}
    symbols = {str(s) for var in found.values() for length in var.shape for s in length.free_symbols}
    functions = {name: Function(op) for item in network.definitions for op, name in _printed_functions(item.value)}
    reading = Reading(Meaning(kinds, functions, frozenset(symbols - {*found})), Sizes(shapes={k: v.shape for k, v in names.items()}), ())
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


KIND_OF_RANK = {0: "scalar", 1: "vector", 2: "matrix"}


def judge_claim(claim: Equation, bench: Bench) -> Verdict:
    """Judge one equation in a model's names; what does not hold gets a diagnosis where a small edit mends it."""
    verdict = _judge_in(claim, bench)
    if verdict.verdict not in ("refuted", "ill-typed"):
        return verdict

    def holds(right: ast.Node) -> bool:
        return _holds(replace(claim, right=right), bench)

    return replace(verdict, diagnosis=diagnose(claim.left, claim.right, _vocabulary(claim, bench), holds))


def _holds(claim: Equation, bench: Bench) -> bool:
    """Tell whether an edited claim holds: one cheap exact comparison first, then the whole judgement."""
    try:
        setting, names = _with_partials(claim, bench)
        left, right = sides(claim, replace(bench, names=names))
        return agrees(left, right, setting) and judge(left, right, setting).verdict in ("proved", "verified")
    except (DeriveError, NotImplementedError, RecursionError, TypeError, ValueError):
        return False


def _vocabulary(claim: Equation, bench: Bench) -> Vocabulary:
    """Return what an edit may bring in: the model's names, its functions' derivatives, its sizes."""
    spelled = [_parsed(key) for key in bench.names]
    written = [part for part in walk(claim.right) if isinstance(part, ast.Name)]
    names = [name for name in dict.fromkeys([*written, *spelled]) if isinstance(name, ast.Name) and render(name) in bench.names]
    calls = [_parsed(to_latex(item.value)) for item in bench.setting.network.definitions if _activates(item.value)]
    slopes = [replace(call, function=replace(call.function, primes=1)) for call in calls if isinstance(call, ast.Call)]
    return Vocabulary(names, slopes, sorted(bench.model.reading.meaning.sizes))


def _activates(value: Node) -> bool:
    return isinstance(value, Apply) and value.op.prime and isinstance(value.operands[0], Var)


def _parsed(latex: str) -> ast.Node | None:
    try:
        return read_formula(latex)
    except DeriveError:
        return None


def _judge_in(claim: Equation, bench: Bench) -> Verdict:
    try:
        setting, names = _with_partials(claim, bench)
        left, right = sides(claim, replace(bench, names=names))
    except ShapeError as error:
        return Verdict("ill-typed", str(error), bench.setting.derivation.assumptions)
    except DeriveError as error:
        return Verdict("unread", str(error))
    try:
        verdict = judge(left, right, setting)
        if verdict.verdict == "refuted" and (name := _opaque(claim, left, right, bench)):
            return Verdict("undecided", f"the definition of {name} on the page goes beyond what is read", verdict.assumptions)
        return verdict
    except (DeriveError, NotImplementedError, RecursionError) as error:
        return Verdict("undecided", str(error) or "the formula is nested too deeply", setting.derivation.assumptions)


def _opaque(claim: Equation, left: Node, right: Node, bench: Bench) -> str:
    """Return a function that stands for any function although the page defines it, or ""."""
    called = called_functions(claim.left) + called_functions(claim.right)
    defined = {name for name, f in bench.facts.functions_at(bench.model.sketch.order, called).items() if f.body is not None}
    labels = {str(p) for side in (left, right) for part in walk_nodes(side) if isinstance(part, Apply) for p in part.params}
    return next(iter(sorted(defined & labels)), "")


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


def _with_partials(claim: Equation, bench: Bench) -> tuple[Setting, dict[str, Var]]:
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


# ---------------------------------------------------------------- the chain rule itself
_CHAIN_PARTS = (ast.Derivative, ast.Product, ast.Sum, ast.Name, ast.Neg)


def generic_chain(claim: Equation, sketches: Sequence[Sketch], section: int) -> Verdict | None:
    """Judge a statement of the chain rule about names that no model defines: any functions, of scalars.

    `∂L/∂θ = ∂L/∂z · ∂z/∂θ` holds for L a function of z and z one of θ; None where a claim is not of this kind.
    """
    pairs = _derivative_pairs(claim)
    if not pairs or any(key in s.keys() for s in sketches if s.section == section for pair in pairs for key in pair):
        return None
    if not all(isinstance(p, _CHAIN_PARTS) for s in (claim.left, claim.right) for p in walk(s)):
        return None
    network = _chain_network(pairs)
    if network is None:
        return None
    partials, names = {}, {}
    for of, by in pairs:
        value = _partial(network, Var(of), Var(by))
        if value is None:
            return None
        name = Var(cotangent_key(of, by))
        names[cotangent_key(of, by)], partials[name] = name, (Var(of), Var(by), value)
    derivation = derive_gradients(network, wanted=free_variables(network))
    order = " of ".join(f"${d.name.latex}$ a function" for d in reversed(network.definitions))
    note = f"{order} of ${free_variables(network)[0].latex}$, all scalars (for vectors: Jacobians in numerator layout)"
    derivation = replace(derivation, assumptions=(note,))
    setting = Setting(network, derivation, {}, network.loss, partials)
    left = _chain_side(claim.left, names)
    verdict = judge(left, _chain_side(claim.right, names), setting)
    if verdict.verdict != "refuted":
        return verdict

    def holds(right: ast.Node) -> bool:
        try:
            return judge(left, _chain_side(right, names), setting).verdict == "proved"
        except (AssertionError, DeriveError, KeyError):
            return False

    return replace(verdict, diagnosis=diagnose(claim.left, claim.right, Vocabulary((), (), ()), holds))


def _derivative_pairs(claim: Equation) -> list[tuple[str, str]]:
    found = []
    for part in (p for side in (claim.left, claim.right) for p in walk(side)):
        if isinstance(part, ast.Derivative):
            if not isinstance(part.of, ast.Name) or not isinstance(part.wrt, ast.Name):
                return []
            found.append((render(part.of), render(part.wrt)))
    return list(dict.fromkeys(found))


def _chain_network(pairs: Sequence[tuple[str, str]]) -> Network | None:
    """Return scalars, each an arbitrary function of the one below it, if the derivatives form a single chain."""
    direct = [
        (of, by) for of, by in pairs
        if not any((of, mid) in pairs and (mid, by) in pairs for mid in {name for pair in pairs for name in pair})
    ]  # fmt: skip
    above = dict((by, of) for of, by in direct)
    starts = [by for by in above if by not in above.values()]
    if len(above) != len(direct) or len(starts) != 1:
        return None
    definitions, name = [], starts[0]
    while name in above and len(definitions) < len(direct):
        definitions.append(Named(Var(above[name]), unknown(f"f_{{{above[name]}}}", Var(name))))
        name = above[name]
    if len(definitions) != len(direct) or name in above:
        return None
    return Network("chain rule", tuple(definitions), Var(name), (Var(starts[0]),))


def _partial(network: Network, of: Var, by: Var) -> Node | None:
    inner = restricted(replace(network, loss=of), of)
    derived = derive_gradients(inner, wanted=free_variables(network))
    found = next((e for e in derived.equations if e.of == by and e.role in ("cotangent", "gradient")), None)
    if found is None:
        return None
    values = {e.name: e.value for e in derived.equations if e.role == "cotangent"}
    value = found.value
    for _ in values:
        value = value.xreplace(values)
    return value


def _chain_side(node: ast.Node, names: Mapping[str, Var]) -> Node:
    if isinstance(node, ast.Product):
        return _chain_side(node.left, names) * _chain_side(node.right, names)
    if isinstance(node, ast.Sum):
        left, right = _chain_side(node.left, names), _chain_side(node.right, names)
        return left + right if node.sign == "+" else left - right
    if isinstance(node, ast.Neg):
        return -_chain_side(node.arg, names)
    assert isinstance(node, ast.Derivative)
    assert isinstance(node.of, ast.Name) and isinstance(node.wrt, ast.Name)
    return names[cotangent_key(render(node.of), render(node.wrt))]
