"""The ratios as bars, on a scale of factors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

FASTER, SLOWER = "#2b6cb0", "#c05621"


def draw(workloads: Mapping[str, Mapping[str, Any]], geomean: float | None, path: Path) -> None:
    """Write a picture of every workload's ratio; the ending says whether as PNG or SVG."""
    rows = {name: row for name, row in workloads.items() if row["ratio"] is not None}
    figure = Figure(figsize=(8, 1.4 + 0.36 * max(len(rows), 1)), layout="constrained")
    axes = figure.add_subplot()
    ratios = [row["ratio"] for row in rows.values()]
    places = list(range(len(rows)))
    colours = [FASTER if ratio >= 1 else SLOWER for ratio in ratios]
    axes.barh(places, [ratio - 1 for ratio in ratios], left=1, color=colours, height=0.62)
    for place, (ratio, row) in enumerate(zip(ratios, rows.values(), strict=True)):
        text = f"{ratio:.2f}   {row['fastest_peer']}"
        axes.annotate(text, (max(ratio, 1), place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_yticks(places, list(rows))
    axes.invert_yaxis()
    axes.set_xscale("log")
    low, high = min([*ratios, 1]), max([*ratios, 1])
    axes.set_xlim(low / 1.15, high * (high / low) ** 0.35 * 1.6)
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if low / 1.15 <= t <= high * 1.6]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("time of the fastest peer / ours (right of 1: ours is faster)")
    mean = "" if geomean is None else f"; geometric mean of W1 to W6: {geomean:.2f}"
    axes.set_title(f"A training step on one thread{mean}", fontsize=11, loc="left")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    with mpl.rc_context({"svg.hashsalt": "derive"}):
        figure.savefig(path, dpi=150)
