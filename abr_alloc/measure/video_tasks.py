"""Video renditions of a part of a title: encoded and scored, several in one task.

A probe is one rendition of one part, with an entry of the cache to itself: what is measured beside it does not matter.
A task measures probes of one part; how they are dealt out to tasks (`video_tasks`) changes what they cost and no
number. Within a task, as many as fit are encoded by one ffmpeg and then scored by one, which decode and filter the
source once; whatever fails or looks odd there is done again by itself, so that it fails alone, for its own reason.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from abr_alloc.disk import disk_errors
from abr_alloc.encoders import default_encoder
from abr_alloc.errors import MediaError, ToolFailedError, ToolMissingError
from abr_alloc.measure.cache import Cache, cache_key
from abr_alloc.measure.looks import NORMALISATION, source_here
from abr_alloc.measure.tasks import command_key, packets_of, part_name, video_entry
from abr_alloc.measure.video import VIDEO_FEATURE_VERSION, FrameScores, measure_together, measure_video
from abr_alloc.media.encoding import encode_together, encode_video, goes_together, probe_ask
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.grid import VideoTarget
from abr_alloc.media.packets import Packets
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MediaInfo, require_unchanged
from abr_alloc.media.seek import prove_seek
from abr_alloc.targets import Target

__all__ = ["VideoProbe", "VideoTask", "video_tasks"]

logger = logging.getLogger(__name__)

_MOST_TOGETHER = 5  # renditions of one run of ffmpeg: the source's share of their cost is small then, and so is what an
# interruption loses
_MOST_PX = 3840 * 2160  # of their frames together: as much memory as one encode of that size
_LONGEST_TASK_S = 600.0  # of one core: an even end, and progress to be seen


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VideoProbe:
    """One video rendition of a part of a title."""

    ffmpeg: FFmpeg
    info: MediaInfo
    source_hash: str
    target: VideoTarget
    part: Part
    scan_key: str
    """Entry of the title's scan; empty where the part is the whole title."""
    keep_encode: bool

    @property
    def key(self) -> str:
        """Its entry."""
        return cache_key(
            kind="video",
            source=self.source_hash,
            normalisation=NORMALISATION,
            **self.info.stream_facts,
            **_asked_facts(self.target),
            ffmpeg=self.ffmpeg.version,
            features=VIDEO_FEATURE_VERSION,
            **self.part.facts,
        )

    @property
    def label(self) -> str:
        """What a person reads of it."""
        target = self.target
        return f"{self.info.path.name}: {target.codec} {target.width_px}x{target.height_px} {target.target}"

    @property
    def frame_px(self) -> int:
        """Pixels of its frames."""
        return self.target.width_px * self.target.height_px

    @property
    def work(self) -> float:
        """Rough seconds of one core: encoding goes with the rendition's pixels, libvmaf with the source's."""
        return self.part.num_frames * (25e-9 * self.info.width_px * self.info.height_px + 30e-9 * self.frame_px)

    def kept(self, cache: Cache) -> Path:
        """Where its encode lies if it is kept."""
        target = self.target
        name = f"{target.codec}-{target.width_px}x{target.height_px}-{target.target}"
        name += f"-{target.encoder.preset}" if target.encoder is not None and target.encoder.preset else ""
        return cache.kept_path(self.info.path, self.source_hash, name + part_name(self.part))

    def is_done(self, cache: Cache) -> bool:
        """Whether the cache has all that is asked for."""
        return cache.has(self.key) and (not self.keep_encode or self.kept(cache).is_file())


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTask:
    """Encode video renditions of a part of a title and score every frame of them. One that fails does so when the
    others are done and in the cache."""

    probes: tuple[VideoProbe, ...]
    """All of one part of one title; none of them done when it was handed out."""

    @property
    def part(self) -> Part:
        """Which part of the title."""
        return self.probes[0].part

    @property
    def label(self) -> str:
        """What a person reads while it runs."""
        others = len(self.probes) - 1
        return self.probes[0].label + (f" and {others} more" if others else "")

    @property
    def work(self) -> float:
        """Rough seconds of one core."""
        return sum(probe.work for probe in self.probes)

    def run(self, cache: Cache) -> None:
        """Measure what is not in the cache.

        Raises:
            MediaError: names the first rendition that failed.
            ToolMissingError: an encoder is missing.
            OutputError: the cache cannot be written.
        """
        # A worker may have died over this very task, and another have begun it.
        waiting = [probe for probe in self.probes if not probe.is_done(cache)]
        failed: list[MediaError] = []
        with source_here(self.probes[0].info, cache) as info:
            part = self._proved(cache, info)
            for probes in _batches(waiting):
                failed += (now := _Batch(cache, info, part, probes).measure())
                if len(now) == len(probes):  # so would the others
                    break
        if failed:
            raise failed[0]

    def _proved(self, cache: Cache, info: MediaInfo) -> Part:
        """The part with the place from which it is read; found once for all renditions."""
        if self.part.is_whole:
            return self.part
        scan_key = self.probes[0].scan_key
        key = cache_key(kind="seek", scan=scan_key, **self.part.facts)
        found = cache.get(key)
        if found is None:
            scan, toned = cache.require(scan_key), info.toned("")
            seek_s = prove_seek(self.probes[0].ffmpeg, toned, self.part, scan["key_times_s"], scan["fingerprints"])
            found = {"seek_s": np.nan if seek_s is None else seek_s}
            cache.put(key, found)
        seek_s = float(found["seek_s"])
        return replace(self.part, seek_s=None if math.isnan(seek_s) else seek_s)


