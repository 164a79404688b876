"""A title as services have them goes through the whole chain: PQ with its metadata, 5.1, two languages, subtitles.

HDR and SDR beside it, stereo and surround, are one delivery; PyAV reads what it holds, and each player finds what it
is asked for. HDR is in AV1 here, which Chromium decodes everywhere.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import av
import numpy as np
import pytest

from abr_alloc.media.segments import join_segments

from .conftest import run_well
from .test_playback import DASH, HLS

GRID = """
[video]
sizes = []
[video.crf]
h264 = [20, 36]
av1 = [30, 55]
[audio]
codecs = ["aac"]
aac = ["48k", "96k"]
[audio.surround]
aac = ["192k", "256k"]
"""
TONES_HZ = (400, 500, 600, 60, 800, 900)
"""Of the channels of 5.1: left, right, centre, low-frequency effects, surrounds."""
GERMAN_HZ = 1100
LENGTH_S = 3
LIGHT = "hdr10=1:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=987,321"


@pytest.fixture(scope="session")
def real_title(make_media, make_once) -> Path:
    """The delivery of such a title."""
    return make_once("players/title", lambda folder: _deliver(folder, make_media)) / "out"


def _deliver(folder: Path, make_media) -> None:
    (folder / "de.srt").write_text("1\n00:00:01,000 --> 00:00:02,500\nEins, zwei\n")
    (folder / "grid.toml").write_text(GRID)
    around = "|".join(f"0.2*sin(2*PI*{hz}*t)+0.02*random({n})" for n, hz in enumerate(TONES_HZ))
    source = make_media(
        "title.mkv",
        f"lavfi:testsrc2=s=256x144:r=12:d={LENGTH_S},format=yuv420p10le,"
        "setparams=range=tv:colorspace=bt2020nc:color_primaries=bt2020:color_trc=smpte2084",
        f"lavfi:aevalsrc={around}:s=48000:d={LENGTH_S}:c=5.1",
        f"lavfi:sine=frequency={GERMAN_HZ}:sample_rate=48000:duration={LENGTH_S}",
        *("-i", folder / "de.srt", "-map", "0", "-map", "1", "-map", "2", "-map", "3"),
        *("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", f"crf=6:log-level=none:{LIGHT}"),
        *("-c:a", "flac", "-ac:a:1", "2", "-c:s", "srt", "-metadata:s:a:0", "language=eng"),
        *("-metadata:s:a:1", "language=ger", "-metadata:s:s:0", "language=ger"),
    )
    words: tuple[str | Path, ...]
    for name, words, rungs in (
        ("hdr", ("--video-codec", "av1", "--preset", "12", "--surround", "aac"), ("--surround", "30%")),
        ("sdr", ("--video-codec", "h264", "--tone-map", "hable"), ()),
    ):
        table = folder / f"{name}.parquet"
        run_well("extract", source, "--grid", folder / "grid.toml", "--whole", *words, "-o", table, "-q")
        run_well("ladder", table, "--rungs", "2", *rungs, "-o", folder / f"{name}.json", "-q")
    ladders = itertools.chain.from_iterable(("--ladder", folder / f"{name}.json") for name in ("hdr", "sdr"))
    run_well("encode", source, *ladders, "-o", folder / "out", "-q")


def test_what_is_delivered_is_what_was_there(real_title, run_command, in_threads, tmp_path) -> None:
    linted = run_command("lint", real_title / "master.m3u8")
    assert linted.code == 0 and "should be corrected" not in linted.stdout, linted.stdout
    verified = run_command("verify", real_title, "--tolerance", "rate=50%,avq=0.5")
    assert verified.code == 0, verified.stdout

    lines = (real_title / "master.m3u8").read_text().splitlines()
    variants = [line for line in lines if line.startswith("#EXT-X-STREAM-INF")]
    assert {("av01" in line, "VIDEO-RANGE=PQ" in line) for line in variants} == {(True, True), (False, False)}
    assert sum("6ch" in line for line in variants) == 2, "both rungs of HDR have surround"
    assert all('SUBTITLES="' in line for line in variants)

    loudest: dict[str, list[float]] = {}
    for folder in sorted((real_title / "audio").iterdir()):
        join_segments(folder, tmp_path / "joined.mp4")
        with av.open(tmp_path / "joined.mp4") as container:
            frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
        samples = np.concatenate(frames, axis=1)[:, 48_000 : 2 * 48_000]
        loudest[folder.name] = np.abs(np.fft.rfft(samples))[:, 30:].argmax(axis=1) + 30.0
    for name, hz in loudest.items():
        if name.endswith("-6ch"):
            assert hz == pytest.approx(TONES_HZ, abs=2), name
        elif name.endswith("-de"):
            assert hz == pytest.approx([GERMAN_HZ] * 2, abs=2), name
        else:
            assert len(hz) == 2, name
    assert {name.rpartition("-")[2] for name in loudest} >= {"de", "6ch"}

    for folder in (real_title / "video").iterdir():
        join_segments(folder, tmp_path / "joined.mp4")
        with av.open(tmp_path / "joined.mp4") as container:
            stream = container.streams.video[0]
            frame = next(container.decode(stream))
        is_hdr = folder.name.startswith("av1-pq")
        assert frame.format.name == ("yuv420p10le" if is_hdr else "yuv420p")
        assert (stream.codec_context.color_trc, stream.codec_context.color_primaries) == ((16, 9) if is_hdr else (1, 1))
        told = {part.type.name for part in frame.side_data}
        assert ({"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"} <= told) == is_hdr

    texts = "".join(path.read_text() for path in sorted((real_title / "subtitles" / "de").glob("*.vtt")))
    assert "00:01.000 --> 00:02.500" in texts.replace("00:00:", "00:") and "Eins, zwei" in texts


PLAYERS = [("hls.js", HLS), ("shaka", HLS), ("shaka", DASH), ("dash.js", DASH)]


@pytest.mark.parametrize("dynamic_range", ["PQ", "SDR"])
@pytest.mark.parametrize(("player", "playlist"), PLAYERS)
def test_the_dynamic_range_that_is_asked_for_plays(visit, real_title, player, playlist, dynamic_range) -> None:
    page = visit(real_title)
    page.open(player, playlist, dynamic_range=dynamic_range)
    page.play()
    state = page.wait("s.time_s > 0.4 && s.playing")
    assert ("av1-pq" in state["playing"][0]) == (dynamic_range == "PQ"), state["playing"]
    assert page.failures() == []


@pytest.mark.parametrize(("player", "playlist"), [("hls.js", HLS), ("shaka", HLS), ("shaka", DASH)])
def test_surround_plays_where_the_browser_decodes_it(visit, real_title, player, playlist) -> None:
    rungs = json.loads((real_title / "delivery.json").read_text())["rungs"]
    audio = next(rung["surround"]["audio"] for rung in rungs if "surround" in rung)
    page = visit(real_title)
    page.open(player, playlist, dynamic_range="PQ")
    page.page.evaluate("listen()")
    page.force(next(pair for pair in page.offered() if audio in pair[1:]))
    page.play()
    page.wait("s.time_s > 0.4 && s.playing && s.playing[1] === args[0]", audio)
    assert page.failures() == []
