"""`abr-alloc audit` as an encoding engineer runs it: a ladder that is shipped, on the example's titles."""

from __future__ import annotations

import io
import json
import re
import shutil

import pandas as pd
import pytest

import abr_alloc
from abr_alloc.errors import LadderFormatError
from abr_alloc.packages.reader import read_package
from abr_alloc.runs.shipped_ladders import read_shipped
from abr_alloc.table.table import FeatureTable, read_features, write_features

FAILURE, USAGE = 1, 2
TITLE = "documentary-nasa-jwst-270p"
HEAD = "video_codec,width_px,height_px,video_kbps,audio_codec,audio_kbps"
SHIPPED = f"""{HEAD}
h264,426,240,25k,aac,128k
h264,480,270,60k,aac,128k
h264,480,270,115k,aac,128k
h264,480,270,230k,aac,192k
h264,1920,1080,5M,aac,192k
"""
NETWORK = ("--network", "lognormal:median=300k,sigma=0.9")


@pytest.fixture
def shipped(tmp_path):
    path = tmp_path / "shipped.csv"
    path.write_text(SHIPPED)
    return path


@pytest.fixture
def audit(run_command, example):
    def run(ladder, *words, features=example):
        return run_command("audit", features, "--ladder", ladder, *NETWORK, *words)

    return run


@pytest.fixture(scope="module")
def package(ffmpeg, tmp_path_factory):
    """Two sizes and two audio rates, the poor audio beside the large picture."""
    folder = tmp_path_factory.mktemp("package")
    sources = ("-f", "lavfi", "-i", "testsrc2=size=480x270:rate=12:duration=2")
    sources += ("-f", "lavfi", "-i", "aevalsrc=0.3*sin(2*PI*440*t)|0.2*sin(2*PI*660*t):s=48000:d=2")
    streams = ("-map", "0:v", "-map", "0:v", "-map", "1:a", "-map", "1:a", "-c:v", "libx264", "-preset", "ultrafast")
    sizes = ("-s:v:0", "426x240", "-b:v:0", "60k", "-s:v:1", "480x270", "-b:v:1", "300k", "-pix_fmt", "yuv420p")
    hls = ("-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4", "-g", "12")
    names = "v:0,agroup:hi,name:v240 v:1,agroup:lo,name:v270 a:0,agroup:lo,name:a32 a:1,agroup:hi,name:a128"
    sound = ("-c:a", "aac", "-b:a:0", "32k", "-b:a:1", "128k")
    place = ("-master_pl_name", "master.m3u8", "-var_stream_map", names, folder / "%v.m3u8")
    ffmpeg.run([*sources, *streams, *sizes, *sound, *hls, *place])
    return folder / "master.m3u8"


@pytest.fixture(scope="module")
def measured(example, tmp_path_factory):
    """Rows of the example under the labels of the package: what a measurement of it would look like."""
    table = read_features(example)
    frame = table.frame[table.frame["title"] == TITLE].copy()
    labels = {("crf=38", 240): "v240", ("crf=18", 270): "v270", ("b=32k", None): "a32", ("b=128k", None): "a128"}
    for (target, height), label in labels.items():
        of = (frame["target"] == target) & (True if height is None else frame["height_px"] == height)
        frame.loc[of, "target"] = label
    path = tmp_path_factory.mktemp("measured") / "measured.parquet"
    kept = frame[frame["target"].isin(list(labels.values()))].reset_index(drop=True)
    write_features(FeatureTable.checked(kept, table.metadata), path)
    return path


def test_the_text_judges_every_rung_and_says_what_to_do(audit, shipped) -> None:
    outcome = audit(shipped, "--title", TITLE)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert all(len(line) <= 80 for line in outcome.stdout.splitlines())
    text = " ".join(outcome.stdout.split())
    assert re.search(rf"{TITLE}: shipped.csv, 4 rungs in h264 and aac, expected AVQ \d\.\d{{3}} at \d+ kbps", text)
    assert len(re.findall(r"^ +\d +\d+x\d+ ~\d+k ", outcome.stdout, re.MULTILINE)) == 4, "~ marks what is interpolated"
    (verdicts,) = re.findall(r"audio for the rate: (.*?) - ", text)
    told = re.findall(r"(right|too much|too little) on rungs? (\d)", verdicts)
    assert sorted(number for _, number in told) == ["1", "2", "3", "4"], "every rung's audio, also where it is right"
    assert {number for verdict, number in told if verdict == "too much"} == {"1", "2", "4"}
    assert "left out, 1080p is larger than the source (270p): line 6" in text
    assert "All of the above is of the other 4 of 5 rungs." in text
    assert "- With new audio alone, the videos as they are: rung" in text
    assert "*: smaller than 0.36 MOS, below which the model cannot tell two pairs apart" in text


