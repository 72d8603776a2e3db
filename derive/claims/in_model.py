"""The claims of a page: each brought into its model's names, and judged there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeGuard

from derive.claims.bench import Bench, parsed, right_side, sides, with_partials
from derive.diagnose.entry_edits import letters_of
from derive.diagnose.respelled import Respelling
from derive.diagnose.rewriting import Vocabulary, summands
from derive.diagnose.search import Search, diagnose
from derive.errors import DeriveError, ShapeError
from derive.expr import Apply, Node, Var, as_node, ones_like, rebuild
from derive.expr import walk as walk_nodes
from derive.meaning.facts import called_functions, key_without_indices
from derive.meaning.infer import compact
from derive.meaning.kinds import is_loss_name
from derive.meaning.outline import Equation, Place, names_in, walk
from derive.meaning.terms import is_running
from derive.model import Definition, upstream
from derive.op import TABLE
from derive.ops import table
from derive.printer import to_latex
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.shapes import axes
from derive.verify.judge import FALSE, GOOD, Diagnosis, Verdict
from derive.verify.literal import agrees_as_written, judge_as_written
from derive.verify.setting import Setting

MOST_HELD = 60  # names and pairs of names tried as constants


@dataclass(frozen=True, slots=True)
class JudgedClaim:
    """A claim with its verdict: where it stands, both sides as LaTeX, the section's title, the time it took.

    `id` is what a claims file calls it, `chain` where the chain begins of which it is a link.
    """

    latex: str
    place: Place
    lhs: str
    rhs: str
    verdict: Verdict
    title: str
    seconds: float
    id: str | None = None
    chain: Place | None = None


def written(claim: JudgedClaim) -> str:
    """Return a claim in LaTeX; of a chain the link alone."""
    chained = claim.chain is not None and claim.lhs and claim.rhs
    return f"{compact(claim.lhs)} = {compact(claim.rhs)}" if chained else claim.latex


@dataclass(frozen=True, slots=True)
class Page:
    """A claim as a page has it, to be mended in the page's words.

    Attributes:
        claim: The claim.
        judged: Brings it into the form in which it is judged.
        unnamed: Formulas by the names that they were given where the page has none.
        search: How much was searched for edits of the claim.
        spelling: How the page spells its names.
    """

    claim: Equation
    judged: Callable[[Equation], Equation]
    unnamed: Mapping[str, ast.Node] = field(default_factory=dict)
    search: Search = field(default_factory=Search)
    spelling: Respelling = field(default_factory=Respelling)


def judge_claim(claim: Equation, bench: Bench, page: Page | None = None) -> Verdict:
    """Judge one equation in a model's names; what does not hold gets a diagnosis where a small edit mends it."""
    return diagnosed(judge_once(claim, bench), claim, bench, page)


def diagnosed(verdict: Verdict, claim: Equation, bench: Bench, page: Page | None = None) -> Verdict:
    """Return a verdict with the small edit that mends the claim, if it is a false one and there is such an edit."""
    if verdict.verdict not in FALSE:
        return verdict
    page = page or Page(claim, lambda edited: edited)
    written = page.claim
    try:  # the derivatives that the claim speaks of are made once for all edits
        setting, names = with_partials(claim, bench)
        bench = replace(bench, setting=setting, names=names)
    except DeriveError:
        return verdict

    def holds(right: ast.Node) -> bool:
        return _holds(page.judged(replace(written, right=right)), bench)

    words = _in_words_of(page, vocabulary(claim.left, claim.right, bench), bench)
    found = diagnose(written.left, written.right, words, holds, page.search, page.spelling)
    return replace(verdict, diagnosis=found or _held_constant(claim, bench))


def _holds(claim: Equation, bench: Bench) -> bool:
    """Tell whether an edited claim holds: one cheap exact comparison first, then the whole judgement."""
    try:
        setting, names = with_partials(claim, bench)
        if _jacobian(claim, setting, names) is not None:
            return _judge_jacobian(claim, setting, replace(bench, names=names)).verdict in GOOD
        left, right = sides(claim, replace(bench, names=names))
        return agrees_as_written(left, right, setting) and judge_as_written(left, right, setting).verdict in GOOD
    except (DeriveError, NotImplementedError, RecursionError, TypeError, ValueError):
        return False


