"""`abr-alloc extract` as a person runs it."""

from __future__ import annotations

import json
import shutil

import pytest

from abr_alloc.table.table import read_features

# Else most of the time goes into starting workers; tests/measure and tests/workers start them.
pytestmark = pytest.mark.usefixtures("in_threads")


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    """A folder whose cache the tests of this file share."""
    return tmp_path_factory.mktemp("shared") / "cache"


@pytest.fixture
def extract(run_command, tiny_grid, caches):
    def run(*words):
        return run_command("extract", *words, "--grid", tiny_grid, "--cache", caches, "--jobs", "1")

    return run


def test_a_table_is_written_and_counted_in_one_line(extract, clip, tmp_path):
    output = tmp_path / "features.parquet"
    outcome = extract(clip, "-o", output)
    assert (outcome.code, outcome.stdout) == (0, "")
    assert outcome.stderr == f"{output}: 1 titles, 1 scenes, 2 video and 1 audio rows\n"
    assert len(read_features(output).frame) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["features.parquet"]


def test_a_second_run_writes_the_same_bytes_over_the_first(extract, clip, tmp_path):
    extract(clip, "-o", tmp_path / "first.parquet")
    extract(clip, "-o", tmp_path / "second.parquet")
    extract(clip, "-o", tmp_path / "second.parquet")
    assert (tmp_path / "first.parquet").read_bytes() == (tmp_path / "second.parquet").read_bytes()


def test_max_scene_and_whole_choose_the_scenes(extract, clip, tmp_path):
    outcome = extract(clip, "-o", tmp_path / "f.parquet", "--whole", "--max-scene", "1s")
    assert outcome.code == 0
    spans = read_features(tmp_path / "f.parquet").frame[["start_s", "end_s"]].drop_duplicates()
    assert spans.values.tolist() == [[0, 1], [1, 2]]


def test_audio_only_measures_no_video(extract, clip, tmp_path):
    assert extract(clip, "-o", tmp_path / "f.parquet", "--audio-only").code == 0
    assert set(read_features(tmp_path / "f.parquet").frame["kind"]) == {"audio"}


def test_the_listener_hears_for_who_asks_and_plans_say_which_model_reads_it(extract, run_command, clip, tmp_path):
    output = tmp_path / "f.parquet"
    assert extract(clip, "-o", output, "--audio-features", "listener").code == 0
    table = read_features(output)
    assert table.metadata.audio_feature_version == "listener/1"
    assert table.of_kind("audio")["audio_spread_mos"].notna().all()
    outcome = run_command("plan", output, "--budget", "300k", "--model", "attentive")
    assert (outcome.code, outcome.stdout, outcome.stderr.count("\n")) == (1, "", 1)
    assert "reads the audio features visqol_v3_lrms/1 (visqol) and the table holds listener/1" in outcome.stderr
    assert "extract again with --audio-features visqol, or choose a --model" in outcome.stderr
    assert run_command("plan", output, "--budget", "300k", "--model", "live-sjtu").code == 0
    assert extract(clip, "-o", output, "--audio-features", "visqol").code == 0
    assert read_features(output).metadata.audio_feature_version == "visqol_v3_lrms/1"
    outcome = extract(clip, "-o", output, "--audio-features", "peaq")
    assert outcome.code == 2 and "'visqol', 'listener'" in outcome.stderr


def test_sources_are_only_read(extract, clip, tmp_path):
    source = tmp_path / "source.mp4"
    shutil.copy(clip, source)
    source.chmod(0o400)
    assert extract(source, "-o", tmp_path / "f.parquet").code == 0
    assert source.read_bytes() == clip.read_bytes()


