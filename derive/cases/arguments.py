r"""Formulas that are differentiated by, \frac{\partial E}{\partial (W x)}: names for what a function is applied to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from derive.meaning.naming import names_of, plain
from derive.meaning.outline import walk
from derive.read import syntax as ast

LETTERS = ("z", "s", "u", "q", "a")  # what a formula without a name may be called


def named_arguments(nodes: Sequence[ast.Node], told: Iterable[ast.Node] = ()) -> Mapping[ast.Node, ast.Name]:
    """Return a name for each formula that is differentiated by, or told of, and that a function is applied to.

    Of formulas at several layers, each has the mark of its weights.
    """
    parts = [part for node in nodes for part in walk(node)]
    by = [part.wrt for part in parts if isinstance(part, ast.Derivative) and part.wrt is not None]
    applied = {arg for part in parts if isinstance(part, ast.Call) for arg in part.args}
    wanted = [node for node in (*by, *told) if isinstance(node, ast.Product | ast.Sum) and node in applied]
    used = {plain(name.base) for name in names_of(nodes)}
    letter = next((letter for letter in LETTERS if letter not in used), "")
    found: dict[ast.Node, ast.Name] = {}
    for formula in dict.fromkeys(wanted) if letter else ():
        first = next(names_of([formula]))
        name = ast.Name(letter, first.sup, first.style, first.subs)
        if name not in found.values():
            found[formula] = name
    return found
