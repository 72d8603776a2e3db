"""Distance as a loss: the Euclidean distance of two vectors and its square, each with its gradient.

What you will see: every formula of `03_distance.md` proved; both losses and their slopes on a walk past the right
answer; the arrows of both gradients in the plane, with ten steps of each descent. In --out: `distance.html` (the
sheet), `walk.png`, `arrows.png`.

How long: about five seconds. What it needs: Matplotlib (`pip install "derive[examples]"`).

    python examples/03_distance.py --out out
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from course import agree, central_differences, derive, output_folder
from pictures import BLUE, GREY, ORANGE, RED, pyplot, save

import codegen
from derive import Derivation, Model

Array = npt.NDArray[np.float64]
PAGE = Path(__file__).with_suffix(".md")
SECTIONS = {"D": "The distance of two vectors", "S": "The squared distance"}
NAMES = {"D": "distance", "S": "squared distance"}
COLOURS = {"D": ORANGE, "S": BLUE}
RIGHT, START = np.array([1.0, 0.5]), np.array([-2.2, -1.2])
RATE, STEPS = 0.4, 10


def read(loss: str) -> Derivation:
    """Return the gradient by the answer w alone: v is what is right, and nobody moves it."""
    model = Model.read(PAGE, SECTIONS[loss])
    model.train("w")
    return model.gradients(loss)


def function(record: Derivation, loss: str) -> codegen.Function:
    """Return the loss and its gradient by w as one function of v and w, of one pair or of many."""
    outputs = [loss, rf"\frac{{\partial {loss}}}{{\partial w}}"]
    return codegen.compile_function(record, outputs, "numpy", dtype="float64", sizes={"n": 2}, inputs=["w"])


def descent(record: Derivation) -> Array:
    """Return the answers on the way down, the start first."""
    trainer = codegen.compile(record, target="numpy", batch=1, dtype="float64", lr=RATE)
    trainer.bind(v=RIGHT[None])
    trainer.params["w"][...] = START
    path = [START]
    for _ in range(STEPS):
        trainer.run(1)
        path.append(trainer.params["w"].copy())
    return np.array(path)


def evaluated(call: codegen.Function, points: Array) -> Any:
    return call(v=np.broadcast_to(RIGHT, points.shape), w=points)


def draw_walk(functions: dict[str, codegen.Function], out: Path) -> None:
    figure, (above, below) = pyplot.subplots(2, 1, figsize=(7, 6), sharex=True)
    steps = np.linspace(-2, 2, 400)  # no step lies on the tip itself
    points = RIGHT + steps[:, None] * np.array([1.0, 0.0])
    for loss, call in functions.items():
        values, gradients = evaluated(call, points)
        above.plot(steps, values, color=COLOURS[loss], label=NAMES[loss])
        below.plot(steps, gradients[:, 0], color=COLOURS[loss], label=f"slope of the {NAMES[loss]}")
    above.set(ylabel="loss", title="Past the right answer, along the first axis")
    below.set(xlabel=r"$w_1 - v_1$, with $w_2 = v_2$", ylabel="slope")
    below.axhline(0, color=GREY, linewidth=0.8)
    above.legend()
    below.legend()
    save(figure, out / "walk.png")


def draw_arrows(functions: dict[str, codegen.Function], paths: dict[str, Array], out: Path) -> None:
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.6), sharey=True)
    ticks = np.linspace(-2.6, 2.6, 14)
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    for axis, (loss, call) in zip(axes, functions.items(), strict=True):
        _, gradients = evaluated(call, points)
        axis.quiver(*points.T, *-gradients.T, color=COLOURS[loss], alpha=0.6, width=0.004)
        axis.plot(*paths[loss].T, "o-", color="black", markersize=4, linewidth=1.2, label=f"{STEPS} steps of {RATE}")
        axis.plot(*RIGHT, "*", color=RED, markersize=15, label="right answer")
        axis.set(title=f"minus the gradient of the {NAMES[loss]}", xlabel="$w_1$", aspect="equal")
    axes[0].set_ylabel("$w_2$")
    axes[0].legend(loc="upper left", frameon=True)
    save(figure, out / "arrows.png")


def main() -> None:
    out = output_folder(__doc__)
    derive("check", PAGE)
    derive("sheet", PAGE, "-o", out / "distance.html")
    records = {loss: read(loss) for loss in SECTIONS}
    functions = {loss: function(record, loss) for loss, record in records.items()}
    paths = {loss: descent(record) for loss, record in records.items()}
    draw_walk(functions, out)
    draw_arrows(functions, paths, out)
    for loss, path in paths.items():
        left = np.linalg.norm(path - RIGHT, axis=1)
        print(f"{NAMES[loss]}: from {left[0]:.2f} to {left[-1]:.2g} away in {STEPS} steps of {RATE}")
    compare(functions)


def compare(functions: dict[str, codegen.Function]) -> None:
    points = np.random.default_rng(0).normal(size=(100, 2))
    for loss, call in functions.items():
        own = np.linalg.norm(points - RIGHT, axis=1) ** (1 if loss == "D" else 2)
        values, gradients = evaluated(call, points)
        slopes = central_differences(lambda at, call=call: evaluated(call, at)[0], points)
        agree(f"the {NAMES[loss]} against numpy.linalg.norm", np.abs(values - own).max(), 1e-12)
        agree("its gradient against central differences of it", np.abs(slopes - gradients).max())


if __name__ == "__main__":
    main()
