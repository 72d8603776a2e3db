"""Colour from black and white: a network paints strips of photographs that it never saw, from their grey alone.

What you will see: every formula of `09_colorization.md` proved or verified; seven photographs, each painted by a
network that learnt its colours from other strips of it; how far the colours are off, beside the mean colour, a linear
model, and one network for all seven. In --out: `colorization.html` (the sheet), `painted.png`, `learning.png`,
`errors.png`.

How long: about fifteen seconds. What it needs: scikit-learn and scikit-image, whose wheels hold the photographs,
Matplotlib (`pip install "derive[examples]"`), and a C compiler.

    python examples/09_colorization.py --out out
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from course import agree, compiled_target, derive, expect, gradient_error, output_folder
from data import photographs
from numpy.lib.stride_tricks import sliding_window_view
from pictures import BLUE, GREEN, GREY, ORANGE, pyplot, save
from threadpoolctl import threadpool_limits

import codegen

Array = npt.NDArray[Any]
PAGE, SECTION = Path(__file__).with_suffix(".md"), "The network"
NAMES = ("cat", "astronaut", "coffee", "rocket", "motorcycle", "temple", "flower")
SHRINK = 2  # photographs are averaged to half their width and height
POINTS, SCALES, REACH = 5, (1, 3), 7  # 5 by 5 squares of each size; the outermost pixel is 7 away from the middle
HELD_OUT = ((0.2, 0.4), (0.6, 0.8))  # strips of columns, as shares of the width
HIDDEN, EPOCHS, BATCH, RATE, DECAY = 48, 8, 64, 0.01, 1.0
SAMPLES = 10_000  # pixels of a photograph that train
LUMA = np.array([0.299, 0.587, 0.114])
MEAN, LINEAR, JOINT, EACH = "mean colour", "linear model", "one network for all", "a network for each"
PROMISED = {"cat": (1, 1.3), "motorcycle": (0.9, 1), "flower": (0, 0.5)}  # shares of the mean colour's error
OTHERS = (0, 0.85)  # on every other photograph
SCALE = 5.0  # chroma is about 0.2; times this, numbers near 1 are learnt


@dataclass(frozen=True, slots=True)
class Photograph:
    """A photograph with all that is asked of it; `x` and `y` have a row for each pixel that trains or is held out."""

    name: str
    colour: Array
    grey: Array
    inputs: Array  # what the network sees, at each pixel
    held: Array  # which columns are held out
    seen: Array  # which are trained on
    x: Array
    y: Array
    x_test: Array
    y_test: Array


# ---- from photographs to samples ---------------------------------------------------------------------------


def shrunk(image: Array) -> Array:
    height, width = (size // SHRINK for size in image.shape[:2])
    blocks = image[: height * SHRINK, : width * SHRINK].reshape(height, SHRINK, width, SHRINK, 3)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float64))


def split(colour: Array) -> tuple[Array, Array]:
    """Return grey, and how far red and blue are from it."""
    grey = colour @ LUMA
    return grey, colour[..., [0, 2]] - grey[..., None]


def joined(grey: Array, chroma: Array) -> Array:
    """Return the colour of a grey and a chroma; of one too strong to be shown the largest share that can be."""
    green = -(chroma @ LUMA[[0, 2]]) / LUMA[1]
    shifts = np.stack([chroma[..., 0], green, chroma[..., 1]], axis=-1)
    room = np.where(shifts > 0, 1 - grey[..., None], grey[..., None])
    share = (room / np.maximum(np.abs(shifts), 1e-12)).min(axis=-1).clip(0, 1)
    return np.asarray((grey[..., None] + share[..., None] * shifts).clip(0, 1))  # off by rounding alone


def neighbourhoods(grey: Array) -> Array:
    """Return what the network sees at each pixel: 5 by 5 squares around it, of one pixel and of 3 by 3."""
    parts = []
    for square in SCALES:
        windows = sliding_window_view(np.pad(grey, square // 2, mode="reflect"), (square, square))
        around = POINTS // 2 * square
        wide = np.pad(windows.mean(axis=(2, 3)), around, mode="reflect")
        every = sliding_window_view(wide, (2 * around + 1, 2 * around + 1))[:, :, ::square, ::square]
        parts.append(every.reshape(*grey.shape, -1))
    return np.asarray(4 * (np.concatenate(parts, axis=-1) - 0.5), np.float32)


def strips(width: int) -> tuple[Array, Array]:
    """Return which columns are held out, and which train: those whose neighbourhoods share no pixel with theirs."""
    columns = np.arange(width) / width
    held = np.any([(columns >= start) & (columns < stop) for start, stop in HELD_OUT], axis=0)
    return held, ~reached(held, 2 * REACH)


def reached(columns: Array, by: int) -> Array:
    """Return the columns that are at most so far from one of those given."""
    return np.asarray(sliding_window_view(np.pad(columns, by), 2 * by + 1).any(axis=1))


def photograph(name: str, image: Array) -> Photograph:
    colour = shrunk(image)
    grey, chroma = split(colour)
    held, seen = strips(grey.shape[1])
    x, y = neighbourhoods(grey), np.asarray(SCALE * chroma, np.float32)
    train, test = [(x[:, part].reshape(-1, x.shape[-1]), y[:, part].reshape(-1, 2)) for part in (seen, held)]
    some = np.random.default_rng(0).permutation(len(train[0]))[:SAMPLES]
    return Photograph(name, colour, grey, x, held, seen, train[0][some], train[1][some], *test)


# ---- painting ----------------------------------------------------------------------------------------------


def train(x: Array, y: Array, photo: Photograph | None = None) -> tuple[codegen.Trainer, Array]:
    """Train a network; return it with the errors after each epoch, of what it trains on and of what is held out."""
    trainer = codegen.compile(
        PAGE, section=SECTION, target=compiled_target(), batch=BATCH, sizes={"h": HIDDEN},
        optimizer="adam", lr=RATE, lr_schedule="cosine:end=0.01", weight_decay=DECAY, profile="exact",
    )  # fmt: skip
    errors: list[tuple[float, float]] = []

    def measure(_: codegen.Epoch) -> None:
        if photo:
            held = distance(trainer.predict(photo.x_test), photo.y_test)
            errors.append((distance(trainer.predict(x), y), held))

    codegen.fit(trainer, {"x": x, "y": y}, epochs=EPOCHS, on_epoch=measure)
    return trainer, np.array(errors)


def painted(trainer: codegen.Trainer, photo: Photograph) -> Array:
    """Return the whole photograph, painted from its grey."""
    chroma = trainer.predict(photo.inputs.reshape(photo.grey.size, -1)) / SCALE
    return joined(photo.grey, chroma.reshape(*photo.grey.shape, 2))


def distance(guess: Array, truth: Array) -> float:
    """Return the root of the mean squared distance of two colours, in the photograph's unit: 1 is full brightness."""
    return float(np.sqrt(np.square(guess.astype(np.float64) - truth).sum(axis=1).mean()) / SCALE)


