r"""Terms: operations on names whose kinds are known and whose sizes are not yet.

A kind is scalar, vector, row or matrix, or a tensor of more axes. A name with an index (`z_j`) is an entry of a
stack: the term holds the whole stack, and `stacked` says along which index.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

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
KIND_OF_RANK = ("scalar", "vector", "matrix", *(f"tensor{rank}" for rank in range(3, 17)))
UNKNOWN = "?"  # how the name of a size begins that is still to be found
_fresh = itertools.count()
_SYNONYMS = {
    "ln": table.LOG, "sigma": table.SIGMOID, "tr": "trace", "Tr": "trace", "sgn": "sign", "lse": "logsumexp",
    "LSE": "logsumexp", "swish": "silu", "LeakyReLU": "leaky_relu", "onehot": "one_hot",
}  # fmt: skip


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
        steps: The letter of a recurrence's steps, and the last one.
        exact: Whether all names and sizes are known, as those of a model in Python are.
    """

    kinds: Mapping[str, str]
    functions: Mapping[str, Function] = field(default_factory=dict)
    sizes: frozenset[str] = frozenset()
    indices: frozenset[str] = frozenset()
    dot: str = "inner"
    depth: int = 0
    steps: tuple[str, str] = ("", "")
    exact: bool = False


def new_size() -> sympy.Expr:
    """Return a size that is still to be found."""
    return sympy.Symbol(f"{UNKNOWN}e{next(_fresh)}", integer=True, positive=True)


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
    if kind is None and any(term.kind in KIND_OF_RANK[3:] for term in (left, right)):
        raise UnreadError(f"${render(node)}$ multiplies a tensor of more than two axes; write it with indices")
    if kind is None:
        raise ShapeError(f"${render(node)}$ multiplies a {left.kind} by a {right.kind}")
    if left.stacked or right.stacked:
        raise UnreadError(f"${render(node)}$: this product of entries is not read; write it with matrices")
    return Term("matmul", (left, right), kind)


def transpose(term: Term) -> Term:
    """Return the transpose; a stack of vectors becomes one of rows, the same array."""
    turned = {"scalar": "scalar", "vector": "row", "row": "vector", "matrix": "matrix"}.get(term.kind)
    if turned is None:
        raise ShapeError(f"a {term.kind} has no transpose; write it with indices")
    if term.kind == "scalar" or (term.stacked and term.kind != "matrix"):
        return replace(term, kind=turned)
    return Term("transpose", (term,), turned)


def cotangent_key(of: str, by: str) -> str:
    r"""Return the key of a derivative's name."""
    return rf"\frac{{\partial {of}}}{{\partial {by}}}"


def second_key(of: str, by: str) -> str:
    r"""Return the key of a Hessian's name."""
    return rf"\nabla_{{{by}}}^2 {of}"


def usual(name: str) -> Function | None:
    r"""Return what a name means without a definition; None for a name that means nothing by itself.

    >>> usual(r"\operatorname{softmax}").op
    'softmax'
    """
    word = name.replace(r"\operatorname", "").replace(r"\text", "").strip("{}\\")
    op = _SYNONYMS.get(word, word if word in TABLE else word.lower())
    known = TABLE.get(op)
    takes_one = known is not None and (known.slope is not None or known.define is not None or bool(known.reduce))
    if takes_one or op == table.DET:
        return Function(op)
    return None


def with_constant(name: str) -> Function | None:
    r"""Return what a name means that has a constant below it, such as LeakyReLU_c; None for any other.

    >>> with_constant(r"\text{LeakyReLU}").op
    'leaky_relu'
    """
    word = name.replace(r"\operatorname", "").replace(r"\text", "").strip("{}\\")
    op = _SYNONYMS.get(word, word.lower())
    return Function(op) if op in TABLE and TABLE[op].arity == 2 and op not in table.RATIONAL else None
