"""Many samples in a matrix: along which axis its classes lie, and softmax runs."""

from __future__ import annotations

from typing import Any

import pytest

from derive.cases.claims_file import Entry
from derive.claims.entries import judge_entry
from derive.verify.judge import FALSE, GOOD, OPEN

ROWS = (
    r"P_{ik} = \frac{\exp(x_i^T w_k)}{\sum_l \exp(x_i^T w_l)}",
    r"L = -\sum_{i=1}^N \sum_k Y_{ik} \log P_{ik}",
)
ROW_SHAPES: dict[str, Any] = {"x_i": {"shape": ["N", "d"]}, "w_k": {"shape": ["K", "d"]}, "Y": {"shape": ["N", "K"]}}
COLUMNS = (
    r"P_{ki} = \frac{\exp(w_k^T x_i)}{\sum_l \exp(w_l^T x_i)}",
    r"L = -\sum_{i=1}^N \sum_k Y_{ki} \log P_{ki}",
)
COLUMN_SHAPES: dict[str, Any] = {**ROW_SHAPES, "Y": {"shape": ["K", "N"]}}
SUMMED = (
    r"z_{ik} = x_i^T w_k",
    r"L = \sum_{i=1}^N \left(\log \sum_l \exp(z_{il}) - \sum_k Y_{ik} z_{ik}\right)",
)
TARGETS = {
    "in rows": (ROWS, ROW_SHAPES, r"\sum_{i=1}^N (P_{ik} - Y_{ik}) x_i"),
    "in columns": (COLUMNS, COLUMN_SHAPES, r"\sum_{i=1}^N (P_{ki} - Y_{ki}) x_i"),
    "in rows, the logarithm of a sum": (
        SUMMED, ROW_SHAPES, r"\sum_{i=1}^N \left(\frac{\exp(z_{ik})}{\sum_l \exp(z_{il})} - Y_{ik}\right) x_i",
    ),
}  # fmt: skip


@pytest.mark.parametrize("domain", ["onehot", "simplex", ""])
@pytest.mark.parametrize(("model", "shapes", "right"), TARGETS.values(), ids=TARGETS)
def test_the_classes_of_a_target_lie_where_the_probabilities_sum_to_one(
    model: tuple[str, ...], shapes: dict[str, Any], right: str, domain: str
) -> None:
    told = {**shapes, "Y": {**shapes["Y"], "domain": domain}} if domain else shapes
    for sign, words in (("", GOOD), ("-", FALSE)):
        claim = rf"\frac{{\partial L}}{{\partial w_k}} = {sign}{right}"
        found = judge_entry(Entry(None, 1, model, claim, told, "gradient"))[2]
        assert found.verdict in words, (claim, found)


def test_a_logged_vector_says_nothing_of_where_the_classes_lie() -> None:
    shapes = {"Y": {"shape": ["N", "K"], "domain": "onehot"}, "q": {"shape": ["K"], "domain": "positive"}}
    model = (r"L = \sum_i \sum_k Y_{ik} \log q_k",)
    for right, words in ((r"\frac{1}{q_k}", OPEN), (r"\sum_i \frac{Y_{ik}}{q_k}", GOOD)):
        claim = rf"\frac{{\partial L}}{{\partial q_k}} = {right}"
        found = judge_entry(Entry(None, 1, model, claim, shapes, "gradient"))[2]
        assert found.verdict in words, (claim, found)


# ---------------------------------------------------------------- softmax of a matrix
ROW = r"P_{ij} \left(\frac{\partial L}{\partial P_{ij}} - \sum_k P_{ik} \frac{\partial L}{\partial P_{ik}}\right)"
COLUMN = r"P_{ij} \left(\frac{\partial L}{\partial P_{ij}} - \sum_k P_{kj} \frac{\partial L}{\partial P_{kj}}\right)"
ATTENTION: dict[str, Any] = {"Q": {"shape": ["n", "d"]}, "K": {"shape": ["n", "d"]}, "V": {"shape": ["n", "d"]}}
WEIGHED = (r"S = \frac{Q K^T}{\sqrt{d}}", r"P = \text{softmax}(S)", "O = P V")
BEFORE = ("S = W X", r"P = \text{softmax}(S)")
BESIDE: dict[str, Any] = {"W": {"shape": ["k", "d"]}, "X": {"shape": ["d", "n"]}}
ALONE = (r"P = \text{softmax}(S)",)
SQUARE: dict[str, Any] = {"S": {"shape": ["n", "m"]}}
AXES = {
    "weights of rows": (WEIGHED, ATTENTION, ROW, COLUMN),
    "samples in columns": (BEFORE, BESIDE, COLUMN, ROW),
    "samples in rows": (("S = X W", BEFORE[1]), {"W": {"shape": ["d", "k"]}, "X": {"shape": ["n", "d"]}}, ROW, COLUMN),
}


@pytest.mark.parametrize(("model", "shapes", "right", "wrong"), AXES.values(), ids=AXES)
def test_softmax_runs_as_the_model_weighs_with_it_or_as_its_samples_lie(
    model: tuple[str, ...], shapes: dict[str, Any], right: str, wrong: str
) -> None:
    for claimed, words in ((right, GOOD), (wrong, FALSE)):
        claim = rf"\frac{{\partial L}}{{\partial S_{{ij}}}} = {claimed}"
        found = judge_entry(Entry(None, 1, model, claim, shapes, "gradient"))[2]
        assert found.verdict in words and any("softmax is that of each" in text for text in found.assumptions), found


def test_where_nothing_tells_the_axis_of_softmax_nothing_is_called_false() -> None:
    for claimed, words in ((ROW, GOOD), (COLUMN, OPEN)):
        claim = rf"\frac{{\partial L}}{{\partial S_{{ij}}}} = {claimed}"
        found = judge_entry(Entry(None, 1, ALONE, claim, SQUARE, "gradient"))[2]
        assert found.verdict in words, found


def test_changes_stand_beside_a_size_that_is_called_d() -> None:
    for claim, words in (
        ("dP = dO V^T", GOOD), (r"dK = \frac{1}{\sqrt{d}} dS^T Q", GOOD), (r"dK = \frac{1}{\sqrt{d}} dS Q", FALSE),
        (r"dS_{ij} = P_{ij} (dP_{ij} - \sum_k P_{ik} dP_{ik})", GOOD),
        (r"dS_{ij} = P_{ij} (dP_{ij} + \sum_k P_{ik} dP_{ik})", FALSE), ("dP = Q K^T", OPEN),
    ):  # fmt: skip
        found = judge_entry(Entry(None, 1, WEIGHED, claim, ATTENTION, "gradient"))[2]
        assert found.verdict in words, (claim, found)
