"""Audio quality as the models believe it: what is known of codec and rate, corrected by what was heard.

    A     = 0.8 A_prior + 0.2 A_head        codec and rate known;  A_head alone where they are not
    A_prior = P.1203.2's curve of the codec at k,    k = max(delivered, target) kbps x 2 / full channels
    A_head  = a regression of A_prior on the 512 ViSQOL statistics, or what the listener gave

and audio that was heard to be its own source is transparent, whatever it took: digital silence, say. So is A_prior of a
lossless codec. The listener's MOS is on people's scale and needs no regression; it ends where transparent audio is.

5.1 counts as five channels: its sixth has low frequencies alone, which cost next to nothing. So E-AC-3 at 384 kbps in
5.1 is as good as at 154 kbps in stereo; services ship 192 to 448, AC-3 at 384 to 640, AAC at 256 to 384. Its statistics
are those of its stereo mix beside the source's. What surround adds for who hears it is in no rating that this rests on,
and nothing is added for it: transparent 5.1 is as good as transparent stereo of its codec.

ViSQOL's own MOS is not people's: LIVE-SJTU's panel gives AAC-LC at 32 kbps 89 % of what transparent audio adds, at 8
kbps 47 %, and ViSQOL scores the two alike, because it hates a low-pass. A gain known by rate alone comes far closer
(docs/evaluation.md). `audio_mos` and `visqol_mos` of a feature table stay what was measured; `audio_quality_mos` is
derived from a table when it is read, so that old tables have it too.

Axes: n audio renditions.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from abr_alloc.audio_families import LISTENER
from abr_alloc.codecs import AUDIO_CODECS
from abr_alloc.errors import CheckpointError, UnitError
from abr_alloc.models.p1203 import P1203_CODECS, p1203_quality_mos
from abr_alloc.models.stored import StoredTensors
from abr_alloc.table.columns import Columns
from abr_alloc.table.schema import types_of
from abr_alloc.table.table import AUDIO_FEATURES, feature_columns
from abr_alloc.targets import Target

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AUDIO_QUALITY",
    "CURVES",
    "LISTENER_PRIOR_SHARE",
    "TRANSPARENT_MOS",
    "VISQOL_PRIOR_SHARE",
    "AudioHead",
    "audio_quality_mos",
    "heard_quality_mos",
    "is_transparent",
    "load_head",
    "prior_mos",
    "quality_of_rows",
    "transparent_kbps",
]

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

_LOSSLESS = frozenset(codec.name for codec in AUDIO_CODECS.values() if codec.is_lossless)
_VBR_CODECS = frozenset(codec.name for codec in AUDIO_CODECS.values() if codec.is_vbr)
_MOST_OF_TARGET = 1.3  # a VBR encoder spends more on a hard scene; that does not make the scene better than asked for

TRANSPARENT_MOS = float(p1203_quality_mos(*CURVES["aac"], np.array([1e6]))[0])
"""Audio quality of AAC-LC at any rate, 4.56: what transparent audio has."""

_NEAR_CEILING_MOS = 0.01
_LEAST_WITH_LFE = 6  # channels of 5.1: of so many, one has low frequencies alone
_LOWEST_MOS = 1.05  # the Recommendation's polynomial dips below its own foot by 0.01 before it rises


_QUALITY_COLUMNS = (
    *("codec", "channels", "target", "bitrate_kbps", "audio_mos", "audio_spread_mos", "audio_features"),
)
VISQOL_PRIOR_SHARE = 0.8
"""Weight of A_prior beside the regression on ViSQOL's statistics."""
LISTENER_PRIOR_SHARE = 0.8
"""Weight of A_prior beside the listener's MOS."""
_UNHEARD_MOS = 1e-3  # under the listener's MOS of the source itself: its rounding
_CLIP = 6.0  # standard deviations: a strange input cannot run away
_WEIGHTS = "weights/audio_quality.safetensors"
_FVNSIM = np.arange(len(AUDIO_FEATURES)) // 32 % 4 == 0  # of every view and band: 1 where a rendition is its source
_IDENTICAL = 1.0 - 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioHead:
    """A_head: a ridge regression on the standardised statistics."""

    mean: Floats
    """Mean of each statistic over the training rows, (512,)."""
    std: Floats
    """Its standard deviation, (512,); 1 where it never varied."""
    coefficients: Floats
    """(512,), MOS per standard deviation."""
    intercept: float
    """MOS."""

    def __call__(self, x_a: npt.NDArray[np.floating]) -> Floats:
        """A_head of statistics, (n, 512) -> (n,), MOS 1-5."""
        z = np.clip((np.asarray(x_a, dtype=np.float64) - self.mean) / self.std, -_CLIP, _CLIP)
        # Row by row: a matrix product rounds differently with the number of its rows.
        return np.clip((z * self.coefficients).sum(axis=1) + self.intercept, 1.0, 5.0)


