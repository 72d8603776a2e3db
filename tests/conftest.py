"""Fixtures for every test: golden files with `--update-golden`, the seed pages, and an empty cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from codegen import build

collect_ignore = [] if find_spec("atheris") else ["guided.py"]  # a tool, whose package is an extra
ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden; review the diff")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)` compares text with tests/golden/name, or rewrites that file when told to."""
    update = request.config.getoption("--update-golden")

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        assert path.is_file(), f"no golden file {name}; write it with: pytest --update-golden"
        expected = path.read_bytes().decode()  # as bytes: a line ending is part of what is compared
        assert text == expected, f"{name} differs; if that is meant: pytest --update-golden, and review the diff"

    return compare


@pytest.fixture(scope="session")
def seeds() -> Path:
    """The folder of the pages that the project was created from, where the checkout has it beside it."""
    folder = ROOT.parent / "shared" / "seeds"
    if not folder.is_dir():
        pytest.skip(f"the seed pages are not at {folder}; what reads them is not tested here")
    return folder


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of compiled functions, with nothing in it yet."""
    monkeypatch.setattr(build.platformdirs, "user_cache_dir", lambda name: str(tmp_path / "cache"))
    build.cache_folder.cache_clear()
    yield tmp_path / "cache"
    build.cache_folder.cache_clear()
