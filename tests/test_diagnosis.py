"""What is wrong with a claim: each kind of error is named as such, and the corrected formula holds."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from derive import mean, sigmoid, softmax, sqrt, tanh, total, unknown
from derive.api import Derivation, Model
from derive.claims.bench import bench_for
from derive.claims.in_model import vocabulary
from derive.diagnose.edits import Edit, edits
from derive.expr import Node, matrix, ones, scalar, vector
from derive.ops.elementwise import log
from derive.ops.linalg import det, norm
from derive.ops.window import conv1d
from derive.read.latex import read_formula
from derive.read.syntax import Relation
from derive.shapes import size
from derive.verify.judge import Verdict

GOOD = ("proved", "verified")
x = vector("x", "n")


# ---------------------------------------------------------------- models
def layer() -> Derivation:
    model = Model("Layer")
    z = model.define("z", matrix("W", "m", "n") @ x + vector("b", "m"))
    a = model.define("a", sigmoid(z))
    model.define("L", total((a - vector("y", "m")) ** 2) / 2)
    return model.gradients()


def batch() -> Derivation:
    model = Model("Batch")
    z = model.define("Z", matrix("X", "B", "n") @ matrix("W", "n", "m") + ones(size("B")) @ vector("b", "m").T)
    model.define("L", total(matrix("G", "B", "m") * z))
    return model.gradients()


def two_layers() -> Derivation:
    model = Model("Two layers")
    z = model.define("z_1", matrix("W_1", "h", "n") @ x)
    a = model.define("a_1", tanh(z))
    z = model.define("z_2", matrix("W_2", "k", "h") @ a)
    model.define("L", total((z - vector("y", "k")) ** 2) / 2)
    return model.gradients()


def any_activation() -> Derivation:
    model = Model("Any activation")
    z = model.define("z", matrix("W", "m", "n") @ x)
    a = model.define("a", unknown("g", z))
    model.define("L", vector("c", "m").T @ a)
    return model.gradients()


def ridge() -> Derivation:
    model = Model("Ridge")
    w = vector("w", "d")
    r = model.define("r", matrix("X", "n", "d") @ w - vector("y", "n"))
    model.define("f", norm(r) ** 2 / 2 + scalar(r"\lambda") / 2 * norm(w) ** 2)
    return model.hessian("w")


def mean_of_squares() -> Derivation:
    model = Model("Mean of squares")
    r = model.define("r", matrix("X", "n", "d") @ vector("w", "d") - vector("y", "n"))
    model.define("f", mean(r**2))
    return model.gradients()


def log_determinant() -> Derivation:
    model = Model("Log-determinant")
    model.define("f", log(det(matrix("M", "n", "n"))))
    return model.gradients()


def bilinear() -> Derivation:
    model = Model("Bilinear form")
    model.define("f", vector("a", "m").T @ matrix("M", "m", "n") @ vector("b", "n"))
    return model.gradients()


def quadratic() -> Derivation:
    model = Model("Quadratic form")
    v = vector("v", "n")
    model.define("f", v.T @ matrix("S", "n", "n") @ v)
    return model.gradients()


def length() -> Derivation:
    model = Model("Norm")
    model.define("f", norm(vector("w", "n")))
    return model.gradients()


def convolution() -> Derivation:
    model = Model("Convolution")
    y = model.define("y", conv1d(vector("u", "n"), vector("k", "q")))
    model.define("f", total(y**2) / 2)
    return model.gradients()


def classifier() -> Derivation:
    model = Model("Softmax layer")
    z = model.define("z", matrix("W", "k", "n") @ x)
    p = model.define("p", softmax(z))
    model.define("L", total((p - vector("y", "k")) ** 2) / 2)
    return model.gradients()


def attention() -> Derivation:
    model = Model("Attention")
    s = model.define("S", matrix("Q", "n", "d") @ matrix("K", "m", "d").T)
    p = model.define("P", softmax(s, 1))
    model.define("L", total(matrix("G", "n", "v") * (p @ matrix("V", "m", "v"))))
    return model.gradients()


def layer_norm() -> Derivation:
    model = Model("Layer norm")
    mu = model.define(r"\mu", mean(x))
    c = model.define("c", x - mu)
    s = model.define("s", sqrt(mean(c**2) + scalar(r"\epsilon", "positive")))
    h = model.define(r"\hat{x}", c / s)
    model.define("L", vector("g", "n").T @ h)
    return model.gradients()


def recurrent_net() -> Derivation:
    model = Model("Recurrent net")
    weights, h = matrix("W", "n", "n"), vector("h_0", "n")
    for t in (1, 2, 3):
        z = model.define(f"z_{t}", weights @ h + matrix("U", "n", "d") @ vector(f"x_{t}", "d"))
        h = model.define(f"h_{t}", tanh(z))
    model.define("L", vector("g", "n").T @ h)
    return model.gradients()


def losses_at_each_step() -> Derivation:
    model = Model("Losses at each step")
    weights, h = matrix("W", "n", "n"), vector("h_0", "n")
    losses: list[Node] = []
    for t in (1, 2):
        z = model.define(f"z_{t}", weights @ h + matrix("U", "n", "d") @ vector(f"x_{t}", "d"))
        h = model.define(f"h_{t}", tanh(z))
        losses.append(model.define(f"L_{t}", total((h - vector(f"y_{t}", "n")) ** 2) / 2))
    model.define("L", losses[0] + losses[1])
    return model.gradients()


@cache
def derived(build: Callable[[], Derivation]) -> Derivation:
    return build()


def by(name: str, of: str = "L") -> str:
    return rf"\frac{{\partial {of}}}{{\partial {name}}} = "


# ---------------------------------------------------------------- one kind after the other
CLAIMS: dict[str, list[tuple[Callable[[], Derivation], str]]] = {
    "sign": [
        (layer, by("W") + r"-\delta x^T"),
        (layer, by("a") + "y - a"),
        (layer, r"\delta = (a - y) \circ a \circ (1 + a)"),
        (quadratic, by("v", "f") + "(S - S^T) v"),
        (log_determinant, by("M", "f") + "-M^{-T}"),
    ],
    "missing transpose": [
        (layer, by("W") + r"\delta x"),
        (layer, by("x") + r"W \delta"),
        (layer, by("W") + r"x \delta^T"),
        (layer, by("x") + r"\delta^T W"),
        (recurrent_net, by("h_1") + r"W \delta_2"),
        (log_determinant, by("M", "f") + "M^{-1}"),
        (bilinear, by("M", "f") + "b a^T"),
    ],
    "extra transpose": [
        (layer, by("x") + r"W^T \delta^T"),
        (attention, by("Q") + r"\delta^T K"),
    ],
    "matrix product for Hadamard product": [
        (layer, r"\delta = (a - y) \sigma'(z)"),
        (two_layers, r"\delta_1 = W_2^T \delta_2 (1 - a_1^2)"),
        (two_layers, r"\delta_1 = (1 - a_1^2) W_2^T \delta_2"),
    ],
    "Hadamard product for matrix product": [
        (layer, by("W") + r"\delta \circ x^T"),
        (two_layers, by("W_2") + r"\delta_2 \circ a_1^T"),
    ],
    "order of factors": [
        (two_layers, r"\delta_1 = \delta_2 W_2^T \circ (1 - a_1^2)"),
        (bilinear, by("M", "f") + "b^T a"),
        (ridge, r"\nabla_w^2 f = X X^T + \lambda I"),
    ],
    "derivative taken at the wrong place": [
        (layer, r"\delta = (a - y) \circ \sigma'(a)"),
        (any_activation, r"\delta = c \circ g'(a)"),
        (any_activation, r"\delta = c \circ g'(x)"),
    ],
    "missing derivative": [
        (layer, r"\delta = (a - y) \circ \sigma(z)"),
        (layer, r"\delta = a - y"),
        (two_layers, r"\delta_1 = W_2^T \delta_2"),
    ],
    "inverse": [(log_determinant, by("M", "f") + "M^T")],
    "diagonal-only softmax Jacobian": [
        (classifier, r"\delta = p \circ (p - y)"),
        (classifier, by("W") + r"(p \circ (p - y)) x^T"),
        (attention, r"\delta = P \circ (G V^T)"),
    ],
    "layer index": [
        (two_layers, r"\delta_1 = W_1^T \delta_2 \circ (1 - a_1^2)"),
        (two_layers, by("W_1") + r"\delta_2 x^T"),
        (two_layers, by("W_2") + r"\delta_1 a_1^T"),
        (recurrent_net, by("h_2") + r"W^T \delta_2"),
    ],
    "factor": [
        (mean_of_squares, by("w", "f") + "2 X^T r"),
        (mean_of_squares, by("w", "f") + r"\frac{1}{n} X^T r"),
    ],
    "extra factor": [
        (layer, r"\delta = n (a - y) \circ \sigma'(z)"),
        (layer, r"\delta = \frac{1}{n} (a - y) \circ \sigma'(z)"),
        (quadratic, by("v", "f") + "2 (S + S^T) v"),
        (layer, by("W") + r"\delta x^T W"),
        (layer, by("b") + r"\delta \circ \delta"),
        (layer, r"\delta = 3 (a - y) \circ \sigma'(z)"),
        (ridge, by("w", "f") + r"X^T r + 2 \lambda w"),
        (log_determinant, by("M", "f") + r"\det(M) M^{-T}"),
    ],
    "wrong number": [
        (two_layers, r"\delta_1 = W_2^T \delta_2 \circ (1 - a_1)"),
        (layer, r"\delta = (a - y) \circ a^2 \circ (1 - a)"),
        (mean_of_squares, by("w", "f") + r"\frac{2}{d} X^T r"),
        (length, by("w", "f") + r"\frac{w}{f^2}"),
    ],
    "wrong function": [(layer, r"\delta = (a - y) \circ \tanh'(z)")],
    "missing term": [
        (ridge, by("w", "f") + "X^T r"),
        (losses_at_each_step, by("h_1") + "h_1 - y_1"),
        (recurrent_net, by("W") + r"\delta_3 h_2^T + \delta_2 h_1^T"),
    ],
    "missing identity": [(ridge, r"\nabla_w^2 f = X^T X + \lambda")],
    "index": [
        (convolution, by("k", "f") + r"\left(\sum_t y_t u_{t-j}\right)_j"),
        (bilinear, by("M", "f") + r"\left(a_j b_i\right)_{ij}"),
    ],
    "missing factor": [
        (layer, by("x") + "W^T"),
        (ridge, by("w", "f") + "X^T r + w"),
        (length, by("w", "f") + r"\frac{w}{w^T w}"),
    ],
    "wrong name": [
        (layer, by("b") + "z"),
        (layer, by("x") + "W^T a"),
    ],
    "names exchanged": [(ridge, by("w", "f") + r"\lambda r + X^T w")],
    "dependence dropped": [
        (layer_norm, by("x") + r"\frac{g}{s}"),
        (layer_norm, by("x") + r"\frac{1}{s} \left(g - \frac{1}{n} \mathbf{1} \mathbf{1}^T g\right)"),
        (recurrent_net, by("W") + r"\delta_3 h_2^T"),
        (losses_at_each_step, by("W") + r"((h_1 - y_1) \circ (1 - h_1^2)) h_0^T + \delta_2 h_1^T"),
    ],
    "extra transpose, matrix product for Hadamard product": [(layer, r"\delta = (a - y)^T \sigma'(z)")],
    "transpose of the wrong factor": [
        (bilinear, by("M", "f") + "a^T b"),
        (layer, by("W") + r"\delta^T x"),
    ],
    "missing transpose, order of factors": [(two_layers, by("a_1") + r"\delta_2 W_2")],
    "symmetric only": [(quadratic, by("v", "f") + "2 S v")],
    "missing sum": [(batch, by("b") + r"\delta")],
}


def holds_again(derivation: Derivation, corrected: str) -> Verdict:
    tree = read_formula(corrected)
    assert isinstance(tree, Relation) and tree.signs == ("=",), corrected
    return derivation.check(corrected)


@pytest.mark.parametrize(
    ("kind", "build", "latex"), [(kind, *pair) for kind, pairs in CLAIMS.items() for pair in pairs],
    ids=lambda value: value.__name__ if callable(value) else value,
)  # fmt: skip
def test_an_error_is_named_and_its_correction_holds(kind: str, build: Callable[[], Derivation], latex: str) -> None:
    derivation = derived(build)
    verdict = derivation.check(latex)
    assert verdict.verdict in ("refuted", "ill-typed"), verdict
    assert verdict.diagnosis is not None, verdict
    assert verdict.diagnosis.kind == kind, verdict.diagnosis
    assert verdict.diagnosis.text
    again = holds_again(derivation, verdict.diagnosis.corrected)
    assert again.verdict in GOOD, (verdict.diagnosis.corrected, again)
    left, right = verdict.diagnosis.corrected.split(" = ", 1)
    assert left.strip() != right.strip(), "a name is not explained by itself"


def test_every_kind_of_edit_has_a_claim_that_is_diagnosed_with_it() -> None:
    found = single_kinds()
    assert len(found) >= 20
    assert found <= set(CLAIMS), found - set(CLAIMS)


def single_kinds() -> set[str]:
    """The kinds of edits of formulas that hold whatever can be edited; those of two edits at once are left out."""
    samples = (
        (two_layers, r"\delta_1 = -W_2^T \delta_2 (1 - a_1^2) \circ \tanh'(z_1) + 2 a_1"),
        (classifier, r"\delta = p \circ (p - y)"),
        (bilinear, by("M", "f") + r"\left(a_j b_i\right)_{ij}"),
        (log_determinant, by("M", "f") + r"2 M^{-1} \det(M)"),
        (ridge, by("w", "f") + r"X^T r + \frac{\lambda}{n} w"),
    )
    return {edit.kind for sample in samples for edit in edits_of(*sample) if ", " not in edit.kind}


def edits_of(build: Callable[[], Derivation], latex: str) -> list[Edit]:
    derivation, tree = derived(build), read_formula(latex)
    assert isinstance(tree, Relation) and derivation.network is not None
    left, right = tree.links
    bench = bench_for(derivation.network, (*derivation.seeds, *derivation.data))
    return list(edits(right, vocabulary(left, right, bench)))


# ---------------------------------------------------------------- what a diagnosis says
@pytest.mark.parametrize(
    ("latex", "held"),
    [
        (by("x") + r"\frac{g}{s}", (r"$\mu$", "$s$")),
        (by("x") + r"\frac{1}{s} \left(g - \frac{1}{n} \mathbf{1} \mathbf{1}^T g\right)", ("$s$",)),
    ],
)
def test_what_a_norm_holds_constant_is_named(latex: str, held: tuple[str, ...]) -> None:
    verdict = derived(layer_norm).check(latex)
    assert verdict.verdict == "refuted" and verdict.diagnosis is not None
    assert verdict.diagnosis.kind == "dependence dropped"
    assert "held constant" in verdict.diagnosis.text
    for word in (r"$\mu$", "$s$"):
        assert (word in verdict.diagnosis.text) == (word in held), verdict.diagnosis.text


def test_the_whole_derivative_of_a_norm_is_proved() -> None:
    latex = by("x") + (
        r"\frac{1}{s} \left(g - \frac{1}{n} \mathbf{1} \mathbf{1}^T g - \frac{1}{n} \hat{x} \hat{x}^T g\right)"
    )
    assert derived(layer_norm).check(latex).verdict == "proved"


def test_the_step_that_a_recurrent_gradient_forgets_is_named() -> None:
    verdict = derived(recurrent_net).check(by("W") + r"\delta_3 h_2^T")
    assert verdict.diagnosis is not None
    assert "$z_2$" in verdict.diagnosis.text or "$h_2$" in verdict.diagnosis.text
    assert "$W$" in verdict.diagnosis.text


def test_holding_a_name_constant_through_which_all_flows_explains_nothing() -> None:
    """With h_3 held constant both sides of the claim are zero; what it lacks is Wᵀ."""
    verdict = derived(recurrent_net).check(r"\delta_2 = \delta_3 \circ (1 - h_2^2)")
    assert verdict.verdict == "refuted"
    assert verdict.diagnosis is None or verdict.diagnosis.kind != "dependence dropped", verdict.diagnosis


def test_a_name_is_never_corrected_to_be_itself() -> None:
    verdict = derived(any_activation).check(r"\delta = c")
    assert verdict.verdict == "refuted"
    assert verdict.diagnosis is None or verdict.diagnosis.corrected != r"\delta = \delta", verdict.diagnosis


def test_a_function_that_is_called_without_its_derivative_is_diagnosed() -> None:
    verdict = derived(any_activation).check(r"\delta = c \circ g(z)")
    assert verdict.verdict == "refuted", verdict
    assert verdict.diagnosis is not None and verdict.diagnosis.kind == "missing derivative"


def test_a_right_claim_has_no_diagnosis() -> None:
    right = (
        (layer, by("W") + r"\delta x^T"),
        (classifier, r"\delta = p \circ (p - y - p^T (p - y) \mathbf{1})"),
        (mean_of_squares, by("w", "f") + r"\frac{2}{n} X^T r"),
    )
    for build, latex in right:
        verdict = derived(build).check(latex)
        assert verdict.verdict == "proved" and verdict.diagnosis is None


def test_a_claim_that_is_wrong_in_many_places_is_refuted_without_a_diagnosis() -> None:
    verdict = derived(classifier).check(r"\delta = \tanh(y) \circ z \circ z - 5 \exp(p)")
    assert verdict.verdict == "refuted" and verdict.diagnosis is None
    example = verdict.counterexample
    assert example is not None
    assert not np.allclose(example.claimed, example.derived)


def test_a_model_with_a_convolution_of_its_data_has_gradients() -> None:
    model = Model("Convolution")
    y = model.define("y", conv1d(vector("x", "n"), vector("k", "q")))
    model.define("f", total(y**2) / 2)
    assert model.gradients().check(by("k", "f") + r"\left(\sum_t y_t x_{t+j}\right)_j").verdict == "proved"
