"""A strict reader: what is right is read whole, what is wrong is named with its line, and nothing hangs or raises."""

from __future__ import annotations

import random
import time

import pytest

from abr_alloc.linting.attributes import read_attributes
from abr_alloc.linting.playlist import MAX_SEGMENTS, read_playlist
from abr_alloc.linting.syntax import TAGS
from abr_alloc.linting.tags import ByteRange
from abr_alloc.linting.values import decimal_float, decimal_integer, resolution

MEDIA = b"""#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:6
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MAP:URI="init.mp4"
#EXTINF:6.006,
1.m4s
#EXT-X-DISCONTINUITY
#EXTINF:5,title
2.m4s?x=1
#EXT-X-ENDLIST
"""


def rules(data: bytes) -> set[str]:
    return {flaw.rule for flaw in read_playlist(data).flaws}


def test_a_media_playlist_is_read_with_its_lines():
    playlist = read_playlist(MEDIA)
    assert playlist.flaws == ()
    assert not playlist.is_master
    assert (playlist.version, playlist.version_line, playlist.target_duration_s, playlist.target_line) == (7, 2, 6, 3)
    assert (playlist.playlist_type, playlist.ended, playlist.independent) == ("VOD", True, False)
    first, second = playlist.segments
    assert (first.line, first.uri, first.duration_s, first.discontinuity) == (7, "1.m4s", 6.006, False)
    assert (second.line, second.uri, second.duration_s, second.discontinuity) == (10, "2.m4s?x=1", 5.0, True)
    assert first.map is second.map
    assert (first.map.line, first.map.uri, first.map.byte_range) == (5, "init.mp4", None)


def test_a_master_playlist_is_read_with_its_lines():
    playlist = read_playlist(
        b"#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        b'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x, y",URI="a.m3u8"\n'
        b'#EXT-X-STREAM-INF:BANDWIDTH=1000,CODECS="avc1.64001f,mp4a.40.2",AUDIO="a"\n# a comment\n\nv.m3u8\n'
    )
    assert playlist.flaws == ()
    assert playlist.is_master
    assert playlist.independent
    assert [(r.line, r.attributes["NAME"]) for r in playlist.renditions] == [(3, "x, y")]
    (variant,) = playlist.variants
    assert (variant.line, variant.uri, variant.attributes["CODECS"]) == (4, "v.m3u8", "avc1.64001f,mp4a.40.2")


def test_byte_ranges_follow_each_other_in_one_file():
    playlist = read_playlist(
        b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-VERSION:4\n"
        b"#EXTINF:6,\n#EXT-X-BYTERANGE:100@20\na\n#EXTINF:6,\n#EXT-X-BYTERANGE:50\na\n"
        b"#EXTINF:6,\n#EXT-X-BYTERANGE:9\nb\n"
    )
    ranges = [segment.byte_range for segment in playlist.segments]
    assert ranges == [ByteRange(length=100, offset=20), ByteRange(length=50, offset=120), None]
    assert [(flaw.rule, flaw.line) for flaw in playlist.flaws] == [("HLS 4.4.4.2", 11)]


@pytest.mark.parametrize(
    ("tags", "version"),
    [
        (b"#EXTINF:6,\na", 1),
        (b'#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x1\n#EXTINF:6,\na', 2),
        (b"#EXTINF:6.0,\na", 3),
        (b"#EXT-X-BYTERANGE:1@0\n#EXTINF:6,\na", 4),
        (b'#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"\n#EXTINF:6,\na', 5),
        (b'#EXT-X-I-FRAMES-ONLY\n#EXT-X-MAP:URI="i"\n#EXTINF:6,\na', 5),
        (b'#EXT-X-MAP:URI="i"\n#EXTINF:6,\na', 6),
        (b'#EXT-X-DEFINE:NAME="a",VALUE="b"\n#EXTINF:6,\na', 8),
    ],
)
def test_the_version_that_tags_need_is_that_of_section_8(tags, version):
    assert read_playlist(b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n" + tags).needed_version == version


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("BANDWIDTH=-1", "decimal integer"),
        ("BANDWIDTH=1e6", "decimal integer"),
        ("BANDWIDTH=18446744073709551616", "decimal integer"),
        ("BANDWIDTH=" + "9" * 5000, "decimal integer"),
        ('BANDWIDTH="1"', "remove the quotes"),
        ("FRAME-RATE=nan", "decimal number"),
        ("FRAME-RATE=inf", "decimal number"),
        ("FRAME-RATE=" + "9" * 5000, "decimal number"),
        ("RESOLUTION=640X360", "WIDTHxHEIGHT"),
        ("RESOLUTION=640x", "WIDTHxHEIGHT"),
        ("RESOLUTION=0x360", "WIDTHxHEIGHT"),
        ("CODECS=avc1", "quotes"),
        ("TYPE=SOUND", "one of AUDIO"),
        ("DEFAULT=yes", "one of YES"),
        ("A=1,A=2", "keep one"),
        ("A=1,", "remove it"),
        ("A=1,,B=2", "NAME=value"),
        (" A=1", "NAME=value"),
        ("A=1, B=2", "NAME=value"),
        ("A=1 ,B=2 ", "NAME=value"),
        ("A =1", "NAME=value"),
        ("A= 1", "NAME=value"),
        ("A=1 B=2", "NAME=value"),
        ('A="1', "NAME=value"),
        ('A="1"B="2"', "NAME=value"),
        ("a=1", "NAME=value"),
        ("=1", "NAME=value"),
        ("", "write its attributes"),
    ],
)
def test_a_malformed_attribute_list_is_named(text, word):
    media = "EXT-X-MEDIA" if text.startswith(("TYPE", "DEFAULT")) else "EXT-X-STREAM-INF"
    faults = read_attributes(text, TAGS[media].check_of).faults
    assert len(faults) == 1
    message, then = faults[0]
    assert word in then
    assert len(message) < 150