def test_json_and_rows_say_the_same_as_python(audit, shipped, example, tmp_path) -> None:
    words = ("--title", TITLE, "--cost", "storage=0.02,delivery=0.05", "--views", "1000")
    document = json.loads(audit(shipped, *words, "--json").stdout)
    assert (document["schema_version"], document["command"], document["failed"]) == (1, "audit", [])
    (found,) = document["audits"]
    (family,) = found["families"]
    assert (found["title"], found["ladder"], len(family["rungs"]), len(found["unmatched"])) == (
        TITLE,
        "shipped.csv",
        4,
        1,
    )
    assert family["cost"]["delivery"] == pytest.approx(sum(r["cost"]["delivery"] for r in family["rungs"]))
    rows = pd.read_csv(io.StringIO(audit(shipped, *words, "--csv").stdout))
    assert rows["avq_mos"].tolist() == pytest.approx([r["avq_mos"] for r in family["rungs"]], rel=1e-5)
    assert rows["place"].tolist() == [r["place"] for r in family["rungs"]]
    table = read_features(example)
    own = FeatureTable.checked(table.frame[table.frame["title"] == TITLE].reset_index(drop=True), table.metadata)
    audits = abr_alloc.audit(own, shipped, NETWORK[1])
    assert audits[0].families[0].ladder.expected_avq_mos == family["expected_avq_mos"]
    assert "Expected AVQ of the audience" in repr(audits) and "<table" in audits._repr_html_()
    output = tmp_path / "rows.parquet"
    assert audit(shipped, *words, "-o", output).code == 0
    assert pd.read_parquet(output)["total_kbps"].tolist() == [r["total_kbps"] for r in family["rungs"]]


def test_its_own_ladder_needs_little(run_command, audit, example, tmp_path) -> None:
    """What `ladder` designs cannot be paired or designed better under the same rules."""
    ladder = tmp_path / "ladder.json"
    assert run_command("ladder", example, "--title", TITLE, *NETWORK, "--rungs", "4", "-o", ladder).code == 0
    (found,) = json.loads(audit(ladder, "--title", TITLE, "--json").stdout)["audits"]
    (family,) = found["families"]
    assert family["keeps_rules"] and not found["unmatched"]
    assert abs(family["redesigned"]["gain_mos"]) < 1e-6
    assert family["cheapest"]["saved_kbps"] < 1.0
    assert all(r["dominated_by"] is None for r in family["rungs"])


def test_titles_come_by_what_could_be_won_and_one_that_fails_does_not_end_the_others(audit, shipped, tmp_path) -> None:
    outcome = audit(shipped)
    assert outcome.code == FAILURE, "as where a source of several cannot be measured"
    lines = outcome.stdout.splitlines()
    table = [line.split() for line in lines if re.match(r"\S+ +\d+ +\d+ +\d\.\d{3} +\d+ ", line)]
    known = [float(words[6]) for words in table if int(words[2]) <= int(words[1])]
    assert len(table) == 4 and known == sorted(known, reverse=True)
    failed = [line for line in outcome.stderr.splitlines() if "no rung of shipped.csv has a place" in line]
    assert len(failed) == 5 - len(table)
    only = tmp_path / "only.csv"
    only.write_text("title," + SHIPPED.replace("\nh264", f"\n{TITLE},h264"))
    outcome = audit(only)
    assert outcome.code == FAILURE and TITLE in outcome.stdout
    assert "bbb-rabbit-wakes-720p: only.csv has no ladder for title 'bbb-rabbit-wakes-720p'" in outcome.stderr


def test_a_catalogue_is_written_as_it_comes(audit, shipped, example, tmp_path) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    table = read_features(example)
    for title in (TITLE, "tos-battle-action-332p"):
        own = table.frame[table.frame["title"] == title].reset_index(drop=True)
        write_features(FeatureTable.checked(own, table.metadata), tables / f"{title}.parquet")
    output = tmp_path / "rows.csv"
    outcome = audit(shipped, "-o", output, features=tables)
    assert outcome.code == 0 and "could" in outcome.stdout
    assert set(pd.read_csv(output)["title"]) == {TITLE, "tos-battle-action-332p"}


def test_a_package_is_judged_by_its_labels_and_paired_anew_without_any_encode(
    audit, package, measured, tmp_path
) -> None:
    new = tmp_path / "new.m3u8"
    outcome = audit(package, "--json", "--write-master", new, features=measured)
    assert outcome.code == 0 and "2 variants with other audio, 0 left out" in outcome.stderr
    (found,) = json.loads(outcome.stdout)["audits"]
    (family,) = found["families"]
    assert [(r["how"], r["video"]["target"], r["audio"]["target"]) for r in family["rungs"]] == [
        ("measured", "v240", "a128"),
        ("measured", "v270", "a32"),
    ]
    assert family["advice"][0]["kind"] == "pair"
    written = read_package(new, within=new.parents[-2])
    pairs = {variant.video.rpartition("_")[2]: variant.audio.rpartition("_")[2] for variant in written.variants}
    assert pairs == {"v240": "a32", "v270": "a128"}
    for variant in written.variants:
        assert variant.declared_peak_kbps == pytest.approx(variant.peak_kbps, abs=0.001)
    old = read_package(package)
    assert {s.size_bytes for s in written.streams} == {s.size_bytes for s in old.streams}, "the same segments"
    again = audit(package, "--write-master", new, "-q", features=measured)
    assert again.code == 0, "its own file may be replaced"
    nested = new.parent / "nested" / "master.m3u8"
    nested.parent.mkdir()
    nested.write_text(re.sub(r'(^|URI=")([^#\n"]+\.m3u8)', r"\1../\2", new.read_text(), flags=re.MULTILINE))
    shut = audit(nested, features=measured)
    assert shut.code == FAILURE and "allow a folder above it with --within" in shut.stderr
    best = audit(nested, "--within", new.parents[-2], "--write-master", nested.parent / "b.m3u8", features=measured)
    assert best.code == FAILURE and "paired as well as they can be, so nothing is written; " in best.stderr


