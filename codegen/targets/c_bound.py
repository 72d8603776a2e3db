"""The bound step in C: the training loop with all its arguments behind one pointer, and counters that it advances."""

from __future__ import annotations

from codegen.program import Program
from codegen.targets.c_function import wrapped


def emit_train_at(program: Program, name: str) -> str:
    """Return a function that goes on with the training, for callers to whom each argument costs.

    Behind the pointer lie two arrays of long: `clock`, how many steps were taken and which mini-batch comes next, and
    `call`, the steps to take, the batch, the samples, the step that the first rates are of, and 1 where every step
    has rates of its own or 0 where all have the first; then data, parameters, states, rates, losses and scratch.
    """
    kind = "float" if program.dtype == "float32" else "double"
    own, rates = program.of_role("parameter", "state"), program.of_role("rate")
    constant = [f"(const {kind} *)" for _ in program.of_role("data")]
    casts = [*constant, *(f"({kind} *)" for _ in own), *(f"(const {kind} *)" for _ in rates)]
    arrays = [f"{cast}at[{k}]" for k, cast in enumerate(casts, 2)]
    first = len(arrays) - len(rates)
    rows = [*arrays[:first], *(f"{rate} + row" for rate in arrays[first:])]
    given = ["call[0]", "clock[1]", "(int)call[1]", "(int)call[2]", *rows, "losses"]
    last = len(arrays) + 2
    arguments = wrapped([*given, f"({kind} *)at[{last + 1}]"]).replace("\n", "\n    ")
    return f"""
/* Go on with the training, all arguments behind one pointer. Losses after one that is not finite are that one. */
void {name}_train_at(void *const *at)
{{
    long *const clock = (long *)at[0];
    const long *const call = (const long *)at[1];
    {kind} *const losses = ({kind} *)at[{last}];
    const long row = (clock[0] - call[3]) * call[4];
    const long taken = {name}_train({arguments});
    clock[0] += taken;
    clock[1] += taken;
    for (long s = taken + 1; s < call[0]; ++s) {{
        losses[s] = losses[taken];
    }}
}}
"""
