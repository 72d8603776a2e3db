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

import numpy as np

import codegen
from codegen.build import compile_program, find_compiler
from codegen.errors import CompilerMissingError
from codegen.files import load_data
from codegen.split import split_held_out
from derive.workbook import Workbook

HERE = Path(__file__).parent
STEP = 1e-5  # of the central differences; their error is of the order of its square, 1e-10
TOLERANCE = 1e-7


def run(*words: str | Path) -> int:
    """Run a command of derive as a user does, and show it."""
    print("\n$ derive", *words, flush=True)
    return subprocess.run([sys.executable, "-m", "derive", *map(str, words)], check=False).returncode


def must(*words: str | Path) -> None:
    if (code := run(*words)) != 0:
        raise SystemExit(code)


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


def gradient_error(page: Path, section: str | None, data: Path, target: str) -> float:
    """Return the largest relative difference between compiled gradients and central differences, in float64."""
    samples, _ = split_held_out(load_data(data), 0.2, 0)
    batch = {name: array[:16] for name, array in samples.items()}
    derivation = Workbook(page, section).trainable().derive(check=False)
    trainer = codegen.compile(derivation, target=target, dtype="float64", batch=16)
    trainer.bind(**batch)
    _, gradients = trainer.loss_and_gradients()
    rng, worst = np.random.default_rng(0), 0.0
    for name, gradient in gradients.items():
        array = trainer.params[name]
        for place in rng.choice(array.size, min(8, array.size), replace=False):
            at = np.unravel_index(place, array.shape)
            kept, losses = array[at], []
            for shift in (STEP, -STEP):
                array[at] = kept + shift
                losses.append(trainer.loss_and_gradients()[0])
            array[at] = kept
            difference = abs((losses[0] - losses[1]) / (2 * STEP) - gradient[at])
            worst = max(worst, difference / (np.abs(gradient).max() + 1e-3))
    return worst


def self_test(source: Path) -> None:
    """Compile the exported function under strict C99 and run its self-test."""
    program = source.with_suffix("")
    compile_program(source, program, ("-std=c99", "-O2", f"-D{source.stem.upper()}_SELF_TEST"))
    print(f"\n$ {program}")
    must_pass = subprocess.run([str(program.resolve())], check=False)
    if must_pass.returncode != 0:
        raise SystemExit(must_pass.returncode)


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
        must("sheet", options.page, *section, "-o", out / name)
    judge(options.page, out)
    words = ("--data", data, "--target", target, "--epochs", str(options.epochs), "--lr", "0.5")
    must("train", options.page, *section, *words, "--save", out / "params.npz")
    must("export", options.page, *section, "--params", out / "params.npz", "--target", "c", "-o", out / "trained.c")
    if target == "c":
        self_test(out / "trained.c")
    error = gradient_error(options.page, options.section, data, target)
    print(f"\ncompiled gradients against central differences: largest relative difference {error:.1e}")
    if not error < TOLERANCE:
        raise SystemExit(f"the gradients differ by more than {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
