"""The trained function as a NumPy module: parameters as literals that read back to the same bits, and a test inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from codegen.program import BATCH, Program
from codegen.targets.c_export import Vectors
from codegen.targets.numpy import emit_helpers, function_body, head

Array = npt.NDArray[Any]


def emit_module(program: Program, rows: Program, params: Mapping[str, Array], vectors: Vectors, note: str) -> str:
    """Return the source of a module with `predict(x)`: one sample, or one row a sample.

    Args:
        program: The function of one sample.
        rows: The same for many; `program` itself where there is no such form.
        params: What is baked in.
        vectors: For the test that runs when the module is started.
        note: More lines for the docstring.
    """
    usage = f"The trained function. Parameters are {program.dtype}; started as a program, it tests itself."
    parts = [head(program, f"{usage}\n{note}", "the trained function"), _constants(program, params)]
    parts += [*emit_helpers(rows), _predict(program, rows), _self_test(program, vectors)]
    return "\n\n".join(parts)


def literal(array: Array) -> str:
    """Return an array as nested lists, each number the shortest text that reads back to the same bits."""
    if not array.shape:
        return str(array[()])
    inner = [literal(row) for row in array]
    return f"[{', '.join(inner)}]" if array.ndim == 1 else "[\n    " + ",\n    ".join(inner) + ",\n]"


def _constants(program: Program, params: Mapping[str, Array]) -> str:
    lines = [
        f"{v.name} = np.array({literal(params[v.name])}, np.{program.dtype})" for v in program.of_role("parameter")
    ]
    return "\n".join([*lines, ""])


def _predict(program: Program, rows: Program) -> str:
    inputs = rows.of_role("data")
    names = [v.name for v in inputs]
    batched = [v for v in inputs if BATCH in v.sizes]
    lines = [
        f"def predict({', '.join(names)}):",
        f'    """Return {", ".join(program.outputs)}: of one sample, or one row a sample."""',
    ]
    lines += [f"    {name} = np.asarray({name}, np.{program.dtype})" for name in names]
    if batched:
        lines += [f"    single = {batched[0].name}.ndim == {len(batched[0].sizes) - 1}", "    if single:"]
        lines += [f"        {v.name} = {v.name}[None]" for v in batched]
    lines += function_body(rows)
    outputs = ", ".join(f"{name}[0]" if BATCH in rows.values[name].sizes else name for name in rows.outputs)
    lines += [f"    if single:\n        return {outputs}"] if batched else []
    return "\n".join([*lines, f"    return {', '.join(rows.outputs)}", ""])


def _self_test(program: Program, vectors: Vectors) -> str:
    inputs = [v.name for v in program.of_role("data")]
    given = ", ".join(f'"{k}": [{", ".join(literal(one[k]) for one in vectors.inputs)}]' for k in inputs)
    wanted = ", ".join(f'"{k}": [{", ".join(literal(one[k]) for one in vectors.outputs)}]' for k in program.outputs)
    arguments = ", ".join(f'GIVEN["{k}"][k]' for k in inputs)
    return f'''GIVEN = {{{given}}}
WANTED = {{{wanted}}}
TOLERANCE = {vectors.tolerance!r}  # 16 times the rounding error of the same formulas in {program.dtype}


def self_test():
    """Return the largest error against outputs computed in float64, relative where they are larger than one."""
    worst = 0.0
    for k in range({len(vectors.inputs)}):
        got = predict({arguments})
        got = got if isinstance(got, tuple) else (got,)
        for value, want in zip(got, (np.array(WANTED[name][k]) for name in WANTED)):
            worst = max(worst, float(np.max(np.abs(value - want) / np.maximum(1.0, np.abs(want)), initial=0.0)))
    return worst


if __name__ == "__main__":
    error = self_test()
    passed = error <= TOLERANCE
    print(f"self-test {{'passed' if passed else 'FAILED'}}: max error {{error:.3g}}, tolerance {{TOLERANCE:.3g}}")
    raise SystemExit(0 if passed else 1)
'''
