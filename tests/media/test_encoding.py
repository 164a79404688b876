"""Encodes: as many frames as the source, as many bytes as asked for, the same every time."""

from __future__ import annotations

from dataclasses import replace

import av
import numpy as np
import pytest

from abr_alloc.codecs import VIDEO_CODECS
from abr_alloc.encoders import default_encoder
from abr_alloc.errors import ToolFailedError, ToolMissingError
from abr_alloc.media.encoding import check_encoders, encode_together, encode_video, goes_together
from abr_alloc.media.grid import AudioTarget, VideoTarget
from abr_alloc.media.packets import read_packets
from abr_alloc.media.part import Part
from abr_alloc.media.probe import content_hash, probe
from abr_alloc.media.scenes import scan_source

FAST = {"h264": "ultrafast", "hevc": "ultrafast", "vp9": "8", "av1": "12", "vvc": "faster"}
MOVING = "lavfi:testsrc2=size=96x64:rate=25:duration=2"


def video_target(codec: str = "h264", target: str = "crf=30", size=(96, 64), preset: str | None = None) -> VideoTarget:
    encoder = default_encoder(codec, preset or FAST[codec])
    target = target.replace("crf=", f"{encoder.kind}=")
    return VideoTarget(codec=codec, width_px=size[0], height_px=size[1], target=target, encoder=encoder)


def audio_target(codec: str = "aac", target: str = "b=64k", channels: int = 2) -> AudioTarget:
    return AudioTarget(codec=codec, channels=channels, target=target)


def describe(path) -> tuple:
    with av.open(str(path)) as container:
        (stream,) = container.streams
        context = stream.codec_context
        if stream.type == "video":
            return context.name, context.width, context.height, context.pix_fmt
        return context.name, context.channels, context.sample_rate


