"""The seam to what needs SymPy: imported only once it is called, for a training from a stored recipe never calls it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

from codegen.program import Program
from codegen.recipe import Card, Recipe
from codegen.settings import Settings
from derive.lazy import load

if TYPE_CHECKING:
    from codegen.prepare import Prepared
    from derive.derivation import Derivation

Arrays = Mapping[str, npt.NDArray[Any]]


class Origin(Protocol):
    """Where a training comes from: a derivation, or a page of which the recipe may be stored."""

    @property
    def card(self) -> Card:
        """What the model says of itself."""

    def prepared(self) -> Prepared:
        """Return its derivation."""

    def recipe(self, shapes: Mapping[str, tuple[int, ...]], settings: Settings) -> Recipe:
        """Return the recipe for data of given shapes, by their names in code."""


def prepare(derivation: Derivation, settings: Settings) -> Prepared:
    """Return a derivation ready to be trained; see `codegen.prepare`."""
    made: Prepared = load("codegen.prepare", "Prepared")(derivation, settings)
    return made


def prepare_page(
    path: str | os.PathLike[str], section: str | None, settings: Settings, content: bytes | None
) -> Prepared:
    """Derive a page; see `codegen.prepare`."""
    made: Prepared = load("codegen.prepare", "prepare_page")(path, section, settings, content)
    return made


def first_not_finite(program: Program, data: Arrays, params: Arrays) -> str:
    """Say where a value stops being finite; see `codegen.trace`."""
    return str(load("codegen.trace", "first_not_finite")(program, data, params))
