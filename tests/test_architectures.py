"""Models as users write them: every gradient against HIPS autograd, and every step of the derivation checked."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
import sympy
from autograd import grad
from forty import Builder
from test_random_graphs import CUBIC, Values, compare, extents, failures, phi, smooth_sigmoid, soft

from derive.backprop import derive_gradients
from derive.expr import Const, Node, Var, matrix, ones, scalar, vector
from derive.model import Network, free_variables
from derive.ops import activation as av
from derive.ops import elementwise as el
from derive.ops.linalg import norm
from derive.ops.loss import binary_cross_entropy, cross_entropy, focal, hinge, huber, smoothed
from derive.ops.reduction import mean, softmax, total
from derive.ops.tensor import gather
from derive.ops.window import concatenate, conv1d, conv2d, dropout, max_pool, mean_pool
from derive.verify.steps import all_checked, checked

HALF = Const(sympy.Rational(1, 2))
Loss = Callable[[Values], Any]


@dataclass(frozen=True, slots=True)
class Architecture:
    """A model, and its loss written a second time for autograd."""

    name: str
    network: Network
    loss: Loss


ARCHITECTURES: list[Architecture] = []


def architecture(name: str, loss: Loss) -> Callable[[Callable[[Builder], object]], None]:
    def register(build: Callable[[Builder], object]) -> None:
        b = Builder(name)
        build(b)
        network = Network(name, tuple(b.definitions), b.definitions[-1].name)
        ARCHITECTURES.append(Architecture(name, network, loss))

    return register


def values_for(network: Network, seed: int = 0) -> Values:
    """Values for what no equation defines, within its domain."""
    rng = np.random.default_rng(seed)
    values: Values = {}
    for var in free_variables(network):
        shape = extents(var.shape)
        if var.domain.startswith("onehot"):
            values[var.latex] = np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]
        elif var.domain == "index":
            values[var.latex] = rng.integers(0, 3, shape).astype(float)
        elif var.domain == "binary":
            values[var.latex] = rng.integers(0, 2, shape).astype(float)
        elif var.domain == "sign":
            values[var.latex] = rng.choice([-1.0, 1.0], shape)
        elif var.domain == "positive":
            values[var.latex] = rng.uniform(0.2, 1.5, shape)
        else:
            values[var.latex] = rng.normal(size=shape)
    return values


def wanted_of(network: Network) -> tuple[Var, ...]:
    """All that is differentiated by: weights and inputs, not labels, masks and indices."""
    return tuple(var for var in free_variables(network) if var.domain in ("real", "positive"))


# ---------------------------------------------------------------- recurrent cells
GATES_OF_GRU, GATES_OF_LSTM = ("z", "r", "n"), ("f", "i", "o", "g")


def affine(b: Builder, gate: str, x: Node, h: Node, step: str = "") -> Var:
    weights, recurrent = matrix(f"W_{gate}", "h", "d"), matrix(f"U_{gate}", "h", "h")
    return b(f"s_{{{gate}{step}}}", weights @ x + recurrent @ h + vector(f"b_{gate}", "h"))


def gru_cell(b: Builder, x: Node, h: Node, step: str = "") -> Var:
    z = b(f"z_{{{step}}}", av.sigmoid(affine(b, "z", x, h, step)))
    r = b(f"r_{{{step}}}", av.sigmoid(affine(b, "r", x, h, step)))
    n = b(f"n_{{{step}}}", av.tanh(affine(b, "n", x, r * h, step)))
    return b(f"h_{{{step}}}", (1 - z) * n + z * h)


def numeric_affine(v: Values, gate: str, x: Any, h: Any) -> Any:
    return v[f"W_{gate}"] @ x + v[f"U_{gate}"] @ h + v[f"b_{gate}"]


def numeric_gru(v: Values, x: Any, h: Any) -> Any:
    z = smooth_sigmoid(numeric_affine(v, "z", x, h))
    r = smooth_sigmoid(numeric_affine(v, "r", x, h))
    n = anp.tanh(numeric_affine(v, "n", x, r * h))
    return (1 - z) * n + z * h


@architecture("GRU cell", lambda v: anp.sum((numeric_gru(v, v["x"], v["h_0"]) - v["y"]) ** 2) / 2)
def _(b: Builder) -> None:
    h = gru_cell(b, vector("x", "d"), vector("h_0", "h"), "1")
    b("L", HALF * total((h - vector("y", "h")) ** 2))


@architecture(
    "two steps of a GRU",
    lambda v: anp.sum((numeric_gru(v, v["x_2"], numeric_gru(v, v["x_1"], v["h_0"])) - v["y"]) ** 2) / 2,
)
def _(b: Builder) -> None:
    h = gru_cell(b, vector("x_1", "d"), vector("h_0", "h"), "1")
    h = gru_cell(b, vector("x_2", "d"), h, "2")
    b("L", HALF * total((h - vector("y", "h")) ** 2))


def loss_lstm(v: Values) -> Any:
    pre = {gate: numeric_affine(v, gate, v["x"], v["h_0"]) for gate in GATES_OF_LSTM}
    c = smooth_sigmoid(pre["f"]) * v["c_0"] + smooth_sigmoid(pre["i"]) * anp.tanh(pre["g"])
    return v["a"] @ (smooth_sigmoid(pre["o"]) * anp.tanh(c)) + anp.mean(c**2)


@architecture("LSTM cell", loss_lstm)
def _(b: Builder) -> None:
    x, h, c_0 = vector("x", "d"), vector("h_0", "h"), vector("c_0", "h")
    f, i, o = (b(gate, av.sigmoid(affine(b, gate, x, h))) for gate in GATES_OF_LSTM[:3])
    g = b("g", av.tanh(affine(b, "g", x, h)))
    c = b("c_1", f * c_0 + i * g)
    out = b("h_1", o * av.tanh(c))
    b("L", vector("a", "h").T @ out + mean(c**2))


# ---------------------------------------------------------------- attention
def heads(b: Builder, x: Node, mask: Node | None = None) -> Var:
    """Two heads of attention side by side, projected."""
    outputs: list[Node] = []
    for k in (1, 2):
        query, keys, values = (b(f"{w}_{k}", x @ matrix(f"W_{w}^{k}", "d", "q")) for w in "QKV")
        scores = (query @ keys.T) / Const(sympy.sqrt(query.shape[1]))
        s = b(f"S_{k}", scores if mask is None else scores + mask)
        p = b(f"P_{k}", softmax(s, 1))
        outputs.append(b(f"O_{k}", p @ values))
    joined = b("O", concatenate(outputs, axis=1))
    return b("Y", joined @ matrix("W_O", joined.shape[1], "d"))


def numeric_heads(v: Values, x: Any, mask: Any) -> Any:
    outputs = []
    for k in (1, 2):
        query, keys, values = (x @ v[f"W_{w}^{k}"] for w in "QKV")
        p = soft(query @ keys.T / math.sqrt(query.shape[1]) + mask, 1)
        outputs.append(p @ values)
    return anp.concatenate(outputs, axis=1) @ v["W_O"]


@architecture("multi-head attention", lambda v: anp.sum(v["G"] * numeric_heads(v, v["X"], v["M"])))
def _(b: Builder) -> None:
    y = heads(b, matrix("X", "n", "d"), matrix("M", "n", "n"))
    b("L", total(matrix("G", "n", "d") * y))


def layer_norm(b: Builder, x: Node, tag: str) -> Var:
    n, d = x.shape
    mu = b(rf"\mu_{tag}", mean(x, 1))
    centred = b(f"C_{tag}", x - mu @ ones(d).T)
    s = b(f"s_{tag}", el.sqrt(mean(centred**2, 1) + Const(sympy.Rational(1, 100000))))
    hat = b(rf"\hat{{X}}_{tag}", centred / (s @ ones(d).T))
    gain, shift = vector(rf"\gamma_{tag}", d), vector(rf"\beta_{tag}", d)
    return b(f"N_{tag}", hat * (ones(n) @ gain.T) + ones(n) @ shift.T)


def numeric_layer_norm(v: Values, x: Any, tag: str) -> Any:
    centred = x - anp.mean(x, axis=1, keepdims=True)
    hat = centred / anp.sqrt(anp.mean(centred**2, axis=1, keepdims=True) + 1e-5)
    return hat * v[rf"\gamma_{tag}"] + v[rf"\beta_{tag}"]


def exact_gelu(x: Any) -> Any:
    return x * phi(x)


def gelu_by_tanh(x: Any) -> Any:
    return 0.5 * x * (1 + anp.tanh(math.sqrt(2 / math.pi) * (x + CUBIC * x**3)))


def loss_feed_forward(act: Callable[[Any], Any]) -> Loss:
    def loss(v: Values) -> Any:
        hidden = act(numeric_layer_norm(v, v["X"], "1") @ v["W_1"] + v["b_1"])
        return anp.mean((v["X"] + hidden @ v["W_2"] + v["b_2"] - v["Y"]) ** 2)

    return loss


def feed_forward(form: str) -> Callable[[Builder], object]:
    def build(b: Builder) -> None:
        x = matrix("X", "n", "d")
        normal = layer_norm(b, x, "1")
        n = x.shape[0]
        z = b("Z", normal @ matrix("W_1", "d", "h") + ones(n) @ vector("b_1", "h").T)
        a = b("A", av.gelu(z, form=form))
        out = b("R", x + a @ matrix("W_2", "h", "d") + ones(n) @ vector("b_2", "d").T)
        b("L", mean((out - matrix("Y", "n", "d")) ** 2))

    return build


architecture("feed-forward block with exact GELU", loss_feed_forward(exact_gelu))(feed_forward("exact"))
architecture("feed-forward block with GELU by tanh", loss_feed_forward(gelu_by_tanh))(feed_forward("tanh"))


def loss_transformer(v: Values) -> Any:
    x = v["X"] + numeric_heads(v, numeric_layer_norm(v, v["X"], "1"), 0)
    hidden = exact_gelu(numeric_layer_norm(v, x, "2") @ v["W_1"])
    return anp.sum(v["G"] * (x + hidden @ v["W_2"]))


@architecture("transformer block", loss_transformer)
def _(b: Builder) -> None:
    x = matrix("X", "n", "d")
    attended = b("B", x + heads(b, layer_norm(b, x, "1")))
    z = b("Z", layer_norm(b, attended, "2") @ matrix("W_1", "d", "h"))
    out = b("R", attended + b("A", av.gelu(z)) @ matrix("W_2", "h", "d"))
    b("L", total(matrix("G", "n", "d") * out))


# ---------------------------------------------------------------- convolution
def slid(x: Any, k: Any, stride: int, padding: int, dilation: int) -> Any:
    """The convolution of channels with kernels (o, c, q), by its definition."""
    zeros = anp.zeros((x.shape[0], padding))
    wide = anp.concatenate([zeros, x, zeros], axis=1)
    span = dilation * (k.shape[2] - 1) + 1
    starts = range(0, wide.shape[1] - span + 1, stride)
    return anp.array([[anp.sum(k[o] * wide[:, t : t + span : dilation]) for t in starts] for o in range(k.shape[0])])


def loss_conv1d(stride: int, padding: int, dilation: int) -> Loss:
    def loss(v: Values) -> Any:
        y = slid(v["x"][None, :], v["k"][None, None, :], stride, padding, dilation)[0]
        return anp.sum(anp.tanh(y + v["b"]) ** 2)

    return loss


def one_dimensional(length: Any, count: Any, **options: int) -> Callable[[Builder], object]:
    def build(b: Builder) -> None:
        z = b("z", conv1d(vector("x", length), vector("k", count), **options) + scalar("b"))
        b("L", total(b("a", av.tanh(z)) ** 2))

    return build


architecture("convolution of symbolic sizes", loss_conv1d(1, 0, 1))(one_dimensional("n", "q"))
architecture("convolution with padding of symbolic sizes", loss_conv1d(1, 1, 1))(one_dimensional("n", "q", padding=1))
architecture("convolution with dilation", loss_conv1d(1, 0, 2))(one_dimensional(9, 3, dilation=2))
architecture("convolution with stride and padding", loss_conv1d(2, 1, 1))(one_dimensional(9, 3, stride=2, padding=1))
architecture("convolution with stride, padding and dilation", loss_conv1d(3, 2, 2))(
    one_dimensional(11, 3, stride=3, padding=2, dilation=2)
)
architecture("convolution with a stride of symbolic sizes", loss_conv1d(2, 1, 1))(
    one_dimensional("n", "q", stride=2, padding=1)
)


@architecture(
    "convolution of channels",
    lambda v: anp.sum(v["G"] * smooth_sigmoid(slid(v["X"], v["K"], 2, 1, 1))),
)
def _(b: Builder) -> None:
    z = b("Z", conv1d(matrix("X", "p", 8), Var("K", ("q", "p", 3)), stride=2, padding=1))
    b("L", total(Var("G", z.shape) * b("A", av.sigmoid(z))))


def slid_over_images(x: Any, k: Any, stride: int, padding: int) -> Any:
    c, p, q = x.shape
    beside, above = anp.zeros((c, p, padding)), anp.zeros((c, padding, q + 2 * padding))
    wide = anp.concatenate([above, anp.concatenate([beside, x, beside], axis=2), above], axis=1)
    high, long = k.shape[2:]
    rows, columns = range(0, p + 2 * padding - high + 1, stride), range(0, q + 2 * padding - long + 1, stride)
    return anp.array([
        [[anp.sum(k[o] * wide[:, i : i + high, j : j + long]) for j in columns] for i in rows]
        for o in range(k.shape[0])
    ])  # fmt: skip


def pooled(x: Any, q: int, stride: int, reduce: Callable[[Any], Any]) -> Any:
    rows, columns = (range(0, n - q + 1, stride) for n in x.shape[1:])
    return anp.array([[[reduce(y[i : i + q, j : j + q]) for j in columns] for i in rows] for y in x])


def loss_image(reduce: Callable[[Any], Any], q: int, stride: int) -> Loss:
    return lambda v: anp.sum(v["G"] * pooled(anp.tanh(slid_over_images(v["X"], v["K"], 2, 1)), q, stride, reduce))


def image(pool: Callable[..., Node], q: int, stride: int | None) -> Callable[[Builder], object]:
    def build(b: Builder) -> None:
        z = b("Z", conv2d(Var("X", (2, 7, 8)), Var("K", (3, 2, 3, 3)), stride=2, padding=1))
        y = b("Y", pool(b("A", av.tanh(z)), q, stride=stride))
        b("L", total(Var("G", y.shape) * y))

    return build


architecture("images, then the largest of each patch", loss_image(anp.max, 2, 2))(image(max_pool, 2, None))
architecture("images, then the mean of each patch", loss_image(anp.mean, 2, 2))(image(mean_pool, 2, None))
architecture("images, then overlapping patches", loss_image(anp.max, 3, 1))(image(max_pool, 3, 1))


@architecture(
    "images of symbolic sizes",
    lambda v: anp.sum(v["G"] * slid_over_images(v["X"], v["K"], 1, 0) ** 2),
)
def _(b: Builder) -> None:
    z = b("Z", conv2d(Var("X", ("q", "n", "d")), Var("K", ("p", "q", 2, 3))))
    b("L", total(Var("G", z.shape) * z**2))


# ---------------------------------------------------------------- classifiers and their losses
def loss_embedding(v: Values) -> Any:
    rows = v["E"][v["i"].astype(int)]
    return -anp.sum(v["Y"] * anp.log(soft(rows @ v["W"] + v["b"], 1)))


@architecture("embedding, linear layer, softmax and cross-entropy", loss_embedding)
def _(b: Builder) -> None:
    x = b("X", gather(matrix("E", "m", "d"), vector("i", "n", "index")))
    z = b("Z", x @ matrix("W", "d", "p") + ones(x.shape[0]) @ vector("b", "p").T)
    b("L", cross_entropy(matrix("Y", "n", "p", "onehot last"), b("P", softmax(z, 1))))


def linear(b: Builder) -> Var:
    return b("z", matrix("W", "p", "n") @ vector("x", "n") + vector("b", "p"))


def scores(v: Values) -> Any:
    return v["W"] @ v["x"] + v["b"]


def classes(v: Values) -> Any:
    return anp.exp(scores(v)) / anp.sum(anp.exp(scores(v)))


@architecture("dropout with a given mask",
              lambda v: anp.sum((v["V"] @ (v["m"] * anp.tanh(scores(v)) / 0.75) - v["y"]) ** 2))  # fmt: skip
def _(b: Builder) -> None:
    a = b("a", av.tanh(linear(b)))
    kept = b("u", dropout(a, vector("m", "p", "binary"), Const(sympy.Rational(3, 4))))
    b("L", total((matrix("V", "q", "p") @ kept - vector("y", "q")) ** 2))


@architecture("hinge loss", lambda v: anp.sum(anp.maximum(0, 1 - v["y"] * scores(v))) + anp.sum(v["W"] ** 2) / 10)
def _(b: Builder) -> None:
    b("L", hinge(vector("y", "p", "sign"), linear(b)) + total(matrix("W", "p", "n") ** 2) / 10)


def numeric_huber(r: Any, d: float) -> Any:
    return anp.sum(anp.where(anp.abs(r) > d, d * (anp.abs(r) - d / 2), r**2 / 2))


@architecture("Huber loss", lambda v: numeric_huber(scores(v) - v["y"], 1.0))
def _(b: Builder) -> None:
    b("L", huber(linear(b) - vector("y", "p")))


@architecture("Huber loss of another width", lambda v: numeric_huber(scores(v) - v["y"], 0.25))
def _(b: Builder) -> None:
    b("L", huber(linear(b) - vector("y", "p"), 0.25))


@architecture("focal loss", lambda v: -anp.sum(v["y"] * (1 - classes(v)) ** 2 * anp.log(classes(v))))
def _(b: Builder) -> None:
    b("L", focal(vector("y", "p", "onehot"), b("p", softmax(linear(b)))))


@architecture("label smoothing", lambda v: -anp.sum((0.9 * v["y"] + 0.1 / v["y"].size) * anp.log(classes(v))))
def _(b: Builder) -> None:
    b("L", cross_entropy(smoothed(vector("y", "p", "onehot"), 0.1), b("p", softmax(linear(b)))))


def crossed(v: Values) -> Any:
    p = smooth_sigmoid(scores(v))
    return -anp.sum(v["y"] * anp.log(p) + (1 - v["y"]) * anp.log(1 - p))


@architecture("several binary labels", crossed)
def _(b: Builder) -> None:
    b("L", binary_cross_entropy(vector("y", "p", "binary"), b("p", av.sigmoid(linear(b)))))


# ---------------------------------------------------------------- activations and norms
def two_layers(act: Callable[[Node], Node]) -> Callable[[Builder], object]:
    def build(b: Builder) -> None:
        a = b("a", act(linear(b)))
        b("L", total((matrix("V", "q", "p") @ a - vector("y", "q")) ** 2))

    return build


def loss_two_layers(act: Callable[[Any], Any]) -> Loss:
    return lambda v: anp.sum((v["V"] @ act(scores(v)) - v["y"]) ** 2)


ACTIVATIONS: dict[str, tuple[Callable[[Node], Node], Callable[[Any], Any]]] = {
    "ReLU": (av.relu, lambda x: anp.maximum(x, 0)),
    "leaky ReLU": (lambda z: av.leaky_relu(z), lambda x: anp.where(x > 0, x, 0.01 * x)),
    "leaky ReLU of another slope": (lambda z: av.leaky_relu(z, 0.2), lambda x: anp.where(x > 0, x, 0.2 * x)),
    "ELU": (lambda z: av.elu(z), lambda x: anp.where(x > 0, x, anp.exp(x) - 1)),
    "SiLU": (av.silu, lambda x: x * smooth_sigmoid(x)),
    "softplus": (av.softplus, lambda x: anp.logaddexp(0, x)),
    "GELU": (av.gelu, exact_gelu),
    "GELU by tanh": (lambda z: av.gelu(z, form="tanh"), gelu_by_tanh),
}
for word, (symbolic, numeric) in ACTIVATIONS.items():
    architecture(word, loss_two_layers(numeric))(two_layers(symbolic))


@architecture("a trained slope", lambda v: loss_two_layers(lambda x: anp.where(x > 0, x, v["c"] * x))(v))
def _(b: Builder) -> None:
    two_layers(lambda z: av.leaky_relu(z, scalar("c")))(b)


NORMS: dict[str, tuple[int | str, Callable[[Any], Any]]] = {
    "1": (1, lambda x: anp.sum(anp.abs(x))),
    "2": (2, lambda x: anp.sqrt(anp.sum(x**2))),
    "inf": ("inf", lambda x: anp.max(anp.abs(x))),
}


def normed(p: Any) -> Callable[[Builder], object]:
    def build(b: Builder) -> None:
        b("L", norm(linear(b), p) ** 2 + norm(matrix("W", "p", "n"), p))

    return build


def loss_normed(function: Callable[[Any], Any]) -> Loss:
    return lambda v: function(scores(v)) ** 2 + function(v["W"])


for word, (power, function) in NORMS.items():
    architecture(f"norms with p = {word}, of a vector and of a matrix", loss_normed(function))(normed(power))


# ---------------------------------------------------------------- the tests
every = pytest.mark.parametrize("case", ARCHITECTURES, ids=lambda case: case.name)


@every
def test_every_gradient_is_autograds(case: Architecture) -> None:
    wanted = wanted_of(case.network)
    derivation = derive_gradients(case.network, wanted)
    assert {e.of for e in derivation.equations if e.role == "gradient"} == set(wanted)
    for seed in range(2):
        values = values_for(case.network, seed)
        moving = {var.latex: values[var.latex] for var in wanted}
        expected = grad(lambda moved, given=values: case.loss({**given, **moved}))(moving)
        compare(derivation, values, dict(expected), wanted)


@every
def test_every_step_is_checked(case: Architecture) -> None:
    done = checked(case.network, derive_gradients(case.network, wanted_of(case.network)))
    assert all_checked(done), "\n".join(failures(done))