def with_one(x: Array) -> Array:
    return np.column_stack([x.astype(np.float64), np.ones(len(x))])


def linear(photo: Photograph) -> Array:
    """Return what the best linear model of the same inputs says of the held-out pixels."""
    with threadpool_limits(1):  # several threads would only wait for each other, so small is the problem
        weights = np.linalg.lstsq(with_one(photo.x), photo.y, rcond=None)[0]
    return np.asarray(with_one(photo.x_test) @ weights)


# ---- pictures ----------------------------------------------------------------------------------------------


def draw_painted(photos: list[Photograph], paintings: list[Array], out: Path) -> None:
    figure, rows = pyplot.subplots(len(photos), 3, figsize=(9, 15.5))
    for axes, photo, painting in zip(rows, photos, paintings, strict=True):
        for place, picture in zip(axes, (photo.colour, photo.grey, painting), strict=True):
            place.imshow(picture, cmap="gray", vmin=0, vmax=1)
            place.set(xticks=[], yticks=[])
            place.spines[:].set_visible(False)
            mark(place, photo)
        axes[0].set_ylabel(photo.name)
    for place, title in zip(rows[0], ("as it was", "grey, what the network is given", "painted"), strict=True):
        place.set_title(title, pad=14)
    figure.supxlabel("orange: held out, never seen in colour; blue: trained on; between them a gap", fontsize=11)
    save(figure, out / "painted.png")


