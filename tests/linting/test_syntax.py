"""Every tag and attribute of the draft in a right form breaks nothing; every wrong form breaks exactly its section."""

from __future__ import annotations

import random
import re

import pytest

from abr_alloc.linting.findings import RULES  # with all rules registered
from abr_alloc.linting.playlist import read_playlist
from abr_alloc.linting.syntax import TAGS
from abr_alloc.linting.values import parse_date

MEDIA = """#EXTM3U
#EXT-X-VERSION:13
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-START:TIME-OFFSET=-1.5,PRECISE=YES
#EXT-X-DEFINE:NAME="host",VALUE=""
#EXT-X-DEFINE:IMPORT="token"
#EXT-X-DEFINE:QUERYPARAM="id-1_b"
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-DISCONTINUITY-SEQUENCE:7
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-PART-INF:PART-TARGET=1.0
#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=36,CAN-SKIP-DATERANGES=YES,HOLD-BACK=18,PART-HOLD-BACK=3,CAN-BLOCK-RELOAD=YES
#EXT-X-SKIP:SKIPPED-SEGMENTS=3,RECENTLY-REMOVED-DATERANGES=""
#EXT-X-MAP:URI="init.mp4",BYTERANGE="800@0"
#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x9c7db8778570d05c3177c349fd9236aa,KEYFORMAT="identity",KEYFORMATVERSIONS="1/2/5"
#EXT-X-PROGRAM-DATE-TIME:2010-02-19T14:54:23.031+08:00
#EXT-X-BITRATE:1200
#EXTINF:6.006,a title, with a comma
1.m4s
#EXT-X-KEY:METHOD=NONE
#EXT-X-DATERANGE:ID="a",CLASS="c",START-DATE="2010-02-19T06:54:23Z",END-DATE="2010-02-19T06:54:33Z",DURATION=10.0,X-A="b"
#EXT-X-DATERANGE:ID="a",SCTE35-OUT=0xFC30,X-B=-1.5,X-C=0xFF
#EXT-X-DATERANGE:ID="b",CLASS="d",START-DATE="20100219T065423Z",END-ON-NEXT=YES,CUE="PRE,ONCE",PLANNED-DURATION=0
#EXT-X-DISCONTINUITY
#EXT-X-GAP
#EXTINF:5,
#EXT-X-BYTERANGE:100@20
all.mp4
#EXTINF:5,
#EXT-X-BYTERANGE:50
all.mp4
#EXT-X-PART:DURATION=1.0,URI="4.mp4",INDEPENDENT=YES,BYTERANGE="100"
#EXT-X-PART:DURATION=1.0,URI="4.mp4",GAP=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="5.mp4",BYTERANGE-START=0,BYTERANGE-LENGTH=9
#EXT-X-RENDITION-REPORT:URI="../b.m3u8",LAST-MSN=1,LAST-PART=0
"""

MASTER = """#EXTM3U
#EXT-X-VERSION:13
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-DEFINE:NAME="token",VALUE="x"
#EXT-X-CONTENT-STEERING:SERVER-URI="https://a.example/s",PATHWAY-ID="A"
#EXT-X-SESSION-DATA:DATA-ID="com.a",VALUE="x",LANGUAGE="en"
#EXT-X-SESSION-DATA:DATA-ID="com.a",VALUE="y",LANGUAGE="de"
#EXT-X-SESSION-DATA:DATA-ID="com.b",URI="b.json",FORMAT=JSON
#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="skd://1",KEYFORMAT="com.apple.streamingkeydelivery"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",CHANNELS="16/JOC",BIT-DEPTH=24,SAMPLE-RATE=48000,URI="a.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="y",CHANNELS="2/-/BINAURAL,BED-4",DEFAULT=YES,AUTOSELECT=YES,INSTREAM-ID="a.1"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="x",FORCED=YES,STABLE-RENDITION-ID="a+/=.-_",URI="s.m3u8"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="c",NAME="x",INSTREAM-ID="SERVICE63"
#EXT-X-STREAM-INF:BANDWIDTH=2000,AVERAGE-BANDWIDTH=2000,SCORE=1.5,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,\
FRAME-RATE=29.970,HDCP-LEVEL=TYPE-0,ALLOWED-CPC="com.a:X/Y",VIDEO-RANGE=SDR,REQ-VIDEO-LAYOUT="CH-STEREO/PROJ-HEQU,CH-MONO",\
STABLE-VARIANT-ID="v1",AUDIO="a",SUBTITLES="s",CLOSED-CAPTIONS="c",PATHWAY-ID="A"
v.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=300,AVERAGE-BANDWIDTH=200,VIDEO-RANGE=PQ,\
SUPPLEMENTAL-CODECS="dvh1.08.07/db4h",URI="i.m3u8"
"""


