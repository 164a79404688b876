"""From a ladder and a source to what is to be encoded, with every reason against it told before any work."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from abr_alloc import defaults
from abr_alloc.allocation.rendition import AudioRendition
from abr_alloc.allocation.rung import Ladder, Rung
from abr_alloc.codecs import AUDIO_CODECS, ENCODED_AUDIO, VIDEO_CODECS
from abr_alloc.delivery.chosen_tracks import ChosenTrack, further_orders
from abr_alloc.delivery.ordered_encoders import audio_encoder, check_gops, probed_values, video_encoder
from abr_alloc.delivery.shot_orders import check_same_shots, shot_encoder, shot_orders
from abr_alloc.encoder_settings import settings_of
from abr_alloc.encoders import AudioEncoder, VideoEncoder
from abr_alloc.errors import DeliveryError
from abr_alloc.exporting.planned import distinct_renditions, rendition_names
from abr_alloc.formats.delivery_record import AudioOrder, Delivery, PlannedRung, SubtitleOrder, VideoOrder
from abr_alloc.formats.ladder_file import TitleFacts, read_ladders, read_provenance, read_title_facts
from abr_alloc.formats.orders import PlannedSurround
from abr_alloc.media.encoding import check_encoders
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.grid import AudioTarget, VideoTarget
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.surround import SURROUND_CHANNELS, SURROUND_KBPS, surround_track

__all__ = ["ChosenLadder", "check_source", "choose_ladder", "make_order"]

logger = logging.getLogger(__name__)

_SAME_SHAPE = 0.03
"""Relative difference of aspect ratios that rounding to even sizes explains at the smallest sizes."""

_MAX_CHANNELS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenLadder:
    """The ladder that a source is encoded as, with what its file says of its origin."""

    ladder: Ladder
    """The rungs."""
    model: str
    """Model that predicted AVQ; empty where the file does not say."""
    weights_sha256: str
    """Its weights."""
    facts: TitleFacts | None
    """What was measured of this very source; None where the ladder was designed from another file."""
    encoders: Mapping[str, VideoEncoder | AudioEncoder] = field(default_factory=dict)
    """Encoders that its renditions were probed with, by the names of their targets; a codec's usual one by the codec's
    name. Files of before this was written say nothing."""
    phones: float = 0.0
    """Share of the audience on phones that it was designed for, 0-1."""
    peak_kbps: float | None = None
    """Largest rate of a video over a window of a segment's length that was asked for, kbps; None for any."""


def choose_ladder(path: Path, source: Path, source_hash: str, title: str | None = None) -> ChosenLadder:
    """The ladder of a file that belongs to a source: by `title`, else by the source's hash, else by its name, else the
    only one.

    Raises:
        DeliveryError: none belongs to it.
        LadderFormatError: the file cannot be read.
    """
    ladders = {ladder.title: ladder for ladder in read_ladders(path)}
    about = read_provenance(path)
    hashes = about.get("source_hashes", {})
    by_hash = next((name for name in ladders if hashes.get(name) == source_hash), None)
    shared = next((ladder.title for ladder in ladders.values() if ladder.rungs[0].titles), None)
    by_name = next((name for name in (source.stem, source.name) if name in ladders), None)
    only = next(iter(ladders)) if len(ladders) == 1 else None
    chosen = title or by_hash or by_name or shared or only
    if chosen not in ladders:
        listed = ", ".join(list(ladders)[:5]) + (", ..." if len(ladders) > 5 else "")
        what = f"no ladder for {title!r}" if title else f"no ladder for {source.name}"
        raise DeliveryError(f"{path} has {what}; choose one with `titles`: {listed}")
    facts = read_title_facts(path)
    measured = next((name for name, value in hashes.items() if value == source_hash), None)
    per_shot = any(rung.video.per_shot for rung in ladders[chosen].rungs)
    if per_shot and measured != chosen:
        raise DeliveryError(
            f"{path} gives every scene of {chosen!r} its own parameters, and {source} is not the file that it was "
            "designed from; extract this source and design its own"
        )
    if hashes and measured is None:
        logger.warning(
            "%s was designed from another file than %s: rates are kept, but predicted AVQ is that file's", path, source
        )
    return ChosenLadder(
        ladder=_of_title(ladders[chosen], measured),
        model=about.get("model") or "",
        weights_sha256=about.get("weights_sha256") or "",
        facts=None if measured is None else facts.get(measured),
        encoders=about.get("encoders", {}),
        phones=about["phones"],
        peak_kbps=about.get("peak_kbps") if per_shot else None,
    )


def _of_title(ladder: Ladder, title: str | None) -> Ladder:
    """A ladder as one of the titles that share it plays it: its own sizes and AVQ."""

    def own(rung: Rung) -> Rung:
        at = next((at for at in rung.titles if at.title == title), None)
        if at is None:
            return rung
        video = dataclasses.replace(rung.video, width_px=at.width_px, height_px=at.height_px, vmaf=at.vmaf)
        return dataclasses.replace(rung, video=video, avq_mos=at.avq_mos)

    return dataclasses.replace(ladder, rungs=tuple(own(rung) for rung in ladder.rungs))


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
) -> Delivery:
    """What is to be encoded.

    Raises:
        DeliveryError: an encoder has no such preset, or nothing says how to encode a rendition.
        LadderFormatError: the ladder holds a codec or target that it cannot.
        ToolMissingError: an encoder is not there.
    """
    rungs = chosen.ladder.rungs
    names = rendition_names(rungs)
    videos, audios = distinct_renditions(rungs)
    check_same_shots(videos)
    encoders = {
        video: (shot_encoder if video.per_shot else video_encoder)(video, chosen.encoders, preset) for video in videos
    }
    sounds = {audio: audio_encoder(audio, chosen.encoders) for audio in audios}
    check_gops(encoders.values())
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
    )


def _track(info: MediaInfo, audio: AudioRendition) -> int | None:
    """The track of a rung's own sound where that is not the source's: of surround that has one of its own."""
    if audio.channels <= _MAX_CHANNELS:
        return None
    track = surround_track(info)
    return None if track is None or info.audio_indices == (track.index,) else track.number
