"""The trained function in this process: compiled, its parameters bound, called on one sample or on many."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.bound import Bound, bound
from codegen.build import load_library, local_machine, run_python
from codegen.engines import aligned
from codegen.errors import CodegenError
from codegen.export import as_formulas, bake, rows_program
from codegen.names import file_name
from codegen.program import BATCH, Program, Value
from codegen.targets.c_function import SMALL, emit_at, function_schedule, includes, prelude, size_constants
from codegen.targets.c_function import emit_function as emit_c_function
from codegen.targets.numpy import emit_function as emit_numpy_function
from derive.derivation import Derivation
from derive.notation import batch_name

Array = npt.NDArray[Any]
MANY = 64  # samples that the form for many of them expects


class Function:
    """A compiled function of the model's inputs; one sample in, one out, or one row a sample.

    Attributes:
        source: The generated code.
        params: The parameters that it uses; a copy.
    """

    def __init__(self, program: Program, params: Mapping[str, Array], target: str, spelled: Mapping[str, str]) -> None:
        self.program, self.params, self.spelled = program, dict(params), spelled
        self.inputs = program.of_role("data")
        self.binder = self._numpy() if target == "numpy" else self._c()

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Return the outputs: an array, or a tuple where there are several.

        Raises:
            CodegenError: an input is missing or has another shape.
        """
        rows, several = self._rows(inputs, named)
        call = self._bound(rows)
        call()
        results = [
            out if several or BATCH not in self.program.values[name].sizes else out[0]
            for name, out in zip(self.program.outputs, call.outputs, strict=True)
        ]
        return results[0] if len(results) == 1 else tuple(results)

    def _rows(self, inputs: Sequence[Any], named: Mapping[str, Any]) -> tuple[list[Array], bool]:
        """Return the inputs with one row a sample, and whether they were given so."""
        if len(inputs) > len(self.inputs):
            raise TypeError(f"met {len(inputs)} inputs; expected {len(self.inputs)}")
        given = [self._given(k, inputs, named) for k in range(len(self.inputs))]
        several = any(
            BATCH in value.sizes and array.ndim == len(value.sizes)
            for value, array in zip(self.inputs, given, strict=True)
        )
        rows = [
            array if several or BATCH not in value.sizes else np.ascontiguousarray(array[None])
            for value, array in zip(self.inputs, given, strict=True)
        ]
        for value, array in zip(self.inputs, rows, strict=True):
            self._check(value.name, value.sizes, array)
        return rows, several

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

    def bind(self, *inputs: Any, **named: Any) -> Bound:
        """Return a call without arguments: it reads the inputs given here, and writes `Bound.outputs`, in place.

        Write new numbers into `Bound.inputs` and call again; nothing is checked or allocated in between.

        Raises:
            CodegenError: an input is missing or has another shape.
        """
        return self._bound(self._rows(inputs, named)[0])

    def _bound(self, rows: Sequence[Array]) -> Bound:
        many = next((len(a) for a, v in zip(rows, self.inputs, strict=True) if BATCH in v.sizes), 1)
        outputs = [np.empty(self._shape(out, many), self.program.dtype) for out in self.program.outputs]
        return self.binder(rows, outputs, many)

    def _numpy(self) -> Callable[[Sequence[Array], Sequence[Array], int], Bound]:
        self.source = emit_numpy_function(self.program, "predict")
        function = run_python(self.source, "predict")["predict"]

        def write(rows: Sequence[Array], outputs: Sequence[Array]) -> None:
            result = function(self.params, *rows)
            for out, value in zip(outputs, result if len(outputs) > 1 else (result,), strict=True):
                out[...] = value

        return lambda rows, outputs, many: bound(partial(write, rows, outputs), rows, outputs, ())

    def _c(self) -> Callable[[Sequence[Array], Sequence[Array], int], Bound]:
        program, name = self.program, file_name(self.program.title)
        machine = local_machine()
        constant = [self.params[v.name] for v in program.of_role("parameter")]

        @cache
        def compiled(batch: int) -> tuple[Any, Any]:
            """The function, compiled for one sample or for many, and the memory that it needs."""
            plan = function_schedule(program, machine, batch)
            used = {SMALL} if plan.small else set()
            text = emit_c_function(program, name, "predict", used, plan)
            text += emit_at(program, name, "predict")
            self.source = (
                includes(machine) + size_constants(program, name) + prelude(used, name, program.dtype, machine) + text
            )
            function = getattr(load_library(self.source, name), f"{name}_predict_at")
            function.restype = None
            return function, plan.scratch

        compiled(1)

        def bind(rows: Sequence[Array], outputs: Sequence[Array], many: int) -> Bound:
            function, need = compiled(1 if many == 1 else MANY)
            scratch = aligned(need.count(many), program.dtype)  # its own: calls may run side by side
            batch = ctypes.c_int(many)
            arrays = [*rows, *constant, *outputs, scratch]
            at = (ctypes.c_void_p * (len(arrays) + 1))(ctypes.addressof(batch), *(a.ctypes.data for a in arrays))
            place = ctypes.c_void_p(ctypes.addressof(at))
            return bound(partial(function, place), rows, outputs, (batch, at, place, *arrays))

        return bind

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
    inputs: Sequence[str] = (),
) -> Function:
    r"""Return the trained function, ready to be called.

    Args:
        derivation: The model.
        outputs: What it gives, `[r"\hat{y}"]`, gradients too, one a sample; the prediction if empty.
        target: `c` or `numpy`.
        params: Parameters by name in code, as `Trainer.params` has them; they are copied.
        dtype: `float32` or `float64`.
        sizes: Sizes that no parameter fixes.
        inputs: Parameters that are given with each call, beside the data: `["w"]`.
    Raises:
        CodegenError: a parameter is missing, or there is no such output.
    """
    if target not in ("c", "numpy"):
        raise CodegenError(f"target: met {target}; expected c or numpy")
    derivation = as_formulas(derivation, outputs, inputs)
    baked = bake(derivation, params or {}, outputs, dtype, sizes)
    program = rows_program(derivation, baked, outputs)
    copies = {name: np.array(array) for name, array in baked.params.items()}
    return Function(program, copies, target, _spelled(derivation))


def _spelled(derivation: Derivation) -> dict[str, str]:
    """Return how the user's page spells each of the data, by its LaTeX in the record that is compiled."""
    return {batch_name(v.latex): v.latex for v in derivation.data} | {v.latex: v.latex for v in derivation.data}
