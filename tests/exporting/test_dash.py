"""What stands in a DASH manifest, as an XML reader and the standard's arithmetic read it (ISO/IEC 23009-1)."""

from __future__ import annotations

from fractions import Fraction
from xml.etree import ElementTree

import pytest

from abr_alloc.exporting.dash import PAIRS_COMMENT, dash_manifest
from abr_alloc.exporting.presentation import AudioStream, Segment, Timeline, Variant, VideoStream

NS = {"d": "urn:mpeg:dash:schema:mpd:2011"}


def timeline(*durations: int, timescale: int) -> Timeline:
    return Timeline(
        timescale=timescale, segments=tuple(Segment(duration=d, size_bytes=1) for d in durations), init_bytes=1
    )


CUTS = timeline(144144, 144144, 24024, timescale=24000)
SOUNDS = timeline(287744, 288768, 48112, timescale=48000)


def video(name="video/640x360-900k", **changes) -> VideoStream:
    about = {"codecs": "avc1.64001e", "width_px": 640, "height_px": 360, "fps": Fraction(24000, 1001), "timeline": CUTS}
    rates = {"peak_bits_per_s": 1000.25, "average_bits_per_s": 900.75}
    return VideoStream(name=name, **(about | rates | changes))


def audio(name="audio/aac-96k", **changes) -> AudioStream:
    about = {"codecs": "mp4a.40.2", "channels": 2, "sample_rate_hz": 48000, "language": "en", "label": "Audio"}
    rates = {"peak_bits_per_s": 100.5, "average_bits_per_s": 96.0, "timeline": SOUNDS}
    return AudioStream(name=name, **(about | rates | changes))


def manifest(*pairs: tuple[VideoStream, AudioStream], **words) -> ElementTree.Element:
    variants = [Variant(video=v, audio=a, avq_mos=3.0) for v, a in pairs or [(video(), audio())]]
    return ElementTree.fromstring(dash_manifest(variants, 13.013, **words))


def times(template: ElementTree.Element) -> list[tuple[Fraction, Fraction]]:
    """Start and end of every segment, seconds, as a player reckons them."""
    found, at = [], 0
    for run in template.findall("d:SegmentTimeline/d:S", NS):
        at = int(run.get("t", at))
        for _ in range(1 + int(run.get("r", 0))):
            found.append((at, at + int(run.get("d"))))
            at += int(run.get("d"))
    return [
        (Fraction(a, int(template.get("timescale"))), Fraction(b, int(template.get("timescale")))) for a, b in found
    ]


def test_a_manifest_says_how_long_the_title_is_and_that_it_is_whole():
    root = manifest()
    assert root.tag == f"{{{NS['d']}}}MPD"
    assert (root.get("type"), root.get("mediaPresentationDuration")) == ("static", "PT13.013S")


def test_segments_are_counted_and_last_as_long_as_they_do():
    picture, sound = manifest().findall(".//d:SegmentTemplate", NS)
    assert times(picture) == [
        (0, Fraction("6.006")),
        (Fraction("6.006"), Fraction("12.012")),
        (Fraction("12.012"), Fraction("13.013")),
    ]
    assert times(sound)[-1][1] == Fraction(287744 + 288768 + 48112, 48000)
    assert len(times(sound)) == 3
    for template in (picture, sound):
        assert template.get("startNumber") == "1"


@pytest.mark.parametrize(
    ("durations", "runs"), [([5, 5, 5, 5], ["3"]), ([5, 5, 6, 6, 5], ["1", "1", None]), ([5], [None])]
)
def test_equal_durations_are_told_once(durations, runs):
    root = manifest((video(timeline=timeline(*durations, timescale=1)), audio()))
    template = root.find(".//d:AdaptationSet[@contentType='video']/d:SegmentTemplate", NS)
    assert [run.get("r") for run in template.findall(".//d:S", NS)] == runs
    assert [b - a for a, b in times(template)] == durations


def test_names_of_segments_are_those_of_hls():
    root = manifest()
    for kind, name in (("video", "640x360-900k"), ("audio", "aac-96k")):
        found = root.find(f".//d:AdaptationSet[@contentType='{kind}']", NS)
        template, representation = found.find("d:SegmentTemplate", NS), found.find("d:Representation", NS)
        filled = template.get("media").replace("$RepresentationID$", representation.get("id"))
        assert filled.replace("$Number%05d$", f"{7:05d}") == f"{kind}/{name}/00007.m4s"
        assert template.get("initialization").replace("$RepresentationID$", name) == f"{kind}/{name}/init.mp4"


def test_a_representation_says_its_peak_rate_and_what_it_is():
    root = manifest()
    picture, sound = root.findall(".//d:Representation", NS)
    assert picture.attrib == {
        "id": "640x360-900k",
        "bandwidth": "1001",
        "codecs": "avc1.64001e",
        "width": "640",
        "height": "360",
        "sar": "1:1",
        "frameRate": "24000/1001",
    }
    assert sound.attrib == {"id": "aac-96k", "bandwidth": "101", "codecs": "mp4a.40.2", "audioSamplingRate": "48000"}
    assert sound.find("d:AudioChannelConfiguration", NS).get("value") == "2"


