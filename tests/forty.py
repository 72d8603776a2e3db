"""Forty models whose derivatives are known: from xᵀAx over norms, softmax and attention to Hessians.

The same forty as a file of reference answers beside some checkouts; models, answers and rewritten answers here are
our own, so that they are tested wherever the tests run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sympy

import derive.ops.table  # noqa: F401  # fills the table of operations
from derive.expr import Const, Node, Var, matrix, ones, scalar, vector
from derive.model import Definition, Network, free_variables
from derive.ops.activation import relu, sigmoid, tanh
from derive.ops.elementwise import exp, log, sqrt, unknown
from derive.ops.linalg import det, inverse, norm, trace
from derive.ops.reduction import logsumexp, mean, softmax, total
from derive.ops.window import conv1d, conv2d

HALF = Const(sympy.Rational(1, 2))


@dataclass(frozen=True, slots=True)
class Task:
    """A model, by what it is differentiated, and right answers: as a textbook prints it, and rewritten."""

    number: int
    title: str
    network: Network
    by: str
    kind: str = "gradient"

    @property
    def left(self) -> str:
        """The derivative as a claim writes it on its left side."""
        of = self.network.definitions[-1].name.latex
        if self.kind == "hessian":
            return rf"\nabla_{{{self.by}}}^2 {of}"
        return rf"\frac{{\partial {of}}}{{\partial {self.by}}}"

    @property
    def variable(self) -> Var:
        return next(v for v in free_variables(self.network) if v.latex == self.by)


class Builder:
    """Collects equations by name."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.definitions: list[Definition] = []

    def __call__(self, latex: str, value: Node) -> Var:
        name = Var(latex, value.shape)
        self.definitions.append(Definition(name, value))
        return name


TASKS: list[Task] = []


def task(number: int, title: str, by: str, kind: str = "gradient") -> Callable[[Callable[[Builder], object]], None]:
    def register(build: Callable[[Builder], object]) -> None:
        b = Builder(title)
        build(b)
        last = b.definitions[-1].name
        scalars = not last.shape
        network = Network(title, tuple(b.definitions), last if scalars else None)
        TASKS.append(Task(number, title, network, by, kind))

    return register


def frobenius(x: Node) -> Node:
    return total(x**2)


@task(1, "Quadratic form", "x")
def _(b: Builder) -> None:
    A, x = matrix("A", "n", "n"), vector("x", "n")
    b("f", x.T @ A @ x)


@task(2, "Bilinear form", "X")
def _(b: Builder) -> None:
    b("f", vector("a", "m").T @ matrix("X", "m", "n") @ vector("b", "n"))


@task(3, "Trace of a product", "X")
def _(b: Builder) -> None:
    b("f", trace(matrix("A", "p", "m") @ matrix("X", "m", "n") @ matrix("B", "n", "p")))


@task(4, "Trace of a quadratic form", "X")
def _(b: Builder) -> None:
    X = matrix("X", "m", "n")
    b("f", trace(X.T @ matrix("A", "m", "m") @ X))


@task(5, "Least squares", "w")
def _(b: Builder) -> None:
    r = b("r", matrix("X", "n", "d") @ vector("w", "d") - vector("y", "n"))
    b("f", norm(r) ** 2)


@task(6, "Least squares with several outputs", "W")
def _(b: Builder) -> None:
    R = b("R", matrix("X", "n", "d") @ matrix("W", "d", "k") - matrix("Y", "n", "k"))
    b("f", norm(R) ** 2)


@task(7, "Logarithm of the determinant", "X")
def _(b: Builder) -> None:
    b("f", log(det(matrix("X", "n", "n"))))


@task(8, "Determinant", "X")
def _(b: Builder) -> None:
    b("f", det(matrix("X", "n", "n")))


@task(9, "Trace of a product with an inverse", "X")
def _(b: Builder) -> None:
    b("f", trace(matrix("A", "p", "n") @ inverse(matrix("X", "n", "n")) @ matrix("B", "n", "p")))


@task(10, "Cosine similarity", "x")
def _(b: Builder) -> None:
    x, y = vector("x", "n"), vector("y", "n")
    b("f", (x.T @ y) / (norm(x) * norm(y)))


@task(11, "Euclidean norm", "x")
def _(b: Builder) -> None:
    b("f", norm(vector("x", "n")))


@task(12, "Sum of absolute residuals", "x")
def _(b: Builder) -> None:
    r = b("r", matrix("A", "m", "n") @ vector("x", "n") - vector("b", "m"))
    b("f", norm(r, 1))


