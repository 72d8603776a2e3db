"""The models of a page: which definitions belong together, in which section, with which loss."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from derive.meaning.facts import GREEK_DELTA, Definition, Facts, key_without_indices
from derive.meaning.kinds import is_loss_name
from derive.meaning.outline import Equation, Outline, names_in, walk
from derive.read import syntax as ast
from derive.read.spelling import render

LOSS_PHRASES = (
    ("binary cross-entropy", r"binary\s+cross[- ]entropy|log(?:istic)?\s+loss"),
    ("mean squared error", r"mean[- ]squared\s+error|\bMSE\b|squared\s+error"),
    (
        "multi-class cross-entropy",
        r"(?:multi-?class|categorical)\s+cross[- ]entropy|cross[- ]entropy\s+loss\s+for\s+multi",
    ),
)


@dataclass(frozen=True, slots=True)
class Sketch:
    """A model before its shapes are known: definitions in order, what it is called, where it stands."""

    title: str
    section: int
    headings: tuple[str, ...]
    definitions: tuple[Definition, ...]
    loss: Definition | None
    order: int
    assumptions: tuple[str, ...] = ()
    carried: bool = False
    downstream: str = "L"

    @property
    def loss_key(self) -> str:
        """The loss's spelling; that of any loss downstream where the model has none."""
        return self.downstream if self.loss is None else render(self.loss.equation.left)

    def defined(self) -> set[str]:
        """Return the names that it defines."""
        return {item.key for item in self.all()}

    def all(self) -> tuple[Definition, ...]:
        """Return its definitions, the loss last."""
        return self.definitions if self.loss is None else (*self.definitions, self.loss)


def called_by_name(definitions: Iterable[Definition]) -> list[Definition]:
    """Return definitions in which what has a name is called by it: beside u = W x and r = f(u), y = V f(W x) is V r."""
    found = list(definitions)
    for _ in found:
        before = [item.equation.right for item in found]
        names: dict[ast.Node, ast.Node] = {
            item.equation.right: item.equation.left for item in found
            if isinstance(item.equation.left, ast.Name) and not isinstance(item.equation.right, ast.Name | ast.Number)
        }  # fmt: skip
        changed = [ast.map_children(right, partial(ast.with_parts, parts=names)) for right in before]
        found = [
            replace(item, equation=replace(item.equation, right=right))
            for item, right in zip(found, changed, strict=True)
        ]
        if changed == before:
            break
    return found


def sketch_models(found: Outline, facts: Facts) -> list[Sketch]:
    """Return the models of a page: each end of a chain of definitions with all that it needs."""
    used = {
        item.key + f"@{source.order}" for definition in facts.definitions for item, source in _uses(definition, facts)
    }
    ends = [d for d in facts.definitions if f"{d.key}@{d.order}" not in used]
    sketches = [_sketch(end, found, facts) for end in ends]
    return [s for s in sketches if not any(_within(s, other) for other in sketches)]


def _within(one: Sketch, other: Sketch) -> bool:
    """Tell whether a model is a part of another in the same section."""
    inner = {(d.key, d.equation.place) for d in one.all()}
    outer = {(d.key, d.equation.place) for d in other.all()}
    return one.section == other.section and inner < outer


def _uses(definition: Definition, facts: Facts) -> list[tuple[Definition, Definition]]:
    found = (resolve(key, definition, facts) for key in _needed(definition.equation.right))
    return [(item, item) for item in found if item is not None]


def _needed(node: ast.Node) -> list[str]:
    return list(dict.fromkeys(key_without_indices(name) for name in names_in(node)))


def resolve(key: str, at: Definition, facts: Facts) -> Definition | None:
    """Return the definition that a name means at a place: above in the section, below in it, above in a sibling."""
    same = [d for d in facts.definitions if d.key == key and d.section == at.section and d is not at]
    above = [d for d in same if d.order < at.order]
    if above or same:
        return above[-1] if above else same[0]
    linked = _activation(key, at, facts)
    if linked is not None:
        return linked
    parent = at.equation.place.headings[:-1]
    siblings = [
        d for d in facts.definitions
        if d.key == key and d.order < at.order and parent and d.equation.place.headings[:-1] == parent
    ]  # fmt: skip
    return siblings[-1] if siblings else None


