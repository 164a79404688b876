"""The charts of the report page, as Vega-Lite without data.

Vega-Lite, because one signal moves all of a chart, it draws SVG that style sheets can colour (light and dark), and its
JavaScript comes with a package and fits into the page. The page fills the named datasets, sets the parameter `budget`,
and styles the colours, which are CSS variables. What differs in colour differs in shape, dash or label as well.
"""

from __future__ import annotations

from typing import Any

import altair as alt

__all__ = ["CHOSEN", "INK", "MUTED", "RATE_TICKS", "VEGA_LITE_VERSION", "VIDEO_LINE", "chart_specs", "finished", "tip"]

VEGA_LITE_VERSION = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
"""Version of Vega-Lite that the specifications are written for, e.g. 6.1."""


INK, MUTED, _AUDIO, CHOSEN = (f"var(--{name})" for name in ("ink", "muted", "audio", "chosen"))
VIDEO_LINE = "var(--video-line)"
RATE_TICKS = [2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000]


def _rate(field: str, title: str, *, padding_px: int = 0) -> alt.X:
    scale = alt.Scale(type="log", nice=False, padding=padding_px)
    return alt.X(
        field,
        type="quantitative",
        title=title,
        scale=scale,
        axis=alt.Axis(values=RATE_TICKS, format="d", labelOverlap="greedy"),
    )


def _mos(field: str, title: str = "AVQ (MOS)", *, padding_px: int = 0) -> alt.Y:
    return alt.Y(field, type="quantitative", title=title, scale=alt.Scale(zero=False, padding=padding_px))


def tip(*fields: tuple[str, str, str | None]) -> list[alt.Tooltip]:
    return [
        alt.Tooltip(
            field, type="quantitative" if form else "nominal", title=title, **({"format": form} if form else {})
        )
        for field, title, form in fields
    ]


def _now(name: str, colour: str = INK) -> alt.LayerChart:
    """A rule at the slider's budget; its name stands to the left of it where it is `late`."""
    rule = alt.Chart(alt.NamedData("now")).mark_rule(color=colour, strokeDash=[5, 4]).encode(x="budget:Q")
    names = [
        alt.Chart(alt.NamedData("now"))
        .transform_filter(f"{'' if align == 'right' else '!'}datum.late")
        .mark_text(align=align, baseline="top", dx=dx, color=colour)
        .encode(x="budget:Q", y=alt.value(2), text=alt.value(name))
        for align, dx in (("left", 4), ("right", -4))
    ]
    return alt.layer(rule, *names)


def _surface() -> alt.LayerChart:
    """AVQ over video and audio rate: lines of equal AVQ, probes, budget line, path, chosen pair."""
    x = _rate("video_kbps", "video (kbps)")
    y = alt.Y(
        "audio_kbps:Q",
        title="audio (kbps)",
        scale=alt.Scale(type="log", nice=False),
        axis=alt.Axis(values=RATE_TICKS, format="d"),
    )
    frame = alt.Chart(alt.NamedData("frame")).mark_point(opacity=0).encode(x=x, y=y)
    regions = (
        alt.Chart(alt.NamedData("iso"))
        .mark_line(interpolate="linear-closed", fill=_AUDIO, fillOpacity=0.07, strokeOpacity=0)
        .encode(x=x, y=y, detail="level:N", order="corner:Q")
    )
    lines = (
        alt.Chart(alt.NamedData("iso"))
        .transform_filter("!datum.closing")
        .mark_line(color=_AUDIO, strokeWidth=1.5, opacity=0.6)
        .encode(x=x, y=y, detail="level:N", order="corner:Q")
    )
    levels = (
        alt.Chart(alt.NamedData("iso_labels"))
        .mark_text(align="left", baseline="top", dx=3, dy=3, color=INK)
        .encode(x=x, y=y, text=alt.Text("level:Q", format=".4~g"))
    )
    probes = (
        alt.Chart(alt.NamedData("probes"))
        .mark_point(filled=True, size=9, color=MUTED, opacity=0.7)
        .encode(
            x=x,
            y=y,
            tooltip=tip(
                ("pair", "pair", None),
                ("total_kbps", "total (kbps)", ".0f"),
                ("avq_mos", "AVQ (MOS)", ".2f"),
                ("vmaf", "VMAF", None),
            ),
        )
    )
    line = (
        alt.Chart(alt.NamedData("budget_line"))
        .mark_line(color=INK, strokeDash=[6, 4], strokeWidth=1.5, clip=True)
        .encode(x=x, y=y, order="corner:Q")
    )
    path = (
        alt.Chart(alt.NamedData("path"))
        .mark_line(color=CHOSEN, strokeWidth=1.5, opacity=0.8, point={"color": CHOSEN, "size": 14})
        .encode(x=x, y=y, order="budget:Q")
    )
    chosen = (
        alt.Chart(alt.NamedData("chosen"))
        .mark_point(shape="diamond", size=260, filled=True, color=CHOSEN, stroke="var(--page)", strokeWidth=2)
        .encode(x=x, y=y, tooltip=tip(("pair", "chosen", None), ("avq_mos", "AVQ (MOS)", ".2f")))
    )
    return alt.layer(frame, regions, lines, levels, probes, line, path, chosen)


