"""Claims with a d: derivatives of the cost as code calls them, dW, and true differentials, dY = dW X + W dX."""

from __future__ import annotations

import pytest

from derive.cases.claims_file import Entry
from derive.claims.entries import judge_entries
from derive.verify.judge import FALSE, GOOD, Verdict
from derive.workbook import Workbook


def judged(claim, model=(), shapes=None, layout="", **domains) -> Verdict:
    told = {name: {"shape": shape, "domain": domains.get(name, "real")} for name, shape in (shapes or {}).items()}
    (answer,) = judge_entries([Entry(None, 1, tuple(model), claim, told, layout)])
    return answer.verdict


# ---------------------------------------------------------------- as code writes it
COURSE = (r"Z^{[1]} = W^{[1]} X + b^{[1]}", r"A^{[1]} = g^{[1]}(Z^{[1]})")
COURSE_SHAPES = {
    "X": ["p", "m"], "W^{[1]}": ["h", "p"], "b^{[1]}": ["h", "1"],
    "W^{[2]}": ["1", "h"], "b^{[2]}": ["1", "1"], "Y": ["1", "m"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (r"dW^{[2]} = \frac{1}{m} dZ^{[2]} A^{[1]T}", r"dW^{[2]} = dZ^{[2]} A^{[1]T}"),
        (r"dW^{[2]} = \frac{1}{m} np.dot(dZ^{[2]}, A^{[1]}.T)", r"dW^{[2]} = \frac{1}{m} dZ^{[2]} A^{[1]}"),
        (r"db^{[1]} = \frac1m np.sum(dZ^{[1]}, axis=1, keepdims=True)", r"db^{[1]} = \frac1m dZ^{[1]}"),
        (r"dA^{[1]} = W^{[2]T} dZ^{[2]}", r"dA^{[1]} = W^{[2]} dZ^{[2]}"),
        (r"dZ^{[1]} = W^{[2]T} dZ^{[2]} * g^{[1]'}(Z^{[1]})", r"dZ^{[1]} = W^{[2]T} dZ^{[2]} * g^{[1]'}(A^{[1]})"),
        (r"dZ^{[1]} = dA^{[1]} \odot g^{[1]'}(Z^{[1]})", r"dZ^{[1]} = W^{[2]T} dZ^{[2]} g^{[1]'}(Z^{[1]})"),
        (r"dZ^{[2]} = A^{[2]} - Y", r"dZ^{[2]} = Y - A^{[2]}"),
    ],
)
def test_a_course_averages_over_its_samples_in_the_parameters_alone(right, wrong):
    held = judged(right, COURSE, COURSE_SHAPES)
    assert held.verdict in GOOD
    assert any("the mean over $m$ samples" in why for why in held.assumptions)
    assert judged(wrong, COURSE, COURSE_SHAPES).verdict in FALSE


def test_what_is_supplied_of_a_model_is_printed():
    said = judged(r"dW^{[2]} = \frac{1}{m} dZ^{[2]} A^{[1]T}", COURSE, COURSE_SHAPES).assumptions
    assert r"$Z^{[2]} = W^{[2]} A^{[1]} + b^{[2]}$, as in the layer before" in said
    said = judged(r"dZ^{[2]} = A^{[2]} - Y", COURSE, COURSE_SHAPES).assumptions
    assert "the loss is the binary cross-entropy" in said


LAYER = (r"Z^{[l]} = W^{[l]} A^{[l-1]} + b^{[l]}", r"A^{[l]} = g^{[l]}(Z^{[l]})")


