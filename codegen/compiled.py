"""A compiled model: its recipe, the engine that runs it, its rates, and the part of the data that a step sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.engines import Engine
from codegen.later import first_not_finite
from codegen.program import BATCH, Program
from codegen.rates import Rates, find_rule
from codegen.recipe import Recipe
from codegen.schedules import Plan
from codegen.settings import Settings
from codegen.team import start_engine

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A recipe, its program without statements, the engine that runs it, and its rates."""

    recipe: Recipe
    header: Program
    engine: Engine
    rates: Rates

    def rows(self, data: Arrays) -> int:
        """Return the number of samples; 1 where the loss speaks of no data."""
        return next((len(data[v.name]) for v in self.header.of_role("data") if BATCH in v.sizes), 1)

    def part(self, data: Arrays, rows: slice | Array) -> dict[str, Array]:
        """Return the data of some samples, in a given order."""
        values = {v.name: v for v in self.header.of_role("data")}
        return {
            name: np.ascontiguousarray(data[name][rows]) if BATCH in v.sizes else data[name]
            for name, v in values.items()
        }

    def first_not_finite(self, data: Arrays, params: Arrays) -> str:
        """Say where a value stops being finite."""
        return first_not_finite(self.recipe.program(), data, params)

    def asked(self, settings: Settings, plan: Plan, started: int) -> Callable[[int, int], list[Array]]:
        """Return what gives the rates of at least one step, and at most so many, from a step on."""

        def ask(first: int, count: int) -> list[Array]:
            return self.rates.at(settings.lr, plan, started, first, min(count, self.rates.room(plan, first)))

        return ask


def run_recipe(recipe: Recipe, settings: Settings) -> Compiled:
    """Return a recipe with an engine that runs it; a C compiler is called where the library is not in the cache."""
    header = recipe.header()
    names = [value.latex for value in header.of_role("rate")]
    rates = Rates(find_rule(settings.optimizer), names, settings.dtype)
    engine = start_engine(settings.target, header, recipe.code, settings.threads)
    return Compiled(recipe, header, engine, rates)
