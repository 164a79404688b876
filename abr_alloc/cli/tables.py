"""Tables that a person reads at a glance, and where text goes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from abr_alloc.allocation.plan import Plan
from abr_alloc.allocation.surface import AudioRendition, VideoRendition
from abr_alloc.features.table import FeatureTable, replace_file
from abr_alloc.models.checkpoint import Model
from abr_alloc.units import format_time

__all__ = ["plan_table", "relevance_table", "write_or_print"]

_TITLE_WIDTH = 28


def write_or_print(text: str, output: Path | None) -> None:
    """Write text to a file, whole or not at all, or print it.

    Raises:
        OutputError: the file cannot be written.
    """
    if output is None:
        click.echo(text, nl=False)
    else:
        replace_file(output, text.encode())


def plan_table(plan: Plan, model: Model, features: FeatureTable) -> str:
    """A plan as text: one table per budget, then how far to trust it."""
    if not plan.allocations:
        return ""
    one_codec = len({a.video.codec for a in plan.allocations}) == 1
    parts: list[str] = []
    for budget in dict.fromkeys(allocation.budget_kbps for allocation in plan.allocations):
        rows = [allocation for allocation in plan.allocations if allocation.budget_kbps == budget]
        codec = f", video in {rows[0].video.codec}" if one_codec else ""
        table = _new_table("title", "scene", "time", "video", "audio", "kbps", "AVQ", "90 %", "audio share", "+10 %")
        for a in rows:
            table.add_row(
                _short(a.title),
                str(a.scene),
                f"{format_time(a.start_s)}-{format_time(a.end_s)}",
                _video(a.video, with_codec=not one_codec),
                _audio(a.audio),
                f"{a.total_kbps:.0f}",
                f"{a.avq_mos:.2f}",
                f"{a.interval_mos[0]:.1f}-{a.interval_mos[1]:.1f}",
                f"{100 * a.relevance.audio_share:.0f} %",
                f"{a.extra_budget_gain_mos:+.2f}",
            )
        parts += [f"Budget {budget:g} kbps{codec}", _render(table)]
    return "\n".join([*parts, *_trust(plan, model, features)]) + "\n"


def relevance_table(plan: Plan, budget_kbps: float) -> str:
    """Relevance as text."""
    table = _new_table("title", "scene", "time", "audio share", "video share", "ablation a/v", "change a/v")
    for a in plan.allocations:
        r = a.relevance
        table.add_row(
            _short(a.title),
            str(a.scene),
            f"{format_time(a.start_s)}-{format_time(a.end_s)}",
            f"{100 * r.audio_share:.0f} %",
            f"{100 * r.video_share:.0f} %",
            f"{r.ablation['audio']:.3f} / {r.ablation['video']:.3f}",
            f"{r.change_norm['audio']:.3f} / {r.change_norm['video']:.3f}",
        )
    return (
        f"Relevance at the pair planned for {budget_kbps:g} kbps\n{_render(table)}\n"
        "Ablation (Eq. 6): how far AVQ moves when a modality is taken away. Change (Eq. 7): how far\n"
        "cross-attention moves a modality's features; with one temporal unit it compares the two modalities.\n"
    )


def _new_table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(name, justify="left" if name in ("title", "video") else "right", no_wrap=True)
    return table


def _render(table: Table) -> str:
    """A table at its natural width: a number that is cut short would be worse than a long line."""
    console = Console(file=io.StringIO(), width=1000, color_system=None, highlight=False, emoji=False, markup=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def _short(title: str) -> str:
    return title if len(title) <= _TITLE_WIDTH else title[: _TITLE_WIDTH - 1] + "…"


def _video(v: VideoRendition, *, with_codec: bool) -> str:
    codec = f"{v.codec} " if with_codec else ""
    return f"{codec}{v.width_px}x{v.height_px} {v.target} {v.bitrate_kbps:.0f}k"


def _audio(a: AudioRendition) -> str:
    mono = " mono" if a.channels == 1 else ""
    return f"{a.codec}{mono} {a.bitrate_kbps:.0f}k"


def _trust(plan: Plan, model: Model, features: FeatureTable) -> list[str]:
    """What the numbers rest on, and where they leave the range that the model was made for."""
    lines = [
        f"AVQ: predicted MOS 1-5 (model {model.name}, trained on {model.card['labels']}) with an estimated 90 %",
        "interval. audio share: how far this pair's AVQ rests on audio rather than video (docs/method.md). +10 %: AVQ",
        "that a tenth more budget would add.",
    ]
    outside = _outside_validity(plan, model.card.get("validity", {}), features)
    if outside:
        lines.append(f"Outside the range that the model was made for: {', '.join(outside)}. Trust these less.")
    return lines


def _outside_validity(plan: Plan, validity: Mapping[str, Any], features: FeatureTable) -> list[str]:
    outside = []
    for kind, chosen in (
        ("video", {a.video.codec for a in plan.allocations}),
        ("audio", {a.audio.codec for a in plan.allocations}),
    ):
        known = validity.get(f"{kind}_codecs")
        outside += [f"{kind} codec {codec}" for codec in sorted(chosen) if known is not None and codec not in known]
    video = features.of_kind("video")
    kbps = [a.audio.bitrate_kbps for a in plan.allocations]
    low, high = validity.get("audio_kbps", (0.0, float("inf")))
    if min(kbps) < low or max(kbps) > high:
        outside.append(f"audio rates outside {low:g}-{high:g} kbps")
    low, high = validity.get("fps", (0.0, float("inf")))
    if ((video["fps"] < low) | (video["fps"] > high)).any():
        outside.append(f"frame rates outside {low:g}-{high:g} fps")
    lines = validity.get("max_height_px", float("inf"))
    if (video[["width_px", "height_px"]].min(axis=1) > lines).any():
        outside.append(f"video larger than {lines}p")
    return outside
