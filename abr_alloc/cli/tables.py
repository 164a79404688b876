"""Tables that a person reads at a glance, and where text goes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from abr_alloc.allocation.record import Certificate, Plan
from abr_alloc.allocation.sensitivity import BudgetPoint
from abr_alloc.allocation.surface import AudioRendition, VideoRendition
from abr_alloc.allocation.validity import outside_validity
from abr_alloc.features.table import FeatureTable, replace_file
from abr_alloc.models.checkpoint import Model
from abr_alloc.units import format_time

__all__ = [
    "audio_text",
    "certificate_line",
    "new_table",
    "plan_table",
    "relevance_table",
    "render_table",
    "sensitivity_table",
    "short_title",
    "video_text",
    "write_or_print",
]

_TITLE_WIDTH = 28
_PROVEN_MOS = 1e-8  # a gap of no meaning: the search itself stops at a billionth


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
        columns = ["title", "scene", "time", "video", "audio", "kbps", "AVQ", "90 %", "as good", "audio share"]
        table = new_table(*columns, *([] if plan.certificates else ["+10 %"]))
        for a in rows:
            table.add_row(
                short_title(a.title),
                str(a.scene),
                f"{format_time(a.start_s)}-{format_time(a.end_s)}",
                video_text(a.video, with_codec=not one_codec),
                audio_text(a.audio),
                f"{a.total_kbps:.0f}",
                f"{a.avq_mos:.2f}",
                f"{a.interval_mos[0]:.1f}-{a.interval_mos[1]:.1f}",
                f"{a.indistinguishable.total_kbps:.0f}",
                f"{100 * a.relevance.audio_share:.0f} %",
                *([] if a.extra_budget_gain_mos is None else [f"{a.extra_budget_gain_mos:+.2f}"]),
            )
        each = " for the mean of each title" if plan.certificates else ""
        parts += [f"Budget {budget:g} kbps{each}{codec}", render_table(table)]
    parts += _trust(plan, model, features)
    return "\n".join([*parts, *map(certificate_line, plan.certificates)]) + "\n"


def certificate_line(c: Certificate) -> str:
    """How good a title's allocation is, in a line."""
    pooled = "" if c.pool == "mean" else f" ({c.pool})"
    limit = f"{c.binding} bind" if "+" in c.binding else f"{c.binding} binds"
    if c.binding == "none":
        limit = "nothing binds: more buys no more"
    proven = "optimal" if c.gap_mos <= _PROVEN_MOS else f"at most {c.gap_mos:.1g} below the optimum"
    early = ", search stopped early" if "stopped early" in c.method else ""
    price = f"; +1 kbps = {c.price_mos_per_kbps:+.5f} MOS" if c.price_mos_per_kbps > 0.0 else ""
    return (
        f"{short_title(c.title)}: AVQ {c.objective_mos:.3f}{pooled}, {proven}{early}; {c.mean_kbps:.1f} of "
        f"{c.budget_kbps:g} kbps; {limit}{price}"
    )


def relevance_table(plan: Plan, budget_kbps: float) -> str:
    """Relevance as text."""
    columns = ["title", "scene", "time", "audio share", "video share", "ANOVA audio", "Eq. 8 audio", "ablation a/v"]
    with_change = any(a.relevance.change_norm for a in plan.allocations)
    table = new_table(*columns, *(["change a/v"] if with_change else []))
    for a in plan.allocations:
        r = a.relevance
        change = f"{r.change_norm['audio']:.3f} / {r.change_norm['video']:.3f}" if r.change_norm else ""
        table.add_row(
            short_title(a.title),
            str(a.scene),
            f"{format_time(a.start_s)}-{format_time(a.end_s)}",
            f"{100 * r.audio_share:.0f} %",
            f"{100 * r.video_share:.0f} %",
            f"{100 * r.anova_audio_share:.0f} %",
            f"{100 * r.eq8_audio_share:.0f} %",
            f"{r.ablation['audio']:.3f} / {r.ablation['video']:.3f}",
            *([change] if with_change else []),
        )
    return (
        f"Relevance per scene; Eq. 6-8 at the pair planned for {budget_kbps:g} kbps\n{render_table(table)}\n"
        "audio share: of the mean ablation over all pairs of the scene. ANOVA: of the main effects on its AVQ.\n"
        "Ablation (Eq. 6): how far AVQ moves when a modality is taken away. Change (Eq. 7): how far cross-attention\n"
        "moves a modality's features; with one temporal unit it compares the two modalities. Eq. 8 weighs both.\n"
    )


