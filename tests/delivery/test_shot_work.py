"""A ladder of shots becomes streams: every frame once, cut at scenes, the same bytes whoever encodes it and however
often it is cut off."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import av
import numpy as np
import pytest

from abr_alloc.media.cmaf import read_segments
from abr_alloc.media.segments import join_segments

from ..conftest import CUTS

RUNGS = ("96x54 34 34 34 34 + aac 32", "160x90 30 30 30.5 32 + aac 32", "160x90 26 30 27.25 28 + aac 64")
VIDEOS = ("video/96x54-30k", "video/160x90-74k", "video/160x90-111k")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, but for where the source lay."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    record = json.loads(found.pop("delivery.json"))
    record.pop("source")
    return found | {"delivery.json": json.dumps(record).encode()}


@pytest.fixture(scope="module")
def ladder(cut_film, write_shot_ladder) -> Path:
    return write_shot_ladder(cut_film, *RUNGS)


@pytest.fixture(scope="module")
def delivered(cut_film, ladder, forks, tmp_path_factory) -> Path:
    """Encoded by one process: only to be read."""
    folder = tmp_path_factory.mktemp("shots") / "out"
    done = forks.run("encode", cut_film, "--ladder", ladder, "-o", folder, "--jobs", "1")
    assert done.returncode == 0, done.stderr
    return folder


def luma(path: Path, size: tuple[int, int] = (160, 90)) -> np.ndarray:
    """Luma of every frame, (F, H, W)."""
    with av.open(str(path)) as container:
        return np.array([f.reformat(*size, "gray").to_ndarray() for f in container.decode(video=0)], dtype=np.float32)


def test_every_frame_of_the_source_is_there_once_in_its_place(cut_film, delivered, tmp_path):
    source, frames = luma(cut_film), {}
    for name in VIDEOS:
        join_segments(delivered / name, tmp_path / "joined.mp4")
        frames[name] = luma(tmp_path / "joined.mp4")
        assert len(frames[name]) == len(source) == CUTS[-1]
    for first, end in itertools.pairwise(CUTS):
        inside = slice(first + 1, end - 1)
        for name in VIDEOS[1:] if end - first > 2 else ():
            errors = [np.abs(frames[name][inside] - np.roll(source, n, axis=0)[inside]).mean() for n in (-1, 0, 1)]
            assert errors[1] < min(errors[0], errors[2]), f"{name}, scene from frame {first} on"


def test_all_renditions_are_cut_at_scenes_and_begin_with_an_idr_picture_there(delivered):
    bounds = set()
    for name in VIDEOS:
        fragments = read_segments(delivered / name)
        assert all(fragment.starts_with_idr for fragment in fragments)
        ticks = fragments[0].timescale / 24
        starts = [round(fragment.start / ticks) for fragment in fragments]
        assert [fragment.end for fragment in fragments[:-1]] == [fragment.start for fragment in fragments[1:]]
        assert starts[0] == 0 and set(CUTS[:-1]) <= set(starts)
        bounds.add(tuple(starts))
    assert len(bounds) == 1


def test_bytes_do_not_depend_on_the_number_of_workers_and_common_shots_are_encoded_once(
    spy, cut_film, ladder, delivered, run_command, tmp_path
):
    """The flash of the two larger rungs is one encode; nothing is encoded in two passes."""
    words = ("--ladder", ladder, "-o", tmp_path / "out", "--ffmpeg", spy.path, "--jobs", "3")
    assert run_command("encode", cut_film, *words).code == 0
    assert contents(tmp_path / "out") == contents(delivered)
    assert len(spy.calls("libx264")) == 11
    assert not spy.calls("-pass")


# Cut off and gone on with.


def test_an_encode_that_is_killed_goes_on_with_the_shots_that_are_there(
    spy, forks, cut_film, ladder, delivered, run_command, tmp_path
):
    """One shot of the dearest rendition hangs; all the others are finished before the kill."""
    folder = tmp_path / "out"
    words = (cut_film, "--ladder", ladder, "-o", folder, "--ffmpeg", spy.path, "--jobs", "2")
    spy.hang("-crf 27.25")
    child = forks.start("encode", *words, new_session=True)
    until_s = time.monotonic() + 300
    shots = folder / ".abr-alloc" / "shots"

    def ready() -> bool:
        others = all((folder / name).is_dir() for name in VIDEOS[:2])
        return spy.stalled.exists() and others and len(list(shots.iterdir())) == 3

    while child.poll() is None and time.monotonic() < until_s and not ready():
        time.sleep(0.02)
    was_ready = ready()
    os.kill(child.pid, signal.SIGKILL)
    told = child.communicate(timeout=30)
    assert was_ready, told
    before = {path: path.stat().st_mtime_ns for path in [*shots.iterdir(), *folder.glob("video/*/*.m4s")]}
    assert not (folder / "master.m3u8").exists()
    spy.disarm()
    outcome = run_command("encode", *words)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert len(spy.calls("libx264")) == 1, "the one that hung"
    assert {path: path.stat().st_mtime_ns for path in before if path.exists()}.items() <= before.items()
    assert contents(folder) == contents(delivered)
    assert not (folder / ".abr-alloc").exists()


def test_another_order_is_refused_where_the_first_is(cut_film, ladder, delivered, run_command):
    outcome = run_command("encode", cut_film, "--ladder", ladder, "-o", delivered, "--preset", "veryfast")
    assert outcome.code == 1
    assert "holds a delivery with another preset" in outcome.stderr


def test_a_damaged_stream_is_encoded_again(cut_film, ladder, delivered, run_command, in_threads, tmp_path):
    folder = Path(shutil.copytree(delivered, tmp_path / "out"))
    (folder / VIDEOS[1] / "00003.m4s").write_bytes(b"")
    outcome = run_command("encode", cut_film, "--ladder", ladder, "-o", folder)
    assert outcome.code == 0
    assert f"{VIDEOS[1]} is not whole and is encoded again" in outcome.stderr
    assert contents(folder) == contents(delivered)


# What is refused.


def test_another_file_than_the_ladders_is_refused(clip, cut_film, ladder, run_command, tmp_path):
    copy = tmp_path / "cut_film.mkv"
    copy.write_bytes(cut_film.read_bytes() + b"\0")
    for source, title in ((copy, ()), (clip, ("--title", "cut_film"))):
        outcome = run_command("encode", source, "--ladder", ladder, "-o", tmp_path / "out", *title)
        assert outcome.code == 1
        assert re.search(
            r"gives every scene of 'cut_film' its own parameters, and \S+ is not the file", outcome.error_line()
        )
    assert not (tmp_path / "out").exists()


# Measured and refined.


def test_pictures_that_change_in_size_are_measured_frame_by_frame_and_rates_refined(
    cut_film, write_shot_ladder, run_command, in_threads, tmp_path
):
    """The flash is too short to be compared by its sound, so it is looked at with its neighbour."""
    pair = ("96x54 26 160x90:26 24 26 + aac 32", "160x90 22 22 96x54:20 24 + aac 64")
    words = ("encode", cut_film, "--ladder", write_shot_ladder(cut_film, *pair), "-o", tmp_path / "out", "--jobs", "2")
    assert run_command(*words).code == 0
    before = verified(run_command, tmp_path / "out", cut_film)["rungs"]
    assert [len(rung["predicted_scenes_mos"]) for rung in before] == [3, 3]
    assert all(len(rung["measured_scenes_mos"]) == 3 and rung["measured_vmaf"] > 60 for rung in before)
    outcome = run_command(*words, "--refine")
    assert outcome.code == 1, "rates were invented, and so was AVQ"
    assert "Encoded again:" in outcome.stdout and "peak of" in outcome.stdout
    after = verified(run_command, tmp_path / "out", cut_film)["rungs"]
    asked = [[shot["corrected"] for shot in video["shots"]] for video in record(tmp_path / "out")["videos"]]
    assert all(len(set(shots)) > 1 for shots in asked)
    for was, now in zip(before, after, strict=True):
        assert abs(now["rate_deviation"]) < abs(was["rate_deviation"])


# The promise of a peak.


def test_a_peak_is_kept_by_asking_some_scenes_for_less(cut_film, write_shot_ladder, run_command, in_threads, tmp_path):
    rungs = ("160x90 30 30 30 30 + aac 32", "160x90 22 30 22 26 + aac 32")
    free, held = tmp_path / "free", tmp_path / "held"
    assert run_command("encode", cut_film, "--ladder", write_shot_ladder(cut_film, *rungs), "-o", free).code == 0
    peaks = [rung["window_peak_kbps"] for rung in verified(run_command, free)["rungs"]]
    limit = round(0.8 * peaks[1])
    ladder = write_shot_ladder(cut_film, *rungs, peak_kbps=limit)
    outcome = run_command("encode", cut_film, "--ladder", ladder, "-o", held)
    assert re.search(
        rf"were asked for less to keep the peak of {limit} kbps \({peaks[1]:.0f} kbps, now", outcome.stderr
    )
    found = verified(run_command, held)
    assert found["promised_peak_kbps"] == limit
    kept = [rung["window_peak_kbps"] for rung in found["rungs"]]
    assert kept[0] == peaks[0] and 0.85 * limit < kept[1] <= limit
    asked = [[shot.get("corrected", "") for shot in video["shots"]] for video in record(held)["videos"]]
    assert not any(asked[0]) and any(asked[1])
    assert f"{held} is finished already" in run_command("encode", cut_film, "--ladder", ladder, "-o", held).stderr


def record(folder: Path) -> dict:
    return json.loads((folder / "delivery.json").read_text())


def verified(run_command, folder: Path, source: Path | None = None) -> dict:
    """What `verify` says; without its source nothing is decoded."""
    if source is None:
        path = folder / "delivery.json"
        path.write_text(json.dumps(record(folder) | {"source": "absent.mkv"}))
    given = () if source is None else ("--source", source, "--jobs", "2")
    return json.loads(run_command("verify", folder, "--json", *given).stdout)
