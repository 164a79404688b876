"""From streams on disk to playlists and a manifest, with everything in them read from the segments."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias, TypeVar

from abr_alloc.delivery.folder import DeliveryFolder
from abr_alloc.delivery.packaging import audio_alone, put_in_one_file
from abr_alloc.delivery.subtitles import damaged_subtitles, publish_subtitles, read_subtitles
from abr_alloc.disk import disk_errors
from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.exporting.dash import dash_manifest
from abr_alloc.exporting.hls import i_frame_playlist, master_playlist, media_playlist
from abr_alloc.exporting.presentation import (
    I_FRAME_PLAYLIST_NAME,
    MANIFEST_NAME,
    PLAYLIST_NAME,
    SEGMENT_S,
    AudioStream,
    IFrame,
    Segment,
    Timeline,
    Variant,
    VideoStream,
    distinct_audio,
    distinct_video,
    with_discontinuities,
)
from abr_alloc.formats.delivery_record import AudioOrder, Delivery, VideoOrder, write_delivery
from abr_alloc.media.bitstream import Fragment
from abr_alloc.media.captions import has_captions
from abr_alloc.media.cmaf import read_segments, segment_inits
from abr_alloc.media.codecs_parameters import most_demanding
from abr_alloc.media.segments import init_paths
from abr_alloc.media.track_file import stored_stream
from abr_alloc.writing import replace_file

__all__ = ["damaged_streams", "publish", "read_surround", "read_variants", "timeline_of"]

_Stream = TypeVar("_Stream", VideoStream, AudioStream)
_Videos: TypeAlias = dict[str, VideoStream]
_Audios: TypeAlias = dict[str, AudioStream]

_AGAIN = "encode the ladder again"
_MOST_MISSING_S = 0.1
"""How much earlier than the title its audio may end: about a coder's longest frame."""
_LONGEST_AUDIO_FRAME_S = Fraction(12, 100)
"""Of any coder: Opus has frames of up to 120 ms."""


def damaged_streams(delivery: Delivery, folder: DeliveryFolder) -> dict[str, str]:
    """Streams of a delivery that are there and not whole, with what is wrong; those that are missing are not named."""
    found: dict[str, str] = {}
    kinds = [(order.name, "video") for order in delivery.videos] + [(order.name, "audio") for order in delivery.audios]
    for name, kind in kinds:
        try:
            if folder.has(name):
                _fragments(folder.root / name, kind, delivery)
        except UnsupportedMediaError as error:
            found[name] = str(error).rpartition("; ")[0] or str(error)
    return found | damaged_subtitles(delivery, folder)


def read_variants(delivery: Delivery, root: Path, places: Mapping[str, Path] | None = None) -> list[Variant]:
    """The rungs of a delivery as its segments are now, each with its own audio alone.

    Args:
        delivery: what was ordered.
        root: its folder.
        places: where streams lie, by name, that are not in it.

    Raises:
        UnsupportedMediaError: a segment is missing or cannot be read.
    """
    return _pairs(delivery, *_read_streams(delivery, root, places or {}))


def _pairs(delivery: Delivery, videos: _Videos, audios: _Audios) -> list[Variant]:
    return [Variant(video=videos[r.video], audio=audios[r.audio], avq_mos=r.avq_mos) for r in delivery.rungs]


def read_surround(delivery: Delivery, places: Mapping[str, Path]) -> list[Variant | None]:
    """Every rung of a delivery with its surround, as its segments are now; None for one without.

    Args:
        delivery: what was ordered.
        places: where all of its streams lie, by name.

    Raises:
        UnsupportedMediaError: a segment is missing or cannot be read.
    """
    if all(rung.surround is None for rung in delivery.rungs):
        return [None] * len(delivery.rungs)
    videos, audios = _read_streams(delivery, Path(), places)
    return [
        None if r.surround is None
        else Variant(video=videos[r.video], audio=audios[r.surround.audio], avq_mos=r.surround.avq_mos)
        for r in delivery.rungs
    ]  # fmt: skip


