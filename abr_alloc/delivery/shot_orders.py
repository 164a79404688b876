"""From the shots of a ladder to what is encoded: every frame of the source once, each shot as its target asks.

Times of a ladder become frames here. The shots of a rendition must be all frames of the source, one after the other,
and those of every rendition the same: players switch at the ends of segments, and segments end where shots do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from fractions import Fraction

from abr_alloc.allocation.rendition import VideoRendition
from abr_alloc.delivery.ordered_encoders import video_encoder
from abr_alloc.encoders import AudioEncoder, VideoEncoder
from abr_alloc.errors import DeliveryError
from abr_alloc.formats.delivery_record import ShotOrder
from abr_alloc.media.encoder_arguments import Ask
from abr_alloc.media.encoding import probe_ask
from abr_alloc.targets import Target

__all__ = ["check_same_shots", "shot_ask", "shot_encoder", "shot_orders", "shot_spans_s"]

_AGAIN = "design the ladder from this source"


def shot_encoder(
    video: VideoRendition, encoders: Mapping[str, VideoEncoder | AudioEncoder], preset: str | None = None
) -> VideoEncoder:
    """The encoder of all shots of a rendition; arguments and errors as of `video_encoder`.

    Raises:
        DeliveryError: two shots are of different encoders.
    """
    names = sorted({Target(shot.target).encoder for shot in video.shots})
    if len(names) > 1:
        raise DeliveryError(
            f"scenes of a rung of {video.bitrate_kbps:.0f} kbps are of the encoders {names[0] or video.codec!r} and "
            f"{names[1]!r}; one stream needs one encoder, design the ladder again"
        )
    return video_encoder(dataclasses.replace(video, target=video.shots[0].target, shots=()), encoders, preset)


def shot_ask(encoder: VideoEncoder, target: str) -> Ask:
    """What an encoder is asked for by the target of a shot: what its probes were asked for, or, where its settings say
    how a ladder is encoded and that asks for the same kind of number, in that way.

    Raises:
        UnitError: the target holds no number.
    """
    found = Target(target)
    if encoder.delivery and encoder.kind_of(encoder.delivery) == found.kind:
        return Ask(mode=encoder.delivery, number=found.kbps if found.is_rate else found.number)
    return probe_ask(encoder, found)


def shot_orders(video: VideoRendition, encoder: VideoEncoder, fps: Fraction, num_frames: int) -> tuple[ShotOrder, ...]:
    """The shots of a rendition in frames.

    Args:
        video: the rendition.
        encoder: its encoder.
        fps: of the source.
        num_frames: of the source.

    Raises:
        DeliveryError: they are not all frames of the source, one after the other, or ask for what cannot be asked.
    """
    orders, next_frame = [], 0
    for number, shot in enumerate(video.shots, start=1):
        what = f"scene {number} of a rung of {video.bitrate_kbps:.0f} kbps"
        first, end = round(shot.start_s * fps), round(shot.end_s * fps)
        if first != next_frame:
            raise DeliveryError(
                f"{what} begins at frame {first} ({shot.start_s:g} s), and the scenes before it end at frame "
                f"{next_frame}; {_AGAIN}"
            )
        if end <= first:
            raise DeliveryError(f"{what} is from {shot.start_s:g} s to {shot.end_s:g} s, which is no frame; {_AGAIN}")
        if shot.width_px % 2 or shot.height_px % 2:
            raise DeliveryError(
                f"{what} is {shot.width_px}x{shot.height_px}, but pictures are coded with even sides; {_AGAIN}"
            )
        _check_target(shot.target, encoder, what)
        orders.append(
            ShotOrder(
                first_frame=first,
                num_frames=end - first,
                width_px=shot.width_px,
                height_px=shot.height_px,
                target=shot.target,
                planned_kbps=shot.bitrate_kbps,
            )
        )
        next_frame = end
    if next_frame != num_frames:
        raise DeliveryError(
            f"the scenes of a rung of {video.bitrate_kbps:.0f} kbps end at frame {next_frame} and the source at "
            f"{num_frames}; {_AGAIN}"
        )
    return tuple(orders)


def _check_target(text: str, encoder: VideoEncoder, what: str) -> None:
    target = Target(text)
    if target.is_label or target.is_lossless or (encoder.software is None and target.kind != encoder.kind):
        raise DeliveryError(f"{what} asks for {text!r}, which {encoder.name} cannot be asked for; {_AGAIN}")
    if target.is_rate:
        return
    try:
        low, high = encoder.value_range(shot_ask(encoder, text).mode)
    except KeyError:
        raise DeliveryError(f"{what} asks for {text!r}, a scale that {encoder.name} does not have; {_AGAIN}") from None
    if not low <= target.number <= high:
        raise DeliveryError(f"{what} asks for {text!r}, and {encoder.name} takes {low:g} to {high:g}; {_AGAIN}")


def check_same_shots(videos: Sequence[VideoRendition]) -> None:
    """Refuse a ladder of whose renditions some are cut at other scenes, or not at all.

    Raises:
        DeliveryError: names two.
    """
    spans = {video: shot_spans_s([video]) for video in videos}
    for video in videos:
        if spans[video] != spans[videos[0]]:
            rates = " and ".join(f"{v.bitrate_kbps:.0f} kbps" for v in (videos[0], video))
            raise DeliveryError(
                f"the rungs of {rates} are not cut at the same scenes, so that no player could switch between them; "
                "design the ladder again"
            )


def shot_spans_s(videos: Sequence[VideoRendition]) -> list[tuple[float, float]]:
    """First instant of every shot and first instant after it, seconds; empty where a ladder has none."""
    return [(shot.start_s, shot.end_s) for shot in videos[0].shots]
