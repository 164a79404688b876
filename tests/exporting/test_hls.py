"""What stands in HLS playlists, as the playlists' own grammar reads it (RFC 8216)."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from abr_alloc.exporting.hls import i_frame_playlist, master_playlist, media_playlist
from abr_alloc.exporting.presentation import AudioStream, IFrame, Segment, Timeline, Variant, VideoStream


def video(name="video/640x360-900k", **changes) -> VideoStream:
    about = {"codecs": "avc1.64001e", "width_px": 640, "height_px": 360, "fps": Fraction(24000, 1001)}
    rates = {"peak_bits_per_s": 1000.25, "average_bits_per_s": 900.75}
    return VideoStream(name=name, **(about | rates | changes))


def audio(name="audio/aac-96k", **changes) -> AudioStream:
    about = {"codecs": "mp4a.40.2", "channels": 2, "sample_rate_hz": 48000, "language": "en", "label": "Audio"}
    rates = {"peak_bits_per_s": 100.5, "average_bits_per_s": 96.0}
    return AudioStream(name=name, **(about | rates | changes))


def attributes(line: str) -> dict[str, str]:
    """By the grammar of attribute lists (section 4.2); whatever does not fit it is an error."""
    _, _, text = line.partition(":")
    found: dict[str, str] = {}
    while text:
        match = re.match(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^",\s]+)(,|$)', text)
        assert match, text
        assert match[1] not in found
        found[match[1]] = match[2]
        text = text[match.end() :]
    return found


def test_a_master_playlist_says_everything_of_a_pair():
    text = master_playlist([Variant(video=video(), audio=audio(), avq_mos=3.14159)])
    lines = text.splitlines()
    assert lines[:2] == ["#EXTM3U", "#EXT-X-VERSION:7"]
    assert "#EXT-X-INDEPENDENT-SEGMENTS" in lines
    (media,) = (line for line in lines if line.startswith("#EXT-X-MEDIA:"))
    assert attributes(media) == {
        "TYPE": "AUDIO",
        "GROUP-ID": '"audio-aac-96k"',
        "NAME": '"Audio"',
        "LANGUAGE": '"en"',
        "DEFAULT": "YES",
        "AUTOSELECT": "YES",
        "CHANNELS": '"2"',
        "URI": '"audio/aac-96k/index.m3u8"',
    }
    assert attributes(lines[-2]) == {
        "BANDWIDTH": "1101",  # 1100.75, up: it is a bound
        "AVERAGE-BANDWIDTH": "997",
        "SCORE": "3.142",
        "CODECS": '"avc1.64001e,mp4a.40.2"',
        "RESOLUTION": "640x360",
        "FRAME-RATE": "23.976",
        "AUDIO": '"audio-aac-96k"',
        "CLOSED-CAPTIONS": "NONE",
    }
    assert lines[-1] == "video/640x360-900k/index.m3u8"


def test_every_audio_rendition_is_a_group_of_its_own_and_told_once():
    low, high = audio(), audio("audio/aac-192k", average_bits_per_s=192.0)
    pairs = [
        Variant(video=video(), audio=low, avq_mos=3.0),
        Variant(video=video("video/b", average_bits_per_s=2000.0), audio=high, avq_mos=4.0),
        Variant(video=video("video/c", average_bits_per_s=1500.0), audio=low, avq_mos=3.5),
    ]
    lines = master_playlist(pairs).splitlines()
    groups = [attributes(line)["GROUP-ID"] for line in lines if line.startswith("#EXT-X-MEDIA:")]
    assert groups == ['"audio-aac-96k"', '"audio-aac-192k"']
    played = [attributes(line)["AUDIO"] for line in lines if line.startswith("#EXT-X-STREAM-INF:")]
    assert played == ['"audio-aac-96k"', '"audio-aac-96k"', '"audio-aac-192k"']  # by rising rate


@pytest.mark.parametrize(("fps", "told"), [("25", "25.000"), ("30000/1001", "29.970"), ("25/2", "12.500")])
def test_a_frame_rate_has_three_decimals(fps, told):
    text = master_playlist([Variant(video=video(fps=Fraction(fps)), audio=audio(), avq_mos=3.0)])
    assert f"FRAME-RATE={told}," in text


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ('Director\'s "cut"', "Director's 'cut'"),
        ("two\nlines\r\n#EXT-X-ENDLIST", "two lines #EXT-X-ENDLIST"),
        ("ü,=ß", "ü,=ß"),
        ("tab\tbell\x07", "tab bell"),
        ("caf\udce9", "caf"),
    ],
)
def test_a_name_cannot_leave_its_quotes(label, told):
    text = master_playlist([Variant(video=video(), audio=audio(label=label), avq_mos=3.0)])
    (media,) = (line for line in text.splitlines() if line.startswith("#EXT-X-MEDIA:"))
    assert attributes(media)["NAME"] == f'"{told}"'


def test_a_comment_cannot_become_a_tag():
    comment = "of a film\n#EXT-X-ENDLIST\nhttp://elsewhere/"
    lines = master_playlist([Variant(video=video(), audio=audio(), avq_mos=3.0)], comment=comment).splitlines()
    assert lines[2:5] == ["# of a film", "# #EXT-X-ENDLIST", "# http://elsewhere/"]


def test_key_frames_have_a_playlist_of_byte_ranges():
    """Three key frames of two segments; their rate is 8000 bits in 2 s at most, 6000 in 2 s on average."""
    frames = ((1, 2000, 24, 1000), (1, 2000, 900, 700), (2, 1000, 24, 175))
    timeline = Timeline(
        timescale=1000,
        segments=(Segment(duration=4000, size_bytes=5000), Segment(duration=1000, size_bytes=500)),
        init_bytes=800,
        i_frames=tuple(IFrame(segment=n, duration=d, offset_bytes=o, size_bytes=s) for n, d, o, s in frames),
    )
    assert i_frame_playlist(timeline).splitlines()[4:] == [
        "#EXT-X-I-FRAMES-ONLY",
        '#EXT-X-MAP:URI="init.mp4"',
        *("#EXTINF:2.000000,", "#EXT-X-BYTERANGE:1000@24", "00001.m4s"),
        *("#EXTINF:2.000000,", "#EXT-X-BYTERANGE:700@900", "00001.m4s"),
        *("#EXTINF:1.000000,", "#EXT-X-BYTERANGE:175@24", "00002.m4s"),
        "#EXT-X-ENDLIST",
    ]
    told = master_playlist([Variant(video=video(timeline=timeline), audio=audio(), avq_mos=3.0)]).splitlines()[-1]
    assert told.startswith("#EXT-X-I-FRAME-STREAM-INF:")
    found = attributes(told)
    assert found["URI"] == '"video/640x360-900k/iframes.m3u8"'
    # Runs of 3 s and more: the first two last 4 s, all three 5 s.
    assert (found["BANDWIDTH"], found["AVERAGE-BANDWIDTH"]) == ("3400", "3000")
    assert "AUDIO" not in found and "FRAME-RATE" not in found


def test_a_template_has_no_key_frames_to_point_at():
    assert "I-FRAME" not in master_playlist([Variant(video=video(), audio=audio(), avq_mos=3.0)])


def test_a_media_playlist_counts_its_segments_from_one():
    timeline = Timeline(
        timescale=24000,
        segments=(
            Segment(duration=144144, size_bytes=9),
            Segment(duration=144144, size_bytes=9),
            Segment(duration=1001, size_bytes=1),
        ),
        init_bytes=700,
    )
    assert media_playlist(timeline).splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-TARGETDURATION:6",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MAP:URI="init.mp4"',
        "#EXTINF:6.006000,",
        "00001.m4s",
        "#EXTINF:6.006000,",
        "00002.m4s",
        "#EXTINF:0.041708,",
        "00003.m4s",
        "#EXT-X-ENDLIST",
    ]


def test_a_rung_with_surround_is_two_variants_and_a_language_without_stands_in_both_groups():
    own, dub = audio(), audio("audio/aac-96k-de", language="de", label="Deutsch", role="dub", peak_bits_per_s=140.5)
    around = audio("audio/eac3-384k-6ch", codecs="ec-3", channels=6, peak_bits_per_s=390.5, average_bits_per_s=384.0)
    seen = audio("audio/aac-96k-de-description", language="de", label="Bild", role="description")
    pairs = [Variant(video=video(), audio=one, avq_mos=3.0, others=(dub, seen)) for one in (own, around)]
    lines = master_playlist(pairs).splitlines()
    media = [attributes(line) for line in lines if line.startswith("#EXT-X-MEDIA:")]
    assert [(m["GROUP-ID"], m["NAME"], m["DEFAULT"], m["CHANNELS"]) for m in media] == [
        *(('"audio-aac-96k"', '"Audio"', "YES", '"2"'), ('"audio-aac-96k"', '"Deutsch"', "NO", '"2"')),
        ('"audio-aac-96k"', '"Bild"', "NO", '"2"'),
        *(('"audio-eac3-384k-6ch"', '"Audio"', "YES", '"6"'), ('"audio-eac3-384k-6ch"', '"Deutsch"', "NO", '"2"')),
        ('"audio-eac3-384k-6ch"', '"Bild"', "NO", '"2"'),
    ]
    assert [m["AUTOSELECT"] for m in media] == ["YES"] * 6
    assert media[2]["CHARACTERISTICS"] == '"public.accessibility.describes-video"'
    assert media[1]["URI"] == media[4]["URI"] == '"audio/aac-96k-de/index.m3u8"'
    told = [attributes(line) for line in lines if line.startswith("#EXT-X-STREAM-INF:")]
    assert [(t["AUDIO"], t["BANDWIDTH"], t["CODECS"]) for t in told] == [
        ('"audio-aac-96k"', "1141", '"avc1.64001e,mp4a.40.2"'),  # the dub has the higher peak
        ('"audio-eac3-384k-6ch"', "1391", '"avc1.64001e,ec-3,mp4a.40.2"'),
    ]


def test_captions_within_the_pictures_are_a_group_of_the_variants_that_have_them():
    one = Variant(video=video(has_captions=True), audio=audio(), avq_mos=3.0)
    other = Variant(video=video("video/b"), audio=audio(), avq_mos=3.5)
    lines = master_playlist([one, other]).splitlines()
    (media,) = (attributes(line) for line in lines if "TYPE=CLOSED-CAPTIONS" in line)
    assert (media["NAME"], media["INSTREAM-ID"], media["LANGUAGE"]) == ('"English (CC1)"', '"CC1"', '"en"')
    told = [attributes(line).get("CLOSED-CAPTIONS") for line in lines if line.startswith("#EXT-X-STREAM-INF:")]
    assert sorted(told, key=str) == ['"captions"', None]  # NONE stands on all or on none
