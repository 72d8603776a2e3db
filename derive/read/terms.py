r"""From what is written to operations: a formula's tree becomes a term once the kinds of its names are known.

A kind is scalar, vector, row or matrix. Which product is meant follows from the kinds; sizes come later. A name
with an index (`z_j`) is an entry of a stack: the term holds the whole stack, and `stacked` says along which index.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import sympy

from derive.errors import ShapeError, UnreadError
from derive.op import TABLE
from derive.ops import table
from derive.read import syntax as ast
from derive.read.spelling import render

HADAMARD = (r"\circ", r"\odot", r"\ast", r"\bullet", r"\otimes")
ROWS, STACK_KINDS = "#rows", ("vector", "matrix")  # s_i x_i under a sum: a number times a vector, for each i
INDEX_LETTERS = frozenset("ijklmnpqrt")  # letters that run; `s_c` and `W_h` are names of their own
DEPTH = 12  # functions of the page written out inside each other
ENTRY_KIND = {"vector": "scalar", "matrix": "vector"}


@dataclass(frozen=True, slots=True)
class Term:
    """An operation on terms, or a leaf: a name (`leaf` its key) or a number (`leaf` its value).

    `kind` is that of one entry where the term is a stack along `stacked`; `extent` names the size of what a sum
    runs over, where the page says it.
    """

    op: str
    args: tuple[Term, ...] = ()
    kind: str = "scalar"
    leaf: object = None
    params: tuple[object, ...] = ()
    stacked: str = ""
    extent: sympy.Expr | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """What a function's name means: a row of the table, a formula of the page, or (neither) any function."""

    op: str = ""
    parameters: tuple[str, ...] = ()
    body: ast.Node | None = None


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a page says of its names.

    Attributes:
        kinds: Kind of each name, by its canonical spelling without indices.
        functions: Meaning of each function's name.
        sizes: Names that are sizes.
        indices: Names that are indices here.
        dot: What a dot between two vectors is: "inner" or "hadamard"; "entrywise": so is a product without sign.
    """

    kinds: Mapping[str, str]
    functions: Mapping[str, Function] = field(default_factory=dict)
    sizes: frozenset[str] = frozenset()
    indices: frozenset[str] = frozenset()
    dot: str = "inner"
    depth: int = 0


def is_running(sub: ast.Node) -> bool:
    """Tell whether a subscript can be a running index."""
    return isinstance(sub, ast.Name) and sub == ast.Name(sub.base) and sub.base in INDEX_LETTERS


def key_of(name: ast.Name, indices: frozenset[str]) -> tuple[str, str]:
    """Return a name's key, without subscripts that are indices, and the index that it is an entry along."""
    running = [sub for sub in name.subs if isinstance(sub, ast.Name) and render(sub) in indices]
    if len(running) > 1:
        raise UnreadError(f"${render(name)}$ has two running indices; write it with matrices")
    kept = tuple(sub for sub in name.subs if sub not in running)
    return render(replace(name, subs=kept)), render(running[0]) if running else ""


def elaborate(node: ast.Node, meaning: Meaning) -> Term:
    """Return the term of a formula without relation.

    Raises:
        ShapeError: the kinds do not fit, such as a product of two column vectors.
        UnreadError: a part has no meaning here; the message names it.
    """
    handler = _HANDLERS.get(type(node))
    if handler is None:
        raise UnreadError(f"${render(node)}$ is not understood here")
    return handler(node, meaning)


def _number(node: ast.Number, meaning: Meaning) -> Term:
    try:
        value = Fraction(node.text)
    except ValueError:
        raise UnreadError(f"{node.text} is no number that can be used here") from None
    return Term("#", leaf=sympy.Rational(value.numerator, value.denominator))


