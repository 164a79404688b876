"""Manifests as others write them, and what is refused, each in one line that says where."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from abr_alloc.errors import PackageError
from abr_alloc.packages import stream_facts
from abr_alloc.packages.reader import read_package


@pytest.fixture
def folder(dash, tmp_path) -> Path:
    """A copy of a package: videos 0 and 1, sounds 2 and 3."""
    return Path(shutil.copytree(dash.parent, tmp_path / "package"))


@pytest.fixture
def changed(folder) -> Callable[..., Path]:
    """The manifest with some texts replaced, each at least once."""

    def change(*pairs: tuple[str, str]) -> Path:
        path = folder / "manifest.mpd"
        text = path.read_text()
        for pattern, new in pairs:
            text, count = re.subn(pattern, new, text, flags=re.DOTALL)
            assert count
        path.write_text(text)
        return path

    return change


def manifest(folder: Path, inside: str, length: str = "PT3S") -> Path:
    """A manifest with one video Representation, written by hand."""
    path = folder / "hand.mpd"
    path.write_text(
        f'<MPD type="static" mediaPresentationDuration="{length}"><Period><AdaptationSet mimeType="video/mp4">'
        f'<Representation id="v" bandwidth="100000" frameRate="24000/2002">{inside}</Representation>'
        "</AdaptationSet></Period></MPD>"
    )
    return path


INIT, MEDIA = "init-stream0.m4s", "chunk-stream0-0000{}.m4s"


@pytest.mark.parametrize(
    "inside",
    [
        '<SegmentTemplate timescale="12" duration="12" initialization="init-stream0.m4s" '
        'media="chunk-stream0-$Number%05d$.m4s"/>',
        '<SegmentTemplate timescale="1" initialization="init-stream0.m4s" media="chunk-stream0-$Number%05d$.m4s">'
        '<SegmentTimeline><S t="0" d="1" r="-1"/></SegmentTimeline></SegmentTemplate>',
        '<BaseURL>sub/../</BaseURL><SegmentTemplate timescale="1" initialization="init-stream0.m4s" startNumber="0" '
        'media="chunk-stream0-0000$Time$.m4s" presentationTimeOffset="1">'
        '<SegmentTimeline><S t="1" d="1" r="2"/></SegmentTimeline></SegmentTemplate>',
        '<SegmentList duration="1"><Initialization sourceURL="init-stream0.m4s"/>'
        + "".join(f'<SegmentURL media="{MEDIA.format(n)}"/>' for n in (1, 2, 3))
        + "</SegmentList>",
    ],
)
def test_every_way_of_naming_segments_names_the_same(folder, inside):
    (stream,) = read_package(manifest(folder, inside)).streams
    assert [segment.media.path.name for segment in stream.segments] == [MEDIA.format(n) for n in (1, 2, 3)]
    assert {segment.init.path.name for segment in stream.segments} == {INIT}
    assert [segment.duration_s for segment in stream.segments] == [1.0, 1.0, 1.0]
    assert (stream.label, stream.declared_kbps) == ("v", 100.0)
    assert stream.fps == pytest.approx(12 / 1.001)


def test_a_single_file_is_told_by_its_index(ffmpeg, streams, pictures, monkeypatch, tmp_path):
    """ffmpeg writes an index (sidx) for the whole file; named by the manifest, or found."""
    options = ("-c", "copy", "-movflags", "dash+global_sidx+frag_keyframe")
    ffmpeg.run(["-i", streams["low"], *options, "-frag_duration", "1000000", tmp_path / "v.mp4"])
    data = (tmp_path / "v.mp4").read_bytes()
    at = data.index(b"sidx") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    indexed = f'<SegmentBase indexRange="{at}-{at + size - 1}"><Initialization range="0-{at - 1}"/></SegmentBase>'
    for inside in (f"<BaseURL>v.mp4</BaseURL>{indexed}", "<BaseURL>v.mp4</BaseURL>"):
        (stream,) = read_package(manifest(tmp_path, inside)).streams
        assert [segment.duration_s for segment in stream.segments] == pytest.approx([1.0, 1.0, 1.0])
        assert stream.segments[-1].media.offset_bytes + stream.segments[-1].media.size_bytes <= len(data)
        stream.write(tmp_path / "out.mp4")
        assert (tmp_path / "out.mp4").read_bytes() == data
    # Without an index it is one piece, as long as the manifest says.
    shutil.copy(streams["low"], tmp_path / "v.mp4")
    monkeypatch.setattr(stream_facts, "_HEAD_BYTES", 100)  # what a long file holds is told at its end
    (stream,) = read_package(manifest(tmp_path, "<BaseURL>v.mp4</BaseURL>")).streams
    assert [segment.duration_s for segment in stream.segments] == [3.0]
    assert stream.peak_kbps == stream.average_kbps
    stream.write(tmp_path / "out.mp4")
    assert pictures(tmp_path / "out.mp4") == pictures(streams["low"])


def test_text_and_trick_play_are_left_out_and_the_main_sound_is_paired(changed):
    text = (
        '<AdaptationSet contentType="text"><Representation id="t"/></AdaptationSet><AdaptationSet contentType="video">'
        '<EssentialProperty schemeIdUri="http://dashif.org/guidelines/trickmode" value="0"/><Representation id="k"/>'
        "</AdaptationSet></Period>"
    )
    german = r'\g<1></AdaptationSet><AdaptationSet id="2" contentType="audio" lang="de">'
    main = r'\g<0><Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>'
    found = read_package(
        changed(
            ("</Period>", text),
            (r'(<Representation id="2".*?</Representation>)', german),
            (r'lang="de">', main),
        )
    )
    assert found.notes == ("AdaptationSets of type text are left out", "AdaptationSets for trick play are left out")
    assert [(variant.video, variant.audio) for variant in found.variants] == [("0", "3"), ("1", "3")]


@pytest.mark.parametrize(
    ("pattern", "new", "message"),
    [
        ('type="static"', 'type="dynamic"', "is of a live stream"),
        ("<Period ", '<Period xlink:href="http://x/y" ', "is elsewhere .xlink of Period"),
        ("<Period ", "<BaseURL>https://cdn.example/</BaseURL><Period ", "'https://cdn.example/.*' is a URL"),
        ("<SegmentTemplate", "<ContentProtection/><SegmentTemplate", "is encrypted"),
        ('media="chunk', 'media="../../chunk', "leads out of the folder"),
        ('media="chunk', 'media="/chunk', "is no path relative to it"),
        ('media="chunk', 'media="none', "does not exist; is the package whole"),
        ('media="chunk', 'media="http://h/chunk', "is a URL"),
        (r"\$Number%05d\$", "$Number%5$", "has a field that is not read"),
        (r"\$Number%05d\$", "$SubNumber$", "has a field that is not read"),
        (r'media="[^"]*"', "", "its SegmentTemplate has no media"),
        (r'timescale="\d+"', 'timescale="0"', "timescale is 0"),
        (r'd="\d+"', 'd="0"', "a segment of its SegmentTimeline is 0 long"),
        (r'd="\d+"', 'd="x"', "S@d is 'x', not a whole number"),
        (r'<S t="0" d="(\d+)"', r'<S t="0" d="1" r="99999999"/><S d="1"', "more than 20000 segments"),
        (r'mediaPresentationDuration="PT3.0S"', 'mediaPresentationDuration="soon"', "'soon' is no duration"),
        ('id="1" mimeType', 'id="0" mimeType', "stands twice in its Period"),
        ('id="1" mimeType', "mimeType", "has no id"),
        ('bandwidth="', 'dependencyId="0" bandwidth="', "needs other Representations"),
        ('frameRate="12/1"', 'frameRate="12/0"', "frameRate is '12/0', not a number"),
        ("<Period.*</Period>", "", "has no video or audio"),
        ("</Period>", '</Period><Period start="PT3S" duration="PT3S"/>', "does not go on in Period 2"),
        ("</Period>", '</Period><Period start="PT0S"/>', "Period 1 has no length"),
        ("MPD", "MPDX", "not an MPD"),
        ("</MPD>", "", "it is no XML"),
        ("<MPD", '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><MPD', "document type"),
    ],
)
def test_a_manifest_that_cannot_be_read_exactly_is_refused(changed, pattern, new, message):
    with pytest.raises(PackageError, match=message) as caught:
        read_package(changed((pattern, new)))
    assert "\n" not in str(caught.value)


def test_a_manifest_that_ends_anywhere_is_refused(folder):
    path = folder / "manifest.mpd"
    data = path.read_bytes()
    for end in range(0, len(data) - 10, 37):
        path.write_bytes(data[:end])
        with pytest.raises(PackageError):
            read_package(path)
