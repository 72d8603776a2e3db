"""Computed indices in NumPy: as slices and loops, as numbers of rows, or as index arrays; and functions for them.

Of an index such as 2*t+j the label that runs farthest becomes a slice, the others small loops in Python. What an
index takes from outside is a border of zeros.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codegen.places import length_of, reach
from codegen.program import BATCH, Affine, Index, Lookup, Pick, Program, Ref, Size, index_labels

HELPERS = {
    "pick": '''def pick(x, *index):
    """The entries of x at arrays of whole numbers, one array an axis; 0 where one lies outside."""
    index = [np.asarray(k).astype(np.intp) for k in index]
    inside = np.all(np.broadcast_arrays(*((0 <= k) & (k < n) for k, n in zip(index, x.shape))), axis=0)
    return np.where(inside, x[tuple(np.where((0 <= k) & (k < n), k, 0) for k, n in zip(index, x.shape))], 0)
''',
    "scatter": '''def scatter(values, shape, *index):
    """Zeros, with the values added at arrays of whole numbers, one array an axis; what lies outside is dropped."""
    out = np.zeros(shape, values.dtype)
    values, *index = np.broadcast_arrays(values, *(np.asarray(k).astype(np.intp) for k in index))
    inside = np.all([(0 <= k) & (k < n) for k, n in zip(index, shape)], axis=0)
    np.add.at(out, tuple(k[inside] for k in index), values[inside])
    return out
''',
    "rows": '''def rows(x, index):
    """The rows of x by their numbers; zeros where there is no such row."""
    index = index.astype(np.intp)
    inside = (0 <= index) & (index < len(x))
    if inside.all():
        return x[index]
    return np.where(inside.reshape(index.shape + (1,) * (x.ndim - 1)), x[np.where(inside, index, 0)], 0)
''',
    "add_rows": '''def add_rows(values, index, count):
    """Zeros of `count` rows, with each of the values added to the row of its number."""
    index = index.astype(np.intp)
    inside = (0 <= index) & (index < count)
    out = np.zeros((count, *values.shape[index.ndim :]), values.dtype)
    np.add.at(out, index[inside], values[inside])
    return out
''',
    "inverse": '''def inverse(x):
    """The inverse of a matrix, or of each; NaN where there is none."""
    try:
        return np.linalg.inv(x)
    except np.linalg.LinAlgError:
        return np.full_like(x, np.nan)
''',
}
"""Functions that moving lines, and rows for whole matrices, call."""


@dataclass(frozen=True, slots=True)
class Slices:
    """A value with a border, and how its axes are run through.

    Attributes:
        borders: Zeros before and after, an axis.
        looped: The labels of the loops in Python, with their counts.
        parts: A slice, or `:`, an axis; loop labels stand in them as variables.
        labels: The label along each axis.
    """

    borders: tuple[tuple[int, int], ...]
    looped: tuple[tuple[str, int], ...]
    parts: tuple[str, ...]
    labels: tuple[str, ...]


def sliced(program: Program, pick: Pick, sizes: Mapping[str, Size], loops: Mapping[str, str]) -> Slices | None:
    """Return how slices run through a pick; None where they do not.

    Args:
        program: Where the sizes are known.
        pick: Entries at computed indices.
        sizes: The length along which each label runs.
        loops: The variable of each label, should it be looped over.
    """
    every = [label for index in pick.index for label in index_labels(index)]
    if len(set(every)) < len(every) or any(isinstance(index, Lookup) for index in pick.index):
        return None
    borders, looped, parts, labels = list[tuple[int, int]](), dict[str, int](), list[str](), list[str]()
    for index, axis in zip(pick.index, program.values[pick.name].sizes, strict=True):
        if isinstance(index, str):
            found: tuple[tuple[int, int], dict[str, int], str, str] | None = ((0, 0), {}, ":", index)
        else:
            found = _along(program, index, axis, sizes, loops) if isinstance(index, Affine) else None
        if found is None:
            return None
        borders.append(found[0])
        looped |= found[1]
        parts.append(found[2])
        labels.append(found[3])
    return Slices(tuple(borders), tuple(looped.items()), tuple(parts), tuple(label for label in labels if label))


def _along(
    program: Program, index: Affine, axis: Size, sizes: Mapping[str, Size], loops: Mapping[str, str]
) -> tuple[tuple[int, int], dict[str, int], str, str] | None:
    """Return border, loops, slice and label along one axis."""
    met, length = reach(program, index, sizes), length_of(program, axis)
    lengths = {label: length_of(program, sizes[label]) for _, label in index.terms}
    counts = {label: number for label, number in lengths.items() if number is not None}
    if met is None or length is None or any(step < 0 for step, _ in index.terms):
        return None
    before, after = max(0, -met[0]), max(0, met[1] - length + 1)
    steps = {label: step for step, label in index.terms}
    if not steps:
        return (before, after), {}, str(index.offset + before), ""
    kept = max(steps, key=lambda label: counts[label])
    looped = {label: counts[label] for label in steps if label != kept}
    start = _sum(index.offset + before, [(steps[label], loops[label]) for label in looped])
    stop = _sum(index.offset + before + steps[kept] * (counts[kept] - 1) + 1, [(steps[k], loops[k]) for k in looped])
    step = f":{steps[kept]}" if steps[kept] != 1 else ""
    return (before, after), looped, f"{start}:{stop}{step}", kept


def _sum(number: int, terms: Sequence[tuple[int, str]]) -> str:
    words = [word if step == 1 else f"{step} * {word}" for step, word in terms]
    return " + ".join([*words, *([str(number)] if number or not words else [])])


def positions(index: Index, axes: Sequence[str], sizes: Mapping[str, str], held: Mapping[Ref, str]) -> str:
    """Return an index as an array that broadcasts over the labels in `axes`.

    Args:
        index: The index.
        axes: Labels in the order of the axes.
        sizes: The length of each label, as text.
        held: What a looked up value is called, brought into the same order.
    """
    if isinstance(index, Lookup):
        return held[index.ref]
    terms = ((1, index),) if isinstance(index, str) else index.terms
    offset = 0 if isinstance(index, str) else index.offset
    words = []
    for step, label in terms:
        behind = ", None" * (len(axes) - 1 - list(axes).index(label))
        numbers = f"np.arange({sizes[label]})" + (f"[:{behind}]" if behind else "")
        words.append(numbers if step == 1 else f"{step} * {numbers}")
    return " + ".join([*words, *([str(offset)] if offset or not words else [])])


def row_lookup(program: Program, pick: Pick) -> tuple[Ref, tuple[str, ...]] | None:
    """Return what names the rows of a value, and the labels of a row; None where a pick is not so simple."""
    first, rest = pick.index[0] if pick.index else "", pick.index[1:]
    plain = tuple(label for label in rest if isinstance(label, str))
    if not isinstance(first, Lookup) or len(plain) < len(rest) or not first.ref.labels:
        return None
    labels = (*first.ref.labels, *plain)
    return (first.ref, plain) if len(set(labels)) == len(labels) else None


def size_text(program: Program, size: Size) -> str:
    """Return a length as text: a number, or the name of the number of samples."""
    return BATCH if size == BATCH else str(length_of(program, size))
