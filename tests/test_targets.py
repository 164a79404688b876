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


@pytest.mark.parametrize(
    ("text", "encoder", "plain"),
    [
        ("crf=28@film", "film", "crf=28"),
        ("b=500k@x265-slow", "x265-slow", "b=500k"),
        ("value=-3.5@mine", "mine", "value=-3.5"),
        ("crf=28", "", "crf=28"),
        ("me@home", "", "me@home"),
        ("crf=28@Film!", "", "crf=28@Film!"),
    ],
)
def test_a_target_says_whose_it_is(text: str, encoder: str, plain: str) -> None:
    assert (Target(text).encoder, str(Target(text).plain)) == (encoder, plain)


def test_numbers_are_read_whoever_is_asked() -> None:
    assert (Target("crf=28@film").crf, Target("b=2M@film").kbps, Target("qp=30@a").number) == (28.0, 2000.0, 30.0)
    assert str(Target.of_value("value", 7.25, "mine")) == "value=7.25@mine"
    assert str(Target.of_kbps(712.25, "film")) == "b=712.25k@film"
    assert [Target(t).is_quality for t in ("crf=1", "cq=1@a", "qp=1", "value=1", "b=1M")] == [True] * 3 + [False] * 2


@pytest.mark.parametrize("text", ["video/640x360-900k", "1080p", "crf", "crf=fine", "b=much", "value=", "q=3"])
def test_what_nobody_can_be_asked_for_is_a_label(text: str) -> None:
    assert Target(text).is_label
    assert not any(Target(t).is_label for t in ("crf=28", "b=500k@film", "cq=20", "qp=1", "value=0"))


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
