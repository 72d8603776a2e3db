"""The peak of this processor: float32 multiply-adds on the widest vectors, measured by a small program in C."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from codegen.build import compile_program, find_compiler, native_flags

SOURCE = r"""
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <time.h>

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
typedef float vec __attribute__((vector_size(BYTES)));

static volatile float zero = 0.0f; /* nothing below is known when this is compiled */

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double once(long count) {
  const vec none = {0};
  const vec m = none + (0.999f + zero), c = none + (0.001f + zero);
  vec a = m + 1, b = m + 2, d = m + 3, e = m + 4, f = m + 5, g = m + 6;
  vec h = m + 7, i = m + 8, j = m + 9, k = m + 10, l = m + 11, n = m + 12;
  double start = seconds();
  for (long round = 0; round < count; round++) {
    a = a * m + c; b = b * m + c; d = d * m + c; e = e * m + c;
    f = f * m + c; g = g * m + c; h = h * m + c; i = i * m + c;
    j = j * m + c; k = k * m + c; l = l * m + c; n = n * m + c;
  }
  double took = seconds() - start;
  const vec sum = a + b + d + e + f + g + h + i + j + k + l + n;
  for (unsigned lane = 0; lane < BYTES / 4; lane++) zero = sum[lane] * 0.0f;
  return 12.0 * 2.0 * (BYTES / 4) * (double)count / took / 1e9;
}

int main(void) {
  double best = once(1000000);
  for (int round = 0; round < 15; round++) {
    const double rate = once(2000000);
    best = rate > best ? rate : best;
  }
  printf("%.3f\n", best);
  return 0;
}
"""
"""Twelve sums that do not wait for one another, each in a register of its own."""


class Peak:
    """The program, compiled once; the best of all its runs counts."""

    def __init__(self, cpu: int) -> None:
        self.cpu, self.gflops = cpu, 0.0
        self.folder = tempfile.TemporaryDirectory()
        self.program = Path(self.folder.name) / "peak"
        text = Path(self.folder.name) / "peak.c"
        text.write_text(SOURCE, encoding="utf-8")
        compile_program(text, self.program, ("-std=gnu11", "-O3", *native_flags(find_compiler())))

    def measure(self) -> float:
        """Run the program on the processor of the contestants; return the best so far, in GFLOP/s."""

        def pin() -> None:
            if hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(0, {self.cpu})

        done = subprocess.run([self.program], capture_output=True, text=True, check=True, preexec_fn=pin)
        self.gflops = max(self.gflops, float(done.stdout))
        return self.gflops
