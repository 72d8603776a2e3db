r"""Names that nothing says anything of, and that can only be others: W_O beside W_o, y_{\text{out}} beside y."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from derive.meaning.naming import names_of, plain
from derive.meaning.outline import Equation, derivatives_in
from derive.meaning.terms import is_running
from derive.read import syntax as ast

Names = Mapping[ast.Name, ast.Name]


def meant(asked: Sequence[ast.Node], model: Sequence[ast.Node], stated: Iterable[ast.Node]) -> tuple[Names, Names]:
    """Return which other names are meant by some that are not stated: for sure, and perhaps.

    Another case of a letter below is another spelling; a word below what is differentiated by may say what is clear.

    Args:
        asked: Formulas of claims.
        model: Formulas of the model.
        stated: Names that are defined, or of which something is told.
    """
    known = {_bare(name) for name in stated if isinstance(name, ast.Name)}
    used = {_bare(name) for name in names_of(model)}
    open_ = dict.fromkeys(_bare(name) for name in names_of(asked) if name.subs)
    sure: dict[ast.Name, ast.Name] = {}
    for name in open_:
        same = [other for other in known if _folded(other) == _folded(name) and other != name]
        if name not in known | used and len(same) == 1 and name.subs:
            sure[name] = same[0]
    parts = [part.wrt for side in (*asked, *model) for part in derivatives_in(side)]
    by = {_bare(part) for part in parts if isinstance(part, ast.Name)}
    words = [name for name in by if name not in known and name.subs and all(map(_is_word, name.subs))]
    perhaps = {name: replace(name, subs=()) for name in words if replace(name, subs=()) in known}
    letters = [name.base for name in perhaps]
    return sure, {name: other for name, other in perhaps.items() if letters.count(name.base) == 1}


def spelled_with(node: ast.Node, names: Names) -> ast.Node:
    """Return a formula with other names; running indices stay."""
    if isinstance(node, ast.Name):
        other = names.get(_bare(node))
        return node if other is None else replace(other, subs=(*other.subs, *filter(is_running, node.subs)))
    return ast.map_children(node, lambda part: spelled_with(part, names))


def spoken_of(asked: Sequence[ast.Node], model: Sequence[Equation]) -> set[ast.Name]:
    """Return the names in some formulas, and those in all that a model says of these."""
    found = {_bare(name) for name in names_of(asked)}
    while more := [one for one in model if isinstance(one.left, ast.Name) and _bare(one.left) in found
                   and not {_bare(name) for name in names_of([one.right])} <= found]:  # fmt: skip
        found |= {_bare(name) for one in more for name in names_of([one.right])}
    return found


def _bare(name: ast.Name) -> ast.Name:
    """Return a name without running indices."""
    return replace(name, subs=tuple(sub for sub in name.subs if not is_running(sub)))


def _folded(name: ast.Name) -> tuple[object, ...]:
    below = tuple(plain(sub.base).lower() if isinstance(sub, ast.Name) else sub for sub in name.subs)
    return name.base, name.sup, name.style, name.primes, below


def _is_word(sub: ast.Node) -> bool:
    return isinstance(sub, ast.Name) and len(plain(sub.base)) > 1 and plain(sub.base).isalpha()
