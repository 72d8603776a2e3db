r"""How people write on pages: what words and habits say of a claim, page by page, with the verdicts in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from derive.workbook import Workbook

KINDS = {"proved": "good", "verified": "good", "refuted": "false", "ill-typed": "false"}  # all others are open
SHARES = r"The shares are $p_i = \frac{e^{a_i}}{\sum_{k=1}^N e^{a_k}}$. "
SAME, APART = r"\frac{\partial p_i}{\partial a_j} = p_i (1 - p_i)", r"\frac{\partial p_i}{\partial a_j} = -p_j p_i"

PAGES: dict[str, tuple[str, str]] = {
    "conditions on indices in a formula": (
        rf"""{SHARES}
$$\text{{if }} i = j: \; {SAME} \qquad {APART} \text{{ for }} i \neq j$$
$${APART}, \quad i \ne j$$
$${APART} \quad (i \neq j)$$
$${SAME} \text{{ if }} i \neq j$$
""".replace(r" \qquad ", "$$\n$$"),
        "good good good good open",
    ),
    "conditions on indices in words": (
        f"""{SHARES}

If $i = j$, then
$${SAME}$$
Otherwise we have
$${APART}$$
""",
        "good good",
    ),
    "a condition that a later sum has nothing to do with": (
        f"""{SHARES}
If $i = j$, then
$${SAME}$$
With the loss $C = -\\sum_j y_j \\log p_j$ the sum is
$$\\frac{{\\partial C}}{{\\partial a_i}}
= \\sum_j \\frac{{\\partial C}}{{\\partial p_j}} \\frac{{\\partial p_j}}{{\\partial a_i}}$$
$$\\frac{{\\partial C}}{{\\partial a_i}} = p_i - y_i$$
""",
        "good good good",
    ),
    "a condition of cases": (
        f"""{SHARES}
* Case $i = j$:
$${SAME.replace("-", "+")}$$
* Case $i \\neq j$:
$${APART}$$
""",
        "false good",
    ),
    "a condition after what it is said of": (
        f"{SHARES} We have ${SAME}$ if $i = j$, and ${APART}$ when $i \\neq j$.\n\n$${APART}$$",
        "good good open",
    ),
    "a loss that only stands under its derivative": (
        r"""
The shares are $q_i = e^{u_i} / \sum_d e^{u_d}$, where $P(t = 2)$ is $q_2$.
If $t = c$, then $t_c = 1$ and all others are 0.
$$
\frac{\partial C}{\partial u_i} = - \sum_j \frac{\partial \, t_j \log(q_j)}{\partial u_i}
= - \sum_j \frac{t_j}{q_j} \frac{\partial q_j}{\partial u_i} = q_i - t_i
$$
$$\frac{\partial C}{\partial u_i} = t_i - q_i$$
""",
        "good good good false",
    ),
    "a hypothesis that its parameters tell": (
        r"""
We fit a line by linear regression.
$$\frac{\partial}{\partial \beta_j} J(\beta_0, \beta_1)
= \frac{\partial}{\partial \beta_j} \frac{1}{2n} \sum_{i=1}^n (h_\beta(x^{(i)}) - t^{(i)})^2$$
$$\frac{\partial J}{\partial \beta_0} = \frac{1}{n} \sum_{i=1}^n (h_\beta(x^{(i)}) - t^{(i)})$$
$$\frac{\partial J}{\partial \beta_1} = \frac{1}{n} \sum_{i=1}^n (h_\beta(x^{(i)}) - t^{(i)}) x^{(i)}$$
$$\frac{\partial J}{\partial \beta_1} = \frac{2}{n} \sum_{i=1}^n (h_\beta(x^{(i)}) - t^{(i)}) x^{(i)}$$
$$\frac{\partial J}{\partial \beta_1} = \frac{1}{n} \sum_{i=1}^n (h_\beta(x^{(i)}) - t^{(i)}) x_1^{(i)}$$
""",
        "open good good false open",
    ),
    "a hypothesis that may be another": (
        r"""
