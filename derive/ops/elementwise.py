r"""Operations that act entry by entry, with scalars broadcast beside tensors.

A body is written on a field `f` (numbers, exact residues, polynomials, SymPy) that has +, *, / and the functions
`exp`, `log`, `sqrt`, `power`, `sin`, `cos`, `step`, `normal_cdf` and `constant`. A slope is written on nodes, in the
input x and the output y, whichever is shorter: `tanh' = 1 - y^2`. Parameters of a function: how often it is primed,
and what the page calls it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import sympy

from derive.errors import ShapeError
from derive.expr import Apply, Const, Node
from derive.op import Op, Vjp, register
from derive.shapes import Shape, broadcast

Body = Callable[..., Any]
Slope = Callable[[Node, Node], Node]


def _shape(name: str, arity: int) -> Callable[..., Shape]:
    def shape(shapes: tuple[Shape, ...], *params: Any) -> Shape:
        if len(shapes) != arity:
            raise ShapeError(f"{name} takes {arity} operands; here are {len(shapes)}")
        return broadcast(name, shapes)

    return shape


def _chain(name: str, slope: Slope, prime: bool) -> Vjp:
    """The rule ȳ ∘ f'(x), with the derivative written f'(x) or written out."""

    def rule(y_bar: Node, y: Node, x: Node, order: int = 0, label: str = "") -> Node:
        mark = (int(order) + 1, str(label)) if label else (int(order) + 1,)
        return y_bar * (Apply(name, x, *mark) if prime or order else slope(x, y))

    return rule


def arithmetic(name: str, body: Body, latex: Any, vjp: tuple[Vjp, ...], because: Any, **more: Any) -> Op:
    """Make the row of an arithmetic operation."""
    arity = len(inspect.signature(body).parameters) - 1  # the first is the field
    return register(Op(name, _shape(name, arity), because, "petersen2012", latex, vjp, body=body, **more))


def function(name: str, body: Body, slope: Slope, because: str, source: str, **more: Any) -> Op:
    """Make the row of a function of one variable; its vjp follows from the slope."""
    prime = more.get("prime", False)
    return register(
        Op(name, _shape(name, 1), because, source, more.pop("latex"), (_chain(name, slope, prime),),
           body=body, slope=slope, **more)
    )  # fmt: skip


def _sympy_sum(sign: int) -> Callable[..., Any]:
    """Addition in SymPy: a scalar beside a matrix is a multiple of ones."""

    def combine(size: tuple[Any, ...], a: Any, b: Any) -> Any:
        left, right = (x if not size or hasattr(x, "shape") else x * sympy.OneMatrix(*size) for x in (a, b))
        return left + sign * right

    return combine


def _sympy_product(size: tuple[Any, ...], a: Any, b: Any) -> Any:
    both = hasattr(a, "shape") and hasattr(b, "shape")
    return sympy.HadamardProduct(a, b) if both else a * b


def _sympy_quotient(size: tuple[Any, ...], a: Any, b: Any) -> Any:
    if not hasattr(b, "shape"):
        return a / b
    power = sympy.HadamardPower(b, -1)
    return sympy.HadamardProduct(a, power) if hasattr(a, "shape") else a * power


def _sympy_power(size: tuple[Any, ...], a: Any, n: Any) -> Any:
    return sympy.HadamardPower(a, n) if hasattr(a, "shape") else a**n


def _either(scalar: str, tensor: str, *positions: int) -> Callable[[tuple[Shape, ...]], str]:
    """A template for scalars, another where all operands at the positions are tensors."""
    return lambda shapes: tensor if all(shapes[k] for k in positions) else scalar


def _quotient(shapes: tuple[Shape, ...]) -> str:
    """A fraction, but for matrices, of which nobody writes one."""
    return r"{0} \oslash {1}" if len(shapes[1]) > 1 else r"\frac{{{0}}}{{{1}}}"


arithmetic(
    "add", lambda f, a, b: a + b, "{0} + {1}",
    (lambda y_bar, y, a, b: y_bar, lambda y_bar, y, a, b: y_bar),
    "", binds=0, needs=(0, 2), numpy="{0} + {1}", c="{0} + {1}", sympy=_sympy_sum(1),
)  # fmt: skip
arithmetic(
    "sub", lambda f, a, b: a - b, "{0} - {1}",
    (lambda y_bar, y, a, b: y_bar, lambda y_bar, y, a, b: -y_bar),
    "", binds=0, needs=(0, 2), numpy="{0} - {1}", c="{0} - {1}", sympy=_sympy_sum(-1),
)  # fmt: skip
arithmetic(
    "neg", lambda f, a: -a, "-{0}", (lambda y_bar, y, a: -y_bar,),
    "", binds=1, needs=(2,), numpy="-{0}", c="-{0}", sympy=lambda size, a: -a,
)  # fmt: skip
arithmetic(
    "mul", lambda f, a, b: a * b, _either("{0} {1}", r"{0} \circ {1}", 0, 1),
    (lambda y_bar, y, a, b: y_bar * b, lambda y_bar, y, a, b: y_bar * a),
    r"d(A \circ B) = dA \circ B + A \circ dB", binds=4, needs=(4, 5), numpy="{0} * {1}", c="{0} * {1}",
    sympy=_sympy_product,
)  # fmt: skip
arithmetic(
    "div", lambda f, a, b: a / b, _quotient,
    (lambda y_bar, y, a, b: y_bar / b, lambda y_bar, y, a, b: -(y_bar * a / b ** 2)),
    r"d(A \oslash B) = dA \oslash B - A \circ dB \oslash B^{\circ 2}", binds=4, needs=(4, 5),
    numpy="{0} / {1}", c="{0} / {1}", draw=(0.5, 2.0), sympy=_sympy_quotient,
)  # fmt: skip


def _power_rule(y_bar: Node, y: Node, a: Node, n: Node) -> Node:
    if not isinstance(n, Const):
        return y_bar * (n * y / a)
    return y_bar * (n * (a if n.value == 2 else a ** Const(n.value - 1)))


arithmetic(
    "pow", lambda f, a, n: f.power(a, n), _either("{0}^{{{1}}}", r"{0}^{{\circ {1}}}", 0),
    (_power_rule, lambda y_bar, y, a, n: y_bar * (y * Apply("log", a))),
    (r"d(a^n) = n\,a^{n-1}\,da", r"d(a^n) = a^n \log(a)\,dn"), binds=5, needs=(6, 0),
    numpy="{0} ** {1}", c="pow({0}, {1})", draw=(0.5, 2.0),
    sympy=_sympy_power,
)  # fmt: skip

function(
    "exp", lambda f, x: f.exp(x), lambda x, y: y, r"(e^x)' = e^x", "dlmf",
    latex="e^{{{0}}}", binds=5, numpy="np.exp({0})", c="exp({0})",
)  # fmt: skip
function(
    "log", lambda f, x: f.log(x), lambda x, y: Const(1) / x, r"\log' x = 1/x", "dlmf",
    latex=r"\log({0})", numpy="np.log({0})", c="log({0})", draw=(0.2, 3.0),
)  # fmt: skip
function(
    "log1p", lambda f, x: f.log(1 + x), lambda x, y: Const(1) / (1 + x), r"\log(1 + x)' = 1/(1 + x)", "dlmf",
    latex=r"\operatorname{{log1p}}({0})", numpy="np.log1p({0})", c="log1p({0})", draw=(-0.8, 3.0),
)  # fmt: skip
function(
    "expm1", lambda f, x: f.exp(x) - 1, lambda x, y: Apply("exp", x), r"(e^x - 1)' = e^x", "dlmf",
    latex=r"\operatorname{{expm1}}({0})", numpy="np.expm1({0})", c="expm1({0})",
)  # fmt: skip
function(
    "sqrt", lambda f, x: f.sqrt(x), lambda x, y: Const(1) / (Const(2) * y), r"\sqrt{x}' = 1 / (2\sqrt{x})", "dlmf",
    latex=r"\sqrt{{{0}}}", numpy="np.sqrt({0})", c="sqrt({0})", draw=(0.2, 3.0),
)  # fmt: skip
function(
    "sin", lambda f, x: f.sin(x), lambda x, y: Apply("cos", x), r"\sin' = \cos", "dlmf",
    latex=r"\sin({0})", numpy="np.sin({0})", c="sin({0})",
)  # fmt: skip
function(
    "cos", lambda f, x: f.cos(x), lambda x, y: -Apply("sin", x), r"\cos' = -\sin", "dlmf",
    latex=r"\cos({0})", numpy="np.cos({0})", c="cos({0})",
)  # fmt: skip
function(
    "step", lambda f, x: f.step(x), lambda x, y: Const(0) * x, r"[x > 0]' = 0", "goodfellow2016",
    latex=r"[{0} > 0]", numpy="heaviside({0})", c="step({0})", draw=(0.1, 2.0), kink="0 at 0",
)  # fmt: skip
function(
    "sign", lambda f, x: f.step(x) - f.step(-x), lambda x, y: Const(0) * x, r"\mathrm{sign}' = 0", "goodfellow2016",
    latex=r"\operatorname{{sign}}({0})", numpy="np.sign({0})", c="sign({0})", draw=(0.1, 2.0),
    kink="0 at 0",
)  # fmt: skip
function(
    "abs", lambda f, x: x * (f.step(x) - f.step(-x)), lambda x, y: Apply("sign", x),
    r"|x|' = \mathrm{sign}(x)", "goodfellow2016", latex=r"|{0}|", numpy="np.abs({0})", c="fabs({0})",
    draw=(0.1, 2.0), kink="0 at 0",
)  # fmt: skip


def _unknown(y_bar: Node, y: Node, x: Node, order: int, label: str) -> Node:
    return y_bar * Apply("function", x, int(order) + 1, str(label))


register(
    Op("function", _shape("function", 1), r"d f(x) = f'(x)\,dx", "petersen2012", "{f}{p}({0})", (_unknown,), prime=True)
)


def sign(x: Node) -> Node:
    """-1, 0 or 1, entry by entry."""
    return Apply("sign", x)


def absolute(x: Node) -> Node:
    """The absolute value, entry by entry; its derivative at 0 is taken as 0."""
    return Apply("abs", x)


def sin(x: Node) -> Node:
    """The sine, entry by entry."""
    return Apply("sin", x)


def cos(x: Node) -> Node:
    """The cosine, entry by entry."""
    return Apply("cos", x)


def exp(x: Node) -> Node:
    """The exponential, entry by entry."""
    return Apply("exp", x)


def log(x: Node) -> Node:
    """The natural logarithm, entry by entry."""
    return Apply("log", x)


def log1p(x: Node) -> Node:
    """log(1 + x), entry by entry, to the last digits near 0."""
    return Apply("log1p", x)


def expm1(x: Node) -> Node:
    """e^x - 1, entry by entry, to the last digits near 0."""
    return Apply("expm1", x)


def sqrt(x: Node) -> Node:
    """The square root, entry by entry."""
    return Apply("sqrt", x)


def unknown(label: str, x: Node, order: int = 0) -> Node:
    r"""An arbitrary differentiable function called `label`, entry by entry, `order` times primed."""
    return Apply("function", x, order, label)


def scalar_field() -> Any:
    """The field of SymPy expressions, for bodies."""

    class Field:
        exp, log, sqrt, sin, cos = sympy.exp, sympy.log, sympy.sqrt, sympy.sin, sympy.cos

        @staticmethod
        def step(x: sympy.Expr) -> sympy.Expr:
            return sympy.Heaviside(x, 0)

        @staticmethod
        def normal_cdf(x: sympy.Expr) -> sympy.Expr:
            return (1 + sympy.erf(x / sympy.sqrt(2))) / 2

        @staticmethod
        def power(a: sympy.Expr, n: sympy.Expr) -> sympy.Expr:
            return a**n

        @staticmethod
        def constant(value: sympy.Expr) -> sympy.Expr:
            return value

    return Field
