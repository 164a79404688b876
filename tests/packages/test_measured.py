"""A package, measured from end to end: rows of each stream, a log taken, and a stream that cannot be joined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from abr_alloc import measure_renditions
from abr_alloc.errors import FailedTitlesError, PackageError
from abr_alloc.packages.reader import read_package
from abr_alloc.table.table import FeatureTable

CODING = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "24", "-threads", "1", "-pix_fmt", "yuv420p")
VOD = ("-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4")

GROUPS = "v:0,agroup:a,name:small v:1,agroup:a,name:big a:0,agroup:a,name:sound"


@pytest.fixture(scope="module")
def film(make_media) -> Path:
    """Three seconds of moving shapes and noise."""
    return make_media(
        "film.mov",
        "lavfi:testsrc2=size=192x128:rate=24:duration=3",
        "lavfi:aevalsrc=0.3*random(0)|0.2*sin(2*PI*660*t*t):s=48000:d=3",
        *("-vf", "noise=alls=12:allf=t", *CODING, "-crf", "10", "-c:a", "pcm_s16le"),
    )


@pytest.fixture(scope="module")
def shipped(ffmpeg, film, tmp_path_factory) -> Path:
    """A package of it in single files: two videos that share a sound."""
    folder = tmp_path_factory.mktemp("shipped")
    ffmpeg.run(
        [
            *("-i", film, "-map", "0:v", "-map", "0:v", "-map", "0:a", *CODING, "-c:a", "aac", "-b:a", "96k"),
            *("-filter:v:0", "scale=96:64", "-crf:v:0", "33", "-crf:v:1", "30", *VOD, "-hls_flags", "single_file"),
            *("-master_pl_name", "master.m3u8", "-var_stream_map", GROUPS, "%v.m3u8"),
        ],
        cwd=folder,
    )
    return folder / "master.m3u8"


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """What one test measured, another need not."""
    return tmp_path_factory.mktemp("cache")


def measure(film: Path, renditions: Path | list[Path], cache: Path, *vmaf_logs: str) -> FeatureTable:
    return measure_renditions(film, renditions, detect_scenes=False, jobs=1, cache=cache, vmaf_logs=vmaf_logs)


def test_a_package_is_measured_as_its_streams_are(in_threads, film, shipped, cache, tmp_path):
    """Each stream written out and given as a file has the same numbers; its label is what its rows are called."""
    written = []
    for stream in read_package(shipped).streams:
        written.append(tmp_path / f"{stream.label}{stream.suffix}")
        stream.write(written[-1])
    assert [path.name for path in written] == ["small.mp4", "big.mp4", "sound.mp4"]
    measured, plain = measure(film, shipped, cache), measure(film, [written[0], written[2]], tmp_path / "cache")
    assert list(measured.frame["target"]) == ["sound", "small", "big"]
    assert list(plain.frame["target"]) == ["sound", "small"]
    numbers = measured.frame.select_dtypes("number").columns
    found, wanted = (table.frame[numbers].iloc[:2].astype(float) for table in (measured, plain))
    np.testing.assert_allclose(found, wanted, atol=1e-9)
    assert measured.frame["vmaf"].iloc[1:].between(20, 99).all()
    facts = measured.metadata.renditions["film"]
    assert facts["small"]["video"]["file"] == "small.m3u8"


def test_a_log_is_taken_and_one_of_another_stream_fails_alone(in_threads, ffmpeg, film, shipped, cache, tmp_path):
    scaled = "[0:v]scale=192:128:flags=bicubic[d];[d][1:v]libvmaf=log_fmt=json:log_path=small.json"
    ffmpeg.run(["-i", shipped.parent / "small.m4s", "-i", film, "-lavfi", scaled, "-f", "null", "-"], cwd=tmp_path)
    log = tmp_path / "small.json"
    measured, taken = measure(film, shipped, cache), measure(film, shipped, cache, f"small={log}")
    features = ["vif_scale0", "vif_scale3", "motion2", "adm2", "vmaf", "bitrate_kbps"]
    np.testing.assert_allclose(taken.frame[features].astype(float), measured.frame[features].astype(float), atol=1e-5)
    with pytest.raises(FailedTitlesError, match=r"1 of 3 renditions failed \(big\)") as caught:
        measure(film, shipped, cache, f"big={log}")
    assert "and scored anew" in caught.value.failures[0][1]


def test_a_stream_that_cannot_be_joined_fails_alone(in_threads, film, shipped, cache):
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1"]
    for name in ("small", "big"):
        text = (shipped.parent / f"{name}.m3u8").read_text()
        lines += [line for line in text.splitlines() if not line.startswith(("#EXTM3U", "#EXT-X-T", "#EXT-X-E"))]
        lines += ["#EXT-X-DISCONTINUITY"]
    (shipped.parent / "both.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST"]))
    master = shipped.with_name("odd.m3u8")
    master.write_text(shipped.read_text() + "\n#EXT-X-STREAM-INF:BANDWIDTH=1\nboth.m3u8\n")
    with pytest.raises(FailedTitlesError, match=r"1 of 4 renditions failed \(both\)") as caught:
        measure(film, master, cache)
    assert "cannot be joined exactly at a discontinuity" in caught.value.failures[0][1]
    master.write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttps://cdn.example/a.m3u8\n")
    with pytest.raises(PackageError, match="is a URL"):
        measure(film, master, cache)
