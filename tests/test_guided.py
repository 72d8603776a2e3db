"""The reader under coverage-guided fuzzing, for a few seconds; `guided.py` runs longer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def test_a_few_seconds_of_guided_fuzzing_find_nothing() -> None:
    pytest.importorskip("atheris", reason='guided fuzzing needs atheris: pip install -e ".[fuzz]"')
    command = [sys.executable, Path(__file__).with_name("guided.py"), "5", "1"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr[-2000:]
    assert run.stdout == ""
