"""Video renditions in tasks: how they are dealt out, and that one beside others is measured, and fails, as if alone."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from abr_alloc.encoders import default_encoder
from abr_alloc.errors import MediaError, OutputError, ToolFailedError
from abr_alloc.measure import video_tasks as module
from abr_alloc.measure.cache import Cache
from abr_alloc.measure.video_tasks import VideoProbe, VideoTask, video_tasks
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.grid import VideoTarget
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MediaInfo, probe

WHOLE = Part.whole(250)


def target_of(size: tuple[int, int], crf: int = 30, preset: str = "ultrafast") -> VideoTarget:
    encoder = default_encoder("h264", preset)
    return VideoTarget(codec="h264", width_px=size[0], height_px=size[1], target=f"crf={crf}", encoder=encoder)


@pytest.fixture
def imagined(ffmpeg):
    """Makes probes of a source that is not there."""
    info = MediaInfo(
        **{"path": Path("x.mkv"), "duration_s": 1.0, "width_px": 1280, "height_px": 720, "fps": Fraction(25)},
        **{"bit_depth": 8, "interlaced": False, "channels": 2, "sample_rate_hz": 48_000},
    )

    def make(size=(1280, 720), crf=30, part=WHOLE, **changed) -> VideoProbe:
        return VideoProbe(
            **{"ffmpeg": replace(ffmpeg, version="9", encoders=frozenset()), "info": replace(info, **changed)},
            **{"source_hash": "s", "target": target_of(size, crf, "fast"), "part": part},
            **{"scan_key": "k", "keep_encode": False},
        )

    return make


def test_a_rendition_is_kept_under_the_key_that_it_always_had(imagined):
    """Another one would measure every cache anew."""
    small = {"width_px": 640, "height_px": 360}
    assert imagined((320, 180), part=Part.whole(25), **small).key == "8289c1a13ddca63d899ed0bc296ac300a3df8d17"
    stretch = Part(first_frame=3, num_frames=9, is_whole=False, tail_frames=2)
    assert imagined((320, 180), part=stretch, **small).key == "dbd88b5142d169ee2c82def9ab9a8ed0d0ad005f"


# Dealing out.


def test_all_renditions_of_a_part_are_one_task_where_nobody_else_waits(imagined):
    probes = [imagined(size, crf) for size in ((1280, 720), (640, 360)) for crf in (20, 30, 40)]
    (task,) = video_tasks(probes)
    assert set(task.probes) == set(probes) and task.part == WHOLE
    assert task.label == "x.mkv: h264 1280x720 crf=20 and 5 more"


def test_there_are_as_many_tasks_as_workers_wait_and_they_are_about_equally_long(imagined):
    probes = [imagined(size, crf) for size in ((1280, 720), (640, 360)) for crf in (20, 24, 28, 32, 36)]
    for least in (2, 3, 4):
        tasks = video_tasks(probes, least)
        assert len(tasks) == least and sorted(map(id, probes)) == sorted(id(one) for t in tasks for one in t.probes)
        works = [task.work for task in tasks]
        assert max(works) - min(works) <= max(probe.work for probe in probes)
    assert len(video_tasks(probes, 64)) == len(probes)
    assert video_tasks([], 4) == []


def test_a_task_is_of_one_part(imagined):
    parts = [Part(first_frame=100 * i, num_frames=50, is_whole=False) for i in range(3)]
    probes = [imagined(crf=crf, part=part) for crf in (20, 30) for part in parts]
    assert [task.part for task in video_tasks(probes)] == parts
    assert len(video_tasks(probes, 4)) == 6, "two tasks of every part: the next number that is enough"


def test_long_titles_come_in_short_tasks(imagined):
    """Of more than ten minutes of a core only as far as it takes to decode the source for several at a time."""
    long = Part.whole(25 * 3600)
    tasks = video_tasks([imagined(crf=crf, part=long) for crf in range(20, 40)])
    assert {len(task.probes) for task in tasks} == {module._MOST_TOGETHER}


def test_what_runs_at_once_needs_no_more_memory_than_one_encode_at_2160p(imagined):
    assert [len(batch) for batch in module._batches([imagined() for _ in range(7)])] == [5, 2]
    large = [imagined((1920, 1080), width_px=1920, height_px=1080) for _ in range(5)]
    assert [len(batch) for batch in module._batches(large)] == [4, 1]
    scored_large = [imagined((640, 360), width_px=3840, height_px=2160) for _ in range(2)]
    assert [len(batch) for batch in module._batches(scored_large)] == [1, 1]


# Measuring.


@pytest.fixture
def source(make_media):
    frames = "lavfi:testsrc2=size=128x96:rate=12:duration=2"
    return make_media("probed.mkv", frames, "lavfi:sine=d=2", "-c:v", "ffv1", "-pix_fmt", "yuv420p", "-c:a", "flac")


@pytest.fixture
def task_of(ffmpeg, source):
    """Makes the task of some targets of the source."""
    info = probe(source, ffmpeg)

    def make(*targets: VideoTarget, keep: bool = False) -> VideoTask:
        shared = {"ffmpeg": ffmpeg, "info": info, "source_hash": "s", "scan_key": "", "keep_encode": keep}
        return VideoTask(probes=tuple(VideoProbe(**shared, target=one, part=Part.whole(24)) for one in targets))

    return make


SEVERAL = (target_of((128, 96), 22), target_of((128, 96), 40), target_of((64, 48)))


@pytest.fixture
def runs(monkeypatch):
    """What ffmpeg was run for: encodes and scores, with how many renditions."""
    seen: list[tuple[str, int]] = []
    plain = FFmpeg.run

    def run(self, args, **kwargs):
        words = [str(word) for word in args]
        kind = "score" if any("libvmaf" in word for word in words) else "encode"
        seen.append((kind, words.count("-map") if "-filter_complex" in words else 1))
        return plain(self, args, **kwargs)

    monkeypatch.setattr(FFmpeg, "run", run)
    return seen


def test_renditions_beside_others_have_the_entries_of_those_alone(task_of, runs, tmp_path):
    together, alone = Cache(tmp_path / "together"), Cache(tmp_path / "alone")
    task_of(*SEVERAL).run(together)
    assert [run for run in runs if run[1] > 1] == [("encode", 3), ("score", 3)]
    for target in SEVERAL:
        task = task_of(target)
        task.run(alone)
        key = task.probes[0].key
        one, other = together.require(key), alone.require(key)
        assert one.keys() == other.keys()
        for name in one:
            assert one[name].tobytes() == other[name].tobytes(), name
    assert list(together.encodes.iterdir()) == list(together._work.iterdir()) == []


def test_a_rendition_that_fails_is_named_and_the_others_are_kept(task_of, tmp_path):
    cache, task = Cache(tmp_path), task_of(SEVERAL[0], target_of((64, 48), preset="none"), SEVERAL[1])
    with pytest.raises(MediaError, match=r"^probed.mkv: h264 64x48 crf=30: ffmpeg.* failed with exit code"):
        task.run(cache)
    assert [one.is_done(cache) for one in task.probes] == [True, False, True]
    assert list(cache.encodes.iterdir()) == []


def test_scores_that_do_not_come_together_are_made_one_by_one(task_of, tmp_path, monkeypatch):
    def fail(*_):
        raise ToolFailedError(("ffmpeg",), 1, "for no reason")

    cache, plain = Cache(tmp_path / "a"), Cache(tmp_path / "b")
    task_of(*SEVERAL).run(plain)
    monkeypatch.setattr(module, "measure_together", fail)
    task = task_of(*SEVERAL)
    task.run(cache)
    for one in task.probes:
        assert cache.require(one.key)["values"].tobytes() == plain.require(one.key)["values"].tobytes()


def test_encodes_of_an_interrupted_run_are_taken_and_what_is_done_is_not_done_again(
    task_of, runs, tmp_path, monkeypatch
):
    cache, task = Cache(tmp_path), task_of(*SEVERAL)
    task_of(SEVERAL[2]).run(cache)
    with monkeypatch.context() as patch:
        patch.setattr(module, "measure_together", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            task.run(cache)
    assert {path.stem for path in cache.encodes.iterdir()} == {one.key for one in task.probes[:2]}
    runs.clear()
    task.run(cache)
    assert runs == [("score", 2)] and all(one.is_done(cache) for one in task.probes)
    assert list(cache.encodes.iterdir()) == []


def test_a_full_disk_is_told_as_such_and_ends_all(task_of, tmp_path, monkeypatch):
    def fail(*_):
        raise ToolFailedError(("ffmpeg",), 1, "av_interleaved_write_frame(): No space left on device")

    monkeypatch.setattr(module, "encode_together", fail)
    monkeypatch.setattr(module, "encode_video", fail)
    with pytest.raises(OutputError, match="takes no more"):
        task_of(*SEVERAL).run(Cache(tmp_path))


def test_encodes_are_kept_where_they_are_wanted(task_of, tmp_path):
    cache, task = Cache(tmp_path), task_of(*SEVERAL, keep=True)
    task.run(cache)
    assert all(one.kept(cache).is_file() and one.is_done(cache) for one in task.probes)


def test_two_passes_are_encoded_alone_and_scored_with_the_others(task_of, runs, tmp_path):
    slow = target_of((64, 48))
    slow = replace(slow, target="b=90k", encoder=replace(slow.encoder, rate_mode="vbr-2pass"))
    task_of(*SEVERAL, slow).run(Cache(tmp_path))
    assert runs.count(("encode", 3)) == 1 and runs.count(("score", 4)) == 1
