"""`abr-alloc export`: what comes out is read by a reader of its own, and what goes wrong is one line."""

from __future__ import annotations

import copy
import io
import json
from fractions import Fraction
from pathlib import Path

import m3u8
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from mpegdash.parser import MPEGDASHParser

from abr_alloc.exporting.dash import PAIRS_COMMENT
from abr_alloc.formats.ladder_file import read_ladders

FAILURE, USAGE = 1, 2
TITLE = "handheld-toy-rabbit-480p"
SHIPPED = Path(__file__).parents[2] / "ladders" / "titles"
LADDER = SHIPPED / f"{TITLE}.json"
FORMATS = ("hls", "dash", "ffmpeg", "mediaconvert", "shaka-streamer", "csv", "parquet")
ONE_TITLE = FORMATS[:5]


def raise_audio(document):
    """Audio as MediaConvert has it: its stereo AAC begins at 64 kbps."""
    for rung in document["ladders"][0]["rungs"]:
        if rung["audio"]["bitrate_kbps"] < 60:
            rung["audio"] |= {"target": "b=64k", "bitrate_kbps": 64.0}


@pytest.fixture
def export(run_command, tmp_path_factory):
    document = json.loads(LADDER.read_text())
    raise_audio(document)
    raised = tmp_path_factory.mktemp("raised") / LADDER.name
    raised.write_text(json.dumps(document))

    def run(form, *words, ladder=None):
        return run_command("export", ladder or (raised if form == "mediaconvert" else LADDER), "--format", form, *words)

    return run


@pytest.fixture
def edited(tmp_path):
    """A maker of ladder files: `edited(change)`, `change` being a function of the JSON object."""

    def make(change, name="edited.json"):
        document = json.loads(LADDER.read_text())
        change(document)
        path = tmp_path / name
        path.write_text(json.dumps(document))
        return path

    return make


@pytest.fixture
def catalogue(edited):
    """A file of two ladders."""

    def add(document):
        second = json.loads((SHIPPED / "documentary-nasa-jwst-270p.json").read_text())
        document["ladders"] += second["ladders"]
        document["features"]["titles"] |= second["features"]["titles"]

    return edited(add)


def rungs_of(path=LADDER):
    return read_ladders(path)[0].rungs


# HLS and DASH.


def test_the_playlist_template_holds_exactly_the_ladders_pairs(export):
    outcome = export("hls")
    assert (outcome.code, outcome.stderr) == (0, "")
    master = m3u8.loads(outcome.stdout)
    group = {media.group_id: media.uri for media in master.media}
    found = [(p.uri, group[p.stream_info.audio]) for p in master.playlists]
    expected = [
        (
            f"video/{r.video.width_px}x{r.video.height_px}-{r.video.bitrate_kbps:.0f}k/index.m3u8",
            f"audio/aac-{r.audio.target.removeprefix('b=')}/index.m3u8",
        )
        for r in rungs_of()
    ]
    assert found == expected
    assert len(group) == len({rung.audio for rung in rungs_of()})


def test_variants_tell_planned_rates_scores_and_frame_rate(export):
    master = m3u8.loads(export("hls").stdout)
    for playlist, rung in zip(master.playlists, rungs_of(), strict=True):
        info = playlist.stream_info
        assert info.average_bandwidth == pytest.approx(1000 * rung.total_kbps, abs=1)
        assert info.bandwidth == pytest.approx(1020 * (1.5 * rung.video.bitrate_kbps + rung.audio.bitrate_kbps), abs=1)
        assert info.resolution == (rung.video.width_px, rung.video.height_px)
        assert info.frame_rate == 30.0
        assert info.codecs.startswith("avc1.6400") and info.codecs.endswith(",mp4a.40.2")


def test_templates_say_that_rates_are_planned(export):
    for form in ("hls", "dash", "ffmpeg"):
        assert "planned" in export(form).stdout, form


