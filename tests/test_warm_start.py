"""A warm start: a page trained before starts without SymPy, to the same bits; whatever changed is derived anew."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_helpers import both

import codegen
import derive
from codegen import build, store
from codegen.errors import CodegenError, NonFiniteError
from codegen.recipe import read_card, read_recipe
from codegen.settings import Settings
from derive.errors import DeriveError
from derive.workbook import Workbook

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "examples" / "cat_detection.md"
ROWS = np.random.default_rng(0).normal(size=(70, 3))
DATA = {"x": ROWS, "y": (ROWS.sum(axis=1) > 0).astype(int)}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and files of the package as old as an installed package's."""
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setattr(store, "cache_folder", lambda: folder)
    monkeypatch.setattr(build, "cache_folder", lambda: folder)
    monkeypatch.setattr(store, "LOADED", time.time_ns() + store.COARSE)
    return folder


@pytest.fixture
def derived(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pages that were derived, as long as the test lasts."""
    met: list[str] = []

    def noted(path: str, *rest: Any) -> Any:
        met.append(path)
        return prepare_page(path, *rest)

    prepare_page = store.prepare_page
    monkeypatch.setattr(store, "prepare_page", noted)
    return met


def trained(
    page: Path = PAGE, target: str = "numpy", data: Any = None, **settings: Any
) -> tuple[float, dict[str, bytes]]:
    trainer = codegen.compile(page, target, **{"batch": 32, "lr": 0.1, **settings}).bind(**(data or DATA))
    loss = trainer.run(4)
    return loss, {name: array.tobytes() for name, array in {**trainer.params, **trainer.state}.items()}


# ---- hits --------------------------------------------------------------------------------------------------------
@both
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_second_start_derives_nothing_and_takes_the_same_steps(
    target: str, optimizer: str, cache: Path, derived: list[str]
) -> None:
    first = trained(target=target, optimizer=optimizer, weight_decay=0.1)
    assert derived == [str(PAGE)]
    assert trained(target=target, optimizer=optimizer, weight_decay=0.1) == first and len(derived) == 1
    record = Workbook(PAGE).trainable().derive(check=False)
    plain = codegen.compile(record, target, 32, lr=0.1, optimizer=optimizer, weight_decay=0.1).bind(**DATA)
    assert plain.run(4) == first[0], "and both are those of the derivation"


@both
def test_what_is_stored_is_what_was_made(target: str, cache: Path) -> None:
    settings = Settings(target, optimizer="adam", weight_decay=0.1)
    made = store.Stored(PAGE, None, settings)
    read = store.Stored(PAGE, None, settings)
    shapes = {"X": (1, 3), "Y": (1, 1)}
    assert made.card == read.card and made.made is not None and read.made is None
    recipe = made.recipe(shapes, settings)
    assert read.recipe(shapes, settings) == recipe and read.made is None
    assert recipe.header().values == recipe.program().values


SCRIPT = """
import json, sys, time
import numpy as np
import codegen
page, target, data = sys.argv[1:]
trainer = codegen.compile(page, target, batch=32, lr=0.1)
with np.load(data) as arrays:
    trainer.bind(**arrays)
print(json.dumps({
    "loss": trainer.run(1), "sympy": "sympy" in sys.modules,
    "params": {name: array.tobytes().hex() for name, array in trainer.params.items()},
}))
"""


def started(folder: Path, *words: str, root: Path = ROOT) -> dict[str, Any]:
    """Run the script in a process of its own, whose cache is in a folder."""
    done = process(folder, SCRIPT, *words, root=root)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def failed(folder: Path, script: str, *words: str) -> str:
    """Return the error that a script ends with."""
    done = process(folder, script, *words)
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


def process(folder: Path, script: str, *words: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "XDG_CACHE_HOME": str(folder / "home"), "PYTHONPATH": str(root), "OPENBLAS_NUM_THREADS": "1"}
    np.savez(folder / "data.npz", **DATA)
    command = [sys.executable, "-c", script, *words, str(folder / "data.npz")]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env, cwd=folder)


@both
def test_a_warm_process_never_imports_sympy(target: str, tmp_path: Path) -> None:
    cold, warm = (started(tmp_path, str(PAGE), target) for _ in range(2))
    assert cold.pop("sympy") and not warm.pop("sympy")
    assert cold == warm


@both
def test_a_warm_process_names_the_equation_that_fails(target: str, tmp_path: Path) -> None:
    broken = SCRIPT.replace("trainer.bind(**arrays)", "trainer.bind(**arrays)\n    trainer.data['Y'][...] = np.inf")
    cold, warm = (failed(tmp_path, broken, str(PAGE), target) for _ in range(2))
    assert cold == warm and "the data Y holds values that are not finite" in cold
    broken = SCRIPT.replace("    trainer.bind(**arrays)", "    trainer.bind(**arrays).params['W2'][...] = 3e38")
    cold, warm = (failed(tmp_path, broken, str(PAGE), target) for _ in range(2))
    assert cold == warm and "Z^{[2]}, is the first whose value is not finite" in cold


def test_two_processes_at_once_and_then_a_third(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: started(tmp_path, str(PAGE), "numpy"), range(2)))
    third = started(tmp_path, str(PAGE), "numpy")
    assert not third.pop("sympy")
    for one in both:
        one.pop("sympy")
        assert one == third


def test_another_package_of_the_same_version_is_a_miss(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for name in ("derive", "codegen"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    time.sleep(2 * store.COARSE / 1e9)
    assert started(tmp_path, str(PAGE), "numpy", root=copy)["sympy"]
    assert not started(tmp_path, str(PAGE), "numpy", root=copy)["sympy"]
    assert started(tmp_path, str(PAGE), "numpy")["sympy"], "the same files elsewhere"
    with (copy / "derive" / "backprop.py").open("a") as stream:
        stream.write("\n")
    assert started(tmp_path, str(PAGE), "numpy", root=copy)["sympy"]


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_help_needs_no_sympy_and_a_warm_training_neither(words: list[str], tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", **DATA)
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    training = ["train", str(PAGE), "--data", str(tmp_path / "d.npz"), "--epochs", "2", "--target", "numpy"]
    outputs = []
    for arguments in (words, training, training):
        command = [sys.executable, "-X", "importtime", "-m", "derive", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
        told = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
        outputs.append((" sympy\n" in done.stderr, done.stdout.split("seconds")[0], [t.split(", ")[0] for t in told]))
    assert [met for met, *_ in outputs] == [False, True, False]
    assert outputs[1][1:] == outputs[2][1:], "what is said is the same"


# ---- misses ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "momentum"}, {"weight_decay": 0.1}, {"dtype": "float64"}, {"batch": 16}, {"sizes": {"h": 5}},
        {"target": "c"}, {"profile": "exact"}, {"section": "Cat"},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_another_setting_is_a_miss(change: dict[str, Any], cache: Path, derived: list[str]) -> None:
    codegen.compile(PAGE, **{"target": "numpy"})
    codegen.compile(PAGE, **{"target": "numpy", "lr": 0.5, "seed": 3, "lr_schedule": "step:every=9"})
    assert len(derived) == 1, "neither the rate nor the seed is in the code"
    codegen.compile(PAGE, **{"target": "numpy", **change})
    assert len(derived) == 2


def test_another_page_is_a_miss(tmp_path: Path, cache: Path, derived: list[str]) -> None:
    page = tmp_path / "page.md"
    page.write_bytes(PAGE.read_bytes())
    first = trained(page)
    told = page.stat()
    page.write_bytes(PAGE.read_bytes().replace(rb"\sigma(Z^{[1]})", rb"\tanh(Z^{[1]})"))
    os.utime(page, ns=(told.st_atime_ns, told.st_mtime_ns))
    assert trained(page) != first and len(derived) == 2
    page.write_bytes(PAGE.read_bytes())
    assert trained(page) == first and len(derived) == 2
    page.rename(tmp_path / "page.txt")
    trained(tmp_path / "page.txt")
    assert len(derived) == 3, "the ending tells the markup"


def test_data_of_another_shape_are_a_miss_and_of_more_rows_are_not(cache: Path, derived: list[str]) -> None:
    trained()
    trained(data={"x": ROWS[:50], "y": DATA["y"][:50]})
    assert len(derived) == 1
    _, params = trained(data={"x": ROWS[:, :2], "y": DATA["y"]})
    assert len(derived) == 2 and len(params["W1"]) < len(trained()[1]["W1"])
    assert len(derived) == 2


def test_files_that_changed_since_the_process_began_store_nothing(
    cache: Path, derived: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained()
    monkeypatch.setattr(store, "LOADED", 0)
    assert store.stamp() is None
    before = sorted(cache.iterdir())
    trained()
    assert len(derived) == 2 and sorted(cache.iterdir()) == before


def test_another_version_is_a_miss(cache: Path, derived: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    trained()
    monkeypatch.setattr(store, "VERSION", "0.0.1")
    trained()
    monkeypatch.setattr(np, "__version__", "1.0")
    trained()
    assert len(derived) == 3


def test_a_python_file_is_never_stored(tmp_path: Path, cache: Path, derived: list[str]) -> None:
    source = tmp_path / "model.py"
    source.write_text(
        "from derive import Model, matrix, sigmoid, total, vector\n"
        "model = Model('m')\n"
        "p = model.define('p', sigmoid(matrix('W', 1, 'n') @ vector('x', 'n')))\n"
        "model.define('L', total((p - vector('y', 1)) ** 2))\n"
    )
    assert trained(source) == trained(source)
    assert len(derived) == 2 and not list(cache.iterdir())


# ---- damage ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "foreign", "another's"])
def test_a_damaged_or_foreign_file_is_made_anew(damage: str, cache: Path, derived: list[str]) -> None:
    first = trained()
    files = sorted(cache.glob("recipe-*.json"))
    assert len(files) == 2
    texts = [file.read_bytes() for file in files]
    for file, text in zip(files, texts, strict=True):
        half = len(text) // 2
        damaged = {"cut": text[:half], "changed": text[:half] + b"#" + text[half + 1 :], "empty": b""}
        file.write_bytes({**damaged, "foreign": b"\xff\0[]", "another's": texts[files.index(file) - 1]}[damage])
    assert trained() == first and len(derived) == 2
    assert [file.read_bytes() for file in files] == texts
    assert trained() == first and len(derived) == 2


def test_a_kill_while_a_recipe_is_written_leaves_nothing_that_counts(
    cache: Path, derived: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path, data: bytes) -> None:
        (path.parent / f".{path.name}.1234.part").write_bytes(data[: len(data) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(store, "write_whole", killed)
        first = trained()
    assert trained() == first and len(derived) == 2
    assert trained() == first and len(derived) == 2


@pytest.mark.parametrize("read", [read_card, read_recipe])
@pytest.mark.parametrize("met", [None, [], {}, {"symbols": 3}, {"title": 1, "symbols": []}, {"symbols": [{}]}])
def test_what_is_no_recipe_is_refused(read: Any, met: Any) -> None:
    with pytest.raises((CodegenError, KeyError, TypeError, AttributeError)):  # `store` takes any of them for a miss
        read(met)


def test_a_cache_that_cannot_be_written_is_none(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(store, "cache_folder", lambda: cache / "missing")
    assert trained() == trained()


# ---- what goes wrong is told as before ---------------------------------------------------------------------------
BROKEN = np.where(np.arange(70)[:, None] == 40, np.nan, ROWS)
WRONG: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "missing": ({"x": ROWS}, DeriveError),
    "rows": ({"x": ROWS, "y": DATA["y"][:9]}, DeriveError),
    "shape": ({"x": ROWS, "y": ROWS}, DeriveError),
    "not finite": ({"x": BROKEN, "y": DATA["y"]}, NonFiniteError),
    "overflow": ({"x": ROWS * 1e30, "y": DATA["y"] * 1e38}, NonFiniteError),
}


@both
@pytest.mark.parametrize("case", WRONG)
def test_errors_of_a_warm_start_are_those_of_a_cold_one(
    case: str, target: str, cache: Path, derived: list[str]
) -> None:
    data, kind = WRONG[case]
    page = PAGE.parent / "regression.md" if case == "overflow" else PAGE
    page = page if page.is_file() else PAGE
    told = []
    for _ in range(2):
        trainer = codegen.compile(page, target, batch=32, lr=1e20)
        with pytest.raises(kind) as caught:
            trainer.bind(**data).run(200)
        told.append(str(caught.value))
    assert told[0] == told[1] and len(derived) == 1
    assert kind is not NonFiniteError or "equation (" in told[0] or "the data X" in told[0]


@pytest.mark.parametrize("page", ["nowhere.md", "", "claims.jsonl"])
def test_a_page_that_cannot_be_read_says_so(page: str, tmp_path: Path, cache: Path) -> None:
    (tmp_path / "claims.jsonl").write_text("{}")
    with pytest.raises(DeriveError, match=r"cannot be read|is a directory|claims files"):
        codegen.compile(tmp_path / page)


def test_a_section_belongs_to_a_page() -> None:
    with pytest.raises(CodegenError, match="section"):
        codegen.compile(Workbook(PAGE).trainable().derive(check=False), section="Cat")


# ---- packages that import on demand ------------------------------------------------------------------------------
@pytest.mark.parametrize("package", [derive, codegen])
def test_every_public_name_is_found_on_demand(package: Any) -> None:
    assert set(package.HOMES) == set(package.__all__) - {"__version__"}
    assert set(package.__all__) <= set(dir(package))
    assert all(getattr(package, name) is not None for name in package.__all__)
    assert not [name for name in package.__all__ if (Path(package.__file__).parent / f"{name}.py").exists()]
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = package.nonsense