def _name(node: ast.Name, meaning: Meaning) -> Term:
    key, index = key_of(node, meaning.indices)
    if key in meaning.sizes and not index:
        return Term("#", leaf=sympy.Symbol(key, integer=True, positive=True))
    if key not in meaning.kinds:
        raise UnreadError(f"the symbol ${render(node)}$ is not defined here")
    kind = meaning.kinds[key]
    if not index:
        return Term("", kind=kind, leaf=key)
    if kind not in ENTRY_KIND:
        raise ShapeError(f"${render(node)}$: {key} is a {kind} and has no entries")
    return Term("", kind=ENTRY_KIND[kind], leaf=key, stacked=index)


def _negative(node: ast.Neg, meaning: Meaning) -> Term:
    return entrywise("neg", elaborate(node.arg, meaning))


def _sum(node: ast.Sum, meaning: Meaning) -> Term:
    left, right = elaborate(node.left, meaning), elaborate(node.right, meaning)
    if left.kind != right.kind and not any(term.op == "#" for term in (left, right)):
        raise ShapeError(f"${render(node)}$ adds a {left.kind} and a {right.kind}")
    return entrywise("add" if node.sign == "+" else "sub", left, right)


def entrywise(op: str, *args: Term, params: tuple[object, ...] = ()) -> Term:
    """Return an operation that acts entry by entry; numbers and scalars may stand beside anything."""
    kinds = {term.kind for term in args if term.kind != "scalar"}
    stacks = {term.stacked for term in args if term.stacked}
    if op == table.MUL and kinds == {"vector"} and all(term.stacked for term in args) and len(stacks) == 1:
        number, vector = sorted(args, key=lambda term: term.kind)
        if number.kind == "scalar":
            return Term(ROWS, (number, vector), "vector", stacked=vector.stacked)
    if op == table.MUL and len(stacks) == 1 and (outer := _outer(args)) is not None:
        return outer
    if len(kinds) > 1 or len(stacks) > 1:
        raise ShapeError(f"{op}: {' and '.join(term.kind for term in args)} do not go together entry by entry")
    loose = [term for term in args if not term.stacked and term.kind != "scalar"]
    if stacks and loose:
        raise UnreadError(f"{op}: an entry of a stack and a whole {loose[0].kind} do not go together")
    return Term(op, args, next(iter(kinds), "scalar"), None, params, next(iter(stacks), ""))


def _outer(args: tuple[Term, ...]) -> Term | None:
    """Return s_j x, a number of each entry times one vector: the stack s xᵀ, of which row j is s_j xᵀ."""
    number, whole = args if args[0].stacked else args[::-1]
    if number.kind != "scalar" or not number.stacked or whole.stacked or whole.kind not in ("vector", "row"):
        return None
    row = transpose(whole) if whole.kind == "vector" else whole
    return Term(table.MATMUL, (replace(number, stacked="", kind="vector"), row), whole.kind, stacked=number.stacked)


def _product(node: ast.Product, meaning: Meaning) -> Term:
    left, right = elaborate(node.left, meaning), elaborate(node.right, meaning)
    if "scalar" in (left.kind, right.kind):
        return entrywise("mul", left, right)
    if node.sign in HADAMARD or (node.sign == "*" and left.kind == right.kind == "vector"):
        if left.kind != right.kind:
            raise ShapeError(f"${render(node)}$ is an entrywise product of a {left.kind} and a {right.kind}")
        return entrywise("mul", left, right)
    if left.kind == right.kind == "vector":
        if meaning.dot == "entrywise" or (meaning.dot == "hadamard" and node.sign):
            return entrywise("mul", left, right)
        if node.sign:
            return multiply(transpose(left), right, node)
    return multiply(left, right, node)


_PRODUCTS = {
    ("matrix", "matrix"): "matrix", ("matrix", "vector"): "vector", ("row", "matrix"): "row",
    ("row", "vector"): "scalar", ("vector", "row"): "matrix",
}  # fmt: skip


