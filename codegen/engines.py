"""Engines: the compiled functions of a program, called on arrays. One for NumPy, one for C, with the same methods."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from codegen.build import load_library, run_python
from codegen.program import BATCH, Program
from codegen.recipe import Code
from codegen.stepping import Stepper, Task, step_in_python

ROLES = ("data", "parameter", "state")  # of what a step takes, in the order of its arguments
TRAIN_COUNTS = (ctypes.c_long, ctypes.c_long, ctypes.c_int, ctypes.c_int)  # steps, first, batch, count
VECTOR = 64  # bytes
Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]


class Engine(Stepper, Protocol):
    """What a target offers to the training loop."""

    source: str

    @property
    def threads(self) -> int:
        """How many threads take a step."""

    def gradients(self, data: Arrays, params: Arrays) -> tuple[float, dict[str, Array]]:
        """Return the loss and the gradient by each parameter."""

    def train(
        self,
        data: Arrays,
        params: Arrays,
        state: Arrays,
        rates: Sequence[Array],
        batch: int,
        first: int,
        steps: int,
    ) -> Array:
        """Take steps over the mini-batches in order from the one numbered `first`; return their losses.

        Fewer losses than steps: the loss after the last one was not finite, and that step was not taken.
        """

    def predict(self, data: Arrays, params: Arrays) -> Array:
        """Return the prediction, one row a sample."""


def row_count(program: Program, data: Arrays) -> int:
    """Return the number of samples in the data, or in the part of them that a prediction needs."""
    return next((len(data[v.name]) for v in program.of_role("data") if BATCH in v.sizes and v.name in data), 1)


class NumpyEngine:
    """A program as NumPy: the reference that other engines are compared with; of the program its values suffice."""

    threads = 1  # of ours; NumPy may have its own

    def __init__(self, program: Program, code: Code) -> None:
        self.program, self.source = program, code.source
        self.functions = run_python(self.source, code.name)
        self.work: dict[int, tuple[Array, ...]] = {}
        self.inputs = [name for name in code.inference if program.values[name].role == "data"]

    def gradients(self, data: Arrays, params: Arrays) -> tuple[float, dict[str, Array]]:
        """Return the loss and the gradient by each parameter."""
        loss, gradients = self.functions["loss_and_gradients"](params, data)
        return float(loss), {name: np.asarray(value) for name, value in gradients.items()}

    def train(
        self,
        data: Arrays,
        params: Arrays,
        state: Arrays,
        rates: Sequence[Array],
        batch: int,
        first: int,
        steps: int,
    ) -> Array:
        """Take steps; see `Engine`."""
        rows = row_count(self.program, data)
        batches = -(-rows // batch)
        constant = {v.name for v in self.program.of_role("data") if BATCH not in v.sizes}
        losses: list[float] = []
        step, more = self.functions["step"], [state] if state else []
        parts = [
            {name: array if name in constant else array[start : start + batch] for name, array in data.items()}
            for start in range(0, rows, batch)
        ]
        with np.errstate(all="ignore"):  # a loss that is not finite is reported by whoever called, once
            for s in range(steps):
                loss = float(step(params, parts[(first + s) % batches], *(rate[s] for rate in rates), *more, self.work))
                if not math.isfinite(loss):
                    break
                losses.append(loss)
        return np.array(losses, self.program.dtype)

    def bind(self, task: Task) -> tuple[Callable[[], None], Sequence[Any]]:
        """Return a call that takes steps; see `Stepper`."""
        return step_in_python(self.train, task), ()

    def predict(self, data: Arrays, params: Arrays) -> Array:
        """Return the prediction, one row a sample."""
        return np.asarray(self.functions["predict"](params, *(data[name] for name in self.inputs)))


def pointer(array: Array) -> ctypes.c_void_p:
    """Return the address of a contiguous array for C."""
    return ctypes.c_void_p(array.ctypes.data)


def aligned(count: int, dtype: str) -> Array:
    """Return zeros that begin on the boundary of a vector."""
    size = np.dtype(dtype).itemsize
    room = np.zeros(count + VECTOR // size, dtype)
    return room[-room.ctypes.data % VECTOR // size :]


class CEngine:
    """A program as compiled C; of the program its values suffice.

    What takes steps is compiled at once; other functions when they are called first, if they are called at all.
    """

    threads = 1

    def __init__(self, program: Program, code: Code, openmp: bool = False) -> None:
        self.program, self.code, self.name, self.source = program, code, code.name, code.source
        self.libraries: dict[str, ctypes.CDLL] = {}
        self.openmp = openmp
        self.scratch = aligned(0, program.dtype)
        self.trainer = self.function("train")
        self.trainer.restype = ctypes.c_long
        self.places = [(k, v.name) for k, role in enumerate(ROLES) for v in program.of_role(role)]
        rates = len(program.of_role("rate"))
        self.trainer.argtypes = [*TRAIN_COUNTS, *[ctypes.c_void_p] * (len(self.places) + rates + 2)]
        self.counted = next((v.name for v in program.of_role("data") if BATCH in v.sizes), "")
        self.kept: tuple[list[Array], list[ctypes.c_void_p]] = ([], [])

    def function(self, verb: str, part: str = "") -> Any:
        """Return a function of C; the part of the source that it stands in, its own if not said, is compiled once."""
        part = part or verb
        if part not in self.libraries:
            source, name = self.code.part(part), f"{self.name}_{part}"
            self.libraries[part] = load_library(source, name, self.code.exact, self.openmp)
        return getattr(self.libraries[part], f"{self.name}_{verb}")

    def memory(self, count: int) -> ctypes.c_void_p:
        """Return scratch of at least the given length."""
        if len(self.scratch) < count:
            self.scratch = aligned(count, self.program.dtype)
        return pointer(self.scratch)

    def given(self, names: Sequence[str], arrays: Arrays) -> list[ctypes.c_void_p]:
        """Return the addresses of arrays in the order of their names.

        Raises:
            TypeError: an array has another type or is not contiguous.
        """
        for name in names:
            array = arrays[name]
            if array.dtype != self.program.dtype or not array.flags.c_contiguous:
                raise TypeError(f"{name}: met {array.dtype}; expected contiguous {self.program.dtype}")
        return [pointer(arrays[name]) for name in names]

    def addresses(self, *groups: Arrays) -> list[ctypes.c_void_p]:
        """Return the addresses of all arrays of a step; found once for the same arrays."""
        arrays = [groups[k][name] for k, name in self.places]
        if len(arrays) != len(self.kept[0]) or any(a is not b for a, b in zip(arrays, self.kept[0], strict=True)):
            named = {name: array for (_, name), array in zip(self.places, arrays, strict=True)}
            self.kept = (arrays, self.given(list(named), named))
        return self.kept[1]

    def gradients(self, data: Arrays, params: Arrays) -> tuple[float, dict[str, Array]]:
        """Return the loss and the gradient by each parameter."""
        program = self.program
        rows = row_count(program, data)
        loss = np.zeros((), program.dtype)
        results = {of: np.zeros_like(params[of]) for of in program.gradients}
        by_name = {name: results[of] for of, name in program.gradients.items()}
        outputs = [by_name.get(name, loss) for name in program.outputs]
        function = self.function("loss_and_gradients")
        given = self.given(self.code.used, {**data, **params})
        function(ctypes.c_int(rows), *given, *map(pointer, outputs), self.memory(self.code.scratch.count(rows)))
        return float(loss), results

    def train(
        self,
        data: Arrays,
        params: Arrays,
        state: Arrays,
        rates: Sequence[Array],
        batch: int,
        first: int,
        steps: int,
    ) -> Array:
        """Take steps; see `Engine`."""
        losses = np.empty(steps, self.program.dtype)
        count = len(data[self.counted]) if self.counted else 1
        taken = self.trainer(
            steps, first, batch, count, *self.addresses(data, params, state), *map(pointer, rates), pointer(losses),
            self.memory(self.code.scratch.count(min(batch, count))),
        )  # fmt: skip
        return losses[: int(taken)]

    def bind(self, task: Task) -> tuple[Callable[[], None], Sequence[Any]]:
        """Return a call that takes steps, of one argument that is made here; see `Stepper`."""
        batch, rows = task.call.longs[1:3]
        # Its own memory: `train` may give up the other for more.
        scratch = aligned(self.code.scratch.count(min(batch, rows)), self.program.dtype)
        places = [*self.addresses(*task.groups), *map(pointer, (*task.rates, task.losses, scratch))]
        numbers = [ctypes.addressof(task.clock.longs), ctypes.addressof(task.call.longs)]
        at = (ctypes.c_void_p * (len(places) + 2))(*numbers, *(place.value for place in places))
        place = ctypes.c_void_p(ctypes.addressof(at))
        function = self.function("train_at", "train")
        function.restype = None
        return partial(function, place), (at, scratch, *self.kept[0])

    def predict(self, data: Arrays, params: Arrays) -> Array:
        """Return the prediction, one row a sample."""
        *used, output = self.code.inference
        program, rows = self.program, row_count(self.program, data)
        shape = [rows if s == BATCH else program.sizes.get(str(s), s) for s in program.values[output].sizes]
        out = np.empty([int(length) for length in shape], program.dtype)
        memory = self.memory(self.code.inference_scratch.count(rows))
        function = self.function("predict")
        function(ctypes.c_int(rows), *self.given(used, {**data, **params}), pointer(out), memory)
        return out


ENGINES: dict[str, type[NumpyEngine] | type[CEngine]] = {"numpy": NumpyEngine, "c": CEngine}
