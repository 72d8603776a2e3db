"""Layers and steps without end: the recursion as text, as numbers from the last step down, checked, and claims on it.

The numbers come from a loop of our own over the derived equations, with names spelled at a step by our own rule; what
they are compared with is HIPS autograd, through the forward equations written a second time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
import sympy
from autograd import grad
from test_random_graphs import TOLERANCE, Values, interpret

from derive import log, relu, sigmoid, softmax, tanh, total, unknown
from derive.api import Derivation, Recurrence
from derive.claims.induction import checked_recurrence
from derive.derivation import Derivation as Record
from derive.derivation import Equation
from derive.errors import DeriveError, ModelError
from derive.expr import Apply, Const, Node, Var, matrix, rebuild, scalar, unprimed, vector
from derive.ops.linalg import norm
from derive.printer import equation_latex
from derive.read.latex import read_formula
from derive.read.syntax import Relation
from derive.verify.steps import GOOD, all_checked

HALVED = 2
Weights = dict[str, tuple[int | str, ...]]


@dataclass(frozen=True, slots=True)
class Net:
    """A recurrence, the shapes of its free names, and its loss after some steps, written for autograd.

    `own` are weights of each step, `shared` those of all, `inputs` what is given for each step, `first` what is carried
    into the first step; a size that is a word stands for `width(step)` or `width(step - 1)`.
    """

    name: str
    build: Callable[[], Recurrence]
    own: Weights
    shared: Weights
    inputs: Weights
    first: Weights
    loss: Callable[[Values, int], Any]


def width(step: int) -> int:
    return (5, 4, 3, 2)[step]


# ---------------------------------------------------------------- the models
def deep(act: Callable[[Node], Node], sizes: bool = False) -> Recurrence:
    n, m = ("n_l", "n_{l-1}") if sizes else ("n", "n")
    net = Recurrence("Deep net", "l", "L")
    a = net.carry("a^{[l-1]}", "a^{[l]}", (m,))
    z = net.define("z^{[l]}", matrix("W^{[l]}", n, m) @ a + vector("b^{[l]}", n))
    net.define("a^{[l]}", act(z))
    end = net.final("a^{[L]}")
    net.conclude("J", norm(end - vector("y", end.shape[0])) ** 2 / HALVED)
    return net


def residual() -> Recurrence:
    net = Recurrence("Residual net", "l", "L")
    a = net.carry("a^{[l-1]}", "a^{[l]}", ("n",))
    z = net.define("z^{[l]}", matrix("W^{[l]}", "n", "n") @ a + vector("b^{[l]}", "n"))
    u = net.define("u^{[l]}", relu(z))
    net.define("a^{[l]}", a + matrix("V^{[l]}", "n", "n") @ u)
    net.conclude("J", norm(net.final("a^{[L]}") - vector("y", "n")) ** 2 / HALVED)
    return net


def cell(net: Recurrence, gate: str, name: str, h: Node) -> Var:
    """An affine map of the step's input and of a state."""
    recurrent = matrix(f"U_{gate}", "n", "n") @ h
    return net.define(name, matrix(f"W_{gate}", "n", "d") @ vector("x_t", "d") + recurrent + vector(f"b_{gate}", "n"))


def elman(each: bool = False) -> Recurrence:
    net = Recurrence("Elman net", "t", "T")
    before = net.carry("h_{t-1}", "h_t", ("n",))
    recurrent, given = matrix("W", "n", "n"), matrix("U", "n", "d")
    z = net.define("z_t", recurrent @ before + given @ vector("x_t", "d") + vector("b", "n"))
    h = net.define("h_t", tanh(z))
    if each:
        o = net.define("o_t", matrix("V", "k", "n") @ h + vector("c", "k"))
        p = net.define("p_t", softmax(o))
        net.each("L_t", -(vector("y_t", "k", "simplex").T @ log(p)))
    else:
        net.conclude("L", total((net.final("h_T") - vector("y", "n")) ** 2) / HALVED)
    return net


def gru() -> Recurrence:
    net = Recurrence("GRU", "t", "T")
    before = net.carry("h_{t-1}", "h_t", ("n",))
    z = net.define("z_t", sigmoid(cell(net, "z", "s_t", before)))
    r = net.define("r_t", sigmoid(cell(net, "r", "q_t", before)))
    kept = net.define("m_t", r * before)
    n = net.define("n_t", tanh(cell(net, "n", "g_t", kept)))
    net.define("h_t", (1 - z) * n + z * before)
    net.conclude("L", total((net.final("h_T") - vector("y", "n")) ** 2) / HALVED)
    return net


def lstm() -> Recurrence:
    net = Recurrence("LSTM", "t", "T")
    h, c = net.carry("h_{t-1}", "h_t", ("n",)), net.carry("c_{t-1}", "c_t", ("n",))
    f = net.define("f_t", sigmoid(cell(net, "f", "q_t", h)))
    i = net.define("i_t", sigmoid(cell(net, "i", "r_t", h)))
    o = net.define("o_t", sigmoid(cell(net, "o", "s_t", h)))
    g = net.define("g_t", tanh(cell(net, "g", "v_t", h)))
    c = net.define("c_t", f * c + i * g)
    net.define("h_t", o * tanh(c))
    net.conclude("L", total((net.final("h_T") - vector("y", "n")) ** 2) / HALVED)
    return net


# ---------------------------------------------------------------- the same for autograd
def squash(z: Any) -> Any:
    return 1 / (1 + anp.exp(-z))


def wave(z: Any) -> Any:
    """The sine that stands for an arbitrary function called f."""
    return anp.sin(z + ord("f"))


def halved_square(difference: Any) -> Any:
    return anp.sum(difference**2) / 2


