"""A claim about a recurrence, as claims about models of a few steps: each an entry of a claims file like any other."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from derive.cases.claims_file import Entry
from derive.cases.steps import (
    Series,
    Steps,
    count_of,
    free_letters,
    letters_of,
    split,
    told_apart,
)
from derive.cases.unrolled import (
    LAST,
    UNIT,
    ZERO,
    MissingError,
    Reading,
    Writer,
    at_step,
    before_first,
    copy_at,
    dependencies,
    names_used,
    state_at,
)
from derive.errors import UnreadError
from derive.meaning.facts import key_without_indices
from derive.meaning.naming import plain, renamed
from derive.meaning.outline import names_in, walk
from derive.read import syntax as ast
from derive.read.latex import read_formula
from derive.read.spelling import render

COUNTS = (2, 3, 4)  # the numbers of steps that are written out
Sides = tuple[ast.Node, ast.Node]


@dataclass(frozen=True, slots=True)
class Instance:
    """A claim at one step of a model of few: in words, as an entry, with what was assumed."""

    words: str
    entry: Entry
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unrolled:
    """An entry whose model is a recurrence.

    Attributes:
        entry: As written.
        functions: The names in it that are functions.
        equations: The definitions of its model.
        claims: Its claims.
        steps: What is said of steps.
        starts_at_zero: Whether the model says that what is given before the first step is zero.
    """

    entry: Entry
    functions: frozenset[str]
    equations: tuple[Sides, ...]
    claims: tuple[Sides, ...]
    steps: Steps
    starts_at_zero: bool

    def has_products(self) -> bool:
        """Tell whether the order of factors is left open."""
        return any(isinstance(part, ast.Big) and part.kind == "prod" for side in self._sides() for part in walk(side))

    def direct(self) -> list[ast.Name]:
        """Return by which parameters the right side of a claim differentiates states: all of it, or directly alone."""
        parts = [part for _, right in self.claims for part in walk(right) if isinstance(part, ast.Derivative)]
        pairs = [(part.of, part.wrt) for part in parts]
        by = [wrt for of, wrt in pairs if isinstance(of, ast.Name) and isinstance(wrt, ast.Name)
              and split(of, self.steps.stepped) is not None and split(wrt, self.steps.stepped) is None]  # fmt: skip
        return list(dict.fromkeys(by))

    def has_powers(self) -> bool:
        """Tell whether a T above a letter may be the last step."""
        parts = [part for side in self._sides() for part in walk(side)]
        return "T" in self._free(self._sides()) and any(isinstance(part, ast.Transpose) for part in parts)

    def is_of_one_step(self) -> bool:
        """Tell whether a claim about no step speaks of one in general, downstream of which nothing is said."""
        left, right = (self._free(sides) for sides in zip(*self.claims, strict=True))
        defined = {render(name) for name, _ in self.equations}
        parts = [part for claimed, _ in self.claims for part in walk(claimed)]
        differentiated = {render(part.of) for part in parts if isinstance(part, ast.Derivative)}
        return bool(right - left - self.last_letters()) and not differentiated <= defined

    def at(self, last: int, reading: Reading) -> Iterator[Instance]:
        """Yield the claim at each step of a model of some steps at which there is what it names.

        Raises:
            UnreadError: a formula cannot be written out.
        """
        ends = dict.fromkeys(self.last_letters(), last) | {LAST: last}
        writer = Writer(self.steps, reading)
        model = list(self._model(writer, ends, last))
        known = names_used(side for sides in model for side in sides)
        if reading.direct:
            model = self._with_copies(model)
        above = dependencies(model)
        symbols = self._symbols(known)
        if self._are_numbers(symbols):
            parts = {key_without_indices(name) for _, right in model for name in names_in(right)}
            symbols = {key: {"shape": []} for key in parts} | symbols
        else:
            model += [(name, before_first(name))
                      for latex, name in self._states(known).items() if latex not in symbols]  # fmt: skip
        texts = tuple(f"{self._text(left)} = {self._text(right)}" for left, right in model)
        generic = sorted(self._free(self._sides()) - ends.keys())
        if len(generic) > 2:
            raise UnreadError("it speaks of more than two steps in general")
        missing: MissingError | None = None
        found = False
        for counts in itertools.product(range(self.steps.first, last + 1), repeat=len(generic)):
            at = {**ends, **dict(zip(generic, counts, strict=True))}
            try:
                written = list(self._claims(Writer(self.steps, reading, known, above), at))
            except MissingError as error:
                missing = error
                continue
            for claim, notes in written:
                found = True
                words = ", ".join(f"{letter} = {at[letter]}" for letter in generic)
                yield Instance(words, replace(self.entry, model=texts, claim=claim, symbols=symbols), notes)
        if missing is not None and not found and not missing.is_numbered():
            raise missing

    def _sides(self) -> list[ast.Node]:
        return [side for claim in self.claims for side in claim]

    def _free(self, nodes: Iterable[ast.Node]) -> set[str]:
        """Return the letters of steps that some formulas use and do not bind."""
        return {letter for node in nodes for letter in free_letters(node, self.steps.stepped)}

    def last_letters(self) -> frozenset[str]:
        """Return the letters of the last step: those that the model has for it, and capitals in the claim.

        Raises:
            UnreadError: such a letter is a name, too.
        """
        last = self.steps.last | {letter for letter in self._free(self._sides()) if letter.isupper()}
        inner = {word for told in self.entry.symbols.values() for word in list(told.get("shape") or [])[1:]}
        names = {render(left) for left, _ in self.equations} | self.entry.symbols.keys()
        names |= {render(part.of) for side in self._sides() for part in walk(side) if isinstance(part, ast.Derivative)}
        if both := last & names:
            raise UnreadError(f"${min(both)}$ is a name and the last step, too")
        return last | ({"T"} - inner - names)

    def _model(self, writer: Writer, ends: Mapping[str, int], last: int) -> Iterator[Sides]:
        """Yield the equations of a model of some steps."""
        defined = [split(left, self.steps.stepped) for left, _ in self.equations if isinstance(left, ast.Name)]
        counted = [(series, count_of(index, {})) for series, index in filter(None, defined)]
        fixed = {(series, count) for series, count in counted if count is not None}  # h_0 = …
        for left, right in self.equations:
            series, letter, shift = self._counted(left, ends)
            counts = [count - shift for count in range(self.steps.first, last + 1)] if letter else [0]
            for count in counts:
                if letter and (series, count + shift) in fixed:
                    continue
                at = {**ends, letter: count} if letter else ends
                sides = writer.side(left, at), writer.side(right, at)
                if UNIT in sides or ZERO in sides:
                    raise UnreadError(f"${render(left)}$: nothing is left of its equation at one of the steps")
                yield sides

    def _counted(self, left: ast.Node, ends: Mapping[str, int]) -> tuple[Series | None, str, int]:
        """Return where a definition has its step, the letter of the step, and what is added to it."""
        found = split(left, self.steps.stepped) if isinstance(left, ast.Name) else None
        letters = letters_of(found[1]) if found is not None else frozenset()
        if found is None or not letters:
            return None, "", 0
        letter = min(letters)
        shift = count_of(found[1], {letter: 0})
        if len(letters) > 1 or shift is None:
            raise UnreadError(f"${render(left)}$: its step is not read")
        own = letter in ends and letter.isupper()  # h_T = …
        return (None, "", 0) if own else (found[0], letter, shift)

    def _with_copies(self, model: list[Sides]) -> list[Sides]:
        """Return a model in which each state has its own copy of the parameters that are differentiated by."""
        parameters = self.direct()
        copies: dict[ast.Name, ast.Name] = {}
        changed: list[Sides] = []
        for left, right in model:
            if isinstance(left, ast.Name) and left.style:
                own = {name: copy_at(told_apart(name, self.steps.words), left) for name in parameters}
                copies |= {copy: name for name, copy in own.items()}
                right = renamed(right, own)
            changed.append((left, right))
        return [*copies.items(), *changed]

    def _claims(self, writer: Writer, at: Mapping[str, int]) -> Iterator[tuple[str, tuple[str, ...]]]:
        for left, right in self.claims:
            claimed = replace(writer, reading=replace(writer.reading, direct=False)).side(left, at)
            if claimed in (UNIT, ZERO):
                continue  # ∂h_2/∂h_2 or ∂h_1/∂h_2, of which pages do not think
            written = writer.side(right, at)
            if written is UNIT:
                continue
            if written is ZERO:
                written = ast.Sum("-", claimed, claimed)  # zeros of its shape
            yield f"{self._text(claimed)} = {self._text(written)}", tuple(writer.notes)

    def _text(self, node: ast.Node) -> str:
        """Return a formula's LaTeX.

        Raises:
            UnreadError: it does not read as the same again.
        """
        return _text(node, self.functions)

    def _symbols(self, known: Mapping[str, ast.Name]) -> dict[str, Mapping[str, Any]]:
        """Return what is told of names, by step; of a stack over the steps each has a part."""
        found: dict[str, Mapping[str, Any]] = {}
        general: dict[Series, Mapping[str, Any]] = {}
        for latex, told in self.entry.symbols.items():
            tree = read_formula(latex, self.functions)
            if told.get("function") or not isinstance(tree, ast.Name):
                found[latex] = told
                continue
            here = split(tree, self.steps.stepped)
            whole = [] if tree.subs or tree.sup else self.steps.stepped
            bare = [series for series in whole if series.letter == plain(tree.base)]
            if here is None and not bare:
                found[render(told_apart(tree, self.steps.words))] = told
                continue
            series, index = here or (bare[0], ast.Name(""))
            count = count_of(index, {})
            if count is None:
                general[series] = self._of_one(told, series)
            else:
                found[render(at_step(tree, series, count, self.steps))] = told
                general.setdefault(series, told)
        for series, told in general.items():
            for latex, name in known.items():
                if name.style and _is_at(name, series, self.steps):
                    found.setdefault(latex, told)
        return found

    def _states(self, known: Collection[str]) -> dict[str, ast.Name]:
        """Return the states before the first step."""
        found: dict[str, ast.Name] = {}
        for series in sorted(self.steps.defined, key=str):
            for count in range(-1, self.steps.first):
                name = state_at(series, count, self.steps)
                found |= {render(name): name} if render(name) in known else {}
        return found

    def _are_numbers(self, symbols: Mapping[str, Mapping[str, Any]]) -> bool:
        """Tell whether all that a claim speaks of is told to be a number: then so is the rest of its model."""
        names = {name for side in self._sides() for name in names_in(side) if split(name, self.steps.stepped) is None}
        free = {render(name) for name in names} - {render(left) for left, _ in self.equations}
        free -= self._letters()
        told = {latex for latex, about in symbols.items() if not about.get("function")}
        return bool(free & told) and free <= told and not any(symbols[latex].get("shape") for latex in told)

    def _letters(self) -> set[str]:
        """Return the letters of steps in the claims, with those of the last one and those in limits of sums."""
        parts = [part for side in self._sides() for part in walk(side)]
        sums = [part for part in parts if isinstance(part, ast.Big)]
        limits = [limit for part in sums for limit in (part.index, part.lower, part.upper)]
        bound = {letter for limit in limits if limit is not None for letter in letters_of(limit)}
        return self._free(parts) | bound | self.last_letters()

    def _of_one(self, told: Mapping[str, Any], series: Series) -> Mapping[str, Any]:
        shape = list(told.get("shape") or [])
        others = [other.get("shape") for other in self.entry.symbols.values() if other is not told]
        alone = len(shape) == 1 and not any(others) and series not in self.steps.defined
        if shape and (shape[0] in self.last_letters() | {"T"} or alone):
            shape = shape[1:]
        return {**told, "shape": shape}


@lru_cache(maxsize=512)  # the same model is written again for each claim about it
def _text(node: ast.Node, functions: frozenset[str]) -> str:
    text = render(node, functions)
    if read_formula(text, functions) != node:
        raise UnreadError(f"${text}$ cannot be written out without changing its meaning")
    return text


def _is_at(name: ast.Name, series: Series, steps: Steps) -> bool:
    """Tell whether a name with its step above is one of a series."""
    kept = tuple(sub for sub in name.subs if sub in series.others)
    return name.base == steps.stepped[series] and set(kept) == set(series.others) and name.primes == series.primes
