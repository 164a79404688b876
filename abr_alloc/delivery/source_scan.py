"""What is known of every frame of a source before it is encoded; extraction has mostly looked before."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from abr_alloc.measure.cache import Cache
from abr_alloc.measure.looks import ScanTask
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.probe import MediaInfo
from abr_alloc.workers.local import LocalWorkers, run_all

__all__ = ["CachedScan", "cached_scan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedScan:
    """What a look at every frame of a source finds."""

    num_frames: int
    """Frames at its constant rate."""
    cuts: tuple[int, ...]
    """Frames that begin a new scene."""
    notes: tuple[str, ...]
    """What a user should be told of it."""
    key: str = ""
    """Its entry in the cache."""
    key_times_s: npt.NDArray[np.float64] = field(compare=False, repr=False)
    """When the source has key frames, seconds on its clock, rising."""
    fingerprints: npt.NDArray[np.uint32] = field(compare=False, repr=False)
    """A number that tells every frame from others, (F,)."""


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
        num_frames=int(found["num_frames"]),
        cuts=tuple(map(int, found["cuts"])),
        notes=tuple(map(str, found["notes"])),
        key=task.key,
        key_times_s=found["key_times_s"],
        fingerprints=found["fingerprints"],
    )
