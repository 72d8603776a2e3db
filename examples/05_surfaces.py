"""Gradient descent on a landscape with several valleys: partial derivatives, paths, and how long a step may be.

What you will see: every formula of `05_surfaces.md` proved; the landscape from the side and from above (light yellow
high, dark red low) with the paths of several starts; the same valley with steps that are short, nearly too long and too
long, where the bound is 2 / (largest eigenvalue of the Hessian). In --out: `surfaces.html` (the sheet),
`landscape.png`, `steps.png`, `distances.png`.

How long: about ten seconds. What it needs: Matplotlib (`pip install "derive[examples]"`).

    python examples/05_surfaces.py --out out
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from course import agree, central_differences, derive, expect, output_folder
from pictures import BLUE, GREEN, GREY, HEAT, RED, draw_surface, pyplot, save

import codegen
from derive import Derivation, Model
from derive.derivation import Equation

Array = npt.NDArray[np.float64]
PAGE = Path(__file__).with_suffix(".md")
STARTS = ((1.7, 0.9), (1.9, 2.1), (-1.2, -2.4), (0.3, -1.2), (-0.9, 2.2), (1.2, -1.5))
RATE, STEPS = 0.08, 60
SHARES = {0.5: GREEN, 1.9: BLUE, 2.1: RED}  # of one divided by the largest eigenvalue
DRAWN = (0.5, 1.9, 3.0)  # of them in the picture from above, from farther off
REACH = 3.4


class Landscape:
    """The page's function, its gradient and its Hessian, all derived and compiled; points are rows (x, y)."""

    def __init__(self) -> None:
        model = Model.read(PAGE, "The landscape")
        model.train("x", "y")
        self.record = model.gradients("z")
        slopes = gradients(self.record)
        self.values = compiled(self.record, ["z", *(e.name.latex for e in slopes)])
        self.curvatures = [compiled(*second(e)) for e in slopes]

    def height(self, points: Array) -> Array:
        """Return z at each point."""
        return np.asarray(self.values(x=points[:, 0], y=points[:, 1])[0])

    def gradient(self, points: Array) -> Array:
        """Return both partial derivatives at each point."""
        return np.stack(self.values(x=points[:, 0], y=points[:, 1])[1:], axis=1)

    def hessian(self, point: Array) -> Array:
        """Return the matrix of second derivatives at a point."""
        return np.array([call(x=point[0], y=point[1]) for call in self.curvatures])

    def descend(self, start: Array, rate: float, steps: int = STEPS) -> Array:
        """Return the path of gradient descent, the start first, by the compiled training step."""
        trainer = codegen.compile(self.record, target="numpy", dtype="float64", lr=rate, batch=1)
        trainer.bind()
        trainer.params["x"][...], trainer.params["y"][...] = start
        path = [start]
        for _ in range(steps):
            trainer.run(1)
            path.append(np.array([trainer.params["x"], trainer.params["y"]]))
        return np.array(path)


def compiled(record: Derivation, outputs: list[str]) -> codegen.Function:
    return codegen.compile_function(record, outputs, "numpy", dtype="float64", inputs=["x", "y"])


def gradients(record: Derivation) -> list[Equation]:
    """Return the equations of the two partial derivatives, that by x first."""
    by = {e.of.latex: e for e in record.equations if e.role == "gradient" and e.of is not None}
    return [by["x"], by["y"]]


def second(slope: Equation) -> tuple[Derivation, list[str]]:
    """Return the gradient of a partial derivative, and what its two entries are called: a row of the Hessian."""
    model = Model(f"the slope {slope.name.latex}")
    model.define("s", slope.value)
    model.train("x", "y")
    record = model.gradients("s")
    return record, [e.name.latex for e in gradients(record)]


# ---- pictures ------------------------------------------------------------------------------------------------
def grid(centre: Array, reach: float, count: int) -> tuple[Array, Array]:
    return np.meshgrid(*(np.linspace(c - reach, c + reach, count) for c in centre))


