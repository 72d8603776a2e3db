"""A program in C around a training function: every array exactly as long as promised, and scratch full of NaN.

What it computes is read back, so that one run tells whether memory was respected and whether numbers are right.
"""

from __future__ import annotations

import math
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import codegen
from codegen.build import processor
from codegen.passes.dead import eliminate
from codegen.plan.machine import AVX2, AVX512, NARROW, PORTABLE, Machine
from codegen.targets.c import emit_c

COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
MACHINES = [AVX512, AVX2, NARROW, PORTABLE]
LOCAL = ("-std=c99", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast")
SANITIZED = ("-std=c99", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
FLAGS = {
    AVX512.name: ("-mavx512f", "-mavx512dq", "-mavx512bw", "-mfma", "-mprefer-vector-width=512"),
    AVX2.name: ("-mavx2", "-mfma"), NARROW.name: (), PORTABLE.name: ("-march=native",),
}  # fmt: skip
NEEDS = {AVX512.name: {"avx512f", "avx512dq", "avx512bw"}, AVX2.name: {"avx2", "fma"}}


def compiles(machine: Machine) -> bool:
    """Whether the compilers here know the machine's instructions."""
    return not FLAGS[machine.name] or platform.machine().lower() in ("x86_64", "amd64")


def runs(machine: Machine) -> bool:
    """Whether this processor has the machine's instructions."""
    return compiles(machine) and set(processor().split()) >= NEEDS.get(machine.name, set())


ROOM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef FENCED
#include <sys/mman.h>
/* Memory that ends where a page begins that nobody may touch. */
static void *room(size_t bytes)
{
    const size_t page = 4096, whole = (bytes + page - 1) / page * page;
    char *const start = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if ((void *)start == MAP_FAILED || mprotect(start + whole, page, PROT_NONE) != 0) {
        exit(3);
    }
    return start + whole - bytes;
}
#else
/* Memory that begins off the boundary of every vector, and ends with its last number. */
static void *room(size_t bytes)
{
    return (char *)malloc(bytes + sizeof(REAL)) + sizeof(REAL);
}
#endif
"""
DRIVER = r"""
static REAL *filled(size_t count, FILE *from)
{
    REAL *const place = room(count * sizeof(REAL));
    memset(place, 255, count * sizeof(REAL)); /* NaN */
    if (from && fread(place, sizeof(REAL), count, from) != count) {
        exit(4);
    }
    return place;
}
int main(int argc, char **argv)
{
    static const size_t given[] = { GIVEN 0 }, made[] = { MADE 0 };
    REAL *in[ARRAYS], *out[ARRAYS];
    FILE *const from = argc == 3 ? fopen(argv[1], "rb") : NULL, *const to = argc == 3 ? fopen(argv[2], "wb") : NULL;
    if (!from || !to) {
        return 2;
    }
    for (size_t k = 0; given[k]; ++k) {
        in[k] = filled(given[k], from);
    }
    for (size_t k = 0; made[k]; ++k) {
        out[k] = filled(made[k], NULL);
    }
    RUN
    for (size_t k = 0; given[k]; ++k) {
        fwrite(in[k], sizeof(REAL), given[k], to);
    }
    for (size_t k = 0; made[k]; ++k) {
        fwrite(out[k], sizeof(REAL), made[k], to);
    }
    return fclose(to);
}
"""


@dataclass(slots=True)
class Driven:
    """A trainer whose arrays are handed to compiled code by a program of its own."""

    trainer: codegen.Trainer
    machine: Machine
    steps: int = 5
    arguments: int = 0  # of the functions called so far

    def source(self, name: str = "toy") -> str:
        batch = self.trainer.settings.batch
        code = self.trainer.compiled.recipe.code
        predicted = code.inference[-1] if code.inference else None
        return emit_c(self.trainer.program, name, predicted, machine=self.machine, batch=batch)

    def arrays(self) -> dict[str, Any]:
        """What the functions are given: data, parameters, states and rates."""
        trainer = self.trainer
        rates = trainer.compiled.rates.at(trainer.settings.lr, trainer.plan, 0, 0, self.steps)
        named = {v.name: rate for v, rate in zip(trainer.program.of_role("rate"), rates, strict=True)}
        arrays = {**trainer.data, **trainer.params, **trainer.state, **named}
        return {name: np.asarray(array, trainer.settings.dtype) for name, array in arrays.items()}

    def driver(self, given: dict[str, Any], made: dict[str, tuple[int, ...]], name: str = "toy") -> str:
        program, batch, rows = self.trainer.program, self.trainer.settings.batch, self.trainer.rows
        used = eliminate(program, program.outputs)
        places = {word: f"in[{k}]" for k, word in enumerate(given)}
        results = [f"out[{k}]" for k in range(len(made))]
        inputs = [places[v.name] for v in (*used.of_role("data"), *used.of_role("parameter"))]
        all_of = [places[v.name] for role in ("data", "parameter", "state", "rate") for v in program.of_role(role)]
        scratch = f"filled({name.upper()}_SCRATCH({{}}), NULL)"
        calls = [
            f"{name}_loss_and_gradients({', '.join([str(rows), *inputs, *results[:-1], scratch.format(rows)])});",
            f"const long taken = {name}_train({self.steps}, 0, {batch}, {rows}, "
            f"{', '.join([*all_of, results[-1], scratch.format(min(batch, rows))])});",
            f"if (taken != {self.steps}) {{", "    return 5;", "}",
        ]  # fmt: skip
        words = {
            "GIVEN": "".join(f"{array.size}, " for array in given.values()),
            "MADE": "".join(f"{math.prod(shape)}, " for shape in made.values()),
            "ARRAYS": str(len(given) + len(made) + 1), "RUN": "\n    ".join(calls),
            "REAL": "float" if program.dtype == "float32" else "double",
        }  # fmt: skip
        text = ROOM + DRIVER
        for word, meaning in words.items():
            text = text.replace(word, meaning)
        return text

    def run(self, folder: Path, compiler: str, *flags: str) -> dict[str, Any]:
        """Build and run the program; return what became of every array, and the gradients, `loss` and `losses`."""
        program, given = self.trainer.program, self.arrays()
        of = {name: parameter for parameter, name in program.gradients.items()}
        made = {
            f"d {of[name]}" if name in of else "loss": np.shape(self.trainer.params[of[name]]) if name in of else ()
            for name in program.outputs
        } | {"losses": (self.steps,)}
        source, binary = folder / "toy.c", folder / "toy"
        source.write_text("#define _GNU_SOURCE\n" + self.source() + self.driver(given, made))
        command = [compiler, *FLAGS[self.machine.name], *flags, source, "-o", binary]
        built = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stderr
        dtype = np.dtype(self.trainer.settings.dtype)
        (folder / "in").write_bytes(b"".join(np.ascontiguousarray(array).tobytes() for array in given.values()))
        done = subprocess.run([binary, folder / "in", folder / "out"], capture_output=True, text=True, check=False,
                              env={"ASAN_OPTIONS": "detect_leaks=0"})  # fmt: skip
        assert done.returncode == 0, f"{source}: {done.returncode}\n{done.stderr}"
        numbers, found = np.fromfile(folder / "out", dtype), {}
        for name, shape in [*((name, array.shape) for name, array in given.items()), *made.items()]:
            found[name], numbers = numbers[: math.prod(shape)].reshape(shape), numbers[math.prod(shape) :]
        return found
