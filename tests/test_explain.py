"""`derive check SOURCE --explain N`: the derivation that proves or refutes one claim, as text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cli import PAGE, assert_refused, run, write

WRONG = r"\sigma(Z^{[1]}) $$"


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """A page whose second claim lacks the derivative of the sigmoid."""
    return write(tmp_path, PAGE.read_text(encoding="utf-8").replace(r"\sigma'(Z^{[1]}) $$", WRONG))


def explained(*words: object) -> tuple[int, list[str]]:
    """The exit code, and the lines without what pads them."""
    result = run("check", *words)
    assert max(map(len, result.stdout.splitlines())) <= 80, result.stdout
    return result.exit_code, [" ".join(line.split()) for line in result.stdout.splitlines()]


def test_a_refuted_claim_shows_derivation_slip_and_counterexample(wrong: Path) -> None:
    code, lines = explained(wrong, "--explain", 2)
    assert code == 1
    assert lines[0] == "Claim 2: refuted"
    assert "refuted, line 27, column 4" in lines
    assert "- y is 0 or 1" in lines, "what was assumed"
    assert "a^[1] = σ(Z^[1]) (2)" in lines, "the model"
    assert "δ^[1] = ∂L/∂a^[1] ∘ σ'(Z^[1]) chain rule through a^[1]: df(z) = f'(z)" in lines, "a step with its rule"
    at = lines.index("Derived and claimed")
    assert lines[at + 3 : at + 8 : 3] == ["δ^[1] = (W^[2])ᵀ δ^[2] ∘ σ'(Z^[1]) ✓", "δ^[1] = (W^[2])ᵀ δ^[2] ∘ σ(Z^[1]) ✗"]
    at = lines.index("missing derivative: σ(Z^[1]) must be a derivative")
    assert lines[at + 2 : at + 4] == ["δ^[1] = (W^[2])ᵀ δ^[2] ∘ σ'(Z^[1]) ✓", "this holds"]
    assert "x [-1.2; -0.7]" in lines
    sides = [line.partition(" ")[2] for line in lines if line.startswith(("claimed [", "derived ["))]
    assert len(set(sides)) == 2


def test_only_what_leads_to_the_left_side_is_shown(wrong: Path) -> None:
    _, lines = explained(wrong, "--explain", 1)
    assert any(line.startswith("δ^[2] = ŷ - y") for line in lines)
    assert not any("δ^[1]" in line or "←" in line for line in lines)


def test_the_exit_code_is_that_of_the_claim_alone(wrong: Path) -> None:
    code, lines = explained(wrong, "--explain", 1)
    assert code == 0
    assert lines[-1] == "proved: the normal forms agree"


def test_what_was_not_understood_is_said_with_its_place(tmp_path: Path) -> None:
    claim = r"$$ \frac{\partial L}{\partial b^{[2]}} = \foo $$"
    page = write(tmp_path, PAGE.read_text(encoding="utf-8") + f"\n{claim}\n")
    code, lines = explained(page, "--explain", 7)
    assert code == 3
    assert any(line.startswith("unread, line ") and "column" in line for line in lines)
    assert any(line.startswith("unread: ") and "foo" in line for line in lines)


def test_without_a_loss_the_equations_up_to_the_given_cotangent_are_shown(tmp_path: Path) -> None:
    model = "# Layer\n\n$$ z = W x, \\quad a = \\sigma(z) $$\n\n"
    claim = r"$$ \frac{\partial L}{\partial W} = (\frac{\partial L}{\partial a} \odot \sigma'(z)) x^T $$"
    code, lines = explained(write(tmp_path, model + claim), "--explain", 1)
    assert code == 0
    assert "a = σ(z) (2)" in lines
    assert "Given from above, whatever the loss L is: ∂L/∂a." in lines


RULES = {
    r"\frac{d}{dx} (x^T A x) = (A + A) x": "∂f/∂x = (A + Aᵀ) x ✓ (2)",  # it brings its function along
    r"\frac{\partial L}{\partial w} = -\frac{\partial L}{\partial z} \frac{\partial z}{\partial w}": "refuted",
}


@pytest.mark.parametrize(("latex", "line"), RULES.items())
def test_a_claim_without_a_model_is_explained(latex: str, line: str, tmp_path: Path) -> None:
    code, lines = explained(write(tmp_path, f"# Rules\n\n$$ {latex} $$\n"), "--explain", 1)
    assert code == 1
    assert any(found.startswith(line) for found in lines)
    assert "this holds" in lines


SECOND = """# Squares

