"""Columns of rated tables: read as numbers, and what follows from codec, rate and statistics of the audio.

Axes: n stimuli.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from abr_alloc.documents import shown
from abr_alloc.errors import FeatureTableError
from abr_alloc.models.audio_quality import AUDIO_QUALITY, audio_quality_mos, prior_mos
from abr_alloc.models.p1203 import P1203_CODECS, p1203_audio_mos
from abr_alloc.table.table import AUDIO_FEATURES, range_of

__all__ = ["derive_audio", "numbers_of", "place_of"]

Floats = npt.NDArray[np.float64]


def derive_audio(frame: pd.DataFrame) -> pd.DataFrame:
    """Add `bitrate_kbps`, `audio_mos` and `audio_quality_mos` where they follow from what is there."""
    frame = _derive_rate(frame)
    if AUDIO_QUALITY in frame.columns:
        return frame
    prior = np.full(len(frame), np.nan)
    if "audio_kbps" in frame.columns:
        codecs = frame["audio_codec"].astype(str) if "audio_codec" in frame.columns else ["aac"] * len(frame)
        channels = numbers_of(frame, "channels") if "channels" in frame.columns else np.full(len(frame), 2.0)
        prior = prior_mos(list(codecs), frame["bitrate_kbps"].to_numpy(), channels, np.full(len(frame), np.nan))
    if set(AUDIO_FEATURES) <= set(frame.columns):
        quality = audio_quality_mos(prior, frame[list(AUDIO_FEATURES)].to_numpy(dtype=np.float64))
    elif "audio_mos" in frame.columns:
        quality = np.where(np.isnan(prior), numbers_of(frame, "audio_mos"), prior)
    else:
        quality = prior
    return frame if np.isnan(quality).any() else frame.assign(**{AUDIO_QUALITY: quality})


def _derive_rate(frame: pd.DataFrame) -> pd.DataFrame:
    """Add `bitrate_kbps` and `audio_mos` where they follow from the audio's codec and rate."""
    if "audio_kbps" not in frame.columns:
        # A video-only table's rate is the video's: no system may take it for the audio's.
        return frame if "audio_mos" in frame.columns else frame.drop(columns="bitrate_kbps", errors="ignore")
    kbps = numbers_of(frame, "audio_kbps")
    frame = frame.assign(bitrate_kbps=kbps)
    if "audio_mos" not in frame.columns:
        codecs = frame["audio_codec"] if "audio_codec" in frame.columns else pd.Series("aac", index=frame.index)
        known = codecs.isin(list(P1203_CODECS)).to_numpy()
        if known.any() and not known.all():
            row = int(np.flatnonzero(~known)[0])
            raise FeatureTableError(
                f"{place_of(row)}, column audio_codec: P.1203.2 has no curve for {codecs.iloc[row]!r}, only for "
                f"{', '.join(P1203_CODECS)}; correct it, or add a column audio_mos",
                column="audio_codec",
                row=row,
            )
        if known.all():
            parts = [p1203_audio_mos(str(codec), rate) for codec, rate in zip(codecs, kbps, strict=True)]
            frame = frame.assign(audio_mos=np.array(parts, dtype=np.float64))
    return frame


def place_of(row: int) -> str:
    """Where a row stands: tables count from 0, editors show the line of a CSV file."""
    return f"ratings row {row} (line {row + 2} of a CSV)"


def numbers_of(frame: pd.DataFrame, column: str) -> Floats:
    """A column as finite numbers in the range that the feature may have."""
    numbers = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    low, high = (1e-6, 1e5) if column == "audio_kbps" else range_of(column)
    bad = ~np.isfinite(numbers) | (numbers < low) | (numbers > high)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        found = frame[column].iloc[row]
        what = (
            f"{numbers[row]:g} is outside {low:g}..{high:g}"
            if np.isfinite(numbers[row])
            else f"{shown(found)} is no finite number"
        )
        if pd.isna(found):
            what = "empty, or no number"
        raise FeatureTableError(f"{place_of(row)}, column {column}: {what}; correct it", column=column, row=row)
    return numbers
