"""Random graphs of operations from the whole table: every gradient against HIPS autograd, every step checked.

A graph is built twice at once: as nodes for the deriver, and as functions of arrays for autograd. The derived
equations are then computed by a third reading of the nodes, `interpret`, in plain NumPy. None of the three shares
code with `derive.verify.evaluate`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
import sympy
from autograd import grad
from autograd.scipy.special import erf
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from derive.backprop import derive_gradients
from derive.derivation import Derivation
from derive.expr import Apply, Const, Node, Var, ones, scalar, vector, walk
from derive.model import Definition, Network
from derive.op import TABLE
from derive.ops import activation as act
from derive.ops import elementwise as el
from derive.ops import linalg as la
from derive.ops import reduction as red
from derive.ops import tensor as tn
from derive.ops import window as win
from derive.shapes import ROW, Shape, size
from derive.verify.steps import GOOD, all_checked, checked

Values = dict[str, Any]

# Each entry is the result of at most some thousand float64 operations on numbers of size one to ten, through matrices
# whose condition is below a hundred: the rounding unit 2^-52 grows to no more than about a million times itself.
TOLERANCE = 2.0**-52 * 1e6

M, N, P, Q = (size(letter) for letter in "mnpq")
SIZES: dict[Any, int] = {M: 4, N: 5, P: 3, Q: 2, size("d"): 6, size("h"): 7}
LENGTHS: tuple[Any, ...] = (M, N, P, Q, sympy.Integer(6), sympy.Integer(7))
CUBIC = 0.044715


def length(value: Any) -> int:
    """A size as a number."""
    return int(value.subs(SIZES)) if isinstance(value, sympy.Expr) else int(value)


def extents(shape: Shape) -> tuple[int, ...]:
    """A shape as numbers; a row lies, with one line."""
    return tuple(1 if n == ROW else length(n) for n in shape)


# ---------------------------------------------------------------- the third reading: nodes in NumPy
def logistic(x: Any) -> Any:
    return 0.5 * (1 + np.tanh(0.5 * x))


def density(x: Any) -> Any:
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def distribution(x: Any) -> Any:
    return np.vectorize(lambda t: 0.5 * math.erfc(-t / math.sqrt(2)), otypes=[float])(x)


def tanh_gelu(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + CUBIC * x**3)))


def tanh_gelu_slope(x: Any) -> Any:
    t = np.tanh(math.sqrt(2 / math.pi) * (x + CUBIC * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * math.sqrt(2 / math.pi) * (1 + 3 * CUBIC * x * x)


def bounded(x: Any, d: Any) -> Any:
    return np.minimum(np.maximum(x, -d), d)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "neg": lambda a: -a, "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b, "pow": lambda a, n: a**n, "exp": np.exp, "log": np.log, "sqrt": np.sqrt,
    "log1p": np.log1p, "expm1": np.expm1,
    "sin": np.sin, "cos": np.cos, "sigmoid": logistic, "tanh": np.tanh, "relu": lambda x: np.maximum(x, 0),
    "step": lambda x: np.where(x > 0, 1.0, 0.0), "sign": np.sign, "abs": np.abs,
    "softplus": lambda x: np.logaddexp(0, x), "silu": lambda x: x * logistic(x),
    "normal_density": density, "normal_cdf": distribution, "gelu": lambda x: x * distribution(x),
    "gelu_tanh": tanh_gelu, "leaky_relu": lambda x, c: np.where(x > 0, x, c * x),
    "elu": lambda x, a: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0))), "clip": bounded,
    "huber": lambda x, d: np.where(np.abs(x) > d, d * (np.abs(x) - d / 2), x * x / 2),
}  # fmt: skip
SLOPES: dict[str, Callable[[Any], Any]] = {
    "sigmoid": lambda x: logistic(x) * logistic(-x), "tanh": lambda x: 1 / np.cosh(x) ** 2,
    "relu": FUNCTIONS["step"], "softplus": logistic, "normal_density": lambda x: -x * density(x),
    "silu": lambda x: logistic(x) * (1 + x * logistic(-x)), "normal_cdf": density,
    "gelu": lambda x: distribution(x) + x * density(x), "gelu_tanh": tanh_gelu_slope,
}  # fmt: skip


def along(x: Any, params: Sequence[Any]) -> tuple[int, ...]:
    return (int(params[0]),) if params else tuple(range(x.ndim))


def stands_highest(x: Any, *params: Any) -> Any:
    """1 at the first largest entry, 0 elsewhere."""
    if not params:
        return (np.arange(x.size) == np.argmax(x)).reshape(x.shape).astype(float)
    axis = int(params[0])
    places = np.arange(x.shape[axis]).reshape([-1 if k == axis else 1 for k in range(x.ndim)])
    return (places == np.argmax(x, axis=axis, keepdims=True)).astype(float)


def placed(count: Any, offset: Any, *pairs: Any) -> Any:
    """The tensor [i = o + Σ c j], by a loop over all its entries."""
    counts, steps = [length(n) for n in pairs[::2]], [length(c) for c in pairs[1::2]]
    result = np.zeros([length(count), *counts])
    for place in np.ndindex(*counts):
        i = length(offset) + sum(c * j for c, j in zip(steps, place, strict=True))
        if 0 <= i < result.shape[0]:
            result[(i, *place)] = 1
    return result


def exponentials(x: Any, *params: Any) -> Any:
    e = np.exp(x - x.max(axis=along(x, params), keepdims=True))
    return e / e.sum(axis=along(x, params), keepdims=True)


def transposed(x: Any) -> Any:
    return x[None, :] if x.ndim == 1 else x.T


def index_sum(*rest: Any, shapes: tuple[Shape, ...]) -> Any:
    flat = [x.reshape(-1) if shape[:1] == (ROW,) else x for x, shape in zip(rest, shapes, strict=False)]
    return np.einsum(str(rest[-1]), *flat)


ARRAYS: dict[str, Callable[..., Any]] = {
    "matmul": lambda a, b: np.outer(a, b) if a.ndim == 1 else a @ b, "transpose": transposed,
    "sum": lambda x, *at: x.sum(axis=along(x, at)), "mean": lambda x, *at: x.mean(axis=along(x, at)),
    "max": lambda x, *at: x.max(axis=along(x, at)), "softmax": exponentials, "peak": stands_highest,
    "logsumexp": lambda x, *at: np.log(np.exp(x).sum(axis=along(x, at))), "selection": placed,
    "ones": lambda *sizes: np.ones(extents(sizes)), "diag": lambda x: np.diag(x), "trace": np.trace,
    "inverse": np.linalg.inv, "det": np.linalg.det, "norm1": lambda x: np.abs(x).sum(),
    "norm2": lambda x: np.sqrt((x * x).sum()), "norminf": lambda x: np.abs(x).max(),
    "one_hot": lambda i, n: (i[:, None] == np.arange(length(n))).astype(float),
}  # fmt: skip


def interpret(node: Node, values: Values) -> Any:
    """The value of an expression; a row is an array of one line."""
    if isinstance(node, Var):
        return np.asarray(values[node.latex], float)
    if isinstance(node, Const):
        return np.asarray(float(node.value.subs(SIZES)))
    assert isinstance(node, Apply)
    name, operands = node.op.name, [interpret(operand, values) for operand in node.operands]
    if name == "einsum":
        result = index_sum(*operands, *node.params, shapes=tuple(operand.shape for operand in node.operands))
    elif name in ARRAYS:
        result = ARRAYS[name](*operands, *node.params)
    elif name == "function":  # an arbitrary one: a sine with a phase of its own, whose derivatives are known
        result = np.sin(operands[0] + sum(map(ord, str(node.params[1]))) + int(node.params[0]) * math.pi / 2)
    elif node.params and int(node.params[0]):
        assert int(node.params[0]) == 1
        result = SLOPES[name](*operands)
    else:
        result = FUNCTIONS[name](*operands)
    shape = extents(node.shape)
    return np.reshape(result, shape) if np.size(result) == math.prod(shape) else np.broadcast_to(result, shape)


# ---------------------------------------------------------------- a graph, built twice
@dataclass(frozen=True, slots=True)
class Pair:
    """An expression, and the same as a function of arrays that autograd can follow."""

    node: Node
    run: Callable[[Values], Any]


def made(node: Node, function: Callable[..., Any], *parts: Pair) -> Pair:
    return Pair(node, lambda values: function(*(part.run(values) for part in parts)))


def named(var: Var) -> Pair:
    return Pair(var, lambda values: values[var.latex])


def rank(node: Node) -> str:
    if node.shape[:1] == (ROW,):
        return "row"
    return ("scalar", "vector", "matrix", "tensor", "tensor")[len(node.shape)]


@dataclass(repr=False)
class Graph:
    """Names so far, their values, and the choices that make the next one."""

    choose: Callable[[Sequence[Any]], Any]
    rng: np.random.Generator
    values: Values = field(default_factory=dict)
    pool: list[Pair] = field(default_factory=list)
    definitions: list[Definition] = field(default_factory=list)
    runs: list[tuple[str, Callable[[Values], Any]]] = field(default_factory=list)
    wanted: list[Var] = field(default_factory=list)

    def __repr__(self) -> str:
        return "\n".join(f"{item.name.latex} = {item.value}" for item in self.definitions)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def value(self, pair: Pair) -> Any:
        return np.asarray(pair.run(self.values), float)

    def leaf(self, *shape: Any, domain: str = "real") -> Pair:
        """A new free variable with values away from zero."""
        var = Var(f"W_{{{len(self.values)}}}", shape, domain)
        drawn = self.rng.uniform(0.3, 1.5, extents(var.shape))
        signs = self.rng.choice([-1.0, 1.0], extents(var.shape)) if domain == "real" else 1.0
        self.values[var.latex] = drawn * signs
        self.wanted.append(var)
        return named(var)

    def given(self, values: Any, *shape: Any, domain: str) -> Pair:
        """Data: a free variable that nothing is differentiated by."""
        var = Var(f"D_{{{len(self.values)}}}", shape, domain)
        self.values[var.latex] = values
        return named(var)

    def like(self, x: Pair, domain: str = "real") -> Pair:
        """Another operand of the same shape: a name so far, or a new variable."""
        if x.node.shape[:1] == (ROW,):
            return turned(self.leaf(x.node.shape[1], domain=domain))
        known = [p for p in self.pool if p.node.shape == x.node.shape] if domain == "real" else []
        fresh = not known or self.choose([True, False])
        return self.leaf(*x.node.shape, domain=domain) if fresh else self.choose(known)

    def other(self, *besides: Any) -> Any:
        return self.choose([n for n in LENGTHS if n not in besides])

    def define(self, pair: Pair) -> Pair:
        latex = f"{self.choose(['z', 'a', 'u'])}_{{{len(self.definitions)}}}"
        var = Var(latex, pair.node.shape)
        self.values[latex] = self.value(pair)
        self.definitions.append(Definition(var, pair.node))
        self.runs.append((latex, pair.run))
        self.pool.append(named(var))
        return named(var)


Maker = Callable[[Graph, Pair], Pair | None]
MAKERS: dict[str, list[Maker]] = {rank: [] for rank in ("scalar", "vector", "row", "matrix", "tensor")}
ALL = tuple(MAKERS)


def on(*ranks: str) -> Callable[[Maker], Maker]:
    def register(maker: Maker) -> Maker:
        for word in ranks:
            MAKERS[word].append(maker)
        return maker

    return register


def turned(x: Pair) -> Pair:
    return made(x.node.T, lambda a: a[None, :] if anp.ndim(a) == 1 else a.T, x)


def away(values: Any) -> bool:
    return bool(np.abs(values).min() > 1e-2)


def small(values: Any) -> bool:
    return bool(np.abs(values).max() < 3)


def positive(values: Any) -> bool:
    return bool(values.min() > 0.1)


def anywhere(values: Any) -> bool:
    return True


def smooth_sigmoid(x: Any) -> Any:
    return 1 / (1 + anp.exp(-x))


def phi(x: Any) -> Any:
    return (1 + erf(x / math.sqrt(2))) / 2


Unary = tuple[Callable[[Node], Node], Callable[[Any], Any], Callable[[Any], bool]]


def row_of(name: str) -> Callable[[Node], Node]:
    return lambda x: Apply(name, x)


UNARY: tuple[Unary, ...] = (
    (act.sigmoid, smooth_sigmoid, anywhere),
    (act.tanh, anp.tanh, anywhere),
    (act.relu, lambda x: x * (x > 0), away),
    (act.softplus, lambda x: anp.log(1 + anp.exp(x)), anywhere),
    (act.silu, lambda x: x * smooth_sigmoid(x), anywhere),
    (act.gelu, lambda x: x * phi(x), anywhere),
    (lambda x: act.gelu(x, form="tanh"), lambda x: 0.5 * x * (1 + anp.tanh((2 / anp.pi) ** 0.5 * (x + CUBIC * x**3))),
     anywhere),
    (row_of("normal_cdf"), phi, anywhere),
    (row_of("normal_density"), lambda x: anp.exp(-(x**2) / 2) / (2 * anp.pi) ** 0.5, anywhere),
    (lambda x: act.elu(x), lambda x: anp.where(x > 0, x, anp.exp(x) - 1), away),
    (lambda x: act.elu(x, 2), lambda x: anp.where(x > 0, x, 2 * (anp.exp(x) - 1)), away),
    (lambda x: act.leaky_relu(x), lambda x: anp.where(x > 0, x, 0.01 * x), away),
    (lambda x: Apply("huber", x, Const(1)),
     lambda x: anp.where(anp.abs(x) > 1, anp.abs(x) - 0.5, x**2 / 2), lambda v: away(np.abs(v) - 1)),
    (lambda x: Apply("clip", x, Const(2)), lambda x: anp.where(anp.abs(x) > 2, 2 * anp.sign(x), x),
     lambda v: away(np.abs(v) - 2)),
    (el.exp, anp.exp, small),
    (lambda x: el.exp(-(x**2)), lambda x: anp.exp(-(x**2)), anywhere),
    (el.log, anp.log, positive),
    (lambda x: el.log(1 + el.exp(x)), lambda x: anp.log(1 + anp.exp(x)), anywhere),
    (lambda x: el.log(1 + x**2), lambda x: anp.log(1 + x**2), anywhere),
    (lambda x: el.sqrt(1 + x**2), lambda x: anp.sqrt(1 + x**2), anywhere),
    (el.sqrt, anp.sqrt, positive),
    (row_of("sin"), anp.sin, anywhere),
    (row_of("cos"), anp.cos, anywhere),
    (row_of("abs"), anp.abs, away),
    (lambda x: -x, lambda x: -x, anywhere),
    (lambda x: x**2, lambda x: x**2, anywhere),
    (lambda x: x**3, lambda x: x**3, small),
    (lambda x: x ** Const(sympy.Rational(3, 2)), lambda x: x**1.5, positive),
    (lambda x: x**-1, lambda x: 1 / x, positive),
    (lambda x: 1 / (2 + x**2), lambda x: 1 / (2 + x**2), anywhere),
    (lambda x: 3 * x - 1, lambda x: 3 * x - 1, anywhere),
    (lambda x: x / 4, lambda x: x / 4, anywhere),
)  # fmt: skip


@on(*ALL, *ALL)
def _function(g: Graph, x: Pair) -> Pair | None:
    node, function, fits = g.choose(UNARY)
    return made(node(x.node), function, x) if fits(g.value(x)) else None


@on(*ALL)
def _arithmetic(g: Graph, x: Pair) -> Pair | None:
    kind = g.choose(["+", "-", "*", "/", "/+", "r-"])
    y = g.like(x, "positive" if kind == "/" else "real")
    if kind == "+":
        return made(x.node + y.node, lambda a, b: a + b, x, y)
    if kind == "-":
        return made(x.node - y.node, lambda a, b: a - b, x, y)
    if kind == "r-":
        return made(1 - y.node * x.node, lambda a, b: 1 - b * a, x, y)
    if kind == "*":
        return made(x.node * y.node, lambda a, b: a * b, x, y)
    if kind == "/":
        return made(x.node / y.node, lambda a, b: a / b, x, y)
    return made(x.node / (1 + y.node**2), lambda a, b: a / (1 + b**2), x, y)


@on("vector", "row", "matrix", "tensor")
def _with_a_scalar(g: Graph, x: Pair) -> Pair | None:
    c = g.like(g.leaf(), "positive") if g.choose([True, False]) else g.leaf()
    kind = g.choose(["*", "+", "/", "-"])
    if kind == "*":
        return made(c.node * x.node, lambda a, b: b * a, x, c)
    if kind == "+":
        return made(x.node + c.node, lambda a, b: a + b, x, c)
    if kind == "-":
        return made(c.node - x.node, lambda a, b: b - a, x, c)
    return made(x.node / (2 + c.node**2), lambda a, b: a / (2 + b**2), x, c)


@on("scalar")
def _power_of_scalars(g: Graph, x: Pair) -> Pair | None:
    p = g.leaf(domain="positive")
    return made(p.node**x.node, lambda a, b: b**a, x, p) if small(g.value(x)) else None


@on("scalar")
def _spread(g: Graph, x: Pair) -> Pair | None:
    v = g.leaf(g.other())
    return made(x.node * v.node, lambda a, b: a * b, x, v)


@on("vector")
def _matrix_times_vector(g: Graph, x: Pair) -> Pair | None:
    w = g.leaf(g.other(x.node.shape[0]), x.node.shape[0])
    return made(w.node @ x.node, lambda a, b: b @ a, x, w)


@on("vector")
def _affine(g: Graph, x: Pair) -> Pair | None:
    w = g.leaf(x.node.shape[0], g.other(x.node.shape[0]))
    b = g.leaf(w.node.shape[1])
    return made(w.node.T @ x.node + b.node, lambda a, b, c: b.T @ a + c, x, w, b)


@on("vector")
def _inner_or_outer(g: Graph, x: Pair) -> Pair | None:
    y = g.like(x)
    kind = g.choose(["inner", "outer", "row", "other", "form"])
    if kind == "inner":
        return made(x.node.T @ y.node, lambda a, b: a @ b, x, y)
    if kind == "outer":
        return made(x.node @ y.node.T, lambda a, b: a[:, None] * b[None, :], x, y)
    if kind == "row":
        return turned(x)
    if kind == "form":
        s = g.leaf(x.node.shape[0], x.node.shape[0])
        return made(x.node.T @ s.node @ y.node, lambda a, b, c: a @ c @ b, x, y, s)
    z = g.leaf(g.other(x.node.shape[0]))
    return made(x.node @ z.node.T, lambda a, b: a[:, None] * b[None, :], x, z)


@on("row")
def _with_a_row(g: Graph, x: Pair) -> Pair | None:
    n = x.node.shape[1]
    kind = g.choose(["transpose", "matrix", "vector", "outer", "ones"])
    if kind == "transpose":
        return made(x.node.T, lambda a: a[0], x)
    if kind == "matrix":
        w = g.leaf(n, g.other(n))
        return made(x.node @ w.node, lambda a, b: a @ b, x, w)
    y = g.leaf(n if kind == "vector" else g.other(n))
    if kind == "vector":
        return made(x.node @ y.node, lambda a, b: anp.sum(a[0] * b), x, y)
    if kind == "outer":
        return made(y.node @ x.node, lambda a, b: b[:, None] * a, x, y)
    m = g.other(n)
    return made(ones(m) @ x.node, lambda a: anp.ones((length(m), 1)) * a, x)


@on("matrix")
def _matrix_product(g: Graph, x: Pair) -> Pair | None:
    m, n = x.node.shape
    kind = g.choose(["right", "left", "transposed", "vector", "row", "gram", "turned"])
    if kind == "right":
        w = g.leaf(n, g.other(m, n))
        return made(x.node @ w.node, lambda a, b: a @ b, x, w)
    if kind == "left":
        w = g.leaf(g.other(m, n), m)
        return made(w.node @ x.node, lambda a, b: b @ a, x, w)
    if kind == "transposed":
        w = g.leaf(g.other(m, n), n)
        return made(x.node @ w.node.T, lambda a, b: a @ b.T, x, w)
    if kind == "vector":
        w = g.leaf(n)
        return made(x.node @ w.node, lambda a, b: a @ b, x, w)
    if kind == "row":
        w = g.leaf(m)
        return made(w.node.T @ x.node, lambda a, b: (b @ a)[None, :], x, w)
    return made(x.node @ x.node.T, lambda a: a @ a.T, x) if kind == "gram" else turned(x)


@on("matrix")
def _with_a_bias(g: Graph, x: Pair) -> Pair | None:
    m, n = x.node.shape
    if g.choose([True, False]):
        b = g.leaf(n)
        return made(x.node + ones(m) @ b.node.T, lambda a, b: a + b[None, :], x, b)
    b = g.leaf(m)
    return made(x.node + b.node @ ones(n).T, lambda a, b: a + b[:, None], x, b)


def reduced(x: Pair, axis: int | None, node: Callable[..., Node], function: Callable[..., Any]) -> Pair:
    def run(a: Any) -> Any:
        found = function(a, axis)
        return found[None, :] if axis == 0 and anp.ndim(a) == 2 else found

    return made(node(x.node) if axis is None else node(x.node, axis), run, x)


def log_sum(a: Any, axis: int | None) -> Any:
    return anp.log(anp.sum(anp.exp(a), axis=axis))


def soft(a: Any, axis: int | None) -> Any:
    e = anp.exp(a)
    return e / anp.sum(e, axis=axis, keepdims=True)


def clear_winner(values: Any, axis: int | None) -> bool:
    ordered = np.sort(values, axis=axis)
    if axis is None:
        return bool(ordered[-1] - ordered[-2] > 1e-2) if len(ordered) > 1 else True
    return bool(np.min(np.take(ordered, -1, axis) - np.take(ordered, -2, axis)) > 1e-2)


@on("vector", "row", "matrix", "tensor")
def _reduction(g: Graph, x: Pair) -> Pair | None:
    axis = None if rank(x.node) in ("vector", "row") else g.choose([None, *range(len(x.node.shape))])
    kind = g.choose(["sum", "mean", "max", "logsumexp", "softmax", "norm", "log softmax"])
    values = g.value(x)
    if kind == "sum":
        return reduced(x, axis, red.total, lambda a, at: anp.sum(a, axis=at))
    if kind == "mean":
        return reduced(x, axis, red.mean, lambda a, at: anp.mean(a, axis=at))
    if kind == "max":
        return reduced(x, axis, red.largest, lambda a, at: anp.max(a, axis=at)) if clear_winner(values, axis) else None
    if kind == "logsumexp":
        return reduced(x, axis, red.logsumexp, log_sum)
    if kind == "norm":
        return _norm(g, x)
    node = red.softmax(x.node) if axis is None else red.softmax(x.node, axis)
    if kind == "softmax":
        return made(node, lambda a: soft(a, axis), x)
    return made(el.log(node), lambda a: anp.log(soft(a, axis)), x)


def _norm(g: Graph, x: Pair) -> Pair | None:
    p = g.choose([1, 2, "inf"])
    values = np.abs(g.value(x))
    if not away(values) or (p == "inf" and not clear_winner(values, None)):
        return None
    if p == 1:
        return made(la.norm(x.node, 1), lambda a: anp.sum(anp.abs(a)), x)
    if p == 2:
        return made(la.norm(x.node), lambda a: anp.sqrt(anp.sum(a**2)), x)
    return made(la.norm(x.node, "inf"), lambda a: anp.max(anp.abs(a)), x)


@on("matrix")
def _normalised(g: Graph, x: Pair) -> Pair | None:
    n = x.node.shape[1]
    mu, spread = red.mean(x.node, 1), red.mean(x.node**2, 1)
    node = (x.node - mu @ ones(n).T) / (el.sqrt(spread + 1) @ ones(n).T)

    def run(a: Any) -> Any:
        return (a - anp.mean(a, axis=1, keepdims=True)) / anp.sqrt(1 + anp.mean(a**2, axis=1, keepdims=True))

    return made(node, run, x)


def squared(g: Graph, x: Pair) -> Pair:
    """A square matrix that depends on x and is dominated by its diagonal."""
    n = x.node.shape[0]
    bulk = 3 * length(n)
    if rank(x.node) == "matrix" and x.node.shape[0] == x.node.shape[1]:
        return made(act.tanh(x.node) + bulk * tn.eye(n), lambda a: anp.tanh(a) + bulk * anp.eye(a.shape[0]), x)
    if rank(x.node) == "matrix":
        return made(act.sigmoid(x.node @ x.node.T) + bulk * tn.eye(n),
                    lambda a: smooth_sigmoid(a @ a.T) + bulk * anp.eye(a.shape[0]), x)  # fmt: skip
    s = g.leaf(n, n)
    return made(act.tanh(x.node @ x.node.T + s.node) + bulk * tn.eye(n),
                lambda a, b: anp.tanh(a[:, None] * a[None, :] + b) + bulk * anp.eye(a.shape[0]), x, s)  # fmt: skip


@on("matrix", "vector")
def _linear_algebra(g: Graph, x: Pair) -> Pair | None:
    if length(x.node.shape[0]) > 4:
        return None
    s = squared(g, x)
    kind = g.choose(["inverse", "logdet", "trace", "diag", "solve", "det", "row"])
    scale = Const(sympy.Rational(1, (3 * length(x.node.shape[0])) ** length(x.node.shape[0])))
    if kind == "inverse":
        return made(la.inverse(s.node) * 10, lambda a: anp.linalg.inv(a) * 10, s)
    if kind == "logdet":
        return made(el.log(la.det(s.node)), lambda a: anp.log(anp.linalg.det(a)), s)
    if kind == "det":
        return made(scale * la.det(s.node), lambda a: float(scale.value) * anp.linalg.det(a), s)
    if kind == "trace":
        return made(la.trace(la.inverse(s.node) @ s.node.T), lambda a: anp.trace(anp.linalg.inv(a) @ a.T), s)
    if kind == "diag":
        return made(tn.diag(s.node), lambda a: anp.diag(a), s)
    v = g.leaf(x.node.shape[0])
    if kind == "solve":
        return made(la.inverse(s.node) @ v.node * 10, lambda a, b: anp.linalg.solve(a, b) * 10, s, v)
    return made(v.node.T @ la.inverse(s.node.T), lambda a, b: (b @ anp.linalg.inv(a.T))[None, :], s, v)


@on("vector")
def _diagonal_matrix(g: Graph, x: Pair) -> Pair | None:
    w = g.leaf(x.node.shape[0], g.other(x.node.shape[0]))
    return made(tn.diag(x.node) @ w.node, lambda a, b: a[:, None] * b, x, w)


SPECS: dict[int, tuple[str, ...]] = {
    1: ("i,i->i", "i,i->", "i,j->ij", "i,ij->j", "i,ji->j", "i,ijk->jk", "i,i,i->i", "i,j,ij->", "i,i,ij->ij"),
    2: ("ij,ij->i", "ij,ij->", "ij,jk->ik", "ij,kj->ik", "ij->ji", "ij,i->j", "ij,jk->ijk", "ij,ik,jk->", "ij->j",
        "ij,j,i->ij", "ij,ik->jk", "ij,jk,kl->il", "ij,jk,k->ijk", "ij->"),
    3: ("ijk->ik", "ijk->kij", "ijk,k->ij", "ijk,kl->ijl", "ijk,ij->k", "ijk,ijk->j", "ijk,jl->ilk", "ijk->"),
}  # fmt: skip


@on("vector", "matrix", "tensor")
def _einsum(g: Graph, x: Pair) -> Pair | None:
    if len(x.node.shape) not in SPECS:
        return None
    if rank(x.node) == "matrix" and x.node.shape[0] == x.node.shape[1] and g.choose([True, False]):
        return _diagonal(g, x)
    spec = g.choose(SPECS[len(x.node.shape)])
    words = spec.split("->")[0].split(",")
    sizes = dict(zip(words[0], x.node.shape, strict=True))
    parts = [x]
    for word in words[1:]:
        for letter in word:
            sizes.setdefault(letter, g.other(*sizes.values()))
        parts.append(g.leaf(*(sizes[letter] for letter in word)))
    return made(tn.einsum(spec, *(p.node for p in parts)), lambda *arrays: anp.einsum(spec, *arrays), *parts)


def _diagonal(g: Graph, x: Pair) -> Pair | None:
    """Einsums with a letter twice in one operand, which autograd does not know."""
    spec = g.choose(["ii->i", "ii->", "ii,ij->j"])
    if spec == "ii->i":
        return made(tn.einsum(spec, x.node), lambda a: anp.diag(a), x)
    if spec == "ii->":
        return made(tn.einsum(spec, x.node), lambda a: anp.trace(a), x)
    y = g.leaf(x.node.shape[0], g.other(x.node.shape[0]))
    return made(tn.einsum(spec, x.node, y.node), lambda a, b: anp.diag(a) @ b, x, y)


@on("vector")
def _convolution(g: Graph, x: Pair) -> Pair | None:
    (n,) = x.node.shape
    if length(n) < 4:
        return None
    plain = not getattr(n, "is_Integer", False)
    q = Q if plain else sympy.Integer(g.choose([2, 3]))
    stride, padding, dilation = (1, 0, 1) if plain else (g.choose([1, 2]), g.choose([0, 1, 2]), g.choose([1, 2]))
    if (plain and n == Q) or dilation * (length(q) - 1) + 1 > length(n) + 2 * padding:
        return None
    k = g.leaf(q)

    def run(a: Any, b: Any) -> Any:
        wide = anp.concatenate([anp.zeros(padding), a, anp.zeros(padding)])
        span = dilation * (len(b) - 1) + 1
        starts = range(0, len(wide) - span + 1, stride)
        return anp.array([sum(b[j] * wide[t + dilation * j] for j in range(len(b))) for t in starts])

    return made(win.conv1d(x.node, k.node, stride=stride, padding=padding, dilation=dilation), run, x, k)


@on("matrix")
def _convolution_of_channels(g: Graph, x: Pair) -> Pair | None:
    c, n = x.node.shape
    if n not in (6, 7):
        return None
    stride, padding = g.choose([1, 2]), g.choose([0, 1])
    k = g.leaf(Q, c, 3)

    def run(a: Any, b: Any) -> Any:
        wide = anp.concatenate([anp.zeros((a.shape[0], padding)), a, anp.zeros((a.shape[0], padding))], axis=1)
        starts = range(0, wide.shape[1] - 2, stride)
        return anp.array([[anp.sum(b[o] * wide[:, t : t + 3]) for t in starts] for o in range(b.shape[0])])

    return made(win.conv1d(x.node, k.node, stride=stride, padding=padding), run, x, k)


@on("vector")
def _pooling(g: Graph, x: Pair) -> Pair | None:
    (n,) = x.node.shape
    if n not in (6, 7):
        return None
    q, stride = g.choose([2, 3]), g.choose([None, 1, 2])
    starts = range(0, length(n) - q + 1, stride or q)
    kind = g.choose(["max", "mean", "windows"])

    def stacked(a: Any) -> Any:
        return anp.array([a[t : t + q] for t in starts])

    if kind == "windows":
        return made(win.windows(x.node, q, stride=stride), stacked, x)
    if kind == "mean":
        return made(win.mean_pool(x.node, q, stride=stride), lambda a: anp.mean(stacked(a), axis=1), x)
    if not clear_winner(np.asarray(stacked(g.value(x))), 1):
        return None
    return made(win.max_pool(x.node, q, stride=stride), lambda a: anp.max(stacked(a), axis=1), x)


@on("vector", "matrix")
def _concatenated(g: Graph, x: Pair) -> Pair | None:
    axis = g.choose(list(range(len(x.node.shape))))
    shape = list(x.node.shape)
    shape[axis] = g.other()
    y = g.leaf(*shape)
    first, second = (x, y) if g.choose([True, False]) else (y, x)
    node = win.concatenate([first.node, second.node], axis) if axis else win.concatenate([first.node, second.node])
    return made(node, lambda a, b: anp.concatenate([a, b], axis=axis), first, second)


@on("vector", "matrix")
def _part(g: Graph, x: Pair) -> Pair | None:
    axis = g.choose(list(range(len(x.node.shape))))
    start = g.choose([0, 1]) if x.node.shape[axis] in (6, 7) else 0  # a symbolic axis may have two entries
    place = (slice(None),) * axis + (slice(start, start + 2),)
    return made(win.part(x.node, start, 2, axis), lambda a: a[place], x)


@on("matrix")
def _gathered(g: Graph, x: Pair) -> Pair | None:
    n = g.other(*x.node.shape)
    chosen = g.rng.integers(0, 2, length(n))
    index = g.given(chosen.astype(float), n, domain="index")
    return made(tn.gather(x.node, index.node), lambda a: a[chosen], x)


@on("matrix")
def _cross_entropy(g: Graph, x: Pair) -> Pair | None:
    m, n = x.node.shape
    targets = np.eye(length(n))[g.rng.integers(0, length(n), length(m))]
    y = g.given(targets, m, n, domain="onehot last")
    node = -red.total(y.node * el.log(red.softmax(x.node, 1)))
    return made(node, lambda a: -anp.sum(targets * anp.log(soft(a, 1))), x)


@on("matrix")
def _masked(g: Graph, x: Pair) -> Pair | None:
    mask = g.rng.integers(0, 2, extents(x.node.shape)).astype(float)
    d = g.given(mask, *x.node.shape, domain="binary")
    return made(win.dropout(x.node, d.node, Const(sympy.Rational(4, 5))), lambda a: a * mask / 0.8, x)


def tamed(g: Graph, x: Pair) -> Pair:
    """The same, divided by a power of two where it is large."""
    top = float(np.abs(g.value(x)).max())
    if top <= 8:
        return x
    factor = 2 ** math.ceil(math.log2(top / 4))
    return made(x.node / factor, lambda a: a / factor, x)


def grown(g: Graph, x: Pair) -> Pair:
    following = g.choose(MAKERS[rank(x.node)])(g, x)
    if following is None or not np.all(np.isfinite(g.value(following))):
        return x
    assert g.value(following).shape == extents(following.node.shape), following.node
    return tamed(g, following)


def closed(g: Graph, x: Pair) -> Pair:
    """A scalar from whatever is left over."""
    if not x.node.shape:
        return x
    kind = g.choose(["weighted", "squares", "mean"])
    if kind == "mean":
        return made(red.mean(x.node), lambda a: anp.mean(a), x)
    if kind == "squares":
        return made(red.total(x.node**2) / 8, lambda a: anp.sum(a**2) / 8, x)
    y = g.like(x)
    return made(red.total(y.node * x.node), lambda a, b: anp.sum(b * a), x, y)


STARTS: tuple[tuple[Any, ...], ...] = ((M, N), (N,), (P, M), (Q, P, N), (P, P), (), (sympy.Integer(7),))


def random_graph(choose: Callable[[Sequence[Any]], Any], seed: int, most: int = 12) -> Graph:
    """A graph of 3 to `most` equations; all that no other equation uses goes into the loss."""
    g = Graph(choose, np.random.default_rng(seed))
    for _ in range(choose(range(2, most))):
        x = choose(g.pool[-3:]) if g.pool and choose([True, True, True, False]) else g.leaf(*choose(STARTS))
        for _ in range(choose([1, 2])):
            x = grown(g, x)
        g.define(x)
    used = {leaf.latex for item in g.definitions for leaf in walk(item.value) if isinstance(leaf, Var)}
    ends = [closed(g, pair) for pair in g.pool if isinstance(pair.node, Var) and pair.node.latex not in used]
    whole = ends[0]
    for end in ends[1:]:
        whole = made(whole.node + end.node, lambda a, b: a + b, whole, end)
    loss = Var("L")
    g.values["L"] = g.value(whole)
    g.definitions.append(Definition(loss, whole.node))
    g.runs.append(("L", whole.run))
    return g


def network_of(g: Graph) -> Network:
    return Network("graph", tuple(g.definitions), g.definitions[-1].name)


# ---------------------------------------------------------------- the comparison
def by_autograd(g: Graph) -> Values:
    """The gradient of the loss by each free variable."""
    names = [var.latex for var in g.wanted]

    def loss(moved: Values) -> Any:
        values = {**g.values, **moved}
        for name, run in g.runs:
            values[name] = run(values)
        return values["L"]

    return dict(grad(loss)({name: g.values[name] for name in names}))


def by_equations(derivation: Derivation, values: Values) -> tuple[Values, float]:
    """The gradients that the derived equations compute, and the largest number met on the way."""
    known, found, top = dict(values), {}, 1.0
    for equation in derivation.equations:
        if equation.role == "update":
            continue
        value = interpret(equation.value, known)
        known[equation.name.latex] = value
        top = max(top, float(np.abs(value).max()))
        if equation.role == "gradient":
            assert equation.of is not None
            found[equation.of.latex] = value
    return found, top


def compare(derivation: Derivation, values: Values, expected: Values, wanted: Sequence[Var]) -> None:
    """Every gradient is autograd's; one that the record leaves out is zero."""
    found, top = by_equations(derivation, values)
    for var in wanted:
        there = np.asarray(expected[var.latex])
        here = found.get(var.latex, np.zeros(there.shape))
        assert here.shape == there.shape, var.latex
        worst = float(np.abs(here - there).max())
        assert worst <= TOLERANCE * max(top, float(np.abs(there).max())), f"{var.latex} is off by {worst}"


