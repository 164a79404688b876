"""Tables that a person reads at a glance, and where text goes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from abr_alloc.allocation.results import SLIGHT_LOSS_MOS, Allocation, Certificate, Plan
from abr_alloc.allocation.sensitivity import BudgetPoint
from abr_alloc.allocation.surface import AudioRendition, VideoRendition
from abr_alloc.allocation.validity import DIGEST_NOTE, estimate_note, outside_validity
from abr_alloc.cli.layout import WIDTH, new_table, render_table, short_title, wrap
from abr_alloc.cli.printing import echo
from abr_alloc.cli.verbosity import notes
from abr_alloc.models.checkpoint import Model
from abr_alloc.models.intervals import HDR_NOTE
from abr_alloc.models.screens import screen_text
from abr_alloc.parameters import with_options
from abr_alloc.table.table import FeatureTable
from abr_alloc.targets import Target
from abr_alloc.units import format_time
from abr_alloc.writing import replace_file

__all__ = [
    "audio_text",
    "certificate_line",
    "only_audio_codec",
    "only_video_maker",
    "plan_table",
    "relevance_table",
    "sensitivity_table",
    "title_headings",
    "video_text",
    "write_or_print",
]

_MOST_NAMED = 3
_PROVEN_MOS = 1e-8  # a gap of no meaning: the search itself stops at a billionth


def write_or_print(text: str, output: Path | None, *, exact: bool = False) -> None:
    """Write text to a file, whole or not at all, or print it.

    Args:
        text: what to write.
        output: the file; None for stdout.
        exact: it is data, which another program reads as it is.

    Raises:
        OutputError: the file cannot be written.
    """
    if output is None:
        echo(text, nl=False, exact=exact)
    else:
        replace_file(output, text.encode())


def plan_table(plan: Plan, model: Model, features: FeatureTable, *, measured_only: bool = False) -> str:
    """A plan as text: one table per budget, then how far to trust it.

    Args:
        plan: what was chosen.
        model: who predicted.
        features: the table that it was chosen from.
        measured_only: whether rates between the measured ones were left out.
    """
    if not plan.allocations:
        return ""
    parts: list[str] = []
    probes_shown = True
    video_maker = only_video_maker([a.video for a in plan.allocations])
    audio_codec = only_audio_codec([a.audio for a in plan.allocations])
    for budget in dict.fromkeys(allocation.budget_kbps for allocation in plan.allocations):
        rows = [allocation for allocation in plan.allocations if allocation.budget_kbps == budget]
        each = " for the mean of each title" if plan.certificates else ""
        codecs = "".join(
            f", {kind} in {codec}" for kind, codec in (("video", video_maker), ("audio", audio_codec)) if codec
        )
        table = _plan_rows(rows, audio_codec, with_maker=not video_maker, with_probes=True)
        if any(a.video.interpolated for a in rows) and max(map(len, table.splitlines())) > WIDTH:
            table, probes_shown = _plan_rows(rows, audio_codec, with_maker=not video_maker, with_probes=False), False
        parts += [f"Budget {budget:g} kbps{each}{codecs}\n{table}\n"]
    parts += [notes(_trust(plan, model, features, probes_shown=probes_shown, measured_only=measured_only))]
    return "".join([*parts, *(f"{certificate_line(c)}\n" for c in plan.certificates)])


def _plan_rows(rows: Sequence[Allocation], audio_codec: str, *, with_maker: bool, with_probes: bool) -> str:
    columns = [
        "scene",
        "start",
        "video",
        "audio",
        "kbps",
        "AVQ",
        "90 %",
        "VMAF",
        f"-{SLIGHT_LOSS_MOS:g}",
        "audio\nshare",
    ]
    per_title = rows[0].extra_budget_gain_mos is None
    table = new_table(*columns, *([] if per_title else ["+10 %"]), left=["video"])
    for a in rows:
        table.add_row(
            str(a.scene),
            format_time(a.start_s),
            video_text(a.video, with_maker=with_maker, with_probes=with_probes),
            audio_text(a.audio, with_codec=not audio_codec),
            f"{a.total_kbps:.0f}",
            f"{a.avq_mos:.2f}",
            f"{a.interval_mos[0]:.1f}-{a.interval_mos[1]:.1f}",
            "" if a.video.vmaf is None else f"{a.video.vmaf:.0f}",
            f"{a.cheaper.total_kbps:.0f}",
            f"{100 * a.relevance.audio_share:.0f} %",
            *([] if a.extra_budget_gain_mos is None else [f"{a.extra_budget_gain_mos:+.2f}"]),
        )
    return render_table(table, title_headings([a.title for a in rows]))


def title_headings(titles: Sequence[str]) -> dict[int, str]:
    """A heading before the first row of each title, for `render_table`."""
    return {i: short_title(title) for i, title in enumerate(titles) if i == 0 or titles[i - 1] != title}


def _only(codecs: Iterable[str]) -> str:
    """The codec where there is but one, else nothing."""
    found = set(codecs)
    return found.pop() if len(found) == 1 else ""


def only_audio_codec(renditions: Iterable[AudioRendition]) -> str:
    """The codec of audio renditions that are all of one, else nothing."""
    return _only(rendition.codec for rendition in renditions)


def certificate_line(c: Certificate) -> str:
    """How good a title's allocation is; the second line, if there is one, is indented."""
    pooled = "" if c.pool == "mean" else f" ({c.pool})"
    limit = f"{c.binding} bind" if "+" in c.binding else f"{c.binding} binds"
    if c.binding == "none":
        limit = "nothing binds: more buys no more"
    proven = "optimal" if c.gap_mos <= _PROVEN_MOS else f"at most {c.gap_mos:.1g} below the optimum"
    early = ", search stopped early" if "stopped early" in c.method else ""
    tie = "\N{NO-BREAK SPACE}"
    price = f"; +1{tie}kbps{tie}={tie}{c.price_mos_per_kbps:+.5f}{tie}MOS" if c.price_mos_per_kbps > 0.0 else ""
    return wrap(
        f"{short_title(c.title)}: AVQ {c.objective_mos:.3f}{pooled}, {proven}{early}; {c.mean_kbps:.1f} of "
        f"{c.budget_kbps:g} kbps; {limit}{price}"
    )


