"""Targets: text that is read comes back as it was, and a number that is not there is refused."""

from __future__ import annotations

import pytest

from abr_alloc.errors import AbrAllocError, UnitError
from abr_alloc.targets import Target


@pytest.mark.parametrize("text", ["crf=28", "b=2M", "b=2000000", "b=", "crf", "", "video/640x360-900k", "q=3=4"])
def test_any_text_comes_back_as_it_was(text: str) -> None:
    assert str(Target(text)) == text


@pytest.mark.parametrize(("text", "crf"), [("crf=28", 28.0), ("crf=30.5", 30.5), ("crf=0", 0.0)])
def test_a_constant_quality_is_read(text: str, crf: float) -> None:
    target = Target(text)
    assert (target.is_crf, target.is_rate, target.crf) == (True, False, crf)
    assert Target.of_crf(crf) == target


@pytest.mark.parametrize(("text", "kbps"), [("b=500k", 500.0), ("b=2M", 2000.0), ("b=2000000", 2000.0)])
def test_a_mean_rate_is_read(text: str, kbps: float) -> None:
    target = Target(text)
    assert (target.is_crf, target.is_rate, target.kbps) == (False, True, kbps)


def test_a_rate_is_written_in_kbps_and_read_again() -> None:
    assert str(Target.of_kbps(712.25)) == "b=712.25k"
    assert Target.of_kbps(712.25).kbps == 712.25


def test_a_rate_stays_as_somebody_wrote_it() -> None:
    assert str(Target.of_rate(" 2.5M ")) == "b=2.5M"
    with pytest.raises(UnitError, match="did you mean 900k"):
        Target.of_rate("900")


def test_a_kind_and_a_value_stand_on_two_sides_of_the_equals_sign() -> None:
    assert (Target("b=500k").kind, Target("b=500k").value) == ("b", "500k")
    assert (Target("q=3=4").kind, Target("q=3=4").value) == ("q", "3=4")


@pytest.mark.parametrize("text", ["b=500k", "crf=", "crf=fine", "crf=nan", "crf=inf", "CRF=28", "28", "", "video/a"])
def test_a_quality_that_is_not_there_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(UnitError, match="write it like crf=28") as refused:
        _ = Target(text).crf
    assert refused.value.value == text and isinstance(refused.value, AbrAllocError)


@pytest.mark.parametrize("text", ["crf=28", "500k", "", "B=500k", "video/a"])
def test_a_rate_that_is_not_there_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(UnitError, match="write it like b=500k") as refused:
        _ = Target(text).kbps
    assert refused.value.value == text


@pytest.mark.parametrize("text", ["b=", "b=much", "b=900", "b=0k", "b=900k;reboot"])
def test_a_rate_that_cannot_be_read_is_still_a_rate(text: str) -> None:
    target = Target(text)
    assert target.is_rate
    with pytest.raises(UnitError):
        _ = target.kbps