def heights(land: Landscape, x: Array, y: Array) -> Array:
    return land.height(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(x.shape)


def draw_landscape(land: Landscape, paths: list[Array], out: Path) -> None:
    figure = pyplot.figure(figsize=(12, 5.4))
    view, top = figure.add_subplot(1, 2, 1, projection="3d"), figure.add_subplot(1, 2, 2)
    x, y = grid(np.zeros(2), REACH, 90)
    z = heights(land, x, y)
    draw_surface(view, x, y, z, ticks=(-3, 0, 3), rcount=90, ccount=90)
    view.set(zlabel="$z$", title="from the side")
    view.view_init(42, -60)
    filled = top.contourf(x, y, z, levels=24, cmap=HEAT)
    figure.colorbar(filled, ax=top, label="$z$")
    for path in paths:
        top.plot(*path.T, "-", color="black", linewidth=1.2)
        top.plot(*path[0], "o", color="white", markeredgecolor="black", markersize=7)
        top.plot(*path[-1], "*", color="deepskyblue", markeredgecolor="black", markersize=13)
    top.set(xlabel="$x$", ylabel="$y$", aspect="equal", title=f"from above: {len(paths)} starts (o) and ends (*)")
    save(figure, out / "landscape.png")


def draw_steps(land: Landscape, bottom: Array, paths: dict[float, Array], out: Path) -> None:
    figure, axes = pyplot.subplots(1, len(paths), figsize=(12, 4.8), sharey=True)
    x, y = grid(bottom, 1.2, 120)
    z = heights(land, x, y)
    for axis, (share, path) in zip(axes, paths.items(), strict=True):
        axis.contourf(x, y, z, levels=24, cmap=HEAT)
        axis.plot(*path.T, "o-", color="black", markersize=3.5, linewidth=0.9)
        axis.plot(*bottom, "*", color="deepskyblue", markeredgecolor="black", markersize=13)
        axis.set(xlabel="$x$", box_aspect=1, title=rf"$\alpha = {share} / \lambda_{{\max}}$")
        axis.set(xlim=(x.min(), x.max()), ylim=(y.min(), y.max()))
    axes[0].set_ylabel("$y$")
    save(figure, out / "steps.png")


def draw_distances(bottom: Array, paths: dict[float, Array], out: Path) -> None:
    figure, axis = pyplot.subplots(figsize=(8, 4.2))
    for share, path in paths.items():
        label = rf"$\alpha = {share} / \lambda_{{\max}}$"
        axis.semilogy(np.linalg.norm(path - bottom, axis=1), color=SHARES[share], label=label)
    axis.set(xlabel="steps taken", ylabel="distance from the valley's lowest point", ylim=(1e-8, 20))
    axis.axhline(1e-3, color=GREY, linewidth=0.8, linestyle=":")
    axis.text(STEPS, 1.3e-3, "the start", color=GREY, ha="right")
    axis.legend()
    save(figure, out / "distances.png")


# ---- comparison ----------------------------------------------------------------------------------------------
def compare(land: Landscape, bottom: Array, paths: dict[float, Array]) -> None:
    points = np.random.default_rng(0).uniform(-3, 3, size=(200, 2))
    agree("the gradient against central differences of z",
          np.abs(land.gradient(points) - central_differences(land.height, points)).max())  # fmt: skip
    row: list[Callable[[Array], Array]] = [lambda at, k=k: land.gradient(at)[:, k] for k in (0, 1)]
    numeric = np.array([central_differences(slope, bottom[None])[0] for slope in row])
    agree("the Hessian against central differences of the gradient", np.abs(land.hessian(bottom) - numeric).max())
    agree("the gradient in the valley is 0", np.abs(land.gradient(bottom[None])).max(), 1e-8)
    left = {share: float(np.linalg.norm(path[-1] - bottom)) for share, path in paths.items()}
    expect(f"below the bound the distance shrinks: {left[0.5]:.0e}, {left[1.9]:.0e}", max(left[0.5], left[1.9]) < 1e-4)
    expect(f"above the bound it grows: from 0.001 to {left[2.1]:.2f}", left[2.1] > 0.1)


def main() -> None:
    out = output_folder(__doc__)
    derive("check", PAGE)
    derive("sheet", PAGE, "--section", "The landscape", "-o", out / "surfaces.html")
    land = Landscape()
    paths = [land.descend(np.array(start), RATE) for start in STARTS]
    draw_landscape(land, paths, out)
    for start, path in zip(STARTS, paths, strict=True):
        print(f"from {start}: ends at ({path[-1][0]:.3f}, {path[-1][1]:.3f}), z = {land.height(path[-1:])[0]:.3f}")
    bottom = land.descend(np.array(STARTS[0]), RATE, 600)[-1]
    curvature = np.linalg.eigvalsh(land.hessian(bottom))
    print(f"curvatures in the valley: {curvature.round(3)}; steps converge below {2 / curvature.max():.3f}")
    near = bottom + 1e-3 * np.array([0.8, 0.6])
    from_near = {share: land.descend(near, share / curvature.max()) for share in SHARES}
    far = {share: land.descend(bottom + np.array([-0.45, 0.8]), share / curvature.max(), 25) for share in DRAWN}
    draw_steps(land, bottom, far, out)
    draw_distances(bottom, from_near, out)
    compare(land, bottom, from_near)


if __name__ == "__main__":
    main()