def multiply(left: Term, right: Term, node: ast.Node) -> Term:
    """Return the matrix product; of a stack of rows and a vector, the stack of the products."""
    if left.stacked and left.kind == "row" and not right.stacked and right.kind == "vector":
        return Term("matmul", (left, right), "scalar", stacked=left.stacked)
    if right.stacked and right.kind == "vector" and not left.stacked and left.kind == "row":
        return Term("matmul", (transpose(right), transpose(left)), "scalar", stacked=right.stacked)
    kind = _PRODUCTS.get((left.kind, right.kind))
    if kind is None:
        raise ShapeError(f"${render(node)}$ multiplies a {left.kind} by a {right.kind}")
    if left.stacked or right.stacked:
        raise UnreadError(f"${render(node)}$: this product of entries is not read; write it with matrices")
    return Term("matmul", (left, right), kind)


def transpose(term: Term) -> Term:
    """Return the transpose; a stack of vectors becomes one of rows, the same array."""
    turned = {"scalar": "scalar", "vector": "row", "row": "vector", "matrix": "matrix"}[term.kind]
    if term.kind == "scalar" or (term.stacked and term.kind != "matrix"):
        return replace(term, kind=turned)
    return Term("transpose", (term,), turned)


def _transpose(node: ast.Transpose, meaning: Meaning) -> Term:
    return transpose(elaborate(node.arg, meaning))


def _quotient(node: ast.Quotient, meaning: Meaning) -> Term:
    top, bottom = elaborate(node.top, meaning), elaborate(node.bottom, meaning)
    if top.op == "#" and bottom.op == "#":
        return Term("#", leaf=top.leaf / bottom.leaf)  # type: ignore[operator]
    if bottom.kind not in ("scalar", top.kind) and top.kind != "scalar":
        raise ShapeError(f"${render(node)}$ divides a {top.kind} by a {bottom.kind}")
    return entrywise("div", top, bottom)


def _power(node: ast.Power, meaning: Meaning) -> Term:
    exponent = elaborate(node.exponent, meaning)
    if isinstance(node.base, ast.Norm) and exponent.leaf == 2:
        return _squared_norm(elaborate(node.base.arg, meaning), node)
    base = elaborate(node.base, meaning)
    if exponent.op == table.NEG and exponent.args[0].op == "#":
        exponent = Term("#", leaf=-exponent.args[0].leaf)  # type: ignore[operator]
    if exponent.op != "#" or base.kind in ("matrix", "row"):
        raise UnreadError(f"the power ${render(node)}$ is not understood here")
    if exponent.leaf == sympy.Rational(1, 2):
        return entrywise("sqrt", base)
    return entrywise("pow", base, exponent)


def _squared_norm(arg: Term, node: ast.Node) -> Term:
    if arg.stacked:
        raise UnreadError(f"${render(node)}$: the norm of an entry is not read here")
    square = entrywise("pow", arg, Term("#", leaf=sympy.Integer(2)))
    return Term("sum", (square,)) if arg.kind != "scalar" else square


def _norm(node: ast.Norm, meaning: Meaning) -> Term:
    if node.p not in ("", "2", "F"):
        raise UnreadError(f"the norm ${render(node)}$ is not read; use the 2-norm")
    return entrywise("sqrt", _squared_norm(elaborate(node.arg, meaning), node))


def _absolute(node: ast.Abs, meaning: Meaning) -> Term:
    return entrywise("abs", elaborate(node.arg, meaning))


def _call(node: ast.Call, meaning: Meaning) -> Term:
    name = render(replace(node.function, primes=0))
    if name in meaning.kinds:
        raise UnreadError(f"${name}$ is a quantity here, and is written as a function in ${render(node)}$")
    function = meaning.functions.get(name)
    if function is None:
        raise UnreadError(f"the function {name} is not known here")
    if function.body is not None and not node.function.primes and meaning.depth < DEPTH:
        try:
            return elaborate(_with_arguments(function, node), replace(meaning, depth=meaning.depth + 1))
        except UnreadError:  # its formula goes beyond what is read: then it is any function of its argument
            if len(node.args) != 1:
                raise
    if len(node.args) == 2 and isinstance(node.args[0], ast.Number) and node.args[0].text == "0" and name == "max":
        return entrywise("relu", elaborate(node.args[1], meaning))
    if len(node.args) != 1:
        raise UnreadError(f"${render(node)}$: a function of {len(node.args)} arguments is not read here")
    return _apply(function, name, node, elaborate(node.args[0], meaning))


