"""On phones the picture's MOS goes through P.1203.1's map before it meets the sound: laws, against known answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from abr_alloc.audio_families import LISTENER, VISQOL
from abr_alloc.models.audio_quality import AUDIO_QUALITY, TRANSPARENT_MOS
from abr_alloc.models.checkpoint import load_model
from abr_alloc.models.intervals import Intervals
from abr_alloc.models.screens import (
    OnPhones,
    best_audio,
    handheld_mos,
    intervals_on,
    phones_of,
    screen_object,
    screen_text,
)
from abr_alloc.models.teacher import load_teacher, mos_of_points
from abr_alloc.table.table import VIDEO_FEATURES, read_features

MONITOR = np.array([1.67, 2.24, 2.85, 3.31, 3.77, 4.27, 4.82])
PHONE = np.array([2.08, 2.68, 3.24, 3.62, 3.98, 4.38, 4.87])
"""Bins of P.1203's open data, and what the Recommendation's map makes of their stimuli."""
NETWORKS = ("attentive", "simple", "ca", "recursive")
SYSTEMS = (*NETWORKS, "svr-7f", "svr-8f", "live-sjtu", "p1203", "product-best-guess", "product-fitted", "svr-2f")


class Product:
    """The teacher as a system: AVQ = F + (V - F) g."""

    architecture = "product"
    neutral = (np.array([4.2]), np.array([0.5, 0.6, 0.7, 0.75, 4.0, 0.8]))

    def __init__(self) -> None:
        self.teacher = load_teacher()

    def predict(self, x_a, x_v):
        return mos_of_points(self.teacher.points(x_v, x_a[:, 0]))

    def predict_grid(self, x_a, x_v):
        return self.teacher.rate(x_v, x_a[:, 0])

    def change_norm(self, x_a, x_v):
        return None

    def state(self):
        return {}, {}


def stimuli(num: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Audio qualities (A, 1), and pictures (V, 6) from poor to transparent."""
    rng = np.random.default_rng(seed)
    x_v = np.column_stack([rng.uniform(0.1, 1.0, (num, 4)), rng.uniform(1.0, 20.0, num), rng.uniform(0.4, 1.0, num)])
    x_v[-1] = [1.0, 1.0, 1.0, 1.0, 20.0, 1.0]
    return np.linspace(1.05, TRANSPARENT_MOS, 9)[:, None], x_v


def test_the_map_is_the_recommendations() -> None:
    assert handheld_mos(MONITOR) == pytest.approx(PHONE, abs=0.011)  # of means of bins, which the map bends a little
    assert handheld_mos(np.array([3.0])) == pytest.approx([-0.60293 + 3 * 2.12382 - 9 * 0.36936 + 27 * 0.03409])


def test_the_map_rises_on_the_whole_scale_and_stays_on_it() -> None:
    mos = np.linspace(-0.5, 6.5, 7001)
    found = handheld_mos(mos)
    on_scale = (mos >= 1.0) & (mos <= 4.95)  # there the clip begins
    assert (np.diff(found[on_scale]) > 0.7e-3).all(), "a slope of .79 at least: no two pictures become one"
    assert (np.diff(found) >= 0.0).all()
    assert (found.min(), found.max()) == (1.0, 5.0)
    assert (found[on_scale] > mos[on_scale]).all(), "nothing looks worse on a phone"


def test_transparent_picture_and_sound_stay_near_their_4_65() -> None:
    """The map's scale ends at 5 and this one at 4.65, where panels put hidden references: .06 apart."""
    assert handheld_mos(np.array([4.65])) == pytest.approx([4.714], abs=1e-3)


def test_of_the_product_form_it_is_that_form_with_the_mapped_picture() -> None:
    system, (x_a, x_v) = Product(), stimuli()
    teacher = system.teacher
    foot = mos_of_points(teacher.c0)
    picture = mos_of_points(teacher.c0 + teacher.video_gain(x_v))
    expected = foot + np.outer(handheld_mos(picture) - foot, teacher.audio_gain(x_a[:, 0]))
    found = OnPhones(system, 1.0, [AUDIO_QUALITY], VIDEO_FEATURES).predict_grid(x_a, x_v)
    assert found == pytest.approx(expected, abs=2e-6)


def test_it_rises_with_both_modalities_and_audio_counts_for_more() -> None:
    system, (x_a, x_v) = Product(), stimuli()
    on_phone = OnPhones(system, 1.0, [AUDIO_QUALITY], VIDEO_FEATURES).predict_grid(x_a, x_v)
    on_tv = system.predict_grid(x_a, x_v)
    order = on_tv[:, -1].argsort()
    assert (np.diff(on_phone[order], axis=0) >= 0.0).all()
    assert (np.diff(on_phone, axis=1) >= -1e-6).all()
    steps = np.diff(on_phone, axis=1) - np.diff(on_tv, axis=1)  # of better sound at the same picture
    assert (steps >= -1e-6).all() and steps.max() > 0.03


@pytest.fixture(scope="module")
def title(example):
    """Renditions of a title, at all sizes."""
    table = read_features(example)
    frame = table.frame[table.frame["title"] == "cartoon-veo-carnival-720p"]
    return frame[frame["kind"] == "video"], frame[frame["kind"] == "audio"]


