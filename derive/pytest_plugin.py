"""The pytest fixture that judges a hand-written backward function in one line; loads nothing else until it is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from derive.lazy import load


@pytest.fixture
def assert_gradients(request: pytest.FixtureRequest) -> Callable[..., dict[str, Any]]:
    """Return `assert_gradients(source, function)`: it fails unless the function returns the derived gradients.

    The source is a page or a Python file (a relative path counts from the test's folder, then from where pytest was
    started), a `derive.Model`, or its gradients. `section=` picks a model of a page; other options are those of
    `Derivation.assert_matches`.
    """

    def judge(source: Any, function: Any, section: str | None = None, **options: Any) -> dict[str, Any]:
        if isinstance(source, str | Path):
            beside = request.path.parent / source
            path = beside if Path(str(beside).partition(".py:")[0]).exists() or _python(beside).exists() else source
            source = load("derive.api", "derivation_of")(path, section)
        elif hasattr(source, "gradients"):
            source = source.gradients()
        verdicts: dict[str, Any] = source.assert_matches(function, **options)
        return verdicts

    return judge


def _python(path: Path) -> Path:
    """Return the file of `file.py:name`."""
    name, found, _ = str(path).rpartition(":")
    return Path(name) if found else path
