"""Encode a ladder: every rendition once, side by side, then the playlists."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from abr_alloc.delivery.folder import DeliveryFolder
from abr_alloc.delivery.rendition_tasks import EncodeAudioTask, EncodeVideoTask
from abr_alloc.exporting.presentation import SEGMENT_S
from abr_alloc.formats.delivery_record import Delivery, VideoOrder
from abr_alloc.measure.cache import Cache
from abr_alloc.measure.extract import Progress
from abr_alloc.measure.looks import ScanTask
from abr_alloc.media.coding import segment_duration_s
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.probe import MediaInfo
from abr_alloc.workers.local import LocalWorkers, run_all

__all__ = ["CachedScan", "cached_scan", "encode_streams", "encode_videos"]

logger = logging.getLogger(__name__)

_TICK_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedScan:
    """What a look at every frame of a source finds."""

    num_frames: int
    """Frames at its constant rate."""
    cuts: tuple[int, ...]
    """Frames that begin a new scene."""
    notes: tuple[str, ...]
    """What a user should be told of it."""


def cached_scan(ffmpeg: FFmpeg, info: MediaInfo, source_hash: str, cache: Cache) -> CachedScan:
    """Count a source's frames and find its cuts; extraction has mostly done so before.

    Raises:
        UnsupportedMediaError: under a second of it can be decoded, or it is truncated.
        MediaError: it cannot be decoded.
    """
    task = ScanTask(ffmpeg=ffmpeg, info=info, source_hash=source_hash)
    found = cache.get(task.key)
    if found is None:
        with LocalWorkers(1) as workers:
            for _ in run_all(workers, cache, [task]):
                pass
        found = cache.require(task.key)
    return CachedScan(
        num_frames=int(found["num_frames"]), cuts=tuple(map(int, found["cuts"])), notes=tuple(map(str, found["notes"]))
    )


def encode_streams(
    delivery: Delivery, info: MediaInfo, ffmpeg: FFmpeg, folder: DeliveryFolder, *, jobs: int
) -> Generator[Progress, None, None]:
    """Encode what is missing of a delivery, whose folder is held.

    Raises:
        MediaError: an encode failed; what had finished stays.
        OutputError: the disk takes no more.
    """
    tasks: list[EncodeVideoTask | EncodeAudioTask] = list(
        _video_tasks([v for v in delivery.videos if not folder.has(v.name)], delivery, info, ffmpeg, folder.root)
    )
    fps = Fraction(delivery.fps)
    missing = tuple(audio for audio in delivery.audios if not folder.has(audio.name))
    if missing:
        tasks.append(
            EncodeAudioTask(
                ffmpeg=ffmpeg,
                info=info,
                orders=missing,
                encoders={e.name: e for e in map(delivery.audio_encoder_of, missing) if e is not None},
                duration_s=float(delivery.num_frames / fps),
                segment_s=segment_duration_s(fps, SEGMENT_S, delivery.gop_s),
            )
        )
    num_missing = sum(not folder.has(name) for name in delivery.stream_names)
    logger.info("%d of %d streams are missing", num_missing, len(delivery.stream_names))
    yield from _run(tasks, folder, jobs)


def encode_videos(
    orders: Sequence[VideoOrder],
    delivery: Delivery,
    info: MediaInfo,
    ffmpeg: FFmpeg,
    folder: DeliveryFolder,
    *,
    below: Path,
    jobs: int,
) -> Generator[Progress, None, None]:
    """Encode video renditions below another folder than the delivery's own.

    Raises:
        MediaError: an encode failed.
        OutputError: the disk takes no more.
    """
    yield from _run(list(_video_tasks(orders, delivery, info, ffmpeg, below)), folder, jobs)


def _video_tasks(
    orders: Sequence[VideoOrder], delivery: Delivery, info: MediaInfo, ffmpeg: FFmpeg, below: Path
) -> list[EncodeVideoTask]:
    return [
        EncodeVideoTask(
            ffmpeg=ffmpeg,
            info=info,
            order=order,
            encoder=delivery.encoder_of(order),
            num_frames=delivery.num_frames,
            segment_s=segment_duration_s(Fraction(delivery.fps), SEGMENT_S, delivery.gop_s),
            threads=delivery.threads,
            below=below,
        )
        for order in orders
    ]


def _run(
    tasks: Sequence[EncodeVideoTask | EncodeAudioTask], folder: DeliveryFolder, jobs: int
) -> Generator[Progress, None, None]:
    if not tasks:
        return
    tasks = sorted(tasks, key=lambda task: task.work, reverse=True)  # long ones first: an even end
    total = sum(task.work for task in tasks)
    waiting, label = list(tasks), tasks[0].label
    with LocalWorkers(min(jobs, len(tasks))) as workers:
        for task in run_all(workers, folder, tasks, tick_s=_TICK_S):
            if task is not None:
                waiting.remove(task)
                label = task.label
                logger.info("finished %s", task.label)
            left = sum(task.work * (1.0 - task.done_share(folder)) for task in waiting)
            yield Progress(done=total - left, total=total, label=label)
