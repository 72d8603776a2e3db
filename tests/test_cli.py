"""The command as users and scripts rely on it: exit codes, one line for what went wrong, nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from derive.cli import COMMANDS, main

EXAMPLES = Path(__file__).parents[1] / "examples"
PAGE = EXAMPLES / "cat_detection.md"


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def assert_refused(result: Result, *expected: str) -> None:
    """One line on stderr that holds the words, exit code 2, no traceback."""
    assert result.exit_code == 2, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("derive: "), result.stderr
    for word in expected:
        assert word in lines[0], lines[0]


def assert_same(one: Path, other: Path) -> None:
    """Two files that hold the same arrays."""
    with np.load(one) as first, np.load(other) as second:
        assert all((first[name] == second[name]).all() for name in first.files)


def write(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    return page


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)).astype(np.float32)
    path = tmp_path / "data.npz"
    np.savez(path, x=x, y=(x.sum(axis=1) > 0).astype(np.int64))
    return path


def test_the_list_of_commands_is_that_of_their_files() -> None:
    for name, (_, words) in COMMANDS.items():
        command = main.get_command(click.Context(main), name)
        assert command is not None and command.name == name and len(words) <= 66
    assert run("nonsense").exit_code == 2


@pytest.mark.parametrize("name", ["", "sheet", "check", "compile", "train", "export", "serve"])
def test_help_fits_a_terminal(name: str) -> None:
    result = run(*([name] if name else []), "--help")
    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= 80
    assert name == "serve" or "\n  derive " in result.output, "an example on a line of its own"
    assert "\\b" not in result.output


def test_a_page_whose_claims_hold_exits_with_0() -> None:
    result = run("check", PAGE)
    assert result.exit_code == 0
    assert "6 proved" in result.output


def test_a_page_with_an_error_exits_with_1_and_says_what_is_wrong(tmp_path: Path) -> None:
    page = write(tmp_path, PAGE.read_text(encoding="utf-8").replace(r"\hat{y} - y $$", r"y - \hat{y} $$"))
    result = run("check", page, "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["summary"] == {
        "proved": 5, "verified": 0, "refuted": 1, "ill-typed": 0, "undecided": 0, "unread": 0,
    }  # fmt: skip
    (claim,) = (c for c in report["claims"] if c["verdict"] == "refuted")
    assert claim["diagnosis"]["kind"] == "sign"
    assert claim["counterexample"]["claimed"] != claim["counterexample"]["derived"]


def test_an_unread_claim_exits_with_3(tmp_path: Path) -> None:
    claim = r"$$ \frac{\partial L}{\partial b^{[2]}} = \foo $$"
    page = write(tmp_path, PAGE.read_text(encoding="utf-8") + f"\n{claim}\n")
    result = run("check", page)
    assert result.exit_code == 3
    assert "unread" in result.output


@pytest.mark.parametrize("suffix", [".html", ".pdf", ".tex", ".md", ".txt", ".ipynb"])
def test_a_sheet_is_written_in_every_format(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"sheet{suffix}"
    assert run("sheet", PAGE, "-o", out).exit_code == 0
    assert out.stat().st_size > 1000


def test_train_export_and_self_test_end_to_end(tmp_path: Path, data: Path) -> None:
    params, out = tmp_path / "p.npz", tmp_path / "net.py"
    trained = run("train", PAGE, "--data", data, "--target", "numpy", "--epochs", "30", "--lr", "1", "--save", params)
    assert trained.exit_code == 0, trained.output
    assert "accuracy" in trained.output
    assert run("export", PAGE, "--params", params, "--target", "numpy", "-o", out).exit_code == 0
    done = subprocess.run([sys.executable, str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "self-test passed" in done.stdout


def test_the_same_seed_trains_the_same_parameters(tmp_path: Path, data: Path) -> None:
    files = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for file in files:
        run("train", PAGE, "--data", data, "--target", "numpy", "--epochs", "3", "--seed", "7", "--save", file)
    assert_same(*files)


def test_the_metric_and_the_profile_are_chosen(tmp_path: Path, data: Path) -> None:
    words = ["train", PAGE, "--data", data, "--epochs", "2", "--validation", "0.2"]
    judged = run(*words, "--target", "numpy", "--metric", "R2")
    assert judged.exit_code == 0, judged.output
    assert "R2 on 40 held-out samples" in judged.stdout and "accuracy" not in judged.output
    if any(map(shutil.which, ("gcc", "clang"))):
        exact = run(*words, "--profile", "exact")
        assert exact.exit_code == 0, exact.output
    assert_refused(run(*words, "--profile", "quick"), "profile", "fast", "exact")


def test_a_training_on_the_command_line_stops_early_and_goes_on(tmp_path: Path, data: Path) -> None:
    point, out = tmp_path / "c.npz", tmp_path / "p.npz"
    words = ["train", PAGE, "--data", data, "--target", "numpy", "--lr", "0.5", "--schedule", "step:every=9epochs"]
    words += ["--optimizer", "momentum", "--weight-decay", "0.01", "--validation", "0.3", "--seed", "2"]
    whole = run(*words, "--epochs", "80", "--patience", "3", "--save", out)
    assert whole.exit_code == 0, whole.output
    assert "weight decay 0.01 on W1, W2; not on b1, b2, only added" in whole.stderr
    assert "the last 3 no better: stopped early" in whole.stdout
    assert "accuracy on 60 held-out samples" in whole.stdout and "parameters   " in whole.stdout
    run(*words, "--epochs", "2", "--patience", "3", "--checkpoint", point)
    rest = run(*words, "--epochs", "80", "--patience", "3", "--resume", point, "--save", tmp_path / "q.npz")
    without_time = [result.stdout.split("seconds")[0] for result in (whole, rest)]
    assert without_time[0] == without_time[1]
    assert_same(out, tmp_path / "q.npz")
    assert_refused(run("-q", *words, "--epochs", "9", "--lr", "1", "--resume", point), "c.npz", "its lr is 0.5", "1.0")


def test_a_file_of_validation_samples_and_a_test_that_waits_for_the_end(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3))
    y = (x.sum(axis=1) > 0).astype(int)
    np.savez(tmp_path / "d.npz", x=x[:80], y=y[:80], x_test=x[110:], y_test=y[110:])
    np.savez(tmp_path / "v.npz", x=x[80:110], y=y[80:110])
    words = ["train", PAGE, "--data", tmp_path / "d.npz", "--target", "numpy", "--epochs", "4"]
    judged = run(*words, "--validation", tmp_path / "v.npz", "--patience", "9")
    assert judged.exit_code == 0, judged.output
    assert "accuracy on 30 held-out samples" in judged.stdout and "accuracy on 10 test samples" in judged.stdout
    alone = run(*words, "--validation", "0").stdout
    assert "accuracy on 80 training samples" in alone and "held-out" not in alone
    assert "accuracy on 10 held-out samples" in run(*words).stdout
    assert_refused(run(*words, "--patience", "9"), "--patience", "test", "--validation 0.2")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--lr", "-1"], ["--lr: met -1.0", "above 0"]),
        (["--lr", "fast"], ["--lr", "fast", "derive train --help", "float"]),
        (["--epochs", "0"], ["--epochs: met 0", "at least 1"]),
        (["--batch", "0"], ["--batch: met 0"]),
        (["--seed", "-3"], ["--seed: met -3"]),
        (["--patience", "0"], ["--patience: met 0"]),
        (["--patience", "2", "--validation", "0"], ["--patience: there are no validation samples"]),
        (["--validation", "1.5"], ["--validation: met 1.5"]),
        (["--validation", "0.001"], ["--validation: 0.001 of 200 samples leaves none to validate with"]),
        (["--validation", "none.npz"], ["none.npz"]),
        (["--schedule", "wobble"], ["--schedule: met wobble", "cosine"]),
        (["--schedule", "cosine"], ["--schedule: it warms up"]),
        (["--weight-decay", "-1"], ["--weight-decay: met -1.0"]),
        (["--optimizer", "lion"], ["lion", "adam"]),
        (["--resume", "none.npz"], ["none.npz", "No such file"]),
        (["--frobnicate"], ["--frobnicate"]),
    ],
)
def test_a_setting_that_cannot_be_is_one_line(words: list[str], expected: list[str], data: Path) -> None:
    words = ["cosine:warmup=500epochs" if word == "cosine" else word for word in words]
    assert_refused(run("-q", "train", PAGE, "--data", data, "--target", "numpy", *words), *expected)


def test_compile_numbers_each_line_by_its_equation_on_the_sheet(tmp_path: Path) -> None:
    sheet = run("sheet", PAGE).output
    code = run("compile", PAGE, "--target", "numpy").stdout
    assert r"# (1.26) \Delta^{[2]}" in code
    assert "(1.26)" in sheet


MODEL = """
from derive import Model, log, matrix, softmax, tanh, total, vector