def test_the_manifest_template_holds_every_rendition_once_and_tells_the_pairs(export):
    outcome = export("dash")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert PAIRS_COMMENT in outcome.stdout
    manifest = MPEGDASHParser.parse(outcome.stdout)
    sets = {s.content_type: s.representations for s in manifest.periods[0].adaptation_sets}
    assert len(sets["video"]) == len({rung.video for rung in rungs_of()})
    assert len(sets["audio"]) == len({rung.audio for rung in rungs_of()})
    assert manifest.media_presentation_duration == "PT7.800S"
    assert {r.frame_rate for r in sets["video"]} == {"30"}
    for representation, rung in zip(sets["video"], rungs_of(), strict=True):
        assert representation.bandwidth == pytest.approx(1530 * rung.video.bitrate_kbps, abs=1)


@pytest.mark.parametrize(
    ("fps", "segment_s"), [("25", 6), ("29.97", 180 * Fraction(1001, 30000)), ("12.7", 75 * Fraction(10, 127))]
)
def test_segments_of_a_template_do_not_drift_from_whole_frames(fps, segment_s, export):
    manifest = MPEGDASHParser.parse(export("dash", "--fps", fps).stdout)
    template = manifest.periods[0].adaptation_sets[0].segment_templates[0]
    assert Fraction(template.duration, template.timescale) == segment_s


@pytest.mark.parametrize("form", ["hls", "dash", "ffmpeg", "mediaconvert"])
def test_a_file_holds_what_the_terminal_shows(form, export, tmp_path):
    path = tmp_path / "out"
    outcome = export(form, "-o", path)
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "", "")
    assert path.read_text() == export(form).stdout
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


# Folders and tables.


def test_shaka_streamer_gets_its_three_files(export, tmp_path):
    outcome = export("shaka-streamer", "-o", tmp_path / "made" / "here")
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "", "")
    found = sorted(path.name for path in (tmp_path / "made" / "here").iterdir())
    assert found == ["bitrates.yaml", "input.yaml", "pipeline.yaml"]
    assert yaml.safe_load((tmp_path / "made" / "here" / "pipeline.yaml").read_text())["video_codecs"] == ["h264"]


def test_csv_is_what_the_ladder_command_prints(run_command, example, tmp_path):
    words = ("--network", "lognormal:median=300k,sigma=0.9", "--rungs", "3")
    path = tmp_path / "ladder.json"
    assert run_command("ladder", example, *words, "-o", path).code == 0
    expected = run_command("ladder", example, *words, "--csv").stdout
    assert run_command("export", path, "--format", "csv").stdout == expected
    only = run_command("export", path, "--format", "csv", "--title", "tos-battle-action-332p").stdout
    assert only.splitlines() == [line for line in expected.splitlines() if line.startswith(("title,", "tos-"))]


def test_parquet_has_the_columns_of_the_csv_with_types(export, tmp_path):
    path = tmp_path / "ladder.parquet"
    assert export("parquet", "-o", path).code == 0
    table = pq.read_table(path)
    printed = pd.read_csv(io.StringIO(export("csv").stdout))
    assert table.column_names == list(printed.columns)
    types = {name: str(table.schema.field(name).type).removeprefix("large_") for name in table.column_names}
    assert {types[n] for n in ("rung", "width_px", "height_px", "channels")} == {"int64"}
    assert {types[n] for n in ("video_kbps", "total_kbps", "avq_mos", "played_share")} == {"double"}
    assert {types[n] for n in ("title", "video_codec", "audio_target")} == {"string"}
    assert types["interpolated"] == "bool"
    pd.testing.assert_frame_equal(table.to_pandas(), printed, check_dtype=False, rtol=1e-5)


def test_parquet_of_whole_numbers_has_the_same_types(edited, export, tmp_path):
    def whole(document):
        for rung in document["ladders"][0]["rungs"]:
            rung["audio"]["bitrate_kbps"] = round(rung["audio"]["bitrate_kbps"])
            rung["video"]["bitrate_kbps"] = round(rung["video"]["bitrate_kbps"])

    for name, ladder in (("a.parquet", LADDER), ("b.parquet", edited(whole))):
        assert export("parquet", "-o", tmp_path / name, ladder=ladder).code == 0
    assert pq.read_schema(tmp_path / "a.parquet").equals(pq.read_schema(tmp_path / "b.parquet"))


