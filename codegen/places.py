"""How far computed indices reach: which entries of an axis an index meets, and whether it ever lies outside."""

from __future__ import annotations

from collections.abc import Mapping

from codegen.program import BATCH, Affine, Index, Program, Size


def length_of(program: Program, size: Size) -> int | None:
    """Return a size as a number; None for the number of samples."""
    return size if isinstance(size, int) else program.sizes.get(size)


def reach(program: Program, index: Affine, sizes: Mapping[str, Size]) -> tuple[int, int] | None:
    """Return the first and the last place that an index takes; None where the number of samples is in it."""
    return reach_of(index, {label: length_of(program, sizes[label]) for _, label in index.terms})


def reach_of(index: Index, lengths: Mapping[str, int | None]) -> tuple[int, int] | None:
    """Return the first and the last place that an index takes; None where nobody can say.

    >>> reach_of(Affine(-1, ((2, "t"), (1, "j"))), {"t": 4, "j": 3})
    (-1, 7)
    """
    if isinstance(index, str):
        length = lengths[index]
        return None if length is None else (0, length - 1)
    if not isinstance(index, Affine):
        return None
    low = high = index.offset
    for coefficient, label in index.terms:
        length = lengths[label]
        if length is None:
            return None
        end = coefficient * (length - 1)
        low, high = low + min(end, 0), high + max(end, 0)
    return low, high


def stays_inside(program: Program, index: Index, axis: Size, sizes: Mapping[str, Size]) -> bool:
    """Tell whether an index lies within an axis for certain; a place that is looked up never does.

    Args:
        program: Where the sizes are known.
        index: The index along the axis.
        axis: The length of the axis.
        sizes: The length along which each label runs.
    """
    if isinstance(index, str):
        return True
    if not isinstance(index, Affine):
        return False
    if axis == BATCH:  # inside if it is the sample itself
        return index.offset == 0 and [(c, sizes[label]) for c, label in index.terms] == [(1, BATCH)]
    found, length = reach(program, index, sizes), length_of(program, axis)
    return found is not None and length is not None and found[0] >= 0 and found[1] < length