def run_deep(act: Callable[[Any], Any]) -> Callable[[Values, int], Any]:
    def loss(v: Values, last: int) -> Any:
        a = v["a^{[0]}"]
        for step in range(1, last + 1):
            a = act(v[f"W^{{[{step}]}}"] @ a + v[f"b^{{[{step}]}}"])
        return halved_square(a - v["y"])

    return loss


def run_residual(v: Values, last: int) -> Any:
    a = v["a^{[0]}"]
    for step in range(1, last + 1):
        z = v[f"W^{{[{step}]}}"] @ a + v[f"b^{{[{step}]}}"]
        a = a + v[f"V^{{[{step}]}}"] @ anp.maximum(z, 0)
    return halved_square(a - v["y"])


def run_elman(v: Values, last: int) -> Any:
    h = v["h_0"]
    for step in range(1, last + 1):
        h = anp.tanh(v["W"] @ h + v["U"] @ v[f"x_{step}"] + v["b"])
    return halved_square(h - v["y"])


def run_elman_each(v: Values, last: int) -> Any:
    h, loss = v["h_0"], 0.0
    for step in range(1, last + 1):
        h = anp.tanh(v["W"] @ h + v["U"] @ v[f"x_{step}"] + v["b"])
        e = anp.exp(v["V"] @ h + v["c"])
        loss = loss - anp.sum(v[f"y_{step}"] * anp.log(e / anp.sum(e)))
    return loss


def gate(v: Values, word: str, step: int, h: Any) -> Any:
    return v[f"W_{word}"] @ v[f"x_{step}"] + v[f"U_{word}"] @ h + v[f"b_{word}"]


def run_gru(v: Values, last: int) -> Any:
    h = v["h_0"]
    for step in range(1, last + 1):
        z, r = squash(gate(v, "z", step, h)), squash(gate(v, "r", step, h))
        h = (1 - z) * anp.tanh(gate(v, "n", step, r * h)) + z * h
    return halved_square(h - v["y"])


def run_lstm(v: Values, last: int) -> Any:
    h, c = v["h_0"], v["c_0"]
    for step in range(1, last + 1):
        f, i, o = (squash(gate(v, word, step, h)) for word in "fio")
        c = f * c + i * anp.tanh(gate(v, "g", step, h))
        h = o * anp.tanh(c)
    return halved_square(h - v["y"])


N, D, K = 4, 3, 5
LAYER: Weights = {"W": (N, N), "b": (N,)}


def gates(words: str) -> Weights:
    return {f"{kind}_{word}": shape for word in words for kind, shape in (("W", (N, D)), ("U", (N, N)), ("b", (N,)))}


ELMAN: Weights = {"W": (N, N), "U": (N, D), "b": (N,)}
NETS = {
    net.name: net
    for net in (
        Net("deep", lambda: deep(lambda z: unknown("f", z)), LAYER, {}, {}, {"a": (N,)}, run_deep(wave)),
        Net("deep, layers of any width", lambda: deep(sigmoid, True), {"W": ("l", "l-1"), "b": ("l",)}, {}, {},
            {"a": ("l-1",)}, run_deep(squash)),
        Net("residual", residual, {**LAYER, "V": (N, N)}, {}, {}, {"a": (N,)}, run_residual),
        Net("Elman", elman, {}, ELMAN, {"x": (D,)}, {"h": (N,)}, run_elman),
        Net("Elman, a loss at each step", lambda: elman(True), {}, {**ELMAN, "V": (K, N), "c": (K,)},
            {"x": (D,), "y": (K,)}, {"h": (N,)}, run_elman_each),
        Net("GRU", gru, {}, gates("zrn"), {"x": (D,)}, {"h": (N,)}, run_gru),
        Net("LSTM", lstm, {}, gates("fiog"), {"x": (D,)}, {"h": (N,), "c": (N,)}, run_lstm),
    )
}  # fmt: skip
every_net = pytest.mark.parametrize("name", NETS)


@cache
def derived(name: str) -> Derivation:
    return NETS[name].build().gradients()


def lines(name: str) -> list[str]:
    return [equation_latex(e.name, e.value) for e in derived(name).equations if e.role in ("cotangent", "gradient")]


