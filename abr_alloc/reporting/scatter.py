"""Predictions against ratings, stimulus by stimulus."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

__all__ = ["draw_scatter"]

_INK, _POINT = "#222222", "#0072B2"
_MOST_POINTS = 5000


def draw_scatter(
    predicted: npt.NDArray[np.floating],
    target: npt.NDArray[np.floating],
    *,
    label: str,
    scale: tuple[float, float],
    figures: str,
) -> Figure:
    """Ratings over held-out predictions with the identity line.

    Args:
        predicted: predictions, (n,), in the ratings' unit.
        target: ratings, (n,).
        label: the system, for the title.
        scale: worst and best rating: both axes.
        figures: PLCC and the like, for the corner.
    """
    figure = Figure(figsize=(5.0, 5.0), layout="constrained")
    axes = figure.subplots()
    step = -(-len(target) // _MOST_POINTS)
    low, high = scale
    axes.plot([low, high], [low, high], color=_INK, linewidth=1.0, label="identity")
    axes.plot(
        predicted[::step],
        target[::step],
        "o",
        markersize=4,
        fillstyle="none",
        color=_POINT,
        alpha=0.7,
        label="stimulus",
    )
    margin = 0.03 * (high - low)
    # A system may leave the scale; its points must not leave the picture.
    axes.set_xlim(min(low, float(np.min(predicted))) - margin, max(high, float(np.max(predicted))) + margin)
    axes.set_ylim(low - margin, high + margin)
    axes.set_aspect("equal")
    axes.set_title(label, loc="left", fontsize=10, color=_INK)
    axes.set_xlabel(f"predicted, not trained on ({low:g}-{high:g})", fontsize=9)
    axes.set_ylabel(f"rated ({low:g}-{high:g})", fontsize=9)
    axes.text(0.97, 0.03, figures, transform=axes.transAxes, ha="right", va="bottom", fontsize=8, color=_INK)
    axes.legend(loc="upper left", fontsize=8, frameon=False)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
