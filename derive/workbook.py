"""A source opened: its models derived and checked, its claims judged. What the command line and Python call."""

from __future__ import annotations

import os
import runpy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from derive.backprop import derive_gradients
from derive.batch import batched
from derive.bounded import Steps, bounded
from derive.claims.in_model import JudgedClaim, written
from derive.claims.induction import checked_recurrence
from derive.claims.pages import judge_page
from derive.derivation import Derivation
from derive.errors import DeriveError, ModelError, ShapeError
from derive.expr import Var
from derive.generalise import generalised, generalised_recurrence
from derive.markup.blocks import Heading, Page
from derive.markup.page import load_page, load_text
from derive.meaning.facts import Facts, sort_equations
from derive.meaning.infer import ReadModel, build_model, compact, symbols_of
from derive.meaning.models import Sketch, claim_sketch, conflicts, sketch_models
from derive.meaning.outline import Equation, Outline, outline
from derive.meaning.per_sample import of_samples, with_samples
from derive.model import Network
from derive.recurrence import Recurrence
from derive.sheet.compose import ClaimLine, Part, compose
from derive.sheet.document import Document
from derive.stable.forms import StableForm
from derive.verify.steps import checked


def derive_network(network: Network, prefix: str = "", check: bool = True) -> Derivation:
    """Derive a model, check every step, and do the same for a mini-batch of it where it has a loss and data.

    Sizes given as numbers are derived as symbols, so that the work is the same for all of them.

    Raises:
        ModelError: there is nothing to differentiate, or the loss is no scalar.
    """
    general = generalised(network)
    if general is None:
        return _derived(network, prefix, check)
    return general.restore(_derived(general.network, prefix, check), network)


def _derived(network: Network, prefix: str, check: bool) -> Derivation:
    derivation = derive_gradients(network, prefix=prefix)
    seeds = {Var(n.latex, of.shape): of for of, n in _seed_names(derivation, network).items()}
    derivation = checked(network, derivation, seeds) if check else derivation
    whole = _batch_network(network, derivation)
    if whole is None:
        return derivation
    batch = derive_gradients(whole, prefix=prefix, first=len(derivation.equations) + 1)
    return replace(derivation, batch=checked(whole, batch) if check else batch)


def _seed_names(derivation: Derivation, network: Network) -> dict[Var, Var]:
    """Return the given cotangent of each output of a model without a loss."""
    defined = [item.name for item in network.definitions]
    return {of: seed for seed in derivation.seeds for of in defined if _names(seed, of, network)}


def _names(seed: Var, of: Var, network: Network) -> bool:
    return seed.latex in (network.cotangents.get(of), rf"\frac{{\partial L}}{{\partial {of.latex}}}")


def _batch_network(network: Network, derivation: Derivation) -> Network | None:
    """Return the model over a mini-batch; None for a loss that stands alone, or a model of whole batches."""
    if network.loss is None or len(network.definitions) < 2 or not derivation.data:
        return None
    try:
        return batched(network)
    except (ModelError, ShapeError):  # a value of one sample is a matrix, or an operation acts on whole batches
        return None


def derive_recurrence(recurrence: Recurrence, check: bool = True) -> Derivation:
    """Derive the recursion of a recurrence, and check every step.

    Raises:
        ModelError: there is no loss, or the body does not define what it hands on.
    """
    found = generalised_recurrence(recurrence)
    own, general = found if found is not None else (recurrence, None)
    record = own.derive()
    record = checked_recurrence(own, record) if check else record
    return record if general is None else general.restore(record)


@dataclass(frozen=True, slots=True)
class Section:
    """A model of a source: how it was read (None for one from Python), its network, its number on the sheet."""

    title: str
    headings: tuple[str, ...]
    network: Network
    prefix: str
    model: ReadModel | None = None
    claims: tuple[Equation, ...] = ()
    recurrence: Recurrence | None = None

    def derive(self, check: bool = True) -> Derivation:
        """Return its record."""
        if self.recurrence is not None:
            return derive_recurrence(self.recurrence, check)
        return derive_network(self.network, self.prefix, check)

    def trainable(self, any_sample: bool = False) -> bool:
        """Tell whether it has a loss, parameters and data.

        Args:
            any_sample: Whether a sample may be a matrix, so that nothing on a sheet tells it from a whole batch.
        """
        if self.network.loss is None or len(self.network.definitions) < 2 or self.recurrence is not None:
            return False
        record = derive_gradients(self.network)
        if any_sample:
            return bool(record.data and record.parameters)
        return _batch_network(self.network, record) is not None