def _quality(between: str) -> alt.LayerChart:
    """AVQ over the budget, with its interval."""
    data = alt.NamedData("stops")
    x = _rate("budget", "budget (kbps)")
    band = (
        alt.Chart(data)
        .mark_area(color=MUTED, opacity=0.18, interpolate=between)
        .encode(x=x, y=_mos("low_mos"), y2="high_mos:Q")
    )
    line = alt.Chart(data).mark_line(color=INK, interpolate=between).encode(x=x, y=_mos("avq_mos"))
    hover = (
        alt.Chart(data)
        .mark_point(opacity=0, size=80)
        .encode(
            x=x,
            y=_mos("avq_mos"),
            tooltip=tip(
                ("budget", "budget (kbps)", ".0f"),
                ("avq_mos", "AVQ (MOS)", ".2f"),
                ("price", "MOS per 100 kbps", ".3f"),
            ),
        )
    )
    chosen = (
        alt.Chart(alt.NamedData("now"))
        .mark_point(shape="diamond", size=180, filled=True, color=CHOSEN)
        .encode(x="budget:Q", y="avq_mos:Q")
    )
    return alt.layer(band, line, hover, _now("budget"), chosen)


def _split(between: str) -> alt.LayerChart:
    """The streams' rates over the budget: not their shares, which fall between any two audio renditions and jump at
    each."""
    data = alt.NamedData("split")
    y = alt.Y(
        "kbps:Q",
        title="stream (kbps)",
        scale=alt.Scale(type="log", nice=False, padding=14),
        axis=alt.Axis(values=RATE_TICKS, format="d", labelOverlap="greedy"),
    )
    x = _rate("budget", "budget (kbps)")
    colour = alt.Color("stream:N", scale=alt.Scale(domain=["audio", "video"], range=[_AUDIO, VIDEO_LINE]), legend=None)
    lines = [
        alt.Chart(data)
        .transform_filter(f"datum.stream == '{stream}'")
        .mark_line(interpolate=shape, strokeDash=dash)
        .encode(x=x, y=y, color=colour)
        for stream, shape, dash in (("audio", "step-after", [5, 3]), ("video", between, [1, 0]))
    ]
    hover = (
        alt.Chart(data)
        .mark_point(opacity=0, size=80)
        .encode(
            x=x,
            y=y,
            tooltip=tip(
                ("budget", "budget (kbps)", ".0f"),
                ("stream", "stream", None),
                ("kbps", "kbps", ".0f"),
                ("share", "share of the streams' rate", ".0%"),
            ),
        )
    )
    names = (
        alt.Chart(alt.NamedData("split_labels"))
        .mark_text(fontWeight="bold", fontSize=12, baseline="bottom", dy=-6)
        .encode(x="budget:Q", y="kbps:Q", text="stream:N", color=colour)
    )
    return alt.layer(*lines, hover, names, _now("budget"))