def _activation(key: str, at: Definition, facts: Facts) -> Definition | None:
    """Return `ŷ = softmax(z)` where a loss uses ŷ, and the section has softmax(z_j) but no equation for ŷ."""
    if not is_loss_name(at.key) or r"\hat" not in key:
        return None
    for order, section, call in facts.activations:
        if section == at.section and len(call.args) == 1 and isinstance(call.args[0], ast.Name):
            argument = call.args[0]
            defined = any(d.key == key_without_indices(argument) and d.section == section for d in facts.definitions)
            if defined:
                name = _name_with(key, argument.subs)
                equation = Equation(name, call, f"{render(name)} = {render(call)}", at.equation.place)
                return Definition(key, equation, order)
    return None


def _name_with(key: str, subs: tuple[ast.Node, ...]) -> ast.Name:
    return ast.Name(key, subs=subs)


def _sketch(end: Definition, found: Outline, facts: Facts) -> Sketch:
    closure: dict[str, Definition] = {}
    assumed: list[str] = []

    def collect(item: Definition) -> None:
        if item.key in closure:
            return
        closure[item.key] = item
        for key in _needed(item.equation.right):
            source = resolve(key, item, facts)
            if source is not None and source.key not in closure:
                if (
                    source.equation.latex == f"{render(source.equation.left)} = {render(source.equation.right)}"
                    and source.equation.place is item.equation.place
                ):
                    assumed.append(f"${source.equation.latex}$, as the section has it")
                collect(source)

    collect(end)
    items = sorted(called_by_name(closure.values()), key=lambda d: d.order)
    end = next(item for item in items if item.order == end.order and item.key == end.key)
    loss = end if is_loss_name(end.key) else None
    forward = tuple(d for d in items if d is not loss)
    place = end.equation.place
    first = min((d.equation.place.section for d in items), default=place.section)
    headings = place.headings if first == place.section else _common(place.headings, found.headings[first])
    order = max([end.order, *(k for k, e in enumerate(found.equations) if e.place.section == place.section)])
    title = title_of(headings, place.label if _several_ends(end, facts) else "")
    if loss is None:
        loss, why = _loss_by_words(forward, found.prose.get(place.section, ""), facts, order)
        assumed += why
    return Sketch(title, place.section, headings, forward, loss, order, tuple(dict.fromkeys(assumed)))


def _several_ends(end: Definition, facts: Facts) -> bool:
    return sum(d.key == end.key and d.section == end.section for d in facts.definitions) > 1


