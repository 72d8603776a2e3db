"""The README does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from derive.ops.table import TABLE

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_python_blocks_run_as_printed(tmp_path: Path) -> None:
    first, second, third = (
        subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False)
        for block in blocks("python")
    )
    assert first.returncode == 0, first.stderr
    loss = float(first.stdout.rsplit("loss", 1)[1])
    assert loss < 0.1, "four thousand steps separate four quadrants"
    assert second.returncode == 0, second.stderr
    assert "diag(p) - p pᵀ" in second.stdout and second.stdout.splitlines()[-1].endswith("2*X.T*X")
    assert third.returncode == 0, third.stderr
    assert "the factor N is missing: it is 1/N times the right gradient" in third.stdout


def test_the_second_command_is_what_ci_runs() -> None:
    _, tests = blocks("sh")
    assert tests.strip() in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_file_that_is_linked_exists() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_operation_is_listed() -> None:
    listed = re.search(r"^Operations: (.*?)\.\n", README, re.MULTILINE | re.DOTALL)
    assert listed is not None
    assert set(re.findall(r"`(\w+)`", listed[1])) == set(TABLE)
