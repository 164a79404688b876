"""What examples/deliver_hls.py writes is what players need: complete, aligned, and with honest rates."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import av
import pytest

from abr_alloc.export.ladder_json import read_ladders

SCRIPT = Path(__file__).parents[1] / "examples" / "deliver_hls.py"
TITLE = "handheld-toy-rabbit-480p"
LADDER = SCRIPT.parents[1] / "ladders" / "titles" / f"{TITLE}.json"


@pytest.fixture(scope="module")
def film(make_media) -> Path:
    """Nine seconds under the title of a ladder: a picture that moves, a tone with noise."""
    return make_media(
        f"{TITLE}.mp4",
        "lavfi:testsrc2=size=180x120:rate=24000/1001:duration=9",
        "lavfi:aevalsrc=0.3*sin(2*PI*440*t)+0.1*random(0)|0.2*sin(2*PI*660*t)+0.1*random(1):s=44100:d=9",
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p", "-c:a", "aac"),
    )


def deliver(*words: str | Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["deliver_hls.py", *map(str, words)])
        runpy.run_path(str(SCRIPT), run_name="__main__")


@pytest.fixture(scope="module")
def delivered(film, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("delivered") / "hls"
    deliver(film, LADDER, folder)
    return folder


def segments(playlist: Path) -> list[tuple[float, Path]]:
    """Seconds and file of every segment."""
    found = re.findall(r"#EXTINF:([\d.]+),\n(\S+)", playlist.read_text())
    return [(float(seconds), playlist.parent / name) for seconds, name in found]


def peak_bits_per_s(playlist: Path) -> float:
    return max(8 * path.stat().st_size / seconds for seconds, path in segments(playlist))


def test_the_playlists_are_right(delivered):
    master = (delivered / "master.m3u8").read_text()
    groups = dict(re.findall(r'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="([^"]+)".*URI="([^"]+)"', master))
    assert len(groups) == 3
    variants = re.findall(r"#EXT-X-STREAM-INF:(.*)\n(.*)", master)
    assert len(variants) == 6

    rates = []
    for (attributes, uri), rung in zip(variants, read_ladders(LADDER)[0].rungs, strict=True):
        bandwidth, average = (
            int(re.search(rf"(?<![A-Z-]){name}=(\d+)", attributes)[1]) for name in ("BANDWIDTH", "AVERAGE-BANDWIDTH")
        )
        audio = delivered / groups[re.search(r'AUDIO="([^"]+)"', attributes)[1]]
        assert bandwidth >= peak_bits_per_s(delivered / uri) + peak_bits_per_s(audio)
        assert average <= bandwidth
        assert average == pytest.approx(1000 * rung.total_kbps, rel=0.1)
        rates.append(bandwidth)
        with av.open(delivered / uri) as media:
            stream = media.streams.video[0]
            assert f"RESOLUTION={stream.width}x{stream.height}" in attributes
            assert re.search(r'CODECS="avc1\.64[0-9a-f]{4},mp4a\.40\.2"', attributes)
    assert rates == sorted(rates)


def test_every_rendition_is_encoded_once_and_whole(delivered):
    folders = sorted(path.name for path in delivered.iterdir() if path.is_dir())
    assert folders == [f"audio-{n}" for n in (1, 2, 3)] + [f"video-{n}" for n in range(1, 7)]
    for playlist in delivered.glob("*/index.m3u8"):
        found = segments(playlist)
        assert sum(seconds for seconds, _ in found) == pytest.approx(9, abs=0.1)
        assert {path.name for _, path in found} == {path.name for path in playlist.parent.glob("*.m4s")}
        assert "#EXT-X-ENDLIST" in playlist.read_text()


def test_renditions_switch_at_the_same_times(delivered):
    cuts = {tuple(seconds for seconds, _ in segments(path)) for path in delivered.glob("video-*/index.m3u8")}
    assert len(cuts) == 1
    assert len(next(iter(cuts))) == 2


def test_audio_stays_beside_video(delivered):
    """Every stream begins at one time, but for the lead-in of the audio coder."""
    starts = []
    for playlist in sorted(delivered.glob("*/index.m3u8")):
        with av.open(playlist) as media:
            stream = media.streams[0]
            lead_in_s = 1024 / 48000 if stream.type == "audio" else 0.0
            starts.append(next(media.decode(stream)).time + lead_in_s)
    assert max(starts) - min(starts) < 0.002


def test_a_film_without_a_ladder_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="no ladder for 'other'"):
        deliver("other.mp4", LADDER, tmp_path)
