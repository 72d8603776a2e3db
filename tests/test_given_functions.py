r"""What formulas give: values of functions, limits, slopes; letters that are numbers; predictions of each sample.

Each page with the verdicts of its claims in order, `good`, `false` or `open`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sympy
from test_page_language import assert_read

import codegen
from codegen.errors import CodegenError
from derive import Model, ModelError, matrix, scalar, total, vector
from derive.verify.functions import Residues
from derive.verify.numbers import number
from derive.workbook import Workbook

PAGES = {
    "values at points": (
        r"""
$$d(x) = x^2 + 1, \qquad f(a, b, c, e) = 23 a + 42 b + 51 c + e$$
Then $d(-2) = 5$, $d(1) = 3$, $f(1, 2, 3, 4) = 264$ and $f(1, 2, 3, 4) = 265$.
""",
        "good false good false",
    ),
    "values of what nothing tells": (
        r"""
$$d(x) = distance(f(x), g(x)), \qquad u(x) = a x$$
In the picture $d(0) = 1$, and $u(2) = 3$.
""",
        "",
    ),
    "values of a function that is said in two ways": (
        r"""
First $d(x) = x^2 + 1$. Now take another.
$$d(x) = x^3$$
It has $d(2) = 8$.
""",
        "open",
    ),
    "values on both sides of a kink": (
        r"""
$$g(x) = \max(0, x)$$
So $g(-1) = 0$, $g(3) = 3$, $g(3) = 0$ and $g(-2) = -2$.
""",
        "good good false false",
    ),
    "what else a formula is": (
        r"""
$$f(v) = W^{[2]} (W^{[1]} v + b^{[1]}) + b^{[2]} = W^{[2]} W^{[1]} v + W^{[2]} b^{[1]} + b^{[2]}$$
$$g(v) = A (B v + c) = A B v - A c$$
""",
        "good false",
    ),
    "a straight line, and a bent one": (
        r"""
Numbers $w, b, u, v \in \mathbb{R}$.
$$f(x) = w x + b, \qquad g(x) = \max(0, x)$$
$$f(u - v) + f(u + v) = 2 f(u)$$
$$g(u - v) + g(u + v) = 2 g(u)$$
""",
        "good false",
    ),
    "gates that stand open alike are no proof": (
        r"""
Numbers $u, v, w, b, c, e \in \mathbb{R}$.
$$h(x) = c \max(0, w x + b) + e$$
$$c \max(0, w u + b) + e + (c \max(0, w v + b) + e)
= c \max(0, w (u + v) + \sqrt{b}) + e + (c \max(0, b) + e)$$
""",
        "false",
    ),
    "limits that define a derivative": (
        r"""
$$f(x) = x^3 - 2 x$$
$$f'(x) = \lim_{h \to 0} \frac{f(x + h) - f(x)}{h} = \lim_{h \rightarrow 0} (3 x^2 + 3 x h + h^2 - 2) = 3 x^2 - 2$$
$$\frac{d f}{d x} = \lim_{h \to 0} \frac{f(x + h) - f(x)}{h} = 3 x^2 + 2$$
$$f'(x) = \lim_{h \to 0} (3 x^2 + 3 x h - 3)$$
""",
        "good good good good false false",
    ),
    "limits that nothing here tells": (
        r"""
$$f(x) = x^2$$
$$f'(x) = \lim_{h \to 0} \frac{\sin h}{h}$$
$$f'(x) = \lim_{h \to 0} \frac{f(x + h) - f(x - h)}{h}$$
$$f'(x) = \lim_{h \to 0} \frac{f(x + h) - f(x)}{2 h}$$
$$f'(x) = \lim_{n \to \infty} (2 x + n)$$
$$f'(x) = \lim (2 x)$$
""",
        "open open open open open",
    ),
    "slopes inside formulas": (
        r"""