$$ L = \\frac{1}{2} x^T A x, \\quad q = B x $$

$$ %s $$
"""


@pytest.mark.parametrize(
    ("claim", "line"),
    [
        (r"\frac{\partial^2 L}{\partial x^2} = A", "∇_x² L = 1/2 A + 1/2 Aᵀ ✓"),
        (r"\frac{\partial L}{\partial x} + \frac{\partial L}{\partial x} = A x", "∂L/∂x = "),
        (r"L = \frac{1}{2} x^T A^T x", "L = "),
    ],
)
def test_other_left_sides_are_explained(claim: str, line: str, tmp_path: Path) -> None:
    code, lines = explained(write(tmp_path, SECOND % claim), "--explain", 1)
    assert code in (0, 1)
    assert any(line in found for found in lines[3:])


def test_an_entry_of_a_claims_file_is_explained(tmp_path: Path) -> None:
    symbols = {"W": {"shape": ["m", "n"]}, "x": {"shape": ["n"]}, "t": {"shape": ["m"]}}
    model = ["e = W x - t", r"L = \frac{1}{2} e^T e"]
    claims = [r"\frac{\partial L}{\partial x} = " + side for side in ("W^T e", "W e", "-W^T e")]
    file = tmp_path / "claims.jsonl"
    lines_of = [json.dumps({"model": model, "symbols": symbols, "claim": claim}) for claim in claims]
    file.write_text("\n\n".join(lines_of), encoding="utf-8")
    assert [explained(file, "--explain", n)[0] for n in (1, 2, 3)] == [0, 1, 1]
    _, lines = explained(file, "--explain", 3)
    assert lines[0] == "Claim 3: refuted"
    assert any(line.startswith("∂L/∂x = Wᵀ e ✓") for line in lines)
    assert_refused(run("check", file, "--explain", 4), "claims.jsonl has 3 claims", "from 1 to 3")


@pytest.mark.parametrize("number", [0, -1, 7])
def test_a_number_without_a_claim_is_one_line(number: int) -> None:
    assert_refused(run("check", PAGE, "--explain", number), f"--explain {number}", "has 6 claims", "from 1 to 6")


def test_an_explanation_is_text_alone(tmp_path: Path) -> None:
    for words in (["--json"], ["-o", tmp_path / "r.html"], ["--code", "layer.py:backward"]):
        assert_refused(run("check", PAGE, "--explain", 1, *words), "--explain", "leave out")
    assert not list(tmp_path.iterdir())
    assert_refused(run("check", write(tmp_path, "# Nothing\n"), "--explain", 1), "has 0 claims")


def test_a_claim_is_explained_with_the_definitions_that_it_was_judged_with(tmp_path: Path) -> None:
    text = (
        "$$u = W x, \\quad g = \\sigma(V x), \\quad h = u \\odot g$$\n\n"
        "$$L = \\frac12 \\|h - t\\|^2$$ With $e = h - t$\n\n"
        "$$\\frac{\\partial L}{\\partial u} = e \\odot u$$\n"
    )
    code, lines = explained(write(tmp_path, text), "--explain", 1)
    assert code == 1
    assert any(line.startswith("u = Wx") for line in lines)
    assert any(line.startswith("h = u ∘ g") for line in lines)
    assert any(line.startswith("∂L/∂u = e ∘ g") for line in lines)