def broken(text: str) -> set[str]:
    return {flaw.rule.removeprefix("HLS ") for flaw in read_playlist(text.encode()).flaws}


def edited(base: str, old: str, new: str) -> str:
    assert base.count(old) == 1, f"{old!r} is there {base.count(old)} times"
    return base.replace(old, new)


@pytest.mark.parametrize("text", [MEDIA, MASTER], ids=["media", "master"])
def test_what_is_right_breaks_nothing(text):
    assert [f"{flaw.line}: {flaw.message}" for flaw in read_playlist(text.encode()).flaws] == []


def test_every_tag_and_every_attribute_was_tried():
    lines = [line for text in (MEDIA, MASTER) for line in text.splitlines()]
    for name, syntax in TAGS.items():
        own = [line for line in lines if line.partition(":")[0] == f"#{name}"]
        assert own or name in ("EXT-X-ENDLIST", "EXT-X-I-FRAMES-ONLY")
        said = {word for line in own for word in re.findall(r"[:,]([A-Z0-9-]+)=", line)}
        unsaid = set(syntax.attributes) - said - {"NAME", "PROGRAM-ID", "VIDEO", "CHARACTERISTICS", "LANGUAGE"}
        if name not in ("EXT-X-SESSION-KEY", "EXT-X-I-FRAME-STREAM-INF"):  # those of another tag
            assert unsaid <= {"SUPPLEMENTAL-CODECS", "ASSOC-LANGUAGE", "SCTE35-CMD", "SCTE35-IN"}
        assert f"HLS {syntax.section}" in RULES


