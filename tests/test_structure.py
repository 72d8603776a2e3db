"""Symmetric and diagonal variables: their gradients lie in their space, and no convention is slandered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from derive import Derivation, Model, det, diag, inverse, log, matrix, norm, tanh, total, trace, vector
from derive.expr import Node, Var
from derive.printer import to_latex
from derive.structure import is_symmetric
from derive.verify.evaluate import REAL, evaluate, points
from derive.verify.steps import all_checked

A, B, a = matrix("A", "n", "n"), matrix("B", "n", "n"), vector("a", "n")


def derived(value: Node, of: Var) -> Derivation:
    model = Model("f")
    model.define("f", value)
    model.train(of)
    return model.gradients()


def gradient(record: Derivation) -> Node:
    return next(e.value for e in record.equations if e.role == "gradient")


def functions(of: Var) -> list[Node]:
    return [
        trace(A @ of), a.T @ of @ a, log(det(of)), a.T @ inverse(of) @ a, total(tanh(A @ of)), norm(of @ A) ** 2,
        trace(of @ of @ A),
    ]  # fmt: skip


@pytest.mark.parametrize("domain", ["symmetric", "spd", "diagonal"])
@pytest.mark.parametrize("which", range(7))
def test_the_gradient_moves_the_function_within_the_space(domain: str, which: int) -> None:
    """df = ⟨G, dX⟩ for dX in the space, by central differences at fifty digits, and G lies in the space itself."""
    of = matrix("X", "n", "n", domain)
    record = derived(functions(of)[which], of)
    assert all_checked(record)
    assert record.network is not None
    (point,) = points(REAL, record.network, (), 1, seed=which)
    found = evaluate(gradient(record), point).values
    direction = np.array([[((3 * r + 5 * c) % 7) - 3 for c in range(len(found))] for r in range(len(found))], object)
    direction = np.diag(np.diag(direction)) if domain == "diagonal" else direction + direction.T
    ends = []
    for sign in (1, -1):
        moved = point.values[of].each(lambda x, s=sign: x + s * direction * type(x.flat[0])("1e-20"))
        ends.append(evaluate(functions(of)[which], point, {of: moved}).values[()])
    slope = (ends[0] - ends[1]) / (2 * type(ends[0])("1e-20"))
    assert abs(slope - (found * direction).sum()) < 1e-15 * (1 + abs(slope))
    assert np.allclose(found.astype(float), found.T.astype(float))
    if domain == "diagonal":
        assert not np.any(found - np.diag(np.diag(found)))


def test_a_gradient_that_is_symmetric_as_written_needs_no_projection() -> None:
    S, r = matrix(r"\Sigma", "n", "n", "spd"), vector("r", "n")
    record = derived(log(det(S)) + r.T @ inverse(S) @ r, S)
    assert to_latex(gradient(record)) == r"\Sigma^{-1} - \Sigma^{-1} r r^T \Sigma^{-1}"


CLAIMS = [
    (r"\frac{1}{2} (A + A^T)", "proved", ""),
    (r"A + A^T - A \circ I", "verified", "above the diagonal"),
    (r"A^T", "verified", "independent"),
    (r"2 A", "refuted", ""),
    (r"A + A^T", "refuted", ""),
]


@pytest.mark.parametrize(("right", "verdict", "convention"), CLAIMS)
def test_every_usual_convention_holds_and_is_named(right: str, verdict: str, convention: str) -> None:
    X = matrix("X", "n", "n", "symmetric")
    found = derived(trace(A @ X), X).check(rf"\frac{{\partial f}}{{\partial X}} = {right}")
    assert found.verdict == verdict
    assert not convention or convention in found.assumptions[-1]


def test_symmetry_is_seen_in_what_is_written() -> None:
    S = matrix("S", "n", "n", "symmetric")
    yes: list[Node] = [S, inverse(S), S + S, A.T @ A, A @ S @ A.T, diag(a), 2 * S, a @ a.T, -(S * S)]
    no: list[Any] = [A, S @ A, A @ B, a @ (A @ a).T, matrix("M", "n", "m")]
    assert all(map(is_symmetric, yes)) and not any(map(is_symmetric, no))
