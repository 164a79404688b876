"""`abr-alloc measure` as a person runs it."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pandas as pd
import pytest

from abr_alloc.runs.measure_run import add_to
from abr_alloc.table.table import FeatureTable, read_features

pytestmark = pytest.mark.usefixtures("in_threads")

SMALL = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "30", "-vf", "scale=64:48")


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    """A folder whose cache the tests of this file share."""
    return tmp_path_factory.mktemp("measure") / "cache"


@pytest.fixture
def measure(run_command, caches):
    def run(*words):
        return run_command("measure", *words, "--cache", caches, "--jobs", "1")

    return run


@pytest.fixture(scope="module")
def source(make_media):
    return make_media(
        "scene.mkv",
        "lavfi:testsrc2=size=96x72:rate=12:duration=2",
        "lavfi:aevalsrc='0.3*sin(2*PI*(200+150*t)*t)':s=48000:d=2",
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "8", "-pix_fmt", "yuv420p", "-c:a", "flac"),
    )


@pytest.fixture(scope="module")
def muxed(make_media, source):
    return make_media("shipped.mp4", "-i", source, *SMALL, "-c:a", "aac", "-b:a", "64k")


@pytest.fixture(scope="module")
def other(make_media):
    return make_media("other.mp4", "lavfi:mandelbrot=size=64x48:rate=12", "-t", "2", *SMALL)


def test_a_muxed_file_is_a_video_and_an_audio_rendition(measure, source, muxed, tmp_path):
    outcome = measure(source, muxed, "-o", tmp_path / "f.parquet")
    assert outcome.code == 0
    assert outcome.stderr == f"{tmp_path / 'f.parquet'}: 2 renditions of scene over 1 scenes\n"
    lines = outcome.stdout.splitlines()
    assert lines[0] == "scene"
    assert [line.split()[:3] for line in lines[3:5]] == [["shipped", "aac", "1"], ["shipped", "h264", "64x48"]]
    assert lines[4].endswith("+0 frames")
    table = read_features(tmp_path / "f.parquet")
    assert table.frame["target"].tolist() == ["shipped", "shipped"]
    assert set(table.metadata.renditions["scene"]["shipped"]) == {"video", "audio"}


def test_a_list_gives_labels_and_what_fails_fails_alone(measure, source, muxed, other, tmp_path):
    listed = tmp_path / "list.csv"
    listed.write_text(f"path,kind,label\n{muxed},video,high\n{muxed},audio,sound\n{other},video,strange\n")
    outcome = measure(source, listed, "-o", tmp_path / "f.parquet")
    assert outcome.code == 1
    failed = [line for line in outcome.stderr.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 1
    assert failed[0].split()[1] == "strange"
    assert "not of this source" in failed[0]
    assert set(read_features(tmp_path / "f.parquet").frame["target"]) == {"high", "sound"}


def test_measured_and_own_encodes_are_planned_together(
    measure, run_command, caches, tiny_grid, source, muxed, tmp_path
):
    own, both = tmp_path / "own.parquet", tmp_path / "both.parquet"
    assert run_command("extract", source, "--grid", tiny_grid, "--cache", caches, "--jobs", "1", "-o", own).code == 0
    assert measure(source, muxed, "--with", own, "-o", both).code == 0
    table = read_features(both)
    assert {"shipped", "crf=28", "b=48k"} <= set(table.frame["target"])
    assert table.metadata.grid == read_features(own).metadata.grid
    assert run_command("plan", both, "--budget", "2M").code == 0
    again = measure(source, muxed, "--with", both, "-o", tmp_path / "again.parquet")
    assert "already has a rendition called 'shipped'" in again.error_line()
    assert not (tmp_path / "again.parquet").exists()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{muxed},video,crf=28", "reads as what an encoder is asked for"),
        ("{muxed},film,a", "the kind 'film', not video, audio, both"),
        (",video,a", "no path"),
        ("{muxed},video,a\n{muxed},video,a", "are both called 'a'"),
        ("{other},audio,a", "holds video, but was given as audio"),
        ("none.mp4,video,a", "does not exist"),
        ("{muxed},video,a,b", "line 2: it has more columns"),
        ("x" * 300 + ",video,a", "File name too long"),
        ("..,video,a", "is a directory"),
        ("{muxed},video,a\x1b[31mb", "is no printable text"),
        ("{muxed},video,crf=28@film", "reads as what an encoder is asked for"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused_in_one_line(measure, source, muxed, other, tmp_path, row, said):
    listed = tmp_path / "list.csv"
    listed.write_text("path,kind,label\n" + row.format(muxed=muxed, other=other) + "\n")
    outcome = measure(source, listed, "-o", tmp_path / "f.parquet")
    assert outcome.code == 1
    assert said in outcome.error_line()


def test_a_list_from_a_spreadsheet_is_read_and_a_pipe_refused(measure, source, muxed, tmp_path):
    listed = tmp_path / "list.csv"
    listed.write_bytes(f"\ufeffpath;kind;label\r\n {muxed} ;video;high\r\n;;\r\n".encode())
    assert measure(source, listed, "-o", tmp_path / "f.parquet").code == 0
    assert set(read_features(tmp_path / "f.parquet").frame["target"]) == {"high"}
    os.mkfifo(tmp_path / "pipe.csv")
    outcome = measure(source, tmp_path / "pipe.csv", "-o", tmp_path / "g.parquet")
    assert (outcome.code, "it is a pipe" in outcome.error_line()) == (1, True)


def test_what_is_no_table_is_not_written_over(measure, source, muxed, tmp_path):
    mine, listed = tmp_path / "mine.mp4", tmp_path / "list.csv"
    shutil.copy(muxed, mine)
    listed.write_text("path\nmine.mp4\n")
    outcome = measure(source, listed, "-o", mine)
    assert (outcome.code, "is no feature table" in outcome.error_line()) == (2, True)
    assert mine.read_bytes() == muxed.read_bytes()


def test_options_that_exclude_each_other_are_usage(measure, source, muxed, example, tmp_path):
    outcome = measure(source, muxed, "--with", example, "--full", "-o", tmp_path / "f.parquet")
    assert (outcome.code, "--full" in outcome.error_line()) == (2, True)
    outcome = measure(source, muxed, "--vmaf-log", f"shipped={'x' * 300}", "-o", tmp_path / "f.parquet")
    assert (outcome.code, "is not a file; check the path" in outcome.stderr) == (1, True)
    outcome = measure(source, muxed, "--vmaf-log", "none=log.json", "-o", tmp_path / "f.parquet")
    assert (outcome.code, "names no video rendition" in outcome.error_line()) == (1, True)
    outcome = measure(source, muxed, "--with", example, "-o", tmp_path / "f.parquet")
    assert (outcome.code, "has no title 'scene'" in outcome.error_line()) == (1, True)


def test_renditions_are_heard_as_their_table_was(measure, run_command, source, muxed, tiny_grid, caches, tmp_path):
    own = tmp_path / "own.parquet"
    words = ("--grid", tiny_grid, "--cache", caches, "--jobs", "1", "--audio-features", "listener")
    assert run_command("extract", source, "-o", own, *words).code == 0
    assert measure(source, muxed, "--with", own, "-o", tmp_path / "both.parquet").code == 0
    both = read_features(tmp_path / "both.parquet")
    assert both.metadata.audio_feature_version == "listener/1"
    audio = both.of_kind("audio")
    assert set(audio["target"]) == {"b=48k", "shipped"} and audio["audio_spread_mos"].notna().all()
    outcome = measure(
        *(source, muxed, "--with", own, "-o", tmp_path / "x.parquet", "--audio-features", "visqol"),
    )
    assert (outcome.code, outcome.stderr.count("\n")) == (1, 1)
    assert "holds the audio features of listener" in outcome.stderr and "--audio-features listener" in outcome.stderr
    assert not (tmp_path / "x.parquet").exists()


def test_the_listener_measures_what_is_there(measure, source, muxed, tmp_path):
    assert measure(source, muxed, "-o", tmp_path / "f.parquet", "--audio-features", "listener").code == 0
    table = read_features(tmp_path / "f.parquet")
    assert table.metadata.audio_feature_version == "listener/1" and "visqol_mos" not in table.frame


def test_video_alone_keeps_what_the_table_says_of_its_audio(
    measure, run_command, make_media, source, tiny_grid, caches, tmp_path
):
    own, silent = tmp_path / "own.parquet", make_media("silent.mp4", "-i", source, *SMALL, "-an")
    words = ("--grid", tiny_grid, "--cache", caches, "--jobs", "1", "--audio-features", "listener")
    assert run_command("extract", source, "-o", own, *words).code == 0
    assert measure(source, silent, "--with", own, "-o", tmp_path / "both.parquet").code == 0
    assert read_features(tmp_path / "both.parquet").of_kind("audio")["audio_spread_mos"].notna().all()


def test_what_a_table_says_of_some_rows_alone_stays(example):
    base = read_features(example)
    title = base.titles()[0]
    rows = base.frame[base.frame["title"] == title].reset_index(drop=True)
    is_video = (rows["kind"] == "video").to_numpy()
    estimated = np.where(is_video, np.cumsum(is_video) % 2.0, np.nan)
    guessed = FeatureTable(rows.assign(estimated=pd.array(estimated, dtype="Int32")), base.metadata)
    mine = rows[is_video & (rows["target"] == rows["target"][is_video].iloc[0])].assign(target="mine")
    both = add_to(guessed, FeatureTable(mine.reset_index(drop=True), base.metadata))
    assert both.frame["estimated"].sum() == guessed.frame["estimated"].sum() > 0
    assert len(both.measured().frame) == len(guessed.measured().frame) + len(mine)