@pytest.mark.parametrize("name", [*NETWORKS, "svr-7f", "svr-8f"])
def test_under_transparent_audio_a_phone_gives_the_map_of_what_a_television_gives(name, title) -> None:
    model = load_model(name)
    phone = model.on_phones()
    x_v = model.video_inputs(title[0])
    best = phone.predictor._best_audio  # type: ignore[attr-defined]
    on_tv = model.predictor.predict_grid(best, x_v)
    assert phone.predictor.predict_grid(best, x_v) == pytest.approx(handheld_mos(on_tv), abs=1e-5)


@pytest.mark.parametrize("name", SYSTEMS)
def test_what_is_better_on_a_television_is_better_on_a_phone(name, title) -> None:
    """Up to how far a trained system is from the product form: hundredths of a MOS for networks."""
    model = load_model(name)
    x_a, x_v = model.audio_inputs(title[1]), model.video_inputs(title[0])
    on_tv, on_phone = (m.predictor.predict_grid(x_a, x_v).astype(float) for m in (model, model.on_phones()))
    least = -0.06 if name.startswith("svr") else -0.01
    for axis in (0, 1):
        order = np.argsort(on_tv, axis=axis, kind="stable")
        assert np.diff(np.take_along_axis(on_phone, order, axis), axis=axis).min() >= least
    assert (on_phone >= on_tv - 1e-6).all()
    mixed = model.on_phones(0.3).predictor.predict_grid(x_a, x_v)
    assert mixed == pytest.approx(0.7 * on_tv + 0.3 * on_phone, abs=1e-5)


def test_a_system_that_reads_q_v_is_given_the_mapped_one() -> None:
    """P.1203 as the Recommendation has it for handhelds: O22 through Eq. 13, then P.1203.3."""
    model = load_model("p1203").on_phones()
    q_v = float(handheld_mos(np.array([1.0 + 60.0 / 25.0]))[0])
    expected = -0.00069084 + 0.15374283 * 4.0 + 0.97153861 * q_v + 0.02461776 * 4.0 * q_v
    assert model.predictor.predict(np.array([[4.0]]), np.array([[60.0]])) == pytest.approx([expected], abs=1e-5)


def test_on_televisions_it_is_the_model_itself() -> None:
    model = load_model("attentive")
    again = model.on_phones(0.6).on_phones(0.0)
    assert again.predictor is model.predictor
    assert (again.intervals, again.phones, again.described) == (model.intervals, 0.0, "attentive")
    assert model.on_phones(0.6).on_phones(1.0).predictor.tv is model.predictor  # type: ignore[attr-defined]
    assert model.on_phones(0.6).described == "attentive, 60 % on phones"


def test_intervals_hold_the_error_of_the_map() -> None:
    own = Intervals(interval_mos=(-0.3, 0.4), difference_mos=0.35)
    wide = intervals_on(own, 1.0)
    assert wide.interval_mos == pytest.approx((-np.hypot(0.3, 0.28788), np.hypot(0.4, 0.28788)), abs=1e-4)
    assert wide.difference_mos == own.difference_mos
    half = intervals_on(own, 0.5).interval_mos
    assert wide.interval_mos[0] < half[0] < -0.3 and 0.4 < half[1] < wide.interval_mos[1]


@pytest.mark.parametrize(("phones", "words"), [(0.0, ""), (1.0, "on phones"), (0.6, "60 % on phones")])
def test_a_file_says_and_gives_back_who_watches_on_what(phones: float, words: str) -> None:
    assert phones_of(screen_object(phones)) == phones
    assert screen_text(phones) == words


@pytest.mark.parametrize("found", [{"screen": "cinema"}, {"screen": "both"}, {"screen": "both", "phones": 1.5}])
def test_a_screen_that_is_none_is_refused(found) -> None:
    with pytest.raises(ValueError, match=r"screen|phones"):
        phones_of(found)


def test_the_best_audio_is_its_familys(title) -> None:
    model = load_model("attentive")
    columns, neutral = model.audio_features, model.predictor.neutral[0]
    visqol, listener = (best_audio(columns, neutral, family)[0] for family in (VISQOL, LISTENER))
    assert listener[:512].tolist() == [0.0] * 512 and listener[512] == visqol[512] == np.float32(TRANSPARENT_MOS)
    statistics = visqol[:512].reshape(4, 4, 32)
    assert (statistics[:, :2] == 1.0).all() and (statistics[:, 2] == 0.0).all()
    assert (statistics[:, 3] == np.asarray(neutral[:512]).reshape(4, 4, 32)[:, 3]).all()
    names = ["audio_mos", "bitrate_kbps", "loudness"]
    assert best_audio(names, np.full(3, 0.5), LISTENER)[0].tolist() == pytest.approx(
        [LISTENER.identity_mos, 256.0, 0.5]
    )


def test_a_model_of_the_listener_is_asked_with_the_listeners_best_audio(title) -> None:
    model = load_model("attentive")
    heard = replace(model, card={**model.card, "audio_feature_version": LISTENER.version})
    video, _ = title
    x_v, silent = heard.video_inputs(video), best_audio(heard.audio_features, heard.predictor.neutral[0], LISTENER)
    on_phone = heard.on_phones().predictor.predict_grid(silent, x_v)
    on_tv = heard.predictor.predict_grid(silent, x_v)
    assert on_phone == pytest.approx(handheld_mos(on_tv), abs=1e-4), "under its transparent audio: the map itself"
