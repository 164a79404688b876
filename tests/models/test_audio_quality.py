"""Audio quality: what codec and rate say, what the statistics add, and what holds where something is not known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr_alloc.models.audio_quality import (
    CURVES,
    LISTENER_PRIOR_SHARE,
    TRANSPARENT_MOS,
    audio_quality_mos,
    heard_quality_mos,
    is_transparent,
    load_head,
    prior_mos,
    quality_of_rows,
    target_kbps,
    transparent_kbps,
)
from abr_alloc.models.p1203 import aac_mos
from abr_alloc.models.teacher import load_teacher
from abr_alloc.table.table import AUDIO_DIM, read_features

UNKNOWN = np.array([np.nan])
EXAMPLE = "examples/clip_features.parquet"


@given(st.sampled_from(sorted(CURVES)), st.floats(6, 400), st.floats(1, 2))
def test_more_of_one_codec_is_never_worse(codec: str, kbps: float, ratio: float) -> None:
    low, high = prior_mos([codec] * 2, np.array([kbps, kbps * ratio]), np.full(2, 2.0), np.full(2, np.nan))
    assert high >= low - 1e-12


def test_aac_is_what_the_recommendation_says() -> None:
    kbps = np.array([8.0, 32.0, 128.0])
    assert prior_mos(["aac"] * 3, kbps, np.full(3, 2.0), np.full(3, np.nan)) == pytest.approx(aac_mos(kbps))


def test_a_mono_stream_is_as_good_as_a_stereo_stream_of_twice_the_rate() -> None:
    mono, stereo = prior_mos(["aac"] * 2, np.array([32.0, 64.0]), np.array([1.0, 2.0]), np.full(2, np.nan))
    assert mono == stereo


def test_opus_is_credited_with_little_more_than_it_was_asked_for() -> None:
    hard, asked = prior_mos(["opus"] * 2, np.array([60.0, 31.2]), np.full(2, 2.0), np.array([24.0, np.nan]))
    assert hard == asked  # 1.3 x 24


def test_an_unknown_codec_or_rate_leaves_the_statistics_alone_to_speak() -> None:
    prior = prior_mos(["mp3", "aac"], np.array([64.0, np.nan]), np.full(2, 2.0), np.full(2, np.nan))
    assert np.isnan(prior).all()
    x_a = np.full((2, AUDIO_DIM), 0.7)
    heard = load_head()(x_a)
    assert audio_quality_mos(prior, x_a) == pytest.approx(heard)
    assert audio_quality_mos(np.array([4.0, np.nan]), x_a)[0] == pytest.approx(0.8 * 4.0 + 0.2 * heard[0])


def test_lossless_audio_is_transparent_at_whatever_it_takes() -> None:
    kbps = np.array([20.0, 900.0, np.nan])
    assert prior_mos(["flac"] * 3, kbps, np.array([1.0, 2.0, 2.0]), np.full(3, np.nan)) == pytest.approx(
        TRANSPARENT_MOS
    )
    assert is_transparent("flac", 20.0, 2, "lossless")


@pytest.mark.parametrize("kbps", [96.0, 192.0, 384.0])
def test_e_ac_3_is_credited_with_ac_3s_quality_and_neither_with_aacs(kbps: float) -> None:
    ac3, eac3, aac = prior_mos(["ac3", "eac3", "aac"], np.full(3, kbps), np.full(3, 2.0), np.full(3, np.nan))
    assert ac3 == eac3 < aac


def test_a_quiet_scene_is_as_good_as_its_encoder_was_asked_for() -> None:
    quiet, asked = prior_mos(["aac"] * 2, np.array([20.0, 64.0]), np.full(2, 2.0), np.array([64.0, np.nan]))
    assert quiet == asked


def test_what_equals_its_source_is_transparent_whatever_it_takes() -> None:
    silence = np.ones((1, AUDIO_DIM))
    poor = prior_mos(["aac"], np.array([2.2]), np.array([2.0]), UNKNOWN)
    assert audio_quality_mos(poor, silence)[0] == TRANSPARENT_MOS


def test_the_head_stays_on_the_scale_whatever_it_is_given() -> None:
    head = load_head()
    strange = np.stack([np.full(AUDIO_DIM, v) for v in (-1e9, 0.0, 1e9)])
    assert ((head(strange) >= 1.0) & (head(strange) <= 5.0)).all()


@pytest.mark.parametrize(("codec", "rate"), [("aac", 118.0), ("opus", 74.0), ("heaac", 55.0), ("mp3", np.inf)])
def test_from_its_transparent_rate_on_a_codec_gains_nothing(codec: str, rate: float) -> None:
    assert transparent_kbps(codec) == rate
    if np.isfinite(rate):
        here, far = prior_mos([codec] * 2, np.array([rate, 1000.0]), np.full(2, 2.0), np.full(2, np.nan))
        assert 0.0 <= far - here <= 0.01


def test_targets_that_name_no_rate_are_unknown() -> None:
    assert target_kbps(["b=64k", "crf=20", "b=lots"]) == pytest.approx([64.0, np.nan, np.nan], nan_ok=True)


def test_old_tables_get_it_when_they_are_read() -> None:
    rows = read_features(EXAMPLE).of_kind("audio")
    quality = pd.Series(quality_of_rows(rows), index=rows.index)
    assert quality.between(1.0, TRANSPARENT_MOS + 0.1).all()
    # Low-passed AAC at 32 to 48 kbps is good by people, poor by ViSQOL.
    low = rows["target"].isin(["b=32k", "b=48k"])
    assert (quality[low] - rows["audio_mos"][low]).mean() > 0.5


def test_a_step_up_in_rate_never_lowers_what_audio_adds() -> None:
    rows = read_features(EXAMPLE).of_kind("audio").reset_index(drop=True)
    gain = load_teacher().audio_gain(quality_of_rows(rows))
    for _, group in rows.groupby(["title", "scene", "codec"]):
        assert (np.diff(gain[group.sort_values("bitrate_kbps").index]) > -0.005).all()


# What the listener heard.


def test_the_listeners_mos_stands_where_the_regression_does_and_ends_at_transparent() -> None:
    prior, mos = np.array([4.0, np.nan, np.nan, 2.0]), np.array([3.0, 3.0, 4.7, 4.6499])
    share = LISTENER_PRIOR_SHARE
    expected = [share * 4.0 + (1.0 - share) * 3.0, 3.0, TRANSPARENT_MOS, TRANSPARENT_MOS]
    assert heard_quality_mos(prior, mos) == pytest.approx(expected)
    assert heard_quality_mos(np.array([2.0]), np.array([4.648]))[0] < 3.0, "near its source is not its source"


def test_rows_with_a_spread_are_the_listeners(listened) -> None:
    rows = listened.of_kind("audio")
    columns = listened.columns.of_kind("audio")
    prior = prior_mos(
        rows["codec"].tolist(), columns.numbers("bitrate_kbps"), columns.numbers("channels"),
        target_kbps(rows["target"].tolist()),
    )  # fmt: skip
    expected = heard_quality_mos(prior, columns.numbers("audio_mos"))
    assert quality_of_rows(columns).tolist() == quality_of_rows(rows).tolist() == expected.tolist()
    other = rows.assign(audio_features=[np.full(AUDIO_DIM, 7.0, np.float32)] * len(rows))
    assert quality_of_rows(other).tolist() == expected.tolist(), "no regression on its numbers"


def test_a_column_of_spreads_that_nobody_filled_changes_nothing() -> None:
    rows = read_features(EXAMPLE).of_kind("audio")
    assert quality_of_rows(rows.assign(audio_spread_mos=np.nan)).tolist() == quality_of_rows(rows).tolist()
