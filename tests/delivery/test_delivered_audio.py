"""5.1 from a source to what is delivered: in its order, as loud, beside stereo, and verified."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from abr_alloc.formats.delivery_record import read_delivery
from abr_alloc.table.table import read_features

TONES_HZ = (300, 500, 800, 60, 1300, 2100)  # of FL FR FC LFE SL SR
RATE_HZ = 48000
PICTURE = "lavfi:testsrc2=size=96x64:rate=12:duration=3"
STEREO = "lavfi:aevalsrc=0.05*sin(2*PI*440*t)|0.05*sin(2*PI*660*t):s=48000:d=3"
AROUND = "lavfi:aevalsrc=" + "|".join(f"0.2*sin(2*PI*{hz}*t)" for hz in TONES_HZ) + ":s=48000:d=2:c=5.1(side)"


@pytest.fixture(scope="module")
def source(make_media) -> Path:
    """3 s of stereo beside 2 s of 5.1, which is louder."""
    return make_media(
        "film.mkv", PICTURE, STEREO, AROUND, "-map", "0", "-map", "1", "-map", "2",
        "-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p", "-c:a", "flac",
    )  # fmt: skip


@pytest.fixture(scope="module")
def grid(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("grid") / "small.toml"
    path.write_text(
        '[video]\nsizes = []\n[video.crf]\nh264 = [22, 40]\n[audio]\naac = ["32k", "96k"]\n'
        '[audio.surround]\nac3 = ["192k", "448k"]\n'
    )
    return path


def levels(samples: np.ndarray) -> np.ndarray:
    t = np.arange(len(samples)) / RATE_HZ
    return np.array([np.abs(2 * (samples * np.exp(-2j * np.pi * hz * t)[:, None]).mean(axis=0)) for hz in TONES_HZ])


def decoded(folder: Path, whole: Path) -> np.ndarray:
    """Samples (T, 6) of a delivered stream, by PyAV."""
    whole.write_bytes(b"".join(p.read_bytes() for p in (folder / "init.mp4", *sorted(folder.glob("*.m4s")))))
    with av.open(str(whole)) as container:
        frames = list(container.decode(audio=0))
    assert {tuple(c.name for c in f.layout.channels) for f in frames} == {("FL", "FR", "FC", "LFE", "SL", "SR")}
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1).T


def test_a_film_with_5_1_beside_stereo_goes_all_the_way(source, grid, run_command, ffmpeg, tmp_path) -> None:
    cache = ("--cache", tmp_path / "cache")
    table, ladder, out = tmp_path / "f.parquet", tmp_path / "l.json", tmp_path / "out"
    run = run_command("extract", source, "-o", table, "--grid", grid, "--surround", "ac3", "--jobs", "1", *cache)
    assert run.code == 0 and "5.1 is that of audio track 2" in run.stderr
    assert "audio tracks differ in loudness by" in run.stderr
    features = read_features(table)
    audio = features.of_kind("audio")
    assert sorted(zip(audio["channels"], audio["target"], strict=True)) == [
        (2, "b=32k"), (2, "b=96k"), (6, "b=192k"), (6, "b=448k"),
    ]  # fmt: skip
    loud = features.metadata.loudness["film"]
    assert loud["2"]["lufs"] > loud["1"]["lufs"] + 1.0

    network = ("--network", "lognormal:median=400k,sigma=0.8")
    designing = ("ladder", table, "--surround", "30%", "--rungs", "2", "-o", ladder, *network)
    shown = run_command(*designing)
    assert shown.code == 0 and "surround in ac3" in shown.stdout

    run = run_command("encode", source, "--ladder", ladder, "-o", out, "--jobs", "1", *cache)
    assert run.code == 0, run.stderr
    assert "is the surround of track 1" in run.stderr and "has 2.00 s of sound in 3.00 s" in run.stderr
    delivery = read_delivery(out / "delivery.json")
    around = [order for order in delivery.audios if order.channels == 6]
    assert {order.track for order in around} == {2} and all(order.name.endswith("k-6ch") for order in around)
    assert {order.codec for order in delivery.audios if order.channels == 2} == {"aac"}
    samples = decoded(out / around[0].name, tmp_path / "whole.mp4")
    assert len(samples) >= 3 * RATE_HZ
    assert levels(samples[RATE_HZ // 2 :][:RATE_HZ]) == pytest.approx(0.2 * np.eye(6), abs=0.01)
    assert np.abs(samples[round(2.1 * RATE_HZ) : 3 * RATE_HZ]).max() < 1e-3
    raw = np.frombuffer(ffmpeg.run(["-i", tmp_path / "whole.mp4", "-f", "f32le", "-"]), "<f4").reshape(-1, 6)
    assert levels(raw[RATE_HZ // 2 :][:RATE_HZ]) == pytest.approx(0.2 * np.eye(6), abs=0.01)
    master = (out / "master.m3u8").read_text()
    assert 'CHANNELS="6"' in master and 'CHANNELS="2"' in master

    run = run_command("verify", out, "--json", "--jobs", "1", *cache)
    for rung in json.loads(run.stdout)["rungs"]:
        assert rung["surround_measured_kbps"] == pytest.approx(rung["surround_predicted_kbps"], rel=0.12)
        assert rung["surround_measured_avq_mos"] == pytest.approx(rung["surround_predicted_avq_mos"], abs=0.3)


def test_without_being_asked_for_surround_is_told_of_and_not_measured(source, tiny_grid, run_command, tmp_path) -> None:
    table = tmp_path / "f.parquet"
    run = run_command("extract", source, "-o", table, "--grid", tiny_grid, "--cache", tmp_path / "c", "--jobs", "1")
    assert "audio track 2 has 5.1(side) sound, which is left out; --surround eac3 measures it in 5.1 too" in run.stderr
    assert set(read_features(table).of_kind("audio")["channels"]) == {2}
    assert "no audio of 5.1; extract it with --surround" in run_command("ladder", table, "--surround", "0.2").stderr
