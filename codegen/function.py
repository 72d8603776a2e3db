"""The trained function in this process: compiled, its parameters bound, called on one sample or on many."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.build import load_library, local_machine, run_python
from codegen.errors import CodegenError
from codegen.export import bake, rows_program
from codegen.names import file_name
from codegen.program import BATCH, Program, Value
from codegen.targets.c_function import emit_function as emit_c_function
from codegen.targets.c_function import function_schedule, includes, prelude, size_constants
from codegen.targets.numpy import emit_function as emit_numpy_function
from derive.derivation import Derivation
from derive.notation import batch_name

Array = npt.NDArray[Any]


class Function:
    """A compiled function of the model's inputs; one sample in, one out, or one row a sample.

    Attributes:
        source: The generated code.
        params: The parameters that it uses; a copy.
    """

    def __init__(self, program: Program, params: Mapping[str, Array], target: str, spelled: Mapping[str, str]) -> None:
        self.program, self.params, self.spelled = program, dict(params), spelled
        self.inputs = program.of_role("data")
        self.call = self._numpy() if target == "numpy" else self._c()

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Return the outputs: an array, or a tuple where there are several.

        Raises:
            CodegenError: an input is missing or has another shape.
        """
        if len(inputs) > len(self.inputs):
            raise TypeError(f"met {len(inputs)} inputs; expected {len(self.inputs)}")
        given = [self._given(k, inputs, named) for k in range(len(self.inputs))]
        many = any(
            BATCH in value.sizes and array.ndim == len(value.sizes)
            for value, array in zip(self.inputs, given, strict=True)
        )
        rows = [
            array if many or BATCH not in value.sizes else np.ascontiguousarray(array[None])
            for value, array in zip(self.inputs, given, strict=True)
        ]
        for value, array in zip(self.inputs, rows, strict=True):
            self._check(value.name, value.sizes, array)
        outputs = self.call(rows)
        results = [
            out if many or BATCH not in self.program.values[name].sizes else out[0]
            for name, out in zip(self.program.outputs, outputs, strict=True)
        ]
        return results[0] if len(results) == 1 else tuple(results)

    def _given(self, k: int, inputs: Sequence[Any], named: Mapping[str, Any]) -> Array:
        value = self.inputs[k]
        if k < len(inputs):
            return self._cast(inputs[k])
        array = next((array for word, array in named.items() if self._means(word, value)), None)
        if array is None:
            names = ", ".join(self.spelled.get(v.latex, v.latex) for v in self.inputs)
            raise CodegenError(f"{self.spelled.get(value.latex, value.latex)} is missing; expected {names}")
        return self._cast(array)

    def _means(self, word: str, value: Value) -> bool:
        """Tell whether a keyword means an input: as in code, as on the page, or in the other case, x for X."""
        return word in (value.name, value.latex, self.spelled.get(value.latex)) or word.lower() == value.name.lower()

    def _cast(self, array: Any) -> Array:
        return np.ascontiguousarray(array, self.program.dtype).reshape(np.shape(array))

    def _check(self, name: str, sizes: Sequence[int | str], array: Array) -> None:
        wanted = tuple(self.program.sizes.get(str(size), size) for size in sizes)
        fits = array.ndim == len(wanted) and all(w in (n, BATCH) for w, n in zip(wanted, array.shape, strict=True))
        if not fits:
            shape = ", ".join("any" if w == BATCH else str(w) for w in wanted)
            raise CodegenError(f"{name}: met an array of shape {array.shape}; expected ({shape}), or one row of it")

    def _numpy(self) -> Any:
        self.source = emit_numpy_function(self.program, "predict")
        function = run_python(self.source, "predict")["predict"]

        def call(rows: Sequence[Array]) -> list[Array]:
            result = function(self.params, *rows)
            return [np.asarray(out) for out in (result if len(self.program.outputs) > 1 else (result,))]

        return call

    def _c(self) -> Any:
        program, name = self.program, file_name(self.program.title)
        used: set[str] = set()
        machine = local_machine()
        text = emit_c_function(program, name, "predict", used, machine=machine, batch=1)
        self.source = includes() + size_constants(program, name) + prelude(used, name, program.dtype, machine) + text
        function = getattr(load_library(self.source, name), f"{name}_predict")
        need = function_schedule(program, machine, 1).scratch
        constant = [ctypes.c_void_p(self.params[v.name].ctypes.data) for v in program.of_role("parameter")]

        def call(rows: Sequence[Array]) -> list[Array]:
            many = next((len(a) for a, v in zip(rows, self.inputs, strict=True) if BATCH in v.sizes), 1)
            outputs = [np.empty(self._shape(out, many), program.dtype) for out in program.outputs]
            scratch = np.empty(max(need.count(many), 1), program.dtype)  # its own: calls may run side by side
            data = [ctypes.c_void_p(array.ctypes.data) for array in rows]
            results = [ctypes.c_void_p(out.ctypes.data) for out in outputs]
            function(ctypes.c_int(many), *data, *constant, *results, ctypes.c_void_p(scratch.ctypes.data))
            return outputs

        return call

    def _shape(self, name: str, many: int) -> tuple[int, ...]:
        sizes = self.program.values[name].sizes
        return tuple(many if s == BATCH else int(self.program.sizes.get(str(s), s)) for s in sizes)


def compile_function(
    derivation: Derivation,
    outputs: Sequence[str] = (),
    target: str = "c",
    params: Mapping[str, Any] | None = None,
    dtype: str = "float32",
    sizes: Mapping[str, int] | None = None,
) -> Function:
    r"""Return the trained function, ready to be called.

    Args:
        derivation: The model.
        outputs: What it gives, `[r"\hat{y}"]`; the prediction if empty.
        target: `c` or `numpy`.
        params: Parameters by name in code, as `Trainer.params` has them; they are copied.
        dtype: `float32` or `float64`.
        sizes: Sizes that no parameter fixes.
    Raises:
        CodegenError: a parameter is missing, or there is no such output.
    """
    if target not in ("c", "numpy"):
        raise CodegenError(f"target: met {target}; expected c or numpy")
    baked = bake(derivation, params or {}, outputs, dtype, sizes)
    program = rows_program(derivation, baked, outputs)
    copies = {name: np.array(array) for name, array in baked.params.items()}
    return Function(program, copies, target, _spelled(derivation))


def _spelled(derivation: Derivation) -> dict[str, str]:
    """Return how the user's page spells each of the data, by its LaTeX in the record that is compiled."""
    return {batch_name(v.latex): v.latex for v in derivation.data} | {v.latex: v.latex for v in derivation.data}
