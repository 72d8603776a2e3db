r"""Terms: operations on names whose kinds are known and whose sizes are not yet.

A kind is scalar, vector, row or matrix, or a tensor of more axes.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import sympy

from derive.op import TABLE
from derive.ops import table
from derive.read import syntax as ast
from derive.read.spelling import render

HADAMARD = (r"\circ", r"\odot", r"\ast", r"\bullet", r"\otimes")
INDEX_LETTERS = frozenset("ijklmnpqrt")  # letters that run; `s_c` and `W_h` are names of their own
DEPTH = 12  # functions of the page written out inside each other
KIND_OF_RANK = ("scalar", "vector", "matrix", *(f"tensor{rank}" for rank in range(3, 17)))
RANK = {"row": 1, **{kind: rank for rank, kind in enumerate(KIND_OF_RANK)}}
UNKNOWN = "?"  # how the name of a size begins that is still to be found
_fresh = itertools.count()
_SYNONYMS = {
    "ln": table.LOG, "sigma": table.SIGMOID, "tr": "trace", "Tr": "trace", "sgn": "sign", "lse": "logsumexp",
    "LSE": "logsumexp", "swish": "silu", "varsigma": "softmax", "LeakyReLU": "leaky_relu", "onehot": "one_hot",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Term:
    """An operation on terms, or a leaf: a name (`leaf` its key) or a number (`leaf` its value).

    `extent` names the size of what a sum runs over, where the page says it.
    """

    op: str
    args: tuple[Term, ...] = ()
    kind: str = "scalar"
    leaf: object = None
    params: tuple[object, ...] = ()
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
        stretch: How a vector is added to a matrix: to its "columns", to its "rows", or not at all, ""; then a number
            is not added to the entries of an array either.
        steps: The letter of a recurrence's steps, and the last one.
        exact: Whether all names and sizes are known, as those of a model in Python are.
        given: Whether the shapes of names are told, as in a claims file.
        entrywise: Whether a product of vectors without a sign is entrywise, as an equation of the model shows.
        samples: Whether the samples of the model lie in "rows" or "columns" of matrices; "" where it does not tell.
    """

    kinds: Mapping[str, str]
    functions: Mapping[str, Function] = field(default_factory=dict)
    sizes: frozenset[str] = frozenset()
    indices: frozenset[str] = frozenset()
    dot: str = "inner"
    stretch: str = ""
    depth: int = 0
    steps: tuple[str, str] = ("", "")
    exact: bool = False
    given: bool = False
    entrywise: bool = False
    samples: str = ""


def new_size() -> sympy.Expr:
    """Return a size that is still to be found."""
    return sympy.Symbol(f"{UNKNOWN}e{next(_fresh)}", integer=True, positive=True)


def is_running(sub: ast.Node) -> bool:
    """Tell whether a subscript can be a running index."""
    return isinstance(sub, ast.Name) and sub == ast.Name(sub.base) and sub.base in INDEX_LETTERS


def key_of(name: ast.Name, indices: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    """Return a name's key, without subscripts that are indices, and the indices that it is an entry along."""
    running = [sub for sub in name.subs if isinstance(sub, ast.Name) and render(sub) in indices]
    kept = tuple(sub for sub in name.subs if sub not in running)
    return render(replace(name, subs=kept)), tuple(map(render, running))


def cotangent_key(of: str, by: str) -> str:
    r"""Return the key of a derivative's name."""
    return rf"\frac{{\partial {of}}}{{\partial {by}}}"


def second_key(of: str, by: str) -> str:
    r"""Return the key of a Hessian's name."""
    return rf"\nabla_{{{by}}}^2 {of}"


def mixed_key(of: str, by: str, then: str) -> str:
    r"""Return the key of a second derivative by two names, the same in either order."""
    return rf"\frac{{\partial^2 {of}}}{{\partial {min(by, then)} \partial {max(by, then)}}}"


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