def mark(place: Any, photo: Photograph) -> None:
    """Draw bars above a picture where it is held out, and where it is trained on; thin lines bound what is held out."""
    columns, height = np.arange(len(photo.held)), len(photo.grey)
    for part, colour in ((photo.held, ORANGE), (photo.seen, BLUE)):
        bar = np.where(part, -0.04 * height, np.nan)
        place.plot(columns, bar, color=colour, linewidth=4, solid_capstyle="butt", clip_on=False)
    for column in np.flatnonzero(np.diff(photo.held.astype(int))) + 0.5:
        place.axvline(column, color="white", linewidth=0.8, linestyle=(0, (4, 4)))
    place.set(xlim=(-0.5, len(columns) - 0.5), ylim=(height - 0.5, -0.5))


def draw_learning(curves: Sequence[Array], photos: list[Photograph], out: Path) -> None:
    figure, panels = pyplot.subplots(1, 2, figsize=(10, 4.4), sharey=True)
    for photo, errors, colour in zip(photos, curves, pyplot.cm.Dark2.colors, strict=False):
        mean = photo.y.mean(axis=0)
        for axes, column, truth in zip(panels, errors.T, (photo.y, photo.y_test), strict=True):
            axes.plot(range(1, EPOCHS + 1), column / distance(mean, truth), color=colour, label=photo.name)
    for axes, title in zip(panels, ("Strips that were trained on", "Strips held out"), strict=True):
        axes.axhline(1, color=GREY, linestyle=":", label="mean colour")
        axes.set(xlabel="epoch", title=title)
    panels[0].set(ylabel="error / error of the mean colour", ylim=(0, None))
    panels[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, out / "learning.png")


def draw_errors(errors: dict[str, Array], out: Path) -> None:
    figure, axes = pyplot.subplots(figsize=(9, 4.4))
    places, colours = np.arange(len(NAMES) + 1), (GREY, GREEN, ORANGE, BLUE)
    for k, ((name, values), colour) in enumerate(zip(errors.items(), colours, strict=True)):
        axes.bar(places + 0.2 * (k - 1.5), values, 0.2, color=colour, label=name)
    axes.set_xticks(places, [*NAMES, "all"])
    axes.set(ylabel="error (1: full brightness)", title="Error on the held-out strips")
    axes.legend(ncols=2, loc="upper left")
    axes.set_ylim(top=1.25 * max(values.max() for values in errors.values()))
    save(figure, out / "errors.png")


# ---- comparing ---------------------------------------------------------------------------------------------


def measured(photos: list[Photograph], guesses: list[Array]) -> Array:
    """Return the error on each photograph's held-out strips, and at the end on all, where each counts the same."""
    single = [distance(guess, photo.y_test) for guess, photo in zip(guesses, photos, strict=True)]
    return np.array([*single, np.sqrt(np.mean(np.square(single)))])