def video_tasks(probes: Sequence[VideoProbe], least: int = 1) -> list[VideoTask]:
    """Deal probes out to tasks of about equal work.

    Args:
        probes: of any parts of one title, none of them done.
        least: into how many tasks at least, where there are so many probes: as many as workers wait for.
    """
    by_part: dict[Part, list[VideoProbe]] = {}
    for probe in probes:
        by_part.setdefault(probe.part, []).append(probe)
    tasks: list[VideoTask] = []
    for waiting in by_part.values():
        work = sum(probe.work for probe in waiting)
        most = max(_MOST_TOGETHER, int(_LONGEST_TASK_S * len(waiting) / work))
        num_tasks = min(len(waiting), max(math.ceil(len(waiting) / most), math.ceil(least / len(by_part))))
        dealt: list[list[VideoProbe]] = [[] for _ in range(num_tasks)]
        for probe in sorted(waiting, key=lambda probe: probe.work, reverse=True):
            min(dealt, key=lambda some: sum(one.work for one in some)).append(probe)
        tasks += [VideoTask(probes=tuple(some)) for some in dealt]
    return tasks


def _batches(probes: Sequence[VideoProbe]) -> list[list[VideoProbe]]:
    """Those that one run of ffmpeg encodes, and one scores, at a time: neighbours in size."""
    batches: list[list[VideoProbe]] = []
    for probe in sorted(probes, key=lambda probe: probe.frame_px, reverse=True):
        info = probe.info
        px = max(probe.frame_px, info.width_px * info.height_px)  # they are scored at the source's size
        if batches and len(batches[-1]) < _MOST_TOGETHER and px * (len(batches[-1]) + 1) <= _MOST_PX:
            batches[-1].append(probe)
        else:
            batches.append([probe])
    return batches


