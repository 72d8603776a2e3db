"""The collapse of linear layers: seven neurons are one, and any number of layers is one; with a bend they are not.

What you will see: every formula of `02_linear_collapse.md` proved; the four constants of the one neuron that the seven
are; stacks of layers along a line, straight without a bend and broken with one; three points that prove that the bent
network is not linear. In --out: `collapse.html` (the sheet), `network.png`, `bends.png`.

How long: about fifteen seconds. What it needs: Matplotlib (`pip install "derive[examples]"`).

    python examples/02_linear_collapse.py --out out
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sympy
from course import agree, derive, expect, output_folder
from pictures import BLUE, GREY, ORANGE, pyplot, save

from derive import Model, Verdict, matrix, relu, to_sympy, vector

Array = npt.NDArray[np.float64]
PAGE = Path(__file__).with_suffix(".md")
INPUTS = sympy.symbols("x y z")
DEPTHS = (1, 2, 10, 50)
WIDTH = 20


# ---- seven neurons are one -----------------------------------------------------------------------------------
def whole_formula(model: Model) -> sympy.Expr:
    """Return the network's output as a formula of its inputs, every neuron written out, by SymPy alone."""
    written: dict[sympy.Symbol, sympy.Expr] = {}
    for item in model.network().definitions:
        written[to_sympy(item.name)] = to_sympy(item.value).subs(written)
    return list(written.values())[-1]


def collected(formula: sympy.Expr) -> dict[str, sympy.Expr]:
    """Return the four constants; raises PolynomialError where the formula is no polynomial of its inputs."""
    named = {str(symbol): symbol for symbol in formula.free_symbols}
    inputs = [named[str(name)] for name in INPUTS]
    polynomial = sympy.Poly(sympy.expand(formula), *inputs)
    expect("the network is linear: SymPy expands it to total degree 1", polynomial.total_degree() == 1)
    parts = {str(name): polynomial.coeff_monomial(name) for name in inputs}
    return parts | {"alone": polynomial.coeff_monomial(1)}


def as_claim(constants: dict[str, sympy.Expr]) -> str:
    """Return the collected formula in LaTeX, to be judged as anybody's would be."""
    terms = [rf"({sympy.latex(value)}) {name}".removesuffix("alone") for name, value in constants.items()]
    return f"n_8 = {' + '.join(terms)}"


def draw_network(out: Path) -> None:
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 3.8), width_ratios=(3, 2))
    wide = [[f"${name}$" for name in INPUTS], ["$n_1$", "$n_2$", "$n_3$"], ["$n_4$", "$n_5$", "$n_6$"], ["$n_8$"]]
    for axis, layers, title in (
        (axes[0], wide, "seven neurons, 28 constants"), (axes[1], [wide[0], wide[-1]], "one neuron, 4 constants"),
    ):  # fmt: skip
        _draw_layers(axis, layers)
        axis.set(title=title, aspect="equal")
        axis.axis("off")
    figure.text(0.58, 0.42, "$=$", fontsize=26, color=GREY)
    save(figure, out / "network.png")


def _draw_layers(axis: pyplot.Axes, layers: list[list[str]]) -> None:
    places = [[(1.6 * k, 1 - place + (3 - len(row)) / -2) for place in range(len(row))] for k, row in enumerate(layers)]
    for below, above in itertools.pairwise(places):
        ends = np.array([(p, q) for p in below for q in above])
        axis.plot(ends[:, :, 0].T, ends[:, :, 1].T, color=GREY, linewidth=0.9, zorder=0)
    for k, (row, names) in enumerate(zip(places, layers, strict=True)):
        for (x, y), name in zip(row, names, strict=True):
            axis.add_patch(pyplot.Circle((x, y), 0.3, facecolor="white", edgecolor=BLUE if k else GREY, linewidth=1.8))
            axis.text(x, y, name, ha="center", va="center", fontsize=13)


# ---- with a bend ---------------------------------------------------------------------------------------------
def bent_network() -> Model:
    """Return a network with a bend between two layers, at both ends of a line and in the middle."""
    x, d = vector("x", "n"), vector("d", "n")
    inner, b1 = matrix("W^{[1]}", "h", "n"), vector("b^{[1]}", "h")
    outer, b2 = matrix("W^{[2]}", "k", "h"), vector("b^{[2]}", "k")
    model = Model("A bend between two layers")
    for name, point in (("f_1", x - d), ("f_2", x), ("f_3", x + d)):
        model.define(name, outer @ relu(inner @ point + b1) + b2)
    return model


def recomputed(verdict: Verdict) -> float:
    """Return by how much the counterexample's middle misses the mean of its ends, with NumPy alone."""
    assert verdict.counterexample is not None
    at = {name: np.array(value) for name, value in verdict.counterexample.symbols.items()}

    def network(point: Array) -> Array:
        hidden = np.maximum(at["W^{[1]}"] @ point + at["b^{[1]}"], 0)
        return np.asarray(at["W^{[2]}"] @ hidden + at["b^{[2]}"])

    middle, ends = network(at["x"]), (network(at["x"] - at["d"]) + network(at["x"] + at["d"])) / 2
    return float(np.abs(middle - ends).max())


def stack(depth: int, bend: bool, line: Array) -> Array:
    """Return what a stack of random layers makes of numbers on a line, scaled to reach from -1 to 1."""
    rng = np.random.default_rng(depth)
    values = np.stack([line, np.ones_like(line)])
    for _ in range(depth):
        weights = rng.normal(size=(WIDTH, len(values))) * np.sqrt((2 if bend else 1) / len(values))
        values = weights @ values + 0.3 * rng.normal(size=(WIDTH, 1))
        values = np.maximum(values, 0) if bend else values
    output = rng.normal(size=len(values)) @ values
    return np.asarray((output - output.mean()) / np.abs(output - output.mean()).max())


def draw_bends(out: Path) -> None:
    figure, axes = pyplot.subplots(2, len(DEPTHS), figsize=(11, 5), sharex=True, sharey=True)
    line = np.linspace(-3, 3, 601)
    for row, bend in zip(axes, (False, True), strict=True):
        for axis, depth in zip(row, DEPTHS, strict=True):
            axis.plot(line, stack(depth, bend, line), color=ORANGE if bend else BLUE)
            axis.set_title(f"{depth} layer{'s' * (depth > 1)}, {'bent' if bend else 'linear'}")
        row[0].set_ylabel("output, scaled")
    for axis in axes[1]:
        axis.set_xlabel("input")
    save(figure, out / "bends.png")


def main() -> None:
    out = output_folder(__doc__)
    derive("check", PAGE)
    derive("sheet", PAGE, "-o", out / "collapse.html")
    draw_network(out)
    draw_bends(out)
    model = Model.read(PAGE, "The network")
    constants = collected(whole_formula(model))
    for name, value in constants.items():
        print(f"stands with {name}:" if name != "alone" else "stands alone:", sympy.factor_terms(value))
    expect("what SymPy collected is proved", model.gradients().check(as_claim(constants)).verdict == "proved")
    verdict = bent_network().gradients().check("f_1 + f_3 = 2 f_2")
    expect(f"that the bent network is linear is {verdict.verdict}", verdict.verdict == "refuted")
    missed = recomputed(verdict)
    expect(f"at the point found, NumPy's middle misses the mean of the ends by {missed:.3f}", missed > 1e-6)
    line = np.linspace(-3, 3, 601)
    straight = max(np.abs(np.diff(stack(depth, False, line), 2)).max() for depth in DEPTHS)
    agree("linear stacks against straight lines, second differences", straight, 1e-9)


if __name__ == "__main__":
    main()
