"""What the report page is given about a ladder whose rungs give every scene its own parameters.

Beside every rung stands what one target for the whole title would make of its mean rate: of the targets that all scenes
offer at its size, with its encoder, the one whose mean rate comes nearest.

Axes: S scenes of the title that are encoded each by itself, P targets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from abr_alloc.allocation.rendition import Shot
from abr_alloc.allocation.rung import Ladder, Rung
from abr_alloc.allocation.shot_options import ShotOptions, list_options
from abr_alloc.allocation.shot_scenes import shot_scenes
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.encoders import VideoEncoder
from abr_alloc.errors import AbrAllocError
from abr_alloc.targets import Target

__all__ = ["shots_object"]


_SAME_S = 1e-3  # instants of a ladder file and of a table that are one
_NEAR = 0.1
"""Relative difference of rates beyond which one target is no comparison."""


def shots_object(
    ladder: Ladder, scenes: Sequence[QualitySurface], encoders: Mapping[str, VideoEncoder]
) -> dict[str, Any] | None:
    """Rate, AVQ and target of every scene at every rung; None where one target serves the whole title.

    Scenes are those of the first rung with any: all rungs are cut alike.

    Args:
        ladder: of one title.
        scenes: its measured surfaces.
        encoders: encoders by the names that targets have for them, a codec's usual one by the codec's name.
    """
    rungs = [rung for rung in ladder.rungs if rung.video.shots]
    if not rungs:
        return None
    shots = rungs[0].video.shots
    plain = _Plain(rungs, scenes, encoders)
    return {
        "start_s": [round(shot.start_s, 3) for shot in shots],
        "end_s": round(shots[-1].end_s, 3),
        "rungs": [
            _rung(number, rung) | {"plain": plain.of(rung)}
            for number, rung in enumerate(ladder.rungs, start=1)
            if rung.video.shots
        ],
    }


def _rung(number: int, rung: Rung) -> dict[str, Any]:
    shots, proof = rung.video.shots, rung.shot_proof
    return {
        "rung": number,
        "total_kbps": round(rung.total_kbps, 1),
        "kbps": [round(shot.bitrate_kbps, 1) for shot in shots],
        "avq_mos": [round(mos, 4) for mos in rung.shots_mos],
        "vmaf": [None if shot.vmaf is None else round(shot.vmaf, 2) for shot in shots],
        "asked": _once([shot.target for shot in shots]),
        "sizes": _once([_size(shot) for shot in shots]),
        "proof": None
        if proof is None
        else {
            "pool": proof.pool,
            "objective_mos": round(proof.objective_mos, 4),
            "gap_mos": round(max(proof.gap_mos, 0.0), 5),
            "price": round(proof.price_mos_per_kbps, 7),
            "peak_kbps": None if proof.peak_kbps is None else round(proof.peak_kbps, 1),
        },
    }


class _Plain:
    """What one target for the whole title gives its scenes."""

    def __init__(
        self, rungs: Sequence[Rung], scenes: Sequence[QualitySurface], encoders: Mapping[str, VideoEncoder]
    ) -> None:
        self._options: list[ShotOptions] = []
        try:
            own = shot_scenes(scenes)
            spans = [(shot.start_s, shot.end_s) for shot in rungs[0].video.shots]
            if len(own) == len(spans) and np.allclose([(s.start_s, s.end_s) for s in own], spans, atol=_SAME_S):
                self._options = list_options(own, rungs[0].video.codec, encoders=encoders)
                seconds = np.array([scene.duration_s for scene in own])
                self._time_share = seconds / seconds.sum()  # (S,)
        except AbrAllocError:
            pass  # the table is another one than the ladder's: there is nothing to draw beside it

    def of(self, rung: Rung) -> dict[str, Any] | None:
        """Its rate and AVQ of every scene, and what it asks for; None where no target comes near the rung's rate."""
        encoder = Target(rung.video.shots[0].target).encoder
        sizes = {(shot.width_px, shot.height_px) for shot in rung.video.shots}
        best: tuple[float, ShotOptions, int, int] | None = None
        for options in self._options:
            if options.encoder != encoder or rung.audio.identity not in options.audio:
                continue
            a, mean_kbps = options.audio.index(rung.audio.identity), self._time_share @ options.kbps  # (P,)
            for size in sorted(sizes & {*options.sizes_px}):
                of_size = options.of_size(options.sizes_px.index(size))
                far = np.abs(np.log(mean_kbps[of_size] / rung.video.bitrate_kbps))
                option = int(of_size[far.argmin()])
                if not far.min() <= _NEAR:
                    continue
                mos = float(self._time_share @ options.avq_mos[a, :, option])
                if best is None or mos > best[0]:
                    best = mos, options, a, option
        if best is None:
            return None
        _, options, a, option = best
        return {
            "target": str(options.target(option)),
            "kbps": np.round(options.kbps[:, option], 1).tolist(),
            "avq_mos": np.round(options.avq_mos[a, :, option].astype(float), 4).tolist(),
        }


def _once(words: Sequence[str]) -> list[str]:
    """One word where it holds for all scenes."""
    return [words[0]] if len({*words}) == 1 else list(words)


def _size(shot: Shot) -> str:
    return f"{shot.width_px}x{shot.height_px}"
