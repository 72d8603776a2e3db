"""Edits of a formula's structure: signs, transposes, products, order, derivatives, layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from derive.diagnose.rewriting import Change, Edit, Vocabulary, like, rewrites
from derive.meaning.outline import walk
from derive.read import syntax as ast
from derive.read.spelling import render


def signs(node: ast.Node) -> Iterator[Edit]:
    """Turn a difference round, or flip a sign."""

    def flip(part: ast.Node) -> Change:
        if isinstance(part, ast.Sum):
            yield replace(part, sign="-" if part.sign == "+" else "+"), f"the sign of ${render(part.right)}$ is wrong"

    def turn(part: ast.Node) -> Change:
        if isinstance(part, ast.Sum) and part.sign == "-" and not isinstance(part.left, ast.Sum | ast.Neg):
            whole = "the difference" if part is node else f"the difference ${render(part)}$"
            yield ast.Sum("-", part.right, part.left), f"{whole} is the wrong way round"

    def negate(part: ast.Node) -> Change:
        if isinstance(part, ast.Neg):
            yield part.arg, f"the sign of ${render(part.arg)}$ is wrong"
        if isinstance(part, ast.Sum) and not isinstance(part.left, ast.Sum | ast.Neg):
            yield replace(part, left=ast.Neg(part.left)), f"the sign of ${render(part.left)}$ is wrong"

    for change in (flip, turn, negate):
        for new, text in rewrites(node, change):
            yield Edit(new, "sign", text)
    yield Edit(ast.Neg(node), "sign", "the sign of the whole right side is wrong")


def transposes(node: ast.Node) -> Iterator[Edit]:
    """Transpose a part, or leave a transpose out."""

    def add(part: ast.Node) -> Change:
        if isinstance(part, ast.Name | ast.Sum | ast.Call | ast.Product | ast.Derivative):
            yield ast.Transpose(part), f"${render(part)}$ must be transposed"

    def drop(part: ast.Node) -> Change:
        if isinstance(part, ast.Transpose):
            yield part.arg, f"${render(part.arg)}$ must not be transposed"

    for new, text in rewrites(node, drop):
        yield Edit(new, "extra transpose", text)
    for new, text in rewrites(node, add):
        if not any(isinstance(p, ast.Transpose) and isinstance(p.arg, ast.Transpose) for p in walk(new)):
            yield Edit(new, "missing transpose", text)


def turned_products(node: ast.Node) -> Iterator[Edit]:
    """Transpose the other factor of a product, or exchange its factors and transpose them."""

    def move(part: ast.Node) -> Change:
        if isinstance(part, ast.Product) and part.sign != r"\circ":
            one, other = part.left, part.right
            if isinstance(one, ast.Transpose) != isinstance(other, ast.Transpose):
                wrong, right = (one, other) if isinstance(one, ast.Transpose) else (other, one)
                assert isinstance(wrong, ast.Transpose)
                text = f"${render(right)}$ must be transposed, not ${render(wrong.arg)}$"
                yield replace(part, left=_turned(one), right=_turned(other)), text

    def swap(part: ast.Node) -> Change:
        if isinstance(part, ast.Product) and part.sign != r"\circ":
            one, other = part.left, part.right
            order = f"${render(one)}$ and ${render(other)}$ stand in the wrong order"
            yield replace(part, left=other, right=_turned(one)), f"{order}, and ${_arg(one)}$ {_must(one)}"
            yield replace(part, left=_turned(other), right=one), f"{order}, and ${_arg(other)}$ {_must(other)}"

    for new, text in rewrites(node, move):
        yield Edit(new, "transpose of the wrong factor", text)
    for new, text in rewrites(node, swap):
        yield Edit(new, "missing transpose, order of factors", text)


def _turned(node: ast.Node) -> ast.Node:
    return node.arg if isinstance(node, ast.Transpose) else ast.Transpose(node)


def _arg(node: ast.Node) -> str:
    return render(node.arg if isinstance(node, ast.Transpose) else node)


def _must(node: ast.Node) -> str:
    return "must not be transposed" if isinstance(node, ast.Transpose) else "must be transposed"


def symmetric_only(node: ast.Node) -> Iterator[Edit]:
    """Write out what holds for symmetric matrices alone: A + A^T for 2 A."""

    def change(part: ast.Node) -> Change:
        if isinstance(part, ast.Product) and part.left == ast.Number("2"):
            name, rest = _first(part.right)
            if isinstance(name, ast.Name):
                both = ast.Sum("+", name, ast.Transpose(name))
                yield rest(both), f"$2 {render(name)}$ holds for a symmetric ${render(name)}$ only"
        if isinstance(part, ast.Product) and isinstance(part.left, ast.Product) and part.left.left == ast.Number("2"):
            name = part.left.right
            both = ast.Sum("+", name, ast.Transpose(name))
            yield replace(part, left=both), f"$2 {render(name)}$ holds for a symmetric ${render(name)}$ only"

    for new, text in rewrites(node, change):
        yield Edit(new, "symmetric only", text)


def _first(node: ast.Node) -> tuple[ast.Node, Callable[[ast.Node], ast.Node]]:
    """Return the first factor of a product, and what puts another in its place."""
    if isinstance(node, ast.Product):
        first, rest = _first(node.left)
        return first, lambda new: replace(node, left=rest(new))
    return node, lambda new: new


def products(node: ast.Node) -> Iterator[Edit]:
    """Multiply entry by entry instead of as matrices, or the other way round."""

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


def orders(node: ast.Node) -> Iterator[Edit]:
    """Exchange the two factors of a product."""

    def swap(part: ast.Node) -> Change:
        if isinstance(part, ast.Product):
            text = f"${render(part.left)}$ and ${render(part.right)}$ stand in the wrong order"
            yield replace(part, left=part.right, right=part.left), text

    for new, text in rewrites(node, swap):
        yield Edit(new, "order of factors", text)


def slope_places(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Take a derivative at another name."""

    def move(part: ast.Node) -> Change:
        if isinstance(part, ast.Call) and part.function.primes:
            at = part.args[0]
            names = [like(at, name) if isinstance(at, ast.Name) else name for name in words.names]
            for place in (*names, *words.places):
                text = f"${render(part.function)}$ is to be taken at ${render(place)}$, not at ${render(at)}$"
                yield replace(part, args=(place,)), text

    for new, text in rewrites(node, move):
        yield Edit(new, "derivative taken at the wrong place", text)


