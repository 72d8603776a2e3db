r"""C99: loss and gradients, one step and a whole run of steps, as a file that a person can read.

Plain functions on plain arrays; scratch memory belongs to the caller; nothing is allocated, nothing global, no
math.h. Every statement stands under the number of the equation that it computes. Loops stand in `c_loops`,
mathematical functions in `c_math`, the matrix product in `c_kernels`.
"""

from __future__ import annotations

from codegen.passes.dead import eliminate
from codegen.program import BATCH, Program, Value
from codegen.targets.c_function import banner, emit_function, headline, includes, prelude, size_constants, wrapped
from codegen.targets.c_loops import Loops
from codegen.targets.c_memory import length, scratch_macro


def emit_c(program: Program, name: str = "model", predicted: str | None = None, note: str = "") -> str:
    """Return the source of a training function in C99.

    Args:
        program: Loss, gradients and updates.
        name: Prefix of every name in the file.
        predicted: The name that `NAME_predict` computes; without one there is no such function.
        note: More lines for the comment at the top.
    """
    used: set[str] = set()
    parts = []
    if predicted is not None:
        parts.append(emit_function(eliminate(program, [predicted]), name, "predict", used))
    gradients = eliminate(program, program.outputs)
    parts.append(emit_function(gradients, name, "loss_and_gradients", used))
    if program.updates:
        parts += [emit_step(program, name, used), emit_train(program, name)]
    head = [banner(program, note), includes(), size_constants(program, name), scratch_macro(program, name)]
    return "".join(head) + prelude(used, name, program.dtype) + "".join(parts)


def _training_arguments(program: Program, data: str = "const ") -> list[str]:
    kind = "float" if program.dtype == "float32" else "double"
    arguments = [f"{data}{kind} *restrict {value.name}" for value in program.of_role("data")]
    return [
        *arguments,
        *(f"{kind} *restrict {value.name}" for value in (*program.of_role("parameter"), *program.of_role("state"))),
    ]


def emit_step(program: Program, name: str, used: set[str]) -> str:
    """Return the function that takes one step: gradients into scratch, then the updates in place."""
    kind = "float" if program.dtype == "float32" else "double"
    rates = [value.name for value in program.of_role("rate")]
    loss = next(value.name for value in program.of_role("loss"))
    arguments = [
        f"int {BATCH}",
        *_training_arguments(program),
        *(f"{kind} {rate}" for rate in rates),
        f"{kind} *restrict {loss}",
        f"{kind} *restrict scratch",
    ]
    scalars = frozenset(v.name for v in program.of_role("parameter", "state", "gradient") if not v.sizes)
    loops = Loops(program, f"{name}_", scalars, {}, used)
    lines, place = [], "scratch"
    for gradient in program.gradients.values():
        count, _ = length(program, program.values[gradient])
        lines.append(f"{kind} *const {gradient} = {place};")
        place = f"{gradient} + {count}"
    inner = eliminate(program, program.outputs)
    given = [value.name for value in (*inner.of_role("data"), *inner.of_role("parameter"))]
    lines.append(f"{name}_loss_and_gradients({', '.join([BATCH, *given, *program.outputs, place])});")
    lines += [
        f"if (!(*{loss} - *{loss} == 0)) {{",
        "    return 1; /* not finite: leave everything as it was */",
        "}",
    ]
    told: set[str] = set()
    for statement in program.updates:
        lines += ["", headline(program, statement, told), *loops.statement(statement)]
    body = [f"    {line}" if line else "" for line in [*lines, "return 0;"]]
    purpose = "/* Take one step on a batch; 0, or 1 if the loss is not finite, and then nothing was changed. */"
    return "\n".join(["", purpose, f"int {name}_step({wrapped(arguments)})", "{", *body, "}", ""])


def emit_train(program: Program, name: str) -> str:
    """Return the function that takes many steps over fixed mini-batches, in order, from the one numbered `first`."""
    kind = "float" if program.dtype == "float32" else "double"
    rates = [value.name for value in program.of_role("rate")]
    arguments = ["long steps", "long first", f"int {BATCH}", "int count", *_training_arguments(program)]
    arguments += [f"const {kind} *restrict {rate}" for rate in rates] + [
        f"{kind} *restrict losses",
        f"{kind} *restrict scratch",
    ]
    data = [_offset(program, name, value) for value in program.of_role("data")]
    rest = [value.name for value in (*program.of_role("parameter"), *program.of_role("state"))]
    call = ", ".join(["size", *data, *rest, *(f"{rate}[s]" for rate in rates), "losses + s", "scratch"])
    body = f"""{{
    const long batches = ((long)count + {BATCH} - 1) / {BATCH};
    for (long s = 0; s < steps; ++s) {{
        const ptrdiff_t start = (ptrdiff_t)((first + s) % batches) * {BATCH};
        const int size = count - start < {BATCH} ? (int)(count - start) : {BATCH};
        if ({name}_step({call}) != 0) {{
            return s;
        }}
    }}
    return steps;
}}
"""
    purpose = (
        "/* Take steps over the mini-batches of `count` samples, in order, from the one numbered `first`; "
        "rates and losses\n"
        " * have one entry a step. Return how many steps were taken; fewer if a loss was not finite. */"
    )
    return "\n".join(["", purpose, f"long {name}_train({wrapped(arguments)})", body])


def _offset(program: Program, name: str, value: Value) -> str:
    if BATCH not in value.sizes:
        return value.name
    loops = Loops(program, f"{name}_", frozenset(), {}, set())
    sizes = [loops.size(size) for size in value.sizes if size != BATCH]
    return f"{value.name} + {' * '.join(['start', *sizes])}"
