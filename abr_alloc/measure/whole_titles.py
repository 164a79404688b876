"""Whole titles as tasks, for catalogues on a cluster.

A digest bounds what a title takes (a pass over its frames, and some forty seconds that are encoded and scored), so a
title is a task of its own size: one worker opens the source, goes through all its measurements and hands back the
table. Whoever runs the catalogue then has one task per title to hand out and take in instead of hundreds, and only one
machine reads a source. The measurements are the same, with the same entries in the cache: a title whose worker dies is
begun again elsewhere and finds there what was finished.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from abr_alloc.location import is_remote
from abr_alloc.measure.cache import Cache
from abr_alloc.measure.steps import FailedTitle, Progress, stops_all
from abr_alloc.measure.title import ExtractOptions, TitleMeasurement, TitleTask
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.table.table import FeatureTable
from abr_alloc.workers.task import Workers

__all__ = ["MeasuredTitle", "WholeTitleTask", "goes_by_titles", "measure_whole_titles"]

logger = logging.getLogger(__name__)

_TITLES_PER_WORKER = 2  # handed over and not finished: no worker waits for its next one


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredTitle:
    """What comes back of a title."""

    table: FeatureTable
    """Its rows."""
    warnings: tuple[str, ...]
    """What was said of its source on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeTitleTask:
    """Measure one title from its first look to its table. Returns a `MeasuredTitle`."""

    name: str
    path: Path
    ffmpeg: FFmpeg
    options: ExtractOptions

    @property
    def label(self) -> str:
        return self.path.name

    def run(self, cache: Cache) -> MeasuredTitle:
        title = TitleMeasurement(self.name, self.path, self.ffmpeg, cache, self.options)
        waiting: deque[TitleTask] = deque([title.begin()])
        with _heard_warnings() as warnings:
            while waiting:
                task = waiting.popleft()
                waiting.extend(title.go_on(task, task.run(cache)))
            return MeasuredTitle(table=title.finished_table(), warnings=tuple(warnings))


def goes_by_titles(options: ExtractOptions, num_titles: int, workers: Workers) -> bool:
    """Whether each title is one task: on a cluster, where a digest bounds them all, and each worker has one at least.

    On one machine the parts of a title are the tasks: they fill its cores with a single title, too, and show how far
    it is.
    """
    return not workers.is_local and options.digest_s is not None and num_titles >= workers.num_workers


def measure_whole_titles(
    sources: Sequence[tuple[str, Path]], ffmpeg: FFmpeg, cache: Cache, options: ExtractOptions, workers: Workers
) -> Generator[Progress | FailedTitle | FeatureTable, None, None]:
    """Measure titles, a task each; yields progress, and each title's table or failure as soon as there is one.

    Args:
        sources: names and places of the titles.
        ffmpeg: the program.
        cache: where measurements are kept.
        options: what to measure.
        workers: who measures.

    Raises:
        AbrAllocError: what stops all titles, such as a missing encoder or a cache that cannot be written.
    """
    tasks = (
        WholeTitleTask(name=name, path=path if is_remote(path) else path.absolute(), ffmpeg=ffmpeg, options=options)
        for name, path in sources
    )
    under_way = done = 0
    begun = _hand_over(tasks, workers, cache, _TITLES_PER_WORKER * workers.num_workers)
    under_way += begun
    for finished in workers.finished():
        assert finished is not None  # nobody asked for ticks
        under_way, done = under_way - 1, done + 1
        under_way += _hand_over(tasks, workers, cache, _TITLES_PER_WORKER * workers.num_workers - under_way)
        yield Progress(done=done, total=len(sources), label=finished.task.label)
        if finished.error is not None:
            if stops_all(finished.error):
                raise finished.error
            logger.info("%s failed: %s", finished.task.name, finished.error)
            yield FailedTitle(name=finished.task.name, error=finished.error)
            continue
        for warning in finished.result.warnings:
            logger.warning("%s", warning)
        yield finished.result.table


def _hand_over(tasks: Iterator[WholeTitleTask], workers: Workers, cache: Cache, number: int) -> int:
    """Hand over so many tasks, as long as there are any; returns how many there were."""
    handed = 0
    while handed < number and (task := next(tasks, None)) is not None:
        workers.submit(task, cache)
        handed += 1
    return handed


@contextlib.contextmanager
def _heard_warnings() -> Iterator[list[str]]:
    """What this package warns of in this thread: nobody reads a worker's own log."""
    heard: list[str] = []
    thread = threading.get_ident()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                heard.append(record.getMessage())

    listener = Listener(logging.WARNING)
    log = logging.getLogger("abr_alloc")
    log.addHandler(listener)
    try:
        yield heard
    finally:
        log.removeHandler(listener)