# ---------------------------------------------------------------- what is printed
PRINTED = {
    "deep": [
        r"\frac{\partial J}{\partial a^{[L]}} = a^{[L]} - y",
        r"\delta^{[L]} = (a^{[L]} - y) \circ f'(z^{[L]})",
        r"\frac{\partial J}{\partial a^{[l]}} = (W^{[l+1]})^T \delta^{[l+1]}",
        r"\delta^{[l]} = (W^{[l+1]})^T \delta^{[l+1]} \circ f'(z^{[l]})",
        r"\frac{\partial J}{\partial W^{[l]}} = \delta^{[l]} (a^{[l-1]})^T",
        r"\frac{\partial J}{\partial b^{[l]}} = \delta^{[l]}",
    ],
    "deep, layers of any width": [
        r"\frac{\partial J}{\partial a^{[L]}} = a^{[L]} - y",
        r"\delta^{[L]} = (a^{[L]} - y) \circ \sigma'(z^{[L]})",
        r"\frac{\partial J}{\partial a^{[l]}} = (W^{[l+1]})^T \delta^{[l+1]}",
        r"\delta^{[l]} = (W^{[l+1]})^T \delta^{[l+1]} \circ \sigma'(z^{[l]})",
        r"\frac{\partial J}{\partial W^{[l]}} = \delta^{[l]} (a^{[l-1]})^T",
        r"\frac{\partial J}{\partial b^{[l]}} = \delta^{[l]}",
    ],
    "Elman": [
        r"\frac{\partial L}{\partial h_T} = h_T - y",
        r"\delta_T = (h_T - y) \circ \tanh'(z_T)",
        r"\frac{\partial L}{\partial h_t} = W^T \delta_{t+1}",
        r"\delta_t = W^T \delta_{t+1} \circ \tanh'(z_t)",
        r"\frac{\partial L}{\partial W} = \sum_{t=1}^{T} \delta_t h_{t-1}^T",
        r"\frac{\partial L}{\partial U} = \sum_{t=1}^{T} \delta_t x_t^T",
        r"\frac{\partial L}{\partial b} = \sum_{t=1}^{T} \delta_t",
    ],
    "Elman, a loss at each step": [
        r"\frac{\partial L}{\partial o_t} = p_t - y_t",
        r"\frac{\partial L}{\partial h_T} = V^T \frac{\partial L}{\partial o_T}",
        r"\delta_T = V^T \frac{\partial L}{\partial o_T} \circ \tanh'(z_T)",
        r"\frac{\partial L}{\partial h_t} = W^T \delta_{t+1} + V^T \frac{\partial L}{\partial o_t}",
        r"\delta_t = \left(W^T \delta_{t+1} + V^T \frac{\partial L}{\partial o_t}\right) \circ \tanh'(z_t)",
        r"\frac{\partial L}{\partial W} = \sum_{t=1}^{T} \delta_t h_{t-1}^T",
        r"\frac{\partial L}{\partial V} = \sum_{t=1}^{T} \frac{\partial L}{\partial o_t} h_t^T",
        r"\frac{\partial L}{\partial c} = \sum_{t=1}^{T} \frac{\partial L}{\partial o_t}",
    ],
    "residual": [
        r"\frac{\partial J}{\partial a^{[L]}} = a^{[L]} - y",
        r"\delta^{[L]} = (V^{[L]})^T (a^{[L]} - y) \circ \text{ReLU}'(z^{[L]})",
        r"\frac{\partial J}{\partial a^{[l]}} = \frac{\partial J}{\partial a^{[l+1]}} + (W^{[l+1]})^T \delta^{[l+1]}",
        r"\frac{\partial J}{\partial V^{[l]}} = \frac{\partial J}{\partial a^{[l]}} (u^{[l]})^T",
        r"\frac{\partial J}{\partial W^{[l]}} = \delta^{[l]} (a^{[l-1]})^T",
    ],
    "LSTM": [
        r"\frac{\partial L}{\partial h_T} = h_T - y",
        r"\frac{\partial L}{\partial c_T} = (h_T - y) \circ o_T \circ \tanh'(c_T)",
        r"\frac{\partial L}{\partial h_t} = U_g^T \frac{\partial L}{\partial v_{t+1}} + "
        r"U_o^T \frac{\partial L}{\partial s_{t+1}} + U_i^T \frac{\partial L}{\partial r_{t+1}} + U_f^T \delta_{t+1}",
        r"\frac{\partial L}{\partial g_t} = \frac{\partial L}{\partial c_t} \circ i_t",
        r"\delta_t = \frac{\partial L}{\partial c_t} \circ c_{t-1} \circ \sigma'(q_t)",
        r"\frac{\partial L}{\partial W_f} = \sum_{t=1}^{T} \delta_t x_t^T",
        r"\frac{\partial L}{\partial U_i} = \sum_{t=1}^{T} \frac{\partial L}{\partial r_t} h_{t-1}^T",
    ],
    "GRU": [
        r"\frac{\partial L}{\partial h_T} = h_T - y",
        r"\frac{\partial L}{\partial m_t} = U_n^T \frac{\partial L}{\partial g_t}",
        r"\frac{\partial L}{\partial q_t} = \frac{\partial L}{\partial m_t} \circ h_{t-1} \circ \sigma'(q_t)",
        r"\frac{\partial L}{\partial W_z} = \sum_{t=1}^{T} \delta_t x_t^T",
        r"\frac{\partial L}{\partial U_n} = \sum_{t=1}^{T} \frac{\partial L}{\partial g_t} m_t^T",
    ],
}
EXACTLY = ("deep", "deep, layers of any width", "Elman")


@every_net
def test_the_recursion_is_printed_as_a_textbook_has_it(name: str) -> None:
    found = lines(name)
    assert not [line for line in PRINTED[name] if line not in found], "\n".join(found)
    if name in EXACTLY:
        assert found == PRINTED[name]


@every_net
def test_every_equation_names_only_what_another_one_defines_or_what_is_given(name: str) -> None:
    derivation = derived(name)
    net = NETS[name]
    letter, last = net.build().letter, net.build().last
    known = {without_step(n.latex, letter, last) for n in (*derivation.parameters, *derivation.data)}
    known |= {without_step(e.name.latex, letter, last) for e in derivation.equations}
    known |= {without_step(before.latex, letter, last) for before, _ in net.build().carried}
    used = {v.latex for e in derivation.equations for v in e.value.atoms(Var)}
    assert not {latex for latex in used if without_step(latex, letter, last) not in known}


def without_step(latex: str, letter: str, last: str) -> str:
    return spelled(latex, letter, last, 7, 7).replace("6", "7").replace("8", "7")


@every_net
def test_what_is_carried_over_is_no_parameter(name: str) -> None:
    net = NETS[name]
    expected = {*net.shared, *(f"{word}^{{[l]}}" for word in net.own)}
    assert {parameter.latex for parameter in derived(name).parameters} == expected


def test_the_gradients_are_those_by_the_parameters() -> None:
    for name in NETS:
        gradients = {e.of for e in derived(name).equations if e.role == "gradient"}
        assert gradients <= set(derived(name).parameters), name