def compare(photos: list[Photograph], trainers: list[codegen.Trainer], errors: dict[str, Array]) -> None:
    """Hold the results against NumPy, and the page's words against the results."""
    few = codegen.compile(PAGE, section=SECTION, target=compiled_target(), batch=16, dtype="float64", sizes={"h": 8})
    few.bind(x=photos[0].x[:16], y=photos[0].y[:16])
    agree("compiled gradients against central differences", gradient_error(few))
    by_hand = [distance(forward(p.x_test, t.params), p.y_test) for p, t in zip(photos, trainers, strict=True)]
    agree("errors against a network in NumPy by hand", np.abs(np.array(by_hand) - errors[EACH][:-1]).max(), 1e-6)
    apart = [not (reached(photo.held, REACH) & reached(photo.seen, REACH)).any() for photo in photos]
    expect("no pixel of a held-out neighbourhood is seen in training", all(apart))
    to_mean, to_linear = errors[EACH] / errors[MEAN], errors[EACH] / errors[LINEAR]
    for name, share in zip(NAMES, to_mean, strict=False):
        low, high = PROMISED.get(name, OTHERS)
        expect(f"{name}: {share:.2f} of the mean colour's error, between {low} and {high}", low <= share <= high)
    expect(f"all: {to_mean[-1]:.2f} of the mean colour's error, less than 0.75", to_mean[-1] < 0.75)
    expect(f"all: {to_linear[-1]:.2f} of the linear model's error, less than 0.8", to_linear[-1] < 0.8)
    expect("one network for all: worse than the mean colours, over all", errors[JOINT][-1] > errors[MEAN][-1])
    expect("the mean colour is least off on the cat", NAMES[errors[MEAN].argmin()] == "cat")
    strange = strangers(photos, trainers) / errors[MEAN][:-1]
    worse = np.mean(strange[~np.isnan(strange)] > 1)
    expect(f"a network of another photograph: worse than the mean colour in {worse:.0%} of pairs", worse > 0.5)


def watch(curves: Sequence[Array]) -> None:
    """Hold what the page says of the learning against what was measured after each epoch."""
    trained, held = np.mean(curves, axis=0).T
    expect("what is trained on is painted best after the last epoch, on average", int(trained.argmin()) == EPOCHS - 1)
    left = float(held[-1] / held[3])
    expect(f"on held-out strips the last error is {left:.2f} of that after the fourth epoch, more than 0.9", left > 0.9)


def forward(x: Array, params: dict[str, Array]) -> Array:
    """Return what the network says, by hand in NumPy."""
    for layer in "12":
        x = np.tanh(x @ params[f"W{layer}"].T + params[f"b{layer}"])
    return np.asarray(x @ params["W3"].T + params["b3"])


def strangers(photos: list[Photograph], trainers: list[codegen.Trainer]) -> Array:
    """Return how far each network is off on each other photograph: a row for every one of the others."""
    table = np.array([[distance(t.predict(p.x_test[::10]), p.y_test[::10]) for p in photos] for t in trainers])
    table[np.diag_indices(len(photos))] = np.nan
    return table


def main() -> None:
    out = output_folder(__doc__)
    derive("check", PAGE)
    derive("sheet", PAGE, "-o", out / "colorization.html")
    cats, others = photographs()
    photos = [photograph(*pair) for pair in zip(NAMES, [*cats, *others], strict=True)]
    trainers, curves = zip(*(train(photo.x, photo.y, photo) for photo in photos), strict=True)
    joint, _ = train(np.concatenate([photo.x for photo in photos]), np.concatenate([photo.y for photo in photos]))
    errors = {
        MEAN: measured(photos, [photo.y.mean(axis=0) for photo in photos]),
        LINEAR: measured(photos, [linear(photo) for photo in photos]),
        JOINT: measured(photos, [joint.predict(photo.x_test) for photo in photos]),
        EACH: measured(photos, [t.predict(photo.x_test) for t, photo in zip(trainers, photos, strict=True)]),
    }
    print(f"\n{'error, held-out strips':22}", *(f"{name:>10}" for name in [*NAMES, "all"]))
    for name, values in errors.items():
        print(f"{name:22}", *(f"{value:10.3f}" for value in values))
    paintings = [painted(trainer, photo) for trainer, photo in zip(trainers, photos, strict=True)]
    draw_painted(photos, paintings, out)
    draw_learning(curves, photos, out)
    draw_errors(errors, out)
    kept = [np.abs(split(painting)[0] - photo.grey).max() for painting, photo in zip(paintings, photos, strict=True)]
    agree("the grey of what was painted against the grey that was given", max(kept), 1e-12)
    compare(photos, list(trainers), errors)
    watch(curves)


if __name__ == "__main__":
    main()