@pytest.mark.parametrize(
    ("claim", "holds"),
    [
        (r"dW^{[l]} = \frac{1}{m} dZ^{[l]} A^{[l-1]T}", True),
        (r"dW^{[l]} = dZ^{[l]} A^{[l-1]T}", False),
        (r"dA^{[l-1]} = W^{[l]T} dZ^{[l]}", True),
        (r"dA^{[l-1]} = \frac{1}{m} W^{[l]T} dZ^{[l]}", False),
    ],
)
def test_a_general_layer(claim, holds):
    shapes = {"W^{[l]}": ["n", "p"], "b^{[l]}": ["n", "1"], "A^{[l-1]}": ["p", "m"]}
    assert judged(claim, LAYER, shapes).verdict in (GOOD if holds else FALSE)


ONE_SAMPLE = ("z_1 = W_1 x + b_1", r"a_1 = \tanh(z_1)", "z_2 = W_2 a_1 + b_2")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("dW_2 = dz_2 a_1^T", "dW_2 = a_1 dz_2^T"),
        ("dz_1 = W_2^T dz_2 * (1 - a_1^2)", "dz_1 = W_2^T dz_2 * (1 - z_1^2)"),
        ("da_1 = W_2^T dz_2", "da_1 = W_2 dz_2"),
    ],
)
def test_for_one_sample_nothing_is_averaged(right, wrong):
    shapes = {"x": ["d"], "W_1": ["h", "d"], "b_1": ["h"], "W_2": ["k", "h"], "b_2": ["k"]}
    assert judged(right, ONE_SAMPLE, shapes).verdict in GOOD
    assert judged(wrong, ONE_SAMPLE, shapes).verdict in FALSE


def test_whether_a_lone_claim_averages_is_left_open_where_no_notation_tells():
    shapes = {"X": ["N", "d"], "W": ["d", "k"], "b": ["k"]}
    assert judged(r"dW = \frac{1}{N} X^T dZ", ["Z = X W + b"], shapes).verdict in GOOD
    assert judged("dW = X^T dZ", ["Z = X W + b"], shapes).verdict == "unread"
    assert judged("dW = X dZ", ["Z = X W + b"], shapes).verdict == "ill-typed"
    assert judged("dX = W^T dZ", ["Z = X W + b"], shapes).verdict == "ill-typed"


def test_a_loss_that_is_written_is_the_one_meant():
    shapes = {"X": ["N", "d"], "W": ["d", "k"], "b": ["k"], "T": ["N", "k"]}
    model = ["Z = X W + b", r"L = \|Z - T\|_F^2"]
    assert judged("dZ = 2 (Z - T)", model, shapes).verdict in GOOD
    assert judged("dZ = Z - T", model, shapes).verdict in FALSE


SAMPLES = (
    "z^{(i)} = w^T x^{(i)} + b", r"a^{(i)} = \sigma(z^{(i)})",
    r"J = -\frac1m \sum_{i=1}^m (y^{(i)} \log a^{(i)} + (1 - y^{(i)}) \log(1 - a^{(i)}))",
)  # fmt: skip


@pytest.mark.parametrize(
    ("claim", "holds"),
    [
        (r"dw = \frac1m \sum_{i=1}^m x^{(i)} dz^{(i)}", True),
        (r"db = \frac1m \sum_{i=1}^m dz^{(i)}", True),
        (r"db = \sum_{i=1}^m dz^{(i)}", False),
        (r"dz^{(i)} = a^{(i)} - y^{(i)}", True),
    ],
)
def test_samples_one_by_one(claim, holds):
    shapes = {"x^{(i)}": ["m", "n"], "w": ["n"], "b": [], "y^{(i)}": ["m"]}
    assert judged(claim, SAMPLES, shapes).verdict in (GOOD if holds else FALSE)


ENTROPY = r"L(a, y) = -(y \log a + (1 - y) \log(1 - a))"