def test_the_sheet_shows_the_recursion_with_its_beginning_and_its_checks() -> None:
    sheet = " ".join(str(derived("Elman")).split())
    for line in (
        "∂L/∂h_T = h_T - y ✓", "δ_T = (h_T - y) ∘ tanh'(z_T) ✓", "δ_t = Wᵀ δ_(t+1) ∘ tanh'(z_t) ✓",
        "insert what follows the last step", "insert what the step above hands down",
        "sum over the steps that share it",
    ):  # fmt: skip
        assert line in sheet, line


# ---------------------------------------------------------------- checks
@every_net
def test_every_step_and_equation_passes_its_check(name: str) -> None:
    bad = [
        (equation_latex(e.name, e.value), e.check and e.check.outcome, [s.check and s.check.outcome for s in e.steps])
        for e in derived(name).equations
        if e.role in ("cotangent", "gradient")
        and not (e.check and e.check.outcome in GOOD and all(s.check and s.check.outcome in GOOD for s in e.steps))
    ]  # fmt: skip
    assert not bad
    assert all_checked(derived(name))


@pytest.mark.parametrize("name", ["deep", "deep, layers of any width", "Elman", "LSTM"])
def test_the_whole_recursion_is_proved_by_induction(name: str) -> None:
    checks = [e.check for e in derived(name).equations if e.role in ("cotangent", "gradient")]
    assert {check.outcome for check in checks if check} == {"proved"}
    assert all("induction" in check.method for check in checks if check)


# ---------------------------------------------------------------- the numbers, from the last step down
def spelled(latex: str, letter: str, last: str, step: int, count: int) -> str:
    """A name at a step: every mark that is the letter, with or without a number added, or the last step."""

    def number(match: re.Match[str]) -> str:
        word, added = match["word"], int(match["added"] or 0)
        return match["open"] + str((step if word == letter else count) + added) + match["close"]

    braced = re.sub(rf"_({letter}|{last})(?![\w{{])", r"_{\1}", latex)
    place = rf"(?P<open>_\{{|\[)(?P<word>{letter}|{last})(?P<added>[+-]\d+)?(?P<close>\}}|\])"
    return re.sub(r"_\{(\d)\}", r"_\1", re.sub(place, number, braced))


class Walk:
    """Computes the equations of a recurrence with numbers, one step after the other, then from the last one down."""

    def __init__(self, net: Net, count: int, seed: int) -> None:
        self.net, self.count = net, count
        built = net.build()
        self.letter, self.last = built.letter, built.last
        self.values = self._given(np.random.default_rng(seed))
        self.equations = derived(net.name).equations

    def _given(self, rng: np.random.Generator) -> Values:
        values: Values = {}
        for word, shape in self.net.shared.items():
            values[word] = rng.normal(size=shape) / 2
        for step in range(1, self.count + 1):
            for word, shape in self.net.own.items():
                values[f"{word}^{{[{step}]}}"] = rng.normal(size=self._numbers(shape, step)) / 2
            for word, shape in self.net.inputs.items():
                drawn = rng.uniform(0.1, 1, size=self._numbers(shape, step))
                values[f"{word}_{step}"] = drawn / drawn.sum() if word == "y" else drawn - 0.5
        for word, shape in self.net.first.items():
            mark = "^{[0]}" if self.letter == "l" else "_0"
            values[word + mark] = rng.normal(size=self._numbers(shape, 1))
        words = any(isinstance(n, str) for shape in self.net.own.values() for n in shape)
        values.setdefault("y", rng.normal(size=width(self.count) if words else N))
        return values

    @staticmethod
    def _numbers(shape: tuple[int | str, ...], step: int) -> tuple[int, ...]:
        return tuple(n if isinstance(n, int) else width(step + int(n[1:] or 0)) for n in shape)

    def size(self, length: Any, step: int) -> Any:
        if not isinstance(length, sympy.Expr):
            return length
        numbers = {"n": N, "d": D, "k": K}
        found = {}
        for symbol in length.free_symbols:
            mark = spelled(symbol.name, self.letter, self.last, step, self.count)
            found[symbol] = numbers[mark] if mark in numbers else symbol if mark == "ROW" else width(int(mark[2:]))
        return length.xreplace({key: sympy.Integer(v) for key, v in found.items() if v is not key})

    def at(self, node: Node, step: int) -> Node:
        """An expression at a step, its sizes numbers, its sums over all steps written out."""

        def change(part: Node) -> Node | None:
            if isinstance(part, Var):
                name = spelled(part.latex, self.letter, self.last, step, self.count)
                return Var(name, tuple(self.size(length, step) for length in part.shape), part.domain)
            if isinstance(part, Const):
                return Const(self.size(part.value, step))
            if isinstance(part, Apply) and part.op.name == "series":
                terms = [self.at(part.operands[0], k) for k in range(1, self.count + 1)]
                whole = terms[0]
                for term in terms[1:]:
                    whole = whole + term
                return whole
            if isinstance(part, Apply) and not part.operands:
                return Apply(part.args[0], *(self.size(param, step) for param in part.params))
            return None

        return rebuild(node, change)

    def compute(self, equation: Equation, step: int) -> None:
        name = spelled(equation.name.latex, self.letter, self.last, step, self.count)
        self.values[name] = interpret(self.at(equation.value, step), self.values)

    def runs(self, equation: Equation, word: str) -> bool:
        """Whether a name is one of each step (the letter) or of the last one."""
        return spelled(equation.name.latex, word, word, 7, 7) != equation.name.latex

    def forward(self) -> None:
        forward = [e for e in self.equations if e.role in ("definition", "loss")]
        for step in range(1, self.count + 1):
            for e in forward:
                if self.runs(e, self.letter):
                    self.compute(e, step)
        for e in forward:
            if not self.runs(e, self.letter):
                self.compute(e, self.count)

    def backward(self) -> None:
        """At the last step, what is said of it alone goes before what is said of all; then down, step by step."""
        backward = [e for e in self.equations if e.role in ("cotangent", "gradient")]
        general = [e for e in backward if self.runs(e, self.letter)]
        alone = [e for e in backward if not self.runs(e, self.letter) and self.runs(e, self.last)]
        done = {spelled(e.name.latex, self.letter, self.last, self.count, self.count) for e in alone}
        rest = [e for e in general if spelled(e.name.latex, self.letter, self.last, self.count, self.count) not in done]
        pending = [*alone, *rest]
        while pending:  # in the order in which they can be computed
            ready = [e for e in pending if self.known(e, self.count)]
            assert ready, [equation_latex(e.name, e.value) for e in pending]
            self.compute(ready[0], self.count)
            pending.remove(ready[0])
        for step in range(self.count - 1, 0, -1):
            for e in general:
                assert self.known(e, step), equation_latex(e.name, e.value)
                self.compute(e, step)
        for e in backward:
            if e not in general and e not in alone:
                self.compute(e, self.count)

    def known(self, equation: Equation, step: int) -> bool:
        return all(name.latex in self.values for name in self.at(equation.value, step).atoms(Var))


