"""Packages by ffmpeg's muxers: what comes out of each stream is what went in."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from abr_alloc.errors import PackageError
from abr_alloc.packages.reader import is_package, read_package

ALL = ("low", "high", "mono", "stereo")
SETS = "id=0,streams=v id=1,streams=a"
GROUPS = "v:0,agroup:a v:1,agroup:a a:0,agroup:a a:1,agroup:a"
VOD = ("-hls_time", "1", "-hls_playlist_type", "vod")
MASTER = ("-master_pl_name", "master.m3u8", "-var_stream_map", GROUPS)
FMP4 = ("-hls_segment_type", "fmp4")
SINGLE = ("-hls_flags", "single_file")
DASH = ("-seg_duration", "1", "-adaptation_sets", SETS)
MADE = {
    "transport streams": ("hls", (*VOD, *MASTER), "s%v.m3u8", ALL),
    "fragmented MP4": ("hls", (*VOD, *FMP4, *MASTER), "s%v/index.m3u8", ALL),
    "byte ranges of MP4": ("hls", (*VOD, *FMP4, *SINGLE, *MASTER), "s%v.m3u8", ALL),
    "byte ranges of a transport stream": ("hls", (*VOD, *SINGLE), "index.m3u8", ("low",)),
    "muxed": ("hls", VOD, "index.m3u8", ("low", "stereo")),
    "muxed byte ranges": ("hls", (*VOD, *FMP4, *SINGLE), "index.m3u8", ("low", "stereo")),
    "timelines": ("dash", DASH, "m.mpd", ALL),
    "templates by number": ("dash", (*DASH, "-use_timeline", "0"), "m.mpd", ALL),
    "lists": ("dash", (*DASH, "-use_timeline", "0", "-use_template", "0"), "m.mpd", ALL),
    "lists of byte ranges": ("dash", (*DASH, "-single_file", "1"), "m.mpd", ALL),
}


@pytest.mark.parametrize("way", MADE)
def test_streams_decode_to_what_went_in(way, package, streams, pictures, samples, tmp_path):
    muxer, options, name, of = MADE[way]
    found = read_package(package(muxer, *options, name=name, of=of))
    videos = [stream for stream in found.streams if stream.kind != "audio"]
    sounds = [stream for stream in found.streams if stream.kind != "video"]
    assert len({stream.label for stream in found.streams}) == len(found.streams)
    for stream, source in zip(videos, [one for one in ALL if one in of and one in ("low", "high")], strict=True):
        path = tmp_path / f"{stream.label}{stream.suffix}"
        stream.write(path)
        assert pictures(path) == pictures(streams[source])
        assert (stream.video_codec, stream.fps) == ("h264", 12.0)
        assert (stream.width_px, stream.height_px) == ((96, 64) if source == "low" else (144, 96))
        assert stream.duration_s == pytest.approx(3.0, abs=0.1)
        # Rates are those of the bytes: within what containers take of what the encoder's own file has.
        bits = 8.0 * streams[source].stat().st_size / 1000.0 / 3.0
        assert stream.average_kbps < stream.peak_kbps * 1.001
        assert 0.8 * bits < stream.average_kbps < 1.6 * bits + 80
    for stream, source in zip(sounds, [one for one in ALL if one in of and one in ("mono", "stereo")], strict=True):
        path = tmp_path / f"{stream.label}{stream.suffix}"
        stream.write(path)
        made, went_in = samples(path), samples(streams[source])
        # ffmpeg's HLS muxer drops the edit list that hides AAC's first 1024 samples, and players hear them.
        lead = len(made) > len(went_in) and 1024 * stream.channels
        lead = lead if lead and not np.array_equal(made[: len(went_in)], went_in) else 0
        length = min(len(went_in), len(made) - lead)
        assert length > len(went_in) - 3072 * stream.channels  # DASH's rule of numbers may leave the last segment out
        np.testing.assert_array_equal(made[lead : lead + length], went_in[:length])
        assert (stream.audio_codec, stream.sample_rate_hz, stream.channels) == ("aac", 48000, 1 + (source == "stereo"))
        assert stream.codecs.endswith("mp4a.40.2")


def test_what_a_package_offers(hls, dash):
    for path, kind in ((hls, "hls"), (dash, "dash")):
        found = read_package(path)
        assert (found.kind, found.path) == (kind, path)
        assert is_package(path)
        assert [stream.kind for stream in found.streams] == ["video", "video", "audio", "audio"]
        for variant in found.variants:
            video, audio = found.stream(variant.video), found.stream(variant.audio)
            assert variant.average_kbps == pytest.approx(video.average_kbps + audio.average_kbps)
            assert variant.peak_kbps == pytest.approx(video.peak_kbps + audio.peak_kbps)
            assert (variant.width_px, variant.height_px, variant.fps) == (video.width_px, video.height_px, 12.0)
    labels = [(variant.video, variant.audio) for variant in read_package(hls).variants]
    assert labels == [("s0", "s2"), ("s1", "s2")]  # the default of the group
    labels = [(variant.video, variant.audio) for variant in read_package(dash).variants]
    assert labels == [("0", "2"), ("0", "3"), ("1", "2"), ("1", "3")]  # any two


def test_a_media_playlist_is_one_stream(hls):
    found = read_package(hls.parent / "s1" / "index.m3u8")
    assert [stream.label for stream in found.streams] == ["s1"]
    assert found.variants == ()


def test_our_own_delivery_is_a_package(make_hls):
    found = read_package(make_hls())
    assert [(v.video, v.audio) for v in found.variants] == [("video_64", "audio_48k"), ("video_96", "audio_96k")]
    for variant in found.variants:
        assert variant.average_kbps == pytest.approx(variant.declared_average_kbps, rel=0.01)
        assert variant.peak_kbps == pytest.approx(variant.declared_peak_kbps, rel=0.01)
    assert found.notes == ("I-frame playlists are left out",)


@pytest.mark.parametrize("data", [b"", b"\0\1\2\3" * 999, b"hello", b"<html/>", b"#EXTM4U\n", b"\xff\xfe#EXTM3U"])
def test_what_is_no_package_is_refused_in_one_line(data, tmp_path):
    path = tmp_path / "master.m3u8"
    path.write_bytes(data)
    with pytest.raises(PackageError, match=r"is neither an HLS playlist|is empty|does not begin"):
        read_package(path)
    with path.open("wb") as file:  # a gigabyte, of which nothing is read but the beginning
        file.write(data + b"#EXTM3U\n")
        file.truncate(1 << 30)
    with pytest.raises(PackageError, match=r"is larger than 16 MiB|is neither"):
        read_package(path)
    with pytest.raises(PackageError, match="does not exist"):
        read_package(tmp_path / "other.m3u8")
    with pytest.raises(PackageError, match="is no regular file"):
        read_package(tmp_path)


def test_reading_needs_no_torch_and_no_ffmpeg_program(hls):
    heavy = ["torch", "scipy", "numba", "matplotlib", "imageio_ffmpeg"]
    code = f"""import sys; from pathlib import Path; from abr_alloc.packages.reader import read_package
read_package(Path(sys.argv[1])); print([name for name in {heavy} if name in sys.modules])"""
    done = subprocess.run([sys.executable, "-c", code, str(hls)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