def _ladder(field: str, title: str, *, zero: bool) -> alt.LayerChart:
    """Staircase of the designed and of the fixed ladder: what a player with a bandwidth gets."""
    data = alt.NamedData("ladder")
    x = _rate("kbps", "bandwidth (kbps)", padding_px=14)
    y = alt.Y(field, type="quantitative", title=title, scale=alt.Scale(zero=zero))
    names = {"domain": ["designed", "reference"]}
    steps = (
        alt.Chart(data)
        .mark_line(interpolate="step-after")
        .encode(
            x=x,
            y=y,
            color=alt.Color("ladder:N", scale=alt.Scale(range=[CHOSEN, MUTED], **names), legend=None),
            strokeDash=alt.StrokeDash("ladder:N", scale=alt.Scale(range=[[1, 0], [5, 3]], **names), legend=None),
        )
    )
    rungs = (
        alt.Chart(data)
        .transform_filter("datum.rung > 0")
        .mark_point(size=60, strokeWidth=2, fill="var(--page)")
        .encode(
            x=x,
            y=y,
            color=alt.Color("ladder:N", scale=alt.Scale(range=[CHOSEN, MUTED], **names), legend=None),
            shape=alt.Shape("ladder:N", scale=alt.Scale(range=["circle", "square"], **names), legend=None),
            tooltip=tip(
                ("name", "ladder", None),
                ("pair", "rung", None),
                ("kbps", "total (kbps)", ".0f"),
                ("avq_mos", "AVQ (MOS)", ".2f"),
                ("vmaf", "VMAF", None),
            ),
        )
    )
    numbers = (
        alt.Chart(data)
        .transform_filter("datum.rung > 0 && datum.ladder == 'designed'")
        .mark_text(dy=-11, color=INK)
        .encode(x=x, y=y, text="rung:Q")
    )
    return alt.layer(steps, rungs, numbers, _now("budget"))


def _fronts() -> alt.LayerChart:
    """AVQ over the video rate, a front per size."""
    x, y = _rate("video_kbps", "video (kbps)", padding_px=10), _mos("avq_mos", padding_px=14)
    sizes = alt.Color("size:N", sort=None, scale=alt.Scale(range=[f"var(--size-{i})" for i in range(6)]), legend=None)
    lines = alt.Chart(alt.NamedData("fronts")).mark_line(strokeWidth=1.5).encode(x=x, y=y, color=sizes, detail="size:N")
    probes = (
        alt.Chart(alt.NamedData("front_probes"))
        .mark_point(size=45, filled=True, opacity=1)
        .encode(
            x=x,
            y=y,
            color=sizes,
            shape=alt.Shape("size:N", sort=None, legend=None),
            tooltip=tip(
                ("size", "size", None),
                ("target", "target", None),
                ("video_kbps", "video (kbps)", ".0f"),
                ("avq_mos", "AVQ (MOS)", ".2f"),
                ("vmaf", "VMAF", None),
            ),
        )
    )
    names = (
        alt.Chart(alt.NamedData("front_labels"))
        .mark_text(align="left", baseline="top", dx=2, dy=6)
        .encode(x=x, y=y, text="size:N", color=sizes)
    )
    crossovers = (
        alt.Chart(alt.NamedData("crossovers")).mark_rule(color=MUTED, strokeDash=[2, 3]).encode(x="video_kbps:Q")
    )
    return alt.layer(crossovers, lines, probes, names)


def chart_specs(*, measured_only: bool) -> dict[str, dict[str, Any]]:
    """Vega-Lite specifications by name; the page knows what to fill in.

    Args:
        measured_only: whether plans take measured rates alone, so that curves over the budget are stairs.
    """
    between = "step-after" if measured_only else "linear"
    charts = {
        "surface": (_surface(), 400, "AVQ over video and audio rate, with the budget line and the chosen pair"),
        "quality": (_quality(between), 240, "AVQ over the budget"),
        "split": (_split(between), 240, "Rates of audio and video over the budget"),
        "ladder": (_ladder("avq_mos", "AVQ (MOS)", zero=False), 280, "AVQ over the bandwidth, for each ladder"),
        "audio_steps": (
            _ladder("audio_kbps", "audio (kbps)", zero=True),
            160,
            "Audio rate over the bandwidth, for each ladder",
        ),
        "fronts": (_fronts(), 280, "AVQ over the video rate, a front per size"),
    }
    return {name: finished(*chart) for name, chart in charts.items()}


def finished(chart: alt.LayerChart, height_px: int, description: str) -> dict[str, Any]:
    """A chart as Vega-Lite: as wide as its place, in the page's colours."""
    text = {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
    }
    found: dict[str, Any] = (
        chart.properties(width="container", height=height_px, description=description)
        .configure(
            background="transparent",
            font="system-ui, sans-serif",
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        )
        .configure_axis(gridColor="var(--grid)", domainColor=MUTED, tickColor=MUTED, **text)
        .configure_legend(labelColor=INK, titleColor=INK)
        .configure_view(stroke=None)
        .configure_text(fontSize=11)
        .to_dict(format="vega-lite", validate=True)
    )
    return found
