"""Tables that a person reads at a glance, and where text goes."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from abr_alloc.allocation.plan import Allocation, Plan
from abr_alloc.allocation.surface import AudioRendition, VideoRendition
from abr_alloc.features.table import FeatureTable, replace_file
from abr_alloc.models.checkpoint import Model
from abr_alloc.units import format_time

__all__ = ["plan_table", "write_or_print"]

_PIPE_WIDTH = 110


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
    buffer = io.StringIO()
    console = Console(file=buffer, width=_PIPE_WIDTH, color_system=None, highlight=False, emoji=False, markup=False)
    for budget in dict.fromkeys(allocation.budget_kbps for allocation in plan.allocations):
        rows = [allocation for allocation in plan.allocations if allocation.budget_kbps == budget]
        console.print(f"Budget {budget:g} kbps")
        console.print(_table(rows))
    for line in _trust(plan, model, features):
        console.print(line)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def _table(rows: Iterable[Allocation]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("title", overflow="ellipsis", no_wrap=True, max_width=28)
    for name in ("scene", "time", "video", "audio", "kbps", "AVQ (90 %)", "audio share", "+10 %"):
        justify = "left" if name in ("video", "audio") else "right"
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for a in rows:
        table.add_row(
            a.title,
            str(a.scene),
            f"{format_time(a.start_s)}-{format_time(a.end_s)}",
            _video(a.video),
            _audio(a.audio),
            f"{a.total_kbps:.0f}",
            f"{a.avq_mos:.2f} ({a.interval_mos[0]:.1f}-{a.interval_mos[1]:.1f})",
            f"{100 * a.relevance.audio_share:.0f} %",
            f"{a.extra_budget_gain_mos:+.2f}",
        )
    return table


def _video(v: VideoRendition) -> str:
    return f"{v.codec} {v.width_px}x{v.height_px} {v.target} {v.bitrate_kbps:.0f}k"


def _audio(a: AudioRendition) -> str:
    mono = " mono" if a.channels == 1 else ""
    return f"{a.codec}{mono} {a.bitrate_kbps:.0f}k"


def _trust(plan: Plan, model: Model, features: FeatureTable) -> list[str]:
    """What the numbers rest on, and where they leave the range that the model was made for."""
    if not plan.allocations:
        return []
    lines = [
        f"AVQ: MOS 1-5 by model {model.name!r} ({model.card['labels']}); the interval holds 90 % of held-out errors.",
        "+10 %: what a tenth more budget would add. Audio share: part of the judgement that rests on audio.",
    ]
    validity = model.card.get("validity", {})
    video = features.of_kind("video")
    outside = []
    for codec in sorted({a.video.codec for a in plan.allocations} - set(validity.get("video_codecs", []))):
        outside.append(f"video codec {codec}")
    for codec in sorted({a.audio.codec for a in plan.allocations} - set(validity.get("audio_codecs", []))):
        outside.append(f"audio codec {codec}")
    low, high = validity.get("fps", (0.0, float("inf")))
    if ((video["fps"] < low) | (video["fps"] > high)).any():
        outside.append(f"frame rates outside {low:g}-{high:g} fps")
    if validity and (video["height_px"] > validity.get("max_height_px", 10**6)).any():
        outside.append(f"video higher than {validity['max_height_px']} px")
    if validity and outside:
        lines.append(f"Outside the range that the model was made for: {', '.join(outside)}. Trust these less.")
    return lines


def relevance_table(plan: Plan, budget_kbps: float) -> str:
    """Relevance as text."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("title", overflow="ellipsis", no_wrap=True, max_width=28)
    for name in ("scene", "time", "audio share", "video share", "ablation a/v", "change a/v"):
        table.add_column(name, justify="right", no_wrap=True)
    for a in plan.allocations:
        r = a.relevance
        table.add_row(
            a.title,
            str(a.scene),
            f"{format_time(a.start_s)}-{format_time(a.end_s)}",
            f"{100 * r.audio_share:.0f} %",
            f"{100 * r.video_share:.0f} %",
            f"{r.ablation['audio']:.3f} / {r.ablation['video']:.3f}",
            f"{r.change_norm['audio']:.3f} / {r.change_norm['video']:.3f}",
        )
    buffer = io.StringIO()
    console = Console(file=buffer, width=_PIPE_WIDTH, color_system=None, highlight=False, emoji=False, markup=False)
    console.print(f"Relevance at the pair planned for {budget_kbps:g} kbps")
    console.print(table)
    console.print("Ablation (Eq. 6): how far AVQ moves when a modality is taken away. Change (Eq. 7): how far")
    console.print("cross-attention moves a modality's features; with one temporal unit it compares the two modalities.")
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"
