"""ITU-T P.1203.2: audio quality from codec and rate, for ratings whose audio was not measured.

Q = 100 - (100 exp(a2 kbps) + a3),   MOS = 1.05 + 3.85 Q / 100 + Q (Q - 60) (100 - Q) 7e-6
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

__all__ = ["P1203_CODECS", "aac_mos", "p1203_audio_mos", "p1203_quality_mos"]

Floats = npt.NDArray[np.float64]

# ITU-T P.1203.2, clause 8: a2 and a3 of each codec.
P1203_CODECS: Mapping[str, tuple[float, float]] = {
    "aac": (-0.05, 14.60),
    "heaac": (-0.11, 20.06),
    "heaacv2": (-0.11, 20.06),
    "ac3": (-0.03, 15.70),
    "mp2": (-0.02, 15.48),
}


def p1203_audio_mos(codec: str, kbps: Floats) -> Floats:
    """ITU-T P.1203.2's audio MOS of a codec at rates (n,), 1.05-4.9.

    Raises:
        KeyError: the Recommendation has no curve for the codec.
    """
    return p1203_quality_mos(*P1203_CODECS[codec], kbps)


def p1203_quality_mos(a2: float, a3: float, kbps: Floats) -> Floats:
    """The Recommendation's form with any coefficients, at rates (n,); NaN at NaN."""
    q = 100.0 - (100.0 * np.exp(a2 * np.asarray(kbps, dtype=np.float64)) + a3)
    mos = 1.05 + 3.85 * q / 100.0 + q * (q - 60.0) * (100.0 - q) * 7e-6
    return np.where(q <= 0.0, 1.05, np.where(q >= 100.0, 4.9, mos))


def aac_mos(kbps: Floats) -> Floats:
    """`p1203_audio_mos` of AAC-LC."""
    return p1203_audio_mos("aac", kbps)