# Titles.


@pytest.mark.parametrize("form", ONE_TITLE)
def test_one_of_several_ladders_must_be_chosen(form, export, catalogue, tmp_path):
    outcome = export(form, "-o", tmp_path / "out", ladder=catalogue)
    assert outcome.code == USAGE
    assert f"choose with --title: {TITLE}, documentary-nasa-jwst-270p" in outcome.error_line()
    assert not (tmp_path / "out").exists()


def test_tables_take_all_ladders(export, catalogue):
    assert set(pd.read_csv(io.StringIO(export("csv", ladder=catalogue).stdout))["title"]) == {
        TITLE,
        "documentary-nasa-jwst-270p",
    }


def test_a_title_chooses_its_ladder_with_its_frame_rate(export, catalogue):
    text = export("hls", "--title", "documentary-nasa-jwst-270p", ladder=catalogue).stdout
    assert "FRAME-RATE=29.970" in text and "480x270" in text


@pytest.mark.parametrize("form", FORMATS)
def test_a_title_that_is_not_there_is_told_with_those_that_are(form, export, tmp_path):
    outcome = export(form, "--title", "other", "-o", tmp_path / "out")
    assert outcome.code == FAILURE
    assert f"no ladder for 'other'; it has {TITLE}" in outcome.error_line()


def test_a_shared_ladder_is_planned_for_the_largest_frame_rate(run_command, example, tmp_path):
    path = tmp_path / "shared.json"
    assert run_command("ladder", example, "--shared", "-o", path).code == 0
    assert "FRAME-RATE=30.000" in run_command("export", path, "--format", "hls").stdout
    outcome = run_command("export", path, "--format", "dash")
    assert outcome.code == FAILURE and "--duration" in outcome.error_line()
    assert 'Duration="PT60.000S"' in run_command("export", path, "--format", "dash", "--duration", "1min").stdout


# Files of before, damaged files, files that do not mean well.


def forget(document):
    del document["features"]["titles"]


@pytest.mark.parametrize("form", ONE_TITLE)
def test_a_file_without_frame_rate_asks_for_it(form, edited, export, tmp_path):
    outcome = export(form, "-o", tmp_path / "out", ladder=edited(forget))
    assert outcome.code == FAILURE
    assert "--fps" in outcome.error_line()
    assert not (tmp_path / "out").exists()


def test_options_stand_in_for_what_a_file_does_not_say(edited, export):
    path = edited(forget)
    assert "FRAME-RATE=24.000" in export("hls", "--fps", "24", ladder=path).stdout
    outcome = export("dash", "--fps", "24", ladder=path)
    assert outcome.code == FAILURE and "--duration" in outcome.error_line()
    assert 'Duration="PT90.000S"' in export("dash", "--fps", "24", "--duration", "90s", ladder=path).stdout


@pytest.mark.parametrize(
    ("text", "fps"), [("25", "25"), ("23.976", "24000/1001"), ("59.94", "60000/1001"), ("12.5", "25/2"), ("24", "24")]
)
def test_a_frame_rate_is_read_as_it_is_meant(text, fps, export):
    assert f'frameRate="{fps}"' in export("dash", "--fps", text).stdout


@pytest.mark.parametrize("text", ["0", "-24", "nan", "24/0", "fast", "1e9"])
def test_what_is_no_frame_rate_is_refused(text, export):
    outcome = export("hls", "--fps", text)
    assert outcome.code == USAGE
    assert "frame rate" in outcome.error_line()


EVIL = 'x\ntouch pwned\n--> <evil/> "\u2028#EXT-X-ENDLIST\nEND_OF_PLAYLIST\n- : ['


