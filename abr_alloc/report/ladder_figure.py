"""A picture of ladders: what a player with a bandwidth gets, beside a fixed ladder, and the audio of each rung."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from abr_alloc.allocation.design import TitleLadder
from abr_alloc.allocation.rung import Ladder
from abr_alloc.report.style import CHOSEN, DIGITS, INK, MAX_PANELS, MUTED, heading, tidy, use_rates

__all__ = ["draw_ladders"]


def draw_ladders(ladders: Sequence[TitleLadder]) -> Figure:
    """Two panels per ladder over the bandwidth: AVQ, and audio rate, as staircases; at most 40 are drawn."""
    drawn = ladders[:MAX_PANELS]
    left_out = f" ({len(ladders) - len(drawn)} more not drawn)" if len(ladders) > len(drawn) else ""
    figure = Figure(figsize=(10.0, 0.6 + 2.9 * len(drawn)), layout="constrained")
    figure.suptitle(f"What a player with a bandwidth gets{left_out}", fontsize=11)
    for row, found in zip(figure.subplots(len(drawn), 2, squeeze=False), drawn, strict=True):
        fixed = found.comparison
        most = 1.3 * max(
            rung.total_kbps for ladder in [found.ladder, *([fixed.ladder] if fixed else [])] for rung in ladder.rungs
        )
        for axes, what in zip(row, ("avq_mos", "audio_kbps"), strict=True):
            if fixed is not None:
                _draw_steps(axes, fixed.ladder, what, most, fixed.reference, marker="s", linestyle="--", color=MUTED)
            _draw_steps(axes, found.ladder, what, most, "designed", marker="o", linestyle="-", color=CHOSEN)
            axes.set_xlabel("bandwidth (kbps)", fontsize=9)
            use_rates(axes, "x")
            tidy(axes)
        row[0].set_ylabel("AVQ (MOS)", fontsize=9)
        row[1].set_ylabel("audio (kbps)", fontsize=9)
        row[1].set_ylim(bottom=0)
        row[0].set_title(f"{heading(found.ladder.title)}: {_expected(found)}", loc="left", fontsize=10, color=INK)
        row[0].legend(loc="lower right", fontsize=8, frameon=False)
    return figure


def _expected(found: TitleLadder) -> str:
    own = f"expected AVQ {found.ladder.expected_avq_mos:.2f}"
    fixed = found.comparison
    return own if fixed is None else f"{own}; {fixed.reference}: {fixed.ladder.expected_avq_mos:.2f}"


def _draw_steps(axes: Axes, ladder: Ladder, what: str, most_kbps: float, label: str, **style: Any) -> None:
    kbps = [rung.total_kbps for rung in ladder.rungs]
    values = [round(r.avq_mos if what == "avq_mos" else r.audio.bitrate_kbps, DIGITS) for r in ladder.rungs]
    axes.plot(
        [*kbps, most_kbps], [*values, values[-1]], drawstyle="steps-post", label=label, markevery=range(len(kbps)),
        markersize=5, markerfacecolor="white", linewidth=1.4, **style,
    )  # fmt: skip
    if label != "designed":
        return
    for rung, place in enumerate(zip(kbps, values, strict=True), 1):
        axes.annotate(str(rung), place, xytext=(0, 6), textcoords="offset points", fontsize=8, color=INK, ha="center")
