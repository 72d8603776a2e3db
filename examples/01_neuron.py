"""A neuron as a formula with named constants, and as a picture.

What you will see: every formula of `01_neuron.md` proved; the neuron drawn with its constants; its output over two
inputs, a plane that a weight tilts and the bias lifts. In --out: `neuron.html` (the sheet), `neuron.c` and `neuron.h`
(the neuron as C), `diagram.png`, `planes.png`.

How long: about five seconds. What it needs: Matplotlib (`pip install "derive[examples]"`).

    python examples/01_neuron.py --out out
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from course import agree, derive, output_folder
from pictures import BLUE, GREY, ORANGE, draw_surface, pyplot, save

import codegen
from derive import Derivation, Model

Array = npt.NDArray[np.float64]
PAGE = Path(__file__).with_suffix(".md")
CONSTANTS = {"w_1": 0.8, "w_2": -0.5, "w_3": 0.3, "b": 0.2}
INPUTS = ("x", "y", "z")


def read() -> Derivation:
    """Return the page's neuron; what is trained are its constants."""
    model = Model.read(PAGE)
    model.train(*CONSTANTS)
    return model.gradients("output")


def neuron(record: Derivation, **changed: float) -> codegen.Function:
    """Return the neuron as a function of x, y and z, some of its constants changed."""
    return codegen.compile_function(record, ["output"], "numpy", CONSTANTS | changed, "float64")


def draw_diagram(out: Path) -> None:
    figure, axis = pyplot.subplots(figsize=(8, 4))
    axis.set(xlim=(-0.3, 4.3), ylim=(-0.4, 3.4), aspect="equal")
    axis.axis("off")
    heights, beside = (2.7, 1.7, 0.7), ((0.85, 2.55), (0.85, 1.8), (1.1, 0.8))
    for name, weight, height, label in zip(INPUTS, list(CONSTANTS)[:3], heights, beside, strict=True):
        _arrow(axis, (0.25, height), (1.72, 1.7 + 0.25 * (height - 1.7)))
        axis.text(0, height, f"${name}$", fontsize=16, ha="center", va="center")
        axis.text(*label, f"$\\cdot\\, {weight}$", color=ORANGE, fontsize=14)
    _arrow(axis, (2.1, 0.25), (2.1, 1.25))
    axis.text(2.1, 0.05, "$b$", color=ORANGE, fontsize=16, ha="center", va="center")
    axis.add_patch(pyplot.Circle((2.1, 1.7), 0.4, color=BLUE, alpha=0.15, linewidth=0))
    axis.add_patch(pyplot.Circle((2.1, 1.7), 0.4, fill=False, edgecolor=BLUE, linewidth=2))
    axis.text(2.1, 1.7, "+", fontsize=22, ha="center", va="center", color=BLUE)
    _arrow(axis, (2.52, 1.7), (3.3, 1.7))
    axis.text(3.4, 1.7, "$output$", fontsize=15, va="center")
    axis.text(2.1, 3.1, "$output = w_1 x + w_2 y + w_3 z + b$", fontsize=15, ha="center")
    save(figure, out / "diagram.png")


def _arrow(axis: pyplot.Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axis.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": GREY, "linewidth": 1.6})


def draw_planes(record: Derivation, out: Path) -> None:
    """Draw the output over x and y at z = 0, with a constant changed in the second and the third picture."""
    ticks = np.linspace(-2, 2, 21)
    x, y = np.meshgrid(ticks, ticks)
    points = {"x": x.ravel(), "y": y.ravel(), "z": np.zeros(x.size)}
    views = {"the neuron": {}, "$w_1$ from 0.8 to 1.6: tilted": {"w_1": 1.6}, "$b$ from 0.2 to 2.2: lifted": {"b": 2.2}}
    figure = pyplot.figure(figsize=(13, 4.2))
    for place, (title, changed) in enumerate(views.items(), start=1):
        axis = figure.add_subplot(1, 3, place, projection="3d")
        values = neuron(record, **changed)(**points).reshape(x.shape)
        draw_surface(axis, x, y, values, ticks=(-2, 0, 2), vmin=-4, vmax=5)
        axis.set(title=title, zlabel="$output$ at $z = 0$", zlim=(-4, 5), zticks=(-4, -2, 0, 2, 4))
        axis.view_init(24, -128)
        axis.set_box_aspect(None, zoom=0.9)
    save(figure, out / "planes.png")


def main() -> None:
    out = output_folder(__doc__)
    derive("check", PAGE)
    derive("sheet", PAGE, "--section", "artificial neuron", "-o", out / "neuron.html")
    record = read()
    for name, text in codegen.export_function(record, CONSTANTS, ["output"], name="neuron").items():
        (out / name).write_text(text, encoding="utf-8")
    draw_diagram(out)
    draw_planes(record, out)
    points = np.random.default_rng(0).normal(size=(3, 1000))
    weights = np.array([CONSTANTS["w_1"], CONSTANTS["w_2"], CONSTANTS["w_3"]])
    difference = neuron(record)(*points) - (weights @ points + CONSTANTS["b"])
    agree("the neuron at 1000 points against NumPy's product of matrices", np.abs(difference).max(), 1e-12)


if __name__ == "__main__":
    main()
