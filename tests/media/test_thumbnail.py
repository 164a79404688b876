"""Thumbnails: the frame in the middle of a span, small, as JPEG."""

import io

import numpy as np
import pytest
from PIL import Image

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.probe import probe
from abr_alloc.media.seek import read_key_times
from abr_alloc.media.thumbnail import THUMBNAIL_HEIGHT_PX, thumbnail


def picture_of(ffmpeg, source, start_s: float, end_s: float) -> bytes:
    info = probe(source, ffmpeg)
    return thumbnail(ffmpeg, info, start_s, end_s, read_key_times(info))


@pytest.fixture(scope="module")
def halves(make_media):
    """2 s of red, then 2 s of blue."""
    return make_media(
        "halves.mp4",
        "lavfi:color=red:size=192x108:rate=10:duration=2[a];color=blue:size=192x108:rate=10:duration=2[b];"
        "[a][b]concat=n=2",
        *("-c:v", "libx264", "-pix_fmt", "yuv420p"),
    )


@pytest.mark.parametrize(("start_s", "end_s", "channel"), [(0.0, 2.0, 0), (2.0, 4.0, 2), (0.0, 3.0, 0)])
def test_it_is_the_frame_in_the_middle_of_the_span(ffmpeg, halves, start_s, end_s, channel) -> None:
    picture = np.asarray(Image.open(io.BytesIO(picture_of(ffmpeg, halves, start_s, end_s))))
    assert picture.mean(axis=(0, 1)).argmax() == channel


@pytest.mark.parametrize(
    ("size", "aspect", "width_px"), [("320x180", "16/9", 192), ("180x320", "9/16", 60), ("160x180", "16/9", 192)]
)
def test_it_has_one_height_and_square_pixels(ffmpeg, make_media, size, aspect, width_px) -> None:
    source = make_media(
        f"{size}.mkv",
        f"lavfi:testsrc2=size={size}:rate=5:duration=1,setdar={aspect}",
        *("-c:v", "libx264", "-pix_fmt", "yuv420p"),
    )
    content = picture_of(ffmpeg, source, 0.0, 1.0)
    picture = Image.open(io.BytesIO(content))
    assert picture.format == "JPEG"
    assert picture.height == THUMBNAIL_HEIGHT_PX
    assert abs(picture.width - width_px) <= 2
    assert len(content) < 12_000


def test_a_source_that_ends_before_the_scene_is_refused(ffmpeg, halves) -> None:
    with pytest.raises(UnsupportedMediaError, match=r"has no picture at 9\.00 s; is it the complete source"):
        picture_of(ffmpeg, halves, 8.0, 10.0)


@pytest.mark.parametrize("gop", [20, 100, 500])
def test_it_is_the_very_frame_in_a_transport_stream_whatever_its_key_frames(ffmpeg, make_media, gop) -> None:
    """Every four seconds are lighter than the four before."""
    shades = "lavfi:color=black:size=96x64:rate=10:duration=40,format=yuv420p,geq=lum='30+20*floor(N/40)':cb=128:cr=128"
    keys = ("-g", str(gop), "-keyint_min", str(gop), "-sc_threshold", "0")
    source = make_media(f"shades{gop}.ts", shades, "-c:v", "libx264", "-qp", "5", *keys)
    info, key_times = probe(source, ffmpeg), read_key_times(probe(source, ffmpeg))
    for step in range(1, 10):
        content = thumbnail(ffmpeg, info, 4.0 * step, 4.0 * step + 0.2, key_times)
        found = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
        assert found.mean() == pytest.approx((30 + 20 * step - 16) * 255 / 219, abs=4)


def test_hdr_is_shown_as_sdr(ffmpeg, make_media) -> None:
    """HDR's reference white, 203 cd/m2, is 58 % of PQ's codes (Rep. ITU-R BT.2408), which as they are would be grey."""
    white = (
        "lavfi:color=black:size=96x64:rate=10:duration=1,format=yuv420p10le,geq=lum=573:cb=512:cr=512,"
        "setparams=range=tv:colorspace=bt2020nc:color_primaries=bt2020:color_trc=smpte2084"
    )
    source = make_media("white.mp4", white, "-c:v", "libx265", "-x265-params", "log-level=none:max-cll=1000,200")
    found = np.asarray(Image.open(io.BytesIO(picture_of(ffmpeg, source, 0.0, 1.0))).convert("L"))
    assert 190 < found.mean() < 255
