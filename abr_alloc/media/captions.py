"""Closed captions that lie within coded pictures (CEA-608 and 708).

They are user data that ATSC A/53, part 4, 6.2.3, registered with ITU-T T.35: a country, a provider and the letters
GA94, in front of every picture whatever its codec. The nine bytes are the same in H.264, HEVC and AV1, because nothing
in them needs to be escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from abr_alloc.encoders import VideoEncoder
from abr_alloc.media.encoder_options import read_encoder_options
from abr_alloc.media.ffmpeg import FFmpeg

__all__ = ["caption_words", "has_captions", "shows_captions"]

_IN_FRAMES = "side data - ATSC A53 Part 4 Closed Captions"
"""What ffmpeg's showinfo says of a decoded frame that has some."""

_CAPTION_DATA = b"\xb5\x00\x31GA94\x03"
"""The United States, ATSC, its identifier, and the type of user data that captions are."""


def has_captions(segment: Path) -> bool:
    """Whether a video segment carries captions; empty ones count, as a decoder sees them all the same."""
    return _CAPTION_DATA in segment.read_bytes()


def shows_captions(lines: Sequence[str]) -> bool:
    """Whether frames of a source carry captions, by what ffmpeg told of them."""
    return any(_IN_FRAMES in line for line in lines)


def caption_words(ffmpeg: FFmpeg, encoder: VideoEncoder) -> list[str]:
    """Words of ffmpeg's by which an encoder writes the captions that its frames carry, where it must be told and can:
    x264 does by itself, x265 does not, and SVT-AV1 cannot."""
    name = encoder.encoder if encoder.software is None else encoder.software.name
    takes = name == "libx265" and "a53cc" in read_encoder_options(ffmpeg, name).options
    return ["-a53cc", "1"] if takes else []