@task(13, "Ridge regression", "w", "hessian")
def _(b: Builder) -> None:
    w, lam = vector("w", "d"), scalar(r"\lambda")
    r = b("r", matrix("X", "n", "d") @ w - vector("y", "n"))
    b("f", HALF * norm(r) ** 2 + lam / 2 * norm(w) ** 2)


@task(14, "Sigmoid of every entry", "x", "jacobian")
def _(b: Builder) -> None:
    b("s", sigmoid(vector("x", "n")))


@task(15, "Logistic loss with labels of -1 and 1", "w")
def _(b: Builder) -> None:
    X, w, y = matrix("X", "n", "d"), vector("w", "d"), vector("y", "n", "sign")
    z = b("z", X @ w)
    b("f", total(log(1 + exp(-(y * z)))))


@task(16, "Logistic regression", "w")
def _(b: Builder) -> None:
    X, w, y = matrix("X", "n", "d"), vector("w", "d"), vector("y", "n")
    z = b("z", X @ w)
    p = b("p", sigmoid(z))
    b("f", -(y.T @ log(p)) - (1 - y).T @ log(1 - p))


@task(17, "Logistic regression, second order", "w", "hessian")
def _(b: Builder) -> None:
    X, w, y = matrix("X", "n", "d"), vector("w", "d"), vector("y", "n")
    z = b("z", X @ w)
    b("f", total(log(1 + exp(z)) - y * z))


@task(18, "Softmax", "x", "jacobian")
def _(b: Builder) -> None:
    b("p", softmax(vector("x", "n")))


@task(19, "Log-sum-exp", "x")
def _(b: Builder) -> None:
    b("f", log(total(exp(vector("x", "n")))))


@task(20, "Softmax and cross-entropy", "z")
def _(b: Builder) -> None:
    p = b("p", softmax(vector("z", "k")))
    b("f", -(vector("y", "k", "simplex").T @ log(p)))


@task(21, "Softmax and cross-entropy, second order", "z", "hessian")
def _(b: Builder) -> None:
    p = b("p", softmax(vector("z", "k")))
    b("f", -(vector("y", "k", "simplex").T @ log(p)))


@task(22, "Softmax regression, samples in rows", "W")
def _(b: Builder) -> None:
    Z = b("Z", matrix("X", "n", "d") @ matrix("W", "d", "k"))
    P = b("P", softmax(Z, 1))
    b("f", -total(matrix("Y", "n", "k", "simplex last") * log(P)))


@task(23, "Bias of a linear layer", "b")
def _(b: Builder) -> None:
    XW = matrix("X", "n", "d") @ matrix("W", "d", "k")
    R = b("R", XW + ones(sympy.Symbol("n", integer=True, positive=True)) @ vector("b", "k").T - matrix("Y", "n", "k"))
    b("f", HALF * norm(R) ** 2)


@task(24, "Two layers with tanh", "W_1")
def _(b: Builder) -> None:
    Z = b("Z", matrix("X", "n", "d") @ matrix("W_1", "d", "h"))
    H = b("H", tanh(Z))
    R = b("R", H @ matrix("W_2", "h", "k") - matrix("Y", "n", "k"))
    b("f", HALF * norm(R) ** 2)


@task(25, "Two layers with ReLU and cross-entropy", "W_1")
def _(b: Builder) -> None:
    Z = b("Z_1", matrix("X", "n", "d") @ matrix("W_1", "d", "h"))
    H = b("H", relu(Z))
    U = b("Z_2", H @ matrix("W_2", "h", "k"))
    P = b("P", softmax(U, 1))
    b("f", -total(matrix("Y", "n", "k", "simplex last") * log(P)))


@task(26, "Three layers with tanh", "W_1")
def _(b: Builder) -> None:
    Z = b("Z_1", matrix("X", "n", "d") @ matrix("W_1", "d", "h"))
    H = b("H_1", tanh(Z))
    Z = b("Z_2", H @ matrix("W_2", "h", "g"))
    H = b("H_2", tanh(Z))
    R = b(r"\Delta", H @ matrix("W_3", "g", "k") - matrix("Y", "n", "k"))
    b("f", HALF * norm(R) ** 2)


@task(27, "Any activation", "W")
def _(b: Builder) -> None:
    z = b("z", matrix("W", "m", "n") @ vector("x", "n"))
    u = b("u", unknown(r"\varphi", z))
    b("f", vector("a", "m").T @ u)


def norm_model(b: Builder, axis: int) -> None:
    X, G, eps = matrix("X", "n", "d"), matrix("G", "n", "d"), scalar(r"\epsilon", "positive")
    n, d = X.shape
    mu = b(r"\mu", mean(X, axis))
    C = b("C", X - (ones(n) @ mu if axis == 0 else mu @ ones(d).T))
    v = b("v", mean(C**2, axis))
    s = b("s", sqrt(v + eps))
    Xh = b(r"\hat{X}", C / (ones(n) @ s if axis == 0 else s @ ones(d).T))
    b("f", total(G * Xh))


