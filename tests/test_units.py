"""Bitrates and durations as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr_alloc.errors import UnitError
from abr_alloc.units import format_time, gigabytes, mean_kbps, parse_bitrate_kbps, parse_seconds


@pytest.mark.parametrize(
    ("text", "kbps"),
    [("500k", 500), ("2M", 2000), ("2.5M", 2500), ("2000000", 2000), ("10000", 10), (" 64K ", 64), (".5m", 500)],
)
def test_a_bitrate_is_read_as_ffmpeg_reads_it(text: str, kbps: float) -> None:
    assert parse_bitrate_kbps(text) == kbps


@pytest.mark.parametrize("text", ["abc", "", "-5k", "0", "0k", "1e999k", "2 000k", "k", "500kk", "nan", "inf", "5G"])
def test_what_is_no_positive_bitrate_is_refused_by_name(text: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse_bitrate_kbps(text)
    assert caught.value.value == text


def test_a_bare_number_under_10000_gets_a_hint() -> None:
    with pytest.raises(UnitError, match="did you mean 2000k"):
        parse_bitrate_kbps("2000")


@given(st.floats(min_value=1, max_value=1e6))
def test_k_is_a_thousand_and_m_a_million(number: float) -> None:
    assert parse_bitrate_kbps(f"{number:f}k") == pytest.approx(number, rel=1e-5)
    assert parse_bitrate_kbps(f"{number / 1000:.9f}M") == pytest.approx(number, rel=1e-5)


def test_durations_have_units() -> None:
    assert (parse_seconds("5"), parse_seconds("5s"), parse_seconds("1.5min"), parse_seconds("2h")) == (5, 5, 90, 7200)
    for text in ("0", "-1s", "abc", "5m"):
        with pytest.raises(UnitError):
            parse_seconds(text)


def test_mean_rate_of_one_second_of_125_bytes_is_one_kbps() -> None:
    assert mean_kbps(125, 1.0) == 1.0


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00.0"), (59.96, "1:00.0"), (61.25, "1:01.2"), (3600, "1:00:00"), (3725.6, "1:02:06")]
)
def test_times_carry_over(seconds: float, text: str) -> None:
    assert format_time(seconds) == text


def test_a_megabit_per_second_is_0_45_gigabytes_an_hour() -> None:
    assert gigabytes(1000.0, 3600.0) == pytest.approx(0.45)
