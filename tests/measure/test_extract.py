"""Extraction end to end, on clips of a few seconds.

One pass over a corpus of odd titles serves most tests; the tests of resuming measure one clip again and again.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from abr_alloc.cli import main
from abr_alloc.errors import MediaError, UnsupportedMediaError
from abr_alloc.measure.cache import Cache
from abr_alloc.measure.extract import ExtractOptions, FailedTitle, Progress, extract
from abr_alloc.measure.tasks import AudioTask
from abr_alloc.measure.title import TitleMeasurement
from abr_alloc.measure.video_tasks import VideoTask
from abr_alloc.media.grid import load_grid
from abr_alloc.table.table import FeatureTable, join_tables, write_features
from abr_alloc.workers.local import LocalWorkers
from abr_alloc.workers.task import Finished

from ..forked_command import ForkServer, Started

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p")
PICTURE = "lavfi:testsrc2=size=96x64:rate=12:duration=2"
TONES = "lavfi:aevalsrc=0.3*sin(2*PI*440*t)|0.2*sin(2*PI*660*t):s=48000:d=2"
SILENCE = "lavfi:anullsrc=r=48000:cl=stereo:d=2"
NOISE = "lavfi:anoisesrc=r=48000:d=2:a=0.2:seed=7"


def run_extract(sources, ffmpeg, cache, options):
    """The table, and the progress on the way to it."""
    with LocalWorkers(1) as workers:
        steps = list(extract(sources, ffmpeg, cache, options, workers))
    tables = [step for step in steps if isinstance(step, FeatureTable)]
    assert len(tables) == len(sources)
    progress = [step for step in steps if not isinstance(step, FeatureTable)]
    assert all(isinstance(step, Progress) for step in progress)
    return join_tables(tables), progress


def run_and_fail(sources, ffmpeg, cache, options):
    """Titles that failed, with their errors, in the order in which they were told; and those that were measured."""
    with LocalWorkers(1) as workers:
        steps = list(extract(sources, ffmpeg, cache, options, workers))
    failed = {step.name: step.error for step in steps if isinstance(step, FailedTitle)}
    return failed, [step for step in steps if isinstance(step, FeatureTable)]


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def corpus_sources(make_media):
    """Titles that are odd, each in its own way."""
    half = "size=96x64:rate=12:duration=2"
    upright = make_media("upright.mp4", PICTURE, TONES, *H264, "-c:a", "aac")
    return [
        make_media(
            "cut.mp4",
            f"lavfi:testsrc2={half}",
            f"lavfi:color=white:{half},drawgrid=w=16:h=16:c=blue",
            "lavfi:aevalsrc=0.3*sin(2*PI*440*t)|0.2*sin(2*PI*660*t):s=48000:d=4",
            *("-filter_complex", "[0:v][1:v]concat=n=2:v=1:a=0[v]", "-map", "[v]", "-map", "2:a"),
            *H264,
            *("-c:a", "aac"),
        ),
        make_media("vertical.mp4", "-display_rotation", "90", "-i", upright, "-c", "copy"),
        make_media("mono.mkv", PICTURE, "lavfi:sine=f=500:r=44100:d=2", *H264, "-c:a", "pcm_s16le"),
        make_media("surround.mkv", PICTURE, NOISE, *H264, "-af", "pan=5.1|c0=c0|c1=c0|c2=c0", "-c:a", "pcm_s16le"),
        make_media("silent.mkv", PICTURE, SILENCE, *H264, "-c:a", "pcm_s16le"),
        make_media("still.mkv", "lavfi:color=gray:size=96x64:rate=12:duration=2", NOISE, *H264, "-c:a", "pcm_s16le"),
        make_media("black.mkv", "lavfi:color=black:size=96x64:rate=12:duration=2", SILENCE, *H264, "-c:a", "flac"),
    ]


@pytest.fixture(scope="module")
def corpus_cache(tmp_path_factory) -> Cache:
    return Cache(tmp_path_factory.mktemp("corpus") / "cache")


@pytest.fixture(scope="module")
def corpus_options(tiny_grid) -> ExtractOptions:
    return ExtractOptions(grid=load_grid(str(tiny_grid)))


@pytest.fixture(scope="module")
def corpus(corpus_sources, ffmpeg, corpus_cache, corpus_options):
    return run_extract(corpus_sources, ffmpeg, corpus_cache, corpus_options)


@pytest.fixture(scope="module")
def corpus_frame(corpus):
    return corpus[0].frame


def rows_of(frame, title, kind):
    rows = frame[(frame["title"] == title) & (frame["kind"] == kind)]
    assert len(rows)
    return rows


# What a table holds.


def test_every_scene_has_a_row_for_every_rendition(corpus_frame):
    counts = corpus_frame.groupby(["title", "scene", "kind"]).size().to_dict()
    titles = {("cut", 0), ("cut", 1)} | {(t, 0) for t in ("vertical", "mono", "surround", "silent", "still", "black")}
    assert counts == {(*scene, kind): n for scene in titles for kind, n in (("video", 2), ("audio", 1))}


def test_rows_are_sorted_by_title_scene_and_kind(corpus_frame):
    key = corpus_frame[["title", "scene", "kind"]].apply(tuple, axis=1).tolist()
    assert key == sorted(key)


def test_a_cut_parts_a_title_at_its_instant(corpus_frame):
    spans = corpus_frame[corpus_frame["title"] == "cut"][["scene", "start_s", "end_s"]].drop_duplicates()
    assert spans.values.tolist() == [[0, 0.0, 2.0], [1, 2.0, 4.0]]


def test_every_number_is_finite(corpus_frame):
    video = corpus_frame[corpus_frame["kind"] == "video"]
    columns = ["vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2", "adm2", "vmaf"]
    assert np.isfinite(video[columns].to_numpy(dtype=float)).all()
    audio = corpus_frame[corpus_frame["kind"] == "audio"]
    assert np.isfinite(np.stack(audio["audio_features"].to_list())).all()
    assert np.isfinite(audio[["visqol_mos", "audio_mos"]].to_numpy(dtype=float)).all()


def test_a_vertical_title_has_vertical_renditions(corpus_frame):
    rows = rows_of(corpus_frame, "vertical", "video")
    assert sorted(zip(rows["width_px"], rows["height_px"], strict=True)) == [(32, 48), (64, 96)]
    assert (rows.set_index("height_px").loc[96, "vmaf"]) > 80  # upright against upright


def test_mono_sources_have_mono_renditions(corpus_frame):
    assert set(rows_of(corpus_frame, "mono", "audio")["channels"]) == {1}


def test_surround_sources_have_stereo_renditions(corpus_frame):
    assert set(rows_of(corpus_frame, "surround", "audio")["channels"]) == {2}


@pytest.mark.parametrize("title", ["silent", "black"])
def test_digital_silence_is_kept_by_every_codec(corpus_frame, title):
    rows = rows_of(corpus_frame, title, "audio")
    assert rows["visqol_mos"].tolist() == rows["audio_mos"].tolist() == [4.732101]
    statistics = np.stack(rows["audio_features"].to_list()).reshape(-1, 4, 4, 32)
    assert (statistics[:, :, :2] == 1).all() and (statistics[:, :, 2:] == 0).all()


@pytest.mark.parametrize("title", ["still", "black"])
def test_a_still_picture_has_no_motion(corpus_frame, title):
    rows = rows_of(corpus_frame, title, "video")
    assert rows["motion2"].tolist() == [0.0, 0.0]


def test_metadata_tells_where_the_numbers_come_from(corpus, ffmpeg, corpus_sources, corpus_options):
    import hashlib

    metadata = corpus[0].metadata
    assert metadata.ffmpeg_version == ffmpeg.version
    assert metadata.grid == "tiny"
    assert metadata.grid_hash == hashlib.sha256(corpus_options.grid.text.encode()).hexdigest()
    assert metadata.source_hashes == {
        path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in corpus_sources
    }
    assert metadata.libvmaf_version and metadata.visqol_version


def test_progress_rises_to_its_total(corpus):
    measuring = [step for step in corpus[1] if "looking" not in step.label]
    done = [step.done for step in measuring]
    assert done == sorted(done)
    assert done[-1] == pytest.approx(measuring[-1].total)


def test_nothing_but_entries_is_left_in_the_cache(corpus, corpus_cache):
    assert {path.suffix for path in files_below(corpus_cache.root)} == {".npz"}
    assert files_below(corpus_cache.encodes) == []
    assert list((corpus_cache.root / "work").iterdir()) == []


# What is measured once is not measured again.


def test_a_second_run_does_no_work_and_gives_the_same_table(
    corpus, corpus_sources, ffmpeg, corpus_cache, corpus_options, tmp_path
):
    idle = replace(ffmpeg, path=str(tmp_path / "no-such-ffmpeg"))  # any work at all would fail
    again, progress = run_extract(corpus_sources, idle, corpus_cache, corpus_options)
    assert progress == []
    write_features(corpus[0], tmp_path / "first.parquet")
    write_features(again, tmp_path / "again.parquet")
    assert (tmp_path / "first.parquet").read_bytes() == (tmp_path / "again.parquet").read_bytes()


def test_whole_titles_reuse_the_measured_video(corpus, corpus_sources, ffmpeg, corpus_cache, corpus_options):
    options = replace(corpus_options, detect_scenes=False)
    cut = corpus_sources[0]
    table, progress = run_extract([cut], ffmpeg, corpus_cache, options)
    assert {step.label for step in progress} == {"cut.mp4: audio"}
    assert table.frame["end_s"].tolist() == [4.0, 4.0, 4.0]
    parts = rows_of(corpus[0].frame, "cut", "video").groupby("height_px")["bitrate_kbps"].mean()
    whole = table.of_kind("video").set_index("height_px")["bitrate_kbps"]
    assert whole.to_dict() == pytest.approx(parts.to_dict(), rel=1e-9)  # two scenes of equal length: bits add up


def test_half_seconds_are_all_bits_of_a_scene(corpus):
    rows = corpus[0].of_kind("video")
    bits = [float(kbit.sum(dtype=float)) for kbit in rows["half_second_kbit"]]
    assert bits == pytest.approx((rows["bitrate_kbps"] * (rows["end_s"] - rows["start_s"])).tolist(), rel=1e-6)
    assert corpus[0].of_kind("audio")["half_second_kbit"].isna().all()


def test_max_scene_cuts_a_title_evenly(corpus, corpus_sources, ffmpeg, corpus_cache, corpus_options):
    options = replace(corpus_options, detect_scenes=False, max_scene_s=1.5)
    table, _ = run_extract([corpus_sources[0]], ffmpeg, corpus_cache, options)
    spans = table.frame[["start_s", "end_s"]].drop_duplicates()
    assert spans.to_numpy().ravel().tolist() == pytest.approx([0, 4 / 3, 4 / 3, 8 / 3, 8 / 3, 4])


def test_a_damaged_entry_is_measured_again(corpus, corpus_sources, ffmpeg, corpus_cache, corpus_options, tmp_path):
    black = corpus_sources[-1]
    cache = Cache(tmp_path / "cache")
    whole, _ = run_extract([black], ffmpeg, cache, corpus_options)
    write_features(whole, tmp_path / "whole.parquet")
    for entry in files_below(cache.root):
        entry.write_bytes(entry.read_bytes()[:-30])
    again, _ = run_extract([black], ffmpeg, cache, corpus_options)
    write_features(again, tmp_path / "again.parquet")
    assert (tmp_path / "whole.parquet").read_bytes() == (tmp_path / "again.parquet").read_bytes()


def test_a_damaged_count_of_frames_never_passes_for_another(
    corpus, corpus_sources, ffmpeg, corpus_cache, corpus_options, tmp_path
):
    """The count gives the scenes their times, so a wrong one would make a table that looks sound."""
    shutil.copytree(corpus_cache.root, tmp_path / "cache")
    cache = Cache(tmp_path / "cache")
    for entry in files_below(cache.root):
        with np.load(entry) as arrays:
            is_scan = "num_frames" in arrays
        if is_scan:
            entry.write_bytes(entry.read_bytes()[:-30])
    table, _ = run_extract(corpus_sources[:1], ffmpeg, cache, corpus_options)
    assert table.frame["end_s"].tolist() == [2.0, 2.0, 2.0, 4.0, 4.0, 4.0]


def test_a_relative_cache_serves_as_an_absolute_one(clip, ffmpeg, corpus_options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table, _ = run_extract([clip], ffmpeg, Cache(Path("cache")), corpus_options)
    assert len(table.frame) == 3


# Kept encodes.


def codec_types(encodes: Path) -> list[str]:
    import av

    kinds = []
    for path in encodes.rglob("*.mp4"):
        with av.open(str(path)) as container:
            kinds += [stream.type for stream in container.streams]
    return sorted(kinds)


def test_keep_encodes_leaves_every_encode_even_where_all_is_measured(clip, ffmpeg, corpus_options, tmp_path):
    cache = Cache(tmp_path / "cache")
    plain, _ = run_extract([clip], ffmpeg, cache, corpus_options)
    assert codec_types(cache.root) == []
    kept, _ = run_extract([clip], ffmpeg, cache, replace(corpus_options, keep_encodes=True))
    assert codec_types(cache.root / "kept") == ["audio", "video", "video"]
    write_features(plain, tmp_path / "plain.parquet")
    write_features(kept, tmp_path / "kept.parquet")
    assert (tmp_path / "plain.parquet").read_bytes() == (tmp_path / "kept.parquet").read_bytes()


def test_keep_encodes_leaves_the_encodes_of_a_fresh_run(clip, ffmpeg, corpus_options, tmp_path):
    cache = Cache(tmp_path / "cache")
    run_extract([clip], ffmpeg, cache, replace(corpus_options, keep_encodes=True))
    assert codec_types(cache.root / "kept") == ["audio", "video", "video"]
    assert files_below(cache.encodes) == []
    assert list((cache.root / "work").iterdir()) == []


# Refusals come before any work.


@pytest.mark.parametrize("audio_only", [False, True])
def test_sources_are_named_before_any_work(ffmpeg, corpus_options, clip, tmp_path, audio_only):
    text = tmp_path / "notes.mp4"
    text.write_text("not media\n")
    cache = Cache(tmp_path / "cache")
    with LocalWorkers(1) as workers:
        steps = extract([clip, text], ffmpeg, cache, replace(corpus_options, audio_only=audio_only), workers)
        told = next(step for step in steps if isinstance(step, FailedTitle))
        assert files_below(cache.root / "scores") == []
    assert told.name == "notes"
    assert "notes.mp4 is text" in str(told.error)


def test_a_source_that_is_not_there_is_refused_before_any_work(ffmpeg, corpus_options, clip, tmp_path):
    cache = Cache(tmp_path / "cache")
    with (
        LocalWorkers(1) as workers,
        pytest.raises(UnsupportedMediaError, match=r"gone\.mp4 does not exist; check the path"),
    ):
        list(extract([clip, tmp_path / "gone.mp4"], ffmpeg, cache, corpus_options, workers))
    assert files_below(cache.root) == []


def test_a_title_that_fails_fails_alone(ffmpeg, corpus_options, clip, corpus_sources, tmp_path):
    """The head of a film is whole, so only its scan finds that the rest is missing."""
    whole = corpus_sources[0].read_bytes()
    cut_off = tmp_path / "cut_off.mkv"
    subprocess.run(
        [ffmpeg.path, "-v", "error", "-i", corpus_sources[0], "-c", "copy", tmp_path / "whole.mkv"], check=True
    )
    whole = (tmp_path / "whole.mkv").read_bytes()
    cut_off.write_bytes(whole[: len(whole) // 2])
    failed, measured = run_and_fail([cut_off, clip], ffmpeg, Cache(tmp_path / "cache"), corpus_options)
    assert list(failed) == ["cut_off"]
    assert "only" in str(failed["cut_off"])
    assert [table.frame["title"].iloc[0] for table in measured] == ["clip"]


def test_a_source_that_is_given_twice_is_refused(ffmpeg, corpus_options, clip, tmp_path):
    with LocalWorkers(1) as workers, pytest.raises(UnsupportedMediaError, match="is given twice; give it once"):
        list(extract([clip, clip], ffmpeg, Cache(tmp_path / "cache"), corpus_options, workers))


def test_two_sources_of_one_name_are_refused(ffmpeg, corpus_options, clip, tmp_path):
    twin = tmp_path / clip.name
    shutil.copy(clip, twin)
    with LocalWorkers(1) as workers, pytest.raises(UnsupportedMediaError, match=r"two sources are named clip\.mp4"):
        list(extract([clip, twin], ffmpeg, Cache(tmp_path / "cache"), corpus_options, workers))


def test_a_title_is_named_by_its_file_where_stems_meet(ffmpeg, corpus_options, clip, make_media, tmp_path):
    other = make_media("clip.mkv", "-i", clip, "-c", "copy")
    options = replace(corpus_options, audio_only=True)
    table, _ = run_extract([clip, other], ffmpeg, Cache(tmp_path / "cache"), options)
    assert sorted(set(table.frame["title"])) == ["clip.mkv", "clip.mp4"]


def test_audio_only_measures_audio_alone(ffmpeg, corpus_options, make_media, tmp_path):
    tone = make_media("tone.wav", "lavfi:sine=f=700:r=48000:d=2")
    options = replace(corpus_options, audio_only=True)
    table, _ = run_extract([tone], ffmpeg, Cache(tmp_path / "cache"), options)
    assert table.frame["kind"].tolist() == ["audio"]
    assert table.frame["end_s"].tolist() == [2.0]


def test_the_end_takes_away_what_a_stopped_worker_left(ffmpeg, corpus_options, clip, tmp_path):
    cache = Cache(tmp_path / "cache")
    ended = subprocess.Popen(["true"])
    ended.wait()
    with LocalWorkers(1) as workers:
        for _ in extract([clip], ffmpeg, cache, replace(corpus_options, preset="no-such-preset"), workers):
            (cache.encodes / f".{ended.pid}.half.mp4").touch()  # as if its worker had been stopped in the middle
    assert not list(cache.encodes.glob(".*"))


def test_a_failing_task_ends_the_run_and_leaves_nothing_half_done(ffmpeg, corpus_options, clip, tmp_path):
    cache = Cache(tmp_path / "cache")
    failed, measured = run_and_fail([clip], ffmpeg, cache, replace(corpus_options, preset="no-such-preset"))
    assert isinstance(failed["clip"], MediaError)
    assert measured == []
    assert [path for path in files_below(cache.root) if path.name.startswith(".")] == []
    assert codec_types(cache.encodes) == []
    assert list((cache.root / "work").iterdir()) == []


# Runs side by side, killed and interrupted.


@pytest.fixture(scope="session")
def longer_clip(make_media) -> Path:
    return make_media(
        "longer.mp4",
        "lavfi:mandelbrot=size=256x144:rate=25,trim=end_frame=40,format=yuv420p",
        "lavfi:anoisesrc=r=48000:d=1.6:a=0.2:seed=7",
        *(*H264, "-c:a", "aac", "-ac", "2"),
    )


@pytest.fixture(scope="session")
def longer_grid(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("grid") / "longer.toml"
    # Two workers have a task each, of more renditions than are encoded in one run: some are done while others are not.
    path.write_text(f'[video.crf]\nh264 = {[*range(22, 47, 2)]}\n[audio]\naac = ["48k", "96k"]\n')
    return path


@pytest.fixture(scope="session")
def longer_arguments(longer_clip, longer_grid):
    """Arguments of a run in a folder: `longer_arguments(folder, *more)`."""

    def arguments(folder: Path, *more: str) -> list[str]:
        words = ["extract", longer_clip, "-o", folder / "table.parquet", "--grid", longer_grid]
        return [*map(str, [*words, "--cache", folder / "cache", "--preset", "fast"]), *more]

    return arguments


@pytest.fixture(scope="module")
def uninterrupted(longer_arguments, tmp_path_factory) -> bytes:
    """The file that one undisturbed worker writes, a thread of this process."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["abr-alloc", *longer_arguments(folder, "--jobs", "1")])
        with pytest.raises(SystemExit) as ended:
            main()
    assert not ended.value.code
    return (folder / "table.parquet").read_bytes()


