"""From a program to the code that an engine runs, and to what the engine must know of it."""

from __future__ import annotations

from collections.abc import Callable

from codegen.build import local_machine
from codegen.passes.dead import eliminate
from codegen.plan.memory import Scratch
from codegen.program import Program
from codegen.recipe import Code
from codegen.targets.c import emit_parts
from codegen.targets.c_bound import emit_train_at
from codegen.targets.numpy import emit_numpy

NOTHING = Scratch((), 1)


def generate_numpy(
    program: Program, name: str, predicted: str | None, batch: int, exact: bool = False, threads: int = 1
) -> Code:
    """Return a training in NumPy: the reference that other targets are compared with; its threads are NumPy's own."""
    source = emit_numpy(program, name, predicted)
    return Code(name, batch, exact, source, {}, _given(program), _inference(program, predicted), NOTHING, NOTHING)


def generate_c(
    program: Program, name: str, predicted: str | None, batch: int, exact: bool = False, threads: int = 1
) -> Code:
    """Return a training in C, for this machine or for the same bits on any."""
    machine = local_machine(exact)
    made, at = emit_parts(program, name, predicted, "", machine, batch, threads), emit_train_at(program, name)
    parts = {**made.functions, "train": made.functions["train"] + at}
    given, inference, team = _given(program), _inference(program, predicted), made.team and made.team + at
    return Code(name, batch, exact, made.common, parts, given, inference, made.scratch, made.inference_scratch, team)


def _given(program: Program) -> tuple[str, ...]:
    """Return what the loss and the gradients are computed from, in the order of arguments."""
    used = eliminate(program, program.outputs)
    return tuple(v.name for role in ("data", "parameter") for v in used.of_role(role))


def _inference(program: Program, predicted: str | None) -> tuple[str, ...]:
    """Return what a prediction is computed from, in the order of arguments, and behind it the prediction."""
    if predicted is None:
        return ()
    part = eliminate(program, [predicted])
    return (*(v.name for role in ("data", "parameter") for v in part.of_role(role)), predicted)


GENERATORS: dict[str, Callable[..., Code]] = {"numpy": generate_numpy, "c": generate_c}
