"""First models on real data: linear and logistic regression, softmax, a hidden layer, and mini-batches.

What you will see: every formula of `11_first_models.md` proved; four models trained in C and judged on a fifth of the
samples that was held out; the same training with mini-batches of four sizes. In --out: `first_models.html` (the
sheet), `regression.png`, `logistic.png`, `softmax.png`, `hidden.png`, `batches.png`.

How long: about twelve seconds. What it needs: a C compiler, and scikit-learn and Matplotlib for data, oracles and
pictures (`pip install "derive[examples]"`).

    python examples/11_first_models.py --out out
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from course import agree, compiled_target, derive, expect, gradient_error, output_folder
from pictures import BLUE, GREEN, GREY, ORANGE, RED, pyplot, save

import codegen

try:
    import sklearn.datasets
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier
except ImportError as missing:
    sys.exit(f"{missing}: needs scikit-learn. Run: pip install 'derive[examples]'")

Array = npt.NDArray[np.float64]
PAGE = Path(__file__).with_suffix(".md")
DECAY = 0.01  # what each step takes off the weights; without it those of classes that can be told apart grow for ever
CONVERGED = 1e-6  # the largest difference from the best parameters there are, after training to the end
EPOCHS, BATCH, NEURONS, TILES = 25, 32, 16, 4  # the weights of the neurons are shown as 4 rows of 4 tiles
BATCHES = {1: RED, 16: ORANGE, 64: GREEN, 455: BLUE}  # samples a step; the last are all
SLOW = 0.05  # a learning rate that one sample a step can bear
WINE = ["flavanoids", "color_intensity"]
KINDS, TINTS = (BLUE, ORANGE, GREEN), ("#cfe0f1", "#f9dcc4", "#cfe8d9")


@dataclass(frozen=True)
class Data:
    """Inputs and targets; inputs are in standard deviations from the mean, both of the rows that are trained on."""

    train: dict[str, Array]
    held_out: dict[str, Array]
    inputs: list[str]

    @property
    def rows(self) -> int:
        """How many samples are trained on."""
        return len(self.train["x"])


# ---- data and training -----------------------------------------------------------------------------------------


def load(name: str, columns: Sequence[str] = ()) -> Data:
    """Return a data set that scikit-learn brings, a fifth of its rows held out; inputs of other columns are all 0."""
    bunch = getattr(sklearn.datasets, f"load_{name}")()
    names = list(bunch.feature_names)
    y = {"digits": bunch.target % 2, "breast_cancer": 1 - bunch.target}.get(name, bunch.target)  # odd; malignant
    classes = None if name == "diabetes" else y  # as often here as there
    x, x_test, y, y_test = train_test_split(bunch.data, y, test_size=0.2, random_state=0, stratify=classes)
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread[spread == 0] = 1  # pixels that are always white
    shown = np.isin(names, columns or names)
    train, held_out = ({"x": (a - mean) / spread * shown, "y": b} for a, b in ((x, y), (x_test, y_test)))
    return Data(train, held_out, [name for name, here in zip(names, shown, strict=True) if here])


def trainer(section: str, data: Data, lr: float, decay: float = 0.0, batch: int = 0) -> codegen.Trainer:
    """Return the model of one section of the page, compiled for the data; a step takes all of them if not told."""
    made = codegen.compile(
        PAGE, compiled_target(), batch or data.rows, "float64", lr=lr, section=section, weight_decay=decay,
        sizes={"h": NEURONS} if "hidden" in section else None,
    )  # fmt: skip
    return made.bind(**data.train)


def settled(section: str, data: Data, lr: float, decay: float = 0.0) -> codegen.Trainer:
    """Return a model trained with all samples a step until nothing moves any more."""
    model = trainer(section, data, lr, decay)
    model.run(10_000)
    metric, value = codegen.evaluate(model, data.held_out)
    print(f"{section}: {metric} {value:.3f} on {len(data.held_out['y'])} samples that were held out", flush=True)
    return model


def regularised(data: Data) -> LogisticRegression:
    """Return scikit-learn's regression with the same decay of the weights, solved by Newton's method."""
    oracle = LogisticRegression(C=1 / (DECAY * data.rows), solver="newton-cholesky", tol=1e-12)
    return oracle.fit(data.train["x"], data.train["y"])


# ---- how much? -------------------------------------------------------------------------------------------------


def regression(out: Path) -> None:
    data = load("diabetes")
    model = settled("Linear", data, 0.1)
    draw_regression(data, model, out)
    oracle = LinearRegression().fit(data.train["x"], data.train["y"])
    agree("weights against those of LinearRegression", np.abs(model.params["w"] - oracle.coef_).max(), CONVERGED)
    agree("b against that of LinearRegression", abs(float(model.params["b"]) - oracle.intercept_), CONVERGED)
    explained = codegen.evaluate(model, data.held_out, "R2")[1] or 0
    expect(f"about a third of the variance is explained: {explained:.2f}", 0.25 < explained < 0.45)


def draw_regression(data: Data, model: codegen.Trainer, out: Path) -> None:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.6))
    left.plot(data.held_out["y"], model.predict(data.held_out["x"]), "o", color=BLUE, alpha=0.6)
    left.plot([25, 345], [25, 345], color=GREY, linewidth=1)
    left.set(xlabel="progression after a year, measured", ylabel="predicted", aspect="equal", xlim=(15, 355))
    left.set(title=f"{len(data.held_out['y'])} people who were held out", ylim=(15, 355))
    right.barh(data.inputs, model.params["w"], color=BLUE)
    right.axvline(0, color=GREY, linewidth=0.8)
    right.invert_yaxis()
    right.set(xlabel="weight, for one standard deviation of the input", title="what the model weighs")
    save(figure, out / "regression.png")


# ---- yes or no? ------------------------------------------------------------------------------------------------


def logistic(out: Path) -> None:
    data = load("breast_cancer")
    model = settled("Logistic", data, 0.3, DECAY)
    x, malignant = data.held_out["x"], data.held_out["y"] == 1
    score, p = x @ model.params["w"] + model.params["b"], model.predict(x)
    wrong = (p > 0.5) != malignant
    draw_logistic(score, p, malignant, wrong, out)
    print(f"of {malignant.sum()} malignant tumours {(wrong & malignant).sum()} were missed")
    expect(f"right on held-out tumours: {1 - wrong.mean():.3f}, at least 0.95", wrong.mean() <= 0.05)
    oracle = regularised(data)
    agree("weights against those of LogisticRegression", np.abs(model.params["w"] - oracle.coef_[0]).max(), CONVERGED)
    mini_batches(model, data, oracle, out)


def draw_logistic(score: Array, p: Array, malignant: Array, wrong: Array, out: Path) -> None:
    figure, axis = pyplot.subplots(figsize=(8, 4.4))
    line = np.linspace(-abs(score).max(), abs(score).max(), 300)
    axis.plot(line, 1 / (1 + np.exp(-line)), color=GREY, linewidth=1, label=r"$p = \sigma(z)$")
    for name, here, colour in (("benign", ~malignant, BLUE), ("malignant", malignant, RED)):
        axis.plot(score[here], p[here], "o", color=colour, alpha=0.5, label=f"{name} ({here.sum()})")
    axis.plot(score[wrong], p[wrong], "o", color="black", markersize=13, fillstyle="none", label="on the wrong side")
    axis.axvline(0, color=GREY, linewidth=0.8, linestyle=":")
    axis.set(xlabel="score $z$", ylabel="probability of malignant", title="tumours that were held out")
    axis.legend(loc="upper left")
    save(figure, out / "logistic.png")


# ---- which of several? -----------------------------------------------------------------------------------------


def softmax(out: Path) -> None:
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.6))
    for data, axis, draw in zip((load("wine", WINE), load("wine")), axes, (draw_regions, draw_confusion), strict=True):
        model = settled("Softmax", data, 0.3, DECAY)
        draw(data, model, axis)
        difference = np.abs(model.params["W"] - regularised(data).coef_).max()
        agree("W against that of LogisticRegression", difference, CONVERGED)
        right = codegen.evaluate(model, data.held_out)[1] or 0
        least = 1 if len(data.inputs) == 13 else 0.85
        expect(f"with {len(data.inputs)} measurements, {right:.3f} of held-out wines are told right", right >= least)
    save(figure, out / "softmax.png")


def draw_regions(data: Data, model: codegen.Trainer, axis: Axes) -> None:
    shown = data.train["x"].any(axis=0)
    low, high = data.train["x"][:, shown].min(axis=0), data.train["x"][:, shown].max(axis=0)
    ticks = np.linspace(low - 0.3, high + 0.3, 200).T
    points = np.zeros((200 * 200, len(shown)))
    points[:, shown] = np.stack(np.meshgrid(*ticks), axis=-1).reshape(-1, 2)
    said = model.predict(points).argmax(axis=1).reshape(200, 200)
    axis.pcolormesh(*ticks, said, cmap=ListedColormap(TINTS))
    for kind, colour in enumerate(KINDS):
        here = data.held_out["x"][data.held_out["y"] == kind][:, shown]
        axis.plot(*here.T, "o", color=colour, markeredgecolor="white", label=f"held out, wine {kind}")
    axis.set(xlabel="flavanoids, standardised", ylabel="colour intensity, standardised", title="two measurements")
    axis.legend(loc="upper right")


def draw_confusion(data: Data, model: codegen.Trainer, axis: Axes) -> None:
    table = np.zeros((3, 3), np.int64)
    np.add.at(table, (data.held_out["y"], model.predict(data.held_out["x"]).argmax(axis=1)), 1)
    axis.imshow(table, cmap="Blues", vmax=2 * table.max())
    for (row, column), count in np.ndenumerate(table):
        axis.text(column, row, str(count), ha="center", va="center", fontsize=14)
    axis.set(xticks=range(3), yticks=range(3), xlabel="the model says wine", ylabel="it is wine")
    axis.set_title(f"all {len(data.inputs)} measurements: held-out wines")


# ---- one hidden layer ------------------------------------------------------------------------------------------


def hidden(out: Path) -> None:
    data = load("digits")
    linear = regularised(data).score(data.held_out["x"], data.held_out["y"])
    model = trainer("hidden", data, 0.2, batch=BATCH)
    agree("gradients of the hidden layer against central differences", gradient_error(model))
    history = codegen.fit(model, held_out=data.held_out, epochs=EPOCHS)
    right = [epoch.metric or 0.0 for epoch in history.epochs]
    draw_hidden(right, linear, model.params["W1"], out)
    theirs = network(data).score(data.held_out["x"], data.held_out["y"])
    agree(f"accuracy {right[-1]:.3f} against {theirs:.3f} of MLPClassifier", abs(right[-1] - theirs), 0.03)
    expect(f"without hidden layer {linear:.3f} are right, with it {right[-1]:.3f}", 0.93 > linear < right[-1] - 0.04)


def network(data: Data) -> MLPClassifier:
    """Return scikit-learn's network of the same size, trained as long."""
    oracle = MLPClassifier(
        (NEURONS,), activation="tanh", solver="sgd", momentum=0, learning_rate_init=0.2, batch_size=BATCH, alpha=0,
        random_state=0,
    )  # fmt: skip
    for _ in range(EPOCHS):
        oracle.partial_fit(data.train["x"], data.train["y"], classes=[0, 1])
    return oracle