def relevance_table(plan: Plan, budget_kbps: float, model: Model) -> str:
    """Relevance as text."""
    columns = [
        "scene",
        "start",
        "audio\nshare",
        "video\nshare",
        "ablation\nshare",
        "Eq. 8\naudio",
        "Eq. 6\naudio / video",
    ]
    with_change = any(a.relevance.change_norm for a in plan.allocations)
    table = new_table(*columns, *(["Eq. 7\naudio / video"] if with_change else []))
    for a in plan.allocations:
        r = a.relevance
        change = f"{r.change_norm['audio']:.3f} / {r.change_norm['video']:.3f}" if r.change_norm else ""
        table.add_row(
            str(a.scene),
            format_time(a.start_s),
            f"{100 * r.audio_share:.0f} %",
            f"{100 * r.video_share:.0f} %",
            f"{100 * r.ablation_audio_share:.0f} %",
            f"{100 * r.eq8_audio_share:.0f} %",
            f"{r.ablation['audio']:.3f} / {r.ablation['video']:.3f}",
            *([change] if with_change else []),
        )
    told = (
        "audio share: of what AVQ varies by over the pairs of the scene (analysis of variance); ablation share: of the "
        "mean of Eq. 6 over them. Eq. 6: how far AVQ moves when a modality is taken away. Eq. 7: how far "
        "cross-attention moves a modality's features; with one temporal unit it compares the two modalities. Eq. 8 "
        "weighs both."
    )
    return (
        f"Relevance per scene{_where(model)}; Eq. 6-8 at the pair planned for {budget_kbps:g} kbps\n"
        f"{render_table(table, title_headings([a.title for a in plan.allocations]))}\n" + notes(wrap(told, "") + "\n")
    )


def _where(model: Model) -> str:
    """What it is watched on, where that is not a television."""
    return f" {text}" if (text := screen_text(model.phones)) else ""


def sensitivity_table(points: Sequence[BudgetPoint], model: Model) -> str:
    """AVQ over budget as text, title after title."""
    table = new_table("budget", "spent", "AVQ", "MOS/kbps", "video", "audio", "audio share")
    for p in points:
        table.add_row(
            f"{p.budget_kbps:.0f}k",
            f"{p.mean_kbps:.0f}k",
            f"{p.avq_mos:.3f}",
            f"{p.price_mos_per_kbps:.5f}",
            f"{p.video_kbps:.0f}k",
            f"{p.audio_kbps:.0f}k",
            f"{100 * p.audio_share:.0f} %",
        )
    told = f"AVQ is that{_where(model)}. " if model.phones else ""
    told += (
        "Every line is the best allocation of the title within that mean rate. MOS/kbps: the price of the budget there "
        "(docs/allocation.md). audio share: of the streams' rate."
    )
    return f"{render_table(table, title_headings([p.title for p in points]))}\n" + notes(wrap(told, "") + "\n")


def only_video_maker(videos: Sequence[VideoRendition]) -> str:
    """What all were encoded in, and by what where that is not the codec's usual encoder; empty where they differ."""
    codec, encoder = _only(v.codec for v in videos), {Target(v.target).encoder for v in videos}
    if not codec or len(encoder) != 1:
        return ""
    return " by ".join(filter(None, (codec, *encoder)))


