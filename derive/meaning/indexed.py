r"""What stands in the place of an index: letters, sums of letters (`x_{t+j}`), relations (`[i = j]`), limits of sums.

An index that stands in a sum of a letter and others counts from 0, and entries outside of a tensor are zero. A sum
that begins elsewhere is not guessed at.
"""

from __future__ import annotations

import sympy

from derive.errors import UnreadError
from derive.meaning.parts import Extents, Part, einsum, taken
from derive.meaning.terms import KIND_OF_RANK, RANK, Meaning, Term, new_size
from derive.ops import table
from derive.read import syntax as ast
from derive.read.spelling import render

Affine = dict[str, sympy.Expr]  # the factor of each index; that of "" is the number added


def free_letters(node: ast.Node) -> set[str]:
    """Return the letters that stand as indices in a formula and are not bound in it."""
    if isinstance(node, ast.Name):
        return {letter for sub in node.subs for letter in letters_in(sub)}
    if isinstance(node, ast.Big):
        inside = free_letters(node.body)
        return inside - {render(index) for index in indices_of(node)}
    if isinstance(node, ast.Entry):
        letters = {letter for sub in node.subs for letter in letters_in(sub)}
        return letters | (free_letters(node.arg) - letters)
    if isinstance(node, ast.Call) and is_relation_of_indices(node):
        return {letter for child in ast.children(node.args[0]) for letter in letters_in(child)}
    return {letter for child in ast.children(node) for letter in free_letters(child)}


def is_letter(node: ast.Node) -> bool:
    """Tell whether a script is a single letter."""
    return isinstance(node, ast.Name) and node == ast.Name(node.base) and len(node.base) == 1 and node.base.isalpha()


def letters_in(sub: ast.Node) -> set[str]:
    """Return the letters in a script: two in t + j."""
    if is_letter(sub):
        return {render(sub)}
    if isinstance(sub, ast.Sum | ast.Neg | ast.Product):
        return {letter for child in ast.children(sub) for letter in letters_in(child)}
    return set()


def indices_of(node: ast.Big) -> tuple[ast.Node, ...]:
    """Return the indices that a sum runs over."""
    if node.index is None:
        return ()
    return node.index.items if isinstance(node.index, ast.Group) else (node.index,)


# ---------------------------------------------------------------- places
def place_of(sub: ast.Node, meaning: Meaning) -> Affine | None:
    """Return an index as a sum of letters with factors; None for what is no running index."""
    parts = linear(sub, meaning)
    return parts if parts is not None and any(parts) else None


def numbered(sub: ast.Node) -> Affine | None:
    """Return the place of an entry that is called by its number: x_1 is the first."""
    count = int(sub.text) if isinstance(sub, ast.Number) and sub.text.isdigit() else 0
    return {"": sympy.Integer(count - 1)} if count else None


def linear(sub: ast.Node, meaning: Meaning) -> Affine | None:
    """Return a script as a sum of indices, sizes and numbers; None where it is none."""
    if isinstance(sub, ast.Number) and sub.text.isdigit():
        return {"": sympy.Integer(sub.text)}
    if isinstance(sub, ast.Name):
        word = render(sub)
        if word in meaning.indices:
            return {word: sympy.Integer(1)}
        return {"": sympy.Symbol(word, integer=True, positive=True)} if word in meaning.sizes else None
    if isinstance(sub, ast.Neg):
        inner = linear(sub.arg, meaning)
        return None if inner is None else {letter: -factor for letter, factor in inner.items()}
    if isinstance(sub, ast.Sum):
        left, right = linear(sub.left, meaning), linear(sub.right, meaning)
        if left is None or right is None:
            return None
        sign = 1 if sub.sign == "+" else -1
        merged = {k: left.get(k, sympy.Integer(0)) + sign * right.get(k, sympy.Integer(0)) for k in {**left, **right}}
        return {letter: factor for letter, factor in merged.items() if factor != 0}
    if isinstance(sub, ast.Product):
        left, right = linear(sub.left, meaning), linear(sub.right, meaning)
        if left is None or right is None or any(left):
            return None
        return {letter: left[""] * factor for letter, factor in right.items()}
    return None


