r"""Claims about recurrences: judged on a few steps, written out. No true claim is refuted, no false one holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_claims_file import FALSE, GOOD, entry, judged, name_of

RNN = (r"h_t = W x_t + U h_{t-1}", r"o_t = V h_t", r"L = \frac{1}{T} \sum_{t=1}^T l(o_t, y_t)")
SIZES = {"W": "h d", "U": "h h", "V": "q h", "xt": "T d"}
ABOVE = (r"a^{(t)} = b + U h^{(t-1)} + W x^{(t)}", r"h^{(t)} = \tanh(a^{(t)})", r"o^{(t)} = V h^{(t)}",
         r"L = \sum_{t=1}^T l(o^{(t)}, y^{(t)})")  # fmt: skip
SIZES_ABOVE = {"W": "h d", "U": "h h", "V": "q h", "b": "h", "x^{(t)}": "T d"}
ELMAN = (r"z_t = W x_t + U h_{t-1} + b", r"h_t = \sigma(z_t)", r"o_t = V h_t", r"L = \sum_{t=1}^T L_t",
         r"L_t = \frac{1}{2} \|o_t - y_t\|^2")  # fmt: skip
DELTA = (*ELMAN, r"\delta_t = \frac{\partial L}{\partial z_t}")
LAST = (r"h_t = \phi(U h_{t-1} + W x_t)", r"L = \frac{1}{2} \|h_T - y\|^2")
LSTM = (
    r"f_t = \sigma(W_f x_t + U_f h_{t-1} + b_f)", r"i_t = \sigma(W_i x_t + U_i h_{t-1} + b_i)",
    r"o_t = \sigma(W_o x_t + U_o h_{t-1} + b_o)", r"g_t = \tanh(W_g x_t + U_g h_{t-1} + b_g)",
    r"c_t = f_t \odot c_{t-1} + i_t \odot g_t", r"h_t = o_t \odot \tanh(c_t)",
)  # fmt: skip
GATES = {f"{a}{g}": shape for a, shape in (("W", "h d"), ("U", "h h"), ("b", "h")) for g in "fiog"} | {"xt": "d"}
NUMBERS = (r"s_k = w s_{k-1} + u x_k", r"y = s_n", r"E = (y - r)^2")
SCALAR = {"w": "", "u": "", "xk": "T", "r": ""}
SOFTMAX = (r"s_t = \tanh(U x_t + W s_{t-1})", r"\hat{y}_t = \text{softmax}(V s_t)",
           r"E_t = -y_t^T \log \hat{y}_t", r"E = \sum_t E_t")  # fmt: skip
CLASSES = {"U": "h d", "W": "h h", "V": "q h", "xt": "T d", "yt": "T q|onehot"}
GRU = (r"z_t = \sigma(W_z x_t + U_z h_{t-1})", r"r_t = \sigma(W_r x_t + U_r h_{t-1})",
       r"g_t = \tanh(W_g x_t + U_g (r_t \odot h_{t-1}))", r"h_t = (1 - z_t) \odot h_{t-1} + z_t \odot g_t",
       r"L = \sum_{t=1}^T l(h_t, y_t)")  # fmt: skip
UNITS = {f"{a}{g}": shape for a, shape in (("W", "h d"), ("U", "h h")) for g in "zrg"} | {"xt": "T d"}
LOSSES = (r"h_t = \sigma(w h_{t-1} + u x_t)", r"L_t = (h_t - y_t)^2", r"L = \sum_{t=1}^T L_t")
WEIGHTS = {"w": "", "u": "", "xt": "T", "yt": "T"}
CHAIN = (r"h_t = U \tanh(h_{t-1}) + W x_t",)


def claim(latex: str, *model: str, layout: str = "", **shapes: str) -> dict[str, Any]:
    """An entry as in the tests of claims files, with `xt` for x_t and `Wf` for W_f."""
    found = entry(latex, *model, layout=layout, **shapes)
    spelled = {key: f"{key[0]}_{key[1:]}" if len(key) == 2 and key.isascii() else key for key in found["symbols"]}
    return found | {"symbols": {spelled[key]: told for key, told in found["symbols"].items()}}


D = r"\frac{{\partial {0}}}{{\partial {1}}}".format
TRUE = [
    # at the last step, at a general one, and over all
    claim(f"{D('L', 'h_T')} = V^T {D('L', 'o_T')}", *RNN, **SIZES),
    claim(f"{D('L', 'h_t')} = U^T {D('L', 'h_{t+1}')} + V^T {D('L', 'o_t')}", *RNN, **SIZES),
    claim(rf"{D('L', 'U')} = \sum_{{t=1}}^T {D('L', 'h_t')} h_{{t-1}}^T", *RNN, **SIZES),
    claim(rf"{D('L', 'V')} = \sum_t {D('L', 'o_t')} h_t^T", *RNN, **SIZES),
    claim(rf"{D('L', 'o_t')} = \frac{{1}}{{T}} {D('l(o_t, y_t)', 'o_t')}", *RNN, **SIZES),
    claim(rf"{D('L', 'h_t')} = \sum_{{i=t}}^T (U^T)^{{T-i}} V^T {D('L', 'o_{T+t-i}')}", *RNN, **SIZES),
    claim(rf"{D('L', 'h_t')} = \sum_{{k=t}}^T (U^T)^{{k-t}} V^T {D('L', 'o_k')}", *RNN, **SIZES),
    # steps above
    claim(rf"{D('L', 'W')} = \sum_{{t=1}}^T ({D('L', 'h^{(t)}')} \odot (1 - h^{{(t)}} \odot h^{{(t)}})) x^{{(t)T}}",
          *ABOVE, **SIZES_ABOVE),
    claim(rf"{D('L', 'h^{(t)}')} = U^T \text{{diag}}(1 - (h^{{(t+1)}})^2) {D('L', 'h^{(t+1)}')} + "
          rf"V^T {D('L', 'o^{(t)}')}", *ABOVE, **SIZES_ABOVE),
    claim(rf"{D('L', 'b')} = \sum_{{t=1}}^T {D('L', 'a^{(t)}')}", *ABOVE, **SIZES_ABOVE),
    # a loss of each step; names of cotangents
    claim(rf"{D('L', 'V')} = \sum_{{t=1}}^T (o_t - y_t) h_t^T", *ELMAN, **SIZES, b="h", yt="q"),
    claim(r"\delta_t = (U^T \delta_{t+1} + V^T (o_t - y_t)) \odot \sigma'(z_t)", *DELTA, **SIZES, b="h", yt="q"),
    claim(r"\delta_T = V^T (o_T - y_T) \odot \sigma'(z_T)", *DELTA, **SIZES, b="h", yt="q"),
    claim(rf"{D('L', 'U')} = \sum_{{t=1}}^T \delta_t h_{{t-1}}^T", *DELTA, **SIZES, b="h", yt="q"),
    claim(rf"{D('L_t', 'V')} = (o_t - y_t) h_t^T", *ELMAN, **SIZES, b="h", yt="q"),
    # a loss at the end alone
    claim(f"{D('L', 'h_T')} = h_T - y", *LAST, U="h h", W="h d", xt="d", y="h"),
    # gates
    claim(rf"{D('L', 'c_t')} = {D('L', 'c_{t+1}')} \odot f_{{t+1}} + {D('L', 'h_t')} \odot o_t \odot "
          r"(1 - \tanh^2(c_t))", *LSTM, r"L = \sum_{t=1}^T l(h_t, y_t)", **GATES),
    claim(rf"{D('L', 'f_t')} = {D('L', 'c_t')} \odot c_{{t-1}}", *LSTM, r"L = l(h_T, y)", **GATES),
    claim(rf"{D('L', 'b_i')} = \sum_{{t=1}}^T {D('L', 'i_t')} \odot i_t \odot (1 - i_t)", *LSTM, r"L = l(h_T, y)",
          **GATES),
    # numbers; n is the last step
    claim(rf"{D('E', 'u')} = \sum_{{k=0}}^n {D('E', 's_k')} x_k", *NUMBERS, **SCALAR),
    claim(rf"{D('E', 'w')} = \sum_{{k=1}}^n {D('E', 's_k')} s_{{k-1}}", *NUMBERS, **SCALAR),
    claim(f"{D('E', 's_{k-1}')} = w {D('E', 's_k')}", *NUMBERS, **SCALAR),
    claim(rf"{D('s_n', 'u')} = \sum_{{k=1}}^n w^{{n-k}} x_k", *NUMBERS, **SCALAR),
    claim(f"{D('s_k', 'w')} = s_{{k-1}} + w {D('s_{k-1}', 'w')}", *NUMBERS, **SCALAR),
    claim(rf"{D('E', 'w')} = \sum_{{k=1}}^n {D('E', 's_n')} {D('s_n', 's_k')} {D('s_k', 'w')}", *NUMBERS, **SCALAR),
    # chains of Jacobians, in either layout
    claim(rf"{D('h_t', 'h_{t-1}')} = U \text{{diag}}(\tanh'(h_{{t-1}}))", *CHAIN, layout="numerator", U="h h",
          W="h d", xt="T d"),
    claim(rf"{D('h_t', 'h_k')} = \prod_{{j=k+1}}^t {D('h_j', 'h_{j-1}')}", *CHAIN, U="h h", W="h d", xt="T d"),
    claim(rf"{D('h_t', 'h_k')} = \prod_{{j=k+1}}^t U \text{{diag}}(\tanh'(h_{{j-1}}))", *CHAIN, layout="numerator",
          U="h h", W="h d", xt="T d"),
    claim(rf"{D('h_t', 'h_k')} = \prod_{{j=k+1}}^t \text{{diag}}(\tanh'(h_{{j-1}})) U^T", *CHAIN,
          layout="denominator", U="h h", W="h d", xt="T d"),
    claim(f"{D('h_t', 'h_k')} = U^{{t-k}}", RNN[0], layout="numerator", **SIZES),
    # the step ahead is defined
    claim(rf"{D('L', 'U')} = \sum_{{t=0}}^{{T-1}} {D('L', 'h_{t+1}')} h_t^T", "h_{t+1} = U h_t + W x_t",
          r"L = \frac{1}{2} \|h_T - y\|^2", U="h h", W="h d", xt="T d", y="h"),
    # a loss at a step with a number; gates that let the state pass
    claim(rf"{D('E_3', 'V')} = (\hat{{y}}_3 - y_3) s_3^T", *SOFTMAX, **CLASSES),
    claim(rf"{D('E_t', 's_t')} = V^T (\hat{{y}}_t - y_t)", *SOFTMAX, **CLASSES),
    claim(rf"{D('E_t', 's_k')} = {D('E_t', 's_t')} \prod_{{j=k+1}}^t {D('s_j', 's_{j-1}')}", *SOFTMAX,
          layout="numerator", **CLASSES),
    claim(rf"{D('L', 'z_t')} = {D('L', 'h_t')} \odot (g_t - h_{{t-1}})", *GRU, **UNITS),
    claim(rf"{D('L', 'U_g')} = \sum_{{t=1}}^T ({D('L', 'g_t')} \odot (1 - g_t \odot g_t)) (r_t \odot h_{{t-1}})^T",
          *GRU, **UNITS),
    # the derivatives on the right are direct: earlier states are held
    claim(rf"{D('L_t', 'w')} = \sum_{{k=1}}^t {D('L_t', 'h_t')} {D('h_t', 'h_k')} {D('h_k', 'w')}", *LOSSES, **WEIGHTS),
    # entries; in rows; from the last step to the first; what is zero before the first; powers of T
    claim(rf"{D('L', 'U_{ij}')} = \sum_{{t=1}}^T \delta_{{t,i}} h_{{t-1,j}}", *DELTA, **SIZES, b="h", yt="q"),
    claim(rf"{D('L', 'U')} = \sum_{{t=1}}^T h_{{t-1}}^T {D('L', 'h_t')}", "h_t = x_t W + h_{t-1} U",
          r"L = \sum_{t=1}^T l(h_t, y_t)", W="d h", U="h h", xt="T 1 d"),
    claim(f"{D('L', 'g_t')} = U^T {D('L', 'g_{t-1}')} + V^T {D('L', 'o_t')}", "g_t = W x_t + U g_{t+1}", "o_t = V g_t",
          r"L = \sum_{t=1}^T l(o_t, y_t)", **SIZES),
    claim(r"m_t = (1 - b) \sum_{i=1}^t b^{t-i} g_i", "m_t = b m_{t-1} + (1 - b) g_t", "m_0 = 0", b="", g_t=""),
    claim(f"{D('h_T', 'h_0')} = w^T", "h_t = w h_{t-1} + x_t", w="", xt="T"),
    claim(f"{D('L', 'h_1')} = (U^T)^{{T-1}} {D('L', 'h_T')}", RNN[0], r"L = \|h_T - y\|^2", **SIZES, y="h"),
]  # fmt: skip
WRONG = [
    claim(f"{D('L', 'h_T')} = V {D('L', 'o_T')}", *RNN, **SIZES),
    claim(f"{D('L', 'h_t')} = U {D('L', 'h_{t+1}')} + V^T {D('L', 'o_t')}", *RNN, **SIZES),
    claim(f"{D('L', 'h_t')} = U^T {D('L', 'h_{t+1}')}", *RNN, **SIZES),
    claim(f"{D('L', 'h_t')} = V^T {D('L', 'o_t')}", *RNN, **SIZES),
    claim(f"{D('L', 'h_t')} = U^T {D('L', 'h_{t+1}')} + V^T {D('L', 'o_{t+1}')}", *RNN, **SIZES),
    claim(rf"{D('L', 'U')} = \sum_{{t=1}}^T {D('L', 'h_t')} h_t^T", *RNN, **SIZES),
    claim(rf"{D('L', 'U')} = \sum_{{t=1}}^T h_{{t-1}} {D('L', 'h_t')}^T", *RNN, **SIZES),
    claim(rf"{D('L', 'U')} = \sum_{{t=1}}^{{T-1}} {D('L', 'h_t')} h_{{t-1}}^T", *RNN, **SIZES),
    claim(f"{D('L', 'U')} = {D('L', 'h_T')} h_{{T-1}}^T", *RNN, **SIZES),
    claim(rf"{D('L', 'h_t')} = \sum_{{i=t}}^T (U^T)^{{T-i}} V^T {D('L', 'o_i')}", *RNN, **SIZES),
    claim(rf"{D('L', 'h_t')} = \sum_{{k=t}}^T U^{{k-t}} V^T {D('L', 'o_k')}", *RNN, **SIZES),
    claim(rf"{D('L', 'o_t')} = {D('l(o_t, y_t)', 'o_t')}", *RNN, **SIZES),
    claim(rf"{D('L', 'W')} = \sum_{{t=1}}^T ({D('L', 'h^{(t)}')} \odot (1 - h^{{(t)}})) x^{{(t)T}}",
          *ABOVE, **SIZES_ABOVE),
    claim(r"\delta_t = (U \delta_{t+1} + V^T (o_t - y_t)) \odot \sigma'(z_t)", *DELTA, **SIZES, b="h", yt="q"),
    claim(r"\delta_t = (U^T \delta_{t+1} + V^T (o_t - y_t)) \odot \sigma'(z_{t+1})", *DELTA, **SIZES, b="h", yt="q"),
    claim(rf"{D('L', 'U')} = \sum_{{t=1}}^T \delta_t h_t^T", *DELTA, **SIZES, b="h", yt="q"),
    claim(rf"{D('L', 'c_t')} = {D('L', 'c_{t+1}')} \odot f_t + {D('L', 'h_t')} \odot o_t \odot "
          r"(1 - \tanh^2(c_t))", *LSTM, r"L = \sum_{t=1}^T l(h_t, y_t)", **GATES),
    claim(rf"{D('L', 'f_t')} = {D('L', 'c_t')} \odot c_t", *LSTM, r"L = l(h_T, y)", **GATES),
    claim(rf"{D('E', 'w')} = \sum_{{k=1}}^n {D('E', 's_k')} s_k", *NUMBERS, **SCALAR),
    claim(rf"{D('E', 'u')} = \sum_{{k=2}}^n {D('E', 's_k')} x_k", *NUMBERS, **SCALAR),
    claim(rf"{D('s_n', 'u')} = \sum_{{k=1}}^n w^{{n-k+1}} x_k", *NUMBERS, **SCALAR),
    claim(f"{D('E', 's_k')} = w {D('E', 's_{k-1}')}", *NUMBERS, **SCALAR),
    claim(rf"{D('h_t', 'h_{t-1}')} = U^T \text{{diag}}(\tanh'(h_{{t-1}}))", *CHAIN, layout="numerator", U="h h",
          W="h d", xt="T d"),
    claim(rf"{D('h_t', 'h_k')} = \prod_{{j=k+1}}^t U \text{{diag}}(\tanh'(h_j))", *CHAIN, layout="numerator",
          U="h h", W="h d", xt="T d"),
    claim(f"{D('h_t', 'h_k')} = U^{{t-k-1}}", RNN[0], layout="numerator", **SIZES),
    claim(rf"{D('E_3', 'V')} = (\hat{{y}}_3 - y_3) s_2^T", *SOFTMAX, **CLASSES),
    claim(rf"{D('E', 's_t')} = V^T (\hat{{y}}_t - y_t)", *SOFTMAX, **CLASSES),
    claim(rf"{D('L', 'z_t')} = {D('L', 'h_t')} \odot (g_t - h_t)", *GRU, **UNITS),
    claim(rf"{D('L_t', 'w')} = \sum_{{k=1}}^t {D('L_t', 'h_t')} {D('h_k', 'h_{k-1}')} {D('h_k', 'w')}", *LOSSES,
          **WEIGHTS),
    claim(rf"{D('L', 'U_{ij}')} = \sum_{{t=1}}^T \delta_{{t,j}} h_{{t-1,i}}", *DELTA, **SIZES, b="h", yt="q"),
    claim(f"{D('L', 'g_t')} = U^T {D('L', 'g_{t+1}')} + V^T {D('L', 'o_t')}", "g_t = W x_t + U g_{t+1}", "o_t = V g_t",
          r"L = \sum_{t=1}^T l(o_t, y_t)", **SIZES),
    claim(r"m_t = (1 - b) \sum_{i=1}^t b^{t-i+1} g_i", "m_t = b m_{t-1} + (1 - b) g_t", "m_0 = 0", b="", g_t=""),
    claim(f"{D('L', 'h_1')} = (U^T)^T {D('L', 'h_T')}", RNN[0], r"L = \|h_T - y\|^2", **SIZES, y="h"),
]  # fmt: skip
OPEN = [
    # whether h_0 is zero, what is downstream of one step, beyond the last step
    (claim(rf"{D('L', 'U')} = \sum_{{t=2}}^T {D('L', 'h_t')} h_{{t-1}}^T", *RNN, **SIZES), "is zero"),
    (claim(f"{D('L', 'U')} = {D('L', 'h_t')} h_{{t-1}}^T", *RNN[:2], **SIZES), "depends on itself"),
    (claim(rf"{D('L', 'U')} = \sum_{{t=1}}^T {D('L', 'h_{t+1}')} h_t^T", *RNN, **SIZES), "beyond the steps"),
    (claim(r"m_t = (1 - b) \sum_{i=1}^t b^{t-i} g_i", "m_t = b m_{t-1} + (1 - b) g_t", b="", g_t=""), "is zero"),
    (claim(f"{D('h_t', 'w')} = h_{{t-1}}", "h_t = f(x_t, h_{t-1}, w)", w="", xt="T"), "arguments"),
]  # fmt: skip


@pytest.mark.parametrize("found", TRUE, ids=name_of)
def test_a_true_claim_holds_for_a_few_steps(found: dict[str, Any], tmp_path: Path) -> None:
    verdict = judged(found, tmp_path).verdict
    assert verdict.verdict in GOOD, verdict


@pytest.mark.parametrize("found", WRONG, ids=name_of)
def test_a_wrong_claim_is_refuted_at_a_step(found: dict[str, Any], tmp_path: Path) -> None:
    verdict = judged(found, tmp_path).verdict
    assert verdict.verdict in FALSE, verdict
    if verdict.verdict == "refuted":
        assert "steps" in verdict.reason and verdict.counterexample is not None
        claimed, derived = (np.array(side) for side in (verdict.counterexample.claimed, verdict.counterexample.derived))
        assert not np.allclose(claimed, derived)


@pytest.mark.parametrize(("found", "reason"), OPEN, ids=[name_of(found) for found, _ in OPEN])
def test_what_a_recurrence_leaves_open_is_not_called_false(found: dict[str, Any], reason: str, tmp_path: Path) -> None:
    verdict = judged(found, tmp_path).verdict
    assert verdict.verdict in ("unread", "undecided") and reason in verdict.reason, verdict