$$J(\beta) = \frac{1}{2n} \sum_{i=1}^n (h_\beta(x^{(i)}) - t^{(i)})^2$$
$$\frac{\partial J}{\partial \beta_j} = \frac{1}{n} \sum_{i=1}^n (h_\beta(x^{(i)}) - t^{(i)}) x_j^{(i)}$$
$$\frac{\partial J}{\partial \beta_j} = \frac{2}{n} \sum_{i=1}^n (h_\beta(x^{(i)}) - t^{(i)}) x_j^{(i)}$$
""",
        "good open",
    ),
    "a function's chain over several formulas": (
        r"""
$$F(w) = (3 w + 1)^2$$
$$= 9 w^2 + 6 w + 1$$
$$= 9 w^2 + 3 w + 1$$
""",
        "good false",
    ),
    "probabilities of one set and their logarithms": (
        r"""
The model is
$$\log p(w_t \mid w_s) = a_t^\top b_s - \log \sum_{k \in V} \exp(a_k^\top b_s).$$
$$\frac{\partial \log p(w_t \mid w_s)}{\partial b_s} = a_t - \sum_{k \in V} p(w_k \mid w_s) a_k$$
$$\frac{\partial \log p(w_t \mid w_s)}{\partial b_s} = \sum_{k \in V} p(w_k \mid w_s) a_k - a_t$$
""",
        "open good false",
    ),
    "one letter in two fonts": (
        r"$$\frac{\partial}{\partial u} (u^\top \mathbf{B} u) = (B + B^\top) u$$"
        r"$$\frac{\partial}{\partial u} (u^\top \mathbf{B} u) = (B - B^\top) u$$",
        "good false",
    ),
    "symmetric matrices, and a transpose of vectors": (
        r"""
Let $S$ be a symmetric matrix. The layer is $\mathbf{s} = \mathbf{V} \mathbf{r}$ and
$\boldsymbol{\delta} = \frac{\partial L}{\partial \mathbf{s}}$.
$$\frac{\partial L}{\partial \mathbf{V}} = \boldsymbol{\delta}^T \mathbf{r}$$
$$\frac{\partial}{\partial \mathbf{r}} (\mathbf{r}^T \mathbf{V} \mathbf{r}) = 2 \mathbf{V} \mathbf{r}$$
""",
        "false open",
    ),
    "rows beside each row of a matrix": (
        r"""
With $Z \in \mathbb{R}^{m \times d}$ and $\alpha, \nu \in \mathbb{R}^{1 \times d}$ the rows of
$$V = \alpha \odot (Z - \nu)$$
are scaled.
$$\frac{\partial L}{\partial \alpha} = \sum_i \frac{\partial L}{\partial v_i} \odot (z_i - \nu)$$
$$\frac{\partial L}{\partial \nu} = \sum_i \frac{\partial L}{\partial v_i} \odot \alpha$$
""",
        "good open",
    ),
    "the backward pass of a layer alone": (
        r"""
# Rows
$$\frac{\partial C}{\partial W} = X^T \frac{\partial C}{\partial Z}, \quad
\frac{\partial C}{\partial X} = \frac{\partial C}{\partial Z} W^T$$
# Columns
$$\frac{\partial C}{\partial W} = \frac{\partial C}{\partial z} x^T$$
$$\frac{\partial C}{\partial b} = \frac{\partial C}{\partial z}$$
$$\frac{\partial C}{\partial x} = W^T \frac{\partial C}{\partial z}$$
# Mixed up
$$\frac{\partial C}{\partial W} = X^T \frac{\partial C}{\partial Z}$$
$$\frac{\partial C}{\partial X} = W^T \frac{\partial C}{\partial Z}$$
""",
        "good good good good good open open",
    ),
    "a prediction without a loss": (
        r"""