def _in_words_of(page: Page, words: Vocabulary, bench: Bench) -> Vocabulary:
    """Return a vocabulary without names that a page does not have, and with those of its claim."""
    written = [name for name in names_in(page.claim.right) if key_without_indices(name) in bench.names]
    own = [replace(name, subs=tuple(sub for sub in name.subs if not is_running(sub))) for name in written]
    names = [name for name in dict.fromkeys([*own, *words.names]) if render(name) not in page.unnamed]
    slopes = [call for call in words.slopes if not any(render(name) in page.unnamed for name in call.args)]
    slopes += [replace(call, args=(page.unnamed[key],)) for call in words.slopes
               if call not in slopes and (key := render(call.args[0])) in page.unnamed]  # fmt: skip
    entries = [name for name in words.entries if key_without_indices(name) not in page.unnamed]
    places = tuple(page.unnamed.values())
    return replace(words, names=names, slopes=slopes, entries=entries, places=places)


def vocabulary(left: ast.Node, right: ast.Node, bench: Bench, beyond: Iterable[Definition] = ()) -> Vocabulary:
    """Return what an edit may bring in: the model's names, functions and their derivatives, sizes, derived terms.

    `beyond` are definitions outside the model whose functions count as well: the last step of a recurrence.
    """
    spelled = [parsed(key) for key in bench.names]
    written = [part for part in walk(right) if isinstance(part, ast.Name)]
    names = [
        name
        for name in dict.fromkeys([*written, *spelled])
        if isinstance(name, ast.Name) and render(name) in bench.names
    ]
    definitions = (*bench.setting.network.definitions, *beyond)
    applied = [part for item in definitions for part in walk_nodes(item.value) if _activates(part)]
    known = bench.model.reading.meaning.functions
    calls = dict.fromkeys(_call(part) or parsed(to_latex(part), known) for part in applied)
    slopes = [replace(call, function=replace(call.function, primes=1)) for call in calls if isinstance(call, ast.Call)]
    softmax = {key: axis for key, var in bench.names.items() if (axis := _softmax_axis(var, bench)) is not None}
    sizes = [*sorted(bench.model.reading.meaning.sizes), *map(str, bench.setting.numbers.values())]
    free = [sub for part in walk(left) if isinstance(part, ast.Name) for sub in part.subs if is_running(sub)]
    entries = list(_entries(names, list(dict.fromkeys([*free, *letters_of(right)])), bench))
    matrices = frozenset(name for name in names if len(axes(bench.names[render(name)].shape)) == 2)
    return Vocabulary(names, slopes, sizes, softmax, tuple(_terms(left, bench)), entries, free=free, matrices=matrices)


def _call(part: Node) -> ast.Call | None:
    """Return an unknown function of a name as it is written; its letter alone does not tell that it is one."""
    if not (_is_unknown(part) and isinstance(part.operands[0], Var)):
        return None
    function, at = parsed(str(part.params[1])), parsed(part.operands[0].latex)
    return ast.Call(function, (at,)) if isinstance(function, ast.Name) and at is not None else None


def _entries(names: Iterable[ast.Name], letters: Sequence[ast.Node], bench: Bench) -> Iterator[ast.Name]:
    """Yield the entries of vectors, then those of matrices, then their rows, at the indices of a claim."""
    of = {name: len(axes(bench.names[render(name)].shape)) for name in names}
    for rank, count in ((1, 1), (2, 2), (2, 1)):
        for name in (name for name, axes_ in of.items() if axes_ == rank):
            for subs in itertools.permutations(letters, count):
                yield replace(name, subs=(*name.subs, *subs))


def _softmax_axis(var: Var, bench: Bench) -> int | None:
    """Return along which axis a name is a softmax; 2 for a vector."""
    value = bench.setting.network.value(var)
    if not (isinstance(value, Apply) and value.op.name == table.SOFTMAX):
        return None
    return int(value.params[0]) if value.params else 2


def _terms(left: ast.Node, bench: Bench) -> list[ast.Node]:
    """Return the terms of the derived equation for what a claim speaks of."""
    name = bench.setting.primary(bench.names[render(left)]) if render(left) in bench.names else None
    value = next((e.value for e in bench.setting.derivation.equations if e.name == name), None)
    written = bench.written_as(value) if value is not None else None
    tree = parsed(to_latex(written), bench.model.reading.meaning.functions) if written is not None else None
    return [] if tree is None else summands(tree)


