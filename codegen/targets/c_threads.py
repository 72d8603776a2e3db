"""Threads in C, by OpenMP: a team takes each step together; a compiler without OpenMP makes one thread of it.

Every entry is computed by one thread, in the order in which a single thread would, so the bits do not depend on how
many there are. A loop that is worth it is divided; what lies between such loops one thread does while others wait.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from codegen.plan.divide import worth_dividing
from codegen.plan.schedule import Schedule
from codegen.targets.c_function import Text, costs_of
from codegen.targets.c_loops import Loops
from codegen.targets.c_words import Lines, indent

COUNTED = re.compile(r"for \(ptrdiff_t (\w+) = 0; \1 < [^;,]+; (\+\+\1|\1 \+= \d+)\) \{")
"""A loop whose rounds OpenMP can count before it begins."""


def divided(texts: Sequence[Text], loops: Loops, plan: Schedule, threads: int) -> frozenset[int]:
    """Return the numbers of the groups whose outermost loop a team divides."""
    costs = costs_of(plan)
    return frozenset(
        k for k, text in enumerate(texts) if _over_results(text, loops) and worth_dividing(text.group, costs, threads)
    )


def team_lines(texts: Sequence[tuple[bool, Text]], loops: Loops) -> Lines:
    """Return the statements of a step for a team of threads, each group beside whether it is divided."""
    lines: Lines = []
    for shared, run in groupby(texts, lambda item: item[0]):
        group = [text for _, text in run]
        lines += [line for text in group for line in _divided(text)] if shared else _alone(group, loops)
    return lines


def _over_results(text: Text, loops: Loops) -> bool:
    """Tell whether a group is one loop whose rounds write to entries of their own."""
    first, *inside = text.lines[_is_hinted(text) :]
    met, head = COUNTED.fullmatch(first), text.group.head
    whole = all(line.startswith((" ", "#")) for line in inside[:-1])  # nothing beside it
    return whole and met is not None and met[1] in {loops.loop_names(head)[label] for label in head.out.labels}


def _is_hinted(text: Text) -> bool:
    """Tell whether the compiler is told that the rounds of the loop do not depend on each other."""
    return text.lines[0].endswith("INDEPENDENT")


def _divided(text: Text) -> Lines:
    hinted = _is_hinted(text)
    pragma = "#pragma omp for simd schedule(simd: static)" if hinted else "#pragma omp for schedule(static)"
    return ["", *text.heads, pragma, *text.lines[hinted:]]


def _alone(texts: Sequence[Text], loops: Loops) -> Lines:
    """Return what one thread does; what it leaves in local variables the others get a copy of."""
    words = [word for text in texts for word in text.words]
    copies = f" copyprivate({', '.join(words)})" if words else ""
    inside = [line for text in texts for line in ("", *text.heads, *text.lines)][1:]
    return ["", *(f"{loops.real} {word};" for word in words), f"#pragma omp single{copies}", "{", *indent(inside), "}"]


def team_of(threads: int, lines: Lines, counter: str) -> Lines:
    """Return lines that every thread of a team runs, and the counter that one of them leaves for the caller."""
    last = ["#pragma omp master", f"taken = {counter};"]
    return ["long taken = 0;", f"#pragma omp parallel num_threads({threads})", "{", *indent([*lines, *last]), "}"]
