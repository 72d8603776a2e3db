r"""Formulas in indices and the words of matrix calculus: each is read as the node that one would write in Python.

What has two readings, or none, is refused with a reason; what is garbled is refused, and nothing else happens.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest
import sympy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from derive import sigmoid, softmax, tanh, total
from derive.api import Derivation, Model
from derive.claims.bench import bench_for, sides, with_partials
from derive.diagnose import search
from derive.errors import DeriveError, ShapeError, UnreadError
from derive.expr import Apply, Const, Node, Var, matrix, ones, scalar, vector
from derive.meaning.outline import Equation, Place
from derive.model import Definition, Network
from derive.ops.elementwise import exp, log, sign, sqrt
from derive.ops.linalg import det, inverse, norm, trace
from derive.ops.reduction import largest, logsumexp, mean
from derive.ops.tensor import diag, einsum, eye, selection
from derive.read import syntax as ast
from derive.read.latex import read_formula
from derive.shapes import size
from derive.verify.judge import shapes_agree
from derive.verify.normal_form import same

A, B, C, X = matrix("A", "m", "n"), matrix("B", "n", "k"), matrix("C", "m", "n"), matrix("X", "n", "n")
x, y, w, z, b = vector("x", "n"), vector("y", "n"), vector("w", "n"), vector("z", "m"), vector("b", "m")
g, s = vector("g", "p"), scalar("s")
V, K = Var("V", ("m", "n", "k")), Var("K", ("o", "c", "r"))
N, M, P = size("n"), size("m"), size("p")
u, f = Var("u", ("m",)), Var("f")
TARGET = "Q"


def derivative(of: str, by: str, *shape: str) -> Var:
    return Var(rf"\frac{{\partial {of}}}{{\partial {by}}}", shape)


def read(latex: str, like: Node) -> Node:
    """The right side of `Q = latex`, Q being of the shape of a node."""
    target = Var(TARGET, like.shape)
    network = Network("Names", (Definition(u, sigmoid(A @ w)), Definition(f, total(u**2))), f)
    claim = Equation(ast.Name(TARGET), read_formula(latex), latex, Place(("",), 0, "", 1, 1))
    bench = bench_for(network, [target, A, B, C, X, x, y, z, b, g, s, V, K])
    _, names = with_partials(claim, bench)
    left, right = sides(claim, replace(bench, names=names))
    assert left == target
    return right


def agrees(latex: str, node: Node) -> None:
    found = read(latex, node)
    assert shapes_agree(found, node), f"{found.shape} and {node.shape}"
    assert same(found, node), found


# ---------------------------------------------------------------- entries
def valid(length: sympy.Expr, count: sympy.Expr) -> Node:
    """[i = t + j], with as many t as fit."""
    return selection(length, (count, length - count + 1))


ENTRIES: list[tuple[str, Node]] = [
    (r"\left(\sum_j A_{ij} x_j\right)_i", A @ x),
    (r"(\sum_j A_{ij} x_j)_i", A @ x),
    (r"\left(\sum_{j=1}^{n} A_{ij} x_j\right)_i", A @ x),
    (r"\left(\sum_{j} A_{i,j} x_{j}\right)_{i}", A @ x),
    (r"\left(\sum_i z_i A_{ij}\right)_j", A.T @ z),
    (r"\left(\sum_i A_{ij} z_i\right)_{j}", A.T @ z),
    (r"\sum_i \sum_j z_i A_{ij} x_j", z.T @ A @ x),
    (r"\sum_{i,j} z_i A_{ij} x_j", z.T @ A @ x),
    (r"\sum_{ij} A_{ij}^2", norm(A) ** 2),
    (r"\sum_{i=1}^m \sum_{j=1}^n A_{ij}^2", norm(A) ** 2),
    (r"\sum_i (A x)_i z_i", (A @ x).T @ z),
    (r"\left(z_i x_j\right)_{ij}", z @ x.T),
    (r"\left(z_i x_j\right)_{ji}", x @ z.T),
    (r"\left(A_{ij}\right)_{ji}", A.T),
    (r"\left(\sum_j A_{ij} B_{jl}\right)_{il}", A @ B),
    (r"\left(\sum_j A_{ij} B_{jl}\right)_{li}", (A @ B).T),
    (r"\left(\sum_{j,l} A_{ij} B_{jl}\right)_{i}", total(A @ B, 1)),
    (r"\left(\sum_j A_{ij} \sum_l B_{jl}\right)_i", A @ total(B, 1)),
    (r"\left(-A_{ij}\right)_{ij}", -A),
    (r"\left(A_{ij} - C_{ij}\right)_{ij}", A - C),
    (r"\left(A_{ij} C_{ij}\right)_{ij}", A * C),
    (r"\left(z_i A_{ij}\right)_{ij}", diag(z) @ A),
    (r"\left(\frac{A_{ij}}{C_{ij}}\right)_{ij}", A / C),
    (r"\left(A_{ij} \oslash C_{ij}\right)_{ij}", A / C),
    (r"\left(\frac{A_{ij}}{z_i}\right)_{ij}", A / (z @ ones(N).T)),
    (r"\left(\frac{1}{n} \sum_j A_{ij}\right)_i", mean(A, 1)),
    (r"\left(|x_i|\right)_i", Apply("abs", x)),
    (r"\left(e^{x_i}\right)_i", exp(x)),
    (r"\left(x_i^2\right)_i", x**2),
    (r"\left(\frac{e^{x_i}}{\sum_j e^{x_j}}\right)_i", softmax(x)),
    (r"\left(\sigma((A x)_i)\right)_i", sigmoid(A @ x)),
    (r"\left(\tanh'(x_i)\right)_i", Apply("tanh", x, 1)),
    (r"\left(\mathbb{1}[x_i > 0] y_i\right)_i", Apply("step", x) * y),
    (r"\left((A x)_i\right)_i", A @ x),
    (r"\left((A x)_i z_i\right)_i", (A @ x) * z),
    (r"\left((X^{-1})_{ij}\right)_{ij}", inverse(X)),
    (r"\left((A^T)_{ji}\right)_{ij}", A),
    (r"\left(\sum_{j} V_{i,j,l} x_j\right)_{il}", einsum("abc,b->ac", V, x)),
    (r"\left(V_{ijl}\right)_{l,i,j}", einsum("abc->cab", V)),
    (r"\sum_{i,j,l} V_{ijl}^2", total(V**2)),
]
DELTAS: list[tuple[str, Node]] = [
    (r"\left([i = j]\right)_{ij}", eye("n")),
    (r"\left([i = j] x_i\right)_{ij}", diag(x)),
    (r"\left([i = j] x_j\right)_{ij}", diag(x)),
    (r"\left(x_i [i = j] - x_i x_j\right)_{ij}", diag(x) - x @ x.T),
    (r"\left(x_i ([i = j] - x_j)\right)_{ij}", diag(x) - x @ x.T),
    (r"\left(\sum_j [i = j] x_j\right)_i", x),
    (r"\left(\sum_{j} A_{ij} [j = l] \right)_{il}", A),
    (r"\left([i = j + 1] x_j\right)_{ij}", selection(N, (N,), 1) @ diag(x)),
    (r"\left(\sum_{s} g_s \sum_{t} [t = s + j] x_t\right)_j", einsum("a,bac,b->c", g, valid(N, P), x)),
]
SHIFTS: list[tuple[str, Node]] = [
    (r"\left(\sum_t g_t x_{t+j}\right)_j", einsum("a,bac,b->c", g, valid(N, P), x)),
    (r"\left(\sum_j g_j x_{t+j}\right)_t", einsum("a,bac,b->c", g, valid(N, P), x)),
    (r"\left(\sum_j g_j x_{j+t}\right)_t", einsum("a,bac,b->c", g, valid(N, P), x)),
    (r"\left(\sum_j g_j x_{2t+j}\right)_t", einsum("a,bca,b->c", g, selection(N, ("q", P), 0, (2, 1)), x)),
    (r"\left(\sum_j g_j x_{t+2j}\right)_t", einsum("a,bca,b->c", g, selection(N, ("q", P), 0, (1, 2)), x)),
    (r"\left(x_{2t+1}\right)_t", einsum("a,ab->b", x, selection(N, ("q",), 1, (2,)))),
    (r"\left(x_{t+1}\right)_t", einsum("a,ab->b", x, selection(N, ("q",), 1))),
    (r"\left(\sum_{t} g_t x_{a-t}\right)_a", einsum("a,bca,b->c", g, selection(N, ("q", P), 0, (1, -1)), x)),
    (
        r"\left(\sum_{o,u} g_u K_{o,c,a-u}\right)_{c,a}",
        einsum("u,ocr,rau->ca", g, K, selection("r", ("q", P), 0, (1, -1))),
    ),
    (r"\left(\sum_{u} A_{u,a-u}\right)_a", einsum("ur,rau->a", A, selection(N, ("q", M), 0, (1, -1)))),
]
DIAGONALS: list[tuple[str, Node]] = [
    (r"\left(X_{ii}\right)_i", diag(X)),
    (r"\sum_i X_{ii}", trace(X)),
    (r"\sum_{i} X_{ii} x_i", diag(X).T @ x),
    (r"\left(X_{ii} x_i\right)_i", diag(X) * x),
    (r"\sum_i (X^{-1})_{ii}", trace(inverse(X))),
    (r"\operatorname{diag}(x)", diag(x)),
    (r"\operatorname{diag}(X)", diag(X)),
    (r"\operatorname{diag}(x) X", diag(x) @ X),
]
DERIVATIVES: list[tuple[str, Node]] = [
    (r"\left(\sum_{j} \frac{\partial f}{\partial w_{j}} A_{ij}\right)_i", A @ derivative("f", "w", "n")),
    (r"\left(\sum_{i} \frac{\partial f}{\partial u_{i}} A_{ij}\right)_j", A.T @ derivative("f", "u", "m")),
    (r"\left(\sum_i \frac{\partial f}{\partial A_{ij}} z_i\right)_j", derivative("f", "A", "m", "n").T @ z),
    (r"\left(\frac{\partial f}{\partial A_{ij}} x_j\right)_{ij}", derivative("f", "A", "m", "n") @ diag(x)),
    (r"\sum_{i,j} \frac{\partial f}{\partial A_{ij}} A_{ij}", total(derivative("f", "A", "m", "n") * A)),
    (r"\left(\frac{\partial f}{\partial w_j}\right)_j", derivative("f", "w", "n")),
    (r"\nabla_w f", derivative("f", "w", "n")),
    (r"\nabla_w^2 f", Var(r"\nabla_{w}^2 f", ("n", "n"))),
    (r"\nabla^2_w f", Var(r"\nabla_{w}^2 f", ("n", "n"))),
    (r"\frac{\partial^2 f}{\partial w^2}", Var(r"\nabla_{w}^2 f", ("n", "n"))),
    (r"\nabla_w^2 f \, x", Var(r"\nabla_{w}^2 f", ("n", "n")) @ x),
    (r"x^T \nabla_w^2 f \, x", x.T @ Var(r"\nabla_{w}^2 f", ("n", "n")) @ x),
    (r"\frac{\partial u}{\partial w}", derivative("u", "w", "m", "n")),
]
WORDS: list[tuple[str, Node]] = [
    (r"I x", x),
    (r"X - s I", X - s * eye("n")),
    (r"(X + I)^{-1} x", inverse(X + eye("n")) @ x),
    (r"\mathbf{1}^T x", total(x)),
    (r"A \mathbf{1}", total(A, 1)),
    (r"\mathbf{1} x^T", ones(M) @ x.T),
    (r"\mathbb{1}[x > 0]", Apply("step", x)),
    (r"\mathbf{1}[x > 0]", Apply("step", x)),
    (r"[x > 0]", Apply("step", x)),
    (r"[x < 0]", Apply("step", -x)),
    (r"[x > y]", Apply("step", x - y)),
    (r"\operatorname{tr}(X)", trace(X)),
    (r"\operatorname{tr} X", trace(X)),
    (r"\text{tr}(A^T C)", trace(A.T @ C)),
    (r"\operatorname{tr}(A^T C)", total(A * C)),
    (r"\det(X)", det(X)),
    (r"\det X", det(X)),
    (r"\log \det X", log(det(X))),
    (r"X^{-1} x", inverse(X) @ x),
    (r"X^{-T} x", inverse(X).T @ x),
    (r"X^{-\top} x", inverse(X.T) @ x),
    (r"(X^T)^{-1} x", inverse(X).T @ x),
    (r"X X", X @ X),
    (r"X^{\circ 2}", X**2),
    (r"X^{\circ 3}", X**3),
    (r"x^{\circ 2}", x**2),
    (r"x^2", x**2),
    (r"\|x\|", norm(x)),
    (r"\|x\|_2", norm(x)),
    (r"\lVert x \rVert_2", norm(x)),
    (r"\|x\|^2", x.T @ x),
    (r"\|x\|_1", norm(x, 1)),
    (r"\|x\|_\infty", norm(x, "inf")),
    (r"\|x\|_1^2", norm(x, 1) ** 2),
    (r"\|A\|_F", norm(A)),
    (r"\|A\|_F^2", total(A**2)),
    (r"\|A x - b\|_2^2", total((A @ x - b) ** 2)),
    (r"A \oslash C", A / C),
    (r"x \oslash y", x / y),
    (r"A \odot C", A * C),
    (r"\operatorname{softmax}(x)", softmax(x)),
    (r"\operatorname{softmax}_{row}(A)", softmax(A, 1)),
    (r"\operatorname{softmax}_{col}(A)", softmax(A, 0)),
    (r"\operatorname{softmax}_{\text{rows}}(A)", softmax(A, 1)),
    (r"\operatorname{rowsum}(A)", total(A, 1)),
    (r"\operatorname{colsum}(A)", total(A, 0)),
    (r"\operatorname{lse}(x)", logsumexp(x)),
    (r"\max(x)", largest(x)),
    (r"\operatorname{sign}(x)", sign(x)),
    (r"\tanh(A x)", tanh(A @ x)),
    (r"\sqrt{x}", sqrt(x)),
    (r"\frac{1}{2} x", Const(sympy.Rational(1, 2)) * x),
]


def named(pairs: list[tuple[str, Node]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("latex", "node"), pairs, ids=[latex for latex, _ in pairs])


@named(ENTRIES)
def test_a_formula_in_entries_is_the_array(latex: str, node: Node) -> None:
    agrees(latex, node)


@named(DELTAS)
def test_a_bracket_of_two_indices_is_one_where_they_agree(latex: str, node: Node) -> None:
    agrees(latex, node)


@named(SHIFTS)
def test_an_index_that_is_a_sum_counts_from_zero(latex: str, node: Node) -> None:
    agrees(latex, node)


@named(DIAGONALS)
def test_an_index_written_twice_is_a_diagonal(latex: str, node: Node) -> None:
    agrees(latex, node)


@named(DERIVATIVES)
def test_derivatives_have_entries_and_second_orders(latex: str, node: Node) -> None:
    agrees(latex, node)


@named(WORDS)
def test_words_of_matrix_calculus_have_their_usual_meaning(latex: str, node: Node) -> None:
    agrees(latex, node)


def test_a_wrong_order_of_indices_is_another_array() -> None:
    assert not same(read(r"\left(X_{ij}\right)_{ji}", X), X)
    assert not same(read(r"\left(\sum_j X_{ji} x_j\right)_i", x), X @ x)
    assert not same(read(r"\left(\sum_j g_j x_{t-j}\right)_t", x), read(r"\left(\sum_j g_j x_{t+j}\right)_t", x))
    assert not same(read(r"\left([i = j + 1]\right)_{ij}", X), read(r"\left([j = i + 1]\right)_{ij}", X))


# ---------------------------------------------------------------- the limits of sums
@pytest.mark.parametrize("limits", ["{i=2}^{m}", "{i=1}^{m-1}", "{i=1}^{m+1}", "{i=1}^{5}", "{i=1}^{k}", "{i=3}",
                                    r"{i=1}^{\infty}", "{i=m}^{1}"])  # fmt: skip
def test_a_sum_over_a_part_of_the_entries_is_never_the_whole_sum(limits: str) -> None:
    model = Model("Sum of squares")
    model.define("f", total(z**2))
    try:
        verdict = model.gradients().check(rf"f = \sum_{limits} z_i^2")
    except DeriveError:
        return
    assert verdict.verdict not in ("proved", "verified"), verdict


@pytest.mark.parametrize("limits", ["_i", "_{i}", "_{i=1}^{m}", "_{i=1}^m"])
def test_a_sum_over_all_entries_is_the_whole_sum(limits: str) -> None:
    model = Model("Sum of squares")
    model.define("f", total(z**2))
    assert model.gradients().check(rf"f = \sum{limits} z_i^2").verdict == "proved"


# ---------------------------------------------------------------- what is refused
REFUSED: list[tuple[str, Node, type[DeriveError], str]] = [
    # an index is left over
    (r"\left(A_{ij} x_j\right)_i", z, UnreadError, "j"),
    (r"\left(\sum_l A_{ij} x_j\right)_i", z, UnreadError, "j"),
    (r"\left(A_{il} x_i\right)_i", z, UnreadError, "l"),
    (r"\left(\sum_i A_{ij}\right)_i", x, UnreadError, "j"),
    (r"\left(\sum_{j} A_{ij} B_{jl}\right)_{i}", z, UnreadError, "l"),
    # an index that is bound nowhere
    (r"x_i", s, UnreadError, "i"),
    (r"A_{ij}", s, UnreadError, "i"),
    (r"\sum_j A_{ij} x_j", s, UnreadError, "i"),
    (r"A x_i", z, UnreadError, "i"),
    # where a sum of indices begins
    (r"\left(\sum_{j=0}^{p} g_j x_{t+j}\right)_t", x, UnreadError, "may count from 0 or from 1"),
    (r"\left(\sum_{j=0}^{p-1} g_j x_{t+j}\right)_t", x, UnreadError, "may count from 0 or from 1"),
    (r"\left(\sum_{j=1}^{p} g_j x_{t+j}\right)_t", x, UnreadError, "may count from 0 or from 1"),
    (r"\left(\sum_{j=0}^{n} A_{ij} x_j\right)_i", z, UnreadError, "does not begin at 1"),
    (r"\left(\sum_{j=2}^{n} A_{ij} x_j\right)_i", z, UnreadError, "does not begin at 1"),
    (r"\left(\sum_{j=1}^{n-1} A_{ij} x_j\right)_i", z, UnreadError, "no size"),
    (r"\left(\sum_{j=1}^{m} A_{ij} x_j\right)_i", z, ShapeError, "m and n"),
    (r"\sum_i z_i x_i", s, ShapeError, "m and n"),
    # whole arrays among entries
    (r"\left(A_{ij} x\right)_{ij}", A, UnreadError, "among entries"),
    (r"\left(x_i + y\right)_i", x, UnreadError, "among entries"),
    (r"\left(\sum_j A_{ij} x\right)_i", z, UnreadError, "among entries"),
    # the number of indices
    (r"\left(x_{ij}\right)_{ij}", X, UnreadError, "is a vector"),
    (r"\left(A_{i}\right)_{i}", z, UnreadError, "is a vector among"),
    (r"\left(V_{ij}\right)_{ij}", A, UnreadError, "V"),
    # other brackets, sums and indices
    (r"\left([2 i = j]\right)_{ij}", X, UnreadError, "[i = j + c]"),
    (r"\left([i > j]\right)_{ij}", X, UnreadError, "i"),
    (r"\left(\prod_j A_{ij}\right)_i", z, UnreadError, "only sums"),
    (r"\left(x_{i^2}\right)_i", x, UnreadError, "x_{i"),
    (r"\left(\sum_{j} A_{ij} q_j\right)_i", z, UnreadError, "q"),
    # powers, norms, transposes, shapes
    (r"X^3", X, UnreadError, r"\circ"),
    (r"X^{1/2}", X, UnreadError, r"\circ"),
    (r"X^{-2}", X, UnreadError, r"\circ"),
    (r"X^{s}", X, UnreadError, r"\circ"),
    (r"\|x\|_3", s, UnreadError, "norm"),
    (r"\|x\|_p", s, UnreadError, "norm"),
    (r"\|A\|_2", s, UnreadError, "norm"),
    (r"\|A\|_1", s, UnreadError, "norm"),
    (r"V^T", V, UnreadError, "write it with indices"),
    (r"V x", z, DeriveError, "tensor"),
    (r"\operatorname{tr}(A)", s, ShapeError, "m and n"),
    (r"\det(A)", s, ShapeError, "m and n"),
    (r"A^{-1}", A, ShapeError, "m and n"),
    (r"A \oslash x", A, ShapeError, "matrix by a vector"),
    (r"x y", s, ShapeError, "a vector by a vector"),
    (r"A x^T", A, ShapeError, "a matrix by a row"),
]


@pytest.mark.parametrize(("latex", "like", "kind", "word"), REFUSED, ids=[entry[0] for entry in REFUSED])
def test_what_has_no_reading_is_refused_with_a_reason(
    latex: str, like: Node, kind: type[DeriveError], word: str
) -> None:
    with pytest.raises(kind) as caught:
        read(latex, like)
    assert word in str(caught.value), str(caught.value)


@pytest.mark.parametrize(
    ("latex", "letter"),
    [(r"\left(A_{ij} x_j\right)_i", "j"), (r"\left(\sum_l A_{ij} x_j\right)_i", "j"), (r"\sum_j A_{ij} x_j", "i")],
)
def test_an_index_that_is_not_summed_over_is_called_an_index(latex: str, letter: str) -> None:
    """That the matrix is not defined, which it is, does not help anybody."""
    with pytest.raises(UnreadError) as caught:
        read(latex, z)
    assert re.search(rf"index.*\b{letter}\b|\b{letter}\b.*index", str(caught.value)), str(caught.value)


@pytest.mark.parametrize("latex", [r"\det(A)", r"\operatorname{tr}(A)", r"A^{-1}", r"\operatorname{tr}(x)"])
def test_what_takes_a_square_matrix_says_so(latex: str) -> None:
    with pytest.raises(ShapeError) as caught:
        read(latex, s)
    assert "square" in str(caught.value), str(caught.value)


# ---------------------------------------------------------------- garbled formulas
@cache
def record() -> Derivation:
    model = Model("Names")
    v = model.define("u", A @ x - b)
    p = model.define("p", sigmoid(v))
    model.define("f", total(p**2) + x.T @ X @ x + norm(w) ** 2)
    return model.hessian("x")


CLAIMS = [
    r"\frac{\partial f}{\partial x} = A^T (2 p \circ \sigma'(u)) + (X + X^T) x",
    r"u = \left(\sum_j A_{ij} x_j - b_i\right)_i",
    r"f = \sum_i p_i^2 + \sum_{i,j} x_i X_{ij} x_j + \sum_k w_k^2",
    r"\frac{\partial f}{\partial x} = \left(\sum_{i=1}^{m} \frac{\partial f}{\partial u_{i}} A_{ij}\right)_j",
    r"\frac{\partial f}{\partial X} = \left(x_i x_j\right)_{ij}",
    r"\frac{\partial f}{\partial u_i} = 2 p_i \sigma'(u_i)",
    r"\left([i = j + 1] x_j\right)_{ij} = \left(\sum_t b_t x_{t+j}\right)_j",
    r"\nabla_x^2 f = X + X^T + A^T \operatorname{diag}(2 \sigma'(u) \circ \sigma'(u)) A",
    r"\|u\|_2^2 = \|A x - b\|^2 + \|A\|_F \|x\|_1 \|x\|_{\infty}",
    r"\operatorname{tr}(X^{-1} X) = \det(X^{-T})",
    r"\left(X_{ii}\right)_i = [x > 0] \oslash w^{\circ 2}",
    r"\operatorname{softmax}_{row}(A) = \operatorname{rowsum}(A) \mathbf{1}^T I",
    r"\left(\sum_{u} A_{u,a-u}\right)_{a} = \left(x_{2t+1}\right)_t",
    r"\frac{\partial u}{\partial x} = A",
    r"\frac{\partial^2 f}{\partial x^2} = \left(\sum_{l} (X x)_l [i = j]\right)_{ij}",
]
TOKEN = re.compile(r"\\[a-zA-Z]+|.", re.DOTALL)
TOKENS = [TOKEN.findall(claim) for claim in CLAIMS]
MORE = ["0", "3", "-", "_", "^", "{", "}", "[", "]", "&", r"\\", r"\frac", r"\sqrt", "'", ",", "|", "!", "é", "=", " ",
        r"\left", r"\right", r"\sum", r"\prod", "99", "n", "m", "i", "^T", "_{i}", "^{-1}", r"\circ"]  # fmt: skip
WORD_LIST = sorted({token for tokens in TOKENS for token in tokens} | set(MORE))
# Kinds of tokens that may stand for each other, so that what comes out is a formula more often than not.
ALIKE = [list("ijkltu"), [*list("Axbpuwzfq"), "X", "V"], ["+", "-", r"\circ", r"\oslash", " "], list("0123"),
         ["^T", "^{-1}", "^2", "^{\\circ 2}", "_i", "_{ij}", "_{ji}", ""],
         [r"\sigma", r"\tanh", r"\log", r"\det", r"\operatorname{tr}", r"\operatorname{diag}", r"\exp"]]  # fmt: skip


@st.composite
def garbled(draw: st.DrawFn) -> str:
    """A formula with tokens dropped, doubled, exchanged, or taken from another one."""
    tokens = list(draw(st.sampled_from(TOKENS)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(tokens)))
        change = draw(st.integers(0, 4))
        if change == 0:
            del tokens[at : at + draw(st.integers(1, 3))]
        elif change == 1:
            tokens.insert(at, draw(st.sampled_from(WORD_LIST)))
        elif change == 2:
            tokens[at : at + 1] = [draw(st.sampled_from(WORD_LIST))]
        elif change == 3:
            other = draw(st.sampled_from(TOKENS))
            begin = draw(st.integers(0, len(other) - 1))
            tokens[at : at + draw(st.integers(0, 4))] = other[begin : begin + draw(st.integers(1, 6))]
        else:
            tokens[at:at] = tokens[at : at + draw(st.integers(1, 4))]
    return "".join(tokens)


@st.composite
def likely(draw: st.DrawFn) -> str:
    """A formula in which a few tokens are replaced by others of their kind."""
    tokens = list(draw(st.sampled_from(TOKENS)))
    for _ in range(draw(st.integers(1, 3))):
        group = draw(st.sampled_from(ALIKE))
        places = [k for k, token in enumerate(tokens) if token in group] or [len(tokens) - 1]
        tokens[draw(st.sampled_from(places))] = draw(st.sampled_from(group))
    return "".join(tokens)


@pytest.fixture(scope="module", autouse=True)
def _short_diagnoses() -> Iterator[None]:
    """Each diagnosis tries a few edits only: they are tested elsewhere, and would take most of the time here."""
    kept, search.BUDGET = search.BUDGET, 3
    yield
    search.BUDGET = kept


VERDICTS = ("proved", "verified", "refuted", "ill-typed", "unread", "undecided")
PLENTY = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)


def judged(latex: str) -> None:
    """A claim has a verdict, or an error that is meant for the user; and it does not take long."""
    started = time.perf_counter()
    try:
        verdict = record().check(latex)
    except DeriveError as error:
        assert str(error), latex
    else:
        assert verdict.verdict in VERDICTS
        assert verdict.reason
    assert time.perf_counter() - started < 20, latex


@settings(PLENTY, max_examples=500)
@given(garbled())
def test_a_garbled_formula_raises_nothing_but_our_own_errors(latex: str) -> None:
    judged(latex)


@settings(PLENTY, max_examples=120)
@given(likely())
def test_a_formula_with_other_names_in_it_raises_nothing_but_our_own_errors(latex: str) -> None:
    judged(latex)


@settings(PLENTY, max_examples=700)
@given(st.lists(st.sampled_from(WORD_LIST), max_size=14).map("".join))
def test_a_heap_of_tokens_raises_nothing_but_our_own_errors(latex: str) -> None:
    judged(rf"\frac{{\partial f}}{{\partial x}} = {latex}")


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_formula_cut_off_anywhere_raises_nothing_but_our_own_errors(claim: str) -> None:
    tokens = TOKEN.findall(claim)
    for end in range(1, len(tokens), 2):
        judged("".join(tokens[:end]))
        judged("".join(tokens[end:]))


@pytest.mark.parametrize(
    "latex",
    [
        "", "=", "= =", "f = ", " = f", "f", "f = f = f", "f < 2", r"f := 2", "f = 1/0",
        "f = x^{999999}", "f = 1 / (2 - 2)", r"f = \log(0)", r"f = \sqrt{-1}", "f = 0^{-1}",
        r"f = \frac{}{}", r"f = \sum", r"f = \sum_i", r"f = \sum_{i=1}^{n}", r"f = \left(", r"f = ()_{ij}", "f = x_{}",
        "f = " + "(" * 200 + "x" + ")" * 200, "f = " + "-" * 300 + "s", "f = " + "+".join(["f"] * 300),
        r"f = \|\|", r"f = \nabla", r"f = \nabla_w^3 f", r"f = \frac{\partial}{\partial}",
        r"\frac{\partial f}{\partial} = x", r"f = \det()", r"f = \operatorname{}(x)", "f = [", "f = []", "f = [i]",
        "f = x^{T^{T}}", r"f = \infty", "f = 0^0",
        r"\left(x_i\right)_{ii} = X", r"f = \sum_{x} x", r"f = \sum_{i,i} x_i x_i", r"f = \sum_{i} \sum_{i} x_i",
    ],
    ids=lambda latex: latex[:30],
)  # fmt: skip
def test_a_corner_raises_nothing_but_our_own_errors(latex: str) -> None:
    judged(latex)


def test_a_tower_of_powers_does_not_take_forever() -> None:
    code = (
        "from derive.api import Model; from derive.errors import DeriveError; from derive.expr import scalar\n"
        "model = Model(); model.define('f', scalar('s') ** 2); record = model.gradients()\n"
        "try: record.check('f = 9^{9^9}')\n"
        "except DeriveError: pass\n"
    )
    subprocess.run([sys.executable, "-c", code], timeout=4, check=True)
