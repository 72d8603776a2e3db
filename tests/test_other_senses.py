r"""What may be meant otherwise is not called false, and what was never seen at work is not called true."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_claims_file import entry, judged

from derive.claims.in_model import JudgedClaim
from derive.workbook import Workbook

GOOD, FALSE = ("proved", "verified"), ("refuted", "ill-typed")


def claims(folder: Path, text: str) -> list[JudgedClaim]:
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    return list(Workbook(page).judged())


# ---------------------------------------------------------------- claims files
@pytest.mark.parametrize("claim", [r"-x\,1[w^T x>10]", r"7 x\,1[w^T x>10]"])
def test_a_gate_that_is_off_wherever_one_looks_verifies_nothing(claim: str, tmp_path: Path) -> None:
    told = entry(rf"\frac{{\partial L}}{{\partial w}} = {claim}", r"L = \max(0, w^T x - 10)", w="n", x="n")
    assert judged(told, tmp_path).verdict.verdict not in GOOD


def test_a_target_that_is_told_to_be_real_is_not_taken_to_be_one_hot(tmp_path: Path) -> None:
    model = (r"p = \text{softmax}(z)", r"L = -\sum_k y_k \log p_k")
    claim = r"\frac{\partial L}{\partial z} = p - y"
    assert judged(entry(claim, *model, z="n", y="n|real"), tmp_path).verdict.verdict in FALSE
    assert judged(entry(claim, *model, z="n", y="n|onehot"), tmp_path).verdict.verdict in GOOD


@pytest.mark.parametrize(
    "told",
    [
        entry(r"\frac{\partial L}{\partial W} = (W x - y) \otimes x", r"L = \frac12 \|W x - y\|^2",
              W="m n", x="n", y="m"),
        entry(r"\frac{\partial L}{\partial b} = (Z - T) 1", "Z = W X + b 1^T", r"L = \frac12 \|Z - T\|_F^2",
              W="h n", X="n m", b="h", T="h m"),
        entry(r"\frac{\partial L}{\partial b} = \sum_i (z_i - t_i)", "Z = W X + b 1^T", r"L = \frac12 \|Z - T\|_F^2",
              W="h n", X="n m", b="h", T="h m"),
        entry(r"\frac{\partial L}{\partial x} = 0", r"z = x - \frac1n \sum_i x_i", r"L = \sum_i z_i", x="n"),
    ],
)  # fmt: skip
def test_signs_of_two_senses_are_no_slips(told: dict[str, object], tmp_path: Path) -> None:
    assert judged(told, tmp_path).verdict.verdict not in FALSE


def test_an_array_of_one_entry_is_a_number(tmp_path: Path) -> None:
    model = ("z = W x + b", r"L = \frac12 (z - y)^2")
    shapes = {"W": "1 n", "x": "n", "b": "1", "y": "1"}
    for claim in (r"\frac{\partial L}{\partial W} = (z - y) x^T", r"\frac{\partial L}{\partial x} = W^T (z - y)"):
        assert judged(entry(claim, *model, **shapes), tmp_path).verdict.verdict in GOOD


def test_an_open_error_whose_claim_nearly_holds_is_answered(tmp_path: Path) -> None:
    model = ("z^1 = W^1 x", r"a^1 = \sigma(z^1)", "z^2 = W^2 a^1", r"a^2 = \sigma(z^2)", r"C = \frac12 \|y - a^2\|^2")
    claim = r"\frac{\partial C}{\partial a^1} = (W^2)^T \delta^2 = (W^2)^T ((a^2 - y) \odot \sigma(z^2))"
    assert judged(entry(claim, *model, x="n", y="k"), tmp_path).verdict.verdict not in GOOD


NUMBERED = (
    "z^1 = W^1 x", r"a^1 = \sigma(z^1)", "z^2 = W^2 a^1", r"a^2 = \sigma(z^2)", r"C = \frac12 \|y - a^2\|^2",
)  # fmt: skip


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (r"\delta^2 = (a^2 - y) \odot \sigma'(z^2)", GOOD),
        (r"\delta^1 = ((W^2)^T \delta^2) \odot \sigma'(z^1)", GOOD),
        (r"\delta^1 = ((W^2)^T \delta^2) \odot \sigma'(a^1)", FALSE),
        (r"\frac{\partial C}{\partial W^2_{jk}} = a^1_k \delta^2_j", GOOD),
        (r"\frac{\partial C}{\partial W^2_{jk}} = a^1_j \delta^2_k", FALSE),
    ],
)
def test_numbers_above_letters_are_layers_where_equations_define_such(
    claim: str, words: tuple[str, ...], tmp_path: Path
) -> None:  # fmt: skip
    found = entry(claim, *NUMBERED, x="n", y="k")
    found["symbols"] |= {"W^1": {"shape": ["h", "n"]}, "W^2": {"shape": ["k", "h"]}}
    assert judged(found, tmp_path).verdict.verdict in words


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (r"\frac{\partial p_i}{\partial z_j} = p_i (\delta_{ij} - p_j)", GOOD),
        (r"\frac{\partial p_i}{\partial z_j} = p_i (\delta_{ij} + p_j)", FALSE),
        (r"\frac{\partial p_i}{\partial z_j} = p_j (\delta_{ij} - p_j)", FALSE),
    ],
)
def test_delta_with_both_letters_of_the_left_side_is_that_of_kronecker(
    claim: str, words: tuple[str, ...], tmp_path: Path
) -> None:  # fmt: skip
    assert judged(entry(claim, r"p = \text{softmax}(z)", z="n"), tmp_path).verdict.verdict in words


def test_an_error_is_that_of_the_loss_that_the_model_ends_in(tmp_path: Path) -> None:
    model = ("z = w^T x", r"\hat y = \sigma(z)", r"L = -y \log \hat y - (1 - y) \log(1 - \hat y)")
    shapes = {"w": "n", "x": "n", "y": "|binary"}
    assert judged(entry(r"\delta = \hat y - y", *model, **shapes), tmp_path).verdict.verdict in GOOD
    assert judged(entry(r"\delta = y - \hat y", *model, **shapes), tmp_path).verdict.verdict in FALSE


# ---------------------------------------------------------------- pages
def test_a_weight_that_fits_only_as_a_number_blesses_no_order_of_factors(tmp_path: Path) -> None:
    text = r"""