def _common(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    return tuple(a for a, b in zip(one, other, strict=False) if a == b)


def title_of(headings: Sequence[str], label: str = "") -> str:
    """Return a title from headings: the last, with the one above it where it does not say enough by itself."""
    plain = [re.sub(r"[*_`]", "", h).strip() for h in headings]
    name = plain[-1] if plain else "Model"
    if len(plain) > 1 and not re.match(r"[\d.]+\s", name) and re.match(r"[\d.]+\s", plain[-2]):
        name = f"{plain[-2]} · {name}"
    return f"{name} · {label}" if label else name


def _loss_by_words(
    forward: Sequence[Definition], prose: str, facts: Facts, at: int
) -> tuple[Definition | None, list[str]]:
    """Return the loss that a section calls by its name and that stands above, if the model gives what it needs."""
    for phrase, pattern in LOSS_PHRASES:
        if not re.search(pattern, prose, re.IGNORECASE):
            continue
        for item in reversed([d for d in facts.definitions if is_loss_name(d.key) and d.order < at]):
            where = " ".join((*item.equation.place.headings[-1:], item.equation.place.before[-200:]))
            if re.search(pattern, where, re.IGNORECASE) and _feeds(forward, item):
                return item, [f"the loss is the {phrase} of line {item.equation.place.line}"]
    return None, []


def _feeds(forward: Sequence[Definition], loss: Definition) -> bool:
    """Tell whether a model defines something that the loss uses."""
    return bool({d.key for d in forward} & set(_needed(loss.equation.right)))


def claim_sketch(
    section: int, claims: Sequence[tuple[int, Equation]], sketches: Sequence[Sketch], found: Outline, facts: Facts
) -> Sketch | None:
    """Return the model that a section's claims speak of: its own, a sibling's, else the last above that fits best.

    A model from elsewhere without a loss takes the one that the claims' section names.
    """
    wanted = {key for _, equation in claims for key in _claim_keys(equation)}
    order, parent = claims[-1][0], found.headings[section][:-1]
    groups = (
        [s for s in sketches if s.section == section],
        [s for s in sketches if parent and s.headings[: len(parent)] == parent],
        [s for s in sketches if s.order < order],
        list(sketches),
    )
    for place, group in enumerate(groups):
        best = max((len(wanted & known_names(s)) for s in group), default=0)
        if best:
            chosen = [s for s in group if len(wanted & known_names(s)) == best][-1]
            return chosen if place == 0 else _with_loss(chosen, section, order, found, facts)
    return None


def _claim_keys(equation: Equation) -> set[str]:
    keys = set()
    for side in (equation.left, equation.right):
        for part in walk(side):
            if isinstance(part, ast.Derivative) and isinstance(part.wrt, ast.Name):
                keys.add(key_without_indices(part.wrt))
        keys |= {key_without_indices(name) for name in names_in(side) if not is_loss_name(render(name))}
    for name in list(keys):
        if name.startswith((GREEK_DELTA, r"\Delta")):
            keys.discard(name)
            keys |= {name.replace(GREEK_DELTA, letter, 1) for letter in ("Z", "z")}
    return keys


def known_names(sketch: Sketch) -> set[str]:
    """Return the names that a model defines or uses."""
    return sketch.defined() | {key for item in sketch.all() for key in _needed(item.equation.right)}


def _with_loss(sketch: Sketch, section: int, order: int, found: Outline, facts: Facts) -> Sketch:
    headings = found.headings[section]
    lines = ", ".join(str(d.equation.place.line) for d in sketch.definitions)
    words = " ".join((found.prose.get(section, ""), *headings))
    loss, why = _loss_by_words(sketch.definitions, words, facts, order)
    if loss is None and sketch.loss is not None:
        loss, why = sketch.loss, []
    return replace(
        sketch, title=title_of(headings), section=section, headings=headings, order=max(order, sketch.order),
        carried=True, loss=loss,
        assumptions=tuple(dict.fromkeys([*sketch.assumptions, f"forward equations of lines {lines}", *why])),
    )  # fmt: skip


def conflicts(claims: Sequence[tuple[int, Equation]], facts: Facts, found: Outline) -> Iterator[str]:
    """Yield what is wrong with each second equation for a name that others use, which both cannot be one model.

    It brings in symbols that the page has nowhere else; the text names both lines.
    """
    for _, equation in claims:
        if not isinstance(equation.left, ast.Name):
            continue
        key = key_without_indices(equation.left)
        first = next((d for d in facts.definitions if d.key == key and d.section == equation.place.section), None)
        if first is None:
            continue
        used = any(key in _needed(d.equation.right) for d in facts.definitions if d.section == first.section)
        written = {k for d in facts.definitions for k in (d.key, *_needed(d.equation.right))} | set(found.words)
        fresh = [k for k in _needed(equation.right) if k not in written]
        if fresh and used and equation.place.line != first.equation.place.line:
            yield (
                f"line {equation.place.line} defines {key} again, with {fresh[0]}; line {first.equation.place.line} "
                f"defines it otherwise. Keep one of them in this section, or give one another name"
            )
