"""C products: tiles of sums in registers, dot products, or loops along vectors; each tile is finished while at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from codegen.plan.cost import Costs
from codegen.plan.fuse import Group
from codegen.plan.tiles import Tile, Tiling
from codegen.program import BATCH, Access, Contract, Pick, Position, Size, Statement, extents, reads, walk
from codegen.targets.c_kernels import tile_name
from codegen.targets.c_loops import Loops
from codegen.targets.c_words import Lines, choices, indent, loop

Finish = Callable[[Loops, Sequence[Statement], frozenset[str], Mapping[str, str]], Lines]


def product(loops: Loops, group: Group, costs: Costs, finish: Finish) -> Lines:
    """Return a product and what follows it entry by entry; `finish` writes the latter."""
    head = group.head
    assert isinstance(head, Contract)
    strategy = costs.strategy(head, costs.as_they_lie)
    if strategy.kind == "tile":
        return _tiles(loops, group, strategy.along, costs, finish)
    if strategy.kind == "dot":
        return _dots(loops, group, strategy.along, finish)
    return _lanes(loops, group, finish)


def _summed(head: Contract) -> list[str]:
    return [label for label in head.a.labels if label not in head.out.labels]


# ---------------------------------------------------------------- tiles
def _tiles(loops: Loops, group: Group, along: str, costs: Costs, finish: Finish) -> Lines:
    """Return the loops over tiles, vectors running along a label of one factor and the result."""
    head = group.head
    assert isinstance(head, Contract)
    sizes, index, shape = extents(loops.program, head), _names(loops, group), costs.tiled(head, along)
    row, depth = shape.row, shape.depth
    tiles = _Tiles(loops, shape.tiling, sizes[row] if row else 1, sizes[along], index.get(row, ""), index[along])
    start = {**index, depth: "0"}
    factors = (
        loops.size(sizes[depth]),
        f"&{loops.place(shape.numbers, start)}", loops.stride(shape.numbers, row), loops.stride(shape.numbers, depth),
        f"&{loops.place(shape.vectors, start)}", loops.stride(shape.vectors, depth),
    )  # fmt: skip
    direct = not group.tail and not shape.summed and head.out.name in loops.padded
    if direct:
        body = tiles.calls(factors, (f"&{loops.place(head.out, index)}", loops.stride(head.out, row)))
    else:
        run = [(index[label], loops.size(sizes[label])) for label in shape.summed]
        body = [*tiles.sums(factors, run), *_finished_tile(loops, group, along, row, index, tiles, finish)]
    body = tiles.nest(body, direct)
    for label in reversed(shape.others):
        body = loop(index[label], loops.size(sizes[label]), body)
    return body


def _names(loops: Loops, group: Group) -> dict[str, str]:
    """Return a loop variable for each label of a group."""
    return {label: name for statement in group.statements for label, name in loops.loop_names(statement).items()}


def _finished_tile(
    loops: Loops, group: Group, along: str, row: str, index: Mapping[str, str], tiles: _Tiles, finish: Finish
) -> Lines:
    """Return what happens to each entry of a tile while it is at hand."""
    head = group.head
    assert isinstance(head, Contract)
    across, down = loops.word("w"), loops.word("r")
    entry = f"tile[{down} * {tiles.width} + {across}]" if tiles.high else f"tile[{across}]"
    inner = {**index, along: f"{index[along]} + {across}"} | ({row: f"{index[row]} + {down}"} if tiles.high else {})
    kept = head.out.name not in group.local
    first = [f"{loops.place(head.out, inner)} = {entry};"] if kept else []
    loops.at_hand[head.out.name] = entry
    lines = [*first, *finish(loops, group.tail, group.local, inner)]
    del loops.at_hand[head.out.name]
    touched: list[Access] = [head.out] if kept else []
    touched += [r for s in group.tail for r in (s.out, *reads(s)) if r.name not in group.local]
    bounded = any(
        along in access.labels and (isinstance(access, Pick) or access.name not in loops.padded) for access in touched
    ) or any(isinstance(part, Position) for s in group.tail for part in walk(s.body))
    count, counted = tiles.columns(bounded)
    nest = [loops.independent(), *loop(across, count, lines)]
    return [*counted, *(loop(down, "rows", nest) if tiles.high else nest)]


@dataclass(slots=True)
class _Tiles:
    """The loops over tiles; smaller ones where a length is known only at run time.

    `rows` and `columns` are the sizes that they cover, `row` and `column` the loops' variables.
    """

    loops: Loops
    tiling: Tiling
    row_size: Size
    column_size: Size
    row: str
    column: str

    @property
    def width(self) -> int:
        """Columns of the usual tile."""
        return self.tiling.tile.vectors * self.loops.lanes

    @property
    def high(self) -> bool:
        """Whether a tile has more than one row."""
        return bool(self.row) and self.tiling.tile.rows > 1

    @property
    def narrows(self) -> bool:
        """Whether a narrow tile may be needed at the end: the columns are counted at run time."""
        return self.column_size == BATCH and self.tiling.tile.vectors > 1

    @property
    def count(self) -> int:
        """Entries of the usual tile."""
        return self.width * (self.tiling.tile.rows if self.high else 1)

    def heights(self) -> list[Tile]:
        """Return the tiles by rows, the usual one first."""
        tile, rest = self.tiling.tile, self.tiling.rest
        tiles = [tile, *([rest] if rest else [])]
        single = self.row_size == BATCH and tiles[-1].rows > 1
        return [*tiles, *([Tile(1, tile.vectors, 1)] if single else [])]

    def calls(self, factors: tuple[str, ...], goal: tuple[str, str]) -> Lines:
        """Return the call of the kernel that fits the rows and columns left."""
        return choices("rows", [(tile.rows, self._call(tile, (*factors, *goal))) for tile in self.heights()])

    def _call(self, tile: Tile, arguments: tuple[str, ...]) -> Lines:
        kinds = [tile, *([Tile(tile.rows, 1, tile.chains)] if self.narrows else [])]
        self.loops.used.update(map(tile_name, kinds))
        return choices("columns", [
            (kind.vectors * self.loops.lanes, [f"{self.loops.helper}{tile_name(kind)}({', '.join(arguments)});"])
            for kind in kinds
        ])  # fmt: skip

    def sums(self, factors: tuple[str, ...], others: Sequence[tuple[str, str]]) -> Lines:
        """Return the sums of a tile in memory; further axes that are summed run around the kernel and add up."""
        if not others:
            return self.calls(factors, ("tile", str(self.width)))
        entry, loops = self.loops.word("e"), self.loops
        add = [loops.independent(), *loop(entry, str(self.count), [f"tile[{entry}] += part[{entry}];"])]
        body = [
            f"{loops.aligned()}{loops.real} part[{self.count}] = {{0}};",
            *self.calls(factors, ("part", str(self.width))), *add,
        ]  # fmt: skip
        for variable, count in reversed(others):
            body = loop(variable, count, body)
        return [*loop(entry, str(self.count), [f"tile[{entry}] = 0;"]), *body]

    def columns(self, bounded: bool) -> tuple[str, Lines]:
        """Return how many columns of a tile are finished: all, or, if `bounded`, those that a row really has.

        The latter is counted before the loop, by the lines returned: gcc ignores what it is told of a loop whose
        condition has a choice in it.
        """
        whole = "columns" if self.narrows else str(self.width)
        count = self.loops.size(self.column_size)
        if not bounded or (self.column_size != BATCH and count == self.loops.rounded(self.column_size)):
            return whole, []
        left, word = f"{count} - {self.column}", self.loops.word("inside")
        return word, [f"const ptrdiff_t {word} = {left} < {whole} ? {left} : {whole};"]

    def nest(self, body: Lines, direct: bool) -> Lines:
        """Return the loops over rows and columns of tiles, with memory for one tile unless it is written directly."""
        loops, column = self.loops, self.column
        body = body if direct else [f"{loops.aligned()}{loops.real} tile[{self.count}];", *body]
        if self.row:
            head = (
                f"for (ptrdiff_t {self.row} = 0, rows; {self.row} < {loops.size(self.row_size)}; {self.row} += rows) {{"
            )
            body = [head, *indent([f"rows = {self._rows_next()};", *body]), "}"]
        if not self.narrows:
            end = loops.rounded(self.column_size)
            return [f"for (ptrdiff_t {column} = 0; {column} < {end}; {column} += {self.width}) {{", *indent(body), "}"]
        columns = f"wide - {column} >= {self.width} ? {self.width} : {loops.lanes}"
        if self.tiling.tile.vectors == 2:  # a narrow one ends the row: rounds can be counted beforehand
            head = f"for (ptrdiff_t {column} = 0; {column} < wide; {column} += {self.width}) {{"
            return [head, *indent([f"const int columns = {columns};", *body]), "}"]
        head = f"for (ptrdiff_t {column} = 0, columns; {column} < wide; {column} += columns) {{"
        return [head, *indent([f"columns = {columns};", *body]), "}"]

    def _rows_next(self) -> str:
        """Return how many rows the next tile has: smaller ones come first, until a multiple of the usual is left."""
        first, *others = (str(tile.rows) for tile in self.heights())
        left = f"{self.loops.size(self.row_size)} - {self.row}"
        if self.tiling.rest is None:
            return f"{left} >= {first} ? {first} : {others[0]}" if others else first
        rest, *single = others
        return f"({left}) % {first} == 0 ? {first} : " + (f"{left} >= {rest} ? {rest} : 1" if single else rest)


# ---------------------------------------------------------------- other ways
def _dots(loops: Loops, group: Group, along: str, finish: Finish) -> Lines:
    """Return a dot product for every entry of the result."""
    head = group.head
    assert isinstance(head, Contract)
    sizes, index = extents(loops.program, head), _names(loops, group)
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
    sizes, index = extents(loops.program, head), _names(loops, group)
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