def _presented(delivery: Delivery, videos: _Videos, audios: _Audios) -> list[Variant]:
    """What players are offered: the rungs in all languages, and beside each the same with surround where it has some.

    All groups of a playlist have the same members (draft-pantos-hls-rfc8216bis-22, 4.4.6.1.1): a language that has no
    surround stands in that group as it is in the other.
    """
    found = []
    for rung in delivery.rungs:
        others = {order.label: audios[order.name] for order in delivery.beside(rung.audio)}
        ways = [(rung.audio, rung.avq_mos, others)]
        if rung.surround is not None:
            around = {order.label: audios[order.name] for order in delivery.beside(rung.surround.audio)}
            ways.append((rung.surround.audio, rung.surround.avq_mos, others | around))
        found += [
            Variant(video=videos[rung.video], audio=audios[name], avq_mos=avq_mos, others=tuple(beside.values()))
            for name, avq_mos, beside in ways
        ]
    return found


def _read_streams(delivery: Delivery, root: Path, places: Mapping[str, Path]) -> tuple[_Videos, _Audios]:
    """All video and audio of a delivery, by name."""
    folders = {name: root / name for name in delivery.stream_names} | dict(places)
    videos = {order.name: _video(order, folders[order.name], delivery) for order in delivery.videos}
    audios = {order.name: _audio(order, folders[order.name], delivery) for order in delivery.audios}
    cuts_s = sorted({cut for video in videos.values() if video.timeline for cut in video.timeline.size_changes_s})
    if cuts_s:
        videos = {name: _discontinuous(video, cuts_s, folders[name]) for name, video in videos.items()}
        audios = {name: _discontinuous(audio, cuts_s, folders[name]) for name, audio in audios.items()}
    return videos, audios


def _discontinuous(stream: _Stream, cuts_s: Sequence[Fraction], folder: Path) -> _Stream:
    """A stream of a ladder in which pictures change in size: all of them tell where those of any do.

    Raises:
        UnsupportedMediaError: it is not cut there.
    """
    assert stream.timeline is not None  # read from its segments
    frame_s = Fraction(0) if isinstance(stream, VideoStream) else _LONGEST_AUDIO_FRAME_S
    try:
        return replace(stream, timeline=with_discontinuities(stream.timeline, cuts_s, frame_s))
    except ValueError as error:
        raise UnsupportedMediaError(f"{folder}: {error}; {_AGAIN}", path=str(folder)) from error


def _fragments(folder: Path, kind: str, delivery: Delivery) -> list[Fragment]:
    """A stream's segments, one after the other to the title's end.

    Raises:
        UnsupportedMediaError: one is missing, is another stream's, or cannot be read.
    """
    fragments = read_segments(folder)
    for part, before, fragment in zip(stored_stream(folder).segments[1:], fragments, fragments[1:], strict=False):
        if fragment.start != before.end:
            what = f"{part.path} does not follow the segment before it"
            raise UnsupportedMediaError(f"{what}; {_AGAIN}", path=str(folder))
    duration_s = float(delivery.num_frames / Fraction(delivery.fps))
    end_s = fragments[-1].end / fragments[-1].timescale
    num_sizes, num_inits = len({(f.width_px, f.height_px) for f in fragments}), len(init_paths(folder))
    if num_sizes > num_inits:
        what = f"pictures of {num_sizes} sizes and {num_inits} of their initialisation segments"
        raise UnsupportedMediaError(f"{folder} holds {what}; {_AGAIN}", path=str(folder))
    if fragments[0].kind != kind or end_s < duration_s - _MOST_MISSING_S:
        what = f"{fragments[0].kind} of {end_s:.2f} s, not {kind} of {duration_s:.2f} s"
        raise UnsupportedMediaError(f"{folder} holds {what}; {_AGAIN}", path=str(folder))
    return fragments


def timeline_of(folder: Path, fragments: Sequence[Fragment], segment_s: float = SEGMENT_S) -> Timeline:
    """A stream's segments from time 0: what a decoder needs before it is not shown."""
    ends = [fragment.end for fragment in fragments]
    starts = [0, *ends[:-1]]
    stored = stored_stream(folder)
    return Timeline(
        timescale=fragments[0].timescale,
        segments=tuple(
            Segment(duration=end - start, size_bytes=part.size_bytes, init=init)
            for start, end, part, init in zip(starts, ends, stored.segments, segment_inits(folder), strict=True)
        ),
        init_bytes=stored.init.size_bytes,
        lead_in=max(0, -fragments[0].start),
        i_frames=_i_frames(fragments),
        segment_s=segment_s,
        index_bytes=stored.index_bytes,
    )


