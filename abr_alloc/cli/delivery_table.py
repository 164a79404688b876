"""What was delivered and how it compares with what was predicted, as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from abr_alloc.cli.layout import new_table, render_table, short_title, wrap
from abr_alloc.delivery.folder import MANIFEST_NAME, MASTER_NAME
from abr_alloc.delivery.record import Delivery
from abr_alloc.export.presentation import Variant

__all__ = ["delivered_text"]


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
        "",
        wrap(f"{places} Rates are of the segments, container included."),
        wrap(f"Next: abr-alloc verify {output}"),
    ]
    return "\n".join(lines) + "\n"
