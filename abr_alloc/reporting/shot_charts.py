"""The charts of ladders whose rungs give every scene its own parameters: what each rung spends and gives over time.

One rung stands out; the others lie behind it, so that a rung is seen beside its neighbours. Its scenes answer to the
pointer over the whole height: with hundreds of them nobody hits a line.
"""

from __future__ import annotations

from typing import Any

import altair as alt

from abr_alloc.reporting.charts import CHOSEN, INK, MUTED, RATE_TICKS, VIDEO_LINE, finished, tip

__all__ = ["shot_chart_specs"]

_LABELS_PX = 34
"""Room for the numbers of either chart, so that scenes lie one below the other."""
_CLOCK = "floor(datum.value / 60000) + ':' + utcFormat(datum.value, '%S')"


def _over_time(field: str, title: str, scale: alt.Scale, axis: alt.Axis) -> alt.LayerChart:
    """A number of every scene as steps over the title's time."""
    x = alt.X(
        "at_ms:T",
        title="time",
        scale=alt.Scale(type="utc", nice=False),  # whose ticks are whole seconds and minutes
        axis=alt.Axis(labelExpr=_CLOCK, grid=False, labelOverlap="greedy"),
    )
    y = alt.Y(f"{field}:Q", title=title, scale=scale, axis=axis)
    lines = alt.Chart(alt.NamedData("shots")).encode(x=x, y=y, detail="rung:N", order="at_ms:T")
    others = lines.transform_filter("datum.role == 'other'").mark_line(
        interpolate="step-after", color=MUTED, strokeWidth=1, opacity=0.5
    )
    plain = lines.transform_filter("datum.role == 'plain'").mark_line(
        interpolate="step-after", color=VIDEO_LINE, strokeWidth=1.6, strokeDash=[5, 3]
    )
    chosen = (
        lines.transform_filter("datum.role == 'chosen'")
        .mark_line(interpolate="step-after", color=CHOSEN)
        .encode(strokeWidth=alt.StrokeWidth("width:Q", scale=None))
    )
    names = (
        alt.Chart(alt.NamedData("shot_names"))
        .mark_text(align="left", dx=4, color=INK)
        .encode(x=x, y=y, text="rung:N", opacity=alt.condition("datum.chosen", alt.value(1), alt.value(0.75)))
    )
    spans = (
        alt.Chart(alt.NamedData("shot_spans"))
        .mark_rect(color=CHOSEN)
        .encode(
            x=x,
            x2="end_ms:T",
            opacity=alt.value(0),
            tooltip=tip(
                ("scene", "scene", None),
                ("time", "time", None),
                ("asked", "asked for", None),
                ("kbps", "video (kbps)", ".0f"),
                ("avq_mos", "AVQ (MOS)", ".2f"),
                ("vmaf", "VMAF", None),
            ),
        )
    )
    mean = (
        alt.Chart(alt.NamedData("shot_means")).mark_rule(color=CHOSEN, strokeDash=[1, 3], strokeWidth=1.2).encode(y=y)
    )
    return alt.layer(others, mean, plain, chosen, names, spans)


def shot_chart_specs() -> dict[str, dict[str, Any]]:
    """Vega-Lite specifications by name; the page knows what to fill in."""
    rates = alt.Axis(values=RATE_TICKS, format="d", labelOverlap="greedy", minExtent=_LABELS_PX)
    kbps = _over_time("kbps", "video (kbps)", alt.Scale(type="log", nice=False, padding=8), rates)
    mos = _over_time("avq_mos", "AVQ (MOS)", alt.Scale(zero=False, padding=8), alt.Axis(minExtent=_LABELS_PX))
    return {
        "shot_kbps": finished(kbps, 260, "Video rate of every scene over time, for each rung"),
        "shot_avq": finished(mos, 220, "AVQ of every scene over time, for each rung"),
    }
