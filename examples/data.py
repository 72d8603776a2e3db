"""Write the two data files that the other examples train on: `digits.npz` and `cats.npz`.

You will see: each file's arrays, and what a small network of scikit-learn (the oracle: 32 sigmoids, plain
mini-batch SGD) gets right on the held-out rows. Takes about five seconds; needs scikit-learn and scikit-image
and no network: every photograph lies inside their wheels.

    python examples/data.py --out DIR

digits.npz   handwritten digits, 8x8 pixels scaled to 0..1; y is the digit; a stratified fifth is held out.
cats.npz     patches of 16x16 pixels, averaged to 8x8 in three colours; y is 1 on the face of scikit-image's
             cat `chelsea`, 0 on six other photographs. Each photograph is cut into five bands of rows; the
             second and the fourth are held out, a patch's height away from the training bands: no pixel is
             seen both in training and in the test. It is one cat: what is learnt is this cat's fur and eyes
             against six scenes, not cats at large.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

try:
    import skimage.data
    import sklearn.datasets
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier
except ImportError as missing:
    sys.exit(f"{missing}: needs scikit-learn and scikit-image. Run: pip install 'derive[examples]'")

Images = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[Any]]

PATCH = 16  # pixels; also the gap between training and test bands
BANDS = 5
HELD_OUT_BANDS = (1, 3)
FACE = slice(20, 350)  # the columns of `chelsea` that the cat fills; the rest is a blurred room
TRAIN_A_CLASS, TEST_A_CLASS = 2400, 600
EPOCHS = 40
WORTHWHILE = 0.85  # the held-out accuracy that the oracle must reach; chance is 0.1 and 0.5


def make_digits() -> Arrays:
    digits = sklearn.datasets.load_digits()
    pixels = (digits.data / 16).astype(np.float32)
    x, x_test, y, y_test = train_test_split(
        pixels, digits.target.astype(np.int64), test_size=0.2, random_state=0, stratify=digits.target
    )
    return {"x": x, "y": y, "x_test": x_test, "y_test": y_test}


def photographs() -> tuple[list[Images], list[Images]]:
    """The cat, and six scenes without one; all in colour, so that colour alone gives nothing away."""
    cats = [skimage.data.chelsea()[:, FACE]]
    others = [
        skimage.data.astronaut(),
        skimage.data.coffee(),
        skimage.data.rocket(),
        skimage.data.stereo_motorcycle()[0],
        sklearn.datasets.load_sample_image("china.jpg"),
        sklearn.datasets.load_sample_image("flower.jpg"),
    ]
    return [image / np.float32(255) for image in cats], [image / np.float32(255) for image in others]


def bands(height: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Rows (start, stop) for training and for the test; training bands keep a patch's distance."""
    edges = [height * band // BANDS for band in range(BANDS + 1)]
    train, test = [], []
    for band, (start, stop) in enumerate(itertools.pairwise(edges)):
        if band in HELD_OUT_BANDS:
            test.append((start, stop))
        else:
            above, below = (PATCH * (neighbour in HELD_OUT_BANDS) for neighbour in (band - 1, band + 1))
            train.append((start + above, stop - below))
    return train, test


def patches(image: Images, rows: list[tuple[int, int]], stride: int = 3) -> Iterator[Images]:
    """Every patch inside the bands, each 2x2 block averaged to one pixel, flattened."""
    half = PATCH // 2
    for start, stop in rows:
        for top in range(start, stop - PATCH + 1, stride):
            for left in range(0, image.shape[1] - PATCH + 1, stride):
                patch = image[top : top + PATCH, left : left + PATCH]
                yield patch.reshape(half, 2, half, 2, 3).mean(axis=(1, 3)).ravel()


def draw(images: list[Images], part: int, count: int, rng: np.random.Generator) -> list[Images]:
    """The same number of patches from each photograph, without repetition."""
    chosen = []
    for image in images:
        every = list(patches(image, bands(len(image))[part]))
        chosen += [every[i] for i in rng.choice(len(every), count // len(images), replace=False)]
    return chosen


def make_cats() -> Arrays:
    rng = np.random.default_rng(0)
    cats, others = photographs()
    arrays: Arrays = {}
    for part, (suffix, count) in enumerate((("", TRAIN_A_CLASS), ("_test", TEST_A_CLASS))):
        drawn = draw(cats, part, count, rng) + draw(others, part, count, rng)
        order = rng.permutation(len(drawn))
        arrays["x" + suffix] = np.array(drawn, np.float32)[order]
        arrays["y" + suffix] = np.repeat([1, 0], count)[order]
    # One mean and one spread for all pixels, of the training rows alone: the colours keep their relation.
    mean, spread = arrays["x"].mean(), arrays["x"].std()
    return arrays | {name: ((arrays[name] - mean) / spread).astype(np.float32) for name in ("x", "x_test")}


def oracle_accuracy(arrays: Arrays) -> float:
    """Held-out accuracy of the network that the examples train, trained by scikit-learn instead."""
    network = MLPClassifier(
        hidden_layer_sizes=(32,), activation="logistic", solver="sgd", momentum=0,
        learning_rate_init=0.5, batch_size=64, random_state=0,
    )  # fmt: skip
    for _ in range(EPOCHS):
        network.partial_fit(arrays["x"], arrays["y"], classes=np.unique(arrays["y"]))
    return float(network.score(arrays["x_test"], arrays["y_test"]))


def write(out: Path) -> dict[str, Arrays]:
    """Write both files; numpy.savez dates every member 1980, so the bytes are the same each time."""
    out.mkdir(parents=True, exist_ok=True)
    files = {"digits.npz": make_digits(), "cats.npz": make_cats()}
    for name, arrays in files.items():
        np.savez(out / name, allow_pickle=False, **arrays)
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description="Write digits.npz and cats.npz.")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the files (default: out)")
    out = parser.parse_args().out
    worst = 1.0
    for name, arrays in write(out).items():
        accuracy = oracle_accuracy(arrays)
        worst = min(worst, accuracy)
        shapes = ", ".join(f"{key} {array.shape}" for key, array in arrays.items())
        print(f"{out / name}: {shapes}; scikit-learn gets {accuracy:.1%} of the held-out rows right")
    return 0 if worst >= WORTHWHILE else 1


if __name__ == "__main__":
    sys.exit(main())
