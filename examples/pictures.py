"""How the pictures of the course look: Matplotlib without a screen, sizes that can be read, one way to save."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

try:
    import matplotlib as mpl
except ImportError as missing:
    sys.exit(f"{missing}: needs Matplotlib. Run: pip install 'derive[examples]'")

mpl.use("Agg")
from matplotlib import pyplot  # the screen is chosen before the first figure
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D

Array = npt.NDArray[np.float64]

BLUE, ORANGE, GREEN, RED, GREY = "#2563a8", "#d9730d", "#2e8b57", "#b3261e", "#6b7280"
HEAT = "YlOrRd_r"  # light yellow the highest, dark red the lowest

mpl.rcParams.update({
    "figure.dpi": 100, "savefig.dpi": 130, "figure.constrained_layout.use": True, "font.size": 11,
    "axes.titlesize": 12, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False,
    "axes.prop_cycle": mpl.cycler(color=[BLUE, ORANGE, GREEN, RED, GREY]), "legend.frameon": False, "image.cmap": HEAT,
    "svg.hashsalt": "derive",
})  # fmt: skip


def save(figure: Figure, path: Path) -> Path:
    """Write a picture, the same bytes each time, and say where."""
    figure.savefig(path, metadata={"Software": None} if path.suffix == ".png" else None)
    pyplot.close(figure)
    print(f"picture: {path}", flush=True)
    return path


def draw_surface(axis: Axes3D, x: Array, y: Array, z: Array, ticks: Sequence[float], **more: Any) -> None:
    """Draw heights over a plane, light yellow the highest; few ticks, so that they can be read."""
    axis.plot_surface(x, y, z, cmap=HEAT, linewidth=0.1, edgecolor="white", antialiased=True, **more)
    axis.set(xticks=ticks, yticks=ticks, xlabel="$x$", ylabel="$y$")
    axis.tick_params(pad=0)
