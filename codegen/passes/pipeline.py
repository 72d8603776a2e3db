"""The passes in order, each checked."""

from __future__ import annotations

from codegen.passes.dead import eliminate
from codegen.passes.hoist import hoist
from codegen.passes.share import share
from codegen.passes.values import number_values
from codegen.passes.verify import verify
from codegen.program import Program

PASSES = (hoist, number_values, share, eliminate)


def optimise(program: Program) -> Program:
    """Run every pass, and check the program's rules before and after each.

    Raises:
        BrokenProgramError: a pass broke a rule.
    """
    verify(program)
    for change in PASSES:
        program = verify(change(program))
    return program
