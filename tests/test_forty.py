"""Forty derivatives from textbooks: right at random points, read back as printed, judged in every form.

The reference answers stand in a file beside some checkouts (`shared/tasks/forty.json`); where it is missing, the tests
that need it are skipped and say so. The answers in `forty_forms.py` are our own and are tested everywhere.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forty import TASKS, Task
from forty_forms import FORMS
from mutants import by_edits, by_slips

from derive.backprop import derive_gradients
from derive.claims.bench import Bench, bench_for, sides, with_partials
from derive.claims.in_model import judge_claim
from derive.derivation import Derivation
from derive.errors import DeriveError, ShapeError
from derive.expr import Apply, Node, rebuild
from derive.jacobian import derive_hessian, derive_jacobian
from derive.meaning.outline import Equation, Place
from derive.printer import equation_latex
from derive.read import syntax as ast
from derive.read.latex import read_formula
from derive.verify.evaluate import REAL, Point, evaluate, points
from derive.verify.judge import Verdict, judge
from derive.verify.normal_form import same
from derive.verify.steps import all_checked, checked

REFERENCE = Path(__file__).parents[2] / "shared" / "tasks" / "forty.json"
every_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.number:02d} {task.title}")
HOLDS = ("proved", "verified")
MUTANTS = 3  # of each kind for each form
DIAGNOSED = 120


@cache
def derived(number: int) -> Derivation:
    task = TASKS[number - 1]
    if task.kind == "hessian":
        return derive_hessian(task.network, task.variable)
    if task.kind == "jacobian":
        return derive_jacobian(task.network, task.network.definitions[-1].name, task.variable)
    return derive_gradients(task.network, (task.variable,))


@cache
def bench(number: int) -> Bench:
    record = derived(number)
    return bench_for(TASKS[number - 1].network, (*record.seeds, *record.data))


def result(record: Derivation) -> Node:
    return next(e.value for e in reversed(record.equations) if e.role in ("gradient", "jacobian", "hessian"))


def floats(point: Point, node: Node) -> Any:
    return evaluate(node, point).values.astype(float)


def with_sine(node: Node) -> Node:
    """Put the sine in the place of an arbitrary function, the cosine in that of its derivative."""

    def change(part: Node) -> Node | None:
        if isinstance(part, Apply) and part.op.prime and part.op.body is None:
            return Apply(("sin", "cos")[int(part.params[0])], with_sine(part.operands[0]))
        return None

    return rebuild(node, change)


def point_of(task: Task, record: Derivation, seed: int) -> Point:
    """A real point at which all equations of a record have run, one after the other."""
    (point,) = points(REAL, task.network, (), 1, seed)
    for equation in record.equations:
        if equation.role != "update":
            point.values[equation.name] = evaluate(equation.value, point)
    return point


# ---------------------------------------------------------------- right at random points
@cache
def reference() -> dict[int, dict[str, Any]]:
    if not REFERENCE.exists():
        pytest.skip(f"the reference answers are not here: {REFERENCE}")
    content = json.loads(REFERENCE.read_text())
    names: dict[str, Any] = {"np": np}
    exec(content["preamble"], names)
    return {entry["id"]: {**entry, "names": names} for entry in content["tasks"]}


SPELLED = {r"\lambda": "lam", r"\epsilon": "eps", r"\tau": "tau", r"\Sigma": "S", r"\ell": "l", r"\mu": "mu"}


def spelled(latex: str) -> str:
    return SPELLED.get(latex, latex.replace("_", ""))


@every_task
@pytest.mark.parametrize("seed", [1, 2])
def test_the_derivative_is_that_of_the_reference(task: Task, seed: int) -> None:
    entry = reference()[task.number]
    record = derived(task.number)
    if task.number == 27:  # the reference takes the sine for φ
        record = replace(record, equations=tuple(replace(e, value=with_sine(e.value)) for e in record.equations))
    point = point_of(task, record, seed)
    named = {spelled(name.latex): name for name in point.values}
    given = {word: floats(point, name) for word, name in named.items() if word in entry["shapes"]}
    expected = np.asarray(eval(entry["deriv_numpy"], {**entry["names"], **given}))
    found = floats(point, result(record))
    assert found.shape == expected.shape
    # float64 against fifty digits: rounding of a few dozen operations at numbers below a thousand
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


@every_task
def test_the_derivative_is_the_quotient_of_differences(task: Task) -> None:
    """Of the function itself, with a step of 1e-20 at fifty digits; for second order, of the derived gradient.

    One entry of the variable at a time, a dozen of them where it has more.
    """
    record = derived(task.number)
    point = point_of(task, record, 5)
    by, step = task.variable, 10**-20
    names = [e for e in record.equations if e.role not in ("update", "hessian", "jacobian")]
    moving = [e for e in names if e.role in ("definition", "loss") or task.kind == "hessian"]
    last = task.network.definitions[-1].name if task.kind != "hessian" else names[-1].name
    base, found = point.values[by], floats(point, result(record))
    places = list(np.ndindex(*base.shape))
    for place in random.Random(task.number).sample(places, min(12, len(places))):
        unit = np.zeros(base.shape, object)
        unit[place] = 1
        ends = []
        for sign in (1, -1):
            moved = Point(point.kind, point.sizes, {**point.values})
            moved.values[by] = base + base.each(lambda x, u=unit, s=sign: u * (s * step) + x * 0)
            for e in moving:
                moved.values[e.name] = evaluate(e.value, moved)
            ends.append(moved.values[last].values)
        expected = np.asarray((ends[0] - ends[1]) / (2 * step)).astype(float)
        # the axes of what is differentiated come first
        np.testing.assert_allclose(found[(..., *place)], expected, rtol=1e-12, atol=1e-12)


@every_task
def test_every_step_is_checked_by_what_is_not_the_deriver(task: Task) -> None:
    record = derived(task.number)
    names = {item.name.latex: item.name for item in task.network.definitions}
    seeds = {seed: names[latex] for seed in record.seeds for latex in names if latex in seed.latex}
    done = checked(task.network, record, seeds)
    assert all_checked(done)


# ---------------------------------------------------------------- read back
def claim(left: ast.Node, right: ast.Node) -> Equation:
    return Equation(left, right, "", Place(("",), 0, "", 1, 1))


def printed(record: Derivation) -> Iterator[tuple[Node, Node]]:
    for equation in record.equations:
        if equation.role != "update":
            yield equation.name, equation.value
            yield from ((step.before, step.after) for step in equation.steps)


@every_task
def test_what_is_printed_reads_back_with_the_same_normal_form(task: Task) -> None:
    for left, right in printed(derived(task.number)):
        latex = equation_latex(left, right)
        tree = read_formula(latex)
        assert isinstance(tree, ast.Relation) and tree.signs == ("=",), latex
        written = claim(*tree.links)
        setting, names = with_partials(written, bench(task.number))
        _, found = sides(written, replace(bench(task.number), names=names))
        assert same(setting.in_primary_names(found), right), latex


# ---------------------------------------------------------------- right forms
def judged(task: Task, right: str | ast.Node) -> Verdict:
    tree = read_formula(right) if isinstance(right, str) else right
    return judge_claim(claim(read_formula(task.left), tree), bench(task.number))


def test_each_answer_has_at_least_two_rewritten_forms() -> None:
    assert set(FORMS) == {task.number for task in TASKS} == set(range(1, 41))
    assert all(len(set(forms)) >= 3 for forms in FORMS.values())


@pytest.mark.parametrize(
    ("task", "form"), [(task, form) for task in TASKS for form in FORMS[task.number]],
    ids=lambda value: f"{value.number:02d}" if isinstance(value, Task) else value,
)  # fmt: skip
def test_a_right_form_is_proved(task: Task, form: str) -> None:
    verdict = judged(task, form)
    assert verdict.verdict == "proved", verdict


# ---------------------------------------------------------------- wrong forms
def wrong_forms() -> list[tuple[Task, ast.Node]]:
    """Mutants that differ from the answer: at real points, by the values of both sides, without any verdict."""
    found = []
    for task in TASKS:
        left = read_formula(task.left)
        for form in FORMS[task.number][:2]:
            right = read_formula(form)
            rng = random.Random(f"{task.number}:{form}")
            candidates = by_edits(left, right, bench(task.number), rng, MUTANTS) + by_slips(right, rng, MUTANTS)
            found += [(task, mutant) for mutant in candidates]
    return found


@cache
def verdicts() -> list[tuple[Task, ast.Node, Verdict]]:
    outcomes = []
    for task, mutant in wrong_forms():
        written = claim(read_formula(task.left), mutant)
        outcomes.append((task, mutant, undiagnosed(written, bench(task.number))))
    return outcomes


def undiagnosed(written: Equation, own: Bench) -> Verdict:
    try:
        setting, names = with_partials(written, own)
        left, right = sides(written, replace(own, names=names))
        return judge(left, right, setting)
    except ShapeError as error:
        return Verdict("ill-typed", str(error))
    except DeriveError as error:
        return Verdict("unread", str(error))


def test_at_least_four_hundred_mutants_are_rejected() -> None:
    rejected = [v for _, _, v in verdicts() if v.verdict in ("refuted", "ill-typed")]
    assert len(rejected) >= 400


def test_a_refuted_mutant_differs_at_its_point_as_numpy_computes_it() -> None:
    for _, _, verdict in verdicts():
        if verdict.verdict == "refuted":
            assert verdict.counterexample is not None
            sides_at = (verdict.counterexample.claimed, verdict.counterexample.derived)
            assert not np.allclose(*map(np.asarray, sides_at), rtol=1e-12, atol=0)


def test_no_mutant_is_accepted_that_differs_at_a_real_point() -> None:
    """What is accepted must agree with the function's own tangents at real points that the verdict did not use."""
    for task, mutant, verdict in verdicts():
        if verdict.verdict in HOLDS:
            written = claim(read_formula(task.left), mutant)
            setting, names = with_partials(written, bench(task.number))
            _, right = sides(written, replace(bench(task.number), names=names))
            (point,) = points(REAL, setting.network, setting.derivation.seeds, 1, seed=77)
            for name, value in record_values(task):
                if name not in point.values:
                    point.values[name] = evaluate(value, point)
            found, expected = (evaluate(side, point) for side in (right, result(derived(task.number))))
            assert found.each(np.ravel).same(expected.each(np.ravel)), mutant


def record_values(task: Task) -> Iterator[tuple[Any, Node]]:
    own = bench(task.number).setting
    for e in own.derivation.equations:
        if e.role in ("cotangent", "gradient"):
            yield e.name, e.value
    for alias, of in own.cotangents.items():
        value = next((e.name for e in own.derivation.equations if e.of == of and e.role != "update"), None)
        if value is not None:
            yield alias, value


def test_nine_in_ten_rejected_mutants_have_their_error_named() -> None:
    rejected = [(task, mutant) for task, mutant, v in verdicts() if v.verdict in ("refuted", "ill-typed")]
    chosen = random.Random(0).sample(rejected, DIAGNOSED)
    named = 0
    for task, mutant in chosen:
        verdict = judged(task, mutant)
        if verdict.diagnosis is not None:
            named += 1
            right = read_formula(verdict.diagnosis.corrected)
            assert isinstance(right, ast.Relation)
            assert judge_claim(claim(*right.links), bench(task.number)).verdict in HOLDS, verdict.diagnosis
    assert named >= 0.9 * DIAGNOSED, named
