"""What is wrong with a claim: the smallest edit of its right side that makes it hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from derive.read import syntax as ast
from derive.read.outline import walk
from derive.read.spelling import render
from derive.verify.judge import Diagnosis

BUDGET = 400  # edits tried


@dataclass(frozen=True, slots=True)
class Edit:
    """An edited tree, the kind of error that it mends, and a sentence about it."""

    node: ast.Node
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What edits may bring in: names by kind, functions to differentiate, what they are applied to, sizes."""

    names: Sequence[ast.Name]
    slopes: Sequence[ast.Call]
    sizes: Sequence[str]


def diagnose(left: ast.Node, right: ast.Node, words: Vocabulary, holds: Callable[[ast.Node], bool]) -> Diagnosis | None:
    """Return the first edit after which the claim holds, or None.

    Args:
        left, right: The claim.
        words: Names that an edit may use.
        holds: Tells whether the claim holds with another right side; it must not raise.
    """
    tried: set[ast.Node] = {right}
    for edit in _edits(right, words):
        if edit.node in tried:
            continue
        if len(tried) > BUDGET:
            return None
        tried.add(edit.node)
        if holds(edit.node):
            return Diagnosis(edit.kind, edit.text, f"{render(left)} = {render(edit.node)}")
    return None


def _edits(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Yield edits, the most usual errors first; pairs of structural edits last."""
    structural = [edit for make in (_signs, _transposes, _products, _orders) for edit in make(node)]
    yield from structural
    yield from _slope_places(node, words)
    yield from _primes(node)
    yield from _layers(node, words)
    yield from _factors(node, words)
    yield from _dropped(node)
    yield from _other_names(node, words)
    for first in structural:
        for make in (_transposes, _products, _orders, _signs):
            for second in make(first.node):
                if second.node != node:
                    kind = first.kind if first.kind == second.kind else f"{first.kind}, {second.kind}"
                    yield Edit(second.node, kind, f"{first.text}; {second.text}")


def rewrites(
    node: ast.Node, change: Callable[[ast.Node], Iterator[tuple[ast.Node, str]]]
) -> Iterator[tuple[ast.Node, str]]:
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

    def flip(part: ast.Node) -> Iterator[tuple[ast.Node, str]]:
        if isinstance(part, ast.Neg):
            yield part.arg, f"the sign of ${render(part.arg)}$ is wrong"
        if isinstance(part, ast.Sum):
            yield replace(part, sign="-" if part.sign == "+" else "+"), f"the sign of ${render(part.right)}$ is wrong"

    for new, text in rewrites(node, flip):
        yield Edit(new, "sign", text)
    yield Edit(ast.Neg(node), "sign", "the sign of the whole right side is wrong")


def _transposes(node: ast.Node) -> Iterator[Edit]:
    def add(part: ast.Node) -> Iterator[tuple[ast.Node, str]]:
        if isinstance(part, ast.Name | ast.Sum | ast.Call | ast.Product | ast.Derivative):
            yield ast.Transpose(part), f"${render(part)}$ must be transposed"

    def drop(part: ast.Node) -> Iterator[tuple[ast.Node, str]]:
        if isinstance(part, ast.Transpose):
            yield part.arg, f"${render(part.arg)}$ must not be transposed"

    for new, text in rewrites(node, add):
        if not any(isinstance(p, ast.Transpose) and isinstance(p.arg, ast.Transpose) for p in walk(new)):
            yield Edit(new, "missing transpose", text)
    for new, text in rewrites(node, drop):
        yield Edit(new, "extra transpose", text)


def _products(node: ast.Node) -> Iterator[Edit]:
    def to_entrywise(part: ast.Node) -> Iterator[tuple[ast.Node, str]]:
        if isinstance(part, ast.Product) and part.sign != r"\circ":
            yield replace(part, sign=r"\circ"), _entrywise_text(part.left, part.right)

    def to_matrix(part: ast.Node) -> Iterator[tuple[ast.Node, str]]:
        if isinstance(part, ast.Product) and part.sign:
            text = f"${render(part.left)}$ and ${render(part.right)}$ are multiplied as matrices, not entry by entry"
            yield replace(part, sign=""), text

    for new, text in rewrites(node, to_entrywise):
        yield Edit(new, "matrix product for Hadamard product", text)
    for new, text in _regrouped(node):
        yield Edit(new, "matrix product for Hadamard product", text)
    for new, text in rewrites(node, to_matrix):
        yield Edit(new, "Hadamard product for matrix product", text)


def _regrouped(node: ast.Node) -> Iterator[tuple[ast.Node, str]]:
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
    def swap(part: ast.Node) -> Iterator[tuple[ast.Node, str]]:
        if isinstance(part, ast.Product):
            text = f"${render(part.left)}$ and ${render(part.right)}$ stand in the wrong order"
            yield replace(part, left=part.right, right=part.left), text

    for new, text in rewrites(node, swap):
        yield Edit(new, "order of factors", text)


def _slope_places(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    def move(part: ast.Node) -> Iterator[tuple[ast.Node, str]]:
        if isinstance(part, ast.Call) and part.function.primes:
            for name in words.names:
                text = f"${render(part.function)}$ is to be taken at ${render(name)}$, not at ${render(part.args[0])}$"
                yield replace(part, args=(name,)), text

    for new, text in rewrites(node, move):
        yield Edit(new, "derivative taken at the wrong place", text)


def _primes(node: ast.Node) -> Iterator[Edit]:
    def toggle(part: ast.Node) -> Iterator[tuple[ast.Node, str]]:
        if isinstance(part, ast.Call):
            primes = 0 if part.function.primes else 1
            text = f"${render(part)}$ must {'not ' if primes == 0 else ''}be a derivative"
            yield replace(part, function=replace(part.function, primes=primes)), text

    for new, text in rewrites(node, toggle):
        yield Edit(new, "missing derivative", text)


def _layers(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    def shift(part: ast.Node) -> Iterator[tuple[ast.Node, str]]:
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
    def drop(part: ast.Node) -> Iterator[tuple[ast.Node, str]]:
        if isinstance(part, ast.Product):
            yield part.left, f"the factor ${render(part.right)}$ must go"
            yield part.right, f"the factor ${render(part.left)}$ must go"
        if isinstance(part, ast.Sum):
            yield part.left, f"the term ${render(part.right)}$ must go"

    for new, text in rewrites(node, drop):
        yield Edit(new, "extra factor", text)


def _other_names(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    def rename(part: ast.Node) -> Iterator[tuple[ast.Node, str]]:
        if isinstance(part, ast.Name):
            for name in words.names:
                if name != part:
                    yield name, f"${render(part)}$ must be ${render(name)}$"

    for new, text in rewrites(node, rename):
        yield Edit(new, "wrong name", text)
