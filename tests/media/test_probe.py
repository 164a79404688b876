"""Probing: what a source is, told without decoding it whole."""

from __future__ import annotations

import hashlib
from fractions import Fraction

import av
import numpy as np
import pytest

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.packets import read_packets
from abr_alloc.media.probe import content_hash, probe

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
ONE_SECOND = "lavfi:testsrc2=size=96x64:rate=25:duration=1"


def test_a_plain_file_is_what_it_was_made(ffmpeg, make_media):
    path = make_media("plain.mp4", ONE_SECOND, "lavfi:sine=d=1:r=48000", *H264, "-c:a", "aac", "-ac", "2")
    info = probe(path, ffmpeg)
    assert (info.path, info.width_px, info.height_px, info.fps) == (path, 96, 64, 25)
    assert (info.bit_depth, info.pixel_format, info.interlaced) == (8, "yuv420p", False)
    assert (info.channels, info.sample_rate_hz) == (2, 48_000)
    assert info.duration_s == pytest.approx(1, abs=0.05)
    assert info.has_video and info.has_audio


@pytest.mark.parametrize(
    ("pixel_format", "bits", "kept"),
    [
        ("yuv420p", 8, "yuv420p"),
        ("yuv444p", 8, "yuv420p"),
        ("rgb24", 8, "yuv420p"),
        ("yuv420p10le", 10, "yuv420p10le"),
        ("yuv422p10le", 10, "yuv420p10le"),
        ("yuv420p12le", 10, "yuv420p10le"),
    ],
)
def test_ten_bits_are_kept_and_no_more(ffmpeg, make_media, pixel_format, bits, kept):
    codec = "libx264rgb" if pixel_format == "rgb24" else "ffv1"
    info = probe(make_media(f"{pixel_format}.mkv", ONE_SECOND, "-c:v", codec, "-pix_fmt", pixel_format), ffmpeg)
    assert (info.bit_depth, info.pixel_format) == (bits, kept)


def test_odd_sides_lose_a_pixel(ffmpeg, make_media):
    source = "lavfi:testsrc2=size=65x49:rate=25:duration=0.2"
    info = probe(make_media("odd.mkv", source, "-c:v", "ffv1", "-pix_fmt", "yuv444p"), ffmpeg)
    assert (info.width_px, info.height_px) == (64, 48)


@pytest.mark.parametrize(("degrees", "size"), [(90, (64, 96)), (-90, (64, 96)), (180, (96, 64)), (0, (96, 64))])
def test_rotation_is_undone(ffmpeg, make_media, degrees, size):
    upright = make_media("upright25.mp4", ONE_SECOND, *H264)
    info = probe(
        make_media(f"rotated{degrees}.mp4", "-display_rotation", str(degrees), "-i", upright, "-c", "copy"), ffmpeg
    )
    assert (info.width_px, info.height_px) == size


def test_pixels_are_made_square(ffmpeg, make_media):
    source = "lavfi:testsrc2=size=72x64:rate=25:duration=0.2"
    wide = make_media("anamorphic.mp4", source, "-vf", "setsar=4/3", *H264)
    assert (probe(wide, ffmpeg).width_px, probe(wide, ffmpeg).height_px) == (96, 64)
    turned = make_media("anamorphic-turned.mp4", "-display_rotation", "90", "-i", wide, "-c", "copy")
    assert (probe(turned, ffmpeg).width_px, probe(turned, ffmpeg).height_px) == (64, 96)


@pytest.mark.parametrize("rate", ["24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60", "15", "12"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])  # Matroska's stamps are whole milliseconds
def test_the_rate_is_exact_whatever_the_container_rounds(ffmpeg, make_media, rate, suffix):
    source = f"lavfi:testsrc2=size=96x64:rate={rate}:duration=2"
    assert probe(make_media(f"{rate.replace('/', '-')}.{suffix}", source, *H264), ffmpeg).fps == Fraction(rate)


def test_a_variable_rate_becomes_a_constant_one_between_its_mean_and_its_highest(ffmpeg, make_media):
    select = "select='not(mod(n,3))+not(mod(n,7))'"  # 9 of 21 frames
    source = "lavfi:testsrc2=size=96x64:rate=25:duration=4.2"
    info = probe(make_media("variable.webm", source, "-vf", select, "-fps_mode", "vfr", "-c:v", "libvpx"), ffmpeg)
    assert 25 * 9 / 21 * 0.95 <= info.fps <= 25
    assert info.fps.denominator <= 1001


