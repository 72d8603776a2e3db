r"""Export: the trained function with its parameters baked in, and with a test of its own.

One sample in, predictions out; only what the outputs need; nothing is allocated, nothing is imported. The test
compares with what NumPy computes in float64 from the same parameters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.build import run_python
from codegen.errors import CodegenError
from codegen.lower import lower
from codegen.names import file_name, model_names
from codegen.passes.pipeline import optimise
from codegen.prediction import forward_equations, predicted
from codegen.program import Program
from codegen.record import batch_form, rows_of, spelled_alike
from codegen.sizes import resolve_sizes
from codegen.targets.c_export import Vectors, emit_header, emit_source
from codegen.targets.numpy import emit_function
from codegen.targets.numpy_export import emit_module
from derive.derivation import Derivation
from derive.expr import Var, variables
from derive.notation import code_name
from derive.version import VERSION

Array = npt.NDArray[Any]
TARGETS = ("c", "header", "numpy")
RANDOM_VECTORS = 8
MARGIN = 16.0


@dataclass(frozen=True, slots=True)
class Baked:
    """A function of one sample, its parameters, and what is said of it at the top of the file."""

    program: Program
    params: dict[str, Array]
    note: str


def export_function(
    derivation: Derivation,
    params: Mapping[str, Any],
    outputs: Sequence[str] = (),
    target: str = "c",
    name: str | None = None,
    *,
    dtype: str = "float32",
    sizes: Mapping[str, int] | None = None,
    samples: Mapping[str, Any] | None = None,
    seed: int = 0,
    inputs: Sequence[str] = (),
) -> dict[str, str]:
    r"""Return the trained function as source files.

    Args:
        derivation: The model.
        params: Parameters by name in code, as `Trainer.params` has them.
        outputs: What the function gives, `[r"\hat{y}"]`, gradients too; the prediction if empty.
        target: `c` (a `.c` with its `.h`), `header` (one header file) or `numpy` (a module).
        name: Prefix of all names; made of the title if None.
        dtype: `float32` or `float64`.
        sizes: Sizes that no parameter fixes.
        samples: Real inputs, one row a sample, that the test shall use too.
        seed: Of the test's random inputs.
        inputs: Parameters that are not baked in but given with each call, beside the data.
    Returns:
        File name to text.
    Raises:
        CodegenError: a parameter is missing, has another shape or is not finite, or there is no such output.
    """
    if target not in TARGETS:
        raise CodegenError(f"target: met {target}; expected one of {', '.join(TARGETS)}")
    word = file_name(name or derivation.title)
    derivation = as_formulas(derivation, outputs, inputs)
    baked = bake(derivation, params, outputs, dtype, sizes)
    vectors = test_vectors(baked, samples or {}, seed)
    if target == "numpy":
        return {
            f"{word}.py": emit_module(
                baked.program, rows_program(derivation, baked, outputs), baked.params, vectors, baked.note
            )
        }
    if target == "header":
        return {f"{word}.h": emit_header(baked.program, word, baked.params, vectors, baked.note)}
    return emit_source(baked.program, word, baked.params, vectors, baked.note)


def as_formulas(derivation: Derivation, outputs: Sequence[str], inputs: Sequence[str] = ()) -> Derivation:
    """Return the record as formulas to be evaluated: a gradient is a value as any other, some parameters are given.

    Raises:
        CodegenError: there is no such parameter.
    """
    given = tuple(_parameter_named(derivation, word) for word in inputs)
    forward = [e.name for e in forward_equations(derivation)]
    if not given and all(any(spelled_alike(v, word) for v in forward) for word in outputs):
        return derivation
    values = (e for e in derivation.equations if e.role != "update")
    return replace(
        derivation, equations=tuple(replace(e, role="definition") for e in values), loss=None, batch=None,
        parameters=tuple(v for v in derivation.parameters if v not in given),
        data=(*derivation.data, *derivation.seeds, *given),
    )  # fmt: skip


def _parameter_named(derivation: Derivation, word: str) -> Var:
    found = next((v for v in derivation.parameters if spelled_alike(v, word)), None)
    if found is None:
        known = ", ".join(v.latex for v in derivation.parameters) or "none"
        raise CodegenError(f"inputs: {word} is no parameter of {derivation.title}; there are {known}")
    return found


def bake(
    derivation: Derivation,
    params: Mapping[str, Any],
    outputs: Sequence[str],
    dtype: str,
    sizes: Mapping[str, int] | None,
) -> Baked:
    """Return the function of one sample that computes the outputs, with its parameters."""
    wanted = find_outputs(derivation, outputs)
    needed = only_needed(derivation, wanted)
    names = model_names(needed)
    used = {v: v.latex for e in needed.equations for v in variables(e.value) if v in derivation.parameters}
    arrays = {v: _parameter(v, names[v], params, dtype) for v in used}
    shapes = {v: array.shape for v, array in arrays.items()}
    numbers = resolve_sizes(needed, _known_sizes(needed, sizes), shapes, assume=False)
    single = derivation.samples is not None
    program = optimise(lower(needed, numbers, dtype, wanted, single))
    baked = {names[v]: array for v, array in arrays.items()}
    return Baked(program, baked, note_of(program, baked))


def _known_sizes(derivation: Derivation, sizes: Mapping[str, int] | None) -> dict[str, int]:
    """Return the given sizes without those that the outputs do not need."""
    present = {str(s) for e in derivation.equations for v in [e.name, *variables(e.value)] for s in v.free_symbols}
    present |= {code_name(name) for name in present}
    return {name: number for name, number in (sizes or {}).items() if name in present}


def _parameter(v: Var, name: str, params: Mapping[str, Any], dtype: str) -> Array:
    """Return a parameter's array.

    Raises:
        CodegenError: it is missing, or not finite.
    """
    if name not in params and v.latex not in params:
        raise CodegenError(f"params: {name} is missing; expected one array for every parameter of the outputs")
    array = np.ascontiguousarray(params[name] if name in params else params[v.latex], dtype)
    array = array.reshape(np.shape(params[name] if name in params else params[v.latex]))
    if not np.isfinite(array).all():
        raise CodegenError(f"params: {name} holds values that are not finite; train again, with a lower lr")
    return array


def find_outputs(derivation: Derivation, outputs: Sequence[str]) -> tuple[Var, ...]:
    """Return the variables behind names; the prediction if there are none.

    Raises:
        CodegenError: no equation defines such a name.
    """
    defined = [e.name for e in forward_equations(derivation)]
    if not outputs:
        name = predicted(derivation)
        if name is None:
            raise CodegenError(f"{derivation.title}: no name is compared with a target; say which outputs to export")
        return (name,)
    found = []
    for word in outputs:
        match = next((v for v in defined if spelled_alike(v, word)), None)
        if match is None:
            raise CodegenError(
                f"outputs: no equation defines {word}; defined are {', '.join(v.latex for v in defined)}"
            )
        found.append(match)
    return tuple(found)


def only_needed(derivation: Derivation, wanted: Sequence[Var]) -> Derivation:
    """Return the record with only the equations of the forward pass that some names need."""
    needed, kept = set(wanted), []
    for equation in reversed(forward_equations(derivation)):
        if equation.name in needed:
            needed.update(variables(equation.value))
            kept.append(equation)
    data = tuple(v for v in derivation.data if v in needed)
    return replace(
        derivation, equations=tuple(reversed(kept)), data=data, loss=None,
        parameters=tuple(v for v in derivation.parameters if v in needed),
    )  # fmt: skip


def rows_program(derivation: Derivation, baked: Baked, outputs: Sequence[str]) -> Program:
    """Return the same function for many samples, one a row; for one sample where the model has no such form."""
    try:
        record = batch_form(derivation)
    except CodegenError:  # no loss
        record = derivation
    wanted = find_outputs(record, outputs)
    needed = only_needed(record, wanted)
    numbers = resolve_sizes(needed, _known_sizes(needed, baked.program.sizes))
    return rows_of(needed, numbers, baked.program.dtype, wanted)


# ---- the test ------------------------------------------------------------------------------------------------


def test_vectors(baked: Baked, samples: Mapping[str, Any], seed: int) -> Vectors:
    """Return inputs, the outputs that NumPy computes from them in float64, and how far another may be off.

    The tolerance is a multiple of the error that NumPy makes in the function's own type: what rounding costs here.
    """
    program, dtype = baked.program, baked.program.dtype
    rng = np.random.default_rng(seed)
    inputs = [
        {v.name: np.asarray(rng.normal(size=_shape(program, v.sizes)), dtype) for v in program.of_role("data")}
        for _ in range(RANDOM_VECTORS)
    ]
    inputs += _real_inputs(program, samples)
    exact = [_evaluate(program, baked.params, one, "float64") for one in inputs]
    rounded = [_evaluate(program, baked.params, one, dtype) for one in inputs]
    pairs = [(a, b) for one, two in zip(rounded, exact, strict=True) for a, b in zip(one, two, strict=True)]
    error = max(float(np.max(np.abs(a - b) / np.maximum(1.0, np.abs(b)))) for a, b in pairs)
    tolerance = MARGIN * max(error, float(np.finfo(dtype).eps))
    return Vectors(inputs, [dict(zip(program.outputs, one, strict=True)) for one in exact], tolerance)


test_vectors.__test__ = False  # type: ignore[attr-defined]  # for pytest: its name is no test's


def _shape(program: Program, sizes: Sequence[int | str]) -> tuple[int, ...]:
    return tuple(program.sizes[size] if isinstance(size, str) else size for size in sizes)


def _real_inputs(program: Program, samples: Mapping[str, Any]) -> list[dict[str, Array]]:
    arrays = {
        v.name: next((np.asarray(a) for k, a in samples.items() if k == v.name), None) for v in program.of_role("data")
    }
    if not arrays or any(array is None for array in arrays.values()):
        return []
    count = min(len(array) for array in arrays.values() if array is not None)
    return [
        {
            k: np.asarray(a[row], program.dtype).reshape(_shape(program, program.values[k].sizes))
            for k, a in arrays.items()
            if a is not None
        }
        for row in range(min(count, RANDOM_VECTORS))
    ]


def _evaluate(program: Program, params: Mapping[str, Array], inputs: Mapping[str, Array], dtype: str) -> list[Array]:
    source = emit_function(program, "predict")
    function = run_python(source, "reference")["predict"]
    cast = {name: np.asarray(array, dtype) for name, array in params.items()}
    result = function(cast, *(np.asarray(inputs[v.name], dtype) for v in program.of_role("data")))
    return [np.asarray(value) for value in (result if len(program.outputs) > 1 else (result,))]


# ---- what is said of it ------------------------------------------------------------------------------------------


def fingerprint(params: Mapping[str, Array]) -> str:
    """Return the sha256 of parameters: their names, shapes and bytes."""
    total = hashlib.sha256()
    for name in sorted(params):
        array = params[name]
        total.update(f"{name}{array.shape}{array.dtype}".encode())
        total.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return total.hexdigest()


def note_of(program: Program, params: Mapping[str, Array]) -> str:
    """Return what the file says at its top: equations, sizes, versions, checksum, licence."""
    lines = ["", "Equations, numbered as on the sheet:"]
    numbers = dict.fromkeys(s.eq for s in program.statements)
    lines += [f"  ({eq}) {program.formulas[eq]}{program.remark(eq)}" for eq in numbers]
    lines += [
        "",
        "Sizes: " + (", ".join(f"{name} = {number}" for name, number in program.sizes.items()) or "all fixed"),
    ]
    lines += [f"Parameters: {sum(a.size for a in params.values())} numbers, sha256 {fingerprint(params)}"]
    lines += [f"Made by derive {VERSION} with NumPy {np.__version__}. This file belongs to whoever made it: the"]
    lines += ["licence of derive does not extend to what it generates."]
    return "\n".join(lines)
