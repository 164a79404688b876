"""Pictures of relevance per scene and of what a budget buys: readable without colour, units on every axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from abr_alloc.allocation.results import Allocation
from abr_alloc.allocation.sensitivity import BudgetPoint
from abr_alloc.reporting.style import (
    AUDIO,
    DIGITS,
    HATCH,
    INK,
    MAX_PANELS,
    SHARE_LABEL,
    VIDEO,
    heading,
    tidy,
    use_rates,
)

__all__ = ["draw_relevance", "draw_sensitivity"]

_TITLE_HEIGHT_IN, _SHARES_HEIGHT_IN = 2.1, 1.4
_DARK_VIDEO = "#B06A00"  # thin lines need more contrast than areas


def draw_relevance(
    allocations: Sequence[Allocation], *, budget_kbps: float, chosen: bool, equations: bool = False
) -> Figure:
    """A timeline per title: the audio share of every scene as a bar, the one that plans print.

    Args:
        allocations: one per scene; titles in their order, at most 40 of them are drawn.
        budget_kbps: the budget that they were planned at.
        chosen: whether the user chose it; said in the heading.
        equations: draw ablation (Eq. 6) and feature change (Eq. 7) at the planned pair too. They are of one pair, and
            may lie the other way round than the share of the scene.
    """
    titles = list(dict.fromkeys(a.title for a in allocations))
    drawn = titles[:MAX_PANELS]
    height_in = _TITLE_HEIGHT_IN if equations else _SHARES_HEIGHT_IN
    figure = Figure(figsize=(10.0, 1.0 + height_in * len(drawn)), layout="constrained")
    said = [f"How far the judgement of each scene rests on audio and on video ({SHARE_LABEL})"]
    if equations:
        origin = "chosen" if chosen else "a middling budget of this table"
        said.append(f"below, Eq. 6 and 7 at the one pair planned for {budget_kbps:g} kbps ({origin})")
    if len(titles) > len(drawn):
        said.append(f"{len(titles) - len(drawn)} more titles not drawn")
    figure.suptitle(";\n".join(said), fontsize=11)
    rows = 2 if equations else 1
    grid = figure.add_gridspec(rows * len(drawn), 1, height_ratios=[3, 2][:rows] * len(drawn))
    by_title = [[a for a in allocations if a.title == title] for title in drawn]
    shares = [figure.add_subplot(grid[rows * i]) for i in range(len(drawn))]
    handles: dict[str, Any] = {}
    for axes, title, scenes in zip(shares, drawn, by_title, strict=True):
        _draw_shares(axes, title, scenes)
        handles |= _legend(axes)
    last = shares[-1]
    if equations:
        # One scale for all titles, with headroom, so that they can be compared.
        top_ablation = 1.15 * max(max(a.relevance.ablation.values()) for a in allocations)
        changes = [change for a in allocations for change in (a.relevance.change_norm or {}).values()]
        top_change = 1.15 * max(changes) if changes else None
        for i, scenes in enumerate(by_title):
            shares[i].tick_params(labelbottom=False)
            last = figure.add_subplot(grid[2 * i + 1], sharex=shares[i])
            twin = _draw_components(last, scenes, top_ablation, top_change)
            handles |= _legend(last) | (_legend(twin) if twin else {})
    last.set_xlabel("time in the title (s)", fontsize=9)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6, fontsize=8, frameon=False)
    return figure


def _legend(axes: Axes) -> dict[str, Any]:
    """Handles by label, each label once."""
    return dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))


def _draw_shares(axes: Axes, title: str, scenes: Sequence[Allocation]) -> None:
    for a in scenes:
        start, width, share = a.start_s, a.end_s - a.start_s, 100 * round(a.relevance.audio_share, DIGITS)
        style: dict[str, Any] = {"align": "edge", "edgecolor": "white", "linewidth": 1.0}
        axes.bar(start, share, width, color=AUDIO, hatch=HATCH, label="audio share", **style)
        axes.bar(start, 100 - share, width, bottom=share, color=VIDEO, label="video share", **style)
        wide_enough = width > 0.035 * (scenes[-1].end_s - scenes[0].start_s)
        if wide_enough:
            box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.2}
            axes.text(start + width / 2, share, f"{share:.0f}", ha="center", va="center", fontsize=8, bbox=box)
    axes.set_title(heading(title), loc="left", fontsize=10, color=INK)
    axes.set_ylim(0, 100)
    axes.set_yticks([0, 50, 100])
    axes.set_ylabel("share (%)", fontsize=9)
    axes.set_xlim(scenes[0].start_s, scenes[-1].end_s)
    tidy(axes)


def _draw_components(
    axes: Axes, scenes: Sequence[Allocation], top_ablation: float, top_change: float | None
) -> Axes | None:
    """Ablation of both modalities, and on a second axis their feature change where the model has one."""
    twin = None if top_change is None else axes.twinx()
    for name, colour, width in (("audio", AUDIO, 2.4), ("video", _DARK_VIDEO, 1.2)):
        ablation = [round(a.relevance.ablation[name], DIGITS) for a in scenes]
        starts, ends = [a.start_s for a in scenes], [a.end_s for a in scenes]
        axes.hlines(ablation, starts, ends, color=colour, linewidth=width, label=f"ablation, {name}")
        if twin is not None:
            change = [round((a.relevance.change_norm or {}).get(name, 0.0), DIGITS) for a in scenes]
            middles = [(a.start_s + a.end_s) / 2 for a in scenes]
            marker = "o" if name == "audio" else "^"
            label = f"feature change, {name}"
            twin.plot(middles, change, marker, color=colour, markersize=5, fillstyle="none", label=label)
    axes.set_ylim(0, top_ablation or 1)
    axes.set_ylabel("ablation\n(part of AVQ)", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top"]].set_visible(False)
    if twin is not None:
        twin.set_ylim(0, top_change or 1)
        twin.set_ylabel("feature\nchange", fontsize=8)
        twin.tick_params(labelsize=8)
        twin.spines[["top"]].set_visible(False)
    return twin


def draw_sensitivity(points: Sequence[BudgetPoint], pool: str, *, stepped: bool = False) -> Figure:
    """Two panels per title: AVQ over budget, and the rates of its streams; at most 40 titles are drawn.

    Rates, not shares: audio has a few renditions, so its share falls between any two and jumps at each, a saw.

    Args:
        points: budgets of each title, rising; titles in their order.
        pool: how AVQ is pooled over time, for the axis.
        stepped: draw stairs, for plans on measured rates alone: a budget buys the point below it, nothing between.
    """
    titles = list(dict.fromkeys(p.title for p in points))
    drawn = titles[:MAX_PANELS]
    figure = Figure(figsize=(10.0, 0.6 + 2.9 * len(drawn)), layout="constrained")
    axes = figure.subplots(len(drawn), 2, squeeze=False)
    left_out = f" ({len(titles) - len(drawn)} more titles not drawn)" if len(titles) > len(drawn) else ""
    figure.suptitle(f"What the budget buys{left_out}", fontsize=11)
    for (quality, split), title in zip(axes, drawn, strict=True):
        own = [p for p in points if p.title == title]
        budget = [p.budget_kbps for p in own]
        style: dict[str, Any] = {"drawstyle": "steps-post" if stepped else "default", "linewidth": 1.4}
        style |= {"marker": "o", "markersize": 3} if stepped or len(own) == 1 else {}
        quality.plot(budget, [round(p.avq_mos, DIGITS) for p in own], color=INK, **style)
        quality.set_ylabel(f"AVQ, {pool} over time (MOS)", fontsize=9)
        quality.set_title(heading(title), loc="left", fontsize=10, color=INK)
        for name, values, colour, dash in (
            ("video", [p.video_kbps for p in own], _DARK_VIDEO, "-"),
            ("audio", [p.audio_kbps for p in own], AUDIO, "--"),
        ):
            shape = style | ({"drawstyle": "steps-post"} if name == "audio" else {})  # it has a few renditions
            split.plot(budget, [round(kbps, DIGITS) for kbps in values], dash, color=colour, label=name, **shape)
        split.set_ylabel("mean rate of the stream (kbps)", fontsize=9)
        use_rates(split, "y")
        split.legend(loc="upper left", fontsize=8, frameon=False)
        for panel in (quality, split):
            panel.set_xlabel("budget for the title's mean rate (kbps)", fontsize=9)
            use_rates(panel, "x")
            tidy(panel)
        if len(own) > 1:
            split.set_xlim(budget[0], budget[-1])
    return figure
