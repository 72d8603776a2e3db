"""The small edits of a formula that a diagnosis tries: one generator for each kind of error, the most usual first."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from derive.read import syntax as ast
from derive.read.outline import names_in, walk
from derive.read.spelling import render

Change = Iterator[tuple[ast.Node, str]]


@dataclass(frozen=True, slots=True)
class Edit:
    """An edited tree, the kind of error that it mends, and a sentence about it."""

    node: ast.Node
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What edits may bring in.

    Attributes:
        names: Names of the model.
        slopes: Derivatives of its functions, as they stand in it.
        sizes: Its sizes.
        softmax: Names that are a softmax, with the axis; 2 for a vector.
        terms: The terms of the derived equation.
    """

    names: Sequence[ast.Name]
    slopes: Sequence[ast.Call]
    sizes: Sequence[str]
    softmax: Mapping[str, int] = field(default_factory=dict)
    terms: Sequence[ast.Node] = ()


def edits(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Yield edits, the most usual errors first; pairs of structural edits last."""
    structural = [edit for make in (_signs, _transposes, _products, _orders) for edit in make(node)]
    yield from structural
    yield from _slope_places(node, words)
    yield from _primes(node)
    yield from _inverses(node)
    yield from _softmaxes(node, words)
    yield from _layers(node, words)
    yield from _factors(node, words)
    yield from _dropped(node)
    yield from _numbers(node, words)
    yield from _functions(node, words)
    yield from _missing_terms(node, words)
    yield from _scaled_parts(node, words)
    yield from _indices(node)
    yield from _missing_names(node, words)
    yield from _other_names(node, words)
    yield from _exchanged(node)
    for first in structural:
        for make in (_transposes, _products, _orders, _signs):
            for second in make(first.node):
                if second.node != node:
                    kind = first.kind if first.kind == second.kind else f"{first.kind}, {second.kind}"
                    yield Edit(second.node, kind, f"{first.text}; {second.text}")


def rewrites(node: ast.Node, change: Callable[[ast.Node], Change]) -> Change:
    """Yield the tree with one of its parts changed, for every part and every change of it."""
    yield from change(node)
    for slot in node.__dataclass_fields__:
        part = getattr(node, slot)
        if slot in ("sup", "subs", "function", "wrt", "of", "index", "exponent"):
            continue
        if isinstance(part, ast.NODES):
            for new, text in rewrites(part, change):
                yield replace(node, **{slot: new}), text  # type: ignore[arg-type]
        elif isinstance(part, tuple):
            for k, item in enumerate(part):
                if isinstance(item, ast.NODES):
                    for new, text in rewrites(item, change):
                        yield replace(node, **{slot: (*part[:k], new, *part[k + 1 :])}), text  # type: ignore[arg-type]


def _signs(node: ast.Node) -> Iterator[Edit]:
    if isinstance(node, ast.Sum) and node.sign == "-":
        yield Edit(ast.Sum("-", node.right, node.left), "sign", "the difference is the wrong way round")

    def flip(part: ast.Node) -> Change:
        if isinstance(part, ast.Neg):
            yield part.arg, f"the sign of ${render(part.arg)}$ is wrong"
        if isinstance(part, ast.Sum):
            yield replace(part, sign="-" if part.sign == "+" else "+"), f"the sign of ${render(part.right)}$ is wrong"

    for new, text in rewrites(node, flip):
        yield Edit(new, "sign", text)
    yield Edit(ast.Neg(node), "sign", "the sign of the whole right side is wrong")


def _transposes(node: ast.Node) -> Iterator[Edit]:
    def add(part: ast.Node) -> Change:
        if isinstance(part, ast.Name | ast.Sum | ast.Call | ast.Product | ast.Derivative):
            yield ast.Transpose(part), f"${render(part)}$ must be transposed"

    def drop(part: ast.Node) -> Change:
        if isinstance(part, ast.Transpose):
            yield part.arg, f"${render(part.arg)}$ must not be transposed"

    for new, text in rewrites(node, add):
        if not any(isinstance(p, ast.Transpose) and isinstance(p.arg, ast.Transpose) for p in walk(new)):
            yield Edit(new, "missing transpose", text)
    for new, text in rewrites(node, drop):
        yield Edit(new, "extra transpose", text)


def _products(node: ast.Node) -> Iterator[Edit]:
    def to_entrywise(part: ast.Node) -> Change:
        if isinstance(part, ast.Product) and part.sign != r"\circ":
            yield replace(part, sign=r"\circ"), _entrywise_text(part.left, part.right)

    def to_matrix(part: ast.Node) -> Change:
        if isinstance(part, ast.Product) and part.sign:
            text = f"${render(part.left)}$ and ${render(part.right)}$ are multiplied as matrices, not entry by entry"
            yield replace(part, sign=""), text

    for new, text in rewrites(node, to_entrywise):
        yield Edit(new, "matrix product for Hadamard product", text)
    for new, text in _regrouped(node):
        yield Edit(new, "matrix product for Hadamard product", text)
    for new, text in rewrites(node, to_matrix):
        yield Edit(new, "Hadamard product for matrix product", text)


def _regrouped(node: ast.Node) -> Change:
    """Yield a chain of products cut at another place, with ∘ at the cut: A b c read as (A b) ∘ c."""
    factors = _chain(node)
    for cut in range(1, len(factors)):
        left, right = _joined(factors[:cut]), _joined(factors[cut:])
        yield ast.Product(r"\circ", left, right), _entrywise_text(left, right)


def _entrywise_text(left: ast.Node, right: ast.Node) -> str:
    return f"${render(left)}$ and ${render(right)}$ are multiplied entry by entry (∘), not as matrices"


def _chain(node: ast.Node) -> list[ast.Node]:
    return [*_chain(node.left), *_chain(node.right)] if isinstance(node, ast.Product) else [node]


def _joined(factors: Sequence[ast.Node]) -> ast.Node:
    node = factors[0]
    for factor in factors[1:]:
        node = ast.Product("", node, factor)
    return node


def _orders(node: ast.Node) -> Iterator[Edit]:
    def swap(part: ast.Node) -> Change:
        if isinstance(part, ast.Product):
            text = f"${render(part.left)}$ and ${render(part.right)}$ stand in the wrong order"
            yield replace(part, left=part.right, right=part.left), text

    for new, text in rewrites(node, swap):
        yield Edit(new, "order of factors", text)


def _slope_places(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    def move(part: ast.Node) -> Change:
        if isinstance(part, ast.Call) and part.function.primes:
            for name in words.names:
                text = f"${render(part.function)}$ is to be taken at ${render(name)}$, not at ${render(part.args[0])}$"
                yield replace(part, args=(name,)), text

    for new, text in rewrites(node, move):
        yield Edit(new, "derivative taken at the wrong place", text)


def _primes(node: ast.Node) -> Iterator[Edit]:
    def toggle(part: ast.Node) -> Change:
        if isinstance(part, ast.Call):
            primes = 0 if part.function.primes else 1
            text = f"${render(part)}$ must {'not ' if primes == 0 else ''}be a derivative"
            yield replace(part, function=replace(part.function, primes=primes)), text

    for new, text in rewrites(node, toggle):
        yield Edit(new, "missing derivative", text)


def _inverses(node: ast.Node) -> Iterator[Edit]:
    def change(part: ast.Node) -> Change:
        inverse = isinstance(part, ast.Power) and part.exponent == ast.Neg(ast.Number("1"))
        if isinstance(part, ast.Power) and inverse:
            yield part.base, f"${render(part.base)}$ must not be inverted"
        if isinstance(part, ast.Name):
            yield ast.Power(part, ast.Neg(ast.Number("1"))), f"${render(part)}$ must be inverted"

    for new, text in rewrites(node, change):
        yield Edit(new, "inverse", text)


def _softmaxes(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Add what the diagonal of a softmax's Jacobian leaves out: p ∘ (a - (pᵀa) 1) for p ∘ a."""
    one = ast.Name(r"\mathbf{1}")
    ones = ast.Product("", one, ast.Transpose(one))

    def change(part: ast.Node) -> Change:
        if not (isinstance(part, ast.Product) and part.sign == r"\circ"):
            return
        for p, a in ((part.left, part.right), (part.right, part.left)):
            axis = words.softmax.get(render(p)) if isinstance(p, ast.Name) else None
            if axis is None:
                continue
            both = ast.Product(r"\circ", p, a)
            row_sums = ast.Product("", both, ones) if axis == 1 else ast.Product("", ones, both)
            inner = ast.Product("", ast.Product("", ast.Transpose(p), a), one)
            full = ast.Product(r"\circ", p, ast.Sum("-", a, inner if axis == 2 else row_sums))
            yield full, f"the Jacobian of the softmax ${render(p)}$ has entries beside its diagonal"

    for new, text in rewrites(node, change):
        yield Edit(new, "diagonal-only softmax Jacobian", text)


def _layers(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    def shift(part: ast.Node) -> Change:
        if isinstance(part, ast.Name):
            for name in words.names:
                if name.base == part.base and name != part:
                    yield name, f"${render(part)}$ must be ${render(name)}$"

    for new, text in rewrites(node, shift):
        yield Edit(new, "layer index", text)


def _factors(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    for slope in words.slopes:
        text = f"the factor ${render(slope)}$ is missing"
        yield Edit(ast.Product(r"\circ", node, slope), "missing derivative", text)
    half = ast.Quotient(ast.Number("1"), ast.Number("2"))
    scales: list[tuple[ast.Node, str]] = [(ast.Number("2"), "2"), (half, "1/2")]
    scales += [(ast.Quotient(ast.Number("1"), ast.Name(size)), f"1/{size}") for size in words.sizes]
    scales += [(ast.Name(size), size) for size in words.sizes]
    for factor, name in scales:
        yield Edit(ast.Product("", factor, node), "factor", f"the factor {name} is missing")
    if isinstance(node, ast.Product):
        for size in words.sizes:
            yield Edit(_without(node, size), "factor", f"the factor with {size} must go")


def _without(node: ast.Product, size: str) -> ast.Node:
    return node.right if any(part == ast.Name(size) for part in walk(node.left)) else node


def _dropped(node: ast.Node) -> Iterator[Edit]:
    def drop(part: ast.Node) -> Change:
        if isinstance(part, ast.Product):
            yield part.left, f"the factor ${render(part.right)}$ must go"
            yield part.right, f"the factor ${render(part.left)}$ must go"
        if isinstance(part, ast.Quotient):
            yield part.top, f"the divisor ${render(part.bottom)}$ must go"
        if isinstance(part, ast.Sum):
            yield part.left, f"the term ${render(part.right)}$ must go"
            yield part.right, f"the term ${render(part.left)}$ must go"

    for new, text in rewrites(node, drop):
        yield Edit(new, "extra factor", text)


def _other_names(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    def rename(part: ast.Node) -> Change:
        if isinstance(part, ast.Name):
            for name in words.names:
                if name != part:
                    yield name, f"${render(part)}$ must be ${render(name)}$"

    for new, text in rewrites(node, rename):
        yield Edit(new, "wrong name", text)


def _numbers(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Change a number or a power."""
    half = ast.Quotient(ast.Number("1"), ast.Number("2"))
    sizes = [ast.Name(size) for size in words.sizes]
    options: list[ast.Node] = [*(ast.Number(text) for text in "1234"), half, *sizes]

    def change(part: ast.Node) -> Change:
        if isinstance(part, ast.Number):
            for other in options:
                if other != part:
                    yield other, f"${render(part)}$ must be ${render(other)}$"
        if isinstance(part, ast.Name) and part in sizes:
            for size in sizes:
                if size != part:
                    yield size, f"the size ${render(part)}$ must be ${render(size)}$"
        if isinstance(part, ast.Power):
            for power in "1234":
                if part.exponent != ast.Number(power):
                    new = replace(part, exponent=ast.Number(power))
                    yield new, f"the power of ${render(part.base)}$ must be {power}"
        if isinstance(part, ast.Name | ast.Norm | ast.Call):
            for power in "23":
                square = ast.Power(part, ast.Number(power), entrywise=isinstance(part, ast.Call))
                yield square, f"${render(part)}$ must be raised to {power}"
            yield ast.Call(ast.Name("sqrt"), (part,)), f"the root of ${render(part)}$ must be taken"

    for new, text in rewrites(node, change):
        yield Edit(new, "wrong number", text)


def _functions(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Take another function of the model, or one that is usual."""
    usual = [ast.Name(word) for word in (r"\sigma", "tanh", "exp", "log", "sign", "sqrt", "softmax", "diag", "det")]
    functions = list(dict.fromkeys([*(replace(call.function, primes=0) for call in words.slopes), *usual]))

    def change(part: ast.Node) -> Change:
        if isinstance(part, ast.Call) and len(part.args) == 1 and not isinstance(part.args[0], ast.Relation):
            for function in functions:
                other = replace(function, primes=part.function.primes)
                if other != part.function:
                    yield replace(part, function=other), f"${render(part)}$ must be of {render(function)}"
            yield part.args[0], f"the function {render(part.function)} must go"

    for new, text in rewrites(node, change):
        yield Edit(new, "wrong function", text)


def _missing_terms(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    for term in words.terms:
        bare = term.arg if isinstance(term, ast.Neg) else term
        sign = "-" if isinstance(term, ast.Neg) else "+"
        yield Edit(ast.Sum(sign, node, bare), "missing term", f"the term ${render(term)}$ is missing")

    def identity(part: ast.Node) -> Change:
        if isinstance(part, ast.Name | ast.Quotient):
            yield ast.Product("", part, ast.Name("I")), f"${render(part)}$ must be a multiple of the identity"

    for new, text in rewrites(node, identity):
        yield Edit(new, "missing identity", text)


def summands(node: ast.Node) -> list[ast.Node]:
    """Return the terms of a sum, each with its sign."""
    if isinstance(node, ast.Sum):
        right = [node.right] if node.sign == "+" else [_negated(node.right)]
        return [*summands(node.left), *right]
    return [node]


def _negated(node: ast.Node) -> ast.Node:
    return node.arg if isinstance(node, ast.Neg) else ast.Neg(node)


def _scaled_parts(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Scale one term of a sum by a size or a small number."""
    numbers: list[ast.Node] = [ast.Number("2"), ast.Number("3"), *(ast.Name(size) for size in words.sizes)]
    scales: list[ast.Node] = [*numbers, *(ast.Quotient(ast.Number("1"), number) for number in numbers)]

    def change(part: ast.Node) -> Change:
        if isinstance(part, ast.Sum):
            for scale in scales:
                yield replace(part, left=ast.Product("", scale, part.left)), _lacks(scale, part.left)
                yield replace(part, right=ast.Product("", scale, part.right)), _lacks(scale, part.right)
        if isinstance(part, ast.Neg):
            for scale in scales:
                yield ast.Neg(ast.Product("", scale, part.arg)), _lacks(scale, part.arg)
        if isinstance(part, ast.Name | ast.Norm):
            for scale in scales:
                yield ast.Product("", scale, part), _lacks(scale, part)

    for new, text in rewrites(node, change):
        yield Edit(new, "factor", text)


def _lacks(scale: ast.Node, part: ast.Node) -> str:
    return f"${render(part)}$ lacks the factor ${render(scale)}$"


def _indices(node: ast.Node) -> Iterator[Edit]:
    """Change the indices of an entry: their order, the sign in a sum of indices, another letter."""
    letters = sorted({sub for part in walk(node) if isinstance(part, ast.Name) for sub in part.subs if _is_letter(sub)},
                     key=render)  # fmt: skip

    def change(part: ast.Node) -> Change:
        if not isinstance(part, ast.Name | ast.Entry) or not part.subs:
            return
        for one, other in itertools.combinations(range(len(part.subs)), 2):
            swapped = list(part.subs)
            swapped[one], swapped[other] = swapped[other], swapped[one]
            yield replace(part, subs=tuple(swapped)), f"the indices of ${render(part)}$ stand in the wrong order"
        for k, sub in enumerate(part.subs):
            options: list[ast.Node] = [letter for letter in letters if letter != sub] if _is_letter(sub) else []
            if isinstance(sub, ast.Sum):
                flipped = replace(sub, sign="-" if sub.sign == "+" else "+")
                options = [flipped, replace(flipped, left=sub.right, right=sub.left), sub.left]
            for option in options:
                new = (*part.subs[:k], option, *part.subs[k + 1 :])
                text = f"the index ${render(sub)}$ of ${render(part)}$ must be ${render(option)}$"
                yield replace(part, subs=new), text

    for new, text in rewrites(node, change):
        yield Edit(new, "index", text)


def _is_letter(sub: ast.Node) -> bool:
    return isinstance(sub, ast.Name) and sub == ast.Name(sub.base) and len(sub.base) == 1


def _missing_names(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Multiply a part by a name, entry by entry, as a matrix from either side, or divide by it."""
    names = [name for name in words.names if name not in [ast.Name(size) for size in words.sizes]]

    def change(part: ast.Node) -> Change:
        if isinstance(part, ast.Name | ast.Call | ast.Transpose | ast.Quotient):
            for name in names:
                text = f"${render(part)}$ lacks the factor ${render(name)}$"
                yield ast.Product(r"\circ", part, name), text
                yield ast.Product("", part, name), text
                yield ast.Product("", part, ast.Transpose(name)), text
                yield ast.Product("", name, part), text
                yield ast.Quotient(part, name), text

    for name in names:
        text = f"the factor ${render(name)}$ is missing"
        yield Edit(ast.Product("", node, name), "missing factor", text)
        yield Edit(ast.Product("", name, node), "missing factor", text)
        yield Edit(ast.Product(r"\circ", node, name), "missing factor", text)
    for new, text in rewrites(node, change):
        yield Edit(new, "missing factor", text)


def _exchanged(node: ast.Node) -> Iterator[Edit]:
    """Let two names change places throughout."""
    names = sorted(set(names_in(node)), key=render)
    for one, other in itertools.combinations(names, 2):
        new = _renamed(node, {one: other, other: one})
        yield Edit(new, "names exchanged", f"${render(one)}$ and ${render(other)}$ are exchanged")


def _renamed(node: ast.Node, names: Mapping[ast.Name, ast.Name]) -> ast.Node:
    if isinstance(node, ast.Name):
        return names.get(node, node)
    return ast.map_children(node, lambda part: _renamed(part, names))
