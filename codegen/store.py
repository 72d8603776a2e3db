r"""Stored recipes: a page that was trained before is trained again without reading or deriving it.

A recipe is found by everything that went into it: the page's bytes and name, the section, the settings, the shapes of
the data, the files of derive and codegen, SymPy, NumPy, Python and the processor. Whatever is not in the folder, or
not whole, is made anew. A Python file that defines a model is never stored: it may depend on anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from codegen.build import cache_folder, processor
from codegen.errors import CodegenError
from codegen.later import prepare_page
from codegen.recipe import Card, Recipe, read_card, read_recipe
from codegen.settings import Settings
from derive.errors import DeriveError
from derive.files import write_whole
from derive.version import LOADED, VERSION

if TYPE_CHECKING:
    from codegen.prepare import Prepared

FORMAT = 1
OWN, OTHERS = ("derive", "codegen"), ("sympy", "mpmath", "gen", "antlr4")  # whose files decide what a page derives to
IN_CODE = ("target", "batch", "dtype", "optimizer", "sizes", "weight_decay", "profile", "threads")  # what changes code
LARGEST = 20_000_000  # bytes of a page
COARSE = 100_000_000  # nanoseconds by which the times of files may lag behind the clock
Kind = TypeVar("Kind", Card, Recipe)


class Stored:
    """A page ready to be trained; it is read and derived only where its recipe is not in the cache.

    Attributes:
        card: What the model says of itself.
    """

    def __init__(self, path: str | os.PathLike[str], section: str | None, settings: Settings) -> None:
        self.path, self.section, self.settings = Path(path), section, settings
        self.content = _content(path)
        self.made: Prepared | None = None
        self.key = None if self.content is None else page_key(self.path.name, self.content, section, settings)
        self.card: Card = _kept(self.key, read_card, lambda: self.prepared().card)

    def prepared(self) -> Prepared:
        """Return the page, derived; what was read first is what counts."""
        if self.made is None:
            self.made = prepare_page(os.fspath(self.path), self.section, self.settings, self.content)
        return self.made

    def recipe(self, shapes: Mapping[str, tuple[int, ...]], settings: Settings) -> Recipe:
        """Return the recipe for data of given shapes, by their names in code.

        Raises:
            CodegenError: shapes disagree, or an operation has no code.
        """
        key = None if self.key is None else _digest([self.key, sorted(shapes.items()), _in_code(settings)])
        return _kept(key, read_recipe, lambda: self.prepared().recipe(shapes, settings))


def _content(path: str | os.PathLike[str]) -> bytes | None:
    """Return a page's bytes; None for what is no page, or cannot be read as one."""
    name = Path(path).name
    if ".py" in name or name.endswith(".jsonl"):
        return None
    with contextlib.suppress(OSError):
        content = Path(path).read_bytes()
        return content if len(content) <= LARGEST else None
    return None


# ---------------------------------------------------------------- keys
def page_key(name: str, content: bytes, section: str | None, settings: Settings) -> str | None:
    """Return what a page and its settings are known by; None where nothing may be stored."""
    installed = stamp()
    if installed is None:
        return None
    machine = processor() if settings.target == "c" else ""
    return _digest([FORMAT, installed, machine, name, section, _in_code(settings), hashlib.sha256(content).hexdigest()])


def _in_code(settings: Settings) -> dict[str, Any]:
    sizes = {str(name): int(number) for name, number in (settings.sizes or {}).items()}
    return {word: getattr(settings, word) for word in IN_CODE} | {"sizes": sizes}


def _digest(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def stamp() -> str | None:
    """Return what tells this installation from any other: every file that takes part in a derivation.

    None where a file has changed since this process began: what is in memory may then be older than what is on disk.
    """
    files = [list(_files(folder, name in OWN)) for name in (*OWN, *OTHERS) for folder in _folders(name)]
    if any(changed > LOADED - COARSE for group in files for *_, changed in group):
        return None
    return _digest([VERSION, sys.version, np.__version__, files])


def _folders(package: str) -> list[str]:
    spec = find_spec(package)
    return sorted(spec.submodule_search_locations or ()) if spec is not None else []


def _files(folder: str, deep: bool) -> Iterator[tuple[str, int, int, int]]:
    """Yield the files of Python in a folder: where, how long, when written, and when last touched at all."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.endswith(".py"):
            told = entry.stat()
            yield entry.path, told.st_size, told.st_mtime_ns, max(told.st_mtime_ns, told.st_ctime_ns)
        elif deep and entry.is_dir() and entry.name != "__pycache__":
            yield from _files(entry.path, deep)


# ---------------------------------------------------------------- files
def _kept(key: str | None, read: Callable[[Any], Kind], make: Callable[[], Kind]) -> Kind:
    """Return what is stored under a key, or make it and store it; without a key it is made."""
    if key is None:
        return make()
    path = cache_folder() / f"recipe-{key[:40]}.json"
    found = _read(path, key, read)
    if found is None:
        found = make()
        if stamp() is not None:  # what was imported to make it is what the key says
            _write(path, key, asdict(found))
    return found


def _read(path: Path, key: str, read: Callable[[Any], Kind]) -> Kind | None:
    """Return what a file holds; None where it is damaged, or another's."""
    try:
        digest, _, text = path.read_bytes().partition(b"\n")
        if digest.decode() != hashlib.sha256(text).hexdigest():
            return None
        found = json.loads(text)
        return read(found["recipe"]) if found["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, CodegenError):
        return None


def _write(path: Path, key: str, recipe: dict[str, Any]) -> None:
    """Write a file whole, with a sum over it; a cache that cannot be written is none."""
    text = json.dumps({"key": key, "recipe": recipe}).encode()
    with contextlib.suppress(DeriveError):
        write_whole(path, hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
