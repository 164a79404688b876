"""Audio quality as the models believe it: what is known of codec and rate, corrected by what ViSQOL hears.

    A     = 0.8 A_prior + 0.2 A_head        codec and rate known;  A_head alone where they are not
    A_prior = P.1203.2's curve of the codec at k,    k = delivered kbps x 2 / channels
    A_head  = a regression of A_prior on the 512 ViSQOL statistics

ViSQOL's own MOS is not people's: LIVE-SJTU's panel gives AAC-LC at 32 kbps 89 % of what transparent audio adds, at 8 kbps
47 %, and ViSQOL scores the two alike, because it hates a low-pass. A gain known by rate alone comes far closer
(docs/evaluation.md). `audio_mos` and `visqol_mos` of a feature table stay what was measured; `audio_quality_mos` is
derived from a table when it is read, so that old tables have it too.

Axes: n audio renditions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from abr_alloc.models.p1203 import P1203_CODECS, p1203_quality_mos

__all__ = ["AUDIO_QUALITY", "TRANSPARENT_MOS", "prior_mos", "transparent_kbps"]

Floats = npt.NDArray[np.float64]

AUDIO_QUALITY = "audio_quality_mos"
"""Name of the derived column."""

CURVES = {
    **{codec: P1203_CODECS[codec] for codec in ("aac", "heaac", "heaacv2", "ac3")},
    "eac3": P1203_CODECS["ac3"],
    "opus": (-0.08, 14.60),
}
"""a2 and a3 of each codec's curve. Opus's are an assumption (AAC-LC's ceiling, reached at lower rates), and so is that
E-AC-3 is no worse than AC-3: P.1203.2 has neither."""

_VBR_CODECS = frozenset({"opus"})
_MOST_OF_TARGET = 1.3  # a VBR encoder spends more on a hard scene; that does not make the scene better than asked for

TRANSPARENT_MOS = float(p1203_quality_mos(*CURVES["aac"], np.array([1e6]))[0])
"""Audio quality of AAC-LC at any rate, 4.56: what transparent audio has."""

_NEAR_CEILING_MOS = 0.01


def prior_mos(codec: Sequence[str], kbps: Floats, channels: Floats, target_kbps: Floats) -> Floats:
    """A_prior, (n,); NaN where the codec has no curve or the rate is not known.

    Args:
        codec: codecs, (n,).
        kbps: delivered rates, (n,); NaN where unknown.
        channels: channels, (n,).
        target_kbps: rates that the encoder was asked for, (n,); NaN where unknown.
    """
    names = np.asarray(codec, dtype=object)
    stereo = np.asarray(kbps, dtype=np.float64)
    vbr = np.isin(names, list(_VBR_CODECS)) & np.isfinite(target_kbps)
    stereo = np.where(vbr, np.minimum(stereo, _MOST_OF_TARGET * np.asarray(target_kbps)), stereo) * 2.0 / channels
    found = np.full(len(names), np.nan)
    for name, (a2, a3) in CURVES.items():
        rows = names == name
        if rows.any():
            found[rows] = p1203_quality_mos(a2, a3, stereo[rows])
    return found


def transparent_kbps(codec: str, channels: int = 2) -> float:
    """The rate from which on a codec's curve lies within 0.01 MOS of its ceiling, kbps; inf for a codec without a curve.

    More audio rate than that buys nothing that people hear.
    """
    if codec not in CURVES:
        return float("inf")
    rates = np.arange(1.0, 1000.0)
    mos = p1203_quality_mos(*CURVES[codec], rates)
    return float(rates[np.argmax(mos >= mos[-1] - _NEAR_CEILING_MOS)]) * channels / 2.0
