"""Several ladders of one title are one delivery: SDR beside HDR from the measurement to the playlists."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
import pytest

from abr_alloc.allocation.rendition import AudioRendition
from abr_alloc.allocation.rung import SurroundAtRung
from abr_alloc.delivery.chosen_ladder import choose_ladder
from abr_alloc.delivery.ladder_union import join_ladders
from abr_alloc.delivery.order import check_ranges
from abr_alloc.encoders import default_encoder
from abr_alloc.errors import DeliveryError
from abr_alloc.media.segments import join_segments

GRID = """
[video]
sizes = [54]
[video.crf]
h264 = [18, 34]
hevc = [18, 34]
[audio]
codecs = ["aac"]
aac = ["48k", "96k"]
"""
LIGHT = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=987,321"


def chosen(path: Path, **changes):
    return dataclasses.replace(choose_ladder(path, Path("film.mp4"), "a"), **changes)


def test_rungs_of_all_are_delivered_once_and_audio_that_they_share_is_one(write_ladder) -> None:
    one = chosen(write_ladder("hevc 64x36 40 + aac 32", "hevc 128x72 100 + aac 64", hashes={"film": "a"}))
    other = chosen(write_ladder("64x36 60 + aac 32", "128x72 140 + aac 64", hashes={"film": "a"}))
    found = join_ladders([one, other, one]).ladder
    assert [r.video.codec for r in found.rungs] == ["hevc", "hevc", "h264", "h264"]
    assert len({r.audio for r in found.rungs}) == 2
    assert join_ladders([one]) is one


def test_surround_that_ladders_share_is_one_though_it_was_measured_twice(write_ladder) -> None:
    def with_surround(path: Path, kbps: float):
        audio = AudioRendition(codec="eac3", channels=6, target="b=192k", bitrate_kbps=kbps)
        own = {"total_kbps": 300.0, "avq_mos": 3.0, "interval_mos": (2.5, 3.5), "played_share": 0.2}
        ladder = chosen(path).ladder
        rungs = tuple(dataclasses.replace(r, surround=SurroundAtRung(audio=audio, **own)) for r in ladder.rungs)
        return chosen(path, ladder=dataclasses.replace(ladder, rungs=rungs))

    one = with_surround(write_ladder("hevc 64x36 40 + aac 32", hashes={"film": "a"}), 192.0)
    other = with_surround(write_ladder("av1 64x36 30 + aac 32", hashes={"film": "a"}), 191.9)
    found = join_ladders([one, other]).ladder
    assert len({r.surround.audio for r in found.rungs}) == 1 < len(found.rungs)


def test_ladders_for_other_audiences_are_not_joined(write_ladder) -> None:
    one = chosen(write_ladder("64x36 40 + aac 32", hashes={"film": "a"}))
    with pytest.raises(DeliveryError, match="with 0 and 60 % of phones; design them with one `phones`"):
        join_ladders([one, dataclasses.replace(one, phones=0.6)])


def test_ladders_that_contradict_each_other_are_refused(write_ladder) -> None:
    one = chosen(write_ladder("64x36 40 + aac 32", hashes={"film": "a"}))
    with pytest.raises(DeliveryError, match="different ways, bt2390 and clip; extract both with one `tone_map`"):
        join_ladders([dataclasses.replace(one, tone_map="bt2390"), dataclasses.replace(one, tone_map="clip")])
    with pytest.raises(DeliveryError, match="by the models attentive and other"):
        join_ladders([one, dataclasses.replace(one, model="other", weights_sha256="b")])
    slow, fast = ({"h264": default_encoder("h264", preset)} for preset in ("slow", "fast"))
    with pytest.raises(DeliveryError, match="different encoders by 'h264'"):
        join_ladders([dataclasses.replace(one, encoders=slow), dataclasses.replace(one, encoders=fast)])


@pytest.fixture(scope="module")
def hdr_film(make_media) -> Path:
    """2 s of PQ with metadata: a ramp over all code values above a moving picture, and stereo."""
    picture = (
        "lavfi:testsrc2=s=192x108:r=12:d=2,format=yuv420p10le,"
        "geq=lum='if(lt(Y,36),64+floor(X*876/191),64+0.7*(lum(X,Y)-64))':cb='if(lt(Y,18),512,cb(X,Y))':"
        "cr='if(lt(Y,18),512,cr(X,Y))',"
        "setparams=range=tv:colorspace=bt2020nc:color_primaries=bt2020:color_trc=smpte2084"
    )
    sound = "lavfi:aevalsrc=0.3*sin(2*PI*440*t)+0.05*random(0)|0.2*sin(2*PI*660*t)+0.05*random(1):s=48000:d=2"
    return make_media(
        "hdr.mp4", picture, sound, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
        f"lossless=1:log-level=none:{LIGHT}", "-c:a", "aac", "-b:a", "192k",
    )  # fmt: skip


def test_h264_of_hdr_is_never_made_silently(hdr_film, run_command, tmp_path) -> None:
    (tmp_path / "grid.toml").write_text(GRID)
    found = run_command("extract", hdr_film, "--grid", tmp_path / "grid.toml", "-o", tmp_path / "x.parquet")
    assert found.code == 1
    assert "is HDR (PQ), and h264 is encoded in 8 bits" in found.stderr
    assert "make it SDR with --tone-map" in found.stderr


def test_sdr_beside_hdr_from_the_source_to_the_playlists(hdr_film, run_command, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ABR_ALLOC_CACHE", str(tmp_path / "cache"))
    (tmp_path / "grid.toml").write_text(GRID)
    ladders = []
    for codec, tone in (("hevc", ()), ("h264", ("--tone-map", "bt2390"))):
        table, ladder = tmp_path / f"{codec}.parquet", tmp_path / f"{codec}.json"
        words = ("--grid", tmp_path / "grid.toml", "--video-codec", codec, *tone, "-o", table, "--jobs", "2")
        assert run_command("extract", hdr_film, *words).code == 0
        told = run_command("ladder", table, "--rungs", "2", "-o", ladder)
        assert ("predicted on a model of SDR ratings" in " ".join((told.stdout + told.stderr).split())) == (
            codec == "hevc"
        )
        ladders.append(ladder)
    hdr, sdr = (json.loads(path.read_text()) for path in ladders)
    assert hdr["ladders"][0]["rungs"][0]["video"]["dynamic_range"] == "PQ"
    assert "dynamic_range" not in sdr["ladders"][0]["rungs"][0]["video"]
    assert ("tone_maps" in hdr["features"], sdr["features"]["tone_maps"]) == (False, {"hdr": "bt2390"})
    width = [max(np.diff(r["interval_mos"])[0] for r in one["ladders"][0]["rungs"]) for one in (hdr, sdr)]
    assert width[0] > 1.2 * width[1], "the interval of HDR is wider"

    out, words = tmp_path / "out", ("--ladder", ladders[0], "--ladder", ladders[1], "--jobs", "2")
    assert run_command("encode", hdr_film, *words, "-o", out).code == 0
    lines = (out / "master.m3u8").read_text().splitlines()
    streams = [line for line in lines if line.startswith(("#EXT-X-STREAM-INF", "#EXT-X-I-FRAME-STREAM-INF"))]
    assert {("hvc1.2.4." in line, "VIDEO-RANGE=PQ" in line, "VIDEO-RANGE=SDR" in line) for line in streams} == {
        (True, True, False),
        (False, False, True),
    }
    assert not any("SCORE" in line for line in streams), "no order follows from AVQ across ranges"
    linted = run_command("lint", out / "master.m3u8")
    assert linted.code == 0, linted.stdout

    space = "{urn:mpeg:dash:schema:mpd:2011}"
    codes = {
        sets.find(f"{space}Representation").get("codecs").partition(".")[0]: [
            (p.get("schemeIdUri").rpartition(":")[2], p.get("value")) for p in sets.findall(f"{space}EssentialProperty")
        ]
        for sets in ElementTree.parse(out / "manifest.mpd").iter(f"{space}AdaptationSet")
    }
    cicp = [("ColourPrimaries", "9"), ("TransferCharacteristics", "16"), ("MatrixCoefficients", "9")]
    assert codes == {"hvc1": cicp, "avc1": [], "mp4a": []}

    # Code values at the end, by PyAV, against those that the source was made of.
    name = next(path.name for path in (out / "video").iterdir() if path.name.startswith("hevc-pq-192x108"))
    join_segments(out / "video" / name, tmp_path / "joined.mp4")
    with av.open(tmp_path / "joined.mp4") as container:
        frame = next(container.decode(video=0))
        luma = frame.to_ndarray()[4:30, :192].astype(float).mean(axis=0)
        told = {part.type.name for part in frame.side_data}  # of the sample description alone: 1.8
    assert frame.format.name == "yuv420p10le"
    assert np.abs(luma - (64 + np.floor(np.arange(192) * 876 / 191)))[1:-1].max() < 8
    assert {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"} <= told

    verified = run_command("verify", out, "--json")
    rungs = json.loads(verified.stdout)["rungs"]
    assert len(rungs) == 4
    assert all(abs(rung["avq_deviation_mos"]) < 0.2 and rung["measured_vmaf"] > 60 for rung in rungs)
    again = run_command("encode", hdr_film, *words, "-o", out)
    assert "finished already" in again.stderr

    # What cannot take it says so.
    alone = run_command("encode", hdr_film, "--ladder", ladders[1], "-o", out)
    assert alone.code == 1, "another order than the folder's"
    exported = run_command("export", ladders[1], "--format", "ffmpeg")
    assert "SDR made of HDR by bt2390" in exported.stderr
    measured = run_command("measure", hdr_film, out / "master.m3u8", "-o", tmp_path / "m.parquet")
    assert "renditions are not measured yet" in measured.stderr


def test_a_ladder_of_another_range_is_refused_with_the_next_move(write_ladder) -> None:
    from abr_alloc.media.colour import Colour
    from tests.delivery.test_order import info

    pq = Colour(in_full_range=False, is_rgb=False, matrix="bt2020nc", primaries="bt2020", transfer="smpte2084")
    ladder = chosen(write_ladder("64x36 40 + aac 32", hashes={"film": "a"})).ladder
    with pytest.raises(DeliveryError, match=r"is SDR, and film\.mp4 is PQ; extract it with `tone_map`"):
        check_ranges(info(colour=pq), ladder, "")
    check_ranges(info(colour=pq), ladder, "bt2390")
    (rung,) = ladder.rungs
    video = dataclasses.replace(rung.video, dynamic_range="HLG", codec="hevc")
    hlg = dataclasses.replace(ladder, rungs=(dataclasses.replace(rung, video=video),))
    with pytest.raises(DeliveryError, match=r"is HLG, and film\.mp4 is SDR; design its own ladder"):
        check_ranges(info(), hlg, "")
