"""Encodes: as many frames as the source, as many bytes as asked for, the same every time."""

from __future__ import annotations

import shutil
from dataclasses import replace

import av
import numpy as np
import pytest

from abr_alloc.codecs import VIDEO_CODECS
from abr_alloc.encoders import default_encoder
from abr_alloc.errors import ToolFailedError, ToolMissingError
from abr_alloc.media.encoding import (
    SAMPLE_RATE_HZ,
    check_encoders,
    encode_audio,
    encode_video,
    read_pcm_bytes,
)
from abr_alloc.media.grid import AudioTarget, VideoTarget
from abr_alloc.media.probe import content_hash, probe, read_packets
from abr_alloc.media.scenes import scan_source
from abr_alloc.media.sound import decode_audio

FAST = {"h264": "ultrafast", "hevc": "ultrafast", "vp9": "8", "av1": "12", "vvc": "faster"}
MOVING = "lavfi:testsrc2=size=96x64:rate=25:duration=2"


def video_target(codec: str = "h264", target: str = "crf=30", size=(96, 64), preset: str | None = None) -> VideoTarget:
    encoder = default_encoder(codec, preset or FAST[codec])
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


def test_he_aac_without_an_encoder_is_told_with_the_way_to_get_one(ffmpeg, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    bare = replace(ffmpeg, encoders=ffmpeg.encoders - {"libfdk_aac"})
    for codec in ("heaac", "heaacv2"):
        with pytest.raises(ToolMissingError, match="apt-get install fdkaac") as missing:
            check_encoders(bare, [], [audio_target(codec)])
        assert missing.value.tool == "fdkaac"


# Audio.


def samples_of(path) -> np.ndarray:
    return np.frombuffer(path.read_bytes(), "<f4").reshape(-1, 2)


def decode(ffmpeg, source, tmp_path, seconds: float = 2.0) -> np.ndarray:
    decode_audio(probe(source, ffmpeg), seconds, tmp_path / "audio.f32")
    assert [path.name for path in tmp_path.iterdir()] == ["audio.f32"]
    return samples_of(tmp_path / "audio.f32")


def test_decoded_audio_is_stereo_at_48_khz_of_the_length_asked_for(ffmpeg, make_media, tmp_path):
    source = make_media("tone441.wav", "lavfi:sine=f=441:r=44100:d=2", "-ac", "2")
    for seconds in (1.0, 1.999, 3.5):
        assert decode(ffmpeg, source, tmp_path, seconds).shape == (round(seconds * SAMPLE_RATE_HZ), 2)


def test_what_is_missing_at_the_end_is_silence(ffmpeg, make_media, tmp_path):
    source = make_media("tone1s.wav", "lavfi:aevalsrc=0.5:s=48000:d=1", "-ac", "2")
    samples = decode(ffmpeg, source, tmp_path)
    assert samples[1000:47000].min() > 0.3
    assert (samples[48_000:] == 0).all()


def test_mono_becomes_two_equal_sides_at_full_level(ffmpeg, make_media, tmp_path):
    samples = decode(ffmpeg, make_media("mono-half.wav", "lavfi:aevalsrc=0.5:s=48000:d=2"), tmp_path)
    assert np.array_equal(samples[:, 0], samples[:, 1])
    assert samples == pytest.approx(0.5, abs=1e-3)


def test_stereo_sides_stay_apart(ffmpeg, make_media, tmp_path):
    samples = decode(ffmpeg, make_media("sides.wav", "lavfi:aevalsrc=0.5|-0.25:s=48000:d=2"), tmp_path)
    assert samples[:, 0] == pytest.approx(0.5, abs=1e-3)
    assert samples[:, 1] == pytest.approx(-0.25, abs=1e-3)


def test_surround_is_mixed_down(ffmpeg, make_media, tmp_path):
    five = "lavfi:aevalsrc=0.2|0.1|0|0|0|0:s=48000:d=2:c=5.1"
    samples = decode(ffmpeg, make_media("front.wav", five, "-c:a", "pcm_s16le"), tmp_path)
    left, right = samples.mean(axis=0)
    assert left > right > 0
    assert left / right == pytest.approx(2, rel=0.01)


def test_audio_that_starts_late_keeps_its_place(ffmpeg, make_media, tmp_path):
    source = make_media(
        *("late-audio.mkv", "lavfi:testsrc2=size=96x64:rate=25:duration=2"),
        *("-itsoffset", "0.5", "-f", "lavfi", "-i", "aevalsrc=0.5|0.5:s=48000:d=1.5"),
        *("-c:v", "ffv1", "-c:a", "pcm_s16le"),
    )
    samples = decode(ffmpeg, source, tmp_path)
    assert (samples[:23_900] == 0).all()
    assert samples[24_100:90_000].min() > 0.3


@pytest.fixture(scope="session")
def pcm(ffmpeg, make_media, tmp_path_factory):
    """Raw audio of 3 s: noise that grows, different on both sides."""
    noise = make_media(
        *("growing.wav", "lavfi:anoisesrc=r=48000:d=3:seed=1:a=0.3", "lavfi:anoisesrc=r=48000:d=3:seed=2:a=0.3"),
        *("-filter_complex", "[0][1]amerge,volume='0.2+t/4':eval=frame"),
    )
    path = tmp_path_factory.mktemp("pcm") / "audio.f32"
    decode_audio(probe(noise, ffmpeg), 3.0, path)
    return path


@pytest.mark.parametrize("codec", ["aac", "opus"])
@pytest.mark.parametrize("channels", [1, 2])
def test_an_audio_encode_is_what_was_asked_for(ffmpeg, pcm, codec, channels, tmp_path):
    encode_audio(ffmpeg, pcm, audio_target(codec, "b=64k", channels), tmp_path / "encode.mp4")
    name, found, rate = describe(tmp_path / "encode.mp4")
    assert (found, rate) == (channels, 48_000)
    assert codec in name
    packets = read_packets(tmp_path / "encode.mp4")
    assert packets.size_bytes.sum() * 8 / 1000 / 3 == pytest.approx(64, rel=0.25)
    assert packets.duration_s.sum() == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("codec", ["aac", "opus"])
def test_two_audio_encodes_are_the_same_bytes(ffmpeg, pcm, codec, tmp_path):
    for name in ("a.mp4", "b.mp4"):
        encode_audio(ffmpeg, pcm, audio_target(codec), tmp_path / name)
    assert content_hash(tmp_path / "a.mp4") == content_hash(tmp_path / "b.mp4")


@pytest.mark.skipif(shutil.which("fdkaac") is None, reason="the fdkaac program is not installed")
@pytest.mark.parametrize("codec", ["heaac", "heaacv2"])
def test_he_aac_is_encoded_by_fdkaac(ffmpeg, pcm, codec, tmp_path):
    encode_audio(ffmpeg, pcm, audio_target(codec, "b=32k"), tmp_path / "encode.mp4")
    assert describe(tmp_path / "encode.mp4")[0].startswith("aac")
    assert [path.name for path in tmp_path.iterdir()] == ["encode.mp4"]


@pytest.mark.parametrize("codec", ["aac", "opus"])
@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, 1.0), (0.2, 1.3), (1.37, 2.5), (2.0, 3.0)])
def test_a_span_of_an_encode_is_the_same_span_of_the_source(ffmpeg, pcm, codec, start_s, end_s, tmp_path):
    """At a high rate noise correlates with its source, and a shift of a single sample would end that."""
    encode_audio(ffmpeg, pcm, audio_target(codec, "b=256k"), tmp_path / "encode.mp4")
    raw = read_pcm_bytes(ffmpeg, tmp_path / "encode.mp4", 2, start_s, end_s)
    found = np.frombuffer(raw, "<f4").reshape(-1, 2)
    first, last = round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ)
    source = samples_of(pcm)[first:last]
    assert found.shape == source.shape
    middle = slice(4800, -4800)
    for side in range(2):
        assert np.corrcoef(found[middle, side], source[middle, side])[0, 1] > 0.8


def test_mono_encodes_are_read_as_two_equal_sides_at_full_level(ffmpeg, make_media, tmp_path):
    tone = make_media("tone-mono.wav", "lavfi:sine=f=500:r=48000:d=2")
    decode_audio(probe(tone, ffmpeg), 2.0, tmp_path / "audio.f32")
    encode_audio(ffmpeg, tmp_path / "audio.f32", audio_target("aac", "b=96k", 1), tmp_path / "encode.mp4")
    found = np.frombuffer(read_pcm_bytes(ffmpeg, tmp_path / "encode.mp4", 1, 0.5, 1.5), "<f4").reshape(-1, 2)
    source = samples_of(tmp_path / "audio.f32")[24_000:72_000]
    assert np.array_equal(found[:, 0], found[:, 1])
    assert found.std() == pytest.approx(source.std(), rel=0.02)


def test_a_failed_audio_encode_leaves_nothing(ffmpeg, tmp_path):
    with pytest.raises(ToolFailedError):
        encode_audio(ffmpeg, tmp_path / "none.f32", audio_target(), tmp_path / "encode.mp4")
    assert list(tmp_path.iterdir()) == []
