r"""Idioms of notes: each page with the verdicts of its claims in order, `good`, `false` or `open`."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_page_language import assert_read

from derive.read.aims import without_aims
from derive.workbook import Workbook

PAGES = {
    "a matrix where a vector is meant": (
        r"""
The rules are $\frac{d P Q}{d Q} = P^T$ and $\frac{d Q^T Q}{d Q} = 2 Q$ and $\frac{d Q^T P Q}{d Q} = (P + P^T) Q$.
Wrong are $\frac{d Q^T P Q}{d Q} = 3 P Q$ and $\frac{d Q^T Q}{d Q} = Q$.
""",
        "open open open false false",
    ),
    "factors of a chain rule": (
        r"""
For a batch, $\frac{\partial (S V)}{\partial V} = S^T$, $\frac{\partial (S V)}{\partial S} = V^T$,
$\frac{\partial (V^T s)}{\partial V} = s$, $\frac{\partial (V s)}{\partial V} = s^T$ and
$\frac{\partial A V B}{\partial V} = B^T \otimes A$.
""",
        "open open open open open",
    ),
    "a trace is missing": (
        r"""
$$\begin{align}
\frac{\partial u^T M v}{\partial M} &= u v^T \\
\frac{\partial M^T C M}{\partial M} &= (C + C^T) M \\
\frac{\partial C M}{\partial M} &= C^T \\
\frac{\partial \operatorname{tr}(M^T C M)}{\partial M} &= (C + C^T) M
\end{align}$$
""",
        "good false open good",
    ),
    "a part of a loss that a word names, by a logarithm": (
        r"""
$$\mathcal{L} = \mathcal{L}_{data} + \mathcal{L}_{prior}, \quad u = c + r \exp(\log s)$$
$$\frac{\partial \mathcal{L}_{data}}{\partial c} = \frac{\partial \mathcal{L}_{data}}{\partial u}$$
$$\frac{\partial \mathcal{L}_{data}}{\partial \log s} = \frac{\partial \mathcal{L}_{data}}{\partial u} r \exp(\log s)$$
$$\frac{\partial \mathcal{L}_{data}}{\partial \log s} = \frac{\partial \mathcal{L}_{data}}{\partial u} r$$
""",
        "good good false",
    ),
    "softmax of a matrix whose rows weigh": (
        r"""
Let $Q, K, V \in \mathbb{R}^{n \times d}$.
$$S = \frac{Q K^\top}{\sqrt{d}}, \quad P = \text{softmax}(S), \quad O = P V$$
$$\frac{\partial L}{\partial V} = P^\top \frac{\partial L}{\partial O}$$
$$\frac{\partial L}{\partial K} = \frac{1}{\sqrt{d}} \frac{\partial L}{\partial S} Q$$
$$\frac{\partial L}{\partial S_{ij}} = P_{ij} \left(
\frac{\partial L}{\partial P_{ij}} - \sum_k P_{ik} \frac{\partial L}{\partial P_{ik}}\right)$$
$$\frac{\partial L}{\partial S_{ij}} = P_{ij} \left(
\frac{\partial L}{\partial P_{ij}} - \sum_k P_{kj} \frac{\partial L}{\partial P_{kj}}\right)$$
""",
        "good false good false",
    ),
    "errors of which nothing says whether they are averaged": (
        r"""
Let $X \in \mathbb{R}^{N \times d}$, $W_1 \in \mathbb{R}^{d \times h}$ and $W_2 \in \mathbb{R}^{h \times k}$.
$$Z_1 = X W_1$$ $$A_1 = \tanh(Z_1)$$ $$Z_2 = A_1 W_2$$
$$\frac{\partial L}{\partial W_2} = \frac{1}{N} A_1^T \delta_2$$
$$\delta_1 = (\delta_2 W_2^T) \odot \tanh'(Z_1)$$
$$\frac{\partial L}{\partial W_1} = \frac{1}{N} X^T \delta_1$$
""",
        "open good open",
    ),
    "a temperature is a number": (
        r"""
Let $p = \operatorname{softmax}(z / \tau)$ and $\ell = -\sum_k t_k \log p_k$ with $t$ one-hot.
$$\frac{\partial \ell}{\partial z} = \frac{1}{\tau} (p - t)$$
$$\frac{\partial \ell}{\partial z} = p - t$$
""",
        "good false",
    ),
    "another last layer, softmax": (
        r"""
$$z_l = W_l a_{l-1}$$ $$a_l = \tanh(z_l)$$ $$a_L = \operatorname{softmax}(z_L)$$ $$C = -\sum_j y_j \log a_{L,j}$$
Let $y$ be one-hot and $\delta_l = \frac{\partial C}{\partial z_l}$.
$$\delta_L = a_L - y$$
$$\delta_l = W_{l+1}^T \delta_{l+1} \odot \tanh'(z_l)$$
""",
        "good good",
    ),
    "another last layer, with a name of its own": (
        r"""
$$z_k = W_k a_{k-1}$$ $$a_k = \tanh(z_k)$$ $$p = z_L$$ $$C = \frac{1}{2}\|p - y\|^2$$
Let $\delta_k = \frac{\partial C}{\partial z_k}$.
$$\delta_L = p - y$$
$$\delta_k = W_{k+1}^T \delta_{k+1} \odot \tanh'(z_k)$$
""",
        "good good",
    ),
    "another last layer, in words": (
        r"""
