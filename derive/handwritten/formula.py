"""Small edits of the derived formula that give what code returned; the catalogue is that of claims.

What the edited formula says is then judged as a claim would be, so that code and page get the same diagnosis.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from derive.claims.bench import Bench, parsed, right_side
from derive.claims.in_model import choices_held, judge_claim, vocabulary
from derive.diagnose.edits import edits
from derive.diagnose.rewriting import Edit
from derive.errors import DeriveError
from derive.expr import Node, Var, substitute, variables
from derive.handwritten.run import Called, Reading
from derive.handwritten.sampling import floats
from derive.meaning.outline import Equation, Place
from derive.printer import to_latex
from derive.read import syntax as ast
from derive.read.spelling import render
from derive.verify.evaluate import REAL, Point, cotangents_at, evaluate
from derive.verify.judge import Diagnosis, end_weights
from derive.verify.numbers import CostError, Number, RetryError

DEPTH = 3  # cotangents written out one after the other
Matches = Callable[[Iterable[Any]], bool]
# An edited formula may be nonsense: whatever it meets on its way, it explains nothing then.
UNREAD = (DeriveError, NotImplementedError, RecursionError, TypeError, ValueError, KeyError, CostError, RetryError)


def held_constant(
    by: Var, reading: Reading, calls: Sequence[Called], matches: Matches
) -> tuple[str, str] | None:
    """Tell what the code holds constant although it depends on the variable: a norm's statistics, a second path."""
    setting = reading.bench.setting
    for held in choices_held(setting, by):
        kept = tuple(item for item in setting.network.definitions if item.name not in held)
        network = replace(setting.network, definitions=kept)

        def without(call: Called, network: Any = network) -> Any:
            point = Point(REAL, call.sample.sizes, dict(call.sample.values), {})
            found = cotangents_at(network, point, end_weights(setting, point), setting.structured).get(by)
            if found is None:
                return None
            return floats(found) * call.sample.above * reading.factor(call.sample)

        try:
            values = [without(calls[0])]
            if values[0] is None or not np.any(values[0]):
                continue
            if matches([*values, *map(without, calls[1:])]):
                names = [item.name for item in setting.network.definitions if item.name in held]
                words = " and ".join(f"${name.latex}$" for name in names)
                depend = "depends" if len(names) == 1 else "depend"
                return "dependence dropped", f"it holds {words} constant, which {depend} on ${by.latex}$"
        except UNREAD:
            continue
    return None


def edited(
    by: Var, reading: Reading, calls: Sequence[Called], matches: Matches, until: float
) -> Diagnosis | None:
    """Return what is wrong, where an edit of the derived formula gives what was returned."""
    bench = reading.bench
    equation = next((e for e in bench.setting.backward if e.of == by), None)
    left = None if equation is None else parsed(to_latex(equation.name))
    if equation is None or left is None:
        return None
    tried: set[ast.Node] = set()
    for value in _written_out(equation.value, bench):
        tree = parsed(to_latex(bench.written_as(value)), bench.model.reading.meaning.functions)
        if tree is None:
            continue
        for edit in edits(tree, vocabulary(left, tree, bench)):
            if time.monotonic() > until:
                return None
            if edit.node in tried:
                continue
            tried.add(edit.node)
            if _gives(edit.node, left, reading, calls, matches):
                return _said(left, edit, tree, bench)
    return None


def _written_out(value: Node, bench: Bench) -> Iterator[Node]:
    """Yield a formula, and the same with the cotangents in it written out, one after the other."""
    yield value
    for _ in range(DEPTH):
        inner = {name: bench.setting.derived[name] for name in variables(value) if name in bench.setting.derived}
        if not inner:
            return
        value = substitute(value, inner)
        yield value


def _gives(node: ast.Node, left: ast.Node, reading: Reading, calls: Sequence[Called], matches: Matches) -> bool:
    claim = _claim(left, node)
    try:
        side = right_side(claim, reading.bench)
        return matches(_value(side, reading, call) for call in calls)
    except UNREAD:
        return False


def _value(side: Node, reading: Reading, call: Called) -> Any:
    """Return the value of a formula for the loss itself, times the cotangent from above."""
    sample, setting = call.sample, reading.bench.setting
    values: dict[Var, Number] = dict(sample.values)
    for name in variables(side):
        if name not in values:
            of = setting.cotangents[name]
            found = sample.cotangents.get(of)
            values[name] = values[of] * 0 if found is None else found / Fraction(sample.above)
    point = Point(REAL, sample.sizes, values, {})
    return floats(evaluate(side, point)) * sample.above * reading.factor(sample)


def _said(left: ast.Node, edit: Edit, right: ast.Node, bench: Bench) -> Diagnosis:
    """Return what is wrong with the formula that the code computes, as it is said of a claim."""
    text, corrected = f"it returns ${render(edit.node)}$", f"{render(left)} = {render(right)}"
    if edit.kind == "extra factor":  # what must go from the right formula is missing in the code
        kind = "derivative" if "'" in edit.text else "term" if edit.text.startswith("the term") else "factor"
        return Diagnosis(f"missing {kind}", f"{text}: {edit.text.replace('must go', 'is missing')}", corrected)
    verdict = judge_claim(_claim(left, edit.node), bench)
    if verdict.diagnosis is None:
        return Diagnosis("another formula", text, corrected)
    return replace(verdict.diagnosis, text=f"{text}: {verdict.diagnosis.text}")


def _claim(left: ast.Node, right: ast.Node) -> Equation:
    return Equation(left, right, f"{render(left)} = {render(right)}", Place((), 0, "", 1, 1))