@functools.cache
def load_head() -> AudioHead:
    """The head that ships (benchmarks/audio_head.py).

    Raises:
        CheckpointError: its file is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        stored = StoredTensors(load(resources.files("abr_alloc.models").joinpath(_WEIGHTS).read_bytes()))
        head = AudioHead(
            mean=stored.take("mean", len(AUDIO_FEATURES)),
            std=stored.take("std", len(AUDIO_FEATURES), above=0.0),
            coefficients=stored.take("coefficients", len(AUDIO_FEATURES)),
            intercept=float(stored.take("intercept", 1)[0]),
        )
        stored.end()
    except (KeyError, ValueError, OSError, SafetensorError) as error:
        raise CheckpointError(f"{_WEIGHTS} is damaged ({error}); install the package again") from error
    return head


def audio_quality_mos(prior: Floats, x_a: npt.NDArray[np.floating], head: AudioHead | None = None) -> Floats:
    """A of renditions that ViSQOL heard, (n,), MOS 1-5.

    Args:
        prior: A_prior, (n,); NaN where it is not known.
        x_a: ViSQOL's statistics, (n, 512).
        head: who hears them; the one that ships when absent.
    """
    heard = (head or load_head())(x_a)
    found = _mixed(prior, heard, VISQOL_PRIOR_SHARE)
    alike = np.asarray(x_a)[:, _FVNSIM].min(axis=1) >= _IDENTICAL
    return np.where(alike, TRANSPARENT_MOS, found)


def heard_quality_mos(prior: Floats, audio_mos: Floats) -> Floats:
    """A of renditions that the listener heard, (n,), MOS 1-5.

    Args:
        prior: A_prior, (n,); NaN where it is not known.
        audio_mos: what the listener gave, (n,).
    """
    found = _mixed(prior, np.clip(audio_mos, 1.0, TRANSPARENT_MOS), LISTENER_PRIOR_SHARE)
    return np.where(audio_mos >= LISTENER.identity_mos - _UNHEARD_MOS, TRANSPARENT_MOS, found)


def _mixed(prior: Floats, heard: Floats, prior_share: float) -> Floats:
    return np.where(np.isnan(prior), heard, prior_share * prior + (1.0 - prior_share) * heard)


def quality_of_rows(rows: Columns | pd.DataFrame) -> Floats:
    """`audio_quality_mos` of the audio rows of a feature table, (n,), MOS; the listener's are those with a spread."""
    if not len(rows):
        return np.empty(0)
    if not isinstance(rows, Columns):
        rows = Columns.of_frame(rows, types_of([name for name in _QUALITY_COLUMNS if name in rows.columns]))
    codec, target = (rows.words(name).values().tolist() for name in ("codec", "target"))
    prior = prior_mos(codec, rows.numbers("bitrate_kbps"), rows.numbers("channels"), target_kbps(target))
    if "audio_spread_mos" not in rows:
        return audio_quality_mos(prior, feature_columns(rows, AUDIO_FEATURES))
    found, listened = np.empty(len(rows)), np.isfinite(rows.numbers("audio_spread_mos"))
    found[listened] = heard_quality_mos(prior[listened], rows.numbers("audio_mos")[listened])
    if not listened.all():
        found[~listened] = audio_quality_mos(prior[~listened], feature_columns(rows.take(~listened), AUDIO_FEATURES))
    return found


def target_kbps(targets: Sequence[str]) -> Floats:
    """Rates of targets `b=64k`, (n,), kbps; NaN where a target names no rate."""
    return np.array([_target_kbps(target) for target in targets])


@functools.lru_cache(maxsize=1024)
def _target_kbps(target: str) -> float:
    try:
        return Target(target).kbps
    except UnitError:
        return float("nan")


def prior_mos(codec: Sequence[str], kbps: Floats, channels: Floats, target_kbps: Floats) -> Floats:
    """A_prior, (n,); NaN where the codec has no curve or the rate is not known. A lossless codec needs neither.

    Args:
        codec: codecs, (n,).
        kbps: delivered rates, (n,); NaN where unknown.
        channels: channels, (n,).
        target_kbps: rates that the encoder was asked for, (n,); NaN where unknown.
    """
    names = np.asarray(codec, dtype=object)
    # Where an encoder takes less than it was given, the sound needed no more: a quiet scene is not a poor one.
    used = np.fmax(np.asarray(kbps, dtype=np.float64), np.where(np.isfinite(kbps), target_kbps, np.nan))
    vbr = np.isin(names, list(_VBR_CODECS)) & np.isfinite(target_kbps)
    channels = np.asarray(channels, dtype=np.float64)
    full = channels - (channels >= _LEAST_WITH_LFE)
    stereo = np.where(vbr, np.minimum(used, _MOST_OF_TARGET * np.asarray(target_kbps)), used) * 2.0 / full
    found = np.full(len(names), np.nan)
    for name, (a2, a3) in CURVES.items():
        rows = names == name
        if rows.any():
            found[rows] = np.maximum(p1203_quality_mos(a2, a3, stereo[rows]), _LOWEST_MOS)
    found[np.isin(names, list(_LOSSLESS))] = TRANSPARENT_MOS
    return found


def is_transparent(codec: str, kbps: float, channels: int, target: str) -> bool:
    """Whether audio lies within 0.01 MOS of its codec's ceiling, by what it took or what it was given."""
    if codec in _LOSSLESS:
        return True
    asked = _target_kbps(target)
    return max(kbps, asked if asked == asked else 0.0) >= transparent_kbps(codec, channels)


@functools.cache
def transparent_kbps(codec: str, channels: int = 2) -> float:
    """The rate from which on a codec's curve lies within 0.01 MOS of its ceiling, kbps; inf for one without a curve.

    More audio rate than that buys nothing that people hear.
    """
    if codec not in CURVES:
        return float("inf")
    rates = np.arange(1.0, 1000.0)
    mos = p1203_quality_mos(*CURVES[codec], rates)
    return (
        float(rates[np.argmax(mos >= mos[-1] - _NEAR_CEILING_MOS)]) * (channels - (channels >= _LEAST_WITH_LFE)) / 2.0
    )
