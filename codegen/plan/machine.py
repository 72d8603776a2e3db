"""What a schedule must know of a processor: how wide its vectors are, and how many of them it holds."""

from __future__ import annotations

from dataclasses import dataclass

BYTES = {"float32": 4, "float64": 8}


@dataclass(frozen=True, slots=True)
class Machine:
    """A processor.

    Attributes:
        name: Of its vector instructions.
        width: Bytes of a vector register.
        registers: How many vector registers there are.
        vectors: Whether generated code may use vector types of GCC and clang.
    """

    name: str
    width: int
    registers: int
    vectors: bool

    def lanes(self, dtype: str) -> int:
        """Return how many numbers fill a vector.

        >>> AVX512.lanes("float32"), AVX2.lanes("float64")
        (16, 4)
        """
        return self.width // BYTES[dtype]


AVX512 = Machine("avx512", 64, 32, True)
AVX2 = Machine("avx2", 32, 16, True)
NARROW = Machine("128 bits", 16, 16, True)
PORTABLE = Machine("portable", 64, 16, False)
"""Any machine: plain loops over arrays as long as the widest vectors, which compilers vectorise as they can."""


def machine_of(features: str) -> Machine:
    """Return the machine that a processor's list of features tells of, as Linux spells them.

    >>> machine_of("sse2 avx2 fma").name
    'avx2'
    """
    words = set(features.split())
    if "avx512f" in words:
        return AVX512
    return AVX2 if {"avx2", "fma"} <= words else NARROW
