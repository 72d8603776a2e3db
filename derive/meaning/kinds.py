"""Which name is a scalar, a vector or a matrix: the most usual reading under which every equation fits."""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import sympy

from derive.errors import DeriveError, ShapeError, UnreadError
from derive.meaning.elaborate import elaborate
from derive.meaning.outline import names_in, walk
from derive.meaning.parts import Part, is_number, ordered
from derive.meaning.samples import WEIGHTS, is_softmax, samples_of
from derive.meaning.shaping import Sizes, declared_shape, kind_of, measure
from derive.meaning.terms import HADAMARD, Meaning, Term, is_running, key_of
from derive.notation import bare_letter, split_name
from derive.read import syntax as ast
from derive.read.spelling import render

LOSSES = frozenset(["L", "J", "E", "C", r"\ell", "MSE", "BCE", "CE", "NLL", "loss", "Loss", "cost", "Cost"])
SCALARS = frozenset(
    [r"\alpha", r"\eta", r"\lambda", r"\epsilon", r"\varepsilon", r"\tau", "N", "m", "n", "d", "k", "K"]
)
KINDS = ("scalar", "vector", "matrix")
_LETTER = re.compile(r"[a-z]|\\[a-z]+|\\(?:hat|tilde|bar)\{[a-z]\}")  # of no font
TRIES = 60  # readings tried for the names that one equation brings in


@dataclass(frozen=True, slots=True)
class Written:
    """An equation of a model: both sides as trees, and whether a vector of one entry may stand for a scalar."""

    left: ast.Node
    right: ast.Node
    is_loss: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the page says besides its equations: declared sizes, and words such as "weight vector"."""

    declared: Mapping[str, tuple[str, ...]]
    words: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reading:
    """Kinds and sizes under which the equations fit, and the equations' terms."""

    meaning: Meaning
    sizes: Sizes
    terms: tuple[tuple[Term, Term], ...]


def is_loss_name(key: str) -> bool:
    r"""Tell whether a name is usual for a loss.

    >>> is_loss_name(r"\mathcal{L}"), is_loss_name("W")
    (True, False)
    """
    return bare_letter(key) in LOSSES


def costs(key: str, uses: Sequence[ast.Node], evidence: Evidence) -> dict[str, float]:
    """Return how unusual each kind would be for a name; a kind left out is impossible."""
    if key in evidence.declared:
        return {kind_of(declared_shape(evidence.declared[key])): 0.0}
    said = evidence.words.get(key, "")
    base = _by_spelling(key, uses)
    if any(isinstance(use, ast.Transpose) for use in uses) and "scalar" in base:
        base = {**base, "scalar": base["scalar"] + 3.0}  # nobody transposes a number
    for kind in KINDS:
        if kind in said:
            return {**{k: cost + 3 for k, cost in base.items()}, kind: 0.0}
    return base


def numbers(sides: Sequence[ast.Node]) -> dict[str, tuple[str, ...]]:
    """Return the names in formulas as declared numbers, where nothing hints at anything else: d/dv (x - u v)^2."""
    names = [name for side in sides for name in names_in(side)]
    plain = all(_is_plain_loss(name) or (not name.subs and _LETTER.fullmatch(name.base)) for name in names)
    return {} if _hint_at_arrays(sides) or not plain else {render(name): () for name in names}


def small_numbers(sides: Sequence[ast.Node]) -> dict[str, tuple[str, ...]]:
    """Return the names in formulas as declared numbers, where all are of small letters and nothing is an array."""
    names = [name for side in sides for name in names_in(side)]
    letters = (name.base.removeprefix("\\") for name in names if not _is_plain_loss(name))
    small = all(letter.isalpha() and letter.islower() for letter in letters)
    return {} if _hint_at_arrays(sides) or not small else {render(name): () for name in names}


def _hint_at_arrays(sides: Sequence[ast.Node]) -> bool:
    """Tell whether something in formulas makes sense of arrays alone, or is written for them."""
    parts = [part for side in sides for part in walk(side)]
    hints = any(isinstance(part, ast.Transpose | ast.Norm | ast.Big | ast.Entry | ast.Matrix) for part in parts)
    return hints or any(isinstance(part, ast.Product) and part.sign in HADAMARD for part in parts)


def _is_plain_loss(name: ast.Name) -> bool:
    """Tell whether a name is that of a loss, also of a part of it that a word names: L_{total}."""
    words = (isinstance(sub, ast.Name) and sub.base.isalpha() and len(sub.base) > 1 for sub in name.subs)
    return is_loss_name(name.base) and all(words)


