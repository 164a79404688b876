"""Extraction: from source files to feature tables.

Every title goes its own way (see `title.py`): a look, a scan, then its measurements, all of them tasks with entries in
the cache. Titles are begun in their order, as many as keep the workers busy, so that memory does not grow with their
number; one that fails fails alone.
"""

from __future__ import annotations

import logging
import math
import os
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from abr_alloc.errors import AbrAllocError, MediaError, ToolMissingError, UnsupportedMediaError
from abr_alloc.location import exists, is_remote
from abr_alloc.measure.cache import Cache
from abr_alloc.measure.title import ExtractOptions, TitleMeasurement, TitleTask
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.table.table import FeatureTable
from abr_alloc.workers.task import Finished, Workers

__all__ = ["ExtractOptions", "FailedTitle", "Progress", "extract", "title_of"]

logger = logging.getLogger(__name__)

_TASKS_PER_WORKER = 3  # handed over and not finished: enough that no worker waits for the next title's


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an extraction is."""

    done: float
    """Work done, in units of `total`."""
    total: float
    """All work, cached work not counted."""
    label: str
    """What was finished last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTitle:
    """A title that could not be measured."""

    name: str
    """Title."""
    error: AbrAllocError
    """Why."""


def extract(
    sources: Sequence[Path], ffmpeg: FFmpeg, cache: Cache, options: ExtractOptions, workers: Workers
) -> Generator[Progress | FailedTitle | FeatureTable, None, None]:
    """Measure sources; yields progress, and each title's table or failure as soon as there is one.

    Raises:
        UnsupportedMediaError: a source is not there, or two have one name; raised before any work.
        MediaError: the workers are lost.
        OutputError: the cache cannot be written.
    """
    logger.info("ffmpeg %s at %s; grid %s; cache %s", ffmpeg.version, ffmpeg.path, options.grid.name, cache.root)
    cache.remove_leftovers()
    yield from _Extraction(_name_titles(sources), ffmpeg, cache, options, workers).run()


class _Extraction:
    """The titles under way, and which of them each task belongs to."""

    def __init__(
        self,
        sources: Sequence[tuple[str, Path]],
        ffmpeg: FFmpeg,
        cache: Cache,
        options: ExtractOptions,
        workers: Workers,
    ) -> None:
        self._ffmpeg, self._cache, self._options, self._workers = ffmpeg, cache, options, workers
        self._sources: Iterator[tuple[str, Path]] = iter(sources)
        self._num_titles = len(sources)
        self._num_unknown = len(sources)  # titles of which nobody knows yet how much work they are
        self._num_known = 0
        self._known_work = self._done_work = 0.0
        self._unfinished: dict[TitleMeasurement, dict[int, TitleTask]] = {}  # tasks by their identity
        self._owners: dict[int, TitleMeasurement] = {}

    def run(self) -> Generator[Progress | FailedTitle | FeatureTable, None, None]:
        # Here a look is quick and comes first, for all titles: a bad one is named before hours of work.
        yield from self._begin(everything=self._workers.is_local)
        for finished in self._workers.finished():
            assert finished is not None  # nobody asked for ticks
            yield from self._take(finished)
            yield from self._begin()

    def _begin(self, *, everything: bool = False) -> Generator[Progress | FailedTitle | FeatureTable, None, None]:
        """Begin titles while workers might wait for tasks."""
        enough = _TASKS_PER_WORKER * self._workers.num_workers
        while everything or sum(map(len, self._unfinished.values())) < enough:
            source = next(self._sources, None)
            if source is None:
                return
            name, path = source
            if not (self._workers.is_local or is_remote(path)):
                path = path.absolute()  # workers run in other folders
            spread = math.ceil(self._workers.num_workers / self._num_titles)
            title = TitleMeasurement(name, path, self._ffmpeg, self._cache, self._options, spread=spread)
            look = title.begin()
            self._unfinished[title] = {}
            self._note(title, look)
            if not self._workers.is_local:
                self._workers.submit(look, self._cache)
                continue
            try:
                looked: Finished[Any] = Finished(task=look, result=look.run(self._cache))
            except AbrAllocError as error:
                looked = Finished(task=look, error=error)
            yield from self._take(looked)

    def _note(self, title: TitleMeasurement, task: TitleTask) -> None:
        self._unfinished[title][id(task)] = task
        self._owners[id(task)] = title

    def _take(self, finished: Finished[Any]) -> Generator[Progress | FailedTitle | FeatureTable, None, None]:
        """What a finished task leads to."""
        title = self._owners.pop(id(finished.task))
        tasks, done_before = self._unfinished[title], title.done_work
        del tasks[id(finished.task)]
        try:
            if finished.error is not None:
                raise finished.error
            work_before = title.work
            for task in title.go_on(finished.task, finished.result):
                self._note(title, task)
                self._workers.submit(task, self._cache)
            if title.work is not None:
                self._known_work += title.work - (work_before or 0.0)
            if title.work is not None and work_before is None:
                self._num_known, self._num_unknown = self._num_known + 1, self._num_unknown - 1
            self._done_work += title.done_work - done_before
            if title.done_work > done_before or title.work is None:
                yield self._progress(finished.task.label)
            if not tasks:
                table = title.table()
                del self._unfinished[title]
                yield table
        except AbrAllocError as error:
            self._forget(title)
            # What is wrong with one source is its own; a missing encoder or a full disk stops all.
            if not isinstance(error, MediaError) or isinstance(error, ToolMissingError):
                raise
            logger.info("%s failed: %s", title.name, error)
            yield FailedTitle(name=title.name, error=error)

    def _forget(self, title: TitleMeasurement) -> None:
        tasks = self._unfinished.pop(title)
        self._workers.take_back(list(tasks.values()))
        for task in tasks:
            del self._owners[task]
        if title.work is None:
            self._num_unknown -= 1
        else:
            self._known_work -= title.work - title.done_work

    def _progress(self, label: str) -> Progress:
        """Of titles that nobody knows yet, as much work is expected as of the others."""
        mean_work = self._known_work / self._num_known if self._num_known else 1.0
        return Progress(done=self._done_work, total=self._known_work + mean_work * self._num_unknown, label=label)


def _name_titles(sources: Sequence[Path]) -> list[tuple[str, Path]]:
    """A title's name is its file's stem; where two stems meet, the file's name.

    Raises:
        UnsupportedMediaError: two sources have the same file name, or one is not there.
        MediaError: the store of one does not answer.
    """
    stems = Counter(path.stem for path in sources)
    names = [_as_text(path.stem if stems[path.stem] == 1 else path.name) for path in sources]
    counts = Counter(names)
    for name, path in zip(names, sources, strict=True):
        if counts[name] > 1 and list(sources).count(path) > 1:
            raise UnsupportedMediaError(f"{path} is given twice; give it once", path=str(path))
        if counts[name] > 1:
            raise UnsupportedMediaError(
                f"two sources are named {name}, and a title's name is its file's; rename {path}", path=str(path)
            )
        try:
            is_there = exists(path)
        except OSError as error:
            raise MediaError(f"{path} cannot be read: {error.strerror}", path=str(path)) from error
        if not is_there:
            raise UnsupportedMediaError(f"{path} does not exist; check the path", path=str(path))
    return sorted(zip(names, sources, strict=True))


def title_of(source: Path) -> str:
    """The name of a source that is measured by itself."""
    return _as_text(source.stem)


def _as_text(name: str) -> str:
    """A file's name as a title: bytes that are no UTF-8, which tables cannot hold, are escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
