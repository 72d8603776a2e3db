r"""Claims files: one claim a line, the shapes of its symbols told. No true claim is refuted, no false one proved."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_cli import assert_refused, run

from derive.cases.claims_file import Entry, load_entries
from derive.claims.entries import judge_entries
from derive.claims.in_model import JudgedClaim

CORPUS = Path(__file__).parents[2] / "shared" / "corpus" / "claims.jsonl"
GOOD, FALSE, OPEN = ("proved", "verified"), ("refuted", "ill-typed"), ("undecided", "unread")


def entry(claim: str, *model: str, layout: str = "", **shapes: str) -> dict[str, Any]:
    """An entry; a shape is written `h n`, a domain behind a bar, and names stand for LaTeX as the table has it."""
    symbols = {}
    for name, told in shapes.items():
        lengths, _, domain = told.partition("|")
        shape = [int(word) if word.isdigit() else word for word in lengths.split()]
        symbols[LATEX.get(name, name)] = {"shape": shape} | ({"domain": domain} if domain else {})
    return {"claim": claim, "model": list(model), "symbols": symbols} | ({"layout": layout} if layout else {})


LATEX = {
    "W1": "W^{[1]}", "W2": "W^{[2]}", "b1": "b^{[1]}", "b2": "b^{[2]}", "theta": r"\theta", "Xi": "x^{(i)}",
    "yi": "y^{(i)}", "lam": r"\lambda", "wij": "w_{ij}", "wjk": "w_{jk}", "bold_x": r"\mathbf{x}", "eps": r"\epsilon",
    "bold_A": r"\mathbf{A}", "zl": "z^l", "wl1": "w^{l+1}", "gamma": r"\gamma", "bi": "b_i", "bj": "b_j", "xj": "x_j",
}  # fmt: skip


def judged(found: dict[str, Any], folder: Path) -> JudgedClaim:
    path = folder / "claims.jsonl"
    path.write_text(json.dumps(found))
    (claim,) = judge_entries(load_entries(path))
    return claim


MLP = (r"z = W^{[1]} x + b^{[1]}", r"a = \sigma(z)", r"u = W^{[2]} a + b^{[2]}", r"L = \frac{1}{2} \|u - y\|^2")
SIZES = {"W1": "h n", "b1": "h", "W2": "k h", "b2": "k", "x": "n", "y": "k"}
COLUMNS = {"W1": "h n", "b1": "h 1", "W2": "k h", "b2": "k 1", "x": "n 1", "y": "k 1"}
ROWS = (r"Z = X W + b", r"A = \sigma(Z)", r"J = \frac{1}{2} \|A - Y\|^2")
LAYER = (r"z^l = w^l a^{l-1} + b^l", r"a^l = \sigma(z^l)", r"\delta^l = \frac{\partial C}{\partial z^l}")

TRUE = [
    # a model with all shapes told; columns may be written n x 1
    entry(r"\frac{\partial L}{\partial W^{[2]}} = (u - y) a^T", *MLP, **SIZES),
    entry(r"\frac{\partial L}{\partial W^{[1]}} = (W^{[2]T} (u - y) \odot \sigma'(z)) x^T", *MLP, **COLUMNS),
    entry(r"\frac{\partial L}{\partial W^{[2]}_{ij}} = (u_i - y_i) a_j", *MLP, **SIZES),
    # what is differentiated is written out
    entry(r"\nabla_x (x^T A x) = (A + A^T) x", x="n", A="n n"),
    entry(r"\frac{d}{dX} \|A - U X\|_F^2 = -2 U^T (A - U X)", A="m n", U="m r", X="r n"),
    entry(r"\frac{\partial \ln |X|}{\partial X} = X^{-1}", layout="numerator", X="n n"),
    entry(r"\nabla_{\mathbf{x}} \mathbf{A} \mathbf{x} = \mathbf{A}^\top", layout="denominator", bold_A="m n",
          bold_x="n"),
    entry(r"\frac{\partial \mathbf{A} \mathbf{x}}{\partial \mathbf{x}} = \mathbf{A}", layout="numerator", bold_A="m n",
          bold_x="n"),
    # quantities written as functions
    entry(r"\frac{\partial J}{\partial \theta} = X^T X \theta - X^T y",
          r"J(\theta) = \frac{1}{2} (X \theta - y)^T (X \theta - y)", X="m n", theta="n", y="m"),
    entry(r"\frac{\partial}{\partial \theta} J(\theta) = X^T (X \theta - y)",
          r"J(\theta) = \frac{1}{2} (X \theta - y)^T (X \theta - y)", X="m n", theta="n", y="m"),
    # functions of one number are functions of each entry
    entry(r"\frac{d}{dx} s(x) = s(x) (1 - s(x))", r"s(x) = \frac{1}{1 + \exp(-x)}", x="n"),
    entry(r"s'(x) = s(x) (1 - s(x))", r"s(x) = \frac{1}{1 + e^{-x}}", x=""),
    # in indices, and samples counted above
    entry(r"\frac{\partial E}{\partial w_{ij}} = 2 (y_j - t_j) x_i",
          r"y_j = \sum_i w_{ij} x_i", r"E = \sum_j (y_j - t_j)^2", wij="n m", x="n", t="m"),
    entry(r"\frac{\partial J}{\partial \theta} = \frac{1}{m} \sum_{i=1}^m (\theta^T x^{(i)} - y^{(i)}) x^{(i)}",
          r"J = \frac{1}{2 m} \sum_{i=1}^m (\theta^T x^{(i)} - y^{(i)})^2", theta="n", Xi="m n", yi="m"),
    # letters that tell two arrays apart
    entry(r"\frac{\partial E}{\partial w_{ij}} = \sum_k (a_k - t_k) w_{jk} x_i", r"z_j = \sum_i x_i w_{ij}",
          r"a_k = \sum_j z_j w_{jk}", r"E = \frac{1}{2} \sum_k (a_k - t_k)^2", wij="d h", wjk="h k", x="d", t="k"),
    # a bias beside all samples
    entry(r"\frac{\partial J}{\partial W} = X^T ((A - Y) \odot \sigma'(Z))", *ROWS, X="N d", W="d k", b="k", Y="N k"),
    # any loss downstream, called by any name
    entry(r"\frac{\partial J}{\partial x} = W^T \frac{\partial J}{\partial y}", "y = W x + b", W="m n", x="n", b="m"),
    entry(r"\frac{\partial J}{\partial W} = \frac{\partial J}{\partial o} x^T + \lambda W", "o = W x",
          "J = l(o, y) + s", r"s = \frac{\lambda}{2} \|W\|_F^2", W="q d", x="d", lam="|positive"),
    # layers without brackets
    entry(r"\delta^l = ((w^{l+1})^T \delta^{l+1}) \odot \sigma'(z^l)", *LAYER, zl="h 1", wl1="q h"),
    # fonts
    entry(r"\frac{\partial L}{\partial \mathbf{x}} = 2 \mathbf{x}", r"L = \sum_i x_i^2", bold_x="n"),
    # a statistic beside each entry
    entry(r"\frac{\partial L}{\partial \gamma} = \frac{\partial L}{\partial y} \odot \hat{x}",
          r"\mu = \frac{1}{H} \sum_{i=1}^H x_i", r"\sigma^2 = \frac{1}{H} \sum_{i=1}^H (x_i - \mu)^2",
          r"\hat{x} = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}", r"y = \gamma \odot \hat{x}", x="d", gamma="d",
          eps="|positive"),
]  # fmt: skip
WRONG = [
    entry(r"\frac{\partial L}{\partial W^{[2]}} = (u - y) a", *MLP, **SIZES),
    entry(r"\frac{\partial L}{\partial W^{[2]}} = -(u - y) a^T", *MLP, **COLUMNS),
    entry(r"\frac{\partial L}{\partial W^{[2]}_{ij}} = (u_j - y_j) a_i", *MLP, **SIZES),
    entry(r"\frac{\partial L}{\partial W^{[1]}} = (W^{[2]T} (u - y) \odot \sigma'(a)) x^T", *MLP, **SIZES),
    entry(r"\nabla_x (x^T A x) = 2 A x", x="n", A="n n"),
    entry(r"\frac{d}{dX} \|A - U X\|_F^2 = -2 (A - U X) U^T", A="m n", U="m r", X="r n"),
    entry(r"\nabla_{\mathbf{x}} \mathbf{A} \mathbf{x} = \mathbf{A}", layout="denominator", bold_A="m n", bold_x="n"),
    entry(r"\frac{\partial \|W x + b\|_2^2}{\partial W} = 2 (W x + b) x^\top", layout="numerator", W="m n", x="n",
          b="m"),
    entry(r"s'(x) = s(x) (1 + s(x))", r"s(x) = \frac{1}{1 + e^{-x}}", x=""),
    entry(r"\frac{\partial J}{\partial \theta} = \sum_{i=1}^m (\theta^T x^{(i)} - y^{(i)}) x^{(i)}",
          r"J = \frac{1}{2 m} \sum_{i=1}^m (\theta^T x^{(i)} - y^{(i)})^2", theta="n", Xi="m n", yi="m"),
    entry(r"\frac{\partial J}{\partial x} = W \frac{\partial J}{\partial y}", "y = W x + b", W="m n", x="n", b="m"),
    entry(r"\frac{\partial J}{\partial W} = \frac{\partial J}{\partial o} x^T", "o = W x", "J = l(o, y) + s",
          r"s = \frac{\lambda}{2} \|W\|_F^2", W="q d", x="d", lam="|positive"),
    entry(r"\delta^l = (w^{l+1} \delta^{l+1}) \odot \sigma'(z^l)", *LAYER, zl="h 1", wl1="q h"),
]  # fmt: skip
LEFT_OPEN = [
    (entry(r"\frac{\partial L}{\partial W} = 2 x", r"L = \|z\|^2", W="m n", x="n", z="m"), "does not lead"),
    (entry(r"\frac{\partial E}{\partial z} = y - z", z="n", y="n"), "is not defined"),
    (entry(r"\frac{\partial L}{\partial x} = 2 x + c", r"L = \|x\|^2", x="n"), "$c$ is not defined"),
    (entry(r"\frac{\partial L}{\partial x} = 3 x", r"L = \|x\|^2 + \|v\|^2", x="n"), "nothing is said of $v$"),
    (entry(r"\frac{\partial L}{\partial x}", r"L = \|x\|^2", x="n"), "no equation"),
    (entry(r"\frac{\partial L}{\partial x = 2 x", r"L = \|x\|^2", x="n"), "never closed"),
]  # fmt: skip


def name_of(found: Any) -> str:
    return str(found["claim"])


@pytest.mark.parametrize("found", TRUE, ids=name_of)
def test_a_true_claim_holds(found: dict[str, Any], tmp_path: Path) -> None:
    verdict = judged(found, tmp_path).verdict
    assert verdict.verdict in GOOD, verdict


@pytest.mark.parametrize("found", WRONG, ids=name_of)
def test_a_wrong_claim_is_refuted(found: dict[str, Any], tmp_path: Path) -> None:
    verdict = judged(found, tmp_path).verdict
    assert verdict.verdict in FALSE, verdict
    if verdict.verdict == "refuted":
        assert verdict.counterexample is not None
        claimed, derived = (np.array(side) for side in (verdict.counterexample.claimed, verdict.counterexample.derived))
        assert not np.allclose(claimed, derived)


@pytest.mark.parametrize(("found", "reason"), LEFT_OPEN, ids=[name_of(found) for found, _ in LEFT_OPEN])
def test_what_an_entry_leaves_open_is_not_called_false(found: dict[str, Any], reason: str, tmp_path: Path) -> None:
    verdict = judged(found, tmp_path).verdict
    assert verdict.verdict == "unread" and reason in verdict.reason, verdict


# ---------------------------------------------------------------- the command
def test_check_answers_with_one_object_a_line_in_order(tmp_path: Path) -> None:
    path = tmp_path / "claims.jsonl"
    three = [{"id": f"c{k}", **found} for k, found in enumerate((TRUE[0], WRONG[1], LEFT_OPEN[0][0]))]
    path.write_text("\n".join(map(json.dumps, three)) + "\n\n")
    done = run("check", path)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["id"] for line in lines] == ["c0", "c1", "c2"] and done.exit_code == 1
    assert [line["verdict"] for line in lines] == ["proved", "refuted", "unread"]
    assert lines[1]["diagnosis"]["kind"] == "sign" or "sign" in lines[1]["diagnosis"]["kind"]
    assert set(lines[0]) == {
        "id", "line", "column", "latex", "lhs", "rhs", "verdict", "assumptions", "reason", "seconds", "counterexample",
        "diagnosis",
    }  # fmt: skip
    path.write_text(json.dumps(three[0]))
    assert run("check", path).exit_code == 0
    path.write_text(json.dumps(three[2]))
    assert run("check", path).exit_code == 3


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "1: "), ("[]", "expected an object"), ('{"model": []}', "claim"),
        ('{"claim": "a = b", "model": "x"}', "model"),
        ('{"claim": "a = b", "symbols": {"x": 3}}', "symbols"), ('{"claim": "a = b", "layout": "column"}', "layout"),
        ("[" * 100_000, "1: "),
    ],
)  # fmt: skip
def test_what_is_no_claim_is_refused_by_line(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "claims.jsonl"
    path.write_text(line)
    assert_refused(run("check", path), said)


@pytest.mark.parametrize("shape", [["n*"], ["__import__('os')"], [""], ["n+1"], [{"n": 1}], ["1e9"]])
def test_a_size_that_is_none_is_unread(shape: list[Any], tmp_path: Path) -> None:
    found = {"claim": r"\nabla_x \|x\|^2 = 2 x", "symbols": {"x": {"shape": shape}}}
    assert judged(found, tmp_path).verdict.verdict == "unread"


def test_a_claims_file_is_for_check_alone(tmp_path: Path) -> None:
    path = tmp_path / "claims.jsonl"
    path.write_text(json.dumps(TRUE[0]))
    assert_refused(run("sheet", path), "derive check")


# ---------------------------------------------------------------- real claims
LAYOUT = {
    "grad": "gradient", "gradT": "numerator", "jac": "numerator", "jacT": "denominator", "hess": "hessian",
    "dir": "directional", "val": "value", "ew": "gradient",
}  # fmt: skip
DOMAIN = {"binary", "onehot", "unit", "index", "spd", "simplex", "sign"}


def real_entries() -> list[tuple[bool, Entry]]:
    """The corpus in the form of a claims file; what is labelled both true and false as it is written is left out."""
    if not CORPUS.exists():
        pytest.skip("the corpus of real claims is not beside this checkout")
    found = []
    for line in CORPUS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        symbols = {}
        for told in row["symbols"].values():
            kind = told["gen"].partition(":")[0]
            domain = "positive" if kind == "pos" else kind if kind in DOMAIN else "real"
            symbols[told["latex"]] = {"shape": told["shape"], "domain": domain}
        model = (*row["latex_model"], *row["latex_model_supplied"])
        claim = f"{row['latex_claim']['lhs']} = {row['latex_claim']['rhs']}"
        layout = LAYOUT.get(row["differentiates"]["layout"], "")
        found.append((row["truth"], Entry(row["id"], 1, model, claim, symbols, layout)))
    labels: dict[str, set[bool]] = {}
    for truth, item in found:
        labels.setdefault(repr((item.model, item.claim)), set()).add(truth)
    return [(truth, item) for truth, item in found if len(labels[repr((item.model, item.claim))]) == 1]


def test_no_real_claim_is_judged_wrongly() -> None:
    cases = real_entries()
    counts: Counter[tuple[bool, str]] = Counter()
    for (truth, item), claim in zip(cases, judge_entries(item for _, item in cases), strict=True):
        word = claim.verdict.verdict
        assert word not in (FALSE if truth else GOOD), (item, claim.verdict)
        counts[truth, "open" if word in OPEN else "decided"] += 1
    assert counts[True, "decided"] >= 118 and counts[False, "decided"] >= 106, counts
