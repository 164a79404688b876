"""Measurements that cannot be right are refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from abr_alloc.errors import MediaError, UnsupportedMediaError
from abr_alloc.measure.checks import check_plausible, check_sound
from abr_alloc.measure.video import FRAME_METRICS
from abr_alloc.media.coding import SAMPLE_RATE_HZ
from abr_alloc.media.grid import VideoTarget
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.sound import SoundFacts

INFO = MediaInfo(
    path=Path("film.mkv"), duration_s=2.0, width_px=96, height_px=64, fps=Fraction(12), bit_depth=8,
    interlaced=False, channels=2, sample_rate_hz=48000,
)  # fmt: skip


def scores(*vmaf: float) -> np.ndarray:
    values = np.zeros((len(vmaf), len(FRAME_METRICS)))
    values[:, FRAME_METRICS.index("vmaf")] = vmaf
    return values


def target(crf: int, height_px: int = 64) -> VideoTarget:
    return VideoTarget(codec="h264", width_px=96, height_px=height_px, target=f"crf={crf}")


def test_a_fine_encode_at_the_sources_size_that_scores_low_is_refused() -> None:
    with pytest.raises(MediaError, match=r"film\.mkv.* scores VMAF 70\.0.*mis-paired"):
        check_plausible(INFO, target(18), [scores(60.0, 80.0)])


def test_its_parts_are_judged_together() -> None:
    check_plausible(INFO, target(18), [scores(60.0), scores(99.0, 99.0)])


@pytest.mark.parametrize("coarse_or_small", [target(30), target(18, height_px=32)])
def test_a_coarse_or_a_small_encode_may_score_low(coarse_or_small) -> None:
    check_plausible(INFO, coarse_or_small, [scores(20.0)])


def sound(seconds: float, **found) -> SoundFacts:
    return SoundFacts(num_samples=round(seconds * SAMPLE_RATE_HZ), **found)


@pytest.mark.parametrize("seconds", [60.0, 59.6])
def test_sound_that_is_all_there_goes_without_a_word(seconds) -> None:
    assert check_sound(INFO, sound(seconds), 60.0) == []


def test_missing_sound_is_told_with_its_longest_gap() -> None:
    (note,) = check_sound(INFO, sound(57.0, gaps_s=[(3.0, 0.5), (20.0, 2.5)]), 60.0)
    assert note == "3.00 s of sound are missing, the longest gap 2.50 s at 20.00 s; silence stands for them"


@pytest.mark.parametrize("seconds", [1.0, 11.0])
def test_a_title_mostly_without_sound_is_refused(seconds) -> None:
    with pytest.raises(UnsupportedMediaError, match=rf"film\.mkv has {seconds:.1f} s of sound for 60\.0 s of picture"):
        check_sound(INFO, sound(seconds), 60.0)


def test_damage_changes_and_overloads_are_told() -> None:
    found = sound(60.0, num_errors=7, num_clipped=480, peak=2.0, changes=[(0.0, "stereo"), (3.0, "mono")])
    errors, changes, clipped = check_sound(INFO, found, 60.0)
    assert errors.startswith("7 packets of sound cannot be decoded")
    assert "stereo from 0.00 s, then mono from 3.00 s" in changes
    assert "480 samples" in clipped and "+6.0 dBFS" in clipped
