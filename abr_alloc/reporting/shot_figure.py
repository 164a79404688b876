"""Two panels of a ladder whose rungs give every scene its own parameters: video rate and AVQ over time, as steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from abr_alloc.allocation.rung import Ladder
from abr_alloc.reporting.style import CHOSEN, DIGITS, INK, MUTED, tidy, use_rates

__all__ = ["draw_shots"]

_MANY = 150
"""Scenes beyond which lines are drawn thinner."""

_NAME_HEIGHT = 0.045
"""Of a number, as a share of the height of a panel."""


def draw_shots(rates: Axes, quality: Axes, ladder: Ladder) -> None:
    """Draw what every rung spends and gives over time; the highest stands out, and the others have their numbers."""
    rungs = {number: rung for number, rung in enumerate(ladder.rungs, start=1) if rung.video.shots}
    for number, rung in rungs.items():
        shots, top = rung.video.shots, number == len(ladder.rungs)
        times_s = [shot.start_s for shot in shots] + [shots[-1].end_s]
        _draw(rates, times_s, [shot.bitrate_kbps for shot in shots], top=top)
        _draw(quality, times_s, rung.shots_mos, top=top)
    use_rates(rates, "y")
    _name(rates, {number: rung.video.shots[-1].bitrate_kbps for number, rung in rungs.items()})
    _name(quality, {number: rung.shots_mos[-1] for number, rung in rungs.items()})
    for axes, label in ((rates, "video (kbps)"), (quality, "AVQ (MOS)")):
        axes.set_ylabel(label, fontsize=9)
        axes.set_xlabel("time", fontsize=9)
        axes.margins(x=0.0)
        axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 1.5, 3, 6, 10], integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda s, _: f"{int(s) // 60}:{int(s) % 60:02d}"))
        tidy(axes)


def _draw(axes: Axes, times_s: Sequence[float], values: Sequence[float], *, top: bool) -> None:
    drawn = [round(value, DIGITS) for value in values]
    width = (1.8 if top else 0.9) * (0.6 if len(values) > _MANY else 1.0)
    axes.plot(
        times_s, [*drawn, drawn[-1]], drawstyle="steps-post", color=CHOSEN if top else MUTED, linewidth=width,
        zorder=3 if top else 2,
    )  # fmt: skip


def _name(axes: Axes, last: Mapping[int, float]) -> None:
    """Numbers of rungs at the ends of their lines, the highest first; none where it would cover another."""
    placed: list[float] = []
    for number, value in sorted(last.items(), reverse=True):
        at = float(axes.transData.transform((0.0, value))[1] / axes.bbox.height)
        if all(abs(at - other) >= _NAME_HEIGHT for other in placed):
            placed.append(at)
            axes.annotate(
                str(number), (1.0, value), xycoords=axes.get_yaxis_transform(), xytext=(3, 0),
                textcoords="offset points", fontsize=8, color=INK, va="center", annotation_clip=False,
            )  # fmt: skip
