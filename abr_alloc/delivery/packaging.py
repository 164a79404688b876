"""How a ladder is packaged: lengths of segments and of groups of pictures, files, and a variant of audio alone.

What a ladder was probed with is what its rates hold for; a shot-by-shot ladder was allocated for the usual segments, so
it takes no others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from abr_alloc.allocation.ranges import SEGMENT_RANGE_S
from abr_alloc.arguments import require_number
from abr_alloc.defaults import SEGMENT_S
from abr_alloc.disk import disk_errors
from abr_alloc.encoders import VideoEncoder
from abr_alloc.errors import DeliveryError
from abr_alloc.exporting.presentation import AudioStream, Variant, VideoStream
from abr_alloc.formats.delivery_record import Delivery
from abr_alloc.media.coding import gop_frames, segment_duration_s
from abr_alloc.media.track_file import write_track_file

__all__ = ["GOP_RANGE_S", "Packaging", "audio_alone", "packaging_notes", "put_in_one_file"]

GOP_RANGE_S = (0.5, 10.0)
"""Shortest and longest distance of key frames that may be asked for, seconds."""

_CELLULAR_KBPS = 192.0
"""Apple's HLS Authoring Specification, 9.21 (iOS): largest peak of the variant that cellular networks must have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaging:
    """What is asked of the folder, besides the ladder."""

    segment_s: float = SEGMENT_S
    """What segments are to last, seconds; they come as near to it as whole groups of pictures do."""
    gop_s: float | None = None
    """Distance of key frames, seconds; None for that of the ladder's encoders."""
    single_file: bool = False
    """Whether every stream becomes one file, whose segments are named by their bytes."""
    audio_only: bool = False
    """Whether the master playlist gets a variant without video."""

    def __post_init__(self) -> None:
        """Refuse lengths that no stream has.

        Raises:
            ArgumentError: names one.
        """
        require_number("segment_s", self.segment_s, *SEGMENT_RANGE_S)
        if self.gop_s is not None:
            require_number("gop_s", self.gop_s, *GOP_RANGE_S)

    def with_gop(self, encoder: VideoEncoder) -> VideoEncoder:
        """An encoder with the distance of key frames that is asked for.

        Raises:
            DeliveryError: it is a program that is told none.
        """
        if self.gop_s is None or self.gop_s == encoder.gop_s:
            return encoder
        if encoder.command and not any("{gop}" in word for word in encoder.command):
            raise DeliveryError(
                f"the encoder {encoder.name!r} is a program whose command has no {{gop}}, so its key frames stay "
                f"{encoder.gop_s:g} s apart; leave `gop_s` out"
            )
        return dataclasses.replace(encoder, gop_s=self.gop_s)

    def check(self, encoders: Collection[VideoEncoder], *, per_shot: bool, sizes_change: bool) -> None:
        """Refuse what does not go together.

        Args:
            encoders: of the video, as they will be used.
            per_shot: whether scenes are encoded each with its own parameters.
            sizes_change: whether pictures change in size on the way.

        Raises:
            DeliveryError: says what.
        """
        if per_shot and (self.segment_s != SEGMENT_S or self.gop_s is not None):
            name = "gop_s" if self.segment_s == SEGMENT_S else "segment_s"
            raise DeliveryError(
                f"the ladder's scenes were allocated for segments of {SEGMENT_S:g} s and the key frames of their "
                f"probes; leave `{name}` out, or design a ladder that is not per shot"
            )
        if sizes_change and self.single_file:
            raise DeliveryError(
                "the ladder's pictures change in size, and each size has an initialisation segment of its own, which "
                "one file cannot hold; leave `single_file` out, or design the ladder without free sizes"
            )
        longest_s = max((encoder.gop_s for encoder in encoders), default=0.0)
        if self.segment_s < longest_s:
            raise DeliveryError(
                f"a segment of {self.segment_s:g} s is shorter than the distance of key frames, {longest_s:g} s; give "
                f"`gop_s` of {self.segment_s:g} s or less, or a longer `segment_s`"
            )


def packaging_notes(packaging: Packaging, delivery: Delivery, probed_gops_s: Collection[float]) -> list[str]:
    """What a user should know of it before anything is encoded, a line each.

    Args:
        packaging: what is asked for.
        delivery: the order that came of it.
        probed_gops_s: distances of key frames that the ladder's renditions were measured with, seconds.
    """
    notes, fps, gop_s = [], Fraction(delivery.fps), delivery.gop_s
    others = sorted({before_s for before_s in probed_gops_s if before_s != gop_s})
    if packaging.gop_s is not None and others:
        notes.append(
            f"key frames come every {gop_s:g} s, and the ladder was measured with {others[0]:g} s: AVQ and rates were "
            "predicted for that"
        )
    comes_s = float(segment_duration_s(fps, delivery.segment_s, gop_s))
    if packaging.segment_s != SEGMENT_S:
        exact_s = float(gop_frames(fps, gop_s) / fps)
        if abs(comes_s - packaging.segment_s) > 0.5 * min(exact_s, 1.0):
            notes.append(f"segments are of {comes_s:.3g} s, whole groups of pictures of {exact_s:.3g} s")
        notes.append(f"Apple asks for segments of {SEGMENT_S:g} s (7.5 and 7.6): lint will say so, and they play")
    cheapest_kbps = min(audio.planned_kbps for audio in delivery.audios)
    if packaging.audio_only and cheapest_kbps > _CELLULAR_KBPS:
        notes.append(
            f"the cheapest audio has {cheapest_kbps:.0f} kbps, and the variant for cellular networks may have "
            f"{_CELLULAR_KBPS:g} (Apple's specification, 9.21)"
        )
    return notes


def audio_alone(variants: Sequence[Variant]) -> Variant:
    """The pair of a ladder with the cheapest audio that every player can play: what a variant without video plays."""
    plain = [variant for variant in variants if variant.audio.channels <= 2] or variants
    return min(plain, key=lambda variant: variant.audio.average_bits_per_s)


def put_in_one_file(streams: Sequence[VideoStream | AudioStream], root: Path) -> None:
    """Make one file of every stream; those that are one already stay.

    Raises:
        OutputError: the folder cannot be written.
    """
    with disk_errors(root):
        for stream in streams:
            assert stream.timeline is not None  # read from its segments
            durations = [segment.duration for segment in stream.timeline.segments]
            write_track_file(root / stream.name, durations, stream.timeline.timescale)
