"""The course: each example runs as its first lines say and ends with its oracles' agreement; its pages lead on."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(EXAMPLES.glob("[0-9]*.py"))
PAGES = sorted(EXAMPLES.glob("[0-9]*.md"))
LINK = re.compile(r"\]\(([^)#]+?)\)")


def run(script: Path, out: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(script), "--out", str(out)],
        capture_output=True, text=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def before(folder: Path) -> str:
    """A search path on which what lies in a folder hides what is installed."""
    return os.pathsep.join((str(folder), str(ROOT)))


def test_the_course_has_a_page_and_a_script_for_each_of_its_eleven_parts() -> None:
    assert [page.stem for page in PAGES] == [script.stem for script in SCRIPTS]
    assert [int(page.stem[:2]) for page in PAGES] == list(range(1, 12))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_an_example_runs_shows_pictures_and_agrees_with_its_oracles(script: Path, tmp_path: Path) -> None:
    done = run(script, tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "FAILED" not in done.stdout and done.stdout.count("\noracle: ") >= 1
    pictures = re.findall(r"^picture: (.+)$", done.stdout, re.MULTILINE)
    assert pictures and all(Path(picture).stat().st_size > 2000 for picture in pictures)
    for name in re.findall(r"`([\w.]+\.(?:html|pdf|png|gif|c|h|txt|npz))`", (ast.get_docstring(parsed(script)) or "")):
        assert (tmp_path / name).stat().st_size > 200, f"{script.name} names {name} among what it writes"


def parsed(script: Path) -> ast.Module:
    return ast.parse(script.read_text(encoding="utf-8"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_an_example_says_at_its_top_what_one_sees_how_long_it_takes_and_what_it_needs(script: Path) -> None:
    about = ast.get_docstring(parsed(script)) or ""
    for words in ("What you will see:", "In --out:", "How long:", "What it needs:", f"python examples/{script.name}"):
        assert words in about, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_leads_to_its_neighbours_and_to_its_script(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = {link for link in LINK.findall(text) if not link.startswith("http")}
    assert all((EXAMPLES / link).is_file() for link in links), links
    place = PAGES.index(page)
    beside = {other.name for other in (*PAGES[max(place - 1, 0) : place], *PAGES[place + 1 : place + 2])}
    assert beside <= links
    assert f"python examples/{page.stem}.py --out out" in text


def test_the_readme_leads_to_every_page_and_shows_pictures_that_are_there() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"](examples/{page.name})" in readme for page in PAGES)
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", readme)
    assert len(shown) >= 5 and all((ROOT / picture).is_file() for picture in shown)


def test_without_a_compiler_an_example_says_in_one_line_how_to_get_one(tmp_path: Path) -> None:
    (tmp_path / "ziglang.py").write_text("")  # what find_compiler would call; it is no compiler
    done = run(EXAMPLES / "07_training.py", tmp_path, PATH="", CC="", PYTHONPATH=before(tmp_path))
    assert done.returncode != 0
    assert len(done.stderr.strip().splitlines()) == 1
    assert "install gcc or clang" in done.stderr


@pytest.mark.parametrize("library", ["matplotlib", "sklearn", "skimage"])
def test_without_a_library_an_example_says_in_one_line_what_to_install(library: str, tmp_path: Path) -> None:
    (tmp_path / f"{library}.py").write_text(f'raise ImportError("No module named {library}")\n')
    done = run(EXAMPLES / "09_colorization.py", tmp_path, PYTHONPATH=before(tmp_path))
    assert done.returncode != 0
    assert len(done.stderr.strip().splitlines()) == 1
    assert "pip install 'derive[examples]'" in done.stderr


@pytest.mark.parametrize("difference", ["1e-6", "float('nan')", "float('inf')"])
def test_a_comparison_that_fails_ends_an_example_with_exit_code_1(difference: str) -> None:
    code = f"import sys; sys.path.insert(0, {str(EXAMPLES)!r}); import course; course.agree('a', {difference}, 1e-7)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("FAILED: a")
