"""From a ladder and a source to what is to be encoded, with every reason against it told before any work."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from abr_alloc import defaults
from abr_alloc.allocation.rendition import AudioRendition
from abr_alloc.allocation.rung import Ladder
from abr_alloc.codecs import AUDIO_CODECS, ENCODED_AUDIO, VIDEO_CODECS
from abr_alloc.delivery.chosen_ladder import ChosenLadder
from abr_alloc.delivery.chosen_tracks import ChosenTrack, further_orders
from abr_alloc.delivery.ordered_encoders import audio_encoder, check_gops, probed_values, video_encoder
from abr_alloc.delivery.packaging import Packaging
from abr_alloc.delivery.shot_orders import check_same_shots, shot_encoder, shot_orders
from abr_alloc.encoder_settings import settings_of
from abr_alloc.errors import DeliveryError
from abr_alloc.exporting.planned import distinct_renditions, rendition_names
from abr_alloc.formats.delivery_record import AudioOrder, Delivery, PlannedRung, SubtitleOrder, VideoOrder
from abr_alloc.formats.orders import PlannedSurround
from abr_alloc.media.encoding import check_encoders
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.grid import AudioTarget, VideoTarget
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.surround import SURROUND_CHANNELS, SURROUND_KBPS, surround_track

__all__ = ["check_ranges", "check_source", "make_order"]

logger = logging.getLogger(__name__)

_SAME_SHAPE = 0.03
"""Relative difference of aspect ratios that rounding to even sizes explains at the smallest sizes."""

_MAX_CHANNELS = 2


def check_ranges(info: MediaInfo, ladder: Ladder, tone_map: str) -> None:
    """Refuse a ladder whose renditions have another dynamic range than can be made of a source.

    Raises:
        DeliveryError: names the rung and what to do.
    """
    own = info.dynamic_range
    for number, rung in enumerate(ladder.rungs, start=1):
        video, what = rung.video, f"rung {number} of {ladder.title!r} is"
        if video.dynamic_range != own and (video.dynamic_range != "SDR" or not tone_map):
            then = "extract it with `tone_map` and design its SDR ladder" if own != "SDR" else "design its own ladder"
            raise DeliveryError(f"{what} {video.dynamic_range}, and {info.path} is {own}; {then}")
        if video.dynamic_range != "SDR" and VIDEO_CODECS[video.codec].eight_bit_only:
            raise DeliveryError(f"{what} {video.dynamic_range} in {video.codec}, which has 8 bits; design it in hevc")
        if own != "SDR" and video.per_shot:
            raise DeliveryError(
                f"{what} encoded scene by scene, which HDR sources are not yet; design the ladder without `shots`"
            )


def check_source(info: MediaInfo, ladder: Ladder) -> None:
    """Refuse a ladder that does not fit a source.

    Raises:
        DeliveryError: the source lacks a track, or a rung is larger, of another shape, or in a codec not encoded here.
    """
    for kind, present in (("video", info.has_video), ("audio", info.has_audio)):
        if not present:
            raise DeliveryError(f"{info.path} has no {kind} track; a ladder's rungs are pairs of audio and video")
    for number, rung in enumerate(ladder.rungs, start=1):
        video, audio = rung.video, rung.audio
        size, own = f"{video.width_px}x{video.height_px}", f"{info.width_px}x{info.height_px}"
        shape = (video.width_px / video.height_px) / (info.width_px / info.height_px)
        # Sides are rounded to even: of 18 lines, one more or less is 6 %.
        if abs(shape - 1.0) > _SAME_SHAPE + 1.0 / min(video.width_px, video.height_px):
            raise DeliveryError(
                f"rung {number} of {ladder.title!r} is {size}, of another shape than {info.path} ({own}), and would "
                "stretch its picture; design the ladder from this source"
            )
        sizes = [(video.width_px, video.height_px), *((shot.width_px, shot.height_px) for shot in video.shots)]
        if any(width > info.width_px or height > info.height_px for width, height in sizes):
            raise DeliveryError(
                f"rung {number} of {ladder.title!r} is {size}, larger than {info.path} ({own}); design the ladder from "
                "this source, or leave larger rungs out with `ladder(max_height_px)`"
            )
        if video.codec not in VIDEO_CODECS or audio.codec not in ENCODED_AUDIO:
            codec = audio.codec if video.codec in VIDEO_CODECS else video.codec
            raise DeliveryError(f"rung {number} of {ladder.title!r} is in {codec}, which is not encoded here")
        if video.width_px % 2 or video.height_px % 2:
            raise DeliveryError(
                f"rung {number} of {ladder.title!r} is {size}, but pictures are coded with even sides; design it again"
            )
        if audio.channels > _MAX_CHANNELS:
            raise DeliveryError(
                f"rung {number} of {ladder.title!r} has audio of {audio.channels} channels; mono or stereo stands in a "
                "rung, and 5.1 beside it: design it again with `surround_share`"
            )
        if audio.channels == 1 and info.channels > 1:
            raise DeliveryError(
                f"rung {number} of {ladder.title!r} has mono audio, but {info.path} has {info.channels} channels; "
                "design the ladder from this source"
            )
    _check_surround(info, ladder)


def _check_surround(info: MediaInfo, ladder: Ladder) -> None:
    """Refuse surround that a source does not have, or that stands alone.

    Raises:
        DeliveryError: it does.
    """
    surround = [rung.surround.audio for rung in ladder.rungs if rung.surround is not None]
    if not surround:
        return
    strange = next((a for a in surround if a.channels != SURROUND_CHANNELS or a.codec not in ENCODED_AUDIO), None)
    if strange is not None:
        raise DeliveryError(
            f"{ladder.title!r} has surround of {strange.channels} channels in {strange.codec}; 5.1 in "
            f"{', '.join(SURROUND_KBPS)} is encoded here, design it again"
        )
    if surround_track(info) is None:
        raise DeliveryError(
            f"{ladder.title!r} has surround, and {info.path} has no track of 5.1 beside or in its sound; design the "
            "ladder from this source, or without `surround_share`"
        )
    if not any(AUDIO_CODECS[rung.audio.codec].sample_entry == "mp4a" for rung in ladder.rungs):
        raise DeliveryError(
            f"{ladder.title!r} has surround and no stereo AAC, which Apple's players must find (2.3); design it with "
            "`audio_codecs` aac"
        )


def make_order(
    info: MediaInfo,
    chosen: ChosenLadder,
    *,
    source_hash: str,
    num_frames: int,
    scenes_s: Sequence[tuple[float, float]],
    weights_s: Sequence[float] = (),
    ffmpeg: FFmpeg,
    root: Path,
    preset: str | None = None,
    threads: int = 1,
    language: str = "und",
    label: str = defaults.AUDIO_LABEL,
    audio_track: int | None = None,
    further: Sequence[ChosenTrack] = (),
    subtitles: Sequence[SubtitleOrder] = (),
    packaging: Packaging = Packaging(),  # noqa: B008  frozen
) -> Delivery:
    """What is to be encoded.

    Raises:
        DeliveryError: an encoder has no such preset, nothing says how to encode a rendition, or the ladder cannot be
            packaged as is asked.
        LadderFormatError: the ladder holds a codec or target that it cannot.
        ToolMissingError: an encoder is not there.
    """
    rungs = chosen.ladder.rungs
    names = rendition_names(rungs)
    videos, audios = distinct_renditions(rungs)
    check_same_shots(videos)
    encoders = {
        video: packaging.with_gop((shot_encoder if video.per_shot else video_encoder)(video, chosen.encoders, preset))
        for video in videos
    }
    sounds = {audio: audio_encoder(audio, chosen.encoders) for audio in audios}
    check_gops(encoders.values())
    sizes_change = any(len({(s.width_px, s.height_px) for s in video.shots}) > 1 for video in videos)
    packaging.check(encoders.values(), per_shot=any(v.per_shot for v in videos), sizes_change=sizes_change)
    video_orders = tuple(
        VideoOrder(
            name=names[video],
            codec=video.codec,
            width_px=video.width_px,
            height_px=video.height_px,
            preset=encoders[video].preset,
            planned_kbps=video.bitrate_kbps,
            asked_kbps=video.bitrate_kbps,
            encoder="" if encoders[video].is_usual else encoders[video].name,
            probes=() if video.per_shot else probed_values(video, encoders[video]),
            dynamic_range=video.dynamic_range,
            shots=shot_orders(video, encoders[video], info.fps, num_frames) if video.per_shot else (),
        )
        for video in videos
    )
    audio_orders = tuple(
        AudioOrder(
            name=names[audio],
            codec=audio.codec,
            channels=audio.channels,
            target=audio.target,
            planned_kbps=audio.bitrate_kbps,
            track=_track(info, audio),
        )
        for audio in audios
    )
    check_encoders(
        ffmpeg,
        [VideoTarget(codec=v.codec, width_px=2, height_px=2, target="", encoder=e) for v, e in encoders.items()],
        [AudioTarget(codec=a.codec, channels=a.channels, target=a.target, encoder=e) for a, e in sounds.items()],
    )
    return Delivery(
        title=chosen.ladder.title,
        source=os.path.relpath(info.path.resolve(), root.resolve()),
        source_hash=source_hash,
        num_frames=num_frames,
        fps=str(info.fps),
        scenes_s=tuple(scenes_s),
        weights_s=tuple(weights_s),
        model=chosen.model,
        weights_sha256=chosen.weights_sha256,
        ffmpeg_version=ffmpeg.version,
        threads=threads,
        language=language,
        label=label,
        audio_track=audio_track,
        videos=video_orders,
        encoders={e.name: settings_of(e) for e in encoders.values() if not e.is_usual}
        | {e.name: settings_of(e) for e in sounds.values() if e is not None},
        audios=(*audio_orders, *further_orders(info, audio_orders, further)),
        rungs=tuple(
            PlannedRung(
                video=names[rung.video],
                audio=names[rung.audio],
                total_kbps=rung.total_kbps,
                avq_mos=rung.avq_mos,
                vmaf=rung.video.vmaf,
                shots_mos=rung.shots_mos,
                surround=None
                if rung.surround is None
                else PlannedSurround(
                    audio=names[rung.surround.audio],
                    total_kbps=rung.surround.total_kbps,
                    avq_mos=rung.surround.avq_mos,
                ),
            )
            for rung in rungs
        ),
        peak_kbps=chosen.peak_kbps,
        phones=chosen.phones,
        subtitles=tuple(subtitles),
        segment_s=packaging.segment_s,
        single_file=packaging.single_file,
        audio_only=packaging.audio_only,
        tone_map=chosen.tone_map,
    )


def _track(info: MediaInfo, audio: AudioRendition) -> int | None:
    """The track of a rung's own sound where that is not the source's: of surround that has one of its own."""
    if audio.channels <= _MAX_CHANNELS:
        return None
    track = surround_track(info)
    return None if track is None or info.audio_indices == (track.index,) else track.number