@pytest.fixture(scope="session")
def sources(make_media):
    """One source of every kind that video must get through."""
    select = "select='not(mod(n,3))+not(mod(n,7))'"
    upright = make_media("encode-upright.mp4", MOVING, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
    odd = "lavfi:testsrc2=size=97x65:rate=25:duration=2"
    late = ("-itsoffset", "0.5", "-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=2")
    return {
        "plain": upright,
        "variable": make_media("encode-variable.webm", MOVING, "-vf", select, "-fps_mode", "vfr", "-c:v", "libvpx"),
        "ten bits": make_media("encode-10.mkv", MOVING, "-c:v", "ffv1", "-pix_fmt", "yuv420p10le"),
        "odd": make_media("encode-odd.mkv", odd, "-c:v", "ffv1", "-pix_fmt", "yuv444p"),
        "vertical": make_media("encode-vertical.mp4", "-display_rotation", "90", "-i", upright, "-c", "copy"),
        "29.97 fps": make_media("encode-2997.mkv", "lavfi:testsrc2=size=96x64:rate=30000/1001:d=2", "-c:v", "ffv1"),
        "late": make_media("encode-late.mkv", *late, "lavfi:sine=d=2.5", "-c:v", "ffv1", "-c:a", "pcm_s16le"),
        "interlaced": make_media(
            *("encode-fields.ts", "lavfi:testsrc2=size=96x64:rate=50:duration=2"),
            *("-vf", "interlace", "-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ilme+ildct"),
        ),
    }


KINDS = ["plain", "variable", "ten bits", "odd", "vertical", "29.97 fps", "late", "interlaced"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_encode_has_as_many_frames_as_its_source(ffmpeg, sources, kind, tmp_path):
    info = probe(sources[kind], ffmpeg)
    num_frames = scan_source(ffmpeg, info, tmp_path).num_frames
    encode_video(ffmpeg, info, video_target(size=(info.width_px, info.height_px)), tmp_path / "encode.mp4")
    assert len(read_packets(tmp_path / "encode.mp4").size_bytes) == num_frames
    assert describe(tmp_path / "encode.mp4") == ("h264", info.width_px, info.height_px, "yuv420p")


@pytest.mark.parametrize(("codec", "name"), [("hevc", "hevc"), ("av1", "libdav1d")])
@pytest.mark.parametrize("kind", ["plain", "variable", "ten bits"])
def test_newer_codecs_keep_frames_and_depth(ffmpeg, sources, codec, name, kind, tmp_path):
    info = probe(sources[kind], ffmpeg)
    num_frames = scan_source(ffmpeg, info, tmp_path).num_frames
    encode_video(ffmpeg, info, video_target(codec), tmp_path / "encode.mp4")
    assert len(read_packets(tmp_path / "encode.mp4").size_bytes) == num_frames
    assert describe(tmp_path / "encode.mp4")[1:] == (96, 64, info.pixel_format)
    assert describe(tmp_path / "encode.mp4")[0] in (codec, name)


@pytest.mark.parametrize("codec", VIDEO_CODECS)
def test_a_lower_crf_takes_more_bytes(ffmpeg, sources, codec, tmp_path):
    info = probe(sources["plain"], ffmpeg)
    sizes = []
    for crf in (50, 35, 20):
        encode_video(ffmpeg, info, video_target(codec, f"crf={crf}"), tmp_path / "encode.mp4")
        sizes.append(read_packets(tmp_path / "encode.mp4").size_bytes.sum())
    assert sizes[0] < sizes[1] < sizes[2]


@pytest.mark.parametrize("codec", VIDEO_CODECS)
def test_a_rate_is_met(ffmpeg, make_media, codec, tmp_path):
    source = make_media("busy.mkv", "lavfi:mandelbrot=size=128x96:rate=25,trim=end_frame=100", "-c:v", "ffv1")
    encode_video(
        ffmpeg,
        probe(source, ffmpeg),
        video_target(codec, "b=150k", (128, 96), default_encoder(codec).preset),
        tmp_path / "encode.mp4",
    )
    kbps = read_packets(tmp_path / "encode.mp4").size_bytes.sum() * 8 / 1000 / 4
    assert kbps == pytest.approx(150, rel=0.5)  # four seconds are few to steer by


@pytest.mark.parametrize("codec", VIDEO_CODECS)
def test_two_encodes_of_one_source_are_the_same_bytes(ffmpeg, sources, codec, tmp_path):
    info = probe(sources["plain"], ffmpeg)
    for name in ("a.mp4", "b.mp4"):
        encode_video(ffmpeg, info, video_target(codec, preset=default_encoder(codec).preset), tmp_path / name)
    assert content_hash(tmp_path / "a.mp4") == content_hash(tmp_path / "b.mp4")


@pytest.mark.parametrize("kind", KINDS)
def test_encodes_made_together_are_the_bytes_of_those_made_alone(ffmpeg, sources, kind, tmp_path):
    """Of three sizes, and of two samples: what is scaled once for one codec is not converted on the way for another."""
    info = probe(sources[kind], ffmpeg)
    size = info.width_px, info.height_px
    targets = [video_target("h264", "crf=24", size), video_target("h264", "crf=40", size)]
    targets += [video_target("h264", "crf=30", (80, 60)), video_target("h264", "b=90k", (48, 32))]
    targets += [video_target("hevc", "crf=30", (80, 60)), video_target("vp9", "crf=30", (48, 32))]
    paths = [tmp_path / f"{i}.mp4" for i in range(len(targets))]
    encode_together(ffmpeg, info, targets, paths)
    for target, path in zip(targets, paths, strict=True):
        encode_video(ffmpeg, info, target, tmp_path / "alone.mp4")
        assert content_hash(path) == content_hash(tmp_path / "alone.mp4"), target


def test_a_stretch_is_encoded_together_as_alone(ffmpeg, sources, tmp_path):
    info = probe(sources["plain"], ffmpeg)
    part = Part(first_frame=12, num_frames=20, is_whole=False, tail_frames=8)
    targets = [video_target("h264", "crf=24"), video_target("h264", "crf=40")]
    encode_together(ffmpeg, info, targets, [tmp_path / "0.mp4", tmp_path / "1.mp4"], part)
    for i, target in enumerate(targets):
        encode_video(ffmpeg, info, target, tmp_path / "alone.mp4", part)
        assert content_hash(tmp_path / f"{i}.mp4") == content_hash(tmp_path / "alone.mp4")
        assert len(read_packets(tmp_path / f"{i}.mp4").size_bytes) == 28


def test_what_fails_together_leaves_nothing(ffmpeg, sources, tmp_path):
    targets = [video_target(), video_target(preset="none")]
    with pytest.raises(ToolFailedError):
        encode_together(ffmpeg, probe(sources["plain"], ffmpeg), targets, [tmp_path / "a.mp4", tmp_path / "b.mp4"])
    assert list(tmp_path.iterdir()) == []


def test_two_passes_and_programs_of_others_go_alone():
    usual = video_target()
    assert goes_together(usual) and goes_together(replace(usual, target="b=90k"))
    for changed in ({"rate_mode": "vbr-2pass"}, {"command": ("x", "{output}")}, {"encoder": "h264_nvenc"}):
        target = replace(usual, target="b=90k", encoder=replace(usual.encoder, **changed))
        assert not goes_together(target), changed


def test_key_frames_are_at_most_two_seconds_apart(ffmpeg, make_media, tmp_path):
    source = make_media("five.mkv", "lavfi:testsrc2=size=96x64:rate=10:duration=5", "-c:v", "ffv1")
    encode_video(ffmpeg, probe(source, ffmpeg), video_target(), tmp_path / "encode.mp4")
    with av.open(str(tmp_path / "encode.mp4")) as container:
        keys = sorted(float(p.pts * p.time_base) for p in container.demux(video=0) if p.size and p.is_keyframe)
    assert np.diff([*keys, 5.0]).max() <= 2.0 + 1e-9


def test_a_failed_encode_leaves_nothing(ffmpeg, sources, tmp_path):
    with pytest.raises(ToolFailedError):
        encode_video(ffmpeg, probe(sources["plain"], ffmpeg), video_target(preset="none"), tmp_path / "encode.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_encoder_is_told_before_any_work(ffmpeg, sources, tmp_path):
    bare = replace(ffmpeg, encoders=frozenset({"libx264"}))
    check_encoders(bare, [video_target()], [])
    with pytest.raises(ToolMissingError, match="libx265") as missing:
        check_encoders(bare, [video_target("hevc")], [])
    assert missing.value.tool == "libx265"
    with pytest.raises(ToolMissingError, match="libopus"):
        check_encoders(bare, [], [audio_target("opus")])
    with pytest.raises(ToolMissingError, match="libsvtav1"):
        encode_video(bare, probe(sources["plain"], ffmpeg), video_target("av1"), tmp_path / "encode.mp4")
    assert list(tmp_path.iterdir()) == []
