"""Why nothing fits: which scene is to blame, and what it would cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from abr_alloc.allocation.pooling import Candidates
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.errors import InfeasibleLimits

__all__ = ["explain_shortage"]


def explain_shortage(
    title: Sequence[QualitySurface],
    cases: Sequence[Candidates],
    budget_kbps: float,
    max_rate_kbps: float,
    min_avq_mos: float,
) -> InfeasibleLimits:
    """Name the first limit that no case can keep, in the case that comes closest.

    Args:
        title: its scenes, for their names.
        cases: candidates of every case, before the limits.
        budget_kbps, max_rate_kbps, min_avq_mos: what was asked for.
    """
    both = [case.restricted(max_kbps=max_rate_kbps, min_mos=min_avq_mos) for case in cases]
    least = [case.least_kbps() for case in both]
    closest = min(
        range(len(cases)),
        key=lambda i: (least[i], -_num_scenes(both[i]), -_num_scenes(cases[i].restricted(min_mos=min_avq_mos))),
    )
    case, limited = cases[closest], both[closest]
    floor, rate = f"`min_avq_mos` {min_avq_mos:g}", f"`max_rate_kbps` {max_rate_kbps:g}k"
    has_floor = min_avq_mos > -math.inf

    def shortage(scene: int | None, needed: float, reason: str, hint: str) -> InfeasibleLimits:
        return InfeasibleLimits(
            title=title[0].title,
            scene=None if scene is None else title[scene].scene,
            budget_kbps=budget_kbps,
            needed_kbps=needed if math.isfinite(needed) else None,
            reason=reason,
            hint=hint,
        )

    if math.isfinite(least[closest]):
        needed = least[closest]
        if not has_floor:
            reason = f"a mean of {budget_kbps:g} kbps is below the title's cheapest allocation, {needed:.1f} kbps"
            return shortage(None, needed, reason, "raise `budget_kbps` or add a cheaper rendition to the grid")
        largest = int((limited.time_share * limited.kbps.min(axis=1)).argmax())
        reason = (
            f"keeping {floor} in every scene costs a mean of {needed:.1f} kbps, over the budget of {budget_kbps:g}; "
            f"scene {title[largest].scene} takes the most, {limited.kbps[largest].min():.1f} kbps for "
            f"{title[largest].duration_s:.1f} s"
        )
        return shortage(largest, needed, reason, "raise `budget_kbps` or lower `min_avq_mos`")
    # A scene that no case can serve is to blame; where every case fails at another scene, the closest case's first.
    bare = np.array([~np.isfinite(c.kbps).any(axis=1) for c in both])  # (cases, S)
    hopeless = np.flatnonzero(bare.all(axis=0))
    scene = int(hopeless[0]) if len(hopeless) else int(np.flatnonzero(bare[closest])[0])
    tried = cases if len(hopeless) else [case]
    given = "" if len(hopeless) else "with the codec and audio that come closest, "
    if not len(hopeless) and (best_of := float(case.avq_mos[scene].max())) < min_avq_mos:
        reason = f"{given}its best AVQ is {best_of:.2f}, under {floor}; others fail in other scenes"
        return shortage(scene, math.inf, reason, "lower `min_avq_mos` or try `audio` scene")
    if not len(hopeless) and (least_of := float(case.kbps[scene].min())) > max_rate_kbps:
        reason = f"{given}its cheapest pair takes {least_of:.1f} kbps, over {rate}; others fail in other scenes"
        return shortage(scene, least_of, reason, "raise `max_rate_kbps` or try `audio` scene")
    best = max(float(c.avq_mos[scene].max()) for c in tried)
    cheapest = min(float(c.kbps[scene].min()) for c in tried)
    if best < min_avq_mos:
        reason = f"no pair reaches {floor}; the scene's best has an AVQ of {best:.2f}"
        return shortage(scene, math.inf, reason, "lower `min_avq_mos` or add better renditions to the grid")
    if cheapest > max_rate_kbps:
        reason = f"the cheapest pair takes {cheapest:.1f} kbps, over {rate}"
        return shortage(scene, cheapest, reason, "raise `max_rate_kbps` or add a cheaper rendition to the grid")
    needed = min(float(c.restricted(min_mos=min_avq_mos).kbps[scene].min()) for c in tried)
    reason = f"{given}{floor} and {rate} contradict each other: that AVQ takes {needed:.1f} kbps"
    return shortage(scene, needed, reason, "raise `max_rate_kbps` or lower `min_avq_mos`")


def _num_scenes(candidates: Candidates) -> int:
    """Scenes that have a pair left."""
    return int(np.isfinite(candidates.kbps).any(axis=1).sum())