def _i_frames(fragments: Sequence[Fragment]) -> tuple[IFrame, ...]:
    """A video stream's key frames, each until the next; none where they cannot be read alone."""
    if fragments[0].kind != "video" or not all(fragment.idr_ranges for fragment in fragments):
        return ()
    times = [at for fragment in fragments for at in fragment.idr] + [fragments[-1].end]
    found = [(n, *part) for n, fragment in enumerate(fragments, start=1) for part in fragment.idr_ranges]
    return tuple(
        IFrame(segment=number, duration=end - start, offset_bytes=offset, size_bytes=size)
        for (number, offset, size), (start, end) in zip(found, itertools.pairwise(times), strict=True)
    )


def _video(order: VideoOrder, folder: Path, delivery: Delivery) -> VideoStream:
    fragments = _fragments(folder, "video", delivery)
    timeline = timeline_of(folder, fragments, delivery.segment_s)
    largest = max(fragments, key=lambda fragment: (fragment.width_px * fragment.height_px, fragment.width_px))
    return VideoStream(
        name=order.name,
        codecs=most_demanding({fragment.codecs for fragment in fragments}),
        width_px=largest.width_px,
        height_px=largest.height_px,
        fps=Fraction(delivery.fps),
        peak_bits_per_s=timeline.peak_bits_per_s,
        average_bits_per_s=timeline.average_bits_per_s,
        dynamic_range=order.dynamic_range,
        has_captions=has_captions(stored_stream(folder).segments[0].read()),
        timeline=timeline,
    )


def _audio(order: AudioOrder, folder: Path, delivery: Delivery) -> AudioStream:
    fragments = _fragments(folder, "audio", delivery)
    timeline = timeline_of(folder, fragments, delivery.segment_s)
    return AudioStream(
        name=order.name,
        codecs=fragments[0].codecs,
        channels=fragments[0].channels,
        sample_rate_hz=fragments[0].sample_rate_hz,
        language=order.language or delivery.language,
        label=order.label or delivery.label,
        role=order.role,
        peak_bits_per_s=timeline.peak_bits_per_s,
        average_bits_per_s=timeline.average_bits_per_s,
        timeline=timeline,
    )


def publish(delivery: Delivery, folder: DeliveryFolder) -> list[Variant]:
    """Write the media playlists, the manifest, the record and, last, the master playlist; the rungs as `read_variants`.

    Raises:
        UnsupportedMediaError: a segment is missing or cannot be read.
        OutputError: the folder cannot be written.
    """
    read = _read_streams(delivery, folder.root, {})
    if delivery.single_file:
        put_in_one_file([*read[0].values(), *read[1].values()], folder.root)
        read = _read_streams(delivery, folder.root, {})
    variants = _presented(delivery, *read)
    subtitles = read_subtitles(delivery, folder.root)
    streams: list[VideoStream | AudioStream] = [*distinct_video(variants), *distinct_audio(variants)]
    duration_s = float(delivery.num_frames / Fraction(delivery.fps))
    alone = audio_alone(variants) if delivery.audio_only else None
    with disk_errors(folder.root):
        for stream in streams:
            assert stream.timeline is not None  # read above
            place = folder.root / stream.name
            replace_file(place / PLAYLIST_NAME, media_playlist(stream.timeline).encode())
            if stream.timeline.i_frames:
                replace_file(place / I_FRAME_PLAYLIST_NAME, i_frame_playlist(stream.timeline).encode())
        if subtitles:
            publish_subtitles(subtitles, variants[0].video, folder.root)
        replace_file(folder.root / MANIFEST_NAME, dash_manifest(variants, duration_s, subtitles=subtitles).encode())
        write_delivery(delivery, folder.record)
        replace_file(folder.master, master_playlist(variants, subtitles=subtitles, alone=alone).encode())
    return _pairs(delivery, *read)