@every_net
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_recursion_walked_down_gives_autograds_gradients(name: str, count: int) -> None:
    net = NETS[name]
    walk = Walk(net, count, seed=count)
    wanted = [*net.shared, *(f"{word}^{{[{step}]}}" for word in net.own for step in range(1, count + 1))]
    moving = {word: walk.values[word] for word in wanted}
    given = dict(walk.values)
    expected = grad(lambda moved: net.loss({**given, **moved}, count))(moving)
    walk.forward()
    assert np.isclose(walk.values["J" if "J" in walk.values else "L"], net.loss(given, count), rtol=TOLERANCE)
    walk.backward()
    for word in wanted:
        loss = "J" if "J" in walk.values else "L"
        found = walk.values[rf"\frac{{\partial {loss}}}{{\partial {word}}}"]
        scale = max(1.0, float(np.abs(expected[word]).max()))
        np.testing.assert_allclose(found, expected[word], rtol=TOLERANCE, atol=TOLERANCE * scale, err_msg=word)


@every_net
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_network_of_a_few_steps_computes_the_same_loss(name: str, count: int) -> None:
    net = NETS[name]
    walk = Walk(net, count, seed=10 + count)
    network = net.build().unrolled(count)
    values = dict(walk.values)
    for item in network.definitions:
        latex = re.sub(r"_\{(\d)\}", r"_\1", item.name.latex)
        values[latex] = interpret(walk.at(item.value, count), values)
    assert network.loss is not None
    assert np.isclose(values[network.loss.latex], net.loss(walk.values, count), rtol=TOLERANCE)


# ---------------------------------------------------------------- claims
RIGHT = {
    "deep": [
        r"\delta^{[l]} = (W^{[l+1]})^T \delta^{[l+1]} \circ f'(z^{[l]})",
        r"\delta^{[l]} = \operatorname{diag}(f'(z^{[l]})) (W^{[l+1]})^T \delta^{[l+1]}",
        r"\delta^{[L]} = (a^{[L]} - y) \circ f'(z^{[L]})",
        r"\frac{\partial J}{\partial W^{[l]}} = \delta^{[l]} (a^{[l-1]})^T",
        r"\frac{\partial J}{\partial W^{[L]}} = \delta^{[L]} (a^{[L-1]})^T",
        r"\frac{\partial J}{\partial b^{[l]}} = \delta^{[l]}",
    ],
    "deep, layers of any width": [
        r"\delta^{[l]} = (W^{[l+1]})^T \delta^{[l+1]} \circ a^{[l]} \circ (1 - a^{[l]})",
        r"\frac{\partial J}{\partial W^{[l]}} = \delta^{[l]} (a^{[l-1]})^T",
    ],
    "residual": [
        r"\frac{\partial J}{\partial a^{[l]}} = \frac{\partial J}{\partial a^{[l+1]}} + (W^{[l+1]})^T \delta^{[l+1]}",
        r"\delta^{[l]} = (V^{[l]})^T \frac{\partial J}{\partial a^{[l]}} \circ \text{ReLU}'(z^{[l]})",
    ],
    "Elman": [
        r"\delta_t = W^T \delta_{t+1} \circ (1 - h_t^2)",
        r"\delta_T = (h_T - y) \circ (1 - h_T^2)",
        r"\frac{\partial L}{\partial h_t} = W^T \delta_{t+1}",
        r"\frac{\partial L}{\partial W} = \sum_{t=1}^{T} \delta_t h_{t-1}^T",
        r"\frac{\partial L}{\partial W} = \left(\sum_{t=1}^{T} h_{t-1} \delta_t^T\right)^T",
        r"\frac{\partial L}{\partial b} = \sum_{t=1}^T \delta_t",
    ],
    "Elman, a loss at each step": [
        r"\frac{\partial L}{\partial o_t} = p_t - y_t",
        r"\frac{\partial L}{\partial h_t} = V^T (p_t - y_t) + W^T \delta_{t+1}",
        r"\frac{\partial L}{\partial h_T} = V^T (p_T - y_T)",
        r"\delta_t = (V^T (p_t - y_t) + W^T \delta_{t+1}) \circ (1 - h_t^2)",
        r"\frac{\partial L}{\partial V} = \sum_{t=1}^T (p_t - y_t) h_t^T",
    ],
    "GRU": [
        r"\frac{\partial L}{\partial n_t} = \frac{\partial L}{\partial h_t} \circ (1 - z_t)",
        r"\frac{\partial L}{\partial U_z} = \sum_{t=1}^T \delta_t h_{t-1}^T",
    ],
    "LSTM": [
        r"\frac{\partial L}{\partial c_t} = \frac{\partial L}{\partial h_t} \circ o_t \circ (1 - \tanh^2(c_t))"
        r" + \frac{\partial L}{\partial c_{t+1}} \circ f_{t+1}",
        r"\delta_t = \frac{\partial L}{\partial c_t} \circ c_{t-1} \circ f_t \circ (1 - f_t)",
        r"\frac{\partial L}{\partial W_f} = \sum_{t=1}^T \delta_t x_t^T",
    ],
}
# Right, of the state before the first step too: the same equations shifted, and another name for δ.
SHIFTED = {
    "deep": [
        r"\frac{\partial J}{\partial z^{[l]}} = \delta^{[l]}",
        r"\frac{\partial J}{\partial a^{[l-1]}} = (W^{[l]})^T \delta^{[l]}",
    ],
    "residual": [
        r"\frac{\partial J}{\partial a^{[l-1]}} = \frac{\partial J}{\partial a^{[l]}} + (W^{[l]})^T \delta^{[l]}",
    ],
    "Elman": [
        r"\frac{\partial L}{\partial z_t} = \delta_t",
        r"\frac{\partial L}{\partial h_{t-1}} = W^T \delta_t",
    ],
}  # fmt: skip
PROVED = {"deep", "deep, layers of any width", "Elman"}


