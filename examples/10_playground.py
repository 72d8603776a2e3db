"""A playground: a small network learns circles, corners, heaps and spirals, and every neuron is painted meanwhile.

What you will see: every formula of `10_playground.md` proved; the network trained in C on four kinds of points, from
five different starts each; a table of how many fresh points it gets right, with and without hidden neurons. In --out:
`playground.html` (the training as a film: one file, offline, any browser), `sheet.html`, `surfaces.png`.

How long: about twelve seconds. What it needs: a C compiler, Matplotlib, and scikit-learn as an oracle
(`pip install "derive[examples]"`).

    python examples/10_playground.py --out out
"""

from __future__ import annotations

import base64
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from course import agree, compiled_target, derive, expect, gradient_error, output_folder
from pictures import BLUE, GREY, ORANGE, pyplot, save

import codegen
from derive import Derivation, Model

try:
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LinearSegmentedColormap, to_rgba
    from matplotlib.image import AxesImage
    from matplotlib.lines import Line2D
    from PIL import Image
    from sklearn.linear_model import LogisticRegression
except ImportError as missing:
    sys.exit(f"{missing}: needs scikit-learn. Run: pip install 'derive[examples]'")

Array = npt.NDArray[np.float64]
PAGE = Path(__file__).with_suffix(".md")
KINDS = ("circles", "corners", "heaps", "spirals")
SHOWN, FRESH = 240, 2000  # points that the network learns from, and those that judge it
STARTS = 5  # training is repeated from so many starts, on as many draws of the points
NEURONS = {"h_1": 8, "h_2": 8}
MOMENTS = [0, *np.geomspace(4, 2000, 18).astype(int).tolist()]  # steps at which a picture is taken
EDGE, SIDE = 1.15, 96  # the plane is shown from -1.15 to 1.15, at 96 × 96 places
WIDTH, HEIGHT, TILE, PITCH = 760, 440, 48, 54  # pixels of a frame, of a neuron's picture, from one to the next
COLUMNS, ANSWER = (16, 142, 288), (452, 12)  # left edges of the layers; left and top of the large picture
DARK = {0: "#8a4200", 1: "#123f70"}  # points of either kind, to be told from what the network says
TONES = LinearSegmentedColormap.from_list("tones", ["#ec9a4f", "#ffffff", "#6a9fd4"], 17)


