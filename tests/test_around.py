r"""Claims of a page judged with the definitions around them, also where much is left unsaid; none is blessed for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from derive.claims.in_model import JudgedClaim
from derive.workbook import Workbook

GOOD, FALSE = ("proved", "verified"), ("refuted", "ill-typed")

# Each page with CLAIM for its last claim; the claims that hold; others that do not.
PAGES: dict[str, tuple[str, list[str], list[str]]] = {
    "models in sections of their own": (
        r"""
# A linear layer
The layer computes $z = W x + b$ and $a = \tanh(z)$.
# The loss
We minimise $L = \frac{1}{2} \|a - y\|^2$.
# Gradients
$$CLAIM$$
""",
        [r"\frac{\partial L}{\partial a} = a - y", r"\frac{\partial L}{\partial W} = ((a - y) \odot \tanh'(z)) x^T"],
        [r"\frac{\partial L}{\partial a} = y - a", r"\frac{\partial L}{\partial W} = ((a - y) \odot \tanh(z)) x^T",
         r"\frac{\partial L}{\partial W} = (a - y) x^T"],
    ),
    "a name said anew": (
        r"""
# Columns
With $\mathbf{z} = \mathbf{W} \mathbf{x}$ the Jacobian is
$\frac{\partial \mathbf{z}}{\partial \mathbf{x}} = \mathbf{W}$.
# Rows
With $\mathbf{z} = \mathbf{x} \mathbf{W}$ and $\boldsymbol{\delta} = \frac{\partial J}{\partial \mathbf{z}}$
$$CLAIM$$
""",
        [r"\frac{\partial J}{\partial \mathbf{W}} = \mathbf{x}^T \boldsymbol{\delta}",
         r"\frac{\partial J}{\partial \mathbf{x}} = \boldsymbol{\delta} \mathbf{W}^T"],
        [r"\frac{\partial J}{\partial \mathbf{W}} = 2 \mathbf{x}^T \boldsymbol{\delta}",
         r"\frac{\partial J}{\partial \mathbf{x}} = -\boldsymbol{\delta} \mathbf{W}^T"],
    ),
    "samples in rows, a bias for each": (
        r"""
# Network
$$H = \sigma(X \cdot W_h + \mathbf{b}_h)$$
$$Z_o = H \cdot W_o + \mathbf{b}_o, \quad Y = \varsigma(Z_o)$$
$$\xi(T, Y) = -\sum_{i=1}^n \sum_{c=1}^C t_{ic} \log(y_{ic})$$
# Backward
We write $\delta_o = \frac{\partial \xi}{\partial Z_o}$.
$$CLAIM$$
""",
        [r"\delta_o = Y - T", r"\frac{\partial \xi}{\partial W_o} = H^T \cdot \delta_o",
         r"\frac{\partial \xi}{\partial \mathbf{b}_o} = \sum_{i=1}^n \delta_{oi}"],
        [r"\delta_o = T - Y", r"\frac{\partial \xi}{\partial W_o} = \delta_o^T \cdot H"],
    ),
    "a loss of what the model ends in": (
        r"""
# Forward
$$x_1 = f_1(W_1 x_0), \quad x_2 = f_2(W_2 x_1)$$
$$E = \frac{1}{2} \|z - t\|_2^2$$
# Backward
$$CLAIM$$
""",
        [r"\frac{\partial E}{\partial W_2} = [(x_2 - t) \circ f_2'(W_2 x_1)] x_1^T"],
        [r"\frac{\partial E}{\partial W_2} = [(x_2 - t) \circ f_2'(x_2)] x_1^T",
         r"\frac{\partial E}{\partial W_2} = [(t - x_2) \circ f_2'(W_2 x_1)] x_1^T"],
    ),
    "what a chain says by the way": (
        r"""
# Cross-entropy
$$\frac{\partial \xi}{\partial y} = \frac{\partial (-t \log(y) - (1-t) \log(1-y))}{\partial y}$$
$$CLAIM$$
""",
        [r"\frac{\partial \xi}{\partial y} = \frac{y-t}{y(1-y)}"],
        [r"\frac{\partial \xi}{\partial y} = \frac{t-y}{y(1-y)}"],
    ),
    "the usual layers, led to by their weights": (
        r"""
# The four equations
$$\delta^l = ((w^{l+1})^T \delta^{l+1}) \odot \sigma'(z^l)$$
$$\frac{\partial C}{\partial b^l_j} = \delta^l_j$$
$$CLAIM$$
""",
        [r"\frac{\partial C}{\partial w^l_{jk}} = a^{l-1}_k \delta^l_j"],
        [r"\frac{\partial C}{\partial w^l_{jk}} = a^{l-1}_j \delta^l_k",
         r"\frac{\partial C}{\partial w^l_{jk}} = a^{l}_k \delta^l_j"],
    ),
    "the usual layers, left by their weights": (
        r"""