@pytest.mark.parametrize(("name", "latex"), [(name, latex) for name, group in RIGHT.items() for latex in group])
def test_a_right_claim_holds(name: str, latex: str) -> None:
    verdict = derived(name).check(latex)
    assert verdict.verdict in GOOD, verdict


@pytest.mark.parametrize(("name", "latex"), [(name, latex) for name, group in SHIFTED.items() for latex in group])
def test_a_right_claim_about_a_shifted_step_or_another_name_is_never_refuted(name: str, latex: str) -> None:
    verdict = derived(name).check(latex)
    assert verdict.verdict not in ("refuted", "ill-typed"), verdict


def test_textbook_recursions_are_proved() -> None:
    for name, place in (("deep", 0), ("deep", 2), ("deep", 3), ("deep, layers of any width", 0), ("Elman", 0),
                        ("Elman", 3)):  # fmt: skip
        verdict = derived(name).check(RIGHT[name][place])
        assert verdict.verdict == "proved", verdict
        assert "induction" in verdict.reason


WRONG = {
    ("deep", r"\delta^{[l]} = W^{[l+1]} \delta^{[l+1]} \circ f'(z^{[l]})"): ("refuted", "missing transpose"),
    ("deep", r"\delta^{[l]} = (W^{[l]})^T \delta^{[l+1]} \circ f'(z^{[l]})"): ("refuted", "layer index"),
    ("deep", r"\delta^{[l]} = (W^{[l+1]})^T \delta^{[l+1]} \circ f'(a^{[l]})"):
        ("refuted", "derivative taken at the wrong place"),
    ("deep", r"\delta^{[l]} = (W^{[l+1]})^T \delta^{[l+1]}"): ("refuted", "missing derivative"),
    ("deep", r"\delta^{[L]} = (y - a^{[L]}) \circ f'(z^{[L]})"): ("refuted", "sign"),
    ("deep", r"\delta^{[L]} = 2 (a^{[L]} - y) \circ f'(z^{[L]})"): ("refuted", "extra factor"),
    ("deep", r"\delta^{[L]} = a^{[L]} - y"): ("refuted", "missing derivative"),
    ("deep", r"\frac{\partial J}{\partial W^{[l]}} = \delta^{[l]} (a^{[l]})^T"): ("refuted", "layer index"),
    ("deep", r"\frac{\partial J}{\partial W^{[l]}} = \delta^{[l]} a^{[l-1]}"): ("ill-typed", "missing transpose"),
    ("deep", r"\frac{\partial J}{\partial b^{[l]}} = \delta^{[l+1]}"): ("refuted", "layer index"),
    ("deep, layers of any width", r"\delta^{[l]} = W^{[l+1]} \delta^{[l+1]} \circ \sigma'(z^{[l]})"):
        ("ill-typed", "missing transpose"),
    ("deep, layers of any width", r"\delta^{[l]} = (W^{[l]})^T \delta^{[l+1]} \circ \sigma'(z^{[l]})"):
        ("ill-typed", "layer index"),
    ("Elman", r"\delta_t = W \delta_{t+1} \circ (1 - h_t^2)"): ("refuted", "missing transpose"),
    ("Elman", r"\delta_t = W^T \delta_{t+1}"): ("refuted", "missing derivative"),
    ("Elman", r"\frac{\partial L}{\partial W} = \sum_{t=1}^{T} \delta_t h_t^T"): ("refuted", "layer index"),
    ("Elman", r"\frac{\partial L}{\partial W} = \sum_{t=1}^{T} h_{t-1} \delta_t^T"): ("refuted", "missing transpose"),
    ("Elman", r"\frac{\partial L}{\partial U} = \sum_{t=1}^T x_t \delta_t^T"): ("ill-typed", "missing transpose"),
    ("Elman, a loss at each step", r"\frac{\partial L}{\partial h_t} = V^T (p_t - y_t)"): ("refuted", "missing term"),
    ("Elman, a loss at each step", r"\frac{\partial L}{\partial V} = \sum_{t=1}^T (y_t - p_t) h_t^T"):
        ("refuted", "sign"),
    ("LSTM", r"\frac{\partial L}{\partial c_t} = \frac{\partial L}{\partial h_t} \circ o_t \circ (1 - \tanh^2(c_t))"):
        ("refuted", "missing term"),
}  # fmt: skip
REFUTED = [
    ("deep", r"\delta^{[l]} = (a^{[l]} - y) \circ f'(z^{[l]})"),
    ("residual", r"\frac{\partial J}{\partial a^{[l]}} = (W^{[l+1]})^T \delta^{[l+1]}"),
    ("Elman", r"\frac{\partial L}{\partial W} = \delta_T h_{T-1}^T"),
    ("Elman", r"\frac{\partial L}{\partial h_t} = h_t - y"),
]