model = Model("Tiny")
h = model.define("h", tanh(matrix("W", "m", "n") @ vector("x", "n")))
p = model.define("p", softmax(matrix("V", 2, "m") @ h))
model.define("L", -total(vector("y", 2) * log(p)))
"""


def test_a_python_file_that_defines_a_model_is_a_source(tmp_path: Path, data: Path) -> None:
    source = tmp_path / "tiny.py"
    source.write_text(MODEL, encoding="utf-8")
    assert r"✓" in run("sheet", source).output
    trained = run("train", source, "--data", data, "--target", "numpy", "--epochs", "2")
    assert trained.exit_code == 0, trained.output
    assert run("sheet", f"{source}:model").exit_code == 0
    assert_refused(run("sheet", f"{source}:other"), "other", "model")


# ---- bad input -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("command", ["sheet", "check", "compile"])
def test_a_page_that_is_not_there(command: str) -> None:
    assert_refused(run(command, "nowhere.md"), "nowhere.md")


@pytest.mark.parametrize("command", ["sheet", "compile"])
def test_an_unreadable_formula(tmp_path: Path, command: str) -> None:
    page = write(tmp_path, "# A\n$$ z = w^T x + b $$\n$$ L = \\foo{z} = (y - z)^2 $$\n")
    assert_refused(run(command, page), "page.md:3", "foo")


@pytest.mark.parametrize("command", ["sheet", "compile"])
def test_mismatched_shapes(tmp_path: Path, command: str) -> None:
    text = "$W \\in \\mathbb{R}^{h \\times n}$, $x \\in \\mathbb{R}^{m}$\n\n$$ z = W x $$\n$$ L = \\|z\\|^2 $$\n"
    assert_refused(run(command, write(tmp_path, text)), "line", "sizes")


def test_a_page_without_a_loss_cannot_be_trained(tmp_path: Path, data: Path) -> None:
    page = write(tmp_path, "# A\n$$ \\hat{y} = \\sigma(w^T x + b) $$\n")
    assert_refused(run("train", page, "--data", data), "loss")
    assert run("sheet", page).exit_code == 0, "its sheet holds for any loss"


@pytest.mark.parametrize("command", ["sheet", "check", "compile"])
def test_two_definitions_of_one_name(tmp_path: Path, command: str) -> None:
    page = write(tmp_path, "# A\n$$ z = w^T x + b $$\n$$ z = v^T x $$\n$$ L = (y - z)^2 $$\n")
    assert_refused(run(command, page), "z", "line 2", "line 3")


def test_data_that_are_missing_or_misnamed(tmp_path: Path, data: Path) -> None:
    assert_refused(run("train", PAGE, "--data", tmp_path / "none.npz"), "none.npz")
    assert_refused(run("train", PAGE, "--data", data, "--bind", "x=pictures"), "pictures", "x", "y")
    assert_refused(run("train", PAGE, "--data", data, "--bind", "q=x"), "q")
    other = tmp_path / "other.npz"
    np.savez(other, a=np.zeros((5, 2)), b=np.zeros(5))
    assert_refused(run("train", PAGE, "--data", other), "--bind")


def test_data_with_nan(tmp_path: Path) -> None:
    path = tmp_path / "nan.npz"
    np.savez(path, x=np.array([[1.0, np.nan], [0.0, 1.0]]), y=np.array([0, 1]))
    assert_refused(run("train", PAGE, "--data", path), "x", "row")


def test_data_of_the_wrong_shape(tmp_path: Path) -> None:
    path = tmp_path / "shape.npz"
    np.savez(path, x=np.zeros((4, 2)), y=np.zeros(5))
    assert_refused(run("train", PAGE, "--data", path), "4", "5")


def test_an_output_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path, data: Path) -> None:
    nowhere = tmp_path / "missing"
    assert_refused(run("sheet", PAGE, "-o", nowhere / "s.html"), "missing")
    assert_refused(run("train", PAGE, "--data", data, "--save", nowhere / "p.npz"), "missing")
    assert_refused(run("compile", PAGE, "-o", nowhere / "t.c"), "missing")
    assert_refused(run("sheet", PAGE, "-o", tmp_path), "ending")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.npz"]


def test_an_unknown_ending_target_or_section() -> None:
    assert_refused(run("sheet", PAGE, "-o", "sheet.doc"), ".html")
    assert_refused(run("compile", PAGE, "--target", "fortran"), "fortran", "numpy", "c")
    assert_refused(run("compile", PAGE, "--target", "jax"), "jax")
    assert_refused(run("sheet", PAGE, "--section", "Dogs"), "Dogs")
    assert_refused(run("serve"), "serve")
    assert_refused(run("check", "claims.jsonl"), "claims.jsonl")


def test_parameters_of_another_model(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    np.savez(path, W1=np.zeros((2, 2), np.float32))
    assert_refused(run("export", PAGE, "--params", path, "-o", tmp_path / "n.c"), "b1")
    path.write_bytes(b"not a file of parameters")
    assert_refused(run("export", PAGE, "--params", path, "-o", tmp_path / "n.c"), "p.npz")


# ---- reproducible ----------------------------------------------------------------------------------------------------
SCRIPT = """
import json, sys
import numpy as np
from derive.cli import main
from click.testing import CliRunner
for words in (["sheet"], ["compile", "--target", "c"], ["compile", "--target", "numpy"], ["check", "--json"]):
    out = CliRunner().invoke(main, [words[0], sys.argv[1], *words[1:]]).stdout
    if words[0] == "check":
        report = json.loads(out)
        [claim.pop("seconds") for claim in report["claims"]]
        out = json.dumps(report)
    print(out)
words = "--epochs 2 --optimizer adam --weight-decay 0.1 --schedule cosine --target numpy --save p.npz".split()
CliRunner().invoke(main, ["train", sys.argv[1], "--data", sys.argv[2], *words], catch_exceptions=False)
with np.load("p.npz") as trained:
    print({name: trained[name].tobytes().hex() for name in trained.files})
"""


def test_the_same_page_gives_the_same_text_and_training_under_any_hash_seed(tmp_path: Path, data: Path) -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(PAGE), str(data)], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(EXAMPLES.parent)}, cwd=tmp_path,
        ).stdout
        for seed in ("0", "1", "2")
    }  # fmt: skip
    assert len(outputs) == 1