Weights $W_1$ ($D \times H$), $W_2$ ($H\times C$), inputs $X$ ($N\times D$).
$$H_1 = \max(0, XW_1 + b_1)$$
$$S = H_1 W_2 + b_2$$
The loss $L$ depends on $S$.
$$\frac{\partial L}{\partial H_1} = W_2^T\frac{\partial L}{\partial S}$$
"""
    assert claims(tmp_path, text)[-1].verdict.verdict not in GOOD


@pytest.mark.parametrize(
    "text",
    [
        r"Let $A$ be symmetric and $L = w^TAw$." "\n\n" r"$$\frac{\partial L}{\partial w} = 2Aw$$",
        r"""
For a mini-batch $x_1,\dots,x_m$ of scalars,
$$\mu = \frac1m\sum_i x_i, \quad \hat x_i = \frac{x_i-\mu}{\sqrt{\sigma^2+\epsilon}}$$
$$\sigma^2 = \frac1m\sum_i (x_i-\mu)^2$$
Let $\ell$ be some function of the $\hat x_i$.
$$\frac{\partial\ell}{\partial\mu} = \sum_i \frac{\partial\ell}{\partial\hat x_i}\frac{-1}{\sqrt{\sigma^2+\epsilon}}$$
""",
        r"""
We use the denominator layout.
$$\frac{\partial a^Tx}{\partial x} = a$$
$$\frac{\partial x^TAx}{\partial x} = (A + A^T) x$$
## Numerator layout
Other books use the numerator layout, in which
$$\frac{\partial a^Tx}{\partial x} = a^T$$
""",
        r"""
Let $y = W_2\tanh(W_1x)$, $u = W_1x$, $r = \tanh(u)$, and $L$ a loss of $y$.
$$\frac{\partial L}{\partial u} = (W_2^T\frac{\partial L}{\partial y})\odot(1-r^2)$$
""",
        "$$z = W x$$\nThe columns are orthonormal: $$W^T W = I$$ and each row sums up so that $$W \\mathbf{1} = 1$$",
        "$$E = \\frac12 (t - o)^2$$\n$$E_1 = \\frac12 (t_1 - o_1)^2 = \\frac12 (0.25 - 0.75)^2 = 0.125$$",
        r"""
With $a = \varsigma(z)$, $z = w^T x$ and
$$\varsigma(z) = \frac{1}{1 + e^{-z}}$$
we get $\varsigma'(z) = \varsigma(z) (1 - \varsigma(z))$.
""",
        r"""
# Activations
$$f(x) = \frac{1}{1 + e^{-x}}$$
Another one is
$$f(x) = \tanh(x) = \frac{e^x - e^{-x}}{e^x + e^{-x}}$$
$$f(x) = \max(0, x)$$
""",
        r"""
