"""The table of buffers says what the compiled step really does with its scratch."""

from __future__ import annotations

import re

import numpy as np
import pytest
from oracles import CASES, Case
from test_codegen import needs_compiler, record, trainer

import codegen
from codegen.errors import CodegenError
from codegen.plan.buffers import WIDTH, MemoryTable, memory_table
from codegen.plan.machine import PORTABLE
from codegen.plan.schedule import Schedule, schedule
from codegen.program import reads
from codegen.record import lowered
from codegen.sizes import resolve_sizes
from derive import Model, inverse, matrix, total, vector

BATCH = 8
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def planned(case: Case) -> tuple[Schedule, MemoryTable]:
    program = lowered(record(case), resolve_sizes(record(case)), "float32", "adam")
    plan = schedule(program, PORTABLE, BATCH, frozenset(v.name for v in program.of_role("data")))
    return plan, memory_table(plan, BATCH)


@cases
def test_the_table_adds_up_to_the_scratch_of_the_schedule(case: Case) -> None:
    plan, table = planned(case)
    assert table.shared == plan.scratch.count(BATCH) * 4
    assert table.apart == sum(buffer.bytes for buffer in table.buffers) >= table.shared
    assert {buffer.name for buffer in table.buffers} == {name for name, _ in plan.places.order} | set(plan.places.alias)
    assert table.shared == sum({buffer.slot: buffer.bytes for buffer in table.buffers}.values())
    assert all(buffer.bytes >= 4 * np.prod(buffer.shape) for buffer in table.buffers)


@cases
def test_a_buffer_is_used_in_its_lifetime_alone_and_none_shares_its_place_meanwhile(case: Case) -> None:
    plan, table = planned(case)
    for buffer in table.buffers:
        uses = [
            k
            for k, group in enumerate(plan.groups, 1)
            for s in group.statements
            if buffer.name in {s.out.name, *(ref.name for ref in reads(s))}
        ]
        assert buffer.loops == (uses[0], uses[-1])
    for one in table.buffers:
        for other in table.buffers:
            if one.slot == other.slot and one.name < other.name:
                assert one.loops[1] < other.loops[0] or other.loops[1] < one.loops[0], (one, other)


@cases
def test_what_is_saved_is_computed_forward_and_read_backward(case: Case) -> None:
    plan, table = planned(case)
    backward = {e.id for e in record(case).equations if e.role not in ("definition", "loss")}
    read = {ref.name for group in plan.groups for s in group.statements if s.eq in backward for ref in reads(s)}
    written = {s.out.name: s.eq for group in plan.groups for s in group.statements}
    for buffer in table.buffers:
        assert buffer.saved == (written[buffer.name] not in backward and buffer.name in read), buffer.name
    assert not set(table.registers) & {buffer.name for buffer in table.buffers}


def test_some_places_are_shared_and_some_values_saved() -> None:
    tables = [planned(case)[1] for case in CASES]
    assert any(table.shared < table.apart for table in tables)
    assert any(buffer.saved for table in tables for buffer in table.buffers)


@needs_compiler
@cases
def test_the_table_of_a_trainer_is_that_of_its_c(case: Case) -> None:
    made = trainer(case, {n: w for n, w in zip(("n", "h", "m", "k"), (6, 50, 40, 3), strict=True) if n in case.sizes},
                   23, "c", "float32", optimizer="adam", batch=BATCH)  # fmt: skip
    table = codegen.memory_table(made)
    assert table.shared + table.packed <= made.compiled.recipe.code.scratch.count(BATCH) * 4
    step = made.code[made.code.index("_pass(") :].split("\n}\n")[0]
    declared = re.findall(r"^    float \*const (\w+) = ", step, re.MULTILINE)
    slots = {buffer.name: buffer.slot for buffer in table.buffers}
    assert [slots[name] for name in declared] == list(range(1, len(set(slots.values())) + 1))
    lines = str(table).splitlines()
    assert max(map(len, lines)) <= WIDTH
    for buffer in table.buffers:
        (line,) = (line for line in lines if line.split()[:1] == [buffer.name])
        assert f"({buffer.first})" in line and f"({buffer.last})" in line and str(buffer.bytes) in line
    assert f"scratch: {table.shared} bytes; {table.apart} if no place were shared" in lines


@needs_compiler
def test_the_room_in_which_a_matrix_is_inverted_is_listed() -> None:
    model = Model("inverse")
    a, x = matrix("A", "n", "n"), vector("x", "n")
    model.define("L", total((inverse(a) @ x) ** 2))
    made = codegen.compile(model.gradients("L"), target="c", batch=2).bind(x=np.ones((2, 3)))
    assert any(buffer.name.endswith("_work") for buffer in codegen.memory_table(made).buffers)


def test_numpy_and_a_model_without_data_have_no_table() -> None:
    case = CASES[0]
    with pytest.raises(CodegenError, match="NumPy takes its memory itself"):
        codegen.memory_table(trainer(case, {"n": 3, "h": 2}, 4, "numpy", "float32"))
    with pytest.raises(CodegenError, match="bind"):
        codegen.memory_table(codegen.compile(record(case)))
