"""Handwritten digits: a network with one hidden layer, trained in C on real pictures, and shipped as one C file.

What you will see: every formula of `08_digits.md` proved; the training, and what the network gets right of the digits
that it never saw, for five random starts; what it does with digits that are moved by a pixel or two. In --out:
`digits.html` (the sheet), `learning.png`, `confusion.png`, `weights.png`, `misread.png`, and `digits.c` with
`digits.h`, the trained function with its self-test.

How long: about twelve seconds. What it needs: scikit-learn and scikit-image for the data, Matplotlib
(`pip install "derive[examples]"`), and a C compiler.

    python examples/08_digits.py --out out
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from course import agree, central_differences, compiled_target, derive, expect, gradient_error, output_folder, self_test
from data import Arrays, make_digits
from pictures import BLUE, GREY, ORANGE, pyplot, save
from sklearn.neural_network import MLPClassifier

import codegen
from codegen.build import load_library
from derive import Derivation, Model

Array = npt.NDArray[Any]
PAGE = Path(__file__).with_suffix(".md")
HIDDEN, SIDE, SEEDS = 64, 8, 5
EPOCHS, BATCH, RATE, DECAY = 30, 16, 0.2, 0.01
WANTED, THEIR_EPOCHS = 0.97, 200
PIXELS, SLOPES = "gray_r", "RdBu_r"
PLAIN: dict[str, Any] = {"xticks": [], "yticks": []}


def train(record: Derivation, data: Arrays, seed: int) -> tuple[codegen.Trainer, codegen.History]:
    """Train from one random start; `exact` gives the same bits, and so the same answers, on every machine."""
    trainer = codegen.compile(
        record, target=compiled_target(), batch=BATCH, sizes={"m": HIDDEN}, seed=seed, profile="exact",
        optimizer="momentum", lr=RATE, lr_schedule="cosine:end=0.01", weight_decay=DECAY,
    )  # fmt: skip
    held_out = {"x": data["x_test"], "y": data["y_test"]}
    return trainer, codegen.fit(trainer, {"x": data["x"], "y": data["y"]}, held_out, epochs=EPOCHS)


def moved(rows: Array, by: int, axis: int) -> Array:
    """Return the pictures moved by some pixels along one axis; what comes in at the edge is paper."""
    wide = np.pad(rows.reshape(-1, SIDE, SIDE), [(0, 0), (2, 2), (2, 2)])
    middle = slice(2, 2 + SIDE)
    return np.roll(wide, by, axis)[:, middle, middle].reshape(len(rows), -1)


def pulls(params: Arrays) -> codegen.Function:
    """Return the loss and its gradient by the pixels, as a function of picture and truth."""
    model = Model.read(PAGE)
    model.train("x", *(rf"{kind}^{{[{layer}]}}" for layer in (1, 2) for kind in "Wb"))
    outputs = ["L", r"\frac{\partial L}{\partial x}"]
    return codegen.compile_function(model.gradients("L"), outputs, "numpy", params, dtype="float64", inputs=["x"])


# ---- pictures ----------------------------------------------------------------------------------------------


def draw_learning(history: codegen.History, out: Path) -> None:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.8))
    epochs = [epoch.number for epoch in history.epochs]
    left.semilogy(epochs, [epoch.loss for epoch in history.epochs], color=BLUE, label="trained on")
    left.semilogy(epochs, [epoch.held_out_loss for epoch in history.epochs], color=ORANGE, label="held out")
    left.set(xlabel="epoch", ylabel="mean loss (nats)", title="The loss")
    left.set_yticks([0.03, 0.1, 0.3], ["0.03", "0.1", "0.3"])
    left.minorticks_off()
    left.legend()
    right.plot(epochs, [100 * (epoch.metric or 0) for epoch in history.epochs], color=ORANGE)
    right.axhline(100 * WANTED, color=GREY, linewidth=0.8, linestyle=":")
    right.set(xlabel="epoch", ylabel="right of the held-out digits (%)", title="The accuracy", ylim=(80, 100))
    save(figure, out / "learning.png")


def draw_confusion(counts: Array, out: Path) -> None:
    figure, axes = pyplot.subplots(figsize=(6, 5.6))
    wrong = np.where(np.eye(10, dtype=bool), 0, counts)
    axes.imshow(wrong, cmap="Reds", vmax=2 * wrong.max())
    for so, said in np.argwhere(counts):
        weight = "bold" if so != said else "normal"
        axes.text(said, so, str(counts[so, said]), ha="center", va="center", fontweight=weight)
    axes.set(xticks=range(10), yticks=range(10), xlabel="what was said", ylabel="what was written")
    axes.set_title(f"{counts.trace()} of {counts.sum()} held-out digits are read right")
    save(figure, out / "confusion.png")


def draw_weights(weights: Array, out: Path) -> None:
    """Draw the weights as one picture of 8 by 8 neurons, 8 by 8 pixels each, with a gap around each."""
    tiles = np.pad(weights.reshape(8, 8, SIDE, SIDE), [(0, 0), (0, 0), (1, 0), (1, 0)], constant_values=np.nan)
    picture = tiles.transpose(0, 2, 1, 3).reshape(8 * (SIDE + 1), -1)[1:, 1:]
    figure, axes = pyplot.subplots(figsize=(7, 6))
    limit = np.abs(weights).max()
    drawn = axes.imshow(picture, cmap=SLOPES, vmin=-limit, vmax=limit, interpolation="nearest")
    axes.set(title="What each of the 64 hidden neurons looks for", **PLAIN)
    axes.spines[:].set_visible(False)
    figure.colorbar(drawn, label="weight of a pixel (red: ink, blue: paper)", shrink=0.8)
    save(figure, out / "weights.png")


def draw_misread(pictures: Array, slopes: Array, titles: list[str], out: Path) -> None:
    figure, rows = pyplot.subplots(2, len(pictures), figsize=(1.65 * len(pictures), 4.0), squeeze=False)
    limits = np.abs(slopes).max(axis=1)
    for column, title in enumerate(titles):
        above, below = rows[:, column]
        above.imshow(pictures[column].reshape(SIDE, SIDE), cmap=PIXELS, vmin=0, vmax=1)
        above.set_title(title, fontsize=11)
        below.imshow(-slopes[column].reshape(SIDE, SIDE), cmap=SLOPES, vmin=-limits[column], vmax=limits[column])
    for axes in rows.flat:
        axes.set(**PLAIN)
        axes.spines[:].set(visible=True, color=GREY, linewidth=0.6)
    rows[0, 0].set_ylabel("the picture")
    rows[1, 0].set_ylabel("more ink: red\nless ink: blue")
    save(figure, out / "misread.png")


def show_misread(trainer: codegen.Trainer, data: Arrays, out: Path) -> None:
    """Draw the misread digits of which the network was surest, and check the arrows below them."""
    p, y = trainer.predict(data["x_test"]), data["y_test"]
    wrong = np.flatnonzero(p.argmax(axis=1) != y)
    wrong = wrong[np.argsort(-p[wrong].max(axis=1), kind="stable")][:6]
    said, truth, x = p[wrong].argmax(axis=1), np.eye(10)[y[wrong]], data["x_test"][wrong].astype(np.float64)
    call = pulls(trainer.params)
    slopes = call(x=x, y=truth)[1]
    own = central_differences(lambda points: call(x=points, y=truth)[0], x)
    agree("the gradient by the pixels against central differences", np.abs(own - slopes).max())
    better = call(x=x - 0.01 * slopes / np.linalg.norm(slopes, axis=1, keepdims=True), y=truth)[0]
    expect("a small step along each arrow makes the right answer more likely", (better < call(x=x, y=truth)[0]).all())
    sure = p[wrong].max(axis=1)
    titles = [f"said {s} ({q:.0%})\nis {t}" for s, q, t in zip(said, sure, y[wrong], strict=True)]
    draw_misread(x, slopes, titles, out)


# ---- oracles -----------------------------------------------------------------------------------------------


def forward(x: Array, params: Arrays) -> Array:
    """Return the probabilities, by hand in NumPy."""
    hidden = np.tanh(x @ params["W1"].T + params["b1"])
    powers = np.exp(hidden @ params["W2"].T + params["b2"])
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def exported(source: Path, rows: Array) -> Array:
    """Call the exported function, compiled from its file, on each picture."""
    predict = load_library(source.read_text(encoding="utf-8"), source.stem).digits_predict
    predict.restype = None
    rows, p = np.ascontiguousarray(rows, np.float32), np.empty((len(rows), 10), np.float32)
    for picture, place in zip(rows, p, strict=True):  # the function takes one picture at a time
        predict(ctypes.c_void_p(picture.ctypes.data), ctypes.c_void_p(place.ctypes.data))
    return p


def ship(record: Derivation, trainer: codegen.Trainer, data: Arrays, out: Path) -> None:
    """Export the trained function, run its self-test, and hold it against the trainer."""
    some = {"x": data["x_test"][:8]}
    for name, text in codegen.export_function(record, trainer.params, name="digits", samples=some).items():
        (out / name).write_text(text, encoding="utf-8")
    self_test(out / "digits.c")
    ours, theirs = trainer.predict(data["x_test"]), exported(out / "digits.c", data["x_test"])
    agree("the exported function against the trainer", np.abs(ours - theirs).max(), 1e-5)
    expect("both read the same digit in every picture", (ours.argmax(axis=1) == theirs.argmax(axis=1)).all())


def scikit_learn(data: Arrays) -> float:
    """Return the held-out accuracy of scikit-learn's network of the same size, with its own settings."""
    network = MLPClassifier((HIDDEN,), activation="tanh", random_state=0)
    for _ in range(THEIR_EPOCHS):
        network.partial_fit(data["x"], data["y"], classes=np.arange(10))
    return float(network.score(data["x_test"], data["y_test"]))


