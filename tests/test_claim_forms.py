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


LATEX = {"alpha": r"\alpha", "delta": r"\delta"}

ELU = r"f(z) = \begin{cases} z & z \ge 0 \\ \alpha (e^z - 1) & z < 0 \end{cases}"
CLIPPED = r"f(x) = \begin{cases} -1 & x < -1 \\ x & -1 \le x \le 1 \\ 1 & x > 1 \end{cases}"
HUBER = (
    r"L = \begin{cases} \frac12 (a - y)^2 & |a - y| \leq \delta \\"
    r" \delta (|a - y| - \frac12 \delta) & \text{otherwise} \end{cases}"
)
SOFTMAX = r"a_i = \frac{e^{z_i}}{\sum_k e^{z_k}}"
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
