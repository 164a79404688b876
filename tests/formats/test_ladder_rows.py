"""Ladders as CSV: the columns of `ladder -o`, and errors that name line and column."""

from __future__ import annotations

import re

import pytest

from abr_alloc.errors import LadderFormatError
from abr_alloc.formats.ladder_rows import read_ladder_rows

HEAD = "video_codec,width_px,height_px,video_kbps,audio_codec,audio_kbps"
ROW = "h264,1280,720,1800k,aac,128k"


@pytest.fixture
def read(tmp_path):
    def of(text):
        path = tmp_path / "l.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_ladder_rows(path)

    return of


def test_a_row_is_a_rung_with_its_line(read) -> None:
    (found,) = read(f"{HEAD},note\r\n\r\n{ROW},first\r\nhevc,1920,1080,2.5M,opus,96,second\r\n")
    low, high = found.rungs
    assert (found.title, low.place, high.place) == (None, "line 3", "line 4")
    assert (low.video.codec, low.video.width_px, low.video.height_px, low.video.kbps) == ("h264", 1280, 720, 1800.0)
    assert (high.audio.codec, high.audio.kbps, high.video.kbps) == ("opus", 96.0, 2500.0)


def test_semicolons_of_a_spreadsheet_are_read(read) -> None:
    text = f"{HEAD}\r\n{ROW}\r\n".replace(",", ";")
    assert read("\ufeff" + text) == read(text) == read(text.replace(";", ","))
    with pytest.raises(LadderFormatError, match="line 2: video_kbps"):
        read(text.replace("1800k", "1800,5"))


def test_a_row_too_many_is_refused_and_not_left_out(read) -> None:
    with pytest.raises(LadderFormatError, match="more than 100000 rows"):
        read(f"{HEAD}\n" + f"{ROW}\n" * 100_001)


def test_labels_alone_tell_a_rung(read) -> None:
    (found,) = read("video_target,audio_target\nv720,a128\n")
    assert (found.rungs[0].video.label, found.rungs[0].audio.label) == ("v720", "a128")


def test_titles_have_ladders_of_their_own(read) -> None:
    found = read(f"title,{HEAD}\na,{ROW}\nb,{ROW}\na,{ROW}\n")
    assert [(one.title, len(one.rungs)) for one in found] == [("a", 2), ("b", 1)]


def test_what_ladder_writes_is_read_again(run_command, example, tmp_path) -> None:
    path = tmp_path / "ladder.csv"
    title = "documentary-nasa-jwst-270p"
    words = ("--title", title, "--network", "lognormal:median=300k,sigma=0.9", "--rungs", "3")
    assert run_command("ladder", example, *words, "-o", path).code == 0
    (found,) = read_ladder_rows(path)
    assert found.title == title and len(found.rungs) == 3
    assert all(rung.video.kbps and rung.audio.channels == 2 for rung in found.rungs)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty; its first line names columns"),
        (f"{HEAD}\n", "has no rungs"),
        (f"width_px,{HEAD}\n1,{ROW}\n", "line 1: the column width_px stands twice"),
        (
            "video_codec,width_px,height_px,video_kbps\nh264,1280,720,1M\n",
            "line 1: .* no column audio_codec and no audio_kbps",
        ),
        (f"{HEAD}\n{ROW}\nh264,1280,720,,aac,128k\n", "line 3: its video has no video_kbps"),
        (f"{HEAD}\nh264,1280,720p,1M,aac,128k\n", "line 2: height_px is '720p', not a whole number"),
        (f"{HEAD}\nx264,1280,720,1M,aac,128k\n", "line 2: video_codec is 'x264'; write one of h264"),
        (f"{HEAD}\nh264,1280,720,fast,aac,128k\n", "line 2: video_kbps: 'fast' is not a bitrate"),
        (f"{HEAD}\nh264,1280,720,-5,aac,128k\n", "line 2: video_kbps is '-5', not a positive rate"),
        (f"{HEAD}\nh264,1280,720,nan,aac,128k\n", "line 2: video_kbps is 'nan', not a positive rate"),
        (f"{HEAD}\n{ROW},more\n", "line 2: 7 cells below 6 columns"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_what_breaks_the_format_is_told_by_its_line(read, text, told) -> None:
    with pytest.raises(LadderFormatError, match=told) as caught:
        read(text)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path) -> None:
    with pytest.raises(LadderFormatError, match=re.escape("nowhere.csv does not exist")):
        read_ladder_rows(tmp_path / "nowhere.csv")