# What is done to a right playlist, and the sections that it breaks.
MEDIA_FAULTS = [
    ("6.006,a title, with a comma", "6.006", "4.4.4.1"),  # no comma
    ("6.006,a title, with a comma", "", "4.4.4.1"),
    ("#EXTINF:6.006,a title", "#EXTINF", "4.4.4.1"),
    ("6.006,", "0,", "4.4.4.1"),
    ("6.006,", "-6.006,", "4.4.4.1"),
    ("6.006,", "nan,", "4.4.4.1"),
    ("6.006,", "6,006,", None),  # a title, 006: nobody can tell
    ("6.006,", " 6.006,", "4.4.4.1"),
    ("1.m4s\n", "", "4.4.4.1"),  # an EXTINF without segment
    ("#EXTINF:6.006,a", "#EXTINF:6,\n#EXTINF:6.006,a", "4.4.4.1"),
    ("#EXTM3U\n", "#EXTM3U:1\n", "4.4.1.1"),
    ("#EXT-X-VERSION:13\n", "#EXT-X-VERSION:13\n#EXTM3U\n", "4.4.1.1"),
    ("VERSION:13", "VERSION:13\n#EXT-X-VERSION:13", "4.4.1.2"),
    ("VERSION:13", "VERSION", "4.4.1.2"),
    ("VERSION:13", "VERSION:", "4.4.1.2"),
    ("VERSION:13", "VERSION:7.0", "4.4.1.2"),
    ("VERSION:13", "VERSION:-7", "4.4.1.2"),
    ("VERSION:13", "VERSION:0", "4.4.1.2"),
    ("VERSION:13", 'VERSION:"13"', "4.4.1.2"),
    ("INDEPENDENT-SEGMENTS\n", "INDEPENDENT-SEGMENTS:YES\n", "4.4.2.1"),
    ("INDEPENDENT-SEGMENTS\n", "INDEPENDENT-SEGMENTS\n#EXT-X-INDEPENDENT-SEGMENTS\n", "4.4.2"),
    ("#EXT-X-START:TIME-OFFSET=-1.5,PRECISE=YES", "#EXT-X-START:PRECISE=NO", "4.4.2.2"),
    ("TIME-OFFSET=-1.5", "TIME-OFFSET=+1.5", "4.2"),
    ("TIME-OFFSET=-1.5", "TIME-OFFSET=-inf", "4.2"),
    ("TIME-OFFSET=-1.5", 'TIME-OFFSET="1.5"', "4.2"),
    ("PRECISE=YES", "PRECISE=yes", "4.2"),
    ("#EXT-X-START:TIME-OFFSET=-1.5,", "#EXT-X-START:TIME-OFFSET=1\n#EXT-X-START:TIME-OFFSET=-1.5,", "4.4.2"),
    (',VALUE=""', "", "4.4.2.3"),
    ('NAME="host"', 'NAME="ho st"', "4.2"),
    ('IMPORT="token"', 'IMPORT="host"', "4.4.2.3"),  # twice
    ('IMPORT="token"', 'IMPORT="token",QUERYPARAM="c"', "4.4.2.3"),
    ('IMPORT="token"', 'VALUE="c"', "4.4.2.3"),
    ("TARGETDURATION:6", "TARGETDURATION:6.0", "4.4.3.1"),
    ("TARGETDURATION:6", "TARGETDURATION:0", "4.4.3.1"),
    ("TARGETDURATION:6", "TARGETDURATION", "4.4.3.1"),
    ("TARGETDURATION:6", "TARGETDURATION:6\n#EXT-X-TARGETDURATION:6", "4.4.3"),
    ("MEDIA-SEQUENCE:0", "MEDIA-SEQUENCE:one", "4.4.3.2"),
    ("MEDIA-SEQUENCE:0", "MEDIA-SEQUENCE:0\n#EXT-X-MEDIA-SEQUENCE:1", "4.4.3"),
    ("DISCONTINUITY-SEQUENCE:7", "DISCONTINUITY-SEQUENCE:-7", "4.4.3.3"),
    ("#EXT-X-PART-INF", "#EXT-X-ENDLIST:1\n#EXT-X-PART-INF", "4.4.3.4 4.4.5.3"),
    ("#EXT-X-PART-INF", "#EXT-X-ENDLIST\n#EXT-X-PART-INF", "4.4.5.3"),
    ("TYPE:EVENT", "TYPE:event", "4.4.3.5"),
    ("TYPE:EVENT", "TYPE", "4.4.3.5"),
    ("TYPE:EVENT", "TYPE:EVENT\n#EXT-X-PLAYLIST-TYPE:EVENT", "4.4.3"),
    ("#EXT-X-PART-INF", "#EXT-X-I-FRAMES-ONLY:YES\n#EXT-X-PART-INF", "4.4.3.6"),
    ("PART-TARGET=1.0", "PART-TARGET=0", "4.2"),
    ("#EXT-X-PART-INF:PART-TARGET=1.0\n", "", "4.4.3.7"),
    ("#EXT-X-PART-INF:PART-TARGET=1.0\n", "#EXT-X-PART-INF:A=1\n", "4.4.3.7"),
    (",PART-HOLD-BACK=3", "", "4.4.3.8"),
    ("CAN-SKIP-UNTIL=36,", "", "4.4.3.8"),
    ("CAN-BLOCK-RELOAD=YES", "CAN-BLOCK-RELOAD=NO", "4.2"),
    ("HOLD-BACK=18,", "HOLD-BACK=-18,", "4.2"),
    ("BYTERANGE:100@20", "BYTERANGE:100@", "4.4.4.2"),
    ("BYTERANGE:100@20", "BYTERANGE:20-120", "4.4.4.2"),
    ("BYTERANGE:100@20", "BYTERANGE:0@20", "4.4.4.2"),
    ("BYTERANGE:100@20", "BYTERANGE:100", "4.4.4.2"),  # of what?
    ("BYTERANGE:100@20", "BYTERANGE:100@20\n#EXT-X-BYTERANGE:100@20", "4.4.4.2"),
    ("#EXT-X-DISCONTINUITY\n", "#EXT-X-DISCONTINUITY:1\n", "4.4.4.3"),
    ("#EXT-X-DISCONTINUITY\n", "#EXT-X-DISCONTINUITY:\n", "4.4.4.3"),
    ("#EXT-X-DISCONTINUITY\n", "#EXT-X-DISCONTINUITY \n", "4.1"),
    ("1.m4s\n", " 1.m4s\n", "4.1"),
    ("METHOD=AES-128,", "", "4.4.4.4"),
    ("METHOD=AES-128", "METHOD=AES128", "4.2"),
    ("METHOD=AES-128", 'METHOD="AES-128"', "4.2"),
    ("METHOD=AES-128", "METHOD=SAMPLE-AES-CTR", "4.4.4.4"),
    ('METHOD=AES-128,URI="k"', "METHOD=AES-128", "4.4.4.4"),
    ('METHOD=AES-128,URI="k"', 'METHOD=AES-128,URI=""', "4.4.4.4"),
    ("#EXT-X-KEY:METHOD=NONE", '#EXT-X-KEY:METHOD=NONE,URI="k"', "4.4.4.4"),
    ("IV=0x9c7d", "IV=9c7d", "4.2"),
    ("IV=0x9c7d", "IV=0x009c7d", "4.2"),  # over 128 bits
    ("IV=0x9c7d", "IV=0xg", "4.2"),
    ('"1/2/5"', '"1,2"', "4.2"),
    ('"1/2/5"', "1", "4.2"),
    ('URI="init.mp4",', "", "4.4.4.5"),
    ('URI="init.mp4"', 'URI=""', "4.4.4.5"),
    ('URI="init.mp4"', "URI=init.mp4", "4.2"),
    ('"800@0"', '"800"', "4.4.4.5"),
    ('"800@0"', '"800@-1"', "4.4.4.5"),
    ("2010-02-19T14:54:23.031+08:00", "2010-02-30T14:54:23.031+08:00", "4.4.4.6"),
    ("2010-02-19T14:54:23.031+08:00", "19.2.2010", "4.4.4.6"),
    ("2010-02-19T14:54:23.031+08:00", '"2010-02-19T14:54:23.031+08:00"', "4.4.4.6"),
    ("#EXT-X-PROGRAM-DATE-TIME:2010-02-19T14:54:23.031+08:00\n", "", "4.4.5.1"),
    ("#EXT-X-GAP\n", "#EXT-X-GAP:YES\n", "4.4.4.7"),
    ("BITRATE:1200", "BITRATE:1.2M", "4.4.4.8"),
    ("BITRATE:1200", "BITRATE", "4.4.4.8"),
    ('DURATION=1.0,URI="4.mp4",INDEPENDENT', 'URI="4.mp4",INDEPENDENT', "4.4.4.9"),
    ("INDEPENDENT=YES", "INDEPENDENT=NO", "4.2"),
    ('BYTERANGE="100"', "BYTERANGE=100", "4.2"),
    ('ID="a",CLASS', "CLASS", "4.4.5.1"),
    ('ID="a",SCTE35', 'ID="c",SCTE35', "4.4.5.1"),  # its first, without START-DATE
    ('ID="a",SCTE35', 'ID="a",CLASS="e",SCTE35', "4.4.5.1"),  # contradicts the first
    ("54:33Z", "54:13Z", "4.4.5.1"),
    ("DURATION=10.0", "DURATION=11.0", "4.4.5.1"),
    ("DURATION=10.0", "DURATION=-10.0", "4.2"),
    ('END-DATE="2010-02-19T06:54:33Z"', 'END-DATE="tomorrow"', "4.2"),
    ("SCTE35-OUT=0xFC30", 'SCTE35-OUT="0xFC30"', "4.2"),
    ("X-B=-1.5", "X-B=YES", "4.2"),
    ('CLASS="d",', "", "4.4.5.1"),
    ("PLANNED-DURATION=0", "DURATION=0", "4.4.5.1"),
    ("END-ON-NEXT=YES", "END-ON-NEXT=NO", "4.2"),
    ('"PRE,ONCE"', '"PRE,POST"', "4.4.5.1"),
    ('"PRE,ONCE"', '"ALWAYS"', "4.2"),
    ("SKIPPED-SEGMENTS=3,", "", "4.4.5.2"),
    ("#EXT-X-MAP", "#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n#EXT-X-MAP", "4.4.5"),
    ("TYPE=PART", "TYPE=SEGMENT", "4.2"),
    ("TYPE=PART,", "", "4.4.5.3"),
    ('URI="../b.m3u8"', 'URI=""', "4.4.5.4"),
    ("LAST-MSN=1", "LAST-MSN=1.0", "4.2"),
    ("LAST-MSN=1,", "LAST-MSN=1, ", "4.2"),  # white space
    ('"../b.m3u8"', '"../b.m3u8', "4.2"),  # no closing quote
    ("LAST-MSN=1", "LAST-MSN=1,LAST-MSN=1", "4.2"),
    ("#EXTINF:6.006,a", '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x"\n#EXTINF:6.006,a', "4.1 4.4.2.3"),
]
MASTER_FAULTS = [
    ('VALUE="x"\n#EXT-X-C', 'VALUE="x"\n#EXT-X-DEFINE:IMPORT="y"\n#EXT-X-C', "4.4.2.3"),
    ('SERVER-URI="https://a.example/s",', "", "4.4.6.6"),
    ('SERVER-URI="https://a.example/s"', 'SERVER-URI=""', "4.4.6.6"),
    ("#EXT-X-CONTENT", '#EXT-X-CONTENT-STEERING:SERVER-URI="b"\n#EXT-X-CONTENT', "4.4.6.6"),
    ('LANGUAGE="de"', 'LANGUAGE="en"', "4.4.6.4"),
    ('URI="b.json"', 'URI="b.json",VALUE="x"', "4.4.6.4"),
    ('URI="b.json",', "", "4.4.6.4"),
    ('DATA-ID="com.b",', "", "4.4.6.4"),
    ("FORMAT=JSON", "FORMAT=json", "4.2"),
    ('METHOD=SAMPLE-AES,URI="skd://1",KEYFORMAT="com.apple.streamingkeydelivery"', "METHOD=NONE", "4.4.6.5"),
    ('URI="skd://1",', "", "4.4.6.5"),
    ("TYPE=SUBTITLES", "TYPE=SUBTITLE", "4.2"),
    ("TYPE=SUBTITLES,", "", "4.4.6.1"),
    ('GROUP-ID="s",', "", "4.4.6.1"),
    ('GROUP-ID="s"', 'GROUP-ID=""', "4.4.6.1"),
    ('GROUP-ID="s"', "GROUP-ID=s", "4.2"),
    ('NAME="y"', 'NAME=""', "4.4.6.1"),
    (',URI="s.m3u8"', "", "4.4.6.1"),
    ('INSTREAM-ID="SERVICE63"', 'INSTREAM-ID="SERVICE64"', "4.4.6.1"),
    ('INSTREAM-ID="SERVICE63"', 'INSTREAM-ID="CC5"', "4.4.6.1"),
    ('INSTREAM-ID="SERVICE63"', "INSTREAM-ID=CC1", "4.2"),
    (',INSTREAM-ID="SERVICE63"', "", "4.4.6.1"),
    (',INSTREAM-ID="SERVICE63"', ',INSTREAM-ID="CC1",URI="c.m3u8"', "4.4.6.1"),
    (',INSTREAM-ID="SERVICE63"', ',INSTREAM-ID="CC1",CHANNELS="2"', "4.4.6.1"),
    ("AUTOSELECT=YES", "AUTOSELECT=NO", "4.4.6.1"),
    ("AUTOSELECT=YES", "AUTOSELECT=1", "4.2"),
    ("AUTOSELECT=YES", "AUTOSELECT=YES,FORCED=NO", "4.4.6.1"),
    ('"16/JOC"', '"0/JOC"', "4.2"),
    ('"16/JOC"', "16", "4.2"),
    ('"16/JOC"', '"stereo"', "4.2"),
    ("SAMPLE-RATE=48000", "SAMPLE-RATE=48k", "4.2"),
    ('"a+/=.-_"', '"a b"', "4.2"),
    ("BANDWIDTH=2000,AVERAGE", "AVERAGE", "4.4.6.2"),
    ("BANDWIDTH=2000,AVERAGE-BANDWIDTH=2000", "BANDWIDTH=0", "4.4.6.2"),
    ("BANDWIDTH=2000,AVERAGE", "BANDWIDTH=2e3,AVERAGE", "4.2"),
    ("BANDWIDTH=2000,AVERAGE", "BANDWIDTH=-2000,AVERAGE", "4.2"),
    ("AVERAGE-BANDWIDTH=2000", "AVERAGE-BANDWIDTH=2001", "4.4.6.2"),
    ("AVERAGE-BANDWIDTH=2000", "AVERAGE-BANDWIDTH=0", "4.4.6.2"),
    ("SCORE=1.5", "SCORE=0", "4.2"),
    ("SCORE=1.5", "SCORE=1,5", "4.2"),
    ('"avc1.64001f,mp4a.40.2"', "avc1.64001f", "4.2"),
    ('"avc1.64001f,mp4a.40.2"', '""', "4.2"),
    ('"avc1.64001f,mp4a.40.2"', '"avc1.64001f,"', "4.2"),
    ("RESOLUTION=640x360", "RESOLUTION=640*360", "4.2"),
    ("RESOLUTION=640x360", 'RESOLUTION="640x360"', "4.2"),
    ("FRAME-RATE=29.970", "FRAME-RATE=30000/1001", "4.2"),
    ("FRAME-RATE=29.970", "FRAME-RATE=0", "4.2"),
    ("HDCP-LEVEL=TYPE-0", "HDCP-LEVEL=TYPE-2", "4.2"),
    ("VIDEO-RANGE=SDR", "VIDEO-RANGE=HDR10", "4.2"),
    ("VIDEO-RANGE=SDR", 'VIDEO-RANGE="SDR"', "4.2"),
    ('"CH-STEREO/PROJ-HEQU,CH-MONO"', '""', "4.2"),
    ('"CH-STEREO/PROJ-HEQU,CH-MONO"', '"CH-STEREO/,CH-MONO"', "4.2"),
    ('CLOSED-CAPTIONS="c"', "CLOSED-CAPTIONS=c", "4.2"),
    ("\nv.m3u8", "\nv.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=1,CLOSED-CAPTIONS=NONE\nw.m3u8", "4.4.6.2"),
    ("v.m3u8\n", "", "4.4.6.2"),
    ("BANDWIDTH=300", "BANDWIDTH=0", "4.4.6.3"),
    ("BANDWIDTH=300", "BANDWIDTH=100", "4.4.6.3"),
    ("BANDWIDTH=300,AVERAGE", "AVERAGE", "4.4.6.3"),
    (',URI="i.m3u8"', "", "4.4.6.3"),
    ('URI="i.m3u8"', 'URI=""', "4.4.6.3"),
    ("v.m3u8\n", "v.m3u8\n#EXT-X-ENDLIST\n", "4.1"),
]


