"""C products: a contraction as a call of the matrix product, a dot product for each row, or plain loops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from codegen.program import Contract, Ref, Size, extents
from codegen.targets.c_words import Lines, Words, indent

Factor = tuple[Ref, list[str]]  # an operand of a product, and its label that is not summed


def contract(loops: Words, statement: Contract) -> Lines:
    """Return a call of the matrix product, or a loop nest where the axes allow none."""
    summed = [label for label in statement.a.labels if label not in statement.out.labels]
    a, b = statement.a, statement.b
    rows = [label for label in a.labels if label not in summed]
    columns = [label for label in b.labels if label not in summed]
    if len(summed) != 1 or len(rows) > 1 or len(columns) > 1 or set(rows) & set(columns):
        return _nest(loops, statement, summed)
    if loops.single:
        return _single(loops, statement, summed)
    if statement.out.labels != (*rows, *columns):
        a, b, rows, columns = b, a, columns, rows
    sizes = extents(loops.program, statement)
    if _thin(loops, columns, sizes) and not _thin(loops, rows, sizes):  # a column: compute it as a row
        a, b, rows, columns = b, a, columns, rows
    return _matmul(loops, statement, (a, rows), (b, columns), summed[0])


def _matmul(loops: Words, statement: Contract, left: Factor, right: Factor, summed: str) -> Lines:
    """Return a call of the matrix product of two factors, each with its free label."""
    loops.used.add("matmul")
    sizes = extents(loops.program, statement)
    counts = [loops.size(sizes[labels[0]]) if labels else "1" for labels in (left[1], right[1], [summed])]
    a, (a_row, a_column) = _strided(loops, *left, summed, sizes)
    b, (b_column, b_row) = _strided(loops, *right, summed, sizes)
    out = loops.alias.get(statement.out.name, statement.out.name)
    out = f"&{out}" if not statement.out.labels and out not in loops.pointers else out
    strides = (a, a_row, a_column, b, b_row, b_column, out)
    return [f"{loops.helper}matmul({', '.join([*counts, *strides])});"]


def _single(loops: Words, statement: Contract, summed: Sequence[str]) -> Lines:
    """Return a product with a vector: a dot product for each row, or rows added up."""
    index = loops.loop_names(statement)
    (label,) = summed
    factors = (statement.a, statement.b)
    if all(ref.labels[-1] == label for ref in factors):
        loops.used.add("dot")
        count = loops.size(extents(loops.program, statement)[label])
        a, b = (loops.place(ref, index | {label: "0"}) for ref in factors)
        call = f"{loops.helper}dot({count}, &{a}, &{b})"
        return loops.nest(statement, statement.out.labels, [f"{loops.place(statement.out, index)} = {call};"])
    product = f"{loops.place(statement.a, index)} * {loops.place(statement.b, index)}"
    out = loops.place(statement.out, index)
    clear = loops.nest(statement, statement.out.labels, [f"{out} = 0;"])
    return [*clear, *loops.nest(statement, (label, *statement.out.labels), [f"{out} += {product};"])]


def _thin(loops: Words, labels: list[str], sizes: Mapping[str, Size]) -> bool:
    """Tell whether an axis is missing or has one entry."""
    size = sizes[labels[0]] if labels else 1
    return size == 1 or (isinstance(size, str) and loops.program.sizes.get(size) == 1)


def _strided(
    loops: Words, ref: Ref, free: list[str], summed: str, sizes: Mapping[str, Size]
) -> tuple[str, tuple[str, str]]:
    """Return an operand, and its strides along its free and its summed label."""
    name = loops.alias.get(ref.name, ref.name)
    if not free:
        return name, ("0", "1")
    along = loops.size(sizes[ref.labels[1]])
    return name, (along, "1") if ref.labels == (free[0], summed) else ("1", along)


def _nest(loops: Words, statement: Contract, summed: Sequence[str]) -> Lines:
    """Return a contraction as plain loops."""
    index = loops.loop_names(statement)
    local = "sum" if "sum" not in loops.program.values else "sum_"
    factors = f"{loops.place(statement.a, index)} * {loops.place(statement.b, index)}"
    inner = loops.nest(statement, summed, [f"{local} += {factors};"])
    whole = [f"{loops.real} {local} = 0;", *inner, f"{loops.place(statement.out, index)} = {local};"]
    looped = loops.nest(statement, statement.out.labels, whole)
    return looped if looped != whole else ["{", *indent(whole), "}"]
