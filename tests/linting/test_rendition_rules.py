"""Languages and subtitles as playlists tell them: each rule is broken by exactly what it is about."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from abr_alloc.linting.findings import lint
from abr_alloc.media.webvtt import Cue, webvtt_text

OVER = Cue(start_ms=5500, end_ms=6500, text="over the cut")
ONE = Cue(start_ms=100, end_ms=900, text="one")


@pytest.fixture
def folder(make_hls, tmp_path) -> Path:
    """A stream of 14 s with subtitles in segments of 6 s."""
    folder = shutil.copytree(make_hls().parent, tmp_path / "stream")
    audio = (folder / "audio/48k/index.m3u8").read_text()
    segments = re.findall(r"#EXTINF:.*\n.*\n", (folder / "video/96/index.m3u8").read_text())
    (folder / "subtitles").mkdir()
    names = [f"{number}.vtt" for number in range(1, len(segments) + 1)]
    lines = [f"{segment.splitlines()[0]}\n{name}\n" for segment, name in zip(segments, names, strict=True)]
    head = audio[: audio.index("#EXT-X-MAP")].replace("#EXT-X-INDEPENDENT-SEGMENTS\n", "")
    (folder / "subtitles/index.m3u8").write_text(head + "".join(lines) + "#EXT-X-ENDLIST\n")
    for name in names:
        (folder / "subtitles" / name).write_bytes(webvtt_text([], is_segment=True))
    for name, cues in (("1.vtt", [ONE, OVER]), ("2.vtt", [OVER])):
        (folder / "subtitles" / name).write_bytes(webvtt_text(cues, is_segment=True))
    master = (folder / "master.m3u8").read_text()
    media = '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",NAME="English",LANGUAGE="en",URI="subtitles/index.m3u8"\n'
    master = re.sub(r"(#EXT-X-STREAM-INF:.*)", r'\1,SUBTITLES="text"', master)
    (folder / "master.m3u8").write_text(master.replace("#EXT-X-STREAM-INF", media + "#EXT-X-STREAM-INF", 1))
    return folder


def broken(folder: Path) -> set[str]:
    return {finding.rule for finding in lint(folder / "master.m3u8").findings}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_good_subtitles_break_nothing_and_every_rule_was_asked(folder):
    report = lint(folder / "master.m3u8")
    assert report.findings == ()
    assert {checked.status for checked in report.rules} == {"passed"}
    assert report.not_checked == ()


@pytest.mark.parametrize(
    ("name", "old", "new", "rule"),
    [
        ("2.vtt", "WEBVTT", "WEBVTTX", "HLS 3.1.4"),
        ("2.vtt", "00:00:05.500", "5.5", "HLS 3.1.4"),
        ("1.vtt", "X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n", "", "HLS 3.1.4 clock"),
        ("1.vtt", "MPEGTS:0", "MPEGTS:900000", "HLS 3.1.4 cues"),
        ("1.vtt", "LOCAL:00:00:00.000", "LOCAL:00:01:00.000", "HLS 3.1.4 cues"),
        ("2.vtt", "over the cut", "another text", "HLS 3.1.4 cues"),
    ],
)
def test_each_fault_breaks_its_rule(folder, name, old, new, rule):
    edit(folder / "subtitles" / name, old, new)
    assert broken(folder) == {rule}


def test_a_segment_that_is_not_there_is_told(folder):
    (folder / "subtitles/2.vtt").unlink()
    assert broken(folder) == {"HLS 3"}


def groups(*attributes: str) -> str:
    """Two audio groups of two members each, by attributes of the four."""
    names = ("English", "Deutsch") * 2
    lines = [
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{group}",NAME="{name}",{more},URI="{group}{at}.m3u8"'
        for at, (group, name, more) in enumerate(zip("aabb", names, attributes, strict=True))
    ]
    variants = [f'#EXT-X-STREAM-INF:BANDWIDTH=1000,AUDIO="{group}"\n{group}.m3u8' for group in "ab"]
    return "\n".join(["#EXTM3U", *lines, *variants]) + "\n"


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (('LANGUAGE="en",DEFAULT=YES', 'LANGUAGE="de"', 'LANGUAGE="en",DEFAULT=YES', 'LANGUAGE="de"'), ""),
        (('LANGUAGE="en",CHANNELS="6"', 'LANGUAGE="de",DEFAULT=NO', 'LANGUAGE="en"', 'LANGUAGE="de",CHANNELS="2"'), ""),
        (('LANGUAGE="en"', 'LANGUAGE="de"', 'LANGUAGE="en"', 'LANGUAGE="fr"'), "LANGUAGE of 'Deutsch' is fr"),
        (
            ('LANGUAGE="en"', 'LANGUAGE="de"', 'LANGUAGE="en",DEFAULT=YES', 'LANGUAGE="de"'),
            "DEFAULT of 'English'",
        ),
        (('LANGUAGE="en"', 'LANGUAGE="de"', 'LANGUAGE="en"', 'LANGUAGE="de",NAME="German"'), "group 'a' has 'Deutsch'"),
    ],
)
def test_groups_have_the_same_members(tmp_path, attributes, message):
    text = groups(*attributes).replace('NAME="Deutsch",LANGUAGE="de",NAME="German"', 'NAME="German",LANGUAGE="de"')
    (tmp_path / "master.m3u8").write_text(text)
    rule = "HLS 4.4.6.1.1 members"
    found = [finding.message for finding in lint(tmp_path / "master.m3u8").findings if finding.rule == rule]
    assert len(found) == bool(message) and all(message in one for one in found)