$$L(\mathbf{w}) = \frac{1}{2n} \|\mathbf{y} - X \mathbf{w}\|^2$$
$$\nabla_{\mathbf{w}} L = -\frac{1}{n} X^T (\mathbf{y} - X \mathbf{w})$$
With $\mathbf{r} = \mathbf{y} - X \mathbf{w}$ this is
$$\nabla_{\mathbf{w}} L = -\frac{1}{n} X^T \mathbf{r}$$
""",
        "$$q = u v + u^2$$\nAt $u = 2$ and $v = 5$ one has $$\\frac{\\partial q}{\\partial u} = 9$$",
        r"""
The likelihood is $P = p^3 (1 - p)^2$. At its maximum
$$\begin{aligned}
0 &= \frac{d}{dp} P \\
&= 3 p^2 (1 - p)^2 - 2 p^3 (1 - p) \\
&= p^2 (1 - p) (3 - 5 p)
\end{aligned}$$
""",
        "For $c = 1$ the likelihood $P = q^c (1 - q)^{1 - c}$ is just $P = q$; for $c = 0$ it is $P = 1 - q$.",
        r"""
$$C = \frac12 \sum_k (t_k - a^L_k)^2$$
and so, written with vectors,
$$\nabla_a C = a^L - t$$
""",
        r"""
The sigmoid $\sigma$ acts on each entry of $X$, $Y = \sigma(X)$, so that
$$\sigma'(X_{b,d}) = Y_{b,d} (1 - Y_{b,d})$$
""",
        r"""
With $y = f(x)$ and the Jacobian matrix of the layer,
$$\frac{\partial L}{\partial x} = \frac{\partial L}{\partial y} J_f(x)$$
""",
        r"""
Over all classes the scores are normalised:
$$B = \sum_i \sum_j (\sigma(u_{ij}) - y_{ij})^2$$
$$\frac{\partial B}{\partial u_{kl}} = 2 \sigma(u_{kl}) \left((\sigma(u_{kl}) - y_{kl}) -
\sum_j \sigma(u_{kj}) (\sigma(u_{kj}) - y_{kj})\right)$$
""",
    ],
)
def test_a_right_page_is_not_slandered(text: str, tmp_path: Path) -> None:
    assert not [claim for claim in claims(tmp_path, text) if claim.verdict.verdict in FALSE]


def test_a_name_defined_anew_leaves_the_other_claims_of_a_page(tmp_path: Path) -> None:
    text = "$$z = w^T x + b$$\n$$L = (y - z)^2$$\n$$z = v^T x$$\n$$\\frac{\\partial L}{\\partial z} = 2 (z - y)$$"
    first, second = claims(tmp_path, text)
    assert (first.verdict.verdict, second.verdict.verdict) == ("unread", "proved")


GATES = r"""
For a gate with one output each:
$$\begin{align}
z = x + y &\quad\Rightarrow\quad \frac{\partial z}{\partial x} = 1, \quad \frac{\partial z}{\partial y} = 1 \\
z = x y &\quad\Rightarrow\quad \frac{\partial z}{\partial x} = y, \quad \frac{\partial z}{\partial y} = x \\
z = x^3 &\quad\Rightarrow\quad \frac{\partial z}{\partial x} = 3 x^2
\end{align}$$
"""


def test_a_line_that_states_a_name_anew_speaks_of_what_it_states(tmp_path: Path) -> None:
    found = [claim for claim in claims(tmp_path, GATES) if claim.lhs.startswith(r"\frac")]
    assert [claim.verdict.verdict for claim in found] == ["proved"] * 5


@pytest.mark.parametrize("formula", [r"f(x) = \max(0.01 x, x, a)", r"f(x) = x + \ldots"])
def test_a_function_that_is_not_read_leaves_the_other_claims_of_a_page(formula: str, tmp_path: Path) -> None:
    text = f"$${formula}$$\n$$f'(x) = 1$$\n$$L = (y - z)^2$$\n$$\\frac{{\\partial L}}{{\\partial z}} = 2 (z - y)$$"
    verdicts = [claim.verdict.verdict for claim in claims(tmp_path, text)]
    assert (verdicts[0], verdicts[-1]) == ("unread", "proved")


def test_what_is_said_of_a_diagonal_says_nothing_of_the_other_entries(tmp_path: Path) -> None:
    text = r"""
