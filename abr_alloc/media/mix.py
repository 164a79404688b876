"""Channels mixed down to stereo: one matrix, whatever the codec.

Left and right take what is theirs as it is, the centre and each surround of their side at -3 dB, and no low-frequency
effects (Rec. ITU-R BS.775-4, annex 4, table 2). What the table does not have: side and back surrounds of 7.1, and
channels of height, are taken as surrounds of their side, and one in the middle goes to both sides at -6 dB. Nothing is
normalised: a mix may exceed full scale, which samples in floating point keep. Mono is left and right at full level, as
players play it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["stereo_matrix"]

_HALF_POWER = float(np.sqrt(0.5))
# Channel, as ffmpeg names it -> gains to left and right.
_GAINS = {
    "FL": (1.0, 0.0), "FR": (0.0, 1.0), "DL": (1.0, 0.0), "DR": (0.0, 1.0),
    "FC": (_HALF_POWER, _HALF_POWER), "FLC": (1.0, 0.0), "FRC": (0.0, 1.0),
    "SL": (_HALF_POWER, 0.0), "SR": (0.0, _HALF_POWER), "BL": (_HALF_POWER, 0.0), "BR": (0.0, _HALF_POWER),
    "WL": (1.0, 0.0), "WR": (0.0, 1.0), "BIL": (1.0, 0.0), "BIR": (0.0, 1.0),
    "TFL": (_HALF_POWER, 0.0), "TFR": (0.0, _HALF_POWER), "TSL": (_HALF_POWER, 0.0), "TSR": (0.0, _HALF_POWER),
    "TBL": (_HALF_POWER, 0.0), "TBR": (0.0, _HALF_POWER), "BC": (0.5, 0.5), "TC": (0.5, 0.5), "TFC": (0.5, 0.5),
    "TBC": (0.5, 0.5), "LFE": (0.0, 0.0), "LFE2": (0.0, 0.0),
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
        channels: name of each channel, as ffmpeg has it; `NONE` for all stands for the usual layout of so many.

    Returns:
        None where no such mix is known: channels of a sound field, too many without names, or unusual ones.
    """
    if len(channels) == 1:
        return np.ones((2, 1), dtype=np.float32)
    names = _UNNAMED.get(len(channels), channels) if set(channels) <= {"NONE", "UNK", "UNSD"} else channels
    if any(name not in _GAINS for name in names):
        return None
    return np.array([_GAINS[name] for name in names], dtype=np.float32).T
