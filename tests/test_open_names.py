r"""Names that an entry does not define: what they can only be, and where that stays open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_claims_file import FALSE, GOOD, OPEN, entry, judged

# ---------------------------------------------------------------- numbers that count the backward pass
ROWS = ("q = x A + c", r"g = \tanh(q)", "s = g B + e", r"p = \text{softmax}(s)", "L = CE(t, p)")
SHAPES = {"x": "1 d", "A": "d h", "c": "1 h", "B": "h k", "e": "1 k", "t": "1 k|onehot"}
LAYERED = ("q = x A_1 + c", r"g = \tanh(q)", "s = g A_2 + e", r"p = \text{softmax}(s)", "L = CE(t, p)")
LAYERS = {"x": "1 d", "A_1": "d h", "c": "1 h", "A_2": "h k", "e": "1 k", "t": "1 k|onehot"}
# ---------------------------------------------------------------- letters that are functions, formulas without names
DEEP = (
    "u_1 = f_1(A_1 u_0)", "u_2 = f_2(A_2 u_1)", "u_3 = f_3(A_3 u_2)", r"E = \frac{1}{2} \|r - t\|^2",
)  # fmt: skip
DEEP_SHAPES = {"u_0": "d 1", "A_1": "h d", "A_2": "m h", "A_3": "q m", "t": "q 1"}
ERROR = r"A_3^T \delta_3 \odot f_2'(A_2 u_1)"
# ---------------------------------------------------------------- values at a point
AT = r"V \tanh(U x)"
POINT = {"x": "d", "U": "h d", "V": "q h"}
# ---------------------------------------------------------------- spellings
NORM = (
    r"m = \frac{1}{N} \sum_{i=1}^N x_i", "c = x - m", "y = a \\odot c + b",
    r"g_j = a_j \frac{\partial L}{\partial y_{\text{out},j}}",
)  # fmt: skip
SCALED = {"x": "n", "a": "n", "b": "n"}
NET = ("P_h = X A_h", "G = R(P_h)", "P_o = G A_o", r"\hat{y} = R(P_o)", r"C = \frac{1}{2} (\hat{y} - y)^2")
NUMBERS = {"X": "", "A_h": "", "A_o": "", "y": ""}
GENERAL = ("q^{(k+1)} = A^{(k)} u^{(k)}", r"\delta^{(k+1)} = \frac{\partial J}{\partial q^{(k+1)}}")
GENERAL_SHAPES = {"q^{(k)}": "m 1", "A^{(k)}": "n m"}
LINKS = r"k(v) = (\tau + 1)^{-1} = (v^T v + 1)^{-1}"

HOLD = {
    "the first error that is computed": entry(r"\frac{\partial L}{\partial B} = g^T \delta_1", *ROWS, **SHAPES),
    "the second error that is computed": entry(r"\frac{\partial L}{\partial c} = \delta_2", *ROWS, **SHAPES),
    "an error from that before it": entry(
        r"\frac{\partial L}{\partial q} = \delta_1 B^T \odot \tanh'(q)", *ROWS, **SHAPES
    ),
    "a letter that stands before brackets alone": entry(
        r"\frac{\partial E}{\partial A_3} = \delta_3 u_2^T", *DEEP, **DEEP_SHAPES
    ),
    "an error as a formula without a name": entry(
        r"\frac{\partial E}{\partial A_2} = \delta_2 u_1^T", *DEEP, ERROR, **DEEP_SHAPES
    ),
    "a slope where a bar says": entry(
        rf"\frac{{\partial l({AT})}}{{\partial V}} = \tanh(U x) \frac{{d l(s)}}{{d s}}\Big|_{{s = {AT}}}",
        layout="numerator", **POINT,
    ),
    "a slope of a loss of one formula": entry(
        rf"\frac{{\partial l({AT})}}{{\partial V}} = \frac{{d l(s)}}{{d s}} \tanh(U x)^T", **POINT
    ),
    "the identity in bold": entry(
        r"\frac{\partial L}{\partial Q} = 4 Q (Q^T Q - \mathbf{I}_k)", r"L = \|Q^T Q - \mathbf{I}\|_F^2", Q="n k"
    ),
    "a word below what is differentiated by": entry(r"\frac{\partial L}{\partial c_i} = g_i", *NORM, **SCALED),
    "another case below": entry(r"C'(A_O) = (\hat{y} - y) R'(P_O) G", *NET, **NUMBERS),
    "the link that tells": entry(r"\frac{\partial k}{\partial v} = -2 (v^T v + 1)^{-2} v", LINKS, v="n"),
    "an error of the layer above": entry(
        r"\nabla_{A^{(k)}} = \delta^{(k+1)} u^{(k)T}", *GENERAL, **GENERAL_SHAPES
    ),
}  # fmt: skip
FAIL = {
    "an error from that before it": entry(r"\frac{\partial L}{\partial q} = \delta_1 B^T", *ROWS, **SHAPES),
    "a letter that stands before brackets alone": entry(
        r"\frac{\partial E}{\partial A_1} = A_2^T \delta_2 u_0^T", *DEEP, **DEEP_SHAPES
    ),
    "an error as a formula without a name": entry(
        r"\frac{\partial E}{\partial A_2} = (A_2^T \delta_3 \odot f_2'(A_2 u_1)) u_1^T", *DEEP, ERROR, **DEEP_SHAPES
    ),
    "a slope where a bar says": entry(
        rf"\frac{{\partial l({AT})}}{{\partial V}} = -\tanh(U x) \frac{{d l(s)}}{{d s}}\Big|_{{s = {AT}}}",
        layout="numerator", **POINT,
    ),
    "a slope of a loss of one formula": entry(
        rf"\frac{{\partial l({AT})}}{{\partial U}} = V^T \frac{{d l(s)}}{{d s}} x^T", **POINT
    ),
    "beside a name that the claim does not speak of": entry(
        r"\frac{\partial L}{\partial c_i} = -a_i \frac{\partial L}{\partial y_i}", *NORM, **SCALED
    ),
    "the identity in bold": entry(
        r"\frac{\partial L}{\partial Q} = 2 Q (Q^T Q - \mathbf{I}_k)", r"L = \|Q^T Q - \mathbf{I}\|_F^2", Q="n k"
    ),
    "the link that tells": entry(r"\frac{\partial k}{\partial v} = -2 (v^T v + 1)^{-1} v", LINKS, v="n"),
    "an error of the layer below, by its shape": entry(
        r"\nabla_{A^{(k)}} = \delta^{(k)} u^{(k)T}", *GENERAL, **GENERAL_SHAPES
    ),
}  # fmt: skip
STAY_OPEN = {
    "an error of a layer whose values have no shape": entry(
        r"\nabla_{A^{(k)}} = \delta^{(k)} u^{(k)T}", *GENERAL, **{"A^{(k)}": "n m"}
    ),
    "an error by another count": entry(r"\frac{\partial L}{\partial B} = g^T \delta_2", *ROWS, **SHAPES),
    "numbers of layers": entry(r"\frac{\partial L}{\partial A_2} = g^T \delta_1", *LAYERED, **LAYERS),
    "a point that is not where the loss is": entry(
        rf"\frac{{\partial l({AT})}}{{\partial V}} = \tanh(U x) \frac{{d l(s)}}{{d s}}\Big|_{{s = V x}}",
        layout="numerator", **POINT,
    ),
    "a word that may be another value": entry(r"\frac{\partial L}{\partial c_i} = a_i g_i", *NORM, **SCALED),
    "a letter of which both cases are told": entry(
        r"C'(A_O) = (\hat{y} - y) R'(P_o) G", *NET, **NUMBERS, A_O=""
    ),
}  # fmt: skip


@pytest.mark.parametrize("found", HOLD.values(), ids=HOLD)
def test_what_a_name_can_only_be_is_assumed(found: dict[str, Any], tmp_path: Path) -> None:
    verdict = judged(found, tmp_path).verdict
    assert verdict.verdict in GOOD, verdict


@pytest.mark.parametrize("found", FAIL.values(), ids=FAIL)
def test_what_no_reading_makes_true_is_refuted(found: dict[str, Any], tmp_path: Path) -> None:
    verdict = judged(found, tmp_path).verdict
    assert verdict.verdict in FALSE, verdict


@pytest.mark.parametrize("found", STAY_OPEN.values(), ids=STAY_OPEN)
def test_what_may_be_read_otherwise_stays_open(found: dict[str, Any], tmp_path: Path) -> None:
    verdict = judged(found, tmp_path).verdict
    assert verdict.verdict in OPEN, verdict


def test_the_value_of_an_open_error_is_an_assumption(tmp_path: Path) -> None:
    assumed = judged(HOLD["the second error that is computed"], tmp_path).verdict.assumptions
    assert r"$\delta_{2}$ is $\frac{\partial L}{\partial q}$" in assumed


def test_a_size_that_stands_in_no_shape_of_the_model_is_a_number_as_well(tmp_path: Path) -> None:
    found = entry(r"\frac{\partial L}{\partial x} = \frac{2}{N} x", r"L = \|x\|^2", x="n", c="N")
    assert judged(found, tmp_path).verdict.verdict in FALSE


def test_a_loss_has_other_slopes_at_another_place(tmp_path: Path) -> None:
    model, shapes = (r"J = l(p, t) + l(q, t)",), {"p": "n", "q": "n", "t": "n"}
    found = entry(r"\frac{\partial J}{\partial p} = \frac{\partial J}{\partial q}", *model, **shapes)
    assert judged(found, tmp_path).verdict.verdict in FALSE


# ---------------------------------------------------------------- layers whose letter stands below
LAYERS_BELOW = ("z_l = W_l a_{l-1} + b_l", "a_l = f_l(z_l)", r"\delta_l = \frac{\partial E}{\partial z_l}")
BY_FORMULA = ("h_i = g_i(V_i h_{i-1})", r"\delta_i = \frac{\partial C}{\partial (V_i h_{i-1})}")
OUTER = ("u = f(A x)", "r = B u", r"E = \ell(r)")
SUMMED = (r"s_k = \sum_j w_{jk} x_j", r"E = \frac{1}{2} \sum_k (s_k - t_k)^2")
SUM_SHAPES = {"wjk": "d k", "x_j": "d", "t_k": "k"}
BELOW = [
    (entry(r"\delta_l = (W_{l+1}^T \delta_{l+1}) \odot f_l'(z_l)", *LAYERS_BELOW, W_l="m n"), GOOD),
    (entry(r"\frac{\partial E}{\partial W_l} = \delta_l a_{l-1}^T", *LAYERS_BELOW, W_l="m n"), GOOD),
    (entry(r"\delta_l = (W_l^T \delta_{l+1}) \odot f_l'(z_l)", *LAYERS_BELOW, W_l="m n"), FALSE),
    (entry(r"\delta_l = (W_{l+1}^T \delta_{l+1}) \odot f_{l+1}'(z_l)", *LAYERS_BELOW, W_l="m n"), FALSE),
    (entry(r"\delta_i = V_{i+1}^T \delta_{i+1} \odot g_i'(V_i h_{i-1})", *BY_FORMULA, V_i="m n"), GOOD),
    (entry(r"\delta_i = V_{i+1}^T \delta_{i+1}", *BY_FORMULA, V_i="m n"), FALSE),
    (entry(r"\frac{\partial E}{\partial A} = \frac{\partial E}{\partial (A x)} x^T", *OUTER,
           A="m n", x="n", B="q m"), GOOD),
    (entry(r"\frac{\partial E}{\partial x} = A \frac{\partial E}{\partial (A x)}", *OUTER,
           A="m n", x="n", B="q m"), FALSE),
]  # fmt: skip


@pytest.mark.parametrize(("found", "words"), BELOW, ids=[str(found["claim"]) for found, _ in BELOW])
def test_layers_may_have_their_letter_below(found: dict[str, Any], words: tuple[str, ...], tmp_path: Path) -> None:
    verdict = judged(found, tmp_path).verdict
    assert verdict.verdict in words, verdict


def test_a_correction_has_the_letters_of_its_page(tmp_path: Path) -> None:
    diagnosis = judged(BELOW[2][0], tmp_path).verdict.diagnosis
    assert diagnosis is not None and "W_{l + 1}" in diagnosis.corrected


def test_letters_of_time_are_no_layers(tmp_path: Path) -> None:
    model = ("h_t = \\tanh(W h_{t-1} + U x_t)", r"E = \sum_{t=1}^T \ell(h_t)")
    found = entry(r"\frac{\partial E}{\partial W} = \frac{\partial E}{\partial h_t} h_{t-1}^T", *model, W="n n",
                  U="n m", x_t="m")  # fmt: skip
    assert judged(found, tmp_path).verdict.verdict not in GOOD


# ---------------------------------------------------------------- an index that the left side lacks
@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (r"\frac{\partial E}{\partial x_j} = \sum_k (s_k - t_k) w_{jk}", GOOD),
        (r"\frac{\partial E}{\partial x_j} = (s_k - t_k) w_{jk}", FALSE),
        (r"\frac{\partial E}{\partial x_j} = (s_k + t_k) w_{jk}", OPEN),
    ],
)
def test_a_sum_is_missing_where_all_others_are_written(claim: str, words: tuple[str, ...], tmp_path: Path) -> None:
    verdict = judged(entry(claim, *SUMMED, **SUM_SHAPES), tmp_path).verdict
    assert verdict.verdict in words, verdict


def test_the_gradient_of_one_sample_lacks_no_sum(tmp_path: Path) -> None:
    found = entry(r"\frac{\partial J}{\partial w} = 2 (w^T x_i - y_i) x_i", r"J = \sum_i (w^T x_i - y_i)^2", w="n",
                  x_i="m n", y_i="m")  # fmt: skip
    assert judged(found, tmp_path).verdict.verdict in OPEN


def test_a_missing_sum_is_named_with_its_letter(tmp_path: Path) -> None:
    found = entry(r"\frac{\partial E}{\partial x_j} = (s_k - t_k) w_{jk}", *SUMMED, **SUM_SHAPES)
    diagnosis = judged(found, tmp_path).verdict.diagnosis
    assert diagnosis is not None and diagnosis.kind == "missing sum" and "k" in diagnosis.text


# ---------------------------------------------------------------- letters that are applied
def test_a_letter_before_a_name_in_brackets_is_a_function(tmp_path: Path) -> None:
    shapes = {"A_h": "", "A_o": "", "X": "", "y": ""}
    for claim, words in ((r"C'(A_o) = (\hat{y} - y) R'(P_o) G", GOOD), (r"C'(A_o) = (\hat{y} - y) G", FALSE)):
        assert judged(entry(claim, *NET, **shapes), tmp_path).verdict.verdict in words


def test_an_error_of_the_wrong_layer_does_not_fit(tmp_path: Path) -> None:
    model = (r"s^{(k+1)} = V^{(k)} o^{(k)}", r"\delta^{(k+1)} = \frac{\partial E}{\partial s^{(k+1)}}")
    shapes = {"s^{(k)}": "m 1", "o^{(k)}": "m 1", "V^{(k)}": "n m"}
    for claim, words in (
        (r"\frac{\partial E}{\partial V^{(k)}} = \delta^{(k+1)} o^{(k)T}", GOOD),
        (r"\frac{\partial E}{\partial V^{(k)}} = \delta^{(k)} o^{(k)T}", FALSE),
    ):
        verdict = judged(entry(claim, *model, **shapes), tmp_path).verdict
        assert verdict.verdict in words, verdict


# ---------------------------------------------------------------- whole rows and columns
SQUARED = ("s = V x + c", r"L = \|s - t\|^2")
SQUARED_SHAPES = {"V": "m n", "x": "n", "c": "m", "t": "m"}
SLICES = [
    (r"\frac{\partial L}{\partial V_{i,:}} = 2 (s_i - t_i) x^T", GOOD),
    (r"\frac{\partial L}{\partial V_{i \cdot}} = 2 (s_i - t_i) x", GOOD),
    (r"\frac{\partial L}{\partial V_{i,:}} = (s_i - t_i) x^T", FALSE),
    (r"\frac{\partial L}{\partial V_{:,j}} = 2 (s - t) x_j", GOOD),
    (r"\frac{\partial L}{\partial V_{\cdot j}} = 2 (s - t) x", FALSE),
    (r"\frac{\partial L}{\partial x_j} = 2 V_{:,j}^T (s - t)", GOOD),
    (r"\frac{\partial L}{\partial x_j} = 2 V_{j,:} (s - t)", OPEN),
    (r"\frac{\partial L}{\partial x} = 2 \sum_i (s_i - t_i) V_{i,:}", GOOD),
    (r"\frac{\partial L}{\partial x_j} = 2 V_{:j}^T (s - t)", OPEN),
]


@pytest.mark.parametrize(("claim", "words"), SLICES, ids=[claim for claim, _ in SLICES])
def test_rows_and_columns_may_be_named(claim: str, words: tuple[str, ...], tmp_path: Path) -> None:
    verdict = judged(entry(claim, *SQUARED, **SQUARED_SHAPES), tmp_path).verdict
    assert verdict.verdict in words, verdict


# ---------------------------------------------------------------- second derivatives
FORM = ("q(v) = v^T B v + c^T v",)
FORM_SHAPES = {"B": "n n", "v": "n", "c": "n"}
FIT = (r"L = \frac{1}{2} \|A w - t\|^2",)
FIT_SHAPES = {"A": "m n", "w": "n", "t": "m"}
SECOND = [
    (r"\frac{\partial^2 L}{\partial w \partial w^T} = A^T A", FIT, FIT_SHAPES, GOOD),
    (r"\frac{\partial^2 L}{\partial w^2} = A^T A", FIT, FIT_SHAPES, GOOD),
    (r"\nabla_w^2 L = A^T A", FIT, FIT_SHAPES, GOOD),
    (r"\frac{\partial^2 L}{\partial w_i \partial w_j} = \sum_k A_{ki} A_{kj}", FIT, FIT_SHAPES, GOOD),
    (r"\frac{\partial^2 L}{\partial w_i^2} = \sum_k A_{ki}^2", FIT, FIT_SHAPES, GOOD),
    (r"\frac{\partial^2 L}{\partial w \partial w^T} = 2 A^T A", FIT, FIT_SHAPES, FALSE),
    (r"\frac{\partial^2 L}{\partial w \partial w^T} = A A^T", FIT, FIT_SHAPES, FALSE),
    (r"\frac{\partial^2 L}{\partial w_i \partial w_j} = \sum_k A_{ik} A_{jk}", FIT, FIT_SHAPES, FALSE),
    (r"\frac{\partial^2 L}{\partial w \partial t^T} = -A^T", FIT, FIT_SHAPES, GOOD),
    (r"\frac{\partial^2 L}{\partial t \partial w^T} = -A", FIT, FIT_SHAPES, GOOD),
    (r"\frac{\partial^2 L}{\partial t \partial w^T} = A", FIT, FIT_SHAPES, FALSE),
    (r"\frac{\partial^2 L}{\partial t \partial w} = -A", FIT, FIT_SHAPES, OPEN),
    (r"\nabla^2 q(v) = B + B^T", FORM, FORM_SHAPES, GOOD),
    (r"\nabla^2 q = B + B^T", FORM, FORM_SHAPES, GOOD),
    (r"\nabla^2 q(v) = 2 B", FORM, FORM_SHAPES, FALSE),
    (r"\nabla^2 q(v) = 2 \text{tr}(B)", FORM, FORM_SHAPES, OPEN),
]


@pytest.mark.parametrize(("claim", "model", "shapes", "words"), SECOND, ids=[claim for claim, *_ in SECOND])
def test_second_derivatives_by_vectors_are_matrices(
    claim: str, model: tuple[str, ...], shapes: dict[str, str], words: tuple[str, ...], tmp_path: Path
) -> None:
    verdict = judged(entry(claim, *model, **shapes), tmp_path).verdict
    assert verdict.verdict in words, verdict


# ---------------------------------------------------------------- means
MEAN = (r"z = P \bar{x}", r"L = \frac{1}{2} \|z - t\|^2")
MEAN_SHAPES = {"P": "m d", "x_i": "N d", "t": "m"}
MEANS = [
    (r"\frac{\partial L}{\partial x_i} = \frac{1}{N} P^T (z - t)", MEAN_SHAPES, GOOD),
    (r"\frac{\partial L}{\partial \bar{x}} = P^T (z - t)", MEAN_SHAPES, GOOD),
    (r"\frac{\partial L}{\partial x_i} = P^T (z - t)", MEAN_SHAPES, FALSE),
    (r"\frac{\partial L}{\partial x_i} = P^T (z - t)", MEAN_SHAPES | {r"\bar{x}": "d"}, OPEN),
]


@pytest.mark.parametrize(("claim", "shapes", "words"), MEANS)
def test_a_bar_is_a_mean_where_nothing_else_is_said(
    claim: str, shapes: dict[str, str], words: tuple[str, ...], tmp_path: Path
) -> None:
    verdict = judged(entry(claim, *MEAN, **shapes), tmp_path).verdict
    assert verdict.verdict in words, verdict


@pytest.mark.parametrize(("factor", "words"), [(r"\frac{1}{3 k}", GOOD), (r"\frac{1}{k}", FALSE)])
def test_the_mean_of_a_stack_with_a_word(factor: str, words: tuple[str, ...], tmp_path: Path) -> None:
    model, shapes = (r"s = a^T \bar{c}_w",), {"a": "d", "c_{w_i}": "3*k d"}
    claim = rf"\frac{{\partial s}}{{\partial c_{{w_i}}}} = {factor} a"
    verdict = judged(entry(claim, *model, **shapes), tmp_path).verdict
    assert verdict.verdict in words, verdict