Let $D \in \mathbb{R}^{m \times m}$ be diagonal with
$$D_{ii} = - w_i h_i$$
and $H = X^T D X$. Then
$$\frac{\partial H}{\partial X} = X^T D$$
"""
    verdicts = [claim.verdict.verdict for claim in claims(tmp_path, text)]
    assert verdicts and not {*verdicts} & {*GOOD}


SOFTMAX = r"""
$$\sigma(\mathbf{z})_i = \frac{e^{z_i}}{\sum_j e^{z_j}}$$
$$L = -\sum_i y_i \log \sigma(\mathbf{z})_i$$
For a one-hot $\mathbf{y}$
$$\frac{\partial L}{\partial \mathbf{z}} = \sigma(\mathbf{z}) - \mathbf{y}$$
$$\frac{\partial L}{\partial z_i} = \sigma(\mathbf{z})_i + y_i$$
$$\frac{\partial \sigma(\mathbf{z})_i}{\partial z_j} = \sigma(\mathbf{z})_i (\delta_{ij} - \sigma(\mathbf{z})_j)$$
"""


def test_a_function_told_by_its_entries_is_what_they_say(tmp_path: Path) -> None:
    assert [claim.verdict.verdict for claim in claims(tmp_path, SOFTMAX)] == ["proved", "refuted", "proved"]


def test_a_function_whose_definition_is_not_read_has_not_its_usual_meaning(tmp_path: Path) -> None:
    found = claims(tmp_path, SOFTMAX.replace("e^{z_i}}", "e^{z_i} + w_{i,,k}}"))
    assert {claim.verdict.verdict for claim in found} == {"unread"}


@pytest.mark.parametrize("matrix", [r"X X^T", r"X^T X"])
def test_whether_a_sample_is_a_row_or_a_column_is_not_guessed(matrix: str, tmp_path: Path) -> None:
    text = rf"Let $X$ be the matrix of the $x_i$, and $S = \sum_i x_i x_i^T$. Then $$\sum_i x_i x_i^T = {matrix}$$"
    assert not [claim for claim in claims(tmp_path, text) if claim.verdict.verdict in FALSE]


def test_a_script_belongs_to_the_last_letter_under_a_font(tmp_path: Path) -> None:
    claim = r"\frac{\partial}{\partial \mathbf{X}} \text{tr}(\mathbf{B X}^T \mathbf{X}) = \mathbf{X B}^T + \mathbf{X B}"
    text = f"$${claim}$$"
    (claim,) = claims(tmp_path, text)
    assert claim.verdict.verdict == "proved"


def test_a_size_that_the_model_does_not_have_is_not_that_of_the_model(tmp_path: Path) -> None:
    text = r"""
With $X \in \mathbb{R}^{m \times h}$, $y \in \mathbb{R}^m$ and $u \in \mathbb{R}^n$ let
$$L = \frac{1}{2 m} \|y - X w\|^2$$
$$\frac{\partial L}{\partial w} = -\frac{1}{n} X^T (y - X w)$$
"""
    assert claims(tmp_path, text)[-1].verdict.verdict not in GOOD


def test_letters_that_nothing_hints_to_be_arrays_are_numbers(tmp_path: Path) -> None:
    text = r"""
$$\hat{y} = w x + b$$
$$L = \frac12 (\hat{y} - y)^2$$
$$\frac{\partial L}{\partial w} = \frac{\partial L}{\partial \hat{y}} \frac{\partial \hat{y}}{\partial w} \\\\
= (\hat{y} - y) x$$
$$\frac{\partial L}{\partial b} = (\hat{y} - y) x$$
"""
    verdicts = [claim.verdict.verdict for claim in claims(tmp_path, text)]
    assert verdicts == ["proved", "proved", "refuted"]


def test_what_is_transposed_is_no_count(tmp_path: Path) -> None:
    text = r"""
$$S = Q K^T$$
$$O = S V$$
$$\frac{\partial L}{\partial K} = \left(\frac{\partial L}{\partial S}\right)^T Q$$
$$\frac{\partial L}{\partial K} = \frac{\partial L}{\partial S} Q$$
"""
    right, wrong = claims(tmp_path, text)
    assert (right.verdict.verdict, wrong.verdict.verdict) == ("proved", "ill-typed")


NEURONS = r"""
# One path through the net
$$net_{h1} = w_1 * i_1 + w_2 * i_2 + b_1 * 1$$
$$out_{h1} = \frac{1}{1 + e^{-net_{h1}}}$$
$$net_{o1} = w_5 * out_{h1} + w_6 * out_{h2} + b_2 * 1$$
$$out_{o1} = \frac{1}{1 + e^{-net_{o1}}}$$
$$E_{total} = \frac12 (target_{o1} - out_{o1})^2 + \frac12 (target_{o2} - out_{o2})^2$$