def choices_held(setting: Setting, of: Var) -> list[frozenset[Var]]:
    """Return the names and pairs of names between a variable and the end that may wrongly be held constant."""
    defined = [item.name for item in setting.network.definitions if item.name not in (setting.end, of)]
    between = [name for name in defined if name in upstream(setting.network, (of,))]
    return [frozenset(c) for size in (1, 2) for c in itertools.combinations(between, size)][:MOST_HELD]


def _held_constant(claim: Equation, bench: Bench) -> Diagnosis | None:
    """Name what a claim holds constant although it depends on the variable: a norm's statistics, a recurrent state."""
    try:
        setting, names = with_partials(claim, bench)
        left, right = sides(claim, replace(bench, names=names))
    except DeriveError:
        return None
    of = setting.cotangents.get(left) if isinstance(left, Var) else None
    if of is None:
        return None
    for held in choices_held(setting, of):
        without = replace(setting, held=held, memory={})
        nothing = as_node(0) * ones_like(left)
        vanishes = agrees_as_written(left, nothing, without)  # nothing is left: this explains nothing
        if not vanishes and agrees_as_written(left, right, without):
            words = " and ".join(f"${item.name.latex}$" for item in setting.network.definitions if item.name in held)
            depend = "depends" if len(held) == 1 else "depend"
            text = f"it holds only with {words} held constant, which {depend} on ${of.latex}$"
            primary = setting.primary(left)
            value = next((e.value for e in setting.derivation.equations if e.name == primary), left)
            return Diagnosis("dependence dropped", text, f"{render(claim.left)} = {to_latex(bench.written_as(value))}")
    return None


def _activates(value: Node) -> bool:
    return isinstance(value, Apply) and value.op.prime and isinstance(value.operands[0], Var)


def judge_once(claim: Equation, bench: Bench) -> Verdict:
    """Judge one equation in a model's names; no error is looked for."""
    primed = [part.function for part in walk(claim.left) if isinstance(part, ast.Call) and part.function.primes]
    if any(is_loss_name(function.base) for function in primed):
        return Verdict("unread", "a loss is primed; by what it is differentiated is not read from its argument")
    try:
        setting, names = with_partials(claim, bench)
        jacobian = _jacobian(claim, setting, names)
        if jacobian is not None:
            return _judge_jacobian(claim, setting, replace(bench, names=names))
        left, right = sides(claim, replace(bench, names=names))
    except ShapeError as error:
        return Verdict("ill-typed", str(error), bench.setting.derivation.assumptions)
    except DeriveError as error:
        return Verdict("unread", str(error))
    try:
        verdict = judge_as_written(left, right, setting)
        if verdict.verdict == "refuted":
            return _excused(verdict, claim, left, right, replace(bench, setting=setting))
        return verdict
    except (DeriveError, NotImplementedError, RecursionError) as error:
        return Verdict("undecided", str(error) or "the formula is nested too deeply", setting.derivation.assumptions)


def _jacobian(claim: Equation, setting: Setting, names: Mapping[str, Var]) -> Var | None:
    """Return what the left side stands for where it is a whole Jacobian of a vector by a vector."""
    left = claim.left
    name = names.get(render(left)) if isinstance(left, ast.Derivative) and isinstance(left.of, ast.Name) else None
    partial = setting.partials.get(name) if name is not None else None
    if name is None or partial is None:
        return None
    return name if len(axes(partial.of.shape)) == len(axes(partial.by.shape)) == 1 else None


NUMERATOR = "numerator layout: the rows of a Jacobian are the entries of what is differentiated"
DENOMINATOR = "denominator layout: the columns of a Jacobian are the entries of what is differentiated"
ENTRYWISE = "each entry depends on its own alone: the diagonal of the Jacobian"
JACOBIANS = {"numerator": NUMERATOR, "denominator": DENOMINATOR}


