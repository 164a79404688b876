"""What samples mean is decided once, kept, and written on everything: values are worked out here from the standards."""

from __future__ import annotations

import numpy as np
import pytest

from abr_alloc.encoders import default_encoder
from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.bitstream import read_fragment
from abr_alloc.media.cmaf import encode_rendition, package
from abr_alloc.media.colour import PictureTags, decide_colour
from abr_alloc.media.encoder_arguments import Ask
from abr_alloc.media.encoding import encode_video
from abr_alloc.media.frames import SHOW, SHOW_LEVEL, read_frames
from abr_alloc.media.grid import VideoTarget
from abr_alloc.media.normalise import source_input, video_chain
from abr_alloc.media.probe import probe

RED = (200, 0, 0)
# Kr and Kb: Rec. ITU-R BT.601-7, BT.709-6, BT.2020-2.
LUMA = {"smpte170m": (0.299, 0.114), "bt470bg": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020nc": (0.2627, 0.0593)}
SCALE = {"smpte170m": "bt601", "bt470bg": "bt601", "bt2020nc": "bt2020", "bt709": "bt709"}


def ycbcr(rgb, matrix: str) -> list[float]:
    """Limited-range 8-bit samples of a colour in full-range RGB of 0 to 255."""
    kr, kb = LUMA[matrix]
    r, g, b = (value / 255 for value in rgb)
    y = kr * r + (1 - kr - kb) * g + kb * b
    return [16 + 219 * y, 128 + 224 * (b - y) / (2 * (1 - kb)), 128 + 224 * (r - y) / (2 * (1 - kr))]


def middle(ffmpeg, path) -> list[float]:
    """Samples in the middle of the first normalised frame, in steps of 8 bits."""
    info = probe(path, ffmpeg)
    raw = ffmpeg.run(
        [*source_input(info), "-map", f"0:{info.video_index}", "-vf", video_chain(info), "-frames:v", "1"]
        + ["-f", "rawvideo", "-"]
    )
    deep = info.bit_depth == 10
    samples = np.frombuffer(raw, "<u2" if deep else np.uint8) / (4 if deep else 1)
    w, h = info.width_px, info.height_px
    planes = np.split(samples, [w * h, w * h * 5 // 4])
    shapes = [(h, w), (h // 2, w // 2), (h // 2, w // 2)]
    return [float(p.reshape(s)[s[0] // 2, s[1] // 2]) for p, s in zip(planes, shapes, strict=True)]


def tags_of(ffmpeg, path, tmp_path) -> tuple[str, str, str, str]:
    ffmpeg.run_and_tell(
        ["-i", path, "-frames:v", "1", "-vf", SHOW, "-f", "null", "-"], tmp_path / "log.txt", level=SHOW_LEVEL
    )
    found = next(read_frames((tmp_path / "log.txt").read_text().splitlines())).tags
    return found.range, found.matrix, found.primaries, found.transfer


def red(size: str, chain: str = "format=gbrp", rgb: str = "0xC80000") -> str:
    return f"lavfi:color={rgb}:s={size}:r=5:d=0.4,{chain}"


@pytest.mark.parametrize(
    ("suffix", "codec", "pixel_format"),
    [
        ("mkv", "libx264rgb", "rgb24"), ("mkv", "ffv1", "gbrp"), ("mkv", "ffv1", "gbrp10le"),
        ("mkv", "ffv1", "rgb48le"), ("mov", "png", "rgb24"), ("mov", "qtrle", "rgb24"),
        ("nut", "rawvideo", "bgr0"), ("nut", "rawvideo", "rgb565le"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("size", "matrix"), [("1280x64", "bt709"), ("64x48", "smpte170m")])
def test_rgb_becomes_what_its_size_is_taken_for_and_says_so(
    ffmpeg, make_media, suffix, codec, pixel_format, size, matrix
) -> None:
    path = make_media(f"{pixel_format}-{size}.{suffix}", red(size), "-c:v", codec, "-pix_fmt", pixel_format)
    coarse = pixel_format == "rgb565le"
    assert middle(ffmpeg, path) == pytest.approx(ycbcr(RED, matrix), abs=4 if coarse else 1)
    assert probe(path, ffmpeg).colour.matrix == matrix


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt470bg", "bt2020nc"])
@pytest.mark.parametrize(
    ("sampling", "size"),
    [
        *(("yuv420p", "64x48"), ("yuv420p", "1280x64"), ("yuv422p", "64x48"), ("yuv444p", "64x48")),
        *(("yuv420p10le", "64x48"), ("yuv444p12le", "64x48")),
    ],
)
@pytest.mark.parametrize("full", [False, True])
def test_a_tagged_matrix_is_kept_and_full_range_becomes_limited(
    ffmpeg, make_media, tmp_path, size, matrix, sampling, full
) -> None:
    span = "pc" if full else "tv"
    chain = f"format=gbrp16le,scale=out_color_matrix={SCALE[matrix]}:out_range={span},format={sampling}"
    marked = f"setparams=range={span}:colorspace={matrix}"
    names = ("-c:v", "ffv1", "-pix_fmt", sampling, "-color_range", span)
    path = make_media(f"{matrix}-{sampling}-{span}-{size}.mkv", red(size, f"{chain},{marked}"), *names)
    assert tags_of(ffmpeg, path, tmp_path)[0] == span
    assert middle(ffmpeg, path) == pytest.approx(ycbcr(RED, matrix), abs=1)
    colour = probe(path, ffmpeg).colour
    assert (colour.matrix, colour.in_full_range) == (matrix, full)


@pytest.mark.parametrize(("size", "matrix"), [("1280x720", "bt709"), ("1280x540", "bt709"), ("320x240", "smpte170m")])
def test_untagged_samples_stay_as_they_are_and_are_tagged_by_size(ffmpeg, make_media, size, matrix) -> None:
    samples = "format=yuv420p,geq=lum=90:cb=100:cr=180"
    path = make_media(f"untagged-{size}.mkv", red(size, samples), "-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv420p")
    assert middle(ffmpeg, path) == pytest.approx([90, 100, 180], abs=0.5)
    assert probe(path, ffmpeg).colour.matrix == matrix


@pytest.mark.parametrize(("depth", "scale"), [("gray", 1), ("gray10le", 4)])
@pytest.mark.parametrize("level", [16, 126, 235])
def test_grey_is_what_it_says(ffmpeg, make_media, depth, scale, level) -> None:
    for span, expected in (("tv", level), ("pc", 16 + 219 * level / 255)):
        chain = f"format={depth},geq=lum={level * scale},setparams=range={span}"
        path = make_media(f"{depth}-{span}-{level}.mkv", red("320x240", chain), "-c:v", "ffv1")
        assert middle(ffmpeg, path) == pytest.approx([expected, 128, 128], abs=1)


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("mov", ("-c:v", "png", "-pix_fmt", "rgba")),
        ("mov", ("-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le")),
        ("mov", ("-c:v", "qtrle", "-pix_fmt", "argb")),
        ("mkv", ("-c:v", "ffv1", "-pix_fmt", "yuva420p")),
        ("mkv", ("-c:v", "ffv1", "-pix_fmt", "gbrap")),
        ("webm", ("-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p", "-lossless", "1")),
        ("webm", ("-c:v", "libvpx", "-auto-alt-ref", "0", "-pix_fmt", "yuva420p", "-b:v", "2M")),
    ],
)
def test_transparent_parts_are_black_and_it_is_said(ffmpeg, make_media, suffix, options) -> None:
    source = "lavfi:color=0xC80000@0.5:s=64x48:r=5:d=0.4,format=yuva444p"
    path = make_media(f"alpha-{options[1]}.{suffix}", source, *options)
    # 0.5 is 127 or 128 of 255.
    assert middle(ffmpeg, path) == pytest.approx(ycbcr((100, 0, 0), "smpte170m"), abs=2.5)
    assert "transparent parts are shown on black" in probe(path, ffmpeg).notes


@pytest.mark.parametrize(
    ("samples", "tags", "said"),
    [
        (
            "yuv420p10le",
            "colorspace=bt709:color_primaries=bt2020:color_trc=smpte2084",
            r"PQ \(smpte2084\) with the colour matrix bt709",
        ),
        (
            "yuv420p10le",
            "colorspace=bt2020nc:color_primaries=bt709:color_trc=arib-std-b67",
            r"HLG \(arib-std-b67\) with the colour primaries bt709",
        ),
        (
            "yuv420p",
            "colorspace=bt2020nc:color_primaries=bt2020:color_trc=smpte2084",
            "PQ .* in 8 bits.*give the 10-bit master",
        ),
    ],
)
def test_hdr_that_contradicts_itself_is_refused_by_the_tag(ffmpeg, make_media, samples, tags, said) -> None:
    chain = f"format={samples},setparams={tags}"
    path = make_media("odd.mkv", red("320x240", chain), "-c:v", "ffv1")
    with pytest.raises(UnsupportedMediaError, match=said):
        probe(path, ffmpeg)


def test_hdr_without_a_matrix_is_of_bt2020_and_without_metadata_it_is_told(ffmpeg, make_media) -> None:
    path = make_media("bare.mkv", red("320x240", "format=yuv420p10le,setparams=color_trc=smpte2084"), "-c:v", "ffv1")
    info = probe(path, ffmpeg)
    assert (info.colour.matrix, info.colour.primaries, info.dynamic_range, info.hdr) == (
        "bt2020nc",
        "bt2020",
        "PQ",
        None,
    )
    assert info.notes == (
        "PQ without metadata of its mastering display and content light level: renditions have none either",
    )


def test_a_matrix_that_cannot_be_kept_is_refused(ffmpeg, make_media) -> None:
    chain = "format=yuv444p,setparams=colorspace=ycgco"
    path = make_media("ycgco.mkv", red("320x240", chain), "-c:v", "ffv1")
    with pytest.raises(UnsupportedMediaError, match="matrix ycgco, which cannot be kept; convert it to bt709"):
        probe(path, ffmpeg)


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_probes_and_delivered_streams_carry_the_tags_at_every_size(ffmpeg, make_media, tmp_path, codec) -> None:
    path = make_media("rgb-wide.mkv", "lavfi:testsrc2=s=1280x128:r=5:d=1,format=gbrp", "-c:v", "ffv1")
    info = probe(path, ffmpeg)
    for width, height in ((1280, 128), (640, 64)):
        preset = "8" if codec == "av1" else "ultrafast"
        target = VideoTarget(
            codec=codec, width_px=width, height_px=height, target="crf=30", encoder=default_encoder(codec, preset)
        )
        encode_video(ffmpeg, info, target, tmp_path / "probe.mp4")
        assert tags_of(ffmpeg, tmp_path / "probe.mp4", tmp_path) == ("tv", "bt709", "bt709", "bt709")
        ask = Ask(mode=target.encoder.delivery_mode, number=300.0)
        encode_rendition(ffmpeg, info, target, ask, tmp_path / f"{height}.mp4")
        folder = tmp_path / f"{height}"
        folder.mkdir()
        package(ffmpeg, tmp_path / f"{height}.mp4", 2, folder)
        init = (folder / "init.mp4").read_bytes()
        # ISO/IEC 14496-12, 12.1.5: type nclx, then primaries, transfer and matrix; BT.709 is 1 in each (H.273).
        assert b"colrnclx" + b"\0\1" * 3 in init
        (tmp_path / "joined.mp4").write_bytes(init + (folder / "00001.m4s").read_bytes())
        assert tags_of(ffmpeg, tmp_path / "joined.mp4", tmp_path) == ("tv", "bt709", "bt709", "bt709")
        assert read_fragment((folder / "00001.m4s").read_bytes(), init).width_px == width


def test_dolby_vision_without_another_base_is_refused(ffmpeg, make_media, monkeypatch) -> None:
    """ffmpeg prints the record in its list of streams; no encoder here writes one."""
    from abr_alloc.media import picture

    told = "    DOVI configuration record: version: 1.0, profile: 5, level: 6, rl flag: 1, el flag: 0, bl flag: 1"
    path = make_media("dolby.mkv", red("320x240", "format=yuv420p"), "-c:v", "ffv1")
    decode = picture._decode
    for last, refused in ((", compatibility id: 0", True), (", compatibility id: 2", False)):
        monkeypatch.setattr(picture, "_decode", lambda *args, last=last: [told + last, *decode(*args)])
        if refused:
            with pytest.raises(
                UnsupportedMediaError, match="is Dolby Vision profile 5 without a compatible base layer"
            ):
                probe(path, ffmpeg)
        else:
            assert probe(path, ffmpeg).width_px == 320


def test_primaries_that_are_tagged_alone_tell_the_matrix() -> None:
    tags = PictureTags(pixel_format="yuv420p", range="", matrix="", primaries="bt2020", transfer="")
    found = decide_colour(tags, 320, 240, "hevc")
    assert (found.matrix, found.primaries, found.transfer) == ("bt2020nc", "bt2020", "bt2020-10")