$$\frac{\partial out_{o1}}{\partial net_{o1}} = out_{o1} (1 - out_{o1})$$
$$\frac{\partial E_{total}}{\partial w_5} = \frac{\partial E_{total}}{\partial out_{o1}} *
\frac{\partial out_{o1}}{\partial net_{o1}} * \frac{\partial net_{o1}}{\partial w_5}$$

> Put together:
> $$
> \frac{\partial E_{total}}{\partial w_5} = -(target_{o1} - out_{o1})
> * out_{o1} (1 - out_{o1}) * out_{h1}
> $$

$$\frac{\partial E_{total}}{\partial w_5} = (target_{o1} - out_{o1}) * out_{o1} (1 - out_{o1}) * out_{h1}$$
"""


@pytest.mark.parametrize("text", [NEURONS, NEURONS.replace(" * 1$", "$")], ids=["bias times one", "bias"])
def test_neurons_named_by_words_are_numbers(text: str, tmp_path: Path) -> None:
    verdicts = [claim.verdict.verdict for claim in claims(tmp_path, text)]
    assert verdicts == ["proved", "proved", "proved", "refuted"]


CHAINS = r"""
$$p_j = \frac{e^{z_j}}{\sum_k e^{z_k}}$$
$$E = -\sum_j y_j \log p_j$$
$$\begin{align}
\frac{\partial E}{\partial z_i} &= -\sum_j y_j \frac{\partial}{\partial z_i} \log(p_j) \\
&= p_i - y_i \quad \text{(compactly)}
\end{align}$$
$$\frac{\partial E}{\partial z_i} = \sum_j y_j \frac{\partial}{\partial z_i} \log(p_j)$$
$$\frac{\partial E}{\partial p_j} = \frac{\partial (-\sum_i y_i \log p_i)}{\partial p_j} = -\frac{y_j}{p_j}$$
"""


def test_a_chain_may_differentiate_formulas_on_its_way(tmp_path: Path) -> None:
    verdicts = [claim.verdict.verdict for claim in claims(tmp_path, CHAINS)]
    assert verdicts == ["proved", "proved", "refuted", "proved", "proved"]


def test_a_gradient_of_a_function_of_one_argument_is_by_that(tmp_path: Path) -> None:
    text = r"""
$$f(x) = \frac12 x^T A x + b^T x$$
$$\nabla f(x) = \frac12 (A + A^T) x + b$$
$$\nabla f(x) = (A + A^T) x + b$$
"""
    assert [claim.verdict.verdict for claim in claims(tmp_path, text)] == ["proved", "refuted"]


def test_sizes_may_be_told_with_words_below_them(tmp_path: Path) -> None:
    text = r"""
Let $x \in \mathbb{R}^{D_{\text{in}}}$ and $W \in \mathbb{R}^{D_{\text{out}} \times D_{\text{in}}}$.
$$z = W x$$
$$L = \frac12 \|z\|^2$$
$$\frac{\partial L}{\partial W} = z x^T \quad \text{(weights)}$$
$$\frac{\partial L}{\partial W} = x z^T$$
"""
    assert [claim.verdict.verdict for claim in claims(tmp_path, text)] == ["proved", "ill-typed"]


def test_a_gradient_by_the_outputs_is_by_those_of_the_last_layer(tmp_path: Path) -> None:
    text = r"""
$$C = \frac12 \sum_k (t_k - a^L_k)^2$$
$$\nabla_a C = a^L - t$$
$$\nabla_a C = t - a^L$$
"""
    right, wrong = (claim.verdict for claim in claims(tmp_path, text))
    assert (right.verdict, wrong.verdict) == ("proved", "refuted")
    assert "$a$ is $a^{(L)}$" in right.assumptions


def test_the_larger_of_two_is_read(tmp_path: Path) -> None:
    text = r"""
$$g(z) = \max(0.01 z, z)$$
$$g'(z) = \begin{cases} 0.01 & \text{if } z < 0 \\ 1 & \text{if } z > 0 \end{cases}$$
$$g'(z) = \begin{cases} 0.1 & \text{if } z < 0 \\ 1 & \text{if } z > 0 \end{cases}$$
"""
    assert [claim.verdict.verdict for claim in claims(tmp_path, text)] == ["proved", "refuted"]
