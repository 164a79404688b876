"""How loud a title's audio tracks are: a task beside the measurements, for titles where it matters.

It matters where there are several tracks, or more channels than two, between which somebody switches, and where AC-3
carries it (dialnorm). A title with one stereo track in other codecs is not decoded once more for a number that nobody
asks for.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from abr_alloc.documents import json_text, parse_json
from abr_alloc.errors import MediaError
from abr_alloc.measure.cache import Cache, cache_key
from abr_alloc.measure.looks import source_here
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.loudness import Loudness, track_loudness
from abr_alloc.media.probe import MediaInfo

__all__ = ["LoudnessTask", "loudness_of"]

logger = logging.getLogger(__name__)

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


def loudness_of(task: LoudnessTask, cache: Cache) -> dict[str, Loudness]:
    """What a finished task found, by track."""
    found: dict[str, Any] = parse_json(str(cache.require(task.key)["loudness"]).encode())
    return {name: Loudness(**values) for name, values in found.items()}
