"""Closed captions that lie within coded pictures (CEA-608 and 708).

They are user data that ATSC A/53, part 4, 6.2.3, registered with ITU-T T.35: a country, a provider and the letters
GA94, in front of every picture whatever its codec. The nine bytes are the same in H.264, HEVC and AV1, because nothing
in them needs to be escaped.
"""

from __future__ import annotations

__all__ = ["has_captions"]

_CAPTION_DATA = b"\xb5\x00\x31GA94\x03"
"""The United States, ATSC, its identifier, and the type of user data that captions are."""


def has_captions(segment: bytes) -> bool:
    """Whether a video segment carries captions; empty ones count, as a decoder sees them all the same."""
    return _CAPTION_DATA in segment