def test_a_well_formed_list_is_read_whole():
    found = read_attributes(
        'BANDWIDTH=18446744073709551615,NAME="a=b, c",RESOLUTION=1x2,CLOSED-CAPTIONS=NONE,X-OWN=1e3',
        TAGS["EXT-X-STREAM-INF"].check_of,
    )
    assert found.faults == ()
    assert found.attributes == {
        "BANDWIDTH": "18446744073709551615",
        "NAME": "a=b, c",
        "RESOLUTION": "1x2",
        "CLOSED-CAPTIONS": "NONE",
        "X-OWN": "1e3",
    }


def test_numbers_are_plain_decimals():
    assert (decimal_integer("007"), decimal_integer("\u0661"), decimal_integer("+1")) == (7, None, None)
    assert (decimal_float("12."), decimal_float(".5"), decimal_float("1_0"), decimal_float(".")) == (
        12.0,
        0.5,
        None,
        None,
    )
    assert (resolution("640x360"), resolution("640x360x1")) == ((640, 360), None)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "HLS 4.4.1.1"),
        (b"\n#EXTM3U\n", "HLS 4.4.1.1"),
        (b"#EXTM3U8\n", "HLS 4.4.1.1"),
        (b"#EXTM3U\n", "HLS 4.1"),
        (MEDIA.replace(b"EXTINF:6.006", b"EXTINF:0"), "HLS 4.4.4.1"),
        (MEDIA.replace(b"EXTINF:6.006", b"EXTINF:-6"), "HLS 4.4.4.1"),
        (MEDIA.replace(b"EXTINF:6.006", b"EXTINF:inf"), "HLS 4.4.4.1"),
        (MEDIA.replace(b"EXTINF:6.006", b"EXTINF:" + b"9" * 9999), "HLS 4.4.4.1"),
        (MEDIA.replace(b"DURATION:6", b"DURATION:6.5"), "HLS 4.4.3.1"),
        (MEDIA.replace(b"DURATION:6", b"DURATION:" + b"9" * 9999), "HLS 4.4.3.1"),
        (MEDIA.replace(b"VERSION:7", b"VERSION:seven"), "HLS 4.4.1.2"),
        (MEDIA + b"\xff\xfe", "HLS 4.1"),
        (b"\xef\xbb\xbf" + MEDIA, "HLS 4.1"),
        (MEDIA.replace(b"\n", b"\r"), "HLS 4.1"),
    ],
)
def test_what_is_wrong_is_named(data, rule):
    assert rule in rules(data)


def test_an_endless_attribute_list_takes_time_that_grows_with_it():
    begin = time.process_time()
    for value in (b"A=1," * 10**6, b"A" * 10**6, b'A="' + b"x" * 10**6, b",".join(b"A%d=1" % n for n in range(10**5))):
        assert "HLS 4.2" in rules(b"#EXTM3U\n#EXT-X-STREAM-INF:" + value + b"\nv.m3u8\n")
    assert time.process_time() - begin < 30  # a square of a million would take hours


def test_the_flaws_of_one_playlist_have_an_end():
    assert len(read_playlist(b"#EXTM3U\n" + b"#EXT-X-VERSION:x\n" * 10_000).flaws) == 1000


def test_an_endless_playlist_is_cut():
    playlist = read_playlist(MEDIA + b"#EXTINF:6,\na\n" * (MAX_SEGMENTS + 5))
    assert playlist.truncated
    assert len(playlist.segments) == MAX_SEGMENTS


def test_damaged_playlists_never_raise():
    chance = random.Random(7)
    master = (
        b'#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x"\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1x1\nv\n'
    )
    for _ in range(2000):
        data = bytearray(chance.choice([MEDIA, master]))
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(data))
            kind = chance.randrange(3)
            if kind == 0:
                data[at] = chance.randrange(256)
            elif kind == 1:
                del data[at : at + chance.randint(1, 20)]
            else:
                data[at:at] = chance.choice([b"\n", b'"', b"=", b",", b"#EXT-X-KEY:", b"@", b"9" * 30, b"\0"])
            if not data:
                break
        read_playlist(bytes(data))
