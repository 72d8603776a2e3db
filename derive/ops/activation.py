r"""Activations, and what they are made of: rows of functions of one variable, some with a constant.

Bodies and slopes are written as in `elementwise.py`.
"""

from __future__ import annotations

from typing import Any

import sympy

from derive.expr import Apply, Const, Node, Numeric, as_node
from derive.ops.elementwise import arithmetic, function

HALF = sympy.Rational(1, 2)
CUBIC = sympy.Rational(44715, 1000000)  # the coefficient of GELU's tanh form
_DENSITY_AT_0 = 1 / sympy.sqrt(2 * sympy.pi)


def _gate(x: Node) -> Node:
    return Apply("sigmoid", x)


def _positive(x: Node) -> Node:
    return Apply("step", x)


def _tanh(f: Any, e: Any) -> Any:
    """tanh x from e^{2x}."""
    return (e - 1) / (e + 1)


def _huber(f: Any, x: Any, d: Any) -> Any:
    return _piecewise(f, x - d, d * x - d * d / 2, _piecewise(f, -x - d, -(d * x) - d * d / 2, x * x / 2))


def _inner_gelu(x: Node) -> Node:
    return Const(sympy.sqrt(2 / sympy.pi)) * (x + Const(CUBIC) * x**3)


def _gelu_tanh_slope(x: Node, y: Node) -> Node:
    t = Apply("tanh", _inner_gelu(x))
    inner_slope = Const(sympy.sqrt(2 / sympy.pi)) * (1 + Const(3 * CUBIC) * x**2)
    return Const(HALF) * (1 + t) + Const(HALF) * x * (1 - t**2) * inner_slope


def _gelu_tanh(f: Any, x: Any) -> Any:
    inner = f.constant(sympy.sqrt(2 / sympy.pi)) * (x + f.constant(CUBIC) * (x * x * x))
    return x * (1 + _tanh(f, f.exp(2 * inner))) / 2


def _piecewise(f: Any, x: Any, above: Any, below: Any) -> Any:
    """What holds where x > 0, and what holds elsewhere."""
    positive = f.step(x)
    return positive * above + (1 - positive) * below