def at_places(part: Part, places: list[Affine], node: ast.Node) -> Part:
    """Return the entries of a part at indices, each a letter or a sum of letters."""
    letters = tuple(_letter(place) or f"?{k}" for k, place in enumerate(places))
    found = taken(part, letters, node)
    for letter, place in zip(letters, places, strict=True):
        if letter in place:
            continue
        own = tuple(name for name in place if name)
        kept = [axis for axis in found.letters if axis != letter]
        target = tuple(dict.fromkeys([*kept, *own]))
        inside = found.axes[len(found.letters) :]
        factors = [(found.term, found.axes), (_selection(place, own), (letter, *own))]
        found = Part(einsum(factors, (*target, *inside)), target, found.kind)
    return found


def _letter(place: Affine) -> str:
    """Return the letter that a place is; "" where it is none."""
    return next(iter(place)) if list(place.values()) == [1] else ""


def _selection(place: Affine, letters: tuple[str, ...]) -> Term:
    pairs = [part for letter in letters for part in (new_size(), place[letter])]
    params = (new_size(), place.get("", sympy.Integer(0)), *pairs)
    return Term(table.SELECTION, kind=KIND_OF_RANK[1 + len(letters)], params=params)


# ---------------------------------------------------------------- relations
def is_relation_of_indices(node: ast.Call) -> bool:
    """Tell whether a bracket holds an equation: [i = j]."""
    return isinstance(node.args[0], ast.Relation) and node.args[0].signs == ("=",)


def is_kronecker(node: ast.Name, meaning: Meaning) -> bool:
    r"""Tell whether a name is \delta_{ij}, 1 where i is j: its letters run, and no matrix is called so."""
    letters = len(node.subs) == 2 and all(render(sub) in meaning.indices for sub in node.subs)
    plain = node == ast.Name(r"\delta", subs=node.subs)
    return letters and plain and RANK.get(meaning.kinds.get(r"\delta", ""), 0) < 2


def relation_of_indices(node: ast.Call, meaning: Meaning) -> Part:
    """Read [i = j + 2], which is 1 where it holds."""
    assert isinstance(node.args[0], ast.Relation)
    left, right = (linear(link, meaning) for link in node.args[0].links)
    if left is None or right is None or len(left) != 1 or any(factor != 1 for factor in left.values()):
        raise UnreadError(f"${render(node)}$ is not read; write it as [i = j + c]")
    letters = tuple(letter for letter in right if letter)
    return Part(_selection(right, letters), (*left, *letters))


# ---------------------------------------------------------------- limits
def extents_of(node: ast.Big, letters: tuple[str, ...], meaning: Meaning) -> Extents:
    """Return what the limits of a sum say of the size of its index.

    Raises:
        UnreadError: it does not run over all entries.
    """
    if node.lower is not None and _shifts(node.body, set(letters)):
        raise UnreadError(f"${render(node)}$: with a first index written, {letters[0]} + … may count from 0 or from 1")
    lower, upper = node.lower, node.upper
    if lower == ast.Number("0") and isinstance(upper, ast.Sum) and (upper.sign, upper.right) == ("-", ast.Number("1")):
        lower, upper = ast.Number("1"), upper.left
    if lower not in (None, ast.Number("1")):
        raise UnreadError(f"${render(node)}$: a sum that does not begin at 1 is not read")
    if upper is None:
        return ()
    if isinstance(upper, ast.Number) and upper.text.isdigit():
        return ((letters[0], sympy.Integer(upper.text)),)
    if not isinstance(upper, ast.Name):
        raise UnreadError(f"${render(node)}$: its upper limit is no size of the model")
    if not (meaning.exact or render(upper) in meaning.sizes):
        return ()
    return ((letters[0], sympy.Symbol(render(upper), integer=True, positive=True)),)


def _shifts(node: ast.Node, letters: set[str]) -> bool:
    """Tell whether an index stands in a sum of indices: x_{t+j}."""
    subs = [sub for part in _walk(node) if isinstance(part, ast.Name | ast.Entry) for sub in part.subs]
    return any(letters_in(sub) & letters and not is_letter(sub) for sub in subs)


def _walk(node: ast.Node) -> list[ast.Node]:
    return [node, *(part for child in ast.children(node) for part in _walk(child))]
