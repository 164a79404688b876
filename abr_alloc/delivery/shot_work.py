"""What is to be done for renditions whose shots are encoded each by itself, and what follows from what is done.

    where to read a shot  ->  its encode in every rendition  ->  a rendition's peak  ->  its shots, joined
                                        ^-------- too high: some asked for less --------'

Nothing waits for the whole title: a rendition is joined as soon as its own shots are there.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from abr_alloc.delivery.folder import DeliveryFolder
from abr_alloc.delivery.peaks import Peak, find_peak, lowering_factors
from abr_alloc.delivery.shot_correction import asked_for
from abr_alloc.delivery.shot_tasks import (
    EncodeShotTask,
    JoinShotsTask,
    ProveSeekTask,
    shot_key,
    shot_part,
    title_segments,
)
from abr_alloc.delivery.source_scan import CachedScan
from abr_alloc.formats.delivery_record import Delivery, VideoOrder
from abr_alloc.measure.cache import Cache, cache_key
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.packets import read_packets
from abr_alloc.media.probe import MediaInfo

__all__ = ["KeptPeak", "ShotTask", "ShotWork"]

ShotTask = ProveSeekTask | EncodeShotTask | JoinShotsTask

_MOST_ATTEMPTS = 4
"""How often shots of a rendition are asked for less; what they come to is mostly known within a percent or two."""

_KEY_FRAMES = 8
"""Of those before a shot, the most that `prove_seek` looks at, and some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPeak:
    """The peak of a rendition, as the ladder's targets came to and as it is delivered."""

    first: Peak
    """Before anything was asked for less, in this run."""
    last: Peak
    """As it is delivered."""
    num_shots: int
    """Shots that are asked for less than the ladder did."""


@dataclass(slots=True, kw_only=True)
class _Open:
    """A rendition that is not joined yet."""

    order: VideoOrder
    keys: tuple[str, ...]
    waiting: set[str]
    attempts: int = 0
    first: Peak | None = None


