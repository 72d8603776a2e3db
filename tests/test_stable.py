"""Stable forms: each an identity, used where it should be, exact where logits saturate, and shown on the sheet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np
import pytest
from click.testing import CliRunner
from test_codegen import needs_compiler
from test_typesetting import compile_typst

import codegen
from codegen.record import lowered
from codegen.sizes import resolve_sizes
from codegen.text import read_program, show
from derive import Model
from derive.cli import main
from derive.derivation import Derivation, Equation
from derive.expr import Node, Var, matrix, scalar, variables, vector
from derive.ops.activation import sigmoid, softplus, tanh
from derive.ops.elementwise import exp, expm1, log, log1p, sqrt
from derive.ops.reduction import logsumexp, softmax, spread, total
from derive.sheet.pdf import to_typst
from derive.sheet.plain import to_text, width_of
from derive.sheet.write import SUFFIXES, render
from derive.stable.rewrite import DERIVATIVE, SHIFT, stabilise
from derive.stable.rules import REWRITES, may_vanish

X, A, S = vector("x", "n"), matrix("A", "m", "n"), scalar("s")
Y, T = vector("y", "n", "onehot"), matrix("Y", "m", "n", "onehot")
ONES_A = spread(logsumexp(A, 0), A, 0)

# The name of a rewrite, what may stand on a page, and what is computed.
WRITTEN: list[tuple[str, Node, Node]] = [
    ("logarithm of the sigmoid", log(sigmoid(X)), -softplus(-X)),
    ("logarithm of the sigmoid", log(sigmoid(-X)), -softplus(X)),
    ("logarithm of the sigmoid", log(1 / (1 + exp(-X))), -softplus(-X)),
    ("logarithm of the sigmoid", log(exp(S) / (exp(S) + 1)), -softplus(-S)),
    ("logarithm of the other side", log(1 - sigmoid(A)), -softplus(A)),
    ("logarithm of softmax", log(softmax(X)), X - logsumexp(X)),
    ("logarithm of softmax", log(softmax(A, 0)), A - ONES_A),
    ("logarithm of softmax", log(exp(A) / spread(total(exp(A), 0), A, 0)), A - ONES_A),
    ("logarithm of a chosen entry", log(Y.T @ softmax(X)), total(Y * (X - logsumexp(X)))),
    ("logarithm of a chosen entry", log(total(softmax(A, 0) * T, 0)), total(T * (A - ONES_A), 0)),
    ("log-sum-exp", log(total(exp(X))), logsumexp(X)),
    ("log-sum-exp", log(total(exp(A), 1)), logsumexp(A, 1)),
    ("softplus", log(1 + exp(X)), softplus(X)),
    ("softplus", log(exp(-(S * X)) + 1), softplus(-(S * X))),
    ("logarithm of an exponential", log(exp(A)), A),
    ("logarithm of a quotient", log(exp(X) / sqrt(X)), X - log(sqrt(X))),
    ("logarithm near one", log(1 + X * X), log1p(X * X)),
    ("logarithm near one", log(1 - X), log1p(-X)),
    ("exponential less one", exp(X) - 1, expm1(X)),
    ("exponential less one", 1 - exp(-X), -expm1(-X)),
    ("sigmoid written out", 1 / (1 + exp(-X)), sigmoid(X)),
    ("sigmoid written out", exp(X) / (1 + exp(X)), sigmoid(X)),
    ("softmax written out", exp(X) / total(exp(X)), softmax(X)),
    ("softmax written out", exp(A) / spread(total(exp(A), 1), A, 1), softmax(A, 1)),
    ("tanh written out", (exp(X) - exp(-X)) / (exp(X) + exp(-X)), tanh(X)),
    ("tanh with one exponential", (exp(2 * X) - 1) / (exp(2 * X) + 1), tanh(2 * X / 2)),
    ("tanh with one exponential", (1 - exp(-X)) / (1 + exp(-X)), tanh(X / 2)),
]
cases = pytest.mark.parametrize("case", WRITTEN, ids=lambda case: f"{case[0]}: {case[1]}"[:60])


def record(value: Node) -> Derivation:
    equation = Equation("1", Var("v", value.shape), value, "definition")
    return Derivation("form", (equation,), None, (), tuple(variables(value)))


@cases
def test_what_a_page_has_is_computed_in_the_form_named(case: tuple[str, Node, Node]) -> None:
    name, written, computed = case
    stable = stabilise(record(written))
    assert name in stable.names["1"]
    assert stabilise(record(computed)).equations[0].value == computed, "a stable form stays as it is"
    if not name.startswith("tanh"):  # of halves there are several spellings
        assert stable.equations[0].value == computed


def test_every_rewrite_is_among_those_tested_and_has_a_reason() -> None:
    assert {name for name, _, _ in WRITTEN} == {rewrite.name for rewrite in REWRITES}
    assert all(rewrite.because for rewrite in REWRITES)


LOSSES = ("logarithm of the other side", "logarithm of softmax", "log-sum-exp", "softplus", "softmax written out",
          "tanh written out", "tanh with one exponential", SHIFT[0])  # fmt: skip


@cases
def test_both_sides_are_equal_and_the_computed_one_is_exact_to_the_last_digits(case: tuple[str, Node, Node]) -> None:
    for form in codegen.stable_forms(record(case[1])):
        check = form.step.check
        assert check is not None and check.outcome in ("proved", "verified"), form.step
        for accuracy in form.accuracies:
            eps = float(np.finfo(accuracy.dtype).eps)
            assert accuracy.after <= 8 * eps, "a few roundings"
            worse = not math.isfinite(accuracy.before) or accuracy.before >= accuracy.after - 4 * eps
            assert worse, "nothing is rewritten that was exact before"
        if form.step.rule in LOSSES:
            assert not math.isfinite(form.accuracies[0].before), "in float32 it overflows within 100 of 0"


def test_a_false_identity_is_not_ticked(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = REWRITES[0].__class__("wrong", lambda node, look: softplus(X) if node == log(sigmoid(X)) else None, "x = y")
    monkeypatch.setattr("derive.stable.rewrite.REWRITES", (wrong,))
    (form,) = codegen.stable_forms(record(log(sigmoid(X))))
    assert form.step.check is not None and form.step.check.outcome == "undecided"
    assert form.accuracies[0].after > 0.5


def test_a_name_is_looked_through_and_a_name_alone_is_no_reason() -> None:
    p, q, v = vector("p", "n"), vector("q", "n"), vector("v", "n")
    equations = (
        Equation("1", p, sigmoid(X), "definition"), Equation("2", q, 1 - p, "definition"),
        Equation("3", v, log(q) + log(p), "definition"),
    )  # fmt: skip
    stable = stabilise(Derivation("names", equations, None, (), (X,)))
    assert stable.equations[2].value == -softplus(X) + -softplus(-X)
    assert stable.equations[1].value == 1 - p
    assert stable.names == {"3": ("logarithm of the other side", "logarithm of the sigmoid")}


def test_only_what_rounding_can_make_zero_or_infinite_is_not_to_be_divided_by() -> None:
    values = {vector("p", "n"): sigmoid(X)}
    look: Callable[[Node], Node] = lambda node: values.get(node, node)  # type: ignore[call-overload]  # noqa: E731
    p = vector("p", "n")
    assert all(
        may_vanish(node, look) for node in (p, 1 - p, softmax(X), exp(X), 1 + exp(X), total(exp(X)), p * X, p**2)
    )
    assert not any(may_vanish(node, look) for node in (X, sqrt(X * X + 1), 1 + X, 1 - X, total(X), 1 + p))


# ---- losses whose logits saturate ----------------------------------------------------------------------------------

Loss = Callable[[Model, Node, Node], Node]


def of_probability(loss: Callable[[Node, Node], Node], form: Callable[[Node], Node] = sigmoid) -> Loss:
    """A loss of a named probability; the name is what must be looked through."""
    return lambda model, z, y: loss(model.define(r"\hat{y}", form(z)), y)


def cross(p: Node, y: Node) -> Node:
    return -(y * log(p) + (1 - y) * log(1 - p))


def mp_softplus(z: Any) -> Any:
    return mpmath.log1p(mpmath.exp(z))


def mp_cross(z: Any, y: Any) -> Any:
    return y * mp_softplus(-z) + (1 - y) * mp_softplus(z)


def mp_focal(z: Any, y: Any) -> Any:
    p, q = 1 / (1 + mpmath.exp(-z)), 1 / (1 + mpmath.exp(z))
    return y * q**2 * mp_softplus(-z) + (1 - y) * p**2 * mp_softplus(z)


# How a loss is written, the same in mpmath, and the targets.
BINARY: dict[str, tuple[Loss, Callable[[Any, Any], Any], Sequence[float]]] = {
    "cross-entropy": (of_probability(cross), mp_cross, (0, 1)),
    "cross-entropy, weighted": (
        of_probability(lambda p, y: -(3 * y * log(p) + (1 - y) * log(1 - p))),
        lambda z, y: 3 * y * mp_softplus(-z) + (1 - y) * mp_softplus(z), (0, 1),
    ),
    "cross-entropy in one line": (
        lambda model, z, y: cross(1 / (1 + exp(-z)), y), mp_cross, (0, 1),
    ),
    "sigmoid written out": (of_probability(cross, lambda z: 1 / (1 + exp(-z))), mp_cross, (0, 1)),
    "sigmoid as e^z / (1 + e^z)": (of_probability(cross, lambda z: exp(z) / (1 + exp(z))), mp_cross, (0, 1)),
    "focal": (
        of_probability(lambda p, y: -(y * (1 - p) ** 2 * log(p) + (1 - y) * p**2 * log(1 - p))), mp_focal, (0, 1),
    ),
    "signs, log(1 + e^-yz)": (lambda model, z, y: log(1 + exp(-(y * z))), lambda z, y: mp_softplus(-y * z), (-1, 1)),
    "signs, log of the sigmoid": (
        lambda model, z, y: -log(model.define("p", sigmoid(y * z))), lambda z, y: mp_softplus(-y * z), (-1, 1),
    ),
    "softplus less yz": (lambda model, z, y: log(1 + exp(z)) - y * z, mp_cross, (0, 1)),
}  # fmt: skip
targets = pytest.mark.parametrize("target", ["numpy", pytest.param("c", marks=needs_compiler)])
EPS = float(np.finfo(np.float32).eps)


@targets
@pytest.mark.parametrize("name", BINARY)
def test_a_binary_loss_of_saturated_logits_has_the_gradient_that_mpmath_has(name: str, target: str) -> None:
    loss, exact, labels = BINARY[name]
    model = Model(name)
    y, b = scalar("y"), scalar("b")
    z = model.define("z", vector("w", "n").T @ vector("x", "n") + b)
    model.define("L", loss(model, z, y))
    trainer = codegen.compile(model.gradients("L"), target=target, batch=1)
    for label in labels:
        trainer.bind(x=np.zeros((1, 2)), y=np.full(1, float(label)))
        for logit in (-100.0, -30.0, -9.0, 0.5, 9.0, 30.0, 100.0):
            trainer.params["w"][...], trainer.params["b"][...] = 0, logit
            found, gradients = trainer.loss_and_gradients()
            with mpmath.workdps(200):
                value, slope = exact(logit, label), mpmath.diff(lambda z, y=label: exact(z, y), logit)
            assert abs(found - float(value)) <= 8 * EPS * max(1, abs(float(value))), (label, logit)
            # of a loss that falls from thousands, what is below a rounding of 1 is nothing
            assert abs(float(np.ravel(gradients["b"])[0]) - float(slope)) <= 16 * EPS, (label, logit)


def named_exponentials(model: Model, z: Node) -> Node:
    e = model.define("e", exp(z))
    return e / model.define("s", total(e))


CLASSES: dict[str, Loss] = {
    "softmax": lambda model, z, y: -total(y * log(model.define("p", softmax(z)))),
    "written out": lambda model, z, y: -total(y * log(model.define("p", exp(z) / total(exp(z))))),
    "exponentials and sum named": lambda model, z, y: -total(y * log(model.define("p", named_exponentials(model, z)))),
    "log-sum-exp": lambda model, z, y: log(total(exp(z))) - y.T @ z,
    "logarithm of a quotient": lambda model, z, y: -log(exp(y.T @ z) / total(exp(z))),
    "chosen": lambda model, z, y: -log(y.T @ model.define("p", softmax(z))),
    "one softmax, twice": lambda model, z, y: -total(y * log(softmax(z))) / 2 - total(y * log(softmax(z))) / 2,
}


@targets
@pytest.mark.parametrize("name", CLASSES)
def test_a_loss_over_classes_of_saturated_logits_has_the_gradient_that_mpmath_has(name: str, target: str) -> None:
    model = Model(name)
    y, b = vector("y", "k", "onehot"), vector("b", "k")
    z = model.define("z", matrix("W", "k", "n") @ vector("x", "n") + b)
    model.define("L", CLASSES[name](model, z, y))
    trainer = codegen.compile(model.gradients("L"), target=target, batch=1)
    for chosen in range(3):
        trainer.bind(x=np.zeros((1, 2)), y=np.eye(3)[[chosen]])
        for logits in ((100.0, -100.0, 0.0), (30.0, 29.0, -30.0), (500.0, 500.0, -500.0), (0.1, 0.2, 0.3)):
            trainer.params["W"][...], trainer.params["b"][...] = 0, logits
            found, gradients = trainer.loss_and_gradients()
            with mpmath.workdps(50):
                e = [mpmath.exp(value) for value in logits]
                loss = float(mpmath.log(sum(e)) - logits[chosen])
                slopes = [float(one / sum(e)) - (k == chosen) for k, one in enumerate(e)]
            assert abs(found - loss) <= 4 * EPS * max(1, *map(abs, logits))
            np.testing.assert_allclose(gradients["b"].ravel(), slopes, atol=16 * EPS)


def test_gradients_without_an_unsafe_quotient_are_those_of_the_sheet() -> None:
    """δ = ŷ - y is as good as it gets: nothing is derived again, nothing is slower."""
    model = Model("plain")
    p = model.define("p", sigmoid(model.define("z", vector("w", "n").T @ vector("x", "n"))))
    model.define("L", cross(p, scalar("y")))
    batch = model.gradients("L").batch
    assert batch is not None
    stable = stabilise(batch)
    backward = [(e, f) for e, f in zip(batch.equations, stable.equations, strict=True) if e.role == "gradient"]
    assert backward and all(e.value == f.value for e, f in backward)
    assert DERIVATIVE[0] not in {form.step.rule for form in stable.forms}


@targets
def test_a_prediction_that_the_stable_loss_does_not_need_is_still_there(target: str) -> None:
    trainer = codegen.compile(weighted(), target=target, batch=2).bind(x=np.ones((2, 2)), y=np.array([0.0, 1.0]))
    trainer.params["w"][...], trainer.params["b"][...] = 0, 0
    np.testing.assert_allclose(trainer.predict(np.ones((2, 2))).ravel(), [0.5, 0.5])


# ---- where they are shown ------------------------------------------------------------------------------------------


def weighted() -> Any:
    model = Model("Weighted")
    z = model.define("z", vector("w", "n").T @ vector("x", "n") + scalar("b"))
    model.define("L", BINARY["cross-entropy, weighted"][0](model, z, scalar("y")))
    return model.gradients("L")


def test_the_code_names_the_rewrites_of_each_equation() -> None:
    both = "[logarithm of the sigmoid; logarithm of the other side]"
    for target in ("numpy", "c"):
        text = codegen.training_source(weighted(), target)
        assert both in text and f"[{DERIVATIVE[0]}]" in text
        assert all("(12) " in line for line in text.splitlines() if both in line)
    program = lowered(weighted().batch, resolve_sizes(weighted().batch), "float32")
    assert program.stable["12"] and read_program(show(program)) == program


def test_the_sheet_shows_them_only_when_asked() -> None:
    derivation = weighted()
    assert "In floating point" not in to_text(derivation.document())
    text = to_text(derivation.document(codegen.stable_forms(derivation)))
    assert max(map(width_of, text.splitlines())) <= 80
    assert "log(1 - Ŷ)" in text and "in (12), logarithm of the other side" in text and "Δ = " in text
    assert "∞ → " in text and "NaN → " in text, "what the sheet's own form would give"
    assert "as it stands" in to_text(derivation.document(()))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_has_the_section(suffix: str) -> None:
    derivation = weighted()
    document = derivation.document(codegen.stable_forms(derivation))
    made = render(document, suffix)
    assert made.startswith(b"%PDF-") if suffix == ".pdf" else b"In floating point" in made
    if suffix == ".pdf":
        compile_typst(to_typst(document))


def test_the_command_shows_them(tmp_path: Any) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Loss\n\n$$ z = w^T x + b $$\n$$ L = \\log(1 + \\exp(z)) - y z $$\n", encoding="utf-8")
    plain, stable = (CliRunner().invoke(main, ["sheet", str(page), *more]) for more in ([], ["--stable"]))
    assert plain.exit_code == stable.exit_code == 0, stable.output
    assert "In floating point" not in plain.output and "softplus(Z)" in stable.output
