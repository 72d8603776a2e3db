r"""Claims of a page that say themselves what they differentiate: d/dx (x^T A x) = (A + A^T) x. No model is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cli import run

from derive.claims.in_model import JudgedClaim
from derive.workbook import Workbook

GOOD, FALSE = ("proved", "verified"), ("refuted", "ill-typed")


def claims(folder: Path, text: str) -> list[JudgedClaim]:
    page = folder / "page.md"
    page.write_text("# Rules\n\n" + text + "\n", encoding="utf-8")
    return list(Workbook(page).judged())


SHAPES_OF_VARIABLES = [
    r"\frac{\partial \mathbf{y}^T \mathbf{A} \mathbf{x}}{\partial \mathbf{x}} = \mathbf{A}^T \mathbf{y}",
    r"\frac{d}{d\mathbf{x}} (\mathbf{x}^\top \mathbf{A} \mathbf{x}) = (\mathbf{A} + \mathbf{A}^\top) \mathbf{x}",
    r"\nabla_{\mathbf{x}} \mathbf{A} \mathbf{x} = \mathbf{A}^\top",
    r"\nabla_{\mathbf{x}} \mathbf{x}^\top \mathbf{A} = \mathbf{A}",
    r"\nabla_{\mathbf{X}} \|\mathbf{X}\|_F^2 = 2 \mathbf{X}",
    r"\frac{\partial}{\partial \mathbf{V}} \|\mathbf{X} - \mathbf{U} \mathbf{V}\|_F^2 "
    r"= -2 \mathbf{U}^T (\mathbf{X} - \mathbf{U} \mathbf{V})",
]
TRANSPOSED = [
    r"\frac{d (\mathbf{x}^\top \mathbf{x})}{d\mathbf{x}} = 2 \mathbf{x}^\top",
    r"\frac{d (\mathbf{b}^\top \mathbf{x})}{d\mathbf{x}} = \mathbf{b}^\top",
    r"\frac{d \|\mathbf{W} \mathbf{x} + \mathbf{b}\|^2}{d\mathbf{W}} "
    r"= 2 \mathbf{x} (\mathbf{W} \mathbf{x} + \mathbf{b})^\top",
]
NUMBERS = [
    r"\frac{d}{dv} (x - u v)^2 = -2 (x - u v) u",
    r"\frac{d}{dx} (a x^2) = 2 a x",
    r"\frac{d}{dt} \log(1 + e^t) = \frac{e^t}{1 + e^t}",
    r"\frac{d}{dx_1} \left(\sum_i x_i\right)^2 = 2 \sum_i x_i",
]


@pytest.mark.parametrize("latex", [*SHAPES_OF_VARIABLES, *TRANSPOSED, *NUMBERS])
def test_a_true_rule_holds_alone(latex: str, tmp_path: Path) -> None:
    (claim,) = claims(tmp_path, f"$${latex}$$")
    assert claim.verdict.verdict in GOOD, claim.verdict


@pytest.mark.parametrize("latex", SHAPES_OF_VARIABLES)
def test_a_rule_with_the_other_sign_is_refuted(latex: str, tmp_path: Path) -> None:
    left, right = latex.rsplit("=", 1)
    (claim,) = claims(tmp_path, f"$${left} = -({right})$$")
    assert claim.verdict.verdict in FALSE, claim.verdict


def test_the_layout_of_a_page_is_that_in_which_more_of_its_claims_hold(tmp_path: Path) -> None:
    for usual, other, said in (
        (SHAPES_OF_VARIABLES[:3], TRANSPOSED[1], "shape of the variable"),
        (TRANSPOSED, SHAPES_OF_VARIABLES[0], "numerator"),
    ):
        *held, last = claims(tmp_path, "\n\n".join(f"$${latex}$$" for latex in (*usual, other)))
        assert {claim.verdict.verdict for claim in held} <= {*GOOD}
        assert all(any(said in text for text in claim.verdict.assumptions) for claim in held)
        assert last.verdict.verdict in FALSE  # true in the layout that this page does not use


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (r"$$\frac{\partial \mathbf{X}^T \mathbf{B} \mathbf{X}}{\partial \mathbf{X}} "
         r"= (\mathbf{B} + \mathbf{B}^T) \mathbf{X}$$", "more than two axes"),
        (r"$$\frac{\partial \mathbf{x}^T \mathbf{A} \mathbf{x}}{\partial \mathbf{x}} = 2 \mathbf{A} \mathbf{x} "
         r"\tag{if A is symmetric}$$", "condition in words"),
    ],
)  # fmt: skip
def test_what_may_hold_in_another_sense_is_not_called_false(text: str, reason: str, tmp_path: Path) -> None:
    (claim,) = claims(tmp_path, text)
    assert claim.verdict.verdict == "unread" and reason in claim.verdict.reason, claim.verdict


def test_the_shape_of_a_letter_in_one_rule_does_not_bind_it_in_another(tmp_path: Path) -> None:
    text = (
        r"For $\mathbf{A} \in \mathbb{R}^{m \times n}$ we have $\nabla_{\mathbf{x}} \mathbf{A} \mathbf{x} "
        r"= \mathbf{A}^\top$; for square matrices $\nabla_{\mathbf{x}} \mathbf{x}^\top \mathbf{A} \mathbf{x} "
        r"= (\mathbf{A} + \mathbf{A}^\top) \mathbf{x}$."
    )
    assert [claim.verdict.verdict in GOOD for claim in claims(tmp_path, text)] == [True, True]


def test_the_report_says_the_layout_and_what_was_assumed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(rf"""$${TRANSPOSED[0]}$$

$$\nabla_{{\bx}} \bx^T \bA \bx = 0$$
""")
    text, report = run("check", page).stdout, json.loads(run("check", page, "--json").stdout)
    assert "numerator layout" in " ".join(text.split()) and "numerator layout" in report["convention"]
    assert "assumed: \\bx" in text and r"\bA" in report["convention"]
