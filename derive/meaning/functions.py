"""What a function's name means: a usual word, or the formula that the page gives for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy

from derive.errors import DeriveError
from derive.expr import Apply, Const, Node, Var
from derive.meaning.elaborate import by_entries, elaborate
from derive.meaning.shaping import Sizes, build, measure
from derive.meaning.terms import Function, Meaning, usual
from derive.ops import table
from derive.ops.elementwise import scalar_field
from derive.ops.table import TABLE
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.read.vocabulary import FUNCTION_LETTERS

MAX_OPERATIONS = 60  # a longer formula is not compared with the rows; it is used as it is
SIGMA = r"\sigma"  # without a definition on the page, the logistic sigmoid; said among the assumptions
ANY = Function()
_WHOLE = (table.SOFTMAX,)  # functions of a whole vector that pages define by their entries, under letters of their own


def read_definition(call: ast.Call, body: ast.Node, functions: Mapping[str, Function]) -> Function:
    """Return the meaning that `f(x) = body` gives to f: the row that it equals, or the formula itself.

    Raises:
        DeriveError: the page defines a usual word to be something else.
    """
    name = render(ast.unprimed(call))
    own = usual(name)
    if own is not None and TABLE[own.op].body is None:
        if _defines_whole(call, body, functions, own.op):
            return own
        if name not in FUNCTION_LETTERS:  # a letter may mean anything
            raise DeriveError(f"{name} is defined here in another way than usual; give it another name")
    whole = next((op for op in _WHOLE if _speaks_of_entries(call) and _defines_whole(call, body, functions, op)), "")
    if whole:
        return Function(whole)
    expr = _as_sympy(call, body, functions)
    if expr is None:
        parameters = tuple(render(arg) for arg in call.args)
        return Function("", parameters, body)
    return next(
        (Function(op) for op in _elementwise_rows() if _equal(expr, op)), Function("", (render(call.args[0]),), body)
    )


def _speaks_of_entries(call: ast.Call) -> bool:
    """Tell whether a function is told for an entry: f(z_i) = ..."""
    return len(call.args) == 1 and isinstance(call.args[0], ast.Name) and bool(call.args[0].subs)


def _elementwise_rows() -> list[str]:
    return [name for name, row in TABLE.items() if row.prime and row.body is not None]


def _as_sympy(call: ast.Call, body: ast.Node, functions: Mapping[str, Function]) -> sympy.Expr | None:
    """Return the formula of a scalar function of one variable as SymPy, or None."""
    if len(call.args) != 1 or not isinstance(call.args[0], ast.Name):
        return None
    key = render(call.args[0])
    try:
        term = elaborate(body, Meaning({key: "scalar"}, functions)).term
        sizes = Sizes()
        measure(term, sizes)
        expr = scalar_to_sympy(build(term, sizes, {key: Var(key)}))
    except (DeriveError, TypeError, ValueError):
        return None
    return expr if expr.count_ops() <= MAX_OPERATIONS else None


def scalar_to_sympy(node: Node) -> sympy.Expr:
    """Return a scalar expression of one variable as SymPy; the variable becomes x."""
    if isinstance(node, Const):
        return node.value
    if isinstance(node, Var):
        return sympy.Symbol("x", real=True)
    assert isinstance(node, Apply)
    if node.op.body is None or node.params:
        raise TypeError(f"{node.op.name} has no scalar form")
    return node.op.body(scalar_field(), *map(scalar_to_sympy, node.operands))


def _equal(expr: sympy.Expr, op: str) -> bool:
    row = TABLE[op]
    assert row.body is not None
    own = row.body(scalar_field(), sympy.Symbol("x", real=True))
    return bool(expr == own or sympy.cancel(sympy.together(expr - own)) == 0)


def _defines_whole(call: ast.Call, body: ast.Node, functions: Mapping[str, Function], op: str) -> bool:
    """Tell whether `softmax(z_j) = …` says what the row says."""
    (arg,) = call.args[:1]
    if not isinstance(arg, ast.Name):
        return False
    index = frozenset(render(sub) for sub in arg.subs)
    key = render(replace(arg, subs=()))
    try:
        meaning = Meaning({key: "vector"}, {**functions, "": ANY}, indices=index)
        term = by_entries(body, tuple(sorted(index)), meaning)
        sizes = Sizes()
        measure(term, sizes)
        vector = Var(key, sizes.shape(key, "vector"))
        own = TABLE[op].define
        return own is not None and build(term, sizes, {key: vector}) == own(vector)
    except DeriveError:
        return False
