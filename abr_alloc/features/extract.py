"""Extraction: from source files to a feature table.

Sources are first looked at, all of them, so that a bad one is named before hours of work. Then each title is measured:
its audio is decoded once, every rendition is encoded once over the whole title, and features are cut per scene.
Everything that takes time is a task (see `tasks.py`) with an entry in the cache.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.features.cache import Cache
from abr_alloc.features.pool import run_tasks, worker_pool
from abr_alloc.features.rows import to_frame
from abr_alloc.features.table import FeatureTable, TableMetadata
from abr_alloc.features.tasks import ScanTask
from abr_alloc.features.title import ExtractOptions, Title, TitleMeasurement, targets
from abr_alloc.features.video import VIDEO_FEATURE_VERSION
from abr_alloc.media.encode import check_encoders
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.probe import content_hash, probe
from abr_alloc.media.scenes import MIN_SCENE_S

__all__ = ["ExtractOptions", "Progress", "extract"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an extraction is."""

    done: float
    """Work done, in units of `total`."""
    total: float
    """All work, cached work not counted."""
    label: str
    """What was finished last."""


def extract(
    sources: Sequence[Path], ffmpeg: FFmpeg, cache: Cache, options: ExtractOptions
) -> Generator[Progress | FeatureTable, None, None]:
    """Measure sources; yields progress and, last, the table.

    Raises:
        UnsupportedMediaError: a source is not a decodable audio-visual file; raised before any work.
        MediaError: an encode or a measurement failed.
        GridError: the grid does not serve the codecs asked for.
    """
    logger.info("ffmpeg %s at %s; grid %s; cache %s", ffmpeg.version, ffmpeg.path, options.grid.name, cache.root)
    cache.remove_leftovers()
    titles = [_look(name, path, options) for name, path in _name_titles(sources)]
    for title in titles:
        video, audio = targets(title.info, options)
        check_encoders(ffmpeg, video, audio)
    rows: list[dict[str, Any]] = []
    libvmaf_version = ""
    with worker_pool(max(1, options.jobs)) as pool:
        scans = [
            ScanTask(ffmpeg=ffmpeg, info=t.info, source_hash=t.source_hash) for t in titles if not options.audio_only
        ]
        waiting = [scan for scan in scans if not scan.is_done(cache)]
        for done, scan in enumerate(run_tasks(pool, cache, waiting), start=1):
            yield Progress(done=done, total=len(waiting), label=scan.label)
        measures = [TitleMeasurement(title, ffmpeg, cache, options) for title in titles]
        done_work, total = 0.0, sum(measure.work for measure in measures)
        for measure in measures:
            for label, work in measure.run(pool):
                done_work += work
                yield Progress(done=done_work, total=total, label=label)
            rows += measure.rows()
            libvmaf_version = libvmaf_version or measure.libvmaf_version
    from abr_alloc.features.audio import AUDIO_FEATURE_VERSION, visqol_version

    yield FeatureTable(
        to_frame(rows),
        TableMetadata(
            video_feature_version=VIDEO_FEATURE_VERSION,
            audio_feature_version=AUDIO_FEATURE_VERSION,
            libvmaf_version=libvmaf_version,
            visqol_version=visqol_version(),
            ffmpeg_version=ffmpeg.version,
            grid=options.grid.name,
            grid_hash=hashlib.sha256(options.grid.text.encode()).hexdigest(),
            source_hashes={title.name: title.source_hash for title in titles},
        ),
    )


def _name_titles(sources: Sequence[Path]) -> list[tuple[str, Path]]:
    """A title's name is its file's stem; where two stems meet, the file's name.

    Raises:
        UnsupportedMediaError: two sources have the same file name.
    """
    stems = [path.stem for path in sources]
    names = [path.stem if stems.count(path.stem) == 1 else path.name for path in sources]
    for name, path in zip(names, sources, strict=True):
        if names.count(name) > 1:
            raise UnsupportedMediaError(
                f"two sources are named {name}, and a title's name is its file's; rename {path}", path=str(path)
            )
    return sorted(zip(names, sources, strict=True))


def _look(name: str, path: Path, options: ExtractOptions) -> Title:
    info = probe(path)
    if not info.has_video and not options.audio_only:
        raise UnsupportedMediaError(
            f"{path} has no video track; give a file with video and audio, or use --audio-only", path=str(path)
        )
    if not info.has_audio:
        raise UnsupportedMediaError(
            f"{path} has no audio track, and a plan needs audio and video; mux one in (silence will do)",
            path=str(path),
        )
    if options.audio_only and info.duration_s < MIN_SCENE_S:
        raise UnsupportedMediaError(
            f"{path} declares {info.duration_s:.2f} s of audio; at least {MIN_SCENE_S:g} s are needed (raw streams "
            "declare none: put it into a container)",
            path=str(path),
        )
    if info.channels > 2:
        logger.warning("%s: %d audio channels are mixed down to stereo", path, info.channels)
    if info.interlaced:
        logger.warning("%s: interlaced video is deinterlaced", path)
    return Title(name=name, info=info, source_hash=content_hash(path))