def draw_hidden(right: list[float], linear: float, weights: Array, out: Path) -> None:
    figure, (curve, picture) = pyplot.subplots(1, 2, figsize=(11, 4.6))
    curve.plot(range(1, EPOCHS + 1), np.multiply(right, 100), color=BLUE, label=f"{NEURONS} hidden neurons")
    curve.axhline(100 * linear, color=ORANGE, label="no hidden layer")
    curve.set(xlabel="epochs", ylabel="right on held-out digits (%)", title="odd or even?", ylim=(88, 100))
    curve.legend(loc="lower right")
    edge = ((0, 0), (0, 0), (0, 1), (0, 1))
    tiles = np.pad(weights.reshape(TILES, TILES, 8, 8), edge, constant_values=np.nan)
    whole = tiles.transpose(0, 2, 1, 3).reshape(9 * TILES, 9 * TILES)[:-1, :-1]
    shown = picture.imshow(whole, cmap="RdBu", vmin=-abs(weights).max(), vmax=abs(weights).max())
    picture.set_title("the 64 weights of each hidden neuron")
    picture.axis("off")
    figure.colorbar(shown, ax=picture)
    save(figure, out / "hidden.png")


# ---- in small portions -----------------------------------------------------------------------------------------


def mini_batches(model: codegen.Trainer, data: Data, oracle: LogisticRegression, out: Path) -> None:
    """Train once more from 0 with mini-batches of several sizes, and follow how far the loss is above its least."""
    mean_gradient(model, data)
    best = {"w": oracle.coef_[0], "b": oracle.intercept_[0]}
    above = {size: descent(model, data, size, objective(data, best)) for size in BATCHES}
    draw_batches(above, data.rows, out)
    expect("after one epoch the smallest mini-batch is furthest down", min(above, key=lambda size: above[size][1]) == 1)
    rises = {size: int((np.diff(path) > 0).sum()) for size, path in above.items()}
    trembles = rises.pop(1) >= 8 and not any(rises.values())
    expect("the loss trembles with one sample a step; with more it falls in every epoch", trembles)