class ShotWork:
    """The tasks of some renditions of a delivery.

    Args:
        delivery: what was ordered.
        orders: those of its videos that are to be encoded.
        info: the source.
        ffmpeg: the program.
        folder: where shots lie; it is held.
        cache: where it is known from where a shot can be read.
        scan: of the source.
        below: where finished renditions go.
    """

    def __init__(
        self,
        delivery: Delivery,
        orders: Sequence[VideoOrder],
        info: MediaInfo,
        ffmpeg: FFmpeg,
        folder: DeliveryFolder,
        cache: Cache,
        scan: CachedScan,
        below: Path,
    ) -> None:
        self.delivery = delivery
        self.peaks: dict[str, KeptPeak] = {}
        self._info, self._ffmpeg, self._folder, self._cache, self._scan = info, ffmpeg, folder, cache, scan
        self._below = below
        self._open: dict[str, _Open] = {}
        self._asked: set[str] = set()
        self._seeks: dict[int, float | None] = {}
        self._after_seek: dict[int, list[EncodeShotTask]] = {}
        for order in orders:
            self._open[order.name] = _Open(order=order, keys=self._keys(order), waiting=set())

    @property
    def later(self) -> float:
        """Work of tasks that are known and wait for others."""
        return math.fsum(task.work for tasks in self._after_seek.values() for task in tasks)

    def begin(self) -> list[ShotTask]:
        """What can be done at once."""
        found = [task for open_ in self._open.values() for task in self._ask(open_, open_.order)]
        return sorted(found, key=lambda task: (not isinstance(task, ProveSeekTask), -task.work))

    def after(self, task: Any, result: Any) -> list[ShotTask]:
        """What can be done now that a task is."""
        if isinstance(task, ProveSeekTask):
            return self._sought(task, result)
        if isinstance(task, EncodeShotTask):
            return self._encoded(task.key)
        if isinstance(task, JoinShotsTask):
            joined = self._open.pop(task.order.name)
            self._drop(joined.keys)
        return []

    def _keys(self, order: VideoOrder) -> tuple[str, ...]:
        return tuple(shot_key(self.delivery, self._info, order, shot) for shot in order.shots)

    def _ask(self, open_: _Open, order: VideoOrder) -> list[ShotTask]:
        """Tasks for the shots of a rendition that are missing."""
        keys = self._keys(order)
        dropped, open_.order, open_.keys = set(open_.keys) - set(keys), order, keys
        open_.waiting = {key for key in keys if not self._folder.shot_path(key).is_file()}
        self._drop(dropped)
        found: list[ShotTask] = []
        for index, (key, shot) in enumerate(zip(keys, order.shots, strict=True)):
            if key in open_.waiting and key not in self._asked:
                self._asked.add(key)
                task = EncodeShotTask(
                    ffmpeg=self._ffmpeg,
                    info=self._info,
                    codec=order.codec,
                    encoder=self.delivery.encoder_of(order),
                    shot=shot,
                    number=index + 1,
                    part=shot_part(shot),
                    key=key,
                )
                found += self._placed(task)
        return found if open_.waiting else [*found, *self._complete(open_)]

    def _drop(self, keys: Sequence[str] | set[str]) -> None:
        """Remove shots that no rendition waits for any more."""
        needed = {key for open_ in self._open.values() for key in open_.keys}
        gone = set(keys) - needed
        self._asked -= gone
        self._folder.drop_shots(gone)

    # Where shots are read from.

    def _placed(self, task: EncodeShotTask) -> list[ShotTask]:
        """The encode, if it is known where its shot is read from; else, once, what finds it."""
        first = task.part.first_frame
        if first not in self._seeks:
            if first in self._after_seek:
                self._after_seek[first].append(task)
                return []
            found = self._cache.get(self._seek_key(first, task.part.facts))
            if found is None:
                self._after_seek[first] = [task]
                return [self._seek_task(task)]
            seek_s = float(found["seek_s"])
            self._seeks[first] = None if math.isnan(seek_s) else seek_s
        return [dataclasses.replace(task, part=dataclasses.replace(task.part, seek_s=self._seeks[first]))]

    def _seek_key(self, first: int, facts: dict[str, list[int]]) -> str:
        return cache_key(kind="seek", scan=self._scan.key, **facts)

    def _seek_task(self, task: EncodeShotTask) -> ProveSeekTask:
        part = task.part
        start_s = part.start_s(self._info.fps) + float(self._info.zero_s)
        return ProveSeekTask(
            ffmpeg=self._ffmpeg,
            info=self._info,
            part=part,
            key_times_s=self._scan.key_times_s[self._scan.key_times_s <= start_s][-_KEY_FRAMES:],
            fingerprints=self._scan.fingerprints[part.first_frame : part.first_frame + part.num_frames],
        )

    def _sought(self, task: ProveSeekTask, seek_s: float | None) -> list[ShotTask]:
        first = task.part.first_frame
        self._seeks[first] = seek_s
        self._cache.put(
            self._seek_key(first, task.part.facts), {"seek_s": np.nan if seek_s is None else np.float64(seek_s)}
        )
        waiting = sorted(self._after_seek.pop(first), key=lambda encode: -encode.work)
        return [found for encode in waiting for found in self._placed(encode)]

    # What becomes of a rendition.

    def _encoded(self, key: str) -> list[ShotTask]:
        found: list[ShotTask] = []
        for open_ in list(self._open.values()):
            if key in open_.waiting:
                open_.waiting.discard(key)
                if not open_.waiting:
                    found += self._complete(open_)
        return found

    def _complete(self, open_: _Open) -> list[ShotTask]:
        """All shots of a rendition are there: join them, or ask some for less first."""
        limit_kbps = self.delivery.peak_kbps
        segments = title_segments(self.delivery, open_.order)
        if limit_kbps is not None:
            sizes = [read_packets(self._folder.shot_path(key)).size_bytes for key in open_.keys]
            size_bytes, counts = np.concatenate(sizes), [frames for its in segments for frames in its]
            fps = Fraction(self.delivery.fps)
            peak = find_peak(size_bytes, counts, fps)
            open_.first = open_.first or peak
            if peak.kbps > limit_kbps and open_.attempts < _MOST_ATTEMPTS:
                factors = lowering_factors(size_bytes, counts, fps, [len(one) for one in sizes], limit_kbps)
                lower = asked_for(self.delivery, open_.order, factors, at_most=True)
                if lower != open_.order:
                    open_.attempts += 1
                    self._correct(lower)
                    return self._ask(open_, lower)
            self.peaks[open_.order.name] = KeptPeak(
                first=open_.first, last=peak, num_shots=sum(bool(shot.corrected) for shot in open_.order.shots)
            )
        return [
            JoinShotsTask(
                info=self._info,
                order=open_.order,
                keys=open_.keys,
                segments=tuple(segments),
                sizes_change=self.delivery.sizes_change,
                below=self._below,
            )
        ]

    def _correct(self, order: VideoOrder) -> None:
        """Note down what a rendition is asked for now, before anything of it stands in its place."""
        self.delivery = self.delivery.with_video(order)
        if self._below == self._folder.root:
            self._folder.note(self.delivery)
