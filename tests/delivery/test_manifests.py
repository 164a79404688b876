"""Manifests as others read them: their elements in the order of MPEG's schema, and what two readers make of them."""

from __future__ import annotations

import itertools
import re
from fractions import Fraction
from xml.etree import ElementTree

import pytest
from mpegdash.parser import MPEGDASHParser

from abr_alloc.delivery.publish import read_variants
from abr_alloc.exporting.presentation import distinct_audio, distinct_video
from abr_alloc.formats.delivery_record import read_delivery

# DASH-MPD.xsd (ISO/IEC 23009-1, annex B) has sequences: a child that comes too early is no valid document.
BASE = ("FramePacking", "AudioChannelConfiguration", "ContentProtection", "EssentialProperty", "SupplementalProperty")
BASE = (*BASE, "InbandEventStream", "Switching", "RandomAccess", "GroupLabel", "Label", "ProducerReferenceTime")
SEGMENTS = ("BaseURL", "SubRepresentation", "SegmentBase", "SegmentList", "SegmentTemplate")
ORDER = {
    "MPD": ("ProgramInformation", "BaseURL", "Location", "Period"),
    "Period": (*SEGMENTS, "AssetIdentifier", "EventStream", "ServiceDescription", "AdaptationSet", "Subset"),
    "AdaptationSet": (
        *BASE,
        "Accessibility",
        "Role",
        "Rating",
        "Viewpoint",
        "ContentComponent",
        *SEGMENTS,
        "Representation",
    ),
    "Representation": (*BASE, *SEGMENTS),
    "SegmentTemplate": ("Initialization", "RepresentationIndex", "SegmentTimeline"),
    "SegmentBase": ("Initialization", "RepresentationIndex"),
    "SegmentTimeline": ("S",),
}
# Attributes that must be there, with the form of their type.
NEEDED = {
    "MPD": {"profiles": r"\S+", "minBufferTime": r"PT[0-9.]+S", "mediaPresentationDuration": r"PT[0-9.]+S"},
    "AdaptationSet": {"id": r"\d+"},
    "Representation": {"id": r"\S+", "bandwidth": r"[1-9]\d*"},
    "SegmentBase": {"indexRange": r"\d+-\d+"},
    "S": {"d": r"[1-9]\d*"},
}


@pytest.fixture(params=["delivered", "free_size", "packaged"])
def folder(request):
    """Segments in files of one size and of several, and one file per rendition."""
    return request.getfixturevalue(request.param)


def test_elements_come_in_the_order_of_the_schema(folder):
    root = ElementTree.parse(folder / "manifest.mpd").getroot()
    for element in root.iter():
        kind = element.tag.rpartition("}")[2]
        assert element.tag == f"{{urn:mpeg:dash:schema:mpd:2011}}{kind}"
        places = [ORDER[kind].index(child.tag.rpartition("}")[2]) for child in element]
        assert places == sorted(places), kind
        for name, form in NEEDED.get(kind, {}).items():
            assert re.fullmatch(form, element.get(name, "")), (kind, name)
    for path in ("AdaptationSet", "AdaptationSet/{*}Representation"):
        ids = [element.get("id") for element in root.findall(f"{{*}}Period/{{*}}{path}")]
        assert len(ids) == len(set(ids))


def test_a_reader_of_manifests_finds_what_was_delivered(folder):
    delivery = read_delivery(folder / "delivery.json")
    variants = read_variants(delivery, folder)
    streams = [*distinct_video(variants), *distinct_audio(variants)]
    manifest = MPEGDASHParser.parse((folder / "manifest.mpd").read_text())
    duration_s = float(delivery.num_frames / Fraction(delivery.fps))
    assert manifest.media_presentation_duration == f"PT{duration_s:.3f}S"
    found = {}
    for one in manifest.periods[0].adaptation_sets:
        for representation in one.representations:
            template = next(iter(one.segment_templates or representation.segment_templates or []), None)
            found[f"{one.content_type}/{representation.id}"] = (representation, template)
    assert sorted(found) == sorted(stream.name for stream in streams)
    for stream in streams:
        representation, template = found[stream.name]
        assert representation.codecs == stream.codecs
        assert representation.bandwidth == pytest.approx(stream.peak_bits_per_s, abs=1.0)
        if template is None:
            assert representation.base_urls[0].base_url_value == f"{stream.name}/media.mp4"
            continue
        runs = template.segment_timelines[0].Ss
        lengths = list(itertools.chain.from_iterable([run.d] * (1 + (run.r or 0)) for run in runs))
        assert lengths == [segment.duration for segment in stream.timeline.segments]
        assert template.timescale == stream.timeline.timescale


@pytest.mark.parametrize("name", ["delivered", "packaged"])
def test_ffmpeg_plays_every_frame_of_a_manifest(request, name, ffmpeg):
    """By its own demuxer of DASH, which knows pictures of one size."""
    folder = request.getfixturevalue(name)
    delivery = read_delivery(folder / "delivery.json")
    told = ffmpeg.run(["-i", folder / "manifest.mpd", "-map", "0:v", "-c", "copy", "-f", "framecrc", "-"]).decode()
    streams = [int(line.split(",")[0]) for line in told.splitlines() if not line.startswith("#")]
    assert {streams.count(n) for n in range(len(delivery.videos))} == {delivery.num_frames}
