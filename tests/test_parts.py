"""A training file is compiled in parts: its steps at once, other functions when they are called first."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from training_helpers import HAS_COMPILER, disc, record

import codegen
from codegen import build
from codegen.engines import CEngine
from codegen.errors import CompileFailedError

pytestmark = pytest.mark.skipif(not HAS_COMPILER, reason="no C compiler: what it compiles is not tested here")
X, Y = disc(70)


def trained(profile: str = "fast") -> codegen.Trainer:
    made = codegen.compile(record("cat"), batch=16, profile=profile).bind(x=X, y=Y)
    made.run(7)
    return made


def compiled(folder: Path) -> list[str]:
    """The parts of which the cache holds a library."""
    return sorted(path.stem.rpartition("-")[0].partition("_")[2] for path in folder.iterdir() if path.suffix != ".c")


def test_what_is_not_called_is_not_compiled(fresh_cache: Path) -> None:
    made = trained()
    made.bind_step()()
    assert [name.endswith("train") for name in compiled(fresh_cache)] == [True]
    made.predict(X)
    made.predict(X[:3])
    assert len(compiled(fresh_cache)) == 2
    made.loss_and_gradients()
    assert len(compiled(fresh_cache)) == 3


def test_a_part_that_is_refused_is_named_and_what_is_compiled_goes_on(
    fresh_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trained()
    monkeypatch.setattr(build, "PORTABLE", (*build.PORTABLE, "--no-such-option"))
    with pytest.raises(CompileFailedError, match=r"(?s)_predict-\w+\.c.*no-such-option"):
        made.predict(X)
    made.run(1)
    monkeypatch.undo()
    assert made.predict(X).shape == (70, 1)


@pytest.mark.parametrize("batch", [16, 70, 7])
def test_parts_compute_the_bits_of_the_whole_file(batch: int) -> None:
    made = codegen.compile(record("cat"), batch=batch, profile="exact").bind(x=X, y=Y)
    engine = made.compiled.engine
    assert isinstance(engine, CEngine)
    whole = build.load_library(engine.source, engine.name, exact=True)
    start = {name: array.copy() for name, array in made.params.items()}
    found = []
    for library in (None, whole):
        if library is not None:
            engine.libraries = dict.fromkeys(engine.code.parts, library)
            made.params |= start
            made.bind(x=X, y=Y)
        step = made.bind_step(9)
        step()
        loss, gradients = made.loss_and_gradients()
        arrays = [*step.outputs, np.float64(loss), *gradients.values(), made.predict(X), *made.params.values()]
        found.append([array.tobytes() for array in arrays])
    assert found[0] == found[1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups")
def test_ctrl_c_does_not_reach_the_compiler(tmp_path: Path) -> None:
    build._compile([sys.executable, "-c", f"import os; raise SystemExit(os.getpgrp() == {os.getpgrp()})"], tmp_path)
