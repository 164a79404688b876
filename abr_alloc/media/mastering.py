"""What an HDR source says beside its samples: static metadata (SMPTE ST 2086, CTA-861.3), and layers that are left out.

It is read from what the ffmpeg program tells of the first frames, wherever a file holds it (SEI messages of HEVC,
metadata OBUs of AV1, boxes of MP4, elements of Matroska), and handed to encoders in their own words, so that no
version of ffmpeg has to pass it on by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from abr_alloc.media.colour import HdrMetadata

__all__ = ["DROP_HDR", "DROP_LAYERS", "hdr_notes", "read_dolby", "read_hdr", "svtav1_words", "x265_words"]

_NUMBER = r"([\d.]+)"
_PAIR = rf"\({_NUMBER}[, ]+{_NUMBER}\)"
_DISPLAY = re.compile(
    r"Mastering display metadata: has_primaries:(\d) has_luminance:(\d) "
    rf"r{_PAIR} g{_PAIR} b{_PAIR} wp{_PAIR} min_luminance={_NUMBER}, max_luminance={_NUMBER}"
)
_LIGHT = re.compile(r"Content light level metadata: MaxCLL=(\d+), MaxFALL=(\d+)")
_DOLBY = re.compile(r"DOVI configuration record:.*?profile: (\d+),.*?compatibility id: (\d+)")
_DYNAMIC = re.compile(r"side data - HDR Dynamic Metadata SMPTE2094-40")

_XY_UNIT, _LUMINANCE_UNIT = 0.00002, 0.0001
"""Steps of chromaticities and of cd/m2 in the SEI message (Rec. ITU-T H.265, D.3.28)."""


def _drop(names: Sequence[str]) -> str:
    return ",".join(f"sidedata=mode=delete:type={name}" for name in names)


DROP_LAYERS = _drop(("DOVI_RPU_BUFFER", "DOVI_METADATA", "DYNAMIC_HDR_PLUS"))
"""Filters that take from frames what belongs to one grade at one size: it is not carried."""
DROP_HDR = f"{DROP_LAYERS},{_drop(('MASTERING_DISPLAY_METADATA', 'CONTENT_LIGHT_LEVEL'))}"
"""Filters that take all that speaks of HDR from frames that are SDR now."""


def read_hdr(lines: Sequence[str]) -> HdrMetadata | None:
    """Static metadata from ffmpeg's log of the first frames; None where there is none. MaxCLL and MaxFALL of 0 are not
    known (CTA-861.3, A.1)."""
    display = next((found for line in lines if (found := _DISPLAY.search(line))), None)
    light = next((found for line in lines if (found := _LIGHT.search(line))), None)
    levels = [int(value) or None for value in light.groups()] if light else [None, None]
    numbers = [float(value) for value in display.groups()[2:]] if display else []
    primaries = display is not None and display[1] == "1"
    luminance = display is not None and display[2] == "1" and numbers[9] > 0
    told = HdrMetadata(
        primaries_xy=(
            ((numbers[0], numbers[1]), (numbers[2], numbers[3]), (numbers[4], numbers[5])) if primaries else None
        ),
        white_xy=(numbers[6], numbers[7]) if primaries else None,
        luminance_cd_m2=(numbers[8], numbers[9]) if luminance else None,
        max_cll_cd_m2=levels[0],
        max_fall_cd_m2=levels[1],
    )
    return None if told == HdrMetadata() else told


def read_dolby(lines: Sequence[str]) -> tuple[int, int] | None:
    """Profile of Dolby Vision and what its base layer is compatible with (0: nothing, 1 and 6: HDR10, 2: SDR, 4: HLG),
    from ffmpeg's log; None without."""
    found = next((found for line in lines if (found := _DOLBY.search(line))), None)
    return (int(found[1]), int(found[2])) if found else None


def hdr_notes(lines: Sequence[str], dynamic_range: str, found: HdrMetadata | None) -> Iterator[str]:
    """What a user should be told of an HDR source, a phrase each."""
    name = {"PQ": "HDR10", "HLG": "HLG"}.get(dynamic_range, "SDR")
    if dolby := read_dolby(lines):
        yield f"Dolby Vision profile {dolby[0]} is carried as its base layer, {name}, without Dolby's own metadata"
    if any(map(_DYNAMIC.search, lines)):
        yield "HDR10+ metadata, which is of every scene at the source's size, is left out"
    if dynamic_range == "PQ":
        missing = [] if found is not None and found.has_display else ["mastering display"]
        missing += [] if found is not None and found.max_cll_cd_m2 else ["content light level"]
        if missing:
            yield f"PQ without metadata of its {' and '.join(missing)}: renditions have none either"


def x265_words(hdr: HdrMetadata | None) -> str:
    """x265's parameters of static metadata; empty where there is none."""
    words = []
    if hdr is not None and hdr.has_display:
        assert hdr.primaries_xy is not None and hdr.white_xy is not None and hdr.luminance_cd_m2 is not None
        red, green, blue = (_steps(xy) for xy in hdr.primaries_xy)
        low, high = (round(value / _LUMINANCE_UNIT) for value in hdr.luminance_cd_m2)
        words.append(f"master-display=G({green})B({blue})R({red})WP({_steps(hdr.white_xy)})L({high},{low})")
    if hdr is not None and hdr.max_cll_cd_m2:
        words.append(f"max-cll={hdr.max_cll_cd_m2},{hdr.max_fall_cd_m2 or 0}")
    return ":".join(words)


def _steps(xy: tuple[float, float]) -> str:
    return ",".join(str(round(value / _XY_UNIT)) for value in xy)


def svtav1_words(hdr: HdrMetadata | None) -> str:
    """SVT-AV1's parameters of static metadata, likewise; of words that it cannot read it never ends."""
    words = []
    if hdr is not None and hdr.has_display:
        assert hdr.primaries_xy is not None and hdr.white_xy is not None and hdr.luminance_cd_m2 is not None
        red, green, blue, white = (f"({x:.5f},{y:.5f})" for x, y in (*hdr.primaries_xy, hdr.white_xy))
        low, high = hdr.luminance_cd_m2
        words.append(f"mastering-display=G{green}B{blue}R{red}WP{white}L({high:.4f},{low:.4f})")
    if hdr is not None and hdr.max_cll_cd_m2:
        words.append(f"content-light={hdr.max_cll_cd_m2},{hdr.max_fall_cd_m2 or 0}")
    return ":".join(words)
