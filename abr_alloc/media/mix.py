"""Channels mixed down to stereo: one matrix, whatever the codec.

Left and right take what is theirs as it is, the centre and each surround of their side at -3 dB, and no low-frequency
effects (Rec. ITU-R BS.775-4, annex 4, table 2; side and back surrounds of 7.1 are taken alike, and a single back one
goes to both sides at -6 dB). Nothing is normalised: a mix may exceed full scale, which samples in floating point
keep. Mono is left and right at full level, as players play it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["MAX_MIXED_CHANNELS", "stereo_matrix"]

MAX_MIXED_CHANNELS = 8
"""More channels than 7.1 are no layout that a stereo mix is known for."""

_HALF_POWER = float(np.sqrt(0.5))
# Channel, as ffmpeg names it -> gains to left and right.
_GAINS = {
    "FL": (1.0, 0.0), "FR": (0.0, 1.0), "DL": (1.0, 0.0), "DR": (0.0, 1.0),
    "FC": (_HALF_POWER, _HALF_POWER), "FLC": (1.0, 0.0), "FRC": (0.0, 1.0),
    "SL": (_HALF_POWER, 0.0), "SR": (0.0, _HALF_POWER), "BL": (_HALF_POWER, 0.0), "BR": (0.0, _HALF_POWER),
    "WL": (1.0, 0.0), "WR": (0.0, 1.0), "BC": (0.5, 0.5), "LFE": (0.0, 0.0), "LFE2": (0.0, 0.0),
}  # fmt: skip
# What a number of channels without names means: ffmpeg's defaults, which are those of WAVE.
_UNNAMED = {
    1: ("FC",), 2: ("FL", "FR"), 3: ("FL", "FR", "LFE"), 4: ("FL", "FR", "FC", "BC"), 5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"), 7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}  # fmt: skip


def stereo_matrix(channels: Sequence[str]) -> npt.NDArray[np.float32] | None:
    """Gains (2, C) to left and right.

    Args:
        channels: name of each channel, as ffmpeg has it; names that it does not know stand for a usual layout.

    Returns:
        None where there is no such mix: too many channels, or an unusual set of them.
    """
    if len(channels) == 1:
        return np.ones((2, 1), dtype=np.float32)
    if len(channels) > MAX_MIXED_CHANNELS:
        return None
    names = channels if all(name in _GAINS for name in channels) else _UNNAMED.get(len(channels), ())
    if len(names) != len(channels):
        return None
    return np.array([_GAINS[name] for name in names], dtype=np.float32).T