def test_a_title_changes_nothing_but_its_comment(edited, export, tmp_path):
    def rename(document):
        document["ladders"][0]["title"] = EVIL
        document["features"]["titles"] = {EVIL: document["features"]["titles"][TITLE]}

    def rename_raised(document):
        rename(document)
        raise_audio(document)

    path = edited(rename)
    paths = dict.fromkeys(("hls", "dash", "ffmpeg"), path) | {"mediaconvert": edited(rename_raised, "raised.json")}
    words = {form: (export(form, ladder=own), export(form)) for form, own in paths.items()}
    for form, (evil, plain) in words.items():
        assert (evil.code, evil.stderr) == (0, ""), form
        changed = set(evil.stdout.splitlines()) - set(plain.stdout.splitlines())
        assert len(changed) == (0 if form == "mediaconvert" else 1), form
        assert all(line.lstrip().startswith(("# ", "<!-- ")) for line in changed), form
    MPEGDASHParser.parse(words["dash"][0].stdout)
    assert export("shaka-streamer", "-o", tmp_path / "s", ladder=path).code == 0
    for file in (tmp_path / "s").iterdir():
        assert isinstance(yaml.safe_load(file.read_text()), dict)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("video", "codec"), "h264; rm -rf ."),
        (("video", "codec"), ["h264"]),
        (("video", "target"), "b=900k;reboot"),
        (("video", "target"), 5),
        (("video", "width_px"), 1e300),
        (("video", "bitrate_kbps"), 1e308),
        (("audio", "codec"), "../../aac"),
        (("audio", "target"), "b=$(reboot)"),
        (("audio", "channels"), 2.5),
        (("audio", "channels"), None),
        (("audio", "channels"), 100),
    ],
)
@pytest.mark.parametrize("form", ONE_TITLE)
def test_values_that_no_ladder_can_hold_are_refused_in_one_line(form, where, value, edited, export, tmp_path):
    def spoil(document):
        kind, name = where
        document["ladders"][0]["rungs"][0][kind][name] = value

    outcome = export(form, "-o", tmp_path / "out", ladder=edited(spoil))
    assert outcome.code == FAILURE
    outcome.error_line()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", ["much", -1, 2, True])
def test_an_overhead_that_is_none_is_refused(value, edited, export):
    def spoil(document):
        document["options"]["overhead"] = value

    outcome = export("hls", ladder=edited(spoil))
    assert outcome.code == FAILURE
    assert "overhead" in outcome.error_line()


def test_a_title_that_is_no_text_is_refused(edited, export):
    outcome = export("hls", ladder=edited(lambda document: document["ladders"][0].update(title=7)))
    assert outcome.code == FAILURE
    assert "ladders[0].title: expected str" in outcome.error_line()


# Usage.


@pytest.mark.parametrize(("form", "what"), [("parquet", "file"), ("shaka-streamer", "folder")])
def test_what_is_not_for_the_terminal_asks_for_a_place(form, what, export):
    outcome = export(form)
    assert outcome.code == USAGE
    assert f"name a {what} with -o" in outcome.error_line()


@pytest.mark.parametrize("form", FORMATS)
def test_no_format_overwrites_its_ladder_file(form, edited, export):
    path = edited(lambda document: None)
    before = copy.copy(path.read_bytes())
    outcome = export(form, "-o", path, ladder=path)
    assert outcome.code == USAGE
    outcome.error_line()
    assert path.read_bytes() == before


@pytest.mark.parametrize("form", FORMATS)
def test_a_missing_ladder_file_is_named(form, export, tmp_path):
    outcome = export(form, "-o", tmp_path / "out", ladder=tmp_path / "missing.json")
    assert outcome.code == FAILURE
    assert "missing.json does not exist" in outcome.error_line()


def test_a_codec_that_a_format_does_not_take_is_refused(edited, export):
    def change(document):
        for rung in document["ladders"][0]["rungs"]:
            rung["audio"]["codec"] = "opus"

    outcome = export("mediaconvert", ladder=edited(change))
    assert outcome.code == FAILURE
    assert "not opus" in outcome.error_line()