def group_members(group: int, *, ended: bool = False) -> dict[int, str]:
    """Name of every process of a process group that runs; with `ended`, also of those that nobody has reaped yet."""
    members = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
            except OSError:
                continue  # it ended while we looked
            state, _, pgrp = rest.split()[:3]
            if int(pgrp) == group and (ended or state != "Z"):
                members[int(entry.name)] = name
    return members


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="lists processes through /proc")


def start_and_wait_for_an_encode(forks: ForkServer, arguments: list[str], cache: Path, *, num_entries: int) -> Started:
    """Start a run of its own process group; return when so much is measured and an ffmpeg works on the next."""
    child = forks.start(*arguments, new_session=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and child.poll() is None:
        measured = len(list(cache.glob("scores/*/*.npz")))
        if measured >= num_entries and any("ffmpeg" in name for name in group_members(child.pid).values()):
            return child
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    pytest.fail(f"no encode was seen under way: {child.communicate()[1]}")


def test_neither_the_number_of_workers_nor_that_they_are_processes_shows(
    longer_arguments, uninterrupted, forks, tmp_path
):
    assert forks.run(*longer_arguments(tmp_path, "--jobs", "2")).returncode == 0
    assert (tmp_path / "table.parquet").read_bytes() == uninterrupted


@needs_proc
def test_a_killed_run_leaves_no_process_and_resumes_to_the_same_bytes(
    longer_arguments, uninterrupted, forks, run_command, tmp_path
):
    cache = tmp_path / "cache"
    child = start_and_wait_for_an_encode(forks, longer_arguments(tmp_path, "--jobs", "2"), cache, num_entries=4)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    deadline = time.monotonic() + 4  # workers look for their parent twice a second
    while (left := group_members(child.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == {}
    assert not (tmp_path / "table.parquet").exists()
    while (unreaped := group_members(child.pid, ended=True)) and time.monotonic() < deadline:
        time.sleep(0.05)

    before = {path: path.stat().st_mtime_ns for path in cache.glob("scores/*/*.npz")}
    assert run_command(*longer_arguments(tmp_path, "--jobs", "1")).code == 0
    assert (tmp_path / "table.parquet").read_bytes() == uninterrupted
    unchanged = [path for path, stamp in before.items() if path.stat().st_mtime_ns == stamp]
    assert len(unchanged) >= 4 - 2  # audio encodes may be made anew, nothing else is
    assert files_below(cache / "encodes") == []
    # A process that has ended but is not reaped counts as running: its folder waits for a later run.
    assert {int(path.name.partition("-")[0]) for path in (cache / "work").iterdir()} <= unreaped.keys()


@needs_proc
@pytest.mark.parametrize("whole_group", [False, True], ids=["parent", "terminal"])
def test_an_interrupt_ends_the_run_with_one_line(longer_arguments, forks, tmp_path, whole_group):
    """Ctrl-C in a terminal reaches every process of the group; `kill -INT` reaches the parent alone."""
    cache = tmp_path / "cache"
    child = start_and_wait_for_an_encode(forks, longer_arguments(tmp_path, "--jobs", "2"), cache, num_entries=2)
    (os.killpg if whole_group else os.kill)(child.pid, signal.SIGINT)
    _, stderr = child.communicate(timeout=30)
    assert stderr.lstrip() == "error: interrupted; run the same command again to go on where it stopped\n"
    assert child.returncode == 130
    time.sleep(0.2)
    assert group_members(child.pid) == {}
    assert not (tmp_path / "table.parquet").exists()
    assert list((cache / "work").iterdir()) == []


@needs_proc
def test_an_interrupt_while_workers_start_ends_the_run_with_one_line(longer_arguments, forks, tmp_path):
    child = forks.start(*longer_arguments(tmp_path, "--jobs", "2"), new_session=True)
    deadline = time.monotonic() + 60
    while len(group_members(child.pid)) < 3 and time.monotonic() < deadline:  # itself, the tracker and a worker
        time.sleep(0.005)
    os.killpg(child.pid, signal.SIGINT)
    _, stderr = child.communicate(timeout=30)
    assert stderr.lstrip() == "error: interrupted; run the same command again to go on where it stopped\n"
    assert child.returncode == 130


# Measuring less.


@pytest.fixture(scope="module")
def long_film(make_media) -> Path:
    """Six scenes of two seconds: three still ones that are alike, three of noise that are alike."""
    still = "lavfi:color=gray:size=96x64:rate=12:duration=2"
    noise = "lavfi:color=gray:size=96x64:rate=12:duration=2,noise=alls=90:allf=t+u:all_seed=5,format=yuv420p"
    inputs = [still, noise] * 3
    graph = "".join(f"[{i}:v:0]" for i in range(6)) + "concat=n=6:v=1:a=0[v]"
    return make_media(
        "long.mp4", *inputs, "lavfi:anoisesrc=r=48000:d=12:a=0.2:seed=7",
        *("-filter_complex", graph, "-map", "[v]", "-map", "6:a"), *H264, "-c:a", "aac",
    )  # fmt: skip


def test_a_digest_measures_stretches_that_stand_for_the_whole_title(ffmpeg, corpus_options, long_film, tmp_path):
    options = replace(corpus_options, digest_s=4.5)
    table, _ = run_extract([long_film], ffmpeg, Cache(tmp_path / "cache"), options)
    spans = table.frame[["scene", "start_s", "end_s"]].drop_duplicates("scene")
    weights = table.metadata.weights_s["long"]
    assert (spans["end_s"] - spans["start_s"]).sum() <= 4.5
    assert {str(scene) for scene in spans["scene"]} == set(weights)
    assert sum(weights.values()) == pytest.approx(12.0)
    assert {scene % 2 for scene in spans["scene"]} == {0, 1}  # one of the still and one of the noisy


def test_titles_no_longer_than_asked_are_measured_whole(ffmpeg, corpus_options, long_film, tmp_path):
    options = replace(corpus_options, digest_s=4.5, digest_above_s=20.0)
    table, _ = run_extract([long_film], ffmpeg, Cache(tmp_path / "cache"), options)
    assert table.metadata.weights_s == {}
    assert table.frame["end_s"].max() == 12.0


class OneMore:
    """Chooses the first candidate, then the last, then no more."""

    def first_probes(self, candidates):
        return candidates[:1]

    def next_probes(self, measured, candidates):
        assert len(measured.of_kind("audio")) > 0
        done = set(measured.of_kind("video")["target"])
        return [] if len(done) > 1 else [candidates[-1]]

    def completed(self, measured, candidates):
        return measured


def test_probes_are_chosen_round_by_round_and_the_table_says_so(ffmpeg, clip, longer_grid, tmp_path):
    options = ExtractOptions(grid=load_grid(str(longer_grid)), prober=OneMore())
    table, progress = run_extract([clip], ffmpeg, Cache(tmp_path / "cache"), options)
    assert set(table.of_kind("video")["target"]) == {"crf=22", "crf=46"}
    assert table.metadata.probes == "auto"
    assert progress[-1].done == pytest.approx(progress[-1].total)


def test_a_stretch_is_encoded_with_what_surrounds_it(ffmpeg, corpus_options, long_film, tmp_path):
    """Half a second of sound before and after it; of picture half a second before it, a second and a half after it;
    where there is so much."""
    cache = Cache(tmp_path / "cache")
    title = TitleMeasurement("long", long_film, ffmpeg, cache, replace(corpus_options, digest_s=4.5))
    (scan,) = title.go_on(title.begin(), title.begin().run(cache))
    scan.run(cache)
    tasks = title.go_on(scan, None)
    for task in tasks:
        start_s = task.part.first_frame / 12
        end_s = start_s + task.part.num_frames / 12
        if isinstance(task, AudioTask):
            assert task.start_s == pytest.approx(max(0.0, start_s - 0.5))
            assert task.start_s + task.duration_s == pytest.approx(min(12.0, end_s + 0.5))
        else:
            assert task.part.lead_frames == min(6, task.part.first_frame)
            assert task.part.tail_frames == min(18, 144 - task.part.first_frame - task.part.num_frames)
    assert {type(task) for task in tasks} == {AudioTask, VideoTask}


class Elsewhere:
    """Workers that are not of this machine, and do nothing."""

    is_local, num_workers = False, 2

    def __init__(self):
        self.submitted, self.taken_back = [], []

    def submit(self, task, place):
        self.submitted.append(task)

    def take_back(self, tasks):
        self.taken_back += tasks

    def finished(self, *, tick_s=None):
        yield from ()


def test_workers_elsewhere_are_told_a_source_from_the_root(ffmpeg, corpus_options, clip, tmp_path, monkeypatch):
    monkeypatch.chdir(clip.parent)
    workers = Elsewhere()
    assert list(extract([Path(clip.name)], ffmpeg, Cache(tmp_path / "cache"), corpus_options, workers)) == []
    assert [task.path for task in workers.submitted] == [clip]


def test_what_a_failed_title_has_left_is_taken_back(ffmpeg, corpus_options, clip, tmp_path):
    class OneFails(Elsewhere):
        def finished(self, *, tick_s=None):
            look = self.submitted[0]
            yield Finished(task=look, result=look.run(cache))
            scan = self.submitted[1]
            scan.run(cache)
            yield Finished(task=scan)
            yield Finished(task=self.submitted[2], error=MediaError("it broke"))

    cache, workers = Cache(tmp_path / "cache"), OneFails()
    steps = list(extract([clip], ffmpeg, cache, corpus_options, workers))
    assert [str(step.error) for step in steps if isinstance(step, FailedTitle)] == ["it broke"]
    assert len(workers.submitted) > 3
    assert workers.taken_back == workers.submitted[3:]


# Digests of containers that seek badly.


def test_a_digest_of_a_transport_stream_is_measured_at_its_own_frames(make_media, ffmpeg, tmp_path):
    """What is scored is what bare ffmpeg and libvmaf give for the same frames, counted from the beginning."""
    moving = "lavfi:testsrc2=size=96x64:rate=25:duration=20"
    path = make_media("broadcast.ts", moving, "lavfi:sine=r=48000:d=20", *H264, "-g", "100", "-bf", "2", "-c:a", "mp2")
    grid = tmp_path / "grid.toml"
    grid.write_text('[video]\nsizes = [64]\n[video.crf]\nh264 = [30]\n[audio]\naac = ["48k"]\n')
    options = ExtractOptions(grid=load_grid(str(grid)), keep_encodes=True, digest_s=6.0, digest_above_s=6.0)
    table, _ = run_extract([path], ffmpeg, Cache(tmp_path / "cache"), options)
    rows = table.frame[table.frame["kind"] == "video"]
    assert len(rows) == 3
    encodes = {path.stem.rpartition("-")[2]: path for path in (tmp_path / "cache" / "kept").rglob("h264*.mp4")}
    for row in rows.itertuples():
        first, last = round(row.start_s * 25), round(row.end_s * 25)
        lead = min(12, first)  # half a second that is encoded before a stretch
        graph = (
            # The first frame of the file is the first of the title: sound begins with it, to the frame.
            f"[0:v]fps=25:start_time=0,trim=start_frame={first}:end_frame={last},settb=1/25,setpts=N[r];"
            f"[1:v]trim=start_frame={lead}:end_frame={lead + last - first},settb=1/25,setpts=N,"
            "scale=96:64:flags=bicubic[d];"
            "[d][r]libvmaf=model=version=vmaf_v0.6.1:log_fmt=csv:log_path=vmaf.csv"
        )
        ffmpeg.run(
            ["-i", path, "-i", encodes[f"{first}+{last - first}"], "-lavfi", graph, "-f", "null", "-"], cwd=tmp_path
        )
        scores = pd.read_csv(tmp_path / "vmaf.csv", index_col=False)
        assert row.vmaf == pytest.approx(scores["vmaf"].mean(), abs=1e-3)
        assert row.adm2 == pytest.approx(scores["integer_adm2"].mean(), abs=1e-5)
        still = scores["integer_motion2"][1:] < 1e-3  # copies of one frame have no motion
        assert not still.any()


def test_a_gop_longer_than_the_digest_is_no_matter(make_media, ffmpeg, tmp_path, tiny_grid):
    moving = "lavfi:testsrc2=size=96x64:rate=25:duration=24"
    path = make_media(
        "one-gop.ts", moving, "lavfi:sine=r=48000:d=24", *H264, "-g", "400", "-sc_threshold", "0", "-c:a", "aac"
    )
    options = ExtractOptions(grid=load_grid(str(tiny_grid)), digest_s=4.0, digest_above_s=4.0)
    table, _ = run_extract([path], ffmpeg, Cache(tmp_path / "cache"), options)
    assert (table.frame["kind"] == "audio").sum() == 2  # two stretches of a rendition


# Families of audio features.


@pytest.fixture(scope="module")
def listened_to(corpus_sources, ffmpeg, corpus, corpus_cache, corpus_options):
    """The corpus again, from the same cache, with the listener; and how many entries were there before."""
    before = len(files_below(corpus_cache.root))
    options = replace(corpus_options, audio_features="listener")
    return run_extract(corpus_sources, ffmpeg, corpus_cache, options)[0], before


def test_the_listener_measures_the_same_renditions(corpus_frame, listened_to):
    table, _ = listened_to
    assert table.metadata.audio_feature_version == "listener/1" and table.metadata.visqol_version == ""
    audio = table.of_kind("audio")
    assert "visqol_mos" not in table.frame and "audio_spread_mos" not in corpus_frame
    assert audio["audio_mos"].between(1.05, 4.65).all() and audio["audio_spread_mos"].between(0.1, 1.0).all()
    assert np.isfinite(np.stack(audio["audio_features"].to_list())).all()
    own = ["visqol_mos", "audio_mos", "audio_spread_mos", "audio_features"]
    same = [name for name in corpus_frame if name not in own]
    pd.testing.assert_frame_equal(table.frame[same], corpus_frame[same])


def test_both_families_of_a_title_live_in_one_cache(
    corpus, listened_to, corpus_sources, ffmpeg, corpus_cache, corpus_options
):
    table, before = listened_to
    entries = files_below(corpus_cache.root)
    assert len(entries) - before == len(table.of_kind("audio")), "one more comparison each, and nothing else"
    for options, wanted in (
        (corpus_options, corpus[0]),
        (replace(corpus_options, audio_features="listener"), table),
    ):
        again, progress = run_extract(corpus_sources, ffmpeg, corpus_cache, options)
        pd.testing.assert_frame_equal(again.frame, wanted.frame)
        assert again.metadata == wanted.metadata
        assert all("looking" in step.label for step in progress)
    assert files_below(corpus_cache.root) == entries


@pytest.mark.parametrize("title", ["silent", "black"])
def test_to_the_listener_digital_silence_has_lost_nothing(listened_to, title):
    rows = rows_of(listened_to[0].frame, title, "audio")
    assert rows["audio_mos"].tolist() == [4.65]
    assert not np.stack(rows["audio_features"].to_list()).any()


def test_the_listener_hears_surround_as_it_is_mixed_to_stereo(make_media, ffmpeg, tmp_path):
    source = make_media("around.mkv", PICTURE, NOISE, *H264, "-af", "pan=5.1|c0=c0|c1=c0|c2=c0", "-c:a", "flac")
    (tmp_path / "g.toml").write_text(
        '[video]\nsizes = []\n[video.crf]\nh264 = [28]\n[audio]\naac = ["48k"]\n[audio.surround]\nac3 = ["448k"]\n'
    )
    options = ExtractOptions(
        grid=load_grid(str(tmp_path / "g.toml")), surround_codecs=("ac3",), audio_features="listener", audio_only=True
    )
    table, _ = run_extract([source], ffmpeg, Cache(tmp_path / "cache"), options)
    around = table.frame[table.frame["channels"] == 6]
    assert len(around) == 1 and around["audio_spread_mos"].notna().all()
    assert np.stack(around["audio_features"].to_list()).shape == (1, 512)
