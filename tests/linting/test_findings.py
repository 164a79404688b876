"""A good stream breaks nothing; each rule is broken by exactly what it is about; what is not looked at is said."""

from __future__ import annotations

import random
import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from abr_alloc.exporting.hls import media_playlist
from abr_alloc.exporting.presentation import Segment, Timeline
from abr_alloc.formats.ladder_file import read_ladders
from abr_alloc.linting.authoring_rules import STEREO_KBPS
from abr_alloc.linting.findings import Report, lint
from abr_alloc.linting.rules import RULES
from abr_alloc.media.grid import load_grid
from abr_alloc.models.audio_quality import transparent_kbps
from abr_alloc.units import parse_bitrate_kbps

MASTER, VIDEO, AUDIO = "master.m3u8", "video/96/index.m3u8", "audio/96k/index.m3u8"
LADDERS = Path(__file__).parents[2] / "ladders"
PLAYLISTS = [f"{name}/index.m3u8" for name in ("video/64", "video/96", "audio/48k", "audio/96k")]


class Delivered:
    """A copy of a stream, to be damaged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def lint(self, name: str = MASTER) -> Report:
        return lint(self.folder / name)

    def broken(self) -> set[str]:
        return {finding.rule for finding in self.lint().findings}

    def edit(self, name: str, pattern: str, new: str, count: int = 0) -> None:
        path = self.folder / name
        text, number = re.subn(pattern, new, path.read_text(), count=count, flags=re.MULTILINE)
        assert number, f"{pattern} is not in {name}"
        path.write_text(text)

    def edit_all(self, pattern: str, new: str, names: list[str] = PLAYLISTS) -> None:
        for name in names:
            self.edit(name, pattern, new)

    def scale(self, name: str, factor: float) -> tuple[int, int]:
        """Multiply a rate of the last variant; what it is then, and was."""
        text = (self.folder / MASTER).read_text()
        found = list(re.finditer(rf"^#EXT-X-STREAM-INF:(?:.*,)?{name}=(\d+)", text, flags=re.MULTILINE))[-1]
        new = round(int(found[1]) * factor)
        (self.folder / MASTER).write_text(f"{text[: found.start(1)]}{new}{text[found.end(1) :]}")
        return new, int(found[1])

    def pad(self, segment: str, num_bytes: int) -> None:
        """Make a segment larger by a box that demuxers skip (ISO/IEC 14496-12, 8.1.2)."""
        with (self.folder / segment).open("ab") as file:
            file.write(struct.pack(">I4s", num_bytes, b"free") + bytes(num_bytes - 8))

    def rewind(self, segment: str) -> None:
        """Have the clock of a segment start at 0 (ISO/IEC 14496-12, 8.8.12)."""
        path = self.folder / segment
        data = bytearray(path.read_bytes())
        starts = [found.end() + 4 for found in re.finditer(b"tfdt", data)]
        (first,) = struct.unpack_from(">Q", data, starts[0])
        for at in starts:
            struct.pack_into(">Q", data, at, struct.unpack_from(">Q", data, at)[0] - first)
        path.write_bytes(data)

    def patch(self, name: str, old: bytes, new: bytes) -> None:
        path = self.folder / name
        data = path.read_bytes()
        assert data.count(old) == 1
        path.write_bytes(data.replace(old, new))

    def declare(self) -> None:
        """Write the rates that the segments now have."""
        for rule, name in (("1.27", "BANDWIDTH"), ("1.26", "AVERAGE-BANDWIDTH"), ("9.13", "BANDWIDTH")):
            for finding in self.lint().findings:
                if finding.rule == rule:
                    line = int(finding.where.rpartition(":")[2])
                    lines = (self.folder / MASTER).read_text().split("\n")
                    value = re.search(r"=(\d+)", finding.next)[1]
                    lines[line - 1] = re.sub(rf"(?<![-A-Z]){name}=\d+", f"{name}={value}", lines[line - 1])
                    (self.folder / MASTER).write_text("\n".join(lines))


def copy(master: Path, tmp_path: Path) -> Delivered:
    folder = tmp_path / "stream"
    shutil.copytree(master.parent, folder)
    return Delivered(folder)


@pytest.fixture
def good(make_hls, tmp_path) -> Delivered:
    return copy(make_hls(), tmp_path)


def test_a_good_stream_breaks_nothing_and_every_rule_was_asked(good):
    report = good.lint()
    assert report.findings == ()
    assert {checked.status for checked in report.rules if checked.rule.needs != "subtitles"} == {"passed"}
    assert (report.num_variants, report.num_playlists, report.num_segments, report.num_measured) == (2, 4, 12, 12)
    assert report.not_checked == ()


# What is done to a good stream, and all the rules that it breaks.
DAMAGE: dict[str, tuple[Callable[[Delivered], object], set[str]]] = {
    "average declared 20 % too high": (
        lambda s: s.scale("AVERAGE-BANDWIDTH", 1.2),
        {"1.26", "HLS 4.4.6.2"},
    ),
    "peak declared too high": (lambda s: s.scale("BANDWIDTH", 1.2), {"1.27"}),
    "peak declared 5 % too low": (
        lambda s: s.scale("BANDWIDTH", 0.95),
        {"9.13", "HLS 4.4.6.2"},
    ),
    "audio left out of BANDWIDTH": (
        lambda s: s.scale("BANDWIDTH", 0.73),
        {"1.27", "9.13", "HLS 4.4.6.2"},
    ),
    "one segment many times as large": (
        lambda s: (s.pad("video/96/00002.m4s", 3_000_000), s.declare()),
        {"1.30"},
    ),
    "stereo AAC of 200 kb/s": (
        lambda s: (
            [s.pad(f"audio/96k/0000{n}.m4s", size) for n, size in ((1, 78_000), (2, 78_000), (3, 26_000))],
            s.declare(),
        ),
        {"2.9"},
    ),
    "targets of 7 s": (lambda s: s.edit_all("DURATION:6", "DURATION:7"), {"7.5"}),
    "one target of 7 s": (lambda s: s.edit(AUDIO, "DURATION:6", "DURATION:7"), {"7.5", "8.2"}),
    "a target that is half a second below a segment": (
        lambda s: (s.edit_all("DURATION:6", "DURATION:5"), s.edit_all("EXTINF:(6|5.99).*", "EXTINF:5.5,")),
        {"7.5", "8.1", "9.13"},
    ),
    "target of 5 s": (lambda s: s.edit_all("DURATION:6", "DURATION:5"), {"7.5", "HLS 4.4.3.1"}),
    "no target": (lambda s: s.edit(VIDEO, "#EXT-X-TARGETDURATION:6\n", ""), {"HLS 4.4.3.1"}),
    "EXTINF 0.3 s too long": (lambda s: s.edit(VIDEO, "EXTINF:6.000000", "EXTINF:6.300000", 1), {"8.1"}),
    "EXTINF 0.06 s too short, twice": (lambda s: s.edit(VIDEO, "EXTINF:6.000000", "EXTINF:5.940000"), {"8.1"}),
    "not marked VOD": (lambda s: s.edit_all("#EXT-X-PLAYLIST-TYPE:VOD\n", ""), {"8.6"}),
    "one marked EVENT": (lambda s: s.edit(VIDEO, "TYPE:VOD", "TYPE:EVENT"), {"HLS 6.2.4 type"}),
    "one of no known type": (lambda s: s.edit_all("TYPE:VOD", "TYPE:FILM"), {"HLS 4.4.3.5", "8.6"}),
    "no end": (lambda s: s.edit_all("#EXT-X-ENDLIST\n", ""), {"HLS 4.4.3.4"}),
    "no language": (lambda s: s.edit(MASTER, ',LANGUAGE="en"', "", 1), {"8.10"}),
    "last segment left out": (lambda s: s.edit(VIDEO, r"#EXTINF:2.*\n00003.m4s\n", ""), {"8.22"}),
    "first segment left out": (
        lambda s: s.edit(VIDEO, r"#EXTINF.*\n00001.m4s\n", ""),
        {"8.22", "HLS 6.2.4 start", "HLS 6.2.4 content"},
    ),
    "only the first segment": (
        lambda s: s.edit(VIDEO, r"#EXTINF:[62]\.0+,\n0000[23].m4s\n", ""),
        {"8.22", "HLS 6.2.4 content"},
    ),
    "no I-frame playlists": (lambda s: s.edit(MASTER, "^#EXT-X-I-FRAME.*\n", ""), {"6.1"}),
    "an I-frame playlist that does not say so": (
        lambda s: s.edit("video/96/iframes.m3u8", "#EXT-X-I-FRAMES-ONLY\n", ""),
        {"HLS 4.4.3.6"},
    ),
    "an I-frame playlist of sound": (
        lambda s: (
            s.edit(MASTER, "video/96/iframes.m3u8", AUDIO),
            s.edit(AUDIO, "#EXT-X-MAP", "#EXT-X-I-FRAMES-ONLY\n#EXT-X-MAP"),
            s.edit(MASTER, ',AUDIO="audio-96k"', ',AUDIO="audio-48k"'),
            s.edit(MASTER, ".*GROUP-ID=.audio-96k.*\n", ""),
            s.declare(),
        ),
        {"HLS 4.4.3.6"},
    ),
    "an I-frame elsewhere": (
        lambda s: s.edit("video/96/iframes.m3u8", r"BYTERANGE:(\d+)@\d+", r"BYTERANGE:\1@5", 1),
        {"HLS 3"},
    ),
    "an I-frame playlist is missing": (lambda s: (s.folder / "video/96/iframes.m3u8").unlink(), {"HLS 4.4.6"}),
    "an I-frame variant without URI": (
        lambda s: s.edit(MASTER, ',URI="video/96/iframes.m3u8"', ""),
        {"HLS 4.4.6.3"},
    ),
    "no CODECS": (lambda s: s.edit(MASTER, r',CODECS="[^"]*"', "", 1), {"9.1"}),
    "CODECS of another level": (lambda s: s.edit(MASTER, "avc1.......", "avc1.64001f", 1), {"HLS 6.2.4 codecs"}),
    "CODECS without audio": (lambda s: s.edit(MASTER, ",mp4a.40.2", "", 1), {"HLS 6.2.4 codecs"}),
    "CODECS with what is not there": (lambda s: s.edit(MASTER, ",mp4a.40.2", ",mp4a.40.2,ec-3"), {"HLS 6.2.4 codecs"}),
    "no RESOLUTION": (lambda s: s.edit(MASTER, "RESOLUTION=96x64,", ""), {"9.2"}),
    "RESOLUTION of another": (lambda s: s.edit(MASTER, "=96x64", "=192x128"), {"HLS 4.4.6.2 resolution"}),
    "one video only": (
        lambda s: s.edit(MASTER, r"#EXT-X-STREAM-INF:BANDWIDTH=1.*\nvideo/64/index.m3u8\n", ""),
        {"9.9"},
    ),
    "independence not said in the master": (
        lambda s: s.edit(MASTER, "#EXT-X-INDEPENDENT-SEGMENTS\n", ""),
        {"9.11"},
    ),
    "independence said nowhere": (
        lambda s: s.edit_all("#EXT-X-INDEPENDENT-SEGMENTS\n", "", [MASTER, *PLAYLISTS]),
        {"9.11", "9.12"},
    ),
    "no AVERAGE-BANDWIDTH": (lambda s: s.edit(MASTER, r"AVERAGE-BANDWIDTH=\d+,", "", 1), {"9.14"}),
    "no FRAME-RATE": (lambda s: s.edit(MASTER, "FRAME-RATE=12.000,", "", 1), {"9.15"}),
    "FRAME-RATE of another": (lambda s: s.edit(MASTER, "=12.000", "=12.500", 1), {"HLS 4.4.6.2 frame-rate"}),
    "SCORE on one only": (lambda s: s.edit(MASTER, "SCORE=3.000,", ""), {"9.19"}),
    "a segment is missing": (lambda s: (s.folder / "video/96/00002.m4s").unlink(), {"HLS 3"}),
    "a segment is empty": (lambda s: (s.folder / "video/96/00002.m4s").write_bytes(b""), {"HLS 3"}),
    "a segment is garbage": (
        lambda s: (s.folder / "audio/96k/00001.m4s").write_bytes(bytes(range(256)) * 50),
        {"HLS 3"},
    ),
    "a segment is a folder": (
        lambda s: ((s.folder / "video/96/00002.m4s").unlink(), (s.folder / "video/96/00002.m4s").mkdir()),
        {"HLS 3"},
    ),
    "no segments": (lambda s: s.edit(VIDEO, r"#EXTINF.*\n.*\n", ""), {"HLS 3"}),
    "no EXT-X-MAP": (lambda s: s.edit(VIDEO, "#EXT-X-MAP.*\n", ""), {"HLS 3"}),
    "a codec that nobody knows": (lambda s: s.patch("video/96/init.mp4", b"avc1\0", b"zzzz\0"), {"HLS 3"}),
    "the initialisation segment is missing": (lambda s: (s.folder / "video/96/init.mp4").unlink(), {"HLS 3.1.2"}),
    "EXT-X-MAP without URI": (lambda s: s.edit(VIDEO, 'URI="init.mp4"', 'X="1"'), {"HLS 3", "HLS 4.4.4.5"}),
    "a byte that is not UTF-8": (
        lambda s: (s.folder / VIDEO).write_bytes((s.folder / VIDEO).read_bytes() + b"#\xff\n"),
        {"HLS 4.1"},
    ),
    "a byte order mark": (
        lambda s: (s.folder / VIDEO).write_bytes(b"\xef\xbb\xbf" + (s.folder / VIDEO).read_bytes()),
        {"HLS 4.1"},
    ),
    "a control character": (lambda s: s.edit(VIDEO, "#EXT-X-ENDLIST", "#\0\n#EXT-X-ENDLIST"), {"HLS 4.1"}),
    "master and media at once": (
        lambda s: s.edit(MASTER, "#EXT-X-VERSION:7", "#EXT-X-VERSION:7\n#EXT-X-ENDLIST"),
        {"HLS 4.1"},
    ),
    "an attribute twice": (lambda s: s.edit(MASTER, "SCORE=3.000", "SCORE=3.000,SCORE=3.000"), {"HLS 4.2"}),
    "no comma between attributes": (
        lambda s: s.edit(MASTER, "CAPTIONS=NONE", "CAPTIONS=NONE X=1", 1),
        {"HLS 4.2"},
    ),
    "a blank line first": (lambda s: s.edit(VIDEO, r"\A", "\n"), {"HLS 4.4.1.1"}),
    "two versions": (
        lambda s: s.edit(VIDEO, "#EXT-X-VERSION:7", "#EXT-X-VERSION:7\n#EXT-X-VERSION:7"),
        {"HLS 4.4.1.2"},
    ),
    "version too low": (lambda s: s.edit(VIDEO, "VERSION:7", "VERSION:3"), {"HLS 8"}),
    "no version": (lambda s: s.edit(VIDEO, "#EXT-X-VERSION:7\n", ""), {"HLS 8"}),
    "no EXTINF": (lambda s: s.edit(VIDEO, r"#EXTINF:2.*\n", ""), {"HLS 4.4.4.1"}),
    "a byte range without offset": (
        lambda s: s.edit(VIDEO, "^00002.m4s", "#EXT-X-BYTERANGE:9\n00002.m4s"),
        {"HLS 4.4.4.2"},
    ),
    "a discontinuity in one playlist": (
        lambda s: s.edit(VIDEO, r"(#EXTINF.*\n00002.m4s)", r"#EXT-X-DISCONTINUITY\n\1"),
        {"HLS 6.2.4 discontinuities"},
    ),
    "a discontinuity elsewhere in one playlist": (
        lambda s: (
            s.edit_all(r"(#EXTINF.*\n00002.m4s)", r"#EXT-X-DISCONTINUITY\n\1", PLAYLISTS[1:]),
            s.edit(PLAYLISTS[0], r"(#EXTINF.*\n00003.m4s)", r"#EXT-X-DISCONTINUITY\n\1"),
            s.edit(MASTER, "^#EXT-X-I-FRAME.*\n", ""),
        ),
        {"HLS 6.2.4 discontinuities", "6.1"},
    ),
    "the initialisation segment of another size": (
        lambda s: s.edit(VIDEO, r"(#EXTINF.*\n00002.m4s)", r'#EXT-X-MAP:URI="../64/init.mp4"\n\1'),
        {"HLS 4.4.4.3 encoding"},
    ),
    "a clock that starts anew": (
        lambda s: s.rewind("video/96/00002.m4s"),
        {"HLS 4.4.4.3 clock", "8.1", "8.22", "1.13"},
    ),
    "a playlist is missing": (lambda s: (s.folder / AUDIO).unlink(), {"HLS 4.4.6"}),
    "a playlist names the master": (lambda s: s.edit(MASTER, "^video/96/index.m3u8", "master.m3u8"), {"HLS 4.4.6"}),
    "no NAME": (lambda s: s.edit(MASTER, 'NAME="English",', ""), {"HLS 4.4.6.1"}),
    "a second default": (
        lambda s: s.edit(MASTER, '^(#EXT-X-MEDIA.*"English)(".*)$', r"\1\2\n\1 b\2"),
        {"HLS 4.4.6.1.1"},
    ),
    "a NAME twice": (
        lambda s: s.edit(MASTER, "^(#EXT-X-MEDIA.*48k.*DEFAULT=)YES(.*)$", r"\1YES\2\n\1NO\2"),
        {"HLS 4.4.6.1.1"},
    ),
    "no BANDWIDTH": (lambda s: s.edit(MASTER, r":BANDWIDTH=\d+,", ":", 1), {"HLS 4.4.6.2"}),
    "no URI": (lambda s: s.edit(MASTER, "^video/96/index.m3u8\n", ""), {"HLS 4.4.6.2", "9.9"}),
    "a group that is not there": (
        lambda s: s.edit(MASTER, ',AUDIO="audio-48k"', ',AUDIO="none"'),
        {"HLS 4.4.6.2 groups"},
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_rule_is_broken_by_what_it_is_about_and_by_nothing_else(good, what):
    damage, broken = DAMAGE[what]
    damage(good)
    assert good.broken() == broken


def test_key_frames_every_three_seconds_are_too_rare(make_hls, tmp_path):
    stream = copy(make_hls(gop=36), tmp_path)
    assert stream.broken() == {"1.13"}
    assert "3.000 s pass" in stream.lint().findings[0].message


def test_open_gops_begin_segments_without_idr(make_hls, tmp_path):
    broken = copy(make_hls(x264="bframes=2:open-gop=1"), tmp_path).broken()
    assert broken - {"8.22"} == {
        "1.13",
        "6.1",
        "7.4",
    }  # pictures before the key frame move boundaries, where there are any


def test_segments_of_four_seconds(make_hls, tmp_path):
    stream = copy(make_hls(segment_s=4), tmp_path)
    assert stream.broken() == {"7.6"}
    stream.edit_all("DURATION:6", "DURATION:4")
    assert stream.broken() == {"7.5", "7.6"}


def test_renditions_that_are_cut_at_other_times(make_hls, good):
    shutil.rmtree(good.folder / "video/96")
    shutil.copytree(make_hls(segment_s=4).parent / "video/96", good.folder / "video/96")
    good.declare()
    assert good.broken() == {"7.6", "8.22"}
    finding = next(finding for finding in good.lint().findings if finding.rule == "8.22")
    assert finding.message == "segment 2 begins at 4.000 s, and at 6.000 s in video/64/index.m3u8"


def test_mono_is_not_stereo(make_hls, tmp_path):
    assert copy(make_hls(channels=1), tmp_path).broken() == {"2.3"}


def test_he_aac_is_for_low_rates(good):
    for name in ("48k", "96k"):
        # AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1): AAC-LC with 48 kHz, then SBR over AAC-LC with 24 kHz.
        good.patch(f"audio/{name}/init.mp4", bytes.fromhex("119056e500"), bytes.fromhex("2b11880000"))
    good.edit(MASTER, "mp4a.40.2", "mp4a.40.5")
    assert good.broken() == {"2.4"}
    assert [finding.where for finding in good.lint().findings] == [AUDIO]


def test_no_ladder_of_the_default_grid_takes_aac_that_2_9_advises_against():
    """Rates above the first transparent one are never taken (`drop_wasted_audio`), and that is 128 kb/s."""
    offered = [parse_bitrate_kbps(target.removeprefix("b=")) for target in load_grid("hull").audio_targets["aac"]]
    taken = [kbps for kbps in offered if kbps <= min(r for r in offered if r >= transparent_kbps("aac"))]
    assert max(taken) == 128.0 <= STEREO_KBPS[1]


@pytest.mark.parametrize("path", sorted((LADDERS / "titles").glob("*.json")), ids=lambda path: path.stem)
def test_the_ladders_that_ship_keep_2_9(path):
    for ladder in read_ladders(path):
        assert all(STEREO_KBPS[0] <= rung.audio.bitrate_kbps <= STEREO_KBPS[1] for rung in ladder.rungs)


def test_2_9_says_that_it_is_a_recommendation_and_what_to_do(good):
    for n, size in ((1, 78_000), (2, 78_000), (3, 26_000)):
        good.pad(f"audio/96k/0000{n}.m4s", size)
    good.declare()
    (finding,) = good.lint().findings
    assert finding.level == "SHOULD"
    assert re.fullmatch(r"stereo AAC has 20\d\.\d kb/s, and 32 to 160 kb/s is recommended", finding.message)
    assert "transparent from about 118" in finding.next
    assert transparent_kbps("aac") == pytest.approx(118, abs=1)


def test_stereo_at_several_rates_is_never_reported(good):
    assert "2.7" not in RULES
    assert good.broken() == set()


def test_a_group_of_two_counts_its_larger_rendition(good):
    """9.13: the video with each rendition of its group, not only with the default."""
    good.edit(MASTER, 'GROUP-ID="audio-96k",NAME="English"', 'GROUP-ID="audio-48k",NAME="Deutsch"')
    good.edit(MASTER, 'AUDIO="audio-96k"', 'AUDIO="audio-48k"')
    good.edit(MASTER, "DEFAULT=YES", "DEFAULT=NO", 1)
    assert good.broken() == {"1.26", "1.27", "9.13"}
    assert {finding.where for finding in good.lint().findings} == {f"{MASTER}:8"}


def test_several_faults_are_all_found_musts_first(good):
    good.edit(MASTER, ',LANGUAGE="en"', "")
    good.edit(MASTER, r"FRAME-RATE=12.000,", "")
    good.edit_all("DURATION:6", "DURATION:7")
    (good.folder / "video/64/00001.m4s").write_bytes(b"")
    report = good.lint()
    assert {finding.rule for finding in report.findings} == {"7.5", "8.10", "9.15", "HLS 3"}
    levels = [finding.level for finding in report.findings]
    assert levels == sorted(levels)
    assert (report.count("MUST"), report.count("SHOULD")) == (5, 4)


def test_a_finding_names_the_place_the_value_the_limit_and_the_next_move(good):
    said, measured = good.scale("BANDWIDTH", 0.73)
    finding = next(finding for finding in good.lint().findings if finding.rule == "9.13")
    assert (finding.where, finding.level) == (f"{MASTER}:11", "MUST")
    start = f"BANDWIDTH is {said / 1000:.1f} kb/s, and the peaks add up to {measured / 1000:.1f} kb/s"
    assert re.fullmatch(re.escape(start) + r" \(video 2\d\d\.\d \+ audio \d+\.\d\)", finding.message)
    assert finding.next == f"write BANDWIDTH={measured}"


def test_the_fix_that_a_finding_names_heals_it(good):
    good.edit(MASTER, r":BANDWIDTH=\d+,AVERAGE-BANDWIDTH=\d+", ":BANDWIDTH=1000,AVERAGE-BANDWIDTH=1000")
    assert good.broken() == {"1.26", "1.27", "9.13"}
    good.declare()
    assert good.broken() == set()


def test_a_media_playlist_is_checked_alone(good):
    report = good.lint(VIDEO)
    assert report.findings == ()
    assert not report.is_master
    status = {checked.rule.number: checked.status for checked in report.rules}
    assert (status["1.13"], status["8.1"], status["9.1"], status["9.13"]) == (
        "passed",
        "passed",
        "not checked",
        "not checked",
    )


def test_a_media_playlist_alone_is_not_blamed_for_what_its_master_may_say(good):
    good.edit(VIDEO, "#EXT-X-INDEPENDENT-SEGMENTS\n", "")
    assert good.lint(VIDEO).findings == ()


def test_encrypted_segments_are_counted_and_not_read(good):
    good.edit(VIDEO, "^#EXT-X-MAP", '#EXT-X-KEY:METHOD=AES-128,URI="key"\n#EXT-X-MAP')
    report = good.lint()
    assert report.findings == ()
    assert (report.num_segments, report.num_measured) == (12, 9)
    assert report.not_checked == (f"{VIDEO}: encrypted segments",)


def test_line_ends_may_be_cr_lf(good):
    for name in (MASTER, *PLAYLISTS):
        path = good.folder / name
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert good.broken() == set()


def test_byte_ranges_of_one_file_are_segments(good):
    """The same stream with all segments of a rendition, and its initialisation segment, in one file."""
    for name in ("video/96", "audio/96k"):
        folder = good.folder / name
        parts = [(folder / part).read_bytes() for part in ("init.mp4", "00001.m4s", "00002.m4s", "00003.m4s")]
        (folder / "all.mp4").write_bytes(b"".join(parts))
        playlist = f"{name}/index.m3u8"
        good.edit(playlist, 'URI="init.mp4"', f'URI="all.mp4",BYTERANGE="{len(parts[0])}@0"')
        at = f"@{len(parts[0])}"
        for n, part in enumerate(parts[1:], start=1):
            good.edit(playlist, f"^0000{n}.m4s", f"#EXT-X-BYTERANGE:{len(part)}{at}\nall.mp4")
            (folder / f"0000{n}.m4s").unlink()
            at = ""
        (folder / "init.mp4").unlink()
    good.edit(MASTER, "^#EXT-X-I-FRAME.*\n", "")
    assert good.broken() == {"6.1"}
    good.edit(VIDEO, r"(BYTERANGE:\d+)$", r"\g<1>9")
    assert "HLS 3" in good.broken()


def test_a_transport_stream_says_what_is_not_checked(ffmpeg, good, tmp_path):
    """Video with audio in the same segments: only the video is looked at."""
    folder = tmp_path / "ts"
    folder.mkdir()
    ffmpeg.run(
        [
            *("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=12:duration=14"),
            *("-f", "lavfi", "-i", "aevalsrc=0.3*random(0)|0.3*random(1):s=48000:d=14"),
            *("-c:v", "libx264", "-preset", "ultrafast", "-g", "24", "-sc_threshold", "0", "-pix_fmt", "yuv420p"),
            *("-c:a", "aac", "-f", "hls", "-hls_time", "6", "-hls_playlist_type", "vod"),
            *("-hls_segment_filename", folder / "%03d.ts", folder / "index.m3u8"),
        ]
    )
    stream = Delivered(folder)
    (folder / MASTER).write_text(
        "#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-STREAM-INF:BANDWIDTH=1,AVERAGE-BANDWIDTH=1,"
        'CODECS="avc1.42C00A,mp4a.40.2",RESOLUTION=96x64,FRAME-RATE=12.000\nindex.m3u8\n'
    )
    stream.declare()
    report = stream.lint()
    codecs = [finding.message for finding in report.findings if finding.rule == "HLS 6.2.4 codecs"]
    if codecs:  # the level that this x264 writes
        stream.edit(MASTER, "avc1.42C00A", re.search(r"lacks (avc1\.\w+)", codecs[0])[1])
        report = stream.lint()
    assert {finding.rule for finding in report.findings} == {"6.1", "9.9"}
    assert any("audio inside video segments" in text for text in report.not_checked)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("https://example.com/a.m3u8", "remote"),
        ("//example.com/a.m3u8", "remote"),
        ("file:///etc/passwd", "remote"),
        ("data:,x", "remote"),
        ("/etc/passwd", "not a path below"),
        ("../outside.m3u8", "leads out"),
        ("video/../../outside.m3u8", "leads out"),
        ("%2e%2e/outside.m3u8", "leads out"),
        ("a%00b", "not a path below"),
        ("http://[", "not a URI"),
    ],
)
def test_what_is_elsewhere_is_not_opened_and_said(good, uri, reason):
    (good.folder.parent / "outside.m3u8").write_text("#EXTM3U\n")
    good.edit(MASTER, "^video/96/index.m3u8", uri)
    report = good.lint()
    assert [text for text in report.not_checked if text.startswith(uri) and reason in text]
    assert {finding.rule for finding in report.findings} == set()


def test_a_link_that_leads_out_is_not_followed(good):
    outside = good.folder.parent / "outside.m4s"
    (good.folder / "video/96/00002.m4s").rename(outside)
    (good.folder / "video/96/00002.m4s").symlink_to(outside)
    report = good.lint()
    assert report.findings == ()
    assert "00002.m4s: leads out of the playlist's folder" in report.not_checked


def test_what_is_no_playlist_is_told_once_not_line_by_line(good):
    (good.folder / "film.mpd").write_text("<MPD>\n" + "  <S d='1'/>\n" * 100 + "</MPD>\n")
    assert len(good.lint("film.mpd").findings) == 4  # and not one for every line


def test_rates_of_streams_with_unreadable_segments_are_not_judged(good):
    segment = good.folder / "video/96/00002.m4s"
    segment.write_bytes(segment.read_bytes()[:200])
    assert good.broken() == {"HLS 3"}


def test_damaged_streams_never_raise(make_hls, tmp_path):
    chance = random.Random(5)
    for n in range(60):
        stream = copy(make_hls(), tmp_path / str(n))
        for path in chance.sample(sorted(p for p in stream.folder.rglob("*") if p.is_file()), 3):
            data = bytearray(path.read_bytes())
            for _ in range(chance.randint(1, 6)):
                at = chance.randrange(min(len(data), chance.choice([100, 1000, 100_000])))
                if chance.randrange(2):
                    data[at : at + 4] = chance.randbytes(4)
                else:
                    del data[at : at + chance.randint(1, 50)]
            path.write_bytes(data)
        stream.lint()
        shutil.rmtree(stream.folder)


def test_a_short_title_has_one_target_duration():
    """Its own segments would round to 2 s of video and 3 s of audio; 8.2 and 7.5 want one of 6 s."""
    lines = [
        media_playlist(Timeline(timescale=1000, segments=(Segment(duration=ms, size_bytes=1),), init_bytes=1)).split(
            "\n"
        )
        for ms in (2490, 2510)
    ]
    assert [[line for line in part if "TARGETDURATION" in line] for part in lines] == [["#EXT-X-TARGETDURATION:6"]] * 2


def test_percent_encoded_names_and_queries_are_paths(good):
    (good.folder / "video/96").rename(good.folder / "video/96 p")
    good.edit(MASTER, "^video/96/index.m3u8", "video/96%20p/index.m3u8?token=1#x")
    good.edit(MASTER, 'URI="video/96/', 'URI="video/96%20p/')
    assert good.broken() == set()