def sensitivity_table(points: Sequence[BudgetPoint]) -> str:
    """AVQ over budget as text, title after title."""
    table = new_table("title", "budget", "spent", "AVQ", "MOS/kbps", "video", "audio", "audio share")
    for p in points:
        table.add_row(
            short_title(p.title),
            f"{p.budget_kbps:.0f}k",
            f"{p.mean_kbps:.0f}k",
            f"{p.avq_mos:.3f}",
            f"{p.price_mos_per_kbps:.5f}",
            f"{p.video_kbps:.0f}k",
            f"{p.audio_kbps:.0f}k",
            f"{100 * p.audio_share:.0f} %",
        )
    return (
        f"{render_table(table)}\n"
        "Every line is the best allocation of the title within that mean rate. MOS/kbps: the price of the budget\n"
        "there (docs/allocation.md). audio share: of the streams' rate.\n"
    )


def new_table(*names: str) -> Table:
    """An empty table; texts to the left, numbers to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(
            name, justify="left" if name in ("title", "video", "note", "figure", "system") else "right", no_wrap=True
        )
    return table


def render_table(table: Table) -> str:
    """A table at its natural width: a number that is cut short would be worse than a long line."""
    console = Console(file=io.StringIO(), width=1000, color_system=None, highlight=False, emoji=False, markup=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def short_title(title: str, width: int = _TITLE_WIDTH) -> str:
    """A title, cut where it is too long for a table."""
    return title if len(title) <= width else title[: width - 1] + "…"


def video_text(v: VideoRendition, *, with_codec: bool) -> str:
    """Size, target and rate; `~` and the two probes around it where the rate is interpolated."""
    codec = f"{v.codec} " if with_codec else ""
    if v.interpolated:
        below, above = v.nearest_probes
        return f"{codec}{v.width_px}x{v.height_px} ~{v.bitrate_kbps:.0f}k ({below.target}..{above.target})"
    target = "" if v.target.startswith("b=") else f"{v.target} "
    return f"{codec}{v.width_px}x{v.height_px} {target}{v.bitrate_kbps:.0f}k"


def audio_text(a: AudioRendition) -> str:
    """Codec and rate."""
    mono = " mono" if a.channels == 1 else ""
    return f"{a.codec}{mono} {a.bitrate_kbps:.0f}k"


def _trust(plan: Plan, model: Model, features: FeatureTable) -> list[str]:
    """What the numbers rest on, and where they leave the range that the model was made for."""
    difference = model.intervals.difference_mos
    lines = [
        f"AVQ: predicted MOS 1-5 (model {model.name}, trained on {model.card['labels']}) with its 90 % interval.",
        "as good: kbps of the cheapest pair that a panel could not tell from this one (AVQ within"
        f" {difference:.2f}, the 90 %",
        "interval of a difference). audio share: how far AVQ rests on the audio in this scene (docs/method.md).",
    ]
    if not plan.certificates:
        lines.append("+10 %: AVQ that a tenth more budget would add.")
    if any(a.video.interpolated for a in plan.allocations):
        lines.append("~: a rate between the two probes named, where AVQ is interpolated (docs/allocation.md).")
    outside = outside_validity(
        (a.video for a in plan.allocations), (a.audio for a in plan.allocations), model, features
    )
    if outside:
        lines.append(f"Outside the range that the model was made for: {', '.join(outside)}. Trust these less.")
    return lines