def test_from_media_the_package_is_measured_and_what_is_of_another_title_is_left_out_by_content(
    audit, in_threads, make_media, ffmpeg, listener_model, tmp_path
) -> None:
    """The stream of another title has the size, the length and about the rate of a rung."""
    sound = "lavfi:aevalsrc='0.3*sin(2*PI*(200+150*t)*t)+0.1*sin(2*PI*2000*t)*sin(9*t*t)':s=48000:d=3"
    picture = "lavfi:testsrc2=size=192x108:rate=24:duration=3"
    lossless = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le")
    film = make_media("film.mkv", picture, sound, *lossless)
    other = make_media("other.mkv", "lavfi:mandelbrot=size=192x108:rate=24", "-t", "3", *lossless)
    coded = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-b:v:0", "300k", "-crf:v:1", "32")
    names = "v:0,agroup:a,name:good v:1,agroup:a,name:other a:0,agroup:a,name:sound"
    hls = ("-f", "hls", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4", "-master_pl_name", "master.m3u8")
    maps = ("-map", "0:v", "-map", "1:v", "-map", "0:a", "-c:a", "aac", "-b:a", "64k", "-var_stream_map", names)
    ffmpeg.run(["-i", film, "-i", other, *coded, *maps, *hls, tmp_path / "%v.m3u8"])
    words = ("--cache", tmp_path / "cache", "--jobs", "1", "--json", "-q")
    outcome = audit(tmp_path / "master.m3u8", *words, features=film)
    assert outcome.code == 0, outcome.stderr
    (found,) = json.loads(outcome.stdout)["audits"]
    (rung,) = found["families"][0]["rungs"]
    assert (rung["how"], rung["audio_how"], rung["video"]["target"]) == ("measured", "measured", "good")
    (left,) = found["unmatched"]
    assert "not of this source" in left["reason"]
    outcome = audit(tmp_path / "master.m3u8", *words, "--model", listener_model, features=film)
    assert outcome.code == 0, outcome.stderr  # heard by the family that the model reads


def test_nothing_of_somebody_elses_is_written_over(audit, package, measured, tmp_path) -> None:
    before = package.read_bytes()
    theirs = tmp_path / "theirs.m3u8"
    shutil.copy(package, theirs)
    for place in (package, theirs):
        outcome = audit(package, "--write-master", place, features=measured)
        assert outcome.code in (FAILURE, USAGE) and "choose another name" in outcome.stderr
    assert package.read_bytes() == theirs.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        (f"{HEAD}\n", "has no rungs"),
        (f"{HEAD}\nh264,480,270,fast,aac,128k\n", "line 2: video_kbps: 'fast' is not a bitrate"),
        (f"{HEAD}\nav1,480,270,100k,aac,128k\n", "line 2: the table has no av1 video (it has h264)"),
        (f"{HEAD}\nh264,480,270,100k,opus,128k\n", "line 2: the table has no opus audio (it has aac)"),
    ],
)
def test_a_ladder_that_cannot_be_judged_is_told_in_one_line(audit, tmp_path, text, told) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    outcome = audit(path, "--title", TITLE)
    assert (outcome.code, outcome.stdout) == (FAILURE, "")
    assert told in outcome.stderr and outcome.stderr.count("\n") == 1


def test_an_encrypted_package_a_missing_ladder_and_a_film_without_encodes_are_refused(
    audit, package, measured, clip, shipped, tmp_path
) -> None:
    locked = tmp_path / "locked"
    shutil.copytree(package.parent, locked)
    playlist = locked / "v240.m3u8"
    playlist.write_text(playlist.read_text().replace("#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXTINF', 1))
    outcome = audit(locked / "master.m3u8", features=measured)
    assert outcome.code == FAILURE and "encrypted" in outcome.stderr
    assert "does not exist" in audit(tmp_path / "none.json").stderr
    outcome = audit(shipped, features=clip)
    assert outcome.code == FAILURE and "holds no encodes that could be measured" in outcome.stderr


def test_a_folder_has_a_ladder_per_title(shipped, package, tmp_path) -> None:
    folder = tmp_path / "ladders"
    folder.mkdir()
    with pytest.raises(LadderFormatError, match="holds no ladder"):
        read_shipped(folder)
    shutil.copy(shipped, folder / "a.csv")
    shutil.copytree(package.parent, folder / "b")
    found = read_shipped(folder)
    assert len(found.of("a").rungs) == 5 and len(found.of("b.mp4").rungs) == 2
    with pytest.raises(LadderFormatError, match="no ladder for title 'c'; it has a, b"):
        found.of("c")