@task(28, "Batch normalisation", "X")
def _(b: Builder) -> None:
    norm_model(b, 0)


@task(29, "Layer normalisation", "X")
def _(b: Builder) -> None:
    norm_model(b, 1)


@task(30, "Normalisation by the root mean square", "x")
def _(b: Builder) -> None:
    x, g, eps = vector("x", "n"), vector("g", "n"), scalar(r"\epsilon", "positive")
    r = b("r", sqrt((x.T @ x) / x.shape[0] + eps))
    b("f", (g.T @ x) / r)


@task(31, "Attention", "Q")
def _(b: Builder) -> None:
    Q, K, V, G = matrix("Q", "n", "d"), matrix("K", "m", "d"), matrix("V", "m", "v"), matrix("G", "n", "v")
    S = b("S", (Q @ K.T) / Const(sympy.sqrt(Q.shape[1])))
    P = b("P", softmax(S, 1))
    b("f", total(G * b("O", P @ V)))


@task(32, "Self-attention", "W_Q")
def _(b: Builder) -> None:
    X = matrix("X", "n", "e")
    Q = b("Q", X @ matrix("W_Q", "e", "d"))
    K = b("K", X @ matrix("W_K", "e", "d"))
    V = b("V", X @ matrix("W_V", "e", "v"))
    S = b("S", (Q @ K.T) / Const(sympy.sqrt(Q.shape[1])))
    P = b("P", softmax(S, 1))
    b("f", total(matrix("G", "n", "v") * (P @ V)))


@task(33, "InfoNCE", "Z")
def _(b: Builder) -> None:
    Z, U, tau = matrix("Z", "n", "d"), matrix("U", "n", "d"), scalar(r"\tau", "positive")
    S = b("S", (Z @ U.T) / tau)
    b("f", total(logsumexp(S, 1)) - trace(S))


@task(34, "LSTM cell", "W_f")
def _(b: Builder) -> None:
    x, c, g = vector("x", "d"), vector("c", "h"), vector("g", "h")
    zf = b("z_f", matrix("W_f", "h", "d") @ x)
    zi = b("z_i", matrix("W_i", "h", "d") @ x)
    zo = b("z_o", matrix("W_o", "h", "d") @ x)
    zg = b("z_g", matrix("W_g", "h", "d") @ x)
    f, i, o, u = b("f", sigmoid(zf)), b("i", sigmoid(zi)), b("o", sigmoid(zo)), b("u", tanh(zg))
    ct = b("c_t", f * c + i * u)
    h = b("h_t", o * tanh(ct))
    b("L", g.T @ h)


@task(35, "Three steps of a recurrent net", "W")
def _(b: Builder) -> None:
    W, U = matrix("W", "h", "h"), matrix("U", "h", "d")
    h: Node = vector("h_0", "h")
    for t in (1, 2, 3):
        z = b(f"z_{t}", W @ h + U @ vector(f"x_{t}", "d"))
        h = b(f"h_{t}", tanh(z))
    b("f", vector("g", "h").T @ h)


@task(36, "Convolution in one dimension", "k")
def _(b: Builder) -> None:
    x, k = vector("x", "n"), vector("k", "q")
    y = b("y", conv1d(x, k))
    b("f", Var("g", y.shape).T @ y)


@task(37, "Convolution in two dimensions", "X")
def _(b: Builder) -> None:
    X, K = Var("X", ("c", "p", "q")), Var("K", ("o", "c", "r", "s"))
    Y = b("Y", conv2d(X, K))
    b("f", total(Var("G", Y.shape) * Y))


@task(38, "Likelihood of a normal distribution", r"\Sigma")
def _(b: Builder) -> None:
    S, x, mu = matrix(r"\Sigma", "n", "n"), vector("x", "n"), vector(r"\mu", "n")
    r = b("r", x - mu)
    b("f", HALF * log(det(S)) + HALF * (r.T @ inverse(S) @ r))


@task(39, "Divergence of a variational encoder", r"\ell")
def _(b: Builder) -> None:
    ell, mu = vector(r"\ell", "n"), vector(r"\mu", "n")
    b("f", -HALF * total(1 + ell - mu**2 - exp(ell)))


@task(40, "Masked matrix factorisation", "U")
def _(b: Builder) -> None:
    M, A = matrix("M", "m", "n"), matrix("A", "m", "n")
    R = b("R", M * (A - matrix("U", "m", "k") @ matrix("V", "n", "k").T))
    b("f", norm(R) ** 2)
