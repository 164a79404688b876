"""What the rungs of a ladder come to on either screen, where an audience watches on both."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from abr_alloc.allocation.rung import Ladder, Rung, ScreensAtRung
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.allocation.title_surface import TitleCurves
from abr_alloc.targets import Target

__all__ = ["with_screens"]


def with_screens(ladder: Ladder, titles: Sequence[QualitySurface]) -> Ladder:
    """A ladder whose rungs say their AVQ on televisions and on phones; the same where all watch on one screen.

    AVQ of both is interpolated as their mean is, so between probes their mean may be a few thousandths beside it. Rungs
    with shots have none: every scene is interpolated by itself.

    Args:
        ladder: the rungs.
        titles: the title, or those that share the ladder, each as one surface as it was measured.
    """
    if any(title.on_screens_mos is None for title in titles) or any(r.video.per_shot for r in ladder.rungs):
        return ladder
    return dataclasses.replace(
        ladder, rungs=tuple(dataclasses.replace(rung, screens=_screens(rung, titles)) for rung in ladder.rungs)
    )


def _screens(rung: Rung, titles: Sequence[QualitySurface]) -> ScreensAtRung:
    tv_mos, phone_mos = (float(np.mean([_avq_mos(rung, title, i) for title in titles])) for i in (0, 1))
    return ScreensAtRung(tv_mos=tv_mos, phone_mos=phone_mos)


def _avq_mos(rung: Rung, title: QualitySurface, screen: int) -> float:
    """AVQ of a rung on a title, on its first or its second screen."""
    assert title.on_screens_mos is not None
    own = dataclasses.replace(title, avq_mos=title.on_screens_mos[screen])
    column = next(i for i, a in enumerate(title.audio) if a.identity == rung.audio.identity)
    curves = TitleCurves(own, rung.video.codec, encoder=Target(rung.video.target).encoder)
    side_px = min(rung.video.width_px, rung.video.height_px)
    return float(curves.at(side_px, np.array([rung.video.bitrate_kbps]), cap_at_source=True)[0, column])