@pytest.mark.parametrize(
    ("base", "old", "new", "sections"),
    [(MEDIA, *fault) for fault in MEDIA_FAULTS] + [(MASTER, *fault) for fault in MASTER_FAULTS],
)
def test_a_wrong_form_breaks_its_section_and_nothing_else(base, old, new, sections):
    assert broken(edited(base, old, new)) == set((sections or "").split())


def test_no_damage_raises():
    chance = random.Random(11)
    pieces = [b"\n", b'"', b"=", b",", b":", b"@", b"0", b"9" * 30, b"-", b"{$", b" ", b"\0", b"NONE", b"T", b"0x"]
    for _ in range(1500):
        data = bytearray(chance.choice([MEDIA, MASTER]).encode())
        for _ in range(chance.randint(1, 10)):
            at = chance.randrange(len(data))
            if chance.randrange(2):
                data[at:at] = chance.choice(pieces)
            else:
                del data[at : at + chance.randint(1, 20)]
        read_playlist(bytes(data))


@pytest.mark.parametrize(
    ("tag", "section"),
    [("#EXT-X-MEDIA-SEQUENCE:0", "4.4.3.2"), ("#EXT-X-DISCONTINUITY-SEQUENCE:7", "4.4.3.3")],
)
def test_sequence_numbers_stand_before_the_first_segment(tag, section):
    late = edited(MEDIA, f"{tag}\n", "").replace("#EXT-X-KEY:METHOD=NONE\n", f"#EXT-X-KEY:METHOD=NONE\n{tag}\n")
    assert broken(late) == {section}


