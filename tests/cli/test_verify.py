"""`abr-alloc verify` as a person runs it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from abr_alloc.measure.video import FRAME_METRICS, measure_video
from abr_alloc.media.part import Part
from abr_alloc.media.probe import probe
from abr_alloc.media.segments import join_segments

WIDE = "rate=90%,avq=4"


@pytest.fixture
def verify(run_command, in_threads):
    def run(folder, *words):
        return run_command("verify", folder, "--jobs", "1", *words)

    return run


@pytest.fixture
def copied(delivered, tmp_path) -> Path:
    """A copy from where the source is not found."""
    return Path(shutil.copytree(delivered, tmp_path / "moved" / "out"))


def document(outcome) -> dict:
    return json.loads(outcome.stdout)


def test_predicted_and_measured_stand_side_by_side(verify, delivered):
    outcome = verify(delivered, "--tolerance", WIDE)
    assert (outcome.code, outcome.stderr) == (0, "")
    rows = [line.split() for line in outcome.stdout.splitlines() if re.match(r" +\d ", line)]
    assert [row[:4] for row in rows] == [
        ["1", "64x36-40k", "aac-32k", "73"],
        ["2", "128x72-100k", "aac-32k", "135"],
        ["3", "128x72-160k", "aac-64k", "228"],
    ]
    for row in rows:
        planned, measured, off = float(row[3]), float(row[4]), float(row[5])
        assert off == pytest.approx(100 * (measured / planned - 1), abs=1)
        assert float(row[9]) - float(row[8]) == pytest.approx(float(row[10]), abs=0.011)
        assert 0 <= float(row[11]) <= 100
    assert "Within the tolerance (rate 90 %, AVQ 4)." in outcome.stdout


def test_every_number_is_in_the_document(verify, delivered):
    found = document(verify(delivered, "--json", "--tolerance", WIDE))
    assert (found["command"], found["path"], found["title"], found["ok"]) == ("verify", str(delivered), "film", True)
    assert found["tolerance"] == {"rate": 0.9, "avq_mos": 4.0}
    for rung in found["rungs"]:
        assert rung["measured_kbps"] == pytest.approx(rung["video_kbps"] + rung["audio_kbps"])
        assert rung["rate_deviation"] == pytest.approx(rung["measured_kbps"] / rung["predicted_kbps"] - 1)
        assert rung["avq_deviation_mos"] == pytest.approx(rung["measured_avq_mos"] - rung["predicted_avq_mos"])
        assert 1.0 <= rung["measured_avq_mos"] <= 5.0
        assert 0.0 <= rung["measured_vmaf"] <= 100.0
        assert rung["ok"]
    assert found["largest_rate_deviation"] == max((r["rate_deviation"] for r in found["rungs"]), key=abs)
    assert found["largest_avq_deviation_mos"] == max((r["avq_deviation_mos"] for r in found["rungs"]), key=abs)
    measured = [rung["measured_avq_mos"] for rung in found["rungs"]]
    assert measured == sorted(measured)  # more of both is better


def test_the_measured_video_is_what_extraction_measures_of_the_joined_file(
    verify, delivered, film, ffmpeg, tmp_path, monkeypatch
):
    """Features are those of `measure_video` on the joined segments: the row of the model's table holds their means."""
    from abr_alloc.delivery import delivered_features

    tables = []
    to_frame = delivered_features.to_frame
    monkeypatch.setattr(delivered_features, "to_frame", lambda rows: tables.append(to_frame(rows)) or tables[-1])
    assert verify(delivered, "--tolerance", WIDE).code == 0
    rows = tables[0][tables[0]["kind"] == "video"].set_index("target")
    name = "video/64x36-40k"
    join_segments(delivered / name, tmp_path / "joined.mp4")
    (tmp_path / "work").mkdir()
    scores = measure_video(ffmpeg, probe(film, ffmpeg), tmp_path / "joined.mp4", Part.whole(312), tmp_path / "work")
    means = dict(zip(FRAME_METRICS, np.mean(scores.values, axis=0), strict=True))
    for feature in ("vif_scale0", "vif_scale3", "adm2", "vmaf"):
        assert rows.loc[name, feature] == pytest.approx(means[feature], rel=1e-6)
    sizes = sum(path.stat().st_size for path in (delivered / name).glob("*.m4s"))
    assert rows.loc[name, "bitrate_kbps"] == pytest.approx(8 * sizes / 13.013 / 1000, rel=0.15)  # without container
    assert set(tables[0][tables[0]["kind"] == "audio"]["target"]) == {"audio/aac-32k", "audio/aac-64k"}


