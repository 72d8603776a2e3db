r"""Losses of which nothing is said, `\ell(o, y)`, and functions told to be scalar: gradients in any spelling."""

from __future__ import annotations

import re
from typing import Any

import pytest

from derive.cases.claims_file import Entry
from derive.claims.entries import judge_entry
from derive.verify.judge import FALSE, GOOD, OPEN, Verdict

SHAPES: dict[str, Any] = {"W": {"shape": ["m", "n"]}, "x": {"shape": ["n"]}, "t": {"shape": ["m"]}}

TOLD = {"function": True, "maps": "scalar"}

TRUE = [
    r"\frac{\partial L}{\partial x} = W^T \frac{\partial L}{\partial z}",
    r"\frac{\partial L}{\partial W} = \frac{\partial g}{\partial z} x^T",
    r"\frac{\partial L}{\partial W} = \frac{\partial g(z)}{\partial z} x^T",
    r"\nabla_W L = \nabla g(z) x^T",
    r"\nabla_x L = W^T \nabla_z g(z)",
    r"\frac{\partial L}{\partial x_j} = \sum_i W_{ij} \frac{\partial g}{\partial z_i}",
    r"\frac{\partial L}{\partial x} = W^T g'(z)",
]
WRONG = [
    r"\frac{\partial L}{\partial x} = W \frac{\partial L}{\partial z}",
    r"\frac{\partial L}{\partial W} = x \left(\frac{\partial g}{\partial z}\right)^T",
    r"\frac{\partial L}{\partial x} = -W^T g'(z)",
    r"\frac{\partial L}{\partial x_j} = \sum_i W_{ji} \frac{\partial g}{\partial z_i}",
    r"L = x^T \frac{\partial L}{\partial x}",  # of a linear function alone
]
UNKNOWN = [  # of a gradient at another place, and of second derivatives, nothing is known
    r"\frac{\partial (z^T \nabla g(z))}{\partial z} = \nabla g(z)",
    r"\nabla_x L = W^T (\nabla g)(W x)",
    r"\frac{\partial^2 L}{\partial x^2} = W^T \frac{\partial^2 L}{\partial z^2} W",
]


def verdict(model: tuple[str, ...], claim: str, letter: str, told: bool) -> Verdict:
    """Judge a claim about g, written with another letter."""
    symbols = dict(SHAPES)
    if told:
        symbols[letter] = TOLD
    own = [re.sub(r"(?<![a-z\\])g(?![a-z])", lambda _: f"{letter} ", text) for text in (*model, claim)]
    return judge_entry(Entry(None, 1, tuple(own[:-1]), own[-1], symbols, "gradient"))[2]


@pytest.mark.parametrize(("letter", "told"), [("g", True), (r"\ell", True), (r"\ell", False), ("F", True)])
@pytest.mark.parametrize("claim", TRUE)
def test_a_gradient_of_any_scalar_function_is_told_in_any_spelling(claim: str, letter: str, told: bool) -> None:
    found = verdict(("z = W x", "L = g(z)"), claim, letter, told)
    assert found.verdict in GOOD, found


@pytest.mark.parametrize("claim", WRONG)
def test_what_is_wrong_for_a_scalar_function_is_refuted(claim: str) -> None:
    found = verdict(("z = W x", "L = g(z)"), claim, "g", True)
    assert found.verdict in FALSE, found


@pytest.mark.parametrize("claim", UNKNOWN)
def test_what_slopes_do_not_tell_is_left_open(claim: str) -> None:
    found = verdict(("z = W x", "L = g(z)"), claim, "g", True)
    assert found.verdict in OPEN, found


def test_a_function_of_one_thing_twice_is_not_differentiated_by_one_of_them() -> None:
    claim = r"\frac{\partial L}{\partial x} = W^T \frac{\partial g(z, z)}{\partial z}"
    found = verdict(("z = W x", "L = g(z, z)"), claim, "g", True)
    assert found.verdict in OPEN, found


def test_a_function_has_other_slopes_at_another_sample() -> None:
    symbols = {**SHAPES, "z^{(1)}": {"shape": ["n"]}, "z^{(2)}": {"shape": ["n"]}, "g": TOLD}
    claim = r"\frac{\partial L}{\partial z^{(1)}} = \frac{\partial L}{\partial z^{(2)}}"
    found = judge_entry(Entry(None, 1, ("L = g(W z^{(1)}) + g(W z^{(2)})",), claim, symbols, "gradient"))[2]
    assert found.verdict not in GOOD, found


@pytest.mark.parametrize("told", [True, False])
def test_of_several_arguments_the_one_that_is_differentiated_by_counts(told: bool) -> None:
    model = ("z = W x", r"L = \ell(z, t)")
    right = verdict(model, r"\frac{\partial L}{\partial x} = W^T \frac{\partial \ell(z, t)}{\partial z}", r"\ell", told)
    other = verdict(model, r"\frac{\partial L}{\partial x} = W^T \frac{\partial \ell(z, t)}{\partial t}", r"\ell", told)
    assert right.verdict in GOOD and other.verdict not in GOOD, (right, other)