@pytest.mark.parametrize(
    "name", ["with space & 'quotes'.mp4", "-dash.mp4", "co:lon.mp4", "per%03dcent.mp4", "ü[1]*.mp4"]
)
def test_any_file_name_will_do(name, run_command, clip, tiny_grid, caches, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(clip, name)
    outcome = run_command(
        *("extract", "-o", "f.parquet", "--grid", tiny_grid, "--cache", caches, "--jobs", "1", "--", name)
    )
    assert (outcome.code, outcome.stdout) == (0, "")
    assert set(read_features("f.parquet").frame["title"]) == {name.removesuffix(".mp4")}


@pytest.mark.parametrize("name", ["cache", "-dash", "co:lon", "per%dcent and space"])
def test_any_place_for_the_cache_will_do(name, run_command, clip, tiny_grid, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = run_command(*("extract", clip, "-o", "f.parquet", "--grid", tiny_grid, f"--cache={name}", "--jobs", "1"))
    assert outcome.stderr == "f.parquet: 1 titles, 1 scenes, 2 video and 1 audio rows\n"
    assert outcome.code == 0


def test_the_shipped_quick_grid_serves(run_command, clip, tmp_path):
    output = tmp_path / "features.parquet"
    outcome = run_command(
        "extract", clip, "-o", output, "--grid", "quick", "--cache", tmp_path / "cache", "--jobs", "2"
    )
    assert outcome.code == 0
    frame = read_features(output).frame
    video, audio = frame[frame["kind"] == "video"], frame[frame["kind"] == "audio"]
    assert sorted(video["target"]) == ["crf=22", "crf=30", "crf=40"]  # 96x64 has no smaller size to probe
    assert sorted(audio["target"]) == ["b=128k", "b=32k", "b=64k"]
    assert video.sort_values("target")["bitrate_kbps"].is_monotonic_decreasing
    assert video.sort_values("target")["vmaf"].is_monotonic_decreasing


def test_debug_shows_the_traceback(run_command, tmp_path, capfd, monkeypatch):
    import sys

    from abr_alloc.cli import main
    from abr_alloc.errors import UnsupportedMediaError

    monkeypatch.setattr(
        sys, "argv", ["abr-alloc", "--debug", "extract", str(tmp_path / "none.mp4"), "-o", str(tmp_path / "f.parquet")]
    )
    with pytest.raises(UnsupportedMediaError):
        main()


def test_what_fails_is_told_in_a_table_and_the_rest_is_written(extract, clip, tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("not media\n")
    output = tmp_path / "features.parquet"
    outcome = extract(clip, text, "-o", output)
    assert outcome.code == 1
    failed, last = outcome.stderr.splitlines()[-2:]
    assert failed == f"failed: notes  {text} is text, not media; give a media file"
    assert last.startswith("error: 1 of 2 titles failed (notes); the others are measured")
    assert set(read_features(output).frame["title"]) == {"clip"}


def test_a_folder_gets_a_table_per_title(extract, clip, tmp_path):
    shutil.copy(clip, tmp_path / "other.mp4")
    (tmp_path / "tables").mkdir()
    outcome = extract(clip, tmp_path / "other.mp4", "-o", tmp_path / "tables")
    assert outcome.code == 0
    assert outcome.stderr.endswith("tables: 2 titles, 2 scenes, 4 video and 2 audio rows\n")
    titles = {path.name: set(read_features(path).frame["title"]) for path in (tmp_path / "tables").iterdir()}
    assert titles == {"clip.parquet": {"clip"}, "other.parquet": {"other"}}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--digest", "4s", "--full"), "--digest and --full exclude each other"),
        (("--digest", "4s", "--whole"), "--digest and --whole exclude each other"),
        (("--digest", "4s", "--audio-only"), "--digest and --audio-only exclude each other"),
        (("--probes", "auto", "--audio-only"), "--probes auto chooses video renditions"),
        (("--model", "attentive", "--probes", "all"), "--model is for --probes auto"),
        (("-o", "f.csv"), "f.csv is a feature table, which is Parquet"),
    ],
)
def test_options_that_contradict_each_other_are_refused(extract, clip, tmp_path, words, told):
    outcome = extract(clip, "-o", tmp_path / "f.parquet", *words)
    assert outcome.code == 2
    assert told in outcome.stderr
    assert not (tmp_path / "f.parquet").exists()


def test_a_digest_and_chosen_probes_make_a_ladder_that_says_what_its_scenes_stand_for(
    run_command, make_media, caches, tmp_path
):
    halves = [f"lavfi:testsrc2=size=160x90:rate=12:duration=3,hue=h={hue}" for hue in (0, 90)]
    film = make_media(
        "two.mp4", *halves, "lavfi:anoisesrc=r=48000:d=6:a=0.2:seed=7",
        *("-filter_complex", "[0:v:0][1:v:0]concat=n=2:v=1:a=0[v]", "-map", "[v]", "-map", "2:a"),
        *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"),
    )  # fmt: skip
    grid = tmp_path / "grid.toml"
    grid.write_text('[video]\nsizes = [60]\n[video.crf]\nh264 = [20, 26, 32, 38, 44]\n[audio]\naac = ["48k"]\n')
    table, ladder = tmp_path / "f.parquet", tmp_path / "ladder.json"
    words = (film, "-o", table, "--grid", grid, "--cache", caches, "--digest", "3s", "--probes", "auto", "--jobs", "1")
    outcome = run_command("extract", *words)
    assert outcome.code == 0, outcome.stderr
    assert "; 1 measured as a digest (--full: all of them)" in outcome.stderr
    features = read_features(table)
    (within_mos,) = features.metadata.within_mos.values()
    assert f"AVQ within {within_mos:.2f} MOS of the measured one, 95 %" in outcome.stderr
    assert len(features.of_kind("video")[["height_px", "target"]].drop_duplicates()) == 10
    assert 3 <= len(features.measured().of_kind("video")[["height_px", "target"]].drop_duplicates()) <= 4
    plan = run_command("plan", table, "--budget", "2000k")
    assert "Measured as a digest" in plan.stdout
    bound = f"{within_mos:.2f} MOS of what the whole grid gives"
    assert bound in " ".join(plan.stdout.split())
    designed = run_command("ladder", table, "--rungs", "1", "-o", ladder)
    assert designed.code == 0
    assert "Measured as a digest" in designed.stdout
    assert bound in " ".join(designed.stdout.split())
    page = tmp_path / "report.html"
    assert run_command("report", table, "--ladder", ladder, "-o", page).code == 0
    assert "Measured as a digest" in page.read_text(encoding="utf-8")
    assert bound in page.read_text(encoding="utf-8")
    (title,) = json.loads(ladder.read_text())["features"]["titles"].values()
    assert sum(title["weights_s"]) == pytest.approx(6.0)
    assert len(title["weights_s"]) == len(title["scenes_s"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), (60.0, 40.0, 120.0)),
        (("--full",), (60.0, None, 120.0)),
        (("--digest", "4s"), (60.0, 4.0, 4.0)),
        (("--max-scene", "10s"), (10.0, 40.0, 120.0)),
        (("--whole",), (None, None, 120.0)),
        (("--audio-only",), (60.0, None, 120.0)),
    ],
)
def test_scenes_are_cut_at_a_minute_and_titles_over_two_are_measured_in_part(
    extract, clip, tmp_path, monkeypatch, words, expected
):
    asked = []
    monkeypatch.setattr(
        "abr_alloc.runs.extract_run.extract_titles", lambda s, f, c, options, w: asked.append(options) or ()
    )
    extract(clip, "-o", tmp_path / "f.parquet", *words)
    (options,) = asked
    assert (options.max_scene_s, options.digest_s, options.digest_above_s) == expected
