r"""C99: loss and gradients, and a whole run of steps, as a file that a person can read.

Plain functions on plain arrays; scratch memory belongs to the caller; nothing is allocated, nothing global, no
math.h. Every group of statements stands under the numbers of the equations that it computes. During a run the
parameters lie in scratch as the products want them, and are brought back at its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from codegen.passes.dead import eliminate
from codegen.plan.machine import PORTABLE, Machine
from codegen.plan.memory import Extent, Scratch, extent_of, rounded
from codegen.plan.schedule import EXPECTED, Schedule, schedule
from codegen.program import BATCH, Program, Value
from codegen.targets.c_function import (
    SMALL,
    banner,
    body_lines,
    emit_function,
    extent_text,
    function_schedule,
    group_texts,
    includes,
    make_loops,
    prelude,
    scratch_pointers,
    size_constants,
    wrapped,
)
from codegen.targets.c_loops import Loops
from codegen.targets.c_threads import divided, team_lines, team_of
from codegen.targets.c_words import Lines, loop


@dataclass(frozen=True, slots=True)
class Parts:
    """A training file in parts.

    Attributes:
        common: What all functions need: sizes, macros, helpers.
        functions: By the name of the one that is called from outside; each compiles behind what they share.
        scratch: The memory that suffices for every function.
        inference_scratch: The memory of a prediction.
        team: The run of steps for several threads; "" where one alone takes them.
    """

    common: str
    functions: Mapping[str, str]
    scratch: Scratch
    inference_scratch: Scratch
    team: str = ""


def emit_c(
    program: Program,
    name: str = "model",
    predicted: str | None = None,
    note: str = "",
    machine: Machine = PORTABLE,
    batch: int | None = None,
) -> str:
    """Return the source of a training function in C99; arguments are those of `emit_parts`."""
    made = emit_parts(program, name, predicted, note, machine, batch)
    return made.common + "".join(made.functions.values())


def emit_parts(
    program: Program,
    name: str,
    predicted: str | None,
    note: str = "",
    machine: Machine = PORTABLE,
    batch: int | None = None,
    threads: int = 1,
) -> Parts:
    """Return a training file in C99: predict, loss and gradients, and the run of steps.

    Args:
        program: Loss, gradients and updates.
        name: Prefix of every name in the file.
        predicted: The name that `NAME_predict` computes; without one there is no such function.
        note: More lines for the comment at the top.
        machine: Where it will run.
        batch: The usual size of a batch: the step is compiled for it, and once more for any other.
        threads: How many take a step together, by OpenMP, in the run of steps that is made for them beside the other.
    """
    used: set[str] = set()
    functions = {}
    expected = batch or EXPECTED
    inference = Scratch((), 1)
    if predicted is not None:
        part = eliminate(program, [predicted])
        plan = function_schedule(part, machine, expected)
        functions["predict"] = emit_function(part, name, "predict", used, plan)
        inference = plan.scratch
    part = eliminate(program, program.outputs)
    plan = function_schedule(part, machine, expected)
    functions["loss_and_gradients"] = emit_function(part, name, "loss_and_gradients", used, plan)
    needs, team = [plan.scratch], ""
    if program.updates:
        run = Run(program, name, machine, expected)
        used |= {SMALL} if run.plan.small else set()
        functions["train"] = run.emit(batch, used)
        team = run.emit(batch, used, threads) if threads > 1 and run.divided(threads) else ""
        needs.append(run.scratch)
    need = Scratch(_most(needs), plan.lanes)
    head = [banner(program, note), includes(machine), size_constants(program, name), scratch_macro(need, program, name)]
    common = "".join(head) + prelude(used, name, program.dtype, machine)
    return Parts(common, functions, need, inference, team)


def scratch_macro(need: Scratch, program: Program, name: str) -> str:
    """Return the macro that tells how much scratch a batch needs."""
    kind = "float" if program.dtype == "float32" else "double"
    macro = f"#define {name.upper()}_SCRATCH({BATCH}) ({need.text()})"
    return f"\n/* How many {kind}s of scratch memory a call needs. */\n{macro}\n"


def _most(needs: Sequence[Scratch]) -> tuple[Extent, ...]:
    """Return extents that are enough for each of several needs: for every power of the batch the largest number."""
    most: dict[tuple[int, int], int] = {}
    for need in needs:
        numbers: dict[tuple[int, int], int] = {}
        for extent in need.extents:
            key = (extent.batch, extent.wide)
            numbers[key] = numbers.get(key, 0) + extent.number
        for key, number in numbers.items():
            most[key] = max(most.get(key, 0), number)
    return tuple(Extent(number, *key) for key, number in sorted(most.items()))


@dataclass(slots=True)
class Run:
    """The functions that take steps, on parameters and states as the products want them."""

    program: Program
    name: str
    machine: Machine
    batch: int
    loss: Value = field(init=False)
    plan: Schedule = field(init=False)
    own: tuple[Value, ...] = field(init=False)
    packed: list[Value] = field(init=False)

    def __post_init__(self) -> None:
        self.loss = next(value for value in self.program.of_role("loss"))
        trained = eliminate(replace(self.program, outputs=(self.loss.name,)))
        data = frozenset(v.name for v in trained.of_role("data"))
        self.plan = schedule(trained, self.machine, self.batch, data)
        self.own = self.program.of_role("parameter", "state")
        self.packed = [v for v in self.own if self._is_packed(v)]

    def _is_packed(self, value: Value) -> bool:
        """Tell whether a parameter lies otherwise than the caller has it: turned round, or with longer rows."""
        inner = self.plan.program.values.get(value.name)
        if inner is None or not inner.sizes:
            return False
        return value.name in self.plan.moved or self.extent(value) != extent_of(
            self.plan.program, inner, False, self.plan.lanes
        )

    def extent(self, value: Value) -> Extent:
        """Return how much memory a parameter takes inside."""
        inner = self.plan.program.values[value.name]
        return extent_of(self.plan.program, inner, value.name in self.plan.padded, self.plan.lanes)

    @property
    def scratch(self) -> Scratch:
        """How much memory a run of steps needs."""
        own = (self.extent(value) for value in self.packed)
        return Scratch((*self.plan.scratch.extents, *own), self.plan.lanes)

    @property
    def kind(self) -> str:
        """The C type."""
        return "float" if self.program.dtype == "float32" else "double"

    @property
    def rates(self) -> list[str]:
        """The names of the rates."""
        return [value.name for value in self.program.of_role("rate")]

    def _loops(self, used: set[str]) -> Loops:
        values = self.plan.program.values
        scalars = {
            v.name
            for v in self.program.of_role("data", "parameter", "state")
            if v.name in values and not values[v.name].sizes
        }
        return make_loops(self.plan, self.name, frozenset(scalars | {self.loss.name}), self.plan.places.alias, used)

    def divided(self, threads: int) -> frozenset[int]:
        """Return the numbers of the groups whose loops so many threads divide among themselves."""
        loops = self._loops(set())
        return divided(group_texts(loops, self.plan, loops.pointers), loops, self.plan, threads)

    def emit(self, batch: int | None, used: set[str], threads: int = 1) -> str:
        """Return the functions that take steps; see `emit_parts`."""
        return self.emit_step(used, threads) + self.emit_train(batch, used, threads) + self.emit_one()

    def emit_step(self, used: set[str], threads: int = 1) -> str:
        """Return the function that takes one step in place."""
        loops = self._loops(used)
        lines = scratch_pointers(loops, self.plan)
        texts = group_texts(loops, self.plan, loops.pointers)
        arguments = [f"const int {BATCH}", *self._arguments("const "), *(f"{self.kind} {rate}" for rate in self.rates)]
        arguments += [f"{self.kind} *restrict {self.loss.name}", f"{self.kind} *restrict scratch"]
        check = [
            "", f"if (!(*{self.loss.name} - *{self.loss.name} == 0)) {{",
            "    return 1; /* not finite: leave everything as it was */", "}",
        ]  # fmt: skip
        unused = [] if any(BATCH in v.sizes for v in self.program.values.values()) else [f"(void){BATCH};"]
        unused += [
            f"(void){v.name};"
            for v in (*self.program.of_role("data"), *self.own)
            if v.name not in self.plan.program.values
        ]
        known = 1 + next(
            k for k, g in enumerate(self.plan.groups) if self.loss.name in (s.out.name for s in g.statements)
        )
        if threads > 1:
            shared = divided(texts, loops, self.plan, threads)
            told = [(k in shared, text) for k, text in enumerate(texts)]
            before, after = team_lines(told[:known], loops), team_lines(told[known:], loops)
        else:
            before, after = (list(chain(*(t.spelled(loops) for t in part))) for part in (texts[:known], texts[known:]))
        body = [*unused, *lines, *before, *check, *after, "", "return 0;"]
        purpose = "/* Take one step; 0, or 1 if the loss is not finite, and then nothing was changed. */"
        head = f"static inline int {self.name}_pass({wrapped(arguments)})"
        return "\n".join(["", purpose, head, "{", *body_lines(body), "}", ""])

    def _arguments(self, data: str = "const ") -> list[str]:
        arguments = [f"{data}{self.kind} *restrict {value.name}" for value in self.program.of_role("data")]
        return [*arguments, *(f"{self.kind} *restrict {value.name}" for value in self.own)]

    def emit_train(self, batch: int | None, used: set[str], threads: int = 1) -> str:
        """Return the function that takes many steps over mini-batches in order, from the one numbered `first`."""
        loops = self._loops(used)
        step = loops.word("s")
        arguments = ["long steps", "long first", f"int {BATCH}", "int count", *self._arguments()]
        arguments += [f"const {self.kind} *restrict {rate}" for rate in self.rates]
        arguments += [f"{self.kind} *restrict losses", f"{self.kind} *restrict scratch"]
        data = [self._offset(loops, value) for value in self.program.of_role("data")]
        own = [loops.local_name(v.name) if v in self.packed else v.name for v in self.own]
        rest = [*data, *own, *(f"{rate}[{step}]" for rate in self.rates), f"losses + {step}", "place"]
        usual = f"{self.name}_pass({', '.join([str(batch), *rest])})" if batch else ""
        other = f"{self.name}_pass({', '.join(['size', *rest])})"
        call = f"size == {batch} ? {usual}\n            : {other}" if batch else other
        lines = [f"const long batches = ((long)count + {BATCH} - 1) / {BATCH};"]
        place = "scratch"
        for value in self.packed:
            inner = loops.local_name(value.name)
            lines.append(f"{self.kind} *const {inner} = {place};")
            place = f"{inner} + {extent_text(self.extent(value))}"
        lines.append(f"{self.kind} *const place = {place};")
        lines += [line for value in self.packed for line in self._copy(loops, value, inward=True)]
        taking = [
            f"long {step} = 0, number = first % batches;",
            f"for (; {step} < steps; ++{step}) {{",
            f"    const ptrdiff_t start = (ptrdiff_t)number * {BATCH};",
            f"    const int size = count - start < {BATCH} ? (int)(count - start) : {BATCH};",
            f"    const int stopped = {call};",
            "    if (stopped) {", "        break;", "    }",
            "    number = number + 1 == batches ? 0 : number + 1;", "}",
        ]  # fmt: skip
        lines += team_of(threads, taking, step) if threads > 1 else taking
        lines += [line for value in self.packed for line in self._copy(loops, value, inward=False)]
        taken = "taken" if threads > 1 else step
        purpose = (
            "/* Take steps over the mini-batches of `count` samples, in order, from the one numbered `first`; "
            "rates and losses\n"
            " * have one entry a step. Return how many steps were taken; fewer if a loss was not finite. */"
        )
        head = f"long {self.name}_train({wrapped(arguments)})"
        return "\n".join(["", purpose, head, "{", *body_lines([*lines, f"return {taken};"]), "}", ""])

    def _copy(self, loops: Loops, value: Value, inward: bool) -> Lines:
        """Return the loops that bring a parameter into scratch, or back."""
        inner = self.plan.program.values[value.name]
        order = self.plan.moved.get(value.name, tuple(range(len(inner.sizes))))
        letters = [loops.word(f"i{k}") for k in range(len(inner.sizes))]
        packed, flat = loops.local_name(value.name), loops.word("i")
        outside = [""] * len(letters)
        for k, axis in enumerate(order):
            outside[axis] = letters[k]
        sizes = [self.plan.program.sizes[s] if isinstance(s, str) else s for s in inner.sizes]
        plain = [0] * len(sizes)
        for k, axis in enumerate(order):
            plain[axis] = sizes[k]
        lanes = self.plan.lanes
        padded = [*sizes[:-1], rounded(sizes[-1], lanes) if value.name in self.plan.padded else sizes[-1]]
        here, there = f"{packed}[{_entry(letters, padded)}]", f"{value.name}[{_entry(outside, plain)}]"
        if order == (1, 0):
            loops.used.add("turn")
            within, without = f"{packed}, {padded[1]}", f"{value.name}, {plain[1]}"
            counts = (
                f"{sizes[1]}, {sizes[0]}, {without}, {within}"
                if inward
                else f"{sizes[0]}, {sizes[1]}, {within}, {without}"
            )
            lines = [f"{loops.helper}turn({counts});"]
        else:
            lines = [f"{here} = {there};" if inward else f"{there} = {here};"]
            for letter, count in reversed(list(zip(letters, sizes, strict=True))):
                lines = loop(letter, str(count), lines)
        clear = []
        if inward and padded != sizes:
            total = extent_text(self.extent(value))
            clear = [f"for (ptrdiff_t {flat} = 0; {flat} < {total}; ++{flat}) {{", f"    {packed}[{flat}] = 0;", "}"]
        return [*clear, *lines]

    def emit_one(self) -> str:
        """Return the function that takes a single step on a batch."""
        arguments = [f"int {BATCH}", *self._arguments(), *(f"{self.kind} {rate}" for rate in self.rates)]
        arguments += [f"{self.kind} *restrict {self.loss.name}", f"{self.kind} *restrict scratch"]
        given = [value.name for value in (*self.program.of_role("data"), *self.own)]
        call = ["1", "0", BATCH, BATCH, *given, *(f"&{rate}" for rate in self.rates), self.loss.name, "scratch"]
        purpose = "/* Take one step on a batch; 0, or 1 if the loss is not finite, and then nothing was changed. */"
        head = f"int {self.name}_step({wrapped(arguments)})"
        return "\n".join(
            ["", purpose, head, "{", f"    return {self.name}_train({', '.join(call)}) == 1 ? 0 : 1;", "}", ""]
        )

    def _offset(self, loops: Loops, value: Value) -> str:
        if BATCH not in value.sizes:
            return value.name
        sizes = [loops.size(size) for size in value.sizes if size not in (BATCH, 1)]
        return f"{value.name} + {' * '.join(['start', *sizes])}"


def _entry(letters: Sequence[str], sizes: Sequence[int]) -> str:
    text = letters[0]
    for letter, size in zip(letters[1:], sizes[1:], strict=True):
        text = f"({text}) * {size} + {letter}" if "+" in text else f"{text} * {size} + {letter}"
    return text