@pytest.mark.parametrize(
    ("name", "channels", "rate"), [("mono", 1, 44_100), ("stereo", 2, 48_000), ("5.1", 6, 48_000), ("7.1", 8, 96_000)]
)
def test_channels_and_rate_are_those_of_the_first_track(ffmpeg, make_media, name, channels, rate):
    source = f"lavfi:anullsrc=cl={name}:r={rate}:d=0.5"
    info = probe(make_media(f"{name}.wav", source, "-c:a", "pcm_s16le"), ffmpeg)
    assert (info.channels, info.sample_rate_hz) == (channels, rate)
    assert not info.has_video


def test_a_file_without_audio_has_none(ffmpeg, make_media):
    info = probe(make_media("mute25.mp4", ONE_SECOND, *H264), ffmpeg)
    assert (info.channels, info.sample_rate_hz, info.has_audio) == (0, 0, False)


def test_cover_art_is_no_video(ffmpeg, make_media):
    song = make_media(
        *("song.mp4", "lavfi:testsrc2=size=64x64:rate=1", "lavfi:sine=d=1", "-frames:v", "1", "-c:v", "mjpeg"),
        *("-pix_fmt", "yuvj420p", "-disposition:v:0", "attached_pic", "-c:a", "aac"),
    )
    info = probe(song, ffmpeg)
    assert info.has_audio and not info.has_video


def test_interlaced_video_is_told(ffmpeg, make_media):
    source = "lavfi:testsrc2=size=96x64:rate=50:duration=1"
    path = make_media("fields.ts", source, "-vf", "interlace", "-c:v", "mpeg2video", "-flags", "+ilme+ildct")
    assert probe(path, ffmpeg).interlaced


def test_a_still_image_is_no_source(ffmpeg, make_media):
    with pytest.raises(UnsupportedMediaError):
        probe(make_media("still.png", "lavfi:testsrc2=size=64x64", "-frames:v", "1"), ffmpeg)


def test_subtitles_alone_are_no_source(ffmpeg, make_media, tmp_path):
    text = tmp_path / "words.srt"
    text.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    with pytest.raises(UnsupportedMediaError, match="neither video nor audio"):
        probe(make_media("words.mkv", "-i", text), ffmpeg)


@pytest.mark.parametrize("length", [1, 100, 3000, 5000])
def test_text_is_told_from_media_by_its_bytes(ffmpeg, tmp_path, length):
    path = tmp_path / "notes.mp4"
    path.write_text("é" * length, encoding="utf-8")
    with pytest.raises(UnsupportedMediaError, match="is text"):
        probe(path, ffmpeg)


def test_the_error_carries_the_path(ffmpeg, tmp_path):
    with pytest.raises(UnsupportedMediaError) as refused:
        probe(tmp_path / "none.mp4", ffmpeg)
    assert refused.value.path == str(tmp_path / "none.mp4")


def test_packets_are_the_whole_stream_in_presentation_order(make_media):
    path = make_media("b-frames.mp4", ONE_SECOND, "-c:v", "libx264", "-bf", "3", "-pix_fmt", "yuv420p")
    packets = read_packets(path)
    assert len(packets.start_s) == len(packets.duration_s) == len(packets.size_bytes) == 25
    assert np.diff(packets.start_s) == pytest.approx(0.04)
    assert packets.duration_s == pytest.approx(0.04)
    container_bytes = path.stat().st_size - packets.size_bytes.sum()
    assert 0 < container_bytes < 3000


def test_packets_stand_in_presentation_order_though_frames_are_coded_ahead(make_media):
    path = make_media("ahead.mp4", ONE_SECOND, *H264[:2], "-bf", "3", "-b_strategy", "0", "-pix_fmt", "yuv420p")
    with av.open(str(path)) as container:
        coded = [(packet.pts, packet.size) for packet in container.demux(container.streams[0]) if packet.size]
    assert coded != sorted(coded)
    packets = read_packets(path)
    assert packets.size_bytes.tolist() == [size for _, size in sorted(coded)]
    assert (np.diff(packets.start_s) > 0).all()


def test_content_hash_is_sha_256(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert content_hash(path) == hashlib.sha256(b"abc").hexdigest()
