"""The page of lecture notes that the project was created from, and the same page with one error put in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from derive.claims.in_model import JudgedClaim
from derive.report import claim_json
from derive.workbook import Workbook

Array = npt.NDArray[np.float64]
STEP = 1e-6  # central differences: error of the order of STEP², plus rounding / STEP, about 1e-10
NOTES, STORY = "001_3757e2537ea06b29.txt", "000_42a5540ecfa000d4.txt"
CLAIMS = {
    182: r"\frac{\partial L}{\partial \theta} = \frac{\partial L}{\partial z} \cdot \frac{\partial z}{\partial \theta}",
    192: r"\delta^{[2]} = \hat{y} - y",
    195: r"\frac{\partial L}{\partial W^{[2]}} = \delta^{[2]} (a^{[1]})^T",
    197: r"\frac{\partial L}{\partial b^{[2]}} = \delta^{[2]}",
    201: r"\delta^{[1]} = (W^{[2]})^T \delta^{[2]} \circ \sigma'(Z^{[1]})",
    205: r"\frac{\partial L}{\partial W^{[1]}} = \delta^{[1]} \, x^T",
    207: r"\frac{\partial L}{\partial b^{[1]}} = \delta^{[1]}",
}
ERRORS = [
    (192, r"\hat{y} - y", r"y - \hat{y}", "sign"),
    (192, r"\hat{y} - y", r"\hat{y} + y", "sign"),
    (195, r"\delta^{[2]} (a^{[1]})^T", r"-\delta^{[2]} (a^{[1]})^T", "sign"),
    (197, r"= \delta^{[2]}", r"= -\delta^{[2]}", "sign"),
    (205, r"= \delta^{[1]} \, x^T", r"= -\delta^{[1]} \, x^T", "sign"),
    (207, r"= \delta^{[1]}", r"= -\delta^{[1]}", "sign"),
    (182, r"= \frac{\partial L}{\partial z}", r"= -\frac{\partial L}{\partial z}", "sign"),
    (195, r"(a^{[1]})^T", r"a^{[1]}", "missing transpose"),
    (201, r"(W^{[2]})^T", r"W^{[2]}", "missing transpose"),
    (205, r"x^T", r"x", "missing transpose"),
    (201, r"\sigma'(Z^{[1]})", r"\sigma'(a^{[1]})", "derivative taken at the wrong place"),
    (201, r"\delta^{[2]} \circ", r"\delta^{[2]}", "matrix product for Hadamard product"),
    (201, r" \circ \sigma'(Z^{[1]})", "", "missing derivative"),
    (201, r"\sigma'(Z^{[1]})", r"\sigma(Z^{[1]})", "missing derivative"),
    (207, r"= \delta^{[1]}", r"= \delta^{[2]}", "layer index"),
]


def judged(path: Path) -> list[JudgedClaim]:
    return list(Workbook(path).judged())


@pytest.fixture
def notes(seeds: Path) -> Path:
    return seeds / NOTES


def test_every_claim_of_the_notes_is_found_where_it_stands_and_proved(notes: Path) -> None:
    claims = judged(notes)
    assert {claim.place.line: claim.latex for claim in claims} == CLAIMS
    assert [claim.verdict.verdict for claim in claims] == ["proved"] * len(CLAIMS)


def test_each_model_of_the_notes_is_found_in_its_own_section(notes: Path) -> None:
    found = [(s.title.split(" ")[0], [d.name.latex for d in s.network.definitions]) for s in Workbook(notes).sections]
    assert found == [
        ("2.1", ["z", "a"]),
        ("2.2", ["Z^{[l]}", "a^{[l]}", "Z^{[l+1]}"]),
        ("3.2", [r"\text{MSE}"]),
        ("3.2", ["L"]),
        ("3.3", ["z", r"\hat{y}", "L"]),
        ("3.4", ["z", r"\hat{y}", "L"]),
        ("4.1", ["z", r"\hat{y}"]),
        ("4.1", ["Z^{[1]}", "a^{[1]}", "Z^{[2]}", r"\hat{y}"]),
        ("5.2", ["Z^{[1]}", "a^{[1]}", "Z^{[2]}", r"\hat{y}", "L"]),
        ("6.", ["Z^{[1]}", "a^{[1]}", "Z^{[2]}", r"\hat{y}", "L"]),
    ]


def test_shapes_are_inferred(notes: Path) -> None:
    symbols = {(str(s["latex"]), tuple(s["shape"])) for s in Workbook(notes).symbols()}  # type: ignore[arg-type]
    assert {("w", ("n",)), ("b", ()), ("W^{[l]}", ("n_l", "n_{l-1}")), ("W^{[1]}", ("h", "n"))} <= symbols
    assert {("W^{[2]}", ("1", "h")), (r"\hat{y}", ("1",)), ("W", ("k", "n")), (r"\hat{y}", ("N",))} <= symbols


def test_the_general_layer_has_the_delta_recursion(notes: Path) -> None:
    sheet = {e.name.latex: e for e in Workbook(notes, "2.2").sections[0].derive().equations}
    assert sheet[r"\delta^{[l]}"].check is not None
    assert sheet[r"\delta^{[l]}"].check.outcome == "proved"


def test_the_other_page_claims_one_thing_and_nothing_that_is_no_claim_is_called_one(seeds: Path) -> None:
    (claim,) = judged(seeds / STORY)
    assert (claim.place.line, claim.verdict.verdict) == (326, "proved")


@pytest.mark.parametrize(("line", "old", "new", "kind"), ERRORS)
def test_an_error_is_found_shown_and_named(
    notes: Path, tmp_path: Path, line: int, old: str, new: str, kind: str
) -> None:
    page = tmp_path / "notes.md"
    rows = notes.read_text(encoding="utf-8").split("\n")
    assert old in rows[line - 1]
    rows[line - 1] = rows[line - 1].replace(old, new)
    page.write_text("\n".join(rows), encoding="utf-8")
    claims = judged(page)
    assert [c.place.line for c in claims if c.verdict.verdict != "proved"] == [line]
    (claim,) = (c for c in claims if c.place.line == line)
    assert claim.verdict.verdict in ("refuted", "ill-typed")
    assert claim.verdict.diagnosis is not None
    assert claim.verdict.diagnosis.kind == kind
    if claim.verdict.verdict == "refuted" and line != 182:
        assert_counterexample_recomputes(claim)


# ---- the counterexample, with NumPy alone ----------------------------------------------------------------------------
def forward(values: dict[str, Array], start: str = "") -> float:
    """Return the loss of one hidden layer; `start` is a name that keeps its value."""

    def keep(name: str, make: Callable[[], Array]) -> Array:
        values[name] = values[name] if name == start else make()
        return values[name]

    z1 = keep("Z^{[1]}", lambda: values["W^{[1]}"] @ values["x"] + values["b^{[1]}"])
    a1 = keep("a^{[1]}", lambda: 1 / (1 + np.exp(-z1)))
    z2 = keep("Z^{[2]}", lambda: values["W^{[2]}"] @ a1 + values["b^{[2]}"])
    p = keep(r"\hat{y}", lambda: 1 / (1 + np.exp(-z2)))
    y = values["y"]
    return float(np.sum(-(y * np.log(p) + (1 - y) * np.log(1 - p))))


def gradient(values: dict[str, Array], name: str) -> Array:
    result = np.zeros_like(values[name])
    for place in np.ndindex(*result.shape):
        losses = []
        for shift in (STEP, -STEP):
            moved = {key: value.copy() for key, value in values.items()}
            moved[name][place] += shift
            losses.append(forward(moved, name))
        result[place] = (losses[0] - losses[1]) / (2 * STEP)
    return result


def assert_counterexample_recomputes(claim: JudgedClaim) -> None:
    example: dict[str, Any] = claim_json(claim)["counterexample"]
    values = {name: np.array(value, float) for name, value in example["symbols"].items()}
    before = {name: value.copy() for name, value in values.items()}
    forward(values)
    for name in ("Z^{[1]}", "a^{[1]}", "Z^{[2]}", r"\hat{y}"):
        np.testing.assert_allclose(values[name], before[name], rtol=1e-12)
    of = {192: "Z^{[2]}", 195: "W^{[2]}", 197: "b^{[2]}", 201: "Z^{[1]}", 205: "W^{[1]}", 207: "b^{[1]}"}
    derived = gradient(values, of[claim.place.line])
    np.testing.assert_allclose(derived, example["derived"], atol=1e-8)
    assert np.max(np.abs(np.array(example["claimed"]) - derived)) > 1e-4, "the two sides differ visibly"


def test_a_softmax_written_out_by_class_is_judged_under_one_hot_targets(tmp_path: Path) -> None:
    page = tmp_path / "softmax.md"
    page.write_text(
        "For class $k$: $z_k = w_k^\\top x + b_k$ and $p_k = \\frac{e^{z_k}}{\\sum_j e^{z_j}}$.\n\n"
        "$$ L = -\\sum_k y_k \\log p_k $$\n$$ \\frac{\\partial L}{\\partial z_k} = p_k - y_k $$\n"
        "$$ \\frac{\\partial L}{\\partial z_k} = y_k - p_k $$\n",
        encoding="utf-8",
    )
    right, wrong = judged(page)
    assert right.verdict.verdict == "proved"
    assert any("one-hot" in assumption for assumption in right.verdict.assumptions)
    assert wrong.verdict.verdict == "refuted"


@pytest.mark.parametrize(
    ("claim", "holds"), [("(p_j - y_j) x", True), ("(p_j - y_j) x^T", False), ("(y_j - p_j) x", False)]
)
def test_the_gradient_of_one_class_s_weights_is_judged(tmp_path: Path, claim: str, holds: bool) -> None:
    page = tmp_path / "classes.md"
    page.write_text(
        "$$ z_j = w_j^T x + b_j $$\n$$ p_j = \\text{softmax}(z_j) $$\n$$ L = -\\sum_j y_j \\log(p_j) $$\n"
        f"$$ \\frac{{\\partial L}}{{\\partial w_j}} = {claim} $$\n",
        encoding="utf-8",
    )
    (judgement,) = judged(page)
    assert judgement.verdict.verdict in (("proved",) if holds else ("refuted", "ill-typed"))


@pytest.mark.parametrize("claim", ["x (p - y)", "(p - y) x", "(p - y)^T x"])
def test_a_wrong_claim_has_no_say_in_what_is_a_vector(tmp_path: Path, claim: str) -> None:
    page = tmp_path / "kinds.md"
    page.write_text(
        "$$ z = W x + b $$\n$$ p = \\text{softmax}(z) $$\n$$ L = -\\sum_j y_j \\log(p_j) $$\n"
        f"$$ \\frac{{\\partial L}}{{\\partial W}} = {claim} $$\n",
        encoding="utf-8",
    )
    (judgement,) = judged(page)
    assert judgement.verdict.verdict == "ill-typed"