def test_beyond_the_tolerance_is_exit_code_1_and_names_the_rungs(verify, delivered):
    outcome = verify(delivered, "--tolerance", "rate=0.1%,avq=4")
    assert (outcome.code, outcome.stderr) == (1, "")
    assert "Beyond the tolerance (rate 0.1 %, AVQ 4): rung 1" in outcome.stdout
    assert outcome.stdout.splitlines()[4].endswith("!")
    assert max(map(len, outcome.stdout.splitlines())) <= 80
    found = verify(delivered, "--json", "--tolerance", "rate=0.1%,avq=4")
    assert (found.code, document(found)["ok"], document(found)["rungs"][0]["ok"]) == (1, False, False)


def test_avq_beyond_the_tolerance_counts_too(verify, delivered):
    assert verify(delivered, "--tolerance", "rate=90%,avq=0.001").code == 1


@pytest.mark.parametrize(
    ("text", "rate", "avq"),
    [("rate=5%,avq=0.1", 0.05, 0.1), ("avq=.2", 0.05, 0.2), ("rate=0.07", 0.07, 0.1), (" avq=1. , rate=10%", 0.1, 1.0)],
)
def test_a_tolerance_is_read(text, rate, avq, verify, copied):
    assert document(verify(copied, "--json", "--tolerance", text))["tolerance"] == {
        "rate": pytest.approx(rate),
        "avq_mos": avq,
    }


@pytest.mark.parametrize(
    "text", ["", "5%", "rate=", "rate=-5%", "rate=0", "avq=5%", "rate=nan", "rate=5%,rate=6%", "mos=1", "rate=5%;avq=1",
             "avq=" + "9" * 400]
)  # fmt: skip
def test_what_is_no_tolerance_is_a_usage_error(text, verify, delivered):
    outcome = verify(delivered, "--tolerance", text)
    assert outcome.code == 2
    assert "is no tolerance; write rate=5%,avq=0.1, or one of the two" in outcome.error_line()


def test_a_forgotten_percent_sign_is_no_tolerance_of_hundreds_of_percent(verify, delivered):
    outcome = verify(delivered, "--tolerance", "rate=5")
    assert outcome.code == 2
    assert "'rate=5' is 500 % of the rate; did you mean rate=5%?" in outcome.error_line()


# The source.


@pytest.mark.parametrize("instead", ["nothing", "text", "another film"])
def test_without_its_source_rates_alone_are_told(instead, verify, copied, clip):
    place = copied / json.loads((copied / "delivery.json").read_text())["source"]
    place.resolve().parent.mkdir(parents=True, exist_ok=True)
    if instead == "text":
        place.resolve().write_text("film")
    if instead == "another film":
        shutil.copy(clip, place.resolve())
    outcome = verify(copied, "--tolerance", "rate=90%,avq=0.001")
    assert (outcome.code, outcome.stderr) == (0, "")
    told = " ".join(outcome.stdout.split())
    assert "AVQ was not measured: the source does not lie where it was, give it with --source" in told
    assert "Within the tolerance (rate 90 %; AVQ not measured)." in told
    found = document(verify(copied, "--json", "--tolerance", WIDE))
    assert found["largest_avq_deviation_mos"] is None and found["avq_measured"] is False
    assert {rung["measured_avq_mos"] for rung in found["rungs"]} == {None}


