"""`derive check SOURCE --code FILE:NAME`: a hand-written backward function, judged against the source's model."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from derive.api import derivation_of
from derive.claims.in_model import JudgedClaim
from derive.command import sizes_of
from derive.errors import DeriveError
from derive.sheet.text import in_unicode


def judge_file(
    source: str, section: str | None, code: str, wrt: str | None, names: Sequence[str], samples: str | None,
    sizes: Sequence[str],
) -> list[JudgedClaim]:  # fmt: skip
    """Judge the function that `--code` names; the options are those of the command.

    Raises:
        DeriveError: there is no such function, or its parameters have no meaning in the model.
    """
    function = load_function(code)
    judged = derivation_of(source, section).judge_code(
        function, wrt=wrt.replace(",", " ").split() if wrt else None, names=_names(names), samples=samples,
        sizes=sizes_of(sizes),
    )  # fmt: skip
    return [item.claim for item in judged]


def conventions(claims: Sequence[JudgedClaim]) -> list[str]:
    """Return what the verdicts take as given, as lines of the report."""
    return [f"given: {in_unicode(text)}" for text in dict.fromkeys(t for c in claims for t in c.verdict.assumptions)]


def load_function(code: str) -> Any:
    """Return what FILE:NAME stands for; the file is run, as the user's own program.

    Raises:
        DeriveError: there is no such file or name, or the file cannot be run.
    """
    path, _, name = code.partition(".py:") if ".py:" in code else (code.removesuffix(".py"), "", "")
    file = Path(f"{path}.py")
    if not file.is_file():
        raise DeriveError(f"--code {code}: {file} is no file; give FILE:NAME, such as layer.py:backward")
    found = _run(file)
    functions = [key for key, value in found.items() if _is_own(value, file)]
    listed = ", ".join(functions) or "none"
    if not name and len(functions) != 1:
        raise DeriveError(f"--code {code}: name the function, as {file}:NAME; there are {listed}")
    first, *inner = (name or functions[0]).split(".")
    if first not in found:
        raise DeriveError(f"--code {code}: {file} defines no {first}; there are {listed}")
    value = found[first]
    for part in inner:
        if not hasattr(value, part):
            raise DeriveError(f"--code {code}: {first} has no {part}")
        value = getattr(value, part)
    return value


def _run(file: Path) -> dict[str, Any]:
    folder = str(file.resolve().parent)
    sys.path.insert(0, folder)  # as Python does for a script: its neighbours can be imported
    try:
        return runpy.run_path(str(file))
    except Exception as error:  # the user's own file may raise anything
        last = " ".join(traceback.format_exception_only(error)[-1].split())
        raise DeriveError(f"{file} cannot be run: {last}") from None
    finally:
        sys.path.remove(folder)


def _is_own(value: Any, file: Path) -> bool:
    """Tell a function that a file defines from what it imports."""
    code = getattr(value, "__code__", None)
    return code is not None and Path(code.co_filename) == file and value.__name__.isidentifier()


def _names(pairs: Sequence[str]) -> dict[str, Any]:
    """Read the values of --name: `w=W^{[1]}`, or several packed together, `cache=x,W,b`."""
    found: dict[str, Any] = {}
    for pair in pairs:
        word, equals, meaning = pair.partition("=")
        if not (word and equals and meaning):
            raise DeriveError(f"--name {pair}: expected WORD=NAME, such as --name w=W1 or --name cache=x,W,b")
        found[word] = tuple(meaning.split(",")) if "," in meaning else meaning
    return found