class _Batch:
    """Probes of a part under way."""

    def __init__(self, cache: Cache, info: MediaInfo, part: Part, probes: Sequence[VideoProbe]) -> None:
        self._cache, self._info, self._part, self._probes = cache, info, part, probes
        self._ffmpeg = probes[0].ffmpeg
        self._encodes: dict[VideoProbe, Path] = {}
        self._failed: list[MediaError] = []

    def measure(self) -> list[MediaError]:
        """Measure all; those that fail are returned, and leave no encode."""
        with contextlib.ExitStack() as stack:
            encodes, fresh = self._encodes, list[VideoProbe]()
            for probe in self._probes:
                encodes[probe], is_there = stack.enter_context(self._cache.encode_file(probe.key))
                fresh += [] if is_there else [probe]
            made = self._encode_together([probe for probe in fresh if goes_together(probe.target)])
            packets: dict[VideoProbe, Packets] = {}
            for probe in self._probes:
                with self._may_fail(probe):
                    if probe in fresh and probe not in made:
                        encode_video(self._ffmpeg, self._info, probe.target, encodes[probe], self._part)
                        self._cache.hand_on(probe.key, encodes[probe])
                    packets[probe] = self._packets(probe, encodes[probe])
            scores = self._score(list(packets))
            require_unchanged(self._info)
            for probe, found in scores.items():
                size_bytes = packets[probe].size_bytes[self._part.scored]
                self._cache.put(probe.key, video_entry(found, size_bytes))
                encoder = probe.target.encoder
                if encoder is not None and encoder.command:
                    self._cache.put(command_key(encoder), {})
                if probe.keep_encode:
                    self._cache.keep(encodes[probe], probe.kept(self._cache))
        return self._failed

    @contextlib.contextmanager
    def _may_fail(self, probe: VideoProbe) -> Iterator[None]:
        """One rendition's failure is its own; a program that is not there, or a full disk, is everybody's."""
        try:
            with disk_errors(self._encodes[probe].parent):
                yield
        except ToolMissingError:
            raise
        except ToolFailedError as error:
            self._failed.append(MediaError(f"{probe.label}: {error}"))
        except MediaError as error:
            self._failed.append(error)

    def _encode_together(self, probes: Sequence[VideoProbe]) -> Sequence[VideoProbe]:
        """Encode in one run what can be; returns those that are encoded."""
        if len(probes) < 2:
            return ()
        targets, paths = [probe.target for probe in probes], [self._encodes[probe] for probe in probes]
        try:
            with disk_errors(paths[0].parent):
                encode_together(self._ffmpeg, self._info, targets, paths, self._part)
        except ToolFailedError as error:
            logger.info("%s: %d encodes in one run: %s; each by itself now", self._info.path, len(probes), error)
            return ()
        for probe in probes:
            self._cache.hand_on(probe.key, self._encodes[probe])
        return probes

    def _packets(self, probe: VideoProbe, encode: Path) -> Packets:
        packets, target = packets_of(encode, probe.label), probe.target
        num_frames = self._part.num_encoded
        if len(packets.size_bytes) != num_frames:
            raise MediaError(
                f"{self._info.path}: the {target.codec} encode {target.target} has {len(packets.size_bytes)} "
                f"frames but the source {num_frames}; please report this source",
                path=str(self._info.path),
            )
        return packets

    def _score(self, probes: Sequence[VideoProbe]) -> dict[VideoProbe, FrameScores]:
        """Scores of those that could be scored."""
        together: Sequence[FrameScores | None] = [None] * len(probes)
        if len(probes) > 1:
            paths = [self._encodes[probe] for probe in probes]
            with contextlib.suppress(ToolFailedError), self._cache.work_dir() as work_dir:
                together = measure_together(self._ffmpeg, self._info, paths, self._part, work_dir)
        scores: dict[VideoProbe, FrameScores] = {}
        for probe, found in zip(probes, together, strict=True):
            with self._may_fail(probe):
                scores[probe] = found or self._score_alone(self._encodes[probe])
        return scores

    def _score_alone(self, encode: Path) -> FrameScores:
        with self._cache.work_dir() as work_dir:
            return measure_video(self._ffmpeg, self._info, encode, self._part, work_dir)


def _asked_facts(target: VideoTarget) -> dict[str, Any]:
    """What an encode depends on: for a codec's usual encoder in the words of before there were others, so that what was
    measured then still counts. What a grid calls an encoder is not among them, nor how it delivers."""
    encoder, plain = target.encoder, Target(target.target).plain
    assert encoder is not None
    usual = default_encoder(encoder.codec, encoder.preset)
    own = {
        item.name: getattr(encoder, item.name)
        for item in fields(encoder)
        if item.name not in ("name", "codec", "preset", "gop_s", "delivery")
        and getattr(encoder, item.name) != getattr(usual, item.name)
        and (item.name != "rate_mode" or probe_ask(encoder, plain) != probe_ask(usual, plain))
    }
    words = (
        f"VideoTarget(codec={target.codec!r}, width_px={target.width_px!r}, height_px={target.height_px!r}, "
        f"target={str(plain)!r}, preset={encoder.preset!r})"
    )
    return {"target": words, "gop_s": encoder.gop_s, **({"encoder": own} if own else {})}