def test_a_discontinuity_sequence_stands_before_the_first_discontinuity():
    tag = "#EXT-X-DISCONTINUITY-SEQUENCE:7\n"
    assert broken(MEDIA.replace(tag, f"#EXT-X-DISCONTINUITY\n{tag}")) == {"4.4.3.3"}


def test_a_last_extinf_and_a_last_byte_range_without_segment_are_named():
    assert broken(MEDIA + "#EXTINF:6,\n") == {"4.4.4.1"}
    assert broken(MEDIA + "#EXT-X-BYTERANGE:6@0\n") == {"4.4.4.2"}


def test_a_title_may_end_with_white_space():
    assert broken(edited(MEDIA, "with a comma", "with a space ")) == set()


def test_a_value_with_a_variable_is_not_judged():
    assert broken(edited(MEDIA, 'BYTERANGE="100"', 'BYTERANGE="{$range}"')) == set()


def test_tags_and_attributes_that_nobody_knows_are_ignored():
    own = "#EXT-X-CUE-OUT:DURATION=none\n#EXT-X-CUE-IN\n#EXTINF:6,\n2.m4s\n"
    assert broken(MEDIA + own) == set()
    assert broken(edited(MASTER, "SCORE=1.5", 'SCORE=1.5,X-A=b,B="c"')) == set()


