"""Other segments, one file per rendition and audio alone: what others read in them, and what is refused."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction

import m3u8
import pytest

from abr_alloc.delivery.packaging import Packaging
from abr_alloc.encoders import VideoEncoder, default_encoder
from abr_alloc.errors import ArgumentError, DeliveryError
from abr_alloc.media.cmaf import read_segments
from abr_alloc.packages.reader import read_package

VIDEOS, AUDIOS = ["video/96x54-60k", "video/160x90-180k"], ["audio/aac-32k", "audio/aac-64k"]
FRAME = 1024 / 48000


def test_every_rendition_is_one_file_and_cut_as_asked(packaged):
    for name in (*VIDEOS, *AUDIOS):
        assert {path.name for path in (packaged / name).iterdir()} - {"iframes.m3u8"} == {"media.mp4", "index.m3u8"}
        fragments = read_segments(packaged / name)
        starts_s = [fragment.start / fragment.timescale for fragment in fragments]
        assert starts_s == pytest.approx([0, 2, 4], abs=1.01 * FRAME), name
        if name in VIDEOS:
            assert [Fraction(tick, f.timescale) for f in fragments for tick in f.idr] == [0, 1, 2, 3, 4]


def test_playlists_name_all_bytes_of_the_files(packaged, ffmpeg, tmp_path):
    master = m3u8.load(str(packaged / "master.m3u8"))
    assert [one.uri.rpartition("/")[0] for one in master.playlists] == [*VIDEOS, AUDIOS[0]]
    for name in (*VIDEOS, *AUDIOS):
        playlist = m3u8.load(str(packaged / name / "index.m3u8"))
        assert playlist.target_duration == 2
        data = (packaged / name / "media.mp4").read_bytes()
        ranges = [tuple(map(int, segment.byterange.split("@"))) for segment in playlist.segments]
        assert [at + size for size, at in ranges] == [*(at for _, at in ranges[1:]), len(data)]
        init = int(playlist.segment_map[0].byterange.partition("@")[0])
        if name == VIDEOS[0]:  # each key frame decodes alone behind the initialisation segment
            frames = m3u8.load(str(packaged / name / "iframes.m3u8")).segments
            assert len(frames) == 5
            for frame in frames:
                size, at = map(int, frame.byterange.split("@"))
                (tmp_path / "alone.mp4").write_bytes(data[:init] + data[at : at + size])
                told = ffmpeg.run(["-i", tmp_path / "alone.mp4", "-f", "framemd5", "-"]).decode()
                assert sum(line.startswith("0,") for line in told.splitlines()) == 1


def test_lint_has_nothing_against_it_but_the_length_of_segments(packaged, run_command):
    outcome = run_command("lint", packaged)
    assert outcome.code == 0
    broken = [line.split()[0] for line in outcome.stdout.splitlines() if " SHOULD: " in line or " MUST: " in line]
    assert broken == ["7.5", "7.6"]


def test_packages_are_read_from_playlists_and_from_indexes_alike(packaged):
    hls, dash = (read_package(packaged / name) for name in ("master.m3u8", "manifest.mpd"))
    for one, other in zip(hls.streams, dash.streams, strict=True):
        assert [(s.media.offset_bytes, s.media.size_bytes) for s in one.segments] == [
            (s.media.offset_bytes, s.media.size_bytes) for s in other.segments
        ]
        lengths_s = [segment.duration_s for segment in other.segments]
        assert lengths_s == pytest.approx([2.0, 2.0, 1.0], abs=1.01 * FRAME)
    assert any("audio alone" in note for note in hls.notes)


def test_the_folder_is_finished_and_another_packaging_is_refused(packaged, run_command, tmp_path, in_threads):
    """And a stream whose file was cut short is encoded again."""
    folder = tmp_path / "packages" / "stream"
    shutil.copytree(packaged, folder)
    record = json.loads((packaged / "delivery.json").read_text())
    assert (record["segment_s"], record["single_file"], record["audio_only"]) == (2.0, True, True)
    source, ladder = (packaged / record["source"]).resolve(), packaged.parent / "ladder.json"
    same = ("--preset", "ultrafast", "--gop", "1s", "--segment", "2s", "--audio-only", "--jobs", "2")
    asked = ("--ladder", ladder, "-o", folder, *same)
    refused = run_command("encode", source, *asked)
    assert refused.code == 1
    assert "holds a delivery with another layout of files; choose another -o" in refused.stderr
    again = run_command("encode", source, *asked, "--single-file")
    assert (again.code, "is finished already" in again.stderr) == (0, True)

    file = folder / VIDEOS[0] / "media.mp4"
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    mended = run_command("encode", source, *asked, "--single-file")
    assert (mended.code, file.read_bytes() == whole) == (0, True)
    assert "is encoded again" in mended.stderr


@pytest.mark.parametrize(
    ("asked", "error", "named"),
    [
        ({"segment_s": 0.1}, ArgumentError, "`segment_s` is 0.1"),
        ({"gop_s": 40.0}, ArgumentError, "`gop_s` is 40.0"),
    ],
)
def test_lengths_that_no_stream_has_are_refused(asked, error, named):
    with pytest.raises(error, match=named):
        Packaging(**asked)


@pytest.mark.parametrize(
    ("asked", "facts", "named"),
    [
        ({"segment_s": 4.0}, {"per_shot": True}, "leave `segment_s` out"),
        ({"gop_s": 1.0}, {"per_shot": True}, "leave `gop_s` out"),
        ({"single_file": True}, {"per_shot": True, "sizes_change": True}, "leave `single_file` out"),
        ({"segment_s": 1.0}, {}, "shorter than the distance of key frames, 2 s"),
    ],
)
def test_what_does_not_go_together_is_refused(asked, facts, named):
    with pytest.raises(DeliveryError, match=named):
        Packaging(**asked).check([default_encoder("h264")], **({"per_shot": False, "sizes_change": False} | facts))


def test_a_command_that_is_told_no_distance_of_key_frames_keeps_its_own():
    fixed = VideoEncoder(name="mine", codec="h264", command=("enc", "{input}", "{output}"))
    told = VideoEncoder(name="mine", codec="h264", command=("enc", "{input}", "{gop}", "{output}"))
    assert Packaging(gop_s=1.0).with_gop(told).gop_s == 1.0
    assert Packaging().with_gop(fixed) is fixed
    with pytest.raises(DeliveryError, match="leave `gop_s` out"):
        Packaging(gop_s=1.0).with_gop(fixed)
