"""Edits of what stands in a formula: factors, numbers, functions, terms, indices, names."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from derive.diagnose.rewriting import Change, Edit, Vocabulary, like, rewrites
from derive.meaning.indexed import is_letter
from derive.meaning.naming import names_of, renamed
from derive.meaning.outline import names_in
from derive.read import syntax as ast
from derive.read.spelling import render

SMALL = tuple(map(ast.Number, "1234"))  # numbers that are mistaken for each other
ONE = SMALL[0]
HALF = ast.Quotient(ONE, ast.Number("2"))


def factors(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Multiply by a derivative, a small number or a size that may be missing."""
    for slope in words.slopes:
        text = f"the factor ${render(slope)}$ is missing"

        def scaled(part: ast.Node, slope: ast.Node = slope, text: str = text) -> Change:
            if isinstance(part, ast.Product) and part.sign in ("", r"\cdot"):
                yield replace(part, left=ast.Product(r"\circ", part.left, slope)), text
                yield replace(part, right=ast.Product(r"\circ", part.right, slope)), text

        for new, _ in rewrites(node, scaled):
            yield Edit(new, "missing derivative", text)
        yield Edit(ast.Product(r"\circ", node, slope), "missing derivative", text)
    scales: list[tuple[ast.Node, str]] = [(ast.Number("2"), "2"), (HALF, "1/2")]
    scales += [(ast.Quotient(ONE, _size(size)), f"1/{size}") for size in words.sizes]
    scales += [(_size(size), size) for size in words.sizes]
    scales += [(ast.Quotient(ast.Number("2"), _size(size)), f"2/{size}") for size in words.sizes]
    halves = ((ast.Product("", ast.Number("2"), _size(size)), size) for size in words.sizes)
    scales += [(ast.Quotient(ONE, double), f"1/(2{size})") for double, size in halves]
    for factor, name in scales:
        yield Edit(ast.Product("", factor, node), "factor", f"the factor {name} is missing")


