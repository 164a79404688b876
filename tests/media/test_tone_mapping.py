"""HDR becomes the SDR that the standards say: by ramps of known code values, and by ffmpeg's own filters."""

from __future__ import annotations

import numpy as np
import pytest

from abr_alloc.codecs import TONE_MAPS
from abr_alloc.media.colour import HdrMetadata
from abr_alloc.media.normalise import source_input, video_chain
from abr_alloc.media.probe import probe
from abr_alloc.media.tone_mapping import SDR_WHITE_CD_M2, map_to_sdr, pq_from_light, source_light, source_peak_cd_m2

RAMP = 64 + np.floor(np.arange(320) * 876 / 319)
GREY = np.stack([(RAMP - 64) / 876] * 3, axis=-1)


@pytest.fixture(scope="module")
def ramp(make_media):
    """A maker of a grey ramp over all code values, without loss: by the name of its transfer."""

    def make(transfer: str):
        chain = (
            "format=yuv420p10le,geq=lum='64+floor(X*876/319)':cb=512:cr=512,"
            f"setparams=range=tv:colorspace=bt2020nc:color_primaries=bt2020:color_trc={transfer}"
        )
        return make_media(f"{transfer}.mkv", f"lavfi:color=black:s=320x36:r=5:d=0.4,{chain}", "-c:v", "ffv1")

    return make


def first_line(ffmpeg, path, chain: str) -> np.ndarray:
    raw = ffmpeg.run([*source_input(path), "-map", "0:v", "-vf", chain, "-frames:v", "1", "-f", "rawvideo", "-"])
    return np.frombuffer(raw, "<u2")[: 320 * 36].reshape(36, 320)[18].astype(float)


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_that_stays_hdr_keeps_every_code_value(ffmpeg, ramp, transfer) -> None:
    info = probe(ramp(transfer), ffmpeg)
    np.testing.assert_array_equal(first_line(ffmpeg, info, video_chain(info)), RAMP)


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
@pytest.mark.parametrize("curve", TONE_MAPS)
def test_ffmpeg_shows_what_the_curve_says(ffmpeg, ramp, transfer, curve) -> None:
    info = probe(ramp(transfer), ffmpeg).toned(curve)
    expected = 64 + 876 * map_to_sdr(GREY, transfer, curve, 1000.0)[:, 1]
    off = np.abs(first_line(ffmpeg, info, video_chain(info)) - expected)
    assert off.max() < 2, off.argmax()  # of 876 steps: what lies between the table's entries
    assert np.median(off) < 0.6


@pytest.mark.parametrize(
    ("curve", "own"), [("hable", "tonemap=hable:peak=4.92610837:desat=0"), ("clip", "tonemap=clip:desat=0")]
)
def test_it_is_what_ffmpegs_filters_make_of_it(ffmpeg, ramp, curve, own) -> None:
    if "zscale" not in ffmpeg.filters:
        pytest.skip("this ffmpeg has no zscale")
    info = probe(ramp("smpte2084"), ffmpeg)
    chain = (
        f"zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap={own},zscale=t=bt709:m=bt709:r=tv,"
        "format=yuv420p10le"
    )
    theirs = np.minimum(first_line(ffmpeg, info, chain), 940)
    ours = 64 + 876 * map_to_sdr(GREY, "smpte2084", curve, 1000.0)[:, 1]
    assert np.abs(theirs - ours).max() < 1


def test_light_is_that_of_the_standards() -> None:
    # SMPTE ST 2084: full code is 10,000 cd/m2, and Rep. ITU-R BT.2408 has its white at 58 % PQ and 75 % HLG.
    assert source_light(np.ones(3), "smpte2084") == pytest.approx([10_000.0] * 3)
    assert float(pq_from_light(np.asarray(203.0))) == pytest.approx(0.58, abs=2e-3)
    assert source_light(np.full(3, 0.75), "arib-std-b67") == pytest.approx([203.0] * 3, rel=5e-3)
    assert source_light(np.ones(3), "arib-std-b67") == pytest.approx([1000.0] * 3, rel=2e-3)


def test_the_eetf_is_that_of_bt2390() -> None:
    """Straight below its knee, its target at the source's peak, and never brighter than what it maps."""
    top, white = (float(pq_from_light(np.asarray(light))) for light in (1000.0, SDR_WHITE_CD_M2))
    knee = 1.5 * white / top - 0.5
    below = np.linspace(0.05, 0.99, 40)[:, None] * np.full(3, knee * top)
    same = (source_light(below, "smpte2084") / SDR_WHITE_CD_M2) ** (1 / 2.4)
    assert map_to_sdr(below, "smpte2084", "bt2390", 1000.0) == pytest.approx(same, abs=1e-3)
    shown = map_to_sdr(np.linspace(0, top, 200)[:, None] * np.ones(3), "smpte2084", "bt2390", 1000.0)[:, 1]
    assert shown[-1] == pytest.approx(1.0, abs=1e-3)
    assert (np.diff(shown) > 0).all()


def test_colours_keep_their_hue_and_what_bt709_has_not_is_cut_off() -> None:
    orange = np.array([0.70, 0.55, 0.40])
    for curve in ("bt2390", "hable"):
        light = map_to_sdr(orange, "smpte2084", curve, 4000.0) ** 2.4
        clipped = map_to_sdr(np.array([0.50, 0.40, 0.30]), "smpte2084", "clip", 4000.0) ** 2.4
        assert light[0] > light[1] > light[2]
        assert clipped[0] > clipped[1] > clipped[2]
    green = map_to_sdr(np.array([0.0, 0.5, 0.0]), "smpte2084", "clip", 1000.0)
    assert green[0] == green[2] == 0.0, "BT.2020's green has negative red and blue in BT.709"


def test_the_peak_is_maxcll_else_the_displays_else_1000() -> None:
    light = HdrMetadata(max_cll_cd_m2=640, luminance_cd_m2=(0.005, 4000.0))
    assert source_peak_cd_m2("smpte2084", light) == 640
    assert source_peak_cd_m2("smpte2084", HdrMetadata(luminance_cd_m2=(0.005, 4000.0))) == 4000
    assert source_peak_cd_m2("smpte2084", None) == 1000
    assert source_peak_cd_m2("smpte2084", HdrMetadata(max_cll_cd_m2=100)) == SDR_WHITE_CD_M2, "nothing is made brighter"
    assert source_peak_cd_m2("arib-std-b67", light) == 1000


def test_a_tone_map_is_part_of_what_a_measurement_rests_on(ffmpeg, ramp) -> None:
    info = probe(ramp("smpte2084"), ffmpeg)
    assert "tone_map" not in info.stream_facts
    facts = [info.toned(curve).stream_facts["tone_map"] for curve in TONE_MAPS]
    assert [fact[:2] for fact in facts] == [[curve, 1000.0] for curve in TONE_MAPS]
    assert info.toned("clip").toned("") == info
