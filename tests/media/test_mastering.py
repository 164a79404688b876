"""Static metadata of HDR is read as files hold it, handed on in encoders' words, and found by others' readers."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import pytest

from abr_alloc.encoders import default_encoder
from abr_alloc.media.cmaf import encode_rendition, package
from abr_alloc.media.colour import HdrMetadata
from abr_alloc.media.encoder_arguments import Ask
from abr_alloc.media.grid import VideoTarget
from abr_alloc.media.mastering import hdr_notes, read_dolby, read_hdr, svtav1_words, x265_words
from abr_alloc.media.probe import probe

P3 = HdrMetadata(
    primaries_xy=((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
    white_xy=(0.3127, 0.329),
    luminance_cd_m2=(0.005, 1000.0),
    max_cll_cd_m2=987,
    max_fall_cd_m2=321,
)
X265 = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=987,321"


def boxes(data: bytes, wanted: str) -> list[bytes]:
    """Payloads of boxes of a sample entry, by the sizes of ISO/IEC 14496-12 alone."""
    found, at = [], 0
    heads = {
        b"moov": 8,
        b"trak": 8,
        b"mdia": 8,
        b"minf": 8,
        b"stbl": 8,
        b"stsd": 16,
        b"hvc1": 86,
        b"av01": 86,
        b"avc1": 86,
    }
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if kind.decode("latin1") == wanted:
            found.append(data[at + 8 : at + size])
        if kind in heads:
            found += boxes(data[at + heads[kind] : at + size], wanted)
        at += max(size, 8)
    return found


@pytest.fixture(scope="module")
def pq(make_media) -> Path:
    """A second of PQ, 64 x 36, in HEVC of 10 bits without loss, with metadata."""
    marked = "format=yuv420p10le,setparams=range=tv:colorspace=bt2020nc:color_primaries=bt2020:color_trc=smpte2084"
    return make_media(
        "pq.mp4", f"lavfi:testsrc2=s=64x36:r=10:d=1,{marked}", "-c:v", "libx265", "-preset", "ultrafast",
        "-x265-params", f"lossless=1:log-level=none:{X265}",
    )  # fmt: skip


def test_words_of_encoders_are_those_numbers() -> None:
    assert x265_words(P3) == X265
    light = "G(0.26500,0.69000)B(0.15000,0.06000)R(0.68000,0.32000)WP(0.31270,0.32900)L(1000.0000,0.0050)"
    assert svtav1_words(P3) == f"mastering-display={light}:content-light=987,321"
    assert x265_words(None) == svtav1_words(None) == x265_words(HdrMetadata()) == ""
    assert x265_words(HdrMetadata(max_cll_cd_m2=500)) == "max-cll=500,0"


def test_a_light_of_0_is_not_known_and_a_display_without_luminance_is_none() -> None:
    assert read_hdr(["  side data - Content light level metadata: MaxCLL=0, MaxFALL=0"]) is None
    line = (
        "Mastering display metadata: has_primaries:1 has_luminance:0 r(0.6800,0.3200) g(0.2650,0.6900) "
        "b(0.1500 0.0600) wp(0.3127, 0.3290) min_luminance=0.000000, max_luminance=0.000000"
    )
    found = read_hdr([line])
    assert found is not None
    assert found.white_xy == (0.3127, 0.329)
    assert not found.has_display
    assert "mastering display and content light level" in next(hdr_notes([line], "PQ", found))


def test_layers_that_are_left_out_are_told() -> None:
    record = "DOVI configuration record: version: 1.0, profile: 8, level: 6, rpu flag: 1, el flag: 0, bl flag: 1"
    lines = [
        f"{record}, compatibility id: 4, compression: 0",
        "  side data - HDR Dynamic Metadata SMPTE2094-40 (HDR10+)",
    ]
    assert read_dolby(lines) == (8, 4)
    told = list(hdr_notes(lines, "HLG", None))
    assert told[0] == "Dolby Vision profile 8 is carried as its base layer, HLG, without Dolby's own metadata"
    assert told[1].startswith("HDR10+ metadata")


@pytest.mark.parametrize(("codec", "entry"), [("hevc", "hvc1"), ("av1", "av01")])
def test_metadata_goes_from_the_source_into_bitstream_and_sample_entry(ffmpeg, pq, tmp_path, codec, entry) -> None:
    info = probe(pq, ffmpeg)
    assert (info.hdr, info.dynamic_range, info.notes) == (P3, "PQ", ())
    encoder = default_encoder(codec, "ultrafast" if codec == "hevc" else "12")
    target = VideoTarget(codec=codec, width_px=64, height_px=36, target="", encoder=encoder)
    encode_rendition(ffmpeg, info, target, Ask(mode="crf", number=20), tmp_path / "encode.mp4")
    (tmp_path / "cut").mkdir()
    package(ffmpeg, tmp_path / "encode.mp4", info.fps.denominator * 1, tmp_path / "cut")
    init = (tmp_path / "cut" / "init.mp4").read_bytes()
    assert boxes(init, entry)
    (colour,) = boxes(init, "colr")
    assert colour == b"nclx" + struct.pack(">HHHB", 9, 16, 9, 0)
    (light,) = boxes(init, "clli")
    assert struct.unpack(">HH", light) == (987, 321)
    (display,) = boxes(init, "mdcv")  # green, blue, red, white; largest, least luminance
    assert struct.unpack(">8H2I", display) == (13250, 34500, 7500, 3000, 34000, 16000, 15635, 16450, 10_000_000, 50)
    # Without the boxes of the container: what the bitstream itself says.
    bare = init.replace(b"mdcv", b"free").replace(b"clli", b"free")
    (tmp_path / "bare.mp4").write_bytes(bare + (tmp_path / "cut" / "00001.m4s").read_bytes())
    with av.open(tmp_path / "bare.mp4") as container:
        frame = next(container.decode(video=0))
        told = {part.type.name for part in frame.side_data}
    assert {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"} <= told


def test_sdr_of_it_says_nothing_of_hdr(ffmpeg, pq, tmp_path) -> None:
    info = probe(pq, ffmpeg).toned("bt2390")
    target = VideoTarget(
        codec="h264", width_px=64, height_px=36, target="", encoder=default_encoder("h264", "ultrafast")
    )
    encode_rendition(ffmpeg, info, target, Ask(mode="crf", number=20), tmp_path / "sdr.mp4")
    data = (tmp_path / "sdr.mp4").read_bytes()
    assert not boxes(data, "mdcv") + boxes(data, "clli")
    with av.open(tmp_path / "sdr.mp4") as container:
        frame = next(container.decode(video=0))
        assert (frame.format.name, int(frame.color_trc), int(frame.colorspace)) == ("yuv420p", 1, 1)
        assert not {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"} & {part.type.name for part in frame.side_data}