def scales(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Leave out a number or a size that may be too much, as a factor or a divisor."""
    sizes = [_size(size) for size in words.sizes]

    def is_scale(part: ast.Node) -> bool:
        if isinstance(part, ast.Quotient):
            return is_scale(part.top) and is_scale(part.bottom)
        return isinstance(part, ast.Number) or part in sizes

    def drop(part: ast.Node) -> Change:
        if isinstance(part, ast.Product):
            for scale, rest in ((part.left, part.right), (part.right, part.left)):
                if is_scale(scale):
                    yield rest, f"the factor ${render(scale)}$ must go"
        if isinstance(part, ast.Quotient) and is_scale(part.bottom):
            yield part.top, f"the divisor ${render(part.bottom)}$ must go"

    for new, text in rewrites(node, drop):
        yield Edit(new, "extra factor", text)


def dropped(node: ast.Node) -> Iterator[Edit]:
    """Leave out a factor, two beside each other, a divisor or a term that may be too much."""

    def drop(part: ast.Node) -> Change:
        if isinstance(part, ast.Product):
            yield part.left, f"the factor ${render(part.right)}$ must go"
            yield part.right, f"the factor ${render(part.left)}$ must go"
            if isinstance(part.left, ast.Product):
                both = replace(part, left=part.left.right)
                yield part.left.left, f"the factor ${render(both)}$ must go"
        if isinstance(part, ast.Quotient):
            yield part.top, f"the divisor ${render(part.bottom)}$ must go"
        if isinstance(part, ast.Sum):
            yield part.left, f"the term ${render(part.right)}$ must go"
            yield part.right, f"the term ${render(part.left)}$ must go"

    for new, text in rewrites(node, drop):
        yield Edit(new, "extra factor", text)


def other_names(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Put another name of the model in the place of a name."""

    def rename(part: ast.Node) -> Change:
        if isinstance(part, ast.Name):
            for name in (*words.names, *words.entries):
                if (other := like(part, name)) != part:
                    yield other, f"${render(part)}$ must be ${render(other)}$"

    for new, text in rewrites(node, rename):
        yield Edit(new, "wrong name", text)


def numbers(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Change a number or a power."""
    sizes = [_size(size) for size in words.sizes]
    options: list[ast.Node] = [*SMALL, HALF, *sizes]

    def change(part: ast.Node) -> Change:
        if isinstance(part, ast.Number):
            for other in options:
                if other != part:
                    yield other, f"${render(part)}$ must be ${render(other)}$"
        if isinstance(part, ast.Name) and part in sizes:
            for size in sizes:
                if size != part:
                    yield size, f"the size ${render(part)}$ must be ${render(size)}$"

    for new, text in rewrites(node, change):
        yield Edit(new, "wrong number", text)


def powers(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Change a power, or raise to one, matrices entry by entry."""
    usual: list[ast.Node] = [*SMALL, HALF, replace(HALF, top=ast.Number("3"))]

    def change(part: ast.Node) -> Change:
        if isinstance(part, ast.Power):
            for power in (*usual, *map(ast.Neg, usual), *_quotients(usual), ast.Sum("-", part.exponent, ONE)):
                if part.exponent != power:
                    new = replace(part, exponent=power)
                    yield new, f"the power of ${render(part.base)}$ must be ${render(power)}$"
        if isinstance(part, ast.Quotient) and isinstance(part.bottom, ast.Sum):
            yield replace(part, bottom=ast.Power(part.bottom, ast.Number("2"))), _raised(part.bottom, "2")
        if isinstance(part, ast.Name | ast.Norm | ast.Call):
            entrywise = isinstance(part, ast.Call) or part in words.matrices
            for raised in "23":
                yield ast.Power(part, ast.Number(raised), entrywise), _raised(part, raised)
            yield ast.Call(ast.Name("sqrt"), (part,)), f"the root of ${render(part)}$ must be taken"

    for new, text in rewrites(node, change):
        yield Edit(new, "wrong number", text)


def _raised(part: ast.Node, power: str) -> str:
    return f"${render(part)}$ must be raised to {power}"


def _quotients(powers: Sequence[ast.Node]) -> list[ast.Node]:
    """Return -1/2 as pages spell it, beside -(1/2)."""
    return [replace(p, top=ast.Neg(p.top)) for p in powers if isinstance(p, ast.Quotient)]


def functions(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Take another function of the model, or one that is usual."""
    usual = [ast.Name(word) for word in (r"\sigma", "tanh", "exp", "log", "sign", "sqrt", "softmax", "diag", "det")]
    functions = list(dict.fromkeys([*(ast.unprimed(call) for call in words.slopes), *usual]))

    def change(part: ast.Node) -> Change:
        if isinstance(part, ast.Call) and len(part.args) == 1 and not isinstance(part.args[0], ast.Relation):
            for function in functions:
                other = replace(function, primes=part.function.primes)
                if other != part.function:
                    yield replace(part, function=other), f"${render(part)}$ must be of {render(function)}"
            yield part.args[0], f"the function {render(part.function)} must go"

    for new, text in rewrites(node, change):
        yield Edit(new, "wrong function", text)


def missing_terms(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Add a term of the derived equation, or one; or multiply the identity matrix by a number."""
    for sign in "-+":
        yield Edit(ast.Sum(sign, node, ONE), "missing term", f"the term ${sign.strip('+')}1$ is missing")
    for term in words.terms:
        bare = term.arg if isinstance(term, ast.Neg) else term
        sign = "-" if isinstance(term, ast.Neg) else "+"
        plain = _without_ones(bare)
        if plain != bare:
            yield Edit(ast.Sum(sign, node, plain), "missing term", f"the term ${render(plain)}$ is missing")
        yield Edit(ast.Sum(sign, node, bare), "missing term", f"the term ${render(term)}$ is missing")

    def identity(part: ast.Node) -> Change:
        if isinstance(part, ast.Name | ast.Quotient):
            yield ast.Product("", part, ast.Name("I")), f"${render(part)}$ must be a multiple of the identity"

    for new, text in rewrites(node, identity):
        yield Edit(new, "missing identity", text)


def _without_ones(node: ast.Node) -> ast.Node:
    """Return a term without the ones by which entries are repeated, as a person writes it where they are not needed."""
    one = ast.Name(r"\mathbf{1}")
    ones = (one, ast.Product("", one, ast.Transpose(one)))
    if isinstance(node, ast.Product):
        left, right = _without_ones(node.left), _without_ones(node.right)
        if left in ones and node.sign:
            return right
        if right in ones and node.sign:
            return left
        if isinstance(left, ast.Product) and left.right in ones and node.sign:  # (λ 11^T) ∘ W
            return ast.Product("", left.left, right)
        return replace(node, left=left, right=right)
    return node


def scaled_parts(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Scale one term of a sum by a size or a small number."""
    numbers: list[ast.Node] = [ast.Number("2"), ast.Number("3"), *(_size(size) for size in words.sizes)]
    scales: list[ast.Node] = [*numbers, *(ast.Quotient(ONE, number) for number in numbers)]

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


def indices(node: ast.Node) -> Iterator[Edit]:
    """Change the indices of an entry: their order, the sign in a sum of indices, another letter."""
    letters = sorted({sub for name in names_of([node]) for sub in name.subs if is_letter(sub)}, key=render)

    def change(part: ast.Node) -> Change:
        if not isinstance(part, ast.Name | ast.Entry) or not part.subs:
            return
        for one, other in itertools.combinations(range(len(part.subs)), 2):
            swapped = list(part.subs)
            swapped[one], swapped[other] = swapped[other], swapped[one]
            yield replace(part, subs=tuple(swapped)), f"the indices of ${render(part)}$ stand in the wrong order"
        for k, sub in enumerate(part.subs):
            options: list[ast.Node] = [letter for letter in letters if letter != sub] if is_letter(sub) else []
            if isinstance(sub, ast.Sum):
                flipped = replace(sub, sign="-" if sub.sign == "+" else "+")
                options = [flipped, replace(flipped, left=sub.right, right=sub.left), sub.left]
            for option in options:
                new = (*part.subs[:k], option, *part.subs[k + 1 :])
                text = f"the index ${render(sub)}$ of ${render(part)}$ must be ${render(option)}$"
                yield replace(part, subs=new), text

    for new, text in rewrites(node, change):
        yield Edit(new, "index", text)


def missing_names(node: ast.Node, words: Vocabulary) -> Iterator[Edit]:
    """Multiply a part by a name, entry by entry, as a matrix from either side, or divide by it."""
    names = [name for name in words.names if name not in [_size(size) for size in words.sizes]]

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
        yield Edit(ast.Quotient(node, name), "missing factor", f"the divisor ${render(name)}$ is missing")
    for new, text in rewrites(node, change):
        yield Edit(new, "missing factor", text)


def exchanged(node: ast.Node) -> Iterator[Edit]:
    """Let two names change places throughout."""
    names = sorted(set(names_in(node)), key=render)
    for one, other in itertools.combinations(names, 2):
        new = renamed(node, {one: other, other: one})
        yield Edit(new, "names exchanged", f"${render(one)}$ and ${render(other)}$ are exchanged")


def _lacks(scale: ast.Node, part: ast.Node) -> str:
    return f"${render(part)}$ lacks the factor ${render(scale)}$"


def _size(size: str) -> ast.Name | ast.Number:
    """Return a size as it stands in a formula: a name, or the number that the model gives."""
    return ast.Number(size) if size.isdigit() else ast.Name(size)
