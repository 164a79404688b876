"""A title is the mean of its scenes over time, and its AVQ is known only where it was probed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abr_alloc.allocation.surface import AudioRendition, QualitySurface, VideoRendition
from abr_alloc.allocation.title_plan import list_cases
from abr_alloc.allocation.title_surface import TitleCurves, merge_scenes
from abr_alloc.errors import FeatureTableError


def scene(number: int, seconds: float, video: dict[tuple[int, str], float], audio: dict[str, float]) -> QualitySurface:
    """A scene from (short side, target) -> rate; its AVQ is random, of a seed of its own."""
    rng = np.random.default_rng(number)
    return QualitySurface(
        title="t",
        scene=number,
        start_s=10.0 * number,
        end_s=10.0 * number + seconds,
        video=tuple(
            VideoRendition(codec="h264", width_px=2 * side, height_px=side, target=target, bitrate_kbps=kbps)
            for (side, target), kbps in video.items()
        ),
        audio=tuple(
            AudioRendition(codec="aac", channels=2, target=target, bitrate_kbps=kbps) for target, kbps in audio.items()
        ),
        avq_mos=rng.uniform(1, 5, (len(video), len(audio))).astype(np.float32),
        total_kbps=np.add.outer(list(video.values()), list(audio.values())) * 1.02,
        x_v=rng.uniform(size=(len(video), 3)).astype(np.float32),
        x_a=rng.uniform(size=(len(audio), 2)).astype(np.float32),
    )


VIDEO = [(180, "crf=40"), (180, "crf=20"), (360, "crf=40"), (360, "crf=20")]
AUDIO = ["b=32k", "b=96k"]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0.5, 20), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_everything_is_the_mean_over_time_whatever_the_order_of_the_rows(seconds, random) -> None:
    scenes = []
    for i, duration in enumerate(seconds):
        video = {key: 100.0 * (k + 1) * (i + 1) for k, key in enumerate(VIDEO)}
        audio = {key: 30.0 * (k + 1) + i for k, key in enumerate(AUDIO)}
        order = random.sample(VIDEO, len(VIDEO)) if i else VIDEO
        scenes.append(scene(i, duration, {key: video[key] for key in order}, audio))
    found = merge_scenes(scenes)
    share = np.array(seconds) / sum(seconds)
    assert [(v.height_px, v.target) for v in found.video] == VIDEO
    for row, key in enumerate(VIDEO):
        rows = [[(v.height_px, v.target) for v in s.video].index(key) for s in scenes]

        def mean(what, rows=rows):
            return sum(w * what(s, i) for w, s, i in zip(share, scenes, rows, strict=True))

        assert found.video[row].bitrate_kbps == pytest.approx(mean(lambda s, i: s.video[i].bitrate_kbps))
        assert found.avq_mos[row] == pytest.approx(mean(lambda s, i: s.avq_mos[i]), abs=1e-5)
        assert found.total_kbps[row] == pytest.approx(mean(lambda s, i: s.total_kbps[i]))
        assert found.x_v[row] == pytest.approx(mean(lambda s, i: s.x_v[i]), abs=1e-5)
    rates = [sum(w * s.audio[k].bitrate_kbps for w, s in zip(share, scenes, strict=True)) for k in range(len(AUDIO))]
    assert [a.bitrate_kbps for a in found.audio] == pytest.approx(rates)
    assert (found.title, found.start_s, found.end_s) == ("t", scenes[0].start_s, scenes[-1].end_s)


def test_a_title_of_one_scene_is_that_scene() -> None:
    one = scene(0, 5.0, dict.fromkeys(VIDEO, 300.0), dict.fromkeys(AUDIO, 64.0))
    found = merge_scenes([one])
    assert (found.video, found.audio) == (one.video, one.audio)
    assert (found.avq_mos == one.avq_mos).all()


def test_renditions_that_some_scene_lacks_are_left_out() -> None:
    whole = scene(0, 5.0, dict.fromkeys(VIDEO, 300.0), dict.fromkeys(AUDIO, 64.0))
    part = scene(1, 5.0, dict.fromkeys(VIDEO[1:3], 300.0), dict.fromkeys(AUDIO[1:], 64.0))
    for scenes in ([whole, part], [part, whole]):
        found = merge_scenes(scenes)
        assert [(v.height_px, v.target) for v in found.video] == VIDEO[1:3]
        assert [a.target for a in found.audio] == AUDIO[1:]
        assert found.avq_mos.shape == found.total_kbps.shape == (2, 1)


def test_scenes_that_share_nothing_are_refused_by_name() -> None:
    one = scene(0, 5.0, {VIDEO[0]: 300.0}, {AUDIO[0]: 64.0})
    with pytest.raises(FeatureTableError, match="'t' share no video"):
        merge_scenes([one, scene(1, 5.0, {VIDEO[1]: 300.0}, {AUDIO[0]: 64.0})])
    with pytest.raises(FeatureTableError, match="'t' share no audio"):
        merge_scenes([one, scene(1, 5.0, {VIDEO[0]: 300.0}, {AUDIO[1]: 64.0})])


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_scene_without_duration_is_refused_by_name(seconds: float) -> None:
    scenes = [scene(i, s, {VIDEO[0]: 300.0}, {AUDIO[0]: 64.0}) for i, s in enumerate([5.0, seconds])]
    with pytest.raises(FeatureTableError, match="'t' scene 1 lasts"):
        merge_scenes(scenes)


# AVQ where nobody measured.


def curves(avq: dict[int, list[tuple[float, float]]]) -> TitleCurves:
    """Curves from short side -> (rate, AVQ)."""
    points = {(side, f"v{i}"): kbps for side, probes in avq.items() for i, (kbps, _) in enumerate(probes)}
    s = scene(0, 1.0, points, {"b=64k": 64.0})
    values = [value for probes in avq.values() for _, value in probes]
    return TitleCurves(replace(s, avq_mos=np.array(values, np.float32)[:, None]), "h264")


def at(c: TitleCurves, side: int, kbps: float, *, cap: bool = False) -> float:
    return float(c.at(side, np.array([kbps]), cap_at_source=cap)[0, 0])


TITLE = curves({240: [(100, 2.0), (400, 3.0), (800, 3.5)], 720: [(300, 1.5), (900, 4.0), (2000, 4.5)]})


def test_at_a_probe_it_is_the_probes() -> None:
    assert (at(TITLE, 240, 400), at(TITLE, 720, 900)) == (3.0, 4.0)
    assert TITLE.describe(240, 400)[1] == ""


def test_below_the_cheapest_probe_nobody_knows() -> None:
    assert np.isnan([at(TITLE, 240, 99), at(TITLE, 720, 299), at(TITLE, 480, 299)]).all()


def test_above_the_dearest_probe_it_is_held_there_and_says_so() -> None:
    assert at(TITLE, 240, 5000) == pytest.approx(3.5)
    curve, note = TITLE.describe(240, 5000)
    assert curve is not None and curve.short_side_px == 240
    assert "800k" in note and "held" in note


@pytest.mark.parametrize("side", [234, 240, 252, 263])
def test_a_size_within_a_tenth_is_that_size(side: int) -> None:
    assert at(TITLE, side, 400) == 3.0
    assert TITLE.describe(side, 400)[1] == ("" if side == 240 else "as 240p")


def test_a_size_between_two_is_between_them_in_the_logarithm_of_the_side() -> None:
    side = round((240 * 720) ** 0.5)  # 416: half-way
    assert at(TITLE, side, 400) == pytest.approx((3.0 + at(TITLE, 720, 400)) / 2, abs=2e-3)
    assert TITLE.describe(side, 400)[1] == "size between 240p and 720p"
    values = [at(TITLE, side, 900) for side in range(240, 721, 20)]
    assert values == sorted(values) and (values[0], values[-1]) == pytest.approx((3.5, 4.0))


def test_a_size_larger_than_the_source_is_unknown_unless_the_source_stands_for_it() -> None:
    assert np.isnan(at(TITLE, 1080, 900))
    assert TITLE.describe(1080, 900) == (None, "larger than the source (720p)")
    assert at(TITLE, 1080, 900, cap=True) == 4.0
    assert TITLE.describe(1080, 900, cap_at_source=True)[1] == "as 720p"


def test_a_size_smaller_than_any_probe_is_unknown_and_not_called_large() -> None:
    assert np.isnan(at(TITLE, 144, 400)) and np.isnan(at(TITLE, 144, 400, cap=True))
    curve, note = TITLE.describe(144, 400)
    assert curve is None
    assert "larger" not in note


def test_a_codec_that_the_title_lacks_is_named() -> None:
    with pytest.raises(FeatureTableError, match="'t' has no av1"):
        TitleCurves(scene(0, 1.0, {(180, "v"): 100.0}, {"a": 64.0}), "av1")


def test_a_scene_of_a_digest_counts_for_the_time_that_it_stands_for() -> None:
    """Two scenes of 2 s that stand for 30 s and 10 s are scenes of 30 s and 10 s."""
    video, audio = dict.fromkeys(VIDEO, 100.0), dict.fromkeys(AUDIO, 30.0)
    other = dict.fromkeys(VIDEO, 500.0)
    digest = [
        replace(scene(0, 2.0, video, audio), stands_for_s=30.0),
        replace(scene(1, 2.0, other, audio), stands_for_s=10.0),
    ]
    found = merge_scenes(digest)
    whole = merge_scenes([scene(0, 30.0, video, audio), scene(1, 10.0, other, audio)])
    assert np.array_equal(found.avq_mos, whole.avq_mos)
    assert np.array_equal(found.total_kbps, whole.total_kbps)
    assert found.weight_s == whole.weight_s == 40.0
    shares = [list_cases(scenes, "shared")[0].candidates.time_share for scenes in (digest, [found])]
    assert shares[0] == pytest.approx([0.75, 0.25])