$$z_k = W_k a_{k-1}$$ $$a_k = \tanh(z_k)$$
The output is linear; $C = \frac{1}{2}\|a_L - y\|^2$ and $\delta_k = \frac{\partial C}{\partial z_k}$.
$$\delta_L = a_L - y$$
$$\delta_k = W_{k+1}^T \delta_{k+1} \odot \tanh'(z_k)$$
$$\frac{\partial C}{\partial W_k} = \delta_k a_{k-1}^T$$
$$\frac{\partial C}{\partial W_L} = (a_L - y) a_{L-1}^T$$
""",
        "open good good open",
    ),
    "a relation at the beginning of a line, and a quotation": (
        """
$$a = b x + c x
> 0$$
$$\\frac{\\partial a}{\\partial c} = x$$

> With
> $$
> u = q x
> + r x
> $$
> we have
> $$
> \\frac{\\partial u}{\\partial r} = x
> $$
""",
        "open good",
    ),
    "layers with their letter below": (
        r"""
# Layers
Let $z_k = W_k a_{k-1} + b_k$ and $a_k = \sigma(z_k)$, with the cost $C = \frac{1}{2} \|a_L - y\|^2$.
$$\delta_L = (a_L - y) \odot \sigma'(z_L)$$
$$\delta_k = W_{k+1}^T \delta_{k+1} \odot \sigma'(z_k)$$
$$\frac{\partial C}{\partial W_k} = \delta_k a_{k-1}^T, \quad \frac{\partial C}{\partial b_k} = \delta_k$$
$$\delta_2 = W_3^T \delta_3 \odot \sigma'(z_2), \quad \delta_{L-1} = W_L^T \delta_L \odot \sigma'(z_{L-1})$$
$$\delta_k = W_k^T \delta_{k+1} \odot \sigma'(z_k)$$
$$\frac{\partial C}{\partial W_k} = \delta_k a_k^T$$
$$\delta_L = (y - a_L) \odot \sigma'(z_L)$$
""",
        "good good good good good good false false false",
    ),
    "a last layer of its own": (
        r"""
# Layers
Let $z_l = W_l h_{l-1}$ and $h_l = \tanh(z_l)$ for the hidden layers and $h_3 = z_3$ for the output, with the cost
$C = \frac{1}{2} \|h_3 - y\|^2$ and $\delta_l = \partial C/\partial z_l$.
$$\delta_3 = h_3 - y$$
$$\delta_2 = W_3^T \delta_3 \odot (1 - h_2^2)$$
$$\delta_l = W_{l+1}^T \delta_{l+1} \odot (1 - h_l^2)$$
$$\frac{\partial C}{\partial W_1} = \delta_1 h_0^T$$
$$\frac{\partial C}{\partial W_1} = h_0 \delta_1^T$$
""",
        "good good good good false",
    ),
    "an error that too few claims explain": (
        r"""
# Layers
With $x_i = f_i(V_i x_{i-1})$ and $E = \|x_L - t\|^2$ the error is
$$\delta_L = (x_L - t) \odot f_L'(V_L x_{L-1})$$
""",
        "open",
    ),
    "a loss at a point": (
        r"""
For $l(V \tanh(U x))$ we find
$$\frac{\partial l(V \tanh(U x))}{\partial V} = \frac{d l(y)}{dy}\Big|_{y = V \tanh(U x)} \tanh(U x)^T$$
$$\frac{\partial l(V \tanh(U x))}{\partial U} = [(V^T \frac{d l(y)}{dy}) \circ \tanh'(U x)] x^T$$
$$\frac{\partial l(V \tanh(U x))}{\partial U} = [V^T \frac{d l(y)}{dy}\Big|_{y = V \tanh(U x)}] x^T$$
$$\frac{\partial l(V \tanh(U x))}{\partial V} = \frac{d l(y)}{dy}\Big|_{y = V \tanh(U x)} (U x)^T$$
""",
        "good good open open",
    ),
    "a minimum that is sought": (
        r"""
We solve
$$\underset{u}{\operatorname{arg\,min}}\,\, J(u) = \frac{1}{2} \|P u - q\|^2 \quad \text{s.t. } u \geq 0$$
$$\nabla_u J(u) = P^T (P u - q)$$
$$\nabla_u J(u) = P (P u - q)$$
""",
        "good false",
    ),
    "a minimum that is sought, and then what it is of": (
        r"""
$$\min_{W, b} \; E(W, b), \quad E(W, b) = \|W s + b - r\|^2$$
$$\frac{\partial E}{\partial b} = 2 (W s + b - r)$$
$$\frac{\partial E}{\partial b} = 2 (r - W s - b)$$
""",
        "good false",
    ),
    "a list of a name's entries": (
        r"""
With $\Lambda = (\lambda_{ij})_{k \times k}$ let $v = \operatorname{tr}(\Lambda^T U^T U)$.
$$\frac{\partial v}{\partial U} = U (\Lambda + \Lambda^T)$$
""",
        "good",
    ),
}


@pytest.mark.parametrize("title", PAGES)
def test_a_page_is_read_as_people_write(title: str, tmp_path: Path) -> None:
    assert_read(*PAGES[title], tmp_path)


@pytest.mark.parametrize("latex", [r"\min_x f(x) = 3", r"\max_x f(x) = f(c)", r"\arg\min_u J = \arg\min_u K"])
def test_the_value_of_a_minimum_is_no_formula_of_what_is_sought(latex: str) -> None:
    assert without_aims(latex) == latex


def test_a_missing_trace_is_named(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGES["a trace is missing"][0], encoding="utf-8")
    diagnosis = [claim.verdict.diagnosis for claim in Workbook(page).judged()][1]
    assert diagnosis is not None
    assert diagnosis.kind == "missing trace"
    assert r"\operatorname{tr}\left(M^{T} C M\right)" in diagnosis.corrected
