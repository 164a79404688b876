"""A catalogue on a cluster: a title is a task, and gives what it gives in parts."""

from __future__ import annotations

import logging
import pickle
from dataclasses import replace

import pytest

from abr_alloc.errors import AbrAllocError, OutputError
from abr_alloc.measure.cache import Cache
from abr_alloc.measure.extract import ExtractOptions, extract
from abr_alloc.measure.steps import FailedTitle, Progress
from abr_alloc.measure.title import TitleMeasurement
from abr_alloc.measure.whole_titles import WholeTitleTask, goes_by_titles
from abr_alloc.media.grid import load_grid
from abr_alloc.runs.extract_run import extract_options
from abr_alloc.table.table import FeatureTable, write_features
from abr_alloc.workers.task import Finished


def _sent(thing):
    """A thing as another process gets it."""
    return pickle.loads(pickle.dumps(thing))  # noqa: S301 - its own


class FarWorkers:
    """Workers elsewhere: tasks and results are pickled on the way."""

    def __init__(self, num_workers: int, *, is_local: bool = False) -> None:
        self.num_workers, self.is_local = num_workers, is_local
        self.sent: list[bytes] = []
        self.most_under_way = 0
        self._waiting: list = []

    def submit(self, task, place) -> None:
        self.sent.append(pickle.dumps(task))
        self._waiting.append((task, place))
        self.most_under_way = max(self.most_under_way, len(self._waiting))

    def take_back(self, tasks) -> None:
        self._waiting = [(task, place) for task, place in self._waiting if task not in tasks]

    def finished(self, *, tick_s=None):
        while self._waiting:
            task, place = self._waiting.pop(0)
            try:
                result = _sent(task).run(place)
            except AbrAllocError as error:
                yield Finished(task=task, error=_sent(error))
            else:
                yield Finished(task=task, result=_sent(result))


@pytest.fixture(scope="module")
def options(tiny_grid) -> ExtractOptions:
    return ExtractOptions(grid=load_grid(str(tiny_grid)), digest_s=40.0, digest_above_s=120.0)


@pytest.fixture(scope="module")
def second(make_media):
    """Another title, whose sound ends before its picture."""
    return make_media(
        "second.mp4",
        "lavfi:testsrc2=size=96x64:rate=12:duration=3",
        "lavfi:sine=f=300:r=48000:d=1",
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p", "-c:a", "aac"),
    )


def test_tables_and_warnings_are_those_of_titles_in_parts(clip, second, ffmpeg, options, tmp_path, caplog):
    found = {}
    for way, num_workers in (("whole", 2), ("parts", 3)):
        caplog.clear()
        workers = FarWorkers(num_workers)
        steps = list(extract([clip, second], ffmpeg, Cache(tmp_path / way), options, workers))
        tables = {step.frame["title"].iloc[0]: step for step in steps if isinstance(step, FeatureTable)}
        for name, table in tables.items():
            write_features(table, tmp_path / f"{way}-{name}.parquet")
        warnings = {record.getMessage() for record in caplog.records if record.levelno == logging.WARNING}
        content = {name: (tmp_path / f"{way}-{name}.parquet").read_bytes() for name in tables}
        found[way] = content, warnings, len(workers.sent)
        assert sum(isinstance(step, Progress) for step in steps) >= 2
    assert found["whole"][0].keys() == {"clip", "second"}
    assert found["whole"][:2] == found["parts"][:2]
    assert any("second.mp4" in warning for warning in found["whole"][1])  # it has something to say
    assert found["whole"][2] == 2 < found["parts"][2]


def test_the_family_of_audio_features_goes_with_a_title(clip, ffmpeg, options, tmp_path):
    how = replace(options, audio_features="listener")
    for num_workers in (1, 2):  # a whole title, and its parts
        steps = list(extract([clip], ffmpeg, Cache(tmp_path / "cache"), how, FarWorkers(num_workers)))
        (table,) = [step for step in steps if isinstance(step, FeatureTable)]
        assert table.metadata.audio_feature_version == "listener/1"
        assert table.of_kind("audio")["audio_spread_mos"].notna().all()


def test_a_title_that_fails_fails_alone(clip, ffmpeg, options, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[:1000])
    steps = list(extract([broken, clip], ffmpeg, Cache(tmp_path / "cache"), options, FarWorkers(1)))
    failed = [step for step in steps if isinstance(step, FailedTitle)]
    assert [step.name for step in failed] == ["broken"]
    assert "broken.mp4" in str(failed[0].error)
    assert [step.frame["title"].iloc[0] for step in steps if isinstance(step, FeatureTable)] == ["clip"]


def test_what_is_no_fault_of_a_source_ends_the_run(clip, second, ffmpeg, options, tmp_path, monkeypatch):
    def full(self):
        raise OutputError("the disk is full")

    monkeypatch.setattr(TitleMeasurement, "begin", full)
    with pytest.raises(OutputError, match="the disk is full"):
        list(extract([clip, second], ffmpeg, Cache(tmp_path / "cache"), options, FarWorkers(2)))


def test_no_more_titles_are_handed_over_than_keep_workers_busy(clip, ffmpeg, options, tmp_path):
    copies = [tmp_path / f"{i}.mp4" for i in range(6)]
    for copy in copies:
        copy.write_bytes(clip.read_bytes())
    workers = FarWorkers(2)
    steps = list(extract(copies, ffmpeg, Cache(tmp_path / "cache"), options, workers))
    assert sum(isinstance(step, FeatureTable) for step in steps) == 6
    assert workers.most_under_way == 4


@pytest.mark.parametrize(
    ("num_titles", "num_workers", "is_local", "digest_s", "by_titles"),
    [
        (2, 2, False, 40.0, True),
        (1, 2, False, 40.0, False),  # a worker would have nothing to do
        (2, 2, True, 40.0, False),
        (2, 2, False, None, False),  # a title in full may take a worker days
    ],
)
def test_when_titles_are_tasks(num_titles, num_workers, is_local, digest_s, by_titles, options):
    workers = FarWorkers(num_workers, is_local=is_local)
    assert goes_by_titles(replace(options, digest_s=digest_s), num_titles, workers) == by_titles


def test_a_task_is_small_also_where_a_model_chooses_the_probes(clip, ffmpeg):
    task = WholeTitleTask(name="clip", path=clip, ffmpeg=ffmpeg, options=extract_options(probes="auto"))
    assert len(pickle.dumps(task)) < 20_000
