"""What the examples of the course share: where files go, the commands of derive, and the oracle that ends each one.

No pictures here (those are in `pictures.py`), and nothing of what an example teaches.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import codegen
from codegen.build import compile_program, find_compiler
from codegen.errors import CompilerMissingError

Array = npt.NDArray[Any]
STEP = 1e-5  # of central differences in float64; their error is of the order of its square, 1e-10
TOLERANCE = 1e-7  # what is allowed of them: a hundred times that, for values far from 1


def output_folder(about: str | None) -> Path:
    """Return the folder of `--out`, made if need be; `--help` shows what the example says of itself."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for pictures and files")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    return out


def derive(*words: str | Path) -> None:
    """Run a command of derive as a user does, and show it; a command that fails ends the example.

    `derive check` fails unless every claim of the page holds.
    """
    print("\n$ derive", *words, flush=True)
    code = subprocess.run([sys.executable, "-m", "derive", *map(str, words)], check=False).returncode
    if code != 0:
        raise SystemExit(code)


def compiled_target() -> str:
    """Return `c`; without a compiler, end with the line that says how to get one."""
    try:
        find_compiler()
    except CompilerMissingError as error:
        raise SystemExit(str(error)) from None
    return "c"


def self_test(source: Path) -> None:
    """Compile an exported function under strict C99 and run the test that it carries."""
    program = source.with_suffix("")
    compile_program(source, program, ("-std=c99", "-O2", f"-D{source.stem.upper()}_SELF_TEST"))
    print(f"\n$ {program}", flush=True)
    code = subprocess.run([str(program.resolve())], check=False).returncode
    if code != 0:
        raise SystemExit(code)


def gradient_error(trainer: codegen.Trainer, seed: int = 0) -> float:
    """Return the largest relative difference of compiled gradients from central differences of the compiled loss.

    Args:
        trainer: A float64 trainer with its data bound; up to eight entries of each parameter are tried.
        seed: Of the choice of entries.
    """
    _, gradients = trainer.loss_and_gradients()
    rng, worst = np.random.default_rng(seed), 0.0
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


def central_differences(value: Callable[[Array], Array], points: Array) -> Array:
    """Return the gradient of a function of points, one a row, at each of them; `value` gives one number a row."""
    shifts = STEP * np.eye(points.shape[1])
    return np.stack([(value(points + shift) - value(points - shift)) / (2 * STEP) for shift in shifts], axis=1)


def agree(what: str, difference: float, tolerance: float = TOLERANCE) -> None:
    """Say how far a result is from its oracle's, and end the example with exit code 1 where that is too far."""
    holds = difference <= tolerance  # false for a nan
    print(f"{'oracle' if holds else 'FAILED'}: {what}: {difference:.1e} (allowed: {tolerance:.0e})", flush=True)
    if not holds:
        raise SystemExit(1)


def expect(what: str, holds: bool) -> None:
    """Say what was found, and end the example with exit code 1 where it is not as it must be."""
    print(f"{'oracle' if holds else 'FAILED'}: {what}", flush=True)
    if not holds:
        raise SystemExit(1)
