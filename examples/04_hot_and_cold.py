"""Hot and cold: the lowest point of d(x) = x² + 1, by steps of 1, by slopes between two points, by the derivative.

What you will see: every formula of `04_hot_and_cold.md` proved, the derivative as a limit among them; the game as a
table and as moving pictures, with fixed steps from -2 and from -1.5, which never comes to 0, and with steps along the
slope; what the learning rate does. In --out: `hot_and_cold.html` (the page with its verdicts), `games.txt` (the
tables), `game.gif`, `games.png`, `rates.png`.

How long: about ten seconds. What it needs: Matplotlib (`pip install "derive[examples]"`).

    python examples/04_hot_and_cold.py --out out
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import sympy
from course import agree, derive, expect, output_folder
from matplotlib.animation import FuncAnimation, PillowWriter
from pictures import BLUE, GREY, RED, pyplot, save

import codegen
from derive import Derivation, Model, scalar

PAGE = Path(__file__).with_suffix(".md")
APART = 1e-3  # the q of the slope between two points
MOVES = 8
LABELLED = 6  # moves with a number in the picture
RATES = (0.1, 0.4, 0.5, 0.9, 1.0, 1.1)
SECONDS_A_MOVE = 1.0

Play = tuple[float, float, str]  # where, how high, what the friend says


def height(x: float) -> float:
    return x**2 + 1


def steps_of_one(x: float) -> Iterator[Play]:
    """Play with steps of 1: go on while it gets hotter, else back and the other way; ends where both are colder."""
    direction, turned = 1, False
    yield x, height(x), "start"
    while True:
        tried = x + direction
        if height(tried) < height(x):
            x, turned = tried, False
            yield x, height(x), "hotter"
            continue
        yield tried, height(tried), "colder" if height(tried) > height(x) else "the same"
        if turned:
            yield x, height(x), "the lowest found"
            return
        direction, turned = -direction, True


def along_the_slope(x: float, rate: float, slope: Callable[[float], float]) -> Iterator[Play]:
    """Subtract the slope times the learning rate, again and again."""
    yield x, height(x), "start"
    while True:
        before, x = x, x - rate * slope(x)
        yield x, height(x), "hotter" if height(x) < height(before) else "not hotter"


def between_two_points(x: float) -> float:
    return (height(x + APART) - height(x)) / APART


def model() -> Derivation:
    """Return the same function as a model whose one parameter is x."""
    own = Model("d")
    x = scalar("x")
    own.define("d", x**2 + 1)
    own.train(x)
    return own.gradients("d")


def trained(record: Derivation, start: float, rate: float, steps: int) -> list[float]:
    """Return where compiled gradient descent stands after each step."""
    trainer = codegen.compile(record, target="numpy", dtype="float64", lr=rate, batch=1)
    trainer.bind()
    trainer.params["x"][...] = start
    places = [start]
    for _ in range(steps):
        trainer.run(1)
        places.append(float(trainer.params["x"]))
    return places


# ---- tables and pictures -------------------------------------------------------------------------------------
def table(title: str, plays: Sequence[Play]) -> str:
    rows = [f"{k:4}  {x:10.4f}  {y:10.4f}  {said}" for k, (x, y, said) in enumerate(plays)]
    return "\n".join([title, "step           x        d(x)  the friend says", *rows, ""])


def draw_ground(axis: pyplot.Axes) -> None:
    x = np.linspace(-2.4, 2.4, 200)
    axis.plot(x, x**2 + 1, color=GREY, linewidth=1.4)
    axis.set(xlabel="$x$", ylabel="$d(x)$", xlim=(-2.4, 2.4), ylim=(0.5, 6.9))


def draw_games(games: dict[str, list[Play]], out: Path) -> None:
    figure, axes = pyplot.subplots(1, len(games), figsize=(4 * len(games), 3.8), sharey=True)
    for axis, (title, plays) in zip(axes, games.items(), strict=True):
        draw_ground(axis)
        x, y = np.array([(x, y) for x, y, _ in plays]).T
        axis.plot(x, y, "o-", color=BLUE, markersize=6, linewidth=1)
        moves: defaultdict[tuple[float, float], list[str]] = defaultdict(list)  # places to the moves that lead there
        for move, (at, high, _) in enumerate(plays[:LABELLED]):
            moves[round(at, 1), round(high, 1)].append(str(move))
        for place, numbers in moves.items():
            axis.annotate(", ".join(numbers), place, (4, 9), textcoords="offset points", ha="left")
        axis.set_title(title)
        axis.label_outer()
    save(figure, out / "games.png")


def animate(games: dict[str, list[Play]], out: Path) -> None:
    """Write the games as moving pictures, one move a second, side by side."""
    figure, axes = pyplot.subplots(1, len(games), figsize=(4 * len(games), 3.6), sharey=True)
    dots, words = [], []
    for axis, title in zip(axes, games, strict=True):
        draw_ground(axis)
        axis.set_title(title)
        axis.label_outer()
        dots.append(axis.plot([], [], "o", color=RED, markersize=12)[0])
        words.append(axis.text(0, 6.2, "", ha="center", fontsize=13))

    def show(move: int) -> list[object]:
        for dot, word, plays in zip(dots, words, games.values(), strict=True):
            x, y, said = plays[min(move, len(plays) - 1)]
            dot.set_data([x], [y])
            word.set_text(f"{move}: {said}" if move < len(plays) else f"{said}")
        return [*dots, *words]

    moves = max(map(len, games.values()))
    moving = FuncAnimation(figure, show, frames=moves, blit=False)
    moving.save(out / "game.gif", PillowWriter(fps=1 / SECONDS_A_MOVE), dpi=70)
    pyplot.close(figure)
    print(f"picture: {out / 'game.gif'}")


def draw_rates(paths: dict[float, list[float]], out: Path) -> None:
    figure, axis = pyplot.subplots(figsize=(8, 4.4))
    colours = pyplot.get_cmap("viridis")(np.linspace(0, 0.9, len(paths)))
    for (rate, path), colour in zip(paths.items(), colours, strict=True):
        axis.plot(path, "o-", color=colour, markersize=4, label=f"{rate}")
    axis.set(xlabel="steps taken", ylabel="$x$", ylim=(-6, 6), title=r"$x \leftarrow x - \alpha\, d'(x)$ from $-2$")
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.legend(title="learning rate", loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, out / "rates.png")


def main() -> None:
    out = output_folder(__doc__)
    derive("check", PAGE, "-o", out / "hot_and_cold.html")
    record = model()
    games = {
        "steps of 1 from $-2$": list(steps_of_one(-2.0)),
        "steps of 1 from $-1.5$": list(islice(steps_of_one(-1.5), MOVES)),
        "slopes, rate 0.1": list(islice(along_the_slope(-2.0, 0.1, between_two_points), MOVES)),
        "slopes, rate 1": list(islice(along_the_slope(-2.0, 1.0, between_two_points), MOVES)),
    }
    tables = "\n".join(table(title.replace("$", ""), plays) for title, plays in games.items())
    (out / "games.txt").write_text(tables, encoding="utf-8")
    print(f"\n{tables}")
    draw_games(games, out)
    animate(games, out)
    paths = {rate: trained(record, -2.0, rate, 12) for rate in RATES}
    draw_rates(paths, out)
    compare(games, paths)


def compare(games: dict[str, list[Play]], paths: dict[float, list[float]]) -> None:
    heights = [y for _, y, _ in games["steps of 1 from $-2$"]]
    expect("from -2 the game goes 5, 2, 1, 2, then 2 on the other side, back to 1", heights == [5, 2, 1, 2, 2, 1])
    expect("from -1.5 no step lands on 0", all(x != 0 for x, _, _ in games["steps of 1 from $-1.5$"]))
    x, q = sympy.symbols("x q")
    limit = sympy.limit(((x + q) ** 2 + 1 - (x**2 + 1)) / q, q, 0)
    expect(f"SymPy's limit of the slope is {limit}", limit == 2 * x)
    exact = {rate: -2.0 * (1 - 2 * rate) ** np.arange(13) for rate in RATES}
    agree("compiled descent against (1 - 2α)ⁿ x", max(np.abs(exact[r] - paths[r]).max() for r in RATES), 1e-9)


if __name__ == "__main__":
    main()
