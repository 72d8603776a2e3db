"""Worked derivations: a chain over several lines, judged as a teacher does. The first wrong line is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cli import run, write

from derive.claims.in_model import JudgedClaim
from derive.workbook import Workbook

MODEL = r"""# Least squares

Let $W \in \mathbb{R}^{m \times n}$, $x \in \mathbb{R}^n$, $t \in \mathbb{R}^m$.

$$ e = W x - t $$
$$ L = \frac{1}{2} e^T e $$

"""
FIRST = 9  # the line of the file at which a derivation begins, after \begin{align}


def derivation(*links: str, left: str = r"\frac{\partial L}{\partial x}") -> str:
    rows = r" \\".join(f"\n  &= {link}" for link in links).replace("\n  ", left + " ", 1)
    return f"\\begin{{align}}\n{rows}\n\\end{{align}}\n"


def judged(folder: Path, text: str, model: str = MODEL) -> list[JudgedClaim]:
    return list(Workbook(write(folder, model + text)).judged())


def words(claims: list[JudgedClaim]) -> list[str]:
    return [claim.verdict.verdict for claim in claims]


def test_each_link_stands_at_a_line_and_column_of_its_own(tmp_path: Path) -> None:
    claims = judged(tmp_path, derivation("W^T e", "W^T (W x - t)", "W^T W x - W^T t"))
    assert [(c.place.line, c.place.column) for c in claims] == [(FIRST, 1), (FIRST + 1, 4), (FIRST + 2, 4)]
    assert words(claims) == ["proved"] * 3
    assert not any("first wrong" in claim.verdict.reason for claim in claims)


def test_a_sign_at_the_end_of_a_row_leaves_its_link_to_the_next_row(tmp_path: Path) -> None:
    rows = "$$\n\\begin{aligned}\nW^T e + 0 = \\\\\nW^T e = \\\\\nW^T (W x - t)\n\\end{aligned}\n$$\n"
    claims = judged(tmp_path, rows.replace("W^T e + 0", r"\frac{\partial L}{\partial x}"))
    assert [(c.place.line, c.rhs) for c in claims] == [(10, "W^{T} e"), (12, r"W^{T} \left(W x - t\right)")]


def test_an_error_that_is_carried_on_is_named_once(tmp_path: Path) -> None:
    links = ("W^T e", "W^T (W x + t)", "W^T W x + W^T t", "W^T t + W^T W x")
    claims = judged(tmp_path, derivation(*links))
    assert words(claims) == ["proved", "refuted", "refuted", "refuted"]
    wrong, *carried = claims[1:]
    assert wrong.verdict.diagnosis is not None and "first wrong" not in wrong.verdict.reason
    for claim in carried:
        assert "it follows from the line before, which is wrong; the first wrong line is 10" in claim.verdict.reason
        assert claim.verdict.diagnosis is None and claim.verdict.counterexample is not None


def test_a_second_error_below_the_first_is_another_error(tmp_path: Path) -> None:
    claims = judged(tmp_path, derivation("W^T e", "W^T (W x + t)", "W^T W x + 2 W^T t", "2 W^T t + W^T W x"))
    assert words(claims) == ["proved", "refuted", "refuted", "refuted"]
    assert "another error; the first wrong line is 10" in claims[2].verdict.reason
    assert "it follows from the line before" in claims[3].verdict.reason


def test_errors_that_cancel_leave_the_result_right_and_the_first_wrong_line_named(tmp_path: Path) -> None:
    page = write(tmp_path, MODEL + derivation("W^T e", "W^T (W x + t)", "W^T W x - W^T t", "W^T (W x - t)"))
    claims = list(Workbook(page).judged())
    assert words(claims) == ["proved", "refuted", "proved", "proved"]
    assert "second error" in claims[2].verdict.reason and "the first wrong line is 10" in claims[2].verdict.reason
    assert "first wrong" not in claims[3].verdict.reason
    report = run("check", page)
    assert report.exit_code == 1
    assert "first wrong line: 10; line 11 holds again, by a second error" in report.output


def test_a_shape_that_does_not_fit_is_no_reason_to_blame_the_lines_below(tmp_path: Path) -> None:
    claims = judged(tmp_path, derivation("W^T e", "W e", "W (W x - t)"))
    assert words(claims) == ["proved", "ill-typed", "ill-typed"]
    assert "another error" not in claims[2].verdict.reason
    assert "first wrong line is 10" in claims[2].verdict.reason


def test_links_on_one_line_are_told_by_their_columns(tmp_path: Path) -> None:
    page = write(tmp_path, MODEL + r"$\frac{\partial L}{\partial x} = -W^T e = -W^T (W x - t)$" + "\n")
    one, other = Workbook(page).judged()
    assert one.place.line == other.place.line and one.place.column < other.place.column
    assert f"the first wrong link is at line 8, column {one.place.column}" in other.verdict.reason
    assert f"first wrong line: 8, column {one.place.column}" in run("check", page).output


def test_a_line_that_was_not_read_above_the_first_wrong_one_is_said(tmp_path: Path) -> None:
    page = write(tmp_path, MODEL + derivation("W^T e", r"\foo", "-W^T e"))
    assert "first wrong line: 11; line 10 is unread" in run("check", page).output


def test_a_chain_that_goes_on_in_the_next_formula_is_the_same_chain(tmp_path: Path) -> None:
    text = "$$ \\frac{\\partial L}{\\partial x} = -W^T e $$\n\nand so\n\n$$ = -W^T (W x - t) $$\n"
    one, other = judged(tmp_path, text)
    assert one.verdict.diagnosis is not None and other.verdict.diagnosis is None
    assert "it follows from the line before" in other.verdict.reason


ALONE = [
    (r"\frac{d}{dx} (x^T A x)", ["A x + A^T x", "(A + A) x", "2 A x", "A x + A x"]),
    (r"\frac{d}{dv} (p - u v)^2", ["-2 (p - u v) u", "2 (p - u v) u", "2 p u - 2 u^2 v", "-2 u^2 v + 2 u p"]),
    (r"\sigma'(z)", [r"\sigma(z) (1 - \sigma(z))", r"\sigma(z) - 2 \sigma(z)^2", r"\sigma(z) (1 - 2 \sigma(z))"]),
]


@pytest.mark.parametrize(("left", "links"), ALONE)
def test_a_derivation_without_a_model_is_judged_in_the_same_way(left: str, links: list[str], tmp_path: Path) -> None:
    claims = judged(tmp_path, derivation(*links, left=left), "# Rules\n\n")
    assert words(claims) == ["proved", *["refuted"] * (len(links) - 1)]
    assert all("it follows from the line before" in claim.verdict.reason for claim in claims[2:])


def test_of_a_chain_in_a_claims_file_the_first_false_link_counts(tmp_path: Path) -> None:
    claim = r"\frac{\partial L}{\partial x} = W^T e = -W^T e = W e"
    file = tmp_path / "claims.jsonl"
    symbols = {"W": {"shape": ["m", "n"]}, "x": {"shape": ["n"]}, "t": {"shape": ["m"]}}
    model = ["e = W x - t", r"L = \frac{1}{2} e^T e"]
    file.write_text(json.dumps({"model": model, "symbols": symbols, "claim": claim}), encoding="utf-8")
    answer = json.loads(run("check", file).output)
    assert (answer["verdict"], answer["rhs"]) == ("refuted", "-W^{T} e")


def test_the_claims_of_a_report_are_numbered_in_the_order_of_the_page(tmp_path: Path) -> None:
    lines = run("check", write(tmp_path, MODEL + derivation("W^T e", "-W^T e"))).output.splitlines()
    assert "  1 ✓ proved    line 9    ∂L/∂x = Wᵀ e" in lines
    assert "  2 ✗ refuted   line 10   ∂L/∂x = -Wᵀ e" in lines


def test_a_sheet_lists_each_link_with_its_verdict(tmp_path: Path) -> None:
    sheet = run("sheet", write(tmp_path, MODEL + derivation("W^T e", "-W^T e"))).output
    assert "proved, line 9." in sheet and "refuted, line 10." in sheet
