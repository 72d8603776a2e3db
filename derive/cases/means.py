r"""Means in a letter: \bar{x}, of which nothing is said, beside x_i, which is told of, is the mean of all x_i.

Likewise \bar{v}_o beside v_{o_i}, which is read as v_{\text{o} i}: the o tells which stack is meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from derive.meaning.naming import names_of, spare_letters
from derive.meaning.terms import is_running
from derive.read import syntax as ast
from derive.read.latex import read_formula
from derive.read.spelling import render

_BARRED = re.compile(r"\\(?:bar|overline)\s*(?:\{(.*)\}|([a-zA-Z]))$")
Told = tuple[ast.Node, tuple[str, ...] | None]


def barred(base: str) -> str:
    r"""Return the letter below a bar, with its font; "" where there is none.

    >>> barred(r"\bar{\mathbf{v}}"), barred("x")
    ('\\mathbf{v}', '')
    """
    match = _BARRED.match(base)
    return "" if match is None else match[1] or match[2]


def means_in(
    nodes: Sequence[ast.Node], defined: Iterable[ast.Node], told: Sequence[Told]
) -> Mapping[ast.Name, tuple[ast.Name, ast.Node]]:
    """Return the stacks of which formulas name the mean, and the mean of each in full.

    Args:
        nodes: The formulas.
        defined: The names that are defined.
        told: Names with what is told of their shapes.
    """
    known = {*defined, *(tree for tree, _ in told)}
    letter = ast.Name(next(spare_letters({render(name) for name in names_of(nodes)})))
    found: dict[ast.Name, tuple[ast.Name, ast.Node]] = {}
    for name in dict.fromkeys(names_of(nodes)):
        for tree, shape in told if barred(name.base) and name not in known else ():
            if isinstance(tree, ast.Name) and shape and tree == _stack_of(name, tree):
                one = replace(in_two(tree), subs=(*in_two(tree).subs[:-1], letter))
                count = read_formula(shape[0].replace("*", " "))
                total = ast.Big("sum", letter, None, None, one)
                found[name] = (tree, ast.Product("", ast.Quotient(ast.Number("1"), count), total))
    return found


def _stack_of(mean: ast.Name, like: ast.Name) -> ast.Name | None:
    """Return the name of which a barred one would be the mean, its index as another name has it."""
    last = like.subs[-1] if like.subs else None
    own = replace(mean, base=barred(mean.base))
    if last is not None and is_running(last):
        return replace(own, subs=(*mean.subs, last))
    if isinstance(last, ast.Name) and len(last.subs) == 1 and is_running(last.subs[0]) and len(mean.subs) == 1:
        return replace(own, subs=(last,)) if mean.subs[0] == replace(last, subs=()) else None
    return None


def in_two(name: ast.Name) -> ast.Name:
    r"""Return v_{o_i} as v_{\text{o} i}; any other name as it is."""
    subs: list[ast.Node] = []
    for sub in name.subs:
        nested = isinstance(sub, ast.Name) and len(sub.subs) == 1 and is_running(sub.subs[0])
        subs += [ast.Name(rf"\text{{{sub.base}}}"), sub.subs[0]] if nested and isinstance(sub, ast.Name) else [sub]
    return replace(name, subs=tuple(subs))


def with_stacks(stacks: Iterable[ast.Name]) -> Callable[[ast.Node], ast.Node]:
    """Return what writes the names of some stacks with their word and their index apart."""
    bases = {name.base for name in stacks}

    def change(node: ast.Node) -> ast.Node:
        if isinstance(node, ast.Name):
            return in_two(node) if node.base in bases else node
        return ast.map_children(node, change)

    return change
