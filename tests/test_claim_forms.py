r"""Forms of the language in claims files: each with claims that hold, and with ones that do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_claims_file import FALSE, GOOD, entry, judged

from derive.meaning.piecewise import BORDER


def told(claim: str, *model: str, layout: str = "", **shapes: str) -> dict[str, Any]:
    """An entry; names that are no words stand for LaTeX as the table has it."""
    found = entry(claim, *model, layout=layout, **shapes)
    found["symbols"] = {LATEX.get(name, name): symbol for name, symbol in found["symbols"].items()}
    return found


LATEX = {
    "alpha": r"\alpha", "delta": r"\delta", "theta": r"\theta", "theta_0": r"\theta_0", "theta_1": r"\theta_1",
    "log_s": r"\log s",
}  # fmt: skip

ELU = r"f(z) = \begin{cases} z & z \ge 0 \\ \alpha (e^z - 1) & z < 0 \end{cases}"
CLIPPED = r"f(x) = \begin{cases} -1 & x < -1 \\ x & -1 \le x \le 1 \\ 1 & x > 1 \end{cases}"
HUBER = (
    r"L = \begin{cases} \frac12 (a - y)^2 & |a - y| \leq \delta \\"
    r" \delta (|a - y| - \frac12 \delta) & \text{otherwise} \end{cases}"
)
SOFTMAX = r"a_i = \frac{e^{z_i}}{\sum_k e^{z_k}}"
LINE = r"\frac{1}{2m} \sum_{i=1}^m (h_\theta(x^{(i)}) - y^{(i)})^2"
LOGISTIC = (
    r"J(w, b) = -\frac{1}{m} \sum_{i=1}^m (y^{(i)} \log f_w(x^{(i)}) + (1 - y^{(i)}) \log (1 - f_w(x^{(i)})))",
    r"f_w(x) = \frac{1}{1 + e^{-(w^T x + b)}}",
)
PAIRS = {"theta_0": "", "theta_1": "", "x^{(i)}": "m", "y^{(i)}": "m"}
SAMPLES = {"x^{(i)}": "m n", "y^{(i)}": "m"}
UP = (r"u^{(k+1)} = V^{(k)} \phi(u^{(k)})", r"\delta^{(k)} = \frac{\partial E}{\partial u^{(k)}}")
LINEAR = (r"u^{(k+1)} = V^{(k)} o^{(k)}", r"\delta^{(k+1)} = \frac{\partial E}{\partial u^{(k+1)}}")
LAYER = (r"s^l = W^l o^{l-1} + b^l", r"o^l = \phi(s^l)", r"\delta^l = \frac{\partial E}{\partial s^l}")
ENTRIES = (r"\vec{r} = \frac{1}{2} m^2 + \exp(2 \log s) - \log s", r"z = m + e \exp(\log s)")
EACH = {"m": "d", "log_s": "d", "e": "d"}
SURFACE = "f(x, y) = x^2 y + y^3"
NUMBERS = {"x": "", "y": ""}
BY_LETTERS = (
    r"o_k = f_k(s_k)", r"s_k = b_k + \sum_j f_j(s_j) w_{jk}", r"s_j = b_j + \sum_i o_i w_{ij}",
    r"E = \frac{1}{2} \sum_k (o_k - y_k)^2",
)
LETTERS = {"o_i": "d", "w_{ij}": "d h", "b_j": "h", "w_{jk}": "h k", "b_k": "k", "y_k": "k"}
DEEP = (
    r"z^{(l+1)} = W^{(l)} a^{(l)}", r"a^{(l)} = f(z^{(l)})", r"J = \frac{1}{2} \sum_k (a^{(5)}_k - y_k)^2",
    r"\delta^{(5)} = (a^{(5)} - y) \odot f'(z^{(5)})",
)
DEPTH = {"W^{(l)}": "k h", "a^{(l)}": "h", "y": "k"}
CELL = (r"p = \frac{1}{1 + e^{-u}}", "u = w^T x", r"C = -y \log p - (1 - y) \log (1 - p)")
SCORES = (r"p_i = \frac{\exp(w_i^T x)}{\sum_j \exp(w_j^T x)}", r"q_i = \log p_i")
ROWS = {"w_i": "m n", "x": "n"}
WORDS = (
    r"P(o \mid c) = \frac{\exp(u_o^T v_c)}{\sum_{w \in V} \exp(u_w^T v_c)}", r"J = -\log P(o \mid c)",
)
TOLD = {"u_w": "K d", "v_c": "d"}
LOGIT = r"\log p(y = k \mid x) = w_k^T x - \log \sum_j e^{w_j^T x}"
HOLD = {
    "cases": told(
        r"f'(z) = \begin{cases} 1 & z > 0 \\ 0 & z \leq 0 \end{cases}",
        r"f(z) = \begin{cases} z & z > 0 \\ 0 & z \leq 0 \end{cases}", z="n",
    ),
    "cases of a maximum": told(
        r"f'(z) = \begin{cases} 1 & \text{if } z > 0 \\ 0 & \text{otherwise} \end{cases}", r"f(z) = \max(z, 0)", z="n"
    ),
    "cases of a formula": told(
        r"f'(z) = \begin{cases} 1 & \text{if } z > 0 \\ \alpha e^z & \text{otherwise} \end{cases}", ELU, z="n",
        alpha="|positive",
    ),
    "three cases": told(
        r"f'(x) = \begin{cases} 0 & x < -1 \\ 1 & -1 \le x \le 1 \\ 0 & x > 1 \end{cases}", CLIPPED, x=""
    ),
    "cases of indices": told(
        r"\frac{\partial a_i}{\partial z_j} ="
        r" \begin{cases} a_i (1 - a_i) & \text{if } i = j \\ -a_i a_j & \text{if } i \neq j \end{cases}",
        SOFTMAX, z="n",
    ),
    "cases of a loss": told(
        r"\frac{\partial L}{\partial w} = \begin{cases} -y x & 1 - y w^T x > 0 \\ 0 & \text{otherwise} \end{cases}",
        r"L = \max(0, 1 - y w^T x)", w="n", x="n", y="|sign",
    ),
    "a threshold called delta": told(
        r"\frac{\partial L}{\partial a} ="
        r" \begin{cases} a - y & |a - y| \leq \delta \\ \delta \, \text{sign}(a - y) & \text{otherwise} \end{cases}",
        HUBER, a="", y="", delta="|positive",
    ),
    "a line": told(
        r"\frac{\partial}{\partial \theta_1} J(\theta_0, \theta_1) ="
        r" \frac{1}{m} \sum_{i=1}^m (h_\theta(x^{(i)}) - y^{(i)}) x^{(i)}", LINE, **PAIRS,
    ),
    "a hyperplane": told(
        r"\frac{\partial J(\theta)}{\partial \theta} = \frac{1}{m} \sum_{i=1}^m (h_\theta(x^{(i)}) - y^{(i)}) x^{(i)}",
        "J(\\theta) = " + LINE, theta="n", **SAMPLES,
    ),
    "a function with parameters": told(
        r"\frac{\partial J(w, b)}{\partial w_j} = \frac{1}{m} \sum_{i=1}^m (f_w(x^{(i)}) - y^{(i)}) x_j^{(i)}",
        *LOGISTIC, w="n", b="", **SAMPLES,
    ),
    "the gradient of what goes without saying": told(
        r"\nabla_{V^{(k)}} = \delta^{(k+1)} o^{(k)T}", *LINEAR, **{"u^{(k)}": "m 1", "V^{(k)}": "n m"}
    ),
    "the activation of the last layer": told(
        r"\delta^L = \nabla_o E \odot \phi'(s^L)", *LAYER, **{"s^L": "q 1"}
    ),
    "an activation that only its slope tells": told(
        r"\delta^l = ((W^{l+1})^T \delta^{l+1}) \odot \phi'(z^l)", "z^l = W^l o^{l-1} + b^l",
        **{"z^l": "h 1", "W^{l+1}": "q h"},
    ),
    "a vector of losses": told(
        r"\frac{\partial \vec{r}}{\partial \log s} = 2 \exp(2 \log s) - \vec{1}", *ENTRIES, layout="gradient", **EACH
    ),
    "an entrywise product without a sign": told(
        r"\frac{\partial L}{\partial \log s} = \frac{\partial L}{\partial z} e \exp(\log s)", ENTRIES[1], **EACH
    ),
    "a Hessian": told(
        r"\nabla^2 f(x, y) = 2 \begin{bmatrix} y & x \\ x & 3 y \end{bmatrix}", SURFACE, **NUMBERS
    ),
    "a Hessian by its letter": told(
        r"\mathbf{H} f(x, y) = \begin{pmatrix} 2 y & 2 x \\ 2 x & 6 y \end{pmatrix}", SURFACE, **NUMBERS
    ),
    "a mixed derivative": told(r"\frac{\partial^2 f}{\partial x \partial y} = 2 x", SURFACE, **NUMBERS),
    "layers told apart by letters": told(
        r"\frac{\partial E}{\partial w_{jk}} = (o_k - y_k) f_k'(s_k) o_j", *BY_LETTERS, **LETTERS
    ),
    "letters of a layer that is left out": told(
        r"\frac{\partial E}{\partial b_k} = (o_k - y_k) f_k'(s_k)", *BY_LETTERS[:2], BY_LETTERS[3], **LETTERS
    ),
    "a loss above any layer": told(
        r"\frac{\partial}{\partial W_{ij}^{(l)}} J(W) = a_j^{(l)} \delta_i^{(l+1)}", *DEEP, **DEPTH
    ),
    "a primed loss": told(r"C' = (p - y) x", *CELL, x="d", w="d", y="|binary"),
    "an entry by a vector": told(r"\frac{\partial z_i}{\partial x} = w_i", "z_i = w_i^T x", **ROWS),
    "an entry by a row": told(r"\frac{\partial z_i}{\partial w_i} = x", "z_i = w_i^T x", **ROWS),
    "an entry of a softmax": told(
        r"\frac{\partial q_i}{\partial x} = w_i - \sum_j p_j w_j", *SCORES, **ROWS
    ),
    "an entry written out": told(
        r"\frac{\partial \log p_i}{\partial x} = w_i - \sum_j p_j w_j", SCORES[0], **ROWS
    ),
    "a probability": told(
        r"\frac{\partial \log P(o \mid c)}{\partial v_c} = u_o - \sum_{w \in V} P(w \mid c) u_w", WORDS[0], **TOLD
    ),
    "a loss of a probability": told(
        r"\frac{\partial J}{\partial v_c} = \sum_{w \in V} P(w \mid c) u_w - u_o", *WORDS, **TOLD
    ),
    "a loss of a probability by its own row": told(
        r"\frac{\partial J}{\partial u_o} = (P(o \mid c) - 1) v_c", *WORDS, **TOLD
    ),
    "a probability by its logarithm": told(
        r"\frac{\partial \log p(y = k \mid x)}{\partial x} = w_k - \sum_j p(y = j \mid x) w_j", LOGIT, w_k="K d", x="d"
    ),
    "an entry in numerator layout": told(
        r"\frac{\partial z_i}{\partial x} = w_i^T", "z_i = w_i^T x", layout="numerator", **ROWS
    ),
    "an entry by an entry in numerator layout": told(
        r"\frac{\partial L}{\partial W_{ij}} = a_i x_j", "L = a^T W x", layout="numerator", W="m n", x="n", a="m"
    ),
    "a primed function with a formula": told(r"f'(x) = f(x) + 2 x e^x", r"f(x) = x^2 e^x", x=""),
    "a function primed twice": told(r"f''(x) = 2 e^x + 4 x e^x + x^2 e^x", r"f(x) = x^2 e^x", x=""),
}  # fmt: skip
FAIL = {
    "cases": told(
        r"f'(z) = \begin{cases} 1 & \text{if } z > 0 \\ e^z & \text{otherwise} \end{cases}", ELU, z="n",
        alpha="|positive",
    ),
    "cases of indices": told(
        r"\frac{\partial a_i}{\partial z_j} ="
        r" \begin{cases} a_i (1 - a_i) & \text{if } i = j \\ a_i a_j & \text{otherwise} \end{cases}", SOFTMAX, z="n",
    ),
    "a threshold called delta": told(
        r"\frac{\partial L}{\partial a} ="
        r" \begin{cases} a - y & |a - y| \leq \delta \\ \delta & \text{otherwise} \end{cases}",
        HUBER, a="", y="", delta="|positive",
    ),
    "a line": told(
        r"\frac{\partial}{\partial \theta_0} J(\theta_0, \theta_1) ="
        r" \frac{2}{m} \sum_{i=1}^m (h_\theta(x^{(i)}) - y^{(i)})", LINE, **PAIRS,
    ),
    "a function with parameters": told(
        r"\frac{\partial J(w, b)}{\partial w_j} = \frac{1}{m} \sum_{i=1}^m (y^{(i)} - f_w(x^{(i)})) x_j^{(i)}",
        *LOGISTIC, w="n", b="", **SAMPLES,
    ),
    "weights of the layer above": told(
        r"\delta^{(k)} = \phi'(u^{(k)}) \circ (V^{(k+1)T} \delta^{(k+1)})", *UP, **{"u^{(k)}": "m 1", "V^{(k)}": "n m"}
    ),
    "a slope at the layer above": told(
        r"\delta^l = ((W^{l+1})^T \delta^{l+1}) \odot \phi'(s^{l+1})", *LAYER, **{"s^l": "h 1", "W^{l+1}": "q h"}
    ),
    "a vector of losses": told(
        r"\frac{\partial \vec{r}}{\partial m} = 2 m", *ENTRIES, layout="gradient", **EACH
    ),
    "an entrywise product without a sign": told(
        r"\frac{\partial L}{\partial \log s} = \frac{\partial L}{\partial z} \exp(\log s)", ENTRIES[1], **EACH
    ),
    "a product of vectors in a claim alone": told(
        r"\frac{\partial L}{\partial W} = \delta x", "u = W x", r"\delta = \frac{\partial L}{\partial u}", W="m n",
        x="n", u="m",
    ),
    "a Hessian": told(
        r"H_f(x, y) = \begin{bmatrix} 2 y & 2 x \\ 2 y & 6 y \end{bmatrix}", SURFACE, **NUMBERS
    ),
    "a mixed derivative": told(r"\frac{\partial^2 f(x, y)}{\partial y \partial x} = 2 y", SURFACE, **NUMBERS),
    "layers told apart by letters": told(
        r"\frac{\partial E}{\partial w_{jk}} = (o_k - y_k) o_j", *BY_LETTERS, **LETTERS
    ),
    "a loss above any layer": told(
        r"\frac{\partial}{\partial W_{ij}^{(l)}} J(W) = a_i^{(l)} \delta_j^{(l+1)}", *DEEP, **DEPTH
    ),
    "an entry by a vector": told(r"\frac{\partial z_i}{\partial x} = 2 w_i", "z_i = w_i^T x", **ROWS),
    "an entry of a softmax": told(
        r"\frac{\partial q_i}{\partial x} = w_i + \sum_j p_j w_j", *SCORES, **ROWS
    ),
    "an entry written out": told(
        r"\frac{\partial \log p_i}{\partial x} = w_i - \sum_j w_j", SCORES[0], **ROWS
    ),
    "a probability": told(
        r"\frac{\partial \log P(o \mid c)}{\partial v_c} = u_o - \sum_{w \in V} u_w", WORDS[0], **TOLD
    ),
    "a loss of a probability": told(
        r"\frac{\partial J}{\partial v_c} = u_o - \sum_{w \in V} P(w \mid c) u_w", *WORDS, **TOLD
    ),
    "a probability by its logarithm": told(
        r"\frac{\partial \log p(y = k \mid x)}{\partial x} = w_k - p(y = k \mid x) w_k", LOGIT, w_k="K d", x="d"
    ),
    "a primed function with a formula": told(r"f'(x) = 2 x e^x + e^x", r"f(x) = x^2 e^x", x=""),
}  # fmt: skip


@pytest.mark.parametrize("found", HOLD.values(), ids=HOLD)
def test_what_holds_is_not_called_false(found: dict[str, Any], tmp_path: Path) -> None:
    verdict = judged(found, tmp_path).verdict
    assert verdict.verdict in GOOD, verdict


@pytest.mark.parametrize("found", FAIL.values(), ids=FAIL)
def test_what_does_not_hold_is_refuted(found: dict[str, Any], tmp_path: Path) -> None:
    verdict = judged(found, tmp_path).verdict
    assert verdict.verdict in FALSE, verdict


def test_the_border_of_two_cases_is_an_assumption(tmp_path: Path) -> None:
    assert BORDER in judged(HOLD["cases"], tmp_path).verdict.assumptions


def test_a_maximum_of_two_formulas_is_left_open(tmp_path: Path) -> None:
    """Which is larger hangs on a number of which nothing is said."""
    claim = told(r"f'(z) = \begin{cases} 1 & z > 0 \\ \alpha & z \leq 0 \end{cases}", r"f(z) = \max(\alpha z, z)",
                 z="n", alpha="")  # fmt: skip
    assert judged(claim, tmp_path).verdict.verdict in ("undecided", "unread")


def test_what_a_hypothesis_is_taken_to_be_is_an_assumption(tmp_path: Path) -> None:
    (assumed,) = (text for text in judged(HOLD["a line"], tmp_path).verdict.assumptions if "regression" in text)
    assert r"\theta_{0} + \theta_{1} x" in assumed


def test_a_hypothesis_that_is_only_assumed_refutes_nothing_that_no_small_edit_mends(tmp_path: Path) -> None:
    claim = told(r"\frac{\partial}{\partial \theta_1} J(\theta_0, \theta_1) = \sum_{i=1}^m y^{(i)}", LINE, **PAIRS)
    assert judged(claim, tmp_path).verdict.verdict == "unread"


def test_whether_two_letters_are_the_same_word_is_not_guessed(tmp_path: Path) -> None:
    claim = told(r"\frac{\partial J}{\partial u_w} = P(w \mid c) v_c", *WORDS, **TOLD)
    assert judged(claim, tmp_path).verdict.verdict == "unread"
