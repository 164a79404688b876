"""Closed captions that lie in pictures: seen in a source, kept by encoders, and read at the end by ffmpeg's decoder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from abr_alloc.encoders import default_encoder
from abr_alloc.media.captions import caption_words, has_captions
from abr_alloc.media.cmaf import encode_rendition
from abr_alloc.media.encoder_arguments import Ask
from abr_alloc.media.grid import VideoTarget
from abr_alloc.media.probe import probe

TEXT = "HELLO WORLD "
# CEA-608: roll-up captions of two lines, carriage return, the bottom row; each command twice.
CLEAR = (0x14, 0x2C)
COMMANDS = [pair for pair in ((0x14, 0x25), (0x14, 0x2D), (0x14, 0x70)) for _ in range(2)]


def odd(byte: int) -> int:
    return byte | (0x80 if byte.bit_count() % 2 == 0 else 0)


def with_captions(stream: bytes) -> bytes:
    """An H.264 byte stream with a pair of CEA-608's bytes in front of every picture (ATSC A/53-4, 6.2.3)."""
    pairs = [*COMMANDS, *zip(TEXT[::2].encode(), TEXT[1::2].encode(), strict=True)]
    written, number = b"", 0
    for unit in re.split(rb"(?=\x00\x00\x01)", stream):
        if len(unit) > 4 and unit[3] & 31 in (1, 5) and unit[4] & 0x80:  # the first slice of a picture
            first, second = pairs[number] if number < len(pairs) else CLEAR if 40 <= number < 42 else (0, 0)
            number += 1
            data = b"\xb5\x00\x31GA94\x03" + bytes([0xC1, 0xFF, 0xFC, odd(first), odd(second), 0xFF])
            written += b"\x00\x00\x01\x06\x04" + bytes([len(data)]) + data + b"\x80"
        written += unit
    return written


@pytest.fixture(scope="module")
def captioned(ffmpeg, make_media, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("captions")
    plain = make_media(
        "plain.h264", "lavfi:testsrc2=size=64x36:rate=30:duration=1.5",
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", "0"),
    )  # fmt: skip
    (folder / "captioned.h264").write_bytes(with_captions(plain.read_bytes()))
    ffmpeg.run(["-r", "30", "-i", folder / "captioned.h264", "-c", "copy", folder / "captioned.mp4"])
    return folder / "captioned.mp4"


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_captions_are_seen_kept_and_say_what_they_said(ffmpeg, captioned, tmp_path, codec):
    info = probe(captioned, ffmpeg)
    assert info.has_captions
    encoder = default_encoder(codec, "ultrafast")
    target = VideoTarget(codec=codec, width_px=48, height_px=32, target="b=60k", encoder=encoder)
    made = tmp_path / "made.mp4"
    encode_rendition(ffmpeg, info, target, Ask(mode="crf", number=30.0), made)
    assert has_captions(made.read_bytes())
    graph = f"movie={made}[out0+subcc]"
    assert TEXT.strip() in ffmpeg.run(["-f", "lavfi", "-i", graph, "-map", "0:s", "-f", "srt", "-"]).decode()


def test_a_source_without_says_so_and_its_encoder_is_told_nothing(ffmpeg, make_media):
    path = make_media("bare.mp4", "lavfi:testsrc2=size=64x36:rate=30:duration=0.5", "-c:v", "libx264")
    assert not probe(path, ffmpeg).has_captions
    assert not has_captions(path.read_bytes())
    assert caption_words(ffmpeg, default_encoder("h264")) == []
