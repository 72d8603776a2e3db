"""The passes in order, each checked."""

from __future__ import annotations

from collections.abc import Iterable

from codegen.passes.dead import eliminate
from codegen.passes.hoist import hoist
from codegen.passes.share import share
from codegen.passes.signs import read_signs
from codegen.passes.values import number_values
from codegen.passes.verify import verify
from codegen.program import Program

PASSES = (hoist, number_values, share, read_signs)


def optimise(program: Program, kept: Iterable[str] = ()) -> Program:
    """Run every pass, and check the program's rules before and after each; what is kept needs to be no output.

    Raises:
        BrokenProgramError: a pass broke a rule.
    """
    verify(program)
    for change in PASSES:
        program = verify(change(program))
    return verify(eliminate(program, kept=kept))
