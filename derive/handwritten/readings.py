"""The readings of a function: one sample or a mini-batch, arrays in every layout, the plainest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from derive.batch import batched
from derive.claims.bench import Bench, bench_for
from derive.errors import DeriveError, ModelError, ShapeError
from derive.handwritten.layout import layouts
from derive.handwritten.program import Program
from derive.handwritten.run import Reading
from derive.handwritten.words import Given, Meaning, Words
from derive.model import Network

ONE, COLUMNS, ROWS = "one", "columns", "rows"
SAMPLES = (ONE, COLUMNS, ROWS)


@dataclass(frozen=True, slots=True)
class Options:
    """How a function is read.

    Attributes:
        wrt: By what the gradients are that it returns in order, or which of them are judged.
        names: What words of the code stand for in the model.
        args: What positional parameters stand for, where the function does not say.
        samples: `one`, `columns` or `rows`: one sample, or a mini-batch that lies so; None: whatever fits.
        sizes: Sizes that the function insists on.
        tolerance: A relative tolerance in place of what rounding explains.
    """

    wrt: tuple[str, ...] | None = None
    names: Mapping[str, Given] | None = None
    args: tuple[str, ...] | None = None
    samples: str | None = None
    sizes: Mapping[str, int] | None = None
    tolerance: float | None = None


def readings(network: Network, own: Program, options: Options) -> Iterator[Reading]:
    """Yield what a function may compute: one sample, a mini-batch; its arrays in every layout."""
    candidates = []
    if options.samples in (None, ONE) or network.samples is not None:
        whole = bench_for(network)
        candidates.append((Words(whole.setting, options.names), whole, False))
    if options.samples != ONE and network.samples is None:
        try:
            whole = bench_for(batched(network))
            candidates.append((Words(whole.setting, options.names), whole, True))
        except (ModelError, ShapeError) as error:
            if options.samples is not None:
                raise DeriveError(f"samples: {options.samples}: {error}") from None
    met: list[tuple[Words, Bench, bool, dict[str, Meaning]]] = []
    for loosely in (False, True):  # `X` is not `x` where both are names: one sample would hide a missing 1/m
        if not met:
            met = [(words, bench, many, found) for words, bench, many in candidates
                   if (found := _meanings(own, words, loosely)) is not None]  # fmt: skip
    if not met:
        _refuse_words(own, [words for words, _, _ in candidates])
    for words, bench, many, meanings in met:
        yield from _laid_out(words, bench, many, meanings, options)


def _meanings(own: Program, words: Words, loosely: bool) -> dict[str, Meaning] | None:
    """Return what a function's parameters stand for; None where one that it needs stands for nothing."""
    found = {}
    for argument in own.arguments:
        meaning = words.argument(argument.word, loosely)
        if meaning is None and argument.required:
            return None
        if meaning is not None:
            found[argument.word] = meaning
    if own.open:
        found |= {word: m for word, m in words.exact.items() if word.isidentifier() and m.kind == "value"}
        found |= {f"d{words.code[end.latex]}": Meaning("cotangent", end) for end in words.ends if end.shape}
    return found


def _refuse_words(own: Program, candidates: Sequence[Words]) -> None:
    words = candidates[0]
    unknown = next(a.word for a in own.arguments if a.required and words.argument(a.word) is None)
    raise DeriveError(
        f"{own.label} takes {unknown}, which is no name of the model; {words.described()}. Say what it is: "
        f"names={{{unknown!r}: …}}"
    )


def _laid_out(
    words: Words, bench: Bench, many: bool, meanings: Mapping[str, Meaning], options: Options
) -> Iterator[Reading]:
    samples = bench.setting.network.samples
    lying = [False, True] if samples is not None else [False]
    if options.samples == ROWS:
        lying = [True]
    elif options.samples == COLUMNS:
        lying = [False]
    batch = ("a mini-batch of the model of one sample",) if many else ()
    single = ("it is called with one sample, as in the model",) if _has_batch(bench) and not many else ()
    mean = ("the loss of a batch is the mean of its samples' losses",) if many else ()
    total = ("the loss of a batch is the sum of its samples' losses",)
    for summed in ([None, samples] if many else [None]):
        for rows in lying:
            for layout in layouts(bench.setting.network, rows):
                notes = (*batch, *single, *(total if summed is not None else mean), *layout.described())
                yield Reading(bench, words, layout, meanings, summed, notes)


def _has_batch(bench: Bench) -> bool:
    """Tell whether a model is one of a single sample, of which a mini-batch can be made."""
    try:
        return bench.setting.network.samples is None and bool(batched(bench.setting.network))
    except (ModelError, ShapeError):
        return False
