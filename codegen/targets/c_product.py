"""C products: tiles of sums in registers, dot products, or loops along vectors; each tile is finished while at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from codegen.plan.cost import Costs
from codegen.plan.fuse import Group
from codegen.plan.tiles import Tile, Tiling, choose
from codegen.program import BATCH, Access, Contract, Pick, Position, Statement, extents, reads, walk
from codegen.targets.c_kernels import tile_name
from codegen.targets.c_loops import Loops
from codegen.targets.c_words import Lines, indent, loop

Finish = Callable[[Loops, Sequence[Statement], frozenset[str], Mapping[str, str]], Lines]


def product(loops: Loops, group: Group, costs: Costs, finish: Finish) -> Lines:
    """Return a product and what follows it entry by entry; `finish` writes the latter."""
    head = group.head
    assert isinstance(head, Contract)
    orders = {name: tuple(range(len(v.sizes))) for name, v in loops.program.values.items()}
    strategy = costs.strategy(head, orders)
    if strategy.kind == "tile":
        return _tiles(loops, group, strategy.along, costs, finish)
    if strategy.kind == "dot":
        return _dots(loops, group, strategy.along, finish)
    return _lanes(loops, group, finish)


def _summed(head: Contract) -> list[str]:
    return [label for label in head.a.labels if label not in head.out.labels]


def _largest(labels: Sequence[str], lengths: Mapping[str, int]) -> str:
    return max(labels, key=lambda label: lengths[label]) if labels else ""


# ---------------------------------------------------------------- tiles
def _tiles(loops: Loops, group: Group, along: str, costs: Costs, finish: Finish) -> Lines:
    head = group.head
    assert isinstance(head, Contract)
    lengths, sizes = costs.lengths(head), extents(loops.program, head)
    vectors, numbers = (head.a, head.b) if along in head.a.labels else (head.b, head.a)
    row = _largest([k for k in numbers.labels if k in head.out.labels and k not in vectors.labels], lengths)
    depth = _largest(_summed(head), lengths)
    index = loops.loop_names(head)
    for statement in group.tail:
        index |= loops.loop_names(statement)
    tiling = choose(lengths.get(row, 1), -(-lengths[along] // loops.lanes), lengths[depth], costs.machine)
    shape = _Shape(loops, tiling, sizes[row] if row else 1, sizes[along])
    start = {**index, depth: "0"} | {k: index[k] for k in _summed(head) if k != depth}
    column = index[along]
    a = f"&{loops.place(numbers, start)}"
    b = f"&{loops.place(vectors, start)}"
    strides = (loops.stride(numbers, row) if row else "0", loops.stride(numbers, depth), loops.stride(vectors, depth))
    others = [k for k in _summed(head) if k != depth]
    direct = not group.tail and not others and head.out.name in loops.padded
    width = shape.width
    if direct:
        goal = (f"&{loops.place(head.out, index)}", loops.stride(head.out, row) if row else "0")
    else:
        goal = ("tile", str(width))
    given = (loops.size(sizes[depth]), a, strides[0], strides[1], b, strides[2])
    body = shape.calls(given, goal, index[row] if row else "0", column)
    if others:
        body = _several(loops, head, others, shape, given, index, row, column)
    if not direct:
        across, down = loops.word("w"), loops.word("r")
        inner = {**index, along: f"{column} + {across}"} | (
            {row: f"{index[row]} + {down}"} if shape.most_rows > 1 else {}
        )
        loops.at_hand[head.out.name] = (
            f"tile[{down} * {width} + {across}]" if shape.most_rows > 1 else f"tile[{across}]"
        )
        kept = head.out.name not in group.local
        first = []
        if kept:
            held = loops.at_hand.pop(head.out.name)
            first = [f"{loops.place(head.out, inner)} = {held};"]
            loops.at_hand[head.out.name] = held
        lines = [*first, *finish(loops, group.tail, group.local, inner)]
        del loops.at_hand[head.out.name]
        refs: list[Access] = [
            r for s in group.statements for r in (s.out, *reads(s)) if r.name not in group.local and s is not head
        ]
        refs += [head.out] if kept else []
        bounded = any(
            along in ref.labels and (isinstance(ref, Pick) or ref.name not in loops.padded) for ref in refs
        ) or any(isinstance(part, Position) for s in group.tail for part in walk(s.body))
        columns = shape.columns(column, bounded)
        nest = [loops.independent(), *loop(across, columns, lines)]
        body = [*body, *(loop(down, "rows", nest) if shape.most_rows > 1 else nest)]
    body = shape.nest(body, index[row] if row else "", column, direct)
    outer = [k for k in head.out.labels if k not in (row, along)]
    for label in reversed(outer):
        body = loop(index[label], loops.size(sizes[label]), body)
    return body


class _Shape:
    """The loops over tiles: rows by `tiling`, with smaller tiles where a length is known only at run time."""

    def __init__(self, loops: Loops, tiling: Tiling, rows: object, columns: object) -> None:
        self.loops, self.tiling = loops, tiling
        self.open_rows, self.open_columns = rows == BATCH, columns == BATCH
        self.row_count = loops.size(rows)  # type: ignore[arg-type]
        self.column_count, self.padded_count = loops.size(columns), loops.rounded(columns)  # type: ignore[arg-type]
        self.vectors = tiling.tile.vectors
        self.width = self.vectors * loops.lanes
        self.most_rows = tiling.tile.rows if rows != 1 else 1

    def heights(self) -> list[Tile]:
        """Return the tiles by rows, the usual one first."""
        tiles = [self.tiling.tile, *([self.tiling.rest] if self.tiling.rest else [])]
        if self.open_rows and all(tile.rows > 1 for tile in tiles):
            tiles.append(Tile(1, self.vectors, 1))
        return tiles

    def calls(self, given: tuple[str, ...], goal: tuple[str, str], row: str, column: str) -> Lines:
        """Return the call of the kernel that fits the rows and columns left."""
        narrow = self.open_columns and self.vectors > 1
        lines: Lines = []
        for k, tile in enumerate(self.heights()):
            test = (
                ""
                if len(self.heights()) == 1
                else f"if (rows == {tile.rows}) "
                if k == 0
                else f"else if (rows == {tile.rows}) "
                if k < len(self.heights()) - 1
                else "else "
            )
            call = [f"{self._kernel(tile)}({', '.join([*given, *goal])});"]
            if narrow:
                small = Tile(tile.rows, 1, tile.chains)
                call = [
                    f"if (columns == {self.width}) {{", *indent(call), "} else {",
                    *indent([f"{self._kernel(small)}({', '.join([*given, *goal])});"]), "}",
                ]  # fmt: skip
            if test:
                lines += [test + "{", *indent(call), "}"]
            else:
                lines += call
        return _joined(lines)

    def _kernel(self, tile: Tile) -> str:
        name = tile_name(tile)
        self.loops.used.add(name)
        return f"{self.loops.helper}{name}"

    def columns(self, column: str, bounded: bool) -> str:
        """Return how many columns of a tile are finished."""
        whole = "columns" if self.open_columns and self.vectors > 1 else str(self.width)
        if not bounded or (not self.open_columns and self.column_count == self.padded_count):
            return whole
        left = f"{self.column_count} - {column}"
        return f"({left} < {whole} ? {left} : {whole})"

    def nest(self, body: Lines, row: str, column: str, direct: bool) -> Lines:
        """Return the loops over rows and columns of tiles."""
        head = [] if direct else [f"{self.loops.aligned()}{self.loops.real} tile[{self.most_rows * self.width}];"]
        if row:
            left = f"{self.row_count} - {row}"
            first, *others = self.heights()
            if not others:
                choice = str(first.rows)
            elif len(others) == 1 and not self.open_rows:
                choice = f"({left}) % {first.rows} == 0 ? {first.rows} : {others[0].rows}"
            elif len(others) == 1:
                choice = (
                    f"{left} >= {first.rows} ? {first.rows} : 1"
                    if others[0].rows == 1
                    else (f"({left}) % {first.rows} == 0 ? {first.rows} : {others[0].rows}")
                )
            else:
                choice = (
                    f"({left}) % {first.rows} == 0 ? {first.rows} : {left} >= {others[0].rows} ? {others[0].rows} : 1"
                )
            body = [
                f"for (ptrdiff_t {row} = 0, rows; {row} < {self.row_count}; {row} += rows) {{",
                *indent([*head, f"rows = {choice};", *body]), "}",
            ]  # fmt: skip
            head = []
        if self.open_columns and self.vectors > 1:
            lanes = self.loops.lanes
            return [
                f"for (ptrdiff_t {column} = 0, columns; {column} < wide; {column} += columns) {{",
                *indent([*head, f"columns = wide - {column} >= {self.width} ? {self.width} : {lanes};", *body]), "}",
            ]  # fmt: skip
        return [
            f"for (ptrdiff_t {column} = 0; {column} < {self.padded_count}; {column} += {self.width}) {{",
            *indent([*head, *body]), "}",
        ]  # fmt: skip


def _joined(lines: Lines) -> Lines:
    """Put `else` beside the bracket before it."""
    joined: Lines = []
    for line in lines:
        if line.startswith("else") and joined and joined[-1] == "}":
            joined[-1] = f"}} {line}"
        else:
            joined.append(line)
    return joined


def _several(
    loops: Loops, head: Contract, others: Sequence[str], shape: _Shape, given: tuple[str, ...],
    index: Mapping[str, str], row: str, column: str,
) -> Lines:  # fmt: skip
    """Return a tile whose sum runs over several axes: one after the other, added up."""
    sizes = extents(loops.program, head)
    count = shape.most_rows * shape.width
    calls = shape.calls(given, ("part", str(shape.width)), index.get(row, "0"), column)
    entry = loops.word("e")
    add = [loops.independent(), *loop(entry, str(count), [f"tile[{entry}] += part[{entry}];"])]
    body = [f"{loops.aligned()}{loops.real} part[{count}] = {{0}};", *calls, *add]
    for label in reversed(others):
        body = loop(index[label], loops.size(sizes[label]), body)
    return [*loop(entry, str(count), [f"tile[{entry}] = 0;"]), *body]


# ---------------------------------------------------------------- other ways
def _dots(loops: Loops, group: Group, along: str, finish: Finish) -> Lines:
    """Return a dot product for every entry of the result."""
    head = group.head
    assert isinstance(head, Contract)
    sizes, index = extents(loops.program, head), loops.loop_names(head)
    for statement in group.tail:
        index |= loops.loop_names(statement)
    loops.used.add("dot")
    start = {**index, along: "0"}
    call = (
        f"{loops.helper}dot({loops.size(sizes[along])}, &{loops.place(head.a, start)}, &{loops.place(head.b, start)})"
    )
    others = [k for k in _summed(head) if k != along]
    return _finished(loops, group, call, others, index, finish)


def _finished(
    loops: Loops, group: Group, term: str, others: Sequence[str], index: Mapping[str, str], finish: Finish
) -> Lines:
    """Return loops over the result's entries, each a sum of terms and then finished."""
    head = group.head
    assert isinstance(head, Contract)
    sizes = extents(loops.program, head)
    word = loops.local_name(head.out.name)
    if others:
        lines = [f"{word} += {term};"]
        for label in reversed(others):
            lines = loop(index[label], loops.size(sizes[label]), lines)
        lines = [f"{loops.real} {word} = 0;", *lines]
    else:
        lines = [f"const {loops.real} {word} = {term};"]
    if head.out.name not in group.local:
        lines.append(f"{loops.place(head.out, index)} = {word};")
    loops.at_hand[head.out.name] = word
    lines += finish(loops, group.tail, group.local, index)
    del loops.at_hand[head.out.name]
    for label in reversed(head.out.labels):
        lines = loop(index[label], loops.size(sizes[label]), lines)
    return lines if head.out.labels else ["{", *indent(lines), "}"]


def _lanes(loops: Loops, group: Group, finish: Finish) -> Lines:
    """Return loops that add products to a whole row of the result at a time, or to single entries."""
    head = group.head
    assert isinstance(head, Contract)
    sizes, index = extents(loops.program, head), loops.loop_names(head)
    for statement in group.tail:
        index |= loops.loop_names(statement)
    last = head.out.labels[-1] if head.out.labels else ""
    vector = last and all(last not in ref.labels or ref.labels[-1] == last for ref in (head.a, head.b))
    if not vector or group.tail or head.out.name in group.local:
        term = f"{loops.place(head.a, index)} * {loops.place(head.b, index)}"
        return _finished(loops, group, term, _summed(head), index, finish)
    out, a, b = (loops.place(factor, index) for factor in (head.out, head.a, head.b))
    count = loops.size(sizes[last])
    lines = [loops.independent(), *loop(index[last], count, [f"{out} += {a} * {b};"])]
    for label in reversed(_summed(head)):
        lines = loop(index[label], loops.size(sizes[label]), lines)
    lines = [*loop(index[last], count, [f"{out} = 0;"]), *lines]
    for label in reversed(head.out.labels[:-1]):
        lines = loop(index[label], loops.size(sizes[label]), lines)
    return lines
