"""What renditions that exist were found to be, as text."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from abr_alloc.cli.layout import new_table, render_table, short_title, wrap
from abr_alloc.table.table import FeatureTable

__all__ = ["rendition_table"]

_LABEL_WIDTH = 28


def rendition_table(table: FeatureTable, title: str) -> str:
    """One line per rendition of a title: what it is, its rate, its score, and where it lies; then what was done."""
    facts = table.metadata.renditions[title]
    rows = table.frame[table.frame["title"] == title]
    weights_s = table.metadata.weights_s.get(title, {})
    shown = new_table(
        "rendition", "codec", "size", "fps", "kbps", "VMAF", "audio\nMOS", "offset",
        left=("rendition", "codec", "size", "offset"),
    )  # fmt: skip
    told: list[str] = []
    for (kind, label), part in rows.groupby(["kind", "target"], sort=False):
        if kind not in facts.get(str(label), {}):
            continue
        about: dict[str, Any] = facts[str(label)][str(kind)]
        first = part.iloc[0]
        weights = [weights_s.get(str(scene), end - start) for scene, start, end in
                   zip(part["scene"], part["start_s"], part["end_s"], strict=True)]  # fmt: skip

        def mean(column: str, part: Any = part, weights: Any = weights) -> float:
            return float(np.average(part[column].to_numpy(dtype=float), weights=weights))

        is_video = kind == "video"
        shown.add_row(
            short_title(str(label), _LABEL_WIDTH),
            str(first["codec"]),
            f"{first['width_px']}x{first['height_px']}" if is_video else f"{first['channels']} ch",
            f"{float(Fraction(about['fps'])):.5g}" if is_video else "",
            f"{mean('bitrate_kbps'):.0f}",
            f"{mean('vmaf'):.2f}" if is_video else "",
            "" if is_video else f"{mean('audio_mos'):.2f}",
            f"{about['offset_frames']:+d} frames" if is_video else f"{1000 * about['offset_s']:+.1f} ms",
        )
        told += [wrap(f"{short_title(str(label), _LABEL_WIDTH)} ({kind}): {note}") for note in about["notes"]]
    return "\n".join([short_title(title), render_table(shown), *([""] if told else []), *told])