def primes(node: ast.Node) -> Iterator[Edit]:
    """Prime a function, or take the prime away."""

    def toggle(part: ast.Node) -> Change:
        if isinstance(part, ast.Call):
            primes = 0 if part.function.primes else 1
            text = f"${render(part)}$ must {'not ' if primes == 0 else ''}be a derivative"
            yield replace(part, function=replace(part.function, primes=primes)), text

    for new, text in rewrites(node, toggle):
        yield Edit(new, "missing derivative", text)


def inverses(node: ast.Node) -> Iterator[Edit]:
    """Invert a matrix, or leave an inverse out."""
    minus_one = ast.Neg(ast.Number("1"))

    def change(part: ast.Node) -> Change:
        if isinstance(part, ast.Power) and part.exponent == minus_one:
            yield part.base, f"${render(part.base)}$ must not be inverted"
        if isinstance(part, ast.Name):
            yield ast.Power(part, minus_one), f"${render(part)}$ must be inverted"

    for new, text in rewrites(node, change):
        yield Edit(new, "inverse", text)


def softmaxes(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
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


def layers(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Take the same letter of another layer."""

    def shift(part: ast.Node) -> Change:
        if isinstance(part, ast.Name):
            for name in words.names:
                if name.base == part.base and (other := like(part, name)) != part:
                    yield other, f"${render(part)}$ must be ${render(other)}$"

    for new, text in rewrites(node, shift):
        yield Edit(new, "layer index", text)