def test_what_is_wrong_in_one_attribute_is_not_said_to_be_missing():
    assert broken(edited(MASTER, "TYPE=SUBTITLES", 'TYPE="SUBTITLES"')) == {"4.2"}
    assert broken(edited(MASTER, 'URI="i.m3u8"', "URI=i.m3u8")) == {"4.2"}


def test_white_space_behind_a_comma_hides_no_attribute():
    (variant,) = read_playlist(edited(MASTER, ",RESOLUTION", ", RESOLUTION").encode()).variants
    assert variant.attributes["RESOLUTION"] == "640x360"
    assert variant.attributes["AUDIO"] == "a"


@pytest.mark.parametrize(
    ("base", "gone", "version"),
    [
        (MEDIA, [], 11),
        (MEDIA, ['#EXT-X-DEFINE:QUERYPARAM="id-1_b"\n'], 10),
        (MEDIA, ['#EXT-X-DEFINE:QUERYPARAM="id-1_b"\n', ',RECENTLY-REMOVED-DATERANGES=""'], 9),
        (MASTER, [], 13),
        (MASTER, [',INSTREAM-ID="a.1"'], 12),
        (MASTER, [',INSTREAM-ID="a.1"', ',REQ-VIDEO-LAYOUT="CH-STEREO/PROJ-HEQU,CH-MONO"'], 8),
    ],
)
def test_the_highest_version_that_something_needs_is_needed(base, gone, version):
    for text in gone:
        base = edited(base, text, "")
    assert read_playlist(base.encode()).needed_version == version


def test_dates_are_compared_over_time_zones():
    assert parse_date("2010-02-19T14:54:23.031+08:00") == parse_date("2010-02-19T06:54:23.031Z")
    assert parse_date("2010-02-19T14:54:23,5-0330") == parse_date("2010-02-19T18:24:23.5")
    assert parse_date("2016-12-31T23:59:60Z") == parse_date("2017-01-01T00:00:00Z")
    assert [parse_date(text) for text in ("2010-02-19", "2010-0219T14:54:23Z", "2010-02-19T25:00:00Z", "9" * 99)] == (
        [None] * 4
    )
