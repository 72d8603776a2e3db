"""A model of a page with its shapes: kinds and sizes are found so that every equation fits, names get variables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from derive.errors import DeriveError, ModelError, ShapeError
from derive.expr import Apply, Node, Var, rebuild, variables, walk
from derive.meaning.facts import Facts, called_functions, key_without_indices
from derive.meaning.functions import SIGMA
from derive.meaning.kinds import (
    Evidence,
    Reading,
    Written,
    equation_indices,
    is_loss_name,
    numbers,
    readings,
    small_numbers,
)
from derive.meaning.layers import moved, shifted
from derive.meaning.models import Sketch
from derive.meaning.naming import MARKED
from derive.meaning.outline import Equation, Outline, names_in
from derive.meaning.outline import walk as walk_tree
from derive.meaning.samples import EACH, is_softmax, samples_in
from derive.meaning.shaping import Sizes, build, name_sizes
from derive.meaning.targets import with_target_domains
from derive.meaning.terms import Meaning, cotangent_key
from derive.model import Definition, Network, free_variables, is_data, ordered, outputs, trained
from derive.notation import bare_letter, batch_name, delta_name, split_name
from derive.ops import table
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.shapes import ROW

LAYER = re.compile(r"\^\{[\[(]?([^\]\)}]*)[\])]?\}")


@dataclass(frozen=True, slots=True)
class ReadModel:
    """A model as read: the network, its variables by spelling, what was assumed.

    `spelled` are the names as the page writes them, `cotangents` the names that stand for a cotangent.
    """

    sketch: Sketch
    network: Network
    reading: Reading
    names: Mapping[str, Var]
    declared: frozenset[str] = frozenset()
    cotangents: Mapping[str, Var] = field(default_factory=dict)


def build_model(sketch: Sketch, facts: Facts, found: Outline) -> ReadModel:
    """Return the model of a sketch.

    Args:
        sketch: Its definitions.
        facts: The page's functions and names of cotangents.
        found: The page's declarations.
    Raises:
        DeriveError: no kinds fit; the message names the equation's line.
    """
    written = [_written(item.equation, item is sketch.loss) for item in sketch.all()]
    written += _next_layer(written)
    meaning = _base_meaning(sketch, written, facts, found)
    found = without_namesakes(found, sketch, facts)
    told = {**_plain_numbers(written, found), **found.declared}
    try:
        reading = _most_usual(written, meaning, Evidence(told, found.words))
    except ShapeError:  # w_1 x + w_2 y multiplies numbers, though such letters are vectors elsewhere
        scalars = small_numbers([side for w in written for side in (w.left, w.right)])
        if not scalars:
            raise
        reading = _most_usual(written, meaning, Evidence({**scalars, **told}, found.words))
    return _assemble(sketch, written, reading, facts, found)


def without_namesakes(found: Outline, sketch: Sketch, facts: Facts) -> Outline:
    """Return the outline without what another section declares of names that it defines itself, as this model does."""
    homes = {item.key: item.section for item in sketch.all()}
    defined = {(item.key, item.section) for item in facts.definitions}
    others = {
        name for name, section in found.declared_in.items()
        if name in homes and homes[name] != section and (name, section) in defined
        and found.headings[homes[name]][: len(found.headings[section])] != found.headings[section]
    }  # fmt: skip
    if not others:
        return found
    return replace(found, declared={name: sizes for name, sizes in found.declared.items() if name not in others})


def _plain_numbers(written: Sequence[Written], found: Outline) -> dict[str, tuple[str, ...]]:
    """Return the names of a model as declared numbers, where nothing that is written or told hints at arrays."""
    scalars = numbers([side for w in written for side in (w.left, w.right)])
    return {} if scalars.keys() & (found.declared.keys() | found.words.keys() | found.domains.keys()) else scalars


def _written(equation: Equation, is_loss: bool) -> Written:
    return Written(equation.left, equation.right, is_loss or is_loss_name(render(equation.left)), equation.place.line)


# ---------------------------------------------------------------- a general layer
def layer_letter(written: Iterable[Written]) -> str:
    """Return the letter of a general layer (`l` in `Z^{[l]}`), or ""."""
    for equation in written:
        for name in names_in(equation.left):
            if (
                isinstance(name.sup, ast.Name)
                and name.style in MARKED
                and name.sup.base in ("l", r"\ell", "k", "L")
            ):
                return name.sup.base
    return ""


def _next_layer(written: Sequence[Written]) -> list[Written]:
    """Return the equations of layer l + 1 that use layer l: the recursion needs the layer above."""
    letter = layer_letter(written)
    if not letter:
        return []
    below, above = (shifted(ast.Name(letter), step) for step in (-1, 1))
    known = {render(equation.left) for equation in written}
    found = []
    for equation in written:
        if any(name.sup == below for name in names_in(equation.right)):
            left, right = (moved(side, letter, above) for side in (equation.left, equation.right))
            if render(left) not in known:
                found.append(Written(left, right, False, equation.line))
    return found


# ---------------------------------------------------------------- kinds
def _base_meaning(sketch: Sketch, written: Sequence[Written], facts: Facts, found: Outline) -> Meaning:
    called = {n for w in written for side in (w.left, w.right) for n in called_functions(side)}
    sizes = {
        render(part.upper)
        for w in written
        for part in walk_tree(w.right)
        if isinstance(part, ast.Big) and isinstance(part.upper, ast.Name)
    }
    lengths = [word for shape in found.declared.values() for word in shape]
    sizes |= {part.strip() for word in lengths for part in word.split("*") if not part.strip().isdigit()}
    sizes -= {key_without_indices(w.left) for w in written if isinstance(w.left, ast.Name)}
    functions, given = facts.functions_at(sketch.order, called), bool(found.domains) or found.stretched
    samples = samples_in((equation.left, equation.right) for equation in written)
    return Meaning({}, functions, frozenset(sizes), given=given, samples=samples)


def _most_usual(written: list[Written], meaning: Meaning, evidence: Evidence) -> Reading:
    """Return the most usual reading under which the equations fit.

    Claims have no say in it: read with kinds that suit it, a wrong claim may come out right.
    """
    try:
        return next(readings(written, meaning, evidence))
    except DeriveError as error:
        lines = ", ".join(str(line) for line in sorted({w.line for w in written}))
        raise type(error)(f"line {lines}: {error}") if isinstance(error, ShapeError | ModelError) else error from None


def cotangent_aliases(kinds: Mapping[str, str], loss: str, facts: Facts) -> dict[str, str]:
    r"""Return every spelling of a cotangent and the key of its variable: `\frac{\partial L}{\partial W}`, `\delta`.

    What the page defines as δ comes first; δ of other layers follows its pattern, or the usual one: ∂L/∂z.
    """
    aliases = {cotangent_key(loss, key): key for key in kinds}
    letters: dict[str, str] = {}
    for _, name, derivative in facts.cotangents:
        if isinstance(derivative.wrt, ast.Name) and render(derivative.wrt) in kinds:
            aliases[name] = render(derivative.wrt)
            letters.setdefault(split_name(name)[0], split_name(render(derivative.wrt))[0])
    for base, letter in {r"\delta": "", **letters}.items():
        for key in kinds:
            own, scripts = split_name(key)
            if (own == letter or (not letter and own.lower() == "z")) and base + scripts not in kinds:
                aliases.setdefault(base + scripts, key)
    return aliases


# ---------------------------------------------------------------- variables
def _assemble(sketch: Sketch, written: Sequence[Written], reading: Reading, facts: Facts, found: Outline) -> ReadModel:
    keys = [_left_key(w) for w in written]
    used = list(reading.meaning.kinds)
    _name_sizes(reading.sizes, keys, used, reading.meaning.sizes)
    names, notes = _variables(reading, written, found.domains)
    if facts.assumes_sigmoid(reading.meaning.functions):
        notes.append(rf"${SIGMA}$ is the logistic sigmoid, $1 / (1 + e^{{-z}})$")
    built = [
        Definition(names[key], build(terms[1], reading.sizes, names), w.line)
        for key, w, terms in zip(keys, written, reading.terms, strict=True)
    ]
    notes += [note for item, w in zip(built, written, strict=True) for note in _softmax_notes(item, w.right)]
    loss = names.get(sketch.loss_key) if sketch.loss is not None else None
    network = Network(sketch.title, ordered(built), loss, assumptions=(*sketch.assumptions, *notes))
    network, domains = with_target_domains(network, {name for key, name in names.items() if found.domains.get(key)})
    names = {key: domains.get(var, var) for key, var in names.items()}
    network = name_pre_activations(_with_cotangents(with_parameters(network), names, facts, written))
    cotangents = {a: names[k] for a, k in cotangent_aliases(reading.meaning.kinds, sketch.loss_key, facts).items()}
    return ReadModel(sketch, network, reading, names, frozenset(found.declared), cotangents)


def _softmax_notes(item: Definition, right: ast.Node) -> list[str]:
    """Return of which axis of a matrix a softmax is, where the formula does not say it."""
    if not any(map(is_softmax, walk_tree(right))):
        return []
    found = [part.params for part in walk(item.value) if isinstance(part, Apply) and part.op.name == table.SOFTMAX]
    words = [f"{EACH} {'row' if params == (1,) else 'column'}" for params in found if params]
    return list(dict.fromkeys(words))


def with_parameters(network: Network) -> Network:
    """Differentiate a loss that stands alone by its predictions, which wear a hat; else leave the usual choice."""
    if len(network.definitions) > 1 or trained(network):
        return network
    free = [name for name in free_variables(network) if name.domain == "real"]
    predicted = [name for name in free if name.latex.startswith((r"\hat", r"\tilde"))] or free[:1]
    return replace(network, parameters=tuple(predicted))


def _left_key(written: Written) -> str:
    return key_without_indices(written.left) if isinstance(written.left, ast.Name) else render(written.left)


def _variables(
    reading: Reading, written: Sequence[Written], told: Mapping[str, str]
) -> tuple[dict[str, Var], list[str]]:
    """Return a variable for each name; a stack of vectors w_j becomes the matrix W of its rows."""
    names: dict[str, Var] = {}
    notes: list[str] = []
    stacks = {_stack_key(n) for w in written for side in (w.left, w.right) for n in names_in(side) if _is_entry(n, w)}
    for key, kind in reading.meaning.kinds.items():
        latex = compact(key)
        if (
            key in stacks
            and kind == "matrix"
            and (capital := batch_name(key)) not in reading.meaning.kinds
            and capital != key
        ):
            latex = capital
            notes.append(f"the rows of ${capital}$ are the vectors ${key}_j^T$")
        names[key] = Var(latex, reading.sizes.resolved(reading.sizes.shape(key, kind)), told.get(key) or "real")
    return names, notes


def compact(key: str) -> str:
    r"""Return a name without the blanks that a mark such as `l - 1` is spelled with.

    >>> compact("a^{[l - 1]}")
    'a^{[l-1]}'
    """
    return re.sub(r"\s*([+-])\s*", r"\1", key)


def _is_entry(name: ast.Name, written: Written) -> bool:
    return any(render(s) in equation_indices(written.left) for s in name.subs)


def _stack_key(name: ast.Name) -> str:
    return key_without_indices(name)


def _name_sizes(sizes: Sizes, keys: Sequence[str], used: Sequence[str], taken: Iterable[str]) -> None:
    preferred: dict[str, str] = {}
    vectors = [key for key in (*keys, *used) if len(sizes.shapes.get(key, ())) == 1]
    layered = [key for key in vectors if (m := LAYER.search(key)) and not m[1].isdigit()]
    for key in layered:
        match = LAYER.search(key)
        assert match is not None
        mark = match[1].replace(" ", "")
        preferred[f"{key}@0"] = f"n_{mark}" if len(mark) == 1 else f"n_{{{mark}}}"
    inputs = [key for key in used if split_name(key)[0] in ("x", r"\mathbf{x}", "X")]
    targets = [key for key in vectors if split_name(key)[0] in ("y", r"\hat{y}", r"\mathbf{y}", r"\hat{\mathbf{y}}")]
    hidden = [key for key in vectors if key not in (*layered, *inputs, *targets)]
    preferred.update({f"{key}@0": "n" for key in inputs})
    preferred.update({f"{key}@0": "k" for key in targets})
    ends = {sizes.find(sizes.shapes[key][0]) for key in (*targets, *inputs) if sizes.shapes.get(key)}
    roots = list(dict.fromkeys(sizes.find(sizes.shapes[key][0]) for key in hidden))
    roots = [root for root in roots if root in sizes.unknown and root not in ends]
    for place, root in enumerate(roots, 1):
        for key in hidden:
            if sizes.find(sizes.shapes[key][0]) == root:
                preferred[f"{key}@0"] = "h" if len(roots) == 1 else f"h_{place}"
    name_sizes(sizes, [*inputs, *targets, *layered, *hidden, *used], [*taken, *used], preferred)


def _with_cotangents(network: Network, names: Mapping[str, Var], facts: Facts, written: Sequence[Written]) -> Network:
    """Name cotangents as the page does, and that of the layer above a general layer δ^{[l+1]}."""
    own = {
        names[render(d.wrt)]: name
        for _, name, d in facts.cotangents
        if isinstance(d.wrt, ast.Name) and render(d.wrt) in names
    }
    letter = layer_letter(written)
    if letter and network.loss is None:
        own.update({out: delta_name(out.latex) for out in outputs(network) if bare_letter(out.latex) in "zZ"})
        above = [v for v in free_variables(network) if f"{letter}+1" in v.latex]
        free = [v for v in free_variables(network) if v not in above and not is_data(v)]
        network = replace(network, parameters=tuple(free))
    return replace(network, cotangents=own)


def name_pre_activations(network: Network) -> Network:
    """Give what goes into an activation a name of its own where it has none: ŷ = σ(wᵀx + b) becomes z, then σ(z)."""
    taken = {name.latex for name in (*free_variables(network), *(d.name for d in network.definitions))}
    definitions: list[Definition] = []
    for item in network.definitions:
        value = item.value
        inner = _unnamed_argument(value)
        if inner is not None and not is_loss_name(item.name.latex):
            scripts = split_name(item.name.latex)[1]
            latex = next(w for w in (f"z{scripts}", f"Z{scripts}", rf"z_{{{item.name.latex}}}") if w not in taken)
            taken.add(latex)
            fresh = Var(latex, inner.shape)
            definitions.append(Definition(fresh, inner, item.line))
            value = rebuild(value, lambda part, inner=inner, fresh=fresh: fresh if part == inner else None)  # type: ignore[misc]
        definitions.append(replace(item, value=value))
    return replace(network, definitions=tuple(definitions))


def _unnamed_argument(value: Node) -> Node | None:
    """Return the argument of an outermost function that holds a product, or None."""
    if not isinstance(value, Apply) or len(value.operands) != 1:
        return None
    (inner,) = value.operands
    activates = value.op.prime or value.op.define is not None
    holds_product = any(isinstance(part, Apply) and part.op.name == table.MATMUL for part in walk(inner))
    return inner if activates and value.shape == inner.shape and holds_product else None


def symbols_of(model: ReadModel) -> list[tuple[str, tuple[str, ...], bool]]:
    """Return each name, its shape as text (a row's first axis as 1), and whether the page declares it."""
    seen: dict[str, Var] = {}
    for item in model.network.definitions:
        for var in (*variables(item.value), item.name):
            seen.setdefault(var.latex, var)
    return [
        (latex, tuple("1" if length == ROW else str(length) for length in var.shape), latex in model.declared)
        for latex, var in seen.items()
    ]