@pytest.mark.parametrize(("channels", "loudspeakers"), [(1, "4000"), (2, "A000"), (6, "F801")])
def test_dolbys_codecs_name_their_loudspeakers(channels, loudspeakers):
    """ETSI TS 103 285: left is the highest of 16 bits, then centre, right, the two surrounds; the lowest is LFE."""
    root = manifest((video(), audio(codecs="ec-3", channels=channels)))
    told = root.find(".//d:AudioChannelConfiguration", NS)
    assert told.attrib == {
        "schemeIdUri": "tag:dolby.com,2014:dash:audio_channel_configuration:2011",
        "value": loudspeakers,
    }


def test_a_whole_frame_rate_is_no_fraction():
    root = manifest((video(fps=Fraction(25)), audio()))
    assert root.find(".//d:Representation", NS).get("frameRate") == "25"


def test_codecs_that_need_another_decoder_are_sets_of_their_own():
    """avc1 of two levels switch in one set; hvc1, and HE-AAC beside AAC, do not."""
    root = manifest(
        (video(), audio()),
        (video("video/b", codecs="avc1.640028"), audio("audio/b")),
        (video("video/c", codecs="hvc1.1.6.L63.90"), audio("audio/c", codecs="mp4a.40.5")),
    )
    found = [
        (s.get("contentType"), [r.get("id") for r in s.findall("d:Representation", NS)])
        for s in root.findall(".//d:AdaptationSet", NS)
    ]
    assert found == [
        ("video", ["640x360-900k", "b"]),
        ("video", ["c"]),
        ("audio", ["aac-96k", "b"]),
        ("audio", ["c"]),
    ]
    ids = [s.get("id") for s in root.findall(".//d:AdaptationSet", NS)]
    assert len(set(ids)) == len(ids)


def test_streams_of_one_set_that_are_cut_otherwise_have_their_own_times():
    other = timeline(1, 2, timescale=1)
    root = manifest((video(), audio()), (video("video/b", timeline=other), audio()))
    found = root.find(".//d:AdaptationSet[@contentType='video']", NS)
    assert found.find("d:SegmentTemplate", NS) is None
    assert [len(times(r.find("d:SegmentTemplate", NS))) for r in found.findall("d:Representation", NS)] == [3, 2]


def test_the_language_is_told_and_escaped():
    root = manifest((video(), audio(language='x"><&')))
    assert root.find(".//d:AdaptationSet[@contentType='audio']", NS).get("lang") == 'x"><&'


@pytest.mark.parametrize("comment", ["a--b", "ends in -", "--> <evil/> <!--", "a - - b", "-----", "<&>"])
def test_a_comment_stays_a_comment(comment):
    """XML 1.0, section 2.5: no `--` within one, no `-` at its end."""
    variants = [Variant(video=video("video/a--b"), audio=audio("audio/c-"), avq_mos=3.0)]
    text = dash_manifest(variants, 1.0, comment=comment)
    head = text.partition("<!--")[2].partition("-->")[0]
    assert "--" not in head
    assert not head.endswith("-")
    root = ElementTree.fromstring(text)
    assert [child.tag for child in root] == [f"{{{NS['d']}}}Period"]


def test_the_head_tells_that_pairs_are_not_kept_and_which_they_are():
    text = dash_manifest([Variant(video=video(), audio=audio(), avq_mos=3.0)], 1.0, comment="Ladder of a film")
    assert f"Ladder of a film\n{PAIRS_COMMENT}\n    video/640x360-900k with audio/aac-96k" in text


def test_a_template_without_segments_has_segments_of_six_seconds():
    root = manifest((video(timeline=None), audio(timeline=None)))
    for template in root.findall(".//d:SegmentTemplate", NS):
        assert (template.get("timescale"), template.get("duration")) == ("1000", "6000")
        assert template.find("d:SegmentTimeline", NS) is None


def test_languages_roles_and_layouts_are_sets_of_their_own_the_films_own_first():
    own, around = audio(), audio("audio/b", codecs="ec-3", channels=6)
    dub, seen = (
        audio(f"audio/{role}", language="de", label=role, role=role, codecs="mp4a.40.2")
        for role in ("dub", "description")
    )
    variants = [Variant(video=video(), audio=one, avq_mos=3.0, others=(dub, seen)) for one in (own, around)]
    root = ElementTree.fromstring(dash_manifest(variants, 13.013))
    found = [
        (s.get("lang"), s.find("d:Role", NS).get("value"), [r.get("id") for r in s.findall("d:Representation", NS)])
        for s in root.findall(".//d:AdaptationSet[@contentType='audio']", NS)
    ]
    assert found == [
        *(("en", "main", ["b"]), ("en", "main", ["aac-96k"]), ("de", "dub", ["dub"])),
        ("de", "description", ["description"]),
    ]
    purpose = root.find(".//d:Accessibility", NS).attrib
    assert purpose == {"schemeIdUri": "urn:tva:metadata:cs:AudioPurposeCS:2007", "value": "1"}


def test_captions_are_told_with_their_language_by_three_letters():
    root = manifest((video(has_captions=True), audio(language="de")))
    told = root.find(".//d:AdaptationSet[@contentType='video']/d:Accessibility", NS).attrib
    assert told == {"schemeIdUri": "urn:scte:dash:cc:cea-608:2015", "value": "CC1=deu"}