class Workbook:
    """A page, or a Python file that defines a model."""

    def __init__(self, path: str | os.PathLike[str], section: str | None = None, content: bytes | None = None) -> None:
        """Read a source.

        Args:
            path: A page, or `file.py` or `file.py:name`.
            section: Words of the heading that picks one model.
            content: A page's bytes, where they were read already.
        Raises:
            DeriveError: the source cannot be read, or no section has such a heading.
        """
        self.path = str(path)
        self.wanted = section
        if Path(self.path).suffix == ".jsonl":
            raise DeriveError(f"{self.path}: claims files have no model of their own; use `derive check` alone")
        self.is_page = ".py" not in Path(self.path).name
        if self.is_page:
            self.text = load_text(self.path, content)
            self.page: Page = load_page(self.path, self.text.encode())
            self.outline: Outline = outline(self.page)
            self.title = next((b.text for b in self.page.blocks if isinstance(b, Heading)), Path(self.path).stem)
            self.facts: Facts = with_samples(sort_equations(self.outline), self.outline)
            self.sketches: list[Sketch] = sketch_models(self.outline, self.facts)
            self._pick_known_section()

    def _pick_known_section(self) -> None:
        if self.wanted is None:
            return
        headings = {h for path in self.outline.headings.values() for h in path}
        if not any(_matches(self.wanted, (h,)) for h in headings):
            some = "; ".join(sorted(s.title for s in self.sketches)) or "none with a model"
            raise DeriveError(f"{self.path}: no heading holds {self.wanted!r}. Sections with a model: {some}")

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The models of the source, in its order; all of them, or those of the wanted section.

        Raises:
            DeriveError: a model's equations do not fit together, or a formula of its section was not read.
        """
        if not self.is_page:
            return (load_python(self.path),)
        self.refuse_conflicts()
        self._refuse_unread()
        sections = [self._section(k, sketch) for k, sketch in enumerate(self._all_sketches(), 1) if self._wants(sketch)]
        if not sections:
            raise DeriveError(
                f"{self.path}: no model was found; a page needs equations such as $z = w^T x + b$ and a loss $L = ...$"
            )
        return tuple(sections)

    @cached_property
    def conflicts(self) -> tuple[str, ...]:
        """What is wrong with each name that a section defines a second time."""
        return tuple(conflicts(self.facts.claims, self.facts, self.outline))

    def refuse_conflicts(self) -> None:
        """Refuse a page that defines one name twice in a section.

        Raises:
            ModelError: the message names both lines.
        """
        for conflict in self.conflicts:
            raise ModelError(conflict)

    def _wants(self, sketch: Sketch) -> bool:
        return self.wanted is None or _matches(self.wanted, (*sketch.headings, sketch.title))

    def _refuse_unread(self) -> None:
        for unread in self.facts.unread:
            if self.wanted is None or _matches(self.wanted, unread.place.headings):
                where = f"{self.path}:{unread.place.line}:{unread.place.column}"
                raise DeriveError(
                    f"{where}: not read: {unread.reason}. Rewrite the formula, or pick another part with --section"
                )

    def _all_sketches(self) -> list[Sketch]:
        """Return the models, and those that a section of claims makes of one above, in the order of the page."""
        spoken_of = [s for s in self.spoken_of.values() if s is not None and s.loss is not None]
        carried = [s for s in spoken_of if s not in self.sketches]
        return sorted([*self.sketches, *carried], key=lambda s: (s.section, s.order))

    @cached_property
    def spoken_of(self) -> dict[int, Sketch | None]:
        """The model that the claims of each section speak of."""
        models: dict[int, Sketch | None] = {}
        for section, claims in self._claims_by_section.items():
            sketch = claim_sketch(section, claims, self.sketches, self.outline, self.facts)
            models[section] = sketch and next((s for s in self.sketches if _same_model(s, sketch)), sketch)
        return models

    @cached_property
    def _claims_by_section(self) -> dict[int, list[tuple[int, Equation]]]:
        groups: dict[int, list[tuple[int, Equation]]] = {}
        for order, claim in self.facts.claims:
            groups.setdefault(claim.place.section, []).append((order, claim))
        return groups

    def _section(self, number: int, sketch: Sketch) -> Section:
        claims = [c for at, own in self.spoken_of.items() if own is sketch for _, c in self._claims_by_section[at]]
        model = self._model(sketch)
        return Section(sketch.title, sketch.headings, model.network, f"{number}.", model, tuple(claims))

    def _model(self, sketch: Sketch) -> ReadModel:
        try:
            return build_model(sketch, self.facts, self.outline)
        except DeriveError:
            read = of_samples(sketch, self.outline)
            if read is None:
                raise
            return build_model(read[0], self.facts, read[1])

    @property
    def assumed(self) -> list[str]:
        """What macros were taken to mean that the page uses and does not define."""
        return list(self.outline.assumed) if self.is_page else []

    def judged(self) -> Iterator[JudgedClaim]:
        """Yield every claim of the source, judged, each within limits: see `derive.bounded`."""
        return bounded(self.judged_by)

    def judged_by(self, steps: Steps) -> Iterator[JudgedClaim]:
        """Yield every claim of the source, judged step by step."""
        if not self.is_page:
            return
        for claim in judge_page(self.outline, self.facts, self.sketches, steps):
            if self.wanted is None or _matches(self.wanted, claim.place.headings):
                yield claim

    def symbols(self) -> list[dict[str, object]]:
        """Return the names of all models with their shapes, as the report lists them."""
        seen: dict[tuple[str, tuple[str, ...]], dict[str, object]] = {}
        for sketch in self._all_sketches() if self.is_page else []:
            try:
                model = self._model(sketch)
            except DeriveError:
                continue
            for latex, shape, declared in symbols_of(model):
                seen.setdefault((latex, shape), {"latex": latex, "shape": list(shape), "declared": declared})
        return list(seen.values())

    def trainable(self) -> Section:
        """Return the last model that can be trained: of vectors and numbers, else of any sample.

        Raises:
            DeriveError: none has a loss, parameters and data.
        """
        for any_sample in (False, True):
            for section in reversed(self.sections):
                if section.trainable(any_sample):
                    return section
        raise DeriveError(
            f"{self.path}: no model with a loss and data can be trained; add an equation for the loss, such as "
            r"$L = -\sum_j y_j \log(\hat{y}_j)$"
        )

    def document(self, stable: Callable[[Derivation], tuple[StableForm, ...]] | None = None) -> Document:
        """Return the derivation sheet of all models, with the verdict on what the page claims of each.

        Args:
            stable: Gives the stable forms that code computes a model with; without it the sheet says nothing of them.
        """
        judged = {(claim.place.line, claim.place.column): claim for claim in self.judged()}
        parts = []
        for section in self.sections:
            stand = [claim.stands for claim in section.claims]
            places = dict.fromkeys((place.line, place.column) for place in stand)
            lines = tuple(_claim_line(judged[place]) for place in places if place in judged)
            record = section.derive()
            parts.append(Part(record, lines, None if stable is None else stable(record)))
        title = self.title if self.is_page else parts[0].derivation.title
        return compose(title, parts)


def _same_model(one: Sketch, other: Sketch) -> bool:
    return one.definitions == other.definitions and one.loss is other.loss


def _matches(words: str, headings: Sequence[str]) -> bool:
    return any(words.casefold() in heading.casefold() for heading in headings)


def _claim_line(claim: JudgedClaim) -> ClaimLine:
    verdict = claim.verdict
    note = (
        verdict.reason
        if verdict.diagnosis is None
        else f"{verdict.diagnosis.kind}: ${compact(verdict.diagnosis.corrected)}$"
    )
    return ClaimLine(written(claim), verdict.verdict, note, claim.place.line)


def load_python(spec: str) -> Section:
    """Return the model that a Python file defines; `file.py:name` where it defines several.

    The file is run: it is the user's own program, unlike a page.
    """
    path, _, name = spec.partition(":")
    if not Path(path).is_file():
        raise DeriveError(f"{path} is no file; give a page or a Python file that defines a derive.Model")
    found = {key: value for key, value in runpy.run_path(path).items() if _is_model(value)}
    unique = {id(value): key for key, value in found.items()}
    if name and name not in found:
        raise DeriveError(f"{path} defines no model {name}; it has {', '.join(found) or 'none'}")
    if not name and len(unique) != 1:
        raise DeriveError(
            f"{path} defines {len(unique)} models; name one as {path}:NAME ({', '.join(found) or 'none'})"
        )
    model = found[name or next(iter(found))]
    if isinstance(model, Recurrence):
        return Section(model.title, (model.title,), model.window(), "", recurrence=model)
    network = model.network()
    return Section(network.title, (network.title,), network, "")


def _is_model(value: object) -> bool:
    """Tell a model from all else that a file defines; its class comes later than this module."""
    if isinstance(value, type):
        return False
    return isinstance(value, Recurrence) or (hasattr(value, "network") and hasattr(value, "gradients"))
