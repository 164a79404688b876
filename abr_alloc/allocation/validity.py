"""Where renditions leave the range that a model was made for."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np

from abr_alloc.allocation.surface import AudioRendition, VideoRendition
from abr_alloc.models.checkpoint import Model
from abr_alloc.table.table import FeatureTable

__all__ = ["DIGEST_NOTE", "audio_range_kbps", "estimate_note", "measuring_notes", "outside_validity"]

DIGEST_NOTE = (
    "Measured as a digest: its scenes are stretches that stand for all of their title (docs/measure-less.md); "
    "`extract(full)` measures every scene."
)
"""What is to be known of a title that was not measured whole."""

_INFINITE = float("inf")


def estimate_note(features: FeatureTable, titles: Collection[str]) -> str:
    """What is to be known of titles of whose grid a part is estimated; empty where nothing is."""
    bounds = [mos for title, mos in features.metadata.within_mos.items() if title in titles]
    if not bounds:
        return ""
    return (
        "A part of the grid was measured and the rest estimated from it, and probes that are named may be of either "
        f"kind: AVQ lies within {max(bounds):.2f} MOS of what the whole grid gives, in about 95 of 100 cases "
        "(docs/measure-less.md); "
        "`extract(probes)` measures all of it."
    )


def measuring_notes(features: FeatureTable, titles: Collection[str]) -> list[str]:
    """What is to be known of titles that were not measured whole, or not with all of the grid."""
    digest = [DIGEST_NOTE] if set(titles) & set(features.metadata.weights_s) else []
    return [*digest, *filter(None, [estimate_note(features, titles)])]


def audio_range_kbps(model: Model) -> tuple[float, float]:
    """Least and largest audio rate that a model was made for, kbps."""
    low, high = model.card.get("validity", {}).get("audio_kbps", (0.0, _INFINITE))
    return float(low), float(high)


def outside_validity(
    video: Iterable[VideoRendition], audio: Iterable[AudioRendition], model: Model, features: FeatureTable
) -> list[str]:
    """What of some renditions and their table lies outside the `validity` of a model's card, in words.

    Args:
        video: video renditions that are looked at.
        audio: audio renditions that are looked at.
        model: its card names codecs, rates, frame rates and the largest size; what it does not name is not checked.
        features: the table; frame rates and sizes are those of all its video rows.
    """
    validity, outside = model.card.get("validity", {}), []
    audio = list(audio)
    for kind, chosen in (("video", {v.codec for v in video}), ("audio", {a.codec for a in audio})):
        known = validity.get(f"{kind}_codecs")
        outside += [f"{kind} codec {codec}" for codec in sorted(chosen) if known is not None and codec not in known]
    low, high = audio_range_kbps(model)
    if any(not low <= a.bitrate_kbps <= high for a in audio):
        outside.append(f"audio rates outside {low:g}-{high:g} kbps")
    rows = features.columns.of_kind("video")
    fps, width_px, height_px = (rows.numbers(name) for name in ("fps", "width_px", "height_px"))
    low, high = validity.get("fps", (0.0, _INFINITE))
    if ((fps < low) | (fps > high)).any():
        outside.append(f"frame rates outside {low:g}-{high:g} fps")
    lines = validity.get("max_height_px", _INFINITE)
    if (np.minimum(width_px, height_px) > lines).any():
        outside.append(f"video larger than {lines}p")
    return outside
