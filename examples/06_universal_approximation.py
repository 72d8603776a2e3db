"""Universal approximation: one hidden layer fitted to a curve and to a surface, with ever more neurons.

What you will see: every formula of `06_universal_approximation.md` proved; a curve and a surface with what networks of
2, 4, 8 and 32 neurons make of them; the error against the number of neurons. In --out: `approximation.html` (the
sheet), `curves.png`, `surfaces.png`, `errors.png`.

How long: about fifteen seconds, most of it in the C compiler. What it needs: a C compiler and Matplotlib
(`pip install "derive[examples]"`).

    python examples/06_universal_approximation.py --out out
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from course import agree, compiled_target, derive, expect, gradient_error, output_folder
from pictures import BLUE, GREY, ORANGE, draw_surface, pyplot, save

import codegen
from derive import Derivation, Model

Array = npt.NDArray[np.float64]
PAGE = Path(__file__).with_suffix(".md")
NEURONS = (1, 2, 4, 8, 16, 32)
SHOWN = (2, 4, 8, 32)
SEEDS = (0, 1)  # the better of these starts counts
STEPS = 4000
POINTS, SIDE = 256, 24


@dataclass(frozen=True)
class Task:
    """Points, one a row, the right values there, and what to call it."""

    title: str
    x: Array
    t: Array


@dataclass(frozen=True)
class Fit:
    """What a network of so many neurons says at the task's points, and the root of its mean squared error."""

    values: Array
    error: float
    params: Mapping[str, Array]


def tasks() -> tuple[Task, Task]:
    x = np.linspace(-1, 1, POINTS)
    curve = np.sin(3 * np.pi * x) * np.exp(-(x**2)) + np.abs(x) / 2
    u, v = np.meshgrid(*2 * [np.linspace(-1, 1, SIDE)])
    surface = np.sin(4 * u) * np.cos(2 * v) + (u**2 + v**2) / 2
    points = np.stack([u.ravel(), v.ravel()], axis=1)
    return Task("a curve", x[:, None], curve), Task("a surface", points, surface.ravel())


def fit(record: Derivation, task: Task, neurons: int, target: str) -> Fit:
    """Train a network from each of the starts by Adam, all points in each step, and return the best."""
    found = []
    for seed in SEEDS:
        trainer = codegen.compile(
            record, target=target, batch=len(task.x), optimizer="adam", lr=0.03, lr_schedule=f"cosine:steps={STEPS}",
            sizes={"m": neurons}, seed=seed,
        )  # fmt: skip
        trainer.bind(x=task.x, t=task.t)
        trainer.run(STEPS)
        values = trainer.predict(task.x).ravel()
        error = float(np.sqrt(np.mean((values - task.t) ** 2)))
        found.append(Fit(values, error, {name: array.copy() for name, array in trainer.params.items()}))
    return min(found, key=lambda one: one.error)


def by_hand(found: Fit, points: Array) -> Array:
    """Return what the network says, by NumPy alone."""
    p = found.params
    return np.asarray(np.tanh(points @ p["W"].T + p["b"]) @ p["v"] + p["c"])


# ---- pictures ------------------------------------------------------------------------------------------------
def draw_curves(task: Task, fits: Mapping[int, Fit], out: Path) -> None:
    figure, axes = pyplot.subplots(1, len(SHOWN), figsize=(13, 3.6), sharey=True)
    for axis, neurons in zip(axes, SHOWN, strict=True):
        axis.plot(task.x[:, 0], task.t, color=GREY, linewidth=4, alpha=0.45, label="function")
        axis.plot(task.x[:, 0], fits[neurons].values, color=ORANGE, label="network")
        axis.set(title=f"{neurons} neurons, error {fits[neurons].error:.3f}", xlabel="$x$")
    axes[0].set_ylabel("$g(x)$")
    axes[0].legend()
    save(figure, out / "curves.png")


def draw_surfaces(task: Task, fits: Mapping[int, Fit], out: Path) -> None:
    shown = {"the function": task.t} | {
        f"{neurons} neurons, error {fits[neurons].error:.3f}": fits[neurons].values for neurons in SHOWN[1:]
    }
    figure = pyplot.figure(figsize=(14, 3.9))
    u, v = task.x.T.reshape(2, SIDE, SIDE)
    for place, (title, values) in enumerate(shown.items(), start=1):
        axis = figure.add_subplot(1, len(shown), place, projection="3d")
        draw_surface(axis, u, v, values.reshape(SIDE, SIDE), ticks=(-1, 0, 1), vmin=task.t.min(), vmax=task.t.max())
        axis.set(title=title, zlim=(task.t.min(), task.t.max()), zticks=(-1, 0, 1))
        axis.view_init(35, -60)
    save(figure, out / "surfaces.png")


def draw_errors(fits: Mapping[str, Mapping[int, Fit]], out: Path) -> None:
    figure, axis = pyplot.subplots(figsize=(7, 4.2))
    for (title, found), colour in zip(fits.items(), (ORANGE, BLUE), strict=True):
        axis.loglog(list(found), [one.error for one in found.values()], "o-", color=colour, label=title, base=2)
    axis.set(xlabel="neurons in the hidden layer", ylabel="root of the mean squared error")
    axis.set_yscale("log", base=10)
    axis.set_xticks(NEURONS, [str(n) for n in NEURONS])
    axis.legend()
    save(figure, out / "errors.png")


# ---- comparison ----------------------------------------------------------------------------------------------
def compare(record: Derivation, task: Task, fits: Mapping[int, Fit], target: str) -> None:
    trainer = codegen.compile(record, target=target, dtype="float64", batch=POINTS, sizes={"m": 8})
    trainer.bind(x=task.x, t=task.t)
    agree(f"{task.title}: compiled gradients against central differences", gradient_error(trainer))
    difference = max(np.abs(by_hand(one, task.x) - one.values).max() for one in fits.values())
    agree(f"{task.title}: the networks by NumPy, in float32", difference, 1e-4)
    one, most = fits[NEURONS[0]].error, fits[NEURONS[-1]].error
    expect(f"{task.title}: {NEURONS[-1]} neurons miss by {most:.3f} where one misses by {one:.3f}", most < one / 10)


def main() -> None:
    out, target = output_folder(__doc__), compiled_target()
    derive("check", PAGE)
    derive("sheet", PAGE, "-o", out / "approximation.html")
    record = Model.read(PAGE).gradients("L")
    curve, surface = tasks()
    fits = {task.title: {n: fit(record, task, n, target) for n in NEURONS} for task in (curve, surface)}
    draw_curves(curve, fits[curve.title], out)
    draw_surfaces(surface, fits[surface.title], out)
    draw_errors(fits, out)
    for task in (curve, surface):
        compare(record, task, fits[task.title], target)


if __name__ == "__main__":
    main()
