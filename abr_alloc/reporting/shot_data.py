"""What the report page is given about a ladder whose rungs give every scene its own parameters.

Axes: S scenes of the title that are encoded each by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from abr_alloc.allocation.rendition import Shot
from abr_alloc.allocation.rung import Ladder, Rung

__all__ = ["shots_object"]


def shots_object(ladder: Ladder) -> dict[str, Any] | None:
    """Rate, AVQ and target of every scene at every rung; None where one target serves the whole title.

    Scenes are those of the first rung with any: all rungs are cut alike.
    """
    rungs = [rung for rung in ladder.rungs if rung.video.shots]
    if not rungs:
        return None
    shots = rungs[0].video.shots
    return {
        "start_s": [round(shot.start_s, 3) for shot in shots],
        "end_s": round(shots[-1].end_s, 3),
        "rungs": [_rung(number, rung) for number, rung in enumerate(ladder.rungs, start=1) if rung.video.shots],
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


def _once(words: Sequence[str]) -> list[str]:
    """One word where it holds for all scenes."""
    return [words[0]] if len({*words}) == 1 else list(words)


def _size(shot: Shot) -> str:
    return f"{shot.width_px}x{shot.height_px}"
