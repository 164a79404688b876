"""A picture of ladders: what a player with a bandwidth gets, beside a fixed ladder: AVQ, VMAF and audio.

Below a ladder whose rungs give every scene its own parameters: what they spend and give over time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from abr_alloc.allocation.design import TitleLadder
from abr_alloc.allocation.rung import Ladder, Rung
from abr_alloc.reporting.shot_figure import draw_shots
from abr_alloc.reporting.style import CHOSEN, DIGITS, INK, MAX_PANELS, MUTED, heading, tidy, use_rates

__all__ = ["draw_ladders"]


def draw_ladders(ladders: Sequence[TitleLadder]) -> Figure:
    """Three panels per ladder over the bandwidth: AVQ, VMAF and audio rate, as staircases; at most 40 are drawn.

    A ladder with several shots has two more, over time.
    """
    drawn = ladders[:MAX_PANELS]
    left_out = f" ({len(ladders) - len(drawn)} more not drawn)" if len(ladders) > len(drawn) else ""
    num_rows = len(drawn) + sum(map(_has_shots, drawn))
    figure = Figure(figsize=(13.0, 0.6 + 2.9 * num_rows), layout="constrained")
    figure.suptitle(f"What a player with a bandwidth gets{left_out}", fontsize=11)
    grid, place = figure.add_gridspec(num_rows, 2 * len(_PANELS)), 0
    for found in drawn:
        row = [figure.add_subplot(grid[place, 2 * i : 2 * i + 2]) for i in range(len(_PANELS))]
        place += 1
        if _has_shots(found):
            rates, quality = (figure.add_subplot(grid[place, 3 * i : 3 * i + 3]) for i in range(2))
            draw_shots(rates, quality, found.ladder)
            place += 1
        fixed = found.comparison
        most = 1.3 * max(
            rung.total_kbps for ladder in [found.ladder, *([fixed.ladder] if fixed else [])] for rung in ladder.rungs
        )
        for axes, (label, value) in zip(row, _PANELS.items(), strict=True):
            if fixed is not None:
                _draw_steps(axes, fixed.ladder, value, most, fixed.reference, marker="s", linestyle="--", color=MUTED)
            _draw_steps(axes, found.ladder, value, most, "designed", marker="o", linestyle="-", color=CHOSEN)
            axes.set_xlabel("bandwidth (kbps)", fontsize=9)
            axes.set_ylabel(label, fontsize=9)
            axes.margins(y=0.12)  # room for the numbers of the rungs
            use_rates(axes, "x")
            tidy(axes)
        row[-1].set_ylim(bottom=0)
        row[0].set_title(f"{heading(found.ladder.title)}: {_expected(found)}", loc="left", fontsize=10, color=INK)
        row[0].legend(loc="lower right", fontsize=8, frameon=False)
    return figure


_PANELS: dict[str, Callable[[Rung], float | None]] = {
    "AVQ (MOS)": lambda rung: rung.avq_mos,
    "VMAF": lambda rung: rung.video.vmaf,
    "audio (kbps)": lambda rung: rung.audio.bitrate_kbps,
}


def _has_shots(found: TitleLadder) -> bool:
    return any(len(rung.video.shots) > 1 for rung in found.ladder.rungs)


def _expected(found: TitleLadder) -> str:
    own = f"expected AVQ {found.ladder.expected_avq_mos:.2f}"
    fixed = found.comparison
    return own if fixed is None else f"{own}; {fixed.reference}: {fixed.ladder.expected_avq_mos:.2f}"


def _draw_steps(
    axes: Axes,
    ladder: Ladder,
    value: Callable[[Rung], float | None],
    most_kbps: float,
    label: str,
    **style: Any,
) -> None:
    """A staircase through the rungs whose value is known."""
    known = [(rung.total_kbps, value(rung)) for rung in ladder.rungs]
    kbps = [rate for rate, number in known if number is not None]
    values = [round(number, DIGITS) for _, number in known if number is not None]
    if not values:
        return
    axes.plot(
        [*kbps, most_kbps], [*values, values[-1]], drawstyle="steps-post", label=label, markevery=range(len(kbps)),
        markersize=5, markerfacecolor="white", linewidth=1.4, **style,
    )  # fmt: skip
    if label != "designed":
        return
    for rung, place in enumerate(zip(kbps, values, strict=True), 1):
        axes.annotate(
            str(rung), place, xytext=(0, 6), textcoords="offset points", fontsize=8, color=INK,
            ha="center", bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},
        )  # fmt: skip
