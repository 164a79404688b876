"""Join shots that were encoded by themselves into one stream, without a decoder noticing.

Movie fragments are written anew on one timeline; coded pictures stay as they are. Where parameter sets of shots differ,
they go in-band, before the first picture of every GOP, and the sample entry says so (avc3, hev1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

__all__ = ["JoinedStream", "join_shots"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedStream:
    """A stream of shots in its folder."""

    inits: tuple[str, ...]
    """Initialisation segments: `init.mp4`, then one for every other size, `init-2.mp4` and so on, in the order in which
    sizes come."""
    segment_inits: tuple[int, ...]
    """For every media segment, which of `inits` it plays with, from 0."""
    in_band: bool
    """Whether parameter sets stand before the first picture of every GOP too; codecs without them (AV1, VP9) carry
    their sequence headers there always."""


def join_shots(shots: Sequence[Path], segments: Sequence[Sequence[int]], folder: Path, fps: Fraction) -> JoinedStream:
    """Write shots as one stream into an existing empty folder: `init.mp4`, `00001.m4s` and so on.

    All initialisation segments have one timescale, track and edit list, so that times run on over them.

    Args:
        shots: files of `encode_shot`, in order.
        segments: per shot the frames of its segments, from `segment_plan.shot_segments`.
        folder: where to write.
        fps: frames per second.

    Raises:
        MediaError: shots differ in codec, samples or timescale; or a segment would not begin with an IDR picture; names
            the shot.
    """
    raise NotImplementedError
