"""How loud a title's audio tracks are: a task beside the measurements, for titles where it matters.

It matters where there are several tracks, or more channels than two, between which somebody switches, and where AC-3
carries it (dialnorm). A title with one stereo track in other codecs is not decoded once more for a number that nobody
asks for.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from abr_alloc.documents import json_text, parse_json
from abr_alloc.errors import MediaError
from abr_alloc.measure.cache import Cache, cache_key
from abr_alloc.measure.looks import source_here
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.loudness import Loudness, differing, track_loudness
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.surround import surround_track

__all__ = ["LoudnessTask", "loudness_of", "loudness_task"]

logger = logging.getLogger(__name__)

_DOLBY = ("ac3", "eac3")
_VERSION = 1
"""Changes whenever the same tracks would be as loud as something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoudnessTask:
    """Measure how loud all of a source's audio tracks are."""

    ffmpeg: FFmpeg
    info: MediaInfo
    source_hash: str

    @property
    def key(self) -> str:
        return cache_key(
            kind="loudness",
            source=self.source_hash,
            ffmpeg=self.ffmpeg.version,
            version=_VERSION,
            **self.info.stream_facts,
        )

    @property
    def label(self) -> str:
        return f"{self.info.path.name}: loudness"

    @property
    def work(self) -> float:
        """Rough seconds of one core."""
        return 0.015 * self.info.duration_s * len(self.info.audio_tracks)

    def is_done(self, cache: Cache) -> bool:
        return cache.has(self.key)

    def run(self, cache: Cache) -> None:
        with source_here(self.info, cache) as info:
            try:
                found = track_loudness(self.ffmpeg, info)
            except MediaError as error:  # a track that nobody measures otherwise may be damaged
                logger.warning("%s: the loudness of its audio tracks is not known (%s)", self.info.path, error)
                found = {}
        cache.put(self.key, {"loudness": np.array(json_text({name: asdict(loud) for name, loud in found.items()}))})


def loudness_task(ffmpeg: FFmpeg, info: MediaInfo, source_hash: str, codecs: Collection[str]) -> LoudnessTask | None:
    """The task of a source that is encoded in some codecs; None where nobody asks how loud it is."""
    if len(info.audio_tracks) < 2 and surround_track(info) is None and not {*codecs} & {*_DOLBY}:
        return None
    return LoudnessTask(ffmpeg=ffmpeg, info=info, source_hash=source_hash)


def loudness_of(title: str, task: LoudnessTask | None, cache: Cache) -> dict[str, dict[str, Any]]:
    """What a finished task found, by title and track; nothing where there was none."""
    if task is None:
        return {}
    found: dict[str, Any] = parse_json(str(cache.require(task.key)["loudness"]).encode())
    said = differing({track: Loudness(**values) for track, values in found.items()})
    if said:
        _tell_once(str(task.info.path), said)
    return {title: found} if found else {}


@functools.cache  # a table is asked for after every round of probes
def _tell_once(path: str, said: str) -> None:
    logger.warning("%s: %s", path, said)
