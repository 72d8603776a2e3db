"""The recipe of a training: all that is needed of a model once its code is generated, as plain data.

A recipe is what the cache keeps, so that a training can start again without a derivation. It is written as JSON and
read back field by field; nothing here knows expressions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codegen.errors import CodegenError
from codegen.plan.memory import Extent, Scratch
from codegen.program import Program
from codegen.start import Start
from codegen.text import read_program


@dataclass(frozen=True, slots=True)
class Symbol:
    """One of a model's data.

    Attributes:
        name: In code.
        latex: On the sheet of mini-batches.
        spelled: As the user's own page has it: x for X.
        shape: Of one sample; None where nothing fixes a length yet.
        sampled: Whether it has one entry a sample.
        domain: As in the record: `real`, `onehot`, …
        target: Whether predictions are compared with it.
        places: Whether rows are looked up by it.
    """

    name: str
    latex: str
    spelled: str
    shape: tuple[int | None, ...]
    sampled: bool
    domain: str
    target: bool
    places: bool


@dataclass(frozen=True, slots=True)
class Card:
    """What a model says of itself before it meets data.

    Attributes:
        title: What it is called.
        symbols: Its data.
        predicted: The prediction's name in code; "" where the model has no name for it.
        any_rows: Whether the number of samples is left open.
        chosen: Which of several models of a page it is; "" where there is one alone.
    """

    title: str
    symbols: tuple[Symbol, ...]
    predicted: str
    any_rows: bool
    chosen: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """Generated source, and what its functions take.

    Attributes:
        name: Prefix of every name in C.
        batch: The samples that it is made for.
        exact: Whether it must give the same bits on every machine.
        common: NumPy or C: what all parts need.
        parts: Functions by the name of the one that is called first; each compiles behind what they share, so that a
            training waits for the compiler no longer than its steps take to compile.
        used: Names of what `loss_and_gradients` takes.
        inference: Names of what `predict` takes, then of what it gives; none without a prediction.
        scratch: The memory of a step.
        inference_scratch: The memory of a prediction.
        team: The part `train` for several threads; "" where one alone takes steps.
    """

    name: str
    batch: int
    exact: bool
    common: str
    parts: Mapping[str, str]
    used: tuple[str, ...]
    inference: tuple[str, ...]
    scratch: Scratch
    inference_scratch: Scratch
    team: str = ""

    @property
    def source(self) -> str:
        """The whole, as a person reads it."""
        return self.common + "".join(self.parts.values())

    def part(self, verb: str) -> str:
        """Return the source of one part alone."""
        return self.common + self.parts[verb]


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that training needs of a model whose sizes are numbers.

    Attributes:
        symbols: Its data.
        text: The program, as `codegen.text` writes it.
        code: What runs.
        starts: How each parameter begins.
        notes: What was assumed, for the user.
        equations: Number to LaTeX, those of the forward pass: they say which model it is.
    """

    symbols: tuple[Symbol, ...]
    text: str
    code: Code
    starts: Mapping[str, Start]
    notes: tuple[str, ...]
    equations: Mapping[str, str]

    def program(self) -> Program:
        """Return the whole program."""
        return read_program(self.text)

    def header(self) -> Program:
        """Return the program without its statements: values, sizes, outputs."""
        return read_program(self.text.partition("\ncomputed\n")[0])


# ---------------------------------------------------------------- reading what was stored; writing is `asdict`
def read_card(found: Any) -> Card:
    """Return a card from what JSON gave.

    Raises:
        CodegenError: it is none.
    """
    symbols = _symbols(_of(dict, found)["symbols"])
    title, predicted, chosen = (_of(str, found[word]) for word in ("title", "predicted", "chosen"))
    return Card(title, symbols, predicted, _of(bool, found["any_rows"]), chosen)


def read_recipe(found: Any) -> Recipe:
    """Return a recipe from what JSON gave.

    Raises:
        CodegenError: it is none.
    """
    starts = {name: Start(float(start["spread"]), float(start["value"])) for name, start in found["starts"].items()}
    notes, equations = _texts(found["notes"]), {k: _of(str, v) for k, v in found["equations"].items()}
    text, code = _of(str, found["text"]), _code(found["code"])
    return Recipe(_symbols(found["symbols"]), text, code, starts, notes, equations)


def _of(kind: type, met: Any) -> Any:
    if not isinstance(met, kind):
        raise CodegenError(f"met {type(met).__name__}; expected {kind.__name__}")
    return met


def _texts(met: Any) -> tuple[str, ...]:
    return tuple(_of(str, text) for text in _of(list, met))


def _symbols(met: Any) -> tuple[Symbol, ...]:
    return tuple(map(_symbol, _of(list, met)))


def _symbol(met: Any) -> Symbol:
    shape = tuple(None if length is None else _of(int, length) for length in _of(list, met["shape"]))
    name, latex, spelled, domain = (_of(str, met[word]) for word in ("name", "latex", "spelled", "domain"))
    sampled, target, places = (_of(bool, met[word]) for word in ("sampled", "target", "places"))
    return Symbol(name, latex, spelled, shape, sampled, domain, target, places)


def _code(met: Any) -> Code:
    return Code(
        _of(str, met["name"]), _of(int, met["batch"]), _of(bool, met["exact"]), _of(str, met["common"]),
        {verb: _of(str, part) for verb, part in _of(dict, met["parts"]).items()},
        _texts(met["used"]), _texts(met["inference"]), _scratch(met["scratch"]), _scratch(met["inference_scratch"]),
        _of(str, met["team"]),
    )  # fmt: skip


def _scratch(met: Any) -> Scratch:
    extents = (Extent(*(_of(int, one[word]) for word in ("number", "batch", "wide"))) for one in met["extents"])
    return Scratch(tuple(extents), _of(int, met["lanes"]))
