"""Between the probes: through them, never beyond them, and the best size at every rate."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr_alloc.allocation.interpolation import find_crossovers, interpolate, interpolate_all, lattice_kbps, size_curves
from abr_alloc.allocation.plan import TIE_MOS, best_pair
from abr_alloc.allocation.surface import AudioRendition, Probe, QualitySurface, VideoRendition

Probes = dict[int, list[tuple[float, float]]]
"""Short side -> (rate, AVQ with the first audio rendition) of its probes."""


def surface(probes: Probes, audio_kbps: tuple[float, ...] = (64.0,), gain: float = 0.25) -> QualitySurface:
    """A scene; every dearer audio rendition adds `gain` to AVQ."""
    video = [(side, kbps, avq) for side, points in probes.items() for kbps, avq in points]
    audio_gain = gain * np.arange(len(audio_kbps))
    return QualitySurface(
        title="t",
        scene=0,
        start_s=0.0,
        end_s=1.0,
        video=tuple(
            VideoRendition(codec="h264", width_px=2 * side, height_px=side, target=f"crf={i}", bitrate_kbps=kbps)
            for i, (side, kbps, _) in enumerate(video)
        ),
        audio=tuple(
            AudioRendition(codec="aac", channels=2, target=f"b={kbps:g}k", bitrate_kbps=kbps) for kbps in audio_kbps
        ),
        avq_mos=np.add.outer([avq for *_, avq in video], audio_gain).astype(np.float32),
        total_kbps=np.add.outer([kbps for _, kbps, _ in video], audio_kbps) * 1.02,
        x_v=np.array([[np.log(kbps), avq] for _, kbps, avq in video], np.float32),
        x_a=np.zeros((len(audio_kbps), 1), np.float32),
    )


@st.composite
def scenes(draw: st.DrawFn) -> QualitySurface:
    """Rising, falling, flat and repeated probes of one to three sizes; some sizes with a single probe."""
    sides = draw(st.lists(st.sampled_from([180, 360, 720]), min_size=1, max_size=3, unique=True))
    point = st.tuples(
        st.one_of(st.integers(50, 3000).map(float), st.sampled_from([200.0, 200.1, 800.0])),
        st.integers(8, 40).map(lambda i: i / 8),
    )
    probes = {side: draw(st.lists(point, min_size=1, max_size=5)) for side in sides}
    s = surface(probes, draw(st.sampled_from([(64.0,), (32.0, 96.0)])))
    if draw(st.booleans()):  # audio of its own worth at every probe
        avq = draw(st.lists(st.integers(8, 40), min_size=s.avq_mos.size, max_size=s.avq_mos.size))
        s = replace(s, avq_mos=np.array(avq, np.float32).reshape(s.avq_mos.shape) / 8)
    return s


many = settings(deadline=None, max_examples=80)


@many
@given(st.lists(scenes(), min_size=1, max_size=4), st.booleans(), st.booleans(), st.booleans())
def test_a_scene_is_interpolated_alike_in_any_company(together, keep_probes, every_size, asked) -> None:
    rates = np.arange(40.0, 2000.0, 37.0) if asked else None
    options = {"rates_kbps": rates, "keep_probes": keep_probes, "every_size": every_size}
    for alone, found in zip(together, interpolate_all(together, **options), strict=True):
        due = interpolate(alone, **options)
        assert list(found.video) == list(due.video)
        for name in ("avq_mos", "total_kbps", "x_v", "video_codecs", "video_side_px"):
            assert np.array_equal(getattr(found, name), getattr(due, name)), name


# Curves.


@many
@given(scenes())
def test_a_curve_goes_through_its_probes(s) -> None:
    for curve in size_curves(s):
        assert (np.diff(curve.kbps) > 0).all()
        assert curve.at(curve.kbps) == pytest.approx(curve.avq_mos, abs=1e-6)
        assert curve.avq_mos == pytest.approx(s.avq_mos[curve.index])
        assert [probe.bitrate_kbps for probe in curve.probes] == curve.kbps.tolist()


@many
@given(scenes())
def test_between_two_probes_avq_runs_one_way_and_never_beyond_either(s) -> None:
    for curve in size_curves(s):
        for i in range(len(curve.kbps) - 1):
            between = curve.at(np.geomspace(curve.kbps[i], curve.kbps[i + 1], 50)[1:-1])
            ends = curve.avq_mos[i : i + 2]
            assert (between >= ends.min(axis=0) - 1e-9).all() and (between <= ends.max(axis=0) + 1e-9).all()
            direction = np.sign(ends[1] - ends[0])
            assert (np.diff(between, axis=0) * direction >= -1e-9).all()


@many
@given(scenes(), st.floats(0.1, 0.99))
def test_nothing_is_extrapolated(s, factor) -> None:
    for curve in size_curves(s):
        outside = np.array([curve.kbps[0] * factor, curve.kbps[-1] / factor])
        outside = outside[np.abs(outside / curve.kbps[[0, -1]] - 1) > 2e-3]
        assert np.isnan(curve.at(outside)).all()


def test_of_probes_at_one_rate_the_best_counts() -> None:
    (curve,) = size_curves(surface({360: [(100, 2.0), (400, 2.5), (400.1, 3.0), (400, 2.0), (900, 4.0)]}))
    assert curve.kbps.tolist() == [100, 400.1, 900]
    assert curve.avq_mos[:, 0].tolist() == [2.0, 3.0, 4.0]


def test_flat_probes_stay_flat_and_a_dip_stays_a_dip() -> None:
    (flat,) = size_curves(surface({360: [(100, 3.0), (300, 3.0), (900, 3.0)]}))
    assert flat.at(np.geomspace(100, 900, 40)) == pytest.approx(np.full((40, 1), 3.0))
    (dip,) = size_curves(surface({360: [(100, 3.0), (300, 2.0), (900, 4.0)]}))
    assert float(dip.at(np.geomspace(100, 900, 200)).min()) == pytest.approx(2.0, abs=1e-3)


def test_a_single_probe_offers_its_own_rate_and_no_other() -> None:
    (curve,) = size_curves(surface({360: [(400, 3.0)]}))
    assert curve.at(np.array([399.0, 400.0, 401.0]))[:, 0].tolist() == pytest.approx([np.nan, 3.0, np.nan], nan_ok=True)
    s = surface({360: [(400, 3.0)]})
    assert interpolate(s).video == s.video


# Lattices.


@many
@given(st.floats(0.5, 3000), st.floats(1.001, 50), st.sampled_from([0.1, 1.0, 5.0, 100.0]))
def test_the_lattice_lies_strictly_between_on_multiples_at_most_a_step_apart(low, factor, step) -> None:
    high = low * factor
    rates = lattice_kbps(low, high, step)
    assert ((rates > low) & (rates < high)).all()
    assert np.round(rates / step) * step == pytest.approx(rates)
    assert (np.diff(rates) > 0).all()
    ends = np.concatenate([[max(low, 1.0)], rates, [high]])
    assert (np.diff(ends) <= np.maximum(0.0201 * ends[1:], 0.0) + step + 1e-9).all()


# Interpolated surfaces.


@many
@given(scenes())
def test_measured_renditions_are_kept_as_they_are(s) -> None:
    found = interpolate(s)
    n = len(s.video)
    assert found.video[:n] == s.video
    assert (found.avq_mos[:n] == s.avq_mos).all() and (found.x_v[:n] == s.x_v).all()
    assert found.total_kbps[:n] == pytest.approx(s.total_kbps)
    assert found.audio == s.audio


@many
@given(scenes(), st.sampled_from([0.0, 0.02, 0.1]))
def test_every_interpolated_rendition_names_the_two_probes_around_it(s, overhead) -> None:
    found = interpolate(s, overhead=overhead)
    measured = {Probe(target=v.target, bitrate_kbps=v.bitrate_kbps): v for v in s.video}
    for v, total, avq, x in zip(found.video, found.total_kbps, found.avq_mos, found.x_v, strict=True):
        assert total == pytest.approx([(v.bitrate_kbps + a.bitrate_kbps) * (1 + overhead) for a in s.audio])
        assert v.interpolated == (v not in s.video)
        if not v.interpolated:
            continue
        assert v.target == f"b={v.bitrate_kbps:g}k"
        below, above = v.nearest_probes
        assert below.bitrate_kbps <= v.bitrate_kbps <= above.bitrate_kbps
        rows = [s.video.index(measured[probe]) for probe in (below, above)]
        assert all(s.video[row].height_px == v.height_px for row in rows)
        low, high = np.sort(s.avq_mos[rows], axis=0)
        assert (avq >= low - 1e-5).all() and (avq <= high + 1e-5).all()
        low, high = np.sort(s.x_v[rows], axis=0)
        assert (x >= low - 1e-4).all() and (x <= high + 1e-4).all()


@many
@given(scenes())
def test_at_each_offered_rate_the_best_size_is_offered_for_every_audio_rendition(s) -> None:
    rates = np.geomspace(60, 2900, 40).round()
    found = interpolate(s, rates_kbps=rates, keep_probes=False)
    curves = [curve for curve in size_curves(s) if len(curve.kbps) > 1]
    if not any(v.interpolated for v in found.video):
        assert found.video == s.video or not curves
        return
    for kbps in rates:
        at = [curve.at(np.array([kbps]))[0] for curve in curves]
        at = [avq for avq in at if not np.isnan(avq).any()]
        offered = [i for i, v in enumerate(found.video) if v.interpolated and v.bitrate_kbps == kbps]
        assert bool(at) == bool(offered)
        if at:
            assert found.avq_mos[offered].max(axis=0) == pytest.approx(np.max(at, axis=0), abs=1e-5)
            # Nor is a size offered that is the best with no audio rendition.
            best = np.max(at, axis=0)
            assert (found.avq_mos[offered] >= best - 1e-5).any(axis=1).all()


@many
@given(scenes())
def test_every_size_can_be_asked_for_at_every_rate_of_its_range(s) -> None:
    rates = np.geomspace(60, 2900, 40).round()
    found = interpolate(s, rates_kbps=rates, keep_probes=False, every_size=True)
    offered = {(v.height_px, v.bitrate_kbps): q for v, q in zip(found.video, found.avq_mos, strict=True)}
    for curve in size_curves(s):
        if len(curve.kbps) == 1:
            continue
        for kbps, avq in zip(rates, curve.at(rates), strict=True):
            assert ((curve.height_px, kbps) in offered) == (curve.kbps[0] <= kbps <= curve.kbps[-1])
            if not np.isnan(avq).any():
                assert offered[curve.height_px, kbps] == pytest.approx(avq, abs=1e-5)


@many
@given(scenes(), st.lists(st.floats(80, 4000), min_size=1, max_size=5))
def test_an_interpolated_plan_is_never_worse_than_a_measured_one_by_more_than_a_tie(s, budgets) -> None:
    more = interpolate(s, every_size=True)
    for budget in [*budgets, *s.total_kbps.ravel().tolist()]:
        measured, between = best_pair(s, budget), best_pair(more, budget)
        if measured is not None:
            assert between is not None
            assert more.avq_mos[between] >= s.avq_mos[measured] - TIE_MOS - 1e-6


def test_codecs_are_interpolated_apart() -> None:
    one, other = surface({360: [(100, 2.0), (900, 3.0)]}), surface({360: [(100, 3.0), (900, 4.0)]})
    both = replace(
        one,
        video=one.video + tuple(replace(v, codec="av1") for v in other.video),
        avq_mos=np.vstack([one.avq_mos, other.avq_mos]),
        total_kbps=np.vstack([one.total_kbps, other.total_kbps]),
        x_v=np.vstack([one.x_v, other.x_v]),
    )
    found = interpolate(both)
    rates = [sorted(v.bitrate_kbps for v in found.video if v.codec == codec) for codec in ("h264", "av1")]
    assert rates[0] == rates[1] and len(rates[0]) > 50


# Crossovers.


def test_a_crossover_is_where_two_curves_cross() -> None:
    # In the logarithm of the rate both are straight lines, 2 + log10(r / 100) and 1 + 2 log10(r / 100): equal at 1000.
    rates = np.geomspace(100, 10000, 9)
    low = [(float(r), 2 + np.log10(r / 100)) for r in rates]
    high = [(float(r), 1 + 2 * np.log10(r / 100)) for r in rates]
    (crossover,) = find_crossovers(surface({720: high, 360: low}), 0, "h264")
    assert crossover.kbps == pytest.approx(1000, rel=0.025)
    assert (crossover.below_px, crossover.above_px) == ((720, 360), (1440, 720))


def test_sizes_that_never_cross_have_no_crossover() -> None:
    s = surface({360: [(100, 2.0), (900, 3.0)], 720: [(100, 1.0), (900, 2.0)]})
    assert find_crossovers(s, 0, "h264") == []
    assert find_crossovers(s, 0, "av1") == []
    assert find_crossovers(surface({360: [(100, 2.0)], 720: [(300, 3.0)]}), 0, "h264") == []


def test_where_a_curve_merely_ends_the_best_size_does_not_change() -> None:
    short, long = [(100, 2.0), (400, 4.0)], [(100, 1.5), (1600, 3.5)]
    assert find_crossovers(surface({720: short, 360: long}), 0, "h264") == []
    # Unless the other one gets better than the ended one ever was: from 4.0 on, at 800.
    better = [(100, 1.0), (400, 3.0), (1600, 5.0)]
    (crossover,) = find_crossovers(surface({360: short, 720: better}), 0, "h264")
    assert 400 < crossover.kbps < 1600


def test_curves_that_lie_on_each_other_do_not_change_places() -> None:
    rates = np.geomspace(100, 1000, 9)
    one = [(float(r), 2 + np.log10(r / 100)) for r in rates]
    wave = [(float(r), q + 0.004 * (-1) ** i) for i, (r, q) in enumerate(one)]
    assert find_crossovers(surface({360: one, 720: wave}), 0, "h264") == []


@many
@given(scenes())
def test_crossovers_lead_from_size_to_size(s) -> None:
    found = find_crossovers(s, 0, "h264")
    assert all(a.kbps < b.kbps and a.above_px == b.below_px for a, b in itertools.pairwise(found))
    assert all(c.below_px != c.above_px for c in found)


def test_encoders_of_one_codec_have_their_own_curves_and_a_label_is_a_point() -> None:
    """Nothing lies between two encoders, or beside what was there before; the best of each rate counts."""
    s = surface({360: [(100, 2.0), (400, 3.0), (120, 2.5), (500, 3.6), (250, 4.0)]})
    targets = ["crf=40", "crf=30", "crf=40@film", "crf=30@film", "shipped-360p"]
    s = replace(s, video=tuple(replace(v, target=t) for v, t in zip(s.video, targets, strict=True)))
    curves = size_curves(s)
    assert sorted((c.encoder, *(p.target for p in c.probes)) for c in curves) == [
        ("", "crf=40", "crf=30"),
        ("", "shipped-360p"),
        ("film", "crf=40@film", "crf=30@film"),
    ]
    between = [v for v in interpolate(s).video if v.interpolated]
    assert between and all(120 < v.bitrate_kbps < 500 for v in between if v.target.endswith("@film"))
    best = [v for v in between if 125 < v.bitrate_kbps < 395]
    assert best and all(v.target.endswith("k@film") for v in best)
    assert not any("shipped" in p.target for v in between for p in v.nearest_probes)