def _by_spelling(key: str, uses: Sequence[ast.Node]) -> dict[str, float]:
    letter = bare_letter(key)
    base = split_name(key)[0]
    turned = any(isinstance(use, ast.Transpose) for use in uses)
    if is_loss_name(key) or (letter in SCALARS and not turned):
        return {"scalar": 0.0, "vector": 5.0, "matrix": 6.0}
    if turned and any(_indexed(use) for use in uses):
        return {"matrix": 0.0, "vector": 2.0}
    if any(_indexed(use) for use in uses):
        return {"vector": 0.0, "matrix": 0.6}
    if any(font in base for font in (r"\mathbf", r"\boldsymbol", r"\bm", r"\vec")):
        return {"matrix": 0.0, "vector": 2.0} if letter.isupper() else {"vector": 0.0, "scalar": 3.0, "matrix": 3.0}
    if letter.isupper() or letter in (r"\Theta", r"\Delta"):
        return {"matrix": 0.0, "vector": 0.8, "scalar": 2.0}
    return {"vector": 0.0, "scalar": 0.4, "matrix": 3.0}


def _indexed(use: ast.Node) -> bool:
    name = use.arg if isinstance(use, ast.Transpose) else use
    return isinstance(name, ast.Name) and any(map(is_running, name.subs))


def collapsed(kinds: Mapping[str, str], declared: Collection[str]) -> str:
    """Return a weight that came out as a number beside vectors, of which no page speaks; "" where there is none.

    Then the equations fit for a wrong reason, and in a product of it any order is right.
    """
    several = any(kind not in ("scalar", "") for kind in kinds.values())
    numbers = (key for key, kind in kinds.items() if kind == "scalar" and key not in declared)
    return next((key for key in numbers if several and bare_letter(key) in WEIGHTS), "")


def equation_indices(left: ast.Node) -> frozenset[str]:
    """Return the running indices of an equation: the letters in its left side's subscripts."""
    names = [left] if isinstance(left, ast.Name) else names_in(left)
    return frozenset(render(s) for name in names for s in name.subs if is_running(s))


def readings(equations: Sequence[Written], base: Meaning, evidence: Evidence) -> Iterator[Reading]:
    """Yield readings under which all equations fit, the most usual first.

    Raises:
        ShapeError: no reading fits; the message is that of the most usual one.
    """
    sizes = Sizes()
    for key, lengths in evidence.declared.items():
        sizes.shapes[key] = declared_shape(lengths)
    if base.given:  # what else is called a size is one of those that shapes are made of
        told = {symbol for shape in sizes.shapes.values() for length in shape for symbol in length.free_symbols}
        named = {sympy.Symbol(word, integer=True, positive=True) for word in base.sizes}
        sizes.unknown.update(named - told)
    found = False
    failure: list[DeriveError] = []
    for reading in _search(list(equations), Reading(base, sizes, ()), _Names.of(equations, evidence), failure):
        found = True
        yield reading
    if not found:
        raise failure[-1 if base.given else 0] if failure else ShapeError("the equations do not fit together")


@dataclass(frozen=True, slots=True)
class _Names:
    """What a search asks again and again of its equations: the names of each, and what each name may be.

    `identity` are the names of the identity matrix, `found` the options of the names asked for so far.
    """

    equations: list[Written]
    evidence: Evidence
    identity: frozenset[str]
    found: dict[tuple[str, bool], list[tuple[str, float]]] = field(default_factory=dict)
    keys: dict[int, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, equations: Sequence[Written], evidence: Evidence) -> _Names:
        """Return the names of equations."""
        return cls(list(equations), evidence, identity_names(equations) - {*evidence.declared})

    def options(self, key: str, is_named: bool) -> list[tuple[str, float]]:
        """Return the kinds that a name may be of, the most usual first."""
        if (key, is_named) not in self.found:
            options = _options(key, is_named, self.equations, self.evidence)
            self.found[key, is_named] = sorted(options.items(), key=lambda pair: pair[1])
        return self.found[key, is_named]

    def of_equation(self, equation: Written) -> list[str]:
        """Return the names in one of the equations."""
        if id(equation) not in self.keys:
            self.keys[id(equation)] = _keys(equation)
        return self.keys[id(equation)]