@pytest.mark.parametrize(
    ("claim", "holds"),
    [
        (r"dw_2 = \frac1m \sum_{i=1}^m x_2^{(i)} (a^{(i)} - y^{(i)})", True),
        (r"dw_2 = \sum_{i=1}^m x_2^{(i)} (a^{(i)} - y^{(i)})", False),
        (r"dw_2 = \frac1m \sum_{i=1}^m x_2^{(i)} (y^{(i)} - a^{(i)})", False),
        (r"db = \frac1m \sum_{i=1}^m (a^{(i)} - y^{(i)})", True),
    ],
)
def test_a_prediction_that_nothing_defines_is_that_of_logistic_regression(claim, holds):
    shapes = {"x^{(i)}": ["m", "3"], "w": ["3"], "b": [], "y^{(i)}": ["m"]}
    found = judged(claim, [ENTROPY], shapes)
    assert found.verdict in (GOOD if holds else FALSE)
    assert any(r"\sigma\left(w^{T} x_{i} + b\right)" in why for why in found.assumptions)


def test_the_derivative_by_the_argument_of_a_sigmoid_that_goes_unsaid():
    shapes = {"z": [], "y": []}
    assert judged(r"\frac{dL}{dz} = a - y", [ENTROPY], shapes).verdict in GOOD
    assert judged(r"\frac{dL}{dz} = (a - y) a (1 - a)", [ENTROPY], shapes).verdict in FALSE


# ---------------------------------------------------------------- true differentials
SQUARE = {"X": ["n", "n"], "A": ["n", "n"]}


@pytest.mark.parametrize(
    ("right", "wrong", "shapes"),
    [
        (r"d(X^{-1}) = -X^{-1} (dX) X^{-1}", r"d(X^{-1}) = -X^{-T} (dX) X^{-T}", SQUARE),
        (r"d(A B) = dA\, B + A\, dB", r"d(A B) = dB\, A + B\, dA", {"A": ["m", "n"], "B": ["n", "k"]}),
        (r"d(X^T) = (dX)^T", "d(X^T) = dX", {"X": ["m", "n"]}),
        (r"d\,\mathrm{tr}(X^T A X) = \mathrm{tr}(X^T (A + A^T) dX)",
         r"d\,\mathrm{tr}(X^T A X) = 2\,\mathrm{tr}(X^T A\, dX)", {"X": ["n", "k"], "A": ["n", "n"]}),
        (r"d \log\det X = \mathrm{tr}(X^{-1} dX)", r"d \det X = \mathrm{tr}(X^{-1} dX)", SQUARE),
        (r"\mathrm{d}(u \odot v) = \mathrm{d}u \odot v + u \odot \mathrm{d}v",
         r"\mathrm{d}(u \odot v) = \mathrm{d}u \odot v - u \odot \mathrm{d}v", {"u": ["n"], "v": ["n"]}),
        (r"d(x^T A x) = x^T (A + A^T) dx", r"d(x^T A x) = 2 x^T A^T dx", {"x": ["n"], "A": ["n", "n"]}),
    ],
)  # fmt: skip
def test_a_true_differential_holds_for_any_change(right, wrong, shapes):
    held = judged(right, (), shapes)
    assert held.verdict in GOOD
    assert any("any change of" in why for why in held.assumptions)
    assert judged(wrong, (), shapes).verdict in FALSE


def test_the_differential_of_what_the_model_defines():
    shapes = {"X": ["n", "d"], "Y": ["n", "k"], "W": ["d", "k"]}
    model = [r"f = \|Y - X W\|_F^2"]
    assert judged(r"df = -2\,\mathrm{tr}((Y - X W)^T X\, dW)", model, shapes).verdict in GOOD
    assert judged(r"df = 2\,\mathrm{tr}((Y - X W)^T X\, dW)", model, shapes).verdict in FALSE
    shapes = {"X": ["n", "d"], "W": ["m", "n"]}
    assert judged(r"dY = dW\, X + W\, dX", ["Y = W X"], shapes).verdict in GOOD


def test_a_gradient_stated_by_a_differential():
    shapes = {"x": ["n"], "A": ["n", "n"]}
    assert judged("df = g^T dx", ["f = x^T A x", "g = (A + A^T) x"], shapes).verdict in GOOD
    assert judged("df = g^T dx", ["f = x^T A x", "g = 2 A x"], shapes).verdict in FALSE


