"""One ladder for many titles: every AVQ is the titles' mean, and each title says what it comes to."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from abr_alloc.allocation.audience import lognormal
from abr_alloc.allocation.ladder import design_ladders
from abr_alloc.allocation.shared_ladder import share_titles, with_titles
from abr_alloc.allocation.surface import AudioRendition, QualitySurface, VideoRendition
from abr_alloc.allocation.title_surface import TitleCurves
from abr_alloc.errors import FeatureTableError

RATES = np.array([100.0, 200.0, 300.0, 450.0, 700.0, 1100.0, 1700.0, 2600.0])


def title(name: str, sides: tuple[int, ...], worth: float, audio: dict[str, float], first: float = 80.0):
    """A title whose AVQ rises with the logarithm of both rates; larger sizes begin higher and rise faster."""
    video = [(side, first * side / 180 * 3.0**k, k) for side in sides for k in range(4)]
    avq = [1.5 + worth * (0.5 * k + 0.2 * (side > 180) * k) for side, _, k in video]
    return QualitySurface(
        title=name,
        scene=-1,
        start_s=0.0,
        end_s=1.0,
        video=tuple(
            VideoRendition(codec="h264", width_px=2 * side, height_px=side, target=f"crf={9 - k}", bitrate_kbps=kbps)
            for side, kbps, k in video
        ),
        audio=tuple(AudioRendition(codec="aac", channels=2, target=t, bitrate_kbps=r) for t, r in audio.items()),
        avq_mos=np.add.outer(avq, 0.2 * np.log(list(audio.values()))).astype(np.float32),
        total_kbps=np.add.outer([kbps for _, kbps, _ in video], list(audio.values())),
        x_v=np.zeros((len(video), 1), np.float32),
        x_a=np.zeros((len(audio), 1), np.float32),
    )


SMALL = title("small", (180,), 0.6, {"b=32k": 30.0, "b=96k": 90.0, "b=16k": 17.0})
LARGE = title("large", (180, 360), 0.9, {"b=96k": 98.0, "b=32k": 34.0})


def test_every_rendition_has_the_mean_of_the_titles() -> None:
    found = share_titles([SMALL, LARGE], "h264", RATES, 0.02)
    assert found.title == "2 titles"
    assert [a.target for a in found.audio] == ["b=32k", "b=96k"], "audio that all have"
    assert [a.bitrate_kbps for a in found.audio] == [32.0, 94.0]
    own = [(TitleCurves(SMALL, "h264"), [0, 1]), (TitleCurves(LARGE, "h264"), [1, 0])]
    for v, avq, total in zip(found.video, found.avq_mos, found.total_kbps, strict=True):
        at = [c.at(v.height_px, np.array([v.bitrate_kbps]), cap_at_source=True)[0, k] for c, k in own]
        assert avq == pytest.approx(np.mean(at, axis=0), abs=1e-5)
        assert total == pytest.approx([(v.bitrate_kbps + a.bitrate_kbps) * 1.02 for a in found.audio])


def test_a_rendition_names_probes_around_its_rate_at_its_size_wherever_a_title_has_them() -> None:
    for v in share_titles([SMALL, LARGE], "h264", RATES, 0.02).video:
        curves = [c for t in (SMALL, LARGE) for c in TitleCurves(t, "h264").curves if c.height_px == v.height_px]
        around = [c.around(v.bitrate_kbps) for c in curves if c.kbps[0] <= v.bitrate_kbps <= c.kbps[-1]]
        assert v.nearest_probes in around if around else not v.interpolated


def test_a_rate_below_some_titles_cheapest_probe_is_not_offered() -> None:
    demanding = title("demanding", (180,), 0.9, {"b=32k": 32.0}, first=250.0)
    found = share_titles([SMALL, demanding], "h264", RATES, 0.0)
    assert min(v.bitrate_kbps for v in found.video) == 300.0


def test_the_best_size_at_each_rate_is_offered() -> None:
    found = share_titles([SMALL, LARGE], "h264", RATES, 0.0)
    curves = [TitleCurves(t, "h264") for t in (SMALL, LARGE)]
    for kbps in RATES:
        mean = {
            side: np.mean([c.at(side, np.array([kbps]), cap_at_source=True)[0, 0] for c in curves])
            for side in (180, 360)
        }
        known = {side: avq for side, avq in mean.items() if not np.isnan(avq)}
        offered = {v.height_px for v in found.video if v.bitrate_kbps == kbps}
        assert bool(known) == bool(offered)
        assert not known or max(known, key=known.get) in offered


def test_the_order_of_titles_does_not_matter() -> None:
    one, other = (share_titles(pair, "h264", RATES, 0.0) for pair in ([SMALL, LARGE], [LARGE, SMALL]))
    key = [(v.height_px, v.bitrate_kbps) for v in one.video]
    order = [[(v.height_px, v.bitrate_kbps) for v in other.video].index(k) for k in key]
    columns = [[a.target for a in other.audio].index(a.target) for a in one.audio]
    assert len(one.video) == len(other.video)
    assert other.avq_mos[np.ix_(order, columns)] == pytest.approx(one.avq_mos, abs=1e-6)


def test_a_catalogue_of_equal_titles_is_that_title() -> None:
    shared = share_titles([LARGE, replace(LARGE, title="again")], "h264", RATES, 0.0)
    curve = TitleCurves(LARGE, "h264")
    for v, avq in zip(shared.video, shared.avq_mos, strict=True):
        assert avq == pytest.approx(curve.at(v.height_px, np.array([v.bitrate_kbps]))[0], abs=1e-6)


def test_each_rung_lists_every_title_and_their_mean_is_the_rungs() -> None:
    surfaces = [SMALL, LARGE]
    shared = share_titles(surfaces, "h264", RATES, 0.02)
    ladder = with_titles(design_ladders(shared, lognormal(800, 0.9), 4)[-1], surfaces)
    assert len(ladder.rungs) == 4
    for rung in ladder.rungs:
        assert [t.title for t in rung.titles] == ["small", "large"]
        assert np.mean([t.avq_mos for t in rung.titles]) == pytest.approx(rung.avq_mos, abs=1e-5)
        assert rung.titles[0].height_px == 180, "a title plays its own size"
        assert rung.titles[1].height_px == rung.video.height_px
        noted = "as 180p" in rung.titles[0].note
        assert noted == (rung.video.height_px == 360)
    assert ladder.rungs[-1].video.height_px == 360
    assert all(a.total_kbps < b.total_kbps for a, b in itertools.pairwise(ladder.rungs))


def test_titles_with_nothing_in_common_are_refused() -> None:
    other = title("other", (180,), 0.9, {"b=64k": 64.0})
    with pytest.raises(FeatureTableError, match="share no audio"):
        share_titles([SMALL, other], "h264", RATES, 0.0)
    with pytest.raises(FeatureTableError, match="'small' has no av1"):
        share_titles([SMALL, LARGE], "av1", RATES, 0.0)
    far = title("far", (1080,), 0.9, {"b=32k": 32.0}, first=20000.0)
    with pytest.raises(FeatureTableError, match="no size and rate in common"):
        share_titles([SMALL, far], "h264", RATES, 0.0)


def with_channels(surface: QualitySurface, *channels: int) -> QualitySurface:
    return replace(surface, audio=tuple(replace(a, channels=c) for a, c in zip(surface.audio, channels, strict=True)))


def test_mono_and_stereo_of_one_target_are_two_renditions() -> None:
    both = title("both", (180,), 0.9, {"b=32k": 30.0, "b=32k ": 33.0})
    both = with_channels(replace(both, audio=tuple(replace(a, target="b=32k") for a in both.audio)), 1, 2)
    stereo = title("stereo", (180,), 0.9, {"b=32k": 35.0})
    found = share_titles([both, stereo], "h264", RATES, 0.0)
    assert [(a.channels, a.bitrate_kbps) for a in found.audio] == [(2, 34.0)], "both titles' stereo"
    shared = with_titles(design_ladders(found, lognormal(800, 0.9), 1)[-1], [both, stereo])
    (rung,) = shared.rungs
    assert np.mean([t.avq_mos for t in rung.titles]) == pytest.approx(rung.avq_mos, abs=1e-5)


def test_titles_of_which_some_are_mono_are_refused_as_such() -> None:
    mono = with_channels(replace(LARGE, title="mono"), 1, 1)
    with pytest.raises(FeatureTableError, match="some are mono and others are not; design them apart"):
        share_titles([SMALL, mono], "h264", RATES, 0.0)
