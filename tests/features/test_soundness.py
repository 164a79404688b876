"""Measurements that cannot be right are refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from abr_alloc.errors import MediaError
from abr_alloc.features.soundness import check_plausible
from abr_alloc.features.video import FRAME_METRICS
from abr_alloc.media.grid import VideoTarget
from abr_alloc.media.probe import MediaInfo

INFO = MediaInfo(
    path=Path("film.mkv"), duration_s=2.0, width_px=96, height_px=64, fps=Fraction(12), bit_depth=8,
    interlaced=False, channels=2, sample_rate_hz=48000,
)  # fmt: skip


def scores(*vmaf: float) -> np.ndarray:
    values = np.zeros((len(vmaf), len(FRAME_METRICS)))
    values[:, FRAME_METRICS.index("vmaf")] = vmaf
    return values


def target(crf: int, height_px: int = 64) -> VideoTarget:
    return VideoTarget(codec="h264", width_px=96, height_px=height_px, target=f"crf={crf}", preset="fast")


def test_a_fine_encode_at_the_sources_size_that_scores_low_is_refused() -> None:
    with pytest.raises(MediaError, match=r"film\.mkv.* scores VMAF 70\.0.*mis-paired"):
        check_plausible(INFO, target(18), [scores(60.0, 80.0)])


def test_its_parts_are_judged_together() -> None:
    check_plausible(INFO, target(18), [scores(60.0), scores(99.0, 99.0)])


@pytest.mark.parametrize("coarse_or_small", [target(30), target(18, height_px=32)])
def test_a_coarse_or_a_small_encode_may_score_low(coarse_or_small) -> None:
    check_plausible(INFO, coarse_or_small, [scores(20.0)])
