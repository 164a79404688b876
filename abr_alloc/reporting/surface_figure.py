"""A picture of surfaces: lines of equal AVQ, the budget line, the chosen pair and its path over all budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.reporting.isolines import IsoLine, iso_lines, place_labels
from abr_alloc.reporting.style import AUDIO, CHOSEN, INK, MAX_PANELS, MUTED, heading, tidy, use_rates

__all__ = ["SurfacePanel", "draw_surfaces"]

_PANEL_IN = 4.6
_SAME_AUDIO = 0.005  # relative difference of rates below which audio is the same


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfacePanel:
    """One surface and what is chosen on it."""

    surface: QualitySurface
    """The surface of a scene, or of a whole title."""
    label: str
    """What it is of."""
    path_kbps: tuple[tuple[float, float], ...]
    """Video and audio rate of the choice at rising budgets, kbps."""
    chosen_kbps: tuple[float, float] | None
    """The same at the budget of the picture; None where nothing fits."""
    chosen_mos: float | None
    """AVQ there, MOS."""
    measured_kbps: tuple[float, ...] = ()
    """Video rates that were measured, where the surface has more than these; else empty."""


def draw_surfaces(panels: Sequence[SurfacePanel], *, budget_kbps: float, overhead: float) -> Figure:
    """A panel per surface, video rate to the right and audio rate upwards, both logarithmic; at most 40 are drawn.

    Args:
        panels: what to draw.
        budget_kbps: total rate of the budget line, kbps.
        overhead: container overhead as a share of the streams' rate.
    """
    drawn = panels[:MAX_PANELS]
    columns = min(2, len(drawn))
    rows = -(-len(drawn) // columns)
    figure = Figure(figsize=(0.6 + _PANEL_IN * columns, 0.7 + 0.85 * _PANEL_IN * rows), layout="constrained")
    left_out = f" ({len(panels) - len(drawn)} more not drawn)" if len(panels) > len(drawn) else ""
    figure.suptitle(f"Lines of equal AVQ (MOS) and a budget of {budget_kbps:g} kbps{left_out}", fontsize=11)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, place in zip(drawn, axes, strict=False):
        _draw_panel(place, panel, budget_kbps / (1.0 + overhead))
    for place in axes[len(drawn) :]:
        place.set_visible(False)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2 * columns, fontsize=8, frameon=False)
    return figure


def _runs(path_kbps: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Parts of a path over which the audio rate stays."""
    runs: list[list[tuple[float, float]]] = []
    for point in path_kbps:
        if runs and abs(point[1] / runs[-1][-1][1] - 1.0) < _SAME_AUDIO:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def _outline(line: IsoLine, right: float, top: float, *, stepped: bool) -> tuple[list[float], list[float]]:
    """A line of equal AVQ from the right edge to the top edge.

    Of measured rates alone it is the staircase that bounds the pairs which reach the AVQ. Between them any video rate
    can be had, so only the corners are exact, one per audio rendition, and are joined.
    """
    if not stepped:
        return [right, *line.video_kbps, line.video_kbps[-1]], [line.audio_kbps[0], *line.audio_kbps, top]
    x = [right, *np.repeat(line.video_kbps, 2).tolist()]
    return x, [line.audio_kbps[0], *np.repeat(line.audio_kbps, 2).tolist()[1:], top]


def _draw_panel(axes: Axes, panel: SurfacePanel, streams_kbps: float) -> None:
    video = np.array([v.bitrate_kbps for v in panel.surface.video])
    audio = np.array([a.bitrate_kbps for a in panel.surface.audio])
    (left, right), (bottom, top) = (video.min() / 1.15, video.max() * 1.15), (audio.min() / 1.12, audio.max() * 1.2)
    use_rates(axes, "x")
    use_rates(axes, "y")
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    lines = iso_lines(panel.surface)
    for number, line in enumerate(lines):
        x, y = _outline(line, right, top, stepped=not panel.measured_kbps)
        axes.fill([*x, right], [*y, top], color=AUDIO, alpha=0.07, linewidth=0)
        if panel.measured_kbps:  # along the edge below its first corner a line bounds what there is, not what is equal
            x, y = x[1:], y[1:]
        axes.plot(x, y, color=AUDIO, linewidth=1.0, alpha=0.7, label=None if number else "equal AVQ")
    for level_mos, kbps in place_labels(lines, (right / left) ** 0.07):
        axes.annotate(
            f"{level_mos:g}", (kbps, top), xytext=(3, -3), textcoords="offset points",
            fontsize=8, color=INK, va="top", annotation_clip=False,
        )  # fmt: skip
    axes.plot(*np.meshgrid(panel.measured_kbps or video, audio), ".", color=MUTED, markersize=1.5, zorder=1)
    line_kbps = np.geomspace(max(left, streams_kbps - top), max(min(right, streams_kbps - bottom), left), 200)
    axes.plot(line_kbps, streams_kbps - line_kbps, "--", color=INK, linewidth=1.2, label="budget")
    if panel.path_kbps:
        # Through the jumps from one audio rendition to another there is nothing to choose: they are dotted.
        axes.plot(*zip(*panel.path_kbps, strict=True), ":", color=CHOSEN, linewidth=0.8)
        for number, run in enumerate(_runs(panel.path_kbps)):
            name = None if number else "chosen at every budget"
            axes.plot(*zip(*run, strict=True), "-", color=CHOSEN, linewidth=1.6, solid_capstyle="round", label=name)
    if panel.chosen_kbps is not None:
        axes.plot(
            *panel.chosen_kbps, "D", color=CHOSEN, markersize=8, markeredgecolor="white", label="chosen at this budget"
        )
        axes.annotate(
            f"AVQ {panel.chosen_mos:.2f}", panel.chosen_kbps, xytext=(8, -4), textcoords="offset points",
            fontsize=8, color=INK, va="top", bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        )  # fmt: skip
    axes.set_title(heading(panel.label), loc="left", fontsize=10, color=INK)
    axes.set_xlabel("video (kbps)", fontsize=9)
    axes.set_ylabel("audio (kbps)", fontsize=9)
    tidy(axes)
