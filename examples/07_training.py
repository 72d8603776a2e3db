"""Training: the constants of a network are moved until it draws what a pen drew.

What you will see: every formula of `07_training.md` proved; a network that is given noisy points of a drawing and the
time of each, before training, on the way and at the end; its distance to examples that it saw and to others. In --out:
`training.html` and `training.pdf` (the sheet), `training.c` (the compiled step as source), `drawing.png`,
`distance.png`, `params.npz`.

How long: about fifteen seconds. What it needs: a C compiler and Matplotlib (`pip install "derive[examples]"`).

    python examples/07_training.py --out out
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from course import agree, compiled_target, derive, expect, gradient_error, output_folder
from pictures import BLUE, GREY, ORANGE, pyplot, save

import codegen
from derive import Derivation, Model

Array = npt.NDArray[np.float64]
Examples = tuple[Array, Array]
PAGE = Path(__file__).with_suffix(".md")
EXAMPLES, NOISE = 400, 0.04
NEURONS, BATCH, RATE = 40, 32, 0.01
SHOWN = (0, 100, 1000, 20000)  # steps at which the drawing is looked at
COUNTED = np.unique(np.geomspace(1, SHOWN[-1], 40).astype(int))


def pen(time: Array) -> Array:
    """Return where the pen is at each time from -1 to 1: a heart, from its dip round and back."""
    angle = np.pi * (time + 1)
    x = 16 * np.sin(angle) ** 3
    y = 13 * np.cos(angle) - 5 * np.cos(2 * angle) - 2 * np.cos(3 * angle) - np.cos(4 * angle)
    return np.stack([x, y + 2.5], axis=1) / 16


def measured(count: int, rng: np.random.Generator) -> Examples:
    """Return times and noisy points, one example a row."""
    time = rng.uniform(-1, 1, count)
    return time[:, None], pen(time) + rng.normal(scale=NOISE, size=(count, 2))


def trainer_of(record: Derivation, target: str, dtype: str = "float32") -> codegen.Trainer:
    schedule = f"cosine:steps={SHOWN[-1]},end=0.01"
    return codegen.compile(
        record, target=target, batch=BATCH, dtype=dtype, optimizer="adam", lr=RATE, lr_schedule=schedule,
        sizes={"m": NEURONS},
    )  # fmt: skip


def mean_distance(trainer: codegen.Trainer, x: Array, y: Array) -> float:
    """Return the root of the mean of d."""
    return float(np.sqrt(((trainer.predict(x) - y) ** 2).sum(axis=1).mean()))


def train(trainer: codegen.Trainer, seen: Examples, unseen: Examples) -> tuple[Array, dict[int, Array]]:
    """Take all steps; return the distances to both sets on the way, and the drawings at some steps."""
    line = np.linspace(-1, 1, 400)[:, None]
    drawings = {0: trainer.predict(line)}
    distances = []
    for before, step in pairwise(sorted({0, *COUNTED, *SHOWN})):
        trainer.run(int(step - before))
        distances.append((step, mean_distance(trainer, *seen), mean_distance(trainer, *unseen)))
        if step in SHOWN:
            drawings[int(step)] = trainer.predict(line)
    return np.array(distances), drawings


# ---- pictures ------------------------------------------------------------------------------------------------
def draw_drawings(seen: Examples, drawings: dict[int, Array], out: Path) -> None:
    figure, axes = pyplot.subplots(1, len(drawings), figsize=(13, 3.7), sharey=True)
    for axis, (step, drawing) in zip(axes, drawings.items(), strict=True):
        axis.plot(*seen[1].T, ".", color=GREY, alpha=0.4, markersize=3, label="examples")
        axis.plot(*drawing.T, color=ORANGE, linewidth=2, label="network")
        axis.set(title=f"after {step} steps" if step else "before training", xlabel="first entry", box_aspect=1)
        axis.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3))
    axes[0].set_ylabel("second entry")
    axes[0].legend(loc="lower left", handlelength=1)
    save(figure, out / "drawing.png")


def draw_distances(distances: Array, out: Path) -> None:
    figure, axis = pyplot.subplots(figsize=(7.5, 4.2))
    steps, seen, unseen = distances.T
    axis.loglog(steps, seen, color=BLUE, label="examples trained on")
    axis.loglog(steps, unseen, color=ORANGE, label="examples never seen")
    axis.axhline(NOISE * np.sqrt(2), color=GREY, linestyle=":", label="noise of the measurements")
    axis.set(xlabel="steps taken", ylabel=r"root of the mean of $d$")
    axis.set_yticks([0.05, 0.1, 0.2, 0.5, 1.0], ["0.05", "0.1", "0.2", "0.5", "1"])
    axis.yaxis.set_minor_formatter("")
    axis.legend()
    save(figure, out / "distance.png")


def main() -> None:
    out, target = output_folder(__doc__), compiled_target()
    derive("check", PAGE)
    record = Model.read(PAGE).gradients("d")
    for ending in ("html", "pdf"):
        record.save(out / f"training.{ending}")
    rng = np.random.default_rng(0)
    seen, unseen = measured(EXAMPLES, rng), measured(EXAMPLES, rng)
    trainer = trainer_of(record, target).bind(x=seen[0], y=seen[1], shuffle=True)
    (out / "training.c").write_text(trainer.code, encoding="utf-8")
    distances, drawings = train(trainer, seen, unseen)
    draw_drawings(seen, drawings, out)
    draw_distances(distances, out)
    codegen.save_params(out / "params.npz", trainer)
    compare(record, trainer, target, distances[-1, 2])


def compare(record: Derivation, trainer: codegen.Trainer, target: str, unseen: float) -> None:
    time = np.linspace(-1, 1, 64)
    exact = trainer_of(record, target, "float64").bind(x=time[:, None], y=pen(time))
    agree("compiled gradients against central differences", gradient_error(exact))
    p = trainer.params
    by_hand = np.tanh(time[:, None] @ p["W"].T + p["b"]) @ p["V"].T + p["c"]
    agree("the trained network by NumPy, in float32", np.abs(by_hand - trainer.predict(time[:, None])).max(), 1e-4)
    expect(f"its distance to examples never seen, {unseen:.3f}, is nearly the noise, {NOISE * 2**0.5:.3f}",
           unseen < 1.3 * NOISE * 2**0.5)  # fmt: skip
    off = np.linalg.norm(trainer.predict(time[:, None]) - pen(time), axis=1).mean()
    expect(f"to the drawing itself it is {off:.3f}: the network has averaged the noise away", off < NOISE)


if __name__ == "__main__":
    main()