def failures(derivation: Derivation) -> list[str]:
    """The equations and steps that did not pass their check, to be read."""
    return [
        f"{e.name.latex}: {what}: {check.outcome if check else 'unchecked'}: {before} -> {after}"
        for e in derivation.equations
        if e.role in ("cotangent", "gradient")
        for what, check, before, after in (
            ("equation", e.check, e.name, e.value), *((s.rule, s.check, s.before, s.after) for s in e.steps)
        )
        if check is None or check.outcome not in GOOD
    ]  # fmt: skip


@st.composite
def graphs(draw: st.DrawFn, most: int = 12) -> Graph:
    return random_graph(lambda options: draw(st.sampled_from(options)), draw(st.integers(0, 2**31)), most)


AS_DRAWN = (Phase.explicit, Phase.generate)  # to shrink a graph takes minutes; a graph as drawn can be read


@settings(max_examples=100, deadline=None, derandomize=True, phases=AS_DRAWN)
@given(graphs())
def test_every_gradient_of_a_random_graph_is_autograds(g: Graph) -> None:
    network = network_of(g)
    derivation = derive_gradients(network, tuple(g.wanted))
    for equation in derivation.equations:
        if equation.role in ("definition", "loss"):
            here, there = interpret(equation.value, g.values), g.values[equation.name.latex]
            assert np.allclose(here, there, rtol=TOLERANCE, atol=TOLERANCE), equation.name.latex
    compare(derivation, g.values, by_autograd(g), g.wanted)


