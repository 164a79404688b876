"""Channels mixed down to stereo, or to 5.1: one matrix each, whatever the codec.

Left and right take what is theirs as it is, the centre and each surround of their side at -3 dB, and no low-frequency
effects (Rec. ITU-R BS.775-4, annex 4, table 2). What the table does not have: side and back surrounds of 7.1, and
channels of height, are taken as surrounds of their side, and one in the middle goes to both sides at -6 dB. Nothing is
normalised: a mix may exceed full scale, which samples in floating point keep. Mono is left and right at full level, as
players play it.

5.1 is FL FR FC LFE and two surrounds, in the order in which encoders take them; whether a file calls the surrounds side
or back says nothing of where they stand. Of larger layouts what 5.1 has stays as it is; side and back surrounds of 7.1
are added, and channels of height and others go where the stereo mix has them. So a mix to 5.1 that is mixed to stereo
is the mix to stereo.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["MIXED_CHANNELS", "STEREO_OF_SURROUND", "has_surround", "stereo_matrix", "surround_matrix"]

MIXED_CHANNELS = (2, 6)
"""What sound is mixed to: stereo, or 5.1."""

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


_SURROUND = ("FL", "FR", "FC", "LFE", "SL", "SR")
# Channel -> gains to FL FR FC LFE SL SR, of those that 5.1 has not, and of those of other names that it has. Each comes
# to `_GAINS` when 5.1 is mixed to stereo.
_TO_SURROUND = {
    "BL": {"SL": 1.0}, "BR": {"SR": 1.0}, "LFE2": {"LFE": 1.0},
    "TSL": {"SL": 1.0}, "TSR": {"SR": 1.0}, "TBL": {"SL": 1.0}, "TBR": {"SR": 1.0},
    "TFL": {"FL": _HALF_POWER}, "TFR": {"FR": _HALF_POWER},
    "BC": {"SL": _HALF_POWER, "SR": _HALF_POWER}, "TBC": {"SL": _HALF_POWER, "SR": _HALF_POWER},
    "TC": {"FL": 0.5, "FR": 0.5}, "TFC": {"FC": _HALF_POWER},
    "DL": {"FL": 1.0}, "DR": {"FR": 1.0}, "FLC": {"FL": 1.0}, "FRC": {"FR": 1.0}, "WL": {"FL": 1.0}, "WR": {"FR": 1.0},
    "BIL": {"FL": 1.0}, "BIR": {"FR": 1.0},
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
    names = _named(channels)
    if any(name not in _GAINS for name in names):
        return None
    return np.array([_GAINS[name] for name in names], dtype=np.float32).T


def surround_matrix(channels: Sequence[str]) -> npt.NDArray[np.float32] | None:
    """Gains (6, C) to FL FR FC LFE SL SR.

    What lacks channels of 5.1 leaves them silent: stereo is the front alone, mono the centre. `has_surround` tells what
    is worth it.

    Args:
        channels: as for `stereo_matrix`.

    Returns:
        None where `stereo_matrix` knows no mix.
    """
    names = ("FC",) if len(channels) == 1 else _named(channels)
    if any(name not in _GAINS for name in names):
        return None
    return np.array(
        [[_TO_SURROUND.get(name, {name: 1.0}).get(to, 0.0) for to in _SURROUND] for name in names], dtype=np.float32
    ).T


def has_surround(channels: Sequence[str]) -> bool:
    """Whether channels are those of 5.1 at least: three in front, low-frequency effects, and a pair of surrounds.

    Ten channels without names are not, nor are 3.0, 4.0, 5.0 or 6.0.
    """
    names = set(_named(channels))
    return (
        {"FL", "FR", "FC", "LFE"} <= names and ({"SL", "SR"} <= names or {"BL", "BR"} <= names) and names <= {*_GAINS}
    )


def _named(channels: Sequence[str]) -> Sequence[str]:
    return _UNNAMED.get(len(channels), channels) if set(channels) <= {"NONE", "UNK", "UNSD"} else channels


STEREO_OF_SURROUND = np.array([_GAINS[name] for name in _SURROUND], dtype=np.float32).T
"""Gains (2, 6) from 5.1 to left and right."""
