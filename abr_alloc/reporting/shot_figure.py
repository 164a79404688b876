"""Two panels of a ladder whose rungs give every scene its own parameters: video rate and AVQ over time, as steps."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from abr_alloc.allocation.rung import Ladder
from abr_alloc.reporting.style import CHOSEN, DIGITS, INK, MUTED, tidy, use_rates

__all__ = ["draw_shots"]

_MANY = 150
"""Scenes beyond which lines are drawn thinner."""


def draw_shots(rates: Axes, quality: Axes, ladder: Ladder) -> None:
    """Draw what every rung spends and gives over time; the highest stands out, and the others have their numbers."""
    for number, rung in enumerate(ladder.rungs, start=1):
        shots = rung.video.shots
        if shots:
            times_s = [shot.start_s for shot in shots] + [shots[-1].end_s]
            top = number == len(ladder.rungs)
            _draw(rates, times_s, [shot.bitrate_kbps for shot in shots], number, top=top)
            _draw(quality, times_s, rung.shots_mos, number, top=top)
    use_rates(rates, "y")
    for axes, label in ((rates, "video (kbps)"), (quality, "AVQ (MOS)")):
        axes.set_ylabel(label, fontsize=9)
        axes.set_xlabel("time", fontsize=9)
        axes.margins(x=0.0)
        axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 1.5, 3, 6, 10], integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda s, _: f"{int(s) // 60}:{int(s) % 60:02d}"))
        tidy(axes)


def _draw(axes: Axes, times_s: Sequence[float], values: Sequence[float], number: int, *, top: bool) -> None:
    drawn = [round(value, DIGITS) for value in values]
    width = (1.8 if top else 0.9) * (0.6 if len(values) > _MANY else 1.0)
    axes.plot(
        times_s, [*drawn, drawn[-1]], drawstyle="steps-post", color=CHOSEN if top else MUTED, linewidth=width,
        zorder=3 if top else 2,
    )  # fmt: skip
    axes.annotate(
        str(number), (times_s[-1], drawn[-1]), xytext=(3, 0), textcoords="offset points", fontsize=8, color=INK,
        va="center", annotation_clip=False,
    )  # fmt: skip