@settings(max_examples=40, deadline=None, derandomize=True, phases=AS_DRAWN)
@given(graphs(7))
def test_every_step_of_a_random_graph_passes_its_check(g: Graph) -> None:
    network = network_of(g)
    done = checked(network, derive_gradients(network, tuple(g.wanted)))
    assert all_checked(done), "\n".join(failures(done))


P_, X_, Z_, L_ = scalar("p", "positive"), scalar("x"), scalar("z"), scalar("L")
POWERS: dict[str, tuple[Node, Callable[[Values], Any]]] = {
    "a name in the exponent": (P_**X_, lambda v: v["p"] ** v["x"]),
    "a sum in the exponent": (P_ ** (X_ + 2), lambda v: v["p"] ** (v["x"] + 2)),
    "a multiple in the exponent": (P_ ** (2 * X_), lambda v: v["p"] ** (2 * v["x"])),
    "a function in the exponent": (P_ ** act.sigmoid(X_), lambda v: v["p"] ** smooth_sigmoid(v["x"])),
    "a base that occurs twice": (P_ * P_**X_, lambda v: v["p"] * v["p"] ** v["x"]),
}


def power_network(name: str) -> Network:
    return Network("power", (Definition(Z_, POWERS[name][0]), Definition(L_, Z_**2)), L_)


