"""The main job on one page: sheet, verdicts, a trained network, and the trained function as one C file.

What you will see: the verdict on every formula of the page, the training with its accuracy on pictures held out,
and a check of the compiled gradients against central differences. In --out: `sheet.html` and `sheet.pdf`,
`verdicts.txt` and `verdicts.json`, `params.npz`, `trained.c` with its self-test, and the data.

How long: about a quarter of a minute. What it needs: scikit-learn and scikit-image for the pictures
(`pip install "derive[examples]"`), and a C compiler; without one the NumPy target serves.

    python examples/main_job.py --out out
    python examples/main_job.py notes.md --section "Logistic Regression" --data data.npz --out out
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from course import agree, derive, gradient_error, self_test

import codegen
from codegen.build import find_compiler
from codegen.errors import CompilerMissingError
from codegen.files import load_data
from codegen.split import split_held_out
from derive.workbook import Workbook

HERE = Path(__file__).parent


def judge(page: Path, out: Path) -> None:
    """Write the verdicts as text and as JSON; a page may claim something false, and the job goes on."""
    for name, option in (("verdicts.txt", ()), ("verdicts.json", ("--json",))):
        words = [sys.executable, "-m", "derive", "check", str(page), *option]
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        if done.returncode == 2:
            raise SystemExit(done.stderr.strip())
        (out / name).write_text(done.stdout, encoding="utf-8")
    print("\n$ derive check", page)
    print((out / "verdicts.txt").read_text(encoding="utf-8"), end="")


def small_batch(page: Path, section: str | None, data: Path, target: str) -> codegen.Trainer:
    """Return a trainer in float64 with a few of the samples, for the comparison of its gradients."""
    samples, _ = split_held_out(load_data(data), 0.2, 0)
    derivation = Workbook(page, section).trainable().derive(check=False)
    trainer = codegen.compile(derivation, target=target, dtype="float64", batch=16)
    return trainer.bind(**{name: array[:16] for name, array in samples.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", nargs="?", type=Path, default=HERE / "cat_detection.md")
    parser.add_argument("--data", type=Path, help="arrays for the page's symbols; without it, the cat patches")
    parser.add_argument("--section", help="words of the heading that picks one model")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    data = options.data
    if data is None:
        subprocess.run([sys.executable, str(HERE / "data.py"), "--out", str(out)], check=True)
        data = out / "cats.npz"
    section = ("--section", options.section) if options.section else ()
    try:
        find_compiler()
        target = "c"
    except CompilerMissingError as error:
        print(error, file=sys.stderr)
        target = "numpy"
    for name in ("sheet.html", "sheet.pdf"):
        derive("sheet", options.page, *section, "-o", out / name)
    judge(options.page, out)
    words = ("--data", data, "--target", target, "--epochs", str(options.epochs), "--lr", "0.5")
    derive("train", options.page, *section, *words, "--save", out / "params.npz")
    derive("export", options.page, *section, "--params", out / "params.npz", "--target", "c", "-o", out / "trained.c")
    if target == "c":
        self_test(out / "trained.c")
    print()
    trainer = small_batch(options.page, options.section, data, target)
    agree("compiled gradients against central differences", gradient_error(trainer))


if __name__ == "__main__":
    main()