# Errors
$$\delta^{(3)} = (\Theta^{(3)})^T \delta^{(4)} \odot g'(z^{(3)})$$
$$\delta^{(2)} = (\Theta^{(2)})^T \delta^{(3)} \odot g'(z^{(2)})$$
$$CLAIM$$
""",
        [r"\frac{\partial J(\Theta)}{\partial \Theta_{ij}^{(l)}} = a_j^{(l)} \delta_i^{(l+1)}"],
        [r"\frac{\partial J(\Theta)}{\partial \Theta_{ij}^{(l)}} = a_j^{(l)} \delta_i^{(l)}"],
    ),
    "a recurrence": (
        r"""
# Forward
$$h_t = W h_{t-1} + U x_t$$
$$o_t = V h_t, \quad L = \sum_{t=1}^T l(o_t, y_t)$$
# Through time
$$CLAIM$$
""",
        [r"\frac{\partial L}{\partial h_t} = W^T \frac{\partial L}{\partial h_{t+1}} "
         r"+ V^T \frac{\partial L}{\partial o_t}"],
        [r"\frac{\partial L}{\partial h_t} = W \frac{\partial L}{\partial h_{t+1}} "
         r"+ V^T \frac{\partial L}{\partial o_t}"],
    ),
    "a gradient written out": (
        r"""
# Two variables
Let $f(x, y) = x^2 y + e^y$. Then
$$CLAIM$$
""",
        [r"\nabla f(x, y) = [2 x y, x^2 + e^y]", r"\nabla f(x, y) = \begin{pmatrix} 2xy \\ x^2 + e^y \end{pmatrix}"],
        [r"\nabla f(x, y) = [2 x y, x^2 - e^y]", r"\nabla f(x, y) = [x^2 + e^y, 2 x y]"],
    ),
}  # fmt: skip
# Where nothing is called false: the page does not say that these layers are meant, or along what a bias is added.
UNSURE = [title for title in PAGES if "usual" in title or "chain" in title or "rows, a bias" in title]
TRUE = [(title, claim) for title, (_, true, _) in PAGES.items() for claim in true]
WRONG = [(title, claim) for title, (_, _, wrong) in PAGES.items() for claim in wrong]


def last_claim(title: str, latex: str, folder: Path) -> JudgedClaim:
    page = folder / "page.md"
    page.write_text(PAGES[title][0].replace("CLAIM", latex), encoding="utf-8")
    return list(Workbook(page).judged())[-1]


@pytest.mark.parametrize(("title", "claim"), TRUE)
def test_what_follows_from_the_page_holds(title: str, claim: str, tmp_path: Path) -> None:
    verdict = last_claim(title, claim, tmp_path).verdict
    assert verdict.verdict in GOOD, verdict


@pytest.mark.parametrize(("title", "claim"), WRONG)
def test_what_does_not_follow_is_not_blessed(title: str, claim: str, tmp_path: Path) -> None:
    verdict = last_claim(title, claim, tmp_path).verdict
    assert verdict.verdict not in GOOD, verdict


@pytest.mark.parametrize(("title", "claim"), [(title, claim) for title, claim in WRONG if title not in UNSURE])
def test_what_contradicts_the_page_is_called_false(title: str, claim: str, tmp_path: Path) -> None:
    verdict = last_claim(title, claim, tmp_path).verdict
    assert verdict.verdict in FALSE, verdict


def test_an_assumption_is_printed_with_the_verdict(tmp_path: Path) -> None:
    title = "a loss of what the model ends in"
    verdict = last_claim(title, PAGES[title][1][0], tmp_path).verdict
    assert any("what the model ends in" in text for text in verdict.assumptions)


def test_a_single_claim_does_not_tell_how_a_page_counts_its_layers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(r"$$\delta^l = ((w^{l+1})^T \delta^{l+1}) \odot \sigma'(z^l)$$")
    (claim,) = Workbook(page).judged()
    assert claim.verdict.verdict == "unread", claim.verdict


def test_numbers_side_by_side_are_not_called_a_product_of_vectors(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        r"""
$$\xi(t, y) = -\sum_{i=1}^n t_i \log(y_i)$$
$$\frac{\partial \xi}{\partial y} = -\frac{t}{y} = -\frac{t y}{y y}$$
"""
    )
    assert not any(claim.verdict.verdict in FALSE for claim in Workbook(page).judged())
