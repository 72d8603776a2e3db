"""From a derivation to the recipe of its training; the only way that needs SymPy."""

from __future__ import annotations

import os
from collections.abc import Mapping

import sympy

from codegen.generate import GENERATORS
from codegen.init import starts
from codegen.names import file_name, model_names
from codegen.optimizers import with_optimizer
from codegen.prediction import forward_equations, predicted, targets
from codegen.recipe import Card, Recipe, Symbol
from codegen.record import batch_form, decay_note, has_samples, known_shape, lowered, page_spelling, places, sheet_shape
from codegen.settings import Settings
from codegen.sizes import Sizes, resolve_sizes
from codegen.text import show
from derive.derivation import Derivation
from derive.printer import equation_latex
from derive.workbook import Workbook

Shapes = Mapping[str, tuple[int, ...]]


class Prepared:
    """A derivation, ready to be trained once the data's shapes are known.

    Attributes:
        source: The record as the user gave it.
        record: The same over a mini-batch.
        card: What it says of itself.
    """

    def __init__(self, source: Derivation, settings: Settings, chosen: str = "") -> None:
        self.source, self.record = source, batch_form(source)
        self.names = model_names(with_optimizer(self.record, settings.optimizer))
        output = predicted(self.record)
        any_rows = self.record.samples is None or isinstance(self.record.samples, sympy.Symbol)
        name = "" if output is None else self.names[output]
        self.card = Card(self.record.title, self.symbols(None), name, any_rows, chosen)

    def prepared(self) -> Prepared:
        """Return itself: nothing was stored."""
        return self

    def symbols(self, sizes: Sizes | None) -> tuple[Symbol, ...]:
        """Return the data, their lengths as numbers where something fixes them."""
        record, compared, looked_up = self.record, targets(self.record), places(self.record)
        return tuple(
            Symbol(
                self.names[v], v.latex, page_spelling(self.source, record, v), known_shape(record, v, sizes),
                has_samples(record, v), v.domain, v in compared, v in looked_up,
            )
            for v in record.data
        )  # fmt: skip

    def recipe(self, shapes: Shapes, settings: Settings) -> Recipe:
        """Return the recipe for data of given shapes, by their names in code.

        Raises:
            CodegenError: shapes disagree, or an operation has no code.
        """
        record = self.record
        lengths = {v: sheet_shape(record, v, shapes[self.names[v]]) for v in record.data}
        sizes = resolve_sizes(record, settings.sizes, lengths)
        program = lowered(record, sizes, settings.dtype, settings.optimizer, settings.weight_decay)
        code = GENERATORS[settings.target](
            program, file_name(record.title), self.card.predicted or None, settings.batch, settings.profile == "exact",
            settings.threads,
        )
        named = sizes.named()
        assumed = (f"{k} = {named[k]}: nothing fixes this size; set it with sizes=" for k in sizes.assumed)
        notes = (*assumed, *decay_note(record, sizes, settings.dtype, settings.weight_decay))
        equations = {e.id: equation_latex(e.name, e.value) for e in forward_equations(record)}
        return Recipe(self.symbols(sizes), show(program), code, starts(program), notes, equations)


def prepare_page(
    path: str | os.PathLike[str], section: str | None, settings: Settings, content: bytes | None = None
) -> Prepared:
    """Derive the last model of a page, or of a Python file, that can be trained.

    Args:
        path: Of the source.
        section: Words of the heading that picks one model.
        settings: Of the training.
        content: The page, where it was read already.
    Raises:
        DeriveError: the source cannot be read, or has no such model.
    """
    book = Workbook(path, section, content)
    chosen = book.trainable()
    several = chosen.title if len(book.sections) > 1 else ""
    return Prepared(chosen.derive(check=False), settings, several)
