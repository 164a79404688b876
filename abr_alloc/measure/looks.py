"""The first tasks of a title: a look at what it is, and a scan that decodes it once before anything is encoded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from abr_alloc.location import is_remote
from abr_alloc.measure.cache import LOOK, Cache, cache_key
from abr_alloc.measure.checks import check_sound
from abr_alloc.measure.copies import local_copy
from abr_alloc.measure.digest import COMPLEXITY_VERSION, measure_complexity
from abr_alloc.measure.envelope import sound_envelope
from abr_alloc.media.coding import SAMPLE_RATE_HZ
from abr_alloc.media.container import require_media_file
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.probe import MAX_PIXELS, MediaInfo, content_hash, mark_of, probe, require_unchanged
from abr_alloc.media.scenes import SCAN_VERSION, SCDET_THRESHOLD, scan_source
from abr_alloc.media.seek import read_key_times
from abr_alloc.media.sound import SoundFacts, decode_audio, survey_audio

__all__ = ["NORMALISATION", "LookTask", "ScanTask", "Title", "source_here"]

NORMALISATION = 2
"""Changes whenever the same source would be brought to other frames or samples."""

_LOOK_VERSION = 2
"""Changes whenever a look finds out more of a source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """One source after the first look."""

    name: str
    info: MediaInfo
    source_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookTask:
    """Open a source: what it is, and the hash of its bytes. Returns a `Title`."""

    name: str
    path: Path
    ffmpeg: FFmpeg
    audio_track: int | None = None
    max_pixels: int = MAX_PIXELS
    with_picture: bool = True

    @property
    def label(self) -> str:
        return f"{self.path.name}: looking"

    def run(self, cache: Cache) -> Title:
        with local_copy(self.path, cache.copies) as path:
            require_media_file(path)
            mark = None if is_remote(self.path) else mark_of(path)  # a copy is its own
            source_hash = content_hash(path)
            key = LOOK + cache_key(
                kind="look",
                source=source_hash,
                ffmpeg=self.ffmpeg.version,
                version=[NORMALISATION, _LOOK_VERSION],
                track=self.audio_track or 0,
                max_pixels=self.max_pixels,
                picture=self.with_picture,
            )
            found = cache.get(key)
            if found is None:
                info = probe(
                    path,
                    self.ffmpeg,
                    audio_track=self.audio_track,
                    max_pixels=self.max_pixels,
                    with_picture=self.with_picture,
                )
                if info.has_audio and (info.has_video or not self.with_picture):  # what is refused leaves no trace
                    cache.put(key, {"info": np.array(info.to_json())})
            else:
                info = MediaInfo.from_json(str(found["info"]), path)
            info = replace(info, path=self.path, mark=mark)
            require_unchanged(info)
            return Title(name=self.name, info=info, source_hash=source_hash)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanTask:
    """Count a source's frames and find its cuts; with `with_complexity`, see also how busy every second is."""

    ffmpeg: FFmpeg
    info: MediaInfo
    source_hash: str
    with_complexity: bool = False

    @property
    def key(self) -> str:
        return cache_key(
            kind="scan",
            source=self.source_hash,
            ffmpeg=self.ffmpeg.version,
            threshold=SCDET_THRESHOLD,
            version=[NORMALISATION, SCAN_VERSION],
            **self.info.stream_facts,
            **({"complexity": COMPLEXITY_VERSION} if self.with_complexity else {}),
        )

    @property
    def label(self) -> str:
        return f"{self.info.path.name}: looking for cuts"

    def run(self, cache: Cache) -> None:
        with cache.work_dir() as work_dir, source_here(self.info, cache) as info:
            scan = scan_source(self.ffmpeg, info, work_dir)
            duration_s = float(scan.num_frames / info.fps)
            found = {
                "num_frames": scan.num_frames,
                "cuts": np.array(scan.cuts, dtype=np.int64),
                "fingerprints": scan.fingerprints,
                "key_times_s": read_key_times(info),
            }
            if self.with_complexity and info.has_audio:
                pcm = work_dir / "audio.f32"
                sound = decode_audio(info, duration_s, pcm)
                samples = np.memmap(pcm, dtype="<f4", mode="r").reshape(-1, 2)
                found["complexity"] = measure_complexity(scan, info.fps, samples, SAMPLE_RATE_HZ)
                found["envelope"] = sound_envelope(samples)
                del samples
            else:
                sound = survey_audio(info, duration_s) if info.has_audio else SoundFacts()
            found["channels"] = sound.channels
            found["notes"] = np.array([*scan.notes, *check_sound(info, sound, duration_s)], dtype=str)
        cache.put(self.key, found)


@contextlib.contextmanager
def source_here(info: MediaInfo, cache: Cache) -> Iterator[MediaInfo]:
    """A source that is a file of this machine, as ffmpeg needs it: itself, or its copy.

    Raises:
        UnsupportedMediaError: it is not there, or changes meanwhile.
    """
    with local_copy(info.path, cache.copies) as path:
        require_unchanged(info)
        yield replace(info, path=path)
        require_unchanged(info)
