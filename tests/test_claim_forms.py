r"""Forms of the language in claims files: each with claims that hold, and with ones that do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_claims_file import FALSE, GOOD, entry, judged

from derive.read.piecewise import BORDER


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
