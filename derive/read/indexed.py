r"""Formulas in indices: `\sum_{t} g_t x_{t+j}`, `(\ldots)_{ij}`, `[i = j]`; each part is an array and its indices.

An index that stands in a sum of a letter and others (`x_{t+j}`) counts from 0, and entries outside of a tensor are
zero. A sum that begins elsewhere is not guessed at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import sympy

from derive.errors import UnreadError
from derive.ops import table
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.read.terms import KIND_OF_RANK, Meaning, Term, entrywise, new_size

RANK = {"row": 1, **{kind: rank for rank, kind in enumerate(KIND_OF_RANK)}}
Extents = tuple[tuple[str, sympy.Expr], ...]  # indices whose size is written
Affine = dict[str, sympy.Expr]  # the factor of each index; that of "" is the number added


class Whole(Protocol):
    """Reads what is written without indices: a formula, and a function applied to a term."""

    def __call__(self, node: ast.Node, meaning: Meaning) -> Term:
        """Return the term of a formula."""

    def apply(self, node: ast.Call, term: Term, meaning: Meaning) -> Term:
        """Return a function of one argument, entry by entry."""


@dataclass(frozen=True, slots=True)
class Entries:
    """An array, and the index along each of its axes."""

    term: Term
    letters: tuple[str, ...] = ()


def comprehended(node: ast.Entry, meaning: Meaning, whole: Whole) -> Term | None:
    """Return the array of `(formula in i, j)_{ij}`; None where the formula holds none of these indices freely."""
    letters = tuple(render(sub) for sub in node.subs)
    if not all(_is_letter(sub) for sub in node.subs) or not set(letters) & free_letters(node.arg):
        return None
    found = _entries(node.arg, replace(meaning, indices=meaning.indices | set(letters)), whole)
    return _ordered(found, letters, node)


def bare_sum(node: ast.Big, meaning: Meaning, whole: Whole) -> Term:
    """Return a sum over indices that leaves none."""
    return _ordered(_entries(node, meaning, whole), (), node)


def by_entries(node: ast.Node, letters: tuple[str, ...], meaning: Meaning, whole: Whole) -> Term:
    """Return the array of which a formula is the entry at the given indices."""
    return _ordered(_entries(node, replace(meaning, indices=meaning.indices | set(letters)), whole), letters, node)


def free_letters(node: ast.Node) -> set[str]:
    """Return the letters that stand as indices in a formula and are not bound in it."""
    if isinstance(node, ast.Name):
        return {letter for sub in node.subs for letter in _letters_in(sub)}
    if isinstance(node, ast.Big):
        inside = free_letters(node.body)
        return inside - {render(index) for index in _indices(node)}
    if isinstance(node, ast.Entry):
        letters = {letter for sub in node.subs for letter in _letters_in(sub)}
        return letters | (free_letters(node.arg) - letters)
    if isinstance(node, ast.Call) and _is_relation_of_indices(node):
        return {letter for child in ast.children(node.args[0]) for letter in _letters_in(child)}
    return {letter for child in ast.children(node) for letter in free_letters(child)}


def _is_letter(node: ast.Node) -> bool:
    return isinstance(node, ast.Name) and node == ast.Name(node.base) and len(node.base) == 1 and node.base.isalpha()


def _letters_in(sub: ast.Node) -> set[str]:
    if _is_letter(sub):
        return {render(sub)}
    if isinstance(sub, ast.Sum | ast.Neg | ast.Product):
        return {letter for child in ast.children(sub) for letter in _letters_in(child)}
    return set()


def _indices(node: ast.Big) -> tuple[ast.Node, ...]:
    if node.index is None:
        return ()
    return node.index.items if isinstance(node.index, ast.Group) else (node.index,)


def _ordered(found: Entries, letters: tuple[str, ...], node: ast.Node) -> Term:
    """Return an array with its axes in the order of the given letters."""
    if set(found.letters) - set(letters):
        lost = ", ".join(sorted(set(found.letters) - set(letters)))
        raise UnreadError(f"${render(node)}$: the index {lost} is not summed over")
    for letter in letters:
        if letter not in found.letters:
            found = _product(found, Entries(_ones(1), (letter,)))
    return _einsum((found,), letters)


def _ones(rank: int) -> Term:
    return Term(table.ONES, kind=KIND_OF_RANK[rank], params=tuple(new_size() for _ in range(rank)))


def _einsum(factors: tuple[Entries, ...], letters: tuple[str, ...], extents: Extents = ()) -> Term:
    """Return the sum of products as a term; nothing where a single factor is in order already."""
    if len(factors) == 1 and factors[0].letters == letters:
        return factors[0].term
    names: dict[str, str] = {}
    for letter in (letter for factor in factors for letter in factor.letters):
        names.setdefault(letter, chr(ord("a") + len(names)))
    words = ["".join(names[letter] for letter in factor.letters) for factor in factors]
    spec = f"{','.join(words)}->{''.join(names[letter] for letter in letters)}"
    sizes = tuple((names[letter], size) for letter, size in extents)
    args = tuple(factor.term for factor in factors)
    return Term(table.EINSUM, args, KIND_OF_RANK[len(letters)], sizes, (spec,))


# ---------------------------------------------------------------- formulas
def _entries(node: ast.Node, meaning: Meaning, whole: Whole) -> Entries:
    handler = _HANDLERS.get(type(node))
    if handler is None or (not free_letters(node) & meaning.indices and not isinstance(node, ast.Big)):
        return _scalar(node, meaning, whole)
    return handler(node, meaning, whole)


def _scalar(node: ast.Node, meaning: Meaning, whole: Whole) -> Entries:
    term = whole(node, meaning)
    if term.kind != "scalar" or term.stacked:
        raise UnreadError(f"${render(node)}$ is a {term.kind} among entries; give it indices")
    return Entries(term)


def _name(node: ast.Name, meaning: Meaning, whole: Whole) -> Entries:
    affine = [_affine(sub, meaning) for sub in node.subs]
    kept = tuple(sub for sub, parts in zip(node.subs, affine, strict=True) if parts is None)
    places = [parts for parts in affine if parts is not None]
    key = render(replace(node, subs=kept))
    if key not in meaning.kinds:
        raise undefined(node, meaning)
    return _at(Term("", kind=meaning.kinds[key], leaf=key), places, node)


def undefined(node: ast.Name, meaning: Meaning) -> UnreadError:
    """Return the error of a name without meaning; an array with an index that nothing binds is told as such."""
    free = [render(sub) for sub in node.subs if _is_letter(sub) and render(sub) not in meaning.indices]
    if free and render(replace(node, subs=())) in meaning.kinds:
        return UnreadError(f"${render(node)}$: the index {free[0]} is neither summed over nor an index of the result")
    return UnreadError(f"the symbol ${render(node)}$ is not defined here")


def _at(term: Term, places: list[Affine], node: ast.Node) -> Entries:
    """Return the entries of an array at indices, each a letter or a sum of letters."""
    if RANK.get(term.kind) != len(places):
        raise UnreadError(f"${render(node)}$ has {len(places)} indices, and is a {term.kind}")
    own = tuple(f"{k}" for k in range(len(places)))
    found = Entries(term, own)
    for name, place in zip(own, places, strict=True):
        letters = tuple(letter for letter in place if letter)
        if place == {letters[0]: 1}:
            found = Entries(found.term, tuple(letters[0] if letter == name else letter for letter in found.letters))
            continue
        selection = Entries(_selection(place, letters), (name, *letters))
        kept = [letter for letter in found.letters if letter != name]
        target = tuple(dict.fromkeys([*kept, *letters]))
        found = Entries(_einsum((found, selection), target), target)
    distinct = tuple(dict.fromkeys(found.letters))  # x_{ii}: a diagonal
    return Entries(_einsum((found,), distinct), distinct)


def _selection(place: Affine, letters: tuple[str, ...]) -> Term:
    pairs = [part for letter in letters for part in (new_size(), place[letter])]
    params = (new_size(), place.get("", sympy.Integer(0)), *pairs)
    return Term(table.SELECTION, kind=KIND_OF_RANK[1 + len(letters)], params=params)


def _affine(sub: ast.Node, meaning: Meaning) -> Affine | None:
    """Return an index as a sum of letters with factors; None for what is no running index."""
    parts = _linear(sub, meaning)
    return parts if parts is not None and any(parts) else None


def _linear(sub: ast.Node, meaning: Meaning) -> Affine | None:
    if isinstance(sub, ast.Number) and sub.text.isdigit():
        return {"": sympy.Integer(sub.text)}
    if isinstance(sub, ast.Name):
        word = render(sub)
        if word in meaning.indices:
            return {word: sympy.Integer(1)}
        return {"": sympy.Symbol(word, integer=True, positive=True)} if word in meaning.sizes else None
    if isinstance(sub, ast.Neg):
        inner = _linear(sub.arg, meaning)
        return None if inner is None else {letter: -factor for letter, factor in inner.items()}
    if isinstance(sub, ast.Sum):
        left, right = _linear(sub.left, meaning), _linear(sub.right, meaning)
        if left is None or right is None:
            return None
        sign = 1 if sub.sign == "+" else -1
        merged = {k: left.get(k, sympy.Integer(0)) + sign * right.get(k, sympy.Integer(0)) for k in {**left, **right}}
        return {letter: factor for letter, factor in merged.items() if factor != 0}
    if isinstance(sub, ast.Product):
        left, right = _linear(sub.left, meaning), _linear(sub.right, meaning)
        if left is None or right is None or any(left):
            return None
        return {letter: left[""] * factor for letter, factor in right.items()}
    return None


def _sum(node: ast.Sum, meaning: Meaning, whole: Whole) -> Entries:
    left, right = _entries(node.left, meaning, whole), _entries(node.right, meaning, whole)
    union = tuple(dict.fromkeys([*left.letters, *right.letters]))
    op = table.ADD if node.sign == "+" else table.SUB
    terms = [side.term if not side.letters else _spread(side, union) for side in (left, right)]
    return Entries(entrywise(op, *terms), union)


def _spread(side: Entries, union: tuple[str, ...]) -> Term:
    missing = tuple(letter for letter in union if letter not in side.letters)
    factors = (side, Entries(_ones(len(missing)), missing)) if missing else (side,)
    return _einsum(factors, union)


def _product(left: Entries, right: Entries) -> Entries:
    if not left.letters or not right.letters:
        return Entries(entrywise(table.MUL, left.term, right.term), left.letters or right.letters)
    union = tuple(dict.fromkeys([*left.letters, *right.letters]))
    if left.letters == right.letters:
        return Entries(entrywise(table.MUL, left.term, right.term), union)
    return Entries(_einsum((left, right), union), union)


def _times(node: ast.Product, meaning: Meaning, whole: Whole) -> Entries:
    left, right = _entries(node.left, meaning, whole), _entries(node.right, meaning, whole)
    return _quotient_of(left, right) if node.sign == r"\oslash" else _product(left, right)


def _quotient(node: ast.Quotient, meaning: Meaning, whole: Whole) -> Entries:
    return _quotient_of(_entries(node.top, meaning, whole), _entries(node.bottom, meaning, whole))


def _quotient_of(top: Entries, bottom: Entries) -> Entries:
    if top.letters == bottom.letters or not bottom.letters:
        return Entries(entrywise(table.DIV, top.term, bottom.term), top.letters)
    one = Term("#", leaf=sympy.Integer(1))
    return _product(top, Entries(entrywise(table.DIV, one, bottom.term), bottom.letters))


def _negative(node: ast.Neg, meaning: Meaning, whole: Whole) -> Entries:
    inner = _entries(node.arg, meaning, whole)
    return Entries(entrywise(table.NEG, inner.term), inner.letters)


def _power(node: ast.Power, meaning: Meaning, whole: Whole) -> Entries:
    base, exponent = _entries(node.base, meaning, whole), _scalar(node.exponent, meaning, whole)
    return Entries(entrywise(table.POW, base.term, exponent.term), base.letters)


def _absolute(node: ast.Abs, meaning: Meaning, whole: Whole) -> Entries:
    inner = _entries(node.arg, meaning, whole)
    return Entries(entrywise("abs", inner.term), inner.letters)


def _call(node: ast.Call, meaning: Meaning, whole: Whole) -> Entries:
    if _is_relation_of_indices(node):
        return _relation(node, meaning)
    if len(node.args) != 1:
        raise UnreadError(f"${render(node)}$: a function of {len(node.args)} arguments is not read among entries")
    argument = node.args[0].links[0] if isinstance(node.args[0], ast.Relation) else node.args[0]
    inner = _entries(argument, meaning, whole)
    return Entries(whole.apply(node, inner.term, meaning), inner.letters)


def _is_relation_of_indices(node: ast.Call) -> bool:
    return isinstance(node.args[0], ast.Relation) and node.args[0].signs == ("=",)


def _relation(node: ast.Call, meaning: Meaning) -> Entries:
    """Read [i = j + 2], which is 1 where it holds."""
    assert isinstance(node.args[0], ast.Relation)
    left, right = (_linear(link, meaning) for link in node.args[0].links)
    if left is None or right is None or len(left) != 1 or any(factor != 1 for factor in left.values()):
        raise UnreadError(f"${render(node)}$ is not read; write it as [i = j + c]")
    letters = tuple(letter for letter in right if letter)
    return Entries(_selection(right, letters), (*left, *letters))


def _entry(node: ast.Entry, meaning: Meaning, whole: Whole) -> Entries:
    """Read (W x)_i: an entry of what is written without indices."""
    places = [_affine(sub, meaning) for sub in node.subs]
    inner = comprehended(node, meaning, whole)
    term = inner if inner is not None else whole(node.arg, meaning)
    if any(place is None for place in places):
        raise UnreadError(f"${render(node)}$: an index is not understood")
    return _at(term, [place for place in places if place is not None], node)


def _derivative(node: ast.Derivative, meaning: Meaning, whole: Whole) -> Entries:
    """Read an entry of a derivative, whose indices stand at the variable below."""
    if not isinstance(node.wrt, ast.Name):
        raise UnreadError(f"the derivative ${render(node)}$ is not understood here")
    places = [_affine(sub, meaning) for sub in node.wrt.subs]
    kept = tuple(sub for sub, place in zip(node.wrt.subs, places, strict=True) if place is None)
    term = whole(replace(node, wrt=replace(node.wrt, subs=kept)), meaning)
    return _at(term, [place for place in places if place is not None], node)


def _big(node: ast.Big, meaning: Meaning, whole: Whole) -> Entries:
    indices = _indices(node)
    if node.kind != "sum" or not indices or not all(map(_is_letter, indices)):
        raise UnreadError(f"${render(node)}$ is not read; only sums over indices are")
    letters = tuple(map(render, indices))
    if node.lower is not None and _shifts(node.body, set(letters)):
        raise UnreadError(f"${render(node)}$: with a first index written, {letters[0]} + … may count from 0 or from 1")
    body = _entries(node.body, replace(meaning, indices=meaning.indices | set(letters)), whole)
    if not set(letters) <= set(body.letters):
        raise UnreadError(f"${render(node)}$ sums over an index that stands nowhere in it")
    kept = tuple(letter for letter in body.letters if letter not in letters)
    return Entries(_einsum((body,), kept, _extent(node, letters, meaning)), kept)


def _shifts(node: ast.Node, letters: set[str]) -> bool:
    """Tell whether an index stands in a sum of indices: x_{t+j}."""
    subs = [sub for part in _walk(node) if isinstance(part, ast.Name | ast.Entry) for sub in part.subs]
    return any(_letters_in(sub) & letters and not _is_letter(sub) for sub in subs)


def _walk(node: ast.Node) -> list[ast.Node]:
    return [node, *(part for child in ast.children(node) for part in _walk(child))]


def _extent(node: ast.Big, letters: tuple[str, ...], meaning: Meaning) -> Extents:
    """Return what the sum's upper limit says of the size of its index."""
    if node.lower not in (None, ast.Number("1")) or (node.lower is None and node.upper is not None):
        raise UnreadError(f"${render(node)}$: a sum that does not begin at 1 is not read")
    if node.upper is None:
        return ()
    if isinstance(node.upper, ast.Number) and node.upper.text.isdigit():
        return ((letters[0], sympy.Integer(node.upper.text)),)
    if not (isinstance(node.upper, ast.Name) and render(node.upper) in meaning.sizes):
        raise UnreadError(f"${render(node)}$: the upper limit is no size")
    return ((letters[0], sympy.Symbol(render(node.upper), integer=True, positive=True)),)


_HANDLERS: dict[type, Callable[..., Entries]] = {
    ast.Name: _name, ast.Neg: _negative, ast.Sum: _sum, ast.Product: _times, ast.Quotient: _quotient,
    ast.Power: _power, ast.Call: _call, ast.Abs: _absolute, ast.Big: _big, ast.Entry: _entry,
    ast.Derivative: _derivative,
}  # fmt: skip