def _search(rest: list[Written], so_far: Reading, names: _Names, failure: list[DeriveError]) -> Iterator[Reading]:
    if not rest:
        yield so_far
        return
    equation, *others = rest
    known = {*so_far.meaning.kinds, *so_far.meaning.sizes, *names.identity}
    new = [key for key in names.of_equation(equation) if key not in known]
    named = _keys(Written(equation.left, equation.left))
    options = [names.options(key, key in named) for key in new]
    strict = replace(equation, is_loss=False)
    choices = list(itertools.islice(_cheapest(options), TRIES))
    scalar_loss = [kinds for kinds in choices if equation.is_loss and kinds[-1:] == ("scalar",)]
    relaxed = [(kinds, equation) for kinds in scalar_loss if len(set(kinds[:-1])) < 2]  # y and ŷ lie alike
    rest_of = [kinds for kinds in choices if kinds not in scalar_loss]
    for kinds, written in [*((k, strict) for k in scalar_loss), *relaxed, *((k, strict) for k in rest_of)]:
        meaning = replace(so_far.meaning, kinds={**so_far.meaning.kinds, **dict(zip(new, kinds, strict=True))})
        told = meaning.given and {*names.of_equation(equation)} - {*named} <= {*names.evidence.declared}
        try:
            terms, sizes, meaning = _fitted(written, meaning, so_far.sizes, told)
        except DeriveError as error:
            failure.append(error)
            continue
        yield from _search(others, Reading(meaning, sizes, (*so_far.terms, terms)), names, failure)


def _fitted(
    written: Written, meaning: Meaning, sizes: Sizes, told: bool
) -> tuple[tuple[Term, Term], Sizes, Meaning]:  # fmt: skip
    """Fit an equation; one of told vectors may show that products of these are entrywise."""
    try:
        return *fit(written, meaning, sizes), meaning
    except ShapeError:
        if not told or meaning.entrywise:
            raise
        meaning = replace(meaning, entrywise=True)
        return *fit(written, meaning, sizes), meaning


def _options(key: str, is_named: bool, equations: list[Written], evidence: Evidence) -> dict[str, float]:
    """Return how unusual each kind would be for a name; what an equation names may be a row as well: z = x^T A."""
    if key in (UNNAMED, *UNNAMED_BESIDE):
        return dict.fromkeys((*KINDS, "row"), 0.0)
    found = costs(key, _uses(key, equations), evidence)
    if "vector" in found and key not in evidence.declared:
        if key in _before_matrices(equations):
            return found | {"row": found["vector"] + BEFORE_MATRIX}
        if is_named:
            return found | {"row": found["vector"] + LYING}
    return found


def _before_matrices(equations: Sequence[Written]) -> set[str]:
    """Return the names that stand right before a capital letter, x in x W, and those that equations give to these."""
    found: set[str] = set()
    for equation in equations:
        products = (part for part in walk(equation.right) if isinstance(part, ast.Product) and part.sign == "")
        before = {render(part.left) for part in products if isinstance(part.left, ast.Name) and _is_capital(part.right)}
        found |= before | ({render(equation.left)} if before else set())
    return found


def _is_capital(node: ast.Node) -> bool:
    return isinstance(node, ast.Name) and bare_letter(node.base).isupper()


BEFORE_MATRIX = 0.6  # how much less usual a row is than a vector where it stands before a matrix
LYING = 4.0  # and elsewhere
UNNAMED = r"\mathit{f}"  # what a formula is called that has no name; its spelling says nothing of it
UNNAMED_BESIDE = (r"\mathit{g}", r"\mathit{h}", r"\mathit{q}")  # and others beside it
SCALAR_LETTERS = frozenset(
    [
        r"\alpha", r"\beta", r"\gamma", r"\epsilon", r"\varepsilon", r"\eta", r"\lambda", r"\mu", r"\rho",
        r"\sigma", r"\tau",
    ]
)  # fmt: skip


def identity_names(equations: Sequence[Written]) -> frozenset[str]:
    """Return "I" where it stands for the identity matrix: always as a term of a sum, times a number at most."""
    sides = [side for equation in equations for side in (equation.left, equation.right)]
    uses = sum(name == ast.Name("I") for side in sides for name in names_in(side))
    sums = [part for side in sides for part in walk(side) if isinstance(part, ast.Sum)]
    terms = [term for part in sums for term in (part.left, part.right)]
    return frozenset(["I"]) if uses and uses == sum(map(_is_multiple_of_identity, terms)) else frozenset()


def _is_multiple_of_identity(term: ast.Node) -> bool:
    if isinstance(term, ast.Product) and term.right == ast.Name("I"):
        base = term.left.base if isinstance(term.left, ast.Power) else term.left
        is_number = isinstance(base, ast.Number | ast.Quotient)
        return is_number or (isinstance(base, ast.Name) and base.base in SCALAR_LETTERS)
    return term == ast.Name("I")


