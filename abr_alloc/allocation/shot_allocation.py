"""The best allocation of a mean rate over the scenes of a title, each encoded with its own parameters.

Axes: S scenes of a title.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abr_alloc import defaults
from abr_alloc.allocation.rendition import AudioIdentity, AudioRendition, VideoRendition
from abr_alloc.allocation.rung import ShotProof
from abr_alloc.allocation.shot_rules import ShotRules
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.encoders import VideoEncoder

__all__ = ["WINDOW_S", "ShotAllocation", "allocate_shots", "constant_allocations"]

WINDOW_S = 6.0
"""Length of the windows that `peak_kbps` bounds where nothing else is said, seconds: a segment's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotAllocation:
    """A rendition whose scenes have parameters of their own, beside the audio that it was made for."""

    video: VideoRendition
    """The video, with its shots; its target is `b=` its mean rate, its size the largest."""
    audio: AudioRendition
    """The audio, one rendition for the whole title; its rate is the mean over time."""
    total_kbps: float
    """Mean over the title's time of video and audio, with overhead, kbps."""
    avq_mos: float
    """Mean AVQ over time, MOS, whatever the pool."""
    pooled_mos: float
    """AVQ pooled over time as `ShotRules.pool` says, MOS."""
    shots_mos: tuple[float, ...]
    """AVQ of every scene, MOS, (S,)."""
    proof: ShotProof
    """How good it is."""


def allocate_shots(
    scenes: Sequence[QualitySurface],
    codec: str,
    audio: AudioIdentity,
    rules: ShotRules,
    video_kbps: npt.NDArray[np.float64],
    *,
    overhead: float = defaults.OVERHEAD,
    encoders: Mapping[str, VideoEncoder] | None = None,
    sides_px: Sequence[tuple[int, int]] = (),
    window_s: float = WINDOW_S,
) -> list[ShotAllocation]:
    """The best allocations of a title beside one audio rendition: for every encoder and size (with `rules.free_size`
    for every encoder), the best at each mean rate that it reaches. What two rates share is given once.

    Args:
        scenes: measured surfaces of one title, in order; not those of a digest.
        codec: video codec.
        audio: the audio rendition; every scene has it.
        rules: pool and limits.
        video_kbps: mean video rates to offer, rising, kbps: an allocation takes no more than the one it was made for.
        overhead: container overhead as a share of the streams' rate.
        encoders: encoders by the names that targets have for them, a codec's usual one by the codec's name; they say
            which values may be asked for. Any multiple of the usual step where one is not given.
        sides_px: allowed ranges of the short side, pixels, inclusive; empty for all.
        window_s: length of the windows that `rules.peak_kbps` bounds, seconds.

    Returns:
        By encoder and size, then by mean rate, rising. Empty where no size has two probes that can be asked for in
        every scene, or no rate is reached.

    Raises:
        ArgumentError: `p5` together with `max_step_mos`.
        FeatureTableError: a scene lacks the audio; `peak_kbps` is asked for and the table does not hold what it takes.
        InfeasibleLadderError: no choice of any size keeps `max_rate_kbps`, `peak_kbps` or `max_step_mos`; the message
            says which, and the least that can be kept.
    """
    raise NotImplementedError


def constant_allocations(
    scenes: Sequence[QualitySurface],
    codec: str,
    audio: AudioIdentity,
    rules: ShotRules,
    *,
    overhead: float = defaults.OVERHEAD,
    encoders: Mapping[str, VideoEncoder] | None = None,
    sides_px: Sequence[tuple[int, int]] = (),
    window_s: float = WINDOW_S,
) -> list[ShotAllocation]:
    """What one value (CRF, rate) for the whole title comes to, on the very surfaces of `allocate_shots`: for every
    encoder and size each value that all scenes offer and that keeps the rules, by mean rate, rising.

    Their target is that value (`crf=24.25`); the bound of their proof is that of allocations of the same mean rate, so
    that its gap is what parameters per scene gain. Arguments and errors as of `allocate_shots`; `rules.free_size` is
    ignored.
    """
    raise NotImplementedError
