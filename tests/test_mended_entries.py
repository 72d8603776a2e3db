"""Diagnoses of claims in claims files: entries and indices, recurrences, and corrections in the words of the page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from derive.cases.claims_file import Entry
from derive.claims.entries import judge_entry
from derive.diagnose import search
from derive.verify.judge import FALSE, GOOD, Diagnosis

SHAPES: dict[str, dict[str, Any]] = {
    "W": {"shape": ["m", "n"]}, "x": {"shape": ["n"]}, "c": {"shape": ["m"]}, "f": {"shape": [], "function": True},
}  # fmt: skip
LAYER = (("z = W x", "a = f(z)", "L = c^T a", r"\delta = \frac{\partial L}{\partial z}"), SHAPES)
Model = tuple[tuple[str, ...], dict[str, Any]]
LOGISTIC: Model = ((r"E = -t \log(y) - (1 - t) \log(1 - y)",), {"t": {"shape": []}, "y": {"shape": []}})
NETWORK = (
    (
        r"E = \frac{1}{2} \sum_k (o_k - t_k)^2", r"o_k = \sum_j V_{kj} h_j",
        r"h_j = f(z_j)", r"z_j = \sum_i W_{ji} x_i",
    ),
    {
        "V": {"shape": ["q", "m"]}, "W": {"shape": ["m", "n"]}, "x": {"shape": ["n"]}, "t": {"shape": ["q"]},
        "f": {"shape": [], "function": True},
    },
)  # fmt: skip
QUADRATIC = ((), {"A": {"shape": ["n", "n"]}, "x": {"shape": ["n"]}})
RECURRENT = (
    ("h_t = U x_t + V h_{t-1}", "o_t = Q h_t", r"L = \sum_{t=1}^T \ell(o_t)"),
    {
        "U": {"shape": ["m", "n"]}, "V": {"shape": ["m", "m"]}, "Q": {"shape": ["q", "m"]}, "x_t": {"shape": ["n"]},
        "h_t": {"shape": ["m"]}, r"\ell": {"shape": [], "function": True, "maps": "scalar"},
    },
)  # fmt: skip


def entry(model: Model, claim: str, layout: str = "gradient") -> Entry:
    return Entry(None, 1, model[0], claim, model[1], layout)


def diagnosis(model: Model, claim: str, layout: str = "gradient") -> Diagnosis | None:
    verdict = judge_entry(entry(model, claim, layout))[2]
    assert verdict.verdict in FALSE, verdict
    return verdict.diagnosis


ENTRIES = [
    ("index", LAYER, r"\frac{\partial L}{\partial W_{ij}} = \delta_j x_i", r"\delta_{i} x_{j}"),
    (
        "derivative taken at the wrong place", LAYER,
        r"\frac{\partial L}{\partial z_i} = c_i f'(a_i)", r"c_{i} f'\left(z_{i}\right)",
    ),
    ("wrong name", LAYER, r"\frac{\partial L}{\partial W_{ij}} = \delta_i a_j", r"\delta_{i} x_{j}"),
    ("missing derivative", LAYER, r"\frac{\partial L}{\partial z_i} = c_i", r"c_{i} f'\left(z_{i}\right)"),
    ("missing factor", LAYER, r"\frac{\partial L}{\partial W_{ij}} = c_i f'(z_i)", r"c_{i} f'\left(z_{i}\right) x_{j}"),
    (
        "missing derivative", NETWORK,
        r"\frac{\partial E}{\partial W_{ji}} = \sum_k (o_k - t_k) V_{kj} x_i",
        r"\sum_{k} \left(o_{k} - t_{k}\right) V_{k,j} x_{i} f'\left(z_{j}\right)",
    ),
    (
        "missing factor", LOGISTIC,
        r"\frac{\partial E}{\partial y} = \frac{y - t}{y}", r"\frac{y - t}{y \left(1 - y\right)}",
    ),
    (
        "sign", LOGISTIC, r"\frac{\partial E}{\partial y} = -t / y - (1 - t) / (1 - y)",
        r"\frac{-t}{y} + \frac{1 - t}{1 - y}",
    ),
    (
        "symmetric only", QUADRATIC, r"\frac{\partial x^T A x}{\partial x} = 2 A x", r"\left(A + A^{T}\right) x",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "model", "claim", "corrected"), ENTRIES)
def test_an_error_in_entries_is_named_and_mended(kind: str, model: Model, claim: str, corrected: str) -> None:
    found = diagnosis(model, claim)
    assert found is not None
    assert (found.kind, found.corrected.split(" = ")[1]) == (kind, corrected), found
    assert judge_entry(entry(model, found.corrected))[2].verdict in GOOD, found


def test_a_correction_says_what_is_differentiated_as_the_claim_does() -> None:
    found = diagnosis(QUADRATIC, r"\frac{\partial \|A x\|^2}{\partial x} = 2 A A x")
    assert found is not None and found.kind == "missing transpose"
    assert found.corrected.startswith(r"\frac{\partial \left(\left\|A x\right\|^{2}\right)}{\partial x} = ")


def test_a_jacobian_is_mended_in_the_layout_of_its_claim() -> None:
    found = diagnosis((("z = W x",), SHAPES), r"\frac{\partial z}{\partial x} = W^T", "numerator")
    assert found is not None and found.corrected == r"\frac{\partial z}{\partial x} = W"
    found = diagnosis((("z = W x",), SHAPES), r"\frac{\partial z}{\partial x} = W", "denominator")
    assert found is not None and found.corrected == r"\frac{\partial z}{\partial x} = W^{T}"


def test_a_formula_that_has_no_name_on_the_page_is_written_out_in_the_correction() -> None:
    model = (("a = f(W x)", "L = c^T a"), SHAPES)
    found = diagnosis(model, r"\frac{\partial L}{\partial W} = (c \circ f'(a)) x^T")
    assert found is not None and found.kind == "derivative taken at the wrong place"
    assert r"f'\left(W x\right)" in found.corrected and "$W x$" in found.text


STEPS = [
    (r"\frac{\partial L}{\partial Q} = \sum_{t=1}^T \frac{\partial L}{\partial o_t} h_{t-1}^T", "step", "$t$"),
    (r"\frac{\partial L}{\partial U} = \frac{\partial L}{\partial h_T} x_T^T", "missing sum", "last term"),
    (
        r"\frac{\partial L}{\partial h_t}"
        r" = V \frac{\partial L}{\partial h_{t+1}} + Q^T \frac{\partial L}{\partial o_t}",
        "missing transpose", "$V$",
    ),
    (r"\frac{\partial L}{\partial V} = -\sum_{t=1}^T \frac{\partial L}{\partial h_t} h_{t-1}^T", "sign", "wrong"),
]  # fmt: skip


@pytest.mark.parametrize(("claim", "kind", "words"), STEPS)
def test_an_error_about_a_recurrence_is_named_and_mended(claim: str, kind: str, words: str) -> None:
    found = diagnosis(RECURRENT, claim)
    assert found is not None and found.kind == kind and words in found.text, found
    assert judge_entry(entry(RECURRENT, found.corrected))[2].verdict in GOOD, found


COURSE: Model = (
    (
        "Z^{[1]} = W^{[1]} X + b^{[1]}", "A^{[1]} = g(Z^{[1]})",
        "Z^{[2]} = W^{[2]} A^{[1]} + b^{[2]}", r"A^{[2]} = \sigma(Z^{[2]})",
    ),
    {
        "W^{[1]}": {"shape": ["h", "n"]}, "b^{[1]}": {"shape": ["h", 1]}, "X": {"shape": ["n", "m"]},
        "W^{[2]}": {"shape": [1, "h"]}, "b^{[2]}": {"shape": [1, 1]}, "Y": {"shape": [1, "m"]},
        "g": {"shape": [], "function": True},
    },
)  # fmt: skip
WORDS: Model = (
    (r"P(w_o \mid w_c) = \frac{\exp(u_o^T v_c)}{\sum_i \exp(u_i^T v_c)}",),
    {"u_i": {"shape": ["K", "d"]}, "v_c": {"shape": ["d"]}, "o": {"shape": [], "domain": "index"}},
)
MEAN: Model = ((r"J = \frac{1}{2m} \| X w - y \|^2",), {
    "X": {"shape": ["m", "n"]}, "w": {"shape": ["n"]}, "y": {"shape": ["m"]},
})  # fmt: skip
TEMPERATURE: Model = (
    (r"p = \text{softmax}(z / \tau)", r"L = -t^T \log p"),
    {"z": {"shape": ["n"]}, "t": {"shape": ["n"], "domain": "onehot"}},
)
SQUARE: Model = ((), {"X": {"shape": ["n", "n"]}})
AS_WRITTEN = [
    (COURSE, "dW^{[2]} = dZ^{[2]} A^{[1]T}", "factor", "1/m", r"\mathrm{d}\left(Z^{[2]}\right)"),
    (COURSE, r"dW^{[1]} = \frac{1}{m} dZ^{[1]} X", "missing transpose", "$X$", "X^{T}"),
    (COURSE, r"db^{[2]} = \frac{1}{m} np.sum(dZ^{[2]}, axis=0, keepdims=True)", "axis of a sum", "axis 1", "axis=1"),
    (COURSE, "dZ^{[1]} = W^{[2]T} dZ^{[2]} * g'(A^{[1]})", "derivative taken at the wrong place", "Z^{[1]}", "*"),
    (SQUARE, "d(X^{-1}) = X^{-1} (dX) X^{-1}", "sign", "whole right side", r"-X^{-1} \mathrm{d}\left(X\right) X^{-1}"),
    (SQUARE, "d(X X) = (dX) X + X (dX)^T", "extra transpose", "d", r"X \mathrm{d}\left(X\right)"),
    (
        WORDS, r"\frac{\partial \log P(w_o \mid w_c)}{\partial v_c} = u_o - \sum_j P(w_j \mid w_c) v_c",
        "wrong name", "$u_{j}$", r"\sum_{j} P\left(w_{j} \mid w_{c}\right) u_{j}",
    ),
    (
        TEMPERATURE, r"\frac{\partial L}{\partial z} = p - t",
        "missing factor", r"the divisor $\tau$", r"\frac{p - t}{\tau}",
    ),
    (MEAN, r"\frac{\partial J}{\partial w} = 2 X^T (X w - y)", "factor", "1/(2m)", r"\frac{1}{2 m}"),
    (MEAN, r"\frac{\partial J}{\partial w} = X^T (X w - y)", "factor", "1/m", r"\frac{1}{m}"),
    (
        LOGISTIC, r"\frac{\partial E}{\partial y} = y (1 - y) \frac{y - t}{y (1 - y)}",
        "extra factor", "y", r"\frac{y - t}{y \left(1 - y\right)}",
    ),
    (
        ((r"f = e^s - s",), {"s": {"shape": []}}), r"\frac{\partial f}{\partial s} = e^s",
        "missing term", "$-1$", "- 1",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("model", "claim", "kind", "words", "corrected"), AS_WRITTEN)
def test_a_correction_is_spelled_as_its_claim_and_holds(
    model: Model, claim: str, kind: str, words: str, corrected: str
) -> None:  # fmt: skip
    found = diagnosis(model, claim)
    assert found is not None and found.kind == kind and words in found.text, found
    assert corrected in found.corrected, found
    assert judge_entry(entry(model, found.corrected))[2].verdict in GOOD, found


def test_a_search_without_time_leaves_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SECONDS", -1.0)
    for _, model, claim, _ in ENTRIES[:3]:
        assert diagnosis(model, claim) is None
    assert diagnosis(RECURRENT, STEPS[0][0]) is None


def test_the_readings_of_one_claim_share_one_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """A δ that nothing defines is tried as the cotangent of each value; a search for each would take too long."""
    values = [f"z_{k} = W_{k} z_{k - 1}" for k in range(1, 7)]
    shapes: dict[str, Any] = {f"W_{k}": {"shape": ["n", "n"]} for k in range(1, 7)}
    shapes |= {"z_0": {"shape": ["n"]}, "c": {"shape": ["n"]}}
    model = ((*values, "L = c^T z_6"), shapes)
    searched: list[int] = []
    usual = search.Search.within

    def counted(own: search.Search, found: Any) -> Any:
        for edit in usual(own, found):
            searched.append(own.tried)
            yield edit

    monkeypatch.setattr(search, "BUDGET", 20)
    monkeypatch.setattr(search.Search, "within", counted)
    judge_entry(replace(entry(model, r"\frac{\partial L}{\partial z_1} = \delta + 7 z_0 \circ z_0"), id="open"))
    assert len(searched) <= 20