@pytest.mark.parametrize("name", POWERS)
def test_a_power_with_a_variable_exponent_has_autograds_gradients(name: str) -> None:
    values = {"p": np.asarray(1.3), "x": np.asarray(0.7)}
    expected = dict(grad(lambda v: POWERS[name][1](v) ** 2)(values))
    derivation = derive_gradients(power_network(name), (P_, X_))
    compare(derivation, values, expected, (P_, X_))


@pytest.mark.parametrize("name", POWERS)
def test_a_power_with_a_variable_exponent_is_checked(name: str) -> None:
    network = power_network(name)
    done = checked(network, derive_gradients(network, (P_, X_)))
    assert all_checked(done), "\n".join(failures(done))


X, KERNEL = vector("x", "n"), vector("k", "q")
INSIDE: dict[str, Node] = {
    "of squares": red.total(win.conv1d(X, KERNEL) ** 2), "of a function": red.total(act.tanh(win.conv1d(X, KERNEL))),
    "of a part": red.total(win.part(win.conv1d(X, KERNEL), 0, 1) ** 2),
    "of the kernel twice": red.total(KERNEL) * red.total(win.conv1d(X, KERNEL)),
}  # fmt: skip


@pytest.mark.parametrize("name", INSIDE)
def test_a_convolution_within_an_equation_is_checked_where_its_windows_fit(name: str) -> None:
    network = Network("convolution", (Definition(L_, INSIDE[name]),), L_)
    done = checked(network, derive_gradients(network, (X, KERNEL)))
    assert all_checked(done), "\n".join(failures(done))


def test_the_third_reading_knows_every_operation_of_the_table() -> None:
    without_arrays = {"series"}  # a sum of arbitrarily many terms, each a name of its own
    assert set(TABLE) - without_arrays == {*FUNCTIONS, *ARRAYS, "einsum", "function"}
