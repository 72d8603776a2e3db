"""What an edit of a formula is, and how one part of a tree is changed at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from derive.meaning.outline import walk
from derive.meaning.terms import is_running
from derive.read import syntax as ast

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
        entries: Entries of names, in a formula of entries: `x_j` of `x`.
        places: Where a derivative may be taken beside the names: formulas of which the page has no name.
        free: Indices of the left side.
        matrices: Names whose plain powers are products of matrices.
    """

    names: Sequence[ast.Name]
    slopes: Sequence[ast.Call]
    sizes: Sequence[str]
    softmax: Mapping[str, int] = field(default_factory=dict)
    terms: Sequence[ast.Node] = ()
    entries: Sequence[ast.Name] = ()
    places: Sequence[ast.Node] = ()
    free: Sequence[ast.Node] = ()
    matrices: Collection[ast.Name] = ()


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


def like(part: ast.Name, name: ast.Name) -> ast.Name:
    """Return a name at the running indices of another, unless it has its own: `z_i` for `z` beside `a_i`."""
    running = tuple(sub for sub in part.subs if is_running(sub))
    own = any(is_running(part) for sub in name.subs for part in walk(sub))
    return name if own else replace(name, subs=(*name.subs, *running))


def summands(node: ast.Node) -> list[ast.Node]:
    """Return the terms of a sum, each with its sign."""
    if isinstance(node, ast.Sum):
        right = [node.right] if node.sign == "+" else [_negated(node.right)]
        return [*summands(node.left), *right]
    return [node]


def _negated(node: ast.Node) -> ast.Node:
    return node.arg if isinstance(node, ast.Neg) else ast.Neg(node)