def _keys(equation: Written) -> list[str]:
    indices = equation_indices(equation.left)
    keys = []
    for node in (equation.right, equation.left):
        bound = frozenset(
            render(part.index) for part in walk(node) if isinstance(part, ast.Big) and part.index is not None
        )
        keys += [key_of(name, indices | bound)[0] for name in names_in(node)]
    return list(dict.fromkeys(keys))


def _uses(key: str, equations: Sequence[Written]) -> list[ast.Node]:
    """Return how a name occurs, with the transpose around it."""
    found: list[ast.Node] = []
    for equation in equations:
        for side in (equation.left, equation.right):
            for part in walk(side):
                name = part.arg if isinstance(part, ast.Transpose) else part
                if isinstance(name, ast.Name) and key in (render(name), render(replace(name, subs=()))):
                    found.append(part)
    return found


def _cheapest(options: list[list[tuple[str, float]]]) -> Iterator[tuple[str, ...]]:
    """Yield one choice per option list, by rising total cost."""
    if not all(options):
        return
    start = (0,) * len(options)
    heap = [(sum(option[0][1] for option in options), start)]
    seen = {start}
    while heap:
        _, at = heapq.heappop(heap)
        yield tuple(option[k][0] for option, k in zip(options, at, strict=True))
        for place, k in enumerate(at):
            nxt = (*at[:place], k + 1, *at[place + 1 :])
            if k + 1 < len(options[place]) and nxt not in seen:
                seen.add(nxt)
                heapq.heappush(heap, (sum(option[j][1] for option, j in zip(options, nxt, strict=True)), nxt))


def fit(equation: Written, meaning: Meaning, sizes: Sizes) -> tuple[tuple[Term, Term], Sizes]:
    """Return both sides' terms and the sizes after making the sides' shapes equal.

    Raises:
        ShapeError: the sides cannot have the same shape.
    """
    if isinstance(equation.left, ast.Name) and len(set(equation.left.subs)) < len(equation.left.subs):
        raise UnreadError(f"${render(equation.left)}$ are the entries of the diagonal alone; the others are not said")
    own = frozenset(render(s) for n in names_in(equation.left) if _is_own_name(n, meaning) for s in n.subs)
    inside = replace(meaning, indices=equation_indices(equation.left) - own)
    first: DeriveError | None = None
    dots = ("inner", "hadamard", "entrywise")[: 3 if equation.is_loss or meaning.entrywise else 2]
    whole = any(map(is_softmax, walk(equation.right)))
    lying = samples_of(equation.right) or (meaning.samples or "rows" if whole else "columns")
    ways = ("rows", "columns") if lying == "rows" else ("columns", "rows")
    stretches = ("", *ways) if meaning.given else ("", meaning.samples) if whole and meaning.samples else ("",)
    for stretch, dot in itertools.product(stretches, dots):
        trial, here = sizes.copy(), replace(inside, dot=dot, stretch=stretch)
        try:
            left, right = (elaborate(side, here) for side in (equation.left, equation.right))
            return _meet(left, right, trial, equation), trial
        except ShapeError as error:
            first = first or error
    assert first is not None
    raise first


def _is_own_name(name: ast.Name, meaning: Meaning) -> bool:
    """Tell whether a name with a letter below is known as such: c_t beside c."""
    return bool(name.subs) and render(name) in meaning.kinds


def _meet(left: Part, right: Part, sizes: Sizes, equation: Written) -> tuple[Term, Term]:
    """Return both sides as whole arrays of one shape; a loss that came out as a vector is that of one entry."""
    one = left.term
    shape, other = measure(one, sizes), measure(right.term, sizes)
    if equation.is_loss and left.kind == "scalar" and right.kind == "vector" and not right.letters:
        sizes.unify(other[0], sympy.Integer(1), f"the loss ${render(equation.left)}$ must be a scalar")
        return one, Term("sum", (right.term,))
    lost = [letter for letter in right.letters if letter not in left.letters]
    if lost:
        raise ShapeError(f"${render(equation.left)}$ lacks the index {', '.join(lost)} of its right side")
    if left.kind != right.kind and not (is_number(right) and left.kind == "scalar"):
        raise ShapeError(f"${render(equation.left)}$ is a {left.kind}, the right side a {right.kind}")
    if is_number(right) and not shape:
        return one, right.term
    term = ordered(right, left.letters, equation.right)
    sizes.unify_shapes(shape, measure(term, sizes), f"${render(equation.left)}$ and its right side")
    return one, term