The prediction is $\hat{y} = \text{softmax}(o)$ with $o = W h + b$.
$$\frac{\partial C}{\partial o} = \hat{y} - y$$
$$\frac{\partial C}{\partial W} = (\hat{y} - y) h^T$$
$$\frac{\partial C}{\partial h} = W (\hat{y} - y)$$
$$\frac{\partial C}{\partial b} = y - \hat{y}$$
""",
        "good good open open",
    ),
    "a prediction whose loss is another in words": (
        r"""
We minimise the squared error of $p = \sigma(o)$.
$$\frac{\partial C}{\partial o} = p - y$$
$$\frac{\partial C}{\partial p} = \frac{p - y}{p (1 - p)}$$
""",
        "open open",
    ),
    "a derivative by a logarithm": (
        r"""
With $G = \frac{1}{2} \exp(2 \log s) - \log s$ we have
$$\frac{\partial G}{\partial \log s} = \exp(2 \log s) - 1$$
$$\frac{\partial G}{\partial \log s} = 2 \exp(2 \log s) - 1$$
""",
        "good open",
    ),
    "a right side that is not differentiated yet": (
        r"""
$$C = \frac{1}{2} \sum_{i=1}^n (p_i - r_i)^2, \quad p_i = v x_i$$
$$\frac{\partial C}{\partial v} = \frac{1}{2} \sum_i (p_i - r_i)^2 = \sum_i (p_i - r_i) x_i$$
With $G = e^v$ it is the same:
$$\frac{\partial G}{\partial v} = e^v$$
""",
        "false good good",
    ),
    "a primed function of two numbers, and sums without an index": (
        r"""
$$g(u, v) = \frac{1}{N} \sum_{i=1}^N (t_i - (u x_i + v))^2$$
$$g'(u, v) = \begin{bmatrix} \frac{dg}{du} \\ \frac{dg}{dv} \end{bmatrix}
= \begin{bmatrix} -\frac{2}{N} \sum x_i (t_i - (u x_i + v)) \\ -\frac{2}{N} \sum (t_i - (u x_i + v)) \end{bmatrix}$$
$$g'(u, v) = -\frac{2}{N} \begin{bmatrix} \sum (t_i - (u x_i + v)) \\ \sum x_i (t_i - (u x_i + v)) \end{bmatrix}$$
""",
        "good good open",
    ),
    "a sum without an index over what the left side does not have": (
        r"""
$$F = \frac{1}{2} \sum_n (s_n - r_n)^2, \quad s_n = \sum_k v_k x_{nk}$$
$$\frac{\partial F}{\partial v_k} = \sum (s_n - r_n) x_{nk}$$
$$\frac{\partial F}{\partial v_k} = \sum (s - r) x_k$$
""",
        "good open",
    ),
    "letters for layers, of weights and of functions": (
        r"""
The cost is $C = \frac{1}{2} \sum_k (s_k - r_k)^2$ with $s_k = f(u_k)$.
With $u_k = c_k + \sum_j v_{jk} f_j(u_j)$ we have, where $s_j = f_j(u_j)$ and $u_j = c_j + \sum_i v_{ij} s_i$,
$$\frac{\partial C}{\partial v_{jk}} = (s_k - r_k) f_k'(u_k) s_j$$
$$\frac{\partial C}{\partial v_{ij}} = \sum_k (s_k - r_k) f_k'(u_k) v_{jk} f_j'(u_j) s_i$$
$$\frac{\partial C}{\partial v_{ij}} = \sum_k (s_k - r_k) f_k'(u_k) v_{jk} f_k'(u_j) s_i$$
""",
        "open good good false",
    ),
}


def assert_read(text: str, expected: str, folder: Path) -> None:
    """The claims of a page are judged as expected, in order: `good`, `false` or `open`."""
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    judged = list(Workbook(page).judged())
    words = [KINDS.get(claim.verdict.verdict, "open") for claim in judged]
    assert words == expected.split(), [(claim.latex, claim.verdict.verdict, claim.verdict.reason) for claim in judged]


@pytest.mark.parametrize("title", PAGES)
def test_a_page_is_read_as_people_write(title: str, tmp_path: Path) -> None:
    assert_read(*PAGES[title], tmp_path)
