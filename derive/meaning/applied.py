"""Functions applied: usual ones, those that the page defines, and any function that it leaves open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

import sympy

from derive.errors import ShapeError, UnreadError
from derive.meaning.indexed import is_relation_of_indices, relation_of_indices
from derive.meaning.parts import Part, entrywise, is_number, number, total, whole
from derive.meaning.terms import DEPTH, Function, Meaning, Term, usual, with_constant
from derive.op import TABLE
from derive.ops import table
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.read.vocabulary import INDICATORS
from derive.shapes import ROW

Reader: TypeAlias = Callable[[ast.Node, Meaning], Part]


def applied(node: ast.Call, meaning: Meaning, read: Reader) -> Part:
    """Return what a function applied to arguments says; `read` reads the arguments.

    Raises:
        ShapeError: it does not take an array of that kind.
        UnreadError: the function means nothing here.
    """
    name = render(ast.unprimed(node))
    if is_relation_of_indices(node):
        return relation_of_indices(node, meaning)
    if isinstance(node.args[0], ast.Relation):
        return _indicator(node, meaning, read)
    if name in meaning.kinds:
        raise UnreadError(f"${name}$ is a quantity here, and is written as a function in ${render(node)}$")
    function = meaning.functions.get(name)
    if name in _SUMS_ALONG and function in (None, Function()) and len(node.args) == 1:
        arg = read(node.args[0], meaning)
        return _of_whole(table.SUM, arg, node, _SUMS_ALONG[name])
    if function is None or (function == Function() and node.function.subs):
        known = _with_constant(node, meaning, read)
        if known is not None:
            return known
    if function is None:
        raise UnreadError(f"the function {name} is not known here")
    if function.body is not None and not node.function.primes and meaning.depth < DEPTH:
        try:
            return read(_with_arguments(function, node), replace(meaning, depth=meaning.depth + 1))
        except UnreadError:  # its formula goes beyond what is read: then it is any function of its argument
            if len(node.args) != 1:
                raise
    if len(node.args) == 2 and ast.Number("0") in node.args and name in _EXTREMES:
        arg = read(node.args[0] if node.args[1] == ast.Number("0") else node.args[1], meaning)
        over = entrywise("relu", arg if _EXTREMES[name] else entrywise(table.NEG, arg))
        return over if _EXTREMES[name] else entrywise(table.NEG, over)
    if len(node.args) == 2 and name in _EXTREMES and not node.function.primes:
        left, right = (read(arg, meaning) for arg in node.args)
        if isinstance(node.args[1], ast.Number) and left.kind == "matrix":
            raise UnreadError(f"${render(node)}$: whether {node.args[1].text} is a value or an axis is not said")
        return _extreme(left, right, _EXTREMES[name])
    if len(node.args) != 1:
        raise UnreadError(f"${render(node)}$: a function of {len(node.args)} arguments is not read here")
    return _apply(function, name, node, read(node.args[0], meaning), meaning)


def _extreme(left: Part, right: Part, largest: bool) -> Part:
    """Return the larger of two, b + relu(a - b), or the smaller, b - relu(b - a), entry by entry."""
    if largest:
        return entrywise(table.ADD, right, entrywise("relu", entrywise(table.SUB, left, right)))
    return entrywise(table.SUB, right, entrywise("relu", entrywise(table.SUB, right, left)))


def _indicator(node: ast.Call, meaning: Meaning, read: Reader) -> Part:
    """Read [z > 0], entry by entry."""
    relation = node.args[0]
    assert isinstance(relation, ast.Relation)
    if node.function.base not in INDICATORS or len(relation.signs) != 1 or relation.signs[0] not in ("<", ">"):
        raise UnreadError(f"${render(node)}$ is not understood here; of indicators, [a > b] is")
    left, right = (read(link, meaning) for link in relation.links)
    inside = left if right == number(0) else entrywise(table.SUB, left, right)
    return entrywise("step", inside if relation.signs[0] == ">" else entrywise(table.NEG, inside))


def _with_constant(node: ast.Call, meaning: Meaning, read: Reader) -> Part | None:
    """Read a function with what else it depends on below its name: softmax_row(Z), LeakyReLU_c(z)."""
    bare = render(replace(node.function, subs=(), primes=0))
    function = meaning.functions.get(bare) or usual(bare) or with_constant(bare)
    if function is None or not function.op or len(node.function.subs) != 1 or len(node.args) != 1:
        return None
    (sub,), row = node.function.subs, TABLE[function.op]
    axis = _AXES.get(render(sub))
    if row.body is None and axis is not None and not node.function.primes:
        return _of_whole(function.op, read(node.args[0], meaning), node, axis)
    if row.arity != 2 or node.function.primes:
        return None
    return entrywise(function.op, read(node.args[0], meaning), read(sub, meaning))


_EXTREMES = {"max": True, r"\max": True, "min": False, r"\min": False}
_SUMS_ALONG = {r"\text{rowsum}": 1, r"\text{colsum}": 0}
_AXES = {"row": 1, "col": 0, r"\text{row}": 1, r"\text{col}": 0, r"\text{rows}": 1, r"\text{columns}": 0}


def _apply(function: Function, name: str, node: ast.Call, arg: Part, meaning: Meaning) -> Part:
    primes = node.function.primes
    if not function.op or function.body is not None:
        return entrywise("function", arg, params=(primes, name))
    row = TABLE[function.op]
    if row.body is None:
        return _whole_function(function.op, node, arg, meaning)
    own_name = name != function.op and row.prime
    params = (primes, name) if own_name else (primes,) if primes else ()
    if function.op == table.SQRT and is_number(arg):
        return number(sympy.sqrt(arg.term.leaf))
    return entrywise(function.op, arg, params=params)


_SAMPLE = {"vector": (sympy.Integer(2),), "row": (ROW, sympy.Integer(2)), "matrix": (sympy.Integer(2),) * 2}


def _kind_of(op: str, kind: str, *params: object) -> str:
    """Return the kind of a function of a whole array; raises ShapeError where it takes no such array."""
    sample = _SAMPLE.get(kind)
    if sample is None:
        raise ShapeError(f"{op} of a {kind}")
    shape = TABLE[op].shape((sample,), *params)
    return "row" if shape[:1] == (ROW,) else ("scalar", "vector", "matrix")[len(shape)]


def _of_whole(op: str, arg: Part, node: ast.Call, *params: object) -> Part:
    """Apply a function to a whole array."""
    if arg.letters:
        raise UnreadError(f"${render(node)}$: a function of all entries is not read of an entry")
    return whole(Term(op, (arg.term,), _kind_of(op, arg.kind, *params), params=params))


def _whole_function(op: str, node: ast.Call, arg: Part, meaning: Meaning) -> Part:
    """Apply a function of all entries: softmax to a vector, or to z_j, which means all of them; tr and det to a matrix.

    Of the vector at each index (the rows of a matrix) softmax is that of every row; and where vectors are added to
    the rows of matrices, or to the columns, of every row or column.
    """
    row, primes = TABLE[op], node.function.primes
    if arg.kind == "matrix" and meaning.stretch and row.define and not row.signatures and not (primes or arg.letters):
        return _of_whole(op, arg, node, 1 if meaning.stretch == "rows" else 0)
    if len(arg.letters) == 1 and arg.kind == "scalar" and not primes:
        kind = _kind_of(op, "vector")
        return Part(Term(op, (arg.term,), kind), () if kind == "scalar" else arg.letters)
    if len(arg.letters) == 1 and arg.kind == "vector" and not primes and row.define and not row.signatures:
        kind = _kind_of(op, "matrix", 1)
        return Part(Term(op, (arg.term,), kind, params=(1,)), arg.letters, "vector" if kind == "matrix" else "scalar")
    if arg.letters and op == table.SUM and not primes:
        inside = arg.axes[len(arg.letters) :]
        return total(replace(arg, letters=arg.axes, kind="scalar"), inside)
    if primes or arg.letters or (arg.kind == "matrix" and row.define and not row.signatures):
        raise ShapeError(f"${render(node)}$ needs a vector; this is a {arg.kind}")
    return whole(Term(op, (arg.term,), _kind_of(op, arg.kind)))


def _with_arguments(function: Function, node: ast.Call) -> ast.Node:
    if len(function.parameters) != len(node.args):
        raise UnreadError(
            f"${render(node)}$ has {len(node.args)} arguments; its definition has {len(function.parameters)}"
        )
    assert function.body is not None
    return substitute(function.body, dict(zip(function.parameters, node.args, strict=True)))


def substitute(node: ast.Node, values: Mapping[str, ast.Node]) -> ast.Node:
    """Return a formula's tree with names replaced."""
    if isinstance(node, ast.Name):
        return values.get(render(node), node)
    return ast.map_children(node, lambda part: substitute(part, values))
