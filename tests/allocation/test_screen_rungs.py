"""A ladder for an audience on both screens: the best of all ladders by p x phone + (1 - p) x television."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from abr_alloc.allocation.audience import lognormal
from abr_alloc.allocation.design import DesignOptions, design_catalogue, design_titles
from abr_alloc.allocation.interpolation import interpolate
from abr_alloc.allocation.ladder_rules import LadderRules
from abr_alloc.allocation.reference import offered_rates_kbps
from abr_alloc.allocation.rung import FOOT_MOS, expected_avq_mos, keeps_rules
from abr_alloc.allocation.screen_rungs import with_screens
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.models.screens import handheld_mos

AUDIENCE = lognormal(median_kbps=500.0, sigma=0.9)
RULES = LadderRules(tie_mos=0.0, min_step_mos=0.0, min_ratio=1.2, max_ratio=8.0)
PHONES = 0.6
VIDEO_KBPS, SIDES_PX = (90.0, 200.0, 420.0, 160.0, 400.0, 900.0), (180, 180, 180, 360, 360, 360)
AUDIO_KBPS, AUDIO_GAIN = (16.0, 48.0, 96.0), (0.62, 0.93, 1.0)
FOOT = 1.217


def on_both(make_surface, title: str, worth: float) -> QualitySurface:
    """A title by the product form, whose AVQ is the mean over an audience on both screens."""
    picture = FOOT + (4.6 - FOOT) * (1.0 - np.exp(-worth * np.array([0.5, 0.9, 1.3, 0.6, 1.3, 2.2])))
    tv, phone = (FOOT + np.outer(v - FOOT, AUDIO_GAIN) for v in (picture, handheld_mos(picture)))
    surface = make_surface((1.0 - PHONES) * tv + PHONES * phone, VIDEO_KBPS, AUDIO_KBPS, SIDES_PX, title=title)
    return dataclasses.replace(surface, on_screens_mos=(tv.astype(np.float32), phone.astype(np.float32)))


def on_one(surface: QualitySurface, screen: int) -> QualitySurface:
    """The same on its first or its second screen, at every rate that a ladder may offer."""
    assert surface.on_screens_mos is not None
    rates = offered_rates_kbps(min(VIDEO_KBPS), max(VIDEO_KBPS), 10.0)
    own = dataclasses.replace(surface, avq_mos=surface.on_screens_mos[screen])
    return interpolate(own, overhead=0.0, rates_kbps=rates, keep_probes=False, every_size=True)


@pytest.fixture(scope="module")
def titles(make_surface) -> list[QualitySurface]:
    return [on_both(make_surface, "easy", 1.6), on_both(make_surface, "hard", 0.7)]


def options(**words) -> DesignOptions:
    return DesignOptions(num_rungs=2, round_kbps=10.0, overhead=0.0, rules=RULES, **words)


def test_no_ladder_serves_both_screens_better(titles) -> None:
    """Every pair of candidates, valued screen by screen: the two expectations, weighed by who watches on what."""
    (found,) = design_titles(titles[:1], AUDIENCE, options())
    tv, phone = (on_one(titles[0], screen) for screen in (0, 1))
    total = tv.total_kbps.ravel()
    values = [surface.avq_mos.ravel().astype(float) for surface in (tv, phone)]
    share = AUDIENCE.share_with(total)
    ratio = total[None, :] / total[:, None]
    audio = np.tile(np.arange(3), len(tv.video))
    side = np.repeat(tv.video_side_px, 3)
    video = np.repeat(tv.video_kbps, 3)
    allowed = (ratio >= RULES.min_ratio) & (ratio <= RULES.max_ratio)
    allowed &= (video[None, :] >= video[:, None]) & (side[None, :] >= side[:, None]) & (audio >= audio[:, None])
    by_screen = [
        FOOT_MOS + ((q - FOOT_MOS) * share)[:, None] + (q[None, :] - q[:, None]) * share[None, :] for q in values
    ]
    brute = np.where(allowed, (1.0 - PHONES) * by_screen[0] + PHONES * by_screen[1], -np.inf).max()
    assert found.ladder.expected_avq_mos == pytest.approx(brute, abs=2e-3)  # both and their mean are interpolated alike
    assert keeps_rules(found.ladder, RULES)
    own = found.ladder.rungs
    kbps = np.array([rung.total_kbps for rung in own])
    told = [[getattr(r.screens, name) for r in own] for name in ("tv_mos", "phone_mos")]
    expected = [expected_avq_mos(kbps, np.array(avq), AUDIENCE) for avq in told]
    assert (1.0 - PHONES) * expected[0] + PHONES * expected[1] == pytest.approx(found.ladder.expected_avq_mos, abs=2e-3)


@pytest.mark.parametrize("shared", [False, True])
def test_rungs_say_what_they_come_to_on_either_screen(titles, shared: bool) -> None:
    found = design_catalogue(titles, AUDIENCE, options()) if shared else design_titles(titles, AUDIENCE, options())[0]
    played = titles if shared else titles[:1]
    for rung in found.ladder.rungs:
        assert rung.screens is not None
        tv, phone = rung.screens.tv_mos, rung.screens.phone_mos
        assert tv < rung.avq_mos < phone
        assert (1.0 - PHONES) * tv + PHONES * phone == pytest.approx(rung.avq_mos, abs=2e-3)
        at = [
            [
                surface.avq_mos[i, [a.identity for a in surface.audio].index(rung.audio.identity)]
                for i, v in enumerate(surface.video)
                if (v.height_px, v.bitrate_kbps) == (rung.video.height_px, rung.video.bitrate_kbps)
            ]
            for surface in (on_one(title, screen) for screen, title in itertools.product((0, 1), played))
        ]
        of_screens = np.array(at).reshape(2, len(played), -1).mean(axis=1)[:, 0]
        assert (tv, phone) == pytest.approx(of_screens, abs=1e-5)


def test_a_ladder_for_one_screen_says_nothing_of_another(titles) -> None:
    plain = [dataclasses.replace(title, on_screens_mos=None) for title in titles]
    (found,) = design_titles(plain[:1], AUDIENCE, options())
    assert all(rung.screens is None for rung in found.ladder.rungs)
    assert with_screens(found.ladder, plain[:1]) is found.ladder