def video_text(v: VideoRendition, *, with_maker: bool, with_probes: bool = True) -> str:
    """Size, target and rate; `~` and the two probes around it where the rate is interpolated.

    Args:
        v: the rendition.
        with_maker: whether the encoder's name stands before it; the codec's, where that is its usual one.
        with_probes: whether the two probes are named.
    """
    maker = f"{Target(v.target).encoder or v.codec} " if with_maker else ""
    if v.per_shot:
        return f"{maker}{_over_shots(v)} ~{v.bitrate_kbps:.0f}k"
    size = f"{maker}{v.width_px}x{v.height_px}"
    if v.interpolated:
        return f"{size} {f'{_between(v)} ' if with_probes else ''}~{v.bitrate_kbps:.0f}k"
    target = "" if Target(v.target).is_rate else f"{Target(v.target).plain} "
    return f"{size} {target}{v.bitrate_kbps:.0f}k"


def _over_shots(v: VideoRendition) -> str:
    """Size and what is asked for from scene to scene: `640x360 crf=24-31.5`, `240p..360p crf=24-31.5`."""
    sides = sorted({min(shot.width_px, shot.height_px) for shot in v.shots})
    size = f"{v.width_px}x{v.height_px}" if len(sides) == 1 else f"{sides[0]}p..{sides[-1]}p"
    targets = [Target(shot.target).plain for shot in v.shots]
    if targets[0].is_rate:
        rates = [target.kbps for target in targets]
        return f"{size} {min(rates):.0f}k-{max(rates):.0f}k"
    values = [target.number for target in targets]
    asked = f"{min(values):g}" if min(values) == max(values) else f"{min(values):g}-{max(values):g}"
    return f"{size} {targets[0].kind}={asked}"


def _between(v: VideoRendition) -> str:
    """The probes around an interpolated rate: `crf=32-26`, or `500k-2M`."""
    low, high = (Target(probe.target) for probe in v.nearest_probes)
    if low.kind != high.kind:
        return f"{low.plain}..{high.plain}"
    return f"{low.value}-{high.value}" if low.is_rate else f"{low.kind}={low.value}-{high.value}"


def audio_text(a: AudioRendition, *, with_codec: bool = True) -> str:
    """Codec and rate."""
    mono = "mono " if a.channels == 1 else ""
    return f"{f'{a.codec} ' if with_codec else ''}{mono}{a.bitrate_kbps:.0f}k"


def _trust(plan: Plan, model: Model, features: FeatureTable, *, probes_shown: bool, measured_only: bool) -> str:
    """What the numbers rest on, and where they leave the range that the model was made for."""
    told = [
        f"AVQ: predicted MOS 1-5 (model {model.described}, trained on {model.card['labels']}) with its 90 % interval. "
        f"VMAF: of the picture alone. -{SLIGHT_LOSS_MOS:g}: kbps of the cheapest pair at most {SLIGHT_LOSS_MOS:g} MOS "
        "worse; --json says how likely people are to rate this one higher. audio share: how far AVQ rests on the audio "
        "in this scene (docs/method.md)."
    ]
    if not plan.certificates:
        told.append("+10 %: AVQ that a tenth more budget would add.")
    if any(a.video.dynamic_range != "SDR" for a in plan.allocations):
        told.append(HDR_NOTE)
    if any(a.video.interpolated for a in plan.allocations):
        probes = "the two probes named" if probes_shown else "two probes (--json names them)"
        told.append(f"~: a rate between {probes}, where AVQ is interpolated (docs/allocation.md).")
    stretches = [a.title for a in plan.allocations if a.title in features.metadata.weights_s]
    if stretches:
        told.append(with_options(DIGEST_NOTE))
    if estimated := estimate_note(features, {a.title for a in plan.allocations}):
        told.append(
            "Few renditions were measured (--probes auto): without --measured-only there are rates between."
            if measured_only
            else with_options(estimated)
        )
    falls = [f"{short_title(a.title)} scene {a.scene} at {a.budget_kbps:g}" for a in plan.allocations if a.height_falls]
    if falls:
        listed = ", ".join(falls[:_MOST_NAMED]) + (f" and {len(falls) - _MOST_NAMED} more" * (len(falls) > _MOST_NAMED))
        told.append(
            f"A smaller picture than under a smaller budget, because it is better by more than a tie: {listed}."
        )
    outside = outside_validity(
        (a.video for a in plan.allocations), (a.audio for a in plan.allocations), model, features
    )
    if outside:
        told.append(f"Outside the range that the model was made for: {', '.join(outside)}. Trust these less.")
    return "".join(f"{wrap(text, '')}\n" for text in told)
