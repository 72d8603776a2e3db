r"""The reverse sweep on textbook models: values against HIPS autograd and central differences, text against books.

Points have fifty digits (`verify.numbers.Reals`), so the step of a difference quotient can be far below float64's.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from numbers_helpers import floats, inner, run_moved, the_one, unit
from oracles import mlp

from derive import Model
from derive.backprop import derive_gradients
from derive.derivation import Derivation, Equation
from derive.errors import MissingRuleError, ModelError
from derive.expr import Apply, Const, Node, Var, matrix, scalar, variables, vector, walk
from derive.model import Definition, Network, ordered, trained
from derive.op import TABLE, Op
from derive.ops.activation import relu, sigmoid, tanh
from derive.ops.elementwise import log, unknown
from derive.ops.reduction import mean, softmax, total
from derive.ops.tensor import gather
from derive.printer import equation_latex, to_latex
from derive.shapes import Shape, size
from derive.verify.evaluate import REAL, Point, draw, evaluate, run
from derive.verify.numbers import Number, RetryError, number
from derive.verify.steps import GOOD, all_checked, checked
from derive.workbook import derive_network

Values = dict[str, Any]
BACKWARD = ("cotangent", "gradient")


@dataclass(frozen=True, slots=True)
class Example:
    """A model of one sample, and its loss written a second time, by hand, for HIPS autograd (None: no loss)."""

    name: str
    network: Network
    loss: Callable[[Values], Any] | None


# ---------------------------------------------------------------- the models
def network(title: str, *definitions: tuple[Var, Node], parameters: tuple[Var, ...] | None = None) -> Network:
    made = tuple(Definition(name, value) for name, value in definitions)
    return Network(title, made, made[-1].name if not made[-1].name.shape else None, parameters)


def cross_entropy(y: Node, y_hat: Node) -> Node:
    return -(y * log(y_hat) + (1 - y) * log(1 - y_hat))


Y_HAT, LOSS, Z = r"\hat{y}", scalar("L"), scalar("z")


def neuron() -> Network:
    a, y = scalar("a"), scalar("y")
    z_value = vector("w", "n").T @ vector("x", "n") + scalar("b")
    return network("neuron", (Z, z_value), (a, sigmoid(Z)), (LOSS, Const(0.5) * (a - y) ** 2))


def logistic() -> Network:
    y_hat, y = scalar(Y_HAT), scalar("y", "binary")
    z_value = vector("w", "n").T @ vector("x", "n") + scalar("b")
    return network("logistic", (Z, z_value), (y_hat, sigmoid(Z)), (LOSS, cross_entropy(y, y_hat)))


def softmax_regression(domain: str) -> Network:
    z, y_hat, y = vector("z", "k"), vector(Y_HAT, "k"), vector("y", "k", domain)
    z_value = matrix("W", "k", "n") @ vector("x", "n") + vector("b", "k")
    return network(f"softmax {domain}", (z, z_value), (y_hat, softmax(z)), (LOSS, -total(y * log(y_hat))))


def residual() -> Network:
    weights, x, y = matrix("W", "n", "n"), vector("x", "n"), vector("y", "n")
    u, v = vector("u", "n"), vector("v", "n")
    steps = (u, tanh(weights @ x)), (v, tanh(weights @ u) + u)
    return network("residual", *steps, (LOSS, total((v - y) ** 2)))


def regularised() -> Network:
    weights, z, y = matrix("W", "k", "n"), vector("z", "k"), vector("y", "k")
    penalty = scalar(r"\lambda") / 2 * total(weights**2)
    value = weights @ vector("x", "n")
    return network("regularised", (z, value), (LOSS, mean((z - y) ** 2) + penalty), parameters=(weights,))


def quotient() -> Network:
    weights, z, y = matrix("W", "k", "n"), vector("z", "k"), vector("y", "k")
    r, s = vector("r", "k"), scalar("s")
    scaled = z / s
    return network(
        "normalised", (z, weights @ vector("x", "n")), (s, root(total(z**2) + 1)), (r, scaled),
        (LOSS, total((r - y) ** 2)),
    )  # fmt: skip


def root(node: Node) -> Node:
    return Apply("sqrt", node)


def layer() -> Network:
    a = vector("a^{[l]}", "m")
    z = vector("Z^{[l]}", "m")
    value = matrix("W^{[l]}", "m", "n") @ vector("a^{[l-1]}", "n") + vector("b^{[l]}", "m")
    return network("layer l", (z, value), (a, unknown("g", z)))


def act_sigmoid(z: Any) -> Any:
    return 1 / (1 + anp.exp(-z))


def act_relu(z: Any) -> Any:
    return z * (z > 0)


def loss_bce(z: Any, y: Any) -> Any:
    p = act_sigmoid(z)
    return -anp.sum(y * anp.log(p) + (1 - y) * anp.log(1 - p))


def loss_ce(z: Any, y: Any) -> Any:
    return -anp.sum(y * anp.log(anp.exp(z) / anp.sum(anp.exp(z))))


def loss_mse(z: Any, y: Any) -> Any:
    return anp.sum((z - y) ** 2)


def deep(depth: int, act: Callable[[Any], Any], loss: Callable[[Any, Any], Any]) -> Callable[[Values], Any]:
    def evaluated(v: Values) -> Any:
        a = v["x"]
        for k in range(1, depth + 1):
            z = v[f"W^{{[{k}]}}"] @ a + v[f"b^{{[{k}]}}"]
            a = act(z)
        return loss(z, v["y"])

    return evaluated


def loss_neuron(v: Values) -> Any:
    return (act_sigmoid(v["w"] @ v["x"] + v["b"]) - v["y"]) ** 2 / 2


def loss_residual(v: Values) -> Any:
    u = anp.tanh(v["W"] @ v["x"])
    return loss_mse(anp.tanh(v["W"] @ u) + u, v["y"])


def loss_regularised(v: Values) -> Any:
    return anp.mean((v["W"] @ v["x"] - v["y"]) ** 2) + v[r"\lambda"] / 2 * anp.sum(v["W"] ** 2)


def loss_normalised(v: Values) -> Any:
    z = v["W"] @ v["x"]
    return loss_mse(z / anp.sqrt(anp.sum(z**2) + 1), v["y"])


EXAMPLES = (
    Example("neuron", neuron(), loss_neuron),
    Example("logistic", logistic(), lambda v: loss_bce(v["w"] @ v["x"] + v["b"], v["y"])),
    Example("softmax one-hot", softmax_regression("onehot"), lambda v: loss_ce(v["W"] @ v["x"] + v["b"], v["y"])),
    Example("softmax general", softmax_regression("real"), lambda v: loss_ce(v["W"] @ v["x"] + v["b"], v["y"])),
    Example("hidden bce", mlp(["n", "h", 1], sigmoid, "bce"), deep(2, act_sigmoid, loss_bce)),
    Example("hidden mse", mlp(["n", "h", "k"], sigmoid, "mse"), deep(2, act_sigmoid, loss_mse)),
    Example("hidden ce", mlp(["n", "h", "k"], sigmoid, "ce"), deep(2, act_sigmoid, loss_ce)),
    Example("tanh 3", mlp(["n", "h", "m", "k"], tanh, "mse"), deep(3, anp.tanh, loss_mse)),
    Example("relu 3", mlp(["n", "h", "m", "k"], relu, "ce"), deep(3, act_relu, loss_ce)),
    Example("layer l", layer(), None),
    Example("residual", residual(), loss_residual),
    Example("regularised", regularised(), loss_regularised),
    Example("normalised", quotient(), loss_normalised),
)
WITH_LOSS = tuple(example for example in EXAMPLES if example.loss is not None)
examples = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
with_loss = pytest.mark.parametrize("example", WITH_LOSS, ids=lambda example: example.name)


@cache
def derived(name: str) -> Derivation:
    """The checked record of an example; what becomes of it in a mini-batch stands in test_batch.py."""
    model = next(example.network for example in EXAMPLES if example.name == name)
    return derive_network(model) if model.loss is None else checked(model, derive_gradients(model))


def equation(derivation: Derivation, of: str) -> Equation:
    found = (e for e in derivation.equations if e.of is not None and e.of.latex == of and e.role in BACKWARD)
    return next(found)


# ---------------------------------------------------------------- points
def random_sizes(shapes: list[Shape], rng: random.Random) -> dict[Any, int]:
    """Sizes in random order, all different and none 1: equal ones would hide a missing transpose."""
    symbols = sorted({s for shape in shapes for length in shape for s in length.free_symbols}, key=str)
    symbols = [s for s in symbols if s.name != "ROW"]
    return dict(zip(symbols, rng.sample(range(2, 3 + len(symbols)), len(symbols)), strict=True))


def point_of(model: Network, seed: int, more: tuple[Var, ...] = ()) -> Point:
    """A point of fifty digits at which the model has run."""
    free = dict.fromkeys([*(v for item in model.definitions for v in variables(item.value)), *more])
    names = dict.fromkeys([*free, *(item.name for item in model.definitions)])
    for attempt in range(40):
        rng = random.Random(f"{seed}:{attempt}")
        point = Point(REAL, random_sizes([name.shape for name in names], rng), {}, {})
        point.values.update({name: draw(name, point, rng) for name in free})
        try:
            run(model, point)
        except RetryError:
            continue
        return point
    raise AssertionError("no point at which the model has a value")


def compute(derivation: Derivation, point: Point) -> dict[Var, Number]:
    """Run a record from top to bottom, as a program does; what is trained stays as it was."""
    at = Point(point.kind, point.sizes, dict(point.values), {})
    for item in derivation.equations:
        if item.role != "update":
            at.values[item.name] = evaluate(item.value, at)
    return at.values


def quotients(model: Network, by: Var, point: Point, end: Callable[[Point], Number]) -> Any:
    """Central differences of a scalar by every entry of a name, in fifty digits.

    The step is 1e-15: the error is its square times a third derivative, which stays below 1e-24.
    """
    step = number(1, REAL.exact) / 10**15
    base = point.values[by]
    result = np.empty(base.shape)
    for place in np.ndindex(*base.shape):
        shift = unit(base, place) * step
        ends = [end(run_moved(model, point, {by: base + sign * shift})) for sign in (1, -1)]
        result[place] = float(the_one((ends[0] - ends[1]) / (2 * step)))
    return result


# ---------------------------------------------------------------- values
@with_loss
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_gradient_is_that_of_autograd_at_random_sizes(example: Example, seed: int) -> None:
    derivation = derived(example.name)
    point = point_of(example.network, seed)
    found = compute(derivation, point)
    values = {name.latex: floats(value) for name, value in point.values.items()}
    assert example.loss is not None and derivation.loss is not None
    assert float(np.asarray(example.loss(values)).item()) == pytest.approx(floats(found[derivation.loss]), rel=1e-12)
    gradients = [item for item in derivation.equations if item.role == "gradient"]
    assert {item.of for item in gradients} == set(trained(example.network))
    for item in gradients:
        assert item.of is not None

        def loss_of(value: Any, key: str = item.of.latex) -> Any:
            assert example.loss is not None
            return anp.sum(example.loss({**values, key: value}))

        expected = grad(loss_of)(np.asarray(values[item.of.latex], float))
        ours = floats(found[item.name])
        assert np.shape(ours) == np.shape(expected), item.of.latex
        # float64: a few hundred roundings of 2^-53, at values of at most a few hundred
        np.testing.assert_allclose(ours, expected, rtol=1e-11, atol=1e-12, err_msg=item.of.latex)


@examples
def test_every_cotangent_is_a_central_difference(example: Example) -> None:
    derivation = derived(example.name)
    point = point_of(example.network, 5, derivation.seeds)
    found = compute(derivation, point)

    def end(trial: Point) -> Number:
        if derivation.loss is not None:
            return trial.values[derivation.loss]
        (out,) = (item.name for item in example.network.definitions[-1:])
        return inner(trial.values[out], point.values[derivation.seeds[0]])

    for item in derivation.equations:
        if item.role not in BACKWARD:
            continue
        assert item.of is not None
        assert item.name.shape == item.of.shape == item.value.shape, "a cotangent has its variable's shape"
        expected = quotients(example.network, item.of, point, end)
        np.testing.assert_allclose(floats(found[item.name]), expected, rtol=1e-13, atol=1e-13)  # printed as float64


# ---------------------------------------------------------------- checks
@examples
def test_every_step_of_every_model_is_checked(example: Example) -> None:
    for item in derived(example.name).equations:
        if item.role in BACKWARD:
            assert item.steps and item.steps[0].before == item.name and item.steps[-1].after == item.value
            unchecked = [s.rule for s in item.steps if s.check is None or s.check.outcome not in GOOD]
            assert item.check is not None
            assert (item.check.outcome in GOOD, unchecked) == (True, []), f"{item.id} {to_latex(item.name)}"
    assert all_checked(derived(example.name))


def negated(item: Equation, step: int | None) -> Equation:
    """An equation with its sign flipped, or the sign of what one of its steps ends with."""
    if step is None:
        return replace(item, value=-item.value)
    if step >= len(item.steps):
        return item
    steps = list(item.steps)
    steps[step] = replace(steps[step], after=-steps[step].after)
    return replace(item, steps=tuple(steps))


@with_loss
@pytest.mark.parametrize("step", [None, 0, 1, 2])
def test_a_flipped_sign_is_never_called_checked(example: Example, step: int | None) -> None:
    derivation = derive_gradients(example.network)
    fake = [negated(item, step) if item.role in BACKWARD else item for item in derivation.equations]
    again = checked(example.network, replace(derivation, equations=tuple(fake)))
    for item, before in zip(again.equations, derivation.equations, strict=True):
        if item.role not in BACKWARD or (step is not None and step >= len(before.steps)):
            continue
        check = item.check if step is None else item.steps[step].check
        assert check is not None and check.outcome not in GOOD, f"{item.id}, step {step}"


def wrong(row: Op, **fields: Any) -> Op:
    return replace(row, **fields)


TAMPERED: dict[str, tuple[Network, Callable[[Op], Op]]] = {
    "tanh": (residual(), lambda row: wrong(row, vjp=(lambda y_bar, y, x, *p: y_bar * (1 - y),))),
    "mul": (logistic(), lambda row: wrong(row, vjp=row.vjp[::-1])),
    "sub": (logistic(), lambda row: wrong(row, vjp=(row.vjp[0], row.vjp[0]))),
    "log": (logistic(), lambda row: wrong(row, vjp=(lambda y_bar, y, x: y_bar * x,))),
    "softmax": (softmax_regression("real"), lambda row: wrong(row, vjp=(lambda y_bar, y, x: y * y_bar,))),
    "sum": (residual(), lambda row: wrong(row, vjp=(lambda y_bar, y, x: 2 * y_bar * filled(x),))),
    "pow": (neuron(), lambda row: wrong(row, vjp=(lambda y_bar, y, a, n: y_bar * a,))),
    "sqrt": (quotient(), lambda row: wrong(row, vjp=(lambda y_bar, y, x: y_bar / y,))),
}


def filled(x: Node) -> Node:
    return Apply("ones", *x.shape)


@pytest.mark.parametrize("name", TAMPERED)
def test_a_wrong_rule_in_the_table_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, tamper = TAMPERED[name]
    assert all_checked(checked(model, derive_gradients(model)))
    monkeypatch.setitem(TABLE, name, tamper(TABLE[name]))
    assert not all_checked(checked(model, derive_gradients(model)))


def test_a_wrong_slope_is_noticed_although_the_normal_form_believes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    row = TABLE["sigmoid"]
    monkeypatch.setitem(TABLE, "sigmoid", replace(row, slope=lambda x, y: 2 * y * (1 - y)))
    assert not all_checked(checked(logistic(), derive_gradients(logistic())))


# ---------------------------------------------------------------- text
def lines_of(derivation: Derivation) -> list[str]:
    lines = []
    for item in derivation.equations:
        lines.append(f"({item.id}) {item.role}: {equation_latex(item.name, item.value)}")
        for step in item.steps:
            because = f"  [{step.because}; {step.source}]" if step.because else ""
            lines.append(f"    {step.rule}: {equation_latex(step.before, step.after)}{because}")
    return lines


def test_the_sheets_equations_are_as_reviewed(golden: Callable[[str, str], None]) -> None:
    text = []
    for example in EXAMPLES:
        derivation = derive_gradients(example.network)
        text += [f"# {example.name}", *lines_of(derivation), *(f"  assuming {a}" for a in derivation.assumptions), ""]
    golden("backprop.txt", "\n".join(text))


TEXTBOOK = [
    ("logistic", "z", r"\delta = \hat{y} - y"),
    ("logistic", "w", r"\frac{\partial L}{\partial w} = \delta x"),
    ("logistic", "b", r"\frac{\partial L}{\partial b} = \delta"),
    ("softmax one-hot", "z", r"\delta = \hat{y} - y"),
    ("softmax one-hot", "W", r"\frac{\partial L}{\partial W} = \delta x^T"),
    ("hidden bce", "Z^{[2]}", r"\delta^{[2]} = \hat{y} - y"),
    ("hidden bce", "W^{[2]}", r"\frac{\partial L}{\partial W^{[2]}} = \delta^{[2]} (a^{[1]})^T"),
    ("hidden bce", "Z^{[1]}", r"\delta^{[1]} = (W^{[2]})^T \delta^{[2]} \circ \sigma'(Z^{[1]})"),
    ("hidden bce", "W^{[1]}", r"\frac{\partial L}{\partial W^{[1]}} = \delta^{[1]} x^T"),
    ("hidden bce", "b^{[1]}", r"\frac{\partial L}{\partial b^{[1]}} = \delta^{[1]}"),
    ("hidden ce", "Z^{[2]}", r"\delta^{[2]} = \hat{y} - y"),
    ("tanh 3", "Z^{[1]}", r"\delta^{[1]} = (W^{[2]})^T \delta^{[2]} \circ \tanh'(Z^{[1]})"),
    ("relu 3", "Z^{[2]}", r"\delta^{[2]} = (W^{[3]})^T \delta^{[3]} \circ \text{ReLU}'(Z^{[2]})"),
]


@pytest.mark.parametrize(("name", "of", "line"), TEXTBOOK, ids=lambda part: str(part))
def test_a_cotangent_reads_as_in_the_textbook(name: str, of: str, line: str) -> None:
    item = equation(derived(name), of)
    assert equation_latex(item.name, item.value) == line


def test_the_general_target_keeps_its_sum() -> None:
    assert "1" not in to_latex(equation(derived("softmax one-hot"), "z").value)
    assert r"\sum" in to_latex(equation(derived("softmax general"), "z").value)


def test_a_one_hot_target_is_named_among_the_assumptions() -> None:
    assert any("one-hot" in line for line in derived("softmax one-hot").assumptions)
    assert not derived("softmax general").assumptions


def test_the_updates_go_against_the_gradients() -> None:
    updates = [e for e in derived("logistic").equations if e.role == "update"]
    assert [equation_latex(e.name, e.value) for e in updates] == [
        r"w = w - \alpha \frac{\partial L}{\partial w}",
        r"b = b - \alpha \frac{\partial L}{\partial b}",
    ]


# ---------------------------------------------------------------- growth
def chain(depth: int) -> Derivation:
    return derive_gradients(mlp([f"n_{k}" for k in range(depth + 1)], tanh, "mse"))


def test_a_record_grows_linearly_with_depth() -> None:
    counts, weights = [], []
    for depth in range(2, 10):
        derivation = chain(depth)
        counts.append(len(derivation.equations))
        nodes = [side for e in derivation.equations for side in (e.value, *(step.after for step in e.steps))]
        weights.append(sum(1 for side in nodes for _ in walk(side)))
    assert len(set(np.diff(counts))) == 1, f"equations by depth: {counts}"
    assert len(set(np.diff(weights)[1:])) == 1, f"operations by depth: {weights}"


def test_a_deep_model_is_derived_and_no_name_is_inlined() -> None:
    derivation = chain(40)
    longest = max(sum(1 for _ in walk(e.value)) for e in derivation.equations)
    assert longest == max(sum(1 for _ in walk(e.value)) for e in chain(3).equations)


# ---------------------------------------------------------------- errors
def test_a_loss_that_is_no_scalar_is_refused_by_name() -> None:
    z = vector("z", "h")
    model = Network("m", (Definition(z, matrix("W", "h", "n") @ vector("x", "n")),), z)
    with pytest.raises(ModelError, match=r"z is no scalar; sum it"):
        derive_gradients(model)


def test_a_model_without_a_parameter_is_refused() -> None:
    with pytest.raises(ModelError, match="nothing to differentiate by"):
        derive_gradients(network("m", (LOSS, total(vector("x", "n") ** 2))))


def test_a_parameter_that_does_not_reach_the_loss_is_refused() -> None:
    x, w = vector("x", "n"), vector("w", "n")
    model = Network("m", (Definition(vector("u", "n"), x + w), Definition(LOSS, total(x**2))), LOSS, (w,))
    with pytest.raises(ModelError, match="nothing to differentiate by"):
        derive_gradients(model)


def test_two_definitions_of_one_name_are_refused() -> None:
    x = vector("x", "n")
    with pytest.raises(ModelError, match="u is defined twice"):
        ordered([Definition(vector("u", "n"), x), Definition(vector("u", "n"), 2 * x)])
    model = Model()
    model.define("u", x)
    model.define("u", 2 * x)
    with pytest.raises(ModelError, match="u is defined twice"):
        model.network()


def test_one_name_with_two_shapes_is_refused() -> None:
    x = vector("x", "n")
    model = Model()
    model.define("u", x + vector("w", "n"))
    model.define("u", total(x))
    with pytest.raises(ModelError, match="u is defined twice"):
        model.network()


def test_a_circle_of_definitions_is_refused_with_the_circle() -> None:
    u, v = vector("u", "n"), vector("v", "n")
    with pytest.raises(ModelError, match=r"u -> v -> u|v -> u -> v"):
        ordered([Definition(u, 2 * v), Definition(v, 3 * u)])


def test_definitions_in_any_order_come_out_in_order_of_use() -> None:
    u, v, x = vector("u", "n"), vector("v", "n"), vector("x", "n")
    assert [item.name for item in ordered([Definition(v, 2 * u), Definition(u, x + 1)])] == [u, v]


def test_an_operation_without_a_rule_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    w = vector("w", "n")
    monkeypatch.setitem(TABLE, "ruleless", replace(TABLE["sin"], name="ruleless", vjp=()))
    with pytest.raises(MissingRuleError, match=r"ruleless has no derivative for its operand 1.*derive/ops"):
        derive_gradients(network("m", (LOSS, total(Apply("ruleless", w)))))


@pytest.mark.parametrize("name", ["clip", "huber"])
def test_a_bound_that_is_trained_is_refused_by_name(name: str) -> None:
    w, d = vector("w", "n"), scalar("d")
    model = network("m", (LOSS, total(Apply(name, w, d))), parameters=(w, d))
    with pytest.raises(MissingRuleError, match=rf"{name} has no derivative for its operand 2.*derive/ops"):
        derive_gradients(model)


def test_an_index_that_is_trained_is_refused_by_name() -> None:
    index, rows = vector("i", "n"), matrix("E", "k", "m")
    model = network("m", (LOSS, total(gather(rows, index) ** 2)), parameters=(index,))
    with pytest.raises(MissingRuleError, match=r"one_hot has no derivative for its operand 1.*derive/ops"):
        derive_gradients(model)


@pytest.mark.parametrize("exponents", [(), ("n",)], ids=["one exponent", "an exponent an entry"])
def test_exponents_that_are_trained_have_the_gradient_of_central_differences(exponents: tuple[str, ...]) -> None:
    w, p = Var("w", ("n",), "positive"), Var("p", exponents)
    model = network("m", (LOSS, total(w**p)), parameters=(w, p))
    derivation = checked(model, derive_gradients(model))
    outcomes = {item.of: item.check.outcome for item in derivation.equations if item.check is not None}
    assert outcomes[p] in GOOD and "refuted" not in outcomes.values()
    point = point_of(model, 3)
    found = compute(derivation, point)
    for item in derivation.equations:
        if item.role == "gradient":
            assert item.of is not None
            expected = quotients(model, item.of, point, lambda trial: trial.values[LOSS])
            np.testing.assert_allclose(floats(found[item.name]), expected, rtol=1e-13, atol=1e-13)
    assert {item.of for item in derivation.equations if item.role == "gradient"} == {w, p}


def test_a_loss_of_parameters_alone_has_gradients_and_no_updates() -> None:
    w = vector("w", "n")
    derivation = derive_gradients(network("ridge", (LOSS, total(w**2))))
    assert [e.role for e in derivation.equations] == ["loss", "gradient"]
    assert to_latex(derivation.equations[-1].value) == "2 w"


def test_a_size_may_be_a_number() -> None:
    w, x = vector("w", size(3)), vector("x", 3)
    model = network("m", (Z, w.T @ x), (LOSS, Z**2))
    assert all_checked(checked(model, derive_gradients(model)))