def draw(kind: str, number: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return points of the square from -1 to 1, one a row, and of which kind each is, 0 or 1."""
    y = np.arange(number) % 2.0
    if kind == "corners":
        x = rng.uniform(0.06, 1, (number, 2)) * rng.choice([-1, 1], (number, 2))
        return x, (x.prod(axis=1) > 0).astype(float)
    if kind == "heaps":
        return (0.8 * y - 0.4)[:, None] + rng.normal(0, 0.2, (number, 2)), y
    if kind == "circles":
        radius, angle = rng.uniform(0, 0.45, number) + 0.55 * (1 - y), rng.uniform(0, 2 * np.pi, number)
    else:
        radius = rng.uniform(0.1, 1, number)
        angle = 2.5 * np.pi * radius + np.pi * y
    blur = 0.02 * (kind == "spirals")
    return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1) + rng.normal(0, blur, (number, 2)), y


def shown(kind: str, start: int) -> tuple[Array, Array]:
    """Return the points that a network learns from."""
    return draw(kind, SHOWN, np.random.default_rng([start, 0]))


def fresh(kind: str, start: int) -> tuple[Array, Array]:
    """Return points that judge it."""
    return draw(kind, FRESH, np.random.default_rng([start, 1]))


# ---- training --------------------------------------------------------------------------------------------------


def network(kind: str, start: int) -> codegen.Trainer:
    """Return the network, with points to learn from but not trained."""
    made = codegen.compile(
        PAGE, compiled_target(), 60, "float64", "adam", 0.05, NEURONS, seed=start, section="Two layers"
    )  # fmt: skip
    x, y = shown(kind, start)
    return made.bind(x=x, y=y)


def line(kind: str, start: int) -> codegen.Trainer:
    """Return the model without hidden neurons, trained on the same points until little moves any more."""
    made = codegen.compile(PAGE, compiled_target(), SHOWN, "float64", lr=1.0, seed=start, section="Without hidden")
    x, y = shown(kind, start)
    made.bind(x=x, y=y).run(2000)
    return made


def right(trainer: codegen.Trainer, kind: str, start: int) -> float:
    """Return the share of fresh points that are told right."""
    x, y = fresh(kind, start)
    return float(np.mean((trainer.predict(x).reshape(-1) > 0.5) == (y == 1)))


def film(kind: str, trainer: codegen.Trainer, stage: Stage) -> list[dict[str, Any]]:
    """Train, take a picture at every moment, and return the pictures with their numbers."""
    frames, losses = [], []
    stage.points(*shown(kind, 0))
    for moment in MOMENTS:
        if moment > 0:
            trainer.run(moment - trainer.steps)
        losses.append(trainer.loss_and_gradients()[0])
        picture = base64.b64encode(stage.picture(trainer.params, losses)).decode()
        frames.append({"step": moment, "loss": losses[-1], "right": right(trainer, kind, 0), "picture": picture})
    return frames


# ---- painting --------------------------------------------------------------------------------------------------


def places() -> Array:
    """Return the places of the plane that are painted, row by row from the top."""
    ticks = np.linspace(-EDGE, EDGE, SIDE)
    return np.stack(np.meshgrid(ticks, -ticks), axis=-1).reshape(-1, 2)


def tiles(values: Array) -> Array:
    """Return what neurons say at all places, a column each, as small pictures one below the other."""
    small = values.T.reshape(-1, SIDE, SIDE)[:, :: SIDE // TILE, :: SIDE // TILE]
    spaced = np.pad(small, ((0, 0), (0, PITCH - TILE), (0, 0)), constant_values=np.nan)
    return spaced.reshape(-1, TILE)


def tops(count: int) -> Array:
    """Return the upper edges of so many pictures in a column."""
    return (HEIGHT - count * PITCH + PITCH - TILE) // 2 + PITCH * np.arange(count)


def links(params: dict[str, Array]) -> tuple[Array, Array]:
    """Return all weights in one row, and the ends of their lines in pixels."""
    heights = [tops(count) + TILE / 2 for count in (2, *NEURONS.values())] + [np.array([ANSWER[1] + 1.5 * SIDE])]
    lefts = [*COLUMNS, ANSWER[0]]
    weights, ends = [], []
    for layer, name in enumerate(("W1", "W2", "W3")):
        weights.append(params[name].ravel())
        y_to, y_from = np.meshgrid(heights[layer + 1], heights[layer], indexing="ij")
        x_from, x_to = np.full(y_to.shape, lefts[layer] + TILE), np.full(y_to.shape, lefts[layer + 1])
        ends.append(np.stack([x_from, y_from, x_to, y_to], axis=-1).reshape(-1, 2, 2))
    return np.concatenate(weights), np.concatenate(ends)


class Stage:
    """One figure for all frames: what never changes is drawn once, and the rest is painted over it."""

    def __init__(self, record: Derivation, params: dict[str, Array]) -> None:
        outputs = ["a^{[1]}", "a^{[2]}", "p"]
        self.says = codegen.compile_function(record, outputs, compiled_target(), params, "float64")
        self.figure = pyplot.figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100, layout="none")
        self.whole = self.figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(HEIGHT, 0))
        self.whole.axis("off")
        self.column(COLUMNS[0], 2).set_data(tiles(places()))
        for name, height in (("x₁", tops(2)[0] - 6), ("x₂", tops(2)[1] + TILE + 16)):
            self.whole.text(COLUMNS[0] + TILE / 2, height, name, ha="center")
        self.curve = self.loss_axes()
        self.figure.canvas.draw()
        self.empty = self.figure.canvas.copy_from_bbox(self.figure.bbox)
        self.links = self.whole.add_collection(LineCollection(links(params)[1]))
        self.layers = [self.column(left, 8) for left in COLUMNS[1:]]
        left, top = ANSWER
        self.answer = self.image((left, left + 3 * SIDE, top + 3 * SIDE, top))
        self.dots = self.whole.scatter([], [], s=14, edgecolors="white", linewidths=0.6)

    def image(self, extent: tuple[int, ...]) -> AxesImage:
        """Return a picture between these edges in pixels, white so far."""
        return self.whole.imshow(
            np.zeros((2, 2)), cmap=TONES, vmin=-1, vmax=1, extent=extent, aspect="auto", interpolation="nearest"
        )

    def column(self, left: int, count: int) -> AxesImage:
        """Return the picture of a layer."""
        top = tops(count)[0]
        return self.image((left, left + TILE, top + count * PITCH, top))

    def loss_axes(self) -> Line2D:
        """Return the line of the loss so far, on axes of its own below the answer."""
        box = (ANSWER[0] + 45) / WIDTH, 46 / HEIGHT, (3 * SIDE - 45) / WIDTH, 76 / HEIGHT
        axes = self.figure.add_axes(box, xscale="log", xlim=(MOMENTS[1] / 2, MOMENTS[-1] * 1.1), ylim=(0, 0.85))
        axes.tick_params(labelsize=10, pad=1)
        axes.set_xlabel("steps", labelpad=0)
        axes.set_ylabel("loss")
        return axes.plot([], [], "o-", color=BLUE, markersize=7, markevery=[-1], clip_on=False)[0]

    def points(self, x: Array, y: Array) -> None:
        """Show other points on the answer."""
        middle = np.array(ANSWER) + 1.5 * SIDE
        self.dots.set_offsets(middle + x * [1, -1] * 1.5 * SIDE / EDGE)
        self.dots.set_facecolors(np.where(y[:, None] == 1, to_rgba(DARK[1]), to_rgba(DARK[0])))

    def picture(self, params: dict[str, Array], losses: list[float]) -> bytes:
        """Return a frame as WebP: what all neurons say, the weights, and the losses of the moments so far."""
        for name, array in self.says.params.items():
            array[...] = params[name]
        *hidden, p = self.says(places())
        for layer, values in zip(self.layers, hidden, strict=True):
            layer.set_data(tiles(values))
        self.answer.set_data(2 * p.reshape(SIDE, SIDE) - 1)
        weights, _ = links(params)
        self.links.set(linewidths=np.clip(1.5 * abs(weights), 0.3, 6))
        self.links.set_colors(np.where(weights[:, None] > 0, to_rgba(BLUE, 0.6), to_rgba(ORANGE, 0.6)))
        self.curve.set_data(np.maximum(MOMENTS[: len(losses)], MOMENTS[1] / 2), losses)
        return self.painted()

    def painted(self) -> bytes:
        """Paint, and return the picture with 32 colours, which keeps it small."""
        self.figure.canvas.restore_region(self.empty)
        for artist in (self.links, *self.layers, self.answer, self.dots, self.curve):
            self.figure.draw_artist(artist)
        pixels = Image.fromarray(np.asarray(self.figure.canvas.buffer_rgba())[..., :3])
        few, stream = pixels.quantize(32, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE), io.BytesIO()
        few.convert("RGB").save(stream, "WEBP", lossless=True, method=2, quality=20)  # quality: of the packing alone
        return stream.getvalue()


def draw_surfaces(pairs: dict[str, tuple[codegen.Trainer, codegen.Trainer]], out: Path) -> None:
    figure, axes = pyplot.subplots(2, len(KINDS), figsize=(12, 6.4), sharex=True, sharey=True)
    for above, (kind, pair) in zip(axes.T, pairs.items(), strict=True):
        for axis, trainer, name in zip(above, pair, ("a line", "two layers"), strict=True):
            surface = trainer.predict(places()).reshape(SIDE, SIDE)
            box = (-EDGE, EDGE, -EDGE, EDGE)
            axis.imshow(surface, cmap=TONES.resampled(256), vmin=0, vmax=1, extent=box, interpolation="bilinear")
            axis.contour(surface, [0.5], colors=[GREY], linewidths=1, extent=box, origin="upper")
            x, y = shown(kind, 0)
            for number, colour in DARK.items():
                axis.plot(*x[y == number].T, "o", color=colour, markersize=4.5, markeredgecolor="white")
            axis.set_title(f"{kind}, {name}: {right(trainer, kind, 0):.1%}")
    for axis in axes[1]:
        axis.set_xlabel("$x_1$")
    for axis in axes[:, 0]:
        axis.set_ylabel("$x_2$")
    save(figure, out / "surfaces.png")


# ---- the whole -------------------------------------------------------------------------------------------------


def main() -> None:
    out = output_folder(__doc__)
    derive("check", PAGE)
    derive("sheet", PAGE, "-o", out / "sheet.html")
    trainers = {kind: [network(kind, start) for start in range(STARTS)] for kind in KINDS}
    agree("gradients against central differences", gradient_error(trainers["spirals"][0]))
    stage = Stage(Model.read(PAGE, "Two layers").gradients("L"), trainers["spirals"][0].params)
    films = {kind: film(kind, own[0], stage) for kind, own in trainers.items()}
    write_player(films, out / "playground.html")
    lines = {kind: [line(kind, start) for start in range(STARTS)] for kind in KINDS}
    draw_surfaces({kind: (lines[kind][0], trainers[kind][0]) for kind in KINDS}, out)
    for start in range(1, STARTS):
        for own in trainers.values():
            own[start].run(MOMENTS[-1])
    compare(lines, trainers)


def write_player(films: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Put the pictures into the player that lies beside this file."""
    page = PAGE.with_suffix(".html").read_text(encoding="utf-8").replace("FILMS", json.dumps(films))
    path.write_text(page, encoding="utf-8")
    print(f"player: {path}, {len(page) / 1e6:.1f} MB")
    expect("the player is one file below 4 MB that refers to no other", len(page) < 4e6 and "://" not in page)


def compare(lines: dict[str, list[codegen.Trainer]], trainers: dict[str, list[codegen.Trainer]]) -> None:
    print(f"\nright on {FRESH} fresh points, the least and the most of {STARTS} starts")
    print(f"{'':10}{'a line':>16}{'two layers':>16}")
    for kind in KINDS:
        straight, bent = ([right(t, kind, k) for k, t in enumerate(own)] for own in (lines[kind], trainers[kind]))
        print(f"{kind:10}{min(straight):>8.1%}{max(straight):>8.1%}{min(bent):>8.1%}{max(bent):>8.1%}")
        expect(f"{kind}: the network is right on 95 % at least, whatever the start", min(bent) >= 0.95)
        wanted = min(straight) >= 0.95 if kind == "heaps" else max(straight) <= 0.75
        expect(f"{kind}: a line is {'enough' if kind == 'heaps' else 'not enough: 75 % at most'}", wanted)
        agree("a line against LogisticRegression", line_difference(lines[kind][0], kind), 0.03)
    differences = [surface_difference(own[0]) for own in trainers.values()]
    agree("what the networks say against NumPy by hand", max(differences), 1e-12)


def line_difference(trainer: codegen.Trainer, kind: str) -> float:
    """Return the difference in the share of fresh points that are told right."""
    oracle = LogisticRegression(C=1e3).fit(*shown(kind, 0))
    return abs(right(trainer, kind, 0) - oracle.score(*fresh(kind, 0)))


def surface_difference(trainer: codegen.Trainer) -> float:
    p = trainer.params
    first = np.tanh(places() @ p["W1"].T + p["b1"])
    second = np.tanh(first @ p["W2"].T + p["b2"])
    own = 1 / (1 + np.exp(-(second @ p["W3"].T + p["b3"])))
    return float(abs(trainer.predict(places()) - own).max())


if __name__ == "__main__":
    main()
