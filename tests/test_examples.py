"""The examples run as their first lines say, and end with an oracle's agreement."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_textbook_derivations_agree_with_sympy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "textbook.py"), "--out", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("gradient and Hessian agree")
    assert "dependence dropped" in done.stdout and "diagonal-only softmax Jacobian" in done.stdout
    assert len(list(tmp_path.glob("*.html"))) == 4
