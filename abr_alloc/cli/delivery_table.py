"""What was delivered and how it compares with what was predicted, as text."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from abr_alloc.cli.layout import new_table, render_table, short_title, wrap
from abr_alloc.cli.surround_table import delivered_surround, verified_surround
from abr_alloc.delivery.deviation import LadderDeviation, Tolerance
from abr_alloc.exporting.presentation import MANIFEST_NAME, MASTER_NAME, SEGMENT_S, Variant
from abr_alloc.formats.delivery_record import Delivery, VideoOrder
from abr_alloc.models.intervals import HDR_NOTE
from abr_alloc.models.screens import screen_text

__all__ = ["delivered_text", "refined_text", "verified_text"]


def delivered_text(delivery: Delivery, variants: Sequence[Variant], output: Path) -> str:
    """The rungs of a finished delivery: asked and measured rates."""
    table = new_table(
        "rung", "video", "audio", "AVQ", "predicted\nkbps", "mean\nkbps", "peak\nkbps", left=("video", "audio")
    )
    for number, (rung, variant) in enumerate(zip(delivery.rungs, variants, strict=True), start=1):
        table.add_row(
            str(number),
            rung.video.removeprefix("video/"),
            rung.audio.removeprefix("audio/"),
            f"{rung.avq_mos:.2f}",
            f"{rung.total_kbps:.0f}",
            f"{variant.average_bits_per_s / 1000:.0f}",
            f"{variant.peak_bits_per_s / 1000:.0f}",
        )
    count = f"{len(delivery.videos)} video and {len(delivery.audios)} audio renditions"
    places = f"HLS: {output / MASTER_NAME}; DASH: {output / MANIFEST_NAME}."
    lines = [
        f"{short_title(delivery.title)}: {count}",
        render_table(table),
        *delivered_surround(delivery),
        "",
        wrap(f"{places} Rates are of the segments, container included."),
        f"Next: abr-alloc verify {shlex.quote(str(output))}",
    ]
    return "\n".join(lines) + "\n"


def verified_text(delivery: Delivery, found: LadderDeviation, tolerance: Tolerance) -> str:
    """Predicted and measured, rung by rung, and what is farthest off."""
    # "mean" and the second AVQ are measured: the words leave room for the names of streams.
    heads = ["planned\nkbps", "mean\nkbps", "off", "peak\nkbps", "planned\nAVQ", "AVQ", "off\nAVQ", "VMAF", ""]
    table = new_table("rung", "video", "audio", *heads, left=("video", "audio", ""))
    for rung in found.rungs:
        table.add_row(
            str(rung.number),
            rung.video.removeprefix("video/"),
            rung.audio.removeprefix("audio/"),
            f"{rung.predicted_kbps:.0f}",
            f"{rung.measured_kbps:.0f}",
            f"{100 * rung.rate_deviation:+.1f} %",
            f"{rung.peak_kbps:.0f}",
            f"{rung.predicted_mos:.2f}",
            "-" if rung.measured_mos is None else f"{rung.measured_mos:.2f}",
            "-" if rung.avq_deviation_mos is None else f"{rung.avq_deviation_mos:+.2f}",
            "-" if rung.measured_vmaf is None else f"{rung.measured_vmaf:.0f}",
            "" if rung.misses(tolerance) <= 1.0 else "!",
        )
    measured = found.largest_avq_deviation_mos is not None
    limits = f"rate {100 * tolerance.rate:g} %{f', AVQ {tolerance.avq:g}' if measured else '; AVQ not measured'}"
    largest = f"Largest deviation: rate {100 * found.largest_rate_deviation:+.1f} %"
    if found.largest_avq_deviation_mos is None:
        largest += "; AVQ was not measured: the source does not lie where it was, give it with --source"
    else:
        largest += f", AVQ {found.largest_avq_deviation_mos:+.2f}"
        if delivery.phones:
            largest += f"; AVQ as planned, {screen_text(delivery.phones)}"
    outside = [str(rung.number) for rung in found.rungs if rung.misses(tolerance) > 1.0]
    told = (
        f"Beyond the tolerance ({limits}): rung {', '.join(outside)}."
        if outside
        else f"Within the tolerance ({limits})."
    )
    lines = [short_title(delivery.title), render_table(table), *verified_surround(found)]
    lines += ["", wrap(f"{largest}."), wrap(told)]
    if found.largest_avq_deviation_mos is not None and any(v.dynamic_range != "SDR" for v in delivery.videos):
        lines.append(wrap(HDR_NOTE))
    return "\n".join([*lines, *_scene_lines(found)]) + "\n"


def _scene_lines(found: LadderDeviation) -> list[str]:
    """The worst scene of every rung, and its peak beside the promised one, where scenes are encoded each by itself."""
    rungs = [rung for rung in found.rungs if rung.predicted_scenes_mos]
    if not rungs:
        return []
    table = new_table("rung", "worst\nscene", "planned\nAVQ", "AVQ", f"peak of\n{SEGMENT_S:g} s, kbps", "")
    limit_kbps = found.promised_peak_kbps
    for rung in rungs:
        scene = rung.worst_scene
        assert scene is not None and rung.window_peak_kbps is not None
        table.add_row(
            str(rung.number),
            str(scene),
            f"{rung.predicted_scenes_mos[scene - 1]:.2f}",
            f"{rung.measured_scenes_mos[scene - 1]:.2f}" if rung.measured_scenes_mos else "-",
            f"{rung.window_peak_kbps:.0f}",
            "!" if limit_kbps is not None and rung.window_peak_kbps > limit_kbps else "",
        )
    promised = [] if limit_kbps is None else [wrap(_peak_text(found, limit_kbps))]
    return ["", render_table(table), *promised]


def _peak_text(found: LadderDeviation, limit_kbps: float) -> str:
    state = "kept" if found.keeps_peak else "broken"
    return f"The promised peak of {limit_kbps:g} kbps over {SEGMENT_S:g} s of a video's pictures is {state}."


def refined_text(
    delivery: Delivery,
    orders: Sequence[VideoOrder],
    better: Sequence[VideoOrder],
    before: LadderDeviation,
    after: LadderDeviation,
) -> str:
    """What second attempts at a delivery, as it was before them, came to."""
    lines = ["Encoded again:"]
    asked_before = {video.name: video.asked_kbps for video in delivery.videos}
    for order in orders:
        for was, now in zip(before.rungs, after.rungs, strict=True):
            if was.video != order.name:
                continue
            rate = f"rate {100 * was.rate_deviation:+.1f} % -> {100 * now.rate_deviation:+.1f} %"
            avq = f"AVQ {was.avq_deviation_mos or 0.0:+.2f} -> {now.avq_deviation_mos or 0.0:+.2f}"
            asked = f"asked for {order.asked_kbps:.0f}k instead of {asked_before[order.name]:.0f}k"
            verdict = "kept" if order in better else "no nearer, not kept"
            lines.append(wrap(f"rung {was.number}, {asked}: {rate}, {avq}; {verdict}"))
    return "\n".join(lines) + "\n"