$$d(x) = x^2 + 1$$
$$x - \alpha d'(x) = (1 - 2 \alpha) x$$
$$x - \alpha d'(x) = (1 - \alpha) x$$
$$d'(x)^2 = 4 d(x) - 4$$
$$d''(x) = 2$$
""",
        "good false good good",
    ),
    "letters that multiply each other are numbers": (
        r"""
$$out = w_1 x + w_2 y + w_3 z + b$$
$$\frac{\partial out}{\partial w_1} = x, \qquad \frac{\partial out}{\partial x} = w_1, \qquad
\frac{\partial out}{\partial y} = w_1$$
""",
        "good good false",
    ),
    "a declaration is not of another section's namesake": (
        r"""
# Two classes

$$z = w^T x + b, \quad p = \sigma(z)$$
$$L = -[y \log p + (1 - y) \log(1 - p)]$$
$$\frac{\partial L}{\partial z} = p - y, \qquad \frac{\partial L}{\partial w} = (p - y) x$$

# Many classes

The scores are $z \in \mathbb{R}^k$.

$$z = W x + b, \quad p = \text{softmax}(z)$$
$$L = -\sum_j y_j \log p_j$$
$$\frac{\partial L}{\partial z} = p - y$$
""",
        "good good good",
    ),
    "e is no whole number": (
        r"""
$$L = w e^{1} + e^{u}$$
$$\frac{\partial L}{\partial u} = 4 e^{u - 1}$$
$$\frac{\partial L}{\partial u} = e^{u}$$
""",
        "false good",
    ),
    "gates that are seldom open": (
        r"""
$$L = w^2 + x [a > 0] [b > 0] [c > 0] [d > 0] [u > 0] [v > 0] w$$
$$\frac{\partial L}{\partial w} = 2 w$$
""",
        "open",
    ),
    "slopes of arrays, entry by entry": (
        r"""
