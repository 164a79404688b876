"""Which pairs of a title may be rungs of its ladder.

Besides what the rules name, an engineer would not sign a rung that pays for audio which hardly adds anything, nor one
with a small picture where a larger one is as good. So at every total rate T, with best(T) the highest AVQ that T buys:

- a pair is no candidate where T buys `best(T) - tie_mos` as a candidate with cheaper audio;
- nor where T buys that as a candidate with the same audio and a larger picture.

As one that is left out always leaves a candidate behind, this costs at most `tie_mos` at any rate.

Axes: n pairs, by total rate; A audio renditions, S sizes.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.ladder_rules import RATIO_ROUNDING, LadderRules, enough_kbps, rate_allowed, size_allowed
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.errors import InfeasibleLadderError

__all__ = ["allowed_pairs"]


def allowed_pairs(surface: QualitySurface, rules: LadderRules) -> npt.NDArray[np.bool_]:
    """Which pairs of a surface may be rungs, (V, A).

    Raises:
        InfeasibleLadderError: none may.
    """
    side = surface.video_side_px
    sized = size_allowed(side, rules)
    if not sized.any():
        have = ", ".join(f"{s}p" for s in sorted(set(side.tolist())))
        raise InfeasibleLadderError(
            f"title {surface.title!r} has none of the sizes asked for with `sides_px`, only {have}"
        )
    total = surface.total_kbps
    allowed = sized[:, None] & rate_allowed(total, rules)
    if not allowed.any():
        asked = [f"`min_kbps` {rules.min_kbps:g}k"] if rules.min_kbps > 0.0 else []
        asked += [f"`max_kbps` {rules.max_kbps:g}k"] if rules.max_kbps < math.inf else []
        raise InfeasibleLadderError(
            f"title {surface.title!r} has no pair within {' and '.join(asked)}; its pairs take "
            f"{total[sized].min():.0f}k to {total[sized].max():.0f}k"
        )
    if rules.tie_mos > 0.0:
        allowed &= _worth_their_rate(surface, allowed, rules.tie_mos)
    allowed &= total <= enough_kbps(total[allowed], surface.avq_mos[allowed], rules)
    return allowed


def _worth_their_rate(surface: QualitySurface, allowed: npt.NDArray[np.bool_], tie_mos: float) -> npt.NDArray[np.bool_]:
    """Allowed pairs (V, A) but those whose money buys as much with cheaper audio, or with a larger picture."""
    rate = np.array([a.bitrate_kbps for a in surface.audio])
    sizes, size = np.unique(surface.video_side_px, return_inverse=True)
    video, audio = np.nonzero(allowed)
    total = surface.total_kbps[video, audio]
    order = np.lexsort((-size[video], rate[audio], total))
    video, audio, total = video[order], audio[order], total[order]
    avq = surface.avq_mos[video, audio].astype(np.float64)
    # What the money for a pair buys at best, (n,).
    last = np.searchsorted(total, total * (1.0 + RATIO_ROUNDING), side="right") - 1
    wanted = np.maximum.accumulate(avq)[last] - tie_mos

    cheaper = rate < rate[:, None]  # (A, A): which audio is cheaper than each
    best = np.full((len(rate), len(sizes)), -np.inf)  # of the candidates so far, (A, S)
    found = np.zeros_like(allowed)
    for v, a, q, enough in zip(video.tolist(), audio.tolist(), avq.tolist(), wanted.tolist(), strict=True):
        s = size[v]
        if (best[cheaper[a]] >= enough).any() or (best[a, s + 1 :] >= enough).any():
            continue
        best[a, s] = max(best[a, s], q)
        found[v, a] = True
    return found
