"""WebVTT as it is read and written, and cut where a video is."""

from __future__ import annotations

import pytest

from abr_alloc.exporting.presentation import Segment, Timeline
from abr_alloc.exporting.text_stream import text_playlist, text_segments
from abr_alloc.media.webvtt import TIMESTAMP_MAP, Cue, WebVttError, read_webvtt, webvtt_text

ONE, OVER, LATE = (
    Cue(start_ms=a, end_ms=b, text=text)
    for a, b, text in (
        (500, 1500, "one\ntwo &amp; <i>three</i>"),
        (1999, 2001, "over the cut"),
        (3_723_004, 3_724_000, "x"),
    )
)


def test_what_is_written_is_read_again():
    data = webvtt_text([ONE, OVER, LATE], is_segment=True)
    assert data.splitlines()[3] == b"00:00:00.500 --> 00:00:01.500"
    assert b"01:02:03.004 --> " in data
    assert read_webvtt(data) == ([TIMESTAMP_MAP], [ONE, OVER, LATE])


def test_what_others_write_is_read():
    text = (
        "\ufeffWEBVTT - a title\r\n\r\nNOTE nothing\r\n\r\nSTYLE\r\n::cue {}\r\n\r\nname of a cue\r\n"
        "00:00.500 --> 00:01.500 align:start position:10%\r\none\r\ntwo &amp; <i>three</i>\r\n"
    )
    assert read_webvtt(text.encode()) == ([], [ONE])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "begins with ''"),
        (b"WEBVTTX\n", "begins with 'WEBVTTX'"),
        (b"WEBVTT\n\n\xff", "not UTF-8 from byte 8 on"),
        (b"WEBVTT\n\n00:00.5 --> 00:01.5\ntext\n", "line 3 has no times"),
        (b"WEBVTT\n\nsome text\n", "line 3 begins no cue"),
    ],
)
def test_what_is_no_webvtt_is_told_with_its_place(data, said):
    with pytest.raises(WebVttError, match=said):
        read_webvtt(data)


def test_a_cue_over_a_cut_stands_on_both_sides_with_all_of_its_time():
    segments = tuple(Segment(duration=2000, size_bytes=1) for _ in range(3))
    timeline = Timeline(timescale=1000, segments=segments, init_bytes=1)
    found = [read_webvtt(data)[1] for data in text_segments([ONE, OVER], timeline)]
    assert found == [[ONE, OVER], [OVER], []]
    assert text_playlist(timeline).splitlines()[4:6] == ["#EXTINF:2.000000,", "00001.vtt"]