Of $z, v \in \mathbb{R}^n$ and $f(x) = x^2$:
$$f'(z) z^T = 2 z^T z$$
$$z^T f'(z) = 2 z \odot z$$
$$\operatorname{diag}(f'(z)) v = 2 z \odot v$$
$$A B f'(z) = 2 A B z$$
""",
        "open open open open",
    ),
    "slopes beside other letters": (
        r"""
$$f(x) = x^2$$
$$f'(x) = \frac{f(x + h) - f(x - h)}{2 h}, \qquad f(x) + f'(x) (z - x) = 2 x z - x^2$$
$$f(x + h) = f(x) + h f'(x), \qquad f(x + h) = f(x) + h f'(x) + O(h^2)$$
""",
        "good good false open",
    ),
    "the same letter for two functions": (
        r"""
# One
Let $f(x) = x^2$. Then $f'(x) = 2 x$ and $\frac{df}{dx} = 2 x$ and $f(2) = 4$.
# Two
Let $f(x) = x^3$. Then $f'(x) = 3 x^2$ and $\frac{df}{dx} = 3 x^2$ and $f(2) = 8$.
""",
        "good good open good good open",
    ),
    "values that are conditions": (
        r"""
Let $f(x) = x^2 + 1$. If we want $f(2) = 0$, or suppose that $f(3) = 1$, while the data say $f(1) = 3$ and $f(2) = 6$.

$$g(x) = e^x$$

With $g(0) = 1$ and, rounded, $g(1) = 3$.
""",
        "open open open open good open",
    ),
    "limits beside what depends on them": (
        r"""
$$h = x^2, \qquad L = h w$$
$$\frac{\partial L}{\partial w} = \lim_{x \to 0} (h + x)$$
$$f(t) = t^2$$
$$f'(t) = \lim_{h \to 0} 2 t + h$$
""",
        "open open",
    ),
    "derivatives of functions of functions": (
        r"""
Let $f(x) = x^2$ and $g(x) = \sin(x)$.
$$\frac{d}{dx} f(g(x)) = 2 \sin(x) \cos(x)$$
""",
        "open",
    ),
    "indices that count entries, or of which nothing is said": (
        r"""
# Classes
$$z = w^T x + b, \qquad p_i = \frac{e^{z_i}}{\sum_j e^{z_j}}, \qquad L = -\sum_i y_i \log p_i$$
$$\frac{\partial L}{\partial b} = p - y$$
# Samples?
$$\hat{y} = w^T x, \qquad E = \sum_i (y_i - \hat{y}_i)^2$$
$$\frac{\partial E}{\partial w_i} = 2 (\hat{y}_i - y_i) x_i$$
""",
        "good open",
    ),
    "a prediction without the index of its sample": (
        r"""
$$\hat{y} = w^T x + b, \qquad \text{MSE} = \frac{1}{N} \sum_{i=1}^{N} (y_i - \hat{y}_i)^2$$
$$\frac{\partial \text{MSE}}{\partial w} = -\frac{2}{N} \sum_{i=1}^{N} (y_i - \hat{y}_i) x_i$$
$$\frac{\partial \text{MSE}}{\partial b} = -\frac{2}{N} \sum_{i=1}^{N} (y_i - \hat{y}_i)$$
$$\frac{\partial \text{MSE}}{\partial b} = -\frac{1}{N} \sum_{i=1}^{N} (y_i - \hat{y}_i)$$
""",
        "good good false",
    ),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_read_as_people_write(name: str, tmp_path: Path) -> None:
    assert_read(*PAGES[name], tmp_path)


def test_a_claim_with_a_limit_is_shown_as_it_was_written(tmp_path: Path) -> None:
    page = tmp_path / "limit.md"
    page.write_text(r"$$d(x) = x^2$$ $$d'(x) = \lim_{q \to 0} \frac{d(x + q) - d(x)}{q}$$", encoding="utf-8")
    (claim,) = Workbook(page).judged()
    assert r"\lim_{q \to 0}" in claim.rhs


def test_ones_are_given_and_never_trained(tmp_path: Path) -> None:
    page = tmp_path / "ones.md"
    page.write_text(
        r"Data $X \in \mathbb{R}^{m \times n}$, $y \in \mathbb{R}^m$, $w \in \mathbb{R}^n$."
        "\n\n" r"$$ r = X w + b \mathbf{1} - y, \qquad J = \frac{1}{m} r^T r $$", encoding="utf-8",
    )  # fmt: skip
    assert {p.latex for p in Model.read(page).gradients().parameters} == {"w", "b"}


@pytest.mark.parametrize(
    "model",
    [
        r"$$\hat{y}^{(i)} = w^\top x^{(i)} + b, \quad J = \frac{1}{m} \sum_{i=1}^m (\hat{y}^{(i)} - y^{(i)})^2$$",
        r"Each $x \in \mathbb{R}^n$. $$z_i = w^\top x_i + b, \quad J = \frac{1}{m} \sum_{i=1}^m (z_i - y_i)^2$$",
        r"Each $x^{(i)} \in \mathbb{R}^n$. $$\hat{y}^{(i)} = w^\top x^{(i)} + b, \quad"
        r" J = \frac{1}{m} \sum_{i=1}^m (\hat{y}^{(i)} - y^{(i)})^2$$",
    ],
    ids=["above", "below, declared", "above, declared"],
)
def test_a_model_of_many_samples_has_a_sheet(model: str, tmp_path: Path) -> None:
    page = tmp_path / "samples.md"
    page.write_text(model, encoding="utf-8")
    record = Model.read(page).gradients("J")
    assert {p.latex: p.shape == () for p in record.parameters} == {"w": False, "b": True}
    assert all(e.check is not None and e.check.outcome == "proved" for e in record.equations if e.role == "gradient")
    assert "$i$ counts the samples" in record.assumptions


@pytest.mark.parametrize("value", ["1", "3", "17", "1/2", "7/10", "0.001", "22/7", "-1", "-5/6", "-0.25", "-11.5"])
def test_a_fraction_has_its_own_sign_among_residues(value: str) -> None:
    whole = number(sympy.Rational(value), exact=True)
    assert int(Residues.step(whole).parts[0].x) == (not value.startswith("-"))


# ---- Python --------------------------------------------------------------------------------------------------
PAGE = r"""
Right is $v \in \mathbb{R}^n$, said is $w \in \mathbb{R}^n$.

$$ S = (v - w)^\top (v - w) $$
"""


@pytest.fixture
def distance(tmp_path: Path) -> Model:
    page = tmp_path / "distance.md"
    page.write_text(PAGE, encoding="utf-8")
    return Model.read(page)


def test_the_parameters_of_a_page_can_be_said_in_python(distance: Model) -> None:
    distance.train("w")
    assert [p.latex for p in distance.gradients("S").parameters] == ["w"]
    with pytest.raises(ModelError, match="no free variable q; there are v, w"):
        distance.train("q")


def test_a_page_can_be_gone_on_with_in_python(distance: Model) -> None:
    (square,) = (item.name for item in distance.network().definitions)
    distance.define("L", square * square)
    record = distance.gradients()
    assert record.loss is not None and record.loss.latex == "L"
    assert record.check(r"\frac{\partial L}{\partial w} = 4 S (w - v)").verdict == "proved"


@pytest.mark.parametrize("target", ["numpy", "c"])
def test_gradients_are_functions_of_parameters_that_are_given(distance: Model, target: str) -> None:
    distance.train("w")
    record, outputs = distance.gradients("S"), ["S", r"\frac{\partial S}{\partial w}"]
    call = codegen.compile_function(record, outputs, target, dtype="float64", sizes={"n": 3}, inputs=["w"])
    v, w = np.random.default_rng(0).normal(size=(2, 7, 3))
    values, gradients = call(v=v, w=w)
    np.testing.assert_allclose(values, ((v - w) ** 2).sum(axis=1), rtol=1e-13)
    np.testing.assert_allclose(gradients, 2 * (w - v), rtol=1e-13)
    one, slope = call(v[0], w[0])
    np.testing.assert_allclose((one, slope[1]), (values[0], gradients[0, 1]), rtol=1e-13)


def test_a_gradient_is_shipped_with_its_self_test(distance: Model) -> None:
    distance.train("w")
    outputs = [r"\frac{\partial S}{\partial w}"]
    files = codegen.export_function(
        distance.gradients("S"), {}, outputs, name="pull", sizes={"n": 3}, inputs=["w"]
    )  # fmt: skip
    assert set(files) == {"pull.c", "pull.h"} and "SELF_TEST" in files["pull.c"]
    with pytest.raises(CodegenError, match=r"inputs: u is no parameter of .*; there are w"):
        codegen.export_function(distance.gradients("S"), {}, outputs, sizes={"n": 3}, inputs=["u"])


@pytest.mark.parametrize("target", ["numpy", "c"])
def test_a_function_without_data_is_minimised(target: str) -> None:
    model = Model("A bowl")
    x = scalar("x")
    model.define("d", (x - 3) ** 2 + total(scalar("y") ** 2))
    model.train("x", "y")
    trainer = codegen.compile(model.gradients("d"), target=target, dtype="float64", lr=0.1, batch=1).bind()
    trainer.run(300)
    np.testing.assert_allclose((trainer.params["x"], trainer.params["y"]), (3, 0), atol=1e-12)


def test_an_array_called_as_a_parameter_is_not_left_out_in_silence() -> None:
    model = Model("Two matrices")
    p = model.define("p", matrix("W", "k", "n") @ vector("x", "n"))
    model.define("L", total((p - vector("c", "k")) ** 2))
    data = {"x": np.ones((8, 3)), "c": np.zeros((8, 2))}
    with pytest.raises(CodegenError, match=r"c: the data hold an array of this name, and Two matrices trains c"):
        codegen.compile(model.gradients(), target="numpy", batch=4).bind(**data)
    model.train("W")
    codegen.compile(model.gradients(), target="numpy", batch=4).bind(**data).run(2)
