"""Objects become records by the types of their fields, or are refused by the place of what does not fit."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from abr_alloc.allocation.ranges import Kbps, Px, Word
from abr_alloc.formats.conversion import record_of, refuse_unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    codec: Word
    width_px: Px
    kbps: Kbps | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    streams: tuple[Stream, ...]
    scenes_s: tuple[tuple[float, float], ...] = ()


STREAM = {"codec": "h264", "width_px": 64, "kbps": 80.5}


def test_lists_become_tuples_and_whole_numbers_floats() -> None:
    film = record_of({"streams": [STREAM | {"kbps": 80}], "scenes_s": [[0, 1.5]], "more": 1}, Film)
    assert film == Film(streams=(Stream(codec="h264", width_px=64, kbps=80.0),), scenes_s=((0.0, 1.5),))
    assert type(film.streams[0].kbps) is type(film.scenes_s[0][0]) is float


def test_a_field_with_a_default_may_be_absent_or_null() -> None:
    for item in ({"codec": "h264", "width_px": 64}, STREAM | {"kbps": None}):
        assert record_of(item, Stream).kbps is None


def test_a_field_that_is_a_record_already_is_kept() -> None:
    stream = Stream(codec="h264", width_px=64)
    assert record_of({"streams": [stream]}, Film).streams[0] is stream


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width_px": 64.5}, "streams[0].width_px: expected int, got float"),
        ({"width_px": True}, "streams[0].width_px: expected int, got bool"),
        ({"width_px": "64"}, "streams[0].width_px: expected int, got str"),
        ({"width_px": 0}, "streams[0].width_px: expected int >= 1"),
        ({"kbps": False}, "streams[0].kbps: expected float | null, got bool"),
        ({"kbps": 1e9}, "streams[0].kbps: expected float <= 10000000.0"),
        ({"codec": ""}, "streams[0].codec: expected str of length >= 1"),
        ({"codec": None}, "streams[0].codec: expected str, got null"),
        ({"\ud800": 1}, "the name of a field of it holds half a character"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_by_its_place(change, message) -> None:
    with pytest.raises(ValueError) as refused:
        record_of({"streams": [STREAM | change]}, Film)
    assert str(refused.value) == message


def test_a_place_stands_before_the_field() -> None:
    with pytest.raises(ValueError, match=r"^films\[3\]\.streams\[0\]: object missing required field codec$"):
        record_of({"streams": [{"width_px": 64}]}, Film, "films[3]")
    with pytest.raises(ValueError, match=r"^films\[3\]: expected object, got array$"):
        record_of([], Film, "films[3]")
    with pytest.raises(ValueError, match=r"^expected object, got null$"):
        record_of(None, Film)


def test_an_unknown_field_is_refused_unless_it_is_named() -> None:
    refuse_unknown(STREAM, Stream, "it")
    refuse_unknown(STREAM | {"extra": 1}, Stream, "it", "extra")
    with pytest.raises(ValueError, match=r"^videos\[0\]: 'extra' is no field of it$"):
        refuse_unknown(STREAM | {"extra": 1}, Stream, "videos[0]")