def mean_gradient(model: codegen.Trainer, data: Data) -> None:
    """Compare the gradient of the page's mean over samples with the mean of the samples' gradients, by NumPy."""
    x, y = data.train["x"], data.train["y"]
    whole = codegen.compile(PAGE, "numpy", 1, "float64", section="mini-batches").bind(X=x[None], y=y[None])
    for name, array in whole.params.items():
        array[...] = model.params[name] / 2  # anywhere but at the end, where the gradient is 0
    found = whole.loss_and_gradients()[1]["w"]
    p = 1 / (1 + np.exp(-(x @ whole.params["w"] + whole.params["b"])))
    agree("gradient of a mean against NumPy's mean of gradients", abs(found - ((p - y) @ x) / len(x)).max(), 1e-12)


def objective(data: Data, params: Mapping[str, Array]) -> float:
    """Return what a training with decay makes small, by NumPy."""
    margin = (2 * data.train["y"] - 1) * (data.train["x"] @ params["w"] + params["b"])
    return float(np.logaddexp(0, -margin).mean() + DECAY / 2 * np.square(params["w"]).sum())


def descent(model: codegen.Trainer, data: Data, size: int, least: float) -> list[float]:
    """Return how far the loss is above its least value, at the start and after each epoch."""
    for array in model.params.values():
        array[...] = 0
    above = [objective(data, model.params) - least]

    def note(_: codegen.Epoch) -> None:
        above.append(objective(data, model.params) - least)

    history = codegen.fit(model, epochs=EPOCHS, batch=size, lr=SLOW, on_epoch=note)
    seconds = sum(epoch.seconds for epoch in history.epochs) / EPOCHS
    print(f"{size} samples a step: {model.batches} steps an epoch, {1e6 * seconds:.0f} microseconds")
    return above


def draw_batches(above: dict[int, list[float]], rows: int, out: Path) -> None:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.6), sharey=True)
    for size, path in above.items():
        left.plot(path, color=BATCHES[size], label=f"all {size}" if size == rows else str(size))
        right.plot(np.arange(1, EPOCHS + 1) * -(-rows // size), path[1:], color=BATCHES[size])
    left.set(xlabel="epochs: how often each sample was looked at", ylabel="loss above its least value", yscale="log")
    right.set(xlabel="steps", xscale="log")
    right.legend(*left.get_legend_handles_labels(), title="samples a step", loc="lower left")
    save(figure, out / "batches.png")


def main() -> None:
    out = output_folder(__doc__)
    derive("check", PAGE)
    derive("sheet", PAGE, "-o", out / "first_models.html")
    for section in (regression, logistic, softmax, hidden):
        print()
        section(out)


if __name__ == "__main__":
    main()
