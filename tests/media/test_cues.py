"""Subtitles of every kind as plain cues on the title's clock."""

from __future__ import annotations

from fractions import Fraction

import pytest

from abr_alloc.media.cues import place_cues, read_cues
from abr_alloc.media.probe import probe
from abr_alloc.media.webvtt import Cue

SRT = """1
00:00:00,500 --> 00:00:01,500
<i>one</i> <font color="red">red</font> & 1 < 2

2
00:00:01,000 --> 00:00:02,000
{\\an8}overlaps
in two lines
"""

ASS = """[Script Info]
ScriptType: v4.00+
[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, Bold, Italic
Style: Default,Arial,20,&H00FFFFFF,0,0
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.50,0:00:01.50,Default,,0,0,0,,{\\pos(1,2)}{\\i1}one{\\i0} red & 1 < 2
Dialogue: 0,0:00:00.60,0:00:01.50,Default,,0,0,0,,{\\p1}m 0 0 l 100 0 100 20{\\p0}
Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,overlaps\\N\\Nin two lines
"""

WANTED = [
    Cue(start_ms=500, end_ms=1500, text="<i>one</i> red &amp; 1 &lt; 2"),
    Cue(start_ms=1000, end_ms=2000, text="overlaps\nin two lines"),
]


@pytest.mark.parametrize(
    ("name", "text", "codec"),
    [("a.srt", SRT, "srt"), ("b.srt", SRT.replace(" < 2", " &lt; 2"), "webvtt"), ("c.ass", ASS, "ass")],
)
def test_all_formats_are_one_plain_text(ffmpeg, make_media, tmp_path, name, text, codec):
    (tmp_path / name).write_text(text)
    path = make_media(f"{codec}.mkv", "-i", tmp_path / name, "-c:s", codec)
    assert read_cues(ffmpeg, path, [0]) == {0: WANTED}


def test_times_are_those_of_the_film_wherever_the_files_clock_begins(ffmpeg, make_media, tmp_path):
    (tmp_path / "one.srt").write_text(SRT)
    path = make_media(
        "late.mp4",
        *("-itsoffset", "1.6", "-f", "lavfi", "-i", "testsrc2=size=64x36:rate=25:duration=2"),
        *("-itsoffset", "1.6", "-i", tmp_path / "one.srt", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0"),
        *("-c:s", "mov_text"),
    )
    info = probe(path, ffmpeg)
    assert info.zero_s == Fraction(8, 5)
    cues = read_cues(ffmpeg, path, [1])[1]
    placed = place_cues(cues, info.zero_s, Fraction(2))
    # MP4 has one text at a time: the first ends where the next begins.
    assert [(cue.start_ms, cue.end_ms) for cue in placed.cues] == [(500, 1000), (1000, 2000)]
    assert placed.num_cut == 0


def test_what_lies_beyond_the_film_is_cut():
    spans = ((-500, 200), (0, 1000), (900, 5000), (3000, 4000))
    cues = [Cue(start_ms=a + 250, end_ms=b + 250, text=str(a)) for a, b in spans]
    placed = place_cues(cues, Fraction(1, 4), Fraction(1))
    assert [(c.start_ms, c.end_ms, c.text) for c in placed.cues] == [
        (0, 200, "-500"),
        (0, 1000, "0"),
        (900, 1000, "900"),
    ]
    assert placed.num_cut == 3


def test_one_that_cannot_be_read_leaves_the_others(ffmpeg, make_media, tmp_path):
    (tmp_path / "one.srt").write_text(SRT)
    path = make_media("none.mkv", "-i", tmp_path / "one.srt", "-c:s", "srt")
    found = read_cues(ffmpeg, path, [0, 7])
    assert found[0] == WANTED
    assert isinstance(found[7], str)