def test_a_term_that_may_be_missing_is_not_blessed():
    shapes = {"A": ["m", "n"], "B": ["n", "k"]}
    assert judged(r"d(A B) = dA\, B", (), shapes).verdict == "unread"
    told = {**shapes, "dA": ["m", "n"], "dB": ["n", "k"]}
    assert judged(r"d(A B) = dA\, B", (), told, "directional").verdict == "refuted"
    assert judged(r"d(A B) = dA\, B + A\, dB", (), told, "directional").verdict in GOOD


def test_what_may_be_either_is_left_unread():
    assert judged("dy = 2 dx", (), {"x": [], "y": []}).verdict == "unread"
    assert judged("dL = 3 x^2", ["L = x^3"], {"x": []}).verdict == "unread"


def test_values_that_lead_elsewhere_are_not_forgotten():
    model, shapes = ["z = W x", "y = V z", "u = U z"], {"W": ["h", "d"], "x": ["d"], "V": ["k", "h"], "U": ["p", "h"]}
    assert judged("dz = V^T dy + U^T du", model, shapes).verdict in GOOD
    assert judged("dz = V^T dy", model, shapes).verdict == "unread"
    assert judged("dz = V dy", model, shapes).verdict in FALSE


# ---------------------------------------------------------------- pages
PAGE = r"""
# Two layers, all samples at once

With inputs of size $d$, the forward pass is $Z^{[1]} = W^{[1]} X + b^{[1]}$, $A^{[1]} = g^{[1]}(Z^{[1]})$.

The backward pass:
$dZ^{[2]} = A^{[2]} - Y$
$dW^{[2]} = \frac{1}{m} dZ^{[2]} A^{[1]T}$
$db^{[2]} = \frac{1}{m} np.sum(dZ^{[2]}, axis=1, keepdims=True)$
$dZ^{[1]} = W^{[2]T} dZ^{[2]} * g^{[1]'}(Z^{[1]})$
$dW^{[1]} = LAST$
"""


def verdicts_of(page: str, folder) -> dict[str, Verdict]:
    path = folder / "page.md"
    path.write_text(page, encoding="utf-8")
    return {claim.latex.partition("=")[0].strip(): claim.verdict for claim in Workbook(path).judged()}


def test_a_page_of_a_course_is_read_though_d_is_a_size_as_well(tmp_path):
    found = verdicts_of(PAGE.replace("LAST", r"\frac{1}{m} dZ^{[1]} X^T"), tmp_path)
    assert {name: verdict.verdict for name, verdict in found.items() if verdict.verdict not in GOOD} == {}
    assert len(found) == 5


@pytest.mark.parametrize("wrong", [r"dZ^{[1]} X^T", r"\frac{1}{m} dZ^{[1]} X", r"\frac{1}{m} X dZ^{[1]T}"])
def test_on_such_a_page_a_wrong_formula_is_not_blessed(tmp_path, wrong):
    found = verdicts_of(PAGE.replace("LAST", wrong), tmp_path)
    assert found["dW^{[1]}"].verdict not in GOOD
    assert found["dW^{[2]}"].verdict in GOOD


def test_a_d_that_is_a_size_stays_one(tmp_path):
    page = r"With $W \in \mathbb{R}^{d \times n}$ let $c = d W$ and $e = d X$." + "\n\n$dW = 3 X$\n"
    assert all(verdict.verdict == "unread" for verdict in verdicts_of(page, tmp_path).values())


def test_a_differential_on_a_page_needs_no_model(tmp_path):
    found = verdicts_of(r"It holds that $d(X^{-1}) = -X^{-1} (dX) X^{-1}$.", tmp_path)
    assert found["d(X^{-1})"].verdict in GOOD