def _judge_jacobian(claim: Equation, setting: Setting, bench: Bench) -> Verdict:
    """Judge a Jacobian in numerator layout, in denominator layout, and as the derivative of each entry by its own."""
    is_matrix = len(right_side(claim, bench).shape) == 2
    readings = (
        (claim, NUMERATOR),
        (replace(claim, left=ast.Transpose(claim.left)), DENOMINATOR),
        *(() if is_matrix else ((replace(claim, right=ast.Call(ast.Name("diag"), (claim.right,))), ENTRYWISE),)),
    )
    if bench.layout in JACOBIANS:
        readings = tuple(pair for pair in readings if pair[1] == JACOBIANS[bench.layout])
    failed: list[ShapeError] = []
    refuted: list[Verdict] = []
    for written, convention in readings:
        try:
            left, right = sides(written, bench)
        except ShapeError as error:
            failed.append(error)
            continue
        verdict = judge_as_written(left, right, setting)
        if verdict.verdict in GOOD:
            return replace(verdict, assumptions=(*verdict.assumptions, convention))
        refuted.append(verdict)
    if refuted and not is_matrix and bench.layout == "gradient" and _is_diagonal(claim, setting, bench):
        return replace(refuted[-1], assumptions=(*refuted[-1].assumptions, ENTRYWISE))
    if not is_matrix:
        return Verdict("unread", f"${render(claim.left)}$ is a Jacobian, and the right side is no matrix")
    if refuted:
        return refuted[0]
    raise failed[0]


def _is_diagonal(claim: Equation, setting: Setting, bench: Bench) -> bool:
    """Tell whether a Jacobian is the diagonal matrix of its row sums: each entry depends on its own alone."""
    sums = ast.Product("", claim.left, ast.Name(r"\mathbf{1}"))
    try:
        left, right = sides(replace(claim, right=ast.Call(ast.Name("diag"), (sums,))), bench)
    except DeriveError:
        return False
    return agrees_as_written(left, right, setting)


def _excused(verdict: Verdict, claim: Equation, left: Node, right: Node, bench: Bench) -> Verdict:
    """Take back a refutation that hangs on a function of which the page does not say what it is.

    A claim that holds for a usual activation may be right on a page that says so in words.
    """
    if name := _opaque(claim, left, right, bench):
        return Verdict(
            "undecided", f"the definition of {name} on the page goes beyond what is read", verdict.assumptions
        )
    if any(isinstance(part, ast.Call) and part.function.primes for part in walk(claim.right)):
        return verdict  # it speaks of the function's derivative as such, whatever the function is
    values = [definition.value for definition in bench.setting.network.definitions]
    nodes = (left, right, *values)
    labels = {str(part.params[1]) for node in nodes for part in walk_nodes(node) if _is_unknown(part)}
    for op in _usual_activations() if labels else ():
        definitions = tuple(replace(d, value=_named(d.value, op)) for d in bench.setting.network.definitions)
        network = replace(bench.setting.network, definitions=definitions)
        setting = replace(bench.setting, network=network, memory={})
        if agrees_as_written(_named(left, op), _named(right, op), setting):
            names = ", ".join(f"${label}$" for label in sorted(labels))
            return Verdict("undecided", f"holds if {names} is {op}; the page does not say", verdict.assumptions)
    return verdict


def _is_unknown(part: Node) -> TypeGuard[Apply]:
    return isinstance(part, Apply) and part.op.prime and part.op.body is None


def _usual_activations() -> list[str]:
    return [name for name, row in TABLE.items() if row.prime and row.body is not None]


def _named(node: Node, op: str) -> Node:
    """Return an expression with its unknown functions taken to be a known one."""

    def change(part: Node) -> Node | None:
        return Apply(op, _named(part.operands[0], op), *part.params) if _is_unknown(part) else None

    return rebuild(node, change)


def _opaque(claim: Equation, left: Node, right: Node, bench: Bench) -> str:
    """Return a function that stands for any function although the page defines it, or ""."""
    called = called_functions(claim.left) + called_functions(claim.right)
    defined = {
        name for name, f in bench.facts.functions_at(bench.model.sketch.order, called).items() if f.body is not None
    }
    labels = {
        str(p) for side in (left, right) for part in walk_nodes(side) if isinstance(part, Apply) for p in part.params
    }
    return next(iter(sorted(defined & labels)), "")
