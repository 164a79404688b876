"""What encoding a ladder gives, and what is said of it on the way."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pandas as pd

from abr_alloc.delivery.deviation import LadderDeviation
from abr_alloc.delivery.encode import Encoded
from abr_alloc.delivery.hold import HeldRates
from abr_alloc.exporting.presentation import Variant
from abr_alloc.formats.delivery_record import Delivery, VideoOrder, delivery_text
from abr_alloc.measure.cache import Cache
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.probe import MediaInfo
from abr_alloc.runs.notebook import TableView

__all__ = ["EncodeResult", "Refined", "held_text", "peak_notes"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class EncodeResult(TableView):
    """A ladder as it was encoded and packaged."""

    folder: Path
    """Where it lies."""
    delivery: Delivery
    """What was asked for and predicted."""
    variants: tuple[Variant, ...]
    """Its pairs, by rising rate, as their segments are."""
    info: MediaInfo
    """The source."""
    ffmpeg: FFmpeg
    """The program that encoded."""
    cache: Cache
    """Where measurements are kept."""
    jobs: int
    """Processes."""
    scheduler: str | None = None
    """Address of the Dask scheduler whose workers encoded instead."""
    refined: Refined | None = None
    """What encoding again came to, where it was asked for."""

    def to_frame(self) -> pd.DataFrame:
        """One row per rung; rates are of the segments, container included, kbps."""
        return pd.DataFrame(
            [
                {
                    "rung": number,
                    "video": rung.video,
                    "audio": rung.audio,
                    "avq_mos": rung.avq_mos,
                    "predicted_kbps": rung.total_kbps,
                    "mean_kbps": variant.average_bits_per_s / 1000.0,
                    "peak_kbps": variant.peak_bits_per_s / 1000.0,
                }
                for number, (rung, variant) in enumerate(zip(self.delivery.rungs, self.variants, strict=True), start=1)
            ]
        )

    def to_json(self) -> str:
        """The record of the folder, `delivery.json` (docs/formats.md)."""
        return delivery_text(self.delivery)

    def _view(self) -> tuple[pd.DataFrame, str, dict[str, str]]:
        rates = dict.fromkeys(("predicted_kbps", "mean_kbps", "peak_kbps"), ".0f")
        shown = {"rung": "", "video": "", "audio": "", "avq_mos": ".2f", **rates}
        return self.to_frame(), f"{self.delivery.title} in {self.folder}", shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Refined:
    """What encoding again came to."""

    first: Delivery
    """The order before."""
    orders: tuple[VideoOrder, ...]
    """Videos that were encoded again; none where every rung was within the tolerance."""
    better: tuple[VideoOrder, ...]
    """Those that came nearer, and were kept."""
    before: LadderDeviation
    """Predicted beside measured, before."""
    after: LadderDeviation
    """The same with all of `orders`."""
    kept: LadderDeviation
    """The same as the folder is now."""
    delivery: Delivery
    """The order now."""


def peak_notes(found: Encoded) -> list[str]:
    """What was done about peaks, a line per rendition."""
    limit_kbps, notes = found.delivery.peak_kbps or 0.0, []
    for name, peak in found.peaks.items():
        was, now = (f"{one.kbps:.0f} kbps" for one in (peak.first, peak.last))
        if peak.num_shots:
            scenes = f"{peak.num_shots} of {len(found.delivery.video(name).shots)} scenes"
            notes.append(
                f"{name}: {scenes} were asked for less to keep the peak of {limit_kbps:g} kbps ({was}, now {now})"
            )
        if peak.last.kbps > limit_kbps:
            notes.append(f"{name} has a peak of {now}, above {limit_kbps:g}; design it with a lower `peak_kbps`")
    return notes


def held_text(held: HeldRates) -> str:
    """What was done about the rates of a short title, in a line."""
    seconds = float(held.delivery.num_frames / Fraction(held.delivery.fps))
    count = f"{len(held.orders)} of {len(held.delivery.videos)} videos"
    before, after = (f"{100 * rungs.largest_rate_deviation:+.1f} %" for rungs in (held.before, held.after))
    return (
        f"{seconds:.1f} s are too short for an encoder to hold its rates, so {count} were encoded again at corrected "
        f"ones (largest miss {before}, now {after})"
    )
