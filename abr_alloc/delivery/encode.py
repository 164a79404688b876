"""Encode a ladder: every rendition once, side by side, on this machine or on a cluster, then the playlists.

What is encoded whole is one task, what is encoded shot by shot many; either is encoded where there is room for it.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from abr_alloc.delivery.folder import DeliveryFolder
from abr_alloc.delivery.rendition_tasks import EncodeAudioTask, EncodeVideoTask
from abr_alloc.delivery.shot_tasks import title_segments
from abr_alloc.delivery.shot_work import KeptPeak, ShotWork
from abr_alloc.delivery.source_scan import cached_scan
from abr_alloc.formats.delivery_record import Delivery, VideoOrder
from abr_alloc.measure.cache import Cache
from abr_alloc.measure.steps import Progress
from abr_alloc.media.coding import segment_duration_s
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.probe import MediaInfo
from abr_alloc.workers.open import open_workers

__all__ = ["EncodeSetup", "Encoded", "encode_streams", "encode_videos"]

logger = logging.getLogger(__name__)

_TICK_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeSetup:
    """What encodes, and from what."""

    info: MediaInfo
    """The source."""
    ffmpeg: FFmpeg
    """The program."""
    cache: Cache
    """Where it is kept what is known of the source."""
    jobs: int
    """Processes of this machine."""
    scheduler: str | None = None
    """Address of a Dask scheduler whose workers encode instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """What became of an order."""

    delivery: Delivery
    """As it is now: what was asked of shots may have been corrected."""
    peaks: Mapping[str, KeptPeak] = field(default_factory=dict)
    """By the names of videos, where the ladder promises a peak."""
    notes: tuple[str, ...] = ()
    """What a user should be told of its sound."""


def encode_streams(
    delivery: Delivery, setup: EncodeSetup, folder: DeliveryFolder
) -> Generator[Progress | Encoded, None, None]:
    """Encode what is missing of a delivery, whose folder is held; yields progress and, last, what became of it.

    Raises:
        MediaError: an encode failed; what had finished stays.
        ClusterError: the cluster cannot be reached or used.
        OutputError: the disk takes no more.
    """
    fps = Fraction(delivery.fps)
    missing = [audio for audio in delivery.audios if not folder.has(audio.name)]
    audio = [
        EncodeAudioTask(
            ffmpeg=setup.ffmpeg,
            info=setup.info if track is None else setup.info.hearing(setup.info.audio_tracks[track - 1]),
            orders=tuple(order for order in missing if order.track == track),
            encoders={e.name: e for e in map(delivery.audio_encoder_of, missing) if e is not None},
            duration_s=float(delivery.num_frames / fps),
            segment_s=segment_duration_s(fps, delivery.segment_s, delivery.gop_s),
            starts_s=_segment_starts_s(delivery),
        )
        for track in dict.fromkeys(order.track for order in missing)
    ]
    num_missing = sum(not folder.has(name) for name in delivery.stream_names)
    logger.info("%d of %d streams are missing", num_missing, len(delivery.stream_names))
    orders = [order for order in delivery.videos if not folder.has(order.name)]
    yield from _encode(orders, audio, delivery, setup, folder, folder.root)


def _segment_starts_s(delivery: Delivery) -> tuple[Fraction, ...]:
    """When segments of video that are of unequal length begin, seconds; of all renditions alike."""
    shots = next((order for order in delivery.videos if order.shots), None)
    if shots is None:
        return ()
    lengths = list(itertools.chain.from_iterable(title_segments(delivery, shots)))
    return tuple(frames / Fraction(delivery.fps) for frames in itertools.accumulate(lengths[:-1], initial=0))


def encode_videos(
    orders: Sequence[VideoOrder], delivery: Delivery, setup: EncodeSetup, folder: DeliveryFolder, *, below: Path
) -> Generator[Progress | Encoded, None, None]:
    """Encode video renditions below another folder than the delivery's own; yields as `encode_streams`.

    Raises:
        MediaError: an encode failed.
        ClusterError: the cluster cannot be reached or used.
        OutputError: the disk takes no more.
    """
    yield from _encode(orders, [], delivery, setup, folder, below)


def _encode(
    orders: Sequence[VideoOrder],
    audio: Sequence[EncodeAudioTask],
    delivery: Delivery,
    setup: EncodeSetup,
    folder: DeliveryFolder,
    below: Path,
) -> Generator[Progress | Encoded, None, None]:
    info, ffmpeg = setup.info, setup.ffmpeg
    for order in orders:
        delivery = delivery.with_video(order)
    whole = [
        EncodeVideoTask(
            ffmpeg=ffmpeg,
            info=info.toned(delivery.tone_map_of(order)),
            order=order,
            encoder=delivery.encoder_of(order),
            num_frames=delivery.num_frames,
            segment_s=segment_duration_s(Fraction(delivery.fps), delivery.segment_s, delivery.gop_s),
            threads=delivery.threads,
            below=below,
        )
        for order in orders
        if not order.shots
    ]
    shots = [order for order in orders if order.shots]
    work = None
    if shots:
        scan = cached_scan(ffmpeg, info, delivery.source_hash, setup.cache)
        work = ShotWork(delivery, shots, info, ffmpeg, folder, setup.cache, scan, below)
    # Long ones first: an even end.
    tasks: list[Any] = sorted([*whole, *audio], key=lambda task: task.work, reverse=True)
    tasks += work.begin() if work is not None else []
    notes: list[str] = []
    if tasks:
        yield from _run(tasks, work, setup, folder, notes)
    if work is None:
        yield Encoded(delivery=delivery, notes=tuple(notes))
    else:
        yield Encoded(delivery=work.delivery, peaks=work.peaks, notes=tuple(notes))


def _run(
    tasks: list[Any], work: ShotWork | None, setup: EncodeSetup, folder: DeliveryFolder, notes: list[str]
) -> Generator[Progress, None, None]:
    """Run tasks and those that follow from them; what audio tasks have to say is added to `notes`."""
    jobs = setup.jobs if work is not None else min(setup.jobs, len(tasks))
    waiting, finished_work, label = {id(task): task for task in tasks}, 0.0, tasks[0].label
    with open_workers(jobs, setup.scheduler, ffmpeg=setup.ffmpeg) as workers:
        for task in tasks:
            workers.submit(task, folder)
        for told in workers.finished(tick_s=_TICK_S):
            if told is not None:
                if told.error is not None:
                    raise told.error
                del waiting[id(told.task)]
                finished_work += told.task.work
                label = told.task.label
                notes += told.result if isinstance(told.task, EncodeAudioTask) else ()
                logger.info("finished %s", label)
                for task in work.after(told.task, told.result) if work is not None else ():
                    waiting[id(task)] = task
                    workers.submit(task, folder)
            todo = sum(task.work for task in waiting.values()) + (work.later if work is not None else 0.0)
            done = finished_work + sum(task.work * task.done_share(folder) for task in waiting.values())
            yield Progress(done=done, total=finished_work + todo, label=label)