@pytest.mark.parametrize(("name", "latex"), WRONG)
def test_a_wrong_claim_is_refuted_and_its_error_named(name: str, latex: str) -> None:
    verdict = derived(name).check(latex)
    assert (verdict.verdict, verdict.diagnosis and verdict.diagnosis.kind) == WRONG[name, latex], verdict
    assert verdict.diagnosis is not None
    again = derived(name).check(verdict.diagnosis.corrected)
    assert again.verdict in GOOD, again
    if verdict.verdict == "refuted":
        example = verdict.counterexample
        assert example is not None
        assert not np.allclose(example.claimed, example.derived, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("name", "latex"), REFUTED)
def test_a_claim_that_forgets_other_steps_is_refuted(name: str, latex: str) -> None:
    verdict = derived(name).check(latex)
    assert verdict.verdict == "refuted", verdict
    assert re.search(r"at step \d of \d", verdict.reason)


@pytest.mark.parametrize(
    ("latex", "word"),
    [
        (r"\frac{\partial L}{\partial W} = \sum_{t=0}^{T} \delta_t h_{t-1}^T", "runs from 1 to T"),
        (r"\frac{\partial L}{\partial W} = \sum_{t=1}^{T-1} \delta_t h_{t-1}^T", "runs from 1 to T"),
        (r"\frac{\partial L}{\partial W} = \sum_{t} \delta_t h_{t-1}^T", "runs from 1 to T"),
        (r"\delta_t = W^T q_{t+1}", "q"),
    ],
)
def test_a_claim_that_is_not_understood_says_why(latex: str, word: str) -> None:
    verdict = derived("Elman").check(latex)
    assert verdict.verdict == "unread", verdict
    assert word in verdict.reason


# ---------------------------------------------------------------- corrupted derivations
def with_value(record: Record, place: int, value: Node, last_step: bool) -> Record:
    """The record with another value in one equation; at the end of its steps too, or not."""
    e = record.equations[place]
    steps = (*e.steps[:-1], replace(e.steps[-1], after=value)) if last_step else e.steps
    equations = (*record.equations[:place], replace(e, value=value, steps=steps), *record.equations[place + 1 :])
    return replace(record, equations=equations)


def other_values(record: Record, place: int, same: set[tuple[str, str]]) -> list[Node]:
    """Wrong values for an equation: negated, and that of another equation that says something else."""
    e = record.equations[place]
    backward = [o for o in record.equations if o.role in ("cotangent", "gradient") and o.value.shape == e.value.shape]
    others = [o.value for o in backward if o.value != e.value
              and (o.name.latex, e.name.latex) not in same and (e.name.latex, o.name.latex) not in same]  # fmt: skip
    return [-e.value, *others[:1]]


EQUAL = {(r"\delta^{[l]}", r"\frac{\partial J}{\partial b^{[l]}}")}  # both are right for either name


@pytest.mark.parametrize("name", ["deep", "Elman"])
def test_a_corrupted_recursion_does_not_pass(name: str) -> None:
    net = NETS[name].build()
    record = net.derive()
    assert all_checked(checked_recurrence(net, record))
    places = [k for k, e in enumerate(record.equations) if e.role in ("cotangent", "gradient")]
    for k, place in enumerate(places):
        for wrong in other_values(record, place, EQUAL):
            corrupted = checked_recurrence(net, with_value(record, place, wrong, last_step=k % 2 == 0))
            text = equation_latex(record.equations[place].name, wrong)
            assert not all_checked(corrupted), text


def test_a_wrong_first_step_that_the_next_one_mends_does_not_pass() -> None:
    net = NETS["Elman"].build()
    record = net.derive()
    place = next(k for k, e in enumerate(record.equations) if e.name.latex == r"\delta_t")
    e = record.equations[place]
    first = replace(e.steps[0], after=-e.steps[0].after)
    second = replace(e.steps[1], before=first.after)
    wrong = replace(e, steps=(first, second, *e.steps[2:]))
    equations = (*record.equations[:place], wrong, *record.equations[place + 1 :])
    assert not all_checked(checked_recurrence(net, replace(record, equations=equations)))


def test_a_sum_that_leaves_out_a_part_of_the_recursion_does_not_pass() -> None:
    net = NETS["LSTM"].build()
    record = net.derive()
    place = next(k for k, e in enumerate(record.equations) if e.name.latex == r"\frac{\partial L}{\partial c_t}")
    value = record.equations[place].value
    assert isinstance(value, Apply) and value.op.name == "add"
    for operand in value.operands:
        assert not all_checked(checked_recurrence(net, with_value(record, place, operand, last_step=True)))


# ---------------------------------------------------------------- misuse
def refused(use: Callable[[], object], *words: str) -> str:
    with pytest.raises(DeriveError) as caught:
        use()
    for word in words:
        assert word in str(caught.value), str(caught.value)
    return str(caught.value)


def started(title: str) -> tuple[Recurrence, Var]:
    net = Recurrence(title, "t", "T")
    return net, net.carry("h_{t-1}", "h_t", ("n",))


def square(node: Node) -> Node:
    return total(node**2)