def test_a_source_that_has_moved_can_be_given(verify, copied, film, tmp_path):
    shutil.copy(film, tmp_path / "moved.mp4")
    found = document(verify(copied, "--json", "--source", tmp_path / "moved.mp4", "--tolerance", WIDE))
    assert found["largest_avq_deviation_mos"] is not None


def test_another_source_is_refused(verify, delivered, clip):
    outcome = verify(delivered, "--source", clip)
    assert outcome.code == 1
    assert outcome.error_line() == (
        f"error: {clip} is not what {delivered} was encoded from; give that file with --source"
    )


# Folders that are not whole.


def test_a_folder_that_is_no_delivery_is_refused(verify, tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        outcome = verify(folder)
        assert outcome.code == 1
        assert outcome.error_line() == (
            f"error: {folder} holds no delivery.json; give a folder that `abr-alloc encode -o` finished"
        )


def test_a_missing_segment_is_named(verify, copied):
    (copied / "video" / "64x36-40k" / "00002.m4s").unlink()
    outcome = verify(copied)
    assert outcome.code == 1
    assert outcome.error_line().endswith("64x36-40k/00002.m4s is missing; encode the ladder again")


def test_flipped_bits_are_measured_or_refused_but_never_a_traceback(verify, copied, film):
    path = copied / "video" / "128x72-100k" / "00002.m4s"
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 2, len(data), 997):
        data[at] ^= 0xFF
    path.write_bytes(data)
    outcome = verify(copied, "--source", film, "--json", "--tolerance", "rate=90%,avq=0.001")
    if outcome.stdout:
        assert outcome.code == 1
    else:
        assert "128x72-100k" in outcome.error_line()


@pytest.mark.parametrize("model", ["no-such-model", "../../etc", "a\0b", ""], ids=str)
def test_a_model_that_is_not_there_is_told(model, verify, copied, film):
    record = json.loads((copied / "delivery.json").read_text())
    (copied / "delivery.json").write_text(json.dumps(record | {"model": model}))
    outcome = verify(copied, "--source", film, "--tolerance", WIDE)
    if model:
        assert outcome.code == 1
        told = f"the ladder's model {model!r} does not ship; give its checkpoint folder"
        assert ("model holds a NUL character" if "\0" in model else told) in outcome.error_line()
    else:
        assert outcome.code == 0


def test_other_weights_are_noted(verify, copied, film):
    record = json.loads((copied / "delivery.json").read_text())
    (copied / "delivery.json").write_text(json.dumps(record | {"weights_sha256": "0" * 64}))
    outcome = verify(copied, "--source", film, "--tolerance", WIDE)
    assert outcome.code == 0
    assert outcome.stderr.startswith("note: the ladder's AVQ is by other weights (attentive)")


def test_avq_is_measured_on_the_screen_that_the_ladder_was_designed_for(verify, delivered, copied, film):
    """What is promised on phones is measured on phones: the same features, through the map."""
    record = json.loads((copied / "delivery.json").read_text())
    assert "screen" not in record and "phones" not in record  # as folders of before there were screens
    (copied / "delivery.json").write_text(json.dumps(record | {"phones": 1.0}))
    words = ("--json", "--source", film, "--tolerance", WIDE)
    tv, phone = (document(verify(folder, *words)) for folder in (delivered, copied))
    assert (tv.get("screen"), phone["screen"]) == (None, "phone")
    for on_tv, on_phone in zip(tv["rungs"], phone["rungs"], strict=True):
        assert on_phone["measured_avq_mos"] > on_tv["measured_avq_mos"]
        assert on_phone["measured_vmaf"] == on_tv["measured_vmaf"]
    assert "AVQ as planned, on phones." in " ".join(verify(copied, *words[1:]).stdout.split())