def compare(record: Derivation, trainer: codegen.Trainer, accuracies: list[float], data: Arrays) -> None:
    few = codegen.compile(record, target=compiled_target(), batch=16, dtype="float64", sizes={"m": HIDDEN})
    few.bind(x=data["x"][:16], y=data["y"][:16])
    agree("compiled gradients against central differences", gradient_error(few))
    hand = forward(data["x_test"].astype(np.float64), trainer.params)
    agree("probabilities against NumPy by hand", np.abs(hand - trainer.predict(data["x_test"])).max(), 1e-5)
    right = float((hand.argmax(axis=1) == data["y_test"]).mean())
    agree("the accuracy against NumPy by hand", abs(right - accuracies[0]), 0)
    theirs = scikit_learn(data)
    expect(f"at least {WANTED:.0%} from each start: {min(accuracies):.1%} or more", min(accuracies) >= WANTED)
    expect(f"at most 1 % below scikit-learn's {theirs:.1%}", min(accuracies) >= theirs - 0.01)


def moving(trainer: codegen.Trainer, data: Arrays) -> None:
    """Measure what the page says of digits that are moved."""
    for by, most in ((1, 0.6), (2, 0.2)):
        ways = [moved(data["x_test"], sign * by, axis) for sign in (-1, 1) for axis in (1, 2)]
        right = np.mean([trainer.predict(way).argmax(axis=1) == data["y_test"] for way in ways])
        expect(f"moved by {by} pixel{'s' * (by > 1)}: {right:.0%} are read right, less than {most:.0%}", right < most)


def main() -> None:
    out = output_folder(__doc__)
    derive("check", PAGE)
    derive("sheet", PAGE, "-o", out / "digits.html")
    data, record = make_digits(), Model.read(PAGE).gradients("L")
    runs = [train(record, data, seed) for seed in range(SEEDS)]
    accuracies = [history.epochs[-1].metric or 0.0 for _, history in runs]
    print("right of the held-out digits:", ", ".join(f"{accuracy:.2%}" for accuracy in accuracies))
    trainer, history = runs[0]
    draw_learning(history, out)
    last = history.epochs[-1]
    expect("the loss is lower on what was trained on", last.loss < (last.held_out_loss or 0))
    said = trainer.predict(data["x_test"]).argmax(axis=1)
    draw_confusion(np.histogram2d(data["y_test"], said, bins=np.arange(11))[0].astype(int), out)
    draw_weights(trainer.params["W1"], out)
    show_misread(trainer, data, out)
    ship(record, trainer, data, out)
    moving(trainer, data)
    compare(record, trainer, accuracies, data)


if __name__ == "__main__":
    main()