function(
    "sigmoid", lambda f, x: 1 / (1 + f.exp(-x)), lambda x, y: y * (Const(1) - y),
    r"\sigma' = \sigma (1 - \sigma)", "goodfellow2016",
    latex=r"\sigma{p}({0})", numpy="sigmoid({0})", c="sigmoid({0})", prime=True,
)  # fmt: skip
function(
    "tanh", lambda f, x: _tanh(f, f.exp(2 * x)), lambda x, y: Const(1) - y**2,
    r"\tanh' = 1 - \tanh^2", "dlmf", latex=r"\tanh{p}({0})", numpy="np.tanh({0})", c="tanh({0})", prime=True,
)  # fmt: skip
function(
    "relu", lambda f, x: x * f.step(x), lambda x, y: Apply("step", x),
    r"\mathrm{ReLU}' = [x > 0]", "goodfellow2016", latex=r"\text{{ReLU}}{p}({0})",
    numpy="np.maximum({0}, 0)", c="relu({0})", prime=True, draw=(0.1, 2.0), kink="0 at 0",
    keeps_sign=True,
)  # fmt: skip
function(
    "softplus", lambda f, x: f.log(1 + f.exp(x)), lambda x, y: Apply("sigmoid", x),
    r"\mathrm{softplus}' = \sigma", "dugas2001", latex=r"\text{{softplus}}{p}({0})",
    numpy="softplus({0})", c="softplus({0})", prime=True,
)  # fmt: skip
function(
    "silu", lambda f, x: x / (1 + f.exp(-x)), lambda x, y: _gate(x) + y * (Const(1) - _gate(x)),
    r"\mathrm{SiLU}' = \sigma + \mathrm{SiLU}\,(1 - \sigma)", "hendrycks2016", latex=r"\text{{SiLU}}{p}({0})",
    numpy="silu({0})", c="silu({0})", prime=True,
)  # fmt: skip
function(
    "normal_density", lambda f, x: f.constant(_DENSITY_AT_0) * f.exp(-x * x / 2), lambda x, y: -(x * y),
    r"\varphi'(x) = -x\,\varphi(x)", "dlmf", latex=r"\varphi{p}({0})",
    numpy="normal_density({0})", c="normal_density({0})", prime=True,
)  # fmt: skip
function(
    "normal_cdf", lambda f, x: f.normal_cdf(x), lambda x, y: Apply("normal_density", x),
    r"\Phi' = \varphi", "dlmf", latex=r"\Phi{p}({0})", numpy="normal_cdf({0})", c="normal_cdf({0})", prime=True,
)  # fmt: skip
function(
    "gelu", lambda f, x: x * f.normal_cdf(x), lambda x, y: Apply("normal_cdf", x) + x * Apply("normal_density", x),
    r"\mathrm{GELU}' = \Phi(x) + x\,\varphi(x)", "hendrycks2016", latex=r"\text{{GELU}}{p}({0})", prime=True,
)  # fmt: skip
function(
    "gelu_tanh", _gelu_tanh, _gelu_tanh_slope,
    r"\mathrm{GELU} \approx \tfrac{x}{2} (1 + \tanh(\sqrt{2/\pi}\,(x + 0.044715\,x^3)))", "hendrycks2016",
    latex=r"\text{{GELU}}_{{\tanh}}{p}({0})", prime=True, draw=(-1.5, 1.5),
    numpy="gelu_tanh({0})", c="gelu_tanh({0})",
)  # fmt: skip
arithmetic(
    "leaky_relu", lambda f, x, c: _piecewise(f, x, x, c * x), r"\text{{LeakyReLU}}_{{{1}}}({0})",
    (lambda y_bar, y, x, c: y_bar * (_positive(x) + c * (1 - _positive(x))),
     lambda y_bar, y, x, c: y_bar * (x * (1 - _positive(x)))),
    (r"\mathrm{LeakyReLU}_c' = [x > 0] + c\,[x \leq 0]", r"\text{slope of the part below 0}"),
    draw=(0.1, 2.0), kink="c at 0", numpy="leaky_relu({0}, {1})", c="leaky_relu({0}, {1})", keeps_sign=True,
)  # fmt: skip
arithmetic(
    "elu", lambda f, x, a: _piecewise(f, x, x, a * (f.exp(x) - 1)), r"\text{{ELU}}_{{{1}}}({0})",
    (lambda y_bar, y, x, a: y_bar * (_positive(x) + (1 - _positive(x)) * (y + a)),
     lambda y_bar, y, x, a: y_bar * (Apply("elu", x, Const(1)) - Apply("relu", x))),
    (r"\mathrm{ELU}_a' = [x > 0] + [x \leq 0]\,(\mathrm{ELU}_a + a)",
     r"\mathrm{ELU}_a = \mathrm{ReLU} + a\,(\mathrm{ELU}_1 - \mathrm{ReLU})"),
    draw=(0.1, 2.0), kink="a at 0", numpy="elu({0}, {1})", c="elu({0}, {1})", keeps_sign=True,
)  # fmt: skip
arithmetic(
    "clip", lambda f, x, d: _piecewise(f, x - d, d, _piecewise(f, -x - d, -d, x)), r"\text{{clip}}_{{{1}}}({0})",
    (lambda y_bar, y, x, d: y_bar * (1 - _positive(x - d)) * (1 - _positive(-x - d)),),
    r"\mathrm{clip}_d' = [|x| \leq d]", draw=(0.1, 2.0), kink="1 at d and at -d",
    numpy="np.clip({0}, -({1}), {1})", c="clip({0}, {1})",
)  # fmt: skip
arithmetic(
    "huber", lambda f, x, d: _huber(f, x, d), r"\text{{Huber}}_{{{1}}}({0})",
    (lambda y_bar, y, x, d: y_bar * Apply("clip", x, d),),
    r"\mathrm{Huber}_d' = \mathrm{clip}_d", numpy="huber({0}, {1})", c="huber({0}, {1})",
)  # fmt: skip


def sigmoid(x: Node) -> Node:
    r"""The logistic sigmoid 1/(1 + e^{-x}), entry by entry.

    >>> sigmoid(Const(0)).shape
    ()
    """
    return Apply("sigmoid", x)


def tanh(x: Node) -> Node:
    """The hyperbolic tangent, entry by entry."""
    return Apply("tanh", x)


def relu(x: Node) -> Node:
    """max(x, 0), entry by entry; its derivative at 0 is taken as 0."""
    return Apply("relu", x)


def softplus(x: Node) -> Node:
    """log(1 + e^x), entry by entry."""
    return Apply("softplus", x)


def silu(x: Node) -> Node:
    """x σ(x), also called swish, entry by entry."""
    return Apply("silu", x)


def gelu(x: Node, form: str = "exact") -> Node:
    """x Φ(x), entry by entry, or with `form="tanh"` the approximation of it by tanh."""
    if form not in ("exact", "tanh"):
        raise ValueError(f"GELU has the forms exact and tanh; there is no {form}")
    return Apply("gelu" if form == "exact" else "gelu_tanh", x)


def elu(x: Node, a: Node | Numeric = 1) -> Node:
    """x above 0 and a (e^x - 1) below, entry by entry."""
    return Apply("elu", x, as_node(a))


def leaky_relu(x: Node, c: Node | Numeric = 0.01) -> Node:
    """x above 0 and c x below, entry by entry."""
    return Apply("leaky_relu", x, as_node(c))
