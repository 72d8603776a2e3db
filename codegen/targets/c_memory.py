"""Memory of the C target: what lies in the caller's scratch, how much that is, and what may share a place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from codegen.passes.dead import eliminate
from codegen.program import BATCH, Map, Program, Ref, Value, Whole, reads
from codegen.targets.c_linalg import workspace


@dataclass(frozen=True, slots=True)
class Scratch:
    """How many numbers of the file's type are needed: the sum of `terms[k]` times the k-th power of the batch."""

    terms: tuple[int, ...]

    def count(self, batch: int) -> int:
        """Return the amount for a batch.

        >>> Scratch((7, 2)).count(10)
        27
        """
        return sum(number * batch**power for power, number in enumerate(self.terms))

    def text(self) -> str:
        """Return the amount as an expression of C in the argument of a macro."""
        powers = ["".join(f" * (size_t)({BATCH})" for _ in range(k)) for k in range(len(self.terms))]
        return " + ".join(f"(size_t){n}{power}" for n, power in zip(self.terms, powers, strict=True))


def length(program: Program, value: Value) -> tuple[int, int]:
    """Return the number of entries for a batch of one, and how many axes run along the samples."""
    count = 1
    for size in value.sizes:
        count *= 1 if size == BATCH else program.sizes[size] if isinstance(size, str) else size
    return count, value.sizes.count(BATCH)


def add_up(lengths: Iterable[tuple[int, int]]) -> Scratch:
    """Return the memory for values of the given lengths."""
    terms = [0, 0]
    for count, power in lengths:
        terms += [0] * (power + 1 - len(terms))
        terms[power] += count
    return Scratch(tuple(terms))


def in_scratch(program: Program, sharing: Mapping[str, str]) -> list[Value]:
    """Return the values that lie in scratch: tensors that are no output and have a place of their own, and work."""
    values = [program.values[s.out.name] for s in program.statements]
    own = [v for v in values if v.sizes and v.name not in program.outputs and v.name not in sharing]
    return [*own, *(workspace(program, s) for s in program.statements if isinstance(s, Whole))]


def scratch_of(program: Program) -> Scratch:
    """Return the memory that a function of the program's outputs needs."""
    return add_up(length(program, value) for value in in_scratch(program, shared(program)))


def training_scratch(program: Program) -> Scratch:
    """Return the memory that `NAME_step` needs: the gradients and the scratch of `NAME_loss_and_gradients`."""
    inner = eliminate(program, program.outputs)
    own = in_scratch(inner, shared(inner))
    gradients = [program.values[name] for name in program.gradients.values()]
    return add_up(length(program, value) for value in (*own, *gradients))


def scratch_macro(program: Program, name: str) -> str:
    """Return the macro that tells how much scratch a batch needs."""
    kind = "float" if program.dtype == "float32" else "double"
    macro = f"#define {name.upper()}_SCRATCH({BATCH}) ({training_scratch(program).text()})"
    return f"\n/* How many {kind}s of scratch memory a call needs. */\n{macro}\n"


def shared(program: Program) -> dict[str, str]:
    """Return the intermediate values that may lie in the memory of the value computed from them, entry by entry."""
    last = {ref.name: s for s in program.statements for ref in reads(s)}
    found: dict[str, str] = {}
    for statement in program.statements:
        if not isinstance(statement, Map):
            continue
        refs = reads(statement)
        for ref in refs:
            others = [other for other in refs if other.name == ref.name]
            alike = all(isinstance(other, Ref) and other.labels == statement.out.labels for other in others)
            fits = ref.labels and alike and program.values[ref.name].role == "temp"
            if fits and last[ref.name] is statement and statement.out.name not in found.values():
                found[ref.name] = statement.out.name
    return {name: _final(place, found) for name, place in found.items()}


def _final(name: str, alias: Mapping[str, str]) -> str:
    while name in alias:
        name = alias[name]
    return name