def test_a_body_that_hands_nothing_on_is_told_to_say_what_with_carry() -> None:
    net = Recurrence("No carry", "t", "T")
    net.define("h_t", tanh(matrix("U", "n", "d") @ vector("x_t", "d")))
    net.conclude("L", scalar("s") ** 2)
    refused(net.gradients, "carry")


def test_steps_that_hand_nothing_on_may_each_have_a_loss() -> None:
    net = Recurrence("No carry", "t", "T")
    h = net.define("h_t", tanh(matrix("U", "n", "d") @ vector("x_t", "d")))
    net.each("L_t", square(h))
    done = net.gradients()
    assert all_checked(done)
    assert equation_latex(done.equations[-1].name, done.equations[-1].value).startswith(
        r"\frac{\partial L}{\partial U} = \sum_{t=1}^{T}"
    )


def test_the_last_step_is_asked_only_for_what_it_hands_on() -> None:
    refused(lambda: elman().final("g_T"), "hands on no g_T", "h_T")
    refused(lambda: elman().final("h_t"), "hands on no h_t", "h_T")
    refused(lambda: Recurrence("Empty", "t", "T").final("h_T"), "nothing")


def test_without_a_loss_there_is_nothing_to_differentiate() -> None:
    net, h = started("No loss")
    net.define("h_t", tanh(matrix("W", "n", "n") @ h))
    refused(net.gradients, "no loss", "conclude with a scalar")
    net.conclude("e", net.final("h_T") ** 2)
    refused(net.gradients, "no loss")


def test_a_body_must_define_what_it_hands_on() -> None:
    net, h = started("Undefined")
    g = net.define("g_t", tanh(matrix("W", "n", "n") @ h))
    refused(lambda: net.final("h_T"), "no equation of the body defines h_t")
    net.each("L_t", square(g))
    refused(net.gradients, "no equation of the body defines h_t")


def test_a_state_that_no_step_uses_is_named() -> None:
    net, _ = started("Unused")
    net.define("h_t", tanh(matrix("U", "n", "d") @ vector("x_t", "d")))
    net.conclude("L", square(net.final("h_T")))
    refused(net.gradients, "h_{t-1}")


def test_the_loss_of_a_step_is_one_scalar() -> None:
    net, h = started("Two losses")
    h = net.define("h_t", tanh(matrix("W", "n", "n") @ h))
    refused(lambda: net.each("L_t", h), "one scalar")
    net.each("L_t", square(h))
    refused(lambda: net.each("M_t", square(h)), "one scalar")


def test_a_state_that_comes_back_in_another_shape_is_refused() -> None:
    net, h = started("Shapes")
    net.define("h_t", matrix("W", "m", "n") @ h)
    refused(lambda: net.conclude("L", square(net.final("h_T"))) and net.gradients(), "h_t", "n", "m")


def test_a_name_is_defined_once() -> None:
    net, h = started("Twice")
    net.define("h_t", tanh(matrix("W", "n", "n") @ h))

    def again() -> None:
        net.define("h_t", tanh(matrix("U", "n", "n") @ h))
        net.conclude("L", square(net.final("h_T")))
        net.gradients()

    refused(again, "h_t", "twice")


def test_a_name_that_is_used_before_it_is_defined_is_named() -> None:
    net, h = started("Order")
    net.define("h_t", tanh(vector("z_t", "n")))
    refused(lambda: net.define("z_t", matrix("W", "n", "n") @ h), "z_t", "before")


def test_what_is_carried_must_have_the_letter_in_its_name() -> None:
    refused(lambda: Recurrence("No letter", "t", "T").carry("h", "g_t", ("n",)), "h", "letter t")


def penalised() -> Recurrence:
    net = elman(each=True)
    net.conclude("R", norm(matrix("W", "n", "n")) ** 2)
    return net


def test_a_penalty_on_a_shared_weight_is_in_its_gradient() -> None:
    """Of L = Σ L_t + ‖W‖² the gradient has the term 2 W; otherwise the model is refused."""
    try:
        done = penalised().gradients()
    except ModelError as error:
        assert "W" in str(error), str(error)
        return
    line = next(e for e in done.equations if e.role == "gradient" and e.of == matrix("W", "n", "n"))
    assert re.search(r"2 W", equation_latex(line.name, line.value)), equation_latex(line.name, line.value)
    assert all_checked(done)


def test_a_loss_that_the_last_step_does_not_reach_is_refused_or_right() -> None:
    net, h = started("Unrelated loss")
    z = net.define("z_t", matrix("W", "n", "n") @ h)
    net.define("h_t", tanh(z))
    net.conclude("L", square(vector("q", "n")))
    try:
        done = net.gradients()
    except ModelError as error:
        assert "L" in str(error), str(error)
    else:
        assert all_checked(done)


def test_states_may_be_named_without_an_activation_in_between() -> None:
    """The recursion is then in the derivatives by the state itself, of which every one has a name."""
    net, h = started("No pre-activation")
    net.define("h_t", tanh(matrix("W", "n", "n") @ h))
    net.conclude("L", square(net.final("h_T")))
    done = net.gradients()
    found = [equation_latex(e.name, e.value) for e in done.equations]
    assert all(r"\bar{h}" not in line for line in found), found
    assert all_checked(done)


def test_what_is_printed_of_a_recurrence_is_a_formula_that_can_be_read() -> None:
    for name in NETS:
        for line in lines(name):
            tree = read_formula(line)
            assert isinstance(tree, Relation) and tree.signs == ("=",), line


def test_a_function_is_called_as_it_was_named() -> None:
    for e in derived("deep").equations:
        for part in e.value.atoms(Apply):
            if part.op.prime:
                assert str(unprimed(part).params[-1]) == "f"