def _apply(function: Function, name: str, node: ast.Call, arg: Term) -> Term:
    primes = node.function.primes
    if not function.op or function.body is not None:
        return entrywise("function", arg, params=(primes, name))
    row = TABLE[function.op]
    if row.body is None:
        return _whole(function.op, node, arg)
    own_name = name != function.op and row.prime
    params = (primes, name) if own_name else (primes,) if primes else ()
    return entrywise(function.op, arg, params=params)


def _whole(op: str, node: ast.Call, arg: Term) -> Term:
    """Apply a function of all entries, such as softmax, to a vector or to a stack of scalars."""
    if node.function.primes or (arg.kind != "vector" if not arg.stacked else arg.kind != "scalar"):
        raise ShapeError(f"${render(node)}$ needs a vector; this is a {arg.kind}")
    if TABLE[op].shape(((sympy.Integer(2),),)) == ():
        return Term(op, (replace(arg, stacked="", kind="vector"),), "scalar")
    return Term(op, (arg,), arg.kind, stacked=arg.stacked)


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


def _big(node: ast.Big, meaning: Meaning) -> Term:
    if node.kind != "sum" or not isinstance(node.index, ast.Name):
        raise UnreadError(f"${render(node)}$ is not read; only sums with an index are")
    index = render(node.index)
    body = elaborate(node.body, replace(meaning, indices=meaning.indices | {index}))
    if body.op == ROWS and body.stacked == index:
        number, vector = (replace(arg, stacked="", kind=kind) for arg, kind in zip(body.args, STACK_KINDS, strict=True))
        return multiply(transpose(vector), number, node)
    if body.stacked != index or body.kind != "scalar":
        raise UnreadError(f"${render(node)}$: the sum over {index} is not understood here")
    extent = None
    if isinstance(node.upper, ast.Name) and render(node.upper) in meaning.sizes:
        extent = sympy.Symbol(render(node.upper), integer=True, positive=True)
    return Term("sum", (replace(body, stacked="", kind="vector"),), extent=extent)


def cotangent_key(of: str, by: str) -> str:
    r"""Return the key of a derivative's name."""
    return rf"\frac{{\partial {of}}}{{\partial {by}}}"


def _derivative(node: ast.Derivative, meaning: Meaning) -> Term:
    if not isinstance(node.of, ast.Name) or not isinstance(node.wrt, ast.Name):
        raise UnreadError(f"the derivative ${render(node)}$ is not understood here")
    key = cotangent_key(render(node.of), render(node.wrt))
    by, index = key_of(node.wrt, meaning.indices)
    if key not in meaning.kinds and index:
        key = cotangent_key(render(node.of), by)
    if key not in meaning.kinds:
        met = f"${render(node)}$: the model here does not lead"
        raise UnreadError(f"{met} from ${render(node.wrt)}$ to ${render(node.of)}$")
    kind = meaning.kinds[key]
    return Term("", kind=ENTRY_KIND.get(kind, kind) if index else kind, leaf=key, stacked=index)


_HANDLERS: dict[type, Callable[[Any, Meaning], Term]] = {
    ast.Number: _number, ast.Name: _name, ast.Neg: _negative, ast.Sum: _sum, ast.Product: _product,
    ast.Transpose: _transpose, ast.Quotient: _quotient, ast.Power: _power, ast.Norm: _norm, ast.Abs: _absolute,
    ast.Call: _call, ast.Big: _big, ast.Derivative: _derivative,
}  # fmt: skip
